"""`buildah bud` without `--layers` makes one layer of the whole Dockerfile: every release pushes all of it again.

## Why it costs
buildah's default puts all instructions into one layer, whatever the Dockerfile says. Measured: 67.4 MB new for one
changed class, in every form of the Dockerfile. podman's build makes layers by itself.

## Fix safety
Advice only, and a plain one: `--layers` (or `BUILDAH_LAYERS=true`) makes a layer for each instruction and a cache of them.

## Example
    buildah bud -t registry.example/app:1 .
becomes
    buildah bud --layers -t registry.example/app:1 .
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import above, needed, pushed_by, unlayered, waste
from imgopt.pipelines.severity import severity
from imgopt.pipelines.wording import amount, instead, known
from imgopt.scales import Applicability

ID = "unlayered-build"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        if not unlayered(build):
            continue
        push = pushed_by(pipeline, build)
        size, lacking = above(push), needed(push)
        message = "buildah without --layers makes one layer of the whole Dockerfile"
        if known(size.before):
            message += f": each release sends {amount(size.before)} ({size.before.basis})"
            message += instead(push, lacking, size.before, "layers and a client that asks first")
        fix = Fix("add --layers, or set BUILDAH_LAYERS=true", Applicability.MANUAL)
        saving = waste(size.before, lacking.before)
        level = severity(pipeline, push, size, lacking)
        yield Finding(ID, level, build.line, build.end_line, message, fix, waste=saving)
