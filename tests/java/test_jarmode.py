"""What `extract` is taken to write, beside what it writes: Spring Boot's own jar modes, run with archives of their versions
that hold no more than these need."""

from __future__ import annotations

import functools
import io
import os
import shlex
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imgopt.build_context.tree import open_context
from imgopt.dockerfile import parse
from imgopt.options import Options
from imgopt.picture import take_picture
from imgopt.picture.contents import StageContent

NEEDED = ("spring-boot-jarmode", "spring-core", "spring-jcl", "commons-logging", "tomcat-embed-websocket")
TOOLS, LAYERTOOLS = "-Djarmode=tools -jar app.jar", "-Djarmode=layertools -jar app.jar"
WAR = "-Djarmode=tools -jar app.war"
#: The version, the words behind `java`, and what comes of it: the outcome, and whether the build goes on.
FORMS = (
    ("3.5.16", f"{TOOLS} extract", "written", True),
    ("3.5.16", f"{TOOLS} extract --layers --launcher --destination out", "written", True),
    ("3.5.16", f"{TOOLS} extract --layers --destination out", "written", True),
    ("4.1.2", f"{TOOLS} extract --launcher --destination out/deep", "written", True),
    ("4.0.9", f"{LAYERTOOLS} extract", "written", True),
    ("2.7.18", f"{LAYERTOOLS} extract --destination out dependencies application", "written", True),
    ("3.5.16", f"{TOOLS} extract --layers dependencies,application --libraries /x --destination out", "written", True),
    ("3.5.16", f"{TOOLS} extract --application-filename sub/a.jar --libraries x/ --destination out", "written", True),
    ("3.5.16", f"{TOOLS} extract --layers spring-boot-loader --destination out", "written", True),
    ("3.5.16", f"{TOOLS} extract superfluous words --destination out", "written", True),
    ("3.5.16", f"{TOOLS} extract --layers , --destination out", "written", True),
    # a layer that the jar has not is no error
    ("3.5.16", f"{TOOLS} extract --layers --launcher,dependencies --destination out", "error", True),
    ("3.5.16", f"{TOOLS} extract --layers nothing --destination out", "written", True),
    ("2.7.18", f"{LAYERTOOLS} extract nothing", "written", True),
    # options of java may stand behind -jar, and the last mode counts
    ("3.5.16", "-jar -Djarmode=tools -Xmx64m app.jar extract --destination out", "written", True),
    ("3.5.16", "-Djarmode=layertools -Djarmode=TOOLS -jar app.jar extract --destination out", "written", True),
    # nothing is written
    ("3.5.16", f"{TOOLS} extract --destination=out", "error", True),
    ("3.5.16", f"{TOOLS} extract --destination", "error", True),
    ("2.7.18", f"{LAYERTOOLS} extract --layers", "error", True),
    ("3.5.16", f"{TOOLS} extract --destination app.jar", "error", False),
    ("3.5.16", f"{TOOLS} extract --destination .", "not-empty", False),
    ("3.5.16", f"{TOOLS} --destination out extract", "error", True),
    ("3.5.16", f"{TOOLS} --layers extract --launcher", "error", False),
    ("3.2.12", f"{TOOLS} extract", "unsupported", False),
    ("4.1.2", f"{LAYERTOOLS} extract", "unsupported", False),
    ("3.5.16", "-Djarmode=tools -jar archive extract --destination out", "error", False),
    ("2.7.18", "-Djarmode=layertools -jar archive extract", "error", False),
    ("3.5.16", "-Djarmode=tools -jar script.jar extract --destination out", "blocked", False),
    # libraries that a war is only provided with
    ("3.5.16 war", f"{WAR} extract --destination out", "blocked", False),
    ("4.1.2 war", f"{WAR} extract --layers --destination out", "blocked", False),
    ("3.5.16 war", f"{WAR} extract --layers --launcher --destination out", "written", True),
    # what only prints
    ("3.5.16", f"{TOOLS} list-layers", None, True),
    ("3.5.16", f"{LAYERTOOLS} list", None, True),
    ("3.5.16", TOOLS, None, True),
)  # fmt: skip


@pytest.mark.parametrize(
    "spring_boot, words, outcome, goes_on", FORMS, ids=[f"{v}: {w}" for v, w, *_ in FORMS]
)
def test_what_is_written(
    spring_boot: str,
    words: str,
    outcome: str | None,
    goes_on: bool,
    app: Callable[..., Path],
    tmp_path: Path,
) -> None:
    version, _, layout = spring_boot.partition(" ")
    data = _small(app(version, layout or "jar"))
    for name in (f"app.{layout or 'jar'}", "archive"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "script.jar").write_bytes(b"#!/bin/bash\nexit 0\n" + data)
    there = _files(tmp_path)

    content = _model(tmp_path, words)
    assert [each.outcome for each in content.unpackings] == ([outcome] if outcome is not None else [])
    assert not content.dark
    quick = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    command = ["java", *shlex.split(words)]
    done = subprocess.run(command, cwd=tmp_path, env=quick, capture_output=True, text=True)
    assert (done.returncode == 0) is goes_on, done.stdout + done.stderr
    if goes_on:
        written = {path.removeprefix("/work/") for path in content.files} - {"Dockerfile"}
        assert written - there == _files(tmp_path) - there


def _model(root: Path, words: str) -> StageContent:
    text = f"FROM eclipse-temurin:17-jre\nWORKDIR /work\nCOPY . .\nRUN java {words}\n"
    (root / "Dockerfile").write_text(text)
    document = parse(text, str(root / "Dockerfile"))
    picture = take_picture(document, open_context(root, root / "Dockerfile"), Options(context=root))
    return picture.final.content


def _files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {"Dockerfile"}


@functools.cache
def _small(archive: Path) -> bytes:
    """The archive without the libraries that its jar modes do not need."""
    made = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(made, "w") as new:
        for entry in old.infolist():
            name = entry.filename.rsplit("/", 1)[-1]
            if name.endswith(".jar") and not name.startswith(NEEDED):
                continue
            data = old.read(entry)
            if name in ("layers.idx", "classpath.idx"):
                lines = data.decode().splitlines(keepends=True)
                data = "".join(
                    line for line in lines if ".jar" not in line or any(f"/{n}" in line for n in NEEDED)
                ).encode()
            new.writestr(entry, data)
    return made.getvalue()
