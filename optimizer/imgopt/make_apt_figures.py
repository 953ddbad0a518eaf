"""Measure apt's figures on Debian: ``python make_apt_figures.py DIRECTORY``, as root, with mmdebstrap installed.

For each release a minimal system is made below DIRECTORY and given the settings that Docker's official Debian images
have for apt. What `apt-get update` then leaves in /var/lib/apt/lists is weighed as a layer (a tar, compressed by gzip at
level 6). Not imported by imgopt: it documents how the data files came about.
"""

from __future__ import annotations

import datetime
import gzip
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
ARCHITECTURES = ("amd64", "arm64")
SOURCES = (
    "deb http://deb.debian.org/debian {0} main",
    "deb http://deb.debian.org/debian {0}-updates main",
    "deb http://deb.debian.org/debian-security {0}-security main",
)
#: What /etc/apt/apt.conf.d of the official images says.
SETTINGS = """\
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
"""


def apt_get(root: Path, *words: str) -> str:
    run = subprocess.run(
        ["chroot", str(root), "apt-get", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout


def make_system(root: Path, release: str) -> None:
    lines = [line.format(release) for line in SOURCES]
    subprocess.run(["mmdebstrap", "--variant=minbase", release, str(root), *lines], check=True)
    (root / "etc/apt/apt.conf.d/docker").write_text(SETTINGS)


def weigh_lists(root: Path, architecture: str) -> tuple[int, int]:
    """Compressed and uncompressed bytes of the lists of one architecture."""
    lists = root / "var/lib/apt/lists"
    shutil.rmtree(lists, ignore_errors=True)
    (lists / "partial").mkdir(parents=True)
    apt_get(
        root, "-o", f"APT::Architecture={architecture}", "-o", f"APT::Architectures={architecture}", "update"
    )
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path in sorted(lists.rglob("*")):
            tar.add(path, f"var/lib/apt/lists/{path.relative_to(lists)}", recursive=False)
    return len(gzip.compress(layer.getvalue(), 6)), len(layer.getvalue())


def main() -> None:
    directory, day = Path(sys.argv[1]), datetime.date.today().isoformat()
    rows = ["os\tos_version\tplatform\tcompressed_bytes\tuncompressed_bytes\tmeasured"]
    for release, version in RELEASES.items():
        root = directory / release
        make_system(root, release)
        for architecture in ARCHITECTURES:
            sizes = weigh_lists(root, architecture)
            rows.append(f"debian\t{version}\tlinux/{architecture}\t{sizes[0]}\t{sizes[1]}\t{day}")
    Path(__file__).with_name("apt_lists.tsv").write_text("\n".join([*rows, ""]), encoding="ascii")


if __name__ == "__main__":
    main()
