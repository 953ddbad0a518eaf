"""Files of the final image that only developers read: sources, documentation, tests, debug symbols, headers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from imgopt.dockerfile import Edit, writing
from imgopt.files.opening import open_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.os_packages import commands as packages
from imgopt.picture.class_paths import class_path_is_open
from imgopt.picture.runs import Run, runs_of, script_called
from imgopt.scales import Applicability
from imgopt.text.quoting import Unwritable

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.picture import Picture
    from imgopt.picture.contents import File, Layer

#: An archive that unpacks to more than this is no JDK.
MOST_BYTES = 4 << 30
MOST_ENTRIES = 200_000
#: What Maven and Gradle make for readers, and what they leave beside the jar that runs.
_FOR_READERS = regex(r".+-(?:sources|javadoc|test-sources)\.jar|.+\.[jw]ar\.original")
_TESTS = regex(r".+-(?:tests|test-fixtures)\.jar")
_PLAIN = regex(r"(.+)-plain\.[jw]ar")
#: Parts of a JDK that are for reading: below its root.
_JDK_PARTS = regex(r"(?:lib/)?(?:javafx-)?src\.zip|(?:demo|sample|man|docs)/.*")
_JDK_ARCHIVE = regex(
    r"(?:jdk|openjdk|server-jre|zulu|bellsoft|amazon-corretto|graalvm|ibm-semeru).*\.(?:tar\.\w+|tgz)",
    re.IGNORECASE,
)

_FOR_READING = regex(
    r"(?:.+-(?:docs?|manual|javadoc|dbg|dbgsym|debuginfo|debugsource|source|demo)|man-db|manpages(?:-.+)?|man-pages|mandoc)"
)
_HEADERS = regex(r".+-(?:dev|devel)")
#: A library loaded by the name that only its -dev package has.
_BARE_NAMES = regex(r"LD_PRELOAD|LD_LIBRARY_PATH|\blib\w+\.so(?![.\w])")
#: Programs that compile, or may while they install.
_COMPILES = frozenset(
    "gcc g++ cc c++ clang make cmake ninja meson configure pip pip3 npm yarn pnpm node-gyp gem cargo go python setup.py "
    "mvn mvnw gradle gradlew ant native-image rustc ld dpkg-buildpackage".split()
)


@dataclass(frozen=True)
class DeveloperFiles:
    """What one instruction brings: ``files`` of the context, or ``bytes`` where there are none, None where nobody knows;
    ``source`` says where the figure is from. ``leaves_out`` are the paths that the edits leave out."""

    instruction: Instruction
    what: str
    bytes: int | None
    basis: Literal["measured", "catalogue", "unknown"]
    source: str
    description: str
    applicability: Applicability = Applicability.MANUAL
    edits: tuple[Edit, ...] = ()
    leaves_out: frozenset[str] = frozenset()
    files: tuple[File, ...] = ()


def developer_files(picture: Picture) -> Iterator[DeveloperFiles]:
    for layer in picture.layers:
        if layer.instruction.keyword in ("COPY", "ADD"):
            yield from _side_jars(picture, layer)
            yield from _jdk_parts(picture, layer)
    yield from _packages(picture)


# jars


def _side_jars(picture: Picture, layer: Layer) -> Iterator[DeveloperFiles]:
    files = [file for file in layer.files if file.origin is not None]
    names = {_name(file) for file in files}
    used = _used_names(picture)
    side = [
        file
        for file in files
        if (_FOR_READERS.fullmatch(_name(file)) or (used is not None and _is_leftover(_name(file), names)))
        and _name(file) not in (used or ())
    ]
    if not side:
        return
    shown = sorted({_name(file) for file in side})
    edits = _by_name(picture, layer, side)
    description = (
        f"list {', '.join(f'`{pattern}`' for pattern in sorted(set(map(_pattern, shown))))} in .dockerignore, or copy "
        "the application's jar by a pattern that only it matches"
    )
    if edits:
        description = f"copy {next(_name(file) for file in files if file not in side)} alone"
    yield DeveloperFiles(
        layer.instruction,
        ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else ""),
        sum(file.bytes or 0 for file in side),
        "measured",
        "the files in the context",
        description,
        Applicability.SAFE if edits else Applicability.MANUAL,
        edits,
        frozenset(file.path for file in side) if edits else frozenset(),
        tuple(side),
    )


def _used_names(picture: Picture) -> set[str] | None:
    """The jars that start commands and their manifests name, or None when there may be a class path beside them."""
    names: set[str] = set()
    for call in picture.calls:
        if call.jar is None or call.class_path is not None:
            return None
        names.add(posixpath.basename(call.jar))
    if not names or class_path_is_open(picture):
        return None
    for jar in picture.application_jars:
        names.update(posixpath.basename(entry) for entry in jar.class_path)
    return names


def _name(file: File) -> str:
    return file.origin.name if file.origin is not None else posixpath.basename(file.path)


def _is_leftover(name: str, names: set[str]) -> bool:
    """A jar with classes that the build leaves beside the one that runs."""
    plain = _PLAIN.fullmatch(name)
    if plain:
        return any(
            other.startswith(plain[1]) and other != name and not _FOR_READERS.fullmatch(other)
            for other in names
        )
    if name.startswith("original-"):
        return name.removeprefix("original-") in names
    return _TESTS.fullmatch(name) is not None


def _pattern(name: str) -> str:
    for ending in (
        "-sources.jar",
        "-javadoc.jar",
        "-tests.jar",
        "-test-sources.jar",
        "-test-fixtures.jar",
        "-plain.jar",
        "-plain.war",
        ".original",
    ):
        if name.endswith(ending):
            return f"**/*{ending}"
    return "**/original-*.jar"


def _by_name(picture: Picture, layer: Layer, side: Sequence[File]) -> tuple[Edit, ...]:
    """The edit that copies the application's jar alone, where the start command names it anyway."""
    instruction, words = layer.instruction, layer.instruction.words
    rest = [file for file in layer.files if file not in side]
    if len(rest) != 1 or len(words) != 2 or instruction.flag("from") or not layer.complete:
        return ()
    jar = rest[0]
    source, target = words[0].text.strip("\"'"), words[1].text.strip("\"'")
    directory, _, pattern = source.rpartition("/")
    if not re.search(r"[*?\[]", pattern) or re.search(r"[^\w./-]", directory) or "$" in pattern:
        return ()
    if not (target.endswith("/") or target in (".", "..")) or _name(jar) != posixpath.basename(jar.path):
        return ()
    started = {picture.at_start(call.jar) for call in picture.calls if call.jar is not None}
    if _used_names(picture) is None or started != {jar.path} or jar.origin is None:
        return ()
    if picture.jars(jar.origin) is None or picture.used_elsewhere(picture.stages[layer.stage]):
        return ()
    names = {_name(file) for file in side}
    for later in picture.document.instructions[instruction.number + 1 :]:
        text = later.text + "".join(heredoc.body for heredoc in later.heredocs)
        if later.flag("from") is not None and later.keyword in ("COPY", "ADD"):
            return ()
        if any(name in text for name in names) or re.search(r"[*?]\S*\.jar|/\*", text):
            return ()
    if any(name in text for _, text in picture.start_scripts for name in names):
        return ()
    try:
        path = writing.source(posixpath.join(directory, _name(jar)))
    except Unwritable:
        return ()
    if instruction.json is None and " " in path:
        return ()
    return (Edit(words[0].span, path if instruction.json is None else writing.json_word(path)),)


# parts of a JDK


def _jdk_parts(picture: Picture, layer: Layer) -> Iterator[DeveloperFiles]:
    paths = {file.path: file for file in layer.files if file.origin is not None}
    roots = {path.removesuffix("/bin/javac") for path in paths if path.endswith("/bin/javac")}
    for root in sorted(roots):
        parts = [file for path, file in paths.items() if _is_part(path, root)]
        if parts:
            names = {file.path[len(root) + 1 :] for file in parts}
            size = sum(file.bytes or 0 for file in parts)
            yield replace(_of_jdk(layer.instruction, names, size), files=tuple(parts))
    if layer.instruction.keyword == "ADD" and not layer.complete and picture.context is not None:
        for archive in _jdk_archives(picture, layer.instruction):
            inside, packed = _parts_in(archive)
            if inside:
                yield _of_jdk(layer.instruction, inside, packed)


def _is_part(path: str, root: str) -> bool:
    return path.startswith(root + "/") and _JDK_PARTS.fullmatch(path[len(root) + 1 :]) is not None


def _of_jdk(instruction: Instruction, names: Iterable[str], size: int | None) -> DeveloperFiles:
    tops = sorted({name if name.endswith(".zip") else name.partition("/")[0] + "/" for name in names})
    return DeveloperFiles(
        instruction,
        f"the JDK's {', '.join(tops)}",
        size,
        "measured",
        "the files in the context",
        "unpack the JDK in its own stage and copy it without them, or start from an image that has a JRE",
    )


def _jdk_archives(picture: Picture, instruction: Instruction) -> Iterator[Path]:
    from imgopt.build_context.tree import resolve, unpacked_by_add
    from imgopt.errors import ContextError

    assert picture.context is not None
    for word in instruction.words[:-1]:
        source = picture.expand(instruction, word.text) if instruction.json is None else word.text
        if not source or "://" in source or not _JDK_ARCHIVE.search(posixpath.basename(source)):
            continue
        try:
            for copied in resolve(picture.context, [source]):
                if not copied.is_directory and unpacked_by_add(copied.path):
                    yield copied.path
        except ContextError:
            continue


def _parts_in(archive: Path) -> tuple[frozenset[str], int | None]:
    """The parts for reading in a JDK's archive, and the bytes they come to in a layer."""
    try:
        state = archive.stat()
    except OSError:
        return frozenset(), None
    return _read_parts(str(archive), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_parts(archive: str, size: int, changed: int) -> tuple[frozenset[str], int | None]:
    import lzma
    import zlib

    from imgopt.compressing import compressed, header
    from imgopt.errors import InputError
    from imgopt.files.tar import TarStream

    names: set[str] = set()

    def chunks() -> Iterator[bytes]:
        with open_file(archive) as file, _plain(file) as plain:
            tar = TarStream(plain, archive, most_bytes=MOST_BYTES, most_entries=MOST_ENTRIES)
            for entry in tar:
                inner = entry.path.strip("/").partition("/")[2]
                if entry.kind == "file" and _JDK_PARTS.fullmatch(inner):
                    names.add(inner)
                    yield header(entry.path.strip("/"), entry.stored_bytes)
                    yield from tar.chunks()

    try:
        weight = compressed(chunks(), "jar")
    except (OSError, EOFError, InputError, zlib.error, lzma.LZMAError):
        return frozenset(), None
    return frozenset(names), weight


def _plain(file: BinaryIO) -> BinaryIO:
    """The tar in an archive, packed by what its first bytes say."""
    import bz2
    import gzip
    import lzma

    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(file))
    if start.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return cast(BinaryIO, lzma.LZMAFile(file))
    return file


# packages


def _packages(picture: Picture) -> Iterator[DeveloperFiles]:
    runs = runs_of(picture.final)
    if not runs:
        return
    from imgopt.os_packages.apt_figures import REFERENCE, packages_of

    base = picture.base
    own = packages_of(base.os_version) if base.os == "debian" else None
    figures = own or packages_of(REFERENCE)
    assert figures is not None
    needed = any(_compiles(run) for run in runs) or _BARE_NAMES.search(picture.document.text) is not None
    for run in runs:
        calls = [call for call in map(packages.read, run.commands) if call is not None]
        removed = {name for call in calls if call.action == "remove" for name in call.names}
        installed = [
            (call.manager, re.split(r"[=:/]", name)[0])
            for call in calls
            if call.action == "install" and not removed.intersection(call.options)  # `apk add -t .build`
            for name in call.names
            if name is not None and name not in removed
        ]
        named: list[str] = []
        sizes: list[int] = []
        for manager, name in dict.fromkeys(installed):
            size = figures.bytes.get(name) if manager == "apt" else None
            headers = _HEADERS.fullmatch(name) is not None
            # headers of an unknown size are not worth a word
            if _FOR_READING.fullmatch(name) or (headers and not needed and size is not None):
                named.append(name)
                sizes += [size] if size is not None else []
        if not named:
            continue
        advice = "leave them out of the install"
        if any(_HEADERS.fullmatch(name) for name in named):
            advice = (
                "install the library's own package instead (libfoo1 for libfoo-dev), unless the application loads it "
                "by its bare name (libfoo.so)"
            )
        yield DeveloperFiles(
            run.instruction,
            ", ".join(named),
            sum(sizes) if len(sizes) == len(named) else None,
            "catalogue" if own is not None and picture.platform == "linux/amd64" else "unknown",
            f"as Debian {figures.version} packages",
            advice,
        )


def _compiles(run: Run) -> bool:
    if run.script.broken:
        return True
    for command in run.commands:
        name = command.program or ""
        called = script_called(run, command)
        if (
            name in _COMPILES
            or re.match(r"python\d|pip\d", name)
            or (called is not None and called[1] is None)
        ):
            return True
    return False
