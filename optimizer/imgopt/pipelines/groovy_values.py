"""What Groovy expressions are, as far as the file tells: lists, strings, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from imgopt.pipelines.blocks import Block, Item, arguments, is_name, is_punct
from imgopt.pipelines.model import Place, Text, Timeout
from imgopt.pipelines.tokens import Token, element_name

_UNITS = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 1e-3,
    "SECONDS": 1.0,
    "MINUTES": 60.0,
    "HOURS": 3600.0,
    "DAYS": 86400.0,
}
LONGEST_VALUE = 2_000  # characters of a value that is kept
_NAMES = re.compile(r"\$\{?(\w+)\}?")
#: A value of a list: what each of the loop's variables is.
Values = list[tuple[str, ...]]


def list_of(items: Sequence[Item]) -> Values | None:
    """``['a', 'b']``, ``[a: 'x', b: 'y']`` (pairs) or ``'a b'.split()``, where all of it stands there."""
    if not items:
        return None
    first = items[0]
    if isinstance(first, Token) and first.kind == "string" and len(items) > 2:
        if is_punct(items[1], ".") and is_name(items[2]) and not isinstance(items[2], Block):
            if items[2].text not in ("split", "tokenize"):
                return None
            by = next(
                (item.text for item in items[3:6] if isinstance(item, Token) and item.kind == "string"), None
            )
            parts = re.split(rf"[{re.escape(by)}]" if by else r"\s+", first.text)
            return [(part.strip(),) for part in parts if part.strip()]
        return None
    if not is_punct(first, "["):
        return None
    values: Values = []
    part: list[Token] = []
    for item in items[1:]:
        if isinstance(item, Block) or is_punct(item, "[") or is_punct(item, "("):
            return None
        if is_punct(item, ",") or is_punct(item, "]"):
            value = _entry(part)
            if value is None and part:
                return None
            if value is not None:
                values.append(value)
            part = []
            if is_punct(item, "]"):
                return values
        else:
            part.append(item)
    return None


def _entry(part: list[Token]) -> tuple[str, ...] | None:
    if len(part) == 1 and part[0].kind == "string" and "$" not in part[0].text:
        return (part[0].text,)
    if len(part) == 3 and part[1].text == ":" and part[2].kind == "string" and "$" not in part[2].text:
        return (part[0].text, part[2].text)
    return None


def limited(place: Place, given: list[Item], line: int) -> Place:
    positional, named = arguments(given)
    time = named.get("time") or (positional[0] if positional else [])
    unit = next(
        (item.text for item in named.get("unit", []) if isinstance(item, Token) and item.kind == "string"),
        "MINUTES",
    )
    activity = any(is_name(item, "true") for item in named.get("activity", []))
    number = (value_of(time, place.variables) or "").replace("_", "")
    if activity or not re.fullmatch(r"\d{1,9}", number) or unit.upper() not in _UNITS:
        return place
    shown = f"timeout(time: {number}, unit: '{unit}')"
    seconds = int(number) * _UNITS[unit.upper()]
    limit = Timeout(seconds, line, shown, "jenkins")
    return replace(place, timeouts=(*place.timeouts, limit)) if seconds > 0 else place


def joined(directory: str | None, path: str | None) -> str | None:
    if directory is None or not path or path.startswith("/") or "$" in path:
        return None
    return f"{directory}/{path}".strip("/") if path != "." else directory


def with_env(items: Sequence[Item], variables: Mapping[str, str | None]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for item in items:
        if isinstance(item, Token) and item.kind == "string" and "=" in item.text:
            name, _, value = item.text.partition("=")
            known = filled(value, variables)
            found[name] = None if "$" in known else known
    return found


def first_string(items: Sequence[Item]) -> str:
    return next((item.text for item in items if isinstance(item, Token) and item.kind == "string"), "")


def filled(text: str, variables: Mapping[str, str | None]) -> str:
    def value(match: re.Match[str]) -> str:
        known = variables.get(match[1])
        return match[0] if known is None else known

    return _NAMES.sub(value, text) if "$" in text and len(text) <= LONGEST_VALUE else text


def value_of(items: Sequence[Item], variables: Mapping[str, str | None]) -> str | None:
    """The text of an expression made of strings, numbers, known names and elements of lists, or None."""
    texts = [item.text for item in items[:4] if isinstance(item, Token)]
    if len(items) == 4 and [texts[1:2], texts[3:]] == [["["], ["]"]]:
        return variables.get(element_name(texts[0], texts[2]))
    parts: list[str] = []
    for item in items:
        if isinstance(item, Block):
            return None
        if item.kind in ("string", "number"):
            parts.append(filled(item.text, variables))
        elif item.kind == "name" and item.text in ("env", "params"):
            continue
        elif item.kind == "name":
            known = variables.get(item.text)
            if known is None:
                return None
            parts.append(known)
        elif item.text not in ("+", ".") or (item.text == "." and parts):
            return None
    text = "".join(parts)
    return None if not parts or "$" in text or len(text) > LONGEST_VALUE else text


def text_of(items: Sequence[Item]) -> Text | None:
    """A script argument: strings and what is added to them; an expression becomes ``${expression}``."""
    parts: list[str] = []
    breaks: list[tuple[int, int]] = []
    size = 0
    added = True
    for item in items:
        if isinstance(item, Block):
            return None
        if is_punct(item, "+"):
            added = True
            continue
        if item.kind == "string":
            breaks += [(size + offset, line) for offset, line in item.breaks]
            piece = item.text
        elif item.kind == "name" and added:
            breaks.append((size, item.line))
            piece = f"${{{item.text}}}"
        elif is_punct(item, ".") and parts and not breaks:
            return None
        else:
            added = False  # .trim(), .stripIndent() and what else is called on it
            continue
        if added:
            parts.append(piece)
            size += len(piece)
        added = False
    return (
        Text("".join(parts), tuple(breaks))
        if any(item.kind == "string" for item in items if isinstance(item, Token))
        else None
    )
