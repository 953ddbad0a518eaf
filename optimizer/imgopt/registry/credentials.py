"""Who we are to a registry, as Docker's and Podman's configuration say.

The docker SDK reads Docker's (auths, credsStore, credHelpers); Podman's auth.json has auths and credHelpers.
"""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imgopt.errors import InputError
from imgopt.files.docker_settings import check_docker_settings
from imgopt.files.documents import parsed_json
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass, field
from imgopt.registry.errors import RegistryError
from imgopt.registry.target import Target
from imgopt.text.quoting import typed
from imgopt.user_directories import home

#: An auth.json has a line for each registry.
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with a password, or an identity token. Neither is ever shown."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)

    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def credentials_for(target: Target, asked: dict[str, Credentials | None] | None = None) -> Credentials | None:
    """The configured credentials, or None. An explicit REGISTRY_AUTH_FILE first, then Docker's, then Podman's.
    ``asked``: what Docker's configuration, which may start a helper, has for registries, from call to call.

    InputError when a configuration cannot be read, RegistryError when a credential helper fails.
    """
    explicit = os.environ.get("REGISTRY_AUTH_FILE")
    if explicit:
        found = _from_file(Path(explicit), target)
        if found is not None:
            return found
    known = asked if asked is not None else {}
    if target.name not in known:
        known[target.name] = _from_docker(target)
    return known[target.name] or next(
        (found for path in _podman_files() if (found := _from_file(path, target)) is not None), None
    )


def _from_docker(target: Target) -> Credentials | None:
    from docker.errors import DockerException

    from imgopt.registry.credential_helpers import BoundedAuthConfig

    check_docker_settings()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a helper that is not installed is an error of its own below
            entry = BoundedAuthConfig.load_config(None, None).resolve_authconfig(target.name)
    except DockerException as error:
        if "InvalidConfig" in type(error).__name__:
            raise InputError("Docker's config.json is malformed", "fix it, or log in again") from None
        raise _helper_failed("Docker's config.json", error, target) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
        # the exception's text may hold the credentials
        raise InputError(
            f"Docker's config.json holds no readable credentials for {target.name}",
            f"log in again: docker login {typed(target.name)}",
        ) from None
    if not entry:
        return None
    values = {str(key).lower(): value for key, value in entry.items()}
    return _credentials(values.get("username"), values.get("password"), values.get("identitytoken"))


def _helper_failed(where: str, error: Exception, target: Target) -> RegistryError:
    how, what = "failed", "run it by hand to see why"
    if "not installed" in str(error):
        how, what = "is not installed", "install it"
    elif "does not answer" in str(error):
        how = "does not answer"
    return RegistryError(
        f"the credential helper of {where} {how}",
        f"{what}, or log in again: docker login {typed(target.name)}",
    )


def _credentials(username: Any, password: Any, token: Any) -> Credentials | None:
    if not token and (username is None or password is None):
        return None
    if token:
        found = Credentials(str(username or "<token>"), "", str(token))
    else:
        found = Credentials(str(username), str(password))
    try:
        f"{found.username}{found.password}{found.identity_token}".encode()
    except UnicodeEncodeError:  # halves of characters, as JSON can have them
        raise InputError("the configured credentials hold what no text holds", "log in again") from None
    return found


def _podman_files() -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "containers" / "auth.json"
    config = os.environ.get("XDG_CONFIG_HOME") or home() / ".config"
    yield Path(config) / "containers" / "auth.json"


def _from_file(path: Path, target: Target) -> Credentials | None:
    """Entries may name a repository or a part of it: the longest that fits counts."""
    try:
        document = parsed_json(read_file(path, _MOST_BYTES))
        auths, helpers = document.get("auths") or {}, document.get("credHelpers") or {}
        helper = helpers.get(target.name)
        auths.keys()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError):
        raise InputError("it cannot be read as an auth.json", "log in again", path=str(path)) from None
    if helper is not None:
        return _from_helper(str(helper), path, target)
    name = f"{target.name}/{target.repository}"
    while name:
        entry = auths.get(name)
        if isinstance(entry, dict):
            try:
                user, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
            except (ValueError, TypeError):
                raise InputError(
                    f"its entry for {target.name} is malformed", "log in again", path=str(path)
                ) from None
            return _credentials(user or None, password, entry.get("identitytoken"))
        name = name.rpartition("/")[0]
    return None


def _from_helper(program: str, path: Path, target: Target) -> Credentials | None:
    from docker.errors import DockerException

    from imgopt.registry.credential_helpers import BoundedAuthConfig

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry = BoundedAuthConfig({"credsStore": program}).resolve_authconfig(target.name) or {}
    except DockerException as error:
        raise _helper_failed(str(path), error, target) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
        raise InputError(
            f"what the credential helper gives for {target.name} cannot be read",
            "log in again",
            path=str(path),
        ) from None
    return _credentials(entry.get("Username"), entry.get("Password"), entry.get("IdentityToken"))
