"""A Docker daemon over TLS: the tests' own, behind a port that asks for certificates."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import private_docker
import pytest
from builders import TINY, docker, project, stand_in

from imgopt.engines import BuildRequest, EngineError, open_engine


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a server's and a client's certificate, with the names that Docker uses; `stranger` holds another CA."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes")
    (directory / "stranger").mkdir()
    for ca in ("ca", "stranger/ca"):
        openssl(
            *new, "-x509", "-days", "2", "-subj", "/CN=tests", "-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem"
        )
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
        sign = ("x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial")
        openssl(*sign, "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "names")
    (directory / "client.pem").rename(directory / "cert.pem")
    (directory / "client-key.pem").rename(directory / "key.pem")
    return directory


@pytest.fixture
def port(engine: private_docker.Engine, certificates: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=relay, args=(plain,), daemon=True).start()

        def relay(plain: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(plain, server_side=True) as outer,
                socket.socket(socket.AF_UNIX) as inner,
            ):
                inner.connect(engine.address.removeprefix("unix://"))
                back = threading.Thread(target=pump, args=(inner, outer), daemon=True)
                back.start()
                pump(outer, inner)
                back.join()

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def test_builds_over_tls(
    port: int,
    certificates: Path,
    engine: private_docker.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(engine, TINY)
    plain = docker(engine, buildkit=False)
    before = plain.remains()
    context = project(tmp_path / "app", f"FROM {TINY}\nRUN echo x > /x\n")
    for name, value in {
        "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(certificates),
        "DOCKER_BUILDKIT": "0",
        "REQUESTS_CA_BUNDLE": str(certificates / "stranger" / "ca.pem"),  # a company's, for the web
        "DOCKER_CONFIG": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    with open_engine("docker") as opened:
        built = opened.build(BuildRequest(context, context / "Dockerfile", cache=False), "one")
        opened.open(built).close()
        with pytest.raises(EngineError, match="was stopped after 3 s"):  # the cut goes through TLS, too
            (context / "Dockerfile").write_text(f"FROM {TINY}\nRUN sleep 601\n")
            opened.build(BuildRequest(context, context / "Dockerfile", seconds=3), "one")
    assert plain.remains() == before


def test_a_daemon_that_cannot_be_trusted(
    port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificates / name, certificates / "stranger" / name)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates / "stranger"))
    with pytest.raises(EngineError) as failed:
        open_engine("docker")
    assert str(failed.value) == (
        f"the Docker daemon at tcp://127.0.0.1:{port} (DOCKER_HOST) cannot be trusted over TLS; "
        "see DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
    )
