"""HTTP_PROXY and HTTPS_PROXY: also the bytes of layers go through, with the proxy's own login."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import registries
from certificates import self_signed
from push_command import Command
from registries import Registry
from test_push import pulled

Release = Callable[..., Path]
LOGIN = base64.b64encode(b"proxy-user:pr0xy").decode()


@dataclass
class Forwarder:
    """Relays to one port, whatever host it is asked for: CONNECT, and requests with a whole URL."""

    to: int
    port: int = 0
    heads: list[str] = field(default_factory=list)
    sent: int = 0

    def serve(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                return
            head += byte
        self.heads.append(head.decode())
        server = socket.create_connection(("127.0.0.1", self.to))
        if head.startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            server.sendall(head)  # Go's server takes whole URLs
        threading.Thread(target=self.relay, args=(server, client), daemon=True).start()
        self.relay(client, server)

    def relay(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(1 << 16):
                self.sent += len(block) * (sink.getpeername()[1] == self.to)
                sink.sendall(block)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def forwarder(to: int) -> Iterator[Forwarder]:
    listener = socket.create_server(("127.0.0.1", 0))
    running = Forwarder(to, listener.getsockname()[1])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=running.serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield running
    finally:
        listener.close()


@pytest.mark.parametrize("form", ["http://proxy-user:pr0xy@127.0.0.1:{}", "127.0.0.1:{}"])
def test_a_registry_without_tls(
    form: str, release: Release, imgopt: Command, shared_registry: Registry, repository: str
) -> None:
    """Its name means something to the proxy only."""
    with forwarder(shared_registry.port) as proxy:
        imgopt.environment["http_proxy"] = form.format(proxy.port)
        target = f"registry.invalid:5000/{repository}:1"
        run = imgopt("push", str(release(1)), target, "--plain-http", "--chunk-size", "150kB", "--debug")
        assert run.code == 0, run.err
        assert "pr0xy" not in run.out + run.err
        assert proxy.sent > 600_000
        known = "@" in form
        assert all((f"Proxy-Authorization: Basic {LOGIN}" in head) == known for head in proxy.heads)
    pulled(shared_registry.name, repository, "1")


def test_a_registry_with_tls(release: Release, imgopt: Command, tmp_path: Path) -> None:
    pair = self_signed(tmp_path)
    with registries.registry(tmp_path / "tls", tls=pair) as running, forwarder(running.port) as proxy:
        imgopt.environment |= {
            "HTTPS_PROXY": f"http://proxy-user:pr0xy@127.0.0.1:{proxy.port}",
            "REQUESTS_CA_BUNDLE": str(pair[0]),
        }
        run = imgopt("push", str(release(1)), f"127.0.0.1:{running.port}/shop/api:1", "--chunk-size", "150kB")
        assert run.code == 0, run.err
        assert proxy.sent > 600_000
        connects = [head for head in proxy.heads if head.startswith("CONNECT ")]
        assert connects and all(LOGIN in head for head in connects)
