"""Commands that start containers, or run something in one: ``docker run``, ``docker exec``, Compose's, ``kubectl exec``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imgopt.light.records import dataclass
from imgopt.options import Container, Told, Variable
from imgopt.pipelines.tools import KUBECTL_VALUES, Arg, Ran, behind_options, mount_target, run_image

#: What kubectl calls kinds, and what manifests do.
_KINDS = {
    name: kind
    for kind, short, group in (
        ("deployment", "deploy", "apps"),
        ("statefulset", "sts", "apps"),
        ("daemonset", "ds", "apps"),
        ("job", "job", "batch"),
        ("pod", "po", ""),
    )
    for name in (short, kind, f"{kind}s", f"{kind}.{group}", f"{kind}s.{group}")
}


@dataclass(frozen=True)
class Started:
    """A container that a command starts: of an ``image``, or of a Compose ``service``. ``called``: its name, with the word
    "container" in front."""

    image: str | None
    service: str | None
    called: frozenset[str]
    container: Container


@dataclass(frozen=True)
class RunInside:
    """A command that is run in a container that is there. ``called``: what the container is called, as in `Service`."""

    called: str
    check: Told


def containers_of(ran: Sequence[Ran], shown: str) -> Iterator[Started | RunInside]:
    """What commands say of containers. ``shown``: what their file is called in places."""
    for each in ran:
        where = f"{shown}:{each.line}"
        if each.by == "kubectl":
            inside = _kubectl(each.words)
        elif each.does == "exec":
            run = run_image(each.words)  # the container stands where an image does
            kind = "service" if each.by == "compose" else "container"
            inside = (f"{kind} {run.image}", run.words) if run is not None else None
        else:
            started = _started(each, where)
            if started is not None:
                yield started
            continue
        if inside is not None and inside[1]:
            yield RunInside(inside[0], Told(where, tuple(word.known for word in inside[1])))


def _kubectl(words: Sequence[Arg]) -> tuple[str, list[Arg]] | None:
    """``kubectl exec``'s: the pod or what has it, and the command."""
    _, rest = behind_options(words, KUBECTL_VALUES)
    if not rest:
        return None
    kind, slash, name = rest[0].known.partition("/")
    called = f"{_KINDS.get(kind.lower(), kind.lower())}/{name}" if slash else f"pod/{rest[0].known}"
    behind = next((n for n, word in enumerate(rest) if word.text == "--"), None)
    if behind is not None:
        return called, rest[behind + 1 :]
    return called, behind_options(rest[1:], KUBECTL_VALUES)[1]


def _started(ran: Ran, where: str) -> Started | None:
    run = run_image(ran.words)
    if run is None:
        return None

    def told(*words: str) -> Told:
        return Told(where, words)

    def last(*names: str) -> str | None:
        return next((run.options[name][-1] for name in names if name in run.options), None)

    environment = []
    for text in (*run.options.get("e", ()), *run.options.get("env", ())):
        name, equals, value = text.partition("=")
        environment.append(Variable(where, name, value if equals and "$" not in value else None))
    entrypoint, user, directory = last("entrypoint"), last("u", "user"), last("w", "workdir")
    check = last("health-cmd")
    name = last("name")
    container = Container(
        entrypoint=told(*filter(None, [entrypoint])) if entrypoint is not None else None,
        command=told(*(word.known for word in run.words)) if run.words else None,
        checks=(told("/bin/sh", "-c", check),) if check else (),
        environment=tuple(environment),
        mounts=tuple(told(path) for path in _mounted(run.options)),
        user=told(user) if user else None,
        directory=told(directory) if directory else None,
    )
    called = frozenset({f"container {name}"} if name else ())
    if ran.by == "compose":
        return Started(None, run.image, called, container)
    return Started(run.image, None, called, container)


def _mounted(options: dict[str, list[str]]) -> Iterator[str]:
    for text in (*options.get("v", ()), *options.get("volume", ()), *options.get("tmpfs", ())):
        parts = text.split(":")
        if len(parts) > 1 and re.fullmatch(r"[A-Za-z]", parts[0]):
            parts = parts[1:]  # a drive of Windows
        path = parts[0] if len(parts) == 1 or text in options.get("tmpfs", ()) else parts[1]
        if path.startswith("/"):
            yield path
    for text in options.get("mount", ()):
        path = mount_target(text)
        if path.startswith("/"):
            yield path
