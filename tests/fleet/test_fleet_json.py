"""What `imgopt fleet --format json` prints fits its schema, also where little is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt
from fleet_repositories import shop
from json_schemas import fits


@pytest.mark.parametrize("kind", ["whole", "broken", "unknown", "empty", "nowhere"])
def test_the_answer_fits(kind: str, imgopt: Imgopt, tmp_path: Path) -> None:
    if kind in ("whole", "broken", "unknown"):
        shop(tmp_path)
    for jar in tmp_path.rglob("*.jar"):
        if kind == "broken":
            jar.write_bytes(b"no jar")
        elif kind == "unknown":
            jar.unlink()
    run = imgopt("fleet", tmp_path / "none" if kind == "nowhere" else tmp_path, "--format", "json")
    fits("fleet", run.json)
    assert ("modules" in run.json) or run.json["errors"]


def test_what_changed_fits(imgopt: Imgopt, tmp_path: Path) -> None:
    shop(tmp_path)
    who = ["-c", "user.name=x", "-c", "user.email=x@y.z"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "shop"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "pom.xml").write_text((tmp_path / "pom.xml").read_text() + "<!-- changed -->")
    run = imgopt("fleet", tmp_path, "--since", "HEAD", "--format", "json")
    assert run.json["since"]["revision"] == "HEAD"
    fits("fleet", run.json)
