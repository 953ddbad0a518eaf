"""Markdown for a pull-request comment: a summary line, the figures, the findings, the change folded away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgopt.finding import Finding
from imgopt.light.patterns import regex
from imgopt.report import release
from imgopt.report.caveats import still_sent
from imgopt.report.diff import unified
from imgopt.report.figures import (
    BOOT_PATCH,
    Saved,
    added,
    amount,
    built_for,
    bump_push_saved,
    bump_told,
    figures_told,
    first_push_saved,
    held_back,
    next_push_saved,
    plural,
    saves_or_costs,
    seconds_together,
    size_saved,
    sums_of,
    sums_together,
    time,
    told_apart,
    unknown_layers,
    unpacked_saved,
    without_findings,
)
from imgopt.report.layout import visible
from imgopt.report.text import skipped
from imgopt.scales import Applicability, Sum
from imgopt.suggest.result import FileReport, PipelineSummary, Report
from imgopt.suggest.sentence import sentence
from imgopt.text.quoting import typed_path
from imgopt.units import megabytes, rate
from imgopt.weigh.weights import Prediction, Saving

#: By which a comment is found again, to be updated in place.
MARKER = "<!-- imgopt: suggest -->"
#: GitHub refuses a comment of more than 65,536 characters; the figures and findings come first.
_DIFFS_CHARACTERS = 40_000


def suggestions(report: Report) -> str:
    """The whole comment, with the errors: whoever reads it does not see standard error."""
    parts = [MARKER, f"### imgopt: {_headline(report)}"]
    if report.files:
        parts += [_overview(report), _notes(report)]
    for file in report.files:
        parts += _findings(file, alone=len(report.files) == 1)
    room = _DIFFS_CHARACTERS
    for file in report.files:
        if not file.rewrite.changed:
            continue
        folded = _folded_diff(file)
        room -= len(folded)
        command = f"imgopt rewrite --diff {typed_path(file.path)}"
        parts.append(
            folded if room >= 0 else f"The change of {code(file.path)} is long: run {code(command)}."
        )
    parts += [f"- **error** {escaped(str(error))}" for error in report.errors]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(report: Report) -> str:
    findings = sum(len(file.findings) for file in report.files)
    said = plural(findings, "finding")
    if len(report.files) > 1:
        said += f" in {len(report.files)} files"
    changed = [
        file.prediction for file in report.files if file.prediction is not None and file.rewrite.changed
    ]
    if changed:
        before = added([prediction.before.first_push for prediction in changed])
        after = added([prediction.after.first_push for prediction in changed])
        then = added([prediction.before.next_push for prediction in changed])
        now = added([prediction.after.next_push for prediction in changed])
        said += f"; first push {amount(before)} → {amount(after)}, next push {amount(then)} → {amount(now)}"
    if report.errors:
        said += f"; {plural(len(report.errors), 'error')}"
    return said


def _overview(report: Report) -> str:
    weighed = [(file, file.prediction) for file in report.files if file.prediction is not None]
    if not weighed:
        return ""
    if len(weighed) > 1:
        return _several(weighed)
    file, prediction = weighed[0]
    if not figures_told(prediction):
        return "Image size and push times are not known."
    before, after = prediction.before, prediction.after
    changed = file.rewrite.changed
    rows = [["image size", *_sums(before.compressed, after.compressed), _less(size_saved(prediction))]]
    if before.uncompressed.told is not None or after.uncompressed.told is not None:
        less = _less(unpacked_saved(prediction))
        rows.append(["unpacked", *_sums(before.uncompressed, after.uncompressed), less])
    if before.elsewhere:
        less = _less(first_push_saved(prediction))
        rows.append(["first push", *_sums(before.first_push, after.first_push), less])
    rows += _times(prediction, first=True)
    rows.append(["next push", *_sums(before.next_push, after.next_push), _less(next_push_saved(prediction))])
    rows += _times(prediction, first=False)
    if bump_told(prediction):
        pair = (before.bump_push, after.bump_push)
        rows.append(["Boot patch", *_sums(*pair), _less(bump_push_saved(prediction))])
        for push in prediction.push:
            rows.append(
                [f"Boot patch at {rate(push.bandwidth_bytes_per_s)}", *map(time, push.bump_push_s, pair), ""]
            )
    name = f"{code(file.path)} {escaped(built_for(file))}" if before.elsewhere else code(file.path)
    if not changed:
        return markdown_table([name, "now"], [row[:2] for row in rows])
    return markdown_table([name, "before", "after", "saved"], rows)


def _several(weighed: Sequence[tuple[FileReport, Prediction]]) -> str:
    predictions = [prediction for _, prediction in weighed]
    together = sums_together(predictions)
    rows = [[code(file.path), *_sums(*sums_of(prediction))] for file, prediction in weighed]
    rows.append(["**together**", *_sums(*together)])
    for bandwidth, values in seconds_together(predictions).items():
        rows.append([f"at {rate(bandwidth)}", *map(time, values, together)])
    return markdown_table(["", "first push", "after", "next push", "after"], rows)


def _times(prediction: Prediction, *, first: bool) -> list[list[str]]:
    sums = sums_of(prediction)[:2] if first else sums_of(prediction)[2:]
    rows = []
    for push in prediction.push if any(each.told is not None for each in sums) else ():
        seconds = push.first_push_s if first else push.next_push_s
        label = f"{'first' if first else 'next'} push at {rate(push.bandwidth_bytes_per_s)}"
        rows.append([label, *map(time, seconds, sums), ""])
    return rows


def _sums(*sums: Sum) -> list[str]:
    return [f"{amount(each)}{'' if each.told is None else f' ({each.basis})'}" for each in sums]


def _less(difference: Saved | None) -> str:
    if difference is None:
        return "unknown"
    bound = f"{difference.bound} " if difference.bound else ""
    share = f" ({difference.share})" if difference.share else ""
    return f"{bound}{megabytes(round(difference.value))}{share}"


def _notes(report: Report) -> str:
    notes = [
        "Next push: the last release is in the registry, only classes changed.",
        f"Bandwidth: {report.bandwidth_source}. Catalogue of {report.catalogue_date}.",
    ]
    if any(file.prediction is not None and bump_told(file.prediction) for file in report.files):
        notes.insert(1, f"Boot patch: {BOOT_PATCH}.")
    if any(file.prediction is not None and unknown_layers(file.prediction) for file in report.files):
        notes.append("At least: the size of a layer is unknown.")
    if len(report.files) > 1:
        notes.append("Together: one image after the other; layers they share count each time.")
    parts = [f"<sub>{escaped(' '.join(notes))}</sub>"]
    weighed = [file for file in report.files if file.prediction is not None]
    for caveat in still_sent(weighed, report.files):
        parts.append(f"⚠️ {escaped(caveat.lead[:1].upper() + caveat.lead[1:])}")
        parts.append("\n".join(f"- **{escaped(who)}**: {escaped(what)}" for who, what in caveat.about))
    return "\n\n".join(parts)


def _findings(file: FileReport, *, alone: bool) -> list[str]:
    parts = [] if alone else [f"#### {code(file.path)}"]
    if file.skipped is not None:
        return [*parts, escaped(skipped(file.skipped))]
    if file.pipeline is not None:
        parts += _release(file.pipeline)
    items = [_finding(finding, saving, file) for finding, saving in file.findings]
    items += [
        f"- **{each.rule}**{f', line {each.line}' if each.line else ''}, not applied: {escaped(sentence(each.why))}"
        for each in told_apart(file)
    ]
    waiting = held_back(file)
    if waiting:
        items.append(f"- {len(waiting)} held back until `--unsafe`: {', '.join(waiting)}")
    if (said_of_it := without_findings(file)) is not None:
        verdict, good = said_of_it
        items.insert(0, f"{'✓' if good else '-'} {escaped(verdict)}")
    items += [f"- {escaped(warning)}" for warning in file.warnings]
    return [*parts, "\n".join(items)]


def _release(pipeline: PipelineSummary) -> list[str]:
    if pipeline.release is None:
        return []
    told = [[f"**{row.label}**" if row.label else "", escaped(row.text)] for row in release.rows(pipeline)]
    return [
        f"**A release**: {escaped(release.headline(pipeline.release))}",
        markdown_table(["", ""], told, left=2),
    ]


def _finding(finding: Finding, saving: Saving | None, file: FileReport) -> str:
    text = f"- **{finding.rule}** ({finding.severity.value}), line {finding.line}: {escaped(sentence(finding.message))}."
    label, said = saves_or_costs(saving)
    if said:
        text += f" {label.capitalize()} {said}."
    fix = finding.fix
    if fix is not None:
        name = "Advice" if fix.applicability is Applicability.MANUAL else f"Fix ({fix.applicability.label})"
        text += f" {name}: {escaped(sentence(fix.description))}"
        text += (
            f"; {escaped(sentence(fix.risk))}."
            if fix.risk and fix.applicability is not Applicability.SAFE
            else "."
        )
    if finding.solved_by is not None:
        text += f" Mended together with {finding.solved_by}."
    return text


def _folded_diff(file: FileReport) -> str:
    difference = unified(file.original, file.rewrite.text, file.path)
    shown = "\n".join(visible(row) for row in difference.split("\n"))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    summary = f"<summary>The change of {_html(file.path)}</summary>"
    return f"<details>\n{summary}\n\n{fence}diff\n{shown.rstrip()}\n{fence}\n\n</details>"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Cells are Markdown already; the first ``left`` columns flush left."""
    rule = ["---" if column < left else "---:" for column in range(len(titles))]
    cells = ([_PIPE.sub(r"\\|", cell) for cell in row] for row in (titles, rule, *rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


_PIPE = regex(r"(?<!\\)\|")


def code(text: str) -> str:
    """Text as a code span, whatever backticks it holds."""
    text = visible(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def escaped(text: str) -> str:
    """Plain text that Markdown shows as it is and that mentions nobody."""
    text = re.sub(r"([\\`*_\[\]<>#~|$&])", _escape, visible(text))
    return re.sub(r"^(?=[-+=/])", r"\\", _LINKS.sub(r"\g<0>&#8203;", text))


def _escape(match: re.Match[str]) -> str:
    return "&amp;" if match[0] == "&" else f"\\{match[0]}"


#: What GitHub and GitLab make mentions, references and links of, be it escaped or not: they look at the text that is
#: shown. A space without width ends it. (A slash that begins a line is a command to GitLab.)
_LINKS = regex(
    r"(?<!\w)@(?=\w)|#(?=\d)|\bGH-(?=\d)|(?<=\w):(?=//)|\b(?:www|WWW)(?=\.)|(?i:\b(?:mailto|xmpp)):"
)


def _html(text: str) -> str:
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKS.sub(r"\g<0>&#8203;", text)
