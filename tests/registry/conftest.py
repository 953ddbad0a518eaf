"""A registry for all tests of this folder, a proxy before it for each, and the command as a user runs it."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "images"))

import registries  # noqa: E402
from image_archives import docker_archive, tar_of  # noqa: E402

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    with registries.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def proxy(shared_registry: registries.Registry) -> Iterator[registries.Proxy]:
    with registries.proxy(shared_registry.port) as relay:
        yield relay


@pytest.fixture
def repository() -> str:
    """A name that no other test uses."""
    return f"shop/api-{os.getpid()}-{next(_NUMBERS)}"


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def push(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)["push"]
        return found


class Command:
    """`imgopt` in a process of its own, with a home, a cache and a Docker configuration of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "XDG_", "REGISTRY_"))},
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "DOCKER_CONFIG": str(home / "docker"),
            "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("optimizer", "rules")),
            "PYTHONUNBUFFERED": "1",
        }
        (home / "docker").mkdir()

    def login(self, **config: object) -> None:
        (self.home / "docker" / "config.json").write_text(json.dumps(config))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        code = "import sys; from imgopt.cli import main; sys.exit(main())"
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
        )

    def start_on(self, terminal: int, *arguments: str) -> subprocess.Popen[bytes]:
        code = "import sys; from imgopt.cli import main; sys.exit(main())"
        environment = {**self.environment, "TERM": "xterm", "COLUMNS": "120"}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.Popen(command, env=environment, stdout=terminal, stderr=terminal, cwd=self.home)

    def __call__(self, *arguments: str, seconds: float = 120) -> Run:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=seconds)
        assert "Traceback" not in err, err
        return Run(process.returncode, out, err)


@pytest.fixture
def imgopt(tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(home)


@pytest.fixture
def release(tmp_path: Path) -> Callable[..., Path]:
    """`release(1)`: a `docker save` tar of three layers, of which only the last differs between releases."""

    def made(number: int, size: int = 400_000, seed: int = 1) -> Path:
        noise = random.Random(seed)
        base, libraries = tar_of({"base": noise.randbytes(size)}), tar_of({"lib": noise.randbytes(size // 2)})
        application = tar_of({"app": random.Random(number).randbytes(3000)})
        layers = [base, libraries, application]
        names = {f"{n}/layer.tar": layer for n, layer in enumerate(layers)}
        path = tmp_path / f"release-{number}-{seed}-{size}.tar"
        path.write_bytes(docker_archive(names, layers))
        return path

    return made
