"""Which kaniko an executor is, and what it can do."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from imgopt.files.opening import open_file

PRESERVE = "FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS"
#: The maintained fork from here on: the flag above was measured there.
PRESERVES_SINCE = (1, 28)


def version_from(answer: str) -> str:
    """Of what ``executor version`` prints."""
    found = re.search(r"version\s*:\s*v?(\S+)", answer)
    return found[1] if found else "?"


def is_since(version: str, since: tuple[int, int]) -> bool:
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= since


def contains(program: Path, word: str) -> bool:
    """Whether a program has a word in it, such as the name of a variable that it reads."""
    try:
        with open_file(program) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(word.encode()) >= 0
    except (OSError, ValueError):
        return False
