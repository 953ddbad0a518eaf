"""Several images of one call: one connection to each registry, and one failure stops no other.

The images are asked for at the same time and named at the same time, but compressed and sent in the call's order, one after
the other: a link is no faster when it is shared, and what several images have is sent with the first of them and mounted for
the others. Run again after a cut, the same image is the first, and goes on where it was.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from threading import Event, Lock

from imgopt.errors import ImgoptError, unforeseen
from imgopt.images.model import OpenImage
from imgopt.light.records import dataclass, replace
from imgopt.registry.client import Access, Client
from imgopt.registry.credentials import Credentials, credentials_for
from imgopt.registry.errors import Interrupted
from imgopt.registry.push import Progress, PushOptions, Silent, meant_for, push_image, told_by
from imgopt.registry.result import Outcome, PushedAll
from imgopt.registry.siblings import Shared
from imgopt.registry.target import Target, parse_target

#: Images that are looked at in advance.
_MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Order:
    """An image that is still to be opened (``source`` names it), and where it goes (``REGISTRY/REPO[:TAG]``). ``spools``:
    opening it takes room on the disk, so it waits for its turn."""

    source: str
    target: str
    open: Callable[[], AbstractContextManager[OpenImage]]
    spools: bool = False


class Connections:
    """Registries, each connected to once for each login: Podman's configuration may have one for each repository."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._asked: dict[str, Credentials | None] = {}
        self._open: dict[tuple[str, Credentials | None], Shared | ImgoptError] = {}
        self._lock = Lock()

    def shared(self, target: Target) -> Shared:
        """Raises for each image again what the first was told: a registry that is not reached is not waited for twice."""
        with self._lock:
            known = credentials_for(target, self._asked)
            found = self._open.get((target.host, known))
            if found is None:
                client = Client(target, self._access, lambda _: known)
                try:
                    client.connect()
                    found = Shared(client)
                except ImgoptError as error:
                    client.close()
                    found = error
                self._open[target.host, known] = found
        if isinstance(found, ImgoptError):
            raise _again(found)
        return found

    def close(self) -> None:
        for each in self._open.values():
            if isinstance(each, Shared):
                each.client.close()


def push_all(
    orders: Sequence[Order], options: PushOptions | None = None, progress: Progress | None = None
) -> PushedAll:
    """Brings each image to its target.

    What goes wrong with one is told in its `Outcome`. Raises InputError for targets and options that cannot be meant, before
    anything is asked, and Interrupted when it was stopped; what was sent stays noted.
    """
    from concurrent.futures import ThreadPoolExecutor

    options, progress = options or PushOptions(), progress or Silent()
    begin = time.monotonic()
    targets = [parse_target(each.target, default_tag="latest") for each in orders]
    registries = {each.name for each in targets}
    whole, turns = _Whole(progress, len(orders)), _Turns(len(orders), options.access.stopped)
    connections = Connections(told_by(progress, options.access))
    options = replace(options, siblings=(*(each.target for each in orders), *options.siblings))
    for_each = [meant_for(each, options, registries) for each in targets]

    def push(number: int) -> Outcome:
        order, turn = orders[number], turns.turn(number)
        try:
            with ExitStack() as opened:
                if order.spools:
                    turn.wait()
                whole.of(number).doing(f"reading {order.source}")
                image = opened.enter_context(order.open())
                shared = connections.shared(targets[number])
                result = push_image(
                    image, order.target, for_each[number], whole.of(number), shared=shared, turn=turn.taken()
                )
            whole.ended(number)
            return Outcome(order.source, order.target, replace(result, source=order.source))
        except ImgoptError as error:
            whole.ended(number, failed=True)
            return Outcome(order.source, order.target, error=_named(error, order))
        except Exception as error:  # a bug, which is no reason not to say what became of the others
            import traceback

            whole.ended(number, failed=True)
            bug = unforeseen(error)
            bug.trace = traceback.format_exc()
            return Outcome(order.source, order.target, error=_named(bug, order))
        finally:
            turn.pass_on()

    pool = ThreadPoolExecutor(max(1, min(_MOST_AT_ONCE, len(orders))))
    try:
        outcomes = tuple(pool.map(push, range(len(orders))))
    except KeyboardInterrupt as stop:
        # who is in the middle of a chunk ends it, unless it was said twice
        pool.shutdown(wait=isinstance(stop, Interrupted), cancel_futures=True)
        progress.told(
            f"{whole.done} of {len(orders)} images are in the registry; run it again for the others"
        )
        raise
    finally:
        connections.close()
    pool.shutdown()
    return PushedAll(outcomes, time.monotonic() - begin)


def _again(error: ImgoptError) -> ImgoptError:
    """The same error, to be told of another image."""
    import copy

    return copy.copy(error)


def _named(error: ImgoptError, order: Order) -> ImgoptError:
    """The error with the image that it is about."""
    error.message = f"not pushed to {order.target}: {error.message}"
    error.path = error.path or order.source
    return error


class _Turns:
    """Who goes before whom: each after the one before it has passed on."""

    def __init__(self, count: int, stopped: Callable[[], bool]) -> None:
        self._passed, self._stopped = [Event() for _ in range(count)], stopped

    def turn(self, number: int) -> _Turn:
        return _Turn(self._passed[number - 1] if number else None, self._passed[number], self._stopped)


class _Turn:
    def __init__(self, before: Event | None, own: Event, stopped: Callable[[], bool]) -> None:
        self._before, self._own, self._stopped = before, own, stopped

    def wait(self) -> None:
        """Interrupted when it was stopped meanwhile."""
        while self._before is not None and not self._before.wait(0.2):
            if self._stopped():
                raise Interrupted

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        self.wait()
        try:
            yield
        finally:
            self._own.set()

    def pass_on(self) -> None:
        """Also of a turn that was not taken: it is still after the one before it."""
        with contextlib.suppress(Interrupted):
            self.wait()
        self._own.set()


class _Whole:
    """One progress for all images: how many are done, and the bytes of all that are known by now. A blob that several
    images have counts once, as it is sent, until it has to be sent again."""

    def __init__(self, progress: Progress, count: int) -> None:
        self.progress, self._count = progress, count
        self._expected: list[Mapping[str, int]] = [{} for _ in range(count)]
        self._sent: dict[tuple[int, str], int] = {}
        self._ended: dict[int, bool] = {}
        self._lock = Lock()

    @property
    def done(self) -> int:
        """Images that are in the registry."""
        with self._lock:
            return sum(self._ended.values())

    def of(self, number: int) -> _Part:
        return _Part(self, number)

    def ended(self, number: int, *, failed: bool = False) -> None:
        with self._lock:
            self._ended[number] = not failed
        if failed:  # what it would have sent
            self.expects(number, {})
        self.doing("")

    def doing(self, text: str) -> None:
        self.progress.doing(f"{self.done} of {self._count} images pushed{': ' if text else ''}{text}")

    def expects(self, number: int, blobs: Mapping[str, int]) -> None:
        with self._lock:
            self._expected[number] = blobs
        self._tell()

    def sends(self, number: int, digest: str, size: int) -> None:
        with self._lock:
            self._sent[number, digest] = size
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            sent = {digest for _, digest in self._sent}
            waiting = {
                digest: size
                for blobs in self._expected
                for digest, size in blobs.items()
                if digest not in sent
            }
            every = {f"{number} {digest}": size for (number, digest), size in self._sent.items()}
        self.progress.expects({**waiting, **every})


@dataclass(frozen=True, slots=True)
class _Part:
    """One image's progress, as a part of the whole."""

    whole: _Whole
    number: int

    def doing(self, text: str) -> None:
        self.whole.doing(text)

    def expects(self, blobs: Mapping[str, int]) -> None:
        self.whole.expects(self.number, blobs)

    def sends(self, digest: str, size: int) -> None:
        self.whole.sends(self.number, digest, size)

    def moved(self, blob: str, offset: int) -> None:
        self.whole.progress.moved(blob, offset)

    def told(self, text: str) -> None:
        self.whole.progress.told(text)
