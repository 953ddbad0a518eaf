"""Tables of budgets that fit no image: a name that is spelled wrong is a budget that nobody is held against.

One imgopt.toml often has tables for many images, of which a CI job gates one. So a table that fits no image of a call
is an error only where it may have been meant for one of them: an image that no table of its own fits, while nothing
says that the table is another's (the baseline, a module of the repository) and it is spelled almost like the image,
or there are no more such tables than such images. Otherwise it is told, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from imgopt.errors import ConfigError
from imgopt.gate.budgets import BudgetTable
from imgopt.gate.subject import Subject
from imgopt.text.spelling import choose_from

_MOST_EDITS = 2
_MOST_DEPTH = 5
_MOST_DIRECTORIES = 20_000
_SKIPPED = frozenset((".git", "node_modules", "target", "build"))
_OF_MODULES = ("pom.xml", "build.gradle", "build.gradle.kts")


def unfit(
    tables: Sequence[BudgetTable],
    subjects: Sequence[Subject],
    others: Sequence[str],
    belongs: Callable[[str, Iterable[str]], bool],
) -> tuple[list[ConfigError], list[str]]:
    """The errors, and what is only told. ``others``: names of images that could not be looked at; ``belongs``: whether
    a pattern is known to be of an image that is not in this call, which has those without a table."""
    named = [table for table in tables if table.pattern is not None]
    # what a Dockerfile will be called is not known before the build, where nobody says it
    alone = {
        subject.bare: None
        for subject in subjects
        if not (subject.predicted and subject.bare == subject.path)
        and not any(table.applies(subject.names) for table in named)
    }
    lost = [
        table
        for table in named
        if not any(table.applies(subject.names) for subject in subjects)
        and not table.applies(others)
        and not belongs(table.pattern or "", alone)
    ]
    plain = [table for table in lost if not _is_glob(table.pattern or "")]
    errors: list[ConfigError] = []
    told: list[str] = []
    for table in lost:
        pattern = table.pattern or ""
        near = any(_near(pattern, name) for name in alone)
        if near or (alone and table in plain and len(plain) <= len(alone)):
            path, line = _place(table)
            names = list(dict.fromkeys(subject.bare for subject in subjects))
            errors.append(
                ConfigError(
                    f'[budgets."{pattern}"] fits no image', choose_from(pattern, names), path=path, line=line
                )
            )
        else:
            told.append(f'[budgets."{pattern}"]')
    if told:
        shown = ", ".join(told[:5]) + (f" and {len(told) - 5} more" if len(told) > 5 else "")
        return errors, [f"no image of this call fits {shown}"]
    return errors, []


def _place(table: BudgetTable) -> tuple[str | None, int | None]:
    if not table.limits:
        return None, None
    path, _, line = table.limits[0].source.rpartition(":")
    return (path, int(line)) if path and line.isdigit() else (table.limits[0].source, None)


def _is_glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def _near(pattern: str, name: str) -> bool:
    """Whether some edits of a pattern would make it fit; a ``*`` in it matches anything."""
    row = [0]
    for mark in pattern:
        row.append(row[-1] + (mark != "*"))
    for letter in name:
        above, row = row, [row[0] + 1]
        for at, mark in enumerate(pattern, 1):
            if mark == "*":
                row.append(min(row[at - 1], above[at], above[at - 1]))
            else:
                same = mark in ("?", letter)
                row.append(min(above[at - 1] + (not same), above[at] + 1, row[at - 1] + 1))
    letters = len(pattern.replace("*", ""))
    return row[-1] <= min(_MOST_EDITS, letters // 3)


def modules(directory: Path) -> Iterator[str]:
    """Names that the modules and Dockerfiles of a repository have."""
    from imgopt.discover import is_dockerfile_name

    waiting = [(directory, 0)]
    seen = 0
    while waiting and seen < _MOST_DIRECTORIES:
        here, depth = waiting.pop()
        seen += 1
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if depth < _MOST_DEPTH and entry.name not in _SKIPPED:
                            waiting.append((Path(entry.path), depth + 1))
                    elif is_dockerfile_name(entry.name):
                        yield here.name
                        yield from (part for part in entry.name.split(".") if part.lower() != "dockerfile")
                    elif entry.name in _OF_MODULES:
                        yield here.name
        except OSError:
            continue


def belonging(directory: Path | None, baseline: Sequence[str]) -> Callable[[str, Iterable[str]], bool]:
    """Whether a pattern is an image's of the baseline, or ends with the name of one of the repository's modules.

    The module ``worker`` is that of ``shop/worker`` and of ``shop-worker``; but where an image that has no table ends
    with it too, ``shopp-worker`` may well be meant for that one.
    """
    found: list[str] = []

    def belongs(pattern: str, alone: Iterable[str]) -> bool:
        if any(fnmatchcase(name.partition(" (")[0], pattern) for name in baseline):
            return True
        if directory is None:
            return False
        if not found:
            found.extend(["", *modules(directory)])
        last = _last(pattern)
        if last.strip("*") == "":
            return False
        if any(name and fnmatchcase(name, last) for name in found):
            return True
        ends = {name for name in found if name and _ends_with(last, name)}
        return any(not any(_ends_with(_last(image), name) for image in alone) for name in ends)

    return belongs


def _last(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


def _ends_with(name: str, module: str) -> bool:
    return name == module or name.endswith(tuple(f"{mark}{module}" for mark in "-_."))
