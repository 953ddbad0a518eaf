"""Each engine builds the demo application's two releases, as it was and rewritten; what the second one still needs.

Nothing is cached between the builds. The bytes are those of the blobs where the engine makes them itself, else of
gzip -6, which is what Docker stores within 1 %.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apps
from builders import Builder
from start_forms import FORMS, context
from test_rewrites_run import rewrite

from imgopt.dockerfile import parse
from imgopt.engines import BuildRequest, Engine
from imgopt.images import OpenImage

SPRING_BOOT = "3.5.16"
BASE = "eclipse-temurin:17-jre-alpine"


@dataclass(frozen=True)
class Release:
    diff_ids: tuple[str, ...]
    seconds: float
    new: str  # "=" or "X" for each layer above the base: has the last release the layer too
    new_bytes: int


def test_the_next_release_of_every_engine(
    release_builder: Builder, app: Callable[..., Path], tmp_path: Path
) -> None:
    builder = release_builder
    first = app(SPRING_BOOT)
    jars = {1: first, 2: apps.next_release(first, tmp_path / first.name)}
    rows: dict[str, tuple[Release, Release]] = {}
    with builder.open() as engine:
        steady = engine.steady
        for dockerfile in builder.dockerfiles:
            releases: list[Release] = []
            for number, jar in jars.items():
                project = context(tmp_path / f"{dockerfile}-{number}", jar, FORMS[0], BASE)
                rewrite(project)
                provide_bases(builder, project / dockerfile)
                releases.append(build(engine, project, dockerfile, releases[0] if releases else None))
            rows[dockerfile] = (releases[0], releases[1])
        description = engine.description
    for dockerfile, (one, two) in rows.items():
        print(
            f"{description} | {dockerfile} | {one.seconds:.1f} s, {two.seconds:.1f} s | "
            f"{two.new} | {two.new_bytes:,} bytes"
        )
    before = rows["Dockerfile"][1].new_bytes if "Dockerfile" in rows else first.stat().st_size
    after = rows["Dockerfile.imgopt"][1]
    assert before > 20_000_000
    if steady is None:
        assert after.new_bytes <= 0.005 * before, f"{after.new}: {after.new_bytes:,} bytes"
    else:
        assert after.new_bytes > 0.5 * before, f"it says that it is not steady: {steady}"


def build(engine: Engine, project: Path, dockerfile: str, last: Release | None) -> Release:
    built = engine.build(BuildRequest(project, project / dockerfile, cache=False), f"release-{dockerfile}")
    image = engine.open(built)
    try:
        assert image.image.id == built.image_id
        assert list(image.image.config["rootfs"]["diff_ids"]) == [
            layer.diff_id for layer in image.image.layers
        ]
        diff_ids = tuple(layer.diff_id for layer in image.image.layers)
        new = [i for i in range(1, len(diff_ids)) if last is not None and diff_ids[i] not in last.diff_ids]
        for index in range(1, len(diff_ids)):  # the first one is the base
            with image.open_tar(index) as tar:
                digest = hashlib.sha256()
                while block := tar.read(1 << 20):
                    digest.update(block)
            assert f"sha256:{digest.hexdigest()}" == diff_ids[index]
        marks = "".join("X" if i in new else "=" for i in range(1, len(diff_ids)))
        return Release(diff_ids, built.seconds, marks, sum(compressed(image, i) for i in new))
    finally:
        image.close()


def compressed(image: OpenImage, index: int) -> int:
    blob = image.image.layers[index].blob
    if blob is not None:
        return blob.size
    with image.open_tar(index) as tar:
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as packer:
            while block := tar.read(1 << 20):
                packer.write(block)
    return packed.tell()


def provide_bases(builder: Builder, dockerfile: Path) -> None:
    document = parse(dockerfile.read_bytes())
    for stage in document.stages:
        if document.stage(stage.image.text, stage.index) is None:
            builder.provide(stage.image.text)
