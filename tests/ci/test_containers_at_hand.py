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
    "docker exec, by the name that docker run gives": {
        "run.sh": "docker build -t orders orders\ndocker run -d -p8080:8080 -itv /data:/data --name web orders\n"
        "docker exec -it web jcmd 1 VM.version\n"
    },
    "docker exec, by a name in a variable": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "scripts/threads.sh": "NAME=orders-$1\nWEB=web\ndocker create --name $WEB corp.io/orders:$TAG\n"
        'docker exec "$WEB" jstack 1\n',
    },
    "docker exec, by the name that Compose gives": {
        "compose.yaml": "services:\n  a:\n    build: orders\n    container_name: shop-orders\n",
        "Makefile": "threads:\n\tdocker exec shop-orders jstack 1 > threads.txt\n",
    },
    "docker run with another entrypoint": {
        "run.sh": "docker build -t corp.io/orders orders\ndocker run --rm --entrypoint jcmd corp.io/orders:2 -l\n"
    },
    "docker run with a health check": {
        "run.sh": "docker build -t corp.io/orders orders\n"
        "docker run -d --health-cmd='jcmd 1 VM.version || exit 1' corp.io/orders:2\n"
    },
    "docker exec in a workflow": {
        ".github/workflows/a.yml": WORKFLOW
        + "      - run: docker run -d --name it ghcr.io/acme/orders:1\n      - run: docker exec it jstack 1\n"
    },
    "docker compose exec": {
        "compose.yaml": "services:\n  a:\n    build: orders\n",
        "debug.sh": "docker compose -f compose.yaml exec -T a jstack 1\n",
    },
    "docker-compose run": {
        "compose.yaml": "services:\n  a:\n    build: orders\n",
        "debug.sh": "docker-compose run --rm --entrypoint jcmd a -l\n",
    },
    "docker compose exec with options in one word": {
        "compose.yaml": "services:\n  a:\n    build: orders\n",
        "debug.sh": "docker compose -f compose.yaml exec -Tu root a jstack 1\n",
    },
    "docker exec with options in one word": {
        "run.sh": "docker build -t orders orders\ndocker run -d --replace --name web orders\n"
        "docker exec -itu root web jcmd 1 VM.version\n"
    },
    "docker by a variable of a Makefile": {
        "Makefile": "DOCKER ?= docker\nrun:\n\t$(DOCKER) build -t orders orders\n\t$(DOCKER) run -d --name web orders\n"
        "threads:\n\t$(DOCKER) exec web jstack 1\n"
    },
    "kubectl exec with options in one word": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/a.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: a, image: corp.io/orders}]}}}\n",
        "scripts/dump.sh": "kubectl exec -itn shop deploy/orders -- jcmd 1 Thread.print\n",
    },
    "kubectl exec": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/a.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: a, image: corp.io/orders}]}}}\n",
        "scripts/dump.sh": "kubectl -n shop exec -it deploy/orders -c a -- jcmd 1 Thread.print\n",
    },
    "a patch of Kustomize": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/base/a.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: a, image: corp.io/orders}]}}}\n",
        "k8s/prod/patch.yaml": "kind: Deployment\nmetadata:\n  name: orders\nspec:\n  template:\n    spec:\n      containers:\n"
        "        - name: a\n          livenessProbe: {exec: {command: [jcmd, '1']}}\n",
    },
    "an image that Kustomize names anew": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/base/pod.yaml": POD % ("Pod", CONTAINERS % "orders-image"),
        "k8s/prod/kustomization.yaml": "images:\n  - name: orders-image\n    newName: corp.io/orders\n    newTag: '7'\n",
    },
    "a template of its tag alone": {
        ".github/workflows/a.yml": WORKFLOW,
        "k8s/pod.yaml": POD % ("Pod", CONTAINERS % "ghcr.io/acme/orders:{{ .Values.tag }}"),
    },
    "the values of a chart": {
        "build.sh": "docker build -t corp.io/shop/orders orders\n",
        "charts/orders/Chart.yaml": "name: orders\n",
        "charts/orders/values.yaml": "image:\n  registry: corp.io\n  repository: shop/orders\nreplicas: 2\n"
        "livenessProbe:\n  exec: {command: [jcmd, '1']}\n",
    },
    "the values of one chart of several": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values-prod.yaml": "global: {}\nservices:\n  bills:\n    image: {repository: corp.io/bills}\n"
        "  orders:\n    image: {repository: corp.io/orders}\n    lifecycle: {preStop: {exec: {command: [jstack, '1']}}}\n",
    },
    "a template of a chart": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": "image:\n  repository: corp.io/orders\n",
        "helm/templates/deployment.yaml": "{{- if .Values.enabled }}\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n"
        '  labels:\n    {{- include "labels" . | nindent 4 }}\nspec:\n  template:\n    spec:\n      containers:\n'
        "        - name: {{ .Chart.Name }}\n"
        '          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"\n'
        "          {{- with .Values.env }}\n          env:\n            {{- toYaml . | nindent 12 }}\n          {{- end }}\n"
        "          livenessProbe:\n            exec:\n              command: [jcmd, '1']\n{{- end }}\n",
    },
}


OF_CHART = (
    "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: %s\n"
    "          livenessProbe: {exec: {command: [jcmd, '1']}}\n"
)
TWO_IMAGES = "orders:\n  image: {registry: corp.io, repository: orders, tag: 1}\nbills:\n  image: {registry: corp.io, repository: bills}\n"
LINKED |= {
    "a template below a folder": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": "image:\n  repository: corp.io/orders\n",
        "helm/templates/api/deployment.yaml": OF_CHART
        % '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"',
    },
    "an image in one text": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": "image: corp.io/orders:3\nother: {image: corp.io/other}\n",
        "helm/templates/deployment.yaml": OF_CHART % "{{ .Values.image | quote }}",
    },
    "the image of an environment": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": "image:\n  repository: nginx\n",  # as `helm create` writes it
        "helm/values-prod.yaml": "image:\n  repository: corp.io/orders\n",
        "helm/templates/deployment.yaml": OF_CHART
        % '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"',
    },
    "an image of which an environment gives a part": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yml": "image:\n  registry: docker.io\n  repository: orders\n",
        "helm/envs/values.yaml": "image:\n  registry: corp.io\n",
        "helm/templates/deployment.yaml": OF_CHART
        % "{{ .Values.image.registry }}/{{ .Values.image.repository }}",
    },
    "one of two images": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": TWO_IMAGES,
        "helm/templates/deployment.yaml": OF_CHART
        % "{{ $.Values.orders.image.registry }}/{{- .Values.orders.image.repository -}}:{{ .Values.orders.image.tag }}",
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


def test_a_command_over_several_lines_counts(repository: Path, imgopt: Imgopt) -> None:
    (repository / "compose.yaml").write_text("services:\n  a:\n    build: orders\n")
    (repository / "debug.sh").write_text("docker compose -f compose.yaml \\\n  exec a jstack 1\n")
    assert "debug.sh:1 calls `jstack`, which only a JDK has" in (why(imgopt) or "")


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
    "docker exec in another container": {
        "run.sh": "docker build -t orders orders\ndocker run -d --name web orders\ndocker run -d --name db postgres\n"
        "docker exec db jcmd 1 VM.version\n"
    },
    "docker exec in a container that nobody knows": {
        "run.sh": "docker build -t orders orders\ndocker run -d --name web orders\ndocker exec $1 jcmd 1 VM.version\n"
    },
    "docker run of another image": {
        "run.sh": "docker build -t orders orders\ndocker run --rm -v $PWD:/src -w /src eclipse-temurin:17-jdk jar tf a.jar\n"
    },
    "kubectl exec in another deployment": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/a.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: a, image: corp.io/orders}]}}}\n",
        "scripts/dump.sh": "kubectl exec deploy/bills -- jcmd 1 Thread.print\n",
    },
    "a patch of another container": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "k8s/base/a.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: a, image: corp.io/orders}]}}}\n",
        "k8s/prod/patch.yaml": "kind: Deployment\nmetadata: {name: orders}\nspec: {template: {spec: {containers: [{name: b, livenessProbe: {exec: {command: [jcmd]}}}]}}}\n",
    },
    "the values of a chart of another image": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": "image: {repository: corp.io/other}\nlivenessProbe: {exec: {command: [jcmd]}}\n",
    },
    "the other one of two images": {
        "build.sh": "docker build -t corp.io/orders orders\ndocker build -t corp.io/bills bills\n",
        "helm/Chart.yaml": "name: shop\n",
        "helm/values.yaml": TWO_IMAGES,
        "helm/templates/deployment.yaml": OF_CHART
        % "{{ .Values.bills.image.registry }}/{{ .Values.bills.image.repository }}",
    },
    "values that belong to no chart": {
        "build.sh": "docker build -t corp.io/orders orders\n",
        "deploy/values.yaml": "image: {repository: corp.io/orders}\nlivenessProbe: {exec: {command: [jcmd]}}\n",
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


@pytest.mark.parametrize("others", ["", "bills"])
def test_what_may_run_in_the_only_image_is_said(others: str, repository: Path, imgopt: Imgopt) -> None:
    """No command names the image. With two Dockerfiles it may be of either, and mostly is of neither."""
    if not others:
        (repository / "bills/Dockerfile").unlink()
    written(
        repository,
        **{
            "k8s/pod.yaml": POD % ("Pod", CONTAINERS % "ghcr.io/acme/orders:7"),
            "k8s/db.yaml": POD
            % ("Pod", CONTAINERS.replace("[jcmd, '1', VM.version]", "[pg_isready]") % "postgres:17"),
        },
    )
    (file,) = imgopt("suggest", "--format", "json", "orders").json["files"]
    said = [each for each in file["warnings"] if "nothing here says whether it is this image" in each]
    if others:
        assert said == []
    else:
        assert [each.partition(",")[0] for each in said] == [
            "k8s/pod.yaml:4 runs ghcr.io/acme/orders:7 with `jcmd`"
        ]


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
