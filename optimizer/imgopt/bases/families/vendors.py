"""JDKs of vendors that still build them. Sources: the official-images library files; corretto/corretto-docker,
zulu-openjdk, bell-sw/Liberica, ibmruntimes/semeru-containers, SAP/SapMachine-infrastructure, microsoft/openjdk-docker,
graalvm/container, oracle/docker-images; the Dragonwell wiki.
"""

from __future__ import annotations

import re

from imgopt.bases.base import AMD64, Base, Kind
from imgopt.bases.families.common import (
    ALPINE_HAS,
    ALPINE_LACKS,
    APT_HAS,
    BARE_ALPINE_LACKS,
    BOTH,
    JDK_TOOLS,
    OPENJ9_FEATURES,
    SHELL_LESS_LACKS,
    UBUNTU,
    kind_of,
    major_of,
    take,
    with_java,
)
from imgopt.light.records import replace


def corretto(base: Base, tag: str) -> Base | None:
    if tag == "latest":
        return replace(
            base, family="amazoncorretto", kind="jdk", vm="hotspot", note="latest names no Java version"
        )
    words = tag.split("-")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    if version is None:
        return None
    os = take(words, r"al2023|al2|alpine(?:3\.\d+)?")
    native = take(words, "native|generic")
    word = take(words, "jdk|jre|headless|headful|full")
    if words:
        return None
    major, pinned = major_of(version), not version.isdigit()
    if word == "jre" and major != 8:
        return None
    alpine = bool(os and os.startswith("alpine"))
    kind: Kind = "jre" if word in ("jre", "headless", "headful") else "jdk"
    if alpine and kind == "jre" and word != "jre":
        return None
    if alpine:
        home = "/usr/lib/jvm/default-jvm" + ("/jre" if kind == "jre" else "")
    elif os == "al2" or (pinned and os is None):
        home = None
    else:
        name = "1.8.0" if major == 8 else str(major)
        home = f"/usr/lib/jvm/java-{name}-amazon-corretto" + ("/jre" if major == 8 and kind == "jre" else "")
    base = replace(
        base,
        family="amazoncorretto",
        kind=kind,
        java_major=major,
        java_version=version if pinned else None,
        pinned=pinned,
        vm="hotspot",
        platforms=BOTH,
        entrypoint=(),
        java_home=home,
        env={"LANG": "C.UTF-8"} | ({"JAVA_HOME": home} if home else {}),
    )
    if alpine and os is not None:
        base = replace(
            base,
            os="alpine",
            os_version=os.removeprefix("alpine") or None,
            libc="musl",
            has=ALPINE_HAS | {"awt"},
            # Fonts and tzdata: not installed by the Dockerfile; what Corretto's own package pulls in was not checked.
            lacks=ALPINE_LACKS | {"libgcc", "binutils"},
        )
    else:
        al2 = os == "al2"
        release = "2" if al2 else (None if pinned and os is None else "2023")
        manager = {"2": "yum", "2023": "dnf"}.get(release or "")
        base = replace(
            base,
            os="amazonlinux",
            os_version=release,
            libc="glibc",
            has=frozenset({"sh", "bash"} | ({manager} if manager else set())),
            note=None if os else "the bare tag is Amazon Linux 2023 today and was Amazon Linux 2 before",
        )
        if word == "headless":
            base = replace(
                base, lacks=frozenset({"awt", "fonts"}), note="headless: no AWT, no font libraries"
            )
        elif not native:
            base = replace(base, has=base.has | {"awt"})
        if kind == "jdk" and os == "al2023" and major is not None and major >= 9:
            base = replace(base, has=base.has | {"jmods"})
    return with_java(base)


def zulu(base: Base, tag: str) -> Base | None:
    words = [] if tag == "latest" else tag.split("-")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    take(words, r"\d+(?:\.\d+)+")
    word = take(words, "jre|jdk")
    headless = take(words, "headless")
    crac = take(words, "crac")
    headless = headless or take(words, "headless")
    take(words, "latest")
    if words or (version is None and tag != "latest"):
        return None
    os = (base.image or "").removeprefix("azul/zulu-openjdk").lstrip("-") or "ubuntu"
    major, pinned = major_of(version), bool(version and not version.isdigit())
    base = replace(
        base,
        family="zulu",
        kind="jre" if os == "distroless" else kind_of(word),
        java_major=major,
        java_version=version if pinned else None,
        pinned=pinned,
        vm="hotspot",
        os=os,
        libc="musl" if os == "alpine" else "glibc",
        # arm64 exists for recent versions; for which, the package repository decides.
        platforms=(AMD64,),
        note="latest names no Java version" if tag == "latest" else None,
    )
    more = frozenset({"awt"} if not headless else ()) | frozenset({"crac"} if crac else ())
    lacks = frozenset({"awt"}) if headless else frozenset()
    if os == "alpine":
        home = f"/usr/lib/jvm/zulu{major}" if major else None
        base = replace(
            base,
            java_home=home,
            env={"LANG": "en_US.UTF-8"} | ({"JAVA_HOME": home} if home else {}),
            has=ALPINE_HAS | {"tzdata"},
            lacks=ALPINE_LACKS,
        )
    elif os == "distroless":
        base = replace(base, lacks=SHELL_LESS_LACKS, note="the entrypoint is the java binary")
    elif os == "centos":
        base = replace(base, has=frozenset({"sh", "bash", "yum"}))
    else:
        base = replace(base, has=APT_HAS)
    return with_java(base, extra=more, lacks=lacks)


def liberica(base: Base, tag: str) -> Base | None:
    found = re.fullmatch(
        r"bellsoft/liberica-open(jdk|jre)-(alpine-musl|alpine|debian|rocky|rockylinux|centos)",
        base.image or "",
    )
    if found is None:
        return None
    words = [] if tag == "latest" else tag.split("-")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    build = take(words, r"\d+")
    crac = take(words, "cds|crac") == "crac"
    take(words, r"x86_64|amd64|aarch64|arm64|armhf|armv7l|ppc64le")
    if words or (version is None and tag != "latest"):
        return None
    kind, variant = kind_of(found[1]), found[2]
    pinned = bool(version and (build or not version.isdigit()))
    alpine = variant.startswith("alpine")
    os = "alpine" if alpine else {"rocky": "rockylinux"}.get(variant, variant)
    note = "JAVA_HOME holds the full version; /usr/lib/jvm/jdk or jre links to it"
    if variant == "alpine":
        note = (
            "Alpine with its own glibc: the JVM is a glibc build (the musl ones end in -alpine-musl); " + note
        )
    return with_java(
        replace(
            base,
            family="liberica",
            kind=kind,
            java_major=major_of(version),
            java_version=version if pinned else None,
            pinned=pinned,
            vm="hotspot",
            os=os,
            libc="musl" if variant == "alpine-musl" else "glibc",
            platforms=BOTH if alpine else (AMD64,),
            env={"LANG": "en_US.UTF-8"},
            has=(ALPINE_HAS if alpine else APT_HAS if os == "debian" else frozenset({"sh", "bash"}))
            | {"awt"}
            | ({"crac"} if crac else frozenset()),
            # The JDK images are jlink results of their own: no jmods.
            lacks=(BARE_ALPINE_LACKS if alpine else frozenset())
            | ({"jmods"} if kind == "jdk" else frozenset())
            | ({"binutils"} if alpine else frozenset()),
            note=note,
        )
    )


def liberica_runtime_container(base: Base, tag: str) -> Base | None:
    words = tag.split("-")
    word = take(words, "jdk|jre")
    take(words, "all")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    if word is None or version is None:
        return None
    build = take(words, r"\d+")
    crac = take(words, "crac")
    while take(words, "cds|slim|stream"):
        pass
    libc = take(words, "musl|glibc")
    if words or libc is None:
        return None
    pinned = bool(build) or not version.isdigit()
    return with_java(
        replace(
            base,
            family="liberica",
            kind=kind_of(word),
            java_major=major_of(version),
            java_version=version if pinned else None,
            pinned=pinned,
            vm="hotspot",
            os="alpaquita",
            libc="musl" if libc == "musl" else "glibc",
            platforms=(AMD64,),
            has=frozenset({"crac"} if crac else ()),
        )
    )


def semeru(base: Base, tag: str) -> Base | None:
    words = tag.split("-")
    if take(words, "open") is None:
        return None
    word = take(words, "jdk|jre")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*(?:_\d+(?:\.\d+)*)?")
    if version is None:
        return None
    take(words, r"b?\d+")
    word = word or take(words, "jdk|jre")
    os = take(words, "|".join(UBUNTU)) or take(words, r"ubi\d*|centos7")
    take(words, "minimal")
    if words or word is None:
        return None
    pinned = not version.isdigit()
    rpm = bool(os and os not in UBUNTU)
    return with_java(
        replace(
            base,
            family="ibm-semeru-runtimes",
            kind=kind_of(word),
            java_major=major_of(version),
            java_version=version if pinned else None,
            pinned=pinned,
            vm="openj9",
            os="ubi" if rpm else "ubuntu",
            os_version=UBUNTU.get(os or ""),
            libc="glibc",
            platforms=(*BOTH, "linux/ppc64le", "linux/s390x"),
            java_home="/opt/java/openjdk",
            env={"JAVA_HOME": "/opt/java/openjdk"},
            has=(frozenset({"sh", "bash"}) if rpm else APT_HAS) | {"curl", "awt"},
            vendor_features=OPENJ9_FEATURES,
            note="sets JAVA_TOOL_OPTIONS with -Xshareclasses and others",
        )
    )


def ibmjava(base: Base, tag: str) -> Base | None:
    words = ["8", "jre"] if tag == "latest" else tag.split("-")
    version = take(words, r"\d+")
    word = take(words, "jre|sfj|sdk")
    alpine = take(words, "alpine")
    if words or (version is None and word is None):
        return None
    return with_java(
        replace(
            base,
            family="ibmjava",
            kind="jdk" if word == "sdk" else "jre",
            java_major=int(version) if version else None,
            vm="openj9",
            os="alpine" if alpine else "ubuntu",
            # Whether the old Alpine builds are musl or carry a glibc was never stated.
            libc=None if alpine else "glibc",
            platforms=(AMD64,),
            has=ALPINE_HAS if alpine else APT_HAS,
            lacks=ALPINE_LACKS if alpine else frozenset(),
            vendor_features=OPENJ9_FEATURES,
        )
    )


def sapmachine(base: Base, tag: str) -> Base | None:
    words = tag.split("-")
    version = take(words, r"\d+(?:\.\d+)*")
    if version is None and take(words, "lts|latest|stable") is None:
        return None
    word = take(words, "jdk|jre")
    headless = take(words, "headless")
    os = take(words, "ubuntu|alpine|distroless|gardenlinux") or "ubuntu"
    release = take(words, r"\d+\.\d+|" + "|".join(UBUNTU))
    take(words, r"debian\d+")
    if words:
        return None
    kind, major = kind_of(word), major_of(version)
    pinned = bool(version and not version.isdigit())
    home = f"/usr/lib/jvm/java-{major}-sapmachine-{kind}" if os == "alpine" and major else None
    has = {"ubuntu": APT_HAS, "alpine": ALPINE_HAS}.get(os, frozenset())
    return with_java(
        replace(
            base,
            family="sapmachine",
            kind=kind,
            java_major=major,
            java_version=version if pinned else None,
            pinned=pinned,
            vm="hotspot",
            os=os,
            os_version=UBUNTU.get(release, release) if release else None,
            libc="musl" if os == "alpine" else "glibc",
            platforms=(*BOTH, "linux/ppc64le") if os == "ubuntu" else (AMD64,),
            java_home=home,
            env={"JAVA_HOME": home} if home else {},
            has=has if headless else has | {"awt"},
            lacks=(ALPINE_LACKS if os == "alpine" else frozenset())
            | (frozenset({"awt"}) if headless else frozenset()),
            note=None if version else f"{tag} names no Java version",
        )
    )


def microsoft(base: Base, tag: str) -> Base | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)*)-(ubuntu|azurelinux|mariner|distroless|mariner-cm\d)", tag)
    if found is None:
        return None
    major, os = major_of(found[1]), found[2].partition("-")[0]
    home = {"ubuntu": f"/usr/lib/jvm/msopenjdk-{major}", "distroless": "/usr/jdk"}.get(os)
    if os == "ubuntu" and major == 8:
        home = None  # 8 is a Temurin build
    pinned = not found[1].isdigit()
    base = replace(
        base,
        family="microsoft-openjdk",
        kind="jdk",
        java_major=major,
        java_version=found[1] if pinned else None,
        pinned=pinned,
        vm="hotspot",
        os=os,
        libc="glibc",
        platforms=BOTH,
        java_home=home,
        env={"JAVA_HOME": home} if home else {},
        has=(APT_HAS | {"awt"}) if os == "ubuntu" else frozenset({"awt"}),
        lacks=frozenset({"curl", "wget"}) if os == "ubuntu" else frozenset(),
    )
    if os == "distroless":
        base = replace(
            base, lacks=SHELL_LESS_LACKS, cmd=("-version",), note="no shell; the entrypoint is java"
        )
    return with_java(base)


def graalvm(base: Base, tag: str) -> Base | None:
    name = (base.image or "").rpartition("/")[2]
    found = re.search(r"java-?(\d+)", tag) or re.match(r"(\d+)(?![.\d]*-java)", tag)
    major = int(found[1]) if found else None
    # A bare 22.3.3 is GraalVM's own version up to 22, not Java's.
    if major is not None and re.match(r"(?:19|20|21|22)\.\d", tag) and "java" not in tag:
        major = None
    oracle_linux = re.search(r"ol(\d+)", tag)
    homes = {
        "jdk-community": f"/usr/lib64/graalvm/graalvm-community-java{major}",
        "graalvm-community": f"/opt/graalvm-community-java{major}",
    }
    home = homes.get(name) if major else None
    archived = (
        name in ("graalvm-ce", "jdk", "native-image") and base.image and base.image.startswith("ghcr.io/")
    )
    return replace(
        base,
        family="graalvm",
        kind="build" if "native-image" in name else "jdk",
        java_major=major,
        pinned=bool(re.search(r"\d\.\d|-\d{8}", tag)),
        vm="hotspot",
        os="oraclelinux",
        os_version=oracle_linux[1] if oracle_linux else None,
        libc="glibc",
        platforms=BOTH,
        java_home=home,
        env={"JAVA_HOME": home} if home else {},
        has=frozenset({"sh", "bash", "microdnf", *JDK_TOOLS}),
        retired="this GraalVM repository was archived after 22.3" if archived else None,
        vendor_features="GraalVM: polyglot applications and its own compiler need this JDK",
    )


def oracle_jdk(base: Base, tag: str) -> Base | None:
    name = (base.image or "").rpartition("/")[2]
    found = re.fullmatch(r"(\d+)((?:u\d+)?(?:\.\d+)*)(?:-(?:ol|oraclelinux)(\d+))?", tag)
    if found is None:
        return None
    server_jre = name == "serverjre"
    major, pinned = int(found[1]), bool(found[2])
    home = f"/usr/java/jdk-{major}" if not server_jre and not pinned else None
    return with_java(
        replace(
            base,
            family="oracle-jdk",
            kind="jre" if server_jre else "jdk",
            java_major=major,
            java_version=found[1] + found[2] if pinned else None,
            pinned=pinned,
            vm="hotspot",
            os="oraclelinux",
            os_version=found[3],
            libc="glibc",
            platforms=(AMD64,) if server_jre else BOTH,
            cmd=None if server_jre or major < 9 else ("jshell",),
            java_home=home,
            env={"JAVA_HOME": home} if home else {},
            has=frozenset({"sh", "bash", "fontconfig", "awt"}),
            vendor_features="Oracle JDK: features and licence checks of its own; its licence decides where it may run",
        )
    )


def dragonwell(base: Base, tag: str) -> Base | None:
    base = replace(
        base,
        family="dragonwell",
        kind="jdk",
        vm="hotspot",
        libc="glibc",
        platforms=BOTH,
        java_home="/opt/java/openjdk",
        env={"JAVA_HOME": "/opt/java/openjdk"},
    )
    old = re.fullmatch(r"dragonwell-(\d+)[.\d]*_jdk(\w+?)-ga(?:_x86_64)?(?:_slim)?", tag)
    if old:
        return with_java(
            replace(
                base,
                java_major=int(old[1]),
                java_version=old[2],
                pinned=True,
                os=None,
                libc=None,
                platforms=(AMD64,),
            )
        )
    words = tag.split("-")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    if version is None:
        return None
    edition = take(words, "standard|extended")
    take(words, "ga")
    os = take(words, "anolis|centos|ubuntu|alpine")
    take(words, "slim")
    if words:
        return None
    alpine = os == "alpine"
    pinned = not version.isdigit()
    has = {"alpine": ALPINE_HAS, "ubuntu": APT_HAS}.get(os or "", frozenset())
    return with_java(
        replace(
            base,
            java_major=major_of(version),
            java_version=version if pinned else None,
            pinned=pinned,
            os=os,
            libc="musl" if alpine else ("glibc" if os else None),
            has=has,
            lacks=ALPINE_LACKS if alpine else frozenset(),
            vendor_features=None
            if edition == "standard"
            else "Dragonwell's extended edition has Wisp2 coroutines and JWarmup: -XX:+UseWisp2 and -XX:+EnableCoroutine stop HotSpot",
        )
    )
