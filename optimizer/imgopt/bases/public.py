"""Public images by their names: whose they are, in which registry and mirror, and what their tags say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from imgopt.bases.base import Base
from imgopt.bases.families import reader_of
from imgopt.bases.reference import Reference, parse_reference
from imgopt.errors import InputError
from imgopt.light.patterns import regex
from imgopt.light.records import replace

# Docker's own copy of every official image on Amazon's registry.
WHOLE_LIBRARY = "public.ecr.aws/docker/library"
# Prefixes that fetch whatever is asked for from Docker Hub: GitLab's dependency proxy, Amazon's
# pull-through cache, and the names that Harbor's, Nexus's and Artifactory's manuals give to theirs. A "mirror" is
# not among them: in most registries that is a folder of copies.
_PULL_THROUGH = regex(
    r"[^/]+(?:/[^/]+)*/dependency_proxy/containers(?:/library)?"
    r"|\d+\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/docker-hub(?:/library)?"
    r"|[^/]+(?:/[^/]+)*/(?:(?:docker[-_]?hub|docker[-_]?io|docker|hub)[-_](?:proxy|remote|cache)|"
    r"proxy[-_](?:docker[-_]?hub|docker[-_]?io|docker|cache)|remote[-_]docker[-_]?(?:hub|io))(?:/library)?"
)
# Vendors' second addresses of an image that Docker Hub has too: repository there -> (repository, prefix).
_SECOND_ADDRESSES: Mapping[str, tuple[str, str | None]] = {
    "public.ecr.aws/amazoncorretto/amazoncorretto": ("amazoncorretto", "public.ecr.aws/amazoncorretto"),
    "dragonwell-registry.cn-hangzhou.cr.aliyuncs.com/dragonwell/dragonwell": (
        "alibabadragonwell/dragonwell",
        None,
    ),
    "registry.cn-hangzhou.aliyuncs.com/dragonwell/dragonwell": ("alibabadragonwell/dragonwell", None),
}
# Docker Hub's namespaces of one architecture: amd64/openjdk is openjdk.
_ARCHITECTURES = {
    "amd64": "linux/amd64",
    "arm64v8": "linux/arm64",
    "arm32v7": "linux/arm/v7",
    "arm32v6": "linux/arm/v6",
    "i386": "linux/386",
    "ppc64le": "linux/ppc64le",
    "riscv64": "linux/riscv64",
    "s390x": "linux/s390x",
}
# Registries whose images a mirror may hold under the path alone.
_OTHER_HOMES = ("gcr.io", "mcr.microsoft.com", "ghcr.io", "registry.access.redhat.com", "cgr.dev", "quay.io")
# Names that anybody gives to an image of their own: behind another registry it is Docker's only where the path says so.
_GENERIC_NAMES = frozenset({"java"})
_OF_DOCKER_HUB = regex(r"(?:^|/)library$|docker[-_]?(?:hub|io)|/dependency_proxy/")
# Names that only one publisher uses, so that the last path component is enough.
_TELLING_NAMES = (
    (r"liberica-.+", "bellsoft/"),
    (r"zulu-openjdk.*", "azul/"),
    (r"alpine-oraclejdk8", "frolvlad/"),
    (r"dragonwell", "alibabadragonwell/"),
    (r"java\d+-debian\d+", "gcr.io/distroless/"),
)


@lru_cache(maxsize=2048)
def identify_public(name: str) -> Base:
    """`identify` without the user's own images."""
    try:
        reference = parse_reference(name)
    except InputError as error:
        return Base(name=name, reference=Reference(None, name), note=error.message)
    tag = reference.tag if reference.tag is not None else "latest"
    for image, mirror in _public_names(reference):
        reader = reader_of(image)
        if reader is None:
            continue
        skeleton = Base(name=name, reference=reference, image=image, mirror=mirror)
        base = reader(skeleton, tag)
        if base is not None:
            return _finished(base)
        if mirror is None:
            family = image.rpartition("/")[2]
            return replace(skeleton, family=family, note=f"{tag} is not a tag that {image} is known to have")
    return Base(
        name=name, reference=reference, hint_major=_hint(reference), pinned=reference.digest is not None
    )


def _finished(base: Base) -> Base:
    if base.reference.digest is not None:
        base = replace(base, pinned=True)
    if base.mirror is not None and (base.mirror == WHOLE_LIBRARY or _PULL_THROUGH.fullmatch(base.mirror)):
        base = replace(base, mirror_complete=True)
    parts = base.reference.repository.split("/")
    if base.reference.on_docker_hub and len(parts) == 2 and parts[0] in _ARCHITECTURES:
        base = replace(base, platforms=(_ARCHITECTURES[parts[0]],))
    return base


def _public_names(reference: Reference) -> Iterator[tuple[str, str | None]]:
    """Public repositories that `reference` may name, best first, each with the mirror prefix it then has."""
    name = reference.familiar
    parts = name.split("/")
    if reference.on_docker_hub:
        if len(parts) == 2 and parts[0] in _ARCHITECTURES:
            yield parts[1], None
        # One's own copy in a Docker Hub namespace is no mirror: nobody knows what was changed in it.
        yield name, None
        return
    if name in _SECOND_ADDRESSES:
        yield _SECOND_ADDRESSES[name]
        return
    if parts[0] == "registry.redhat.io":
        yield "/".join(["registry.access.redhat.com", *parts[1:]]), "registry.redhat.io"
    yield name, None
    for start in range(1, len(parts)):
        path = "/".join(parts[start:])
        prefix = "/".join(parts[:start])
        if path in _GENERIC_NAMES and not _OF_DOCKER_HUB.search(prefix):
            continue
        yield path, prefix
        if start < len(parts) - 1:
            for home in _OTHER_HOMES:
                yield f"{home}/{path}", prefix
    for pattern, namespace in _TELLING_NAMES:
        if re.fullmatch(pattern, parts[-1]):
            yield namespace + parts[-1], "/".join(parts[:-1])


def _hint(reference: Reference) -> int | None:
    """A Java version that the name suggests: ``team/jdk8:latest``, ``corp/java:17-distroless``."""
    text = f"{reference.familiar}:{reference.tag or ''}"
    found = re.search(r"(?:java|jdk|jre)[-_:]?(?:1\.)?(\d{1,2})(?!\d)", text)
    major = int(found[1]) if found else 0
    return major if 6 <= major <= 30 else None
