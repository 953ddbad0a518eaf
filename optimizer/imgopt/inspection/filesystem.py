"""Layers on top of one another: which files are seen in the end, and which bytes are stored for nobody.

Whiteouts (``.wh.NAME``, ``.wh..wh..opq``) hide what lies in the layers below, wherever they stand in their own
layer's tar. Everything else is taken in the order of the tar, as engines unpack it: the last entry of a name wins. A
hard link shares its target's bytes: they are waste only when the last name is gone.

What a layer writes through a symbolic link lies elsewhere by one engine and replaces the link by another: both places
are remembered, and what is read there is not sure (`Filesystem.unsure`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from imgopt.files.tar import Entry, clean
from imgopt.light.records import dataclass, field

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
#: As many as Linux follows.
MOST_LINKS = 40
#: Bookkeeping of aufs, not files.
INTERNAL = ".wh..wh."


class Content:
    """Bytes that a layer stores under ``path``, as the entry ``number`` of its tar; ``names`` of the image that show
    them. ``sparse``: what is stored are not the file's own bytes."""

    __slots__ = ("layer", "names", "number", "path", "size", "sparse")

    def __init__(self, size: int, layer: int, entry: Entry) -> None:
        self.size = size
        self.layer = layer
        self.path = entry.path
        self.number = entry.number
        self.sparse = entry.sparse
        self.names = 1


class Node:
    """A name of the image. ``children`` is None for all but directories; ``content`` for those and for what has none.
    ``size`` is what its own tar entry unpacks to (a hard link: 0); ``target`` is a symbolic link's."""

    __slots__ = ("children", "content", "layer", "size", "target")

    def __init__(
        self,
        layer: int,
        size: int,
        content: Content | None,
        *,
        directory: bool,
        target: str | None = None,
    ) -> None:
        self.layer = layer
        self.size = size
        self.content = content
        self.target = target
        self.children: dict[str, Node] | None = {} if directory else None


@dataclass(slots=True)
class Wasted:
    """One path that costs bytes for nothing. ``bytes`` are of the copies nobody sees; ``removed``: a later layer
    deletes it (``files`` of them, where it is a directory); else it was written again. ``layers`` (0-based) wrote or
    removed it, in order."""

    path: str
    bytes: int = 0
    files: int = 0
    removed: bool = False
    layers: list[int] = field(default_factory=list)

    def add(self, size: int, *layers: int) -> None:
        self.bytes += size
        self.files += 1
        for layer in layers:
            if layer not in self.layers:
                self.layers.append(layer)
        self.layers.sort()


class Filesystem:
    """Built up by `apply`, layer by layer from the lowest."""

    def __init__(self) -> None:
        self.root = Node(-1, 0, None, directory=True)
        #: Paths that a layer wrote through a link, to where the link led; "" where that was nowhere.
        self.through: dict[str, str] = {}
        self._unsure: set[str] = set()
        self._followed: dict[str, str] = {}  # a link that was written through: where it led
        self.wasted: dict[str, Wasted] = {}
        self.wasted_in: dict[int, int] = {}  # layer: bytes it stores that nobody sees
        self.score = Score()

    def apply(self, layer: int, entries: Sequence[Entry]) -> None:
        whiteouts = [entry for entry in entries if is_whiteout(entry.path)]
        self.score.add(entries, self._hidden_sizes(whiteouts))
        for entry in whiteouts:
            directory, name = _split(entry.path)
            self._note_links(entry.path)
            if name == OPAQUE:
                self._empty(directory or "/", layer)
            elif not name.startswith(INTERNAL):
                self._remove(f"{directory}/{name[len(WHITEOUT) :]}", layer)
        links: list[Entry] = []
        for entry in entries:
            if is_whiteout(entry.path):
                continue
            self._note_links(entry.path)
            if entry.kind != "link":
                self._put(entry, layer)
            elif not self._link(entry, layer):
                links.append(entry)
        for entry in links:  # their targets stand behind them only by mistake: no engine unpacks that
            self._unsure.add(entry.path)
            self._link(entry, layer, missing=True)

    def find(self, path: str) -> Node | None:
        node: Node | None = self.root
        for part in path.split("/"):
            if not part:
                continue
            if node is None or node.children is None:
                return None
            node = node.children.get(part)
        return node

    def unsure(self, path: str) -> bool:
        """Whether engines may differ in what they have under a path, or behind the links that it leads through."""
        if not self._unsure:
            return False
        passed: list[str] = []
        self.resolve(path, passed)
        return any(each in self._unsure for each in (path, *passed))

    def _note_links(self, path: str) -> None:
        """Remembers what is written through a link, before it is."""
        directory = _split(path)[0]
        if not directory:
            return
        node: Node | None = self.root
        walked = ""
        for part in directory.split("/")[1:]:
            walked += f"/{part}"
            node = node.children.get(part) if node is not None and node.children is not None else None
            led = self._followed.get(walked)
            if led is None and node is not None and node.target is not None:
                found = self.resolve(walked)
                led = self._followed[walked] = found[0] if found is not None else ""
            if led is not None:
                real = f"{led.rstrip('/')}{path[len(walked) :]}" if led else ""
                self.through[path] = real
                self._unsure.update(each for each in (path, real) if each)
                return
            if node is None and not self._followed:
                return

    def resolve(
        self, path: str, passed: list[str] | None = None, *, spend: Callable[[int], None] | None = None
    ) -> tuple[str, Node] | None:
        """Where a path leads in a container, links followed, and what lies there; None where that is nothing.

        ``passed`` takes all paths on the way; ``spend`` is told the length of each link that is followed.
        """
        waiting = path.split("/")[::-1]
        parts: list[str] = []
        nodes = [self.root]
        links = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if parts:
                    parts.pop()
                    nodes.pop()
                continue
            children = nodes[-1].children
            node = children.get(part) if children is not None else None
            if passed is not None:
                passed.append("/".join(("", *parts, part)))
            if node is None:
                return None
            if node.target is not None:
                links += 1
                if links > MOST_LINKS:
                    return None
                if spend is not None:
                    spend(len(node.target))
                waiting += node.target.split("/")[::-1]
                if node.target.startswith("/"):
                    parts, nodes = [], [self.root]
                continue
            parts.append(part)
            nodes.append(node)
        return "/" + "/".join(parts), nodes[-1]

    def files(self) -> Iterator[tuple[str, Node]]:
        """Every name that is no directory, with its path."""
        stack: list[tuple[str, Node]] = [("", self.root)]
        while stack:
            path, node = stack.pop()
            if node.children is None:
                yield path, node
            else:
                stack += [(f"{path}/{name}", child) for name, child in node.children.items()]

    @property
    def wasted_bytes(self) -> int:
        return sum(self.wasted_in.values())

    def _parent(self, path: str, layer: int) -> tuple[Node, str]:
        parts = path.split("/")[1:]
        node = self.root
        walked = ""
        for part in parts[:-1]:
            walked += f"/{part}"
            assert node.children is not None
            child = node.children.get(part)
            if child is None:
                child = node.children[part] = Node(layer, 0, None, directory=True)
            elif child.children is None:  # a file, or a link that the engine would follow: taken as replaced
                self._drop(child, walked, layer, removed=False)
                child = node.children[part] = Node(layer, 0, None, directory=True)
            node = child
        return node, parts[-1]

    def _put(self, entry: Entry, layer: int) -> None:
        if entry.path == "/":
            return
        parent, name = self._parent(entry.path, layer)
        assert parent.children is not None
        old = parent.children.get(name)
        if entry.kind == "directory":
            if old is not None and old.children is not None:
                old.layer = layer
                return
            if old is not None:
                self._drop(old, entry.path, layer, removed=False)
            parent.children[name] = Node(layer, 0, None, directory=True)
            return
        if old is not None:
            self._drop(old, entry.path, layer, removed=False)
        size = entry.unpacked_bytes
        content = Content(size, layer, entry) if size else None
        target = entry.target if entry.kind == "symlink" else None
        parent.children[name] = Node(layer, size, content, directory=False, target=target)

    def _link(self, entry: Entry, layer: int, *, missing: bool = False) -> bool:
        """False where its target is not there, and nothing was done, unless it may be ``missing``."""
        path = clean(entry.target)
        target = self.find(path)
        if target is None:  # behind a linked directory
            resolved = self.resolve(path)
            target = resolved[1] if resolved is not None else None
        if target is None and not missing:
            return False
        if self.unsure(path):
            self._unsure.add(entry.path)
        content = target.content if target is not None else None
        parent, name = self._parent(entry.path, layer)
        assert parent.children is not None
        old = parent.children.get(name)
        if old is target and old is not None:
            return True
        if content is not None:
            content.names += 1
        if old is not None:
            self._drop(old, entry.path, layer, removed=False)
        symlink = target.target if target is not None else None
        parent.children[name] = Node(layer, 0, content, directory=False, target=symlink)
        return True

    def _remove(self, path: str, layer: int) -> None:
        """A whiteout: what the layers below put there is gone."""
        parent = self.find(_split(path)[0])
        name = _split(path)[1]
        if parent is None or parent.children is None or name not in parent.children:
            return
        self._drop(parent.children.pop(name), path, layer, removed=True)

    def _empty(self, path: str, layer: int) -> None:
        node = self.find(path)
        if node is None or node.children is None:
            return
        for child in node.children.values():
            self._drop(child, path, layer, removed=True)
        node.children = {}

    def _drop(self, node: Node, path: str, layer: int, *, removed: bool) -> None:
        stack = [node]
        while stack:
            each = stack.pop()
            if each.children is not None:
                stack += each.children.values()
                continue
            content = each.content
            if content is None:
                continue
            content.names -= 1
            if content.names:
                continue
            wasted = self.wasted.get(path)
            if wasted is None:
                wasted = self.wasted[path] = Wasted(path)
            wasted.add(content.size, content.layer, layer)
            wasted.removed = removed
            self.wasted_in[content.layer] = self.wasted_in.get(content.layer, 0) + content.size

    def _hidden_sizes(self, whiteouts: Iterable[Entry]) -> dict[str, int]:
        """For the score: what each whiteout of a directory hides, by the whiteout's path."""
        sizes = {}
        for entry in whiteouts:
            directory, name = _split(entry.path)
            node = self.find(f"{directory}/{name[len(WHITEOUT) :]}")
            if node is not None and node.children is not None:
                sizes[entry.path] = _size_below(node)
        return sizes


def _size_below(node: Node) -> int:
    size = 0
    stack = [node]
    while stack:
        each = stack.pop()
        size += each.size
        if each.children:
            stack += each.children.values()
    return size


@dataclass(slots=True)
class _Seen:
    times: int
    total: int
    least: int


class Score:
    """The efficiency as dive (github.com/wagoodman/dive) defines it, so that a limit that was set for it holds here.

    Of every path that is a leaf in its own layer's tree: the smallest size it ever had, summed up, over all the sizes
    it had. A whiteout counts with what it hides where that is a directory, and with 0 for a file. dive calls wasted
    all sizes of the paths that came up twice or more: the copy that is still seen too, and of a removed directory
    only the files that were written twice. `Filesystem.wasted_bytes` is what could be saved.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def add(self, entries: Iterable[Entry], hidden: dict[str, int]) -> None:
        sizes: dict[str, int] = {}
        parents: set[str] = set()
        for entry in entries:
            path = entry.path
            directory, name = _split(path)
            if name.startswith(INTERNAL):
                path, size = directory, 0
                if path in sizes or not path:
                    continue
                directory = _split(path)[0]
            else:
                size = entry.bytes
            sizes[path] = size
            while directory and directory not in parents:
                parents.add(directory)
                directory = _split(directory)[0]
        for path, size in sizes.items():
            if path in parents or path == "/":
                continue
            directory, name = _split(path)
            if name.startswith(WHITEOUT):
                size = hidden.get(path, 0)
                path = f"{directory}/{name[len(WHITEOUT) :]}"
            seen = self._seen.get(path)
            if seen is None:
                self._seen[path] = _Seen(1, size, size)
            else:
                seen.times += 1
                seen.total += size
                seen.least = min(seen.least, size)

    @property
    def efficiency(self) -> float:
        """Between 0 and 1; 1 for an image without bytes."""
        whole = sum(seen.total for seen in self._seen.values())
        return sum(seen.least for seen in self._seen.values()) / whole if whole else 1.0

    @property
    def dives_wasted_bytes(self) -> int:
        return sum(seen.total for seen in self._seen.values() if seen.times > 1)


def is_whiteout(path: str) -> bool:
    return WHITEOUT in path and path.rpartition("/")[2].startswith(WHITEOUT)


def _split(path: str) -> tuple[str, str]:
    directory, _, name = path.rpartition("/")
    return directory, name
