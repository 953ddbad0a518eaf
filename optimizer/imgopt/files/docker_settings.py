"""Docker's config.json, which the docker SDK opens by itself: whatever stands there, nothing waits for it."""

from __future__ import annotations

from imgopt.errors import InputError
from imgopt.files.opening import NoRegularFile, open_file


def check_docker_settings() -> None:
    """Asked before the SDK reads them. InputError for a pipe, a device or a socket; anything else is the SDK's to judge."""
    from docker.utils.config import find_config_file

    path = find_config_file()
    try:
        if path is not None:
            open_file(path).close()
    except NoRegularFile as error:
        raise InputError(
            f"Docker's settings cannot be read: {error.strerror}",
            "put a file there, or set DOCKER_CONFIG to another directory",
            path=path,
        ) from error
    except OSError:
        return
