"""Where an image goes: a registry's host, a repository, a tag."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from imgopt.bases.reference import parse_reference
from imgopt.errors import UsageError

DOCKER_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Target:
    """``host`` is what is connected to (``host[:port]``), ``name`` the registry as the user and the configuration
    call it: they differ for Docker Hub only."""

    name: str
    host: str
    repository: str
    tag: str | None = None

    def __str__(self) -> str:
        return f"{self.name}/{self.repository}{f':{self.tag}' if self.tag else ''}"

    @property
    def loopback(self) -> bool:
        """On this machine, where plain HTTP needs no permission."""
        return is_loopback(self.host)


def parse_target(text: str, *, default_tag: str | None = None) -> Target:
    """``REGISTRY/REPO[:TAG]``; a name without a registry is on Docker Hub. InputError where it is malformed."""
    reference = parse_reference(text)
    if reference.digest is not None:
        raise UsageError(f"{text} names a digest", "a push makes the digest: give a tag")
    tag = reference.tag or default_tag
    if reference.registry is None or reference.on_docker_hub:
        repository = reference.repository
        return Target(
            "docker.io", DOCKER_HUB_HOST, repository if "/" in repository else f"library/{repository}", tag
        )
    return Target(reference.registry, reference.registry, reference.repository, tag)


def is_loopback(host: str) -> bool:
    name = host_name(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """``host[:port]`` or ``[v6]:port`` without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") <= 1 else host
