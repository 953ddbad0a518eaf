"""A daemon's image over TLS: the daemon's own CA counts, not the one that this machine uses for the web."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import image_archives
import pytest

from imgopt.errors import MeasureError
from imgopt.sources import open_image

IMAGE = image_archives.docker_archive({"a/layer.tar": b""}, [b""])


class Daemon(BaseHTTPRequestHandler):
    """As much of the Engine's API as `docker save` asks for."""

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            data = json.dumps({"ApiVersion": "1.44", "MinAPIVersion": "1.24"}).encode()
        else:
            data = IMAGE if self.path.endswith("/get") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its certificates as DOCKER_CERT_PATH has them; `web.pem` is another CA."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    for key, certificate in (("key.pem", "ca.pem"), ("web-key.pem", "web.pem")):
        made = [*command, "-keyout", str(tmp_path / key), "-out", str(tmp_path / certificate)]
        subprocess.run(made, check=True, capture_output=True)
    (tmp_path / "cert.pem").write_bytes((tmp_path / "ca.pem").read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_the_ca_of_the_web_does_not_displace_the_daemon_s(
    daemon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(daemon / "web.pem"))
    with open_image("docker:shop/api:7") as opened:
        assert len(opened.image.layers) == 1


def test_a_daemon_of_another_ca_is_not_trusted(daemon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (daemon / "ca.pem").write_bytes((daemon / "web.pem").read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(daemon / "cert.pem"))
    with (
        pytest.raises(
            MeasureError, match=r"at tcp://127.0.0.1:\d+ cannot be trusted over TLS.*DOCKER_CERT_PATH"
        ),
        open_image("docker:shop/api:7"),
    ):
        pass
