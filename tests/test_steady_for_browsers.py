"""Files that layer already: what Spring Boot serves to browsers keeps the time of its build, or they keep the old one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt
from command_line import imgopt as imgopt

TEXT = """\
FROM eclipse-temurin:17-jre-alpine AS builder
WORKDIR /builder
COPY target/app.jar app.jar
RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination extracted

FROM eclipse-temurin:17-jre-alpine
WORKDIR /application
COPY --from=builder /builder/extracted/dependencies/ ./
COPY --from=builder /builder/extracted/spring-boot-loader/ ./
COPY --from=builder /builder/extracted/snapshot-dependencies/ ./
COPY --from=builder /builder/extracted/application/ ./
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
"""
PAGE = library({"META-INF/resources/index.html": b"x"}, size=300_000)
PLAIN = library({"text/index.html": b"x"}, size=300_000)
SNAPSHOTS = "snapshot-dependencies"


@pytest.mark.parametrize(
    ("jar", "fixed"),
    [
        ({"libraries": {"ui-1.0-SNAPSHOT.jar": PAGE}}, {"dependencies", "spring-boot-loader"}),
        ({"libraries": {"ui-1.0-SNAPSHOT.jar": PLAIN}}, {"dependencies", "spring-boot-loader", SNAPSHOTS}),
        ({"libraries": {"ui-1.0.jar": PAGE}}, {"dependencies", "spring-boot-loader", SNAPSHOTS}),
        (
            {"libraries": {"ui-1.0.jar": PAGE}, "modules": ["ui-1.0.jar"]},
            {"dependencies", "spring-boot-loader", SNAPSHOTS},
        ),
        (
            {"libraries": {"ui-1.0.jar": PLAIN}, "modules": ["ui-1.0.jar"]},
            {"dependencies", "spring-boot-loader", SNAPSHOTS, "modules"},
        ),
    ],
    ids=["snapshot", "snapshot-without", "release", "module", "module-without"],
)
def test_what_browsers_get_keeps_the_time_of_its_build(
    jar: Mapping[str, Any], fixed: set[str], imgopt: Imgopt, tmp_path: Path
) -> None:
    libraries = {"big-1.0.jar": library(size=1_200_000), **jar["libraries"]}
    boot_jar(tmp_path / "target" / "app.jar", **{**jar, "libraries": libraries, "version": "3.5.16"})
    (tmp_path / "Dockerfile").write_text(TEXT)
    run = imgopt("rewrite", "--select", "unstable-layers", tmp_path / "Dockerfile")
    assert run.code == 0, run.err
    stamped = next(line for line in run.text.splitlines() if "@318211200 {} +" in line or "touch -h" in line)
    trees = {word.rpartition("/")[2] for word in stamped.split() if "/out/" in word}
    assert trees == fixed, run.text
