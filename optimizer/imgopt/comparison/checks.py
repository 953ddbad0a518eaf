"""One thing compared of two images, and what came of it."""

from __future__ import annotations

from typing import Literal

from imgopt.light.records import dataclass

#: ``expected``: different for a reason that is no fault (``reason`` says which). ``unknown``: could not be compared.
Verdict = Literal["same", "expected", "different", "unknown"]
#: The note of a comparison that started nothing.
NOT_STARTED = "the images were not started"
Value = object  # what JSON can hold


@dataclass(frozen=True, slots=True)
class Check:
    """``name``: what was compared, in the words of an image config or of a person ("Entrypoint", "answer of /").
    ``before`` and ``after`` are what the original and the rewrite have: anything that JSON can hold. ``remedy``: of an
    unknown without which nothing is shown, because a time ran out: what to raise or give to make it known."""

    name: str
    before: Value
    after: Value
    verdict: Verdict
    reason: str | None = None
    remedy: str | None = None

    @property
    def fine(self) -> bool:
        return self.verdict != "different"

    @property
    def missing(self) -> str | None:
        """Why this leaves the whole not measured, and what to do; None when it does not."""
        if self.verdict != "unknown" or self.remedy is None:
            return None
        return f"{self.name}: {self.reason or 'could not be compared'}; {self.remedy}"

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "same": self.verdict == "same",
            "verdict": self.verdict,
            "reason": self.reason,
            "remedy": self.remedy,
        }


def check(name: str, before: Value, after: Value) -> Check:
    """Same or different, nothing between."""
    return Check(name, before, after, "same" if before == after else "different")
