"""Which process something in an engine belongs to, and whether that process is gone for sure.

Several people and jobs share an engine, from several machines and containers; process numbers are given again. So a mark
names the kernel by its boot, the numbering (a PID namespace), the number, and when that process began. In a container that
the same engine runs, where a job's end takes the numbering along, the container's ID is named as well. What cannot be told
from here, such as a process of another machine, counts as alive.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace

#: Of containers; its value is an owner's text.
LABEL = "imgopt"
_OWNER = r"([0-9a-f]{8})-(\d{1,20})-(\d{1,20})-(\d{1,20})-([0-9a-f]{12}|x)"
_REPOSITORY = regex(rf"(?:[\w./:-]*/)?imgopt-run-{_OWNER}-[0-9a-f]{{8}}")


@dataclass(frozen=True, slots=True)
class Owner:
    """``boot`` of the kernel, hashed; ``space``: the PID namespace; ``start``: when the process began, in the kernel's
    ticks; ``container``: the first digits of the ID of the container of this engine that it runs in, or None."""

    boot: str
    space: int
    pid: int
    start: int
    container: str | None = None

    def __str__(self) -> str:
        return f"{self.boot}-{self.space}-{self.pid}-{self.start}-{self.container or 'x'}"

    def repository(self) -> str:
        """A name for images, another one with each call."""
        return f"imgopt-run-{self}-{secrets.token_hex(4)}"


def owner_of_label(value: str) -> Owner | None:
    found = re.fullmatch(_OWNER, value)
    return _owner(found) if found else None


def owner_of_reference(reference: str) -> Owner | None:
    """Of an image's name, with its tag; None where the name is none of ours."""
    found = _REPOSITORY.fullmatch(reference.rpartition(":")[0])
    return _owner(found) if found else None


def _owner(found: re.Match[str]) -> Owner:
    boot, space, pid, start, container = found.groups()
    return Owner(boot, int(space), int(pid), int(start), None if container == "x" else container)


def this_process(client: object = None) -> Owner:
    """``client``: of the engine (docker SDK), which is asked whether this process runs in one of its containers."""
    pid = os.getpid()
    mine = Owner(_boot(), _space(), pid, _start(pid) or 0)
    name = socket.gethostname()
    if client is not None and re.fullmatch(r"[0-9a-f]{12}", name) and _runs(client, name):
        return replace(mine, container=name)
    return mine


def is_gone(owner: Owner, runs: Callable[[str], bool | None]) -> bool:
    """Whether the process has ended for sure. ``runs`` tells whether a container of the engine runs; None: not known."""
    if owner.boot == _boot() and owner.space == _space():
        return not _lives(owner)
    return owner.container is not None and runs(owner.container) is False


def _runs(client: object, container: str) -> bool | None:
    from docker.errors import APIError, NotFound

    try:
        found = client.api.inspect_container(container)  # type: ignore[attr-defined]
        return bool(found["State"]["Running"]) and str(found["Id"]).startswith(container)
    except NotFound:
        return False
    except (APIError, OSError, LookupError, TypeError):
        return None


def asking(client: object) -> Callable[[str], bool | None]:
    return lambda container: _runs(client, container)


def _boot() -> str:
    """Of this kernel since it was started; elsewhere than on Linux, of this machine."""
    try:
        known = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeError):
        import uuid

        known = f"{uuid.getnode()} {socket.gethostname()}"
    return hashlib.sha256(known.encode()).hexdigest()[:8]


def _space() -> int:
    with contextlib.suppress(OSError):
        return Path("/proc/self/ns/pid").stat().st_ino
    return 0


def _start(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        # the name, in parentheses, may hold anything, parentheses too
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    return None


def _lives(owner: Owner) -> bool:
    if sys.platform == "win32":  # a signal of 0 ends a process there
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    start = _start(owner.pid)  # None: it may not be looked at
    return start is None or start == owner.start
