"""What Maven's and Gradle's images are made of: a JDK image, the build tool, and a few programs beside it.

Read from the Dockerfiles of docker-maven (github.com/carlossg/docker-maven) and docker-gradle
(github.com/gradle/docker-gradle), 2017 to 2026: each begins ``FROM`` the vendor's JDK image of the same Java version
and system, so that JDK image is what is left when the build tool is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.bases.base import Base
from imgopt.bases.families.common import UBUNTU
from imgopt.bases.identify import identify, on_mirror

#: What these images add to the JDK's: by apt, apk, yum or dnf, and the tools themselves.
ADDED_COMMANDS = frozenset(
    (
        "mvn gradle git git-lfs hg svn bzr brz ssh scp sftp ssh-keygen ssh-keyscan curl wget tar gzip gunzip zcat "
        "which find xargs unzip make ps pgrep pkill top free uptime vmstat watch kill bash"
    ).split()
)
#: Which of these come with the system itself: in busybox, or as packages that Debian calls essential.
_ON_ALPINE = frozenset(
    ("wget tar gzip gunzip zcat which find xargs unzip ps pgrep pkill top free uptime watch kill").split()
)
_ON_DEBIAN = frozenset("tar gzip gunzip zcat which find xargs kill bash".split())
#: Variables they set, besides those of the JDK image.
ADDED_VARIABLES = frozenset({"MAVEN_HOME", "MAVEN_CONFIG", "MAVEN_VERSION", "GRADLE_HOME", "GRADLE_VERSION"})


def has_command(program: str, base: Base) -> bool:
    """Whether an image has one of the ADDED_COMMANDS without being a build image."""
    if program in base.lacks:
        return False
    there = {"alpine": _ON_ALPINE, "debian": _ON_DEBIAN, "ubuntu": _ON_DEBIAN}.get(base.os or "", frozenset())
    return program in base.has | there


_UBUNTU_NAMES = {number: name for name, number in UBUNTU.items()}


def built_on(base: Base) -> Base | None:
    """The JDK image below a Maven or Gradle image, or what the user's configuration names for it; None when it is
    not known (the tag names no Java version, or the JDK came into the image another way)."""
    if base.counterpart is not None:
        return base.counterpart
    if base.kind != "build" or base.java_major is None or base.family not in ("maven", "gradle"):
        return None
    for name in _names(base, base.java_major):
        found = identify(name)
        if found.kind == "jdk" and (found.java_major, found.os, found.libc) == (
            base.java_major,
            base.os,
            base.libc,
        ):
            return on_mirror(found, base) if base.mirror is not None else found
    return None


def _names(base: Base, major: int) -> Iterator[str]:
    tag = base.reference.tag or ""
    ubuntu = _UBUNTU_NAMES.get(base.os_version or "") if base.os == "ubuntu" else None
    system = "-alpine" if base.os == "alpine" else f"-{ubuntu}" if ubuntu else ""
    if base.vendor == "eclipse-temurin":
        if base.os == "ubi" and base.os_version:
            system = f"-ubi{base.os_version}-minimal"
        yield f"eclipse-temurin:{major}-jdk{system}"
    elif base.vendor == "amazoncorretto":
        amazon = f"-al{base.os_version}" if base.os == "amazonlinux" and base.os_version else system
        yield f"amazoncorretto:{major}{amazon}"
    elif base.vendor == "openjdk":
        yield f"openjdk:{major}-jdk{'-slim' if '-slim' in tag else system}"
    elif base.vendor == "ibm-semeru-runtimes":
        yield f"ibm-semeru-runtimes:open-{major}-jdk{system}"
    elif base.vendor == "sapmachine":
        yield f"sapmachine:{major}{system}"
