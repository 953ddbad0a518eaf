"""One command line: the build or the push that it is, if it is one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from imgopt.java.image_goals import Bound, MavenCall, reaches
from imgopt.java.image_tasks import Reached
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.pipelines.bake import Target, bake_targets, compose_targets, service_named
from imgopt.pipelines.build_tools import (
    GRADLE,
    MAVEN,
    MAY_PUSH,
    Goal,
    goal_of,
    goal_of_task,
    goals,
    gradle_call,
    maven_call,
    tool_of,
)
from imgopt.pipelines.checkout import resolved
from imgopt.pipelines.clusters import Pod, pods
from imgopt.pipelines.elsewhere import given_away
from imgopt.pipelines.model import (
    Build,
    Place,
    Push,
    Recipe,
    Timeout,
    Tool,
    Unfollowed,
)
from imgopt.pipelines.printed import Checkout
from imgopt.pipelines.registries import registry_of
from imgopt.pipelines.tools import (
    KUBECTL_VALUES,
    PLUGIN,
    Arg,
    Container,
    Line,
    Parsed,
    Ran,
    behind_options,
    flags,
    image_name,
    is_kaniko,
    repository,
    run_image,
    tried,
)
from imgopt.pipelines.versions import PRESERVES_BASE, executor

MAX_COMMANDS = 4_000  # of a pipeline, each run of a loop counted
_MAX_FOUND = 300  # builds, and pushes
_NO_REGISTRY = ("oci:", "oci-archive:", "docker-archive:", "docker-daemon:", "dir:", "containers-storage:")
_MOST_IN_CONTAINER = 40
_MOST_UNFOLLOWED = 50
#: Where kaniko keeps what stages hand on: /kaniko/0, /kaniko/1 …; /kaniko/deps in the maintained fork.
_LEFT_BEHIND = regex(r"(?:/kaniko|\$\{?KANIKO_DIR\}?)(?:/(?:\*?\[0-9\][^/]*|\d+|deps|\*|\?)?)?(?:/\*?)?")
_RECURSIVE = regex(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive")
_FIND_REMOVES = frozenset({"-delete", "-exec", "-execdir", "-print0"})
#: Programs that leave the files alone which an image is made of.
_CHANGES_NOTHING = frozenset("echo printf sleep date helm cosign trivy syft".split())
_BUILDERS = frozenset({"docker", "podman", "nerdctl"})
#: Of their commands those that do so, too: a container may have the files mounted.
_LEAVE_FILES = frozenset(
    "build builder buildx context create history images import info inspect kill load login logout logs ls manifest network "
    "port prune ps pull push rename rm rmi scout search stats stop system tag top trust version volume wait".split()
)
#: Their own options that have a value behind them, in front of the subcommand.
_OWN_OPTIONS = {
    "docker": frozenset(
        "-H --host -c --context --config -l --log-level --tlscacert --tlscert --tlskey".split()
    ),
    "podman": frozenset(
        "--url --connection -c --identity --root --runroot --storage-driver --storage-opt --log-level --tmpdir "
        "--cgroup-manager --runtime --module --ssh".split()
    ),
    "nerdctl": frozenset(
        "-n --namespace -a --address -H --host --data-root --snapshotter --cgroup-manager --hosts-dir".split()
    ),
    "buildah": frozenset(
        "--root --runroot --storage-driver --storage-opt --log-level --registries-conf --userns-uid-map".split()
    ),
    "skopeo": frozenset(
        "--policy --registries.d --registries-conf --override-os --override-arch --override-variant "
        "--command-timeout --tmpdir".split()
    ),
    "crane": frozenset("--platform".split()),
    "buildctl": frozenset(
        "--addr --timeout --tlsservername --tlscacert --tlscert --tlskey --tlsdir --log-format".split()
    ),
    "img": frozenset("-s --state -b --backend".split()),
    "pack": frozenset("--timestamps".split()),
    "ctr": frozenset("-n --namespace -a --address --timeout --connect-timeout".split()),
}
_COMPOSE_OPTIONS = frozenset(
    "-f --file -p --project-name --profile --env-file --project-directory --ansi --parallel --progress -c --context -H "
    "--host --log-level".split()
)
#: Where compose and bake look for their file, in their order.
_COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_BAKE_FILES = (*_COMPOSE_FILES, "docker-bake.json", "docker-bake.hcl")
#: A variable of which its name says that it holds options.
_HOLDS_OPTIONS = regex(r"(?i)\$\{?\w*(?:opt|arg|flag|param|propert|setting|profile)")
#: Images that start the program of that name.
_STARTED = ("skopeo", "crane")
#: Programs that build or push from a container as they do beside it.
_IN_CONTAINERS = frozenset((*MAVEN, *GRADLE, *_STARTED, "docker", "podman", "buildah"))
#: Programs that make or push images in a way that is not followed.
_NOT_FOLLOWED = {
    "skaffold": ("build", "run", "deploy", "dev"),
    "werf": ("build", "converge", "bundle", "export"),
    "ko": ("build", "publish", "apply", "resolve"),
    "tilt": ("ci", "up"),
    "regctl": ("image",),
    "oras": ("push", "copy", "cp"),
    "buildah": ("commit",),
    "oc": ("start-build", "new-build"),
    "argo": ("submit",),
}
NOT_SAID = "nothing here says which Dockerfile it is"
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


class Repository(Checkout, Protocol):
    """What the commands run in: Dockerfiles that it weighs, and its other files."""

    def __call__(self, request: Request) -> Recipe: ...
    def maven(self, pom: str, directory: str | None, call: MavenCall) -> Bound | str:
        """What a call does about images by the poms; why that is not known, where they are not at hand."""

    def gradle(self, directory: str | None, names: Sequence[str], without: Sequence[str]) -> Reached | str:
        """The same by the build scripts."""


@dataclass
class Reading:
    """What was found so far: a push looks back for the build of its image."""

    repository: Repository
    keeps_base: bool
    builds: list[Build] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    named: dict[str, Build] = field(default_factory=dict)  # by image name and by repository
    tagged: dict[str, str] = field(
        default_factory=dict
    )  # names by `docker tag`: what they were called before
    services: dict[str, Build] = field(
        default_factory=dict
    )  # of Compose, whose image is called by the project
    pulled: set[tuple[str, str]] = field(default_factory=set)  # (job, repository)
    loaded: set[str] = field(default_factory=set)  # jobs that take images out of tars
    #: By container: kaniko's builds since it was emptied, and where it is emptied under a condition.
    in_container: dict[str, list[Build | Place]] = field(default_factory=dict)
    #: The same in one round of a loop over what is not known, by container and loop.
    rounds: dict[tuple[str, int], list[Build | Place]] = field(default_factory=dict)
    made: dict[object, Build] = field(
        default_factory=dict
    )  # by what a build is told, and what came before it
    step: int = 0  # of the pipeline: what stands between two may change what is built
    changes: int = 0  # what ran so far that may do so
    scripts: int = 0  # read so far
    left: int = MAX_COMMANDS
    cut: bool = False  # something was too long
    unfollowed: list[Unfollowed] = field(default_factory=list)
    perhaps: list[Unfollowed] = field(default_factory=list)  # of a build tool: said where nothing pushes
    ran: list[Ran] = field(default_factory=list)  # what is run in containers

    def not_followed(self, what: str, line: int, why: str) -> None:
        """Keeps in mind what may build or push and cannot be followed."""
        if len(self.unfollowed) < _MOST_UNFOLLOWED:
            self.unfollowed.append(Unfollowed(" ".join(what.split())[:80], line, why))


def within(place: Place, line: Line, number: int) -> Place:
    """Where a command stands that has a `timeout` or a `retry` in front of it."""
    limits = tuple(
        Timeout(seconds, number, text, "shell", tried(attempts, place.attempts))
        for seconds, text, attempts in line.limits
    )
    attempts = tried(place.attempts, line.attempts)
    return replace(place, timeouts=(*place.timeouts, *limits), attempts=attempts)


def read_command(
    reading: Reading,
    line: Line,
    lines: tuple[int, int],
    place: Place,
    directory: str | None,
    fed: Arg | None = None,
) -> None:
    """Adds to `reading` what a command in these lines builds or pushes. ``fed``: what it reads from a pipe."""
    words = list(line.words)
    if not words or words[0].value is None:
        return
    at = _At(reading, lines, within(place, line, lines[0]), directory, line.variables)
    program = words[0].value
    name = program.rsplit("/", 1)[-1]
    reading.changes += _changes_files(name, words[1:])
    if name in ("rm", "find"):
        if _empties(name, words[1:]):
            at.emptied()
        return
    if is_kaniko(words):
        at.kaniko(flags(words[1:], kaniko=True), place.agent.image)
        return
    if name in ("kubectl", "oc"):
        at.kubectl(words[1:])
    if name in ("kubectl", "oc") and (started := at.pods(words[1:], fed)):
        for pod in started:
            at.pod(pod)
        return
    away = given_away(name, words[1:], fed)
    if away is not None:
        reading.not_followed(away[0], lines[0], away[1])
        return
    if name in ("kubectl", "oc") and (at_ := _index(words, "--")):
        read_command(reading, replace(line, words=tuple(words[at_ + 1 :])), lines, place, directory)
        return
    if name in MAVEN:
        at.maven(name, words[1:])
        return
    if name in GRADLE:
        at.gradle(name, words[1:])
        return
    _, rest = behind_options(words[1:], _OWN_OPTIONS.get(name, frozenset()))
    command, behind = (rest[0].value if rest else None), rest[1:]
    if name in _NOT_FOLLOWED and command in _NOT_FOLLOWED[name]:
        reading.not_followed(f"{name} {command}", lines[0], "what it builds and pushes is not read")
    elif name in _BUILDERS:
        at.docker(name, command, behind)
    elif name == "docker-compose":
        at.compose(list(words[1:]))
    elif name == "docker-buildx":
        at.docker("docker", "buildx", rest)
    elif name in ("buildah", "img"):
        if command in ("bud", "build", "build-using-dockerfile"):
            at.build("buildah" if name == "buildah" else "img", flags(behind))
        elif command == "push":
            at.push("buildah" if name == "buildah" else "img", flags(behind).rest)
        elif command == "tag":
            at.tag(flags(behind).rest)
    elif name == "skopeo" and command == "copy":
        at.copy(flags(behind).rest)
    elif name == "crane" and command in ("push", "copy", "cp"):
        at.crane(command, flags(behind).rest)
    elif name == "ctr" and command in ("images", "image", "i") and behind and behind[0].value == "push":
        at.push("nerdctl", flags(behind[1:]).rest[:1])
    elif name == "buildctl" and command == "build":
        at.buildctl(flags(behind))
    elif name == "pack" and command == "build":
        at.pack(flags(behind))
    elif (
        name in ("gcloud", "az")
        and command in ("builds", "acr")
        and behind
        and behind[0].value in ("submit", "build")
    ):
        reading.not_followed(
            f"{name} {command} {behind[0].value}", lines[0], "it is built elsewhere, not pushed from here"
        )


def _changes_files(program: str, words: Sequence[Arg]) -> bool:
    """Whether a program may change the files that an image is made of. ``words`` stand behind its name."""
    if program in ("kubectl", "oc"):
        return [word.value for word in behind_options(words, KUBECTL_VALUES)[1][:1]] == ["cp"]
    if program not in _BUILDERS:
        return program not in _CHANGES_NOTHING
    _, rest = behind_options(words, _OWN_OPTIONS[program])
    if rest and rest[0].value in ("container", "image"):
        rest = rest[1:]
    return bool(rest) and rest[0].value not in _LEAVE_FILES


def _index(words: Sequence[Arg], text: str) -> int:
    """Where a word stands; 0 where it does not."""
    return next((number for number, word in enumerate(words) if word.text == text), 0)


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
        if not build.on("no-push"):
            for name in _of_registries(names):
                self._pushed("kaniko", build, name, asks=True, fresh="kaniko keeps nothing between builds")

    def pods(self, words: Sequence[Arg], fed: Arg | None) -> list[Pod]:
        def read(name: str) -> str | None:
            if name in ("-", "/dev/stdin"):
                return fed.known if fed is not None else None
            return self.reading.repository.script(name, self.directory)

        def below(name: str) -> list[str]:
            if not name or self.reading.repository.kind(name, self.directory) != "directory":
                return []
            return self.reading.repository.walked(name, self.directory, "*", "f") or []

        return pods(words, read, below)

    def pod(self, pod: Pod) -> None:
        """kaniko in a pod of its own: what it makes of the repository here is what its context says."""
        if pod.why is not None:
            self.reading.not_followed(f"kubectl with {pod.image[:60]}", self.lines[0], pod.why)
            return
        self.kaniko(flags(pod.words, kaniko=True), pod.image, own=True)

    def docker(self, name: str, command: str | None, behind: list[Arg]) -> None:
        tool: Tool = "podman" if name == "podman" else "nerdctl" if name == "nerdctl" else "docker"
        if command == "compose":
            self.compose(behind)
            return
        if command in ("image", "buildx", "builder", "container") and behind:
            group = command
            _, rest = behind_options(behind, frozenset({"--builder"}))
            command, behind = (rest[0].value if rest else None), rest[1:]
            if group == "buildx" and command in ("build", "b"):
                self.build("buildx", flags(behind))
                return
            if group == "buildx" and command in ("bake", "f"):
                self.bake(flags(behind))
                return
        if command == "build":
            self.build("docker" if tool == "nerdctl" else tool, flags(behind))
        elif command == "push":
            self.push(tool, flags(behind).rest)
        elif command == "pull":
            for word in flags(behind).rest:
                self.reading.pulled.add((self.place.job, repository(image_name(word.known))))
        elif command == "load":
            self.reading.loaded.add(self.place.job)
        elif command == "tag":
            self.tag(behind)
        elif command in ("run", "create"):
            self.ran("docker", "run", behind)
            run = run_image(behind)
            if run is not None:
                self.inside(run)
        elif command == "exec":
            self.ran("docker", "exec", behind)
            run = run_image(behind)  # the container stands where an image does
            line = Line(tuple(run.words) if run is not None else (), (), self.variables)
            read_command(self.reading, line, self.lines, self.place, self.directory)

    def inside(self, run: Container) -> None:
        """What a container builds or pushes of what it has of the machine."""
        variables = {**self.variables, **run.variables}
        if "kaniko" in run.image:
            workspace = run.source("/workspace")
            directory = self.directory if workspace is None else resolved(workspace, self.directory)
            inside = replace(self, variables=variables, directory=directory)
            inside.kaniko(flags(run.words, kaniko=True), run.image, own=True)
            return
        program = (run.words[0].known if run.words else "").rsplit("/", 1)[-1]
        words = list(run.words)
        entry = next((each for each in _STARTED if each in repository(run.image).split("/")), None)
        if entry is not None and program != entry:
            program, words = entry, [Arg(entry, entry), *words]
        if program not in _IN_CONTAINERS:
            return
        there = [*run.options.get("w", ()), *run.options.get("workdir", ())]
        source = run.source(there[-1]) if there else None
        directory = None if source is None else resolved(source, self.directory)
        read_command(self.reading, Line(tuple(words), (), variables), self.lines, self.place, directory)

    def ran(self, by: str, does: str, words: Sequence[Arg]) -> None:
        if len(self.reading.ran) < _MAX_FOUND:
            self.reading.ran.append(Ran(by, does, tuple(words), self.lines[0]))

    def kubectl(self, words: Sequence[Arg]) -> None:
        _, rest = behind_options(words, KUBECTL_VALUES)
        if rest and rest[0].value == "exec":
            self.ran("kubectl", "exec", rest[1:])

    def tag(self, words: Sequence[Arg]) -> None:
        source, *names = [image_name(word.known) for word in words[:20]] or [""]
        built = self._named(source) if names else None
        if len(self.reading.tagged) < _MAX_FOUND:
            self.reading.tagged.update({each: source for each in names if each.startswith(PLUGIN)})
        if built is not None:
            self._call(built, tuple(names))
        elif len(self.reading.tagged) < _MAX_FOUND:
            one = [each for each in names if "$" not in source or repository(each) == repository(source)]
            self.reading.tagged.update(dict.fromkeys(one, self.reading.tagged.get(source, source)))

    def maven(self, program: str, words: Sequence[Arg]) -> None:
        """The goals that a call of Maven reaches: those that the poms bind to its phases, and those that it names."""
        usual = self.reading.repository.script(".mvn/maven.config", self.directory) or ""
        words = [*(Arg(each, each) for each in usual.split()[:100]), *words]
        pom, call = maven_call(words)
        bound = self.reading.repository.maven(pom, self.directory, call)
        shown = f"{program} {' '.join(call.targets)}"
        in_poms = [] if isinstance(bound, str) else [goal_of(each) for each in bound.goals]
        for goal in in_poms:
            replace(self, directory="").goal(goal)
        told = frozenset[str]() if isinstance(bound, str) else bound.told
        tools = {*(goal.tool for goal in in_poms), *map(tool_of, told)}
        for goal in goals(program, words):
            if goal.tool not in tools:
                self.goal(goal)
        self._perhaps(shown, [reaches(call.targets) or ""], bound)
        self._perhaps_any(shown, call.targets, "goals")

    def gradle(self, program: str, words: Sequence[Arg]) -> None:
        """The tasks that a call of Gradle names, and those that the build scripts lead to from them."""
        call = gradle_call(words)
        directory = None if self.directory is None else posixpath.join(self.directory, call.directory)
        reached = self.reading.repository.gradle(directory, call.tasks, call.without)
        publishes = frozenset[str]() if isinstance(reached, str) else reached.publishes
        for goal in goals(program, words):
            sent = goal.tool == "build-image" and posixpath.normpath(goal.module or ".") in publishes
            self.goal(replace(goal, pushes=goal.pushes or sent))
        named = {each.rpartition(":")[2] for each in call.tasks}
        for module, task in () if isinstance(reached, str) else reached.tasks:
            found = goal_of_task(module, task, publishes=module in publishes)
            if found is not None and task not in named:
                replace(self, directory="").goal(found)
        shown = f"{program} {' '.join(call.tasks)}"
        self._perhaps(shown, call.tasks, reached)
        self._perhaps_any(shown, call.tasks, "tasks")

    def _perhaps(self, shown: str, names: Sequence[str], said: Bound | Reached | str) -> None:
        """Keeps in mind what a build tool may do where its files do not tell."""
        for why in said.doubtful[:5] if isinstance(said, Reached) else ():
            self.reading.not_followed(shown[:80], self.lines[0], why)
        unknown = (said,) if isinstance(said, str) else said.unknown
        if any(MAY_PUSH.fullmatch(name.rpartition(":")[2]) for name in names):
            self.reading.perhaps += [Unfollowed(shown[:80], self.lines[0], why) for why in unknown[:5]]

    def _perhaps_any(self, shown: str, names: Sequence[str], what: str) -> None:
        """Keeps in mind that a call may do anything."""
        if any("$" in name.rpartition(":")[2] and _HOLDS_OPTIONS.search(name) is None for name in names):
            self.reading.perhaps.append(
                Unfollowed(shown[:80], self.lines[0], f"which {what} these are is not known here")
            )

    def goal(self, goal: Goal) -> None:
        """A goal of Maven or a task of Gradle."""
        known = self.directory is not None and "$" not in goal.module
        where = posixpath.join(self.directory or "", goal.module) if known else None
        named = None if goal.image is None else image_name(goal.image)
        key = f"{goal.tool} {where} {named or ''}"
        if goal.dockerfile is not None and goal.builds:
            inside = replace(self, directory=where)
            recipe = inside._recipe(Parsed({}, ()), goal.dockerfile, goal.context)
            self._built(goal.tool, Parsed({}, ()), recipe, None, tuple(filter(None, (key, named))))
        elif goal.builds and not goal.pushes:
            recipe = Recipe(None, None, why=_WITHOUT_DOCKERFILE.get(goal.tool, _IN_BUILD_FILES))
            self._built(goal.tool, Parsed({}, ()), recipe, None, tuple(filter(None, (named,))))
        if goal.pushes:
            built = self._named(key) or (self._named(named) if named else None)
            why = None if built is not None else _WITHOUT_DOCKERFILE.get(goal.tool, _IN_BUILD_FILES)
            asks = goal.tool == "jib"
            self._pushed(goal.tool, built, named, asks=asks, fresh=None, why=why)

    def pack(self, parsed: Parsed) -> None:
        if "publish" in parsed.flags and parsed.rest:
            name = image_name(parsed.rest[0].known)
            self._pushed("pack", None, name, asks=True, fresh=None, why=_WITHOUT_DOCKERFILE["build-image"])

    # several at once

    def compose(self, words: list[Arg]) -> None:
        """``docker compose build``, ``push`` and ``build --push``: the services of its files."""
        options, rest = behind_options(words, _COMPOSE_OPTIONS)
        command, parsed = (rest[0].value if rest else None), flags(rest[1:])
        files = options.get("-f", []) + options.get("--file", [])
        folder = next(iter(options.get("--project-directory", [])), None)
        if command in ("run", "exec"):
            self.ran("compose", command, rest[1:])
        if command == "run":
            self._run_service(run_image(rest[1:]), files, folder)
        if command in ("run", "exec"):
            return
        builds = command == "build" or (command == "up" and "build" in parsed.flags)
        pushes = command == "push" or (command == "build" and parsed.last("push") is not None)
        if not builds and not pushes:
            return
        wanted = [word.known for word in parsed.rest]
        targets = self._targets(files, _COMPOSE_FILES, folder, wanted)
        on = options.get("--profile", [])
        if "COMPOSE_PROFILES" in self.variables:  # "$" where its value is not known
            on = [*on, *(self.variables["COMPOSE_PROFILES"] or "$").split(",")]
        targets = [each for each in targets if _is_on(each[0], on, wanted)]
        if not targets:
            if pushes:
                self._pushed(
                    "docker", None, None, asks=False, fresh=self.place.agent.docker, why=_NO_SERVICES
                )
            return
        for target, where in targets:
            named = target.tags[0] if target.tags else ""
            if builds:
                built = self._target(target, where, "docker", parsed)
                if not named:
                    self.reading.services[target.name] = built
            if pushes and named:
                fresh = self.place.agent.docker
                build = self._named(image_name(named))
                self._pushed("docker", build, image_name(named), asks=False, fresh=fresh)

    def _run_service(self, run: Container | None, files: list[str], folder: str | None) -> None:
        """``docker compose run``: as ``docker run`` of the service's image."""
        if run is None or "$" in run.image:
            return
        where = folder or ""
        for name in files or [posixpath.join(where, each) for each in _COMPOSE_FILES]:
            text = self.reading.repository.script(name, self.directory)
            told = service_named(text, name, run.image) if text is not None else None
            if told is None:
                continue
            image, command = told
            if "kaniko" in image and not run.words and command is None:
                self.reading.not_followed(
                    f"compose run {run.image}", self.lines[0], "what it builds is not said there"
                )
                return
            words = run.words or [Arg(each, None if "$" in each else each) for each in command or ()]
            self.inside(replace(run, image=image, words=words))
            return

    def bake(self, parsed: Parsed) -> None:
        """``docker buildx bake``: the targets of its files."""
        settings = parsed.flags.get("set", ())
        pushes = parsed.last("push") is not None or any("type=registry" in each for each in settings)
        wanted = [word.known for word in parsed.rest] or ["default"]
        targets = self._targets(list(parsed.flags.get("file", ())), _BAKE_FILES, None, wanted)
        if not targets and pushes:
            self._pushed("buildx", None, None, asks=True, fresh=None, why=_NO_TARGETS)
        for target, where in targets:
            build = self._target(target, where, "buildx", parsed)
            if pushes or target.pushes:
                for name in _of_registries(build.names) or (None,):
                    self._pushed("buildx", build, name, asks=True, fresh=None)

    def _targets(
        self, files: list[str], usual: tuple[str, ...], folder: str | None, wanted: list[str]
    ) -> list[tuple[Target, str | None]]:
        """The targets that are asked for, and the directory that their paths start from."""
        checkout, found = self.reading.repository, []
        names = files or [name for name in usual if checkout.kind(name, self.directory) == "file"]
        if usual is _COMPOSE_FILES:
            names = names if files else names[:1]
        for name in names[:20]:
            text = checkout.script(name, self.directory)
            if text is None:
                continue
            base = None if self.directory is None else posixpath.join(self.directory, folder or "")
            if name.endswith((".hcl", ".json")):
                found += [(each, self.directory) for each in bake_targets(text, name, wanted)]
                continue
            if usual is _COMPOSE_FILES and folder is None:
                whole = resolved(name, self.directory)
                base = None if whole is None else posixpath.dirname(whole)
            asked = [] if wanted == ["default"] else wanted
            services = compose_targets(text, name)
            found += [(each, base) for each in services if not asked or each.name in asked]
        return found[:_MOST_TARGETS]

    def _target(self, target: Target, where: str | None, tool: Tool, parsed: Parsed) -> Build:
        context = target.context or "."
        dockerfile = posixpath.join(context, target.dockerfile or "Dockerfile")
        own: dict[str, tuple[str, ...]] = {
            name: parsed.flags[name] for name in parsed.flags if name != "file"
        }
        own["platform"] = target.platforms or parsed.flags.get("platform", ())
        if target.args:
            own["build-arg"] = (*target.args, *parsed.flags.get("build-arg", ()))
        if target.stage is not None:
            own["target"] = (target.stage,)
        inside = replace(self, directory=where)
        described = Parsed(own, (), parsed.open)
        recipe = inside._recipe(described, dockerfile, context)
        names = tuple(map(image_name, target.tags))
        return self._built(tool, described, recipe, self.place.agent.image, names)

    def build(self, tool: Tool, parsed: Parsed) -> None:
        context = next((word.known for word in parsed.rest), "")
        recipe = self._recipe(parsed, parsed.last("file") or "", context)
        names = tuple(map(image_name, parsed.flags.get("tag", ())))
        made_of = self._made_of(parsed, recipe)
        build = self._built(tool, parsed, recipe, self.place.agent.image, names, made_of=made_of)
        output = _sent_to(parsed)
        pushes = bool(output)
        self.reading.changes += "output" in parsed.flags and not pushes  # it may leave files here
        if build.on("push") or pushes:
            for name in _of_registries(names or _named_in(output)) or (None,):
                self._pushed("buildx", build, name, asks=True, fresh=None)

    def _made_of(self, parsed: Parsed, recipe: Recipe) -> object | None:
        """What a build makes its image of: the same again is the same image under another name. None where it is not known."""
        told = {name: values for name, values in parsed.flags.items() if name not in ("tag", "push")}
        known = recipe.path is not None and all(word.value is not None for word in parsed.rest)
        if not known or any("$" in each for of in told.values() for each in of):
            return None
        if any("=" not in each for each in told.get("build-arg", ())):
            return None  # its value is the environment's
        rest = tuple(word.value for word in parsed.rest)
        where = (self.place.job, self.directory, self.reading.step, self.reading.changes)
        return (recipe.path, rest, where, tuple(sorted(told.items())))

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
        output = _sent_to(parsed)
        build = self._built("buildctl", parsed, recipe, self.place.agent.image, ())
        if output:
            for name in _of_registries(_named_in(output)) or (None,):
                self._pushed("buildctl", build, name, asks=True, fresh=None)

    def push(self, tool: Tool, rest: Sequence[Arg]) -> None:
        if rest and rest[-1].known.startswith(_NO_REGISTRY):
            return
        name = image_name(rest[0].known) if rest else None
        target = image_name(rest[1].known) if len(rest) > 1 and tool in ("buildah", "podman") else name
        build = self._named(name) if name else None
        if target is not None and target.startswith(PLUGIN):
            usual = build.names[0] if build is not None else f"${target.removeprefix(PLUGIN)}"
            own = self.reading.tagged.get(target, usual)
            host = rest[1].known if len(rest) > 1 else ""
            target = f"{host}/{own}" if host and not own.startswith(f"{host}/") else own
        asks = tool in ("nerdctl", "img")  # containerd asks for each blob
        fresh = None if asks else self.place.agent.docker if tool == "docker" else self.place.agent.fresh
        self._pushed(tool, build, target, asks=asks, fresh=fresh)

    def copy(self, rest: Sequence[Arg]) -> None:
        if len(rest) < 2 or not rest[1].known.startswith("docker://"):
            return
        source = rest[0].known
        name = image_name(rest[1].known)
        if source.startswith("docker://"):
            self._copied("skopeo", image_name(source), name)
            return
        packed = source.startswith(("oci:", "oci-archive:", "dir:"))
        fresh = None if packed else self.place.agent.fresh
        self._pushed(
            "skopeo", self._named(_local(source)) or self._named(name), name, asks=packed, fresh=fresh
        )

    def crane(self, command: str, rest: Sequence[Arg]) -> None:
        """``crane push FILE NAME``, ``crane copy NAME NAME``."""
        if len(rest) < 2:
            return
        name = image_name(rest[1].known)
        if command == "push":
            self._pushed("crane", self._named(name), name, asks=True, fresh=None)
        else:
            self._copied("crane", image_name(rest[0].known), name)

    def _copied(self, tool: Tool, source: str, name: str) -> None:
        """From registry to registry, by way of this machine where they are two."""
        if registry_of(source) == registry_of(name):
            return
        built = self._named(source)
        why = None if built is not None else f"it copies {source[:80]} from another registry"
        self._pushed(tool, built, name, asks=True, fresh=None, why=why)

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
        *,
        made_of: object | None = None,
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
            made_of,
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
        return named.get(name) or named.get(repository(name)) or self._service(repository(name))

    def _service(self, name: str) -> Build | None:
        """The service of Compose that a local name is of: ``PROJECT-SERVICE``, ``PROJECT_SERVICE`` in its first version."""
        called = [each for each in self.reading.services if name.endswith((f"-{each}", f"_{each}"))]
        return self.reading.services[max(called, key=len)] if called and "/" not in name else None

    def _pushed(
        self,
        tool: Tool,
        build: Build | None,
        name: str | None,
        *,
        asks: bool,
        fresh: str | None,
        why: str | None = None,
    ) -> None:
        """``why``: what is sent is not known, for another reason than that no build has the image's name."""
        line, end = self.lines
        recipe = build.recipe if build is not None else Recipe(None, None, why=why or NOT_SAID)
        pulled = name is not None and (self.place.job, repository(name)) in self.reading.pulled
        here = build is not None and build.place.job == self.place.job and build.tool != "kaniko"
        loaded = tool == "docker" and not here and self.place.job in self.reading.loaded
        push = Push(tool, line, end, self.place, build, recipe, asks, fresh, pulled, name, loaded)
        tagged = self.reading.tagged
        if not any(_same(push, other, tagged) for other in self.reading.pushes[-_MAX_FOUND:]):
            self.reading.pushes.append(push)
            if len(self.reading.pushes) >= _MAX_FOUND:
                self.reading.left = 0


_IN_BUILD_FILES = "what is in it, the build files say"
_WITHOUT_DOCKERFILE = {
    "jib": "Jib makes it from the build, without a Dockerfile",
    "build-image": "buildpacks make it, without a Dockerfile",
    "dockerfile-maven": NOT_SAID,
}
_NO_SERVICES = "the Compose file is not in this repository, or none of its services is built"
_NO_TARGETS = "the bake file is not in this repository, or has no such target"
_MOST_TARGETS = 64


def _is_on(service: Target, profiles: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a service takes part: one with profiles does where one of them is on, or may be, or where it is named."""
    if not service.profiles or service.name in wanted:
        return True
    return any(each in service.profiles or each == "*" or "$" in each for each in profiles)


def _of_registries(names: Sequence[str]) -> tuple[str, ...]:
    """One name of each registry: further tags of an image in one registry send nothing again."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(registry_of(name), name)
    return tuple(first.values())


def _sent_to(parsed: Parsed) -> str:
    """The one of several ``--output`` that goes to a registry; "" where none does."""
    outputs = (each.replace(" ", "") for each in parsed.flags.get("output", ()))
    return next((each for each in outputs if "push=true" in each or "type=registry" in each), "")


def _named_in(output: str) -> tuple[str, ...]:
    """The names in ``type=image,name=…,push=true``; several are in quotes."""
    match = re.search(r"(?:^|,)\"?name=([^,\"]+(?:,[^,=\"]+(?=[,\"]|$))*)", output)
    return tuple(map(image_name, match[1].split(","))) if match is not None else ()


def _local(source: str) -> str:
    """The image's name in ``docker-daemon:name`` and ``containers-storage:name``."""
    return image_name(source.partition(":")[2]) if source.startswith(_IN_STORE) else ""


_IN_STORE = ("docker-daemon:", "containers-storage:")


def _same(push: Push, other: Push, tagged: Mapping[str, str]) -> bool:
    """Another tag of an image that was just pushed, or the same push again: its layers are there already, or on their
    way. Another registry has none of them."""
    if push.tool != other.tool or registry_of(push.target or "") != registry_of(other.target or ""):
        return False
    if push.build is None or push.build is not other.build:
        return (
            push.build is other.build
            and push.target is not None
            and other.target is not None
            and tagged.get(push.target, push.target) == tagged.get(other.target, other.target)
            and (push.recipe.why == other.recipe.why)
        )
    if push.place.branches == other.place.branches:
        return True
    return push.target is not None and repository(push.target) == repository(other.target or "")
