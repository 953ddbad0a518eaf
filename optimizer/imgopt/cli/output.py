"""Where results go: standard output or a file, whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from imgopt.errors import InputError

TYPE_CHECKING = False  # type checkers know the name; typing itself would cost --version 4 ms
if TYPE_CHECKING:
    from imgopt.report.layout import Line


def emit(data: bytes, output_file: str | None, own: tuple[str, ...] = ()) -> None:
    """A document in UTF-8, in which nothing acts on a terminal or a CI runner, whatever a format has forgotten.

    ``own``: how lines begin that are meant as commands to a runner. InputError when it cannot be written; a reader that
    has gone away is no error.
    """
    from imgopt.text.foreign import lines

    emit_exactly(lines(data.decode("utf-8", "surrogateescape"), own).encode(), output_file)


def emit_exactly(data: bytes, output_file: str | None) -> None:
    """The bytes, as `emit` does but with nothing changed: for what is a file's own text, or has been made safe."""
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


def is_read_as_it_comes(output_file: str | None) -> bool:
    """Whether what is written there goes to a terminal, a pipe, a socket or a job's log, not to its own file."""
    import stat
    from pathlib import Path

    try:
        if output_file is not None:
            status = Path(output_file).stat()
            log = stat.S_ISCHR(status.st_mode) and output_file != os.devnull
        else:
            status = os.fstat(sys.stdout.fileno())
            # Jenkins collects both streams of a step in one file
            log = sys.stdout.isatty() or (
                stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.fstat(sys.stderr.fileno()))
            )
    except (OSError, ValueError, AttributeError):  # not there yet, or no stream of the system's
        return False
    return log or stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode)


def emit_lines(lines: Iterable[Line], output_file: str | None, *, no_color: bool) -> None:
    """Lines for people: in colour on a terminal, plain otherwise."""
    from imgopt.report.terminal import encoded, show, wants_colour

    if output_file is None and wants_colour(sys.stdout, no_color):
        show(lines, sys.stdout)
        sys.stdout.flush()
        return
    encoding = "utf-8" if output_file is not None else getattr(sys.stdout, "encoding", None)
    emit_exactly(encoded(lines, encoding or "utf-8"), output_file)


def forget_stdout() -> None:
    """Lets nothing more fail: what is still buffered goes nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
