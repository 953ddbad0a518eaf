"""`imgopt compare` as a user calls it, on a real Docker Engine. The bases are stand-ins (see tests/stand_ins.py)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_ins
from json_schemas import fits
from private_docker import Engine

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = """\
FROM eclipse-temurin:17-jdk
WORKDIR /app
COPY target/app.jar app.jar
EXPOSE 8080
ENTRYPOINT ["java", "-jar", "app.jar"]
"""


@pytest.fixture
def project(app: Callable[..., Path], engine: Engine, tmp_path: Path) -> Path:
    for name in ("eclipse-temurin:17-jdk", "eclipse-temurin:17-jre-alpine"):
        stand_ins.stand_in(engine, name)
    (tmp_path / "target").mkdir()
    shutil.copy(app("3.5.16"), tmp_path / "target" / "app.jar")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def invocation(
    engine: Engine | None, *arguments: str | Path, cache: Path, **variables: str
) -> tuple[list[str], dict[str, str]]:
    path = os.pathsep.join(str(ROOT / directory) for directory in ("optimizer", "rules"))
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "XDG_CACHE_HOME": str(cache),
        "COLUMNS": "100",
        **variables,
    }
    if engine is not None:
        environment |= engine.environment
    program = "import sys; from imgopt.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "compare", *map(str, arguments)], environment


def compare(
    engine: Engine | None, *arguments: str | Path, cache: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    command, environment = invocation(engine, *arguments, cache=cache, **variables)
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=900)


def left_in(engine: Engine) -> tuple[set[str], set[str]]:
    """IDs of all images and containers, dangling and stopped ones too."""
    images = {image.id for image in engine.client.images.list(all=True)}
    return images, {container.id for container in engine.client.containers.list(all=True)}


def test_both_are_built_measured_started_and_their_next_release_is_weighed(
    project: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there = left_in(engine)
    files = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = compare(
        engine, project, "--next-release", "--format", "json", cache=tmp_path_factory.mktemp("cache")
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    fits("compare", answer)
    assert answer["compared"] and answer["behaviour"]["alike"] and answer["behaviour"]["ran"]
    assert answer["engine"]["name"] == "docker"
    before, after = answer["images"]["before"], answer["images"]["after"]
    assert before["id"] != after["id"]
    assert (before["stand_in_for"], after["base"]) == (
        "eclipse-temurin:17-jdk",
        "eclipse-temurin:17-jre-alpine",
    )
    jar = (project / "target/app.jar").stat().st_size
    layer = next(each for each in answer["before"]["layers"] if each["line"] == 3)
    assert layer["uncompressed_bytes"] == pytest.approx(jar, rel=0.001) and layer["basis"] == "measured"
    assert layer["changes_each_release"] is True
    libraries = max(
        (each for each in answer["after"]["layers"] if not each["from_base"]),
        key=lambda each: each["compressed_bytes"],
    )
    assert libraries["changes_each_release"] is False
    sent = answer["next_push_bytes"]
    assert sent["basis"] == "measured" and 0 < sent["after"] <= 0.005 * sent["before"]
    assert {check["name"] for check in answer["behaviour"]["checks"]} >= {
        "Entrypoint",
        "Java",
        "answer: GET /actuator/health",
    }
    assert {path: path.read_bytes() for path in files} == files
    assert {path for path in project.rglob("*") if path.is_file()} == set(files)
    assert left_in(engine) == there, "images or containers were left behind"


def test_what_answers_otherwise_is_named_and_is_a_verdict(
    project: Path, engine: Engine, tmp_path: Path
) -> None:
    """The two bases are of different systems, which a command that asks for it sees."""
    done = compare(engine, project, "--smoke", "cat /etc/os-release", cache=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "Behaviour  differs" in done.stdout
    assert "cat /etc/os-release" in done.stdout


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_what_was_not_seen_to_work_is_not_measured(
    project: Path, engine: Engine, tmp_path: Path, format: str
) -> None:
    """It starts, and is never up by the only measure that counts: its time runs out, on any machine."""
    never = ("--smoke", "false", "--start-timeout", "2", "--stop-timeout", "60", "--format", format)
    done = compare(engine, project, *never, cache=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "not measured" in done.stdout
    assert "--start-timeout" in done.stdout and "--smoke CMD" in done.stdout and "--no-run" in done.stdout
    assert "behave alike as" not in done.stdout and "Behaviour  alike" not in done.stdout
    if format == "json":
        fits("compare", json.loads(done.stdout))
        found = json.loads(done.stdout)["behaviour"]
        assert (found["alike"], found["measured"], found["ran"], found["worked"]) == (
            None,
            False,
            True,
            False,
        )
        assert "neither answered" in found["not_measured"][0]


def test_without_a_start_the_configs_are_compared(project: Path, engine: Engine, tmp_path: Path) -> None:
    done = compare(engine, project, "--no-run", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing was started: --no-run" in done.stdout
    assert "alike as far as the configs say" in done.stdout


def test_an_original_that_does_not_build_was_broken_before(
    project: Path, engine: Engine, tmp_path: Path
) -> None:
    there = left_in(engine)
    dockerfile = DOCKERFILE.replace("EXPOSE 8080", "RUN echo about to fail && false")
    (project / "Dockerfile").write_text(dockerfile)
    done = compare(engine, project, "--no-run", cache=tmp_path)
    assert done.returncode == 3
    assert "does not build as it is, before any rewrite" in done.stderr
    assert "about to fail" in done.stderr  # the build's own output
    assert "Traceback" not in done.stderr
    assert left_in(engine) == there


def test_a_cancelled_job_leaves_nothing(project: Path, engine: Engine, tmp_path: Path) -> None:
    """CI systems send SIGTERM."""
    there = left_in(engine)
    (project / "Dockerfile").write_text(DOCKERFILE.replace("EXPOSE 8080", "RUN echo going on; sleep 600"))
    command, environment = invocation(engine, project, "--no-run", "--verbose", cache=tmp_path)
    process = subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if "going on" in line and "RUN" not in line:
            break
    process.terminate()
    process.stderr.read()
    assert process.wait(60) == 130
    deadline = time.monotonic() + 30  # the daemon takes a moment to end the step
    while left_in(engine) != there and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_in(engine) == there


def test_a_good_file_has_nothing_to_compare(project: Path, engine: Engine, tmp_path: Path) -> None:
    good = compare(engine, project, "--no-run", "--select", "retired-base", cache=tmp_path)
    assert good.returncode == 0, good.stderr
    assert "nothing to compare" in good.stdout


def test_without_an_engine_it_says_what_was_tried(project: Path, tmp_path: Path) -> None:
    done = compare(
        None, project, "--engine", "docker", cache=tmp_path, DOCKER_HOST=f"unix://{tmp_path}/nothing.sock"
    )
    assert done.returncode == 3
    assert "nothing.sock" in done.stderr and "Traceback" not in done.stderr


def test_many_dockerfiles_in_one_directory_are_not_guessed_among(tmp_path: Path) -> None:
    for name in ("Dockerfile", "Dockerfile.dev"):
        (tmp_path / name).write_text(DOCKERFILE)
    done = compare(None, tmp_path, cache=tmp_path)
    assert done.returncode == 2
    assert "2 Dockerfiles" in done.stderr


def test_where_the_report_cannot_go_is_said_before_anything_is_built(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    done = compare(None, tmp_path, "--output-file", tmp_path / "no" / "such" / "report", cache=tmp_path)
    assert done.returncode == 2
    assert "its directory does not exist" in done.stderr
