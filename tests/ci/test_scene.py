"""Thirteen modules out of one Jenkinsfile that lies elsewhere than their Dockerfiles, as ten people would write it
(`fixtures/scene`): every form pushes all of them, one after the other, out of one kaniko container, in half an hour each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgopt.cli import main

SCENE = Path(__file__).parents[2] / "fixtures" / "scene"
FORMS = sorted(path.relative_to(SCENE).as_posix() for path in SCENE.rglob("*") if path.is_file())
MODULES = [
    "gateway",
    "auth",
    *(
        f"modules/{name}"
        for name in "user order product cart payment search coupon stock notice report".split()
    ),
    "admin",
]
DOCKERFILE = (
    'FROM eclipse-temurin:17-jre\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("backend")
    for module in MODULES:
        (root / module / "target").mkdir(parents=True)
        (root / module / "Dockerfile").write_text(DOCKERFILE)
    return root


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["suggest", "--format", "json", *arguments]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert isinstance(file, dict)
    return file


def test_there_are_ten() -> None:
    assert len(FORMS) == 10
    assert "Jenkinsfile-shop-final" in FORMS


@pytest.mark.parametrize("form", FORMS)
def test_every_form_pushes_the_thirteen(form: str, backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = told(capsys, str(SCENE / form), "--root", str(backend))
    pushes = file["pipeline"]["pushes"]  # type: ignore[index]
    assert sorted(push["dockerfile"] for push in pushes) == sorted(f"{each}/Dockerfile" for each in MODULES)
    assert {(push["tool"], push["timeout_s"], push["at_once"]) for push in pushes} == {("kaniko", 1800.0, 0)}
    assert file["warnings"] == []
    found = {finding["rule"] for finding in file["findings"]}  # type: ignore[attr-defined]
    assert {"single-snapshot", "reused-kaniko"} <= found  # one container for all of them
    assert "parallel-pushes" not in found


def test_the_context_is_that_of_the_module(backend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The jar beside one Dockerfile is weighed with that one alone."""
    jar = backend / "admin" / "target" / "app.jar"
    jar.write_bytes(b"PK\x05\x06" + bytes(18))
    try:
        file = told(capsys, str(SCENE / "Jenkinsfile-shop-final"), "--root", str(backend))
    finally:
        jar.unlink()
    complete = [
        push["dockerfile"]
        for push in file["pipeline"]["pushes"]  # type: ignore[index]
        if push["first_push_bytes"]["complete"]
    ]
    assert complete == ["admin/Dockerfile"]


def test_without_the_root_it_says_what_it_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    file = told(capsys, str(SCENE / "Jenkinsfile-shop-final"))
    pushes = file["pipeline"]["pushes"]  # type: ignore[index]
    assert len(pushes) == 13
    assert pushes[0]["unknown"] == "there is no gateway/Dockerfile in this repository"


def test_a_root_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    form = str(SCENE / "Jenkinsfile-shop-final")
    assert main(["suggest", form, "--root", str(tmp_path / "nowhere")]) == 2
    assert "is not a directory" in capsys.readouterr().err
