"""Findings and broken budgets in one shape, for the formats that CI systems read: a place, a level, a message.

`suggest` and `gate` both speak it; SARIF, JUnit, GitLab and GitHub are each written once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from imgopt.dockerfile import in_order
from imgopt.finding import Finding, Sentence
from imgopt.light.records import dataclass, field
from imgopt.report.caveats import Caveat, of_file, of_verdict
from imgopt.report.figures import saves_or_costs
from imgopt.scales import Applicability
from imgopt.suggest.sentence import sentence
from imgopt.text.foreign import acting

if TYPE_CHECKING:
    from imgopt.errors import ImgoptError
    from imgopt.gate.judge import Judged, Verdict
    from imgopt.gate.run import GateReport
    from imgopt.scales import Severity
    from imgopt.suggest.result import FileReport, Report
    from imgopt.weigh.weights import Saving

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is wrong. ``path`` is relative where it can be, with ``line`` (0: the whole file).

    ``group`` is what it belongs to (a Dockerfile, an image), ``name`` the rule or budget. ``fails``: it decides the
    exit code. ``broken``: it could not be measured, or the input was wrong. ``caveat``: nothing is wrong, but who reads
    the rest has to know it. ``details`` are further sentences; ``related`` the lines (first, last) that they name.
    """

    group: str
    name: str
    level: Level
    message: str
    path: str
    line: int = 0
    end_line: int = 0
    fails: bool = False
    broken: bool = False
    details: tuple[str, ...] = ()
    caveat: bool = False
    related: tuple[tuple[int, int], ...] = ()
    edits: tuple[Replaced, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """``text`` instead of what stands between two places of the file, each a line and a column from 1 on, in code points;
    the second place is the first one that stays."""

    begin: tuple[int, int]
    end: tuple[int, int]
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at in one Dockerfile or image: the names of the checks, and the remarks they made."""

    group: str
    names: tuple[str, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Remarks:
    """``summaries``: for each rule or budget one line on what it is; ``documentation``: of rules all of it, in Markdown."""

    command: str
    checked: tuple[Checked, ...]
    summaries: dict[str, str]
    documentation: dict[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Remark, ...]:
        return tuple(remark for each in self.checked for remark in each.remarks)


_SEVERITY: dict[str, Level] = {"high": "error", "medium": "warning", "low": "note"}

BUDGETS = {
    "max-size": "Compressed bytes of the image: the sum of its layers.",
    "max-unpacked": "Bytes of the unpacked layers, sparse files with their length.",
    "max-layer": "Compressed bytes of the largest layer.",
    "max-first-push": "What the first push of all platforms sends, each blob once, in bytes or as a time at a rate.",
    "max-next-push": "What the push of the next release sends, each blob once, in bytes or as a time at a rate.",
    "max-bump": "What the push of a release sends that has another patch of Spring Boot, in bytes or as a time at a rate.",
    "max-layers": "Number of layers.",
    "max-waste": "Unpacked bytes that are hidden by later layers.",
    "min-efficiency": "Share of the stored bytes that is needed, as dive counts it.",
    "forbid": "What must not be in the image.",
    "max-growth": "How much larger than its baseline the image may be.",
}


def of_suggest(
    report: Report,
    fail_on: Severity | None,
    summaries: dict[str, str],
    pipeline_rules: Collection[str] = (),
    documentation: dict[str, str] | None = None,
) -> Remarks:
    """``summaries``: of the rules that were asked; those of ``pipeline_rules`` look at CI files alone."""
    checked = [
        Checked(
            file.path,
            tuple(name for name in summaries if (name in pipeline_rules) == (file.pipeline is not None)),
            (
                *(_finding(file, finding, saving, fail_on) for finding, saving in file.findings),
                *(_caveat(each, file.path, file.path) for each in of_file(file, report.files)),
            ),
        )
        for file in report.files
    ]
    checked += _errors(report.errors)
    return Remarks("suggest", tuple(checked), summaries, documentation or {})


def _finding(file: FileReport, finding: Finding, saving: Saving | None, fail_on: Severity | None) -> Remark:
    details = []
    if finding.fix is not None:
        fix = finding.fix
        name = "advice" if fix.applicability is Applicability.MANUAL else "fix"
        details.append(f"{name} ({fix.applicability.label}): {sentence(fix.description)}")
        if fix.risk:
            details.append(f"what could change: {sentence(fix.risk)}")
    label, said = saves_or_costs(saving)
    if said:
        details.append(f"{label} {said}")
    if finding.solved_by is not None:
        details.append(f"what it saves is counted with {finding.solved_by}")
    return Remark(
        file.path,
        finding.rule,
        _SEVERITY[finding.severity.value],
        sentence(finding.message),
        file.path,
        finding.line,
        finding.end_line,
        fails=fail_on is not None and finding.severity.rank >= fail_on.rank,
        details=tuple(details),
        related=_related(finding),
        edits=_edits(finding, file.original),
    )


def _edits(finding: Finding, text: str) -> tuple[Replaced, ...]:
    """What a fix that is safe would change in the file, where an editor can do it as it stands."""
    fix = finding.fix
    # an editor counts no byte order mark, and shows what would act as something else
    if fix is None or fix.later or fix.applicability is not Applicability.SAFE or text.startswith("\ufeff"):
        return ()
    edits = in_order(fix.edits)
    if any(acting(each.replacement) is not None for each in edits):
        return ()
    return tuple(
        Replaced(_place(text, each.span.start), _place(text, each.span.end), each.replacement)
        for each in edits
    )


def _place(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


def _related(finding: Finding) -> tuple[tuple[int, int], ...]:
    """The lines of the original that the finding and its fix speak of, besides its own."""
    fix = finding.fix
    said = (finding.message, *((fix.description, fix.risk) if fix is not None else ()))
    lines = [
        (place.instruction.line, place.instruction.end_line)
        for each in said
        if isinstance(each, Sentence)
        for place in each.places
        if place.text == "original"
    ]
    return tuple(each for each in dict.fromkeys(lines) if each[0] != finding.line)


def _caveat(caveat: Caveat, group: str, path: str) -> Remark:
    return Remark(
        group,
        caveat.name,
        "note",
        caveat.text,
        path,
        caveat.line,
        caveat.line,
        details=caveat.details,
        caveat=True,
    )


def of_gate(report: GateReport, config: str | None) -> Remarks:
    """``config``: the path of the file that holds the budgets, where a broken one is shown."""
    checked = []
    for verdict in report.verdicts:
        names = tuple(each.limit.name for each in verdict.budgets)
        remarks = [_budget(verdict, each, config) for each in verdict.budgets if each.passed is not True]
        label = verdict.subject.label
        where = verdict.subject.path or _file_of(verdict.subject.target)
        remarks += [_caveat(each, label, where) for each in of_verdict(verdict)]
        checked.append(Checked(label, names, tuple(remarks)))
    checked += _errors(report.errors)
    return Remarks("gate", tuple(checked), dict(BUDGETS))


def _budget(verdict: Verdict, each: Judged, config: str | None) -> Remark:
    subject = verdict.subject
    source = re.fullmatch(r".+:(\d+)", each.limit.source)
    path, line = subject.path or _file_of(subject.target), 0
    if subject.path is None and config is not None and source is not None:
        path, line = config, int(source[1])
    elif subject.predicted:
        changed = [layer.line for layer in subject.layers if layer.line]
        line = min(changed, default=1)
    return Remark(
        subject.label,
        each.limit.name,
        "error",
        f"{subject.label}: {each.message}"
        if each.passed is not None
        else f"{subject.label}: not measured: {each.message}",
        path,
        line,
        line,
        fails=True,
        broken=each.passed is None,
        details=(*each.details, *each.remedies),
    )


def _file_of(target: str) -> str:
    """A file to show a verdict at; an image in a daemon or registry has none, the Dockerfile is the nearest."""
    from pathlib import Path

    try:
        return target if Path(target).is_file() else "Dockerfile"
    except (OSError, ValueError):
        return "Dockerfile"


def _errors(errors: Iterable[ImgoptError]) -> Sequence[Checked]:
    found = []
    for error in errors:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        group = error.path or "imgopt"
        remark = Remark(
            group,
            "error",
            "error",
            message,
            error.path or "Dockerfile",
            error.line or 0,
            error.line or 0,
            True,
            True,
        )
        found.append(Checked(group, ("error",), (remark,)))
    return found
