"""What `imgopt compare` says of an original that does not build, as was predicted, and of its rewrite."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import good

from imgopt.comparison.answers import Answer
from imgopt.comparison.measure import MeasuredImage, MeasuredLayer
from imgopt.comparison.mended import Foretold, Mended
from imgopt.comparison.observing import Observed
from imgopt.report import mended

LAYER = MeasuredLayer("COPY a b", 3, "sha256:1", None, 5_000_000, 9_000_000, False, "measured")
IMAGE = MeasuredImage("r", "sha256:3", "linux/amd64", "eclipse-temurin:17-jre", 1.0, (LAYER,))
WHY = Foretold(
    2, "stage builder is not in the file", "COPY --from=builder a b", "pull access denied for builder"
)
HEALTH = {"GET /actuator/health": (Answer(200, "application/json", b'{"status":"UP"}'),)}
UP = Observed("answered", "GET /actuator/health says UP", 4.0, 143, answers=HEALTH)
DEAD = Observed("ended", "it ended by itself", 1.0, 1, log="Error: no database\x1b[31m")
FOUND = Mended(good(), "docker", "Docker 20", WHY, IMAGE, UP, None, None)


def text(found: Mended, *, quiet: bool = False) -> str:
    lines = mended.text(found, width=100, quiet=quiet)
    return "\n".join(
        "".join(piece if isinstance(piece, str) else piece[0] for piece in line) for line in lines
    )


def test_predicted_and_seen_stand_beside_each_other_and_what_the_rewrite_answers() -> None:
    assert FOUND.exit_code == 0
    for said in (text(FOUND), mended.markdown(FOUND)):
        assert "the original does not build, as predicted" in said.lower()
        assert "line 2: stage builder is not in the file" in said
        assert "pull access denied for builder" in said
        assert "builds and works" in said and "200 application/json" in said
    assert text(FOUND, quiet=True).count("\n") == 0
    told = mended.json_object(FOUND)
    assert told["compared"] is False and told["images"].keys() == {"after"}
    assert told["mended"]["predicted"] == {"line": 2, "message": WHY.message}
    assert told["mended"]["seen"] == {"step": WHY.step, "reason": WHY.seen}
    rewrite = told["mended"]["rewrite"]
    assert (rewrite["works"], rewrite["basis"]) == (True, "measured")


@pytest.mark.parametrize(
    "found, said",
    [
        (replace(FOUND, start=DEAD), "the rewrite was not seen to work: it ended by itself with exit code 1"),
        (
            replace(FOUND, start=None, not_run="nothing answers"),
            "the rewrite was not started: nothing answers",
        ),
        (
            replace(FOUND, left_out=("--push-to takes an original that builds",)),
            "--push-to takes an original",
        ),
    ],
    ids=["ended", "not-started", "left-out"],
)
def test_what_was_not_seen_is_not_measured(found: Mended, said: str) -> None:
    assert found.exit_code == 3
    assert said in text(found) and said in mended.markdown(found).replace("\\", "")
    assert found.works is not False and any(
        said in each for each in mended.json_object(found)["mended"]["not_measured"]
    )
    assert "\x1b" not in text(found)


def test_a_start_that_nobody_wanted_is_no_fault() -> None:
    found = replace(FOUND, start=None, not_run="--no-run")
    assert found.exit_code == 0
    assert "not started: --no-run" in text(found) and "builds and works" not in text(found)
    assert mended.json_object(found)["mended"]["rewrite"]["works"] is None
