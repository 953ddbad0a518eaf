"""Whose the bytes are: what one finding tells, no later one tells again."""

from __future__ import annotations

from collections.abc import Iterable

from imgopt.finding import Declined, Finding
from imgopt.light.records import replace


def told_once(said: Iterable[Finding | Declined]) -> tuple[Finding | Declined, ...]:
    """The same without files that an earlier finding tells already, in the order that it is said in.

    A file is told by the layer that stores it and its path there: one that a RUN stores again is another. A finding
    keeps what is left to it; nothing being left, it goes when it is advice only, and keeps its fix otherwise, whose
    own weight counts. "Mended together with" another one is only said where that one is mended.
    """
    said = tuple(said)
    mended = {
        entry.rule
        for entry in said
        if isinstance(entry, Finding) and entry.fix is not None and entry.fix.applies
    }
    told: set[tuple[int, str]] = set()
    kept: list[Finding | Declined] = []
    for entry in said:
        if isinstance(entry, Finding) and entry.solved_by is not None and entry.solved_by not in mended:
            entry = replace(entry, solved_by=None)
        waste = entry.waste if isinstance(entry, Finding) else None
        if not isinstance(entry, Finding) or waste is None or waste.stored_by is None or not waste.files:
            kept.append(entry)
            continue
        layer = waste.stored_by.number
        own = tuple(file for file in waste.files if (layer, file.path) not in told)
        told |= {(layer, file.path) for file in own}
        if own == waste.files:
            kept.append(entry)
        elif own:
            kept.append(replace(entry, waste=replace(waste, files=own)))
        elif entry.fix is not None and entry.fix.applies:
            kept.append(replace(entry, waste=None))
    return tuple(kept)
