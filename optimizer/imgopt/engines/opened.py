"""Images that engines write into files of their own, and what becomes of those files."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from imgopt.engines.engine import BuiltImage, EngineError
from imgopt.errors import ImgoptError
from imgopt.images import Image, OpenImage
from imgopt.sources import open_image

_LOCK = ".lock"
#: In a work directory: what its process makes in an engine.
DIARY = "diary"


class Opened:
    """An image in a file or directory; with `temporary` it goes when the image is closed."""

    def __init__(self, path: Path, temporary: bool = False) -> None:
        """InputError, MeasureError as of `open_image`."""
        self.path = path
        self.closed = False
        self._stack = contextlib.ExitStack()
        if temporary:
            self._stack.callback(remove, path)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._stack.close)
            self._opened: OpenImage = self._stack.enter_context(open_image(str(path)))
            on_failure.pop_all()

    @property
    def image(self) -> Image:
        return self._opened.image

    def open_blob(self, index: int) -> BinaryIO:
        return self._opened.open_blob(index)

    def open_tar(self, index: int) -> BinaryIO:
        return self._opened.open_tar(index)

    def close(self) -> None:
        self.closed = True
        self._stack.close()


def temporary() -> Path | None:
    """Where large files go for a while: TMPDIR, else /var/tmp, because /tmp may be small. None: Python's default."""
    default = Path("/var/tmp")
    return None if os.environ.get("TMPDIR") or not os.access(default, os.W_OK) else default


class Removed:
    """What was found of runs that were killed, and removed; told once."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()

    def add(self, what: str) -> None:
        self._numbers[what] += 1

    def directory(self, path: Path) -> None:
        remove(path)
        self.add("directory")

    def said(self) -> str | None:
        """A sentence, once; None when nothing was."""
        plurals = {"directory": "directories"}
        parts = [
            f"{n} {what if n == 1 else plurals.get(what, what + 's')}" for what, n in self._numbers.items()
        ]
        self._numbers.clear()
        return f"removed what a run that was killed had left: {', '.join(parts)}" if parts else None


removed = Removed()


@contextlib.contextmanager
def work_directory(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A directory that goes with the context. Those that killed processes left are removed first: as long as a process
    lives it holds a lock in its own, which other containers on the same disk see, too. ``prefix``: begins with imgopt-."""
    with abandoned() as found:
        for left in found:
            removed.directory(left)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent or _parent()))
    try:
        with (directory / f"{_LOCK}-new").open("wb") as lock:
            _locked(lock)
            (directory / f"{_LOCK}-new").rename(directory / _LOCK)  # nobody sees it without its lock
            yield directory
    finally:
        remove(directory)


def _parent() -> Path:
    return temporary() or Path(tempfile.gettempdir())


@contextlib.contextmanager
def abandoned(*, with_diary: bool = False) -> Iterator[list[Path]]:
    """Directories of this user's processes that are no more, locked for as long as the context lasts. Those with a
    diary, of what lies in an engine, are for whoever opens that engine."""
    found: list[Path] = []
    with contextlib.ExitStack() as stack:
        for parent in {_parent(), Path(tempfile.gettempdir())}:
            for directory in sorted(parent.glob("imgopt-*")):
                with contextlib.suppress(OSError):
                    state = directory.lstat()
                    if not stat.S_ISDIR(state.st_mode) or state.st_uid != _user():
                        continue
                    if (directory / DIARY).exists() is not with_diary:
                        continue
                    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
                    lock = stack.enter_context(os.fdopen(os.open(directory / _LOCK, flags), "rb+"))
                    if _locked(lock):
                        found.append(directory)
        yield found


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _locked(file: IO[bytes]) -> bool:
    """Locks a file, unless another process has done so."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def remove(path: Path) -> None:
    """A file or a directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


class BuiltFiles:
    """The images that an engine wrote into files, one for each tag, in a directory that ends with the engine."""

    def __init__(self, prefix: str) -> None:
        self._stack = contextlib.ExitStack()
        self.directory = self._stack.enter_context(work_directory(prefix))
        self._number = 0
        self._paths: dict[str, Path] = {}
        self._opened: list[Opened] = []

    def new(self) -> Path:
        """Where the next image may be written: a path at which nothing is yet."""
        self._number += 1
        return self.directory / f"image-{self._number}"

    def keep(self, tag: str, path: Path, seconds: float) -> BuiltImage:
        """What was written at `path` is the image with this tag now; the one before it goes. EngineError."""
        try:
            with open_image(str(path)) as image:
                identifier = image.image.id
        except ImgoptError as error:
            remove(path)
            raise EngineError(
                f"the image that was built cannot be read: {error.message}", "try again"
            ) from error
        old = self._paths.get(tag)
        if old is not None and all(opened.closed or opened.path != old for opened in self._opened):
            remove(old)
        self._paths[tag] = path
        return BuiltImage(str(path), identifier, seconds)

    def open(self, built: BuiltImage) -> Opened:
        opened = Opened(Path(built.reference))
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        for opened in self._opened:
            opened.close()
        self._opened.clear()
        self._stack.close()
