"""The command line in this process: a fixture for the folders that test commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgopt.cli import main


@dataclass(frozen=True)
class Run:
    code: int
    text: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Imgopt = Callable[..., Run]


@pytest.fixture
def imgopt(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Imgopt:
    """Runs `main`; what reached the two file descriptors."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Run:
        capfdbinary.readouterr()
        code = main([str(each) for each in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Run(code, out.decode(), err.decode())

    return run


def written(root: Path, **files: str) -> None:
    """Files of a repository, with the directories that they lie in."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
