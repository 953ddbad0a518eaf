"""Images of two platforms in a registry of bases, as an index names them.

No machine of another architecture runs here, so an "arm64" image is the amd64 one under another name: what is shown is
which platforms a registry has and which blobs a build makes, not that foreign machine code runs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builders import Bases

INDEX = "application/vnd.oci.image.index.v1+json"


def provide(bases: Bases, name: str, architectures: Sequence[str]) -> None:
    """Has ``name`` in the registry as an index of just these architectures."""
    with tempfile.TemporaryDirectory() as directory:
        layout = Path(directory, "layout")
        source = f"docker-archive:{bases._archive(name)}"
        subprocess.run(["skopeo", "copy", "--quiet", source, f"oci:{layout}:one"], check=True)
        [described] = json.loads((layout / "index.json").read_text())["manifests"]
        manifest = _blob(layout, described["digest"])
        config = _blob(layout, manifest["config"]["digest"])
        entries = []
        for architecture in architectures:
            # a layer of its own: two bases with the same content would be one to the builder's cache
            layer, diff_id = _marked(layout, architecture)
            rootfs = {**config["rootfs"], "diff_ids": [*config["rootfs"]["diff_ids"], diff_id]}
            own = _stored(layout, {**config, "architecture": architecture, "rootfs": rootfs, "history": []})
            layers = [*manifest["layers"], {**manifest["layers"][0], **layer}]
            one = _stored(layout, {**manifest, "config": {**manifest["config"], **own}, "layers": layers})
            platform = {"architecture": architecture, "os": "linux"}
            entries.append({"mediaType": described["mediaType"], **one, "platform": platform})
        index = _stored(layout, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
        named = {"mediaType": INDEX, **index, "annotations": {"org.opencontainers.image.ref.name": "all"}}
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
        path = name if "/" in name else f"library/{name}"
        target = f"docker://{bases.address}/{path}"
        copy = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false"]
        subprocess.run([*copy, f"oci:{layout}:all", target], check=True)
    bases._there.add(name)


def layers_of(layout: Path) -> dict[str, list[tuple[str, int]]]:
    """Of an unpacked OCI archive with several platforms: the digests and bytes of each one's layers."""
    [described] = json.loads((layout / "index.json").read_text())["manifests"]
    found = {}
    for entry in _blob(layout, described["digest"])["manifests"]:
        manifest = _blob(layout, entry["digest"])
        name = f"{entry['platform']['os']}/{entry['platform']['architecture']}"
        found[name] = [(layer["digest"], layer["size"]) for layer in manifest["layers"]]
    return found


def _blob(layout: Path, digest: str) -> Any:
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())


def _marked(layout: Path, architecture: str) -> tuple[dict[str, Any], str]:
    """A layer with one file that says the architecture, and its diff ID."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("architecture")
        member.size = len(architecture)
        archive.addfile(member, io.BytesIO(architecture.encode()))
    layer = _kept(layout, gzip.compress(plain.getvalue(), mtime=0))
    return layer, f"sha256:{hashlib.sha256(plain.getvalue()).hexdigest()}"


def _stored(layout: Path, document: dict[str, Any]) -> dict[str, Any]:
    return _kept(layout, json.dumps(document).encode())


def _kept(layout: Path, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs" / "sha256" / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}
