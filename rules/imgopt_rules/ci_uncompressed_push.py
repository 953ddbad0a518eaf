"""An image that `docker load` took out of a tar is pushed uncompressed by an Engine with the containerd image store.

## Why it costs
`docker save` writes layers that are not compressed, and the containerd image store, which new installations of Engine 29
and later have, pushes what it was given: reported of nixos/nix, 505 MB instead of 138 MB for the same image, and clients
that take gzip alone could not read it. On a slow link that is three to four times the minutes.

Documented (github.com/NixOS/nix/pull/15252), not run here.

## What it looks at
`docker load` and a `docker push` of an image that the job does not build itself. An Engine that is pinned to a version before
29 compresses what it pushes, and is left in peace. Where the version is not in the file, the finding names the condition.

## Fix safety
Advice only. `imgopt push image.tar REGISTRY/REPO:TAG` needs no Engine, compresses, and asks before it sends.

## Example
    docker load -i image.tar && docker push registry.example/app:1
becomes
    imgopt push image.tar registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import CONTAINERD_STORE
from imgopt.scales import Applicability, Severity

ID = "uncompressed-push"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for push in pipeline.pushes:
        version = push.place.agent.engine_version
        if not push.loaded or (version is not None and version < CONTAINERD_STORE):
            continue
        when = (
            ""
            if version is not None
            else ", where it has the containerd image store as new installations from 29 on,"
        )
        message = f"the Engine{when} pushes what docker load took out of a tar without compressing it, three to four times the bytes"
        way = "send the tar with `imgopt push TAR TARGET`, or `skopeo copy docker-archive:TAR docker://TARGET`: both compress"
        yield Finding(ID, Severity.MEDIUM, push.line, push.end_line, message, Fix(way, Applicability.MANUAL))
