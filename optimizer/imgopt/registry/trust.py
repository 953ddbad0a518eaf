"""TLS as Docker and Podman have it: the system's certificates, those of certs.d, client certificates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from imgopt.errors import InputError
from imgopt.user_directories import home

_DIRECTORIES = (Path("/etc/docker/certs.d"), Path("/etc/containers/certs.d"))


def tls_context(host: str, *, insecure: bool, known: bool = True) -> ssl.SSLContext:
    """For one ``host[:port]``. REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE replace the usual roots.
    ``known`` False: the same trust, for other hosts, which are shown no client certificate.

    InputError when a certificate cannot be read.
    """
    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    place = bundle or ""
    try:
        if bundle:
            context = ssl.create_default_context(
                cafile=None if Path(bundle).is_dir() else bundle,
                capath=bundle if Path(bundle).is_dir() else None,
            )
        elif not context.get_ca_certs():
            import certifi

            place = certifi.where()
            context.load_verify_locations(place)
        for file in _certificates(host):
            place = str(file)
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif known and file.with_suffix(".key").exists():
                context.load_cert_chain(file, file.with_suffix(".key"))
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"this certificate cannot be used: {error.strerror or error}", "give PEM files", path=place
        ) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def shows_certificate(host: str) -> bool:
    """Whether this host is shown a client certificate."""
    return any(file.suffix != ".crt" for file in _certificates(host))


def _certificates(host: str) -> Iterator[Path]:
    for directory in (*_DIRECTORIES, home() / ".config" / "containers" / "certs.d"):
        yield from sorted(directory.joinpath(host).glob("*.c*rt"))
