"""`imgopt compare --next-release` on every engine: both are built, both start (those of BuildKit and kaniko in Docker),
and the next release after the rewrite is at most 0.5 % of the one before. The bases are stand-ins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import private_docker
import pytest
from json_schemas import fits
from test_compare_command import DOCKERFILE, ROOT

# Docker: test_compare_command.py; digests on all builders: tests/engines/test_releases.py
ENGINES = ("podman", "buildkit", "kaniko")


@pytest.mark.parametrize("name", ENGINES)
def test_the_next_release_is_small_wherever_the_engine_keeps_digests(
    name: str,
    request: pytest.FixtureRequest,
    app: Callable[..., Path],
    engine: private_docker.Engine,
    tmp_path: Path,
) -> None:
    builder: builders.Builder = request.getfixturevalue(name)
    for base in ("eclipse-temurin:17-jdk", "eclipse-temurin:17-jre-alpine"):
        builder.provide(base)
    project = tmp_path / "project"
    (project / "target").mkdir(parents=True)
    shutil.copy(app("3.5.16"), project / "target" / "app.jar")
    (project / "Dockerfile").write_text(DOCKERFILE)
    answer = compare(builder, project, tmp_path, engine)
    before, after = (answer["next_push_bytes"][side] for side in ("before", "after"))
    print(f"next release, {answer['engine']['description']}: {before:,} bytes before, {after:,} after")
    assert answer["behaviour"]["ran"] and answer["behaviour"]["alike"]
    if name == "kaniko":  # 1.24 stamps every file of every layer: said, with what to do and its price
        assert after > 0.9 * before
        assert any("--reproducible" in note for note in answer["notes"]), answer["notes"]
        findings = answer["next_release"]["findings"]["after"]
        assert findings and all(each["rule"] == "unstable-layers" for each in findings)
    else:
        assert 0 < after <= 0.005 * before


def compare(
    builder: builders.Builder, project: Path, cache: Path, engine: private_docker.Engine
) -> dict[str, Any]:
    options = ["--engine", builder.engine]
    for option, value in builder.options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            name = "--kaniko-flag" if option == "kaniko_flags" else f"--{option.replace('_', '-')}"
            options.append(f"{name}={each}")
    environment = {
        **os.environ,
        "DOCKER_HOST": engine.address,  # what starts the images of BuildKit and kaniko
        **builder.environment,
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("optimizer", "rules")),
        "XDG_CACHE_HOME": str(cache),
    }
    if builder.engine in ("buildkit", "kaniko"):
        environment["DOCKER_HOST"] = engine.address
    program = "import sys; from imgopt.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "compare", str(project), "--next-release", "--format", "json"]
    done = subprocess.run([*command, *options], env=environment, text=True, capture_output=True, timeout=1200)
    assert done.returncode == 0, done.stderr + done.stdout[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    fits("compare", found)
    return found
