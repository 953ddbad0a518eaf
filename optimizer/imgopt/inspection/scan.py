"""Reads an image's layers, each once and in order, into an `Inspection`."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ImgoptError, MeasureError
from imgopt.inspection.filesystem import Filesystem, is_whiteout
from imgopt.inspection.image import Contents, Holding, InspectedJar, InspectedLayer, Inspection
from imgopt.inspection.places import WHATS, Places, What, java_homes, runs_as_root, start_words
from imgopt.inspection.tarstream import Entry, TarStream

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from imgopt.images.model import Image, OpenImage
    from imgopt.inspection.weight import Weigher

#: Layers may unpack to this much together, or to RATIO times what is stored, if that is more: beyond, nobody's image.
MOST_BYTES = 32 << 30
RATIO = 100
#: Of one layer that is small: what it may unpack to.
MOST_OF_A_LAYER = 4 << 30
#: Files of all layers together: what is kept of each is some hundred bytes.
MOST_ENTRIES = 1_000_000
#: Jars that are looked into, and their bytes together.
MOST_JARS = 8
LEAST_JAR_BYTES = 64 * 1024
MOST_JAR_BYTES = 2 << 30
LARGEST = 10

_LIBRARY_PLACES = (
    "/BOOT-INF/lib/",
    "/WEB-INF/lib/",
    "/lib/",
    "/libs/",
    "/ext/",
    "/lib-provided/",
    "/plugins/",
)


def inspect_image(
    opened: OpenImage, target: str, *, contents: bool = True, progress: Callable[[str], None] | None = None
) -> Inspection:
    """Everything about an open image. Without ``contents`` no layer is read: sizes are those the manifest names.

    InputError where a layer is no tar, damaged, cut short or made to harm; MeasureError where it cannot be had.
    """
    image = opened.image
    reader = _Reader(opened, progress)
    if contents:
        with reader.spooling(), _threads() as threads:
            for index in range(len(image.layers)):
                reader.read(index, threads)
        return _with_contents(image, target, reader)
    layers = tuple(
        InspectedLayer(
            number,
            layer.created_by,
            layer.diff_id,
            layer.blob.digest if layer.blob is not None else None,
            layer.blob.size if layer.blob is not None else None,
            layer.uncompressed_bytes,
        )
        for number, layer in enumerate(image.layers, 1)
    )
    return _inspection(image, target, layers, None, ())


def _inspection(
    image: Image,
    target: str,
    layers: tuple[InspectedLayer, ...],
    contents: Contents | None,
    notes: Sequence[str],
) -> Inspection:
    config = image.config.get("config")
    user = config.get("User") if isinstance(config, dict) else None
    return Inspection(
        target,
        image.reference,
        image.id,
        image.platform,
        str(user or ""),
        runs_as_root(config),
        start_words(config),
        layers,
        contents,
        tuple(notes),
    )


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    from concurrent.futures import ThreadPoolExecutor

    from imgopt.inspection.weight import threads

    with ThreadPoolExecutor(max_workers=threads()) as pool:
        yield pool


@dataclass(frozen=True, slots=True)
class _ReadLayer:
    """A layer as it was read: its files with what they store, and its two sizes."""

    files: list[tuple[str, int]]
    compressed_bytes: int
    uncompressed_bytes: int
    compressed_here: bool


class _Reader:
    def __init__(self, opened: OpenImage, progress: Callable[[str], None] | None) -> None:
        self.opened = opened
        self.image = opened.image
        self.layers: list[_ReadLayer] = []
        self.files = Filesystem()
        self.jars: list[InspectedJar] = []
        self.notes: list[str] = []
        self._progress = progress
        self._read_bytes = 0
        self._entries = 0
        self._jar_bytes = 0
        self._spool: Path | None = None
        start = start_words(self.image.config.get("config"))
        self._started = frozenset(
            word.rpartition("/")[2] for word in start if word.endswith((".jar", ".war"))
        )
        stored = sum(
            layer.blob.size if layer.blob else layer.uncompressed_bytes or 0 for layer in self.image.layers
        )
        self._most_bytes = max(MOST_BYTES, RATIO * stored)

    @contextmanager
    def spooling(self) -> Iterator[None]:
        """A directory of its own for jars that are looked into; gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="imgopt-") as directory:
            self._spool = Path(directory)
            yield

    def read(self, index: int, threads: ThreadPoolExecutor) -> None:
        layer = self.image.layers[index]
        label = f"{self.image.reference}: layer {index + 1}"
        if self._progress is not None:
            self._progress(label)
        most = self._most_bytes - self._read_bytes
        if layer.blob is not None:
            most = min(most, max(MOST_OF_A_LAYER, RATIO * layer.blob.size))
        weigher: Weigher | None = None
        with self.opened.open_tar(index) as source:
            tee = source
            if layer.blob is None:
                from imgopt.inspection import weight

                weigher = weight.Weigher(threads, 2 * weight.threads() + 2)
                tee = _Tee(source, weigher)  # type: ignore[assignment]
            stream = TarStream(tee, label, most_bytes=most, most_entries=MOST_ENTRIES - self._entries)
            entries: list[Entry] = []
            files: list[tuple[str, int]] = []
            outside = 0
            for entry in stream:
                entries.append(entry)
                outside += entry.outside
                if entry.outside and outside <= 3:
                    self.notes.append(
                        f"layer {index + 1}: {entry.path[:120]} is named so that it leads out of the image"
                    )
                if entry.kind == "file" and not is_whiteout(entry.path):
                    files.append((entry.path, entry.stored_bytes))
                    if self._worth_a_look(entry):
                        self._look_into(entry, stream, index)
        self._read_bytes += stream.position
        self._entries += len(entries)
        self.files.apply(index, entries)
        size = layer.blob.size if layer.blob is not None else 0
        self.layers.append(
            _ReadLayer(files, weigher.finish() if weigher else size, stream.position, weigher is not None)
        )

    def _worth_a_look(self, entry: Entry) -> bool:
        path = entry.path
        if not path.endswith((".jar", ".war")) or not entry.stored_bytes:
            return False
        named = path.rpartition("/")[2] in self._started
        if not named and (
            entry.stored_bytes < LEAST_JAR_BYTES or any(place in path for place in _LIBRARY_PLACES)
        ):
            return False
        return len(self.jars) < MOST_JARS and self._jar_bytes + entry.stored_bytes <= MOST_JAR_BYTES

    def _look_into(self, entry: Entry, stream: TarStream, index: int) -> None:
        from imgopt.java.jar import read_jar

        assert self._spool is not None
        spooled = self._spool / f"{len(self.jars)}.jar"
        self._jar_bytes += entry.stored_bytes
        try:
            with spooled.open("wb") as file:
                for chunk in stream.chunks():
                    file.write(chunk)
        except OSError as error:
            raise MeasureError(
                f"a jar of the image does not fit into {tempfile.gettempdir()}: {error.strerror or error}",
                "free some space, or set TMPDIR to a larger disk",
            ) from error
        try:
            jar = replace(read_jar(spooled), path=entry.path)
            self.jars.append(InspectedJar(entry.path, index, entry.stored_bytes, jar))
        except ImgoptError as error:
            self.jars.append(InspectedJar(entry.path, index, entry.stored_bytes, None, error.message))
        finally:
            spooled.unlink(missing_ok=True)


class _Tee:
    """Reads a stream and hands what was read to the weigher."""

    def __init__(self, source: object, weigher: Weigher) -> None:
        self._source, self._weigher = source, weigher

    def read(self, size: int) -> bytes:
        data: bytes = self._source.read(size)  # type: ignore[attr-defined]
        self._weigher.add(data)
        return data


_APPLICATIONS = frozenset(
    ("spring-boot", "spring-boot-war", "shaded", "quarkus-uber", "quarkus-fast", "thin", "war")
)


def _with_contents(image: Image, target: str, reader: _Reader) -> Inspection:
    homes = java_homes(path for layer in reader.layers for path, _ in layer.files)
    applications = frozenset(
        each.path
        for each in reader.jars
        if each.path.rpartition("/")[2] in reader._started or (each.jar and each.jar.kind in _APPLICATIONS)
    )
    last = {each.path: each for each in reader.jars}  # of several copies only the last one is seen
    jars = tuple(each for each in last.values() if each.path in applications or each.jar is None)
    places = Places(homes, applications)
    files = reader.files
    layers = []
    stored: dict[What, int] = defaultdict(int)
    told = False
    for index, (read, layer) in enumerate(zip(reader.layers, image.layers, strict=True)):
        holds = _holdings(read.files, places)
        for each in holds:
            stored[each.what] += each.bytes
        application = any(each.what == "application" for each in holds)
        told = told or application
        layers.append(
            InspectedLayer(
                index + 1,
                layer.created_by,
                layer.diff_id,
                layer.blob.digest if layer.blob is not None else None,
                read.compressed_bytes,
                read.uncompressed_bytes,
                read.compressed_here,
                len(read.files),
                holds,
                tuple(nlargest(LARGEST, read.files, key=lambda file: (file[1], file[0]))),
                files.wasted_in.get(index, 0),
                application,
            )
        )
    if not told:  # without an application nobody can say what a release changes
        layers = [replace(layer, changes_each_release=None) for layer in layers]
    wasted = tuple(sorted(files.wasted.values(), key=lambda each: (-each.bytes, each.path)))
    contents = Contents(
        files,
        places,
        wasted,
        files.wasted_bytes,
        files.score.efficiency,
        files.score.dives_wasted_bytes,
        jars,
        {what: stored[what] for what in WHATS if what in stored},
    )
    return _inspection(image, target, tuple(layers), contents, reader.notes)


def _holdings(files: Sequence[tuple[str, int]], places: Places) -> tuple[Holding, ...]:
    sizes: dict[What, list[int]] = {}
    for path, size in files:
        entry = sizes.setdefault(places.what(path), [0, 0])
        entry[0] += size
        entry[1] += 1
    holds = [Holding(what, size, count) for what, (size, count) in sizes.items()]
    return tuple(sorted(holds, key=lambda each: (-each.bytes, WHATS.index(each.what))))
