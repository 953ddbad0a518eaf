"""A real Docker Engine of the tests' own: its daemon, socket, storage and images end with the tests.

Works with Debian's docker.io. The daemon runs without a bridge and without iptables rules, so it needs no
kernel module beyond namespaces and changes nothing of the machine's network. Containers get an empty network
of their own (`--network none`); `Service.get` asks them on their own loopback, so that any number of them
may listen on port 8080 at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import hashlib
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PREFIX = "imgopt-engine-"  # of the daemon's directory; then the process that it belongs to
DAEMON_START_SECONDS = 60
SERVICE_START_SECONDS = 180
STOP_SECONDS = 6


class EngineError(Exception):
    """The engine could not be started, or a build or a container failed; the text holds its output."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status code, body, and the headers by their lower-case names."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image: the digest of its tar, and its size in bytes as gzip -6 packs it."""

    diff_id: str
    compressed_bytes: int
    entries: tuple[
        tuple[str, int, int, int, int, str], ...
    ]  # name, mode, uid, gid, mtime, digest or link target


class Service:
    """A running container that serves HTTP on port 8080 of its own loopback."""

    def __init__(self, container: Any) -> None:
        self.container = container
        container.reload()
        self.pid: int = container.attrs["State"]["Pid"]

    def get(self, path: str, timeout: float = 20) -> Answer:
        """Ask for a path. Raises OSError when nothing listens (yet)."""

        def ask() -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=timeout)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read().decode("utf-8", "replace")
                return Answer(response.status, body, {k.lower(): v for k, v in response.getheaders()})
            except http.client.HTTPException as error:
                raise OSError(f"no HTTP answer for {path}: {error!r}") from error
            finally:
                connection.close()

        return in_network_of(self.pid, ask)

    def wait(self, path: str = "/actuator/health", seconds: float = SERVICE_START_SECONDS) -> float:
        """Wait until the path answers 200; seconds that took. Raises EngineError with the log if it does not."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            self.container.reload()
            if self.container.status != "running":
                raise EngineError(f"the container ended ({self.container.attrs['State']}):\n{self.log()}")
            with contextlib.suppress(OSError):
                if self.get(path, timeout=5).status == 200:
                    return time.monotonic() - begin
            time.sleep(0.1)
        raise EngineError(f"{path} did not answer 200 within {seconds} s:\n{self.log()}")

    def log(self) -> str:
        output: bytes = self.container.logs(tail=80)
        return output.decode("utf-8", "replace")

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in the container (as `docker exec` does): exit code and output."""
        code, output = self.container.exec_run(list(command))
        return code, output.decode("utf-8", "replace")

    def stop(self) -> int:
        """`docker stop`: SIGTERM, SIGKILL after some seconds. The exit code (143: ended by SIGTERM, 137: killed)."""
        self.container.stop(timeout=STOP_SECONDS)
        code: int = self.container.wait()["StatusCode"]
        self.container.remove(v=True, force=True)
        return code


@dataclass(frozen=True, slots=True)
class Engine:
    """A running daemon: its address (`unix://…`) and a docker SDK client for it."""

    address: str
    client: Any
    cli: str
    daemon: subprocess.Popen[bytes]

    def kill(self) -> None:
        """SIGKILL to the daemon; returns when it is gone, so that nobody asks one that is just dying."""
        self.daemon.kill()
        self.daemon.wait()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point docker's command line, or a program under test, at this daemon."""
        return {
            "DOCKER_HOST": self.address,
            "DOCKER_CONFIG": str(Path(self.address.removeprefix("unix://")).parent),
        }

    def prune(self) -> None:
        """Remove images without a name and the cache of builds: those of a whole run are ten gigabytes."""
        self.client.images.prune(filters={"dangling": True})
        self.client.api.prune_builds()

    def build(
        self,
        context: Path,
        tag: str,
        *,
        dockerfile: str = "Dockerfile",
        cache: bool = True,
        buildkit: bool = False,
        build_args: Mapping[str, str] | None = None,
    ) -> str:
        """Build with the classic builder (or the daemon's BuildKit); the image's id. Raises EngineError."""
        command = [self.cli, "build", "--network", "none", "-t", tag, "-f", str(context / dockerfile)]
        command += [] if cache else ["--no-cache"]
        command += [f"--build-arg={k}={v}" for k, v in (build_args or {}).items()]
        environment = {
            **os.environ,
            **self.environment,
            "DOCKER_BUILDKIT": str(int(buildkit)),
            "BUILDKIT_PROGRESS": "plain",
        }
        done = subprocess.run(
            [*command, str(context)],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            raise EngineError(f"docker build of {context / dockerfile} failed:\n{done.stdout[-6000:]}")
        identifier: str = self.client.images.get(tag).id
        return identifier

    def push(self, name: str) -> None:
        """To a registry on loopback, with Docker's own client. Raises EngineError."""
        command = [self.cli, "push", "--quiet", name]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, text=True, capture_output=True)
        if done.returncode:
            raise EngineError(f"docker push of {name} failed:\n{done.stderr[-2000:]}")

    def start(
        self,
        image: str,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Service:
        """`docker run -d` with the given arguments after the image's name."""
        container = self.client.containers.run(
            image,
            list(arguments) or None,
            detach=True,
            network_mode="none",
            hostname="localhost",  # a name that resolves: Spring Boot asks for it, and DNS would time out
            environment=dict(environment or {}),
            user=user,
        )
        try:
            return Service(container)
        except BaseException:
            container.remove(force=True)
            raise

    def run(self, image: str, command: Sequence[str], entrypoint: str | None = None) -> str:
        """Run a command to its end; its standard output. Raises EngineError when it fails."""
        from docker.errors import ContainerError

        try:
            output: bytes = self.client.containers.run(
                image, list(command), entrypoint=entrypoint, network_mode="none", remove=True
            )
        except ContainerError as error:
            raise EngineError(str(error)) from error
        return output.decode("utf-8", "replace")

    def diff_ids(self, image: str) -> tuple[str, ...]:
        return tuple(self.client.images.get(image).attrs["RootFS"]["Layers"])

    def layers(
        self, image: str, wanted: Callable[[int], bool] = lambda index: True
    ) -> tuple[Layer | None, ...]:
        """The image's layers from `docker save`, lowest first; None in place of those not wanted (by index)."""
        with tempfile.TemporaryFile() as archive:
            for chunk in self.client.images.get(image).save():
                archive.write(chunk)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                manifest = tar.extractfile("manifest.json")
                assert manifest is not None
                paths = json.load(manifest)[0]["Layers"]
                return tuple(_layer(tar, path) if wanted(i) else None for i, path in enumerate(paths))


def _layer(tar: tarfile.TarFile, path: str) -> Layer:
    stream = tar.extractfile(path)
    assert stream is not None
    if stream.read(2) == b"\x1f\x8b":  # newer daemons may save compressed blobs
        stream.seek(0)
        stream = io.BytesIO(gzip.decompress(stream.read()))
    stream.seek(0)
    digest, packed = hashlib.sha256(), _Count()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as packer:
        while block := stream.read(1 << 20):
            digest.update(block)
            packer.write(block)
    stream.seek(0)
    return Layer("sha256:" + digest.hexdigest(), packed.bytes, tuple(_entries(stream)))


def _entries(stream: IO[bytes]) -> Iterator[tuple[str, int, int, int, int, str]]:
    with tarfile.open(fileobj=stream) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
            yield member.name, member.mode, member.uid, member.gid, int(member.mtime), digest


class _Count(io.RawIOBase):
    """A sink that only counts."""

    bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.bytes += len(data)
        return len(data)


def in_network_of(pid: int, call: Callable[[], T]) -> T:
    """Call in the network namespace of a process. A namespace belongs to a thread: the thread is thrown away."""
    result: list[T] = []
    failure: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")
            finally:
                os.close(descriptor)
            result.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=enter_and_call)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def missing() -> str | None:
    """Why a daemon cannot be started here; None when it can."""
    if os.geteuid() != 0:
        return "a Docker daemon of the tests' own needs root"
    for program in ("dockerd", "containerd", "runc"):
        if not shutil.which(program, path=_path()):
            return f"{program} is not installed (apt-get install docker.io)"
    if not _docker_cli():
        return "Docker's command line is not installed (apt-get install docker.io, or docker-cli)"
    return None


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """Start a daemon, give its address and client, stop it and remove all it stored."""
    import docker

    reason = missing()
    if reason:
        raise EngineError(reason)
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):  # by tests that were killed
        if not Path("/proc", left.name.removeprefix(PREFIX).partition("-")[0]).exists():
            _remove(left)
    base = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        for driver in (
            "overlay2",
            "vfs",
        ):  # overlay does not lie on overlay: vfs where the tests run in a container
            daemon = _start_daemon(base, driver)
            if daemon:
                break
        else:
            raise EngineError(f"dockerd does not start:\n{(base / 'log').read_text()[-4000:]}")
        try:
            address = f"unix://{base}/docker.sock"
            with contextlib.closing(docker.DockerClient(base_url=address, timeout=600)) as client:
                yield Engine(address, client, _docker_cli(), daemon)
                if daemon.poll() is None:
                    for container in client.containers.list(all=True):
                        container.remove(force=True, v=True)
        finally:
            _stop(daemon)
    finally:
        _remove(base)


def _start_daemon(base: Path, driver: str) -> subprocess.Popen[bytes] | None:
    options = {
        "--data-root": base / f"data-{driver}",
        "--exec-root": base / "exec",
        "--pidfile": base / "pid",
        "--host": f"unix://{base}/docker.sock",
        "--storage-driver": driver,
        "--config-file": base / "daemon.json",
    }
    (base / "daemon.json").write_text("{}")
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += [f"{name}={value}" for name, value in options.items()]
    with (base / "log").open("ab") as log:
        daemon = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": _path()},
            preexec_fn=_end_with_the_tests,
        )
    begin = time.monotonic()
    while time.monotonic() - begin < DAEMON_START_SECONDS and daemon.poll() is None:
        if _answers(base / "docker.sock"):
            return daemon
        time.sleep(0.2)
    _stop(daemon)
    return None


def _answers(socket_path: Path) -> bool:
    import docker

    try:
        with contextlib.closing(docker.DockerClient(base_url=f"unix://{socket_path}", timeout=5)) as client:
            client.ping()
    except Exception:  # the SDK raises its own, requests' and urllib3's errors while nothing listens
        return False
    return True


def _end_with_the_tests() -> None:
    """In the new process: an own group, and SIGTERM when the tests die, so that no daemon is left behind."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is None:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()


def _remove(base: Path) -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in points if Path(p).is_relative_to(base)), reverse=True):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL)
    shutil.rmtree(base, ignore_errors=True)


def _path() -> str:
    """dockerd lies in sbin, which an ordinary PATH may lack."""
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _docker_cli() -> str:
    """The distribution's client, which fits its daemon, before any other: a newer one has no BuildKit without a plugin."""
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else (shutil.which("docker") or "")
