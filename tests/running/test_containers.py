"""Images of another engine are loaded and started on Docker and Podman, asked, stopped, and leave nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import docker
import pytest
from daemons import Daemon
from private_docker import Engine
from tiny_image import TinyImage, shell

from imgopt.engines.containers import ContainerRunner, podman_runner
from imgopt.engines.engine import EngineError, RunRequest
from imgopt.engines.network import in_network_of
from imgopt.engines.owners import LABEL
from imgopt.errors import MeasureError

HTTPD = "echo \"$GREETING $*\" > /www/index.html; httpd -p 9000 -h /www; trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"


def leftovers(client: Any) -> list[str]:
    containers = client.containers.list(all=True, filters={"label": LABEL})
    images = [tag for image in client.images.list() for tag in image.tags if "tiny" in tag]
    return [*(container.name for container in containers), *images]


def test_an_image_is_loaded_started_asked_and_stopped(daemon: Daemon) -> None:
    packed = daemon.name != "docker-bridge"  # there as plain tars, whose sizes nobody knows
    image = TinyImage(
        {**shell(HTTPD), "Healthcheck": {"Test": ["NONE"]}},
        {"etc/motd": "hello\n"},
        {"etc/motd2": ""},
        {"etc/motd2": ""},  # the same layer twice: diff IDs need not differ
        packed=packed,
        sizes_known=packed,
    )
    with ContainerRunner(daemon.client) as runner:
        reference = runner.load(image, "tiny-image:1")
        request = RunRequest(
            arguments=("zero", "two words"), environment={"GREETING": "hello"}, ports=(9000,)
        )
        container = runner.start(reference, request)
        host, port = daemon.inside(lambda: container.connect(9000, 20))

        def ask() -> str:
            connection = http.client.HTTPConnection(host, port, timeout=5)
            connection.request("GET", "/index.html")
            return connection.getresponse().read().decode()

        assert daemon.inside(lambda: container.in_network(ask)) == "hello two words\n"
        assert container.running
        assert container.health() is None
        assert container.execute(["sh", "-c", "cat /etc/motd; sleep 0.2"], 20) == (0, "hello\n")
        code, output = container.execute(["sh", "-c", "echo bad >&2; sleep 0.2; exit 3"], 20)
        assert (code, output) == (3, "bad\n")
        with pytest.raises(EngineError, match="did not end within"):
            container.execute(["sleep", "30"], 0.5)
        assert container.pid is not None
        memory = container.memory_bytes()
        assert memory is not None and 100_000 < memory < 50_000_000
        assert container.log().strip() == "up"
        assert container.wait(0.2) is None
        code, _ = container.stop(8)
        assert code == 5
        assert not container.running
        container.remove()
        assert daemon.client.images.get(reference)
    assert leftovers(daemon.client) == []


def test_a_daemon_on_another_host(bridged_socket: tuple[Path, int]) -> None:
    """As far as one host can play it: ports are published on all addresses, memory is what the daemon's `ps` says."""
    socket, daemon = bridged_socket
    with contextlib.closing(docker.DockerClient(base_url=f"unix://{socket}")) as client:
        with ContainerRunner(client, host="127.0.0.1") as runner:
            reference = runner.load(TinyImage(shell(HTTPD)), "tiny-far:1")
            container = runner.start(reference, RunRequest(ports=(9000,)))
            host, port = in_network_of(daemon, lambda: container.connect(9000, 20))
            assert (host, port != 9000) == ("127.0.0.1", True)
            bindings = client.containers.get(container.name).ports["9000/tcp"]
            assert "0.0.0.0" in {binding["HostIp"] for binding in bindings}
            assert container.pid is None
            memory = container.memory_bytes()
            assert memory is not None and 100_000 < memory < 50_000_000
        assert leftovers(client) == []


def test_a_container_that_ignores_sigterm_is_killed(daemon: Daemon) -> None:
    with ContainerRunner(daemon.client) as runner:
        reference = runner.load(
            TinyImage(shell("trap '' TERM; echo up; while :; do sleep 1; done")), "tiny-deaf:1"
        )
        container = runner.start(reference, RunRequest())
        while "up" not in container.log():
            time.sleep(0.05)
        code, seconds = container.stop(2)
        assert code == 137
        assert seconds > 1.5
    assert leftovers(daemon.client) == []


def test_a_port_that_nobody_listens_on(daemon: Daemon) -> None:
    """Docker's proxy would accept the connection: that is no answer."""
    with ContainerRunner(daemon.client) as runner:
        reference = runner.load(TinyImage(shell("sleep 60")), "tiny-silent:1")
        container = runner.start(reference, RunRequest(ports=(9000,)))
        with pytest.raises(EngineError, match="nothing listens on port 9000"):
            daemon.inside(lambda: container.connect(9000, 1))
    assert leftovers(daemon.client) == []


def test_what_cannot_start_says_why_and_leaves_nothing(daemon: Daemon) -> None:
    with ContainerRunner(daemon.client) as runner:
        reference = runner.load(TinyImage({"Entrypoint": ["/no/such/program"]}), "tiny-broken:1")
        with pytest.raises(EngineError, match="no such file"):
            runner.start(reference, RunRequest())
        with pytest.raises(EngineError, match="tiny-unknown"):
            runner.start("tiny-unknown:1", RunRequest())
    assert leftovers(daemon.client) == []


def test_a_layer_shorter_than_its_image_says_stops_the_load(engine: Engine) -> None:
    class Cut(TinyImage):
        def open_blob(self, index: int) -> Any:
            stream = super().open_blob(index)
            stream.truncate(1000)
            return stream

    with ContainerRunner(engine.client) as runner, pytest.raises(MeasureError, match="not as long as"):
        runner.load(Cut(shell("true")), "tiny-cut:1")
    assert leftovers(engine.client) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_an_interrupt_leaves_nothing_and_a_killed_run_is_cleaned_up_after(
    engine: Engine, how: signal.Signals, tmp_path: Path
) -> None:
    script = textwrap.dedent("""
        import sys, time, docker
        sys.path[:0] = sys.argv[2:]
        from imgopt.engines.containers import ContainerRunner
        from imgopt.engines.engine import RunRequest
        client = docker.DockerClient(base_url=sys.argv[1])
        with ContainerRunner(client) as runner:
            runner.start("kept-by-test:1", RunRequest())
            print("started", flush=True)
            time.sleep(60)
    """)
    keeper = ContainerRunner(engine.client)
    keeper.load(TinyImage(shell("sleep 60")), "kept-by-test:1")
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", script, engine.address, str(root / "optimizer")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=os.setsid,
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "started\n"
        assert len(leftovers(engine.client)) == 1
        child.send_signal(how)
        child.wait(30)
        if how is signal.SIGKILL:
            assert len(leftovers(engine.client)) == 1
            ContainerRunner(engine.client)
        assert leftovers(engine.client) == []
    finally:
        child.kill()
        keeper.close()


def test_a_socket_that_nobody_serves(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nothing answers at"):
        podman_runner(tmp_path / "podman.sock")
