"""The script of a RUN, in each form that a RUN can be written in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt  # noqa: F401

from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.picture.picture import Picture, take_picture
from imgopt.picture.scripts import ShellText
from imgopt.shell import shell_script


def picture_of(text: str) -> Picture:
    return take_picture(parse(text.encode()), None, Options(), Jars())


def script(run: str, before: str = "") -> tuple[ShellText, str]:
    text = f"FROM debian\n{before}{run}\n"
    picture = picture_of(text)
    return picture.script_of(picture.document.instructions[-1]), text


SH = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    ("run", "text", "shell"),
    [
        ("RUN echo a && rm /b", "echo a && rm /b", SH),
        ("RUN echo a && \\\n    rm /b", "echo a &&     rm /b", SH),
        ("RUN <<EOF\nrm /b\nEOF", "rm /b\n", SH),
        ("RUN <<'E F'\nrm /b\nE F", "rm /b\n", SH),
        ('RUN <<"EOF"\nrm /b\nEOF', "rm /b\n", SH),
        ("RUN 3<<EOF\nrm /b\nEOF", "rm /b\n", SH),
        ("RUN <<-EOF\n\trm /b\n\t\tcat <<X\n\tX\n\tEOF", "rm /b\ncat <<X\nX\n", SH),
        ("RUN --mount=type=tmpfs,target=/t <<EOF\nrm /b\nEOF", "rm /b\n", SH),
        ("RUN <<EOF\n#!/bin/sh -e\nrm /b\nEOF", "#!/bin/sh -e\nrm /b\n", ("/bin/sh", "-e")),
        ("RUN <<EOF\n#!/usr/bin/env -S bash -x\nrm /b\nEOF", "#!/usr/bin/env -S bash -x\nrm /b\n", ("bash", "-x")),
        ("RUN sh <<EOF\nrm /b\nEOF", "rm /b\n", ("sh",)),
        ("RUN bash -ex <<EOF\nrm /b\nEOF", "rm /b\n", ("bash", "-ex")),
        ("RUN <<EOF bash -eo pipefail\nrm /b\nEOF", "rm /b\n", ("bash", "-eo", "pipefail")),
        ("RUN sh -s -- a b <<EOF\nrm /b\nEOF", "rm /b\n", ("sh", "-s", "--", "a", "b")),
        ("RUN bash <<-'EOF'\n\trm /b\nEOF", "rm /b\n", ("bash",)),
    ],
)  # fmt: skip
def test_what_a_shell_reads(run: str, text: str, shell: tuple[str, ...]) -> None:
    found, source = script(run)
    assert (found.text, found.shell, found.unread) == (text, shell, None)
    assert not found.script.broken
    assert found.place is not None
    start = found.text.index("rm /b")
    span = found.place(start, start + 5)
    assert source[span.start : span.end] == "rm /b"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ('RUN ["sh", "-c", "rm /b"]', "rm /b"),
        ('RUN ["/bin/bash", "-o", "pipefail", "-ec", "rm /b"]', "rm /b"),
        ('RUN ["echo", "done; rm -rf /app/lib"]', "echo 'done; rm -rf /app/lib'"),
        ('RUN ["rm", "it\'s"]', "rm 'it'\\''s'"),
        ("RUN cat <<EOF > /x\nrm /b\nEOF", "cat <<EOF > /x\nrm /b\nEOF"),
        ("RUN cat <<A >/a && cat <<B >/b\none\nA\ntwo\nB", "cat <<A >/a && cat <<B >/b\none\nA\ntwo\nB"),
        ("RUN <<EOF tee /x\nrm /b\nEOF", "<<EOF tee /x\nrm /b\nEOF"),
        ("RUN sh <<EOF\nrm \\$DIR\nEOF", "rm $DIR\n"),
    ],
)
def test_what_is_read_but_does_not_stand_in_the_file(run: str, text: str) -> None:
    found, _ = script(run)
    assert (found.text, found.unread, found.place) == (text, None, None)
    assert not found.script.broken


@pytest.mark.parametrize(
    ("run", "before", "unread"),
    [
        ("RUN python3 <<EOF\nrm /b\nEOF", "", "python3"),
        ("RUN psql -U app <<EOF\nrm /b\nEOF", "", "psql"),
        ("RUN <<EOF\n#!/usr/bin/env python3\nrm /b\nEOF", "", "/usr/bin/env python3"),
        ("RUN <<EOF\n#!/usr/bin/perl\nrm /b\nEOF", "", "/usr/bin/perl"),
        ("RUN bash /script <<EOF\nrm /b\nEOF", "", "bash"),
        ("RUN sh <<EOF | tee /log\nrm /b\nEOF", "", "sh"),
        ("RUN sudo sh <<EOF\nrm /b\nEOF", "", "sudo"),
        ("RUN cat <<EOF > /x\n$(rm /b)\nEOF", "", "a command inside the here-document EOF"),
        ("RUN rm /b", 'SHELL ["pwsh", "-Command"]\n', "pwsh"),
        ("RUN rm /b", 'SHELL ["cmd", "/S", "/C"]\n', "cmd"),
        ("RUN <<EOF\nrm /b\nEOF", 'SHELL ["/usr/bin/python3", "-c"]\n', "python3"),
    ],
)
def test_what_another_program_reads(run: str, before: str, unread: str) -> None:
    found, _ = script(run, before)
    assert found.unread == unread
    assert found.script.broken
    assert found.place is None
    assert "rm /b" in found.text, "words are still looked for in it"


def test_the_shell_in_force() -> None:
    picture = picture_of(
        'FROM debian AS one\nRUN a\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN b\n'
        'FROM one\nRUN c\nSHELL ["pwsh", "-c"]\nRUN d\nRUN ["e", "f"]\nFROM debian\nRUN g\n'
    )
    runs = [each for each in picture.document.instructions if each.keyword == "RUN"]
    bash = ("/bin/bash", "-o", "pipefail", "-c")
    assert [(picture.script_of(run).text, picture.script_of(run).shell) for run in runs] == [
        ("a", SH), ("b", bash), ("c", bash), ("pwsh -c d", ()), ("e f", ()), ("g", SH),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "inner"),
    [
        (["sh", "-c", "x"], "x"),
        (["/bin/bash", "-o", "pipefail", "-c", "x"], "x"),
        (["bash", "-euxo", "pipefail", "-c", "x"], "x"),
        (["bash", "-ce", "x"], "x"),
        (["bash", "-c", "-e", "x", "name"], "x"),
        (["bash", "--login", "-c", "x"], "x"),
        (["bash", "-c", "--", "x"], "x"),
        (["bash", "script", "-c", "x"], None),
        (["bash", "-o", "-c", "x"], None),
        (["bash", "-c"], None),
        (["python3", "-c", "x"], None),
        ([], None),
    ],
)
def test_the_script_among_a_shells_arguments(argv: list[str], inner: str | None) -> None:
    assert shell_script(argv) == inner


# what it means for what is said

COMMON = "FROM eclipse-temurin:21-jre\nCOPY lib/ /app/lib/\n"


@pytest.mark.parametrize(
    ("run", "removes"),
    [
        ("RUN rm -rf /app/lib", True),
        ('RUN ["rm", "-rf", "/app/lib"]', True),
        ("RUN <<EOF\nrm -rf /app/lib\nEOF", True),
        ("RUN bash -e <<EOF\nrm -rf /app/lib\nEOF", True),
        ('SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN rm -rf /app/lib', True),
        ('RUN ["/bin/bash", "-o", "pipefail", "-c", "rm -rf /app/lib"]', True),
        ('RUN ["echo", "done; rm -rf /app/lib"]', False),
        ("RUN cat <<EOF > /clean.sh\nrm -rf /app/lib\nEOF", False),
        ("RUN cat <<'EOF' > /a && cat <<-X > /b\nrm -rf /app/lib\nEOF\n\trm -rf /app/lib\n\tX", False),
        ("RUN python3 <<EOF\nrm -rf /app/lib\nEOF", False),
        ("RUN <<EOF\n#!/usr/bin/perl\nrm -rf /app/lib\nEOF", False),
        ('SHELL ["pwsh", "-Command"]\nRUN echo "a"; rm -rf /app/lib', False),
    ],
)
def test_deleted_later_reports_what_is_removed(
    imgopt: Imgopt,  # noqa: F811
    tmp_path: Path,
    run: str,
    removes: bool,
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/data.bin").write_bytes(bytes(5_000_000))
    (tmp_path / "Dockerfile").write_text(f"{COMMON}{run}\n")
    found = imgopt("suggest", "--format", "json", tmp_path)
    rules = [each["rule"] for each in json.loads(found.text)["files"][0]["findings"]]
    assert ("deleted-later" in rules) is removes
