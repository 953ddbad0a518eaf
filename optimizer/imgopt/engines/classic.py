"""A build by the classic builder, through `POST /build` of the Engine API (Docker's, or Podman's)."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from imgopt.engines.command import Lines
from imgopt.engines.context_tar import context_tar
from imgopt.engines.engine import BuildRequest, EngineError
from imgopt.engines.output import build_error
from imgopt.light.patterns import regex

_IMAGE = regex(r"^(?: ---> |--> (?:Using cache )?)([0-9a-f]{11,64})$")  # Docker's, and Podman's
_CONTAINER = regex(r"^ ---> Running in ([0-9a-f]{12,64})$")
#: How long a cancelled build's last image or container is looked for.
SETTLE_SECONDS = 5


class Stopped(Exception):
    """The time was up."""

    def __init__(self, output: tuple[str, ...]) -> None:
        super().__init__("the time was up")
        self.output = output


class Cut:
    """Cuts a build's connection, from another thread, when its time is up: then the daemon stops the build."""

    def __init__(self, seconds: float) -> None:
        self.done = False
        self.deadline = time.monotonic() + seconds
        self._response: Any = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, response: Any) -> None:
        self._response = response
        if self.done:
            self._cut()

    def _cut(self) -> None:
        self.done = True
        if self._response is not None:
            hang_up(self._response)

    def end(self) -> None:
        self._timer.cancel()


def hang_up(response: Any) -> None:
    """Closes a response's connection, also while another thread waits for its next bytes."""
    raw = response.raw
    connection = getattr(raw, "_connection", None) or getattr(raw, "connection", None)
    sock: Any = getattr(connection, "sock", None)
    if sock is None:  # the connection was given up to the response
        sock = getattr(getattr(getattr(getattr(raw, "_fp", None), "fp", None), "raw", None), "_sock", None)
    with contextlib.suppress(Exception):
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        response.close()


def classic_build(
    client: Any, request: BuildRequest, reference: str, made: list[str], known: set[str]
) -> tuple[str, ...]:
    """Builds; the last lines of output. IDs of images that are not in `known` are added to `made` as they come, also
    when the build fails or is cancelled; its containers are removed. BuildError, EngineError, Stopped."""
    lines = Lines(request.line)
    containers: list[str] = []
    cut = Cut(request.seconds)
    complete = False
    try:
        _stream(client, request, reference, lines, made, known, containers, cut)
        complete = True
    finally:
        cut.end()
        if not complete:
            _tidy(client, made, known, containers)
    return lines.kept


def _stream(
    client: Any,
    request: BuildRequest,
    reference: str,
    lines: Lines,
    made: list[str],
    known: set[str],
    containers: list[str],
    cut: Cut,
) -> None:
    from docker.errors import APIError, DockerException

    name, tar = context_tar(request.context, request.dockerfile, f".dockerfile.{secrets.token_hex(10)}")
    response = None
    failure: str | None = None
    finished = False
    try:
        response = _post(client, request, reference, name, _until(tar, cut))
        cut.watch(response)
        for message in _messages(response):
            if "error" in message or "errorDetail" in message:
                detail = message.get("errorDetail") or {}
                failure = str(detail.get("message") or message.get("error") or "")
                break
            if text := message.get("stream"):
                lines.add(text)
                _note(text, made, known, containers)
                finished = finished or text.startswith("Successfully built")
            elif "status" in message:  # a base image that is pulled
                part = f"{message['id']}: " if message.get("id") else ""
                if "progress" not in message:
                    lines.add(f"{part}{message['status']}\n")
            elif identifier := (message.get("aux") or {}).get("ID"):
                _add(identifier, made, known)
        lines.end()
    except APIError as error:
        if cut.done:
            raise Stopped(lines.kept) from error
        said = str(error.explanation or error)
        raise _refused(request, said, lines) from error
    except (DockerException, OSError, ValueError) as error:  # requests' errors are OSErrors
        if cut.done:
            raise Stopped(lines.kept) from error
        raise EngineError(
            f"the connection to the daemon broke off while {request.dockerfile} was built",
            "is the daemon still running? see its log",
        ) from error
    except Exception as error:
        # urllib3's errors, which requests hands through, and those of a connection closed under a reader
        if cut.done:
            raise Stopped(lines.kept) from error
        if type(error).__module__.partition(".")[0] in ("urllib3", "http"):
            raise EngineError(
                f"the connection to the daemon broke off while {request.dockerfile} was built",
                "is the daemon still running? see its log",
            ) from error
        raise
    finally:
        if response is not None:
            hang_up(response)
    if cut.done and not finished:
        raise Stopped(lines.kept)
    if failure is not None:
        raise build_error(request, lines.kept, failure)
    if not finished:
        raise EngineError(
            f"the daemon's answer ended in the middle of the build of {request.dockerfile}",
            "is the daemon still running? see its log",
        )


def _post(client: Any, request: BuildRequest, reference: str, name: str, tar: Iterator[bytes]) -> Any:
    """`POST /build`, as the SDK's `build` sends it; the SDK keeps the response, which must be closed to cancel."""
    import json

    api = client.api
    parameters: dict[str, Any] = {
        "t": reference,
        "dockerfile": name,
        "rm": True,
        "forcerm": True,
        "nocache": not request.cache,
        "layers": True,  # Podman alone knows it
        "buildargs": json.dumps(dict(request.build_args)),
    }
    if request.target:
        parameters["target"] = request.target
    if request.platform:
        parameters["platform"] = request.platform
    headers = {"Content-Type": "application/x-tar"}
    api._set_auth_headers(headers)  # for bases in private registries
    response = api._post(
        api._url("/build"), data=tar, params=parameters, headers=headers, stream=True, timeout=request.seconds
    )
    api._raise_for_status(response)
    return response


def _until(tar: Iterator[bytes], cut: Cut) -> Iterator[bytes]:
    for chunk in tar:
        if time.monotonic() > cut.deadline:
            raise OSError("the time was up while the context was sent")
        yield chunk


def _messages(response: Any) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, one after the other, with or without line ends between."""
    import json

    decoder = json.JSONDecoder()
    text = ""
    for data in _pieces(response):
        text += data
        while text := text.lstrip():
            try:
                message, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:]
            if isinstance(message, dict):
                yield message


def _pieces(response: Any) -> Iterator[str]:
    import codecs

    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    raw = response.raw
    while data := raw.read1() if hasattr(raw, "read1") else raw.read(1):
        yield decode(data)


def _note(text: str, made: list[str], known: set[str], containers: list[str]) -> None:
    for line in text.splitlines():
        if found := _CONTAINER.match(line):
            containers.append(found[1])
        elif found := _IMAGE.match(line):
            _add(found[1], made, known)


def _add(identifier: str, made: list[str], known: set[str]) -> None:
    short = identifier.removeprefix("sha256:")
    if not any(each.removeprefix("sha256:").startswith(short) for each in known) and not any(
        each.removeprefix("sha256:").startswith(short) or short.startswith(each.removeprefix("sha256:"))
        for each in made
    ):
        made.append(identifier)


def _tidy(client: Any, made: list[str], known: set[str], containers: list[str]) -> None:
    """After a build that did not end: its last container, and the image that the daemon may still make of it."""
    from docker.errors import NotFound

    deadline = time.monotonic() + SETTLE_SECONDS
    with contextlib.suppress(Exception):
        for identifier in containers[-1:]:
            while time.monotonic() < deadline:
                try:
                    client.api.inspect_container(identifier)
                except NotFound:
                    break
                time.sleep(0.2)  # the daemon removes it itself
            with contextlib.suppress(NotFound):
                client.api.remove_container(identifier, v=True, force=True)
        ours = {identifier.removeprefix("sha256:") for identifier in made}
        for identifier in set(client.api.images(all=True, quiet=True)) - known:
            parent = str(client.api.inspect_image(identifier).get("Parent") or "").removeprefix("sha256:")
            if parent and any(parent.startswith(each) for each in ours):
                _add(identifier, made, known)


def _refused(request: BuildRequest, said: str, lines: Lines) -> EngineError:
    """An answer other than 200: a Dockerfile that the builder cannot read, or a builder that is not there."""
    return build_error(request, lines.kept, said)
