"""Files that somebody else made, opened without waiting: a pipe has no writer, a terminal no end, a device no size.

Whatever reads such a file opens it here. Standard input is none of them: it is read where a command takes ``-``.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


#: Device and number of each file that this process has opened here.
_opened: set[tuple[int, int]] = set()


class NoRegularFile(OSError):
    """There is something at the path, but nothing that ends; ``strerror`` says what."""


def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """`open_raw` with a buffer."""
    return BufferedReader(open_raw(path))


def open_raw(path: str | os.PathLike[str]) -> FileIO:
    """Opens a regular file, or what a link to one leads to, for reading.

    `NoRegularFile`, an OSError, for pipes, devices and sockets, which are not waited for; IsADirectoryError and what
    else `open` raises; ValueError for a NUL in the name.
    """
    _check(Path(path).stat().st_mode, path)
    # what stands there may be another by now; a pipe opened so does not wait
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        _check(status.st_mode, path)
        _opened.add((status.st_dev, status.st_ino))
        return FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def was_opened(status: os.stat_result) -> bool:
    """Whether this process has read the file, by whatever name."""
    return (status.st_dev, status.st_ino) in _opened


def forget_opened() -> None:
    """A new command begins."""
    _opened.clear()


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The first ``most`` bytes of a regular file; what `open_file` raises."""
    with open_file(path) as file:
        return file.read(most)


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    raise NoRegularFile(errno.EINVAL, f"it is {kind}, not a regular file", os.fspath(Path(path)))
