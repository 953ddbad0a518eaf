"""Platforms that the build commands of a repository name: they limit the base, and a push sends all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar
from command_line import Imgopt, written

BOTH = ["linux/amd64", "linux/arm64"]
DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
WORKFLOW = """\
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v6
        with: {context: "%s", push: true, platforms: "%s", tags: "ghcr.io/acme/server:1"}
"""
RUNS = "on: push\njobs:\n  image:\n    runs-on: %s\n    steps:\n      - run: %s\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def service(root: Path, dockerfile: str = DOCKERFILE) -> Path:
    root.mkdir(exist_ok=True)
    (root / "Dockerfile").write_text(dockerfile)
    boot_jar(root / "app.jar")
    return root / "Dockerfile"


def looked_at(imgopt: Imgopt, *arguments: object) -> Any:
    run = imgopt("suggest", "--format", "json", *arguments)
    assert run.code == 0, run.err
    return run.json["files"][0]


COMMANDS = {
    "workflow": {".github/workflows/a.yml": WORKFLOW % (".", "linux/amd64,linux/arm64")},
    "workflow, a line each": {
        ".github/workflows/a.yml": (WORKFLOW % (".", "x")).replace(
            '{context: ".", push: true, platforms: "x", tags: "ghcr.io/acme/server:1"}',
            "\n          push: true\n          platforms: |\n            linux/amd64\n            linux/arm64\n",
        )
    },
    "workflow, a matrix": {
        ".github/workflows/a.yml": (WORKFLOW % (".", "${{ matrix.platform }}")).replace(
            "    steps:", "    strategy: {matrix: {platform: [linux/amd64, linux/arm64]}}\n    steps:"
        )
    },
    "workflow, variable": {
        ".github/workflows/a.yml": "env: {PLATFORMS: 'linux/amd64,linux/arm64'}\n"
        + RUNS % ("ubuntu-latest", "docker buildx build --push --platform $PLATFORMS -t x .")
    },
    "runners of two machines": {
        ".github/workflows/a.yml": RUNS % ("ubuntu-24.04-arm", "docker build -t x ."),
        ".github/workflows/b.yml": RUNS % ("ubuntu-24.04", "docker build --platform linux/amd64 -t x ."),
    },
    "gitlab": {
        ".gitlab-ci.yml": "a:\n  script:\n    - docker buildx build --platform=linux/amd64,linux/arm64 --push .\n"
    },
    "gitlab, runner": {
        ".gitlab-ci.yml": "a:\n  tags: [saas-linux-small-arm64]\n  script: [docker build .]\n"
        "b:\n  script: [docker build --platform linux/amd64 .]\n"
    },
    "jenkins, kaniko": {
        "Jenkinsfile": "node { sh '/kaniko/executor --context . --destination a/b:1 --custom-platform=linux/amd64'\n"
        "sh '/kaniko/executor --context . --destination a/b:2 --customPlatform=linux/arm64' }\n"
    },
    "buildah": {"build.sh": "buildah build --platform linux/amd64 --platform linux/arm64 --manifest x .\n"},
    "podman, arch": {"build.sh": "for a in amd64 arm64; do podman build --arch $a -t x-$a .; done\n"},
    "buildctl": {
        "ci/build.sh": "buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. "
        "--opt platform=linux/amd64,linux/arm64\n"
    },
    "make": {
        "Makefile": "PLATFORMS ?= linux/amd64,linux/arm64\nimage:\n\t@docker buildx build \\\n\t  --platform $(PLATFORMS) -t x --push .\n"
    },
    "make, functions": {
        "Makefile": "comma := ,\nARCHES := amd64 arm64\nempty :=\nspace := $(empty) $(empty)\n"
        "PLATFORMS := $(subst $(space),$(comma),$(ARCHES:%=linux/%))\n"
        "all: image\nimage:\n\tdocker buildx build --platform $(PLATFORMS) -t x --push .\n"
    },
    "make, targets that others make": {
        "Makefile": "all:\n\tfor a in amd64 arm64; do $(MAKE) one A=$$a; done\none:\n\tdocker build --platform linux/$(A) .\n"
    },
    "make, in another file": {
        "Makefile": "include build.mk\nall:\n\t$(BUILD) .\n",
        "build.mk": "BUILD = docker buildx build --platform linux/amd64,linux/arm64 --push\n",
    },
    "environment": {
        "build.sh": "export DOCKER_DEFAULT_PLATFORM=linux/arm64\ndocker build .\nDOCKER_DEFAULT_PLATFORM=linux/amd64 docker build .\n"
    },
    "bake": {
        "docker-bake.hcl": 'variable "ALL" {\n  default = ["linux/amd64", "linux/arm64"] # both\n}\n'
        'target "_common" {\n  platforms = ALL\n}\n'
        'target "app" {\n  inherits = ["_common"]\n  args = { A = "}" }\n  context = "."\n}\n'
    },
    "bake, in JSON": {
        "docker-bake.json": '{"target": {"app": {"platforms": ["linux/amd64", "linux/arm64"]}}}'
    },
    "bake, set": {"build.sh": 'docker buildx bake --push --set "*.platform=linux/amd64,linux/arm64"\n'},
    "compose": {
        "compose.yaml": "services:\n  app:\n    build:\n      context: .\n      platforms:\n        - linux/amd64\n        - linux/arm64\n"
    },
    "compose, platform of a service": {
        "docker-compose.yml": "services:\n  a: {build: ., platform: linux/amd64}\n  b: {build: {context: .}, platform: '${P:-linux/arm64}'}\n"
    },
}


@pytest.mark.parametrize("files", COMMANDS.values(), ids=COMMANDS)
def test_a_base_must_have_every_platform_that_a_command_builds(
    files: dict[str, str], repository: Path, imgopt: Imgopt
) -> None:
    service(repository)
    written(repository, **files)
    file = looked_at(imgopt, "Dockerfile")
    assert sorted(file["built_for"]["platforms"]) == BOTH
    assert file["rewrite"]["text"].count("FROM eclipse-temurin:17-jre\n") == 1
    assert file["platforms"] == BOTH
    assert all(source.split(":")[0] in files for source in file["built_for"]["sources"])
    run = imgopt("rewrite", "Dockerfile")
    assert "17-jre-alpine" not in run.text


NEAR = {
    "another Dockerfile": {".github/workflows/a.yml": WORKFLOW % ("other", "linux/amd64,linux/arm64")},
    "one platform": {".github/workflows/a.yml": WORKFLOW % (".", "linux/amd64")},
    "a comment": {"build.sh": "# docker buildx build --platform linux/arm64 .\ndocker build .\n"},
    "another program": {"build.sh": "go build --platform linux/arm64 .\n"},
    "a word like it": {".github/workflows/a.yml": RUNS % ("charm-runner", "docker build .")},
    "no platforms": {"docker-bake.hcl": 'target "app" { context = "." }\n'},
    "another service": {
        "compose.yaml": "services: {a: {build: other, platform: linux/arm64}, b: {build: .}}\n"
    },
    "an image that is pulled": {
        "compose.yaml": "services: {a: {image: 'mysql:8', platform: linux/arm64}, b: {build: .}}\n"
    },
}


@pytest.mark.parametrize("files", NEAR.values(), ids=NEAR)
def test_what_says_nothing_of_other_platforms_limits_nothing(
    files: dict[str, str], repository: Path, imgopt: Imgopt
) -> None:
    service(repository)
    service(repository / "other")
    written(repository, **files)
    file = looked_at(imgopt, "Dockerfile")
    assert "linux/arm64" not in file["built_for"]["platforms"]
    assert file["rewrite"]["text"].count("FROM eclipse-temurin:17-jre-alpine\n") == 1
    assert file["platforms"] == ["linux/amd64"]


def test_a_dockerfile_below_the_repository_is_found_as_the_command_names_it(
    repository: Path, imgopt: Imgopt
) -> None:
    service(repository / "orders")
    service(repository / "bills")
    command = "docker buildx build --platform linux/arm64 -f orders/Dockerfile orders"
    written(repository, **{"scripts/images.sh": command + "\n"})
    orders = looked_at(imgopt, "orders/Dockerfile")
    assert (orders["platform"], orders["built_for"]["sources"]) == ("linux/arm64", ["scripts/images.sh:1"])
    assert looked_at(imgopt, "bills")["built_for"]["platforms"] == []


def test_a_variable_that_nobody_knows_is_said(repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    written(repository, **{".github/workflows/a.yml": WORKFLOW % (".", "${{ inputs.platforms }}")})
    file = looked_at(imgopt, "Dockerfile")
    assert "17-jre-alpine" not in file["rewrite"]["text"]
    assert file["built_for"]["unknown"] == [".github/workflows/a.yml:6"]
    assert any("platforms that are not known here" in warning for warning in file["warnings"])


def test_a_dockerfile_that_is_a_variable_may_be_any_that_nobody_else_builds(
    repository: Path, imgopt: Imgopt
) -> None:
    service(repository / "orders")
    service(repository / "bills")
    written(
        repository,
        **{
            "build.sh": "docker buildx build --platform linux/arm64 -f $1/Dockerfile $1\n"
            "docker buildx build --platform linux/amd64 bills\n"
        },
    )
    assert looked_at(imgopt, "orders")["built_for"]["platforms"] == ["linux/arm64"]
    assert looked_at(imgopt, "bills")["built_for"]["platforms"] == ["linux/amd64"]


def test_what_the_user_asks_for_is_looked_at_and_the_base_still_has_all(
    repository: Path, imgopt: Imgopt
) -> None:
    service(repository)
    written(repository, **COMMANDS["workflow"])
    file = looked_at(imgopt, "--platform", "linux/amd64", "Dockerfile")
    assert file["platforms"] == ["linux/amd64"]
    assert "17-jre-alpine" not in file["rewrite"]["text"]


def test_several_platforms_can_be_asked_for(repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    file = looked_at(imgopt, "--platform", "linux/amd64,linux/arm64", "Dockerfile")
    assert file["platforms"] == BOTH
    assert "17-jre-alpine" not in file["rewrite"]["text"]


def test_a_from_with_a_platform_of_its_own_takes_one_base_for_all(repository: Path, imgopt: Imgopt) -> None:
    service(repository, DOCKERFILE.replace("FROM ", "FROM --platform=linux/amd64 "))
    written(repository, **COMMANDS["workflow"])
    assert "17-jre-alpine" in looked_at(imgopt, "Dockerfile")["rewrite"]["text"]


@pytest.mark.parametrize("platform", ["linux/arm64/v8", "arm64", "linux/aarch64"])
def test_an_architecture_has_several_names(platform: str, repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    text = looked_at(imgopt, "--platform", platform, "Dockerfile")["rewrite"]["text"]
    assert "FROM eclipse-temurin:17-jre\n" in text


def test_a_push_sends_the_base_of_each_platform_and_what_they_share_once(
    repository: Path, imgopt: Imgopt
) -> None:
    service(repository, DOCKERFILE.replace(":17-jdk", ":21-jdk-alpine"))
    one = looked_at(imgopt, "Dockerfile")["prediction"]
    written(repository, **COMMANDS["workflow"])
    both = looked_at(imgopt, "Dockerfile")["prediction"]
    other = looked_at(imgopt, "--platform", "linux/arm64", "Dockerfile")["prediction"]
    base = other["before"]["layers"][0]["compressed_bytes"]
    assert both["before"]["compressed_bytes"] == one["before"]["compressed_bytes"]
    assert both["first_push_bytes"]["before"] == one["first_push_bytes"]["before"] + base
    assert both["next_push_bytes"]["before"] == one["next_push_bytes"]["before"]
    layers = both["after"]["elsewhere"]
    assert [layer["from_base"] for layer in layers[:1]] == [True]
    assert all("(linux/arm64)" in layer["instruction"] for layer in layers)


def test_every_report_names_the_platforms(repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    written(repository, **COMMANDS["workflow"])
    text = imgopt("suggest", "Dockerfile").text
    assert text.startswith("Dockerfile  linux/amd64, linux/arm64 (.github/workflows/a.yml:6)\n")
    assert "a push sends linux/amd64 and linux/arm64" in " ".join(text.split())
    assert "linux/amd64, linux/arm64" in imgopt("suggest", "--format", "markdown", "Dockerfile").text
    page = imgopt("suggest", "--format", "html", "Dockerfile").text
    assert "linux/amd64, linux/arm64" in page


def test_a_push_in_ci_sends_all_platforms_of_its_command(repository: Path, imgopt: Imgopt) -> None:
    service(repository, DOCKERFILE.replace(":17-jdk", ":21-jre-alpine"))
    name = ".github/workflows/a.yml"
    limited = (WORKFLOW % (".", "linux/amd64,linux/arm64")).replace(
        "    steps:", "    timeout-minutes: 4\n    steps:"
    )
    written(repository, **{name: limited})
    file = looked_at(imgopt, "--bandwidth", "0.5MB/s", name)
    [push] = file["pipeline"]["pushes"]
    assert push["platforms"] == BOTH
    assert push["first_push_bytes"]["before"] > 140_000_000
    [finding] = [each for each in file["findings"] if each["rule"] == "push-timeout"]
    assert "Dockerfile for linux/amd64 and linux/arm64" in finding["message"]
    written(repository, **{name: limited.replace(",linux/arm64", "")})
    file = looked_at(imgopt, "--bandwidth", "0.5MB/s", name)
    assert not [each for each in file["findings"] if each["rule"] == "push-timeout"]


def test_the_gate_predicts_a_push_of_all_platforms(repository: Path, imgopt: Imgopt) -> None:
    service(repository, DOCKERFILE.replace(":17-jdk", ":21-jre-alpine"))
    limit = ("gate", "--predict", "--max-first-push", "100MB", "Dockerfile")
    assert imgopt(*limit).code == 0
    written(repository, **COMMANDS["workflow"])
    run = imgopt(*limit)
    assert run.code == 1
    assert "on the first push of 2 platforms" in run.text


def test_an_image_is_gated_for_one_platform_at_a_time(repository: Path, imgopt: Imgopt) -> None:
    run = imgopt("gate", "--platform", "linux/amd64,linux/arm64", "--max-size", "1MB", "image.tar")
    assert run.code == 2
    assert "one platform" in run.err


HOSTILE = {
    "bake, a variable of itself": {
        "docker-bake.hcl": 'variable "A" { default = "${A}${A}" }\ntarget "x" { platforms = ["${A}", "linux/arm64"] }\n'
    },
    "bake, a circle": {
        "docker-bake.hcl": 'target "a" { inherits = ["b"] }\ntarget "b" { inherits = ["a"] }\ntarget "x" { platforms = ["linux/arm64"] }\n'
    },
    "bake, never closed": {"docker-bake.hcl": 'target "x" { platforms = ["linux/arm64"\n' + '"' * 9},
    "bake, deep": {"docker-bake.json": '{"target": ' + "[" * 100_000},
    "bake, no object": {"docker-bake.json": '{"target": {"x": 1, "platforms": []}}'},
    "make, a variable of itself": {
        "Makefile": "A = " + "$(A)" * 2_000 + "\nx:\n\tdocker buildx build --platform linux/arm64,$(A) .\n"
    },
    "a long word": {"build.sh": "# bake\n" + "a" * 300_000 + " platform\n"},
    "compose, no YAML": {"compose.yaml": "services: [platform: {\n"},
    "compose, lists for mappings": {"compose.yaml": "services: {a: [], b: {build: [x], platform: []}}\n"},
    "a directory": {"compose.yaml/platform": "x"},
    "no text": {"build.sh": "\0platform\0" * 1_000},
}


@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE)
def test_strange_build_files_end_nothing(files: dict[str, str], repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    written(repository, **files)
    looked_at(imgopt, "Dockerfile")


def test_links_that_lead_nowhere_or_outside_end_nothing(repository: Path, imgopt: Imgopt) -> None:
    service(repository)
    (repository / "Makefile").symlink_to("Makefile")
    (repository / "a.sh").symlink_to("/nowhere")
    (repository / "scripts").symlink_to(".")
    assert looked_at(imgopt, "Dockerfile")["built_for"]["platforms"] == []
