"""Image references as the engines read them: ``[registry/]repository[:tag][@digest]``.

The grammar is that of the distribution project's reference package, which Docker, Podman and BuildKit share.
"""

from __future__ import annotations

import re

from imgopt.errors import InputError
from imgopt.light.records import dataclass

# All of these answer for Docker Hub; a reference without a registry means docker.io.
DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REGISTRY = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]+)?"
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed image reference; ``str()`` gives back the text it was parsed from."""

    registry: str | None
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.tag is not None:
            text += f":{self.tag}"
        return f"{text}@{self.digest}" if self.digest is not None else text

    @property
    def on_docker_hub(self) -> bool:
        return self.registry is None or self.registry in DOCKER_HUB

    @property
    def familiar(self) -> str:
        """Repository as people write it: ``docker.io/library/alpine`` -> ``alpine``."""
        if not self.on_docker_hub:
            return f"{self.registry}/{self.repository}"
        return self.repository.removeprefix("library/")


def parse_reference(text: str) -> Reference:
    """Split an image reference into its parts.

    Raises:
        InputError: not a reference an engine would accept (empty, upper case in the repository, a variable
            that nobody expanded, a bad tag or digest).
    """
    rest, at, digest = text.partition("@")
    if at and not re.fullmatch(_DIGEST, digest):
        raise InputError(f"image {text!r} has a malformed digest", "write it as name@sha256:<64 hex digits>")
    registry = None
    head, slash, tail = rest.partition("/")
    # The first component is a registry only when it cannot be a Docker Hub namespace.
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        if not re.fullmatch(_REGISTRY, head):
            raise InputError(
                f"image {text!r} has a malformed registry {head!r}", "write it as host[:port]/name"
            )
        registry, rest = head, tail
    repository, colon, tag = rest.partition(":")
    if colon and not re.fullmatch(_TAG, tag):
        raise InputError(
            f"image {text!r} has a malformed tag {tag!r}", "tags hold letters, digits, '_', '.' and '-'"
        )
    if not re.fullmatch(_REPOSITORY, repository) or len(repository) > _MAX_NAME:
        what = "is empty" if not text.strip() else "is not an image reference"
        hint = (
            "expand the variable first"
            if "$" in text
            else "write it as [registry/]name[:tag][@digest], in lower case"
        )
        raise InputError(f"image {text!r} {what}", hint)
    return Reference(registry, repository, tag if colon else None, digest if at else None)
