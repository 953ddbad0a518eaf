"""What registries, proxies and networks do wrong: one sentence, exit 3, a retry that works, never a credential.

401 comes from a real registry with htpasswd. The other answers are those of overloaded services and of proxies before a
registry, which the real one never gives; a proxy of the tests gives them.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from image_archives import docker_archive, tar_of
from push_command import Command
from registries import PASSWORD, USER, Proxy, Registry, Trouble, free_port
from test_push import pulled

Release = Callable[..., Path]
HTML = {"Content-Type": "text/html"}


def failed(imgopt: Command, *arguments: str) -> str:
    """The sentence, which is the same in JSON."""
    run = imgopt("push", *arguments, "--tries", "2", "--format", "json")
    assert run.code == 3, run
    sentence = run.err.splitlines()[-1]
    assert sentence == "error: " + json.loads(run.out)["errors"][0]["message"]
    assert PASSWORD not in run.err + run.out
    return sentence


def test_credentials_are_asked_for_and_never_shown(
    release: Release, imgopt: Command, locked: Registry
) -> None:
    target = f"{locked.name}/shop/api:1"
    archive = str(release(1))
    assert f"{locked.name} wants a login" in failed(imgopt, archive, target)
    login(imgopt, locked, USER, "wr0ng-" + PASSWORD)
    assert f"{locked.name} refuses the credentials" in failed(imgopt, archive, target)
    login(imgopt, locked, USER, PASSWORD)
    run = imgopt("push", archive, target, "--debug")
    assert run.code == 0, run.err
    assert PASSWORD not in run.out + run.err


def login(imgopt: Command, registry: Registry, user: str, password: str) -> None:
    import base64

    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    imgopt.login(auths={registry.name: {"auth": auth}})


@pytest.mark.parametrize("how", ["helper", "store", "podman", "podman's helper", "file"])
def test_where_credentials_lie(
    how: str, release: Release, imgopt: Command, locked: Registry, tmp_path: Path
) -> None:
    import base64

    auth = {"auths": {locked.name: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
    if "helper" in how or how == "store":
        programs = tmp_path / "programs"
        programs.mkdir()
        helper = programs / "docker-credential-tests"
        helper.write_text(
            f'#!/bin/sh\ncat >/dev/null\necho \'{{"Username":"{USER}","Secret":"{PASSWORD}"}}\'\n'
        )
        helper.chmod(0o755)
        imgopt.environment["PATH"] += f":{programs}"
        helpers = {"credHelpers": {locked.name: "tests"}}
        if how == "podman's helper":
            (tmp_path / "auth.json").write_text(json.dumps(helpers))
            imgopt.environment["REGISTRY_AUTH_FILE"] = str(tmp_path / "auth.json")
        else:
            imgopt.login(**({"credsStore": "tests"} if how == "store" else helpers))
    elif how == "podman":
        (imgopt.home / "run" / "containers").mkdir(parents=True)
        (imgopt.home / "run" / "containers" / "auth.json").write_text(json.dumps(auth))
    else:
        (tmp_path / "auth.json").write_text(json.dumps(auth))
        imgopt.environment["REGISTRY_AUTH_FILE"] = str(tmp_path / "auth.json")
    run = imgopt(
        "push", str(release(1)), f"{locked.name}/shop/{how.replace(chr(39), '').replace(' ', '-')}:1"
    )
    assert run.code == 0, run.err


def test_a_helper_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for a person, in CI: it ends, with what it started."""
    import time

    from imgopt.registry import credential_helpers
    from imgopt.registry.credentials import credentials_for
    from imgopt.registry.errors import RegistryError
    from imgopt.registry.target import parse_target

    helper = tmp_path / "docker-credential-hangs"
    helper.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/started\nwait\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "hangs"}')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(credential_helpers, "ANSWER_SECONDS", 1.0)
    with pytest.raises(RegistryError, match="does not answer"):
        credentials_for(parse_target("registry.test/shop/api:1"))
    started = (tmp_path / "started").read_text().strip()
    state = Path(f"/proc/{started}/stat")
    end = time.monotonic() + 120  # of the 300 that it would sleep
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() < end, "it runs on"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "text", ['{"auths": ["x"]}', '{"auths": {"HOST": {"auth": 3}}}', '{"credHelpers": 3}']
)
def test_an_auth_json_of_another_form(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgopt.errors import InputError
    from imgopt.registry.credentials import credentials_for
    from imgopt.registry.target import parse_target

    (tmp_path / "auth.json").write_text(text.replace("HOST", "registry.test"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    with pytest.raises(InputError, match="log in again"):
        credentials_for(parse_target("registry.test/shop/api:1"))


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ({"credsStore": "nobody-has-this"}, 3, "credential helper of Docker's config.json is not installed"),
        ({"auths": {"REGISTRY": {"auth": "%%%"}}}, 2, "no readable credentials"),
        ({"auths": {"REGISTRY": "x"}}, 2, "config.json is malformed"),
    ],
)
def test_a_configuration_that_cannot_be_used(
    config: dict[str, object], code: int, message: str, release: Release, imgopt: Command, locked: Registry
) -> None:
    imgopt.login(**json.loads(json.dumps(config).replace("REGISTRY", locked.name)))
    run = imgopt("push", str(release(1)), f"{locked.name}/shop/api:1")
    assert run.code == code and message in run.err and run.err.count("\n") == 1, run.err


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (Trouble("POST", times=None, status=401), "wants a login"),
        (Trouble("POST", times=None, status=403), "does not let anybody without a login push to"),
        (
            Trouble("PATCH", times=None, status=413, headers=HTML, body=b"<h1>413</h1>"),
            "refuses a request as too large",
        ),
        (Trouble("POST", times=None, status=429, headers={"Retry-After": "1"}), "has had too many requests"),
        (Trouble("POST", times=None, status=500), "it answers 500 (said by the proxy)"),
        (Trouble("PUT", "manifests", times=None, status=400), "it answers 400 (said by the proxy)"),
        (
            Trouble("GET", "/v2/", times=None, status=200, headers=HTML, body=b"<p>hi"),
            "answers with a web page",
        ),
        (Trouble("GET", "/v2/", times=None, status=404, headers=HTML, body=b"<p>hi"), "is not a registry"),
        (Trouble("HEAD", times=None, cut_after=0), "cannot connect to"),
        (Trouble("PATCH", times=None, cut_after=100_000), "does not keep the upload"),
    ],
    ids=lambda value: f"{value.method}-{value.status}" if isinstance(value, Trouble) else "",
)
def test_what_does_not_go_away_is_said(
    trouble: Trouble, message: str, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    proxy.troubles = [trouble]
    assert message in failed(imgopt, str(release(1)), f"{proxy.name}/{repository}:1")
    proxy.troubles = []
    assert imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1").code == 0
    pulled(proxy.name, repository, "1")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "PUT"])
def test_what_goes_away_is_waited_for(
    method: str, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    proxy.troubles = [
        Trouble(method, "/shop/", status=429, headers={"Retry-After": "1"}),
        Trouble(method, "/shop/", status=500),
        Trouble(method, "/shop/", cut_after=0),
    ]
    run = imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1")
    assert run.code == 0, run.err
    assert "waits 1 s: it answers 429" in run.err
    pulled(proxy.name, repository, "1")


@pytest.mark.parametrize("place", ["http://[::1/x", "http://127.0.0.1:99999/x", "ftp://127.0.0.1/x"])
@pytest.mark.parametrize("header", ["Location", "WWW-Authenticate"])
def test_an_address_that_is_none(
    header: str, place: str, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    if header == "Location":
        proxy.troubles = [Trouble("POST", times=None, status=202, headers={header: place})]
    else:
        challenge = {header: f'Bearer realm="{place}",service="x"'}
        proxy.troubles = [Trouble("GET", "/v2/", times=None, status=401, headers=challenge)]
    sentence = failed(imgopt, str(release(1)), f"{proxy.name}/{repository}:1")
    assert "does not say where" in sentence or "no usable token service" in sentence


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_of_what_writes_is_followed(
    status: int, release: Release, imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    """As registries do whose uploads go to another host."""

    def elsewhere(method: str, path: str) -> Trouble:
        headers = {"Location": f"http://{shared_registry.name}/v2/{repository}/{path}"}
        return Trouble(method, f"/{path}", times=None, status=status, headers=headers)

    proxy.troubles = [elsewhere("POST", "blobs/uploads/"), elsewhere("PUT", "manifests/1")]
    run = imgopt("push", str(release(1)), f"{proxy.name}/{repository}:1")
    assert run.code == 0, run.err
    pulled(proxy.name, repository, "1")


def test_a_proxy_that_takes_small_requests_only(
    release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """As nginx does with its usual client_max_body_size: the chunks become smaller."""
    proxy.troubles = [Trouble("PATCH", times=2, status=413)]
    run = imgopt("push", str(release(1, size=1_500_000)), f"{proxy.name}/{repository}:1")
    assert run.code == 0, run.err
    assert "327,680 bytes each" in run.err
    assert [each.body_bytes for each in proxy.seen].count(327_680) == 4  # of 1.5 MB, the rest is less


@pytest.mark.parametrize("how", ["swallowed", "417"])
def test_a_proxy_that_knows_no_continue(
    how: str, release: Release, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    """Then nothing can be held ready; it is waited for once only."""
    proxy.swallows_continue = how == "swallowed"
    proxy.troubles = [Trouble("PATCH", status=417)] if how == "417" else []
    run = imgopt(
        "push", str(release(1, size=3_000_000)), f"{proxy.name}/{repository}:1", "--chunk-size", "500kB"
    )
    assert run.code == 0, run.err
    asked = [each for each in proxy.seen if each.method == "PATCH" and each.headers.get("expect")]
    assert len(asked) == 1
    pulled(proxy.name, repository, "1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "registry.invalid", "registry.invalid:5000"]
)
def test_a_wrong_host(host: str, release: Release, imgopt: Command) -> None:
    name = host.format(port=free_port())
    assert f"cannot connect to {name}" in failed(imgopt, str(release(1)), f"{name}/shop/api:1")


def test_a_disk_that_is_full_by_the_time_that_the_buffer_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small layer fits into Python's buffer, and not on the disk that a large one beside it has filled."""
    import subprocess

    from imgopt.errors import MeasureError
    from imgopt.registry.push import compressed
    from imgopt.sources import open_image

    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]).returncode:
        pytest.skip("mounting needs root")
    try:
        monkeypatch.setattr("tempfile.tempdir", str(small))
        layer = tar_of({"x": b"x"})
        (tmp_path / "tiny.tar").write_bytes(docker_archive({"1/layer.tar": layer}, [layer]))
        (tmp_path / "tiny.tar.gz").write_bytes(gzip.compress((tmp_path / "tiny.tar").read_bytes()))
        with open_image(str(tmp_path / "tiny.tar")) as opened:
            with contextlib.suppress(OSError), (small / "full").open("wb") as file:
                file.write(bytes(100_000))
            with pytest.raises(MeasureError, match="No space left on device"):
                compressed(opened, 0)
        with (
            pytest.raises(MeasureError, match="No space left on device"),
            open_image(str(tmp_path / "tiny.tar.gz")),
        ):
            pass
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_disk_full(release: Release, imgopt: Command, proxy: Proxy, repository: str, tmp_path: Path) -> None:
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        imgopt.environment["TMPDIR"] = str(small)
        assert "set TMPDIR to a larger disk" in failed(
            imgopt, str(release(1)), f"{proxy.name}/{repository}:1"
        )
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
