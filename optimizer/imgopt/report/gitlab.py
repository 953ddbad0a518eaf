"""GitLab's code quality report (``artifacts: reports: codequality``)."""

from __future__ import annotations

import json

from imgopt.report.remarks import Remark, Remarks
from imgopt.report.sarif import fingerprints
from imgopt.report.uris import relative
from imgopt.text.foreign import in_json, visible

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
                "location": {"path": _sayable(relative(each.path)), "lines": {"begin": max(1, each.line)}},
            }
        )
    return (in_json(json.dumps(issues, indent=2, ensure_ascii=True)) + "\n").encode()


def _sayable(path: str) -> str:
    """JSON has no way to write a name that is not UTF-8."""
    return "".join(visible(sign) if "\ud800" <= sign <= "\udfff" else sign for sign in path)


def _first(remark: Remark) -> tuple[str, ...]:
    return tuple(f"({text})" for text in (remark.details if remark.caveat else remark.details[:1]))
