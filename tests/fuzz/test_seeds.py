"""What a fuzzer found once stays mended: every kept input is looked at again, within the fuzzers' own limits."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import fuzzing
import pytest

KEPT = sorted(path for path in fuzzing.SEEDS.glob("*/*"))
NAMES = ("dockerfile", "jar", "rewrites", "gradle", "pom", "ci", "dockerignore", "tar", "registry")


@cache
def target(name: str) -> fuzzing.Target:
    fuzzing.set_paths()
    loaded: fuzzing.Target = importlib.import_module(f"fuzz_{name}").load()
    return loaded


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_kept_input(path: Path) -> None:
    problem = fuzzing.look(target(path.parent.name).check, path.read_bytes())
    assert problem is None, f"{problem.kind} in {problem.where}\n{problem.detail}"


@pytest.mark.parametrize("name", NAMES)
def test_what_the_fuzzers_begin_with(name: str) -> None:
    for data in target(name).seeds():
        problem = fuzzing.look(target(name).check, data)
        assert problem is None, f"{problem.kind} in {problem.where}\n{problem.detail}"


def test_the_kept_inputs_are_small() -> None:
    assert sum(path.stat().st_size for path in KEPT) < 200_000


def test_a_problem_is_told() -> None:
    """The limits work, and name the function that went wrong."""

    def crash(data: bytes) -> None:
        raise KeyError(data)

    def hang(data: bytes) -> None:
        while True:
            pass

    def fill(data: bytes) -> None:
        bytearray((fuzzing.MEGABYTES + 64) << 20)

    found = [fuzzing.look(check, b"x", 0.2 if check is hang else 20) for check in (crash, hang, fill, len)]
    assert [problem and (problem.kind, problem.where) for problem in found] == [
        ("crash", "KeyError-test_seeds.crash"),
        ("slow", "test_seeds.hang"),
        ("memory", "peak"),
        None,
    ]
