"""A tar read once, from front to end: names and sizes of what it holds, contents on request. Layers, and archives of
images.

Not `tarfile`: that reads a header of any claimed length into memory and keeps every member. Here everything that a
tar claims is bounded, names are only ever compared, and nothing is written anywhere. Knows ustar, GNU (long names,
base-256 numbers, sparse files) and PAX.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import IO, Literal

from imgopt.errors import InputError
from imgopt.light.records import dataclass

BLOCK = 512
CHUNK_BYTES = 1 << 20
#: A name or a PAX header that is longer belongs to no file that any system could hold.
MOST_HEADER_BYTES = 1 << 20
MOST_NAME_BYTES = 4096
#: All names of one layer together: what holding them costs is bounded by it.
MOST_NAMES_BYTES = 256 << 20

Kind = Literal["file", "directory", "link", "symlink", "device", "other"]
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "link",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "directory",
    b"6": "device",
}
#: What has no data behind its header, whatever size the header gives.
_WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))


@dataclass(slots=True)
class Entry:
    """One file of a layer. ``path`` is absolute and clean; ``stored_bytes`` lie in the tar (a sparse file's holes do
    not); ``bytes`` is its length when unpacked. ``outside``: the name as written led out of the image. ``number``: its
    place in the tar, from 1. ``sparse``: what is stored are pieces of the file with a map, not its bytes."""

    path: str
    kind: Kind
    stored_bytes: int
    bytes: int
    target: str = ""
    outside: bool = False
    number: int = 0
    sparse: bool = False

    @property
    def unpacked_bytes(self) -> int:
        """What it takes when it is unpacked; engines write a sparse file's holes as zeros."""
        return max(self.stored_bytes, self.bytes)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a header says beside names and sizes. ``type`` as it is written there; ``owner``: numbers, then names;
    ``device``: major and minor; ``pax``: the entry's own records, without those that are empty."""

    type: bytes
    mode: int
    owner: tuple[int, int, str, str]
    mtime: float
    device: tuple[int, int]
    pax: Mapping[str, str]


class TarStream:
    """Iterate over it for the entries; `chunks` gives the content of the one at hand, `metadata` the rest of its header.
    ``position`` counts the bytes read, which after the last entry is the length of the tar, padding included.

    ``length``: that of a source that can be sought in: contents that nobody asks for are not read then, and what follows
    the last entry neither. InputError where the tar is damaged or cut short; ``label`` names it.
    """

    def __init__(
        self, source: IO[bytes], label: str, *, most_bytes: int, most_entries: int, length: int | None = None
    ) -> None:
        self.position = 0
        self._length = length
        self._source, self._label = source, label
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._rest = 0  # bytes of the current content, then of its padding
        self._padding = 0
        self._names = 0
        self._peeked = b""
        self._at_hand: tuple[bytes, dict[str, str]] = (bytes(BLOCK), {})

    def __iter__(self) -> Iterator[Entry]:
        number = 0
        while (entry := self._next()) is not None:
            number += 1
            if number > self._most_entries:
                raise self._failure(
                    f"it has more than {self._most_entries:,} files", "it is not a usable image"
                )
            entry.number = number
            yield entry
            self._skip()
        if self._length is None:
            self._drain()

    def chunks(self) -> Iterator[bytes]:
        """What is left of the current entry's content, with what was only peeked at."""
        if self._peeked:
            peeked, self._peeked = self._peeked, b""
            yield peeked
        while self._rest:
            chunk = self._read(min(CHUNK_BYTES, self._rest))
            self._rest -= len(chunk)
            yield chunk

    def metadata(self) -> Metadata:
        """Of the current entry. InputError where its header says nonsense."""
        header, pax = self._at_hand
        numbers = [self._number(header[at : at + 8], "number") for at in (100, 108, 116, 329, 337)]
        mode, uid, gid, major, minor = numbers
        names = [
            header[at : at + 32].split(b"\0", 1)[0].decode("utf-8", "surrogateescape") for at in (265, 297)
        ]
        try:
            mtime = float(pax["mtime"]) if "mtime" in pax else float(self._number(header[136:148], "time"))
        except (ValueError, OverflowError):
            raise self._failure("a time in it is not a number", "build or save the image again") from None
        owner = (
            self._decimal(pax["uid"]) if "uid" in pax else uid,
            self._decimal(pax["gid"]) if "gid" in pax else gid,
            pax.get("uname", names[0]),
            pax.get("gname", names[1]),
        )
        return Metadata(header[156:157], mode, owner, mtime, (major, minor), pax)

    def peek(self, count: int) -> bytes:
        """The first bytes of what is left of the current entry's content, which `chunks` gives again."""
        missing = min(count - len(self._peeked), self._rest)
        if missing > 0:
            self._peeked += self._read(missing)
            self._rest -= missing
        return self._peeked[:count]

    def _next(self) -> Entry | None:
        name: bytes | None = None
        target: bytes | None = None
        pax: dict[str, str] = {}
        while True:
            header = self._header()
            if header is None:
                return None
            kind = header[156:157]
            size = self._number(header[124:136], "size")
            if kind in (b"x", b"X", b"g", b"L", b"K"):
                data = self._metadata(size)
                if kind == b"L":
                    name = data.split(b"\0", 1)[0]
                elif kind == b"K":
                    target = data.split(b"\0", 1)[0]
                elif kind == b"g":
                    self._records(data)  # engines take nothing from a header that is every file's
                elif pax:
                    raise self._failure("a file in it has two PAX headers", "build or save the image again")
                else:
                    # an empty value takes a record back
                    pax = {key: value for key, value in self._records(data).items() if value}
                continue
            if (name and "path" in pax) or (target and "linkpath" in pax):
                raise self._failure("a file in it has two names", "build or save the image again")
            return self._entry(header, kind, size, name, target, pax)

    def _entry(
        self,
        header: bytes,
        kind: bytes,
        size: int,
        name: bytes | None,
        target: bytes | None,
        pax: dict[str, str],
    ) -> Entry:
        self._at_hand = (header, pax)
        if "size" in pax:
            size = self._decimal(pax["size"])
        if kind in _WITHOUT_DATA:
            size = 0
        length = size
        if kind == b"S":
            length = self._number(header[483:495], "size of a sparse file")
            extended = header[482] != 0
            while extended:  # further maps of where its data lies
                extended = self._read(BLOCK)[504] != 0
        for key in ("GNU.sparse.realsize", "GNU.sparse.size", "SCHILY.realsize"):
            if key in pax:
                length = self._decimal(pax[key])
                break
        # as Go's archive/tar, by which engines unpack: without its version a sparse file's name is none
        version = pax.get("GNU.sparse.major", ""), pax.get("GNU.sparse.minor", "")
        mapped = version in (("1", "0"), ("0", "1"), ("0", "0")) or (
            version == ("", "") and "GNU.sparse.map" in pax
        )
        written = (pax.get("GNU.sparse.name") if mapped else None) or pax.get("path")
        if written is None:
            raw = name if name is not None else _ustar_name(header)
            written = raw.decode("utf-8", "surrogateescape")
        link = pax.get("linkpath")
        if link is None:
            raw = target if target is not None else header[157:257].split(b"\0", 1)[0]
            link = raw.decode("utf-8", "surrogateescape")
        if len(written) > MOST_NAME_BYTES or len(link) > MOST_NAME_BYTES:
            raise self._failure("a file's name is longer than any system allows", "it is not a usable layer")
        self._names += len(written)
        if self._names > MOST_NAMES_BYTES:
            raise self._failure("its names alone are hundreds of megabytes", "it is not a usable image")
        self._rest, self._padding = size, -size % BLOCK
        self._check_claim(size)
        sort = _KINDS.get(kind, "other")
        if sort == "file" and written.endswith("/") and kind != b"7":
            sort = "directory"  # as tars before POSIX told them
        path = clean(written)
        sparse = kind == b"S" or any(key.startswith(("GNU.sparse.", "SCHILY.realsize")) for key in pax)
        return Entry(path, sort, size, length, link, leads_out(written), sparse=sparse)

    def _header(self) -> bytes | None:
        """The next header; None at the end, which is two empty blocks or nothing more."""
        header = self._read(BLOCK, at_end=True)
        if not header.strip(b"\0"):
            return None
        stored = self._number(header[148:156], "checksum")
        plain = header[:148] + b"        " + header[156:]
        if stored != sum(plain) and stored != sum(byte - 256 if byte > 127 else byte for byte in plain):
            raise self._failure(
                "it is not a tar" if self.position == BLOCK else "a header in it is damaged",
                "build or save the image again",
            )
        return header

    def _metadata(self, size: int) -> bytes:
        if size > MOST_HEADER_BYTES:
            raise self._failure(
                f"a header in it claims to be {size:,} bytes long", "it is damaged or made to harm"
            )
        data = self._read(size)
        self._read(-size % BLOCK)
        return data

    def _records(self, data: bytes) -> dict[str, str]:
        """PAX: ``LENGTH KEY=VALUE\\n`` after one another."""
        found: dict[str, str] = {}
        at = 0
        while at < len(data) and data[at : at + 1] != b"\0":
            blank = data.find(b" ", at, at + 20)
            digits = data[at:blank] if blank > 0 else b""
            if not digits.isdigit():
                raise self._failure("a PAX header in it is damaged", "build or save the image again")
            end = at + int(digits)
            key, equals, value = data[blank + 1 : end - 1].partition(b"=")
            if end <= blank or end > len(data) or not equals:
                raise self._failure("a PAX header in it is damaged", "build or save the image again")
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
            at = end
        return found

    def _number(self, field: bytes, what: str) -> int:
        if field[0] & 0x80:  # GNU: base 256
            value = int.from_bytes(bytes((field[0] & 0x7F, *field[1:])), "big")
            if field[0] & 0x40:
                raise self._failure(f"a {what} in it is negative", "build or save the image again")
            return value
        text = field.split(b"\0", 1)[0].strip()
        try:
            value = int(text or b"0", 8)
        except ValueError:
            value = -1
        if value < 0:
            raise self._failure(
                "it is not a tar" if self.position == BLOCK else f"a {what} in it is not a number",
                "build or save the image again",
            )
        return value

    def _decimal(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 20:
            raise self._failure("a size in it is not a number", "build or save the image again")
        return int(text)

    def _check_claim(self, size: int) -> None:
        if self.position + size > self._most_bytes:
            raise self._failure(
                f"it claims to hold more than {self._most_bytes:,} bytes", "it is damaged or made to harm"
            )

    def _skip(self) -> None:
        if self._length is not None:
            self.position += self._rest + self._padding
            if self.position - self._padding > self._length:
                raise self._failure("it is cut short", "build or save the image again")
            self._source.seek(self.position)
            self._rest = self._padding = 0
            self._peeked = b""
            return
        for _ in self.chunks():
            pass
        self._read(self._padding)
        self._padding = 0

    def _drain(self) -> None:
        """Reads what follows the end, so that the source can check its digest."""
        while chunk := self._source.read(CHUNK_BYTES):
            self.position += len(chunk)
            self._check_claim(0)

    def _read(self, size: int, *, at_end: bool = False) -> bytes:
        """Exactly ``size`` bytes; nothing only with ``at_end``, when there is nothing more at all."""
        if not size:
            return b""
        data = self._source.read(size)
        while len(data) < size:
            more = self._source.read(size - len(data))
            if not more:
                if at_end and not data:
                    return data
                raise self._failure("it is cut short", "build or save the image again")
            data += more
        self.position += size
        return data

    def _failure(self, what: str, hint: str) -> InputError:
        return InputError(what, hint, path=self._label)


def _ustar_name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0":
        prefix = header[345:500].split(b"\0", 1)[0]
        if prefix:
            return prefix + b"/" + name
    return name


def clean(name: str) -> str:
    """An absolute path without ``.``, ``..`` and doubled slashes; it never leads above the root."""
    if name.startswith("./"):
        name = name[2:]
    name = name.lstrip("/")  # normpath keeps two slashes at the front
    if "//" in name or "./" in name or name.endswith(("/", "/.", "..")) or name in (".", ".."):
        return posixpath.normpath("/" + name)
    return "/" + name


def leads_out(name: str) -> bool:
    """Whether unpacking the name naively would write outside of the directory it is unpacked in."""
    if ".." not in name:
        return False
    depth = 0
    for part in name.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False
