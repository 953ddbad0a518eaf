"""Each way to install imgopt, from a clean environment: the one file of `make zipapp`, and `uv tool install`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def clean(home: Path) -> dict[str, str]:
    """The environment of somebody who has nothing but a home; where packages come from is the machine's."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    for of_pip, of_uv in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if of_pip in kept:
            kept.setdefault(of_uv, kept[of_pip])
    return {**kept, "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def said(*command: str | Path, home: Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], env=clean(home), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "Dockerfile").write_text(
        'FROM eclipse-temurin:21-jdk\nCMD ["java", "-jar", "/app.jar"]\n'
    )
    return tmp_path / "service"


@pytest.fixture(scope="module")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("a place") / "imgopt.pyz"
    subprocess.run([sys.executable, ROOT / "ci" / "zipapp.py", target], check=True)
    return target


def test_one_file_runs_where_there_is_only_python(zipapp: Path, service: Path, tmp_path: Path) -> None:
    python = (sys._base_executable, "-I", zipapp)  # which sees no package of this environment
    for command, expected in (
        (("--version",), "imgopt "),
        (("suggest", "-q"), "Dockerfile: "),
        (("explain", "jdk-runtime"), "jdk-runtime"),
    ):
        assert said(*python, *command, home=tmp_path, cwd=service).startswith(expected)
    code = "import isal.igzip, sys; from imgopt.images import streams; print(isal.igzip.__file__)"
    (unpacked,) = (tmp_path / ".shiv").glob("*/site-packages")
    found = subprocess.check_output(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(unpacked)!r}); {code}"], text=True
    )
    assert found.startswith(str(unpacked)), "what is compiled comes from elsewhere"


def test_one_file_is_for_every_python_and_system(zipapp: Path) -> None:
    with zipfile.ZipFile(zipapp) as archive:
        names = archive.namelist()
    for name in ("isal/isal_zlib", "backports/zstd/_zstd"):
        for python in ("310", "311", "312", "313"):
            for system in ("x86_64-linux-gnu", "aarch64-linux-gnu", "darwin"):
                assert f"site-packages/{name}.cpython-{python}-{system}.so" in names
    licences = [name for name in names if name.endswith("/LICENSE") or "/licenses/" in name]
    assert len(licences) > 10, "what others wrote travels with their licences"
    assert zipapp.stat().st_size < 20_000_000


def test_an_old_python_is_told_what_is_needed(zipapp: Path) -> None:
    """No older one is at hand: what it would run before anything else is run here, with its version."""
    with zipfile.ZipFile(zipapp) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("preamble.py")]
        preamble = archive.read(name).decode()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
        exec(preamble, {})
    assert "needs Python 3.10 or newer, this is 3.9" in str(ended.value)


def test_uv_installs_a_command(service: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    assert uv.exists() or shutil.which("uv"), "uv is one of the dev dependencies"
    said(uv, "tool", "install", "--quiet", "--python", sys.executable, ROOT, home=tmp_path, cwd=service)
    command = tmp_path / ".local" / "bin" / "imgopt"
    assert said(command, "--version", home=tmp_path, cwd=service).startswith("imgopt ")
    assert said(command, "suggest", "-q", home=tmp_path, cwd=service).startswith("Dockerfile: ")
