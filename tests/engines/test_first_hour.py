"""What the README and docs/first-hour.md tell a newcomer to type, typed: in a service's repository, with a real engine.

Not as they stand: `docker build` gets `--network none`, since the tests' engine has no bridge, and Maven's wrapper hands out a
jar that is built already.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import stand_ins
from private_docker import Engine

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = """\
FROM eclipse-temurin:17-jdk
WORKDIR /app
COPY target/app.jar app.jar
EXPOSE 8080
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
JENKINSFILE = """\
node { stage('Image') { timeout(time: 5, unit: 'MINUTES') {
    sh '/kaniko/executor --context dir://$PWD --destination registry.example/shop/orders:1'
} } }
"""


def blocks(page: str) -> list[str]:
    """The shell commands of a page, without those that install imgopt, and without a jar that is already built."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return [block for block in found if "tool install" not in block]


@pytest.fixture
def service(app: Callable[..., Path], engine: Engine, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory with a service's repository in `my-service`, and the environment to type in."""
    for name in ("eclipse-temurin:17-jdk", "eclipse-temurin:17-jre-alpine"):
        stand_ins.stand_in(engine, name)
    jar = app("3.5.16")
    programs, repository = tmp_path / "bin", tmp_path / "my-service"
    for directory in (programs, repository, tmp_path / "home"):
        directory.mkdir()
    paths = os.pathsep.join(str(ROOT / each) for each in ("optimizer", "rules"))
    for path, text in {
        programs / "imgopt": f'PYTHONPATH={paths} exec {sys.executable} -m imgopt "$@"',
        programs
        / "docker": f'c=$1; shift; case $c in build) set -- --network none "$@" ;; esac; exec {engine.cli} $c "$@"',
        repository / "mvnw": f"mkdir -p target && cp {shlex.quote(str(jar))} target/app.jar",
    }.items():
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (repository / "Dockerfile").write_text(DOCKERFILE)
    (repository / ".gitignore").write_text("target/\n*.tar\n")
    environment = {
        **os.environ,
        **engine.environment,
        "HOME": str(tmp_path / "home"),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DOCKER_BUILDKIT": "0",
        **{f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    git = "git init --quiet && git add . && git commit --quiet --message Service"
    subprocess.run(["sh", "-ec", git], cwd=repository, env=environment, check=True)
    return repository, environment


def type_in(commands: str, directory: Path, environment: dict[str, str]) -> str:
    """Everything that the terminal shows; no command may fail."""
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", commands],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_a_first_hour_from_nothing_to_a_gate_in_ci(service: tuple[Path, dict[str, str]]) -> None:
    repository, environment = service
    look, rewrite, budget, pipeline = blocks("docs/first-hour.md")
    assert "fat-jar-layer" in type_in(look, repository, environment)
    said = type_in(rewrite, repository, environment)
    assert "+COPY --from=extract" in said and "alike" in said
    assert "AS extract" in (repository / "Dockerfile").read_text()
    assert "the gate holds" in type_in(budget, repository, environment)
    assert "image.yml" in type_in(pipeline, repository, environment)
    left = ["git", "status", "--porcelain"]
    assert subprocess.check_output(left, cwd=repository, env=environment, text=True) == "", "all is committed"


def test_the_readmes_commands_one_after_the_other(service: tuple[Path, dict[str, str]]) -> None:
    repository, environment = service
    found = blocks("README.md")
    own, rewrite, gate = (
        next(block for block in found if sign in block)
        for sign in ("imgopt suggest Jenkinsfile", "imgopt rewrite --in-place", "imgopt gate image.tar")
    )
    (repository / "Jenkinsfile").write_text(JENKINSFILE)
    said = type_in(own, repository.parent, environment)
    assert "fat-jar-layer" in said and "push-timeout" in said
    assert "imgopt compare " in rewrite  # is run above, and takes half a minute
    assert "+COPY --from=extract" in type_in(
        rewrite.replace("imgopt compare ", ": "), repository, environment
    )
    assert "the gate holds" in type_in(gate, repository, environment)
