"""No bytes are told by two rules, whoever writes the next one; and "mended together" is said of what is mended."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt

from imgopt.build_context.tree import open_context
from imgopt.dockerfile import parse
from imgopt.finding import Finding, Fix, Waste
from imgopt.options import Options
from imgopt.picture import Picture, take_picture
from imgopt.rule import Rule
from imgopt.scales import Applicability, Severity
from imgopt.suggest.analyze import analyze, findings

__all__ = ["imgopt"]

ADVICE = Fix("leave them out", Applicability.MANUAL)


def rule_about(name: str, *paths: str, stored_by: str = "COPY", fix: Fix = ADVICE) -> Rule:
    def check(picture: Picture) -> Iterator[Finding]:
        layer = next(layer for layer in picture.layers if layer.instruction.keyword == stored_by)
        files = tuple(file for file in layer.files if file.path in paths)
        assert len(files) == len(paths)
        line = layer.instruction.line
        waste = Waste(None, None, "unknown", "files", files, stored_by=layer.instruction)
        yield Finding(name, Severity.LOW, line, line, "these files", fix, waste=waste)

    return Rule(name, check)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x" * 1000)
    text = "FROM debian:12\nCOPY a b c /d/\nRUN mv /d/a /d/e && cp /d/b /d/f\n"
    return take_picture(
        parse(text.encode()), open_context(tmp_path, tmp_path / "Dockerfile"), Options(context=tmp_path)
    )


def told(picture: Picture, *rules: Rule) -> dict[str, list[str]]:
    return {
        finding.rule: [file.path for file in finding.waste.files] if finding.waste else []
        for finding in findings(analyze(picture, rules))
    }


def test_the_first_rule_in_order_tells_them(picture: Picture) -> None:
    first, second = rule_about("first", "/d/a", "/d/b"), rule_about("second", "/d/b", "/d/c")
    assert told(picture, first, second) == {"first": ["/d/a", "/d/b"], "second": ["/d/c"]}
    assert told(picture, second, first) == {"second": ["/d/b", "/d/c"], "first": ["/d/a"]}


def test_advice_about_nothing_new_is_not_given(picture: Picture) -> None:
    assert told(picture, rule_about("first", "/d/a", "/d/b"), rule_about("second", "/d/b")) == {
        "first": ["/d/a", "/d/b"]
    }


def test_a_fix_stays_and_weighs_by_itself(picture: Picture) -> None:
    copy = picture.document.instructions[1]
    mends = Fix("copy less", Applicability.SAFE, (picture.removal(copy),))
    assert told(picture, rule_about("first", "/d/a"), rule_about("second", "/d/a", fix=mends)) == {
        "first": ["/d/a"],
        "second": [],
    }


def test_what_a_run_stores_again_are_other_bytes(picture: Picture) -> None:
    assert told(picture, rule_about("first", "/d/b"), rule_about("second", "/d/f", stored_by="RUN")) == {
        "first": ["/d/b"],
        "second": ["/d/f"],
    }


def test_who_stores_them_cannot_be_left_out(picture: Picture) -> None:
    with pytest.raises(ValueError, match="without the instruction that stores them"):
        Waste(None, None, "unknown", "files", picture.layers[0].files)


def jar_changed_by_a_run(directory: Path) -> None:
    with zipfile.ZipFile(directory / "app.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: org.example.App\n")
        jar.writestr("data", bytes(range(256)) * 2000)
    (directory / "Dockerfile").write_text(
        'FROM eclipse-temurin:21-jre\nCOPY app.jar /app.jar\nRUN chmod 640 /app.jar\nCMD ["java", "-jar", "/app.jar"]\n'
    )


def test_mended_together_is_only_said_of_a_mended_one(imgopt: Imgopt, tmp_path: Path) -> None:
    """A jar of another kind: `fat-jar-layer` does nothing for it."""
    jar_changed_by_a_run(tmp_path)
    said = imgopt("suggest", "--format", "json", tmp_path / "Dockerfile").json["files"][0]["findings"]
    (finding,) = (each for each in said if each["rule"] == "jar-stored-twice")
    assert finding["solved_by"] is None
    assert finding["saves"]["first_push_bytes"] > 1000
    assert "fixed together" not in imgopt("suggest", tmp_path / "Dockerfile").text
