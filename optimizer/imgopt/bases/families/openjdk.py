"""openjdk and java, both left by their makers. Sources: the history of the official-images library files;
docker-library/openjdk."""

from __future__ import annotations

import re

from imgopt.bases.base import AMD64, Base
from imgopt.bases.families.common import (
    ALPINE_HAS,
    ALPINE_LACKS,
    APT_HAS,
    BARE_ALPINE_LACKS,
    BOTH,
    DEBIAN,
    WINDOWS,
    kind_of,
    major_of,
    numbers,
    on_windows,
    take,
    with_java,
)
from imgopt.light.records import replace

# The last builds before the tags froze.
_OPENJDK_LAST = {"8u342", "11.0.16", "17.0.2"}
# Earlier releases had another JAVA_HOME at some time; from these on it is known.
_DEBIAN_HOME_SINCE = {8: (8, 265), 11: (11, 0, 7), 17: (17, 0)}
_EARLY_ALPINE = {15: "15-ea-31", 16: "16-ea-32", 17: "17-ea+14"}


def openjdk(base: Base, tag: str) -> Base | None:
    words = [] if tag == "latest" else tag.split("-")
    version = take(words, r"\d+(?:u\d+)?(?:\.\d+)*")
    early = take(words, "ea|rc")
    if version and words and (early or not words[0].isalpha()):
        take(words, r"b?\d+")
    word = take(words, "jdk|jre")
    headless = take(words, "headless")
    variant = "-".join(words)
    major = major_of(version)
    pinned = bool(version and not version.isdigit())
    kind = kind_of(word)
    if kind == "jre" and major is not None and major >= 12:
        return None  # no JRE was ever published from 12 on
    base = replace(
        base,
        family="openjdk",
        kind=kind,
        java_major=major,
        java_version=version if pinned and not early else None,
        pinned=pinned or bool(early),
        vm="hotspot",
        entrypoint=(),
        retired=_openjdk_retired(major, version if pinned else None, variant, bool(early)),
        note="the latest tag names no Java version" if tag == "latest" else None,
    )
    final = not early and (not pinned or version in _OPENJDK_LAST)
    awt = frozenset() if headless else frozenset({"awt"})
    if re.fullmatch(rf"{WINDOWS}(?:-\w+)?", variant):
        return on_windows(base)
    if found := re.fullmatch(r"alpine(3\.\d+)?", variant):
        home = f"/usr/lib/jvm/java-1.8-openjdk{'/jre' if kind == 'jre' else ''}" if major == 8 else None
        last = {8: "3.9", 17: "3.14"}.get(major or 0) if not base.pinned else None
        base = replace(
            base,
            os="alpine",
            os_version=found[1] or last,
            libc="musl",
            platforms=BOTH if major == 8 else (AMD64,),
            java_home=home,
            env={"LANG": "C.UTF-8"} | ({"JAVA_HOME": home} if home else {}),
            has=ALPINE_HAS | awt,
            lacks=BARE_ALPINE_LACKS,
        )
        if major is not None and major >= 9 and not base.pinned:
            build = _EARLY_ALPINE.get(major)
            base = replace(
                base, note=f"an early-access build{f' ({build})' if build else ''}, never a release"
            )
        return with_java(base)
    if found := re.fullmatch(r"oracle|oraclelinux([789])", variant):
        return _oracle_openjdk(replace(base, os_version=found[1]), major, final)
    if variant == "" and (major is None or major >= 12):
        # The tag without an OS is Oracle Linux from 12 on, Debian before.
        return _oracle_openjdk(base, major, final)
    slim, release = variant.startswith("slim"), variant.removeprefix("slim").lstrip("-")
    if release not in DEBIAN and release != "":
        return None
    since = _DEBIAN_HOME_SINCE.get(major or 0)
    known = since is not None and not early and (not pinned or numbers(version or "") >= since)
    home = f"/usr/local/openjdk-{major}" if known else None
    has, lacks = APT_HAS | awt, frozenset[str]()
    if slim:
        lacks = frozenset({"curl", "wget", "gpg", "fontconfig", "fonts"})
    elif known:
        has |= {"curl", "wget", "gpg", "unzip", "ca-certificates", "fontconfig", "fonts"}
        if kind == "jdk":
            has |= {"git"}
    base = replace(
        base,
        os="debian",
        os_version=DEBIAN[release] if release else ("11" if final and major in (8, 11, 17) else None),
        libc="glibc",
        platforms=BOTH,
        java_home=home,
        env={"LANG": "C.UTF-8"} | ({"JAVA_HOME": home} if home else {}),
        cmd=("jshell",) if kind == "jdk" and major is not None and major >= 9 else ("bash",),
        has=has,
        lacks=lacks,
    )
    if major is not None and major >= 19 and not early:
        base = replace(base, note=f"openjdk:{major} holds early-access builds only")
    return with_java(base)


def _oracle_openjdk(base: Base, major: int | None, final: bool) -> Base:
    home = f"/usr/java/openjdk-{major}" if final and major == 17 else None
    note = base.note
    if major is not None and major >= 19 and note is None:
        note = f"openjdk:{major} holds early-access builds only"
    return with_java(
        replace(
            base,
            os="oraclelinux",
            os_version=base.os_version or ("8" if major == 17 else None),
            libc="glibc",
            platforms=BOTH,
            java_home=home,
            env={"LANG": "C.UTF-8"} | ({"JAVA_HOME": home} if home else {}),
            has=frozenset({"sh", "bash", "awt"} | ({"microdnf", "tar", "gzip"} if major == 17 else set())),
            lacks=frozenset({"apt"}),
            note=note,
        )
    )


def _openjdk_retired(major: int | None, version: str | None, variant: str, early: bool) -> str:
    alpine = variant.startswith("alpine")
    if early:
        return "openjdk is deprecated; this is an early-access build"
    if major == 8 and alpine:
        return "openjdk is deprecated; 8 on Alpine was last built in May 2019 (8u212, Alpine 3.9)"
    if alpine and major is not None and major >= 9:
        build = _EARLY_ALPINE.get(major)
        dropped = ", dropped on 2021-08-06" if major == 17 else ""
        return (
            f"openjdk is deprecated; this is an early-access build{f' ({build})' if build else ''}{dropped}"
        )
    if major in (8, 11) and not variant.startswith("oracle"):
        frozen = {8: "8u342", 11: "11.0.16"}[major]
        if version is None or version == frozen:
            return f"openjdk is deprecated; {major} was last built in August 2022 ({frozen})"
        return f"openjdk is deprecated; its last build of {major} was {frozen} in August 2022"
    if major == 17:
        return "openjdk is deprecated; 17 was last built in April 2022 (17.0.2)"
    if major == 18:
        return "openjdk is deprecated; 18 left the list of official images in late 2022"
    if major is not None and major >= 19:
        return f"openjdk is deprecated; for {major} it only ever had early-access builds"
    return "openjdk is deprecated; this version is no longer built"


def library_java(base: Base, tag: str) -> Base | None:
    words = [] if tag == "latest" else tag.split("-")
    take(words, "openjdk")
    version = take(words, r"[6-9](?:u\d+)?")
    take(words, r"b\d+")
    word = take(words, "jdk|jre")
    alpine = take(words, "alpine")
    if words:
        return None
    pinned = bool(version and "u" in version)
    return with_java(
        replace(
            base,
            family="java",
            kind=kind_of(word),
            java_major=major_of(version),
            java_version=version if pinned else None,
            pinned=pinned,
            vm="hotspot",
            os="alpine" if alpine else "debian",
            libc="musl" if alpine else "glibc",
            env={"LANG": "C.UTF-8"},
            has=ALPINE_HAS if alpine else APT_HAS,
            lacks=ALPINE_LACKS if alpine else frozenset(),
            retired="java left the official images on 2017-05-17; openjdk, its successor, is deprecated too",
            hint_major=None if version else 8,
        )
    )
