from __future__ import annotations

from pathlib import Path

import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt  # a fixture

from imgopt.bases import AMD64, changes_since, counterparts, identify, release_of
from imgopt.bases.releases import TEMURIN_NAMES, temurin_name


@pytest.mark.parametrize(
    ("version", "first"),
    [
        ("8u151", "from 8u191"),
        ("8u190", "from 8u191"),
        ("8u191", "from 8u291"),
        ("8u292", "from 8u352"),
        ("8u371", "from 8u372"),
        ("8u372", None),
        ("11.0.10", "from 11.0.11"),
        ("11.0.11", "from 11.0.16"),
        ("11.0.16", None),
        ("11.0.16.1", None),
        ("17.0.1", None),
        ("21", None),
    ],
)
def test_what_later_updates_do_otherwise(version: str, first: str | None) -> None:
    changes = changes_since(version)
    assert (changes[0][: len(first)] if first else changes) == (first or ())


def test_every_name_of_temurin_is_a_pinned_jre_of_its_release() -> None:
    for major, names in TEMURIN_NAMES.items():
        for name in names.split():
            base = identify(f"eclipse-temurin:{name}-jre")
            assert (base.kind, base.java_major, base.pinned) == ("jre", major, True)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("17.0.11", "17.0.11_9"),
        ("17.0.11.9.1", "17.0.11_9"),  # Corretto's: the release, the build, its own revision
        ("11.0.14.1", "11.0.14.1_1"),
        ("11.0.20.1", "11.0.20.1_1"),
        ("8u412", "8u412-b08"),
        ("8u292", None),
        ("17.0.99", None),
        ("17", None),
        (None, None),
    ],
)
def test_temurins_name_of_a_release(version: str | None, name: str | None) -> None:
    assert temurin_name(version) == name


@pytest.mark.parametrize(
    ("image", "counterpart"),
    [
        ("amazoncorretto:17.0.11-alpine3.19", "eclipse-temurin:17.0.11_9-jre-alpine"),
        ("amazoncorretto:8u412-alpine3.19-jre", "eclipse-temurin:8u412-b08-jre-alpine"),
        ("eclipse-temurin:17.0.11_9-jdk-jammy", "eclipse-temurin:17.0.11_9-jre-alpine"),
        ("bellsoft/liberica-openjdk-debian:17.0.11", "eclipse-temurin:17.0.11_9-jre-alpine"),
        ("openjdk:17.0.2-jdk-slim", "eclipse-temurin:17.0.2_8-jre-alpine"),
        (
            "openjdk:11.0.12-jdk",
            "eclipse-temurin:11-jre-alpine",
        ),  # Temurin's Alpine images of 11 begin with 11.0.13
        ("openjdk:8u292", "eclipse-temurin:8-jre-alpine"),
    ],
)
def test_a_pin_is_kept_where_a_pinned_image_is_known(image: str, counterpart: str) -> None:
    found = counterparts(identify(image), kind="jre", libc="musl", platforms=(AMD64,))
    assert found[0].name == counterpart
    assert found[0].pinned == (counterpart.count(".") > 0 or "-b" in counterpart)


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("openjdk:8-jdk-alpine", "8u212"),
        ("openjdk:8-jre-slim", "8u342"),
        ("openjdk:8u151", "8u151"),
        ("openjdk:11", "11.0.16"),
        ("openjdk:17", None),
        ("openjdk:8-jdk-stretch", "8u242"),
        ("openjdk:11-jre-slim-stretch", "11.0.6"),
        ("openjdk:8-jdk-jessie", None),
        ("java:8-jre", "8u131"),
        ("java:8u111", "8u111"),
        ("adoptopenjdk/openjdk8", "8u292"),
        ("adoptopenjdk:11-jre-hotspot", "11.0.11"),
        ("adoptopenjdk/openjdk8:jdk8u252-b09", "8u252"),
        ("frolvlad/alpine-oraclejdk8:slim", "8u202"),
        ("frolvlad/alpine-oraclejdk8:8.131.11-cleaned", "8u131"),
        ("frolvlad/alpine-java:jdk8.181.13-slim", "8u181"),
        ("openjdk:8-jdk-alpine3.8", None),
        ("openjdk:8-jdk-alpine3.9", "8u212"),
        ("livingobjects/jre8", None),
        ("eclipse-temurin:8-jre", None),  # moves
        ("harbor.corp/java:8", None),
    ],
)
def test_the_release_in_an_image_that_moves_no_more(image: str, release: str | None) -> None:
    assert release_of(identify(image)) == release


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("amazoncorretto:21.0.99-alpine3.19", "the pin 21.0.99 is gone"),
        ("amazoncorretto:17-alpine3.19", "the pin of Alpine 3.19 is gone"),
        ("openjdk:8-jdk", "its Java was 8u342: from 8u352 on a client offers TLS 1.3"),
        ("openjdk:8-jdk-stretch", "its Java was 8u242 or older: from 8u291 on TLS 1.0 and 1.1 are off"),
        ("adoptopenjdk/openjdk11", "its Java was 11.0.11 or older: from 11.0.16 on"),
        ("frolvlad/alpine-oraclejdk8:slim", "its Java was 8u202: from 8u291 on TLS 1.0 and 1.1 are off"),
        ("eclipse-temurin:8-jdk-focal", None),
        ("eclipse-temurin:17.0.11_9-jdk", None),
        ("eclipse-temurin:17-jdk-alpine-3.21", None),
        ("eclipse-temurin:17-jdk", None),
    ],
)
def test_a_pin_that_is_left_is_said(image: str, said: str | None, tmp_path: Path, imgopt: Imgopt) -> None:
    (tmp_path / "Dockerfile").write_text(
        f'FROM {image}\nCOPY app.jar /app.jar\nCMD ["java", "-jar", "/app.jar"]\n'
    )
    boot_jar(tmp_path / "app.jar", version="2.7.18", major=52)
    [finding] = [
        each
        for each in imgopt("suggest", "--format", "json", tmp_path).json["files"][0]["findings"]
        if each["rule"] == "jdk-runtime"
    ]
    description = finding["fix"]["description"]
    assert (said or "run on") in description
    assert (" is gone" in description or "its Java was" in description) == (said is not None)
    assert finding["fix"]["applicability"] == "safe"


def test_a_pin_behind_a_mirror_is_said_beside_the_other_risk(imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "app.jar", version="2.7.18", major=52)
    (tmp_path / "Dockerfile").write_text(
        "FROM registry.example/library/openjdk:8u181-jdk\n"
        'COPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    (file,) = imgopt("suggest", "--format", "json", tmp_path).json["files"]
    fix = next(each for each in file["findings"] if each["rule"] == "jdk-runtime")["fix"]
    assert (fix["applicability"], "has to exist" in fix["risk"]) == ("unsafe", True)
    assert "the pin 8u181 is gone" in fix["description"] and "8u191" in fix["description"]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("java:8-jre", "its Java was 8u131 or older: from 8u191 on the heap"),
        ("openjdk:8-jre-jessie", "which update of Java 8 it has is not known: from 8u191 on the heap"),
        ("livingobjects/jre8", "which update of Java 8 it has is not known: from 8u191 on the heap"),
    ],
)
def test_a_heap_that_would_follow_the_container_is_no_safe_change(
    image: str, said: str, tmp_path: Path, imgopt: Imgopt
) -> None:
    (tmp_path / "Dockerfile").write_text(
        f'FROM {image}\nCOPY app.jar /app.jar\nCMD ["java", "-jar", "/app.jar"]\n'
    )
    boot_jar(tmp_path / "app.jar", version="2.7.18", major=52)
    (file,) = imgopt("suggest", "--format", "json", tmp_path).json["files"]
    fix = next(each for each in file["findings"] if each["rule"] == "retired-base")["fix"]
    assert (fix["applicability"], said in fix["risk"]) == ("unsafe", True)
