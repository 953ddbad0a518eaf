"""Groovy split into tokens, tolerantly: what is no Groovy becomes some token or other, never an error.

Strings keep what a shell would get to see of them, with the lines of the file for its offsets. Expressions in
``${…}`` stay where they are a name (``${IMAGE}``, ``${env.IMAGE}`` as ``${IMAGE}``); others become ``${expression}``.
What was written there stands beside the text, for whoever can work it out.
"""

from __future__ import annotations

import re

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

_SPACE = regex(r"[ \t\r\f\v]+")
_NAME = regex(r"[^\W\d]\w*|\$[^\W\d]\w*")
_NUMBER = regex(r"\d[\d_]*(?:\.\d+)?\w*")
_PLAIN_END = regex(r"[\\\n'\"$/]")
_INTERPOLATED_NAME = regex(r"\$(?:(?:env|params)\.)?([^\W\d]\w*)((?:\.[^\W\d]\w*)*)")
_SIMPLE = regex(r"\s*(?:(?:env|params)\s*\.\s*)?([^\W\d]\w*)\s*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_MAX_EXPRESSION = 4_000
#: Before a slash that begins a regular expression rather than divides.
_BEFORE_SLASHY = frozenset({"(", ",", "=", "[", "~", ":", "{", ";", "return", "in", "+", "!", "&", "|", "?"})


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: name, number, string, punct or newline. ``breaks`` are (offset, line) of a string's text; ``inner`` are
    the (start, end, expression) of its interpolations."""

    kind: str
    text: str
    line: int
    end_line: int
    breaks: tuple[tuple[int, int], ...] = ()
    inner: tuple[tuple[int, int, str], ...] = ()


def tokens(text: str) -> list[Token]:
    """All tokens of a file; comments and white space are left out, runs of newlines are one."""
    found: list[Token] = []
    position, line, length = 0, 1, len(text)
    unclosed: dict[
        str, int
    ] = {}  # a quote that does not end on its line is not tried again before the next one
    limits = _Limits()
    if text.startswith("#!"):
        position = _line_end(text, 0)
    while position < length:
        char = text[position]
        if char == "\n":
            if found and found[-1].kind != "newline":
                found.append(Token("newline", "\n", line, line))
            line += 1
            position += 1
        elif match := _SPACE.match(text, position):
            position = match.end()
        elif text.startswith("//", position):
            position = _line_end(text, position)
        elif text.startswith("/*", position):
            end = text.find("*/", position + 2)
            end = length if end < 0 else end + 2
            line += text.count("\n", position, end)
            position = end
        elif (
            char in "'\""
            or text.startswith("$/", position)
            or (char == "/" and _slashy(text, position, found))
        ):
            hopeless = position < unclosed.get(char, 0)
            read = None if hopeless else _string(text, position, line, limits)
            if read is None:
                if not hopeless:
                    unclosed[char] = _line_end(text, position)
                found.append(Token("punct", char, line, line))
                position += 1
                continue
            token, position = read
            line = token.end_line
            found.append(token)
        elif match := _NAME.match(text, position):
            found.append(Token("name", match[0], line, line))
            position = match.end()
        elif match := _NUMBER.match(text, position):
            found.append(Token("number", match[0], line, line))
            position = match.end()
        elif text.startswith("->", position):
            found.append(Token("punct", "->", line, line))
            position += 2
        elif char == "\\" and text.startswith("\n", position + 1):
            position += 2
            line += 1
        else:
            found.append(Token("punct", char, line, line))
            position += 1
    return found


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _slashy(text: str, position: int, found: list[Token]) -> bool:
    if found and found[-1].text not in _BEFORE_SLASHY and found[-1].kind != "newline":
        return False
    end = text.find("/", position + 1, _line_end(text, position))
    return end > position + 1


@dataclass
class _Limits:
    """How often an expression that never closes is looked for: each look costs `_MAX_EXPRESSION`."""

    looks: int = 200


def _string(text: str, position: int, line: int, limits: _Limits) -> tuple[Token, int] | None:
    """The string that begins here and where it ends, or None when its line ends before it does."""
    for quote in ("'''", '"""', "$/", "'", '"', "/"):
        if text.startswith(quote, position):
            break
    closing = "/$" if quote == "$/" else quote
    many_lines = len(quote) > 1
    raw = quote in ("$/", "/")
    dollars = quote not in ("'", "'''")
    start, at = line, position + len(quote)
    parts: list[str] = []
    breaks: list[tuple[int, int]] = [(0, line)]
    inner: list[tuple[int, int, str]] = []
    size = 0

    def add(piece: str) -> None:
        nonlocal size
        parts.append(piece)
        size += len(piece)

    while True:
        match = _PLAIN_END.search(text, at)
        if match is None:
            if not many_lines:
                return None
            add(text[at:])
            return Token("string", "".join(parts), start, line, tuple(breaks), tuple(inner)), len(text)
        add(text[at : match.start()])
        at = match.start()
        char = text[at]
        if text.startswith(closing, at):
            at += len(closing)
            return Token("string", "".join(parts), start, line, tuple(breaks), tuple(inner)), at
        if char == "\n":
            if not many_lines:
                return None
            add("\n")
            at += 1
            line += 1
            breaks.append((size, line))
        elif char == "\\" and not raw:
            following = text[at + 1 : at + 2]
            at += 2
            if following == "\r" and text.startswith("\n", at):
                following, at = "\n", at + 1
            if following == "\n":
                line += 1
                breaks.append((size, line))
            elif following == "u" and re.match(r"[0-9A-Fa-f]{4}", text[at : at + 4]):
                add(chr(int(text[at : at + 4], 16)))
                at += 4
            else:
                add(_ESCAPES.get(following, following))
        elif char == "$" and dollars:
            piece, end = _interpolation(text, at, limits)
            newlines = text.count("\n", at, end)
            if newlines and not many_lines:
                return None
            written = text[at + 1 : end].removeprefix("{").removesuffix("}")
            if piece != "$":
                inner.append((size, size + len(piece), written))
            add(piece)
            at = end
            if newlines:
                line += newlines
                breaks.append((size, line))
        else:
            add(char)
            at += 1


def _interpolation(text: str, at: int, limits: _Limits) -> tuple[str, int]:
    """What stands for ``$name`` or ``${expression}``, and where it ends."""
    if text.startswith("${", at):
        end = _closing_brace(text, at + 2) if limits.looks > 0 else None
        if end is None:
            limits.looks -= 1
            return "$", at + 1
        simple = _SIMPLE.fullmatch(text, at + 2, end)
        if simple is not None:
            return f"${{{simple[1]}}}", end + 1
        return "${expression}", end + 1
    match = _INTERPOLATED_NAME.match(text, at)
    if match is None:
        return "$", at + 1
    if match[1] in ("env", "params") or match[2]:
        return "${expression}", match.end()
    return f"${{{match[1]}}}", match.end()


def _closing_brace(text: str, at: int) -> int | None:
    depth = 1
    for index in range(at, min(len(text), at + _MAX_EXPRESSION)):
        char = text[index]
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if not depth:
                return index
    return None
