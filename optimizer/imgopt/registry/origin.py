"""Who is spoken with: a scheme, a host and a port, as browsers tell sites apart.

Credentials go to the registry's own origin, and only what comes from there may ask for them. A name is compared as it
is written, but for its case: what may or may not be the same machine (another spelling of an address, a final dot) is
another origin, which costs a login and never gives one away.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urljoin, urlsplit

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

_PORTS = {"http": 80, "https": 443}
#: No user before the host, no characters that URL readers understand differently ("\\", "%", blanks, letters beyond ASCII).
_AUTHORITY = regex(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*))(?::([0-9]{1,5}))?")
#: What DNS can hold; Python's sockets raise UnicodeError for other labels, which is no failure of a network.
_MOST_NAME_BYTES, _MOST_LABEL_BYTES = 253, 63


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str  # "http" or "https"
    host: str  # lower case; an IPv6 address in its shortest form, without brackets
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def origin_of(url: str) -> Origin:
    """ValueError for what is no absolute http or https URL, or one that could be read in two ways."""
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise ValueError("no URL")
    parts = urlsplit(url)
    found = _AUTHORITY.fullmatch(parts.netloc)
    if parts.scheme not in _PORTS or found is None:
        raise ValueError("no URL of a server")
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = str(ipaddress.IPv6Address(host))
    elif not _is_name(host.removesuffix(".")):
        raise ValueError("no name of a server")
    port = int(found[1]) if found[1] else _PORTS[parts.scheme]
    if not 1 <= port <= 65535:
        raise ValueError("no such port")
    return Origin(parts.scheme, host, port)


def _is_name(host: str) -> bool:
    labels = host.split(".")
    return len(host) <= _MOST_NAME_BYTES and all(1 <= len(each) <= _MOST_LABEL_BYTES for each in labels)


def at_base(url: str, base: str) -> str:
    """The URL's path and query, asked of ``base`` (``https://host[:port]``)."""
    parts = urlsplit(url)
    return base + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def absolute(base: str, given: str) -> str:
    """What an answer from ``base`` names by ``given``; ValueError when it is no address."""
    url = urljoin(base, given) if given else ""
    origin_of(url)
    return url
