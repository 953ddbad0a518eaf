"""No rule but `broken-layering` calls anything of a file safe, or its bytes saved, that makes no image or none that starts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt, imgopt
from test_cases import CASES, make_context

__all__ = ["imgopt"]

BROKEN = sorted(
    folder
    for folder in (CASES / "broken-layering").iterdir()
    if '"broken-layering"' in (folder / "expected.json").read_text()
)
#: What several rules have a fix for, whatever the application is.
WASTE = "RUN apt-get update && apt-get install -y curl\nRUN chown -R 1000 /usr/share/doc\n"


def wasteful(text: str) -> str:
    """On a JDK of Debian's, with a package cache: the last stage of the case, and what else it wastes."""
    start = [match.start() for match in re.finditer(r"(?mi)^FROM ", text)][-1]
    first, _, rest = text[start:].partition("\n")
    return text[:start] + re.sub(r":(\d+)-jre\S*", r":\1-jdk", first) + "\n" + WASTE + rest


def suggested(imgopt: Imgopt, folder: Path, root: Path, *options: str) -> dict[str, Any]:
    spec = json.loads((folder / "case.json").read_text()) if (folder / "case.json").exists() else {}
    make_context(root, spec)
    (root / "Dockerfile").write_text(wasteful((folder / "before.Dockerfile").read_text()))
    options = (*options, *(["--unsafe"] if spec.get("options", {}).get("unsafe") else []))
    run = imgopt("suggest", root / "Dockerfile", "--format", "json", *options)
    (file,) = run.json["files"]
    return dict(file)


def claims(file: dict[str, Any]) -> list[str]:
    return [
        f"{each['rule']}: {each['fix']['applicability']}, {each['saves']}"
        for each in file["findings"]
        if each["rule"] != "broken-layering"
        and each["fix"] is not None
        and (each["fix"]["applicability"] != "manual" or each["saves"] is not None)
    ]


@pytest.mark.parametrize("folder", BROKEN, ids=lambda folder: str(folder.name))
def test_what_is_not_mended_keeps_all_others_waiting(folder: Path, imgopt: Imgopt, tmp_path: Path) -> None:
    file = suggested(imgopt, folder, tmp_path)
    if not file["rewrite"]["changed"]:  # else it is mended, and the others speak of that
        assert claims(file) == []
    asked = suggested(imgopt, folder, tmp_path, "--select", "package-cache,jdk-runtime,recursive-chown")
    assert claims(asked) == [] and not asked["rewrite"]["changed"]
    assert any("has to be fixed first" in each["why"] for each in asked["rewrite"]["not_applied"])


def test_who_silences_it_says_that_the_file_is_whole(imgopt: Imgopt, tmp_path: Path) -> None:
    file = suggested(
        imgopt, CASES / "broken-layering" / "stages-missing-two-jars", tmp_path, "--ignore", "broken-layering"
    )
    assert claims(file)
