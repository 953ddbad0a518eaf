"""GitLab's code quality report (``artifacts: reports: codequality``)."""

from __future__ import annotations

import json

from imgopt.report.layout import visible
from imgopt.report.remarks import Remark, Remarks
from imgopt.report.sarif import fingerprints
from imgopt.report.uris import relative

_SEVERITY = {"error": "major", "warning": "minor", "note": "info"}


def rendered(remarks: Remarks) -> bytes:
    """A list of issues; GitLab takes those with the same fingerprint for one."""
    issues = []
    for each, mark in zip(remarks.all, fingerprints(remarks.all), strict=True):
        issues.append(
            {
                "description": visible(" ".join((each.message, *_first(each)))),
                "check_name": each.name,
                "fingerprint": mark,
                "severity": "blocker" if each.broken else "critical" if each.fails else _SEVERITY[each.level],
                "location": {"path": relative(each.path), "lines": {"begin": max(1, each.line)}},
            }
        )
    return (json.dumps(issues, indent=2, ensure_ascii=True) + "\n").encode()


def _first(remark: Remark) -> tuple[str, ...]:
    return tuple(f"({text})" for text in remark.details[:1])
