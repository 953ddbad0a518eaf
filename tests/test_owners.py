"""Whose something in an engine is, and whether that process is gone: never where it cannot be told."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imgopt.engines.owners import Owner, is_gone, owner_of_label, owner_of_reference, this_process


def runs(container: str) -> bool | None:
    return {"a" * 12: True, "b" * 12: False}.get(container)


def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_is_written_is_read() -> None:
    mine = replace(this_process(), container="0123456789ab")
    assert owner_of_label(str(mine)) == mine
    for prefix in ("", "localhost/", "docker.io/library/", "localhost:5000/"):
        assert owner_of_reference(f"{prefix}{mine.repository()}:imgopt-compare-before-1") == mine
    assert mine.repository() != mine.repository()


@pytest.mark.parametrize(
    "name",
    [
        "imgopt:1",
        "imgopt-1234abcd:one",
        "imgopt-run-api:2",
        "imgopt-run-1-2-3-4-x:1",
        "shop/api:7",
        "<none>:<none>",
        "",
    ],
)
def test_names_of_others(name: str) -> None:
    assert owner_of_reference(name) is None
    assert owner_of_label(name) is None


def test_a_process_that_lives_is_not_gone() -> None:
    assert not is_gone(this_process(), runs)
    assert not is_gone(replace(this_process(), pid=os.getppid(), start=_start(os.getppid())), runs)


def _start(pid: int) -> int:
    with Path(f"/proc/{pid}/stat").open() as file:
        return int(file.read().rpartition(")")[2].split()[19])


def test_one_that_has_ended_is_gone() -> None:
    assert is_gone(replace(this_process(), pid=ended()), runs)


def test_one_whose_number_was_given_again_is_gone() -> None:
    assert is_gone(replace(this_process(), start=this_process().start - 1), runs)


@pytest.mark.parametrize("elsewhere", [{"boot": "00000000"}, {"space": 1}])
@pytest.mark.parametrize(
    ("container", "gone"), [(None, False), ("a" * 12, False), ("b" * 12, True), ("c" * 12, False)]
)
def test_one_of_another_machine_or_container(
    elsewhere: dict[str, object], container: str | None, gone: bool
) -> None:
    """Its number says nothing here: only the engine may know that its container has ended."""
    there: Owner = replace(this_process(), pid=ended(), container=container, **elsewhere)  # type: ignore[arg-type]
    assert is_gone(there, runs) is gone
