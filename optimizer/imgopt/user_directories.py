"""Directories of the user that are found in one way everywhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: What Debian gives as the home of users without one: nothing is found there, and nothing can be written.
_NONE = Path("/nonexistent")


def home() -> Path:
    """The user's home. A container's numeric user without HOME has none: then a place that does not exist, since
    nothing that lies there is needed."""
    found = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.home() raises RuntimeError where there is none
    return found if found.is_absolute() else _NONE


#: Below a device nothing is found, and nothing can be made.
_NOWHERE = Path(os.devnull) / "imgopt"


def cache(part: str = "") -> Path:
    """Of imgopt, below ``$XDG_CACHE_HOME``, or a part of it. A place where nothing is, and nothing can be written, when
    somebody else may write there: what is kept says where bytes go, and would be theirs."""
    above = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    own = above / "imgopt"
    place = own / part
    return place if _private(above, shared=True) and _private(own) and _private(place) else _NOWHERE


def make_private(directory: Path) -> None:
    """Makes what `cache` gave, for its owner only; OSError as of `os.mkdir`."""
    directory.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (directory.parent, directory):
        each.mkdir(mode=0o700, exist_ok=True)


def _private(directory: Path, *, shared: bool = False) -> bool:
    """Whether it is there and only its owner, oneself or root, may write in it, or is not there. ``shared``: others may
    make files in it, where they cannot rename those of each other (as in /tmp)."""
    try:
        link, status = directory.lstat(), directory.stat()
    except OSError:
        return True
    if not hasattr(os, "geteuid"):  # rights are told in another way there
        return True
    if shared and status.st_mode & stat.S_ISVTX:
        return True
    if link.st_uid not in (0, os.geteuid()):  # a link leads where its owner likes
        return False
    # a group of the user's own number is of nobody else: with it, umask 002 is usual
    others = stat.S_IWOTH if status.st_gid == status.st_uid else stat.S_IWOTH | stat.S_IWGRP
    return stat.S_ISDIR(status.st_mode) and status.st_uid in (0, os.geteuid()) and not status.st_mode & others
