"""Budgets as people write them: on the command line, and under ``[budgets]`` in imgopt.toml.

A size is exact (``MB`` is 10^6, ``MiB`` 2^20). A push budget is a size, or a time at a rate: ``5 min at 0.5MB/s``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from imgopt.errors import UsageError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.text.spelling import choose_from
from imgopt.units import duration, megabytes, parse_size, rate

Unit = Literal["bytes", "seconds", "layers", "share", "names", "growth"]
Forbidden = Literal["jdk", "build-tools", "package-cache", "root-user"]
FORBIDDEN: tuple[Forbidden, ...] = ("jdk", "build-tools", "package-cache", "root-user")

_TIME = regex(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(s|sec|seconds?|min|minutes?|h|hours?)(?:\s+at\s+(\S.*))?")
_PERCENT = regex(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*%")


@dataclass(frozen=True, slots=True)
class Growth:
    """How much larger than the baseline an image may be: at most ``bytes`` and at most ``percent``, as far as they are
    given; what stays below ``floor`` is never too much."""

    bytes: int | None = None
    percent: float | None = None
    floor: int = 0

    def allowed(self, baseline: int) -> int:
        """In bytes, for an image that was ``baseline`` bytes."""
        bounds = [] if self.bytes is None else [self.bytes]
        if self.percent is not None:
            bounds.append(int(baseline * self.percent / 100))
        return max(self.floor, min(bounds)) if bounds else self.floor


#: What a baseline means where nobody says more: it does not grow, except by what two builds differ in.
RATCHET = Growth(bytes=0, floor=1_000_000)
RATCHET_SOURCE = "default with a baseline"


@dataclass(frozen=True, slots=True)
class Limit:
    """One budget. ``value`` is bytes, seconds, a count, a share (0 to 1), names, or a `Growth`; of a waste budget in
    percent a share of the unpacked bytes. ``rate`` goes with seconds: bytes a second, None for the configured one; and
    ``rtt_s``, the seconds of a round trip.
    ``source`` is where it is set: ``imgopt.toml:3``, ``--max-size``."""

    name: str
    value: int | float | tuple[Forbidden, ...] | Growth
    unit: Unit
    source: str
    rate: int | None = None
    rtt_s: float = 0.0

    @property
    def text(self) -> str:
        """The limit in words."""
        value = self.value
        if isinstance(value, Growth):
            parts = [] if value.bytes is None else [megabytes(value.bytes) if value.bytes else "no growth"]
            parts += [] if value.percent is None else [f"{value.percent:g} %"]
            parts += [f"floor {megabytes(value.floor)}"] if value.floor else []
            return ", ".join(parts)
        if isinstance(value, tuple):
            return ", ".join(value)
        if self.unit == "bytes":
            return megabytes(int(value))
        if self.unit == "seconds":
            return duration(value) + (f" at {rate(self.rate)}" if self.rate else "")
        return f"{value * 100:g} %" if self.unit == "share" else str(value)


@dataclass(frozen=True, slots=True)
class BudgetTable:
    """``[budgets]`` (``pattern`` None) or ``[budgets."pattern"]``."""

    pattern: str | None
    limits: tuple[Limit, ...]

    def applies(self, names: Sequence[str]) -> bool:
        return self.pattern is None or any(fnmatchcase(name, self.pattern) for name in names)


def limits_for(
    names: Sequence[str], tables: Sequence[BudgetTable], given: Sequence[Limit]
) -> tuple[Limit, ...]:
    """The budgets of an image of these names, in the order of NAMES: the default table, then each that fits in the
    order of the file, then the command line; what comes later counts."""
    found: dict[str, Limit] = {}
    for table in sorted(tables, key=lambda table: table.pattern is not None):
        if table.applies(names):
            found.update({limit.name: limit for limit in table.limits})
    found.update({limit.name: limit for limit in given})
    return tuple(found[name] for name in NAMES if name in found)


def parse_limit(name: str, value: object, source: str) -> Limit:
    """One budget from what a TOML file or the command line says. UsageError where it means nothing."""
    if name not in _PARSERS:
        raise UsageError(f"there is no budget {name!r}", choose_from(name, NAMES))
    return _PARSERS[name](name, value, source)


def _text(name: str, value: object, example: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise UsageError(f"{name} has no unit", f"write {example}")
    if not isinstance(value, str):
        raise UsageError(f"{name} cannot be {value!r}", f"write {example}")
    return value.strip()


def _size(name: str, value: object, source: str) -> Limit:
    return Limit(name, parse_size(_text(name, value, '"200MB"')), "bytes", source)


def _waste(name: str, value: object, source: str) -> Limit:
    text = _text(name, value, '"20MB" or "5%"')
    share = _PERCENT.fullmatch(text)
    if share:
        return Limit(name, _share(name, float(share[1]) / 100), "share", source)
    return Limit(name, parse_size(text), "bytes", source)


def _push(name: str, value: object, source: str) -> Limit:
    from imgopt.bandwidths import bandwidth

    text = _text(name, value, '"5MB", "5 min" or "5 min at 0.5MB/s"')
    match = _TIME.fullmatch(text)
    if match is None:
        try:
            return Limit(name, parse_size(text), "bytes", source)
        except UsageError as error:
            raise UsageError(
                f"{name} cannot be {text!r}", "write a size (5MB) or a time (5 min, 5 min at 0.5MB/s)"
            ) from error
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0]]
    rates = bandwidth(match[3])[0] if match[3] else ()
    return Limit(name, seconds, "seconds", source, min(rates) if rates else None)


def _count(name: str, value: object, source: str) -> Limit:
    if isinstance(value, str) and value.strip().isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} cannot be {value!r}", "write a number of layers")
    return Limit(name, value, "layers", source)


def _efficiency(name: str, value: object, source: str) -> Limit:
    hint = "write 0.95 or 95%"
    if isinstance(value, str):
        share = _PERCENT.fullmatch(value.strip())
        try:
            value = float(share[1]) / 100 if share else float(value)
        except ValueError as error:
            raise UsageError(f"{name} cannot be {value!r}", hint) from error
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{name} cannot be {value!r}", hint)
    return Limit(name, _share(name, float(value)), "share", source)


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:  # also for NaN
        raise UsageError(f"{name} cannot be {value:g}", "write a share between 0 and 1, or 0% and 100%")
    return value


def _forbid(name: str, value: object, source: str) -> Limit:
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(each, str) for each in texts):
        raise UsageError(f"{name} must be a list", f"choose from {', '.join(FORBIDDEN)}")
    names = [each.strip() for each in texts if each.strip()]
    if isinstance(value, str) and not names:  # a variable that CI did not set, say
        raise UsageError(f"{name} names nothing", f"choose from {', '.join(FORBIDDEN)}")
    for each in names:
        if each not in FORBIDDEN:
            raise UsageError(f"{name} does not know {each!r}", choose_from(each, FORBIDDEN))
    return Limit(name, tuple(each for each in FORBIDDEN if each in names), "names", source)


def _growth(name: str, value: object, source: str) -> Limit:
    hint = 'write "5%", "20MB", both as "5%, 20MB", with a floor as "5%, floor 1MB"'
    parts: list[tuple[str, str]] = []
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if key not in ("bytes", "percent", "floor"):
                raise UsageError(
                    f"{name} does not know {key!r}", choose_from(str(key), ("bytes", "percent", "floor"))
                )
            if key == "percent" and isinstance(entry, (int, float)) and not isinstance(entry, bool):
                entry = f"{entry:f}%"
            parts.append((str(key), _text(f"{name}.{key}", entry, '"20MB"')))
    else:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, (list, tuple)) or not all(isinstance(each, str) for each in texts):
            raise UsageError(f"{name} cannot be {value!r}", hint)
        for text in (part.strip() for each in texts for part in each.split(",")):
            kind = "floor" if text.startswith("floor") else "percent" if text.endswith("%") else "bytes"
            parts.append((kind, text.removeprefix("floor").strip()))
    found: dict[str, Any] = {}
    for kind, text in parts:
        if kind in found:
            raise UsageError(f"{name} says {kind} twice", hint)
        share = _PERCENT.fullmatch(text)
        if (kind == "percent") != (share is not None):
            raise UsageError(f"{name} cannot be {text!r}", hint)
        found[kind] = float(share[1]) if share else parse_size(text)
    growth = Growth(found.get("bytes"), found.get("percent"), found.get("floor", 0))
    if growth.bytes is None and growth.percent is None:
        raise UsageError(f"{name} has a floor alone", hint)
    return Limit(name, growth, "growth", source)


_PARSERS: Mapping[str, Callable[[str, object, str], Limit]] = {
    "max-size": _size,
    "max-unpacked": _size,
    "max-layer": _size,
    "max-first-push": _push,
    "max-next-push": _push,
    "max-bump": _push,
    "max-layers": _count,
    "max-waste": _waste,
    "min-efficiency": _efficiency,
    "forbid": _forbid,
    "max-growth": _growth,
}
#: All budgets, in the order in which they are judged and shown.
NAMES: tuple[str, ...] = tuple(_PARSERS)
#: Those that all modules of a repository may have together.
OF_FLEETS = ("max-first-push", "max-bump", "max-next-push")
