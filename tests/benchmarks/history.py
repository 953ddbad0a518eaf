"""Measured states of imgopt, a row each in history.tsv: multiples of a bare Python's processor time in the same run.

A figure is compared with the best that ever was, so that what is lost in small steps is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = Path(__file__).with_name("history.tsv")
FIGURES = ("start", "corpus", "jar", "modules", "tar")
#: How much more than the best is said.
NOTABLE = 0.1


def read(file: Path = FILE) -> list[dict[str, str]]:
    names, *rows = (line.split("\t") for line in file.read_text(encoding="ascii").splitlines())
    return [dict(zip(names, row, strict=True)) for row in rows]


def append(date: str, commit: str, figures: Mapping[str, float], file: Path = FILE) -> None:
    """Figures that were not measured are left empty."""
    row = [date, commit, *(f"{figures[each]:.1f}" if each in figures else "" for each in FIGURES)]
    with file.open("a", encoding="ascii") as opened:
        opened.write("\t".join(row) + "\n")


def slower(figures: Mapping[str, float], rows: Iterable[Mapping[str, str]]) -> list[str]:
    """A sentence for each figure that is more than a tenth above the best row."""
    rows = list(rows)
    told: list[str] = []
    for name in FIGURES:
        known = [(float(row[name]), row) for row in rows if row[name]]
        if name not in figures or not known:
            continue
        best, row = min(known, key=lambda each: each[0])
        more = figures[name] / best - 1
        if more > NOTABLE:
            told.append(
                f"{name} is {more:.0%} slower than the best: {figures[name]:.1f}, and {best:.1f} at {row['commit']} ({row['date']})"
            )
    return told
