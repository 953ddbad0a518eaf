"""What the pushes of a pipeline send and how long that takes: bytes from the Dockerfile's prediction, seconds at the
given rates, also where several share one link. A `Pair` is before and after the rewrite of the Dockerfile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imgopt.finding import Waste
from imgopt.light.records import dataclass
from imgopt.pipelines.model import (
    Build,
    Pipeline,
    Place,
    Push,
    Timeout,
    has_on,
)
from imgopt.pipelines.registries import registry_of
from imgopt.pipelines.tools import repository
from imgopt.pipelines.versions import CONTAINERD_STORE, CROSS_MOUNTS, SHARES_BASE, Fact
from imgopt.scales import Sum, total
from imgopt.weigh.push import above_base, push_seconds

UNKNOWN = Sum(None, "unknown", False)


@dataclass(frozen=True)
class Pair:
    before: Sum
    after: Sum

    def plus(self, other: Pair) -> Pair:
        return Pair(added((self.before, other.before)), added((self.after, other.after)))


NOTHING = Pair(Sum(0, "measured", True), Sum(0, "measured", True))
NOT_KNOWN = Pair(UNKNOWN, UNKNOWN)


def added(sums: Iterable[Sum]) -> Sum:
    parts = list(sums)
    whole = total([(each.value, each.basis) for each in parts])
    return Sum(whole.value, whole.basis, whole.complete and all(each.complete for each in parts))


def first_push(push: Push) -> Pair:
    """Nothing of the image is in the registry yet."""
    prediction = push.recipe.prediction
    if prediction is None:
        return NOT_KNOWN
    return Pair(prediction.before.first_push, prediction.after.first_push)


def above(push: Push) -> Pair:
    """All layers that the Dockerfile makes."""
    prediction = push.recipe.prediction
    if prediction is None:
        return NOT_KNOWN
    return Pair(above_base(prediction.before), above_base(prediction.after))


def needed(push: Push) -> Pair:
    """What the registry lacks of the next release, where layers keep their digests and the client asks."""
    prediction = push.recipe.prediction
    if prediction is None:
        return NOT_KNOWN
    return Pair(prediction.before.next_push, prediction.after.next_push)


def each_release(push: Push) -> Pair:
    """What this command sends for a release of which only classes changed."""
    return above(push) if sends_all(push) else needed(push)


def sends_all(push: Push) -> bool:
    """Whether every layer above the base travels at each release, whatever the Dockerfile says."""
    build = push.build
    if build is not None:
        if build.tool == "kaniko" and (build.lacks("reproducible") or build.on("single-snapshot")):
            return True
        if unlayered(build):
            return True
    return not asks_first(push) and push.fresh is not None and not push.pulled


def asks_first(push: Push) -> bool:
    """Whether the client asks the registry for each layer: BuildKit and the like, and an Engine that surely has the
    containerd image store (from its documentation)."""
    version = push.place.agent.engine_version if push.tool == "docker" else None
    return push.asks or (version is not None and version >= CONTAINERD_STORE)


def unlayered(build: Build) -> bool:
    """Whether `buildah bud` makes one layer of everything."""
    if build.tool != "buildah" or not build.lacks("layers"):
        return False
    return str(build.environment.get("BUILDAH_LAYERS", "")).lower() not in ("true", "1", "yes")


def base_of(push: Push) -> Sum:
    """The base image's layers."""
    prediction = push.recipe.prediction
    if prediction is None:
        return UNKNOWN
    layers = [layer for layer in prediction.before.layers if layer.from_base]
    return total([(layer.compressed_bytes, layer.basis) for layer in layers])


def pushed_by(pipeline: Pipeline, build: Build) -> Push:
    """The push of what a build makes; one that nobody makes where there is none, to ask what it would send."""
    found = next((push for push in pipeline.pushes if push.build is build), None)
    return found or Push(build.tool, build.line, build.end_line, build.place, build, build.recipe, True)


def stays(build: Build) -> bool:
    """Whether kaniko makes an image that goes nowhere, as where only is tried whether it can be built."""
    return build.on("no-push") and all(map(build.lacks, ("tar-path", "tarPath", "oci-layout-path")))


def waste(sent: Sum, lacking: Sum) -> Waste | None:
    """What each release sends more than it would have to; None where that cannot be told."""
    if sent.value is None or lacking.value is None or not (sent.complete and lacking.complete):
        return None
    return Waste(0, max(0, sent.value - lacking.value), sent.basis, "the Dockerfile's prediction")


def seconds(size: Sum, rate: int) -> float | None:
    return push_seconds(size, rate)


# several at once


def beside(place: Place, other: Place) -> bool:
    """Whether what stands in two places may run at the same time."""
    if (place.lock and place.lock == other.lock) or place.instead_of(other):
        return False
    mine = {branch.group: branch.name for branch in place.branches}
    return any(mine.get(branch.group, branch.name) != branch.name for branch in other.branches)


def inside(pipeline: Pipeline, timeout: Timeout) -> list[Push]:
    return [push for push in pipeline.pushes if timeout in push.place.timeouts]


def neighbours(pipeline: Pipeline, pushes: Sequence[Push]) -> list[Push]:
    """The pushes that may run at the same time as one of these and are none of them."""
    mine = {id(push) for push in pushes}
    return [
        other
        for other in pipeline.pushes
        if id(other) not in mine and any(beside(push.place, other.place) for push in pushes)
    ]


def shared_seconds(own: Sum, others: Sequence[Sum], rate: int) -> float | None:
    """How long it takes to send ``own`` while others send on the same link: each gets an equal share until it is
    done, so that others count up to what is sent here. Unknown others are left out."""
    if own.value is None:
        return None
    mine = own.value
    return (mine + sum(min(mine, other.value) for other in others if other.value is not None)) / rate


@dataclass(frozen=True)
class Repeated:
    """A base that goes into several repositories at the same time, so that none of the pushes finds it there: sent ``times``
    times where ``bases`` would do, ``more`` bytes beyond that. ``unless``: the two registries that would have to be one for
    it to be mounted, where the file does not tell. ``stored``: kaniko would have it mounted, had it not stored it first."""

    times: int
    bases: int
    more: Sum
    unless: tuple[str, str] | None = None
    stored: bool = False


def repeated(pipeline: Pipeline, pushes: Sequence[Push]) -> Repeated | None:
    """None where no base is shown to go more than once."""
    groups: dict[tuple[str, str], dict[str, Push]] = {}
    unless, stored = None, False
    for push in pushes:
        base, there = push.recipe.base, push.target
        if base is None or there is None or base_of(push).value == 0:
            continue
        host, own = registry_of(there), "docker.io" if base.on_docker_hub else base.registry or ""
        if host == own:
            if not _sends_base_of_its_registry(pipeline, push):
                continue
            stored = True
        if "$" in host:
            unless = unless or (host, own)
        groups.setdefault((host, str(base)), {}).setdefault(repository(there), push)
    several = [list(group.values()) for group in groups.values() if len(group) > 1]
    if not several:
        return None
    more = added(base_of(push) for group in several for push in group[1:])
    return Repeated(sum(map(len, several)), len(several), more, unless, stored)


def _sends_base_of_its_registry(pipeline: Pipeline, push: Push) -> bool:
    """Clients have the registry mount a base that they took from it. kaniko does not where it stored it on its way."""
    build = push.build
    if build is None or build.tool != "kaniko":
        return False
    return is_on(pipeline, build, SHARES_BASE) is True and is_on(pipeline, build, CROSS_MOUNTS) is False


def is_on(pipeline: Pipeline, build: Build, flag: Fact) -> bool | None:
    """Whether a flag of the maintained kaniko is on for a build; None where the file does not tell."""
    return True if flag in pipeline.flags else has_on(build, flag)
