"""Which Java runs the application and which one it needs: one answer in each format, with what says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt

POM = """<project><modelVersion>4.0.0</modelVersion><parent><groupId>org.springframework.boot</groupId>
<artifactId>spring-boot-starter-parent</artifactId><version>3.4.1</version></parent><groupId>example</groupId>
<artifactId>app</artifactId><version>1</version><properties><java.version>{}</java.version></properties></project>"""
COPY = 'COPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'


@pytest.mark.parametrize(
    ("base", "jar", "said", "runs", "needs"),
    [
        (
            "eclipse-temurin:21-jre",
            {"major": 61, "launcher_major": 61},
            "Java 21 (of eclipse-temurin:21-jre),",
            {"major": 21, "source": "eclipse-temurin:21-jre"},
            {"major": 17, "source": "its classes"},
        ),
        (
            "openjdk:8-jre",  # the launcher alone tells
            {"version": "2.7.18", "major": 52, "launcher_major": 61},
            "Java 8 (of openjdk:8-jre), needs Java 17 (its launcher),",
            {"major": 8, "source": "openjdk:8-jre"},
            {"major": 17, "source": "its launcher"},
        ),
        (
            "registry.corp.io/base/runtime:3",  # compiled for 8, with a Spring Boot that asks for more
            {"version": "3.5.4", "major": 52},
            "needs Java 17 (Spring Boot 3.5.4),",
            None,
            {"major": 17, "source": "Spring Boot 3.5.4"},
        ),
        (
            "registry.corp.io/base/runtime:3",
            {"version": "2.7.18", "major": 55},
            "needs Java 11 (its classes),",
            None,
            {"major": 11, "source": "its classes"},
        ),
    ],
)
def test_of_a_jar(
    base: str, jar: dict[str, Any], said: str, runs: object, needs: object, imgopt: Imgopt, tmp_path: Path
) -> None:
    boot_jar(tmp_path / "target" / "app.jar", **jar)
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\n{COPY}")
    text = " ".join(imgopt("suggest", tmp_path).text.split())
    assert said in text
    assert text.count("Java 8") == (said.count("Java 8") and text.count("which has Java 8") + 1)
    java = imgopt("suggest", "--format", "json", tmp_path).json["files"][0]["java"]
    assert (java["runs"], java["needs"], java["source"]) == (runs, needs, "jar")
    assert java["major"] == (runs or needs)["major"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("level", "needs"),
    [(21, {"major": 21, "source": "pom.xml"}), (11, {"major": 17, "source": "Spring Boot 3.4.1"})],
)
def test_of_a_project_that_is_not_built(level: int, needs: object, imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text(POM.format(level))
    (tmp_path / "Dockerfile").write_text(f"FROM registry.corp.io/base/runtime:3\n{COPY}")
    java = imgopt("suggest", "--format", "json", tmp_path).json["files"][0]["java"]
    assert (java["runs"], java["needs"]) == (None, needs)


def test_a_package_and_a_base_with_another_java(imgopt: Imgopt, tmp_path: Path) -> None:
    boot_jar(tmp_path / "target" / "app.jar")
    installed = "FROM debian:12\nRUN apt-get install -y openjdk-17-jre-headless\n"
    copied = "FROM eclipse-temurin:11-jre\nCOPY --from=eclipse-temurin:17 /opt/java/openjdk /opt/java/17\n"
    answers = []
    for text in (installed, copied):
        (tmp_path / "Dockerfile").write_text(text + COPY)
        java = imgopt("suggest", "--format", "json", tmp_path).json["files"][0]["java"]
        answers.append(java["runs"])
    assert answers == [{"major": 17, "source": "openjdk-17-jre-headless"}, None]
