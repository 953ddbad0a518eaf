from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from imgopt.discover import discover, is_dockerfile_name
from imgopt.errors import InputError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in discover([root])]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dockerfile", True),
        ("dockerfile", True),
        ("DOCKERFILE", True),
        ("Dockerfile.prod", True),
        ("dockerfile.jvm.legacy", True),
        ("app.Dockerfile", True),
        ("app.dockerfile", True),
        (".dockerfile", True),
        ("Dockerfile.dockerignore", False),
        ("app.Dockerfile.DockerIgnore", False),
        (".dockerignore", False),
        ("Dockerfile-prod", False),
        ("MyDockerfile", False),
        ("Dockerfiles", False),
        ("docker-compose.yml", False),
    ],
)
def test_names(name: str, expected: bool) -> None:
    assert is_dockerfile_name(name) is expected


def test_a_directory_is_searched(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b/Dockerfile",
        "a/app.Dockerfile",
        "Dockerfile",
        "Dockerfile.dockerignore",
        "a/src/README",
        ".git/Dockerfile",
        "web/node_modules/x/Dockerfile",
        "a/target/Dockerfile",
        "a/build/docker/Dockerfile",
        "builds/Dockerfile",
    )
    (tmp_path / "c" / "Dockerfile").mkdir(parents=True)
    touch(tmp_path, "c/Dockerfile/Dockerfile.x")
    assert found(tmp_path) == [
        "Dockerfile",
        "a/app.Dockerfile",
        "b/Dockerfile",
        "builds/Dockerfile",
        "c/Dockerfile/Dockerfile.x",
    ]


def test_a_given_directory_is_never_skipped(tmp_path: Path) -> None:
    touch(tmp_path, "target/Dockerfile", "target/target/Dockerfile")
    assert found(tmp_path / "target") == ["Dockerfile"]


def test_a_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    touch(tmp_path, "recipe", "Dockerfile.dockerignore")
    paths = [tmp_path / "recipe", tmp_path / "Dockerfile.dockerignore"]
    assert discover(paths) == tuple(sorted(paths))


def test_each_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/Dockerfile")
    assert discover([tmp_path, tmp_path / "a", tmp_path / "a/Dockerfile"]) == (tmp_path / "a/Dockerfile",)
    assert discover([]) == ()


def test_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/Dockerfile", "Dockerfile")
    monkeypatch.chdir(tmp_path)
    assert discover([Path()]) == (Path("Dockerfile"), Path("a/Dockerfile"))


def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root, "docker/recipe", "a/Dockerfile")
    touch(tmp_path, "Dockerfile.outside")
    links = {
        "loop": "..",  # a directory that holds itself
        "again": "a",
        "b/Dockerfile": "../docker/recipe",
        "c/Dockerfile": "../docker/recipe",
        "d/Dockerfile": "../a/Dockerfile",
        "Dockerfile.out": "../Dockerfile.outside",
        "Dockerfile.broken": "nothing",
        "Dockerfile.circle": "Dockerfile.circle",
    }
    for name, to in links.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(to)
    assert found(root) == ["a/Dockerfile", "b/Dockerfile"]


@pytest.mark.parametrize("name", ["nowhere", "Dockerfile/x", "a\0b", "x" * 300])
def test_what_does_not_exist(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "Dockerfile")
    with pytest.raises(InputError) as caught:
        discover([tmp_path, tmp_path / name])
    assert caught.value.path == str(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_what_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        touch(root, "Dockerfile", "locked/Dockerfile")
        (root / "locked").chmod(0)
        root_user = os.geteuid() == 0
        if root_user:
            os.seteuid(65534)
        try:
            assert found(root) == ["Dockerfile"]
            with pytest.raises(InputError, match="Permission denied"):
                discover([root / "locked"])
        finally:
            if root_user:
                os.seteuid(0)
