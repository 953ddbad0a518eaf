"""What the fuzzers share: the command line, the limits of one input, and what was found.

    python tests/fuzz/fuzz_dockerfile.py --seconds 3600     fuzz for an hour; exits 1 when something was found
    python tests/fuzz/fuzz_dockerfile.py FILE...            look at these inputs only

They feed bytes, guided by coverage, and need the optional extra `fuzz` (atheris); `fuzz_rewrites.py` alone generates whole
Dockerfiles and needs the extra `test` only. `make fuzz` runs them all.

Everything lands in `.cache/fuzz/NAME`: `corpus` (inputs worth keeping between runs), `found` (the smallest input of
every problem, named for it) and `log`. An input that showed a problem goes to `tests/fuzz/seeds/NAME` once that is
mended: `test_seeds.py` looks at all of those in every test run.

A problem is an exception that is none of imgopt's own, more than `SECONDS` of processor time, or more than
`MEGABYTES` of memory. Time and memory are checked again in a process that is not instrumented before they count.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parent.parent.parent
SEEDS = Path(__file__).parent / "seeds"
SECONDS = 2.0
MEGABYTES = 256
_CORPUS_BYTES = 16_000  # larger inputs are looked at once, and not changed further: that takes too long
_INSTRUMENTED = 2  # times as slow, at the least
_PROBLEM = 9  # the exit status of a process that looked at one input and found a problem


def set_paths() -> None:
    """What pytest's settings do for the tests: the sources and the tests' own helpers are importable."""
    for folder in ("optimizer", "rules", "tests", "tests/java", "tests/dockerfile", "tests/fuzz"):
        if str(ROOT / folder) not in sys.path:
            sys.path.insert(0, str(ROOT / folder))


@dataclass(frozen=True)
class Target:
    """``check`` raises when something is wrong with what imgopt makes of the bytes; ``mutate`` gets an input, the
    greatest length of the new one, a source of chance, and libFuzzer's own mutation of bytes."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Callable[[bytes, int, random.Random, Callable[[bytes, int], bytes]], bytes]
    max_bytes: int


@dataclass(frozen=True)
class Problem:
    kind: str  # crash, slow, memory
    where: str
    detail: str

    @property
    def name(self) -> str:
        return re.sub(r"[^\w.-]+", "-", f"{self.kind}-{self.where}")[:120]


class TooSlow(BaseException):
    """No Exception: the code under test must not catch it."""


_running = False


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    if _running:
        raise TooSlow


def _where(error: BaseException) -> str:
    """The innermost function of imgopt, or of the check itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != "_too_slow"]
    own = [
        frame for frame in frames if "/optimizer/" in frame.filename or "/rules/" in frame.filename
    ] or frames
    return f"{Path(own[-1].filename).stem}.{own[-1].name}"


def look(check: Callable[[bytes], None], data: bytes, seconds: float = SECONDS) -> Problem | None:
    """Runs one check within the limits."""
    global _running
    signal.signal(signal.SIGPROF, _too_slow)
    _forget_peak()
    before = _peak_megabytes()
    _running = True
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)  # again and again, should something catch the first
    try:
        try:
            check(data)
        finally:
            _running = False
            signal.setitimer(signal.ITIMER_PROF, 0)
    except TooSlow as error:
        return Problem("slow", _where(error), "".join(traceback.format_exception(error)))
    except MemoryError as error:
        return Problem("memory", _where(error), "".join(traceback.format_exception(error)))
    except Exception as error:
        where = f"{type(error).__name__}-{_where(error)}"
        return Problem("crash", where, "".join(traceback.format_exception(error)[-12:]))
    more = _peak_megabytes() - before
    if more > MEGABYTES:
        return Problem("memory", "peak", f"{more} MB more than before\n")
    return None


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _forget_peak() -> None:
    """Linux: the next peak is measured from here."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def scratch(name: str) -> Path:
    """A folder for the files of one input. The parent's number: a worker that an input took down leaves it to the next."""
    memory = Path("/dev/shm")
    folder = (
        memory if memory.is_dir() else Path(tempfile.gettempdir())
    ) / f"imgopt-fuzz-{os.getppid()}-{name}"
    folder.mkdir(exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def home(name: str) -> Path:
    return ROOT / ".cache" / "fuzz" / name


def keep(name: str, problem: Problem, data: bytes) -> bool:
    """Files the input under its problem, the smallest one only; whether the problem is new."""
    folder = home(name) / "found"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / problem.name
    new = not path.exists()
    if new or path.stat().st_size > len(data):
        path.write_bytes(data)
        path.with_name(path.name + ".txt").write_text(problem.detail)
    return new


def main(
    script: str,
    load: Callable[[], Target],
    hunt: Callable[[Target, argparse.Namespace], int] | None = None,
) -> None:
    """``load`` imports imgopt; it is called where that is instrumented. ``hunt`` fuzzes instead of atheris."""
    arguments = argparse.ArgumentParser(prog=Path(script).name, description="See tests/fuzz/fuzzing.py.")
    arguments.add_argument("files", nargs="*", type=Path, help="look at these inputs, and do not fuzz")
    arguments.add_argument("--seconds", type=int, default=600)
    arguments.add_argument("--seed", type=int, default=0, help="0: another one each time")
    arguments.add_argument(
        "--corpus", type=Path, action="append", default=[], help="a folder with more seeds"
    )
    arguments.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    set_paths()
    if given.files:
        sys.exit(_replay(load(), given.files))
    if given.worker:
        _worker(script, load, given)
        return
    sys.exit(hunt(load(), given) if hunt is not None else _drive(script, load(), given))


def _replay(target: Target, files: Iterable[Path]) -> int:
    status = 0
    for path in files:
        problem = look(target.check, path.read_bytes())
        print(f"{path}: {problem.kind} in {problem.where}\n{problem.detail}" if problem else f"{path}: fine")
        status = _PROBLEM if problem else status
    return status


def _drive(script: str, target: Target, given: argparse.Namespace) -> int:
    """Starts the fuzzer, and starts it again when an input took it down."""
    folder = home(target.name)
    corpus, found = folder / "corpus", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    outside = [path.read_bytes() for more in given.corpus for path in more.rglob("*") if path.is_file()]
    kept = [path.read_bytes() for path in (SEEDS / target.name).glob("*")]
    for data in (*target.seeds(), *kept, *outside):
        if len(data) <= _CORPUS_BYTES:
            (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    begin = time.time()
    end = begin + given.seconds
    seed = given.seed or random.SystemRandom().randrange(1, 1 << 31)
    inputs = 0
    while (left := int(end - time.time())) > 0:
        command = [sys.executable, script, "--worker", "--seconds", str(left), "--seed", str(seed)]
        print(f"{target.name}: {left} s from seed {seed}, log in {folder / 'log'}", flush=True)
        with (folder / "log").open("wb") as log:
            subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        text = (folder / "log").read_text(errors="replace")
        if "ModuleNotFoundError: No module named 'atheris'" in text:
            print("error: atheris is not installed; pip install --editable '.[fuzz]'")
            return 2
        counts = re.findall(r"^#(\d+)\s", text, re.MULTILINE)
        inputs += int(counts[-1]) if counts else 0
        seed = seed % ((1 << 31) - 1) + 1
        if not counts:
            print(text[-2000:])
            return 2
    problems = sorted(
        path for path in found.iterdir() if path.suffix != ".txt" and path.stat().st_mtime >= begin
    )
    print(f"{target.name}: {inputs} inputs, {len(list(corpus.iterdir()))} kept, {len(problems)} problems")
    for path in problems:
        print(f"  {path}")
    return 1 if problems else 0


def _worker(script: str, load: Callable[[], Target], given: argparse.Namespace) -> None:
    import atheris

    with atheris.instrument_imports(include=["imgopt"], enable_loader_override=False):
        target = load()
        for data in target.seeds():
            look(target.check, data)  # modules that are imported when first needed

    def told(data: bytes) -> Problem | None:
        problem = look(target.check, data, _INSTRUMENTED * SECONDS)
        certain = problem is not None and (problem.kind == "crash" or _confirmed(script, target, data))
        if problem is not None and certain and keep(target.name, problem, data):
            print(f"FOUND {problem.name} ({len(data)} bytes)", flush=True)
        return problem

    def one(data: bytes) -> None:
        problem = told(data)
        if problem is not None and problem.kind != "crash":
            # or libFuzzer would keep the input, and try what is like it for the rest of the time
            os._exit(_PROBLEM)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        made = target.mutate(data, target.max_bytes, random.Random(seed), atheris.Mutate)
        if len(made) <= most:
            return made
        told(made[: target.max_bytes])  # here, so that it does not get into the corpus
        return bytes(atheris.Mutate(data, most))

    folder = home(target.name)
    atheris.Setup(
        [
            script,
            f"-max_total_time={given.seconds}",
            f"-seed={given.seed}",
            f"-max_len={_CORPUS_BYTES}",
            "-len_control=0",
            "-timeout=60",
            "-rss_limit_mb=4096",
            f"-artifact_prefix={folder / 'found'}/",
            str(folder / "corpus"),
        ],
        one,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def _confirmed(script: str, target: Target, data: bytes) -> bool:
    path = home(target.name) / "suspect"
    path.write_bytes(data)
    command = [sys.executable, script, str(path)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == _PROBLEM
