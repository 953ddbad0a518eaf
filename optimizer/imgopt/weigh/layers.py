"""What each layer of the final image weighs: base layers from the catalogue, copied files by compressing them.

`Weigher` remembers what it compressed, so the original and its rewrite cost one compression of the jar.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imgopt.compressing import (
    CHUNK_BYTES,
    LARGE_BYTES,
    Packed,
    header,
    in_parallel,
    kind_of,
    packed,
    predicted_bytes,
    read_chunks,
    tar_bytes,
)
from imgopt.errors import JarError
from imgopt.files.opening import open_file, read_file
from imgopt.light.records import replace
from imgopt.picture import Jars, Picture
from imgopt.picture.contents import SMALL_LAYER_BYTES, File, Layer
from imgopt.scales import Basis
from imgopt.weigh.bumps import moves, next_patch
from imgopt.weigh.unbuilt import Unbuilt, keeps_digest, parts_of
from imgopt.weigh.weights import ImageWeight, LayerWeight

if TYPE_CHECKING:
    from imgopt.bases.sizes import Size
    from imgopt.java.archive import Entry
    from imgopt.java.boot_managed import Patch
    from imgopt.java.model import Jar

#: Larger entries of a jar are not inflated to be weighed: their layer's size is unknown.
MOST_BYTES = 1 << 30
#: What a file's tar header comes to when gzip compresses it, and the end of a tar with gzip's own frame.
HEADER = Packed.of("other", 512, 90, entries=1)
END = Packed.of("other", 20, 20)


class Weigher:
    """Weighs pictures. Files and jar entries are compressed once and their sizes kept; a jar that `jars` has read
    is weighed by its entries, so that copying it whole and copying it unpacked cost one compression.

    ``engine``: a key of `imgopt.compressing.ENGINES`, whose gzip the sizes are predicted for; None: they are what
    compressing them here gave. It may be changed between pictures; nothing is compressed again. ``unbuilt``: what is known of the archive of
    the pictures that are weighed, where it is not there."""

    def __init__(self, jars: Jars | None = None, engine: str | None = None) -> None:
        self._jars = jars
        self.unbuilt: Unbuilt | None = None
        self._large: dict[tuple[str, str], Packed] = {}
        self.engine = engine
        self._patch: Patch | None = None  # of the picture that is weighed

    def weigh(self, picture: Picture) -> ImageWeight:
        """The final image's layers, base first, and what further platforms add to a push. Raises nothing: what cannot
        be read is unknown."""
        first, *others = picture.pushed
        self._patch = next_patch(picture)
        self._prepare(picture.layers)
        own = [weight for layer in picture.layers for weight in self._layers(picture, layer)]
        version = self._patch.version if self._patch is not None else None
        elsewhere: list[LayerWeight] = []
        images: list[ImageWeight] = []
        for platform in others:
            base = [*self._base(picture, platform)]
            images.append(ImageWeight((*base, *own), platforms=(platform,), spring_boot=version))
            there = [*base, *(layer for layer in own if not layer.same_everywhere)]
            elsewhere += [replace(layer, instruction=f"{layer.instruction} ({platform})") for layer in there]
        return ImageWeight(
            (*self._base(picture, first), *own), tuple(elsewhere), picture.pushed, tuple(images), version
        )

    def packed(self, files: tuple[File, ...]) -> int | None:
        """Compressed bytes of some files, as one layer of them would be; None where one is unknown."""
        if any(file.bytes is None for file in files) or not _honest(files):
            return None
        self._prepare_files(files)
        together = self._packed(files)
        return None if together is None else predicted_bytes(together, self.engine)

    def _base(self, picture: Picture, platform: str) -> Iterator[LayerWeight]:
        from imgopt.bases import size_of
        from imgopt.bases.build_images import built_on

        from_ = picture.final.root.stage.from_
        name = picture.final.root.image or picture.final.root.stage.image.text
        if name == "scratch":
            return
        size = size_of(picture.base, platform) if picture.final.root.image else None
        if size is not None and size.compressed_bytes is not None:
            yield _published(name, from_.line, size)
            return
        below = built_on(picture.base) if picture.final.root.image else None
        part = size_of(below, platform) if below is not None else None
        unpacked = size.uncompressed_bytes if size else None
        basis: Basis = "catalogue" if unpacked is not None else "unknown"
        text = f"FROM {name}"
        note = "its size is not in the catalogue"
        if below is None or part is None or part.compressed_bytes is None:
            yield LayerWeight(
                text, from_.line, None, unpacked, False, basis, True, note, unseen=frozenset({text})
            )
            return
        # what the tool's image adds to the JDK's is not known, but the JDK's is, and stays when the tool goes
        note = f"what it adds to {below.name}"
        yield LayerWeight(
            text, from_.line, None, None, False, "unknown", True, note, unseen=frozenset({text})
        )
        yield _published(below.name, from_.line, part)

    # layers above the base

    def _layers(self, picture: Picture, layer: Layer) -> Iterator[LayerWeight]:
        weight = replace(self._layer(picture, layer), changes_each_bump=self._bumps(layer))
        archive = self.unbuilt
        if archive is not None and weight.compressed_bytes is None:
            last = archive.last_release(layer.instruction)
            if last is not None:
                note = "as the last release in the baseline had it"
                yield replace(weight, compressed_bytes=last, basis="predicted", note=note, unseen=frozenset())
                return
        parts = parts_of(picture, layer) if archive is not None and weight.compressed_bytes is None else ()
        if archive is None or not parts:
            yield weight
            return
        steady = all(keeps_digest(picture, layer, part) for part in parts)
        bumped = not steady or any(part in ("dependencies", "spring-boot-loader") for part in parts)
        weight = replace(weight, changes_each_release=not steady, changes_each_bump=bumped)
        told = False
        for part in parts:
            libraries = archive.libraries_of(part)
            for size, note in archive.told(part, self.packed(libraries) if libraries else None):
                if size is None:
                    yield replace(weight, rest=told)
                    continue
                told = True
                yield replace(weight, compressed_bytes=size, basis="predicted", note=note, unseen=frozenset())

    def _layer(self, picture: Picture, layer: Layer) -> LayerWeight:
        instruction = layer.instruction
        text = f"{instruction.keyword} {instruction.text}".replace("\n", " ")
        text = text if len(text) <= 120 else text[:117] + "..."
        changes = self._changes(layer)
        same = _same_everywhere(layer)
        if not layer.complete or any(file.bytes is None for file in layer.files):
            note = (
                "files that are not available"
                if instruction.keyword in ("COPY", "ADD")
                else "what the command writes"
            )
            unseen = layer.unseen or frozenset({text})
            return LayerWeight(
                text, instruction.line, None, None, changes, "unknown", note=note, unseen=unseen
            )
        if not layer.files:
            return LayerWeight(
                text,
                instruction.line,
                SMALL_LAYER_BYTES,
                1024,
                changes,
                "predicted",
                note="directory entries",
            )
        size = sum(tar_bytes(file.bytes or 0) for file in layer.files)
        together = self._packed(layer.files)
        if together is None:
            return LayerWeight(
                text,
                instruction.line,
                None,
                size,
                changes,
                "unknown",
                note="a file could not be read",
                unseen=frozenset(file.path for file in layer.files),
            )
        return LayerWeight(
            text,
            instruction.line,
            predicted_bytes(together, self.engine),
            size,
            changes,
            self.basis(layer.files),
            same_everywhere=same,
        )

    def basis(self, files: Sequence[File]) -> Basis:
        """How the size of these files is known: compressed here, or modelled."""
        read = all(file.origin is not None or file.entry is not None for file in files)
        return "measured" if read and self.engine is None else "predicted"

    @staticmethod
    def _changes(layer: Layer) -> bool:
        """Whether the layer's digest differs in the next release, built without a cache."""
        if layer.steady:
            return any(file.releases for file in layer.files)
        return True

    def _bumps(self, layer: Layer) -> bool:
        """Whether its digest differs when another patch of Spring Boot came."""
        patch = self._patch
        return patch is not None and (self._changes(layer) or moves(patch, layer.files))

    def _prepare(self, layers: tuple[Layer, ...]) -> None:
        """Compresses everything large that was not compressed yet, in parallel."""
        self._prepare_files([file for layer in layers if _honest(layer.files) for file in layer.files])

    def _prepare_files(self, files: Sequence[File]) -> None:
        tasks: dict[tuple[str, str], Callable[[], Packed]] = {}
        for file in files:
            for key, task in self._large_parts(file):
                if key not in self._large:
                    tasks[key] = task
        for key, size in zip(tasks, in_parallel(list(tasks.values())), strict=True):
            if size is not None:  # a part that cannot be read makes its layer unknown
                self._large[key] = size

    def _large_parts(self, file: File) -> Iterator[tuple[tuple[str, str], Callable[[], Packed]]]:
        if file.entry is not None:
            jar, entry = file.entry
            if entry.bytes >= LARGE_BYTES:
                yield (jar.path, entry.name), functools.partial(_entry_size, jar, entry)
        elif file.origin is not None and (file.bytes or 0) >= LARGE_BYTES:
            known = self._jars.known(file.origin) if self._jars is not None else None
            if known is None:
                yield (str(file.origin), ""), functools.partial(_file_size, file.origin)
                return
            parts = tuple(entry for entry in known.entries if entry.stored and entry.bytes >= LARGE_BYTES)
            if sum(entry.compressed_bytes for entry in parts) > known.bytes:
                parts = ()  # they share bytes
            for entry in parts:
                yield (known.path, entry.name), functools.partial(_entry_size, known, entry)
            yield (known.path, ""), functools.partial(_rest_size, known, parts)

    def _packed(self, files: tuple[File, ...]) -> Packed | None:
        """Large files one by one, all small ones in one stream (gzip finds what they share); of text, where there is
        enough of it to matter, a stream of its own."""
        if not _honest(files):
            return None
        total = END
        small: list[File] = []
        for file in files:
            parts = list(self._large_parts(file))
            if not parts:
                small.append(file)
            for key, _ in parts:
                if key not in self._large:
                    return None
                total += self._large[key]
            total += HEADER if parts else Packed()
        text = [file for file in small if kind_of(file.path) == "text"]
        if sum(file.bytes or 0 for file in text) < LARGE_BYTES:
            text = []
        other = [file for file in small if kind_of(file.path) != "text"] if text else small
        try:
            if text:
                total += packed(_small_stream(text), "text")
            if other:
                total += packed(_small_stream(other))
            return total + Packed(entries=len(small))
        except (OSError, JarError):
            return None


def _same_everywhere(layer: Layer) -> bool:
    """Whether a layer is one blob for all platforms: its content comes from the context, and no directory in it has the
    time of the build, which differs from platform to platform (seen with BuildKit 0.34)."""
    copied = layer.instruction.keyword in ("COPY", "ADD") and layer.instruction.flag("from") is None
    return layer.steady or (copied and all(file.path.count("/") == 1 for file in layer.files))


def _published(name: str, line: int, size: Size) -> LayerWeight:
    return LayerWeight(
        f"FROM {name}",
        line,
        size.compressed_bytes,
        size.uncompressed_bytes,
        False,
        "catalogue",
        True,
        f"{size.as_of or 'undated'}, {size.source}",
        tuple(count for _, count in size.layers) if size.layers is not None else None,
    )


def _honest(files: tuple[File, ...]) -> bool:
    """Whether the entries of each jar come to no more than a jar of its size holds: else they are zip bombs, or share
    their bytes, and to compress them would take as long as what they claim."""
    of_jars = [file.entry for file in files if file.entry is not None]
    if not of_jars:
        return True
    from imgopt.java.jar import inflatable

    totals: dict[str, int] = {}
    limits: dict[str, int] = {}
    for jar, entry in of_jars:
        totals[jar.path] = totals.get(jar.path, 0) + entry.bytes
        limits[jar.path] = inflatable(jar.bytes)
    return all(total <= limits[path] for path, total in totals.items())


def _small_stream(files: list[File]) -> Iterator[bytes]:
    for file in sorted(files, key=lambda file: file.path):
        size = file.bytes or 0
        yield header(file.path, size)
        if file.entry is not None:
            from imgopt.java.jar import entry_data

            data = entry_data(file.entry[0], file.entry[1], LARGE_BYTES)
        elif file.origin is not None:
            data = read_file(file.origin, LARGE_BYTES)
        elif file.text is not None:
            data = file.text.encode()
        else:
            data = b"Manifest-Version: 1.0\r\n".ljust(size, b"#")
        yield data + b"\0" * (-len(data) % 512)


def _file_size(path: Path) -> Packed:
    return packed(read_chunks(path), kind_of(path.name))


def _rest_size(jar: Jar, parts: tuple[Entry, ...]) -> Packed:
    """What lies between the large stored entries of a jar: deflated classes, small libraries, the directory."""

    def chunks() -> Iterator[bytes]:
        with open_file(jar.path) as file:
            position = 0
            for entry in sorted(parts, key=lambda entry: entry.data_offset):
                # up to the entry's local header and name; its content is weighed by itself
                yield from _range(file, position, entry.data_offset + 30 + len(entry.name))
                position = entry.data_offset + 30 + len(entry.name) + entry.compressed_bytes
            yield from _range(file, position, jar.bytes)

    return packed(chunks(), "jar")


def _range(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    left = end - start
    while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def _entry_size(jar: Jar, entry: Entry) -> Packed:
    from imgopt.java.jar import content_chunks, library_bytes

    if entry.bytes > MOST_BYTES:
        raise JarError(f"{entry.name} is too large to be compressed here", path=jar.path)
    kind = kind_of(entry.name)
    if entry.stored:
        return packed(library_bytes(jar, entry), kind)
    return packed(content_chunks(jar, entry), "text" if kind == "text" else "other")
