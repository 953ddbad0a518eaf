"""What a report of `imgopt compare` says of what was predicted, where the original was built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cases import CASES, make_context

from imgopt.build_context.tree import open_context
from imgopt.comparison.behaviour import Behaviour, Figures
from imgopt.comparison.mended import foretold, on_predictions
from imgopt.dockerfile import parse
from imgopt.engines.engine import BuildRequest
from imgopt.engines.output import build_error
from imgopt.options import Options
from imgopt.picture import Picture, take_picture

UP, DOWN = Figures((4.0,)), Figures()


def picture_of(case: str, root: Path) -> Picture:
    folder = CASES / "broken-layering" / case
    make_context(root, json.loads((folder / "case.json").read_text()))
    text = (folder / "before.Dockerfile").read_text()
    (root / "Dockerfile").write_text(text)
    document = parse(text, str(root / "Dockerfile"))
    return take_picture(document, open_context(root, root / "Dockerfile"), Options(context=root))


@pytest.mark.parametrize(
    "case, before, after, said",
    [
        ("tools-without-launcher", DOWN, UP, "the original does not start, as predicted (line 12: "),
        ("tools-without-launcher", UP, UP, "the original starts, though it was predicted not to (line 12: "),
        ("tools-without-launcher", DOWN, DOWN, None),
        ("tools-without-launcher-right", UP, UP, None),
        (
            "tools-named-after-the-jar",
            UP,
            UP,
            "the original builds, though it was predicted not to (line 8: ",
        ),
    ],
)
def test_what_came_of_it(
    case: str, before: Figures, after: Figures, said: str | None, tmp_path: Path
) -> None:
    found = list(on_predictions(picture_of(case, tmp_path), Behaviour((), True, False, before, after)))
    assert [each.startswith(said or "\0") for each in found] == ([True] if said is not None else [])


ECHO = "Step 2/7 : COPY --from=builder /app/target/*.jar app.jar"
RAN = "INFO[0001] RUN java -Djarmode=tools -jar app.jar extract --layers --launcher"
NO_IMAGE = {
    "docker": [
        ECHO,
        "invalid from flag value builder: pull access denied for builder, repository does not exist",
    ],
    "buildkit": [
        "#2 [internal] load metadata for docker.io/library/builder:latest",
        "#2 ERROR: pull access denied, repository does not exist or may require authorization",
        "ERROR: failed to solve: builder: failed to resolve source metadata for docker.io/library/builder:latest: "
        "pull access denied, repository does not exist or may require authorization: insufficient_scope",
    ],
    "podman": [
        "STEP 2/7: COPY --from=builder /app/target/*.jar app.jar",
        'Error: building at STEP "COPY --from=builder /app/target/*.jar app.jar": COPY --from=builder: no stage or image '
        "found with that name",
    ],
    "kaniko": [
        "INFO[0000] Retrieving image manifest builder",
        "error building image: unable to complete operation after 0 attempts, last error: GET "
        "https://index.docker.io/v2/library/builder/manifests/latest: UNAUTHORIZED: authentication required",
    ],
}
NO_PATH = {
    "docker": [
        "Step 7/11 : COPY --from=builder /work/dependencies/ ./",
        "COPY failed: stat work/dependencies: file does not exist",
    ],
    "buildkit": [
        "#9 [stage-1 3/6] COPY --from=builder /work/dependencies/ ./",
        '#9 ERROR: failed to calculate checksum of ref a::b: "/work/dependencies": not found',
    ],
    "podman": [
        "[2/2] STEP 3/7: COPY --from=builder /work/dependencies/ ./",
        'Error: building at STEP "COPY --from=builder /work/dependencies/ ./": checking on sources under "/root/vfs/dir/1": '
        'copier: stat: "/work/dependencies": no such file or directory',
    ],
    "kaniko": [
        RAN,
        "error building image: error building stage: failed to get files used from context: failed to get fileinfo for "
        "/kaniko/0/work/dependencies: lstat /kaniko/0/work/dependencies: no such file or directory",
    ],
}
OTHER = {
    "a copy": ["Step 3/8 : RUN cp /work/dependencies /x", "cp: can't stat '/work/dependencies': No such file or directory"],
    "a path below": ["Step 7/11 : COPY --from=builder /work/dependencies/lib ./",
        "COPY failed: stat work/dependencies/lib: file does not exist"],
    "a base": [ECHO.replace("COPY --from=builder", "FROM"), "pull access denied for eclipse-temurin, repository does not exist"],
    "another image": ["#2 [internal] load metadata for docker.io/library/eclipse-temurin:21-jre-alpine",
        "ERROR: failed to solve: eclipse-temurin:21-jre-alpine: failed to resolve source metadata for "
        "docker.io/library/eclipse-temurin:21-jre-alpine: i/o timeout"],
    "a command": ["Step 3/8 : RUN ls builder /work/dependencies", "The command '/bin/sh -c ls builder' returned a non-zero code: 2"],
    "its directory": ["Step 3/8 : RUN ls /work", "ls: /work/dependencies: No such file or directory"],
    "the disk": [ECHO, "write /builder: no space left on device"],
}  # fmt: skip


@pytest.mark.parametrize("case, builder", [
    *(("stages-missing", name) for name in NO_IMAGE), *(("tools-named-after-the-jar", name) for name in NO_PATH),
])  # fmt: skip
def test_what_each_builder_says_of_it_is_known(case: str, builder: str, tmp_path: Path) -> None:
    """Words of the real builders, of which the tests of engines run two."""
    output = (NO_IMAGE if case == "stages-missing" else NO_PATH)[builder]
    error = build_error(BuildRequest(tmp_path, tmp_path / "Dockerfile"), output)
    assert foretold(picture_of(case, tmp_path), error) is not None, (error.step, error.image, error.reason)


@pytest.mark.parametrize("case", ["stages-missing", "tools-named-after-the-jar"])
@pytest.mark.parametrize("why", OTHER)
def test_another_failure_is_none_of_those_predicted(case: str, why: str, tmp_path: Path) -> None:
    error = build_error(BuildRequest(tmp_path, tmp_path / "Dockerfile"), OTHER[why])
    assert foretold(picture_of(case, tmp_path), error) is None, (error.step, error.image, error.reason)
