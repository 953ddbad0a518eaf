"""Measures what `imgopt` costs beside what a user would compare it with, in one run. Run by `make bench`; asserts nothing.

All figures but those of pushes are processor time, user and system, the best of several runs, as multiples of what a bare
Python takes in the same minutes: they say the same on any machine. Start: `suggest` on one Dockerfile without a jar. Corpus:
the Dockerfiles of fixtures in one call, for each hundred; of --corpus besides. Jar: one of 150 MB. Modules: 13 with the
same libraries. Tar: `inspect` of a `docker save` of 1 GB with plain layers. hadolint and tally look at the same
Dockerfiles, dive at the same tar, where they are installed. Bytecode is compiled before, as an installation does.

--history writes a row into history.tsv (`make bench HISTORY=1`); what became slower than the best row is said always.
"""

from __future__ import annotations

import argparse
import compileall
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

import history
import inspect_image
import push_clients
import push_time
from boot_jar import boot_jar, class_file, library

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nWORKDIR /app\nCOPY target/app.jar app.jar\nENTRYPOINT ["java","-jar","app.jar"]\n'
IMGOPT = [str(BIN / "imgopt")]
BARE = [sys.executable, "-c", "pass"]
MODULES = 13


@dataclass(frozen=True)
class Cost:
    """Processor and wall seconds."""

    cpu: float
    wall: float


def once(command: list[str]) -> Cost:
    start = time.perf_counter()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - start)


def peak_memory(command: list[str]) -> float:
    """Peak resident memory of the command in MB (10^6 bytes), asked by a small program: it counts what began it, too."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    return int(answer.stdout) * (1024 if sys.platform != "darwin" else 1) / 1e6


def best(*commands: list[str], runs: int = 5) -> list[Cost]:
    """Of each command, run in turns, so that what else the machine does falls on all of them."""
    found = [[once(command) for command in commands] for _ in range(runs)]
    return [Cost(*(min(getattr(row[at], name) for row in found) for name in ("cpu", "wall"))) for at in range(len(commands))]  # fmt: skip


def version_of(command: list[str]) -> str:
    """The last word of the first line that has a number in it; "" where the program is not there."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    words = [word for word in (said.stdout + said.stderr).split() if word[:1].isdigit() or word[:1] == "v"]
    return next((word.removeprefix("v") for word in words if any(each.isdigit() for each in word)), "?")


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)]))


def spread(files: list[Path], directory: Path) -> list[str]:
    """Each Dockerfile in a directory of its own, so that none is the neighbour of another."""
    found = []
    for number, file in enumerate(files):
        spot = directory / str(number)
        spot.mkdir(parents=True)
        (spot / "Dockerfile").write_bytes(file.read_bytes())
        found.append(str(spot / "Dockerfile"))
    return found


def big_jar(path: Path, megabytes: int = 150, libraries: int = 150) -> None:
    size = megabytes * 1_000_000 // libraries
    classes = {f"com/example/C{number}.class": class_file(f"com/example/C{number}") for number in range(40)}
    libs = {f"library-{number}-1.0.jar": library(classes, size, seed=number) for number in range(libraries)}
    boot_jar(path, libraries=libs)


def modules(directory: Path) -> None:
    """With 24 MB of the same libraries each, and a file of its own."""
    big_jar(directory / "app.jar", 24, 36)
    for number in range(MODULES):
        spot = directory / f"module-{number}"
        (spot / "target").mkdir(parents=True)
        (spot / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(directory / "app.jar", spot / "target")
        with zipfile.ZipFile(spot / "target" / "app.jar", "a") as archive:
            archive.writestr("BOOT-INF/classes/module.properties", f"name=module-{number}\n")
    (directory / "app.jar").unlink()


class Bench:
    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.bare = best(BARE, runs=20)[0].cpu
        self.figures: dict[str, float] = {}

    def times(self, cost: Cost) -> float:
        return cost.cpu / self.bare

    def say(self, what: str, name: str, cost: Cost, ours: Cost | None = None) -> None:
        line = f"{what:8} {name:28} {self.times(cost):8.1f} x{cost.wall:9.2f} s"
        if ours is not None:
            share = (
                f"{ours.cpu / cost.cpu:.2f} of its processor time, {ours.wall / cost.wall:.2f} of its seconds"
            )
            line += f"   imgopt is {share}"
        print(line, flush=True)

    def start(self) -> None:
        one = self.scratch / "one"
        one.mkdir()
        (one / "Dockerfile").write_text(DOCKERFILE)
        ours, version = best([*IMGOPT, "suggest", str(one / "Dockerfile")], [*IMGOPT, "--version"], runs=20)
        self.figures["start"] = self.times(ours)
        self.say("start", "imgopt suggest", ours)
        self.say("", "imgopt --version", version)
        self.others([str(one / "Dockerfile")], ours, runs=10)

    def others(self, files: list[str], ours: Cost, runs: int = 3) -> None:
        for name, arguments in (("hadolint", []), ("tally", ["lint"])):
            path = program(name)
            if path is None:
                print(f"{'':8} {name} is not installed")
                continue
            (cost,) = best([path, *arguments, *files], runs=runs)
            self.say("", f"{name} {version_of([path, '--version'])}", cost, ours)

    def corpus(self, name: str, files: list[Path]) -> None:
        many = self.scratch / name
        spots = spread(files, many)
        (ours,) = best([*IMGOPT, "suggest", "--format", "json", str(many)], runs=3)
        self.figures.setdefault("corpus", self.times(ours) * 100 / len(files))
        self.say(name, f"imgopt, {len(files)} files", ours)
        self.others(spots, ours)

    def jar(self) -> None:
        directory = self.scratch / "jar"
        (directory / "target").mkdir(parents=True)
        (directory / "Dockerfile").write_text(DOCKERFILE)
        big_jar(directory / "target" / "app.jar")
        command = [*IMGOPT, "suggest", str(directory / "Dockerfile")]
        (ours,) = best(command, runs=3)
        self.figures["jar"] = self.times(ours)
        self.say("jar", f"imgopt, 150 MB, in {peak_memory(command):.0f} MB", ours)
        shutil.rmtree(directory)

    def modules(self) -> None:
        directory = self.scratch / "modules"
        modules(directory)
        ours, one = best(
            [*IMGOPT, "suggest", str(directory)], [*IMGOPT, "suggest", str(directory / "module-0")]
        )
        self.figures["modules"] = self.times(ours)
        self.say("modules", f"imgopt, {MODULES}", ours)
        self.say("", "imgopt, 1", one)
        shutil.rmtree(directory)

    def tar(self, megabytes: int) -> None:
        path = self.scratch / "image.tar"
        inspect_image.image(path, megabytes, compressed=False)
        (ours,) = best([*IMGOPT, "inspect", "--format", "json", str(path)], runs=2)
        self.figures["tar"] = self.times(ours) * 1000 / megabytes
        self.say("tar", f"imgopt, {megabytes} MB", ours)
        dive = inspect_image.dive_at(None, self.scratch)
        if dive is None:
            print(f"{'':8} dive is not installed, and cannot be built: no go, or no network")
            return
        rules = self.scratch / "ci.yaml"
        rules.write_text("rules:\n" + "".join(f"  {rule}: disabled\n" for rule in inspect_image.RULES))
        (cost,) = best([str(dive), "--source", "docker-archive", str(path), "--ci", "--ci-config", str(rules)], runs=2)  # fmt: skip
        self.say(
            "",
            f"dive {version_of([str(dive), '--version']).strip('?') or inspect_image.VERSION[1:7]}",
            cost,
            ours,
        )
        path.unlink()


def commit() -> str:
    """With a ``+`` where files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # fmt: skip

    changed = "+" if git("status", "--porcelain", "--untracked-files=no", "--", "optimizer", "rules") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--corpus", type=Path, help="a tree of Dockerfiles to look at besides")
    cli.add_argument("--megabytes", type=int, default=1000, help="of the tar")
    cli.add_argument("--only", action="append", choices=[*history.FIGURES, "pushes"])
    cli.add_argument("--history", action="store_true", help="write the figures into history.tsv")
    options = cli.parse_args()
    wanted = options.only or [*history.FIGURES, "pushes"]

    for source in ("optimizer", "rules"):
        compileall.compile_dir(ROOT / source, quiet=1)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        print(f"times a bare Python's processor time ({bench.bare * 1000:.1f} ms), with bytecode compiled")
        if "start" in wanted:
            bench.start()
        if "corpus" in wanted:
            bench.corpus("corpus", sorted((ROOT / "fixtures").rglob("*.Dockerfile")))
            if options.corpus is not None:
                files = (
                    p for p in options.corpus.rglob("*") if p.is_file() and p.suffix not in (".tsv", ".md")
                )
                bench.corpus("given", sorted(files))
        if "jar" in wanted:
            bench.jar()
        if "modules" in wanted:
            bench.modules()
        if "tar" in wanted:
            bench.tar(options.megabytes)
    rows = history.read()
    print(*history.slower(bench.figures, rows), sep="\n")
    if options.history:
        history.append(
            datetime.datetime.now(datetime.timezone.utc).date().isoformat(), commit(), bench.figures
        )
    if "pushes" not in wanted:
        return
    if reason := push_clients.missing():
        print(f"pushes     not measured: {reason}")
    else:
        push_time.main([*push_clients.CLIENTS, push_clients.OWN], few=True)


if __name__ == "__main__":
    main()
