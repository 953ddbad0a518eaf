"""The registry's challenge, and the answer to it: Basic, or a Bearer token from the realm that it names.

Credentials go to the registry and to its token realm only: the realm must be on the registry's own host, or named over
HTTPS and itself on HTTPS. Nothing is sent to where a redirect leads, and only the registry's own origin names a realm
(`Client.renew` sees to it).
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.registry.credentials import Credentials
from imgopt.registry.errors import RegistryError
from imgopt.registry.origin import origin_of

#: The lifetime of a token whose answer does not say it; the specification's.
_DEFAULT_LIFETIME_S = 60.0
_LONGEST_LIFETIME_S = 86_400.0
#: What fits into a header: no blanks, no line ends, and no more than servers take.
_TOKEN = regex(r"[!-~]{1,65536}")
_PARAMETER = regex(r'(?<![A-Za-z_])([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')

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
    withheld: str = ""  # the origin of a token service that was not told the credentials
    _tokens: dict[tuple[str, ...], tuple[str, float]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)
    _locks: dict[tuple[str, ...], Lock] = field(default_factory=dict, repr=False)  # while one is fetched
    _given: deque[str] = field(default_factory=lambda: deque(maxlen=100), repr=False)

    def header(self, scopes: tuple[str, ...]) -> str | None:
        """For a request that needs these scopes; None where the registry asks for nothing."""
        if self.challenge is None:
            return None
        if self.challenge.scheme == "basic":
            return self.credentials.basic() if self.credentials is not None else None
        with self._lock:
            lock = self._locks.setdefault(scopes, Lock())
        with lock:
            token = self._held(scopes)
            if token is None:
                token, lifetime = self._token(scopes)
                with self._lock:
                    self._given.append(token)
                    self._tokens[scopes] = (token, time.monotonic() + 0.8 * lifetime)
        return f"Bearer {token}"

    def _held(self, scopes: tuple[str, ...]) -> str | None:
        """A token that was given for these scopes, or for more of the same repository."""
        now = time.monotonic()
        with self._lock:
            known = {held: token for held, (token, until) in self._tokens.items() if now < until}
        return known.get(scopes) or next((known[held] for held in known if _covers(held, scopes)), None)

    def forget(self, scopes: tuple[str, ...] | None) -> None:
        """After a 401 to a request of these scopes: tokens may end early. None: all of them."""
        with self._lock:
            for held in [*self._tokens]:
                if scopes is None or held == scopes or _covers(held, scopes):
                    del self._tokens[held]

    def secrets(self) -> list[str]:
        """What must not be repeated in any message."""
        known = self.credentials
        own = [known.password, known.identity_token, known.basic().partition(" ")[2]] if known else []
        return [each for each in (*own, *tuple(self._given)) if each]

    def _token(self, scopes: tuple[str, ...]) -> tuple[str, float]:
        assert self.challenge is not None
        realm = self.challenge.realm
        known = self.credentials if self._may_know(realm) else None
        self.withheld = str(origin_of(realm)) if known is not self.credentials else ""
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
        if not _TOKEN.fullmatch(token):  # its text is a secret even so
            raise RegistryError(
                "the registry's token service gave a token that no request can carry", "ask its administrator"
            )
        return token, _lifetime(answer.get("expires_in"))

    def _may_know(self, realm: str) -> bool:
        here = origin_of(self.base)
        try:
            there = origin_of(realm)
        except ValueError:  # no address at all
            raise RegistryError(
                "the registry names no usable token service", "ask its administrator"
            ) from None
        if there.scheme == "https" and here.scheme == "https":
            return True
        return there.host == here.host and (there.scheme == "https" or here.scheme == "http")


def _covers(held: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a token for one repository does for less of it. One for two repositories may have been given for the one
    only, and says nothing of it."""
    if len(held) != 1 or len(wanted) != 1:
        return False
    (here, _, may), (there, _, need) = held[0].rpartition(":"), wanted[0].rpartition(":")
    return here == there and set(need.split(",")) <= set(may.split(","))


def _lifetime(value: Any) -> float:
    """Seconds; the usual ones when it is no number, a day at most."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return float(min(value, _LONGEST_LIFETIME_S)) if usable else _DEFAULT_LIFETIME_S
