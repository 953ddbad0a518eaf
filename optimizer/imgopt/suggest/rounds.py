"""The texts that a rewrite goes through, and where an instruction of one of them stands in the text that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imgopt.dockerfile import Dockerfile, Edit, Instruction
from imgopt.finding import Place
from imgopt.light.records import dataclass, replace


@dataclass(frozen=True)
class Rounds:
    """``documents`` from the original to the final rewrite; ``edits[n]`` make ``documents[n + 1]`` of ``documents[n]``."""

    documents: Sequence[Dockerfile]
    edits: Sequence[Sequence[Edit]]

    def shown(self, place: Place, number: int) -> Place:
        """A place in ``documents[number]`` as one in the original, else in the final rewrite. What stands in neither,
        or cannot be told from another instruction with the same words, is ``between``."""
        instruction = place.instruction
        if number == 0:
            return place
        found = self._back(instruction, number) or _same_words(instruction, self.documents[0])
        if found is not None:
            return replace(place, instruction=found, text="original")
        found = self._on(instruction, number) or _same_words(instruction, self.documents[-1])
        if found is not None:
            return replace(place, instruction=found, text="rewrite")
        return replace(place, text="between")

    def _back(self, instruction: Instruction, number: int) -> Instruction | None:
        at: int | None = instruction.keyword_span.start
        for edits in reversed(self.edits[:number]):
            at = _moved(at, [(new, old, size) for old, new, size in _kept(edits)])
        return _starting(at, instruction, self.documents[0])

    def _on(self, instruction: Instruction, number: int) -> Instruction | None:
        at: int | None = instruction.keyword_span.start
        for edits in self.edits[number:]:
            at = _moved(at, list(_kept(edits)))
        return _starting(at, instruction, self.documents[-1])


def _kept(edits: Sequence[Edit]) -> Iterator[tuple[int, int, float]]:
    """The stretches that no edit touches, as `apply_edits` copies them: where each begins in the old text, where in the
    new one, and its length."""
    old = new = 0
    for edit in sorted(dict.fromkeys(edits), key=lambda edit: (edit.span.start, edit.span.end)):
        size = edit.span.start - old
        yield old, new, size
        old, new = edit.span.end, new + size + len(edit.replacement)
    yield old, new, float("inf")


def _moved(at: int | None, kept: Sequence[tuple[int, int, float]]) -> int | None:
    if at is None:
        return None
    return next((to + at - start for start, to, size in kept if start <= at < start + size), None)


def _starting(at: int | None, like: Instruction, document: Dockerfile) -> Instruction | None:
    return next(
        (
            each
            for each in document.instructions
            if each.keyword_span.start == at and each.keyword == like.keyword
        ),
        None,
    )


def _same_words(like: Instruction, document: Dockerfile) -> Instruction | None:
    """The one instruction that says the same, moved to another stage perhaps; None when there are several."""
    found = [
        each
        for each in document.instructions
        if (each.keyword, _flags(each), each.text) == (like.keyword, _flags(like), like.text)
    ]
    return found[0] if len(found) == 1 else None


def _flags(instruction: Instruction) -> list[tuple[str, str | None]]:
    return [(flag.name, flag.value) for flag in instruction.flags]
