"""What builders print: the step at which a build failed, and why, in a sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgopt.engines.engine import BuildError, BuildRequest
from imgopt.light.patterns import regex

SHOWN_LINES = 40

# "Step 3/7 : RUN …" (classic), "STEP 3/7: RUN …" or "[1/2] STEP 3/7: RUN …" (buildah)
_NUMBERED = regex(r"^(?:\[[^\]]*\] )?(?:Step|STEP) \d+(?:/\d+)? ?: (.*)$")
# "#7 [builder 2/3] RUN …" and " > [builder 2/3] RUN …:" (BuildKit)
_BUILDKIT = regex(r"^#(\d+) (\[[^\]]*\] .*)$")
_BUILDKIT_ERROR = regex(r"^#(\d+) ERROR: ?(.*)$")  # "#7 0.2 ERROR: …" is what a step printed
_BUILDKIT_FAILED = regex(r"^ > \[[^\]]*\] (.*?):?$")
# "INFO[0001] RUN …" (kaniko)
_KANIKO = regex(
    r"^INFO\[\d+\] ((?:FROM|RUN|COPY|ADD|WORKDIR|USER|ENV|LABEL|ARG|CMD|ENTRYPOINT|EXPOSE"
    r"|VOLUME|HEALTHCHECK|STOPSIGNAL|SHELL|ONBUILD|MAINTAINER)\b.*)$"
)


def failing_step(output: Sequence[str]) -> str | None:
    """The instruction that failed, as the builder printed it; None when the output does not tell."""
    steps: dict[str, str] = {}
    last = None
    failed = None
    for line in output:
        if found := _BUILDKIT_ERROR.match(line):
            failed = steps.get(found[1], failed)
        elif found := _BUILDKIT_FAILED.match(line):
            failed = found[1]
        elif found := _BUILDKIT.match(line):
            steps[found[1]] = re.sub(r"^\[[^\]]*\] ", "", found[2])
        elif found := _NUMBERED.match(line) or _KANIKO.match(line):
            last = found[1].strip()
    if steps and failed and failed.startswith("load "):  # "[internal] load metadata for …": no instruction
        return None
    return failed or last


_REFUSED = regex(
    r"pull access denied|manifest unknown|manifest for \S+ not found|MANIFEST_UNKNOWN|NAME_UNKNOWN|name unknown|not found: manifest"
    r"|failed to resolve source metadata|failed to do request|unable to (?:retrieve|pull|copy)|error creating build container"
    r"|short-name|initializing source docker|repository does not exist|error resolving source context"
    r"|no stage or image found with that name|lookup \S+(?: on \S+)?: |requested access to the resource is denied|unauthorized|i/o timeout",
    re.IGNORECASE,
)
_REASONS = (
    (r"no space left on device|disk quota exceeded|ENOSPC", "the disk is full", "make room and try again"),
    (  # all that buildah says when it cannot write a layer
        r"storing layer \S+ to file: io: read/write on closed pipe",
        "a layer could not be written, probably because the disk is full",
        "make room there (TMPDIR, or Podman's storage) and try again",
    ),
    (
        r"exec format error|does not match the specified platform|no match for platform",
        "an image of another processor architecture",
        "name this machine's with --platform, or install emulation (binfmt)",
    ),
    (
        r"cannot allocate memory|\bOOM\b|signal: killed|exit(?:ed with)? (?:code|status):? 137|non-zero code: 137",
        "a step was killed, probably for lack of memory",
        "give the builder more memory",
    ),
    (
        r"(?:network bridge not found|Could not resolve|Temporary failure (?:in name resolution|resolving)|UnknownHostException)",
        "a step has no network",
        "builds need what the Dockerfile downloads: check the builder's network and proxy",
    ),
)
_NEWS = regex(r"error|fail|cannot|denied|not found|unknown|invalid|no such|no space", re.IGNORECASE)


# what stands before the reason itself
_MARKS = (
    r"ERROR: ?|Error: ?|error: ?|failed to solve: |failed to solve with frontend dockerfile\.v0: |rpc error: code = \w+ desc = "
    r"|failed to create LLB definition: |(?:error )?building at STEP \".*?\": |failed to compute cache key: "
    r"|error building image: |error building stage: |failed to execute command: |parsing dockerfile: "
)


def build_error(request: BuildRequest, output: Sequence[str], said: str | None = None) -> BuildError:
    """The error of a failed build: one sentence with what the builder gave as its reason (`said`, else its output)."""
    step = failing_step(output)
    reason = (said or _reason(output)).strip()
    text = "\n".join([*output[-SHOWN_LINES:], said or ""])
    shown = f": {_short(reason)}" if reason else ""
    at = f" at {_short(step)}" if step else ""
    message, hint, base = f"the build of {request.dockerfile} failed{at}{shown}", None, None
    for pattern, why, what in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            message, hint = (
                f"the build of {request.dockerfile} failed{at}: {why}{shown.replace(': ', ' (', 1)})",
                what,
            )
            break
    else:
        base = _base(step, text, reason)
        if base is not None:
            message = (
                f"the {'image' if base == _source_of(step) else 'base image'} {base} cannot be pulled{shown}"
            )
            hint = "check its name, log in to its registry, or pull it beforehand"
    return BuildError(message, hint, step=step, output=output, reason=reason, image=base)


def timed_out(request: BuildRequest, output: Sequence[str]) -> BuildError:
    """The error of a build that was stopped because its time was up."""
    step = failing_step([line for line in output if not _BUILDKIT_ERROR.match(line)]) or _running(output)
    at = f" at {_short(step)}" if step else ""
    return BuildError(
        f"the build of {request.dockerfile} was stopped after {request.seconds:g} s{at}",
        "give it more time, or see what the step waits for",
        step=step,
        output=output,
    )


def _running(output: Sequence[str]) -> str | None:
    """The step that BuildKit was at: the last that began and did not end."""
    begun: dict[str, str] = {}
    for line in output:
        if found := _BUILDKIT.match(line):
            begun[found[1]] = re.sub(r"^\[[^\]]*\] ", "", found[2])
        elif found := re.match(r"^#(\d+) (?:DONE|CACHED)", line):
            begun.pop(found[1], None)
    return next(reversed(begun.values()), None)


def _base(step: str | None, text: str, reason: str) -> str | None:
    """The image that could not be pulled, when that is why the build failed."""
    if not _REFUSED.search(text):
        return None
    if step and (found := re.match(r"(?i)FROM\s+(?:--\S+\s+)*(\S+)", step)):
        return found[1]
    if (source := _source_of(step)) is not None and _REFUSED.search(reason):
        return source
    # kaniko has all bases before the first step, and names others on its way
    if found := re.search(r"https?://([\w.:-]+)/v2/([\w./-]+)/manifests/([\w.:-]+)", reason):
        host = "" if found[1].endswith("docker.io") else f"{found[1]}/"
        tag = found[3].rstrip(":")
        version = "" if tag == "latest" else f"@{tag}" if ":" in tag else f":{tag}"
        return f"{host}{found[2].removeprefix('library/')}{version}"
    # BuildKit resolves all bases before the first step
    if found := re.search(
        r"(?:load metadata for |Retrieving image manifest |failed to resolve source metadata for |Resolving \"?|pull(?:ing)? (?:from )?image:? )\"?([\w./:@-]+)",
        text,
    ):
        return found[1].removeprefix("docker.io/library/").rstrip(":")
    if found := re.search(r"/v2/(?:library/)?([\w./-]+)/manifests/", text):
        return found[1]
    return None


def _source_of(step: str | None) -> str | None:
    """What a COPY takes from: a stage, or an image."""
    found = re.match(r"(?i)(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", step or "")
    return found[1] if found else None


def _reason(output: Sequence[str]) -> str:
    """The line that says why: the last that speaks of an error, without a builder's marks."""
    for line in reversed(output):
        if _NEWS.search(line) and not line.startswith((" > ", "---")):
            line = re.sub(r"^#\d+ (?:[\d.]+ )?", "", line.strip())
            return re.sub(rf"^(?:{_MARKS})+", "", line)
    return next((line for line in reversed(output) if line.strip()), "")


def _short(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"
