"""Which libraries get shared layers: within 5 % of each file once, and with work that grows with distinct files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from command_line import Imgopt
from fleet_repositories import MODULES, archive, shop

from imgopt.errors import InputError
from imgopt.fleet import plan_file
from imgopt.fleet.plan import MOST_GROUPS, File, Plan, bound, cost, planned

# three stacks as fleets have them: what all have, what those with a database have, what those with a queue have ...
_STACKS = {"base": 1.0, "web": 0.9, "jpa": 0.6, "redis": 0.5, "mq": 0.2}


def fleet(modules: int, libraries: int) -> dict[str, dict[str, tuple[File, ...]]]:
    """Modules that each take whole stacks, and a few libraries of their own."""
    chance = random.Random(7)
    stacks = list(_STACKS)
    found: dict[str, dict[str, tuple[File, ...]]] = {}
    files = [
        File(f"lib{number}", ("lib", number), 1_000 * (1 + number % 400), number % 2 == 0, number % 2 == 0)
        for number in range(libraries)
    ]
    for number in range(modules):
        mine = {name for name in stacks if number / modules < _STACKS[name]}
        held = {
            each.artifact: (each,)
            for at, each in enumerate(files)
            if stacks[at * len(stacks) // libraries] in mine
        }
        own = File(f"own{number}", ("own", number), 20_000 + chance.randrange(1_000), False)
        found[f"m{number}"] = {**held, own.artifact: (own,)}
    return found


def test_200_modules_of_300_libraries_within_5_percent_of_each_file_once() -> None:
    modules = fleet(200, 300)
    plan = planned(modules)
    least = bound(modules)
    assert least.first == sum(
        size
        for size in {
            each.identity: each.bytes or 0 for of in modules.values() for (each,) in of.values()
        }.values()
    )
    assert len(plan.groups) <= MOST_GROUPS
    told = cost(plan, modules)
    assert told.first <= 1.05 * least.first
    assert told.bump <= 1.5 * least.bump
    assert cost(Plan(), modules).first > 20 * least.first


class Counted(dict[str, tuple[File, ...]]):
    """Counts how often a module's libraries are gone through."""

    passes = 0

    def items(self) -> object:  # type: ignore[override]
        Counted.passes += 1
        return super().items()


def test_each_copy_is_looked_at_twice_at_most() -> None:
    modules = {name: Counted(held) for name, held in fleet(50, 100).items()}
    Counted.passes = 0
    planned(modules)
    assert Counted.passes <= 2 * len(modules)


def test_each_library_is_compressed_once_however_many_have_it(
    tmp_path: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgopt.fleet import survey

    weighed: list[str] = []
    original = survey.Weigher.packed

    def packed(self: object, files: tuple[object, ...]) -> object:
        weighed.extend(getattr(file, "path", "") for file in files)
        return original(self, files)  # type: ignore[arg-type]

    monkeypatch.setattr(survey.Weigher, "packed", packed)
    (tmp_path / ".git").mkdir()
    assert imgopt("fleet", shop(tmp_path)).code == 0
    own = [path for path in weighed if path.endswith(".jar") and path.count("/") == 1]
    assert (
        len(own) == len(set(own)) == len({each for held in MODULES.values() for each in held}) + 1
    )  # the tools


def test_groups_hold_the_same_files_in_each_module() -> None:
    modules = fleet(20, 60)
    plan = planned(modules)
    for artifacts in plan.groups.values():
        have = [set(artifacts) & held.keys() for held in modules.values()]
        assert all(each in (set(), set(artifacts)) for each in have)


def test_common_groups_lie_lowest_and_those_that_a_patch_moves_above() -> None:
    modules = {
        "a": {"x": (File("x", 1, 500_000, True, True),), "y": (File("y", 2, 500_000, False),)},
        "b": {"x": (File("x", 1, 500_000, True, True),), "y": (File("y", 2, 500_000, False),)},
    }
    assert planned(modules).groups == {"shared-1": ("y",), "shared-2": ("x",)}


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_groups_than_asked_for(most: int) -> None:
    assert len(planned(fleet(20, 60), most).groups) == most


def test_what_one_module_has_alone_and_what_is_small_get_no_group() -> None:
    modules = {
        "a": {"mine": (File("mine", 1, 9_000_000, False),), "tiny": (File("tiny", 2, 900, True),)},
        "b": {"tiny": (File("tiny", 2, 900, True),)},
    }
    assert planned(modules).groups == {}


# the file


def test_a_plan_survives_a_bump_and_a_new_library(tmp_path: Path, imgopt: Imgopt) -> None:
    (tmp_path / ".git").mkdir()
    shop(tmp_path)
    run = imgopt("fleet", "plan", tmp_path)
    assert run.code == 0, run.err
    text = (tmp_path / "imgopt-fleet.toml").read_text()
    assert '"hutool-all"        = "shared-1"' in text and "5.8.38" not in text
    for name, artifacts in MODULES.items():
        archive(
            tmp_path / name / f"target/{name}-1.0.jar",
            [*artifacts, "tiny"],
            versions=dict.fromkeys(artifacts, "9.9"),
        )
    again = imgopt("fleet", "plan", tmp_path, "--format", "json").json
    assert again["kept"] is True
    assert (tmp_path / "imgopt-fleet.toml").read_text() == text
    placed = {artifact for group in again["groups"] for artifact in group["artifacts"]}
    assert placed == {"hutool-all", "spring-core", "spring-web", "tomcat-embed-core"}


def test_anew_makes_it_anew(tmp_path: Path, imgopt: Imgopt) -> None:
    (tmp_path / ".git").mkdir()
    shop(tmp_path)
    (tmp_path / "imgopt-fleet.toml").write_text('groups = ["shared-1"]\n[libraries]\n"poi" = "shared-1"\n')
    kept = imgopt("fleet", tmp_path, "--format", "json").json["plan"]
    assert kept["groups"] == {"shared-1": ["poi"]}
    assert imgopt("fleet", "plan", tmp_path, "--anew").code == 0
    assert "hutool-all" in (tmp_path / "imgopt-fleet.toml").read_text()


def test_the_objective_and_the_distance_are_printed(tmp_path: Path, imgopt: Imgopt) -> None:
    (tmp_path / ".git").mkdir()
    text = imgopt("fleet", "plan", shop(tmp_path)).text
    assert "libraries sent" in text and "each file once" in text and "1.00x" in text
    assert "chosen for the sum of both rows" in text


def test_no_plan_of_archives_that_are_not_built(tmp_path: Path, imgopt: Imgopt) -> None:
    (tmp_path / ".git").mkdir()
    shop(tmp_path)
    (tmp_path / "order/target/order-1.0.jar").unlink()
    run = imgopt("fleet", "plan", tmp_path)
    assert run.code == 3
    assert "what order would share is not known" in run.err and "mvn package" in run.err
    assert not (tmp_path / "imgopt-fleet.toml").exists()


def test_the_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan({"shared-1": ("a", "b.c"), "shared-2": ("d",)})
    path = tmp_path / plan_file.NAME
    path.write_text(plan_file.rendered(plan))
    found = plan_file.read(path)
    assert found is not None and found.groups == plan.groups and found.kept


@pytest.mark.parametrize(
    "text",
    [
        "groups = 3\n",
        'groups = ["mine"]\n',
        'groups = ["shared-1"]\n[libraries]\n"a" = "shared-2"\n',
        'groups = ["shared-1"]\n[libraries]\n"a b; rm" = "shared-1"\n',
        'groups = ["shared-1/../.."]\n',
        'groups = ["shared-1"]\nextra = 1\n',
        "groups = [\n",
        "groups = []\nlibraries = 1\n",
    ],
)
def test_a_wrong_file_is_an_error(tmp_path: Path, imgopt: Imgopt, text: str) -> None:
    (tmp_path / ".git").mkdir()
    shop(tmp_path)
    (tmp_path / plan_file.NAME).write_text(text)
    with pytest.raises(InputError):
        plan_file.read(tmp_path / plan_file.NAME)
    run = imgopt("fleet", tmp_path)
    assert run.code == 2 and len(run.err.splitlines()) == 1
