"""A time limit ends the push before the image is in the registry: the job fails with exit code 143.

## Why it costs
`timeout 300 /kaniko/executor …`, Jenkins' `timeout(time: 5)`, GitLab's `timeout:` and GitHub's `timeout-minutes` end
what they stand around with SIGTERM: exit code 143. `timeout` itself ends with 143 where it is BusyBox's, as in kaniko's
debug images, and with 124 where it is coreutils'. The build, and every byte of
the layer that was on its way, are lost, and the next try begins anew. 500 kB/s carry 150 MB in five minutes, no more.

## What it looks at
The bytes come from the Dockerfile that the command names (`-f`, `--dockerfile`, `--context`, or `Dockerfile`), weighed
as `imgopt suggest Dockerfile` does, at the slowest of the given rates. Pushes that run at the same time share the
link. Where no Dockerfile is found, the report says how much gets through in the time, and nothing else.

## Fix safety
Advice only: how long a build takes beside its push is not known here. The limit that is named leaves a quarter above
the predicted time of a first push, now and after the rewrite of the Dockerfile.

## Example
    sh 'timeout 300 /kaniko/executor --context . --destination registry.example/app:1'
becomes, for an image of 190 MB at 0.5 MB/s,
    sh 'timeout 480 /kaniko/executor --context . --destination registry.example/app:1'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline, Push, Timeout
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import (
    NOTHING,
    Pair,
    each_release,
    first_push,
    inside,
    neighbours,
    shared_seconds,
)
from imgopt.pipelines.wording import amount, at, enough, images, known, time, unknown
from imgopt.scales import Applicability, Severity, Sum
from imgopt.units import megabytes

ID = "push-timeout"
#: A limit that lets this much through is no cause for a word about an image of unknown size: a Spring Boot service
#: on a whole JDK has 200 to 300 MB.
LARGE_IMAGE_BYTES = 400_000_000


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    worst: dict[int, tuple[float, Finding]] = {}
    for timeout in dict.fromkeys(limit for push in pipeline.pushes for limit in push.place.timeouts):
        found = _looked_at(pipeline, timeout)
        if found is not None and found[0] > worst.get(timeout.line, (-1.0, None))[0]:
            worst[timeout.line] = found
    yield from (finding for _, finding in worst.values())


def _looked_at(pipeline: Pipeline, timeout: Timeout) -> tuple[float, Finding] | None:
    """How long the push takes that the limit ends, and the finding; None when the limit is enough."""
    pushes = inside(pipeline, timeout)
    others = neighbours(pipeline, pushes)
    rate = pipeline.slowest
    first, each = _together(pushes, first_push), _together(pushes, each_release)
    if not known(first.before):
        enough_for_most = timeout.seconds * rate > LARGE_IMAGE_BYTES
        return None if enough_for_most else (0.0, _unknown(pipeline, timeout, pushes))
    first_s = shared_seconds(first.before, [first_push(other).before for other in others], rate)
    each_s = shared_seconds(each.before, [each_release(other).before for other in others], rate)
    after_s = shared_seconds(first.after, [first_push(other).after for other in others], rate)
    assert first_s is not None
    if first_s <= timeout.seconds:
        return None
    always = known(each.before) and each_s is not None and each_s > timeout.seconds
    if always:
        assert each_s is not None
        why = f"each release sends {_spent(each.before, each_s, rate)}"
    else:
        why = f"a first push, also of a new base image, sends {_spent(first.before, first_s, rate)}"
    shared = f", shared with {len(others)} more at the same time" if others else ""
    message = f"{timeout.text} ends the push of {images(pushes)} too early: {why}{shared}; {_end(timeout)}"
    severity = Severity.HIGH if always else Severity.MEDIUM
    fix = Fix(_advice(timeout, pushes, first_s, after_s), Applicability.MANUAL)
    return first_s, Finding(ID, severity, timeout.line, timeout.line, message, fix)


def _together(pushes: list[Push], sent: Callable[[Push], Pair]) -> Pair:
    whole = NOTHING
    for push in pushes:
        whole = whole.plus(sent(push))
    return whole


def _spent(size: Sum, seconds: float, rate: int) -> str:
    return f"{amount(size)} ({size.basis}), {time(seconds, size)} {at(rate)}"


def _end(timeout: Timeout) -> str:
    if timeout.by == "github":
        return "GitHub cancels the job"
    if timeout.by == "gitlab":
        return "GitLab ends the job, the push with exit code 143"
    if timeout.by == "jenkins":
        return "Jenkins ends it with exit code 143 (SIGTERM)"
    return "it ends with exit code 143 (BusyBox, as in kaniko's debug images) or 124 (coreutils)"


def _advice(timeout: Timeout, pushes: list[Push], now: float, after: float | None) -> str:
    said = f"{_limit(timeout, enough(now))} would do for a first push now"
    if after is not None and any(push.recipe.rewritten for push in pushes):
        said += f", {_limit(timeout, enough(after))} after the rewrite of the Dockerfile"
    if timeout.by != "shell" or any(push.tool in ("kaniko", "buildx", "buildctl") for push in pushes):
        said += "; add the time of what else runs in it, the build above all"
    return said + ". `imgopt push` resumes where it was cut, so that a limit costs no bytes twice"


def _limit(timeout: Timeout, seconds: int) -> str:
    minutes = seconds // 60
    if timeout.by == "shell":
        return f"timeout {seconds}"
    if timeout.by == "jenkins":
        return f"timeout(time: {minutes}, unit: 'MINUTES')"
    if timeout.by == "github":
        return f"timeout-minutes: {minutes}"
    return f"timeout: {minutes} minutes"


def _unknown(pipeline: Pipeline, timeout: Timeout, pushes: list[Push]) -> Finding:
    rate = pipeline.slowest
    through = megabytes(round(timeout.seconds * rate))
    message = (
        f"{timeout.text} lets {through} through {at(rate)}, and what the push sends is unknown: {unknown(pushes[0])}; "
        f"when it is more, {_end(timeout)}"
    )
    advice = "look at the image with imgopt suggest DOCKERFILE --bandwidth RATE, and set the limit above its first push"
    return Finding(ID, Severity.LOW, timeout.line, timeout.line, message, Fix(advice, Applicability.MANUAL))
