"""What `imgopt inspect` and `imgopt gate` know of an image: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imgopt.images.model import ALONE, Family
from imgopt.inspection.filesystem import Filesystem, Wasted
from imgopt.inspection.places import JavaHome, Places, What
from imgopt.light.records import dataclass, field
from imgopt.scales import Basis, Sum, total

if TYPE_CHECKING:
    from imgopt.java.model import Jar


@dataclass(frozen=True, slots=True)
class Holding:
    """What of one sort a layer stores, in bytes as they lie in its tar."""

    what: What
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class InspectedLayer:
    """One layer; ``number`` counts from 1, the lowest. ``compressed_bytes`` is what a registry stores and a push
    sends; with ``compressed_here`` the source holds the plain tar, and it was compressed to be weighed.

    ``uncompressed_bytes`` is the length of the plain tar, with the holes of sparse files. What lies in it is empty where only the manifest was read.
    ``changes_each_release``: it holds the application itself; None where that cannot be told. ``changes_each_bump``: that, or
    something that another patch of Spring Boot moves.
    """

    number: int
    command: str
    diff_id: str
    digest: str | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    compressed_here: bool = False
    files: int | None = None
    holds: tuple[Holding, ...] = ()
    largest: tuple[tuple[str, int], ...] = ()
    wasted_bytes: int | None = None
    changes_each_release: bool | None = None
    changes_each_bump: bool = False

    @property
    def basis(self) -> Basis:
        return "unknown" if self.compressed_bytes is None else "measured"


@dataclass(frozen=True, slots=True)
class InspectedJar:
    """A jar of the image that holds others or is started: its path, the layer that stores it, its X-ray."""

    path: str
    layer: int
    bytes: int
    jar: Jar | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """What all layers together hold. ``wasted`` costs most first. ``efficiency`` and ``dives_wasted_bytes`` are as
    dive counts them (`Score`)."""

    files: Filesystem
    places: Places
    wasted: tuple[Wasted, ...]
    wasted_bytes: int
    efficiency: float
    dives_wasted_bytes: int
    jars: tuple[InspectedJar, ...]
    stored: Mapping[What, int] = field(default_factory=dict)
    untold: Mapping[What, str] = field(default_factory=dict)
    """Why it cannot be told whether the image has it, or all of it."""
    compiling: tuple[str, ...] = ()
    """Java runtime images (``lib/modules``) that hold the compiler's module, as many a JRE does."""
    spring_boot: str | None = None
    """Version of it that the application has."""

    @property
    def homes(self) -> tuple[JavaHome, ...]:
        return self.places.homes


@dataclass(frozen=True, slots=True)
class Inspection:
    """``target`` is as the user wrote it, ``reference`` the name that the image has. ``contents`` is None where the
    layers were not read (a registry's image, by its manifest only). ``root``: whether it runs as root; None where that
    cannot be told, and ``user_untold`` says why."""

    target: str
    reference: str
    id: str
    platform: str
    user: str
    root: bool | None
    start: tuple[str, ...]
    layers: tuple[InspectedLayer, ...]
    contents: Contents | None
    notes: tuple[str, ...] = ()
    user_untold: str | None = None
    family: Family = ALONE

    @property
    def compressed(self) -> Sum:
        return total([(layer.compressed_bytes, layer.basis) for layer in self.layers])

    @property
    def uncompressed(self) -> Sum:
        return total(
            [
                (layer.uncompressed_bytes, "unknown" if layer.uncompressed_bytes is None else "measured")
                for layer in self.layers
            ]
        )

    @property
    def compressed_here(self) -> bool:
        return any(layer.compressed_here for layer in self.layers)
