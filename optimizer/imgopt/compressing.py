"""How many bytes a layer becomes when an engine compresses it.

Layers are tars compressed by gzip. Nested jars are deflated already: for them Intel's ISA-L at level 3 gives
zlib's size within 0.3 % in a fraction of the time; everything else goes through zlib at level 6. Each engine has a
gzip of its own, which saves less than these two do, always by nearly the same part: `ENGINES` holds that part, so
that one compression here predicts the size with every engine.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from imgopt.errors import JarError
from imgopt.files.opening import open_file
from imgopt.light.records import dataclass

CHUNK_BYTES = 1 << 20
#: Files at least this large are compressed one by one, and their sizes remembered.
LARGE_BYTES = 64 * 1024


#: What content is, as far as compressors differ on it: deflated already (jars, pictures), text of the web, the rest.
Kind = Literal["jar", "text", "other"]
KINDS: tuple[Kind, ...] = ("jar", "text", "other")
_DEFLATED = (".jar", ".war", ".zip", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".png", ".jpg", ".jpeg", ".woff2")
_TEXT = (".js", ".mjs", ".css", ".map", ".html", ".htm", ".json", ".svg", ".ts", ".txt", ".md")


def kind_of(name: str) -> Kind:
    """What a file's name says of its content."""
    name = name.lower()
    return "jar" if name.endswith(_DEFLATED) else "text" if name.endswith(_TEXT) else "other"


@dataclass(frozen=True, slots=True)
class Packed:
    """Content of a layer as it was compressed here: bytes before and after, for each of `KINDS`. ``entries`` counts
    the files, each of which has a header in the tar."""

    raw: tuple[int, int, int] = (0, 0, 0)
    packed: tuple[int, int, int] = (0, 0, 0)
    entries: int = 0

    @classmethod
    def of(cls, kind: Kind, raw: int, packed: int, entries: int = 0) -> Packed:
        return cls(_only(kind, raw), _only(kind, packed), entries)

    def __add__(self, other: Packed) -> Packed:
        return Packed(
            _sum(self.raw, other.raw), _sum(self.packed, other.packed), self.entries + other.entries
        )

    @property
    def bytes(self) -> int:
        """Compressed, as measured here."""
        return sum(self.packed)


def _only(kind: Kind, value: int) -> tuple[int, int, int]:
    jar, text, other = (value if each == kind else 0 for each in KINDS)
    return jar, text, other


def _sum(one: tuple[int, int, int], two: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + two[0], one[1] + two[1], one[2] + two[2]


@dataclass(frozen=True, slots=True)
class Gzip:
    """An engine's gzip: what it saves on content of each kind, as a part of what is saved here, and the compressed
    bytes that it adds to each file (times as PAX records)."""

    jar: float
    text: float
    other: float
    entry_bytes: float
    source: str


#: The one place for what engines' gzips save. Fitted on 2026-11-26 to published executable jars and libraries, whole,
#: unpacked and as plain classes, and checked on others (tests/benchmarks/compressed_size.py prints both). All but one
#: row are of blobs that the engine itself made; on those the prediction is off by 0.1 % in the median and by 1 %
#: at worst. Layers of hardly anything but XML (0.1 of their size when compressed) can be off by 6 %.
ENGINES = {
    "docker": Gzip(
        1.0210, 0.9998, 0.9983, 0, "Docker 20.10.24: Go's compress/gzip, default level, before Go 1.27"
    ),
    "docker-go1.27": Gzip(
        0.8254, 0.9865, 0.9929, 0, "compress/gzip of Go 1.27.3 alone, default level, no engine"
    ),
    "buildkit": Gzip(1.0210, 0.9998, 0.9983, 0, "BuildKit 0.34.2 made with Go 1.26, as its own releases are"),
    "buildah": Gzip(0.7696, 0.9814, 0.9881, 0, "buildah 1.28.2: parallel gzip of klauspost/pgzip 1.2.5"),
    "kaniko": Gzip(0.5415, 0.9240, 0.9477, 75, "kaniko 1.24.0: compress/gzip at its fastest, Go 1.26"),
}


def docker_gzip(go_version: str) -> str:
    """The key for a daemon or builder by the Go version that made it (``go1.19.8``, as `docker version` says)."""
    import re

    match = re.match(r"(?:go)?(\d+)\.(\d+)", go_version)
    newer = match is not None and (int(match[1]), int(match[2])) >= (1, 27)
    return "docker-go1.27" if newer else "docker"


def predicted_bytes(packed: Packed, engine: str | None = None) -> int:
    """The blob that the engine (a key of `ENGINES`) makes of it, in bytes. None: as it was compressed here."""
    if engine is None:
        return packed.bytes
    gzip = ENGINES[engine]
    size = gzip.entry_bytes * packed.entries
    for raw, here, part in zip(packed.raw, packed.packed, (gzip.jar, gzip.text, gzip.other), strict=True):
        size += raw - part * (raw - here)
    return round(size)


def tar_bytes(size: int) -> int:
    """Bytes of one file in a tar: a header and the content padded to 512 bytes."""
    return 512 + (size + 511) // 512 * 512


def _compressor(kind: Kind) -> Any:
    if kind == "jar":
        try:
            from isal import isal_zlib

            return isal_zlib.compressobj(3)
        except ImportError:  # no wheel for this machine: slower, same size within 0.3 %
            pass
    return zlib.compressobj(6)


def compressed(chunks: Iterable[bytes], kind: Kind = "other") -> int:
    """Bytes that gzip makes of a stream."""
    return packed(chunks, kind).bytes


def packed(chunks: Iterable[bytes], kind: Kind = "other") -> Packed:
    """A stream's bytes before and after gzip."""
    packer = _compressor(kind)
    raw = size = 0
    for chunk in chunks:
        raw += len(chunk)
        size += len(packer.compress(chunk))
    return Packed.of(kind, raw, size + len(packer.flush()))


def header(name: str, size: int) -> bytes:
    """A tar header as far as it matters for compression."""
    return (
        name.encode("utf-8", "replace")[:100].ljust(124, b"\0")
        + b"%011o" % size
        + b"14720000000\0ustar  \0".ljust(377, b"\0")
    )


def read_chunks(path: Path) -> Iterator[bytes]:
    with open_file(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


_T = TypeVar("_T")


def in_parallel(tasks: list[Callable[[], _T]]) -> list[_T | None]:
    """Runs compression tasks on two threads (the libraries release the interpreter lock). None: unreadable."""

    def size(task: Callable[[], _T]) -> _T | None:
        try:
            return task()
        except (OSError, JarError):
            return None

    if len(tasks) < 2:
        return [size(task) for task in tasks]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(size, tasks))
