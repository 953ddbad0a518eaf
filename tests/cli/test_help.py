"""`--help`, `-V`, and what a misspelt name was meant to be."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from command_line import Imgopt

from imgopt.cli.app import COMMANDS as SINGLE
from imgopt.cli.app import OF_FLEET
from imgopt.cli.help import EXAMPLES, GROUPS

COMMANDS = (*SINGLE, *(f"fleet {each}" for each in OF_FLEET))


def sections(text: str) -> dict[str, str]:
    """Of a help page: what stands under each title."""
    found = re.split(r"(?m)^([A-Z][\w ]+):\n", text)
    return dict(zip(found[1::2], found[2::2], strict=True))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [50, 80, 120, 200])
def test_it_is_as_wide_as_the_terminal(
    command: str, columns: int, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = imgopt(*command.split(), "--help").text.splitlines()
    examples = {line for line, _ in EXAMPLES.get(command, ())}
    long = [line for line in lines if len(line) > columns and not any(each in line for each in examples)]
    # a name of an option, with its choices, is never broken
    assert [line for line in long if not re.match(r"  (-\w, )?--[\w-]+ \S+$", line)] == []


def test_options_stand_in_groups(imgopt: Imgopt) -> None:
    found = sections(imgopt("gate", "--help").text)
    assert list(found)[:3] == ["Arguments", "Budgets", "Baseline"]
    assert "--max-size SIZE" in found["Budgets"] and "--accept IMAGE" in found["Baseline"]
    assert list(found)[-3:] == ["Output", "Examples", "Exit codes"]
    assert "Other options" not in found
    assert "Budgets" not in sections(imgopt("rules", "--help").text)


def test_each_option_is_in_one_group() -> None:
    options = [option for group in GROUPS.values() for option in group]
    assert len(options) == len(set(options))


def test_exit_codes_are_those_of_the_command(imgopt: Imgopt) -> None:
    assert re.findall(r"(?m)^  (\d+) ", sections(imgopt("gate", "--help").text)["Exit codes"]) == [
        *("0", "1", "2", "3", "70", "130")
    ]
    assert re.findall(r"(?m)^  (\d+) ", sections(imgopt("rules", "--help").text)["Exit codes"]) == [
        *("0", "2", "70", "130")
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_examples_whose_options_it_knows(command: str, imgopt: Imgopt) -> None:
    text = imgopt(*command.split(), "--help").text
    assert "Examples:" in text
    for example, _ in EXAMPLES[command]:
        assert example.startswith(f"imgopt {command}")
        words = shlex.split(example.partition(" > ")[0])
        if words[-1] == "--help":
            continue
        for word in words:
            assert not word.startswith("--") or f"{word} " in text or f"{word}\n" in text, (example, word)


def test_minus_capital_v_is_the_version(imgopt: Imgopt) -> None:
    assert imgopt("-V").text == imgopt("--version").text != ""
    assert imgopt("-V").code == 0


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("sugest", "suggest"),
        ("Gate", "gate"),
        ("suggest --foramt json", "--format"),
        ("suggest --fial-on=high", "--fail-on"),
        ("rewrite --inplace", "--in-place"),
        ("--versoin", "--version"),
        ("suggest --format jsn", "json"),
        ("suggest --format=mardown", "markdown"),
        ("compare --engine dokcer", "docker"),
        ("explain jdk-runtme", "jdk-runtime"),
        ("suggest --select jdkruntime", "jdk-runtime"),
        ("suggest --ignore package-cach", "package-cache"),
        ("suggest --bandwidth aliyun-persnal", "aliyun-personal"),
        ("gate x.tar --forbid root_user", "root-user"),
    ],
)
def test_a_misspelt_name_has_one_that_was_meant(
    arguments: str, meant: str, imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = imgopt(*arguments.split())
    assert run.code == 2
    assert re.findall(r"did you mean (\S+)\?", run.err) == [meant]
    assert "ossible options" not in run.err


@pytest.mark.parametrize(
    "arguments", ["suggest --xyzzy", "suggest -z", "suggest --format zzzzz", "rules --format"]
)
def test_what_is_like_nothing_is_answered_with_the_help(arguments: str, imgopt: Imgopt) -> None:
    run = imgopt(*arguments.split())
    assert run.code == 2 and "did you mean" not in run.err and "--help" in run.err


def test_a_configurations_key_is_one_too(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imgopt.toml").write_text('bandwith = "1MB/s"\n')
    assert "did you mean bandwidth?" in imgopt("suggest").err


DOCKERFILE = "# a comment\n\nARG TAG=21\nFROM eclipse-temurin:${TAG}-jdk\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "gate FILE --max-size 9MB",
        "inspect FILE",
        "push FILE r.example/x/y:1",
        "jar FILE",
        "gate DIR --max-size 9MB",
    ],
)
def test_a_dockerfile_that_is_taken_for_something_else_is_told(
    arguments: str, imgopt: Imgopt, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    words = arguments.replace("FILE", str(tmp_path / "Dockerfile")).replace("DIR", str(tmp_path)).split()
    run = imgopt(*words)
    assert run.code in (2, 3)
    assert "imgopt gate --predict judges it before any build" in run.err


def test_a_jar_or_an_image_that_is_taken_for_a_dockerfile_is_told(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "app.jar").write_bytes(b"PK\x03\x04\0\0" * 100)
    shutil.make_archive(str(tmp_path / "image"), "tar", tmp_path, "app.jar")
    assert "it is a jar: imgopt jar reads it" in imgopt("suggest", str(tmp_path / "app.jar")).err
    assert "it is an image: imgopt inspect reads it" in imgopt("suggest", str(tmp_path / "image.tar")).err
    assert "it is an image: imgopt inspect reads it" in imgopt("jar", str(tmp_path / "image.tar")).err


@pytest.mark.parametrize("text", ["FROM\n", "FROM x\nRUN <<EOF\n", "#!/bin/sh\necho FROM x\n"])
def test_nothing_is_said_of_what_is_where_it_belongs(text: str, imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    assert "imgopt gate --predict" not in imgopt("suggest", str(tmp_path / "Dockerfile")).err
    (tmp_path / "start.sh").write_text("#!/bin/sh\necho FROM x\n")
    assert "Dockerfile" not in imgopt("inspect", str(tmp_path / "start.sh")).err


@pytest.mark.parametrize(
    ("variables", "arguments", "coloured"),
    [
        ({}, (), False),
        ({"FORCE_COLOR": "1"}, (), True),
        ({"FORCE_COLOR": "3", "TERM": "dumb"}, (), True),
        ({"FORCE_COLOR": ""}, (), False),
        ({"FORCE_COLOR": "0"}, (), False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
        ({"FORCE_COLOR": "1"}, ("--no-color",), False),
        ({"FORCE_COLOR": "1"}, ("--format", "json"), False),
        ({"FORCE_COLOR": "1"}, ("--output-file", os.devnull), False),
    ],
)
def test_force_color_colours_what_goes_to_no_terminal(
    variables: dict[str, str],
    arguments: tuple[str, ...],
    coloured: bool,
    imgopt: Imgopt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    run = imgopt("suggest", str(tmp_path), *arguments)
    assert run.code == 0
    assert ("\x1b[" in run.text) is coloured
    if coloured:
        monkeypatch.delenv("FORCE_COLOR")
        plain = imgopt("suggest", str(tmp_path)).text
        shown = re.sub(r"\x1b\[[\d;]*m", "", run.text)
        assert [line.rstrip() for line in shown.splitlines()] == plain.splitlines()


def test_a_patch_is_never_coloured(imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI systems set FORCE_COLOR for all that runs; a diff that goes to a file must still apply."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / "Dockerfile").write_text(
        "FROM openjdk:17-jdk-slim\nRUN apt-get update && apt-get install -y curl\n"
    )
    assert "\x1b" not in imgopt("rewrite", "--diff", "--unsafe", str(tmp_path)).text
