"""What a push sent, mounted and found, and how fast: for people, scripts and pull requests. All figures are measured."""

from __future__ import annotations

from typing import Any

from imgopt.registry.result import Bandwidth, Mounts, PushedAll, PushedBlob, PushResult
from imgopt.report import mounts as report_mounts
from imgopt.report.layout import Line, dim, head, line, table, visible
from imgopt.report.markdown import code, escaped, listed, markdown_table, prose
from imgopt.units import duration, megabytes, rate

_WORDS = {"sent": "sent", "mounted": "mounted", "present": "already there"}
#: Where nothing was made or held here, it is said.
_SHOWN = {"base": "as the base's manifest says", "compared": "read and compared", "tag": "as a tag says"}


def text(result: PushResult, *, width: int, quiet: bool) -> list[Line]:
    lines = [line(("pushed ", "good"), (visible(result.target), "strong"), f"  {result.digest}")]
    if quiet:
        return [line(f"{visible(result.target)}@{result.digest}")]
    rows: list[list[Line | str]] = []
    for number, blob in enumerate(result.layers, 1):
        said = head(visible(blob.created_by) or blob.digest[7:19], max(20, width - 52))
        rows.append([f"layer {number}", _how(blob), said, megabytes(blob.size)])
    rows.append(["config", _how(result.config), "", megabytes(result.config.size)])
    lines += table(rows, left=3)
    lines.append(line(_sum(result)))
    lines += [dim(each) for each in (*mounts_said(result), *result.notes)]
    return lines


def mounts_said(result: PushResult | PushedAll) -> list[str]:
    """What the registry's other repositories gave, and what it cost that some did not."""
    given = [f"{megabytes(size)} from {source}" for source, size in result.mounted_from.items()]
    said = [f"mounted, not sent: {', '.join(given)}"] if given else []
    for each in result.refusals:
        cost = "the question cost nothing" if each.began else "the question cost a round trip"
        said.append(
            f"not mounted from {each.source}: {each.why}; {megabytes(each.sent_bytes)} that it should have were sent, {cost}"
        )
    return said


def _how(blob: PushedBlob) -> str:
    word = _WORDS[blob.how]
    if blob.source:
        word += f" from {visible(blob.source)}"
    if blob.resumed_bytes:
        word += f", {megabytes(blob.resumed_bytes)} of it by an earlier run"
    if blob.shown_by in _SHOWN:
        word += f", {_SHOWN[blob.shown_by]}"
    return word


def _sum(result: PushResult) -> str:
    parts = [f"sent {megabytes(result.sent_bytes)} of {megabytes(result.size)} (measured)"]
    for how in ("mounted", "present"):
        if count := result.bytes_of(how):
            parts.append(f"{_WORDS[how]} {megabytes(count)}")
    took = f"in {duration(result.seconds)}"
    if result.bytes_per_s is not None:
        took += f", {duration(result.sending_s)} of it sending at {rate(_rounded(result.bytes_per_s))}"
    parts.append(took)
    if result.packed_bytes:
        parts.append(
            f"compressed {megabytes(result.packed_bytes)} here in {duration(result.packed_s)} of processor time"
        )
    if result.read_bytes:
        parts.append(f"read {megabytes(result.read_bytes)} to compare")
    return ", ".join(parts)


def markdown(result: PushResult) -> str:
    rows = [
        [
            str(n),
            code(head(blob.created_by, 60) or blob.digest[7:19]),
            megabytes(blob.size),
            escaped(_how(blob)),
        ]
        for n, blob in enumerate(result.layers, 1)
    ]
    rows.append(["-", "config", megabytes(result.config.size), _how(result.config)])
    parts = [
        "<!-- imgopt: push -->",
        f"### imgopt push: {escaped(_sum(result))}",
        f"{code(result.target)} is {code(result.digest)} ({escaped(result.platform)}).",
        markdown_table(["layer", "made by", "bytes", "how"], rows, left=2),
        *listed("Notes", [prose(each) for each in (*mounts_said(result), *result.notes)]),
    ]
    return "\n\n".join(parts) + "\n"


def push_object(result: PushResult) -> dict[str, Any]:
    return {
        "image": result.source,
        "target": result.target,
        "platform": result.platform,
        "digest": result.digest,
        "basis": "measured",
        "compressed_bytes": result.size,
        "sent_bytes": result.sent_bytes,
        "mounted_bytes": result.bytes_of("mounted"),
        "present_bytes": result.bytes_of("present"),
        "seconds": round(result.seconds, 3),
        "sending_s": round(result.sending_s, 3),
        "bytes_per_s": result.bytes_per_s,
        "layers": [_blob_object(blob) for blob in result.layers],
        "config": _blob_object(result.config),
        "compressed_here": {
            "uncompressed_bytes": result.packed_bytes,
            "processor_s": round(result.packed_s, 3),
        },
        "read_bytes": result.read_bytes,
        "learned_from": list(result.looked_at),
        **mounts_object(result),
        "notes": list(result.notes),
    }


def mounts_object(result: PushResult | PushedAll) -> dict[str, Any]:
    return {
        "mounted_from": dict(result.mounted_from),
        "refused_mounts": [
            {
                "repository": each.source,
                "why": each.why,
                "sent_bytes": each.sent_bytes,
                "began_upload": each.began,
            }
            for each in result.refusals
        ],
    }


def _blob_object(blob: PushedBlob) -> dict[str, Any]:
    return {
        "diff_id": blob.diff_id,
        "digest": blob.digest,
        "compressed_bytes": blob.size,
        "how": blob.how,
        "sent_bytes": blob.sent_bytes,
        "resumed_bytes": blob.resumed_bytes,
        "mounted_from": blob.source,
        "shown_by": blob.shown_by,
        "seconds": round(blob.seconds, 3),
        "instruction": blob.created_by,
    }


def bandwidth_text(found: Bandwidth, mounts: Mounts | None = None, *, width: int = 100) -> list[Line]:
    per_s = rate(_rounded(found.bytes_per_s))
    lines = [
        line(
            (visible(found.target), "strong"),
            f": {per_s} (measured: {megabytes(found.timed_bytes)} in {duration(found.seconds)},"
            f" a round trip takes {found.round_trip_s * 1000:.0f} ms)",
        ),
        line(f"  imgopt suggest --bandwidth {per_s.replace(' ', '')}"),
    ]
    if not found.cancelled:
        lines.append(dim(_NOT_CANCELLED))
    return lines + (report_mounts.text(found, mounts, width) if mounts is not None else [])


_NOT_CANCELLED = "the registry did not cancel the upload; it removes unfinished ones by itself"


def bandwidth_markdown(found: Bandwidth, mounts: Mounts | None = None) -> str:
    return (
        "<!-- imgopt: bandwidth -->\n\n"
        f"{code(found.target)}: {rate(_rounded(found.bytes_per_s))} (measured: {megabytes(found.timed_bytes)} in"
        f" {duration(found.seconds)}, round trip {found.round_trip_s * 1000:.0f} ms)\n"
        f"{'' if found.cancelled else f'{chr(10)}- {escaped(_NOT_CANCELLED)}{chr(10)}'}"
        f"{'' if mounts is None else chr(10) + report_mounts.markdown(found, mounts)}"
    )


def bandwidth_object(found: Bandwidth, mounts: Mounts | None = None) -> dict[str, Any]:
    return {
        "target": found.target,
        "bytes_per_s": found.bytes_per_s,
        "bandwidth": rate(_rounded(found.bytes_per_s)).replace(" ", ""),
        "sent_bytes": found.sent_bytes,
        "timed_bytes": found.timed_bytes,
        "seconds": round(found.seconds, 3),
        "round_trip_s": round(found.round_trip_s, 4),
        "cancelled": found.cancelled,
        "basis": "measured",
        "mounts": report_mounts.mounts_object(found, mounts) if mounts is not None else None,
    }


def _rounded(bytes_per_s: int) -> int:
    """Three digits: more would be noise."""
    unit = int(10 ** max(0, len(str(bytes_per_s)) - 3))
    return bytes_per_s // unit * unit
