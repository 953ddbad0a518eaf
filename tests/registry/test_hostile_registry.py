"""Registries that answer anything: redirects, challenges, locations and pages in any combination, to all that imgopt asks.

However they answer, the login reaches the registry and the token service that it named itself, a layer reaches whom the
registry itself named, and what goes wrong is an error of ours. Seeds are fixed: a case that fails is one to keep.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import ssl
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from certificates import self_signed
from strangers import Asked, Reply, Stranger, stranger
from test_origins import tls

from imgopt.errors import ImgoptError
from imgopt.registry.bandwidth import measure_bandwidth
from imgopt.registry.client import Access, Client
from imgopt.registry.mounts import try_mounts
from imgopt.registry.push import PushOptions, check_push, delete_tag, push_image
from imgopt.sources import open_image
from imgopt.sources.remote import open_remote

Release = Callable[..., Path]
USER, PASSWORD = "deployer", "pa55-s3cret"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
RUNS = 40
STATUSES = (
    200,
    200,
    201,
    202,
    202,
    204,
    301,
    302,
    303,
    307,
    307,
    308,
    400,
    401,
    401,
    401,
    403,
    404,
    404,
    405,
    416,
)
HASH = "sha256:" + "a" * 64


@dataclass
class Scene:
    """One registry and its strangers: on its own host with another port, and on other hosts."""

    own: Stranger
    others: list[Stranger]
    random: random.Random
    realms: set[str] = field(default_factory=set)  # that the registry named, in a 401 of its own
    places: set[str] = field(default_factory=set)  # that it led to
    tokens: set[str] = field(default_factory=set)

    @property
    def all(self) -> list[Stranger]:
        return [self.own, *self.others]

    def origin(self) -> str:
        which = self.random.choice(self.all)
        return self.random.choice(
            [
                which.url,
                which.url,
                which.url,
                f"http://{which.name}",
                f"https://{which.name}",
                f"http://{self.own.name}@{which.name}",
                f"https://{which.name}\\@{self.own.name}",
                f"//{which.name}",
                f"{which.url}#@{self.own.name}",
                f"HTTP://{which.name.upper()}",
            ]
        )

    def path(self) -> str:
        return self.random.choice(
            [
                "/v2/",
                "/v2/shop/api/blobs/uploads/u1",
                "/v2/shop/api/blobs/uploads/u1?_state=x",
                f"/v2/shop/api/blobs/{HASH}",
                "/v2/shop/api/manifests/1",
                "/v2/victim/manifests/1",
                "/token",
                "",
                "?a=b",
                "/../x y",
                "/h\u00f6he",
            ]
        )

    def place(self, speaker: Stranger) -> str:
        origin = self.random.choice(["", self.origin()])
        place = origin + self.path()
        if speaker is self.own:
            self.places |= {each.name for each in self.others if each.name in place.lower()}
        return place.encode().decode("latin-1")

    def reply(self, speaker: Stranger) -> Callable[[Asked], Reply]:
        def made(asked: Asked) -> Reply:
            choose = self.random
            status = choose.choice(STATUSES)
            # mostly what leads further
            if choose.random() < 0.5:
                status = {"POST": 202, "PATCH": 202, "PUT": 201, "DELETE": 202}.get(asked.method, 200)
            if speaker is self.own and asked.path == "/v2/":
                status = choose.choice([200, 401, 401, 401, 307])
            headers = {}
            if status in (201, 202, 301, 302, 303, 307, 308) or choose.random() < 0.2:
                headers["Location"] = self.place(speaker)
            if status == 401 or choose.random() < 0.1:
                realm = self.origin() + "/token"
                if speaker is self.own:
                    self.realms |= {each.name for each in self.all if each.name in realm.lower()}
                headers["WWW-Authenticate"] = choose.choice(
                    [
                        f'Bearer realm="{realm}",service="x"',
                        f'Bearer realm="{realm}"',
                        "Basic realm=x",
                        "Digest",
                        "Bearer",
                        "",
                    ]
                )
            if choose.random() < 0.2:
                headers["Link"] = f'<{self.origin()}/v2/shop/api/tags/list?n=2>; rel="next"'
            if choose.random() < 0.2:
                headers["Set-Cookie"] = choose.choice(["sid=c00kie; Path=/", "sid=c00kie; Domain=127.0.0.1"])
            if choose.random() < 0.3:
                headers["Range"] = choose.choice(["0-0", "0-99999", "bytes=0-5", "x", f"0-{'9' * 5000}"])
            if choose.random() < 0.05:
                headers["OCI-Chunk-Min-Length"] = choose.choice(["1000", "x", "9" * 5000])
            return status, headers, self.body(asked)

        return made

    def body(self, asked: Asked) -> bytes:
        if "/token" in asked.path:
            token = f"t0ken-{len(self.tokens)}"
            self.tokens.add(token)
            end = self.random.choice([*[""] * 12, "\n", "\u00e9", " x"])
            return json.dumps(
                {"token": token + end, "expires_in": self.random.choice([0, 60, -1, 1e308, "x"])}
            ).encode()
        manifest = {
            "schemaVersion": 2,
            "config": {"mediaType": "x", "digest": HASH, "size": 2},
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": HASH, "size": 20}
            ],
        }
        echoed = {"errors": [{"message": f"no, Basic {BASIC}, {PASSWORD}, {' '.join(self.tokens)}"}]}
        return json.dumps(self.random.choice([{}, {"tags": ["1", "2"]}, manifest, echoed])).encode()

    def check(self) -> None:
        for each in self.others:
            names = {name.lower() for asked in each.seen for name, _ in asked.headers}
            assert "cookie" not in names
            known = [asked for asked in each.seen if BASIC in asked or PASSWORD in asked]
            same_host = each.host == self.own.host
            if known:
                assert each.name in self.realms, (each.name, known)
                assert all("scope" in asked for asked in known)  # the question for a token
                assert each.scheme == "https" if self.own.scheme == "https" else same_host, known
            assert not [asked for asked in each.seen for token in self.tokens if token in asked]
            if each.body_bytes:
                assert each.name in self.places or all(
                    "grant_type" in asked for asked in each.seen if asked.body
                )
            if self.own.scheme == "https" and each.scheme == "http" and each.name not in self.realms:
                assert each.seen == []  # not even asked


@contextlib.contextmanager
def scene(seed: int, own: ssl.SSLContext | None) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        start = lambda host, context: stack.enter_context(stranger(host, tls=context))  # noqa: E731
        running = start("127.0.0.1", own)
        others = [start("127.0.0.1", own), start("localhost", own), start("localhost", None)]
        made = Scene(running, others, random.Random(seed))
        for each in made.all:
            each.reply = made.reply(each)
        yield made


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_whatever_it_answers(
    scheme: str, pair: tuple[Path, Path], release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pair[0]))
    monkeypatch.setattr(Client, "pause", lambda self, number, why, retry_after=None: None)
    context = tls(pair) if scheme == "https" else None
    archive = str(release(1, size=120_000))
    led = told = 0
    for seed in range(RUNS):
        with scene(seed, context) as made:
            entry = {"identitytoken": PASSWORD} if seed % 5 == 4 else {"auth": BASIC}
            (tmp_path / "config.json").write_text(json.dumps({"auths": {made.own.name: entry}}))
            target = f"{made.own.name}/shop/api"
            access = Access(tries=2, connect_s=5, answer_s=5)
            said = [
                _outcome(verb, target, archive, access)
                for verb in (_push, _read, _bandwidth, _mounts, _check, _delete)
            ]
            made.check()
            led += any(each.seen for each in made.others)
            told += any(asked for each in made.others for asked in each.seen if BASIC in asked)
            secrets = (BASIC, PASSWORD, "t0ken-")
            assert not [text for text in said for secret in secrets if secret in text], (seed, said)
    assert led > RUNS // 4 and told > 1, (led, told)  # or nothing was tried


def _outcome(verb: Callable[[str, str, Access], object], target: str, archive: str, access: Access) -> str:
    try:
        verb(target, archive, access)
    except ImgoptError as error:
        return str(error) + "".join(traceback.format_exception(error))
    return ""


def _push(target: str, archive: str, access: Access) -> None:
    with open_image(archive) as opened:
        push_image(opened, f"{target}:1", PushOptions(chunk_bytes=100_000, access=access))


def _read(target: str, archive: str, access: Access) -> None:
    with open_remote(f"{target}:1", access=access) as opened, opened.open_blob(0) as blob:
        blob.read()


def _bandwidth(target: str, archive: str, access: Access) -> None:
    measure_bandwidth(target, access, size=100_000)


def _mounts(target: str, archive: str, access: Access) -> None:
    found = try_mounts(target, None, access)
    raise ImgoptError(" ".join((found.why, *found.left)))  # what is said is looked through for secrets


def _check(target: str, archive: str, access: Access) -> None:
    check_push(target, access)


def _delete(target: str, archive: str, access: Access) -> None:
    delete_tag(f"{target}:1", access)
