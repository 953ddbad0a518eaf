"""Which layers another patch of Spring Boot moves: those that hold a library which it manages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgopt.java.boot_managed import Patch
    from imgopt.picture import Picture
    from imgopt.picture.contents import File


def next_patch(picture: Picture) -> Patch | None:
    """The one after the version that the application has; None where it is not known to be made with Spring Boot."""
    version = _spring_boot(picture)
    if version is None:
        return None
    from imgopt.java.boot_managed import Patch

    return Patch(version)


def _spring_boot(picture: Picture) -> str | None:
    jars = picture.application_jars
    told = next((jar.spring_boot for jar in jars if jar.spring_boot is not None), None)
    if told is not None:
        return told
    made = picture.artifacts or any(stage.content.unpackings for stage in picture.stages)
    if made and not any(jar.kind != "library" for jar in jars):
        if (given := picture.options.spring_boot) is not None:
            return given
        facts = picture.build_facts
        if facts is not None and facts.spring_boot is not None:
            return facts.spring_boot
    libraries = [path for path in picture.final.content.files if "/spring-boot-" in path]
    if not libraries:
        return None
    from imgopt.java.boot_managed import version_among

    return version_among(libraries)


def moves(patch: Patch, files: Iterable[File]) -> bool:
    """Whether the patch gives one of a layer's files other bytes."""
    return patch.moves(_with_groups(files))


def _with_groups(files: Iterable[File]) -> Iterator[tuple[str, str | None]]:
    groups: dict[str, dict[str, str | None]] = {}
    for file in files:
        if file.entry is None:
            yield file.path, None
            continue
        jar, entry = file.entry
        if jar.path not in groups:
            groups[jar.path] = {each.path: each.group for each in jar.libraries}
        yield file.path, groups[jar.path].get(entry.name)
