"""The shell text of RUN instructions as it stands in the file: to be read, and to be added to in its own style."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Dockerfile, Edit, Heredoc, Instruction, Span
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass
from imgopt.picture.paths import normal
from imgopt.picture.picture import MAX_SCRIPT_BYTES
from imgopt.picture.scripts import SH, ShellText, script_of

if TYPE_CHECKING:
    from imgopt.picture.picture import StagePicture

#: Where an image keeps its own programs; a RUN that calls something elsewhere runs a file that was brought along.
_PROGRAMS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})


def is_sh(program: str) -> bool:
    """Whether a program reads what is written for sh."""
    return posixpath.basename(program) in shell.SHELLS


@dataclass(frozen=True)
class Run:
    """A RUN with the stage it stands in. ``editable`` is False where the script could not be read or does not stand in
    the file as it is (the JSON form); ``strict``: it stops at the first command that fails (`set -e`)."""

    instruction: Instruction
    stage: StagePicture
    text: ShellText
    script: shell.Script
    editable: bool
    strict: bool

    @property
    def line(self) -> int:
        return self.instruction.line

    @property
    def heredoc(self) -> Heredoc | None:
        """The here-document that holds the script, where one does."""
        return self.text.heredoc

    @property
    def commands(self) -> tuple[shell.Command, ...]:
        return self.script.commands

    def span(self, start: int, end: int) -> Span:
        """Where ``script.text[start:end]`` stands in the file."""
        assert self.text.place is not None, "only what is editable stands in the file"
        return self.text.place(start, end)

    def keeps(self, path: str) -> bool:
        """Whether what is written at this path stays in the layer: nothing is mounted over it."""
        for flag in self.instruction.flags:
            if flag.name == "mount" and flag.value:
                settings = dict(part.partition("=")[::2] for part in flag.value.split(","))
                target = settings.get("target") or settings.get("dst") or settings.get("destination")
                if target and (normal(path) + "/").startswith(normal(target).rstrip("/") + "/"):
                    return False
        return True


def runs_of(stage: StagePicture) -> tuple[Run, ...]:
    """The RUN instructions of a stage and of those it is built on, in order."""
    runs: list[Run] = []
    language: tuple[str, ...] = SH
    for each in stage.lineage:
        for instruction in each.stage.instructions:
            if instruction.keyword == "SHELL" and instruction.json:
                language = instruction.json
            elif instruction.keyword == "RUN":
                runs.append(_read(instruction, each, language))
    return tuple(runs)


def _read(instruction: Instruction, stage: StagePicture, language: Sequence[str]) -> Run:
    read = script_of(instruction, language)
    script = read.script
    sets = [
        " ".join(read.shell[1:]),
        *(script.text[c.start : c.end] for c in script.commands if c.program == "set"),
    ]
    strict = any(re.search(r"(?<!\S)-[a-z]*e|\berrexit\b", text) for text in sets)
    return Run(instruction, stage, read, script, not script.broken and read.place is not None, strict)


def in_place(command: shell.Command) -> bool:
    """Whether another command can be put behind this one: no block around it, no pipe and no background."""
    return command.depth == 0 and command.follows in ("", "&&", "||", ";", "\n")


def appended(document: Dockerfile, run: Run, after: shell.Command, text: str) -> Edit:
    """The edit that runs ``text`` once the command has succeeded, written the way the RUN is written.

    Where the script stops at the first failure and the command ends its list, `&&` would hide that the command
    failed: only the last one of an `&&` list stops the script. There the text becomes a command of its own.
    """
    return behind(document, run, after.end, _separator(document, run, after) + text)


def behind(document: Dockerfile, run: Run, end: int, text: str) -> Edit:
    """The edit that puts ``text`` behind ``script.text[:end]``. It takes the character before with it, so that it
    cannot go in together with a fix that changes those words."""
    span = run.span(end - 1, end)
    return Edit(span, document.text[span.start : span.end] + text)


def _separator(document: Dockerfile, run: Run, after: shell.Command) -> str:
    alone = run.strict and after.follows != "&&"
    indent = _indent(document, run, run.span(after.start, after.end).start)
    if run.heredoc is not None:
        return document.newline + (indent or "") if alone else " && "
    source = document.text[run.instruction.span.start : run.instruction.span.end]
    if "\n" not in source:
        return "; " if alone else " && "
    continued = f" {document.escape}{document.newline}"
    escape = re.escape(document.escape)
    if alone or re.search(rf"(?:&&|;)[ \t]*{escape}[ \t]*\r?$", source, re.MULTILINE):
        return (";" if alone else " &&") + continued + ("    " if indent is None else indent)
    leading = re.search(r"^([ \t]*)&&", source, re.MULTILINE)
    return continued + (leading[1] if leading else " ") + "&& "


def _indent(document: Dockerfile, run: Run, offset: int) -> str | None:
    """The white space that begins the line of this offset, None on the RUN's first line."""
    line = document.text[document.text.rfind("\n", 0, offset) + 1 : offset]
    if run.heredoc is None and document.text.count("\n", run.instruction.span.start, offset) == 0:
        return None
    return line[: len(line) - len(line.lstrip())]


# scripts that a RUN calls


def script_called(run: Run, command: shell.Command) -> tuple[str, str | None] | None:
    """The script that a command hands over to, with its text, or None for the text where it cannot be read."""
    words = [word.literal or word.text for word in command.words]
    if not words:
        return None
    name = posixpath.basename(words[0])
    if name in shell.SHELLS | {".", "source"}:
        if "-c" in words:
            return None
        path = next((word for word in words[1:] if not word.startswith("-")), None)
        if path is None:
            fed = command.operator == "|" or any(operator == "<" for operator, _ in command.redirects)
            return ("what it downloads", None) if fed else None
        if path.startswith("/etc/"):
            return None  # settings of the system: os-release, profile
    elif name.endswith((".sh", ".bash")) or (
        "/" in words[0] and posixpath.dirname(words[0]) not in _PROGRAMS
    ):
        path = words[0]
    else:
        return None
    return path, _text_of(run, posixpath.basename(path))


def _text_of(run: Run, name: str) -> str | None:
    texts: list[str] = []
    for file in run.stage.content.files.values():
        if posixpath.basename(file.path) != name:
            continue
        if file.origin is None or file.bytes is None or file.bytes > MAX_SCRIPT_BYTES:
            return None
        try:
            texts.append(read_file(file.origin, MAX_SCRIPT_BYTES).decode("utf-8", "replace"))
        except OSError:
            return None
    return "\n".join(texts) if texts else None
