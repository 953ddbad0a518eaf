"""What the user asked for: the command line laid over the configuration, checked once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Literal

from imgopt.bandwidths import DEFAULT_PROFILE
from imgopt.errors import UsageError
from imgopt.light.records import dataclass, field
from imgopt.scales import Severity

Runtime = Literal["auto", "alpine", "glibc", "jlink", "distroless"]
RUNTIMES: tuple[Runtime, ...] = ("auto", "alpine", "glibc", "jlink", "distroless")

#: Says that nobody asked for another rate; reports print it.
DEFAULT_BANDWIDTH_SOURCE = f"default, profile {DEFAULT_PROFILE.name}"


@dataclass(frozen=True, slots=True)
class DeclaredBase:
    """A base image that the user declares under ``[bases]``; None where nothing is said.

    ``pattern`` matches the image name as it stands in FROM, ``*`` any text. ``like`` names a known image
    that has the same facts; the others override it. ``source`` is where it is declared, e.g. "imgopt.toml:7".
    """

    pattern: str
    like: str | None = None
    kind: Literal["jdk", "jre", "os", "build", "other"] | None = None
    java: int | None = None
    libc: Literal["glibc", "musl"] | None = None
    os: str | None = None
    counterpart: str | None = None
    os_version: str | None = None
    user: str | None = None
    java_home: str | None = None
    platforms: tuple[str, ...] | None = None
    has: tuple[str, ...] | None = None
    lacks: tuple[str, ...] | None = None
    source: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """What is said, by the keys of the table."""
        values = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("pattern", "source")
        }
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class Told:
    """What a file beside the Dockerfile says, and where: ``words`` are those of a command, or one path or name."""

    where: str  # "compose.yaml:7"
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``value`` is None where it is only known when the container starts."""

    where: str
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Container:
    """How a container of the image is run, as a Compose service or a Kubernetes manifest says it; None and () where it
    says nothing, and what the Dockerfile says counts.

    ``entrypoint`` without words takes the image's away. ``checks`` are run beside the application: probes and hooks.
    ``mounts`` are paths over which something is laid. ``target``: the stage that is built for it.
    """

    entrypoint: Told | None = None
    command: Told | None = None
    checks: tuple[Told, ...] = ()
    environment: tuple[Variable, ...] = ()
    mounts: tuple[Told, ...] = ()
    user: Told | None = None
    directory: Told | None = None
    target: str | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Where all of it stands."""
        single = (self.entrypoint, self.command, self.user, self.directory)
        told = [*(each for each in single if each is not None), *self.checks, *self.mounts]
        return (*(each.where for each in told), *(each.where for each in self.environment))


@dataclass(frozen=True, slots=True)
class BuiltFor:
    """What files beside a Dockerfile say of its image. The platforms that build commands name, and the commands as
    people find them (".github/workflows/image.yml:14"). ``unknown``: commands whose platforms are variables that nobody
    knows here. ``containers``: how the image is run; ``unread``: where more is said of that than is looked at;
    ``unlinked``: containers of images that nothing here builds, where they run what would count, and only this Dockerfile is
    there to make one ("k8s/pod.yaml:7 runs corp.io/orders with `jcmd`").
    """

    platforms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    containers: tuple[Container, ...] = ()
    unread: str | None = None
    unlinked: tuple[str, ...] = ()


NOBODY = BuiltFor()


@dataclass(frozen=True, slots=True)
class Recorded:
    """An image's last release, as a baseline has it: compressed bytes by the commands of its layers. ``source``: the file."""

    name: str
    layers: Mapping[str, int]
    source: str


@dataclass(frozen=True, slots=True)
class Options:
    """``bandwidths`` are bytes a second. ``platform`` None: what the build commands or the file say, else linux/amd64.
    An empty ``select`` means every rule. ``built_for``: the platforms that the build commands at hand name, all of
    which a base image must have; ``pushed``: those of them that one push sends together, () for all.

    ``progress`` is told the path that is being worked on; it must not raise.
    """

    context: Path | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    platform: str | None = None
    built_for: BuiltFor = NOBODY
    pushed: tuple[str, ...] = ()
    runtime: Runtime = "auto"
    spring_boot: str | None = None
    unsafe: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    foresee: bool = False  # also what the image will hold that can be forbidden
    silences: bool = True  # whether comments in a file silence rules
    bandwidths: tuple[int, ...] = DEFAULT_PROFILE.rates
    bandwidth_source: str = DEFAULT_BANDWIDTH_SOURCE
    rtt_s: float = 0.0  # of the way to the registry and back; 0: not known
    bases: tuple[DeclaredBase, ...] = ()
    fail_on: Severity | None = None
    root: Path | None = None  # where what a CI file names lies; None: in the checkout that it lies in itself
    recorded: tuple[Recorded, ...] = ()  # images of which a part may not be built yet, for figures alone
    #: Layers of archives that other images of the same Dockerfile have something in, so that each gets a line of its own.
    needed_layers: frozenset[str] = frozenset()
    jar_size: int | None = None  # bytes of an archive that is not built yet, for figures alone
    engine: str | None = None  # whose gzip sizes are predicted for: a key of imgopt.compressing.ENGINES
    progress: Callable[[str], None] | None = field(default=None, compare=False)


def platform_name(text: str) -> str:
    """``linux/amd64`` as engines normalise it (``linux/x86_64``, ``arm64``); a version of the system may stand behind it,
    as in ``windows(10.0.20348)/amd64``. UsageError for what is none."""
    parts = text.strip().lower().split("/")
    if len(parts) == 1:
        parts = ["linux", *parts]
    parts[1:2] = [_ARCHITECTURES.get(parts[1], parts[1])]
    name = "/".join(parts)
    if not re.fullmatch(r"(linux|windows)(\([a-z0-9._-]+\))?/[a-z0-9_]+(/v[0-9]+)?", name):
        raise UsageError(f"{text!r} is not a platform", "write linux/amd64 or linux/arm64")
    return name


def platform_names(text: str) -> tuple[str, ...]:
    """``linux/amd64,linux/arm64`` as engines take it, each once, in their order. UsageError for what is none."""
    return tuple(dict.fromkeys(map(platform_name, text.split(","))))


def named_platforms(text: str | None) -> tuple[tuple[str, ...], bool]:
    """The platforms of a command's words, and whether there are more that are not known. What is none (``local``, a
    mistake) is none."""
    found: list[str] = []
    unknown = False
    for each in re.split(r"[\s,]+", text or ""):
        if "$" in each:
            unknown = True
        elif each and each != "local":
            try:
                found.append(platform_name(each))
            except UsageError:
                continue
    return tuple(dict.fromkeys(found)), unknown


#: What an architecture's images are listed under where a name says more, or less, than that.
_SAME_IMAGE = {
    "arm64/v8": "arm64",
    "amd64/v1": "amd64",
    "amd64/v2": "amd64",
    "amd64/v3": "amd64",
    "arm": "arm/v7",
}


def image_platform(platform: str) -> str:
    """The platform under which an index has the image that an engine takes for ``platform`` (linux/arm64/v8 is
    linux/arm64, linux/amd64/v3 runs what linux/amd64 has)."""
    system, _, machine = platform.partition("/")
    return f"{system}/{_SAME_IMAGE.get(machine, machine)}"


_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}


def spring_boot_version(text: str) -> str:
    """``3.5`` or ``3.5.4`` or ``2.0.0.RELEASE``. UsageError for what is no version of Spring Boot."""
    if not re.fullmatch(r"[1-9]\.\d{1,2}(\.\d{1,3})?([.-][A-Za-z][A-Za-z0-9.-]{0,20})?", text.strip()):
        raise UsageError(f"{text!r} is not a Spring Boot version", "write it as 3.5.4")
    return text.strip()
