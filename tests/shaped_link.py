"""Two network namespaces of the test's own, joined by a link with a rate and a round-trip time.

The kernel of a CI machine may have no netem, so the delay is made here: each namespace has a TUN device, and a
thread carries packets from one to the other, each half a round trip later. Whole IP packets are delayed, not the
bytes of a connection, so that the handshake and TCP's slow start pay the round trips that they pay on a long link.
The rate is `tc tbf`'s, on both devices, and counts IP packets (1500 bytes for 1448 of payload).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
#: Payload bytes of a full packet (IPv4 and TCP headers with timestamps take 52), as a part of what tbf counts.
PAYLOAD = 1448 / 1500
PINGS = 9
CLIENT, SERVER = "10.213.0.1", "10.213.0.2"


def missing() -> str | None:
    """Why no link can be made here; None when it can."""
    for program, package in (("ip", "iproute2"), ("tc", "iproute2"), ("nsenter", "util-linux")):
        if not shutil.which(program, path=_path()):
            return f"{program} is not installed (apt-get install {package})"
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        return "network namespaces and TUN devices need root and /dev/net/tun"
    return None


class Side:
    """One end's namespace, kept by a process that sleeps in it."""

    def __init__(self) -> None:
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], preexec_fn=end_with_the_tests
        )
        ours = Path("/proc/self/ns/net").readlink()
        path = Path(f"/proc/{self.keeper.pid}/ns/net")
        while path.readlink() == ours:
            time.sleep(0.005)
        self.namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def enter(self) -> None:
        """Moves the calling thread (or, between fork and exec, the new process) here."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(self.namespace, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def popen(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Starts a program here that ends with the tests."""
        return subprocess.Popen(command, preexec_fn=self._into, **options)

    def _into(self) -> None:
        end_with_the_tests()
        prefer()
        self.enter()

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a program here; its output is in the answer. Raises when it fails."""
        done = subprocess.run(
            command,
            preexec_fn=self._into,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout[-3000:]}")
        return done

    def tun(self, address: str) -> int:
        """A TUN device with that address; its file descriptor, which carries one IP packet a read or write."""
        opened: list[int] = []

        def make() -> None:  # in a thread of its own: setns moves one thread
            self.enter()
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            opened.append(tun)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        ip = shutil.which("ip", path=_path()) or "ip"
        self.run(ip, "address", "add", f"{address}/30", "dev", "tun0")
        self.run(ip, "link", "set", "tun0", "up", "mtu", "1500", "txqueuelen", "10000")
        self.run(ip, "link", "set", "lo", "up")
        return opened[0]

    def close(self) -> None:
        os.close(self.namespace)
        self.keeper.kill()
        self.keeper.wait()


@dataclass
class Link:
    """``client`` and ``server`` reach each other at CLIENT and SERVER. `shape` may be called again and again."""

    client: Side
    server: Side
    forwarder: Forwarder

    def shape(self, bytes_per_s: int, rtt_s: float) -> None:
        """Rate in bytes of IP packets a second each way, and the time that a packet and its answer take."""
        tc = shutil.which("tc", path=_path()) or "tc"
        for side in (self.client, self.server):
            tbf = ("rate", f"{bytes_per_s * 8}bit", "burst", "64kb", "latency", "150ms")
            side.run(tc, "qdisc", "replace", "dev", "tun0", "root", "tbf", *tbf)
        self.forwarder.delay_s = rtt_s / 2

    def measure(self, count: int) -> tuple[float, float]:
        """What the link carries now: payload bytes a second from the client, by a plain transfer of ``count`` bytes
        without its slow start, and the seconds of a round trip (median). On a busy machine packets are carried late."""
        marks: list[tuple[float, int]] = []
        trips: list[float] = []
        ready = threading.Event()

        def receive() -> None:
            self.server.enter()
            with socket.create_server((SERVER, 9)) as listener:
                ready.set()
                connection, _ = listener.accept()
                with connection:
                    for _ in range(PINGS):
                        connection.sendall(connection.recv(1))
                    got = 0
                    while data := connection.recv(1 << 16):
                        got += len(data)
                        marks.append((time.monotonic(), got))

        def send() -> None:
            self.client.enter()
            ready.wait()
            with socket.create_connection((SERVER, 9)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(PINGS):
                    begin = time.monotonic()
                    connection.sendall(b"?")
                    connection.recv(1)
                    trips.append(time.monotonic() - begin)
                connection.sendall(bytes(count))

        threads = [threading.Thread(target=each) for each in (receive, send)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        begin, before = next(mark for mark in marks if mark[1] >= count // 3)
        end, got = marks[-1]
        return (got - before) / (end - begin), sorted(trips)[PINGS // 2]

    @property
    def sent(self) -> int:
        """Bytes of packets that went from the client to the server so far."""
        return self.forwarder.carried[0]


class Forwarder(threading.Thread):
    """Carries packets between two TUN devices, each of them ``delay_s`` later."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(daemon=True)
        self.ends = one, other
        self.delay_s = 0.0
        self.carried = [0, 0]
        self.stopped = False

    def run(self) -> None:
        prefer()
        one, other = self.ends
        waiting: tuple[deque[tuple[float, bytes]], deque[tuple[float, bytes]]] = deque(), deque()
        while not self.stopped:
            due = [queue[0][0] for queue in waiting if queue]
            timeout = (
                max(0.001, min(due) - time.monotonic()) if due else 0.2
            )  # some packets at once: less work
            ready, _, _ = select.select([one, other], [], [], timeout)
            now = time.monotonic()
            for index, end in enumerate((one, other)):
                if end in ready:
                    with contextlib.suppress(BlockingIOError):
                        for _ in range(64):
                            packet = os.read(end, 2048)
                            self.carried[index] += len(packet)
                            waiting[index].append((now + self.delay_s, packet))
            now = time.monotonic()
            for queue, target in zip(waiting, (other, one), strict=True):
                while queue and queue[0][0] <= now:
                    with contextlib.suppress(
                        OSError
                    ):  # a device that went down, a full queue: a packet is lost
                        os.write(target, queue.popleft()[1])


@contextlib.contextmanager
def link() -> Iterator[Link]:
    """An unshaped link; `Link.shape` gives it a rate and a round-trip time. Everything ends with it."""
    with contextlib.ExitStack() as stack:
        sides = []
        for _ in range(2):
            side = Side()
            stack.callback(side.close)
            sides.append(side)
        client, server = sides
        ends = []
        for side, address in ((client, CLIENT), (server, SERVER)):
            end = side.tun(address)
            stack.callback(os.close, end)
            ends.append(end)
        forwarder = Forwarder(*ends)
        forwarder.start()

        def stop() -> None:
            forwarder.stopped = True
            forwarder.join()

        stack.callback(stop)
        yield Link(client, server, forwarder)


def end_with_the_tests() -> None:
    """In the new process: an own group, and SIGTERM when the tests die, so that nothing is left behind."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def prefer() -> None:
    """The calling thread (or new process) before other work on the machine, which is no part of what is measured."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
