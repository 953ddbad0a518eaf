"""The agents of a Jenkinsfile: pods, containers, and what is left on them of the build before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imgopt.light.patterns import regex
from imgopt.pipelines.blocks import Block, Item, arguments, call_arguments, first_string, is_name
from imgopt.pipelines.model import Agent
from imgopt.pipelines.pods import pod
from imgopt.pipelines.tokens import Token

_DIND = regex(r"(?:^|/)docker:[\w.]*-?dind\b|\bdind\b")
Read = Callable[[str], bytes | None]
Said = Callable[[list[Item]], str]  # an expression's text


def agent_of(statement: list[Item], section: Block | None, before: Agent, read: Read, text: Said) -> Agent:
    if section is None:
        return Agent() if len(statement) > 1 and is_name(statement[1], "any") else before
    for kind in section.statements:
        name = kind[0].text if kind and isinstance(kind[0], Token) else ""
        inner = next((item for item in kind if isinstance(item, Block)), None)
        said = _said(inner) if inner is not None else {}
        if name in ("docker", "dockerfile"):
            image = text(said.get("image", [])) or (text(kind[1:]) if inner is None else "")
            options = first_string(said.get("args", []))
            return container(image or None, options, "docker.sock" in options)
        if name == "kubernetes":
            return _kubernetes(inner, said, read, text)
    return before


def _kubernetes(inner: Block | None, said: Mapping[str, list[Item]], read: Read, value: Said) -> Agent:
    text = value(said.get("yaml", []))
    file = first_string(said.get("yamlFile", []))
    if not text and file and "$" not in file:
        text = (read(file) or b"").decode("utf-8", "replace")
    images = {**pod(text), **(_templates(inner) if inner is not None else {})}
    default = first_string(said.get("defaultContainer", []))
    return _pod_agent(images, text, images.get(default))


def pod_of(block: Block, before: Agent) -> Agent:
    _, named = arguments(block.args)
    text = first_string(named.get("yaml", []))
    images = {**before.containers, **pod(text), **_template_calls(block.args)}
    volumes = " ".join(item.text for item in block.args if isinstance(item, Token))
    return _pod_agent(images, f"{text} {volumes if 'docker.sock' in volumes else ''}", None)


def _said(block: Block) -> dict[str, list[Item]]:
    return {s[0].text: s[1:] for s in block.statements if s and isinstance(s[0], Token)}


def _templates(block: Block) -> dict[str, str]:
    """``containerTemplate { name 'x'; image 'y' }``, declarative."""
    found = {}
    todo = list(block.blocks)
    while todo:
        each = todo.pop()
        todo += each.blocks
        said = _said(each)
        name, image = first_string(said.get("name", [])), first_string(said.get("image", []))
        if name and image:
            found[name] = image
    return found


def _template_calls(items: list[Item]) -> dict[str, str]:
    """``containerTemplate(name: 'x', image: 'y')``"""
    found = {}
    for at, item in enumerate(items):
        if is_name(item, "containerTemplate"):
            _, named = arguments(call_arguments(items, at))
            name, image = first_string(named.get("name", [])), first_string(named.get("image", []))
            if name and image:
                found[name] = image
    return found


def _pod_agent(images: Mapping[str, str], text: str, image: str | None) -> Agent:
    fresh = "each build gets its own pod"
    mounted = "docker.sock" in text
    dind = any(_DIND.search(each) for each in images.values())
    docker = "the pod's Docker Engine starts empty" if dind and not mounted else None
    return Agent(image, dict(images), fresh, docker, mounted)


def container(image: str | None, options: str, mounted: bool) -> Agent:
    kept = "/var/lib/containers" in options or "/var/lib/docker" in options
    docker = None if mounted or kept else "the agent is a container that begins empty"
    fresh = None if kept else "the agent is a container that begins empty"
    return Agent(image, {}, fresh, docker, mounted)
