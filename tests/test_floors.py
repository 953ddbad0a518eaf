"""The floors of .importlinter hold, and an import that runs up is found wherever it hides."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter")

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / ".importlinter"
AT_THE_TOP = {each.stem for each in (ROOT / "optimizer/imgopt").glob("*.py")} - {"__init__", "__main__"}
FOLDERS = {each.parent.name for each in (ROOT / "optimizer/imgopt").glob("*/__init__.py")}


def lint(root: Path) -> tuple[int, str]:
    """The exit code of lint-imports over the packages of a directory, and what it said."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", str(CONTRACTS)],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(root / each) for each in ("optimizer", "rules")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def test_the_contracts_are_kept() -> None:
    code, said = lint(ROOT)
    assert code == 0, said


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("shell/__init__", "from imgopt.picture import Picture", "imports run downwards"),
        (
            "picture/picture",
            "def late() -> None:\n    from imgopt.plans.layers import layering",
            "imports run downwards",
        ),
        ("finding", "if TYPE_CHECKING:\n    from imgopt.rule import Rule", "imports run downwards"),
        ("gate/run", "from imgopt import report", "imports run downwards"),
        ("images/model", "from imgopt.registry import client", "reading images has floors, too"),
        ("plans/base/runtime", "from imgopt.images import Image", "reading Dockerfiles needs no image"),
        ("engines/engine", "from imgopt.rule import rule", "reading images needs no rule"),
        ("java/archive", "from imgopt.java import jar", "no circles, in no folder"),
    ],
    ids=lambda value: value.partition("\n")[0] if isinstance(value, str) else None,
)
def test_an_import_that_runs_up_fails(module: str, line: str, contract: str, tmp_path: Path) -> None:
    for source in ("optimizer", "rules"):
        shutil.copytree(
            ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__", "*.tsv")
        )
    path = tmp_path / "optimizer/imgopt" / f"{module}.py"
    path.write_text(f"{path.read_text()}\n\n{line}\n")
    code, said = lint(tmp_path)
    assert code == 1, said
    assert f"{contract} BROKEN" in said


def test_every_module_stands_on_a_floor() -> None:
    parser = configparser.ConfigParser()
    parser.read(CONTRACTS)
    named = " ".join(parser[f"importlinter:contract:{each}"]["layers"] for each in ("floors", "images"))
    tops = {word.removeprefix("imgopt.").partition(".")[0] for word in named.replace("|", " ").split()}
    assert (AT_THE_TOP | FOLDERS) - tops == set()


def test_few_modules_lie_loose_at_the_top() -> None:
    assert len(AT_THE_TOP) <= 14, "put it into the folder of what it belongs to"
