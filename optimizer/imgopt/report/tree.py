"""The files of an image as a tree with sizes, largest first, and as rectangles in proportion to their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from imgopt.inspection.filesystem import Filesystem, Node
from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.inspection.image import Contents


@dataclass(slots=True)
class Branch:
    """A directory or file that is seen in the end. ``bytes`` with all that lies below; ``layer`` 0-based, of the
    newest file in it. ``below`` is largest first; empty for files and below the depth asked for."""

    path: str
    bytes: int
    files: int
    layer: int
    directory: bool
    below: tuple[Branch, ...] = ()


#: Of a jar: what lies in it, with its bytes.
Inside = Mapping[str, Sequence[tuple[str, int]]]


def branches(files: Filesystem, depth: int, under: str = "/", inside: Inside | None = None) -> Branch | None:
    """The tree below ``under``, ``depth`` levels of it, jars by what is ``inside`` them; None when the image has no
    such path."""
    start = files.find(under)
    if start is None:
        return None
    return _branch(start, under.rstrip("/") or "/", depth, _sums(start), inside or {})


def inside_of(contents: Contents) -> Inside:
    """The libraries of the jars that were looked into, by the path of the jar; of several copies the last counts."""
    return {
        each.path: [(library.path, library.bytes) for library in each.jar.libraries]
        for each in contents.jars
        if each.jar is not None
    }


def _sums(start: Node) -> dict[int, tuple[int, int, int]]:
    """Bytes, files and newest layer of every node, by its id; without recursion, trees may be deep."""
    order = [start]
    for node in order:
        if node.children:
            order.extend(node.children.values())
    sums: dict[int, tuple[int, int, int]] = {}
    for node in reversed(order):
        if node.children is None:
            sums[id(node)] = (node.size, 1, node.layer)
            continue
        below = [sums[id(child)] for child in node.children.values()]
        newest = max((layer for _, _, layer in below), default=node.layer)
        sums[id(node)] = (sum(size for size, _, _ in below), sum(count for _, count, _ in below), newest)
    return sums


def _branch(
    node: Node, path: str, depth: int, sums: dict[int, tuple[int, int, int]], inside: Inside
) -> Branch:
    size, count, layer = sums[id(node)]
    found: list[Branch] = []
    if depth > 0 and node.children:
        prefix = path if path.endswith("/") else path + "/"
        found = [
            _branch(child, prefix + name, depth - 1, sums, inside) for name, child in node.children.items()
        ]
    elif depth > 0 and path in inside:
        found = [Branch(f"{path}!/{name}", held, 1, layer, False) for name, held in inside[path]]
        rest = size - sum(each.bytes for each in found)
        if rest > 0:
            found.append(Branch(f"{path}!/classes and resources", rest, 1, layer, False))
    below = tuple(sorted(found, key=lambda each: (-each.bytes, each.path)))
    return Branch(path, size, count, layer, node.children is not None, below)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a treemap. ``depth`` 0 is the outermost."""

    branch: Branch
    x: float
    y: float
    width: float
    height: float
    depth: int


#: Room for a directory's name above what lies in it.
TITLE = 16.0
_LEAST = 3.0  # px; what is smaller is not drawn


def boxes(root: Branch, width: float, height: float) -> list[Box]:
    """A squarified treemap: nested rectangles whose areas stand in proportion to the bytes."""
    drawn: list[Box] = []
    stack = [Box(root, 0.0, 0.0, width, height, 0)]
    while stack:
        box = stack.pop()
        drawn.append(box)
        x, y, w, h = box.x + 2, box.y + TITLE, box.width - 4, box.height - TITLE - 2
        if not box.branch.below or w < 2 * _LEAST or h < 2 * _LEAST:
            continue
        for branch, (left, top, wide, high) in _squares(box.branch.below, x, y, w, h):
            if wide >= _LEAST and high >= _LEAST:
                stack.append(Box(branch, left, top, wide, high, box.depth + 1))
    return drawn


def _squares(
    items: Sequence[Branch], x: float, y: float, width: float, height: float
) -> Iterator[tuple[Branch, tuple[float, float, float, float]]]:
    """Rows along the shorter side, each as long as it keeps its rectangles near to squares."""
    left = [item for item in items if item.bytes > 0]
    whole = sum(item.bytes for item in left)
    if not whole:
        return
    scale = width * height / whole
    while left:
        side = min(width, height)
        if side <= 0:
            return
        row: list[Branch] = []
        total = 0.0
        best = float("inf")
        for item in left:
            area = item.bytes * scale
            worst = _worst(
                [each.bytes * scale for each in (row[0], item)] if row else [area], total + area, side
            )
            if row and worst > best:
                break
            row.append(item)
            total += area
            best = worst
        left = left[len(row) :]
        thick = total / side
        at = 0.0
        for item in row:
            long = item.bytes * scale / thick if thick else 0.0
            if width >= height:
                yield item, (x, y + at, thick, long)
            else:
                yield item, (x + at, y, long, thick)
            at += long
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick


def _worst(extremes: Sequence[float], total: float, side: float) -> float:
    """How far from a square the worst rectangle of a row is; the first is the largest, the last the smallest."""
    squared = total * total
    return max(
        max(side * side * area / squared, squared / (side * side * area)) for area in extremes if area > 0
    )
