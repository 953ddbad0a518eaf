"""A table of budgets that fits no image: an error where it may have been meant for one, else a word."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from command_line import Imgopt, Run
from image_samples import docker_archive, layer


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def gated(imgopt: Imgopt, tables: list[str], *names: str, more: tuple[str, ...] = ()) -> Run:
    image = docker_archive(Path("i.tar"), [layer({"a": random.Random(1).randbytes(1000)})])
    text = '[budgets]\nmax-size = "1GB"\n' + "".join(
        f'[budgets."{name}"]\nmax-size = "1GB"\n' for name in tables
    )
    Path("imgopt.toml").write_text(text)
    return imgopt("gate", *(f"{name}={image}" for name in names), *more)


@pytest.mark.parametrize(
    ("tables", "names", "line", "hint"),
    [
        (["shop/apo"], ["shop/api"], 4, "did you mean shop/api?"),
        (["shop/api-server"], ["shop/api"], 4, "did you mean shop/api?"),
        (["zzz"], ["shop/api"], 4, "one of shop/api"),
        (["shp/*"], ["shop/api"], 4, "did you mean shop/api?"),
        (["shop/api", "shop/wbe"], ["shop/api", "shop/web"], 6, "did you mean shop/web?"),
        # thirteen others, and one that is almost this one
        ([f"team/service-{number}" for number in range(13)] + ["shop/apii"], ["shop/api"], 30, "did you mean shop/api?"),
    ],
)  # fmt: skip
def test_a_table_that_may_be_meant_for_an_image_is_an_error(
    imgopt: Imgopt, tables: list[str], names: list[str], line: int, hint: str
) -> None:
    run = gated(imgopt, tables, *names)
    assert run.code == 2 and f"error: imgopt.toml:{line}: " in run.err and hint in run.err
    assert "fits no image" in run.err
    told = gated(imgopt, tables, *names, more=("--format", "json")).json
    assert told["passed"] is False and told["errors"][-1]["line"] == line


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        # one file for all modules, one job for each
        (["shop/api", "shop/web", "shop/cart"], ["shop/api"]),
        ([f"team/service-{number}" for number in range(13)], ["shop/api"]),
        (["shop/legacy-*"], ["shop/api"]),
        (["shop/api", "shop/ap"], ["shop/api"]),
    ],
)
def test_a_table_of_other_images_is_told(imgopt: Imgopt, tables: list[str], names: list[str]) -> None:
    run = gated(imgopt, tables, *names)
    assert run.code == 0 and "no image of this call fits [budgets." in run.text


def test_a_table_of_a_known_image_is_not_even_told(imgopt: Imgopt) -> None:
    for place in ("web/Dockerfile", "deploy/Dockerfile.cart", "services/team/orders/pom.xml"):
        Path(place).parent.mkdir(parents=True)
        Path(place).write_text("FROM scratch\n")
    run = gated(imgopt, ["shop/web", "shop/cart", "shop/orders"], "shop/api")
    assert run.code == 0 and "fits" not in run.text
    gated(imgopt, [], "shop/appi", more=("--baseline", "b.json", "--update-baseline"))
    run = gated(imgopt, ["shop/appi"], "shop/api", more=("--baseline", "b.json", "--update-baseline"))
    assert run.code == 0 and "fits" not in run.text


@pytest.mark.parametrize(
    "table", ["shop-worker", "shop/worker", "team/shop_worker", "shop.worker", "shop-job-runner"]
)
def test_a_module_is_the_end_of_its_image_s_name(imgopt: Imgopt, table: str) -> None:
    for module in ("api", "worker", "job-runner"):
        Path(module).mkdir()
        Path(module, "Dockerfile").write_text("FROM scratch\n")
    run = gated(imgopt, [table], "shop-api")
    assert run.code == 0 and "fits" not in run.text


@pytest.mark.parametrize("table", ["shopp-api", "payment-api", "shop-worker", "shop-apiworker"])
def test_a_module_of_the_image_itself_excuses_no_table(imgopt: Imgopt, table: str) -> None:
    Path("api").mkdir()
    Path("api/Dockerfile").write_text("FROM scratch\n")
    run = gated(imgopt, [table], "shop-api")
    assert run.code == 2 and "fits no image" in run.err
    assert "the gate fails: 1 mistake in the configuration" in run.text and "not measured" not in run.text


def test_a_table_for_an_image_that_cannot_be_had_fits_it(imgopt: Imgopt) -> None:
    Path("imgopt.toml").write_text('[budgets."cut.tar"]\nmax-size = "1GB"\n')
    Path("cut.tar").write_bytes(b"x" * 2000)
    run = imgopt("gate", "cut.tar")
    assert run.code == 2 and "fits no image" not in run.err


def test_before_any_build_a_dockerfile_has_no_name_yet(imgopt: Imgopt) -> None:
    Path("Dockerfile").write_text("FROM eclipse-temurin:17-jre\n")
    Path("imgopt.toml").write_text('[budgets]\nmax-size = "1GB"\n[budgets."shop/apo"]\nmax-size = "1GB"\n')
    run = imgopt("gate", "--predict", "Dockerfile")
    assert run.code == 0 and 'no image of this call fits [budgets."shop/apo"]' in run.text
    named = imgopt("gate", "--predict", "shop/api=Dockerfile")
    assert named.code == 2 and "did you mean shop/api?" in named.err
