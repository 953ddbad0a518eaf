"""Runs rules over a picture."""

from __future__ import annotations

from collections.abc import Iterable

from imgopt.finding import Declined, Finding
from imgopt.picture import Picture
from imgopt.rule import Rule
from imgopt.suggest.attribution import told_once


def analyze(picture: Picture, rules: Iterable[Rule]) -> tuple[Finding | Declined, ...]:
    """What the rules say about the picture, in the rules' order, silenced and deselected ones left out; no bytes are
    told by two of them."""
    if picture.ignored is not None:
        return ()
    said: list[Finding | Declined] = []
    for rule in rules:
        if picture.options.select and rule.id not in picture.options.select:
            continue
        for entry in rule(picture):
            if picture.active(entry.rule, entry.line) and entry not in said:
                said.append(entry)
    return told_once(said)


def findings(said: Iterable[Finding | Declined]) -> tuple[Finding, ...]:
    return tuple(entry for entry in said if isinstance(entry, Finding))
