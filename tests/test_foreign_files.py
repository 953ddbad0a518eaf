"""Where a file is expected there may be a pipe without a writer, or a device without an end: nothing waits for it."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bounds import bounded
from image_archives import Layout, docker_archive, tar_of

from imgopt.files.opening import NoRegularFile, open_file

ROOT = Path(__file__).parent.parent
NOT_A_FILE = "not a regular file"


def fifo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def service(root: Path) -> Path:
    (root / "Dockerfile").write_text("FROM eclipse-temurin:21-jre\nCOPY start.sh /\nCMD /start.sh\n")
    return root


REFUSED: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "a Dockerfile": lambda root: ("suggest", fifo(root / "Dockerfile")),
    "a Dockerfile to rewrite": lambda root: ("rewrite", fifo(root / "Dockerfile")),
    "a Dockerfile to compare": lambda root: ("compare", fifo(root / "Dockerfile")),
    "a device as Dockerfile": lambda root: ("suggest", "/dev/zero"),
    "a CI file": lambda root: ("suggest", fifo(root / ".gitlab-ci.yml")),
    "an image": lambda root: ("inspect", fifo(root / "app.tar")),
    "a device as image": lambda root: ("inspect", "/dev/zero"),
    "an image that is judged": lambda root: ("gate", fifo(root / "app.tar"), "--max-size", "1GB"),
    "a layout": lambda root: ("inspect", f"oci:{fifo(root / 'layout')}"),
    "a layout with a tag": lambda root: ("inspect", f"oci:{fifo(root / 'layout')}:7"),
    "an index": lambda root: ("inspect", fifo(root / "layout" / "index.json").parent),
    "a blob": lambda root: ("inspect", _with_a_pipe_as_blob(root)),
    "a jar": lambda root: ("jar", fifo(root / "app.jar")),
    "a device as jar": lambda root: ("jar", "/dev/zero"),
    "a baseline": lambda root: ("gate", archive(root), "--baseline", fifo(root / "baseline.json")),
    "a configuration": lambda root: ("suggest", service(root), "--config", fifo(root / "imgopt.toml")),
    "a list": lambda root: ("push", "--all", fifo(root / "push.txt")),
    "a device as list": lambda root: ("push", "--all", "/dev/zero"),
    "an archive of a list's directory": lambda root: ("push", "--all", fifo(root / "d" / "a.tar").parent),
    "an archive on a list": lambda root: ("push", "--all", _list_of(root, fifo(root / "a.tar"))),
}


def archive(root: Path) -> Path:
    path = root / "app.tar"
    layer = tar_of({"app/app.jar": b"x"})
    path.write_bytes(docker_archive({"1/layer.tar": layer}, [layer]))
    return path


def _with_a_pipe_as_blob(root: Path) -> Path:
    layout = Layout()
    layout.top.append(layout.image([tar_of({"app/app.jar": b"x"})]))
    blob = root / "layout" / max(name for name in layout.files if name.startswith("blobs/"))
    layout.write(root / "layout")
    blob.unlink()
    fifo(blob)
    return root / "layout"


def _list_of(root: Path, image: Path) -> Path:
    path = root / "push.txt"
    path.write_text(f"{image} localhost:1/shop/api:7\n")
    return path


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_regular_file_is_refused(what: str, tmp_path: Path) -> None:
    run = bounded(*REFUSED[what](tmp_path), directory=tmp_path)
    assert run.returncode == 2, run.stderr
    assert NOT_A_FILE in run.stderr + run.stdout


PASSED_OVER: dict[str, str] = {
    "a build file": "build.gradle",
    "a pom": "pom.xml",
    "an ignore file": ".dockerignore",
    "an ignore file beside the Dockerfile": "Dockerfile.dockerignore",
    "a script": "start.sh",
    "a Makefile": "Makefile",
    "a workflow": ".github/workflows/build.yml",
    "a compose file": "docker-compose.yml",
    "a configuration that nobody named": "imgopt.toml",
}


@pytest.mark.parametrize("what", PASSED_OVER)
def test_a_pipe_among_the_files_is_not_waited_for(what: str, tmp_path: Path) -> None:
    service(tmp_path)
    fifo(tmp_path / PASSED_OVER[what])
    run = bounded("suggest", ".", directory=tmp_path)
    assert run.returncode in (0, 2), run.stderr


def test_credentials_are_a_file(tmp_path: Path) -> None:
    archive(tmp_path)
    environment = {"REGISTRY_AUTH_FILE": str(fifo(tmp_path / "auth.json"))}
    run = bounded(
        "push", tmp_path / "app.tar", "localhost:1/a:1", directory=tmp_path, environment=environment
    )
    assert run.returncode == 2, run.stderr
    assert "auth.json" in run.stderr


@pytest.mark.parametrize("command", [("push", "app.tar", "localhost:1/a:1"), ("inspect", "docker:a:1")])
def test_the_settings_of_docker_are_a_file(command: tuple[str, ...], tmp_path: Path) -> None:
    """The docker SDK opens them by itself."""
    archive(service(tmp_path))
    fifo(tmp_path / "settings" / "config.json")
    environment = {"DOCKER_CONFIG": str(tmp_path / "settings"), "HOME": str(tmp_path)}
    run = bounded(*command, directory=tmp_path, environment=environment)
    assert run.returncode in (2, 3), run.stderr
    assert "settings/config.json" in run.stderr and NOT_A_FILE in run.stderr


def test_a_link_to_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("text")
    with open_file(tmp_path / "link") as file:
        assert file.read() == b"abc"
    for path in ("/dev/zero", "/dev/null", fifo(tmp_path / "pipe")):
        with pytest.raises(NoRegularFile, match=NOT_A_FILE):
            open_file(path)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


#: What a program has made itself, or the kernel: nobody else's.
_OWN = {
    "files/opening.py",
    "bases/sizes.py",  # data of the package
    "bases/make_catalogue.py",
    "java/boot_managed.py",  # data of the package
    "java/make_boot_managed.py",
    "java/natives.py",
    "os_packages/apt_figures.py",
    "os_packages/commands.py",
    "comparison/next_release.py",  # copies of the context, made for this comparison
    "comparison/compare.py",  # sizes that an earlier comparison left
    "engines/containers.py",
    "engines/processes.py",
    "engines/podman.py",
    "engines/docker_endpoint.py",  # Docker's own settings, as docker reads them
    "engines/kaniko_container.py",
    "engines/opened.py",
    "engines/owners.py",  # the kernel's
    "engines/leftovers.py",  # in directories of the user's own that imgopt made
}


def test_files_are_opened_at_one_place() -> None:
    """A new reader goes through `imgopt.files.opening`, or says above why it need not."""
    found = set()
    for source in ("optimizer/imgopt", "rules/imgopt_rules"):
        for path in (ROOT / source).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _opens(node):
                    found.add(path.relative_to(ROOT / source).as_posix())
    assert found - _OWN == {"cli/files.py"}  # what it is has been asked before


def _opens(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_bytes", "read_text"):
        return True
    return name in ("open", "FileIO") and any(
        isinstance(each, ast.Constant) and each.value in ("r", "rb") for each in call.args
    )
