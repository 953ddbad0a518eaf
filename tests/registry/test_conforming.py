"""Registries that keep what a cut chunk brought, and some that want a blob in one piece."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import registries
from conforming import conforming
from push_command import Command

Release = Callable[..., Path]


def test_it_goes_on_at_the_very_byte(release: Release, imgopt: Command) -> None:
    with conforming() as registry, registries.proxy(registry.port, 1_000_000) as proxy:
        arguments = (
            "push",
            str(release(1, size=2_000_000)),
            f"{proxy.name}/shop/api:1",
            "--chunk-size",
            "500kB",
        )
        proxy.cut_at = [700_000, 1_600_000]
        first = imgopt.start(*arguments)
        end = time.monotonic() + 30
        while proxy.sent("PATCH") < 1_800_000 and time.monotonic() < end:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        run = imgopt(*arguments, "--format", "json")
        assert run.code == 0, run.err
        large = sum(len(blob) for blob in registry.blobs.values() if len(blob) > 100_000)
        # not even a cut chunk's bytes went twice, but for the block that was under way at each cut
        assert large <= proxy.sent("PATCH") <= large + 2 * (1 << 13)
        assert run.push["layers"][0]["resumed_bytes"] > 1_500_000  # type: ignore[index]
        assert len(registry.blobs) == 4


def test_a_blob_in_one_piece(release: Release, imgopt: Command) -> None:
    with conforming(one_piece=True) as registry, registries.proxy(registry.port) as proxy:
        run = imgopt(
            "push", str(release(1, size=1_000_000)), f"{proxy.name}/shop/api:1", "--chunk-size", "200kB"
        )
        assert run.code == 0, run.err
        assert len(registry.blobs) == 4
        assert not registry.uploads
