"""What a YAML file is, whatever it is called: GitLab's and GitHub's are read, others are named, none is taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgopt.cli import main

GITLAB = {
    "job with a script": "image:\n  stage: build\n  script:\n    - docker push x\n",
    "stages first": "stages: [build]\n\nbuild:\n  stage: build\n  script: [make]\n",
    "nothing but includes": "include:\n  - local: ci/build.yml\n",
    "a template that is extended": "orders:\n  extends: .image\n  variables: {MODULE: orders}\n",
    "services and a job": "services:\n  - docker:dind\n\npush:\n  script:\n    - docker push x\n",
    "needs of jobs": "a:\n  needs:\n    - job: b\n  script: [make]\n",
    "anchors": ".image: &image\n  image: docker:27\n\npush:\n  <<: *image\n  script:\n  - docker push x\n",
}
GITHUB = {
    "usual": "name: x\non: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n",
    "on in quotes": "'on': [push]\njobs:\n  a:\n    steps:\n    - run: make\n",
    "reusable": "on:\n  workflow_call:\n    inputs: {x: {type: string}}\njobs: {}\n",
}
OTHERS = {
    "CircleCI": [
        "version: 2.1\norbs: {}\njobs:\n  a:\n    docker:\n      - image: x\n    steps:\n      - run: make\n"
    ],
    "Azure Pipelines": [
        "trigger: [main]\npool:\n  vmImage: ubuntu-latest\nsteps:\n- task: Docker@2\n- script: make\n",
        "stages:\n- stage: Build\n  jobs:\n  - job: a\n    steps:\n    - script: make\n",
        "jobs:\n- job: a\n  pool: default\n  steps:\n  - script: docker push x\n",
    ],
    "Bitbucket Pipelines": [
        "pipelines:\n  default:\n    - step:\n        script:\n          - docker push x\n"
    ],
    "Tekton": ["apiVersion: tekton.dev/v1\nkind: Task\nspec:\n  steps:\n  - name: a\n    script: make\n"],
    "Argo": [
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  templates:\n  - script: {source: x}\n"
    ],
    "Drone": ["kind: pipeline\ntype: docker\nname: default\nsteps:\n- name: a\n  image: plugins/docker\n"],
    "Woodpecker": [
        "steps:\n  - name: push\n    image: woodpeckerci/plugin-kaniko\n    settings: {repo: x}\n"
    ],
    "Travis CI": ["language: java\nservices: docker\nscript:\n  - docker push x\n"],
    "Google Cloud Build": ["steps:\n- name: gcr.io/cloud-builders/docker\n  args: [push, x]\nimages: [x]\n"],
    "AWS CodeBuild": ["version: 0.2\nphases:\n  build:\n    commands:\n      - docker push x\n"],
    "Flow (云效)": [
        "stages:\n  build:\n    jobs:\n      image:\n        runsOn: public/cn-beijing\n        steps:\n          a:\n"
        "            step: ACRDockerBuild\n"
    ],
}
NONE = {
    "a Compose file": "services:\n  app:\n    build: .\n    extends:\n      file: common.yml\n",
    "a GitHub action": "name: x\nruns:\n  using: composite\n  steps:\n    - run: docker push x\n      shell: bash\n",
    "a file of Kubernetes objects": "apiVersion: v1\nkind: ConfigMap\ndata:\n  script: |\n    docker push x\n",
    "YAML of no CI system": "spring:\n  application:\n    name: orders\n",
}
NAMES = ("ci/build.yml", "release.yaml")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ci").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("system", "text"),
    [("GitLab CI", each) for each in GITLAB.values()]
    + [("GitHub Actions", each) for each in GITHUB.values()],
    ids=[*GITLAB, *GITHUB],
)
def test_what_is_read_is_known_by_its_content(
    name: str, system: str, text: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / name).write_text(text)
    assert main(["suggest", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}  {system}")


@pytest.mark.parametrize(
    ("system", "text"), [(name, text) for name, texts in OTHERS.items() for text in texts]
)
def test_what_is_not_read_is_named(
    system: str, text: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        (world / name).write_text(text)
        assert main(["suggest", name]) == 2
        assert f"is a file of {system}, which is not read" in capsys.readouterr().err


@pytest.mark.parametrize(("what", "text"), NONE.items())
def test_what_is_no_ci_file_is_named_too(
    what: str, text: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "some.yml").write_text(text)
    assert main(["suggest", "some.yml"]) == 2
    said = capsys.readouterr().err
    assert f"is {what}" in said
    assert "Dockerfile?" not in said


def test_a_directory_passes_over_what_is_not_read(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "Dockerfile").write_text("FROM scratch\n")
    (world / "azure-pipelines.yml").write_text(OTHERS["Azure Pipelines"][0])
    (world / "ci" / "tekton.yml").write_text(OTHERS["Tekton"][0])
    (world / "ci" / "image.yml").write_text("push:\n  script:\n    - docker push registry.example/x\n")
    assert main(["suggest", "."]) == 0
    said = capsys.readouterr().out
    assert "ci/image.yml  GitLab CI" in said
    assert "tekton" not in said
    assert "azure" not in said
