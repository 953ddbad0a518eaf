"""What a process that was killed left is removed by the next one, on every engine; what a living one has is not touched.

Only an engine shows it: what stays when its client is gone, and what it lets go of.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import private_docker
import pytest
from builders import TINY, Builder, project

from imgopt.engines import BuildRequest
from imgopt.engines.opened import removed

ROOT = Path(__file__).resolve().parent.parent.parent
STEP_SECONDS = 14  # of a step that its engine does not stop

# builds an image, opens it, starts it; then the first argument says: build another one, or wait
PROGRAM = """
import json, sys
from pathlib import Path
from imgopt.engines import BuildRequest, open_engine
from imgopt.engines.engine import RunRequest
from imgopt.engines.owners import this_process
name, options, contexts, what = json.loads(sys.argv[1])
say = lambda line: print(line, flush=True)
first, second = map(Path, contexts)
with open_engine(name, **options) as engine:
    built = engine.build(BuildRequest(first, first / "Dockerfile", cache=False), "one")
    image = engine.open(built)
    runner = engine.runner()
    container = None
    if runner is not None:
        reference = built.reference
        if runner.name != engine.name:
            reference = runner.load(image, f"{this_process().repository()}:one")
        container = runner.start(reference, RunRequest())
    if what == "build":
        engine.build(BuildRequest(second, second / "Dockerfile", cache=False, line=say), "two")
    say("waiting")
    sys.stdin.readline()
    assert container is None or container.running
    engine.open(built).close()
"""


def start(builder: Builder, contexts: list[str], what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            PROGRAM,
            json.dumps([builder.engine, dict(builder.options), contexts, what]),
        ],
        env={**builder.environment, "PYTHONPATH": str(ROOT / "optimizer")},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().endswith(word) and "echo" not in line:
            return
    raise AssertionError(f"it ended with {process.wait()}")


def added(now: set[str], then: set[str]) -> set[str]:
    """What one has and the other lacks; but a process of ``then`` may end by itself (an earlier test's last ones)."""
    return (now - then) | {each for each in then - now if not each.startswith("process ")}


def test_the_next_run_removes_what_a_killed_one_left(
    builder: Builder,
    engine: private_docker.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder.provide(TINY)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    removed.said()

    def remains() -> set[str]:
        api = engine.client.api  # where images of engines that start none are started
        images = {f"image {image}" for image in api.images(all=True, quiet=True)}
        return builder.remains() | images | {f"container {each['Id']}" for each in api.containers(all=True)}

    sleep = 600 if builder.stops_steps else STEP_SECONDS
    first = project(tmp_path / "first", f'FROM {TINY}\nRUN echo one > /one\nCMD ["sleep", "555"]\n')
    second = project(
        tmp_path / "second",
        f"FROM {TINY} AS a\nRUN echo two > /two\nFROM {TINY}\nCOPY --from=a /two /\nRUN echo asleep && sleep {sleep}\n",
    )
    third = project(tmp_path / "third", f"FROM {TINY}\nRUN echo three > /three\n")
    before = remains()
    living = start(builder, [str(first), str(second)], "wait")
    until(living, "waiting")
    theirs = remains()
    there = {path.name for path in temporary.iterdir()}
    killed = start(builder, [str(first), str(second)], "build")
    until(killed, "asleep")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    end = time.monotonic() + 30 + (0 if builder.stops_steps else STEP_SECONDS + 60)
    while [each for each in remains() - theirs if each.startswith("process")] and time.monotonic() < end:
        time.sleep(0.2)  # what builds hears of the death, and ends
    if not builder.stops_steps:
        time.sleep(STEP_SECONDS)
    with builder.open() as opened:
        opened.runner()
        opened.build(BuildRequest(third, third / "Dockerfile", cache=False), "three")
    said = removed.said()
    assert added(remains(), theirs) == set()
    assert {path.name for path in temporary.iterdir()} == there
    assert said is not None and said.startswith("removed what a run that was killed had left: "), said
    living.communicate("go on\n", timeout=120)
    assert living.returncode == 0
    assert added(remains(), before) == set()
    assert list(temporary.iterdir()) == []
