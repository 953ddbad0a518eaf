"""The push-time model as arithmetic; tests/benchmarks/push_time.py holds it against real pushes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgopt.cli import main
from imgopt.weigh.push import (
    CLIENTS,
    ImagePush,
    Link,
    first_pushes,
    push_clients,
    push_times,
    seconds,
    together,
)
from imgopt.weigh.weights import ImageWeight, LayerWeight

MB = 1_000_000


def layer(size: int | None, changes: bool = True, base: bool = False) -> LayerWeight:
    return LayerWeight("COPY a b", 1, size, size, changes, "measured" if size else "unknown", base)


@pytest.mark.parametrize("client", CLIENTS)
def test_on_a_slow_link_the_bytes_decide(client: str) -> None:
    assert seconds(client, Link(500_000), [100 * MB]) == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize("client", CLIENTS)
def test_each_wave_of_layers_costs_round_trips(client: str) -> None:
    far, near = Link(MB, 0.1), Link(MB)
    parallel = CLIENTS[client].parallel

    def trips(layers: int) -> float:
        return seconds(client, far, [200_000] * layers) - seconds(client, near, [200_000] * layers)

    assert trips(parallel) == pytest.approx(trips(1))
    assert trips(parallel + 1) > trips(parallel) + 0.3


def test_compression_that_is_slower_than_the_link_counts() -> None:
    fast = Link(50 * MB)
    assert seconds("docker", fast, [10 * MB], uncompressed_bytes=350 * MB) > 10
    assert seconds("skopeo", fast, [10 * MB], uncompressed_bytes=350 * MB) < 1
    slow = Link(MB)
    assert seconds("docker", slow, [10 * MB], uncompressed_bytes=300 * MB) == seconds(
        "docker", slow, [10 * MB]
    )


def test_our_own_push_compresses_what_the_registry_has_too() -> None:
    """It asks for the digests of what it made: a next push from plain tars costs processor time, from a layout none."""
    fast = Link(50 * MB)
    layout = seconds("imgopt", fast, [10_000], have=5)
    plain = seconds("imgopt", fast, [10_000], uncompressed_bytes=300 * MB, have=5)
    assert layout < 1 < 300 * MB / CLIENTS["imgopt"].packed_per_s < plain
    slow = Link(MB)
    assert seconds("imgopt", slow, [90 * MB], uncompressed_bytes=300 * MB) == seconds(
        "imgopt", slow, [90 * MB]
    )


def test_a_mount_costs_more_than_a_question_and_less_than_the_layer() -> None:
    link = Link(MB, 0.04)
    for client in CLIENTS:
        nothing, asked = seconds(client, link, []), seconds(client, link, [], have=5)
        mounted, sent = seconds(client, link, [], mounted=5), seconds(client, link, [MB] * 5)
        assert nothing < asked < mounted < sent


def test_the_next_push_asks_for_what_is_there() -> None:
    before = ImageWeight((layer(50 * MB, changes=False, base=True), layer(60 * MB)))
    after = ImageWeight((layer(50 * MB, False, base=True), layer(59 * MB, False), layer(10_000)))
    (near,) = push_times(before, after, (MB,))
    assert near.first_push_s == pytest.approx((110, 109), rel=0.01)
    assert near.next_push_s == (pytest.approx(60, rel=0.01), pytest.approx(0.1, abs=0.1))
    (far,) = push_times(before, after, (MB,), 0.04)
    assert far.next_push_s[1] is not None and near.next_push_s[1] is not None
    assert 0.8 < far.next_push_s[1] - near.next_push_s[1] < 2


def test_what_is_not_known_has_no_seconds() -> None:
    image = ImageWeight((layer(None),))
    (times,) = push_times(image, image, (MB,))
    assert times.first_push_s == times.next_push_s == (None, None)


def test_the_way_round_has_its_price_in_bytes() -> None:
    before = ImageWeight((layer(50 * MB, changes=False, base=True), layer(60 * MB)))
    after = ImageWeight((layer(40 * MB, False, base=True), layer(59 * MB, False), layer(MB)))
    notes = {client.client: client.note for client in push_clients(before, after)}
    assert "a download of 60.0 MB (100.0 MB where" in notes["docker push, fresh agent"]
    assert "above the 40.0 MB of the published one" in notes["kaniko without --reproducible"]
    assert "each release sends 60.0 MB again" in notes["buildah bud without --layers"]
    unknown = {
        c.client: c.note for c in push_clients(before, ImageWeight((layer(None, base=True), layer(MB))))
    }
    assert "(at least 1.00 MB where" in unknown["docker push, fresh agent"]


def test_suggest_takes_the_round_trip(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    (tmp_path / "data").write_bytes(bytes(1000))

    def first(*options: str) -> float:
        arguments = ["suggest", str(tmp_path), "--format", "json", "--bandwidth", "1MB/s", *options]
        assert main(arguments) == 0
        push = json.loads(capfd.readouterr().out)["files"][0]["prediction"]["push"]
        value: float = push[0]["first_push_s"]["before"]
        return value

    assert first() < 0.3
    assert first("--rtt", "40ms") == pytest.approx(first("--rtt", "0.04s"))
    assert first("--rtt", "40ms") > 0.9


@pytest.mark.parametrize("text", ["40", "-1ms", "40 min", "61s", ""])
def test_a_round_trip_needs_its_unit(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert main(["suggest", str(tmp_path), f"--rtt={text}"]) == 2
    assert "Traceback" not in capfd.readouterr().err


COMMON = {"base": 47 * MB}


@pytest.mark.parametrize(("mounts", "sent"), [(True, 47 + 13 * 0.3), (False, 13 * 47.3)])
def test_what_several_images_have_in_common_is_sent_once_where_the_registry_mounts(
    mounts: bool, sent: float
) -> None:
    images = [{**COMMON, f"own-{number}": 300_000} for number in range(13)]
    pushes = first_pushes(images, mounts=mounts)
    assert sum(size for each in pushes for size in each.sent) == pytest.approx(sent * MB)
    assert [each.mounted for each in pushes] == [0, *[int(mounts)] * 12]
    for client in ("docker", "imgopt"):
        assert together(client, Link(MB), pushes) == pytest.approx(sent, rel=0.2)


def test_a_call_of_several_images_is_faster_than_a_call_for_each() -> None:
    """Thirteen releases of classes alone at 1 MB/s and 40 ms: start-ups and round trips."""
    release = [ImagePush((13_000,), have=6)] * 13
    link = Link(MB, 0.04)
    one_call, each = (
        together("imgopt", link, release),
        sum(seconds("imgopt", link, [13_000], have=6) for _ in release),
    )
    assert one_call < 3 < each
    assert together("imgopt", link, release[:1]) == seconds("imgopt", link, [13_000], have=6)
    # docker has no such call
    assert together("docker", link, release) == pytest.approx(13 * seconds("docker", link, [13_000], have=6))
    assert together("imgopt", link, []) == 0


def test_no_layer_at_all_is_a_push_too() -> None:
    assert together("imgopt", Link(MB, 0.04), [ImagePush(())]) > 0
