"""What tests of several parts share: the demo application, a private Docker Engine, and CI's rule about skips."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import apps
import private_docker
import pytest
import stand_ins

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-cases", action="store_true", help="write the expected files of fixtures/cases anew"
    )


@pytest.fixture(scope="session")
def app() -> Callable[..., Path]:
    """`app(spring_boot, layout="jar")`: the demo application's executable jar, built when it is not cached."""

    def built(spring_boot: str, layout: str = "jar", options: tuple[str, ...] = ()) -> Path:
        try:
            return apps.build(spring_boot, layout, options)
        except apps.AppBuildError as error:
            if apps.missing():
                pytest.skip(str(error))
            raise

    return built


@pytest.fixture(scope="session")
def engine() -> Iterator[private_docker.Engine]:
    """A Docker Engine of the tests' own; see private_docker."""
    reason = private_docker.missing() or stand_ins.missing()
    if reason:
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(private_docker.engine())
        except private_docker.EngineError as error:  # root without its rights, as in a plain container
            pytest.skip(str(error))
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: a test that nobody runs shows nothing."""
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that is skipped as a whole (`importorskip`) too."""
    return _failed_if_skipped((yield))


def _failed_if_skipped(report: Report) -> Report:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, which CI does not allow: {reason}"
    return report
