"""What other repositories take from this one, tried: the GitHub action and the GitLab jobs by running their scripts, the
hooks by pre-commit itself."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from image_samples import docker_archive, layer

from imgopt.options import Options
from imgopt.pipelines.model import Step
from imgopt.pipelines.recipes import Recipes
from imgopt.pipelines.report import read_pipeline

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "registry"))

import registries  # noqa: E402

DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
#: A fresh checkout: the jar is not built yet, its build file is there.
POM = """\
<project>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.3.2</version>
  </parent>
  <groupId>shop</groupId>
  <artifactId>app</artifactId>
  <version>1</version>
</project>
"""


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "GIT_", "COLUMNS"))
    }
    return subprocess.run(
        [str(each) for each in command], cwd=cwd, env=env | environment, capture_output=True, text=True
    )


def done(*command: object, cwd: Path, **environment: str) -> str:
    result = run(*command, cwd=cwd, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as others fetch it: a git repository with all that is not ignored."""
    target = tmp_path_factory.mktemp("published") / "imgopt"
    listed = done("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "fixtures/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    commit(target)
    return target


def commit(directory: Path) -> str:
    done("git", "init", "--quiet", "--initial-branch=main", cwd=directory)
    done("git", "add", "--all", cwd=directory)
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    done("git", *who, "commit", "--quiet", "--no-verify", "--message=as it is", cwd=directory)
    return done("git", "rev-parse", "HEAD", cwd=directory).strip()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("images")
    docker_archive(directory / "orders.tar", [layer({"app.jar": b"x" * 300_000})], ["COPY app.jar /"])
    return directory


# the GitHub action

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


class Runner:
    """Runs the steps of the composite action as a GitHub runner does: expressions, conditions, files for outputs."""

    def __init__(self, source: Path, directory: Path) -> None:
        self.source, self.temporary = source, directory

    def steps(
        self,
        workspace: Path,
        names: tuple[str, ...],
        environment: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> tuple[int, str, str]:
        """The exit code, what was printed, and the outputs, of the steps with these names that are not skipped."""
        given = {name: spec["default"] for name, spec in ACTION["inputs"].items()} | {
            name.replace("_", "-"): value for name, value in inputs.items()
        }
        outputs, summary = workspace / "outputs", workspace / "summary.md"
        outputs.touch()
        printed = ""
        for step in ACTION["runs"]["steps"]:
            if step["name"] not in names or not self._condition(step.get("if"), given):
                continue
            own = {name: self._filled(value, given) for name, value in step["env"].items()}
            assert step["shell"] == "bash"
            result = run(
                # as a runner calls bash
                "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"],
                cwd=workspace / self._filled(step.get("working-directory", "."), given),
                RUNNER_TEMP=str(self.temporary),
                GITHUB_OUTPUT=str(outputs),
                GITHUB_STEP_SUMMARY=str(summary),
                **(environment or {}),
                **own,
            )  # fmt: skip
            printed += result.stdout + result.stderr
            if result.returncode:
                return result.returncode, printed, outputs.read_text()
        return 0, printed, outputs.read_text()

    def _filled(self, text: str, given: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] == "github.action_path":
                return str(self.source)
            scope, _, name = match[1].partition(".")
            assert scope == "inputs"
            return given[name]

        return re.sub(r"\$\{\{\s*(\S+)\s*\}\}", value, text)

    def _condition(self, text: str | None, given: Mapping[str, str]) -> bool:
        if text is None:
            return True
        match = re.fullmatch(r"inputs\.([\w-]+) != ''", text)
        assert match is not None, text
        return given[match[1]] != ""


@pytest.fixture(scope="module")
def runner(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    temporary = tmp_path_factory.mktemp("runner")
    made = Runner(published, temporary)
    code, printed, _ = made.steps(temporary, ("Install imgopt",))
    assert code == 0, printed
    return made


def test_every_input_of_the_action_is_used_and_described() -> None:
    text = (ROOT / "action.yml").read_text()
    for name, spec in ACTION["inputs"].items():
        assert f"${{{{ inputs.{name} }}}}" in text
        assert spec["description"]
    assert ACTION["outputs"]["passed"]["value"] == "${{ steps.gate.outputs.passed }}"


STEPS = ("Suggest", "Gate", "Push")


def test_the_action_lets_an_image_within_its_budget_pass(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    shutil.copy(images / "orders.tar", tmp_path)
    code, printed, outputs = runner.steps(
        tmp_path, STEPS, gate="orders.tar\n", options="--max-size=10MB\n--max-layers=3"
    )
    assert (code, outputs) == (0, "passed=true\n"), printed


def test_the_action_fails_for_an_image_over_its_budget_and_does_not_push(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "made images").mkdir()
    shutil.copy(images / "orders.tar", tmp_path / "made images" / "or ders.tar")
    code, printed, outputs = runner.steps(
        tmp_path,
        STEPS,
        gate="or ders.tar",
        options="--max-unpacked=100kB",
        push="or ders.tar registry.invalid/x:1",
        working_directory="made images",
    )
    assert (code, outputs) == (1, "passed=false\n")
    assert "::error" in printed
    assert "max-unpacked" in printed


def test_the_action_annotates_what_files_waste(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    code, printed, outputs = runner.steps(tmp_path, STEPS, suggest=".")
    assert (code, outputs) == (0, "")
    assert "jdk-runtime" in printed and "file=Dockerfile,line=1" in printed
    code, printed, _ = runner.steps(tmp_path, STEPS, suggest="Dockerfile", fail_on="high")
    assert code == 1


def test_the_action_pushes_several_images_in_one_call(runner: Runner, tmp_path: Path) -> None:
    """To a real registry; what images have in common goes once, and one that fails does not keep the others back."""
    if reason := registries.missing():
        pytest.skip(reason)
    common = layer({"base": os.urandom(200_000)})
    (tmp_path / "made images").mkdir()
    for name in ("orders", "billing", "mail"):
        made = [common, layer({"app": name.encode() * 500})]
        docker_archive(tmp_path / "made images" / f"{name}.tar", made, ["FROM x", "COPY app /"])
    with registries.registry(tmp_path / "registry") as registry, registries.proxy(registry.port) as proxy:
        there = f"{proxy.name}/team"
        pushes = f'"made images/orders.tar" {there}/orders:7\n\n# nothing\n"made images/billing.tar" {there}/billing:7\n'
        code, printed, _ = runner.steps(tmp_path, STEPS, push=pushes)
        assert code == 0, printed
        assert 200_000 < proxy.sent() < 250_000
        broken = pushes.replace("orders.tar", "missing.tar").replace("billing", "mail")
        code, printed, _ = runner.steps(tmp_path, STEPS, push=broken)
        assert code == 2 and "missing.tar" in printed
        assert there + "/mail:7" in printed and proxy.sent() < 260_000
        asked = len(proxy.seen)
        code, printed, _ = runner.steps(tmp_path, STEPS, push=f"{pushes}orders.tar\n")
        assert code == 2 and "standard input:5" in printed and len(proxy.seen) == asked


def test_the_action_takes_what_siblings_have(runner: Runner, tmp_path: Path) -> None:
    if reason := registries.missing():
        pytest.skip(reason)
    for name in ("orders", "billing"):
        docker_archive(tmp_path / f"{name}.tar", [layer({"base": bytes(range(256)) * 900})], ["COPY base /"])
    with registries.registry(tmp_path / "registry") as registry, registries.proxy(registry.port) as proxy:
        for name, siblings in (("orders", ""), ("billing", "\nteam/orders\n")):
            push = f"{name}.tar {proxy.name}/team/{name}:7"
            home = {"XDG_CACHE_HOME": str(tmp_path / name)}  # each job runs on a machine of its own
            code, printed, _ = runner.steps(
                tmp_path, ("Push",), environment=home, push=push, siblings=siblings
            )
            assert code == 0, printed
        mounts = [each for each in proxy.seen if each.method == "POST" and "mount=" in each.path]
        assert [each.status for each in mounts] == [201]


# the GitLab jobs


def gitlab_job(**variables: str) -> dict[str, Step]:
    """The jobs of someone who extends the template, as imgopt's own reader puts them together."""
    text = (ROOT / "ci" / "gitlab.yml").read_text()
    for job in ("suggest", "image", "build", "gate", "push", "push-all"):
        text += f"\n{job}-orders:\n  extends: .imgopt-{job}\n  variables: {json.dumps(variables)}\n"
    recipes = Recipes(ROOT, Options(), Path.read_bytes, lambda *_: pytest.fail("no Dockerfile is named"))
    pipeline = read_pipeline(ROOT / ".gitlab-ci.yml", text.encode(), "gitlab", recipes, (500_000,))
    return {step.place.job: step for step in pipeline.steps if isinstance(step, Step)}


@pytest.fixture
def gitlab(runner: Runner, tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A checkout and the environment of a job in whose image imgopt is. kaniko is stood in for, it would overwrite this
    machine's root; `imgopt push` is only noted down: it has tests of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    imgopt = runner.temporary / "imgopt" / "bin" / "imgopt"
    text = f'[ "$1" = push ] && exec printf "%s\\n" "$@" > {tmp_path}/push.txt\nexec {imgopt} "$@"'
    (programs / "imgopt").write_text(f"#!/bin/sh\n{text}\n")
    (programs / "imgopt").chmod(0o755)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    yield (
        checkout,
        {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "CI_PROJECT_DIR": str(checkout),
            "CI_REGISTRY": "registry.example",
            "CI_REGISTRY_IMAGE": "registry.example/team",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "hunter2",
            "CI_COMMIT_SHORT_SHA": "abc1234",
        },
    )


def play(step: Step, cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in step.place.variables.items() if value is not None}
    return run("sh", "-ec", step.script.text, cwd=cwd, **variables, **environment)


def test_the_gitlab_gate_holds_or_fails(
    gitlab: tuple[Path, dict[str, str]], images: Path, tmp_path: Path
) -> None:
    checkout, environment = gitlab
    shutil.copy(images / "orders.tar", checkout / "orders.tar")
    step = gitlab_job(IMGOPT_NAME="orders", IMGOPT_GATE_OPTIONS="--max-size 10MB")["gate-orders"]
    assert play(step, checkout, environment).returncode == 0
    assert "orders" in (checkout / "imgopt.xml").read_text()
    step = gitlab_job(IMGOPT_GATE_OPTIONS="--max-unpacked 100kB", IMGOPT_NAME="orders")["gate-orders"]
    assert play(step, checkout, environment).returncode == 1
    assert "<failure" in (checkout / "imgopt.xml").read_text()


def test_the_gitlab_push_has_a_login_that_docker_understands(
    gitlab: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    checkout, environment = gitlab
    result = play(gitlab_job(IMGOPT_NAME="orders")["push-orders"], checkout, environment)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "push.txt").read_text().split() == [
        "push",
        "--",
        "orders.tar",
        "registry.example/team/orders:abc1234",
    ]
    config = json.loads((tmp_path / "home" / ".docker" / "config.json").read_text())
    assert base64.b64decode(config["auths"]["registry.example"]["auth"]) == b"gitlab-ci-token:hunter2"


def test_gitlab_pushes_several_images_in_one_call(
    gitlab: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    checkout, environment = gitlab
    job = gitlab_job(IMGOPT_NAMES="orders billing", IMGOPT_SIBLINGS="mail")["push-all-orders"]
    result = play(job, checkout, environment)
    assert result.returncode == 0, result.stderr
    said = (tmp_path / "push.txt").read_text().split()
    assert said == ["push", "--all", "--mount-from=registry.example/team/mail", "--", "imgopt-push.txt"]
    assert (checkout / "imgopt-push.txt").read_text().splitlines() == [
        '"orders.tar" "registry.example/team/orders:abc1234"',
        '"billing.tar" "registry.example/team/billing:abc1234"',
    ]
    assert (tmp_path / "home" / ".docker" / "config.json").is_file()


def test_the_images_of_gitlab_arrive_in_a_registry(
    gitlab: tuple[Path, dict[str, str]], runner: Runner, tmp_path: Path
) -> None:
    if reason := registries.missing():
        pytest.skip(reason)
    checkout, environment = gitlab
    real = runner.temporary / "imgopt" / "bin" / "imgopt"
    (tmp_path / "bin" / "imgopt").write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    common = layer({"base": os.urandom(200_000)})
    for name in ("orders", "billing"):
        docker_archive(
            checkout / f"{name}.tar", [common, layer({"app": name.encode() * 500})], ["FROM x", "COPY app /"]
        )
    with registries.registry(tmp_path / "registry") as registry, registries.proxy(registry.port) as proxy:
        there = {"CI_REGISTRY": proxy.name, "CI_REGISTRY_IMAGE": f"{proxy.name}/team"}
        result = play(
            gitlab_job(IMGOPT_NAMES="orders billing")["push-all-orders"], checkout, environment | there
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert 200_000 < proxy.sent() < 250_000


def test_a_gitlab_push_of_one_image_names_its_siblings(
    gitlab: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    checkout, environment = gitlab
    job = gitlab_job(IMGOPT_NAME="orders", IMGOPT_SIBLINGS="mail billing")["push-orders"]
    assert play(job, checkout, environment).returncode == 0
    assert (tmp_path / "push.txt").read_text().split()[1:3] == [
        "--mount-from=registry.example/team/mail",
        "--mount-from=registry.example/team/billing",
    ]


def test_the_gitlab_report_is_code_quality(gitlab: tuple[Path, dict[str, str]]) -> None:
    checkout, environment = gitlab
    (checkout / "Dockerfile").write_text(DOCKERFILE)
    assert play(gitlab_job()["suggest-orders"], checkout, environment).returncode == 1
    issue, *_ = json.loads((checkout / "gl-code-quality-report.json").read_text())
    assert issue["location"]["path"] == "Dockerfile"


def test_the_gitlab_build_says_to_kaniko_what_keeps_layers_stable() -> None:
    """What imgopt itself would say about the job: nothing."""
    step = gitlab_job(IMGOPT_NAME="orders")["build-orders"]
    assert step.place.agent.image == "ghcr.io/osscontainertools/kaniko:v1.28.5-debug"
    assert step.place.variables["FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS"] == "true"
    for flag in ("--reproducible", "--skip-unused-stages", "--no-push", "--tar-path"):
        assert flag in step.script.text


def gitlab_template() -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))
    document = yaml.load((ROOT / "ci" / "gitlab.yml").read_text(), Loader)
    assert isinstance(document, dict)
    return document


def test_the_gitlab_template_brings_nothing_but_jobs_to_extend_and_variables_of_its_own() -> None:
    """`stages`, `default` or `workflow` of a file that is included would be those of the whole pipeline."""
    template = gitlab_template()
    assert [name for name in template if not name.startswith(".imgopt")] == ["variables"]
    assert all(name.startswith("IMGOPT_") for name in template["variables"])
    # what a pipeline without `stages` has
    stages = {job["stage"] for job in template.values() if "stage" in job}
    assert stages <= {"build", "test", "deploy"}


def test_gitlab_installs_the_commit_that_it_is_told(
    gitlab: tuple[Path, dict[str, str]], published: Path, tmp_path: Path
) -> None:
    checkout, environment = gitlab
    (tmp_path / "bin" / "imgopt").unlink()
    (checkout / "Dockerfile").write_text(DOCKERFILE)
    revision = done("git", "rev-parse", "HEAD", cwd=published).strip()
    job = gitlab_job(IMGOPT_REPOSITORY=str(published), IMGOPT_REF=revision)["suggest-orders"]
    result = play(job, checkout, environment)
    assert result.returncode == 1, result.stdout + result.stderr
    assert (checkout / "gl-code-quality-report.json").is_file()
    job = gitlab_job(IMGOPT_REPOSITORY=str(published), IMGOPT_REF="0" * 40)["suggest-orders"]
    assert play(job, checkout, environment).returncode not in (0, 1)


@pytest.mark.parametrize("variables", [{}, {"IMGOPT_REF": "main"}, {"IMGOPT_PROJECT": "tools/imgopt"}])
def test_gitlab_installs_nothing_that_it_was_not_told(
    variables: dict[str, str], gitlab: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    checkout, environment = gitlab
    (tmp_path / "bin" / "imgopt").unlink()
    result = play(gitlab_job(**variables)["suggest-orders"], checkout, environment)
    assert result.returncode == 2
    assert "IMGOPT_REF" in result.stderr


def test_the_job_token_goes_to_the_servers_project_and_is_not_printed(
    gitlab: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    checkout, environment = gitlab
    (tmp_path / "bin" / "imgopt").unlink()
    seen: list[tuple[str, str | None]] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(401 if self.headers["Authorization"] is None else 404)
            self.send_header("WWW-Authenticate", 'Basic realm="GitLab"')
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = {"CI_SERVER_URL": f"http://127.0.0.1:{server.server_port}", "CI_JOB_TOKEN": "t0p$ecret"}
        job = gitlab_job(IMGOPT_PROJECT="tools/imgopt", IMGOPT_REF="1" * 40)["suggest-orders"]
        result = play(job, checkout, environment | own)
        server.shutdown()
    assert result.returncode not in (0, 1)
    path, login = seen[-1]
    assert path.startswith("/tools/imgopt.git/") and login is not None
    assert base64.b64decode(login.removeprefix("Basic ")) == b"gitlab-ci-token:t0p$ecret"
    assert "t0p$ecret" not in result.stdout + result.stderr


@pytest.mark.parametrize("name", ["app:5", "team/app@sha256:00"])
@pytest.mark.parametrize("job", ["build", "gate", "push", "image"])
def test_a_gitlab_name_has_no_tag(name: str, job: str, gitlab: tuple[Path, dict[str, str]]) -> None:
    checkout, environment = gitlab
    result = play(gitlab_job(IMGOPT_NAME=name)[f"{job}-orders"], checkout, environment)
    assert result.returncode == 2
    assert "leave the tag away" in result.stderr


def built(
    gitlab: tuple[Path, dict[str, str]], size: int, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The build with kaniko, stood in for by a program that leaves a tar of this size."""
    checkout, environment = gitlab
    executor = checkout / "executor"
    executor.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --tar-path ]; do shift; done\ntruncate -s {size} -- "$2"\n'
    )
    executor.chmod(0o755)
    step = gitlab_job(**variables)["build-orders"]
    script = step.script.text.replace("/kaniko/executor", str(executor))
    given = {name: value for name, value in step.place.variables.items() if value is not None}
    return run("sh", "-ec", script, cwd=checkout, **given, **environment)


def test_the_gitlab_build_tells_that_an_artifact_is_too_large(gitlab: tuple[Path, dict[str, str]]) -> None:
    assert built(gitlab, 100_000_000, IMGOPT_NAME="team/orders").returncode == 0
    assert (gitlab[0] / "team" / "orders.tar").is_file()
    large = built(gitlab, 100_000_001, IMGOPT_NAME="orders")
    assert large.returncode == 1
    assert "100000001 bytes" in large.stderr and ".imgopt-image" in large.stderr
    assert (
        built(gitlab, 100_000_001, IMGOPT_NAME="orders", IMGOPT_ARTIFACT_LIMIT="1000000000").returncode == 0
    )


def test_one_gitlab_job_builds_judges_and_pushes(gitlab: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """With a real buildah; what is too large is not pushed, and nothing but the report is handed on."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("buildah, as root, is not here")
    checkout, environment = gitlab
    (checkout / "services").mkdir()
    (checkout / "services" / "Dockerfile").write_text(
        'FROM scratch\nCOPY app.jar /app.jar\nENTRYPOINT ["java"]\n'
    )
    (checkout / "services" / "app.jar").write_bytes(os.urandom(300_000))
    storage = tmp_path / "storage"
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{storage}/graph"\nrunroot = "{storage}/run"\n'
    )
    own = environment | {"CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf")}
    limits = {"IMGOPT_NAME": "team/orders", "IMGOPT_CONTEXT": "services"}
    job = gitlab_job(**limits, IMGOPT_GATE_OPTIONS="--max-size 100kB")["image-orders"]
    assert play(job, checkout, own).returncode == 1
    assert not (tmp_path / "push.txt").exists()
    job = gitlab_job(**limits, IMGOPT_GATE_OPTIONS="--max-size 1MB")["image-orders"]
    result = play(job, checkout, own)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "push.txt").read_text().split() == [
        "push",
        "--",
        "imgopt-image.tar",
        "registry.example/team/team/orders:abc1234",
    ]
    assert gitlab_template()[".imgopt-image"]["artifacts"] == {
        "when": "always",
        "reports": {"junit": "imgopt.xml"},
    }


# the hooks of pre-commit


@pytest.fixture(scope="module")
def hooks(published: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A repository that uses both hooks, and pre-commit's home."""
    adopter = tmp_path_factory.mktemp("adopter")
    revision = done("git", "rev-parse", "HEAD", cwd=published).strip()
    (adopter / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {published}\n    rev: {revision}\n"
        "    hooks:\n      - id: imgopt-suggest\n      - id: imgopt-rewrite\n"
    )
    (adopter / "README.md").write_text("nothing for the hooks\n")
    commit(adopter)
    return adopter, {"PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("pre-commit"))}


def pre_commit(hooks: tuple[Path, dict[str, str]], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pre_commit", *arguments, cwd=hooks[0], **hooks[1])


def test_pre_commit_accepts_the_manifest() -> None:
    done(sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml", cwd=ROOT)


def test_the_hooks_run_in_pre_commit(hooks: tuple[Path, dict[str, str]]) -> None:
    adopter = hooks[0]
    nothing = pre_commit(hooks, "run", "--all-files")
    assert nothing.returncode == 0, nothing.stdout + nothing.stderr
    assert nothing.stdout.count("(no files to check)Skipped") == 2

    (adopter / "service").mkdir()
    (adopter / "service" / "Dockerfile").write_text(DOCKERFILE)
    (adopter / "Jenkinsfile").write_text(
        "node { sh 'timeout 60 /kaniko/executor --context service --destination registry.example/app:1' }\n"
    )
    done("git", "add", "--all", cwd=adopter)
    nothing_shown = pre_commit(hooks, "run", "imgopt-rewrite", "--all-files")
    assert nothing_shown.returncode == 0, (
        "neither a jar nor a build file: nothing is rewritten, and nobody is held up"
    )
    assert (adopter / "service" / "Dockerfile").read_text() == DOCKERFILE

    (adopter / "service" / "pom.xml").write_text(POM)
    done("git", "add", "--all", cwd=adopter)
    first = pre_commit(hooks, "run", "--all-files")
    assert first.returncode == 1, first.stdout + first.stderr
    said = " ".join(first.stdout.split())
    assert "jdk-runtime" in said and "push-timeout" in said
    assert "files were modified by this hook" in said
    assert "rewrote service/Dockerfile: jdk-runtime" in said
    assert "-jre" in (adopter / "service" / "Dockerfile").read_text()

    (adopter / "Jenkinsfile").unlink()
    done("git", "add", "--all", cwd=adopter)
    second = pre_commit(hooks, "run", "--all-files")
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout.count("Passed") == 2


@pytest.mark.parametrize(
    ("name", "suggest", "rewrite"),
    [
        ("Dockerfile", True, True),
        ("a/b/Dockerfile.native", True, True),
        ("a/service.dockerfile", True, True),
        ("Jenkinsfile", True, False),
        ("ci/Jenkinsfile.release", True, False),
        (".gitlab-ci.yml", True, False),
        (".github/workflows/image.yaml", True, False),
        ("Dockerfile.dockerignore", False, False),
        ("docs/Dockerfiles.md", False, False),
        ("values.yml", False, False),
        ("workflows/x.yml", False, False),
    ],
)
def test_the_hooks_take_the_files_that_imgopt_takes(name: str, suggest: bool, rewrite: bool) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    for hook, wanted in (("imgopt-suggest", suggest), ("imgopt-rewrite", rewrite)):
        files, exclude = hooks[hook]["files"], hooks[hook]["exclude"]
        assert (bool(re.search(files, name)) and not re.search(exclude, name)) is wanted, hook
