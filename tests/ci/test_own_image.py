"""The image of ci/Dockerfile, built as it stands on a stand-in for python:3-slim: small, not root, within its own budgets."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import stand_ins
from alone import one_at_a_time
from packaging.requirements import Requirement
from private_docker import Engine

from imgopt.cli import main

ROOT = Path(__file__).parents[2]
RECIPE = stand_ins.RECIPES / "debian-python.sh"
CONSTRAINTS = ROOT / "ci" / "constraints.txt"
DEBIANS = "3.11.2"  # the Python of Debian 12


def releases() -> str:
    """The lines of constraints.txt for Debian's Python, whichever one runs this."""
    environment = {"python_version": DEBIANS.rpartition(".")[0], "python_full_version": DEBIANS}
    found = []
    for line in CONSTRAINTS.read_text().replace("\\\n", " ").splitlines():
        words, *hashes = line.partition("#")[0].split(" --hash=")
        if not words.strip():
            continue
        pin = Requirement(words.strip())
        if pin.marker is None or pin.marker.evaluate(environment):
            found.append(
                " ".join([f"{pin.name}{pin.specifier}", *(f"--hash={each.strip()}" for each in hashes)])
            )
    return "\n".join(found) + "\n"


@one_at_a_time
def rootfs() -> Path:
    """The stand-in's root file system, from the cache or made now (half a minute)."""
    key = hashlib.sha256(RECIPE.read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()[:12]
    path = stand_ins.CACHE / f"python-{key}.tar"
    if not path.exists():
        stand_ins.CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory, stand_ins._complete(path) as new:
            wheels = Path(directory, "wheels")
            Path(directory, "releases.txt").write_text(releases())
            stand_ins._call(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
                *("--only-binary=:all:", "--python-version", DEBIANS, "--dest", str(wheels)),
                *("--requirement", "releases.txt"),
                directory=Path(directory),
            )
            stand_ins._call("sh", str(RECIPE), str(new), str(wheels))
    return path


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    (base,) = set(re.findall(r"(?m)^FROM (\S+)", (ROOT / "ci" / "Dockerfile").read_text()))
    subprocess.run(
        [
            engine.cli,
            "import",
            "--change=ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            rootfs(),
            base,
        ],
        env=engine.environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    # BuildKit leaves out the stage that is not asked for, which takes buildah from Debian
    engine.build(ROOT, "imgopt:own", dockerfile="ci/Dockerfile", buildkit=True)
    return "imgopt:own"


def test_it_runs_as_nobody_special_and_looks_at_a_mounted_project(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text('FROM eclipse-temurin:21-jdk\nCMD ["java", "-jar", "/app.jar"]\n')
    tmp_path.chmod(0o755)
    output = engine.client.containers.run(
        image,
        ["sh", "-c", "id -u && imgopt --version && imgopt suggest -q && touch ~/mine && ! command -v pip"],
        network_mode="none",
        remove=True,
        volumes={str(tmp_path): {"bind": "/work", "mode": "ro"}},
    ).decode()
    user, version, found = output.splitlines()[:3]
    assert user == "1000" and version.startswith("imgopt ") and found.startswith("Dockerfile: ")


def test_it_is_within_the_budgets_that_it_would_judge_by(
    engine: Engine, image: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    history = [layer["Size"] for layer in engine.client.images.get(image).history()]
    base = max(history)  # the stand-in's size says nothing of the real base
    own = sum(history) - base
    assert 1_000_000 < own < 50_000_000
    budgets = [
        "--max-waste",
        "1%",
        "--min-efficiency",
        "99%",
        "--forbid",
        "jdk,build-tools,package-cache,root-user",
    ]
    assert main(["gate", f"docker:{image}", *budgets]) == 0, capfd.readouterr().out


def test_its_dockerfile_wastes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["suggest", "--fail-on", "low", str(ROOT / "ci" / "Dockerfile")]) == 0, capfd.readouterr().out
