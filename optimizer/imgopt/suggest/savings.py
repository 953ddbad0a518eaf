"""What each finding saves. Every byte is told of one finding, in the order in which the fixes go in, so what is told of
the applied ones adds up to the difference between the image and the rewritten one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imgopt.dockerfile import Edit, apply_edits
from imgopt.errors import DockerfileError
from imgopt.finding import Finding, Fix, Place, Sentence, Waste, finding_with
from imgopt.light.records import dataclass, replace
from imgopt.scales import BASES, SAYS_SOMETHING, Sum, total
from imgopt.weigh.weights import ImageWeight, LayerWeight, Saving

if TYPE_CHECKING:
    from imgopt.picture import Picture
    from imgopt.suggest.result import RewriteResult
    from imgopt.weigh.layers import Weigher

NOTHING_MORE = Saving(0, 0, "measured")
UNKNOWN = Saving(None, None, "unknown")


@dataclass(frozen=True)
class Step:
    """One fix as it goes in: ``finding`` as the rules said it of the file that it changes, ``picture`` of the file with it.
    ``fix`` speaks of the lines that are shown."""

    finding: Finding
    picture: Picture
    fix: Fix | None


@dataclass(frozen=True)
class Shown:
    """A finding as it is told, and as the rules said it of the file of its round."""

    finding: Finding
    said: Finding


@dataclass(frozen=True)
class Course:
    """What becomes of a file. ``applied``: the fixes that were made of ``start``. ``left``: the findings of the result,
    and ``held``: what would be made of it with ``--unsafe``. ``findings_of``: what the rules say of a picture."""

    start: Picture
    applied: Sequence[Step]
    left: Sequence[Finding]
    held: Sequence[Step]
    findings_of: Callable[[Picture], Sequence[Finding]]

    @property
    def end(self) -> Picture:
        return self.applied[-1].picture if self.applied else self.start

    @property
    def further(self) -> Course:
        """The course that ``--unsafe`` would take from here."""
        return replace(self, start=self.end, applied=self.held, held=())


def steps_of(
    picture: Picture,
    result: RewriteResult,
    with_text: Callable[[str], Picture],
    shown: Callable[[Place], Place] | None = None,
    *,
    later: bool = False,
) -> list[Step]:
    """The fixes of one round, one after the other; one after which the file could not be read goes in with the next.
    ``shown``: a place of the round's file in the text that people see; ``later``: that is another text."""
    steps = []
    edits: list[Edit] = []
    for number, finding in enumerate(result.chosen if result.changed else (), start=1):
        edits += [edit for edit in finding.fix.edits if edit not in edits] if finding.fix is not None else []
        last = number == len(result.chosen)
        text = result.text if last else apply_edits(picture.document.text, edits)
        fix = finding_with(finding, shown).fix if shown is not None else finding.fix
        fix = replace(fix, later=later) if fix is not None else None
        try:
            steps.append(Step(finding, with_text(text), fix))
        except DockerfileError:
            continue
    return steps


def attributed(
    shown: Sequence[Shown], course: Course, weigher: Weigher
) -> list[tuple[Finding, Saving | None]]:
    """Each finding with what it saves. One whose bytes go with another's fix saves nothing more, and names that."""
    weigh = _remembering(weigher)
    owners = _owners(course.applied, [each.said for each in shown])
    open_ = [number for number in range(len(shown)) if number not in owners]
    found: list[tuple[Finding, Saving | None]] = [(each.finding, None) for each in shown]
    for number, saving in _shares(course, owners, [each.said for each in shown], weigh, weigher).items():
        steps = [step for owner, step in zip(owners, course.applied, strict=True) if owner == number]
        finding = _applied(shown[number].finding, steps[-1])
        found[number] = (
            _solved(finding, _who_took(shown[number].said, saving, course, steps[0], weigh)),
            saving,
        )

    there = dict(
        zip(open_, _counterparts([shown[number].said for number in open_], course.left), strict=True)
    )
    left = {number: each for number, each in there.items() if each is not None}
    held_by = _owners(course.held, list(left.values()))
    held = _shares(course.further, held_by, list(left.values()), weigh, weigher)
    for position, (number, each) in enumerate(left.items()):
        more = held.get(position) or _alone(each, course.end, weigh, weigher)
        taker = None
        if position in held:
            step = course.held[held_by.index(position)]
            taker = _who_took(each, held[position], course.further, step, weigh)
        found[number] = _solved(shown[number].finding, taker), more
    for number in (number for number, each in there.items() if each is None):
        taker = _who_removed(shown[number].said, course)
        own = NOTHING_MORE if taker is not None else _own(shown[number].said.waste, weigher)
        found[number] = _solved(shown[number].finding, taker), own
    return [(finding, _told(saving, finding, found)) for finding, saving in found]


def _told(
    saving: Saving | None, finding: Finding, found: Sequence[tuple[Finding, Saving | None]]
) -> Saving | None:
    """With a basis that fits: nothing is told of what another fix saves where that is not known either."""
    if saving is None:
        return None
    taker = next((own for each, own in found if each.rule == finding.solved_by and own is not None), None)
    taken = finding.solved_by is not None and saving == NOTHING_MORE
    if taken and taker is not None and taker.first_push_bytes is None and taker.next_push_bytes is None:
        return UNKNOWN
    if saving.first_push_bytes is None and saving.next_push_bytes is None:
        return replace(saving, basis="unknown")
    return replace(saving, basis="predicted") if saving.basis == "unknown" else saving


Weigh = Callable[["Picture"], ImageWeight]


def _shares(
    course: Course, owners: Sequence[int | None], said: Sequence[Finding], weigh: Weigh, weigher: Weigher
) -> dict[int, Saving]:
    """What the applied fixes of a course save, by the number of the finding that each is told with."""
    found: dict[int, Saving] = {}
    images = [weigh(each.picture) for each in course.applied]
    for owner, step, saving in zip(owners, course.applied, shares(weigh(course.start), images), strict=True):
        if owner is not None:
            own = _or_own(saving, step.finding.waste, weigher)
            found[owner] = _together(found[owner], own) if owner in found else own
    return found


def _alone(finding: Finding, picture: Picture, weigh: Weigh, weigher: Weigher) -> Saving | None:
    """What a finding saves of a file whose fix is advice, or contradicts the others."""
    after = _with(picture, finding) if finding.fix is not None and finding.fix.applies else None
    if after is None:
        return _own(finding.waste, weigher)
    return _or_own(_difference(weigh(picture), weigh(after)), finding.waste, weigher)


def _solved(finding: Finding, by: str | None) -> Finding:
    return finding if by is None else replace(finding, solved_by=by)


def _applied(finding: Finding, step: Step) -> Finding:
    """The fix that went in, where the finding had none that could until another one was there."""
    waited = finding.fix is None or not finding.fix.applies
    return replace(finding, applied=True, fix=step.fix if waited else finding.fix)


def shares(start: ImageWeight, images: Sequence[ImageWeight]) -> list[Saving]:
    """What each step from one image to the next saves. Where the steps bring something of unknown size and take it away
    again, what they save together is told of the last of them."""
    found = []
    before = start
    for after in images:
        found.append(_difference(before, after))
        before = after
    if not found:
        return []
    whole = _difference(start, images[-1])
    first = _closed([each.first_push_bytes for each in found], whole.first_push_bytes)
    following = _closed([each.next_push_bytes for each in found], whole.next_push_bytes)
    return [
        replace(
            each,
            first_push_bytes=one,
            next_push_bytes=other,
            basis=each.basis if one == each.first_push_bytes else whole.basis,
        )
        for each, one, other in zip(found, first, following, strict=True)
    ]


def _closed(parts: list[int | None], whole: int | None) -> list[int | None]:
    if whole is None or None not in parts:
        return parts
    last = max(number for number, value in enumerate(parts) if value is None)
    rest = whole - sum(value for value in parts if value is not None)
    return [*parts[:last], rest, *parts[last + 1 :]]


def _owners(steps: Sequence[Step], said: Sequence[Finding]) -> list[int | None]:
    """For each step the number of the finding that it is told with: the one that it mends, or else one of the same rule."""
    owners: list[int | None] = []
    for step in steps:
        same = [number for number, each in enumerate(said) if each.rule == step.finding.rule]
        exact = [number for number in same if said[number] == step.finding]
        free = [number for number in same if number not in owners]
        owners.append(next(iter([*exact, *free, *reversed(same)]), None))
    return owners


def _counterparts(findings: Sequence[Finding], left: Sequence[Finding]) -> list[Finding | None]:
    """Each finding as it is said of the result: in the same words, or else the next of the same rule."""
    rest = list(left)
    found: list[Finding | None] = [None for _ in findings]
    for exactly in (True, False):
        for number, finding in enumerate(findings):
            if found[number] is not None:
                continue
            for each in rest:
                if each.rule == finding.rule and (not exactly or _words(each) == _words(finding)):
                    found[number] = each
                    rest.remove(each)
                    break
    return found


def _words(finding: Finding) -> str:
    message = finding.message
    if isinstance(message, Sentence):
        return "".join(part for part in message.parts if isinstance(part, str))
    return message


def _who_removed(finding: Finding, course: Course) -> str | None:
    """The rule of the fix after which nothing is said of the finding any more."""
    for step in course.applied:
        if all(each.rule != finding.rule for each in course.findings_of(step.picture)):
            return step.finding.rule if step.finding.rule != finding.rule else None
    return None


def _who_took(finding: Finding, saving: Saving, course: Course, own: Step, weigh: Weigh) -> str | None:
    """The rule of the fix that saves what this one would have saved, had it been the first; ``own``: its own step."""
    if not _says_nothing(saving):
        return None
    alone = _with(course.start, finding)
    if alone is None or _says_nothing(_difference(weigh(course.start), weigh(alone))):
        return None
    for step in course.applied[: course.applied.index(own)]:
        still = next((e for e in course.findings_of(step.picture) if e.rule == finding.rule), None)
        after = _with(step.picture, still)
        if after is None or _says_nothing(_difference(weigh(step.picture), weigh(after))):
            return step.finding.rule if step.finding.rule != finding.rule else None
    return None


def _with(picture: Picture, finding: Finding | None) -> Picture | None:
    """The file with this fix alone; None where it cannot go in."""
    if finding is None or finding.fix is None:
        return None
    try:
        text = apply_edits(picture.document.text, finding.fix.edits)
        return picture.of_text(text)
    except (ValueError, DockerfileError):
        return None


def _says_nothing(saving: Saving) -> bool:
    return all(
        count is not None and abs(count) < SAYS_SOMETHING
        for count in (saving.first_push_bytes, saving.next_push_bytes)
    )


def _together(one: Saving, other: Saving) -> Saving:
    """Of two fixes that are told as one. What cannot be told of one of them is told with the other (`shares`)."""

    def both(this: int | None, that: int | None) -> int | None:
        return this + that if this is not None and that is not None else that if this is None else this

    return Saving(
        both(one.first_push_bytes, other.first_push_bytes),
        both(one.next_push_bytes, other.next_push_bytes),
        max(one.basis, other.basis, key=BASES.index),
        one.platforms or other.platforms,
    )


def _or_own(saving: Saving, waste: Waste | None, weigher: Weigher) -> Saving:
    """What a finding knows of itself, where weighing its fix cannot tell it."""
    own = _own(waste, weigher)
    unknown = saving.first_push_bytes is None or saving.basis == "unknown"
    return own if own is not None and unknown else saving


def _own(waste: Waste | None, weigher: Weigher) -> Saving | None:
    if waste is None:
        return None
    if not waste.files:
        return Saving(waste.first_push_bytes, waste.next_push_bytes, waste.basis)
    packed = weigher.packed(waste.files)
    if packed is None:
        return UNKNOWN
    return Saving(packed, packed if waste.each_release else 0, weigher.basis(waste.files))


def _remembering(weigher: Weigher) -> Weigh:
    known: dict[str, ImageWeight] = {}

    def weigh(picture: Picture) -> ImageWeight:
        text = picture.document.text
        if text not in known:
            known[text] = weigher.weigh(picture)
        return known[text]

    return weigh


# layers


def _difference(before: ImageWeight, after: ImageWeight) -> Saving:
    """What a change saves, over the layers that differ: layers equal on both sides cancel out, known or not. Of several
    platforms that a push sends all, or the first where not all can be told."""
    whole = _saving(*_differing(before.pushed, after.pushed))
    if not before.elsewhere or whole.first_push_bytes is not None:
        return whole
    return replace(_saving(*_differing(before.layers, after.layers)), platforms=before.platforms[:1])


def _saving(one: list[LayerWeight], other: list[LayerWeight]) -> Saving:
    first = _less(_sum(one, releases=False), _sum(other, releases=False))
    following = _less(_sum(one, releases=True), _sum(other, releases=True))
    bases = [layer.basis for layer in (*one, *other) if layer.compressed_bytes is not None]
    basis = max(bases, key=BASES.index) if bases else "unknown"
    return Saving(first, following, basis)


def _differing(
    before: Sequence[LayerWeight], after: Sequence[LayerWeight]
) -> tuple[list[LayerWeight], list[LayerWeight]]:
    def key(layer: LayerWeight) -> tuple[object, ...]:
        return (layer.instruction, layer.compressed_bytes, layer.changes_each_release)

    rest = list(after)
    one: list[LayerWeight] = []
    for layer in before:
        twin = next((other for other in rest if key(other) == key(layer)), None)
        if twin is None:
            one.append(layer)
        else:
            rest.remove(twin)
    return one, rest


def _sum(layers: list[LayerWeight], *, releases: bool) -> Sum:
    return total(
        [
            (layer.compressed_bytes, layer.basis)
            for layer in layers
            if layer.changes_each_release or not releases
        ]
    )


def _less(before: Sum, after: Sum) -> int | None:
    if not (before.complete and after.complete) or before.value is None or after.value is None:
        return None
    return before.value - after.value
