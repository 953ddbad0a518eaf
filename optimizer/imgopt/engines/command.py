"""Running a builder's command line: its lines as they come, a time limit, and no process left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from imgopt.engines.engine import EngineError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

PR_SET_PDEATHSIG = 1
KEPT_LINES = 200
KEPT_CHARACTERS = 2000
#: How long a command may take to put its things in order after Ctrl-C or the time limit, before it is killed.
GRACE_SECONDS = 10
#: How long its output is read on after its end, when something that it started still holds the pipe.
LINGER_SECONDS = 2
_COLOURS = regex(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended. ``code``: its exit code, negative for a signal; ``output``: the last lines of both its
    streams; ``timed_out``: it was stopped because its time was up."""

    code: int
    output: tuple[str, ...]
    timed_out: bool = False


class Lines:
    """Puts lines together from pieces of output, tells them, and keeps the last ones."""

    def __init__(self, line: Callable[[str], None] | None) -> None:
        self._line = line
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._rest = ""

    def add(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            self._tell(_COLOURS.sub("", line))
        if len(self._rest) > 1 << 16:  # a program that never ends its line
            self.end()

    def end(self) -> None:
        if self._rest:
            self._tell(_COLOURS.sub("", self._rest))
            self._rest = ""

    def _tell(self, line: str) -> None:
        self._kept.append(_shortened(line))
        if self._line is not None:
            self._line(line)

    @property
    def kept(self) -> tuple[str, ...]:
        return tuple(self._kept)


def _shortened(line: str) -> str:
    """Without its middle when it is long: builders put what failed at the start, and the cause at the end."""
    half = KEPT_CHARACTERS // 2
    return line if len(line) <= KEPT_CHARACTERS else f"{line[:half]}…{line[-half:]}"


def ends_with_us(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """For a new process (``preexec_fn``): the signal comes when the thread that started it is killed. Linux alone knows
    that."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec as little as possible is done
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it came too late
            os._exit(1)

    return before_exec


def run(
    command: Sequence[str],
    *,
    seconds: float,
    line: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    dying: signal.Signals = signal.SIGTERM,
) -> Finished:
    """Runs a command in a process group of its own, both streams together. On Ctrl-C, or any other exception, the
    whole group is ended before it goes on; when this process is killed, ``dying`` is sent to the command. EngineError
    when the program cannot be started."""
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=ends_with_us(dying),
        )
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be started: {error.strerror or error}") from error
    lines = Lines(line)
    assert process.stdout is not None
    try:
        with process.stdout:
            in_time = _read(process, process.stdout.fileno(), lines, time.monotonic() + seconds)
        lines.end()
        if not in_time:
            end_group(process)
        return Finished(process.wait(), lines.kept, timed_out=not in_time)
    except BaseException:
        end_group(process)
        raise


def _read(process: subprocess.Popen[bytes], descriptor: int, lines: Lines, deadline: float) -> bool:
    """Reads to the end of the output and of the process; False when the deadline came first."""
    import codecs

    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    ended: float | None = None
    while True:
        now = time.monotonic()
        if ended is None and process.poll() is not None:
            ended = now
        if ended is not None and now - ended > LINGER_SECONDS:
            return True
        if ended is None and now > deadline:
            return False
        ready, _, _ = select.select([descriptor], [], [], 0.5 if ended is None else 0.1)
        if not ready:
            continue
        data = os.read(descriptor, 1 << 16)
        if data:
            lines.add(decode(data))
            continue
        with contextlib.suppress(subprocess.TimeoutExpired):  # the pipe is closed: only the end is waited for
            process.wait(max(0.0, deadline - now))
            return True
        return False


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a group, and all of the group: politely first (builders tidy up), then not."""
    for number, patience in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):  # those that outlived their leader
        os.killpg(process.pid, signal.SIGKILL)


def ask(command: Sequence[str], seconds: float = 20, environment: Mapping[str, str] | None = None) -> str:
    """A short question to a command line: its standard output. EngineError when it cannot answer."""
    try:
        done = subprocess.run(
            command,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{command[0]} does not answer within {seconds:g} s") from error
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be started: {error.strerror or error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EngineError(
            f"{command[0]} failed: {said[-1] if said else f'exit code {done.returncode}'}"[:KEPT_CHARACTERS]
        )
    return done.stdout.decode("utf-8", "replace")
