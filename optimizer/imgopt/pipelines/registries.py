"""The registries that images are pushed to: their hosts, as the names of images tell them."""

from __future__ import annotations

import re

from imgopt.light.patterns import regex
from imgopt.pipelines.tools import image_name, repository

DOCKER_HUB = "docker.io"
_HUB = frozenset(
    {DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"}
)
#: Registries of public clouds: how fast a push to them is depends on where it comes from, and is nowhere said.
PUBLIC = regex(
    r"^(?:docker\.io|index\.docker\.io|registry-1\.docker\.io|ghcr\.io|quay\.io|registry\.gitlab\.com|public\.ecr\.aws"
    r"|(?:[\w-]+\.)?gcr\.io|[\w.-]+\.pkg\.dev|[\w.-]+\.amazonaws\.com(?:\.cn)?|[\w.-]+\.azurecr\.(?:io|cn)"
    r"|registry\.digitalocean\.com|[\w.-]+\.icr\.io|[\w.-]+\.ocir\.io|[\w.-]+\.aliyuncs\.com|docker\.pkg\.github\.com)(?::\d+)?$",
    re.IGNORECASE,
)
#: Predefined variables of GitLab: the one lies at the other.
_INSIDE = {"$CI_REGISTRY_IMAGE": "$CI_REGISTRY"}


def registry_of(name: str) -> str:
    """Of an image's name, as written: a variable where it begins with one, which may be more than the host."""
    name = image_name(name)
    head, slash, _ = (name if "/" in name else repository(name)).partition("/")
    named = slash and ("." in head or ":" in head or head == "localhost")
    return head if named or "$" in head else DOCKER_HUB


def host_of(url: str) -> str:
    """The host that an image's name begins with for a registry's address, "" for Docker Hub's or where it is not known."""
    host = url.strip().split("://")[-1].partition("/")[0]
    return "" if host in _HUB or not re.fullmatch(r"[\w.-]+(?::\d+)?", host) else host


def same_registry(one: str, other: str) -> bool:
    """Whether two images lie at one host, as far as their names tell."""
    hosts = [registry_of(each) for each in (one, other)]
    hosts = [_INSIDE.get(host, host) for host in hosts]
    one, other = (DOCKER_HUB if host in _HUB else host for host in hosts)
    return one == other
