"""Libraries that one instruction stores together with what each release changes: an unpacked archive that is copied whole,
say. The registry knows layers alone, so every release sends them all again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

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
    return tuple(
        _found(picture, layer, libraries)
        for layer in picture.layers
        if layer.instruction.number not in spoken
        and any(file.releases for file in layer.files)
        and _size(libraries := _libraries(layer)) >= SMALLEST_LIBRARIES
    )


def _size(files: Iterable[File]) -> int:
    return sum(file.bytes or 0 for file in files)


def _libraries(layer: Layer) -> list[File]:
    """The released ones. The project's own modules and snapshots travel with the classes anyway."""
    from imgopt.java.spring_boot import with_classes

    jars = {file.entry[0].path: file.entry[0] for file in layer.files if file.entry is not None}
    own = {path: with_classes(jar) for path, jar in jars.items()}
    elsewhere = {file.path for file in layer.reowned}
    found = []
    for file in layer.files:
        if file.releases or file.steady or not file.path.endswith(".jar") or file.path in elsewhere:
            continue
        jar, name = (file.entry[0].path, file.entry[1].name) if file.entry is not None else ("", "")
        if name not in own.get(jar, ()) and "SNAPSHOT" not in name:
            found.append(file)
    return found


def _found(picture: Picture, layer: Layer, libraries: Sequence[File]) -> MixedLayer:
    way_out = _way_out(picture, layer, libraries)
    return MixedLayer(layer.instruction, _size(layer.files), _size(libraries), way_out)


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


def _outermost(directories: Iterable[str]) -> Iterator[str]:
    """Without those that lie below another one."""
    last = None
    for path in sorted(set(directories), key=lambda path: path.split("/")):
        if last is None or not path.startswith(f"{last}/"):
            yield path
            last = path
