"""Bytes, rates and seconds as people write and read them.

Exact: ``MB`` is 10^6 bytes, ``MiB`` 2^20, ``Mbit`` 10^6 bits. What is printed is always MB.
"""

from __future__ import annotations

import re

from imgopt.errors import UsageError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_QUANTITY = regex(rf"({_NUMBER})\s*([A-Za-z]*)")
_RATE = regex(rf"({_NUMBER})\s*([A-Za-z]*)(?:/s)?")
# the prefix in either case, what it counts exactly: `b` alone could be meant as bits or as bytes
_UNIT = regex(r"([kKMGT]?i?)(B|bit|Bit)")
_BITS = regex(r"([kmgt]?)(?:bits?|bps)", re.IGNORECASE)

#: Nothing pushes an image slower or faster; it catches a wrong unit and keeps seconds finite.
SLOWEST, FASTEST = 1, 10**12


def parse_size(text: str) -> int:
    """``200MB``, ``1.5 GiB``, ``4096B`` as bytes. UsageError for anything else, a bare number included."""
    match = _QUANTITY.fullmatch(text.strip())
    unit = _UNIT.fullmatch(match[2]) if match else None
    if match is None or unit is None or unit[2] != "B":
        raise UsageError(
            f"{text!r} is not a size", "write bytes with their unit: 200MB (10^6) or 200MiB (2^20)"
        )
    return _scaled(match[1], _multiplier(unit[1]))


def parse_rates(text: str) -> tuple[int, ...]:
    """A rate, or both ends of a range, in bytes a second.

    ``0.5MB/s``, ``8Mbit/s``, ``100mbit``, ``2MiB/s``, ``0.5-1MB/s``, ``500kB/s-1MB/s``.
    UsageError for anything else, and where ``b`` could mean bits or bytes.
    """
    low, dash, high = text.strip().partition("-")
    if not dash:
        return (_rate(low, "", text),)
    ending = re.search(r"[A-Za-z/]+$", high.strip())
    rates = (_rate(low, ending[0] if ending else "", text), _rate(high, "", text))
    if rates[0] > rates[1]:
        raise UsageError(f"the range {text!r} starts above its end", "write the lower rate first")
    return rates if rates[0] < rates[1] else rates[:1]


def parse_delay(text: str) -> float:
    """``40ms``, ``0.04s`` as seconds, at most a minute. UsageError for anything else, a bare number included."""
    match = re.fullmatch(rf"({_NUMBER})\s*(ms|s)", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a time", "write it as 40ms or 0.04s")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > 60:
        raise UsageError(f"no answer takes {text!r}", "give the time that ping shows, at most 60s")
    return seconds


def _rate(text: str, unit: str, whole: str) -> int:
    """One rate; ``unit`` is the range's, for a first end that has none of its own."""
    text = text.strip()
    match = _RATE.fullmatch(text + unit if re.fullmatch(_NUMBER, text) else text)
    if match is None:
        raise UsageError(
            f"{whole!r} is not a rate", "write 0.5MB/s, 8Mbit/s, a range 0.5-1MB/s or a profile's name"
        )
    bits = _BITS.fullmatch(match[2])
    # `MBps` is bytes, `Mbps` and `mbps` are bits; only a capital B tells the first from the others
    if bits and not match[2].endswith("Bps"):
        rate = _scaled(match[1], _multiplier(bits[1]), 8)
    else:
        byte_unit = _UNIT.fullmatch(match[2].removesuffix("ps"))
        if byte_unit is None or byte_unit[2] != "B":
            what = (
                f"the unit {match[2]!r} of {whole!r} is not clear" if match[2] else f"{whole!r} has no unit"
            )
            raise UsageError(what, "write MB/s for bytes or Mbit/s for bits")
        rate = _scaled(match[1], _multiplier(byte_unit[1]))
    if not SLOWEST <= rate <= FASTEST:
        raise UsageError(f"nothing is pushed at {whole!r}", "give a rate between 1 B/s and 1 TB/s")
    return rate


def _scaled(number: str, multiplier: int, divisor: int = 1) -> int:
    """``number * multiplier / divisor`` in whole units, rounded half up; exact, and without `fractions` to load."""
    whole, _, decimals = number.partition(".")
    divisor *= 10 ** len(decimals)
    return (2 * int(whole + decimals) * multiplier + divisor) // (2 * divisor)


def _multiplier(prefix: str) -> int:
    prefix = prefix.lower()
    return _BINARY[prefix] if prefix.endswith("i") else _DECIMAL[prefix]


def megabytes(count: int) -> str:
    """Bytes in MB (10^6), in GB from 1000 MB on, with as many decimals as the size deserves: ``187.2 MB``, ``0.006 MB``."""
    size = abs(count)
    if size == 0:
        return "0 MB"
    if size < 500:
        return "<0.001 MB"
    return size_scale(count).say(count)


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit and one number of decimals for figures that stand in a row: what is shown of them can be subtracted."""

    unit: str
    per: float
    decimals: int

    def say(self, value: float) -> str:
        """What rounds to nothing is not shown as nothing: ``<0.1 MB``."""
        steps = self._steps(value)
        if steps == 0:
            return f"<{self._text(1)}" if value > 0 else f"0 {self.unit}"
        return self._text(steps)

    def less(self, before: float, after: float) -> str:
        """How much less, of the figures as they are shown."""
        steps = self._steps(before) - self._steps(after)
        if steps == 0:
            return f"<{self._text(1)}" if before > after else f"0 {self.unit}"
        return self._text(steps)

    def _steps(self, value: float) -> int:
        return round(value / self.per * float(10**self.decimals))

    def _text(self, steps: int) -> str:
        return f"{steps / 10**self.decimals:.{self.decimals}f} {self.unit}"


def size_scale(*counts: int) -> Scale:
    """The unit of the largest, for all of them."""
    size = max(map(abs, counts), default=0)
    if size >= 999_950_000:
        return Scale("GB", 1e9, 2 if size < 9_995_000_000 else 1)
    return Scale("MB", 1e6, 3 if size < 1_000_000 else 2 if size < 10_000_000 else 1)


def time_scale(*seconds: float) -> Scale:
    """The unit of the longest, for all of them: seconds, tenths of minutes from two minutes on, tenths of hours from one."""
    longest = max(map(abs, seconds), default=0.0)
    if longest < 9.95:
        return Scale("s", 1, 1)
    if longest < 119.5:
        return Scale("s", 1, 0)
    return Scale("min", 60, 1) if longest < 3597 else Scale("h", 3600, 1)


def rate(bytes_per_s: int) -> str:
    """A rate in MB/s without needless zeros: ``0.5 MB/s``, ``12.5 MB/s``."""
    return f"{_plain(bytes_per_s)} MB/s"


def _plain(bytes_per_s: int) -> str:
    whole, rest = divmod(bytes_per_s, 1_000_000)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """Seconds as people say them: ``<0.1 s``, ``1.2 s``, ``95 s``, ``6 min 40 s``, ``43 min``, ``3 h 20 min``."""
    if seconds == 0:
        return "0 s"
    if seconds < 0.1:
        return "<0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
