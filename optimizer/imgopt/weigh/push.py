"""Bytes to seconds for the clients that push, and the clients that send more than they would have to.

A rate is what a client sees as its upload speed: payload bytes a second, as `imgopt bandwidth` measures them and
`--bandwidth` takes them. A link of 10 Mbit/s carries 3.5 % less than that of payload (TCP and IP headers).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from imgopt.light.records import dataclass
from imgopt.scales import Sum, total
from imgopt.weigh.weights import ImageWeight, LayerWeight, PushClient, PushTime


@dataclass(frozen=True, slots=True)
class Link:
    """To the registry: payload bytes a second, and the seconds that a request and its answer take when empty."""

    bytes_per_s: float
    rtt_s: float = 0.0

    @property
    def doublings(self) -> float:
        """How often TCP's first window (10 segments) doubles until it fills the link."""
        return math.log2(1 + self.bytes_per_s * self.rtt_s / 14_480)


@dataclass(frozen=True, slots=True)
class Client:
    """How one client pushes, in waves of ``parallel`` layers. Seconds: ``start_s`` and, for each layer sent, ``layer_s``,
    the work besides; the bytes at the link's rate, or, where it compresses while it sends (``packed_per_s``: plain bytes
    in a second, 0 where it does not), that if it is slower. And round trips:

    - ``talk``: for a push, whatever it sends; ``have``: for each wave of layers that the repository has;
    - ``first``: for the first layer that is sent, ``wave``: for each wave of them, ``window``: for each wave and each
      doubling of TCP's window until it fills the link;
    - ``first_mount``, ``mount``: the same for layers that are mounted from another repository;
    - ``small``: for a layer of less than `SMALL_BYTES` where that goes in one request, None where it goes as all others;
    - ``further``: for each further image of one call, besides what its layers take; None: each is a push of its own.

    ``asked``: layers that are asked for at the same time, ``parallel`` where it is 0.
    """

    parallel: int
    packed_per_s: int
    start_s: float
    layer_s: float
    talk: float
    have: float
    first: float
    wave: float
    window: float
    first_mount: float
    mount: float
    source: str
    small: float | None = None
    further: float | None = None
    asked: int = 0


#: What docker and buildah compress in a second, of the uncompressed layers, with the registry on the same two cores;
#: measured in November 2026 (33 to 35 MB/s). A faster machine is bound by its link for longer.
PACKED_PER_S = 35_000_000
#: The same of `imgopt push`, of all layers that its source holds as plain tars: what one thread compresses in a second of
#: processor time, measured on 2026-11-29 with a Java runtime and a Spring Boot application, 216 MB in 5.5 to 5.8 s. It has
#: a thread for each processor, but mostly one layer that is larger than all others.
OWN_PACKED_PER_S = 38_000_000
_SOURCE = (
    "fitted on 2026-11-26 to 30 pushes of 1 to 20 incompressible layers to docker-registry 2.8.2 over plain HTTP, at 0.5, 1 "
    "and 10 MB/s and round trips of 0 and 40 ms (tests/benchmarks/push_time.py measures again)"
)
#: The one place for what pushes cost beyond their bytes.
CLIENTS = {
    "docker": Client(
        5, PACKED_PER_S, 0.05, 0, 7.4, 2.3, 12.7, 2.2, 1.2, 7.1, 7.1, f"dockerd 20.10.24, {_SOURCE}"
    ),
    "buildah": Client(
        6, PACKED_PER_S, 0.10, 0, 4.9, 5.4, 12.3, 2.1, 1.6, 7.0, 7.0, f"buildah 1.28.2, {_SOURCE}"
    ),
    "skopeo": Client(1, 0, 0.09, 0, 6.8, 2.3, 5.7, 7.7, 1.7, 5.3, 6.7, f"skopeo 1.9.3 from oci:, {_SOURCE}"),
    # The start is Python's: a second more where the machine has much other work.
    "imgopt": Client(
        1,
        OWN_PACKED_PER_S,
        0.27,
        0,
        6.3,
        1.8,
        0.0,
        3.2,
        1.8,
        3.3,
        1.1,
        "imgopt push from oci:, bytes fitted on 2026-11-27 to 18 pushes like those, on an idle machine; round trips on 2026-11-30 to "
        "16 calls of 1 to 13 images at round trips of 0 and 400 ms",
        small=2.1,
        further=0.3,
        asked=8,
    ),
}

#: What `imgopt push` sends in one request.
SMALL_BYTES = 100_000
#: Headers and answers of the requests for one layer, in bytes of payload.
REQUEST_BYTES = 3_500
#: The client that `suggest` counts with.
DEFAULT_CLIENT = "docker"


def seconds(
    client: str,
    link: Link,
    sent: Sequence[int],
    *,
    uncompressed_bytes: int = 0,
    have: int = 0,
    mounted: int = 0,
) -> float:
    """Seconds that a push takes. ``client``: a key of `CLIENTS`; ``sent``: compressed bytes of each layer that the
    registry lacks; ``have``, ``mounted``: how many layers it has already. ``uncompressed_bytes``: plain bytes that the
    client compresses: those of the layers sent; for ``imgopt`` those of every layer that its source holds as a plain tar,
    since it asks for the digests of what it made itself, and 0 from an OCI layout."""
    return together(client, link, [ImagePush(tuple(sent), have, mounted, uncompressed_bytes)])


@dataclass(frozen=True, slots=True)
class ImagePush:
    """What becomes of one image's layers: compressed bytes of each that is ``sent``, how many the repository has and how many
    are mounted; ``uncompressed_bytes`` as in `seconds`."""

    sent: tuple[int, ...]
    have: int = 0
    mounted: int = 0
    uncompressed_bytes: int = 0


def first_pushes(images: Sequence[Mapping[str, int]], *, mounts: bool) -> list[ImagePush]:
    """Of several images to empty repositories of one registry, in turn: each a mapping of digests to compressed bytes. What
    an image has in common with one before it is mounted where the registry mounts, else sent again."""
    known: set[str] = set()
    found = []
    for layers in images:
        common = known & layers.keys() if mounts else set()
        sent = tuple(size for digest, size in layers.items() if digest not in common)
        found.append(ImagePush(sent, mounted=len(common)))
        known |= layers.keys()
    return found


def together(client: str, link: Link, images: Sequence[ImagePush]) -> float:
    """Seconds for several images: in one call of a client that takes them so, else one push after the other."""
    how = CLIENTS[client]
    if how.further is None and len(images) > 1:
        return sum(together(client, link, [each]) for each in images)
    if not images:
        return 0.0
    sent = [size for each in images for size in each.sent]
    small = [size for size in sent if how.small is not None and size < SMALL_BYTES]
    wire = (sum(sent) + REQUEST_BYTES * len(sent)) / link.bytes_per_s
    if how.packed_per_s:
        wire = max(wire, sum(each.uncompressed_bytes for each in images) / how.packed_per_s)

    def waves(layers: int, at_once: int = how.parallel) -> int:
        return math.ceil(layers / at_once)

    mounted = sum(waves(each.mounted) for each in images)
    # of several images all are asked for at the same time
    trips = how.talk + how.have * max(waves(each.have, how.asked or how.parallel) for each in images)
    trips += (how.further or 0) * (len(images) - 1) + how.mount * mounted + (how.small or 0) * len(small)
    if len(sent) > len(small):
        trips += how.first + (how.wave + how.window * link.doublings) * sum(
            waves(sum(how.small is None or size >= SMALL_BYTES for size in each.sent)) for each in images
        )
    if mounted and (not sent or how.small is not None):
        trips += how.first_mount
    return how.start_s + how.layer_s * len(sent) + wire + link.rtt_s * trips


def push_seconds(size: Sum, bytes_per_second: int) -> float | None:
    """Seconds for the bytes alone, or None when nothing of them is known: for sums that know no layers."""
    return None if size.value is None else size.value / bytes_per_second


def _seconds(layers: Iterable[LayerWeight], have: int, link: Link) -> float | None:
    """Seconds for a push of these layers while the registry has ``have`` others; None when nothing is known."""
    sent = list(layers)
    sizes = [layer.compressed_bytes for layer in sent if layer.compressed_bytes is not None]
    if sent and not sizes:
        return None
    raw = sum(layer.uncompressed_bytes or 0 for layer in sent)
    return seconds(DEFAULT_CLIENT, link, sizes, uncompressed_bytes=raw, have=have)


def push_times(
    before: ImageWeight, after: ImageWeight, rates: tuple[int, ...], rtt_s: float = 0.0
) -> tuple[PushTime, ...]:
    """A first push, a next one and one after a patch of Spring Boot, of both images at each rate, by `DEFAULT_CLIENT`."""

    def times(image: ImageWeight, link: Link) -> tuple[float | None, ...]:
        changing = [layer for layer in image.pushed if layer.changes_each_release]
        following = _seconds(changing, len(image.pushed) - len(changing), link)
        bumped = image.bumped
        patched = (
            _seconds(bumped, len(image.pushed) - len(bumped), link) if image.spring_boot is not None else None
        )
        return _seconds(image.pushed, 0, link), following, patched

    found = []
    for rate in rates:
        link = Link(rate, rtt_s)
        first, following, patched = zip(times(before, link), times(after, link), strict=True)
        found.append(PushTime(rate, first, following, patched))
    return tuple(found)


def above_base(weight: ImageWeight) -> Sum:
    """All layers that the Dockerfile itself makes."""
    return total([(layer.compressed_bytes, layer.basis) for layer in weight.pushed if not layer.from_base])


def base_of(weight: ImageWeight) -> Sum:
    """The base image's layers."""
    return total([(layer.compressed_bytes, layer.basis) for layer in weight.pushed if layer.from_base])


def push_clients(before: ImageWeight, after: ImageWeight) -> tuple[PushClient, ...]:
    """Clients and builders that send every layer again although the registry has its content, and what the way
    round costs. Measured in November 2026 on emptied agents with docker 20.10, buildah 1.28, kaniko 1.24 and the
    maintained fork after 1.28.3, registry 2.8.2."""
    sums = above_base(before), above_base(after)
    own, whole, base = (_price(each) for each in (sums[1], after.first_push, base_of(after)))
    return (
        PushClient(
            "docker push, fresh agent",
            *sums,
            "an Engine without the containerd image store does not know the compressed digests and sends every layer above "
            "the base. `imgopt push` and `docker buildx build --push --provenance=false --sbom=false` send only what is new; so does "
            f"docker after a `docker pull` of the last release, which costs a download of {own} ({whole} where the base is not there either)",
        ),
        PushClient(
            "buildah push, fresh agent",
            *sums,
            "sends every layer again. `imgopt push`, or `buildah push IMAGE oci:DIR` and `skopeo copy oci:DIR docker://...`, "
            f"send only what is new; the directory costs {whole} of disk",
        ),
        PushClient(
            "kaniko without --reproducible",
            *sums,
            "stamps every file with the time of the build, so no layer keeps its digest. The archived kaniko (1.24) keeps layers "
            "only with --reproducible, which rewrites the base too: the first push sends a base of the image's own, about 15 % "
            f"above the {base} of the published one, and no other image shares it. The maintained fork keeps the base with "
            "--reproducible and FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS=true, at no cost; where the base lies in the registry "
            "that is pushed to it is mounted, with FF_KANIKO_SHARED_BASE_CACHE only if FF_KANIKO_CROSS_REPO_MOUNT=true is set too "
            "(from its documentation)",
        ),
        PushClient(
            "buildah bud without --layers",
            *sums,
            f"makes one layer of the whole Dockerfile, whatever it says: each release sends {own} again. --layers costs local "
            "disk and not a byte of a push",
        ),
    )


def _price(size: Sum) -> str:
    """``61.2 MB``, "at least" so much where a part is unknown, or that it is not known."""
    from imgopt.units import megabytes

    if size.value is None:
        return "unknown size"
    return f"{'' if size.complete else 'at least '}{megabytes(size.value)}"
