"""Do two images behave alike: their configs, and what they do when they are started one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from imgopt.answers import difference, first_error, output_difference, varies_wholly, without_stacks
from imgopt.checks import Check, Verdict, check
from imgopt.engines.engine import Runner
from imgopt.image_config import compare_configs
from imgopt.observing import JavaVersion, Observed, RunOptions, Subject, java_of, observe

KILLED = 137
#: A program that ends by itself runs a second time, to see what its output varies by itself, if it takes no longer.
SHORT_SECONDS = 60.0
SHOWN_LOG_LINES = 30


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
    """``ran``: both were started. ``notes``: sentences on how far the comparison went. ``before_log`` and
    ``after_log``: the end of what a container printed that ended when it should not."""

    checks: tuple[Check, ...]
    ran: bool = False
    before: Figures = Figures()
    after: Figures = Figures()
    notes: tuple[str, ...] = ()
    before_log: str | None = None
    after_log: str | None = None

    @property
    def alike(self) -> bool:
        """Nothing differs without a reason that is no fault."""
        return all(each.fine for each in self.checks)

    def as_json(self) -> dict[str, object]:
        return {
            "alike": self.alike,
            "ran": self.ran,
            "checks": [each.as_json() for each in self.checks],
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "notes": list(self.notes),
            "before_log": self.before_log,
            "after_log": self.after_log,
        }


def compare_at_rest(before: Mapping[str, object], after: Mapping[str, object]) -> Behaviour:
    """By the parsed configs alone, nothing is started (`--no-run`)."""
    return Behaviour(compare_configs(before, after), notes=("the images were not started",))


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
    tell("asking both images for their Java")
    checks = [
        *compare_configs(before.config, after.config),
        *_java(java_of(runner, before), java_of(runner, after)),
    ]
    tell("starting the original")
    first = observe(runner, before, options)
    tell("starting the rewrite")
    second = observe(runner, after, options)
    notes: list[str] = []
    logs: tuple[str | None, str | None] = (None, None)
    if first.outcome == second.outcome == "ended" and first.exit_code == second.exit_code == 0:
        tell("running both again, to see what varies by itself")
        checks += _outputs(runner, (before, after), (first, second), options)
    elif first.outcome == second.outcome == "ended":  # at least one of them because it failed
        checks += _dead(first, second)
        if first.exit_code:
            notes.append(
                "the original does not start here either: behaviour was compared as far as both go "
                "(exit code and first error)"
            )
        logs = _end(first.log), _end(second.log)
    elif first.outcome != second.outcome:
        checks.append(_start(first, second))
        logs = _end_unless_up(first), _end_unless_up(second)
    else:
        checks.append(_start(first, second))
        if first.outcome == "answered":
            checks += _answers(first, second)
        else:
            notes.append(f"neither answered: {first.by}; give --smoke URL or CMD, or a longer time")
            logs = _end(first.log), _end(second.log)
        checks.append(_stop(first, second, options.stop_seconds))
    seen = ([first], [second])
    if first.outcome == second.outcome == "answered":
        for run in range(1, options.runs):
            tell(f"starting both again ({run + 1} of {options.runs})")
            for subject, list_ in zip((before, after), seen, strict=True):
                list_.append(observe(runner, subject, options, answers=False))
    return Behaviour(tuple(checks), True, _figures(seen[0]), _figures(seen[1]), tuple(notes), *logs)


def _java(before: JavaVersion | None, after: JavaVersion | None) -> list[Check]:
    if before is None or after is None:
        texts = [f"{java.version} ({java.vendor})" if java else None for java in (before, after)]
        reason = "no java command was found in " + (
            "both images" if before is after is None else "the original" if before is None else "the rewrite"
        )
        return [Check("Java", texts[0], texts[1], "unknown", reason)]
    vendor: Verdict = "same" if before.vendor == after.vendor else "expected"
    version: Verdict = "same" if before.version == after.version else "expected"
    return [
        check("Java", before.major, after.major),
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
    same = before.outcome == after.outcome
    if same and before.outcome == "silent":
        return Check("start", texts[0], texts[1], "unknown", "neither answered")
    reason = None if same else f"the original: {texts[0]}; the rewrite: {texts[1]}"
    return Check("start", texts[0], texts[1], "same" if same else "different", reason)


def _outcome(seen: Observed) -> str:
    if seen.outcome == "ended":
        return f"{seen.by} with exit code {seen.exit_code}"
    return seen.by


def _answers(before: Observed, after: Observed) -> list[Check]:
    checks = []
    for name in dict.fromkeys((*before.answers, *after.answers)):
        ours, theirs = before.answers.get(name, ()), after.answers.get(name, ())
        label = f"answer: {name}"
        if not ours or not theirs:
            shown = [side[0].shown if side else "no answer" for side in (ours, theirs)]
            checks.append(Check(label, shown[0], shown[1], "different", "only one of them answered"))
            continue
        found = difference(ours, theirs)
        reason = found
        if found is None and (varies_wholly(ours) or varies_wholly(theirs)):
            reason = "the body is another one each time: only status and type were compared"
        checks.append(
            Check(label, ours[0].shown, theirs[0].shown, "same" if found is None else "different", reason)
        )
    if not checks:
        checks.append(Check("answers", None, None, "unknown", f"{before.by}, but nothing there speaks HTTP"))
    return checks


def _stop(before: Observed, after: Observed, granted: float) -> Check:
    def shown(seen: Observed) -> str:
        if seen.exit_code == KILLED:
            return f"killed after {granted:g} s"
        return f"exit code {seen.exit_code} after {seen.stop_seconds or 0:.1f} s"

    verdict: Verdict = "same"
    reason = None
    if before.exit_code != after.exit_code:
        verdict = "different"
        if before.exit_code == KILLED:
            verdict, reason = "expected", "better: the original had to be killed, the rewrite ends by itself"
        elif after.exit_code == KILLED:
            reason = "the rewrite does not end on its stop signal"
    elif before.exit_code == KILLED:
        reason = "neither ends on its stop signal"
    return Check("end on SIGTERM", shown(before), shown(after), verdict, reason)


def _outputs(
    runner: Runner, subjects: Sequence[Subject], first: Sequence[Observed], options: RunOptions
) -> list[Check]:
    """Of programs that end by themselves with 0, as batch jobs do."""
    logs = [[seen.log] for seen in first]
    for subject, seen, texts in zip(subjects, first, logs, strict=True):
        if seen.seconds <= SHORT_SECONDS:
            again = observe(runner, subject, options)
            if again.outcome == "ended" and again.exit_code == 0:
                texts.append(again.log)
    found = output_difference(*logs)
    lines = [len(texts[0].splitlines()) for texts in logs]
    return [
        check("exit code", first[0].exit_code, first[1].exit_code),
        Check(
            "output",
            f"{lines[0]} lines",
            f"{lines[1]} lines",
            "same" if found is None else "different",
            found,
        ),
    ]


def _dead(before: Observed, after: Observed) -> list[Check]:
    errors = first_error(before.log), first_error(after.log)
    return [
        check("exit code", before.exit_code, after.exit_code),
        check("first error", *errors),
    ]


def _end(log: str) -> str:
    """The end of a log, without the frames of stack traces: a cause of a cause is forty lines apart from its effect."""
    return "\n".join(without_stacks(log)[-SHOWN_LOG_LINES:])


def _end_unless_up(seen: Observed) -> str | None:
    return None if seen.outcome == "answered" else _end(seen.log)


def _figures(seen: Sequence[Observed]) -> Figures:
    answered = [each for each in seen if each.outcome == "answered"]
    return Figures(
        tuple(each.seconds for each in answered),
        tuple(each.memory_bytes for each in answered if each.memory_bytes is not None),
    )
