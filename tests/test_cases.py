"""Every folder below fixtures/cases: a Dockerfile with its context, what the rules say, what the rewrite makes.

A case is `before.Dockerfile`, `expected.json` (findings and what was declined) and `after.Dockerfile` when
the rewrite changes it. `case.json` may describe jars (built by `boot_jar`), files by their text, files by their size
in bytes (`sizes`) and options. `pytest --update-cases`
writes the expected files anew; read that diff.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, elf, flat_jar, library, noise
from closing import assert_sums_close

from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.pipelines.platforms import at_hand
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport
from imgopt.suggest.sentence import sentence
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES

CASES = Path(__file__).parent.parent / "fixtures" / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/before.Dockerfile"))
RULES = {rule.id: rule for rule in ALL_RULES}


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def library_of(spec: dict[str, Any], number: int) -> bytes:
    machine = {"amd64": 62, "arm64": 183}[spec.get("machine", "amd64")]
    natives = {path: elf(tuple(needed), machine) for path, needed in spec.get("natives", {}).items()}
    return library(natives, spec.get("bytes", 2_000), seed=number + 10)


def make_context(root: Path, spec: dict[str, Any]) -> None:
    for path, text in spec.get("files", {}).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for path, needed in spec.get("natives", {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(elf(tuple(needed)))
    for number, (path, size) in enumerate(spec.get("sizes", {}).items()):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(noise(size, seed=number + 1))
    for path, jar in spec.get("jars", {}).items():
        jar = dict(jar)
        if jar.pop("shaded", False):
            flat_jar(root / path)
            continue
        if jar.pop("html", False):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("<!DOCTYPE html><html><body>404</body></html>")
            continue
        libraries = jar.pop("libraries", None)
        if libraries is not None:
            jar["libraries"] = {"big-1.0.jar": library(size=1_200_000)} | {
                name: library_of(entry, number) for number, (name, entry) in enumerate(libraries.items())
            }
        if jar.pop("launch_script", False):
            jar["prefix"] = b"#!/bin/bash\n" + noise(200) + b"\nexit 0\n"
        boot_jar(root / path, **jar)


def look(
    folder: Path, root: Path, text: bytes, *, only: str | None, description: str = "case.json"
) -> FileReport:
    spec = json.loads((folder / description).read_text()) if (folder / description).exists() else {}
    make_context(root, spec)
    (root / "Dockerfile").write_bytes(text)
    settings: dict[str, Any] = {"context": root, **spec.get("options", {})}
    options = Options(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    )
    options = at_hand(root / "Dockerfile", options)
    rules = [RULES[only]] if only else ALL_RULES
    jars = Jars()
    return report_file(str(root / "Dockerfile"), text, options, rules, jars, Weigher(jars))


def as_json(report: FileReport, *, warnings: bool = False) -> dict[str, Any]:
    findings = [
        {
            "rule": finding.rule,
            "line": finding.line,
            "message": sentence(finding.message),
            "fix": finding.fix.applicability.label if finding.fix else None,
            **({"risk": sentence(finding.fix.risk)} if finding.fix and finding.fix.risk else {}),
        }
        for finding, _ in report.findings
    ]
    declined = [
        {"rule": entry.rule, "line": entry.line, "why": sentence(entry.why)}
        for entry in report.rewrite.not_applied
    ]
    said = {"findings": findings, "not_applied": declined}
    return said | {"warnings": list(report.warnings), "good": report.good} if warnings else said


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_case(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    only = folder.parent.name if folder.parent.name in RULES else None
    before = (folder / "before.Dockerfile").read_bytes()
    (tmp_path / ".git").mkdir()
    root = tmp_path / "orders"  # the module's path in its repository
    root.mkdir()
    report = look(folder, root, before, only=only)
    said = as_json(report, warnings=folder.parent.name == "unknown")
    got = json.loads(json.dumps(said).replace(str(root), "CONTEXT"))
    after = report.rewrite.text.encode("utf-8", "surrogateescape")
    expected, changed = folder / "expected.json", folder / "after.Dockerfile"
    if request.config.getoption("--update-cases"):
        expected.write_text(json.dumps(got, indent=2, ensure_ascii=False) + "\n")
        if report.rewrite.changed:
            changed.write_bytes(after)
        else:
            changed.unlink(missing_ok=True)
    assert expected.exists(), "write it with --update-cases, and read it"
    assert got == json.loads(expected.read_text())
    assert after == (changed.read_bytes() if changed.exists() else before)
    assert_sums_close(report)

    again = look(folder, root, after, only=only)
    assert again.rewrite.text.encode("utf-8", "surrogateescape") == after, (
        "a second run changes the first run's result"
    )
    assert parse(after).render() == after


HAZARDS = sorted(path.parent for path in CASES.glob("hazards/*/without.Dockerfile"))


@pytest.mark.parametrize("folder", HAZARDS, ids=lambda folder: folder.name)
def test_a_hazard_makes_a_difference(folder: Path, tmp_path: Path) -> None:
    """The same file without the hazard (`without.Dockerfile`, its context in `without.json`) is rewritten otherwise:
    what runs on another base, or not at all, is the hazard's doing."""
    other = "without.json" if (folder / "without.json").exists() else "case.json"
    results = []
    for name, description in (("before", "case.json"), ("without", other)):
        root = tmp_path / name
        root.mkdir()
        text = (folder / f"{name}.Dockerfile").read_bytes()
        report = look(folder, root, text, only=None, description=description)
        runs = [
            line for line in report.rewrite.text.splitlines() if line.upper().startswith(("FROM", "RUN APK"))
        ]
        results.append((report.rewrite.applied, runs[-2:]))
    assert results[0] != results[1]


def test_every_rule_has_a_hit_and_a_near_miss() -> None:
    seen: dict[str, set[bool]] = defaultdict(set)
    for folder in FOLDERS:
        expected = json.loads((folder / "expected.json").read_text())
        seen[folder.parent.name].add(
            any(finding["rule"] == folder.parent.name for finding in expected["findings"])
        )
    for rule in RULES:
        assert True in seen[rule], (
            f"{rule} has no hit: a folder of fixtures/cases/{rule} with a finding of it"
        )
        assert False in seen[rule], f"{rule} has no near miss: a folder of fixtures/cases/{rule} without one"


def test_every_folder_is_a_case_of_a_rule() -> None:
    kinds = {*RULES, "all", "hazards", "refusals", "starts", "unknown"}
    assert {path.name for path in CASES.iterdir() if path.is_dir()} <= kinds, (
        "a rule that is not in ALL_RULES?"
    )
    folders = {path for path in CASES.glob("*/*") if path.is_dir()}
    assert folders == set(FOLDERS), "a case without before.Dockerfile"


def test_rules_document_themselves() -> None:
    for rule in ALL_RULES:
        documentation = rule.documentation
        assert rule.summary.endswith("."), rule.id
        for heading in ("## Why it costs", "## What it does", "## Fix safety", "## Example"):
            assert heading in documentation, f"{rule.id} lacks {heading}"
