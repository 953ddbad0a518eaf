"""What grew: the layers and files of an image that are larger than its baseline's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imgopt.gate.subject import MOST_PARTS, Layer, Subject
from imgopt.inspection.history import shown_command
from imgopt.units import megabytes

if TYPE_CHECKING:
    from imgopt.gate.baseline import Entry

#: Layers and files that are named.
MOST_NAMED = 5
LEAST_GROWTH = 10_000


def growth(subject: Subject, baseline: Entry) -> tuple[str, ...]:
    """The layers and files that are larger than the baseline's, largest growth first."""
    return (*_grown_layers(subject, baseline), *_grown_parts(subject, baseline))


def _grown_layers(subject: Subject, baseline: Entry) -> list[str]:
    known = {layer.diff_id for layer in baseline.layers}
    now = {layer.diff_id for layer in subject.layers}
    gone = [layer for layer in baseline.layers if layer.diff_id not in now]
    grown: list[tuple[int, str]] = []
    for layer in subject.layers:
        if layer.compressed_bytes is None or (layer.diff_id is not None and layer.diff_id in known):
            continue
        command = shown_command(layer.command)
        old = next((each for each in gone if shown_command(each.command) == command), None)
        if old is not None:
            gone.remove(old)
        before = old.compressed_bytes if old is not None else 0
        more = layer.compressed_bytes - before
        if more >= LEAST_GROWTH:
            was = f"was {megabytes(before)}" if old is not None else "new"
            grown.append((more, f"grew: {label(layer)}: {megabytes(layer.compressed_bytes)}, {was}"))
    return [text for _, text in sorted(grown, key=lambda each: -each[0])[:MOST_NAMED]]


def _grown_parts(subject: Subject, baseline: Entry) -> list[str]:
    if not subject.parts or not baseline.parts:
        return []
    # what is smaller than the smallest one that was recorded may have been there before
    least = min(baseline.parts.values()) if len(baseline.parts) >= MOST_PARTS else 0
    gone = {path: size for path, size in baseline.parts.items() if path not in subject.parts}
    grown: list[tuple[int, str]] = []
    for path, size in subject.parts.items():
        before = baseline.parts.get(path)
        name = path
        if before is None:
            old = _other_version(path, gone)
            if old is not None:
                before = gone.pop(old)
                name = f"{path} (was {old.rpartition('/')[2]})"
        if before is None and size <= least:
            continue
        more = size - (before or 0)
        if more >= LEAST_GROWTH:
            was = f"was {megabytes(before)}" if before is not None else "new"
            grown.append((more, f"grew: {name}: {megabytes(size)} unpacked, {was}"))
    return [text for _, text in sorted(grown, key=lambda each: -each[0])[:MOST_NAMED]]


def _other_version(path: str, gone: Mapping[str, int]) -> str | None:
    """The same library in the version that is not there any more."""
    if not path.endswith(".jar"):
        return None
    from imgopt.java.jar import library_name

    directory, _, file = path.rpartition("/")
    artifact = library_name(file)[0]
    if artifact is None:
        return None
    for other in gone:
        there, _, name = other.rpartition("/")
        if there == directory and library_name(name)[0] == artifact:
            return other
    return None


def label(layer: Layer) -> str:
    command = shown_command(layer.command)
    command = command if len(command) <= 60 else f"{command[:57]}..."
    place = f"line {layer.line}" if layer.line else f"layer {layer.number}"
    return f"{place} {command}"
