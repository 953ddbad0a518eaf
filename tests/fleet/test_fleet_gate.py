"""`imgopt fleet gate`: budgets of all modules together, in one report that no module ends."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import Imgopt
from fleet_repositories import MODULES, shop


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return shop(tmp_path)


def test_holds_and_breaks(here: Path, imgopt: Imgopt) -> None:
    first = imgopt("fleet", "--format", "json").json["first_push_bytes"]
    run = imgopt("fleet", "gate", "--max-first-push", "1GB", "--format", "json")
    assert run.code == 0, run.err
    assert run.json["passed"] is True
    (budget,) = run.json["budgets"]
    # each blob once: the base of three images is sent once
    assert budget["actual"] < first["now"]["bytes"] / 2
    assert budget["source"] == "--max-first-push"
    run = imgopt("fleet", "gate", "--max-first-push", "100MB", "--max-bump", "1 min at 0.5MB/s")
    assert run.code == 1
    assert "over  max-first-push 100.0 MB" in run.text and "ok  max-bump" in run.text
    assert run.text.splitlines()[-1] == "the gate fails: 1 over budget"


def test_the_configuration_and_the_command_line_over_it(here: Path, imgopt: Imgopt) -> None:
    Path("imgopt.toml").write_text('[fleet]\nmax-first-push = "1MB"\nmax-next-push = "20 min"\n')
    run = imgopt("fleet", "gate", "--format", "json")
    assert run.code == 1
    told = {each["name"]: (each["passed"], each["source"]) for each in run.json["budgets"]}
    assert told == {
        "max-first-push": (False, "imgopt.toml:2"),
        "max-next-push": (True, "imgopt.toml:3"),
    }
    assert imgopt("fleet", "gate", "--max-first-push", "1GB").code == 0


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[fleet]\nmax-frist-push = "1MB"\n', "max-first-push"),
        ('[fleet]\nmax-size = "1MB"\n', "max-size"),
        ("[fleet]\nmax-bump = 3\n", "has no unit"),
        ("fleet = 3\n", "fleet"),
    ],
)
def test_a_wrong_configuration(here: Path, imgopt: Imgopt, toml: str, said: str) -> None:
    Path("imgopt.toml").write_text(toml)
    run = imgopt("fleet", "gate")
    assert run.code == 2
    assert said in run.err and len(run.err.splitlines()) == 1


def test_no_budget_is_no_gate(here: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", "gate")
    assert run.code == 2
    assert "there is no budget to hold the modules against" in run.err


def test_one_junit_file_in_which_a_failing_module_stops_no_other(here: Path, imgopt: Imgopt) -> None:
    Path("imgopt.toml").write_text(
        '[budgets]\nmax-size = "1GB"\n[budgets."order"]\nmax-size = "1MB"\n[fleet]\nmax-first-push = "1GB"\n'
    )
    run = imgopt("fleet", "gate", "--format", "junit")
    assert run.code == 1
    suites = ElementTree.fromstring(run.text)
    told = {
        suite.get("name", "").rpartition(": ")[2]: (
            suite.get("tests"),
            suite.get("failures"),
            suite.get("errors"),
        )
        for suite in suites
    }
    assert told["all modules"] == ("1", "0", "0")
    assert len(told) == 1 + len(MODULES)
    assert sorted(failures for _, failures, _ in told.values()) == ["0", "0", "0", "1"]


def test_what_cannot_be_measured_passes_nothing(here: Path, imgopt: Imgopt) -> None:
    Path("order/target/order-1.0.jar").unlink()
    run = imgopt("fleet", "gate", "--max-first-push", "1GB", "--format", "json")
    assert run.code == 3
    (budget,) = run.json["budgets"]
    assert (budget["passed"], budget["measured"]) == (False, False)
    assert "order" in budget["message"] and "build the archives first" in budget["message"]
    # what is known is over already: no more is needed
    assert imgopt("fleet", "gate", "--max-first-push", "10MB").code == 1
    junit = ElementTree.fromstring(
        imgopt("fleet", "gate", "--max-first-push", "1GB", "--format", "junit").text
    )
    assert [suite.get("errors") for suite in junit] == ["1"]


def test_a_broken_dockerfile_is_an_error_beside_the_verdicts(here: Path, imgopt: Imgopt) -> None:
    Path("imgopt.toml").write_text('[budgets]\nmax-size = "1GB"\n')
    Path("order/Dockerfile").write_text("FROM\n")
    run = imgopt("fleet", "gate", "--format", "json")
    assert run.code == 2
    assert [each["path"] for each in run.json["errors"]] == ["order/Dockerfile"]
    assert len(run.json["targets"]) == 2
    # with one image missing nobody knows what all push
    assert imgopt("fleet", "gate", "--max-first-push", "1GB").code == 3


def test_a_directory_that_is_called_like_a_command(
    here: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = here / "in" / "gate"
    shop(inner)
    monkeypatch.chdir(inner.parent)
    assert "3 images" in imgopt("fleet", "./gate").text
