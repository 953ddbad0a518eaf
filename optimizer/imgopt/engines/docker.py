"""Docker: the classic builder through the Engine API, the daemon's BuildKit through Docker's command line.

Which of the two: DOCKER_BUILDKIT decides where it is set; else what the Dockerfile needs; else what the daemon
prefers, as `docker build` does it. Podman's Docker-compatible socket is served as well; there a step that runs when
the build is stopped goes on to its end, because Podman does not listen, and the untagged images of the steps before it
stay when that takes longer than the engine is open. Only images, containers and files that this engine made are removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imgopt.engines.classic import Stopped, classic_build
from imgopt.engines.command import ask, run
from imgopt.engines.docker_endpoint import Endpoint, find
from imgopt.engines.engine import BuildError, BuildRequest, BuiltImage, EngineError, Runner
from imgopt.engines.leftovers import Diary, Made, sweep
from imgopt.engines.needs import needs_buildkit
from imgopt.engines.output import build_error, timed_out
from imgopt.engines.owners import this_process
from imgopt.files.docker_settings import check_docker_settings
from imgopt.light.patterns import regex

if TYPE_CHECKING:
    from imgopt.engines.containers import ContainerRunner
    from imgopt.images.model import OpenImage

CONNECT_SECONDS = 10
READ_SECONDS = 300
_LACKS_CLASSIC_BUILDER = regex(r"(?:legacy|classic) builder|builder\b.*\bnot supported", re.IGNORECASE)


class DockerEngine:
    """See `imgopt.engines.engine.Engine`."""

    steady: str | None = None
    sets: tuple[str, ...] = ()

    def __init__(self, client: Any, endpoint: Endpoint) -> None:
        """`connect` makes one: `client` answers."""
        self.client = client
        self.endpoint = endpoint
        self._version: dict[str, Any] = client.version()
        self._prefers_buildkit = _builder_version(client) == "2"
        self._cli: str | None = None
        self._owner = this_process(client)
        self._repository = self._owner.repository()
        self._diary: Diary | None = None
        self._made: list[str] = []  # IDs of images, in the order they were made
        self._references: set[str] = set()
        self._open: list[OpenImage] = []
        self._runner: ContainerRunner | None = None
        self._lock = threading.Lock()

    # --- what it is ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return "podman" if self.is_podman else "docker"

    @property
    def description(self) -> str:
        product = "Podman's Docker API" if self.is_podman else "Docker"
        builder = "" if self.is_podman else (", BuildKit" if self._wants_buildkit() else ", classic builder")
        return f"{product} {self._version.get('Version', '?')}{builder}"

    @property
    def is_podman(self) -> bool:
        return any(
            "podman" in str(part.get("Name", "")).lower() for part in self._version.get("Components") or ()
        )

    @property
    def gzip(self) -> str:
        from imgopt.compressing import docker_gzip

        return "buildah" if self.is_podman else docker_gzip(str(self._version.get("GoVersion", "")))

    # --- building -----------------------------------------------------------------------------------------

    def build(self, request: BuildRequest, tag: str) -> BuiltImage:
        diary = self._begin()
        reference = f"{self._repository}:{re.sub(r'[^A-Za-z0-9_.-]', '-', tag)[:120]}"
        before = self._image_id(reference)
        there = self._images() - set(self._made)
        begin = time.monotonic()
        why = needs_buildkit(request.dockerfile)
        if self._wants_buildkit(why):
            self._build_by_cli(request, reference, why)
        else:
            self._build_classic(request, reference, diary)
        seconds = time.monotonic() - begin
        identifier = self._image_id(reference)
        if identifier is None:
            raise EngineError(
                f"{self.description} built {request.dockerfile}, but has no image of it", "try again"
            )
        self._references.add(reference)
        if identifier not in there:  # a build may come to an image that was there: a base, or the user's own
            self._remember(identifier)
        if before is not None and before != identifier and before in self._made:
            self._remove_images([before])
        return BuiltImage(reference, identifier, seconds)

    def _wants_buildkit(self, why: str | None = None) -> bool:
        asked = os.environ.get("DOCKER_BUILDKIT", "")
        if self.is_podman:
            return False
        if asked:
            return asked.lower() not in ("0", "false") or why is not None
        return why is not None or (self._prefers_buildkit and self._buildkit_cli() is not None)

    def _begin(self) -> Diary:
        """Before the first build: what killed runs left here goes."""
        if self._diary is None:
            with _errors(self.endpoint, "docker info"):
                told = self.client.info()
            engine = f"{told.get('Name')} {told.get('DockerRootDir')}"
            if not self.is_podman:  # Podman thinks of another ID with each answer
                engine = str(told.get("ID") or engine)
            sweep(self.client, engine)
            self._diary = Diary(engine)
        return self._diary

    def _build_classic(self, request: BuildRequest, reference: str, diary: Diary) -> None:
        made = Made(diary)
        try:
            known = self._images()
            try:
                classic_build(self.client, request, reference, made, known)
            except Stopped as stopped:
                raise timed_out(request, stopped.output) from None
            except BuildError as error:
                if error.step or not _LACKS_CLASSIC_BUILDER.search(error.message):
                    raise
                self._build_by_cli(request, reference, "the daemon has no classic builder")
        except BaseException:
            self._remove_images(made)
            raise
        finally:
            for identifier in made:  # what could not be removed yet is tried again on close
                self._remember(identifier)

    def _build_by_cli(self, request: BuildRequest, reference: str, why: str | None) -> None:
        cli = self._buildkit_cli()
        if cli is None:
            needs = (
                f"{request.dockerfile} needs BuildKit ({why})"
                if why
                else "DOCKER_BUILDKIT=1 asks for BuildKit"
            )
            raise EngineError(
                f"{needs}, and no docker command line with BuildKit was found",
                "install Docker's buildx plugin, or take --engine buildkit",
            )
        command = [cli, "build", "--progress", "plain", "-t", reference, "-f", str(request.dockerfile)]
        command += [f"--build-arg={name}={value}" for name, value in request.build_args.items()]
        command += [] if request.cache else ["--no-cache"]
        command += ["--target", request.target] if request.target else []
        command += ["--platform", request.platform] if request.platform else []
        command += self._network()
        done = run(
            [*command, str(request.context)],
            seconds=request.seconds,
            line=request.line,
            environment=self._environment(),
        )
        if done.timed_out:
            raise timed_out(request, done.output)
        if done.code:
            self._ping(done.output)
            raise build_error(request, done.output)

    def _network(self) -> list[str]:
        """BuildKit insists on the bridge network; the classic builder does without where a daemon has none."""
        with contextlib.suppress(Exception):
            if not any(network.get("Driver") == "bridge" for network in self.client.api.networks()):
                return ["--network", "none"]
        return []

    def _environment(self) -> dict[str, str]:
        # the daemon's own BuildKit, whatever builder `docker buildx use` chose; an image, not an index
        return {
            **os.environ,
            "DOCKER_BUILDKIT": "1",
            "BUILDKIT_PROGRESS": "plain",
            "BUILDX_BUILDER": self.endpoint.context,
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }

    def _buildkit_cli(self) -> str | None:
        """A docker command line that can speak with BuildKit: one with buildx, or one before 23.0."""
        if self._cli is None:
            self._cli = next((cli for cli in on_path("docker") if _speaks_buildkit(cli)), "")
        return self._cli or None

    def _ping(self, output: tuple[str, ...]) -> None:
        """EngineError when the daemon is gone: then that is why the build failed."""
        try:
            self.client.ping()
        except Exception as error:
            raise EngineError(
                f"the Docker daemon at {self.endpoint.host} went away in the middle of the build",
                "start it again; `docker info` must answer",
            ) from error

    # --- its images ---------------------------------------------------------------------------------------

    def open(self, built: BuiltImage) -> OpenImage:
        from imgopt.images.spool import drop_spool, new_spool, write_spool
        from imgopt.sources.open import from_archive

        with contextlib.ExitStack() as on_failure:
            spool = new_spool()
            on_failure.callback(drop_spool, spool)
            with _errors(self.endpoint, "docker save"):
                for chunk in self.client.images.get(built.reference).save(chunk_size=1 << 20):
                    write_spool(spool, chunk)
            opened = from_archive(spool, built.reference, None, None, reference=built.reference)
            on_failure.pop_all()
        self._open.append(opened)
        return opened

    def runner(self) -> Runner | None:
        if self._runner is None:
            from imgopt.engines.containers import ContainerRunner

            self._runner = ContainerRunner(self.client)
        return self._runner

    def _image_id(self, reference: str) -> str | None:
        from docker.errors import ImageNotFound

        with _errors(self.endpoint, "docker image inspect"):
            try:
                return str(self.client.images.get(reference).id)
            except ImageNotFound:
                return None

    def _images(self) -> set[str]:
        with _errors(self.endpoint, "docker images"):
            return set(self.client.api.images(all=True, quiet=True))

    def _remember(self, identifier: str) -> None:
        with self._lock:
            if identifier not in self._made:
                self._made.append(identifier)

    def _remove_images(self, identifiers: list[str]) -> None:
        """Those that nothing else uses: an image that somebody named or built upon stays."""
        for identifier in reversed(identifiers):
            with contextlib.suppress(Exception):
                names = self.client.api.inspect_image(identifier).get("RepoTags") or ()
                if all(name.startswith(f"{self._repository}:") for name in names):
                    self.client.api.remove_image(identifier, noprune=True)

    def close(self) -> None:
        for image in self._open:
            with contextlib.suppress(Exception):
                image.close()
        self._open.clear()
        runner, self._runner = self._runner, None
        if runner is not None:
            with contextlib.suppress(Exception):
                runner.close()
        for reference in self._references:
            with contextlib.suppress(Exception):
                self.client.api.remove_image(reference, force=True, noprune=True)
        self._references.clear()
        self._remove_images(self._made)
        self._made.clear()
        if self._diary is not None:
            self._diary.close()
            self._diary = None
        with contextlib.suppress(Exception):
            self.client.close()

    def __enter__(self) -> DockerEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(endpoint: Endpoint | None = None) -> DockerEngine:
    """The Docker daemon that docker's command line would use. EngineError when it does not answer."""
    endpoint = endpoint or find()
    return DockerEngine(client_for(endpoint), endpoint)


def client_for(endpoint: Endpoint, product: str = "Docker") -> Any:
    """An SDK client for a daemon that has answered; `product` is what errors call it. EngineError."""
    import docker
    from docker.errors import DockerException
    from docker.tls import TLSConfig

    check_docker_settings()
    try:
        tls: Any = None
        if endpoint.tls:
            pair = (
                (str(endpoint.certificate), str(endpoint.key))
                if endpoint.certificate and endpoint.key
                else None
            )
            tls = TLSConfig(
                client_cert=pair, ca_cert=str(endpoint.ca) if endpoint.ca else None, verify=endpoint.verify
            )
        client = docker.DockerClient(
            base_url=endpoint.host,
            tls=tls or False,
            timeout=CONNECT_SECONDS,
            version=docker.constants.MINIMUM_DOCKER_API_VERSION,  # until the daemon has been asked
            use_ssh_client=endpoint.host.startswith("ssh://"),
        )
        if endpoint.ca is not None:  # REQUESTS_CA_BUNDLE would take the place of the daemon's own CA
            client.api.trust_env = False
        client.api._version = client.api._retrieve_server_version()
        client.api.timeout = READ_SECONDS
        return client
    except (DockerException, OSError, ValueError) as error:
        raise _unreachable(endpoint, error, product) from error


def _unreachable(endpoint: Endpoint, error: Exception, product: str) -> EngineError:
    text = str(error)
    if product == "Podman":
        start, variable, check = "start it (`systemctl start podman.socket`)", "CONTAINER_HOST", "podman info"
    else:
        start, variable, check = "start Docker (`systemctl start docker`)", "DOCKER_HOST", "docker info"
    if "PermissionError" in text or "Permission denied" in text:
        why, what = "may not be used by this user", "join the group that may (docker), or run as root"
    elif "FileNotFoundError" in text or "No such file" in text:
        why, what = (
            "is not there",
            "start Docker (`systemctl start docker`), or say where it is with DOCKER_HOST",
        )
    elif "Connection refused" in text or "ConnectionRefused" in text:
        why, what = "refuses connections", f"{start}, or correct {variable}"
    elif "certificate" in text.lower() or "SSL" in text or "TLS" in text:
        why, what = "cannot be trusted over TLS", "see DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
    elif "timed out" in text.lower():
        why, what = f"does not answer within {CONNECT_SECONDS} s", f"correct {variable}, or restart it"
    else:
        why, what = "gives no Docker daemon's answer", f"correct {variable}; `{check}` must answer"
    return EngineError(f"the {product} daemon at {endpoint.host} ({endpoint.source}) {why}", what)


@contextlib.contextmanager
def _errors(endpoint: Endpoint, what: str) -> Iterator[None]:
    from docker.errors import DockerException, NotFound

    try:
        yield
    except NotFound:
        raise
    except DockerException as error:
        said = getattr(error, "explanation", None) or str(error)
        raise EngineError(f"{what} failed: {said}", "see the daemon's log") from error
    except OSError as error:  # requests' errors too
        if error.errno == 28:
            raise EngineError(
                f"{what}: no room in {tempfile.gettempdir()}", "make room, or set TMPDIR"
            ) from error
        raise EngineError(
            f"the Docker daemon at {endpoint.host} went away during {what}", "start it again and try again"
        ) from error


def _builder_version(client: Any) -> str:
    with contextlib.suppress(Exception):
        api = client.api
        return str(api._get(api._url("/_ping")).headers.get("Builder-Version", "1"))
    return "1"


def on_path(program: str) -> Iterator[str]:
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if found := shutil.which(program, path=directory or "."):
            yield found


def _speaks_buildkit(cli: str) -> bool:
    with contextlib.suppress(EngineError):
        ask([cli, "buildx", "version"])
        return True
    with contextlib.suppress(EngineError, ValueError):
        version = ask([cli, "version", "--format", "{{.Client.Version}}"])
        return int(version.split(".")[0]) < 23
    with contextlib.suppress(EngineError, ValueError, IndexError):  # `docker version` fails without a daemon
        return int(ask([cli, "--version"]).split("version ")[1].split(".")[0]) < 23
    return False
