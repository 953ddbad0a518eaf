"""The engines that images are built with in these tests: how each is opened, and what it must not leave behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import private_docker
from stand_ins import stand_in

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
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
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
        self._engine, self._directory = engine, directory
        self._paths: dict[str, Path] = {}

    def __call__(self, name: str) -> Path:
        if name not in self._paths:
            stand_in(self._engine, name)
            path = self._directory / f"base-{len(self._paths)}.tar"
            with path.open("wb") as file:
                for chunk in self._engine.client.images.get(name).save(named=name, chunk_size=1 << 20):
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

        yield Builder("podman", "podman", variables, {}, provide, remains)


def buildah(podman: Builder, directory: Path) -> Builder:
    """The same storage, where only buildah is installed."""
    (directory / "buildah").symlink_to(shutil.which("buildah") or "buildah is not installed")
    return replace(podman, name="buildah", variables={**podman.variables, "PATH": str(directory)})


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


def processes(*words: str) -> set[str]:
    """Processes on whose command line one of these stands, without those that serve the tests."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            if (
                any(word in command for word in words)
                and " service " not in command
                and "conmon" not in command
            ):
                found.add(f"process {path.parent.name} {command[:200]}")
    return found


@contextlib.contextmanager
def _directory(prefix: str) -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield base
    finally:
        private_docker._remove(base)
