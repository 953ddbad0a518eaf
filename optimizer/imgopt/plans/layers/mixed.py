"""Libraries that one instruction stores together with what each release changes: an unpacked archive that is copied whole,
say. The registry knows layers alone, so every release sends them all again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from itertools import pairwise

from imgopt.dockerfile import Instruction
from imgopt.finding import Reason, because
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.picture.contents import File, Layer
from imgopt.plans.layers import layering, steadying
from imgopt.plans.layers.jarmode import extractions
from imgopt.plans.layers.layering import SMALLEST_LIBRARIES


@dataclass(frozen=True)
class MixedLayer:
    """``bytes`` of all its files and of the ``libraries`` among them, as they lie in the image."""

    instruction: Instruction
    bytes: int
    libraries: int
    way_out: Reason


@once
def mixed(picture: Picture) -> tuple[MixedLayer, ...]:
    """Those that no other plan speaks of; none while the jar itself is to be unpacked. Never raises."""
    made = layering.plan(picture)
    if made.edits or made.why_not is not None:
        return ()
    spoken = {copy.number for plan in steadying.plans(picture) for copy in plan.copies}
    return tuple(_found(picture, layer) for layer in picture.layers if _is_mixed(picture, layer, spoken))


def _is_mixed(picture: Picture, layer: Layer, spoken: set[int]) -> bool:
    return (
        layer.instruction.number not in spoken
        and any(file.releases for file in layer.files)
        and sum(file.bytes or 0 for file in _libraries(layer)) >= SMALLEST_LIBRARIES
    )


def _libraries(layer: Layer) -> list[File]:
    """The released ones. The project's own modules and snapshots travel with the classes anyway."""
    from imgopt.java.spring_boot import layered

    changing: dict[str, set[str]] = {}
    elsewhere = {file.path for file in layer.reowned}
    found = []
    for file in layer.files:
        if file.releases or file.steady or not file.path.endswith(".jar") or file.path in elsewhere:
            continue
        if file.entry is not None:
            jar, entry = file.entry
            if jar.path not in changing:
                changing[jar.path] = {
                    each.name
                    for _, entries in layered(jar)
                    if any(each.name.startswith(jar.classes_prefix or "\0") for each in entries)
                    for each in entries
                }
            if entry.name in changing[jar.path] or "SNAPSHOT" in entry.name:
                continue
        found.append(file)
    return found


def _found(picture: Picture, layer: Layer) -> MixedLayer:
    libraries = _libraries(layer)
    total = sum(file.bytes or 0 for file in layer.files)
    size = sum(file.bytes or 0 for file in libraries)
    return MixedLayer(layer.instruction, total, size, _way_out(picture, layer, libraries))


def _way_out(picture: Picture, layer: Layer, libraries: Sequence[File]) -> Reason:
    if any(call.extract is not None and call.extract.layers is not None for call, _ in extractions(picture)):
        return because(
            "certain", "copy each layer that the jar unpacks into by a COPY of its own, dependencies first"
        )
    above = tuple(_outermost(posixpath.dirname(file.path) for file in libraries))
    rest = [file.path for file in layer.files if file.releases]
    if len(above) != 1 or all(path.startswith(f"{above[0]}/") for path in rest):
        return because(
            "certain",
            "keep the libraries that no release changes in a directory of their own, and copy it by a line of its own",
        )
    if layer.instruction.keyword == "RUN":
        return because(
            "certain", "unpack it in a stage before, and copy what becomes {} by a line of its own", above[0]
        )
    return because("certain", "copy what becomes {} by a line of its own, above one for the rest", above[0])


def _outermost(directories: Iterator[str]) -> Iterator[str]:
    """Without those that lie below another one."""
    ordered = sorted(set(directories), key=lambda path: path.split("/"))
    if not ordered:
        return
    yield ordered[0]
    last = ordered[0]
    for _, path in pairwise(ordered):
        if not path.startswith(f"{last}/"):
            yield path
            last = path
