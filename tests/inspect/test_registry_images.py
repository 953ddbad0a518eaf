"""Images in a registry: sizes from the manifest alone, layers only when they are asked for, and registries that err."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Imgopt
from image_archives import Layout, packed, tar_of
from image_samples import docker_archive, layer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "registry"))

import registries
from certificates import self_signed

LAYERS = [
    layer({"usr": None, "usr/data": bytes(range(256)) * 4000}),
    layer({"usr": None, "usr/data": bytes(range(255, -1, -1)) * 3000, "a/b": b"b"}),
]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Registry]:
    reason = registries.missing()
    if reason:
        pytest.skip(reason)
    with registries.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def layout(registry: registries.Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image in the registry as shop/api:7, pushed by skopeo, and the same blobs as an OCI layout."""
    directory = tmp_path_factory.mktemp("image")
    archive = docker_archive(directory / "image.tar", LAYERS, User="1000")
    copy = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
    subprocess.run([*copy, f"docker-archive:{archive}", f"oci:{directory / 'oci'}:7"], check=True)
    subprocess.run([*copy, f"oci:{directory / 'oci'}:7", f"docker://{registry.name}/shop/api:7"], check=True)
    return directory / "oci"


@pytest.fixture
def proxy(
    registry: registries.Registry, layout: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[registries.Proxy]:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr("imgopt.registry.client._FIRST_PAUSE_S", 0.01)
    with registries.proxy(registry.port) as relay:
        yield relay


def gets_of_blobs(proxy: registries.Proxy) -> int:
    return sum(each.method == "GET" and "/blobs/" in each.path for each in proxy.seen)


def test_a_size_needs_the_manifest_only(imgopt: Imgopt, proxy: registries.Proxy, layout: Path) -> None:
    run = imgopt("inspect", f"registry:{proxy.name}/shop/api:7", "--format", "json")
    assert (run.code, run.err) == (0, "")
    image = run.json["image"]
    here = imgopt("inspect", layout, "--format", "json").json["image"]
    assert image["compressed_bytes"] == here["compressed_bytes"] and image["id"] == here["id"]
    assert [each["digest"] for each in image["layers"]] == [each["digest"] for each in here["layers"]]
    assert image["uncompressed_bytes"] is None and image["contents"] is None
    assert gets_of_blobs(proxy) == 1  # the config
    assert "--contents downloads the layers" in imgopt("inspect", f"registry:{proxy.name}/shop/api:7").text


def test_its_contents_are_those_of_the_layout(imgopt: Imgopt, proxy: registries.Proxy, layout: Path) -> None:
    image = imgopt("inspect", f"{proxy.name}/shop/api:7", "--contents", "--format", "json").json["image"]
    here = imgopt("inspect", layout, "--format", "json").json["image"]
    assert any("read from the registry: no Docker daemon answers" in each for each in image["notes"])
    for each in ("uncompressed_bytes", "contents", "layers"):
        assert image[each] == here[each]
    assert gets_of_blobs(proxy) == 1 + len(LAYERS)


def test_what_the_error_of_a_certificate_offers_is_there(
    imgopt: Imgopt, layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    copy = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
    with registries.registry(tmp_path, tls=self_signed(tmp_path)) as running:
        target = f"{running.name}/shop/api:7"
        subprocess.run([*copy, f"oci:{layout}:7", f"docker://{target}"], check=True)
        for command in (["inspect", target], ["gate", target, "--max-size", "1GB"]):
            run = imgopt(*command)
            assert run.code == 3 and "give --insecure" in run.err
            assert imgopt(*command, "--insecure").code == 0


def test_a_layer_that_is_cut_is_continued(
    imgopt: Imgopt, registry: registries.Registry, layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that closes the connection after 5000 bytes of each answer's body: ranges go on from there."""
    monkeypatch.setattr("imgopt.registry.client._FIRST_PAUSE_S", 0.01)
    with _server(_cutting(registry.port)) as (name, asked):
        run = imgopt("inspect", f"registry:{name}/shop/api:7", "--contents", "--format", "json")
    assert (run.code, run.err) == (0, "")
    here = imgopt("inspect", layout, "--format", "json").json["image"]
    assert run.json["image"]["contents"] == here["contents"]
    assert any(each.get("Range", "").startswith("bytes=") for each in asked)


def test_the_gate_downloads_only_for_what_needs_it(imgopt: Imgopt, proxy: registries.Proxy) -> None:
    target = f"registry:{proxy.name}/shop/api:7"
    assert (
        imgopt("gate", target, "--max-size", "10MB", "--max-layer", "10MB", "--forbid", "root-user").code == 0
    )
    assert gets_of_blobs(proxy) == 1
    run = imgopt("gate", target, "--max-size", "1kB", "--max-waste", "1kB", "--format", "json")
    assert run.code == 1 and gets_of_blobs(proxy) == 2 + len(LAYERS)
    (found,) = run.json["targets"]
    assert found["name"] == f"{proxy.name}/shop/api" and found["wasted_bytes"] == 256 * 4000


def test_the_platform_of_an_index(
    imgopt: Imgopt, proxy: registries.Proxy, registry: registries.Registry, layout: Path, tmp_path: Path
) -> None:
    """An index of two platforms, one inside another index."""
    manifest = json.loads((layout / "index.json").read_text())["manifests"][0]
    data = (layout / "blobs/sha256" / manifest["digest"][7:]).read_bytes()
    kind = "application/vnd.oci.image.manifest.v1+json"
    index = "application/vnd.oci.image.index.v1+json"
    inner = _put(registry, "arm", data, kind)
    entry = {"mediaType": kind, "digest": inner, "size": len(data)}
    nested = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": index,
            "manifests": [{**entry, "platform": {"os": "linux", "architecture": "arm64"}}],
        }
    ).encode()
    nested_digest = _put(registry, "nested", nested, index)
    other = {**entry, "platform": {"os": "linux", "architecture": "s390x"}}
    outer = {
        "schemaVersion": 2,
        "mediaType": index,
        "manifests": [other, {"mediaType": index, "digest": nested_digest, "size": len(nested)}],
    }
    _put(registry, "many", json.dumps(outer).encode(), index)
    run = imgopt(
        "inspect", f"registry:{proxy.name}/shop/api:many", "--platform", "linux/arm64", "--format", "json"
    )
    assert run.code == 0 and run.json["image"]["compressed_bytes"]
    missing = imgopt("inspect", f"registry:{proxy.name}/shop/api:many", "--platform", "linux/ppc64le")
    assert missing.code == 3 and "no image for linux/ppc64le" in missing.err and "linux/arm64" in missing.err


def _put(registry: registries.Registry, tag: str, data: bytes, kind: str) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", registry.port)
    connection.request("PUT", f"/v2/shop/api/manifests/{tag}", data, {"Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    return str(answer.headers["Docker-Content-Digest"])


TROUBLES = [
    (registries.Trouble("GET", "/manifests/", None, 404), "has no shop/api:7"),
    (registries.Trouble("GET", "/manifests/", None, 403), "shop/api"),
    (
        registries.Trouble(
            "GET", "/manifests/", None, 200, {"Content-Type": "text/html"}, b"<html>log in</html>"
        ),
        "",
    ),
    (registries.Trouble("GET", "/manifests/", None, 200, {}, b'{"schemaVersion": 2, "layers": 5}'), ""),
    (
        registries.Trouble("GET", "/blobs/", None, 200, {}, b'{"not": "the config"}'),
        "it is cut short; push the image again",
    ),
    (registries.Trouble("GET", "/blobs/", None, 500, {}, skip=1), "answers 500 to a layer; try again later"),
    (registries.Trouble("GET", "/blobs/", None, 404, {}, skip=1), "answers 404"),
]


@pytest.mark.parametrize(("trouble", "says"), TROUBLES, ids=range(len(TROUBLES)))
def test_what_is_wrong_is_one_sentence_and_exit_3(
    imgopt: Imgopt,
    proxy: registries.Proxy,
    trouble: registries.Trouble,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imgopt.registry.client._LONGEST_PAUSE_S", 0.02)
    proxy.troubles.append(trouble)
    run = imgopt("gate", f"registry:{proxy.name}/shop/api:7", "--max-waste", "1MB")
    assert run.code == 3 and says in run.err and run.err.startswith("error: ") and run.err.count("\n") == 1
    assert "Traceback" not in run.err and "the gate fails" in run.text


def test_a_registry_that_is_busy_for_a_while(
    imgopt: Imgopt, proxy: registries.Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgopt.registry.client._LONGEST_PAUSE_S", 0.02)
    proxy.troubles.append(registries.Trouble("GET", "/blobs/", 2, 503, {}, skip=1))
    proxy.troubles.append(registries.Trouble("GET", "/manifests/", 1, 429, {"Retry-After": "0"}))
    run = imgopt("gate", f"registry:{proxy.name}/shop/api:7", "--max-waste", "2MB")
    assert (run.code, run.err) == (0, "")


def test_a_token_challenge_from_elsewhere_gets_no_password(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def challenge(handler: http.server.BaseHTTPRequestHandler) -> None:
        realm = f'Bearer realm="http://localhost:{elsewhere.rpartition(":")[2]}/token",service="x"'
        _send(
            handler,
            401,
            {"WWW-Authenticate": realm, "Docker-Distribution-Api-Version": "registry/2.0"},
            b"{}",
        )

    def token(handler: http.server.BaseHTTPRequestHandler) -> None:
        _send(handler, 200, {}, b'{"token": "caught"}')

    with _server(token) as (elsewhere, told), _server(challenge) as (name, _):
        login = {"auths": {name: {"auth": "ZGVwbG95ZXI6cGE1NS1zM2NyZXQ="}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        run = imgopt("gate", f"registry:{name}/shop/api:7", "--max-size", "1GB")
    assert run.code == 3 and run.err.count("\n") == 1 and "pa55" not in run.err
    assert not any("Authorization" in each for each in told)


def test_a_redirect_to_another_host_gets_no_credentials(
    imgopt: Imgopt,
    registry: registries.Registry,
    layout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Layers that lie elsewhere, as Docker Hub's do: the other host serves them and is told no password."""
    with (
        _server(_blobs(layout)) as (elsewhere, told),
        _server(_redirecting(registry.port, elsewhere)) as (name, asked),
    ):
        login = {"auths": {name: {"auth": "ZGVwbG95ZXI6cGE1NS1zM2NyZXQ="}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        run = imgopt("inspect", f"registry:{name}/shop/api:7", "--contents", "--format", "json")
    assert (run.code, run.err) == (0, "") and run.json["image"]["contents"]["wasted_bytes"] == 256 * 4000
    assert any(each.get("Authorization", "").startswith("Basic ") for each in asked)
    assert len(told) >= len(LAYERS) and not any("Authorization" in each for each in told)


class _server:
    """An HTTP server for a test: its name, and the headers of what it was asked."""

    def __init__(self, answer: object) -> None:
        asked: list[dict[str, str]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append(dict(self.headers.items()))
                answer(self)  # type: ignore[operator]

            def log_message(self, *_: object) -> None:
                pass

        self.asked = asked
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> tuple[str, list[dict[str, str]]]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self.server.server_address[1]}", self.asked

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _relayed(handler: http.server.BaseHTTPRequestHandler, port: int) -> tuple[int, dict[str, str], bytes]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    kept = {key: value for key, value in handler.headers.items() if key in ("Accept", "Range")}
    connection.request("GET", handler.path, headers=kept)
    answer = connection.getresponse()
    wanted = ("Content-Type", "Docker-Distribution-Api-Version", "Content-Range")
    return answer.status, {key: answer.headers[key] for key in wanted if key in answer.headers}, answer.read()


def _send(
    handler: http.server.BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    handler.send_response(status)
    for key, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(body)


def _cutting(port: int) -> object:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        status, headers, body = _relayed(handler, port)
        handler.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(key, value)
        handler.end_headers()
        cut = "/blobs/" in handler.path and len(body) > 1500
        handler.wfile.write(body[:1500] if cut else body)
        handler.close_connection = cut

    return answer


def _redirecting(port: int, elsewhere: str) -> object:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if not handler.headers.get("Authorization"):
            challenge = {
                "WWW-Authenticate": 'Basic realm="tests"',
                "Docker-Distribution-Api-Version": "registry/2.0",
            }
            _send(handler, 401, challenge, b"{}")
        elif "/blobs/" in handler.path:
            _send(handler, 307, {"Location": f"http://{elsewhere}{handler.path}"}, b"")
        else:
            _send(handler, *_relayed(handler, port))

    return answer


def _blobs(layout: Path) -> object:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        _send(handler, 200, {}, (layout / "blobs/sha256" / handler.path.rpartition(":")[2]).read_bytes())

    return answer


def test_a_registry_that_sends_a_byte_now_and_then_is_not_waited_for(
    imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No real registry does this: a server of a few lines that never comes to an end."""
    import socket

    from imgopt.registry import client

    monkeypatch.setattr(client, "LONGEST_ANSWER_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

        def drip(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while b"/manifests/" not in (asked := connection.recv(4096)):
                    if not asked.startswith(b"GET /"):
                        return  # TLS, which is tried first
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    connection.sendall(b" ")
                    time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        run = imgopt("gate", f"registry:127.0.0.1:{server.getsockname()[1]}/shop/api:7", "--max-size", "1MB")
    assert run.code == 3 and "has no end after 1 s" in run.err


def test_the_gate_judges_every_platform_of_an_index(
    imgopt: Imgopt, proxy: registries.Proxy, registry: registries.Registry, tmp_path: Path
) -> None:
    images = Layout()
    common, other = tar_of({"base": bytes(range(256)) * 4000}), tar_of({"usr/bin/javac": b"\x7fELF\0" * 900})
    images.top = [images.index([images.image([common], "amd64"), images.image([common, other], "arm64")])]
    source = images.write(tmp_path / "several")
    copied = f"docker://{registry.name}/shop/several:1"
    subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            "--all",
            "--dest-tls-verify=false",
            f"oci:{source}",
            copied,
        ],
        check=True,
    )
    target = f"registry:{proxy.name}/shop/several:1"
    run = imgopt("gate", target, "--forbid", "jdk", "--max-first-push", "9MB", "--format", "json")
    assert run.code == 1, run.text
    found = {each["platform"]: each["budgets"] for each in run.json["targets"]}
    assert list(found) == ["linux/amd64", "linux/arm64"]
    assert [each[1]["passed"] for each in found.values()] == [True, False]
    assert {each[0]["actual"] for each in found.values()} == {len(packed(common)) + len(packed(other))}
    narrowed = imgopt("gate", target, "--forbid", "jdk", "--platform", "linux/amd64")
    assert narrowed.code == 0
