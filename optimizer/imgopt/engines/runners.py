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
        with contextlib.ExitStack() as stack:
            try:
                engine = stack.enter_context(way())
                if isinstance(engine, podman.PodmanEngine) and not engine.starts_containers:
                    continue
                runner = engine.runner()
            except EngineError:
                continue
            yield runner
            return
    yield None
