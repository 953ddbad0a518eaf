"""The image of the kaniko project that was archived in June 2025: no fixes, and no way to keep layers and base stable.

## Why it costs
`gcr.io/kaniko-project/executor` gets no security fixes any more. Its last version, 1.24, changes every layer with every
build, or with `--reproducible` the base image as well (`kaniko-timestamps`): there is no setting with which a release
pushes only what is new.

## Fix safety
Advice only: the maintained fork, github.com/osscontainertools/kaniko, takes the same flags. Try it on one service first.

## Example
    image: gcr.io/kaniko-project/executor:v1.23.2-debug
becomes
    image: ghcr.io/osscontainertools/kaniko:debug
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import archived, executor
from imgopt.scales import Applicability, Severity

ID = "archived-kaniko"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for use in pipeline.images:
        if archived(use.name):
            message = f"{use.name} is of the kaniko project that was archived in June 2025"
            way = "use the maintained fork: ghcr.io/osscontainertools/kaniko, a -debug tag where a shell is needed"
            if executor(use.name).has("push-retry") is False:
                way += f"; {executor(use.name).shown} cannot try a push again either, which newer ones do where they are told to"
            fix = Fix(way, Applicability.MANUAL)
            yield Finding(ID, Severity.MEDIUM, use.line, use.line, message, fix)
