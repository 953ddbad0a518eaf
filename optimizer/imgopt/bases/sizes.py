"""Published sizes of base images. Every figure is one that was read; what was not read is not here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from imgopt.bases.base import Base
from imgopt.light.records import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of one image on one platform, as published."""

    # Sum of the compressed layers: what a push or pull transfers. Configuration and manifest are not in it.
    compressed_bytes: int | None
    # On disk, all layers.
    uncompressed_bytes: int | None
    # (digest, compressed bytes), base layer first; None where the list was not published.
    layers: tuple[tuple[str, int], ...] | None
    # Newest layer or date of the source, YYYY-MM-DD.
    as_of: str | None
    source: str
    # How exact the figure is, where it is not to the byte.
    precision: str | None = None
    # The figure is of an earlier build: the tag has moved on since or is gone.
    historic: bool = False
    # The tag the figure was read for, when it is another name of the same image.
    tag: str | None = None
    note: str | None = None


# (image, pattern of the tag, the same image's other tag, why they are the same)
ALIASES: tuple[tuple[str, str, str, str], ...] = (
    (
        "eclipse-temurin",
        r"(\d+|\d+(?:\.\d+)*_\d+|\d+u\d+-b\d+)((?:-(?!jdk|jre).*)?)",
        r"\1-jdk\2",
        "a tag with neither jdk nor jre is the JDK",
    ),
    ("openjdk", r"(\d+)((?:-(?:slim|alpine).*)?)", r"\1-jdk\2", "a tag with neither jdk nor jre is the JDK"),
    ("amazoncorretto", r"(\d+)-al2023(?:-jdk)?", r"\1", "the tag without an OS is Amazon Linux 2023's JDK"),
    (
        "amazoncorretto",
        r"(\d+)-alpine-(?:full|jdk)",
        r"\1-alpine",
        "the Alpine tag without a kind is the full JDK",
    ),
    ("ubuntu", r"trusty", r"14.04", "code name and number are one release"),
    ("ubuntu", r"xenial", r"16.04", "code name and number are one release"),
    ("ubuntu", r"bionic", r"18.04", "code name and number are one release"),
    ("ubuntu", r"jammy", r"22.04", "code name and number are one release"),
    ("ubuntu", r"noble", r"24.04", "code name and number are one release"),
    ("debian", r"11-slim", r"bullseye-slim", "code name and number are one release"),
    ("debian", r"12((?:-slim)?)", r"bookworm\1", "code name and number are one release"),
    ("debian", r"13-slim", r"trixie-slim", "code name and number are one release"),
)


def size_of(base: Base, platform: str) -> Size | None:
    """Size of `base` on `platform` ("linux/amd64"), or None when no figure was read for that very image.

    The record of the tag itself, or of an alias in `ALIASES`: when the tag's own record is of an earlier build and
    the alias has a newer one, the alias is the better witness. An image pinned by digest has a size only when the
    catalogue has that digest. A mirrored image has the public one's size; `source` says so.
    """
    if base.family == "scratch":
        return Size(0, 0, (), None, "scratch holds nothing")
    if base.image is None:
        return None
    os, _, architecture = platform.partition("/")
    platform = f"{os}/{architecture.partition('/')[0] if architecture.startswith('arm64') else architecture}"
    if base.reference.digest is not None:
        found = _by_digest(base.image, base.reference.digest, platform)
    else:
        found = _by_tag(base.image, base.reference.tag or "latest", platform)
    if found is None:
        return None
    name, record = found
    layers = record.get("layers")
    source = record["source"]
    if base.mirror is not None:
        source = f"{source} (the public {base.image}; {base.mirror} was not read)"
    note = "; ".join(record[key] for key in ("note", "uncompressed_note") if key in record) or None
    return Size(
        compressed_bytes=record.get("compressed_bytes"),
        uncompressed_bytes=record.get("uncompressed_bytes"),
        layers=tuple((digest, size) for digest, size in layers) if layers is not None else None,
        as_of=record.get("as_of"),
        source=source,
        precision=record.get("precision"),
        historic=_is_historic(record),
        tag=name,
        note=note,
    )


def catalogue_date() -> str:
    """Date of the newest figure, YYYY-MM-DD."""
    return _catalogue().partition("\n")[0].partition("\t")[2]


def catalogue() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every record as (image, tag, platform, figures)."""
    import json

    for line in _catalogue().splitlines()[1:]:
        key, _, record = line.partition("\t")
        name, _, platform = key.partition(" ")
        image, _, tag = name.rpartition(":")
        yield image, tag, platform, json.loads(record)


def _other_names(image: str, tag: str) -> Iterator[str]:
    for alias_image, pattern, other, _ in ALIASES:
        if alias_image == image and (found := re.fullmatch(pattern, tag)):
            yield found.expand(other)


def _by_tag(image: str, tag: str, platform: str) -> tuple[str | None, dict[str, Any]] | None:
    own = _record(image, tag, platform)
    if own is not None and not _is_historic(own):
        return None, own
    for name in _other_names(image, tag):
        other = _record(image, name, platform)
        if other is not None and (own is None or (other["as_of"] or "") > (own["as_of"] or "")):
            return name, other
    return (None, own) if own is not None else None


def _is_historic(record: dict[str, Any]) -> bool:
    # In the words of the records' own notes.
    return "historic build" in record.get("note", "")


def _record(image: str, tag: str, platform: str) -> dict[str, Any] | None:
    text = _catalogue()
    start = text.find(f"\n{image}:{tag} {platform}\t")
    if start < 0:
        return None
    return _parsed(text, start + 1)


def _by_digest(image: str, digest: str, platform: str) -> tuple[str | None, dict[str, Any]] | None:
    text = _catalogue()
    at = text.find(f'"digest":"{digest}"')
    if at < 0:
        return None
    start = text.rfind("\n", 0, at) + 1
    key = text[start : text.index("\t", start)]
    if not (key.startswith(f"{image}:") and key.endswith(f" {platform}")):
        return None
    return None, _parsed(text, start)


def _parsed(text: str, start: int) -> dict[str, Any]:
    import json

    line = text[start : text.index("\n", start)]
    record: dict[str, Any] = json.loads(line.partition("\t")[2])
    return record


@lru_cache(maxsize=1)
def _catalogue() -> str:
    return Path(__file__).with_name("catalogue.tsv").read_text(encoding="ascii")
