"""The blobs that images of a fleet are pushed as, with what tells which of them are the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from imgopt.light.records import dataclass
from imgopt.scales import Basis, Sum, total

if TYPE_CHECKING:
    from imgopt.picture import Picture
    from imgopt.picture.contents import File, Layer
    from imgopt.weigh.weights import ImageWeight, LayerWeight


@dataclass(frozen=True)
class Blob:
    """``key``: equal where the registry gets the same bytes. ``released``: another one with each release; ``bumped``: with a
    patch of Spring Boot, None where it is not known whether there is any."""

    key: Hashable
    instruction: str
    bytes: int | None
    basis: Basis
    from_base: bool
    released: bool
    bumped: bool | None
    holds: frozenset[str] = frozenset()  # names of the libraries in it
    places: frozenset[str] = frozenset()  # directories of the image that these lie in


def summed(blobs: Iterable[Blob]) -> Sum:
    return total([(each.bytes, each.basis) for each in blobs])


def once(blobs: Iterable[Blob]) -> list[Blob]:
    """Each blob once, as a registry that mounts gets them."""
    found: dict[Hashable, Blob] = {}
    for each in blobs:
        found.setdefault(each.key, each)
    return list(found.values())


def blobs_of(picture: Picture, weight: ImageWeight, image: object) -> list[Blob]:
    """What a push of an image sends, of all its platforms. ``image`` tells it from others."""
    knows = weight.spring_boot is not None
    own = [layer for layer in weight.layers if not layer.from_base]
    layers = list(picture.layers)
    contents = [_content(layer) for layer in layers] if len(own) == len(layers) else [None] * len(own)
    nothing: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    held = [_libraries(layer) for layer in layers] if len(own) == len(layers) else [nothing] * len(own)
    first, *others = picture.pushed
    found: list[Blob] = []
    for platform, each in ((first, weight), *zip(others, weight.others, strict=False)):
        number = 0
        for layer in each.layers:
            if layer.from_base:
                found += _of_base(picture, layer, platform)
                continue
            content = contents[number] if number < len(contents) else None
            where = "" if layer.same_everywhere else platform
            key: Hashable = (image, number, where) if content is None else (content, where)
            bumped = (layer.changes_each_release or layer.changes_each_bump) if knows else None
            if platform == first or not layer.same_everywhere:
                found.append(
                    Blob(
                        key,
                        layer.instruction,
                        layer.compressed_bytes,
                        layer.basis,
                        False,
                        layer.changes_each_release,
                        bumped,
                        *(held[number] if number < len(held) else nothing),
                    )
                )
            number += 1
    return found


def _of_base(picture: Picture, layer: LayerWeight, platform: str) -> Iterator[Blob]:
    """The layers of a base by their digests, where they are published; else all as one."""
    from imgopt.bases import size_of

    size = size_of(picture.base, platform) if picture.final.root.image else None
    if size is not None and size.layers and size.compressed_bytes == layer.compressed_bytes:
        left = layer.compressed_bytes or 0
        for digest, count in size.layers:
            left -= count
            yield Blob(("base", digest), layer.instruction, count, layer.basis, True, False, False)
        if left:  # the list and the figure beside it differ
            yield Blob(
                ("base", layer.instruction, platform),
                layer.instruction,
                left,
                layer.basis,
                True,
                False,
                False,
            )
        return
    key = ("base", layer.instruction, platform)
    yield Blob(key, layer.instruction, layer.compressed_bytes, layer.basis, True, False, False)


def _content(layer: Layer) -> Hashable | None:
    """What makes two layers of different images the same bytes: their files with paths, times and owners that no build
    changes. None where they are this image's own."""
    if not (layer.steady and layer.complete and layer.files) or layer.reowned:
        return None
    files = []
    for file in layer.files:
        identity = _identity(file)
        if identity is None:
            return None
        files.append((file.path, identity))
    flags = layer.instruction.flags
    owner = tuple(sorted((flag.name, flag.value) for flag in flags if flag.name in ("chown", "chmod")))
    return frozenset(files), owner


def _identity(file: File) -> Hashable | None:
    if file.entry is not None:
        return file.entry[1].crc32, file.entry[1].bytes
    if file.text is not None:
        return file.text
    return str(file.origin) if file.origin is not None else None


def _libraries(layer: Layer) -> tuple[frozenset[str], frozenset[str]]:
    """Their names, and the directories that they lie in."""
    jars = [file for file in layer.files if file.entry is not None and file.path.endswith(".jar")]
    names = frozenset(file.entry[1].name.rpartition("/")[2] for file in jars if file.entry is not None)
    return names, frozenset(file.path.rpartition("/")[0] for file in jars)
