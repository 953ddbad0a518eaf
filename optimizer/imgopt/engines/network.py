"""Reaching a container's port: whether something answers at an address, and calls in another network namespace."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from imgopt.engines.engine import EngineError

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
CONNECT_SECONDS = 2.0
#: Docker's proxy accepts for a container that does not listen, and hangs up at once; who listens waits for us to speak.
HANGS_UP_SECONDS = 0.2


def address_answers(address: tuple[str, int]) -> bool:
    """Something listens there, and not only a proxy in front of nothing."""
    try:
        with socket.create_connection(address, timeout=CONNECT_SECONDS) as connection:
            connection.settimeout(HANGS_UP_SECONDS)
            try:
                return connection.recv(1) != b""
            except TimeoutError:
                return True
    except OSError:
        return False


def in_network_of(pid: int, call: Callable[[], T]) -> T:
    """Calls in the network namespace of a process of this host. Needs root. EngineError when it cannot be entered.

    A namespace belongs to a thread and cannot be left for sure: the thread is thrown away.
    """
    import ctypes

    result: list[T] = []
    failure: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            try:
                descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise EngineError("the container has ended, or its network is not to be reached") from error
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET):
                    reason = os.strerror(ctypes.get_errno())
                    raise EngineError(f"the network of a container cannot be entered: {reason}")
            finally:
                os.close(descriptor)
            result.append(call())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=enter_and_call, daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
