"""`imgopt compare --next-release boot-patch`: what a registry needs of the release with another patch of Spring Boot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import apps
import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt, imgopt
from private_docker import Engine
from test_mended import compare, open_builder, project

from imgopt.build_context.tree import open_context
from imgopt.comparison.next_release import make_context, plan_patch
from imgopt.dockerfile import parse
from imgopt.java.next_jar import Unchangeable
from imgopt.options import Options
from imgopt.picture import Jars, Picture, take_picture

__all__ = ["imgopt"]
DOCKERFILE = """\
FROM eclipse-temurin:17-jre
COPY target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    boot_jar(tmp_path / "service/target/app.jar", version="3.5.4")
    (tmp_path / "service/Dockerfile").write_text(DOCKERFILE)
    context = open_context(tmp_path / "service", tmp_path / "service/Dockerfile")
    document = parse(DOCKERFILE, str(tmp_path / "service/Dockerfile"))
    return take_picture(document, context, Options(), Jars())


def test_the_given_jar_stands_in_place_of_that_of_the_context(picture: Picture, tmp_path: Path) -> None:
    given = tmp_path / "patched.jar"
    boot_jar(given, version="3.5.5")
    change = plan_patch(picture, given)
    assert not isinstance(change, Unchangeable) and picture.context is not None
    assert (change.kind, change.path) == ("patch", "target/app.jar")
    assert "Spring Boot 3.5.5" in change.description and "target/app.jar" in change.description
    before = (tmp_path / "service/target/app.jar").read_bytes()
    (tmp_path / "copy").mkdir()
    made = make_context(picture.context, change, tmp_path / "copy")
    assert (made.root / "target/app.jar").read_bytes() == given.read_bytes() != before
    assert (tmp_path / "service/target/app.jar").read_bytes() == before


@pytest.mark.parametrize(
    ("version", "manifest", "why"),
    [
        ("3.5.4", {}, "no other patch of one line"),
        ("3.4.9", {}, "no other patch of one line"),
        ("3.5.5", {"Start-Class": "com.example.Other"}, "is not the application"),
    ],
    ids=["same-patch", "another-line", "another-application"],
)
def test_it_has_to_be_the_same_application_with_another_patch(
    picture: Picture, tmp_path: Path, version: str, manifest: dict[str, str], why: str
) -> None:
    given = tmp_path / "patched.jar"
    boot_jar(given, version=version, manifest=manifest)
    change = plan_patch(picture, given)
    assert isinstance(change, Unchangeable) and why in change.reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--next-release", "boot-patch", "."), "give --patched-jar JAR"),
        ((".", "--next-release", "--patched-jar", "a.jar"), "--patched-jar is for --next-release boot-patch"),
        (("--patched-jar=a.jar", "."), "--patched-jar is for --next-release boot-patch"),
        (("--next-release=boot", "."), "boot-patch"),
    ],
)
def test_a_patch_needs_its_jar(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    run = imgopt("compare", *arguments)
    assert run.code == 2 and said in run.err


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_what_a_patch_sends_is_measured(
    name: str, request: pytest.FixtureRequest, app: Callable[..., Path], engine: Engine, tmp_path: Path
) -> None:
    builder = open_builder(name, request, engine)
    builder.provide("eclipse-temurin:17-jre")
    builder.provide("eclipse-temurin:17-jre-alpine")
    added = {"hutool-all-5.8.39.jar": library(size=5_000_000)}
    first = apps.changed(app("3.5.16"), tmp_path / "first.jar", added=added)
    given = apps.changed(first, tmp_path / "patched.jar", moved=("spring-",), spring_boot="3.5.15")
    root = project(tmp_path / "project", first, DOCKERFILE)
    options = ("--next-release", "boot-patch", "--patched-jar", str(given), "--no-run", "--format", "json")
    done = compare(builder, engine, root, *options, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    sent = answer["bump_push_bytes"]
    assert answer["next_release"]["kind"] == "boot-patch" and sent["basis"] == "measured"
    assert 5_000_000 < sent["after"] < sent["before"] - 5_000_000
    assert answer["next_push_bytes"] == {"before": None, "after": None, "basis": "unknown"}
    layers = [each for each in answer["after"]["layers"] if not each["from_base"]]
    kept = [each["compressed_bytes"] for each in layers if each["changes_each_bump"] is False]
    assert any(5_000_000 < size < 5_100_000 for size in kept), layers
    assert all(each["changes_each_release"] is None for each in layers)
    predicted = answer["prediction"]["bump_push_bytes"]["after"]
    assert predicted >= sent["after"] * 0.97
