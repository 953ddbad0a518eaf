"""What a registry that has the first release still needs of the second one, layer by layer, and why."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Literal

from imgopt.comparison.layer_entries import BLOCK_BYTES, LayerDifference, compare_layers, entries
from imgopt.finding import Finding
from imgopt.images.model import ImageLayer, OpenImage
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.scales import Severity

RULE = "unstable-layers"
#: What the classic builder writes into the history instead of a file's name.
_CONTENT_HASH = regex(r"\b(?:file|dir|multi):[0-9a-f]{16,}")
LARGEST = 20

How = Literal["the engine's own blob", "compressed here with zlib 6"]


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A layer of the second release that the registry lacks. ``counterpart``: the first release's layer that it takes
    the place of (index, from 0), None when there is none. ``difference`` to it. ``how`` the bytes were measured."""

    index: int
    instruction: str
    compressed_bytes: int
    uncompressed_bytes: int | None
    how: How
    counterpart: int | None
    difference: LayerDifference | None

    @property
    def unstable(self) -> bool:
        """The content is that of the first release: sent for nothing."""
        return self.difference is not None and self.difference.same_content

    def as_json(self) -> dict[str, object]:
        found = self.difference
        return {
            "index": self.index,
            "instruction": self.instruction,
            "compressed_bytes": self.compressed_bytes,
            "uncompressed_bytes": self.uncompressed_bytes,
            "basis": "measured",
            "how": self.how,
            "unstable": self.unstable,
            "why": found.cause if found is not None else "the first release has no such layer",
            "differs": dict(found.counts) if found is not None else {},
            "entries": [each.as_json() for each in found.named] if found is not None else [],
        }


@dataclass(frozen=True, slots=True)
class ReleaseDifference:
    """``layers``: those that the registry lacks. ``total_layers``: how many the second release has."""

    layers: tuple[NewLayer, ...]
    total_layers: int

    @property
    def compressed_bytes(self) -> int:
        """Measured bytes of the layers that travel; the config and manifest, some kilobytes, not counted."""
        return sum(layer.compressed_bytes for layer in self.layers)

    @property
    def unstable(self) -> tuple[NewLayer, ...]:
        return tuple(layer for layer in self.layers if layer.unstable)

    def as_json(self) -> dict[str, object]:
        return {
            "next_push_bytes": self.compressed_bytes,
            "basis": "measured",
            "layers": [layer.as_json() for layer in self.layers],
            "total_layers": self.total_layers,
        }


def release_difference(
    first: OpenImage, second: OpenImage, progress: Callable[[str], None] | None = None
) -> ReleaseDifference:
    """Layers of ``second`` that a registry with ``first`` lacks: by the digests of their blobs where both images have
    those, else by diff IDs. Streams the layers that differ, twice at most. MeasureError, InputError."""
    old, new = first.image.layers, second.image.layers
    by_blob = all(layer.blob is not None for layer in (*old, *new))
    known = {_key(layer, by_blob) for layer in old}
    wanted = {_key(layer, by_blob) for layer in new}
    gone = [index for index, layer in enumerate(old) if _key(layer, by_blob) not in wanted]
    found: list[NewLayer] = []
    for index, layer in enumerate(new):
        key = _key(layer, by_blob)
        if key in known:
            continue
        known.add(key)  # a layer that the image has twice travels once
        if progress is not None:
            progress(f"looking at layer {index + 1} of {len(new)}")
        counterpart = _counterpart(index, new, gone, old)
        if counterpart is not None:
            gone.remove(counterpart)
        found.append(_new_layer(first, second, index, counterpart))
    return ReleaseDifference(tuple(found), len(new))


def unstable_layers(difference: ReleaseDifference, line_of: Callable[[NewLayer], int]) -> tuple[Finding, ...]:
    """Of layers that changed although their content did not. ``line_of`` names the Dockerfile's line of a layer."""
    return tuple(
        Finding(
            rule=RULE,
            severity=Severity.of(layer.compressed_bytes),
            line=line_of(layer),
            end_line=line_of(layer),
            message=(
                f"measured: this layer got a new digest in the next release although its content is the same, and "
                f"{layer.compressed_bytes} bytes travel again: {layer.difference.cause if layer.difference else ''}"
            ),
        )
        for layer in difference.unstable
    )


def _key(layer: ImageLayer, by_blob: bool) -> str:
    return layer.blob.digest if by_blob and layer.blob is not None else layer.diff_id


def _counterpart(
    index: int, new: Sequence[ImageLayer], gone: Sequence[int], old: Sequence[ImageLayer]
) -> int | None:
    """The nearest layer that vanished and was made by the same instruction, else the one at the same place."""
    made_by = _instruction(new[index])
    same = [each for each in gone if _instruction(old[each]) == made_by]
    if same:
        return min(same, key=lambda each: abs(each - index))
    return index if index in gone else None


def _instruction(layer: ImageLayer) -> str:
    return _CONTENT_HASH.sub("content", layer.created_by)


def _new_layer(first: OpenImage, second: OpenImage, index: int, counterpart: int | None) -> NewLayer:
    layer = second.image.layers[index]
    size = layer.uncompressed_bytes
    how: How = "the engine's own blob"
    if layer.blob is not None:
        compressed = layer.blob.size
    else:
        compressed, size = _compressed(second, index)
        how = "compressed here with zlib 6"
    difference = None
    if counterpart is not None:
        with first.open_tar(counterpart) as before, second.open_tar(index) as after:
            difference = compare_layers(before, after)
    return NewLayer(index, layer.created_by, compressed, size, how, counterpart, difference)


def _compressed(image: OpenImage, index: int) -> tuple[int, int]:
    """Bytes as gzip, and of the plain tar."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    packed = plain = 0
    with image.open_tar(index) as stream:
        while block := stream.read(BLOCK_BYTES):
            plain += len(block)
            packed += len(packer.compress(block))
    return packed + len(packer.flush()), plain


@dataclass(frozen=True, slots=True)
class Group:
    """Files that have something in common. ``largest``: paths and bytes of the largest of them."""

    files: int = 0
    bytes: int = 0
    largest: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, object]:
        largest = [{"path": path, "bytes": size} for path, size in self.largest]
        return {"files": self.files, "bytes": self.bytes, "largest": largest}


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """What differs between the files in the layers of two images (as they are stored, also where a layer above hides
    them). Plain bytes, measured. ``same``: the same content at the same path, in the same layer by position or not
    (``other_layer``). ``elsewhere``: content that both have, at another path. ``changed``: one path, other content."""

    same: Group
    other_layer: Group
    elsewhere: Group
    changed: Group
    only_before: Group
    only_after: Group

    def as_json(self) -> dict[str, object]:
        names = ("same", "other_layer", "elsewhere", "changed", "only_before", "only_after")
        return {name: getattr(self, name).as_json() for name in names}


@dataclass(slots=True)
class _Gathered:
    files: int = 0
    bytes: int = 0
    all: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, size: int) -> None:
        self.files += 1
        self.bytes += size
        self.all.append((size, path))
        if len(self.all) > 8 * LARGEST:
            self._trim()

    def _trim(self) -> None:
        self.all = sorted(self.all, key=lambda each: (-each[0], each[1]))[:LARGEST]

    def group(self) -> Group:
        self._trim()
        return Group(self.files, self.bytes, tuple((path, size) for size, path in self.all))


def compare_images(before: OpenImage, after: OpenImage) -> ImageDifference:
    """Reads each layer once; names and digests of both images stay in memory, some hundred bytes a file."""
    old, new = _files(before), _files(after)
    old_contents = {digest for found in old.values() for _, _, digest in found}
    new_contents = {digest for found in new.values() for _, _, digest in found}
    groups = {name: _Gathered() for name in ("same", "other", "elsewhere", "changed", "before", "after")}
    for path, found in new.items():
        there = old.get(path, [])
        for layer, size, digest in found:
            if any(digest == each for _, _, each in there):
                in_place = any(digest == each and layer == at for at, _, each in there)
                groups["same" if in_place else "other"].add(path, size)
            elif digest in old_contents:
                groups["elsewhere"].add(path, size)
            else:
                groups["changed" if there else "after"].add(path, size)
    for path, found in old.items():
        for _, size, digest in found:
            if digest not in new_contents and path not in new:
                groups["before"].add(path, size)
    return ImageDifference(*(groups[name].group() for name in groups))


def _files(image: OpenImage) -> dict[str, list[tuple[int, int, bytes]]]:
    """Of each path: layer, bytes and digest of every file stored there."""
    found: dict[str, list[tuple[int, int, bytes]]] = {}
    for index in range(len(image.image.layers)):
        with image.open_tar(index) as stream:
            for entry in entries(stream):
                if entry.digest:
                    found.setdefault(entry.name, []).append((index, entry.size, entry.digest))
    return found
