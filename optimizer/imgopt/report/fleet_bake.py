"""A bake file for the images of a fleet: `docker buildx bake` builds them in one call, and each stage that they have in common once."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from imgopt.fleet.images import Image
from imgopt.fleet.modules import Repository
from imgopt.fleet.since import matrix_entry
from imgopt.pipelines.tools import repository as without_tag


def bake(images: Sequence[Image], repository: Repository) -> bytes:
    """HCL, to be run in the repository's directory. Nothing to build is a group without targets."""
    names = names_of(images)
    lines = [
        "# Written by imgopt fleet --emit bake",
        'variable "REGISTRY" {\n  default = ""\n}',
        'variable "TAG" {\n  default = "latest"\n}',
        f'group "default" {{\n  targets = [{", ".join(map(_string, names))}]\n}}',
    ]
    for name, image in zip(names, images, strict=True):
        lines.append(_target(name, image, repository.root))
    return ("\n".join(lines) + "\n").encode()


def _target(name: str, image: Image, root: Path) -> str:
    entry = matrix_entry(image, root)
    context, dockerfile = entry["context"], entry["dockerfile"]
    # bake looks for it below the context
    outside = context.startswith("/") or dockerfile.startswith("/")
    below = dockerfile if outside else posixpath.relpath(dockerfile, context)
    rows = [f'target "{name}" {{', f"  context = {_string(context)}", f"  dockerfile = {_string(below)}"]
    if image.args:
        rows.append("  args = {")
        rows += [f"    {_string(key)} = {_string(value)}" for key, value in image.args]
        rows.append("  }")
    if image.target:
        rows.append(f"  target = {_string(image.target)}")
    known = next((without_tag(each) for each in image.names if "$" not in each), image.module.name.lower())
    rows.append(f'  tags = ["${{REGISTRY}}{_string(known)[1:-1]}:${{TAG}}"]')
    return "\n".join([*rows, "}"])


def names_of(images: Sequence[Image]) -> list[str]:
    """What bake takes for the name of a target, and every shell for that of a file, each once."""
    found: list[str] = []
    for image in images:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", image.module.name) or "image"
        while name in found:
            name += "-2"
        found.append(name)
    return found


def _string(text: str) -> str:
    """A string of HCL, in which nothing is filled in."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
