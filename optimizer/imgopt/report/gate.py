"""What the gate says: text, Markdown (a comment that is updated in place) and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgopt.errors import ConfigError
from imgopt.gate.budgets import Growth
from imgopt.report.caveats import notes_of, of_verdict
from imgopt.report.figures import amount, plural
from imgopt.report.layout import Line, Style, line, table, visible, width_of, wrapped
from imgopt.report.markdown import code, details, escaped, html, listed, markdown_table, prose

if TYPE_CHECKING:
    from imgopt.gate.judge import Judged, Verdict
    from imgopt.gate.run import GateReport
    from imgopt.gate.subject import Layer, Subject

#: By which the comment is found again.
MARKER = "<!-- imgopt: gate -->"


def outcome(passed: bool | None) -> str:
    return {True: "ok", False: "over", None: "not measured"}[passed]


def headline(report: GateReport) -> str:
    broken = sum(bool(each.broken) for each in report.verdicts)
    mistakes = sum(isinstance(each, ConfigError) for each in report.errors)
    unknown = sum(bool(each.unmeasured) for each in report.verdicts) + len(report.errors) - mistakes
    if report.passed:
        return f"the gate holds: {plural(len(report.verdicts), 'image')} within budget"
    parts = []
    if broken:
        parts.append(f"{plural(broken, 'image')} over budget")
    if unknown:
        parts.append(f"{unknown} not measured")
    if mistakes:
        parts.append(f"{plural(mistakes, 'mistake')} in the configuration")
    return f"the gate fails: {', '.join(parts) or 'nothing was looked at'}"


def text(report: GateReport, *, width: int, quiet: bool, verbose: bool) -> list[Line]:
    lines: list[Line] = []
    for verdict in report.verdicts:
        if not quiet or not verdict.passed:
            lines += _verdict(verdict, width, quiet=quiet, verbose=verbose)
            lines.append(())
    for note in report.notes if not quiet else ():
        lines += wrapped(note, width, style="dim")
    if report.baseline is not None and not quiet:
        if report.stale:
            shown = report.stale if verbose else report.stale[:5]
            more = f" and {len(report.stale) - len(shown)} more" if len(shown) < len(report.stale) else ""
            names = ", ".join(shown)
            lines += wrapped(
                f"in {report.baseline}, but not among these images: {names}{more}", width, style="dim"
            )
        for each in report.updated:
            lines += wrapped(f"{report.baseline}: {each}", width)
    lines.append(line((headline(report), "good" if report.passed else "bad")))
    return lines


def _verdict(verdict: Verdict, width: int, *, quiet: bool, verbose: bool) -> list[Line]:
    subject = verdict.subject
    name = visible(subject.target)
    if subject.name not in (subject.target, subject.target.removeprefix("docker:")):
        name += f" ({visible(subject.name)})"
    size = (
        f"  {visible(subject.platform)}, {sizes_of(subject)}"
        if subject.platform
        else f"  {sizes_of(subject)}"
    )
    lines: list[Line] = [line((name, "strong"), (size, "dim"))]
    shown = [each for each in verdict.budgets if not quiet or each.passed is not True]
    rows: list[list[Line | str]] = []
    for each in shown:
        style: Style = "good" if each.passed else "bad" if each.passed is False else "warn"
        rows.append([line((outcome(each.passed), style)), each.limit.name, _limit(each)])
    laid = table(rows, left=3)
    longest = max((len(each.limit.source) for each in shown), default=0)
    fits = all(width_of(row) + 2 + longest <= width for row in laid)
    for each, row in zip(shown, laid, strict=True):
        lines.append((*row, (f"  {each.limit.source}", "dim")) if fits else row)
        if not fits:
            lines += wrapped(
                f"set in {each.limit.source}", width, first=line("      "), indent=6, style="dim"
            )
        lines += wrapped(each.message, width, first=line("      "), indent=6)
        details = each.details if verbose or each.passed is not True else ()
        for detail in details:
            lines += wrapped(detail, width, first=line("      - "), indent=8, style="dim")
        for remedy in each.remedies:
            lines += wrapped(remedy, width, first=line("      ", ("> ", "good")), indent=8)
    if not quiet:
        for caveat in of_verdict(verdict):
            lines += wrapped(caveat.text, width, first=line("  "), indent=2, style="dim")
    return lines


def sizes_of(subject: Subject) -> str:
    return f"{amount(subject.compressed)} compressed, {amount(subject.uncompressed)} unpacked"


def _limit(each: Judged) -> str:
    return visible(each.limit.text)


def markdown(report: GateReport) -> str:
    parts = [MARKER, f"### imgopt: {escaped(headline(report))}"]
    several = len(report.verdicts) > 1
    if several:
        titles = ["image", "compressed", "unpacked", "over", "not measured"]
        parts.append(markdown_table(titles, [_image(verdict) for verdict in report.verdicts]))
    parts += listed("Errors", [escaped(str(error)) for error in report.errors])
    for verdict in report.verdicts:
        title = f"{code(verdict.subject.label)}: {sizes_of(verdict.subject)}"
        if several and verdict.passed:
            summary = f"<code>{html(verdict.subject.label)}</code>: {html(sizes_of(verdict.subject))}"
            parts.append(details(summary, _budgets(verdict)))
        else:
            parts += [f"#### {title}", *_budgets(verdict)]
    parts += listed("Notes", [prose(each) for each in (*report.notes, *report.updated)])
    if report.stale:
        parts.append(f"<sub>In the baseline, not looked at: {escaped(', '.join(report.stale))}</sub>")
    return "\n\n".join(parts) + "\n"


_SIGN = {True: "✅", False: "❌", None: "⚠️"}


def _image(verdict: Verdict) -> list[str]:
    subject = verdict.subject
    names = [[each.limit.name for each in some] for some in (verdict.broken, verdict.unmeasured)]
    told = [", ".join(map(code, each)) if each else "none" for each in names]
    sign = _SIGN[False if verdict.broken else None if verdict.unmeasured else True]
    return [f"{sign} {code(subject.label)}", amount(subject.compressed), amount(subject.uncompressed), *told]


def _budgets(verdict: Verdict) -> list[str]:
    """The table of one image, what is over budget and why, and what has to be known to read it."""
    rows = [
        [
            f"{_SIGN[each.passed]} {code(each.limit.name)}",
            escaped(each.limit.text),
            prose(each.message),
            each.basis,
        ]
        for each in verdict.budgets
    ]
    figures = "measured" if not verdict.subject.predicted else "predicted"
    parts = [markdown_table(["budget", "limit", figures, "basis"], rows, left=4)] if rows else []
    for each in (*verdict.broken, *verdict.unmeasured):
        items = [prose(text) for text in each.details]
        parts += listed(each.limit.name, [*items, *(f"**{prose(text)}**" for text in each.remedies)])
    if caveats := of_verdict(verdict):
        notes = "\n".join(f"- {prose(each.text)}" for each in caveats)
        parts.append(details(f"{plural(len(caveats), 'note')} on these figures", [notes]))
    return parts


def gate_object(report: GateReport) -> dict[str, Any]:
    """What stands beside ``schema_version``, ``tool`` and ``errors``."""
    return {
        "passed": report.passed,
        "targets": [_target(verdict) for verdict in report.verdicts],
        "notes": list(report.notes),
        "baseline": None
        if report.baseline is None
        else {"path": report.baseline, "stale": list(report.stale), "updated": list(report.updated)},
    }


def _target(verdict: Verdict) -> dict[str, Any]:
    subject = verdict.subject
    return {
        "target": subject.target,
        "name": subject.name,
        "platform": subject.platform or None,
        "predicted": subject.predicted,
        "passed": verdict.passed,
        "compressed_bytes": subject.compressed.value,
        "uncompressed_bytes": subject.uncompressed.value,
        "complete": subject.compressed.complete,
        "basis": subject.compressed.basis,
        "uncompressed_basis": subject.uncompressed.basis,
        "wasted_bytes": subject.wasted_bytes,
        "efficiency": None if subject.efficiency is None else round(subject.efficiency, 6),
        "layers": [_layer(layer) for layer in subject.layers],
        "budgets": [budget_object(each) for each in verdict.budgets],
        "skipped": [limit.name for limit in verdict.skipped],
        "notes": list(notes_of(subject)),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    from imgopt.inspection.history import shown_command

    return {
        "number": layer.number,
        "instruction": shown_command(layer.command) if layer.command else "",
        "line": layer.line,
        "diff_id": layer.diff_id,
        "digest": layer.digest,
        "compressed_bytes": layer.compressed_bytes,
        "uncompressed_bytes": layer.uncompressed_bytes,
        "changes_each_release": layer.changes_each_release,
        "basis": layer.basis,
    }


def budget_object(each: Judged) -> dict[str, Any]:
    value = each.limit.value
    limit: Any = (
        each.allowed if isinstance(value, Growth) else list(value) if isinstance(value, tuple) else value
    )
    actual: Any = list(each.actual) if isinstance(each.actual, tuple) else each.actual
    if isinstance(actual, float):
        actual = round(actual, 6)
    return {
        "name": each.limit.name,
        "limit": limit,
        "limit_text": each.limit.text,
        "unit": each.limit.unit if each.limit.unit != "growth" else "bytes",
        "bandwidth_bytes_per_s": each.limit.rate,
        "actual": actual,
        "passed": each.passed is True,
        "measured": each.passed is not None,
        "basis": each.basis,
        "source": each.limit.source,
        "message": each.message,
        "details": list(each.details),
        "remedies": list(each.remedies),
    }
