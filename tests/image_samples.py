"""Small images, made by hand: layers whose every entry is known, as a docker archive that the tools read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: A file's content; None is a directory; a tarfile.TarInfo stands as it is (links, devices).
Content = bytes | None | tarfile.TarInfo


def layer(
    files: Mapping[str, Content] | Iterable[tuple[str, Content]], format: int = tarfile.PAX_FORMAT
) -> bytes:
    """A plain layer tar, entries in the order given."""
    output = io.BytesIO()
    pairs = files.items() if isinstance(files, Mapping) else files
    with tarfile.open(fileobj=output, mode="w", format=format) as archive:
        for name, content in pairs:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def link(target: str, kind: bytes = tarfile.LNKTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = kind, target
    return entry


def docker_archive(
    path: Path,
    layers: Sequence[bytes],
    commands: Sequence[str] = (),
    *,
    tag: str = "shop/api:7",
    compressed: bool = False,
    **config: Any,
) -> Path:
    """Writes what ``docker save`` (or, compressed, kaniko's --tar-path) would. ``config`` is the image's: User, Cmd, …"""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [_digest(each) for each in layers]},
        "history": [
            {"created_by": command}
            for command in (
                *commands[: len(layers)],
                *(f"COPY {n}" for n in range(len(commands), len(layers))),
            )
        ],
    }
    data = json.dumps(document).encode()
    name = f"{hashlib.sha256(data).hexdigest()}.json"
    blobs = [gzip.compress(each, mtime=0) if compressed else each for each in layers]
    files = [f"{number}.tar.gz" if compressed else f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": files}]
    path.write_bytes(
        layer(
            {
                **dict(zip(files, blobs, strict=True)),
                name: data,
                "manifest.json": json.dumps(manifest).encode(),
            }
        )
    )
    return path


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
