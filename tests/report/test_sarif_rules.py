"""SARIF says what a rule is about, where its page is, and what a safe fix changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt
from command_line import imgopt as imgopt

from imgopt.report.sarif import PAGES
from imgopt_rules import EVERY_RULE

DOCKERFILE = """\
# ä comment with a 𝄞 before what is replaced
FROM eclipse-temurin:17-jdk
RUN apt-get update && apt-get install -y curl
COPY target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target").mkdir()
    boot_jar(tmp_path / "target" / "app.jar", version="3.5.4")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return tmp_path


def run(imgopt: Imgopt, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(imgopt("suggest", "--format", "sarif", *arguments).text)["runs"][0])


def applied(text: str, fix: dict[str, Any]) -> str:
    """As an editor applies it: from the end, so that the places before stay where they are."""
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    (change,) = fix["artifactChanges"]
    for each in reversed(change["replacements"]):
        region = each["deletedRegion"]
        begin = starts[region["startLine"] - 1] + region["startColumn"] - 1
        end = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:begin] + each["insertedContent"]["text"] + text[end:]
    return text


def test_rules_have_their_page_and_their_documentation(imgopt: Imgopt, project: Path) -> None:
    rules = {rule["id"]: rule for rule in run(imgopt)["tool"]["driver"]["rules"]}
    assert {"jdk-runtime", "package-cache"} <= rules.keys()
    for rule in EVERY_RULE:
        if rule.id in rules:
            shown = rules[rule.id]
            assert shown["helpUri"] == f"{PAGES}/rules/{rule.id}/"
            assert shown["help"]["markdown"] == rule.documentation
            assert shown["fullDescription"]["text"].startswith(rule.summary)
            assert len(shown["fullDescription"]["text"]) > len(rule.summary) + 40
    assert f'Documentation = "{PAGES}/"' in (Path(__file__).parents[2] / "pyproject.toml").read_text()


@pytest.mark.parametrize("crlf", [False, True])
def test_a_safe_fix_takes_its_finding_away(imgopt: Imgopt, project: Path, crlf: bool) -> None:
    text = DOCKERFILE.replace("\n", "\r\n") if crlf else DOCKERFILE
    (project / "Dockerfile").write_bytes(text.encode())
    fixed = []
    for result in run(imgopt)["results"]:
        for fix in result.get("fixes", ()):
            after = applied(text, fix)
            assert after != text and "# ä comment with a 𝄞 before what is replaced" in after
            assert after.count("\r\n") == (after.count("\n") if crlf else 0)
            (project / "Dockerfile").write_bytes(after.encode())
            assert result["ruleId"] not in {each["ruleId"] for each in run(imgopt)["results"]}
            if result["ruleId"] == "package-cache":
                (project / "Dockerfile").write_bytes(text.encode())
                assert after == imgopt("rewrite", "--select", "package-cache", "Dockerfile").text
            fixed.append(result["ruleId"])
    assert {"jdk-runtime", "package-cache"} <= set(fixed)


MENDED = """\
FROM eclipse-temurin:17-jre-alpine AS runtime
COPY --from=builder /app/target/*.jar app.jar
RUN java -Djarmode=layertools -jar app.jar extract
COPY --from=extract dependencies/ ./
COPY --from=extract spring-boot-loader/ ./
COPY --from=extract snapshot-dependencies/ ./
COPY --from=extract application/ ./
"""


def test_a_fix_that_another_one_has_to_precede_is_none_of_the_file(imgopt: Imgopt, project: Path) -> None:
    """Its places are those of the mended text: an editor would replace something else."""
    boot_jar(project / "target" / "app.jar", libraries={"big-1.0.jar": library(size=6_000_000)})
    (project / "Dockerfile").write_text(MENDED)
    results = {each["ruleId"]: each for each in run(imgopt)["results"]}
    assert "unstable-layers" in results and "fixes" not in results["unstable-layers"]
    (fix,) = results["broken-layering"]["fixes"]
    after = applied(MENDED, fix)
    (project / "Dockerfile").write_text(after)
    later = {each["ruleId"]: each for each in run(imgopt)["results"]}
    assert "broken-layering" not in later
    assert applied(after, later["unstable-layers"]["fixes"][0]) == imgopt("rewrite", "Dockerfile").text


def test_what_is_not_safe_or_no_editor_can_do_has_no_fix(imgopt: Imgopt, project: Path) -> None:
    jstack = DOCKERFILE.replace('ENTRYPOINT ["java"', 'HEALTHCHECK CMD jstack 1\nENTRYPOINT ["java"')
    (project / "Dockerfile").write_text(jstack, encoding="utf-8")
    for result in run(imgopt)["results"]:
        assert result["ruleId"] != "jdk-runtime" or "fixes" not in result
    (project / "Dockerfile").write_bytes(b"\xef\xbb\xbf" + DOCKERFILE.encode())
    results = run(imgopt)["results"]
    assert results and not any("fixes" in result for result in results)


def test_a_budget_has_the_page_of_the_gate(imgopt: Imgopt, project: Path) -> None:
    text = imgopt("gate", "--predict", "--max-size", "1MB", "--format", "sarif", ".").text
    (rule,) = json.loads(text)["runs"][0]["tool"]["driver"]["rules"]
    assert rule["id"] == "max-size" and rule["helpUri"] == f"{PAGES}/gate/"
