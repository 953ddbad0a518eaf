"""One door to a built image, wherever it lies: ``open_image("app.tar")``, ``open_image("docker:shop/api:7")``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import IO, Any, BinaryIO, cast

from imgopt.bases.reference import parse_reference
from imgopt.errors import ImgoptError, InputError, MeasureError
from imgopt.files.meant import meant_directory
from imgopt.files.opening import open_file
from imgopt.images import documents as doc
from imgopt.images.layout import Found, find_manifest, find_manifests, fitting, images_of, names_of
from imgopt.images.model import Descriptor, Family, Image, OpenImage
from imgopt.images.spool import drop_spool, new_spool, rewind_spool, write_spool
from imgopt.images.stores import Directory, Store, Tar
from imgopt.images.streams import (
    BLOCK_BYTES,
    Checked,
    Compression,
    Extent,
    PartOfFile,
    Unpacked,
    buffered,
    compression_of,
    sha256_of,
    unpacker,
)
from imgopt.light.records import dataclass, replace
from imgopt.text.quoting import typed

GZIP_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
#: An archive that is compressed as a whole is unpacked to the disk. Images shrink to a half or a tenth.
MOST_INFLATION = 100
_ALWAYS_UNPACKED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a layer's bytes lie (None: nowhere) and what they are compressed with."""

    extent: Extent | None
    compression: Compression | None


class StoredImage:
    """An image in a store, which is closed with it."""

    def __init__(self, image: Image, places: tuple[_Place, ...], store: Store) -> None:
        self._image, self._places, self._store = image, places, store

    @property
    def image(self) -> Image:
        return self._image

    def open_blob(self, index: int) -> BinaryIO:
        """The layer as it lies here; seekable. Checked when it is read from start to end."""
        layer = self._image.layers[index]
        return buffered(Checked(self._extent(index), layer.blob.digest if layer.blob else layer.diff_id))

    def open_tar(self, index: int) -> BinaryIO:
        """The plain tar; forward only where it has to be unpacked."""
        compression = self._places[index].compression
        if compression is None:
            return self.open_blob(index)
        label = self._extent(index).label
        diff_id = self._image.layers[index].diff_id
        return buffered(Unpacked(self.open_blob(index), compression, diff_id, label))

    def _extent(self, index: int) -> Extent:
        extent = self._places[index].extent
        if extent is None:
            layer = self._image.layers[index]
            digest = layer.blob.digest if layer.blob else layer.diff_id
            raise InputError(
                f"layer {index + 1} ({digest[:19]}…) is missing",
                "save the image again",
                path=self._store.name,
            )
        return extent

    def of(self, family: Family) -> StoredImage:
        return StoredImage(replace(self._image, family=family), self._places, self._store)

    def close(self) -> None:
        self._store.close()


@contextlib.contextmanager
def open_image(spec: str, platform: str | None = None) -> Iterator[OpenImage]:
    """Opens an image to read its layers.

    ``spec``: a tar (``docker save``, kaniko's ``--tar-path``, an OCI archive; also gzip or zstd around it), an OCI
    layout's directory, ``oci:DIR[:TAG]`` for one image of a layout, ``docker:NAME`` or just the name of a daemon's
    image. ``platform`` (``linux/arm64``) chooses among several; without it this machine's.

    InputError when the file is no image, damaged or cut short; MeasureError when the daemon does not give it.
    """
    (opened,) = _open(spec, _Choice(None, platform))
    try:
        yield opened
    finally:
        opened.close()


class Together:
    """Images of a daemon for one call: saved together when the first of them is opened, so that what several have is
    written once; each alone where that cannot be done (one of them is not there, or goes by another name)."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._lock = tuple(dict.fromkeys(names)), Lock()
        self._store: Store | None = None
        self._asked = False

    @contextlib.contextmanager
    def open(self, name: str, platform: str | None = None) -> Iterator[OpenImage]:
        """The image of one of the names; errors as `open_image`."""
        opened = self._of_store(name, platform)
        if opened is not None:
            yield opened
            return
        with open_image(f"docker:{name}", platform) as alone:
            yield alone

    def _of_store(self, name: str, platform: str | None) -> OpenImage | None:
        with self._lock:
            if not self._asked and len(self._names) > 1:
                self._asked = True
                with contextlib.suppress(InputError, MeasureError):
                    self._store = _saved_together(self._names, platform)
            if self._store is not None:
                with contextlib.suppress(InputError, MeasureError):
                    return _named_in(self._store, name, platform)
        return None

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


def _saved_together(names: Sequence[str], platform: str | None) -> Store:
    from imgopt.sources.daemon import save

    store = _tar(save(names[0], platform, *names[1:]), "docker save")
    with _closed_on_failure(store):
        if _is_layout(store) and store.find("manifest.json") is not None:
            _check_agreement(store)
    return store


def _named_in(store: Store, name: str, platform: str | None) -> StoredImage:
    """The image as a daemon calls it: by its short name, or in a layout by the full one."""
    reference = parse_reference(name)
    if reference.tag is None or reference.digest is not None:
        reference = parse_reference(f"{name}:latest")
    choice = _Choice(str(reference), platform, name)
    if not _is_layout(store):
        return _images_of_archive(store, choice)[0]
    if reference.on_docker_hub:
        library = "" if "/" in reference.repository else "library/"
        choice = replace(choice, tag=f"docker.io/{library}{reference.repository}:{reference.tag}")
    return _images_of_layout(store, choice)[0]


@contextlib.contextmanager
def open_images(spec: str, platform: str | None = None) -> Iterator[list[OpenImage]]:
    """The same, of every platform that the image has, or of the one that is asked for."""
    opened = _open(spec, _Choice(None, platform, every=True))
    try:
        yield [*opened]
    finally:
        for each in opened:
            each.close()


@contextlib.contextmanager
def open_named(path: str, name: str, platform: str | None = None) -> Iterator[OpenImage]:
    """The image of that very name, one of those of `names_in`."""
    (opened,) = _of_file(path, _Choice(name, platform))
    try:
        yield opened
    finally:
        opened.close()


def names_in(path: str) -> list[tuple[str, ...]]:
    """What an archive or a layout calls its images: the names of each, () of one without.

    InputError when it is none, or damaged.
    """
    store = _store(path)
    with contextlib.closing(store):
        if _is_layout(store):
            return names_of(store)
        entries: dict[str, list[str]] = {}
        for entry in _listed(store, f"{store.name} (manifest.json)"):
            names = entries.setdefault(str(entry.get("Config")), [])
            names += [str(each) for each in entry.get("RepoTags") or ()]
        return [tuple(dict.fromkeys(names)) for names in entries.values()]


def _store(path: str) -> Store:
    """An archive, or a directory that is a layout, opened."""
    try:
        if Path(path).is_dir():
            return Directory(Path(path))
        return _tar(open_file(path), path)
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror or error}", "give a tar or an OCI layout", path=path
        ) from error


def _of_file(path: str, choice: _Choice) -> list[StoredImage]:
    try:
        if Path(path).is_dir():
            return _from_directory(Path(path), choice)
        return _from_archive(open_file(path), path, choice)
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror or error}", "give a tar or an OCI layout", path=path
        ) from error


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which image of a store is wanted; ``reference``: what it is called whatever it says. ``every``: all platforms."""

    tag: str | None = None
    platform: str | None = None
    reference: str | None = None
    every: bool = False


def _open(spec: str, choice: _Choice) -> list[StoredImage]:
    scheme, colon, rest = spec.partition(":")
    if colon and scheme == "docker":
        return _from_daemon(rest, choice)
    if colon and scheme == "oci":
        return _from_oci(rest, choice)
    path = Path(spec)
    try:
        if path.is_dir():
            return _from_directory(path, choice)
        if path.exists():
            return _from_archive(open_file(path), spec, choice)
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror or error}",
            "give a tar, an OCI layout or an image's name",
            path=spec,
        ) from error
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{spec!r} is neither a path nor the name of an image") from error
    if spec.startswith((".", "/", "~")) or spec.endswith((".tar", ".tgz", ".gz", ".zst")):
        raise InputError("there is no such file", "give a tar, an OCI layout or an image's name", path=spec)
    return _from_daemon(spec, choice)


def _from_oci(rest: str, choice: _Choice) -> list[StoredImage]:
    path = rest
    try:
        if not Path(path).exists() and ":" in rest:
            path, _, tag = rest.rpartition(":")
            choice = replace(choice, tag=tag)
        if Path(path).exists():
            return _of_file(path, choice)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"it cannot be read: {reason}", "give oci:DIR or oci:DIR:TAG", path=path) from error
    raise InputError("there is no such directory or file", "give oci:DIR or oci:DIR:TAG", path=path)


def _from_directory(path: Path, choice: _Choice) -> list[StoredImage]:
    store = Directory(path)
    with _closed_on_failure(store):
        if store.find("index.json") is None:
            raise InputError(
                "this directory is not an OCI layout (it has no index.json)",
                meant_directory(path) or f"for the image of that name write {typed(f'docker:{path}')}",
                path=str(path),
            )
        return _images_of_layout(store, choice)


def _from_daemon(name: str, choice: _Choice) -> list[StoredImage]:
    from imgopt.sources.daemon import save

    choice = replace(choice, reference=name)
    return _from_archive(save(name, choice.platform), f"docker:{name}", choice)


def from_archive(
    file: IO[bytes], name: str, tag: str | None, platform: str | None, *, reference: str | None = None
) -> StoredImage:
    """The image in an open tar, which is closed with it. ``name`` is what errors call the tar."""
    return _from_archive(file, name, _Choice(tag, platform, reference))[0]


def _tar(file: IO[bytes], name: str) -> Tar:
    store: Tar | None = None
    try:
        store = Tar(_plain(file, name), name)
    finally:
        if store is None:
            file.close()
    return store


def _is_layout(store: Store) -> bool:
    """Whether what lies in an archive or a directory is read by its ``index.json``; InputError when it holds no image."""
    if isinstance(store, Directory) or (
        store.find("index.json") is not None and store.find("oci-layout") is not None
    ):
        return True
    if store.find("manifest.json") is None:
        raise InputError(
            "it holds no image (neither manifest.json nor index.json)",
            "give what docker save, kaniko's --tar-path or an OCI export wrote",
            path=store.name,
        )
    return False


def _from_archive(file: IO[bytes], name: str, choice: _Choice) -> list[StoredImage]:
    store = _tar(file, name)
    with _closed_on_failure(store):
        if _is_layout(store):
            if store.find("manifest.json") is not None:
                _check_agreement(store)
            return _images_of_layout(store, choice)
        return _images_of_archive(store, choice)


def _check_agreement(store: Store) -> None:
    """Engines read one or the other of the two: what they name has to be the same.

    MeasureError where it is not: whatever is measured would not be what another engine loads.
    """
    label = f"{store.name} (manifest.json)"
    images = {f"sha256:{sha256(found.config).hexdigest()}": found for found in images_of(store)}
    for entry in _listed(store, label):
        config = f"sha256:{sha256(doc.read_file(store, _text(entry.get('Config'), label))).hexdigest()}"
        found = images.get(config)
        if found is None:
            named = ", ".join(each[:19] for each in images)
            raise MeasureError(
                f"manifest.json names the image {config[:19]}…, index.json {named}…",
                "the two say what engines load: save the image again",
                path=store.name,
            )
        paths = [_text(value, label) for value in doc.items(entry, "Layers", label)]
        if len(paths) != len(found.layers):
            raise MeasureError(
                f"manifest.json names {len(paths)} layers of the image, index.json {len(found.layers)}",
                "save the image again",
                path=store.name,
            )
        for number, (path, (described, _)) in enumerate(zip(paths, found.layers, strict=True), 1):
            if path == doc.blob_path(described.digest, label):
                continue
            extent = store.find(path)
            if extent is None or sha256_of(extent) != described.digest:
                raise MeasureError(
                    f"layer {number} is {path[:80]} in manifest.json, {described.digest[:19]}… in index.json",
                    "save the image again",
                    path=store.name,
                )


def _plain(file: IO[bytes], name: str) -> IO[bytes]:
    """The tar itself; one that is compressed as a whole is unpacked into a file that nobody else sees."""
    size = file.seek(0, 2)
    compression = compression_of(PartOfFile(file, Lock(), 0, size, name))
    file.seek(0)
    if compression is None:
        return file
    spool = new_spool()
    plain, failures = unpacker(cast("BinaryIO", file), compression)
    left = max(_ALWAYS_UNPACKED_BYTES, MOST_INFLATION * size)
    try:
        while block := plain.read(BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise InputError(
                    f"it inflates more than {MOST_INFLATION} times, as no image does",
                    "unpack it yourself if you trust it, and give the tar",
                    path=name,
                )
            write_spool(spool, block)
        rewind_spool(spool)
    except ImgoptError:
        drop_spool(spool)
        raise
    except failures as error:
        drop_spool(spool)
        raise InputError(f"its compressed bytes are damaged ({error})", path=name) from error
    file.close()
    return spool


@contextlib.contextmanager
def _closed_on_failure(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


def _images_of_layout(store: Store, choice: _Choice) -> list[StoredImage]:
    if choice.every:
        found = find_manifests(store, choice.tag, choice.platform)
    else:
        found = [find_manifest(store, choice.tag, choice.platform)]
    return [_image_of_layout(store, each, choice.reference) for each in found]


def _image_of_layout(store: Store, found: Found, reference: str | None) -> StoredImage:
    layers: list[tuple[Descriptor | None, int | None]] = []
    places = []
    for described, extent in found.layers:
        compression = compression_of(extent) if extent is not None else None
        if described.media_type in doc.PLAIN_TYPES and compression is None:
            layers.append((None, described.size))
        else:
            layers.append((described, None))
        places.append(_Place(extent, compression))
    image = doc.make_image(reference or found.name or store.name, found.config, layers, found.label)
    image = replace(image, family=found.family)
    if all(blob is not None for blob, _ in layers):
        image = replace(image, manifest_bytes=found.manifest, manifest_type=found.manifest_type)
    return StoredImage(image, tuple(places), store)


def _listed(store: Store, label: str) -> list[Any]:
    """The entries of a ``manifest.json``."""
    listed = doc.parsed(doc.read_file(store, "manifest.json"), label)
    if not isinstance(listed, list) or not listed:
        raise InputError("it lists no image", "save the image again", path=label)
    return [doc.mapping(each, label) for each in listed]


def _images_of_archive(store: Store, choice: _Choice) -> list[StoredImage]:
    label = f"{store.name} (manifest.json)"
    entries = _tagged(_listed(store, label), choice.tag)
    if not choice.every or len({str(each.get("Config")) for each in entries}) == 1:
        entries = [_one_entry(entries, choice.tag, store.name)]
    found = [_image_of_archive(store, entry, label, choice.reference) for entry in entries]
    platforms = tuple(each.image.platform for each in found)
    names = {str(each.get("RepoTags")) for each in entries}
    if len(set(platforms)) < len(found) or len(names) > 1:  # several images, not one of several platforms
        _one_entry(entries, choice.tag, store.name)
    wanted = choice.platform
    if wanted is not None:
        several = Family("", platforms) if len(platforms) > 1 else Family()
        fit = fitting(platforms, wanted)
        found = [each.of(several) for each in found if each.image.platform in fit]
        if not found:
            raise InputError(f"it holds an image for {', '.join(platforms)}, not {wanted}", path=store.name)
    elif len(found) > 1:
        found = [each.of(Family("", platforms)) for each in found]
    return found


def _image_of_archive(store: Store, entry: Any, label: str, reference: str | None) -> StoredImage:
    names = [str(each) for each in entry.get("RepoTags") or ()]
    config = doc.read_file(store, _text(entry.get("Config"), label))
    layers: list[tuple[Descriptor | None, int | None]] = []
    places = []
    for value in doc.items(entry, "Layers", label):
        path = _text(value, label)
        extent = store.find(path)
        if extent is None:
            raise InputError(f"its layer {path[:100]} is missing", "save the image again", path=store.name)
        compression = compression_of(extent)
        if compression is None:
            layers.append((None, extent.size))
        else:
            # a file's name need not be its digest
            media_type = GZIP_LAYER if compression == "gzip" else ZSTD_LAYER
            layers.append((Descriptor(media_type, sha256_of(extent), extent.size), None))
        places.append(_Place(extent, compression))
    image = doc.make_image(reference or (names[0] if names else store.name), config, layers, label)
    return StoredImage(image, tuple(places), store)


def _text(value: Any, label: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError("it does not name its files", "save the image again", path=label)
    return value


def _tagged(entries: list[Any], tag: str | None) -> list[Any]:
    if tag is None:
        return entries
    return [
        each
        for each in entries
        if any(known == tag or str(known).endswith(f":{tag}") for known in each.get("RepoTags") or ())
    ]


def _one_entry(entries: list[Any], tag: str | None, name: str) -> Any:
    if len({str(each.get("Config")) for each in entries}) == 1:
        return entries[0]
    names = ", ".join(typed(str(known)) for each in entries for known in each.get("RepoTags") or ())
    raise InputError(
        f"it holds {len(entries) or 'no'} images{f' of the name {tag}' if tag else ''}",
        f"save one alone, or name it as {typed(f'oci:{name}:TAG')} ({names or 'no names'})",
        path=name,
    )
