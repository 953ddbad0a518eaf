"""kaniko: its executor, in a root file system of its own (`imgopt.engines.kaniko_root`) or in a container.

kaniko reads base images from registries and nowhere else: they must be there, or be led elsewhere by flags
(`--registry-map`, `--registry-mirror`, `--insecure-registry`).

The archived kaniko (up to 1.24) writes the time of the build into every file it copies, so no layer keeps its digest;
its `--reproducible` keeps them, but writes the base's layers anew as well. The fork that is maintained does not touch
them when a variable says so: there imgopt sets both.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from imgopt.engines.command import Finished
from imgopt.engines.engine import BuildRequest, BuiltImage, EngineError
from imgopt.engines.file_engine import FileEngine
from imgopt.engines.kaniko_version import PRESERVE
from imgopt.engines.opened import remove
from imgopt.engines.output import build_error, timed_out
from imgopt.errors import UsageError
from imgopt.light.patterns import regex

FORK = "github.com/osscontainertools/kaniko"

# what would undo the layers, or what imgopt itself says to the executor
REFUSED = {
    "single-snapshot": "it puts all instructions into one layer, which changes with every release",
    "tar-path": "imgopt reads the image from an OCI layout",
    "tarPath": "imgopt reads the image from an OCI layout",
    "oci-layout-path": "imgopt sets it",
    "no-push": "imgopt sets it: nothing is pushed while it measures",
    "destination": "nothing is pushed while imgopt measures",
    "d": "nothing is pushed while imgopt measures",
    "push-ignore-immutable-tag-errors": "nothing is pushed while imgopt measures",
    "context": "--context names it",
    "c": "--context names it",
    "dockerfile": "the path names it",
    "f": "the path names it",
    "target": "--target names it",
    "build-arg": "--build-arg gives it",
    "custom-platform": "--platform names it",
    "kaniko-dir": "imgopt reads from it",
    "log-format": "imgopt reads the log",
    "digest-file": "imgopt shows the digests",
}
# of this process's environment, what the executor is told
_PASSED = regex(
    r"(?i)(?:https?|no|all)_proxy|FF_KANIKO_\w+|KANIKO_REGISTRY_\w+|SNAPSHOT_TIMEOUT_DURATION|AWS_\w+|GOOGLE_\w+|AZURE_\w+"
)


class Executor(Protocol):
    """Something that runs kaniko's executor. ``place``: for people."""

    @property
    def place(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def knows_preserve(self) -> bool: ...

    def run(
        self, request: BuildRequest, arguments: Sequence[str], environment: Mapping[str, str], layout: Path
    ) -> Finished:
        """Builds; the image lies at `layout` afterwards. Nothing else is left. EngineError when it cannot run."""
        ...


class KanikoEngine(FileEngine):
    """See `imgopt.engines.engine.Engine`. ``flags``: the user's, for the executor."""

    name = "kaniko"
    gzip = "kaniko"

    def __init__(self, executor: Executor, flags: Sequence[str] = ()) -> None:
        """UsageError for a flag that imgopt refuses."""
        check_flags(flags)
        super().__init__("imgopt-kaniko-")
        self._executor = executor
        self._flags = tuple(flags)
        self._preserves = executor.knows_preserve and os.environ.get(PRESERVE, "true").lower() in (
            "true",
            "1",
        )
        asked = [flag for flag in self._flags if flag.partition("=")[0] == "--reproducible"]
        self._reproducible = asked[-1] != "--reproducible=false" if asked else self._preserves

    @property
    def description(self) -> str:
        flags = "".join(f" {flag}" for flag in self._flags)
        if self._reproducible and "--reproducible" not in self._flags:
            flags += " --reproducible"
        note = "" if self._preserves or not self._reproducible else " (rewrites the base's layers too)"
        return f"kaniko {self._executor.version} {self._executor.place}{flags}{note}"

    @property
    def steady(self) -> str | None:
        if self._reproducible:
            return None
        return (
            f"kaniko {self._executor.version} writes the time of the build into every layer, so that none keeps its digest; "
            "`--kaniko-flag=--reproducible` keeps them, but rewrites the base's layers, too: the first push sends the "
            "base as well, larger than before (121 MB became 139 MB), and images no longer share it; the maintained fork "
            f"({FORK}, 1.28 or newer) with --reproducible and {PRESERVE}=true does without that price"
        )

    @property
    def sets(self) -> tuple[str, ...]:
        if not (self._reproducible and self._preserves):
            return ()
        return (
            "--reproducible: without it kaniko writes the time of the build into every layer",
            f"{PRESERVE}=true: without it --reproducible rewrites the base's layers",
        )

    def build(self, request: BuildRequest, tag: str) -> BuiltImage:
        layout = self._files.new()
        arguments = [*self._flags]
        if self._reproducible and not any(flag.startswith("--reproducible") for flag in self._flags):
            arguments.append("--reproducible")
        arguments += [f"--build-arg={name}={value}" for name, value in request.build_args.items()]
        arguments += [f"--target={request.target}"] if request.target else []
        arguments += [f"--custom-platform={request.platform}"] if request.platform else []
        environment = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
        if self._preserves and self._reproducible:
            environment[PRESERVE] = "true"
        begin = time.monotonic()
        try:
            done = self._executor.run(request, arguments, environment, layout)
            if done.timed_out:
                raise timed_out(request, done.output)
            if done.code:
                raise build_error(request, done.output)
            return self._files.keep(tag, layout, time.monotonic() - begin)
        except BaseException:
            remove(layout)
            raise


def check_flags(flags: Sequence[str]) -> None:
    """UsageError for a flag of the executor that would undo the layers, or that imgopt sets itself."""
    for flag in flags:
        name = flag.partition("=")[0].lstrip("-")
        if not flag.startswith("-"):
            raise UsageError(
                f"{flag!r} is not a flag of kaniko",
                "write a flag and its value in one: --kaniko-flag=--verbosity=debug",
            )
        if name in REFUSED and flag != "--single-snapshot=false":
            raise UsageError(f"kaniko's {flag.partition('=')[0]} is refused: {REFUSED[name]}", "leave it out")


def connect(executor: str | None = None, flags: Sequence[str] = ()) -> KanikoEngine:
    """kaniko by its executor's path, or by the name of its image; without either, an executor that is installed.
    EngineError when there is none, or it cannot run here."""
    check_flags(flags)
    if executor is None:
        found = next(
            filter(None, map(shutil.which, ("/kaniko/executor", "kaniko-executor", "kaniko", "executor"))),
            None,
        )
        if found is None:
            raise EngineError(
                "no kaniko executor is installed", "name one, or kaniko's image, with --kaniko EXECUTOR|IMAGE"
            )
        executor = found
    path = Path(executor)
    if path.exists():
        from imgopt.engines.kaniko_root import ChrootExecutor

        return KanikoEngine(ChrootExecutor(path.resolve()), flags)
    if executor.startswith((".", "/", "~")):
        raise EngineError(f"there is no kaniko executor {executor}", "correct --kaniko")
    from imgopt.engines.kaniko_container import ContainerExecutor

    return KanikoEngine(ContainerExecutor(executor), flags)
