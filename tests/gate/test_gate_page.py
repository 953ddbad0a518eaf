"""The gate as its page in docs/ has it, in YAML and in Groovy: the very lines are run on an image that is over its budget."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from boot_jar import boot_jar, library
from image_samples import docker_archive, layer

from imgopt.config import load

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "docs" / "gate.md").read_text()
BLOCKS = dict(re.findall(r"```(yaml|groovy|toml)\n(.*?)```", SECTION, re.DOTALL))


def command(kind: str) -> tuple[list[str], dict[str, str]]:
    """The command in the block: the Groovy's string, or what the action runs for the YAML's inputs; and its variables."""
    if kind == "groovy":
        found = re.search(r"sh '([^'\n]+)'", BLOCKS[kind])
        assert found
        return ["sh", "-ec", found[1]], {}
    (step,) = yaml.safe_load(BLOCKS[kind])["steps"]
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (gate,) = [each for each in action["runs"]["steps"] if each["name"] == "Gate"]
    variables = {"TARGETS": step["with"]["gate"], "OPTIONS": step["with"]["options"]}
    assert gate["env"].keys() == variables.keys()
    return ["bash", "-eo", "pipefail", "-c", gate["run"]], variables | {"GITHUB_OUTPUT": os.devnull}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose jar alone takes longer than two minutes at 0.5 MB/s, and `imgopt` on the PATH."""
    directory = tmp_path_factory.mktemp("workspace")
    boot_jar(
        directory / "app.jar",
        version="3.5.4",
        libraries={f"library-{n}.jar": library(size=22_000_000, seed=n) for n in range(3)},
    )
    content = layer({"app": None, "app/app.jar": (directory / "app.jar").read_bytes()})
    docker_archive(
        directory / "image.tar", [content], compressed=True, Entrypoint=["java", "-jar", "/app/app.jar"]
    )
    (directory / "imgopt" / "bin").mkdir(parents=True)
    script = directory / "imgopt" / "bin" / "imgopt"
    script.write_text(f"#!{sys.executable}\nfrom imgopt.cli import main\nraise SystemExit(main())\n")
    script.chmod(0o755)
    return directory


@pytest.mark.parametrize("kind", ["yaml", "groovy"])
def test_the_lines_work(workspace: Path, kind: str) -> None:
    words, variables = command(kind)
    run = subprocess.run(
        words,
        cwd=workspace,
        env={
            **os.environ,
            **variables,
            "RUNNER_TEMP": str(workspace),
            "PATH": f"{workspace}/imgopt/bin:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    said = run.stdout  # the job's log
    if kind == "groovy":
        assert "<failure " in (workspace / "gate.xml").read_text()
    assert re.search(
        r"2 min 1\d s on the next push at 0\.5 MB/s \(6\d\.\d MB\), 1\d s over 2?\s?(120 s|2 min)", said
    ), said
    assert "fat-jar-layer: the libraries in /app/app.jar are pushed again with each release" in said


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (tmp_path / "imgopt.toml").write_text(BLOCKS["toml"])
    config = load(None, [str(tmp_path)])
    assert config.baseline == "image-sizes.json" and [each.pattern for each in config.budgets] == [
        None,
        "shop/legacy-*",
    ]
