"""The commands and lines that a report shows are copied into shells, Dockerfiles and ignore files: they mean there what
is said here, whatever the files are called."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dockerfile as buildkit
import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from hostile import run_in
from projects import idle_in_the_context, removed_later, whole_context, whole_target

from imgopt.build_context.patterns import read_ignore_file
from imgopt.dockerfile import expand

TEXT = 'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
DIRECTORIES = [
    "a b", "$(touch PWNED)", "`touch PWNED`", "a;touch PWNED", "it's", 'say "x"', "a\\b", "-x", "--output=PWNED", "*", "~", "a\nb;touch PWNED", "a\x1b[1m", "été",
]  # fmt: skip


def project(name: str) -> Path:
    """The Dockerfile of a directory of this name, in the working directory."""
    path = Path(name, "Dockerfile")
    path.parent.mkdir()
    path.write_text(TEXT)
    boot_jar(path.with_name("app.jar"))
    return path


def commands(text: str, start: str) -> list[str]:
    return [line[line.index(start) :].strip() for line in text.splitlines() if start in line]


def called(command: str, cwd: Path) -> list[str]:
    """The words that bash calls a program with."""
    programs = cwd / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("imgopt", "docker", "chmod"):
        (programs / name).write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        (programs / name).chmod(0o755)
    before = {*cwd.rglob("*")}
    done = run_in("/bin/bash", command, cwd, PATH=str(programs))
    assert done.returncode == 0 and not done.stderr, (command, done)
    assert {*cwd.rglob("*")} == before
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("name", DIRECTORIES)
def test_the_next_steps_of_a_report_name_the_same_file(
    name: str, imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    path = project(name)
    for given in (f"./{path}", tmp_path / path):
        shown = commands(imgopt("suggest", "--build-arg", f"X={name}", given).text, "imgopt rewrite")
        assert len(shown) >= 2
        for each in shown:
            words = called(each, tmp_path)
            assert words[-3:] == ["--build-arg", f"X={name}", str(given)]
    shown = commands(imgopt("suggest", "--build-arg", f"X={name}", "--", path).text, "imgopt rewrite")
    assert called(shown[0], tmp_path)[-1] == str(path)


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_gates_remedy_names_the_same_file(
    name: str, imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = project(name)
    found = imgopt("gate", "--predict", "--max-size", "100MB", "--format", "json", "--", path).json
    (target,) = found["targets"]
    said = [
        remedy
        for budget in target["budgets"]
        for remedy in budget.get("remedies", ())
        if "imgopt rewrite" in remedy
    ]
    for each in said:
        command = re.sub(r" makes it .*", "", each, flags=re.DOTALL)
        words = called(command, tmp_path)
        assert Path(words[-1]) == path and not words[-1].startswith("-")
    assert said


@pytest.mark.parametrize("name", DIRECTORIES)
def test_the_hint_for_a_file_that_is_read_only(
    name: str, imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = project(name)
    path.chmod(0o444)
    run = imgopt("rewrite", "--in-place", "--", path)
    assert run.code == 2
    (hint,) = commands(run.err, "chmod u+w")
    assert Path(called(hint, tmp_path)[-1]) == path


NAMES = [
    "a b",
    "it's",
    "$(touch PWNED)",
    "a;touch PWNED",
    "#x",
    "!x",
    "*",
    "[a]",
    "a,b",
    "<<EOF",
    "--x",
    'a"b',
    "x #y",
]


def fixes(imgopt: Imgopt, root: Path, rule: str) -> list[str]:
    (file,) = imgopt("suggest", "--format", "json", root).json["files"]
    return [each["fix"]["description"] for each in file["findings"] if each["rule"] == rule and each["fix"]]


def words(line: str) -> list[str | None]:
    (found,) = buildkit.parse_string(f"{line}\n")
    return [expand(word, {}).value for word in found.value]


@pytest.mark.parametrize("name", NAMES)
def test_an_advised_copy_names_the_jar(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    whole_context(name).make(tmp_path)
    (fix,) = fixes(imgopt, tmp_path, "whole-context")
    line = re.search(r"\((COPY .*)\) and the files", fix)
    if line is None:
        assert "copy only what the application runs" in fix and (
            "$" in name or "[" in name
        )  # what starts is not known
        return
    source, target = words(line[1])
    assert (
        re.sub(r"\[([*?\[])\]", r"\1", source or "") == f"{name}/app.jar" and target == f"/app/{name}/app.jar"
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_advised_copy_out_of_a_stage_names_the_jar(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    whole_target(name).make(tmp_path)
    (fix,) = [each for each in fixes(imgopt, tmp_path, "build-tools") if "copy the jar alone" in each] or [""]
    if fix:
        source, target = words(fix.partition(": ")[2])
        assert re.sub(r"\[([*?\[])\]", r"\1", source or "") == f"/{name}/target/a.jar"
        assert target == "/app/target/a.jar"


@pytest.mark.parametrize("name", NAMES)
def test_an_advised_mount_is_one_mount(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    removed_later(name).make(tmp_path)
    for fix in fixes(imgopt, tmp_path, "deleted-later"):
        assert name == "--x" or "--mount=type=bind,source" not in fix
    removed_later("plain").make(tmp_path)
    (fix,) = fixes(imgopt, tmp_path, "deleted-later")
    assert "RUN --mount=type=bind,source=plain.zip,target=/tmp/plain.zip reads it" in fix


@pytest.mark.parametrize("name", NAMES)
def test_an_advised_line_of_an_ignore_file_matches_the_directory(
    name: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    idle_in_the_context(name).make(tmp_path)
    (fix,) = fixes(imgopt, tmp_path, "unused-context")
    rules = read_ignore_file(fix.partition("a line each: ")[2].encode(), ".dockerignore")
    assert rules.step(name)[0] and not rules.step("target")[0] and not rules.step("app.jar")[0]


def test_no_line_is_advised_for_a_name_that_none_can_hold(imgopt: Imgopt, tmp_path: Path) -> None:
    idle_in_the_context("a\n*").make(tmp_path)
    for fix in fixes(imgopt, tmp_path, "unused-context"):
        assert "a line each" not in fix
