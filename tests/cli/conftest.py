"""The command line with the engine's answer given, for what only hand-made reports can show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import report_samples as samples

from imgopt.cli import main
from imgopt.options import Options
from imgopt.suggest.result import Report


@dataclass(frozen=True)
class Run:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8")


@pytest.fixture
def imgopt(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs `main` in this process; what reached the two file descriptors."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Run:
        capfdbinary.readouterr()
        code = main(list(arguments))
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Run(code, out, err.decode("utf-8"))

    return run


@dataclass
class Answer:
    """Stands in for `imgopt.examine.report_on`: answers with ``report`` and keeps what it was asked."""

    report: Report | None = None
    error: BaseException | None = None
    paths: list[str] = field(default_factory=list)
    options: Options | None = None
    stdin: bytes | None = None

    def __call__(self, paths: list[str], options: Options, stdin: bytes | None = None, **_: object) -> Report:
        self.paths, self.options, self.stdin = list(paths), options, stdin
        if self.error is not None:
            raise self.error
        assert self.report is not None
        return self.report


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    stand_in = Answer(samples.report(samples.textbook()))
    monkeypatch.setattr("imgopt.examine.report_on", stand_in)
    yield stand_in
