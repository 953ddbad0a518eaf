"""The rewritten Dockerfile builds on a real engine and starts the application as the original did."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from builders import Builder
from private_docker import Answer, Engine, Service
from start_forms import ARGUMENTS, ENVIRONMENT, FORMS, HERE_DOCUMENT, StartForm, context, provide_bases

from imgopt.dockerfile import parse
from imgopt.engines import BuildRequest
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.picture.picture import take_picture

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = (
    "/actuator/health",
    "/hello?name=imgopt",
    "/info/args",  # arguments, JVM arguments, working directory, user, environment, version from the manifest
    "/resource",
    "/order",  # a class that two libraries have: the first one on the class path answers
    "/static.txt",
    "/items",
    "/page",
    "/missing",
)
KILLED, TERMINATED = 137, 143

# a Spring Boot line older than the five, and the oldest Java that it is used with
OLD_LINES = {"1.5.22.RELEASE": 8, "2.1.18.RELEASE": 11, "2.3.12.RELEASE": 11, "2.4.1": 8, "2.4.13": 11}


# each form with the newest line of 3, each line with the two commonest forms
STARTED = [(line, form) for line in apps.FULL for form in (FORMS if line == "3.5.16" else FORMS[:2])]


@pytest.mark.parametrize("spring_boot, form", STARTED, ids=[f"{line}-{form.name}" for line, form in STARTED])
def test_the_rewrite_answers_as_the_original(
    spring_boot: str, form: StartForm, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """Five lines of Spring Boot, every form of start command, from a JDK on Debian to a JRE on Alpine (musl)."""
    project = context(tmp_path / "project", app(spring_boot), form, "eclipse-temurin:17-jdk")
    rewrite(project)
    assert "eclipse-temurin:17-jre-alpine" in (project / "Dockerfile.imgopt").read_text()
    compare(engine, project, form)


def test_a_script_in_a_here_document_is_what_buildkit_writes(
    app: Callable[..., Path], engine: Engine, buildkit: Builder, tmp_path: Path
) -> None:
    """The script is read as the builder writes it, and the rewrite starts through it as the original does."""
    project = context(tmp_path / "project", app("3.5.16"), HERE_DOCUMENT, "eclipse-temurin:17-jdk")
    document = parse((project / "Dockerfile").read_bytes())
    picture = take_picture(document, None, Options(), Jars())
    ((_, read),) = picture.start_scripts
    rewrite(project)
    assert "eclipse-temurin:17-jre-alpine" in (project / "Dockerfile.imgopt").read_text()

    with buildkit.open() as builder:  # what it made goes with it
        runner = builder.runner()
        assert runner is not None

        def build(tag: str, dockerfile: str) -> None:
            """By a current BuildKit: that of Debian's daemon knows no here-documents."""
            for base in set(re.findall(r"(?m)^FROM (\S+:\S+)", (project / dockerfile).read_text())):
                buildkit.provide(base)
            image = builder.open(builder.build(BuildRequest(project, project / dockerfile), tag))
            runner.load(image, f"{tag}:latest")
            image.close()

        compare(engine, project, HERE_DOCUMENT, build)
        written = engine.run("before", ["/usr/local/bin/start"], entrypoint="cat")
    assert written == read.replace("$UNKNOWN", "").replace("${GREETING:-nothing}", "nothing")


@pytest.mark.parametrize("spring_boot", OLD_LINES)
def test_the_rewrite_of_an_old_line_answers_as_the_original(
    spring_boot: str, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """Lines without jarmode, without layers, or with an index that their own launcher cannot read."""
    form = FORMS[0]
    project = context(
        tmp_path / "project", app(spring_boot), form, f"eclipse-temurin:{OLD_LINES[spring_boot]}-jdk"
    )
    rewrite(project, "--runtime", "glibc")
    compare(engine, project, form)


@pytest.mark.parametrize("java", [8, 11, 21, 25])
def test_the_rewrite_runs_on_every_java(
    java: int, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    form = FORMS[1] if java > 8 else FORMS[0]  # FORMS[1] opens a module, which Java 8 does not know
    spring_boot = "2.7.18" if java < 17 else "4.1.2"
    project = context(tmp_path / "project", app(spring_boot), form, f"eclipse-temurin:{java}-jdk")
    rewrite(project, "--runtime", "glibc")
    compare(engine, project, form)


@pytest.mark.parametrize("layout", ["zip", "war"])
@pytest.mark.parametrize("spring_boot", ["2.7.18", "3.5.16", "4.1.2"])
def test_the_rewrite_of_other_layouts_answers_as_the_original(
    spring_boot: str, layout: str, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    """A jar for PropertiesLauncher, with libraries added from outside, and a war."""
    archive = app(spring_boot, layout)
    form = StartForm(
        layout,
        f'WORKDIR /app\nCOPY target/{archive.name} {archive.name}\nENTRYPOINT ["java","-jar","{archive.name}"]\n',
    )
    project = context(tmp_path / "project", archive, form, "eclipse-temurin:17-jdk")
    rewrite(project)
    compare(engine, project, form)


def rewrite(project: Path, *options: str) -> None:
    """Run `imgopt rewrite`, as a user does, into Dockerfile.imgopt."""
    command = [sys.executable, "-c", "from imgopt.cli import main; main()"]
    command += [
        "rewrite",
        str(project / "Dockerfile"),
        "--output",
        str(project / "Dockerfile.imgopt"),
        *options,
    ]
    path = os.pathsep.join(str(ROOT / directory) for directory in ("optimizer", "rules"))
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    changed = (project / "Dockerfile.imgopt").read_text() != (project / "Dockerfile").read_text()
    assert changed, f"imgopt rewrote nothing:\n{done.stdout}"


def compare(
    engine: Engine, project: Path, form: StartForm, build: Callable[[str, str], None] | None = None
) -> None:
    """Build both, start both in the same way, ask both the same, stop both."""
    images = {"before": "Dockerfile", "after": "Dockerfile.imgopt"}
    for tag, dockerfile in images.items():
        if build is not None:
            build(tag, dockerfile)
            continue
        provide_bases(engine, project / dockerfile)
        engine.build(project, tag, dockerfile=dockerfile)
    arguments = ARGUMENTS if form.takes_arguments else ()
    services: dict[str, Service] = {}
    codes: dict[str, int] = {}
    try:
        for tag in images:
            services[tag] = engine.start(tag, arguments, environment=ENVIRONMENT)
        for service in services.values():
            service.wait()
        answers = {
            tag: {path: shown(service.get(path)) for path in PATHS} for tag, service in services.items()
        }
    finally:
        codes = {tag: service.stop() for tag, service in services.items()}
    text = (project / "Dockerfile.imgopt").read_text()
    for path in PATHS:
        assert answers["after"][path] == answers["before"][path], f"{path} answers otherwise after:\n{text}"
    # `sh -c` of some bases replaces itself with java, of others it stays and never hears SIGTERM: that may only improve
    assert codes["after"] == codes["before"] or (codes["before"], codes["after"]) == (KILLED, TERMINATED), (
        codes
    )
    if form.takes_arguments:
        assert json.loads(answers["after"]["/info/args"][2])["profiles"] == ["test"]


def shown(answer: Answer) -> tuple[int, str | None, str]:
    """What must be the same of an answer: status, type and, unless it is an error page with a time in it, the body."""
    body = answer.body if answer.status == 200 else ""
    body = re.sub(r'"(total|free)":\d+', r'"\1":0', body)  # disk space in the health check of 1.5
    # an image without /etc/localtime runs in "GMT", one with Debian's in "Etc/UTC": two names of one zone
    return answer.status, answer.headers.get("content-type"), body.replace('"GMT"', '"Etc/UTC"')
