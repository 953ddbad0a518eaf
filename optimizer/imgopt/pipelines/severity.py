"""How severe it is that pushes send more than they have to: by the time that it costs where the pipeline pushes to."""

from __future__ import annotations

from imgopt.pipelines.model import Pipeline, Push
from imgopt.pipelines.sending import Pair
from imgopt.scales import Severity, Sum

#: What an application of unknown size is taken for: that of a service, on a link that carries it in a moment no great cost.
_UNKNOWN_BYTES = 200_000_000


def severity(pipeline: Pipeline, push: Push, sent: Pair, lacking: Pair) -> Severity:
    """Of sending ``sent`` at each release where ``lacking`` would do: what is sent for nothing now, or after the rewrite of
    the Dockerfile, of which the command would leave nothing. Without a rate, or without a size on a fast link, it is at most
    medium; a size that is not known on a slow one is high, as an application is what it is about."""
    rate = pipeline.rate(push)
    cost = _cost(sent, lacking)
    if rate is None:
        return min(Severity.MEDIUM, Severity.of(cost), key=lambda each: each.rank)
    return Severity.of(_UNKNOWN_BYTES if cost is None else cost, complete=cost is not None, rate=rate)


def _cost(sent: Pair, lacking: Pair) -> int | None:
    """Bytes; None where they are not known."""
    if not _whole(sent.before):
        return None
    sums = ((sent.before, lacking.before), (sent.after, lacking.after))
    spared = [one.value - other.value for one, other in sums if _whole(one) and _whole(other)]  # type: ignore[operator]
    return max(0, *spared) if len(spared) == len(sums) else sent.before.value


def _whole(each: Sum) -> bool:
    return each.value is not None and each.complete
