"""The gate's verdict as one self-contained HTML file: budgets, and the layers beside those of the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.report.caveats import of_verdict
from imgopt.report.figures import amount
from imgopt.report.gate import headline, outcome, sizes_of
from imgopt.report.page import (
    SENT,
    STAYS,
    UNTOLD,
    VERDICTS,
    Part,
    bars,
    document,
    figure,
    layer_part,
    legend,
    rows,
    text,
)
from imgopt.report.suggest_html import caveats_html
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.gate.judge import Verdict
    from imgopt.gate.run import GateReport


def page(report: GateReport) -> str:
    body = [f"<h1>imgopt: {text(headline(report))}</h1>"]
    if len(report.verdicts) > 1:
        lines = [
            [
                f"<code>{text(each.subject.label)}</code>",
                _word(False if each.broken else None if each.unmeasured else True),
                amount(each.subject.compressed),
                amount(each.subject.uncompressed),
            ]
            for each in report.verdicts
        ]
        body.append(rows(["image", "verdict", "compressed", "unpacked"], lines, (2, 3), "All images"))
    for verdict in report.verdicts:
        body += _verdict(verdict)
    body += [f"<p><strong>error</strong> {text(str(error))}</p>" for error in report.errors]
    body += [f'<p class="dim">{text(each)}</p>' for each in (*report.notes, *report.updated)]
    if report.stale:
        body.append(f'<p class="dim">in the baseline, not looked at: {text(", ".join(report.stale))}</p>')
    return document("imgopt gate", body)


def _verdict(verdict: Verdict) -> list[str]:
    subject = verdict.subject
    platform = f"{text(subject.platform)}, " if subject.platform else ""
    parts = [
        f"<h2>{text(subject.label)}</h2>",
        f"<p>{platform}{sizes_of(subject)} ({subject.compressed.basis})</p>",
        *_layers(verdict),
    ]
    entries = []
    for each in verdict.budgets:
        said = [
            f'{_word(each.passed)} <code class="k">{each.limit.name}</code> {text(each.limit.text)} '
            f'<span class="dim">{text(each.limit.source)}</span>',
            f"{text(each.message)} ({each.basis})",
        ]
        if each.passed is not True:
            said += [f'<span class="dim">{text(detail)}</span>' for detail in (*each.details, *each.remedies)]
        entries.append(f"<li>{'<br>'.join(said)}</li>")
    if entries:
        parts.append('<h3>Budgets</h3>\n<ul class="found">\n' + "\n".join(entries) + "\n</ul>")
    parts += caveats_html(of_verdict(verdict))
    return parts


def _word(passed: bool | None) -> str:
    return f'<strong style="color:{VERDICTS[passed]}">{outcome(passed)}</strong>'


def _layers(verdict: Verdict) -> list[str]:
    """The image's layers, and above them those of the baseline; without one, those of a prediction by what they become."""
    from imgopt.inspection.history import shown_command

    subject, baseline = verdict.subject, verdict.baseline
    known = {layer.diff_id for layer in baseline.layers} if baseline is not None else set()
    now = {layer.diff_id for layer in subject.layers}
    before: list[Part] = [
        (
            f"{megabytes(layer.compressed_bytes)} {shown_command(layer.command)}",
            layer.compressed_bytes,
            STAYS if layer.diff_id in now else UNTOLD,
        )
        for layer in (baseline.layers if baseline is not None else ())
    ]
    after: list[Part] = []
    for layer in subject.layers:
        if layer.compressed_bytes is None:
            continue
        changes = layer.changes_each_release if baseline is None else layer.diff_id not in known
        after.append(
            layer_part(shown_command(layer.command), layer.compressed_bytes, base=False, changes=changes)
        )
    widest = max(sum(size for _, size, _ in before), sum(size for _, size, _ in after))
    if not widest:
        return []
    if not before:
        meanings = [(SENT, "sent with each release"), (STAYS, "keeps its digest"), (UNTOLD, "layers")]
        used = {colour for _, _, colour in after}
        return [
            figure("Layers", bars(after, widest, "Layers")),
            legend((colour, meaning) for colour, meaning in meanings if colour in used),
        ]
    return [
        figure("Baseline", bars(before, widest, "Layers of the baseline")),
        figure("Now", bars(after, widest, "Layers now")),
        legend(((STAYS, "in both: not sent again"), (SENT, "new: sent"), (UNTOLD, "in the baseline only"))),
    ]
