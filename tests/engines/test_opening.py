"""Choosing an engine, and what is said when it is not there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgopt.engines import EngineError, open_engine
from imgopt.errors import UsageError


@pytest.fixture(autouse=True)
def no_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without engines: no command line on the PATH, nothing behind the variables."""
    for name in (
        "DOCKER_CONTEXT",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "CONTAINER_HOST",
        "BUILDKIT_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Path]:
    """A socket where something answers that is no engine."""
    path = tmp_path / "stranger.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"220 mail ready\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield path
        server.shutdown(socket.SHUT_RDWR)


def failure(name: str, **options: str) -> str:
    with pytest.raises(EngineError) as failed, open_engine(name, **options):
        pass
    assert failed.value.exit_code == 3
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_no_docker_daemon(tmp_path: Path) -> None:
    assert failure("docker") == (
        f"the Docker daemon at unix://{tmp_path}/nobody.sock (DOCKER_HOST) is not there; "
        "start Docker (`systemctl start docker`), or say where it is with DOCKER_HOST"
    )


def test_a_docker_daemon_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    assert f"tcp://127.0.0.1:{port} (DOCKER_HOST) refuses connections; start Docker" in failure("docker")


def test_a_socket_of_something_else(stranger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{stranger}")
    assert "gives no Docker daemon's answer; correct DOCKER_HOST" in failure("docker")


def test_a_docker_host_that_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "carrier-pigeon://loft")
    assert "carrier-pigeon://loft (DOCKER_HOST) gives no Docker daemon's answer" in failure("docker")


def test_a_docker_context_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    assert failure("docker") == (
        "the Docker context elsewhere, named by DOCKER_CONTEXT, does not exist; `docker context ls` lists them"
    )


def test_auto_says_what_was_tried(tmp_path: Path) -> None:
    said = failure("auto")
    assert said.startswith(f"no engine answers: the Docker daemon at unix://{tmp_path}/nobody.sock")
    assert "podman is not installed" in said


def test_an_engine_of_another_name() -> None:
    with pytest.raises(UsageError, match="there is no engine rkt; take one of auto, docker, podman"):
        open_engine("rkt")
