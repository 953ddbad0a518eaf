"""The containers of a Kubernetes pod that a Jenkins agent is made of."""

from __future__ import annotations

import re

from imgopt.errors import InputError
from imgopt.pipelines.yaml_tree import documents

_MAX_POD = 100_000


def pod(text: str) -> dict[str, str]:
    """Container names and their images, as far as they stand there; {} for what is no pod."""
    if "image" not in text or len(text) > _MAX_POD:
        return {}
    try:
        roots = documents(text, "pod")
    except InputError:
        return _guessed(text)
    found: dict[str, str] = {}
    for root in roots:
        spec = root.get("spec")
        for key in ("containers", "initContainers"):
            listed = spec.get(key) if spec is not None else None
            for container in listed.items if listed is not None else ():
                name, image = container.text("name"), container.text("image")
                if name and image:
                    found[name] = image
    return found


def _guessed(text: str) -> dict[str, str]:
    """A template that is YAML only once it is filled in: a name and the image next to it."""
    found: dict[str, str] = {}
    name = image = None
    for line in text.split("\n"):
        match = re.match(r"\s*(-\s+)?(name|image):\s*[\"']?([^\s\"']+)", line[:500])
        if match is None:
            continue
        if match[1]:
            name = image = None
        if match[2] == "name":
            name = name or match[3]
        else:
            image = match[3]
        if name and image:
            found.setdefault(name, image)
    return found
