"""SECURITY.md names tests that are there, for every row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()


def named_in(text: str) -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/.-]+\.py)::(\w+)`", text)


def missing(text: str) -> list[str]:
    """The tests that the text names and that are not there."""
    found = []
    for path, name in named_in(text):
        file = ROOT / path
        functions = (
            {each.name for each in ast.parse(file.read_text()).body if isinstance(each, ast.FunctionDef)}
            if file.is_file()
            else set()
        )
        if name not in functions:
            found.append(f"{path}::{name}")
    return found


def test_the_tests_that_it_names_exist() -> None:
    assert missing(PAGE) == []
    assert missing("`tests/test_wheel.py::test_nothing` `tests/test_none.py::test_x`") != []


def test_every_row_names_one() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| it tries")]
    assert len(rows) > 20
    for row in rows:
        assert named_in(row.split(" | ")[-1]), row


def test_it_speaks_of_everything_that_is_read() -> None:
    for each in ("Dockerfile", "jar", "image", "registry", "CI file", "configuration"):
        assert re.search(rf"(?m)^## .*{each}", PAGE), each
