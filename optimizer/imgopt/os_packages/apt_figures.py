"""Figures of apt on Debian: what `apt-get update` leaves in a layer, and which packages come as recommendations.

`make_apt_figures.py` had apt itself tell them in minimal systems; other distributions were not looked at and are not
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.bases import Base


@dataclass(frozen=True)
class Lists:
    """Bytes of /var/lib/apt/lists as a layer: a tar, and that tar compressed by gzip at level 6."""

    compressed_bytes: int
    uncompressed_bytes: int
    measured: str  # the day, YYYY-MM-DD


def lists_of(base: Base, platform: str) -> Lists | None:
    """What `apt-get update` leaves on that system, or None when it was not measured there."""
    return _lists().get((base.os or "", base.os_version or "", "/".join(platform.split("/")[:2])))


@lru_cache(maxsize=1)
def _lists() -> dict[tuple[str, str, str], Lists]:
    found: dict[tuple[str, str, str], Lists] = {}
    for line in _lines("apt_lists.tsv"):
        os, version, platform, compressed, uncompressed, day = line.split("\t")
        found[os, version, platform] = Lists(int(compressed), int(uncompressed), day)
    return found


#: The release that speaks for systems that were not looked at; a message says so.
REFERENCE = "12"
#: The day on which apt was asked about packages, YYYY-MM-DD.
ASKED = "2026-11-26"


@dataclass(frozen=True)
class Packages:
    """What apt says of the packages of one Debian release (amd64) in a minimal system. A package that it was not asked
    about has no needs, no recommendations and no size.

    ``needs`` and ``recommends``: what an install of the package brings without recommendations, and what it brings more
    with them (of the needs only what some other package recommends). ``bytes``: of the package as Debian compresses it.
    """

    version: str
    needs: Mapping[str, frozenset[str]]
    recommends: Mapping[str, frozenset[str]]
    bytes: Mapping[str, int]


@lru_cache(maxsize=4)
def packages_of(version: str | None) -> Packages | None:
    """The packages of a Debian release, or None for one that apt was not asked about."""
    needs: dict[str, frozenset[str]] = {}
    recommends: dict[str, frozenset[str]] = {}
    for line in _lines("apt_recommends.tsv"):
        release, name, needed, recommended = line.split("\t")
        if release == version:
            needs[name] = frozenset(needed.split())
            recommends[name] = frozenset(recommended.split())
    sizes = {}
    for line in _lines("apt_packages.tsv"):
        release, name, size = line.split("\t")
        if release == version:
            sizes[name] = int(size)
    return Packages(version, needs, recommends, sizes) if version and needs else None


def _lines(name: str) -> list[str]:
    return Path(__file__).with_name(name).read_text(encoding="ascii").splitlines()[1:]
