"""Numbers that are too long, and texts that no header and no terminal can carry: an error of the input, never a bug."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bounds import bounded
from image_archives import Layout, docker_archive, tar_of

sys.path.insert(0, str(Path(__file__).parent / "registry"))
from strangers import Asked, Reply, stranger

LAYER = tar_of({"app/app.jar": b"x"})
LONG = ("9" * 401, "9" * 5000, "1e999", "-1", "1e400", "0.5", "true")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "app.tar"
    path.write_bytes(docker_archive({"1/layer.tar": LAYER}, [LAYER]))
    return path


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize("key", ["compressed_bytes", "uncompressed_bytes"])
def test_a_baseline(key: str, number: str, archive: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    run = bounded("gate", archive, "--baseline", baseline, "--update-baseline", directory=tmp_path)
    assert run.returncode == 0, run.stderr
    text = baseline.read_text()
    for changed in (
        re.sub(rf'"{key}": \d+', f'"{key}": {number}', text, count=1),
        re.sub(r'"parts": {[^}]*}', f'"parts": {{"/app": {number}}}', text),
    ):
        baseline.write_text(changed)
        run = bounded("gate", archive, "--baseline", baseline, directory=tmp_path)
        assert run.returncode == 2, run.stderr
        assert "not a baseline" in run.stderr


@pytest.mark.parametrize("number", LONG)
@pytest.mark.parametrize("place", ["layers", "config"])
def test_sizes_in_a_manifest(place: str, number: str, tmp_path: Path) -> None:
    layout = Layout()
    layout.top.append(layout.image([LAYER]))
    name = next(each for each, data in layout.files.items() if b'"layers"' in data)
    text = layout.files.pop(name).decode()
    head, tail = text.split(f'"{place}"', 1)
    text = f'{head}"{place}"' + re.sub(r'"size": \d+', f'"size": {number}', tail, count=1)
    layout.top[0] |= layout.add(text.encode(), layout.top[0]["mediaType"])
    layout.write(tmp_path / "layout")
    run = bounded("inspect", tmp_path / "layout")
    assert run.returncode == 2, run.stderr[-400:]
    assert "size" in run.stderr


def test_numbers_in_an_index(tmp_path: Path) -> None:
    layout = Layout()
    layout.top.append(layout.image([LAYER]))
    layout.write(tmp_path / "layout")
    index = tmp_path / "layout" / "index.json"
    index.write_text(index.read_text().replace('"schemaVersion": 2', f'"schemaVersion": {"9" * 5000}'))
    assert bounded("inspect", tmp_path / "layout").returncode == 0


@contextlib.contextmanager
def registry(reply: Callable[[Asked], Reply]) -> Iterator[str]:
    with stranger("127.0.0.1") as running:
        running.reply = reply
        yield running.name


def _answers(header: tuple[str, str], token: str = '{"token": "abc"}') -> Callable[[Asked], Reply]:
    """A registry that takes everything, with a login, and has one thing to say that nobody can use."""

    def reply(asked: Asked) -> Reply:
        host = dict(asked.headers).get("Host", "")
        if asked.path.startswith("/token"):
            return 200, {}, token.encode("utf-8", "surrogatepass")
        if not any(name == "Authorization" for name, _ in asked.headers):
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token",service="x"'}, b""
        headers = {"Location": f"/v2/shop/api/blobs/uploads/1?a={len(asked.body)}"}
        status = {"POST": 202, "PATCH": 202, "PUT": 201, "HEAD": 404, "DELETE": 202}.get(asked.method, 404)
        if asked.path == "/v2/":
            return 200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}"
        return status, {**headers, header[0]: header[1], "Connection": "close"}, b""

    return reply


#: As they stand on the wire: headers are latin-1, so a letter beyond ASCII is one byte or more.
HEADERS = [
    ("Location", "/v2/h\u00f6he/1"),
    ("Location", "http://h\u00f6he.example/1"),
    ("Location", "\u00ff\u00fe"),
    ("Location", "http://[::1"),
    ("Location", "//"),
    ("Location", "http://a:99999/"),
    ("Location", "/" + "a" * 60_000),
    ("Range", "0-" + "9" * 5000),
    ("Range", "0-" + "9" * 401),
    ("Content-Length", "9" * 5000),
    ("OCI-Chunk-Min-Length", "9" * 5000),
    ("Retry-After", "9" * 5000),
    ("Docker-Content-Digest", "sha256:" + "\u00e9" * 64),
    ("Link", "<" + "9" * 5000 + '>; rel="next"'),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda pair: f"{pair[0]}-{pair[1][:20]!a}-{len(pair[1])}")
def test_headers_of_a_registry(header: tuple[str, str], archive: Path, tmp_path: Path) -> None:
    with registry(_answers(header)) as name:
        for command in (
            ("push", archive, f"{name}/shop/api:1", "--tries", "2"),
            ("inspect", "--remote", f"{name}/shop/api:1"),
            ("bandwidth", f"{name}/shop/api"),
        ):
            run = bounded(*command, directory=tmp_path, environment=_at_home(tmp_path))
            assert run.returncode in (0, 2, 3), run.stderr[-600:]


TOKENS = [
    *(f'{{"token": "abc", "expires_in": {number}}}' for number in (*LONG, '"x"', "NaN", "null", "[]")),
    '{"token": "\u65e5\u672c"}',
    '{"token": "\\ud800"}',
    '{"token": "a\\nb"}',
    '{"token": {}}',
    '{"token": ' + "9" * 5000 + "}",
    "[" * 100_000,
    "\udcff",
    "",
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda text: f"{text[:40]!a}-{len(text)}")
def test_answers_of_a_token_service(token: str, archive: Path, tmp_path: Path) -> None:
    with registry(_answers(("X", "y"), token)) as name:
        run = bounded(
            *("push", archive, f"{name}/shop/api:1", "--tries", "2"),
            directory=tmp_path,
            environment=_at_home(tmp_path),
        )
        assert run.returncode in (0, 3), run.stderr[-600:]


HELPERS = {
    "a lone surrogate": 'printf \'{"ServerURL": "x", "Username": "\\\\ud800", "Secret": "a"}\'',
    "a surrogate as secret": 'printf \'{"ServerURL": "x", "Username": "a", "Secret": "\\\\udfff"}\'',
    "a surrogate as server": 'printf \'{"ServerURL": "\\\\ud800", "Username": "a", "Secret": "b"}\'',
    "bytes": "printf '\\377\\376'",
    "a number": f"printf '{'9' * 5000}'",
    "numbers": 'printf \'{"ServerURL": 1, "Username": 2, "Secret": 3}\'',
    "nested": "head -c 100000 /dev/zero | tr '\\0' '['",
    "nothing": "true",
    "too much": "yes '{\"Username\": 1}'",
}


@pytest.mark.parametrize("what", HELPERS)
@pytest.mark.parametrize("where", ["config.json", "auth.json"])
def test_a_credential_helper_says(what: str, where: str, archive: Path, tmp_path: Path) -> None:
    run = _with_helper(HELPERS[what], where, archive, tmp_path)
    assert run.returncode in (0, 2, 3), run.stderr[-600:]


def test_a_credential_helper_whose_child_holds_its_output(archive: Path, tmp_path: Path) -> None:
    """What it started lives on, as an agent does: the helper has answered, and that is enough."""
    answer = 'printf \'{"ServerURL": "x", "Username": "a", "Secret": "b"}\''
    run = _with_helper(
        f"sleep 1000 2> /dev/null &\necho $! > {tmp_path}/child\n{answer}", "auth.json", archive, tmp_path
    )
    child = int((tmp_path / "child").read_text())
    try:
        assert run.returncode in (0, 3), run.stderr
        assert "does not answer" not in run.stderr
        os.kill(child, 0)  # it was not taken down with it
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)


def _with_helper(script: str, where: str, archive: Path, root: Path):  # type: ignore[no-untyped-def]
    programs = root / "bin"
    programs.mkdir()
    helper = programs / "docker-credential-odd"
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    helper.chmod(0o755)
    environment = {**_at_home(root), "PATH": f"{programs}:{os.environ['PATH']}"}
    with registry(_answers(("X", "y"))) as name:
        document = {"credHelpers": {name: "odd"}}
        path = root / where
        path.write_text(json.dumps(document))
        if where == "auth.json":
            environment["REGISTRY_AUTH_FILE"] = str(path)
        return bounded(
            *("push", archive, f"{name}/shop/api:1", "--tries", "2"), directory=root, environment=environment
        )


def _at_home(root: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(root / "cache"), "DOCKER_CONFIG": str(root), "HOME": str(root)}


@pytest.mark.parametrize("number", ["9" * 401, "9" * 5000, "inf", "nan", "1e999"])
def test_a_configuration(number: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM eclipse-temurin:21-jre\n")
    (tmp_path / "imgopt.toml").write_text(f"[gate]\nmax-size = {number}\n")
    (tmp_path / "build.gradle").write_text("plugins { id 'java' }\n")
    (tmp_path / "gradle").mkdir()
    (tmp_path / "gradle" / "libs.versions.toml").write_text(f"a = {number}\n[versions]\nb = {number}\n")
    run = bounded("suggest", ".", directory=tmp_path)
    assert run.returncode in (0, 2), run.stderr
