"""Paths in an image: absolute, without dots."""

from __future__ import annotations

import posixpath


def normal(path: str) -> str:
    """An absolute path without dots, doubled or trailing slashes."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned != "/" else "/"


def join(directory: str, path: str) -> str:
    return normal(posixpath.join(directory, path))


def seen_from(directory: str | None, path: str | None) -> str | None:
    """Where a path leads in a directory; None when one of them is not known and would have to be."""
    if path is None or (directory is None and not path.startswith("/")):
        return None
    return join(directory or "/", path)
