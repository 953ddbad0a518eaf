"""One HTTP connection that sends a body piece by piece, so that a long upload can be watched, ended early, or held ready.

`requests` sends a body as a whole: it cannot wait for the server to take up a request before the first byte, and it
cannot keep little of it in the kernel's buffers. Both are what resuming needs.
"""

from __future__ import annotations

import contextlib
import io
import re
import select
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection, parse_headers
from urllib.parse import urlsplit

from imgopt.registry.client import USER_AGENT, Answer
from imgopt.registry.errors import RegistryError

PIECE_BYTES = 1 << 16
#: Unsent bytes that the kernel may hold: what has left the program has nearly left the machine.
_UNSENT_BYTES = 1 << 17
_MOST_BODY_BYTES = 1 << 16

#: UnicodeError: of a name that no resolver takes, such as a proxy's.
Broken = (OSError, HTTPException, UnicodeError)


class Wire:
    """A connection to one host, made when it is needed and kept between requests."""

    def __init__(self, url: str, context: ssl.SSLContext, timeout: float) -> None:
        parts = urlsplit(url)
        self._host, self._secure = parts.netloc, parts.scheme == "https"
        self._context, self._timeout = context, timeout
        self._connection: HTTPConnection | None = None
        self._proxy: dict[str, str] | None = None  # headers for a proxy that relays plain HTTP
        self._url, self._chunked = url, False
        self._early: Answer | None = None

    def fits(self, url: str) -> bool:
        parts = urlsplit(url)
        return (parts.netloc, parts.scheme == "https") == (self._host, self._secure)

    def begin(
        self, method: str, url: str, headers: Mapping[str, str], length: int | None, *, expect: bool = False
    ) -> None:
        """Sends the head of a request. ``length`` None: the body ends when `finish` says so. ``expect`` asks for a
        "100 Continue", see `taken`. Raises what `Broken` names."""
        fresh = self._connection is None
        try:
            self._begin(method, url, headers, length, expect)
        except Broken:
            self.close()
            if fresh:
                raise
            self._begin(method, url, headers, length, expect)  # a kept connection may have ended meanwhile

    def _begin(
        self, method: str, url: str, headers: Mapping[str, str], length: int | None, expect: bool
    ) -> None:
        if self._connection is None:
            self._connection = self._connect(url)
        connection = self._connection
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self._proxy is not None:
            path = f"http://{parts.netloc}{path}"
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {"User-Agent": USER_AGENT, **headers, **(self._proxy or {})}.items():
            connection.putheader(name, value)
        self._url, self._chunked = url, length is None
        if length is None:
            connection.putheader("Transfer-Encoding", "chunked")
        else:
            connection.putheader("Content-Length", str(length))
        if expect:
            connection.putheader("Expect", "100-continue")
        connection.endheaders()
        self._early = None

    def _connect(self, url: str) -> HTTPConnection:
        proxy = _proxy_for(url)
        host, port, headers = proxy or (self._host, None, {})
        connection: HTTPConnection
        if self._secure:
            connection = HTTPSConnection(host, port, timeout=self._timeout, context=self._context)
            if proxy is not None:
                connection.set_tunnel(self._host, headers=headers)
        else:
            connection = HTTPConnection(host, port, timeout=self._timeout)
            self._proxy = headers if proxy is not None else None
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        return connection

    def taken(self, wait_s: float) -> bool:
        """Whether the server has taken the request up and waits for its body; see `refused` otherwise.
        Raises OSError or HTTPException when the connection ended."""
        stream = self._socket()
        waiting = isinstance(stream, ssl.SSLSocket) and stream.pending()
        if not waiting and not select.select([stream], [], [], wait_s)[0]:
            return False
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < 1 << 16:
            byte = stream.recv(1)
            if not byte:
                raise ConnectionResetError("the connection was closed")
            head += byte
        first, _, rest = head.partition(b"\r\n")
        words = first.split()
        if len(words) < 2 or not words[1].isdigit():
            raise HTTPException("no HTTP answer")
        if words[1] == b"100":
            return True
        # an answer before any byte of the body: a refusal. Its text is read as far as it is there
        fields = parse_headers(io.BytesIO(rest))
        body = b""
        length = fields.get("content-length", "")
        with contextlib.suppress(OSError):
            most = min(int(length), _MOST_BODY_BYTES) if re.fullmatch(r"[0-9]{1,18}", length) else 0
            while len(body) < most:
                block = stream.recv(most - len(body))
                if not block:
                    break
                body += block
        self._early = Answer(int(words[1]), _lower(fields), body, self._url)
        return False

    @property
    def refused(self) -> Answer | None:
        """The answer that came before the body, if one did."""
        return self._early

    def send(self, piece: bytes) -> None:
        if self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self._socket().sendall(piece)

    def finish(self) -> Answer:
        """Ends the body and reads the answer."""
        if self._early is not None:
            answer = self._early
            self.close()
            return answer
        assert self._connection is not None
        if self._chunked:
            self._socket().sendall(b"0\r\n\r\n")
        return self._read()

    def _read(self) -> Answer:
        assert self._connection is not None
        response = self._connection.getresponse()
        body = response.read(_MOST_BODY_BYTES)
        answer = Answer(response.status, _lower(response.headers), body, self._url)
        if response.will_close or not response.isclosed():
            self.close()
        return answer

    def last_words(self) -> Answer | None:
        """After sending failed: the refusal that the server may have sent before it closed."""
        try:
            self._socket().settimeout(2)
            return self._read()
        except Broken:
            return None
        finally:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _socket(self) -> socket.socket:
        if self._connection is None or self._connection.sock is None:
            raise ConnectionResetError("the connection was closed")
        stream: socket.socket = self._connection.sock
        return stream


def _proxy_for(url: str) -> tuple[str, int, dict[str, str]] | None:
    """Host and port of the proxy that the environment names for a URL, as `requests` finds it, and headers for it."""
    from requests.auth import _basic_auth_str
    from requests.utils import get_auth_from_url, get_environ_proxies, prepend_scheme_if_needed, select_proxy

    named = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not named:
        return None
    proxy = prepend_scheme_if_needed(named, "http")
    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise RegistryError(
            f"layers cannot be sent through a {parts.scheme or 'nameless'} proxy",
            "name one that is reached over http:// in HTTPS_PROXY",
        )
    user, password = get_auth_from_url(proxy)
    headers = {"Proxy-Authorization": _basic_auth_str(user, password)} if user else {}
    return parts.hostname, parts.port or 80, headers


def _lower(fields: HTTPMessage) -> dict[str, str]:
    """A header that comes twice is one with commas, as `requests` has it."""
    return {name.lower(): ", ".join(fields.get_all(name, ())) for name in fields}
