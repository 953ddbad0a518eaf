"""Directories of the user that are found in one way everywhere."""

from __future__ import annotations

import os
from pathlib import Path

#: What Debian gives as the home of users without one: nothing is found there, and nothing can be written.
_NONE = Path("/nonexistent")


def home() -> Path:
    """The user's home. A container's numeric user without HOME has none: then a place that does not exist, since
    nothing that lies there is needed."""
    found = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.home() raises RuntimeError where there is none
    return found if found.is_absolute() else _NONE


def cache() -> Path:
    """Of imgopt; below ``$XDG_CACHE_HOME``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "imgopt"
