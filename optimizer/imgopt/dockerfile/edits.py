"""Changes to a text, as spans and what replaces them."""

from __future__ import annotations

from collections.abc import Iterable

from imgopt.dockerfile.document import Span
from imgopt.light.records import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """``replacement`` instead of what stands at ``span``; an empty span inserts."""

    span: Span
    replacement: str


def in_order(edits: Iterable[Edit]) -> list[Edit]:
    """As they stand in the text, equal ones once."""
    return sorted(dict.fromkeys(edits), key=lambda edit: (edit.span.start, edit.span.end))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; nothing outside their spans changes.

    Equal edits count once, insertions at one point keep their order and come before what replaces the text
    behind that point. ValueError for spans outside the text and for different edits that overlap.
    """
    parts: list[str] = []
    done = 0
    for edit in in_order(edits):
        start, end = edit.span.start, edit.span.end
        if not 0 <= start <= end <= len(text):
            raise ValueError(f"edit of {start}..{end} is outside the text of {len(text)} characters")
        if start < done:
            raise ValueError(f"edit of {start}..{end} overlaps one that ends at {done}")
        parts += [text[done:start], edit.replacement]
        done = end
    return "".join([*parts, text[done:]])
