"""Reading a blob of a registry to see whether it is a layer: the one way to know it without having made it.

The blob may be anybody's: no more of it is read, unpacked or waited for than the layer could be. And it must be the layer
for everybody: compressed as its media type says, nothing after the last gzip member or zstd frame, and no head of a
member or frame that only some unpackers take. Go's compress/gzip, which most engines use, refuses a name of 512 bytes
where zlib reads one of any length: who may push a tag could else have a release name a layer that nobody can unpack.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from imgopt.errors import MeasureError
from imgopt.images.model import Descriptor
from imgopt.images.streams import BLOCK_BYTES, Compression
from imgopt.light.records import dataclass
from imgopt.registry.blob import RemoteBlob
from imgopt.registry.client import Client
from imgopt.registry.errors import Interrupted

_PIECE_BYTES = 1 << 16
#: No compression makes a layer longer by more than this part and so many bytes, not even file by file (eStargz).
_MOST_PART, _MOST_MORE_BYTES = 1 / 8, 1_000_000
#: A blob that comes more slowly than so many bytes a second, after the first seconds, is given up.
PATIENCE_SECONDS = 60.0
LEAST_BYTES_PER_S = 100_000
_MAGIC: dict[Compression, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
#: Of a gzip member's name and comment with the byte that ends them, and of its extra field.
_MOST_FIELD_BYTES = 512
_EXTRA, _NAME, _COMMENT = 4, 8, 16
#: 1: it is a text. Old gzips take 2, a checksum of the head, for another thing, and the rest is reserved.
_KNOWN_FLAGS = 1 | _EXTRA | _NAME | _COMMENT
#: RFC 8878 asks decoders for no more.
_MOST_WINDOW_BYTES = 8 << 20
#: Frames that are passed over, as zstd:chunked ends with.
_SKIPPED_ZSTD = b"\x2a\x4d\x18"
_DAMAGED = "its compressed bytes are damaged"
_NOT_FOR_ALL = "not every unpacker takes the head of its compressed bytes"


@dataclass(frozen=True, slots=True)
class Compared:
    """``unlike``: why the blob is not the layer, or was not read to its end; None: it is. ``read_bytes``: its price."""

    read_bytes: int
    unlike: str | None = None


class _Unlike(Exception):
    pass


def compared(client: Client, repository: str, blob: Descriptor, diff_id: str, plain_bytes: int) -> Compared:
    """Reads the blob and compares it with the layer, whose plain tar has that diff ID and length.

    Raises nothing that the blob or the registry does wrong; Interrupted when the push was stopped.
    """
    kind = _compression(blob.media_type)
    if kind is None:
        return Compared(0, "it is compressed in a way that is not compared")
    if blob.size > plain_bytes * (1 + _MOST_PART) + _MOST_MORE_BYTES:
        return Compared(0, "it is longer than the layer could be")
    source = RemoteBlob(client, repository, blob.digest, blob.size, f"{repository}@{blob.digest[:19]}…")
    reading = _Reading(client, source, kind)
    plain, unpacked = hashlib.sha256(), 0
    try:
        for block in _plain(reading.pieces(), kind):
            unpacked += len(block)
            if unpacked > plain_bytes:
                raise _Unlike("it unpacks to more than the layer")
            plain.update(block)
        if f"sha256:{reading.digest.hexdigest()}" != blob.digest:
            raise _Unlike("the registry gives other bytes than those of its digest")
        if f"sha256:{plain.hexdigest()}" != diff_id:
            raise _Unlike("it holds something else")
    except _Unlike as found:
        return Compared(reading.position, str(found))
    except MeasureError as error:
        return Compared(reading.position, error.message)
    finally:
        source.close()
    return Compared(reading.position)


def _compression(media_type: str) -> Compression | None:
    kind = media_type.rpartition("tar")[2].lstrip("+.")
    return "gzip" if kind == "gzip" else "zstd" if kind == "zstd" else None


class _Reading:
    """The blob's bytes as they come: counted, hashed, and not waited for without end."""

    def __init__(self, client: Client, source: RemoteBlob, kind: Compression) -> None:
        self._client, self._source, self._kind = client, source, kind
        self.digest = hashlib.sha256()
        self.position = 0

    def pieces(self) -> Iterator[bytes]:
        begin, start = time.monotonic(), b""
        while self.position < self._source.size:
            if self._client.access.stopped():
                raise Interrupted
            piece = self._source.read_some(self.position, _PIECE_BYTES)
            self.position += len(piece)
            self.digest.update(piece)
            spent = time.monotonic() - begin
            if spent > PATIENCE_SECONDS + self.position / LEAST_BYTES_PER_S:
                raise _Unlike("the registry gives it too slowly")
            if len(start) < 4:
                start += piece[:4]
                if not start.startswith(_MAGIC[self._kind][: len(start)]):
                    raise _Unlike(f"its bytes are not the {self._kind} of its media type")
            yield piece


def _plain(pieces: Iterable[bytes], kind: Compression) -> Iterator[bytes]:
    """Unpacked block by block, member after member. Raises _Unlike for anything that is not whole."""
    import zlib

    failures: tuple[type[Exception], ...] = (zlib.error, _zstd().ZstdError, EOFError, ValueError)
    is_whole = _gzip_head if kind == "gzip" else _zstd_head
    unpacker, begun, head = _unpacker(kind), False, b""
    try:
        for piece in pieces:
            while piece:
                if unpacker.eof:
                    unpacker, begun = _unpacker(kind), False
                if not begun:
                    head += piece
                    if not is_whole(head):
                        break
                    begun, piece, head = True, head, b""
                yield from unpacker.blocks(piece)
                piece = unpacker.left
        yield unpacker.rest()
    except failures:
        raise _Unlike(_DAMAGED) from None
    if head or not unpacker.eof:
        raise _Unlike("its compressed bytes are cut short")


def _gzip_head(data: bytes) -> bool:
    """Whether ``data`` holds the head of a member to its end. Raises _Unlike for one that some unpackers refuse."""
    if not b"\x1f\x8b\x08".startswith(data[:3]):
        raise _Unlike(_DAMAGED)
    if len(data) < 10:
        return False
    flags, position = data[3], 10
    if flags & ~_KNOWN_FLAGS:
        raise _Unlike(_NOT_FOR_ALL)
    if flags & _EXTRA:
        if len(data) < 12:
            return False
        extra_bytes = int.from_bytes(data[10:12], "little")
        if extra_bytes > _MOST_FIELD_BYTES:
            raise _Unlike(_NOT_FOR_ALL)
        position = 12 + extra_bytes
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            end = data.find(b"\0", position, position + _MOST_FIELD_BYTES)
            if end < 0 and len(data) - position >= _MOST_FIELD_BYTES:
                raise _Unlike(_NOT_FOR_ALL)
            if end < 0:
                return False
            position = end + 1
    return len(data) >= position


def _zstd_head(data: bytes) -> bool:
    """The same of a frame: of the format of RFC 8878 (libzstd may read those before it), without a dictionary, and with
    a window that every decoder has room for."""
    magic = _MAGIC["zstd"]
    if data[1:4] == _SKIPPED_ZSTD and data[0] >> 4 == 5:
        return True
    if not magic.startswith(data[:4]):
        if len(data) < 4 and data[0] >> 4 == 5 and _SKIPPED_ZSTD.startswith(data[1:4]):
            return False
        raise _Unlike(_DAMAGED)
    if len(data) < 6:
        return False
    descriptor = data[4]
    if descriptor & 0b1011:  # a reserved bit, and a dictionary
        raise _Unlike(_NOT_FOR_ALL)
    if descriptor & 0b100000:  # as long a window as the content
        length = (1, 2, 4, 8)[descriptor >> 6]
        if len(data) < 5 + length:
            return False
        window = int.from_bytes(data[5 : 5 + length], "little") + (256 if length == 2 else 0)
    else:
        base = 1 << (10 + (data[5] >> 3))
        window = base + base // 8 * (data[5] & 7)
    if window > _MOST_WINDOW_BYTES:
        raise _Unlike(_NOT_FOR_ALL)
    return True


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _unpacker(kind: Compression) -> _Gzip | _Zstd:
    return _Gzip() if kind == "gzip" else _Zstd()


class _Gzip:
    """One member. ``left``: bytes of the last piece that came after it."""

    def __init__(self) -> None:
        import zlib

        self._object = zlib.decompressobj(31)
        self.left = b""

    @property
    def eof(self) -> bool:
        return self._object.eof

    def blocks(self, piece: bytes) -> Iterator[bytes]:
        while piece and not self.eof:
            yield self._object.decompress(piece, BLOCK_BYTES)
            piece = self._object.unconsumed_tail
        self.left = self._object.unused_data

    def rest(self) -> bytes:
        return b"" if self.eof else self._object.flush()


class _Zstd:
    """One frame."""

    def __init__(self) -> None:
        self._object = _zstd().ZstdDecompressor()
        self.left = b""

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    def blocks(self, piece: bytes) -> Iterator[bytes]:
        yield self._object.decompress(piece, BLOCK_BYTES)
        while not self._object.eof and not self._object.needs_input:
            yield self._object.decompress(b"", BLOCK_BYTES)
        self.left = self._object.unused_data if self.eof else b""

    def rest(self) -> bytes:
        return b""
