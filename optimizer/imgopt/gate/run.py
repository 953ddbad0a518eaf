"""Targets in, verdicts out: opens each image (or asks suggest for a Dockerfile), and judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ConfigError, ImgoptError, MeasureError, UsageError
from imgopt.gate import baseline as kept
from imgopt.gate.budgets import RATCHET, RATCHET_SOURCE, BudgetTable, Limit, limits_for
from imgopt.gate.judge import NEED_CONTENTS, ONLY_BUILT, Judged, Pushed, Verdict, judge
from imgopt.gate.subject import Subject, image_name, of_dockerfile, of_image
from imgopt.gate.tables import belonging, unfit
from imgopt.light.records import dataclass, field, replace
from imgopt.suggest.result import FileReport
from imgopt.users import uid_of

if TYPE_CHECKING:
    from imgopt.images.model import Image
    from imgopt.registry.client import Access


@dataclass(frozen=True, slots=True)
class Rules:
    """What the images are held against. ``given`` are the command line's limits, which win over ``tables``.

    ``baseline`` is the file's path, None where there is none; ``slowest`` bytes a second for budgets of time,
    ``rtt_s`` seconds of a round trip to the registry; ``access`` how images in a registry are reached;
    ``directory`` is the repository's, where the configuration lies.
    """

    tables: Sequence[BudgetTable] = ()
    given: Sequence[Limit] = ()
    baseline: str | None = None
    slowest: int = 500_000
    rtt_s: float = 0.0
    platform: str | None = None
    access: Access | None = None
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class GateReport:
    """``errors``: targets that could not be looked at at all. ``stale``: entries of the baseline that no target of
    this run stands for. ``updated``: what an update of the baseline did."""

    verdicts: tuple[Verdict, ...]
    errors: tuple[ImgoptError, ...]
    baseline: str | None = None
    stale: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return bool(self.verdicts) and not self.errors and all(each.passed for each in self.verdicts)

    @property
    def exit_code(self) -> int:
        """1 where a budget is broken, 3 where one could not be measured, the errors' own; the highest wins."""
        codes = [error.exit_code for error in self.errors]
        codes += [3 for each in self.verdicts if each.unmeasured]
        codes += [1 for each in self.verdicts if each.broken]
        return max(codes, default=0)


def named(target: str) -> tuple[str | None, str]:
    """``NAME=TARGET`` split; a path that exists stays whole."""
    name, equals, rest = target.partition("=")
    if not equals or not name or not rest or "://" in name or _exists(target):
        return None, target
    return name, rest


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def gate_images(
    targets: Sequence[str],
    rules: Rules,
    *,
    record: bool = False,
    progress: Callable[[str], None] | None = None,
) -> GateReport:
    """Judges images. ``record``: their contents will go into the baseline, so layers are read whatever is judged.

    An image that cannot be had becomes an error of the report; the others are still judged.
    """
    from imgopt.inspection.target import look_at_all

    baseline = kept.load(rules.baseline) if rules.baseline is not None else {}
    verdicts: list[Verdict] = []
    errors: list[ImgoptError] = []
    unseen: list[str] = []
    for each in targets:
        name, target = named(each)
        try:
            found = look_at_all(
                target,
                rules.platform,
                download=lambda image: record or _needs_contents(rules, image),
                access=rules.access,
                progress=progress,
            )
            subjects = [kept.named_in(baseline, of_image(platform, name)) for platform in found]
            verdicts += _judged_together(subjects, rules, baseline)
        except UsageError:
            raise
        except ImgoptError as error:
            if error.path is None:
                error.path = target
            errors.append(error)
            unseen += [name] if name is not None else [target, image_name(target, target)]
    mistakes, notes = _unfit(rules, baseline, verdicts, unseen)
    return GateReport(
        tuple(verdicts),
        (*errors, *mistakes),
        rules.baseline,
        _stale(baseline, verdicts),
        notes=tuple(notes),
    )


def _unfit(
    rules: Rules, baseline: kept.Baseline, verdicts: Sequence[Verdict], unseen: Sequence[str]
) -> tuple[list[ConfigError], list[str]]:
    belongs = belonging(rules.directory, list(baseline))
    return unfit(rules.tables, [verdict.subject for verdict in verdicts], unseen, belongs)


def _judged_together(subjects: Sequence[Subject], rules: Rules, baseline: kept.Baseline) -> list[Verdict]:
    """The platforms of one target: a push sends all of them."""
    pushed = tuple((subject, baseline.get(subject.name)) for subject in subjects)
    return [_judged(subject, rules, baseline, pushed) for subject in subjects]


def gate_dockerfiles(
    reports: Sequence[tuple[str | None, FileReport]], errors: Sequence[ImgoptError], rules: Rules
) -> GateReport:
    """Judges what Dockerfiles would make, each with the name that the user gave it."""
    baseline = kept.load(rules.baseline) if rules.baseline is not None else {}
    notes = []
    for _, report in reports:
        if report.skipped is not None:
            reason = f": {report.skipped}" if report.skipped else ""
            notes.append(f"{report.path} is skipped by # imgopt: ignore-file{reason}, and was not judged")
    if notes and len(notes) == len(reports):
        errors = [
            *errors,
            *(MeasureError(each, "take the comment out, or leave the gate away") for each in notes),
        ]
        notes = []
    verdicts = [
        _judged(kept.named_in(baseline, of_dockerfile(report, name)), rules, baseline)
        for name, report in reports
        if report.skipped is None
    ]
    stale = _stale(baseline, verdicts)
    mistakes, told = _unfit(rules, baseline, verdicts, ())
    return GateReport(tuple(verdicts), (*errors, *mistakes), rules.baseline, stale, notes=(*notes, *told))


def _needs_contents(rules: Rules, image: Image) -> bool:
    limits = [*rules.given, *(limit for table in rules.tables for limit in table.limits)]
    names = {
        limit.name
        for limit in limits
        if limit.name in NEED_CONTENTS
        and not (limit.name == "forbid" and limit.value == ("root-user",) and _says_its_user(image))
    }
    return bool(names - ({"max-next-push"} if rules.baseline is not None else set()))


def _says_its_user(image: Image) -> bool:
    """A number needs no look into the image's /etc/passwd."""
    config = image.config.get("config")
    user = config.get("User") if isinstance(config, dict) else None
    return user is None or (isinstance(user, str) and uid_of(user, None)[0] is not None)


def _judged(subject: Subject, rules: Rules, baseline: kept.Baseline, pushed: Pushed | None = None) -> Verdict:
    entry = baseline.get(subject.name)
    # an empty `forbid` takes back an earlier table's, and judges nothing
    limits = [limit for limit in limits_for(subject.names, rules.tables, rules.given) if limit.value != ()]
    if rules.baseline is not None and not any(limit.name == "max-growth" for limit in limits):
        limits.append(Limit("max-growth", RATCHET, "growth", RATCHET_SOURCE))
    skipped: list[Limit] = []
    if subject.predicted:
        for limit in [*limits]:
            needs_more = limit.name in ONLY_BUILT or (limit.name == "max-growth" and entry is None)
            if needs_more and limit.source.startswith("--"):
                raise UsageError(
                    f"{limit.source} judges a built image", "leave --predict away, or the budget"
                )
            if needs_more:
                limits.remove(limit)
                skipped.append(limit)
    if not limits and skipped:
        names = ", ".join(limit.name for limit in skipped)
        raise UsageError(
            f"of {subject.target} nothing can be judged before it is built ({names})",
            "give another budget too (--max-size 200MB), or leave --predict away",
        )
    if not limits:
        raise UsageError(
            f"no budget applies to {subject.target}",
            "give one (--max-size 200MB), or write [budgets] in imgopt.toml",
        )
    judged = judge(subject, limits, entry, rules.slowest, rules.rtt_s, rules.baseline, pushed)
    return replace(judged, skipped=tuple(skipped))


def _stale(baseline: kept.Baseline, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    names = {verdict.subject.name for verdict in verdicts}
    return tuple(sorted(name for name in baseline if name not in names))


def record(
    report: GateReport, rules: Rules, accept: Mapping[str, str], date: str, data: bytes | None
) -> tuple[GateReport, bytes]:
    """The report as it is after the baseline, which holds ``data`` now, was updated, and the new file's bytes."""
    assert rules.baseline is not None
    old = kept.parsed(data, rules.baseline)
    names = [verdict.subject.name for verdict in report.verdicts]
    for verdict in report.verdicts:
        if names.count(verdict.subject.name) > 1:
            raise UsageError(
                f"two of the images are called {verdict.subject.name}, and the baseline has one entry for them",
                "name one of them, as NAME=TARGET, or record them one after the other",
            )
    judged = [(verdict.subject, _within(verdict)) for verdict in report.verdicts]
    new, said = kept.updated(old, judged, accept, date)
    entries = {verdict.subject.name: _for_judging(verdict, old, new) for verdict in report.verdicts}
    verdicts = []
    for verdict in report.verdicts:
        subject = verdict.subject
        pushed = tuple(
            (each.subject, entries[each.subject.name].get(each.subject.name))
            for each in report.verdicts
            if each.subject.target == subject.target
        )
        verdicts.append(_judged(subject, rules, entries[subject.name], pushed))
    return replace(report, verdicts=tuple(verdicts), updated=tuple(said)), kept.rendered(new)


def _for_judging(verdict: Verdict, old: kept.Baseline, new: kept.Baseline) -> kept.Baseline:
    """The next push goes on top of the release that was recorded before; growth is judged by the new limit."""
    name = verdict.subject.name
    before, after = old.get(name), new.get(name)
    if after is None:
        return {}
    if before is None:  # against its own layers every image would push nothing
        return {name: replace(after, layers=())}
    return {name: replace(before, compressed_bytes=max(before.compressed_bytes, after.compressed_bytes))}


def _within(verdict: Verdict) -> bool:
    found: list[Judged] = [each for each in verdict.budgets if each.limit.name == "max-growth"]
    return all(each.passed for each in found)
