"""Podman and buildah, through their command lines; where there is none, through Podman's Docker-compatible socket.

Always with `--layers`: without it all instructions of a stage end in one layer, which changes with every release,
whatever the Dockerfile says.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgopt.engines.command import ask, end_group, ends_with_us, run
from imgopt.engines.docker_endpoint import Endpoint
from imgopt.engines.engine import BuildRequest, BuiltImage, Engine, EngineError, Runner, Starter
from imgopt.engines.leftovers import Diary, Left, left_in
from imgopt.engines.opened import Opened, remove, removed, work_directory
from imgopt.engines.output import build_error, timed_out
from imgopt.engines.owners import LABEL, is_gone, owner_of_label, owner_of_reference, this_process
from imgopt.light.patterns import regex

if TYPE_CHECKING:
    from imgopt.engines.containers import ContainerRunner
    from imgopt.images.model import OpenImage

_NOTED = regex(r"^--> (?:Using cache )?([0-9a-f]{11,64})$")
SERVICE_SECONDS = 20
#: So long after a build was heard of last it may have begun another container.
SETTLE_SECONDS = 60
WRITE_SECONDS = 1800


class PodmanEngine:
    """See `imgopt.engines.engine.Engine`. ``tool``: podman or buildah, which share images; ``starter`` starts those
    that buildah makes, which starts none itself."""

    name = "podman"
    steady: str | None = None
    gzip = "buildah"
    sets = (
        "--layers: without it, buildah's default, all instructions of a stage make one layer that changes always",
    )

    def __init__(self, tool: str, version: str, starter: Starter | None = None) -> None:
        self.tool = tool
        self._starter = starter
        self._kind = Path(tool).name
        self._version = version
        self._repository = f"localhost/{this_process().repository()}"
        self._diary: Diary | None = None
        self._made: list[str] = []
        self._references: set[str] = set()
        self._open: list[OpenImage] = []
        self._runner: Runner | None = None
        self._closing = contextlib.ExitStack()  # of the runner
        self._work = contextlib.ExitStack()
        self._directory = self._work.enter_context(work_directory("imgopt-podman-"))

    @property
    def description(self) -> str:
        return f"{self._kind} {self._version}, --layers"

    @property
    def starts_containers(self) -> bool:
        """buildah only builds."""
        return self._kind == "podman"

    # --- building -----------------------------------------------------------------------------------------

    def build(self, request: BuildRequest, tag: str) -> BuiltImage:
        reference = f"{self._repository}:{re.sub(r'[^A-Za-z0-9_.-]', '-', tag)[:120]}"
        before = self._image_id(reference)
        command = [self.tool, "build" if self._kind == "podman" else "bud", "--layers", "--force-rm"]
        command += ["-t", reference, "-f", str(request.dockerfile)]
        command += [f"--build-arg={name}={value}" for name, value in request.build_args.items()]
        command += [] if request.cache else ["--no-cache"]
        command += ["--target", request.target] if request.target else []
        command += ["--platform", request.platform] if request.platform else []
        diary = self._begin()
        known, containers = self._images(), self._containers()
        diary.write(containers=sorted(containers), begun=time.time())
        begin = time.monotonic()
        noted: list[str] = []

        def line(text: str) -> None:
            diary.still_here()
            if found := _NOTED.match(text):
                noted.append(found[1])
                if not any(each.removeprefix("sha256:").startswith(found[1]) for each in known):
                    diary.write(image=found[1])
            if request.line is not None:
                request.line(text)

        complete = False
        try:
            done = run(
                [*command, str(request.context)],
                seconds=request.seconds,
                line=line,
                environment={
                    **os.environ,
                    "TMPDIR": str(self._directory),
                },  # a stopped build leaves files there
            )
            if done.timed_out:
                raise timed_out(request, done.output)
            if done.code:
                raise build_error(request, done.output)
            complete = True
        finally:
            made = self._new_images(noted, known)
            if not complete:
                self._remove_containers(set(containers), made)
                self._remove_images(made)
        seconds = time.monotonic() - begin
        self._references.add(reference)
        self._made += made
        identifier = self._image_id(reference)
        if identifier is None:
            raise EngineError(f"{self._kind} built {request.dockerfile}, but has no image of it", "try again")
        if identifier not in known:
            self._made.append(identifier)
        if before not in (None, identifier):
            self._remove_images([str(before)])
        return BuiltImage(reference, identifier, seconds)

    def _begin(self) -> Diary:
        """Before the first build: what killed runs left in this storage goes."""
        if self._diary is None:
            store: dict[str, Any] = {}
            with contextlib.suppress(EngineError, ValueError, AttributeError):
                told = json.loads(
                    ask([self.tool, "info", *(["--format", "json"] if self._kind == "podman" else [])])
                )
                store = {name.lower(): value for name, value in (told.get("store") or {}).items()}
            root, driver = (str(store.get(name) or "") for name in ("graphroot", "graphdrivername"))
            engine = f"storage {root}"
            self._sweep(engine, Path(root, f"{driver}-containers"))
            self._diary = Diary(engine)
        return self._diary

    def _sweep(self, engine: str, places: Path) -> None:
        """``places``: a directory for each container, as old as the container."""
        if self.starts_containers:
            for identifier, label in self._labelled():
                owner = owner_of_label(label)
                if owner is not None and is_gone(owner, _not_known):
                    self._drop("container", "rm", "-f", "-v", identifier)
        for reference in self._names():
            owner = owner_of_reference(reference)
            if owner is not None and is_gone(owner, _not_known):
                self._drop("image", "rmi", "-f", *self._without_parents(), reference)
        with left_in(engine) as found:
            for left in found:
                self._sweep_steps(left, places)

    def _sweep_steps(self, left: Left, places: Path) -> None:
        """A build's containers have no mark. They began with one of its images, or with a base, while it went on, when
        nobody else builds here."""
        nameless = self._nameless()
        made = [each for short in left.images for each in nameless if each.startswith(_digits(short))]
        alone = not _others_build()
        for identifier, image in self._containers().items():
            with contextlib.suppress(OSError):
                if identifier in left.containers:
                    continue
                began = (places / identifier).stat().st_mtime
                in_time = left.begun <= began <= left.last + SETTLE_SECONDS
                if _digits(image) in made or (alone and in_time):
                    self._drop("container", "rm", *(["-f"] if self._kind == "podman" else []), identifier)
        for identifier in reversed(made):
            self._drop("image", "rmi", *self._without_parents(), identifier)

    def _nameless(self) -> set[str]:
        """The digits of the IDs of images that have no name."""
        name = "{{.Repository}}" if self._kind == "podman" else "{{.Name}}"
        rows: list[list[str]] = []
        with contextlib.suppress(EngineError):
            told = ask([self.tool, "images", "-a", "--no-trunc", "--format", "{{.ID}} " + name])
            rows = [line.split() for line in told.splitlines() if line.strip()]
        named = {_digits(row[0]) for row in rows if len(row) > 1 and row[1] != "<none>"}
        return {_digits(row[0]) for row in rows} - named

    def _drop(self, what: str, *command: str) -> None:
        with contextlib.suppress(EngineError):
            ask([self.tool, *command], seconds=120)
            removed.add(what)

    def _names(self) -> list[str]:
        repository = "{{.Repository}}" if self._kind == "podman" else "{{.Name}}"
        with contextlib.suppress(EngineError):
            return ask([self.tool, "images", "--format", repository + ":{{.Tag}}"]).split()
        return []

    def _labelled(self) -> list[tuple[str, str]]:
        with contextlib.suppress(EngineError, ValueError, LookupError, TypeError, AttributeError):
            listed = json.loads(
                ask([self.tool, "ps", "-a", "--filter", f"label={LABEL}", "--format", "json"])
            )
            return [(str(each["Id"]), str(each["Labels"][LABEL])) for each in listed or ()]
        return []

    def _new_images(self, noted: Sequence[str], known: set[str]) -> list[str]:
        """IDs of what a build left, in the order of its lines."""
        new = self._images() - known
        found = [each for short in noted for each in new if each.removeprefix("sha256:").startswith(short)]
        return list(dict.fromkeys(found))

    def _images(self) -> set[str]:
        with contextlib.suppress(EngineError):
            return set(ask([self.tool, "images", "-a", "-q", "--no-trunc"]).split())
        return set()

    def _containers(self) -> dict[str, str]:
        """Working containers of builds: ID, and the ID of the image that each began with."""
        with contextlib.suppress(EngineError, ValueError):
            if self._kind == "podman":
                listed = json.loads(ask([self.tool, "ps", "-a", "--external", "--format", "json"]))
                return {
                    each["Id"]: each.get("ImageID", "") for each in listed if "working-container" in str(each)
                }
            listed = json.loads(ask([self.tool, "containers", "--json"]) or "null") or []
            return {each["id"]: each.get("imageid", "") for each in listed}
        return {}

    def _remove_containers(self, known: set[str], made: Sequence[str]) -> None:
        """The working containers that a build left which was stopped: podman leaves them all. Those of another build
        that goes on here at the same time stay."""
        ours = {identifier.removeprefix("sha256:") for identifier in made}
        alone = not _others_build()
        for identifier, image in self._containers().items():
            if identifier not in known and (alone or image.removeprefix("sha256:") in ours):
                with contextlib.suppress(EngineError):
                    ask([self.tool, "rm", *(["-f"] if self._kind == "podman" else []), identifier])

    def _remove_images(self, identifiers: Sequence[str]) -> None:
        for identifier in reversed(identifiers):
            with contextlib.suppress(EngineError):
                ask([self.tool, "rmi", *self._without_parents(), identifier], seconds=120)

    def _without_parents(self) -> list[str]:
        # podman takes untagged parents along, also those that were there before
        return ["--no-prune"] if self._kind == "podman" and _major(self._version) >= 4 else []

    def _image_id(self, reference: str) -> str | None:
        command = ["image", "inspect", "--format", "{{.Id}}"]
        if self._kind == "buildah":
            command = ["inspect", "--type", "image", "--format", "{{.FromImageID}}"]
        with contextlib.suppress(EngineError):
            if identifier := ask([self.tool, *command, reference]).strip():
                return f"sha256:{identifier.removeprefix('sha256:')}"
        return None

    # --- its images ---------------------------------------------------------------------------------------

    def open(self, built: BuiltImage) -> OpenImage:
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        try:
            done = run(
                [self.tool, "push", "--quiet", built.reference, f"oci:{directory}:image"],
                seconds=WRITE_SECONDS,
            )
            if done.timed_out or done.code:
                said = "no answer" if done.timed_out else (done.output or ("no reason given",))[-1]
                full = "no space left" in said.lower()
                raise EngineError(
                    f"{self._kind} push of the image it built failed: {said}",
                    f"make room in {directory.parent}, or set TMPDIR" if full else "try again",
                )
            opened = Opened(directory, temporary=True)
        except BaseException:
            remove(directory)
            raise
        self._open.append(opened)
        return opened

    def runner(self) -> Runner | None:
        if self._runner is None:
            if self.starts_containers:
                self._runner = self._closing.enter_context(self._started())
            elif self._starter is not None:
                self._runner = self._closing.enter_context(self._starter())
        return self._runner

    @contextlib.contextmanager
    def api(self) -> Iterator[Any]:
        """A client of the docker SDK for Podman; EngineError for buildah, which has no containers."""
        from imgopt.engines.docker import client_for

        if not self.starts_containers:
            raise EngineError("buildah starts no containers", "install podman")
        with self._service() as socket:
            client = client_for(Endpoint(f"unix://{socket}", "podman system service"), "Podman")
            try:
                yield client
            finally:
                client.close()

    @contextlib.contextmanager
    def _started(self) -> Iterator[ContainerRunner]:
        from imgopt.engines.containers import podman_runner

        with self._service() as socket, podman_runner(socket) as runner:
            yield runner

    @contextlib.contextmanager
    def _service(self) -> Iterator[Path]:
        """Podman's Docker-compatible socket, for as long as the context lasts."""
        socket = self._directory / "podman.sock"
        short = None
        if len(os.fsencode(socket)) > 100:  # a socket's path is short
            short = contextlib.ExitStack()
            socket = short.enter_context(work_directory("imgopt-", Path("/tmp"))) / "podman.sock"
        try:
            with (self._directory / "service.log").open("wb") as log:
                service = subprocess.Popen(
                    [self.tool, "system", "service", "--time=0", f"unix://{socket}"],
                    cwd=self._directory,  # conmon leaves a file where it stands when a container wanted too much memory
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=ends_with_us(),
                )
            try:
                deadline = time.monotonic() + SERVICE_SECONDS
                while not socket.exists():
                    if service.poll() is not None or time.monotonic() > deadline:
                        said = (self._directory / "service.log").read_text("utf-8", "replace").splitlines()
                        raise EngineError(
                            f"podman system service does not start: {said[-1] if said else 'it says nothing'}",
                            "containers cannot be started: measure without (--no-run)",
                        )
                    time.sleep(0.05)
                yield socket
            finally:
                end_group(service)
        finally:
            if short is not None:
                short.close()

    def close(self) -> None:
        for image in self._open:
            with contextlib.suppress(Exception):
                image.close()
        self._open.clear()
        with contextlib.suppress(Exception):
            self._closing.close()
        self._runner = None
        for reference in self._references:
            with contextlib.suppress(EngineError):
                ask([self.tool, "rmi", "-f", *self._without_parents(), reference], seconds=120)
        self._references.clear()
        self._remove_images(self._made)
        self._made.clear()
        if self._diary is not None:
            self._diary.close()
            self._diary = None
        self._work.close()

    def __enter__(self) -> PodmanEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(starter: Starter | None = None) -> Engine:
    """Podman's command line, else buildah's, else Podman's socket. EngineError when none works. ``starter``: of
    buildah's images."""
    tried = []
    host = os.environ.get("CONTAINER_HOST")
    if host:  # the command line would speak with that machine, and write files there
        return _by_socket(host, "CONTAINER_HOST")
    for tool in ("podman", "buildah"):
        path = shutil.which(tool)
        if path is None:
            tried.append(f"{tool} is not installed")
            continue
        try:
            info: Any = json.loads(
                ask([path, "info", "--format", "json"] if tool == "podman" else [path, "info"])
            )
            if tool == "podman" and info.get("host", {}).get("serviceIsRemote"):
                return _by_socket(str(info["host"]["remoteSocket"]["path"]), "podman info")
            return PodmanEngine(path, _tool_version(path), starter)
        except EngineError as error:
            tried.append(error.message)
        except (ValueError, KeyError, TypeError, AttributeError):
            tried.append(f"{tool} info gives no answer that can be read")
    for socket in _sockets():
        if socket.exists():
            return _by_socket(f"unix://{socket}", "Podman's socket")
    raise EngineError(
        f"Podman cannot be used: {'; '.join(tried)}", "install podman (or buildah); `podman info` must work"
    )


def _digits(identifier: str) -> str:
    return identifier.removeprefix("sha256:")


def _not_known(container: str) -> bool | None:
    return None


def _by_socket(host: str, source: str) -> Engine:
    from imgopt.engines.docker import DockerEngine, client_for

    host = host if "://" in host else f"unix://{host}"
    endpoint = Endpoint(host, source)
    return DockerEngine(client_for(endpoint, "Podman"), endpoint)


def _sockets() -> Iterator[Path]:
    if directory := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(directory, "podman", "podman.sock")
    yield Path("/run/podman/podman.sock")


def _tool_version(tool: str) -> str:
    found = re.search(r"version (\S+)", ask([tool, "--version"]))
    return found[1] if found else "?"


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


_STORAGE_VARIABLES = ("CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF", "XDG_DATA_HOME", "STORAGE_DRIVER", "HOME")


def _others_build() -> bool:
    """Whether another build by podman or buildah goes on in this storage."""
    ours = {name: os.environ.get(name, "") for name in _STORAGE_VARIABLES}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            name, *arguments = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if Path(name).name not in ("podman", "buildah") or not {"build", "bud"} & set(arguments):
                continue
            lines = (process / "environ").read_bytes().decode("utf-8", "replace").split("\0")
            theirs = dict(line.partition("=")[::2] for line in lines)
            elsewhere = any(argument.startswith("--root") for argument in arguments)
            if not elsewhere and ours == {name: theirs.get(name, "") for name in _STORAGE_VARIABLES}:
                return True
    return False
