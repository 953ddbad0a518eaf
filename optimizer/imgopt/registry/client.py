"""A registry's HTTP interface (OCI distribution), on `requests`: ask, mount, start, finish, name.

Requests that can be repeated are: after a cut connection, 429 (Retry-After) and 5xx, with growing pauses. The bytes of
blobs go another way, `imgopt.registry.wire`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from imgopt import __version__
from imgopt.registry.auth import Authority, parse_challenge
from imgopt.registry.credentials import credentials_for
from imgopt.registry.errors import Interrupted, RegistryError, reason
from imgopt.registry.target import Target
from imgopt.registry.trust import tls_context

if TYPE_CHECKING:
    import requests

USER_AGENT = f"imgopt/{__version__}"
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MOST_JSON_BYTES = 16 * 1024 * 1024
#: Manifests and configs are some kilobytes: who takes longer to say one sends a byte now and then.
LONGEST_ANSWER_S = 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_MOST_REDIRECTS = 5
#: Registries give them in the alphabet's order, a hundred or a thousand at once: the newest may come last.
MOST_TAG_PAGES = 100
#: Redirects that keep the method and the body.
MOVED = (307, 308)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a registry. ``tries`` of one request; pauses between them grow from half a second to half a minute.

    ``told`` hears of each pause: why, and how long (seconds).
    """

    plain_http: bool = False
    insecure: bool = False
    tries: int = 7
    connect_s: float = 20
    answer_s: float = 120
    told: Callable[[str, float], None] | None = None
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes
    url: str = ""  # that was asked last, after redirects


@dataclass(frozen=True, slots=True)
class Manifest:
    """As the registry stores it; ``digest`` is that of its bytes, ``data``."""

    media_type: str
    digest: str
    document: Mapping[str, Any]
    data: bytes = b""


class Client:
    """One registry. Safe to use from several threads."""

    def __init__(self, target: Target, access: Access | None = None) -> None:
        import requests

        self.target = target
        self.access = access or Access()
        self.session = requests.Session()
        # credentials come from the registry's challenge, never from a .netrc
        self.session.auth = _unchanged
        self.context = tls_context(target.host, insecure=self.access.insecure)
        self.session.mount("https://", _adapter(self.context))
        if self.access.insecure:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.least_chunk_bytes = 0  # what the registry takes, but for the last chunk
        self.mute = False  # no "100 Continue" comes through from there
        self.authority = Authority("", credentials_for(target), self._ask_realm)

    def close(self) -> None:
        self.session.close()

    def connect(self) -> None:
        """Finds out whether it is a registry, speaks TLS, and what it wants to know. RegistryError when it is none."""
        answer = self._first_answer()
        if answer.status == 401:
            challenge = parse_challenge(answer.headers.get("www-authenticate", ""))
            if challenge is None:
                raise RegistryError(
                    f"{self.target.name} wants a login of an unknown kind",
                    "it offers neither Basic nor Bearer",
                    status=401,
                )
            self.authority.challenge = challenge
        elif answer.status == 404 and "docker-distribution-api-version" not in answer.headers:
            raise RegistryError(
                f"{self.target.name} is no registry (it has no /v2/)", "check the name", status=404
            )
        elif answer.status not in (200, 404) or self._is_page(answer):
            raise self.refusal(answer, f"ask {self.target.name}")

    _wrong_certificate = False

    def _first_answer(self) -> Answer:
        if self.access.plain_http or not self.target.loopback:
            return self._first("http" if self.access.plain_http else "https", tries=3)
        # a registry on this machine mostly speaks plain HTTP; one with TLS says 400 to it, or hangs up
        for number in range(1, 4):
            for scheme in ("http", "https"):
                try:
                    answer = self._first(scheme, tries=1)
                except RegistryError as error:
                    if self._wrong_certificate or (number == 3 and scheme == "https"):
                        raise error from None
                    continue
                if answer.status != 400 or scheme == "https":
                    return answer
            self.pause(number, "it is not reached")
        raise AssertionError

    def _first(self, scheme: str, tries: int) -> Answer:
        self.authority.base = f"{scheme}://{self.target.host}"
        return self.request("GET", "/v2/", scopes=None, tries=tries, timeout=(self.access.connect_s, 60))

    # --- what registries are asked ---

    def blob_size(self, repository: str, digest: str) -> int | None:
        """Bytes of a blob that the repository has; None when it has not."""
        answer = self.request("HEAD", f"/v2/{repository}/blobs/{digest}", scopes=pull(repository))
        if answer.status == 200:
            length = answer.headers.get("content-length", "")
            return int(length) if length.isdecimal() else -1
        if answer.status in (404, 403):
            return None
        raise self.refusal(answer, f"ask for a blob of {repository}")

    def blob(self, repository: str, digest: str) -> bytes:
        """A small blob: a config."""
        answer = self.request("GET", f"/v2/{repository}/blobs/{digest}", scopes=pull(repository))
        if answer.status != 200:
            raise self.refusal(answer, f"read a config of {repository}")
        if f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            raise RegistryError(f"{self.target.name} gave other bytes than those of {digest[:19]}…")
        return answer.body

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """By tag or digest; None when there is none."""
        answer = self.request(
            "GET",
            f"/v2/{repository}/manifests/{reference}",
            scopes=pull(repository),
            headers={"Accept": ", ".join(MANIFESTS)},
        )
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.refusal(answer, f"read {repository}:{reference}")
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Manifest(media_type, digest, _object(answer.body), answer.body)

    def tags(self, repository: str) -> list[str]:
        """Names of tags, as many pages as the registry gives of them; none when it does not say."""
        found: list[str] = []
        place = f"/v2/{repository}/tags/list?n=1000"
        for _ in range(MOST_TAG_PAGES):
            answer = self.request("GET", place, scopes=pull(repository))
            if answer.status != 200 or self._is_page(answer):
                break
            tags = _object(answer.body).get("tags")
            found += [each for each in tags if isinstance(each, str)] if isinstance(tags, list) else []
            following = _next_page(answer)
            if following is None or not tags:
                break
            place = self.kept_secure(following)
        return found

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Whether it is gone; registries may forbid it."""
        answer = self.request(
            "DELETE",
            f"/v2/{repository}/manifests/{digest}",
            scopes=(f"repository:{repository}:pull,push,delete",),
        )
        return answer.status in (200, 202, 204, 404)

    def mount(self, repository: str, digest: str, source: str) -> str | None:
        """None when the blob is now in the repository, else the location of the upload that was started instead."""
        scopes = (*push(repository), *pull(source))
        answer = self.request(
            "POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}", scopes=scopes
        )
        if answer.status == 201:
            return None
        if answer.status == 202:
            return self.location(answer)
        if answer.status in (400, 401, 403, 404, 405):  # no right to read there, or no mounts
            return self.start_upload(repository)
        raise self.refusal(answer, f"push to {repository}")

    def start_upload(self, repository: str) -> str:
        """Begins an upload; where to send its bytes."""
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/", scopes=push(repository), data=b"")
        if answer.status != 202:
            raise self.refusal(answer, f"push to {repository}")
        least = answer.headers.get("oci-chunk-min-length", "")
        self.least_chunk_bytes = int(least) if re.fullmatch(r"[0-9]{1,9}", least) else 0
        return self.location(answer)

    def cancel_upload(self, repository: str, location: str) -> bool:
        """Whether the registry forgot it."""
        try:
            answer = self.request("DELETE", location, scopes=push(repository), tries=2)
        except RegistryError:
            return False
        return answer.status in (200, 202, 204, 404)

    def location(self, answer: Answer) -> str:
        """Where the next request of an upload goes: absolute, and not from HTTPS to plain HTTP."""
        given = answer.headers.get("location", "")
        try:
            url = urljoin(answer.url or self.authority.base + "/", given)
            usable = urlsplit(url).scheme in ("http", "https") and urlsplit(url).port != 0
        except ValueError:  # no address at all
            usable = False
        if not given or not usable:
            raise RegistryError(
                f"{self.target.name} does not say where to send the bytes", "ask its administrator"
            )
        return self.kept_secure(url)

    def kept_secure(self, url: str) -> str:
        """A registry behind a TLS proxy may name itself http://; on its own host that means https."""
        if urlsplit(url).scheme == "http" and self.authority.base.startswith("https:"):
            if urlsplit(url).hostname != urlsplit(self.authority.base).hostname:
                raise RegistryError(f"{self.target.name} sends the bytes elsewhere over plain HTTP")
            parts = urlsplit(url)
            return parts._replace(scheme="https", netloc=urlsplit(self.authority.base).netloc).geturl()
        return url

    # --- one request ---

    def request(
        self,
        method: str,
        place: str,
        *,
        scopes: tuple[str, ...] | None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        tries: int | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> Answer:
        """``place``: a path, or an upload's absolute location. RegistryError when no answer was to be had; an answer
        of any status is given back, repeated ones when they stay."""
        url = place if "://" in place else self.authority.base + place
        tries = tries or self.access.tries
        renewed = False
        number = 0
        while True:
            number += 1
            if self.access.stopped() and method != "DELETE":  # what was begun is still cancelled
                raise Interrupted
            try:
                answer = self._once(method, url, scopes, headers, data, timeout)
            except _failures() as error:
                if self._hopeless(error) or number >= tries:
                    raise self._unreached(error) from None
                self.pause(number, reason(error))
                continue
            if answer.status == 401 and scopes is not None and not renewed:
                renewed = True
                self.authority.forget()
                challenge = parse_challenge(answer.headers.get("www-authenticate", ""))
                if challenge is not None:
                    self.authority.challenge = challenge
                continue
            if answer.status not in _RETRIED or number >= tries:
                return answer
            self.pause(number, f"it answers {answer.status}", answer.headers.get("retry-after"))

    def _once(
        self,
        method: str,
        url: str,
        scopes: tuple[str, ...] | None,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        timeout: tuple[float, float] | None,
    ) -> Answer:
        for _ in range(_MOST_REDIRECTS):
            sent = {**(headers or {}), "User-Agent": USER_AGENT, **self.authorization(url, scopes)}
            response = self.session.request(
                method,
                url,
                headers=sent,
                data=data,
                timeout=timeout or (self.access.connect_s, self.access.answer_s),
                allow_redirects=False,
                stream=True,
                verify=not self.access.insecure,
            )
            with contextlib.closing(response):
                answer = _answer(response)
            answer = replace(answer, url=url)
            # 301 to 303 would make a GET of what writes
            if answer.status not in ((301, 302, 303, *MOVED) if method in ("GET", "HEAD") else MOVED):
                return answer
            url = self.location(answer)
        raise RegistryError(f"{self.target.name} redirects in circles")

    def authorization(self, url: str, scopes: tuple[str, ...] | None) -> dict[str, str]:
        """The Authorization header for a URL: none for any host but the registry's."""
        here, there = urlsplit(self.authority.base), urlsplit(url)
        if scopes is None or (here.scheme, here.netloc) != (there.scheme, there.netloc):
            return {}
        value = self.authority.header(scopes)
        return {"Authorization": value} if value else {}

    def pause(self, number: int, why: str, retry_after: str | None = None) -> None:
        """Waits before try ``number`` + 1, as long as the registry asks for (two minutes at most)."""
        seconds = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (number - 1))
        asked = _seconds_of(retry_after)
        if asked is not None:
            seconds = min(120.0, max(asked, 0.1))
        if self.access.told is not None:
            self.access.told(why, seconds)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.access.stopped():
            time.sleep(min(0.2, left))

    def _ask_realm(
        self, method: str, url: str, headers: Mapping[str, str], values: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        fields = {"data": values} if method == "POST" else {"params": values}
        for number in range(1, 5):
            try:
                response = self.session.request(
                    method,
                    url,
                    headers={**headers, "User-Agent": USER_AGENT},
                    timeout=(self.access.connect_s, 60),
                    allow_redirects=False,
                    stream=True,
                    verify=not self.access.insecure,
                    **fields,  # type: ignore[arg-type]
                )
                with contextlib.closing(response):
                    answer = _answer(response)
            except _failures() as error:
                if number == 4:
                    raise RegistryError(
                        f"the token service of {self.target.name} does not answer: {reason(error)}",
                        "try again",
                    ) from None
                self.pause(number, "its token service does not answer")
                continue
            if answer.status == 200:
                return _object(answer.body)
            if answer.status not in _RETRIED or number == 4:
                raise self.refusal(answer, "log in")
            self.pause(
                number, f"its token service answers {answer.status}", answer.headers.get("retry-after")
            )
        raise AssertionError

    # --- what went wrong, in words ---

    def refusal(self, answer: Answer, what: str) -> RegistryError:
        """The sentence for an answer that was not the hoped-for one. ``what`` was tried, e.g. "push to shop/api"."""
        name, status = self.target.name, answer.status
        said = _said(answer)
        detail = f" ({said})" if said else ""
        if self._is_page(answer) and status < 400:
            return RegistryError(
                f"{name} answers with a web page, not as a registry",
                "check the name, and the proxy",
                status=status,
            )
        known = self.authority.credentials is not None
        sentences = {
            401: (
                f"{name} {'refuses the credentials' if known else 'wants a login'}{detail}",
                f"docker login {name}",
            ),
            403: (
                f"{name} does not let {'this user' if known else 'anybody without a login'} {what}{detail}",
                "ask for the right" if known else f"docker login {name}",
            ),
            404: (f"{name} has no place to {what}{detail}", "make the repository first, or check its name"),
            405: (f"{name} does not allow to {what}{detail}", "is it a read-only mirror?"),
            413: (
                f"{name}, or a proxy before it, refuses a request as too large",
                "give a smaller --chunk-size, or raise the proxy's limit (client_max_body_size)",
            ),
            429: (f"{name} has had too many requests{detail}", "wait and try again"),
        }
        message, hint = sentences.get(
            status,
            (
                f"{name} failed to {what}: it answers {status}{detail}",
                "try again later, or ask its administrator",
            ),
        )
        return RegistryError(message, hint, status=status)

    def _unreached(self, error: BaseException) -> RegistryError:
        if self._wrong_certificate:
            return RegistryError(
                f"the certificate of {self.target.name} is not trusted: {_certificate_reason(error)}",
                "set REQUESTS_CA_BUNDLE to its CA, put that into /etc/docker/certs.d, or give --insecure",
            )
        scheme = urlsplit(self.authority.base).scheme
        hint = "check the name and the network"
        if scheme == "https" and not self.target.loopback:
            hint += "; a registry without TLS needs --plain-http"
        return RegistryError(f"{self.target.name} is not reached: {reason(error)}", hint)

    def _hopeless(self, error: BaseException) -> bool:
        """TLS does not change its mind, unless it was cut."""
        import requests

        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
            self._wrong_certificate = True
        refused = isinstance(error, requests.exceptions.SSLError) and "EOF" not in text
        return refused or "Name or service not known" in text

    @staticmethod
    def _is_page(answer: Answer) -> bool:
        return "html" in answer.headers.get("content-type", "").lower()


def pull(repository: str) -> tuple[str, ...]:
    return (f"repository:{repository}:pull",)


def push(repository: str) -> tuple[str, ...]:
    return (f"repository:{repository}:pull,push",)


@contextlib.contextmanager
def connected(target: Target, access: Access | None = None) -> Iterator[Client]:
    """A client that has spoken with the registry."""
    client = Client(target, access)
    try:
        client.connect()
        yield client
    finally:
        client.close()


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _failures() -> tuple[type[BaseException], ...]:
    import requests
    import urllib3

    return (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def _adapter(context: Any) -> Any:
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
            super().init_poolmanager(*arguments, **settings, ssl_context=context)

        def proxy_manager_for(self, proxy: Any, **settings: Any) -> Any:
            return super().proxy_manager_for(proxy, **settings, ssl_context=context)

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            """The context knows whom to trust; requests would add its own list to it."""
            conn.cert_reqs = "CERT_REQUIRED" if context.verify_mode else "CERT_NONE"
            conn.assert_hostname = None if context.check_hostname else False

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
            return host, {
                "cert_reqs": "CERT_REQUIRED" if context.verify_mode else "CERT_NONE",
                "ssl_context": context,
            }

    return Adapter()


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes: `iter_content` would wait until a block is full."""
    read1 = getattr(response.raw, "read1", None)  # urllib3 2.1
    if read1 is None:
        yield from response.iter_content(1)
        return
    while block := read1(1 << 16, decode_content=True):
        yield block


def _answer(response: requests.Response) -> Answer:
    body = bytearray()
    end = time.monotonic() + LONGEST_ANSWER_S
    for block in _blocks(response):
        body += block
        if len(body) > MOST_JSON_BYTES:
            raise RegistryError("the registry's answer is too long", "is it a registry?")
        if time.monotonic() > end:
            raise RegistryError(
                f"the registry's answer has no end after {LONGEST_ANSWER_S:g} s",
                "try again, or ask whoever runs it",
            )
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryError("the registry's answer is not the JSON it should be", "is it a registry?")
    return document


def _next_page(answer: Answer) -> str | None:
    """Of its Link header."""
    link = re.search(r'<([^>]*)>\s*;[^,]*\brel="?next\b', answer.headers.get("link", ""))
    try:
        return urljoin(answer.url, link[1]) if link else None
    except ValueError:
        return None


def _said(answer: Answer) -> str:
    """The registry's own message, if it has the usual form."""
    try:
        first = json.loads(answer.body)["errors"][0]
        text = str(first.get("message") or first.get("code") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    return " ".join(text.split())[:160]


def _seconds_of(retry_after: str | None) -> float | None:
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, TypeError, IndexError):
        return None


def _certificate_reason(error: BaseException) -> str:
    found = re.search(r"certificate verify failed: ([^(\"']+)", str(error))
    return found[1].strip() if found else "it is for another name"
