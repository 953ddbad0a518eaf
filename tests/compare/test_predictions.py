"""What a report of `imgopt compare` says of what was predicted, where the original was built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cases import CASES, make_context

from imgopt.build_context.tree import open_context
from imgopt.comparison.behaviour import Behaviour, Figures
from imgopt.comparison.mended import on_predictions
from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Picture, take_picture

UP, DOWN = Figures((4.0,)), Figures()


def picture_of(case: str, root: Path) -> Picture:
    folder = CASES / "broken-layering" / case
    make_context(root, json.loads((folder / "case.json").read_text()))
    text = (folder / "before.Dockerfile").read_text()
    (root / "Dockerfile").write_text(text)
    document = parse(text, str(root / "Dockerfile"))
    return take_picture(document, open_context(root, root / "Dockerfile"), Options(context=root))


@pytest.mark.parametrize(
    "case, before, after, said",
    [
        ("tools-without-launcher", DOWN, UP, "the original does not start, as predicted (line 12: "),
        ("tools-without-launcher", UP, UP, "the original starts, though it was predicted not to (line 12: "),
        ("tools-without-launcher", DOWN, DOWN, None),
        ("tools-without-launcher-right", UP, UP, None),
        (
            "tools-named-after-the-jar",
            UP,
            UP,
            "the original builds, though it was predicted not to (line 8: ",
        ),
    ],
)
def test_what_came_of_it(
    case: str, before: Figures, after: Figures, said: str | None, tmp_path: Path
) -> None:
    found = list(on_predictions(picture_of(case, tmp_path), Behaviour((), True, False, before, after)))
    assert [each.startswith(said or "\0") for each in found] == ([True] if said is not None else [])
