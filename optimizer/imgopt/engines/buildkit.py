"""BuildKit wherever it runs: `buildctl` speaks with an address, `docker buildx` with a builder that it knows.

The image comes back as an OCI archive whose blobs are what BuildKit's own push sends. Times are left as the build
makes them, unless SOURCE_DATE_EPOCH is set: then `rewrite-timestamp` is, too, because alone it changes the time of
what WORKDIR makes and no more.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from imgopt.engines.command import ask, run
from imgopt.engines.engine import BuildRequest, BuiltImage, EngineError
from imgopt.engines.file_engine import FileEngine
from imgopt.engines.opened import remove
from imgopt.engines.output import build_error, timed_out
from imgopt.light.records import dataclass

DEFAULT_SOCKET = Path("/run/buildkit/buildkitd.sock")
ANSWER_SECONDS = 30
REWRITES_TIMESTAMPS = (0, 13)  # since this version


@dataclass(frozen=True, slots=True)
class Client:
    """How BuildKit is spoken with: ``command`` up to the verb, ``place`` for people, ``version`` of BuildKit, or "".
    ``kind``: buildctl or buildx."""

    kind: str
    command: tuple[str, ...]
    place: str
    version: str
    builder: str | None = None

    @property
    def alive(self) -> bool:
        try:
            if self.kind == "buildctl":
                ask([*self.command, "debug", "workers"], ANSWER_SECONDS)
            else:
                ask([*self.command, "inspect", *([self.builder] if self.builder else [])], ANSWER_SECONDS)
        except EngineError:
            return False
        return True


class BuildKitEngine(FileEngine):
    """See `imgopt.engines.engine.Engine`."""

    name = "buildkit"
    steady: str | None = None
    gzip = "buildkit"
    sets: tuple[str, ...] = ()

    def __init__(self, client: Client, source_date_epoch: str | None = None) -> None:
        super().__init__("imgopt-buildkit-")
        self.client = client
        self._epoch = source_date_epoch

    @property
    def description(self) -> str:
        return f"BuildKit {self.client.version or '(version unknown)'} {self.client.place}"

    def build(self, request: BuildRequest, tag: str) -> BuiltImage:
        path = self._files.new()
        arguments = dict(request.build_args)
        output = f"type=oci,dest={path}"
        if self._epoch is not None:
            arguments.setdefault("SOURCE_DATE_EPOCH", self._epoch)
        if "SOURCE_DATE_EPOCH" in arguments and _at_least(self.client.version, REWRITES_TIMESTAMPS):
            output += ",rewrite-timestamp=true"
        how = self._by_buildctl if self.client.kind == "buildctl" else self._by_buildx
        begin = time.monotonic()
        try:
            done = run(
                how(request, arguments, output),
                seconds=request.seconds,
                line=request.line,
                environment={
                    **os.environ,
                    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
                    "BUILDKIT_PROGRESS": "plain",
                },
            )
            if done.timed_out:
                raise timed_out(request, done.output)
            if done.code:
                if not self.client.alive:
                    raise EngineError(
                        f"BuildKit {self.client.place} went away in the middle of the build of {request.dockerfile}",
                        "start it again; see its log",
                    )
                raise build_error(request, done.output)
            return self._files.keep(tag, path, time.monotonic() - begin)
        except BaseException:
            remove(path)
            raise

    def _by_buildctl(self, request: BuildRequest, arguments: dict[str, str], output: str) -> list[str]:
        file = request.dockerfile
        command = [*self.client.command, "build", "--frontend", "dockerfile.v0", "--progress", "plain"]
        command += ["--local", f"context={request.context}", "--local", f"dockerfile={file.parent}"]
        command += ["--opt", f"filename={file.name}"]
        command += [
            part for name, value in arguments.items() for part in ("--opt", f"build-arg:{name}={value}")
        ]
        command += [] if request.cache else ["--no-cache"]
        command += ["--opt", f"target={request.target}"] if request.target else []
        command += ["--opt", f"platform={request.platform}"] if request.platform else []
        return [*command, "--output", output]

    def _by_buildx(self, request: BuildRequest, arguments: dict[str, str], output: str) -> list[str]:
        command = [*self.client.command, "build", "--progress", "plain", "-f", str(request.dockerfile)]
        command += ["--builder", self.client.builder] if self.client.builder else []
        command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        command += [] if request.cache else ["--no-cache"]
        command += ["--target", request.target] if request.target else []
        command += ["--platform", request.platform] if request.platform else []
        return [*command, "--output", output, str(request.context)]


def connect(builder: str | None = None, address: str | None = None) -> BuildKitEngine:
    """The buildx builder of that name; else BuildKit at that address, at BUILDKIT_HOST, as buildx's current builder or
    at its default socket. EngineError when it does not answer."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if builder is not None:
        return BuildKitEngine(_buildx(builder), epoch)
    address = address or os.environ.get("BUILDKIT_HOST")
    if address:
        return BuildKitEngine(_buildctl(address), epoch)
    if DEFAULT_SOCKET.exists():
        return BuildKitEngine(_buildctl(f"unix://{DEFAULT_SOCKET}"), epoch)
    try:
        return BuildKitEngine(_buildx(None), epoch)
    except EngineError as error:
        raise EngineError(
            f"no BuildKit is known: BUILDKIT_HOST is not set, there is no {DEFAULT_SOCKET}, and {error.message}",
            "name one with --buildkit-addr ADDRESS, or a buildx builder with --builder NAME",
        ) from error


def _buildctl(address: str) -> Client:
    program = shutil.which("buildctl")
    if program is None:
        raise EngineError(
            f"buildctl, which speaks with BuildKit at {address}, is not installed",
            "install it, or make a builder of it (`docker buildx create --driver remote`) and name that with --builder",
        )
    command = (program, "--addr", address)
    try:
        ask([*command, "debug", "workers"], ANSWER_SECONDS)
    except EngineError as error:
        raise EngineError(
            f"no BuildKit answers at {address}: {_cause(error.message)}",
            "start buildkitd there, or correct --buildkit-addr or BUILDKIT_HOST",
        ) from error
    version = ""
    with contextlib.suppress(EngineError):  # since 0.11
        if found := re.search(
            r"^BuildKit:\s+\S+ v?([\d.]+\S*)", ask([*command, "debug", "info"]), re.MULTILINE
        ):
            version = found[1]
    return Client("buildctl", command, f"at {address}", version)


def _buildx(builder: str | None) -> Client:
    command = _buildx_command()
    if command is None:
        raise EngineError(
            "Docker's buildx plugin is not installed", "install docker-buildx-plugin, or use --buildkit-addr"
        )
    shown = f"the buildx builder {builder}" if builder else "buildx's current builder"
    try:
        told = ask([*command, "inspect", *([builder] if builder else [])], ANSWER_SECONDS)
    except EngineError as error:
        raise EngineError(
            f"{shown} cannot be used: {_cause(error.message)}", "`docker buildx ls` lists the builders"
        ) from error
    # the builder's own lines come before those of its nodes
    facts = dict(reversed(re.findall(r"^(\w[\w ]*?):[ \t]+(.*?)[ \t]*$", told, re.MULTILINE)))
    if facts.get("Driver") == "docker":
        raise EngineError(
            f"{shown} is the Docker daemon itself, which cannot write an OCI archive",
            "take --engine docker, or make a builder with `docker buildx create --driver docker-container`",
        )
    if facts.get("Error") or facts.get("Status") == "error":
        raise EngineError(
            f"{shown} does not answer: {_cause(facts.get('Error', 'no reason given'))}",
            "start what it stands for; `docker buildx ls` shows its state",
        )
    version = facts.get("BuildKit version") or facts.get("Buildkit") or facts.get("BuildKit") or ""
    name = facts.get("Name", builder or "")
    return Client("buildx", command, f"of the builder {name}", version.removeprefix("v"), builder)


def _buildx_command() -> tuple[str, ...] | None:
    for program in ("docker-buildx", "buildx"):  # by itself, without Docker's command line
        if found := shutil.which(program):
            return (found,)
    from imgopt.engines.docker import on_path

    for cli in on_path("docker"):
        with contextlib.suppress(EngineError):
            ask([cli, "buildx", "version"])
            return (cli, "buildx")
    return None


def _cause(message: str) -> str:
    """The end of a chain of causes, without gRPC's words."""
    message = message.partition(" failed: ")[2] or message
    return re.sub(
        r'rpc error: code = \w+ desc = |^(?:error|ERROR): |connection error: desc = |"', "", message
    )


def _at_least(version: str, least: Sequence[int]) -> bool:
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is None or (int(found[1]), int(found[2])) >= tuple(least)
