"""What BuildKit's own parser says, from the PyPI package `dockerfile`, in a form to compare documents with.

`dockerfile` 3.4.0 holds BuildKit 0.12.5. Newer BuildKits read a few things differently; imgopt follows them,
and `newer_than_oracle` tells the texts where that can matter.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import dockerfile

from imgopt.dockerfile import Dockerfile, Instruction, assignments
from imgopt.dockerfile.parser import KEYWORDS


@dataclass(frozen=True)
class Line:
    keyword: str
    trigger: str
    json: bool
    line: int
    end_line: int
    flags: tuple[str, ...]
    values: tuple[str, ...]
    heredocs: tuple[tuple[str, str], ...]


def oracle(text: str) -> list[Line] | None:
    """The instructions; None when BuildKit's parser refuses the text."""
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError:
        return None
    return [
        Line(
            (command.cmd or "").upper(),  # None for a lone continuation character
            (command.sub_cmd or "").upper(),
            command.json,
            command.start_line,
            command.end_line,
            command.flags,
            command.value,
            tuple((heredoc.name, heredoc.content) for heredoc in command.heredocs),
        )
        for command in commands
    ]


def as_lines(document: Dockerfile) -> list[Line]:
    return [_as_line(instruction) for instruction in document.instructions]


def _as_line(outer: Instruction) -> Line:
    # the package shows an ONBUILD's own flags and no here-documents of its trigger
    instruction = outer.trigger or outer
    if instruction.keyword in ("ENV", "LABEL"):
        values = [text for pair in assignments(instruction) for text in (pair.name, pair.value or "")]
    else:
        values = [word.text for word in instruction.words]
    return Line(
        outer.keyword,
        outer.trigger.keyword if outer.trigger else "",
        instruction.json is not None,
        outer.line,
        outer.end_line,
        tuple(f"--{flag.name}" + ("" if flag.value is None else f"={flag.value}") for flag in outer.flags),
        tuple(values),
        () if outer.trigger else tuple((heredoc.tag, heredoc.body) for heredoc in outer.heredocs),
    )


def refused_later(lines: list[Line]) -> bool:
    """Whether BuildKit refuses, after parsing, what imgopt refuses at once: these make no stages.

    The last condition is imgopt's own: BuildKit stores a trigger unseen, and fails the build that runs it.
    """
    stages = 0
    for line in lines:
        if line.keyword not in KEYWORDS:
            return True
        if line.keyword == "FROM":
            stages += 1
            named = len(line.values) == 3 and line.values[1].lower() == "as"
            if len(line.values) != 1 and not named:
                return True
            if named and not re.fullmatch("[a-z][a-z0-9_.-]*", line.values[2].lower()):
                return True
        elif line.keyword != "ARG" and not stages:
            return True
        if line.trigger and line.trigger not in KEYWORDS - {"FROM", "MAINTAINER", "ONBUILD"}:
            return True
    return not stages


def newer_than_oracle(text: str, document: Dockerfile | None) -> bool:
    """Whether BuildKit 0.34 may read the text differently from the oracle's 0.12.5.

    ``document`` is what imgopt made of it, None if it refused.
    """
    joined = re.sub(r"[\\`][ \t]*\r*\n(?:\s*(?:#.*)?\n)*", "", text)
    return bool(
        # a blank may stand between << and its tag
        re.search(r"<<[\t\r ]", joined)
        # a pattern in the same line does not hide the tag, and a backslash in a quoted tag stays single
        or ("<<" in text and re.search(r"\$\{[^}\n]*[#%/]|<<-?[^ \n]*\"[^\"\n]*\\", joined))
        # it is a directive now
        or re.search(r"^\s*#\s*check", text, re.IGNORECASE | re.MULTILINE)
        # the escape directive counts in flags, too
        or (re.search(r"escape\s*=\s*`", text, re.IGNORECASE) and re.search(r"--.*[\\`]", joined))
        # the package cannot return a flag or HEALTHCHECK's type cut inside a character, as BuildKit cuts it
        or re.search(r"(?i:--|healthcheck).*[\x85\xa0]", joined)
        or (document and any(map(_text_behind_array, document.instructions)))
    )


def _text_behind_array(outer: Instruction) -> bool:
    """Text behind a JSON array makes it the shell form; 0.12 ignored that text."""
    instruction = outer.trigger or outer
    if instruction.json is not None or not instruction.words:
        return False
    at = instruction.text.find("[")
    try:
        json.JSONDecoder().raw_decode(instruction.text, at)
    except ValueError:
        return False
    return at >= 0
