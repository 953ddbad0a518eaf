"""Manifests: the one that is pushed, and what those in the registry tell about blobs.

A layer's diff ID is known before it is compressed, its blob's digest only after. The manifest of an image in the registry,
next to its config, says which blob has which diff ID: so a layer that is there already need be neither compressed nor
sent, whichever tool pushed it. Whoever pulls checks the blob against the diff ID again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence

from imgopt.errors import MeasureError
from imgopt.images.layout import matches
from imgopt.images.model import Descriptor, Image
from imgopt.registry.client import Client, Manifest

OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

#: Of a repository's tags so many are looked at: the newest by their names.
MOST_TAGS = 5


def manifest_for(image: Image, blobs: Sequence[Descriptor]) -> tuple[str, bytes]:
    """Media type and bytes of the manifest: the source's own where it fits, else made anew, always in the same way.

    Docker's form, unless the source has OCI blobs or a layer is compressed with zstd, which Docker's form has no name for.
    """
    own = [layer.blob.digest if layer.blob else None for layer in image.layers]
    if image.manifest_bytes is not None and own == [blob.digest for blob in blobs]:
        return image.manifest_type or OCI, image.manifest_bytes
    oci = any("zstd" in blob.media_type for blob in blobs) or any(
        layer.blob is not None and ".oci." in layer.blob.media_type for layer in image.layers
    )
    config = hashlib.sha256(image.config_bytes).hexdigest()
    document = {
        "schemaVersion": 2,
        "mediaType": OCI if oci else DOCKER,
        "config": {
            "mediaType": OCI_CONFIG if oci else DOCKER_CONFIG,
            "size": len(image.config_bytes),
            "digest": f"sha256:{config}",
        },
        "layers": [
            {"mediaType": _layer_type(blob, oci=oci), "size": blob.size, "digest": blob.digest}
            for blob in blobs
        ],
    }
    return str(document["mediaType"]), json.dumps(document, indent=2).encode()


def _layer_type(blob: Descriptor, *, oci: bool) -> str:
    if "zstd" in blob.media_type:
        return OCI_ZSTD
    if "gzip" in blob.media_type:
        return OCI_GZIP if oci else DOCKER_GZIP
    return blob.media_type


def learn(
    client: Client, repository: str, references: Iterable[str], wanted: set[str], platform: str
) -> dict[str, Descriptor]:
    """Blobs by diff ID, from the images that the references name; stops when all that is wanted is found.

    What cannot be read is passed over: knowing less only means sending more.
    """
    found: dict[str, Descriptor] = {}
    for reference in dict.fromkeys(references):
        if wanted <= found.keys():
            break
        try:
            found.update(_blobs_of(client, repository, reference, platform))
        except (MeasureError, ValueError, TypeError, LookupError, AttributeError):
            continue  # also charts and other artifacts, whose config may be anything
    return {diff_id: blob for diff_id, blob in found.items() if diff_id in wanted}


def _blobs_of(client: Client, repository: str, reference: str, platform: str) -> dict[str, Descriptor]:
    manifest = client.manifest(repository, reference)
    if manifest is not None and isinstance(manifest.document.get("manifests"), list):
        manifest = _of_platform(client, repository, manifest, platform)
    if manifest is None:
        return {}
    layers, config = manifest.document.get("layers"), manifest.document.get("config")
    if not isinstance(layers, list) or not isinstance(config, dict):
        return {}
    document = json.loads(client.blob(repository, str(config.get("digest"))))
    diff_ids = document["rootfs"]["diff_ids"] if isinstance(document, dict) and "rootfs" in document else []
    if len(diff_ids) != len(layers):
        return {}
    return {
        str(diff_id): Descriptor(str(layer["mediaType"]), str(layer["digest"]), int(layer["size"]))
        for diff_id, layer in zip(diff_ids, layers, strict=True)
        if re.fullmatch(r"sha256:[0-9a-f]{64}", str(layer.get("digest"))) and "mediaType" in layer
    }


def _of_platform(client: Client, repository: str, index: Manifest, platform: str) -> Manifest | None:
    for entry in index.document["manifests"]:
        place = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(place, dict):
            name = "/".join(str(place[key]) for key in ("os", "architecture", "variant") if place.get(key))
            if matches(name, platform) or matches(platform, name):
                return client.manifest(repository, str(entry.get("digest")))
    return None


def newest(tags: Iterable[str]) -> list[str]:
    """A handful of tags, the newest first as far as names tell: ``1.10`` after ``1.9``. Signatures are no images."""
    images = [tag for tag in tags if not re.match(r"sha256-[0-9a-f]{64}", tag)]
    return sorted(images, key=_natural, reverse=True)[:MOST_TAGS]


def _natural(tag: str) -> list[tuple[int, int, str]]:
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|\D+", tag[:128])
    ]
