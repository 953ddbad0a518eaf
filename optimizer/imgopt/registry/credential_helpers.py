"""Credential helpers with an end: the docker SDK waits for a helper's answer for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

# what imports this has loaded docker already
from docker.auth import AuthConfig  # noqa: TID253
from docker.credentials import Store  # noqa: TID253
from docker.credentials.errors import StoreError, process_store_error  # noqa: TID253

#: Helpers of clouds ask a service; one that waits for a person at a keyboard never answers in CI.
ANSWER_SECONDS = 60.0


class BoundedAuthConfig(AuthConfig):  # type: ignore[misc]
    """The SDK's, but for the helpers that it asks."""

    def _get_store_instance(self, name: str) -> Store:
        return BoundedStore(name)


class BoundedStore(Store):  # type: ignore[misc]
    def _execute(self, subcmd: str, data_input: bytes | None) -> bytes:
        if self.exe is None:
            raise StoreError(f"{self.program} not installed or not available in PATH")
        try:
            process = subprocess.Popen(
                [self.exe, subcmd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise StoreError(f"{self.program} cannot be started: {error.strerror}") from error
        try:
            output, _ = process.communicate(data_input, timeout=ANSWER_SECONDS)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise StoreError(f"{self.program} does not answer") from error
            raise
        if process.returncode:
            failure: Any = subprocess.CalledProcessError(process.returncode, self.exe, output)
            raise process_store_error(failure, self.program)
        return output


def _end(process: subprocess.Popen[bytes]) -> None:
    """And whatever it started, which may hold its output open."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
