"""On a terminal (a real pseudo-terminal): colours, a spinner when it takes long, and neither in a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROGRAM = """
import sys
from imgopt.cli import main
code = main(sys.argv[1:])
with open("modules", "w") as file:
    file.write("\\n".join(sys.modules))
sys.exit(code)
"""
#: Goes on when it is told to on standard input: no clock decides whether the spinner had its time.
SLOW = """
import sys
from imgopt.report.terminal import waiting
with waiting(quiet=False, after_s=float(sys.argv[1])) as work_on:
    print(work_on is not None)
    if work_on:
        work_on("modules/[bold]order/Dockerfile")
        sys.stdin.readline()
        work_on("modules/pay/Dockerfile")
        sys.stdin.readline()
"""
#: Only so that what is never drawn fails the test instead of hanging it.
HANGS_S = 300


def on_a_terminal(
    code: str, *arguments: str, cwd: Path, stream: str, until: Sequence[str] = (), **environment: str
) -> str:
    """What a program writes to the terminal that ``stream`` is; the other stream goes to a pipe. It hears a line on its
    standard input as each of ``until`` was shown, and the end of it after the last."""
    import pty
    import select

    terminal, theirs = pty.openpty()
    settings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm-256color",
        "COLUMNS": "80",
    }
    settings.pop("NO_COLOR", None)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
    program = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**settings, **environment},
        stdin=subprocess.PIPE,
        **streams,
    )
    os.close(theirs)
    assert program.stdin is not None
    shown = b""
    awaited = [each.encode() for each in until]
    while True:
        while awaited and awaited[0] in shown:
            program.stdin.write(b"go on\n")
            program.stdin.flush()
            awaited.pop(0)
        if not awaited or not select.select([terminal], [], [], HANGS_S)[0]:
            awaited = []
            program.stdin.close()
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    program.stdin = None
    program.communicate(timeout=HANGS_S)
    assert program.returncode == 0
    return shown.decode("utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(
        'FROM eclipse-temurin:21-jdk\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    return tmp_path


def modules(project: Path) -> set[str]:
    return set((project / "modules").read_text().split("\n"))


@pytest.mark.parametrize(
    "arguments", [["suggest", "."], ["rewrite", "--diff", "."], ["explain", "jdk-runtime"]]
)
def test_colours(arguments: list[str], project: Path) -> None:
    (project / "Dockerfile").write_text('FROM openjdk:11-jre-slim\nENTRYPOINT ["java", "-jar", "/app.jar"]\n')
    shown = on_a_terminal(PROGRAM, *arguments, cwd=project, stream="stdout")
    assert "\x1b[" in shown
    assert "rich" in modules(project)


@pytest.mark.parametrize("off", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_colours_where_nobody_wants_them(off: dict[str, str], project: Path) -> None:
    arguments = ["suggest", "."] if off else ["suggest", "--no-color", "."]
    shown = on_a_terminal(PROGRAM, *arguments, cwd=project, stream="stdout", **off)
    assert "jdk-runtime" in shown and "\x1b" not in shown
    assert "rich" not in modules(project)


@pytest.mark.parametrize("arguments", [["suggest", "--format", "json", "."], ["rewrite", "Dockerfile"]])
def test_data_has_no_colours_even_on_a_terminal(arguments: list[str], project: Path) -> None:
    shown = on_a_terminal(PROGRAM, *arguments, cwd=project, stream="stdout")
    assert "eclipse-temurin" in shown and "\x1b" not in shown
    assert "rich" not in modules(project)


def test_a_spinner_when_it_takes_long(tmp_path: Path) -> None:
    drawn = ("modules/[bold]order/Dockerfile", "modules/pay/Dockerfile (file 2)")
    shown = on_a_terminal(SLOW, "0.01", cwd=tmp_path, stream="stderr", until=drawn)
    assert all(each in shown for each in drawn)
    assert shown.rstrip().endswith("\x1b[2K")  # the line is cleared at the end


def test_no_spinner_when_it_does_not(tmp_path: Path) -> None:
    assert on_a_terminal(SLOW, "3600", cwd=tmp_path, stream="stderr") == ""


def test_no_spinner_in_a_pipe(tmp_path: Path) -> None:
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", SLOW, "0"],
        cwd=tmp_path,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("False\n", "")
