"""A registry's HTTP interface (OCI distribution), on `requests`: ask, mount, start, finish, name.

Requests that can be repeated are: after a cut connection, 429 (Retry-After) and 5xx, with growing pauses. The bytes of
blobs go another way, `imgopt.registry.wire`.

Who is told what, and who is believed, is decided here for every request, by origins (`imgopt.registry.origin`):

* Credentials and tokens (`authorization`) go to the registry's own origin, and only while nobody else has led there.
* A 401 (`renew`) asks for a login only when it came from there; from elsewhere it is that host's error.
* An answer leads elsewhere (`led`) never from HTTPS to plain HTTP. Where bytes are written, only the registry itself
  may name another host: some keep uploads on one.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from imgopt import __version__
from imgopt.files.documents import parsed_json
from imgopt.light.records import dataclass, replace
from imgopt.registry.auth import Authority, parse_challenge
from imgopt.registry.credentials import Credentials, credentials_for
from imgopt.registry.errors import Interrupted, RegistryError, reason
from imgopt.registry.origin import Origin, absolute, at_base, origin_of
from imgopt.registry.target import Target
from imgopt.registry.trust import shows_certificate, tls_context
from imgopt.text.quoting import typed

if TYPE_CHECKING:
    import ssl

    import requests

USER_AGENT = f"imgopt/{__version__}"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    *INDEXES,
)
MOST_JSON_BYTES = 16 * 1024 * 1024
#: Manifests and configs are some kilobytes: who takes longer to say one sends a byte now and then.
LONGEST_ANSWER_S = 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_MOST_REDIRECTS = 5
#: Kept open; what is asked at the same time for several images would else connect anew each time.
_MOST_CONNECTIONS = 128
#: Registries give them in the alphabet's order, a hundred or a thousand at once: the newest may come last.
MOST_TAG_PAGES = 100
#: Redirects that keep the method and the body.
MOVED = (307, 308)
_REDIRECTS = (301, 302, 303, *MOVED)


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


@dataclass(frozen=True, slots=True)
class Mount:
    """Whether a blob was ``mounted``, and the answer's status. ``location``: of the upload that the registry began in its
    place."""

    mounted: bool
    status: int
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """``whole``: the registry has named all that there are; else it refused, or there was more than was asked for."""

    names: tuple[str, ...]
    whole: bool


class Client:
    """One registry. Safe to use from several threads."""

    def __init__(
        self,
        target: Target,
        access: Access | None = None,
        known: Callable[[Target], Credentials | None] | None = None,
    ) -> None:
        self.target = target
        self.access = access or Access()
        try:
            self.own: Origin = origin_of(f"https://{target.host}")
        except ValueError:
            raise RegistryError(
                f"cannot connect to {target.name}: it is not the name of a server and port", "check the name"
            ) from None
        self.context = tls_context(target.host, insecure=self.access.insecure)
        self._strangers = self.context  # TLS with anybody else
        if shows_certificate(target.host):
            self._strangers = tls_context(target.host, insecure=self.access.insecure, known=False)
        self.session = _session(self._strangers)
        self.session.mount(f"https://{target.host}/", _adapter(self.context))
        self._login = _session(self.context)  # with a token service that is told the password
        if self.access.insecure:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.least_chunk_bytes = 0  # what the registry takes, but for the last chunk
        self.mute = False  # no "100 Continue" comes through from there
        self.authority = Authority("", (known or credentials_for)(target), self._ask_realm)

    def close(self) -> None:
        self.session.close()
        self._login.close()

    def connect(self) -> None:
        """Finds out whether it is a registry, speaks TLS, and what it wants to know. RegistryError when it is none."""
        answer = self._first_answer()
        if answer.status == 401:
            self.renew(answer)
            if self.authority.challenge is None:
                raise RegistryError(
                    f"{self.target.name} wants a login of an unknown kind",
                    "it offers neither Basic nor Bearer",
                    status=401,
                )
        elif answer.status == 404 and "docker-distribution-api-version" not in answer.headers:
            raise RegistryError(
                f"{self.target.name} is not a registry (it has no /v2/)", "check the name", status=404
            )
        elif answer.status not in (200, 404) or self._is_page(answer):
            raise self.refusal(answer, f"ask {self.target.name}")

    _wrong_certificate = False

    def _first_answer(self) -> Answer:
        if self.access.plain_http or not self.target.loopback:
            return self._first("http" if self.access.plain_http else "https", tries=3)
        # a registry on this machine mostly speaks plain HTTP; one with TLS says 400 to it, or hangs up
        for number in range(1, 4):
            told: RegistryError | None = None
            for scheme in ("http", "https"):
                try:
                    answer = self._first(scheme, tries=1)
                except RegistryError as error:
                    told = told or (error if error.status is not None else None)
                    if self._wrong_certificate or (scheme == "https" and (told or number == 3)):
                        raise told or error from None
                    continue
                if answer.status != 400 or scheme == "https":
                    return answer
            self.pause(number, "it cannot be connected to")
        raise AssertionError

    def _first(self, scheme: str, tries: int) -> Answer:
        base = f"{scheme}://{self.target.host}"
        self.own = origin_of(base)
        self.authority.base = base
        return self.request("GET", "/v2/", scopes=None, tries=tries, timeout=(self.access.connect_s, 60))

    # --- what registries are asked ---

    def blob_size(self, repository: str, digest: str) -> int | None:
        """Bytes of a blob that the repository has; None when it has not."""
        answer = self.request("HEAD", stored(repository, "blobs", digest), scopes=pull(repository))
        if answer.status == 200:
            length = answer.headers.get("content-length", "")
            return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else -1
        if answer.status in (404, 403):
            return None
        raise self.refusal(answer, f"ask for a blob of {repository}")

    def blob(self, repository: str, digest: str) -> bytes:
        """A small blob: a config."""
        answer = self.request("GET", stored(repository, "blobs", digest), scopes=pull(repository))
        if answer.status != 200:
            raise self.refusal(answer, f"read a config of {repository}")
        if f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            raise RegistryError(f"{self.target.name} gave other bytes than those of {digest[:19]}…")
        return answer.body

    def manifest(self, repository: str, reference: str, *, tries: int | None = None) -> Manifest | None:
        """By tag or digest; None when there is none."""
        answer = self.request(
            "GET",
            stored(repository, "manifests", reference),
            scopes=pull(repository),
            headers={"Accept": ", ".join(MANIFESTS)},
            tries=tries,
        )
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.refusal(answer, f"read {repository}:{reference}")
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Manifest(media_type, digest, _object(answer.body), answer.body)

    def tags(self, repository: str, *, pages: int = MOST_TAG_PAGES, tries: int | None = None) -> Tags:
        """Names of tags, as many pages as the registry gives of them; none when it does not say."""
        found: list[str] = []
        whole = False
        place = f"/v2/{repository}/tags/list?n=1000"
        for _ in range(pages):
            answer = self.request("GET", place, scopes=pull(repository), tries=tries)
            if answer.status != 200 or self._is_page(answer):
                break
            tags = _object(answer.body).get("tags")
            names = [each for each in tags if isinstance(each, str)] if isinstance(tags, list) else []
            found += names
            following = self._next_page(answer)
            if following is None or not tags:
                # null is what registries say of none
                whole = names == (tags or []) and "next" not in answer.headers.get("link", "").lower()
                break
            if len(names) != len(tags):
                break
            place = following
        return Tags(tuple(found), whole)

    def _next_page(self, answer: Answer) -> str | None:
        """Of its Link header. A registry behind a proxy may call itself by another name there: the place counts only."""
        link = re.search(r'<([^>]*)>\s*;[^,]*\brel="?next\b', answer.headers.get("link", ""))
        try:
            return at_base(absolute(answer.url, link[1]), self.authority.base) if link else None
        except ValueError:
            return None

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Whether it is gone; registries may forbid it."""
        answer = self.request(
            "DELETE",
            stored(repository, "manifests", digest),
            scopes=(f"repository:{repository}:pull,push,delete",),
        )
        return answer.status in (200, 202, 204, 404)

    def mount(self, repository: str, digest: str, source: str) -> Mount:
        """Asks the registry to take a blob over from another of its repositories, without a byte of it being sent."""
        scopes = (*push(repository), *pull(source))
        answer = self.request(
            "POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}", scopes=scopes
        )
        if answer.status == 201:
            return Mount(True, answer.status)
        if answer.status == 202:
            return Mount(False, answer.status, self._begun(answer))
        if answer.status in (400, 401, 403, 404, 405):  # no right to read there, or no mounts
            return Mount(False, answer.status)
        raise self.refusal(answer, f"push to {repository}")

    def start_upload(self, repository: str) -> str:
        """Begins an upload; where to send its bytes."""
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/", scopes=push(repository), data=b"")
        if answer.status != 202:
            raise self.refusal(answer, f"push to {repository}")
        return self._begun(answer)

    def _begun(self, answer: Answer) -> str:
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
        """Where the next request of an upload goes; see `led`."""
        return self.led(answer, writes=True)

    # --- who is told what, who is believed ---

    def is_own(self, url: str) -> bool:
        """Whether this is the registry itself: its scheme, host and port."""
        try:
            return origin_of(url) == self.own
        except ValueError:
            return False

    def authorization(self, url: str, scopes: tuple[str, ...] | None) -> dict[str, str]:
        """The Authorization header for a URL: none for any origin but the registry's."""
        if scopes is None or not self.is_own(url):
            return {}
        value = self.authority.header(scopes)
        return {"Authorization": value} if value else {}

    def authorize(self, scopes: tuple[str, ...]) -> None:
        """Has a token for what is going to be asked: one for all of it, not one for each kind of question."""
        self.authority.header(scopes)

    def context_for(self, url: str) -> ssl.SSLContext:
        """TLS for a URL: a client certificate is shown to the registry only."""
        return self.context if self.is_own(url) else self._strangers

    def renew(self, answer: Answer, scopes: tuple[str, ...] | None = None) -> None:
        """After a 401 to a request of these scopes: takes what it asks for, so that the request can be made once more.

        RegistryError when it does not come from the registry: nobody else is told who we are.
        """
        if not self.is_own(answer.url):
            raise self.refusal(answer, "log in")
        self.authority.forget(scopes)
        challenge = parse_challenge(answer.headers.get("www-authenticate", ""))
        if challenge is not None:
            self.authority.challenge = challenge

    def led(self, answer: Answer, *, writes: bool) -> str:
        """The absolute URL that an answer's Location names; RegistryError when it is none, or none to follow.

        A registry behind a TLS proxy may name itself http://; on its own host that means https.
        """
        try:
            url = absolute(answer.url, answer.headers.get("location", ""))
        except ValueError:  # no address at all
            raise RegistryError(
                f"{self.target.name} does not say where to send the bytes", "ask its administrator"
            ) from None
        here, there = origin_of(answer.url), origin_of(url)
        if there == self.own or (there.host == self.own.host and there.scheme == "http" != self.own.scheme):
            url, there = at_base(url, self.authority.base), self.own
        if there.scheme == "http" and "https" in (here.scheme, self.own.scheme):
            raise RegistryError(
                f"{self._who(here)} leads elsewhere over plain HTTP, to {there}",
                "ask its administrator",
            )
        if writes and here not in (self.own, there):
            raise RegistryError(
                f"{self._who(here)} sends the bytes on to {there}, which only {self.target.name} itself may do",
                f"ask the administrator of {self.target.name}",
            )
        return url

    def _who(self, origin: Origin) -> str:
        """A speaker by name: whoever is not the registry is one that it has led to."""
        return self.target.name if origin == self.own else f"{origin}, to which {self.target.name} leads,"

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
        url = self.authority.base + place if place.startswith("/") else place
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
            if answer.status == 401 and not renewed and (scopes is not None or not self.is_own(answer.url)):
                renewed = True
                self.renew(answer, scopes)
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
        response, url = self.follow(method, url, scopes, headers, data, timeout)
        with contextlib.closing(response):
            return replace(_answer(response), url=url)

    def follow(
        self,
        method: str,
        url: str,
        scopes: tuple[str, ...] | None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> tuple[requests.Response, str]:
        """One try of a request, to where redirects lead: the answer, unread, and who gave it."""
        reads = method in ("GET", "HEAD")
        known = True
        for _ in range(_MOST_REDIRECTS):
            known = known and self.is_own(url)  # whoever was led away comes back as a stranger
            attached = self.authorization(url, scopes) if known else {}
            response = self.session.request(
                method,
                url,
                headers={**(headers or {}), "User-Agent": USER_AGENT, **attached},
                data=data,
                timeout=timeout or (self.access.connect_s, self.access.answer_s),
                allow_redirects=False,
                stream=True,
                verify=not self.access.insecure,
            )
            # 301 to 303 would make a GET of what writes
            if response.status_code not in (_REDIRECTS if reads else MOVED):
                return response, url
            with contextlib.closing(response):
                answer = replace(_answer(response), url=url)
            url = self.led(answer, writes=not reads)
        raise RegistryError(f"{self.target.name} redirects in circles")

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
        session = self._login if headers or method == "POST" else self.session
        for number in range(1, 5):
            try:
                response = session.request(
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
            if answer.status in _REDIRECTS:
                raise RegistryError(
                    f"the token service of {self.target.name} sends the login on to another place",
                    f"ask the administrator of {self.target.name}",
                    status=answer.status,
                )
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
        login = f"docker login {typed(name)}"
        said = _said(answer, self.authority.secrets())
        detail = f" ({said})" if said else ""
        if answer.url and not self.is_own(answer.url):
            return self._stranger(origin_of(answer.url), answer, detail)
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
                login,
            ),
            403: (
                f"{name} does not let {'this user' if known else 'anybody without a login'} {what}{detail}",
                "ask for the right" if known else login,
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
        if status == 401 and self.authority.withheld:
            message = (
                f"{name} wants a login at {self.authority.withheld}, where no credentials go over plain HTTP"
            )
            hint = "ask its administrator for a token service with HTTPS"
        return RegistryError(message, hint, status=status)

    def _stranger(self, origin: Origin, answer: Answer, detail: str) -> RegistryError:
        name, status = self.target.name, answer.status
        if status != 401:
            return RegistryError(
                f"{origin}, to which {name} leads, answers {status}{detail}",
                f"ask the administrator of {name}",
                status=status,
            )
        upgraded = origin.host == self.own.host and (origin.scheme, self.own.scheme) == ("https", "http")
        return RegistryError(
            f"{origin}, to which {name} leads, wants a login{detail}; the credentials of {name} go to {self.own} only",
            "leave --plain-http out" if upgraded else f"ask the administrator of {name}",
            status=status,
        )

    def _unreached(self, error: BaseException) -> RegistryError:
        asked = getattr(getattr(error, "request", None), "url", None) or self.authority.base
        if not self.is_own(asked):
            with contextlib.suppress(ValueError):
                return RegistryError(
                    f"cannot connect to {origin_of(asked)}, to which {self.target.name} leads: {reason(error)}",
                    f"check the network, or ask the administrator of {self.target.name}",
                )
        if self._wrong_certificate:
            return RegistryError(
                f"the certificate of {self.target.name} is not trusted: {_certificate_reason(error)}",
                "set REQUESTS_CA_BUNDLE to its CA, put that into /etc/docker/certs.d, or give --insecure",
            )
        hint = "check the name and the network"
        if self.own.scheme == "https" and not self.target.loopback:
            hint += "; a registry without TLS needs --plain-http"
        return RegistryError(f"cannot connect to {self.target.name}: {reason(error)}", hint)

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


def stored(repository: str, kind: str, reference: str) -> str:
    """The path of a blob or manifest. RegistryError for a digest that is none: manifests name them, and one that
    leads to another path would be asked for there, with the user's login."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+:-]*", reference):
        raise RegistryError(
            f"{repository} names something by a text that is not a digest", "push the image again"
        )
    return f"/v2/{repository}/{kind}/{reference}"


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


def _session(context: ssl.SSLContext) -> requests.Session:
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Nowhere: redirects are followed here. requests would read one's body to its end, whatever its length, and
            take its address apart, even of those that it does not follow."""

    session = Session()
    # credentials come from the registry's challenge, never from a .netrc
    session.auth = _unchanged
    # cookies know no ports, and some go to the domain's other hosts
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.mount("https://", _adapter(context))
    session.mount("http://", _adapter(context))
    return session


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

    return Adapter(pool_maxsize=_MOST_CONNECTIONS)


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
        document = parsed_json(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryError("the registry's answer is not the JSON it should be", "is it a registry?")
    return document


def _said(answer: Answer, secrets: Sequence[str] = ()) -> str:
    """The registry's own message, if it has the usual form; nothing of one that repeats a secret."""
    try:
        first = parsed_json(answer.body)["errors"][0]
        text = str(first.get("message") or first.get("code") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    if any(secret in text or secret in " ".join(text.split()) for secret in secrets):
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
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _certificate_reason(error: BaseException) -> str:
    found = re.search(r"certificate verify failed: ([^(\"']+)", str(error))
    return found[1].strip() if found else "it is for another name"
