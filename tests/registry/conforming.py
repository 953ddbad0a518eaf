"""A registry that follows the OCI distribution specification to the letter: made by hand, since the only real one here
(2.8) does not look at Content-Range and gives no status of an upload that was cut. Only what a push asks for."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handmade_server import Quiet, serving


@dataclass
class Conforming:
    """``one_piece``: refuses a second PATCH, as some registries do. ``moves``: sends chunks elsewhere first. ``relative``:
    its locations are relative to what was asked. ``least``: the shortest chunk that it says it takes. ``keeps`` False:
    accepts chunks and forgets them. ``page``: so many tags it names at once; 0: none. ``place``: where its uploads lie,
    otherwise where they are asked for. ``separate``: a repository has what was put there, and no more. ``mounts``: from one
    to the other; ``lies``: it says so, and has nothing then. ``tokens``: it wants one, of its own service, which leaves out
    of the scopes what ``denied`` has (``shop/base:pull``). ``names``: it says the digest of what it has and took, as it may
    and Docker wants it."""

    port: int = 0
    one_piece: bool = False
    moves: bool = False
    relative: bool = False
    least: int = 0
    keeps: bool = True
    page: int = 0
    place: str = ""
    separate: bool = False
    mounts: bool = False
    lies: bool = False
    names: bool = False
    tokens: bool = False
    denied: set[str] = field(default_factory=set)
    asked: list[tuple[str, ...]] = field(default_factory=list)  # scopes of the tokens
    owned: dict[str, set[str]] = field(default_factory=dict)
    chunks: list[int] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)  # manifests that it took without their blobs
    uploads: dict[str, bytearray] = field(default_factory=dict)


@contextmanager
def conforming(**ways: Any) -> Iterator[Conforming]:
    state, numbers = Conforming(**ways), itertools.count()

    class Handler(Quiet):
        def _send(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _upload(self, status: int) -> None:
            key = urlsplit(self.path).path.rpartition("/")[2]
            size = len(state.uploads[key])
            place = key if state.relative else urlsplit(self.path).path
            self._send(status, {"Location": place, "Range": f"0-{max(0, size - 1)}"})

        def _repository(self) -> str:
            found = re.match(r"/v2/(.+?)/(?:blobs|manifests|tags)/", urlsplit(self.path).path)
            return found[1] if found else ""

        def _has(self, name: str) -> bool:
            own = state.owned.get(self._repository(), ())
            return name in state.blobs and (not state.separate or name in own)

        def _named(self, digest: str) -> dict[str, str]:
            return {"Docker-Content-Digest": digest} if state.names else {}

        def _manifest(self, name: str) -> str:
            return f"{self._repository()}@{name}" if state.separate else name

        def _is_let(self, *more: str) -> bool:
            """Whether the token has what this request needs; the answer is given where it has not."""
            action = "pull" if self.command in ("GET", "HEAD") else "push"
            own = [f"{self._repository()}:{action}"] if self._repository() else []
            held = self.headers.get("Authorization", "").removeprefix("Bearer ").split(",")
            if not state.tokens or (held != [""] and {*own, *more} <= set(held)):
                return True
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            challenge = f'Bearer realm="http://127.0.0.1:{state.port}/token",service="tests"'
            self._send(401, {"WWW-Authenticate": challenge})
            return False

        def _token(self) -> None:
            scopes = tuple(parse_qs(urlsplit(self.path).query).get("scope", ()))
            state.asked.append(scopes)
            parts = [scope.removeprefix("repository:").rpartition(":") for scope in scopes]
            wanted = [f"{name}:{action}" for name, _, actions in parts for action in actions.split(",")]
            given = ",".join(["any", *(each for each in wanted if each not in state.denied)])
            self._send(200, {}, json.dumps({"token": given}).encode())

        def do_POST(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            source, digest = (query.get(name, [""])[0] for name in ("from", "mount"))
            if not self._is_let(*([f"{source}:pull"] if source else [])):
                return None
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if state.mounts and digest in state.owned.get(source, ()):
                if not state.lies:
                    state.owned.setdefault(self._repository(), set()).add(digest)
                return self._send(201, {"Location": f"/v2/{self._repository()}/blobs/{digest}"})
            key = f"u{next(numbers)}"
            state.uploads[key] = bytearray()
            place = state.place or ("" if state.relative else urlsplit(self.path).path)
            place = place if place.endswith("/") or not place else f"{place}/"
            least = {"OCI-Chunk-Min-Length": str(state.least)} if state.least else {}
            return self._send(202, {"Location": f"{place}{key}", **least})

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            name = path.rpartition("/")[2]
            if path == "/token":
                return self._token()
            if not self._is_let():
                return None
            if "/uploads/" in path:
                self._upload(204) if name in state.uploads else self._send(404)
            elif "/blobs/" in path:
                self._send(200, self._named(name), state.blobs[name]) if self._has(name) else self._send(404)
            elif "/manifests/" in path:
                found = state.manifests.get(self._manifest(name))
                self._send(200, {"Content-Type": found[0]}, found[1]) if found else self._send(404)
            elif "/tags/" in path and state.page:
                self._tags(parse_qs(urlsplit(self.path).query).get("last", [""])[0])
            else:
                self._send(404 if "/tags/" in path else 200)
            return None

        def _tags(self, last: str) -> None:
            own = self._manifest("")
            every = (each.removeprefix(own) for each in state.manifests if each.startswith(own))
            tags = sorted(each for each in every if each > last and ":" not in each)
            page = tags[: state.page]
            more = {"Link": f'<?n=2&last={page[-1]}>; rel="next"'} if len(tags) > len(page) else {}
            self._send(200, more, json.dumps({"tags": page}).encode())

        do_HEAD = do_GET

        def do_PATCH(self) -> None:
            if not self._is_let():
                return None
            if state.moves and not self.path.startswith("/moved/"):
                self.close_connection = True
                return self._send(307, {"Location": f"/moved{self.path}"})
            data = state.uploads[urlsplit(self.path).path.rpartition("/")[2]]
            if (
                self.headers.get("Transfer-Encoding") == "chunked"
            ):  # a whole blob as a stream, as Docker sends it
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return self._upload(202)
            state.chunks.append(int(self.headers["Content-Length"]))
            given = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range") or "0-0")
            assert given is not None
            if int(given[1]) != len(data):
                self.close_connection = True
                return self._upload(416)
            if state.one_piece and "Content-Range" in self.headers:
                self.close_connection = True
                return self._send(405)
            left = int(self.headers["Content-Length"])
            while left:
                block = self.rfile.read1(min(left, 1 << 14))
                if not block:  # cut: what came stays
                    self.close_connection = True
                    return None
                data += block if state.keeps else b""
                left -= len(block)
            return self._upload(202)

        def do_PUT(self) -> None:
            if not self._is_let():
                return None
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            name = path.rpartition("/")[2]
            if "/manifests/" in path:
                digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
                kept = (self.headers["Content-Type"], body)
                blobs = [each["digest"] for each in json.loads(body).get("layers", ())]
                if not all(self._has(each) for each in blobs):
                    state.broken.append(f"{self._repository()}:{name}")
                state.manifests[self._manifest(name)] = state.manifests[self._manifest(digest)] = kept
                return self._send(201, self._named(digest))
            data = bytes(state.uploads.pop(name)) + body
            wanted = parse_qs(urlsplit(self.path).query)["digest"][0]
            if f"sha256:{hashlib.sha256(data).hexdigest()}" != wanted:
                return self._send(400)
            state.blobs[wanted] = data
            state.owned.setdefault(self._repository(), set()).add(wanted)
            return self._send(201, self._named(wanted))

        def do_DELETE(self) -> None:
            if not self._is_let():
                return
            state.uploads.pop(urlsplit(self.path).path.rpartition("/")[2], None)
            self._send(204)

    with serving(Handler) as server:
        state.port = server.server_port
        yield state
