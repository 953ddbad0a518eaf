"""A pattern that is compiled when it is first used does what a compiled one does."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from imgopt.light.patterns import regex


@pytest.mark.parametrize(("text", "flags"), [(r"(?P<a>a+)(b)?", 0), ("A+", re.IGNORECASE), (b"a+", 0)])
def test_it_does_what_a_compiled_one_does(text: str, flags: int) -> None:
    given = b"xaab aab" if isinstance(text, bytes) else "xaab aab"
    with_ = given[:1]

    def told(pattern: re.Pattern[str]) -> list[object]:
        return [
            pattern.match(given), pattern.match(given, 1), pattern.fullmatch(given), pattern.search(given), pattern.findall(given),
            pattern.sub(with_, given), pattern.subn(with_, given), pattern.split(given), len(list(pattern.finditer(given))),
            pattern.groups, pattern.groupindex, pattern.flags, pattern.pattern,
        ]  # fmt: skip

    for lazy, compiled in zip(told(regex(text, flags)), told(re.compile(text, flags)), strict=True):
        if isinstance(compiled, re.Match):
            assert isinstance(lazy, re.Match) and (lazy.span(), lazy.groups()) == (
                compiled.span(),
                compiled.groups(),
            )
        else:
            assert lazy == compiled


def test_it_is_not_compiled_before() -> None:
    broken = regex("(")
    assert broken.pattern == "("
    with pytest.raises(re.error):
        broken.match("a")
    with pytest.raises(AttributeError):
        _ = regex("a").unheard  # type: ignore[attr-defined]


def test_it_can_be_copied_and_sent_to_another_process() -> None:
    for again in (copy.deepcopy(regex("a+", re.I)), pickle.loads(pickle.dumps(regex("a+", re.I)))):
        assert again.fullmatch("AA")
