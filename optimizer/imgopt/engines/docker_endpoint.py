"""Where the Docker daemon is, found as Docker's own command line finds it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from imgopt.engines.engine import EngineError
from imgopt.files.documents import parsed_json
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass
from imgopt.text.quoting import typed
from imgopt.user_directories import home

DEFAULT_HOST = "unix:///var/run/docker.sock"
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``host``: ``unix://…``, ``tcp://…``, ``ssh://…``; ``source``: what names it, for people; ``context``: the
    Docker context, "default" when there is none. The files are PEM; None: no TLS, or no such file."""

    host: str
    source: str
    context: str = "default"
    tls: bool = False
    verify: bool = True
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def config_directory() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker")


def find() -> Endpoint:
    """DOCKER_HOST, else the context that DOCKER_CONTEXT or `docker context use` names, else the default socket.

    EngineError for a context that does not exist or cannot be read.
    """
    if host := os.environ.get("DOCKER_HOST"):
        directory = Path(os.environ.get("DOCKER_CERT_PATH") or config_directory())
        verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
        tls = verify or bool(os.environ.get("DOCKER_TLS"))
        return _with_files(Endpoint(host, "DOCKER_HOST", tls=tls, verify=verify), directory if tls else None)
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        name, source = _current_context(), "docker context"
    if name in ("", "default"):
        return Endpoint(DEFAULT_HOST, "the default socket")
    return _from_context(name, source)


def _current_context() -> str:
    try:
        config = parsed_json(read_file(config_directory() / "config.json", _MOST_BYTES))
    except (OSError, ValueError):
        return ""
    name = config.get("currentContext") if isinstance(config, dict) else None
    return name if isinstance(name, str) else ""


def _from_context(name: str, source: str) -> Endpoint:
    store = config_directory() / "contexts"
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = store / "meta" / folder / "meta.json"
    try:
        endpoint = parsed_json(read_file(meta, _MOST_BYTES))["Endpoints"]["docker"]
        host = str(endpoint["Host"])
        skip = bool(endpoint.get("SkipTLSVerify"))
    except FileNotFoundError as error:
        raise EngineError(
            f"the Docker context {name}, named by {source}, does not exist", "`docker context ls` lists them"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            f"the Docker context {name} cannot be read: {meta}", f"`docker context inspect {typed(name)}`"
        ) from error
    directory = store / "tls" / folder / "docker"
    tls = directory.is_dir() or skip
    return _with_files(
        Endpoint(host, f"the Docker context {name}", name, tls=tls, verify=not skip),
        directory if tls else None,
    )


def _with_files(endpoint: Endpoint, directory: Path | None) -> Endpoint:
    from imgopt.light.records import replace

    if directory is None:
        return endpoint

    def there(name: str) -> Path | None:
        path = directory / name
        return path if path.is_file() else None

    return replace(endpoint, ca=there("ca.pem"), certificate=there("cert.pem"), key=there("key.pem"))
