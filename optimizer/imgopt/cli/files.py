"""Writing a file so that it is always either the old or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from imgopt.errors import InputError
from imgopt.text.quoting import typed_path


def write_file(path: str, data: bytes, *, expected: bytes | None = None) -> None:
    """Replaces or makes ``path``; a link is followed and stays a link; mode and owner stay.

    With ``expected`` the file must still hold those bytes. InputError when it does not, or when the
    file or its directory cannot be written; then nothing has changed.
    """
    try:
        old = _status(Path(path))
        if old is not None and not stat.S_ISREG(old.st_mode):
            _write_through(Path(path), old, data)
            return
        target = Path(os.path.realpath(path))
        _check_writable(target, old, path)
        _replace(target, old, data, expected, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"it cannot be written: {reason}; nothing was changed", "check the directory", path=path
        ) from error


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
    target: Path, old: os.stat_result | None, data: bytes, expected: bytes | None, path: str
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
        if expected is not None:
            _check_unchanged(target, expected, path)
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_directory(target.parent)


def _check_unchanged(target: Path, expected: bytes, path: str) -> None:
    try:
        with target.open("rb") as file:
            same = file.read(len(expected) + 1) == expected
    except FileNotFoundError:
        same = False
    if not same:
        raise InputError(
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
