"""What of an application is its own, and what are libraries, in trees as in archives."""

from __future__ import annotations

from pathlib import Path

import pytest
from boot_jar import class_file, library
from command_line import Imgopt
from command_line import imgopt as imgopt

COMPILER = class_file("com/example/Application", ["javax/tools/ToolProvider"])
DOCKERFILE = """\
FROM openjdk:17-jdk-slim
COPY target/dependency/BOOT-INF/lib /app/lib
COPY target/dependency/BOOT-INF/classes /app
COPY target/dependency/org /app/org
ENTRYPOINT ["java", "-cp", "app:app/lib/*", "com.example.Application"]
"""


@pytest.mark.parametrize(
    ("place", "keeps_the_jdk"),
    [
        ("BOOT-INF/classes/com/example/Application.class", True),
        ("BOOT-INF/lib/h2-2.1.214.jar", False),
        ("org/springframework/boot/loader/Launcher.class", False),
    ],
)
def test_whose_class_knows_the_compiler(
    place: str, keeps_the_jdk: bool, tmp_path: Path, imgopt: Imgopt
) -> None:
    root = tmp_path / "target" / "dependency"
    for each in ("BOOT-INF/lib", "BOOT-INF/classes", "org"):
        (root / each).mkdir(parents=True)
    (root / "BOOT-INF" / "lib" / "some-1.0.jar").write_bytes(library())
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(library({"org/h2/Compiler.class": COMPILER}) if place.endswith(".jar") else COMPILER)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (report,) = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"]
    said = [entry["why"] for entry in report["rewrite"]["not_applied"] if entry["rule"] == "jdk-runtime"]
    assert any("the application's own classes use the Java compiler" in why for why in said) is keeps_the_jdk
    assert ("FROM eclipse-temurin:17-jre" in report["rewrite"]["text"]) is not keeps_the_jdk
