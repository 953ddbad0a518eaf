"""The engines that images are built with in tests, all real: how each is opened, and what it must not leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import private_docker
import stand_ins
from tools import tool

from imgopt.engines import Engine, open_engine


@dataclass(frozen=True, slots=True)
class Builder:
    """``variables``: of the environment, None to unset; ``options``: of `open_engine`, all plain values; ``provide``
    has a stand-in for a base image there; ``remains``: names of all images, containers, processes and mounts."""

    name: str
    engine: str
    variables: Mapping[str, str | None]
    options: Mapping[str, Any]
    provide: Callable[[str], object]
    remains: Callable[[], set[str]]
    # False: Podman's service lets a step run to its end that nobody waits for, and keeps the images of those before it
    stops_steps: bool = True
    runner: str | None = "docker"  # what can start its images here
    # what the test of two releases builds
    dockerfiles: tuple[str, ...] = ("Dockerfile", "Dockerfile.imgopt")

    @property
    def environment(self) -> dict[str, str]:
        changed = {
            name: self.variables.get(name, value) for name, value in {**os.environ, **self.variables}.items()
        }
        return {name: value for name, value in changed.items() if value is not None}

    @contextlib.contextmanager
    def open(self, **options: Any) -> Iterator[Engine]:
        with self.here(), open_engine(self.engine, **{**self.options, **options}) as engine:
            yield engine

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """With the builder's variables in this process's environment."""
        before, wanted = dict(os.environ), self.environment
        os.environ.clear()
        os.environ.update(wanted)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def project(directory: Path, dockerfile: str, **files: str) -> Path:
    """A build context with a Dockerfile and small files."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


TINY = "busybox:1.36"


def stand_in(engine: private_docker.Engine, name: str) -> None:
    """A base image in the Docker Engine: the Java ones of `stand_ins`, and a small one without Java."""
    from docker.errors import ImageNotFound

    if name != TINY:
        stand_ins.stand_in(engine, name)
        return
    try:
        engine.client.images.get(name)
    except ImageNotFound:
        with tempfile.TemporaryDirectory() as directory:
            small = Path(directory, "small.tar")
            with tarfile.open(stand_ins.rootfs("alpine-jre")) as whole, tarfile.open(small, "w") as part:
                for member in whole:
                    if not member.name.startswith("opt"):
                        part.addfile(member, whole.extractfile(member) if member.isreg() else None)
            command = [engine.cli, "import", "--change=ENV PATH=/usr/bin:/bin", str(small), name]
            subprocess.run(
                command, env={**os.environ, **engine.environment}, check=True, stdout=subprocess.DEVNULL
            )


def docker(engine: private_docker.Engine, buildkit: bool) -> Builder:
    """The private Docker Engine of the tests, by its classic builder or its BuildKit."""

    def remains() -> set[str]:
        api = engine.client.api
        images = {f"image {image}" for image in api.images(all=True, quiet=True)}
        return images | {f"container {container['Id']}" for container in api.containers(all=True)}

    return Builder(
        name="docker, BuildKit" if buildkit else "docker, classic",
        engine="docker",
        variables={**engine.environment, "DOCKER_BUILDKIT": str(int(buildkit)), "DOCKER_CONTEXT": None},
        options={},
        provide=lambda name: stand_in(engine, name),
        remains=remains,
    )


class Archives:
    """The stand-ins as `docker save` writes them, for engines that have another storage."""

    def __init__(self, engine: private_docker.Engine, directory: Path) -> None:
        self.engine, self._directory = engine, directory
        self._paths: dict[str, Path] = {}

    def __call__(self, name: str) -> Path:
        if name not in self._paths:
            stand_in(self.engine, name)
            path = self._directory / f"base-{len(self._paths)}.tar"
            with path.open("wb") as file:
                for chunk in self.engine.client.images.get(name).save(named=name, chunk_size=1 << 20):
                    file.write(chunk)
            self._paths[name] = path
        return self._paths[name]


# what Podman takes for granted may not be had inside of a container, where the tests may run
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
cgroupns = "private"
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
static_dir = "{base}/libpod"
volume_path = "{base}/volumes"
tmp_dir = "{base}/tmp"
"""


@contextlib.contextmanager
def podman(archive: Callable[[str], Path]) -> Iterator[Builder]:
    """Podman with a storage of its own. Builds run in a chroot: no network or cgroup of the machine is touched."""
    with _directory("imgopt-podman-tests-") as base:
        (base / "containers.conf").write_text(CONTAINERS_CONF.format(base=base))
        variables: dict[str, str | None] = {
            "CONTAINERS_CONF": str(base / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINER_HOST": None,
            "DOCKER_HOST": f"unix://{base}/no-docker.sock",
        }
        environment = {**os.environ, **{k: v for k, v in variables.items() if v is not None}}

        def ask(*command: str) -> str:
            return subprocess.run(
                ["podman", *command], env=environment, check=True, text=True, stdout=subprocess.PIPE
            ).stdout

        for driver in ("overlay", "vfs"):  # overlay does not lie on overlay
            text = f'[storage]\ndriver = "{driver}"\ngraphroot = "{base}/root"\nrunroot = "{base}/run"\n'
            (base / "storage.conf").write_text(text)
            with contextlib.suppress(subprocess.CalledProcessError):
                ask("info")
                break
            shutil.rmtree(base / "root", ignore_errors=True)

        def provide(name: str) -> None:
            if subprocess.run(["podman", "image", "exists", name], env=environment).returncode:
                ask("load", "--quiet", "--input", str(archive(name)))

        def remains() -> set[str]:
            images = {f"image {image}" for image in ask("images", "-a", "-q", "--no-trunc").split()}
            containers = {f"container {each}" for each in ask("ps", "-a", "--external", "-q").split()}
            return images | containers | processes("sleep 600", str(base))

        yield Builder("podman", "podman", variables, {}, provide, remains, runner="podman")


def buildah(podman: Builder, directory: Path) -> Builder:
    """The same storage, where only buildah is installed."""
    (directory / "buildah").symlink_to(shutil.which("buildah") or "buildah is not installed")
    variables = {**podman.variables, "PATH": str(directory)}
    return replace(podman, name="buildah", variables=variables, runner=None)


@contextlib.contextmanager
def podman_socket(podman: Builder) -> Iterator[Builder]:
    """The same storage, through the socket that speaks Docker's API."""
    with _directory("imgopt-podman-socket-") as base:
        address = f"unix://{base}/podman.sock"
        service = subprocess.Popen(
            ["podman", "system", "service", "--time=0", address],
            env=podman.environment,
            preexec_fn=private_docker._end_with_the_tests,
        )
        try:
            while not private_docker._answers(base / "podman.sock"):
                assert service.poll() is None, "podman system service does not start"
            yield replace(
                podman,
                name="podman, socket",
                variables={**podman.variables, "CONTAINER_HOST": address},
                stops_steps=False,
            )
        finally:
            private_docker._stop(service)


class Bases:
    """A registry on loopback that has the stand-ins under Docker Hub's names: some engines read bases nowhere else."""

    def __init__(self, address: str, archive: Archives) -> None:
        self.address = address
        self.engine = archive.engine
        self._archive = archive
        self._there: set[str] = set()

    def provide(self, name: str) -> None:
        if name not in self._there:
            path = name if "/" in name else f"library/{name}"
            command = [
                "skopeo",
                "copy",
                "--quiet",
                "--dest-tls-verify=false",
                f"docker-archive:{self._archive(name)}",
            ]
            subprocess.run([*command, f"docker://{self.address}/{path}"], check=True)
            self._there.add(name)

    def forget(self, name: str) -> None:
        """Another image was put under this name: whoever wants it next gets the stand-in anew."""
        self._there.discard(name)


@contextlib.contextmanager
def bases(archive: Archives) -> Iterator[Bases]:
    with _directory("imgopt-bases-") as base, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        settings = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(base / "data")}},
            "http": {"addr": address},
        }
        (base / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
        free.close()
        command = ["docker-registry", "serve", str(base / "config.yml")]
        with _served(command, base, lambda: _listens(address)):
            yield Bases(address, archive)


@contextlib.contextmanager
def buildkit(bases: Bases) -> Iterator[Builder]:
    """BuildKit with a socket and a state of its own, which takes Docker Hub's images from the registry of bases."""
    with _directory("imgopt-buildkit-tests-") as base, contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_buildkitd(base, bases, "overlayfs"))
        except StartError:  # overlay does not lie on overlay
            stack.enter_context(_buildkitd(base, bases, "native"))
        programs = base / "bin"
        programs.mkdir()
        (programs / "buildctl").symlink_to(tool("buildctl"))
        (programs / "docker-buildx").symlink_to(tool("buildx"))
        address = f"unix://{base}/buildkitd.sock"
        yield Builder(
            name="buildkit",
            engine="buildkit",
            variables={
                **bases.engine.environment,  # where its images may be started
                "BUILDKIT_HOST": None,
                "SOURCE_DATE_EPOCH": None,
                "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
                "BUILDX_CONFIG": str(base / "buildx"),
            },
            options={"buildkit_addr": address},
            provide=bases.provide,
            remains=lambda: processes("sleep 600", f"buildctl --addr {address}"),
        )


@contextlib.contextmanager
def _buildkitd(base: Path, bases: Bases, snapshotter: str) -> Iterator[None]:
    (base / "buildkitd.toml").write_text(f"""\
root = "{base}/state-{snapshotter}"
[grpc]
address = ["unix://{base}/buildkitd.sock"]
[worker.oci]
binary = "runc"
networkMode = "host"
snapshotter = "{snapshotter}"
gc = false
[worker.containerd]
enabled = false
[registry."docker.io"]
mirrors = ["{bases.address}"]
[registry."{bases.address}"]
http = true
""")
    answers = [str(tool("buildctl")), "--addr", f"unix://{base}/buildkitd.sock", "debug", "workers"]
    with _served(
        [str(tool("buildkitd")), "--config", str(base / "buildkitd.toml")],
        base,
        lambda: not subprocess.run(answers, capture_output=True).returncode,
    ):
        yield


def kaniko(bases: Bases) -> Builder:
    """The archived executor, in a chroot that imgopt makes; bases come from the registry of bases."""

    def remains() -> set[str]:
        mounts = Path("/proc/mounts").read_text().splitlines()
        return processes("sleep 600", str(tool("executor"))) | {m for m in mounts if "imgopt-kaniko" in m}

    return Builder(
        name="kaniko",
        engine="kaniko",
        variables=bases.engine.environment,
        options={
            "kaniko": str(tool("executor")),
            "kaniko_flags": [
                f"--registry-map=index.docker.io={bases.address}",
                f"--insecure-registry={bases.address}",
            ],
        },
        provide=bases.provide,
        remains=remains,
    )


def reproducible(kaniko: Builder) -> Builder:
    """kaniko 1.24 with the flag that keeps digests, and writes the base's layers anew."""
    flags = [*kaniko.options["kaniko_flags"], "--reproducible"]
    options = {**kaniko.options, "kaniko_flags": flags}
    return replace(kaniko, name="kaniko, --reproducible", options=options, dockerfiles=("Dockerfile.imgopt",))


class StartError(Exception):
    """A server of the tests did not start; the text holds the end of its log."""


@contextlib.contextmanager
def _served(command: list[str], base: Path, answers: Callable[[], bool]) -> Iterator[None]:
    with (base / "log").open("ab") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": private_docker._path()},
            preexec_fn=private_docker._end_with_the_tests,
        )
    try:
        deadline = time.monotonic() + 60
        while not answers():
            if server.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{command[0]} does not start:\n{(base / 'log').read_text()[-4000:]}")
            time.sleep(0.1)
        yield
    finally:
        private_docker._stop(server)


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def processes(*words: str) -> set[str]:
    """Processes on whose command line one of these stands, without those that serve the tests, and without those of tests
    that run beside this one."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            if (
                any(word in command for word in words)
                and " service " not in command
                and "conmon" not in command
                and _worker_of(path.parent) in (None, os.environ.get(WORKER))
            ):
                found.add(f"process {path.parent.name} {command[:200]}")
    return found


WORKER = "PYTEST_XDIST_WORKER"  # which of the test runs at the same time it is; what it starts inherits it


def _worker_of(process: Path) -> str | None:
    """Of a process, or of the one that started it: steps of a build have an environment of their own."""
    for _ in range(30):
        for variable in (process / "environ").read_bytes().split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name == WORKER.encode():
                return value.decode()
        parent = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        if parent in ("0", "1"):
            return None
        process = process.parent / parent
    return None


@contextlib.contextmanager
def _directory(prefix: str) -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield base
    finally:
        private_docker._remove(base)
