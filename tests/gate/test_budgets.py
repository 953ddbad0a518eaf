"""Budgets as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Imgopt
from image_samples import docker_archive, layer

from imgopt.config import load
from imgopt.errors import ConfigError, UsageError
from imgopt.gate.budgets import NAMES, Growth, limits_for, parse_limit
from imgopt.gate.subject import image_name


@pytest.mark.parametrize(
    ("name", "value", "wanted", "unit", "rate"),
    [
        ("max-size", "200MB", 200_000_000, "bytes", None),
        ("max-size", "200 MiB", 200 << 20, "bytes", None),
        ("max-layer", "1.5GB", 1_500_000_000, "bytes", None),
        ("max-first-push", "300s", 300.0, "seconds", None),
        ("max-first-push", "5 min at 0.5MB/s", 300.0, "seconds", 500_000),
        ("max-next-push", "1 h at 0.5-1MB/s", 3600.0, "seconds", 500_000),
        ("max-next-push", "5 min at aliyun-personal", 300.0, "seconds", 500_000),
        ("max-next-push", "5MB", 5_000_000, "bytes", None),
        ("max-layers", 12, 12, "layers", None),
        ("max-layers", "12", 12, "layers", None),
        ("max-waste", "5%", 0.05, "share", None),
        ("max-waste", "5MB", 5_000_000, "bytes", None),
        ("min-efficiency", 0.95, 0.95, "share", None),
        ("min-efficiency", "95%", 0.95, "share", None),
        ("min-efficiency", 1, 1.0, "share", None),
        ("forbid", "root-user, jdk", ("jdk", "root-user"), "names", None),
        ("forbid", ["build-tools"], ("build-tools",), "names", None),
        ("forbid", "jdk", ("jdk",), "names", None),
        ("max-size", "0MB", 0, "bytes", None),
        ("max-growth", "5%", Growth(percent=5.0), "growth", None),
        ("max-growth", "20MB", Growth(bytes=20_000_000), "growth", None),
        ("max-growth", "5%, 20MB, floor 1MB", Growth(20_000_000, 5.0, 1_000_000), "growth", None),
        ("max-growth", ["5%", "20MB"], Growth(20_000_000, 5.0), "growth", None),
        ("max-growth", {"percent": 5, "floor": "1MB"}, Growth(None, 5.0, 1_000_000), "growth", None),
    ],
)
def test_what_is_understood(name: str, value: object, wanted: object, unit: str, rate: int | None) -> None:
    limit = parse_limit(name, value, "here")
    assert (limit.value, limit.unit, limit.rate, limit.source) == (wanted, unit, rate, "here")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("max-size", "200", "is not a size"),
        ("max-size", 200, "max-size has no unit"),
        ("max-size", "200Mb", "is not a size"),
        ("max-size", True, "cannot be True"),
        ("max-next-push", "soon", "write a size (5MB) or a time"),
        ("max-next-push", "5 min at noon", "noon"),
        ("max-layers", 0, "a number of layers"),
        ("max-layers", "many", "a number of layers"),
        ("min-efficiency", 95, "between 0 and 1"),
        ("min-efficiency", "good", "write 0.95 or 95%"),
        ("min-efficiency", float("nan"), "between 0 and 1"),
        ("forbid", "jdks", "did you mean jdk?"),
        ("forbid", " , ", "forbid names nothing"),
        ("max-next-push", "5 min at aliyun-persona", "did you mean aliyun-personal?"),
        ("max-size", "nan", "is not a size"),
        ("max-size", float("nan"), "max-size has no unit"),
        ("max-size", float("inf"), "max-size has no unit"),
        ("max-size", "1e400MB", "is not a size"),
        ("max-size", "-5MB", "is not a size"),
        ("max-size", "", "is not a size"),
        ("max-size", ["5MB"], "cannot be"),
        ("max-first-push", "1e400 s", "write a size (5MB) or a time"),
        ("max-first-push", "-5 s", "write a size (5MB) or a time"),
        ("max-next-push", "nan", "write a size (5MB) or a time"),
        ("max-layers", -1, "a number of layers"),
        ("max-layers", float("inf"), "a number of layers"),
        ("max-layers", "-1", "a number of layers"),
        ("max-waste", "nan%", "is not a size"),
        ("max-waste", "-5%", "is not a size"),
        ("max-waste", "101%", "between 0 and 1"),
        ("min-efficiency", "nan", "between 0 and 1"),
        ("min-efficiency", float("inf"), "between 0 and 1"),
        ("min-efficiency", -0.1, "between 0 and 1"),
        ("forbid", {"jdk": True}, "forbid must be a list"),
        ("forbid", [["jdk"]], "forbid must be a list"),
        ("forbid", True, "forbid must be a list"),
        ("max-growth", "-5%", "cannot be '-5%'"),
        ("max-growth", {"percent": float("nan")}, "cannot be"),
        ("max-growth", {"percent": float("inf")}, "cannot be"),
        ("max-growth", {"percent": -1}, "cannot be"),
        ("max-growth", "a lot", "is not a size"),
        ("max-growth", "floor 1MB", "a floor alone"),
        ("max-growth", "5%, 6%", "says percent twice"),
        ("max-growth", {"per-cent": 5}, "did you mean percent?"),
        ("max-sise", "1MB", "did you mean max-size?"),
    ],
)
def test_what_is_not(name: str, value: object, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_limit(name, value, "here")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("growth", "baseline", "allowed"),
    [
        (Growth(bytes=0), 100, 0),
        (Growth(bytes=0, floor=7), 100, 7),
        (Growth(percent=5.0), 1000, 50),
        (Growth(20, 5.0), 1000, 20),
        (Growth(20, 5.0), 200, 10),
        (Growth(20, 5.0, 15), 200, 15),
        (Growth(percent=5.0), 0, 0),
    ],
)
def test_growth_is_the_smaller_bound_but_never_below_the_floor(
    growth: Growth, baseline: int, allowed: int
) -> None:
    assert growth.allowed(baseline) == allowed


CONFIG = """
[budgets]
max-size = "200MB"
forbid = ["jdk"]
max-growth = { percent = 5, floor = "1MB" }

[budgets."shop/*"]
max-size = "100MB"

[budgets."*api*"]
max-layers = 9
forbid = []
"""


def test_the_file_by_name_and_glob_and_the_command_line_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imgopt.toml").write_text(CONFIG)
    tables = load(None, [str(tmp_path)]).budgets

    def found(name: str) -> dict[str, tuple[object, str]]:
        return {limit.name: (limit.value, limit.source) for limit in limits_for([name], tables, ())}

    assert found("other") == {
        "max-size": (200_000_000, "imgopt.toml:3"),
        "forbid": (("jdk",), "imgopt.toml:4"),
        "max-growth": (Growth(None, 5.0, 1_000_000), "imgopt.toml:5"),
    }
    assert found("shop/web:1")["max-size"] == (100_000_000, "imgopt.toml:8")
    assert (
        found("shop/api:1")["forbid"] == ((), "imgopt.toml:12") and found("shop/api:1")["max-layers"][0] == 9
    )
    given = [parse_limit("max-size", "1MB", "--max-size")]
    assert limits_for(["shop/api"], tables, given)[0].source == "--max-size"
    assert [limit.name for limit in limits_for(["shop/api"], tables, given)] == [
        name for name in NAMES if name in ("max-size", "max-layers", "forbid", "max-growth")
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[budgets]\nmax-sise = "1MB"\n', 2, "unknown key 'budgets.max-sise'; did you mean max-size?"),
        ('[budgets."a/*"]\nmax-layer = "1MB"\nmax_size = "1MB"\n', 3, "did you mean max-size?"),
        ("[budgets]\nmax-size = 200\n", 2, "max-size has no unit"),
        ('[budgets]\n\nforbid = ["jre"]\n', 3, "forbid does not know 'jre'"),
        ("budgets = 3\n", 1, "budgets must be a table"),
        ('[gate]\nbase-line = "x"\n', 2, "did you mean baseline?"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    (tmp_path / "imgopt.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(None, [str(tmp_path)])
    assert error.value.line == line and says in str(error.value)


def test_every_budget_is_an_option(imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = docker_archive(tmp_path / "image.tar", [layer({"a": b"a" * 1000})], User="1000")
    options = {
        "max-size": "1MB",
        "max-unpacked": "1MB",
        "max-layer": "1MB",
        "max-first-push": "1 min at 1MB/s",
        "max-next-push": "1B",
        "max-bump": "1B",
        "max-layers": "3",
        "max-waste": "5%",
        "min-efficiency": "0.9",
        "forbid": "jdk",
        "max-growth": "5%",
    }
    assert set(options) == set(NAMES)
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    run = imgopt("gate", "--format", "json", *arguments, image)
    (target,) = run.json["targets"]
    assert [each["name"] for each in target["budgets"]] == list(NAMES)
    assert {each["source"] for each in target["budgets"]} == {f"--{name}" for name in NAMES}
    # no application is in it, the whole is over the limit, and there is no baseline: three cannot be measured
    assert run.code == 3 and run.json["passed"] is False
    assert [each["name"] for each in target["budgets"] if not each["measured"]] == [
        "max-next-push",
        "max-bump",
        "max-growth",
    ]


@pytest.mark.parametrize(
    ("target", "reference", "name"),
    [
        ("docker:shop/api:7", "shop/api:7", "shop/api"),
        ("docker:api:7", "api:7", "api"),
        ("api:7", "api:7", "api"),
        ("api", "api", "api"),
        ("harbor.corp:5000/shop/api:7", "harbor.corp:5000/shop/api:7", "harbor.corp:5000/shop/api"),
        ("harbor.corp:5000/shop/api", "harbor.corp:5000/shop/api", "harbor.corp:5000/shop/api"),
        ("registry:harbor.corp/api@sha256:ab", "harbor.corp/api@sha256:ab", "harbor.corp/api"),
        ("image.tar", "shop/api:7", "shop/api"),
        ("image.tar", "api:7", "api"),
        ("layout", "7", "layout"),
        ("there", "there", "there"),
    ],
)
def test_an_image_keeps_its_name_from_release_to_release(
    target: str, reference: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").write_bytes(b"")
    assert image_name(target, reference) == name
