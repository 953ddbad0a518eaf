"""Temporary files that an image's bytes go into on their way. Whatever the disk has against them is a MeasureError, also
when the bytes leave Python's buffer only later."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import IO

from imgopt.errors import MeasureError


def new_spool() -> IO[bytes]:
    """An unnamed file that ends with its handle."""
    with _room():
        return tempfile.TemporaryFile(prefix="imgopt-")


def write_spool(spool: IO[bytes], block: bytes) -> None:
    with _room():
        spool.write(block)


def rewind_spool(spool: IO[bytes]) -> None:
    """All of it is on the disk then, and it is read from the start."""
    with _room():
        spool.flush()
        spool.seek(0)


def drop_spool(spool: IO[bytes]) -> None:
    """Closes one that is of no use: what is left in its buffer may not fit either."""
    with contextlib.suppress(OSError):
        spool.close()


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        try:
            place = tempfile.gettempdir()
        except OSError:
            place = "any of the directories for temporary files"
        raise MeasureError(
            f"the image does not fit into {place}: {error.strerror or error}",
            "free some space, or set TMPDIR to a larger disk",
        ) from error
