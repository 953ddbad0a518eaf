"""Bytes of a layer as streams: a part of a file, checked against its digest, and gzip or zstd unpacked on the way.

Nothing holds more than a block in memory, however large the layer is or claims to be.
"""

from __future__ import annotations

import hashlib
import io
import sys
import threading
from typing import IO, Any, BinaryIO, Literal, Protocol, cast

from imgopt.errors import InputError

BLOCK_BYTES = 1 << 20
Compression = Literal["gzip", "zstd"]

_MAGIC: tuple[tuple[bytes, Compression | None, str], ...] = (
    (b"\x1f\x8b", "gzip", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd"),
    (b"\xfd7zXZ\x00", None, "xz"),
    (b"BZh", None, "bzip2"),
)


class Extent(Protocol):
    """Bytes that can be read from any place. ``label`` names them in errors, e.g. ``app.tar (blobs/sha256/12…)``."""

    size: int
    label: str

    def read_at(self, position: int, count: int) -> bytes: ...


class PartOfFile:
    """``size`` bytes of an open file from ``offset``. Several threads may read: one lock goes with each file."""

    def __init__(self, file: IO[bytes], lock: threading.Lock, offset: int, size: int, label: str) -> None:
        self.size = size
        self.label = label
        self._file, self._lock, self._offset = file, lock, offset

    def read_at(self, position: int, count: int) -> bytes:
        count = max(0, min(count, self.size - position))
        try:
            with self._lock:
                self._file.seek(self._offset + position)
                return self._file.read(count)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"it cannot be read: {reason}", path=self.label) from error


class Checked(io.RawIOBase):
    """An extent as a seekable stream. Once it was read from start to end its SHA-256 must be ``digest``.

    Raises InputError where bytes are missing or the digest is another.
    """

    def __init__(self, extent: Extent, digest: str) -> None:
        super().__init__()
        self._extent, self._digest = extent, digest
        self._position = self._hashed = 0
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._extent.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._extent.read_at(self._position, len(buffer))
        if not data and self._position < self._extent.size and len(buffer):
            raise InputError("it is cut short", "save the image again", path=self._extent.label)
        buffer[: len(data)] = data
        if self._hashed == self._position and data:
            self._hash.update(data)
            self._hashed += len(data)
            if self._hashed == self._extent.size:
                check_digest(self._hash.hexdigest(), self._digest, self._extent.label)
        self._position += len(data)
        return len(data)


class Unpacked(io.RawIOBase):
    """The plain tar of a compressed layer; forward only (``tarfile`` reads it in mode ``r|``).

    At its end the SHA-256 of the plain bytes must be the diff ID. InputError for garbage and cut streams.
    """

    def __init__(self, packed: BinaryIO, compression: Compression, diff_id: str, label: str) -> None:
        super().__init__()
        self._packed, self._label, self._diff_id = packed, label, diff_id
        self._plain, self._failures = unpacker(packed, compression)
        self._hash: Any = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._plain.read(len(buffer))
        except self._failures as error:
            raise InputError(
                f"its compressed bytes are damaged ({error})", "save the image again", path=self._label
            ) from error
        buffer[: len(data)] = data
        if data:
            self._hash.update(data)
        elif len(buffer) and self._hash is not None:
            check_digest(self._hash.hexdigest(), self._diff_id, self._label)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
            self._packed.close()
        super().close()


def unpacker(packed: BinaryIO, compression: Compression) -> tuple[IO[bytes], tuple[type[Exception], ...]]:
    """A stream of the plain bytes, and what its reading may raise when they are damaged."""
    import zlib

    if compression == "gzip":
        import gzip

        try:  # three times as fast
            from isal import igzip, isal_zlib
        except ImportError:  # no wheel for this machine
            pass
        else:
            opened: Any = igzip
            plain = cast("IO[bytes]", opened.IGzipFile(fileobj=packed, mode="rb"))
            damaged = cast("type[Exception]", isal_zlib.error)
            return plain, (EOFError, OSError, zlib.error, damaged)
        return cast("IO[bytes]", gzip.GzipFile(fileobj=packed, mode="rb")), (EOFError, OSError, zlib.error)
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return cast("IO[bytes]", zstd.ZstdFile(packed)), (EOFError, OSError, zstd.ZstdError)


def compression_of(extent: Extent) -> Compression | None:
    """What a layer is compressed with, by its first bytes; None for a plain tar. InputError for what no engine reads."""
    start = extent.read_at(0, 8)
    for magic, compression, name in _MAGIC:
        if start.startswith(magic):
            if compression is None:
                raise InputError(f"layers compressed with {name} are not supported", path=extent.label)
            return compression
    return None


def sha256_of(extent: Extent) -> str:
    """``sha256:…`` of all bytes."""
    digest = hashlib.sha256()
    position = 0
    while position < extent.size:
        block = extent.read_at(position, BLOCK_BYTES)
        if not block:
            raise InputError("it is cut short", "save the image again", path=extent.label)
        digest.update(block)
        position += len(block)
    return f"sha256:{digest.hexdigest()}"


def check_digest(hexdigest: str, expected: str, label: str) -> None:
    if expected != f"sha256:{hexdigest}":
        raise InputError(
            f"its bytes are not those of {expected[:19]}… (they are sha256:{hexdigest[:12]}…)",
            "the archive is damaged: save the image again",
            path=label,
        )


def buffered(raw: io.RawIOBase) -> BinaryIO:
    return io.BufferedReader(raw, 1 << 18)
