"""One thing compared of two images, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``expected``: different for a reason that is no fault (``reason`` says which). ``unknown``: could not be compared.
Verdict = Literal["same", "expected", "different", "unknown"]
Value = object  # what JSON can hold


@dataclass(frozen=True, slots=True)
class Check:
    """``name``: what was compared, in the words of an image config or of a person ("Entrypoint", "answer of /").
    ``before`` and ``after`` are what the original and the rewrite have: anything that JSON can hold."""

    name: str
    before: Value
    after: Value
    verdict: Verdict
    reason: str | None = None

    @property
    def fine(self) -> bool:
        return self.verdict != "different"

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "same": self.verdict == "same",
            "verdict": self.verdict,
            "reason": self.reason,
        }


def check(name: str, before: Value, after: Value) -> Check:
    """Same or different, nothing between."""
    return Check(name, before, after, "same" if before == after else "different")
