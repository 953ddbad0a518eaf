"""What reports say about numbers: savings, what is unknown, when a client's habit matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from imgopt.finding import Declined, Finding, Sentence
from imgopt.light.records import dataclass, replace
from imgopt.report.layout import visible
from imgopt.scales import BASES, SAID_BYTES, SAYS_SOMETHING, Applicability, Basis, Sum, total
from imgopt.suggest.result import Fact, FileReport, PipelineSummary
from imgopt.units import Scale, duration, megabytes, rate, size_scale, time_scale
from imgopt.weigh.weights import ImageWeight, LayerWeight, Prediction, PushClient, Saving

#: A client that sends this much more than it would need to is worth a warning.
_MATTERS_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Saved:
    """Bytes or seconds less than before (negative: more). ``bound`` is "at least" when more may be saved. ``whole`` is
    False where a part of what was there is unknown."""

    value: float
    before: float
    bound: str = ""
    whole: bool = True

    @property
    def share(self) -> str:
        """In percent of what was there; only all of it is 100 %. "" where nobody knows how much that was."""
        if not self.whole:
            return ""
        percent = round(100 * self.value / self.before) if self.before else 0
        return ">99 %" if percent == 100 and self.value != self.before else f"{percent} %"


@dataclass(frozen=True, slots=True)
class Told:
    """A row of a Dockerfile's figures. ``sums``, where it counts bytes; ``saved`` is how much less, where that is known."""

    label: str
    row: Row
    sums: tuple[Sum, Sum] | None
    saved: Saved | None

    @property
    def less(self) -> str:
        """What is saved, with its share: never empty."""
        share = f" ({self.saved.share})" if self.sums and self.saved and self.saved.share else ""
        return f"{self.row.saved}{share}" if self.row.saved else "unknown"


def figures_of(prediction: Prediction) -> list[Told]:
    """Sizes and pushes before and after, in the order that reports show them in."""
    before, after = prediction.before, prediction.after
    first, following = first_push_saved(prediction), next_push_saved(prediction)
    told: list[Told] = []

    def sizes(label: str, then: Sum, now: Sum, difference: Saved | None) -> None:
        told.append(Told(label, size_row(then, now, difference), (then, now), difference))

    def times(
        label: str, of: Iterable[tuple[int, Seconds]], then: Sum, now: Sum, difference: Saved | None
    ) -> None:
        if then.told is None and now.told is None:
            return
        for bandwidth, seconds in of:
            row = time_row(seconds, then, now, difference)
            told.append(Told(f"{label} at {rate(bandwidth)}", row, None, difference))

    sizes("image size", before.compressed, after.compressed, size_saved(prediction))
    if before.uncompressed.told is not None or after.uncompressed.told is not None:
        sizes("unpacked", before.uncompressed, after.uncompressed, unpacked_saved(prediction))
    if before.elsewhere:
        sizes("first push", before.first_push, after.first_push, first)
    at = [(push.bandwidth_bytes_per_s, push.first_push_s) for push in prediction.push]
    times("first push", at, before.first_push, after.first_push, first)
    sizes("next push", before.next_push, after.next_push, following)
    at = [(push.bandwidth_bytes_per_s, push.next_push_s) for push in prediction.push]
    times("next push", at, before.next_push, after.next_push, following)
    if bump_told(prediction):
        bumped = bump_push_saved(prediction)
        sizes("Boot patch", before.bump_push, after.bump_push, bumped)
        at = [(push.bandwidth_bytes_per_s, push.bump_push_s) for push in prediction.push]
        times("Boot patch", at, before.bump_push, after.bump_push, bumped)
    return told


#: A layer of unknown size: its instruction, and where its bytes come from.
Unseen = tuple[str, frozenset[str]]


def saved(
    before: Sum, after: Sum, unknown_before: Iterable[Unseen], unknown_after: Iterable[Unseen]
) -> Saved | None:
    """The difference over the layers that differ: a layer of unknown size that stays cancels out, and one that comes
    from where a layer before came from holds no more than that did.

    ``unknown_*`` are the layers that the sums could not count. None when nothing can be said: the rewrite has a layer of
    unknown size that was not there, or what was there of unknown size might make up for more bytes than before.
    """
    if before.value is None or after.value is None:
        return None
    then, now = Counter(unknown_before), Counter(unknown_after)
    gone, new = then - now, now - then
    difference = before.value - after.value
    whole = before.complete
    if not gone and not new:
        return Saved(difference, before.value, whole=whole)
    from_where: frozenset[str] = frozenset().union(*(each for _, each in gone))
    if not all(each and each <= from_where for _, each in new) or difference < SAYS_SOMETHING:
        return None
    return Saved(difference, before.value, "at least", whole)


ONE_FILE = ("on the first push", "on each next push")
SEVERAL_FILES = ("on the first pushes, each by itself", "on the next pushes")


def saves_or_costs(saving: Saving | None, when: tuple[str, str] = ONE_FILE) -> tuple[str, str]:
    """What a fix saves, and what it costs, behind the word for the first of them; "" without either."""
    if saving is None:
        return "saves", ""
    told = (saving.first_push_bytes, saving.next_push_bytes)
    counts = tuple(
        zip((0 if count and abs(count) < SAID_BYTES else count for count in told), when, strict=True)
    )
    saves = ", ".join(f"{megabytes(count)} {each}" for count, each in counts if count and count > 0)
    costs = ", ".join(f"{megabytes(-count)} {each}" for count, each in counts if count and count < 0)
    if not (saves or costs):
        return "saves", "an unknown amount" if saving.first_push_bytes is None else ""
    of = f", of {', '.join(saving.platforms)} alone" if saving.platforms else ""
    said = f"{saves}; costs {costs}" if saves and costs else saves or costs
    return "saves" if saves else "costs", f"{said} ({saving.basis}{of})"


def built_for(file: FileReport) -> str:
    """The platforms that figures are told for, and who says that the image is built for them."""
    told = file.platforms or (file.platform,)
    others = [each for each in file.built_for.platforms if each not in told]
    said = ", ".join(told) + (f", also built for {', '.join(others)}" if others else "")
    sources = file.built_for.sources
    if sources:
        more = f" and {len(sources) - 2} more" if len(sources) > 2 else ""
        said += f" ({', '.join(sources[:2])}{more})"
    return said


def rests_on(file: FileReport) -> str:
    """The facts that a rewrite was made from, and those that it had to do without, in a sentence; "" without any."""
    facts = file.rewrite.rests_on
    known = [fact.what for fact in facts if fact.known]
    missing = [fact for fact in facts if not fact.known]
    said = []
    if known:
        said.append(f"is based on {_listed(known)}")
    if missing:
        said.append(f"was made without {_listed([fact.what for fact in missing])}: {why_missing(missing)}")
    return " and ".join(said)


def why_missing(missing: Sequence[Fact]) -> str:
    """Of jars that a rewrite was made without: why they are not there, and what would make them known."""
    misnamed = [fact for fact in missing if fact.instead is not None]
    said = [f"the build puts none there; name {fact.instead} in its place" for fact in misnamed[:1]]
    unbuilt = [fact for fact in missing if fact.instead is None]
    if unbuilt:
        how = next((f" ({fact.how})" for fact in unbuilt if fact.how is not None), "")
        it, is_ = ("it", "is") if len(unbuilt) == 1 else ("they", "are")
        with_it = "it" if len(unbuilt) == 1 else "them"
        said.append(
            f"{it} {is_} not built yet, and with {with_it} the rewrite may be another one; build first{how}"
        )
    return "; ".join(said)


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:4])
    if len(names) > 4:
        shown.append(f"{len(names) - 4} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def first_push_saved(prediction: Prediction) -> Saved | None:
    before, after = prediction.before, prediction.after
    return saved(before.first_push, after.first_push, _unknown(before.pushed), _unknown(after.pushed))


def size_saved(prediction: Prediction) -> Saved | None:
    """Of the one image that is predicted; a push may send those of further platforms with it."""
    before, after = prediction.before, prediction.after
    return saved(before.compressed, after.compressed, _unknown(before.layers), _unknown(after.layers))


def next_push_saved(prediction: Prediction) -> Saved | None:
    before, after = prediction.before, prediction.after
    return saved(before.next_push, after.next_push, _unknown(changing(before)), _unknown(changing(after)))


def bump_push_saved(prediction: Prediction) -> Saved | None:
    before, after = prediction.before, prediction.after
    return saved(before.bump_push, after.bump_push, _unknown(before.bumped), _unknown(after.bumped))


BOOT_PATCH = "the same, and Spring Boot's next patch came; what that moves is predicted"


def bump_told(prediction: Prediction) -> bool:
    """Whether anything can be said of a patch of Spring Boot."""
    return any(each.bump_push.told is not None for each in (prediction.before, prediction.after))


def unpacked_saved(prediction: Prediction) -> Saved | None:
    """A jar is larger in pieces: a layer of unknown size cancels out here only where it stays."""
    before, after = prediction.before, prediction.after
    unknown: list[list[Unseen]] = [
        [(layer.instruction, frozenset()) for layer in image.layers if layer.uncompressed_bytes is None]
        for image in (before, after)
    ]
    return saved(before.uncompressed, after.uncompressed, *unknown)


def _unknown(layers: Iterable[LayerWeight]) -> list[Unseen]:
    return [(layer.instruction, layer.unseen) for layer in layers if layer.compressed_bytes is None]


def changing(image: ImageWeight) -> list[LayerWeight]:
    return [layer for layer in image.pushed if layer.changes_each_release]


def figures_told(prediction: Prediction) -> bool:
    """Whether anything can be said of the image's bytes, before or after."""
    images = (prediction.before, prediction.after)
    return any(
        each.told is not None
        for image in images
        for each in (image.first_push, image.uncompressed, image.next_push)
    )


def unknown_layers(prediction: Prediction) -> list[LayerWeight]:
    """The layers that make a sum incomplete, each once; with its line in the original when it is there."""
    before = [layer for layer in prediction.before.pushed if layer.compressed_bytes is None]
    known = frozenset().union(*(layer.unseen for layer in before))
    # what the rewrite makes of something that was not known before is told by its old name
    after = [
        layer
        for layer in prediction.after.pushed
        if layer.compressed_bytes is None and not (layer.unseen and layer.unseen <= known)
    ]
    found = {layer.instruction: layer for layer in (*after, *before)}
    return sorted(found.values(), key=lambda layer: layer.line)


def bases_used(prediction: Prediction) -> list[Basis]:
    """The bases of the figures shown, from strongest to weakest."""
    images = (prediction.before, prediction.after)
    sums = [each for image in images for each in (image.first_push, image.uncompressed, image.next_push)]
    used = {each.basis for each in sums if each.told is not None}
    return [basis for basis in BASES if basis in used]


def weakest(*sums: Sum) -> Basis:
    known = [each.basis for each in sums if each.value is not None]
    return max(known, key=BASES.index, default="unknown")


def clients_that_matter(prediction: Prediction) -> list[PushClient]:
    """Clients that would still send much after the rewrite, though the registry has most of it."""
    needed = prediction.after.next_push.value
    return [
        client
        for client in prediction.clients
        if needed is not None
        and client.after.value is not None
        and client.after.value > 2 * needed
        and client.after.value - needed >= _MATTERS_BYTES
    ]


def still_sending(predictions: Iterable[Prediction]) -> list[tuple[Sum, Sum, list[PushClient]]]:
    """Over all images: what clients send at the next push, what they would have to, and which they are.

    Clients that send the same are told together.
    """
    found: dict[str, list[tuple[PushClient, Prediction]]] = {}
    for prediction in predictions:
        for client in clients_that_matter(prediction):
            found.setdefault(client.client, []).append((client, prediction))
    same: dict[tuple[Sum, Sum], list[PushClient]] = {}
    for each in found.values():
        sent = added([client.after for client, _ in each])
        needed = added([prediction.after.next_push for _, prediction in each])
        same.setdefault((sent, needed), []).append(each[0][0])
    return [(sent, needed, clients) for (sent, needed), clients in same.items()]


@dataclass(frozen=True, slots=True)
class Together:
    """Several images, pushed one after the other: the first push and the next, before and after. A base image that several
    of them are built on counts once in ``first``, as where the registry mounts it; ``each`` counts it with each of them.
    ``seconds``: for each bandwidth the first push, before and after, and the next; ``alone``: of the first pushes, with all
    that ``each`` counts."""

    first: tuple[Sum, Sum]
    each: tuple[Sum, Sum]
    following: tuple[Sum, Sum]
    seconds: dict[int, tuple[float | None, float | None, float | None, float | None]]
    alone: dict[int, Seconds]

    @property
    def shared(self) -> bool:
        return self.first != self.each


def together(predictions: Sequence[Prediction]) -> Together:
    each_first = _columns([sums_of(prediction)[:2] for prediction in predictions])
    following = _columns([sums_of(prediction)[2:] for prediction in predictions])
    again = (
        _counted_again([prediction.before for prediction in predictions]),
        _counted_again([prediction.after for prediction in predictions]),
    )
    first = tuple(
        each if each.value is None else replace(each, value=each.value - less)
        for each, less in zip(each_first, again, strict=True)
    )
    seconds: dict[int, list[float | None]] = {}
    for prediction in predictions:
        for push in prediction.push:
            sums = seconds.setdefault(push.bandwidth_bytes_per_s, [None] * 4)
            for number, value in enumerate((*push.first_push_s, *push.next_push_s)):
                if value is not None:
                    sums[number] = (sums[number] or 0.0) + value
    alone: dict[int, Seconds] = {bandwidth: (values[0], values[1]) for bandwidth, values in seconds.items()}
    for bandwidth, values in seconds.items():
        for number, less in enumerate(again):
            value = values[number]
            values[number] = None if value is None else max(0.0, value - less / bandwidth)
    times = {bandwidth: (a, b, c, d) for bandwidth, (a, b, c, d) in seconds.items()}
    return Together((first[0], first[1]), each_first, following, times, alone)


def _columns(pairs: Sequence[tuple[Sum, Sum]]) -> tuple[Sum, Sum]:
    return added([before for before, _ in pairs]), added([after for _, after in pairs])


def _counted_again(images: Sequence[ImageWeight]) -> int:
    """Bytes of base images that an image before has brought to the registry."""
    known: set[tuple[object, ...]] = set()
    again = 0
    for image in images:
        for layer in image.pushed:
            if not layer.from_base or layer.compressed_bytes is None:
                continue
            blob = (layer.instruction, layer.compressed_bytes, layer.note, image.platforms[:1])
            again += layer.compressed_bytes if blob in known else 0
            known.add(blob)
    return again


def sums_of(prediction: Prediction) -> tuple[Sum, Sum, Sum, Sum]:
    """First push before and after, next push before and after."""
    before, after = prediction.before, prediction.after
    return before.first_push, after.first_push, before.next_push, after.next_push


def told_together(sums: Together) -> str:
    """How a total was made, in a sentence."""
    if not sums.shared:
        return "together: one image after the other"
    said = arrow(*sums.each)
    if sums.alone:
        slowest = min(sums.alone)
        row = time_row(sums.alone[slowest], *sums.each, None)
        said += f" ({row.before} → {row.after} at {rate(slowest)})"
    return (
        "together: one image after the other; a base image that several share counts once, as where the registry mounts it "
        f"(imgopt bandwidth tries that), else the first pushes are {said}"
    )


NOT_KNOWN = "what could be saved is not known"


def without_findings(file: FileReport) -> tuple[str, bool] | None:
    """What is said of a file in which nothing was found, and whether it is praise; None where there is more to say."""
    if file.findings or (file.rewrite.not_applied and not file.good):
        return None
    if file.good:
        return file.good, True
    if file.pipeline is not None and file.pipeline.unjudged:
        return f"could not be judged: {'; '.join(not_judged(file.pipeline))}", False
    return ("nothing to save was found", True) if file.clear else (NOT_KNOWN, False)


#: Reasons that a report names.
_MOST_REASONS = 3


def not_judged(pipeline: PipelineSummary) -> list[str]:
    """Why a part of a CI file could not be judged."""
    more = len(pipeline.unjudged) - _MOST_REASONS
    told = [visible(why) for why, _ in pipeline.unjudged[:_MOST_REASONS]]
    return [*told, f"{plural(more, 'reason')} more"] if more > 0 else told


def held_back(file: FileReport) -> list[str]:
    """The rules whose fix is ready and waits for ``--unsafe``, in report order."""
    rules = [
        finding.rule
        for finding, _ in file.findings
        if finding.fix is not None
        and finding.fix.applies
        and finding.fix.applicability is Applicability.UNSAFE
        and finding.rule not in file.rewrite.applied
        and finding.solved_by not in file.rewrite.applied
    ]
    return list(dict.fromkeys(rules))


def told_apart(file: FileReport) -> list[Declined]:
    """What was not applied and is not said with its finding already."""
    said = {(finding.rule, finding.line, _proposed(finding)) for finding, _ in file.findings}
    return [
        each
        for each in file.rewrite.not_applied
        if each.finding is None or (each.rule, each.line, _proposed(each.finding)) not in said
    ]


def _proposed(finding: Finding) -> tuple[str | Sentence | None, ...]:
    return (finding.fix.description, finding.fix.risk) if finding.fix is not None else ()


def added(sums: Sequence[Sum]) -> Sum:
    """Sums of several files together."""
    whole = total([(each.value, each.basis) for each in sums])
    return Sum(whole.value, whole.basis, whole.complete and all(each.complete for each in sums))


@dataclass(frozen=True, slots=True)
class Row:
    """A figure before and after and how much less that is, as they are shown: in one unit, so that the row closes.
    ``saved``: "" where that cannot be told."""

    before: str
    after: str
    saved: str


def size_row(before: Sum, after: Sum, difference: Saved | None, bound: str = "at least ") -> Row:
    before, after = _comparable(before, after, difference)
    scale = size_scale(*(each.told for each in (before, after) if each.told is not None))
    saved = ""
    if difference is not None and before.value is not None and after.value is not None:
        saved = _bounded(scale.less(before.value, after.value), difference, bound)
    return Row(_said(before.told, before, scale, bound), _said(after.told, after, scale, bound), saved)


#: Before and after.
Seconds = tuple[float | None, float | None]


def time_row(
    seconds: Seconds,
    before: Sum,
    after: Sum,
    difference: Saved | None,
    bound: str = "at least ",
) -> Row:
    """``before``, ``after``: the bytes that take these seconds; times are as good as these are known."""
    before, after = _comparable(before, after, difference)
    then, now = (
        None if of.told is None else value for value, of in zip(seconds, (before, after), strict=True)
    )
    scale = time_scale(*(each for each in (then, now) if each is not None))
    saved = ""
    if difference is not None and seconds[0] is not None and seconds[1] is not None:
        saved = _bounded(scale.less(seconds[0], seconds[1]), difference, bound)
    return Row(_said(then, before, scale, bound), _said(now, after, scale, bound), saved)


def _comparable(before: Sum, after: Sum, difference: Saved | None) -> tuple[Sum, Sum]:
    """A lower bound beside a whole figure looks like a loss or a gain; it is one only where the difference is known."""
    if difference is not None or before.complete == after.complete:
        return before, after
    unknown = Sum(None, "unknown", False)
    return (before, unknown) if before.complete else (unknown, after)


def _said(value: float | None, of: Sum, scale: Scale, bound: str) -> str:
    if value is None:
        return "unknown"
    return scale.say(value) if of.complete else at_least(scale.say(value), bound)


def _bounded(text: str, difference: Saved, bound: str) -> str:
    return at_least(text, bound) if difference.bound else text


def arrow(before: Sum, after: Sum) -> str:
    """``375.2 MB → 171.9 MB``, in one unit."""
    row = size_row(before, after, None)
    return f"{row.before} → {row.after}"


def amount(each: Sum) -> str:
    """``243.1 MB``, ``at least 243.1 MB`` when a part is unknown, ``unknown``."""
    if each.told is None:
        return "unknown"
    return megabytes(each.told) if each.complete else at_least(megabytes(each.told))


def time(seconds: float | None, of: Sum, bound: str = "at least ") -> str:
    """Seconds that pushing ``of`` takes: as good as these bytes are known, and unknown where they are."""
    if seconds is None or of.told is None:
        return "unknown"
    return duration(seconds) if of.complete else at_least(duration(seconds), bound)


def at_least(text: str, words: str = "at least ") -> str:
    """A figure as a lower bound: a part of it is unknown."""
    return words + ("0" + text[text.index(" ") :] if text.startswith("<") else text)


def plural(count: int, noun: str, several: str = "") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {several or f'{noun}s'}"
