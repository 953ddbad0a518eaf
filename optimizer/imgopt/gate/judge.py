"""Judging: limits against a subject. Pure; what cannot be measured is told and never passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from imgopt.gate.budgets import Growth, Limit
from imgopt.gate.growth import MOST_NAMED, growth, label
from imgopt.gate.subject import ATTESTATION, Advice, Layer, Subject, attestations, sent_once
from imgopt.light.records import dataclass, replace
from imgopt.scales import Basis, Sum, total
from imgopt.text.quoting import typed_path
from imgopt.units import duration, megabytes, rate
from imgopt.weigh.weights import LayerWeight

if TYPE_CHECKING:
    from imgopt.gate.baseline import Entry


@dataclass(frozen=True, slots=True)
class Judged:
    """One budget's verdict. ``passed`` None: it could not be measured, and ``message`` says why and what to do.

    ``actual`` has the limit's unit; names for `forbid`. ``over`` in words: "12.3 MB over". ``details``: the layers and
    files that make it, or that grew. ``remedies``: what would bring it back. ``allowed``: for growth, the bytes that
    the limit comes to.
    """

    limit: Limit
    actual: int | float | tuple[str, ...] | None
    passed: bool | None
    basis: Basis
    message: str
    details: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``skipped``: budgets that only a built image can be held against, where it was predicted."""

    subject: Subject
    budgets: tuple[Judged, ...]
    baseline: Entry | None = None
    skipped: tuple[Limit, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return bool(self.budgets) and all(each.passed for each in self.budgets)

    @property
    def broken(self) -> tuple[Judged, ...]:
        return tuple(each for each in self.budgets if each.passed is False)

    @property
    def unmeasured(self) -> tuple[Judged, ...]:
        return tuple(each for each in self.budgets if each.passed is None)


#: What one push sends: the platforms of a target, each with its entry in the baseline.
Pushed = tuple[tuple[Subject, "Entry | None"], ...]


def judge(
    subject: Subject,
    limits: Sequence[Limit],
    baseline: Entry | None,
    slowest: int,
    rtt_s: float = 0.0,
    file: str | None = None,
    pushed: Pushed | None = None,
) -> Verdict:
    """Every limit's verdict. ``slowest``: bytes a second for budgets of time that name no rate; ``rtt_s``: seconds of
    a round trip to the registry. ``file``: what the baseline's file is called, for the one who has to mend it.
    ``pushed``: all that a push of the target sends, where that is more platforms than this one."""
    judged = []
    pushed = pushed or ((subject, baseline),)
    for limit in limits:
        if limit.unit == "seconds":
            limit = replace(limit, rate=limit.rate or slowest, rtt_s=rtt_s)
        if limit.name == "max-growth" and baseline is None and file is not None:
            found = _unknown(
                limit, f"{file} has no entry of {subject.name}", "record it with --update-baseline"
            )
        elif limit.name in _PUSHES:
            found = _PUSHES[limit.name](pushed, limit)
        else:
            found = _of_each_platform(subject, limit, baseline)
        if found.passed is False:
            found = replace(found, remedies=tuple(_remedies(subject, found)))
        judged.append(found)
    if baseline is not None:
        _tell_growth(judged, growth(subject, baseline))
    return Verdict(subject, tuple(judged), baseline)


def _of_each_platform(subject: Subject, limit: Limit, baseline: Entry | None) -> Judged:
    """One verdict for all platforms of a prediction: that of the one which is over by the most, else of one that is not
    known."""
    if limit.name not in _OF_A_PLATFORM or not subject.others:
        return _JUDGES[limit.name](subject, limit, baseline)
    judged = [(each, _JUDGES[limit.name](each, limit, baseline)) for each in (subject, *subject.others)]
    order = {False: 0, None: 1, True: 2}
    worst, found = min(
        judged,
        key=lambda one: (order[one[1].passed], -one[1].actual if isinstance(one[1].actual, int) else 0),
    )
    return replace(found, message=f"{worst.platform}: {found.message}")


#: What each platform's image has for itself.
_OF_A_PLATFORM = frozenset(("max-size", "max-unpacked", "max-layer", "max-layers"))


def _tell_growth(judged: list[Judged], grew: tuple[str, ...]) -> None:
    """What grew is said once: with the last broken budget of a size, which is the growth's if it is."""
    broken = [at for at, each in enumerate(judged) if each.passed is False and each.limit.name in _SIZES]
    if broken and grew:
        judged[broken[-1]] = replace(judged[broken[-1]], details=(*judged[broken[-1]].details, *grew))


_SIZES = frozenset(("max-size", "max-unpacked", "max-layer", "max-first-push", "max-growth"))


def _size(subject: Subject, limit: Limit, _: object) -> Judged:
    return _amount(limit, subject.compressed, "compressed")


def _unpacked(subject: Subject, limit: Limit, _: object) -> Judged:
    return _amount(limit, subject.uncompressed, "unpacked")


def _first_push(pushed: Pushed, limit: Limit) -> Judged:
    attached = attestations(subject for subject, _ in pushed)
    layers = sent_once([*(layer for subject, _ in pushed for layer in subject.pushed), *attached])
    found = _amount(limit, _sum(layers), f"on the first push{_of_platforms(pushed)}", layers)
    return replace(found, details=_beside(attached))


_NO_APPLICATION = "no layer is known to hold the application"


def _next_push(pushed: Pushed, limit: Limit) -> Judged:
    subjects = [subject for subject, _ in pushed]
    attached = attestations(subjects)
    new: list[Layer] = []
    untold: list[str] = []
    recorded = all(entry is not None and entry.layers and not subject.predicted for subject, entry in pushed)
    for subject, entry in pushed:
        if recorded:
            assert entry is not None
            known = {layer.diff_id for layer in entry.layers}
            new += [layer for layer in subject.layers if layer.diff_id not in known]
            continue
        changing = subject.changing
        if changing is None:
            why = subject.untold.get("next-push", _NO_APPLICATION)
            untold.append(why + (f" ({subject.platform})" if subject.several else ""))
        new += subject.pushed if changing is None else changing
    if untold:
        return _at_most(limit, sent_once([*new, *attached]), pushed, untold[0])
    layers = sent_once([*new, *attached])
    have = len(sent_once(layer for subject in subjects for layer in subject.pushed)) - (
        len(layers) - len(attached)
    )
    found = _sum(layers)
    if not recorded:
        found = replace(found, basis="predicted" if found.value is not None else "unknown")
        basis = (
            "the prediction"
            if subjects[0].predicted
            else "what the layers hold; a baseline would show what changes"
        )
        counted = f"counted: the layers with the application, by {basis}"
    else:
        counted = "counted: the layers that the baseline's release does not have"
    judged = _amount(limit, found, f"on the next push{_of_platforms(pushed)}", layers, have)
    largest = _largest([layer for layer in layers if layer.command != ATTESTATION])
    return replace(judged, details=(*largest, *_beside(attached), counted))


def _bump(pushed: Pushed, limit: Limit) -> Judged:
    """What a release sends that has another patch of Spring Boot: never measured here, since that patch is not there."""
    subjects = [subject for subject, _ in pushed]
    if any(not subject.spring_boot for subject in subjects):
        why = "the application is not known to be made with Spring Boot, so what a patch of it moves is not known"
        return _unknown(limit, why, "build the jar first, give --spring-boot VERSION, or leave max-bump out")
    new: list[Layer] = []
    for subject in subjects:
        if subject.changing is None:
            return _at_most(limit, subject.pushed, pushed, subject.untold.get("next-push", _NO_APPLICATION))
        new += [layer for layer in subject.pushed if layer.changes_each_release or layer.changes_each_bump]
    attached = attestations(subjects)
    layers = sent_once([*new, *attached])
    have = len(sent_once(layer for subject in subjects for layer in subject.pushed)) - len(sent_once(new))
    found = _sum(layers)
    found = replace(found, basis="predicted" if found.value is not None else "unknown")
    judged = _amount(limit, found, f"with a Spring Boot patch{_of_platforms(pushed)}", layers, have)
    counted = (
        "counted: the layers with the application or with a library that its next patch is likely to move"
    )
    return replace(judged, details=(*_largest(new), *_beside(attached), counted))


def _at_most(limit: Limit, layers: Sequence[Layer], pushed: Pushed, why: str) -> Judged:
    """Where nobody can say what a release changes: it changes no more than ``layers``, which may be within the limit."""
    why = f"what a release changes is not known: {why}"
    when = "with a Spring Boot patch" if limit.name == "max-bump" else "on the next push"
    whole = _amount(limit, _sum(layers), f"{when}{_of_platforms(pushed)}", layers)
    if not layers or not whole.passed:
        return _unknown(limit, why, "record the release before with --baseline FILE --update-baseline")
    counted = "counted: every layer that a release may change"
    return replace(whole, basis="predicted", message=f"at most {whole.message}", details=(why, counted))


def _sum(layers: Sequence[Layer]) -> Sum:
    return total([(layer.compressed_bytes, layer.basis) for layer in layers])


def _of_platforms(pushed: Pushed) -> str:
    count = sum(subject.together for subject, _ in pushed)
    return f" of {count} platforms" if count > 1 else ""


def _beside(attached: Sequence[Layer]) -> tuple[str, ...]:
    found = _sum(attached)
    if not attached or not (found.value or not found.complete):
        return ()
    return (f"attestations: {'at least ' if not found.complete else ''}{megabytes(found.value or 0)}",)


def _layer(subject: Subject, limit: Limit, _: object) -> Judged:
    known = []
    complete = True
    for layer in subject.layers:
        if layer.stands_for:
            known.append(replace(layer, compressed_bytes=max(layer.stands_for)))
        elif layer.compressed_bytes is None:
            complete = False
        elif layer.stands_for == () or layer.compressed_bytes <= limit.value:  # type: ignore[operator]
            known.append(layer)
        else:  # a base image that is over as a whole, which says nothing of each of its layers
            complete = False
    largest = max(known, key=lambda layer: layer.compressed_bytes or 0, default=None)
    size = (largest.compressed_bytes if largest else 0) if known or complete else None
    basis = largest.basis if largest else "unknown"
    found = _amount(limit, Sum(size, basis, complete), "in one layer")
    over = [layer for layer in known if (layer.compressed_bytes or 0) > limit.value]  # type: ignore[operator]
    return replace(found, details=tuple(_largest(over)) if found.passed is False else ())


def _layers(subject: Subject, limit: Limit, _: object) -> Judged:
    layers = {layer.number: layer for layer in reversed(subject.layers)}.values()
    count, most = sum(len(layer.stands_for or (0,)) for layer in layers), int(limit.value)  # type: ignore[arg-type]
    complete = all(layer.stands_for is not None for layer in subject.layers)
    basis: Basis = "predicted" if subject.predicted else "measured"
    said = "1 layer" if count == 1 else f"{count} layers"
    if count > most:
        at_least = "" if complete else "at least "
        return Judged(limit, count, False, basis, f"{at_least}{said}, {count - most} more than {most}")
    if not complete:
        return _unknown(limit, "how many layers the base image has is not known", "gate the built image")
    return Judged(limit, count, True, basis, said)


def _waste(subject: Subject, limit: Limit, _: object) -> Judged:
    if subject.wasted_bytes is None:
        return _unknown(limit, "the layers were not read", "give the image itself")
    details = tuple(f"{path}: {megabytes(size)}" for path, size in subject.wasted)
    whole = subject.uncompressed.value or 0
    if limit.unit == "share":
        share = subject.wasted_bytes / whole if whole else 0.0
        passed = share <= limit.value  # type: ignore[operator]
        message = f"{megabytes(subject.wasted_bytes)} wasted, {share:.1%} of the unpacked bytes".replace(
            "%", " %"
        )
        if not passed:
            message += f", more than {limit.text}"
        return Judged(limit, share, passed, "measured", message, () if passed else details)
    found = _amount(limit, Sum(subject.wasted_bytes, "measured", True), "wasted")
    return replace(found, details=() if found.passed else details)


def _efficiency(subject: Subject, limit: Limit, _: object) -> Judged:
    if subject.efficiency is None:
        return _unknown(limit, "the layers were not read", "give the image itself")
    passed = subject.efficiency >= float(limit.value)  # type: ignore[arg-type]
    shown = f"{int(subject.efficiency * 1000) / 10:.1f} %"
    message = f"efficiency {shown}" + ("" if passed else f", less than {limit.text}")
    details = () if passed else tuple(f"{path}: {megabytes(size)} wasted" for path, size in subject.wasted)
    return Judged(limit, subject.efficiency, passed, "measured", message, details)


def _forbid(subject: Subject, limit: Limit, _: object) -> Judged:
    names: tuple[str, ...] = limit.value  # type: ignore[assignment]
    there = [name for name in names if subject.forbidden.get(name)]
    basis: Basis = "predicted" if subject.predicted else "measured"
    if there:
        details = tuple(f"{name}: {subject.forbidden[name]}" for name in there)
        return Judged(limit, tuple(there), False, basis, f"it has {', '.join(there)}", details)
    unknown = [name for name in names if name not in subject.forbidden]
    if unknown:
        reasons = "; ".join(dict.fromkeys(subject.untold[name] for name in unknown if name in subject.untold))
        hint = "give the built image itself" if subject.predicted else "look into it with imgopt inspect"
        if unknown == ["root-user"]:
            hint = "set USER to a number other than 0"
        return _unknown(
            limit,
            f"whether it has {', '.join(unknown)} cannot be determined" + (f": {reasons}" if reasons else ""),
            hint,
        )
    beside = tuple(f"{name}: {subject.beside[name]}" for name in names if name in subject.beside)
    return Judged(limit, (), True, basis, f"it has no {', '.join(names)}", beside)


def _growth(subject: Subject, limit: Limit, baseline: Entry | None) -> Judged:
    if baseline is None:
        return _unknown(
            limit,
            f"there is no baseline of {subject.name}",
            "record it with --baseline FILE --update-baseline",
        )
    if subject.compressed.value is None or not subject.compressed.complete:
        return _unknown(limit, "its size is not known", "give the built image itself")
    assert isinstance(limit.value, Growth)
    grown = subject.compressed.value - baseline.compressed_bytes
    allowed = limit.value.allowed(baseline.compressed_bytes)
    passed = grown <= allowed
    share = (
        f" ({grown / baseline.compressed_bytes:+.1%})".replace("%", " %") if baseline.compressed_bytes else ""
    )
    sign = "+" if grown >= 0 else "-"
    message = (
        f"{sign}{megabytes(abs(grown))}{share} against the baseline's {megabytes(baseline.compressed_bytes)}"
    )
    if not passed:
        message += f", {megabytes(grown - allowed)} more than the {megabytes(allowed)} allowed"
    details: tuple[str, ...] = ()
    if subject.compressed_here != baseline.compressed_here and not subject.predicted:
        details = (OTHER_GZIP,)
    return Judged(limit, grown, passed, subject.compressed.basis, message, details, allowed=allowed)


OTHER_GZIP = (
    "one of the two was weighed by its blobs, the other compressed here: some percent of the difference may be the gzip's; "
    "gate the same kind of source each time"
)


def _unknown(limit: Limit, why: str, hint: str) -> Judged:
    return Judged(limit, None, None, "unknown", f"{why}; {hint}")


def _amount(
    limit: Limit, found: Sum, what: str, sent: Sequence[Layer | LayerWeight] = (), have: int = 0
) -> Judged:
    """A sum of bytes against bytes, or against the seconds that a push of the layers ``sent`` takes while the registry
    has ``have`` others. A known part that is over already is enough to fail."""
    if found.value is None:
        return _unknown(limit, f"how much it is {what} is not known", "give the built image itself")
    most = float(limit.value)  # type: ignore[arg-type]
    at_least = "" if found.complete else "at least "
    basis = found.basis
    if limit.unit == "seconds":
        assert limit.rate is not None
        actual: float = _seconds(limit, sent, have)
        basis = "predicted"  # bytes may be measured, the time is the model's
        said = f"{at_least}{duration(actual)} {what} at {rate(limit.rate)} ({megabytes(found.value)})"
        over = duration(actual - most)
    else:
        actual = found.value
        said = f"{at_least}{megabytes(found.value)} {what}"
        over = megabytes(round(actual - most))
    if actual > most:
        limit_text = replace(limit, rate=None).text if limit.unit == "seconds" else limit.text
        return Judged(limit, actual, False, basis, f"{said}, {over} over {limit_text}")
    if found.told is None:
        return _unknown(limit, f"how much it is {what} is not known", "gate the built image")
    if not found.complete:
        return _unknown(limit, f"it is {said}, the rest is not known", "gate the built image")
    return Judged(limit, actual, True, basis, said)


def _seconds(limit: Limit, sent: Sequence[Layer | LayerWeight], have: int) -> float:
    from imgopt.weigh.push import DEFAULT_CLIENT, Link, seconds

    assert limit.rate is not None
    sizes = [layer.compressed_bytes for layer in sent if layer.compressed_bytes is not None]
    raw = sum(layer.uncompressed_bytes or 0 for layer in sent)
    return seconds(DEFAULT_CLIENT, Link(limit.rate, limit.rtt_s), sizes, uncompressed_bytes=raw, have=have)


def _largest(layers: Sequence[Layer]) -> tuple[str, ...]:
    largest = sorted(layers, key=lambda layer: -(layer.compressed_bytes or 0))[:MOST_NAMED]
    return tuple(f"{label(layer)}: {_size_text(layer.compressed_bytes)}" for layer in largest)


def _size_text(count: int | None) -> str:
    return "unknown" if count is None else megabytes(count)


# what would bring it back


def _remedies(subject: Subject, broken: Judged) -> list[str]:
    name = broken.limit.name
    if name == "forbid":
        rules = {
            "jdk": "jdk-runtime",
            "build-tools": "build-tools",
            "package-cache": "package-cache",
        }
        there = broken.actual if isinstance(broken.actual, tuple) else ()
        told = [f"{rules[each]}: imgopt suggest shows the fix" for each in there if each in rules]
        if "root-user" in there:
            told.append("set USER to a number other than 0 at the end of the Dockerfile")
        return told
    if subject.predicted:
        return _predicted_remedies(subject, broken)
    wanted = {
        "max-next-push": ("next",),
        "max-bump": ("next",),
        "max-waste": ("unpacked",),
        "min-efficiency": ("unpacked",),
    }
    when = wanted.get(name, ("unpacked",))
    advice = [each for each in subject.advice if each.when in when]
    if name in ("max-waste", "min-efficiency"):
        advice = [
            each for each in advice if each.rule in ("deleted-later", "recursive-chown", "jar-stored-twice")
        ]
    if name == "max-layers":
        advice = []
    merged: dict[str, Advice] = {}
    for each in advice:
        merged.setdefault(each.rule, each)
    told = []
    for each in sorted(merged.values(), key=lambda each: -(each.bytes or 0))[:3]:
        size = f", {megabytes(each.bytes)} unpacked" if each.bytes is not None else ""
        told.append(f"{each.rule}: {each.message}{size}; imgopt suggest shows the fix")
    return told


def _predicted_remedies(subject: Subject, broken: Judged) -> list[str]:
    name = broken.limit.name
    if name == "max-layers":  # what saves bytes often adds layers
        return []
    when = "next" if name in ("max-next-push", "max-bump") else "first"
    advice = sorted(
        (each for each in subject.advice if each.when == when), key=lambda each: -(each.bytes or 0)
    )
    told = []
    for each in advice[:3]:
        told_bytes = each.bytes is not None and name != "max-bump"  # they are those of a class-only release
        saves = f" saves {megabytes(each.bytes or 0)} ({each.basis})" if told_bytes else ""
        told.append(
            f"{each.rule}, line {each.line},{saves}"
            if saves
            else f"{each.rule}, line {each.line}: {each.message}"
        )
    if subject.rewritten is not None and name in _OF_WEIGHT:
        after = _OF_WEIGHT[name](subject.rewritten)
        if after.value is not None:
            weight = subject.rewritten
            layers = weight.pushed if name in _PUSHES else weight.layers
            sent = [layer for layer in layers if layer.changes_each_release or name != "max-next-push"]
            sent = list(weight.bumped) if name == "max-bump" else sent
            holds = _amount(broken.limit, after, "", sent, len(layers) - len(sent)).passed
            fits = {True: ", within the budget", False: ", still over the budget", None: ""}[holds]
            at_least = "" if after.complete else "at least "
            command = f"imgopt rewrite {typed_path(subject.path or '.')}"
            told.append(f"{command} makes it {at_least}{megabytes(after.value)}{fits}")
    return told


def _largest_of(sums: Sequence[Sum]) -> Sum:
    """The largest; at least that, where another one is not known."""
    most = max(sums, key=lambda each: each.value or 0)
    return most if all(each.complete for each in sums) else replace(most, complete=False)


_OF_WEIGHT: Mapping[str, Callable[..., Sum]] = {
    "max-size": lambda weight: _largest_of([weight.compressed, *(each.compressed for each in weight.others)]),
    "max-unpacked": lambda weight: _largest_of(
        [weight.uncompressed, *(each.uncompressed for each in weight.others)]
    ),
    "max-first-push": lambda weight: weight.first_push,
    "max-next-push": lambda weight: weight.next_push,
    "max-bump": lambda weight: weight.bump_push,
}

_JUDGES: Mapping[str, Callable[..., Judged]] = {
    "max-size": _size,
    "max-unpacked": _unpacked,
    "max-layer": _layer,
    "max-layers": _layers,
    "max-waste": _waste,
    "min-efficiency": _efficiency,
    "forbid": _forbid,
    "max-growth": _growth,
}
#: What is pushed is of all platforms of a target.
_PUSHES: Mapping[str, Callable[[Pushed, Limit], Judged]] = {
    "max-first-push": _first_push,
    "max-next-push": _next_push,
    "max-bump": _bump,
}
#: What only a built image can be held against.
ONLY_BUILT = frozenset(("max-waste", "min-efficiency"))
#: What cannot be told without reading the layers.
NEED_CONTENTS = frozenset(
    ("max-unpacked", "max-waste", "min-efficiency", "forbid", "max-next-push", "max-bump")
)
