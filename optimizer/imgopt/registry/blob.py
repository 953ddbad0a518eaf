"""A blob of a registry, read like a file: the request goes on behind a cut, from where it was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgopt.errors import MeasureError

if TYPE_CHECKING:
    import requests

    from imgopt.registry.client import Client


_TRIES = 5
#: Answers that may be better the next time.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class RemoteBlob:
    """A blob in a registry as an `Extent`: reading on where the last read ended goes on with the same answer.

    MeasureError when the registry does not give it.
    """

    def __init__(self, client: Client, repository: str, digest: str, size: int, label: str) -> None:
        self.size = size
        self.label = label
        self._client, self._repository, self._digest = client, repository, digest
        self._answer: requests.Response | None = None
        self._position = 0

    def read_at(self, position: int, count: int) -> bytes:
        return self._read(position, count, whole=True)

    def read_some(self, position: int, count: int) -> bytes:
        """What has come already, at least a byte: who gives it a byte now and then does not keep the reader waiting."""
        return self._read(position, count, whole=False)

    def _read(self, position: int, count: int, *, whole: bool) -> bytes:
        count = max(0, min(count, self.size - position))
        if not count:
            return b""
        for number in range(1, _TRIES + 1):
            try:
                if self._answer is None or self._position != position:
                    self._start(position)
                assert self._answer is not None
                raw = self._answer.raw
                read = raw.read if whole else getattr(raw, "read1", raw.read)  # urllib3 2.1
                data: bytes = read(count)
            except _failures() as error:
                self.close()
                busy = isinstance(error, _Busy)
                why = str(error) if busy else f"the registry stopped giving it ({type(error).__name__})"
                if number == _TRIES:
                    # its own text may hold the address, and a storage's address the right to read it
                    raise MeasureError(why, "try again later", path=self.label) from None
                wait = error.retry_after if isinstance(error, _Busy) else None
                self._client.pause(number, why, wait)
                continue
            if data:
                self._position += len(data)
                return data
            self.close()
            if number < _TRIES:
                self._client.pause(number, "the connection was cut")
        raise MeasureError(
            "the registry gives fewer bytes than its manifest says", "push the image again", path=self.label
        )

    def _start(self, position: int) -> None:
        from imgopt.registry.client import Answer, pull, stored

        self.close()
        url = self._client.authority.base + stored(self._repository, "blobs", self._digest)
        headers = {"Accept-Encoding": "identity"}
        if position:
            headers["Range"] = f"bytes={position}-"
        answer, given_by = self._client.follow("GET", url, pull(self._repository), headers)
        if answer.status_code == 401:  # a token lives for minutes, a download may for longer
            answer.close()
            refused = Answer(401, {k.lower(): v for k, v in answer.headers.items()}, b"", given_by)
            self._client.renew(refused, pull(self._repository))
            answer, given_by = self._client.follow("GET", url, pull(self._repository), headers)
        if answer.status_code == (206 if position else 200):
            self._answer, self._position = answer, position
        elif answer.status_code == 200:  # it knows no ranges: what was read already is read past
            self._answer, self._position = answer, 0
            self._read_past(position)
        elif answer.status_code in _PASSING:
            answer.close()
            raise _Busy(answer.status_code, answer.headers.get("Retry-After"))
        else:
            answer.close()
            if not self._client.is_own(given_by):
                raise self._client.refusal(Answer(answer.status_code, {}, b"", given_by), "read a layer")
            raise MeasureError(
                f"the registry answers {answer.status_code} to a layer",
                "push the image again",
                path=self.label,
            )

    def _read_past(self, position: int) -> None:
        assert self._answer is not None
        while self._position < position:
            data = self._answer.raw.read(min(1 << 20, position - self._position))
            if not data:
                raise OSError("cut short")
            self._position += len(data)

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None


class _Busy(OSError):
    """The registry answers that it cannot just now."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(f"the registry answers {status} to a layer")
        self.retry_after = retry_after


def _failures() -> tuple[type[BaseException], ...]:
    import requests
    import urllib3

    return (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
