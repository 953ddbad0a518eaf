"""Words that were read somewhere, written into instructions: builders read back the words that were meant."""

from __future__ import annotations

import os
from pathlib import Path

import dockerfile as buildkit
import pytest
from hostile import NAMES, UNSEEN, names, run_in, shells
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgopt.build_context.patterns import glob_match, read_ignore_file, written
from imgopt.dockerfile import expand, parse, writing
from imgopt.text.quoting import Unwritable, quoted

AS_ALWAYS = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ESCAPES = ("\\", "`")
KNOWN = {"HOME": "/root", "X": "x", "IFS": " ", "1": "one"}


def read_back(line: str, escape: str) -> buildkit.Command:
    """The one instruction behind FROM, as BuildKit's parser splits it; another instruction would show."""
    first, found, last = buildkit.parse_string(f"# escape={escape}\nFROM scratch\n{line}\nUSER 1\n")
    assert (first.cmd.upper(), last.cmd.upper()) == ("FROM", "USER")
    return found


def expanded(words: tuple[str, ...], escape: str) -> list[str | None]:
    return [expand(word, KNOWN, escape).value for word in words]


@AS_ALWAYS
@given(
    sources=st.lists(names(unseen=False), min_size=1, max_size=3),
    into=names(unseen=False),
    escape=st.sampled_from(ESCAPES),
)
def test_a_copy_names_what_was_meant(sources: list[str], into: str, escape: str) -> None:
    words = [*map(writing.source, sources), writing.word(f"/{into}/")]
    line = writing.copy("COPY", ("--from=build",), words)
    found = read_back(line, escape)
    assert (found.cmd.upper(), found.flags, found.heredocs) == ("COPY", ("--from=build",), ())
    *patterns, target = expanded(found.value, escape)
    assert target == f"/{into}/"
    for pattern, name in zip(patterns, sources, strict=True):
        assert pattern is not None
        if any(sign in name for sign in "*?["):
            assert glob_match(pattern, name)
            assert not glob_match(pattern, name.replace("*", "b").replace("?", "b").replace("[", "b"))
        else:
            assert pattern == name  # no wildcard: taken as it is
    # and with escapes that kaniko's lexer always knows, whatever the file says
    assert expanded(found.value, "\\") == [*patterns, target]


@AS_ALWAYS
@given(value=names(slash=True, unseen=False), escape=st.sampled_from(ESCAPES))
def test_a_variable_has_the_value_that_was_meant(value: str, escape: str) -> None:
    found = read_back(f"ENV A={writing.word(value)} B=2", escape)
    assert expanded(found.value, escape) == ["A", value, "B", "2"]


@AS_ALWAYS
@given(words=st.lists(names(unseen=False), min_size=1, max_size=4), escape=st.sampled_from(ESCAPES))
def test_a_run_hands_its_words_to_the_shell(words: list[str], escape: str, tmp_path: Path) -> None:
    steps = [
        "true",
        f"for x in 1; do \\\n      printf '%s\\0' {' '.join(map(quoted, words))} || exit 1; done",
    ]
    found = read_back("\n".join(writing.run("RUN", steps, escape)), escape)
    assert found.heredocs == () and not found.json
    for shell in shells():
        result = run_in(shell, found.value[0], tmp_path)
        assert [os.fsdecode(word) for word in result.stdout.split(b"\0")[:-1]] == words
        assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "step", ["cat <<EOF", "a \\\n# b \\\n c", "a\nb", "a \\", "[ -e x ]", "--x"], ids=repr
)
def test_a_run_that_a_builder_reads_otherwise_is_refused(step: str) -> None:
    with pytest.raises(Unwritable):
        writing.run("RUN", [step], "\\")


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_seen_is_refused(name: str) -> None:
    for write in (writing.word, writing.source, writing.comment, writing.image, written):
        with pytest.raises(Unwritable):
            write(name)
    with pytest.raises(Unwritable):
        writing.flag("chown", name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a:b",)])
def test_an_image_or_a_flag_takes_plain_names(name: str) -> None:
    for text in (f"{name} AS x", f"a {name}"):
        with pytest.raises(Unwritable):
            writing.image(text)
        with pytest.raises(Unwritable):
            writing.flag("chown", text)
        with pytest.raises(Unwritable):
            writing.mount(type="bind", source=text)


def test_images_and_flags_as_people_write_them() -> None:
    for name in ("eclipse-temurin:17-jre", "[::1]:5000/a/b:1", "h:5000/a@sha256:" + "0" * 64):
        assert writing.image(name) == name
    assert writing.flag("chown", "1000:0") == "--chown=1000:0"
    assert (
        writing.mount(type="bind", from_="build", source="a", target="/b")
        == "--mount=type=bind,from=build,source=a,target=/b"
    )


def test_plain_words_stay_as_they_are() -> None:
    assert writing.copy("copy", (), ("a/b-1.0.jar", "/opt/")) == "copy a/b-1.0.jar /opt/"
    assert (
        writing.copy("COPY", ("--from=x",), (writing.source("a b"), "/")) == 'COPY --from=x ["\'a b\'", "/"]'
    )


@AS_ALWAYS
@given(path=names(unseen=False))
def test_a_line_of_an_ignore_file_matches_the_path_alone(path: str) -> None:
    rules = read_ignore_file(f"{written(path)}\n".encode(), ".dockerignore")
    assert rules.step(path)[0]
    other = path.replace("*", "b").replace("?", "b").replace("[", "b").replace("\\", "b") + "b"
    assert not rules.step(other)[0]


def test_the_parser_agrees() -> None:
    document = parse("FROM scratch\n" + writing.copy("COPY", (), (writing.source("<<EOF"), "/x")) + "\n")
    assert document.instructions[1].heredocs == ()
