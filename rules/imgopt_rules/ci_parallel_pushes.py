"""Several images are pushed at the same time over one slow link: each takes as long as all of them together.

## Why it costs
Thirteen pushes at once over 0.5 MB/s are thirteen pushes at 40 kB/s. All of them end when the last byte of all of them
is through, so every time limit has to be as long as the whole, and a link that breaks interrupts all of them.

And none of them finds what the others are sending. One Docker Engine that pushes three images on the same base of 47 MB to
three repositories sent 47.9 MB in turn, because it has the registry mount what it pushed there before, and 141.9 MB at
once: the base three times. That is the most: the engine sends five layers at a time, and has mounted what is there by the
time that a later push comes to it, so that of thirteen images at once 43.9 MB were sent where the base thirteen times
would have been 133.9 MB. kaniko and BuildKit do not know of other images at all, in turn or at once. The maintained
kaniko's `FF_KANIKO_CROSS_REPO_MOUNT` does not change that: it mounts from the repositories of the base and of the cache,
where they are in the registry that is pushed to, and never from those of other images (from its documentation).

## What it looks at
Jenkins' `parallel` and `matrix`, GitLab's jobs of one stage and `parallel: matrix`, GitHub's jobs and matrices, and what a
shell puts into the background (`&`, until it waits). Whether the agents really share a link is not in the file; the report
says what it would mean. The base that is sent again is that of the Dockerfiles that the commands name, where it is known; a
base that lies in the registry that is pushed to is mounted from there, and left out.

## Fix safety
Advice only. Building at the same time costs nothing: it is the pushes that should be one call, or wait for each other.

## Example
    parallel modules.collectEntries { m -> [m, { sh "/kaniko/executor -c ${m} --destination ${R}/${m}:1" }] }
becomes
    parallel modules.collectEntries { m -> [m, {
        sh "/kaniko/executor -c ${m} --no-push --tar-path ${m}.tar --destination ${R}/${m}:1"
    }] }
    sh "imgopt push --all --only-to ${R} ."
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline, Push
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import (
    Repeated,
    added,
    base_of,
    beside,
    each_release,
    needed,
    repeated,
    seconds,
)
from imgopt.pipelines.versions import CROSS_MOUNTS
from imgopt.pipelines.wording import amount, at, known, less, time, unknown
from imgopt.scales import Applicability, Severity

ID = "parallel-pushes"
#: Pushes that are through in this many seconds are nobody's trouble.
SHORT_S = 60.0
_ONE_CALL = "build at the same time (kaniko: --tar-path), and push all in one call, `imgopt push --all LIST`"
_WAYS = {
    "jenkins": f"{_ONE_CALL}; or one by one, the push in lock('registry') {{ … }}",
    "gitlab": f"{_ONE_CALL}; or one by one, in jobs with resource_group: registry",
    "github": f"{_ONE_CALL}; or one by one, strategy.max-parallel: 1 for the job that pushes",
    "script": f"{_ONE_CALL}; or one after the other, without `&`",
    "make": f"{_ONE_CALL}; or one after the other, without -j",
}


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    told: set[int] = set()
    for push in pipeline.pushes:
        if id(push) in told:
            continue
        together = _together(pipeline, push)
        if len(together) < 2 and not _many(push):
            continue
        told |= {id(each) for each in together}
        yield from _found(pipeline, together)


def _together(pipeline: Pipeline, push: Push) -> list[Push]:
    return [
        push,
        *(other for other in pipeline.pushes if other is not push and beside(push.place, other.place)),
    ]


def _many(push: Push) -> bool:
    return not push.place.lock and any(branch.of_unknown for branch in push.place.branches)


def _found(pipeline: Pipeline, pushes: list[Push]) -> Iterator[Finding]:
    first, rate = pushes[0], pipeline.rate(*pushes)
    if rate is None:  # nor is it known whether they share a link
        return
    again = repeated(pipeline, pushes)
    advice = _WAYS[pipeline.system]
    if again is not None and again.stored:
        advice += f"; {CROSS_MOUNTS}=true has kaniko's stored base mounted"
    way = Fix(advice, Applicability.MANUAL)

    def finding(severity: Severity, message: str) -> Finding:
        return Finding(ID, severity, first.line, first.end_line, message, way)

    if _many(first):
        message = (
            "pushes for each entry of a list that is not known here run at the same time and share the link"
        )
        base = base_of(first)
        if known(base) and base.value:
            message += f"; at a first push, and with each new base image, each of them may send the base, {amount(base)} ({base.basis})"
        yield finding(Severity.LOW, message)
        return
    count = len(pushes)
    size = added(each_release(push).before for push in pushes)
    took = seconds(size, rate)
    if took is None or not known(size):
        message = f"{count} pushes run at the same time; how much they send is unknown: {unknown(first)}"
        if again is not None:
            message += f"; {_base_again(again, rate)}"
        elif first.recipe.base is None:
            message += "; so is the base image, which each of them may send"
        yield finding(Severity.LOW, message)
        return
    if took <= SHORT_S:
        more_s = seconds(again.more, rate) if again is not None else None
        if again is not None and (more_s is None or more_s > SHORT_S):
            yield finding(Severity.LOW, f"{count} pushes run at the same time: {_base_again(again, rate)}")
        return
    message = (
        f"{count} pushes run at the same time; over one link they send {amount(size)} ({size.basis}) at each "
        f"release, {time(took, size)} {at(rate)}, and each of them takes up to that long"
    )
    after = added(needed(push).after for push in pushes)
    if less(after, size):
        message += f"; with stable layers and a client that asks first it is {amount(after)}"
    if again is not None:
        message += f"; {_base_again(again, rate)}"
    yield finding(Severity.MEDIUM, message)


def _base_again(again: Repeated, rate: int) -> str:
    message = f"a first push, and each with a new base image, sends the base up to {again.times} times where "
    message += "one would do" if again.bases == 1 else f"{again.bases} would do"
    took = seconds(again.more, rate)
    if took is None or not known(again.more):
        message += "; how large it is is unknown"
    else:
        message += f", {amount(again.more)} ({again.more.basis}) and {time(took, again.more)} more at worst"
    if again.unless is not None:
        message += f", unless {again.unless[0]} is {again.unless[1]}, where it is mounted"
    return message
