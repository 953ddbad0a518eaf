"""GitHub Actions: annotations as workflow commands, and the job's summary where GitHub asks for one."""

from __future__ import annotations

from imgopt.report.remarks import Remark, Remarks
from imgopt.report.uris import relative
from imgopt.text.foreign import lines, visible

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
#: How the lines begin that the runner shall obey.
COMMANDS = tuple(f"::{each} file=" for each in _COMMANDS.values())


def rendered(remarks: Remarks) -> bytes:
    """One ``::error file=…`` line for each remark, those that fail the job as errors."""
    return "".join(f"{_command(each)}\n" for each in remarks.all).encode("utf-8", "backslashreplace")


def _command(remark: Remark) -> str:
    name = "error" if remark.fails or remark.broken else _COMMANDS[remark.level]
    properties = {"file": relative(remark.path)}
    if remark.line:
        properties["line"] = str(remark.line)
        if remark.end_line > remark.line:
            properties["endLine"] = str(remark.end_line)
    properties["title"] = f"imgopt: {remark.name}"
    shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {shown}::{_data(remark)}"


def _data(remark: Remark) -> str:
    text = "\n".join(visible(part) for part in (remark.message, *remark.details))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    value = visible(value).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return value.replace(":", "%3A").replace(",", "%2C")


def write_summary(markdown: str, path: str) -> None:
    """Adds to the job's summary, the file that GITHUB_STEP_SUMMARY names. InputError when it cannot be written."""
    from pathlib import Path

    from imgopt.errors import InputError

    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(lines(markdown.rstrip()) + "\n\n")
    except OSError as error:
        raise InputError(
            f"GITHUB_STEP_SUMMARY cannot be written: {error.strerror or error}", path=path
        ) from error
