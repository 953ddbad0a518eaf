"""A container in which kaniko's real executor runs more than once, as a step of a pipeline does in the container of a pod.

imgopt's own engine gives each build a root file system of its own; here all builds have one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from builders import Builder
from tools import tool

from imgopt.engines import kaniko_root

#: What a pipeline may write between two builds.
EMPTY = "rm -rf /kaniko/[0-9]*"

Tree = dict[str, tuple[str, ...]]


class LivingContainer:
    """``projects`` holds the build contexts; images come out as ``NUMBER.tar`` in ``directory``. ``kaniko`` knows where
    base images are; it is not needed where they are all ``scratch``."""

    def __init__(self, directory: Path, projects: Path, kaniko: Builder | None = None) -> None:
        self._flags = kaniko.options["kaniko_flags"] if kaniko is not None else ()
        self._projects = projects
        self._root, self._images = directory / "root", directory / "images"
        self._images.mkdir(parents=True)
        for name in (
            "proc",
            "sys",
            "dev",
            "etc",
            "tmp",
            "root",
            "kaniko/context",
            "kaniko/layout",
            "kaniko/ssl/certs",
        ):
            (self._root / name).mkdir(parents=True)
        (self._root / "kaniko" / "executor").touch()

    def run(
        self, *steps: str | Sequence[str], flags: Sequence[str] = ("--cleanup", "--reproducible")
    ) -> list[Tree]:
        """Builds one after the other; what of a step is no `EMPTY` names a directory of the projects, with further
        flags. The files of each image."""
        script, number = [], 0
        for step in steps:
            if step == EMPTY:
                script.append(f'rm -rf "$root"/{EMPTY.rpartition(" /")[2]}')
                continue
            name, *more = [step] if isinstance(step, str) else step
            command = [
                "/kaniko/executor", "--force", "--no-push", f"--context=dir:///kaniko/context/{name}",
                f"--tar-path=/kaniko/layout/{number}.tar", "--destination=app", *self._flags,
                *flags, *more,
            ]  # fmt: skip
            script.append(f'chroot "$root" {" ".join(command)}')
            number += 1
        # the engine's way into a root, with these commands instead of its one
        enter = kaniko_root._ENTER.replace('exec chroot "$root" /kaniko/executor "$@"', "\n".join(script))
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "kaniko"]
        command += [str(self._root), str(tool("executor")), str(self._projects), str(self._images)]
        done = subprocess.run(
            command,
            env={"PATH": f"{kaniko_root.PATH}:/kaniko", "HOME": "/root", "DOCKER_CONFIG": "/kaniko/.docker"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:]
        return [tree_of(self._images / f"{each}.tar") for each in range(number)]


def tree_of(image: Path) -> Tree:
    """The files that a container of this image sees: kind, mode, owner, and a file's content or a link's target."""
    tree: Tree = {}
    with tarfile.open(image) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        for name in manifest[0]["Layers"]:
            stream = archive.extractfile(name)
            assert stream is not None
            data = stream.read()
            data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                for member in layer:
                    path = member.name.strip("./")
                    parent, _, last = path.rpartition("/")
                    if last.startswith(".wh."):
                        gone = f"{parent}/{last[4:]}".strip("/")
                        tree = {p: v for p, v in tree.items() if p != gone and not p.startswith(gone + "/")}
                        continue
                    stream = layer.extractfile(member) if member.isreg() else None
                    digest = _digest(path, stream.read()) if stream is not None else member.linkname
                    tree[path] = (str(member.type), oct(member.mode), f"{member.uid}:{member.gid}", digest)
    return tree


def _digest(path: str, data: bytes) -> str:
    if path.endswith(".jar") and len(data) < 10_000 and zipfile.is_zipfile(io.BytesIO(data)):
        # the small jar of a rewrite: `jar` writes the time into it
        with zipfile.ZipFile(io.BytesIO(data)) as jar:
            data = repr([(each.filename, each.CRC) for each in jar.infolist()]).encode()
    return hashlib.sha256(data).hexdigest()
