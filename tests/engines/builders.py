"""The engines that images are built with in these tests: how each is opened, and what it must not leave behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgopt.engines import Engine, open_engine


@dataclass(frozen=True, slots=True)
class Builder:
    """``variables``: of the environment, None to unset; ``options``: of `open_engine`, all plain values; ``provide``
    has a stand-in for a base image there; ``remains``: names of all images, containers, processes and mounts."""

    name: str
    engine: str
    variables: Mapping[str, str | None]
    options: Mapping[str, Any]
    provide: Callable[[str], object]
    remains: Callable[[], set[str]]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        changed = {
            name: self.variables.get(name, value) for name, value in {**os.environ, **self.variables}.items()
        }
        return {name: value for name, value in changed.items() if value is not None}

    @contextlib.contextmanager
    def open(self, **options: Any) -> Iterator[Engine]:
        with self.here(), open_engine(self.engine, **{**self.options, **options}) as engine:
            yield engine

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """With the builder's variables in this process's environment."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def project(directory: Path, dockerfile: str, **files: str) -> Path:
    """A build context with a Dockerfile and small files."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def docker(engine: Any, buildkit: bool) -> Builder:
    """The private Docker Engine of the tests, by its classic builder or its BuildKit."""
    from stand_ins import stand_in

    def remains() -> set[str]:
        api = engine.client.api
        images = {f"image {image}" for image in api.images(all=True, quiet=True)}
        return images | {f"container {container['Id']}" for container in api.containers(all=True)}

    return Builder(
        name="docker, BuildKit" if buildkit else "docker, classic",
        engine="docker",
        variables={**engine.environment, "DOCKER_BUILDKIT": str(int(buildkit)), "DOCKER_CONTEXT": None},
        options={},
        provide=lambda name: stand_in(engine, name),
        remains=remains,
    )
