"""Sending one blob in chunks of an upload session, going on where it was cut.

What an acknowledged chunk brought is never sent again while the registry keeps the session. Registries differ in what
they forgive:

* Registries that follow the OCI specification say in an upload's status how many bytes they have: go on from there.
* The distribution registry 2.x (Docker's image `registry:2`, Debian's package) writes what it gets of a chunk, but takes
  up an upload only at the very byte at which its last answer ended (``_state``, signed). A chunk that is cut in the
  middle makes the session unusable: status, PATCH and PUT answer 404, and no request gives a new state. But it looks
  at this only when a request begins. So before each chunk further PATCHes are begun and held without a byte of body.
  When the chunk is cut, it is sent over one of those, from its start: it overwrites the same bytes with the same bytes.
  And since a body without a length may end anywhere, a stop (Ctrl-C, a killed parent) ends the chunk where it is.
  3.0 has the same state and is treated in the same way.

When all connections are cut at once, 2.x has lost the session (3.0 had not, when it was tried), and the blob starts
anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from imgopt.light.records import dataclass, replace
from imgopt.registry.client import MOVED, Answer, Client, push
from imgopt.registry.errors import Interrupted, RegistryError
from imgopt.registry.sessions import Notes, Session
from imgopt.registry.wire import PIECE_BYTES, Broken, Wire

#: The first chunk: ten seconds at 0.5 MB/s. Amazon ECR takes none below 5 MiB but the last.
CHUNK_BYTES = 5 * 1024 * 1024
_HELD_SECONDS = 3.0
_MOST_RESTARTS = 3
_HELD = ("held", "held too")
_FINE = (200, 201, 202, 204)
_SMALLEST_BYTES = 256_000
#: Chunks grow until each takes about this long: what a cut costs at worst.
_CHUNK_SECONDS = 10.0
_LARGEST_BYTES = 100_000_000
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Sent:
    """What it took to bring a blob: ``sent_bytes`` of body left this run, ``resumed_bytes`` an earlier one had sent."""

    sent_bytes: int
    resumed_bytes: int
    restarts: int = 0


#: Hears how many bytes of the blob are there now: it falls when a session is lost.
Moved = Callable[[int], None]


class Upload:
    """One blob on its way. ``body`` is a seekable stream of exactly ``size`` bytes."""

    def __init__(
        self,
        client: Client,
        repository: str,
        digest: str,
        size: int,
        body: BinaryIO,
        *,
        chunk_bytes: int | None = None,
        moved: Moved = lambda offset: None,
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._client, self._repository = client, repository
        self._digest, self._size, self._body = digest, size, body
        self._chunk_bytes, self._moved, self._told = chunk_bytes or CHUNK_BYTES, moved, told
        self._most_bytes = self._chunk_bytes if chunk_bytes else _LARGEST_BYTES
        self._notes = Notes(client.target.name, repository, digest)
        self._wires: dict[str, Wire] = {}
        self._session = Session(client.target.name, repository, digest, size, "", 0)
        self._sent = self._resumed = self._restarts = 0
        self._whole = False  # a registry that takes no second chunk gets the blob in one

    def run(self, location: str | None = None) -> Sent:
        """Sends what is missing and finishes. ``location``: of an upload that was begun already.

        RegistryError when the registry refuses or stays away; Interrupted when it was stopped. The note stays then.
        """
        stopped = self._client.access.stopped
        with self._notes.held(stopped) as waited:
            if waited and self._client.blob_size(self._repository, self._digest) == self._size:
                self._told("another run has sent this layer meanwhile")
                return Sent(0, 0)
            try:
                self._take_up(location)
                while not self._finish():
                    self._restart("it did not accept the whole")
            finally:
                for wire in self._wires.values():
                    wire.close()
            self._notes.forget()
        return Sent(self._sent, self._resumed, self._restarts)

    # --- the session ---

    def _take_up(self, location: str | None) -> None:
        noted = self._notes.load()
        if (
            noted is not None
            and noted.size == self._size
            and noted.offset
            and self._client.is_own(noted.location)
        ):
            if location is None and not self._is_inside(noted.location):
                location = self._client.start_upload(self._repository)
            if self._may_resume(noted.location, location):
                self._session = noted
            if self._session is noted and self._is_kept():
                self._resumed = self._session.offset
                if location is not None:
                    self._client.cancel_upload(self._repository, location)
                self._told(f"resumes at byte {self._resumed:,}, where an earlier run was interrupted")
                self._moved(self._resumed)
                return
        self._begin(location)

    def _may_resume(self, noted: str, fresh: str | None) -> bool:
        """Whether an upload that was noted at the registry itself is one of this repository: a note is a file, which
        others may have written (a cache that CI hands on), and what it names is sent the layer.

        Where a registry keeps uploads is its own affair (Artifact Registry and Artifactory do so outside ``/v2/``): a
        place beside the ``fresh`` one, which it has named in this run, is as good.
        """
        if self._is_inside(noted):
            return True
        if fresh is None or not self._client.is_own(fresh):
            return False
        (beside, name), (here, _) = (_parted(each) for each in (noted, fresh))
        return beside == here and re.fullmatch(r"\.{0,2}|.*%.*", name) is None

    def _is_inside(self, location: str) -> bool:
        place = urlsplit(location).path
        return place.startswith(f"/v2/{self._repository}/") and not re.search(r"/\.{1,2}(/|$)|//|%", place)

    def _is_kept(self) -> bool:
        """The noted upload may lie where nothing answers any more, or belong to another login."""
        try:
            return self._ask_status()
        except RegistryError:
            return False

    def _begin(self, location: str | None = None) -> None:
        place = location or self._client.start_upload(self._repository)
        self._chunk_bytes = max(self._chunk_bytes, self._client.least_chunk_bytes)
        self._most_bytes = max(self._most_bytes, self._chunk_bytes)
        self._session = replace(self._session, location=place, offset=0)
        self._moved(0)

    def _restart(self, why: str) -> None:
        lost = self._session.offset
        self._restarts += bool(lost)
        self._failures += not lost
        if self._restarts > _MOST_RESTARTS or self._failures >= self._client.access.tries:
            raise RegistryError(
                f"{self._client.target.name} does not keep the upload of {self._digest[:19]}…: {why}",
                "try again, with a smaller --chunk-size",
            )
        if lost:
            self._told(f"the registry has lost the upload ({why}); {lost:,} bytes are sent again")
        else:
            self._client.pause(self._failures, why)
        self._notes.forget()
        if self._session.location:
            self._client.cancel_upload(self._repository, self._session.location)
        self._begin()

    def _ask_status(self) -> bool:
        """Where the registry's copy ends, into the session; False when it does not know the upload any more."""
        answer = self._client.request("GET", self._session.location, scopes=push(self._repository))
        if answer.status in (400, 404, 410, 416):
            return False
        if answer.status not in (200, 202, 204):
            raise self._client.refusal(answer, f"push to {self._repository}")
        offset = _end_of(answer)
        location = answer.headers.get("location")
        self._session = replace(
            self._session,
            offset=min(self._session.offset if offset is None else offset, self._size),
            location=self._client.location(answer) if location else self._session.location,
        )
        return True

    def _acknowledged(self, answer: Answer, end: int) -> None:
        given = _end_of(answer)
        if given is not None and given != end and not (given == 0 and end <= 1):
            end = min(given, self._size)  # the registry's word counts
        if end <= self._session.offset:
            self._failures += 1
            if self._failures >= self._client.access.tries:
                raise RegistryError(
                    f"{self._client.target.name} accepts bytes of {self._digest[:19]}…, but does not keep them",
                    "try again, with another --chunk-size",
                )
        else:
            self._failures = 0
        self._session = replace(self._session, location=self._client.location(answer), offset=end)
        if self._client.is_own(self._session.location):
            self._notes.save(self._session)
        self._moved(end)

    def _finish(self) -> bool:
        while self._session.offset < self._size:
            self._check_stop()
            end = self._size if self._whole else min(self._size, self._session.offset + self._chunk_bytes)
            begin, before = time.monotonic(), self._session.offset
            (self._send_strictly if self._strict else self._send_openly)(end)
            self._suit_chunk(self._session.offset - before, time.monotonic() - begin)
        sign = "&" if urlsplit(self._session.location).query else "?"
        answer = self._client.request(
            "PUT",
            f"{self._session.location}{sign}digest={self._digest}",
            scopes=push(self._repository),
            headers={"Content-Type": _OCTETS},
            data=b"",
            timeout=(self._client.access.connect_s, 600),  # it may read the blob once more
        )
        if answer.status in (200, 201, 202, 204):
            return True
        # the answer to an earlier try may have been cut
        if self._client.blob_size(self._repository, self._digest) == self._size:
            return True
        if answer.status in (400, 404, 416):
            return False
        raise self._client.refusal(answer, f"push to {self._repository}")

    def _suit_chunk(self, moved_bytes: int, seconds: float) -> None:
        if moved_bytes > 0 and seconds > 0:
            suits = int(_CHUNK_SECONDS * moved_bytes / seconds)
            self._chunk_bytes = min(self._most_bytes, max(self._chunk_bytes, suits))

    @property
    def _strict(self) -> bool:
        return "_state" in parse_qs(urlsplit(self._session.location).query)

    # --- chunks ---

    def _wire(self, name: str) -> Wire:
        wire = self._wires.get(name)
        if wire is None or not wire.fits(self._session.location):
            if wire is not None:
                wire.close()
            access = self._client.access
            wire = self._wires[name] = Wire(
                self._session.location, self._client.context_for(self._session.location), access.answer_s
            )
        return wire

    def _headers(self, **more: str) -> dict[str, str]:
        known = self._client.authorization(self._session.location, push(self._repository))
        return {"Content-Type": _OCTETS, **more, **known}

    def _send_strictly(self, end: int) -> None:
        """A chunk to a registry that forgives nothing: with further requests held for the case that it is cut."""
        # at byte 0 there is nothing to lose
        names = ("data", *(_HELD if self._session.offset and not self._client.mute else ()))
        ready = self._take_turns(names)
        if not ready:
            self._recover("the connection was cut")
            return
        self._furthest = self._session.offset
        answer = None
        while ready and answer is None:
            answer = self._pour(ready.pop(0), end)
            if answer is None and ready:
                self._told("the connection was cut; the chunk goes over one that was held ready")
        self._let_go(ready)
        if answer is None:
            self._recover("a chunk was cut in the middle")
        elif answer.status in _FINE:
            self._acknowledged(answer, self._reached)
        else:
            self._refused(answer)

    def _take_turns(self, names: Sequence[str]) -> list[Wire]:
        """Requests that the registry has taken up at the session's offset, without a byte of body yet. The first is
        for the chunk: it need not answer before its body comes."""
        begun: list[tuple[str, Wire]] = []
        for name in names:
            wire = self._wire(name)
            try:
                wire.begin(
                    "PATCH", self._session.location, self._headers(), None, expect=not self._client.mute
                )
            except Broken:
                wire.close()
                continue
            begun.append((name, wire))
        ready = []
        for name, wire in begun:
            try:
                taken = not self._client.mute and wire.taken(_HELD_SECONDS)
            except Broken:
                wire.close()
                continue
            if not taken and wire.refused is None:
                self._client.mute = True  # a proxy swallows "100 Continue": nothing can be held through it
            if taken or name == names[0]:
                ready.append(wire)
            else:
                wire.close()
        return ready

    def _let_go(self, held: Sequence[Wire]) -> None:
        """Ends them with an empty body, which changes nothing and keeps the connections."""
        for wire in held:
            try:
                wire.finish()
            except Broken:
                wire.close()

    def _pour(self, wire: Wire, end: int) -> Answer | None:
        """Sends the bytes from the session's offset to ``end``; the answer, None when the connection was cut.

        A stop ends it early, but not before the place that a try before this one may have reached.
        """
        if wire.refused is not None:
            return wire.finish()
        position = self._session.offset
        self._body.seek(position)
        try:
            while position < end:
                if self._client.access.stopped() and self._session.offset < position >= self._furthest:
                    break
                piece = self._piece(end - position)
                try:
                    wire.send(piece)
                except Broken:
                    self._furthest = max(self._furthest, position + len(piece))
                    answer = wire.last_words()
                    if answer is not None and answer.status >= 300:
                        return answer
                    raise
                position = self._count(position, piece)
            self._furthest = max(self._furthest, position)
            self._reached = position
            return wire.finish()
        except Broken:
            wire.close()
            return None

    _furthest = _reached = 0

    def _piece(self, most: int) -> bytes:
        piece = self._body.read(min(PIECE_BYTES, most))
        if not piece:
            raise RegistryError("the layer is shorter than it was", "save the image again")
        return piece

    def _count(self, position: int, piece: bytes) -> int:
        self._sent += len(piece)
        self._moved(position + len(piece))
        return position + len(piece)

    def _send_openly(self, end: int) -> None:
        """A chunk to a registry that says what it has: with its range and length."""
        start = position = self._session.offset
        wire = self._wire("data")
        headers = self._headers()
        if not self._whole or start:
            headers["Content-Range"] = f"{start}-{end - 1}"
        answer: Answer | None
        try:
            wire.begin("PATCH", self._session.location, headers, end - start)
            self._body.seek(start)
            while position < end:
                self._check_stop()
                piece = self._piece(end - position)
                wire.send(piece)
                position = self._count(position, piece)
            answer = wire.finish()
        except Broken:
            answer = wire.last_words()
        if answer is None or (answer.status < 300 and position < end):
            self._recover("a chunk was cut in the middle")
        elif answer.status in _FINE:
            self._acknowledged(answer, end)
        elif answer.status in (400, 405, 411, 501) and not self._whole:
            self._whole = True
            self._restart("it takes a blob in one piece only")
        else:
            self._refused(answer)

    def _refused(self, answer: Answer) -> None:
        """RegistryError for what will not change; a pause, a new token or smaller chunks for what may."""
        status = answer.status
        self._failures += 1
        if self._failures < self._client.access.tries:
            if status == 401:
                self._client.renew(answer, push(self._repository))
                return
            if status in MOVED:
                self._session = replace(self._session, location=self._client.location(answer))
                return
            if status == 417:
                self._client.mute = True
                return
            if status == 413 and self._chunk_bytes > _SMALLEST_BYTES:
                self._chunk_bytes = self._most_bytes = max(_SMALLEST_BYTES, self._chunk_bytes // 4)
                self._told(
                    f"requests of that size are refused; goes on with {self._chunk_bytes:,} bytes each"
                )
                self._recover("a chunk was refused as too large")
                return
            if status in (408, 429, 499, 500, 502, 503, 504):
                self._client.pause(self._failures, f"it answers {status}", answer.headers.get("retry-after"))
                if status != 429:  # that one has not touched the upload
                    self._recover(f"it answered {status}")
                return
            if status in (404, 416):
                self._recover("it does not know the upload any more")
                return
        raise self._client.refusal(answer, f"push to {self._repository}")

    _failures = 0

    def _recover(self, why: str) -> None:
        """After a cut: where is the registry now? A new session when it has lost this one."""
        self._check_stop()
        if self._ask_status():
            self._moved(self._session.offset)
        else:
            self._restart(why)

    def _check_stop(self) -> None:
        if self._client.access.stopped():
            raise Interrupted


def _parted(location: str) -> tuple[str, str]:
    """An upload's place: the path that it shares with others, and its own name there."""
    beside, _, name = urlsplit(location).path.rpartition("/")
    return beside, name


def _end_of(answer: Answer) -> int | None:
    """How many bytes the Range header of an upload's answer counts; None without one. ``0-0`` is what most say of none."""
    found = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", answer.headers.get("range", "").strip())
    if found is None:
        return None
    last = int(found[1])
    return last + 1 if last else 0
