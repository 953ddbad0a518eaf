"""What is claimed of two starts, by what was seen of each. No engine: starts that are slow, hang or come up late are
made here, because on a real one a clock would decide which of them happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from imgopt.comparison import behaviour, observing
from imgopt.comparison.answers import Answer
from imgopt.comparison.behaviour import Behaviour, compare_running
from imgopt.comparison.observing import JavaVersion, Observed, RunOptions, Subject, smoke_of
from imgopt.engines.engine import Runner, RunRequest, StartError

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
        (UP, OTHER, False, "not alike"),
        (UP, DEAD, False, "not alike"),
        (DEAD, UP, False, "not alike"),
        (DONE, DEAD, False, "not alike"),
        (UP, REFUSED, False, "not alike"),
        (SILENT, NO_PROGRAM, False, "not alike"),
        # both say that they are down, or one does, until the time ran out
        (DOWN, DOWN, None, "not measured"),
        (DOWN, UP, None, "not measured"),
        (UP, DOWN, None, "not measured"),
        (DOWN, DEAD, None, "not measured"),
        (DEAD, DOWN, None, "not measured"),
        (DOWN, SILENT, None, "not measured"),
        (DOWN, MUTE, None, "not measured"),
        (DOWN, NO_PROGRAM, False, "not alike"),
        # a port that accepts and hangs up: how long that was waited for says nothing of what comes later
        (UP, replace(MUTE, late=frozenset()), None, "not measured"),
        (replace(MUTE, late=frozenset()), UP, None, "not measured"),
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


def test_two_that_are_down_show_no_figures(seen: Any) -> None:
    found: Behaviour = seen(DOWN, DOWN, runs=3)
    assert found.before.as_json()["start_seconds"] is None and found.before.as_json()["basis"] == "unknown"
    assert "503" in found.not_measured[0] and "--start-timeout" in found.not_measured[0]
    assert any("neither was seen to work" in note for note in found.notes)


class _Container:
    """Answers 503 until ``up_after`` seconds of a clock of the test's own: on a real one, every start would have to be
    waited for."""

    running = True

    def __init__(self, now: list[float], up_after: float) -> None:
        self.now, self.up_at = now, now[0] + up_after

    def connect(self, port: int, _: float) -> tuple[str, int]:
        return "container", port

    def in_network(self, ask: Any) -> Answer:
        return OK if self.now[0] >= self.up_at else Answer(503, "application/json", b'{"status":"DOWN"}')

    def log(self, _: int) -> str:
        return ""

    def memory_bytes(self) -> int:
        return 1

    def stop(self, _: float) -> tuple[int, float]:
        return 143, 0.1

    def remove(self) -> None:
        pass


class _Runner:
    def __init__(self, now: list[float], up_after: dict[str, float]) -> None:
        self.now, self.up_after = now, up_after

    def start(self, reference: str, request: RunRequest) -> _Container:
        if request.entrypoint:
            raise StartError("no java")
        return _Container(self.now, self.up_after[reference])


NEVER = float("inf")


@pytest.mark.parametrize(
    ("before", "after", "alike", "verdict"),
    [
        (15, NEVER, None, "not measured"),
        (NEVER, 15, None, "not measured"),
        (NEVER, NEVER, None, "not measured"),
        (15, 50, True, "alike"),
        (50, 15, True, "alike"),
        (0, 59, True, "alike"),
    ],
)
def test_one_that_says_it_is_down_is_granted_the_whole_time(
    monkeypatch: pytest.MonkeyPatch, before: float, after: float, alike: bool | None, verdict: str
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(observing, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    runner = cast(Runner, _Runner(now, {"before": before, "after": after}))
    subjects = [replace(SUBJECT, reference=name) for name in ("before", "after")]
    found = compare_running(runner, subjects[0], subjects[1], RunOptions(start_seconds=60))
    assert (found.alike, found.verdict) == (alike, verdict)


def test_java_that_did_not_tell_in_time(seen: Any) -> None:
    found: Behaviour = seen(UP, UP, java="late")
    assert found.alike is None and "java -version" in found.not_measured[0]
    assert seen(UP, UP, java=JavaVersion(17, "17.0.1", "x")).alike is True
    assert seen(UP, UP, java=None).alike is True  # there is none: no time ran out


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [("en", "en_US", False), ("en_US", "en_US", True), ("en", "en", True), ("", "en_US", True)],
)
def test_the_language_that_java_starts_with(before: str, after: str, alike: bool) -> None:
    """Measured with LC_ALL=C.UTF-8 on both: Java on Debian says `en`, Java on Alpine `en_US`."""
    javas = [JavaVersion(17, "17.0.1", "x", language) for language in (before, after)]
    checks = behaviour._java(javas[0], javas[1], 60)
    assert Behaviour(tuple(checks), True).alike is alike


class _HangingJava(_Runner):
    asked = 0

    def start(self, reference: str, request: RunRequest) -> _Container:
        if not request.entrypoint:
            return super().start(reference, request)
        self.asked += 1
        container = _Container(self.now, 0)
        container.wait = lambda seconds: None  # type: ignore[attr-defined]
        return container


def test_a_java_that_hangs_is_waited_for_once_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(observing, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=now.append))
    runner = _HangingJava(now, {"before": NEVER, "after": NEVER})
    said: list[str] = []

    class _Enough(Exception):
        pass

    def tell(text: str) -> None:
        said.append(text)
        if text.startswith("starting"):
            raise _Enough

    with pytest.raises(_Enough):
        compare_running(
            cast(Runner, runner),
            *(replace(SUBJECT, reference=name) for name in ("before", "after")),
            RunOptions(),
            tell,
        )
    assert runner.asked == 1
    assert said[:2] == [
        "asking the original for its Java (180 s at most)",
        "java -version of the original was not done within 180 s",
    ]


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
