"""The bytes of a first push of several images on one base, from an empty cache: what a proxy before the registry counts.

    python tests/benchmarks/mount_bytes.py [--images 3 13] [--base 47MB]

Docker Engine in turn and in parallel, `imgopt push` one after the other, and `imgopt push --all`; to Debian's
docker-registry and to a registry made after the specification, each as it mounts and as it refuses to. Every figure has a
registry, an engine and a cache of its own. Each image has the base, and a layer of 300 kB of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [
    str(ROOT / part) for part in ("tests/registry", "tests/images", "tests", "optimizer", "rules")
]

import private_docker  # noqa: E402
import registries  # noqa: E402
from conforming import conforming  # noqa: E402
from image_archives import tar_of  # noqa: E402
from test_push_all import saved  # noqa: E402

from imgopt.units import megabytes, parse_size  # noqa: E402

PROGRAM = [sys.executable, "-c", "import sys; from imgopt.cli import main; sys.exit(main())"]
OWN_BYTES = 300_000
REGISTRIES = ("docker-registry", "conforming")


@contextlib.contextmanager
def served(kind: str, directory: Path, *, mounts: bool) -> Iterator[registries.Proxy]:
    with contextlib.ExitStack() as stack:
        if kind == "docker-registry":
            port = stack.enter_context(registries.registry(directory)).port
        else:
            port = stack.enter_context(conforming(separate=True, mounts=mounts, page=100, names=True)).port
        proxy = stack.enter_context(registries.proxy(port))
        proxy.refuses_mounts = not mounts
        yield proxy


def docker_pushes(archives: Sequence[Path], name: str, *, parallel: bool) -> None:
    with private_docker.engine() as engine:
        environment = {**os.environ, **engine.environment}

        def docker(*arguments: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [private_docker._docker_cli(), *arguments], env=environment, stdout=subprocess.DEVNULL
            )

        for number, archive in enumerate(archives):
            assert docker("load", "--quiet", "--input", str(archive)).wait() == 0
            assert docker("tag", f"shop/module-{number}:1", f"{name}/shop/module-{number}:1").wait() == 0
        commands = [("push", "--quiet", f"{name}/shop/module-{n}:1") for n in range(len(archives))]
        if parallel:
            assert [each.wait() for each in [docker(*command) for command in commands]] == [0] * len(archives)
        else:
            assert [docker(*command).wait() for command in commands] == [0] * len(archives)


def imgopt(home: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(home / "cache"),
        "DOCKER_CONFIG": str(home),
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("optimizer", "rules")),
    }
    subprocess.run(
        [*PROGRAM, "push", "--quiet", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
    )


def one_by_one(archives: Sequence[Path], name: str, home: Path) -> None:
    for number, archive in enumerate(archives):
        imgopt(home, str(archive), f"{name}/shop/module-{number}:1")


def together(archives: Sequence[Path], name: str, home: Path) -> None:
    lines = [f"{archive} {name}/shop/module-{number}:1" for number, archive in enumerate(archives)]
    (home / "push.txt").write_text("\n".join(lines))
    imgopt(home, "--all", str(home / "push.txt"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[3, 13])
    parser.add_argument("--base", default="47MB")
    parser.add_argument("--registry", choices=REGISTRIES, nargs="+", default=list(REGISTRIES))
    given = parser.parse_args()
    noise = random.Random(1)
    base = tar_of({"base": noise.randbytes(parse_size(given.base))})
    ways: dict[str, Callable[[Sequence[Path], str, Path], None]] = {
        "docker push, in turn": lambda archives, name, _: docker_pushes(archives, name, parallel=False),
        "docker push, in parallel": lambda archives, name, _: docker_pushes(archives, name, parallel=True),
        "imgopt push, one by one": one_by_one,
        "imgopt push --all": together,
    }
    with tempfile.TemporaryDirectory(prefix="imgopt-mounts-") as directory:
        archives = []
        for number in range(max(given.images)):
            own = tar_of({"own": noise.randbytes(OWN_BYTES)})
            names = {f"shop/module-{number}:1": [base, own]}
            archives.append(saved(Path(directory) / f"module-{number}.tar", names))
        for count in given.images:
            for kind in given.registry:
                for mounts in (True, False):
                    print(
                        f"{count} images on {given.base}, {kind} that {'mounts' if mounts else 'refuses'}",
                        flush=True,
                    )
                    for way, push in ways.items():
                        with (
                            tempfile.TemporaryDirectory(prefix="imgopt-home-") as home,
                            served(kind, Path(home) / "registry", mounts=mounts) as proxy,
                        ):
                            push(archives[:count], proxy.name, Path(home))
                            print(f"  {way:<28} {megabytes(proxy.sent()):>10}", flush=True)


if __name__ == "__main__":
    main()
