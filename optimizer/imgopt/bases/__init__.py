"""Base images: what an image is by its name, how big it is, and what can take its place. No network, no engine."""

from __future__ import annotations

from imgopt.bases.base import AMD64, ARM64, Base, Kind, Libc, Vm
from imgopt.bases.counterparts import counterparts
from imgopt.bases.declared import check_declared
from imgopt.bases.identify import identify, mirror_has, on_mirror
from imgopt.bases.reference import Reference, parse_reference
from imgopt.bases.releases import (
    changes_since,
    is_of_unknown_release,
    may_be_older,
    release_of,
    takes_the_hosts_memory,
)
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
    "is_of_unknown_release",
    "may_be_older",
    "mirror_has",
    "on_mirror",
    "parse_reference",
    "release_of",
    "size_of",
    "takes_the_hosts_memory",
]
