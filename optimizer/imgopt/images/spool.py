"""Temporary files that an image's bytes go into on their way."""

from __future__ import annotations

import tempfile
from typing import IO

from imgopt.errors import MeasureError


def write_spool(spool: IO[bytes], block: bytes) -> None:
    """Writes into a temporary file. MeasureError when the disk is full."""
    try:
        spool.write(block)
    except OSError as error:
        raise MeasureError(
            f"the image does not fit into {tempfile.gettempdir()}: {error.strerror or error}",
            "free some space, or set TMPDIR to a larger disk",
        ) from error
