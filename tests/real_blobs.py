"""What engines really store: builds a small Dockerfile with each and gives the layers' compressed sizes.

docker: a private daemon, pushed to Debian's docker-registry on loopback. BuildKit: its own daemon, exported as an OCI
layout. buildah: `bud --layers`, pushed to an OCI layout. kaniko: its executor in a root directory of its own (it
overwrites the root it runs in), written as an image tar. Dockerfiles start FROM scratch and only copy, so that nothing
but the engine's tar and gzip is in the figures.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import private_docker
import shaped_link
import tools

ENGINES = ("docker", "buildkit", "buildah", "kaniko")


def tool(name: str) -> str | None:
    """Where a program is; BuildKit's and kaniko's are built when they are not there yet."""
    if name in tools.TOOLS:
        return None if tools.missing() else str(tools.tool(name))
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def missing(engine: str) -> str | None:
    """Why the engine cannot build here; None when it can."""
    if os.geteuid() != 0:
        return "building images needs root"
    needed = {
        "docker": (("dockerd", "docker.io"), ("docker-registry", "docker-registry")),
        "buildkit": (("buildkitd", "moby/buildkit"), ("buildctl", "moby/buildkit")),
        "buildah": (("buildah", "buildah"),),
        "kaniko": (("executor", "kaniko"),),
    }[engine]
    for program, package in needed:
        if not tool(program):
            return f"{program} is not installed ({package})"
    return private_docker.missing() if engine == "docker" else None


class Builder:
    """Builds with one engine. ``blobs`` gives the compressed bytes of each layer, first to last."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.count = 0

    def blobs(self, context: Path) -> list[int]:
        self.count += 1
        return self.build(context, f"image-{self.count}")

    def build(self, context: Path, name: str) -> list[int]:
        raise NotImplementedError


class _Docker(Builder):
    def __init__(self, directory: Path, engine: private_docker.Engine, registry: str) -> None:
        super().__init__(directory)
        self.engine, self.registry = engine, registry

    def build(self, context: Path, name: str) -> list[int]:
        target = f"{self.registry}/{name}:1"
        self.engine.build(context, target)
        _run([self.engine.cli, "push", target], **self.engine.environment)
        host, _, port = self.registry.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        connection.request("GET", f"/v2/{name}/manifests/1", headers=accept)
        manifest = json.loads(connection.getresponse().read())
        connection.close()
        return [layer["size"] for layer in manifest["layers"]]


class _BuildKit(Builder):
    def __init__(self, directory: Path, address: str) -> None:
        super().__init__(directory)
        self.address = address

    def build(self, context: Path, name: str) -> list[int]:
        out = self.directory / f"{name}.tar"
        _run(
            [
                *(
                    tool("buildctl") or "buildctl",
                    "--addr",
                    self.address,
                    "build",
                    "--frontend",
                    "dockerfile.v0",
                ),
                *("--local", f"context={context}", "--local", f"dockerfile={context}"),
                *("--output", f"type=oci,dest={out}"),
            ]
        )
        return _in_archive(out)


class _Buildah(Builder):
    def build(self, context: Path, name: str) -> list[int]:
        storage = ["--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run"]
        command = [tool("buildah") or "buildah", *storage, "--storage-driver", "vfs"]
        home = {"HOME": str(self.directory), "XDG_RUNTIME_DIR": str(self.directory)}
        _run([*command, "bud", "--layers", "--isolation", "chroot", "-t", name, str(context)], **home)
        out = self.directory / name
        _run([*command, "push", name, f"oci:{out}:1"], **home)
        index = json.loads((out / "index.json").read_text())
        digest = index["manifests"][0]["digest"].partition(":")[2]
        manifest = json.loads((out / "blobs" / "sha256" / digest).read_text())
        shutil.rmtree(out)
        return [layer["size"] for layer in manifest["layers"]]


class _Kaniko(Builder):
    def build(self, context: Path, name: str) -> list[int]:
        root = self.directory / name
        for part in ("kaniko", "tmp", "etc", "proc", "dev"):
            (root / part).mkdir(parents=True)
        shutil.copy(tool("executor") or "", root / "kaniko" / "executor")
        shutil.copytree(context, root / "kaniko" / "context")  # below /kaniko, which it leaves alone
        command = ["/kaniko/executor", "--force", "--context", "dir:///kaniko/context", "--no-push"]
        command += ["--dockerfile", "/kaniko/context/Dockerfile", "--destination", f"local/{name}"]
        command += ["--tar-path", "/kaniko/image.tar"]
        # a mount namespace for the executor: it looks at /proc, and what it mounts goes with it
        _run(
            [
                "unshare",
                "--mount",
                "--",
                "sh",
                "-c",
                'mount -t proc proc "$1/proc" && exec chroot "$@"',
                "sh",
                str(root),
                *command,
            ]
        )
        sizes = _in_archive(root / "kaniko" / "image.tar")
        shutil.rmtree(root)
        return sizes


@contextlib.contextmanager
def builder(name: str, engine: private_docker.Engine | None = None) -> Iterator[Builder]:
    """A builder of that engine; docker needs the running private daemon. All that it made ends with it."""
    directory = Path(tempfile.mkdtemp(prefix=f"imgopt-blobs-{os.getpid()}-"))
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, directory)
        if name == "docker":
            assert engine is not None
            yield _Docker(directory, engine, _registry(directory, stack))
        elif name == "buildkit":
            yield _BuildKit(directory, _buildkitd(directory, stack))
        else:
            yield {"buildah": _Buildah, "kaniko": _Kaniko}[name](directory)


def _registry(directory: Path, stack: contextlib.ExitStack) -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage:\n  filesystem: {{rootdirectory: {directory}/registry}}\nhttp: {{addr: '{address}'}}\n"
    )
    process = _start([tool("docker-registry") or "", "serve", str(config)], directory / "registry.log", stack)
    host, _, port = address.partition(":")
    _wait(lambda: socket.create_connection((host, int(port)), 1).close(), process, directory / "registry.log")
    return address


def _buildkitd(directory: Path, stack: contextlib.ExitStack) -> str:
    address = f"unix://{directory}/buildkitd.sock"
    command = [tool("buildkitd") or "", "--addr", address, "--root", str(directory / "buildkit")]
    command += ["--oci-worker-snapshotter", "native", "--oci-worker-binary", tool("runc") or "runc"]
    process = _start(command, directory / "buildkitd.log", stack)
    ask = [tool("buildctl") or "", "--addr", address, "debug", "workers"]
    _wait(lambda: _run(ask), process, directory / "buildkitd.log")
    return address


def _start(command: list[str], log: Path, stack: contextlib.ExitStack) -> subprocess.Popen[bytes]:
    file = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(command, stdout=file, stderr=file, preexec_fn=shaped_link.end_with_the_tests)
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(ready: object, process: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < seconds and process.poll() is None:
        with contextlib.suppress(OSError, RuntimeError):
            ready()  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-3000:]}")


def _in_archive(path: Path) -> list[int]:
    """Compressed sizes of the layers in an image tar, as `docker save` or OCI lay it out; the tar is removed."""
    with tarfile.open(path) as tar:
        members = {member.name: member for member in tar.getmembers()}

        def read(name: str) -> dict[str, object] | list[dict[str, object]]:
            file = tar.extractfile(members[name])
            assert file is not None
            return json.loads(file.read())  # type: ignore[no-any-return]

        if "index.json" in members:
            index = read("index.json")
            assert isinstance(index, dict)
            digest = index["manifests"][0]["digest"]  # type: ignore[index]
            manifest = read(f"blobs/sha256/{digest.partition(':')[2]}")
            assert isinstance(manifest, dict)
            sizes = [layer["size"] for layer in manifest["layers"]]  # type: ignore[attr-defined]
        else:
            manifest = read("manifest.json")
            assert isinstance(manifest, list)
            sizes = [members[name].size for name in manifest[0]["Layers"]]  # type: ignore[attr-defined]
    path.unlink()
    return sizes


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=shaped_link.end_with_the_tests,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout[-3000:]}")


def _remove(directory: Path) -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in points if Path(p).is_relative_to(directory)), reverse=True):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL)
    shutil.rmtree(directory, ignore_errors=True)
