"""Times `imgopt inspect` beside dive on the same image of 1 GB, and prints what both say of it. Asserts nothing.

    python tests/benchmarks/inspect_image.py [--dive PATH] [--megabytes 1000]

The image has many small files, some large ones and jars in three layers; a later layer writes a third of them again
and removes some, a directory among them. Once with plain layers (`docker save`), once with gzip'd ones (kaniko's
--tar-path), where imgopt has nothing to compress. dive: the one on the PATH, in .cache/tools, or built here with
`go build` from its public module.

Both figures agree where each directory has an entry in its layer's tar, as builders write them. dive counts the
removal of a directory without one as nothing, imgopt as what was in it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from image_samples import docker_archive, layer

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = "github.com/wagoodman/dive"
VERSION = "v0.13.2-0.20250516191726-d6c691947f8f"


def dive_at(given: Path | None, scratch: Path) -> Path | None:
    for each in (given, ROOT / ".cache/tools/dive", Path(shutil.which("dive") or "/nowhere")):
        if each is not None and each.is_file():
            return each
    if not shutil.which("go"):
        return None
    source = scratch / "dive-source"
    source.mkdir()
    (source / "go.mod").write_text(f"module bench\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n")
    (source / "tools.go").write_text(f'//go:build tools\n\npackage bench\n\nimport _ "{MODULE}/cmd/dive"\n')
    for command in (
        ["go", "mod", "tidy"],
        ["go", "build", "-o", str(scratch / "dive"), f"{MODULE}/cmd/dive"],
    ):
        if subprocess.run(command, cwd=source, capture_output=True).returncode:
            return None
    return scratch / "dive"


def image(path: Path, megabytes: int, *, compressed: bool) -> None:
    """Half of the bytes can be compressed, as those of a JDK and a system can."""
    noise = random.Random(1)
    size = megabytes * 1_000_000

    def content(count: int) -> bytes:
        data = noise.randbytes(count // 2)
        return data + b"the same words again and again, " * (count // 64)

    folders: dict[str, bytes | None] = {f"usr/lib/d{n}": None for n in range(200)}
    system = {f"usr/lib/d{n % 200}/f{n}": content(size // 4 // 20_000) for n in range(20_000)}
    java = {f"usr/lib/jvm/java/lib/part{n}": content(size // 4 // 40) for n in range(40)}
    jars = {f"app/lib/library-{n}.jar": noise.randbytes(size // 4 // 100) for n in range(100)}
    again = {name: data for number, (name, data) in enumerate(jars.items()) if number % 3 == 0}
    last = {**again, "usr/lib/.wh.d7": b"", "app/lib/.wh.library-1.jar": b"", "app/new": content(size // 6)}
    docker_archive(
        path, [layer({**folders, **system, **java}), layer(jars), layer(last)], compressed=compressed
    )


def run(command: list[str], environment: Mapping[str, str] | None = None) -> tuple[float, float, str]:
    """Seconds, peak memory in MB, and the output."""
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); print(done.stdout + done.stderr)"
    )
    start = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-c", script, *command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(environment or {})},
    )
    seconds = time.perf_counter() - start
    memory, _, output = answer.stdout.partition("\n")
    return seconds, int(memory) * 1024 / 1e6, output


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--dive", type=Path)
    cli.add_argument("--megabytes", type=int, default=1000)
    options = cli.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        dive = dive_at(options.dive, scratch)
        rules = scratch / "ci.yaml"
        rules.write_text("rules:\n" + "".join(f"  {rule}: disabled\n" for rule in RULES))
        for form, compressed in (("plain layers", False), ("gzip'd layers", True)):
            path = scratch / "image.tar"
            image(path, options.megabytes, compressed=compressed)
            print(f"{form}: {path.stat().st_size / 1e6:.0f} MB")
            code = "from imgopt.cli import main; raise SystemExit(main())"
            ours = [sys.executable, "-c", code, "inspect", "--format", "json", str(path)]
            environment = {"PYTHONPATH": os.pathsep.join((str(ROOT / "optimizer"), str(ROOT / "rules")))}
            seconds, memory, output = run(ours, environment)
            found = json.loads(output)["image"]["contents"]
            print(
                f"  imgopt  {seconds:6.1f} s  {memory:6.0f} MB  efficiency {found['efficiency']:.4%}  "
                f"wasted, dive's way {found['dive']['wasted_bytes']}, saveable {found['wasted_bytes']}"
            )
            if dive is None:
                print("  dive is not there and cannot be built: no go, or no network")
                continue
            command = [str(dive), "--source", "docker-archive", str(path), "--ci", "--ci-config", str(rules)]
            seconds, memory, output = run(command)
            efficiency = re.search(r"efficiency:\s*(\S+ %)", output)
            wasted = re.search(r"wastedBytes:\s*(\d+)", output)
            print(
                f"  dive    {seconds:6.1f} s  {memory:6.0f} MB  efficiency {efficiency and efficiency[1]}  "
                f"wasted {wasted and wasted[1]}"
            )


RULES = ("lowestEfficiency", "highestWastedBytes", "highestUserWastedPercent")

if __name__ == "__main__":
    main()
