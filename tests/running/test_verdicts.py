"""What is claimed of two starts, by what was seen of each. No engine: starts that are slow, hang or come up late are
made here, because on a real one a clock would decide which of them happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from imgopt.comparison import behaviour
from imgopt.comparison.answers import Answer
from imgopt.comparison.behaviour import Behaviour, compare_running
from imgopt.comparison.observing import JavaVersion, Observed, RunOptions, Subject, smoke_of
from imgopt.engines.engine import Runner

OK = Answer(200, "text/plain", b"hello")
SUBJECT = Subject("image", {"config": {}})
UP = Observed("answered", "port 8080 answered", 2.0, 143, 0.1, answers={"GET /": (OK, OK)})
SILENT = Observed("silent", "nothing answered within 3 s", 3.0, 143, 0.1)
DEAD = Observed("ended", "it ended by itself", 1.0, 1, log="Error: no database")
DONE = Observed("ended", "it ended by itself", 1.0, 0, log="rows: 5")
NO_PROGRAM = Observed("ended", "it could not be started", 0.0, 127)
DOWN = replace(UP, by="port 8080 answered 503", down=True, answers={"GET /": (Answer(503, "", b""),) * 2})
MUTE = replace(UP, by="port 8080 accepts connections", mute=True, answers={}, late=frozenset({"GET /"}))
LATE = replace(UP, answers={}, late=frozenset({"GET /"}))
KILLED = replace(UP, exit_code=137, stop_seconds=10.0)
REFUSED = replace(SILENT, by="GET /x answered 404, and nothing else within 3 s", refused=True)
OTHER = replace(UP, answers={"GET /": (Answer(200, "text/plain", b"moon"),) * 2})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compares two lists of what is seen of the starts of each image, one after the other."""

    def compared(
        before: Observed | list[Observed],
        after: Observed | list[Observed],
        *,
        java: Any = None,
        **options: Any,
    ) -> Behaviour:
        starts: dict[str, Iterator[Observed]] = {
            name: iter(each if isinstance(each, list) else [each] * 3)
            for name, each in (("before", before), ("after", after))
        }
        monkeypatch.setattr(
            behaviour, "observe", lambda runner, subject, *_, **__: next(starts[subject.reference])
        )
        monkeypatch.setattr(behaviour, "java_of", lambda *_: java)
        subjects = [replace(SUBJECT, reference=name) for name in ("before", "after")]
        return compare_running(cast(Runner, None), subjects[0], subjects[1], RunOptions(**options))

    return compared


@pytest.mark.parametrize(
    ("before", "after", "alike", "verdict"),
    [
        (UP, UP, True, "alike"),
        (DONE, DONE, True, "alike"),
        (DEAD, DEAD, True, "alike as far as both go"),
        (DOWN, DOWN, True, "alike as far as both go"),
        (UP, OTHER, False, "not alike"),
        (UP, DEAD, False, "not alike"),
        (DEAD, UP, False, "not alike"),
        (DONE, DEAD, False, "not alike"),
        (UP, REFUSED, False, "not alike"),
        (SILENT, NO_PROGRAM, False, "not alike"),
        # a time ran out: of both, of one, of an answer, of the grace after SIGTERM
        (SILENT, SILENT, None, "not measured"),
        (UP, SILENT, None, "not measured"),
        (SILENT, UP, None, "not measured"),
        (SILENT, DEAD, None, "not measured"),
        (REFUSED, REFUSED, None, "not measured"),
        (DEAD, SILENT, None, "not measured"),
        (UP, LATE, None, "not measured"),
        (LATE, UP, None, "not measured"),
        (MUTE, MUTE, None, "not measured"),
        (MUTE, UP, None, "not measured"),
        (UP, KILLED, None, "not measured"),
        (KILLED, UP, None, "not measured"),
        # it was seen to work; how it ends was not, whatever time is granted
        (KILLED, KILLED, True, "alike"),
    ],
)  # fmt: skip
def test_what_is_claimed(
    seen: Any, before: Observed, after: Observed, alike: bool | None, verdict: str
) -> None:
    found: Behaviour = seen(before, after)
    assert (found.alike, found.verdict) == (alike, verdict)
    shown = found.as_json()
    assert shown["measured"] is (alike is not None)
    assert bool(shown["not_measured"]) is (alike is None)
    for each in found.not_measured:
        assert "--" in each, "what to raise or give"


def test_what_was_seen_to_differ_counts_though_other_times_ran_out(seen: Any) -> None:
    found: Behaviour = seen(UP, replace(OTHER, exit_code=137, stop_seconds=10.0))
    assert found.alike is False
    assert "end on SIGTERM" in found.not_measured[0]  # and both are said


def test_one_that_comes_up_late_is_granted_the_whole_time(seen: Any) -> None:
    """The original said that it was down for as long as that was waited for; then the rewrite came up."""
    found: Behaviour = seen([DOWN, UP], UP)
    assert found.alike is True
    found = seen([DOWN, SILENT], UP)
    assert found.alike is None


def test_java_that_did_not_tell_in_time(seen: Any) -> None:
    found: Behaviour = seen(UP, UP, java="late")
    assert found.alike is None and "java -version" in found.not_measured[0]
    assert seen(UP, UP, java=JavaVersion(17, "17.0.1", "x")).alike is True
    assert seen(UP, UP, java=None).alike is True  # there is none: no time ran out


def test_outputs_that_vary_by_themselves(seen: Any) -> None:
    other = replace(DONE, log="rows: 6", seconds=3000.0)
    assert seen([DONE, other], [other, DONE]).alike is True  # however long a run takes
    assert seen([DONE, DONE], [other, other]).alike is False
    found: Behaviour = seen([DONE, SILENT], [other, other])
    assert found.alike is None and "second run of the original" in found.not_measured[0]


def test_a_question_of_the_users_own_must_be_answered(seen: Any) -> None:
    """imgopt's own, of a debugger's port, need not."""
    late = replace(UP, late=frozenset({"GET / on port 5005"}))
    assert seen(late, late).alike is True
    assert seen(late, late, smoke=(smoke_of(":5005/"),)).alike is None


def test_a_body_that_was_cut_is_said(seen: Any) -> None:
    long = replace(UP, answers={"GET /": (replace(OK, cut=True),) * 2})
    check = next(each for each in seen(long, long).checks if each.name == "answer: GET /")
    assert check.verdict == "same" and "only the first" in str(check.reason)


def test_two_that_were_killed_from_outside(seen: Any) -> None:
    killed = replace(DEAD, exit_code=137)
    assert seen(killed, killed).alike is None
