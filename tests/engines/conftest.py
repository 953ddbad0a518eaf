"""The builders of images that tests in this folder are run with, all real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import builders
import private_docker
import pytest
from builders import Archives, Builder

NAMES = ("docker-classic", "docker-buildkit", "podman", "buildah", "podman-socket")


@pytest.fixture(scope="session")
def archives(engine: private_docker.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    directory = tmp_path_factory.mktemp("bases")
    yield Archives(engine, directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def podman(archives: Archives) -> Iterator[Builder]:
    for program in ("podman", "buildah", "runc"):
        if not shutil.which(program, path=private_docker._path()):
            pytest.skip(f"{program} is not installed (tests/prepare.sh)")
    with builders.podman(archives) as builder:
        yield builder


@pytest.fixture(scope="session")
def podman_socket(podman: Builder) -> Iterator[Builder]:
    with builders.podman_socket(podman) as builder:
        yield builder


@pytest.fixture(scope="session", params=NAMES)
def builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Each engine in turn; bases come from the stand-ins."""
    return _builder(request.param, request, tmp_path_factory)


@pytest.fixture(scope="session", params=[name for name in NAMES if name not in ("buildah", "podman-socket")])
def release_builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Those that make images of their own kind: buildah and Podman's socket make Podman's."""
    return _builder(request.param, request, tmp_path_factory)


def _builder(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    if name.startswith("docker-"):
        return builders.docker(request.getfixturevalue("engine"), buildkit=name == "docker-buildkit")
    if name == "buildah":
        return builders.buildah(request.getfixturevalue("podman"), tmp_path_factory.mktemp("bin"))
    found: Builder = request.getfixturevalue(name.replace("-", "_"))
    return found
