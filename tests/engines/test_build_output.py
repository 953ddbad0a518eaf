"""What only BuildKit understands in a Dockerfile, and the failing step in what builders print."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgopt.engines.engine import BuildRequest
from imgopt.engines.needs import needs_buildkit
from imgopt.engines.output import build_error, failing_step


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("# syntax=docker/dockerfile:1\nFROM a\n", "# syntax="),
        ("FROM a\nRUN --mount=type=cache,target=/m true\n", "RUN --mount in line 2"),
        ("FROM a\nRUN <<E\ntrue\nE\n", "the here-document in line 2"),
        ("FROM a\nCOPY --link x /\n", "COPY --link in line 2"),
        ("FROM a\nCOPY --chmod=755 x /\n", "COPY --chmod in line 2"),
        ("FROM a\nADD --checksum=sha256:0 https://x/y /\n", "ADD --checksum in line 2"),
        ("FROM a\nADD https://example.org/x.git#main /\n", "ADD of a git repository in line 2"),
        ("FROM a\nONBUILD COPY --parents x /\n", "COPY --parents in line 2"),
        ("FROM a\nARG TARGETARCH\n", "ARG TARGETARCH in line 2"),
        ("FROM --platform=linux/amd64 a\nCOPY --from=a --chown=1:1 x /\nRUN cat <x\n", None),
        ("FROM a\nADD https://example.org/x.tar.gz /\nHEALTHCHECK --interval=1s CMD true\n", None),
        ("NOTHING a builder reads\n", None),
    ],
)
def test_what_only_buildkit_understands(dockerfile: str, why: str | None, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile)
    assert needs_buildkit(path) == why


def test_an_ignore_file_of_the_dockerfiles_own(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n")
    assert needs_buildkit(tmp_path / "Dockerfile") == "Dockerfile.dockerignore"


@pytest.mark.parametrize(
    ("output", "step"),
    [
        (["Step 1/2 : FROM a", " ---> 0123456789ab", "Step 2/2 : RUN false"], "RUN false"),
        (["[1/2] STEP 1/2: FROM a AS b", "[2/2] STEP 3/3: COPY x /", "Error: no such file"], "COPY x /"),
        (
            ["#5 [b 2/3] RUN one", "#6 [stage-1 2/2] RUN two", "#5 ERROR: exit code: 1", "#6 CANCELED"],
            "RUN one",
        ),
        (["#5 [2/3] RUN x", "#5 0.1 ERROR: what a step printed", "#5 DONE 0.3s"], None),
        (["------", " > [stage-1 2/2] RUN a:b:", "------"], "RUN a:b"),
        (["INFO[0001] RUN one", "INFO[0002] Running: [/bin/sh -c one]", "error building image"], "RUN one"),
        (["#2 [internal] load metadata for docker.io/library/a:1", "#2 ERROR: not found"], None),
        ([], None),
    ],
)
def test_the_failing_step(output: list[str], step: str | None) -> None:
    assert failing_step(output) == step


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            ["#7 [2/2] RUN x", "#7 ERROR: write /y: no space left on device"],
            "the disk is full (write /y: no space left on device); make room and try again",
        ),
        (
            ["Step 2/2 : RUN x", "exec /bin/sh: exec format error"],
            "an image of another processor architecture (exec /bin/sh: exec format error)",
        ),
    ],
)
def test_reasons_that_need_something_else_than_a_look_at_the_step(output: list[str], said: str) -> None:
    error = build_error(BuildRequest(Path("c"), Path("c/Dockerfile")), output)
    assert said in str(error)
    assert str(error).startswith("the build of c/Dockerfile failed at RUN x: ")
