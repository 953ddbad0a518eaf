"""What `imgopt compare` says to people: one table of measured figures, what differs, what a registry would receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.comparison.checks import NOT_STARTED
from imgopt.comparison.measure import MeasuredImage
from imgopt.light.records import dataclass
from imgopt.report.caveats import of_comparison, of_file
from imgopt.report.cells import with_basis, without_basis
from imgopt.report.figures import NOT_KNOWN, Row, Saved, Seconds, amount, arrow, plural, size_row, time_row
from imgopt.report.layout import Line, Style, dim, head, line, table, visible, width_of, wrapped
from imgopt.report.markdown import code, details, escaped, markdown_table, prose
from imgopt.scales import Sum, total
from imgopt.suggest.sentence import sentence
from imgopt.units import duration, megabytes, rate, size_scale, time_scale

if TYPE_CHECKING:
    from imgopt.comparison.checks import Check
    from imgopt.comparison.compare import Comparison, NextRelease
    from imgopt.suggest.result import FileReport
    from imgopt.weigh.weights import PushTime

_MARKS: dict[str, tuple[str, Style]] = {
    "same": ("same", "good"),
    "expected": ("expected", "dim"),
    "different": ("differs", "bad"),
    "unknown": ("unknown", "warn"),
}


def text(found: Comparison, *, width: int, quiet: bool = False, verbose: bool = False) -> list[Line]:
    """Everything on standard output."""
    if quiet:
        return [_one_line(found)]
    lines = [line((visible(found.file.path), "strong"), (f"  {found.before.platform}", "dim"))]
    lines += wrapped(f"built with {found.engine_description}", width, style="dim")
    lines += [(), *_figures(found)]
    lines += _notes(found, width)
    lines += _behaviour(found, width, verbose)
    lines += _next_release(found, width, verbose)
    lines += _pushed(found, width)
    for caveat in of_file(found.file):
        lines += wrapped(caveat.text, width, first=line(("warning ", "warn")), indent=8)
    if verbose:
        for title, image in (("Layers before", found.before), ("Layers after", found.after)):
            lines += [(), line((title, "strong")), *layers(image, width)]
        lines += _files(found)
    return lines


def _one_line(found: Comparison) -> Line:
    said = [f"image {arrow(found.before.compressed, found.after.compressed)}"]
    release = found.next_release
    if release is not None and release.before is not None and release.after is not None:
        said.append(f"{_called(release)} {arrow(*_sent(release))}")
    said.append(found.behaviour.verdict.replace("not alike", "behaviour DIFFERS"))
    return line((visible(found.file.path), "strong"), f": {', '.join(said)}")


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the comparison. ``sums``, where it counts bytes; ``part``: of the row above it."""

    label: str
    row: Row
    sums: tuple[Sum, Sum] | None = None
    saved: Saved | None = None
    part: bool = False


def figures_of(found: Comparison) -> list[Figure]:
    """What was measured of both images, in the order that every format shows it in."""
    before, after = found.before, found.after
    told: list[Figure] = []

    def sizes(label: str, then: Sum, now: Sum, *, part: bool = False) -> None:
        saved = _saved(then, now)
        told.append(Figure(label, size_row(then, now, saved), (then, now), saved, part))

    def times(label: str, bandwidth: int, seconds: Seconds, sums: tuple[Sum, Sum]) -> None:
        row = time_row(seconds, *sums, _saved(*sums))
        told.append(Figure(f"{label} at {rate(bandwidth)}", row, part=True))

    sizes("image size", before.compressed, after.compressed)
    sizes("above the base", before.own, after.own, part=True)
    sizes("unpacked", before.uncompressed, after.uncompressed, part=True)
    sums = (before.compressed, after.compressed)
    for each in found.push:
        times("first push", each.bandwidth_bytes_per_s, each.first_push_s, sums)
    release = found.next_release
    if release is not None and release.before is not None and release.after is not None:
        sizes(f"{_called(release)}, sent", *_sent(release))
        for each in found.push:
            label, seconds = _next_push(release, each)
            times(label, each.bandwidth_bytes_per_s, seconds, _sent(release))
    told.append(Figure("built in", _seconds(before.build_seconds, after.build_seconds)))
    return [*told, *_running(found)]


def _sent(release: NextRelease) -> tuple[Sum, Sum]:
    assert release.before is not None and release.after is not None
    then, now = (Sum(side.compressed_bytes, "measured", True) for side in (release.before, release.after))
    return then, now


def _figures(found: Comparison) -> list[Line]:
    rows: list[list[Line | str]] = [["", dim("before  "), dim("after  "), dim("saved"), ""]]
    for each in figures_of(found):
        label = f"  {each.label}" if each.part else each.label
        if each.sums is None:
            texts = (without_basis(each.row.before), without_basis(each.row.after))
            rows.append([label, *texts, dim(each.row.saved), ""])
            continue
        texts = (with_basis(each.row.before, each.sums[0]), with_basis(each.row.after, each.sums[1]))
        style: Style = "" if each.saved is None else "good" if each.saved.value > 0 else "warn"
        share = each.saved.share if each.saved is not None else ""
        less: Line = ((each.row.saved, style),) if each.saved is not None else dim("unknown")
        rows.append([label, *texts, less, ((share, style),)])
    return table(rows)


def _seconds(before: float, after: float) -> Row:
    scale = time_scale(before, after)
    return Row(scale.say(before), scale.say(after), scale.less(before, after))


def _running(found: Comparison) -> list[Figure]:
    """Start-up and memory, the medians of what was measured."""
    ours, theirs = found.behaviour.before, found.behaviour.after
    told = []
    if ours.start_seconds and theirs.start_seconds:
        told.append(
            Figure("answers after", _seconds(_middle(ours.start_seconds), _middle(theirs.start_seconds)))
        )
    if ours.memory_bytes and theirs.memory_bytes:
        memory = (round(_middle(ours.memory_bytes)), round(_middle(theirs.memory_bytes)))
        scale = size_scale(*memory)
        row = Row(scale.say(memory[0]), scale.say(memory[1]), scale.less(*memory))
        told.append(Figure("resident memory", row))
    return told


def _middle(values: tuple[float, ...] | tuple[int, ...]) -> float:
    from statistics import median

    return float(median(values))


def size_and_basis(each: Sum) -> Line:
    if each.told is None:
        return dim("unknown  ")
    return (amount(each), ""), (f" {each.basis[0]}", "dim")


def _saved(then: Sum, now: Sum) -> Saved | None:
    if then.value is None or now.value is None or not (then.complete and now.complete):
        return None
    return Saved(then.value - now.value, then.value)


def _notes(found: Comparison, width: int) -> list[Line]:
    bases = {layer.basis for image in (found.before, found.after) for layer in image.layers}
    letters = {"measured": "m measured here", "catalogue": "c catalogue of published sizes", "unknown": ""}
    notes = [", ".join(letters[basis] for basis in ("measured", "catalogue") if basis in bases)]
    notes += found.notes
    return [
        row for note in notes if note for row in wrapped(note, width, first=line("  "), indent=4, style="dim")
    ]


#: Verdicts in words, behind "Behaviour".
_TOLD = {"not alike": "differs"}


def _behaviour(found: Comparison, width: int, verbose: bool) -> list[Line]:
    behaviour = found.behaviour
    styles: dict[str, Style] = {"alike": "good", "not alike": "bad"}
    verdict = behaviour.verdict
    lines: list[Line] = [
        (),
        line(("Behaviour  ", "strong"), (_TOLD.get(verdict, verdict), styles.get(verdict, "warn"))),
    ]
    if found.not_run is not None:
        lines += wrapped(
            f"nothing was started: {found.not_run}", width, first=line("  "), indent=4, style="dim"
        )
    shown = [each for each in behaviour.checks if verbose or _worth_a_row(each)]
    for each in shown:
        lines += _check(each, width)
    same = len(behaviour.checks) - len(shown)
    if same:
        also = "also " if shown else ""
        lines += wrapped(
            f"{plural(same, 'check')} {also}the same", width, first=line("  "), indent=4, style="dim"
        )
    for note in (*behaviour.notes, *filter(None, [behaviour.limits_text])):
        if note != NOT_STARTED:
            lines += wrapped(note, width, first=line("  "), indent=4)
    for name, log in (("the original", behaviour.before_log), ("the rewrite", behaviour.after_log)):
        if log:
            lines.append(line(f"  the end of what {name} printed:"))
            lines += [dim(f"    {visible(row)}") for row in log.splitlines()]
    return lines


def _worth_a_row(each: Check) -> bool:
    """What differs, what could not be told, and what people look for."""
    return each.verdict != "same" or each.name.startswith(
        ("answer", "start", "stop", "SIGTERM", "Java", "exit")
    )


def _check(each: Check, width: int) -> list[Line]:
    mark, style = _MARKS[each.verdict]
    before, after = (_value(value) for value in (each.before, each.after))
    said = before if each.verdict == "same" else f"{before} → {after}"
    if each.reason:
        said += f" ({each.reason})"
    if each.missing is not None:
        said += f"; {each.remedy}"
    return wrapped(said, width, first=line("  ", (f"{mark:<9}", style), f"{each.name}: "), indent=13)


def marked(each: Check) -> list[str]:
    """A check in words: its name, the verdict, what was before and after, and why."""
    mark, _ = _MARKS[each.verdict]
    return [each.name, mark, _value(each.before), _value(each.after), _why(each)]


def _why(each: Check) -> str:
    said = each.reason or each.verdict
    return said if each.missing is None else f"not measured: {said}; {each.remedy}"


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value or "empty"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(each) for each in value) + "]"
    return str(value)


def layers(image: MeasuredImage, width: int) -> list[Line]:
    """One row a layer."""
    figures: list[list[Line | str]] = [[dim("compressed  "), dim("unpacked"), dim("next release")]]
    for layer in image.layers:
        size = total([(layer.compressed_bytes, layer.basis)])
        changes: Line = dim("not measured")
        if layer.changes is not None:
            changes = (("changes", "warn"),) if layer.changes else dim("stays")
        unpacked = layer.uncompressed_bytes
        figures.append(
            [size_and_basis(size), dim("unknown") if unpacked is None else megabytes(unpacked), changes]
        )
    room = max(20, width - width_of(table(figures, left=0)[0]) - 8)
    labels: list[tuple[Line, Line | str]] = [(dim("line"), dim("instruction"))]
    for layer in image.layers:
        place = dim("base" if layer.from_base else str(layer.line) if layer.line else "?")
        labels.append((place, head(visible(layer.instruction or layer.diff_id), room)))
    return table([[*label, *row] for label, row in zip(labels, figures, strict=True)], left=2)


def _called(release: NextRelease) -> str:
    return "Boot patch" if release.patch else "next release"


def _next_push(release: NextRelease, push: PushTime) -> tuple[str, tuple[float | None, float | None]]:
    return ("Boot patch", push.bump_push_s) if release.patch else ("next push", push.next_push_s)


def _next_release(found: Comparison, width: int, verbose: bool) -> list[Line]:
    release = found.next_release
    if release is None:
        return []
    lines: list[Line] = [(), line(("Boot patch" if release.patch else "Next release", "strong"))]
    if release.why is not None:
        return [
            *lines,
            *wrapped(f"not measured: {release.why}", width, first=line("  "), indent=4, style="warn"),
        ]
    if release.changed:
        lines += wrapped(release.changed, width, first=line("  "), indent=4, style="dim")
    for name, side in (("before", release.before), ("after", release.after)):
        if side is None:
            continue
        said = f"{megabytes(side.compressed_bytes)} are new to a registry that has the first release"
        lines += wrapped(said, width, first=line("  ", (f"{name:<8}", "dim")), indent=10)
        for finding in release.unstable.get(name, ()):
            lines += wrapped(
                sentence(finding.message),
                width,
                first=line("          ", ("unstable-layers  ", "warn")),
                indent=12,
            )
    return lines


def _pushed(found: Comparison, width: int) -> list[Line]:
    pushed = found.pushed
    if pushed is None:
        return []
    lines: list[Line] = [(), line(("Pushed to ", "strong"), (visible(pushed.repository), "name"))]
    rows: list[tuple[Line | str, ...]] = [
        ("", dim("sent"), dim("predicted"), dim("took"), dim("predicted"), dim("at"))
    ]
    rows += [(name, *figures) for name, *figures in pushed_rows(found)]
    lines += table(rows)
    lines += wrapped(_PUSH_NOTE, width, first=line("  "), indent=4, style="dim")
    if not pushed.removed:
        lines += wrapped(
            _NOT_REMOVED,
            width,
            first=line("  ", ("warning ", "warn")),
            indent=10,
        )
    return lines


_PUSH_NOTE = (
    "measured, and predicted: bytes as suggest does without what the registry had already, seconds by the model of imgopt push "
    "at the rate of the largest push"
)
_NOT_REMOVED = "the registry did not delete all that was pushed: tags imgopt-compare-... stay there"


def pushed_rows(found: Comparison) -> list[tuple[str, str, str, str, str, str]]:
    """Name, bytes sent and predicted, seconds taken and predicted, rate."""
    if found.pushed is None:
        return []
    rows = []
    predictions = found.predicted_pushes
    for name, result in found.pushed.results.items():
        predicted = predictions.get(name)
        rows.append(
            (
                name.replace("next_", "next release "),
                megabytes(result.sent_bytes),
                "unknown" if predicted is None else amount(predicted.sent),
                duration(result.seconds),
                duration(predicted.seconds)
                if predicted is not None and predicted.seconds is not None
                else "unknown",
                "" if result.bytes_per_s is None else rate(_three_digits(result.bytes_per_s)),
            )
        )
    return rows


def _three_digits(bytes_per_s: int) -> int:
    """More would be noise."""
    unit = int(10 ** max(0, len(str(bytes_per_s)) - 3))
    return bytes_per_s // unit * unit


def _files(found: Comparison) -> list[Line]:
    """What became of the files, in plain bytes, and the largest of those that are in one image only."""
    difference = found.difference
    groups = (
        ("at the same path", difference.same),
        ("at the same path, in another layer", difference.other_layer),
        ("at another path", difference.elsewhere),
        ("changed", difference.changed),
        ("only in the original", difference.only_before),
        ("only in the rewrite", difference.only_after),
    )
    rows: list[tuple[Line | str, Line | str, Line | str, Line | str]] = []
    for label, group in groups:
        if group.files:
            largest = group.largest[0][0] if label.startswith(("only", "changed")) and group.largest else ""
            example = dim(f"e.g. {visible(largest)}") if largest else ()
            rows.append(((*line(f"{label}  "), *example), f"{group.files:,}", megabytes(group.bytes), ""))
    if not rows:
        return []
    return [(), line(("Files of both images, unpacked", "strong")), *table(rows)]


def nothing(file: FileReport, width: int) -> list[Line]:
    """When the rewrite is the original."""
    lines = [line((visible(file.path), "strong"))]
    reason = file.good or "there is nothing to compare: nothing was found that imgopt would change"
    if not file.clear and not file.good:
        reason = f"there is nothing to compare: {NOT_KNOWN}"
    if file.rewrite.not_applied:
        reason = "there is nothing to compare: no fix is safe to apply"
    lines += wrapped(reason, width)
    for each in file.rewrite.not_applied:
        lines += wrapped(sentence(each.why), width, first=line("  ", (each.rule, "name"), ": "), indent=4)
    for missing in file.unknown:
        lines += wrapped(sentence(missing), width, first=line(("warning ", "warn")), indent=8)
    return lines


def nothing_markdown(file: FileReport) -> str:
    return "".join(f"{''.join(piece for piece, _ in each)}\n" for each in nothing(file, 10_000))


#: What is said of the original and the rewrite; words between stars matter.
VERDICTS = {
    "alike": "behave alike",
    "alike as far as the configs say": "are alike as far as the configs say",
    "alike as far as both go": "behave alike as far as both go: **neither was seen to work**",
    "not alike": "**behave differently**",
    "not measured": "were **not measured**: nothing showed whether they behave alike",
}


def markdown(found: Comparison) -> str:
    """For a pull-request comment."""
    before, after = found.before, found.after
    rows = [["base image", code(before.base), code(after.base), "-"]]
    rows += [
        [each.label, each.row.before, each.row.after, saved_with_share(each)] for each in figures_of(found)
    ]
    parts = [
        f"### imgopt compare: {code(found.file.path)}",
        f"Built with {escaped(found.engine_description)} for {before.platform}; original and rewrite {VERDICTS[found.behaviour.verdict]}.",
        markdown_table(["", "before", "after", "saved"], rows),
    ]
    wrong = [each for each in found.behaviour.checks if each.verdict in ("different", "unknown")]
    if wrong:
        cells = [
            [
                escaped(each.name),
                escaped(_value(each.before)),
                escaped(_value(each.after)),
                escaped(_why(each)),
            ]
            for each in wrong
        ]
        parts += ["**What differs**", markdown_table(["check", "before", "after", "why"], cells, left=4)]
    if found.pushed is not None:
        titles = ["push", "sent", "predicted", "took", "predicted", "at"]
        parts.append(f"**Pushed to {code(found.pushed.repository)}**")
        parts.append(markdown_table(titles, pushed_rows(found)))
    if notes := notes_of_comparison(found):
        parts.append(details("Notes on these figures", ["\n".join(f"- {prose(each)}" for each in notes)]))
    return "\n\n".join(parts) + "\n"


def saved_with_share(each: Figure) -> str:
    """For tables of one column: never empty."""
    if not each.row.saved:
        return "unknown"
    share = each.saved.share if each.saved is not None else ""
    return f"{each.row.saved} ({share})" if share else each.row.saved


def notes_of_comparison(found: Comparison) -> list[str]:
    """What has to be known to read the figures."""
    notes = [text for each in of_comparison(found) for text in (each.text, *each.details)]
    release = found.next_release
    if release is not None and release.why:
        notes.append(f"{_called(release)} not measured: {release.why}")
    if found.pushed is not None:
        notes += [_PUSH_NOTE, *([] if found.pushed.removed else [_NOT_REMOVED])]
    if found.behaviour.limits_text is not None:
        notes.append(found.behaviour.limits_text)
    return notes
