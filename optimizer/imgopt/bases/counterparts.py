"""Which image can take another's place: same Java version, known to exist, for every platform asked for.

Names are only ever made here from a family's tag grammar (`imgopt.bases.families` has the sources). A pinned
release keeps its pin where that very tag is known to have been published.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Literal

from imgopt.bases.base import Base, Libc
from imgopt.bases.families.common import APT, RPM, numbers, package_family
from imgopt.bases.families.others import tomcat_on_temurin
from imgopt.bases.families.runtimes import DISTROLESS_CURRENT, UBI_RUNTIMES
from imgopt.bases.families.temurin import TEMURIN_CURRENT
from imgopt.bases.identify import identify
from imgopt.bases.releases import on_jammy, temurin_name
from imgopt.light.records import replace

Wanted = Literal["jre", "jdk"]

# A server or GraalVM has to stay: the application may need more of it than a JVM.
_STAY = frozenset({"tomcat", "jetty", "graalvm", "quarkus", "open-liberty", "websphere-liberty", "wildfly"})

# First Temurin release with an Alpine image, where that is not the first release of all.
_FIRST_ALPINE = {8: (8, 322), 11: (11, 0, 13)}
_CORRETTO = TEMURIN_CURRENT
_LIBERICA_JRES = frozenset({8, 11, 17, 21, 25, 26})
_SAPMACHINE = frozenset({17, 21, 25, 26})
_ZULU_ALPINE_JRES = frozenset({8, 11, 13, *range(15, 25)})
# JREs on Ubuntu and Debian that were read of.
_ZULU_GLIBC_JRES = frozenset({8, 11, 17, 19, 20})


def counterparts(base: Base, *, kind: Wanted, libc: Libc, platforms: Collection[str]) -> tuple[Base, ...]:
    """Images that can stand in for `base` as a JRE or JDK on `libc`, best first; () when none is known.

    Pinned ones come first (`Base.pinned`), then for glibc those with the same kind of package manager (apt stays
    apt, dnf stays dnf), then the same family, eclipse-temurin, the others. Jammy stands before noble for Debian and
    Ubuntu: its glibc (2.35) is the nearest to Debian 11's and 12's, packages have the names they have there (noble
    renamed many for 64-bit time), and it is the smallest of Temurin's Ubuntu images. `base` itself is not among
    them. Where the user declares what to run on instead, that alone. A caller that changes the family should look at `base.vendor_features` and compare `vm`.
    """
    if base.counterpart is not None:
        own = replace(
            base.counterpart,
            kind=kind if base.counterpart.kind == "unknown" else base.counterpart.kind,
            libc=base.counterpart.libc or base.libc,
        )
        return (own,) if (own.kind, own.libc) == (kind, libc) else ()
    major = base.java_major
    if base.family == "tomcat" and major is not None:
        return tuple(_tomcat(base, kind, libc, platforms))
    if (
        major is None
        or base.kind not in ("jdk", "jre", "build")
        or base.family in _STAY
        or base.os == "windows"
    ):
        return ()
    if base.kind == "build" and (kind == "jdk" or base.vendor == "graalvm"):
        return ()  # a JDK image has no mvn or gradle

    seen = {base.name}
    candidates: list[Base] = []
    for name in _names(base, major, kind, libc):
        if name in seen:
            continue
        seen.add(name)
        candidate = identify(name)
        if (
            candidate.kind == kind
            and candidate.libc == libc
            and candidate.java_major == major
            and set(platforms) <= set(candidate.platforms)
            and candidate.retired is None  # from one image that nobody mends to another is no way out
        ):
            candidates.append(candidate)
    own_family = base.vendor or base.family
    candidates.sort(key=lambda candidate: _rank(candidate, base, own_family))
    return tuple(candidates)


def _tomcat(base: Base, kind: Wanted, libc: Libc, platforms: Collection[str]) -> Iterator[Base]:
    """The same Tomcat on the JRE: ``10-jdk17`` and ``10-jre17``, on Temurin since the openjdk images ended.

    Tags of one release that name no vendor may be from before that, when not every Java version had a JRE.
    """
    tag = base.reference.tag or ""
    swapped = re.sub(r"-jdk(?=\d)", "-jre", tag, count=1)
    if kind != "jre" or libc != "glibc" or swapped == tag or not tomcat_on_temurin(tag):
        return
    candidate = identify(f"tomcat:{swapped}")
    if candidate.kind == "jre" and set(platforms) <= set(candidate.platforms):
        yield candidate


def _rank(candidate: Base, base: Base, own_family: str) -> tuple[bool, bool, int]:
    family = 0 if candidate.family == own_family else 1 if candidate.family == "eclipse-temurin" else 2
    other_os = candidate.libc == "glibc" and package_family(candidate.os) != package_family(base.os)
    return not candidate.pinned, other_os, family


def _names(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    """Candidates in order of preference within equal rank; the caller filters and ranks."""
    family = base.vendor or base.family
    if family == "eclipse-temurin":
        yield from _temurin_siblings(base, major, kind, libc)
    elif family == "amazoncorretto":
        yield from _corretto_siblings(base, major, kind, libc)
    elif family == "zulu" and base.kind != "build":
        yield from _zulu_siblings(base, major, kind)
    elif family == "liberica" and base.kind != "build":
        yield from _liberica_siblings(base, major, kind, libc)
    elif family in ("ibm-semeru-runtimes", "sapmachine"):
        yield from _swapped(base, family, major, kind)
    elif family == "ibmjava" and libc == "glibc":
        yield "ibmjava:8-jre" if kind == "jre" else "ibmjava:8-sdk"
    elif family == "ubi-openjdk" and libc == "glibc":
        yield from _ubi_siblings(base, major, kind)
    if base.os == "distroless" and kind == "jre" and major in DISTROLESS_CURRENT:
        suffix = ":nonroot" if base.user == "nonroot" else ""
        yield f"gcr.io/distroless/java{major}-debian13{suffix}"
    if base.os == "alpine" and base.libc == "glibc" and libc == "glibc" and major in _LIBERICA_JRES:
        yield f"bellsoft/liberica-open{kind}-alpine:{major}"
    yield from _temurin(base, major, kind, libc)
    yield from _others(base, major, kind, libc)


def _temurin(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    release = temurin_name(base.java_version) if base.kind != "build" else None
    if release is not None:
        if libc == "glibc":
            yield f"eclipse-temurin:{release}-{kind}-{'jammy' if on_jammy(release) else 'focal'}"
        elif _alpine_known(release):
            yield f"eclipse-temurin:{release}-{kind}-alpine"
    if major not in TEMURIN_CURRENT:
        return
    if libc == "musl":
        yield f"eclipse-temurin:{major}-{kind}-alpine"
        return
    if base.os in RPM:
        variants = ["-ubi9-minimal", "-ubi10-minimal", "-jammy", "-noble", ""]
    else:
        variants = ["-jammy", "-noble", ""]
    for variant in variants:
        yield f"eclipse-temurin:{major}-{kind}{variant}"


def _temurin_siblings(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    """The same tag with the other word: every version and OS of Temurin has both a JDK and a JRE."""
    if base.kind == "build":
        return
    variant = re.sub(r"^.*?(?:-(?:jdk|jre))|^[^-]+(?:-b[\d.]+)?", "", base.reference.tag or "", count=1)
    for version in (base.java_version, str(major)):
        if version is None or (kind == "jre" and (major == 16 or version == "17_35")):
            continue  # those had no JRE yet
        if base.libc == libc:
            yield f"eclipse-temurin:{version}-{kind}{variant}"
        elif libc == "glibc":
            yield f"eclipse-temurin:{version}-{kind}"
        elif version.isdigit() or _alpine_known(version):
            yield f"eclipse-temurin:{version}-{kind}-alpine"


def _alpine_known(release: str) -> bool:
    parts = numbers(release)
    return parts >= _FIRST_ALPINE.get(parts[0], parts)


def _corretto_siblings(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    versions = [str(major)] if major in _CORRETTO else []
    os = ""
    if base.family == "amazoncorretto" and base.java_version:
        # The OS of a release stays the one its tag names; whether it also had another is not known.
        found = re.search(r"-(al2023|alpine(?:3\.\d+)?)", base.reference.tag or "")
        os = found[1] if found else ""
        if (os.startswith("alpine") and libc == "musl") or (os == "al2023" and libc == "glibc"):
            versions.insert(0, base.java_version)
    for version in versions:
        if libc == "musl":
            alpine = os if os.startswith("alpine") and version == base.java_version else "alpine"
            if kind == "jdk":
                yield f"amazoncorretto:{version}-{alpine}"
            elif major == 8:
                yield f"amazoncorretto:{version}-{alpine}-jre"
        elif kind == "jdk":
            yield f"amazoncorretto:{version}-al2023"
        elif major == 8:
            yield f"amazoncorretto:{version}-al2023-jre"
        else:
            yield f"amazoncorretto:{version}-al2023-headful"
            yield f"amazoncorretto:{version}-al2023-headless"


def _zulu_siblings(base: Base, major: int, kind: Wanted) -> Iterator[str]:
    known = _ZULU_ALPINE_JRES if base.os == "alpine" else _ZULU_GLIBC_JRES
    if kind == "jre" and major not in known:
        return
    word = "-jre" if kind == "jre" else ""
    pinned = re.match(r"\d[\du.]*-\d[\d.]*\.\d+", base.reference.tag or "")
    if pinned:
        yield f"{base.image}:{pinned[0]}{word}"
    yield f"{base.image}:{major}{word}{'-latest' if '-latest' in (base.reference.tag or '') else ''}"


def _liberica_siblings(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    image, tag = base.image or "", base.reference.tag or str(major)
    if image == "bellsoft/liberica-runtime-container":
        swapped = re.sub(r"^(?:jdk|jre)(?:-all)?", kind, tag)
        yield f"{image}:{re.sub('(?:musl|glibc)$', libc, swapped)}"
        return
    if major not in _LIBERICA_JRES:
        return
    floating = f"{major}-cds" if tag.endswith("-cds") else str(major)
    if base.libc == libc:
        other = re.sub(r"open(?:jdk|jre)", f"open{kind}", image, count=1)
        yield f"{other}:{tag}"
        yield f"{other}:{floating}"
    elif libc == "musl":
        yield f"bellsoft/liberica-open{kind}-alpine-musl:{floating}"
    elif base.os == "alpine":
        yield f"bellsoft/liberica-open{kind}-alpine:{floating}"


def _swapped(base: Base, family: str, major: int, kind: Wanted) -> Iterator[str]:
    """Families whose tags differ in one word: ``open-17-jdk-jammy``, ``21-jdk-headless-ubuntu``."""
    tag = base.reference.tag or ""
    if base.kind != "build" and family == "ibm-semeru-runtimes":
        swapped = re.sub(r"-(?:jdk|jre)(?=-|$)", f"-{kind}", tag, count=1)
        yield f"{family}:{swapped}"
        return
    if family == "ibm-semeru-runtimes":
        if major in TEMURIN_CURRENT:
            yield f"{family}:open-{major}-{kind}"
        return
    if base.kind != "build" and base.libc:
        if re.search(r"-(?:jdk|jre)", tag):
            yield f"{family}:{re.sub(r'-(?:jdk|jre)(?=-|$)', f'-{kind}', tag, count=1)}"
        elif found := re.match(r"[\d.]+", tag):
            yield f"{family}:{found[0]}-{kind}{tag[found.end() :]}"
    if major in _SAPMACHINE:
        yield f"{family}:{major}-{kind}-alpine"
        yield f"{family}:{major}-{kind}"


def _ubi_siblings(base: Base, major: int, kind: Wanted) -> Iterator[str]:
    if kind == "jre" and base.os_version not in UBI_RUNTIMES.get(major, ()):
        return
    image = (base.image or "").removesuffix("-runtime") + ("-runtime" if kind == "jre" else "")
    # 1.21 moves; 1.21-3 is one build, and the two images' builds are numbered apart.
    tag = (base.reference.tag or "").partition("-")[0]
    yield f"{image}:{tag}" if tag else image


def _others(base: Base, major: int, kind: Wanted, libc: Libc) -> Iterator[str]:
    if libc == "musl":
        if kind == "jdk" and major in _CORRETTO:
            yield f"amazoncorretto:{major}-alpine"
        elif major == 8:
            yield "amazoncorretto:8-alpine-jre"
        if major in _LIBERICA_JRES:
            yield f"bellsoft/liberica-open{kind}-alpine-musl:{major}"
        if major in _ZULU_ALPINE_JRES:
            yield f"azul/zulu-openjdk-alpine:{major}{'-jre' if kind == 'jre' else ''}-latest"
        if major in _SAPMACHINE:
            yield f"sapmachine:{major}-{kind}-alpine"
    elif base.os in APT and kind == "jre" and major in _ZULU_GLIBC_JRES:
        yield f"azul/zulu-openjdk-debian:{major}-jre-latest"
