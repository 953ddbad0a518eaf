"""A time limit ends the push before the image is in the registry: the job fails with exit code 143.

## Why it costs
`timeout 300 /kaniko/executor …`, Jenkins' `timeout(time: 5)`, GitLab's `timeout:` and GitHub's `timeout-minutes` end
what they stand around with SIGTERM: exit code 143. `timeout` itself ends with 143 where it is BusyBox's, as in kaniko's
debug images, and with 124 where it is coreutils'. The build, and every byte of
the layer that was on its way, are lost, and the next try begins anew. 500 kB/s carry 150 MB in five minutes, no more.

## What it looks at
The bytes come from the Dockerfile that the command names (`-f`, `--dockerfile`, `--context`, or `Dockerfile`), weighed
as `imgopt suggest Dockerfile` does, at the slowest of the given rates. Pushes that run at the same time share the
link; a limit around several pushes is held against all of them together, of those of which only one runs against the
largest. From 80 % of a limit on it is a finding of low severity. Where a part is not known (a jar that is not built), the
report says how much time is left for it; where no Dockerfile is found, how much gets through in the time.

A limit inside of `retry`, of nick-fields/retry or of a GitLab job with `retry:` begins anew with each attempt; one around
`retry` does not. Bytes are those of one attempt: a layer that arrived stays in the registry, and a client that makes the
same layer again finds it there. kaniko without `--reproducible` makes other ones, so no number of attempts helps it over a
limit; of other tools the attempts together may be enough, but for a layer that takes longer than one of them.

## Fix safety
Advice only: how long a build takes beside its push is not known here. The limit that is named leaves a quarter above
the predicted time of a first push, and of each next one, now and after the rewrite of the Dockerfile.

## Example
    sh 'timeout 300 /kaniko/executor --context . --destination registry.example/app:1'
becomes, for an image of 190 MB at 0.5 MB/s,
    sh 'timeout 480 /kaniko/executor --context . --destination registry.example/app:1'
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.limits import NEAR, Limited, limits, resumes
from imgopt.pipelines.model import Pipeline, Timeout
from imgopt.pipelines.rule import rule
from imgopt.pipelines.wording import amount, at, enough, images, known, limit_text, time, unknown
from imgopt.scales import Applicability, Severity, Sum
from imgopt.units import duration, megabytes

ID = "push-timeout"
#: A limit that lets this much through for each image is no cause for a word where nothing is known of them: a Spring
#: Boot service on a whole JDK has 200 to 300 MB.
LARGE_IMAGE_BYTES = 400_000_000
#: The same for each image of which a part is known, the application being what is missing.
LARGE_JAR_BYTES = 150_000_000


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    worst: dict[int, tuple[float, Finding]] = {}
    for limited in limits(pipeline):
        line = limited.timeout.line
        found = _looked_at(limited)
        if found is not None and found[0] > worst.get(line, (-1.0, None))[0]:
            worst[line] = found
    yield from (finding for _, finding in worst.values())


def _looked_at(limited: Limited) -> tuple[float, Finding] | None:
    """How long the push takes that the limit ends, and the finding; None when the limit is enough."""
    limit = limited.timeout.seconds
    first_s, each_s = limited.first_s(), limited.each_s()
    if first_s is None or not known(limited.first.before):
        through = limit * limited.rate / len(limited.pushes)
        return None if through > LARGE_IMAGE_BYTES else (0.0, _unknown(limited))
    if first_s <= limit and limited.unknown:
        left = (limit - first_s) * limited.rate / len(limited.unknown)
        return None if left > LARGE_JAR_BYTES else (first_s, _left(limited, limit - first_s))
    if first_s < NEAR * limit:
        return None
    always = known(limited.each.before) and each_s is not None
    again = limited.again
    if always and each_s is not None and each_s > limit:
        level = Severity.LOW if again is not None and again.enough(each_s, limit) else Severity.HIGH
        return first_s, _too_early(limited, limited.each.before, each_s, level, "each release")
    if first_s > limit:
        level = Severity.LOW if again is not None and again.enough(first_s, limit) else Severity.MEDIUM
        return first_s, _too_early(limited, limited.first.before, first_s, level, _FIRST)
    if always and each_s is not None and each_s >= NEAR * limit:
        return first_s, _near(limited, limited.each.before, each_s, "each release")
    return first_s, _near(limited, limited.first.before, first_s, _FIRST)


_FIRST = "a first push, also of a new base image,"


def _too_early(limited: Limited, size: Sum, seconds: float, severity: Severity, what: str) -> Finding:
    timeout = limited.timeout
    message = (
        f"{timeout.said} ends the push of {images(limited.pushes)} too early: {what} sends "
        f"{_spent(size, seconds, limited.rate)}{_shared(limited)}; {_end(timeout)}{_again(limited, seconds)}"
    )
    return _finding(limited, severity, message)


def _again(limited: Limited, seconds: float) -> str:
    """What further attempts are worth: blobs that arrived stay in the registry, a layer that was on its way does not."""
    again, limit = limited.again, limited.timeout.seconds
    if again is None:
        return ""
    if again.stays is False:
        why = next(push for push in limited.pushes if resumes(push) is False)
        how = "kaniko without --reproducible" if why.tool == "kaniko" else "a build without its cache"
        return f"; each attempt sends everything again, as {how} makes other layers of the same files"
    if again.stays is None:
        return "; whether a further attempt makes the same layers, of which those that arrived stay, is not known"
    if again.largest_s is not None and again.largest_s > limit:
        took = duration(again.largest_s)
        return f"; layers that arrived stay, but the largest alone takes {took} {at(limited.rate)}, in every attempt anew"
    if again.enough(seconds, limit):
        least = math.ceil(seconds / limit)
        return f"; layers that arrived stay, so that {least} attempts or more may send them all"
    return "; layers that arrived stay, and the next attempt sends the others"


def _near(limited: Limited, size: Sum, seconds: float, what: str) -> Finding:
    timeout = limited.timeout
    share = round(100 * seconds / timeout.seconds)
    message = (
        f"{timeout.said} is near to what the push of {images(limited.pushes)} takes: {what} sends "
        f"{_spent(size, seconds, limited.rate)}{_shared(limited)}, {share} % of it; on a link that is a little slower "
        f"{_end(timeout)}"
    )
    return _finding(limited, Severity.LOW, message)


def _left(limited: Limited, left: float) -> Finding:
    """What is known goes through, and what is not may be too much for the rest."""
    timeout, lacking = limited.timeout, limited.unknown
    of = f" of each of {len(lacking)} images" if len(lacking) > 1 else ""
    room = megabytes(round(left * limited.rate / len(lacking)))
    message = (
        f"{timeout.said} leaves {duration(left)} for what is not known, {room}{of} {at(limited.rate)}: a first push of "
        f"{images(limited.pushes)} sends {amount(limited.first.before)} ({limited.first.before.basis}){_shared(limited)}, "
        f"and {unknown(lacking[0])}; when it is more, {_end(timeout)}"
    )
    return _finding(limited, Severity.LOW, message)


def _finding(limited: Limited, severity: Severity, message: str) -> Finding:
    line = limited.timeout.line
    return Finding(ID, severity, line, line, message, Fix(_advice(limited), Applicability.MANUAL))


def _shared(limited: Limited) -> str:
    return f", shared with {len(limited.others)} more at the same time" if limited.others else ""


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


def _advice(limited: Limited) -> str:
    timeout, pushes = limited.timeout, limited.pushes
    rewritten = any(push.recipe.rewritten for push in pushes)

    def would_do(*seconds: float | None) -> list[str]:
        return [limit_text(timeout, enough(each)) for each in seconds if each is not None]

    first = would_do(limited.first_s(), limited.first_s("after") if rewritten else None)
    least = "more than " if limited.unknown else ""
    said = f"{least}{first[0]} would do for a first push now"
    if len(first) > 1:
        said += f", {first[1]} after the rewrite of the Dockerfile"
    if known(limited.each.before):
        each = would_do(limited.each_s(), limited.each_s("advised"))
        changed = each[1:] if each[1:] != each[:1] else []
        if first == each[:1] and not changed:
            said += ", and for each next one"
        else:
            said += f"; for each next one {least}{each[0]} now"
            said += "".join(f", {other} after {_mended(limited, rewritten=rewritten)}" for other in changed)
    if timeout.by != "shell" or any(push.tool in ("kaniko", "buildx", "buildctl") for push in pushes):
        said += "; add the time of what else runs in it, the build above all"
    return said + ". `imgopt push` resumes where it was cut, so that a limit costs no bytes twice"


def _mended(limited: Limited, *, rewritten: bool) -> str:
    """What a next release needs to be as small as it can be."""
    if limited.each.advised == limited.each.after:
        return "the rewrite"
    return (
        "the rewrite and what is advised of the commands" if rewritten else "what is advised of the commands"
    )


def _unknown(limited: Limited) -> Finding:
    timeout, count = limited.timeout, len(limited.pushes)
    through = megabytes(round(timeout.seconds * limited.rate))
    of = ""
    if count > 1:
        of = f", {megabytes(round(timeout.seconds * limited.rate / count))} for each of {count} images"
    message = (
        f"{timeout.said} lets {through} through {at(limited.rate)}{of}, and what the push sends is unknown: "
        f"{unknown(limited.pushes[0])}; when it is more, {_end(timeout)}"
    )
    advice = "look at the image with imgopt suggest DOCKERFILE --bandwidth RATE, and set the limit above its first push"
    line = timeout.line
    return Finding(ID, Severity.LOW, line, line, message, Fix(advice, Applicability.MANUAL))
