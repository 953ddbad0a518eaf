"""Build contexts whose layers are those of real applications: a jar whole, and its libraries and classes unpacked."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

LIBRARIES = ("BOOT-INF/lib/", "WEB-INF/lib/")
LOADER = "org/springframework/boot/loader/"


def unpack(jar: Path, target: Path) -> dict[str, Path]:
    """The jar's libraries and the application's own files as trees: ``dependencies``, ``application``."""
    trees = {"dependencies": target / "dependencies", "application": target / "application"}
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or entry.filename.startswith(LOADER):
                continue
            name = "dependencies" if entry.filename.startswith(LIBRARIES) else "application"
            _write(trees[name] / "app" / entry.filename, archive.read(entry))
    return trees


def classes(jar: Path, libraries: tuple[str, ...], target: Path) -> Path:
    """The content of some of the jar's libraries as plain files, as an application's own classes lie in a layer."""
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.startswith(LIBRARIES) and any(each in name for each in libraries):
                with archive.open(name) as nested, zipfile.ZipFile(nested) as library:
                    for entry in library.infolist():
                        if not entry.is_dir():
                            _write(target / "app" / entry.filename, library.read(entry))
    return target


def context(directory: Path, layers: Mapping[str, Path]) -> Path:
    """A build context with a Dockerfile that makes one layer of each file or tree, in that order."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = ["FROM scratch"]
    for index, path in enumerate(layers.values()):
        name = f"layer-{index}{path.suffix if path.is_file() else ''}"
        if path.is_file():
            _link(path, directory / name)
        else:
            path.rename(directory / name)
        lines.append(f"COPY {name} /{name}" if path.is_file() else f"COPY {name}/ /{index}/")
    (directory / "Dockerfile").write_text("\n".join([*lines, ""]))
    return directory


def _link(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
    except OSError:  # another file system
        shutil.copyfile(path, target)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
