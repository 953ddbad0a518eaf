"""Which jars get the thin layout of Spring Boot's own tools, and what keeps the launcher's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, class_file, library
from command_line import Imgopt
from command_line import imgopt as imgopt

START = 'ENTRYPOINT ["java", "-jar", "/app/app.jar"]\n'
FAT = f"FROM eclipse-temurin:17-jre\nWORKDIR /app\nCOPY target/app.jar app.jar\n{START}"
THIN = "extract --layers --destination out --libraries /application/lib/"
LOADER = "org/springframework/boot/loader/"


def rewritten(imgopt: Imgopt, directory: Path, jar: Mapping[str, Any], text: str = FAT) -> str:
    libraries = {"big-1.0.jar": library(size=1_200_000), **jar.get("libraries", {})}
    boot_jar(directory / "target" / "app.jar", **{**jar, "libraries": libraries})
    (directory / "Dockerfile").write_text(text)
    run = imgopt("rewrite", "--select", "fat-jar-layer", "--unsafe", directory / "Dockerfile")
    assert run.code == 0, run.err
    assert " AS extract" in run.text, run.text
    return run.text


@pytest.mark.parametrize("version", ["3.3.5", "3.5.16", "4.0.0", "4.1.2"])
def test_the_final_base_unpacks_it_and_starts_it_as_before(
    version: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    text = rewritten(imgopt, tmp_path, {"version": version})
    assert THIN in text
    assert "FROM eclipse-temurin:17-jre AS extract\n" in text
    assert text.endswith(START)
    assert len(text.splitlines()) - len(FAT.splitlines()) <= 10


@pytest.mark.parametrize(
    "jar",
    [
        {"references": ["java/net/URL"]},
        {"extra": {"META-INF/maven/a/b/pom.properties": b"version=1\n"}},
        {"extra": {"BOOT-INF/classes/logback.xml": b"<configuration/>"}},
        {"libraries": {"own-1.0.jar": library({"a/B.class": class_file("a/B")})}, "modules": ["own-1.0.jar"]},
        # a released library that reads nested archives knows of all their layouts
        {"libraries": {"scanner-1.0.jar": library({"a/B.class": class_file("a/B", ["BOOT-INF/lib"])})}},
    ],
    ids=["class", "description", "settings", "module", "library"],
)
def test_what_an_application_has_beside_does_not_matter(
    jar: Mapping[str, Any], imgopt: Imgopt, tmp_path: Path
) -> None:
    assert THIN in rewritten(imgopt, tmp_path, jar)


@pytest.mark.parametrize(
    "jar",
    [
        {"version": "3.2.12", "jarmode": "layertools"},
        {"references": ["BOOT-INF/classes"]},
        {"references": ["jar:nested:/app"]},
        {"references": [f"{LOADER}launch/JarLauncher"]},
        {"references": ["java/security/CodeSource"]},
        {"references": ["org/springframework/boot/system/ApplicationHome"]},
        {"launcher": "org.springframework.boot.loader.launch.PropertiesLauncher"},
        {"extra": {"data/words.txt": b"at the root"}},
        {"extra": {"META-INF/x.txt": b"1", "BOOT-INF/classes/META-INF/x.txt": b"2"}},
        {"extra": {"BOOT-INF/classes/paths.properties": b"templates=/BOOT-INF/classes/templates\n"}},
        {
            "libraries": {"own-1.0.jar": library({"a/B.class": class_file("a/B", ["BOOT-INF/lib"])})},
            "modules": ["own-1.0.jar"],
        },
        {"libraries": {"own-1.0-SNAPSHOT.jar": library({"a/B.class": class_file("a/B", ["nested:"])})}},
        {"libraries": {"with blank-1.0.jar": library()}},
    ],
    ids="version layout nested loader source home properties root twice setting module snapshot blank".split(),
)
def test_an_application_that_could_tell_keeps_its_launcher(
    jar: Mapping[str, Any], imgopt: Imgopt, tmp_path: Path
) -> None:
    text = rewritten(imgopt, tmp_path, jar)
    assert THIN not in text
    assert "jar cfm app.jar start.mf" in text


@pytest.mark.parametrize(
    "start",
    [
        'ENTRYPOINT ["java", "-javaagent:/agent.jar", "-jar", "/app/app.jar"]\n',
        "ENV JAVA_TOOL_OPTIONS=-javaagent:/agent.jar\n" + START,
        'ENTRYPOINT ["java", "-Dloader.path=/ext", "-jar", "/app/app.jar"]\n',
        "ENV LOADER_PATH=/ext\n" + START,
    ],
    ids=["agent", "agent in the environment", "option", "environment"],
)
def test_what_is_said_to_the_launcher_keeps_it(start: str, imgopt: Imgopt, tmp_path: Path) -> None:
    text = rewritten(imgopt, tmp_path, {}, FAT.replace(START, start))
    assert THIN not in text
    assert text.endswith(start)


def test_a_base_of_ones_own_unpacks_it_unsafely(imgopt: Imgopt, tmp_path: Path) -> None:
    base = "registry.corp.io/platform/java17:3"
    text = rewritten(imgopt, tmp_path, {}, FAT.replace("eclipse-temurin:17-jre", base))
    assert f"FROM {base} AS extract\nUSER root\n" in text
    why = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"][0]["rewrite"][
        "not_applied"
    ]
    assert f"needs --unsafe: {base} unpacks the jar, for which it has to have java, sh, mv and touch" in [
        each["why"] for each in why
    ]


def test_libraries_go_below_what_would_run_again_and_comments_stay(imgopt: Imgopt, tmp_path: Path) -> None:
    text = rewritten(
        imgopt,
        tmp_path,
        {},
        "FROM eclipse-temurin:17-jre\nRUN apt-get update\n# here it lies\nWORKDIR /app\n# the application\n"
        f"COPY target/app.jar app.jar\n{START}",
    )
    final = text[text.index("FROM eclipse-temurin:17-jre\n") :].splitlines()
    assert [line if line.startswith("#") else line.split(" ")[0] for line in final] == [
        "FROM",
        "RUN",
        "COPY",
        "COPY",
        "# here it lies",
        "WORKDIR",
        "# the application",
        "COPY",
        "ENTRYPOINT",
    ]
