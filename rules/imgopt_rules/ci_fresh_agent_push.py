"""A throw-away agent pushes with a client that does not ask first, and so sends every layer again.

## Why it costs
A fresh `docker push` or `buildah push` knows the digests of its layers unpacked, the registry knows them compressed.
Without the notes of an earlier push or pull it compresses and sends everything, and the registry finds out at the end
that it had it all. Measured with docker 20.10 and buildah 1.28: 65.6 MB sent where 6 kB were new, with the best Dockerfile.

## What it looks at
Hosted runners, `docker:dind` services, pods and container agents, where nothing is left of the release before. An agent
that mounts the host's Docker socket, or that pulls the last release first, is left in peace. An Engine with the
containerd image store has its layers compressed and asks; from 29 on new installations have it, by Docker's documentation
(it was not run here). So a `docker:dind` of 29 or later is left in peace, an older one is as severe as the time that it
costs, and where the version is not in the file the finding is at most medium and names the condition.

## Fix safety
Advice only. `imgopt push` and BuildKit's own push compress each layer, ask for it and send what is missing; the first of
them after another tool sends all layers once. A pull of the last release first costs its download.

## Example
    docker build -t registry.example/app:1 . && docker push registry.example/app:1
becomes
    docker buildx build --push --provenance=false --sbom=false -t registry.example/app:1 .
or
    docker build -t registry.example/app:1 . && imgopt push registry.example/app:1 registry.example/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.sending import above, asks_first, needed, seconds, waste
from imgopt.pipelines.severity import severity
from imgopt.pipelines.wording import RUN_TOOLS, amount, at, known, less, time, unknown
from imgopt.scales import Applicability, Severity

ID = "fresh-agent-push"
_WAYS = {
    "docker": "push with `imgopt push IMAGE TARGET` or `docker buildx build --push --provenance=false --sbom=false`, which ask first; or `docker pull` the "
    "last release before the build, which costs its download",
    "buildah": "push to an `oci:` directory and send that with `imgopt push` or `skopeo copy`, which ask first",
    "podman": "push to an `oci:` directory and send that with `imgopt push` or `skopeo copy`, which ask first",
    "skopeo": "copy to an `oci:` directory first and send that: then the compressed digests are known",
}


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for push in pipeline.pushes:
        if asks_first(push) or push.fresh is None or push.pulled or push.tool not in _WAYS:
            continue
        size, lacking = above(push), needed(push)
        message = f"{RUN_TOOLS[push.tool]} sends every layer again at each release, because {push.fresh}"
        if not known(size.before):
            message += f"; how much is unknown: {unknown(push)}"
        else:
            rate = pipeline.rate(push)
            took = seconds(size.before, rate) if rate is not None else None
            message += f": {amount(size.before)} ({size.before.basis})"
            if rate is not None and took is not None:
                message += f", {time(took, size.before)} {at(rate)}"
            if push.recipe.rewritten and size.after.value is not None:
                message += f", also after the rewrite of {push.recipe.path} ({amount(size.after)})"
            if less(lacking.after, size.before):
                message += f", where {amount(lacking.after)} would be new"
        level = severity(pipeline, push, size, lacking)
        if push.tool == "docker" and push.place.agent.engine_version is None:
            level = min(level, Severity.MEDIUM, key=lambda each: each.rank)
            message += "; an Engine with the containerd image store asks first, and new installations from 29 on have it"
        fix = Fix(_WAYS[push.tool], Applicability.MANUAL)
        saving = waste(size.before, lacking.before)
        yield Finding(ID, level, push.line, push.end_line, message, fix, waste=saving)
