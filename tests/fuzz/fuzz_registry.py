"""Fuzzes what a registry answers: statuses, headers and bodies of all that a pull and a push ask, one after the other.

    python tests/fuzz/fuzz_registry.py --seconds 3600

An input is a row of answers, as on the wire. Nothing is sent: the answers stand where the connection would be, since no real
registry says such things. How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import fuzzing
import texts

_HASH = b"sha256:" + b"a" * 64
_BREAK = b"\n%%\n"
_LINES = (
    *(b"200", b"202", b"201", b"401", b"404", b"307", b"429", b"500", b"%%", b"", b"{}", b"[]", b"null", b'{"tags": ["1", "2"]}'),
    *(b"Location: /v2/shop/api/blobs/uploads/1?_state=x", b"Location: http://h\xc3\xb6he/1", b"Range: 0-99", b"Range: 0-" + b"9" * 5000),
    *(b'WWW-Authenticate: Bearer realm="http://127.0.0.1:5000/token",service="x"', b"WWW-Authenticate: Basic realm=x", b"Retry-After: 1"),
    *(b'Link: </v2/shop/api/tags/list?n=2>; rel="next"', b"Content-Length: " + b"9" * 5000, b"Content-Type: text/html", b"Content-Encoding: gzip"),
    *(b'{"token": "a", "expires_in": ' + b"9" * 401 + b"}", b'{"token": "\xe6\x97\xa5"}', b'{"token": "\\ud800"}', b"OCI-Chunk-Min-Length: 9"),
    b'{"schemaVersion": 2, "config": {"mediaType": "x", "digest": "' + _HASH + b'", "size": 2}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "' + _HASH + b'", "size": 20}]}',
    b'{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "' + _HASH + b'", "size": 2, "platform": {"os": "linux", "architecture": "amd64"}}]}',
    *(b'{"errors": [{"code": "DENIED", "message": "no"}]}', b"Content-Type: application/vnd.oci.image.index.v1+json", b"Docker-Content-Digest: x"),
)  # fmt: skip
_SIGNS = (b"\n", b": ", b"%%\n", b'"', b"{", b"}", b"[", b"]", b",", b"\0", b"\xff", b"\\u", b"<", b">", b"=", b"9" * 30, b"-", b"1e999", b"null", b" ", b"\r")  # fmt: skip
_NESTED = ((b"[", b"]"), (b'{"a":', b"}"), (b'"', b'"'), (b"<", b">"), (b"\\", b""), (b'a="', b'",'))


def seeds() -> Iterator[bytes]:
    for at in range(0, len(_LINES), 3):
        yield _BREAK.join(b"%d\n%b\n\n%b" % (200 + at % 3, line, line) for line in _LINES[at : at + 6])
    for line in _LINES:
        yield (
            _BREAK.join((b"200\n\n{}", b"200\n" + line + b"\n\n" + line, b"202\n" + line + b"\n\n{}"))
            + _BREAK
        )


def load() -> fuzzing.Target:
    import requests
    import urllib3

    from imgopt.errors import ImgoptError
    from imgopt.registry.client import Access, Client
    from imgopt.registry.target import parse_target
    from imgopt.sources.remote import open_remote

    answers: list[bytes] = []

    def answer(_: requests.Session, method: str, url: str, **__: Any) -> requests.Response:
        head, _blank, body = (answers.pop(0) if answers else b"404\n\n").partition(b"\n\n")
        first, *lines = head.decode("latin-1").split("\n")
        pairs = [line.partition(": ")[::2] for line in lines if ": " in line]
        status = int(first) if first.isascii() and first.isdigit() and len(first) == 3 else 404
        if method == "HEAD" or status < 200:
            status, body = max(status, 200), b""
        raw = urllib3.HTTPResponse(
            io.BytesIO(body), dict(pairs), status, preload_content=False, request_method=method
        )
        response = requests.Response()
        response.status_code, response.raw, response.url = status, raw, url
        response.headers.update(dict(pairs))
        return response

    context = ssl.create_default_context()  # nobody is spoken to: one is enough
    target = parse_target("127.0.0.1:5000/shop/api:1")
    access = Access(tries=2)

    def check(data: bytes) -> None:
        for ask in (_reads, _writes):
            answers[:] = data.split(_BREAK)[:50]
            try:
                with (
                    patch.object(requests.Session, "request", answer),
                    patch.object(Client, "pause", lambda *_: None),
                    patch("imgopt.registry.client.tls_context", lambda *_, **__: context),
                ):
                    ask()
            except ImgoptError as error:
                assert error.exit_code in (2, 3), error
                assert len(str(error)) < 5000

    def _reads() -> None:
        with open_remote("127.0.0.1:5000/shop/api:1", access=access) as opened:
            opened.open_blob(0).read(1 << 16)

    def _writes() -> None:
        client = Client(target, access, lambda _: None)
        client.connect()
        client.tags("shop/api")
        client.manifest("shop/api", "1")
        client.blob_size("shop/api", _HASH.decode())
        client.mount("shop/api", _HASH.decode(), "a")
        place = client.start_upload("shop/api")
        client.cancel_upload("shop/api", place)

    return fuzzing.Target("registry", check, seeds, texts.mutator(_LINES, _SIGNS, _NESTED), 100_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
