"""Measure apt's figures on Debian: ``python make_apt_figures.py DIRECTORY PACKAGE...``, as root, with mmdebstrap.

For each release a minimal system is made below DIRECTORY and given the settings that Docker's official Debian images
have for apt. What `apt-get update` then leaves in /var/lib/apt/lists is weighed as a layer (a tar, compressed by gzip at
level 6), and apt is asked what an install of each package would bring, with and without recommendations. A release that
has no such package is passed over. Not imported by imgopt: it documents how the data files came about.
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


def installs(root: Path, name: str, *, recommends: bool) -> set[str] | None:
    """The packages that an install brings, or None where there is no such package."""
    option = "--install-recommends" if recommends else "--no-install-recommends"
    try:
        said = apt_get(root, "install", "--simulate", option, name)
    except subprocess.CalledProcessError:
        return None
    return {line.split()[1] for line in said.splitlines() if line.startswith("Inst ")}


def ask(root: Path, version: str, names: list[str]) -> tuple[list[str], list[str]]:
    """Rows of apt_recommends.tsv and of apt_packages.tsv for one release."""
    known = {
        name: (lean, full)
        for name in names
        if (lean := installs(root, name, recommends=False)) is not None
        and (full := installs(root, name, recommends=True)) is not None
    }
    recommended = {each for lean, full in known.values() for each in full - lean}
    rows = [
        "\t".join(
            (version, name, " ".join(sorted((lean & recommended) - {name})), " ".join(sorted(full - lean)))
        )
        for name, (lean, full) in sorted(known.items())
    ]
    shown = ["apt-cache", "show", "--no-all-versions", *sorted(known.keys() | recommended)]
    run = subprocess.run(["chroot", str(root), *shown], check=True, stdout=subprocess.PIPE, text=True)
    sizes = []
    for paragraph in run.stdout.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line[:40])
        if "Package" in fields:
            sizes.append(f"{version}\t{fields['Package']}\t{fields['Size']}")
    return rows, sizes


def main() -> None:
    directory, names = Path(sys.argv[1]), sys.argv[2:]
    day = datetime.date.today().isoformat()
    lists = ["os\tos_version\tplatform\tcompressed_bytes\tuncompressed_bytes\tmeasured"]
    recommends, packages = ["version\tpackage\tneeds\trecommended"], ["version\tpackage\tbytes"]
    for release, version in RELEASES.items():
        root = directory / release
        make_system(root, release)
        for architecture in reversed(ARCHITECTURES):
            sizes = weigh_lists(root, architecture)
            lists.append(f"debian\t{version}\tlinux/{architecture}\t{sizes[0]}\t{sizes[1]}\t{day}")
        rows = ask(root, version, names)
        recommends += rows[0]
        packages += rows[1]
    for name, lines in (
        ("apt_lists", lists),
        ("apt_recommends", recommends),
        ("apt_packages", packages),
    ):
        Path(__file__).with_name(f"{name}.tsv").write_text("\n".join([*lines, ""]), encoding="ascii")


if __name__ == "__main__":
    main()
