"""Lines of styled words: one layout, which a pipe gets plain and a terminal gets in colour.

Nothing here knows a terminal, and no meaning hangs on a colour. Columns are terminal cells.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from imgopt.light.patterns import regex
from imgopt.text.foreign import commands_in, numbered
from imgopt.text.foreign import visible as visible  # of this module for those who lay lines out

Style = Literal["", "strong", "dim", "name", "good", "bad", "warn", "add", "remove", "place"]
Piece = tuple[str, Style]
Line = tuple[Piece, ...]

_WORDS = regex(r"<?-?\d[\d.]* (?:GB|MB|min|s|h|%)(?![A-Za-z])\S*|\S+")


def cells(text: str) -> int:
    """How many terminal cells the text takes; CJK takes two each."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def line(*pieces: Piece | str) -> Line:
    return tuple((piece, "") if isinstance(piece, str) else piece for piece in pieces)


def dim(text: str) -> Line:
    return ((text, "dim"),)


def safe(each: Line) -> Line:
    """The line as it may be shown: nothing in it acts, and it is no command to the runner of a CI job."""
    pieces = [(visible(text), style) for text, style in each]
    broken = set(commands_in("".join(text for text, _ in pieces)))
    if not broken:
        return tuple(pieces)
    found: list[Piece] = []
    at = 0
    for text, style in pieces:
        signs = (numbered(sign) if place in broken else sign for place, sign in enumerate(text, at))
        found.append(("".join(signs), style))
        at += len(text)
    return tuple(found)


def plain(lines: Iterable[Line]) -> str:
    """The text without styles, each line ended, no blanks at line ends."""
    return "".join("".join(text for text, _ in each).rstrip() + "\n" for each in lines)


def wrapped(text: str, width: int, *, first: Line = (), indent: int = 0, style: Style = "") -> list[Line]:
    """``text`` broken at blanks after ``first``; following lines start ``indent`` cells in.

    A word that is too long stays whole: an image name or a path must survive being copied. A number
    stays with its unit.
    """
    rows: list[str] = []
    current = ""
    room = width - max(indent, sum(cells(piece) for piece, _ in first))
    for word in _WORDS.findall(visible(text)):
        if current and cells(current) + 1 + cells(word) > room:
            rows.append(current)
            current, room = word, width - indent
        else:
            current = f"{current} {word}" if current else word
    rows.append(current)
    return [
        (*(first if number == 0 else line(" " * indent)), (row, style)) for number, row in enumerate(rows)
    ]


def table(
    rows: Sequence[Sequence[Line | str]], *, left: int = 1, indent: int = 2, gap: int = 2
) -> list[Line]:
    """Columns as wide as their widest cell: the first ``left`` flush left, the others flush right."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths.get(column, 0), width_of(_pieces(cell)))
    lines = []
    for row in rows:
        pieces: list[Piece] = [(" " * indent, "")]
        for column, cell in enumerate(row):
            padding = " " * (widths[column] - width_of(_pieces(cell)))
            between = " " * gap if column else ""
            if column < left:
                pieces += [(between, ""), *_pieces(cell), (padding, "")]
            else:
                pieces += [(between + padding, ""), *_pieces(cell)]
        lines.append(tuple(piece for piece in pieces if piece[0]))
    return lines


def _pieces(cell: Line | str) -> Line:
    return ((cell, ""),) if isinstance(cell, str) else cell


def width_of(each: Line) -> int:
    return sum(cells(text) for text, _ in each)


def tail(text: str, width: int) -> str:
    """The end of a path that is too long for its column: the file's name says more than its root."""
    if cells(text) <= width:
        return text
    text = text[-width:]  # a cell holds at most one character
    while text and cells(text) > width - 3:
        text = text[1:]
    return f"...{text}"


def head(text: str, width: int) -> str:
    """The start of an instruction that is too long for its column."""
    if cells(text) <= width:
        return text
    text = text[:width]  # a cell holds at most one character
    while text and cells(text) > width - 3:
        text = text[:-1]
    return f"{text}..."
