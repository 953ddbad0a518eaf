"""imgopt in a process of its own: with little memory, and not for ever. The time is a guard, no measure."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOR_EVER = 120  # seconds
ENOUGH = 1 << 30  # bytes of addresses: Python, its libraries and their threads


def bounded(
    *arguments: object,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    memory: int = ENOUGH,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [sys.executable, "-m", "imgopt", *map(str, arguments)],
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1", "MALLOC_ARENA_MAX": "2", **(environment or {})},
        preexec_fn=limit,
        timeout=FOR_EVER,
        capture_output=True,
        text=True,
        stdin=stdin,
        check=False,
    )
