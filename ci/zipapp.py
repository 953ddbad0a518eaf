"""Makes dist/imgopt.pyz: imgopt in one file that needs only Python 3.10 or newer (`make zipapp`).

    python ci/zipapp.py [FILE]

It holds the releases of constraints.txt, each checked against its hash, with the compiled parts (gzip, zstd) of every
Python and system below; elsewhere imgopt does without them, as it does where they are not installed. At its first start the
file unpacks itself, to ~/.shiv or $SHIV_ROOT.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS = (
    "x86_64-manylinux2014",
    "aarch64-manylinux2014",
    "aarch64-apple-darwin",
    "x86_64-unknown-linux-musl",
)
#: Distributions of which there is no Python to fall back to. What others have compiled is left out: twice the size for little.
COMPILED = ("backports_zstd", "isal")
#: A Python that is too old says so, in the words of one that can read no newer ones.
PREAMBLE = """import sys
if sys.version_info < (3, 10):
    sys.exit("error: imgopt needs Python 3.10 or newer, this is %d.%d; start it as python3.12 imgopt.pyz" % sys.version_info[:2])
"""


def make(target: Path, systems: tuple[str, ...] = SYSTEMS, pythons: tuple[str, ...] = PYTHONS) -> None:
    """Writes the file. RuntimeError where two systems have different files of one name, CalledProcessError otherwise."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        run("uv", "build", "--quiet", "--wheel", "--out-dir", directory, ROOT)
        (wheel,) = directory.glob("*.whl")
        site = directory / "site"
        for python in pythons:
            for system in systems:
                one = directory / f"{python}-{system}"
                run(
                    *("uv", "pip", "install", "--quiet", "--target", one),
                    *("--python-version", python, "--python-platform", system),
                    *("--only-binary", ":all:", "--constraint", ROOT / "ci" / "constraints.txt", wheel),
                )
                _add(one, site)
        (directory / "preamble.py").write_text(PREAMBLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        run(
            *("shiv", "--site-packages", site, "--entry-point", "imgopt.cli:main", "--reproducible"),
            *("--compressed", "--preamble", directory / "preamble.py", "--output-file", target),
        )


def _add(one: Path, site: Path) -> None:
    """Lays an installation over those of older Pythons and other systems.

    What is compiled has a name of its own for each of them, and stands beside the Python files that do without. Of two
    releases of a distribution the one that the oldest Python takes is for all. Programs are not taken: they name paths
    of this machine.
    """
    for records in sorted(one.glob("*.dist-info")):
        name, _, version = records.name.removesuffix(".dist-info").partition("-")
        there = [path.name for path in site.glob(f"{name}-*.dist-info")]
        if there and there != [f"{name}-{version}.dist-info"]:
            continue
        for path in (
            one / each.rpartition(",sha256=")[0] for each in (records / "RECORD").read_text().splitlines()
        ):
            target = site / path.relative_to(one)
            if not path.is_file() or path.parent.name == "bin":
                continue
            if path.suffix == ".so" and name not in COMPILED:
                continue
            if target.exists():
                # Python 3.10 calls musl's compiled parts as it calls glibc's, and does without where they do not load
                if target.suffix == ".py" and target.read_bytes() != path.read_bytes():
                    raise RuntimeError(
                        f"{target.relative_to(site)} is not the same for every Python and system"
                    )
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def run(program: str, *arguments: str | Path) -> None:
    """A program of this Python's environment."""
    path = Path(sys.executable).with_name(program)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    # uv does not read what pip is told
    for of_pip, of_uv in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if of_pip in environment:
            environment.setdefault(of_uv, environment[of_pip])
    subprocess.run([path, *arguments], check=True, env=environment)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "imgopt.pyz"
    make(target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
