"""What runs that were killed left in an engine: found by its owner's mark, removed by the next run.

Containers have a label, images a name. The images of a build's steps have neither, and an image's content is not ours to
change: they are written down, in a file of which a process holds the lock for as long as it lives.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from imgopt.engines.opened import DIARY, abandoned, removed, work_directory
from imgopt.engines.owners import LABEL, asking, is_gone, owner_of_label, owner_of_reference
from imgopt.light.records import dataclass

_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Left:
    """What a killed process had written down. ``images`` in the order they were made; ``containers``: those that were
    there when its build began, at ``begun``; ``last``: when it was heard of last (seconds since 1970)."""

    directory: Path
    images: tuple[str, ...]
    containers: frozenset[str] = frozenset()
    begun: float = 0.0
    last: float = 0.0


class Diary:
    """What a process makes in an engine, as it makes it. ``engine``: an ID that the engine keeps."""

    def __init__(self, engine: str) -> None:
        self._closing = contextlib.ExitStack()
        self._file: IO[str] | None = None
        with contextlib.suppress(OSError):  # a full disk stops no build
            directory = self._closing.enter_context(work_directory("imgopt-made-"))
            self._file = self._closing.enter_context((directory / DIARY).open("a", encoding="utf-8"))
        self.write(engine=engine)

    def write(self, **what: object) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.write(json.dumps(what) + "\n")
                self._file.flush()

    def still_here(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                os.utime(self._file.fileno())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._closing.close()


class Made(list[str]):
    """IDs of images in the order they were made, each written down as it comes."""

    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self._diary = diary

    def append(self, identifier: str) -> None:
        self._diary.write(image=identifier)
        super().append(identifier)


@contextlib.contextmanager
def left_in(engine: str) -> Iterator[list[Left]]:
    """What killed processes had written down of this engine. Nobody else reads it meanwhile, and it goes afterwards."""
    with contextlib.ExitStack() as locks:
        found = []
        for directory in locks.enter_context(abandoned(with_diary=True)):
            if (left := _read(directory, engine)) is not None:
                found.append(left)
        yield found
        for left in found:
            removed.directory(left.directory)


def _read(directory: Path, engine: str) -> Left | None:
    images: list[str] = []
    containers: set[str] = set()
    begun = 0.0
    try:
        path = directory / DIARY
        last = path.stat().st_mtime
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).splitlines()
        if json.loads(lines[0]) != {"engine": engine}:
            return None
        for line in lines[1:]:
            said = json.loads(line)
            if "image" in said:
                images.append(str(said["image"]))
            else:
                containers = set(map(str, said["containers"]))
                begun = float(said["begun"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        if not images:
            return None
    return Left(directory, tuple(images), frozenset(containers), begun, last)


def sweep(client: Any, engine: str | None = None) -> None:
    """By the API of Docker, or Podman's. ``engine``: its ID, where images of steps shall be removed as well. Never raises:
    what an engine does not let go stays."""
    with contextlib.suppress(Exception):
        _containers(client)
    with contextlib.suppress(Exception):
        _images(client)
    if engine is not None:
        with contextlib.suppress(Exception), left_in(engine) as found:
            for left in found:
                _steps(client, left)


def _containers(client: Any) -> None:
    for entry in client.api.containers(all=True, filters={"label": LABEL}):
        owner = owner_of_label(str((entry.get("Labels") or {}).get(LABEL, "")))
        if owner is not None and is_gone(owner, asking(client)):
            with contextlib.suppress(Exception):
                client.api.remove_container(entry["Id"], force=True, v=True)
                removed.add("container")


def _images(client: Any) -> None:
    for entry in client.api.images():
        for reference in entry.get("RepoTags") or ():
            owner = owner_of_reference(reference)
            if owner is not None and is_gone(owner, asking(client)):
                with contextlib.suppress(Exception):
                    client.api.remove_image(reference, force=True, noprune=True)
                    removed.add("image")


def _steps(client: Any, left: Left) -> None:
    """Images of steps that nobody named or built upon, and the one that an engine may have made of the last of them
    after its client was gone."""
    whole: list[str] = []
    for identifier in left.images:
        with contextlib.suppress(Exception):
            whole.append(str(client.api.inspect_image(identifier)["Id"]))
    last = _child_of(client, whole[-1]) if whole else None
    for identifier in reversed([*whole, *([last] if last else [])]):
        with contextlib.suppress(Exception):
            if not client.api.inspect_image(identifier).get("RepoTags"):
                client.api.remove_image(identifier, noprune=True)
                removed.add("image")


def _child_of(client: Any, parent: str) -> str | None:
    for identifier in client.api.images(all=True, quiet=True):
        with contextlib.suppress(Exception):
            if client.api.inspect_image(identifier).get("Parent") in (parent, parent.removeprefix("sha256:")):
                return str(identifier)
    return None
