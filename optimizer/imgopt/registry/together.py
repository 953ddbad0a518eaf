"""Questions at the same time: they take as long as the way there and back, not as many times as there are questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

#: To one registry; its connections are kept.
_MOST_QUESTIONS = 8

T = TypeVar("T")


def together(call: Callable[[T], object], each_of: Sequence[T]) -> None:
    """Calls with each, some at the same time. Raises what the first of them in order raises."""
    if len(each_of) < 2:
        for each in each_of:
            call(each)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(_MOST_QUESTIONS, len(each_of)))
    try:
        for _ in pool.map(call, each_of):
            pass
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for answers
        raise
    pool.shutdown()
