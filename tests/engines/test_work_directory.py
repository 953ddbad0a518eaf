"""Work directories end with their engine; what a killed process left goes with the next engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imgopt.engines.opened import work_directory

ROOT = Path(__file__).resolve().parent.parent.parent
LIVES = """
import sys, time
from imgopt.engines.opened import work_directory
with work_directory("imgopt-x-") as directory:
    print(directory, flush=True)
    time.sleep(60)
"""


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "optimizer"))
    monkeypatch.setattr("tempfile.tempdir", None)
    processes = [
        subprocess.Popen([sys.executable, "-c", LIVES], text=True, stdout=subprocess.PIPE) for _ in "ab"
    ]
    killed, alive = (Path((process.stdout or sys.stdin).readline().strip()) for process in processes)
    processes[0].kill()
    processes[0].wait()
    assert killed.is_dir()
    with work_directory("imgopt-x-") as own:
        assert not killed.exists()
        assert alive.is_dir()
        assert own.is_dir()
    assert not own.exists()
    for process in processes:
        process.kill()
        process.communicate()
