"""The builders of images that tests in this folder are run with, all real."""

from __future__ import annotations

import builders
import pytest
from builders import Builder

RELEASES = ("docker-classic", "docker-buildkit", "podman", "buildkit", "kaniko")
NAMES = (*RELEASES, "buildah", "podman-socket")  # the last two make the same images as podman


@pytest.fixture(scope="session", params=NAMES)
def builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Each engine in turn; bases come from the stand-ins."""
    return _builder(request.param, request, tmp_path_factory)


@pytest.fixture(scope="session", params=(*RELEASES, "kaniko-reproducible"))
def release_builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Those that make images of their own kind."""
    return _builder(request.param, request, tmp_path_factory)


def _builder(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    if name.startswith("docker-"):
        return builders.docker(request.getfixturevalue("engine"), buildkit=name == "docker-buildkit")
    if name == "buildah":
        return builders.buildah(request.getfixturevalue("podman"), tmp_path_factory.mktemp("bin"))
    if name == "kaniko-reproducible":
        return builders.reproducible(request.getfixturevalue("kaniko"))
    found: Builder = request.getfixturevalue(name.replace("-", "_"))
    return found
