"""An image that lies in a registry: its manifest and config are read at once, a layer only when it is asked for.

The registry is one more `Store`: digests that an index or a manifest has named are files, and reading a layer from
front to end is one request, continued with a range where the connection was cut.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from imgopt.errors import InputError, MeasureError
from imgopt.files.documents import parsed_json
from imgopt.images import documents as doc
from imgopt.images.layout import Found, find_manifest, find_manifests
from imgopt.images.model import Descriptor, OpenImage
from imgopt.images.streams import Compression, Extent
from imgopt.light.records import replace
from imgopt.registry.blob import RemoteBlob
from imgopt.sources.open import StoredImage, _Place

if TYPE_CHECKING:
    from imgopt.registry.client import Access, Client, Manifest

_BLOBS = "blobs/sha256/"


@contextlib.contextmanager
def open_remote(
    reference: str, platform: str | None = None, access: Access | None = None
) -> Iterator[OpenImage]:
    """Opens one platform of ``REGISTRY/REPO[:TAG|@DIGEST]``. No layer is downloaded until it is read.

    MeasureError when the registry does not give it, or gives what is no image.
    """
    with _opened(reference, platform, access, every=False) as opened:
        yield opened[0]


@contextlib.contextmanager
def open_remotes(
    reference: str, platform: str | None = None, access: Access | None = None
) -> Iterator[list[OpenImage]]:
    """The same, of every platform that it has, or of the one that is asked for."""
    with _opened(reference, platform, access, every=True) as opened:
        yield opened


@contextlib.contextmanager
def _opened(
    reference: str, platform: str | None, access: Access | None, *, every: bool
) -> Iterator[list[OpenImage]]:
    from imgopt.bases.reference import parse_reference
    from imgopt.registry.client import connected
    from imgopt.registry.target import Target, parse_target

    parsed = parse_reference(reference)
    bare = reference.partition("@")[0]
    target: Target = parse_target(bare, default_tag="latest")
    wanted = parsed.digest or target.tag or "latest"
    with connected(target, access) as client:
        try:
            manifest = client.manifest(target.repository, wanted)
            if manifest is None:
                raise MeasureError(
                    f"{target.name} has no {target.repository}:{wanted}", "check name and tag", path=reference
                )
            if parsed.digest is not None and manifest.digest != parsed.digest:
                raise MeasureError("the registry gave another manifest than the digest's", path=reference)
            store = Registry(client, target.repository, reference, manifest)
            if every:
                found = find_manifests(store, None, platform)
            else:
                found = [find_manifest(store, None, platform)]
            opened = [_image(store, each, reference) for each in found]
        except InputError as error:
            # of a registry's image nothing can be saved again
            hint = "push the image again" if error.hint == "save the image again" else error.hint
            raise MeasureError(
                f"what the registry gave is not a usable image: {error.message}", hint, path=reference
            ) from error
        try:
            yield [*opened]
        except InputError as error:
            if error.path is None or error.path.startswith(reference):
                raise MeasureError(error.message, "push the image again", path=reference) from error
            raise
        finally:
            store.close()


def _image(store: Registry, found: Found, reference: str) -> StoredImage:
    layers: list[tuple[Descriptor | None, int | None]] = []
    places = []
    for described, extent in found.layers:
        compression = _compression(described.media_type)
        plain = described.media_type in doc.PLAIN_TYPES
        layers.append((None, described.size) if plain else (described, None))
        places.append(_Place(extent, None if plain else compression))
    image = doc.make_image(reference, found.config, layers, found.label)
    image = replace(image, family=found.family)
    return StoredImage(image, tuple(places), store)


def _compression(media_type: str) -> Compression | None:
    return "zstd" if media_type.endswith("zstd") else "gzip"


class Registry:
    """A repository as a `Store`. ``index.json`` is made up: it names the manifest that the reference stands for."""

    def __init__(self, client: Client, repository: str, name: str, manifest: Manifest) -> None:
        self.name = name
        self._client, self._repository = client, repository
        self._manifests: dict[str, int] = {}
        self._blobs: dict[str, int] = {}
        self._streams: list[RemoteBlob] = []
        described = {
            "mediaType": _kind(manifest),
            "digest": manifest.digest,
            "size": len(manifest.data),
        }
        self._files = {"index.json": json.dumps({"manifests": [described]}).encode()}
        self._keep(manifest.digest, manifest.data)

    def find(self, path: str) -> Extent | None:
        if path in self._files:
            return InMemory(self._files[path], f"{self.name} ({path})")
        digest = f"sha256:{path.removeprefix(_BLOBS)}"
        label = f"{self.name} ({digest[:19]}…)"
        if digest in self._manifests:
            return _Lazy(self._manifests[digest], label, lambda: self._fetched_manifest(path, digest))
        if digest not in self._blobs:
            return None
        size = self._blobs[digest]
        stream = RemoteBlob(self._client, self._repository, digest, size, label)
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        for each in self._streams:
            each.close()

    def _fetched_manifest(self, path: str, digest: str) -> bytes:
        if path not in self._files:
            manifest = self._client.manifest(self._repository, digest)
            if manifest is None:
                raise MeasureError(
                    f"the registry lacks the manifest {digest[:19]}…", "push the image again", path=self.name
                )
            self._keep(digest, manifest.data)
        return self._files[path]

    def _keep(self, digest: str, data: bytes) -> None:
        """Remembers a manifest or index, and what it names."""
        self._files[_BLOBS + digest.removeprefix("sha256:")] = data
        try:
            document = parsed_json(data)
        except (ValueError, RecursionError):
            return  # who reads it says so
        if not isinstance(document, dict):
            return
        for each in _descriptors(document.get("manifests")):
            self._manifests[each[0]] = each[1]
        for each in _descriptors([document.get("config"), *_listed(document.get("layers"))]):
            self._blobs[each[0]] = each[1]


def _kind(manifest: Manifest) -> str:
    """The media type; its form decides where the registry says none that is known."""
    if isinstance(manifest.document.get("manifests"), list):
        return next(iter(doc.INDEX_TYPES))
    return next(iter(doc.MANIFEST_TYPES))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _descriptors(values: Any) -> Iterator[tuple[str, int]]:
    for value in _listed(values):
        if isinstance(value, Mapping):
            digest, size = value.get("digest"), value.get("size")
            if isinstance(digest, str) and isinstance(size, int) and size >= 0:
                yield digest, size


class InMemory:
    """Bytes that are there already, as an `Extent`."""

    def __init__(self, data: bytes, label: str) -> None:
        self.size = len(data)
        self.label = label
        self._data = data

    def read_at(self, position: int, count: int) -> bytes:
        return self._data[position : position + count]


class _Lazy:
    """A small file that is fetched when it is read."""

    def __init__(self, size: int, label: str, fetch: Any) -> None:
        self.size = size
        self.label = label
        self._fetch = fetch

    def read_at(self, position: int, count: int) -> bytes:
        data: bytes = self._fetch()
        return data[position : position + count]
