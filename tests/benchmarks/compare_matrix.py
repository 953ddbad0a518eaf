"""`imgopt compare --next-release` for many applications on many engines: the bytes of the next release, a table.

    python tests/benchmarks/compare_matrix.py [--engines docker-classic,kaniko] [--apps 3.5.16,zipkin-server] [--out FILE]

The applications: the demo application (fixtures/apps) in five lines of Spring Boot, and three published executable jars
(tests/published.py). Each run is a user's: original and rewrite are built without a cache, both start and are asked
the same, one class is changed and both are built again. Base images are stand-ins made from Debian packages
(tests/stand_ins.py), so sizes of bases are the catalogue's. Builders are the tests' own (tests/builders.py).
FILE gets a JSON object a line, and runs that stand there are not made again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / part) for part in ("tests", "optimizer", "rules")]

import apps  # noqa: E402
import builders  # noqa: E402
import private_docker  # noqa: E402
import published  # noqa: E402

BASE = "eclipse-temurin:17-jdk"
ENGINES = ("docker-classic", "docker-buildkit", "podman", "buildkit", "kaniko", "kaniko-reproducible")
PROGRAM = [sys.executable, "-c", "import sys; from imgopt.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class App:
    name: str
    jar: Path
    start: tuple[str, ...]
    asked: str


def applications(wanted: list[str] | None) -> Iterator[App]:
    for version in apps.FULL:
        if wanted is None or version in wanted:
            yield App(version, apps.build(version), ("java", "-jar", "app.jar"), "/actuator/health")
    for jar in published.PUBLISHED:
        if wanted is None or jar.name in wanted:
            command = ("java", *jar.options, "-jar", "app.jar", *jar.arguments)
            yield App(jar.name, published.fetch(jar), command, jar.answers)


@contextlib.contextmanager
def engines(wanted: list[str]) -> Iterator[dict[str, builders.Builder]]:
    with contextlib.ExitStack() as stack:
        docker = stack.enter_context(private_docker.engine())
        archives = builders.Archives(docker, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        bases = stack.enter_context(builders.bases(archives))
        found: dict[str, builders.Builder] = {}
        for name in wanted:
            if name.startswith("docker-"):
                found[name] = builders.docker(docker, buildkit=name == "docker-buildkit")
            elif name == "podman":
                found[name] = stack.enter_context(builders.podman(archives))
            elif name == "buildkit":
                found[name] = stack.enter_context(builders.buildkit(bases))
            else:
                kaniko = builders.kaniko(bases)
                found[name] = builders.reproducible(kaniko) if name.endswith("reproducible") else kaniko
        # what BuildKit and kaniko build is started by Docker
        os.environ["DOCKER_HOST"] = docker.address
        yield found


def options(builder: builders.Builder) -> list[str]:
    said = ["--engine", builder.engine]
    for name, value in builder.options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            option = "--kaniko-flag" if name == "kaniko_flags" else f"--{name.replace('_', '-')}"
            said.append(f"{option}={each}")
    return said


def run(app: App, builder: builders.Builder, directory: Path) -> dict[str, Any]:
    (directory / "target").mkdir()
    try:
        (directory / "target/app.jar").hardlink_to(app.jar)
    except OSError:
        (directory / "target/app.jar").write_bytes(app.jar.read_bytes())
    (directory / "Dockerfile").write_text(
        f"FROM {BASE}\nWORKDIR /app\nCOPY target/app.jar app.jar\nEXPOSE 8080\nENTRYPOINT {json.dumps(list(app.start))}\n"
    )
    environment = {
        **builder.environment,
        "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("optimizer", "rules")),
    }
    rewrite = subprocess.run(
        [*PROGRAM, "rewrite", str(directory / "Dockerfile")],
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    for name in {BASE, *re.findall(r"^FROM (\S+:\S+)", rewrite, re.MULTILINE)}:
        builder.provide(name)
    begin = time.monotonic()
    command = [
        *PROGRAM,
        "compare",
        str(directory),
        "--next-release",
        "--format",
        "json",
        "--smoke",
        app.asked,
    ]
    done = subprocess.run([*command, *options(builder)], env=environment, text=True, capture_output=True)
    seconds = round(time.monotonic() - begin)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return {"code": done.returncode, "error": done.stderr[-2000:], "seconds": seconds}
    if not answer.get("compared"):
        return {"code": done.returncode, "error": str(answer.get("errors")), "seconds": seconds}
    behaviour = answer["behaviour"]
    return {
        "code": done.returncode,
        "seconds": seconds,
        "engine": answer["engine"]["description"],
        "base": answer["images"]["after"]["base"],
        "next": answer["next_push_bytes"],
        "before": answer["before"]["layers"],
        "after": answer["after"]["layers"],
        "alike": behaviour["alike"],
        "ran": behaviour["ran"],
        "different": [each for each in behaviour["checks"] if each["verdict"] in ("different", "unknown")],
        "start": [behaviour[side]["start_seconds"] for side in ("before", "after")],
        "notes": answer["notes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--apps")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    known: dict[tuple[str, str], dict[str, Any]] = {}
    if given.out and given.out.exists():
        for line in given.out.read_text().splitlines():
            row = json.loads(line)
            known[row["app"], row["on"]] = row
    wanted = given.engines.split(",")
    print(
        f"{'application':<30} {'engine':<20} {'before':>12} {'after':>10} {'share':>8}  start, s      alike"
    )
    with engines(wanted) as found:
        for app in applications(given.apps.split(",") if given.apps else None):
            for name, builder in found.items():
                if (app.name, name) not in known:
                    with tempfile.TemporaryDirectory() as directory:
                        row = {"app": app.name, "on": name, **run(app, builder, Path(directory))}
                    known[app.name, name] = row
                    if given.out:
                        with given.out.open("a") as file:
                            file.write(json.dumps(row) + "\n")
                show(known[app.name, name])


def show(row: dict[str, Any]) -> None:
    label = f"{row['app']:<30} {row['on']:<20}"
    if "error" in row:
        print(f"{label} exit code {row['code']}: {row['error'].strip().splitlines()[-1][:150]}", flush=True)
        return
    before, after = row["next"]["before"], row["next"]["after"]
    share = f"{100 * after / before:.3f} %" if before else ""
    start = " → ".join("?" if each is None else f"{each:.1f}" for each in row["start"])
    alike = "yes" if row["ran"] else "configs"
    if not row["alike"]:
        alike = f"{'NOT MEASURED' if row['alike'] is None else 'NO'}: {row['different']}"[:300]
    print(f"{label} {before or 0:>12,} {after or 0:>10,} {share:>8}  {start:<13} {alike}", flush=True)


if __name__ == "__main__":
    main()
