"""What `suggest` found as one self-contained HTML file: layers before and after, findings, the change."""

from __future__ import annotations

from collections.abc import Sequence

from imgopt.finding import Finding
from imgopt.report import release
from imgopt.report.caveats import Caveat, of_file
from imgopt.report.diff import unified
from imgopt.report.figures import (
    amount,
    built_for,
    bump_told,
    figures_of,
    figures_told,
    plural,
    saves_or_costs,
    size_row,
    sums_of,
    together,
    told_apart,
    told_together,
    without_findings,
)
from imgopt.report.page import bars, document, figure, layer_legend, layer_part, rows, text
from imgopt.scales import Applicability, Sum
from imgopt.suggest.result import FileReport, Report
from imgopt.suggest.sentence import sentence
from imgopt.weigh.weights import Prediction, Saving


def page(report: Report) -> str:
    found = sum(len(file.findings) for file in report.files)
    body = [f"<h1>imgopt suggest: {plural(found, 'finding')} in {plural(len(report.files), 'file')}</h1>"]
    body.append(
        f'<p class="dim">Bandwidth: {text(report.bandwidth_source)}. Catalogue of {report.catalogue_date}. Next push: the '
        "last release is in the registry, only classes changed.</p>"
    )
    if len(report.files) > 1:
        body += _together(report)
    body += [f"<p><strong>error</strong> {text(str(error))}</p>" for error in report.errors]
    for file in report.files:
        body += _file(file, report)
    return document("imgopt suggest", body)


def _together(report: Report) -> list[str]:
    weighed = [(file, file.prediction) for file in report.files if file.prediction is not None]
    if not weighed:
        return []
    sums = together([prediction for _, prediction in weighed])
    lines = [
        [f"<code>{text(file.path)}</code>", *_pairs(*sums_of(prediction))] for file, prediction in weighed
    ]
    lines.append(["<strong>together</strong>", *_pairs(*sums.first, *sums.following)])
    titles = ["file", "first push", "after", "next push", "after"]
    said = told_together(sums)
    return [
        rows(titles, lines, (1, 2, 3, 4), "All files, before and after the rewrite"),
        f'<p class="dim">{text(said[:1].upper() + said[1:])}.</p>',
    ]


def _pairs(first: Sum, after: Sum, following: Sum, then: Sum) -> list[str]:
    one, other = size_row(first, after, None), size_row(following, then, None)
    return [one.before, one.after, other.before, other.after]


def _file(file: FileReport, report: Report) -> list[str]:
    parts = [f"<h2>{text(file.path)}</h2>"]
    if file.skipped is not None:
        return [*parts, f'<p class="dim">skipped: {text(file.skipped)}</p>']
    if file.pipeline is None:
        parts.append(f'<p class="dim">{text(built_for(file))}</p>')
    elif file.pipeline.release is not None:
        parts.append(f"<p><strong>A release</strong>: {text(release.headline(file.pipeline.release))}</p>")
        told = [[text(row.label), text(row.text)] for row in release.rows(file.pipeline)]
        parts.append(rows(["", ""], told, (), "What one run of the pipeline pushes"))
    if file.prediction is not None:
        parts += _sizes(file, file.prediction)
    if file.findings:
        entries = "\n".join(f"<li>{_finding(finding, saving)}</li>" for finding, saving in file.findings)
        parts.append(f'<h3>Findings</h3>\n<ul class="found">\n{entries}\n</ul>')
    elif (said_of_it := without_findings(file)) is not None:
        parts.append(f"<p>{text(said_of_it[0])}</p>")
    if declined := told_apart(file):
        entries = "\n".join(
            f"<li><code>{text(each.rule)}</code>, line {each.line}: {text(sentence(each.why))}</li>"
            for each in declined
        )
        parts.append(f"<h3>Not applied</h3>\n<ul>\n{entries}\n</ul>")
    parts += caveats_html(of_file(file, report.files))
    if file.rewrite.changed:
        parts.append("<h3>The change</h3>")
        shown = "\n".join(
            text(row) for row in unified(file.original, file.rewrite.text, file.path).split("\n")
        )
        parts.append(f'<pre tabindex="0" aria-label="The change of the file">{shown}</pre>')
    return parts


def _finding(finding: Finding, saving: Saving | None) -> str:
    said = [
        f'<strong><code class="k">{text(finding.rule)}</code></strong> '
        f'<span class="dim">{finding.severity.value}, line {finding.line}</span><br>{text(sentence(finding.message))}'
    ]
    label, amount_saved = saves_or_costs(saving)
    if amount_saved:
        said.append(f"{label} {text(amount_saved)}")
    if finding.fix is not None:
        applicability = "applied" if finding.applied else finding.fix.applicability.label
        word = "advice" if finding.fix.applicability is Applicability.MANUAL else "fix"
        said.append(
            f'<span class="dim">{word} ({applicability}): {text(sentence(finding.fix.description))}</span>'
        )
        if finding.fix.risk and finding.fix.applicability is not Applicability.SAFE:
            said.append(f'<span class="dim">what could change: {text(sentence(finding.fix.risk))}</span>')
    if finding.solved_by is not None:
        said.append(f'<span class="dim">what it saves is counted with {text(finding.solved_by)}</span>')
    return "<br>".join(said)


def caveats_html(caveats: Sequence[Caveat]) -> list[str]:
    """Each as a paragraph, what to do about it as a list below."""
    parts = []
    for each in caveats:
        if not each.details:
            parts.append(f"<p>⚠️ {text(each.text)}</p>")
            continue
        entries = "".join(f"<li>{text(detail)}</li>" for detail in each.details)
        parts.append(f"<details><summary>⚠️ {text(each.text)}</summary><ul>{entries}</ul></details>")
    return parts


def _sizes(file: FileReport, prediction: Prediction) -> list[str]:
    sides = [("before", prediction.before)]
    if file.rewrite.changed:
        sides.append(("after", prediction.after))
    widest = max((weight.compressed.value or 0 for _, weight in sides), default=0)
    parts = []
    drawn = []
    for name, weight in sides:
        first, following = amount(weight.first_push), amount(weight.next_push)
        if bump_told(prediction):
            following += f", Boot patch {amount(weight.bump_push)}"
        basis = weight.compressed.basis
        known = "" if basis == "unknown" else f" ({basis})"
        layers = [
            layer_part(
                layer.instruction,
                layer.compressed_bytes,
                base=layer.from_base,
                changes=layer.changes_each_release,
            )
            for layer in weight.layers
            if layer.compressed_bytes is not None
        ]
        caption = f"<strong>{name}</strong>: first push {first}, next push {following}{known}"
        if weight.compressed.told is None:
            parts.append(f"<p>{caption}</p>")
            continue
        unknown = len(weight.layers) - len(layers)
        if unknown:
            caption += f"; not drawn: {plural(unknown, 'layer')} of unknown size"
        drawn += layers
        parts.append(figure(caption, bars(layers, widest, f"Layers {name}")))
    parts.append(layer_legend(drawn))
    if figures_told(prediction):
        columns = slice(4 if file.rewrite.changed else 2)
        titles = ["", "before" if file.rewrite.changed else "now", "after", "saved"][columns]
        lines = [
            [each.label, each.row.before, each.row.after, each.less][columns]
            for each in figures_of(prediction)
        ]
        parts.append(rows(titles, lines, (1, 2, 3), "Sizes and pushes"))
    return parts
