"""What of the build context no image needs: version control, caches of tools, build output, logs.

Two questions: what a COPY of a whole directory brings into the final image for nothing, and what is sent to the
builder for nothing.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.build_context.patterns import written
from imgopt.dockerfile import Instruction, writing
from imgopt.errors import ContextError
from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture import Picture, StagePicture, once
from imgopt.picture.builds import build_command, builds
from imgopt.picture.contents import File
from imgopt.picture.paths import normal
from imgopt.text.quoting import Unwritable

if TYPE_CHECKING:
    from imgopt.build_context.tree import Context, Measured
    from imgopt.picture.contents import Layer

#: Directories that serve the people and tools around a project, wherever they lie.
_AROUND = frozenset(
    {
        ".git",
        ".github",
        ".gradle",
        ".hg",
        ".idea",
        ".m2",
        ".mvn",
        ".nyc_output",
        ".settings",
        ".svn",
        ".terraform",
        ".venv",
        ".vscode",
        "__pycache__",
        "bower_components",
        "node_modules",
    }
)
#: Directories that a build or a run fills.
_OUTPUT = frozenset({"target", "build", "out", "dist", "logs", "log"})
_BUILD_FILES = ("pom.xml", "build.gradle", "build.gradle.kts", "build.sbt")
_LOG = regex(r"\.(log|hprof|dmp|dump)(\.\d+)?(\.gz)?$|^hs_err_pid\d+")
#: Small files around a build: not worth naming one by one.
_FILES = regex(
    r"^(pom\.xml|build\.gradle(\.kts)?|settings\.gradle(\.kts)?|gradlew(\.bat)?|mvnw(\.cmd)?|Dockerfile.*|\.docker.*|"
    r"docker-compose.*|\.git(ignore|attributes)|\.gitlab-ci\.yml|\.travis\.yml|Jenkinsfile|README.*|LICENSE.*|.*\.md|.*\.iml)$"
)

#: Entries of the context that are looked at, in all and in one part: what a large project has without its caches.
MOST_ENTRIES = 20_000
MOST_ENTRIES_A_PART = 4_000
#: Seconds that the look may take.
MOST_SECONDS = 0.15


#: Patterns that are proposed for the ignore file.
MOST_LINES = 8

#: Looks that were taken: the rounds of a rewrite share one, and all Dockerfiles that are built in one directory.
_LOOKS: dict[tuple[Path, str | None], tuple[dict[str, Measured], bool]] = {}


@dataclass(frozen=True)
class Part:
    """A directory or file of the context. ``complete`` is False when it holds more than was counted."""

    path: str
    bytes: int
    complete: bool = True


# what a COPY of a whole directory brings into the image


@dataclass(frozen=True)
class WholeCopy:
    """A COPY of the final image that brings a project's directory. ``files`` are those that nothing there runs."""

    instruction: Instruction
    total_bytes: int
    parts: tuple[Part, ...]
    files: tuple[File, ...]
    needed: str | None  # the COPY line that the started jar needs


@once
def whole_copies(picture: Picture) -> tuple[WholeCopy, ...]:
    """Silent where a RUN of the stage builds, or the start command: then the directory is what is built."""
    if not (picture.calls or picture.base.kind in ("jdk", "jre", "build")):
        return ()
    if build_command(picture) is not None or any(builds(text) for _, text in picture.start_texts):
        return ()
    found = (_whole_copy(picture, layer) for layer in picture.layers)
    return tuple(copy for copy in found if copy is not None)


def _whole_copy(picture: Picture, layer: Layer) -> WholeCopy | None:
    instruction = layer.instruction
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") is not None:
        return None
    place = picture.target_of(instruction)
    if place is None or not layer.files:
        return None
    inside = {
        file.path[len(place.rstrip("/")) + 1 :]: file
        for file in layer.files
        if file.path.startswith(place.rstrip("/") + "/")
    }
    modules = {posixpath.dirname(path) for path in inside if posixpath.basename(path) in _BUILD_FILES}
    patterns = [picture.at_start(call.jar) for call in picture.calls if call.jar]
    started = {
        file.path for file in inside.values() if any(fnmatchcase(file.path, each) for each in patterns)
    }
    texts = [text for _, text in (*picture.start_texts, *picture.start_scripts)]
    sizes: dict[str, int] = {}
    files: list[File] = []
    for path, file in inside.items():
        part = _idle_part(path, modules, built=bool(started))
        still_there = picture.final.content.files.get(file.path) is not None
        if (
            part is None
            or file.path in started
            or not still_there
            or any(_names(text, part) for text in texts)
        ):
            continue
        sizes[part] = sizes.get(part, 0) + (file.bytes or 0)
        files.append(file)
    if not any(part in _AROUND or "/" in part or part == "src" for part in sizes):
        return None
    return WholeCopy(
        instruction,
        sum(file.bytes or 0 for file in layer.files),
        _largest(Part(part, size) for part, size in sizes.items()),
        tuple(files),
        _needed(picture, instruction, inside, started),
    )


def _names(text: str, part: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(part)}(?![\w-])", text) is not None


def _idle_part(path: str, modules: set[str], *, built: bool) -> str | None:
    """The part of a project that a path belongs to, when no application runs from it: ``.git``, ``src``, and where the
    application is known to be a jar, ``target/classes``."""
    part = around(path)
    if part is not None:
        return part
    steps = path.split("/")
    for at, step in enumerate(steps[:-1]):
        module = "/".join(steps[:at])
        if module not in modules:
            continue
        if step == "src":
            return "/".join(steps[: at + 1])
        if step in _OUTPUT:
            return "/".join(steps[: at + 2]) if built else None
    return "build files" if posixpath.dirname(path) in modules and _FILES.match(steps[-1]) else None


def around(path: str) -> str | None:
    """The directory or file around a project that a path of the context belongs to."""
    steps = path.split("/")
    for at, step in enumerate(steps[:-1]):
        if step in _AROUND:
            return "/".join(steps[: at + 1])
    return path if _LOG.search(steps[-1]) else None


def _needed(
    picture: Picture, instruction: Instruction, inside: dict[str, File], started: set[str]
) -> str | None:
    jars = [(path, file.path) for path, file in inside.items() if file.path in started]
    source = picture.expand(instruction, instruction.words[0].text) if len(instruction.words) == 2 else None
    if len(jars) != 1 or source is None:
        return None
    path = normal("/" + source + "/" + jars[0][0]).lstrip("/")
    try:
        return writing.copy("COPY", (), (writing.source(path), writing.word(jars[0][1])))
    except Unwritable:
        return None


def _largest(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.bytes, part.path)))


# what is sent to the builder


@dataclass(frozen=True)
class IdleContext:
    """Parts of the build context that nothing uses. ``taken_by``: the COPY of a build stage that takes them along;
    ``lines`` for the ignore file called ``ignore_file``.
    """

    parts: tuple[Part, ...]
    complete: bool
    taken_by: Instruction | None
    lines: tuple[str, ...]
    ignore_file: str
    ignore_file_exists: bool

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)


@once
def idle_context(picture: Picture) -> IdleContext | None:
    """None when everything is used, or when the context cannot be told (standard input)."""
    context = picture.context
    if context is None or (picture.path == "-" and picture.options.context is None):
        return None
    whole = [
        (stage, layer) for stage, layer in _context_copies(picture) if _takes_all(picture, layer.instruction)
    ]
    if any(stage in picture.final.lineage for stage, _ in whole):
        return None  # told as part of the image
    if whole:
        stage, layer = whole[0]
        parts, complete = _parts_of_copy(picture, context, stage, layer), True
        taken_by: Instruction | None = layer.instruction
    else:
        parts, complete = _parts_walked(picture, context)
        taken_by = None
    rules = context.ignore.file
    return IdleContext(
        _largest(parts),
        complete,
        taken_by,
        tuple(_ignore_lines(picture, parts)),
        rules or ".dockerignore",
        rules is not None,
    )


def _context_copies(picture: Picture) -> Iterator[tuple[StagePicture, Layer]]:
    for stage in picture.stages:
        for layer in stage.content.layers:
            if (
                layer.stage == stage.index
                and layer.instruction.keyword in ("COPY", "ADD")
                and layer.instruction.flag("from") is None
            ):
                yield stage, layer


def _sources(picture: Picture, instruction: Instruction) -> list[str | None]:
    """What a COPY names in the context, cleaned; None where a variable has no value. The root is ``""``."""
    if instruction.heredocs:
        return []
    words = [picture.expand(instruction, word.text) for word in instruction.words[:-1]]
    return [
        None if word is None else normal("/" + word).lstrip("/")
        for word in words
        if word is None or "://" not in word
    ]


def _takes_all(picture: Picture, instruction: Instruction) -> bool:
    return any(source in ("", "*") for source in _sources(picture, instruction))


def _parts_of_copy(picture: Picture, context: Context, stage: StagePicture, layer: Layer) -> list[Part]:
    """Of a COPY of the whole context: what lies around the project, and old build output where the stage builds."""
    root = os.fspath(context.root)
    paths = {
        os.path.relpath(file.origin, root).replace(os.sep, "/"): file.bytes or 0
        for file in layer.files
        if file.origin is not None
    }
    modules = {posixpath.dirname(path) for path in paths if posixpath.basename(path) in _BUILD_FILES}
    is_built = any(
        builds(picture.script_of(run).text) for run in stage.stage.instructions if run.keyword == "RUN"
    )
    reads_git = any(_reads_git(context, module) for module in modules)
    sizes: dict[str, int] = {}
    for path, size in paths.items():
        part = around(path)
        if part is None and is_built:
            part = _output(path, modules)
        if part is None or (reads_git and part == ".git"):
            continue
        sizes[part] = sizes.get(part, 0) + size
    return [Part(part, size) for part, size in sizes.items()]


def _output(path: str, modules: set[str]) -> str | None:
    steps = path.split("/")
    for at, step in enumerate(steps[:-1]):
        if step in _OUTPUT and "/".join(steps[:at]) in modules:
            return "/".join(steps[: at + 1])
    return None


def _reads_git(context: Context, module: str) -> bool:
    """Whether the build asks git for the commit (git-commit-id-maven-plugin, gradle-git-properties)."""
    for name in _BUILD_FILES:
        try:
            text = read_file(context.root / module / name, 1 << 20)
        except OSError:
            continue
        if re.search(
            rb"git-commit-id|gitproperties|git-properties|grgit|jgitver|palantir.git-version|nebula",
            text,
            re.IGNORECASE,
        ):
            return True
    return False


def _parts_walked(picture: Picture, context: Context) -> tuple[list[Part], bool]:
    """Of a context of which single files are copied: all but those."""
    measured, complete = _measured(context)
    root = os.fspath(context.root)
    used: dict[str, int] = {}
    for file in {
        file.origin: file
        for _, layer in _context_copies(picture)
        for file in layer.files
        if file.origin is not None
    }.values():
        assert file.origin is not None
        part = _part_of(os.path.relpath(file.origin, root).replace(os.sep, "/"))
        used[part] = used.get(part, 0) + (file.bytes or 0)
    for size, path in _overwritten(picture, context):
        used[_part_of(path)] = used.get(_part_of(path), 0) + size
    anything = any(
        None in _sources(picture, layer.instruction) for _, layer in _context_copies(picture)
    )  # a variable without value may name any file that a build writes
    parts = [
        Part(part, size.bytes - used.get(part, 0), size.complete)
        for part, size in measured.items()
        if size.bytes > used.get(part, 0) and not (anything and posixpath.basename(part) in _OUTPUT)
    ]
    return parts, complete


def _overwritten(picture: Picture, context: Context) -> Iterator[tuple[int, str]]:
    """Files that a pattern takes as well, to one place: only the last of them is left in the image, if a builder does
    it at all."""
    from imgopt.build_context.tree import resolve

    for _, layer in _context_copies(picture):
        kept = {file.origin for file in layer.files}
        for source in _sources(picture, layer.instruction):
            if not source or source == "*" or not re.search(r"[*?\[]", source):
                continue
            try:
                taken = resolve(context, [source])
            except ContextError:
                continue
            for item in taken:
                if not item.is_directory and item.path not in kept:
                    yield item.bytes, item.source


def _measured(context: Context) -> tuple[dict[str, Measured], bool]:
    from imgopt.build_context.tree import measure

    key = (context.root, context.ignore.file)
    if key not in _LOOKS:
        _LOOKS[key] = measure(
            context,
            _part_of,
            most_entries=MOST_ENTRIES,
            most_entries_a_part=MOST_ENTRIES_A_PART,
            most_seconds=MOST_SECONDS,
        )
    return _LOOKS[key]


def _part_of(path: str) -> str:
    steps = path.split("/")
    for at, step in enumerate(steps[:-1]):
        if step in _AROUND or step in _OUTPUT:
            return "/".join(steps[: at + 1])
    return steps[0]


def _ignore_lines(picture: Picture, parts: list[Part]) -> Iterator[str]:
    """Patterns that leave out the parts worth it, then what a COPY names in them: the last one that matches wins."""
    sources = [
        source
        for _, layer in _context_copies(picture)
        for source in _sources(picture, layer.instruction)
        if source not in ("", "*")
    ]
    total = sum(part.bytes for part in parts)
    worth = [part.path for part in _largest(parts) if part.bytes * 20 >= total]
    names = [posixpath.basename(path) for path in worth]
    patterns: dict[str, bool] = {}  # with whether something in it stays
    exceptions: dict[str, None] = {}
    for path, name in zip(worth, names, strict=True):
        named = [source for source in sources if source is not None and source.startswith(path + "/")]
        anywhere = names.count(name) > 2 and name in _AROUND | _OUTPUT
        try:
            pattern = f"**/{name}" if anywhere else written(path)
        except Unwritable:
            continue  # no line can name it
        patterns[pattern] = patterns.get(pattern, False) or bool(named)
        # a COPY's source is a pattern already, and one that an ignore file reads alike
        exceptions.update(dict.fromkeys(f"!{source}" for source in named if source.isprintable()))
    yield from (pattern + ("/*" if stays else "") for pattern, stays in [*patterns.items()][:MOST_LINES])
    yield from exceptions
