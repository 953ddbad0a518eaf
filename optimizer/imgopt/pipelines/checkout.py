"""The files of the repository that commands name by patterns. Bounded: a hostile tree is not walked to its end."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from pathlib import Path
from typing import Literal

from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.pipelines.tools import HERE, ROOT

_MOST_FOUND = 200
_MOST_SEEN = 5_000  # entries of directories
_MOST_READ = 100_000  # bytes of a file that a CI file uses
_PATTERN = regex(r"[*?\[]")


def resolved(path: str, directory: str | None) -> str | None:
    """A path as commands write it, below the repository; None for what lies elsewhere on the agent."""
    if path.startswith(ROOT):
        return posixpath.normpath(path.removeprefix(ROOT).lstrip("/") or ".")
    if path.startswith(HERE):
        path = path.removeprefix(HERE).lstrip("/")
    for mounted in ("/workspace", "/github/workspace"):
        if path == mounted or path.startswith(mounted + "/"):
            return posixpath.normpath(path.removeprefix(mounted).lstrip("/") or ".")
    if path.startswith(("/", "~")) or directory is None:
        return None
    return posixpath.normpath(posixpath.join(directory, path or "."))


@dataclass
class Checkout:
    """What commands may ask of the repository below ``root``."""

    root: Path

    def kind(self, path: str, directory: str | None) -> Literal["file", "directory"] | None:
        return kind(self.root, path, directory)

    def matching(self, pattern: str, directory: str | None) -> list[str] | None:
        return matching(self.root, pattern, directory)

    def walked(self, top: str, directory: str | None, name: str, wanted: str | None) -> list[str] | None:
        return walked(self.root, top, directory, name, wanted)


def inside(root: Path, path: str) -> Path | None:
    """A file below the repository; None for what lies elsewhere or is none."""
    if path.startswith("..") or "\0" in path or len(path) > 1000:
        return None
    file = root / path
    try:
        if file.is_file() and file.resolve().is_relative_to(root.resolve()):
            return file
    except (OSError, RuntimeError, ValueError):
        pass
    return None


def content(root: Path, path: str) -> bytes | None:
    """The beginning of such a file, None also for one that cannot be read."""
    file = inside(root, path)
    try:
        return read_file(file, _MOST_READ) if file is not None else None
    except OSError:
        return None


def kind(root: Path, path: str, directory: str | None) -> Literal["file", "directory"] | None:
    """What lies there in the repository; None where nothing does, or where it cannot be told."""
    there = _inside(root, path, directory)
    try:
        if there is None or not there.resolve().is_relative_to(root.resolve()):
            return None
        return "directory" if there.is_dir() else "file" if there.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def matching(root: Path, pattern: str, directory: str | None) -> list[str] | None:
    """The files and directories that a pattern stands for, sorted and written as the shell writes them; None where there are
    none. ``**`` is ``*``, as in a shell that is not told otherwise."""
    if len(pattern) > 200 or pattern.count("*") > 10 or "\0" in pattern:
        return None
    only_directories = pattern.endswith("/")
    fixed, *rest = re.split(r"/(?=[^/]*[*?\[])", pattern.rstrip("/"), maxsplit=1)
    if _PATTERN.search(fixed):
        fixed, rest = "", [pattern.rstrip("/")]
    start = _inside(root, fixed or ".", directory)
    if start is None or not rest:
        return None
    seen = _MOST_SEEN
    found = [fixed]
    for part in rest[0].split("/"):
        wanted = re.compile(fnmatch.translate(part))
        deeper: list[str] = []
        for each in found:
            folder = _inside(root, each or ".", directory)
            for name in _names(folder) if folder is not None else ():
                seen -= 1
                if wanted.match(name) and (not name.startswith(".") or part.startswith(".")):
                    deeper.append(f"{each}/{name}" if each else name)
                if seen <= 0 or len(deeper) >= _MOST_FOUND:
                    break
        found = deeper
    kinds = [(each, kind(root, each, directory)) for each in found]
    chosen = [each for each, of in kinds if of == "directory" or (of == "file" and not only_directories)]
    return [f"{each}/" if only_directories else each for each in chosen] or None


def walked(root: Path, top: str, directory: str | None, name: str, wanted: str | None) -> list[str] | None:
    """``find top -name …``: sorted, as it prints them. ``wanted``: "f", "d" or None for both."""
    start = _inside(root, top, directory)
    if start is None or len(name) > 200 or name.count("*") > 10:
        return None
    fits = re.compile(fnmatch.translate(name))
    found: list[str] = []
    todo, seen = [top.rstrip("/") or "."], _MOST_SEEN
    while todo and seen > 0:
        each = todo.pop(0)
        folder = _inside(root, each, directory)
        for entry in _names(folder) if folder is not None else ():
            seen -= 1
            path = f"{each}/{entry}"
            of = kind(root, path, directory)
            if fits.match(entry) and of is not None and (wanted is None or of[0] == wanted):
                found.append(path)
            if of == "directory" and entry not in (".git", "node_modules"):
                todo.append(path)
            if len(found) >= _MOST_FOUND or seen <= 0:
                break
    return sorted(found)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(_MOST_SEEN), strict=False))
    except OSError:
        return []


def _inside(root: Path, path: str, directory: str | None) -> Path | None:
    found = resolved(path, directory)
    if found is None or found.startswith("..") or "\0" in found or len(found) > 1000:
        return None
    return root / found
