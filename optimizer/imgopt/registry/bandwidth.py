"""How fast bytes go to a registry: into an upload that is cancelled at once, as an image's bytes would go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from imgopt.errors import UsageError
from imgopt.registry.client import Access, connected, push
from imgopt.registry.errors import Interrupted, RegistryError, reason
from imgopt.registry.result import Bandwidth
from imgopt.registry.target import parse_target
from imgopt.registry.wire import PIECE_BYTES, Broken, Wire

#: Enough on a slow link (8 s at 0.5 MB/s), and too little on a fast one, which goes on for `_LEAST_SECONDS`.
DEFAULT_BYTES = 4_000_000
_LEAST_SECONDS, _MOST_BYTES = 2.0, 64_000_000
#: A link that is slower than the default takes is measured with less.
_MOST_SECONDS = 30.0
#: What the buffers of the kernels on both sides may hold at first.
_FILLING_BYTES = 800_000
_WRITING_SECONDS = 1.0


def measure_bandwidth(
    reference: str,
    access: Access | None = None,
    *,
    size: int | None = None,
    moved: Callable[[int], None] = lambda count: None,
) -> Bandwidth:
    """Sends random bytes, which nothing on the way can compress. ``size``: exactly so many.

    RegistryError when the registry refuses or the connection is cut; the upload is cancelled whatever happens.
    """
    target = parse_target(reference)
    if target.tag is not None:
        raise UsageError(f"{reference} names a tag", "give REGISTRY/REPO: nothing is stored there")
    with connected(target, access) as client:
        location = client.start_upload(target.repository)
        wire = Wire(location, client.context_for(location), client.access.answer_s)
        try:
            begin = time.monotonic()
            client.blob_size(target.repository, "sha256:" + "0" * 64)
            round_trip = time.monotonic() - begin
            scopes = push(target.repository)
            headers = {"Content-Type": "application/octet-stream", **client.authorization(location, scopes)}
            try:
                wire.begin("PATCH", location, headers, None)
                begin = time.monotonic()
                sent, mark = 0, (0, begin)
                while not _enough(sent, time.monotonic() - begin, size) and not client.access.stopped():
                    count = PIECE_BYTES if size is None else min(PIECE_BYTES, size - sent)
                    wire.send(os.urandom(count))
                    sent += count
                    moved(sent)
                    if not mark[0] and sent >= _FILLING_BYTES:
                        mark = (sent, time.monotonic())
                last = time.monotonic()
                answer = wire.finish()
                timed = _timed(begin, mark, (sent, last), time.monotonic() - round_trip)
            except Broken as error:
                refusal = wire.last_words()
                if refusal is not None and refusal.status >= 400:
                    raise client.refusal(refusal, f"push to {target.repository}") from None
                raise RegistryError(
                    f"the connection to {target.name} was cut: {reason(error)}", "try again"
                ) from None
            if answer.status not in (200, 201, 202, 204):
                raise client.refusal(answer, f"push to {target.repository}")
            location = client.location(answer)
        finally:
            wire.close()
            cancelled = client.cancel_upload(target.repository, location)
        if client.access.stopped():
            raise Interrupted
    return Bandwidth(str(target), sent, *timed, round_trip, cancelled)


def _timed(
    begin: float, mark: tuple[int, float], last: tuple[int, float], answered: float
) -> tuple[int, float]:
    """Bytes, and the seconds that they took: from when the buffers on the way were full until the last byte was taken.

    The registry then writes to its disk before it answers, which is no matter of the link. But when the answer takes
    long, something on the way had taken the bytes without passing them on: then all of it counts.
    """
    tail = answered - last[1]
    if tail <= _WRITING_SECONDS and last[0] > 2 * mark[0]:
        return last[0] - mark[0], max(1e-4, last[1] - mark[1])
    return last[0], max(1e-4, answered - begin)


def _enough(sent: int, seconds: float, size: int | None) -> bool:
    if size is not None:
        return sent >= size
    if sent >= _MOST_BYTES or (seconds >= _MOST_SECONDS and sent >= 1_000_000):
        return True
    return sent >= DEFAULT_BYTES and seconds >= _LEAST_SECONDS
