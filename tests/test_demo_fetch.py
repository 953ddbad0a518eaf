"""The demo's download: cut, resumed, wrong, refused. Against a server of the test's own."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

JAR = bytes(range(256)) * 400


class Repository(ThreadingHTTPServer):
    """Serves JAR with ranges; `cuts` answers stop in the middle, `status` refuses all."""

    cuts = 0
    status = 0
    content = JAR
    sent: list[tuple[str | None, int]]


class Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        if self.server.status:
            self.send_error(self.server.status)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        rest = self.server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.cuts:
            self.server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.server.sent.append((wanted, len(rest)))  # before whoever asked has it all, and looks
        self.wfile.write(rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    server = Repository(("127.0.0.1", 0), Handler)
    server.sent = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parent.parent / "fixtures" / "demo" / "fetch.py"
    spec = importlib.util.spec_from_file_location("demo_fetch", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("MAVEN_CENTRAL", f"http://127.0.0.1:{repository.server_port}/maven2/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(JAR).hexdigest())
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return module


def test_it_is_downloaded_once(fetch: ModuleType, repository: Repository, tmp_path: Path) -> None:
    for _ in range(2):
        fetch.fetch(tmp_path / "target" / "app.jar")
        assert (tmp_path / "target" / "app.jar").read_bytes() == JAR
    assert repository.sent == [(None, len(JAR))]


def test_a_cut_download_goes_on_where_it_stopped(
    fetch: ModuleType, repository: Repository, tmp_path: Path
) -> None:
    repository.cuts = 2
    fetch.fetch(tmp_path / "app.jar")
    assert (tmp_path / "app.jar").read_bytes() == JAR
    assert sum(sent for _, sent in repository.sent) == len(JAR)


def test_a_second_run_goes_on_too(fetch: ModuleType, repository: Repository, tmp_path: Path) -> None:
    repository.cuts = fetch.TRIES
    with pytest.raises(fetch.DownloadError, match="broke off"):
        fetch.fetch(tmp_path / "app.jar")
    assert not (tmp_path / "app.jar").exists()
    fetch.fetch(tmp_path / "app.jar")
    assert (tmp_path / "app.jar").read_bytes() == JAR
    assert sum(sent for _, sent in repository.sent) == len(JAR)


def test_another_file_is_never_kept(fetch: ModuleType, repository: Repository, tmp_path: Path) -> None:
    repository.content = b"<html>" + JAR
    with pytest.raises(fetch.DownloadError, match="not the expected file"):
        fetch.fetch(tmp_path / "app.jar")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_longer_part_of_something_else_is_thrown_away(
    fetch: ModuleType, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / Path(fetch.ARTIFACT).with_suffix(".part").name).write_bytes(b"x" * (len(JAR) + 1))
    fetch.fetch(tmp_path / "app.jar")
    assert (tmp_path / "app.jar").read_bytes() == JAR


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 4)])
def test_a_refusal_says_what_to_do(
    status: int,
    tries: int,
    fetch: ModuleType,
    repository: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository.status = status
    with pytest.raises(fetch.DownloadError, match=f"answers {status}.*MAVEN_CENTRAL"):
        fetch.fetch(tmp_path / "app.jar")
    assert capsys.readouterr().err.count("trying again") == tries - 1
