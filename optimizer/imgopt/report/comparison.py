"""What `imgopt compare` says to people: one table of measured figures, what differs, what a registry would receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.comparison.checks import NOT_STARTED
from imgopt.comparison.measure import MeasuredImage
from imgopt.report.caveats import of_comparison, of_file
from imgopt.report.figures import NOT_KNOWN, Saved, amount, plural, time
from imgopt.report.layout import Line, Style, dim, head, line, table, visible, width_of, wrapped
from imgopt.report.markdown import code, escaped
from imgopt.scales import Sum, total
from imgopt.suggest.sentence import sentence
from imgopt.units import duration, megabytes, rate

if TYPE_CHECKING:
    from imgopt.comparison.checks import Check
    from imgopt.comparison.compare import Comparison, NextRelease
    from imgopt.suggest.result import FileReport
    from imgopt.weigh.weights import PushTime

Row = tuple[Line | str, Line | str, Line | str, Line | str, Line | str]

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
    before, after = found.before.compressed, found.after.compressed
    said = [f"image {amount(before)} → {amount(after)}"]
    release = found.next_release
    if release is not None and release.before is not None and release.after is not None:
        said.append(
            f"{_called(release)} {megabytes(release.before.compressed_bytes)} → {megabytes(release.after.compressed_bytes)}"
        )
    said.append(found.behaviour.verdict.replace("not alike", "NOT alike"))
    return line((visible(found.file.path), "strong"), f": {', '.join(said)}")


def _figures(found: Comparison) -> list[Line]:
    before, after = found.before, found.after
    rows: list[Row] = [("", dim("before  "), dim("after  "), dim("saved"), "")]

    def sizes(label: str, then: Sum, now: Sum) -> None:
        rows.append((label, size_and_basis(then), size_and_basis(now), *_saved(then, now)))

    def times(
        label: str, bandwidth: int, seconds: tuple[float | None, float | None], sums: tuple[Sum, Sum]
    ) -> None:
        texts = map(time, seconds, sums)
        shown = [dim("unknown  ") if text == "unknown" else line(f"{text}  ") for text in texts]
        rows.append((f"  {label} at {rate(bandwidth)}", shown[0], shown[1], "", ""))

    sizes("image size", before.compressed, after.compressed)
    sizes("  above the base", before.own, after.own)
    sizes("  unpacked", before.uncompressed, after.uncompressed)
    for each in found.push:
        times(
            "first push",
            each.bandwidth_bytes_per_s,
            each.first_push_s,
            (before.compressed, after.compressed),
        )
    release = found.next_release
    if release is not None and release.before is not None and release.after is not None:
        then, now = (Sum(side.compressed_bytes, "measured", True) for side in (release.before, release.after))
        sizes(f"{_called(release)}, sent", then, now)
        for each in found.push:
            label, seconds = _next_push(release, each)
            times(label, each.bandwidth_bytes_per_s, seconds, (then, now))
    rows.append(_row("built in", duration(before.build_seconds), duration(after.build_seconds)))
    rows += [_row(*each) for each in _running(found)]
    return table(rows)


def _row(label: str, before: str, after: str) -> Row:
    return label, line(f"{before}  "), line(f"{after}  "), "", ""


def _running(found: Comparison) -> list[tuple[str, str, str]]:
    """Start-up and memory, the medians of what was measured."""
    ours, theirs = found.behaviour.before, found.behaviour.after
    rows = []
    if ours.start_seconds and theirs.start_seconds:
        seconds = [duration(_middle(side.start_seconds)) for side in (ours, theirs)]
        rows.append(("answers after", seconds[0], seconds[1]))
    if ours.memory_bytes and theirs.memory_bytes:
        memory = [megabytes(round(_middle(side.memory_bytes))) for side in (ours, theirs)]
        rows.append(("resident memory", memory[0], memory[1]))
    return rows


def _middle(values: tuple[float, ...] | tuple[int, ...]) -> float:
    from statistics import median

    return float(median(values))


def size_and_basis(each: Sum) -> Line:
    if each.told is None:
        return dim("unknown  ")
    return (amount(each), ""), (f" {each.basis[0]}", "dim")


def _saved(then: Sum, now: Sum) -> tuple[Line, Line]:
    if then.value is None or now.value is None or not (then.complete and now.complete):
        return dim("unknown"), ()
    less = then.value - now.value
    if not less:
        return dim("0 MB"), ()
    style: Style = "good" if less > 0 else "warn"
    sign = "" if less > 0 else "-"
    share = Saved(less, then.value).share
    return ((f"{sign}{megabytes(abs(less))}", style),), ((share, style),)


def _notes(found: Comparison, width: int) -> list[Line]:
    bases = {layer.basis for image in (found.before, found.after) for layer in image.layers}
    letters = {"measured": "m measured here", "catalogue": "c catalogue of published sizes", "unknown": ""}
    notes = [", ".join(letters[basis] for basis in ("measured", "catalogue") if basis in bases)]
    notes += found.notes
    return [
        row for note in notes if note for row in wrapped(note, width, first=line("  "), indent=4, style="dim")
    ]


def _behaviour(found: Comparison, width: int, verbose: bool) -> list[Line]:
    behaviour = found.behaviour
    styles: dict[str, Style] = {"alike": "good", "not alike": "bad"}
    verdict = behaviour.verdict
    lines: list[Line] = [(), line(("Behaviour  ", "strong"), (verdict, styles.get(verdict, "warn")))]
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
    rows += [(name, *figures) for name, *figures in _push_rows(found)]
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


def _push_rows(found: Comparison) -> list[tuple[str, str, str, str, str, str]]:
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


_MARKDOWN = {
    "alike": "behave alike",
    "alike as far as the configs say": "are alike as far as the configs say",
    "alike as far as both go": "behave alike as far as both go: **neither was seen to work**",
    "not alike": "**do not behave alike**",
    "not measured": "were **not measured**: nothing showed whether they behave alike",
}


def markdown(found: Comparison) -> str:
    """For a pull-request comment."""
    before, after = found.before, found.after
    rows = [("", "before", "after"), ("---", "---:", "---:")]
    rows.append(("base image", f"`{before.base}`", f"`{after.base}`"))
    rows.append(("image size", *_both(before.compressed, after.compressed)))
    rows.append(("above the base", *_both(before.own, after.own)))
    rows.append(("unpacked", *_both(before.uncompressed, after.uncompressed)))
    release = found.next_release
    if release is not None and release.before is not None and release.after is not None:
        then, now = release.before.compressed_bytes, release.after.compressed_bytes
        rows.append((f"**{_called(release)}, sent**", f"**{megabytes(then)}**", f"**{megabytes(now)}**"))
        for each in found.push:
            label, took = _next_push(release, each)
            seconds = [duration(s) if s is not None else "unknown" for s in took]
            rows.append((f"{label} at {rate(each.bandwidth_bytes_per_s)}", seconds[0], seconds[1]))
    rows.append(("built in", duration(before.build_seconds), duration(after.build_seconds)))
    rows += _running(found)
    text = [f"### imgopt compare: {code(found.file.path)}", ""]
    text += [
        f"Built with {found.engine_description} for {before.platform}; original and rewrite {_MARKDOWN[found.behaviour.verdict]}.",
        "",
    ]
    text += ["| " + " | ".join(row) + " |" for row in rows]
    wrong = [each for each in found.behaviour.checks if each.verdict in ("different", "unknown")]
    if wrong:
        text += ["", "| check | before | after | |", "|---|---|---|---|"]
        text += [
            f"| {escaped(each.name)} | {escaped(_value(each.before))} | {escaped(_value(each.after))} | {escaped(_why(each))} |"
            for each in wrong
        ]
    if found.pushed is not None:
        text += ["", f"Pushed to {code(found.pushed.repository)}:", ""]
        text += ["| push | sent | predicted | took | predicted | at |", "|---|---:|---:|---:|---:|---:|"]
        text += ["| " + " | ".join(row) + " |" for row in _push_rows(found)]
    notes = [text for each in of_comparison(found) for text in (each.text, *each.details)]
    if release is not None and release.why:
        notes.append(f"{_called(release)} not measured: {release.why}")
    if found.pushed is not None:
        notes += [_PUSH_NOTE, *([] if found.pushed.removed else [_NOT_REMOVED])]
    if found.behaviour.limits_text is not None:
        notes.append(found.behaviour.limits_text)
    if notes:
        text += ["", *(f"- {escaped(each)}" for each in notes)]
    return "\n".join(text) + "\n"


def _both(before: Sum, after: Sum) -> tuple[str, str]:
    return amount(before), amount(after)
