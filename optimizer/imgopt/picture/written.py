"""Files that RUN lines write themselves: `RUN echo '…' > /start.sh`, `printf`, `cat <<EOF > /start.sh`, `… | tee /start.sh`.

What a file holds is known where every word of it is literal, or a variable that the build knows; else only that it is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.bases.families.common import APT
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.paths import seen_from

if TYPE_CHECKING:
    from imgopt.bases import Base

#: They leave what a file holds as it is; `dos2unix` changes nothing that is read here.
_LEAVING = frozenset("[ cat chgrp chmod chown dos2unix grep head ls sh stat test touch wc".split())
#: Line ends of another system, taken away: `sed -i 's/\r$//' FILE`.
_LINE_ENDS = regex(r"\\r\$?/+g?[\"']?$")
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "r": "\r", '"': '"', "'": "'"}


def kind_of_sh(base: Base) -> str:
    """Which shell an image has as `sh`."""
    if base.os in APT:
        return "dash"
    return "ash" if base.libc == "musl" or base.os == "alpine" else "bash"


@dataclass(frozen=True)
class Written:
    """``text`` is None where it cannot be told; ``added`` is put behind what is there already. ``changed``: a command that
    may change the file, if it is one, names the path."""

    path: str
    text: str | None
    added: bool = False
    changed: bool = False


def written_by(
    text: str, directory: str | None, variables: Mapping[str, str | None], sh: str | None
) -> Iterator[Written]:
    """What a RUN writes, in its order. ``directory``: where it begins; ``sh``: the shell that reads it ("dash", "ash",
    "bash"), which decides what `echo` makes of a backslash; None where that is not known."""
    script = shell.parse(text)
    if script.broken:
        return
    for position, command in enumerate(script.commands):
        if command.program == "cd":
            to = _value(command.args[0].text, variables) if len(command.args) == 1 else None
            directory = seen_from(directory, to) if command.depth == 0 else None
        for operator, target in command.redirects:
            if operator.lstrip("1") not in (">", ">>", ">|"):
                continue
            path = seen_from(directory, _value(target.text, variables))
            if path is None or path.startswith("/dev/"):
                continue
            said = _printed(script, position, variables, sh)
            yield Written(path, said, operator.endswith(">>"))
        if command.program == "tee":
            piped = command.operator == "|" and position > 0
            said = _printed(script, position - 1, variables, sh) if piped else None
            words = [_value(word.text, variables) for word in command.args]
            for word in words:
                path = seen_from(directory, word) if word is None or not word.startswith("-") else None
                if path is not None:
                    yield Written(path, said, "-a" in words or "--append" in words)
        elif command.program not in _LEAVING and not _changes_line_ends(command):
            for each in command.args:
                path = seen_from(directory, _value(each.text, variables))
                if path is not None and command.program not in ("echo", "printf"):
                    yield Written(path, None, changed=True)


def _changes_line_ends(command: shell.Command) -> bool:
    return command.program == "sed" and any(_LINE_ENDS.search(word.text) for word in command.args)


def _printed(
    script: shell.Script, position: int, variables: Mapping[str, str | None], sh: str | None
) -> str | None:
    """What a command prints, or a group of them whose redirect it is."""
    command = script.commands[position]
    if command.depth or command.operator == "||" or command.function is not None:
        return None
    if command.words:
        return _output(script, command, variables, sh)
    group: list[str | None] = []
    for other in reversed(script.commands[:position]):
        if other.depth != command.depth + 1 or other.around:
            break
        first = other.redirects or other.operator in ("||", "|") or other.follows == "|"
        group.append(None if first else _output(script, other, variables, sh))
    if not group or any(each is None for each in group):
        return None
    return "".join(each or "" for each in reversed(group))


def _output(
    script: shell.Script, command: shell.Command, variables: Mapping[str, str | None], sh: str | None
) -> str | None:
    here = [target for operator, target in command.redirects if operator in ("<<", "<<-")]
    if command.program in ("cat", "tee") and len(here) == 1 and not command.args[command.program == "tee" :]:
        document = script.documents.get(here[0].start)
        if document is None:
            return None
        return _value(document.text, variables, quote="<") if document.expanded else document.text
    words = [_value(word.text, variables) for word in command.args]
    known = [word for word in words if word is not None]
    if len(known) != len(words) or here:
        return None
    if command.program == "echo":
        return _echoed(known, sh)
    return _formatted(known) if command.program == "printf" else None


def _echoed(words: list[str], sh: str | None) -> str | None:
    options, interprets = "", sh == "dash"
    while words and re.fullmatch(r"-n" if sh == "dash" else r"-[neE]+", words[0]):
        options += words.pop(0)
    if sh != "dash":
        interprets = "e" in options
    said = " ".join(words)
    if "\\" in said:
        if sh is None:
            return None
        said_ = _unescaped(said) if interprets else said
        if said_ is None:
            return None
        said = said_
    return said + ("" if "n" in options else "\n")


def _formatted(words: list[str]) -> str | None:
    """`printf`: its format once more for each round of arguments."""
    if not words or words[0].startswith("-"):
        return None
    pieces = re.split(r"(%.)", words[0])
    if any(piece.startswith("%") and piece not in ("%s", "%b", "%%") for piece in pieces):
        return None
    rest = words[1:]
    takes = sum(piece in ("%s", "%b") for piece in pieces)
    said = ""
    for _ in range(1 if not takes or not rest else -(-len(rest) // takes)):
        for piece in pieces:
            if piece in ("%s", "%b"):
                word = rest.pop(0) if rest else ""
                part = _unescaped(word) if piece == "%b" else word
            else:
                part = "%" if piece == "%%" else _unescaped(piece)
            if part is None:
                return None
            said += part
    return said


def _unescaped(text: str) -> str | None:
    """Backslashes as `printf` reads them; None where one stands before a sign that is not known here."""
    if any(match[1] not in _ESCAPES for match in re.finditer(r"\\(.?)", text, re.DOTALL)):
        return None
    return re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text)


def _value(text: str, variables: Mapping[str, str | None], quote: str = "") -> str | None:
    """A word as the shell of the build reads it, None where it cannot be told. ``quote``: what is open in its beginning,
    ``<`` for a here-document."""
    found: list[str] = []
    at = 0
    escaped = {"": None, '"': '$`"\\\n', "<": "$`\\\n"}
    while at < len(text):
        sign = text[at]
        following = text[at + 1 : at + 2]
        at += 1
        if quote == "'":
            if sign == "'":
                quote = ""
            else:
                found.append(sign)
        elif sign == "\\" and following:
            signs = escaped[quote]
            if signs is not None and following not in signs:
                found.append("\\")
            found.append("" if following == "\n" else following)
            at += 1
        elif sign == "'" and not quote:
            quote = "'"
        elif sign == '"' and quote != "<":
            quote = "" if quote else '"'
        elif sign == "`":
            return None
        elif sign == "$":
            name = re.match(r"\w+|\{\w+\}", text[at:])
            if name is None:
                if following and following not in " \t\n\"'":
                    return None
                found.append("$")
                continue
            value = variables.get(name[0].strip("{}")) if not name[0][0].isdigit() else None
            if value is None:
                return None
            found.append(value)
            at += name.end()
        elif not quote and sign in "*?[{~(":
            return None
        else:
            found.append(sign)
    return "".join(found)
