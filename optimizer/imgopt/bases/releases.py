"""Releases of Java 8 to 21: which of them Temurin has images of, and what a virtual machine does otherwise from which
update on.

A release is the same source whoever builds it: a pinned `amazoncorretto:17.0.11-…` and Temurin's `17.0.11_9` differ in
the vendor's own patches only.
"""

from __future__ import annotations

from imgopt.bases.base import Base
from imgopt.bases.families.common import numbers

#: Temurin's name of a release, as its tags have it; each was seen in use with the JRE's tags. Its first images are of
#: August 2021.
TEMURIN_NAMES = {
    8: "8u302-b08 8u312-b07 8u322-b06 8u332-b09 8u342-b07 8u352-b08 8u362-b09 8u372-b07 8u382-b05 8u392-b08 8u402-b06 "
    "8u412-b08 8u422-b05 8u432-b06 8u442-b06 8u452-b09",
    11: "11.0.12_7 11.0.13_8 11.0.14_9 11.0.14.1_1 11.0.15_10 11.0.16_8 11.0.17_8 11.0.18_10 11.0.19_7 11.0.20.1_1 "
    "11.0.21_9 11.0.22_7 11.0.23_9 11.0.24_8 11.0.25_9 11.0.27_6",
    17: "17.0.1_12 17.0.2_8 17.0.3_7 17.0.4_8 17.0.4.1_1 17.0.6_10 17.0.7_7 17.0.8_7 17.0.8.1_1 17.0.9_9 17.0.10_7 "
    "17.0.11_9 17.0.12_7 17.0.13_11 17.0.14_7 17.0.15_6 17.0.16_8",
    21: "21.0.1_12 21.0.2_13 21.0.3_9 21.0.4_7 21.0.5_11 21.0.6_7 21.0.7_6 21.0.8_9",
}
_BY_RELEASE = {
    name.partition("_")[0].partition("-")[0]: name
    for names in TEMURIN_NAMES.values()
    for name in names.split()
}
#: Ubuntu 22.04 came with these; images of earlier releases stand on 20.04.
_FIRST_ON_JAMMY = {8: (8, 352), 11: (11, 0, 17), 17: (17, 0, 3), 21: (21,)}


def temurin_name(version: str | None) -> str | None:
    """``17.0.11_9`` for ``17.0.11`` and for Corretto's ``17.0.11.9.1``; None for a release that is not known there."""
    if version is None:
        return None
    parts = version.split(".")
    return _BY_RELEASE.get(version) or (_BY_RELEASE.get(".".join(parts[:3])) if len(parts) >= 5 else None)


def on_jammy(name: str) -> bool:
    parts = numbers(name)
    return parts >= _FIRST_ON_JAMMY.get(parts[0], (99,))


#: From which update of which Java on, and what is otherwise. Sources: the release notes of the update; for control
#: groups, Red Hat's of 8u372 and OpenJDK's of 11.0.16 (JDK-8230305).
_CHANGES = (
    (
        (8, 191),
        "8u191",
        "the heap and the number of threads follow the container's limits, not the machine's",
    ),
    ((8, 291), "8u291", "TLS 1.0 and 1.1 are off"),
    ((8, 352), "8u352", "a client offers TLS 1.3"),
    ((8, 372), "8u372", "the limits of a container count on a machine with cgroup v2, too"),
    ((11, 0, 11), "11.0.11", "TLS 1.0 and 1.1 are off"),
    ((11, 0, 16), "11.0.16", "the limits of a container count on a machine with cgroup v2, too"),
)
#: The last release that went into tags which name none and move no more, by family and Java version. Sources: what docker-library
#: and AdoptOpenJDK last built; library/java ended with the release of April 2017, Debian 9 left openjdk's tags in February 2020
#: (official-images, pull request 7428). Temurin's own tags are as old as Temurin at most.
_FROZEN = {
    ("openjdk", 8): "8u342",
    ("openjdk", 11): "11.0.16",
    ("java", 8): "8u131",
    ("adoptopenjdk", 8): "8u292",
    ("adoptopenjdk", 11): "11.0.11",
    ("frolvlad", 8): "8u202",
    ("anapsix", 8): "8u202",
}
_ON_DEBIAN_9 = {8: "8u242", 11: "11.0.6"}
_CONTAINER_HEAP = (8, 191)


def changes_since(version: str) -> tuple[str, ...]:
    """What the newest update of the same Java does otherwise than this one, as far as it is told of here."""
    have = numbers(version)
    return tuple(
        f"from {since} on {what}" for first, since, what in _CHANGES if first[0] == have[0] and have < first
    )


def release_of(base: Base) -> str | None:
    """The release in an image that no longer moves, at most, see `may_be_older`; None where the next build may have another,
    or it is not known."""
    if base.java_version is not None:
        return base.java_version
    if base.java_major is None or (base.pinned and base.family != "frolvlad"):
        return None
    if base.family == "openjdk" and base.os == "alpine":
        return "8u212" if base.java_major == 8 and base.os_version == "3.9" else None
    if base.family == "openjdk" and base.os == "debian" and base.os_version in ("7", "8", "9"):
        return _ON_DEBIAN_9.get(base.java_major) if base.os_version == "9" else None
    return _FROZEN.get((base.family, base.java_major))


def may_be_older(base: Base) -> bool:
    """Whether `release_of` is only the last one that could have gone into the image."""
    if base.java_version is not None:
        return False
    return base.family in ("adoptopenjdk", "anapsix", "java") or base.os_version == "9"


def is_of_unknown_release(base: Base) -> bool:
    """Whether an image moves no more, and nothing tells which release is in it. Temurin's began when most had changed."""
    frozen = base.retired is not None and not base.pinned and release_of(base) is None
    return frozen and base.java_major is not None and base.family != "eclipse-temurin"


def takes_the_hosts_memory(release: str) -> bool:
    """Whether the heap of this release follows the machine's memory also where a container has less."""
    have = numbers(release)
    return have[0] == _CONTAINER_HEAP[0] and have < _CONTAINER_HEAP
