"""What `suggest` found as one self-contained HTML file: layers before and after, findings, the change."""

from __future__ import annotations

import html
from collections.abc import Sequence

from imgopt.report import release
from imgopt.report.caveats import Caveat, of_file
from imgopt.report.diff import unified
from imgopt.report.figures import amount, built_for, bump_told, plural, sums_of, time, without_findings
from imgopt.report.inspect_html import bars, document, rows
from imgopt.report.layout import visible
from imgopt.suggest.result import FileReport, Report
from imgopt.suggest.sentence import sentence
from imgopt.units import megabytes, rate
from imgopt.weigh.weights import ImageWeight, Prediction, Saving

_BASE, _CHANGES, _STAYS = "#7a8b99", "#d9480f", "#4f8a5b"


def page(report: Report) -> str:
    found = sum(len(file.findings) for file in report.files)
    body = [f"<h1>imgopt suggest: {plural(found, 'finding')} in {plural(len(report.files), 'file')}</h1>"]
    body.append(
        f'<p class="dim">Bandwidth: {_text(report.bandwidth_source)}. Catalogue of {report.catalogue_date}.</p>'
    )
    for file in report.files:
        body += _file(file, report)
    body += [f"<p><strong>error</strong> {_text(str(error))}</p>" for error in report.errors]
    return document("imgopt suggest", body)


def _file(file: FileReport, report: Report) -> list[str]:
    parts = [f"<h2>{_text(file.path)}</h2>"]
    if file.skipped is not None:
        return [*parts, f'<p class="dim">skipped: {_text(file.skipped)}</p>']
    if file.pipeline is None:
        parts.append(f'<p class="dim">{_text(built_for(file))}</p>')
    elif file.pipeline.release is not None:
        parts.append(f"<p><strong>A release</strong>: {_text(release.headline(file.pipeline.release))}</p>")
        told = [[_text(row.label), _text(row.text)] for row in release.rows(file.pipeline)]
        parts.append(rows(["", ""], told, ()))
    if file.prediction is not None:
        parts += _sizes(file, file.prediction)
    lines = [
        [
            str(finding.line),
            f'<code class="k">{_text(finding.rule)}</code>',
            finding.severity.value,
            _text(sentence(finding.message))
            + (
                f'<br><span class="dim">{_text(sentence(finding.fix.description))}</span>'
                if finding.fix
                else ""
            ),
            _saved(saving, "first"),
            _saved(saving, "next"),
        ]
        for finding, saving in file.findings
    ]
    if lines:
        parts.append(rows(["line", "rule", "", "finding", "first push", "each next push"], lines, (0, 4, 5)))
    elif (said_of_it := without_findings(file)) is not None:
        parts.append(f"<p>{_text(said_of_it[0])}</p>")
    parts += [
        f'<p class="dim">not applied: <code>{_text(each.rule)}</code>, line {each.line}: {_text(sentence(each.why))}</p>'
        for each in file.rewrite.not_applied
    ]
    parts += caveats_html(of_file(file, report.files))
    if file.rewrite.changed:
        parts.append("<h3>The change</h3>")
        shown = "\n".join(
            _text(row) for row in unified(file.original, file.rewrite.text, file.path).split("\n")
        )
        parts.append(f'<pre style="overflow-x:auto">{shown}</pre>')
    return parts


def caveats_html(caveats: Sequence[Caveat]) -> list[str]:
    """Each as a paragraph, what to do about it as a list below."""
    parts = []
    for each in caveats:
        parts.append(f"<p>⚠️ {_text(each.text)}</p>")
        if each.details:
            parts.append("<ul>" + "".join(f"<li>{_text(detail)}</li>" for detail in each.details) + "</ul>")
    return parts


def _sizes(file: FileReport, prediction: Prediction) -> list[str]:
    sides = [("before", prediction.before)] + ([("after", prediction.after)] if file.rewrite.changed else [])
    widest = max((weight.compressed.value or 0 for _, weight in sides), default=0)
    parts = []
    for name, weight in sides:
        first, following = amount(weight.first_push), amount(weight.next_push)
        if bump_told(prediction):
            following += f", Boot patch {amount(weight.bump_push)}"
        basis = weight.compressed.basis
        known = "" if basis == "unknown" else f" ({basis})"
        parts.append(f"<p><strong>{name}</strong>: first push {first}, next push {following}{known}</p>")
        parts.append(_bar(weight, widest))
    key = (("base image", _BASE), ("pushed with each release", _CHANGES), ("keeps its digest", _STAYS))
    parts.append(
        '<svg viewBox="0 0 1160 20">'
        + "".join(
            f'<rect x="{at * 240}" y="3" width="13" height="13" fill="{colour}"/>'
            f'<text x="{at * 240 + 18}" y="14" font-size="12" fill="#7a858e">{label}</text>'
            for at, (label, colour) in enumerate(key)
        )
        + "</svg>"
    )
    lines = []
    for push in prediction.push:
        cells = [rate(push.bandwidth_bytes_per_s)]
        cells += map(time, (*push.first_push_s, *push.next_push_s), sums_of(prediction))
        if bump_told(prediction):
            pair = (prediction.before.bump_push, prediction.after.bump_push)
            cells += map(time, push.bump_push_s, pair)
        lines.append(cells)
    titles = ["at", "first push before", "after", "next push before", "after"]
    titles += ["Boot patch before", "after"] if bump_told(prediction) else []
    if lines:
        parts.append(rows(titles, lines, range(1, len(titles))))
    return parts


def _bar(weight: ImageWeight, widest: int) -> str:
    parts = [
        (
            f"{megabytes(layer.compressed_bytes)} {layer.instruction}",
            layer.compressed_bytes,
            _BASE if layer.from_base else _CHANGES if layer.changes_each_release else _STAYS,
        )
        for layer in weight.layers
        if layer.compressed_bytes is not None
    ]
    return bars(parts, widest)


def _saved(saving: Saving | None, which: str) -> str:
    count = None if saving is None else getattr(saving, f"{which}_push_bytes")
    if saving is None or count is None:
        return ""
    return f"{megabytes(count)} ({saving.basis})" if count > 0 else ""


def _text(text: str) -> str:
    return html.escape(visible(text))
