"""Bytes to seconds, and the clients that send more than they would have to.

A rate is what a client sees as its upload speed (payload bytes a second), so seconds are bytes over rate; what a
registry conversation adds (round trips, headers) was measured at 3 to 4 % on slow links and is not added.
"""

from __future__ import annotations

from imgopt.result import ImageWeight, PushClient, PushTime, Sum, total


def push_seconds(size: Sum, bytes_per_second: int) -> float | None:
    """Seconds for a push, or None when nothing of it is known."""
    return None if size.value is None else size.value / bytes_per_second


def push_times(before: ImageWeight, after: ImageWeight, rates: tuple[int, ...]) -> tuple[PushTime, ...]:
    return tuple(
        PushTime(
            rate,
            (push_seconds(before.first_push, rate), push_seconds(after.first_push, rate)),
            (push_seconds(before.next_push, rate), push_seconds(after.next_push, rate)),
        )
        for rate in rates
    )


def above_base(weight: ImageWeight) -> Sum:
    """All layers that the Dockerfile itself makes."""
    return total([(layer.compressed_bytes, layer.basis) for layer in weight.layers if not layer.from_base])


def push_clients(before: ImageWeight, after: ImageWeight) -> tuple[PushClient, ...]:
    """Clients that send every layer again although the registry has it. Measured with docker 20.10, buildah 1.28
    and kaniko 1.24 on emptied agents, registry 2.8.2."""
    sums = above_base(before), above_base(after)
    return (
        PushClient(
            "docker push, fresh agent",
            *sums,
            "an Engine without the containerd image store does not know the compressed digests and sends every layer above "
            "the base; pull the release before first, or push with BuildKit (`docker buildx build --push`)",
        ),
        PushClient(
            "buildah push, fresh agent",
            *sums,
            "sends every layer again; push to an `oci:` directory and `skopeo copy` that to the registry",
        ),
        PushClient(
            "kaniko without --reproducible",
            *sums,
            "stamps every file with the time of the build, so no layer keeps its digest; the maintained fork needs --reproducible "
            "and FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS=true",
        ),
        PushClient(
            "buildah bud without --layers",
            *sums,
            "makes one layer of the whole Dockerfile, whatever it says; add --layers",
        ),
    )
