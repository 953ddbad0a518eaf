"""The JSON documents of an image: read with a bound, checked against their digest, never trusted in their shape."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from imgopt.errors import InputError
from imgopt.files.documents import parsed_json
from imgopt.images.model import Descriptor, Image, ImageLayer
from imgopt.images.stores import Store
from imgopt.images.streams import check_digest
from imgopt.light.patterns import regex

MOST_JSON_BYTES = 16 * 1024 * 1024
DIGEST = regex(r"sha256:[0-9a-f]{64}")

INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
MANIFEST_TYPES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
#: Layers that the source holds as plain tars: there is no blob that a registry would want.
PLAIN_TYPES = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
    }
)


def parsed(data: bytes, label: str) -> Any:
    """JSON of any shape. InputError where it is none."""
    try:
        return parsed_json(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it holds no JSON ({error})", "the archive is damaged", path=label) from error


def mapping(value: Any, label: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError("it does not have the form of an image", "save the image again", path=label)
    return value


def items(document: Mapping[str, Any], key: str, label: str) -> Sequence[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise InputError(f"it has no list {key!r}", "it is not an image, or a damaged one", path=label)
    return value


def read_file(store: Store, path: str) -> bytes:
    """A small file whole. InputError when it is not there or too large."""
    extent = store.find(path)
    if extent is None:
        raise InputError(f"{path} is missing", "the image is not complete: save it again", path=store.name)
    if extent.size > MOST_JSON_BYTES:
        raise InputError(
            f"{path} is too large ({extent.size:,} bytes)", "it is not an image", path=store.name
        )
    data = extent.read_at(0, extent.size)
    if len(data) != extent.size:
        raise InputError("it is cut short", "save the image again", path=extent.label)
    return data


def read_blob(store: Store, digest: str) -> bytes:
    """A document among the blobs, checked."""
    path = blob_path(digest, store.name)
    data = read_file(store, path)
    check_digest(hashlib.sha256(data).hexdigest(), digest, f"{store.name} ({path})")
    return data


def blob_path(digest: str, label: str) -> str:
    if not DIGEST.fullmatch(digest):
        raise InputError(f"{digest[:80]!r} is not a SHA-256 digest", "the image is damaged", path=label)
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def descriptor(value: Any, label: str) -> Descriptor:
    entry = mapping(value, label)
    digest, size, media_type = entry.get("digest"), entry.get("size"), entry.get("mediaType", "")
    if (
        not isinstance(digest, str)
        or not isinstance(size, int)
        or size < 0
        or not isinstance(media_type, str)
    ):
        raise InputError("a descriptor lacks its digest or size", "the image is damaged", path=label)
    blob_path(digest, label)
    return Descriptor(media_type, digest, size)


def make_image(
    reference: str, config_bytes: bytes, layers: Sequence[tuple[Descriptor | None, int | None]], label: str
) -> Image:
    """The image of a config and of its layers: for each the blob, if there is one, and the plain length, if known."""
    config = mapping(parsed(config_bytes, label), label)
    root = config.get("rootfs")
    diff_ids = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(diff_ids, list):
        raise InputError(
            "its config is not that of an image to run", "give an image, not another artifact", path=label
        )
    for each in diff_ids:
        if not isinstance(each, str) or not DIGEST.fullmatch(each):
            raise InputError(f"{str(each)[:80]!r} is not a diff ID", "the image is damaged", path=label)
    if len(diff_ids) != len(layers):
        raise InputError(
            f"it has {len(layers)} layers, but its config names {len(diff_ids)}",
            "the image is damaged",
            path=label,
        )
    commands = _commands(config, len(diff_ids))
    return Image(
        reference,
        config,
        config_bytes,
        tuple(
            ImageLayer(diff_id, blob, plain, command)
            for diff_id, (blob, plain), command in zip(diff_ids, layers, commands, strict=True)
        ),
    )


def _commands(config: Mapping[str, Any], layers: int) -> list[str]:
    """The history's commands of the layers, where they can be told one from the other."""
    history = config.get("history")
    entries = [each for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    made = [str(each.get("created_by") or "") for each in entries if not each.get("empty_layer")]
    return made if len(made) == layers else [""] * layers
