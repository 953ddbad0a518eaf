"""What real pushes of real clients send, counted on the link (tests/shaped_link.py), beside what the model counts with.

Seconds depend on what else the machine does: how near the model's come is what tests/benchmarks/push_time.py prints.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import push_clients
import pytest
from push_clients import Bench
from shaped_link import PAYLOAD

from imgopt.weigh.push import REQUEST_BYTES

#: Packets that go twice, and the acknowledgements of the answers.
OFF = 0.10
#: Manifest, config and the questions of a push, whatever it sends.
TALK_BYTES = 60_000
SEEDS = itertools.count(1)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if reason := push_clients.missing():
        pytest.skip(reason)
    with push_clients.bench() as running:
        running.link.shape(10_000_000, 0)
        yield running


def sent(bench: Bench, client: str, name: str, repository: str, tag: str = "1") -> int:
    """Bytes of packets from the client to the registry during a push."""
    before = bench.link.sent
    bench.push(client, name, repository, tag)
    return bench.link.sent - before


@pytest.mark.parametrize("client", [*push_clients.CLIENTS, push_clients.OWN])
@pytest.mark.parametrize(("layers", "size"), [(1, 2_000_000), (20, 2_000_000)])
def test_a_push_of_new_layers(bench: Bench, client: str, layers: int, size: int) -> None:
    made = push_clients.new_layers(layers, size, next(SEEDS))
    name = bench.prepare(client, made)
    counted = (made.sent + REQUEST_BYTES * layers) / PAYLOAD
    assert made.sent / PAYLOAD < sent(bench, client, name, name) < counted * (1 + OFF) + TALK_BYTES


@pytest.mark.parametrize("client", push_clients.CLIENTS)
def test_layers_that_the_registry_has(bench: Bench, client: str) -> None:
    """In the repository itself, and in another one from which they are mounted: they are asked for, not sent."""
    made = push_clients.new_layers(20, 2_000_000, next(SEEDS))
    name = bench.prepare(client, made)
    bench.push(client, name, name)
    for repository, tag in ((name, "2"), (f"other-{name}", "1")):
        assert sent(bench, client, name, repository, tag) < 20 * REQUEST_BYTES + TALK_BYTES
