"""A fleet of real archives: Maven makes the layers that were planned, and the pushes come out as predicted."""

from __future__ import annotations

from pathlib import Path

import apps
import pytest
from command_line import Imgopt
from real_fleet import MODULES, build, dockerfiles, write

from imgopt.fleet.layering import with_plan
from imgopt.fleet.plan_file import read
from imgopt.java.jar import read_jar
from imgopt.java.spring_boot import layered

SOME = {name: MODULES[name] for name in ("gateway", "user", "order")}


@pytest.mark.maven
def test_the_build_makes_the_layers_of_the_plan(
    tmp_path: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    if apps.missing():
        pytest.fail(f"Maven is needed: {apps.missing()}")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path, SOME)
    dockerfiles(tmp_path, SOME)
    build(tmp_path)
    before = {name: read_jar(tmp_path / name / f"target/{name}-1.0.jar") for name in SOME}
    planned = imgopt("fleet", "--format", "json").json
    first, bump = planned["first_push_bytes"], planned["bump_push_bytes"]
    assert first["planned"]["bytes"] <= 1.05 * first["best"]["bytes"]
    assert bump["planned"]["bytes"] <= 1.5 * bump["best"]["bytes"]
    assert imgopt("fleet", "write", "--in-place").code == 0
    build(tmp_path)
    plan = read(tmp_path / "imgopt-fleet.toml")
    assert plan is not None
    for name, jar in before.items():
        now = read_jar(tmp_path / name / f"target/{name}-1.0.jar")
        told = {layer: {entry.name for entry in entries} for layer, entries in layered(now)}
        assert told == {
            layer: {entry.name for entry in entries} for layer, entries in layered(with_plan(jar, plan))
        }
    # what was written fits what was built, and is worth what was said
    assert imgopt("fleet", "write", "--check").code == 0
    answer = imgopt("fleet", "--format", "json").json
    # the archive's own index says other layers than before
    assert abs(answer["first_push_bytes"]["planned"]["bytes"] - first["planned"]["bytes"]) < 1_000
    assert [each["name"] for each in answer["actions"]] == ["mount"]
