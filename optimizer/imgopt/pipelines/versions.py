"""What executors of kaniko and Docker Engines do by vendor and version: the one table of such facts.

From the projects' release notes and sources. An image's name tells both: of one that nobody knows (a mirror with a name of
its own, a tag without a version) a fact is None where versions differ.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

Vendor = Literal["google", "osscontainertools", "chainguard"]
Version = tuple[int, ...]

#: With it the maintained fork's ``--reproducible`` leaves the layers of the base as they are.
PRESERVES_BASE: Final = "FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS"
#: With it the fork has layers mounted that it copied on its way: those of a base that it stored (`SHARES_BASE`), and those
#: that it pushed to, or took from, a cache in the same registry. Only repositories that this build read or wrote: never those
#: of other images. From its documentation; the fork is not built here.
CROSS_MOUNTS: Final = "FF_KANIKO_CROSS_REPO_MOUNT"
SHARES_BASE: Final = "FF_KANIKO_SHARED_BASE_CACHE"

Fact = Literal[
    "push-retry",
    "skip-unused-stages",
    "skips unused stages by itself",
    "calls skip-unused-stages deprecated",
    "cleanup empties /kaniko",
    "FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS",
    "FF_KANIKO_CROSS_REPO_MOUNT",
    "FF_KANIKO_SHARED_BASE_CACHE",
]
_ALWAYS: Version = (0,)
#: From which version on something is so (a setting: is on without being asked for), by vendor; who is missing never does it.
#: Google's project ended with 1.24, the two forks begin with 1.25.
_SINCE: dict[Fact, dict[Vendor, Version]] = {
    "push-retry": {"google": (1, 5, 1), "osscontainertools": _ALWAYS, "chainguard": _ALWAYS},
    "skip-unused-stages": {"google": (0, 20), "osscontainertools": _ALWAYS, "chainguard": _ALWAYS},
    "skips unused stages by itself": {"osscontainertools": _ALWAYS},
    "calls skip-unused-stages deprecated": {"osscontainertools": (1, 27)},
    "cleanup empties /kaniko": {"osscontainertools": (1, 27)},
    "FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS": {"osscontainertools": (1, 29)},
    "FF_KANIKO_CROSS_REPO_MOUNT": {"osscontainertools": (1, 29)},
    "FF_KANIKO_SHARED_BASE_CACHE": {"osscontainertools": (1, 29)},
}
_LAST_OF_GOOGLE: Version = (1, 24)
_NAMES: tuple[tuple[Vendor, str], ...] = (
    ("google", r"kaniko-project/executor"),
    ("osscontainertools", r"(?:osscontainertools|martizih)/kaniko|osscontainertools-kaniko/executor"),
    ("chainguard", r"(?:chainguard|chainguard-dev|chainguard-forks)/kaniko|chainguard-dev-kaniko/executor"),
)
_TAGGED = regex(r":(?:debug-)?v?(\d+(?:\.\d+){0,3})(?=[-@]|$)")


@dataclass(frozen=True)
class Executor:
    """Who made an image of kaniko's executor, None where its name does not tell; its version, None where no tag tells."""

    vendor: Vendor | None
    version: Version | None

    def has(self, fact: Fact) -> bool | None:
        """Whether something is so of it; None where that cannot be told."""
        if self.vendor is None:
            return None
        since = _SINCE[fact].get(self.vendor)
        if since is None or since == _ALWAYS:
            return since is not None
        version = self.version
        if version is None and self.vendor == "google":
            version = _LAST_OF_GOOGLE
        return None if version is None else version >= since

    @property
    def shown(self) -> str:
        return ".".join(map(str, self.version)) if self.version else "this version"


def executor(image: str | None) -> Executor:
    """Of the image that a build runs in."""
    if image is None:
        return Executor(None, None)
    vendor = next(
        (each for each, name in _NAMES if re.search(rf"(?:^|/)(?:{name})(?:-debug)?(?=[:@]|$)", image)), None
    )
    tag = _TAGGED.search(image.partition("@")[0])
    return Executor(vendor, tuple(map(int, tag[1].split("."))) if tag else None)


def archived(image: str) -> bool:
    """Whether this is the image of the kaniko project that was archived, or a mirror of it."""
    return executor(image).vendor == "google"


def maintained(image: str) -> bool:
    """Whether this is an image of the fork that is maintained and has flags of its own."""
    return executor(image).vendor == "osscontainertools"


# Docker Engines

#: Where a new installation has the containerd image store, which knows the compressed digests and asks for them.
CONTAINERD_STORE: Version = (29,)
#: From here on an Engine unpacks layers of zstd; with a 20.10 a pull ends with "invalid tar header".
READS_ZSTD: Version = (23,)
_ENGINE = regex(r"(?:^|/)docker:v?(\d+(?:\.\d+){0,2})(?=[-@]|$)")


def engine(image: str | None) -> Version | None:
    """The version of the Engine in an image of Docker (``docker:24.0-dind``), None where its tag does not tell."""
    found = _ENGINE.search(image or "")
    return tuple(map(int, found[1].split("."))) if found else None
