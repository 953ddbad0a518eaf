"""Do two images behave alike: their configs, and what they do when they are started one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Literal

from imgopt.comparison.answers import (
    MAX_BODY_BYTES,
    difference,
    first_error,
    output_difference,
    varies_wholly,
    without_stacks,
)
from imgopt.comparison.checks import NOT_STARTED, Check, Verdict, check
from imgopt.comparison.image_config import compare_configs
from imgopt.comparison.observing import (
    ANSWER_SECONDS,
    JAVA_SECONDS,
    OUTPUT_LINES,
    JavaVersion,
    Observed,
    RunOptions,
    Subject,
    java_of,
    observe,
)
from imgopt.engines.engine import Limits, Runner
from imgopt.light.records import dataclass
from imgopt.units import megabytes

KILLED = 137
#: Of what the engine could not start at all.
NO_PROGRAM = 127
SHOWN_LOG_LINES = 30
#: What a reader can do about a time that ran out.
RAISE_START = "raise --start-timeout, give --smoke CMD that tells when it is up, or --no-run to compare the configs only"
RAISE_STOP = "raise --stop-timeout"
ASK_OTHERWISE = (
    "give --smoke CMD or PATH that tells whether it works, or --no-run to compare the configs only"
)

VerdictOfAll = Literal[
    "alike", "alike as far as the configs say", "alike as far as both go", "not alike", "not measured"
]

_JavaOrNot = JavaVersion | Literal["late"] | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of each start that was answered: seconds until then, and resident bytes of all processes. Measured."""

    start_seconds: tuple[float, ...] = ()
    memory_bytes: tuple[int, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "start_seconds": round(median(self.start_seconds), 3) if self.start_seconds else None,
            "memory_bytes": round(median(self.memory_bytes)) if self.memory_bytes else None,
            "starts": len(self.start_seconds),
            "basis": "measured" if self.start_seconds else "unknown",
        }


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``ran``: both were started. ``worked``: both were seen to do their work, not only to fail in the same way.
    ``notes``: sentences on how far the comparison went. ``before_log`` and ``after_log``: the end of what a container
    printed that ended when it should not. ``limits``: both were started with these, or, as far as memory and processes go,
    without any, and ``unlimited`` says why; None where nothing was started."""

    checks: tuple[Check, ...]
    ran: bool = False
    worked: bool = False
    before: Figures = Figures()
    after: Figures = Figures()
    notes: tuple[str, ...] = ()
    before_log: str | None = None
    after_log: str | None = None
    limits: Limits | None = None
    unlimited: str | None = None

    @property
    def not_measured(self) -> tuple[str, ...]:
        """What could not be observed, without which nothing is shown: sentences with what to raise or give."""
        return tuple(each.missing for each in self.checks if each.missing is not None)

    @property
    def alike(self) -> bool | None:
        """False: something was seen to differ without a reason that is no fault. None: nothing was, but not all that
        would show them alike was seen."""
        if not all(each.fine for each in self.checks):
            return False
        return None if self.not_measured else True

    @property
    def verdict(self) -> VerdictOfAll:
        """For people: what is claimed, and no more."""
        if self.alike is None:
            return "not measured"
        if not self.alike:
            return "not alike"
        if not self.ran:
            return "alike as far as the configs say"
        return "alike" if self.worked else "alike as far as both go"

    def as_json(self) -> dict[str, object]:
        return {
            "alike": self.alike,
            "measured": self.alike is not None,
            "not_measured": list(self.not_measured),
            "verdict": self.verdict,
            "ran": self.ran,
            "worked": self.worked,
            "checks": [each.as_json() for each in self.checks],
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "notes": list(self.notes),
            "before_log": self.before_log,
            "after_log": self.after_log,
            "limits": self._limits_json(),
        }

    @property
    def limits_text(self) -> str | None:
        """For people; None where nothing was started."""
        if self.limits is None or self.unlimited is None:
            return None if self.limits is None else f"both were started with {self.limits.text}"
        return f"the engine limits neither memory nor processes here: {self.unlimited}"

    def _limits_json(self) -> dict[str, object] | None:
        if self.limits is None:
            return None
        return {
            "memory_bytes": None if self.unlimited else self.limits.memory_bytes,
            "pids": None if self.unlimited else self.limits.pids,
            "new_privileges": self.limits.new_privileges,
            "why_none": self.unlimited,
        }


def compare_at_rest(
    before: Mapping[str, object], after: Mapping[str, object], *, not_started: str | None = None
) -> Behaviour:
    """By the parsed configs alone, nothing is started: on request (`--no-run`), or because it could not be, as
    ``not_started`` says; that leaves them not measured."""
    checks = compare_configs(before, after)
    if not_started is not None:
        remedy = "start one of them here, or give --no-run to compare the configs only"
        checks = (*checks, Check("start", None, None, "unknown", not_started, remedy))
    return Behaviour(checks, notes=(NOT_STARTED,))


def compare_running(
    runner: Runner,
    before: Subject,
    after: Subject,
    options: RunOptions,
    progress: Callable[[str], None] | None = None,
) -> Behaviour:
    """Configs, then both started in the same way, one after the other. ``progress`` is told what begins.

    EngineError when the engine fails; an image that does not start, in contrast, is a result.
    """
    tell = progress or (lambda text: None)
    granted = max(JAVA_SECONDS, options.start_seconds)
    tell(f"asking the original for its Java ({granted:g} s at most)")
    java = java_of(runner, before, granted, options.limits)
    later: _JavaOrNot = None
    if java == "late":  # without it there is nothing to compare with
        tell(f"java -version of the original was not done within {granted:g} s")
    else:
        tell(f"asking the rewrite for its Java ({granted:g} s at most)")
        later = java_of(runner, after, granted, options.limits)
    checks = [*compare_configs(before.config, after.config), *_java(java, later, granted)]
    tell("starting the original")
    first = observe(runner, before, options)
    tell("starting the rewrite")
    second = observe(runner, after, options)
    notes: list[str] = []
    logs: tuple[str | None, str | None] = (None, None)
    if first.outcome == second.outcome == "ended" and first.exit_code == second.exit_code == 0:
        checks += _outputs(runner, (before, after), (first, second), options, tell)
    elif first.outcome == second.outcome == "ended":  # at least one of them because it failed
        checks += _dead(first, second)
        if first.exit_code:
            notes.append(
                "the original does not start here either: behaviour was compared as far as both go "
                "(exit code and first error); neither was seen to work"
            )
            if not options.limits.new_privileges:
                notes.append(
                    "both were started without new privileges: where sudo, ping or setcap shall work, give "
                    "--allow-new-privileges"
                )
        logs = _end(first.log), _end(second.log)
    else:
        checks.append(_start(first, second))
        if first.outcome == second.outcome == "answered" and first.down == second.down:
            checks += _answers(first, second, options)
            checks.append(_stop(first, second, options.stop_seconds))
            if first.down:
                notes.append(f"both say that they are down ({first.by}): neither was seen to work")
                logs = _end(first.log), _end(second.log)
        elif first.outcome == second.outcome == "silent":
            logs = _end(first.log), _end(second.log)
            checks.append(_stop(first, second, options.stop_seconds))
        else:
            logs = _end_unless_up(first), _end_unless_up(second)
    seen = ([first], [second])
    if _came_up(first) and _came_up(second):
        for run in range(1, options.runs):
            tell(f"starting both again ({run + 1} of {options.runs})")
            for subject, list_ in zip((before, after), seen, strict=True):
                list_.append(observe(runner, subject, options, answers=False))
        notes += _later_starts(seen)
    return Behaviour(
        tuple(checks),
        True,
        first.works and second.works,
        _figures(seen[0]),
        _figures(seen[1]),
        tuple(notes),
        *logs,
    )


def _later_starts(seen: tuple[Sequence[Observed], Sequence[Observed]]) -> list[str]:
    """What further starts did that give no figures."""
    notes = []
    for name, starts in zip(("the original", "the rewrite"), seen, strict=True):
        others = [each for each in starts if not _came_up(each)]
        if others:
            notes.append(
                f"{len(others)} of the {len(starts)} starts of {name} gave no figures: {_outcome(others[0])}"
            )
    return notes


def _java(before: _JavaOrNot, after: _JavaOrNot, granted: float) -> list[Check]:
    late = [name for name, java in (("original", before), ("rewrite", after)) if java == "late"]
    if before == "late" or after == "late":
        told = [None if each is None or each == "late" else each.version for each in (before, after)]
        reason = f"java -version of the {' and the '.join(late)} was not done within {granted:g} s"
        return [Check("Java", told[0], told[1], "unknown", reason, RAISE_START)]
    if before is None or after is None:
        texts = [f"{java.version} ({java.vendor})" if java else None for java in (before, after)]
        reason = "no java command was found in " + (
            "both images" if before is after is None else "the original" if before is None else "the rewrite"
        )
        return [Check("Java", texts[0], texts[1], "unknown", reason)]
    vendor: Verdict = "same" if before.vendor == after.vendor else "expected"
    version: Verdict = "same" if before.version == after.version else "expected"
    languages = []
    if before.language and after.language:
        # LC_ALL=C.UTF-8 is `en` to Java on glibc and `en_US` on musl, so the variables alone do not tell
        reason = f"the language was {before.language} and is {after.language}; ENV LC_ALL=C.utf8 is en on glibc and musl"
        same = before.language == after.language
        languages.append(
            Check("Java language", before.language, after.language, "same")
            if same
            else Check("Java language", before.language, after.language, "different", reason)
        )
    return [
        check("Java", before.major, after.major),
        *languages,
        Check(
            "Java version",
            before.version,
            after.version,
            version,
            "another update of the same Java" if version == "expected" else None,
        ),
        Check(
            "Java vendor",
            before.vendor,
            after.vendor,
            vendor,
            "another vendor's build of the same Java" if vendor == "expected" else None,
        ),
    ]


def _start(before: Observed, after: Observed) -> Check:
    texts = [_outcome(seen) for seen in (before, after)]
    reason = f"the original: {texts[0]}; the rewrite: {texts[1]}"
    # what has not come up in its time may yet do so, also where it says so itself
    waited_for = [seen for seen in (before, after) if seen.outcome == "silent" or seen.down]
    if len(waited_for) == 2:
        silent = before.outcome == after.outcome == "silent"
        said = f"neither answered: {before.by}" if silent else f"neither came up: {reason}"
        return Check("start", texts[0], texts[1], "unknown", said, RAISE_START)
    if before.outcome == after.outcome == "answered" and not waited_for:
        return Check("start", texts[0], texts[1], "same")
    if waited_for:
        other = after if waited_for[0] is before else before
        seen_to_differ = (waited_for[0].refused and other.works) or other.exit_code == NO_PROGRAM
        if not seen_to_differ:
            return Check("start", texts[0], texts[1], "unknown", f"a time ran out: {reason}", RAISE_START)
    return Check("start", texts[0], texts[1], "different", reason)


def _outcome(seen: Observed) -> str:
    if seen.outcome == "ended":
        return f"{seen.by} with exit code {seen.exit_code}"
    return seen.by


def _answers(before: Observed, after: Observed, options: RunOptions) -> list[Check]:
    checks = []
    questions = dict.fromkeys((*before.answers, *after.answers, *sorted(before.late | after.late)))
    for name in questions:
        ours, theirs = before.answers.get(name, ()), after.answers.get(name, ())
        late = [side for side, seen in (("original", before), ("rewrite", after)) if name in seen.late]
        label = f"answer: {name}"
        shown = [side[0].shown if side else "no answer" for side in (ours, theirs)]
        in_time = f"the {' and the '.join(late)} did not answer in time ({ANSWER_SECONDS:g} s)"
        if not ours and not theirs:
            # what imgopt itself thought of, such as a debugger's port, need not answer; what the user asks for must
            remedy = ASK_OTHERWISE if options.smoke else None
            checks.append(Check(label, shown[0], shown[1], "unknown", in_time, remedy))
            continue
        if not ours or not theirs:
            if late or before.mute or after.mute:
                doubted = in_time if late else f"{(before if before.mute else after).by}, and nothing else"
                checks.append(Check(label, shown[0], shown[1], "unknown", doubted, ASK_OTHERWISE))
            else:
                checks.append(Check(label, shown[0], shown[1], "different", "only one of them answered"))
            continue
        found = difference(ours, theirs)
        if found is not None and late:
            doubted = f"{found}, but whether that varies by itself was not seen: {in_time}"
            checks.append(Check(label, shown[0], shown[1], "unknown", doubted, ASK_OTHERWISE))
            continue
        reason: str | None = found
        if found is None and any(each.cut for each in (*ours, *theirs)):
            reason = f"only the first {megabytes(MAX_BODY_BYTES)} of the body were compared"
        elif found is None and (varies_wholly(ours) or varies_wholly(theirs)):
            reason = "the body is another one each time: only status and type were compared"
        checks.append(
            Check(label, ours[0].shown, theirs[0].shown, "same" if found is None else "different", reason)
        )
    if before.mute or after.mute:  # a hung application's port is open too
        reason = f"{(before if before.mute else after).by}, but nothing there answered"
        checks.append(Check("answers", None, None, "unknown", reason, ASK_OTHERWISE))
    elif not checks:
        checks.append(Check("answers", None, None, "unknown", f"{before.by}, but nothing there speaks HTTP"))
    return checks


def _stop(before: Observed, after: Observed, granted: float) -> Check:
    """Being killed when the grace was over says nothing of how it would have ended."""

    def shown(seen: Observed) -> str:
        if seen.exit_code == KILLED:
            return f"killed after {granted:g} s"
        return f"exit code {seen.exit_code} after {seen.stop_seconds or 0:.1f} s"

    name, texts = "end on SIGTERM", (shown(before), shown(after))
    if before.exit_code == after.exit_code == KILLED:
        # as with a shell that keeps the signal to itself: no time would change it, so nothing hangs on it
        return Check(
            name, *texts, "unknown", f"neither ended within {granted:g} s, so how they end was not seen"
        )
    if KILLED in (before.exit_code, after.exit_code):
        which = "original" if before.exit_code == KILLED else "rewrite"
        return Check(name, *texts, "unknown", f"the {which} had not ended within {granted:g} s", RAISE_STOP)
    return Check(name, *texts, "same" if before.exit_code == after.exit_code else "different")


def _outputs(
    runner: Runner,
    subjects: Sequence[Subject],
    first: Sequence[Observed],
    options: RunOptions,
    tell: Callable[[str], None],
) -> list[Check]:
    """Of programs that end by themselves with 0, as batch jobs do. Where the outputs differ, both run a second time, to
    see what varies by itself."""
    logs = [[seen.log] for seen in first]
    found = output_difference(*logs)
    verdict: Verdict = "same"
    reason = remedy = None
    if found is not None:
        tell("running both again, to see what varies by itself")
        unlike: list[str] = []
        for name, subject, texts in zip(("original", "rewrite"), subjects, logs, strict=True):
            again = observe(runner, subject, options)
            if again.outcome == "ended" and again.exit_code == 0:
                texts.append(again.log)
            else:
                unlike.append(f"a second run of the {name} did otherwise ({_outcome(again)})")
        found = output_difference(*logs)
        if found is not None:
            verdict, reason = "different", found
            if unlike:
                verdict, remedy = "unknown", RAISE_START
                reason = f"{found}, but whether that varies by itself was not seen: {' and '.join(unlike)}"
    lines = [len(texts[0].splitlines()) for texts in logs]
    if max(lines) >= OUTPUT_LINES:
        if verdict == "different":
            verdict = "unknown"
        reason = f"only the last {OUTPUT_LINES} lines were compared" + (f": {reason}" if reason else "")
    return [
        check("exit code", first[0].exit_code, first[1].exit_code),
        Check("output", f"{lines[0]} lines", f"{lines[1]} lines", verdict, reason, remedy),
    ]


def _dead(before: Observed, after: Observed) -> list[Check]:
    errors = first_error(before.log), first_error(after.log)
    if before.exit_code == after.exit_code == KILLED:
        reason = "both were killed from outside, as for lack of memory"
        return [
            Check(
                "start",
                _outcome(before),
                _outcome(after),
                "unknown",
                reason,
                "raise --memory, or start them where there is more",
            )
        ]
    return [
        check("exit code", before.exit_code, after.exit_code),
        check("first error", *errors),
    ]


def _end(log: str) -> str:
    """The end of a log, without the frames of stack traces: a cause of a cause is forty lines apart from its effect."""
    return "\n".join(without_stacks(log)[-SHOWN_LOG_LINES:])


def _end_unless_up(seen: Observed) -> str | None:
    return None if _came_up(seen) else _end(seen.log)


def _came_up(seen: Observed) -> bool:
    return seen.outcome == "answered" and seen.works


def _figures(seen: Sequence[Observed]) -> Figures:
    """Of those that came up: how long another was waited for is no time of its own."""
    up = [each for each in seen if _came_up(each)]
    return Figures(
        tuple(each.seconds for each in up),
        tuple(each.memory_bytes for each in up if each.memory_bytes is not None),
    )
