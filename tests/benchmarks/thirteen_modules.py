"""The scene that imgopt is for: 13 modules, a registry behind 1 MB/s, the release after the first, a fresh agent.

    python tests/benchmarks/thirteen_modules.py [--modules 13] [--sample 2] [--rate 1MB/s] [--rtt 0 40]

Real: the jars (the demo application, one class of its own in each module), Docker Engine's classic builder, Docker's
registry, the pushes, and a link between two network namespaces that `tc tbf` shapes. The agent of the second release
is a Docker Engine that starts empty; it pulls the base images, then builds without a cache. Before: the original
Dockerfile and `docker push`, measured on a sample of the modules and extrapolated. After: the rewrite and
`imgopt push`, all modules, one after the other and in one call (`--all`), at each of the round-trip times; and the rewrite
with `docker push`, on the sample, which shows that stable layers alone are not enough. Base images are stand-ins made from Debian packages; they are in the registry
before anything is measured, as they are for a team that has released before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / part) for part in ("tests", "optimizer", "rules")]

import apps  # noqa: E402
import builders  # noqa: E402
import private_docker  # noqa: E402
import push_clients  # noqa: E402
import shaped_link  # noqa: E402

from imgopt.units import duration, parse_rates, rate  # noqa: E402

DOCKERFILE = """\
FROM eclipse-temurin:17-jdk
WORKDIR /app
COPY target/app.jar app.jar
EXPOSE 8080
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
WAYS = ("single", "all")
VARIANTS = {"before": "Dockerfile", "after": "Dockerfile.imgopt"}
PROGRAM = [sys.executable, "-c", "import sys; from imgopt.cli import main; sys.exit(main())"]


@dataclass
class Agent:
    """A build machine that starts with nothing: a Docker Engine in the client's network namespace."""

    link: shaped_link.Link
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.directory}/docker.sock",
            "DOCKER_CONFIG": str(self.directory),
            "DOCKER_BUILDKIT": "0",
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("optimizer", "rules")),
        }

    def run(self, *command: str) -> str:
        return self.link.client.run(*command, env=self.environment).stdout

    def build(self, context: Path, dockerfile: str, tag: str) -> None:
        self.run(
            *("docker", "build", "--quiet", "--no-cache", "--network", "none"),
            *("--file", str(context / dockerfile), "--tag", tag, str(context)),
        )


@contextlib.contextmanager
def agent(link: shaped_link.Link, bases: list[str]) -> Iterator[Agent]:
    with tempfile.TemporaryDirectory(prefix="imgopt-agent-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        (directory / "config.json").write_text("{}")
        push_clients._start_docker(link.client, directory, stack)
        made = Agent(link, directory)
        for base in bases:
            remote = f"{push_clients.REGISTRY}/library/{base}"
            made.run("docker", "pull", "--quiet", remote)
            made.run("docker", "tag", remote, base)
        yield made


def module_jar(jar: Path, target: Path, module: int, release: int) -> None:
    """The application's jar as another module's: one class of its own, which each release changes."""
    first = target.with_suffix(".first")
    apps.next_release(jar, first) if release > 1 else first.write_bytes(jar.read_bytes())
    with zipfile.ZipFile(first) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("/example/web/Release.class"):
                name = b"mod%c-rel%d" % (ord("a") + module, release)  # as long as what stands there
                data = re.sub(rb"release-\d", name, data)
            new.writestr(entry, data)
    first.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", type=int, default=13)
    parser.add_argument("--sample", type=int, default=2)
    parser.add_argument("--rate", default="1MB/s")
    parser.add_argument("--rtt", type=float, nargs="+", default=[0, 40], metavar="MS")
    given = parser.parse_args()
    payload = parse_rates(given.rate)[0]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgopt-scene-")))
        link = stack.enter_context(shaped_link.link())
        link.shape(100_000_000, 0)
        push_clients._start_registry(link.server, directory, stack)
        jar = apps.build("3.5.16")
        contexts = {
            (module, release): directory / f"module-{module}-{release}"
            for module in range(given.modules)
            for release in (1, 2)
        }
        for (module, release), context in contexts.items():
            (context / "target").mkdir(parents=True)
            module_jar(jar, context / "target/app.jar", module, release)
            (context / "Dockerfile").write_text(DOCKERFILE)
        rewritten = subprocess.run(
            [*PROGRAM, "rewrite", str(contexts[0, 1] / "Dockerfile")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("optimizer", "rules"))},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout
        for context in contexts.values():
            (context / "Dockerfile.imgopt").write_text(rewritten)
        bases = sorted({"eclipse-temurin:17-jdk", *re.findall(r"^FROM (\S+:\S+)", rewritten, re.MULTILINE)})
        with private_docker.engine() as engine, tempfile.TemporaryDirectory() as archives:
            archive = builders.Archives(engine, Path(archives))
            for base in bases:
                link.client.run(
                    *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
                    f"docker-archive:{archive(base)}",
                    f"docker://{push_clients.REGISTRY}/library/{base}",
                )
        sample = range(given.sample)
        # a place for each measurement, with the first release in it
        places = [f"{way}-{rtt:g}ms" for rtt in given.rtt for way in WAYS]
        with agent(link, bases) as first:
            for module in range(given.modules):
                for variant, dockerfile in VARIANTS.items():
                    if variant == "after" or module in sample:
                        release_one(first, contexts[module, 1], dockerfile, variant, module)
                if module in sample:
                    imgopt_push(first, f"after-{module}", "1", f"pinned-{module}", *pinned(first, rewritten))
            for place in places:
                Pushes().add_all(first, given.modules, place, "1")
        print(
            f"{given.modules} modules, {rate(payload)}, the release after the first, from a fresh agent",
            flush=True,
        )
        with agent(link, bases) as second:
            for module in range(given.modules):
                for variant, dockerfile in VARIANTS.items():
                    if variant == "after" or module in sample:
                        second.build(contexts[module, 2], dockerfile, f"{variant}-{module}:2")
            link.shape(round(payload / shaped_link.PAYLOAD), 0)
            spent: list[float] = []
            for module in sample:
                spent.append(docker_push(second, f"before-{module}"))
                told(f"original, docker push, module {module}", spent[-1])
            if spent:
                told(
                    f"original, docker push, {given.modules} modules (extrapolated from {given.sample})",
                    sum(spent) / len(spent) * given.modules,
                )
            for rtt in given.rtt:
                link.shape(round(payload / shaped_link.PAYLOAD), rtt / 1000)
                for way in WAYS:
                    total = Pushes()
                    if way == "all":
                        total.add_all(second, given.modules, f"all-{rtt:g}ms")
                    else:
                        for module in range(given.modules):
                            total.add(second, f"after-{module}", f"{way}-{rtt:g}ms-{module}")
                    said = "imgopt push --all" if way == "all" else "imgopt push"
                    told(f"rewrite, {said}, {given.modules} modules, {rtt:g} ms{total}", total.seconds)
            link.shape(round(payload / shaped_link.PAYLOAD), 0)
            some = Pushes()
            for module in sample:
                some.add(second, f"after-{module}", f"pinned-{module}", *pinned(second, rewritten))
            if given.sample:
                told(f"rewrite, imgopt push --base REPO@DIGEST, {given.sample} modules{some}", some.seconds)
            for module in sample:
                told(f"rewrite, docker push, module {module}", docker_push(second, f"after-{module}"))


def release_one(agent: Agent, context: Path, dockerfile: str, variant: str, module: int) -> None:
    agent.build(context, dockerfile, f"{variant}-{module}:1")
    if variant == "after":
        imgopt_push(agent, f"{variant}-{module}", "1")
    else:
        docker_push(agent, f"{variant}-{module}", "1")


def docker_push(agent: Agent, name: str, tag: str = "2") -> float:
    target = f"{push_clients.REGISTRY}/{name}:{tag}"
    agent.run("docker", "tag", f"{name}:{tag}", target)
    begin = time.monotonic()
    agent.run("docker", "push", "--quiet", target)
    return time.monotonic() - begin


def imgopt_push(
    agent: Agent, name: str, tag: str = "2", repository: str = "", *options: str
) -> tuple[float, dict[str, Any]]:
    """Seconds of the command, its start and the reading of the image included, and what it tells."""
    target = f"{push_clients.REGISTRY}/{repository or name}:{tag}"
    begin = time.monotonic()
    out = agent.run(
        *(*PROGRAM, "push", f"docker:{name}:{tag}", target, "--plain-http", "--format", "json", "-q"),
        *options,
    )
    seconds = time.monotonic() - begin
    told: dict[str, Any] = json.loads(out)["push"]
    return seconds, told


def pinned(agent: Agent, dockerfile: str) -> tuple[str, str]:
    """The option that says which base the last FROM means, as if it were pinned."""
    base = re.findall(r"^FROM (\S+:\S+)", dockerfile, re.MULTILINE)[-1]
    digests = json.loads(agent.run("docker", "image", "inspect", base))[0]["RepoDigests"]
    return "--base", next(each for each in digests if each.startswith(push_clients.REGISTRY))


@dataclass
class Pushes:
    """Of the modules, one after the other."""

    seconds: float = 0.0
    sent_bytes: int = 0
    packed_bytes: int = 0
    packed_s: float = 0.0
    processor_s: float = 0.0

    def add(self, agent: Agent, name: str, repository: str = "", *options: str) -> None:
        begin = processor_seconds()
        seconds, push = imgopt_push(agent, name, "2", repository, *options)
        self.processor_s += processor_seconds() - begin
        self.seconds += seconds
        self.sent_bytes += push["sent_bytes"]
        self.packed_bytes += push["compressed_here"]["uncompressed_bytes"]
        self.packed_s += push["compressed_here"]["processor_s"]

    def add_all(self, agent: Agent, modules: int, place: str, tag: str = "2") -> None:
        """In one call."""
        lines = [
            f"docker:after-{module}:{tag} {push_clients.REGISTRY}/{place}-{module}:{tag}"
            for module in range(modules)
        ]
        (agent.directory / "push.txt").write_text("\n".join(lines))
        arguments = (
            "push",
            "--all",
            str(agent.directory / "push.txt"),
            "--plain-http",
            "--format",
            "json",
            "-q",
        )
        before, begin = processor_seconds(), time.monotonic()
        total = json.loads(agent.run(*PROGRAM, *arguments))["total"]
        self.seconds = time.monotonic() - begin
        self.processor_s = processor_seconds() - before
        self.sent_bytes = total["sent_bytes"]
        self.packed_bytes = total["compressed_here"]["uncompressed_bytes"]
        self.packed_s = total["compressed_here"]["processor_s"]

    def __str__(self) -> str:
        return (
            f"; {self.sent_bytes:,} bytes of blobs sent, {self.packed_bytes:,} compressed in {self.packed_s:.1f} s of"
            f" processor time, {self.processor_s:.1f} s in all,"
        )


def processor_seconds() -> float:
    """Of all programs that were started here and have ended; a daemon's is not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def told(what: str, seconds: float) -> None:
    print(f"  {what:<75} {duration(seconds)}", flush=True)


if __name__ == "__main__":
    main()
