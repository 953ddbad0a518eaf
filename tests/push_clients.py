"""Real pushes of real clients over a shaped link: Docker Engine, buildah and skopeo to Debian's docker-registry.

Images are made here: layers of one incompressible file each, new ones for every push, so that the registry knows
none of them. Everything lives in one directory and ends with the `Bench`.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import shaped_link
from shaped_link import SERVER, Link, Side

ROOT = Path(__file__).resolve().parent.parent
PORT = 5000
REGISTRY = f"{SERVER}:{PORT}"
CLIENTS = ("docker", "buildah", "skopeo")
OWN = "imgopt"
PACKAGES = {
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "buildah": "buildah",
    "skopeo": "skopeo",
}
START_SECONDS = 60


def missing() -> str | None:
    """Why pushes cannot be made here; None when they can."""
    for program, package in PACKAGES.items():
        if not shutil.which(program, path=_path()):
            return f"{program} is not installed (apt-get install {package})"
    return shaped_link.missing()


@dataclass(frozen=True)
class Layers:
    """An image's layers: plain tars, and their gzips as a client sends them."""

    tars: tuple[bytes, ...]
    blobs: tuple[bytes, ...]

    @property
    def sent(self) -> int:
        return sum(map(len, self.blobs))


def new_layers(count: int, size: int, seed: int, text: bool = False) -> Layers:
    """``count`` layers of together ``size`` bytes; ``text``: bytes that compress to about a third."""
    source = random.Random(seed)
    tars = []
    for index in range(count):
        data = source.randbytes(size // count)
        if text:
            data = data[: len(data) // 4].hex().encode() * 2
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo(f"file-{index}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        tars.append(buffer.getvalue())
    return Layers(tuple(tars), tuple(gzip.compress(tar, 6, mtime=0) for tar in tars))


@dataclass
class Bench:
    """A link with the registry at its far end and the clients at the near one."""

    link: Link
    directory: Path
    count: int = field(default=0)

    def fast(self) -> None:
        """The link out of the way."""
        self.link.shape(100_000_000, 0)

    def prepare(self, client: str, layers: Layers) -> str:
        """Makes the image known to the client; the name that `push` takes."""
        self.count += 1
        name = f"image-{self.count}"
        if client in ("skopeo", "imgopt"):
            _oci_layout(layers, self.directory / name)
            return name
        archive = self.directory / f"{name}.tar"
        _docker_archive(layers, archive, name)
        if client == "docker":
            self._run("docker", "load", "--input", str(archive))
        else:
            self._run(
                "skopeo",
                "--insecure-policy",
                "copy",
                f"docker-archive:{archive}",
                f"containers-storage:[overlay@{self.directory}/storage+{self.directory}/run]localhost/{name}:1",
            )
        archive.unlink()
        return name

    def push(self, client: str, name: str, repository: str, tag: str = "1") -> float:
        """Seconds that a push to the registry takes, from the command's start to its end."""
        target = f"{REGISTRY}/{repository}:{tag}"
        if client == "docker":
            self._run("docker", "tag", f"{name}:1", target)
            command = ["docker", "push", target]
        elif client == "buildah":
            storage = ("--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run")
            command = ["buildah", *storage, "--storage-driver", "overlay", "push", "--tls-verify=false"]
            command += [f"localhost/{name}:1", f"docker://{target}"]
        elif client == "imgopt":
            program = "import sys; from imgopt.cli import main; sys.exit(main())"
            command = [sys.executable, "-c", program, "push", "--plain-http", "--quiet"]
            command += [f"oci:{self.directory / name}:1", target]
        else:
            command = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false"]
            command += [f"oci:{self.directory / name}:1", f"docker://{target}"]
        begin = time.monotonic()
        self._run(*command)
        return time.monotonic() - begin

    def _run(self, *command: str) -> str:
        environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.directory}/docker.sock",
            "DOCKER_CONFIG": str(self.directory),
            "HOME": str(self.directory),  # buildah and skopeo remember blobs below it
            "XDG_RUNTIME_DIR": str(self.directory),
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("optimizer", "rules")),
            "PATH": _path(),
        }
        return self.link.client.run(*command, env=environment).stdout


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """The registry, the Docker Engine and the link, started. Raises RuntimeError with a log when one is not."""
    directory = Path(tempfile.mkdtemp(prefix=f"imgopt-push-{os.getpid()}-"))
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, directory)
        # in memory: what a busy disk adds is no part of a push
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g", "tmpfs", str(directory)], check=True)
        (directory / "config.json").write_text("{}")  # no credentials
        link = stack.enter_context(shaped_link.link())
        _start_registry(link.server, directory, stack)
        _start_docker(link.client, directory, stack)
        made = Bench(link, directory)
        made.fast()
        yield made


def _start_registry(side: Side, directory: Path, stack: contextlib.ExitStack) -> None:
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\nstorage:\n"
        f"  filesystem: {{rootdirectory: {directory}/registry}}\n"
        f"http: {{addr: '{REGISTRY}'}}\n"
    )
    log = stack.enter_context((directory / "registry.log").open("wb"))
    process = side.popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    stack.callback(_stop, process)
    code = f"import http.client as h; c = h.HTTPConnection('{SERVER}', {PORT}); c.request('GET', '/v2/'); c.getresponse()"
    _wait(lambda: side.run("python3", "-c", code), process, directory / "registry.log")


def _start_docker(side: Side, directory: Path, stack: contextlib.ExitStack) -> None:
    (directory / "daemon.json").write_text(json.dumps({"insecure-registries": [REGISTRY]}))
    options = {
        "--data-root": directory / "docker",
        "--exec-root": directory / "exec",
        "--pidfile": directory / "docker.pid",
        "--host": f"unix://{directory}/docker.sock",
        "--config-file": directory / "daemon.json",
    }
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += [f"{name}={value}" for name, value in options.items()]
    log = stack.enter_context((directory / "docker.log").open("wb"))
    process = side.popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": _path()})
    stack.callback(_stop, process)
    _wait(
        lambda: side.run("docker", "--host", f"unix://{directory}/docker.sock", "version"),
        process,
        directory / "docker.log",
    )


def _wait(ready: object, process: subprocess.Popen[bytes], log: Path) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < START_SECONDS and process.poll() is None:
        with contextlib.suppress(RuntimeError, OSError):
            ready()  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-3000:]}")


def _docker_archive(layers: Layers, path: Path, name: str) -> None:
    config = _config(layers)
    entries = {f"layer-{index}.tar": tar for index, tar in enumerate(layers.tars)}
    manifest = [{"Config": "config.json", "RepoTags": [f"{name}:1"], "Layers": list(entries)}]
    with tarfile.open(path, "w") as tar:
        for file, data in {
            **entries,
            "config.json": config,
            "manifest.json": json.dumps(manifest).encode(),
        }.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def _oci_layout(layers: Layers, path: Path) -> None:
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def store(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": store(_config(layers), "config.v1+json"),
        "layers": [store(blob, "layer.v1.tar+gzip") for blob in layers.blobs],
    }
    described = store(json.dumps(manifest).encode(), "manifest.v1+json")
    described["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _config(layers: Layers) -> bytes:
    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in layers.tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": f"layer {index}"} for index in range(len(diff_ids))],
    }
    return json.dumps(config).encode()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _remove(directory: Path) -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in points if Path(p).is_relative_to(directory)), reverse=True):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL)
    shutil.rmtree(directory, ignore_errors=True)


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
