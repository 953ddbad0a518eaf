"""Time limits around pushes: what is sent inside of each, and how long that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product

from imgopt.light.records import dataclass
from imgopt.pipelines.model import Pipeline, Push, Timeout
from imgopt.pipelines.registries import registry_of
from imgopt.pipelines.sending import (
    NOTHING,
    Pair,
    added,
    each_release,
    first_push,
    inside,
    needed,
    neighbours,
    sends_all,
    shared_seconds,
)
from imgopt.scales import Sum
from imgopt.suggest.result import Steps

#: From this share of a limit on a link that is a little slower than it was said to be ends the push.
NEAR = 0.8
#: Groups of pushes of which not all run in one build: more of them are not tried in every combination.
_MOST_GROUPS = 12


@dataclass(frozen=True)
class Limited:
    """A limit with the ``pushes`` that run in it in one build, and ``others`` beside them on the same link."""

    timeout: Timeout
    pushes: tuple[Push, ...]
    others: tuple[Push, ...]
    rate: int

    @cached_property
    def first(self) -> Steps:
        return together(self.pushes, first_steps)

    @cached_property
    def each(self) -> Steps:
        return together(self.pushes, each_steps)

    def first_s(self, step: str = "before") -> float | None:
        """Seconds at ``rate``, None where what is known says nothing; of a `Steps`: "before", "after" or "advised"."""
        return self._seconds(self.first, first_steps, step)

    def each_s(self, step: str = "before") -> float | None:
        return self._seconds(self.each, each_steps, step)

    def _seconds(self, own: Steps, of: Callable[[Push], Steps], step: str) -> float | None:
        if getattr(own, step).told is None:
            return None
        beside = [getattr(of(other), step) for other in self.others]
        return shared_seconds(getattr(own, step), beside, self.rate)

    @property
    def again(self) -> Again | None:
        """What further attempts are worth, where there are some."""
        attempts = self.timeout.attempts
        if attempts < 2:
            return None
        kept = [resumes(push) for push in self.pushes]
        sizes = [largest_layer(push) for push in self.pushes]
        known = [each for each in sizes if each is not None]
        largest = max(known) / self.rate if known and len(known) == len(sizes) else None
        stays = False if False in kept else None if None in kept else True
        return Again(attempts, stays, largest)

    @property
    def unknown(self) -> list[Push]:
        """Those of which not all bytes are known."""
        return [push for push in self.pushes if not first_push(push).before.complete]


@dataclass(frozen=True)
class Again:
    """``stays``: what an attempt has sent is not sent again by the next one, None where that is not known. ``largest_s``: how
    long the largest layer takes, which one attempt has to send as a whole."""

    attempts: int
    stays: bool | None
    largest_s: float | None

    def enough(self, seconds: float, limit: float) -> bool:
        """Whether the attempts together may send what takes so many seconds."""
        fits = self.largest_s is not None and self.largest_s <= limit
        return self.stays is True and fits and seconds <= self.attempts * limit


def resumes(push: Push) -> bool | None:
    """Whether a further attempt finds in the registry what the one before has sent: blobs that arrived stay there, and count
    where the layers have the same digests again. None where that is not known."""
    build = push.build
    if build is not None and build.tool == "kaniko":
        return build.on("reproducible")  # it builds again, and stamps every file with the time
    if build is not None and build.on("no-cache"):
        return False
    if push.tool == "jib":
        return True
    if push.tool in _OF_BUILD_TOOLS or push.place.anew:
        return None
    return True  # of the same store, or by the builder's cache


_OF_BUILD_TOOLS = ("build-image", "docker-maven-plugin", "dockerfile-maven", "jkube", "pack")


def largest_layer(push: Push) -> int | None:
    """Compressed bytes; None where a layer's are not known."""
    prediction = push.recipe.prediction
    sizes = [layer.compressed_bytes for layer in prediction.before.pushed] if prediction is not None else []
    known = [each for each in sizes if each is not None]
    return max(known) if known and len(known) == len(sizes) else None


def limits(pipeline: Pipeline) -> Iterator[Limited]:
    """Those around pushes whose rate is given or known of the registry."""
    for timeout in dict.fromkeys(limit for push in pipeline.pushes for limit in push.place.timeouts):
        pushes = in_one_build(inside(pipeline, timeout))
        others = in_one_build(neighbours(pipeline, pushes))
        rate = pipeline.rate(*pushes, *others)
        if rate is not None:
            yield Limited(timeout, tuple(pushes), tuple(others), rate)


def first_steps(push: Push) -> Steps:
    pair = first_push(push)
    return Steps(pair.before, pair.after, pair.after)


def each_steps(push: Push) -> Steps:
    """Of a release of which only classes changed."""
    pair: Pair = each_release(push)
    return Steps(pair.before, pair.after, needed(push).after if sends_all(push) else pair.after)


def together(pushes: Iterable[Push], of: Callable[[Push], Steps]) -> Steps:
    found = [of(push) for push in pushes]
    if not found:
        return Steps(NOTHING.before, NOTHING.after, NOTHING.after)

    def whole(step: str) -> Sum:
        return added(getattr(each, step) for each in found)

    return Steps(whole("before"), whole("after"), whole("advised"))


def in_one_build(pushes: Sequence[Push]) -> list[Push]:
    """Of pushes of which some run instead of others, the largest set that one build may run; each image once."""
    groups: dict[object, list[Push]] = {}
    for push in pushes:
        groups.setdefault((push.place.choices, push.place.conditions), []).append(push)
    if len(groups) < 2:
        return _each_once(pushes)
    listed = list(groups.values())
    excluded = {
        (one, two)
        for one, two in product(range(len(listed)), repeat=2)
        if one != two and listed[one][0].place.instead_of(listed[two][0].place)
    }
    free = [n for n in range(len(listed)) if not any(n in pair for pair in excluded)]
    bound = [n for n in range(len(listed)) if n not in free]
    weights = [_weight(group) for group in listed]
    taken = {*free, *_heaviest(bound, excluded, weights)}
    kept = {id(push) for n in taken for push in listed[n]}
    return _each_once([push for push in pushes if id(push) in kept])


def _each_once(pushes: Sequence[Push]) -> list[Push]:
    """Without those of an image that was pushed before, built again under its name or of the same under another one."""
    known: dict[object, Push] = {}
    return [push for push in pushes if known.setdefault(_image_of(push), push) is push]


def _image_of(push: Push) -> object:
    build = push.build
    if push.tool not in ("docker", "podman", "buildx") or build is None or push.target is None:
        return id(push)
    made_of = build.made_of or (push.target, push.recipe.path)
    return (registry_of(push.target), made_of, push.place.branches)


def _weight(group: Sequence[Push]) -> tuple[int, int]:
    return sum(first_push(push).before.value or 0 for push in group), len(group)


def _heaviest(
    groups: Sequence[int], excluded: set[tuple[int, int]], weights: Sequence[tuple[int, int]]
) -> list[int]:
    if len(groups) > _MOST_GROUPS:
        taken: list[int] = []
        for group in sorted(groups, key=lambda n: weights[n], reverse=True):
            if not any((group, other) in excluded for other in taken):
                taken.append(group)
        return taken
    best: list[int] = []
    most = (-1, -1)
    for chosen in product((True, False), repeat=len(groups)):
        some = [group for group, is_in in zip(groups, chosen, strict=True) if is_in]
        if any((one, two) in excluded for one in some for two in some):
            continue
        weight = (sum(weights[n][0] for n in some), sum(weights[n][1] for n in some))
        if weight > most:
            best, most = some, weight
    return best
