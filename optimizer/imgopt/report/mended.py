"""What `imgopt compare` says of an original that does not build, as was predicted, and of its rewrite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgopt.report.caveats import of_file
from imgopt.report.comparison import size_and_basis
from imgopt.report.comparison_json import identity, image
from imgopt.report.figures import amount
from imgopt.report.json import file_object
from imgopt.report.layout import Line, Style, line, visible, wrapped
from imgopt.report.markdown import code, escaped, prose
from imgopt.units import duration

if TYPE_CHECKING:
    from imgopt.comparison.mended import Mended


def text(found: Mended, *, width: int, quiet: bool = False) -> list[Line]:
    """Everything on standard output."""
    if quiet:
        return [line((visible(found.file.path), "strong"), f": {_verdict(found)}")]
    lines = [line((visible(found.file.path), "strong"), (f"  {found.after.platform}", "dim"))]
    lines += wrapped(f"built with {found.engine_description}", width, style="dim")
    lines += [(), line(("The original does not build, as predicted", "strong"))]
    for label, said in _failure(found):
        lines += wrapped(visible(said), width, first=line("  ", (f"{label:<10}", "dim")), indent=12)
    style: Style = "good" if found.works else "warn"
    lines += [(), line(("The rewrite  ", "strong"), (_rewrite(found), style))]
    lines += wrapped(found.said, width, first=line("  ", (f"{'start':<10}", "dim")), indent=12)
    for label, answer in _answers(found):
        lines += wrapped(
            visible(f"{label}: {answer}"), width, first=line("  ", (f"{'answer':<10}", "dim")), indent=12
        )
    lines.append(line("  ", (f"{'image size':<12}", "dim"), *size_and_basis(found.after.compressed)))
    for missing in found.not_measured:
        lines += wrapped(missing, width, first=line(("  not measured  ", "warn")), indent=16)
    if found.limits is not None:
        lines += wrapped(f"it was started with {found.limits.text}", width, first=line("  "), indent=4)
    for note in found.notes:
        lines += wrapped(note, width, first=line("  "), indent=4, style="dim")
    log = found.start.log if found.start is not None and not found.start.works else ""
    if log:
        lines.append(line("  the end of what the rewrite printed:"))
        lines += [line(f"    {visible(row)}") for row in log.splitlines()[-30:]]
    for caveat in of_file(found.file):
        lines += wrapped(caveat.text, width, first=line(("warning ", "warn")), indent=8)
    return lines


def _failure(found: Mended) -> list[tuple[str, str]]:
    why = found.foretold
    at = f"{why.step}: " if why.step else ""
    return [("predicted", f"line {why.line}: {why.message}"), ("seen", f"{at}{why.seen}")]


def _rewrite(found: Mended) -> str:
    if found.works:
        return "builds and works"
    return "builds" if found.start is None else "builds, and was not seen to work"


def _verdict(found: Mended) -> str:
    return f"the original does not build, as predicted; the rewrite {_rewrite(found)}"


def _answers(found: Mended) -> list[tuple[str, str]]:
    if found.start is None:
        return []
    return [(name, answers[0].shown) for name, answers in found.start.answers.items() if answers]


def json_object(found: Mended) -> dict[str, Any]:
    """What stands beside the envelope: there is no comparison, and no image of the original."""
    file = file_object(found.file)
    why, seen = found.foretold, found.start
    return {
        "compared": False,
        "path": found.file.path,
        "engine": {"name": found.engine, "description": found.engine_description},
        "mended": {
            "predicted": {"line": why.line, "message": why.message},
            "seen": {"step": why.step, "reason": why.seen},
            "rewrite": {
                "builds": True,
                "works": found.works,
                "started": seen is not None,
                "not_run": found.not_run,
                "start": found.said,
                "start_seconds": round(seen.seconds, 3) if seen is not None and seen.works else None,
                "memory_bytes": seen.memory_bytes if seen is not None else None,
                "answers": dict(_answers(found)),
                "log": seen.log if seen is not None and not seen.works else None,
                "basis": "measured" if found.works else "unknown",
            },
            "not_measured": list(found.not_measured),
        },
        "images": {"after": identity(found.after)},
        "after": image(found.after),
        "notes": list(found.notes),
        "warnings": file["warnings"],
        "rewrite": file["rewrite"],
        "findings": file["findings"],
        "prediction": file["prediction"],
    }


def markdown(found: Mended) -> str:
    """For a pull-request comment."""
    rows = [f"### imgopt compare: {code(found.file.path)}", ""]
    rows += [
        f"Built with {found.engine_description} for {found.after.platform}; **{prose(_verdict(found))}**.",
        "",
    ]
    rows += [f"- {label}: {prose(said)}" for label, said in _failure(found)]
    rows.append(f"- start: {prose(found.said)}")
    rows += [f"- answer: {escaped(f'{label}: {answer}')}" for label, answer in _answers(found)]
    rows.append(
        f"- image size: {amount(found.after.compressed)}, built in {duration(found.after.build_seconds)}"
    )
    rows += [f"- not measured: {prose(missing)}" for missing in found.not_measured]
    rows += [f"- {prose(note)}" for note in found.notes]
    return "\n".join(rows) + "\n"
