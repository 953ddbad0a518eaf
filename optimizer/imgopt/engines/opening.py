"""From the name of an engine on the command line to an engine that answers."""

from __future__ import annotations

from collections.abc import Callable

from imgopt.engines.engine import Engine, EngineError
from imgopt.errors import UsageError

#: What ``--engine`` takes, and the order in which ``auto`` asks.
NAMES = ("docker", "podman", "buildkit", "kaniko")


def open_engine(name: str = "auto") -> Engine:
    """The engine called `name`, or for ``auto`` the first that answers. EngineError when none does: what was
    tried, and what to do; UsageError for another name. Close it when done: it is a context manager."""
    ways: dict[str, Callable[[], Engine]] = {"docker": _docker, "podman": _podman}
    if name in ways:
        return ways[name]()
    if name != "auto":
        raise UsageError(f"there is no engine {name}", f"take one of auto, {', '.join(NAMES)}")
    tried = []
    for way in ways.values():
        try:
            return way()
        except EngineError as error:
            tried.append(error.message)
    raise EngineError(
        f"no engine answers: {'; '.join(tried)}",
        "start Docker or Podman, or name a BuildKit with --buildkit-addr or a kaniko executor with --kaniko",
    )


def _docker() -> Engine:
    from imgopt.engines.docker import connect

    return connect()


def _podman() -> Engine:
    from imgopt.engines.podman import connect

    return connect()
