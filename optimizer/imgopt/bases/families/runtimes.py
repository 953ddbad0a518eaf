"""Images made for running only: Red Hat UBI, distroless, Chainguard, chiselled Ubuntu. Sources:
rh-openjdk/redhat-openjdk-containers, GoogleContainerTools/distroless, chainguard-images.
"""

from __future__ import annotations

import re

from imgopt.bases.base import Base, Libc
from imgopt.bases.families.common import (
    BOTH,
    SHELL_LESS_LACKS,
    with_java,
)
from imgopt.light.records import replace

# Red Hat publishes the runtime images of a Java version on these UBI releases.
UBI_RUNTIMES = {8: ("8",), 11: ("8", "9"), 17: ("8", "9"), 21: ("8", "9", "10")}


def ubi_openjdk(base: Base, tag: str) -> Base | None:
    found = re.fullmatch(r"registry\.access\.redhat\.com/ubi(\d+)/openjdk-(\d+)(-runtime)?", base.image or "")
    if found is None or not re.fullmatch(r"latest|\d+\.\d+(?:-\d+(?:\.\d+)*)?", tag):
        return None
    runtime, major = bool(found[3]), int(found[2])
    home = "/usr/lib/jvm/jre" if runtime else f"/usr/lib/jvm/java-{major}"
    return with_java(
        replace(
            base,
            family="ubi-openjdk",
            kind="jre" if runtime else "jdk",
            java_major=major,
            pinned=tag != "latest",
            vm="hotspot",
            os="ubi",
            os_version=found[1],
            libc="glibc",
            platforms=BOTH,
            user="185",
            entrypoint=(),
            java_home=home,
            env={"JAVA_HOME": home},
            has=frozenset({"sh", "bash", "microdnf", "run-java.sh"}) | (frozenset() if runtime else {"awt"}),
            lacks=frozenset({"awt"}) if runtime else frozenset(),
            vendor_features=(
                "without a start command in the Dockerfile, run-java.sh starts the jar in /deployments and adds "
                "options of its own (-XX:MaxRAMPercentage=80, ParallelGC, ExitOnOutOfMemoryError, JAVA_OPTS_APPEND)"
            ),
        )
    )


DISTROLESS_CURRENT = frozenset({17, 21, 25})


def distroless(base: Base, tag: str) -> Base | None:
    name = (base.image or "").rpartition("/")[2]
    by_tag = re.fullmatch(
        r"java(?:-debian\d+)?", name
    )  # the Java version was in the tag once: java-debian10:11
    flavour = re.fullmatch(r"(?:latest|nonroot|debug|debug-nonroot|nonroot-debug)(?:-[a-z0-9]+)?", tag)
    if flavour is None and by_tag is None:
        return None
    debug, nonroot = "debug" in tag, "nonroot" in tag
    base = replace(
        base,
        family="distroless",
        os="distroless",
        user="nonroot" if nonroot else None,
        has=frozenset({"sh", "busybox"}) if debug else frozenset(),
        lacks=frozenset({"bash", "apt", "apk", "curl", "useradd"}) if debug else SHELL_LESS_LACKS,
    )
    debian = re.search(r"-debian(\d+)$", name)
    base = replace(base, os_version=f"debian{debian[1]}" if debian else None)
    found = re.fullmatch(r"java(\d+)(?:-debian\d+)?", name)
    if by_tag is not None:
        found = re.match(r"(\d+)", tag)
        if found is None:
            return replace(base, kind="jre", retired="this distroless repository is no longer updated")
    if found is None:
        libc: Libc | None = None if name.startswith("static") else "glibc"
        return replace(base, kind="os", libc=libc, platforms=BOTH, entrypoint=())
    major = int(found[1])
    retired = None
    if major not in DISTROLESS_CURRENT and major < max(DISTROLESS_CURRENT):
        retired = f"distroless java{major} is no longer updated"
    elif debian and int(debian[1]) < 13:
        end = " (debian12: since January 2026)" if debian[1] == "12" else ""
        retired = f"distroless Java on Debian {debian[1]} is no longer updated{end}"
    return with_java(
        replace(
            base,
            kind="jdk" if debug else "jre",
            java_major=major,
            vm="hotspot",
            libc="glibc",
            platforms=(*BOTH, "linux/s390x", "linux/ppc64le"),
            entrypoint=("/usr/bin/java", "-jar"),
            has=base.has | {"fontconfig", "fonts", "awt"},
            retired=retired,
            note="CMD is the path of the jar; JAVA_HOME is not set",
        )
    )


def chainguard(base: Base, tag: str) -> Base | None:
    name = (base.image or "").rpartition("/")[2]
    major = re.fullmatch(r"openjdk-(\d+)(?:[.\d]*)?(-dev)?|(\d+)(-dev)?", tag)
    dev = tag.endswith("-dev")
    if tag not in ("latest", "latest-dev") and major is None:
        return None
    base = replace(base, family="chainguard", os="wolfi", libc="glibc", platforms=BOTH)
    if name in ("wolfi-base", "static", "glibc-dynamic", "busybox"):
        shell = name in ("wolfi-base", "busybox")
        libc = None if name == "static" else base.libc
        return replace(
            base,
            kind="os",
            libc=libc,
            has=frozenset({"sh", "apk"} if name == "wolfi-base" else ()),
            lacks=frozenset() if shell else SHELL_LESS_LACKS,
        )
    if name not in ("jdk", "jre", "jdk-lts", "jre-lts"):
        return None
    jre = name.startswith("jre")
    return with_java(
        replace(
            base,
            kind="jre" if jre else "jdk",
            java_major=int(major[1] or major[3]) if major else None,
            vm="hotspot",
            user="65532" if jre else None,
            entrypoint=("/usr/bin/java",) if jre else None,
            java_home="/usr/lib/jvm/default-jvm",
            has=frozenset({"fonts", "awt"} if jre else {"awt"})
            | (frozenset({"sh", "apk"}) if dev else frozenset()),
            lacks=frozenset() if dev else SHELL_LESS_LACKS,
            note="Wolfi: apk as on Alpine, but glibc and other packages"
            + ("" if major else "; latest moves (Java 26 in August 2026)"),
        )
    )


def chiselled_jre(base: Base, tag: str) -> Base | None:
    found = re.match(r"(\d+)(?:-(\d+\.\d+))?(?:_\w+)?$", tag)
    if found is None:
        return None
    return with_java(
        replace(
            base,
            family="ubuntu-jre",
            kind="jre",
            java_major=int(found[1]),
            vm="hotspot",
            os="chiselled",
            os_version=found[2],
            libc="glibc",
            platforms=BOTH,
        )
    )
