"""The ordered words that results are said with, and sums that are only as good as their weakest part."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Literal

from imgopt.light.records import dataclass


class Applicability(IntEnum):
    """How far a fix can be trusted; fixes below the asked level are reported, not applied."""

    MANUAL = 0  # advice: the author must finish it
    UNSAFE = 1  # builds, but the application may behave differently; needs --unsafe
    SAFE = 2  # same behaviour, fewer bytes, shown from facts at hand

    @property
    def label(self) -> str:
        return self.name.lower()


#: Bytes a second of the slow link that severities are measured on.
SLOW_LINK = 500_000


class Severity(str, Enum):
    """How much the waste costs. `of` says it of bytes; a rule that knows none says what its kind of waste costs."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @classmethod
    def of(cls, size: int | None, *, complete: bool = True, rate: int = SLOW_LINK) -> Severity:
        """What ``size`` bytes cost that are pushed for nothing; ``complete`` is False when there may be more of them.
        ``rate``: bytes a second of the link that they go over; bytes count for less on a faster one.

        Measured on the link that pushes wait for, 0.5 to 1 MB/s (the profile ``aliyun-personal``): ``high`` from 10 MB,
        10 to 20 seconds of each push, which somebody who waits for it looks up for; ``medium`` from 1 MB, one or two
        seconds; ``low`` is less than the time that a push takes anyway. An unknown size (None, or unknown parts
        beside a known one) is at least ``medium``: it may be large, but does not fail a build on a guess.
        """
        cost = None if size is None else size * SLOW_LINK / rate
        if cost is not None and cost >= 10_000_000:
            return cls.HIGH
        if cost is None or cost >= 1_000_000 or not complete:
            return cls.MEDIUM
        return cls.LOW

    @property
    def rank(self) -> int:
        return ("low", "medium", "high").index(self.value)


Basis = Literal["measured", "catalogue", "predicted", "unknown"]
#: From strongest to weakest: a sum is only as good as its weakest known part.
BASES: tuple[Basis, ...] = ("measured", "catalogue", "predicted", "unknown")


#: A lower bound below this says nothing: what is large is what is unknown.
SAYS_SOMETHING = 100_000
#: What a fix saves below this is not worth a line.
SAID_BYTES = 1_000


@dataclass(frozen=True)
class Sum:
    """Known parts added up. ``complete`` is False when a part is unknown: the text prints "at least"."""

    value: int | None
    basis: Basis
    complete: bool

    @property
    def told(self) -> int | None:
        """The value as far as it says something, None otherwise: what people are shown goes through this."""
        if self.value is None or self.complete or self.value >= SAYS_SOMETHING:
            return self.value
        return None


def total(parts: list[tuple[int | None, Basis]]) -> Sum:
    """Adds what is known; the basis is the weakest of the known parts."""
    known = [(value, basis) for value, basis in parts if value is not None]
    if not known:
        return Sum(0, "measured", True) if not parts else Sum(None, "unknown", False)
    basis = max((basis for _, basis in known), key=BASES.index)
    return Sum(sum(value for value, _ in known), basis, len(known) == len(parts))
