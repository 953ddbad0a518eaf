"""How far a push is: a bar with bytes, rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from imgopt.report.terminal import is_terminal
from imgopt.text.foreign import drawing_on, visible
from imgopt.units import duration, megabytes, rate

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Between two lines in a log.
_LINE_SECONDS = 15.0
#: Columns of a terminal with room for a bar; and for the time left beside what is done.
_WIDE, _NARROW = 100, 35


class _Counted:
    """Adds up the blobs' offsets; the rate is taken over what has moved since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: dict[str, int] = {}
        self._firsts: dict[str, int] = {}
        self.total = 0
        self.begin: float | None = None

    def plan(self, total_bytes: int) -> None:
        """Bytes that will be sent."""
        self.total = total_bytes

    def expects(self, blobs: Mapping[str, int]) -> None:
        self.plan(sum(blobs.values()))

    def sends(self, digest: str, size: int) -> None: ...

    def moved(self, blob: str, offset: int) -> None:
        with self._lock:
            self.begin = self.begin or time.monotonic()
            self._firsts.setdefault(blob, offset)
            self._offsets[blob] = offset

    @property
    def done(self) -> int:
        with self._lock:
            return sum(self._offsets.values())

    @property
    def bytes_per_s(self) -> float:
        seconds = time.monotonic() - self.begin if self.begin else 0.0
        with self._lock:
            before = sum(self._firsts.values())
        return (self.done - before) / seconds if seconds > 1 else 0.0


class Lines(_Counted):
    """For a log: one line every quarter of a minute, and what happens."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

        self._doing = ""

    def doing(self, text: str) -> None:
        self._doing = text

    def told(self, text: str) -> None:
        _say(text)

    def moved(self, blob: str, offset: int) -> None:
        super().moved(blob, offset)
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS:
            return
        self._last = now
        speed = self.bytes_per_s
        left = f", {duration(max(0, self.total - self.done) / speed)} left" if speed > 0 else ""
        doing = f" ({self._doing})" if self._doing else ""
        _say(f"{megabytes(self.done)} of {megabytes(self.total)}, {rate(_rounded(speed))}{left}{doing}")


class Bar(_Counted):
    """For a terminal."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task: TaskID = progress.add_task("", total=None)

    def doing(self, text: str) -> None:
        self._progress.update(self._task, description=visible(text))

    def plan(self, total_bytes: int) -> None:
        super().plan(total_bytes)
        self._progress.update(self._task, total=self.total or None)

    def moved(self, blob: str, offset: int) -> None:
        super().moved(blob, offset)
        self._progress.update(self._task, completed=self.done)

    def told(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._progress.console.print(visible(text), markup=False, highlight=False)


class Nothing(_Counted):
    """For --quiet."""

    def doing(self, text: str) -> None: ...

    def told(self, text: str) -> None: ...


@contextlib.contextmanager
def shown(*, quiet: bool, no_color: bool) -> Iterator[Bar | Lines | Nothing]:
    """What the user sees of a push, on standard error."""
    if quiet:
        yield Nothing()
        return
    if not is_terminal(sys.stderr) or os.environ.get("TERM") in {"dumb", "unknown"}:
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Description(ProgressColumn):
        """The one column that gives way: figures that are cut say nothing."""

        def render(self, task: Task) -> Text:
            return Text(task.description, no_wrap=True, overflow="ellipsis")

    console = Console(file=drawing_on(sys.stderr), no_color=no_color or bool(os.environ.get("NO_COLOR")))
    columns: list[ProgressColumn]
    if console.width < _WIDE:
        columns = [DownloadColumn(table_column=Column(no_wrap=True))]
        if console.width >= _NARROW:
            columns.append(TimeRemainingColumn(table_column=Column(no_wrap=True)))
        columns.append(Description())
    else:
        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        ]
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress)


def _rounded(speed: float) -> int:
    """Three digits: more would be noise."""
    whole = max(0, round(speed))
    unit = int(10 ** max(0, len(str(whole)) - 3))
    return whole // unit * unit


def _say(text: str) -> None:
    """A reader that has gone away is no reason to stop."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()
