"""What images weigh and pushes take: bytes are bytes, seconds are seconds, None is unknown."""

from __future__ import annotations

from imgopt.light.records import dataclass, replace
from imgopt.scales import Basis, Sum, total


@dataclass(frozen=True)
class LayerWeight:
    """One layer of the image that a Dockerfile makes. ``line`` is 0 for layers of the base image."""

    instruction: str
    line: int
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    changes_each_release: bool
    basis: Basis
    from_base: bool = False
    note: str | None = None  # where the figure comes from, e.g. the catalogue's date and source
    base_layers: tuple[int, ...] | None = (
        None  # of a base image: its layers' compressed bytes, where they are known
    )
    same_everywhere: bool = False  # one blob for all platforms
    rest: bool = False  # what is not known of the layer that stands before it
    #: Where the bytes come from that are not known (`imgopt.picture.contents.Layer`).
    unseen: frozenset[str] = frozenset()
    changes_each_bump: bool = False  # another patch of Spring Boot moves something in it


@dataclass(frozen=True)
class ImageWeight:
    """One platform's image. ``elsewhere``: the layers of further platforms that one push sends with it and that are no
    blobs of this one; ``platforms`` names all of them, this one first; ``others`` are their images. ``spring_boot``: the
    application's version of it; None where it is not known to be made with Spring Boot."""

    layers: tuple[LayerWeight, ...]
    elsewhere: tuple[LayerWeight, ...] = ()
    platforms: tuple[str, ...] = ()
    others: tuple[ImageWeight, ...] = ()
    spring_boot: str | None = None

    @property
    def pushed(self) -> tuple[LayerWeight, ...]:
        """What a push sends: the blobs of all platforms, each once."""
        return (*self.layers, *self.elsewhere)

    @property
    def compressed(self) -> Sum:
        return total([(layer.compressed_bytes, layer.basis) for layer in self.layers])

    @property
    def uncompressed(self) -> Sum:
        return total([(layer.uncompressed_bytes, layer.basis) for layer in self.layers])

    @property
    def first_push(self) -> Sum:
        """Nothing of the image is in the registry yet."""
        return total([(layer.compressed_bytes, layer.basis) for layer in self.pushed])

    @property
    def next_push(self) -> Sum:
        """The release before is there, only classes changed, no build cache, the client asks first."""
        changing = [layer for layer in self.pushed if layer.changes_each_release]
        return total([(layer.compressed_bytes, layer.basis) for layer in changing])

    @property
    def bumped(self) -> tuple[LayerWeight, ...]:
        """What a push sends when another patch of Spring Boot came, and classes changed, too."""
        return tuple(layer for layer in self.pushed if layer.changes_each_release or layer.changes_each_bump)

    @property
    def bump_push(self) -> Sum:
        """The same as `next_push`, of a release with another patch of Spring Boot; which layers that moves is predicted."""
        if self.spring_boot is None:
            return Sum(None, "unknown", False)
        found = total([(layer.compressed_bytes, layer.basis) for layer in self.bumped])
        return found if found.value is None else replace(found, basis="predicted")


@dataclass(frozen=True)
class PushTime:
    bandwidth_bytes_per_s: int
    first_push_s: tuple[float | None, float | None]  # before, after
    next_push_s: tuple[float | None, float | None]
    bump_push_s: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class PushClient:
    """A client that sends more than the next push needs: what it sends, before and after."""

    client: str
    before: Sum
    after: Sum
    note: str


@dataclass(frozen=True)
class Prediction:
    before: ImageWeight
    after: ImageWeight
    push: tuple[PushTime, ...]
    clients: tuple[PushClient, ...]


@dataclass(frozen=True)
class Saving:
    """What one finding's fix saves alone, in bytes; None when it cannot be told. ``platforms``: of whose images, where
    that is not all that a push sends."""

    first_push_bytes: int | None
    next_push_bytes: int | None
    basis: Basis
    platforms: tuple[str, ...] = ()
