"""Every warning, note and client caveat that the JSON has stands in every format that people read, of every command."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
import report_samples as samples
from boot_jar import boot_jar, library
from command_line import imgopt as imgopt
from image_samples import docker_archive, layer
from test_ci_formats import conforms
from test_ci_formats import sarif_schema as sarif_schema

from imgopt.comparison.behaviour import Behaviour
from imgopt.comparison.checks import Check
from imgopt.comparison.compare import Comparison
from imgopt.comparison.measure import MeasuredImage, MeasuredLayer
from imgopt.comparison.release_difference import Group, ImageDifference
from imgopt.registry.result import Bandwidth, PushedBlob, PushResult
from imgopt.report import comparison, push
from imgopt.report.comparison_json import comparison_object
from imgopt.suggest.result import FileReport

Imgopt = Callable[..., Any]
SUGGEST = ("text", "markdown", "html", "sarif", "junit", "gitlab", "github")
INSPECT = ("text", "markdown", "html")


def readable(format: str, output: str) -> str:
    """What a person gets to read of it, in one line."""
    if format == "html":
        output = html.unescape(re.sub(r"<[^>]*>", " ", output))
    elif format == "markdown":
        output = html.unescape(re.sub(r"\\(.)", r"\1", output)).replace("**", "")
    elif format == "junit":
        output = " ".join(ElementTree.fromstring(output).itertext())
    elif format == "gitlab":
        output = " ".join(each["description"] for each in json.loads(output))
    elif format == "sarif":
        (run,) = json.loads(output)["runs"]
        told = (*run["invocations"][0]["toolExecutionNotifications"], *run["results"])
        output = " ".join(each["message"]["text"] for each in told)
    elif format == "github":
        output = unquote(output)
    return " ".join(output.split())


def holds(sentences: list[str], format: str, output: str) -> None:
    shown = readable(format, output)
    assert sentences
    for each in sentences:
        assert " ".join(each.split()) in shown, (format, each)


def clients(file: dict[str, Any]) -> list[str]:
    """Names of those that send much more than the next push needs."""
    prediction = file["prediction"]
    needed = prediction["next_push_bytes"]["after"]
    return [
        each["client"]
        for each in prediction["next_push_clients"]
        if each["bytes"]["after"] - needed >= 1_000_000
    ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module whose start command does not do what it looks like, and whose release clients would send whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    boot_jar(
        tmp_path / "app.jar",
        version="3.5.4",
        libraries={"core-1.jar": library(size=3_000_000, seed=1)},
    )
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\n"
        'ENTRYPOINT ["java", "$JAVA_OPTS", "-jar", "/app.jar"]\n'
    )
    return tmp_path


@pytest.mark.parametrize("format", SUGGEST)
def test_suggest(imgopt: Imgopt, project: Path, sarif_schema: Any, format: str) -> None:
    (file,) = imgopt("suggest", "Dockerfile", "--format", "json").json["files"]
    assert "nothing expands $JAVA_OPTS" in file["warnings"][0] and clients(file)
    run = imgopt("suggest", "Dockerfile", "--format", format, "--fail-on", "high")
    holds([*file["warnings"], *clients(file), "still sent: 3.0"], format, run.text.replace("Still", "still"))
    if format == "sarif":
        jsonschema.Draft7Validator(sarif_schema).validate(run.json)
        assert run.json["runs"][0]["invocations"][0]["executionSuccessful"]  # a caveat is no trouble
    if format == "junit":
        conforms(ElementTree.fromstring(run.text))
    if format == "gitlab":
        told = [each for each in run.json if each["check_name"] in ("warning", "still-sent")]
        assert {each["severity"] for each in told} == {"info"}
        again = imgopt("suggest", "Dockerfile", "--format", format).json
        assert [each["fingerprint"] for each in again] == [each["fingerprint"] for each in run.json]
    if format == "github":
        assert "\n::notice file=Dockerfile,title=imgopt%3A still-sent::still sent: " in run.text


@pytest.mark.parametrize("format", SUGGEST)
def test_gate(imgopt: Imgopt, project: Path, sarif_schema: Any, format: str) -> None:
    """Of an image that was built, and of what is predicted, which has fewer budgets."""
    docker_archive(project / "image.tar", [layer({"../out": b"x"})])
    (project / "imgopt.toml").write_text('[budgets]\nmax-size = "900MB"\nmax-waste = "99%"\n')
    for target in (["image.tar"], ["--predict", "Dockerfile"]):
        command = ["gate", *target]
        (found,) = imgopt(*command, "--format", "json").json["targets"]
        caveats = [*found["notes"], *found["skipped"]]
        assert found["skipped"] or target == ["image.tar"]
        run = imgopt(*command, "--format", format)
        holds(caveats, format, run.text)
        if format == "sarif":
            jsonschema.Draft7Validator(sarif_schema).validate(run.json)
        if format == "junit":
            conforms(ElementTree.fromstring(run.text))
    assert "still sent" in " ".join(found["notes"])


@pytest.mark.parametrize("format", INSPECT)
def test_inspect(imgopt: Imgopt, project: Path, format: str) -> None:
    docker_archive(project / "image.tar", [layer({"../out": b"x"})])
    found = imgopt("inspect", "image.tar", "--format", "json").json
    notes = found["image"]["notes"] if "image" in found else found["notes"]
    holds(notes, format, imgopt("inspect", "image.tar", "--format", format).text)


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_jar(imgopt: Imgopt, project: Path, format: str) -> None:
    import zipfile

    with zipfile.ZipFile("odd.jar", "w") as archive:
        archive.writestr("../out.class", b"x")
    found = imgopt("jar", "odd.jar", "--format", "json").json["jar"]
    assert "../out.class" in str(found["unsafe_names"])
    shown = imgopt("jar", "odd.jar", "--format", format).text
    holds([*found["problems"], *found["unsafe_names"]], format, shown)


def text_of(lines: Any) -> str:
    return "\n".join("".join(piece for piece, _ in row) for row in lines)


def test_push_and_bandwidth() -> None:
    """Their notes are a registry's doing; the real ones are in tests/registry."""
    blob = PushedBlob(None, "sha256:1", 5, "sent", 5)
    result = PushResult(
        "a", "b", "linux/amd64", "sha256:2", (), blob, 3, 1.0, 1.0, notes=("an earlier_run was cut",)
    )
    notes = push.push_object(result)["notes"]
    holds(notes, "text", text_of(push.text(result, width=80, quiet=False)))
    holds(notes, "markdown", push.markdown(result))
    left = Bandwidth("r.example/a", 1, 1, 1.0, 0.1, cancelled=False)
    assert push.bandwidth_object(left)["cancelled"] is False
    for format, shown in (
        ("text", text_of(push.bandwidth_text(left))),
        ("markdown", push.bandwidth_markdown(left)),
    ):
        holds(["the registry did not cancel the upload"], format, shown)


def compared(file: FileReport, behaviour: Behaviour, not_run: str | None = None) -> Comparison:
    layer = MeasuredLayer("COPY a b", 1, "sha256:1", None, 5, 5, False, "measured")
    image = MeasuredImage("r", "sha256:3", "linux/amd64", "eclipse-temurin:17-jdk", 1.0, (layer,))
    nothing = Group()
    return Comparison(
        file,
        "docker",
        "Docker 20.10",
        image,
        image,
        ImageDifference(nothing, nothing, nothing, nothing, nothing, nothing),
        behaviour,
        not_run,
        None,
        None,
        (),
        ("a stand-in took the place of a_base",),
    )


OPEN = Check("start", "up", "late", "unknown", "a time ran out", "raise --start-timeout")
DIFFERENT = Check("User", "1", "0", "different")
SAME = Check("User", "1", "1", "same")


@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [
        (Behaviour((SAME,), True, True), "alike"),
        (Behaviour((SAME,), True, False, notes=("neither was seen to work",)), "alike as far as both go"),
        (Behaviour((SAME,)), "alike as far as the configs say"),
        (Behaviour((DIFFERENT, OPEN), True), "not alike"),
        (Behaviour((SAME, OPEN), True, notes=("one of the 3 starts gave no figures",)), "not measured"),
    ],
)
def test_compare(behaviour: Behaviour, verdict: str) -> None:
    file = replace(samples.textbook(), warnings=("the jar needs Java_21",))
    found = compared(file, behaviour, None if behaviour.ran else "--no-run")
    shown = comparison_object(found)
    assert shown["behaviour"]["verdict"] == verdict
    assert shown["behaviour"]["alike"] is {"not alike": False, "not measured": None}.get(verdict, True)
    sentences = [*shown["notes"], *shown["warnings"], *shown["behaviour"]["notes"], *clients(file_of(shown))]
    if not behaviour.ran:
        sentences.append("nothing was started: --no-run")
    for each in behaviour.checks:
        if each.missing is not None:
            sentences += [each.reason or "", each.remedy or ""]
    text = text_of(comparison.text(found, width=100))
    told = "differs" if verdict == "not alike" else verdict
    holds([told, *sentences], "text", text)
    holds(sentences, "markdown", comparison.markdown(found))
    assert told in text_of(comparison.text(found, width=100, quiet=True)).lower()
    said = readable("markdown", comparison.markdown(found))
    assert ("were not measured" in said) is (verdict == "not measured")
    assert ("rewrite behave alike." in said) is (verdict == "alike")


def file_of(shown: dict[str, Any]) -> dict[str, Any]:
    return {"prediction": shown["prediction"]}


def test_the_users_own_client_comes_first(imgopt: Imgopt, project: Path) -> None:
    (project / "Jenkinsfile").write_text(
        "pipeline { agent { kubernetes { yaml '' } }\n stages { stage('x') { steps {\n"
        "  sh '/kaniko/executor --context . --dockerfile Dockerfile --destination r.example/shop/api:1'\n } } } }\n"
    )
    report = imgopt("suggest", ".", "--format", "json").json
    ci = next(each for each in report["files"] if each["path"] == "Jenkinsfile")
    assert "kaniko-timestamps" in [each["rule"] for each in ci["findings"]]
    for format in SUGGEST:
        shown = readable(format, imgopt("suggest", ".", "--format", format).text)
        own = shown.index("kaniko without --reproducible (as Jenkinsfile:3 pushes)")
        assert own < shown.index("docker push, fresh agent"), format
