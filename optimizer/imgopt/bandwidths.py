"""Named upload rates of registries, each with the source of its figures.

A profile is a registry whose rate somebody measured; a plain link rate such as ``100mbit`` is a unit.
"""

from __future__ import annotations

from imgopt.errors import UsageError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.text.spelling import choose_from


@dataclass(frozen=True, slots=True)
class RegistryProfile:
    """``rates``: both ends of the range that was seen, in bytes a second."""

    name: str
    rates: tuple[int, ...]
    source: str


PROFILES = (
    RegistryProfile(
        "aliyun-personal",
        (500_000, 1_000_000),
        "user report: images of 200 MB took 200 to 400 s each to push",
    ),
    RegistryProfile(
        "aliyun-enterprise",
        (10_000_000, 50_000_000),
        "user report: 10 to 50 MB/s",
    ),
)

DEFAULT_PROFILE = PROFILES[0]


#: The hosts of Aliyun's registries as people push to them from outside; inside of its networks ("-vpc", "-internal") nobody
#: measured.
_HOSTS = (
    (
        regex(
            r"registry(?:\.[a-z]{2}(?:-[a-z0-9]+)+)?\.aliyuncs\.com|[\w-]+(?:\.[\w-]+)?\.personal\.cr\.aliyuncs\.com"
        ),
        PROFILES[0],
    ),
    (regex(r"[\w-]+-registry\.[\w-]+\.cr\.aliyuncs\.com"), PROFILES[1]),
)


def of_registry(host: str) -> RegistryProfile | None:
    """The profile of the registry at that host, None where nobody measured it."""
    plain = host.casefold().partition(":")[0]
    if "-vpc." in plain or "-internal." in plain:
        return None
    return next((found for name, found in _HOSTS if name.fullmatch(plain)), None)


def profile(name: str) -> RegistryProfile:
    """The profile of that name (case does not matter). UsageError names the nearest."""
    for each in PROFILES:
        if each.name == name.casefold():
            return each
    raise UsageError(
        f"there is no bandwidth profile {name!r}", choose_from(name, [each.name for each in PROFILES])
    )


def bandwidth(text: str) -> tuple[tuple[int, ...], RegistryProfile | None]:
    """A rate, a range or a profile's name: the rates in bytes a second, and the profile if it was one."""
    from imgopt.units import parse_rates

    text = text.strip()
    if text[:1].isalpha():
        found = profile(text)
        return found.rates, found
    return parse_rates(text), None
