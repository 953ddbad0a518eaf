"""How Compose files and manifests run an image: what they start in it counts as what the Dockerfile starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar
from command_line import Imgopt, written

DOCKERFILE = (
    'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app/app.jar\nENTRYPOINT ["java", "-jar", "/app/app.jar"]\n'
)
CHECK = "    healthcheck: {test: [CMD, jcmd, '1', VM.version]}\n"
#: A pod with a probe, for an image.
POD = """\
apiVersion: v1
kind: %s
metadata: {name: orders}
spec: %s
"""
CONTAINERS = (
    "{containers: [{name: a, image: '%s', livenessProbe: {exec: {command: [jcmd, '1', VM.version]}}}]}"
)
WORKFLOW = """\
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v6
        with: {context: orders, push: true, tags: "ghcr.io/acme/orders:1"}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    for name in ("orders", "bills"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(DOCKERFILE)
        boot_jar(tmp_path / name / "app.jar")
    return tmp_path


def why(imgopt: Imgopt, name: str = "orders") -> str | None:
    """What speaks against the JRE; None where nothing does."""
    run = imgopt("suggest", "--format", "json", name)
    assert run.code == 0, run.err
    declined = run.json["files"][0]["rewrite"]["not_applied"]
    return next((each["why"] for each in declined if each["rule"] == "jdk-runtime"), None)


LINKED: dict[str, dict[str, str]] = {
    "build, a directory": {"compose.yaml": "services:\n  a:\n    build: ./orders\n" + CHECK},
    "build, a mapping": {
        "docker-compose.yml": "services:\n  a:\n    build: {context: orders, dockerfile: Dockerfile}\n"
        + CHECK
    },
    "build, a default": {"compose.yml": "services:\n  a:\n    build: ${WHERE:-orders}\n" + CHECK},
    "build, below a folder": {"docker/compose.yaml": "services:\n  a:\n    build: ../orders\n" + CHECK},
    "build, from a folder that is for deploying": {
        "deploy/docker-compose.prod.yml": "services:\n  a:\n    build: {context: ../orders}\n" + CHECK
    },
    "build, from far below": {
        "infra/local/db/compose.yaml": "services:\n  a:\n    build: ../../../orders\n" + CHECK
    },
    "a service that merges another": {
        "compose.yaml": "x-check: &check\n"
        + CHECK.replace("    h", "  h", 1)
        + "services:\n  a:\n    <<: *check\n    build: orders\n"
    },
    "another file for the same service": {
        "docker-compose.yml": "services:\n  a:\n    build: orders\n",
        "docker-compose.prod.yml": "services:\n  a:\n    image: corp.io/orders:${TAG}\n" + CHECK,
    },
    "another file by its image": {
        "docker-compose.yml": "services:\n  a:\n    build: orders\n    image: corp.io/orders:1\n",
        "deploy/docker-compose.yml": "services:\n  web:\n    image: ${REGISTRY}/orders:${TAG:-2}\n" + CHECK,
    },
    "a hook": {
        "compose.yaml": "services:\n  a:\n    build: orders\n    pre_stop:\n      - command: jstack 1\n"
    },
    "a pod, named by a workflow": {
        ".github/workflows/a.yml": WORKFLOW,
        "k8s/pod.yaml": POD % ("Pod", CONTAINERS % "ghcr.io/acme/orders:7"),
    },
    "a job, named by a script": {
        "build.sh": "docker build -t corp.io/orders:$TAG orders\n",
        "deploy/prod/job.yaml": POD % ("Job", "{template: {spec: %s}}" % (CONTAINERS % "corp.io/orders:7")),
    },
    "a cron job in a list": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "manifests/all.yaml": "kind: List\nitems:\n  - kind: CronJob\n    spec: {jobTemplate: {spec: {template: {spec: %s}}}}\n"
        % (CONTAINERS % "corp.io/orders@sha256:1"),
    },
}


@pytest.mark.parametrize("files", LINKED.values(), ids=LINKED)
def test_what_runs_in_the_image_elsewhere_counts(
    files: dict[str, str], repository: Path, imgopt: Imgopt
) -> None:
    written(repository, **files)
    said = why(imgopt)
    assert said is not None
    assert "which only a JDK has" in said
    name, _, line = said.partition(" ")[0].rpartition(":")
    text = (repository / name).read_text().splitlines()[int(line) - 1]
    assert "jcmd" in text or "jstack" in text
    assert why(imgopt, "bills") is None


NOT_LINKED: dict[str, dict[str, str]] = {
    "another Dockerfile": {"compose.yaml": "services:\n  a:\n    build: bills\n" + CHECK},
    "a variable without a default": {"compose.yaml": "services:\n  a:\n    build: ${WHERE}\n" + CHECK},
    "another image": {
        "compose.yaml": "services:\n  a:\n    build: orders\n  b:\n    image: postgres:17\n" + CHECK
    },
    "a service of that name elsewhere": {
        "compose.yaml": "services:\n  a:\n    build: orders\n",
        "deploy/compose.yaml": "services:\n  a:\n    image: corp.io/other:1\n" + CHECK,
    },
    "a pod of an image that nothing here builds": {
        "k8s/pod.yaml": POD % ("Pod", CONTAINERS % "ghcr.io/acme/orders:7")
    },
    "a template": {
        ".github/workflows/a.yml": WORKFLOW,
        "k8s/pod.yaml": POD % ("Pod", CONTAINERS % "ghcr.io/acme/orders:{{ .Values.tag }}"),
    },
    "no YAML": {"compose.yaml": "services:\n  a:\n   build: orders\n  \t" + CHECK},
    "a disabled check": {
        "compose.yaml": "services:\n  a:\n    build: orders\n    healthcheck: {disable: true, test: [NONE]}\n"
    },
}


@pytest.mark.parametrize("files", NOT_LINKED.values(), ids=NOT_LINKED)
def test_what_cannot_be_told_to_run_in_the_image_does_not(
    files: dict[str, str], repository: Path, imgopt: Imgopt
) -> None:
    written(repository, **files)
    assert why(imgopt) is None


def test_a_rewrite_says_that_it_rests_on_them(repository: Path, imgopt: Imgopt) -> None:
    written(
        repository, **{"compose.yaml": "services:\n  a:\n    build: orders\n    command: --server.port=80\n"}
    )
    run: Any = imgopt("suggest", "--format", "json", "orders").json
    rests_on = run["files"][0]["rewrite"]["rests_on"]
    assert ("containers", "compose.yaml") in [(fact["kind"], fact["what"]) for fact in rests_on]


def test_where_a_container_works_decides_which_jar_it_starts(repository: Path, imgopt: Imgopt) -> None:
    """A command that names its jar from the container's own directory starts the jar that was read."""
    (repository / "orders/Dockerfile").write_text("FROM eclipse-temurin:17-jdk\nCOPY app.jar /app/app.jar\n")
    service = "services:\n  a:\n    build: orders\n    working_dir: %s\n    command: java -jar app.jar\n"
    layered = {}
    for directory in ("/app", "/elsewhere"):
        written(repository, **{"compose.yaml": service % directory})
        findings = imgopt("suggest", "--format", "json", "orders").json["files"][0]["findings"]
        layered[directory] = next(each["fix"] for each in findings if each["rule"] == "fat-jar-layer")
    assert layered["/app"]["applicability"] == "safe"
    assert layered["/elsewhere"]["applicability"] == "unsafe"


ODD = [
    "services: []\n",
    "services:\n  a: [1, 2]\n  b:\n",
    "services:\n  a: {build: [orders], command: {a: b}, environment: [[x], {a: b}], volumes: [~, [a]], user: [1]}\n",
    "services:\n  a:\n    build: orders\n    extends: {service: a}\n",
    "services:\n  a: &a\n    build: orders\n    <<: *a\n    extends: {file: compose.yaml, service: a}\n",
    "services:\n  a:\n    build: orders\n    extends: {file: ../../../../etc/passwd, service: root}\n    env_file: [/etc/passwd, '\\0']\n",
    "services:\n  a:\n    build: orders\n    healthcheck: {test: []}\n    entrypoint: []\n    command: ''\n",
    "services:\n  a:\n    build: orders\n    working_dir: '../../..'\n    volumes: [':', '::', '${X', 'a:b:c:d']\n",
    'services:\n  a:\n    build: "orders\\0"\n' + CHECK,
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["compose.yaml", "k8s/a.yaml"])
def test_odd_files_say_nothing(text: str, name: str, repository: Path, imgopt: Imgopt) -> None:
    if name.startswith("k8s"):
        text = text.replace("services:", "kind: Pod\ncontainers:\nspec:")
        text = text.replace(
            "build: orders", "containers: [{image: [a]}, {image: a, command: {a: b}, env: [a]}, b]"
        )
    written(repository, **{name: text})
    assert why(imgopt) is None
