"""The jars of the project's own modules in a layer that the file copies already: Spring Boot puts them beside the classes,
so that each release sends them all. In a tree of their own they keep their digest, at the paths that they have.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from imgopt.dockerfile import Edit, Instruction, writing
from imgopt.light.records import dataclass
from imgopt.picture import Picture, StagePicture
from imgopt.picture.contents import File
from imgopt.plans.layers.layering import SMALLEST_MODULES, Modules, at, word_in
from imgopt.text.quoting import with_variables


@dataclass(frozen=True)
class OwnModules:
    """``directories`` hold nothing else, as paths seen from the directory that is copied. ``bytes``: compressed."""

    directories: tuple[str, ...]
    count: int
    bytes: int


def keeps_times(stage: StagePicture, source: str) -> bool | None:
    """Whether a directory holds files that each release changes, or snapshots with files for browsers, which Spring Boot
    serves with the time of their jar; None where nothing of it is known."""
    from imgopt.java.spring_boot import served_snapshots

    files = stage.content.below(source)
    jars = {file.entry[0].path: file.entry[0] for file in files if file.entry is not None}
    served = {(path, name) for path, jar in jars.items() for name in served_snapshots(jar)}
    return any(file.releases or _place(file) in served for file in files) if files else None


def beside_classes(stage: StagePicture, source: str) -> OwnModules | None:
    """The modules in a directory that holds the application's classes as well; None where they are not worth a layer."""
    files = stage.content.below(source)
    jars = [file for file in files if _is_library(file)]
    if len(jars) == len(files) or not any(file.releases for file in files):
        return None
    directories = {posixpath.dirname(file.path) for file in jars}
    for file in files:
        if not _is_library(file):  # what lies in one of them, or below, stays where it is
            directories -= set(_above(file.path))
    own = [file for file in jars if posixpath.dirname(file.path) in directories]
    if any(map(_serves, own)):
        return None  # with a fixed time a browser would keep the files of the release before
    size = sum(file.entry[1].compressed_bytes for file in own if file.entry is not None)
    outermost = tuple(
        sorted(each for each in directories if not directories & set(_above(each)) and each != source)
    )
    if size < SMALLEST_MODULES or not outermost:
        return None
    seen = tuple(posixpath.relpath(each, source) for each in outermost)
    return OwnModules(seen, len(own), size)


def _is_library(file: File) -> bool:
    return file.entry is not None and file.entry[1].name.startswith(tuple(file.entry[0].lib_prefixes))


def _serves(file: File) -> bool:
    return file.entry is not None and file.entry[1].name in file.entry[0].serves


def _place(file: File) -> tuple[str, str] | None:
    return (file.entry[0].path, file.entry[1].name) if file.entry is not None else None


def _above(path: str) -> Iterator[str]:
    while path != "/":
        path = posixpath.dirname(path)
        yield path


def moved(modules: OwnModules, source: tuple[str, str], tree: tuple[str, str]) -> Iterator[str]:
    """Shell commands that move the modules from ``source`` to ``tree``, should a later release have some. Each is a
    directory that may have variables in it, and names below that."""
    (place, rest), (own, below) = source, tree
    for directory in modules.directories:
        there, here = f"{rest.rstrip('/')}/{directory}", f"{below.rstrip('/')}/{directory}"
        yield f"mkdir -p {with_variables(own, posixpath.dirname(here))}"
        old, new = with_variables(place, there), with_variables(own, here)
        yield f"if [ -e {old} ]; then mv {old} {new}; fi"


def copied(picture: Picture, copy: Instruction, place: str, tree: str) -> Edit:
    """A line above ``copy`` that copies the tree, with the flags of that one."""
    text = picture.document.text
    flags = [text[flag.span.start : flag.span.end] for flag in copy.flags]
    keyword = word_in("COPY", text[copy.keyword_span.start].islower())
    line = writing.copy(keyword, flags, (f"{place}{writing.word(f'/{tree}/')}", "/"))
    start = text.rfind("\n", 0, copy.span.start) + 1
    indent = text[start : copy.span.start]
    return Edit(at(start), f"{indent}{line}{picture.document.newline}")


def about(modules: OwnModules | Modules) -> str:
    """What a report says of them."""
    jars = "jar" if modules.count == 1 else "jars"
    return f"the project's own modules ({modules.count} {jars}, {modules.bytes / 1e6:.1f} MB)"


#: What that layer holds for.
WHEN = "when the build makes the same jars again (Maven does with project.build.outputTimestamp set)"
