"""Where results go: standard output or a file, whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from imgopt.errors import InputError

TYPE_CHECKING = False  # type checkers know the name; typing itself would cost --version 4 ms
if TYPE_CHECKING:
    from imgopt.report.layout import Line


def emit(data: bytes, output_file: str | None) -> None:
    """The bytes, exactly. InputError when they cannot be written; a reader that has gone away is no error."""
    if output_file is not None:
        from imgopt.cli.files import write_file

        write_file(output_file, data)
        return
    stdout = sys.stdout
    if stdout is None:
        raise InputError("standard output is closed", "give --output-file FILE")
    try:
        stdout.flush()
        binary = getattr(stdout, "buffer", None)
        if binary is None:  # replaced by something that takes text only
            stdout.write(data.decode("utf-8", "replace"))
        else:
            binary.write(data)
            binary.flush()
        stdout.flush()
    except BrokenPipeError:
        forget_stdout()
    except OSError as error:
        forget_stdout()
        raise InputError(
            f"standard output cannot be written: {error.strerror or error}", "free some space"
        ) from error


def emit_lines(lines: Iterable[Line], output_file: str | None, *, no_color: bool) -> None:
    """Lines for people: in colour on a terminal, plain otherwise."""
    from imgopt.report.terminal import encoded, show, wants_colour

    if output_file is None and wants_colour(sys.stdout, no_color):
        show(lines, sys.stdout)
        sys.stdout.flush()
        return
    encoding = "utf-8" if output_file is not None else getattr(sys.stdout, "encoding", None)
    emit(encoded(lines, encoding or "utf-8"), output_file)


def note(text: str) -> None:
    """One line on standard error."""
    from imgopt.report.layout import visible

    stderr = sys.stderr
    if stderr is None:
        return
    try:
        encoding = stderr.encoding or "utf-8"
        shown = visible(text).encode(encoding, "backslashreplace").decode(encoding)
        stderr.write(f"{shown}\n")
        stderr.flush()
    except (OSError, ValueError):  # nobody is there to be told
        pass


def forget_stdout() -> None:
    """Lets nothing more fail: what is still buffered goes nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
