"""An image as the tar of `docker save`, which every Docker and Podman loads; made while it is read."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from imgopt.images.model import ImageLayer, OpenImage

BLOCK_BYTES = 1 << 20


def docker_archive(image: OpenImage, reference: str) -> Iterator[bytes]:
    """The archive's bytes in blocks, with the image tagged as ``reference``. Holds one block in memory.

    Layers stay compressed when the image has them as gzip. Of others the size must stand before the content: where
    the image does not know it, the layer is read twice. Raises MeasureError when the image cannot be read.
    """
    config = f"{image.image.id.partition(':')[2]}.json"
    names: list[str] = []
    written: set[str] = set()
    yield from _file(config, image.image.config_bytes)
    for index, layer in enumerate(image.image.layers):
        # two layers may have the same content (an empty one, mostly): one file, named twice
        name = f"{layer.diff_id.partition(':')[2]}/layer.tar"
        names.append(name)
        if name in written:
            continue
        written.add(name)
        if layer.blob is not None and _is_gzip(layer):
            yield from _stream(name, layer.blob.size, image.open_blob(index))
        else:
            size = layer.uncompressed_bytes
            yield from _stream(
                name, size if size is not None else _length(image.open_tar(index)), image.open_tar(index)
            )
    manifest = [{"Config": config, "RepoTags": [reference], "Layers": names}]
    yield from _file("manifest.json", json.dumps(manifest).encode())
    yield bytes(1024)


def _is_gzip(layer: ImageLayer) -> bool:
    """Docker unpacks gzip while it loads; zstd only since 23.0."""
    return layer.blob is not None and layer.blob.media_type.endswith(("+gzip", ".gzip"))


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content))
    yield content + bytes(-len(content) % 512)


def _stream(name: str, size: int, content: BinaryIO) -> Iterator[bytes]:
    with content:
        yield _header(name, size)
        left = size
        while left and (block := content.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
        if left or content.read(1):
            from imgopt.errors import MeasureError

            raise MeasureError(f"the layer {name.partition('/')[0][:12]} is not as long as its image says")
        yield bytes(-size % 512)


def _length(content: BinaryIO) -> int:
    total = 0
    with content:
        while block := content.read(BLOCK_BYTES):
            total += len(block)
    return total


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member.tobuf(tarfile.GNU_FORMAT)
