"""Pushing an image: what the registry lacks, and nothing else.

`docker push` and `buildah push` from a fresh agent do not know the digests of compressed layers and send all of them.
Here layers that exist as plain tars only are compressed first, always to the same bytes, and the registry is asked for
their digests.

A blob is named for a layer only when something shows that it is that layer:

* it was compressed here, from the tar whose digest is the diff ID;
* the image's own source holds it (an OCI layout, kaniko's tar);
* it was read and compared (``verify``);
* it is a layer of the base, by the manifest of the digest that FROM pins (``base``), which the user gives.

What images of the registry say about their blobs shows nothing, whoever may push there writes it (`manifests.claims`).
Nor does a local daemon's word for a base: among its RepoDigests are manifests of which it never read a layer, since a
daemon that has an image's config takes no second look when a tag is moved (seen with Docker 20.10). Nor the image's
label for its base: where it is inherited it is the word of whoever made the base, about the base's own base. So layers
of a base that is not pinned are compressed here as all others are. ``trust_tags`` believes the registry's images all
the same.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from threading import Lock
from typing import IO, Any, BinaryIO, Protocol, cast

from imgopt.bases.reference import parse_reference
from imgopt.errors import InputError, MeasureError, UsageError
from imgopt.files.documents import parsed_json
from imgopt.images.documents import DIGEST
from imgopt.images.model import Descriptor, Image, ImageLayer, OpenImage
from imgopt.light.records import dataclass, field, replace
from imgopt.registry.client import INDEXES, Access, Manifest, connected, push, stored
from imgopt.registry.comparing import compared
from imgopt.registry.errors import Interrupted, RegistryError
from imgopt.registry.manifests import (
    DOCKER_GZIP,
    Claim,
    base_layers,
    claims,
    manifest_for,
    missing_blobs,
    newest,
)
from imgopt.registry.result import How, PushedBlob, PushResult, Refusal, Shown
from imgopt.registry.siblings import Shared, siblings_of
from imgopt.registry.target import Target, parse_target
from imgopt.registry.together import together
from imgopt.registry.upload import Upload
from imgopt.units import megabytes

_BLOCK_BYTES = 1 << 20
#: Sent in one request; below this a chunk that is cut costs nothing.
_SMALL_BYTES = 100_000
_SMALL_TRIES = 5
_MOST_LOOKED_AT = 500
#: Blobs that are read for one layer before it is sent instead.
MOST_COMPARED = 3
#: A layer of fewer compressed bytes is sent without a word about what tags say of it.
WORTH_A_WORD_BYTES = 1_000_000
_MOST_COMPRESSORS = 4
#: Whether other repositories have a smaller layer is not worth the questions: it is sent in less time.
WORTH_ASKING_BYTES = 100_000
#: No time, no name; and Unix as the system, which zlib would say otherwise on macOS and Windows.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"


class Progress(Protocol):
    """Is told what goes on; must not raise. Calls come from several threads."""

    def doing(self, text: str) -> None: ...

    def expects(self, blobs: Mapping[str, int]) -> None:
        """Digests and bytes of the blobs that will be sent, as far as it is known by now."""
        ...

    def sends(self, digest: str, size: int) -> None:
        """This one is."""
        ...

    def moved(self, blob: str, offset: int) -> None:
        """So many bytes of this blob are in its repository now. ``blob``: ``REGISTRY/REPO:TAG@DIGEST``."""
        ...

    def told(self, text: str) -> None: ...


class Silent:
    def doing(self, text: str) -> None: ...

    def expects(self, blobs: Mapping[str, int]) -> None: ...

    def sends(self, digest: str, size: int) -> None: ...

    def moved(self, blob: str, offset: int) -> None: ...

    def told(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PushOptions:
    """``mount_from``: repositories of the same registry, each asked for every layer. ``siblings``: images,
    ``[REGISTRY/]REPO[:TAG]``, whose repositories may have layers: of those in the same registry the newest manifest is asked
    for. ``base``: ``REPO@sha256:…`` of the same registry, as FROM pins
    it. ``verify``: blobs that tags name are read and compared; ``trust_tags``: they are believed; ``known``: tags of the
    repositories for both of these, before those that are found. ``chunk_bytes`` None: ten seconds' worth. ``parallel``:
    blobs at a time."""

    known: tuple[str, ...] = ()
    mount_from: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    chunk_bytes: int | None = None
    parallel: int = 1
    access: Access = field(default_factory=Access)
    verify: bool = False
    trust_tags: bool = False
    base: str | None = None


@dataclass
class _Layer:
    """A layer and what is found out about it. ``blob`` is what will be named, ``shown_by`` what shows that it is this."""

    number: int
    layer: ImageLayer
    blob: Descriptor | None
    shown_by: Shown = "source"
    done: PushedBlob | None = None
    body: IO[bytes] | None = None  # compressed here
    held: bool = False  # the source's own bytes were read: they are those of the digest


def push_image(
    opened: OpenImage,
    reference: str,
    options: PushOptions | None = None,
    progress: Progress | None = None,
    *,
    shared: Shared | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> PushResult:
    """Brings an image to ``REGISTRY/REPO[:TAG]``. ``shared``: of the call, with a client that is connected there.
    ``turn``: held while layers are compressed and sent.

    UsageError for a malformed reference or base, InputError for a damaged image, RegistryError when the registry refuses or is
    not reached. What was sent stays noted, so that the next call goes on from there.
    """
    options, progress = options or PushOptions(), progress or Silent()
    target = parse_target(reference, default_tag="latest")
    base = _pinned(options.base, target) if options.base is not None else None
    named = [*([base[0]] if base else []), *(_source(each, target) for each in options.mount_from)]
    sources = tuple(dict.fromkeys([*named, *_base_repository(opened.image, target)]))
    begin = time.monotonic()
    if shared is not None:
        return _Push(shared, target, opened, options, base, sources, progress, turn).run(begin)
    with connected(target, told_by(progress, options.access)) as client:
        return _Push(Shared(client), target, opened, options, base, sources, progress, turn).run(begin)


def told_by(progress: Progress, access: Access) -> Access:
    """The same, that tells of its pauses there."""
    return replace(access, told=lambda why, s: progress.told(f"waits {round(s, 1):g} s: {why}"))


def check_push(reference: str, access: Access | None = None) -> None:
    """RegistryError where nothing may be pushed to ``REGISTRY/REPO``; leaves nothing there."""
    target = parse_target(reference)
    with connected(target, access) as client:
        client.cancel_upload(target.repository, client.start_upload(target.repository))


def delete_tag(reference: str, access: Access | None = None) -> bool:
    """Removes an image from the registry; False where the registry does not allow it, or where another tag may name the
    same manifest, alone or among those of an index: many registries would remove it for that one too."""
    target = parse_target(reference, default_tag="latest")
    assert target.tag is not None
    with connected(target, access) as client:
        manifest = client.manifest(target.repository, target.tag)
        if manifest is None:
            return True
        if client.delete_manifest(target.repository, target.tag):
            return client.manifest(target.repository, target.tag) is None
        tags = client.tags(target.repository)
        # by its digest it goes with every tag that names it: only when all of them could be looked at
        if not tags.whole or target.tag not in tags.names or len(tags.names) > _MOST_LOOKED_AT:
            return False
        for tag in tags.names:
            if tag != target.tag:
                other = client.manifest(target.repository, tag)
                if other is not None and (other.digest == manifest.digest or _lists(other, manifest.digest)):
                    return False
        return client.delete_manifest(target.repository, manifest.digest)


def _lists(manifest: Manifest, digest: str) -> bool:
    """Whether an index names this digest, or an index in which it may be."""
    entries = manifest.document.get("manifests")
    if not isinstance(entries, list):
        return entries is not None
    return any(
        not isinstance(each, dict) or each.get("digest") == digest or each.get("mediaType") in INDEXES
        for each in entries
    )


def meant_for(target: Target, options: PushOptions, registries: Collection[str]) -> PushOptions:
    """The options without what names another one of the call's ``registries``. UsageError, or InputError, for what can be
    meant for none."""
    base = None if options.base is None or _is_elsewhere(options.base, target, registries) else options.base
    if base is not None:
        _pinned(base, target)
    sources = [each for each in options.mount_from if not _is_elsewhere(each, target, registries)]
    return replace(options, base=base, mount_from=tuple(_source(each, target) for each in sources))


def _is_elsewhere(name: str, target: Target, registries: Collection[str]) -> bool:
    return any(name.startswith(f"{each}/") for each in registries if each != target.name)


def _source(text: str, target: Target) -> str:
    """``REPO`` of the same registry, also written with it. UsageError for one in another registry."""
    path = text.removeprefix(f"{target.name}/")
    source = parse_target(f"{target.name}/{path}").repository
    other = parse_reference(path).registry if path == text else None
    if other is not None:
        raise UsageError(
            f"--mount-from {text} is not in the registry {target.name}, and a registry mounts only its own layers",
            f"leave it out, or write {target.name}/{text} where {other} begins the repository's name",
        )
    return source


def _pinned(text: str, target: Target) -> tuple[str, str]:
    """Repository and digest of a base. UsageError for one that is not pinned, or lies elsewhere."""
    reference = parse_reference(text)
    if reference.digest is None or not DIGEST.fullmatch(reference.digest):
        raise UsageError(
            f"--base {text} names no digest", "give REPO@sha256:..., as FROM pins it: tags may move"
        )
    if reference.registry not in (None, target.name):
        raise UsageError(
            f"--base {text} is not in the registry {target.name}",
            "only its own blobs can be named: leave --base out",
        )
    return parse_target(f"{target.name}/{reference.repository}").repository, reference.digest


def _base_repository(image: Image, target: Target) -> list[str]:
    """The repository of the base image in the same registry, where a label or the manifest's annotation names it."""
    found = []
    for name in _base_names(image):
        with suppress(InputError):
            base = parse_target(name.partition("@")[0])
            if base.name == target.name:
                found.append(base.repository)
    return found


def _base_names(image: Image) -> Iterator[str]:
    config = image.config.get("config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    annotations = None
    with suppress(ValueError, RecursionError, AttributeError):
        annotations = parsed_json(image.manifest_bytes or b"{}").get("annotations")
    for each in (labels, annotations):
        name = each.get("org.opencontainers.image.base.name") if isinstance(each, dict) else None
        if isinstance(name, str):
            yield name


class _Push:
    def __init__(
        self,
        shared: Shared,
        target: Target,
        opened: OpenImage,
        options: PushOptions,
        base: tuple[str, str] | None,
        sources: Sequence[str],
        progress: Progress,
        turn: AbstractContextManager[object] | None,
    ) -> None:
        self._shared, self._client = shared, shared.client
        self._target, self._opened, self._turn = target, opened, turn or nullcontext()
        self._siblings = siblings_of(target, options.siblings)
        self._options, self._base, self._progress = options, base, progress
        self._image: Image = opened.image
        self._sources = [each for each in sources if each != target.repository]
        self._layers = [_Layer(n, layer, layer.blob) for n, layer in enumerate(self._image.layers)]
        self._claimed: dict[str, dict[str, list[Claim]]] = {}
        self._looked_at: list[str] = []
        self._notes: list[str] = []
        self._refused: dict[int, tuple[str, str, bool]] = {}  # layers that are sent for want of a mount
        self._begun: list[str] = []  # uploads that the registry began in place of a mount
        self._lock = Lock()  # of what senders do together: ask for claims, add up
        self._warned = False
        self._expected: dict[
            str, int
        ] = {}  # digests and bytes of what is sent or will be, as far as it is known
        self._sending_s = self._packed_s = 0.0
        self._packed_bytes = self._read_bytes = 0

    def run(self, begin: float) -> PushResult:
        with ExitStack() as bodies:
            self._progress.doing("asking the registry what it has")
            if self._options.known and not (self._options.verify or self._options.trust_tags):
                self._note(
                    "--known names tags to look into with --verify or --trust-tags: without, it does nothing"
                )
            self._ask()
            self._take_base()
            if self._options.trust_tags:
                self._trust()
            self._expect({each.blob.digest: each.blob.size for each in self._open if each.blob is not None})
            with self._turn:
                self._take_made()
                self._compress_and_send(bodies)
                self._send_what_was_not_mounted(bodies)
            config = self._push_config()
            for location in self._begun:
                self._client.cancel_upload(self._target.repository, location)
            digest, manifest_bytes, config = self._name(config, bodies)
            self._progress.doing("checking")
            self._check([self._blob(each) for each in self._layers], digest)
        return PushResult(
            source=self._image.reference,
            target=str(self._target),
            platform=self._image.platform,
            digest=digest,
            layers=tuple(each.done for each in self._layers if each.done is not None),
            config=config,
            manifest_bytes=manifest_bytes,
            seconds=time.monotonic() - begin,
            sending_s=self._sending_s,
            looked_at=tuple(self._looked_at),
            packed_bytes=self._packed_bytes,
            packed_s=self._packed_s,
            read_bytes=self._read_bytes,
            notes=tuple(self._notes),
            refusals=tuple(self._refusals()),
        )

    @staticmethod
    def _blob(each: _Layer) -> Descriptor:
        assert each.blob is not None
        return each.blob

    @property
    def _open(self) -> list[_Layer]:
        return [each for each in self._layers if each.done is None]

    def _expect(self, blobs: dict[str, int]) -> None:
        self._expected = blobs
        self._progress.expects(blobs)

    # --- finding out ---

    def _ask(self) -> None:
        """Of all blobs that are known by now, together."""
        known = [each for each in self._open if each.blob is not None]
        self._has_config = False

        def ask(each: _Layer | None) -> None:
            if each is not None:
                self._see(each, self._blob(each), each.shown_by)
            else:
                size = self._client.blob_size(self._target.repository, self._image.id)
                self._has_config = size == len(self._image.config_bytes)

        self._client.authorize(push(self._target.repository))
        together(ask, [*known, None])

    def _take_made(self) -> None:
        """Layers that an earlier image of the call has, too, and that were compressed for it."""
        made = [each for each in self._open if each.blob is None and each.layer.diff_id in self._shared.made]
        for each in made:
            each.blob, each.shown_by = self._shared.made[each.layer.diff_id], "made"
        together(lambda each: self._see(each, self._blob(each), "made"), made)

    def _see(self, each: _Layer, blob: Descriptor, shown_by: Shown) -> bool:
        """Whether the repository has this blob for the layer; then it is done."""
        if not self._has(self._target.repository, blob):
            return False
        self._finish(each, blob, shown_by, "present")
        return True

    def _has(self, repository: str, blob: Descriptor) -> bool:
        size = self._client.blob_size(repository, blob.digest)
        return size is not None and size in (-1, blob.size)

    def _finish(
        self,
        each: _Layer,
        blob: Descriptor,
        shown_by: Shown,
        how: How,
        *,
        source: str | None = None,
        **more: Any,
    ) -> None:
        each.blob, each.shown_by = blob, shown_by
        each.done = PushedBlob(
            each.layer.diff_id,
            blob.digest,
            blob.size,
            how,
            source=source,
            created_by=each.layer.created_by,
            shown_by=shown_by,
            **more,
        )
        self._shared.holds(self._target.repository, blob.digest)
        if how != "sent" and blob.digest in self._expected:
            self._expect({digest: size for digest, size in self._expected.items() if digest != blob.digest})
        if each.body is not None:
            each.body.close()
            each.body = None

    def _take_base(self) -> None:
        """The first layers by the manifest that FROM pins, as far as they are no blobs of the source."""
        if self._base is None:
            return
        repository, digest = self._base
        try:
            blobs = base_layers(self._client, repository, digest, self._image)
        except RegistryError as error:
            self._note(f"nothing is taken from the base: {error}")
            return
        for each, blob in zip(self._layers, blobs, strict=False):
            if each.done is None and each.blob is None and not self._see(each, blob, "base"):
                self._mounted(each, blob, "base", repository)

    def _trust(self) -> None:
        for repository in (self._target.repository, *self._sources):
            found = self._claims(repository)
            for each in self._open:
                for claim in found.get(each.layer.diff_id, ())[:1]:
                    if not self._see(each, claim.blob, "tag"):
                        self._mounted(each, claim.blob, "tag", repository)

    def _claims(self, repository: str) -> Mapping[str, Sequence[Claim]]:
        """What tags of a repository say about the layers; asked once."""
        with self._lock:
            if repository not in self._claimed:
                known = [each.rpartition(":")[2] for each in self._options.known]
                if repository == self._target.repository:
                    known.insert(0, self._target.tag or "latest")
                try:
                    tags = newest(self._client.tags(repository).names)
                except MeasureError:
                    tags = []
                self._claimed[repository] = claims(
                    self._client,
                    repository,
                    [*known, *tags],
                    {each.layer.diff_id for each in self._open},
                    self._image.platform,
                    one_is_enough=self._options.trust_tags,
                )
                if self._claimed[repository] and (self._options.verify or self._options.trust_tags):
                    self._looked_at.append(repository)
            return self._claimed[repository]

    def _mounted_from_any(self, each: _Layer, blob: Descriptor, shown_by: Shown) -> bool:
        """Asks where it is known to be, where the user says that it may be, and where images like this one are."""
        for source in self._shared.known_holders(blob.digest):
            if self._mounted(each, blob, shown_by, source, known=True):
                return True
        if any(self._mounted(each, blob, shown_by, source) for source in self._sources):
            return True
        if blob.size < WORTH_ASKING_BYTES:
            return False
        platform, tag = self._image.platform, self._target.tag or "latest"
        return any(
            self._mounted(each, blob, shown_by, source, known=True)
            for source in self._shared.holders(blob.digest, self._siblings, platform, tag)
        )

    def _mounted(
        self, each: _Layer, blob: Descriptor, shown_by: Shown, source: str, *, known: bool = False
    ) -> bool:
        """``known``: the source has the blob, as far as can be told without asking it."""
        if source == self._target.repository:
            return False
        refused = self._shared.refusal(source)
        if refused is not None:
            if known:
                self._refused.setdefault(each.number, (source, refused, True))
            return False
        try:
            if not known and not self._has(source, blob):
                return False
        except RegistryError as error:  # it may be closed to this user; the layers can still be sent
            self._shared.refuse(source, error.message)
            self._note(f"nothing more is mounted from {source}: {error.message}")
            return False
        self._require_held(each, shown_by)
        location = None
        try:
            answer = self._client.mount(self._target.repository, blob.digest, source)
            if answer.mounted:
                self._shared.mounted()
                self._finish(each, blob, shown_by, "mounted", source=source)
                return True
            location, why = answer.location, f"{self._target.name} answers {answer.status} to a mount"
        except RegistryError as error:
            why = error.message
        # where no upload was begun in place of it, beginning one tells whether it is the source that is closed
        self._begun.append(location or self._client.start_upload(self._target.repository))
        self._shared.refuse(source, why, has_it=True)
        self._refused.setdefault(each.number, (source, why, location is not None))
        return False

    def _require_held(self, each: _Layer, shown_by: Shown) -> None:
        """InputError where the source names a blob, or a diff ID that another image of the call has, and does not have the
        bytes. Else whoever knows a digest, and writes it into an image that somebody pushes, would be given another
        repository's bytes with that one's rights."""
        if shown_by not in ("source", "made") or each.held or each.body is not None:
            return
        self._progress.doing(f"reading layer {each.number + 1}")
        reads = self._opened.open_blob if shown_by == "source" else self._opened.open_tar
        with closing(reads(each.number)) as body:
            while body.read(_BLOCK_BYTES):
                if self._options.access.stopped():
                    raise Interrupted
        each.held = True

    def _refusals(self) -> Iterator[Refusal]:
        """What was sent for want of a mount, by the repositories that have it."""
        found: dict[str, Refusal] = {}
        for each in self._layers:
            refused = self._refused.get(each.number)
            if refused is None or each.done is None or each.done.how != "sent":
                continue
            source, why, began = refused
            before = found.get(source) or Refusal(source, why, 0, began)
            found[source] = replace(before, sent_bytes=before.sent_bytes + each.done.sent_bytes)
        yield from found.values()

    # --- sending ---

    def _compress_and_send(self, bodies: ExitStack) -> None:
        """Compresses while it sends, and asks for each digest as soon as it is known."""
        from concurrent.futures import Future, ThreadPoolExecutor

        todo = self._open
        if not todo:
            return
        firsts: dict[str, _Layer] = {}
        for each in todo:
            firsts.setdefault(_content(each), each)
        with (
            ThreadPoolExecutor(_compressors()) as compressors,
            ThreadPoolExecutor(self._options.parallel) as senders,
        ):
            ready: dict[int, Future[None]] = {
                each.number: compressors.submit(self._compress, each, bodies)
                for each in firsts.values()
                if each.blob is None or self._will_be_sent(each)
            }
            sending: list[Future[None]] = []
            try:
                begin = time.monotonic()
                for each in firsts.values():
                    if each.number in ready:
                        self._progress.doing("compressing")
                        ready[each.number].result()
                    if self._options.parallel == 1:
                        self._bring_layer(each, bodies)
                    else:
                        sending.append(senders.submit(self._bring_layer, each, bodies))
                for future in sending:
                    future.result()
                one_by_one = sum(each.done.seconds for each in firsts.values() if each.done is not None)
                together = time.monotonic() - begin
                self._sending_s = one_by_one if self._options.parallel == 1 else together
            except BaseException:
                for future in (*ready.values(), *sending):
                    future.cancel()
                raise
        for each in self._open:
            first = firsts[_content(each)]
            self._finish(each, self._blob(first), first.shown_by, "present")

    def _compress(self, each: _Layer, bodies: ExitStack) -> None:
        begin = time.thread_time()
        body, blob = compressed(self._opened, each.number, self._options.access.stopped)
        bodies.callback(body.close)
        each.body, each.blob, each.shown_by = body, blob, "made"
        self._shared.made[each.layer.diff_id] = blob
        with self._lock:
            self._packed_s += time.thread_time() - begin
            self._packed_bytes += each.layer.uncompressed_bytes or 0

    def _will_be_sent(self, each: _Layer) -> bool:
        """Whether a layer that was compressed for another image is needed once more: nothing is mounted there."""
        return each.shown_by == "made" and self._shared.never

    def _bring_layer(self, each: _Layer, bodies: ExitStack) -> None:
        """Finds what was compressed here, or a blob that is shown to be the same; sends it where there is none."""
        blob = self._blob(each)
        fresh = each.body is not None
        # an earlier image of the call may have brought it here since this one asked
        brought = self._target.repository in self._shared.known_holders(blob.digest)
        if ((fresh or brought) and self._see(each, blob, each.shown_by)) or self._mounted_from_any(
            each, blob, each.shown_by
        ):
            return
        if fresh and self._options.verify and self._compared_with_any(each):
            return
        if fresh and blob.size >= WORTH_A_WORD_BYTES:
            self._warn(each)
        if each.shown_by == "made" and each.body is None:
            self._compress(each, bodies)
        self._send(each)

    def _compared_with_any(self, each: _Layer) -> bool:
        """Whether a blob that a tag names for the layer is in fact the layer."""
        left = MOST_COMPARED
        for repository in (self._target.repository, *self._sources):
            if self._shared.refusal(repository) is not None:
                continue
            for claim in self._claims(repository).get(each.layer.diff_id, ()):
                left -= 1
                if left < 0:
                    return False
                if self._is_the_layer(each, claim, repository) and (
                    self._see(each, claim.blob, "compared")
                    or self._mounted(each, claim.blob, "compared", repository)
                ):
                    return True
        return False

    def _is_the_layer(self, each: _Layer, claim: Claim, repository: str) -> bool:
        self._progress.doing(f"comparing layer {each.number + 1} with a blob of {repository}")
        plain_bytes = each.layer.uncompressed_bytes
        assert plain_bytes is not None  # of every layer that was compressed here
        found = compared(self._client, repository, claim.blob, each.layer.diff_id, plain_bytes)
        with self._lock:
            self._read_bytes += found.read_bytes
        if found.unlike is not None:
            self._note(
                f"the blob {claim.blob.digest[:19]}… that {claim.place} names for layer {each.number + 1} is not used:"
                f" {found.unlike}"
            )
        return found.unlike is None

    def _warn(self, each: _Layer) -> None:
        """Says once why a layer is sent that the registry has, by the word of a tag."""
        if self._warned or self._options.verify or self._options.trust_tags:
            return
        for repository in (self._target.repository, *self._sources):
            closed = self._shared.refusal(repository) is not None
            found = None if closed else self._claims(repository).get(each.layer.diff_id)
            if found and not self._warned:
                self._warned = True
                self._note(
                    f"{found[0].place} names another blob for layer {each.number + 1}"
                    f" ({megabytes(self._blob(each).size)}), which another tool compressed: nothing shows that it is this"
                    " layer, so it is sent, once, and so are others like it; --verify reads such blobs to compare,"
                    " --trust-tags believes the tags"
                )

    def _send(self, each: _Layer) -> None:
        blob = self._blob(each)
        begin = time.monotonic()
        self._progress.doing(f"layer {each.number + 1} of {len(self._layers)}")
        self._expect({**self._expected, blob.digest: blob.size})
        self._progress.sends(blob.digest, blob.size)
        body = cast("BinaryIO", each.body) if each.body else self._opened.open_blob(each.number)
        try:
            sent, resumed = self._bring(blob, body)
        finally:
            with suppress(OSError):
                body.close()
        self._finish(
            each,
            blob,
            each.shown_by,
            "sent",
            sent_bytes=sent,
            resumed_bytes=resumed,
            seconds=time.monotonic() - begin,
        )

    def _bring(self, blob: Descriptor, body: BinaryIO) -> tuple[int, int]:
        if blob.size <= _SMALL_BYTES:
            return self._bring_small(blob.digest, body.read()), 0
        upload = Upload(
            self._client,
            self._target.repository,
            blob.digest,
            blob.size,
            body,
            chunk_bytes=self._options.chunk_bytes,
            moved=lambda offset: self._progress.moved(self._moving(blob.digest), offset),
            told=self._note,
        )
        sent = upload.run(self._take_begun())
        return sent.sent_bytes, sent.resumed_bytes

    def _take_begun(self) -> str | None:
        """An upload that the registry began in place of a mount: it is of no blob yet."""
        with self._lock:
            return self._begun.pop() if self._begun else None

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._progress.told(text)

    def _moving(self, digest: str) -> str:
        """A blob on its way to this repository, for the progress."""
        return f"{self._target}@{digest}"

    def _bring_small(self, digest: str, data: bytes) -> int:
        """In one request; the bytes that left, with those of tries that failed."""
        repository, sent, tries = self._target.repository, 0, 0
        while True:
            tries += 1
            location = self._take_begun() or self._client.start_upload(repository)
            sign = "&" if "?" in location else "?"
            answer = self._client.request(
                "PUT",
                f"{location}{sign}digest={digest}",
                scopes=push(repository),
                headers={"Content-Type": "application/octet-stream"},
                data=data,
            )
            sent += len(data)
            if answer.status in (200, 201, 202, 204) or self._client.blob_size(repository, digest) == len(
                data
            ):
                self._progress.moved(self._moving(digest), len(data))
                return sent
            # a PUT that was cut in the middle makes its upload useless: a new one, some times
            if answer.status not in (400, 404, 416) or tries > _SMALL_TRIES:
                raise self._client.refusal(answer, f"push to {repository}")

    def _push_config(self) -> PushedBlob:
        if self._has_config:
            return PushedBlob(None, self._image.id, len(self._image.config_bytes), "present")
        return self._send_config()

    def _send_config(self) -> PushedBlob:
        data, digest = self._image.config_bytes, self._image.id
        begin = time.monotonic()
        sent = self._bring_small(digest, data)
        return PushedBlob(None, digest, len(data), "sent", sent_bytes=sent, seconds=time.monotonic() - begin)

    # --- the end ---

    def _name(self, config: PushedBlob, bodies: ExitStack) -> tuple[str, int, PushedBlob]:
        """Puts the manifest; its digest and length, and what became of the config.

        A registry may say that it has a blob and lack it when it is named (a cache, a clean-up at the same moment): such
        blobs are sent, once.
        """
        repository, tag = self._target.repository, self._target.tag
        for last in (False, True):
            self._progress.doing("naming the image")
            media_type, data = manifest_for(self._image, [self._blob(each) for each in self._layers])
            answer = self._client.request(
                "PUT",
                stored(repository, "manifests", tag or "latest"),
                scopes=push(repository),
                headers={"Content-Type": media_type},
                data=data,
            )
            if answer.status in (200, 201, 202):
                return f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), config
            missing = missing_blobs(answer)
            if last or missing is None:
                break
            again = [each for each in self._layers if _is_missing(each.done, missing)]
            if again:
                self._note("the registry said that it had layers which it lacks: they are sent")
                self._send_again(again, bodies)
            if _is_missing(config, missing):
                config = self._send_config()
            elif not again:
                break
        raise self._client.refusal(answer, f"name {repository}:{tag}")

    def _send_what_was_not_mounted(self, bodies: ExitStack) -> None:
        """A registry may answer 201 to a mount and not have the blob, and take a manifest that names it: so it is asked for
        what it mounted before the tag moves to a broken image."""
        mounted = {
            self._blob(each): each.done.source for each in self._layers if each.done and each.done.source
        }
        lacking: dict[str, str] = {}

        def ask(blob: Descriptor) -> None:
            if not self._has(self._target.repository, blob):
                lacking[blob.digest] = mounted[blob] or ""

        together(ask, [*mounted])
        again = [each for each in self._layers if _is_missing(each.done, {*lacking})] if lacking else []
        if not again:
            return
        why = f"{self._target.name} answers 201 to a mount, but does not have the blob then"
        self._shared.mounts_nothing(why)
        for each in again:
            self._refused[each.number] = (lacking[self._blob(each).digest], why, False)
        self._send_again(again, bodies)

    def _send_again(self, layers: Sequence[_Layer], bodies: ExitStack) -> None:
        begin = time.monotonic()
        sent: dict[str, _Layer] = {}
        for each in layers:
            each.done = None
            first = sent.setdefault(each.layer.diff_id, each)
            if first is not each:
                self._finish(each, self._blob(first), first.shown_by, "present")
                continue
            if each.layer.blob is None:
                self._compress(each, bodies)
            else:
                each.blob, each.shown_by = each.layer.blob, "source"
            self._send(each)
        self._sending_s += time.monotonic() - begin

    def _check(self, blobs: Sequence[Descriptor], digest: str) -> None:
        repository = self._target.repository

        def check(blob: Descriptor | None) -> None:
            if blob is not None and not self._has(repository, blob):
                raise RegistryError(
                    f"{self._target.name} does not have the layer {blob.digest[:19]}… that was pushed",
                    "push again",
                )
            there = self._client.manifest(repository, digest) if blob is None else None
            if blob is None and (there is None or there.digest != digest):
                raise RegistryError(
                    f"{self._target.name} does not have the image under its digest", "push again"
                )

        together(check, [*dict.fromkeys(blobs), None])


def _content(each: _Layer) -> str:
    """The same for layers of which one blob is enough."""
    return each.blob.digest if each.blob is not None and each.shown_by == "source" else each.layer.diff_id


def _is_missing(done: PushedBlob | None, missing: set[str]) -> bool:
    """Whether a blob that was not sent may be what the registry lacks; it need not say which."""
    return done is not None and done.how != "sent" and (not missing or done.digest in missing)


def _compressors() -> int:
    """Threads: zlib lets the others run."""
    import os

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_COMPRESSORS, usable))


def compressed(
    opened: OpenImage, index: int, stopped: Callable[[], bool] = lambda: False
) -> tuple[IO[bytes], Descriptor]:
    """A layer's gzip in an unnamed temporary file: the same bytes whenever and wherever it is made with the zlib of
    zlib.net, in whatever pieces it is read (1.2.13 and 1.3.2 were compared). zlib-ng and Chromium's zlib make others:
    then layers that were pushed from the one are sent once more from the other, and nothing worse.

    MeasureError when the disk is full.
    """
    import zlib

    from imgopt.images.spool import drop_spool, new_spool, rewind_spool, write_spool

    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    digest, size, plain_crc, plain_bytes = hashlib.sha256(), 0, 0, 0
    data = _GZIP_HEADER
    body = new_spool()
    try:
        with opened.open_tar(index) as tar:
            while True:
                if stopped():
                    raise Interrupted
                block = tar.read(_BLOCK_BYTES)
                plain_crc, plain_bytes = zlib.crc32(block, plain_crc), plain_bytes + len(block)
                data += packer.compress(block) if block else packer.flush()
                if not block:
                    data += struct.pack("<II", plain_crc, plain_bytes & 0xFFFFFFFF)
                digest.update(data)
                size += len(data)
                write_spool(body, data)
                data = b""
                if not block:
                    break
        rewind_spool(body)
    except BaseException:
        drop_spool(body)
        raise
    return body, Descriptor(DOCKER_GZIP, f"sha256:{digest.hexdigest()}", size)


def check_parallel(parallel: int) -> int:
    """UsageError for a number of uploads that makes no sense."""
    if not 1 <= parallel <= 16:
        raise UsageError(f"--parallel {parallel} makes no sense", "1 to 16; one at a time on a slow link")
    return parallel
