"""The jar of the next release: one application class differs, and the times that a build gives anew are later.

As Spring Boot's build plugins do it (Maven's repackager gives a nested library the time of its own
files and keeps those of the loader): classes, resources, manifest, indexes and directories are new, libraries and
loader are not. A jar whose entries all have one fixed time was built reproducibly, and keeps it. All bytes that
need no change are copied as they are: the launch script in front, stored and deflated data, comments, extra fields.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from imgopt.errors import JarError
from imgopt.java import archive, spring_boot
from imgopt.java.archive import DirectoryRange, Entry
from imgopt.java.model import Jar
from imgopt.java.next_class import with_unused_constant
from imgopt.light.records import dataclass

#: How much later the next release is built, by its entries' times. Even: a DOS time has steps of two seconds.
LATER_SECONDS = 3600
CONSTANT = "the next release, as imgopt measures it"

_MAX_CLASS_BYTES = 8 << 20
_MASK32 = 0xFFFFFFFF
_HAS_DESCRIPTOR = 0x0008
_ZIP64, _EXTENDED_TIME, _NTFS = 0x0001, 0x5455, 0x000A
_LOCAL = struct.Struct("<4s5H3L2H")  # 30 bytes


@dataclass(frozen=True, slots=True)
class Unchangeable:
    """Why no class of a jar can be changed: a sentence."""

    reason: str


def class_to_change(jar: Jar) -> Entry | Unchangeable:
    """An application class, not the start class if there is another; near the start class rather than elsewhere."""
    name = Path(jar.path).name
    if _is_signed(jar):
        return Unchangeable(f"{name} is signed: a changed class would not be loaded")
    start = jar.start_class or jar.main_class or ""
    prefix = jar.classes_prefix
    if prefix is None:
        return Unchangeable(f"the classes of the application do not lie in {name}")
    start_path = f"{prefix}{start.replace('.', '/')}.class"
    package = start_path.rpartition("/")[0] + "/"
    own = [
        entry
        for entry in jar.entries
        if entry.name.startswith(prefix)
        and entry.name.endswith(".class")
        and 0 < entry.bytes <= _MAX_CLASS_BYTES
        and entry.compressed_bytes < _MASK32
        and not entry.name.startswith(("META-INF/", f"{prefix}META-INF/"))
        and not entry.name.endswith(("module-info.class", "package-info.class"))
        and not (prefix == "" and entry.name.startswith(spring_boot.LOADER_PATH))
    ]
    if jar.kind not in ("spring-boot", "spring-boot-war", "war"):
        # classes of libraries lie among those of the application
        own = [entry for entry in own if entry.name.startswith(package)]
    if not own:
        return Unchangeable(f"no class of the application was found in {name}")

    def preference(entry: Entry) -> tuple[bool, bool, bool]:
        return (
            entry.name == start_path,
            not entry.name.startswith(package),
            "$" in entry.name.rpartition("/")[2],
        )

    return min(own, key=preference)


def write_next_jar(jar: Jar, changed: Entry, target: Path) -> None:
    """Writes the next release's jar to ``target`` (a new file). Holds one class and the zip directory in memory.

    JarError when the jar is damaged, or the class cannot be changed.
    """
    with archive.open_file(Path(jar.path)) as file:
        size = file.seek(0, 2)
        source = archive.Window(file, 0, size)
        found = archive.find_directory(source, jar.path)
        records = source.read_at(found.start, found.size)
        entries = [(archive.entry_at(records, at, found, jar.path), at) for _, at in archive.records(records)]
        later = _Later([entry for entry, _ in entries], jar)
        try:
            with target.open("xb") as output:
                _Writer(source, output, jar.path, found).write(bytearray(records), entries, changed, later)
        except (ValueError, struct.error) as error:
            raise JarError(f"{changed.name} cannot be changed: {error}", path=jar.path) from error


class _Later:
    """Which entries the next build gives a later time."""

    def __init__(self, entries: list[Entry], jar: Jar) -> None:
        times = {entry.modified for entry in entries}
        own = [entry for entry in entries if not self._kept(entry, jar)]
        fixed = len(times) == 1 and len(entries) > 2
        self._jar = jar
        # 1980: the fixed time of reproducible builds, and what a zip has that knows no time
        self._reproducible = fixed or all(entry.modified[0] == 1980 for entry in own)

    def __call__(self, entry: Entry) -> bool:
        return not self._reproducible and not self._kept(entry, self._jar)

    @staticmethod
    def _kept(entry: Entry, jar: Jar) -> bool:
        if entry.is_directory:
            return False
        if entry.name.startswith(spring_boot.LOADER_PATH) or (
            entry.name.endswith(".jar") and entry.name.startswith(jar.lib_prefixes or ("lib/",))
        ):
            return True
        # what was merged into a jar keeps its time, the application's own part does not
        merged = jar.kind in ("shaded", "quarkus-uber") and jar.main_class
        package = str(jar.main_class or "").replace(".", "/").rpartition("/")[0] + "/"
        return bool(merged) and entry.name.endswith(".class") and not entry.name.startswith(package)


class _Writer:
    def __init__(self, source: archive.Window, output: BinaryIO, path: str, found: DirectoryRange) -> None:
        self.source, self.output, self.path, self.found = source, output, path, found
        self.at = 0  # what was copied of the source
        self.delta = 0  # how much longer the output is, so far

    def copy(self, end: int) -> None:
        while self.at < end:
            block = self.source.read_at(self.at, min(archive.CHUNK_BYTES, end - self.at))
            if not block:
                raise ValueError("the file ends early")
            self.output.write(block)
            self.at += len(block)

    def write(
        self, directory: bytearray, entries: list[tuple[Entry, int]], changed: Entry, later: _Later
    ) -> None:
        shifted: list[
            tuple[int, int]
        ] = []  # where a record lies in the directory, and how far its data moved
        for entry, at in sorted(entries, key=lambda each: each[0].data_offset):
            self.copy(entry.data_offset)
            shifted.append((at, self.delta))
            is_later = later(entry)
            if is_later:
                _make_later(directory, at + 12, at + 46 + _u16(directory, at + 28), _u16(directory, at + 30))
            if entry.data_offset == changed.data_offset:
                self._changed(entry, directory, at, is_later)
            elif is_later:
                header = bytearray(self._local(entry))
                _make_later(header, 10, 30 + _u16(header, 26), _u16(header, 28))
                self.output.write(header)
                self.at += len(header)
        self.copy(self.found.start)
        for at, delta in shifted:
            if delta:
                _move(directory, at, delta)
        self.output.write(directory)
        self.at = self.found.start + len(directory)
        self._end()

    def _local(self, entry: Entry) -> bytes:
        """The local header with name and extra fields."""
        head = self.source.read_at(entry.data_offset, _LOCAL.size)
        if not head.startswith(b"PK\3\4") or len(head) < _LOCAL.size:
            raise ValueError("a damaged local header")
        return self.source.read_at(entry.data_offset, _LOCAL.size + _u16(head, 26) + _u16(head, 28))

    def _changed(self, entry: Entry, directory: bytearray, at: int, is_later: bool) -> None:
        old = archive.content(self.source, entry, _MAX_CLASS_BYTES, self.path)
        new = with_unused_constant(old, CONSTANT)
        packed = new if entry.stored else _deflated(new)
        header = bytearray(self._local(entry))
        end = entry.data_offset + len(header) + entry.compressed_bytes
        if is_later:
            _make_later(header, 10, 30 + _u16(header, 26), _u16(header, 28))
        flags = _u16(header, 6)
        if flags & _HAS_DESCRIPTOR:
            end += self._descriptor(end)
        name_length = _u16(header, 26)
        extra = _without(bytes(header[30 + name_length :]), _ZIP64)
        crc = zlib.crc32(new)
        # the sizes are known now, so they stand in the header and not behind the data
        struct.pack_into("<H", header, 6, flags & ~_HAS_DESCRIPTOR)
        struct.pack_into("<3L", header, 14, crc, len(packed), len(new))
        struct.pack_into("<H", header, 28, len(extra))
        self.output.write(bytes(header[: 30 + name_length]) + extra + packed)
        struct.pack_into("<H", directory, at + 8, _u16(directory, at + 8) & ~_HAS_DESCRIPTOR)
        struct.pack_into("<3L", directory, at + 16, crc, len(packed), len(new))
        written = 30 + name_length + len(extra) + len(packed)
        self.delta += written - (end - entry.data_offset)
        self.at = end

    def _descriptor(self, at: int) -> int:
        """Length of the data descriptor at an offset: with or without signature, sizes of four bytes or of eight."""
        data = self.source.read_at(at, 28)
        for length in (16, 12, 24, 20):
            following = data[length : length + 4]
            signed = data.startswith(b"PK\7\10")
            if signed == (length in (16, 24)) and following in (b"PK\3\4", b"PK\1\2"):
                return length
        return 16 if data.startswith(b"PK\7\10") else 12

    def _end(self) -> None:
        """What follows the directory: zip64's record and locator, the end record, its comment."""
        tail = bytearray(self.source.read_at(self.at, self.source.size - self.at))
        if self.delta:
            end = tail.rfind(b"PK\5\6")
            while end >= 0 and end + 22 + _u16(tail, end + 20) != len(tail):
                end = tail.rfind(b"PK\5\6", 0, end)
            if end < 0:
                raise ValueError("the end record is not where it belongs")
            if _u32(tail, end + 16) != _MASK32:
                struct.pack_into("<L", tail, end + 16, _u32(tail, end + 16) + self.delta)
            record = tail.find(b"PK\6\6", 0, end)
            if record >= 0:
                struct.pack_into("<Q", tail, record + 48, _u64(tail, record + 48) + self.delta)
            locator = tail.rfind(b"PK\6\7", 0, end)
            if locator >= 0:
                struct.pack_into("<Q", tail, locator + 8, _u64(tail, locator + 8) + self.delta)
        self.output.write(tail)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _move(directory: bytearray, at: int, delta: int) -> None:
    """Adds to the offset in a central record, which zip64 keeps in an extra field."""
    offset = _u32(directory, at + 42)
    if offset != _MASK32:
        if offset + delta >= _MASK32:
            raise ValueError("the jar is too large to grow")
        struct.pack_into("<L", directory, at + 42, offset + delta)
        return
    start = at + 46 + _u16(directory, at + 28)
    for tag, place, _ in _fields(directory, start, _u16(directory, at + 30)):
        if tag == _ZIP64:
            before = (_u32(directory, at + 24) == _MASK32) + (_u32(directory, at + 20) == _MASK32)
            place += 8 * before
            struct.pack_into("<Q", directory, place, _u64(directory, place) + delta)


def _make_later(header: bytearray, time_at: int, extra_at: int, extra_length: int) -> None:
    """Adds to the DOS time, and to the times that Unix and Windows tools add. What is no time stays."""
    time, date = _u16(header, time_at), _u16(header, time_at + 2)
    try:
        then = datetime(
            1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2
        ) + timedelta(seconds=LATER_SECONDS)
    except ValueError:
        return
    struct.pack_into(
        "<2H",
        header,
        time_at,
        then.hour << 11 | then.minute << 5 | then.second // 2,
        (then.year - 1980) << 9 | then.month << 5 | then.day,
    )
    for tag, at, length in _fields(header, extra_at, extra_length):
        if tag == _EXTENDED_TIME and length >= 5 and header[at] & 1:
            struct.pack_into("<L", header, at + 1, (_u32(header, at + 1) + LATER_SECONDS) & _MASK32)
        elif tag == _NTFS and length >= 16 and _u16(header, at + 4) == 1:
            struct.pack_into("<Q", header, at + 8, _u64(header, at + 8) + LATER_SECONDS * 10_000_000)


def _fields(data: bytes | bytearray, start: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Extra fields: tag, where the content begins, its length."""
    at, end = start, start + length
    while at + 4 <= end:
        tag, size = struct.unpack_from("<2H", data, at)
        if at + 4 + size > end:
            return
        yield tag, at + 4, size
        at += 4 + size


def _without(extra: bytes, unwanted: int) -> bytes:
    return b"".join(
        extra[at - 4 : at + size] for tag, at, size in _fields(extra, 0, len(extra)) if tag != unwanted
    )


def _is_signed(jar: Jar) -> bool:
    """A signature file and its block. Spring Boot writes an empty BOOT.SF alone, where a library is signed."""
    top = {
        entry.name.upper(): entry.bytes
        for entry in jar.entries
        if entry.name.startswith("META-INF/") and entry.name.count("/") == 1
    }
    signatures = [name.removesuffix(".SF") for name, size in top.items() if name.endswith(".SF") and size]
    return any(f"{name}.{kind}" in top for name in signatures for kind in ("RSA", "DSA", "EC"))


def _u16(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")
