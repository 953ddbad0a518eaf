"""What a started container may take: a fork bomb and a memory eater end where they should. Only a kernel shows it."""

from __future__ import annotations

import pytest
from tiny_image import TinyImage, shell

from imgopt.comparison.behaviour import compare_running
from imgopt.comparison.observing import RunOptions, Subject
from imgopt.engines.containers import ContainerRunner, RunningContainer
from imgopt.engines.engine import Limits, RunRequest

SMALL = Limits(64_000_000, 20)
BOMB = "f() { f | f & }; f; while :; do sleep 1; done"
CROWD = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; echo all of them"
EATER = "dd if=/dev/zero of=/dev/null bs=300M count=1; echo not killed"


@pytest.fixture(params=["docker", "podman"])
def runner(request: pytest.FixtureRequest) -> object:
    name = request.param
    if name == "docker":
        with ContainerRunner(request.getfixturevalue("engine").client) as running:
            yield running
        return
    import docker

    client = docker.DockerClient(base_url=f"unix://{request.getfixturevalue('podman_socket')}", timeout=60)
    with ContainerRunner(client) as running:
        yield running
    client.close()


def start(runner: ContainerRunner, script: str, limits: Limits = SMALL) -> RunningContainer:
    reference = runner.load(TinyImage(shell(script)), "tiny-limited:1")
    container = runner.start(reference, RunRequest(limits=limits))
    assert runner.unlimited is None
    return container


def test_a_fork_bomb_ends_at_the_limit(runner: ContainerRunner) -> None:
    container = start(runner, BOMB)
    while "fork" not in container.log():  # "can't fork", in the shell's words
        assert container.running
    container.remove()
    few = start(runner, CROWD)
    assert few.wait(60) is not None and "fork" in few.log() and "all of them" not in few.log()
    many = start(runner, CROWD, Limits(SMALL.memory_bytes, 400))
    assert many.wait(60) == 0 and "all of them" in many.log()


def test_a_memory_eater_is_killed_at_the_limit(runner: ContainerRunner) -> None:
    container = start(runner, f"{EATER}; exit $?")
    assert container.wait(60) is not None
    assert "not killed" not in container.log() or "Killed" in container.log()
    container.remove()
    whole = start(runner, EATER, Limits(1_000_000_000))  # and where there is enough, it is not
    assert whole.wait(60) == 0 and "not killed" in whole.log() and "Killed" not in whole.log()


def test_no_new_privileges_unless_they_are_asked_for(runner: ContainerRunner) -> None:
    for limits, flag in ((SMALL, "1"), (Limits(64_000_000, 20, new_privileges=True), "0")):
        container = start(runner, "cat /proc/self/status", limits)
        assert container.wait(60) == 0
        told = dict(line.split(":\t", 1) for line in container.log().splitlines() if ":\t" in line)
        assert told["NoNewPrivs"].strip() == flag
        assert not int(told["CapBnd"], 16) >> 27 & 1  # MKNOD
        container.remove()


def test_both_that_want_more_memory_are_no_verdict(runner: ContainerRunner) -> None:
    subjects = []
    for name in ("before", "after"):
        image = TinyImage({"Entrypoint": ["dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"]})
        subjects.append(Subject(runner.load(image, f"tiny-{name}:1"), image.image.config))
    found = compare_running(runner, *subjects, RunOptions(start_seconds=20, limits=SMALL))
    assert found.alike is None
    assert "raise --memory" in found.not_measured[0]
    assert any("--allow-new-privileges" in note for note in found.notes)
