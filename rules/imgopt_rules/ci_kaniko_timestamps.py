"""kaniko stamps files with the time of the build, so that no layer keeps its digest and all of them travel again.

## Why it costs
Measured with one changed class of a 72 MB application: kaniko 1.24 and the maintained fork without flags sent 68.4 MB,
with the libraries in their own layer or not. With layers that keep their digests it was 22 kB.

## What it does
The maintained fork (github.com/osscontainertools/kaniko) with `--reproducible` and
`FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS=true` keeps the digests of unchanged layers and of the base. On the archived
1.24 `--reproducible` rewrites the layers of the base as well: measured, a base of 121 MB became a blob of 139 MB that no
other image shares, so the first push, and each one after a new base image, sends the base too.

A base that keeps its digests and lies in the registry that is pushed to is mounted from there. Where the fork stores it on
its way (`FF_KANIKO_SHARED_BASE_CACHE`) that needs `FF_KANIKO_CROSS_REPO_MOUNT=true`, or the whole base is sent; by its
documentation both are to be on from 1.29.

## Fix safety
Advice only. `--reproducible` sets the times of all files to a fixed one: static resources then have the same
`Last-Modified` in every release. Whoever serves them by that header turns the flag off again.

## Example
    /kaniko/executor --context . --destination registry.example/app:1
becomes, in an image of the maintained fork,
    FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS=true \\
    /kaniko/executor --reproducible --context . --destination registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Build, Pipeline, Push
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import above, base_of, needed, pushed_by, stays, waste
from imgopt.pipelines.severity import severity
from imgopt.pipelines.versions import PRESERVES_BASE, archived, maintained
from imgopt.pipelines.wording import amount, instead, known
from imgopt.scales import Applicability, Severity

ID = "kaniko-timestamps"


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for build in pipeline.builds:
        if build.tool != "kaniko" or stays(build):
            continue
        push = pushed_by(pipeline, build)
        if build.lacks("reproducible"):
            yield _stamped(pipeline, build, push)
        elif not build.on("reproducible"):
            continue
        elif build.image is not None and archived(build.image):
            yield _base_rewritten(build, push)
        elif not build.keeps_base:
            yield _base_unsure(build)


def _stamped(pipeline: Pipeline, build: Build, push: Push) -> Finding:
    size, lacking = above(push), needed(push)
    message = "kaniko without --reproducible gives every file the time of the build, so every layer changes"
    if known(size.before):
        message += f": each release sends {amount(size.before)} ({size.before.basis})"
        message += instead(push, lacking, size.before, "the flags")
    return Finding(
        ID,
        severity(pipeline, push, size, lacking),
        build.line,
        build.end_line,
        message,
        Fix(_way(build), Applicability.MANUAL),
        waste=waste(size.before, lacking.before),
    )


def _way(build: Build) -> str:
    set_ = f"--reproducible with {PRESERVES_BASE}=true in its environment"
    if build.image is not None and maintained(build.image):
        return f"add {set_}"
    return (
        f"use the maintained fork (ghcr.io/osscontainertools/kaniko) and {set_}; the archived 1.24 has only "
        "--reproducible, which also rewrites the base: each image then carries and pushes its own base"
    )


def _base_rewritten(build: Build, push: Push) -> Finding:
    base = base_of(push)
    message = "--reproducible of the archived kaniko rewrites the base image too, so no other image shares its layers"
    if base.value is not None:
        message += (
            f": a first push, and each one with a new base image, sends {amount(base)} for it ({base.basis})"
        )
    way = f"use the maintained fork (ghcr.io/osscontainertools/kaniko) with {PRESERVES_BASE}=true"
    return Finding(ID, Severity.MEDIUM, build.line, build.end_line, message, Fix(way, Applicability.MANUAL))


def _base_unsure(build: Build) -> Finding:
    message = f"--reproducible without {PRESERVES_BASE}=true rewrites the layers of the base image as well"
    way = f"set {PRESERVES_BASE}=true where the executor runs (the maintained fork knows it, and has it on from 1.29)"
    return Finding(ID, Severity.MEDIUM, build.line, build.end_line, message, Fix(way, Applicability.MANUAL))
