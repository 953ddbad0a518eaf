"""Uploads that were not finished, noted on disk so that the next run goes on where this one was cut.

One file for each registry, repository and blob, below ``$XDG_CACHE_HOME/imgopt/uploads``, readable by its owner only: an
upload's location lets whoever knows it write to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from imgopt.files.documents import parsed_json
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass
from imgopt.registry.errors import Interrupted, RegistryError
from imgopt.user_directories import cache, make_private

_LOCK_SECONDS = 60
#: Of one note: addresses are some hundred bytes long.
_MOST_BYTES = 1 << 20
#: Registries forget uploads after some days at the latest; files older than this are removed.
_OLDEST_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """``offset``: bytes that the registry has acknowledged."""

    registry: str
    repository: str
    digest: str
    size: int
    location: str
    offset: int


class Notes:
    """The note of one blob, held by one process at a time (`held`)."""

    def __init__(self, registry: str, repository: str, digest: str) -> None:
        self._what = (registry, repository, digest)
        key = hashlib.sha256("\n".join(self._what).encode()).hexdigest()[:40]
        self._file = directory() / f"{key}.json"

    def load(self) -> Session | None:
        """None when there is none, or it cannot be read, or it is of something else."""
        try:
            session = Session(**parsed_json(read_file(self._file, _MOST_BYTES)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        same = (session.registry, session.repository, session.digest) == self._what
        valid = isinstance(session.offset, int) and isinstance(session.location, str) and session.offset >= 0
        return session if same and valid else None

    def save(self, session: Session) -> None:
        """A note that cannot be written costs only the resumption."""
        beside = self._file.with_suffix(f".{os.getpid()}")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(session), file)
            beside.replace(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()

    def forget(self) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink()

    @contextlib.contextmanager
    def held(self, stopped: Callable[[], bool]) -> Iterator[bool]:
        """Waits while another run sends the same blob: the one that was killed ends its request first. Gives whether
        it had to.

        RegistryError when that takes longer than a minute.
        """
        try:
            import fcntl

            make_private(self._file.parent)
            _remove_old(self._file.parent)
            lock = self._lock()
        except (ImportError, OSError):  # no such locks, or nowhere to write: it works without resuming
            yield False
            return
        waited = False
        try:
            end = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if self._is_current(lock):
                        break
                    renewed = self._lock()
                    os.close(lock)
                    lock = renewed
                except BlockingIOError:
                    waited = True
                    if stopped():
                        raise Interrupted from None
                    if time.monotonic() > end:
                        raise RegistryError(
                            "another imgopt push sends the same layer to the same repository",
                            "wait until it has finished",
                        ) from None
                    time.sleep(0.1)
                except OSError:  # a file system without locks
                    break
            yield waited
            with contextlib.suppress(OSError):
                self._file.with_suffix(".lock").unlink()
        finally:
            os.close(lock)

    def _lock(self) -> int:
        return os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)

    def _is_current(self, lock: int) -> bool:
        """Whoever held it before has removed the file: then another run may lock a new one."""
        try:
            return os.path.samestat(os.fstat(lock), self._file.with_suffix(".lock").stat())
        except OSError:
            return False


def directory() -> Path:
    return cache("uploads")


def _remove_old(place: Path) -> None:
    now = time.time()
    for file in place.glob("*"):
        with contextlib.suppress(OSError):
            if now - file.stat().st_mtime > _OLDEST_SECONDS:
                file.unlink()
