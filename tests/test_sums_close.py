"""Whose bytes they are: each is told of one finding, in the order in which fixes go in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar
from closing import assert_sums_close
from command_line import Imgopt, imgopt
from test_cases import FOLDERS, look, name_of

__all__ = ["imgopt"]

REWRITTEN = [folder for folder in FOLDERS if (folder / "after.Dockerfile").exists()]


@pytest.mark.slow
@pytest.mark.parametrize("folder", REWRITTEN, ids=name_of)
def test_findings_of_all_rules_add_up(folder: Path, tmp_path: Path) -> None:
    """Of the folders of single rules, too; `test_cases` holds it of the rule alone."""
    (tmp_path / ".git").mkdir()
    root = tmp_path / "orders"
    root.mkdir()
    assert_sums_close(look(folder, root, (folder / "before.Dockerfile").read_bytes(), only=None))


def findings(imgopt: Imgopt, root: Path, dockerfile: str, *options: str) -> tuple[dict[str, Any], Any]:
    boot_jar(root / "target" / "app.jar")
    (root / "Dockerfile").write_text(dockerfile)
    file = imgopt("suggest", "--format", "json", *options, root / "Dockerfile").json["files"][0]
    return {each["rule"]: each for each in file["findings"]}, file["prediction"]


TWICE = """\
FROM openjdk:17-jdk-slim
WORKDIR /app
COPY target/app.jar app.jar
RUN touch app.jar
ENTRYPOINT ["java", "-jar", "app.jar"]
"""


def test_both_copies_go_with_the_fix_that_takes_them(imgopt: Imgopt, tmp_path: Path) -> None:
    found, prediction = findings(imgopt, tmp_path, TWICE)
    assert {rule for rule, each in found.items() if each["applied"]} >= {"fat-jar-layer", "jar-stored-twice"}
    assert found["jar-stored-twice"]["solved_by"] == "fat-jar-layer"
    assert found["retired-base"]["solved_by"] == "jdk-runtime"
    for which in ("first_push_bytes", "next_push_bytes"):
        told = sum(each["saves"][which] for each in found.values() if each["applied"])
        assert told == prediction[which]["before"] - prediction[which]["after"]
    assert found["jar-stored-twice"]["saves"]["first_push_bytes"] < 1000


def test_alone_it_keeps_its_own_bytes(imgopt: Imgopt, tmp_path: Path) -> None:
    found, prediction = findings(imgopt, tmp_path, TWICE, "--select", "jar-stored-twice")
    only = found["jar-stored-twice"]
    assert only["solved_by"] is None
    assert only["saves"]["first_push_bytes"] > 1_000_000
    assert (
        only["saves"]["first_push_bytes"]
        == prediction["first_push_bytes"]["before"] - prediction["first_push_bytes"]["after"]
    )


#: Nobody can see what the script does with the JDK or the jar.
UNSAFE = """\
FROM openjdk:17-jdk-slim
COPY target/app.jar /app.jar
COPY missing.sh /start.sh
ENTRYPOINT ["/start.sh"]
"""


def test_what_waits_for_unsafe_is_beside_the_table(imgopt: Imgopt, tmp_path: Path) -> None:
    """It saves that much more than what was applied, as the table with ``--unsafe`` says."""
    found, prediction = findings(imgopt, tmp_path, UNSAFE)
    waiting = {rule for rule, each in found.items() if each["fix"]["applicability"] == "unsafe"}
    assert waiting and not any(found[rule]["applied"] for rule in waiting)
    _, unsafe = findings(imgopt, tmp_path, UNSAFE, "--unsafe")
    more = sum(found[rule]["saves"]["first_push_bytes"] for rule in waiting)
    assert more == prediction["first_push_bytes"]["after"] - unsafe["first_push_bytes"]["after"]


def test_a_fix_of_a_later_round_is_told_as_applied(imgopt: Imgopt, tmp_path: Path) -> None:
    """The jar could only be layered once the sources beside it were gone."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "app-sources.jar").write_bytes(bytes(range(256)) * 6000)
    text = 'FROM eclipse-temurin:17-jre\nCOPY target/*.jar /app/\nCMD ["java", "-jar", "/app/app.jar"]\n'
    found, _ = findings(imgopt, tmp_path, text)
    layer = found["fat-jar-layer"]
    assert (layer["applied"], layer["fix"]["applicability"]) == (True, "safe")
