"""A registry for all tests of this folder, a proxy before it for each, and the command as a user runs it."""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "images"))

import registries  # noqa: E402
from image_archives import docker_archive, tar_of  # noqa: E402
from push_command import Command  # noqa: E402

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    with registries.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    """Wants a login (htpasswd)."""
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("locked")
    (directory / "htpasswd").write_text(registries.HTPASSWD)
    auth = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
    with registries.registry(directory, auth=auth) as running:
        yield running


@pytest.fixture
def proxy(shared_registry: registries.Registry) -> Iterator[registries.Proxy]:
    with registries.proxy(shared_registry.port) as relay:
        yield relay


@pytest.fixture
def repository() -> str:
    """A name that no other test uses."""
    return f"shop/api-{os.getpid()}-{next(_NUMBERS)}"


@pytest.fixture
def imgopt(tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(home)


@pytest.fixture
def release(tmp_path: Path) -> Callable[..., Path]:
    """`release(1)`: a `docker save` tar of three layers, of which only the last differs between releases."""

    def made(number: int, size: int = 400_000, seed: int = 1) -> Path:
        noise = random.Random(seed)
        base, libraries = tar_of({"base": noise.randbytes(size)}), tar_of({"lib": noise.randbytes(size // 2)})
        application = tar_of({"app": random.Random(number).randbytes(3000)})
        layers = [base, libraries, application]
        names = {f"{n}/layer.tar": layer for n, layer in enumerate(layers)}
        path = tmp_path / f"release-{number}-{seed}-{size}.tar"
        path.write_bytes(docker_archive(names, layers))
        return path

    return made
