"""What is written onto a file that was read asks for --force; other names of a file are told that they keep the old one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar
from image_samples import docker_archive, layer

Imgopt = Callable[..., Any]
DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".dockerignore").write_text("*.md\n")
    (tmp_path / "imgopt.toml").write_text('[budgets]\nmax-size = "10MB"\n')
    (tmp_path / "Jenkinsfile").write_text("node { sh 'docker push registry.example/app:1' }\n")
    boot_jar(tmp_path / "app.jar", version="3.5.4")
    docker_archive(tmp_path / "image.tar", [layer({"app.jar": b"x" * 3000})], ["COPY app.jar /"])
    (tmp_path / "same-Dockerfile").symlink_to("Dockerfile")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("rewrite", "-o", "Dockerfile"),
        ("rewrite", "--output", "Dockerfile", "Dockerfile"),
        ("rewrite", "-o", "same-Dockerfile", "Dockerfile"),
        ("rewrite", "-o", "app.jar"),
        ("rewrite", "--output-file", "Dockerfile"),
        ("suggest", ".", "--output-file", "Dockerfile"),
        ("suggest", "Dockerfile", "--output-file", "./app.jar", "--format", "json"),
        ("suggest", "Dockerfile", "--output-file", ".dockerignore"),
        ("suggest", "Dockerfile", "--output-file", "imgopt.toml"),
        ("suggest", "Jenkinsfile", "--output-file", "Jenkinsfile", "--format", "sarif"),
        ("gate", "image.tar", "--output-file", "image.tar", "--format", "junit"),
        ("inspect", "image.tar", "--output-file", "image.tar"),
        ("jar", "app.jar", "--output-file", "app.jar"),
    ],
    ids=" ".join,
)
def test_a_file_that_was_read_stays_unless_forced(
    command: tuple[str, ...], project: Path, imgopt: Imgopt
) -> None:
    before = {path: path.read_bytes() for path in project.iterdir()}
    run = imgopt(*command)
    assert run.code == 2, run.text
    assert (
        "it is one of the files that were read; nothing was changed; give another file, or --force" in run.err
    )
    assert {path: path.read_bytes() for path in project.iterdir()} == before
    assert imgopt(*command, "--force").code in (0, 1)
    assert {path: path.read_bytes() for path in project.iterdir()} != before
    assert (project / "same-Dockerfile").is_symlink()


@pytest.mark.parametrize(
    "command",
    [
        ("rewrite", "Dockerfile", "-o", "new.txt"),
        ("suggest", "Dockerfile", "--output-file", "report.txt"),
        ("inspect", "image.tar", "--output-file", "new.txt"),
        ("rewrite", "--in-place", "Dockerfile"),
    ],
    ids=" ".join,
)
def test_other_files_are_written_over(command: tuple[str, ...], project: Path, imgopt: Imgopt) -> None:
    for name in ("new.txt", "report.txt"):
        (project / name).write_text("old")
    assert imgopt(*command).code == 0
    assert (project / command[-1]).read_text() not in ("old", DOCKERFILE)


def test_other_names_of_a_file_are_told(project: Path, imgopt: Imgopt) -> None:
    os.link("Dockerfile", "other")
    run = imgopt("rewrite", "--in-place", "Dockerfile")
    assert run.code == 0
    assert Path("other").read_text() == DOCKERFILE != Path("Dockerfile").read_text()
    assert "Dockerfile had another name (hard links), where the old content stays" in run.err
    Path("report.txt").write_text("old")
    assert "hard link" not in imgopt("suggest", "Dockerfile", "--output-file", "report.txt").err
    os.link("report.txt", "second")
    os.link("report.txt", "third")
    run = imgopt("suggest", "Dockerfile", "--output-file", "report.txt")
    assert "report.txt had 2 other names (hard links)" in run.err
