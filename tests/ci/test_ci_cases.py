"""Every folder of fixtures/ci/RULE/CASE: a CI file with its Dockerfile, and what `imgopt suggest` says of it.

`case.json` names the CI file (`file`), describes the context as in fixtures/cases, and may set options (bandwidths are
bytes a second; without them 20,000). `expected.json` holds the findings of the folder's rule, or of all rules in
`all/`. `pytest --update-cases` writes it anew; read that diff.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from test_cases import make_context

from imgopt.examine import report_on
from imgopt.options import Options
from imgopt.suggest.result import FileReport
from imgopt.suggest.sentence import sentence
from imgopt_rules import ALL_RULES, PIPELINE_RULES

ROOT = Path(__file__).parents[2]
CASES = ROOT / "fixtures" / "ci"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/case.json"))
RULES = {rule.id: rule for rule in PIPELINE_RULES}


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def look(folder: Path, root: Path) -> FileReport:
    spec = json.loads((folder / "case.json").read_text())
    shutil.copytree(folder, root, dirs_exist_ok=True)
    make_context(root, spec)
    options = {"bandwidths": (20_000,), **spec.get("options", {})}
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    only = folder.parent.name
    report = report_on(
        [str(root / spec["file"])],
        Options(**settings),
        rules=ALL_RULES,
        pipeline_rules=[RULES[only]] if only in RULES else PIPELINE_RULES,
    )
    assert not report.errors
    return report.files[0]


def as_json(report: FileReport) -> list[dict[str, Any]]:
    return [
        {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "line": finding.line,
            "message": sentence(finding.message),
            "fix": sentence(finding.fix.description) if finding.fix else None,
            **({"saves_each_release": saving.next_push_bytes} if saving else {}),
        }
        for finding, saving in report.findings
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_case(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    got = json.loads(json.dumps(as_json(look(folder, tmp_path))).replace(str(tmp_path), "REPOSITORY"))
    expected = folder / "expected.json"
    if request.config.getoption("--update-cases"):
        expected.write_text(json.dumps(got, indent=2, ensure_ascii=False) + "\n")
    assert got == json.loads(expected.read_text())


def test_every_rule_has_a_hit_and_a_near_miss() -> None:
    seen: dict[str, set[bool]] = defaultdict(set)
    for folder in FOLDERS:
        found = json.loads((folder / "expected.json").read_text())
        seen[folder.parent.name].add(any(each["rule"] == folder.parent.name for each in found))
    assert {rule: seen[rule] for rule in RULES} == {rule: {True, False} for rule in RULES}


def test_every_system_is_covered() -> None:
    files = [json.loads((folder / "case.json").read_text())["file"] for folder in FOLDERS]
    for name in ("Jenkinsfile", ".gitlab-ci.yml", ".github/workflows/image.yml"):
        assert name in files


def test_rules_document_themselves() -> None:
    for rule in PIPELINE_RULES:
        assert rule.summary.endswith("."), rule.id
        for heading in ("## Why it costs", "## Fix safety", "## Example"):
            assert heading in rule.documentation, f"{rule.id} lacks {heading}"
