"""The gate's verdict as one self-contained HTML file: budgets, and the layers beside those of the baseline."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt.report.caveats import of_verdict
from imgopt.report.gate import headline, sizes_of
from imgopt.report.inspect_html import bars, document, rows
from imgopt.report.layout import visible
from imgopt.report.suggest_html import caveats_html
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.gate.judge import Verdict
    from imgopt.gate.run import GateReport

_SAME, _OTHER = "#7a8b99", "#d9480f"
_COLOUR = {True: "#2b7a3f", False: "#c2334d", None: "#b5762f"}
_WORD = {True: "ok", False: "over", None: "not measured"}


def page(report: GateReport) -> str:
    body = [f"<h1>imgopt: {_text(headline(report))}</h1>"]
    for verdict in report.verdicts:
        body += _verdict(verdict)
    body += [f"<p><strong>error</strong> {_text(str(error))}</p>" for error in report.errors]
    body += [f'<p class="dim">{_text(each)}</p>' for each in (*report.notes, *report.updated)]
    if report.stale:
        body.append(f'<p class="dim">in the baseline, not looked at: {_text(", ".join(report.stale))}</p>')
    return document("imgopt gate", body)


def _verdict(verdict: Verdict) -> list[str]:
    subject = verdict.subject
    platform = f"{_text(subject.platform)}, " if subject.platform else ""
    parts = [
        f"<h2>{_text(subject.label)}</h2>",
        f"<p>{platform}{sizes_of(subject)} ({subject.compressed.basis})</p>",
        *_layers(verdict),
    ]
    lines = []
    for each in verdict.budgets:
        word = f'<strong style="color:{_COLOUR[each.passed]}">{_WORD[each.passed]}</strong>'
        more = "".join(
            f'<br><span class="dim">{_text(text)}</span>' for text in (*each.details, *each.remedies)
        )
        shown = more if each.passed is not True else ""
        cells = [
            word,
            f'<code class="k">{each.limit.name}</code>',
            _text(each.limit.text),
            _text(each.message) + shown,
        ]
        lines.append([*cells, each.basis, _text(each.limit.source)])
    parts.append(rows(["", "budget", "limit", "", "basis", "set in"], lines, ()))
    parts += caveats_html(of_verdict(verdict))
    return parts


def _layers(verdict: Verdict) -> list[str]:
    """The image's layers, and above them those of the baseline; what both have is grey."""
    baseline = verdict.baseline
    known = {layer.diff_id for layer in baseline.layers} if baseline is not None else set()
    now = {layer.diff_id for layer in verdict.subject.layers}
    before = (
        [(layer.diff_id, layer.compressed_bytes, layer.command) for layer in baseline.layers]
        if baseline
        else []
    )
    after = [
        (layer.diff_id, layer.compressed_bytes, layer.command)
        for layer in verdict.subject.layers
        if layer.compressed_bytes is not None
    ]
    widest = max(sum(size for _, size, _ in before), sum(size for _, size, _ in after))
    if not widest:
        return []
    parts = []
    if before:
        parts += ['<p class="dim">baseline</p>', _bar(before, now, widest), '<p class="dim">now</p>']
    return [*parts, _bar(after, known, widest)]


def _bar(layers: Sequence[tuple[str | None, int, str]], same: set[str] | set[str | None], widest: int) -> str:
    from imgopt.inspection.history import shown_command

    parts = [
        (f"{megabytes(size)} {shown_command(command)}", size, _SAME if diff_id in same else _OTHER)
        for diff_id, size, command in layers
    ]
    return bars(parts, widest)


def _text(text: str) -> str:
    return html.escape(visible(text))
