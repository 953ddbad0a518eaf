"""Servers of the tests' own that a registry leads to, and that write down whatever they are told.

Made by hand: no real server asks for what it has no right to.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Status, headers, body.
Reply = tuple[int, Mapping[str, str], bytes]


@dataclass
class Asked:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    certificate: bool  # whether the client showed one

    def __contains__(self, secret: object) -> bool:
        text = str(secret)
        told = any(text in value for pair in self.headers for value in pair)
        return told or text in self.path or text.encode() in self.body


@dataclass
class Stranger:
    """``reply`` makes its answers. Usually it is one that wants to know who asks: it answers 401, with a token service of
    its own."""

    host: str
    scheme: str = "http"
    port: int = 0
    seen: list[Asked] = field(default_factory=list)
    reply: Callable[[Asked], Reply] | None = None

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.name}"

    @property
    def body_bytes(self) -> int:
        return sum(len(each.body) for each in self.seen)

    def answer(self, asked: Asked) -> Reply:
        if self.reply is not None:
            return self.reply(asked)
        if asked.path.startswith("/token"):
            return 200, {}, b'{"token": "t0ken"}'
        return 401, {"WWW-Authenticate": f'Bearer realm="{self.url}/token",service="x"'}, b"{}"


@contextmanager
def stranger(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, reply: Callable[[Asked], Reply] | None = None
) -> Iterator[Stranger]:
    state = Stranger(host, "https" if tls else "http", reply=reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            if self.headers.get("Expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            body = self._body()
            shown = isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert(True)
            asked = Asked(self.command, self.path, list(self.headers.items()), body, bool(shown))
            state.seen.append(asked)
            status, headers, data = state.answer(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD" and status != 204:
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def handle_expect_100(self) -> bool:
            return True

        def log_message(self, *arguments: object) -> None: ...

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                super().handle()

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None: ...  # a client that does not like it

    server = Server(("127.0.0.1" if host == "localhost" else host, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    state.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
