"""Images that nobody maintains any more. Sources: AdoptOpenJDK/openjdk-docker and the Dockerfiles of frolvlad and anapsix."""

from __future__ import annotations

import re

from imgopt.bases.base import AMD64, Base, Kind
from imgopt.bases.families.common import (
    ALPINE_HAS,
    ALPINE_LACKS,
    APT_HAS,
    OPENJ9_FEATURES,
    kind_of,
    major_of,
    take,
    take_anywhere,
    with_java,
)
from imgopt.light.records import replace


def adoptopenjdk(base: Base, tag: str) -> Base | None:
    image = base.image or ""
    found = re.fullmatch(r"adoptopenjdk/openjdk(\d+)(-openj9)?", image)
    words = [] if tag == "latest" else re.split(r"[-_]", tag)
    openj9 = "openj9" in tag or bool(found and found[2])
    alpine, ubi, slim = "alpine" in words, any(w.startswith("ubi") for w in words), "slim" in words
    kind: Kind = "jre" if "jre" in words else "jdk"
    if found:
        major: int | None = int(found[1])
        exact = re.search(r"jdk-?([\d.]+u?\d*)|jre-?([\d.]+)", tag)
        version = next((group for group in exact.groups() if group), None) if exact else None
        pinned = bool(version and ("." in version or "u" in version))
    else:
        version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
        if version is None and tag != "latest":
            return None
        major, pinned = major_of(version), bool(version and not version.isdigit())
    debian = take_anywhere(words, "debian|debianslim")
    centos = take_anywhere(words, "centos")
    os = "alpine" if alpine else "ubi" if ubi else "debian" if debian else "centos" if centos else "ubuntu"
    has = {"alpine": ALPINE_HAS, "ubuntu": APT_HAS, "debian": APT_HAS}.get(os, frozenset({"sh", "bash"}))
    note = "Alpine 3.14 with an added glibc 2.33: the JVM is a glibc build" if alpine else None
    if slim:
        note = (note + "; " if note else "") + "slim: modules are stripped"
    base = replace(
        base,
        family="adoptopenjdk",
        kind=kind,
        java_major=major,
        java_version=version if pinned else None,
        pinned=pinned,
        vm="openj9" if openj9 else "hotspot",
        os=os,
        libc="glibc",
        platforms=(AMD64,),
        java_home="/opt/java/openjdk",
        env={"JAVA_HOME": "/opt/java/openjdk"},
        has=has,
        lacks=ALPINE_LACKS if alpine else frozenset(),
        retired="AdoptOpenJDK became Eclipse Temurin; its images were last built in 2021",
        vendor_features=OPENJ9_FEATURES if openj9 else None,
        note=note,
    )
    return base if slim else with_java(base)


def frolvlad(base: Base, tag: str) -> Base | None:
    update = re.match(r"(?:jdk|jre)?8\.(\d+)", tag)
    return replace(
        base,
        family="frolvlad",
        kind="jdk",
        java_major=8,
        java_version=f"8u{update[1]}" if update else None,
        pinned=True,
        vm="hotspot",
        os="alpine",
        os_version="3.9",
        libc="glibc",
        platforms=(AMD64,),
        java_home="/usr/lib/jvm/default-jvm",
        env={"JAVA_HOME": "/usr/lib/jvm/default-jvm"},
        has=ALPINE_HAS,
        lacks=ALPINE_LACKS,
        retired="frozen at Oracle JDK 8u202 on Alpine 3.9",
        note="Alpine with an added glibc; Nashorn, keytool and jfr are deleted",
    )


def anapsix(base: Base, tag: str) -> Base | None:
    words = [] if tag == "latest" else re.split(r"[-_]", tag)
    version = take(words, r"\d+(?:u\d+)?(?:b\d+)?")
    if version is None and tag != "latest":
        return None
    major = major_of(version)
    kind: Kind = "jre" if "jre" in words else "jdk" if "jdk" in words else "unknown"
    return replace(
        base,
        family="anapsix",
        kind=kind,
        java_major=major,
        java_version=version if version and "u" in version else None,
        pinned=bool(version and "u" in version),
        vm="hotspot",
        os="alpine",
        os_version="3.8",
        libc="glibc",
        platforms=(AMD64,),
        java_home="/opt/jdk",
        env={"JAVA_HOME": "/opt/jdk"},
        has=ALPINE_HAS | {"bash"},
        lacks=ALPINE_LACKS - {"bash"},
        hint_major=None if version else 8,
        retired="frozen: Oracle JDK 8 on Alpine 3.8",
        vendor_features="networkaddress.cache.ttl is set to 10 in its java.security",
        note="Alpine with an added glibc 2.29; a JRE lies in /opt/jdk/jre",
    )


def livingobjects(base: Base, tag: str) -> Base | None:
    return with_java(
        replace(
            base,
            family="livingobjects",
            kind="jre",
            java_major=8,
            vm="hotspot",
            platforms=(AMD64,),
            has=frozenset({"sh", "bash"}),
            retired="an old tutorial image on its own base that nobody documents",
        )
    )


def fabric8(base: Base, tag: str) -> Base | None:
    found = re.fullmatch(
        r"fabric8/java-(alpine|centos|jboss)-(?:openjdk|oraclejdk)(\d+)-(jdk|jre)", base.image or ""
    )
    if found is None:
        return None
    alpine = found[1] == "alpine"
    return with_java(
        replace(
            base,
            family="fabric8",
            kind=kind_of(found[3]),
            java_major=int(found[2]),
            pinned=tag != "latest",
            vm="hotspot",
            os="alpine" if alpine else "centos",
            libc="musl" if alpine else "glibc",
            platforms=(AMD64,),
            has=(ALPINE_HAS if alpine else frozenset({"sh", "bash"})) | {"run-java.sh"},
            vendor_features="run-java.sh in /deployments starts the jar and adds its own options",
        )
    )
