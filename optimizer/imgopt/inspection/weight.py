"""The bytes that a push of a plain layer would send: gzip, as engines compress, in pieces on several threads.

A piece is compressed with the 32 KiB before it as its dictionary, so that the sum is the size of one stream within
some bytes in a megabyte. What is compressed already (jars, mostly) goes through Intel's ISA-L, which for it gives
zlib's size in a fraction of the time.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

PIECE_BYTES = 1 << 20
_WINDOW = 32 * 1024
#: A piece that ISA-L cannot shrink below this is compressed already.
_COMPRESSED_ALREADY = 0.92
#: gzip's header and trailer, and deflate's end.
FRAME_BYTES = 20


class Weigher:
    """Feed it a layer; `finish` gives the bytes. Holds no more than a few pieces at once."""

    def __init__(self, threads: ThreadPoolExecutor, backlog: int) -> None:
        self._threads, self._backlog = threads, backlog
        self._waiting: deque[Future[int]] = deque()
        self._rest: list[bytes] = []
        self._held = 0
        self._before = b""
        self._size = FRAME_BYTES

    def add(self, data: bytes) -> None:
        self._rest.append(data)
        self._held += len(data)
        if self._held < PIECE_BYTES:
            return
        whole = b"".join(self._rest)
        end = len(whole) // PIECE_BYTES * PIECE_BYTES
        for start in range(0, end, PIECE_BYTES):
            self._start(whole[start : start + PIECE_BYTES])
        self._rest = [whole[end:]]
        self._held = len(whole) - end

    def finish(self) -> int:
        if self._held:
            self._start(b"".join(self._rest))
            self._rest, self._held = [], 0
        while self._waiting:
            self._size += self._waiting.popleft().result()
        return self._size

    def _start(self, piece: bytes) -> None:
        self._waiting.append(self._threads.submit(packed_size, piece, self._before))
        self._before = piece[-_WINDOW:]
        while len(self._waiting) > self._backlog:
            self._size += self._waiting.popleft().result()


def threads() -> int:
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))


def packed_size(piece: bytes, before: bytes) -> int:
    """Bytes that deflate makes of a piece of a stream."""
    try:
        from isal import isal_zlib

        size = len(isal_zlib.compress(piece, 3, -15))
        if size > _COMPRESSED_ALREADY * len(piece):
            return size
    except ImportError:  # no wheel for this machine
        pass
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=before)
    return len(packer.compress(piece)) + len(packer.flush(zlib.Z_SYNC_FLUSH))
