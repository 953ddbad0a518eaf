"""A registry after the OCI distribution specification in which each repository has blobs of its own, so that mounts can be
told from presence. Made by hand: the only real one here (2.8) always mounts. Only what asking for mounts needs."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handmade_server import Quiet, serving


@dataclass
class Mounting:
    """``mount``: the status of a mount; 201 mounts. ``links`` False: it says 201 and mounts nothing. ``inside``: it mounts only
    from repositories of the same project. ``starts``: the status
    of a plain upload into a repository that is not ``own``. ``deletes`` False: blobs stay. ``shows_all``: each repository
    shows the blobs of all. ``tokens``: a bearer token is needed; ``grants`` names the repositories that its service gives
    a push to, ``strict`` that it refuses a request for more than that, rather than granting less, and ``one`` that it gives
    a token for one repository only. ``says``: its words when it refuses."""

    port: int = 0
    own: str = "shop/api"
    mount: int = 201
    links: bool = True
    inside: bool = False
    starts: int = 202
    deletes: bool = True
    shows_all: bool = False
    tokens: bool = False
    strict: bool = False
    one: bool = False
    says: str = "said here"
    grants: tuple[str, ...] = ()
    blobs: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    uploads: dict[str, bytearray] = field(default_factory=dict)
    manifests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def held(self) -> dict[str, int]:
        """How many blobs each repository has."""
        return {name: len(blobs) for name, blobs in self.blobs.items() if blobs}


@contextmanager
def mounting(**ways: Any) -> Iterator[Mounting]:
    state = Mounting(**ways)

    class Handler(Quiet):
        def _send(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _work(self) -> None:
            body = self._body()
            place = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(place.query).items()}
            state.asked.append((self.command, self.path))
            if place.path == "/token":
                return self._token(parse_qs(place.query).get("scope", []))
            if state.tokens and not self._allowed(place.path, query):
                challenge = f'Bearer realm="http://{state.name}/token",service="tests"'
                return self._send(401, {"WWW-Authenticate": challenge}, b'{"errors":[{"code":"DENIED"}]}')
            if place.path == "/v2/":
                return self._send(200)
            found = re.fullmatch(r"/v2/(.+?)/(blobs/uploads|blobs|manifests|tags)/(.*)", place.path)
            if found is None:
                return self._send(404)
            repository, kind, name = found.groups()
            if kind == "blobs/uploads":
                return self._upload(repository, name, query, body)
            if kind == "tags":
                tags = state.manifests.get(repository)
                return (
                    self._send(200, {}, json.dumps({"tags": sorted(tags)}).encode())
                    if tags
                    else self._send(404)
                )
            if kind == "manifests":
                data = state.manifests.get(repository, {}).get(name)
                kind = "application/vnd.oci.image.manifest.v1+json"
                return self._send(200, {"Content-Type": kind}, data) if data else self._send(404)
            return self._blob(repository, name)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _blob(self, repository: str, name: str) -> None:
            there = state.blobs[repository]
            if state.shows_all:
                there = {key: data for blobs in state.blobs.values() for key, data in blobs.items()}
            if name not in there:
                return self._send(404)
            if self.command == "DELETE":
                if not state.deletes:
                    return self._send(405)
                del state.blobs[repository][name]
                return self._send(202)
            return self._send(
                200, {} if self.command == "GET" else {"Content-Length": str(len(there[name]))}, there[name]
            )

        def _upload(self, repository: str, name: str, query: dict[str, str], body: bytes) -> None:
            if self.command == "POST":
                if "mount" in query:
                    held = query["mount"] in state.blobs[query["from"]]
                    same = query["from"].partition("/")[0] == repository.partition("/")[0]
                    if state.mount == 201 and held and (same or not state.inside):
                        if state.links:
                            state.blobs[repository][query["mount"]] = state.blobs[query["from"]][
                                query["mount"]
                            ]
                        return self._send(201, {"Location": f"/v2/{repository}/blobs/{query['mount']}"})
                    if state.mount not in (201, 202):
                        return self._send(state.mount)
                elif repository != state.own and state.starts != 202:
                    return self._send(
                        state.starts,
                        {},
                        json.dumps({"errors": [{"code": "X", "message": state.says}]}).encode(),
                    )
                key = f"u{len(state.asked)}"
                state.uploads[key] = bytearray()
                return self._send(202, {"Location": f"/v2/{repository}/blobs/uploads/{key}"})
            if name not in state.uploads:
                return self._send(404)
            if self.command == "DELETE":
                del state.uploads[name]
                return self._send(204)
            state.uploads[name] += body
            if self.command == "PATCH":
                return self._send(202, {"Location": urlsplit(self.path).path, "Range": "0-0"})
            data = bytes(state.uploads.pop(name))
            if f"sha256:{hashlib.sha256(data).hexdigest()}" != query["digest"]:
                return self._send(400)
            state.blobs[repository][query["digest"]] = data
            return self._send(201)

        def _token(self, scopes: list[str]) -> None:
            granted = [
                scope for scope in scopes if "push" not in scope or scope.split(":")[1] in state.grants
            ]
            if state.strict and granted != scopes:
                return self._send(403, {}, b'{"errors":[{"message":"not all of these"}]}')
            if state.one:
                granted = granted[:1]
            return self._send(200, {}, json.dumps({"token": "|".join(granted) or "none"}).encode())

        def _allowed(self, path: str, query: dict[str, str]) -> bool:
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if path == "/v2/":
                return bool(token)
            repository = re.split(r"/(?:blobs|manifests|tags)/", path.removeprefix("/v2/"))[0]
            rights = {scope.split(":")[1]: scope.split(":")[2] for scope in token.split("|") if ":" in scope}
            needed = "pull" if self.command in ("GET", "HEAD") else "push"
            source = "from" not in query or "pull" in rights.get(query["from"], "")
            return needed in rights.get(repository, "") and source

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _work

    with serving(Handler) as server:
        state.port = server.server_port
        yield state
