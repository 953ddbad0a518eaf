"""What a push did, blob by blob, and what a measurement of the way to a registry found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from imgopt.errors import ImgoptError
from imgopt.light.records import dataclass, replace

How = Literal["sent", "mounted", "present"]
#: What shows that a blob is the layer: it was compressed here; the image's source holds it; the manifest of the pinned
#: base names it; it was read and compared; or nothing but a tag of the registry says so (``--trust-tags``).
Shown = Literal["made", "source", "base", "compared", "tag"]


@dataclass(frozen=True, slots=True)
class PushedBlob:
    """``size``: compressed bytes. ``sent_bytes``: body bytes that left in this run, those sent again included.
    ``resumed_bytes``: those that an earlier run had brought. ``source``: the repository it was mounted from.
    ``diff_id`` is None for the config."""

    diff_id: str | None
    digest: str
    size: int
    how: How
    sent_bytes: int = 0
    resumed_bytes: int = 0
    seconds: float = 0.0
    source: str | None = None
    created_by: str = ""
    shown_by: Shown = "source"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A repository that has layers of the image, of which the registry mounted none: ``why``, and ``sent_bytes`` of those
    layers that were sent instead. What was asked cost nothing where the registry began an upload in its answer
    (``began``), which took the bytes."""

    source: str
    why: str
    sent_bytes: int
    began: bool


@dataclass(frozen=True, slots=True)
class PushResult:
    """Everything measured here. ``seconds``: from the first question to the last check; ``sending_s``: while bytes of
    blobs were under way. ``digest``: the manifest's. ``looked_at``: repositories of which a tag's word was taken or compared.
    ``packed_bytes``: plain bytes of the layers that were compressed here; ``packed_s``: what that took of processor time,
    the threads' own (`time.thread_time`), reading and hashing included. ``read_bytes``: of blobs read to compare them."""

    source: str
    target: str
    platform: str
    digest: str
    layers: tuple[PushedBlob, ...]
    config: PushedBlob
    manifest_bytes: int
    seconds: float
    sending_s: float
    looked_at: tuple[str, ...] = ()
    packed_bytes: int = 0
    packed_s: float = 0.0
    read_bytes: int = 0
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def blobs(self) -> tuple[PushedBlob, ...]:
        return (*self.layers, self.config)

    @property
    def size(self) -> int:
        return sum(blob.size for blob in self.blobs)

    @property
    def sent_bytes(self) -> int:
        return sum(blob.sent_bytes for blob in self.blobs)

    def bytes_of(self, how: How) -> int:
        """Bytes of the blobs that were sent, mounted, or there already."""
        return sum(blob.size for blob in self.blobs if blob.how == how)

    @property
    def mounted_from(self) -> Mapping[str, int]:
        """Bytes that were mounted, by the repositories that they come from."""
        found: dict[str, int] = {}
        for blob in self.blobs:
            if blob.source is not None:
                found[blob.source] = found.get(blob.source, 0) + blob.size
        return found

    @property
    def bytes_per_s(self) -> int | None:
        """None where too little was sent to tell."""
        if self.sent_bytes < 100_000 or self.sending_s <= 0:
            return None
        return round(self.sent_bytes / self.sending_s)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image of several: its ``result``, or why it is not in the registry (``error``)."""

    source: str
    target: str
    result: PushResult | None = None
    error: ImgoptError | None = None


@dataclass(frozen=True, slots=True)
class PushedAll:
    """Several images of one call, in its order. ``seconds``: of all together."""

    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def results(self) -> tuple[PushResult, ...]:
        return tuple(each.result for each in self.outcomes if each.result is not None)

    @property
    def errors(self) -> tuple[ImgoptError, ...]:
        return tuple(each.error for each in self.outcomes if each.error is not None)

    @property
    def exit_code(self) -> int:
        return max((each.exit_code for each in self.errors), default=0)

    @property
    def size(self) -> int:
        return sum(each.size for each in self.results)

    @property
    def sent_bytes(self) -> int:
        return sum(each.sent_bytes for each in self.results)

    def bytes_of(self, how: How) -> int:
        return sum(each.bytes_of(how) for each in self.results)

    @property
    def mounted_from(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for each in self.results:
            for source, size in each.mounted_from.items():
                found[source] = found.get(source, 0) + size
        return found

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Each repository once, with the bytes of all images."""
        found: dict[tuple[str, str], Refusal] = {}
        for each in (refusal for result in self.results for refusal in result.refusals):
            before = found.get((each.source, each.why))
            found[each.source, each.why] = (
                each if before is None else replace(before, sent_bytes=before.sent_bytes + each.sent_bytes)
            )
        return tuple(found.values())

    @property
    def packed_bytes(self) -> int:
        return sum(each.packed_bytes for each in self.results)

    @property
    def packed_s(self) -> float:
        return sum(each.packed_s for each in self.results)


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """An upload that was cancelled. ``timed_bytes`` of the bytes sent took ``seconds``, at an even pace."""

    target: str
    sent_bytes: int
    timed_bytes: int
    seconds: float
    round_trip_s: float
    cancelled: bool

    @property
    def bytes_per_s(self) -> int:
        return max(1, round(self.timed_bytes / max(self.seconds, 1e-6)))


@dataclass(frozen=True, slots=True)
class Mounts:
    """Whether a registry lets repository ``into`` have a blob that ``source`` holds: ``answer`` is None where that is not
    known. ``why`` says what showed it, or why it is not known. ``into`` is None where no second repository was tried.
    ``left``: what stays in the registry. ``image_bytes``: compressed, of all layers of ``source``:``tag``."""

    answer: bool | None
    source: str
    into: str | None
    why: str
    left: tuple[str, ...] = ()
    tag: str | None = None
    image_bytes: int | None = None
