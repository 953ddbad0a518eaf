"""Names of the packages and archives that bring Java to a plain system, and what each of them brings.

Read from the package sources: Debian's openjdk and java-common packages, Alpine's APKBUILDs, the spec files of
java-*-openjdk (OpenELA) and Amazon Corretto, Adoptium's installers, Azul's Dockerfiles. What was not read there is
not claimed: a JDK package without ``jre`` may still have one.
"""

from __future__ import annotations

import re
from typing import Literal

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

JavaKind = Literal["jdk", "jre"]


@dataclass(frozen=True)
class JavaPackage:
    """``jre``: the package that brings the same Java without the JDK's tools; with a headless JDK it is the
    headless one, so that fonts and AWT stay or stay away. ``gone``: a pattern for paths that go with the JDK.
    """

    kind: JavaKind
    major: int | None
    jre: str | None = None
    gone: str | None = None


@dataclass(frozen=True)
class JavaArchive:
    kind: JavaKind
    major: int | None


@dataclass(frozen=True)
class _Name:
    """A family of package names. ``jre`` is a template over the pattern's groups; ``majors`` limits it."""

    managers: tuple[str, ...]
    pattern: str
    kind: JavaKind
    jre: str | None = None
    gone: str | None = None
    majors: range = range(100)


_APT, _APK, _RPM = "apt", "apk", "rpm"
_ANY = (_APT, _APK, _RPM)

_NAMES = (
    # Debian, Ubuntu: JAVA_HOME belongs to jre-headless, and for Java 8 bin/java is a link into jre/ there as well
    _Name(
        (_APT,), r"openjdk-(?P<java>\d+)-jdk(?P<headless>-headless)?", "jdk", "openjdk-{java}-jre{headless}"
    ),
    _Name((_APT,), r"openjdk-(?P<java>\d+)-jre(?:-headless|-zero)?", "jre"),
    _Name((_APT,), r"default-jdk(?P<headless>-headless)?", "jdk", "default-jre{headless}"),
    _Name((_APT,), r"default-jre(?:-headless)?", "jre"),
    # Alpine: openjdkN is openjdkN-jdk with demos and manual pages; JAVA_HOME belongs to jre-headless (8: jre-base,
    # bin/java and jre/bin/java included)
    _Name((_APK,), r"openjdk(?P<java>\d+)(?:-jdk)?", "jdk", "openjdk{java}-jre", r"/jvm/[^/\s]+/demo"),
    _Name((_APK,), r"openjdk(?P<java>\d+)-jre(?:-headless|-base)?", "jre"),
    # Red Hat and its kin: the links java, java-17 and java-17-openjdk come with -devel, jre* with -headless
    _Name(
        (_RPM,),
        r"java-(?P<java>1\.[78]\.0|\d+)-openjdk-devel(?P<rest>\.\w+|-[\d*].*)?",
        "jdk",
        "java-{java}-openjdk{rest}",
        r"/jvm/(?!jre)|java_sdk",
    ),
    _Name((_RPM,), r"java-(?P<java>1\.[78]\.0|\d+)-openjdk(?:-headless)?(?:[.-]\d.*|\.\w+)?", "jre"),
    # Corretto on Amazon Linux: -devel needs -headless only, from 11 on
    _Name(
        (_RPM,),
        r"java-(?P<java>\d+)-amazon-corretto-devel(?P<rest>\.\w+|-[\d*].*)?",
        "jdk",
        "java-{java}-amazon-corretto-headless{rest}",
        r"/jvm/java(?!-\d+-amazon-corretto)|java_sdk",
    ),
    _Name(
        (_RPM,),
        r"java-(?P<java>1\.8\.0)-amazon-corretto-devel(?P<rest>\.\w+|-[\d*].*)?",
        "jdk",
        "java-{java}-amazon-corretto{rest}",
        r"/jvm/(?!jre)|java_sdk",
    ),
    _Name((_RPM,), r"java-(?P<java>1\.8\.0|\d+)-amazon-corretto(?:-headless)?(?:[.-]\d.*|\.\w+)?", "jre"),
    _Name((_APT, _RPM), r"java-(?P<java>1\.8\.0|\d+)-amazon-corretto-jdk", "jdk"),
    # Adoptium: the JRE lies in a directory of its own
    _Name(_ANY, r"temurin-(?P<java>8|11|17|21)-jdk", "jdk", "temurin-{java}-jre", "/jvm/"),
    _Name(_ANY, r"temurin-(?P<java>\d+)-jdk", "jdk"),
    _Name(_ANY, r"temurin-(?P<java>\d+)-jre", "jre"),
    # Azul: both in /usr/lib/jvm/zuluN; Java 8 has its JRE below jre/
    _Name(
        _ANY,
        r"zulu(?P<java>\d+)-jdk(?P<headless>-headless)?",
        "jdk",
        "zulu{java}-jre{headless}",
        majors=range(11, 100),
    ),
    _Name(_ANY, r"zulu(?P<java>\d+)-jre(?:-headless)?", "jre"),
    _Name(_ANY, r"zulu-?(?P<java>\d+)", "jdk"),
    # Microsoft publishes no JRE
    _Name((_APT, _RPM), r"msopenjdk-(?P<java>\d+)", "jdk"),
    _Name((_APT, _RPM), r"bellsoft-java(?P<java>\d+)(?:-full|-lite)?", "jdk"),
    _Name((_APT, _RPM), r"bellsoft-java(?P<java>\d+)-runtime(?:-full)?", "jre"),
)

#: What default-jdk and default-jre are (java-common of each release).
_DEFAULT_JAVA = {
    ("debian", "10"): 11,
    ("debian", "11"): 11,
    ("debian", "12"): 17,
    ("debian", "13"): 21,
    ("ubuntu", "20.04"): 11,
    ("ubuntu", "22.04"): 11,
    ("ubuntu", "24.04"): 21,
}


def java_package(name: str, manager: str, os: str | None, os_version: str | None) -> JavaPackage | None:
    """What a package brings, by its name without a version; None when it is no Java. ``manager``: apt, apk, rpm."""
    for family in _NAMES:
        found = re.fullmatch(family.pattern, name) if manager in family.managers else None
        if found is None:
            continue
        groups = {key: value or "" for key, value in found.groupdict().items()}
        spelled = groups.get("java")
        major = (
            int(spelled.removeprefix("1.").partition(".")[0])
            if spelled
            else _DEFAULT_JAVA.get((os or "", os_version or ""))
        )
        jre = family.jre if major is None or major in family.majors else None
        return JavaPackage(family.kind, major, jre.format_map(groups) if jre else None, family.gone)
    return None


@dataclass(frozen=True)
class _Size:
    """Bytes of ``openjdk-N-jdk-headless`` and of ``openjdk-N-jdk`` (None: not known) for amd64, as published."""

    headless_bytes: int
    jdk_bytes: int | None
    source: str


def _debian(release: str, version: str, headless: int, jdk: int) -> _Size:
    return _Size(headless, jdk, f"the package index of Debian {release} on 2026-11-26, {version}")


def _ubuntu(release: str, version: str, headless_kibibytes: float) -> _Size:
    return _Size(round(headless_kibibytes * 1024), None, f"packages.ubuntu.com for {release}, {version}")


#: A .deb and a gzipped layer with its files differ little, because most of them are compressed jmods: measured,
#: openjdk-17-jdk-headless of Debian 12 is 71.8 MB as a package and 73.1 MB as a gzipped tar.
_SIZES = {
    ("debian", "11", 11): _debian("bullseye", "11.0.32.1+1-1~deb11u1", 73_769_444, 13_448),
    ("debian", "11", 17): _debian("bullseye", "17.0.20.1+1-1~deb11u1", 71_596_644, 10_488),
    ("debian", "12", 17): _debian("bookworm", "17.0.21.1+2-1~deb12u1", 71_847_560, 2_491_312),
    ("debian", "13", 21): _debian("trixie", "21.0.13.1+2-1~deb13u1", 83_190_360, 3_528_352),
    ("debian", "13", 25): _debian("trixie", "25.0.5.1+2-1~deb13u1", 89_527_320, 3_764_616),
    ("ubuntu", "22.04", 11): _ubuntu("jammy", "11.0.31+11-1ubuntu1~22.04.2", 71_939.6),
    ("ubuntu", "22.04", 17): _ubuntu("jammy", "17.0.19+10-1~22.04.2", 69_786.7),
    ("ubuntu", "22.04", 21): _ubuntu("jammy", "21.0.11+10-1~22.04.2", 80_839.6),
    ("ubuntu", "24.04", 8): _ubuntu("noble", "8u492-ga~us2-0ubuntu1~24.04.1", 8_638.1),
    ("ubuntu", "24.04", 11): _ubuntu("noble", "11.0.31+11-1ubuntu1~24.04.2", 72_013.8),
    ("ubuntu", "24.04", 17): _ubuntu("noble", "17.0.19+10-1~24.04.2", 69_877.4),
    ("ubuntu", "24.04", 21): _ubuntu("noble", "21.0.11+10-1~24.04.2", 80_834.2),
}


def jdk_only_bytes(
    name: str, major: int | None, os: str | None, os_version: str | None
) -> tuple[int, str] | None:
    """What ``name`` brings beyond its JRE on amd64, in bytes of the packages as published, and where that stands."""
    size = _SIZES.get((os or "", os_version or "", major or 0))
    if size is None or not re.fullmatch(r"(?:openjdk-\d+|default)-jdk(?:-headless)?", name):
        return None
    headless = name.endswith("-headless")
    return size.headless_bytes + (0 if headless else size.jdk_bytes or 0), size.source


_ARCHIVE = regex(
    r"(?P<name>[\w.+-]+?)(?:\.tar\.gz|\.tgz|\.tar\.xz|\.tar\.bz2|\.tar|\.zip|\.rpm|\.deb|\.bin)",
    re.IGNORECASE,
)
#: How the names of Java distributions begin, with the place of the Java version.
_DISTRIBUTIONS = regex(
    r"(?:server-)?(?:jdk|jre)(?:-?(?:1\.)?(?P<oracle>\d+)(?!\d).*|(?:[-_].*)?)"  # jdk-8u131-linux-x64, jdk1.8.0_131
    r"|openjdk-(?P<openjdk>\d+).*"  # openjdk-17.0.2_linux-x64_bin
    r"|openjdk(?P<temurin>\d+)u?-(?:jdk|jre)_.*"  # OpenJDK17U-jdk_x64_linux_hotspot_17.0.6_10
    r"|ibm-semeru-open-(?:jdk|jre)_[^_]+_linux_(?P<semeru>\d+).*"
    r"|zulu\d[\d.]*-.*?(?:jdk|jre)(?P<zulu>\d+).*"  # zulu17.40.19-ca-jdk17.0.6-linux_x64
    r"|amazon-corretto-(?:(?:jdk|devel)[-_])?(?P<corretto>\d+).*"
    r"|bellsoft-(?:jdk|jre)(?P<bellsoft>\d+).*"
    r"|(?:microsoft|sapmachine|bisheng)-(?:jdk|jre)-(?P<other>\d+).*"
    r"|alibaba_dragonwell_(?:(?:standard|extended)_)?(?P<dragonwell>\d+).*"
    r"|tencentkona-?(?P<kona>\d+).*",
    re.IGNORECASE,
)
#: None is called without one of these.
_WORDS = ("jdk", "jre", "corretto", "dragonwell", "kona")
#: What archives hold whose names begin like a JDK's and that are none.
_OTHER = regex(
    r"(?:^|[-_.])(?:docs?|src|sources?|testimage|javadoc|debugimage|certs?|conf|config|agent)(?:$|[-_.])"
)


def java_archive(path: str) -> JavaArchive | None:
    """What an archive holds, by its name (a path or a URL); None when the name is no Java distribution's."""
    name = path.partition("?")[0].rpartition("/")[2].replace("%2B", "+")
    found = _ARCHIVE.fullmatch(name)
    return java_distribution(found["name"]) if found is not None else None


def java_distribution(name: str) -> JavaArchive | None:
    """The same by the name without its ending, which a directory of the unpacked archive has as well."""
    match = _DISTRIBUTIONS.fullmatch(name) if any(word in name.lower() for word in _WORDS) else None
    if match is None or _OTHER.search(name.lower()):
        return None
    spelled = next((value for value in match.groups() if value), None)
    major = int(spelled) if spelled and 5 <= int(spelled) < 50 else None
    jre = re.search(r"(?:^|[^a-z])(?:server-)?jre", name, re.IGNORECASE)
    return JavaArchive("jre" if jre else "jdk", major)


def java_archives_in(text: str) -> dict[str, JavaArchive]:
    """The Java distributions that a command names, by their file names."""
    found: dict[str, JavaArchive] = {}
    for match in re.finditer(r"[\w.+%-]+\.(?:tar\.gz|tgz|tar\.xz|tar\.bz2|zip|rpm|deb|bin)(?![\w.])", text):
        archive = java_archive(match.group())
        if archive is not None:
            found.setdefault(match.group(), archive)
    return found
