"""A release with another patch of Spring Boot: what a registry that has the first release still needs, with nothing cached."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from boot_jar import library
from private_docker import Engine, Layer
from start_forms import FORMS, context, provide_bases
from test_rewrites_run import rewrite

from imgopt.plans.layers.apart import OFTEN

#: What the demo application does not need: libraries that Spring Boot does not manage, and such that it manages and that few
#: of its patches move.
ADDED = {"hutool-all-5.8.39": 4_500_000, "poi-ooxml-5.4.1": 600_000, "postgresql-42.7.7": 4_500_000}
#: What the patch of this test moves. A real one changes their names, too: for a layer that is the same.
MOVED = ("spring-", "tomcat-embed-")


@pytest.mark.parametrize(("builder", "spring_boot"), [("classic", "3.5.16"), ("buildkit", "2.7.18")])
def test_a_patch_sends_what_it_moves_and_leaves_the_rest(
    builder: str, spring_boot: str, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    added = {f"{name}.jar": library(size=size, seed=size) for name, size in ADDED.items()}
    first = apps.changed(app(spring_boot), tmp_path / "app.jar", added=added)
    for name in ("classes", "patched"):
        (tmp_path / name).mkdir()
    classes = apps.next_release(first, tmp_path / "classes" / "app.jar")
    patched = apps.changed(classes, tmp_path / "patched" / "app.jar", moved=MOVED)
    releases: list[dict[str, Layer]] = []
    for number, jar in enumerate((first, classes, patched)):
        project = context(tmp_path / str(number), jar, FORMS[0], "eclipse-temurin:17-jdk")
        rewrite(project)
        provide_bases(engine, project / "Dockerfile.imgopt")
        tag = f"patch-{builder}:{number}"
        engine.build(
            project, tag, dockerfile="Dockerfile.imgopt", cache=False, buildkit=builder == "buildkit"
        )
        layers = engine.layers(tag, wanted=lambda index: index > 0)  # the first one is the base
        releases.append({layer.diff_id: layer for layer in layers if layer})
    before, after, patch = releases
    assert _libraries(_new(before, after)) == set()
    assert sum(layer.compressed_bytes for layer in _new(before, after)) <= 10_000
    sent = _libraries(_new(after, patch))
    assert {"spring-core", "tomcat-embed-core"} <= {re.sub(r"-\d.*", "", name) for name in sent}
    assert [name for name in sent if not name.startswith(tuple(f"{each}-" for each in OFTEN))] == []
    kept = _libraries([layer for digest, layer in patch.items() if digest in after])
    assert {"hutool-all-5.8.39.jar", "poi-ooxml-5.4.1.jar", "postgresql-42.7.7.jar"} <= kept
    service = engine.start(tag, ())
    try:
        service.wait()
        assert service.get("/page").status == 200
    finally:
        service.stop()


def _new(before: dict[str, Layer], after: dict[str, Layer]) -> list[Layer]:
    return [layer for digest, layer in after.items() if digest not in before]


def _libraries(layers: list[Layer]) -> set[str]:
    names = (entry[0] for layer in layers for entry in layer.entries)
    return {name.rpartition("/")[2] for name in names if "/lib/" in name and name.endswith(".jar")}
