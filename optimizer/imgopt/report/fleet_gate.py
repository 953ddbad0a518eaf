"""The verdict on a fleet: budgets of all modules together first, then each module's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt.light.records import replace
from imgopt.report import gate
from imgopt.report.figures import plural
from imgopt.report.json import Object, envelope
from imgopt.report.layout import Line, Style, line, wrapped
from imgopt.report.markdown import code, escaped, markdown_table
from imgopt.report.remarks import Checked, Remark, Remarks, of_gate

if TYPE_CHECKING:
    from imgopt.gate.judge import Judged
    from imgopt.gate.run import GateReport

MARKER = "<!-- imgopt: fleet gate -->"
TOGETHER = "all modules"


def passed(together: Sequence[Judged], each: GateReport) -> bool:
    return all(one.passed for one in together) and not each.errors and all(v.passed for v in each.verdicts)


def _headline(together: Sequence[Judged], each: GateReport) -> str:
    if passed(together, each):
        return "the gate holds"
    broken = sum(one.passed is False for one in together) + sum(bool(v.broken) for v in each.verdicts)
    unknown = sum(one.passed is None for one in together) + sum(bool(v.unmeasured) for v in each.verdicts)
    parts = [f"{broken} over budget"] if broken else []
    parts += [f"{unknown} not measured"] if unknown else []
    parts += [plural(len(each.errors), "error")] if each.errors else []
    return f"the gate fails: {', '.join(parts)}"


def text(
    together: Sequence[Judged], each: GateReport, *, width: int, quiet: bool, verbose: bool
) -> list[Line]:
    lines: list[Line] = []
    shown = [one for one in together if not quiet or not one.passed]
    if shown:
        lines.append(line((TOGETHER, "strong")))
    for one in shown:
        style: Style = "good" if one.passed else "bad" if one.passed is False else "warn"
        first = line("  ", (gate.outcome(one.passed), style), f"  {one.limit.name} {one.limit.text}: ")
        lines += wrapped(one.message, width, first=first, indent=6)
        lines += wrapped(f"set in {one.limit.source}", width, first=line("      "), indent=6, style="dim")
    if each.verdicts:
        lines += ((), *gate.text(replace(each, errors=()), width=width, quiet=quiet, verbose=verbose)[:-1])
    good = passed(together, each)
    return [*lines, line((_headline(together, each), "good" if good else "bad"))]


def markdown(together: Sequence[Judged], each: GateReport) -> str:
    sign = {True: "✅", False: "❌", None: "⚠️"}
    rows = [
        [
            f"{sign[one.passed]} {code(one.limit.name)}",
            escaped(one.limit.text),
            escaped(one.message),
            one.basis,
        ]
        for one in together
    ]
    parts = [MARKER, f"### imgopt fleet: {escaped(_headline(together, each))}"]
    if rows:
        parts.append(markdown_table(["budget", "limit", "predicted", "basis"], rows, left=4))
    if each.verdicts or each.errors:
        parts += gate.markdown(each).split("\n\n")[2:]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def gate_object(together: Sequence[Judged], each: GateReport) -> Object:
    return envelope(
        each.errors,
        passed=passed(together, each),
        budgets=[gate.budget_object(one) for one in together],
        targets=gate.gate_object(each)["targets"],
        notes=list(each.notes),
    )


def remarks(together: Sequence[Judged], each: GateReport, config: str | None) -> Remarks:
    """One suite for all modules together, and one for each."""
    found = of_gate(each, config)
    told = tuple(
        Remark(
            TOGETHER,
            one.limit.name,
            "error",
            one.message if one.passed is False else f"not measured: {one.message}",
            config or "imgopt.toml",
            fails=True,
            broken=one.passed is None,
        )
        for one in together
        if not one.passed
    )
    first = Checked(TOGETHER, tuple(one.limit.name for one in together), told)
    checked = (first, *found.checked) if together else found.checked
    return Remarks("fleet gate", checked, found.summaries)
