"""Where a COPY puts things, and the working directory at a line, where a part of it may not be known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt  # noqa: F401

from imgopt.build_context.tree import Context
from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.picture.picture import Picture, take_picture


def picture_of(text: str, context: Context | None = None) -> Picture:
    return take_picture(parse(text.encode()), context, Options(), Jars())


@pytest.mark.parametrize(
    ("lines", "workdir", "target"),
    [
        ("COPY a.jar .", "/", "/"),
        ("WORKDIR /srv\nCOPY a.jar app/", "/srv", "/srv/app"),
        ("WORKDIR /srv\nWORKDIR app\nCOPY a.jar ./b.jar", "/srv/app", "/srv/app/b.jar"),
        ("ARG D=x\nWORKDIR /$D\nCOPY a.jar $D.jar", "/x", "/x/x.jar"),
        ('ARG D=x\nCOPY ["a.jar", "/$D/"]', "/", "/x"),
        ("ARG D\nWORKDIR /srv/$D\nCOPY a.jar .", None, None),
        ("ARG D\nWORKDIR /srv/$D\nWORKDIR app\nCOPY a.jar app.jar", None, None),
        ("ARG D\nWORKDIR /srv/$D\nCOPY a.jar /app/", None, "/app"),
        ("ARG D\nWORKDIR /srv/$D\nWORKDIR /app\nCOPY a.jar .", "/app", "/app"),
        ("ARG D\nWORKDIR /srv\nCOPY a.jar $D/", "/srv", None),
    ],
)
def test_where_a_copy_leads(lines: str, workdir: str | None, target: str | None) -> None:
    for text in (f"FROM debian\n{lines}\n", f"FROM debian AS one\n{lines}\nFROM debian\n"):
        picture = picture_of(text)
        copy = next(each for each in picture.document.instructions if each.keyword == "COPY")
        assert (picture.workdir_at(copy), picture.target_of(copy)) == (workdir, target)


def test_a_stage_goes_on_where_the_one_below_it_ends() -> None:
    picture = picture_of(
        "FROM debian AS one\nWORKDIR /one\nFROM debian AS two\nRUN a\nFROM One\nRUN b\nWORKDIR c\nRUN d\n"
    )
    runs = [each for each in picture.document.instructions if each.keyword == "RUN"]
    assert [picture.workdir_at(run) for run in runs] == ["/", "/one", "/one/c"]


def contents_of(tmp_path: Path, lines: str) -> tuple[set[str], list[bool]]:
    (tmp_path / "data.bin").write_bytes(bytes(2_000_000))
    picture = picture_of(f"FROM debian\nARG D\n{lines}\n", Context(tmp_path))
    return set(picture.final.content.files), [layer.complete for layer in picture.layers]


@pytest.mark.parametrize(
    ("lines", "files", "complete"),
    [
        ("WORKDIR /srv/$D\nCOPY data.bin .", {"/srv/$D/data.bin"}, [True, True]),
        ("WORKDIR /srv/$D\nCOPY data.bin .\nRUN rm /srv/data.bin", {"/srv/$D/data.bin"}, [True, True, True]),
        ("WORKDIR $D\nCOPY data.bin .\nRUN rm /data.bin", {"/$D/data.bin"}, [True, True, True]),
        ("WORKDIR $D\nCOPY data.bin .\nRUN rm data.bin", set(), [True, True, True]),
        ("WORKDIR /srv/$D\nCOPY data.bin /x/", {"/x/data.bin"}, [True, True]),
        ("COPY data.bin /x/\nWORKDIR /$D\nRUN rm x/data.bin", {"/x/data.bin"}, [True, True, True]),
        ("COPY data.bin /x/\nWORKDIR /$D\nRUN rm /x/data.bin", set(), [True, True, True]),
        ("COPY data.bin /x/\nWORKDIR /$D\nRUN cd / && rm x/data.bin", set(), [True, True, True]),
        ("COPY data.bin /x/\nRUN cd $D && rm x/data.bin", {"/x/data.bin"}, [True, False]),
        ("COPY data.bin /x/\nRUN cd && rm x/data.bin", {"/x/data.bin"}, [True, False]),
        ("COPY data.bin /x/\nRUN cd $D && echo a > b", {"/x/data.bin"}, [True, False]),
        ("COPY data.bin /x/\nRUN cd $D && echo a > /b", {"/x/data.bin", "/b"}, [True, True]),
    ],
)
def test_what_a_stage_holds(tmp_path: Path, lines: str, files: set[str], complete: list[bool]) -> None:
    assert contents_of(tmp_path, lines) == (files, complete)


def test_a_file_at_an_unknown_place_is_not_said_to_be_removed(
    imgopt: Imgopt,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(5_000_000))
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:21-jre\nARG HOME_OF\nWORKDIR $HOME_OF\nCOPY data.bin .\nRUN rm /data.bin\n"
    )
    found = imgopt("suggest", "--format", "json", tmp_path)
    assert [each["rule"] for each in json.loads(found.text)["files"][0]["findings"]] == []
