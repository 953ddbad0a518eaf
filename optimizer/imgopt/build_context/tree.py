"""The build context: what is sent to the builder, and what a COPY or ADD takes from it.

Decided as BuildKit decides it (`imgopt.build_context.patterns` says where the classic builder differs): sources are anchored at
the context's root and cannot climb out of it, a directory gives its contents, a file keeps its name in a
directory, a link that is named or matched is followed, one inside a copied directory stays a link. Links are
resolved as if the context's root were ``/``, so nothing outside it is ever read, whatever a link says.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from posixpath import basename, dirname, normpath

from imgopt.build_context.patterns import (
    BadPattern,
    IgnoreRules,
    glob_match,
    has_wildcard,
    read_ignore_file,
    rules_from,
)
from imgopt.errors import ContextError
from imgopt.files.opening import open_file, read_file
from imgopt.light.records import dataclass, field

_LINK_LIMIT = 255  # links followed for one path, as in Docker
_EFFECTIVE = os.access in os.supports_effective_ids
_IGNORE_FILE_LIMIT = 4 * 1024 * 1024  # bytes
_TEMPLATE_MARK = "$"
# what a build writes: may be missing beside a Dockerfile that is right
_BUILD_OUTPUT = ("target", "build", "out", "dist")
_BUILD_FILES = (
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "build.sbt",
)


@dataclass(frozen=True, slots=True)
class Context:
    """A directory as a builder sees it. ``dockerfile`` may lie anywhere."""

    root: Path
    dockerfile: Path | None = None
    ignore: IgnoreRules = field(default_factory=IgnoreRules)


@dataclass(frozen=True, slots=True)
class Copied:
    """One file, directory or link that a COPY makes.

    ``source``: where it lies, relative to the context's root, links followed; ``target``: relative to the
    destination, "" when it *is* the destination (a file under a new name, or the directory copied into it).
    ``bytes``: size of a file, 0 for directories and links; ``mode``: permission bits; ``path``: on this machine.
    """

    source: str
    target: str
    path: Path
    bytes: int
    is_directory: bool
    is_link: bool
    mode: int


# --- the file system, one step at a time ------------------------------------------------------------------


def _denied(path: str, error: OSError) -> ContextError:
    reason = error.strerror or str(error)
    return ContextError(
        f"cannot be read: {reason}", "change its permissions or list it in .dockerignore", path=path
    )


_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except ValueError:  # a NUL in the name
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise _denied(path, error) from error


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _on_disk(context: Context, path: str) -> str:
    return f"{context.root}/{path}" if path else str(context.root)


@dataclass(frozen=True, slots=True)
class _Found:
    """A path without links on the way, and what is there. ``state``: of the ignore rules."""

    path: str
    stat: os.stat_result
    ignored: bool
    state: int


def _follow(context: Context, path: str, last: bool = True) -> _Found | None:
    """Where a path leads inside the context; None when to nothing in it. ``last``: follow a link at the end too.

    Raises ContextError where links run in a circle.
    """
    todo = path.split("/")[::-1]
    done = ""
    links = 0
    here = _lstat(_on_disk(context, ""))
    ignored, state = False, 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if here is None or not stat.S_ISDIR(here.st_mode):
            return None
        if part == "..":
            done = dirname(done)
            here = _lstat(_on_disk(context, done))
            ignored, state = context.ignore.state(done)
            continue
        candidate = _join(done, part)
        here = _lstat(_on_disk(context, candidate))
        if here is None:
            return None
        is_last = not any(step not in ("", ".") for step in todo)
        if not stat.S_ISLNK(here.st_mode) or (is_last and not last):
            done = candidate
            ignored, state = context.ignore.step(candidate, state)
            continue
        if context.ignore.step(candidate, state)[0]:
            return None
        links += 1
        if links > _LINK_LIMIT:
            raise ContextError("its links lead in a circle", "fix the link", path=_on_disk(context, path))
        try:
            to = str(Path(_on_disk(context, candidate)).readlink())
        except OSError as error:
            raise _denied(_on_disk(context, candidate), error) from error
        if to.startswith("/"):
            done = ""
        todo += to.split("/")[::-1]
        here = _lstat(_on_disk(context, done))
        ignored, state = context.ignore.state(done)
    return None if here is None else _Found(done, here, ignored, state)


# --- walking -------------------------------------------------------------------------------------------------


class _Visit:
    """An entry met on a walk. Whoever gets a directory may set ``descend`` to False."""

    __slots__ = ("descend", "entry", "is_directory", "path")

    def __init__(self, path: str, entry: os.DirEntry[str], is_directory: bool) -> None:
        self.path = path
        self.entry = entry
        self.is_directory = is_directory
        self.descend = True


def _entries(context: Context, directory: str, tolerant: bool, ordered: bool) -> list[os.DirEntry[str]]:
    path = _on_disk(context, directory)
    try:
        with os.scandir(path) as found:
            entries = list(found)
    except OSError as error:
        if error.errno in _ABSENT:  # gone since it was listed
            return []
        if tolerant and isinstance(error, PermissionError):
            return []
        raise _denied(path, error) from error
    if ordered:
        entries.sort(key=lambda entry: entry.name)
    return entries


def _walk(context: Context, top: str, state: int, ordered: bool = True) -> Iterator[_Visit]:
    """Everything below `top` that is not ignored, directories before what they hold.

    An ignored directory comes along when something below it was taken back by a ``!`` rule, as in the context that
    Docker sends. Sockets, pipes and devices do not.
    """
    ignore = context.ignore
    has_rules = bool(ignore)
    step = ignore.step
    # a level: (entries left, the rules' state, the ignored directory waiting for a reason to be handed out)
    stack: list[tuple[Iterator[os.DirEntry[str]], str, int, _Visit | None]] = [
        (iter(_entries(context, top, False, ordered)), f"{top}/" if top else "", state, None)
    ]
    waiting = 0  # levels whose directory has not been handed out
    while stack:
        entries, prefix, level_state, _ = stack[-1]
        entry = next(entries, None)
        if entry is None:
            if stack.pop()[3] is not None:
                waiting -= 1
            continue
        path = prefix + entry.name
        ignored, entry_state = step(path, level_state) if has_rules else (False, 0)
        is_directory = entry.is_dir(follow_symlinks=False)
        if ignored:
            if is_directory and ignore.may_take_back_below(path):
                below = _entries(context, path, True, ordered)
                stack.append((iter(below), path + "/", entry_state, _Visit(path, entry, True)))
                waiting += 1
            continue
        if not is_directory and not entry.is_symlink() and not entry.is_file(follow_symlinks=False):
            continue
        if waiting:
            # hand out the directories above, unless someone no longer wants what is in one of them
            wanted = True
            for level, (some_entries, some_prefix, some_state, visit) in enumerate(stack):
                if visit is None:
                    continue
                yield visit
                stack[level] = (some_entries, some_prefix, some_state, None)
                waiting -= 1
                if not visit.descend:
                    waiting -= sum(below[3] is not None for below in stack[level + 1 :])
                    del stack[level:]
                    wanted = False
                    break
            if not wanted:
                continue
        visit = _Visit(path, entry, is_directory)
        yield visit
        if is_directory and visit.descend:
            stack.append((iter(_entries(context, path, False, ordered)), path + "/", entry_state, None))


def _is_sent(context: Context, found: _Found) -> bool:
    """Whether a path is in the context that Docker sends."""
    if not found.path or not found.ignored:
        return True
    if not stat.S_ISDIR(found.stat.st_mode) or not context.ignore.may_take_back_below(found.path):
        return False
    return next(_walk(context, found.path, found.state, ordered=False), None) is not None


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent to a builder: a file, directory or link. ``name``: slash form, relative to the context's root."""

    name: str
    path: Path
    stat: os.stat_result


def sent(context: Context) -> Iterator[Sent]:
    """All that is not ignored, in order of names, directories before what they hold. ContextError."""
    for visit in _walk(context, "", 0):
        yield Sent(visit.path, Path(visit.entry.path), _stat(visit.entry))


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of the files below some directories, and of files by themselves. ``complete`` is False where the walk
    was cut short: then it is at least so much.
    """

    bytes: int
    complete: bool


def measure(
    context: Context,
    part_of: Callable[[str], str | None],
    *,
    most_entries: int,
    most_entries_a_part: int,
    most_seconds: float,
) -> tuple[dict[str, Measured], bool]:
    """How much of what is not ignored lies in each part, ``part_of`` naming the part of a path; None counts nowhere.

    A part with many entries is not looked at to its end, so that it hides no other. The second value is False when
    the walk as a whole stopped early.
    """
    sizes: dict[str, int] = {}
    entries: dict[str, int] = {}
    cut: set[str] = set()
    stop = time.monotonic() + most_seconds
    complete = True
    try:
        for number, visit in enumerate(_walk(context, "", 0, ordered=False)):
            if number >= most_entries or (number % 256 == 255 and time.monotonic() > stop):
                complete = False
                break
            part = part_of(visit.path)
            if part is None:
                continue
            entries[part] = entries.get(part, 0) + 1
            if visit.is_directory:
                if entries[part] > most_entries_a_part:
                    visit.descend = False
                    cut.add(part)
            elif not visit.entry.is_symlink():
                sizes[part] = sizes.get(part, 0) + _stat(visit.entry).st_size
    except ContextError:
        complete = False
    return {part: Measured(size, complete and part not in cut) for part, size in sizes.items()}, complete


def _stat(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        raise _denied(entry.path, error) from error


# --- opening ---------------------------------------------------------------------------------------------------


def open_context(root: Path, dockerfile: Path) -> Context:
    """The context at `root` for a Dockerfile; ``context.ignore.file`` tells which ignore file rules.

    ``<Dockerfile>.dockerignore`` beside the Dockerfile wins over the context's ``.dockerignore``, even when it is
    empty (BuildKit; the classic builder knows only the second). ContextError when `root` is no directory that can
    be read, or for an ignore file that Docker refuses.
    """
    try:
        there = root.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise _denied(str(root), error) from error
        raise ContextError(
            "no such directory", "name the build context with --context", path=str(root)
        ) from error
    if not stat.S_ISDIR(there.st_mode):
        raise ContextError("a build context must be a directory", "name one with --context", path=str(root))
    beside = dockerfile.with_name(dockerfile.name + ".dockerignore") if dockerfile.name else None
    rules = None
    if beside is not None:
        rules = _read_ignore_file(Context(dockerfile.parent), beside.name, _relative(beside, root))
    if rules is None:
        rules = _read_ignore_file(Context(root), ".dockerignore", ".dockerignore")
    return Context(root, dockerfile, IgnoreRules() if rules is None else rules)


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _read_ignore_file(folder: Context, name: str, shown: str) -> IgnoreRules | None:
    """None when it is no file: Docker takes a directory, a broken link or one that leads out for no rules."""
    found = _follow(folder, name)
    if found is None or not stat.S_ISREG(found.stat.st_mode):
        return None
    path = _on_disk(folder, found.path)
    try:
        data = read_file(path, _IGNORE_FILE_LIMIT + 1)
    except OSError as error:
        raise _denied(path, error) from error
    if len(data) > _IGNORE_FILE_LIMIT:
        raise ContextError("larger than 4 MiB", "an ignore file is a short list of patterns", path=path)
    return read_ignore_file(data, shown, path)


# --- what a COPY takes -----------------------------------------------------------------------------------------


def names_directory(destination: str) -> bool:
    """Whether a COPY destination as written is a directory, whatever the image holds: ``/app/``, ``.``, ``a/..``."""
    return destination == "" or destination.rpartition("/")[2] in ("", ".", "..")


def resolve(
    context: Context,
    sources: Sequence[str],
    excludes: Sequence[str] = (),
    parents: bool = False,
    *,
    destination: str = "./",
) -> tuple[Copied, ...]:
    """What ``COPY [--exclude …] [--parents] sources… destination`` makes, in the order it is made.

    `sources` are local paths with variables expanded. Of `destination` only its form counts (`names_directory`);
    one that is a directory in the image already must be given with a slash. A source that is not in the context
    adds nothing: the builder fails for it unless it is a glob. Where two sources make the same target, the last
    one stays.

    Raises ContextError for a link that leads to nothing in the context, for what cannot be read, and for a
    malformed pattern.
    """
    try:
        exclude = IgnoreRules(rules_from(excludes))
    except BadPattern as error:
        raise ContextError(f"COPY --exclude: {error}", "Docker refuses this pattern") from error
    into = len(sources) > 1 or names_directory(destination)
    made: dict[str, Copied] = {}
    for source in sources:
        for item in (
            _with_parents(context, source, exclude) if parents else _plain(context, source, exclude, into)
        ):
            before = made.pop(item.target, item)
            if before.is_directory != item.is_directory:
                raise ContextError(
                    f"COPY would make {item.target or destination} both a file and a directory",
                    "copy one of them elsewhere",
                    path=str(item.path),
                )
            made[item.target] = item
    return tuple(made.values())


def _anchored(path: str) -> str:
    """A source relative to the root: ``../x`` and ``/x`` are ``x``, a slash at the end means nothing."""
    return normpath("/" + path.lstrip("/"))[1:]


@dataclass(frozen=True, slots=True)
class _Match:
    """What a source names: ``name`` as it will be called, and where the bytes lie."""

    name: str
    found: _Found


def _matches(context: Context, source: str) -> list[_Match]:
    path = _anchored(source)
    parts = path.split("/")
    literal = next((at for at, part in enumerate(parts) if has_wildcard(part)), len(parts))
    if literal == len(parts):
        named = [path]
    else:
        for part in parts[literal:]:
            _glob_match(part, "", source)
        named = list(_glob_paths(context, "/".join(parts[:literal]), parts[literal:], source))
    matches = []
    for name in named:
        found = _follow(context, name)
        if found is not None and _is_sent(context, found):
            matches.append(_Match(basename(name), found))
        else:
            link = _follow(context, name, last=False)
            if link is not None and stat.S_ISLNK(link.stat.st_mode) and not link.ignored:
                raise ContextError(
                    "a link to what is not in the build context",
                    "copy what it points to, or list the link in .dockerignore",
                    path=_on_disk(context, name),
                )
    return matches


def _glob_match(pattern: str, name: str, source: str) -> bool:
    try:
        return glob_match(pattern, name)
    except BadPattern as error:
        raise ContextError(f"COPY {source}: {error}", "close the [ or put a \\ before it") from error


def _glob_paths(context: Context, top: str, parts: Sequence[str], source: str) -> Iterator[str]:
    """Paths below `top` that match component by component, in order. Only `top` itself is reached through links."""
    start = _follow(context, top)
    if start is None or not stat.S_ISDIR(start.stat.st_mode):
        return
    ignore = context.ignore
    todo = [(start.path, start.state, 0)]
    while todo:
        directory, state, depth = todo.pop()
        part = parts[depth]
        is_last = depth + 1 == len(parts)
        found: list[tuple[str, int, int]] = []
        for entry in _entries(context, directory, tolerant=False, ordered=True):
            if not _glob_match(part, entry.name, source):
                continue
            path = _join(directory, entry.name)
            ignored, entry_state = ignore.step(path, state)
            is_directory = entry.is_dir(follow_symlinks=False)
            if ignored and not (is_directory and ignore.may_take_back_below(path)):
                continue
            if is_last:
                yield path
            elif is_directory:
                found.append((path, entry_state, depth + 1))
        todo += reversed(found)


def _copied(context: Context, path: str, target: str, there: os.stat_result) -> Copied:
    on_disk = _on_disk(context, path)
    is_file = stat.S_ISREG(there.st_mode)
    if is_file and not os.access(on_disk, os.R_OK, effective_ids=_EFFECTIVE):
        raise _denied(on_disk, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return Copied(
        source=path,
        target=target,
        path=Path(on_disk),
        bytes=there.st_size if is_file else 0,
        is_directory=stat.S_ISDIR(there.st_mode),
        is_link=stat.S_ISLNK(there.st_mode),
        mode=stat.S_IMODE(there.st_mode),
    )


def _plain(context: Context, source: str, exclude: IgnoreRules, into: bool) -> Iterator[Copied]:
    for match in _matches(context, source):
        found = match.found
        if stat.S_ISDIR(found.stat.st_mode):
            yield from _tree(context, found, exclude, lambda directory: True)
            into = True  # the destination is a directory now
        elif stat.S_ISREG(found.stat.st_mode):
            # --exclude does not hold for a source that is itself a file
            yield _copied(context, found.path, match.name if into else "", found.stat)


def _with_parents(context: Context, source: str, exclude: IgnoreRules) -> Iterator[Copied]:
    """``COPY --parents``: the path is kept, from the pivot ``/./`` on when there is one; ``**`` crosses folders."""
    base, pivot, pattern = source.partition("/./")
    if not pivot:
        base, pattern = "", source
    pattern = _anchored(pattern)
    if not pattern:
        return
    parts = pattern.split("/")
    if not any(has_wildcard(part) for part in [*parts, *base.split("/")]):
        wanted = _anchored(f"{base}/{pattern}")
        found = _follow(context, wanted, last=False)
        if found is None or found.path != wanted:  # links on the way are not followed here
            return
    try:
        include = IgnoreRules(rules_from([pattern]))
    except BadPattern as error:
        raise ContextError(f"COPY --parents {source}: {error}", "Docker refuses this pattern") from error
    literal = parts[
        : next((at for at, part in enumerate(parts) if any(c in "*[]?^\\" for c in part)), len(parts))
    ]
    deepest = None if "**" in pattern or "[" in pattern else len(parts)

    def leads_to_matches(directory: str) -> bool:
        steps = directory.split("/")
        return steps[: len(literal)] == literal[: len(steps)] and (deepest is None or len(steps) < deepest)

    for match in _matches(context, base):
        if stat.S_ISDIR(match.found.stat.st_mode):
            tree = list(_tree(context, match.found, exclude, leads_to_matches, include))
            yield from tree if len(tree) > 1 else ()
        elif stat.S_ISREG(match.found.stat.st_mode):
            yield _copied(context, match.found.path, match.name, match.found.stat)


@dataclass(slots=True)
class _Level:
    """A directory on the way down while `_tree` walks."""

    prefix: str
    included: int
    excluded: int
    visit: _Visit
    made: bool


def _tree(
    context: Context,
    top: _Found,
    exclude: IgnoreRules,
    enter: Callable[[str], bool],
    include: IgnoreRules | None = None,
) -> Iterator[Copied]:
    """A directory and what is in it, targets relative to it. ``enter``: whether a directory that no include rule
    matches is worth a look."""
    yield _copied(context, top.path, "", top.stat)
    cut = len(top.path) + 1 if top.path else 0
    above: list[_Level] = []
    for visit in _walk(context, top.path, top.state):
        while above and not visit.path.startswith(above[-1].prefix):
            above.pop()
        path = visit.path[cut:]
        excluded, exclude_state = exclude.step(path, above[-1].excluded if above else 0)
        included, include_state = True, 0
        if include is not None:
            included, include_state = include.step(path, above[-1].included if above else 0)
        wanted = included and not excluded
        if wanted:
            for level in above:
                if not level.made:
                    level.made = True
                    yield _copied(context, level.visit.path, level.visit.path[cut:], _stat(level.visit.entry))
            yield _copied(context, visit.path, path, _stat(visit.entry))
        if not visit.is_directory:
            continue
        if (excluded and not exclude.may_take_back_below(path)) or not (included or enter(path)):
            visit.descend = False
        else:
            above.append(_Level(visit.path + "/", include_state, exclude_state, visit, wanted))


# --- what ADD unpacks ------------------------------------------------------------------------------------------

_TAR_BLOCK = 512  # bytes
_COMPRESSED_START = 1024 * 1024  # bytes: a bzip2 block may need 900 kB before it gives anything
_XZ_MEMORY = 128 * 1024 * 1024  # bytes


def unpacked_by_add(path: Path) -> bool | None:
    """Whether ADD unpacks this file instead of copying it: a tar, plain or compressed, whatever it is called.

    A jar or zip is copied. None for Zstandard, which Docker unpacks when it holds a tar and nothing here can read.
    Raises ContextError when the file cannot be read.
    """
    try:
        with open_file(path) as file:
            data = file.read(_TAR_BLOCK)
            if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")):
                data = _decompressed(data + file.read(_COMPRESSED_START))
    except OSError as error:
        raise _denied(str(path), error) from error
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return None
    return _is_tar_header(data)


def _decompressed(data: bytes) -> bytes:
    """The first block of a gzip, bzip2 or xz file; nothing when it is broken."""
    import bz2
    import lzma
    import zlib

    try:
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(data, _TAR_BLOCK)
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, _TAR_BLOCK)
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY).decompress(data, _TAR_BLOCK)
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return b""


def _is_tar_header(data: bytes) -> bool:
    if len(data) < _TAR_BLOCK or not any(data):
        return False
    # the checksum counts its own eight bytes as blanks
    total = sum(data[:148]) + 8 * ord(" ") + sum(data[156:_TAR_BLOCK])
    try:
        return int(data[148:156].strip(b" \0"), 8) == total
    except ValueError:
        return False


# --- finding the context ---------------------------------------------------------------------------------------


def find_context(dockerfile: Path, sources: Sequence[str]) -> Path:
    """The directory a Dockerfile is meant to be built in: its own, or the nearest parent where its sources are.

    A source may be missing for want of a build; it counts as found where its module is (``app/target/a.jar``:
    where ``app`` has a build file), but a directory that has everything goes before. Sources with a variable left
    in them say nothing. The search ends at a directory with ``.git``; the file system's root is never taken.
    Where nothing fits: the Dockerfile's directory. A relative path comes back for a relative path.
    """
    own = dockerfile.parent
    telling = [
        source for source in sources if _TEMPLATE_MARK not in source and _anchored(source) not in ("", "*")
    ]
    if not telling:
        return own
    candidates = _upwards(own)
    for fits in (is_there, _may_be_built):
        for candidate in candidates:
            if all(fits(Context(candidate), source) for source in telling):
                return candidate
    return own


def _upwards(directory: Path) -> list[Path]:
    absolute = directory.resolve()
    found = []
    for step in (absolute, *absolute.parents):
        if step == Path(step.anchor) and step != absolute:
            break
        found.append(directory if step == absolute else step)
        if os.path.lexists(step / ".git"):
            break
    if directory.is_absolute():
        return found
    return [found[0], *(Path(os.path.relpath(step)) for step in found[1:])]


def is_there(context: Context, source: str) -> bool:
    """Whether a COPY's source, which may be a pattern, names something that is sent to the builder."""
    try:
        return bool(_matches(context, source))
    except ContextError:
        return False


def _may_be_built(context: Context, source: str) -> bool:
    if is_there(context, source):
        return True
    parts = _anchored(source).split("/")
    at = next((at for at, part in enumerate(parts) if part in _BUILD_OUTPUT), None)
    if at is None:
        return False
    module = "/".join(parts[:at])
    return any(is_there(context, _join(module, file)) for file in _BUILD_FILES)
