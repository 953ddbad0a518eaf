"""SARIF 2.1.0, for GitHub's code scanning and for editors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from imgopt import __version__
from imgopt.report.remarks import Remark, Remarks
from imgopt.report.uris import relative, uri
from imgopt.text.foreign import in_json, visible

#: Where the pages of docs/ are published.
PAGES = "https://imgopt.example/docs"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def rendered(remarks: Remarks) -> bytes:
    """One run; findings are results; what could not be read or measured, and what a reader has to know besides, are
    notifications of the invocation."""
    told = [each for each in remarks.all if each.name in remarks.summaries and not each.caveat]
    used = list(dict.fromkeys(each.name for each in told))
    results = [each for each in told if not each.broken]
    caveats = [each for each in remarks.all if each.caveat]
    troubles = [each for each in remarks.all if each.broken]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "imgopt",
                "version": __version__,
                "informationUri": f"{PAGES}/",
                "rules": [_rule(name, remarks) for name in used],
            }
        },
        "automationDetails": {"id": f"imgopt/{remarks.command}/"},
        "invocations": [
            {
                "executionSuccessful": not troubles,
                "toolExecutionNotifications": [_notification(each) for each in (*troubles, *caveats)],
            }
        ],
        "results": [
            _result(each, used.index(each.name), mark)
            for each, mark in zip(results, fingerprints(results), strict=True)
        ],
        "columnKind": "unicodeCodePoints",
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return (in_json(json.dumps(document, indent=2, ensure_ascii=True)) + "\n").encode()


def _rule(name: str, remarks: Remarks) -> dict[str, Any]:
    """A rule with its page; a budget with that of the gate."""
    summary = remarks.summaries[name]
    documentation = remarks.documentation.get(name)
    if documentation is None:
        full, about = summary, {"text": summary}
        page = "gate"
    else:
        # the second paragraph that is no heading: why it costs
        paragraphs = [each for each in documentation.split("\n\n") if each.strip()]
        why = next(
            (each.partition("\n")[2] for each in paragraphs if each.startswith("## Why it costs\n")), ""
        )
        full = " ".join(f"{summary} {why}".split())
        about = {"text": documentation, "markdown": documentation}
        page = f"rules/{name}"
    return {
        "id": name,
        "name": name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": full},
        "help": about,
        "helpUri": f"{PAGES}/{page}/",
    }


def _fix(remark: Remark) -> dict[str, Any]:
    description = next((each for each in remark.details if each.startswith("fix (")), remark.message)
    replacements = [
        {
            "deletedRegion": {
                "startLine": each.begin[0],
                "startColumn": each.begin[1],
                "endLine": each.end[0],
                "endColumn": each.end[1],
            },
            "insertedContent": {"text": each.text},
        }
        for each in remark.edits
    ]
    change = {"artifactLocation": {"uri": uri(remark.path)}, "replacements": replacements}
    return {"description": {"text": visible(description)}, "artifactChanges": [change]}


def _result(remark: Remark, index: int, mark: str) -> dict[str, Any]:
    return {
        "ruleId": remark.name,
        "ruleIndex": index,
        "level": remark.level,
        "message": {"text": "\n".join(visible(part) for part in (remark.message, *remark.details))},
        "locations": [_location(remark)],
        **({"relatedLocations": _related(remark)} if remark.related else {}),
        "partialFingerprints": {"imgopt/v1": mark},
        **({"fixes": [_fix(remark)]} if remark.edits else {}),
    }


def _notification(remark: Remark) -> dict[str, Any]:
    lines = (remark.message, *(remark.details if remark.caveat else ()))
    return {
        "level": "note" if remark.caveat else "error",
        "message": {"text": "\n".join(visible(part) for part in lines)},
        "locations": [_location(remark)],
    }


def _location(remark: Remark) -> dict[str, Any]:
    return _physical(remark.path, remark.line, remark.end_line)


def _related(remark: Remark) -> list[dict[str, Any]]:
    """What the message names besides; the text says the line, so that viewers without links are no worse off."""
    return [
        {"id": number, **_physical(remark.path, line, end), "message": {"text": f"line {line}"}}
        for number, (line, end) in enumerate(remark.related, start=1)
    ]


def _physical(path: str, line: int, end_line: int) -> dict[str, Any]:
    # code scanning refuses a place without a line
    start = max(1, line)
    region = {"startLine": start, "endLine": max(start, end_line)}
    return {"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": region}}


def fingerprints(remarks: Sequence[Remark]) -> list[str]:
    """One for each remark, the same when lines move and when figures change: of the rule, the file, what it belongs
    to, and which one of its kind it is."""
    seen: dict[str, int] = {}
    found = []
    for remark in remarks:
        text = "\0".join((remark.name, relative(remark.path), remark.group))
        seen[text] = seen.get(text, 0) + 1
        data = f"{text}\0{seen[text]}".encode("utf-8", "surrogateescape")
        found.append(hashlib.sha256(data).hexdigest()[:32])
    return found
