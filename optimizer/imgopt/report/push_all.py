"""What a push of several images did, as a whole and image by image."""

from __future__ import annotations

from typing import Any

from imgopt.registry.result import Outcome, PushedAll
from imgopt.report.layout import Line, dim, line, table, visible
from imgopt.report.markdown import code, escaped, listed, markdown_table, prose
from imgopt.report.push import mounts_object, mounts_said, push_object
from imgopt.units import duration, megabytes


def text(found: PushedAll, *, width: int, quiet: bool) -> list[Line]:
    if quiet:
        return [line(f"{visible(each.target)}@{each.digest}") for each in found.results]
    rows: list[list[Line | str]] = [
        [
            visible(each.target),
            _what(each),
            _bytes(each, "sent"),
            _bytes(each, "mounted"),
            _bytes(each, "present"),
        ]
        for each in found.outcomes
    ]
    header: list[Line | str] = ["", "", "sent", "mounted", "there"]
    lines = table([header, *rows], left=2)
    lines.append(line(_sum(found)))
    lines += [dim(each) for each in mounts_said(found)]
    lines += [dim(f"{visible(each.target)}: {note}") for each in found.results for note in each.notes]
    return lines


def _what(each: Outcome) -> str:
    return each.result.digest[:19] + "…" if each.result is not None else "failed"


def _bytes(each: Outcome, how: str) -> str:
    if each.result is None:
        return ""
    count = each.result.sent_bytes if how == "sent" else each.result.bytes_of(how)  # type: ignore[arg-type]
    return megabytes(count)


def _sum(found: PushedAll) -> str:
    done = len(found.results)
    count = f"{done} of {len(found.outcomes)}" if found.errors else f"{done}"
    parts = [
        f"pushed {count} image{'' if count == '1' else 's'}",
        f"sent {megabytes(found.sent_bytes)} of {megabytes(found.size)} (measured)",
    ]
    for how, word in (("mounted", "mounted"), ("present", "already there")):
        if number := found.bytes_of(how):  # type: ignore[arg-type]
            parts.append(f"{word} {megabytes(number)}")
    parts.append(f"in {duration(found.seconds)}")
    if found.packed_bytes:
        parts.append(
            f"compressed {megabytes(found.packed_bytes)} here in {duration(found.packed_s)} of processor time"
        )
    return ", ".join(parts)


def markdown(found: PushedAll) -> str:
    rows = [
        [
            code(each.target),
            escaped(_what(each)),
            *(_bytes(each, how) for how in ("sent", "mounted", "present")),
        ]
        for each in found.outcomes
    ]
    parts = [
        "<!-- imgopt: push -->",
        f"### imgopt push: {escaped(_sum(found))}",
        markdown_table(["target", "outcome", "sent", "mounted", "there"], rows, left=2),
        *listed("Errors", [escaped(str(error)) for error in found.errors]),
        *listed(
            "Notes",
            [
                *map(prose, mounts_said(found)),
                *(prose(f"{each.target}: {note}") for each in found.results for note in each.notes),
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def all_object(found: PushedAll) -> dict[str, Any]:
    """``pushes``: of every image, in the call's order; ``error`` in place of what a failed one has no figures for."""
    return {
        "pushes": [_outcome_object(each) for each in found.outcomes],
        "total": {
            "images": len(found.outcomes),
            "failed": len(found.errors),
            "basis": "measured",
            "compressed_bytes": found.size,
            "sent_bytes": found.sent_bytes,
            "mounted_bytes": found.bytes_of("mounted"),
            "present_bytes": found.bytes_of("present"),
            "seconds": round(found.seconds, 3),
            **mounts_object(found),
            "compressed_here": {
                "uncompressed_bytes": found.packed_bytes,
                "processor_s": round(found.packed_s, 3),
            },
        },
    }


def _outcome_object(each: Outcome) -> dict[str, Any]:
    if each.result is not None:
        return {**push_object(each.result), "error": None}
    message = (
        f"{each.error.message}; {each.error.hint}" if each.error and each.error.hint else str(each.error)
    )
    return {"image": each.source, "target": each.target, "error": message}
