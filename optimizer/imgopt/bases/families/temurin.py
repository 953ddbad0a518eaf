"""eclipse-temurin. Sources: the official-images library file and its history; adoptium/containers."""

from __future__ import annotations

import re

from imgopt.bases.base import AMD64, Base
from imgopt.bases.families.common import (
    ALPINE_HAS,
    ALPINE_LACKS,
    APT_HAS,
    BOTH,
    UBUNTU,
    WINDOWS,
    kind_of,
    major_of,
    numbers,
    on_windows,
    take,
    with_java,
)
from imgopt.light.records import replace

# Versions on the official list of August 2026; a tag of another one is frozen.
TEMURIN_CURRENT = frozenset({8, 11, 17, 21, 25, 26})

_TEMURIN_ENV = {
    "JAVA_HOME": "/opt/java/openjdk",
    "LANG": "en_US.UTF-8",
    "LANGUAGE": "en_US:en",
    "LC_ALL": "en_US.UTF-8",
}
# Java 17's JRE has just java, jfr, jrunscript, keytool and rmiregistry.
_TEMURIN_JRE_LACKS = frozenset({"jcmd", "jstack", "jmap", "jps", "jstat", "jar", "javac"})


def temurin_release_month(version: str) -> str | None:
    """``YYYY-MM`` of a release of 8, 11, 17, 21, 25 or 26; releases are quarterly, so the update number says it.

    A tag is rebuilt until the next release, then frozen: what its image holds is that of the quarter after.
    """
    parts = numbers(version)
    if len(parts) < 2:
        return None
    major, update = parts[0], parts[1]
    if "u" in version:
        quarter = (update - 312) // 10
        start = 2021 * 4 + 3
    elif "." in version:
        first = {11: (13, 2021), 17: (1, 2021), 21: (1, 2023), 25: (1, 2025)}.get(major)
        if first is None or len(parts) < 3:
            return None
        quarter = parts[2] - first[0]
        start = first[1] * 4 + 3
    else:
        return {17: "2021-09", 21: "2023-09", 25: "2025-09", 26: "2026-03"}.get(major)
    year, index = divmod(start + quarter, 4)
    return f"{year}-{1 + 3 * index:02d}"


def temurin(base: Base, tag: str) -> Base | None:
    words = tag.split("-")
    if tag == "latest":
        words = []
        version = None
    else:
        version = take(words, r"\d+u\d+|\d+(?:\.\d+)*(?:_\d+(?:\.\d+)?)?")
        if version is None:
            return None
        if "u" in version:
            build = take(words, r"b\d+(?:\.\d+)?")
            if build is None:
                return None
            version = f"{version}-{build}"
    pinned = version is not None and not version.isdigit()
    major = major_of(version)
    if major is not None and (major < 8 or major in (9, 10, 12, 13, 14, 15)):
        return None  # before Temurin's time
    word = take(words, "jdk|jre")
    variant = "-".join(words)
    base = replace(
        base,
        family="eclipse-temurin",
        kind=kind_of(word),
        java_major=major,
        java_version=version if pinned else None,
        pinned=pinned,
        vm="hotspot",
        java_home="/opt/java/openjdk",
        env=_TEMURIN_ENV,
    )
    if re.fullmatch(WINDOWS + r"(?:-\w+)?", variant):
        return replace(on_windows(base), env={}, java_home=None)

    month = temurin_release_month(version) if pinned and version else "9999-12"
    known_at = month or ""
    # The entrypoint came between mid-2023 and mid-2024.
    entrypoint = ("/__cacert_entrypoint.sh",) if known_at >= "2024-04" else None
    base = replace(base, entrypoint=entrypoint)
    if base.kind == "jre":
        base = replace(base, cmd=())
    elif major is not None:
        base = replace(base, cmd=("jshell",) if major >= 9 else None)
    if major is not None and not pinned:
        if major not in TEMURIN_CURRENT and major < max(TEMURIN_CURRENT):
            base = replace(
                base, retired=f"Java {major} is no longer on Temurin's list of images (August 2026)"
            )
        elif variant in ("focal", "centos7"):
            base = replace(
                base, retired=f"the {variant} variant is no longer on Temurin's list of images (August 2026)"
            )

    ca = frozenset({"ca-certificates"} if known_at >= "2024-04" else ())
    if re.fullmatch(r"alpine(?:-3\.\d+)?", variant):
        has = ALPINE_HAS | {"tzdata", "locales", "awt"}
        lacks = ALPINE_LACKS | {"libgcc"}
        if known_at >= "2023-04":
            has |= {"fontconfig", "fonts"}
        elif known_at and known_at <= "2022-04":
            lacks |= {"fontconfig", "fonts"}
        if known_at >= "2025-04":
            has |= {"gpg", "coreutils", "openssl"}
        base = replace(
            base,
            os="alpine",
            os_version=variant.partition("-")[2] or None,
            libc="musl",
            # No Alpine build of 8, 11 and 17 for arm64; the first is 21_35 (October 2023).
            platforms=BOTH if major is None or major >= 21 else (AMD64,),
            has=has | ca,
            lacks=lacks,
        )
    elif variant == "" or variant in UBUNTU:
        version_now = UBUNTU[variant] if variant else (None if pinned else "26.04")
        platforms = [*BOTH, "linux/ppc64le"]
        if major is None or major >= 11:
            platforms.append("linux/s390x")
        if major in (11, 17):
            platforms.append("linux/arm/v7")
        if major in (17, 21, 25) and variant == "noble":
            platforms.append("linux/riscv64")
        base = replace(
            base,
            os="ubuntu",
            os_version=version_now,
            libc="glibc",
            platforms=tuple(platforms),
            # Ubuntu's fontconfig cannot be installed without a DejaVu font; its apt needed adduser up to 22.04.
            has=APT_HAS
            | (frozenset({"adduser", "addgroup"}) if variant in ("focal", "jammy") else frozenset())
            | ca
            | {"curl", "wget", "gpg", "fontconfig", "fonts", "tzdata", "locales", "awt"},
            note=None
            if variant or pinned
            else "a tag without an OS moves from one Ubuntu release to the next",
        )
    elif found := re.fullmatch(r"ubi(\d+)-minimal", variant):
        base = replace(
            base,
            os="ubi",
            os_version=found[1],
            libc="glibc",
            platforms=(*BOTH, "linux/ppc64le", "linux/s390x") if major != 8 else (*BOTH, "linux/ppc64le"),
            has=ca | {"sh", "bash", "microdnf", "wget", "openssl", "tzdata", "fontconfig", "locales", "awt"},
        )
    elif variant == "centos7":
        base = replace(
            base,
            os="centos",
            os_version="7",
            libc="glibc",
            platforms=(*BOTH, "linux/ppc64le"),
            has=frozenset({"sh", "bash", "yum", "awt"}),
        )
    else:
        return None
    if tag == "latest":
        base = replace(
            base, note="latest moves to the newest LTS JDK (25 in August 2026): no Java version is promised"
        )
    if base.kind == "jdk" and major is not None and major >= 9:
        # From 24 on Temurin's JDK links from its own run-time image (JEP 493).
        jmods = frozenset({"jmods"})
        base = replace(base, has=base.has | jmods) if major < 24 else replace(base, lacks=base.lacks | jmods)
    if base.kind == "jdk" and known_at >= "2025-04" and (major is None or major >= 13):  # jlink wants objcopy
        base = replace(base, has=base.has | {"binutils"})
        if base.os == "alpine":  # Alpine's binutils depend on it
            base = replace(base, has=base.has | {"libgcc"}, lacks=base.lacks - {"libgcc"})
    if base.kind == "jre":
        jfr = frozenset() if major == 8 else frozenset({"jfr"})
        return with_java(base, extra=jfr, lacks=_TEMURIN_JRE_LACKS)
    return with_java(base)
