"""How severe it is that pushes send more than they have to: by the time that it costs where the pipeline pushes to."""

from __future__ import annotations

from imgopt.pipelines.model import Pipeline, Push
from imgopt.scales import Severity, Sum

#: What an application of unknown size is taken for: that of a service, on a link that carries it in a moment no great cost.
_UNKNOWN_BYTES = 200_000_000


def severity(pipeline: Pipeline, push: Push, sent: Sum) -> Severity:
    """Of sending ``sent`` at each release. Without a rate, or without a size on a fast link, it is at most medium; a size
    that is not known on a slow one is high, as an application is what it is about."""
    rate = pipeline.rate(push)
    known = sent.value is not None and sent.complete
    if rate is None:
        found = Severity.of(sent.value if known else None)
        return min(Severity.MEDIUM, found, key=lambda each: each.rank)
    return Severity.of(sent.value if known else _UNKNOWN_BYTES, complete=known, rate=rate)
