"""What starting the command line may load: sets of module names, never a stopwatch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Each costs ten milliseconds or more, and is needed by few commands or by none.
HEAVY = {
    "asyncio",
    "concurrent.futures",
    "decimal",
    "defusedxml",
    "docker",
    "fractions",
    "http.client",
    "importlib.metadata",
    "pydantic",
    "requests",
    "rich",
    "ssl",
    "tomllib",
    "unittest",
    "xml.etree",
    "yaml",
    "zipfile",
}
RUN = """
import sys
from imgopt.cli import main
code = main(sys.argv[1:])
print(code, *sorted(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str, cwd: Path) -> tuple[int, set[str]]:
    """The exit code of a run whose standard output is no terminal, and the modules that it loaded."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = run.stderr.splitlines()[-1].split()
    return int(code), set(modules)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(
        'FROM eclipse-temurin:21-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    return tmp_path


def test_version_loads_next_to_nothing(tmp_path: Path) -> None:
    code, modules = loaded("--version", cwd=tmp_path)
    assert code == 0
    ours = {name for name in modules if name.startswith("imgopt")}
    assert ours == {"imgopt", "imgopt.cli", "imgopt.cli.output", "imgopt.errors"}
    assert not modules & (HEAVY | {"typer", "json", "re", "inspect", "dataclasses"} - _by_python(tmp_path))


def _by_python(cwd: Path) -> set[str]:
    """What the interpreter and its site loads by itself, which differs between installations."""
    code = "import sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], cwd=cwd, text=True).split())


def test_help_loads_no_engine(tmp_path: Path) -> None:
    _, modules = loaded("--help", cwd=tmp_path)
    assert not modules & (
        HEAVY | {"imgopt.suggest.dockerfile", "imgopt.picture", "imgopt_rules", "dockerfile_parse"}
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["suggest", "."],
        ["suggest", "--format", "json", "."],
        ["suggest", "--format", "markdown", "."],
        ["rewrite", "Dockerfile"],
        ["rewrite", "--diff", "."],
        ["rules"],
        ["explain", "jdk-runtime"],
    ],
    ids=" ".join,
)
def test_a_command_without_a_jar_loads_nothing_heavy(arguments: list[str], project: Path) -> None:
    code, modules = loaded(*arguments, cwd=project)
    assert code == 0
    assert sorted(modules & HEAVY) == []


def test_a_gate_before_any_build_loads_nothing_heavy(project: Path) -> None:
    code, modules = loaded("gate", "--predict", ".", "--max-size", "1MB", cwd=project)
    assert code == 1
    assert sorted(modules & HEAVY) == []
    assert not {
        name
        for name in modules
        if name.startswith(("imgopt.images", "imgopt.sources", "imgopt.registry", "imgopt.engines"))
    }


def test_a_command_loads_no_other(project: Path) -> None:
    _, modules = loaded("suggest", ".", cwd=project)
    assert {name for name in modules if name.startswith("imgopt.cli.")} == {
        "imgopt.cli.app",
        "imgopt.cli.arguments",
        "imgopt.cli.output",
        "imgopt.cli.suggest",
    }
    assert not modules & {"imgopt.report.json", "imgopt.report.markdown", "imgopt.report.jar"}


def test_rules_and_explain_load_no_engine(tmp_path: Path) -> None:
    _, modules = loaded("rules", cwd=tmp_path)
    assert not modules & {"imgopt.suggest.dockerfile", "imgopt.weigh.layers", "imgopt.compressing"}


def test_a_configuration_loads_a_toml_reader_and_its_absence_does_not(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert "tomllib" not in loaded("suggest", ".", cwd=project)[1]
    (project / "imgopt.toml").write_text('runtime = "glibc"\n')
    assert {"tomllib", "tomli"} & loaded("suggest", ".", cwd=project)[1]


def test_the_test_can_fail(tmp_path: Path) -> None:
    code = "import rich.console, sys; print(0, *sorted(sys.modules), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(run.stderr.split()) & HEAVY
