"""Credentials, tokens and layers go to the registry's own scheme, host and port, and only what comes from there is
believed. The registry is a real one that wants a login; the proxy before it leads to another server, as a registry could.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import registries
from certificates import self_signed
from push_command import Command, Run
from registries import PASSWORD, USER, Proxy, Registry, Trouble
from strangers import Asked, Reply, Stranger, stranger
from test_forward_proxy import forwarder

Release = Callable[..., Path]
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECRETS = (BASIC, PASSWORD, "r3fresh", "t0ken")


@pytest.fixture
def known(locked: Registry, imgopt: Command) -> Iterator[Proxy]:
    """A registry, to which the user has logged in."""
    with registries.proxy(locked.port) as relay:
        imgopt.login(auths={relay.name: {"auth": BASIC}, locked.name: {"auth": BASIC}})
        yield relay


@pytest.fixture
def other() -> Iterator[Stranger]:
    with stranger() as running:
        yield running


@pytest.fixture
def pushed(known: Proxy, imgopt: Command, release: Release, repository: str) -> str:
    """What is there already."""
    target = f"{known.name}/{repository}:1"
    assert imgopt("push", str(release(1)), target).code == 0
    return target


def away(other: Stranger, method: str, contains: str, status: int = 307, skip: int = 0) -> Trouble:
    headers = {"Location": f"{other.url}/elsewhere/u1"}
    return Trouble(method, contains, times=None, status=status, headers=headers, skip=skip)


def debugged(imgopt: Command, *arguments: str) -> Run:
    """With the traceback, which must not tell more than the sentence does."""
    process = imgopt.start(*arguments, "--debug")
    out, err = process.communicate(timeout=300)
    return Run(process.returncode, out, err)


def keeps_secrets(run: Run) -> None:
    assert not [secret for secret in SECRETS if secret in run.out + run.err]


def told_nothing(other: Stranger) -> None:
    """No login and nothing of one, and nobody came for a token."""
    names = {name.lower() for each in other.seen for name, _ in each.headers}
    assert not names & {"authorization", "cookie", "proxy-authorization"}, other.seen
    assert not [(secret, each) for each in other.seen for secret in SECRETS if secret in each]
    assert not [each.path for each in other.seen if each.path.startswith("/token")]


def is_its_error(run: Run, other: Stranger, known: Proxy) -> None:
    assert run.code == 3, run
    keeps_secrets(run)
    said = f"{other.url}, to which {known.name} leads, wants a login"
    assert said in run.err, run.err
    told_nothing(other)
    assert other.seen


@pytest.mark.parametrize(
    ("method", "contains", "status"),
    [
        ("GET", "/v2/", 307),
        ("HEAD", "/blobs/sha256:", 307),
        ("HEAD", "/blobs/sha256:", 301),
        ("POST", "/uploads/", 307),
        ("POST", "/uploads/", 308),
        ("POST", "/uploads/", 202),
        ("PATCH", "/uploads/", 307),
        ("PATCH", "/uploads/", 202),
        ("PUT", "/uploads/", 307),
        ("PUT", "/manifests/", 307),
    ],
)
def test_push(
    method: str,
    contains: str,
    status: int,
    known: Proxy,
    other: Stranger,
    imgopt: Command,
    release: Release,
    repository: str,
) -> None:
    known.troubles = [away(other, method, contains, status)]
    run = debugged(imgopt, "push", str(release(1)), f"{known.name}/{repository}:1", "--tries", "2")
    is_its_error(run, other, known)


@pytest.mark.parametrize("contains", ["/tags/", "/manifests/1"])
def test_push_does_without_what_it_would_learn(
    contains: str, known: Proxy, other: Stranger, imgopt: Command, release: Release, pushed: str
) -> None:
    known.troubles = [away(other, "GET", contains)]
    run = imgopt("push", "--trust-tags", str(release(2)), pushed, "--tries", "2")
    assert run.code == 0, run.err
    told_nothing(other)
    assert other.seen


@pytest.mark.parametrize("command", ["inspect", "gate"])
@pytest.mark.parametrize(
    ("contains", "skip"), [("/v2/", 0), ("/manifests/", 0), ("/blobs/", 0), ("/blobs/", 1)]
)
def test_inspect_and_gate(
    contains: str, skip: int, command: str, known: Proxy, other: Stranger, imgopt: Command, pushed: str
) -> None:
    known.troubles = [away(other, "GET", contains, skip=skip)]
    looks = ["--contents"] if command == "inspect" else ["--max-waste", "1MB"]
    run = debugged(imgopt, command, f"registry:{pushed}", *looks)
    is_its_error(run, other, known)


@pytest.mark.parametrize(
    ("method", "contains", "status"),
    [("GET", "/v2/", 302), ("HEAD", "/blobs/", 302), ("POST", "/uploads/", 307), ("POST", "/uploads/", 202)],
)
def test_bandwidth(
    method: str, contains: str, status: int, known: Proxy, other: Stranger, imgopt: Command, repository: str
) -> None:
    known.troubles = [away(other, method, contains, status)]
    run = debugged(imgopt, "bandwidth", f"{known.name}/{repository}", "--size", "200kB")
    is_its_error(run, other, known)


@pytest.mark.parametrize(
    ("method", "contains", "status"),
    [("GET", "/v2/", 302), ("POST", "/uploads/", 307), ("POST", "/uploads/", 202), ("DELETE", "", 307)],
)
def test_compare_s_pushes(
    method: str,
    contains: str,
    status: int,
    known: Proxy,
    other: Stranger,
    pushed: str,
    imgopt: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`compare --push-to` builds with an engine first; what it then asks a registry is asked here without one."""
    from imgopt.registry.client import Access
    from imgopt.registry.errors import RegistryError
    from imgopt.registry.push import check_push, delete_tag

    monkeypatch.setenv("DOCKER_CONFIG", str(imgopt.home / "docker"))
    known.troubles = [away(other, method, contains, status)]
    try:
        check_push(pushed.rpartition(":")[0], Access(tries=2))
        assert method == "DELETE" or status == 202  # then the upload that was begun cannot be cancelled
        delete_tag(pushed, Access(tries=2))
    except RegistryError as error:
        assert f"{other.url}, to which {known.name} leads" in str(error)
    told_nothing(other)
    assert other.seen


def test_a_challenge_of_elsewhere_changes_nothing_afterwards(
    known: Proxy, other: Stranger, imgopt: Command, release: Release, pushed: str
) -> None:
    """A look-up that may fail was led away; the rest of the push goes on with the registry's own login."""
    other.reply = lambda asked: (401, {"WWW-Authenticate": f'Bearer realm="{other.url}/token"'}, b"{}")
    known.troubles = [away(other, "GET", "/tags/")]
    assert imgopt("push", "--trust-tags", str(release(3)), pushed).code == 0
    told_nothing(other)


def stores(registry: Registry) -> Callable[[Asked], Reply]:
    """A storage host: gives the registry's blobs to whoever comes, and refuses whoever brings a login, as S3 does."""

    def reply(asked: Asked) -> Reply:
        digest = asked.path.rpartition("sha256:")[2]
        if any(name.lower() == "authorization" for name, _ in asked.headers):
            return 400, {}, b"only one auth mechanism allowed"
        data = registry.root / f"docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
        return 200, {"Content-Type": "application/octet-stream"}, data.read_bytes()

    return reply


@pytest.mark.parametrize("hops", [1, 2])
def test_blobs_that_lie_elsewhere_are_read_without_a_login(
    hops: int, known: Proxy, locked: Registry, imgopt: Command, pushed: str
) -> None:
    with stranger(reply=stores(locked)) as storage, stranger() as between:
        between.reply = lambda asked: (302, {"Location": storage.url + asked.path}, b"")
        first = storage if hops == 1 else between
        manifest = json.loads(imgopt("inspect", f"registry:{pushed}", "--format", "json").out)
        digests = (
            [layer["digest"] for layer in manifest["images"][0]["layers"]] if "images" in manifest else []
        )
        found = {each.path.rpartition("/")[2] for each in known.seen if "/blobs/sha256:" in each.path}
        known.troubles = [
            Trouble("GET", f"/blobs/{digest}", None, 307, {"Location": f"{first.url}/blobs/{digest}"})
            for digest in {*digests, *found}
            if digest
        ]
        run = imgopt("inspect", f"registry:{pushed}", "--contents")
        assert run.code == 0, run.err
        assert len(storage.seen) >= 4  # a config and three layers
        told_nothing(storage)
        told_nothing(between)


def test_an_upload_that_lies_elsewhere_gets_bytes_but_no_login(
    known: Proxy, imgopt: Command, repository: str
) -> None:
    """Some registries keep uploads on another host; its own answer says where the upload goes on."""
    with stranger() as storage:
        storage.reply = lambda asked: (
            (204, {}, b"") if asked.method == "DELETE" else (202, {"Location": f"{storage.url}/next"}, b"")
        )
        known.troubles = [away(storage, "POST", "/uploads/", 202)]
        run = imgopt("bandwidth", f"{known.name}/{repository}", "--size", "200kB")
        assert run.code == 0, run.err
        # the bytes that are measured, and the kilobyte with which mounts are tried
        assert storage.body_bytes == 201_000
        assert [each.method for each in storage.seen] == ["PATCH", "DELETE", "PUT", "DELETE"]
        told_nothing(storage)


@pytest.mark.parametrize("back", [False, True], ids=["to a third", "back"])
@pytest.mark.parametrize("status", [307, 202])
def test_elsewhere_says_nothing_about_further_places(
    status: int,
    back: bool,
    known: Proxy,
    other: Stranger,
    imgopt: Command,
    release: Release,
    repository: str,
) -> None:
    with stranger() as storage:
        place = f"http://{known.name}/v2/victim/blobs/uploads/x" if back else f"{other.url}/elsewhere"
        storage.reply = lambda asked: (status, {"Location": place}, b"")
        known.troubles = [away(storage, "POST", "/uploads/", 202)]
        run = imgopt("push", str(release(1)), f"{known.name}/{repository}:1", "--tries", "2")
        assert run.code == 3, run
        assert f"which only {known.name} itself may do" in run.err
        assert other.seen == [] and not [each for each in known.seen if "victim" in each.path]
        told_nothing(storage)


def test_whoever_was_led_away_comes_back_as_a_stranger(
    known: Proxy, other: Stranger, imgopt: Command, pushed: str, repository: str
) -> None:
    """Or another host could have the registry asked for anything in the user's name."""
    other.reply = lambda asked: (307, {"Location": f"http://{known.name}/v2/victim/manifests/1"}, b"")
    known.troubles = [away(other, "GET", f"{repository}/manifests/")]
    run = imgopt("inspect", f"registry:{pushed}")
    assert run.code == 3, run
    back = [each for each in known.seen if "victim" in each.path]
    assert back and not [each for each in back if "authorization" in each.headers]


def test_the_next_page_of_tags_is_the_registry_s_own(
    known: Proxy, other: Stranger, imgopt: Command, release: Release, pushed: str
) -> None:
    link = {"Link": f'<{other.url}/v2/x/tags/list?n=1&last=a>; rel="next"'}
    known.troubles = [Trouble("GET", "/tags/list", status=200, headers=link, body=b'{"tags": ["a"]}')]
    assert imgopt("push", "--trust-tags", str(release(2)), pushed).code == 0
    assert other.seen == []
    assert [each.path for each in known.seen if "last=a" in each.path] == ["/v2/x/tags/list?n=1&last=a"]


@pytest.mark.parametrize("kind", ["config", "manifests"])
def test_a_digest_that_is_a_path(
    kind: str, known: Proxy, imgopt: Command, release: Release, pushed: str
) -> None:
    """Whoever may push an image would have the next push ask for anything in its user's name."""
    place = {"os": "linux", "architecture": "amd64"}
    bad = {"mediaType": "x", "size": 20, "digest": "sha256:../../../victim/x", "platform": place}
    document = {"config": bad, "layers": [bad]} if kind == "config" else {"manifests": [bad]}
    body = json.dumps({"schemaVersion": 2, **document}).encode()
    known.troubles = [Trouble("GET", "/manifests/1", times=None, status=200, body=body)]
    assert imgopt("push", "--trust-tags", str(release(2)), pushed).code == 0
    assert not [each.path for each in known.seen if "victim" in each.path]


@pytest.mark.parametrize(
    ("method", "size"), [("HEAD", 1000), ("POST", 1000), ("POST", 400_000), ("PATCH", 400_000)]
)
@pytest.mark.parametrize(
    "place",
    [
        f"http://{'a' * 70}.example/x",
        "http://a..b/x",
        f"http://{'a.' * 130}b/x",
        "http://[/x",
        "/\xff\xfe",
        "\xff",
    ],
    ids=["label", "empty label", "long", "bracket", "bytes", "byte"],
)
def test_a_place_that_no_name_leads_to(
    place: str, method: str, size: int, release: Release, imgopt: Command
) -> None:
    """What is no host name is no address at all: said at once, not asked for again and again."""

    def reply(asked: Asked) -> Reply:
        if asked.method == method and asked.path != "/v2/":
            return (202 if method == "POST" else 307), {"Location": place}, b""
        if asked.method == "POST":
            return 202, {"Location": "/v2/shop/api/blobs/uploads/u1"}, b""
        return {"GET": 200, "PUT": 201, "PATCH": 202}.get(asked.method, 404), {}, b"{}"

    with stranger(reply=reply) as registry:
        run = imgopt("push", str(release(1, size=size)), f"{registry.name}/shop/api:1")
    assert run.code == 3 and "waits" not in run.err, run
    assert [line for line in run.err.splitlines() if line.startswith("error: ")], run.err


# --- notes of uploads ---


@pytest.mark.parametrize(
    "place",
    [
        "{other}/v2/{repository}/blobs/uploads/u1",
        "https://{known}/v2/{repository}/blobs/uploads/u1",
        "http://{known}@{stranger}/v2/{repository}/blobs/uploads/u1",
        "http://{stranger}\\@{known}/v2/{repository}/blobs/uploads/u1",
        "http://{known}/v2/victim/blobs/uploads/u1",
        "http://{known}/v2/{repository}/../../victim/blobs/uploads/u1",
        "http://{known}/v2/{repository}/%2e%2e/victim/u1",
        "ftp://{known}/v2/{repository}/blobs/uploads/u1",
        "no address",
    ],
)
def test_a_changed_note(
    place: str,
    known: Proxy,
    other: Stranger,
    imgopt: Command,
    release: Release,
    pushed: str,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cache that CI hands on may have been written by anybody."""
    from imgopt.registry.sessions import Notes, Session, directory

    archive = str(release(1))
    run = imgopt("push", archive, pushed, "--format", "json")
    layer = run.push["layers"][0]  # type: ignore[index]
    monkeypatch.setenv("XDG_CACHE_HOME", str(imgopt.home / "cache"))
    directory().mkdir(parents=True, exist_ok=True)
    location = place.format(
        other=other.url, known=known.name, stranger=other.name, repository=f"{repository}-new"
    )
    what = (known.name, f"{repository}-new", layer["digest"])
    Notes(*what).save(Session(*what, size=layer["compressed_bytes"], location=location, offset=1000))
    other.reply = lambda asked: (202, {"Location": asked.path, "Range": "0-999"}, b"")
    before = len(known.seen)
    run = imgopt("push", archive, f"{known.name}/{repository}-new:1", "--format", "json")
    assert run.code == 0, run.err
    assert other.seen == []
    later = known.seen[before:]
    assert not [each.path for each in later if "victim" in each.path or "u1" in each.path.split("?")[0][-3:]]
    assert run.push["layers"][0]["resumed_bytes"] == 0  # type: ignore[index]


def test_an_upload_elsewhere_leaves_no_note(
    known: Proxy, imgopt: Command, release: Release, repository: str
) -> None:
    with stranger() as storage:
        place = {"Location": f"{storage.url}/u1", "Range": "0-99999"}
        storage.reply = lambda asked: (202, place, b"") if len(storage.seen) < 2 else (403, {}, b"{}")
        known.troubles = [away(storage, "POST", "/uploads/", 202)]
        run = imgopt("push", str(release(1)), f"{known.name}/{repository}:1", "--chunk-size", "100kB")
        assert run.code == 3 and f"{storage.url}, to which {known.name} leads, answers 403" in run.err, (
            run.err
        )
        told_nothing(storage)
    assert list((imgopt.home / "cache" / "imgopt" / "uploads").glob("*.json")) == []


# --- token services ---


def asks_for_a_token(proxy: Proxy, realm: str) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}
    proxy.troubles = [Trouble("GET", "/v2/", times=1, status=401, headers=challenge)]


@pytest.mark.parametrize("entry", [{"auth": BASIC}, {"identitytoken": "r3fresh"}], ids=["basic", "identity"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_service_sends_nobody_on(
    status: int,
    entry: dict[str, str],
    known: Proxy,
    other: Stranger,
    imgopt: Command,
    release: Release,
    repository: str,
) -> None:
    with stranger() as service:
        service.reply = lambda asked: (status, {"Location": f"{other.url}/token"}, b"")
        imgopt.login(auths={known.name: entry})
        asks_for_a_token(known, f"{service.url}/token")
        run = imgopt("push", str(release(1)), f"{known.name}/{repository}:1")
        assert run.code == 3 and "sends the login on to another place" in run.err
        keeps_secrets(run)
        assert other.seen == [] and service.seen


@pytest.mark.parametrize(
    "realm",
    [
        "http://127.0.0.1@{0}/token",
        "http://{0}\\@127.0.0.1/token",
        "http://user:pw@{0}/token",
        "//{0}/token",
        "http://127.0.0.1 .{0}/token",
        "http://0x7f.1:{1}/token",
        "http://127.0.0.1.:{1}/token",
        "http://127.1:{1}/token",
        "http://localhost:{1}/token",
    ],
)
def test_a_realm_that_may_be_read_in_two_ways(
    realm: str, known: Proxy, other: Stranger, imgopt: Command, release: Release, repository: str
) -> None:
    asks_for_a_token(known, realm.format(other.name, other.port))
    run = imgopt("push", str(release(1)), f"{known.name}/{repository}:1", "--tries", "1")
    keeps_secrets(run)
    assert not [each for each in other.seen if BASIC in each or PASSWORD in each]


@pytest.mark.parametrize(
    "token",
    [
        "s3cret\nInjected: yes",
        "s3cret\r\n\r\nGET /",
        "s3cret ",
        " s3cret",
        "s3cr\u00e9t",
        "s3cret\x00",
        "s3cret" * 20_000,
    ],
)
def test_a_token_that_is_no_header(
    token: str, known: Proxy, imgopt: Command, release: Release, repository: str
) -> None:
    with stranger() as service:
        service.reply = lambda asked: (200, {}, json.dumps({"token": token}).encode())
        asks_for_a_token(known, f"{service.url}/token")
        run = debugged(
            imgopt,
            "push",
            str(release(1)),
            f"{known.name}/{repository}:1",
            "--tries",
            "1",
            "--format",
            "json",
        )
    assert run.code == 3, run
    assert "gave a token that no request can carry" in run.err and run.err
    assert "s3cr" not in run.out + run.err


@pytest.mark.parametrize(
    "lifetime", ["-5", "1e308", "1e999", "NaN", '"soon"', "null", "true", "[]", "1" + "0" * 400]
)
def test_a_token_s_lifetime_that_makes_no_sense(
    lifetime: str, known: Proxy, imgopt: Command, release: Release, repository: str
) -> None:
    """The token itself is one that the registry does not take: it is asked for once, and once more after the refusal."""
    with stranger() as service:
        answer = f'{{"token": "t0ken", "expires_in": {lifetime}}}'.encode()
        service.reply = lambda asked: (200, {}, answer)
        asks_for_a_token(known, f"{service.url}/token")
        run = imgopt("push", str(release(1)), f"{known.name}/{repository}:1", "--tries", "1")
        assert run.code in (0, 3), run.err
        keeps_secrets(run)
        assert len(service.seen) <= 2


def test_a_registry_that_repeats_what_it_was_told(
    known: Proxy, imgopt: Command, release: Release, repository: str
) -> None:
    for secret in (PASSWORD, f"got Basic {BASIC}", f"for\n{PASSWORD}"):
        said = json.dumps({"errors": [{"message": f"no, {secret} is wrong"}]}).encode()
        known.troubles = [Trouble("POST", "/uploads/", times=None, status=403, body=said)]
        run = debugged(imgopt, "push", str(release(1)), f"{known.name}/{repository}:1", "--format", "json")
        assert run.code == 3
        keeps_secrets(run)


# --- what else tells who we are ---


def test_cookies_stay_nowhere(known: Proxy, other: Stranger, imgopt: Command, pushed: str) -> None:
    """One machine's ports share theirs, and a domain's hosts can."""
    own = json.dumps({"tags": ["1"]}).encode()
    known.troubles = [
        Trouble(
            "GET",
            "/manifests/",
            times=None,
            status=307,
            headers={"Set-Cookie": "sid=s3ss10n; Path=/", "Location": f"{other.url}/x"},
            body=own,
        )
    ]
    assert imgopt("inspect", f"registry:{pushed}").code == 3
    assert other.seen
    told_nothing(other)
    known.troubles = [
        Trouble(
            "GET",
            "/v2/",
            status=401,
            headers={"Set-Cookie": "sid=s3ss10n; Path=/", "WWW-Authenticate": "Basic realm=x"},
        ),
        away(other, "GET", "/manifests/"),
    ]
    other.seen.clear()
    assert imgopt("inspect", f"registry:{pushed}").code == 3
    assert other.seen
    told_nothing(other)


def test_a_proxy_s_login_is_the_proxy_s(
    locked: Registry, other: Stranger, imgopt: Command, release: Release
) -> None:
    """Where the registry leads past the proxy (NO_PROXY), its login stays behind."""
    with registries.proxy(locked.port) as relay, forwarder(relay.port) as forward:
        imgopt.environment["http_proxy"] = f"http://proxy-user:pr0xy@127.0.0.1:{forward.port}"
        imgopt.environment["no_proxy"] = "127.0.0.1"
        imgopt.login(auths={"registry.invalid:5000": {"auth": BASIC}})
        for trouble in (away(other, "POST", "/uploads/", 307), away(other, "POST", "/uploads/", 202)):
            other.seen.clear()
            relay.troubles = [trouble]
            run = imgopt(
                "push", str(release(1)), "registry.invalid:5000/shop/api:1", "--plain-http", "--tries", "1"
            )
            assert (
                run.code == 3
                and f"{other.url}, to which registry.invalid:5000 leads, wants a login" in run.err
            )
            assert other.seen and forward.heads
            told_nothing(other)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


def tls(pair: tuple[Path, Path], *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if asks:
        context.load_verify_locations(pair[0])
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def test_a_client_certificate_is_shown_to_the_registry_only(pair: tuple[Path, Path], imgopt: Command) -> None:
    with stranger(tls=tls(pair, asks=True)) as own, stranger(tls=tls(pair, asks=True)) as other:
        place = imgopt.home / ".config" / "containers" / "certs.d" / own.name
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(pair[0].read_bytes())
        (place / "client.cert").write_bytes(pair[0].read_bytes())
        (place / "client.key").write_bytes(pair[1].read_bytes())
        own.reply = lambda asked: (
            (200, {}, b"{}") if asked.path == "/v2/" else (307, {"Location": other.url}, b"")
        )
        for command in (("bandwidth", f"{own.name}/shop/api"), ("inspect", f"registry:{own.name}/shop/api")):
            run = imgopt(*command)
            assert run.code == 3 and f"{other.url}, to which {own.name} leads, wants a login" in run.err, (
                run.err
            )
        answers = {
            "GET": (200, {}, b"{}"),
            "HEAD": (404, {}, b""),
            "POST": (202, {"Location": other.url}, b""),
        }
        own.reply = lambda asked: answers[asked.method]
        assert imgopt("bandwidth", f"{own.name}/shop/api", "--size", "100kB").code == 3
        assert {each.certificate for each in own.seen} == {True}
        assert {each.method for each in other.seen} == {"POST", "GET", "PATCH", "DELETE"}
        assert {each.certificate for each in other.seen} == {False}


def test_from_https_nothing_goes_on_without(pair: tuple[Path, Path], imgopt: Command) -> None:
    imgopt.environment["REQUESTS_CA_BUNDLE"] = str(pair[0])
    with stranger(tls=tls(pair)) as own, stranger(tls=tls(pair)) as between, stranger("localhost") as other:
        imgopt.login(auths={own.name: {"auth": BASIC}})
        between.reply = lambda asked: (307, {"Location": f"{other.url}/x"}, b"")
        for place, status in ((other.url, 307), (other.url, 202), (between.url, 307)):
            headers = {"Location": place}
            own.reply = lambda asked, s=status, h=headers: (
                (200, {}, b"{}") if asked.path == "/v2/" else (s, h, b"")
            )  # type: ignore[misc]
            run = imgopt("bandwidth", f"{own.name}/shop/api", "--size", "100kB")
            assert run.code == 3 and f"plain HTTP, to {other.url}" in run.err, run.err
            run = imgopt("inspect", f"registry:{own.name}/shop/api")
            assert run.code == 3
        assert other.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_realm_on_another_host_with_https_is_told(
    host: str, pair: tuple[Path, Path], imgopt: Command
) -> None:
    """As Docker Hub and GitLab have it; and over plain HTTP it is not, which is said."""
    imgopt.environment["REQUESTS_CA_BUNDLE"] = str(pair[0])
    with stranger(tls=tls(pair)) as own, stranger(host, tls=tls(pair)) as service, stranger(host) as plain:
        imgopt.login(auths={own.name: {"auth": BASIC}})
        for realm in (service, plain):
            realm.reply = lambda asked: (200, {}, b'{"token": "t0ken"}')
            own.reply = lambda asked, r=realm: (  # type: ignore[misc]
                (404, {}, b"{}")
                if "t0ken" in asked and r.scheme == "https"
                else (401, {"WWW-Authenticate": f'Bearer realm="{r.url}/token"'}, b"{}")
            )
            run = imgopt("inspect", f"registry:{own.name}/shop/api")
            assert run.code == 3
            keeps_secrets(run)
            assert (
                "has no shop/api:latest"
                if realm is service
                else f"wants a login at {plain.url}, where no credentials go over plain HTTP"
            ) in run.err, run.err
        assert [each for each in service.seen if BASIC in each]
        assert plain.seen and not [each for each in plain.seen if BASIC in each]


# --- names ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://Registry.Example/v2/", "https://registry.example:443/x", True),
        ("http://registry.example", "http://registry.example:80", True),
        ("https://[::1]:5000", "https://[0:0:0:0:0:0:0:1]:5000/", True),
        ("https://registry.example", "http://registry.example", False),
        ("https://registry.example", "https://registry.example:8443", False),
        ("https://registry.example", "https://registry.example.", False),
        ("https://registry.example", "https://registry.example.evil.example", False),
        ("https://registry.example", "https://evil.example/registry.example", False),
        ("http://127.0.0.1", "http://127.1", False),
        (f"https://{'a' * 63}.example", f"https://{'A' * 63}.example/", True),
        (f"https://{'a.' * 126}a", f"https://{'a.' * 126}a:443", True),
        ("https://registry.example:443", "https://registry.example:80", False),
    ],
)
def test_the_same_origin(one: str, other: str, same: bool) -> None:
    from imgopt.registry.origin import origin_of

    assert (origin_of(one) == origin_of(other)) == same


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry.example",
        "//registry.example",
        "https://",
        "https:///x",
        "https://user@host/",
        "https://a\\@b/",
        "https://a b/",
        "https://a\tb/",
        "https://h\u00f6st/",
        "https://%61/",
        "https://host:0/",
        "https://host:65536/",
        "https://host:+1/",
        "https://host:\u0661/",
        "ftp://host/",
        "https://[::1",
        "https://[::1%25eth0]/",
        "https://[1.2.3.4]/",
        "https://a,b/",
        "https://-/",
        "https://host/\r\nX: y",
        "https://a..b/",
        "https://.a/",
        "https://a../",
        "https://./",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}aa/",
        "javascript:alert(1)",
        "https://host#@other/".replace("#", "?#").replace("?#", "\\#"),
    ],
)
def test_no_origin(url: str) -> None:
    from imgopt.registry.origin import origin_of

    with pytest.raises(ValueError):
        origin_of(url)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("registry.example", True),
        ("https://registry.example", True),
        ("https://registry.example/v1/", True),
        ("registry.example.evil.example", False),
        ("evil.registry.example", False),
        ("registry.example:5000", False),
        ("example", False),
        ("*", False),
        ("", False),
    ],
)
def test_whose_credentials(key: str, found: bool, imgopt: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgopt.registry.credentials import credentials_for
    from imgopt.registry.target import parse_target

    imgopt.login(auths={key: {"auth": BASIC}})
    monkeypatch.setenv("DOCKER_CONFIG", str(imgopt.home / "docker"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(imgopt.home))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    assert (credentials_for(parse_target("registry.example/shop/api")) is not None) == found
    (imgopt.home / "auth.json").write_text(json.dumps({"auths": {key: {"auth": BASIC}}}))
    imgopt.login(auths={})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(imgopt.home / "auth.json"))
    plain = found and "://" not in key
    assert (credentials_for(parse_target("registry.example/shop/api")) is not None) == plain
