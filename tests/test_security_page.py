"""SECURITY.md names tests that are there, for every row."""

from __future__ import annotations

import ast
import contextlib
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
    page = PAGE.partition("## Limits")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| it tries")]
    assert len(rows) > 20
    for row in rows:
        assert named_in(row.split(" | ")[-1]), row


def test_it_speaks_of_everything_that_is_read() -> None:
    for each in ("Dockerfile", "jar", "image", "registry", "CI file", "configuration"):
        assert re.search(rf"(?m)^## .*{each}", PAGE), each


def constants(path: str) -> dict[str, int]:
    """Those of a module that are numbers, by name."""
    found = {}
    for each in ast.parse((ROOT / "optimizer" / "imgopt" / path).read_text()).body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            with contextlib.suppress(TypeError, ValueError, NameError):
                found[each.targets[0].id] = int(eval(ast.unparse(each.value), {"__builtins__": {}}))
    return found


def test_the_limits_are_those_of_the_code() -> None:
    """Each number stands where its row says."""
    rows = [
        line.split(" | ")
        for line in PAGE.partition("## Limits")[2].splitlines()
        if "`" in line and "|" in line
    ]
    assert len(rows) > 12
    for row in rows[1:]:
        said = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?!\w)", row[1])]
        names = re.findall(r"`([\w/.]+\.py)`|`(\w+)`", row[2])
        there, path = [], ""
        for file, name in names:
            path = file or path
            if name:
                there.append(constants(path)[name])
        assert said == there, row
