"""The builders of images that tests in this folder are run with, all real."""

from __future__ import annotations

import builders
import private_docker
import pytest
from builders import Builder

NAMES = ("docker-classic", "docker-buildkit")


@pytest.fixture(scope="session", params=NAMES)
def builder(request: pytest.FixtureRequest) -> Builder:
    """Each engine in turn; bases come from the stand-ins."""
    name: str = request.param
    engine: private_docker.Engine = request.getfixturevalue("engine")
    return builders.docker(engine, buildkit=name == "docker-buildkit")
