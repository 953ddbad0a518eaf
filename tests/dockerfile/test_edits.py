from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt.dockerfile import Edit, Span, apply_edits


def edit(start: int, end: int, replacement: str) -> Edit:
    return Edit(Span(start, end), replacement)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], "0123456789"),
        ([edit(2, 4, "x")], "01x456789"),
        ([edit(7, 9, ""), edit(0, 1, "ab"), edit(3, 3, "-")], "ab12-34569"),
        ([edit(2, 4, "x"), edit(2, 4, "x")], "01x456789"),
        ([edit(3, 3, "a"), edit(3, 3, "b"), edit(3, 3, "a")], "012ab3456789"),
        ([edit(2, 4, "x"), edit(2, 2, "<"), edit(4, 4, ">")], "01<x>456789"),
        ([edit(2, 4, "x"), edit(4, 6, "y"), edit(4, 4, "|")], "01x|y6789"),
        ([edit(0, 0, "<"), edit(10, 10, ">")], "<0123456789>"),
        ([edit(0, 10, "")], ""),
    ],
)
def test_edits(edits: list[Edit], expected: str) -> None:
    assert apply_edits("0123456789", edits) == expected
    assert apply_edits("0123456789", iter(edits)) == expected


@pytest.mark.parametrize(
    "edits",
    [
        [edit(2, 4, "x"), edit(2, 4, "y")],
        [edit(2, 4, "x"), edit(3, 5, "x")],
        [edit(2, 4, "x"), edit(3, 3, "x")],
        [edit(2, 4, "x"), edit(2, 3, "x")],
        [edit(-1, 2, "x")],
        [edit(9, 11, "x")],
        [edit(4, 2, "x")],
    ],
)
def test_edits_that_cannot_be_made_together(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="edit of"):
        apply_edits("0123456789", edits)


@given(st.text(), st.lists(st.tuples(st.integers(0, 20), st.text(max_size=3)), max_size=5), st.randoms())
def test_the_order_of_edits_at_different_places_does_not_matter(
    text: str, insertions: list[tuple[int, str]], random: object
) -> None:
    edits = list({at: edit(at, at, new) for at, new in insertions if at <= len(text)}.values())
    expected = apply_edits(text, edits)
    random.shuffle(edits)  # type: ignore[attr-defined]
    assert apply_edits(text, edits) == expected
    assert len(expected) == len(text) + sum(len(each.replacement) for each in edits)
