"""Daemons that start containers, one of each kind, each with a runner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import daemons
import docker
import pytest
import stand_ins
from daemons import Daemon
from private_docker import Engine

from imgopt.engines.containers import ContainerRunner
from imgopt.engines.network import in_network_of

# the forms of Dockerfiles, and how one is rewritten, are those of the engines' tests
sys.path.append(str(Path(__file__).parent.parent / "engines"))


@pytest.fixture(scope="session")
def bridged_socket() -> Iterator[tuple[Path, int]]:
    if reason := daemons.missing():
        pytest.skip(reason)
    with daemons.bridged_docker() as running:
        yield running


@pytest.fixture(scope="session")
def podman_socket() -> Iterator[Path]:
    if reason := daemons.missing():
        pytest.skip(reason)
    with daemons.podman_service() as socket:
        yield socket


@pytest.fixture(params=["docker", "docker-bridge", "podman"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Docker without a bridge, Docker with one (in a network of its own), Podman."""
    if reason := stand_ins.missing():
        pytest.skip(reason)
    if request.param == "docker":
        yield Daemon(request.param, request.getfixturevalue("engine").client, lambda call: call())
        return
    if request.param == "docker-bridge":
        socket, pid = request.getfixturevalue("bridged_socket")
        inside: Callable[[Callable[[], Any]], Any] = lambda call: in_network_of(pid, call)  # noqa: E731
    else:
        socket, inside = request.getfixturevalue("podman_socket"), lambda call: call()
    client = docker.DockerClient(base_url=f"unix://{socket}", timeout=60)
    yield Daemon(request.param, client, inside)
    client.close()


@pytest.fixture
def runner(engine: Engine) -> Iterator[ContainerRunner]:
    """On the tests' Docker Engine; removes what it loaded and started."""
    with ContainerRunner(engine.client) as running:
        yield running
