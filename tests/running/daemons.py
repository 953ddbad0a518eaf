"""Daemons beside the private Docker Engine: one with a bridge in a network of its own, and Podman's service."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from private_docker import _answers, _end_with_the_tests, _path, _remove, _stop

START_SECONDS = 60


@dataclass(frozen=True)
class Daemon:
    """``inside`` calls where the daemon's published ports are: in its network namespace."""

    name: str
    client: Any
    inside: Callable[[Callable[[], Any]], Any]


@contextlib.contextmanager
def bridged_docker() -> Iterator[tuple[Path, int]]:
    """A Docker Engine with a bridge, in a network namespace of its own: its socket, and the daemon's process."""
    with _directory() as base:
        (base / "daemon.json").write_text("{}")
        dockerd = (
            f"dockerd --iptables=false --ip6tables=false --storage-driver=vfs --data-root={base}/data "
            f"--exec-root={base}/exec --pidfile={base}/pid --host=unix://{base}/docker.sock "
            f"--config-file={base}/daemon.json --bip=172.30.117.1/24"
        )
        command = ["unshare", "--net", "sh", "-c", f"ip link set lo up && exec {dockerd}"]
        with _running(command, base, base / "docker.sock") as daemon:
            yield base / "docker.sock", daemon.pid


@contextlib.contextmanager
def podman_service() -> Iterator[Path]:
    """Podman's Docker-compatible socket, with a storage of its own."""
    with _directory() as base:
        # its defaults want more than what may be had inside of a container, where the tests may run: higher limits
        # than the parent's, and crun, which knows no mixture of cgroup versions
        (base / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\ncgroupns = "private"\n'
            '[engine]\nruntime = "runc"\n'
        )
        environment = {"CONTAINERS_CONF": str(base / "containers.conf")}
        command = ["podman", f"--root={base}/root", f"--runroot={base}/run", f"--tmpdir={base}/tmp"]
        command += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"]
        command += ["system", "service", "--time=0", f"unix://{base}/podman.sock"]
        with _running(command, base, base / "podman.sock", environment):
            yield base / "podman.sock"


def missing() -> str | None:
    """Why these cannot run here; None when they can."""
    if os.geteuid() != 0:
        return "daemons of the tests' own need root"
    for program in ("dockerd", "podman", "runc", "unshare", "ip"):
        if not shutil.which(program, path=_path()):
            return f"{program} is not installed"
    return None


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="imgopt-daemon-"))
    try:
        yield base
    finally:
        _remove(base)


@contextlib.contextmanager
def _running(
    command: list[str], base: Path, socket: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (base / "log").open("ab") as log:
        daemon = subprocess.Popen(
            command,
            cwd=base,  # Podman leaves a file where it stands when a container wanted too much memory
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": _path(), **(environment or {})},
            preexec_fn=_end_with_the_tests,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(socket):
            if daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not start:\n{(base / 'log').read_text()[-4000:]}")
            time.sleep(0.2)
        yield daemon
    finally:
        _stop(daemon)
