"""An application goes on writing into its working directory after the rewrite, and owns nothing more there."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Builder
from test_rewrites_run import rewrite

from imgopt.comparison.working_directory import working_directory
from imgopt.engines.engine import BuildRequest, RunRequest

LAYERS = ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application")
BASE = "eclipse-temurin:17-jre-alpine"  # the smallest that has Java: each image is written out and read
#: As `adduser` would: the stand-ins for base images have none.
USER = "RUN echo 'spring:x:300:400::/:/bin/sh' >> /etc/passwd && echo 'spring:x:400:' >> /etc/group\n"
START = 'ENTRYPOINT ["java", "org.springframework.boot.loader.JarLauncher"]\n'
BUILD = f"FROM {BASE} AS builder\n{{}}WORKDIR /builder\nCOPY target/app.jar application.jar\n" + (
    "RUN java -Djarmode=layertools -jar application.jar extract --destination extracted\n\n"
)
COPIES = "".join(f"COPY --from=builder {{}}/builder/extracted/{layer}/ ./\n" for layer in LAYERS)


def owned(prepare: str, head: str, flag: str = "") -> str:
    return f"{BUILD.format(prepare)}FROM {BASE}\n{head}{COPIES.format(*[flag] * 4)}{START}"


FORMS = {
    "user": owned("", USER + "USER spring:spring\nWORKDIR /opt/app\n"),
    "number": owned("", "USER 1000\nWORKDIR /app\n"),
    "owned-files": owned("", USER + "WORKDIR /app\nUSER spring\n", "--chown=spring:spring "),
    "build-stage": owned(
        "RUN mkdir /builder && chown 1000 /builder\nUSER 1000\n", "WORKDIR /app\nUSER 1000\n"
    ),
}


#: One form on every engine, every form on the commonest.
_PAIRS = [(name, "user") for name in ("docker-classic", "podman", "buildkit", "kaniko")]
_PAIRS += [("docker-buildkit", form) for form in FORMS]


@pytest.mark.parametrize(("release_builder", "form"), _PAIRS, indirect=["release_builder"])
def test_the_working_directory_keeps_its_owner(
    form: str, release_builder: Builder, app: Callable[..., Path], tmp_path: Path
) -> None:
    builder = release_builder
    project = tmp_path / "project"
    (project / "target").mkdir(parents=True)
    shutil.copy(app("2.7.18", "jar", ("-Dreduced",)), project / "target" / "app.jar")
    (project / "Dockerfile").write_text(FORMS[form])
    rewrite(project)
    text = (project / "Dockerfile.imgopt").read_text()
    assert set(re.findall(r"(?m)^FROM (\S+)", text)) == {BASE}
    names = ["Dockerfile", "Dockerfile.imgopt"]
    by_user = form in ("user", "number")
    # the others give to root what a WORKDIR makes; kaniko does so with the first COPY from a stage
    gives = "buildkit" in builder.name.lower()
    if by_user and gives:  # what the rewrite would take from the application
        given_back = re.compile(r"#.* itself belongs .*\nCOPY .*\n")
        (project / "Dockerfile.taken").write_text(given_back.sub("", text))
        names.append("Dockerfile.taken")
    builder.provide(BASE)
    with builder.open() as engine:
        found, runs = {}, {}
        for name in names:
            built = engine.build(BuildRequest(project, project / name), name.lower().replace(".", "-"))
            with contextlib.closing(engine.open(built)) as opened:
                found[name] = working_directory(opened)
                runner = engine.runner()
                if runner is not None and engine.name == runner.name == "docker":
                    container = runner.start(built.reference, RunRequest())
                    code, _ = container.execute(["touch", f"{found[name].path}/new"], 60)
                    jar, _ = container.execute(["touch", f"{found[name].path}/BOOT-INF/lib/new"], 60)
                    runs[name] = (code == 0, jar == 0)
                    container.remove()
    before, after = found["Dockerfile"], found["Dockerfile.imgopt"]
    if by_user:
        assert after.writable is True
        if gives:
            assert before.writable is True and found["Dockerfile.taken"].writable is False
    else:
        assert (before.writable, after.writable) == (False, False)
    if gives or not by_user:
        assert (after.owner, after.group, after.mode) == (before.owner, before.group, before.mode)
    for name, (directory, _) in runs.items():
        assert directory is found[name].writable
    if runs:
        assert runs["Dockerfile"][1] == runs["Dockerfile.imgopt"][1], "the libraries have another owner"
