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
    Told,
    added,
    arrow,
    built_for,
    bump_told,
    figures_of,
    figures_told,
    held_back,
    plural,
    saves_or_costs,
    size_row,
    sums_of,
    time_row,
    together,
    told_apart,
    told_together,
    unknown_layers,
    without_findings,
)
from imgopt.report.folder import MANY
from imgopt.report.layout import visible
from imgopt.report.text import skipped
from imgopt.scales import Applicability, Sum
from imgopt.suggest.result import FileReport, PipelineSummary, Report
from imgopt.suggest.sentence import sentence
from imgopt.text.quoting import typed_path
from imgopt.units import rate
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
    parts += listed("Errors", [escaped(str(error)) for error in report.errors])
    folded = len(report.files) >= MANY
    for file in report.files:
        said = _findings(file)
        if folded:
            parts.append(details(f"{html(file.path)}: {_count(file)}", said))
        else:
            parts += [f"#### {code(file.path)}", *said] if len(report.files) > 1 else said
    parts += _clients(report)
    room = _DIFFS_CHARACTERS
    for file in report.files:
        if not file.rewrite.changed:
            continue
        change = _folded_diff(file)
        room -= len(change)
        command = f"imgopt rewrite --diff {typed_path(file.path)}"
        parts.append(
            change if room >= 0 else f"The change of {code(file.path)} is long: run {code(command)}."
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def _count(file: FileReport) -> str:
    if file.skipped is not None:
        return "skipped"
    return plural(len(file.findings), "finding") + (", would change" if file.rewrite.changed else "")


def listed(title: str, items: Sequence[str]) -> list[str]:
    """A list under its name: two lists without words between them are one to Markdown."""
    return [f"**{title}**", "\n".join(f"- {item}" for item in items)] if items else []


def details(summary: str, parts: Sequence[str]) -> str:
    """Folded away; ``summary`` is HTML already."""
    inner = "\n\n".join(part for part in parts if part)
    return f"<details>\n<summary>{summary}</summary>\n\n{inner}\n\n</details>"


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
        said += f"; first push {arrow(before, after)}, next push {arrow(then, now)}"
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
    rows = [_row(each) for each in figures_of(prediction)]
    name = f"{code(file.path)} {escaped(built_for(file))}" if prediction.before.elsewhere else code(file.path)
    if not file.rewrite.changed:
        return markdown_table([name, "now"], [row[:2] for row in rows])
    return markdown_table([name, "before", "after", "saved"], rows)


def _several(weighed: Sequence[tuple[FileReport, Prediction]]) -> str:
    sums = together([prediction for _, prediction in weighed])
    rows = [[code(file.path), *_pairs(*sums_of(prediction))] for file, prediction in weighed]
    rows.append(["**together**", *_pairs(*sums.first, *sums.following)])
    for bandwidth, (first, after, following, then) in sums.seconds.items():
        one, other = (
            time_row((first, after), *sums.first, None),
            time_row((following, then), *sums.following, None),
        )
        rows.append([f"at {rate(bandwidth)}", one.before, one.after, other.before, other.after])
    return markdown_table(["", "first push", "after", "next push", "after"], rows)


def _row(each: Told) -> list[str]:
    if each.sums is None:
        return [each.label, each.row.before, each.row.after, each.less]
    then, now = each.sums
    return [each.label, _told(each.row.before, then), _told(each.row.after, now), each.less]


def _pairs(first: Sum, after: Sum, following: Sum, then: Sum) -> list[str]:
    one, other = size_row(first, after, None), size_row(following, then, None)
    texts = (one.before, one.after, other.before, other.after)
    return [_told(text, each) for text, each in zip(texts, (first, after, following, then), strict=True)]


def _told(text: str, each: Sum) -> str:
    return text if text == "unknown" else f"{text} ({each.basis})"


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
        weighed = [file.prediction for file in report.files if file.prediction is not None]
        said = told_together(together(weighed))
        notes.append(f"{said[:1].upper()}{said[1:]}.")
    return f"<sub>{prose(' '.join(notes))}</sub>"


def _clients(report: Report) -> list[str]:
    """Who sends more than it has to, folded away."""
    weighed = [file for file in report.files if file.prediction is not None]
    return [
        details(
            f"⚠️ {html(caveat.lead[:1].upper() + caveat.lead[1:])} {plural(len(caveat.about), 'client')}",
            ["\n".join(f"- **{escaped(who)}**: {prose(what)}" for who, what in caveat.about)],
        )
        for caveat in still_sent(weighed, report.files)
    ]


def _findings(file: FileReport) -> list[str]:
    parts = []
    if file.skipped is not None:
        return [prose(skipped(file.skipped))]
    if file.pipeline is not None:
        parts += _release(file.pipeline)
    if (said_of_it := without_findings(file)) is not None:
        verdict, good = said_of_it
        parts.append(f"{'✓ ' if good else ''}{prose(verdict)}")
    parts += listed("Findings", [_finding(finding, saving) for finding, saving in file.findings])
    declined = [
        f"**{each.rule}**{f', line {each.line}' if each.line else ''}: {prose(sentence(each.why))}"
        for each in told_apart(file)
    ]
    waiting = held_back(file)
    if waiting:
        declined.append(f"{plural(len(waiting), 'fix', 'fixes')} until `--unsafe`: {', '.join(waiting)}")
    parts += listed("Not applied", declined)
    return [*parts, *listed("Warnings", [prose(warning) for warning in file.warnings])]


def _release(pipeline: PipelineSummary) -> list[str]:
    if pipeline.release is None:
        return []
    told = [[f"**{row.label}**" if row.label else "", prose(row.text)] for row in release.rows(pipeline)]
    return [
        f"**A release**: {prose(release.headline(pipeline.release))}",
        markdown_table(["", ""], told, left=2),
    ]


def _finding(finding: Finding, saving: Saving | None) -> str:
    text = f"**{finding.rule}** ({finding.severity.value}), line {finding.line}: {prose(sentence(finding.message))}."
    label, said = saves_or_costs(saving)
    if said:
        text += f" {label.capitalize()} {said}."
    if finding.solved_by is not None:
        text += f" What it saves is counted with {finding.solved_by}."
    fix = finding.fix
    if fix is not None:
        name = "Advice" if fix.applicability is Applicability.MANUAL else f"Fix ({fix.applicability.label})"
        text += f" {name}: {prose(sentence(fix.description))}"
        text += (
            f"; {prose(sentence(fix.risk))}."
            if fix.risk and fix.applicability is not Applicability.SAFE
            else "."
        )
    return text


def _folded_diff(file: FileReport) -> str:
    difference = unified(file.original, file.rewrite.text, file.path)
    shown = "\n".join(visible(row) for row in difference.split("\n"))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return details(f"The change of {html(file.path)}", [f"{fence}diff\n{shown.rstrip()}\n{fence}"])


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


def prose(text: str) -> str:
    """A sentence of ours: what stands between backticks is code, the rest is shown as it is."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(
        code(part) if number % 2 and part.strip() else escaped(part) for number, part in enumerate(parts)
    )


def _escape(match: re.Match[str]) -> str:
    return "&amp;" if match[0] == "&" else f"\\{match[0]}"


#: What GitHub and GitLab make mentions, references and links of, be it escaped or not: they look at the text that is
#: shown. A space without width ends it. (A slash that begins a line is a command to GitLab.)
_LINKS = regex(
    r"(?<!\w)@(?=\w)|#(?=\d)|\bGH-(?=\d)|(?<=\w):(?=//)|\b(?:www|WWW)(?=\.)|(?i:\b(?:mailto|xmpp)):"
)


def html(text: str) -> str:
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKS.sub(r"\g<0>&#8203;", text)
