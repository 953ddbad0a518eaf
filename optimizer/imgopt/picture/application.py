"""What of an application is its own, and what are libraries, whether it lies in one archive or unpacked in a tree."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.files.opening import read_file
from imgopt.light.records import dataclass
from imgopt.picture.contents import in_library_directory
from imgopt.picture.picture import Picture, once

if TYPE_CHECKING:
    from imgopt.java.model import Jar

#: A larger application is in an archive; class files of more bytes hold data.
_MOST_CLASSES = 50_000
_MOST_CLASS_BYTES = 4 << 20


@dataclass(frozen=True)
class CarriedLibrary:
    """``file`` is its name, ``artifact`` that without the version; ``in_jar``: it lies inside of the application's archive."""

    file: str
    artifact: str
    in_jar: bool


def own_jars(picture: Picture) -> tuple[Jar, ...]:
    """The archives whose classes are the application's own: those that are started, and all that lie in no directory
    of libraries."""
    started = {artifact.jar.path for artifact in picture.artifacts if artifact.started and artifact.jar}
    return tuple(
        jar for jar in picture.application_jars if jar.path in started or not _is_library(picture, jar)
    )


def libraries(picture: Picture) -> Iterator[CarriedLibrary]:
    """Every library, of archives and of trees."""
    own = own_jars(picture)
    for jar in own:
        for library in jar.libraries:
            yield CarriedLibrary(library.file, library.artifact or _artifact(library.file), True)
    for jar in picture.application_jars:
        if jar not in own:
            name = posixpath.basename(jar.path)
            yield CarriedLibrary(name, _artifact(name), False)


@once
def own_references(picture: Picture) -> frozenset[str]:
    """Watched classes that the application's own classes refer to, in archives and as class files of a tree."""
    found: set[str] = set()
    for jar in own_jars(picture):
        found |= jar.references
    for path in _open_classes(picture):
        try:
            found |= _references(path)
        except OSError:
            continue  # it is not there any more; the build will say so
    return frozenset(found)


def _open_classes(picture: Picture) -> Iterator[Path]:
    number = 0
    for file in picture.final.content.files.values():
        if file.origin is None or not file.path.endswith(".class"):
            continue
        if "/org/springframework/boot/loader/" in file.path or (file.bytes or 0) > _MOST_CLASS_BYTES:
            continue
        number += 1
        if number > _MOST_CLASSES:
            return
        yield file.origin


def _references(path: Path) -> frozenset[str]:
    from imgopt.java.classfile import references

    return references(read_file(path, _MOST_CLASS_BYTES))


def _is_library(picture: Picture, jar: Jar) -> bool:
    path = Path(jar.path)
    root = picture.context.root if picture.context is not None else None
    inside = root is not None and path.is_relative_to(root)
    return in_library_directory(str(path.relative_to(root)) if inside and root is not None else path.name)


def _artifact(file: str) -> str:
    return re.split(r"-\d", file.removesuffix(".jar"), maxsplit=1)[0]
