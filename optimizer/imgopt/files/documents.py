"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

#: Of an integer that fits into 64 bits; a longer one counts nothing.
_MOST_DIGITS = 19


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
