"""Targets of bake files (HCL or JSON) and services of compose files: which Dockerfile, for which platforms.

Of HCL only what targets are made of: blocks, strings, lists, names of variables and their defaults. What needs a
function is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imgopt.errors import ImgoptError
from imgopt.files.documents import parsed_json
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.pipelines.yaml_tree import Node, documents

#: What does not end takes the rest of the file, or each of its beginnings would be looked through to there.
_TOKEN = regex(
    r"""(?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))|(?P<string>"(?:[^"\\]|\\.)*(?:"|\\?\Z))|(?P<name>[\w.-]+)|(?P<sign>.)""",
    re.DOTALL,
)
_VARIABLE = regex(r"\$\{(\w+)(?:(:?-)([^{}]*))?\}")
_MOST_TOKENS = 100_000
_MOST_DEPTH = 20
_MOST_TARGETS = 200
_MOST_CHARACTERS = 1_000


@dataclass(frozen=True)
class Target:
    """What one target builds. ``context`` and ``dockerfile`` as written, None where nothing is said; ``platforms`` as
    written, a ``$`` in those that are not known; ``tags``: what the image is called; ``stage``: its target in the Dockerfile;
    ``pushes``: its output is the registry; ``profiles``: of a service, one of which has to be on where it has any; ``args``: build
    arguments as ``K=V``, with a ``$`` where the value is not known."""

    name: str
    context: str | None
    dockerfile: str | None
    platforms: tuple[str, ...]
    line: int
    tags: tuple[str, ...] = ()
    stage: str | None = None
    pushes: bool = False
    profiles: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


@dataclass
class _Block:
    name: str
    line: int
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


def bake_targets(text: str, name: str, wanted: Sequence[str]) -> list[Target]:
    """The targets that are asked for by their names or those of groups, "default" among them."""
    targets = {
        each.name: each for each in (hcl_targets(text) if name.endswith(".hcl") else json_targets(text))
    }
    groups = _groups(text, hcl=name.endswith(".hcl"))
    found: dict[str, Target] = {}
    todo = list(reversed(wanted))
    seen: set[str] = set()
    while todo and len(seen) < _MOST_TARGETS:
        each = todo.pop()
        if each in seen:
            continue
        seen.add(each)
        if each in groups:
            todo += reversed(groups[each])
        elif each in targets:
            found[each] = targets[each]
    return list(found.values())


def _groups(text: str, *, hcl: bool) -> dict[str, tuple[str, ...]]:
    if hcl:
        return {
            block.name: block.values.get("targets", ()) for kind, block in _blocks(text) if kind == "group"
        }
    try:
        described = parsed_json(text).get("group", {})
        return {str(name): _strings(of.get("targets", [])) for name, of in described.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def hcl_targets(text: str) -> list[Target]:
    """The targets of a bake file in HCL, with what they inherit."""
    blocks = list(_blocks(text))
    variables = {
        block.name: block.values["default"]
        for kind, block in blocks
        if kind == "variable" and "default" in block.values
    }
    targets = {block.name: block for kind, block in blocks if kind == "target"}
    for block in targets.values():
        for key, values in block.values.items():
            block.values[key] = tuple(each for value in values for each in _filled(value, variables))
    return [_target(block, targets) for block in targets.values()]


def json_targets(text: str) -> list[Target]:
    """The same of a bake file in JSON."""
    try:
        described = parsed_json(text).get("target", {})
        targets = {
            str(name): _Block(str(name), 1, {key: _strings(value) for key, value in values.items()})
            for name, values in described.items()
        }
    except (ValueError, AttributeError, RecursionError):
        return []
    return [_target(block, targets) for block in targets.values()]


def compose_targets(text: str, path: str) -> list[Target]:
    """What the services of a compose file build."""
    try:
        roots = documents(text, path)
    except ImgoptError:
        return []
    found = []
    for root in roots:
        services = root.get("services") if root.kind == "mapping" else None
        for name, key, service in services.entries() if services is not None else ():
            target = compose_target(name, key, service) if service.kind == "mapping" else None
            if target is not None:
                found.append(target)
    return found


def service_named(text: str, path: str, wanted: str) -> tuple[str, list[str] | None] | None:
    """The image of a Compose service and its command; None where there is no such service with an image."""
    try:
        roots = documents(text, path)
    except ImgoptError:
        return None
    for root in roots:
        services = root.get("services") if root.kind == "mapping" else None
        service = services.get(wanted) if services is not None and services.kind == "mapping" else None
        image = (
            _defaulted(service.text("image")) if service is not None and service.kind == "mapping" else None
        )
        if service is None or image is None:
            continue
        command = service.get("command")
        if command is None:
            return image, None
        listed = command.items if command.kind == "sequence" else ()
        return image, [each.value for each in listed] or command.value.split()
    return None


def compose_target(name: str, key: Node, service: Node) -> Target | None:
    """What a service of a compose file builds; ``key`` is the node of its name."""
    build = service.get("build")
    if build is None:
        return None
    listed = build.get("platforms") if build.kind == "mapping" else None
    own = service.text("platform")
    platforms = [item.value for item in listed.items] if listed is not None else [own] if own else []
    context = build.value if build.kind == "scalar" else build.text("context")
    image = _defaulted(service.text("image"))
    profiles = service.get("profiles")
    return Target(
        name,
        _defaulted(context),
        _defaulted(build.text("dockerfile") if build.kind == "mapping" else None),
        tuple(_defaulted(each) or "" for each in platforms),
        (listed or service.get("platform") or key).line,
        (image,) if image else (),
        _defaulted(build.text("target")) if build.kind == "mapping" else None,
        profiles=tuple(each.value for each in profiles.items) if profiles is not None else (),
        args=tuple(_compose_args(build.get("args"))) if build.kind == "mapping" else (),
    )


def _compose_args(args: Node | None) -> Iterator[str]:
    """A mapping, or a list of ``K=V``."""
    if args is None:
        return
    for name, _, value in args.entries():
        if value.kind == "scalar":
            yield f"{name}={_defaulted(value.value)}"
    for each in args.items:
        if "=" in each.value:
            yield _defaulted(each.value) or ""


def _defaulted(text: str | None) -> str | None:
    """Compose's ``${NAME:-default}`` by its default."""
    if text is None:
        return None
    return _VARIABLE.sub(lambda match: match[3] if match[2] else match[0], text)


def _target(block: _Block, targets: dict[str, _Block]) -> Target:
    def value(key: str) -> tuple[str, ...]:
        """The target's own, else that of the last target that it inherits from."""
        seen: set[str] = set()
        todo = [block.name]
        while todo:
            name = todo.pop()
            if name in seen or name not in targets:
                continue
            seen.add(name)
            values = targets[name].values
            if key in values:
                return values[key]
            todo += values.get("inherits", ())
        return ()

    def merged(key: str) -> tuple[str, ...]:
        """Of the target and all that it inherits from, its own last."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        todo = [block.name]
        while todo:
            name = todo.pop()
            if name in seen or name not in targets:
                continue
            seen.add(name)
            for each in targets[name].values.get(key, ()):
                found.setdefault(each.partition("=")[0], each)
            todo += targets[name].values.get("inherits", ())
        return tuple(found.values())

    context, dockerfile = value("context"), value("dockerfile")
    return Target(
        block.name,
        context[0] if context else None,
        dockerfile[0] if dockerfile else None,
        value("platforms"),
        block.line,
        value("tags"),
        next(iter(value("target")), None),
        any("type=registry" in each or "push=true" in each for each in value("output")),
        args=merged("args"),
    )


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        objects = (
            ",".join(f"{key}={of}" for key, of in each.items()) if isinstance(each, dict) else each
            for each in value
        )
        return tuple(each for each in objects if isinstance(each, str))
    if isinstance(value, dict):
        return tuple(f"{key}={of}" for key, of in value.items() if isinstance(of, str))
    return (value,) if isinstance(value, str) else ()


def _filled(text: str, variables: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A value with variables by their defaults. A list of strings is one of them; what is not known keeps its ``$``."""
    for _ in range(_MOST_DEPTH):
        whole = _VARIABLE.fullmatch(text)
        if whole is not None and len(variables.get(whole[1], ())) != 1:
            return variables.get(whole[1]) or (text,)
        filled = _VARIABLE.sub(lambda match: (variables.get(match[1]) or (match[0],))[0], text)
        if filled == text:
            break
        text = filled[:_MOST_CHARACTERS]
    return (text,)


def _blocks(text: str) -> Iterator[tuple[str, _Block]]:
    """``(kind, block)`` of the outermost level: ``target "name" { key = value }``."""
    tokens: list[tuple[str, str, int]] = []
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            tokens.append((match.lastgroup or "", match[0], line))
        line += match[0].count("\n")
        if len(tokens) > _MOST_TOKENS:
            return
    at = 0
    while at + 2 < len(tokens):
        kind, name, brace = tokens[at : at + 3]
        if kind[0] == "name" and name[0] in ("string", "name") and brace[1] == "{":
            block = _Block(name[1].strip('"'), kind[2])
            at = _body(tokens, at + 3, block)
            yield kind[1], block
        else:
            at += 1


def _body(tokens: list[tuple[str, str, int]], at: int, block: _Block) -> int:
    """Reads the attributes up to the brace that closes the block; where it ends."""
    depth = 1
    while at < len(tokens) and depth:
        kind, text, _ = tokens[at]
        depth += {"{": 1, "}": -1}.get(text, 0) if kind == "sign" else 0
        assigned = at + 1 < len(tokens) and tokens[at + 1][1] == "=" and kind in ("name", "string")
        if depth == 1 and assigned:
            values, at = _value(tokens, at + 2)
            block.values[text.strip('"')] = values
            continue
        at += 1
    return at


def _value(tokens: list[tuple[str, str, int]], at: int) -> tuple[tuple[str, ...], int]:
    """A string, a name or a list of them; a list that holds more than that is not known."""
    if at >= len(tokens):
        return (), at
    if tokens[at][1] == "[":
        end = at + 1
        while end < len(tokens) and tokens[end][1] != "]":
            end += 1
        if any(text == "{" for _, text, _ in tokens[at + 1 : end]):
            return _objects(tokens[at + 1 : end]), end + 1
        values = tuple(_word(*token[:2]) for token in tokens[at + 1 : end] if token[0] in ("string", "name"))
        plain = all(token[0] != "sign" or token[1] == "," for token in tokens[at + 1 : end])
        return (values if plain else ("${unknown}",)), end + 1
    after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
    if tokens[at][1] == "{" and tokens[at][0] == "sign":
        return _pairs(tokens, at + 1)
    if tokens[at][0] == "sign":
        return (), at
    if after in ("(", "?", "[", "+", "=="):
        return ("${unknown}",), at + 1
    return (_word(*tokens[at][:2]),), at + 1


def _pairs(tokens: list[tuple[str, str, int]], at: int) -> tuple[tuple[str, ...], int]:
    """``{ K = "V" }`` as ``K=V``; what is more than a string or a name is not known."""
    found: list[str] = []
    depth = 1
    while at < len(tokens) and depth:
        kind, text, _ = tokens[at]
        depth += {"{": 1, "}": -1}.get(text, 0) if kind == "sign" else 0
        if (
            depth == 1
            and kind in ("name", "string")
            and at + 2 < len(tokens)
            and tokens[at + 1][1] in ("=", ":")
        ):
            values, after = _value(tokens, at + 2)
            value = values[0] if len(values) == 1 and after == at + 3 else "${unknown}"
            found.append(f"{text.strip(chr(34))}={value}")
            at = max(after, at + 2)
            continue
        at += 1
    return tuple(found), at


def _objects(tokens: Sequence[tuple[str, str, int]]) -> tuple[str, ...]:
    """``{ type = "registry" }`` as the ``type=registry`` that means the same."""
    found: list[str] = []
    parts: list[str] = []
    for at, (kind, text, _) in enumerate(tokens):
        if text == "}" and kind == "sign":
            found.append(",".join(parts))
            parts = []
        elif text == "=" and kind == "sign" and 0 < at < len(tokens) - 1:
            parts.append(f"{tokens[at - 1][1]}={_word(*tokens[at + 1][:2])}".replace('"', ""))
    return tuple(found)


def _word(kind: str, text: str) -> str:
    return text[1:-1] if kind == "string" else f"${{{text}}}"
