"""Several images of one call, to one or several registries: one connection each, and one failure stops no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from imgopt.errors import ImgoptError
from imgopt.images.model import OpenImage
from imgopt.registry.push import Progress, PushOptions, Silent, push_image
from imgopt.registry.result import Outcome, PushedAll


@dataclass(frozen=True, slots=True)
class Order:
    """An image that is still to be opened (``source`` names it), and where it goes (``REGISTRY/REPO[:TAG]``). ``place``:
    where that is said."""

    source: str
    target: str
    open: Callable[[], AbstractContextManager[OpenImage]]
    place: str = ""


def push_all(
    orders: Sequence[Order], options: PushOptions | None = None, progress: Progress | None = None
) -> PushedAll:
    """Brings each image to its target.

    What goes wrong with one is told in its `Outcome`. Raises Interrupted when it was stopped; what was sent stays noted.
    """
    options, progress = options or PushOptions(), progress or Silent()
    begin = time.monotonic()
    outcomes = []
    for order in orders:
        progress.doing(f"reading {order.source}")
        try:
            with order.open() as opened:
                result = push_image(opened, order.target, options, progress)
            outcomes.append(Outcome(order.source, order.target, replace(result, source=order.source)))
        except ImgoptError as error:
            outcomes.append(Outcome(order.source, order.target, error=_named(error, order)))
    return PushedAll(tuple(outcomes), time.monotonic() - begin)


def _named(error: ImgoptError, order: Order) -> ImgoptError:
    """The error with the image that it is about."""
    error.message = f"not pushed to {order.target}: {error.message}"
    error.path = error.path or order.source
    return error
