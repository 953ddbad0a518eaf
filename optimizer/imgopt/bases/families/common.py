"""Reading a tag word by word, and what families share.

A reader takes the skeleton of a `Base` (name, reference and image set) and a tag, and returns the filled `Base`, or
None when the tag is none of the family's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from imgopt.bases.base import AMD64, ARM64, Base, Kind
from imgopt.light.records import replace

Reader = Callable[[Base, str], Base | None]

# Busybox applets that every Alpine image has.
ALPINE_HAS = frozenset({"sh", "busybox", "apk", "find", "unzip", "wget", "adduser", "addgroup"})
ALPINE_LACKS = frozenset({"bash", "curl", "useradd", "groupadd"})
# Nothing is added to Alpine but a JDK.
BARE_ALPINE_LACKS = ALPINE_LACKS | {"tzdata", "fontconfig", "fonts"}
APT_HAS = frozenset({"sh", "bash", "find", "apt", "useradd", "groupadd"})
SHELL_LESS_LACKS = frozenset(
    {"sh", "bash", "busybox", "curl", "wget", "apt", "apk", "useradd", "adduser", "find", "unzip"}
)

JDK_TOOLS = frozenset({"jar", "javac", "jcmd", "jstack", "jmap", "jps", "jstat", "keytool"})
JRE_HAS = frozenset({"keytool"})
JRE_LACKS = frozenset({"javac"})

OPENJ9_FEATURES = "OpenJ9: options such as -Xshareclasses, -Xquickstart, -Xtune:virtualized, -Xgcpolicy: and -Xdump: stop HotSpot"

UBUNTU = {
    "trusty": "14.04",
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "noble": "24.04",
    "resolute": "26.04",
}
DEBIAN = {
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
}

APT = frozenset({"debian", "ubuntu"})
RPM = frozenset(
    [
        "almalinux",
        "amazonlinux",
        "anolis",
        "azurelinux",
        "centos",
        "fedora",
        "mariner",
        "openeuler",
        "oraclelinux",
        "rockylinux",
        "ubi",
    ]
)


def package_family(os: str | None) -> str | None:
    """``apt``, ``rpm``, ``alpine`` or ``distroless``: what a Dockerfile's RUN lines can keep relying on."""
    if os in APT:
        return "apt"
    return "rpm" if os in RPM else os


def take(words: list[str], pattern: str) -> str | None:
    """Remove and return the first word when it matches `pattern` as a whole."""
    if words and re.fullmatch(pattern, words[0]):
        return words.pop(0)
    return None


def take_anywhere(words: list[str], pattern: str) -> str | None:
    for index, word in enumerate(words):
        if re.fullmatch(pattern, word):
            return words.pop(index)
    return None


def major_of(version: str | None) -> int | None:
    """Java major of ``8``, ``8u292``, ``1.8.0``, ``17.0.5_8``."""
    found = re.match(r"(?:1\.)?(\d+)", version or "")
    return int(found[1]) if found else None


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


BOTH = (AMD64, ARM64)
WINDOWS = r"(?:windowsservercore|nanoserver)"


def with_java(
    base: Base, *, extra: frozenset[str] = frozenset(), lacks: frozenset[str] = frozenset()
) -> Base:
    """Add what follows from the kind: a JDK's tools, a JRE's lack of them."""
    has = extra | (JDK_TOOLS if base.kind == "jdk" else JRE_HAS)
    lacks = lacks | (JRE_LACKS if base.kind == "jre" else frozenset())
    return replace(base, has=base.has | has, lacks=base.lacks | lacks)


def kind_of(word: str | None) -> Kind:
    return "jre" if word and word.startswith("jre") else "jdk"


def on_windows(base: Base) -> Base:
    return replace(base, os="windows", platforms=("windows/amd64",), libc=None)
