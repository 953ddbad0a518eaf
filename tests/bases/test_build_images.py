from __future__ import annotations

import pytest

from imgopt.bases import identify
from imgopt.bases.build_images import ADDED_COMMANDS, built_on, has_command


@pytest.mark.parametrize(
    ("name", "jdk"),
    [
        ("maven:3.9-eclipse-temurin-17", "eclipse-temurin:17-jdk"),
        ("maven:3.9-eclipse-temurin-17-focal", "eclipse-temurin:17-jdk-focal"),
        ("maven:3.9-eclipse-temurin-21-alpine", "eclipse-temurin:21-jdk-alpine"),
        ("maven:3-amazoncorretto-25-al2023", "amazoncorretto:25-al2023"),
        ("maven:3.9-amazoncorretto-17", "amazoncorretto:17"),
        ("maven:3-amazoncorretto-17-alpine", "amazoncorretto:17-alpine"),
        ("maven:3.8.5-openjdk-17", "openjdk:17-jdk"),
        ("maven:3.8.5-openjdk-17-slim", "openjdk:17-jdk-slim"),
        ("maven:3.6.2-jdk-8", "openjdk:8-jdk"),
        ("maven:3-jdk-8-alpine", "openjdk:8-jdk-alpine"),
        ("maven:3.9-ibm-semeru-17-noble", "ibm-semeru-runtimes:open-17-jdk-noble"),
        ("maven:3-sapmachine-21", "sapmachine:21"),
        ("gradle:8.10-jdk21", "eclipse-temurin:21-jdk"),
        ("gradle:8-jdk17-jammy", "eclipse-temurin:17-jdk-jammy"),
        ("gradle:8-jdk17-ubi9", "eclipse-temurin:17-jdk-ubi9-minimal"),
        ("gradle:8-jdk17-corretto", "amazoncorretto:17"),
        ("harbor.corp/library/maven:3.9-eclipse-temurin-17", "harbor.corp/library/eclipse-temurin:17-jdk"),
        (
            "public.ecr.aws/docker/library/maven:3-amazoncorretto-25-al2023",
            "public.ecr.aws/docker/library/amazoncorretto:25-al2023",
        ),
    ],
)
def test_the_jdk_below_a_build_image(name: str, jdk: str) -> None:
    found = built_on(identify(name))
    assert found is not None
    assert found.name == jdk


@pytest.mark.parametrize(
    "name", ["maven:3.9-eclipse-temurin-21-alpine", "gradle:8-jdk17-corretto", "maven:3-jdk-8"]
)
def test_it_is_the_same_java_on_the_same_system(name: str) -> None:
    base = identify(name)
    found = built_on(base)
    assert found is not None
    assert (found.kind, found.java_major, found.os, found.libc) == (
        "jdk",
        base.java_major,
        base.os,
        base.libc,
    )


@pytest.mark.parametrize(
    "name",
    [
        "maven",
        "maven:3.9",
        "gradle:alpine",
        "gradle:8-jdk21-graal",  # GraalVM is downloaded into it
        "maven:3-amazoncorretto-17-debian",  # so is Corretto into Debian
        "maven:3.9-azulzulu-17",
        "eclipse-temurin:17-jdk",
        "tomcat:10-jdk17",
    ],
)
def test_where_no_jdk_image_is_known_to_be_below(name: str) -> None:
    assert built_on(identify(name)) is None


def test_what_the_user_declares_wins() -> None:
    declared = {
        "corp/build:*": {"like": "maven:3.9-eclipse-temurin-17", "counterpart": "corp/jre:17"},
    }
    found = built_on(identify("corp/build:1", declared))
    assert found is not None
    assert found.name == "corp/jre:17"


@pytest.mark.parametrize(
    ("program", "image", "there"),
    [
        ("curl", "eclipse-temurin:17-jdk", True),
        ("curl", "eclipse-temurin:17-jdk-alpine", False),
        ("wget", "eclipse-temurin:17-jdk-alpine", True),
        ("wget", "openjdk:17-jdk-slim", False),
        ("tar", "openjdk:17-jdk-slim", True),
        ("tar", "amazoncorretto:17", False),
        ("git", "eclipse-temurin:17-jdk", False),
        ("bash", "eclipse-temurin:17-jdk-alpine", False),
        ("bash", "amazoncorretto:17", True),
    ],
)
def test_which_of_the_added_commands_a_jdk_image_has_anyway(program: str, image: str, there: bool) -> None:
    assert program in ADDED_COMMANDS
    assert has_command(program, identify(image)) is there
