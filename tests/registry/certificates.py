"""A self-signed certificate for 127.0.0.1, and tokens signed with its key, as the distribution registry checks them."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handmade_server import serving


def self_signed(directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "tls.crt", directory / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@dataclass
class TokenService:
    """``asked``: each question: its query or form, and its Authorization header."""

    url: str
    lifetime_s: int = 60
    asked: list[tuple[dict[str, list[str]], str | None]] = field(default_factory=list)


@contextmanager
def token_service(certificate: Path, key: Path, authorization: str) -> Iterator[TokenService]:
    """Gives tokens to whoever has this Authorization header or the refresh token "r3fresh"; to others 401."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(
                parse_qs(urlsplit(self.path).query), self.headers.get("Authorization") == authorization
            )

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer(form, form.get("refresh_token") == ["r3fresh"])

        def _answer(self, values: dict[str, list[str]], known: bool) -> None:
            service.asked.append((values, self.headers.get("Authorization")))
            scopes = [scope for value in values.get("scope", []) for scope in value.split()]
            answer: dict[str, Any] = {"errors": [{"code": "UNAUTHORIZED", "message": "who is that"}]}
            if known:
                answer = {"token": _token(certificate, key, scopes), "expires_in": service.lifetime_s}
            data = json.dumps(answer).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None: ...

    with serving(Handler) as server:
        service = TokenService(f"http://127.0.0.1:{server.server_port}/token")
        yield service


def _token(certificate: Path, key: Path, scopes: list[str]) -> str:
    der = "".join(line for line in certificate.read_text().splitlines() if "-----" not in line)
    now = int(time.time())
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    claims = {"iss": "tests", "aud": "registry", "sub": "deployer", "jti": str(now), "access": access}
    claims |= {"iat": now - 5, "nbf": now - 5, "exp": now + 600}
    signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
    return f"{signed}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
