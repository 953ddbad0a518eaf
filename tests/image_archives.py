"""Images made by hand: OCI layouts and docker archives whose every byte is known, whole or broken."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return output.getvalue()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def config_of(layers: Sequence[bytes], architecture: str = "amd64", **config: Any) -> bytes:
    """A config for plain layers."""
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
        "history": [
            {"created_by": "CMD", "empty_layer": True},
            *({"created_by": f"COPY {n}"} for n, _ in enumerate(layers)),
        ],
    }
    return json.dumps(document).encode()


def described(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


class Layout:
    """The files of an OCI layout, as a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
        self.top: list[dict[str, Any]] = []

    def add(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        self.files[f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"] = data
        return described(data, media_type, **more)

    def image(
        self, layers: Sequence[bytes], architecture: str = "amd64", suffix: str = "+gzip"
    ) -> dict[str, Any]:
        """Adds an image of plain tars; the manifest's descriptor."""
        if suffix == "+gzip":
            blobs = [packed(each) for each in layers]
        elif suffix == "+zstd":
            from backports import zstd

            blobs = [zstd.compress(each) for each in layers]
        else:
            blobs = list(layers)
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add(config_of(layers, architecture), OCI_CONFIG),
            "layers": [self.add(blob, OCI_LAYER + suffix) for blob in blobs],
        }
        platform = {"os": "linux", "architecture": architecture}
        return self.add(json.dumps(manifest).encode(), OCI_MANIFEST, platform=platform)

    def index(self, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}).encode()
        return self.add(data, OCI_INDEX)

    def everything(self) -> dict[str, bytes]:
        return {**self.files, "index.json": json.dumps({"schemaVersion": 2, "manifests": self.top}).encode()}

    def write(self, directory: Path) -> Path:
        for name, content in self.everything().items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)
        return directory

    def tar(self, path: Path) -> Path:
        path.write_bytes(tar_of(self.everything()))
        return path


def docker_archive(
    layers: Mapping[str, bytes], plain: Sequence[bytes], *, links: Mapping[str, str] | None = None
) -> bytes:
    """As `docker save` wrote before it wrote OCI layouts: ``layers`` by their file names, in order."""
    config = config_of(plain)
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    order = [*layers, *(links or {})]
    manifest = [{"Config": name, "RepoTags": ["shop/api:7"], "Layers": order}]
    return tar_of({**layers, name: config, "manifest.json": json.dumps(manifest).encode()}, links)
