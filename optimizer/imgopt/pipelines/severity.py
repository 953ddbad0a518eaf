"""How severe it is that pushes send more than they have to: by the time that it costs where the pipeline pushes to."""

from __future__ import annotations

from imgopt.pipelines.model import Pipeline, Push
from imgopt.scales import Severity, Sum

#: Seconds of each release: somebody who waits looks up; it is noticed. As `Severity.of` has it in bytes at 0.5 MB/s.
_HIGH_S, _MEDIUM_S = 20.0, 2.0
#: Bytes a second. A link that carries an image of a service on a whole JDK in a moment: an unknown size is no great cost.
_FAST = 10_000_000


def severity(pipeline: Pipeline, push: Push, sent: Sum) -> Severity:
    """Of sending ``sent`` at each release. Without a rate, or without a size on a fast link, it is at most medium; a size
    that is not known on a slow one is high, as an application is what it is about."""
    rate = pipeline.rate(push)
    if sent.value is None or not sent.complete:
        return Severity.MEDIUM if rate is None or rate > _FAST else Severity.HIGH
    if rate is None:
        return min(Severity.MEDIUM, Severity.of(sent.value), key=lambda each: each.rank)
    if sent.value >= _HIGH_S * rate:
        return Severity.HIGH
    return Severity.MEDIUM if sent.value >= _MEDIUM_S * rate else Severity.LOW
