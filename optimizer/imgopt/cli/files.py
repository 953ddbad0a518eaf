"""Writing a file so that it is always either the old or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from imgopt.errors import InputError
from imgopt.files.opening import was_opened
from imgopt.text.quoting import typed_path


class Changed(InputError):
    """The file holds other bytes than it did, or is there, or is gone."""


class _Absent:
    """What is expected of a file that is not there."""


ABSENT = _Absent()

#: Each try that is lost was won by another process.
_TRIES = 1000


def write_file(path: str, data: bytes, *, expected: bytes | _Absent | None = None) -> None:
    """Replaces or makes ``path``; a link is followed and stays a link; mode and owner stay. A hard link does not, which
    is said.

    Without ``expected`` it must be none of the files that were read, unless ``--force`` is given. With it the file must still hold those bytes, or not be there (`ABSENT`); of several imgopts one writes.
    `Changed` when it does not, InputError when the file or its directory cannot be written; then nothing has changed.
    """
    try:
        old = _status(Path(path))
        if old is not None and not stat.S_ISREG(old.st_mode):
            _write_through(Path(path), old, data)
            return
        target = Path(os.path.realpath(path))
        _check_writable(target, old, path)
        if expected is None and old is not None and was_opened(old) and not _forced():
            raise InputError(
                "it is one of the files that were read; nothing was changed",
                "give another file, or --force to write over it",
                path=path,
            )
        _replace(target, old, data, expected, path)
        if old is not None and old.st_nlink > 1:
            from imgopt.report.terminal import note

            others = "another name" if old.st_nlink == 2 else f"{old.st_nlink - 1} other names"
            note(f"warning: {path} had {others} (hard links), where the old content stays")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"it cannot be written: {reason}; nothing was changed", "check the directory", path=path
        ) from error


def _forced() -> bool:
    from imgopt.cli.arguments import forced

    return forced()


def update_file(path: str, read: Callable[[], bytes | None], made: Callable[[bytes | None], bytes]) -> None:
    """Replaces what ``read`` gives (None: no file) by what ``made`` makes of it. Where another process has written
    meanwhile it begins again with what that wrote, so that nothing of it is lost. InputError as of `write_file`."""
    for last in [*[False] * (_TRIES - 1), True]:
        old = read()
        new = made(old)
        if new == old:
            return
        try:
            write_file(path, new, expected=ABSENT if old is None else old)
            return
        except Changed:
            if last:
                raise


def check_file(path: str) -> None:
    """InputError when `write_file` could not write there: asked before work that takes minutes."""
    target = Path(os.path.realpath(path))
    try:
        old = _status(target)
        if old is None or stat.S_ISREG(old.st_mode):
            _check_writable(target, old, path)
    except OSError as error:
        raise InputError(f"it cannot be written: {error.strerror or error}", path=path) from error


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _check_writable(target: Path, old: os.stat_result | None, path: str) -> None:
    # renaming over a file needs no right to write it, but whoever took that right away meant it
    if old is not None and (not old.st_mode & 0o222 or not _may(target, os.W_OK)):
        raise InputError("it is read-only; nothing was changed", f"chmod u+w {typed_path(path)}", path=path)
    if not target.parent.is_dir():
        raise InputError("its directory does not exist", "make it first", path=path)
    if not _may(target.parent, os.W_OK | os.X_OK):
        raise InputError(
            "its directory is read-only; nothing was changed",
            f"chmod u+w {typed_path(str(target.parent))}",
            path=path,
        )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _replace(
    target: Path, old: os.stat_result | None, data: bytes, expected: bytes | _Absent | None, path: str
) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".imgopt-", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if hasattr(os, "fchown") and old is not None:
                with contextlib.suppress(OSError):  # only root may give a file away
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            beside.chmod(stat.S_IMODE(old.st_mode) if old is not None else 0o666 & ~_umask())
            os.fsync(file.fileno())
        if expected is None:
            beside.replace(target)
        else:
            with _alone_in(target.parent):
                _check_unchanged(target, expected, path)
                beside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_directory(target.parent)


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Between the look and the write no other imgopt writes; not every system has such locks."""
    descriptor = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(directory, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _check_unchanged(target: Path, expected: bytes | _Absent, path: str) -> None:
    try:
        with target.open("rb") as file:
            same = not isinstance(expected, _Absent) and file.read(len(expected) + 1) == expected
    except FileNotFoundError:
        same = isinstance(expected, _Absent)
    if not same:
        raise Changed(
            "it changed while imgopt was reading it; nothing was written", "run imgopt again", path=path
        )


def _write_through(path: Path, old: os.stat_result, data: bytes) -> None:
    """A pipe or a device such as /dev/stdout cannot be replaced, only written."""
    if stat.S_ISDIR(old.st_mode):
        raise InputError("it is a directory", "give a file", path=str(path))
    with path.open("wb") as file:
        file.write(data)


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _sync_directory(directory: Path) -> None:
    """Makes the rename last; not every file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
