"""Measured figures on Debian: what `apt-get update` leaves in a layer.

`make_apt_figures.py` measured them in minimal systems; other distributions were not measured and are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

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
    for line in Path(__file__).with_name("apt_lists.tsv").read_text(encoding="ascii").splitlines()[1:]:
        os, version, platform, compressed, uncompressed, day = line.split("\t")
        found[os, version, platform] = Lists(int(compressed), int(uncompressed), day)
    return found
