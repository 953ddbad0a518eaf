"""What another patch of Spring Boot brings along: the libraries that its BOM manages, by their artifact's name.

A jar has files and no coordinates, so names decide; where a library tells its Maven group, that has to fit, too. The table
(boot_managed.tsv, made by `make_boot_managed.py`) has a row for each group and habit: the group, a mark for each line of Spring
Boot, and artifacts. "-": that line does not manage them; a digit: with so many ninths of the line's patches another version came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from imgopt.java.jar import library_name
from imgopt.java.spring_boot import LOADER_PATH, version_tuple
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

#: The mark of what comes anew with every patch.
ALWAYS = 9
_NOT_MANAGED = "-"
_SPRING_BOOT = regex(r"spring-boot-(\d[\w.-]*)\.jar")


@dataclass(frozen=True, slots=True)
class Table:
    """``made``: the day, YYYY-MM-DD; ``newest``: the last patch of each line that it was made of; ``marks``: of an artifact,
    by its groups."""

    made: str
    newest: tuple[str, ...]
    marks: Mapping[str, Mapping[str, str]]

    def column(self, version: str) -> int:
        """The line of a version; the oldest or the newest that is known, for those before and after them."""
        return _column(self.newest, version)


@lru_cache(maxsize=64)
def _column(newest: tuple[str, ...], version: str) -> int:
    line = (version_tuple(version) or (99, 0, 0))[:2]
    lines = [(version_tuple(each) or (0, 0, 0))[:2] for each in newest]
    return max((at for at, each in enumerate(lines) if each <= line), default=0)


@lru_cache(maxsize=1)
def table() -> Table:
    first, *rows = (Path(__file__).parent / "boot_managed.tsv").read_text("utf-8").splitlines()
    made, newest = first.removeprefix("# ").split("\t")
    marks: dict[str, dict[str, str]] = {}
    for row in rows:
        group, habit, artifacts = row.split("\t")
        for artifact in artifacts.split(" "):
            marks.setdefault(artifact, {})[group] = habit
    return Table(made, tuple(newest.split(" ")), marks)


@lru_cache(maxsize=1)
def managed_names() -> frozenset[str]:
    """All artifacts that a line manages, and what their names begin with up to a dash."""
    found = set()
    for artifact in table().marks:
        parts = artifact.split("-")
        found |= {"-".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return frozenset(found)


def is_managed(version: str, artifact: str | None, group: str | None = None) -> bool:
    """Whether Spring Boot manages a library of this name in the line of ``version``."""
    return bool(_managed(version, artifact, group))


def _managed(version: str, artifact: str | None, group: str | None) -> dict[str, str]:
    """The marks of an artifact by the groups that the line manages it in; of the one that is told, if it is."""
    found = table().marks.get(artifact or "", {})
    column = table().column(version)
    marks = {each: habit[column] for each, habit in found.items() if group in (None, each)}
    return {each: mark for each, mark in marks.items() if mark != _NOT_MANAGED}


def version_among(paths: Iterable[str]) -> str | None:
    """Spring Boot's version by its own library among files, as of an application that was taken apart."""
    for path in paths:
        found = _SPRING_BOOT.fullmatch(path.rpartition("/")[2])
        if found is not None and version_tuple(found[1]) is not None:
            return found[1]
    return None


@dataclass(frozen=True, slots=True)
class Patch:
    """The next patch of a version of Spring Boot."""

    version: str

    def moves(self, files: Iterable[tuple[str, str | None]]) -> bool:
        """Whether it is expected to give one of these files another version: likelier than not, by how often the line's
        patches did. Files are names, with the Maven group that a library tells."""
        stays = 1.0
        families = set()
        for path, group in files:
            family = self._family(path, group)
            if family is None or family in families:
                continue  # of one family all move together
            families.add(family)
            stays *= 1 - family[1] / ALWAYS
        return stays <= 0.5

    def _family(self, path: str, group: str | None) -> tuple[str, int] | None:
        """What moves together with a library: its group's project, and in how many ninths of the patches; None where Spring Boot does
        not manage it."""
        name = path.rpartition("/")[2]
        if not name.endswith(".jar"):  # a part of Spring Boot's launcher
            return (LOADER_PATH, ALWAYS) if f"/{LOADER_PATH}" in f"/{path}" else None
        marks = _managed(self.version, library_name(name)[0], group)
        if not marks:
            return None
        likeliest = max(marks, key=lambda each: marks[each])
        return ".".join(likeliest.split(".")[:3]), int(marks[likeliest])
