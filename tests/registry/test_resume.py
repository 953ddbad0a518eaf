"""A push that is cut goes on where it was: by the same run, or by the next one after a kill.

The link of 0.5 MB/s and its cuts are made by a proxy before the real registry. That registry (2.8) takes an upload up only
at the byte at which its last answer ended: a chunk that is cut in the middle would cost the whole upload.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from push_command import Command
from registries import Proxy, Registry, Trouble
from test_push import pulled

Release = Callable[..., Path]
SIZE = 2_400_000  # the large layer; the second is half of it
CHUNK = "500kB"


@pytest.fixture
def slow(proxy: Proxy) -> Proxy:
    proxy.bytes_per_s = 500_000
    return proxy


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def blob_bytes(slow: Proxy, repository: str) -> int:
    """Of the layers that go in chunks."""
    return sum(
        each["size"] for each in pulled(slow.name, repository, "1")["layers"] if each["size"] > 100_000
    )


def test_three_cuts_one_of_them_a_kill(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    """Every byte of a finished chunk is sent once, over all runs."""
    arguments = ("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1", "--chunk-size", CHUNK)
    slow.cut_at = [700_000, 1_400_000]  # in the middle of a chunk, each time
    first = imgopt.start(*arguments)
    wait_until(lambda: slow.sent("PATCH") > 1_900_000)
    first.send_signal(signal.SIGKILL)
    first.wait()
    killed_at = slow.sent("PATCH", finished=True)
    assert killed_at < SIZE
    run = imgopt(*arguments, "--format", "json")
    assert run.code == 0, run.err
    assert slow.sent("PATCH", finished=True) == blob_bytes(slow, repository)
    cut = [each for each in slow.seen if each.method == "PATCH" and each.status not in (201, 202)]
    assert len([each for each in cut if each.body_bytes]) == 2
    assert sum(each.body_bytes for each in cut) <= 500_000 + 100_000
    assert run.push["layers"][0]["resumed_bytes"] > 1_000_000  # type: ignore[index]
    assert "an earlier run was interrupted" in run.err


def test_ctrl_c_and_the_next_run(release: Release, imgopt: Command, slow: Proxy, repository: str) -> None:
    arguments = ("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1")
    first = imgopt.start(*arguments)  # the whole layer is one chunk
    wait_until(lambda: slow.sent("PATCH") > 700_000)
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=120)
    assert (first.returncode, out) == (130, "")
    assert "Traceback" not in err
    notes = list((imgopt.home / "cache" / "imgopt" / "uploads").glob("*.json"))
    assert [stat.S_IMODE(note.stat().st_mode) for note in notes] == [0o600]
    run = imgopt(*arguments)
    assert run.code == 0, run.err
    assert slow.sent("PATCH") == slow.sent("PATCH", finished=True) == blob_bytes(slow, repository)
    assert not list((imgopt.home / "cache" / "imgopt" / "uploads").glob("*"))


def test_nothing_is_left_running_after_a_kill(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    first = imgopt.start("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1")
    wait_until(lambda: slow.sent("PATCH") > 300_000)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    assert len(children) == 1
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until(lambda: not _runs(children[0]), 10)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_link_is_gone_for_a_while(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    """All connections at once, and none for some seconds: the distribution registry has lost the upload by then, which
    is said; the image arrives nevertheless."""
    slow.cut_at, slow.cut_all = [1_200_000], True
    slow.troubles = [Trouble("GET", "uploads", times=2, status=503)]
    run = imgopt("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1", "--chunk-size", CHUNK)
    assert run.code == 0, run.err
    assert "the registry has lost the upload" in run.err and "are sent again" in run.err
    assert "waits" in run.err
    pulled(slow.name, repository, "1")


def test_a_registry_that_stays_away_and_comes_back(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    arguments = ("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1", "--chunk-size", CHUNK)
    slow.troubles = [
        Trouble("PATCH", skip=6, times=None, status=503),
        Trouble("GET", "uploads", times=None, status=503),
    ]
    run = imgopt(*arguments, "--tries", "2")
    assert run.code == 3
    assert run.err.splitlines()[-1].startswith("error: 127.0.0.1:") and "it answers 503" in run.err
    finished = slow.sent("PATCH", finished=True)
    assert finished >= 500_000
    slow.troubles = []
    run = imgopt(*arguments)
    assert run.code == 0, run.err
    assert slow.sent("PATCH", finished=True) == blob_bytes(slow, repository)


def test_a_stale_note_is_of_no_harm(
    release: Release, imgopt: Command, slow: Proxy, shared_registry: Registry, repository: str
) -> None:
    """The registry has purged the upload meanwhile."""
    arguments = ("push", str(release(1, size=SIZE)), f"{slow.name}/{repository}:1", "--chunk-size", CHUNK)
    first = imgopt.start(*arguments)
    wait_until(lambda: slow.sent("PATCH") > 700_000)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=120)
    assert first.returncode == 130
    for started in shared_registry.uploads():
        for file in (started, started.parent / "data"):
            file.unlink(missing_ok=True)
    slow.bytes_per_s = None
    run = imgopt(*arguments)
    assert run.code == 0, run.err
    pulled(slow.name, repository, "1")


def test_ctrl_c_while_nothing_answers(release: Release, imgopt: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = imgopt.start("push", str(release(1)), f"127.0.0.1:{silent.getsockname()[1]}/shop/api:1")
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        connection.close()
    assert (process.returncode, out, err) == (130, "", "")


def sending(
    imgopt: Command, arguments: tuple[str, ...], slow: Proxy, bytes_per_s: int, *, least: int
) -> subprocess.Popen[str]:
    """A push through the slow proxy of which more than ``least`` bytes of layers are under way."""
    slow.bytes_per_s = bytes_per_s
    process = imgopt.start(*arguments)
    wait_until(lambda: slow.sent("PATCH") > least)
    return process


def test_ctrl_c_while_another_run_sends(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    arguments = ("push", str(release(1, size=1_000_000)), f"{slow.name}/{repository}:1")
    first = sending(imgopt, arguments, slow, 100_000, least=10_000)
    second = imgopt.start(*arguments)
    wait_until(lambda: len([each for each in slow.seen if "tags/list" in each.path]) == 2)
    time.sleep(1)
    for each in (second, first):
        each.send_signal(signal.SIGINT)
        _, err = each.communicate(timeout=120)
        assert each.returncode == 130, err


def test_a_file_system_without_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import errno
    import fcntl

    from imgopt.registry.sessions import Notes

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def sleep(_: float) -> None:
        raise AssertionError("it waits for a lock that there will never be")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(time, "sleep", sleep)
    with Notes("registry.test", "shop/api", "sha256:1").held(lambda: False) as waited:
        assert not waited


def test_a_push_whose_process_is_killed_can_be_repeated(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    """By the kernel, for want of memory: no bug, and nothing that the user cannot mend."""
    arguments = ("push", str(release(1, size=1_000_000)), f"{slow.name}/{repository}:1")
    process = sending(imgopt, arguments, slow, 300_000, least=100_000)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3 and "was killed" in err
    slow.bytes_per_s = None
    assert imgopt(*arguments).code == 0


def test_two_runs_do_not_disturb_each_other(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    arguments = ("push", str(release(1, size=1_000_000)), f"{slow.name}/{repository}:1")
    both = [imgopt.start(*arguments) for _ in range(2)]
    for each in both:
        _, err = each.communicate(timeout=120)
        assert each.returncode == 0, err
    assert slow.sent("PATCH", finished=True) == blob_bytes(slow, repository)


def test_progress_in_a_log_and_on_a_terminal(
    release: Release, imgopt: Command, slow: Proxy, repository: str
) -> None:
    code, shown = imgopt.on_terminal("push", str(release(1, size=1_500_000)), f"{slow.name}/{repository}:1")
    assert code == 0, shown
    assert b"layer 1 of 3" in shown and b"MB/s" in shown
