"""kaniko in a pod of its own: ``kubectl run --image=…kaniko… -- flags``, ``--overrides``, ``kubectl apply -f pod.yaml``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from imgopt.errors import ImgoptError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.pipelines.tools import KANIKOS_OWN, KUBECTL_VALUES, Arg, behind_options
from imgopt.pipelines.yaml_tree import Node, documents

_MOST_PODS = 20
_MOST_DEEP = 12
_MOST_FILES = 50
_OVERRIDES = regex(r"--overrides(?:=(.*))?", re.DOTALL)
_IMAGE = regex(r"--image(?:=(.*))?", re.DOTALL)
_FILE = regex(r"(?:-f|--filename)(?:=?(.+))?", re.DOTALL)
_KUSTOMIZED = regex(r"(?:-k|--kustomize)(?:=?(.+))?", re.DOTALL)
_MANIFEST = regex(r"(?i)\.(?:ya?ml|json)$")
_STARTS = frozenset(("apply", "create", "replace"))


@dataclass(frozen=True)
class Pod:
    """A container that runs kaniko: its image and kaniko's own words. ``why``: those are not known."""

    image: str
    words: tuple[Arg, ...] = ()
    why: str | None = None


def pods(
    words: Sequence[Arg], read: Callable[[str], str | None], below: Callable[[str], list[str]]
) -> list[Pod]:
    """Those that ``kubectl``'s words, behind the program's name, start. ``read``: a file of the repository. ``below``: the files
    in a directory of it."""
    _, rest = behind_options(words, KUBECTL_VALUES)
    verb = rest[0].value if rest else None
    if verb == "run":
        return _run(rest)
    return list(_applied(rest, read, below)) if verb in _STARTS else []


def _applied(
    words: Sequence[Arg], read: Callable[[str], str | None], below: Callable[[str], list[str]]
) -> Iterator[Pod]:
    for name in _options(words, _FILE):
        text = read(name.known)
        if text is None and "kaniko" in name.text.rpartition("/")[2] and not below(name.known):
            yield Pod(name.known, why="it is not in this repository")
        yield from _of_manifest(text, name.known)
        deep = any(word.text in ("-R", "--recursive", "--recursive=true") for word in words)
        for path in below(name.known):
            inside = path.removeprefix(name.known.rstrip("/") + "/")
            if _MANIFEST.search(path) and (deep or "/" not in inside):
                yield from _of_manifest(read(path), path)
    for name in _options(words, _KUSTOMIZED):
        if any("kaniko" in (read(path) or "") for path in below(name.known)[:_MOST_FILES]):
            yield Pod("kaniko", why=f"what {name.known[:60]} is put together to is not read")


def _run(words: Sequence[Arg]) -> list[Pod]:
    end = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    image = next((each.known for each in _options(words[:end], _IMAGE)), "")
    behind = tuple(words[end + 1 :])
    overrides = next(iter(_options(words[:end], _OVERRIDES)), None)
    if overrides is not None:
        found = _of_text(overrides.known, "--overrides")  # JSON, which is YAML
        named = next((word.text for word in (Arg(image, image), overrides) if "kaniko" in word.text), None)
        if found or named is None:
            return found or []
        if not behind:
            return [
                Pod(image if "kaniko" in image else "kaniko", why="the pod in its --overrides is not read")
            ]
    kaniko = "kaniko" in image or ("$" in image and any(KANIKOS_OWN.match(word.text) for word in behind))
    return [Pod(image, behind)] if kaniko and behind else []


def _options(words: Sequence[Arg], option: re.Pattern[str]) -> list[Arg]:
    found: list[Arg] = []
    for at, word in enumerate(words):
        match = option.fullmatch(word.text)
        if match is None:
            continue
        if match[1] is not None:
            found.append(Arg(match[1], None if word.value is None else match[1]))
        elif at + 1 < len(words):
            found.append(words[at + 1])
    return found


def _of_manifest(text: str | None, name: str) -> list[Pod]:
    if text is None or "kaniko" not in text:
        return []
    found = _of_text(text, name)
    return found if found is not None else [Pod("kaniko", why=f"{name[:60]} is not read as YAML")]


def _of_text(text: str, name: str) -> list[Pod] | None:
    """None where it is no YAML."""
    try:
        roots = documents(text, name)
    except (ImgoptError, RecursionError):
        return None
    return [pod for root in roots for pod in _of_node(root, 0)][:_MOST_PODS]


def _of_node(node: Node, depth: int) -> Iterator[Pod]:
    if depth > _MOST_DEEP:
        return
    if node.kind == "sequence":
        for item in node.items:
            yield from _of_node(item, depth + 1)
    elif node.kind == "mapping":
        image, listed = node.text("image") or "", []
        for key in ("command", "args"):
            value = node.get(key)
            listed += (
                [item.value for item in value.items] if value is not None and value.kind == "sequence" else []
            )
        if "kaniko" in image and listed:
            yield Pod(image, tuple(map(_word, listed)))
            return
        for _, _, value in node.entries():
            yield from _of_node(value, depth + 1)


def _word(text: str) -> Arg:
    return Arg(text, None if "$" in text else text)
