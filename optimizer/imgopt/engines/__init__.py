"""Builders of images behind one protocol: Docker, BuildKit, Podman, kaniko; and what runs them."""

from imgopt.engines.engine import BuildError, BuildRequest, BuiltImage, Engine, EngineError
from imgopt.engines.opening import open_engine

__all__ = ["BuildError", "BuildRequest", "BuiltImage", "Engine", "EngineError", "open_engine"]
