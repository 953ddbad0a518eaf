"""The demo project of `make demo`, a published service with native libraries, built and started before and after."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from private_docker import Engine, Service
from start_forms import provide_bases
from test_rewrites_run import TERMINATED, rewrite, shown

DEMO = Path(__file__).resolve().parent.parent.parent / "fixtures" / "demo"
PATHS = ("/health", "/info", "/api/v2/services", "/zipkin/config.json", "/missing")


def test_the_demo_answers_as_before(engine: Engine, tmp_path: Path) -> None:
    jar = tmp_path / "target" / "zipkin-server.jar"
    subprocess.run([sys.executable, DEMO / "fetch.py", jar], check=True)
    shutil.copy(DEMO / "Dockerfile", tmp_path)
    rewrite(tmp_path)
    services: list[Service] = []
    try:
        for tag, dockerfile in (("demo:before", "Dockerfile"), ("demo:after", "Dockerfile.imgopt")):
            provide_bases(engine, tmp_path / dockerfile)
            engine.build(tmp_path, tag, dockerfile=dockerfile)
            services.append(engine.start(tag, environment={"QUERY_PORT": "8080"}))
        for service in services:
            service.wait("/health")
        before, after = ({path: shown(service.get(path)) for path in PATHS} for service in services)
    finally:
        codes = [service.stop() for service in services]
    assert after == before
    assert before["/health"][0] == before["/api/v2/services"][0] == 200
    assert codes[1] in (codes[0], TERMINATED)
