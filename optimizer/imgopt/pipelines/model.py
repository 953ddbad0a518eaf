"""What a CI file says about images: steps, the builds and pushes in them, and what stands around them.

`Pipeline` is the one object that the rules for CI files read, as `Picture` is for those of Dockerfiles.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from imgopt.bandwidths import of_registry
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.pipelines.registries import PUBLIC, registry_of
from imgopt.pipelines.versions import (
    CROSS_MOUNTS,
    PRESERVES_BASE,
    SHARES_BASE,
    Fact,
    Version,
    archived,
    engine,
    executor,
)

if TYPE_CHECKING:
    from imgopt.bases.reference import Reference
    from imgopt.pipelines.tools import Arg
    from imgopt.weigh.weights import Prediction, Saving

System = Literal["jenkins", "gitlab", "github", "script", "make"]

#: How a system is called in sentences.
SYSTEM_NAMES: dict[System, str] = {
    "jenkins": "Jenkins",
    "gitlab": "GitLab CI",
    "github": "GitHub Actions",
    "script": "a shell script",
    "make": "make",
}


@dataclass(frozen=True, eq=False)
class Timeout:
    """A limit around commands, ``seconds`` long. Two runs of the same line (the branches of a loop) are two. ``attempts``: how
    often what stands in it is tried at most, each time for the whole of it."""

    seconds: float
    line: int
    text: str  # as it stands in the file, shortened
    by: Literal["shell", "jenkins", "gitlab", "github"]
    attempts: int = 1

    @property
    def said(self) -> str:
        return self.text if self.attempts < 2 else f"{self.text}, of each of {self.attempts} attempts,"


@dataclass(frozen=True)
class Branch:
    """One of several things that run at once. ``group`` tells which belong together; ``of_unknown`` is set where
    the branches are made from a list that is not known here, so that one stands for all of them."""

    group: int
    name: str
    of_unknown: bool = False


@dataclass(frozen=True)
class Condition:
    """What has to hold for a stage: that ``subject`` is ``value``, or, ``negated``, that it is not."""

    subject: str
    value: str
    negated: bool = False

    def excludes(self, other: Condition) -> bool:
        """Whether the two never hold at once."""
        if self.subject != other.subject or (self.negated and other.negated):
            return False
        return (self.value == other.value) == (self.negated or other.negated)


@dataclass(frozen=True)
class Agent:
    """Where a step runs. ``fresh``: nothing of an earlier build is left there, with the reason; None when the file
    does not tell. ``docker``: the same for the Docker Engine that the step talks to."""

    image: str | None = None  # of the container, where there is one
    containers: Mapping[str, str] = field(default_factory=dict)  # of a pod: name to image
    fresh: str | None = None
    docker: str | None = None
    keeps_docker: bool = False  # the host's own Engine is mounted
    architecture: str | None = None  # of the machine, where its label says that it is none of amd64
    engine: str | None = (
        None  # the image that the Docker Engine comes from, where it is not one of the containers
    )
    hosted: bool = False  # a machine of the CI system's vendor, wherever that stands

    @property
    def engine_version(self) -> Version | None:
        """Of the Docker Engine that the step talks to, where the file tells."""
        images = [each for each in (self.engine, *self.containers.values()) if each and "dind" in each]
        return next((found for each in images if (found := engine(each)) is not None), None)


@dataclass(frozen=True)
class Place:
    """What surrounds a step. A variable whose value is None is set, but not known here."""

    job: str = ""
    timeouts: tuple[Timeout, ...] = ()
    branches: tuple[Branch, ...] = ()
    lock: str = ""  # what holds the same lock runs one at a time
    agent: Agent = field(default_factory=Agent)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    directory: str | None = ""  # below the repository; None when it is not known
    container: str = ""  # tells the container that it runs in from others; "": the job's
    loop: int = 0  # inside of that container, the innermost one over what is not known here; 0: none
    background: bool = False  # what comes after it does not wait
    choices: tuple[tuple[int, int], ...] = ()  # of each if around it: which, and its how-manieth branch
    conditions: tuple[Condition, ...] = ()  # of the stages around it, Jenkins' when: all of them hold
    attempts: int = 1  # how often it is tried at most, where it fails
    anew: bool = False  # an attempt begins in a new job or container, where nothing of the one before is left

    @property
    def repeated(self) -> bool:
        return self.loop != 0

    def instead_of(self, other: Place) -> bool:
        """Whether it is shown that only one of the two runs."""
        mine = dict(self.choices)
        if any(mine.get(which, branch) != branch for which, branch in other.choices):
            return True
        return any(one.excludes(two) for one in self.conditions for two in other.conditions)

    def implies(self, other: Place) -> bool:
        """Whether the other one runs whenever this one does, as far as choices and conditions go."""
        return {*other.choices} <= {*self.choices} and {*other.conditions} <= {*self.conditions}


@dataclass(frozen=True)
class Text:
    """Shell text and, for its offsets, the lines of the file. ``breaks`` are (offset, line), ascending."""

    text: str
    breaks: tuple[tuple[int, int], ...]

    @classmethod
    def whole(cls, text: str) -> Text:
        """A file's own text."""
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        return cls(text, tuple((start, number) for number, start in enumerate(starts, 1)))

    def line(self, offset: int) -> int:
        return self.breaks[max(0, bisect_right(self.breaks, (offset, 1 << 60)) - 1)][1]


@dataclass(frozen=True)
class Step:
    """A piece of shell text that runs in one place. ``spans`` are the first and last lines of its parts."""

    script: Text
    spans: tuple[tuple[int, int], ...]
    place: Place
    zero: Arg | None = None  # what `$0` is: the file, where the step is one


@dataclass(frozen=True)
class Rules:
    """A Makefile, of which people run one target. ``path``: below the repository, as make is told."""

    script: Text
    spans: tuple[tuple[int, int], ...]
    place: Place
    path: str


@dataclass(frozen=True)
class Action:
    """A step that builds or pushes without a shell command (``docker/build-push-action``, ``docker.build``)."""

    words: tuple[str, ...]  # the command that does the same
    spans: tuple[tuple[int, int], ...]
    place: Place


@dataclass(frozen=True)
class HandedOn:
    """What a COPY takes from a stage of its file: ``path`` in the stage with that number. ``whole``: it is a directory
    or a pattern, so that everything that lies there is taken."""

    stage: int
    path: str
    whole: bool
    line: int

    def takes_from(self, other: HandedOn) -> bool:
        """Whether it would take what the other one's build left there."""
        mine, its = (re.split(r"[*?\[]", each.path)[0].rstrip("/") for each in (self, other))
        near = mine == its or mine.startswith(f"{its}/") or its.startswith(f"{mine}/")
        if mine != self.path.rstrip("/") or its != other.path.rstrip(
            "/"
        ):  # patterns: their beginnings are alike
            near = near or mine.startswith(its) or its.startswith(mine)
        return self.stage == other.stage and self.whole and near


@dataclass(frozen=True)
class Recipe:
    """The Dockerfile of a build. ``prediction`` is None when it cannot be told, and ``why`` says so.

    ``rewritten``: a rewrite is proposed, so that before and after differ. ``unused_stages``: those that the image does
    not need, None when it is not known; ``runs``: how many RUN instructions there are; ``handed_on``: what its stages
    give each other, None when it is not known; ``handed_on_then``: the same of the rewrite, where one is proposed. ``base``:
    the image that the final stage is built on, None where that is not known. ``savings``: what each rule of the rewrite
    saves; ``unseen``: why a part of the bytes is not known; ``source``: where those of a jar come from that is not there.
    """

    path: str | None
    prediction: Prediction | None
    rewritten: bool = False
    why: str | None = None
    unused_stages: tuple[str, ...] | None = None
    runs: int | None = None
    handed_on: tuple[HandedOn, ...] | None = None
    handed_on_then: tuple[HandedOn, ...] | None = None
    base: Reference | None = None
    savings: tuple[tuple[str, Saving], ...] = ()
    unseen: str | None = None
    source: str | None = None

    @property
    def platforms(self) -> tuple[str, ...]:
        """Those whose images one push sends; () where that is not known."""
        return self.prediction.before.platforms if self.prediction is not None else ()


_ARM = regex(r"(?:^|[-_.])(?:arm|arm64|aarch64)(?:v8)?(?:$|[-_.])", re.IGNORECASE)


def architecture_of(labels: Iterable[str]) -> str | None:
    """What the labels of a runner say of its machine: ``ubuntu-24.04-arm``, ``saas-linux-small-arm64``, ``ARM64``."""
    return "arm64" if any(_ARM.search(label) for label in labels) else None


Tool = Literal[
    "kaniko",
    "docker",
    "buildx",
    "buildctl",
    "buildah",
    "podman",
    "skopeo",
    "nerdctl",
    "img",
    "crane",
    "jib",
    "build-image",
    "docker-maven-plugin",
    "dockerfile-maven",
    "jkube",
    "pack",
]


@dataclass(frozen=True, eq=False)
class Build:
    """A command that builds an image from a Dockerfile. ``flags``: name without dashes to its values, "" for none."""

    tool: Tool
    flags: Mapping[str, tuple[str, ...]]
    line: int
    end_line: int
    place: Place
    recipe: Recipe
    image: str | None = None  # the container image that the command runs in
    names: tuple[str, ...] = ()  # what the image is called
    environment: Mapping[str, str | None] = field(default_factory=dict)
    open: bool = False  # a variable on the command line may hold more flags
    keeps_base: bool = False  # kaniko leaves the layers of the base as they are, as far as the file tells
    container: str | None = None  # as `Place.container`; None: one that is made for this command
    earlier: tuple[Build, ...] = ()  # those of this container since it was emptied
    made_of: object | None = (
        None  # the same of two builds: the second one finds the layers of the first; None: not known
    )

    def lacks(self, flag: str) -> bool:
        """Whether a flag is surely not given."""
        return not self.open and not self.on(flag)

    def on(self, flag: str) -> bool:
        """Whether a flag without a value, or with a value that means yes, is given."""
        values = self.flags.get(flag)
        return values is not None and values[-1].lower() not in ("false", "0", "f")


@dataclass(frozen=True, eq=False)
class Push:
    """A command that sends an image. ``asks``: the client asks the registry for each layer before it sends it.
    ``fresh``: why nothing is left of the release before where it runs; None where that is not known.
    ``pulled``: the release before is pulled first."""

    tool: Tool
    line: int
    end_line: int
    place: Place
    build: Build | None
    recipe: Recipe
    asks: bool
    fresh: str | None = None
    pulled: bool = False
    target: str | None = None
    loaded: bool = False  # the image came out of a tar, with `docker load`


@dataclass(frozen=True)
class Unfollowed:
    """What may build or push and is not followed: as it stands in a line of the file, and why."""

    what: str
    line: int
    why: str


@dataclass(frozen=True)
class ImageUse:
    """A container image that the file names, with its line."""

    name: str
    line: int


@dataclass(frozen=True)
class Silence:
    rules: frozenset[str]
    line: int  # the line that it speaks for


@dataclass(frozen=True)
class Pipeline:
    system: System
    path: str
    steps: tuple[Step | Action | Rules, ...]
    images: tuple[ImageUse, ...]
    builds: tuple[Build, ...] = ()
    pushes: tuple[Push, ...] = ()
    bandwidths: tuple[int, ...] = ()
    silences: tuple[Silence, ...] = ()
    ignored: str | None = None
    cut: bool = False  # there is more than was looked at
    emptied: frozenset[Build] = frozenset()  # in loops: what a round leaves is removed before the next one's
    flags: frozenset[str] = frozenset()  # of the maintained kaniko: those that the file sets somewhere
    #: What is not known of the steps in these lines, as sentences; lines (0, 0): of the whole file.
    lacking: tuple[tuple[tuple[int, int], str], ...] = ()
    given: bool = True  # the rates are what somebody said, not the default ones
    assumed: bool = False  # they are the default ones, and nobody measured the registry's
    unfollowed: tuple[Unfollowed, ...] = ()  # what may build or push and is not looked into
    named: tuple[str, ...] = ()  # container images that stand anywhere in the file, of Docker and of BuildKit

    @property
    def judged(self) -> bool:
        """Whether it holds something that the rules can speak about."""
        return bool(self.builds or self.pushes or any(archived(use.name) for use in self.images))

    @property
    def slowest(self) -> int:
        return min(self.bandwidths)

    def rate(self, *pushes: Push) -> int | None:
        """The slowest rate that these pushes go at, in bytes a second; None where it is neither given nor known of the
        registry: a public one, or a machine that stands elsewhere."""
        rates = [self._rate(push) for push in pushes]
        known = [each for each in rates if each is not None]
        return min(known) if len(known) == len(rates) and known else None

    def _rate(self, push: Push) -> int | None:
        if self.given:
            return self.slowest
        host = registry_of(push.target) if push.target else ""
        profile = of_registry(host)
        if profile is not None:
            return min(profile.rates)
        elsewhere = PUBLIC.search(host) is not None or push.place.agent.hosted
        return None if elsewhere else self.slowest

    def active(self, rule: str, line: int) -> bool:
        """Whether a rule may speak about this line: no comment above it, or above its step, forbids it."""
        if not self.silences:
            return True
        lines = {line} | {start for start, end in self._spans if start <= line <= end}
        return not any(rule in silence.rules and silence.line in lines for silence in self.silences)

    @cached_property
    def _spans(self) -> frozenset[tuple[int, int]]:
        return frozenset(span for step in self.steps for span in step.spans)


_ON, _OFF = ("true", "1", "yes", "t"), ("false", "0", "no", "f")


def has_on(build: Build, flag: Fact) -> bool | None:
    """Whether a flag of the fork that is on from some version on is on where a build runs; None where the file does not
    tell."""
    value = str(build.environment.get(flag) or "").lower()
    if value in (*_ON, *_OFF):
        return value in _ON
    return None if flag in build.environment else executor(build.image).has(flag)


_SILENCE = regex(r"\s*(?:#|//)\s*imgopt:\s*ignore=([\w,\- ]+?)\s*(?::.*)?")
_SKIP = regex(r"\s*(?:#|//)\s*imgopt:\s*ignore-file\s*(?::\s*(.*))?")
_COMMENT = regex(r"\s*(?:#|//|$)")
_SETS = r"{}\W{{1,12}}(?:value\W{{1,6}})?(?:true|1|yes)\b"


def flags_set(text: str) -> frozenset[str]:
    """The flags of the maintained kaniko that stand in the file at all, in a pod's environment for example; comments do not
    count."""
    named = [flag for flag in (PRESERVES_BASE, CROSS_MOUNTS, SHARES_BASE) if flag in text]
    if not named:
        return frozenset()
    plain = "\n".join(line for line in text.split("\n") if not _COMMENT.match(line))
    return frozenset(flag for flag in named if re.search(_SETS.format(flag), plain, re.IGNORECASE))


_NAMED = regex(r"(?<![\w./-])(?:[\w.-]+(?::\d+)?/){0,4}(?:docker|moby/buildkit):[\w.-]{1,60}")


def images_named(text: str) -> tuple[str, ...]:
    """Docker's and BuildKit's images that a file names anywhere but in comments."""
    found = (
        match[0]
        for line in text.split("\n")
        if not _COMMENT.match(line)
        for match in _NAMED.finditer(line[:2_000])
    )
    return tuple(dict.fromkeys(found))


def silences(text: str) -> tuple[tuple[Silence, ...], str | None]:
    """The ``# imgopt: ignore=…`` and ``// imgopt: ignore=…`` comments, and the reason of an ``ignore-file``.

    A comment speaks for the next line that is none.
    """
    found: list[Silence] = []
    waiting: set[str] = set()
    ignored: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        line = line[:300]
        if not _COMMENT.match(line):
            if waiting:
                found.append(Silence(frozenset(waiting), number))
                waiting = set()
        elif match := _SILENCE.fullmatch(line):
            waiting |= {name.strip() for name in match[1].split(",") if name.strip()}
        elif ignored is None and (match := _SKIP.fullmatch(line)):
            ignored = (match[1] or "").strip()
    return tuple(found), ignored
