"""Paths as the formats of CI systems want them: relative to the working directory, with slashes."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import quote


def relative(path: str) -> str:
    """``services/api/Dockerfile``; a path outside of the working directory stays absolute."""
    if path == "-":
        return "Dockerfile"
    absolute = os.path.normpath(Path.cwd() / path)
    inside = os.path.relpath(absolute, Path.cwd())
    return PurePosixPath(Path(absolute if inside.startswith("..") else inside)).as_posix()


def uri(path: str) -> str:
    """The relative path as a URI reference."""
    shown = relative(path)
    quoted = quote(os.fsencode(shown))
    return f"file://{quoted}" if shown.startswith("/") else quoted
