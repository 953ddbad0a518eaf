"""Every engine: what goes wrong is said in a sentence, and nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import TINY, Builder, project

from imgopt.engines import BuildError, BuildRequest
from imgopt.engines.engine import RunRequest

BASE = TINY
STEP_SECONDS = 14  # of a step that shall be stopped, where it is not
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def leaves_nothing(builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Whatever a test does with an engine that it closes: images, containers, processes and files are as before."""
    builder.provide(BASE)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = builder.remains()

    def left() -> set[str]:
        more = builder.remains() - before
        # a step that goes on to its end leaves its image
        return more if builder.stops_steps else {each for each in more if not each.startswith("image")}

    yield
    deadline = time.monotonic() + (0 if builder.stops_steps else STEP_SECONDS + 60)
    while left() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left() == set()
    assert [path.name for path in temporary.iterdir()] == []


def request(context: Path, **options: object) -> BuildRequest:
    return BuildRequest(context, context / "Dockerfile", **options)  # type: ignore[arg-type]


def test_lines_come_as_the_build_goes_and_an_image_comes_out(builder: Builder, tmp_path: Path) -> None:
    context = project(
        tmp_path / "app",
        f"FROM {BASE} AS first\nARG WORD\nRUN echo said-$WORD > /word\nFROM {BASE}\nCOPY --from=first /word /\nCOPY in.txt /\n",
        **{"in.txt": "in", "out.txt": "out", ".dockerignore": "out.txt\n.dockerignore\nDockerfile\n"},
    )
    lines: list[str] = []
    with builder.open() as engine:
        built = engine.build(request(context, build_args={"WORD": "hello"}, line=lines.append), "one")
        again = engine.build(request(context, build_args={"WORD": "goodbye"}, cache=False), "one")
    assert any("COPY --from=first" in line for line in lines)
    assert built.seconds > 0
    assert built.image_id.startswith("sha256:")
    assert again.image_id != built.image_id


def test_its_images_are_started(builder: Builder, tmp_path: Path) -> None:
    """By the engine itself where it starts containers, else by a Docker that answers; nothing where there is none."""
    context = project(tmp_path / "app", f'FROM {BASE}\nRUN echo built > /how\nCMD ["cat", "/how"]\n')
    with builder.open() as engine:
        built = engine.build(request(context), "one")
        runner = engine.runner()
        assert (runner.name if runner else None) == builder.runner
        if runner is None:
            return
        reference = built.reference
        if engine.name != runner.name:
            image = engine.open(built)
            reference = runner.load(image, "imgopt-tests:one")
            image.close()
        container = runner.start(reference, RunRequest())
        assert container.wait(30) == 0
        assert container.log().strip() == "built"
        container.remove()


def test_what_is_ignored_is_not_sent(builder: Builder, tmp_path: Path) -> None:
    context = project(
        tmp_path / "app",
        f"FROM {BASE}\nCOPY . /all/\nRUN test -e /all/in.txt && ! test -e /all/out.txt\n",
        **{"in.txt": "in", "out.txt": "out", ".dockerignore": "out.txt\n"},
    )
    with builder.open() as engine:
        assert engine.build(request(context, cache=False), "one").image_id


def test_a_dockerfile_outside_of_its_context(builder: Builder, tmp_path: Path) -> None:
    context = project(tmp_path / "app", "", **{"in.txt": "in"})
    outside = project(tmp_path / "elsewhere", f"FROM {BASE}\nCOPY in.txt /\n") / "Dockerfile"
    (context / "Dockerfile").unlink()
    with builder.open() as engine:
        assert engine.build(BuildRequest(context, outside), "one").image_id


def test_a_step_that_fails_is_named_with_its_output(builder: Builder, tmp_path: Path) -> None:
    context = project(
        tmp_path / "app", f"FROM {BASE}\nRUN true\nRUN echo it-is-said && exit 3\nRUN echo never\n"
    )
    with builder.open() as engine, pytest.raises(BuildError) as failed:
        engine.build(request(context, cache=False), "one")
    assert failed.value.exit_code == 3
    assert failed.value.step == "RUN echo it-is-said && exit 3"
    assert any(line.endswith("it-is-said") for line in failed.value.output)
    assert "RUN echo it-is-said && exit 3" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_dockerfile_that_no_builder_reads(builder: Builder, tmp_path: Path) -> None:
    context = project(tmp_path / "app", f"FROM {BASE}\nFETCH everything\n")
    with builder.open() as engine, pytest.raises(BuildError) as failed:
        engine.build(request(context), "one")
    assert "unknown instruction" in str(failed.value).lower()
    assert "FETCH" in str(failed.value).upper()


def test_a_base_image_that_is_not_to_be_had(builder: Builder, tmp_path: Path) -> None:
    context = project(tmp_path / "app", "FROM no.such.registry.invalid/base:1\nRUN true\n")
    with builder.open() as engine, pytest.raises(BuildError) as failed:
        engine.build(request(context), "one")
    assert failed.value.message.startswith("the base image no.such.registry.invalid/base:1 cannot be pulled")
    assert failed.value.hint


def test_a_build_is_stopped_when_its_time_is_up(builder: Builder, tmp_path: Path) -> None:
    sleep = f"sleep {600 if builder.stops_steps else STEP_SECONDS}"
    context = project(tmp_path / "app", f"FROM {BASE}\nRUN sleep 1\nRUN {sleep}\n")
    with builder.open() as engine, pytest.raises(BuildError) as failed:
        engine.build(request(context, cache=False, seconds=8), "one")
    assert "was stopped after 8 s" in str(failed.value)
    assert failed.value.step == f"RUN {sleep}"


INTERRUPTED = """
import json, sys
from pathlib import Path
from imgopt.engines import BuildRequest, open_engine
name, options, context = json.loads(sys.argv[1])
say = lambda line: print(line, flush=True)
try:
    with open_engine(name, **options) as engine:
        engine.build(BuildRequest(Path(context), Path(context, "Dockerfile"), cache=False, line=say), "one")
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_leaves_nothing(builder: Builder, tmp_path: Path) -> None:
    sleep = f"sleep {600 if builder.stops_steps else STEP_SECONDS}"
    context = project(
        tmp_path / "app",
        f"FROM {BASE} AS first\nRUN echo one > /one\nFROM {BASE}\nCOPY --from=first /one /\n"
        f"RUN echo asleep && {sleep}\n",
    )
    environment = {**builder.environment, "PYTHONPATH": str(ROOT / "optimizer")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            INTERRUPTED,
            json.dumps([builder.engine, dict(builder.options), str(context)]),
        ],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if line.strip().endswith("asleep") and "echo" not in line:
                break
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.wait(60) == 130
