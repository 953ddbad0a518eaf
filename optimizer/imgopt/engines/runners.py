"""What starts the images of engines that start none themselves: a Docker daemon that answers, else Podman."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from imgopt.engines.engine import EngineError, Runner


@contextlib.contextmanager
def any_runner() -> Iterator[Runner | None]:
    """For as long as the context lasts; None when neither answers."""
    from imgopt.engines import docker, podman

    for way in (docker.connect, podman.connect):
        try:
            engine = way()
        except EngineError:
            continue
        with engine:
            try:
                runner = engine.runner()
            except EngineError:
                continue
            if runner is not None:
                yield runner
                return
    yield None
