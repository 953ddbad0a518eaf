"""The path that belongs to one module: what stages hand on lies below it, so that no two modules share a path.

kaniko keeps what a stage hands on under ``/kaniko/STAGE-NUMBER/PATH``, and leaves it there when it builds the next
image in the same container. Where two Dockerfiles hand on a directory of the same path, the second image gets the
files of the first as well.

The path follows from where the Dockerfile lies in its repository and from nothing else, so it is the same on every
machine. It is made of ``a-z0-9._-`` and slashes only, which no shell and no Dockerfile reads as anything but a name.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.dockerfile import Instruction, assignments, variables_used
from imgopt.errors import ContextError
from imgopt.java.build_files import read_build_files

if TYPE_CHECKING:
    from imgopt.picture.picture import Picture, StagePicture

#: A directory's name that is taken as it stands. Any other gets a digest of itself, by which it stays apart from those.
_PLAIN = re.compile(r"(?!.*-[0-9a-f]{8}$)(?!.*\.(?:jar|war)$)[a-z0-9][a-z0-9._-]{0,59}")
#: What stands in the paths beside the names of directories: ``out`` holds the trees of a module, ``root`` stands for
#: the repository's own directory, ``context`` before a build context that is not the Dockerfile's.
_RESERVED = frozenset({"out", "root", "context"})
_MOST_CHARACTERS = 160
_BUILD_FILES = ("pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")

#: Arguments of a RUN that say which module it builds.
_MODULE_ARGUMENT = re.compile(
    r"(?i)(?:^|_)(?:module|service|project|component|app|application|artifact)(?:_|$)"
)
#: What changes from release to release, or names a file, tells no modules apart.
_OTHER_ARGUMENT = re.compile(r"(?i)version|revision|release|(?:^|_)(?:tag|jar|war|file)(?:_|$)")
_PLAIN_VALUE = re.compile(r"(?!/)[\w.@+/-]*")


@dataclass(frozen=True)
class OwnPath:
    """``path`` is relative, as ``services/orders`` or ``root/shop/${MODULE}``; ``place`` is it without arguments.
    ``arguments`` are the build arguments in it, with the value that the Dockerfile gives them (None: none)."""

    path: str
    place: str
    arguments: tuple[tuple[str, str | None], ...] = ()

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
    arguments = _arguments(picture, copy)
    path = "/".join([place, *(f"${{{name}}}" for name in arguments)])
    return OwnPath(path, place, tuple(arguments.items()))


def argument_lines(picture: Picture, own: OwnPath, before: Instruction, lower: bool) -> list[str]:
    """The ARG lines that a stage of the file lacks to know the arguments of the path at ``before``."""
    stage = next(stage.stage for stage in picture.stages if before in stage.stage.instructions)
    known: set[str] = set()
    for instruction in stage.instructions:
        if instruction is before:
            break
        if instruction.keyword == "ARG":
            known |= {assignment.name for assignment in assignments(instruction)}
    return [line for name, line in own.declarations(lower) if name not in known]


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
    return f"{readable or 'module'}-{hashlib.sha256(data).hexdigest()[:8]}"


# the arguments of a Dockerfile that several modules share


def _arguments(picture: Picture, copy: Instruction) -> dict[str, str | None]:
    """The build arguments that choose whose application it is, with their values in the file."""
    found = _Defined(picture, picture.final, until=copy).behind(_directories(copy))
    flag = copy.flag("from")
    name = (flag.value or "").lower() if flag is not None else ""
    origin = next((stage for stage in picture.stages if name in (stage.name.lower(), str(stage.index))), None)
    for stage in origin.lineage if origin is not None and name else ():
        for instruction in stage.stage.instructions:
            defined = _Defined(picture, stage, until=instruction)
            if instruction.keyword in ("COPY", "ADD"):
                found |= defined.behind(word.text for word in instruction.words[:-1])
            elif instruction.keyword == "WORKDIR":
                found |= defined.behind([instruction.text])
            elif instruction.keyword == "RUN":
                found |= {
                    name: value
                    for name, value in defined.behind([instruction.text]).items()
                    if _MODULE_ARGUMENT.search(name)
                }
    return found


def _directories(copy: Instruction) -> Iterator[str]:
    for word in copy.words[:-1]:
        yield posixpath.dirname(word.text.rstrip("/"))


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

    def behind(self, texts: Iterable[str]) -> dict[str, str | None]:
        """The arguments that these texts depend on, also by way of ENV; one that another's value uses goes before it."""
        found: dict[str, str | None] = {}
        seen: set[str] = set()

        def follow(text: str) -> None:
            for name in variables_used(text):
                if name in seen or name not in self.known:
                    continue
                seen.add(name)
                keyword, value = self.known[name]
                follow(value or "")
                if keyword == "ARG" and self._tells_modules_apart(name):
                    found[name] = value

        for text in texts:
            follow(text)
        return found

    def _tells_modules_apart(self, name: str) -> bool:
        value = self.picture.scope(self.until).get(name)
        return _OTHER_ARGUMENT.search(name) is None and (
            value is None
            or (_PLAIN_VALUE.fullmatch(value) is not None and not value.endswith((".jar", ".war")))
        )
