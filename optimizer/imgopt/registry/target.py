"""Where an image goes: a registry's host, a repository, a tag."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from imgopt.bases.reference import parse_reference
from imgopt.errors import InputError, UsageError
from imgopt.light.records import dataclass
from imgopt.text.quoting import typed

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


@dataclass(frozen=True, slots=True)
class Place:
    """A registry, or what lies below ``namespace`` there (``""``: all of it); ``registry`` in lower case."""

    registry: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.namespace}".rstrip("/")

    def holds(self, target: Target) -> bool:
        inside = not self.namespace or f"{target.repository}/".startswith(f"{self.namespace}/")
        return inside and target.name.lower() == self.registry


def parse_place(text: str) -> Place:
    """``REGISTRY[/NAMESPACE]``. UsageError where it names no registry, or an empty namespace, as a variable without a value
    would: that is more than whoever gives it means."""
    hint = "give REGISTRY/NAMESPACE, without a tag"
    head, slash, namespace = text.partition("/")
    namespace = namespace.removesuffix("/")
    if not ("." in head or ":" in head or head == "localhost"):
        raise UsageError(f"--only-to {typed(text)} names no registry", hint)
    if slash and not namespace:
        raise UsageError(
            f"--only-to {typed(text)} names no namespace", f"{hint}; or {typed(head)} for all of it"
        )
    try:
        reference = parse_reference(f"{head}/{namespace or 'any'}")
    except InputError:
        reference = None
    if reference is None or reference.tag is not None or reference.digest is not None:
        raise UsageError(f"--only-to {typed(text)} is not a registry with a namespace", hint)
    return Place("docker.io" if reference.on_docker_hub else head.lower(), namespace)


def check_place(target: Target, only: Sequence[Place]) -> None:
    """UsageError where the target lies in none of the places; there is nothing to hold it to where none is given."""
    if only and not any(place.holds(target) for place in only):
        let = " or ".join(str(place) for place in only)
        raise UsageError(
            f"{typed(str(target))} is not in {let}, where --only-to lets images go", "look at who names it"
        )


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
