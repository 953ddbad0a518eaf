"""kaniko gives up at the first error of a push, and the whole build with it.

## Why it costs
A connection that breaks once in an hour breaks a push of an hour. Without `--push-retry` the job fails and everything is
built again; with it kaniko tries again, and skips the layers that the registry has by then.

## Fix safety
Advice only. A registry that refuses (401, 403) is asked a few times more. The flag came with kaniko 1.5.1: of an older
executor nothing is said here, as it would end with "unknown flag".

## Example
    /kaniko/executor --context . --destination registry.example/app:1
becomes
    /kaniko/executor --push-retry 5 --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import executor
from imgopt.scales import Applicability, Severity

ID = "push-without-retry"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        if build.tool != "kaniko" or build.on("no-push") or not build.lacks("push-retry") or not build.names:
            continue
        if executor(build.image).has("push-retry") is False:
            continue
        message = (
            "kaniko without --push-retry gives up at the first error of the push, and what was built is lost"
        )
        fix = Fix("add --push-retry 5", Applicability.MANUAL)
        yield Finding(ID, Severity.LOW, build.line, build.end_line, message, fix)
