"""Several images from one command or action: bake files, Compose files with profiles, and the outputs of build-push-action, from the
workflow to the bytes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt
from test_ci_cases import make_context

__all__ = ["imgopt"]

HCL = """group "default" { targets = ["api", "web"] }
variable "REGISTRY" { default = "registry.example" }
target "common" { platforms = ["linux/amd64"] }
target "api" {
  inherits = ["common"]
  context = "api"
  tags = ["${REGISTRY}/api:1", "${REGISTRY}/api:latest"]
}
target "web" {
  context = "."
  dockerfile = "web/Dockerfile"
  tags = ["${REGISTRY}/web:1"]
}
target "worker" { context = "worker" tags = ["${REGISTRY}/worker:1"] }
"""
JSON = '{"target": {"default": {"context": "api", "tags": ["registry.example/api:1"], "output": ["type=registry"]}}}'
COMPOSE = """services:
  api: {build: api, image: 'registry.example/api:1'}
  web: {build: web, image: 'registry.example/web:1', profiles: [front]}
  worker: {build: worker, image: 'registry.example/worker:1', profiles: [back, all]}
  db: {image: 'postgres:16', profiles: [all]}
"""
API, WEB, WORKER = (f"{name}/Dockerfile -> registry.example/{name}:1" for name in ("api", "web", "worker"))


@dataclass(frozen=True)
class Form:
    name: str
    step: str
    pushes: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)


def bake(with_: str, file: str = HCL, name: str = "docker-bake.hcl") -> tuple[str, dict[str, str]]:
    return f"- uses: docker/bake-action@v5\n  with:\n{textwrap.indent(with_, '    ')}", {name: file}


def run(command: str, *, env: str = "") -> tuple[str, dict[str, str]]:
    return f"- run: {command}\n{env}", {"compose.yaml": COMPOSE}


FORMS = [
    Form("bake-default-group", bake("push: true")[0], (API, WEB), bake("")[1]),
    Form("bake-one-target", bake("push: true\ntargets: worker")[0], (WORKER,), bake("")[1]),
    Form("bake-that-stays", bake("push: false")[0], (), bake("")[1]),
    Form("bake-that-loads", bake("load: true")[0], (), bake("")[1]),
    Form("bake-by-a-setting", bake("set: |\n  *.output=type=registry\n  api.tags=registry.example/api:1")[0], (API, WEB), bake("")[1]),
    Form("bake-of-another-file", bake("push: true\nfiles: ci/images.hcl")[0], (API, WEB), {"ci/images.hcl": HCL}),
    Form("bake-json-with-its-output", bake("files: docker-bake.json")[0], (API,), {"docker-bake.json": JSON}),
    Form("bake-json-output-object", bake("files: docker-bake.json")[0], (API,), {"docker-bake.json": JSON.replace('"type=registry"', '{"type": "registry"}')}),
    Form("bake-hcl-output-object", bake("targets: worker")[0], (WORKER,), {"docker-bake.hcl": HCL.replace('context = "worker"', 'context = "worker" output = [{ type = "registry" }]')}),
    Form("bake-hcl-output-cache-only", bake("targets: worker")[0], (), {"docker-bake.hcl": HCL.replace('context = "worker"', 'context = "worker" output = [{ type = "cacheonly" }]')}),
    Form("bake-a-compose-file", bake("push: true\nfiles: compose.yaml\ntargets: api,web")[0], (API, WEB), {"compose.yaml": COMPOSE}),
    Form("outputs-registry", "- uses: docker/build-push-action@v6\n  with: {context: api, tags: 'registry.example/api:1', outputs: 'type=registry'}", (API,)),
    Form("outputs-image-pushed", "- uses: docker/build-push-action@v6\n  with: {context: api, outputs: 'type=image,name=registry.example/api:1,push=true'}", (API,)),
    Form("outputs-image-kept", "- uses: docker/build-push-action@v6\n  with: {context: api, tags: 'registry.example/api:1', outputs: 'type=image'}", ()),
    Form("outputs-tar", "- uses: docker/build-push-action@v6\n  with: {context: api, tags: 'registry.example/api:1', outputs: 'type=docker,dest=/tmp/api.tar'}", ()),
    Form("outputs-several", "- uses: docker/build-push-action@v6\n  with:\n    context: api\n    tags: registry.example/api:1\n    outputs: |\n      type=registry\n      type=local,dest=out", (API,)),
    Form("compose-build-push", run("docker compose build --push")[0], (API,), run("")[1]),
    Form("compose-build", run("docker compose build")[0], (), run("")[1]),
    Form("compose-push", run("docker compose build && docker compose push")[0], (API,), run("")[1]),
    Form("compose-profile", run("docker compose --profile front build --push")[0], (API, WEB), run("")[1]),
    Form("compose-two-profiles", run("docker compose --profile front --profile back build --push")[0], (API, WEB, WORKER), run("")[1]),
    Form("compose-all-profiles", run("docker compose --profile '*' build --push")[0], (API, WEB, WORKER), run("")[1]),
    Form("compose-profile-of-the-environment", run("docker compose build --push", env="  env: {COMPOSE_PROFILES: 'front,all'}")[0], (API, WEB, WORKER), run("")[1]),
    Form("compose-another-profile", run("docker compose --profile db build --push")[0], (API,), run("")[1]),
    Form("compose-a-service-by-name", run("docker compose build --push worker")[0], (WORKER,), run("")[1]),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form, imgopt: Imgopt, tmp_path: Path) -> None:
    dockerfile = 'FROM scratch\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    names = ("api", "web", "worker")
    whole = dockerfile.replace("COPY app.jar", "COPY web/app.jar")
    by_root = any(name.endswith(".hcl") for name in form.files)  # there web has the repository as its context
    texts = {f"{name}/Dockerfile": whole if name == "web" and by_root else dockerfile for name in names}
    step = textwrap.indent(form.step.rstrip(), "      ")
    texts[".github/workflows/images.yml"] = (
        f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{step}\n"
    )
    make_context(
        tmp_path,
        {"jars": {f"{name}/app.jar": {"libraries": {}} for name in names}, "files": {**texts, **form.files}},
    )
    (tmp_path / ".git").mkdir()
    answer = imgopt("suggest", tmp_path / ".github/workflows/images.yml", "--format", "json")
    assert answer.code == 0, answer.err
    pipeline = answer.json["files"][0]["pipeline"]
    assert tuple(f"{each['dockerfile']} -> {each['image']}" for each in pipeline["pushes"]) == form.pushes
    sizes = [each["first_push_bytes"]["before"] for each in pipeline["pushes"]]
    assert all(each > 1_000_000 for each in sizes), sizes
