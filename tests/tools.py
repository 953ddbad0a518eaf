"""Builds the engines that Debian has no packages of, into `.cache/tools`: BuildKit, buildx and kaniko, from their Go modules.

`python tests/tools.py [NAME…]` builds what is missing (about five minutes on two cores) and says so; `make test` calls
it. `go install` refuses these modules because of their `exclude` and `replace` lines, so each is downloaded, checked by Go's
checksum database, copied and built in its own tree. A Go that is too old (Debian's) only fetches a newer one.

kaniko is the archived 1.24.0 (June 2025): the proxy has no module of the fork that is maintained.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "tools"
GO = "1.26.8"  # what builds them, when the Go that is there is older than they need


class ToolError(Exception):
    """A tool could not be built; the text says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``variable``: which the linker sets to the version."""

    module: str
    version: str
    package: str
    variable: str


_BUILDKIT = ("github.com/moby/buildkit", "v0.34.2")
_BUILDKIT_VERSION = "github.com/moby/buildkit/version.Version"
_KANIKO = "github.com/GoogleContainerTools/kaniko"
TOOLS = {
    "buildctl": Tool(*_BUILDKIT, "./cmd/buildctl", _BUILDKIT_VERSION),
    "buildkitd": Tool(*_BUILDKIT, "./cmd/buildkitd", _BUILDKIT_VERSION),
    "buildx": Tool(
        "github.com/docker/buildx", "v0.38.2", "./cmd/buildx", "github.com/docker/buildx/version.Version"
    ),
    "executor": Tool(_KANIKO, "v1.24.0", "./cmd/executor", f"{_KANIKO}/pkg/version.version"),
}


def tool(name: str) -> Path:
    """The program, from the cache or built now. Raises ToolError."""
    path = _path(name)
    if not path.exists():
        build(name)
    return path


def missing() -> str | None:
    """Why the tools cannot be had here; None when they can, or lie in the cache."""
    if all(_path(name).exists() for name in TOOLS) or _go() is not None:
        return None
    return "Go is not installed (apt-get install golang-go)"


def build(name: str) -> None:
    wanted = TOOLS[name]
    go = _go()
    if go is None:
        raise ToolError("Go is not installed (apt-get install golang-go)")
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"building {name} {wanted.version}: {_path(name).relative_to(ROOT)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        source = Path(directory, "source")
        shutil.copytree(_download(go, f"{wanted.module}@{wanted.version}"), source)
        for path in (source, *source.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)  # Go's downloads are read-only
        go = _new_enough(go, (source / "go.mod").read_text())
        built = Path(directory, name)
        version = wanted.version.removeprefix("v") if wanted.module.endswith("kaniko") else wanted.version
        _call(
            *(str(go), "build", "-o", str(built)),
            *("-ldflags", f"-s -w -X {wanted.variable}={version}", wanted.package),
            directory=source,
        )
        built.replace(_path(name))


def _path(name: str) -> Path:
    return CACHE / f"{name}-{TOOLS[name].version}"


def _go() -> Path | None:
    found = shutil.which(
        "go", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/go/bin"])
    )
    return Path(found) if found else None


def _new_enough(go: Path, module: str) -> Path:
    """This Go, or a newer one, which Go itself distributes as a module."""
    needed = re.search(r"^go (\d+)\.(\d+)", module, re.MULTILINE)
    have = re.search(r"go(\d+)\.(\d+)", _call(str(go), "env", "GOVERSION", directory=CACHE))
    if needed and have and (int(have[1]), int(have[2])) >= (int(needed[1]), int(needed[2])):
        return go
    newer = CACHE / f"go-{GO}"
    if not newer.exists():
        print(f"fetching Go {GO}: {newer.relative_to(ROOT)}", file=sys.stderr, flush=True)
        platform = f"{sys.platform}-{'arm64' if os.uname().machine == 'aarch64' else 'amd64'}"
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            copy = Path(directory, "go")
            shutil.copytree(_download(go, f"golang.org/toolchain@v0.0.1-go{GO}.{platform}"), copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(path.stat().st_mode | stat.S_IWUSR)
            for path in [*(copy / "bin").iterdir(), *(copy / "pkg" / "tool").rglob("*")]:
                path.chmod(0o755)  # a module's files are not executable
            copy.replace(newer)
    return newer / "bin" / "go"


def _download(go: Path, module: str) -> Path:
    with tempfile.TemporaryDirectory() as elsewhere:  # outside of any module
        Path(elsewhere, "go.mod").write_text("module elsewhere\n")
        answer = _call(str(go), "mod", "download", "-json", module, directory=Path(elsewhere))
    return Path(json.loads(answer)["Dir"])


def _call(*command: str, directory: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, cwd=directory, text=True, env=environment, capture_output=True)
    if done.returncode:
        raise ToolError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    if reason := missing():
        print(f"tools: {reason}; the tests of BuildKit and kaniko are skipped", file=sys.stderr)
        sys.exit(0)
    for name in sys.argv[1:] or TOOLS:
        try:
            tool(name)
        except ToolError as error:
            sys.exit(f"tools: {error}")
