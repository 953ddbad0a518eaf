"""A large layer for a slow registry: an Engine with the containerd image store waits 30 seconds for it to be stored.

## Why it costs
When the last byte of a layer is sent, the registry stores it, which takes it longer the larger it is. The containerd image
store of Engine 29 and later gives up after 30 seconds ("net/http: timeout awaiting response headers"), and so does BuildKit;
Docker's older image store waits. All bytes of the layer go up again with the next try, to the same end.

Documented (github.com/moby/moby/issues/53700, github.com/moby/buildkit/issues/4130), not run here. Reported of layers from
64 MB on, of registries on slow disks.

## What it looks at
Pushes by BuildKit, and by `docker push` on an Engine that is not pinned to a version before 29, to a registry that is as slow
as Aliyun's personal one, of images with a layer of 50 MB and more as far as the Dockerfile tells. How long the registry takes
is not in a file.

## Fix safety
Advice only. Smaller layers are stored sooner; `imgopt push` waits ten minutes for each.

## Example
    docker push registry.cn-hangzhou.aliyuncs.com/shop/app:1
becomes
    imgopt push registry.cn-hangzhou.aliyuncs.com/shop/app:1 registry.cn-hangzhou.aliyuncs.com/shop/app:1
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.pipelines.model import Pipeline, Push
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import CONTAINERD_STORE
from imgopt.scales import Applicability, Severity
from imgopt.units import megabytes
from imgopt.weigh.weights import ImageWeight, LayerWeight

ID = "large-blob"
_LARGE = 50_000_000
#: Bytes a second: the upper end of what was seen of the slow registry.
_SLOW = 1_000_000


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    for push in pipeline.pushes:
        rate, prediction = pipeline.rate(push), push.recipe.prediction
        if rate is None or rate > _SLOW or prediction is None or not _gives_up(push):
            continue
        largest = _largest(prediction.before)
        if largest is None or (largest.compressed_bytes or 0) < _LARGE:
            continue
        who = (
            "BuildKit"
            if push.tool == "buildx"
            else "an Engine with the containerd image store (new ones from 29 on)"
        )
        size = f"{megabytes(largest.compressed_bytes or 0)} ({largest.basis})"
        message = f"{who} gives up when the registry takes more than 30 s to store a layer; the largest of {push.recipe.path} has {size}"
        then = _largest(prediction.after) if push.recipe.rewritten else None
        if (
            then is not None
            and then.compressed_bytes is not None
            and then.compressed_bytes < (largest.compressed_bytes or 0)
        ):
            message += f", after the rewrite {megabytes(then.compressed_bytes)} ({then.basis})"
        way = "push with `imgopt push IMAGE TARGET`, which waits ten minutes for each layer and resumes where it was cut"
        yield Finding(ID, Severity.LOW, push.line, push.end_line, message, Fix(way, Applicability.MANUAL))


def _gives_up(push: Push) -> bool:
    if push.tool == "buildx":
        return True
    version = push.place.agent.engine_version
    return push.tool == "docker" and (version is None or version >= CONTAINERD_STORE)


def _largest(image: ImageWeight) -> LayerWeight | None:
    known = [layer for layer in image.pushed if layer.compressed_bytes is not None]
    return max(known, key=lambda layer: layer.compressed_bytes or 0, default=None)
