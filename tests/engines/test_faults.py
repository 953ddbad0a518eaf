"""Engines that break in the middle, and ways to an engine that are not the plain one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import private_docker
import pytest
import tools
from builders import TINY, Bases, Builder, docker, project, stand_in

from imgopt.engines import BuildError, BuildRequest, EngineError, open_engine
from imgopt.errors import MeasureError

MARK = f"mark-{os.getpid()}-{time.time_ns()}"  # of the steps that a killed daemon leaves running
WAITS = f"FROM {TINY}\nRUN : {MARK}; echo asleep && sleep 600\n"


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[private_docker.Engine]:
    """A Docker Engine that a test may kill."""
    if reason := private_docker.missing():
        pytest.skip(reason)
    with private_docker.engine() as engine:
        stand_in(engine, TINY)
        yield engine
        # a killed daemon leaves containerd, its shims and their containers
        base = str(Path(engine.address.removeprefix("unix://")).parent)
        for process in Path("/proc").glob("[0-9]*"):
            if (base in _command(process) and "dockerd" not in _command(process)) or MARK in _command(
                process
            ):
                os.kill(int(process.name), signal.SIGKILL)


@pytest.mark.parametrize("buildkit", [False, True], ids=["classic", "buildkit"])
def test_the_daemon_is_killed_while_it_builds(
    buildkit: bool, short_lived: private_docker.Engine, tmp_path: Path
) -> None:
    context = project(tmp_path / "app", WAITS)

    def line(text: str) -> None:
        if text.endswith("asleep") and "echo" not in text:
            short_lived.kill()

    with docker(short_lived, buildkit).open() as engine, pytest.raises(EngineError) as failed:
        engine.build(BuildRequest(context, context / "Dockerfile", cache=False, line=line), "one")
    assert failed.value.exit_code == 3
    assert not isinstance(failed.value, BuildError)
    assert "daemon" in failed.value.message
    assert failed.value.hint


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory that holds 8 MiB."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.parametrize("name", ["docker", "podman", "buildkit", "kaniko"])
def test_no_room_for_the_image(
    name: str,
    small_disk: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder = (
        docker(request.getfixturevalue("engine"), buildkit=False)
        if name == "docker"
        else request.getfixturevalue(name)
    )
    builder.provide(TINY)
    context = project(tmp_path / "app", f"FROM {TINY}\nCOPY large /\n")
    (context / "large").write_bytes(os.urandom(20_000_000))
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    with pytest.raises(MeasureError) as failed, builder.open() as engine:
        engine.open(engine.build(BuildRequest(context, context / "Dockerfile", cache=False), "one"))
    assert failed.value.exit_code == 3
    assert "no space left" in str(failed.value).lower() or "full" in str(failed.value)
    assert "room" in str(failed.value) or "space" in str(failed.value)
    assert [path.name for path in small_disk.iterdir()] == []
    monkeypatch.undo()
    if name != "docker":
        return
    with builder.open() as engine:  # a retry where there is room
        engine.open(engine.build(BuildRequest(context, context / "Dockerfile"), "one")).close()


def test_a_docker_context_leads_to_the_daemon(engine: private_docker.Engine, tmp_path: Path) -> None:
    config = tmp_path / "docker"
    folder = config / "contexts" / "meta" / hashlib.sha256(b"elsewhere").hexdigest()
    folder.mkdir(parents=True)
    endpoint = {"docker": {"Host": engine.address, "SkipTLSVerify": False}}
    (folder / "meta.json").write_text(
        json.dumps({"Name": "elsewhere", "Metadata": {}, "Endpoints": endpoint})
    )
    (config / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    context = project(
        tmp_path / "app", f"FROM {TINY}\nRUN --mount=type=tmpfs,target=/x touch /x/y && touch /z\n"
    )
    stand_in(engine, TINY)
    plain = docker(engine, buildkit=False)
    variables = {
        "DOCKER_HOST": None,
        "DOCKER_CONFIG": str(config),
        "DOCKER_CONTEXT": None,
        "DOCKER_BUILDKIT": "0",
    }
    builder = Builder("docker", "docker", variables, {}, plain.provide, plain.remains)
    with builder.open() as opened:
        # BuildKit, because the Dockerfile needs it, and by Docker's command line, which must find the context too
        assert opened.build(BuildRequest(context, context / "Dockerfile", cache=False), "one").image_id


def test_a_dockerfile_that_needs_buildkit_where_no_command_line_has_it(
    engine: private_docker.Engine, tmp_path: Path
) -> None:
    context = project(tmp_path / "app", f"FROM {TINY}\nRUN --mount=type=tmpfs,target=/x touch /x/y\n")
    plain = docker(engine, buildkit=False)
    builder = Builder(
        "docker", "docker", {**plain.variables, "PATH": str(tmp_path)}, {}, plain.provide, plain.remains
    )
    with builder.open() as opened, pytest.raises(EngineError) as failed:
        opened.build(BuildRequest(context, context / "Dockerfile"), "one")
    assert str(failed.value) == (
        f"{context}/Dockerfile needs BuildKit (RUN --mount in line 2), and no docker command line with BuildKit was found; "
        "install Docker's buildx plugin, or take --engine buildkit"
    )


@pytest.fixture
def remote_builder(buildkit: Builder) -> Iterator[str]:
    """A buildx builder of the remote driver, which stands for the tests' BuildKit."""
    name = "imgopt-tests"
    address = buildkit.options["buildkit_addr"]
    command = [str(tools.tool("buildx")), "create", "--name", name, "--driver", "remote", address]
    subprocess.run(command, env=buildkit.environment, check=True, stdout=subprocess.DEVNULL)
    yield name
    subprocess.run([str(tools.tool("buildx")), "rm", name], env=buildkit.environment, check=True)


def test_a_buildx_builder(buildkit: Builder, remote_builder: str, tmp_path: Path) -> None:
    buildkit.provide(TINY)
    context = project(tmp_path / "app", f"FROM {TINY}\nARG WORD\nRUN echo $WORD > /word\n")
    with buildkit.here(), open_engine(builder=remote_builder) as engine:
        assert engine.description == f"BuildKit 0.34.2 of the builder {remote_builder}"
        built = engine.build(BuildRequest(context, context / "Dockerfile", {"WORD": "x"}, cache=False), "one")
        image = engine.open(built)
        assert image.image.id == built.image_id
        assert len(image.image.layers) == 2
        image.close()


def test_a_buildx_builder_that_does_not_exist(buildkit: Builder) -> None:
    with buildkit.here(), pytest.raises(EngineError) as failed:
        open_engine("buildkit", builder="nobody")
    assert failed.value.message.startswith("the buildx builder nobody cannot be used: ")
    assert failed.value.hint == "`docker buildx ls` lists the builders"


def test_buildkit_where_nobody_listens(buildkit: Builder, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/nobody.sock"
    with buildkit.here(), pytest.raises(EngineError) as failed:
        open_engine("buildkit", buildkit_addr=address)
    assert failed.value.message.startswith(f"no BuildKit answers at {address}: ")
    assert "start buildkitd there" in str(failed.value)


def test_source_date_epoch_rewrites_the_times(buildkit: Builder, tmp_path: Path) -> None:
    """What the Spring Boot manual's form needs; without the variable an image keeps the times of its build."""
    import tarfile

    buildkit.provide(TINY)
    context = project(tmp_path / "app", f"FROM {TINY}\nRUN mkdir /made && echo x > /made/file\n")
    times: list[set[int]] = []
    for epoch in (None, "318211200"):
        variables = {**buildkit.variables, "SOURCE_DATE_EPOCH": epoch}
        builder = Builder(
            "buildkit", "buildkit", variables, buildkit.options, buildkit.provide, buildkit.remains
        )
        with builder.open() as engine:
            image = engine.open(
                engine.build(BuildRequest(context, context / "Dockerfile", cache=False), "one")
            )
            with image.open_tar(1) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                times.append({int(member.mtime) for member in tar})
            image.close()
    assert min(times[0]) > time.time() - 600
    assert times[1] == {318211200}


def test_kaniko_by_its_image(bases: Bases, kaniko: Builder, tmp_path: Path) -> None:
    """In a container of the tests' Docker Engine; the image holds what kaniko's own holds."""
    kaniko.provide(TINY)
    directory = project(
        tmp_path / "image",
        'FROM scratch\nCOPY executor /kaniko/executor\nENV PATH=/usr/bin:/bin:/kaniko\nENTRYPOINT ["/kaniko/executor"]\n',
    )
    shutil.copy(tools.tool("executor"), directory / "executor")
    bases.engine.build(directory, "kaniko-project/executor:v1.24.0")
    context = project(
        tmp_path / "app",
        f"FROM {TINY}\nCOPY . /all/\nRUN ! test -e /all/out.txt\n",
        **{"in.txt": "in", "out.txt": "out"},
    )
    (context / ".dockerignore").write_text("out.txt\n")
    before = {container.id for container in bases.engine.client.containers.list(all=True)}
    options = {**kaniko.options, "kaniko": "kaniko-project/executor:v1.24.0"}
    builder = Builder("kaniko", "kaniko", kaniko.variables, options, kaniko.provide, kaniko.remains)
    with builder.open() as engine:
        assert engine.description.startswith(
            "kaniko 1.24.0 in a container of kaniko-project/executor:v1.24.0"
        )
        built = engine.build(BuildRequest(context, context / "Dockerfile", cache=False), "one")
        image = engine.open(built)
        assert image.image.id == built.image_id
        image.close()
        (context / "Dockerfile").write_text(WAITS)
        with pytest.raises(BuildError, match="was stopped after 6 s"):
            engine.build(BuildRequest(context, context / "Dockerfile", seconds=6), "one")
    assert {container.id for container in bases.engine.client.containers.list(all=True)} == before
