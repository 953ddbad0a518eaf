"""Which user a container runs as: ``User`` of an image's config, ``USER`` of a Dockerfile.

As runc, containerd and Docker read it (``GetExecUser``): what Go's ``strconv.Atoi`` takes for a number is the user's
number, so ``+0``, ``-0`` and ``00`` are root's. Anything else is a name, which the image's /etc/passwd gives a number;
a number that is none there is 0.
"""

from __future__ import annotations

from imgopt.light.patterns import regex

_NUMBER = regex(r"[+-]?[0-9]+")
_MOST = (1 << 63) - 1
#: Beyond, no engine starts a container.
MOST_UID = (1 << 31) - 1
#: How a Dockerfile writes root, without a group; no USER at all is root's, too.
ROOT_NAMES = frozenset({"", "0", "root"})


def name_of(user: str) -> str:
    """The user of ``USER[:GROUP]``."""
    return user.partition(":")[0]


def number_in(text: str) -> int | None:
    """What ``strconv.Atoi`` makes of it; None where that fails."""
    if not _NUMBER.fullmatch(text):
        return None
    digits = text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > _MOST:
        return None
    return -int(digits) if text.startswith("-") else int(digits)


def uid_of(user: str, passwd: bytes | None) -> tuple[int | None, str | None]:
    """The number that ``USER[:GROUP]`` stands for, or None and a sentence why it cannot be told.

    ``passwd``: the bytes of the image's /etc/passwd; None where that is not known. ``root`` without it is 0.
    """
    name = name_of(user)
    if not name:
        return 0, None
    number = number_in(name)
    if number is not None:
        if 0 <= number <= MOST_UID:
            return number, None
        return None, f"no engine knows a user of the number {name}"
    if passwd is None:
        if name == "root":
            return 0, None
        return None, f"the number of the user {name} stands in the image's /etc/passwd, which was not read"
    for line in passwd.decode("utf-8", "surrogateescape").split("\n"):
        parts = line.strip().split(":")
        if parts[0] == name and line.strip():
            return (number_in(parts[2]) or 0) if len(parts) > 2 else 0, None
    if name == "root":
        return 0, None
    return None, f"the image's /etc/passwd has no user {name}"
