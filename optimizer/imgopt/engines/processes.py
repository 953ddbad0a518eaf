"""Processes of this host, by /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def descendants(pid: int) -> Iterator[int]:
    """The process, its children and theirs. In a container orphans become children of its first process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # the name, in parentheses, may hold anything, parentheses too
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += children.get(each, ())


def resident_bytes(pid: int) -> int | None:
    """Resident memory (RSS) of a process; None when it may not be read or has ended."""
    for name, key in (
        ("smaps_rollup", "Rss:"),
        ("status", "VmRSS:"),
    ):  # the first is exact, and for its owner only
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    return None
