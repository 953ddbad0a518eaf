"""One of the workers at a time makes what all of them share in `.cache`; the others wait, and find it there."""

from __future__ import annotations

import contextlib
import fcntl
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

LOCK = Path(__file__).resolve().parent.parent / ".cache" / "lock"
_held = 0

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Whoever has it already may take it again."""
    global _held
    if _held:
        yield
        return
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held += 1
        try:
            yield
        finally:
            _held -= 1


def one_at_a_time(function: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        with alone():
            return function(*args, **kwargs)

    return guarded
