"""Registries that keep what a cut chunk brought, and some that want a blob in one piece."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import registries
from conforming import conforming
from push_command import Command
from registries import Trouble

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
        end = time.monotonic() + 120
        while proxy.sent("PATCH") < 1_800_000 and time.monotonic() < end:
            time.sleep(0.02)
        assert first.poll() is None
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


#: Of Google's Artifact Registry and of Artifactory, as their answers have it.
GOOGLE = "/artifacts-uploads/namespaces/p/repositories/r/uploads/"
ARTIFACTORY = "/artifactory/api/docker/local/v2/shop/api/blobs/uploads/"


@pytest.mark.parametrize("place", ["", GOOGLE, ARTIFACTORY], ids=["v2", "google", "artifactory"])
def test_it_goes_on_wherever_the_registry_keeps_uploads(
    place: str, release: Release, imgopt: Command
) -> None:
    with conforming(place=place) as registry, registries.proxy(registry.port) as proxy:
        target = f"{proxy.name}/shop/api:1"
        arguments = ("push", str(release(1)), target, "--chunk-size", "100kB", "--format", "json")
        proxy.troubles = [Trouble("PATCH", skip=3, times=None, status=403)]
        assert imgopt(*arguments).code == 3
        proxy.troubles = []
        run = imgopt(*arguments)
        assert run.code == 0, run.err
        assert run.push["layers"][0]["resumed_bytes"] == 300_000, run.err  # type: ignore[index]
        assert (
            len(registry.blobs) == 4 and not registry.uploads
        )  # what was begun to see where they lie is cancelled


@pytest.mark.parametrize(
    "noted",
    [
        "/artifacts-uploads/namespaces/p/repositories/victim/uploads/u0",
        "/artifacts-uploads/namespaces/p/repositories/r/uploads/../../victim/uploads/u0",
        "/artifacts-uploads/namespaces/p/repositories/r/uploads/victim/u0",
        "/artifacts-uploads/namespaces/p/repositories/r/uploads/..%2fvictim",
        "/artifacts-uploads/namespaces/p/repositories/r/uploads/..?victim",
        "/artifacts-uploads/namespaces/p/repositories/r/uploads/?victim",
        "/artifacts-uploads/namespaces/p/repositories/r?victim",
        "/v2/victim/blobs/uploads/u0",
        "/v2/shop/api/../../victim/blobs/uploads/u0",
    ],
)
def test_a_note_leads_only_beside_what_the_registry_names(
    noted: str, release: Release, imgopt: Command
) -> None:
    """A cache that CI hands on may have been written by anybody."""
    with conforming(place=GOOGLE) as registry, registries.proxy(registry.port) as proxy:
        target = f"{proxy.name}/shop/api:1"
        arguments = ("push", str(release(1)), target, "--chunk-size", "100kB", "--format", "json")
        proxy.troubles = [Trouble("PATCH", skip=3, times=None, status=403)]
        assert imgopt(*arguments).code == 3
        proxy.troubles = []
        (note,) = (imgopt.home / "cache" / "imgopt" / "uploads").glob("*.json")
        changed = {**json.loads(note.read_text()), "location": f"http://{proxy.name}{noted}"}
        note.write_text(json.dumps(changed))
        run = imgopt(*arguments)
        assert run.code == 0, run.err
        assert run.push["layers"][0]["resumed_bytes"] == 0  # type: ignore[index]
        assert not [each.path for each in proxy.seen if "victim" in each.path]
        assert len(registry.blobs) == 4


@pytest.mark.parametrize("way", ["moves", "relative"])
def test_where_the_bytes_go(way: str, release: Release, imgopt: Command) -> None:
    """A registry may send a chunk elsewhere (307), and name an upload relative to what was asked."""
    with conforming(**{way: True}) as registry:
        run = imgopt(
            "push", str(release(1)), f"127.0.0.1:{registry.port}/shop/api:1", "--chunk-size", "150kB"
        )
        assert run.code == 0, run.err
        assert len(registry.blobs) == 4


def test_chunks_are_as_long_as_the_registry_wants_them(release: Release, imgopt: Command) -> None:
    with conforming(least=300_000) as registry:
        run = imgopt(
            "push",
            str(release(1, size=800_000)),
            f"127.0.0.1:{registry.port}/shop/api:1",
            "--chunk-size",
            "100kB",
        )
        assert run.code == 0, run.err
        assert registry.chunks[:2] == [300_000, 300_000]


def test_a_registry_that_forgets_what_it_accepts(release: Release, imgopt: Command) -> None:
    with conforming(keeps=False) as registry:
        target = f"127.0.0.1:{registry.port}/shop/api:1"
        run = imgopt("push", str(release(1)), target, "--tries", "3", seconds=60)
        assert run.code == 3 and "does not keep them" in run.err, run.err
        assert len(registry.chunks) == 3


def test_a_note_of_an_upload_that_nobody_answers_for(
    release: Release, imgopt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload may have lain with a storage service of another name."""
    from imgopt.registry.sessions import Notes, Session

    with conforming() as registry:
        name = f"127.0.0.1:{registry.port}"
        first = imgopt("push", str(release(1)), f"{name}/shop/api:1", "--format", "json")
        layer = first.push["layers"][0]  # type: ignore[index]
        digest, size = layer["digest"], layer["compressed_bytes"]
        session = Session(name, "shop/other", digest, size, f"http://127.0.0.1:{registries.free_port()}/x", 9)
        monkeypatch.setenv("XDG_CACHE_HOME", imgopt.environment["XDG_CACHE_HOME"])
        notes = Notes(name, "shop/other", digest)
        notes.save(session)
        assert notes.load() == session
        registry.blobs.clear()
        run = imgopt("push", str(release(1)), f"{name}/shop/other:1", "--tries", "2")
        assert run.code == 0, run.err
        assert notes.load() is None


def test_tags_come_in_pages(release: Release, imgopt: Command) -> None:
    """In the alphabet's order: the newest release is on the last page."""
    with conforming(page=2) as registry:
        name = f"127.0.0.1:{registry.port}/shop/api"
        assert imgopt("push", str(release(1)), f"{name}:v9").code == 0
        for number in range(5):
            registry.manifests[f"build-{number}"] = ("application/json", b"{}")
        run = imgopt("push", str(release(2)), f"{name}:v10", "--format", "json", "--trust-tags")
        assert run.code == 0, run.err
        assert run.push["learned_from"] == ["shop/api"]
