"""What tests of several parts share: the demo application, a private Docker Engine, and CI's rule about skips."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import apps
import builders
import private_docker
import pytest
import stand_ins
import tools
from builders import Archives, Bases, Builder
from hypothesis import HealthCheck, settings

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# what a shell runs in the background ignores Ctrl-C, and so would the programs that tests send it to
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# no test is decided by a clock: of a busy machine an example takes any time
settings.register_profile("imgopt", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("imgopt")

# whoever runs the tests has libraries at home: what is predicted from them would differ from one to the next
os.environ.setdefault("MAVEN_OPTS", f"-Dmaven.repo.local={apps.ROOT / '.cache' / 'no-libraries'}")
os.environ.setdefault("GRADLE_USER_HOME", str(apps.ROOT / ".cache" / "no-libraries"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-cases", action="store_true", help="write the expected files of fixtures/cases anew"
    )


#: What a test asks for says what it needs beyond Python: the fixture's name decides, nobody marks by hand.
_NEEDS = {
    "engine": {
        "engine",
        "archives",
        "bases",
        "podman",
        "podman_socket",
        "buildkit",
        "kaniko",
        "builder",
        "release_builder",
    },
    "maven": {"app"},
    "registry": {"shared_registry", "registry", "locked", "with_tls", "by_token", "proxy", "bench"},
    "native": {"musl"},
}
#: Folders and files whose tests start programs of their own, or work on inputs as large as imgopt takes.
_SLOW = (
    "benchmarks",
    "ci/test_adopters.py",
    "ci/test_ci_properties.py",
    "ci/test_jenkins_files.py",
    "cli/test_completion.py",
    "cli/test_terminal.py",
    "compare",
    "dockerfile/test_buildkit_properties.py",
    "dockerfile/test_limits.py",
    "engines",
    "foreign/test_output.py",
    "quoting/test_data_is_no_code.py",
    "quoting/test_hostile_projects.py",
    "registry",
    "running",
    "test_pictures.py",
    "test_ways_in.py",
    "test_wheel.py",
    "weigh/test_compressed_size.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test by what it needs; `make check` leaves out all of these."""
    here = Path(__file__).parent
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        for mark, fixtures in _NEEDS.items():
            if asked & fixtures:
                item.add_marker(mark)
        path = item.path.relative_to(here).as_posix()
        if any(path == each or path.startswith(f"{each}/") for each in _SLOW):
            item.add_marker("slow")
    _long_files_first(items)


def _long_files_first(items: list[pytest.Item]) -> None:
    """A file goes to one worker: what waits for engines begins the run, and the many small ones fill it up to its end."""
    waiting = {
        item.path for item in items if any(item.get_closest_marker(name) for name in (*_NEEDS, "slow"))
    }
    many = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in waiting, 0 if item.path in waiting else -many[item.path]))


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


STARTED: list[private_docker.Engine] = []


@pytest.fixture(scope="module", autouse=True)
def _pruned() -> Iterator[None]:
    """What a module's tests built goes with the module."""
    yield
    for running in STARTED:
        with contextlib.suppress(Exception):  # an engine that a test ended
            running.prune()


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
        STARTED.append(running)
        yield running
        STARTED.remove(running)


@pytest.fixture(scope="session")
def archives(engine: private_docker.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    """`archives(name)`: a stand-in as `docker save` writes it."""
    directory = tmp_path_factory.mktemp("bases")
    yield Archives(engine, directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def bases(archives: Archives) -> Iterator[Bases]:
    """A registry with the stand-ins under Docker Hub's names."""
    _need("docker-registry", "skopeo")
    with builders.bases(archives) as registry:
        yield registry


@pytest.fixture(scope="session")
def podman(archives: Archives) -> Iterator[Builder]:
    _need("podman", "buildah", "runc")
    with builders.podman(archives) as builder:
        yield builder


@pytest.fixture(scope="session")
def podman_socket(podman: Builder) -> Iterator[Builder]:
    with builders.podman_socket(podman) as builder:
        yield builder


@pytest.fixture(scope="session")
def buildkit(bases: Bases) -> Iterator[Builder]:
    _need("runc")
    if reason := tools.missing():
        pytest.skip(reason)
    with builders.buildkit(bases) as builder:
        yield builder


@pytest.fixture(scope="session")
def kaniko(bases: Bases) -> Builder:
    if reason := tools.missing():
        pytest.skip(reason)
    return builders.kaniko(bases)


def _need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program, path=private_docker._path()):
            pytest.skip(f"{program} is not installed (tests/prepare.sh)")


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
