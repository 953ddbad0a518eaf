"""`imgopt bandwidth`: the rate of a link whose rate is known, and nothing left at the registry."""

from __future__ import annotations

import json
import signal
import time

import pytest
from push_command import Command
from registries import Proxy, Registry, Trouble

from imgopt.units import parse_rates


@pytest.mark.parametrize("bytes_per_s", [500_000, 2_000_000])
def test_the_rate_of_a_link(
    bytes_per_s: int, imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    before = shared_registry.blobs(), len(shared_registry.uploads())
    proxy.bytes_per_s = bytes_per_s
    for _ in range(3):  # other work on the machine can hold up the registry between two blocks
        seen = len(proxy.seen)
        # what is removed from a repository stays on this registry's disk until somebody has it clear up
        run = imgopt("bandwidth", f"{proxy.name}/{repository}", "--no-mounts", "--format", "json")
        assert run.code == 0, run.err
        found = json.loads(run.out)["bandwidth"]
        sent = next(each for each in proxy.seen[seen:] if each.method == "PATCH")
        passed = sent.body_bytes / (sent.end - sent.begin)  # a busy proxy is slower than it should be
        if found["bytes_per_s"] == pytest.approx(passed, rel=0.08):
            break
    assert found["bytes_per_s"] == pytest.approx(passed, rel=0.08)
    assert passed <= bytes_per_s * 1.1
    assert parse_rates(found["bandwidth"]) == (pytest.approx(passed, rel=0.08),)
    assert 3_900_000 < found["sent_bytes"] < 6_000_000
    assert found["basis"] == "measured" and found["cancelled"] is True
    assert (shared_registry.blobs(), len(shared_registry.uploads())) == before


def test_text_and_markdown(imgopt: Command, proxy: Proxy, repository: str) -> None:
    target = f"{proxy.name}/{repository}"
    run = imgopt("bandwidth", target, "--size", "200kB")
    assert run.out.startswith(f"{target}: ") and "imgopt suggest --bandwidth" in run.out
    assert imgopt("bandwidth", target, "--size", "200kB", "--format", "markdown").out.startswith(
        "<!-- imgopt: bandwidth"
    )
    run = imgopt("bandwidth", f"{target}:1")
    assert run.code == 2 and "names a tag" in run.err


def test_ctrl_c_leaves_nothing(
    imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    before = len(shared_registry.uploads())
    proxy.bytes_per_s = 500_000
    process = imgopt.start("bandwidth", f"{proxy.name}/{repository}")
    end = time.monotonic() + 20
    while not proxy.sent() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, ""), err
    assert len(shared_registry.uploads()) == before


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (Trouble("PATCH", times=None, status=413), "too large"),
        (Trouble("PATCH", times=None, cut_after=100_000), "was cut"),
        (Trouble("POST", times=None, status=403), "does not let anybody without a login push to"),
    ],
    ids=["413", "cut", "403"],
)
def test_what_goes_wrong(
    trouble: Trouble, message: str, imgopt: Command, proxy: Proxy, repository: str
) -> None:
    proxy.troubles = [trouble]
    run = imgopt("bandwidth", f"{proxy.name}/{repository}")
    assert (run.code, run.out) == (3, "") and message in run.err and run.err.count("\n") == 1


def test_an_upload_is_cancelled_whatever_fails(
    imgopt: Command, proxy: Proxy, shared_registry: Registry, repository: str
) -> None:
    before = len(shared_registry.uploads())
    proxy.troubles = [Trouble("HEAD", times=None, status=500)]
    run = imgopt("bandwidth", f"{proxy.name}/{repository}")
    assert run.code == 3 and "it answers 500" in run.err
    assert len(shared_registry.uploads()) == before
