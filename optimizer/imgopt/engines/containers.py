"""Starts images on a Docker daemon, or on Podman's Docker-compatible socket, through the docker SDK.

How a container's port is reached depends on the daemon:

- with a bridge network, the port is published: on 127.0.0.1 for a daemon of this host, at the host of the daemon's
  address for a remote one. The container's own address is tried as well, for agents that are containers themselves
  and were given the host's socket.
- without one (`dockerd --bridge=none`), or when publishing fails, on this host and as root: the container has no
  network but its loopback, and whoever asks enters its network namespace for as long as the question takes.

Containers carry the label `imgopt`, whose value says which process they belong to, images that are loaded a name that
says so (`imgopt.engines.owners`). What a process left that was killed is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from imgopt.engines.docker_archive import docker_archive
from imgopt.engines.engine import Container, EngineError, RunRequest, StartError, TimeUpError
from imgopt.engines.leftovers import sweep
from imgopt.engines.network import address_answers, in_network_of
from imgopt.engines.owners import LABEL, this_process
from imgopt.engines.processes import descendants, resident_bytes
from imgopt.files.docker_settings import check_docker_settings
from imgopt.images.model import OpenImage
from imgopt.light.patterns import regex

#: A question to the daemon that takes longer will not be answered.
ANSWER_SECONDS = 60.0
#: Between two looks at a container that shall end, or a port that shall open.
LOOK_SECONDS = 0.05
KILLED = 137
#: In what an engine says that cannot limit anything.
_CONTROL_GROUPS = regex(r"cgroup|memory\.(?:max|limit)|pids\.max|resource limits", re.IGNORECASE)

T = TypeVar("T")


def podman_runner(socket_path: Path) -> ContainerRunner:
    """For Podman's Docker-compatible socket. Raises EngineError when nothing answers there."""
    import docker

    check_docker_settings()
    try:
        client = docker.DockerClient(base_url=f"unix://{socket_path}", timeout=ANSWER_SECONDS)
    except docker.errors.DockerException as error:
        raise EngineError(
            f"nothing answers at {socket_path}", "start it: podman system service --time=0"
        ) from error
    return ContainerRunner(client)


class ContainerRunner:
    """A `Runner` (see imgopt.engines.engine). ``host``: where published ports of a remote daemon are reached, when its
    address does not tell (a tunnel). The client stays the caller's and is not closed."""

    def __init__(self, client: Any, host: str | None = None) -> None:
        self._client = client
        self._names: set[str] = set()
        self._images: list[str] = []
        with _answering("it could not be asked what it is"):
            version = client.version()
            told = client.info()
            drivers = {network.attrs.get("Driver") for network in client.networks.list()}
        parts = [str(part.get("Name", "")) for part in version.get("Components") or ()]
        self._name = "podman" if any("podman" in part.lower() for part in parts) else "docker"
        self._address = str(client.api.base_url)
        self._host = host or _host_of(self._address)
        self._bridge = "bridge" in drivers
        self.unlimited: str | None = None
        if False in (told.get("MemoryLimit"), told.get("PidsLimit")):
            self.unlimited = "its kernel, or its rights, do not let it"
        self.owner = this_process(client)
        sweep(client)

    @property
    def name(self) -> str:
        return self._name

    @property
    def local(self) -> bool:
        """The daemon listens on a socket of this host: Linux, or a virtual machine on it."""
        return self._host is None

    def __enter__(self) -> ContainerRunner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def load(self, image: OpenImage, reference: str) -> str:
        """Streams the image as a `docker save` archive, which any daemon loads (20.10 knows no OCI layout)."""
        import docker

        with _answering(f"the image {image.image.reference} could not be loaded"):
            self._images.append(reference)
            for line in self._client.api.load_image(docker_archive(image, reference)):
                if "error" in line:
                    raise EngineError(
                        f"{self._name} could not load the image {image.image.reference}: {line['error']}"
                    )
            try:
                self._client.images.get(reference)
            except docker.errors.ImageNotFound as error:
                raise EngineError(
                    f"{self._name} loaded the image {image.image.reference}, but does not know it as {reference}"
                ) from error
        return reference

    def start(self, reference: str, request: RunRequest) -> RunningContainer:
        """Creates and starts; removed again when that fails. EngineError; StartError when it is the image's fault."""
        enter = self.local and sys.platform == "linux" and os.geteuid() == 0
        if not self._bridge and not enter:
            raise EngineError(
                f"{self._name} has no bridge network, so containers cannot be reached",
                "run as root on the daemon's host, or give the daemon a bridge",
            )
        if self._bridge:
            try:
                return self._limited(reference, request, published=True)
            except EngineError:
                if not enter:
                    raise
        # a container that does not start for another reason fails here with that reason
        return self._limited(reference, request, published=False)

    def _limited(self, reference: str, request: RunRequest, *, published: bool) -> RunningContainer:
        """With the limits; without those on memory and processes where the engine cannot set them (without rights on
        control groups), which is told."""
        if self.unlimited is None:
            try:
                return self._start(reference, request, published=published, limited=True)
            except EngineError as error:
                if not _CONTROL_GROUPS.search(error.message):
                    raise
                why = error.message
        container = self._start(reference, request, published=published, limited=False)
        if self.unlimited is None:
            self.unlimited = why
        return container

    def _start(
        self, reference: str, request: RunRequest, *, published: bool, limited: bool
    ) -> RunningContainer:
        import docker

        name = f"imgopt-{secrets.token_hex(6)}"
        options: dict[str, Any] = {
            "name": name,
            "detach": True,
            "labels": {LABEL: str(self.owner)},
            "environment": dict(request.environment),
            "entrypoint": list(request.entrypoint) if request.entrypoint is not None else None,
            "cap_drop": ["MKNOD"],  # Podman's default; of the others start scripts make use
            "security_opt": [] if request.limits.new_privileges else ["no-new-privileges"],
        }
        if limited:
            options |= {"mem_limit": request.limits.memory_bytes, "pids_limit": request.limits.pids}
        if published:
            here = ("127.0.0.1", None) if self._host is None else None
            options["ports"] = {f"{port}/tcp": here for port in request.ports}
        else:
            options |= {
                "network_mode": "none",
                "hostname": "localhost",  # a name that resolves: Spring Boot asks for it, and DNS would time out
            }
        # known before the daemon hears of it: an interrupt between its answer and ours leaves nothing behind
        self._names.add(name)
        try:
            with _answering(f"a container of {reference} could not be started"):
                container = self._client.containers.create(
                    reference, list(request.arguments) or None, **options
                )
                try:
                    container.start()
                except docker.errors.APIError as error:
                    raise StartError(
                        f"{reference} does not start: {str(error.explanation or error).strip()}"
                    ) from error
                return RunningContainer(
                    container, self, self._host or "127.0.0.1", by_namespace=not published
                )
        except BaseException:
            self.remove(name)
            raise

    def remove(self, name: str) -> None:
        """Kills and removes a container of this runner; a second time does nothing."""
        import docker

        with _answering(f"the container {name} stays"), contextlib.suppress(docker.errors.NotFound):
            self._client.api.remove_container(name, force=True, v=True)
        self._names.discard(name)

    def close(self) -> None:
        """Removes all its containers and the images that it loaded. Does as much as it can, then raises."""
        import docker

        failure: EngineError | None = None
        for name in sorted(self._names):
            try:
                self.remove(name)
            except EngineError as error:
                failure = error
        while self._images:
            reference = self._images.pop()
            try:
                with _answering(f"the image {reference} stays"), contextlib.suppress(docker.errors.NotFound):
                    self._client.api.remove_image(reference, force=True)
            except EngineError as error:
                failure = error
        if failure is not None:
            raise failure


class RunningContainer:
    """A `Container` (see imgopt.engines.engine)."""

    def __init__(self, container: Any, runner: ContainerRunner, host: str, *, by_namespace: bool) -> None:
        self._container = container
        self._runner = runner
        self._host = host
        self._by_namespace = by_namespace
        self.name = str(container.name)

    def _inspect(self) -> dict[str, Any]:
        with _answering("a container could not be looked at"):
            self._container.reload()
        attributes: dict[str, Any] = self._container.attrs
        return attributes

    @property
    def running(self) -> bool:
        return bool(self._inspect()["State"].get("Running"))

    @property
    def pid(self) -> int | None:
        pid = int(self._inspect()["State"].get("Pid") or 0)
        return pid if pid and self._runner.local and self._is_here(pid) else None

    def _is_here(self, pid: int) -> bool:
        """Docker Desktop's processes run in a virtual machine, and an agent that is a container itself has other
        numbers: the number alone says nothing."""
        with contextlib.suppress(OSError):
            return str(self._container.id) in Path(f"/proc/{pid}/cgroup").read_text()
        return False

    def connect(self, port: int, timeout: float) -> tuple[str, int]:
        end = time.monotonic() + timeout
        while True:
            for address in self._addresses(port):
                if self._reach(lambda address=address: address_answers(address)):  # type: ignore[misc]
                    return address
            if time.monotonic() >= end or not self.running:
                raise EngineError(f"nothing listens on port {port} of the container")
            time.sleep(LOOK_SECONDS)

    def _addresses(self, port: int) -> Iterator[tuple[str, int]]:
        if self._by_namespace:
            yield "127.0.0.1", port
            return
        network = self._inspect().get("NetworkSettings") or {}
        for binding in (network.get("Ports") or {}).get(f"{port}/tcp") or ():
            yield self._host, int(binding["HostPort"])
        if self._runner.local:
            for one in (network.get("Networks") or {}).values():
                if one.get("IPAddress"):
                    yield str(one["IPAddress"]), port

    def in_network(self, call: Callable[[], object]) -> object:
        return self._reach(call)

    def _reach(self, call: Callable[[], T]) -> T:
        if not self._by_namespace:
            return call()
        pid = int(self._inspect()["State"].get("Pid") or 0)
        if not pid:
            raise EngineError("the container has ended")
        return in_network_of(pid, call)

    def health(self) -> str | None:
        state = self._inspect()["State"]
        health = state.get("Health") or state.get("Healthcheck") or {}
        status = str(health.get("Status") or "")
        return status if status and status != "none" else None

    def execute(self, command: Sequence[str], seconds: float) -> tuple[int, str]:
        import threading

        answer: list[tuple[int | None, bytes]] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                with _answering(f"{command[0]} could not be run in the container"):
                    answer.append(self._container.exec_run(list(command)))
            except BaseException as error:
                failure.append(error)

        # the API has no time limit for it; the process itself ends with the container
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            raise TimeUpError(f"{command[0]} did not end within {seconds:g} s in the container")
        if failure:
            raise failure[0]
        code, output = answer[0]
        return (code if code is not None else KILLED), (output or b"").decode("utf-8", "replace")

    def memory_bytes(self) -> int | None:
        pid = self.pid
        if pid is not None:
            return sum(rss for each in descendants(pid) if (rss := resident_bytes(each))) or None
        return self._memory_by_ps() or self._memory_by_stats()

    def _memory_by_ps(self) -> int | None:
        """By the daemon's own `ps`, for a daemon elsewhere. Podman's takes other arguments."""
        import docker

        try:
            table = self._container.top(ps_args="-eo pid,rss")
            at = [str(title).upper() for title in table["Titles"]].index("RSS")
            return sum(int(row[at]) * 1024 for row in table["Processes"])
        except (docker.errors.APIError, LookupError, ValueError, OSError):
            return None

    def _memory_by_stats(self) -> int | None:
        try:
            with _answering("the container's memory could not be read"):
                memory = self._container.stats(stream=False).get("memory_stats") or {}
        except EngineError:  # it has ended, or is not told
            return None
        details = memory.get("stats") or {}
        if "anon" in details:  # cgroup v2
            return int(details["anon"]) + int(details.get("file_mapped", 0))
        if "rss" in details:
            return int(details["rss"]) + int(details.get("mapped_file", 0))
        return None

    def log(self, lines: int = 80) -> str:
        with _answering("the container's log could not be read"):
            output: bytes = self._container.logs(tail=lines)
        return output.decode("utf-8", "replace")

    def stop(self, seconds: float) -> tuple[int, float]:
        begin = time.monotonic()
        with _answering("the container could not be stopped"):
            self._container.stop(timeout=max(1, round(seconds)))
        code = self.wait(ANSWER_SECONDS)
        if code is None:
            raise EngineError("the container runs on after it was killed")
        return code, time.monotonic() - begin

    def wait(self, seconds: float) -> int | None:
        end = time.monotonic() + seconds
        while True:
            state = self._inspect()["State"]
            if not state.get("Running") and state.get("Status") not in ("created", "initialized"):
                return int(state.get("ExitCode") or 0)
            if time.monotonic() >= end:
                return None
            time.sleep(LOOK_SECONDS)

    def remove(self) -> None:
        self._runner.remove(self.name)


def _conforms(container: RunningContainer) -> Container:
    """mypy's proof that the class is what the protocol asks for."""
    return container


def _host_of(address: str) -> str | None:
    """Where a remote daemon's published ports are reached; None for a daemon on a socket of this host."""
    parts = urlsplit(address)
    if parts.scheme.startswith("http+docker"):
        if parts.hostname == "ssh":
            raise EngineError(
                "containers of a daemon behind ssh cannot be asked from here",
                "forward a port to its socket, or run imgopt on that host",
            )
        return None
    return parts.hostname


@contextlib.contextmanager
def _answering(what_failed: str) -> Iterator[None]:
    """Errors of the SDK become ours: one sentence, with the daemon's own reason."""
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        reason = str(error.explanation or error).strip().replace("\n", " ")
        hint = "free some disk space where the daemon keeps its data" if "no space left" in reason else None
        raise EngineError(f"{what_failed}: {reason}", hint) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise EngineError(f"{what_failed}: the daemon does not answer ({type(error).__name__})") from error
