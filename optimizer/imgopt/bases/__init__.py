"""Base images: what an image is by its name, how big it is, and what can take its place. No network, no engine."""

from __future__ import annotations

from imgopt.bases.base import AMD64, ARM64, Base, Kind, Libc, Vm
from imgopt.bases.counterparts import counterparts
from imgopt.bases.declared import check_declared
from imgopt.bases.identify import identify, mirror_has, on_mirror
from imgopt.bases.reference import Reference, parse_reference
from imgopt.bases.releases import changes_since, release_of
from imgopt.bases.sizes import ALIASES, Size, catalogue, catalogue_date, size_of

__all__ = [
    "ALIASES",
    "AMD64",
    "ARM64",
    "Base",
    "Kind",
    "Libc",
    "Reference",
    "Size",
    "Vm",
    "catalogue",
    "catalogue_date",
    "changes_since",
    "check_declared",
    "counterparts",
    "identify",
    "mirror_has",
    "on_mirror",
    "parse_reference",
    "release_of",
    "size_of",
]
