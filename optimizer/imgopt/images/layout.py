"""OCI layouts: from ``index.json`` over nested indexes to the manifest of one platform."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from imgopt.errors import InputError, MeasureError
from imgopt.images import documents as doc
from imgopt.images.model import ALONE, Descriptor, Family
from imgopt.images.stores import Store
from imgopt.images.streams import Extent
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.text.quoting import typed

_MOST_DEPTH = 4
_MOST_IMAGES = 1000
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
#: Of an image; "" is an old tool's that left it away.
_CONFIG_TYPES = frozenset(
    ("", "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
)
_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
_VERSION = regex(r"\([^()]*\)")
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A manifest that an index leads to. ``platform`` is "" where only its config says it. ``attachment``: what lies
    in it is no image (an attestation, an SBOM, a signature); ``strange``: a platform's, and no manifest of a known
    type."""

    descriptor: Descriptor
    platform: str
    names: tuple[str, ...]
    attachment: bool = False
    strange: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An image's parts: the config's bytes, and for each layer its descriptor and where it lies."""

    name: str | None
    config: bytes
    label: str
    layers: tuple[tuple[Descriptor, Extent | None], ...]
    manifest: bytes
    manifest_type: str
    family: Family = ALONE


def find_manifest(store: Store, tag: str | None, platform: str | None) -> Found:
    """The one image of a layout that the tag and the platform (``os/arch[/variant]``) choose.

    InputError when there is none, or more than one.
    """
    _, present = _present(store, tag)
    return _read(store, _choose(store, present, platform))


def find_manifests(store: Store, tag: str | None, platform: str | None) -> list[Found]:
    """The images of all platforms that a layout has under the tag, or of the one that is asked for, each with its
    family. InputError when there is none, or two of one platform."""
    candidates, present = _present(store, tag)
    strange = next((each for each in candidates if each.strange), None)
    if strange is not None and platform is None:
        kind = strange.descriptor.media_type or "nothing"
        raise InputError(
            f"what it names for {strange.platform} is not an image's manifest, by its type ({kind[:80]})",
            "save or push the image again, or give --platform",
            path=store.name,
        )
    by_digest = {each.descriptor.digest: each for each in present}
    if len(by_digest) == 1 and platform is None:
        known = {each: each.platform for each in by_digest.values()}
    else:
        known = {each: each.platform or _configured(store, each) for each in by_digest.values()}
    platforms = tuple(dict.fromkeys(known.values()))
    several = platforms if len(platforms) > 1 else ()
    if platform is not None:
        chosen = _choose(store, present, platform)
        names = {each.descriptor.digest: name if several else "" for each, name in known.items()}
        return [replace(_read(store, chosen), family=Family(names[chosen.descriptor.digest], several))]
    if len(known) > len(platforms):
        raise _ambiguous(store, present)
    there = set(platforms)
    missing = [each.platform for each in candidates if not each.attachment and each.platform not in there]
    family = Family(
        "",
        several,
        tuple(dict.fromkeys(name for name in missing if name)),
        tuple(_attached(store, candidates)),
    )
    return [
        replace(_read(store, each), family=replace(family, platform=name if several else ""))
        for each, name in known.items()
    ]


def _attached(store: Store, candidates: Sequence[Candidate]) -> Iterator[tuple[str, int | None]]:
    for each in candidates:
        if not each.attachment:
            continue
        digest = each.descriptor.digest
        if store.find(_path(each, store)) is None:
            yield digest, None
            continue
        label = f"{store.name} ({_path(each, store)})"
        manifest = doc.mapping(doc.parsed(doc.read_blob(store, digest), label), label)
        for value in doc.items(manifest, "layers", label):
            described = doc.descriptor(value, label)
            yield described.digest, described.size


def images_of(store: Store) -> list[Found]:
    """Every image of a layout, of whatever name and platform."""
    _, present = _present(store, None)
    return [_read(store, each) for each in {each.descriptor.digest: each for each in present}.values()]


def names_of(store: Store) -> list[tuple[str, ...]]:
    """What the index calls its images: the names of each, () of one without; of several platforms once."""
    _, present = _present(store, None)
    named = {each.names: None for each in present if each.names}
    return [*named] or [()]


def _present(store: Store, tag: str | None) -> tuple[list[Candidate], list[Candidate]]:
    """What the tag leads to, and the images among it that are there."""
    label = f"{store.name} (index.json)"
    index = doc.mapping(doc.parsed(doc.read_file(store, "index.json"), label), label)
    found = _candidates(store, index, (), label, 0, set())
    candidates = list(dict.fromkeys(islice(found, _MOST_IMAGES + 1)))
    if len(candidates) > _MOST_IMAGES:
        raise InputError(
            f"it has more than {_MOST_IMAGES} images", "name one as oci:FILE:TAG", path=store.name
        )
    if all(each.attachment for each in candidates):  # an image that only looks like one
        candidates = [each for each in candidates if each.platform] or candidates
        candidates = [replace(each, attachment=False) for each in candidates]
    images = [each for each in candidates if not each.attachment and not each.strange]
    present = [each for each in images if store.find(_path(each, store)) is not None]
    if not present:
        hint = "save the image again" if candidates else "it holds no image"
        raise InputError("no image's manifest lies in it", hint, path=store.name)
    if tag is not None:
        present = [each for each in present if any(_named(name, tag) for name in each.names)]
        if not present:
            names = ", ".join(sorted({name for each in images for name in each.names})) or "none"
            raise InputError(f"no image in it is named {tag!r}", f"its names: {names}", path=store.name)
        candidates = [each for each in candidates if any(_named(name, tag) for name in each.names)]
    return candidates, present


def _path(candidate: Candidate, store: Store) -> str:
    return doc.blob_path(candidate.descriptor.digest, store.name)


def _named(name: str, tag: str) -> bool:
    return name == tag or name.endswith(f":{tag}")


def _candidates(
    store: Store, index: Mapping[str, Any], names: tuple[str, ...], label: str, depth: int, seen: set[object]
) -> Iterator[Candidate]:
    for value in doc.items(index, "manifests", label):
        entry = doc.mapping(value, label)
        described = doc.descriptor(entry, label)
        annotations = entry.get("annotations")
        annotations = annotations if isinstance(annotations, dict) else {}
        own = tuple(str(annotations[key]) for key in _NAMES if annotations.get(key)) or names
        if (described.digest, own) in seen:
            continue
        if described.media_type in doc.INDEX_TYPES:
            seen.add((described.digest, own))
            path = doc.blob_path(described.digest, label)
            if depth >= _MOST_DEPTH:
                raise InputError(
                    "its indexes are nested too deeply", "give the image itself, as NAME@DIGEST", path=label
                )
            if store.find(path) is not None:
                nested = doc.parsed(doc.read_blob(store, described.digest), label)
                inside = f"{store.name} ({path})"
                yield from _candidates(store, doc.mapping(nested, inside), own, inside, depth + 1, seen)
        elif described.media_type in doc.MANIFEST_TYPES:
            candidate = Candidate(described, _platform(entry.get("platform")), own)
            attested = bool(annotations.get("vnd.docker.reference.type"))
            yield replace(candidate, attachment=_is_attachment(store, candidate, attested=attested))
        elif (platform := _platform(entry.get("platform"))) and "unknown" not in platform.split("/"):
            yield Candidate(described, platform, own, strange=True)


def _is_attachment(store: Store, candidate: Candidate, *, attested: bool) -> bool:
    """Whether no engine would run it: by what lies in it, since its index may say anything.

    A platform that an engine may have is always an image's; only what is not there is taken by its index's word.
    """
    nobodys = _nobodys(candidate.platform)
    if candidate.platform and not nobodys:
        return False
    try:
        if store.find(_path(candidate, store)) is None:
            return nobodys or attested
        label = f"{store.name} ({_path(candidate, store)})"
        manifest = doc.mapping(doc.parsed(doc.read_blob(store, candidate.descriptor.digest), label), label)
        if doc.descriptor(manifest.get("config"), label).media_type not in _CONFIG_TYPES:
            return True
        kinds = [doc.descriptor(each, label).media_type for each in doc.items(manifest, "layers", label)]
        if kinds and not any(kind.startswith(_LAYERS) for kind in kinds):
            return True
        return nobodys and _nobodys(_configured(store, candidate))
    except InputError:
        return False  # who reads it says what is wrong
    except MeasureError:
        return nobodys


def _nobodys(platform: str) -> bool:
    """Whether it is the platform of no machine. A variant that nobody knows still is some machine's."""
    return "unknown" in platform.split("/")[:2]


def _platform(value: Any) -> str:
    """``os/arch[/variant]``, and as containerd writes it ``os(version)/arch`` where it is for one version only."""
    if not isinstance(value, dict):
        return ""
    system, architecture, variant, version = (
        str(value.get(key) or "") for key in ("os", "architecture", "variant", "os.version")
    )
    if system and version:
        system = f"{system}({version})"
    return "/".join(part for part in (system, architecture, variant) if part)


def _choose(store: Store, candidates: list[Candidate], platform: str | None) -> Candidate:
    by_digest = {each.descriptor.digest: each for each in candidates}
    if len(by_digest) == 1 and platform is None:
        return candidates[0]
    known = [(each, each.platform or _configured(store, each)) for each in by_digest.values()]
    wanted = platform
    if wanted is None and len({name for _, name in known}) > 1:
        wanted = f"linux/{_ARCHITECTURES.get(machine.machine(), machine.machine().lower())}"
    fit = None if wanted is None else fitting([name for _, name in known], wanted)
    chosen = [each for each, name in known if fit is None or name in fit]
    if len(chosen) == 1:
        return chosen[0]
    platforms = ", ".join(sorted({name for _, name in known if name}))
    if not chosen:
        raise InputError(
            f"it holds no image for {wanted}",
            f"it has {platforms or 'none'}: give --platform",
            path=store.name,
        )
    if fit is not None and len(fit) > 1:
        raise InputError(
            f"it holds {len(fit)} images for {wanted}",
            "give one of them: " + ", ".join(typed(f"--platform={each}") for each in sorted(fit)),
            path=store.name,
        )
    raise _ambiguous(store, chosen)


def _ambiguous(store: Store, candidates: Sequence[Candidate]) -> InputError:
    names = ", ".join(typed(name) for name in sorted({name for each in candidates for name in each.names}))
    return InputError(
        f"it holds {len({each.descriptor.digest for each in candidates})} images",
        f"name one as {typed(f'oci:{store.name}:NAME')} ({names or 'they have no names'})",
        path=store.name,
    )


def _configured(store: Store, candidate: Candidate) -> str:
    return _platform(doc.parsed(_read(store, candidate).config, store.name))


def fitting(names: Sequence[str], wanted: str) -> set[str]:
    """Those of the platforms that are the wanted one: the one of that very name, else all that it `matches`."""
    return {wanted} & set(names) or {name for name in names if matches(name, wanted)}


def matches(name: str, wanted: str) -> bool:
    """Whether a platform is the wanted one; without a variant or a version any does, and arm64's only one is v8."""
    have, want = (text.removesuffix("/v8") if "/arm64" in text else text for text in (name, wanted))
    if "(" not in want:
        have = _VERSION.sub("", have, count=1)
    return have == want or (want.count("/") == 1 and have.startswith(f"{want}/"))


def _read(store: Store, candidate: Candidate) -> Found:
    label = f"{store.name} ({_path(candidate, store)})"
    data = doc.read_blob(store, candidate.descriptor.digest)
    manifest = doc.mapping(doc.parsed(data, label), label)
    config = doc.descriptor(manifest.get("config"), label)
    layers: list[tuple[Descriptor, Extent | None]] = []
    for value in doc.items(manifest, "layers", label):
        described = doc.descriptor(value, label)
        extent = store.find(doc.blob_path(described.digest, label))
        if extent is not None and extent.size != described.size:
            raise InputError(
                f"it has {extent.size:,} bytes, not the {described.size:,} of its manifest",
                "the image is damaged: save it again",
                path=extent.label,
            )
        layers.append((described, extent))
    name = candidate.names[0] if candidate.names else None
    media_type = candidate.descriptor.media_type
    return Found(name, doc.read_blob(store, config.digest), label, tuple(layers), data, media_type)
