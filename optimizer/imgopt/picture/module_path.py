"""The path that belongs to one module: what stages hand on lies below it, so that no two modules of a repository share
a path. Modules of different repositories may.

kaniko keeps what a stage hands on under ``/kaniko/STAGE-NUMBER/PATH``, and leaves it there when it builds the next
image in the same container. Where two Dockerfiles hand on a directory of the same path, the second image gets the
files of the first as well.

The path follows from where the Dockerfile lies in its repository and from the build arguments that choose the
application, so it is the same on every machine. Where they cannot tell all modules apart, the path comes with a risk.
The place is made of ``a-z0-9._-`` and slashes only, which no shell and no Dockerfile reads as anything but a name.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from imgopt.dockerfile import Instruction, Stage, assignments, variables_used
from imgopt.errors import ContextError
from imgopt.java.build_files import read_build_files
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.paths import join

if TYPE_CHECKING:
    from imgopt.picture.picture import Picture, StagePicture

#: A directory's name that is taken as it stands. Any other gets a digest of itself, by which it stays apart from those.
_PLAIN = regex(r"(?!.*-[0-9a-f]{8}$)(?!.*\.(?:jar|war)$)[a-z0-9][a-z0-9._-]{0,59}")
#: What stands in the paths beside the names of directories: ``out`` holds the trees of a module, ``root`` stands for
#: the repository's own directory, ``context`` before a build context that is not the Dockerfile's.
_RESERVED = frozenset({"out", "root", "context"})
_MOST_CHARACTERS = 160
_BUILD_FILES = ("pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")

#: Arguments of a RUN that say which module it builds, and the ends of names that say something else of it.
_MODULE_ARGUMENT = regex(
    r"(?i)(?:^|_)(?:module|service|(?:sub)?project|component|app|application|artifact|jar|war|dir|directory|folder)"
    r"(?:_(?!(?:opt|option|arg|flag|user|group|uid|gid|port|profile|home|mode|env)s?$)|$)"
)
#: Arguments that say which release of the module it is.
_VERSION_ARGUMENT = regex(r"(?i)version|revision|release|(?:^|_)tag(?:_|$)")
#: Values that may stand in a path, where a shell and COPY read them as what they are.
_PLAIN_VALUE = regex(r"(?!(?:.*/)?\.\.(?:/|$))[\w.@+/-]*")
_MIXES = "kaniko would mix the files of both images if it built them in one container"
#: Directories below a module that hold no other one, and how many directories are looked at.
_NO_MODULES = frozenset({"src", "target", "build", "buildSrc", "node_modules"})
_MOST_DIRECTORIES = 3000


@dataclass(frozen=True)
class OwnPath:
    """``path`` is relative, as ``services/orders`` or ``root/shop/${MODULE}``; ``place`` is it without arguments.
    ``arguments`` are the build arguments in it, with the value that the Dockerfile gives them (None: none). ``risk``:
    why another module may have the same path."""

    path: str
    place: str
    arguments: tuple[tuple[str, str | None], ...] = ()
    risk: str | None = None

    def declarations(self, lower: bool) -> tuple[tuple[str, str], ...]:
        """Each argument's name and its ARG line."""
        keyword = "arg" if lower else "ARG"
        return tuple(
            (name, f"{keyword} {name}" + (f"={value}" if value is not None else ""))
            for name, value in self.arguments
        )


def own_path(picture: Picture, copy: Instruction) -> OwnPath:
    """The path that is the module's own, whose application ``copy`` (of the final stage) brings."""
    place = place_of(picture)
    found = _arguments(picture, copy)
    arguments = {
        name: each.written for name, each in found.items() if _may_stand_in_a_path(picture, name, each)
    }
    left_out = next((name for name in found if name not in arguments), None)
    path = "/".join([place, *(f"${{{name}}}" for name in arguments)])
    return OwnPath(path, place, tuple(arguments.items()), _risk_of_context(picture) or _risk_of(left_out))


def risk_of_place(picture: Picture) -> str | None:
    """Why another module may hand on its files at the place of this one, which has no arguments in it."""
    return _risk_of_context(picture) or _risk_of(next(iter(_arguments(picture, None)), None))


def argument_lines(own: OwnPath, stage: Stage, before: Instruction | None, lower: bool) -> list[str]:
    """The ARG lines that a stage of the file lacks to know the arguments of the path at ``before`` (None: its end)."""
    known: set[str] = set()
    for instruction in stage.instructions:
        if instruction is before:
            break
        if instruction.keyword == "ARG":
            known |= {assignment.name for assignment in assignments(instruction)}
    return [line for name, line in own.declarations(lower) if name not in known]


def _risk_of(argument: str | None) -> str | None:
    if argument is None:
        return None
    return f"the build argument {argument} may choose another module, and cannot keep their paths apart; {_MIXES}"


# where the Dockerfile lies


def place_of(picture: Picture) -> str:
    """Where the Dockerfile lies, without arguments: what belongs to all modules that share it."""
    context = Path(os.path.realpath(picture.context.root if picture.context is not None else "."))
    if picture.path == "-":
        return _joined(_parts_of(context))
    file = Path(os.path.realpath(picture.path))
    parts = _parts_of(file.parent)
    name = _file_part(file.name)
    if name is not None:
        parts.append(name)
    if not file.parent.is_relative_to(context):  # a Dockerfile that several modules may share
        parts += ["context", *_parts_of(context)]
    return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    path = "/".join(parts)
    return path if len(path) <= _MOST_CHARACTERS else _told_apart(parts[-1], path)


def _parts_of(directory: Path) -> list[str]:
    """A directory's path in its repository, made plain; never empty."""
    steps = (directory, *directory.parents)
    repository = next((step for step in steps if os.path.lexists(step / ".git")), None)
    # what is no repository may still be a project of several modules
    root = repository or next((step for step in reversed(steps) if _has_build_file(step)), None)
    if root is not None and root != directory:
        return [_plain(part) for part in directory.relative_to(root).parts]
    name = _build_name(directory)
    if name is not None:
        return ["root", _plain(name)]
    return ["root"] if repository is not None or not directory.name else [_plain(directory.name)]


def _has_build_file(directory: Path) -> bool:
    return any(os.path.lexists(directory / name) for name in _BUILD_FILES)


def _build_name(directory: Path) -> str | None:
    try:
        facts = read_build_files(directory, directory)
    except (ContextError, OSError):
        return None
    return facts.name if facts is not None else None


def _file_part(name: str) -> str | None:
    """What tells a Dockerfile from the others of its directory: nothing for ``Dockerfile`` itself."""
    if name == "Dockerfile":
        return None
    suffix = re.fullmatch(r"Dockerfile\.(.+)", name)
    if suffix is not None and _is_plain(suffix[1]):
        return f"dockerfile.{suffix[1]}"
    prefix = re.fullmatch(r"(.+)\.Dockerfile", name)
    if prefix is not None and _is_plain(prefix[1]):
        return f"{prefix[1]}.dockerfile"
    return _told_apart(name, f"/{name}")  # no directory's name has a slash


def _is_plain(name: str) -> bool:
    return (
        _PLAIN.fullmatch(name) is not None
        and name not in _RESERVED
        and not name.startswith("dockerfile.")
        and not name.endswith(".dockerfile")
    )


def _plain(name: str) -> str:
    return name if _is_plain(name) else _told_apart(name, name)


def _told_apart(name: str, whole: str) -> str:
    """As much of a name as is plain, with a digest of what it stands for."""
    # a Mac writes the letters of a name in two parts, and says that it is the same name
    data = unicodedata.normalize("NFC", whole).encode("utf-8", "surrogateescape")
    letters = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    readable = re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-")[:40].strip("-")
    from hashlib import sha256  # loads OpenSSL

    return f"{readable or 'module'}-{sha256(data).hexdigest()[:8]}"


# other modules that use the same Dockerfile


def _risk_of_context(picture: Picture) -> str | None:
    """A Dockerfile outside of its context names that context in its path, and another context may use it, too."""
    if picture.context is None or picture.path == "-":
        return None
    context = Path(os.path.realpath(picture.context.root))
    directory = Path(os.path.realpath(picture.path)).parent
    if directory.is_relative_to(context):
        return None
    steps = (directory, *directory.parents)
    root = next((step for step in steps if os.path.lexists(step / ".git")), None)
    if root is None or not context.is_relative_to(root):
        root = Path(os.path.commonpath([directory, context]))
    modules = _modules_in(picture, root)
    if (
        modules is not None
        and all(module.is_relative_to(context) or context.is_relative_to(module) for module in modules)
        and not any(each != context and _has_archive(each) for each in _directories_of(context.parent))
    ):
        return None
    return f"the Dockerfile lies outside of its build context, and another context may use it, too; {_MIXES}"


def _modules_in(picture: Picture, root: Path) -> set[Path] | None:
    """The directories with a build file, with sources or with what a build made; None where there is too much to look at."""
    key = (_modules_in, root)
    if key not in picture.found:
        picture.found[key] = _look_for_modules(root)
    return cast("set[Path] | None", picture.found[key])


def _look_for_modules(root: Path) -> set[Path] | None:
    found: set[Path] = set()
    for number, (name, directories, files) in enumerate(os.walk(root)):
        if number >= _MOST_DIRECTORIES:
            return None
        directory = Path(name)
        is_module = (
            any(file in files for file in _BUILD_FILES)
            or ("src" in directories and (directory / "src" / "main").is_dir())  # Gradle needs no file there
            or ("target" in directories and _has_archive(directory / "target"))
            or ("build" in directories and _has_archive(directory / "build" / "libs"))
            or (directory == root and sum(file.endswith((".jar", ".war")) for file in files) == 1)
        )
        if is_module:
            found.add(directory)
        directories[:] = [
            each
            for each in directories
            if not each.startswith(".") and not (is_module and each in _NO_MODULES)
        ]
    return found


def _has_archive(directory: Path) -> bool:
    try:
        return any(each.name.endswith((".jar", ".war")) for each in directory.iterdir())
    except OSError:
        return False


def _directories_of(directory: Path) -> list[Path]:
    try:
        return [each for each in directory.iterdir() if each.is_dir()]
    except OSError:
        return []


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _has_one_module(picture: Picture) -> bool:
    """Whether there is nothing in the context that an argument could choose instead."""
    if picture.context is None:
        return False
    context = Path(os.path.realpath(picture.context.root))
    if _modules_in(picture, context) == {context}:
        return True
    # a Dockerfile beside the one module whose archive it takes, be it built or not
    directory = context if picture.path == "-" else Path(os.path.realpath(picture.path)).parent
    if not directory.is_relative_to(context):
        directory = context
    own = join("/", directory.relative_to(context).as_posix())
    outputs = [join(own, each) for each in ("target", "build/libs")]
    sources = [
        (instruction, word.text)
        for instruction in picture.document.instructions
        if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None
        for word in instruction.words[:-1]
        if variables_used(word.text)
    ]
    modules = _modules_in(picture, directory)
    return (
        bool(sources)
        and modules is not None
        and modules <= {directory}
        and all(posixpath.dirname(join("/", picture.expand(*source) or "")) in outputs for source in sources)
    )


# the arguments of a Dockerfile that several modules share


@dataclass(frozen=True)
class _Argument:
    """``written``: the default in the Dockerfile; ``value``: what is known of it in this build."""

    written: str | None
    value: str | None


def _may_stand_in_a_path(picture: Picture, name: str, argument: _Argument) -> bool:
    if argument.value is not None and _PLAIN_VALUE.fullmatch(argument.value) is None:
        return False
    # every stage that knows the name has to know the same value
    everywhere = {
        each.name: each.value for line in picture.document.global_args for each in assignments(line)
    }
    values: set[str | None] = set()
    for stage in picture.document.stages:
        for instruction in stage.instructions:
            if instruction.keyword not in ("ARG", "ENV"):
                continue
            for each in assignments(instruction):
                if each.name != name:
                    continue
                if instruction.keyword == "ARG":
                    values.add(each.value if each.value is not None else everywhere.get(name))
                elif name not in variables_used(each.value or ""):
                    return False
    return len(values) <= 1


def _arguments(picture: Picture, copy: Instruction | None) -> dict[str, _Argument]:
    """The build arguments that choose whose application ``copy`` brings; without one, whose the final stage builds."""
    if _has_one_module(picture):
        return {}
    found: dict[str, _Argument] = {}
    waiting: list[StagePicture] = []
    seen: set[int] = set()

    def named(instruction: Instruction) -> Iterator[StagePicture]:
        for flag in instruction.flags:
            name = flag.value or ""
            if flag.name == "mount":
                name = next((part[5:] for part in name.split(",") if part.startswith("from=")), "")
            elif flag.name != "from":
                continue
            name = picture.expand(instruction, name) or ""
            yield from (
                stage
                for stage in picture.stages
                if name and name.lower() in (stage.name.lower(), str(stage.index))
            )

    if copy is None:
        waiting.append(picture.final)
    else:
        words = [word.text for word in copy.words[:-1]]
        found |= _Defined(picture, picture.final, until=copy).behind(words)
        waiting += named(copy)
    while waiting:
        for stage in waiting.pop().lineage:
            if stage.index in seen:
                continue
            seen.add(stage.index)
            if stage.index != picture.final.index:
                found |= _in_from(picture, stage.stage.from_, stage.stage.image.text)
            for instruction in stage.stage.instructions:
                defined = _Defined(picture, stage, until=instruction)
                if instruction.keyword in ("COPY", "ADD"):
                    found |= defined.behind(word.text for word in instruction.words[:-1])
                elif instruction.keyword in ("WORKDIR", "RUN"):
                    texts = [instruction.text, *(heredoc.body for heredoc in instruction.heredocs)]
                    found |= {
                        name: argument
                        for name, argument in defined.behind(texts).items()
                        if not (argument.value or "").startswith("/")  # a place in the image
                        and (instruction.keyword == "WORKDIR" or _MODULE_ARGUMENT.search(name))
                    }
                waiting += named(instruction)
    return found


def _in_from(picture: Picture, from_: Instruction, image: str) -> dict[str, _Argument]:
    """An image of another build that has the application in it. Stages know the argument with the default of above."""
    scope = picture.scope(from_)
    return {
        name: _Argument(None, scope.get(name))
        for name in variables_used(image)
        if _MODULE_ARGUMENT.search(name) and _VERSION_ARGUMENT.search(name) is None
    }


class _Defined:
    """What ARG and ENV say in a stage, and the stages it stands on, up to an instruction."""

    def __init__(self, picture: Picture, stage: StagePicture, until: Instruction) -> None:
        self.picture = picture
        self.until = until
        self.known: dict[str, tuple[str, str | None]] = {}
        for instruction in stage.instructions():
            if instruction is until:
                break
            if instruction.keyword in ("ARG", "ENV"):
                for assignment in assignments(instruction):
                    name, value = assignment.name, assignment.value
                    # ENV has the last word; ENV NAME=$NAME keeps the argument's
                    if (instruction.keyword == "ARG" and self.known.get(name, ("",))[0] == "ENV") or (
                        instruction.keyword == "ENV" and name in variables_used(value or "")
                    ):
                        continue
                    self.known[name] = (instruction.keyword, value)

    def behind(self, texts: Iterable[str]) -> dict[str, _Argument]:
        """The arguments that these texts depend on, also by way of ENV; one that another's value uses goes before it."""
        found: dict[str, _Argument] = {}
        seen: set[str] = set()

        def follow(text: str) -> None:
            for name in variables_used(text):
                if name in seen or name not in self.known:
                    continue
                seen.add(name)
                keyword, value = self.known[name]
                follow(value or "")
                argument = _Argument(value, self.picture.scope(self.until).get(name))
                if keyword == "ARG" and not self._is_version(name, argument):
                    found[name] = argument

        for text in texts:
            follow(text)
        return found

    def _is_version(self, name: str, argument: _Argument) -> bool:
        """By its name, unless its value is the name of a directory."""
        if _VERSION_ARGUMENT.search(name) is None:
            return False
        value, context = argument.value or "", self.picture.context
        return "/" not in value and not (
            value and context is not None and _is_directory(context.root / value)
        )
