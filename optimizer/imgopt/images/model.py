"""What an image is, as the OCI image specification has it: a config, and layers with diff IDs and blobs.

Sizes are bytes. A digest reads ``sha256:…``; the diff ID is the digest of a layer's plain tar, the blob's digest
that of the bytes that a registry stores (gzip or zstd, mostly).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol

from imgopt.light.records import dataclass

#: The label by which an image says that it only takes the place of another one, and what of.
STAND_IN = "imgopt.stand-in-for"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob as a manifest names it."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """One layer. ``blob`` is what the source holds compressed; None where it holds the plain tar only (a daemon
    without the containerd image store, ``docker save``). ``created_by`` is the history's command, "" if none.
    ``uncompressed_bytes`` is the plain tar's length; None until somebody has read it."""

    diff_id: str
    blob: Descriptor | None
    uncompressed_bytes: int | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """What lies beside an image in its index. ``platforms``: all that can be had, this one (``platform``, as the index
    has it) too; "" and () where there is no other. ``missing``: those that the index only names. ``attached``: digests and bytes of the blobs of attestations
    (provenance, SBOM); None for bytes that are not known."""

    platform: str = ""
    platforms: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    attached: tuple[tuple[str, int | None], ...] = ()


ALONE = Family()


@dataclass(frozen=True, slots=True)
class Image:
    """One platform's image. ``config`` is the parsed image config (``config["config"]`` holds Entrypoint, Env, …),
    ``config_bytes`` the very bytes, whose SHA-256 is the image ID. ``manifest_bytes``: the source's own manifest and its
    media type, where it has one that names its blobs (an OCI layout)."""

    reference: str
    config: Mapping[str, Any]
    config_bytes: bytes
    layers: tuple[ImageLayer, ...]
    manifest_bytes: bytes | None = None
    manifest_type: str | None = None
    family: Family = ALONE

    @property
    def id(self) -> str:
        from hashlib import sha256

        return f"sha256:{sha256(self.config_bytes).hexdigest()}"

    @property
    def platform(self) -> str:
        parts = (self.config.get(key) for key in ("os", "architecture", "variant"))
        return "/".join(str(part) for part in parts if part)


class OpenImage(Protocol):
    """An image whose layers can be read, again and again, until it is closed."""

    @property
    def image(self) -> Image: ...

    def open_blob(self, index: int) -> BinaryIO:
        """The layer as the source holds it: the compressed blob if it has one, else the plain tar.
        Seekable. Raises InputError when the bytes are missing, cut short or not those of the digest."""
        ...

    def open_tar(self, index: int) -> BinaryIO:
        """The layer's plain tar (decompressed as it is read: gzip or zstd). Forward only, as ``tarfile`` reads it in
        mode ``r|``. InputError as above, and when the bytes are not those of the diff ID."""
        ...

    def close(self) -> None: ...
