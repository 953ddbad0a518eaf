"""Words that were read somewhere, written into shell text: every shell reads back the word, and runs nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile import NAMES, UNSEEN, names, run_in, shells
from hypothesis import HealthCheck, given, settings

from imgopt.text.quoting import Unwritable, quoted, quoted_path, typed, typed_path

AS_ALWAYS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_back(shell: str, text: str, cwd: Path) -> list[str]:
    result = run_in(shell, f"printf '%s\\0' {text}", cwd)
    assert (result.returncode, result.stderr) == (0, b"")
    assert [*cwd.iterdir()] == []
    return [os.fsdecode(word) for word in result.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("shell", shells())
def test_every_shell_reads_back_the_word(shell: str, tmp_path: Path) -> None:
    assert read_back(shell, " ".join(map(quoted, NAMES)), tmp_path) == list(NAMES)


@AS_ALWAYS
@given(name=names(unseen=False))
def test_any_word_comes_back(name: str, tmp_path: Path) -> None:
    for shell in shells():
        assert read_back(shell, quoted(name), tmp_path) == [name]


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(Unwritable) as refused:
        quoted(name)
    assert str(refused.value).isprintable() and "cannot be written there" in str(refused.value)


def test_plain_words_stay_as_they_are() -> None:
    for word in ("BOOT-INF/lib", "a@b", "x=1", "a_b.jar", "0:0", "/opt/app"):
        assert quoted(word) == typed(word) == word
    assert (quoted(""), quoted("a b"), quoted("it's")) == ("''", "'a b'", "'it'\"'\"'s'")


def test_a_files_name_is_no_option() -> None:
    assert (quoted_path("-x"), quoted_path("@x"), quoted_path("x")) == ("./-x", "./@x", "x")
    assert (typed_path("--config=x"), typed_path("-"), typed_path("a b")) == ("./--config=x", "-", "'a b'")


@AS_ALWAYS
@given(name=names(slash=True))
def test_a_command_to_copy_names_the_same_file(name: str, tmp_path: Path) -> None:
    text = typed(name)
    assert text.isprintable()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return  # no name of a file
    assert read_back("/bin/bash", text, tmp_path) == [name]
    run_in("/bin/dash", f"true {text}", tmp_path)  # knows no $'…': another word, but no command
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", UNSEEN)
def test_a_command_to_copy_says_what_cannot_be_seen(name: str, tmp_path: Path) -> None:
    assert read_back("/bin/bash", typed("a", name), tmp_path) == ["a", name]
