"""ci/Jenkinsfile and the shared library's step, by Groovy's own parser and by running the step; and the strings that
imgopt reads from Jenkinsfiles against those that Groovy reads."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from image_samples import docker_archive, layer

from imgopt.fleet.images import Image
from imgopt.fleet.modules import Module, Repository
from imgopt.pipelines.tokens import tokens
from imgopt.report.fleet_bake import names_of
from imgopt.report.fleet_jenkins import jenkinsfile

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "registry"))

import registries  # noqa: E402

HARNESS = Path(__file__).with_name("harness.groovy")
STEP = ROOT / "ci" / "vars" / "imgoptGate.groovy"
PUSH_STEP = ROOT / "ci" / "vars" / "imgoptPush.groovy"
SHIPPED = [ROOT / "ci" / "Jenkinsfile", ROOT / "ci" / "Jenkinsfile.modules", STEP, PUSH_STEP]
GROOVY = "4.0.28"
POM = f"""<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.groovy</groupId><artifactId>groovy</artifactId><version>{GROOVY}</version>
</dependency></dependencies></project>"""

Groovy = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def groovy(tmp_path_factory: pytest.TempPathFactory) -> Groovy:
    """Runs the harness with Groovy from Maven Central."""
    jar = ROOT / ".cache" / "groovy" / f"groovy-{GROOVY}.jar"
    if not jar.exists():
        reason = apps.missing()
        if reason:
            pytest.skip(reason)
        project = tmp_path_factory.mktemp("groovy")
        (project / "pom.xml").write_text(POM)
        apps.maven(project, "dependency:copy-dependencies", f"-DoutputDirectory={project}/lib")
        jar.parent.mkdir(parents=True, exist_ok=True)
        beside = jar.with_suffix(f".{os.getpid()}")
        shutil.copy(project / "lib" / jar.name, beside)
        beside.replace(jar)

    def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", str(jar), "groovy.ui.GroovyMain", str(HARNESS)]
        return subprocess.run(
            [*command, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            **more,  # type: ignore[call-overload]
        )

    return run


def jenkinsfiles() -> list[Path]:
    scene = [path for path in (ROOT / "fixtures" / "scene").rglob("*") if path.is_file()]
    found = [*SHIPPED, *sorted((ROOT / "fixtures" / "ci").rglob("Jenkinsfile")), *sorted(scene)]
    assert len(found) > 30
    return found


def test_groovy_parses_every_jenkinsfile_and_reads_the_strings_that_imgopt_reads(groovy: Groovy) -> None:
    run = groovy("parse", *jenkinsfiles())
    assert run.returncode == 0, run.stderr
    strings: dict[str, set[str]] = {}
    for line in run.stdout.splitlines():
        kind, _, value = line.partition("\t")
        if kind == "file":
            of = strings.setdefault(value, set())
        else:
            of.add(base64.b64decode(value).decode())
    assert len(strings) == len(jenkinsfiles())
    compared = 0
    for path in jenkinsfiles():
        for token in tokens(path.read_text()):
            # what has expressions in it is no constant in Groovy; in single quotes a dollar is one
            if token.kind == "string" and "${" not in token.text and "$" not in token.text:
                assert token.text in strings[str(path)], (path, token)
                compared += 1
    assert compared > 100


def test_groovy_parses_what_the_pages_show(groovy: Groovy, tmp_path: Path) -> None:
    pages = [path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```groovy\n(.*?)```", page, re.DOTALL)]
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.groovy").write_text(block)
    run = groovy("parse", *sorted(tmp_path.iterdir()))
    assert run.returncode == 0, run.stderr
    assert blocks and run.stdout.count("file\t") == len(blocks)


def test_groovy_parses_what_a_fleet_gets(groovy: Groovy, tmp_path: Path) -> None:
    """Names of modules, arguments and targets are data, whatever stands in them."""
    hostile = "x'$(id)\\${env.A}\"\ny"
    root = tmp_path / "shop"
    images = []
    for name in ("orders", hostile):
        module = Module(name, f"services/{name}", "maven", "pom.xml", f"g:{name}")
        folder = root / "services" / name
        folder.mkdir(parents=True)
        images.append(Image(module, folder / "Dockerfile", folder, (("JAR", hostile),), hostile, (hostile,)))
    file = tmp_path / "Jenkinsfile"
    file.write_bytes(jenkinsfile(images, Repository(root, (), ()), names_of(images)))
    run = groovy("parse", file)
    assert run.returncode == 0, run.stderr
    strings = {
        base64.b64decode(line.partition("\t")[2]).decode()
        for line in run.stdout.splitlines()
        if not line.startswith("file\t")
    }
    assert {
        "orders",
        "services/orders/Dockerfile",
        hostile,
        f"JAR={hostile}",
        f"services/{hostile}",
    } <= strings
    text = file.read_text()
    assert "repository: 'orders'" in text and "repository: 'x-id-env-a-y'" in text  # one word of a list each
    pods = re.findall(r"(?m)^ +image: (\S+)$", text)
    assert len(pods) == 3 and set(pods) <= set(re.findall(r"image: (\S+)", SHIPPED[1].read_text()))
    script = next(each for each in strings if "/kaniko/executor" in each)
    checked = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "kaniko").mkdir()
    (tmp_path / "kaniko" / "executor").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "kaniko" / "executor").chmod(0o755)
    values = {
        "WORKSPACE": "/w",
        "CONTEXT": "services/a b",
        "DOCKERFILE": "services/a b/Dockerfile",
        "NAME": "a-b",
        "TARGET": "run",
        "BUILD_ARGS": "A=1 * 2\nB=$(id)",
    }
    ran = subprocess.run(
        ["sh", "-eu", "-c", script.replace("/kaniko/executor", f"{tmp_path}/kaniko/executor")],
        env={**os.environ, **values},
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    assert ran.stdout == (
        "--context|dir:///w/services/a b|--dockerfile|/w/services/a b/Dockerfile|--destination|fleet/image:latest|--no-push|"
        "--tar-path|/w/images/a-b.tar|--reproducible|--target|run|--build-arg|A=1 * 2|--build-arg|B=$(id)|"
    )


def test_the_parser_can_refuse(groovy: Groovy, tmp_path: Path) -> None:
    broken = tmp_path / "Jenkinsfile"
    broken.write_text((ROOT / "ci" / "Jenkinsfile").read_text().replace("stages {", "stages ("))
    assert groovy("parse", broken).returncode != 0


# the step, run


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout with a stand-in for kaniko's executor (it would overwrite this machine's root), which leaves a real
    image behind, and imgopt; `imgopt push` is only noted down unless REAL_PUSH is set."""
    programs = tmp_path / "bin"
    programs.mkdir()
    docker_archive(tmp_path / "built.tar", [layer({"app.jar": b"x" * 300_000})], ["COPY app.jar /"])
    python = f'PYTHONPATH="{ROOT}/optimizer:{ROOT}/rules" exec "{sys.executable}" -m imgopt'
    scripts = {
        "executor": f"""
            printf '%s\\n' "$FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS" "$@" > {tmp_path}/kaniko.txt
            echo executor >> {tmp_path}/order.txt
            while [ "$1" != --tar-path ]; do shift; done
            cp {tmp_path}/built.tar "$2"
        """,
        "rm": f"""
            echo "rm $*" >> {tmp_path}/order.txt
        """,
        "imgopt": f"""
            if [ "$1" != push ] || [ -n "$REAL_PUSH" ]; then {python} "$@"; fi
            printf '%s\\n' "$@" >> {tmp_path}/push.txt
            if [ "$2" = --all ] && [ -z "$REAL_PUSH" ]; then cat >> {tmp_path}/list.txt; fi
            [ "$(wc -l < {tmp_path}/push.txt)" -ge "${{LINES_NEEDED:-0}}" ]
        """,
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}")
        (programs / name).chmod(0o755)
    return tmp_path


def step(
    groovy: Groovy, workspace: Path, *settings: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{workspace}/bin:{os.environ['PATH']}", **environment}
    executor = f"executor={workspace}/bin/executor"
    return groovy("run", STEP, executor, *settings, cwd=workspace, env=env)


def push_step(
    groovy: Groovy, workspace: Path, *settings: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{workspace}/bin:{os.environ['PATH']}", **environment}
    return groovy("run", PUSH_STEP, *settings, cwd=workspace, env=env)


def told(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stdout.splitlines() if "\t" in line or line == "done"]


def test_an_image_within_its_budget_is_pushed_one_at_a_time(groovy: Groovy, workspace: Path) -> None:
    run = step(
        groovy,
        workspace,
        "image=registry.example/team/orders",
        "tag=1$(touch hacked)",
        "context=services/orders",
        "maxSize=10MB",
        "buildArgs={VERSION:1 2;X:$HOME}",
    )
    assert run.returncode == 0, run.stderr
    assert [line for line in run.stdout.splitlines() if "\t" in line or line == "done"] == [
        "lock\timgopt-kaniko-pod-1",
        "container\tkaniko",
        "sh\tbuild orders",
        "unlock\timgopt-kaniko-pod-1",
        "container\timgopt",
        "sh\tgate orders",
        "junit\timgopt-orders.xml",
        "lock\tregistry",
        "sh\tpush orders",
        "unlock\tregistry",
        "done",
    ]
    assert (workspace / "kaniko.txt").read_text().splitlines() == [
        "true",
        "--context",
        f"dir://{workspace}/services/orders",
        "--dockerfile",
        "Dockerfile",
        "--reproducible",
        "--skip-unused-stages",
        "--cleanup",
        "--no-push",
        "--tar-path",
        f"{workspace}/orders.tar",
        "--destination",
        "registry.example/team/orders:1$(touch hacked)",
        "--build-arg",
        "VERSION=1 2",
        "--build-arg",
        "X=$HOME",
    ]
    assert (workspace / "push.txt").read_text().splitlines() == [
        "push",
        "--",
        "orders.tar",
        "registry.example/team/orders:1$(touch hacked)",
    ]
    assert "<testsuite" in (workspace / "imgopt-orders.xml").read_text()
    assert not (workspace / "hacked").exists()


@pytest.mark.parametrize(
    ("settings", "target", "tar"),
    [
        (["image=r.example/team/app:5"], "r.example/team/app:5", "app.tar"),
        (["image=r.example:5000/team/app"], "r.example:5000/team/app:latest", "app.tar"),
        (["image=r.example:5000/app", "tag=7"], "r.example:5000/app:7", "app.tar"),
        (["image=r.example:5000/app:8", "name=shop-app"], "r.example:5000/app:8", "shop-app.tar"),
    ],
)
def test_an_image_may_have_its_tag(
    settings: list[str], target: str, tar: str, groovy: Groovy, workspace: Path
) -> None:
    run = step(groovy, workspace, *settings, "maxSize=10MB")
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
    assert (workspace / "push.txt").read_text().splitlines() == ["push", "--", tar, target]
    assert target in (workspace / "kaniko.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["image=r.example/app:5", "tag=6"], "r.example/app:5 has a tag, and tag: '6' is another one"),
        (["image=r.example/app@sha256:00"], "has a digest"),
        (["image=r.example/"], "has no name"),
        (["image=r.example/app", "name=a/b"], "or one that is not a file's"),
    ],
)
def test_a_target_that_is_none_is_refused(
    settings: list[str], message: str, groovy: Groovy, workspace: Path
) -> None:
    run = step(groovy, workspace, *settings, "maxSize=10MB")
    assert message in run.stdout
    assert not (workspace / "kaniko.txt").exists()


def test_two_images_of_a_build_do_not_share_a_tar(groovy: Groovy, workspace: Path) -> None:
    """The second build would write over the tar that the first is about to push."""
    first, budget = "image=r.example/shop/api:7", "maxSize=10MB"
    executor = f"executor={workspace}/bin/executor"
    for other in ("image=r.example/mail/api:7", "image=r.example/shop/api:8"):
        run = step(groovy, workspace, first, budget, "+", executor, other, budget)
        assert "of this build would both be api.tar: give one of them a name" in run.stdout
    run = step(groovy, workspace, first, budget, "+", executor, other, budget, "name=mail-api")
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
    assert (workspace / "mail-api.tar").is_file() and (workspace / "imgopt-mail-api.xml").is_file()
    # a second try of the same one is none
    run = step(groovy, workspace, first, budget, "+", executor, first, budget)
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr


@pytest.mark.parametrize("path", SHIPPED[:2], ids=lambda path: path.name)
def test_waste_is_looked_for_behind_the_jars(path: Path) -> None:
    """What is in a jar decides the rewrite of its Dockerfile: before it is built, little can be told."""
    stages = re.findall(r"stage\('(\w+)'\)", path.read_text())
    assert stages.index("Jars") < stages.index("Waste") < stages.index("Images")


MODULES = ["orders", "billing", "gateway"]


def test_the_pipeline_never_runs_two_executors_in_one_container_and_empties_it(
    groovy: Groovy, workspace: Path
) -> None:
    env = {**os.environ, "PATH": f"{workspace}/bin:{os.environ['PATH']}"}
    executor = f"executor={workspace}/bin/executor"
    (workspace / "bin" / "imgopt").write_text("#!/bin/sh\n")  # the budgets are not what is asked here
    run = groovy("pipeline", ROOT / "ci" / "Jenkinsfile", STEP, executor, cwd=workspace, env=env)
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
    said = [line.split("\t") for line in run.stdout.splitlines() if "\t" in line]
    assert [name for kind, name in said if kind == "branch"] == MODULES
    held: set[str] = set()
    builds = []
    for kind, name in said:
        if kind == "lock":
            held.add(name)
        elif kind == "unlock":
            held.remove(name)
        elif kind == "sh" and name.startswith("build"):
            builds.append((name, frozenset(held)))
    # the branches are those of one pod: the same lock around all
    assert builds == [(f"build {module}", frozenset({"imgopt-kaniko-pod-1"})) for module in MODULES]
    expanded = "rm -rf /kaniko/[0-9]* /kaniko/deps"
    assert (workspace / "order.txt").read_text().splitlines() == [expanded, "executor"] * 3


def test_what_is_shipped_has_no_reused_container() -> None:
    from imgopt.examine import report_on
    from imgopt.options import Options
    from imgopt_rules import ALL_RULES, PIPELINE_RULES

    for path in SHIPPED:
        report = report_on([str(path)], Options(), rules=ALL_RULES, pipeline_rules=PIPELINE_RULES)
        rules = [finding.rule for file in report.files for finding, _ in file.findings]
        assert not {"reused-kaniko", "parallel-pushes"} & set(rules)


def test_an_image_over_its_budget_stops_the_build_before_the_push(groovy: Groovy, workspace: Path) -> None:
    run = step(groovy, workspace, "image=registry.example/team/orders", "maxUnpacked=100kB")
    assert "error\torders is over its budget" in run.stdout
    assert "<failure" in (workspace / "imgopt-orders.xml").read_text()
    assert not (workspace / "push.txt").exists()


def test_a_gate_that_cannot_measure_stops_it_as_well(groovy: Groovy, workspace: Path) -> None:
    (workspace / "built.tar").write_bytes(b"no tar")
    run = step(groovy, workspace, "image=registry.example/team/orders", "maxSize=10MB")
    assert "error\torders could not be judged: imgopt gate ended with 2" in run.stdout
    assert not (workspace / "push.txt").exists()


def test_a_push_that_breaks_off_is_tried_again(groovy: Groovy, workspace: Path) -> None:
    run = step(
        groovy, workspace, "image=r.example/orders", "maxSize=10MB", "lock=", "buildLock=", LINES_NEEDED="6"
    )
    assert "failed\tscript returned exit code 1" in run.stdout
    assert run.stdout.splitlines()[-1] == "done"
    assert "lock\t" not in run.stdout


def test_the_image_arrives_in_a_registry(groovy: Groovy, workspace: Path) -> None:
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    (workspace / "registry").mkdir()
    with registries.registry(workspace / "registry") as registry:
        target = f"{registry.name}/team/orders"
        run = step(groovy, workspace, f"image={target}", "tag=7", "maxSize=10MB", REAL_PUSH="1")
        assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
        with urllib.request.urlopen(f"http://{registry.name}/v2/team/orders/tags/list") as answer:
            assert json.load(answer) == {"name": "team/orders", "tags": ["7"]}


def test_a_setting_that_is_none_is_an_error(groovy: Groovy, workspace: Path) -> None:
    run = step(groovy, workspace, "image=r.example/orders", "maxsize=10MB")
    assert "error\timgoptGate: there is no setting maxsize" in run.stdout
    assert "error\timgoptGate: image is missing" in step(groovy, workspace, "tag=1").stdout


# several images in one call


def test_thirteen_modules_are_pushed_with_one_call(groovy: Groovy, workspace: Path) -> None:
    env = {**os.environ, "PATH": f"{workspace}/bin:{os.environ['PATH']}"}
    executor = f"executor={workspace}/bin/executor"
    run = groovy("pipeline", ROOT / "ci" / "Jenkinsfile.modules", STEP, executor, cwd=workspace, env=env)
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
    said = told(run)
    assert sum(line.startswith("sh\tbuild") for line in said) == 13
    assert [line for line in said if line.startswith("sh\tpush")] == ["sh\tpush 13 images"]
    # after the last gate, under the lock of the link
    assert said[-4:] == ["lock\tregistry", "sh\tpush 13 images", "unlock\tregistry", "done"]
    assert (workspace / "push.txt").read_text().splitlines() == ["push", "--all", "--", "-"]
    lines = (workspace / "list.txt").read_text().splitlines()
    assert len(lines) == 13
    assert lines[0] == '"accounts.tar" "registry.example/team/accounts:7"'
    assert all((workspace / line.split('"')[1]).is_file() for line in lines)


def test_several_images_arrive_in_a_registry_and_the_layer_in_common_once(
    groovy: Groovy, workspace: Path
) -> None:
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    common = layer({"base": os.urandom(200_000)})
    for name in ("orders", "billing", "mail"):
        docker_archive(
            workspace / f"{name}.tar", [common, layer({"app": name.encode() * 500})], ["FROM x", "COPY app /"]
        )
    with registries.registry(workspace / "registry") as registry, registries.proxy(registry.port) as proxy:
        targets = [f"{proxy.name}/team/{name}:7" for name in ("orders", "billing", "mail")]
        run = push_step(groovy, workspace, f"targets=[{';'.join(targets)}]", REAL_PUSH="1")
        assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
        assert 200_000 < proxy.sent() < 250_000
        for name in ("orders", "billing", "mail"):
            with urllib.request.urlopen(f"http://{registry.name}/v2/team/{name}/tags/list") as answer:
                assert json.load(answer)["tags"] == ["7"]


def test_values_of_a_list_are_read_by_no_shell(groovy: Groovy, workspace: Path) -> None:
    target = "targets={my $(touch hacked).tar:registry.example/team/orders:7}"
    run = push_step(groovy, workspace, target, "lock=", "imgoptContainer=")
    assert told(run) == ["sh\tpush 1 images", "done"]
    assert (workspace / "list.txt").read_text() == (
        '"my $(touch hacked).tar" "registry.example/team/orders:7"\n'
    )
    assert not (workspace / "hacked").exists()


def test_a_call_that_breaks_off_is_made_again(groovy: Groovy, workspace: Path) -> None:
    run = push_step(groovy, workspace, "targets=[r.example/a:1;r.example/b:1]", LINES_NEEDED="6")
    assert "failed\tscript returned exit code 1" in run.stdout
    assert run.stdout.splitlines()[-1] == "done"
    assert len((workspace / "list.txt").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tries=2"], "imgoptPush: targets is missing"),
        (["targets=[a:1]", "target=b"], "imgoptPush: there is no setting target"),
        (["targets=[r.example/x/api:1;r.example/y/api:1]"], "would both be api.tar"),
        (['targets={a".tar:r.example/a:1}'], "imgoptPush: a quote or a line end is in a"),
        (["targets={a.tar:r.example/a:1\nb.tar r.example/b:1}"], "imgoptPush: a quote or a line end is in a"),
    ],
)
def test_a_list_that_is_none_is_an_error(
    settings: list[str], message: str, groovy: Groovy, workspace: Path
) -> None:
    run = push_step(groovy, workspace, *settings)
    assert f"error\t{message}" in run.stdout or message in run.stdout, run.stdout + run.stderr
    assert not (workspace / "push.txt").exists()


def test_siblings_of_a_single_image(groovy: Groovy, workspace: Path) -> None:
    run = step(
        groovy,
        workspace,
        "image=r.example/team/orders",
        "maxSize=10MB",
        "siblings=[team/billing;team/$(touch hacked)]",
    )
    assert run.stdout.splitlines()[-1] == "done", run.stdout + run.stderr
    assert (workspace / "push.txt").read_text().splitlines() == [
        "push",
        "--mount-from",
        "team/billing",
        "--mount-from",
        "team/$(touch hacked)",
        "--",
        "orders.tar",
        "r.example/team/orders:latest",
    ]
    assert not (workspace / "hacked").exists()
