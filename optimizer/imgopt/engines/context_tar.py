"""The build context as the classic builder's API takes it: one tar, without what .dockerignore leaves out."""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from imgopt.build_context.tree import Context, open_context, sent
from imgopt.dockerfile import MAX_BYTES
from imgopt.errors import ContextError
from imgopt.files.opening import open_file, read_file

_CHUNK_BYTES = 1 << 20
_BLOCK = 512


def context_tar(
    root: Path, dockerfile: Path, name_outside: str, *, below: str = ""
) -> tuple[str, Iterator[bytes]]:
    """The Dockerfile's name in the tar, and the tar in pieces; all lies in the directory `below`. A Dockerfile outside of the context, or one that its
    ignore file leaves out, comes along as `name_outside`, as Docker's command line does it.

    ContextError for what cannot be read, or changes while it is sent.
    """
    context = open_context(root, dockerfile)
    if context.ignore.file != ".dockerignore":  # of the Dockerfile's own ignore file only BuildKit knows
        context = open_context(root, Path())
    try:
        text = read_file(dockerfile, MAX_BYTES + 1)
    except OSError as error:
        raise ContextError(
            f"cannot be read: {error.strerror}", "check its name and permissions", path=str(dockerfile)
        ) from error
    inside = _inside(context, dockerfile)
    if inside is None:
        return name_outside, _tar(context, {name_outside: text}, below)
    return inside, _tar(context, {}, below)


def _inside(context: Context, dockerfile: Path) -> str | None:
    """The Dockerfile's path in the context; None when it is not sent with it."""
    try:
        name = dockerfile.resolve().relative_to(context.root.resolve()).as_posix()
    except ValueError:
        return None
    return None if context.ignore.state(name)[0] else name


def _tar(context: Context, extra: dict[str, bytes], below: str) -> Iterator[bytes]:
    prefix = f"{below}/" if below else ""
    for entry in sent(context):
        info = tarfile.TarInfo(prefix + entry.name)
        info.mode = stat.S_IMODE(entry.stat.st_mode)
        # whole seconds, and nobody's files: as Docker sends them
        info.mtime = int(entry.stat.st_mtime)
        if stat.S_ISDIR(entry.stat.st_mode):
            info.type = tarfile.DIRTYPE
            yield _header(info)
        elif stat.S_ISLNK(entry.stat.st_mode):
            info.type = tarfile.SYMTYPE
            info.linkname = str(entry.path.readlink())
            yield _header(info)
        else:
            yield from _file(info, entry.path, entry.stat.st_size)
    for name, data in extra.items():
        info = tarfile.TarInfo(prefix + name)
        info.size = len(data)
        yield _header(info) + data + b"\0" * (-len(data) % _BLOCK)
    yield b"\0" * 2 * _BLOCK


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _file(info: tarfile.TarInfo, path: Path, size: int) -> Iterator[bytes]:
    info.size = left = size
    yield _header(info)
    try:
        with open_file(path) as file:
            while left:
                chunk = file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise ContextError(
                        "became shorter while it was sent", "build when nothing writes there", path=str(path)
                    )
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise ContextError(
            f"cannot be read: {error.strerror}",
            "change its permissions or list it in .dockerignore",
            path=str(path),
        ) from error
    yield b"\0" * (-size % _BLOCK)
