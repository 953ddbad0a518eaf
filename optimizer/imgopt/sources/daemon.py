"""A daemon's image, as `docker save` streams it, through the docker SDK.

The daemon is found as Docker's command line finds it: DOCKER_HOST, DOCKER_CONTEXT, the current context, the
default socket; with TLS where they say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

from imgopt.errors import MeasureError
from imgopt.files.docker_settings import check_docker_settings

_TIMEOUT_S = 600
_BLOCK_BYTES = 2 << 20


def connect(timeout: float = _TIMEOUT_S) -> Any:
    """A `docker.DockerClient`. MeasureError when no daemon answers; the sentence names its address."""
    import docker
    from docker.errors import DockerException

    check_docker_settings()
    address = None
    try:
        settings = _settings()
        address = settings.get("base_url")
        client = docker.DockerClient(
            **settings,
            timeout=timeout,
            version=docker.constants.MINIMUM_DOCKER_API_VERSION,  # until the daemon has been asked
            use_ssh_client=str(address).startswith("ssh://"),
        )
        if getattr(settings.get("tls"), "ca_cert", None):
            client.api.trust_env = False  # REQUESTS_CA_BUNDLE would take the place of the daemon's own CA
        client.api._version = client.api._retrieve_server_version()
    except (DockerException, OSError, ValueError) as error:
        reason = _reason(error)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise MeasureError(
                f"the Docker daemon at {address} cannot be trusted over TLS: {reason}",
                "put its CA into DOCKER_CERT_PATH as ca.pem; a tar or an OCI layout needs no daemon",
            ) from error
        raise MeasureError(
            f"no Docker daemon answers at {address or 'the default socket'}: {reason}",
            "start it, or set DOCKER_HOST; a tar or an OCI layout needs no daemon",
        ) from error
    return client


def _settings() -> dict[str, Any]:
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    settings: dict[str, Any] = kwargs_from_env()
    if os.environ.get("DOCKER_HOST"):
        return settings
    name = os.environ.get("DOCKER_CONTEXT") or None
    context = ContextAPI.get_context(name)
    if context is None:
        raise ValueError(f"there is no Docker context {name!r}")
    if context.name == "default":
        return settings or {"base_url": "unix:///var/run/docker.sock"}
    settings = {"base_url": context.Host}
    if context.TLSConfig:
        settings["tls"] = context.TLSConfig
    return settings


def save(name: str, platform: str | None, *others: str) -> IO[bytes]:
    """The image, or several, as `docker save` writes them, in an unnamed temporary file that ends with its handle.

    MeasureError when the daemon does not answer, has no such image or stops in the middle, or the disk is full.
    """
    import requests
    from docker.errors import APIError, DockerException, ImageNotFound

    from imgopt.images.spool import drop_spool, new_spool, rewind_spool, write_spool

    client = connect()
    spool = new_spool()
    try:
        for block in client.api.get_image(name) if not others else _together(client.api, (name, *others)):
            write_spool(spool, block)
        if not spool.tell():
            raise MeasureError(f"the daemon sent nothing for {name}", "look at the daemon's log")
        rewind_spool(spool)
    except ImageNotFound as error:
        drop_spool(spool)
        raise MeasureError(
            f"the daemon has no image {name}", "build or pull it, or give a tar or an OCI layout"
        ) from error
    except APIError as error:
        drop_spool(spool)
        if error.status_code == 404:
            raise MeasureError(
                f"the daemon has no image {name}", "build or pull it, or give a tar or an OCI layout"
            ) from error
        raise MeasureError(f"the daemon does not give {name}: {_reason(error)}", "look at its log") from error
    except (DockerException, requests.RequestException, OSError) as error:
        drop_spool(spool)
        raise MeasureError(f"the daemon stopped giving {name}: {_reason(error)}", "try again") from error
    except BaseException:
        drop_spool(spool)
        raise
    finally:
        client.close()
    return spool


def _together(api: Any, names: Sequence[str]) -> Iterator[bytes]:
    """A request of Docker's that the SDK has no name for: one archive, in which a layer that several have lies once."""
    answer = api._get(api._url("/images/get"), params={"names": list(names)}, stream=True)
    blocks: Iterator[bytes] = api._stream_raw_result(answer, _BLOCK_BYTES, False)
    return blocks


def _reason(error: BaseException) -> str:
    """The innermost cause: the SDK wraps requests', which wraps urllib3's, which wraps the system's."""
    explanation = getattr(error, "explanation", None)
    if explanation:
        return " ".join(str(explanation).split())[:300]
    while True:
        inner = (
            error.__cause__
            or error.__context__
            or next((a for a in error.args if isinstance(a, Exception)), None)
        )
        if inner is None:
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:300]
