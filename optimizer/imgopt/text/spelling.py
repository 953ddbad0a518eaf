"""The known name that a mistyped one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar of ``known``, or None when nothing is similar enough to be worth saying."""
    from difflib import get_close_matches

    names = {name.casefold(): name for name in known}
    matches = get_close_matches(word.casefold(), names, n=1, cutoff=0.5)
    return names[matches[0]] if matches else None


def choose_from(word: str, known: Iterable[str]) -> str:
    """What to do about an unknown name, as an error's hint: the nearest name, or all of them."""
    names = list(known)
    match = nearest(word, names)
    return f"did you mean {match}?" if match else f"one of {', '.join(names)}"
