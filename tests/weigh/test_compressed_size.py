"""Predicted sizes of layers against the blobs that real engines make of them.

The engines' figures (imgopt.compressing.ENGINES) were fitted to other jars than these.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import layer_samples
import published
import pytest
import real_blobs

from imgopt.cli import main
from imgopt.compressing import ENGINES, Packed, docker_gzip, predicted_bytes

MEDIAN, WORST = 0.01, 0.03
#: The options' names for engines, by the builders' names.
OPTION = {"docker": "docker", "buildkit": "buildkit", "buildah": "podman", "kaniko": "kaniko"}


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, app: Callable[..., Path]) -> tuple[Path, list[str]]:
    """A context of layers above 1 MB, whole jars and unpacked ones, and their names."""
    directory = tmp_path_factory.mktemp("samples")
    layers: dict[str, Path] = {}
    for jar in published.PUBLISHED:
        if jar.name == "spring-cloud-skipper-server":
            continue  # mostly the libraries of spring-cloud-dataflow-server
        file = published.fetch(jar)
        layers[f"{jar.name}, whole"] = file
        if jar.name == "sentinel-dashboard":
            layers.update(_unpacked(jar.name, file, directory))
    for version in ("2.7.18", "3.5.16", "4.1.2"):
        layers[f"demo {version}, dependencies"] = layer_samples.unpack(app(version), directory / version)[
            "dependencies"
        ]
    layers["demo 3.2.12, whole"] = app("3.2.12")
    layers["classes of Thymeleaf"] = layer_samples.classes(
        app("4.0.9"), ("thymeleaf", "attoparser"), directory / "classes"
    )
    return layer_samples.context(directory / "context", layers), list(layers)


def _unpacked(name: str, jar: Path, directory: Path) -> dict[str, Path]:
    return {f"{name}, {tree}": path for tree, path in layer_samples.unpack(jar, directory / name).items()}


@pytest.mark.parametrize("name", real_blobs.ENGINES)
def test_what_an_engine_stores(
    name: str,
    samples: tuple[Path, list[str]],
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if reason := real_blobs.missing(name):
        pytest.skip(reason)
    context, names = samples
    engine = request.getfixturevalue("engine") if name == "docker" else None
    with real_blobs.builder(name, engine) as builder:
        measured = builder.blobs(context)
    capfd.readouterr()
    assert main(["suggest", str(context), "--engine", OPTION[name], "--format", "json"]) == 0
    layers = json.loads(capfd.readouterr().out)["files"][0]["prediction"]["before"]["layers"]
    assert {layer["basis"] for layer in layers} == {"predicted"}
    predicted = [layer["compressed_bytes"] for layer in layers]
    assert len(predicted) == len(measured) == len(names)
    assert all(size > 900_000 for size in measured if size != min(measured))
    errors = {each: guess / real - 1 for each, guess, real in zip(names, predicted, measured, strict=True)}
    told = "\n".join(f"{each:40} {error:+.2%}" for each, error in errors.items())
    assert max(abs(error) for error in errors.values()) <= WORST, told
    assert statistics.median(abs(error) for error in errors.values()) <= MEDIAN, told


def test_the_engines_differ_by_more_than_the_bound() -> None:
    """Else one figure for all would do, and the test above could not tell them apart."""
    jar = Packed.of("jar", 100_000_000, 90_000_000)
    sizes = {name: predicted_bytes(jar, name) for name in ("docker", "buildah", "kaniko")}
    assert sizes["docker"] * 1.02 < sizes["buildah"] < sizes["kaniko"] / 1.02


def test_without_an_engine_sizes_are_what_compressing_gave() -> None:
    parts = Packed.of("jar", 1000, 900, entries=1) + Packed.of("text", 1000, 300) + Packed.of("other", 10, 10)
    assert predicted_bytes(parts) == parts.bytes == 1210


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_compressed_stays_as_large(engine: str) -> None:
    assert predicted_bytes(Packed.of("jar", 5_000_000, 5_000_000), engine) == 5_000_000


@pytest.mark.parametrize(
    ("go", "key"),
    [
        ("go1.19.8", "docker"),
        ("go1.26.8", "docker"),
        ("go1.27", "docker-go1.27"),
        ("1.28.1", "docker-go1.27"),
    ],
)
def test_a_daemon_made_with_a_newer_go_has_another_gzip(go: str, key: str) -> None:
    assert docker_gzip(go) == key
    assert key in ENGINES
