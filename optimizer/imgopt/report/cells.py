"""Cells of the tables that people read: a figure and the first letter of where it comes from."""

from __future__ import annotations

from imgopt.finding import Finding
from imgopt.report.layout import Line, Style, dim, line
from imgopt.scales import Applicability, Severity, Sum
from imgopt.suggest.result import FileReport

SEVERITY: dict[Severity, Style] = {Severity.HIGH: "bad", Severity.MEDIUM: "warn", Severity.LOW: "dim"}


def with_basis(text: str, each: Sum) -> Line:
    if text == "unknown":
        return dim("unknown  ")
    return (text, ""), (f" {each.basis[0]}", "dim")


def without_basis(text: str) -> Line:
    return dim("unknown  ") if text == "unknown" else line(f"{text}  ")


def trust(finding: Finding, file: FileReport) -> str:
    """How far a fix can be trusted, and whether it waits."""
    assert finding.fix is not None
    label = finding.fix.applicability.label
    if finding.fix.applicability is Applicability.UNSAFE:
        return f"{label}, applied" if finding.rule in file.rewrite.applied else "needs --unsafe"
    return label
