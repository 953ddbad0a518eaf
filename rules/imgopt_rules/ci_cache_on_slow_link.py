"""kaniko's `--cache` sends the result of each RUN to the registry that the images go to, over the same slow link.

## Why it costs
With `--cache` kaniko pushes what each RUN leaves to a repository, that of a build stage too. A RUN that depends on the
application is pushed again with each release: measured with kaniko 1.24, a RUN of a build stage that copies a jar of
5.0 MB sent 5.0 MB to the cache with each release, whatever the image itself sent. The RUN with which `imgopt rewrite`
unpacks a jar is such a one.

A layer that is in the cache and in the image goes up twice, although both repositories are in one registry. The maintained
fork has it mounted with `FF_KANIKO_CROSS_REPO_MOUNT=true` (from its documentation; it is to be on from 1.29). What a RUN of a
build stage leaves is in the cache alone, and is sent all the same.

## What it looks at
A `--cache-repo` at the host of a `--destination`, or none: then kaniko puts the cache beside the image. A cache in another
registry, in an OCI layout, or without RUN (`--cache-run-layers=false`) is left in peace.

## Fix safety
Advice only. Without a cache each RUN runs again with each build; a registry near the agents keeps both short.

## Example
    /kaniko/executor --cache=true --context . --destination registry.example/app:1
becomes
    /kaniko/executor --cache=true --cache-repo registry.build.internal/cache --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Build, Pipeline
from imgopt.pipelines.registries import same_registry
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import is_on, needed, pushed_by
from imgopt.pipelines.versions import CROSS_MOUNTS
from imgopt.pipelines.wording import amount, known
from imgopt.scales import Applicability, Severity

ID = "cache-on-slow-link"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        if build.tool != "kaniko" or not build.on("cache") or build.on("no-push-cache"):
            continue
        runs, rewritten = build.recipe.runs, build.recipe.rewritten
        if not _caches_runs(build) or not _same_registry(build) or (runs == 0 and not rewritten):
            continue
        where = build.flags.get("cache-repo", ("a repository beside the image",))[-1]
        message = (
            f"--cache sends the result of each RUN to {where}, over the link that the image goes over as well"
        )
        changing = needed(pushed_by(pipeline, build)).before
        if rewritten and known(changing):
            message += (
                f"; after the rewrite of {build.recipe.path} the RUN that unpacks the jar sends about as much as the jar "
                f"with each release, {amount(changing)} ({changing.basis})"
            )
        way = "use a --cache-repo in a registry near the agents, or leave --cache out"
        if is_on(pipeline, build, CROSS_MOUNTS) is not True:
            way += f"; the maintained fork's {CROSS_MOUNTS}=true has layers mounted that would go to the cache and to the image"
        fix = Fix(way, Applicability.MANUAL)
        yield Finding(ID, Severity.MEDIUM, build.line, build.end_line, message, fix)


def _caches_runs(build: Build) -> bool:
    return "cache-run-layers" not in build.flags or build.on("cache-run-layers")


def _same_registry(build: Build) -> bool:
    """Whether the cache goes where an image goes; False where that cannot be told."""
    cache = build.flags.get("cache-repo", ("",))[-1]
    if not cache:
        return bool(build.names)
    return not cache.startswith("oci:") and any(same_registry(cache, name) for name in build.names)
