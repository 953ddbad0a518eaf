"""What a registry, or the way to it, did wrong: one sentence, what to do, never a credential."""

from __future__ import annotations

from imgopt.errors import MeasureError


class RegistryError(MeasureError):
    """The registry refused, failed or was not reached. ``status``: its HTTP status, None when there was no answer."""

    def __init__(self, message: str, hint: str | None = None, *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class Interrupted(KeyboardInterrupt):
    """The user stopped it; what was sent is noted for the next run."""


def reason(error: BaseException) -> str:
    """The innermost cause in a few words. URLs are left out: an upload's hold its secret."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = error.__cause__ or error.__context__
        if inner is None:
            inner = next((each for each in error.args if isinstance(each, BaseException)), None)
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    if isinstance(error, TimeoutError) or "timed out" in str(error).lower():
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror and not isinstance(error.strerror, tuple):
        said = str(error.strerror)
        return said[:1].lower() + said[1:]
    text = " ".join(str(error).split())
    # an address may hold a password (a proxy's), a header that cannot be sent a token
    if not text or "://" in text or "@" in text or "_state" in text or "eader value" in text:
        return type(error).__name__
    return text[:200]
