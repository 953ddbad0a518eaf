"""`imgopt compare` of a file that does not build: for the reason that `broken-layering` gives, the rewrite alone is built and
started; for another one, nothing is claimed. Only a builder can show that what it says is known again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import private_docker
import pytest
from json_schemas import fits
from test_compare_command import invocation

BASE = "eclipse-temurin:17-jre-alpine"
BROKEN = f"""\
FROM {BASE} AS runtime
COPY --from=builder /app/target/*.jar app.jar
RUN java -Djarmode=layertools -jar app.jar extract
COPY --from=extract dependencies/ ./
COPY --from=extract spring-boot-loader/ ./
COPY --from=extract snapshot-dependencies/ ./
COPY --from=extract application/ ./
"""
# into a directory named after the jar, which the COPY lines do not know
ELSEWHERE = f"""\
FROM {BASE} AS builder
WORKDIR /work
COPY target/app.jar app.jar
RUN java -Djarmode=tools -jar app.jar extract --layers --launcher
FROM {BASE}
WORKDIR /application
COPY --from=builder /work/dependencies/ ./
COPY --from=builder /work/spring-boot-loader/ ./
COPY --from=builder /work/snapshot-dependencies/ ./
COPY --from=builder /work/application/ ./
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
"""


def project(root: Path, jar: Path, dockerfile: str) -> Path:
    (root / "target").mkdir(parents=True)
    shutil.copy(jar, root / "target" / "app.jar")
    (root / "Dockerfile").write_text(dockerfile)
    return root


def compare(
    builder: builders.Builder, engine: private_docker.Engine, root: Path, *arguments: str, cache: Path
) -> subprocess.CompletedProcess[str]:
    options = ["--engine", builder.engine]
    for option, value in builder.options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            name = "--kaniko-flag" if option == "kaniko_flags" else f"--{option.replace('_', '-')}"
            options.append(f"{name}={each}")
    command, environment = invocation(None, root, *options, *arguments, cache=cache)
    own = {name: value for name, value in builder.environment.items() if os.environ.get(name) != value}
    environment = {**environment, "DOCKER_HOST": engine.address, **own}
    if builder.engine in ("buildkit", "kaniko"):
        environment["DOCKER_HOST"] = engine.address  # what starts their images
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=900)


def open_builder(
    name: str, request: pytest.FixtureRequest, engine: private_docker.Engine
) -> builders.Builder:
    if name == "docker":
        return builders.docker(engine, buildkit=False)
    found: builders.Builder = request.getfixturevalue(name)
    return found


@pytest.mark.parametrize(
    "name, dockerfile, line, seen",
    [
        ("docker", BROKEN, 2, "builder"),
        ("buildkit", BROKEN, 2, "builder|extract"),  # it asks for both at once
        ("docker", ELSEWHERE, 7, "work/dependencies"),
    ],
    ids=["docker", "buildkit", "docker-unpacked-elsewhere"],
)
def test_an_original_that_fails_as_predicted_and_a_rewrite_that_answers(
    name: str,
    dockerfile: str,
    line: int,
    seen: str,
    request: pytest.FixtureRequest,
    app: Callable[..., Path],
    engine: private_docker.Engine,
    tmp_path: Path,
) -> None:
    builder = open_builder(name, request, engine)
    builder.provide(BASE)
    root = project(tmp_path / "project", app("3.5.16"), dockerfile)
    done = compare(builder, engine, root, "--format", "json", cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr + done.stdout[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    fits("compare", answer)
    mended = answer["mended"]
    assert not answer["compared"] and answer["images"].keys() == {"after"}
    assert mended["predicted"]["line"] == line
    assert re.search(seen, mended["seen"]["reason"]), mended["seen"]
    rewrite = mended["rewrite"]
    assert (rewrite["builds"], rewrite["works"], rewrite["started"]) == (True, True, True)
    assert rewrite["answers"]["GET /actuator/health"].startswith("200 ")
    assert mended["not_measured"] == []


def test_an_original_that_fails_otherwise_than_predicted_is_not_mended(
    app: Callable[..., Path], engine: private_docker.Engine, tmp_path: Path
) -> None:
    builder = builders.docker(engine, buildkit=False)
    builder.provide(BASE)
    other = BROKEN.replace(
        "COPY --from=builder", "RUN echo the builder is not to blame && false\nCOPY --from=builder"
    )
    root = project(tmp_path / "project", app("3.5.16"), other)
    done = compare(builder, engine, root, cache=tmp_path / "cache")
    assert done.returncode == 3, done.stdout
    said = " ".join(done.stderr.split())
    assert (
        "does not build as it is, before any rewrite, and not for what was predicted (line 3: stages" in said
    )
    assert "the builder is not to blame" in said
    assert done.stdout == ""


def test_what_takes_an_original_that_builds_is_not_measured(
    app: Callable[..., Path], engine: private_docker.Engine, tmp_path: Path
) -> None:
    """The rewrite that ends at once has no original beside it: that it should work differently, nothing shows."""
    builder = builders.docker(engine, buildkit=False)
    builder.provide(BASE)
    root = project(
        tmp_path / "project", app("3.5.16"), BROKEN + 'ENTRYPOINT ["sh", "-c", "echo over; exit 7"]\n'
    )
    done = compare(builder, engine, root, "--next-release", "--unsafe", cache=tmp_path / "cache")
    assert done.returncode == 3, done.stderr
    said = " ".join(done.stdout.split())
    assert "The original does not build, as predicted" in said
    assert "stages builder and extract are not in the file" in said
    assert "builds, and was not seen to work" in said and "with exit code 7" in said
    assert "--next-release takes an original that builds" in said
