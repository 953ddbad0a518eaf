"""Manifests: the one that is pushed, and what those in the registry say about blobs.

A layer's diff ID is known before it is compressed, its blob's digest only after. The manifest of an image, next to its
config, pairs the two: but these are the words of whoever may push there, and nothing checks them when the image is pushed.
A manifest that pairs a diff ID with the blob of something else is accepted by every registry, and not every puller
compares. So what `claims` gives is to be read and compared (`imgopt.registry.comparing`) before it is named, or believed
by somebody who says so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from imgopt.errors import MeasureError
from imgopt.files.documents import parsed_json
from imgopt.images.documents import DIGEST
from imgopt.images.layout import matches
from imgopt.images.model import Descriptor, Image
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.registry.client import Answer, Client, Manifest
from imgopt.registry.errors import RegistryError

OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

#: Of a repository's tags so many are looked at: the newest by their names.
MOST_TAGS = 5
_MOST_OF_A_PLATFORM = 10
#: A repository that may have layers is worth few questions: pages of its tags, and tries of a request.
_MOST_PAGES, _FEW_TRIES = 3, 2
#: What reading JSON of any shape as a manifest may raise.
_ODD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


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


@dataclass(frozen=True, slots=True)
class Claim:
    """What an image of a registry says: that this blob is the layer. ``place``: ``REPO:TAG`` of the image."""

    place: str
    blob: Descriptor


def claims(
    client: Client,
    repository: str,
    references: Iterable[str],
    wanted: set[str],
    platform: str,
    *,
    one_is_enough: bool,
) -> dict[str, list[Claim]]:
    """What the images that the references name say about the wanted diff IDs, in the references' order, each blob once.

    ``one_is_enough``: stops when there is a claim for each. What cannot be read is passed over: knowing less only means
    sending more.
    """
    found: dict[str, list[Claim]] = {}
    for reference in dict.fromkeys(references):
        if one_is_enough and wanted <= found.keys():
            break
        try:
            manifest = client.manifest(repository, reference)
            if manifest is not None and isinstance(manifest.document.get("manifests"), list):
                manifest = _of_platform(client, repository, manifest, platform)
            pairs = _pairs(client, repository, manifest) if manifest is not None else []
        except (MeasureError, *_ODD):
            continue  # also charts and other artifacts, whose config may be anything
        for diff_id, blob in pairs:
            known = found.setdefault(diff_id, []) if diff_id in wanted else None
            if known is not None and all(each.blob.digest != blob.digest for each in known):
                known.append(Claim(f"{repository}:{reference}", blob))
    return found


def newest_blobs(
    client: Client, repository: str, tags: Iterable[str | None], platform: str
) -> frozenset[str]:
    """The layers' digests that a repository's newest image of the platform names: the first of the tags that is there,
    else ``latest``, else the one whose name sorts last. Empty where there is none.

    RegistryError where the registry does not let itself be asked.
    """
    known = dict.fromkeys(each for each in (*tags, "latest") if each)
    for tag in (*known, None):
        reference = tag
        if reference is None:
            named = newest(client.tags(repository, pages=_MOST_PAGES, tries=_FEW_TRIES).names)
            reference = next((each for each in named if each not in known), None)
        found = client.manifest(repository, reference, tries=_FEW_TRIES) if reference else None
        try:
            if found is not None and isinstance(found.document.get("manifests"), list):
                found = _of_platform(client, repository, found, platform)
            layers = found.document["layers"] if found is not None else ()
            digests = [str(each["digest"]) for each in layers]
        except _ODD:
            continue  # an artifact of another kind
        if digests:
            return frozenset(each for each in digests if DIGEST.fullmatch(each))
    return frozenset()


def base_layers(client: Client, repository: str, digest: str, image: Image) -> list[Descriptor]:
    """The blobs of the image's first layers, as the manifest of that digest, or the one of an index that fits, names them.

    A digest does not change its meaning: who pins a base by it has chosen these blobs. Only where the base's layers are,
    all of them, the image's first ones; RegistryError otherwise, and where the registry gives no such manifest.
    """
    own = [layer.diff_id for layer in image.layers]
    try:
        for manifest in _pinned(client, repository, digest, image.platform):
            pairs = _pairs(client, repository, manifest)
            if pairs and [diff_id for diff_id, _ in pairs] == own[: len(pairs)]:
                return [blob for _, blob in pairs]
    except _ODD as error:
        raise RegistryError(f"{repository}@{digest[:19]}… is not an image") from error
    raise RegistryError(
        f"the image does not begin with the layers of {repository}@{digest[:19]}…",
        "give the digest that FROM pins",
    )


def _pinned(client: Client, repository: str, digest: str, platform: str) -> Iterator[Manifest]:
    manifest = _by_digest(client, repository, digest)
    entries = manifest.document.get("manifests")
    if not isinstance(entries, list):
        yield manifest
        return
    fitting = [each for each in entries if isinstance(each, dict) and _fits(each.get("platform"), platform)]
    for entry in fitting[:_MOST_OF_A_PLATFORM]:
        yield _by_digest(client, repository, str(entry.get("digest")))


def _by_digest(client: Client, repository: str, digest: str) -> Manifest:
    manifest = client.manifest(repository, digest)
    if manifest is None or manifest.digest != digest:
        raise RegistryError(f"{client.target.name} has no {repository}@{digest[:19]}…")
    return manifest


def _pairs(client: Client, repository: str, manifest: Manifest) -> list[tuple[str, Descriptor]]:
    """Diff IDs and blobs, from the lowest layer up. Whatever an artifact's odd shape makes Python raise, is raised."""
    layers, config = manifest.document.get("layers"), manifest.document.get("config")
    if not isinstance(layers, list) or not isinstance(config, dict):
        return []
    document = parsed_json(client.blob(repository, str(config.get("digest"))))
    diff_ids = document["rootfs"]["diff_ids"] if isinstance(document, dict) and "rootfs" in document else []
    if len(diff_ids) != len(layers):
        return []
    found = []
    for diff_id, layer in zip(diff_ids, layers, strict=True):
        blob = Descriptor(str(layer["mediaType"]), str(layer["digest"]), int(layer["size"]))
        if not DIGEST.fullmatch(blob.digest) or blob.size < 0:
            return []
        found.append((str(diff_id), blob))
    return found


def _of_platform(client: Client, repository: str, index: Manifest, platform: str) -> Manifest | None:
    for entry in index.document["manifests"]:
        if isinstance(entry, dict) and _fits(entry.get("platform"), platform):
            return client.manifest(repository, str(entry.get("digest")))
    return None


def _fits(place: object, platform: str) -> bool:
    if not isinstance(place, dict):
        return False
    name = "/".join(str(place[key]) for key in ("os", "architecture", "variant") if place.get(key))
    return matches(name, platform) or matches(platform, name)


def missing_blobs(answer: Answer) -> set[str] | None:
    """The digests that a registry lacks of a manifest which it refuses for that; None where it refuses it for more."""
    try:
        errors = parsed_json(answer.body)["errors"]
        codes = {str(each["code"]) for each in errors}
        text = json.dumps([each.get("detail") for each in errors]) + " ".join(
            str(each.get("message")) for each in errors
        )
    except _ODD:
        return None
    if answer.status not in (400, 404) or not codes or not codes <= _UNKNOWN:
        return None
    return set(DIGEST.findall(text))


def newest(tags: Iterable[str]) -> list[str]:
    """A handful of tags, the newest first as far as names tell: ``1.10`` after ``1.9``. Signatures are no images, and
    what could be no tag is left out: it would become a part of addresses and of messages."""
    images = [tag for tag in tags if _TAG.fullmatch(tag) and not re.match(r"sha256-[0-9a-f]{64}", tag)]
    return sorted(images, key=_natural, reverse=True)[:MOST_TAGS]


_TAG = regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def _natural(tag: str) -> list[tuple[int, int, str]]:
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|\D+", tag[:128])
    ]
