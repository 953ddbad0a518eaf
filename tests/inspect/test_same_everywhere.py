"""The same image from a daemon, a docker tar, an OCI layout and a registry: the same bytes wherever the blobs are the
same; where an engine compressed anew, the unpacked bytes and the diff IDs still are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Imgopt
from private_docker import Engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "registry"))

import registries

DOCKERFILE = """\
FROM scratch
COPY first /data/
COPY second /data/
COPY first/large /data/again
USER 1000
"""


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    context = tmp_path_factory.mktemp("context")
    for name in ("first", "second"):
        (context / name).mkdir()
        (context / name / "large").write_bytes(bytes(range(256)) * 3000)
        (context / name / name).write_text("text " * 9000)
    (context / "Dockerfile").write_text(DOCKERFILE)
    name = "imgopt-same/everywhere:1"
    engine.build(context, name)
    yield name
    docker(engine, "rmi", "-f", name)


def docker(engine: Engine, *arguments: str) -> None:
    environment = {**os.environ, **engine.environment}
    subprocess.run([engine.cli, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def test_the_figures_are_the_same_everywhere(
    imgopt: Imgopt, engine: Engine, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.environment["DOCKER_HOST"])
    copy = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
    docker(engine, "save", "-o", str(tmp_path / "saved.tar"), image)
    subprocess.run([*copy, f"docker-archive:{tmp_path}/saved.tar", f"oci:{tmp_path}/oci:1"], check=True)
    subprocess.run([*copy, f"oci:{tmp_path}/oci:1", f"oci-archive:{tmp_path}/oci.tar:1"], check=True)

    def looked_at(target: object, *more: str) -> dict[str, Any]:
        run = imgopt("inspect", target, "--format", "json", *more)
        assert (run.code, run.err) == (0, "")
        found: dict[str, Any] = json.loads(run.text)["image"]
        return found

    with registries.registry(tmp_path / "registry") as registry:
        subprocess.run([*copy, f"oci:{tmp_path}/oci:1", f"docker://{registry.name}/{image}"], check=True)
        found = {
            "docker:NAME": looked_at(f"docker:{image}"),
            "NAME": looked_at(image),
            "saved.tar": looked_at(tmp_path / "saved.tar"),
            "oci": looked_at(tmp_path / "oci"),
            "oci.tar": looked_at(tmp_path / "oci.tar"),
            "registry": looked_at(f"registry:{registry.name}/{image}", "--contents"),
        }
    for key in ("uncompressed_bytes", "contents", "user", "platform"):
        assert all(each[key] == found["oci"][key] for each in found.values()), key
    assert len({tuple(layer["diff_id"] for layer in each["layers"]) for each in found.values()}) == 1
    plain = {found[name]["compressed_bytes"] for name in ("docker:NAME", "NAME", "saved.tar")}
    blobs = {found[name]["compressed_bytes"] for name in ("oci", "oci.tar", "registry")}
    assert len(plain) == len(blobs) == 1
    assert plain.pop() == pytest.approx(blobs.pop(), rel=0.1)  # skopeo's gzip against Docker's, on small text
    assert found["oci"]["contents"]["wasted_bytes"] == 256 * 3000
