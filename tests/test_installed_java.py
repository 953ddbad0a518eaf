"""Java that a stage brings itself, as the picture sees it."""

from __future__ import annotations

import pytest

from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Jars, Picture, take_picture
from imgopt.plans.base import installed_java
from imgopt.plans.base.installed_java import InstalledJava
from imgopt.suggest.dockerfile import report_file
from imgopt.weigh.layers import Weigher


def picture_of(text: str) -> Picture:
    return take_picture(parse(text), None, Options())


def installed(text: str) -> list[tuple[str, str, str, int | None]]:
    return [(java.how, java.name, java.kind, java.major) for java in installed_java.find(picture_of(text))]


def written(text: str, java: InstalledJava) -> str | None:
    return text[java.span.start : java.span.end] if java.span is not None else None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("apt-get update && apt-get install -y openjdk-17-jdk", "openjdk-17-jdk"),
        ("apt -y install curl openjdk-17-jdk=17.0.9+9-1~deb12u1 vim", "openjdk-17-jdk"),
        (
            "apt-get install -y \\\n    curl \\\n    # Java\n    openjdk-17-jdk:amd64 \\\n    vim",
            "openjdk-17-jdk",
        ),
        ("DEBIAN_FRONTEND=noninteractive apt-get install -y -t stable 'openjdk-17-jdk'", "openjdk-17-jdk"),
        ("sudo -E apt-get install -y openjdk-17-jdk", "openjdk-17-jdk"),
    ],
)
def test_the_package_and_where_it_stands(command: str, name: str) -> None:
    text = f"FROM debian:12\nRUN {command}\n"
    (java,) = installed_java.find(picture_of(text))
    assert (java.how, java.name, java.kind, java.major) == ("package", name, "jdk", 17)
    assert name in (written(text, java) or "")


@pytest.mark.parametrize(
    "run",
    [
        'RUN ["apt-get", "install", "-y", "openjdk-17-jdk"]',
        "ARG JDK=openjdk-17-jdk\nRUN apt-get install -y $JDK",
        "RUN <<EOF\napt-get install -y openjdk-17-jdk\nEOF",
    ],
)
def test_other_forms_of_the_same_install(run: str) -> None:
    assert installed(f"FROM debian:12\n{run}\n") == [("package", "openjdk-17-jdk", "jdk", 17)]


@pytest.mark.parametrize(
    "text",
    [
        "FROM eclipse-temurin:17-jre\nRUN apt-get install -y openjdk-17-jdk\n",
        "FROM debian:12\nRUN echo apt-get install openjdk-17-jdk\n",
        "FROM debian:12\nRUN apt-get remove -y openjdk-17-jdk\n",
        "FROM debian:12\nRUN [ -x /usr/bin/java ] || apt-get install -y openjdk-17-jdk\n",
        "FROM debian:12 AS build\nRUN apt-get install -y openjdk-17-jdk\nFROM debian:12\nCOPY --from=build /app /app\n",
        "FROM debian:12\nCOPY jdk /opt/jdk\n",
        "FROM debian:12\nRUN tar xf /tmp/jdk-8u131-linux-x64.tar.gz\n",
    ],
)
def test_no_java_of_its_own(text: str) -> None:
    assert installed(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FROM centos:7\nADD jdk-8u131-linux-x64.tar.gz /opt/\n",
            ("archive", "jdk-8u131-linux-x64.tar.gz", "jdk", 8),
        ),
        ("FROM centos:7\nCOPY jdk1.8.0_131 /opt/jdk\n", ("archive", "jdk1.8.0_131", "jdk", 8)),
        (
            "FROM alpine:3.8\nENV PACKAGE=server-jre MAJOR=8 UPDATE=131\n"
            "RUN curl -o /tmp/java.tar.gz http://x.org/${PACKAGE}-${MAJOR}u${UPDATE}-linux-x64.tar.gz\n",
            ("archive", "server-jre-8u131-linux-x64.tar.gz", "jre", 8),
        ),
        (
            "FROM debian:12\nENV JAVA_HOME=/opt/java/openjdk\nCOPY --from=eclipse-temurin:21-jre $JAVA_HOME $JAVA_HOME\n",
            ("copied", "eclipse-temurin:21-jre", "jre", 21),
        ),
        (
            "FROM eclipse-temurin:21 AS jdk\nWORKDIR /build\nRUN $JAVA_HOME/bin/jlink --add-modules java.se --output jre\n"
            "FROM alpine\nCOPY --from=jdk /build/jre /jre\n",
            ("copied", "the runtime linked in stage jdk", "jre", 21),
        ),
        (
            "FROM debian:12 AS java\nRUN apt-get install -y openjdk-17-jdk\n"
            "FROM debian:12\nCOPY --from=java /usr/lib/jvm /usr/lib/jvm\n",
            ("copied", "openjdk-17-jdk", "jdk", 17),
        ),
    ],
)
def test_archives_and_copied_trees(text: str, expected: tuple[str, str, str, int | None]) -> None:
    assert installed(text) == [expected]


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("FROM debian:12\nRUN apt-get install -y default-jre\n", 17),
        ("FROM debian\nRUN apt-get install -y default-jre\n", None),
        ("FROM ubuntu:22.04\nRUN apt-get install -y openjdk-8-jre openjdk-17-jre\n", None),
        ("FROM eclipse-temurin:21\nRUN apt-get install -y openjdk-17-jre\n", 21),
        (
            "FROM eclipse-temurin:21\nCOPY --from=eclipse-temurin:17 /opt/java/openjdk /opt/java/17\n"
            "ENV JAVA_HOME=/opt/java/17 PATH=/opt/java/17/bin:$PATH\n",
            None,
        ),
        (
            "FROM eclipse-temurin:latest\nCOPY --from=eclipse-temurin:17 /opt/java/openjdk /opt/java/17\n",
            None,
        ),
    ],
)
def test_the_java_version_of_the_final_stage(text: str, major: int | None) -> None:
    assert installed_java.java_major(picture_of(text)) == major


def test_the_report_tells_the_java_version() -> None:
    text = b"FROM ubuntu:22.04\nRUN apt-get install -y openjdk-21-jre\nCMD java -version\n"
    jars = Jars()
    report = report_file("-", text, Options(), (), jars, Weigher(jars))
    assert report.java is not None
    assert (report.java.major, report.java.source) == (21, "package")
