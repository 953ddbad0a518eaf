"""Several images are pushed at the same time over one slow link: each takes as long as all of them together.

## Why it costs
Thirteen pushes at once over 0.5 MB/s are thirteen pushes at 40 kB/s. All of them end when the last byte of all of them
is through, so every time limit has to be as long as the whole, and a link that breaks interrupts all of them.

## What it looks at
Jenkins' `parallel` and `matrix`, GitLab's jobs of one stage and `parallel: matrix`, GitHub's jobs and matrices. Whether
the agents really share a link is not in the file; the report says what it would mean.

## Fix safety
Advice only. Building at the same time costs nothing: it is the pushes that should wait for each other.

## Example
    parallel modules.collectEntries { m -> [m, { sh "/kaniko/executor -c ${m} --destination ${R}/${m}:1" }] }
becomes
    parallel modules.collectEntries { m -> [m, {
        sh "/kaniko/executor -c ${m} --no-push --tar-path ${m}.tar --destination ${R}/${m}:1"
        lock('registry') { sh "imgopt push ${m}.tar ${R}/${m}:1" }
    }] }
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline, Push
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import added, beside, each_release, needed, seconds
from imgopt.pipelines.wording import amount, at, known, less, time, unknown
from imgopt.scales import Applicability, Severity

ID = "parallel-pushes"
#: Pushes that are through in this many seconds are nobody's trouble.
SHORT_S = 60.0
_WAYS = {
    "jenkins": "build at the same time, and push one by one: the push in lock('registry') { … }",
    "gitlab": "build at the same time, and push one by one: a job for the push with resource_group: registry",
    "github": "build at the same time, and push one by one: strategy.max-parallel: 1 for the job that pushes",
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
    first, rate = pushes[0], pipeline.slowest
    way = Fix(_WAYS[pipeline.system] + ", after `imgopt push` or kaniko's --tar-path", Applicability.MANUAL)
    size = added(each_release(push).before for push in pushes)
    after = added(needed(push).after for push in pushes)
    if _many(first):
        message = (
            "pushes for each entry of a list that is not known here run at the same time and share the link"
        )
        yield Finding(ID, Severity.LOW, first.line, first.end_line, message, way)
        return
    took = seconds(size, rate)
    count = len(pushes)
    if took is None or not known(size):
        message = f"{count} pushes run at the same time; how much they send is unknown: {unknown(first)}"
        yield Finding(ID, Severity.LOW, first.line, first.end_line, message, way)
        return
    if took <= SHORT_S:
        return
    message = (
        f"{count} pushes run at the same time; over one link they send {amount(size)} ({size.basis}) at each "
        f"release, {time(took, size)} {at(rate)}, and each of them takes up to that long"
    )
    if less(after, size):
        message += f"; with stable layers and a client that asks first it is {amount(after)}"
    yield Finding(ID, Severity.MEDIUM, first.line, first.end_line, message, way)
