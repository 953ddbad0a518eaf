"""Predicted seconds against real pushes over a link with a rate and a round-trip time (tests/shaped_link.py).

A few points beside the grid that tests/benchmarks/push_time.py measures whole; with small payloads, so that what is
not bytes over rate weighs the more, and no faster than carrying the packets is little work for a busy machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import push_clients
import pytest
from push_clients import Bench
from shaped_link import PAYLOAD

from imgopt.weigh import push
from imgopt.weigh.push import Link

OFF = 0.10
#: A push that sends nothing takes tenths of a second, of which a busy machine's share is not the model's to know.
OFF_S = 0.3
#: Other work on the machine disturbs a push; one that was left alone is enough.
TRIES = 4
SEEDS = itertools.count(1)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if reason := push_clients.missing():
        pytest.skip(reason)
    with push_clients.bench() as running:
        yield running


@pytest.mark.parametrize("client", push_clients.CLIENTS)
@pytest.mark.parametrize(
    ("rate", "rtt_s", "layers", "size"),
    [
        (500_000, 0.0, 5, 1_000_000),
        (1_000_000, 0.04, 1, 2_000_000),
        (1_000_000, 0.04, 20, 2_000_000),
        (5_000_000, 0.04, 5, 10_000_000),
    ],
)
def test_a_push_of_new_layers(
    bench: Bench, client: str, rate: int, rtt_s: float, layers: int, size: int
) -> None:
    _check(bench, client, rate, rtt_s, layers, size)


def test_our_own_push(bench: Bench) -> None:
    """Larger: the start of a Python program is a second on a busy machine."""
    _check(bench, push_clients.OWN, 1_000_000, 0.04, 3, 10_000_000)


def _check(bench: Bench, client: str, rate: int, rtt_s: float, layers: int, size: int) -> None:
    told = []
    for _ in range(TRIES):
        made = push_clients.new_layers(layers, size, next(SEEDS))
        link, (seconds,) = _push(bench, client, made, rate, rtt_s, again=False)
        raw = 0 if client == push_clients.OWN else sum(map(len, made.tars))  # it gets them compressed
        predicted = push.seconds(client, link, [*map(len, made.blobs)], uncompressed_bytes=raw)
        told.append(f"{link}: predicted {predicted:.2f} s, measured {seconds:.2f} s")
        if abs(predicted / seconds - 1) <= OFF:
            return
    raise AssertionError("\n".join(told))


@pytest.mark.parametrize("client", push_clients.CLIENTS)
def test_layers_that_the_registry_has(bench: Bench, client: str) -> None:
    """In the repository itself, and in another one from which they are mounted: nothing is sent, but asked."""
    told = []
    for _ in range(TRIES):
        made = push_clients.new_layers(20, 100_000, next(SEEDS))
        link, (_, *measured) = _push(bench, client, made, 1_000_000, 0.04)
        predicted = push.seconds(client, link, [], have=20), push.seconds(client, link, [], mounted=20)
        told.append(f"{link}: predicted {predicted}, measured {measured}")
        if all(abs(p - m) <= max(OFF_S, OFF * m) for p, m in zip(predicted, measured, strict=True)):
            return
    raise AssertionError("\n".join(told))


def test_the_link_is_what_it_says(bench: Bench) -> None:
    """Else a model of an unshaped link would do."""
    bench.link.shape(1_000_000, 0.04)
    rate, rtt_s = bench.link.measure(1_000_000)
    assert 700_000 < rate < 1_000_000 * PAYLOAD * 1.03
    assert 0.04 <= rtt_s < 0.08


def _push(
    bench: Bench, client: str, layers: push_clients.Layers, rate: int, rtt_s: float, again: bool = True
) -> tuple[Link, list[float]]:
    """The link as it was, and the seconds of a push, of another to the same repository, and of one to another."""
    bench.fast()
    name = bench.prepare(client, layers)
    bench.link.shape(rate, rtt_s)
    measured, trip = bench.link.measure(rate)
    # the rate is what the kernel gives at most; what is less is the machine's doing, and so is a longer trip
    link = Link(min(measured, rate * PAYLOAD), max(trip, rtt_s) if rtt_s else 0.0)
    targets = [(name, "1"), (name, "2"), (f"other-{name}", "1")] if again else [(name, "1")]
    return link, [bench.push(client, name, *target) for target in targets]
