"""`imgopt compare --push-to`: real pushes of both images and of their next release, beside what was predicted of them."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stand_ins
from private_docker import Engine
from registries import Proxy, Registry, Trouble

from imgopt.cli import main
from imgopt.comparison.compare import Comparison, Pushed, Settings, Workshop, push_both
from imgopt.registry.client import Access
from imgopt.registry.errors import RegistryError
from imgopt.registry.push import check_push
from imgopt.report.comparison import _pushed as lines_of
from imgopt.report.comparison_json import _pushed as object_of
from imgopt.report.layout import width_of
from imgopt.sources import open_image
from imgopt.weigh.weights import ImageWeight, LayerWeight, Prediction

Release = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pushes(repository: str, release: Release, tmp_path: Path, access: Access | None = None) -> Pushed:
    """Original and rewrite have the two large layers in common."""
    settings = Settings(run=None, push_to=repository, access=access)
    none: Any = None
    shop = Workshop(none, none, settings, tmp_path, lambda text: None, {})
    with contextlib.ExitStack() as stack:
        images = [stack.enter_context(open_image(str(release(number)))) for number in range(1, 5)]
        first = {"before": images[0], "after": images[1]}
        later = {"before": images[2], "after": images[3]}
        return push_both(shop, repository, first, later)


def tags(name: str, repository: str) -> list[str]:
    with urllib.request.urlopen(f"http://{name}/v2/{repository}/tags/list") as response:
        return json.load(response)["tags"] or []


def test_what_was_sent_stands_beside_what_was_predicted(
    release: Release, shared_registry: Registry, repository: str, tmp_path: Path
) -> None:
    found = pushes(f"{shared_registry.name}/{repository}", release, tmp_path)
    assert found.removed and tags(shared_registry.name, repository) == []
    layers = [
        LayerWeight("COPY", 1, size, size, size < 9000, "measured") for size in (400_000, 200_000, 3000)
    ]
    weight = ImageWeight(tuple(layers))
    none: Any = None
    report: Any = SimpleNamespace(prediction=Prediction(weight, weight, (), ()))
    comparison = Comparison(report, "", "", none, none, none, none, none, none, found, ())
    shown: dict[str, Any] = object_of(comparison, found)
    for name, most in (("before", 610_000), ("after", 8000), ("next_before", 8000), ("next_after", 8000)):
        push, predicted = shown[name], shown[name]["predicted"]
        assert push["basis"] == "measured" and predicted["basis"] == "predicted"
        assert 3000 < push["sent_bytes"] < most
        assert predicted["sent_bytes"] == pytest.approx(push["sent_bytes"], rel=0.05, abs=2000)
        assert (
            predicted["seconds"] > 0 and predicted["bandwidth_bytes_per_s"] == shown["before"]["bytes_per_s"]
        )
    rows = ["".join(piece for piece, _ in row) for row in lines_of(comparison, 80)]
    assert sum("next release" in row for row in rows) == 2
    assert max(width_of(row) for row in lines_of(comparison, 80)) <= 80


def test_what_stays_is_said(release: Release, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    """A registry that refuses to delete, or fails: its tags stay, and the report must not say otherwise."""
    proxy.troubles = [Trouble("DELETE", "/manifests/", times=None, status=401)]
    access = Access(tries=1)
    assert not pushes(f"{proxy.name}/{repository}", release, tmp_path, access).removed
    assert len(tags(proxy.name, repository)) == 4


def test_what_was_pushed_goes_when_a_later_push_fails(
    release: Release, proxy: Proxy, repository: str, tmp_path: Path
) -> None:
    proxy.troubles = [Trouble("PUT", "-next-", times=None, status=403)]
    with pytest.raises(RegistryError):
        pushes(f"{proxy.name}/{repository}", release, tmp_path)
    assert tags(proxy.name, repository) == []


def test_the_registry_is_asked_before_anything_is_built(
    proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    before = len(shared_registry.uploads())
    check_push(f"{proxy.name}/{repository}")
    assert len(shared_registry.uploads()) == before
    proxy.troubles = [Trouble("POST", times=None, status=403)]
    with pytest.raises(RegistryError, match="does not let anybody without a login push"):
        check_push(f"{proxy.name}/{repository}")


def test_how_a_registry_is_reached_needs_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert main(["compare", str(tmp_path), "--insecure"]) == 2
    assert "--push-to" in capsys.readouterr().err


def test_what_was_measured_is_not_lost_when_a_push_fails(
    app: Callable[..., Path],
    engine: Engine,
    proxy: Proxy,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("eclipse-temurin:17-jdk", "eclipse-temurin:17-jre-alpine"):
        stand_ins.stand_in(engine, name)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "app.jar").hardlink_to(app("3.5.16"))
    (tmp_path / "Dockerfile").write_text(
        'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
    )
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    proxy.troubles = [Trouble("PUT", "/manifests/", times=None, status=403)]
    arguments = ["--no-run", "--format", "json", "--push-to", f"{proxy.name}/{repository}"]
    assert main(["compare", str(tmp_path), *arguments]) == 3
    output, said = capsys.readouterr()
    assert said.count("error: ") == 1
    found = json.loads(output)
    assert found["pushed"] is None and "does not let anybody" in found["errors"][0]["message"]
    assert found["after"]["compressed_bytes"] < found["before"]["compressed_bytes"]
