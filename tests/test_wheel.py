"""The wheel holds the two packages with their data and nothing else, and runs in a clean environment."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
SOURCES = {"imgopt": ROOT / "optimizer" / "imgopt", "imgopt_rules": ROOT / "rules" / "imgopt_rules"}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    # nothing of the environment of the tests may help
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, ROOT)
    (path,) = directory.glob("*.whl")
    return path


def test_it_has_the_names_that_are_free(wheel: Path) -> None:
    assert wheel.name.startswith("imgopt_docker-")
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert archive.read(entry_points).decode().split() == [
            "[console_scripts]",
            "imgopt",
            "=",
            "imgopt.cli:main",
        ]


def test_it_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{path.relative_to(source).as_posix()}"
        for package, source in SOURCES.items()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("make_")
    }
    assert names == expected


def test_programs_that_make_its_data_stay_in_the_repository(wheel: Path) -> None:
    """They install Debian packages as root, or ask Docker Hub or Maven: nobody who installs imgopt runs them."""
    makers = [path.name for source in SOURCES.values() for path in source.rglob("make_*.py")]
    assert sorted(makers) == ["make_apt_figures.py", "make_boot_managed.py", "make_catalogue.py"]
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if Path(name).name in makers] == []


def test_its_metadata_say_the_licence_and_where_to_look(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        text = archive.read(metadata).decode()
        (licence,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert "License-Expression: Apache-2.0\n" in text
    for line in (
        "Project-URL: Documentation, https://",
        "Classifier: Programming Language :: Python :: 3.10\n",
    ):
        assert line in text


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below; without what is there for type checkers only."""
    yield node
    for each in ast.iter_child_nodes(node):
        if not (isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"):
            yield from _run(each)


#: The distribution of a module that is not called as the module is.
DISTRIBUTIONS = {"dockerfile_parse": "dockerfile-parse", "yaml": "pyyaml", "backports": "backports.zstd"}


def test_it_declares_every_package_that_it_imports_and_no_other() -> None:
    imported = set()
    for source in SOURCES.values():
        for path in source.rglob("*.py"):
            for node in _run(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {each.name.partition(".")[0] for each in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - SOURCES.keys() - {"tomllib", "compression"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\s<>=!~;]", each)[0] for each in project["dependencies"]}
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} == declared


def test_it_runs_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    (tmp_path / "Dockerfile").write_text('FROM eclipse-temurin:21-jdk\nCMD ["java", "-jar", "/app.jar"]\n')
    assert run(programs / "imgopt", "--version", cwd=tmp_path).startswith("imgopt ")
    assert "jdk-runtime" in run(programs / "imgopt", "rules", cwd=tmp_path)
    assert "Dockerfile" in run(programs / "imgopt", "suggest", "Dockerfile", cwd=tmp_path)
    assert run(programs / "python", "-m", "imgopt", "--version", cwd=tmp_path).startswith("imgopt ")
