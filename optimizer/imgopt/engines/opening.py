"""From the name of an engine on the command line to an engine that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imgopt.engines.engine import Engine, EngineError
from imgopt.errors import UsageError

#: What ``--engine`` takes, and the order in which ``auto`` asks.
NAMES = ("docker", "podman", "buildkit", "kaniko")


def open_engine(
    name: str = "auto",
    *,
    builder: str | None = None,
    buildkit_addr: str | None = None,
    kaniko: str | None = None,
    kaniko_flags: Sequence[str] = (),
) -> Engine:
    """The engine called `name`, or for ``auto`` the first that answers. ``builder`` and ``buildkit_addr`` name a
    BuildKit, ``kaniko`` kaniko's executor or its image: with ``auto`` they choose their engine. ``kaniko_flags`` are
    for the executor.

    EngineError when none answers: what was tried, and what to do; UsageError for another name, and for an option
    of another engine. Close it when done: it is a context manager.
    """
    if name != "auto" and name not in NAMES:
        raise UsageError(f"there is no engine {name}", f"take one of auto, {', '.join(NAMES)}")
    given = {
        "--builder": builder is not None and "buildkit",
        "--buildkit-addr": buildkit_addr is not None and "buildkit",
        "--kaniko": kaniko is not None and "kaniko",
        "--kaniko-flag": bool(kaniko_flags) and "kaniko",
    }
    if builder is not None and buildkit_addr is not None:
        raise UsageError("--builder and --buildkit-addr name two BuildKits", "give one of them")
    for option, engine in given.items():
        if not engine:
            continue
        if name not in ("auto", engine):
            raise UsageError(f"{option} is for --engine {engine}, not {name}", f"leave out {option}")
        name = engine
    ways: dict[str, Callable[[], Engine]] = {
        "docker": _docker,
        "podman": _podman,
        "buildkit": lambda: _buildkit(builder, buildkit_addr),
        "kaniko": lambda: _kaniko(kaniko, kaniko_flags),
    }
    if name != "auto":
        return ways[name]()
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
    from imgopt.engines.runners import any_runner

    return connect(any_runner)


def _buildkit(builder: str | None, address: str | None) -> Engine:
    from imgopt.engines.buildkit import connect

    return connect(builder, address)


def _kaniko(executor: str | None, flags: Sequence[str]) -> Engine:
    from imgopt.engines.kaniko import connect

    return connect(executor, flags)
