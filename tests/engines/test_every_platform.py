"""Several platforms at once: a base that lacks one ends the build, and a push sends the blobs of all of them."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import two_platforms
from builders import Bases, Builder, docker
from command_line import Imgopt
from command_line import imgopt as imgopt  # a fixture
from private_docker import Engine

from imgopt.engines import BuildError, BuildRequest

BOTH = "linux/amd64,linux/arm64"
DOCKERFILE = (
    'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
)
WORKFLOW = """\
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, platforms: "linux/amd64,linux/arm64"}
"""


@pytest.fixture
def project(app: Callable[..., Path], tmp_path: Path) -> Path:
    """The demo application, the Dockerfile and a workflow for both platforms."""
    root = tmp_path / "project"
    (root / "target").mkdir(parents=True)
    (root / ".github" / "workflows").mkdir(parents=True)
    shutil.copy(app("2.7.18"), root / "target" / "app.jar")
    (root / "Dockerfile").write_text(DOCKERFILE)
    return root


@pytest.fixture(scope="module")
def two(bases: Bases) -> Iterator[None]:
    """Temurin 17 as it is published: the JDK and the JRE on Ubuntu for both platforms, on Alpine for amd64 alone."""
    published = {"17-jdk": ("amd64", "arm64"), "17-jre": ("amd64", "arm64"), "17-jre-alpine": ("amd64",)}
    for tag, architectures in published.items():
        two_platforms.provide(bases, f"eclipse-temurin:{tag}", architectures)
    yield
    for tag in published:
        bases.forget(f"eclipse-temurin:{tag}")


def with_workflow(project: Path) -> None:
    (project / ".github" / "workflows" / "image.yml").write_text(WORKFLOW)


def test_buildkit_builds_the_rewrite_for_every_platform_of_the_workflow(
    project: Path, two: None, buildkit: Builder, imgopt: Imgopt, tmp_path: Path
) -> None:
    dockerfile = project / "Dockerfile"
    one = imgopt("rewrite", dockerfile).text
    assert "17-jre-alpine" in one
    with_workflow(project)
    both = imgopt("rewrite", dockerfile).text
    before = imgopt("suggest", "--format", "json", "--engine", "buildkit", dockerfile).json["files"][0]
    (project / "Dockerfile.one").write_text(one)
    (project / "Dockerfile.both").write_text(both)
    with buildkit.open() as engine:
        with pytest.raises(BuildError, match="no match for platform in manifest"):
            engine.build(BuildRequest(project, project / "Dockerfile.one", platform=BOTH), "one")
        built = engine.build(BuildRequest(project, project / "Dockerfile.both", platform=BOTH), "both")
        with tarfile.open(built.reference) as archive:
            archive.extractall(tmp_path / "layout", filter="data")
    layers = two_platforms.layers_of(tmp_path / "layout")
    assert list(layers) == ["linux/amd64", "linux/arm64"]
    assert before["platforms"] == list(layers)
    # what is predicted to be one blob for both is one
    image = before["prediction"]["after"]
    own = [layer for layer in image["layers"] if not layer["from_base"]]
    elsewhere = {layer["instruction"].removesuffix(" (linux/arm64)") for layer in image["elsewhere"]}
    there = {digest for digest, _ in layers["linux/arm64"]}
    shared = [digest in there for digest, _ in layers["linux/amd64"][-len(own) :]]
    for layer, same in zip(own, shared, strict=True):
        assert same or layer["instruction"] in elsewhere, layer
    kept = [layer for layer in own if layer["instruction"] not in elsewhere]
    assert sum(layer["compressed_bytes"] for layer in kept) > 40_000_000  # the libraries


def test_where_a_copy_puts_a_file_decides_whether_platforms_share_its_layer(
    two: None, buildkit: Builder, tmp_path: Path, imgopt: Imgopt
) -> None:
    """A directory in a layer has the time of the build, which is another one where one platform takes longer."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "app.jar").write_bytes(b"x" * 100_000)
    (root / "Dockerfile").write_text(
        "FROM eclipse-temurin:17-jre\n"
        # the same moment on both platforms would hide it: one waits for the clock of the other
        "RUN grep -q amd64 /architecture || { now=$(date +%s); while [ $(date +%s) -le $((now + 1)) ]; do :; done; }\n"
        "COPY app.jar /app.jar\nCOPY app.jar /srv/app.jar\n"
    )
    with buildkit.open() as engine:
        built = engine.build(BuildRequest(root, root / "Dockerfile", platform=BOTH, cache=False), "where")
        with tarfile.open(built.reference) as archive:
            archive.extractall(tmp_path / "layout", filter="data")
    layers = two_platforms.layers_of(tmp_path / "layout")
    same = [one == other for one, other in zip(*layers.values(), strict=True)]
    assert same[-2:] == [True, False]
    run = imgopt("suggest", "--format", "json", "--platform", BOTH, root / "Dockerfile")
    elsewhere = run.json["files"][0]["prediction"]["before"]["elsewhere"]
    said = [layer["instruction"] for layer in elsewhere if layer["instruction"].startswith("COPY")]
    assert said == ["COPY app.jar /srv/app.jar (linux/arm64)"]


def test_the_classic_builder_finds_no_base_for_the_other_platform(
    project: Path, two: None, bases: Bases, engine: Engine, imgopt: Imgopt
) -> None:
    """It asks the registry by the name that stands in FROM. Only what is copied is built: the image of a platform that
    this machine has not runs nothing there."""
    with_workflow(project)
    name = imgopt("rewrite", "--select", "jdk-runtime", project / "Dockerfile").text.split("\n")[0]
    assert name == "FROM eclipse-temurin:17-jre"
    builder = docker(engine, buildkit=False)
    with builder.open() as opened:
        for image, there in (("eclipse-temurin:17-jre-alpine", False), ("eclipse-temurin:17-jre", True)):
            text = DOCKERFILE.replace("eclipse-temurin:17-jdk", f"{bases.address}/library/{image}")
            (project / "Dockerfile.classic").write_text(text)
            request = BuildRequest(project, project / "Dockerfile.classic", platform="linux/arm64")
            if there:
                opened.build(request, "classic")
                continue
            with pytest.raises(BuildError) as failed:
                opened.build(request, "classic")
            assert "platform" in str(failed.value) or "manifest" in str(failed.value)
