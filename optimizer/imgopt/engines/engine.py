"""The protocol of the engines: build a Dockerfile, hand out the image's layers, run it, leave nothing behind.

An engine is a context manager: what it made (images, containers, work directories) is gone when it is closed,
also after Ctrl-C. What was there before, cache and base images, stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from imgopt.errors import MeasureError
from imgopt.images.model import OpenImage
from imgopt.light.records import dataclass, field
from imgopt.units import megabytes


class EngineError(MeasureError):
    """An engine that is not there, does not answer, or did something unforeseen."""


class StartError(EngineError):
    """The engine is there, but cannot start this image's command: no such program, no permission, another platform."""


class TimeUpError(EngineError):
    """A command in a container that was not done when its time was up."""


class BuildError(EngineError):
    """A build that failed. ``step``: the instruction that failed, as the builder printed it, or None.
    ``reason``: what the builder gave for it; ``image``: the one that could not be had, where that is the reason.
    ``output``: the end of the build's own output (lines)."""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        step: str | None = None,
        output: Sequence[str] = (),
        reason: str = "",
        image: str | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.step = step
        self.output = tuple(output)
        self.reason = reason
        self.image = image


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build. ``dockerfile`` may lie outside of ``context``. ``cache`` False: every step runs again, nothing
    that an earlier build left is used (base images are). ``seconds``: after that the build is stopped (BuildError).

    ``line`` is told each line of the build's output as it comes; it must not raise.
    """

    context: Path
    dockerfile: Path
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    platform: str | None = None
    cache: bool = True
    seconds: float = 1800
    line: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """``reference``: what the engine calls it, its own for as long as the engine is open. ``seconds``: the build."""

    reference: str
    image_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a started container may have. Java takes a quarter of ``memory_bytes`` for its heap, and with less than 1.8 GB
    another garbage collector: the default is well above that, and the same on every machine. ``pids``: processes and
    threads together. ``new_privileges``: whether setuid programs and file capabilities count."""

    memory_bytes: int = 4_000_000_000
    pids: int = 4096
    new_privileges: bool = False

    @property
    def text(self) -> str:
        rights = "new privileges allowed" if self.new_privileges else "no new privileges"
        return (
            f"at most {megabytes(self.memory_bytes)} of memory, {self.pids:,} processes and threads, {rights}"
        )


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """How to start a container. ``arguments`` stand after the image's name, ``entrypoint`` replaces the image's."""

    arguments: Sequence[str] = ()
    entrypoint: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()  # TCP ports of the container that will be asked
    limits: Limits = DEFAULT_LIMITS


class Container(Protocol):
    """A started container. Removed by `remove`, or with its engine."""

    @property
    def running(self) -> bool: ...

    @property
    def pid(self) -> int | None:
        """The first process, as this host numbers it; None when the engine runs elsewhere."""
        ...

    def connect(self, port: int, timeout: float) -> tuple[str, int]:
        """Where ``port`` of the container is reached from here: host and port. EngineError when it is not."""
        ...

    def in_network(self, call: Callable[[], object]) -> object:
        """Calls where `connect`'s address is meant: here, or in the container's own network namespace."""
        ...

    def health(self) -> str | None:
        """The image's own health check: "starting", "healthy", "unhealthy"; None when there is none."""
        ...

    def execute(self, command: Sequence[str], seconds: float) -> tuple[int, str]:
        """Runs a command in the container: exit code and output (both streams). TimeUpError after ``seconds``."""
        ...

    def memory_bytes(self) -> int | None:
        """Resident memory of all its processes (RSS); None when it cannot be told."""
        ...

    def log(self, lines: int = 80) -> str: ...

    def stop(self, seconds: float) -> tuple[int, float]:
        """SIGTERM, SIGKILL after ``seconds``: exit code (137: had to be killed) and the seconds it took."""
        ...

    def wait(self, seconds: float) -> int | None:
        """Exit code when it ends within ``seconds`` by itself, else None."""
        ...

    def remove(self) -> None: ...


class Runner(Protocol):
    """What starts containers. Docker and Podman are; BuildKit's and kaniko's images are loaded into one of them."""

    @property
    def name(self) -> str: ...

    @property
    def unlimited(self) -> str | None:
        """Why containers were started without their limits on memory and processes; None while they have them."""
        ...

    def load(self, image: OpenImage, reference: str) -> str:
        """Makes an image of another engine known here; the reference to start. Removed on close."""
        ...

    def start(self, reference: str, request: RunRequest) -> Container: ...


#: Gives a runner for as long as a context lasts; None where nothing starts containers.
Starter = Callable[[], AbstractContextManager[Runner | None]]


class Engine(AbstractContextManager["Engine"], Protocol):
    """``name``: docker, buildkit, podman or kaniko. ``description``: for people, with version and builder, e.g.
    "Docker 20.10.24, classic builder"."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def gzip(self) -> str:
        """Whose gzip makes the blobs that its push sends: a key of imgopt.compressing's table of engines."""
        ...

    @property
    def steady(self) -> str | None:
        """None when this engine keeps the digest of layers whose content is the same; else why it does not, and what
        the way round costs (buildah without --layers, kaniko 1.24 without --reproducible)."""
        ...

    @property
    def sets(self) -> Sequence[str]:
        """What imgopt sets, and whoever drives this engine without it must set too, so that layers keep their digests:
        a flag or a variable, a colon, why."""
        ...

    def build(self, request: BuildRequest, tag: str) -> BuiltImage:
        """Builds; a later build with the same tag replaces it. BuildError, EngineError."""
        ...

    def open(self, built: BuiltImage) -> OpenImage:
        """The image's layers: with blobs where the engine makes them itself as a registry would receive them."""
        ...

    def runner(self) -> Runner | None:
        """What can start the images of this engine here; None when nothing can."""
        ...

    def close(self) -> None: ...
