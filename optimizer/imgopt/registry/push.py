"""Pushing an image: what the registry lacks, and nothing else.

`docker push` and `buildah push` from a fresh agent do not know the digests of compressed layers and send all of them.
Here the registry is asked first, also what its own images tell about layers that only exist as plain tars.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import IO, BinaryIO, Protocol, cast

from imgopt.errors import InputError, MeasureError, UsageError
from imgopt.images.model import Descriptor, Image, ImageLayer, OpenImage
from imgopt.registry.client import Access, Client, connected
from imgopt.registry.errors import RegistryError
from imgopt.registry.manifests import DOCKER_GZIP, learn, manifest_for, newest
from imgopt.registry.result import PushedBlob, PushResult
from imgopt.registry.target import Target, parse_target
from imgopt.registry.upload import Upload

_BLOCK_BYTES = 1 << 20
#: Sent in one request; below this a chunk that is cut costs nothing.
_SMALL_BYTES = 100_000
_SMALL_TRIES = 5
_MOST_LOOKED_AT = 500


class Progress(Protocol):
    """Is told what goes on; must not raise. Calls come from several threads."""

    def doing(self, text: str) -> None: ...

    def plan(self, total_bytes: int) -> None:
        """Bytes that will be sent."""
        ...

    def moved(self, digest: str, offset: int) -> None:
        """So many bytes of this blob are in the registry now."""
        ...

    def told(self, text: str) -> None: ...


class Silent:
    def doing(self, text: str) -> None: ...

    def plan(self, total_bytes: int) -> None: ...

    def moved(self, digest: str, offset: int) -> None: ...

    def told(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PushOptions:
    """``known``: tags of the target's repository to learn blobs from, before those that are found. ``mount_from``:
    repositories of the same registry. ``chunk_bytes`` None: ten seconds' worth. ``parallel``: blobs at a time."""

    known: tuple[str, ...] = ()
    mount_from: tuple[str, ...] = ()
    chunk_bytes: int | None = None
    parallel: int = 1
    access: Access = field(default_factory=Access)


@dataclass
class _Layer:
    """A layer and what is found out about it."""

    number: int
    layer: ImageLayer
    blob: Descriptor | None
    done: PushedBlob | None = None
    location: str | None = None  # of an upload that a refused mount began
    body: IO[bytes] | None = None  # compressed here


def push_image(
    opened: OpenImage, reference: str, options: PushOptions | None = None, progress: Progress | None = None
) -> PushResult:
    """Brings an image to ``REGISTRY/REPO[:TAG]``.

    UsageError for a malformed reference, InputError for a damaged image, RegistryError when the registry refuses or is
    not reached. What was sent stays noted, so that the next call goes on from there.
    """
    options, progress = options or PushOptions(), progress or Silent()
    target = parse_target(reference, default_tag="latest")
    named = [_source(each, target) for each in options.mount_from]
    sources = tuple(dict.fromkeys([*named, *_base_repository(opened.image, target)]))
    access = replace(options.access, told=lambda why, s: progress.told(f"waits {round(s, 1):g} s: {why}"))
    begin = time.monotonic()
    with connected(target, access) as client:
        return _Push(client, target, opened, options, sources, progress).run(begin)


def check_push(reference: str, access: Access | None = None) -> None:
    """RegistryError where nothing may be pushed to ``REGISTRY/REPO``; leaves nothing there."""
    target = parse_target(reference)
    with connected(target, access) as client:
        client.cancel_upload(target.repository, client.start_upload(target.repository))


def delete_tag(reference: str, access: Access | None = None) -> bool:
    """Removes an image from the registry; False where the registry does not allow it, or where another tag names the
    same manifest, which many registries would remove with it."""
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
        if target.tag not in tags or len(tags) > _MOST_LOOKED_AT:
            return False
        for tag in tags:
            if tag != target.tag:
                other = client.manifest(target.repository, tag)
                if other is not None and other.digest == manifest.digest:
                    return False
        return client.delete_manifest(target.repository, manifest.digest)


def _source(text: str, target: Target) -> str:
    """``REPO`` of the same registry, also written with it."""
    repository = text.removeprefix(f"{target.name}/")
    source = parse_target(f"{target.name}/{repository}")
    if source.tag is not None:
        repository = source.repository
    return repository


def _base_repository(image: Image, target: Target) -> list[str]:
    """The repository of the base image in the same registry, where a label names it."""
    config = image.config.get("config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    name = labels.get("org.opencontainers.image.base.name") if isinstance(labels, dict) else None
    try:
        base = parse_target(str(name).partition("@")[0]) if name else None
    except InputError:
        return []
    return [base.repository] if base is not None and base.name == target.name else []


class _Push:
    def __init__(
        self,
        client: Client,
        target: Target,
        opened: OpenImage,
        options: PushOptions,
        sources: Sequence[str],
        progress: Progress,
    ) -> None:
        self._client, self._target, self._opened = client, target, opened
        self._options, self._progress = options, progress
        self._image: Image = opened.image
        self._sources = [each for each in sources if each != target.repository]
        self._layers = [_Layer(n, layer, layer.blob) for n, layer in enumerate(self._image.layers)]
        self._looked_at: list[str] = []
        self._notes: list[str] = []
        self._sending_s = 0.0

    def run(self, begin: float) -> PushResult:
        with ExitStack() as bodies:
            self._progress.doing("asking the registry what it has")
            self._ask()
            self._learn()
            self._mount()
            self._compress_and_send(bodies)
            config = self._push_config()
            self._progress.doing("naming the image")
            blobs = [self._blob(each) for each in self._layers]
            media_type, data = manifest_for(self._image, blobs)
            assert self._target.tag is not None
            self._client.put_manifest(self._target.repository, self._target.tag, media_type, data)
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            self._progress.doing("checking")
            self._check(blobs, digest)
        return PushResult(
            source=self._image.reference,
            target=str(self._target),
            platform=self._image.platform,
            digest=digest,
            layers=tuple(each.done for each in self._layers if each.done is not None),
            config=config,
            manifest_bytes=len(data),
            seconds=time.monotonic() - begin,
            sending_s=self._sending_s,
            looked_at=tuple(self._looked_at),
            notes=tuple(self._notes),
        )

    @staticmethod
    def _blob(each: _Layer) -> Descriptor:
        assert each.blob is not None
        return each.blob

    @property
    def _open(self) -> list[_Layer]:
        return [each for each in self._layers if each.done is None]

    # --- finding out ---

    def _ask(self) -> None:
        for each in self._open:
            if each.blob is not None:
                self._see(each, each.blob)

    def _see(self, each: _Layer, blob: Descriptor) -> bool:
        """Whether the repository has this blob for the layer; then it is done."""
        size = self._client.blob_size(self._target.repository, blob.digest)
        if size is None or (size >= 0 and blob.size != size):
            return False
        each.blob = blob
        self._finish(each, PushedBlob(each.layer.diff_id, blob.digest, blob.size, "present"))
        return True

    @staticmethod
    def _finish(each: _Layer, done: PushedBlob) -> None:
        each.done = replace(done, created_by=each.layer.created_by)

    def _learn(self) -> None:
        if not self._open:
            return
        tag = self._target.tag or "latest"
        repository = self._target.repository
        found = self._learned(repository, [tag, *self._options.known])
        for each in self._open:
            blob = found.get(each.layer.diff_id)
            if blob is not None:
                self._see(each, blob)

    def _learned(self, repository: str, references: Sequence[str]) -> dict[str, Descriptor]:
        wanted = {each.layer.diff_id for each in self._open}
        try:
            tags = newest(self._client.tags(repository))
        except MeasureError:
            tags = []
        known = [each.rpartition(":")[2] for each in references]
        found = learn(self._client, repository, [*known, *tags], wanted, self._image.platform)
        if found:
            self._looked_at.append(repository)
        return found

    def _mount(self) -> None:
        for source in self._sources:
            if not self._open:
                return
            try:
                self._mount_from(source)
            except RegistryError as error:  # it may be closed to this user; the layers can still be sent
                self._note(f"nothing more is mounted from {source}: {error.message}")

    def _mount_from(self, source: str) -> None:
        found = self._learned(source, self._options.known)
        for each in self._open:
            for blob in (each.blob, found.get(each.layer.diff_id)):
                if blob is not None and self._mounted(each, blob, source):
                    break

    def _mounted(self, each: _Layer, blob: Descriptor, source: str) -> bool:
        if self._client.blob_size(source, blob.digest) is None:
            return False
        location = self._client.mount(self._target.repository, blob.digest, source)
        if location is not None:
            self._client.cancel_upload(self._target.repository, location)
            return False
        each.blob = blob
        self._finish(each, PushedBlob(each.layer.diff_id, blob.digest, blob.size, "mounted", source=source))
        return True

    # --- sending ---

    def _compress_and_send(self, bodies: ExitStack) -> None:
        """Compresses one layer ahead of the one that is sent."""
        from concurrent.futures import Future, ThreadPoolExecutor

        todo = self._open
        if not todo:
            return
        plain = [each for each in todo if each.blob is None]
        twice: dict[str, _Layer] = {}
        with ThreadPoolExecutor(1) as compressor, ThreadPoolExecutor(self._options.parallel) as senders:
            ready: dict[int, Future[None]] = {}
            for each in plain:
                if twice.setdefault(each.layer.diff_id, each) is each:
                    ready[each.number] = compressor.submit(self._compress, each, bodies)
            sending: list[Future[None]] = []
            try:
                self._progress.plan(sum(each.blob.size for each in todo if each.blob is not None))
                begin = time.monotonic()
                for each in todo:
                    if each.number in ready:
                        self._progress.doing("compressing")
                        ready[each.number].result()
                    if self._repeats(each, todo):
                        continue
                    if self._options.parallel == 1:
                        self._send(each)
                    else:
                        sending.append(senders.submit(self._send, each))
                for future in sending:
                    future.result()
                one_by_one = sum(each.done.seconds for each in todo if each.done is not None)
                together = time.monotonic() - begin
                self._sending_s = one_by_one if self._options.parallel == 1 else together
            except BaseException:
                for future in (*ready.values(), *sending):
                    future.cancel()
                raise
        for each in self._open:
            first = next(o for o in todo if o.layer.diff_id == each.layer.diff_id)
            each.blob = self._blob(first)
            self._finish(each, PushedBlob(each.layer.diff_id, each.blob.digest, each.blob.size, "present"))

    def _repeats(self, each: _Layer, todo: Sequence[_Layer]) -> bool:
        return any(o.number < each.number and o.layer.diff_id == each.layer.diff_id for o in todo)

    def _compress(self, each: _Layer, bodies: ExitStack) -> None:
        body, blob = compressed(self._opened, each.number, self._options.access.stopped)
        bodies.callback(body.close)
        each.body, each.blob = body, blob

    def _send(self, each: _Layer) -> None:
        blob = self._blob(each)
        begin = time.monotonic()
        if each.body is not None and self._see(each, blob):
            return
        self._progress.doing(f"layer {each.number + 1} of {len(self._layers)}")
        self._progress.plan(
            sum(o.blob.size for o in self._layers if o.blob and (not o.done or o.done.how == "sent"))
        )
        body = cast("BinaryIO", each.body) if each.body else self._opened.open_blob(each.number)
        with suppress_close(body, keep=each.body is not None):
            sent, resumed = self._bring(blob, body)
        done = PushedBlob(
            each.layer.diff_id,
            blob.digest,
            blob.size,
            "sent",
            sent_bytes=sent,
            resumed_bytes=resumed,
            seconds=time.monotonic() - begin,
        )
        self._finish(each, done)

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
            moved=lambda offset: self._progress.moved(blob.digest, offset),
            told=self._note,
        )
        sent = upload.run()
        return sent.sent_bytes, sent.resumed_bytes

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._progress.told(text)

    def _bring_small(self, digest: str, data: bytes) -> int:
        """In one request; the bytes that left, with those of tries that failed."""
        from imgopt.registry.client import push

        repository, sent, tries = self._target.repository, 0, 0
        while True:
            tries += 1
            location = self._client.start_upload(repository)
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
                self._progress.moved(digest, len(data))
                return sent
            # a PUT that was cut in the middle makes its upload useless: a new one, some times
            if answer.status not in (400, 404, 416) or tries > _SMALL_TRIES:
                raise self._client.refusal(answer, f"push to {repository}")

    def _push_config(self) -> PushedBlob:
        data, digest = self._image.config_bytes, self._image.id
        if self._client.blob_size(self._target.repository, digest) == len(data):
            return PushedBlob(None, digest, len(data), "present")
        begin = time.monotonic()
        sent = self._bring_small(digest, data)
        return PushedBlob(None, digest, len(data), "sent", sent_bytes=sent, seconds=time.monotonic() - begin)

    # --- the end ---

    def _check(self, blobs: Sequence[Descriptor], digest: str) -> None:
        repository = self._target.repository
        for blob in dict.fromkeys(blobs):
            size = self._client.blob_size(repository, blob.digest)
            if size is None or (size >= 0 and size != blob.size):
                raise RegistryError(
                    f"{self._target.name} does not have the layer {blob.digest[:19]}… that was pushed",
                    "push again",
                )
        stored = self._client.manifest(repository, digest)
        if stored is None or stored.digest != digest:
            raise RegistryError(f"{self._target.name} does not have the image under its digest", "push again")


def compressed(
    opened: OpenImage, index: int, stopped: Callable[[], bool] = lambda: False
) -> tuple[IO[bytes], Descriptor]:
    """A layer's gzip in an unnamed temporary file, the same bytes whenever and wherever it is made with one zlib.

    MeasureError when the disk is full.
    """
    import zlib

    from imgopt.images.open import write_spool
    from imgopt.registry.errors import Interrupted

    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # no time, no name in its header
    digest, size = hashlib.sha256(), 0
    body = tempfile.TemporaryFile(prefix="imgopt-")  # noqa: SIM115
    try:
        with opened.open_tar(index) as tar:
            while True:
                if stopped():
                    raise Interrupted
                block = tar.read(_BLOCK_BYTES)
                data = packer.compress(block) if block else packer.flush()
                digest.update(data)
                size += len(data)
                write_spool(body, data)
                if not block:
                    break
        body.flush()
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body, Descriptor(DOCKER_GZIP, f"sha256:{digest.hexdigest()}", size)


@contextmanager
def suppress_close(body: IO[bytes], *, keep: bool) -> Iterator[None]:
    """Closes a stream that was opened for one sending; what was compressed may be wanted again."""
    try:
        yield
    finally:
        if not keep:
            with suppress(OSError):
                body.close()


def check_parallel(parallel: int) -> int:
    """UsageError for a number of uploads that makes no sense."""
    if not 1 <= parallel <= 16:
        raise UsageError(f"--parallel {parallel} makes no sense", "1 to 16; one at a time on a slow link")
    return parallel
