"""kaniko's `--single-snapshot` makes one layer of the whole Dockerfile: every release pushes all of it again.

## Why it costs
However well a Dockerfile keeps libraries and classes apart, one snapshot at the end puts them together again: the layer
changes with each class, and 65 MB of libraries travel for a few kilobytes of classes.

## Fix safety
Advice only, and a plain one: without the flag kaniko takes a snapshot after each instruction, which takes some seconds
more. Layers that keep their digests need more than that: see `kaniko-timestamps`.

## Example
    /kaniko/executor --single-snapshot --context . --destination registry.example/app:1
becomes
    /kaniko/executor --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import above, needed, pushed_by, stays, waste
from imgopt.pipelines.severity import severity
from imgopt.pipelines.wording import amount, instead, known
from imgopt.scales import Applicability

ID = "single-snapshot"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        if build.tool != "kaniko" or not build.on("single-snapshot") or stays(build):
            continue
        push = pushed_by(pipeline, build)
        size, lacking = above(push), needed(push)
        message = "--single-snapshot makes one layer of the whole Dockerfile, so its layers are worth nothing"
        if known(size.before):
            message += f": each release sends {amount(size.before)} ({size.before.basis})"
            message += instead(push, lacking, size.before, "layers that keep their digests")
        fix = Fix("leave out --single-snapshot", Applicability.MANUAL)
        saving = waste(size.before, lacking.before)
        level = severity(pipeline, push, size, lacking)
        yield Finding(ID, level, build.line, build.end_line, message, fix, waste=saving)
