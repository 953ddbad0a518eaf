"""Pushes that are tried again: a limit inside of the retry begins anew, one around it does not, and layers that arrived stay."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt, imgopt
from test_ci_cases import make_context

__all__ = ["imgopt"]

#: 1.2 MB in one layer, and a third of that in each of three.
ONE = 'FROM scratch\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
PUSH = "docker push registry.example/a:1"
KANIKO = "/kaniko/executor --context . --destination registry.example/a:1 --push-retry 2"
STAYS, ANEW, LARGEST = (
    "layers that arrived stay, so that",
    "sends everything again",
    "the largest alone takes",
)


def jenkins(inside: str) -> str:
    return f"node {{\n  sh 'docker build -t registry.example/a:1 .'\n  {inside}\n}}\n"


def workflow(with_: str, *, before: str = "", more: str = "") -> str:
    return (
        "on: push\njobs:\n  a:\n    runs-on: self-hosted\n    steps:\n      - run: docker build -t registry.example/a:1 .\n"
        f"      - uses: nick-fields/retry@v3\n{more}        with:\n{textwrap.indent(with_, ' ' * 10)}\n"
    )


@dataclass(frozen=True)
class Form:
    name: str
    file: str
    text: str
    limit: float | None = None
    said: str | None = None  # of the limit
    told: str | None = None  # of the finding, None: no such finding
    severity: str | None = None
    retries: str | None = None


FORMS = [
    Form("jenkins-limit-inside", "Jenkinsfile", jenkins(f"retry(3) {{ timeout(time: 40, unit: 'SECONDS') {{ sh '{PUSH}' }} }}"), 40, "of each of 3 attempts", LARGEST, "high", "up to 3 attempts"),
    Form("jenkins-limit-around", "Jenkinsfile", jenkins(f"timeout(time: 40, unit: 'SECONDS') {{ retry(3) {{ sh '{PUSH}' }} }}"), 40, "timeout(time: 40, unit: 'SECONDS')", "too early", "high", "up to 3 attempts"),
    Form("jenkins-count", "Jenkinsfile", jenkins(f"retry(count: 2) {{ sh 'timeout 40 {PUSH}' }}"), 40, "of each of 2 attempts", LARGEST, "high", "up to 2 attempts"),
    Form("jenkins-once", "Jenkinsfile", jenkins(f"retry(1) {{ sh 'timeout 40 {PUSH}' }}"), 40, "timeout 40", "too early", "high"),
    Form("kaniko-anew", "Jenkinsfile", f"node {{ retry(3) {{ sh 'timeout 40 {KANIKO}' }} }}", 40, "of each of 3 attempts", ANEW, "high", "each builds other layers"),
    Form("kaniko-reproducible", "Jenkinsfile", f"node {{ retry(3) {{ sh 'timeout 40 {KANIKO} --reproducible' }} }}", 40, "of each of 3 attempts", LARGEST, "high", "sends only the layers that did not arrive"),
    Form("kaniko-push-retry", "Jenkinsfile", f"node {{ sh 'timeout 40 {KANIKO}' }}", 40, "timeout 40", "too early", "high", "--push-retry sends only"),
    Form("declarative-options", "Jenkinsfile", f"pipeline {{ agent any\n options {{ retry(2); timeout(time: 40, unit: 'SECONDS') }}\n stages {{ stage('a') {{ steps {{ sh 'docker build -t registry.example/a:1 .'\n sh '{PUSH}' }} }} }} }}", 40, "timeout(time: 40, unit: 'SECONDS')", "too early", "high", "up to 2 attempts"),
    Form("action-per-attempt", ".github/workflows/a.yml", workflow(f"timeout_seconds: 40\nmax_attempts: 3\ncommand: {PUSH}"), 40, "timeout_seconds: 40, of each of 3 attempts", LARGEST, "high", "up to 3 attempts"),
    Form("action-one-attempt", ".github/workflows/a.yml", workflow(f"timeout_seconds: 40\nmax_attempts: 1\ncommand: {PUSH}"), 40, "timeout_seconds: 40", "too early", "high"),
    Form("action-long-enough", ".github/workflows/a.yml", workflow(f"timeout_minutes: 2\nmax_attempts: 3\ncommand: {PUSH}"), 120, "of each of 3 attempts", None, None, "up to 3 attempts"),
    Form("gitlab-job", ".gitlab-ci.yml", f"a:\n  retry: 2\n  timeout: 40 seconds\n  script:\n    - docker build -t registry.example/a:1 .\n    - {PUSH}\n", 40, "of each of 3 attempts", "is not known", "high", "whether one after the first makes the same layers"),
    Form("gitlab-job-with-causes", ".gitlab-ci.yml", f"a:\n  retry: {{max: 2, when: [runner_system_failure]}}\n  timeout: 40 seconds\n  script:\n    - docker build -t registry.example/a:1 .\n    - {PUSH}\n", 40, "timeout: 40 seconds", "too early", "high"),
    Form("shell-limit-inside", "push.sh", f"docker build -t registry.example/a:1 .\nretry 4 timeout 40 {PUSH}\n", 40, "of each of 4 attempts", LARGEST, "high", "up to 4 attempts"),
    Form("shell-limit-around", "push.sh", f"docker build -t registry.example/a:1 .\ntimeout 40 retry 4 {PUSH}\n", 40, "timeout 40", "too early", "high", "up to 4 attempts"),
    Form("shell-times-beside-a-delay", "push.sh", f"docker build -t registry.example/a:1 .\nretry -d 60 -t 5 timeout 40 {PUSH}\n", 40, "of each of 5 attempts", LARGEST, "high", "up to 5 attempts"),
    Form("shell-times-in-one-word", "push.sh", f"docker build -t registry.example/a:1 .\nretry --delay=60 --times=3 timeout 40 {PUSH}\n", 40, "of each of 3 attempts", LARGEST, "high", "up to 3 attempts"),
    Form("shell-a-delay-alone", "push.sh", f"docker build -t registry.example/a:1 .\nretry --delay 60 timeout 40 {PUSH}\n", 40, "timeout 40", "too early", "high"),
    Form("shell-nested", "push.sh", f"docker build -t registry.example/a:1 .\nf() {{ retry 99 timeout 40 retry 99 {PUSH}; }}\nretry 99 retry 99 bash -c 'retry 99 timeout 40 retry 99 {PUSH}'\n", 40, "of each of 1000 attempts", LARGEST, "high", "up to 1000 attempts"),
    Form("jenkins-nested", "Jenkinsfile", jenkins("retry(99) { " * 20 + f"timeout(time: 40, unit: 'SECONDS') {{ sh '{PUSH}' }}" + " }" * 20), 40, "of each of 1000 attempts", LARGEST, "high", "up to 1000 attempts"),
    Form("jenkins-nested-and-few", "Jenkinsfile", jenkins(f"retry(3) {{ retry(4) {{ timeout(time: 40, unit: 'SECONDS') {{ sh '{PUSH}' }} }} }}"), 40, "of each of 12 attempts", LARGEST, "high", "up to 12 attempts"),
    Form("shell-loop-that-breaks", "push.sh", f"docker build -t registry.example/a:1 .\nfor i in 1 2 3; do {PUSH} && break; sleep 5; done\n"),
    Form("shell-until", "push.sh", f"docker build -t registry.example/a:1 .\nuntil {PUSH}; do sleep 5; done\n"),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form, imgopt: Imgopt, tmp_path: Path) -> None:
    file = looked_at(form, imgopt, tmp_path)
    release = file["pipeline"]["release"]
    assert release["images"] == 1
    assert release["first_push_bytes"]["before"]["bytes"] < 1_300_000  # never more for more attempts
    assert [each["timeout_s"] for each in release["limits"]] == ([] if form.limit is None else [form.limit])
    if form.said is not None:
        assert release["limits"][0]["text"].endswith(form.said), release["limits"]
    found = [each for each in file["findings"] if each["rule"] == "push-timeout"]
    assert [each["severity"] for each in found] == ([form.severity] if form.severity else [])
    assert form.told is None or form.told in found[0]["message"], found
    if form.retries is None:
        assert not release["retries"]
    else:
        assert any(form.retries in each for each in release["retries"]), release["retries"]


def looked_at(form: Form, imgopt: Imgopt, folder: Path) -> Any:
    (folder / ".git").mkdir()
    (folder / "Dockerfile").write_text(ONE)
    make_context(folder, {"jars": {"target/app.jar": {"libraries": {}}}})
    path = folder / form.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(form.text)
    run = imgopt("suggest", path, "--format", "json", "--bandwidth", "0.02MB/s")
    assert run.code in (0, 1), run.err
    return run.json["files"][0]


def test_attempts_together_may_send_layers_of_which_each_fits(imgopt: Imgopt, tmp_path: Path) -> None:
    """Three layers of 20 s each go through two attempts of 40 s; one of 60 s goes through none."""
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(range(256)) * 4_000)
    parts = "".join(f"COPY {name}.jar /{name}.jar\n" for name in "abc")
    make_context(tmp_path, {"jars": {f"{name}.jar": {"libraries": {}} for name in "abc"}})
    (tmp_path / "Dockerfile").write_text(f'FROM scratch\n{parts}ENTRYPOINT ["java", "-jar", "/a.jar"]\n')
    (tmp_path / "push.sh").write_text(f"docker build -t registry.example/a:1 .\nretry 3 timeout 100 {PUSH}\n")
    run = imgopt("suggest", tmp_path / "push.sh", "--format", "json", "--bandwidth", "0.02MB/s")
    found = [each for each in run.json["files"][0]["findings"] if each["rule"] == "push-timeout"]
    assert [each["severity"] for each in found] == ["low"]
    assert "layers that arrived stay, so that 2 attempts or more may send them all" in found[0]["message"]


def test_the_report_says_whose_figures_they_are(imgopt: Imgopt, tmp_path: Path) -> None:
    form = FORMS[0]
    looked_at(form, imgopt, tmp_path)
    text = " ".join(imgopt("suggest", tmp_path / form.file, "--bandwidth", "0.02MB/s").text.split())
    assert (
        "retries up to 3 attempts, of which one after the first sends only the layers that did not arrive; the figures are"
        in text
    )
