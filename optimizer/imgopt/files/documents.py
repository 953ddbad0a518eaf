"""JSON and TOML that somebody else wrote."""

from __future__ import annotations

import json
import sys
from typing import Any

#: Of an integer that fits into 64 bits; a longer one counts nothing.
_MOST_DIGITS = 19
#: Python's reader takes the square of a key's parts, those of its table included; a file of thousands of lines has some 100,000.
_MOST_STEPS = 5_000_000


def parsed_json(data: bytes | str) -> Any:
    """The document; ValueError for what is none, also for one that is nested too deep.

    A number that is longer than any count or size becomes a float, which no reader of counts takes: Python would
    refuse it in one place, or fail to divide by it in another.
    """
    try:
        return json.loads(data, parse_int=_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def parsed_toml(text: str) -> dict[str, Any]:
    """The document; ValueError for what is none, also for one that is nested too deep or has keys without end."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    steps = table = 0
    for line in text.split("\n"):
        parts = line.count(".") + 1
        if line.lstrip().startswith("["):
            table = parts
        steps += (table + parts) ** 2
    if steps > _MOST_STEPS:
        raise ValueError("Its keys have too many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("It is nested too deep") from None
