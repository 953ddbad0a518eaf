"""From what stands on the command line to Dockerfiles: a file is one, a directory is searched."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgopt.errors import InputError
from imgopt.pipelines.kinds import worth_a_look

_SKIPPED = frozenset({".git", "node_modules", "target", "build"})


def is_dockerfile_name(name: str) -> bool:
    """``Dockerfile``, ``Dockerfile.*`` or ``*.Dockerfile`` in any case; never a ``.dockerignore`` file."""
    name = name.lower()
    if name.endswith(".dockerignore"):
        return False
    return name == "dockerfile" or name.startswith("dockerfile.") or name.endswith(".dockerfile")


def discover(paths: Sequence[Path], *, pipelines: bool = False) -> tuple[Path, ...]:
    """The Dockerfiles that `paths` name: a file as it is, whatever it is called, a directory by its contents.
    With `pipelines` also a directory's files that may be CI files by their names: what they are, their content tells.

    Directories called ``.git``, ``node_modules``, ``target`` or ``build`` are skipped below a given one, and
    directories that may not be read are passed over. Links to directories are not followed; a link to a file is
    taken when it stays in the searched directory and its target is not found there by itself. Sorted, each once.

    Raises InputError for a path that does not exist or a given directory that cannot be read; ``-`` is for the
    caller.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            is_directory = path.is_dir()
            exists = is_directory or path.exists()
            if is_directory:
                os.scandir(path).close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot be read: {reason}", "check the path", path=str(path)) from error
        if not exists:
            raise InputError("no such file or directory", "check the path", path=str(path))
        for dockerfile in _search(path, pipelines) if is_directory else (path,):
            found.setdefault(dockerfile)
    return tuple(sorted(found, key=lambda path: path.parts))


def _search(top: Path, pipelines: bool) -> Iterator[Path]:
    files: set[str] = set()
    links: list[Path] = []
    todo = [str(top)]
    while todo:
        directory = todo.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _SKIPPED:
                            todo.append(entry.path)
                    elif is_dockerfile_name(entry.name) or (pipelines and worth_a_look(Path(entry.path))):
                        if entry.is_symlink():
                            links.append(Path(entry.path))
                        elif entry.is_file():
                            files.add(str(Path(entry.path)))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR):
                continue
            raise InputError(
                f"cannot be searched: {error.strerror}", "name the Dockerfiles one by one", path=directory
            ) from error
    yield from map(Path, files)
    inside = top.resolve()
    reached = {Path(file).resolve() for file in files} if links else set()
    for link in sorted(links):
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # leads nowhere or in a circle
            continue
        if target.is_file() and target.is_relative_to(inside) and target not in reached:
            reached.add(target)
            yield link
