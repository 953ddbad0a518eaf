"""Zip archives as Java reads them: central directory, stored and inflated bytes, nothing unpacked to disk.

Written against the zip format (PKWARE APPNOTE 6.3.10) and what ``java.util.zip`` accepts, because Python's
``zipfile`` hides what is needed here (the bytes in front of the archive, raw offsets, lying headers) and is slow
on a hundred nested archives. Every read is bounded: by the window it lies in, and by a limit given by the caller.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from imgopt.errors import JarError
from imgopt.files.meant import meant
from imgopt.files.opening import NoRegularFile, open_raw
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

CHUNK_BYTES = 1 << 20
MAX_ENTRIES = 300_000
MAX_DIRECTORY_BYTES = 128 << 20
# Deflate cannot do better: a declared ratio above it is a lie.
MAX_DEFLATE_RATIO = 1032

_END = struct.Struct("<4s4H2LH")  # end of central directory
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4s6H3L5H2L")  # one central directory record, 46 bytes
_LENGTHS = struct.Struct("<3H")
# An end record of one disk, or of zip64; its two counts of entries are the same.
_PLAUSIBLE_END = regex(rb"PK\x05\x06(?=(?:\0\0|\xff\xff){2}(..)\1)", re.DOTALL)
_MOST_ENDS = 100
MAX_SEARCH_BYTES = _END.size + 65535  # the end record may be followed by a comment of up to 65535 bytes
_MASK32 = 0xFFFFFFFF
_REBUILD = "build or download it again"
_TOO_MANY = f"more than {MAX_ENTRIES} entries; that is not a usable jar"


class ByteSource(Protocol):
    """Bytes at offsets. ``size`` is in bytes."""

    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """The bytes from ``offset``, fewer than ``size`` where the source ends."""


class Window:
    """A range of an open file."""

    __slots__ = ("_file", "size", "start")

    def __init__(self, file: FileIO, start: int, size: int) -> None:
        self._file = file
        self.start = start
        self.size = size

    def read_at(self, offset: int, size: int) -> bytes:
        size = min(size, self.size - offset)
        if size <= 0 or offset < 0:
            return b""
        self._file.seek(self.start + offset)
        return self._file.read(size) or b""


class Memory:
    """Bytes already in memory (an inflated nested archive)."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size]) if size > 0 and offset >= 0 else b""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a central directory."""

    name: str
    compressed_bytes: int
    bytes: int
    stored: bool
    crc32: int
    data_offset: int
    """Offset of the local header in the file, whatever lies in front of the archive included."""
    is_directory: bool
    modified: tuple[int, ...]
    """Year, month, day, hour, minute, second of the DOS time, which has no zone."""
    unpack: bool = False
    """Spring Boot: the loader unpacks this library to a temporary file before use."""


@dataclass(frozen=True, slots=True)
class DirectoryRange:
    """Where a central directory lies in its source."""

    start: int
    size: int
    entries: int
    prefix: int
    """What must be added to the offsets written in it: bytes in front that the writer did not count."""


def open_file(path: Path) -> FileIO:
    """Opens a regular file. JarError when it is missing, unreadable, empty or no regular file."""
    name = str(path)
    try:
        file = open_raw(path)
        if os.fstat(file.fileno()).st_size == 0:
            file.close()
            raise JarError("an empty file, not a jar", _REBUILD, path=name)
        return file
    except IsADirectoryError as error:
        raise JarError("a directory, not a jar", "give the jar file in it", path=name) from error
    except NoRegularFile as error:
        raise JarError(str(error.strerror), "give a jar file", path=name) from error
    except FileNotFoundError as error:
        raise JarError("no such file", "build the jar first, or check the path", path=name) from error
    except (OSError, ValueError) as error:
        raise JarError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=name) from error


def looks_like(head: bytes) -> str:
    """What a file that is no zip archive seems to be, for an error message."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in text[:512]:
        return "an HTML page (a download that ended at a login or error page?)"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (run git lfs pull)"
    if text.startswith(b"<?xml"):
        return "an XML document"
    for magic, name in (
        (b"\x1f\x8b", "gzip data"),
        (b"BZh", "bzip2 data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!", "a RAR archive"),
        (b"\x7fELF", "an ELF program or library (a native image?)"),
        (b"\xca\xfe\xba\xbe", "a Java class file"),
        (b"\xca\xfe\xd0\x0d", "a pack200 file"),
        (b"MZ", "a Windows program"),
        (b"%PDF", "a PDF document"),
        (b"#!", "a script"),
    ):
        if head.startswith(magic):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    if text.startswith((b"{", b"[")):
        return "a JSON document"
    if b"\0" not in head and all(byte >= 32 or byte in b"\t\r\n\f\x1b" for byte in head):
        return "a text file"
    return "unknown binary data"


def find_directory(source: ByteSource, path: str) -> DirectoryRange:
    """Finds the central directory from the end of the archive, so bytes in front of it do not matter.

    JarError when there is none, or when it does not lie where the end record says.
    """
    seen = False
    for length in (4096, MAX_SEARCH_BYTES):
        start = max(0, source.size - length)
        tail = source.read_at(start, source.size - start)
        seen = seen or b"PK\5\6" in tail[: 4 - _END.size]
        # the last ones first; a comment may hold any number of such signatures
        for match in reversed(deque(_PLAUSIBLE_END.finditer(tail), _MOST_ENDS)):
            at = match.start()
            if at + _END.size > len(tail):
                continue
            record = _END.unpack_from(tail, at)
            found = _directory_at(source, record, start + at)
            if found is not None:
                # The end record of a nested jar is the last one of a fat jar that was cut off behind it. Java
                # would take it; here bytes on both sides, or a zip's beginning in front, tell it.
                behind = start + at + _END.size + record[-1] != source.size
                if found.prefix and (behind or source.read_at(0, 4) == b"PK\3\4"):
                    continue
                if found.size > MAX_DIRECTORY_BYTES:
                    raise JarError(_TOO_MANY, path=path)
                return found
        if start == 0:
            break
    head = source.read_at(0, 512)
    if head.startswith(b"PK\3\4"):
        raise JarError("truncated or damaged: the zip directory at its end is missing", _REBUILD, path=path)
    if seen:
        raise JarError(
            "damaged: the zip directory does not lie where its end record says", _REBUILD, path=path
        )
    raise JarError(
        f"no jar: it looks like {looks_like(head)}",
        meant(head, path) or "give the jar that the build makes",
        path=path,
    )


def _directory_at(source: ByteSource, record: tuple[Any, ...], end: int) -> DirectoryRange | None:
    """What an end record points at; None when there is no central directory (the signature may lie in a comment)."""
    _, disk, first_disk, here, total, size, offset, _ = record
    if 0xFFFF in (disk, first_disk, here, total) or _MASK32 in (size, offset):
        locator = source.read_at(end - _LOCATOR64.size, _LOCATOR64.size)
        if len(locator) == _LOCATOR64.size and locator.startswith(b"PK\6\7"):
            _, _, end64, _ = _LOCATOR64.unpack(locator)
            # The locator does not count bytes in front; a record without extensions lies right before it.
            for place in (end - _LOCATOR64.size - _END64.size, end64):
                data = source.read_at(place, _END64.size)
                if len(data) == _END64.size and data.startswith(b"PK\6\6"):
                    _, _, _, _, disk, first_disk, here, total, size, offset = _END64.unpack(data)
                    end = place
                    break
    start = end - size
    if disk or first_disk or here != total or start < 0 or offset > start:
        return None
    if size and source.read_at(start, 4) != b"PK\1\2":
        return None
    return DirectoryRange(start, size, total, start - offset)


def records(directory: bytes) -> Iterator[tuple[bytes, int]]:
    """(name, offset of the record) of every record; stops with JarError's cause, ValueError, at a damaged one."""
    at, end = 0, len(directory)
    lengths = _LENGTHS.unpack_from
    while at < end:
        if directory[at : at + 4] != b"PK\1\2" or at + 46 > end:
            raise ValueError("damaged zip directory")
        name, extra, comment = lengths(directory, at + 28)
        stop = at + 46 + name
        if stop > end:
            raise ValueError("damaged zip directory")
        yield directory[at + 46 : stop], at
        at = stop + extra + comment
    if at != end:
        raise ValueError("damaged zip directory")


def entry_at(directory: bytes, at: int, found: DirectoryRange, path: str) -> Entry:
    """The record at ``at``. JarError where Java would refuse the archive too, or where it points out of it."""
    (
        _, _, _, flags, method, time, date, crc32, compressed, size, name_length, extra_length, comment_length,
        _, _, _, offset,
    ) = _RECORD.unpack_from(directory, at)  # fmt: skip
    after_name = at + 46 + name_length
    raw = directory[at + 46 : after_name]
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = raw.decode("cp437")
    if compressed == _MASK32 or size == _MASK32 or offset == _MASK32:
        size, compressed, offset = _zip64(
            directory[after_name : after_name + extra_length], size, compressed, offset
        )
    if flags & 1:
        raise JarError(f"entry {shown(name)} is encrypted; Java cannot open such a jar", path=path)
    if method not in (0, 8):
        raise JarError(
            f"entry {shown(name)} is packed with method {method}, which Java cannot read",
            "pack it with deflate or without compression",
            path=path,
        )
    offset += found.prefix
    if offset + 30 + name_length + compressed > found.start:
        raise JarError(f"damaged: entry {shown(name)} lies outside the archive", _REBUILD, path=path)
    comment = b""
    if comment_length:
        comment = directory[after_name + extra_length : after_name + extra_length + 6]
    return Entry(
        name,
        compressed,
        size,
        method == 0,
        crc32,
        offset,
        name.endswith("/"),
        (1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2),
        comment == b"UNPACK",
    )


def _zip64(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            values = list(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            if size == _MASK32 and values:
                size = values.pop(0)
            if compressed == _MASK32 and values:
                compressed = values.pop(0)
            if offset == _MASK32 and values:
                offset = values.pop(0)
            break
        at += 4 + length
    return size, compressed, offset


def shown(name: str) -> str:
    """An entry name fit for a message: short, and without control characters."""
    return repr(name if len(name) <= 100 else name[:60] + "…" + name[-38:])


def is_unsafe(name: str) -> bool:
    """Whether extracting this name could write outside the target directory."""
    if "\\" in name:
        name = name.replace("\\", "/")
    return (
        not name
        or name[0] == "/"
        or "\0" in name
        or (".." in name and ".." in name.split("/"))
        or (name[1:2] == ":" and name[0].isalpha())
    )


@lru_cache(maxsize=1)
def _inflating() -> tuple[Callable[..., Any], tuple[type[Exception], ...]]:
    """A maker of decompressors and the errors they raise: isal's when it is installed (twice as fast), else zlib's."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj, (zlib.error,)
    return isal_zlib.decompressobj, (cast("type[Exception]", isal_zlib.error), zlib.error)


def _decompressor() -> Any:
    return _inflating()[0](-15)  # raw deflate, no zlib header


def data_start(source: ByteSource, entry: Entry, path: str) -> int:
    """Where the entry's bytes begin. JarError when its local header is not where the directory says."""
    header = source.read_at(entry.data_offset, 30)
    if len(header) < 30 or not header.startswith(b"PK\3\4"):
        raise JarError(
            f"damaged: the zip directory points at nothing for {shown(entry.name)}", _REBUILD, path=path
        )
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    return int(entry.data_offset + 30 + name_length + extra_length)


def stored_chunks(source: ByteSource, entry: Entry, path: str) -> Iterator[bytes]:
    """The entry's bytes as they lie in the archive, at most ``CHUNK_BYTES`` at a time."""
    start = data_start(source, entry, path)
    for done in range(0, entry.compressed_bytes, CHUNK_BYTES):
        wanted = min(CHUNK_BYTES, entry.compressed_bytes - done)
        chunk = source.read_at(start + done, wanted)
        if len(chunk) < wanted:
            raise JarError(f"truncated inside {shown(entry.name)}", _REBUILD, path=path)
        yield chunk


def content_chunks(source: ByteSource, entry: Entry, path: str) -> Iterator[bytes]:
    """The entry's content, inflated, at most ``CHUNK_BYTES`` at a time; never more than it declares.

    JarError when it is damaged or inflates to another size than declared (as a zip bomb does).
    """
    if entry.stored:
        yield from stored_chunks(source, entry, path)
        return
    stream = _decompressor()
    total = 0
    for packed in stored_chunks(source, entry, path):
        while packed:
            try:
                chunk: bytes = stream.decompress(packed, CHUNK_BYTES)
            except _inflating()[1] as error:
                raise JarError(
                    f"damaged: {shown(entry.name)} cannot be inflated", _REBUILD, path=path
                ) from error
            total += len(chunk)
            if total > entry.bytes:
                raise JarError(f"damaged: {shown(entry.name)} inflates to more than it declares", path=path)
            if chunk:
                yield chunk
            if stream.eof:
                packed = b""
            elif stream.unconsumed_tail == packed and not chunk:
                break  # no progress: the stream wants bytes of the next chunk
            else:
                packed = stream.unconsumed_tail
        if stream.eof:
            break
    while not stream.eof:  # what the decompressor still holds back
        try:
            chunk = stream.decompress(b"", CHUNK_BYTES)
        except _inflating()[1] as error:
            raise JarError(f"damaged: {shown(entry.name)} cannot be inflated", _REBUILD, path=path) from error
        if not chunk:
            break
        total += len(chunk)
        if total > entry.bytes:
            raise JarError(f"damaged: {shown(entry.name)} inflates to more than it declares", path=path)
        yield chunk
    if total != entry.bytes:
        raise JarError(f"damaged: {shown(entry.name)} ends too early", _REBUILD, path=path)


def content(source: ByteSource, entry: Entry, limit: int, path: str) -> bytes:
    """The whole content. JarError when it is larger than ``limit`` bytes, damaged, or fails its checksum."""
    if entry.bytes > limit:
        raise JarError(f"{shown(entry.name)} is larger than {limit} bytes", path=path)
    if entry.compressed_bytes <= CHUNK_BYTES:
        data = _content_at_once(source, entry, path)
    else:
        data = bytes(_joined(source, entry, path))
    return _checked(data, entry, path)


def inflated(source: ByteSource, entry: Entry, limit: int, path: str) -> Memory:
    """The whole content as a source of its own, for an archive in an archive. JarError as for `content`."""
    if entry.bytes > limit:
        raise JarError(f"{shown(entry.name)} is larger than {limit} bytes", path=path)
    return Memory(_checked(_joined(source, entry, path), entry, path))


def _joined(source: ByteSource, entry: Entry, path: str) -> bytearray:
    data = bytearray()
    for chunk in content_chunks(source, entry, path):
        data += chunk
    return data


_Data = TypeVar("_Data", bytes, bytearray)


def _checked(data: _Data, entry: Entry, path: str) -> _Data:
    if zlib.crc32(data) != entry.crc32:
        raise JarError(f"damaged: wrong checksum of {shown(entry.name)}", _REBUILD, path=path)
    return data


def _content_at_once(source: ByteSource, entry: Entry, path: str) -> bytes:
    """One read for header and data: a jar has thousands of classes, and a system call costs more than they do."""
    guess = 30 + len(entry.name) + 64 + entry.compressed_bytes
    data = source.read_at(entry.data_offset, guess)
    if len(data) < 30 or not data.startswith(b"PK\3\4"):
        raise JarError(
            f"damaged: the zip directory points at nothing for {shown(entry.name)}", _REBUILD, path=path
        )
    name_length, extra_length = struct.unpack_from("<HH", data, 26)
    start = 30 + name_length + extra_length
    packed = data[start : start + entry.compressed_bytes]
    if len(packed) < entry.compressed_bytes:
        packed = source.read_at(entry.data_offset + start, entry.compressed_bytes)
    if entry.stored:
        result = packed
    else:
        stream = _decompressor()
        try:
            # one byte more than declared, so that a lie shows; 0 would mean "no limit"
            result = stream.decompress(packed, entry.bytes + 1)
        except _inflating()[1] as error:
            raise JarError(f"damaged: {shown(entry.name)} cannot be inflated", _REBUILD, path=path) from error
    if len(result) != entry.bytes:
        raise JarError(f"damaged: {shown(entry.name)} is not as long as it declares", _REBUILD, path=path)
    return result


class Content:
    """Random access to an entry's content with bounded memory and bounded work.

    Stored entries are read in place. A deflated one is inflated as far as needed: its first ``keep`` bytes stay in
    memory; going back behind them inflates it again. ``work`` limits the bytes read or inflated over all reads; a
    read beyond it, or one that meets damage, gives fewer bytes than asked for.
    """

    __slots__ = (
        "_after",
        "_at",
        "_entry",
        "_head",
        "_keep",
        "_path",
        "_source",
        "_start",
        "_stream",
        "_tail",
        "work",
    )

    def __init__(
        self, source: ByteSource, entry: Entry, path: str, keep: int = 16 << 20, work: int = 256 << 20
    ) -> None:
        self._source = source
        self._entry = entry
        self._path = path
        self._keep = keep
        self.work = work
        self._start = data_start(source, entry, path)
        self._head = bytearray()
        self._restart()

    def _restart(self) -> None:
        self._stream = _decompressor()
        self._after = 0  # compressed bytes fed so far
        self._at = 0  # inflated bytes so far
        self._tail = b""  # the last inflated piece; ends at _at

    def _inflate(self, wanted: int) -> bytes:
        """The next piece of content, about as large as ``wanted``, empty at the end."""
        stream = self._stream
        most = min(max(wanted, 8 << 10), 512 << 10)
        while not stream.eof and self.work > 0:
            packed = stream.unconsumed_tail
            if not packed:
                size = min(most // 2, self._entry.compressed_bytes - self._after)
                packed = self._source.read_at(self._start + self._after, size)
                self._after += len(packed)
            try:
                piece: bytes = stream.decompress(packed, most)
            except _inflating()[1]:
                return b""
            if piece:
                self.work -= len(piece)
                return piece
            if not packed:
                return b""
        return b""

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``offset`` of the content."""
        if offset < 0 or size <= 0:
            return b""
        if self._entry.stored:
            size = min(size, self._entry.compressed_bytes - offset, self.work)
            data = self._source.read_at(self._start + offset, size)
            self.work -= len(data)
            return data
        end = min(offset + size, self._entry.bytes)
        parts = []
        while offset < end:
            begin = self._at - len(self._tail)
            if offset < len(self._head):
                part = bytes(self._head[offset:end])
            elif offset < begin:
                self._restart()
                continue
            elif offset < self._at:
                part = self._tail[offset - begin : end - begin]
            else:
                piece = self._inflate(end - self._at)
                if not piece:
                    break
                if self._at == len(self._head) and self._at < self._keep:
                    self._head += piece
                self._at += len(piece)
                self._tail = piece
                continue
            parts.append(part)
            offset += len(part)
        return b"".join(parts)
