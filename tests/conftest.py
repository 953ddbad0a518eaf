"""What tests of several parts share: the demo application, a private Docker Engine, and CI's rule about skips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import apps
import private_docker
import pytest
import stand_ins


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
    with private_docker.engine() as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI a skipped test is a failed one: a test that nobody runs shows nothing."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr[-1]}"
    return report
