"""A layer of libraries split by what changes together: a patch of Spring Boot sends what it moves, and leaves the rest.

Three trees, lowest first: libraries that Spring Boot does not manage, those that some of its patches move, and those that most
do. The Dockerfile names the first and the last by what their names begin with, without versions, so that it holds for the
jars of later releases; a new library lies with those that may move, which is never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.text.quoting import quoted

if TYPE_CHECKING:
    from imgopt.java.archive import Entry
    from imgopt.java.model import Jar, Library

#: Less than this, eight seconds at 0.5 MB/s, is not worth a layer.
LEAST_BYTES = 4_000_000
#: Libraries of one beginning with less than this together are not named.
LEAST_OF_A_NAME = 400_000
MOST_NAMES = 12
#: What most patches move, in most lines: beginnings of names.
OFTEN = ("spring", "tomcat", "netty", "reactor", "micrometer", "hibernate")
#: How layers are called that several modules share: what is split differently in one of them is shared no more.
SHARED = "shared-"
#: The trees beside that of the layer itself.
UNMANAGED_TREE, OFTEN_TREE = "unmanaged", "often"
#: What every shell takes for a part of a name and nothing else.
_NAME = regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}")


@dataclass(frozen=True)
class Apart:
    """``layer`` is split, and its libraries lie in ``directory`` of the archive. ``names``: what those that Spring Boot does not
    manage begin with, before a dash; they are ``count`` with ``bytes``, as they lie in the archive. ``often``: whether what most
    patches move gets a tree, too."""

    layer: str
    directory: str
    names: tuple[str, ...]
    count: int
    bytes: int
    often: bool

    @property
    def below(self) -> tuple[str, ...]:
        return (UNMANAGED_TREE,)

    @property
    def above(self) -> tuple[str, ...]:
        return (OFTEN_TREE,) if self.often else ()


def apart(
    jar: Jar, layers: Iterable[tuple[str, Iterable[Entry]]], moving: Iterable[str], served: Iterable[str]
) -> Apart | None:
    """How the layer with most libraries is split; None where a layer more would not pay. ``moving`` and ``served`` layers change
    with each release."""
    known = {library.path: library for library in jar.libraries if not library.snapshot}
    held = {name: [known[each.name] for each in entries if each.name in known] for name, entries in layers}
    kept = [name for name in held if name not in {*moving, *served} and not name.startswith(SHARED)]
    layer = max(kept, key=lambda name: _bytes(held[name]), default=None)
    if layer is None or jar.spring_boot is None or {UNMANAGED_TREE, OFTEN_TREE} & set(held):
        return None
    libraries = held[layer]
    directories = {library.path.rpartition("/")[0] for library in libraries}
    if len(directories) != 1:
        return None
    families: dict[str, list[Library]] = {}
    for library in libraries:
        name = _beginning(library, jar.spring_boot)
        if name is not None:
            families.setdefault(name, []).append(library)
    largest = sorted(families, key=lambda name: (-_bytes(families[name]), name))[:MOST_NAMES]
    names = sorted(name for name in largest if _bytes(families[name]) >= LEAST_OF_A_NAME)
    own = [library for name in names for library in families[name]]
    others = {library.path: library for library in libraries}
    for library in own:
        del others[library.path]
    often_begins = tuple(f"{name}-" for name in OFTEN)
    seldom = [library for library in others.values() if not library.file.startswith(often_begins)]
    if _bytes(own) < LEAST_BYTES or not others:
        return None
    often = _bytes(seldom) >= LEAST_BYTES and len(seldom) < len(others)
    return Apart(layer, directories.pop(), tuple(names), len(own), _bytes(own), often)


def _bytes(libraries: Iterable[Library]) -> int:
    return sum(library.bytes for library in libraries)


def _beginning(library: Library, version: str) -> str | None:
    """Of a library that Spring Boot does not manage: the shortest beginning of its artifact's name that nothing has which it
    does, in any of its lines."""
    from imgopt.java.boot_managed import is_managed, managed_names

    if is_managed(version, library.artifact, library.group):
        return None
    name = ""
    for part in (library.artifact or "").split("-"):
        name = f"{name}-{part}" if name else part
        if not _NAME.fullmatch(name):
            return None
        if name not in managed_names() and library.file.startswith(f"{name}-"):
            return name
    return None


def steps(split: Apart, libraries: str) -> list[str]:
    """Shell commands that move libraries from the layer's tree in ``out`` to those beside it; a later jar may lack some.
    ``libraries``: where in a tree they lie."""
    trees = [(split.names, f"out/{UNMANAGED_TREE}/{libraries}")]
    if split.often:
        trees.append((OFTEN, f"out/{OFTEN_TREE}/{libraries}"))
    made = f"mkdir -p {' '.join(tree for _, tree in trees)}"
    moves = [
        f"for name in {' '.join(names)}; do for jar in {quoted(f'out/{split.layer}')}/{libraries}/$name-*.jar; "
        f'do [ ! -e "$jar" ] || mv "$jar" {tree}/ || exit 1; done; done'
        for names, tree in trees
    ]
    return [f"{made} && {moves[0]}", *moves[1:]]
