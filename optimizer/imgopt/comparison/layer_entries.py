"""The entries of a layer's tar, one by one, and in what two layers' entries differ."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from imgopt.files.tar import Entry, TarStream
from imgopt.light.records import dataclass, field

BLOCK_BYTES = 1 << 20
#: Of a layer; an image that has more is compared no further.
MOST_BYTES = 32 << 30
MOST_ENTRIES = 1_000_000
#: Of what is beside a header, such as extended attributes: what is longer is kept as its digest.
MOST_BESIDE = 4096
_DIRECTORY, _FILES = b"5", (b"0", b"7", b"S")
#: Of entries that differ, so many are named.
NAMED = 20

#: In what an entry can differ, the weightiest first; the rest is metadata that a registry's digest counts as well.
CONTENT = ("added", "removed", "content", "type", "link")
METADATA = ("mode", "owner", "xattrs", "mtime", "access times", "header")


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """``name`` without a leading or trailing slash. ``digest`` of the content of a file, b"" of others. ``pax``: a
    digest of the remaining PAX fields (times of access and status change)."""

    name: str
    type: bytes
    mode: int
    owner: tuple[int, int, str, str]
    mtime: float
    size: int
    link: str
    device: tuple[int, int]
    digest: bytes
    xattrs: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, str], ...]
    header: tuple[tuple[str, str], ...]

    @property
    def is_directory(self) -> bool:
        return self.type == _DIRECTORY


def entries(stream: BinaryIO) -> Iterator[LayerEntry]:
    """Of a plain tar that is read once, from start to end. Holds one entry in memory. InputError when it is damaged."""
    tar = tar_of(stream)
    for entry in tar:
        yield _entry(tar, entry)


def tar_of(stream: BinaryIO) -> TarStream:
    """A layer's plain tar, read with bounds."""
    return TarStream(stream, "a layer", most_bytes=MOST_BYTES, most_entries=MOST_ENTRIES)


def _entry(tar: TarStream, entry: Entry) -> LayerEntry:
    header = tar.metadata()
    kind = b"0" if header.type == b"\0" else header.type
    if entry.kind == "directory":
        kind = _DIRECTORY
    digest = b""
    if kind in _FILES:
        content = hashlib.blake2b(digest_size=16)
        for block in tar.chunks():
            content.update(block)
        digest = content.digest()
    pax = header.pax
    return LayerEntry(
        entry.path.strip("/"),
        kind,
        header.mode,
        header.owner,
        header.mtime,
        entry.bytes,
        entry.target,
        header.device,
        digest,
        _kept((key, value) for key, value in pax.items() if key.startswith("SCHILY.xattr.")),
        _kept((key, pax[key]) for key in ("atime", "ctime") if key in pax),
        _kept(
            (key, "") for key in pax if not key.startswith("SCHILY.xattr.") and key not in ("atime", "ctime")
        ),
    )


def _kept(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """In order; where they are long, a digest of them: every entry of a layer may have a megabyte of its own."""
    found = tuple(sorted(pairs))
    if sum(len(key) + len(value) for key, value in found) <= MOST_BESIDE:
        return found
    whole = hashlib.blake2b(repr(found).encode(), digest_size=16).hexdigest()
    return ((f"{len(found)} of them", whole),)


@dataclass(frozen=True, slots=True)
class EntryDifference:
    """``what``: of `CONTENT` and `METADATA`. ``before`` and ``after`` of the first of them, for people."""

    name: str
    what: tuple[str, ...]
    is_directory: bool
    before: str
    after: str

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "what": list(self.what), "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """``counts``: entries that differ, by in what; ``directories``: those of the directories alone. ``named``: the first
    of the entries. ``reordered``: the same entries in another order. ``total``: entries of the later layer."""

    total: int
    counts: Mapping[str, int] = field(default_factory=dict)
    directories: Mapping[str, int] = field(default_factory=dict)
    named: tuple[EntryDifference, ...] = ()
    reordered: bool = False

    @property
    def same_content(self) -> bool:
        """The same names, files and links; only what tars say beside it differs."""
        return not any(kind in self.counts for kind in CONTENT)

    @property
    def cause(self) -> str:
        """The main reason in one sentence, without its full stop."""
        content = {kind: self.counts[kind] for kind in CONTENT if kind in self.counts}
        if content:
            words = {"added": "are new", "removed": "are gone", "content": "have another content"}
            parts = [
                f"{number} {words.get(kind, f'have another {kind}')}" for kind, number in content.items()
            ]
            return f"of {self.total} entries {', '.join(parts)}"
        metadata = {kind: self.counts[kind] for kind in METADATA if kind in self.counts}
        if not metadata:
            if self.reordered:
                return f"the same {self.total} entries stand in another order"
            return f"the {self.total} entries are the same, the bytes of the tar around them are not"
        kind = max(metadata, key=lambda each: (metadata[each], -METADATA.index(each)))
        what = {
            "mtime": "modification time",
            "access times": "access or change time (PAX atime, ctime)",
            "header": "kind of tar header",
            "xattrs": "extended attributes",
        }.get(kind, kind)
        number, folders = metadata[kind], self.directories.get(kind, 0)
        who = f"{number} of {self.total} entries"
        if folders == number:
            who = f"{number} director{'y' if number == 1 else 'ies'} of {self.total} entries"
        example = next((each.name for each in self.named if kind in each.what), "")
        others = [f"{metadata[each]} in {each}" for each in metadata if each != kind]
        also = f"; also {', '.join(others)}" if others else ""
        return f"nothing but the {what} of {who} differs, e.g. {example or '/'}{also}"


def compare_layers(before: BinaryIO, after: BinaryIO) -> LayerDifference:
    """Two plain tars entry by entry. Keeps names and digests of the first in memory, some hundred bytes an entry."""
    old: dict[str, tuple[int, LayerEntry]] = {}
    for position, entry in enumerate(entries(before)):
        old[entry.name] = (position, entry)
    counts: Counter[str] = Counter()
    directories: Counter[str] = Counter()
    named: list[EntryDifference] = []
    total = 0
    last, reordered = -1, False
    seen: set[str] = set()

    def note(what: tuple[str, ...], one: LayerEntry, texts: tuple[str, str]) -> None:
        counts.update(what)
        if one.is_directory:
            directories.update(what)
        if len(named) < NAMED:
            named.append(EntryDifference(one.name, what, one.is_directory, *texts))

    for entry in entries(after):
        total += 1
        seen.add(entry.name)
        if entry.name not in old:
            note(("added",), entry, ("", _shown(entry, "content")))
            continue
        position, other = old[entry.name]
        reordered = reordered or position < last
        last = max(last, position)
        what = _differences(other, entry)
        if what:
            note(what, entry, (_shown(other, what[0]), _shown(entry, what[0])))
    for name, (_, other) in old.items():
        if name not in seen:
            note(("removed",), other, (_shown(other, "content"), ""))
    return LayerDifference(total, dict(counts), dict(directories), tuple(named), reordered)


def _differences(old: LayerEntry, new: LayerEntry) -> tuple[str, ...]:
    pairs = {
        "content": (old.digest, new.digest),
        "type": ((old.type, old.device), (new.type, new.device)),
        "link": (old.link, new.link),
        "mode": (old.mode, new.mode),
        "owner": (old.owner, new.owner),
        "xattrs": (old.xattrs, new.xattrs),
        "mtime": (old.mtime, new.mtime),
        "access times": (old.times, new.times),
        "header": (old.header, new.header),
    }
    return tuple(what for what, (one, other) in pairs.items() if one != other)


def _shown(entry: LayerEntry, what: str) -> str:
    if what == "mode":
        return f"{entry.mode:04o}"
    if what == "owner":
        return f"{entry.owner[0]}:{entry.owner[1]}"
    if what == "mtime":
        return f"{entry.mtime:.9f}".rstrip("0").rstrip(".")
    if what == "link":
        return entry.link
    if what == "content":
        return f"{entry.size} bytes"
    values: dict[str, object] = {"xattrs": entry.xattrs, "access times": entry.times}
    if what == "header":
        return str(tuple(key for key, _ in entry.header))
    return str(values.get(what, entry.type.decode("ascii", "replace")))
