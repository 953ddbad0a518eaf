"""Many files, told by rule: what is said of one is not said of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt

JAVA = 'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'

Told = Callable[..., str]


@pytest.fixture
def told(imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.chdir(tmp_path)

    def run(**files: str) -> str:
        for name, text in files.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "Dockerfile").write_text(text)
        found = imgopt("suggest", ".")
        assert found.code == 0, found.err
        return " ".join(found.text.split())

    return run


def test_a_fix_that_is_safe_in_one_file_alone(told: Told, tmp_path: Path) -> None:
    boot_jar(tmp_path / "a" / "target" / "app.jar")
    (tmp_path / "a" / "Dockerfile").write_text(JAVA)
    said = told(b=JAVA, c=JAVA, d=JAVA)
    assert "jdk-runtime in 4 files" in said
    assert "(safe in 1, needs --unsafe in 3)" in said


def test_savings_are_those_of_the_files_that_they_are_known_of(told: Told) -> None:
    apt = "RUN apt-get update && apt-get install -y curl\n"
    said = told(
        **{
            **dict.fromkeys(("a", "b"), f"FROM debian:12\n{apt}"),
            **{name: f"FROM registry.corp/{name}:1\n{apt}" for name in ("c", "d", "e")},
        }
    )
    assert "package-cache in 5 files" in said
    part = said[said.index("package-cache in 5 files") :]
    assert "in 2 of 5 places" in part[: part.index("where")], part


def test_warnings_of_other_names_are_counted_and_not_taken_for_the_first(told: Told) -> None:
    said = told(**{name: f"FROM registry.corp/{name}/runtime:1\n" for name in "abcd"})
    assert "registry.corp/a/runtime:1" in said and "(and the like in 3 further files, see -v)" in said
