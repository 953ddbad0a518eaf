"""`imgopt fleet compare` on a real engine: two modules that work, and one that does not build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import builders
from fleet_repositories import reactor
from private_docker import Engine

ROOT = Path(__file__).parents[2]


def test_each_module_is_built_and_started_whatever_becomes_of_another(
    app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    builder = builders.docker(engine, buildkit=False)
    for base in ("17-jre", "17-jre-alpine"):
        builder.provide(f"eclipse-temurin:{base}")
    text = (
        'FROM eclipse-temurin:17-jre\nCOPY target/*.jar /app.jar\n%sENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    root = tmp_path / "shop"
    reactor(
        root,
        ["auth", "order", "bill"],
        **{
            "auth/Dockerfile": text % "",
            "order/Dockerfile": text % "",
            "bill/Dockerfile": text % "RUN echo no such thing && exit 7\n",
        },
    )
    for name in ("auth", "order", "bill"):
        shutil.rmtree(root / name / "target", ignore_errors=True)
        (root / name / "target").mkdir()
        shutil.copy(app("3.5.16"), root / name / "target" / f"{name}-1.0.jar")
    paths = os.pathsep.join(str(ROOT / directory) for directory in ("optimizer", "rules"))
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        **engine.environment,
    }
    program = "import sys; from imgopt.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "fleet", "compare", str(root), "--format", "json"],
        env=environment,
        text=True,
        capture_output=True,
        timeout=900,
    )
    assert done.returncode == 3, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    assert {each["module"]: each["verdict"] for each in answer["modules"]} == {
        "auth": "alike",
        "order": "alike",
        "bill": "failed",
    }
    failed = next(each for each in answer["modules"] if each["module"] == "bill")
    assert "does not build as it is" in failed["error"]["message"] and failed["error"]["path"].endswith(
        "bill/Dockerfile"
    )
    both = answer["together"]["first_push_bytes"]
    one = next(each for each in answer["modules"] if each["module"] == "auth")["comparison"][
        "first_push_bytes"
    ]
    assert both["basis"] == "measured"
    # the same base, and the same libraries in layers of their own
    assert both["after"] < 1.1 * one["after"] and both["before"] < 1.1 * one["before"]
