"""Findings that bring files of their own are weighed as layers are."""

from __future__ import annotations

from pathlib import Path

import pytest
from boot_jar import noise

from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.suggest.dockerfile import report_file
from imgopt.weigh.layers import Weigher
from imgopt.weigh.weights import Saving
from imgopt_rules import ALL_RULES


def saving(context: Path, text: str, rule: str) -> Saving | None:
    jars = Jars()
    rules = [each for each in ALL_RULES if each.id == rule]
    path = str(context / "Dockerfile")
    report = report_file(path, text.encode(), Options(context=context), rules, jars, Weigher(jars))
    ((_, found),) = report.findings
    return found


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "dist.zip").write_bytes(noise(300_000))
    (tmp_path / "pom.xml").write_text("<project/>")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "words.txt").write_bytes(b"a" * 2_000_000)
    return tmp_path


def test_a_removed_archive_weighs_what_it_is(context: Path) -> None:
    text = "FROM eclipse-temurin:17-jre\nCOPY dist.zip /x.zip\nRUN unzip /x.zip && rm /x.zip\n"
    found = saving(context, text, "deleted-later")
    assert found is not None and found.basis == "measured"
    assert found.first_push_bytes == found.next_push_bytes
    assert 300_000 <= (found.first_push_bytes or 0) < 301_000


def test_what_compresses_weighs_less(context: Path) -> None:
    text = 'FROM eclipse-temurin:17-jre\nCOPY . /app\nCMD ["java", "-cp", "/app", "Main"]\n'
    found = saving(context, text, "whole-context")
    assert found is not None and found.basis == "measured"
    assert 0 < (found.first_push_bytes or 0) < 20_000


def test_what_is_not_there_to_be_read_is_unknown(context: Path) -> None:
    text = (
        "FROM eclipse-temurin:17-jre\nADD https://example.com/x.zip /x.zip\nRUN unzip /x.zip && rm /x.zip\n"
    )
    assert saving(context, text, "deleted-later") == Saving(None, None, "unknown")
