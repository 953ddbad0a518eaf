"""Real registries of the tests' own, on loopback (Debian's docker-registry), and a proxy before them that makes trouble.

What the proxy does cannot be had from the real registry: a slow link, connections that are cut in the middle of a blob,
answers of proxies and overloaded services. Everything else that it relays is the registry's own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from private_docker import _end_with_the_tests

USER, PASSWORD = "deployer", "pa55-s3cret"
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuaM3f2LmRVx1odap8xNwzMvQy3CWoPFq\n"
_START_SECONDS = 20


def missing() -> str | None:
    return (
        None
        if shutil.which("docker-registry")
        else "docker-registry is not installed (apt-get install docker-registry)"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Registry:
    port: int
    root: Path

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def uploads(self) -> list[Path]:
        """Sessions that were not finished."""
        return sorted(self.root.glob("docker/registry/v2/repositories/**/_uploads/*/startedat"))

    def blobs(self) -> int:
        return len(list(self.root.glob("docker/registry/v2/blobs/sha256/*/*/data")))


@contextlib.contextmanager
def registry(
    directory: Path, *, auth: Any = None, tls: tuple[Path, Path] | None = None, delete: bool = True
) -> Iterator[Registry]:
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}"}
    if tls:
        http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(directory / "data")},
            "delete": {"enabled": delete},
        },
        "http": http,
        **({"auth": auth} if auth else {}),
    }
    (directory / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(directory / "config.yml")],
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_the_tests,
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < end and process.poll() is None, (directory / "log").read_text()
            time.sleep(0.05)
        yield Registry(port, directory / "data")
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Trouble:
    """What happens to requests of a method whose path contains a text. ``times``: how often; None: always.

    ``status`` answers in the registry's place. ``cut_after`` closes the connection when so many bytes of body went
    through.
    """

    method: str
    contains: str = ""
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"errors":[{"code":"UNKNOWN","message":"said by the proxy"}]}'
    cut_after: int | None = None
    skip: int = 0

    def meets(self, method: str, path: str) -> bool:
        if method != self.method or self.contains not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Seen:
    """A request that went through: bytes of its body, and the answer's status; None when it was cut."""

    method: str
    path: str
    headers: Mapping[str, str]
    body_bytes: int = 0
    status: int | None = None
    begin: float = 0.0
    end: float = 0.0


class Proxy:
    """Relays HTTP to a registry, byte for byte, and writes down what passes. ``bytes_per_s``: of bodies, all together."""

    def __init__(self, port: int, bytes_per_s: float | None = None) -> None:
        self.upstream, self.bytes_per_s = port, bytes_per_s
        self.troubles: list[Trouble] = []
        self.seen: list[Seen] = []
        self.cut_at: list[int] = []  # cuts the connection over which the so many-th byte of all bodies comes
        self.cut_all = False  # and every other with it
        self.swallows_continue = False
        self.refuses_mounts = (
            False  # what is asked to be mounted begins an upload, as a registry without mounts has it
        )
        self._lock = threading.Lock()
        self._next = 0.0
        self._open: set[socket.socket] = set()
        self._listener = socket.socket()
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15
        )  # what waits here counts as sent
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(50)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        with self._lock:
            connections = list(self._open)
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def sent(self, method: str = "", *, finished: bool = False) -> int:
        """Bytes of bodies that came from the client; ``finished``: of requests that the registry acknowledged."""
        wanted = [
            each
            for each in self.seen
            if method in ("", each.method) and (not finished or each.status in (201, 202))
        ]
        return sum(each.body_bytes for each in wanted)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.upstream))
        with self._lock:
            self._open |= {client, server}
        try:
            reader, answers = client.makefile("rb"), server.makefile("rb")
            while self._relay(client, server, reader, answers):
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open -= {client, server}
            for each in (client, server):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _relay(self, client: socket.socket, server: socket.socket, reader: Any, answers: Any) -> bool:
        head = _head(reader)
        if not head:
            return False
        first, _, rest = head.partition(b"\r\n")
        method, path, _ = first.decode("latin-1").split(" ", 2)
        headers = _fields(rest)
        seen = Seen(method, path, headers)
        self.seen.append(seen)
        trouble = next((each for each in self.troubles if each.meets(method, path)), None)
        if trouble is not None and trouble.status is not None:
            seen.status = trouble.status
            answer = f"HTTP/1.1 {trouble.status} {http.client.responses.get(trouble.status, 'Trouble')}\r\n"
            fields = {"Content-Type": "application/json", **trouble.headers, "Connection": "close"}
            fields["Content-Length"] = str(len(trouble.body))
            answer += "".join(f"{key}: {value}\r\n" for key, value in fields.items())
            client.sendall(answer.encode() + b"\r\n" + (b"" if method == "HEAD" else trouble.body))
            return False
        if self.refuses_mounts and method == "POST" and "mount=" in path:
            head = head.replace(path.encode(), path.partition("?")[0].encode(), 1)
        server.sendall(head)
        if headers.get("expect"):
            early = _head(answers)
            if not self.swallows_continue:
                client.sendall(early)
            if b" 100 " not in early.partition(b"\r\n")[0]:
                seen.status = int(early.split(b" ", 2)[1])
                return False
        cut_after = trouble.cut_after if trouble is not None else None
        if not self._body(seen, server, reader, headers, cut_after):
            return False
        return self._answer(seen, client, answers)

    def _body(
        self,
        seen: Seen,
        server: socket.socket,
        reader: Any,
        headers: Mapping[str, str],
        cut_after: int | None,
    ) -> bool:
        """Whether the whole body went through."""
        if cut_after == 0:
            return False
        if headers.get("transfer-encoding") == "chunked":
            while True:
                line = reader.readline()
                size = int(line, 16) if line.strip() else -1
                if size < 0:
                    return False
                server.sendall(line)
                if size == 0:
                    server.sendall(reader.readline())
                    return True
                if not self._pass(seen, server, reader, size, cut_after):
                    return False
                server.sendall(reader.read(2))
        return self._pass(seen, server, reader, int(headers.get("content-length") or 0), cut_after)

    def _pass(self, seen: Seen, server: socket.socket, reader: Any, size: int, cut_after: int | None) -> bool:
        while size:
            count = min(size, 1 << 13)
            if self.cut_at and self.sent() >= self.cut_at[0]:
                self.cut_at.pop(0)
                if self.cut_all:
                    self.cut()
                return False
            if cut_after is not None:
                count = min(count, cut_after - seen.body_bytes)
                if count <= 0:
                    return False
            block = reader.read(count)
            if not block:
                return False
            seen.begin = seen.begin or time.monotonic()
            if self.bytes_per_s:
                with self._lock:
                    # a sleep that took too long is made up for
                    now = time.monotonic()
                    self._next = max(self._next or now, now - 0.2) + len(block) / self.bytes_per_s
                    wait = self._next - time.monotonic()
                time.sleep(max(0, wait))
            server.sendall(block)
            seen.end = time.monotonic()
            seen.body_bytes += len(block)
            size -= len(block)
        return True

    def _answer(self, seen: Seen, client: socket.socket, answers: Any) -> bool:
        head = _head(answers)
        if not head:
            return False
        first, _, rest = head.partition(b"\r\n")
        status, headers = int(first.split(b" ", 2)[1]), _fields(rest)
        # the registry names itself by the Host it was asked by: that is the proxy already
        client.sendall(head)
        if seen.method != "HEAD" and status not in (204, 304):
            if headers.get("transfer-encoding") == "chunked":
                while line := answers.readline():
                    client.sendall(line + answers.read(int(line, 16) + 2))
                    if int(line, 16) == 0:
                        break
            else:
                client.sendall(answers.read(int(headers.get("content-length") or 0)))
        seen.status = status
        return headers.get("connection") != "close"


def _head(reader: Any) -> bytes:
    head = b""
    while line := reader.readline():
        head += line
        if line == b"\r\n":
            return head
    return b""


def _fields(head: bytes) -> dict[str, str]:
    pairs = (line.decode("latin-1").partition(":") for line in head.split(b"\r\n") if b":" in line)
    return {name.lower(): value.strip() for name, _, value in pairs}


@contextlib.contextmanager
def proxy(port: int, bytes_per_s: float | None = None) -> Iterator[Proxy]:
    relay = Proxy(port, bytes_per_s)
    try:
        yield relay
    finally:
        relay.close()
