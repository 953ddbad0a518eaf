"""kaniko's executor in a container of a Docker or Podman that answers, from kaniko's image.

The context goes in, and the image comes out, through the daemon's API: that works with a daemon on another machine, and
from an agent that is a container itself, where a mounted directory would be another one.
"""

from __future__ import annotations

import contextlib
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imgopt.dockerfile import MAX_BYTES
from imgopt.engines.classic import Cut, hang_up
from imgopt.engines.command import Finished, Lines
from imgopt.engines.context_tar import context_tar
from imgopt.engines.docker import DockerEngine
from imgopt.engines.docker_endpoint import config_directory
from imgopt.engines.engine import BuildRequest, EngineError
from imgopt.engines.kaniko_version import PRESERVES_SINCE, is_since, version_from
from imgopt.engines.leftovers import sweep
from imgopt.engines.owners import LABEL, this_process
from imgopt.files.opening import read_file
from imgopt.files.tar import TarStream
from imgopt.images.spool import new_spool, rewind_spool, write_spool

#: Of what is taken out of the container.
MOST_BYTES = 32 << 30
MOST_FILES = 100_000


class ContainerExecutor:
    """An executor in an image. EngineError when no daemon answers or the image is not to be had."""

    knows_preserve: bool
    version: str

    def __init__(self, image: str) -> None:
        self._image = image
        self.place = f"in a container of {image}"
        with _daemon() as client, _said(image):
            sweep(client)
            self._have_image(client)
            answer = client.containers.run(
                image,
                ["version"],
                remove=True,
                network_mode="none",
                labels={LABEL: str(this_process(client))},
            )
        self.version = version_from(answer.decode("utf-8", "replace"))
        self.knows_preserve = is_since(self.version, PRESERVES_SINCE)

    def _have_image(self, client: Any) -> None:
        from docker.errors import ImageNotFound

        try:
            client.images.get(self._image)
        except ImageNotFound:
            client.images.pull(self._image)

    def run(
        self, request: BuildRequest, arguments: Sequence[str], environment: Mapping[str, str], layout: Path
    ) -> Finished:
        with _daemon() as client, _said(self._image):
            name = f"imgopt-kaniko-{secrets.token_hex(6)}"
            command = ["--force", "--no-push", "--context=dir:///kaniko/context", "--log-format=color"]
            command += [
                "--dockerfile=/kaniko/imgopt/Dockerfile",
                "--oci-layout-path=/kaniko/layout",
                *arguments,
            ]
            bridge = any(network.get("Driver") == "bridge" for network in client.api.networks())
            container = client.containers.create(
                self._image,
                command,
                name=name,
                labels={LABEL: str(this_process(client))},
                environment=dict(environment),
                network_mode=None
                if bridge
                else "host",  # kaniko cannot do without: bases come from registries
            )
            try:
                container.put_archive("/kaniko", _inputs(request))
                code, lines, late = _follow(client, container, request)
                if code == 0 and not late:
                    _fetch(container, layout)
                return Finished(code, lines.kept, timed_out=late)
            finally:
                with contextlib.suppress(Exception):
                    container.remove(v=True, force=True)


def _follow(client: Any, container: Any, request: BuildRequest) -> tuple[int, Lines, bool]:
    """Starts the container and tells its lines until it ends: exit code, the lines, whether its time was up."""
    lines = Lines(request.line)
    cut = Cut(request.seconds)
    try:
        api = client.api
        container.start()
        response = api._get(
            api._url("/containers/{0}/logs", container.id),
            params={"stdout": 1, "stderr": 1, "follow": 1},
            stream=True,
            timeout=request.seconds,
        )
        cut.watch(response)
        try:
            for frame in api._multiplexed_response_stream_helper(response):
                lines.add(frame.decode("utf-8", "replace"))
        except Exception:
            if not cut.done:
                raise
        finally:
            hang_up(response)
        lines.end()
        if cut.done:
            return 137, lines, True
        return int(container.wait(timeout=60)["StatusCode"]), lines, False
    finally:
        cut.end()


def _inputs(request: BuildRequest) -> Iterator[bytes]:
    """What goes below /kaniko: the context, the Dockerfile, the registries' credentials."""
    _, context = context_tar(request.context, request.dockerfile, ".imgopt-dockerfile", below="context")
    files = {"imgopt/Dockerfile": read_file(request.dockerfile, MAX_BYTES + 1)}
    ignore = request.dockerfile.with_name(request.dockerfile.name + ".dockerignore")
    if ignore.is_file():
        files["imgopt/Dockerfile.dockerignore"] = read_file(ignore, MAX_BYTES + 1)
    credentials = config_directory() / "config.json"
    if credentials.is_file():
        files[".docker/config.json"] = credentials.read_bytes()
    for name, data in files.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        yield info.tobuf() + data + b"\0" * (-len(data) % 512)
    for directory in ("context", "layout"):
        info = tarfile.TarInfo(directory)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        yield info.tobuf()
    yield from context


def _fetch(container: Any, layout: Path) -> None:
    """The OCI layout, out of the container. InputError, MeasureError when what it gives is none, or does not fit."""
    stream, _ = container.get_archive("/kaniko/layout", chunk_size=1 << 20)
    with contextlib.closing(new_spool()) as spool:
        length = 0
        for chunk in stream:
            length += len(chunk)
            if length > MOST_BYTES:
                raise EngineError(
                    f"the image that kaniko made is larger than {MOST_BYTES:,} bytes", "build less into it"
                )
            write_spool(spool, chunk)
        rewind_spool(spool)
        layout.mkdir()
        tar = TarStream(
            spool, "kaniko's image", most_bytes=MOST_BYTES, most_entries=MOST_FILES, length=length
        )
        for entry in tar:
            name = entry.path.strip("/").partition("/")[2]  # without the directory that was asked for
            if entry.outside:
                raise EngineError(
                    "the container gave a file outside of its directory", "do not trust this image"
                )
            if entry.kind == "directory":
                (layout / name).mkdir(parents=True, exist_ok=True)
            elif entry.kind == "file":
                with (layout / name).open("wb") as file:
                    for block in tar.chunks():
                        write_spool(file, block)


@contextlib.contextmanager
def _daemon() -> Iterator[Any]:
    """The SDK client of a Docker daemon, else of Podman."""
    from imgopt.engines import docker, podman

    tried = []
    for way in (docker.connect, podman.connect):
        try:
            engine = way()
        except EngineError as error:
            tried.append(error.message)
            continue
        with engine:
            if isinstance(engine, DockerEngine):
                yield engine.client
                return
            with engine.api() as client:  # type: ignore[attr-defined]
                yield client
                return
    raise EngineError(
        f"kaniko's image needs Docker or Podman: {'; '.join(tried)}",
        "start one, or name an executor with --kaniko",
    )


@contextlib.contextmanager
def _said(image: str) -> Iterator[None]:
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        said = str(getattr(error, "explanation", None) or error).splitlines()
        raise EngineError(
            f"kaniko's image {image} cannot be used: {said[0] if said else 'no reason given'}",
            "check its name; it needs /kaniko/executor as its entrypoint",
        ) from error
    except OSError as error:
        raise EngineError(f"the daemon that runs {image} went away: {error}", "start it again") from error
