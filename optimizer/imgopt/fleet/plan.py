"""Which libraries several modules could have in layers of their own, so that a registry has each once.

A layer is shared where it holds exactly the same files. So artifacts go together which the same sets of modules have, in the
same files each, and of those the ones that Spring Boot's BOM moves apart from the others. The most valuable of these cells become
groups, up to a number of layers; what is in none lies in the module's own layer of libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from imgopt.light.records import dataclass, field
from imgopt.plans.layers.apart import SHARED

#: Layers that an image gets at most by it; 12 came within 1 % of each file once on two public fleets of 7 and 8 modules.
MOST_GROUPS = 12
#: Less saved than this, over a first push and a patch, is not worth a layer in every image.
LEAST_GAIN = 100_000
#: How groups are called; layers.xml takes letters, digits and dashes.
PREFIX = SHARED


@dataclass(frozen=True)
class File:
    """A library as it lies in archives. ``identity``: equal where the bytes are; ``bytes``: compressed, None where they are not
    known; ``managed``: Spring Boot's BOM gives its version; ``moves``: its next patch is expected to bring another one."""

    artifact: str
    identity: object
    bytes: int | None
    managed: bool
    moves: bool = False


@dataclass(frozen=True)
class Plan:
    """``groups``: names to artifacts, the lowest layer first. ``kept``: it is the one that a file says, new libraries left out."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kept: bool = False

    @property
    def group_of(self) -> dict[str, str]:
        return {artifact: name for name, artifacts in self.groups.items() for artifact in artifacts}


@dataclass(frozen=True)
class Cost:
    """Bytes of libraries, each layer once: of a first push, and of a patch of Spring Boot."""

    first: int
    bump: int


#: What each module holds, by artifact; of one with classifiers there are several files.
Modules = Mapping[str, Mapping[str, tuple[File, ...]]]


def planned(modules: Modules, most: int = MOST_GROUPS) -> Plan:
    """The most valuable groups, at most ``most``. The work is that of looking at each copy once."""
    holders: dict[str, dict[tuple[object, ...], list[str]]] = {}
    files: dict[str, tuple[File, ...]] = {}
    for module, libraries in modules.items():
        for artifact, held in libraries.items():
            key = tuple(each.identity for each in held)
            holders.setdefault(artifact, {}).setdefault(key, []).append(module)
            files.setdefault(artifact, held)
    sizes = {
        (artifact, tuple(each.identity for each in held)): sum(each.bytes or 0 for each in held)
        for libraries in modules.values()
        for artifact, held in libraries.items()
    }
    cells: dict[tuple[frozenset[tuple[str, ...]], bool], list[str]] = {}
    for artifact, sets in holders.items():
        signature = frozenset(tuple(sorted(each)) for each in sets.values())
        managed = any(each.managed for each in files[artifact])
        cells.setdefault((signature, managed), []).append(artifact)
    worth: list[tuple[int, tuple[frozenset[tuple[str, ...]], bool]]] = []
    for cell, artifacts in cells.items():
        _, managed = cell
        gain = 0
        for artifact in artifacts:
            for key, names in holders[artifact].items():
                size, copies = sizes[artifact, key], len(names)
                # a first push sends it once; so does a patch that moves it, and one that does not sends nothing
                gain += size * (copies - 1) * 2 if managed else size * (2 * copies - 1) if copies > 1 else 0
        if gain >= LEAST_GAIN:
            worth.append((gain, cell))
    best = sorted(worth, key=lambda each: (-each[0], _order(each[1])))[: max(0, most)]
    # common ones lowest, and of those the ones that change least, so that pulls share the layers below as well
    laid = sorted((cell for _, cell in best), key=lambda cell: (-_copies(cell), cell[1], _order(cell)))
    groups = {f"{PREFIX}{number}": tuple(sorted(cells[cell])) for number, cell in enumerate(laid, 1)}
    return Plan(groups)


def _copies(cell: tuple[frozenset[tuple[str, ...]], bool]) -> int:
    return sum(map(len, cell[0]))


def _order(cell: tuple[frozenset[tuple[str, ...]], bool]) -> tuple[bool, list[tuple[str, ...]]]:
    return cell[1], sorted(cell[0])


def cost(plan: Plan, modules: Modules) -> Cost:
    """What the plan sends of libraries: of each layer its content once, whichever modules have it."""
    of = plan.group_of
    layers: dict[tuple[str, frozenset[object]], tuple[int, bool]] = {}
    for libraries in modules.values():
        content: dict[str, list[File]] = {}
        for artifact, held in libraries.items():
            content.setdefault(of.get(artifact, ""), []).extend(held)
        for name, held_files in content.items():
            key = name, frozenset((each.artifact, each.identity) for each in held_files)
            if key not in layers:
                layers[key] = (
                    sum(each.bytes or 0 for each in held_files),
                    any(each.moves for each in held_files),
                )
    return Cost(
        sum(size for size, _ in layers.values()), sum(size for size, moves in layers.values() if moves)
    )


def bound(modules: Modules) -> Cost:
    """Each file once: no layers can do better."""
    distinct = distinct_files(modules.values())
    return Cost(
        sum(each.bytes or 0 for each in distinct), sum(each.bytes or 0 for each in distinct if each.moves)
    )


def distinct_files(modules: Iterable[Mapping[str, Sequence[File]]]) -> list[File]:
    found: dict[tuple[str, object], File] = {}
    for libraries in modules:
        for artifact, held in libraries.items():
            for each in held:
                found.setdefault((artifact, each.identity), each)
    return list(found.values())
