"""A fleet of real applications: Maven makes the layers that were planned, and images of different modules share their blobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apps
import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt
from private_docker import Engine
from real_fleet import MODULES, build, dockerfiles, write
from start_forms import provide_bases

from imgopt.cli import main
from imgopt.fleet.layering import with_plan
from imgopt.fleet.plan_file import read
from imgopt.java.jar import read_jar
from imgopt.java.model import Jar
from imgopt.java.spring_boot import layered

SOME = {name: MODULES[name] for name in ("gateway", "user", "order", "search", "notice")}
#: They share a Dockerfile, and have different starters.
SHARED = 3


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Jar]]]:
    """The repository after `fleet write` and another build, and the archives of the build before."""
    if apps.missing():
        pytest.skip(str(apps.missing()))
    root = tmp_path_factory.mktemp("fleet")
    (root / ".git").mkdir()
    write(root, SOME)
    dockerfiles(root, SOME)
    build(root)
    before = {name: read_jar(root / name / f"target/{name}-1.0.jar") for name in SOME}
    assert main(["fleet", "write", str(root), "--in-place", "--quiet"]) == 0
    build(root)
    yield root, before


@pytest.mark.maven
def test_the_build_makes_the_layers_of_the_plan(fleet: tuple[Path, dict[str, Jar]], imgopt: Imgopt) -> None:
    root, before = fleet
    plan = read(root / "imgopt-fleet.toml")
    assert plan is not None and plan.groups
    for name, jar in before.items():
        now = read_jar(root / name / f"target/{name}-1.0.jar")
        made, told = layered(now), layered(with_plan(jar, plan))
        assert [layer for layer, _ in made] == [layer for layer, _ in told]
        for (layer, entries), (_, expected) in zip(made, told, strict=True):
            assert {each.name for each in entries} == {each.name for each in expected}, layer
    assert imgopt("fleet", "write", root, "--check").code == 0
    answer = imgopt("fleet", root, "--format", "json").json
    assert [each["name"] for each in answer["actions"]] == ["mount"]
    first, bump = answer["first_push_bytes"], answer["bump_push_bytes"]
    assert first["planned"]["bytes"] <= 1.05 * first["best"]["bytes"]
    assert bump["planned"]["bytes"] <= 1.6 * bump["best"]["bytes"]


@pytest.mark.maven
@pytest.mark.parametrize("buildkit", [False, True], ids=["classic", "buildkit"])
def test_images_of_different_modules_share_their_blobs(
    fleet: tuple[Path, dict[str, Jar]], engine: Engine, imgopt: Imgopt, buildkit: bool
) -> None:
    root, _ = fleet
    answer = imgopt("fleet", root, "--format", "json").json
    layers: dict[str, int] = {}
    copies = 0
    images = [module["image"] for module in answer["modules"] if module["image"]]
    if not buildkit:  # two lines in a row that copy nothing are more than the classic builder takes
        images = images[: len(images) - SHARED]
    there = {module["directory"] for module in answer["modules"] if module["image"] in images}
    for image in images:
        dockerfile, context = Path(image["dockerfile"]), Path(image["context"])
        provide_bases(engine, dockerfile)
        tag = f"fleet-{'buildkit' if buildkit else 'classic'}:{dockerfile.parent.name.lower()}-{len(layers)}"
        engine.build(
            context,
            tag,
            dockerfile=str(dockerfile.resolve()),
            cache=False,
            buildkit=buildkit,
            build_args=image["build_args"],
        )
        for layer in engine.layers(tag, wanted=lambda index: index > 0):  # the first one is the base
            if layer:
                copies += layer.compressed_bytes
                layers[layer.diff_id] = layer.compressed_bytes
    sent = sum(layers.values())
    told = [each for each in answer["layers"] if not each["from_base"] and there & set(each["modules"])]
    best = sum(each["bytes"] for each in told)
    assert sent < 0.8 * copies
    assert abs(sent - best) < 0.03 * best
