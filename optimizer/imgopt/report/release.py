"""A whole release of a CI file, in the few lines that its report begins with."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.light.records import dataclass
from imgopt.report.figures import amount, not_judged, plural
from imgopt.report.layout import visible
from imgopt.scales import Sum
from imgopt.suggest.result import PipelineSummary, Release, ReleaseLimit, ReleaseSaving
from imgopt.units import duration, megabytes, rate


@dataclass(frozen=True)
class Row:
    """``label`` and what is said under it; a row without a label goes on with the one before."""

    label: str
    text: str


def headline(release: Release) -> str:
    """``13 images, one after the other, at 0.5 and 1 MB/s``."""
    rates = [rate(each) for each in release.rates]
    at = " and ".join([*(each.removesuffix(" MB/s") for each in rates[:-1]), rates[-1]])
    return f"{_images(release)}, at {at}"


def _images(release: Release) -> str:
    count = plural(release.images, "image")
    if release.open:
        count = (
            f"{count} for each entry of a list that is not known here"
            if release.images == 1
            else f"{count} at least"
        )
    if release.images == 1:
        return count
    if release.at_once == 1:
        return f"{count}, one after the other"
    return (
        f"{count} at once"
        if release.at_once == release.images
        else f"{count}, up to {release.at_once} at once"
    )


def rows(pipeline: PipelineSummary) -> list[Row]:
    release = pipeline.release
    if release is None:
        return []
    found = [Row("first push", _steps(release, release.first.before, release.first.after, None))]
    advised = release.following.advised if release.mended else None
    found.append(
        Row("each next", _steps(release, release.following.before, release.following.after, advised))
    )
    if release.assumed:
        found.append(Row("rate", "assumed, as none is known of the registry; set yours with --bandwidth"))
    found += [Row("time limit" if n == 0 else "", _limit(each)) for n, each in enumerate(release.limits)]
    found += [
        Row("retries" if n == 0 else "", f"{text}; the figures are those of one attempt" if n == 0 else text)
        for n, text in enumerate(release.retries)
    ]
    found += [
        Row("saves most" if n == 0 else "", f"{n + 1}. {_saving(each, release.rates[0])}")
        for n, each in enumerate(release.savings)
    ]
    if (chosen := _chosen(release)) is not None:
        found.append(Row("is pushed", chosen))
    found += [Row("not known" if n == 0 else "", text) for n, text in enumerate(not_judged(pipeline))]
    found += [Row("figures" if n == 0 else "", visible(text)) for n, text in enumerate(release.sources)]
    return found


def _steps(release: Release, now: Sum, rewritten: Sum, advised: Sum | None) -> str:
    """``3110.8 MB (predicted), 104 and 52 min → 1165.2 MB, 39 and 19 min after the rewrites``."""
    said = _sent(now, release.rates, basis=True)
    rewrites = "the rewrite" if release.rewritten == 1 else f"{release.rewritten} rewrites"
    if release.rewritten and now.told is not None:
        same = rewritten == now
        said += f"; {'the same' if same else _sent(rewritten, release.rates)} after {rewrites}"
    if advised is not None and advised.told is None and now.told is not None and advised != rewritten:
        said += f"; what is new of it, which is not known, with {_and(release.mended)} fixed{' too' if release.rewritten else ''}"
    elif advised is not None and advised != rewritten:
        also = " too" if release.rewritten else ""
        said += f"; {_sent(advised, release.rates)} with {_and(release.mended)} fixed{also}"
    return said


def _sent(each: Sum, rates: Sequence[int], *, basis: bool = False) -> str:
    if each.told is None or each.value is None:
        return "an unknown amount"
    least = "" if each.complete else "at least "
    times = list(dict.fromkeys(duration(each.value / bandwidth) for bandwidth in rates))
    said = f"{amount(each)} ({each.basis})" if basis else amount(each)
    return f"{said}, {least}{' or '.join(times)}"


def _limit(limit: ReleaseLimit) -> str:
    where = f"line {limit.line}, {visible(limit.text)}, around {plural(limit.images, 'image')}"
    if limit.long_enough:
        return f"{where}: long enough"
    first, following = limit.complete
    pushes = (
        ("a first push", limit.first[:2], first[:2], limit.enough_first[:2]),
        ("each next", limit.following[::2], following[::2], limit.enough_following[::2]),
    )
    told = [f"{what} {_takes(limit, seconds, complete)}" for what, seconds, complete, _ in pushes]
    enough = [
        f"{' and '.join(said)} for {what}"
        for what, _, complete, would in pushes
        if (said := _would_do(would, complete))
    ]
    return f"{where}: {'; '.join(told)}" + (f". Would do: {', '.join(enough)}" if enough else "")


def _would_do(seconds: Sequence[int | None], complete: Sequence[bool]) -> list[str]:
    """``130 min now``, ``49 min then``; ``130 min`` where both are the same."""
    said = [
        None if each is None else f"{'' if whole else 'more than '}{duration(each)}"
        for each, whole in zip(seconds, complete, strict=True)
    ]
    if said[0] == said[1]:
        return said[:1] if said[0] is not None else []  # type: ignore[return-value]
    return [f"{each} {when}" for each, when in zip(said, ("now", "then"), strict=True) if each is not None]


def _takes(limit: ReleaseLimit, seconds: Sequence[float | None], complete: Sequence[bool]) -> str:
    """``takes 104 min now and 39 min then, and is ended both times``."""
    said = [
        None if each is None else f"{'' if whole else 'at least '}{duration(each)}"
        for each, whole in zip(seconds, complete, strict=True)
    ]
    if said[0] is None:
        return "is not known"
    told = f"takes {said[0]} now" + (f" and {said[1]} then" if said[1] not in (None, said[0]) else "")
    ended = [each is not None and each > limit.seconds for each in seconds]
    if all(ended):
        return f"{told}, and is ended {'both times' if said[1] != said[0] else 'now and then'}"
    return told + ", and is ended now" * ended[0] + ", and is ended then" * ended[1]


def _saving(saving: ReleaseSaving, slowest: int) -> str:
    where = f" in {plural(saving.files, 'Dockerfile')}" if saving.files else ""
    own, *others = saving.rules
    what = f"{own}{where}" + (f" with {_and(others)}" if others else "")
    amounts = [
        f"{megabytes(count)} ({duration(count / slowest)}) {when}"
        for count, when in (
            (saving.next_push_bytes, "at each next release"),
            (saving.first_push_bytes, "at a first push"),
        )
        if count > 0
    ]
    return f"{what}: {', '.join(amounts)} ({saving.basis})"


def _chosen(release: Release) -> str | None:
    if release.images < 2 and not release.open:
        return None
    names = _and([visible(name) for name in release.chosen_by])
    if not release.always:
        return f"what the file chooses by {names}" if names else "each entry of that list"
    if not release.chosen_by:
        return "every image, whatever changed"
    kind = "parameter" if len(release.chosen_by) == 1 else "parameters"
    return f"every image, whatever changed, unless the {kind} {names} choose{'s' if kind == 'parameter' else ''} some"


def _and(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
