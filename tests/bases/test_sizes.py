from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imgopt.bases import ALIASES, AMD64, ARM64, catalogue, catalogue_date, identify, make_catalogue, size_of
from imgopt.bases.sizes import Size

RECORDS = list(catalogue())
NEWEST = list({record[:3]: record for record in reversed(RECORDS)}.values())
SUPERSEDED = [record for record in RECORDS if record not in NEWEST]


def size(name: str, platform: str = AMD64) -> Size:
    found = size_of(identify(name), platform)
    assert found is not None
    return found


def test_the_catalogue() -> None:
    assert len(RECORDS) == 415
    # Six images have an earlier record beside the newest, which stands first.
    assert len({record[:3] for record in RECORDS}) == 409
    assert [record[:2] for record in SUPERSEDED] == [("openjdk", "8-jdk")] * 2 + [
        ("openjdk", "8-jdk-alpine")
    ] * 2 + [("openjdk", "8-jre")] * 2
    assert (
        catalogue_date()
        == max(record["as_of"] for *_, record in RECORDS if "as_of" in record)
        == "2026-09-25"
    )
    layer_bytes: dict[str, int] = {}
    for image, tag, platform, record in RECORDS:
        assert platform in (AMD64, ARM64)
        assert record["source"], (image, tag)
        assert {"compressed_bytes", "uncompressed_bytes"} & set(record)
        if "layers" in record:
            assert sum(count for _, count in record["layers"]) == record["compressed_bytes"]
            for digest, count in record["layers"]:
                assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
                assert layer_bytes.setdefault(digest, count) == count


def test_every_record_is_found_by_its_name() -> None:
    """But for three tags of 2017, which give way to a later record of the same image's other tag."""
    superseded = set()
    for image, tag, platform, record in NEWEST:
        base = identify(f"{image}:{tag}")
        assert base.kind != "unknown", f"{image}:{tag}"
        found = size_of(base, platform)
        assert found is not None
        if found.tag is not None:
            superseded.add(f"{image}:{tag}")
            assert (found.as_of or "") > record["as_of"]
            continue
        assert found.compressed_bytes == record.get("compressed_bytes")
        assert found.uncompressed_bytes == record.get("uncompressed_bytes")
        assert found.as_of == record.get("as_of")
        assert found.source == record["source"]
        assert [list(layer) for layer in found.layers or ()] == record.get("layers", [])
    assert superseded == {"openjdk:8", "openjdk:8-slim", "openjdk:8-alpine"}


def test_the_newest_record_of_an_image_wins() -> None:
    assert size("openjdk:8-jre").compressed_bytes == 118113959
    assert size("openjdk:8-jre").as_of == "2022-08-02"
    assert size("openjdk:8").compressed_bytes == size("openjdk:8-jdk").compressed_bytes == 236915405


def test_identification_agrees_with_the_records() -> None:
    for image, tag, platform, record in RECORDS:
        base = identify(f"{image}:{tag}")
        if image in ("tomcat", "jetty", "nginx", "node", "python"):
            continue  # a server's tag without a Java version has moved on since
        assert base.java_major == record.get("java_major"), (image, tag)
        assert base.kind == record["kind"], (image, tag)
        if image != "ibmjava":  # "musl" was taken from the name there
            assert base.libc == record["libc"], (image, tag)
        assert platform in base.platforms, (image, tag, platform)


@pytest.mark.parametrize(
    ("name", "platform", "compressed_bytes"),
    [
        ("eclipse-temurin:21-jre-alpine", AMD64, 74081196),
        ("eclipse-temurin:21-jre-alpine", ARM64, 73410730),
        ("eclipse-temurin:17-jre-jammy", AMD64, 93384533),
        ("openjdk:17-jdk-slim", AMD64, 217937663),
        ("amazoncorretto:8-alpine-jre", ARM64, 45750480),
        ("alpine", AMD64, 3849738),
        ("docker.io/library/alpine:3.22", AMD64, 3792075),
        ("eclipse-temurin:21-jre-alpine", "linux/arm64/v8", 73410730),
        ("scratch", AMD64, 0),
    ],
)
def test_published_figures(name: str, platform: str, compressed_bytes: int) -> None:
    assert size(name, platform).compressed_bytes == compressed_bytes


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("eclipse-temurin:17", "eclipse-temurin:17-jdk"),
        ("eclipse-temurin:25-alpine", "eclipse-temurin:25-jdk-alpine"),
        ("eclipse-temurin:21-noble", "eclipse-temurin:21-jdk-noble"),
        ("openjdk:17", "openjdk:17-jdk"),
        ("openjdk:17-slim", "openjdk:17-jdk-slim"),
        ("openjdk:17-alpine", "openjdk:17-jdk-alpine"),
        ("openjdk:8-slim", "openjdk:8-jdk-slim"),
        ("amazoncorretto:17-al2023", "amazoncorretto:17"),
        ("amazoncorretto:21-alpine-full", "amazoncorretto:21-alpine"),
        ("ubuntu:jammy", "ubuntu:22.04"),
        ("debian:12-slim", "debian:bookworm-slim"),
    ],
)
def test_aliases(name: str, other: str) -> None:
    alias, own = size(name), size(other)
    assert (alias.compressed_bytes, alias.layers, alias.tag) == (
        own.compressed_bytes,
        own.layers,
        other.partition(":")[2],
    )
    assert own.tag is None


def test_aliases_give_their_reason_and_never_cross_the_kind() -> None:
    for _, pattern, _, reason in ALIASES:
        assert reason
        re.compile(pattern)
    for name in ("eclipse-temurin:17-jre", "eclipse-temurin:17-jre-alpine", "openjdk:8-jre-alpine"):
        assert size(name).tag is None
    for image, tag, platform, _ in RECORDS:
        base, found = identify(f"{image}:{tag}"), size(f"{image}:{tag}", platform)
        if found.tag:
            alias = identify(f"{image}:{found.tag}")
            assert (alias.kind, alias.libc, alias.java_major, alias.os) == (
                base.kind,
                base.libc,
                base.java_major,
                base.os,
            )


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("eclipse-temurin:17-jre-alpine", ARM64),
        ("eclipse-temurin:17-jre-alpine", "linux/s390x"),
        ("eclipse-temurin:8-jdk", AMD64),
        ("eclipse-temurin:17.0.5_8-jre-focal", AMD64),
        ("gcr.io/distroless/java21-debian13", AMD64),
        ("harbor.corp/base/jdk17", AMD64),
        ("eclipse-temurin:17-jre@sha256:" + "0" * 64, AMD64),
        ("openjdk:8u292", AMD64),
    ],
)
def test_no_figure_is_no_figure(name: str, platform: str) -> None:
    assert size_of(identify(name), platform) is None


def test_a_digest_finds_its_own_record_only() -> None:
    digest = "sha256:63d1223f0eb2abb1a2e0b163cabfff638c580ebacf7ec901466a8d64eb83f2b5"
    assert size(f"eclipse-temurin:17-jre-alpine@{digest}").compressed_bytes == 68010737
    assert size(f"eclipse-temurin@{digest}").compressed_bytes == 68010737
    assert size_of(identify(f"eclipse-temurin@{digest}"), ARM64) is None
    assert size_of(identify(f"openjdk@{digest}"), AMD64) is None


def test_a_mirrored_image_has_the_public_size_and_says_so() -> None:
    public, mirrored = size("openjdk:17"), size("harbor.corp/library/openjdk:17")
    assert mirrored.compressed_bytes == public.compressed_bytes
    assert "harbor.corp/library was not read" in mirrored.source
    assert mirrored.source.startswith(public.source)


def test_old_and_rough_figures_say_so() -> None:
    old = size("openjdk:9-jdk")
    assert old.historic and old.as_of == "2017-12-12"
    assert not size("eclipse-temurin:17-jre").historic
    assert size("gcr.io/distroless/java17-debian11").precision is not None
    zulu = size("azul/zulu-openjdk:17.0.6-17.40.19-jre")
    assert (zulu.compressed_bytes, zulu.uncompressed_bytes) == (None, 304570000)


def test_the_data_file_is_made_by_its_script(tmp_path: Path) -> None:
    records = [
        {"image": image, "tag": tag, "platform": platform, "compressed_bytes": None}
        | record
        | ({"layers": [{"digest": d, "bytes": n} for d, n in record["layers"]]} if "layers" in record else {})
        for image, tag, platform, record in RECORDS
    ]
    made = make_catalogue.lines(json.loads(json.dumps(records)))
    assert made == Path(make_catalogue.__file__).with_name("catalogue.tsv").read_text().splitlines()[1:]
    records[0]["compressed_bytes"] = 1
    with pytest.raises(SystemExit, match="do not add up"):
        make_catalogue.lines(json.loads(json.dumps(records[:1])))
