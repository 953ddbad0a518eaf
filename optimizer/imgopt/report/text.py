"""The report for people: findings, one table before and after, what to run next."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.finding import Finding
from imgopt.light.records import dataclass
from imgopt.report import folder
from imgopt.report.caveats import still_sent
from imgopt.report.cells import SEVERITY, trust, with_basis, without_basis
from imgopt.report.figures import (
    BOOT_PATCH,
    Row,
    Saved,
    Seconds,
    amount,
    arrow,
    bases_used,
    built_for,
    bump_push_saved,
    bump_told,
    figures_told,
    first_push_saved,
    held_back,
    next_push_saved,
    plural,
    rests_on,
    saves_or_costs,
    size_row,
    size_saved,
    time_row,
    together,
    told_apart,
    told_together,
    unknown_layers,
    unpacked_saved,
    without_findings,
)
from imgopt.report.layout import Line, Style, dim, head, line, table, visible, width_of, wrapped
from imgopt.scales import Applicability, Sum
from imgopt.suggest.result import FileReport, JavaInfo, PipelineSummary, Report
from imgopt.suggest.sentence import sentence
from imgopt.text.quoting import typed
from imgopt.units import megabytes, rate
from imgopt.weigh.weights import ImageWeight, LayerWeight, Prediction, Saving

_KINDS = {
    "spring-boot": "Spring Boot",
    "spring-boot-war": "Spring Boot war",
    "shaded": "shaded jar",
    "quarkus-fast": "Quarkus fast jar",
    "quarkus-uber": "Quarkus uber jar",
    "thin": "thin jar with a Class-Path",
    "war": "war",
    "library": "plain library jar",
}
_SOURCES = {
    "jar": "read from the jar",
    "option": "as --spring-boot says",
    "base image": "not read",
}


@dataclass(frozen=True, slots=True)
class View:
    """How much to say and how wide. ``again`` is what to repeat after ``imgopt rewrite --diff``."""

    width: int = 80
    quiet: bool = False
    verbose: bool = False
    again: tuple[str, ...] = ()


def suggestions(report: Report, view: View) -> list[Line]:
    """Everything `imgopt suggest` says on standard output."""
    if view.quiet:
        return [_one_line(file) for file in report.files]
    one = len(report.files) + len(report.errors) == 1
    many = len(report.files) >= folder.MANY
    lines: list[Line] = [] if one else _top(report, view)
    if many and not view.verbose:
        lines += folder.by_rule(report, view.width)
    for file in report.files:
        if many and not view.verbose and file.pipeline is None:
            continue
        if lines:
            lines += [(), (("─" * view.width, "dim"),), ()]
        lines += _file(file, view, report)
    lines += _next_steps(report, view)
    return lines


def _top(report: Report, view: View) -> list[Line]:
    """What is said of several files before each of them."""
    lines = [*folder.headline(report, view.width), (), *folder.summary(report, view.width)]
    weighed = [file for file in report.files if file.prediction and figures_told(file.prediction)]
    if weighed:
        lines += [*_footnotes(weighed, report, view), *_clients(weighed, report, view)]
    return lines


def _one_line(file: FileReport) -> Line:
    said = [plural(len(file.findings), "finding")] if file.skipped is None else ["skipped"]
    if file.unknown:
        said.append(f"{len(file.unknown)} not known")
    prediction = file.prediction
    if prediction is not None:
        changed = file.rewrite.changed
        for name, before, after in (
            ("first push", prediction.before.first_push, prediction.after.first_push),
            ("next push", prediction.before.next_push, prediction.after.next_push),
        ):
            said.append(f"{name} {arrow(before, after)}" if changed else f"{name} {amount(before)}")
    return line((_name(file), "strong"), f": {', '.join(said)}")


def _name(file: FileReport) -> str:
    return "standard input" if file.path == "-" else visible(file.path)


def _file(file: FileReport, view: View, report: Report) -> list[Line]:
    footnotes = _footnotes([file], report, view) if len(report.files) == 1 else []
    about = visible(file.pipeline.system) if file.pipeline is not None else built_for(file)
    lines = wrapped(about, view.width, first=line((_name(file), "strong"), "  "), indent=2, style="dim")
    if file.skipped is not None:
        return [*lines, *wrapped(skipped(file.skipped), view.width)]
    if not view.verbose and _nothing_for_java(file):
        name = line((_name(file), "strong"), ": ")
        verdict, _ = without_findings(file) or ("", True)
        return wrapped(f"{_java(None)}; {verdict}", view.width, first=name, indent=2, style="dim")
    said = _java(file.java) if file.pipeline is None else pushes(file.pipeline)
    if file.pipeline is None or file.pipeline.pushes or file.findings:
        lines += wrapped(said, view.width, style="dim")
    if file.pipeline is not None:
        lines += _release(file.pipeline, view)
    if file.context_note:
        lines += wrapped(f"context {file.context}: {file.context_note}", view.width, style="dim")
    elif view.verbose:
        lines += wrapped(f"context {file.context}", view.width, style="dim")
    if view.verbose:
        lines += _stages(file, view)
    for warning in file.warnings:
        lines += wrapped(warning, view.width, first=line(("warning ", "warn")), indent=8)
    for finding, saving in file.findings:
        lines += [(), *_finding(finding, saving, file, view)]
    if (said_of_it := without_findings(file)) is not None:
        verdict, good = said_of_it
        lines += [(), *wrapped(verdict, view.width, style="good" if good else "warn")]
    lines += _not_applied(file, view)
    if file.rewrite.changed and (facts := rests_on(file)):
        lines += [
            (),
            *wrapped(
                f"The rewrite {facts}",
                view.width,
                style="dim",
            ),
        ]
    if file.prediction is not None:
        lines += [(), *_figures(file, file.prediction, view), *footnotes]
        if view.verbose:
            lines += _layers(file, file.prediction, view)
        if footnotes:
            lines += _clients([file], report, view)
    return lines


def _nothing_for_java(file: FileReport) -> bool:
    """A file of something else, in which nothing was found: one line is enough."""
    nothing = not file.findings and not file.warnings and not file.rewrite.changed
    return file.pipeline is None and file.java is None and nothing and not file.rewrite.not_applied


#: Where what is said of a release begins.
_LABEL = 14


def _release(pipeline: PipelineSummary, view: View) -> list[Line]:
    from imgopt.report import release

    if pipeline.release is None:
        return []
    lines = [
        (),
        *wrapped(
            release.headline(pipeline.release), view.width, first=line(("A release: ", "strong")), indent=2
        ),
    ]
    for row in release.rows(pipeline):
        first = line("  ", (f"{row.label:<{_LABEL - 2}}", "dim"))
        lines += wrapped(row.text, view.width, first=first, indent=_LABEL)
    return lines


def pushes(pipeline: PipelineSummary) -> str:
    """What a CI file pushes, in a sentence."""
    if not pipeline.pushes:
        return "no push was recognised"
    files = list(dict.fromkeys(visible(push.dockerfile) for push in pipeline.pushes if push.dockerfile))
    tools = list(dict.fromkeys(push.tool for push in pipeline.pushes))
    count = len(pipeline.pushes)
    what = f"{count} push{'' if count == 1 else 'es'} with {', '.join(tools)}"
    if not files:
        return f"{what}; {visible(pipeline.pushes[0].unknown or 'what they send is not known')}"
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"{what}, of {', '.join(files[:3])}{more}"


def skipped(reason: str) -> str:
    return "skipped, as # imgopt: ignore-file says" + (f": {reason}" if reason else "")


def _java(java: JavaInfo | None) -> str:
    if java is None:
        return "no Java application recognised"
    facts = []
    if java.spring_boot:
        kind = _KINDS.get(java.kind or "spring-boot", "Spring Boot")
        facts.append(
            f"{kind} {java.spring_boot}"
            if "Spring Boot" in kind
            else f"{kind}, Spring Boot {java.spring_boot}"
        )
    elif java.kind:
        facts.append(_KINDS.get(java.kind, java.kind))
    facts += _versions(java)
    if java.start_class:
        facts.append(java.start_class)
    if java.artifact:
        facts.append(java.artifact)
    if not facts:
        return "nothing is known of the application: neither a jar nor a build file was found"
    source = java.source and _SOURCES.get(java.source, f"from {java.source}")
    if java.source and java.source.startswith(("pom.xml", "build.gradle")):
        source = f"from {java.source}, no jar was read"
    return f"{', '.join(facts)}{f' ({source})' if source else ''}"


def _versions(java: JavaInfo) -> list[str]:
    """The Java that runs and, where that is another matter, the one that is needed, each with its source."""
    runs, needs = java.runs, java.needs
    if runs is None and needs is None:
        return [f"Java {java.major}"] if java.major else []
    said = [f"Java {runs.major} (of {runs.source})"] if runs is not None else []
    if needs is not None and (runs is None or needs.major > runs.major):
        said.append(f"needs Java {needs.major} ({needs.source})")
    return said


def _stages(file: FileReport, view: View) -> list[Line]:
    stages = [
        f"{stage.name or 'stage'} from {stage.base}{' (final)' if stage.final else ''}"
        for stage in file.stages
    ]
    return wrapped(f"stages: {', '.join(stages)}", view.width, style="dim") if stages else []


def _finding(finding: Finding, saving: Saving | None, file: FileReport, view: View) -> list[Line]:
    label = f"{finding.severity.value:<6}"
    place = _place(file, finding.line)
    lines = [
        line((label, SEVERITY[finding.severity]), "  ", (finding.rule, "strong"), "  ", (place, "place"))
    ]
    if source := _source(file, finding):
        lines.append(dim(f"        {head(source, view.width - 8)}"))
    lines += wrapped(sentence(finding.message), view.width, first=line(" " * 8), indent=8)
    label, said = saves_or_costs(saving)
    if said:
        lines += wrapped(said, view.width, first=line(" " * 8, (f"{label:<7}", "dim")), indent=15)
    if finding.solved_by is not None:
        text = f"counted with {finding.solved_by}"
        lines += wrapped(text, view.width, first=line(" " * 8, ("saves  ", "dim")), indent=15)
    fix = finding.fix
    if fix is not None:
        text = f"{sentence(fix.description)} ({trust(finding, file)})"
        if fix.risk and fix.applicability is not Applicability.SAFE:
            text += f": {sentence(fix.risk)}"
        name = "advice" if fix.applicability is Applicability.MANUAL else "fix"
        lines += wrapped(text, view.width, first=line(" " * 8, (f"{name:<7}", "dim")), indent=15)
    return lines


def _place(file: FileReport, number: int) -> str:
    """A place as terminals and editors make a link of it."""
    return (
        f"{_name(file)}:{number}"
        if number and file.path != "-"
        else f"line {number}"
        if number
        else _name(file)
    )


def _source(file: FileReport, finding: Finding) -> str:
    """The first line of what a finding is about, as it stands in the Dockerfile; a sign where it goes on.

    A line of a CI file stays there: it may hold a login, and a report goes into logs.
    """
    if file.pipeline is not None:
        return ""
    rows = file.original.split("\n")
    if not 0 < finding.line <= len(rows):
        return ""
    row = visible(" ".join(rows[finding.line - 1].split()))
    return f"{row} …" if row and finding.end_line > finding.line and not row.endswith("\\") else row


def _not_applied(file: FileReport, view: View) -> list[Line]:
    waiting = held_back(file)
    declined = told_apart(file)
    if not waiting and not declined:
        return []
    lines: list[Line] = [(), line(("Not applied", "strong"))]
    for each in declined:
        place = f", line {each.line}" if each.line else ""
        lines += wrapped(
            sentence(each.why), view.width, first=line("  ", (each.rule, "name"), f"{place}: "), indent=4
        )
    if waiting:
        needs = "needs" if len(waiting) == 1 else "need"
        count = plural(len(waiting), "fix", "fixes")
        lines += wrapped(
            f"{count} {needs} --unsafe: {', '.join(waiting)}", view.width, first=line("  "), indent=4
        )
    return lines


def _figures(file: FileReport, prediction: Prediction, view: View) -> list[Line]:
    """The table, with "at least" in words where the width allows it and as a sign where not; no table of nothing."""
    if not figures_told(prediction):
        of = _sizes_of(unknown_layers(prediction), one_file=True)
        return wrapped(f"image size and push times are not known, because the size{of} is not", view.width)
    lines = _figures_table(file, prediction, "at least ")
    fits = max(width_of(each) for each in lines) <= view.width
    return lines if fits else _figures_table(file, prediction, "≥")


def _figures_table(file: FileReport, prediction: Prediction, bound: str) -> list[Line]:
    before, after = prediction.before, prediction.after
    first, following = first_push_saved(prediction), next_push_saved(prediction)
    rows: list[tuple[str, Line, Line, Line, Line]] = []

    def sizes(label: str, pair: tuple[Sum, Sum], difference: Saved | None) -> None:
        row = size_row(*pair, difference, bound)
        then, now = (with_basis(text, each) for text, each in zip((row.before, row.after), pair, strict=True))
        rows.append((label, then, now, *_bytes_saved(row, difference)))

    def times(
        label: str, bandwidth: int, seconds: Seconds, pair: tuple[Sum, Sum], difference: Saved | None
    ) -> None:
        if pair[0].told is None and pair[1].told is None:
            return
        row = time_row(seconds, *pair, difference, bound)
        rows.append(
            (
                f"  {label} at {rate(bandwidth)}",
                without_basis(row.before),
                without_basis(row.after),
                dim(row.saved),
                (),
            )
        )

    sizes("image size", (before.compressed, after.compressed), size_saved(prediction))
    if before.uncompressed.told is not None or after.uncompressed.told is not None:
        sizes("  unpacked", (before.uncompressed, after.uncompressed), unpacked_saved(prediction))
    if before.elsewhere:
        sizes("sent by the first push", (before.first_push, after.first_push), first)
    for push in prediction.push:
        pair = (before.first_push, after.first_push)
        times("first push", push.bandwidth_bytes_per_s, push.first_push_s, pair, first)
    sizes("sent by the next push", (before.next_push, after.next_push), following)
    for push in prediction.push:
        pair = (before.next_push, after.next_push)
        times("next push", push.bandwidth_bytes_per_s, push.next_push_s, pair, following)
    if bump_told(prediction):
        bumped = bump_push_saved(prediction)
        pair = (before.bump_push, after.bump_push)
        sizes("sent by a Boot patch", pair, bumped)
        for push in prediction.push:
            times("Boot patch", push.bandwidth_bytes_per_s, push.bump_push_s, pair, bumped)
    if not file.rewrite.changed:
        return table([("", dim("now  ")), *((label, now) for label, now, *_ in rows)])
    return table([("", dim("before  "), dim("after  "), dim("saved"), ()), *rows])


def _size(each: Sum) -> Line:
    """A figure and the first letter of its basis."""
    return with_basis(amount(each), each)


def _bytes_saved(row: Row, difference: Saved | None) -> tuple[Line, Line]:
    if difference is None:
        return dim("unknown"), ()
    if not difference.value:
        return dim(row.saved), ()
    style: Style = "good" if difference.value > 0 else "warn"
    return ((row.saved, style),), ((difference.share, style),)


def _footnotes(files: Sequence[FileReport], report: Report, view: View) -> list[Line]:
    """What the letters, "at least" and the pushes mean, each said only when the table has it."""
    predictions = [
        file.prediction
        for file in files
        if file.prediction is not None and (len(files) > 1 or figures_told(file.prediction))
    ]
    if not predictions:
        return []
    used = {basis for prediction in predictions for basis in bases_used(prediction)}
    meanings = {
        "measured": "m measured",
        "catalogue": f"c catalogue of {report.catalogue_date}",
        "predicted": "p predicted",
    }
    notes = [", ".join(meaning for basis, meaning in meanings.items() if basis in used)]
    unknown = [layer for prediction in predictions for layer in unknown_layers(prediction)]
    if unknown:
        notes.append(_at_least(unknown, one_file=len(files) == 1))
    platforms_of = dict.fromkeys(
        prediction.before.platforms for prediction in predictions if prediction.before.elsewhere
    )
    notes += [
        f"a push sends {' and '.join(platforms)}, what they have in common once; the image is that of {platforms[0]}"
        for platforms in platforms_of
    ]
    notes.append("next push: the last release is in the registry, only classes changed")
    if any(bump_told(prediction) for prediction in predictions):
        notes.append(f"Boot patch: {BOOT_PATCH}")
    if len(files) > 1:
        notes.append(told_together(together(predictions)))
    if any(prediction.push for prediction in predictions):
        notes.append(f"bandwidth: {report.bandwidth_source}{_set_it(report.bandwidth_source)}")
    return [
        row
        for note in notes
        if note
        for row in wrapped(note, view.width, first=line("  "), indent=4, style="dim")
    ]


def _at_least(unknown: Sequence[LayerWeight], one_file: bool) -> str:
    return f"at least (≥): the size{_sizes_of(unknown, one_file)} is unknown"


def _sizes_of(unknown: Sequence[LayerWeight], one_file: bool) -> str:
    names = []
    if one_file:
        for layer in unknown[:3]:
            word = layer.instruction.split(None, 1)[0] if layer.instruction else "a layer"
            names.append(f"{word} in line {layer.line}" if layer.line else "the base image")
        names = list(dict.fromkeys(names))
        if len(unknown) > 3:
            names.append(f"{len(unknown) - 3} more")
    return f" of {', '.join(names)}" if names else " of a layer"


def _set_it(source: str) -> str:
    return "; set yours with --bandwidth" if source.startswith("default") else ""


def _layers(file: FileReport, prediction: Prediction, view: View) -> list[Line]:
    lines: list[Line] = []
    images = [("Layers before", prediction.before), ("Layers after", prediction.after)]
    for title, image in images if file.rewrite.changed else [("Layers", prediction.before)]:
        lines += [(), line((title, "strong")), *_layer_table(image, view)]
    return lines


def _layer_table(image: ImageWeight, view: View) -> list[Line]:
    figures: list[list[Line | str]] = [[dim("compressed  "), dim("unpacked"), dim("each release")]]
    for layer in image.layers:
        unpacked = layer.uncompressed_bytes
        figures.append(
            [
                _size(Sum(layer.compressed_bytes, layer.basis, True)),
                dim("unknown") if unpacked is None else megabytes(unpacked),
                (("changes", "warn"),) if layer.changes_each_release else dim("stays"),
            ]
        )
    room = max(20, view.width - width_of(table(figures, left=0)[0]) - 8)
    labels: list[tuple[Line, Line | str]] = [(dim("line"), dim("instruction"))]
    for layer in image.layers:
        place = dim("base" if layer.from_base else str(layer.line))
        labels.append((place, head(visible(layer.instruction), room)))
    return table([[*label, *row] for label, row in zip(labels, figures, strict=True)], left=2)


def _clients(files: Sequence[FileReport], report: Report, view: View) -> list[Line]:
    """Each client once that would send much all the same, over all files."""
    lines: list[Line] = []
    first = line(("warning ", "warn"))
    for caveat in still_sent(files, report.files):
        if not view.verbose:
            hint = ". -v says what to do" if caveat.details else ""
            lines += wrapped(f"{caveat.text}{hint}", view.width, first=first, indent=8)
            continue
        lines += wrapped(caveat.lead, view.width, first=first, indent=8)
        for detail in caveat.details:
            lines += wrapped(detail, view.width, first=line(" " * 8), indent=10)
    return [(), *lines] if lines else []


def _next_steps(report: Report, view: View) -> list[Line]:
    again = typed(*view.again)
    steps = []
    if any(file.rewrite.changed for file in report.files):
        steps = [("see the change", f"imgopt rewrite --diff {again}")]
        if view.again[-1:] != ("-",):
            steps.append(("apply it", f"imgopt rewrite --in-place {again}"))
    waiting = sum(len(held_back(file)) for file in report.files)
    if waiting:
        steps.append(("include unsafe fixes", f"imgopt rewrite --diff --unsafe {again}"))
    if not steps:
        return []
    pad = max(len(name) for name, _ in steps)
    return [(), *(line((f"{name:<{pad}}  ", "dim"), (command.rstrip(), "name")) for name, command in steps)]
