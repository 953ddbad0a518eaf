"""The options that Java virtual machines are given, wherever they stand: in a RUN or a start command, in a variable, in a
script, an argument file or a here-document that a stage copies."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from imgopt.dockerfile import Instruction, assignments
from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.paths import join, seen_from
from imgopt.picture.picture import MAX_SCRIPT_BYTES, Picture, StagePicture, once
from imgopt.picture.scripts import command_text

#: Instructions that can give a virtual machine an option.
_GIVING = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ENV", "ARG", "COPY", "ADD"})
#: Variables that the virtual machine, its launcher or Spring Boot's launcher read themselves, as the option they stand for.
_AS_OPTION = {"CLASSPATH": "-cp", "LOADER_PATH": "-Dloader.path=", "LOADER_HOME": "-Dloader.home="}
#: They have their value in the next word.
_WITH_VALUE = frozenset({"-cp", "-classpath", "--class-path", "--module-path"})
_WORD = regex(r"[^\s;&|()<>]+|[;&|\n]+")
#: What files of options and scripts end with, where a command does not name them as such (``@FILE``).
_SUFFIXES = frozenset(
    (
        "",
        ".sh",
        ".bash",
        ".opts",
        ".options",
        ".vmoptions",
        ".args",
        ".argfile",
        ".txt",
        ".conf",
        ".cfg",
        ".env",
    )
)
_MOST_FILES = 50


@dataclass(frozen=True)
class JavaOption:
    """``text``: an option with its value (``-cp=/app/lib/*`` where that is the next word), variables filled in where
    known. ``where``: the instruction or the copied file in which it stands; ``directory``: where its relative paths
    lead, None when that cannot be told.
    """

    text: str
    stage: StagePicture
    where: Instruction | str
    directory: str | None

    @property
    def value(self) -> str:
        return self.text.partition("=")[2]

    @property
    def path(self) -> str | None:
        """The value as an absolute path; None where a variable is in it, or it cannot be told."""
        return seen_from(self.directory, self.value) if self.value and "$" not in self.value else None


@once
def _found(picture: Picture) -> dict[int, tuple[JavaOption, ...]]:
    return {}


def options_of(picture: Picture, stage: StagePicture) -> tuple[JavaOption, ...]:
    """Every option in a stage and those it is built on, in the file's order."""
    found = _found(picture)
    if stage.index not in found:
        found[stage.index] = tuple(_options(picture, stage))
    return found[stage.index]


def _options(picture: Picture, top: StagePicture) -> Iterator[JavaOption]:
    read: list[str] = []
    scopes: Instruction | None = None
    for stage in top.lineage:
        for instruction in stage.stage.instructions:
            scopes = instruction
            if instruction.keyword not in _GIVING:
                continue
            for text in _texts(picture, instruction):
                read.append(text)
                yield from _read(
                    picture, text, top, instruction, instruction, picture.workdir_at(instruction)
                )
    if scopes is None:
        return
    if top is picture.final:
        for where, text in picture.running.said_elsewhere:
            read.append(text)
            yield from _read(picture, text, top, where, scopes, top.content.workdir)
    for path, text in _files(picture, top, read):
        yield from _read(picture, text, top, _called(path, text), scopes, top.content.workdir)


def _texts(picture: Picture, instruction: Instruction) -> Iterator[str]:
    """What of an instruction may hold options: of a COPY only the text that it brings itself."""
    if instruction.keyword == "RUN":
        yield picture.script_of(instruction).text
        return
    if instruction.keyword in ("ENV", "ARG"):
        for assignment in assignments(instruction):
            yield f"{assignment.name}={assignment.value or ''}"
    elif instruction.keyword not in ("COPY", "ADD"):
        yield command_text(instruction)
    for heredoc in instruction.heredocs:
        yield heredoc.body


def _files(picture: Picture, stage: StagePicture, read: list[str]) -> Iterator[tuple[str, str]]:
    """The files of the context that the texts name, and those that these name, with their paths in the image."""
    left = {
        path: file.origin
        for path, file in stage.content.files.items()
        if file.origin is not None and file.bytes is not None and file.bytes <= MAX_SCRIPT_BYTES
    }
    names: set[str] = set()

    def note(text: str) -> None:
        # a word that begins with @ is an argument of java, and the file may be called anything
        names.update(
            ("@" if word.startswith("@") else "") + posixpath.basename(word.lstrip("@"))
            for word in re.findall(r"@?[^\s\"'=@:;&|(),\[\]]+", text)
        )

    for text in read:
        note(text)
    if stage is picture.final:
        for file, text in picture.start_scripts:
            left.pop(file.path, None)
            note(text)
            yield file.path, text
    for _ in range(_MOST_FILES):
        path = next((path for path in left if _is_named(posixpath.basename(path), names)), None)
        if path is None:
            return
        try:
            data = read_file(left.pop(path), MAX_SCRIPT_BYTES)
        except OSError:
            continue
        if b"\0" not in data:
            text = data.decode("utf-8", "replace")
            note(text)
            yield path, text


def _is_named(name: str, names: set[str]) -> bool:
    return f"@{name}" in names or (name in names and posixpath.splitext(name)[1] in _SUFFIXES)


def _read(
    picture: Picture,
    text: str,
    stage: StagePicture,
    where: Instruction | str,
    scope: Instruction,
    directory: str | None,
) -> Iterator[JavaOption]:
    text = re.sub(r"(?m)(?:^|(?<=\s))#.*$", "", text)
    words = _WORD.findall(re.sub(r"[\"']", "", re.sub(r"\\\r?\n", " ", text)))
    filled: list[str] = []
    for word in words:
        value = picture.expand(scope, word) if "$" in word else None
        filled += value.split() if value is not None else [word]
    here, position = directory, 0
    while position < len(filled):
        word = filled[position]
        following = filled[position + 1] if position + 1 < len(filled) else ""
        position += 1
        name, sign, rest = word.partition("=")
        if word == "cd" and following:
            here = seen_from(here, following) if "$" not in following else None
        elif name in _AS_OPTION and sign:
            yield JavaOption(f"{_AS_OPTION[name].rstrip('=')}={rest}", stage, where, here)
        elif re.fullmatch(r"\w+", name) and sign and rest.startswith("-"):
            filled[position - 1] = rest  # `NAME=-Xmx1g`
            position -= 1
        elif word in _WITH_VALUE:
            yield JavaOption(f"{word}={following}", stage, where, here)
            position += 1
        elif re.match(r"-[A-Za-z-]", word):
            yield JavaOption(word, stage, where, here)


def covers(directory: str, path: str) -> bool:
    """Whether ``path`` is ``directory`` or lies below it."""
    return join(path, ".") == directory or path.startswith(directory.rstrip("/") + "/")


def _called(path: str, text: str) -> str:
    return f"the {'script' if path.endswith(('.sh', '.bash')) or text.startswith('#!') else 'file'} {path}"
