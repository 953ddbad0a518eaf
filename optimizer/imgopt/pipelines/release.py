"""A whole release as a pipeline pushes it: bytes and seconds of all images, now and after what is proposed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from imgopt.finding import Finding
from imgopt.pipelines.limits import (
    NEAR,
    Limited,
    each_steps,
    first_steps,
    in_one_build,
    limits,
    resumes,
    together,
)
from imgopt.pipelines.model import Pipeline, Push
from imgopt.pipelines.selection import chosen_by
from imgopt.pipelines.sending import beside, sends_all
from imgopt.pipelines.wording import enough
from imgopt.scales import BASES, Basis, Sum
from imgopt.suggest.result import Release, ReleaseLimit, ReleaseSaving, Steps

#: The findings on commands that send layers again which the registry has.
_SENDING = ("kaniko-timestamps", "single-snapshot", "unlayered-build", "fresh-agent-push")
#: Less of a whole release is not worth a line.
_LEAST_BYTES = 1_000_000
_MOST_RETRIES = 3


def release_of(pipeline: Pipeline, found: Sequence[Finding], text: str) -> Release | None:
    """``found``: what the rules say of it, ``text``: the file. None where nothing is pushed."""
    pushes = in_one_build(pipeline.pushes)
    if not pushes:
        return None
    first, following = together(pushes, first_steps), together(pushes, each_steps)
    mended = tuple(dict.fromkeys(each.rule for each in found if each.rule in _SENDING))
    always, names = chosen_by(pipeline, text)
    is_open = any(
        push.place.repeated or any(branch.of_unknown for branch in push.place.branches) for push in pushes
    )
    return Release(
        images=len(pushes),
        at_once=1 + max(sum(beside(push.place, other.place) for other in pushes) for push in pushes),
        open=is_open,
        rates=tuple(sorted(set(pipeline.bandwidths))),
        assumed=pipeline.assumed,
        first=first,
        following=following,
        rewritten=len({push.recipe.path for push in pushes if push.recipe.rewritten}),
        mended=mended,
        limits=tuple(_limit(each) for each in _worst(pipeline)),
        savings=tuple(_savings(pushes, first, following, mended)),
        always=always and not (is_open and not names),
        chosen_by=names,
        retries=tuple(_retries(pushes)),
        sources=tuple(dict.fromkeys(push.recipe.source for push in pushes if push.recipe.source)),
    )


def _retries(pushes: Sequence[Push]) -> Iterable[str]:
    """What a further attempt after a failure sends; bytes and minutes are always those of one."""
    found: dict[str, None] = {}
    for push in pushes:
        build, attempts = push.build, push.place.attempts
        if build is not None and build.tool == "kaniko" and build.flags.get("push-retry", ("0",))[-1] != "0":
            found["--push-retry sends only the layers that did not arrive"] = None
        if attempts > 1:
            again = {
                True: "one after the first sends only the layers that did not arrive",
                False: "each builds other layers and sends them all again",
                None: "whether one after the first makes the same layers, of which those that arrived stay, is not known",
            }[resumes(push)]
            found[f"up to {attempts} attempts, of which {again}"] = None
    return list(found)[:_MOST_RETRIES]


# limits


def _worst(pipeline: Pipeline) -> Iterable[Limited]:
    """Of each line's limits the one in which most is sent."""
    worst: dict[int, Limited] = {}
    for each in limits(pipeline):
        kept = worst.get(each.timeout.line)
        if kept is None or _weight(each) > _weight(kept):
            worst[each.timeout.line] = each
    return worst.values()


def _weight(each: Limited) -> tuple[float, int]:
    return (each.first_s() or 0.0) / each.timeout.seconds, len(each.pushes)


def _limit(each: Limited) -> ReleaseLimit:
    first, following = _steps(each.first_s), _steps(each.each_s)
    now = first[0]
    return ReleaseLimit(
        line=each.timeout.line,
        text=each.timeout.said.rstrip(","),
        seconds=each.timeout.seconds,
        images=len(each.pushes),
        first=first,
        following=following,
        at_least=bool(each.unknown),
        complete=(_complete(each.first), _complete(each.each)),
        enough_first=_enough(first),
        enough_following=_enough(following),
        long_enough=now is not None and now < NEAR * each.timeout.seconds and not each.unknown,
    )


def _steps(seconds: Callable[[str], float | None]) -> tuple[float | None, float | None, float | None]:
    return seconds("before"), seconds("after"), seconds("advised")


def _complete(steps: Steps) -> tuple[bool, bool, bool]:
    return steps.before.complete, steps.after.complete, steps.advised.complete


def _enough(seconds: Iterable[float | None]) -> tuple[int | None, int | None, int | None]:
    now, after, advised = (None if each is None else enough(each) for each in seconds)
    return now, after, advised


# what saves most


def _savings(
    pushes: Sequence[Push], first: Steps, following: Steps, mended: tuple[str, ...]
) -> list[ReleaseSaving]:
    """The largest first: what a next release saves counts before what a first push does, since there are more of them."""
    left_first = _less(first.before, first.after)
    left_next = _less(following.before, following.advised if mended else following.after)
    found: list[ReleaseSaving] = []
    by_rule: dict[str, list[tuple[Push, int, int, Basis, bool]]] = {}
    for push in pushes:
        for rule, saving in push.recipe.savings:
            known = saving.first_push_bytes or 0, saving.next_push_bytes or 0
            entry = (push, *known, saving.basis, saving.next_push_bytes is None)
            by_rule.setdefault(rule, []).append(entry)
    # commands that send all layers again hide what the Dockerfile's own layers would spare: both have to be mended
    hidden = any(sends_all(push) for push in pushes) and bool(mended)
    for rule, entries in by_rule.items():
        own_first = min(left_first, max(0, sum(entry[1] for entry in entries)))
        own_next = min(left_next, max(0, sum(entry[2] for entry in entries)))
        left_first, left_next = left_first - own_first, left_next - own_next
        rules = (rule, *mended) if hidden and own_next else (rule,)
        basis = max((entry[3] for entry in entries), key=BASES.index)
        found.append(
            ReleaseSaving(rules, len({entry[0].recipe.path for entry in entries}), own_first, own_next, basis)
        )
    unweighed = next((rule for rule, entries in by_rule.items() if any(e[4] for e in entries)), None)
    if (
        unweighed is not None and left_next
    ):  # its own saving was not known to the byte, and the sum is at least this
        files = len({entry[0].recipe.path for entry in by_rule[unweighed]})
        rules = (unweighed, *mended) if hidden else (unweighed,)
        found.append(ReleaseSaving(rules, files, 0, left_next, following.before.basis))
    elif mended and left_next:
        found.append(ReleaseSaving(mended, 0, 0, left_next, following.before.basis))
    worth = [each for each in found if max(each.first_push_bytes, each.next_push_bytes) >= _LEAST_BYTES]
    return sorted(worth, key=lambda each: (-each.next_push_bytes, -each.first_push_bytes))


def _less(before: Sum, after: Sum) -> int:
    """What is surely saved: sums with unknown parts are compared over what is known on both sides."""
    if before.value is None or after.value is None:
        return 0
    return max(0, before.value - after.value)
