"""`rewrite --check` must say the same before and after the jar was built, or that it cannot tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar

JDK = 'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
POM = "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>app</artifactId><version>1</version><build><finalName>app</finalName></build></project>\n"
BOOT_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.5.4</version>
  </parent>
  <groupId>a</groupId>
  <artifactId>app</artifactId>
  <version>1</version>
  <build>
    <finalName>app</finalName>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>
</project>
"""
BUILT_INSIDE = """\
FROM maven:3.9-eclipse-temurin-17 AS build
WORKDIR /src
COPY . .
RUN mvn package
FROM eclipse-temurin:17-jdk
COPY --from=build /src/target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""
Imgopt = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "pom.xml").write_text(POM)
    return tmp_path


def facts(imgopt: Imgopt) -> list[tuple[str, str, bool]]:
    run = imgopt("suggest", "--format", "json", "Dockerfile")
    rests_on = json.loads(run.text)["files"][0]["rewrite"]["rests_on"]
    return [(fact["kind"], fact["what"], fact["known"]) for fact in rests_on]


@pytest.mark.parametrize("text", [JDK, BUILT_INSIDE], ids=["copied", "built inside"])
def test_the_verdict_does_not_depend_on_who_asks_first(text: str, project: Path, imgopt: Imgopt) -> None:
    """A fresh checkout cannot be judged, neither the file as it was nor the rewrite that was made with the jar."""
    (project / "Dockerfile").write_text(text)
    jar = project / "target" / "app.jar"
    assert imgopt("rewrite", "--check", "Dockerfile").code == 3
    boot_jar(jar)
    assert imgopt("rewrite", "--check", "Dockerfile").code == 1
    assert imgopt("rewrite", "--in-place", "Dockerfile").code == 0
    assert "17-jre-alpine" in (project / "Dockerfile").read_text()
    assert imgopt("rewrite", "--check", "Dockerfile").code == 0
    jar.unlink()
    run = imgopt("rewrite", "--check", "Dockerfile")
    assert run.code == 3
    assert "would change" not in run.text
    assert "depends on target/app.jar, which is not built yet" in run.err
    assert "build the jar first (mvn package)" in run.err


def test_a_rewrite_without_the_jar_says_so(project: Path, imgopt: Imgopt) -> None:
    (project / "Dockerfile").write_text(JDK)
    run = imgopt("rewrite", "--in-place", "Dockerfile")
    assert run.code == 0
    assert "is based on pom.xml and was made without target/app.jar: it is not built yet" in run.err
    boot_jar(project / "target" / "app.jar")
    run = imgopt("rewrite", "--in-place", "Dockerfile")
    assert "is based on target/app.jar" in run.err
    assert "made without" not in run.err


def test_facts_are_told_in_text_and_json(project: Path, imgopt: Imgopt) -> None:
    (project / "Dockerfile").write_text(JDK.replace("ENTRYPOINT", "COPY start.sh /\nENTRYPOINT"))
    (project / "start.sh").write_text("#!/bin/sh\nexec java -jar /app.jar\n")
    (project / "build.sh").write_text("docker buildx build --platform linux/arm64 .\n")
    assert facts(imgopt) == [
        ("jar", "target/app.jar", False),
        ("build-file", "pom.xml", True),
        ("script", "start.sh", True),
        ("platforms", "build.sh:1", True),
    ]
    boot_jar(project / "target" / "app.jar")
    assert facts(imgopt)[0] == ("jar", "target/app.jar", True)
    text = " ".join(imgopt("suggest", "Dockerfile").text.split())
    assert "The rewrite is based on target/app.jar, start.sh and build.sh:1" in text


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (JDK.replace("target/app.jar", "target/*.jar"), "target/*.jar"),
        (JDK.replace("target/app.jar", "build/libs/app.war"), "build/libs/app.war"),
        (
            JDK.replace("COPY target/app.jar", "ARG JAR=orders/target/app.jar\nCOPY ${JAR}"),
            "orders/target/app.jar",
        ),
        (
            "FROM eclipse-temurin:17-jdk AS x\nCOPY app.jar .\nRUN java -Djarmode=layertools -jar app.jar extract\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=x /application/ ./\n",
            "app.jar",
        ),
    ],
)
def test_what_a_build_takes_and_is_not_built(text: str, missing: str, project: Path, imgopt: Imgopt) -> None:
    (project / "Dockerfile").write_text(text)
    assert ("jar", missing, False) in facts(imgopt)
    assert imgopt("rewrite", "--check", "Dockerfile").code == 3


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian:12\nRUN echo\n",
        "FROM debian:12\nCOPY nothing.txt /\n",
        'FROM eclipse-temurin:17-jre-alpine\nCOPY --from=corp/app:1 /app.jar /\nCMD ["java", "-jar", "/app.jar"]\n',
        "# imgopt: ignore-file\n" + JDK,
    ],
    ids=["no Java", "no jar", "from an image", "ignored"],
)
def test_what_no_jar_decides_is_judged(text: str, project: Path, imgopt: Imgopt) -> None:
    (project / "Dockerfile").write_text(text)
    assert imgopt("rewrite", "--check", "Dockerfile").code == 0


def test_a_change_that_rests_on_no_jar_is_one(project: Path, imgopt: Imgopt) -> None:
    """What is certain whatever the jar holds is judged without it."""
    install = "RUN apt-get update && apt-get install -y curl\n"
    (project / "Dockerfile").write_text(JDK.replace("COPY", install + "COPY").replace("-jdk", "-jre"))
    assert imgopt("rewrite", "--check", "--select", "package-cache", "Dockerfile").code == 1
    (project / "Dockerfile").write_text(JDK)
    assert imgopt("rewrite", "--check", "--select", "package-cache", "Dockerfile").code == 0


def test_one_file_that_cannot_be_judged_keeps_no_other_from_it(project: Path, imgopt: Imgopt) -> None:
    (project / "Dockerfile").write_text(JDK)
    other = project / "other"
    boot_jar(other / "target" / "app.jar")
    (other / "Dockerfile").write_text(JDK)
    run = imgopt("rewrite", "--check", ".")
    assert run.code == 3
    assert "other/Dockerfile would change" in run.text
    assert "Dockerfile would change" not in run.text.replace("other/Dockerfile", "")
    run = imgopt("rewrite", "--check", "--format", "json", ".")
    assert [each["path"] for each in json.loads(run.text)["errors"]] == ["Dockerfile"]


@pytest.mark.parametrize(
    "text",
    [JDK, BUILT_INSIDE],
    ids=["copied", "built inside"],
)
def test_a_place_where_no_build_puts_a_jar_is_not_waited_for(
    text: str, project: Path, imgopt: Imgopt
) -> None:
    (project / "pom.xml").write_text(BOOT_POM)
    (project / "Dockerfile").write_text(text.replace("target/app.jar", "build/libs/app.jar"))
    run = imgopt("rewrite", "--check", "Dockerfile")
    assert run.code == 3
    assert "build/libs/app.jar, where the build puts no archive" in run.err
    assert "target/app.jar in its place" in run.err
    assert "build the jar first" not in run.err
    assert "not built yet" not in run.err
    report = json.loads(imgopt("suggest", "--format", "json", "Dockerfile").text)["files"][0]
    (jar,) = [fact for fact in report["rewrite"]["rests_on"] if fact["kind"] == "jar"]
    assert jar["instead"].endswith("target/app.jar") and jar["how"] is None
    text = " ".join(imgopt("suggest", "Dockerfile").text.split())
    assert "not built yet" not in text


def test_one_command_is_named_throughout(project: Path, imgopt: Imgopt) -> None:
    (project / "pom.xml").unlink()
    (project / "build.gradle").write_text(
        "plugins { id 'java'\n id 'org.springframework.boot' version '3.5.4' }\n"
    )
    (project / "Dockerfile").write_text(JDK.replace("target/", "build/libs/").replace("app.jar /", "*.jar /"))
    said = imgopt("suggest", "Dockerfile").text + imgopt("rewrite", "--check", "Dockerfile").err
    assert said.count("(gradle bootJar)") >= 3
    assert "gradle build" not in said


def test_a_plain_gradle_build_has_no_boot_jar(project: Path, imgopt: Imgopt) -> None:
    (project / "pom.xml").unlink()
    (project / "build.gradle").write_text("plugins { id 'java' }\njar.archiveFileName = 'app.jar'\n")
    (project / "Dockerfile").write_text(JDK.replace("target/", "build/libs/"))
    said = imgopt("suggest", "Dockerfile").text + imgopt("rewrite", "--check", "Dockerfile").err
    assert "(gradle build)" in said
    assert "bootJar" not in said
