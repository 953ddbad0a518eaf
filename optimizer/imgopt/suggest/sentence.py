"""Sentences as people read them: each place with the line that it has in the text that is shown."""

from __future__ import annotations

from imgopt.finding import Place, Sentence

#: Of an instruction without a line so many characters are said.
_SHOWN = 60


def sentence(said: str | Sentence) -> str:
    """The text, "line 3" or "line 3 of the rewrite" where a place stands; what is no line of either is called by its
    words."""
    if isinstance(said, str):
        return said
    return "".join(part if isinstance(part, str) else _named(part) for part in said.parts)


def line_of(place: Place) -> int | None:
    """The line in the text that is shown; None for what stands in neither."""
    return place.instruction.line if place.text != "between" else None


def _named(place: Place) -> str:
    line = line_of(place)
    if line is None:
        words = " ".join(f"{place.instruction.keyword} {place.instruction.text}".split())
        return f"`{words if len(words) <= _SHOWN else words[: _SHOWN - 1] + '…'}`"
    shown = str(line) if place.bare else f"line {line}"
    return shown if place.text == "original" else f"{shown} of the rewrite"
