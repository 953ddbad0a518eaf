"""Which file is what: by name, by what stands in it, named, in a directory, and for the pre-commit hook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from imgopt.cli import main

ROOT = Path(__file__).parents[2]
PUSH = "sh '/kaniko/executor --context . --destination registry.example/app:1'"
DECLARATIVE = f"// 商城\npipeline {{\n  agent any\n  stages {{ stage('x') {{ steps {{ {PUSH} }} }} }}\n}}\n"
JENKINS = {
    "Jenkinsfile": DECLARATIVE,
    "Jenkinsfile-shop-final": DECLARATIVE,
    "shop-Jenkinsfile": DECLARATIVE,
    "Jenkinsfile_prod": f"node('linux') {{\n  {PUSH}\n}}\n",
    "Jenkinsfile.release": f"node {{ {PUSH} }}\n",
    "ci/release.groovy": f"@Library('shared@main') _\nnode {{ {PUSH} }}\n",
    "ci/pod.groovy": f"podTemplate(yaml: '''kind: Pod''') {{\n  node(POD_LABEL) {{ {PUSH} }}\n}}\n",
    "vars/pushImage.groovy": f"def call(String name) {{\n  {PUSH}\n}}\n",
    "deploy.jenkins": f"#!/usr/bin/env groovy\n/* FROM here\n on */\nlibrary 'x'\nnode {{ {PUSH} }}\n",
    "jenkins-release": DECLARATIVE,
}
OTHERS = {
    "src/Sorter.groovy": "class Sorter {\n  def sort(list) { list.sort() }\n}\n",
    "Jenkinsfile.md": f"# How\n```\n{DECLARATIVE}```\n",
    "test_jenkinsfile.py": "x = 1\n",
    "build.gradle": "plugins { id 'x' }\nnode {\n  version = '16'\n}\ntask sh {}\n",
    "jenkins.env": "A=1\n",
    "jenkins-agent": "FROM jenkins/agent\nRUN <<EOF\npipeline {\n sh 'x'\n}\nEOF\n",
}


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str | None]:
    main(["suggest", "--format", "json", *arguments])
    files = json.loads(capsys.readouterr().out)["files"]
    return {file["path"]: file.get("pipeline", {}).get("system") for file in files}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {**JENKINS, **OTHERS, "Dockerfile": "FROM scratch\nCOPY a /a\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", JENKINS)
def test_a_jenkins_file_that_is_named_is_one(
    name: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, name) == {name: "Jenkins"}


def test_a_directory_gives_those_that_are_and_none_that_are_not(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, ".") == {"Dockerfile": None, **dict.fromkeys(JENKINS, "Jenkins")}


@pytest.mark.parametrize("name", ["whatever", "release.txt", "ops/shop-final"])
def test_any_name_will_do_for_a_file_that_is_named(
    name: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "ops").mkdir()
    (world / name).write_text(DECLARATIVE)
    assert found(capsys, name) == {name: "Jenkins"}


def test_a_dockerfile_with_a_pipeline_in_it_stays_one(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, "jenkins-agent") == {"jenkins-agent": None}


def test_what_is_not_read_is_named(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / ".circleci").mkdir()
    (world / ".circleci" / "config.yml").write_text(
        "version: 2.1\njobs: {a: {steps: [run: docker push x]}}\n"
    )
    assert main(["suggest", ".circleci/config.yml"]) == 2
    said = capsys.readouterr().err
    assert "is a file of CircleCI, which is not read" in said
    assert "Dockerfile?" not in said


def test_a_rewrite_says_that_it_is_for_dockerfiles(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rewrite", "Jenkinsfile-shop-final"]) == 2
    assert "is a CI file, which imgopt does not rewrite" in capsys.readouterr().err


def test_the_hook_asks_for_the_same_files(world: Path) -> None:
    hook = next(
        each
        for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
        if each["id"] == "imgopt-suggest"
    )
    asked = {
        name
        for name in (*JENKINS, *OTHERS)
        if re.search(hook["files"], name) and not re.search(hook["exclude"], name)
    }
    silent = {"src/Sorter.groovy", "jenkins.env", "jenkins-agent"}  # what stands in them tells
    assert asked == {*JENKINS, *silent}


SCRIPTS = {
    "push.sh": "docker build -t r/a:1 .\ndocker push r/a:1\n",
    "ci/image.yml": "push-image:\n  stage: build\n  script:\n    - docker build -t r/a:1 .\n    - docker push r/a:1\n",
    "Makefile": "push:\n\tdocker build -t r/a:1 .\n\tdocker push r/a:1\n",
}
NOTHING = {
    "start.sh": "#!/bin/sh\nexec java -jar app.jar\n",
    "empty.sh": "",
    "deploy/Makefile": "all:\n\tgo build ./...\n",
    "ci/values.yml": "replicas: 2\n",
    "ci/broken.yml": "a: [b\n",
    "src/Sorter.groovy": OTHERS["src/Sorter.groovy"],
    "Jenkinsfile-tests": "pipeline {\n  agent any\n  stages { stage('t') { steps { sh 'mvn test' } } }\n}\n",
}


def the_hook(name: str) -> list[str]:
    """Its command line for a file; [] where it does not ask for it."""
    hooks = {each["id"]: each for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    hook = hooks["imgopt-suggest"]
    wanted = re.search(hook["files"], name) and not re.search(hook["exclude"], name)
    return [*hook["entry"].split()[1:], *hook["args"], name] if wanted else []


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_hook_looks_at_what_pushes(name: str, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / name).parent.mkdir(exist_ok=True)
    (world / name).write_text(SCRIPTS[name])
    assert main(the_hook(name)) == 0
    assert "1 push with docker" in capsys.readouterr().out


@pytest.mark.parametrize("name", NOTHING)
def test_the_hook_is_silent_where_nothing_pushes(
    name: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / name).parent.mkdir(exist_ok=True)
    (world / name).write_text(NOTHING[name])
    assert main(the_hook(name)) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name",
    ["app/src/main.py", "docker-compose.yml", "k8s/app.yaml", "README.md", "Dockerfile.sh", "jenkins.yaml"],
)
def test_the_hook_does_not_ask_for_others(name: str) -> None:
    assert the_hook(name) == []
