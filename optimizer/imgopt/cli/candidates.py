"""The values that `imgopt completion` offers for options whose names of values stand in code."""

from __future__ import annotations

from typing import Literal


def candidates(what: Literal["rules", "profiles", "forbidden"], incomplete: str) -> list[str]:
    """The values that begin with what stands there; of a list, its last name."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _names(what) if name.startswith(last)]


def _names(what: Literal["rules", "profiles", "forbidden"]) -> list[str]:
    if what == "rules":
        from imgopt_rules import EVERY_RULE

        return [rule.id for rule in EVERY_RULE]
    if what == "profiles":
        from imgopt.bandwidths import PROFILES

        return [profile.name for profile in PROFILES]
    from imgopt.gate.budgets import FORBIDDEN

    return list(FORBIDDEN)
