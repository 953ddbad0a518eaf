"""Credential helpers with an end: the docker SDK waits for a helper's answer for ever."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import Any

# what imports this has loaded docker already
from docker.auth import AuthConfig  # noqa: TID253
from docker.credentials import Store  # noqa: TID253
from docker.credentials.errors import StoreError, process_store_error  # noqa: TID253

#: Helpers of clouds ask a service; one that waits for a person at a keyboard never answers in CI.
ANSWER_SECONDS = 60.0
#: A name and a token are some kilobytes.
MOST_BYTES = 1 << 20
_LOOK_SECONDS = 0.05


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
            output = self._answer(process, data_input or b"")
        except BaseException:
            _end(process)
            raise
        _close(process)
        if process.returncode:
            failure: Any = subprocess.CalledProcessError(process.returncode, self.exe, output)
            raise process_store_error(failure, self.program)
        return output

    def _answer(self, process: subprocess.Popen[bytes], question: bytes) -> bytes:
        """What it says until it ends; something that it started may hold its output open for longer."""
        assert process.stdin is not None and process.stdout is not None
        end = time.monotonic() + ANSWER_SECONDS
        with contextlib.suppress(OSError):  # it may not care for the question
            process.stdin.write(question)
            process.stdin.close()
        output = bytearray()
        while True:
            ended = process.poll() is not None
            if select.select([process.stdout], [], [], 0 if ended else _LOOK_SECONDS)[0]:
                block = os.read(process.stdout.fileno(), 1 << 16)
                output += block
                if not block:  # it has closed its output
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(max(0.0, end - time.monotonic()))
                        return bytes(output)
                ended = False
            if ended:
                return bytes(output)
            if len(output) > MOST_BYTES:
                raise StoreError(f"{self.program} says more than credentials")
            if time.monotonic() > end:
                raise StoreError(f"{self.program} does not answer")


def _end(process: subprocess.Popen[bytes]) -> None:
    """And whatever it started, which may hold its output open."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
