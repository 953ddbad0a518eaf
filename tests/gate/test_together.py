"""Jobs that record their images in one baseline at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from image_samples import docker_archive, layer

from imgopt.cli.files import ABSENT, Changed, update_file, write_file

ROOT = Path(__file__).parents[2]
JOBS = 12


def test_no_entry_is_lost(tmp_path: Path) -> None:
    docker_archive(tmp_path / "image.tar", [layer({"app.jar": b"x" * 3000})], ["COPY app.jar /"])
    command = [sys.executable, "-m", "imgopt", "gate", "--baseline", "b.json", "--update-baseline"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/optimizer:{ROOT}/rules"}
    jobs = [
        subprocess.Popen([*command, f"shop/app{at}=image.tar"], cwd=tmp_path, env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for at in range(JOBS)
    ]  # fmt: skip
    said = [job.communicate() for job in jobs]
    assert [job.returncode for job in jobs] == [0] * JOBS, said
    assert set(json.loads((tmp_path / "b.json").read_text())["images"]) == {
        f"shop/app{at}" for at in range(JOBS)
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "image.tar"]


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("there", [None, b"a"])
def test_it_is_made_again_of_what_another_has_written_meanwhile(there: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    if there is not None:
        path.write_bytes(there)
    others = [b"b", b"c"]

    def made(data: bytes | None) -> bytes:
        if others:
            path.write_bytes((data or b"") + others.pop(0))
        return (data or b"") + b"mine"

    update_file(str(path), lambda: content(path), made)
    assert path.read_bytes() == (there or b"") + b"bcmine"


def test_of_many_that_look_and_write_at_the_same_time_each_writes(tmp_path: Path) -> None:
    path = tmp_path / "b.json"

    def add(name: bytes) -> None:
        update_file(str(path), lambda: content(path), lambda data: (data or b"") + name)

    threads = [threading.Thread(target=add, args=(bytes([65 + at]),)) for at in range(26)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(path.read_bytes()) == list(range(65, 91))


def test_what_was_expected_is_written_over_only(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_file(str(path), b"1", expected=ABSENT)
    with pytest.raises(Changed):
        write_file(str(path), b"2", expected=ABSENT)
    with pytest.raises(Changed):
        write_file(str(path), b"2", expected=b"0")
    write_file(str(path), b"2", expected=b"1")
    path.unlink()
    with pytest.raises(Changed):
        write_file(str(path), b"3", expected=b"2")
    assert not path.exists()
