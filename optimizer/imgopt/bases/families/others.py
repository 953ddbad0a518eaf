"""Images that are no JDK: build tools, application servers, operating systems, and common neighbours."""

from __future__ import annotations

import re

from imgopt.bases.base import Base, Kind, Libc
from imgopt.bases.families.common import (
    ALPINE_HAS,
    ALPINE_LACKS,
    APT_HAS,
    BARE_ALPINE_LACKS,
    BOTH,
    DEBIAN,
    SHELL_LESS_LACKS,
    UBUNTU,
    WINDOWS,
    kind_of,
    on_windows,
    take,
    with_java,
)
from imgopt.light.records import replace

# Build tools --------------------------------------------------------------------------------------------------

# How maven and gradle spell the JDK inside; a bare "jdk" was the openjdk image until 2022.
_VENDORS = {
    "eclipse-temurin": "eclipse-temurin",
    "temurin": "eclipse-temurin",
    "amazoncorretto": "amazoncorretto",
    "corretto": "amazoncorretto",
    "ibm-semeru": "ibm-semeru-runtimes",
    "semeru": "ibm-semeru-runtimes",
    "ibmjava": "ibmjava",
    "sapmachine": "sapmachine",
    "openjdk": "openjdk",
    "jdk": "openjdk",
    "adoptopenjdk": "adoptopenjdk",
    "azulzulu": "zulu",
    "libericaopenjdk": "liberica",
    "microsoft-openjdk": "microsoft-openjdk",
    "graalvm-community": "graalvm",
    "graal": "graalvm",
}


def _os_of(variant: str, default: str | None) -> tuple[str | None, str | None, Libc | None]:
    """(os, version, libc) that the OS words of a tag name; `default` when there are none."""
    if found := re.fullmatch(r"alpine-?(3\.\d+)?", variant):
        return "alpine", found[1], "musl"
    if variant in UBUNTU:
        return "ubuntu", UBUNTU[variant], "glibc"
    slim = variant.removesuffix("-slim").removeprefix("slim-")
    if slim in DEBIAN:
        return "debian", DEBIAN[slim], "glibc"
    if variant in ("slim", "debian"):
        return "debian", None, "glibc"
    if found := re.fullmatch(r"al(2|2023)", variant):
        return "amazonlinux", found[1], "glibc"
    if found := re.fullmatch(r"ubi(\d+)?(?:-minimal)?", variant):
        return "ubi", found[1], "glibc"
    return default, None, "glibc" if variant == "" and default else None


def _commands(os: str | None) -> tuple[frozenset[str], frozenset[str]]:
    if os == "alpine":
        return ALPINE_HAS, ALPINE_LACKS
    if os in ("debian", "ubuntu"):
        return APT_HAS, frozenset()
    return frozenset({"sh", "bash"}) if os else frozenset(), frozenset()


# What the JDK image is built on when the tag names no OS.
_DEFAULT_OS = {
    "eclipse-temurin": "ubuntu",
    "amazoncorretto": "amazonlinux",
    "ibm-semeru-runtimes": "ubuntu",
    "sapmachine": "ubuntu",
}


def maven(base: Base, tag: str) -> Base | None:
    base = replace(
        base, family="maven", kind="build", cmd=("mvn",), entrypoint=("/usr/local/bin/mvn-entrypoint.sh",)
    )
    found = re.fullmatch(r"(?P<maven>latest|\d+(?:\.\d+)*(?:-(?:alpha|beta|rc)-\d+)?)(?:-(?P<rest>.+))?", tag)
    rest = found["rest"] or "" if found else tag
    if not rest:
        return replace(base, note="the tag names no Java version")
    jdk = re.fullmatch(rf"(?P<vendor>{'|'.join(_VENDORS)})-?(?P<java>\d+)(?:-(?P<os>.+))?", rest)
    if jdk is None:
        os, version, libc = _os_of(rest, None)
        return (
            replace(base, os=os, os_version=version, libc=libc, note="the tag names no Java version")
            if os
            else None
        )
    vendor, major = _VENDORS[jdk["vendor"]], int(jdk["java"])
    default = (
        "debian"
        if vendor == "openjdk" and major < 12
        else "oraclelinux"
        if vendor == "openjdk"
        else _DEFAULT_OS.get(vendor)
    )
    os, version, libc = _os_of(jdk["os"] or "", default)
    if os is None and jdk["os"]:
        return None
    has, lacks = _commands(os)
    if os == "alpine":
        has, lacks = has | {"bash", "curl"}, lacks - {"bash", "curl"}
    elif os in ("debian", "ubuntu"):
        has |= {"git"}
    retired = None
    if vendor == "openjdk":
        retired = "built on the deprecated openjdk images, until 2022"
    return replace(
        base,
        java_major=major,
        vendor=vendor,
        os=os,
        os_version=version,
        libc=libc,
        platforms=_build_platforms(vendor, major, libc),
        vm="openj9" if vendor in ("ibm-semeru-runtimes", "ibmjava") else "hotspot",
        has=has | {"jar", "javac"},
        lacks=lacks,
        retired=retired,
    )


def _build_platforms(vendor: str, major: int, libc: Libc | None) -> tuple[str, ...]:
    old_alpine = vendor == "eclipse-temurin" and major < 21 and libc == "musl"
    return BOTH[:1] if old_alpine else BOTH


def gradle(base: Base, tag: str) -> Base | None:
    base = replace(base, family="gradle", kind="build", entrypoint=(), note="has a user gradle (1000)")
    words = tag.split("-")
    take(words, r"latest|\d+(?:\.\d+)*")
    java = take(words, r"(?:jdk|jre)\d+(?:_\d+)?")
    take(words, "and")
    rest = "-".join(words)
    if java is None:
        os, version, libc = _os_of(rest, None)
        return replace(base, os=os, os_version=version, libc=libc) if os or not rest else None
    major = int(java[3:].partition("_")[0])
    vendor = "eclipse-temurin"
    if words and words[0] in ("corretto", "graal", "semeru"):
        vendor = _VENDORS[words.pop(0)]
        if words and words[0] == "community":
            words.pop(0)
    rest = "-".join(words)
    default = {"graalvm": "oraclelinux"}.get(vendor, _DEFAULT_OS.get(vendor))
    os, version, libc = _os_of(rest, default)
    if os is None and rest:
        return None
    has, lacks = _commands(os)
    return replace(
        base,
        java_major=major,
        vendor=vendor,
        os=os,
        os_version=version,
        libc=libc,
        vm="openj9" if vendor == "ibm-semeru-runtimes" else "hotspot",
        platforms=_build_platforms(vendor, major, libc),
        has=has | ({"jar", "javac"} if java.startswith("jdk") else frozenset()),
        lacks=lacks,
    )


# Servers ------------------------------------------------------------------------------------------------------


def tomcat(base: Base, tag: str) -> Base | None:
    found = _server(base, tag, "tomcat", r"latest|\d+(?:\.\d+)*(?:-M\d+)?")
    if found is None:
        return None
    return replace(
        found,
        platforms=BOTH,
        entrypoint=(),
        cmd=("catalina.sh", "run"),
        has=found.has | {"catalina.sh"},
        java_home="/opt/java/openjdk" if tomcat_on_temurin(tag) else None,
    )


def tomcat_on_temurin(tag: str) -> bool:
    """Whether a tag of Tomcat stands on Temurin. One release that names no vendor may be from before 2022, when the
    images stood on openjdk; the floating tags were rebuilt on Temurin."""
    if re.search(r"corretto|openjdk", tag):
        return False
    return "temurin" in tag or re.match(r"\d+(?:\.\d+)?-", tag) is not None


def jetty(base: Base, tag: str) -> Base | None:
    return _server(base, tag, "jetty", r"latest|\d+(?:\.\d+)*(?:\.v\d+)?")


def _server(base: Base, tag: str, family: str, version: str) -> Base | None:
    found = re.fullmatch(
        rf"(?:{version})(?:-(?P<kind>jdk|jre)(?P<java>\d+))?"
        rf"(?P<vendor>-(?:openjdk|temurin|eclipse-temurin|corretto|amazoncorretto))?(?:-(?P<os>[a-z0-9.-]+?))?"
        r"(?P<tail>-eclipse-temurin|-amazoncorretto)?",
        tag,
    )
    if found is None:
        return None
    spelled = (found["vendor"] or found["tail"] or "").lstrip("-")
    vendor = _VENDORS.get(spelled)
    os, os_version, libc = _os_of(found["os"] or "", None)
    if os is None and found["os"]:
        return None
    kind: Kind = kind_of(found["kind"]) if found["kind"] else "other"
    has, lacks = _commands(os)
    base = replace(
        base,
        family=family,
        kind=kind,
        java_major=int(found["java"]) if found["java"] else None,
        vendor=vendor,
        vm="hotspot",
        os=os,
        os_version=os_version,
        # Neither server publishes anything but glibc and Alpine's musl.
        libc=libc or "glibc",
        has=has,
        lacks=lacks,
        note=None if found["java"] else "the tag names no Java version",
    )
    return with_java(base) if found["kind"] else base


def server(base: Base, tag: str) -> Base | None:
    """Application servers that only matter because a Dockerfile must not lose them."""
    name = base.image or ""
    found = re.search(r"(?:java|jdk|jre)-?(\d+)", tag)
    return replace(
        base,
        family=name.rpartition("/")[2],
        kind="other",
        java_major=int(found[1]) if found else None,
        vm="openj9" if "openj9" in tag or "liberty" in name else None,
        os="ubi" if "ubi" in tag else None,
        libc="glibc" if "ubi" in tag else None,
    )


# Operating systems --------------------------------------------------------------------------------------------


def alpine(base: Base, tag: str) -> Base | None:
    if not re.fullmatch(r"latest|edge|3(?:\.\d+){0,2}(?:_\w+)?|2\.\d+|\d{8}", tag):
        return None
    version = re.match(r"\d+\.\d+", tag)
    return replace(
        base,
        family="alpine",
        kind="os",
        os="alpine",
        os_version=version[0] if version else None,
        libc="musl",
        platforms=BOTH,
        entrypoint=(),
        has=ALPINE_HAS,
        lacks=BARE_ALPINE_LACKS,
        pinned=tag.count(".") == 2,
    )


def debian(base: Base, tag: str) -> Base | None:
    name = re.match(r"([a-z]+|\d+)", tag)
    release = name[1] if name else ""
    return replace(
        base,
        family="debian",
        kind="os",
        os="debian",
        os_version=DEBIAN.get(release, release if release.isdigit() else None),
        libc="glibc",
        platforms=BOTH,
        entrypoint=(),
        has=APT_HAS,
        pinned=bool(re.search(r"\d{8}", tag)),
    )


def ubuntu(base: Base, tag: str) -> Base | None:
    name = re.match(r"([a-z]+|\d+\.\d+)", tag)
    release = name[1] if name else ""
    return replace(
        base,
        family="ubuntu",
        kind="os",
        os="ubuntu",
        os_version=UBUNTU.get(release, release if release[:1].isdigit() else None),
        libc="glibc",
        platforms=BOTH,
        entrypoint=(),
        has=APT_HAS,
        pinned=bool(re.search(r"\d{8}", tag)),
    )


_RPM_MANAGERS = {
    "centos": ("yum", 7),
    "oraclelinux": ("yum", 7),
    "amazonlinux": ("yum", 2),
}


def rpm(base: Base, tag: str) -> Base | None:
    """CentOS, Rocky, Alma, Oracle and Amazon Linux, Fedora, UBI, Anolis, openEuler."""
    image = base.image or ""
    name = image.rpartition("/")[2]
    ubi = re.search(r"\bubi(\d+)", image)
    found = re.search(r"(\d+)", tag)
    major = int(found[1]) if found and tag != "latest" else None
    if "ubi" in image:
        family, version = "ubi", ubi[1] if ubi else (str(major) if major else None)
    else:
        family = {"anolisos": "anolis", "fedora-minimal": "fedora"}.get(name, name)
        version = str(major) if major else None
    if "micro" in name:
        return replace(
            base,
            family=family,
            kind="os",
            os=family,
            os_version=version,
            libc="glibc",
            platforms=BOTH,
            entrypoint=(),
            has=frozenset({"sh", "bash"}),
            lacks=frozenset({"apt", "dnf", "microdnf", "yum"}),
        )
    if (
        "minimal" in name
        or "minimal" in tag
        or (name == "oraclelinux" and "slim" in tag and (major or 8) >= 8)
    ):
        manager = {"microdnf"}
    elif name in _RPM_MANAGERS and major is not None and major <= _RPM_MANAGERS[name][1]:
        manager = {"yum"}
    elif major is None and family != "fedora" and not ubi:
        manager = set()
    else:
        manager = {"dnf"} if family in ("fedora", "amazonlinux") else {"dnf", "yum"}
    return replace(
        base,
        family=family,
        kind="os",
        os=family,
        os_version=version,
        libc="glibc",
        platforms=BOTH,
        entrypoint=(),
        has=frozenset({"sh", "bash"} | manager),
        lacks=frozenset({"apt"}),
    )


def busybox(base: Base, tag: str) -> Base | None:
    libc: Libc | None = "musl" if "musl" in tag else "glibc" if "glibc" in tag else None
    return replace(
        base,
        family="busybox",
        kind="os",
        os="busybox",
        libc=libc,
        platforms=BOTH,
        entrypoint=(),
        has=frozenset({"sh", "busybox"}),
        lacks=frozenset({"bash", "apk", "apt"}),
    )


def scratch(base: Base, tag: str) -> Base | None:
    return replace(
        base, family="scratch", kind="os", os="scratch", platforms=BOTH, entrypoint=(), lacks=SHELL_LESS_LACKS
    )


def buildpack_deps(base: Base, tag: str) -> Base | None:
    release = tag.partition("-")[0]
    os = "ubuntu" if release in UBUNTU else "debian"
    return replace(
        base,
        family="buildpack-deps",
        kind="os",
        os=os,
        os_version=UBUNTU.get(release, DEBIAN.get(release)),
        libc="glibc",
        platforms=BOTH,
        entrypoint=(),
        has=APT_HAS | {"curl", "wget"},
    )


def quarkus(base: Base, tag: str) -> Base | None:
    name = (base.image or "").rpartition("/")[2]
    found = re.search(r"(?:java|jdk-?)(\d+)", tag)
    kind: Kind = "build" if "builder" in name or "mandrel" in name or "native" in name else "os"
    distroless = "distroless" in name
    return replace(
        base,
        family="quarkus",
        kind=kind,
        java_major=int(found[1]) if found and kind == "build" else None,
        os="distroless" if distroless else "ubi",
        libc="glibc",
        platforms=BOTH,
        lacks=SHELL_LESS_LACKS if distroless else frozenset(),
    )


def windows(base: Base, tag: str) -> Base | None:
    return replace(on_windows(base), family="windows", kind="os")


# Neighbours ---------------------------------------------------------------------------------------------------


def neighbour(base: Base, tag: str) -> Base | None:
    """nginx, node, python and the like: Debian unless the tag says Alpine."""
    name = base.image or ""
    if re.search(WINDOWS, tag):
        return replace(on_windows(base), family=name, kind="other")
    found = re.search(r"alpine(3\.\d+)?", tag)
    os = "alpine" if found else "debian"
    has, lacks = _commands(os)
    return replace(
        base,
        family=name,
        kind="other",
        os=os,
        os_version=found[1] if found else None,
        libc="musl" if found else "glibc",
        has=has,
        lacks=lacks,
    )


def agent(base: Base, tag: str) -> Base | None:
    return replace(base, family=(base.image or "").rpartition("/")[2], kind="other")
