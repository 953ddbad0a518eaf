"""Exit codes, and what is said when a command cannot go on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from imgopt import __version__
from imgopt.errors import ImgoptError, InputError, MeasureError
from imgopt.scales import Severity

Imgopt = Callable[..., Any]


def test_version(imgopt: Imgopt) -> None:
    for arguments in (["--version"], ["--version", "--debug"], ["--version", "suggest"]):
        run = imgopt(*arguments)
        assert (run.code, run.text, run.err) == (0, f"imgopt {__version__}\n", "")


def test_no_command_shows_the_help_and_is_wrong_usage(imgopt: Imgopt) -> None:
    run = imgopt()
    assert run.code == 2
    for command in ("suggest", "rewrite", "jar", "rules", "explain"):
        assert f"  {command} " in run.text


def test_help(imgopt: Imgopt) -> None:
    for arguments in (["--help"], ["suggest", "--help"], ["rewrite", "-h"], ["jar", "--help"]):
        run = imgopt(*arguments)
        assert run.code == 0
        assert run.text.startswith("Usage: imgopt") and run.err == ""
        assert max(map(len, run.text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sugest"], "there is no command 'sugest'; did you mean suggest?"),
        (["suggest", "--formt", "json"], "no such option: --formt"),
        (["suggest", "--format", "yaml"], "'yaml' is not one of"),
        (["suggest", "--format"], "'--format' requires an argument"),
        (["suggest", "--fail-on", "severe"], "'severe' is not one of"),
        (["suggest", "--bandwidth", "8Mb/s"], "write MB/s for bytes or Mbit/s for bits"),
        (["suggest", "--bandwidth", "aliyun"], "did you mean aliyun-personal?"),
        (["suggest", "--platform", "linux/"], "'linux/' is not a platform"),
        (["suggest", "--spring-boot", "latest"], "'latest' is not a Spring Boot version"),
        (["suggest", "--context", "/nowhere/at/all"], "is not a directory"),
        (["suggest", "--build-arg", "=x"], "has no name"),
        (["suggest", "--select", "jdk-runtim"], "did you mean jdk-runtime?"),
        (["suggest", "--ignore", ","], "names no rule"),
        (["suggest", "--config", "/nowhere/imgopt.toml"], "there is no such file"),
        (["explain", "fat-jar"], "did you mean fat-jar-layer?"),
        (["explain"], "missing argument"),
        (["jar"], "missing argument"),
        (["jar", "/nowhere/app.jar"], "/nowhere/app.jar"),
        (["rewrite", "--in-place", "-"], "standard input cannot be rewritten in place"),
        (["rewrite", "--in-place", "--check", "x"], "do not go together"),
        (["rewrite", "--diff", "--output", "y", "x"], "do not go together"),
        (["rewrite", "--diff", "--format", "json", "x"], "--diff is not JSON"),
    ],
)
def test_wrong_usage_is_one_sentence_and_two(
    imgopt: Imgopt, answer: Any, arguments: list[str], said: str
) -> None:
    run = imgopt(*arguments)
    assert run.code == 2
    assert (run.out == b"") == ("json" not in arguments[1:] or "--formt" in arguments)
    assert re.fullmatch(r"error: [^\n]+\n", run.err)
    assert said in run.err


def test_the_docstrings_of_typer_do_not_leak(imgopt: Imgopt) -> None:
    assert "Traceback" not in imgopt("suggest", "--nope").err
    assert "╭" not in imgopt("suggest", "--nope").err


@pytest.mark.parametrize(
    "arguments", [["--format", "json"], ["--format=json"], ["--nope", "--format", "json"]]
)
def test_errors_are_json_too_where_json_is_asked_for(imgopt: Imgopt, arguments: list[str]) -> None:
    run = imgopt("suggest", *arguments, "--config", "/nowhere/imgopt.toml")
    assert run.code == 2
    document = json.loads(run.text)
    assert document["schema_version"] == 1
    (error,) = document["errors"]
    assert error["message"] and "error: " in run.err


def test_errors_go_to_the_output_file_where_json_goes_there(imgopt: Imgopt, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    run = imgopt("suggest", "--format", "json", "--output-file", str(out), "--config", "/nowhere/imgopt.toml")
    assert (run.code, run.out) == (2, b"")
    assert json.loads(out.read_text())["errors"][0]["path"] == "/nowhere/imgopt.toml"


def test_an_error_tells_path_line_what_and_what_to_do(imgopt: Imgopt, answer: Any) -> None:
    answer.report = samples.report(errors=True)
    run = imgopt("suggest", "x/Dockerfile")
    assert run.err == "error: x/Dockerfile:3: unterminated heredoc <<EOF; close it with a line EOF\n"
    assert run.code == 2


def test_every_input_is_processed_and_the_highest_code_wins(imgopt: Imgopt, answer: Any) -> None:
    report = samples.report(samples.textbook())
    errors: tuple[ImgoptError, ...] = (InputError("bad", path="a"), MeasureError("no network", path="b"))
    answer.report = replace(report, errors=errors)
    run = imgopt("suggest", "--fail-on", "low", "a", "b", "c")
    assert run.code == 3
    assert "services/order/Dockerfile" in run.text
    assert run.err == "error: a: bad\nerror: b: no network\n"
    document = json.loads(imgopt("suggest", "--format", "json", "a", "b", "c").text)
    assert [error["path"] for error in document["errors"]] == ["a", "b"]
    assert len(document["files"]) == 1


@pytest.mark.parametrize(
    ("level", "severity", "code"),
    [
        (None, Severity.HIGH, 0),
        ("high", Severity.HIGH, 1),
        ("high", Severity.MEDIUM, 0),
        ("medium", Severity.MEDIUM, 1),
        ("medium", Severity.LOW, 0),
        ("low", Severity.LOW, 1),
    ],
)
def test_fail_on(imgopt: Imgopt, answer: Any, level: str | None, severity: Severity, code: int) -> None:
    finding, saving = samples.textbook().findings[0]
    file = replace(samples.textbook(), findings=((replace(finding, severity=severity), saving),))
    answer.report = samples.report(file)
    assert imgopt("suggest", *(["--fail-on", level] if level else []), "x").code == code


def test_fail_on_without_findings(imgopt: Imgopt, answer: Any) -> None:
    answer.report = samples.report(samples.good())
    assert imgopt("suggest", "--fail-on", "low", "x").code == 0


def test_a_bug_is_70_and_one_line(imgopt: Imgopt, answer: Any) -> None:
    answer.error = ZeroDivisionError("division\nby zero")
    run = imgopt("suggest", "x")
    assert run.code == 70
    assert run.err.startswith(
        "error: a bug in imgopt: ZeroDivisionError: division by zero; run again with --debug"
    )
    assert run.err.count("\n") == 1
    document = json.loads(imgopt("suggest", "--format", "json", "x").text)
    assert "a bug in imgopt" in document["errors"][0]["message"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_traceback_comes_with_debug_wherever_it_stands(imgopt: Imgopt, answer: Any, place: int) -> None:
    answer.error = ZeroDivisionError("oh")
    arguments = ["suggest", "x"]
    arguments.insert(place, "--debug")
    run = imgopt(*arguments)
    assert run.code == 70
    assert "Traceback (most recent call last)" in run.err
    assert "error: a bug in imgopt" in run.err


def test_errors_of_ours_have_a_traceback_with_debug_only(imgopt: Imgopt, answer: Any) -> None:
    answer.error = InputError("bad", "fix it", path="x")
    assert imgopt("suggest", "x").err == "error: x: bad; fix it\n"
    assert "Traceback" in imgopt("suggest", "--debug", "x").err


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("deep"), OSError(5, "I/O error"), UnicodeError("x")]
)
def test_whatever_is_raised_is_70(imgopt: Imgopt, answer: Any, error: BaseException) -> None:
    answer.error = error
    assert imgopt("suggest", "x").code == 70


def test_interrupted(imgopt: Imgopt, answer: Any) -> None:
    answer.error = KeyboardInterrupt()
    run = imgopt("suggest", "x")
    assert run.code == 130
    assert "Traceback" not in run.err


def test_an_error_cannot_act_on_the_terminal(imgopt: Imgopt, answer: Any) -> None:
    answer.error = InputError("bad\n\x1b[2J", path="a\x1b]0;x\x07")
    run = imgopt("suggest", "x")
    assert "\x1b" not in run.err and run.err.count("\n") == 1


def python(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from imgopt.cli import main; sys.exit(main())"
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, **settings.pop("env", {})}
    return subprocess.run([sys.executable, "-c", code, *arguments], env=environment, **settings)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM eclipse-temurin:21-jdk\n")
    for arguments in (["--version"], ["--help"], ["rules"], ["suggest", "."], ["rewrite", "-q", "."]):
        read, write = os.pipe()
        os.close(read)
        run = python(*arguments, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert (run.returncode, run.stderr) == (0, b""), arguments


def test_a_full_disk_is_an_error_of_the_output() -> None:
    with Path("/dev/full").open("wb") as full:
        run = python("rules", stdout=full, stderr=subprocess.PIPE)
    assert run.returncode == 2
    assert run.stderr.startswith(b"error: standard output cannot be written: No space left")


def test_closed_streams(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM eclipse-temurin:21-jdk\n")
    code = "import sys; sys.stdin = None; from imgopt.cli import main; sys.exit(main(['suggest', '-']))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        cwd=tmp_path,
    )
    assert run.returncode == 2
    assert run.stderr == b"error: standard input is closed; give the path of a Dockerfile\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_any_encoding_of_the_terminal_will_do(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "支付"
    file.mkdir()
    (file / "Dockerfile").write_text("FROM eclipse-temurin:21-jdk\n")
    run = python("suggest", "-v", str(file), capture_output=True, env={"PYTHONIOENCODING": encoding})
    assert (run.returncode, run.stderr) == (0, b"")
    assert b"jdk-runtime" in run.stdout
