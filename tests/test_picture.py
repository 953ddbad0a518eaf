"""What is found out about a picture is found out once, and belongs to that picture alone."""

from __future__ import annotations

from dataclasses import replace

from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Picture, once, take_picture


def test_an_analysis_is_made_once_and_kept_with_its_picture() -> None:
    asked: list[Picture] = []

    @once
    def lines(picture: Picture) -> int:
        """How many instructions there are."""
        asked.append(picture)
        return len(picture.document.instructions)

    @once
    def nothing(picture: Picture) -> None:
        asked.append(picture)

    picture = take_picture(parse("FROM debian:12\nUSER 1\n"), None, Options())
    assert [lines(picture), lines(picture)] == [2, 2] and len(asked) == 1
    assert nothing(picture) is None and nothing(picture) is None and len(asked) == 2
    assert (lines.__name__, lines.__doc__) == ("lines", "How many instructions there are.")


def test_another_text_is_another_picture() -> None:
    @once
    def image(picture: Picture) -> str | None:
        return picture.final.image

    before = take_picture(parse("FROM debian:12\n"), None, Options())
    assert image(before) == "debian:12"
    after = replace(before, document=parse("FROM debian:13\n"))
    assert (image(after), image(before)) == ("debian:13", "debian:12")
    assert after != before and replace(after, document=before.document) == before
