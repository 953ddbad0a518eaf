"""A unified diff that patch(1) and git apply take: CRLF, no final newline and odd names included."""

from __future__ import annotations

import os
from collections.abc import Iterator

from imgopt.report.layout import Line, Style, visible

_CONTEXT = 3


def unified(before: str, after: str, path: str) -> str:
    """The difference; empty when there is none. Lines end where ``\\n`` stands, so ``\\r`` stays in them."""
    from difflib import unified_diff

    if before == after:
        return ""
    name = "Dockerfile" if path == "-" else path.replace(os.sep, "/").lstrip("/")
    rows: list[str] = []
    lines = unified_diff(
        _lines(before), _lines(after), _header(f"a/{name}"), _header(f"b/{name}"), n=_CONTEXT, lineterm="\n"
    )
    for row in lines:
        rows.append(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n")
    return "".join(rows)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [f"{each}\n" for each in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _header(name: str) -> str:
    """A file name as git writes it: in C quotes when it holds what a header cannot, else with a tab at its end."""
    if any(char in '"\\\t' for char in name) or visible(name) != name:
        data = name.encode("utf-8", "surrogateescape")
        return '"' + "".join(_quoted(byte) for byte in data) + '"'
    return f"{name}\t" if " " in name else name


def _quoted(byte: int) -> str:
    if byte in b'"\\':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def coloured(difference: str) -> Iterator[Line]:
    """The diff for a terminal, where control characters must not act."""
    for row in difference.removesuffix("\n").split("\n"):
        style: Style = ""
        if row.startswith(("---", "+++")):
            style = "strong"
        elif row.startswith("@@"):
            style = "place"
        elif row.startswith("+"):
            style = "add"
        elif row.startswith("-"):
            style = "remove"
        elif row.startswith("\\"):
            style = "dim"
        yield ((visible(row.removesuffix("\r")), style),)
