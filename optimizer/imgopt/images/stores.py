"""Where an image's files lie: a directory, or a tar that is read in place and never unpacked.

A tar's names are only keys of a table: ``..``, absolute names and links lead nowhere outside of it.
"""

from __future__ import annotations

import contextlib
import posixpath
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from imgopt.errors import InputError
from imgopt.files.meant import IMAGE, meant
from imgopt.files.opening import open_file
from imgopt.files.tar import BLOCK, Entry, TarStream
from imgopt.images.streams import Extent, PartOfFile

#: No engine saves an image with more files than this; a hostile archive shall not fill the memory.
MOST_ENTRIES = 200_000
_MOST_LINKS = 8
#: More than any file system gives to a file: where an entry ends within the archive is asked of each.
_MOST_BYTES = 1 << 62
#: They say what an archive holds.
_DOCUMENTS = ("index.json", "manifest.json")


class Store(Protocol):
    """``name`` is what errors call it."""

    name: str

    def find(self, path: str) -> Extent | None:
        """The file at a path with slashes, or None."""
        ...

    def close(self) -> None: ...


class Directory:
    """An OCI layout on disk. Files are opened when they are asked for and closed with the store."""

    def __init__(self, directory: Path) -> None:
        self.name = str(directory)
        self._directory = directory
        self._open = contextlib.ExitStack()

    def find(self, path: str) -> Extent | None:
        place = self._directory / path
        try:
            file = self._open.enter_context(open_file(place))
            size = file.seek(0, 2)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"it cannot be read: {error.strerror or error}", path=str(place)) from error
        return PartOfFile(file, threading.Lock(), 0, size, str(place))

    def close(self) -> None:
        self._open.close()


class Tar:
    """A tar of which only the headers were read; ``file`` is closed with the store."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self._file, self._lock = file, threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        length = file.seek(0, 2)
        file.seek(0)
        for member, offset in self._members(length):
            path = _normal(member.path)
            if path in _DOCUMENTS and (path in self._places or path in self._links):
                raise InputError(
                    f"{path} is in it twice, and engines differ in which one they read",
                    "save the image again",
                    path=name,
                )
            if member.kind == "file" and not member.sparse:
                if offset + member.stored_bytes > length:
                    raise InputError(
                        f"the archive ends within {path[:80]!r}", "save the image again", path=name
                    )
                self._places[path] = (offset, member.stored_bytes)
                self._links.pop(path, None)
            elif member.kind in ("symlink", "link"):
                base = posixpath.dirname(path) if member.kind == "symlink" else ""
                self._links[path] = _normal(posixpath.join(base, member.target))
                self._places.pop(path, None)

    def _members(self, length: int) -> Iterator[tuple[Entry, int]]:
        """What the tar holds, and where the bytes of each begin."""
        if length == 0:
            raise self._no_tar("it is empty")
        stream = TarStream(
            self._file, self.name, most_bytes=_MOST_BYTES, most_entries=MOST_ENTRIES, length=length
        )
        try:
            for entry in stream:
                yield entry, stream.position
        except InputError as error:
            if stream.position > BLOCK:
                raise
            raise self._no_tar(error.message) from error
        except OSError as error:
            raise InputError(f"it cannot be read: {error.strerror or error}", path=self.name) from error

    def _no_tar(self, why: str) -> InputError:
        try:
            self._file.seek(0)
            other = meant(self._file.read(4096))
            other = None if other == IMAGE else other
        except OSError:
            other = None
        return InputError(
            f"not a readable tar ({why})",
            other or "give what docker save or an OCI export wrote",
            path=self.name,
        )

    def find(self, path: str) -> Extent | None:
        path = _normal(path)
        for _ in range(_MOST_LINKS):
            if path in self._places:
                offset, size = self._places[path]
                return PartOfFile(self._file, self._lock, offset, size, f"{self.name} ({path})")
            if path not in self._links:
                return None
            path = self._links[path]
        return None

    def close(self) -> None:
        self._file.close()


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")
