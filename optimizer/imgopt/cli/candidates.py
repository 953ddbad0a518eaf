"""The values that `imgopt completion` offers for options whose names of values stand in code."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def candidates(what: Literal["rules", "profiles", "forbidden", "fleet"], incomplete: str) -> list[str]:
    """The values that begin with what stands there; of a list, its last name."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _names(what) if name.startswith(last)]


def _names(what: Literal["rules", "profiles", "forbidden", "fleet"]) -> list[str]:
    if what == "rules":
        from imgopt_rules import EVERY_RULE

        return [rule.id for rule in EVERY_RULE]
    if what == "profiles":
        from imgopt.bandwidths import PROFILES

        return [profile.name for profile in PROFILES]
    if what == "fleet":
        return sorted(path.stem.removeprefix("fleet_") for path in Path(__file__).parent.glob("fleet_*.py"))
    from imgopt.gate.budgets import FORBIDDEN

    return list(FORBIDDEN)
