"""The diff: what `git apply` and patch(1) make of it is the rewrite, byte for byte."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgopt.report.diff import coloured, unified

# patch(1) is not on every machine; git is, or there would be no checkout
PROGRAMS = [["git", "apply", "--unsafe-paths", "-p1"]]
if shutil.which("patch"):
    PROGRAMS.append(["patch", "-p1", "--binary", "--no-backup-if-mismatch"])


def applied(program: list[str], directory: Path, name: str, before: str, after: str) -> bytes:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(before.encode("utf-8", "surrogateescape"))
    difference = unified(before, after, name).encode("utf-8", "surrogateescape")
    if difference:
        run = subprocess.run(program, cwd=directory, input=difference, capture_output=True)
        assert run.returncode == 0, (run.stdout, run.stderr, difference)
    return file.read_bytes()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM a\n", "FROM b\n"),
        ("FROM a", "FROM b"),
        ("FROM a", "FROM a\n"),
        ("FROM a\n", "FROM a"),
        ("FROM a\r\nRUN x\r\n", "FROM b\r\nRUN x\r\n"),
        ("FROM a\r\nRUN x", "FROM a\r\nRUN y\r\nRUN z"),
        ("FROM a\nRUN x\r\n", "FROM b\nRUN x\r\n"),
        ("-- x\n++ y\n", "-- x\n+++ z\n--- q\n"),
        ("\ufeffFROM a\n", "\ufeffFROM b\n"),
        ("FROM a\nLABEL x=caf\udce9\n", "FROM b\nLABEL x=caf\udce9\n"),
        ("FROM a\x0cb\u2028c\nRUN y\n", "FROM a\x0cb\u2028d\nRUN y\n"),
    ],
)
def test_it_applies(program: list[str], before: str, after: str, tmp_path: Path) -> None:
    assert applied(program, tmp_path, "Dockerfile", before, after) == after.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0])
@pytest.mark.parametrize(
    "name", ["a b/Dockerfile", 'say "hi"/Dockerfile', "支付/Dockerfile", "tab\there", "back\\slash"]
)
def test_odd_names(program: list[str], name: str, tmp_path: Path) -> None:
    assert applied(program, tmp_path, name, "FROM a\n", "FROM b\n") == b"FROM b\n"


LINES = st.lists(
    st.sampled_from(["FROM a", "RUN x \\", "  y", "", "# note", "-x", "+y", "@@ z", "\\ No newline"]),
    max_size=12,
)
ENDS = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=60, deadline=None)
@given(LINES, LINES, ENDS, st.booleans(), st.booleans())
def test_any_change_applies(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    after: list[str],
    end: str,
    open_before: bool,
    open_after: bool,
) -> None:
    texts = [
        end.join(lines) + ("" if is_open or not lines else end)
        for lines, is_open in ((before, open_before), (after, open_after))
    ]
    # an empty file cannot be told from none in a diff without a mode line
    texts = [text or "x" for text in texts]
    for program in PROGRAMS:
        assert applied(program, tmp_path_factory.mktemp("diff"), "Dockerfile", *texts) == texts[1].encode()


def test_no_change_is_no_diff() -> None:
    assert unified("FROM a\n", "FROM a\n", "Dockerfile") == ""


def test_names() -> None:
    assert unified("a\n", "b\n", "/etc/x/Dockerfile").startswith(
        "--- a/etc/x/Dockerfile\n+++ b/etc/x/Dockerfile\n"
    )
    assert unified("a\n", "b\n", "-").startswith("--- a/Dockerfile\n+++ b/Dockerfile\n")


def test_colours_for_a_terminal() -> None:
    lines = list(coloured(unified("FROM a\nRUN \x1b[2J\n", "FROM b\nRUN \x1b[2J\n", "Dockerfile")))
    assert (("-FROM a", "remove"),) in lines and (("+FROM b", "add"),) in lines
    assert not any("\x1b" in text for line in lines for text, _ in line)


def test_a_large_file_takes_no_time() -> None:
    before = "".join(f"RUN step {number}\n" for number in range(50_000))
    after = before.replace("step 25000\n", "step 25000 again\n")
    assert unified(before, after, "Dockerfile").count("\n") == 11
