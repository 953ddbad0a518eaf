"""A BuildKit of today pushes an attestation beside the image, which Aliyun's personal registry refuses: the push fails.

## Why it costs
All layers and the image's manifest go up, minutes of them, and the last step is denied: "unknown manifest class for
application/vnd.oci.empty.v1+json". `docker buildx build` and docker/build-push-action attach a provenance unless they are
told not to; from BuildKit 0.32 on (August 2026) it has a form that this registry does not take. A builder without a pinned
version, as docker/setup-buildx-action makes it, becomes such a one without a change of the file. Where one push has tags in
several registries, the others' are not pushed either.

Documented in reports of several projects (goodrain/rainbond, koordinator-sh/koordinator, matrixorigin/matrixone-operator);
that registry was not pushed to for this.

## What it looks at
Pushes by BuildKit to `registry.*.aliyuncs.com` and `*.personal.cr.aliyuncs.com`. `--provenance=false`, `provenance: false` of
the action, `oci-artifact=false`, BUILDX_NO_DEFAULT_ATTESTATIONS and a pinned BuildKit before 0.32 are left in peace; without
`--sbom` no SBOM is made, so that `--sbom=false` only makes sure. A host that is a variable without a value is not judged, nor
are `docker push` and the builds of buildctl, which attach nothing unless they are told to.

## Fix safety
Advice only. The image carries no record of how it was built, which nobody could read from this registry anyway.

## Example
    docker buildx build --push -t registry.cn-hangzhou.aliyuncs.com/shop/app:1 .
becomes
    docker buildx build --push --provenance=false --sbom=false -t registry.cn-hangzhou.aliyuncs.com/shop/app:1 .
"""

from __future__ import annotations

from collections.abc import Iterator

from imgopt.bandwidths import PROFILES, of_registry
from imgopt.finding import Finding, Fix
from imgopt.light.patterns import regex
from imgopt.pipelines.model import Build, Pipeline
from imgopt.pipelines.registries import registry_of
from imgopt.pipelines.rule import rule
from imgopt.scales import Applicability, Severity

ID = "refused-attestation"
#: The first BuildKit whose attestations are artifacts with an empty configuration.
_SINCE = (0, 32)
_BUILDKIT = regex(r"moby/buildkit:v(\d+)\.(\d+)")


@rule(ID)
def check(pipeline: Pipeline) -> Iterator[Finding]:
    pinned = [tuple(map(int, found.groups())) for each in pipeline.named if (found := _BUILDKIT.search(each))]
    if pinned and all(each < _SINCE for each in pinned):
        return
    for push in pipeline.pushes:
        build = push.build
        if push.tool != "buildx" or build is None or not _attests(build):
            continue
        hosts = dict.fromkeys(registry_of(name) for name in (*build.names, *filter(None, (push.target,))))
        refusing = [host for host in hosts if of_registry(host) is PROFILES[0]]
        if not refusing:
            continue
        message = (
            f"{refusing[0]} refuses the attestation that BuildKit from 0.32 on pushes with the image "
            '("unknown manifest class for application/vnd.oci.empty.v1+json"): the push fails at its end'
        )
        way = "add --provenance=false --sbom=false"
        if pipeline.system == "github":
            way += " (of docker/build-push-action: provenance: false and sbom: false)"
        yield Finding(ID, Severity.HIGH, push.line, push.end_line, message, Fix(way, Applicability.MANUAL))


def _attests(build: Build) -> bool:
    """Whether it pushes an attestation; a variable that may hold the flag counts as none."""
    if build.open or str(build.environment.get("BUILDX_NO_DEFAULT_ATTESTATIONS") or "").lower() in (
        "1",
        "true",
    ):
        return False
    attest = build.flags.get("attest", ())
    said = [*build.flags.get("provenance", ()), *(each for each in attest if "provenance" in each)]
    sbom = [*build.flags.get("sbom", ()), *(each for each in attest if "sbom" in each)]
    if any("$" in each for each in (*said, *sbom)):
        return False
    if any("oci-artifact=false" in each for each in (*said, *sbom, *build.flags.get("output", ()))):
        return False
    return not said or not _off(said[-1]) or (bool(sbom) and not _off(sbom[-1]))


def _off(value: str) -> bool:
    return value.lower() in ("false", "0", "f") or "disabled=true" in value
