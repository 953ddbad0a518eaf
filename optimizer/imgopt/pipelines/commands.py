"""One command line: the build or the push that it is, if it is one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from imgopt.pipelines.model import (
    Build,
    Place,
    Push,
    Recipe,
    Timeout,
    Tool,
)
from imgopt.pipelines.tools import (
    Arg,
    Line,
    Parsed,
    flags,
    image_name,
    is_kaniko,
    repository,
    run_image,
)
from imgopt.pipelines.versions import PRESERVES_BASE, executor

MAX_COMMANDS = 4_000  # of a pipeline, each run of a loop counted
_MAX_FOUND = 300  # builds, and pushes
_NO_REGISTRY = ("oci:", "oci-archive:", "docker-archive:", "docker-daemon:", "dir:", "containers-storage:")
_MOST_IN_CONTAINER = 40
#: Where kaniko keeps what stages hand on: /kaniko/0, /kaniko/1 …; /kaniko/deps in the maintained fork.
_LEFT_BEHIND = re.compile(r"(?:/kaniko|\$\{?KANIKO_DIR\}?)(?:/(?:\*?\[0-9\][^/]*|\d+|deps|\*|\?)?)?(?:/\*?)?")
_RECURSIVE = re.compile(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive")
_FIND_REMOVES = frozenset({"-delete", "-exec", "-execdir", "-print0"})
_BUILDERS = frozenset({"docker", "podman", "nerdctl"})
#: Those of docker, podman and buildah, and kaniko's in the spellings that its versions take.
_PLATFORM_FLAGS = ("platform", "custom-platform", "customPlatform")


@dataclass(frozen=True)
class Request:
    """What a command says about the Dockerfile it builds. Paths are as written, with `HERE` and `ROOT` in them;
    None where they depend on what is not known, "" where nothing is said. ``platform``: one or several, joined by
    commas."""

    dockerfile: str | None
    context: str | None
    directory: str | None
    build_args: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    platform: str | None = None
    kaniko: bool = False


class Repository(Protocol):
    """What the commands run in: Dockerfiles that it weighs, scripts that it reads (None where there is none)."""

    def __call__(self, request: Request) -> Recipe: ...
    def script(self, path: str, directory: str | None) -> str | None: ...


@dataclass
class Reading:
    """What was found so far: a push looks back for the build of its image."""

    repository: Repository
    keeps_base: bool
    builds: list[Build] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    named: dict[str, Build] = field(default_factory=dict)  # by image name and by repository
    pulled: set[tuple[str, str]] = field(default_factory=set)  # (job, repository)
    loaded: set[str] = field(default_factory=set)  # jobs that take images out of tars
    #: By container: kaniko's builds since it was emptied, and where it is emptied under a condition.
    in_container: dict[str, list[Build | Place]] = field(default_factory=dict)
    #: The same in one round of a loop over what is not known, by container and loop.
    rounds: dict[tuple[str, int], list[Build | Place]] = field(default_factory=dict)
    scripts: int = 0  # read so far
    left: int = MAX_COMMANDS
    cut: bool = False  # something was too long


def limit_of(limit: tuple[float, str], line: int) -> Timeout:
    """A `timeout` in front of a command, as what stands around it."""
    return Timeout(limit[0], line, limit[1], "shell")


def read_command(
    reading: Reading, line: Line, lines: tuple[int, int], place: Place, directory: str | None
) -> None:
    """Adds to `reading` what a command in these lines builds or pushes."""
    words = list(line.words)
    if not words or words[0].value is None:
        return
    limits = tuple(limit_of(limit, lines[0]) for limit in line.limits)
    at = _At(reading, lines, replace(place, timeouts=(*place.timeouts, *limits)), directory, line.variables)
    program = words[0].value
    name = program.rsplit("/", 1)[-1]
    if name in ("rm", "find"):
        if _empties(name, words[1:]):
            at.emptied()
        return
    if is_kaniko(words):
        at.kaniko(flags(words[1:], kaniko=True), place.agent.image)
        return
    command = next((word.value for word in words[1:] if not word.text.startswith("-")), None)
    behind = _behind(words, command)
    if name in _BUILDERS:
        at.docker(name, command, behind)
    elif name == "buildah" and command in ("bud", "build", "build-using-dockerfile"):
        at.build("buildah", flags(behind))
    elif name == "buildah" and command == "push":
        at.push("buildah", flags(behind).rest)
    elif name == "skopeo" and command == "copy":
        at.copy(flags(behind).rest)
    elif name == "buildctl" and command == "build":
        at.buildctl(flags(behind))
    elif name == "docker-compose" and command == "push":
        at.push("docker", ())


def _empties(name: str, words: Sequence[Arg]) -> bool:
    """Whether an ``rm`` or ``find`` removes what kaniko's stages left, and not only something that lies in it."""
    if not any(_LEFT_BEHIND.fullmatch(word.known) for word in words):
        return False
    if name == "rm":
        return any(_RECURSIVE.fullmatch(word.known) for word in words)
    return any(word.known in _FIND_REMOVES for word in words)


def emptied(reading: Reading) -> frozenset[Build]:
    """The builds in loops that find nothing of the round before."""
    found: set[Build] = set()
    for entries in reading.rounds.values():
        builds = [(at, entry) for at, entry in enumerate(entries) if isinstance(entry, Build)]
        behind = all(_emptied_by(entries[at + 1 :], build.place) for at, build in builds)
        found |= {build for at, build in builds if behind or _emptied_by(entries[:at], build.place)}
    return frozenset(found)


def _emptied_by(entries: Sequence[Build | Place], *places: Place) -> bool:
    """Whether a container is emptied in between, whenever what stands in one of the places runs."""
    return any(
        isinstance(entry, Place) and any(place.implies(entry) for place in places) for entry in entries
    )


def _behind(words: list[Arg], command: str | None) -> list[Arg]:
    for number, word in enumerate(words[1:], 2):
        if word.value is not None and word.value == command:
            return words[number:]
    return []


@dataclass(frozen=True)
class _At:
    reading: Reading
    lines: tuple[int, int]
    place: Place
    directory: str | None
    variables: Mapping[str, str | None]

    @property
    def container(self) -> str:
        return self.place.container or f"job {self.place.job}"

    def emptied(self) -> None:
        there = self.reading.in_container.setdefault(self.container, [])
        if not self.place.choices and not self.place.conditions:
            there.clear()
        elif len(there) < _MOST_IN_CONTAINER:
            there.append(self.place)
        self._in_round(self.place)

    def _in_round(self, entry: Build | Place) -> None:
        if self.place.loop:
            entries = self.reading.rounds.setdefault((self.container, self.place.loop), [])
            if len(entries) < _MOST_IN_CONTAINER:
                entries.append(entry)

    def kaniko(self, parsed: Parsed, image: str | None, *, own: bool = False) -> None:
        if not parsed.flags:
            return  # `executor version` and the like
        recipe = self._recipe(
            parsed, parsed.last("dockerfile", "file") or "", parsed.last("context") or "", kaniko=True
        )
        names = tuple(map(image_name, parsed.flags.get("destination", ())))
        build = self._built("kaniko", parsed, recipe, image, names, None if own else self.container)
        if names and not build.on("no-push"):
            self._pushed("kaniko", build, names[0], asks=True, fresh="kaniko keeps nothing between builds")

    def docker(self, name: str, command: str | None, behind: list[Arg]) -> None:
        tool: Tool = "podman" if name == "podman" else "docker"
        if command in ("image", "buildx", "builder", "compose") and behind:
            group, command = command, behind[0].value
            behind = behind[1:]
            if group == "compose":
                if command == "push":
                    self.push(tool, ())
                return
            if group == "buildx" and command in ("build", "b"):
                self.build("buildx", flags(behind))
                return
        if command == "build":
            self.build(tool, flags(behind))
        elif command == "push":
            self.push(tool, flags(behind).rest)
        elif command == "pull":
            for word in flags(behind).rest:
                self.reading.pulled.add((self.place.job, repository(image_name(word.known))))
        elif command == "load":
            self.reading.loaded.add(self.place.job)
        elif command == "tag" and len(behind) > 1:
            built = self._named(image_name(behind[0].known))
            if built is not None:
                self._call(built, (image_name(behind[1].known),))
        elif command == "run":
            run = run_image(behind)
            if run is not None and "kaniko" in run[0]:
                inside = replace(self, variables={**self.variables, **run[2]})
                inside.kaniko(flags(run[1], kaniko=True), run[0], own=True)

    def build(self, tool: Tool, parsed: Parsed) -> None:
        context = next((word.known for word in parsed.rest), "")
        recipe = self._recipe(parsed, parsed.last("file") or "", context)
        names = tuple(map(image_name, parsed.flags.get("tag", ())))
        build = self._built(tool, parsed, recipe, self.place.agent.image, names)
        output = parsed.last("output") or ""
        pushes = "push=true" in output.replace(" ", "") or "type=registry" in output
        if build.on("push") or pushes:
            self._pushed("buildx", build, names[0] if names else None, asks=True, fresh=None)

    def buildctl(self, parsed: Parsed) -> None:
        options = [value.partition("=")[::2] for value in parsed.flags.get("opt", ())]
        locals_ = dict(value.partition("=")[::2] for value in parsed.flags.get("local", ()))
        given = dict(options)
        folder = locals_.get("dockerfile", "")
        file = (
            posixpath.join(folder, given.get("filename", "Dockerfile"))
            if folder or "filename" in given
            else ""
        )
        recipe = self._recipe(parsed, file, locals_.get("context", ""))
        output = parsed.last("output") or ""
        build = self._built("buildctl", parsed, recipe, self.place.agent.image, ())
        if "push=true" in output.replace(" ", ""):
            self._pushed("buildctl", build, None, asks=True, fresh=None)

    def push(self, tool: Tool, rest: Sequence[Arg]) -> None:
        if rest and rest[-1].known.startswith(_NO_REGISTRY):
            return
        name = image_name(rest[0].known) if rest else None
        build = self._named(name) if name else None
        fresh = self.place.agent.docker if tool == "docker" else self.place.agent.fresh
        self._pushed(tool, build, name, asks=False, fresh=fresh)

    def copy(self, rest: Sequence[Arg]) -> None:
        if len(rest) < 2 or not rest[1].known.startswith("docker://"):
            return
        source = rest[0].known
        if source.startswith("docker://"):
            return  # from registry to registry: how much is not known here
        packed = source.startswith(("oci:", "oci-archive:", "dir:"))
        name = image_name(rest[1].known)
        fresh = None if packed else self.place.agent.fresh
        self._pushed("skopeo", self._named(name), name, asks=packed, fresh=fresh)

    # what is found

    def _recipe(self, parsed: Parsed, dockerfile: str, context: str, *, kaniko: bool = False) -> Recipe:
        args = [value.partition("=") for value in parsed.flags.get("build-arg", ())]
        target = parsed.last("target")
        request = Request(
            None if "$" in dockerfile else dockerfile,
            None if "$" in context else context,
            self.directory,
            tuple((name, value) for name, equals, value in args if equals and "$" not in value),
            None if target is None or "$" in target else target,
            self._platform(parsed),
            kaniko,
        )
        return self.reading.repository(request)

    def _platform(self, parsed: Parsed) -> str | None:
        """For which platforms it builds, joined by commas, with a ``$`` in what is not known; None where it does not
        say and the machine is taken to be the usual one."""
        named = [value for name in _PLATFORM_FLAGS for value in parsed.flags.get(name, ())]
        options = [value.partition("=")[::2] for value in parsed.flags.get("opt", ())]
        named += [value for name, value in options if name == "platform"]
        for architecture in parsed.flags.get("arch", ()):
            variant = parsed.last("variant")
            named.append(f"linux/{architecture}" + (f"/{variant}" if variant else ""))
        if not any(named):
            named = [self.variables.get("DOCKER_DEFAULT_PLATFORM") or ""]
        if not any(named) and self.place.agent.architecture is not None:
            named = [f"linux/{self.place.agent.architecture}"]
        return ",".join(filter(None, named)) or None

    def _built(
        self,
        tool: Tool,
        parsed: Parsed,
        recipe: Recipe,
        image: str | None,
        names: tuple[str, ...],
        container: str | None = None,
    ) -> Build:
        line, end = self.lines
        set_ = (self.variables.get(PRESERVES_BASE) or "").lower() in ("true", "1", "yes", "t")
        keeps_base = set_ or self.reading.keeps_base or executor(image).has(PRESERVES_BASE) is True
        there = self.reading.in_container.setdefault(container, []) if container is not None else []
        build = Build(
            tool,
            parsed.flags,
            line,
            end,
            self.place,
            recipe,
            image,
            names,
            self.variables,
            parsed.open,
            keeps_base,
            container,
            tuple(
                other
                for at, other in enumerate(there)
                if isinstance(other, Build)
                and not self.place.instead_of(other.place)
                and not _emptied_by(there[at + 1 :], self.place, other.place)
            ),
        )
        if container is not None:
            self._in_round(build)
        if len(there) < _MOST_IN_CONTAINER:
            there.append(build)
        self.reading.builds.append(build)
        if len(self.reading.builds) >= _MAX_FOUND:
            self.reading.left = 0
        self._call(build, names)
        return build

    def _call(self, build: Build, names: tuple[str, ...]) -> None:
        for name in names:
            self.reading.named[name] = build
            self.reading.named[repository(name)] = build

    def _named(self, name: str) -> Build | None:
        named = self.reading.named
        return named.get(name) or named.get(repository(name))

    def _pushed(
        self, tool: Tool, build: Build | None, name: str | None, *, asks: bool, fresh: str | None
    ) -> None:
        line, end = self.lines
        recipe = (
            build.recipe
            if build is not None
            else Recipe(None, None, why="nothing here says which Dockerfile it is")
        )
        pulled = name is not None and (self.place.job, repository(name)) in self.reading.pulled
        here = build is not None and build.place.job == self.place.job and build.tool != "kaniko"
        loaded = tool == "docker" and not here and self.place.job in self.reading.loaded
        push = Push(tool, line, end, self.place, build, recipe, asks, fresh, pulled, name, loaded)
        if not any(_same(push, other) for other in self.reading.pushes[-8:]):
            self.reading.pushes.append(push)
            if len(self.reading.pushes) >= _MAX_FOUND:
                self.reading.left = 0


def _same(push: Push, other: Push) -> bool:
    """Another tag of an image that was just pushed: its layers are there already, or on their way."""
    if push.build is None or push.build is not other.build or push.tool != other.tool:
        return False
    if push.place.branches == other.place.branches:
        return True
    return push.target is not None and repository(push.target) == repository(other.target or "")
