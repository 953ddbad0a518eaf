"""A push that outlives the program which was asked for it by the moment that it takes to end a request properly.

A registry that is cut off in the middle of a request may forget the whole upload. When CI kills the job, a second process
notices, ends the request where it is, notes how far it came, and is gone: mostly within a second.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from imgopt.errors import MeasureError
from imgopt.registry.errors import Interrupted

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: After a signal: whatever still waits for an answer then is given up.
_PATIENCE_SECONDS = 10


class Told(Exception):
    """A traceback of the other process, for --debug."""

    def __str__(self) -> str:
        return str(self.args[0])


def outliving(call: Callable[[Callable[[], bool]], T]) -> T:
    """Calls in a process of its own; gives or raises what the call does.

    The call gets a function that says whether it shall stop: after SIGINT or SIGTERM to either process, or when this one
    has died. A second signal interrupts it at once, and so do ten seconds. On other systems than Linux it is called
    here: forking is not safe everywhere.
    """
    stop = threading.Event()
    if not sys.platform.startswith("linux") or threading.current_thread() is not threading.main_thread():
        return call(stop.is_set)
    alive_read, alive_write = os.pipe()
    result_read, result_write = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    child = os.fork()
    if child == 0:
        os.close(alive_write)
        os.close(result_read)
        _work(call, stop, alive_read, result_write)
    os.close(alive_read)
    os.close(result_write)

    def forward(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    try:
        for number in _SIGNALS:
            signal.signal(number, forward)
        with os.fdopen(result_read, "rb") as results:
            data = results.read()
        os.waitpid(child, 0)
    finally:
        os.close(alive_write)
        for number, handler in before.items():
            signal.signal(number, handler)
    if not data:
        raise MeasureError(
            "the process that sends was killed, perhaps for lack of memory",
            "run it again: the push resumes where it stopped",
        )
    outcome, error, trace = pickle.loads(data)
    if error is not None:
        raise error from (Told(trace) if trace else None)
    result: T = outcome
    return result


def _work(call: Callable[[Callable[[], bool]], T], stop: threading.Event, alive: int, results: int) -> None:
    """The other process. Never returns."""
    try:
        os.setsid()  # what kills the job's process group shall not kill it

        def interrupt(number: int, frame: FrameType | None) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            stop.set()
            signal.alarm(_PATIENCE_SECONDS)

        for number in (*_SIGNALS, signal.SIGALRM):
            signal.signal(number, interrupt)
        threading.Thread(target=_watch, args=(alive, stop), daemon=True).start()
        outcome: object = None
        error: BaseException | None = None
        trace = ""
        try:
            outcome = call(stop.is_set)
        except KeyboardInterrupt:
            error = Interrupted()
        except BaseException as raised:
            import traceback

            error, trace = raised, traceback.format_exc()
        for number in (*_SIGNALS, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        try:
            data = pickle.dumps((outcome, error, trace))
        except Exception:
            data = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        with contextlib.suppress(OSError), os.fdopen(results, "wb") as output:
            output.write(data)
    finally:
        os._exit(0)


def _watch(alive: int, stop: threading.Event) -> None:
    """Nothing is ever written there: it ends with the process that holds the other end."""
    with contextlib.suppress(OSError):
        os.read(alive, 1)
    if not stop.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
