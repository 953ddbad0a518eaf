"""Times `imgopt` beside what a user would compare it with, and prints ratios. Run by `make bench`; asserts nothing.

Start-up beside bare Python; many Dockerfiles in one call beside hadolint on the same files; a Spring Boot jar of
150 MB with its peak memory; the seconds that pushes are predicted to take beside real ones (push_time.py, where it can
run). Each figure but the pushes' is the best of several runs, in seconds of wall time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

import push_clients
import push_time
from boot_jar import boot_jar, class_file, library

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent


def best(command: list[str], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory(command: list[str]) -> float:
    """Peak resident memory of the command in MB (10^6 bytes)."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    return int(answer.stdout) * (1024 if sys.platform != "darwin" else 1) / 1e6


def dockerfiles(corpus: Path | None) -> list[Path]:
    if corpus is not None and corpus.is_dir():
        return sorted(p for p in corpus.rglob("*") if p.is_file() and p.suffix not in (".tsv", ".md"))
    return sorted((ROOT / "fixtures").rglob("*.Dockerfile"))


def big_jar(path: Path, megabytes: int = 150, libraries: int = 150) -> None:
    size = megabytes * 1_000_000 // libraries
    classes = {f"com/example/C{number}.class": class_file(f"com/example/C{number}") for number in range(40)}
    libs = {f"library-{number}-1.0.jar": library(classes, size, seed=number) for number in range(libraries)}
    boot_jar(path, libraries=libs)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument(
        "--corpus", type=Path, default=ROOT.parent / "shared" / "corpus", help="a tree of Dockerfiles"
    )
    options = cli.parse_args()
    imgopt = [str(BIN / "imgopt")]

    with tempfile.TemporaryDirectory() as scratch:
        one = Path(scratch, "one")
        one.mkdir()
        (one / "Dockerfile").write_text(
            'FROM eclipse-temurin:17-jdk\nWORKDIR /app\nCOPY target/app.jar app.jar\nENTRYPOINT ["java","-jar","app.jar"]\n'
        )
        bare = best([sys.executable, "-c", "pass"])
        version = best([*imgopt, "--version"])
        suggest = best([*imgopt, "suggest", str(one / "Dockerfile")])
        print(
            f"start      python -c pass {bare:.3f} s   --version {version:.3f} s (+{version - bare:.3f})   "
            f"suggest {suggest:.3f} s (+{suggest - bare:.3f})"
        )

        files = dockerfiles(options.corpus)
        many = Path(scratch, "many")
        for number, file in enumerate(files):
            spot = many / str(number)
            spot.mkdir(parents=True)
            (spot / "Dockerfile").write_bytes(file.read_bytes())
        ours = best([*imgopt, "suggest", "--format", "json", str(many)], 3)
        lint = best([str(BIN / "hadolint"), *(str(path) for path in sorted(many.rglob("Dockerfile")))], 3)
        print(f"{len(files)} files  imgopt {ours:.2f} s   hadolint {lint:.2f} s   ratio {ours / lint:.2f}")

        big_jar(one / "target" / "app.jar")
        size = (one / "target" / "app.jar").stat().st_size / 1e6
        seconds = best([*imgopt, "suggest", str(one / "Dockerfile")], 3)
        memory = peak_memory([*imgopt, "suggest", str(one / "Dockerfile")])
        print(f"jar {size:.0f} MB  suggest {seconds:.2f} s   peak memory {memory:.0f} MB")

    if reason := push_clients.missing():
        print(f"pushes     not measured: {reason}")
    else:
        push_time.main([*push_clients.CLIENTS, push_clients.OWN], few=True)


if __name__ == "__main__":
    main()
