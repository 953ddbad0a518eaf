"""The shell text of an instruction, whichever form it is written in, and who reads it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from functools import cached_property

from imgopt.dockerfile import Heredoc, Instruction, Span
from imgopt.dockerfile.document import JoinedLines
from imgopt.dockerfile.lexer import heredoc_tag
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.shell import SHELLS, Script, parse, shell_script

#: What reads a RUN in shell form where no SHELL says otherwise.
SH = ("/bin/sh", "-c")
_SHEBANG = regex(r"#![ \t]*(?P<words>[^\r\n]*)")
#: They pass a here-document on, whatever it says.
_PASSING_ON = frozenset({"cat", "tee"})


@dataclass(frozen=True)
class ShellText:
    """What a RUN runs, as text for ``sh``.

    ``shell`` are the words of the shell that reads it (``bash -ex``), empty where none does: then the text is the call
    of a program, quoted. ``unread`` names what keeps a part of it from being read: another program that the text is
    written for, a command inside a here-document. ``place`` tells where ``text[start:end]`` stands in the file; it is
    None where the text does not stand there as it is. ``heredoc``: the text is the body of that here-document.
    """

    text: str
    shell: tuple[str, ...] = ()
    unread: str | None = None
    place: Callable[[int, int], Span] | None = None
    heredoc: Heredoc | None = None

    @cached_property
    def script(self) -> Script:
        """Its commands; ``broken`` where a part of it cannot be read."""
        return parse(self.text) if self.unread is None else Script(self.text, (), True)


def script_of(run: Instruction, reader: Sequence[str]) -> ShellText:
    """The script of a RUN. ``reader`` is the SHELL in force where it stands.

    As BuildKit does it: a here-document alone on the command line is the script itself, or with ``#!`` a program of its
    own; any other is input that the shell gives to a command. Where that command is a shell, its input is the script.
    """
    if run.json is not None:
        inner = shell_script(run.json)
        return ShellText(shell_text(run.json), run.json[: len(run.json) - 1] if inner is not None else ())
    if not run.heredocs:
        return _read_by(reader, run.text, run.source_span, None)
    if len(run.heredocs) == 1 and heredoc_tag(run.text.strip()) is not None:
        heredoc = run.heredocs[0]
        body = body_of(heredoc)
        asked = _SHEBANG.match(body.text)
        if asked is None:
            return _read_by(reader, body.text, body.span, heredoc)
        words = asked["words"].split()
        program = _program(words)
        if program and posixpath.basename(program[0]) in SHELLS:
            return ShellText(body.text, program, None, body.span, heredoc)
        call = " ".join(map(_quoted, words))
        return ShellText(f"{call} <<'{heredoc.tag}'\n{body.text}{heredoc.tag}", (), " ".join(words) or "#!")
    whole = run.text + "".join(f"\n{heredoc.body}{heredoc.tag}" for heredoc in run.heredocs)
    read = _read_by(reader, whole, None, None)
    return read if read.unread is not None else _fed(read, run.heredocs)


def command_text(instruction: Instruction) -> str:
    """CMD, ENTRYPOINT or HEALTHCHECK as one piece of shell text."""
    if instruction.json is not None:
        return shell_text(instruction.json)
    text = instruction.text
    if instruction.keyword == "HEALTHCHECK":
        text = re.sub(r"^\s*(CMD|NONE)\b\s*", "", text, flags=re.IGNORECASE)
        if text.startswith("["):
            import json

            try:
                return " ".join(_quoted(str(word)) for word in json.loads(text))
            except ValueError:
                return text
    return text


def shell_text(argv: Sequence[str]) -> str:
    """An exec-form command as shell text; of ``sh -c SCRIPT`` the script."""
    inner = shell_script(argv)
    return inner if inner is not None else " ".join(_quoted(word) for word in argv)


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./$*{}\-]+", word) else "'" + word.replace("'", "'\\''") + "'"


def _read_by(
    reader: Sequence[str],
    text: str,
    place: Callable[[int, int], Span] | None,
    heredoc: Heredoc | None,
) -> ShellText:
    argv = (*reader, text)
    if shell_script(argv) == text:
        return ShellText(text, tuple(reader), None, place, heredoc)
    return ShellText(shell_text(argv), (), posixpath.basename(reader[0]))


def reader_of(text: str) -> str | None:
    """The program that a file's ``#!`` names, without its directory; None where it has none."""
    asked = _SHEBANG.match(text)
    program = _program(asked["words"].split()) if asked is not None else ()
    return posixpath.basename(program[0]) if program else None


def _program(words: Sequence[str]) -> tuple[str, ...]:
    """What a shebang starts: its words behind ``env``, the options of that left out."""
    if words and posixpath.basename(words[0]) == "env":
        rest = list(words[1:])
        while rest and (rest[0].startswith("-") or "=" in rest[0]):
            rest.pop(0)
        return tuple(rest)
    return tuple(words)


def _fed(read: ShellText, heredocs: Sequence[Heredoc]) -> ShellText:
    """Shell text with here-documents for its commands; their input instead, where the one command is a shell."""
    script = read.script
    for heredoc in heredocs:
        if heredoc.expand and re.search(r"\$\(|`", heredoc.body):
            return ShellText(read.text, read.shell, f"a command inside the here-document {heredoc.tag}")
    if len(heredocs) == 1 and script.plain and len(script.commands) == 1:
        command = script.commands[0]
        words = tuple(word.literal or "" for word in command.words)
        if not command.assignments and len(command.redirects) == 1 and _reads_its_input(words):
            body = body_of(heredocs[0])
            if not heredocs[0].expand or not re.search(r"\\[$`\\]", body.text):
                return ShellText(body.text, words, None, body.span, heredocs[0])
            return ShellText(re.sub(r"\\([$`\\])", r"\1", body.text), words)
    for command in script.commands:
        fed = any(operator.lstrip("0123456789") in ("<<", "<<-") for operator, _ in command.redirects)
        if fed and command.program not in _PASSING_ON:
            return ShellText(read.text, read.shell, command.program or "a here-document")
    return read


def _reads_its_input(words: Sequence[str]) -> bool:
    """Whether a command is a shell that takes its script from its input: ``bash -ex``, ``sh -s NAME``."""
    if not words or posixpath.basename(words[0]) not in SHELLS:
        return False
    position = 1
    while position < len(words) and words[position][:1] in ("-", "+"):
        word = words[position]
        letters = "" if word.startswith("--") else word[1:]
        if word in ("-", "--"):
            return position + 1 == len(words)
        if "c" in letters or "s" in letters:
            return "c" not in letters
        position += 1 + sum(letter in "oO" for letter in letters)
    return position >= len(words)


def body_of(heredoc: Heredoc) -> JoinedLines:
    """The body as it is read: without leading tabs where the tag says so."""
    start = heredoc.body_span.start
    if not heredoc.strip_tabs:
        return JoinedLines(heredoc.body, (0,), (start,))
    pieces, starts, offsets, size = [], [], [], 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", heredoc.body) or [""]:
        piece = line.lstrip("\t")
        pieces.append(piece)
        starts.append(size)
        offsets.append(start + len(line) - len(piece))
        size += len(piece)
        start += len(line)
    return JoinedLines("".join(pieces), tuple(starts), tuple(offsets))
