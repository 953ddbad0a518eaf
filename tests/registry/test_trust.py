"""Whom `imgopt push` trusts, and who is told the credentials."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import registries
from certificates import TokenService, self_signed, token_service
from handmade_server import serving
from push_command import Command
from registries import PASSWORD, USER, Registry

Release = Callable[..., Path]
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def with_tls(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registries.registry(tmp_path_factory.mktemp("with-tls"), tls=pair) as running:
        yield running


def test_a_self_signed_certificate(
    release: Release, imgopt: Command, with_tls: Registry, pair: tuple[Path, Path]
) -> None:
    arguments = (
        "push",
        str(release(1, size=2_000_000)),
        f"{with_tls.name}/shop/api:1",
        "--chunk-size",
        "500kB",
    )
    run = imgopt(*arguments)
    assert run.code == 3 and "is not trusted: self" in run.err and "REQUESTS_CA_BUNDLE" in run.err
    assert imgopt(*arguments, "--insecure").code == 0
    imgopt.environment["REQUESTS_CA_BUNDLE"] = str(pair[0])
    imgopt.forget()
    run = imgopt(*arguments[:2], f"{with_tls.name}/shop/other:1", *arguments[3:], "--format", "json")
    assert run.code == 0, run.err
    assert run.push["sent_bytes"] > 2_000_000  # type: ignore[operator]


def test_certs_d(release: Release, imgopt: Command, with_tls: Registry, pair: tuple[Path, Path]) -> None:
    place = imgopt.home / ".config" / "containers" / "certs.d" / with_tls.name
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(pair[0].read_bytes())
    run = imgopt("push", str(release(1)), f"{with_tls.name}/shop/certs:1")
    assert run.code == 0, run.err
    (place / "ca.crt").write_text("no certificate")
    run = imgopt("push", str(release(1)), f"{with_tls.name}/shop/certs:1")
    assert run.code == 2 and "ca.crt: this certificate cannot be used" in run.err


@pytest.fixture
def by_token(pair: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[Registry, TokenService]]:
    with token_service(*pair, f"Basic {BASIC}") as service:
        token = {
            "realm": service.url,
            "service": "registry",
            "issuer": "tests",
            "rootcertbundle": str(pair[0]),
        }
        with registries.registry(tmp_path / "by-token", auth={"token": token}) as running:
            yield running, service


@pytest.mark.parametrize(
    "entry", [{"auth": BASIC}, {"identitytoken": "r3fresh"}], ids=["password", "identity"]
)
def test_tokens(
    entry: dict[str, str], release: Release, imgopt: Command, by_token: tuple[Registry, TokenService]
) -> None:
    registry, service = by_token
    imgopt.login(auths={registry.name: entry})
    assert imgopt("push", str(release(1)), f"{registry.name}/shop/base:1").code == 0
    run = imgopt(
        "push",
        str(release(2)),
        f"{registry.name}/shop/api:2",
        "--mount-from",
        "shop/base",
        "--format",
        "json",
    )
    assert run.code == 0, run.err
    assert [layer["how"] for layer in run.push["layers"]] == ["mounted", "mounted", "sent"]  # type: ignore[index, attr-defined]
    scopes = {scope for values, _ in service.asked for value in values["scope"] for scope in value.split()}
    assert {"repository:shop/api:pull,push", "repository:shop/base:pull"} <= scopes


def test_a_token_ends_in_the_middle(
    release: Release, imgopt: Command, by_token: tuple[Registry, TokenService]
) -> None:
    registry, service = by_token
    service.lifetime_s = 0
    imgopt.login(auths={registry.name: {"auth": BASIC}})
    run = imgopt(
        "push", str(release(1, size=1_500_000)), f"{registry.name}/shop/api:1", "--chunk-size", "500kB"
    )
    assert run.code == 0, run.err
    assert len(service.asked) > 10


def test_no_token(release: Release, imgopt: Command, by_token: tuple[Registry, TokenService]) -> None:
    registry, _ = by_token
    run = imgopt("push", str(release(1)), f"{registry.name}/shop/api:1")
    assert run.code == 3 and "wants a login (who is that)" in run.err


@pytest.fixture
def told() -> Iterator[dict[str, Any]]:
    """A server that is not what it seems: it asks for Basic, or names a realm elsewhere, or redirects. Made by hand:
    the real registry does none of it with its files on disk. ``headers``: of every request, by the Host asked."""
    state: dict[str, Any] = {"headers": [], "challenge": None, "redirect": None}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state["headers"].append((self.headers["Host"], self.path, self.headers.get("Authorization")))
            known = self.headers.get("Authorization")
            if self.path.startswith("/token"):
                self._send(200, {}, b'{"token": "t0ken"}')
            elif state["challenge"] and not known:
                self._send(401, {"WWW-Authenticate": state["challenge"]}, b"{}")
            elif state["redirect"] and "/v2/shop" in self.path:
                self._send(307, {"Location": state["redirect"] + self.path}, b"")
            else:
                self._send(404 if "/v2/shop" in self.path or "/elsewhere" in self.path else 200, {}, b"{}")

        do_HEAD = do_POST = do_GET

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    with serving(Handler) as server:
        state["port"] = server.server_port
        yield state


def test_a_redirect_carries_no_credentials(release: Release, imgopt: Command, told: dict[str, Any]) -> None:
    name = f"127.0.0.1:{told['port']}"
    imgopt.login(auths={name: {"auth": BASIC}})
    (imgopt.home / ".netrc").write_text(f"machine localhost login {USER} password {PASSWORD}\n")
    told |= {"challenge": "Basic realm=x", "redirect": f"http://localhost:{told['port']}/elsewhere"}
    assert imgopt("push", str(release(1)), f"{name}/shop/api:1", "--tries", "1").code == 3
    elsewhere = [known for host, _, known in told["headers"] if host.startswith("localhost")]
    assert elsewhere and set(elsewhere) == {None}
    assert f"Basic {BASIC}" in {known for host, _, known in told["headers"] if host == name}


@pytest.mark.parametrize(("realm", "known"), [("127.0.0.1", True), ("localhost", False)])
def test_a_realm_elsewhere_over_plain_http_gets_no_credentials(
    realm: str, known: bool, release: Release, imgopt: Command, told: dict[str, Any]
) -> None:
    name = f"127.0.0.1:{told['port']}"
    imgopt.login(auths={name: {"auth": BASIC}})
    told["challenge"] = f'Bearer realm="http://{realm}:{told["port"]}/token",service="x"'
    imgopt("push", str(release(1)), f"{name}/shop/api:1", "--tries", "1")
    asked = {header for _, path, header in told["headers"] if path.startswith("/token")}
    assert asked == {f"Basic {BASIC}" if known else None}


def test_plain_http_has_to_be_asked_for(
    release: Release, imgopt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is not this machine's by its looks: nothing is sent without TLS."""
    from imgopt.registry.client import Access, Client
    from imgopt.registry.target import parse_target

    tried: list[str] = []

    def request(self: Client, method: str, place: str, **_: object) -> None:
        tried.append(self.authority.base)
        raise ConnectionError

    monkeypatch.setenv("DOCKER_CONFIG", str(imgopt.home))
    monkeypatch.setattr(Client, "request", request)
    for access in (Access(), Access(plain_http=True)):
        with pytest.raises(ConnectionError):
            Client(parse_target("harbor.corp:8080/shop/api"), access).connect()
    assert tried == ["https://harbor.corp:8080", "http://harbor.corp:8080"]


def test_docker_hub_s_names(imgopt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgopt.registry.credentials import credentials_for
    from imgopt.registry.target import parse_target

    target = parse_target("alpine:3")
    assert (target.name, target.host, target.repository) == (
        "docker.io",
        "registry-1.docker.io",
        "library/alpine",
    )
    assert parse_target("docker.io/shop/api").repository == "shop/api"
    imgopt.login(auths={"https://index.docker.io/v1/": {"auth": BASIC}})
    monkeypatch.setenv("DOCKER_CONFIG", str(imgopt.home / "docker"))
    found = credentials_for(target)
    assert found is not None and found.basic() == f"Basic {BASIC}"
    assert PASSWORD not in repr(found) and json.dumps(str(found)).find(USER) < 0
