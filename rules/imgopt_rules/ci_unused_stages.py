"""kaniko builds all stages of the Dockerfile, also those that the image does not need.

## Why it costs
Time: without `--skip-unused-stages` kaniko builds every stage up to the one that is wanted, a stage with tests or with a
debug image among them.

## What it looks at
Google's kaniko, from 0.20 on, which knows the flag, and Chainguard's fork of it. The maintained fork
(github.com/osscontainertools/kaniko) skips such stages by itself and calls the flag deprecated (from 1.27 on).

## Fix safety
Advice only. A stage that is built for what it does rather than for what it leaves (tests that stop the build) is no
longer run with the flag.

## Example
    /kaniko/executor --context . --destination registry.example/app:1
becomes
    /kaniko/executor --skip-unused-stages --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import executor
from imgopt.scales import Applicability, Severity

ID = "unused-stages"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        stages = build.recipe.unused_stages
        if build.tool != "kaniko" or not build.lacks("skip-unused-stages") or stages == ():
            continue
        made = executor(build.image)
        if made.has("skips unused stages by itself") or made.has("skip-unused-stages") is False:
            continue
        if stages is None:
            message = "kaniko without --skip-unused-stages builds all stages, needed or not; which there are is unknown"
        else:
            named = ", ".join(stages[:3]) + (f" and {len(stages) - 3} more" if len(stages) > 3 else "")
            message = f"kaniko builds {named} of {build.recipe.path} too, which the image does not need"
        fix = Fix("add --skip-unused-stages", Applicability.MANUAL)
        yield Finding(ID, Severity.LOW, build.line, build.end_line, message, fix)
