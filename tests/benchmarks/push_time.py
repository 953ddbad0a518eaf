"""Real pushes over shaped links beside the model's seconds: rates 0.5, 1 and 10 MB/s, round trips 0 and 40 ms, 1, 5 and
20 layers, and points that the coefficients were not fitted to. About ten minutes; needs root.

`python tests/benchmarks/push_time.py [--few] [CLIENT...]`; `make bench` measures a few points of each client.
"""

from __future__ import annotations

import random
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "optimizer"), str(ROOT / "tests")]

import push_clients  # noqa: E402
from shaped_link import PAYLOAD  # noqa: E402

from imgopt.weigh import push  # noqa: E402

MB = 1_000_000
FITTED = [
    (rate, rtt, layers, size)
    for rate, size in ((10 * MB, 20 * MB), (MB, 3 * MB), (MB // 2, 2 * MB))
    for rtt in (0.0, 0.04)
    for layers in (1, 5, 20)
]
UNSEEN = [
    (10 * MB, 0.04, 5, 60 * MB),
    (3 * MB, 0.02, 8, 15 * MB),
    (2 * MB, 0.06, 12, 6 * MB),
    (5 * MB, 0.1, 3, 10 * MB),
    (MB, 0.04, 2, MB),
    (5 * MB, 0.0, 10, 20 * MB),
    (700_000, 0.03, 4, 2 * MB),
]
#: Small payloads, so that what is not bytes over rate weighs the more.
FEW = [(MB // 2, 0.0, 5, MB), (MB, 0.04, 1, 2 * MB), (MB, 0.04, 20, 2 * MB), (5 * MB, 0.04, 5, 10 * MB)]


def main(clients: list[str], few: bool = False) -> None:
    grids = [("few", FEW)] if few else [("fitted", FITTED), ("unseen", UNSEEN)]
    print(
        f"{'client':8} {'MB/s':>5} {'ms':>4} {'layers':>6} {'MB':>6} {'measured':>9} {'predicted':>9} {'off':>7}"
    )
    with push_clients.bench() as bench:
        for client in clients:
            for what, points in grids:
                errors = [_point(bench, client, *point) for point in points]
                worst, mean = max(map(abs, errors)), statistics.mean(map(abs, errors))
                print(f"{client}, {what}: mean {mean:.1%}, worst {worst:.1%}", flush=True)


def _point(bench: push_clients.Bench, client: str, rate: int, rtt_s: float, layers: int, size: int) -> float:
    made = push_clients.new_layers(layers, size, random.randrange(1 << 40))
    bench.fast()
    name = bench.prepare(client, made)
    bench.link.shape(rate, rtt_s)
    measured = bench.push(client, name, name)
    link = push.Link(rate * PAYLOAD, rtt_s)
    raw = 0 if client == push_clients.OWN else sum(map(len, made.tars))  # it gets them compressed
    predicted = push.seconds(client, link, [*map(len, made.blobs)], uncompressed_bytes=raw)
    off = predicted / measured - 1
    print(
        f"{client:8} {rate / MB:5.1f} {rtt_s * 1000:4.0f} {layers:6} {size / MB:6.1f} {measured:9.2f} "
        f"{predicted:9.2f} {off:+7.1%}",
        flush=True,
    )
    return off


if __name__ == "__main__":
    named = [each for each in sys.argv[1:] if each != "--few"]
    main(named or [*push_clients.CLIENTS, push_clients.OWN], few="--few" in sys.argv)
