"""How severe bytes are: one scale for all rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt  # noqa: F401

from imgopt.scales import Severity

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("rules/imgopt_rules/*.py"), *ROOT.glob("optimizer/imgopt/**/*.py")])
#: What is sent to the builder, not to the registry, and what a time limit ends: the scale is about what pushes cost.
OTHER_LINKS = {"unused_context.py", "ci_push_timeout.py"}


@pytest.mark.parametrize(
    ("size", "complete", "severity"),
    [
        (0, True, "low"),
        (999_999, True, "low"),
        (1_000_000, True, "medium"),
        (9_999_999, True, "medium"),
        (10_000_000, True, "high"),
        (0, False, "medium"),
        (999_999, False, "medium"),
        (10_000_000, False, "high"),
        (None, True, "medium"),
        (None, False, "medium"),
    ],
)
def test_the_scale(size: int | None, complete: bool, severity: str) -> None:
    assert Severity.of(size, complete=complete).value == severity


@pytest.mark.parametrize(
    ("rate", "severity"), [(500_000, "high"), (5_000_000, "medium"), (50_000_000, "low")]
)
def test_the_same_bytes_on_a_faster_link(rate: int, severity: str) -> None:
    assert Severity.of(10_000_000, rate=rate).value == severity


def _names_severity(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "Severity"
        for each in ast.walk(node)
    )


def _weighs(node: ast.AST) -> bool:
    return any(
        isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
        for each in ast.walk(node)
        if isinstance(each, ast.Compare)
        for operator in each.ops
    )


def _private_scales(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.IfExp) and _weighs(node.test) and _names_severity(node):
            yield node.lineno
        if isinstance(node, ast.If) and _weighs(node.test):
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            if any(_names_severity(value) for value in returned):
                yield node.lineno


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_rule_has_a_scale_of_its_own(source: Path) -> None:
    if source.name not in {"scales.py", *OTHER_LINKS}:
        assert list(_private_scales(source.read_text())) == []


def test_a_private_scale_is_found() -> None:
    assert list(_private_scales("x = Severity.HIGH if size > 5 else Severity.LOW")) == [1]
    assert list(_private_scales("def f(n):\n    if n > 5:\n        return Severity.LOW\n")) == [2]
    assert list(_private_scales("x = Severity.HIGH if always else Severity.of(size)")) == []


def test_the_same_bytes_are_as_severe_whoever_tells_of_them(
    imgopt: Imgopt,  # noqa: F811
    tmp_path: Path,
) -> None:
    size = 15_000_000
    (tmp_path / "data.bin").write_bytes(bytes(size))
    (tmp_path / "tool.zip").write_bytes(bytes(size))
    (tmp_path / "seed.sql").write_bytes(bytes(size))
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:21-jre\n"
        "COPY data.bin /srv/data.bin\n"
        "COPY tool.zip /opt/tool.zip\n"
        "COPY seed.sql /srv/seed.sql\n"
        "RUN chown 1000:1000 /srv/data.bin\n"
        "RUN unzip /opt/tool.zip -d /opt/tool\n"
        "RUN rm /srv/seed.sql\n"
    )
    run = imgopt("suggest", "--format", "json", "--context", tmp_path, tmp_path / "Dockerfile")
    found = {each["rule"]: each["severity"] for each in run.json["files"][0]["findings"]}
    assert {"deleted-later", "recursive-chown", "archive-kept"} <= found.keys()
    assert {found[rule] for rule in ("deleted-later", "recursive-chown", "archive-kept")} == {"high"}
