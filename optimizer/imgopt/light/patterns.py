"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

__all__ = ["regex"]

#: What callers use again and again; looked up once, then as near as that of a compiled one.
_OFTEN = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")


class _Regex:
    """Stands for the `re.Pattern` of a text: everything that a pattern has is asked of one that is compiled then."""

    def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
        self.pattern = pattern
        self._given = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self.pattern, self._given)
        for each in _OFTEN:
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Regex, (self.pattern, self._given)

    def __repr__(self) -> str:
        return f"regex({self.pattern!r})"


if TYPE_CHECKING:
    from re import compile as regex
else:
    regex = _Regex
