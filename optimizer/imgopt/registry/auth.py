"""The registry's challenge, and the answer to it: Basic, or a Bearer token from the realm that it names.

Credentials go to the registry and to its token realm only: the realm must be on the registry's own host, or named over
HTTPS and itself on HTTPS. Nothing is sent to where a redirect leads.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from imgopt.registry.credentials import Credentials
from imgopt.registry.errors import RegistryError
from imgopt.registry.target import host_name

#: The lifetime of a token whose answer does not say it; the specification's.
_DEFAULT_LIFETIME_S = 60
_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')

#: Asks the realm: method, URL, headers, query or form; gives the parsed JSON.
Ask = Callable[[str, str, Mapping[str, str], Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Challenge:
    scheme: str  # "basic" or "bearer"
    realm: str = ""
    service: str = ""


def parse_challenge(header: str) -> Challenge | None:
    """A WWW-Authenticate header; None when it offers neither Basic nor Bearer."""
    for scheme in ("bearer", "basic"):
        found = re.search(rf"(?:^|,)\s*{scheme}\b\s*(.*)", header, re.IGNORECASE | re.DOTALL)
        if found:
            values = {
                key.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for key, quoted, plain in _PARAMETER.findall(found[1])
            }
            return Challenge(scheme, values.get("realm", ""), values.get("service", ""))
    return None


@dataclass
class Authority:
    """What to put into the Authorization header of requests to one registry. Tokens are kept by their scopes."""

    base: str  # https://host
    credentials: Credentials | None
    ask: Ask
    challenge: Challenge | None = None
    _tokens: dict[tuple[str, ...], tuple[str, float]] = field(default_factory=dict, repr=False)

    def header(self, scopes: tuple[str, ...]) -> str | None:
        """For a request that needs these scopes; None where the registry asks for nothing."""
        if self.challenge is None:
            return None
        if self.challenge.scheme == "basic":
            return self.credentials.basic() if self.credentials is not None else None
        token, until = self._tokens.get(scopes, ("", 0.0))
        if time.monotonic() >= until:
            token, lifetime = self._token(scopes)
            self._tokens[scopes] = (token, time.monotonic() + 0.8 * lifetime)
        return f"Bearer {token}"

    def forget(self) -> None:
        """After a 401: tokens may end early."""
        self._tokens.clear()

    def _token(self, scopes: tuple[str, ...]) -> tuple[str, float]:
        assert self.challenge is not None
        realm = self.challenge.realm
        known = self.credentials if self._may_know(realm) else None
        query: dict[str, Any] = {"service": self.challenge.service} if self.challenge.service else {}
        if known is not None and known.identity_token:
            form = {
                **query,
                "grant_type": "refresh_token",
                "refresh_token": known.identity_token,
                "client_id": "imgopt",
                "scope": " ".join(scopes),
            }
            answer = self.ask("POST", realm, {}, form)
        else:
            headers = {"Authorization": known.basic()} if known is not None else {}
            answer = self.ask("GET", realm, headers, {**query, "scope": list(scopes)})
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise RegistryError("the registry's token service gave no token", "try again")
        lifetime = answer.get("expires_in")
        return token, float(lifetime) if isinstance(lifetime, int | float) else _DEFAULT_LIFETIME_S

    def _may_know(self, realm: str) -> bool:
        here = urlsplit(self.base)
        try:
            there = urlsplit(realm)
            usable = there.scheme in ("http", "https") and there.hostname and there.port != 0
        except ValueError:  # no address at all
            usable = False
        if not usable:
            raise RegistryError("the registry names no usable token service", "ask its administrator")
        if there.scheme == "https" and here.scheme == "https":
            return True
        same = there.hostname == host_name(here.netloc)
        return same and (there.scheme == "https" or here.scheme == "http")
