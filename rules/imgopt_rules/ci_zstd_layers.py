"""Layers of zstd that those who pull cannot read: under Docker's own media types, or for an Engine of 20.10.

## Why it costs
`compression=zstd` without `oci-mediatypes=true` makes a manifest of Docker's own kind with layers of zstd, which podman,
skopeo and other tools refuse; where an attestation is pushed beside the image, BuildKit takes the OCI types by itself. And an
Engine before 23 cannot unpack zstd whatever the manifest says: a pull by 20.10 ends with "invalid tar header". What fails is
the pull, at the deployment, after a push that succeeded.

Documented (containers/image#2906, aws/amazon-ecs-agent#4179), not run here.

## What it looks at
`--output type=image,compression=zstd`, `outputs:` of docker/build-push-action, buildctl's `--output`, kaniko's
`--compression=zstd`, and Engines before 23 that the same file names (`docker:20.10`). Which Engines pull elsewhere is not in
the file.

## Fix safety
Advice only. gzip, the default, is read by all; zstd saves 1 to 25 % of a push, most where jars are stored uncompressed.

## Example
    docker buildx build --provenance=false --output type=image,name=registry.example/app:1,push=true,compression=zstd .
becomes
    docker buildx build --provenance=false --output type=image,name=registry.example/app:1,push=true,compression=zstd,oci-mediatypes=true .
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.finding import Finding, Fix
from imgopt.light.patterns import regex
from imgopt.pipelines.model import Build, Pipeline
from imgopt.pipelines.rule import rule
from imgopt.pipelines.versions import READS_ZSTD, engine
from imgopt.scales import Applicability, Severity

ID = "zstd-layers"
_ZSTD = regex(r"(?:^|[,\s])compression=zstd\b")
_OCI = regex(r"(?:^|[,\s])oci-mediatypes=(?:true|1)\b|(?:^|[,\s])type=oci\b")


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    old = next((each for each in pipeline.named if (engine(each) or READS_ZSTD) < READS_ZSTD), None)
    for build in pipeline.builds:
        outputs = [each for each in build.flags.get("output", ()) if _ZSTD.search(each)]
        kaniko = build.tool == "kaniko" and build.flags.get("compression", ("",))[-1] == "zstd"
        if not outputs and not kaniko:
            continue
        told = []
        ways = []
        if any(not _OCI.search(each) for each in outputs):
            unless = "" if _attests_nothing(build) else ", unless an attestation is pushed beside them"
            told.append(
                f"compression=zstd without oci-mediatypes=true puts layers of zstd under Docker's media types{unless}, "
                "which podman, skopeo and others refuse"
            )
            ways.append("add oci-mediatypes=true")
        if old is not None:
            told.append(
                f"{old}, which this file names, cannot unpack layers of zstd: its pull ends with an invalid tar header"
            )
            ways.append("take gzip, or an Engine of 23 or later wherever the image is pulled")
        if told:
            message, way = "; ".join(told), "; ".join(ways)
            yield Finding(
                ID, Severity.MEDIUM, build.line, build.end_line, message, Fix(way, Applicability.MANUAL)
            )


def _attests_nothing(build: Build) -> bool:
    """buildctl attaches nothing by itself, buildx does where it is not told otherwise."""
    return build.tool == "buildctl" or build.flags.get("provenance", ("",))[-1] == "false"
