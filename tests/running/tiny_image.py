"""Images of a few hundred kilobytes: busybox in one layer, any config. Loaded, not built, so that a test takes seconds."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

import stand_ins

from imgopt.images.model import Descriptor, Image, ImageLayer

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


class TinyImage:
    """An `OpenImage` in memory. ``files``: further layers, each of path and content (mode 0755)."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *files: Mapping[str, str],
        packed: bool = True,
        sizes_known: bool = True,
    ) -> None:
        self.tars = [busybox(), *(_tar(each) for each in files)]
        self.blobs = [gzip.compress(tar, 1, mtime=0) if packed else None for tar in self.tars]
        layers = tuple(
            ImageLayer(
                _digest(tar),
                Descriptor(GZIP, _digest(blob), len(blob)) if blob is not None else None,
                len(tar) if sizes_known else None,
            )
            for tar, blob in zip(self.tars, self.blobs, strict=True)
        )
        document = {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64"),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "test"} for _ in layers],
        }
        data = json.dumps(document).encode()
        self.image = Image("tiny", document, data, layers)

    def open_blob(self, index: int) -> BinaryIO:
        return io.BytesIO(self.blobs[index] or self.tars[index])

    def open_tar(self, index: int) -> BinaryIO:
        return io.BytesIO(self.tars[index])

    def close(self) -> None:
        pass


@lru_cache
def busybox() -> bytes:
    """A layer of busybox and its commands, from the stand-in that has it."""
    target = io.BytesIO()
    with (
        tarfile.open(stand_ins.rootfs("alpine-jre")) as source,
        tarfile.open(fileobj=target, mode="w") as tar,
    ):
        for member in source:
            if member.name == "bin" or member.name.startswith("bin/"):
                tar.addfile(member, source.extractfile(member) if member.isreg() else None)
        for name in ("tmp", "www"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(directory)
    return target.getvalue()


def shell(script: str) -> dict[str, Sequence[str]]:
    """A config that runs a script of the shell."""
    return {"Entrypoint": ["sh", "-c", script]}


def _tar(files: Mapping[str, str]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o755, len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return target.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
