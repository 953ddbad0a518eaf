"""The terminal: its width, its colours, a spinner. The one owner of rich, which only a terminal loads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TextIO

from imgopt.report.layout import Line, head, plain, safe, visible
from imgopt.text.foreign import drawing_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.status import Status
    from rich.text import Text

_STYLES = {
    "": "",
    "strong": "bold",
    "dim": "dim",
    "name": "cyan",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "add": "green",
    "remove": "red",
    "place": "cyan",
}

#: Longer lines are hard to read, whatever the window.
WIDEST = 110


def width() -> int:
    """Columns to lay text out in; 80 when nothing is known (COLUMNS counts)."""
    return max(40, min(WIDEST, shutil.get_terminal_size((80, 24)).columns))


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def wants_colour(stream: TextIO | None, no_color: bool) -> bool:
    """Colour goes to a terminal that has it, and wherever FORCE_COLOR says so, unless ``--no-color`` or NO_COLOR forbids."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    if stream is not None and os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") not in {"dumb", "unknown"}


def show(lines: Iterable[Line], stream: TextIO) -> None:
    """Prints lines in colour, on a terminal."""
    from rich.console import Console
    from rich.text import Text

    # no markup, no highlighting, no wrapping: Dockerfile text must arrive as it is
    # a job's log is no terminal, and is coloured where FORCE_COLOR says so
    colours: Literal["auto", "standard"] = "auto" if is_terminal(stream) else "standard"
    console = Console(
        file=drawing_on(stream),
        force_terminal=True,
        color_system=colours,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
    )
    for each in lines:
        pieces = ((_encodable(text, stream.encoding), _STYLES[style]) for text, style in safe(each))
        console.print(Text.assemble(*pieces))


def encoded(lines: Iterable[Line], encoding: str) -> bytes:
    """Plain lines; a character that the encoding lacks is written out, never an error."""
    return _encodable(plain(map(safe, lines)), encoding).encode(encoding, "backslashreplace")


def _encodable(text: str, encoding: str | None) -> str:
    """The text with what the encoding lacks in ASCII: signs by a likeness, anything else by its number."""
    if text.isascii():
        return text
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


_ASCII = str.maketrans({"─": "-", "═": "=", "→": "->", "≥": ">=", "✓": "+"})


@contextmanager
def waiting(quiet: bool, after_s: float = 1.0) -> Iterator[Callable[[str], None] | None]:
    """A spinner on a terminal's standard error, once the work has taken ``after_s`` seconds.

    Gives a function that is told what is being worked on, or None where nobody would see it.
    """
    if quiet or not is_terminal(sys.stderr) or os.environ.get("TERM") in {"dumb", "unknown"}:
        yield None
        return
    from threading import Lock, Timer

    lock = Lock()
    now = "reading"
    number = 0
    status: list[Status] = []

    def text() -> str:
        return f"{visible(now)} (file {number})" if number > 1 else visible(now)

    def begin() -> None:
        from rich.console import Console

        console = Console(file=drawing_on(sys.stderr), markup=False, highlight=False, emoji=False)
        with lock:
            if not finished:
                status.append(console.status(plain_text(text())))
                status[0].start()

    def work_on(path: str) -> None:
        nonlocal now, number
        with lock:
            now, number = path, number + 1
            if status:
                status[0].update(plain_text(text()))

    finished = False
    timer = Timer(after_s, begin)
    timer.daemon = True
    timer.start()
    try:
        yield work_on
    finally:
        timer.cancel()
        with lock:
            finished = True
            if status:
                status[0].stop()


@contextmanager
def working(quiet: bool, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Tells on standard error what is being done, for work that takes minutes.

    Gives a function for "what is done: its latest line of output". A terminal shows both in one line that changes; a
    log gets a line for each thing that is done, and all of the output with ``verbose``. ``quiet`` says nothing.
    """
    if quiet:
        yield lambda text: None
        return
    if verbose or not is_terminal(sys.stderr) or os.environ.get("TERM") in {"dumb", "unknown"}:
        last = ""

        def log(text: str) -> None:
            nonlocal last
            doing, colon, output = text.partition(": ")
            if doing != last:
                note(f"{doing} ...")
                last = doing
            if verbose and colon and output.strip():
                note(f"  {output}")

        yield log
        return
    from rich.console import Console

    console = Console(file=drawing_on(sys.stderr), markup=False, highlight=False, emoji=False)
    with console.status(plain_text("starting")) as status:
        yield lambda text: status.update(plain_text(head(visible(text), max(20, console.width - 4))))


def plain_text(text: str) -> Text:
    """A status line without markup: a path may hold brackets."""
    from rich.text import Text

    return Text(text)


def note(text: str) -> None:
    """One line on standard error."""
    from imgopt.text.foreign import lines, visible

    stderr = sys.stderr
    if stderr is None:
        return
    try:
        encoding = stderr.encoding or "utf-8"
        shown = lines(visible(text)).encode(encoding, "backslashreplace").decode(encoding)
        stderr.write(f"{shown}\n")
        stderr.flush()
    except (OSError, ValueError):  # nobody is there to be told
        pass
