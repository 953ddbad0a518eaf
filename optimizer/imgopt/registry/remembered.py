"""Where earlier pushes of this machine went: names of repositories that may have layers, and no more than names.

One file for each registry, below ``$XDG_CACHE_HOME/imgopt/pushed``, for its owner only. An agent that is thrown away has
none, and needs none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from imgopt.errors import InputError
from imgopt.files.documents import parsed_json
from imgopt.files.opening import read_file
from imgopt.registry.siblings import MOST_SIBLINGS
from imgopt.registry.target import Target, parse_target
from imgopt.user_directories import cache, make_private

_MOST_BYTES = 1 << 16


def remembered(target: Target) -> list[str]:
    """``REGISTRY/REPO:TAG`` of the same registry, the latest first; what cannot be read is not known."""
    found = []
    for name in _read(_file(target)):
        with contextlib.suppress(InputError):
            place = parse_target(name)
            if place.name == target.name:
                found.append(name)
    return found[:MOST_SIBLINGS]


def remember(targets: Iterable[Target]) -> None:
    """Notes where images went, the last of them first. A note that cannot be written costs a question more."""
    for target in targets:
        file = _file(target)
        known = {_repository(name): name for name in (str(target), *_read(file))[::-1]}
        names = [*known.values()][::-1][:MOST_SIBLINGS]
        beside = file.with_suffix(f".{os.getpid()}")
        try:
            make_private(file.parent)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                json.dump(names, opened)
            beside.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()


def _file(target: Target) -> Path:
    return cache("pushed") / f"{hashlib.sha256(target.name.encode()).hexdigest()[:40]}.json"


def _repository(name: str) -> str:
    head, _, last = name.rpartition("/")
    return f"{head}/{last.partition(':')[0]}"


def _read(file: Path) -> list[str]:
    try:
        names = parsed_json(read_file(file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    return [each for each in names if isinstance(each, str)] if isinstance(names, list) else []
