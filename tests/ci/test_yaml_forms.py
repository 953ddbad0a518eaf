"""Forms in which people write pushes into workflows and GitLab files: what is pushed, of which Dockerfile, what is not followed."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imgopt.cli import main

WORKFLOW, GITLAB = ".github/workflows/image.yml", ".gitlab-ci.yml"
HEAD = "on: push\njobs:\n  image:\n    runs-on: ubuntu-latest\n"


@dataclass(frozen=True)
class Form:
    file: str
    text: str
    pushes: list[str | None]  # Dockerfiles, in their order
    files: dict[str, str] = field(default_factory=dict)
    lacking: str = ""  # of a sentence
    limit: float | None = None
    at_once: int | None = None


def steps(text: str) -> str:
    return HEAD + "    steps:\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), "      ") + "\n"


def workflow(text: str) -> str:
    return "on: push\n" + textwrap.dedent(text).strip("\n") + "\n"


def gitlab(text: str) -> str:
    return textwrap.dedent(text).strip("\n") + "\n"


def build(name: str) -> str:
    return f"docker buildx build --push -t registry.example/{name}:1 {name}"


COMPOSITE = """\
name: image
inputs:
  module: {required: true}
  registry: {default: registry.example}
runs:
  using: composite
  steps:
    - run: docker buildx build --push -t ${{ inputs.registry }}/${{ inputs.module }}:1 ${{ inputs.module }}
      shell: bash
"""
REUSABLE = """\
on:
  workflow_call:
    inputs:
      module: {type: string, required: true}
jobs:
  push:
    runs-on: ubuntu-latest
    timeout-minutes: 7
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: ${{ inputs.module }}
          push: true
          tags: registry.example/${{ inputs.module }}:1
"""
TEMPLATE = gitlab(
    """
    .image:
      script:
        - docker buildx build --push -t registry.example/$MODULE:1 $MODULE
    """
)
BOTH = ["orders/Dockerfile", "billing/Dockerfile"]
FORMS = {
    "build-push-action": Form(
        WORKFLOW,
        steps(
            "- uses: docker/build-push-action@v6\n  with: {context: orders, push: true, tags: registry.example/a}"
        ),
        ["orders/Dockerfile"],
    ),
    "a condition instead of true": Form(
        WORKFLOW,
        steps(
            """
            - uses: docker/build-push-action@v6
              with:
                context: orders
                push: ${{ github.event_name != 'pull_request' }}
                tags: registry.example/a
            """
        ),
        ["orders/Dockerfile"],
    ),
    "push: false": Form(
        WORKFLOW,
        steps("- uses: docker/build-push-action@v6\n  with: {context: orders, push: false, tags: a}"),
        [],
    ),
    "outputs that push": Form(
        WORKFLOW,
        steps(
            """
            - uses: docker/build-push-action@v6
              with:
                context: orders
                outputs: type=image,name=registry.example/a,push-by-digest=true,push=true
            """
        ),
        ["orders/Dockerfile"],
    ),
    "outputs to a tar": Form(
        WORKFLOW,
        steps(
            "- uses: docker/build-push-action@v6\n  with: {context: orders, outputs: 'type=docker,dest=/tmp/a.tar'}"
        ),
        [],
    ),
    "its first version": Form(
        WORKFLOW,
        steps(
            "- uses: docker/build-push-action@v1\n  with: {path: orders, registry: registry.example, repository: a, tags: '1'}"
        ),
        ["orders/Dockerfile"],
    ),
    "names by metadata-action, of two registries": Form(
        WORKFLOW,
        steps(
            """
            - uses: docker/metadata-action@v5
              id: names
              with:
                images: |
                  ghcr.io/${{ github.repository }}
                  name=registry.example/orders
                  name=quay.io/o/orders,enable=false
            - uses: docker/build-push-action@v6
              with: {context: orders, push: true, tags: '${{ steps.names.outputs.tags }}'}
            """
        ),
        ["orders/Dockerfile", "orders/Dockerfile"],
    ),
    "names by metadata-action, of one": Form(
        WORKFLOW,
        steps(
            """
            - uses: docker/metadata-action@v5
              id: names
              with: {images: ghcr.io/o/orders, tags: "type=sha\ntype=ref,event=tag"}
            - uses: docker/build-push-action@v6
              with: {context: orders, push: true, tags: '${{ steps.names.outputs.tags }}'}
            """
        ),
        ["orders/Dockerfile"],
    ),
    "two names that nobody knows": Form(
        WORKFLOW,
        steps(
            """
            - run: docker build -t ${{ steps.a.outputs.name }} orders
            - run: docker build -t ${{ steps.b.outputs.name }} billing
            - run: docker push ${{ steps.a.outputs.name }}
            - run: docker push ${{ steps.b.outputs.name }}
            """
        ),
        BOTH,
    ),
    "retry with minutes": Form(
        WORKFLOW,
        steps(
            """
            - run: docker build -t registry.example/a:1 orders
            - uses: nick-fields/retry@v3
              with:
                timeout_minutes: 5
                max_attempts: 3
                command: docker push registry.example/a:1
            """
        ),
        ["orders/Dockerfile"],
        limit=300,
    ),
    "retry with lines and seconds": Form(
        WORKFLOW,
        steps(
            f"""
            - uses: nick-invision/retry@v2
              with:
                timeout_seconds: 90
                max_attempts: 2
                command: |
                  echo now
                  {build("orders")}
            """
        ),
        ["orders/Dockerfile"],
        limit=90,
    ),
    "another retry": Form(
        WORKFLOW,
        steps(
            f"- uses: cytopia/shell-command-retry-action@v0.1\n  with: {{retries: 10, command: {build('orders')}}}"
        ),
        ["orders/Dockerfile"],
    ),
    "kaniko with inputs of build-push-action": Form(
        WORKFLOW,
        steps(
            "- uses: int128/kaniko-action@v1\n  with: {context: orders, push: true, tags: registry.example/a:1}"
        ),
        ["orders/Dockerfile"],
    ),
    "kaniko with registry and image": Form(
        WORKFLOW,
        steps(
            "- uses: aevea/action-kaniko@v0.14\n  with: {registry: registry.example, image: a, tag: '1', path: billing}"
        ),
        ["billing/Dockerfile"],
    ),
    "kaniko that does not push": Form(
        WORKFLOW,
        steps("- uses: int128/kaniko-action@v1\n  with: {context: orders, tags: registry.example/a:1}"),
        [],
    ),
    "actions of buildah": Form(
        WORKFLOW,
        steps(
            """
            - uses: redhat-actions/buildah-build@v2
              with: {image: a, tags: 1 latest, context: orders, containerfiles: ./orders/Dockerfile}
            - uses: redhat-actions/push-to-registry@v2
              with: {image: a, tags: 1 latest, registry: registry.example}
            """
        ),
        ["orders/Dockerfile"],
    ),
    "a local action": Form(
        WORKFLOW,
        steps("- uses: ./.github/actions/image\n  with: {module: orders}"),
        ["orders/Dockerfile"],
        {".github/actions/image/action.yml": COMPOSITE},
    ),
    "a local action of a matrix": Form(
        WORKFLOW,
        workflow(
            """
            jobs:
              image:
                runs-on: ubuntu-latest
                strategy: {matrix: {module: [orders, billing]}}
                steps:
                  - uses: ./.github/actions/image
                    with: {module: '${{ matrix.module }}'}
            """
        ),
        BOTH,
        {".github/actions/image/action.yaml": COMPOSITE},
        at_once=1,
    ),
    "a local action that uses itself": Form(
        WORKFLOW,
        steps("- uses: ./a"),
        [],
        {"a/action.yml": "runs:\n  using: composite\n  steps:\n    - uses: ./a\n    - uses: ./a\n"},
        lacking="the action ./a",
    ),
    "a local action of JavaScript": Form(
        WORKFLOW,
        steps("- uses: ./a"),
        [],
        {"a/action.yml": "runs: {using: node20, main: i.js}\n"},
        "the action ./a",
    ),
    "a reusable workflow": Form(
        WORKFLOW,
        workflow("jobs:\n  a: {uses: ./.github/workflows/push.yml, with: {module: billing}}"),
        ["billing/Dockerfile"],
        {".github/workflows/push.yml": REUSABLE},
        limit=420,
    ),
    "a reusable workflow for each of a matrix": Form(
        WORKFLOW,
        workflow(
            """
            jobs:
              a:
                strategy: {matrix: {module: [orders, billing]}}
                uses: ./.github/workflows/push.yml
                with: {module: '${{ matrix.module }}'}
            """
        ),
        BOTH,
        {".github/workflows/push.yml": REUSABLE},
        at_once=1,
    ),
    "a workflow of another repository": Form(
        WORKFLOW,
        workflow("jobs:\n  a: {uses: acme/ci/.github/workflows/push.yml@v1}"),
        [],
        lacking="the workflow acme/ci/.github/workflows/push.yml@v1",
    ),
    "an action that nobody knows": Form(
        WORKFLOW,
        steps("- uses: acme/docker-publish@v2\n  with: {name: a}"),
        [],
        lacking="acme/docker-publish@v2",
    ),
    "a matrix with exclude": Form(
        WORKFLOW,
        workflow(
            f"""
            jobs:
              a:
                runs-on: ubuntu-latest
                strategy:
                  matrix:
                    module: [orders, billing]
                    os: [linux, windows]
                    exclude: [{{os: windows}}, {{module: billing, os: linux}}]
                steps:
                  - run: {build("${{ matrix.module }}")}
            """
        ),
        ["orders/Dockerfile"],
    ),
    "a matrix of include alone": Form(
        WORKFLOW,
        workflow(
            """
            jobs:
              a:
                runs-on: ubuntu-latest
                strategy: {matrix: {include: [{name: a, path: orders}, {name: b, path: billing}]}}
                steps:
                  - run: docker buildx build --push -t registry.example/${{ matrix.name }} ${{ matrix.path }}
            """
        ),
        BOTH,
    ),
    "local include and extends": Form(
        GITLAB,
        gitlab(
            """
            include:
              - local: /ci/image.yml
            orders: {extends: .image, variables: {MODULE: orders}}
            billing: {extends: .image, variables: {MODULE: billing}}
            """
        ),
        BOTH,
        {"ci/image.yml": TEMPLATE},
        at_once=1,
    ),
    "include as one string": Form(
        GITLAB,
        gitlab("include: ci/image.yml\norders: {extends: .image, variables: {MODULE: orders}}"),
        ["orders/Dockerfile"],
        {"ci/image.yml": TEMPLATE},
    ),
    "includes in a circle": Form(
        GITLAB,
        gitlab("include: ci/a.yml\norders:\n  script: " + build("orders")),
        ["orders/Dockerfile"],
        {"ci/a.yml": "include: .gitlab-ci.yml\n"},
        lacking="the included",
    ),
    "include of another project": Form(
        GITLAB,
        gitlab("include: [{project: acme/ci, file: image.yml}]\norders: {extends: .image}"),
        [],
        lacking="the included acme/ci",
    ),
    "needs within a stage": Form(
        GITLAB,
        gitlab(
            f"""
            orders: {{stage: image, script: "{build("orders")}"}}
            billing: {{stage: image, needs: [orders], script: "{build("billing")}"}}
            """
        ),
        BOTH,
        at_once=0,
    ),
    "a stage without needs": Form(
        GITLAB,
        gitlab(
            f"""
            orders: {{stage: image, script: "{build("orders")}"}}
            billing: {{stage: image, script: "{build("billing")}"}}
            """
        ),
        BOTH,
        at_once=1,
    ),
    "reference, default and anchors": Form(
        GITLAB,
        gitlab(
            f"""
            default:
              image: docker:27
            .login: {{script: [docker login]}}
            .image: &image
              stage: image
            orders:
              <<: *image
              script:
                - !reference [.login, script]
                - {build("orders")}
            """
        ),
        ["orders/Dockerfile"],
    ),
    "a command over lines, as a shell would have it": Form(
        GITLAB,
        gitlab(
            r"""
            orders:
              script:
                - exec /kaniko/executor \
                    --context orders \
                    --destination registry.example/orders:1
            """
        ),
        ["orders/Dockerfile"],
    ),
    "parallel: matrix": Form(
        GITLAB,
        gitlab(
            """
            images:
              parallel: {matrix: [{MODULE: [orders, billing]}]}
              script: docker buildx build --push -t registry.example/$MODULE:1 $MODULE
            """
        ),
        BOTH,
        at_once=1,
    ),
    "a pipeline that a job triggers": Form(
        GITLAB, gitlab("child:\n  trigger: {include: ci/child.yml}"), [], lacking="the job child triggers"
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    form = FORMS[name]
    monkeypatch.chdir(tmp_path)
    modules = {f"{each}/Dockerfile": "FROM scratch\nCOPY Dockerfile /\n" for each in ("orders", "billing")}
    for path, text in {**modules, **form.files, form.file: form.text}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert main(["suggest", "--format", "json", "--bandwidth", "1MB/s", form.file]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    pushes = file["pipeline"]["pushes"]
    assert [push["dockerfile"] for push in pushes] == form.pushes
    if form.limit is not None:
        assert [push["timeout_s"] for push in pushes] == [form.limit] * len(pushes)
    if form.at_once is not None:
        assert [push["at_once"] for push in pushes] == [form.at_once] * len(pushes)
    said = [each for each in file["warnings"] if "is not followed" in each]
    assert not form.lacking or any(form.lacking in each for each in said)
    assert bool(said) == bool(form.lacking)
    if form.lacking and not form.pushes:
        assert "nothing" not in (file.get("good") or "")
