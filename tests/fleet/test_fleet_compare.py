"""`imgopt fleet compare` where nothing is built: what is wrong is told before, and nothing to do is no failure."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import Imgopt
from fleet_repositories import dockerfile, reactor


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    own = {f"{name}/Dockerfile": dockerfile("target/*.jar") for name in ("auth", "order")}
    reactor(tmp_path, ["auth", "order"], **own)
    return tmp_path


def test_no_image_is_an_input_that_is_wrong(tmp_path: Path, imgopt: Imgopt) -> None:
    reactor(tmp_path, ["auth"])
    run = imgopt("fleet", "compare", tmp_path)
    assert run.code == 2 and "no Dockerfile here ships an archive of a module" in run.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--memory", "1MB"), "--memory 1MB starts nothing"),
        (("--since", "--output=x"), "is not a revision"),
        (("--next-release=boot",), "boot-patch"),
        (("--select", "jdk-runtim"), "jdk-runtime"),
    ],
)
def test_what_is_wrong_is_told_before_an_engine_is_looked_for(
    shop: Path, imgopt: Imgopt, arguments: tuple[str, ...], said: str
) -> None:
    run = imgopt("fleet", "compare", shop, *arguments)
    assert run.code == 2 and said in run.err


def test_nothing_that_changed_needs_no_engine(
    shop: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    for words in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
    ):
        subprocess.run(["git", *words], cwd=shop, check=True)
    run = imgopt("fleet", "compare", shop, "--since", "HEAD")
    assert (run.code, run.text.strip()) == (0, "no image is made anew")
    run = imgopt("fleet", "compare", shop, "--engine", "docker")
    assert run.code == 3 and "127.0.0.1:1" in run.err
