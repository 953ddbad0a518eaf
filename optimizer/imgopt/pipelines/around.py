"""What stands around a CI file of YAML: files of its repository that it uses, and what is used and not looked into."""

from __future__ import annotations

from collections.abc import Callable

from imgopt.errors import ImgoptError
from imgopt.light.records import dataclass, field
from imgopt.pipelines.yaml_tree import Node, documents

_MOST_FILES = 50
_MOST_DEEP = 5
_MOST_USED = (
    1_000  # times that files are used, those that use each other or a matrix repeats counted each time
)
_MOST_SAID = 50


def _nothing(_: str) -> bytes | None:
    return None


@dataclass
class Around:
    """``file`` reads from the repository, None where there is no such file. ``lacking`` are sentences about the whole file, as
    `Pipeline.lacking` has them."""

    file: Callable[[str], bytes | None] = _nothing
    lacking: list[tuple[tuple[int, int], str]] = field(default_factory=list)
    files: int = 0
    deep: int = 0
    used: int = 0
    _known: dict[tuple[str, int], list[Node] | None] = field(default_factory=dict)

    def roots(self, name: str, node: Node) -> list[Node] | None:
        """The documents of a file, all on the lines of the node that uses it; None where it is not there or no YAML."""
        self.used += 1
        if self.used > _MOST_USED or self.deep >= _MOST_DEEP or "$" in name:
            return None
        key = (name, node.line)
        if key not in self._known:
            self._known[key] = self._read(name, node)
        return self._known[key]

    def _read(self, name: str, node: Node) -> list[Node] | None:
        self.files += 1
        if self.files > _MOST_FILES:
            return None
        data = self.file(name)
        if data is None:
            return None
        try:
            roots = documents(
                data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n"), name
            )
        except ImgoptError:
            return None
        for root in roots:
            _moved(root, node.line)
        return roots

    def not_followed(self, what: str, node: Node) -> None:
        said = ((0, 0), f"{what} in line {node.line} is not followed")
        if said not in self.lacking and len(self.lacking) < _MOST_SAID:
            self.lacking.append(said)


def _moved(root: Node, line: int) -> None:
    """Says of all nodes that they stand in one line: that of the file that is read, where it uses them."""
    todo, seen = [root], {id(root)}
    while todo:
        node = todo.pop()
        node.line = node.end_line = line
        node.moved = True
        for child in (*node.items, *(each for pair in node.pairs for each in pair)):
            if id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
