"""kaniko builds every RUN anew each time, because it has no `--cache`.

## Why it costs
Time, not bytes: packages are installed and downloaded again with every build. Layers that come from a cache also keep
their digests, so that what a RUN installed does not travel again.

## What it does
Advises `--cache=true` with a `--cache-repo` in a registry near the agents. On the slow registry itself a cache costs what
it should save: kaniko pushes the result of each RUN there, also that of a build stage.

## Fix safety
Advice only. A cached `apt-get update` is as old as the cache: `--cache-ttl` bounds it.

## Example
    /kaniko/executor --context . --destination registry.example/app:1
becomes
    /kaniko/executor --cache=true --cache-repo registry.build.internal/cache --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.scales import Applicability, Severity

ID = "uncached-build"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        # a Dockerfile without a RUN has nothing that a cache would save
        if build.tool != "kaniko" or not build.lacks("cache") or build.recipe.runs == 0:
            continue
        runs = build.recipe.runs
        each = "every RUN" if runs is None else "its RUN" if runs == 1 else f"each of its {runs} RUN"
        message = f"kaniko without --cache runs {each} anew with every build"
        way = (
            "add --cache=true with a --cache-repo in a registry near the agents; on the slow one it would cost more than it "
            "saves, as the result of each RUN is pushed there"
        )
        fix = Fix(way, Applicability.MANUAL)
        yield Finding(ID, Severity.LOW, build.line, build.end_line, message, fix)
