"""The main job: Dockerfiles in, findings, rewrite and weights out. No engine, no network, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.dockerfile import Dockerfile, Instruction, expand, parse, scopes
from imgopt.dockerfile.faults import Fault, check_stages, first_fault, unseen_by_from
from imgopt.errors import DockerfileError
from imgopt.files.opening import read_file
from imgopt.finding import (
    Declined,
    Finding,
    Fix,
    Place,
    Reason,
    because,
    declined_with,
    finding_with,
    say,
)
from imgopt.light.records import replace
from imgopt.picture import Jars, Picture, take_picture
from imgopt.picture.paths import normal
from imgopt.plans.base import installed_java
from imgopt.plans.base.java_version import java_needed, java_running, too_old
from imgopt.plans.layers import layering
from imgopt.plans.layers.jarmode import layered_jar
from imgopt.rule import Rule
from imgopt.scales import Applicability
from imgopt.suggest.analyze import analyze, findings
from imgopt.suggest.facts import facts_of
from imgopt.suggest.result import FileReport, JavaInfo, RewriteResult, StageInfo
from imgopt.suggest.rewrite import rewrite
from imgopt.suggest.rounds import Rounds
from imgopt.suggest.savings import Course, Shown, Step, attributed, steps_of
from imgopt.suggest.sentence import sentence
from imgopt.suggest.unknown import unknowns
from imgopt.weigh.unbuilt import unbuilt
from imgopt.weigh.weights import LayerWeight, Prediction, Saving

if TYPE_CHECKING:
    from imgopt.build_context.tree import Context
    from imgopt.options import Options
    from imgopt.suggest.foreseen import Foreseen
    from imgopt.weigh.layers import Weigher

#: Larger files are no Dockerfiles; the parser refuses them, this only bounds what is read.
MAX_DOCKERFILE_BYTES = 4 * 1024 * 1024
#: Rounds that a rewrite may take to settle; two are common (fixes of the same lines), more never came up.
MOST_ROUNDS = 6
#: The rule whose fix makes a final stage that the other rules did not see before.
BUILD_TOOLS = "build-tools"
#: The rule whose finding says that there is no image, or none that starts: what the others say waits for its fix.
BROKEN = "broken-layering"


def read_dockerfile(path: Path) -> bytes:
    """A file's bytes, at most one more than a Dockerfile may have. DockerfileError when it cannot be read."""
    try:
        return read_file(path, MAX_DOCKERFILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DockerfileError(
            f"cannot be read ({reason})", "check the path and its permissions", path=str(path)
        ) from error


def report_file(
    path: str, data: bytes, options: Options, rules: Sequence[Rule], jars: Jars, weigher: Weigher
) -> FileReport:
    """Everything about one Dockerfile. Raises ImgoptError when it cannot be read or understood."""
    try:
        document = parse(data, path, strict_utf8=True)
    except DockerfileError as error:
        if b"{{" in data:
            error.hint = "it looks like a template ({{ }}): fill it in first, then ask again"
        from imgopt.files.meant import DOCKERFILE, meant

        other = meant(data[:4096], path)
        if other not in (None, DOCKERFILE):
            error.hint = other
        raise
    check_stages(document)
    context, note = open_context_of(document, options)
    picture = take_picture(document, context, options, jars)
    final = picture.final
    weigher.unbuilt = unbuilt(picture)
    said = analyze(picture, rules)
    level = Applicability.UNSAFE if options.unsafe else Applicability.SAFE
    unselected = _unselected(picture, rules)
    result, opened, course = _settled(picture, said, rules, level, unselected)
    broken = _apart(said)[0] or unselected
    shown = findings(broken if broken and course.start is not picture and not unselected else said)
    prediction = _prediction(course.start, result.text if result.changed else None, weigher)
    found = _as_it_stands(picture, shown, unselected)
    told: list[tuple[Finding, Saving | None]]
    pairs = [*map(Shown, found, shown), *opened]
    if course.start is not picture:  # what is mended first saves nothing that could be compared
        mends = [
            replace(each.finding, applied=BROKEN in result.applied)
            for each in pairs
            if each.said.rule == BROKEN
        ]
        pairs = [each for each in pairs if each.said.rule != BROKEN]
        told = [*((each, None) for each in mends), *attributed(pairs, course, weigher)]
    elif broken:
        told = [(each, None) for each in found]
    else:
        told = attributed(pairs, course, weigher)
    unknown = unknowns(picture)
    clear = not unknown and not any(_is_unseen(layer) for layer in prediction.before.layers)
    warnings = [*_warnings(picture), *map(sentence, unknown)]
    if weigher.unbuilt is not None:
        warnings.append(weigher.unbuilt.said)
    return FileReport(
        path=path,
        context=str(context.root) if context is not None else str(options.context or "."),
        context_note=note,
        platform=picture.platform,
        platforms=picture.pushed,
        built_for=options.built_for,
        stages=tuple(
            StageInfo(stage.stage.name, stage.image or stage.stage.image.text, stage is final)
            for stage in picture.stages
        ),
        java=_java(picture),
        findings=tuple(told),
        rewrite=result,
        prediction=prediction,
        original=document.text,
        warnings=tuple(warnings),
        good=_good(picture, found, result.not_applied, clear=clear),
        unknown=unknown,
        clear=clear,
        sized=weigher.unbuilt.said if weigher.unbuilt is not None else None,
        skipped=picture.ignored,
        base=picture.base,
        foreseen=_foreseen(picture, rules, said) if options.foresee else None,
    )


def _foreseen(picture: Picture, rules: Sequence[Rule], said: Sequence[Finding | Declined]) -> Foreseen:
    from imgopt.suggest.foreseen import foresee

    return foresee(picture, rules, said)


def _settled(
    picture: Picture,
    said: Sequence[Finding | Declined],
    rules: Sequence[Rule],
    level: Applicability,
    unselected: Sequence[Finding],
) -> tuple[RewriteResult, list[Shown], Course]:
    """The rewrite, and the rewrite of the rewrite, until nothing is left to do: of two fixes that touch the same
    lines the second has its turn when the first is in. So a rewritten file is never rewritten again.

    With it, what rules find in a stage that was split off and so was not there before, told of the final stage's FROM,
    because the lines it stands in are not the original's; and what they find in a file that was broken before. Last, the
    fixes one by one, from the picture that there can be an image of: the one that is given, or that of the mended file.
    """

    def unchanged() -> Course:
        left = findings(said)
        return Course(picture, (), left, _held(picture, said, rules, level), partial(_findings_of, rules))

    fault = first_fault(picture.document, picture.options.build_args)
    if fault is not None:
        return _unbuildable(picture, said, fault), [], unchanged()
    first = picture
    from_ = picture.final.stage.from_
    if unselected:
        return _waiting(picture, _unchanged(picture), unselected, said), [], unchanged()
    broken, others = _apart(said)
    result = _rewritten(picture, broken or said, level)
    if broken and not result.changed:
        return _waiting(picture, result, broken, others), [], unchanged()
    documents, edits = [picture.document], []
    later: list[tuple[Picture, tuple[Finding | Declined, ...], RewriteResult]] = []
    latest = result
    made = [(picture, said, result)]
    while latest.changed and len(later) < MOST_ROUNDS:
        edits.append(latest.edits)
        picture = picture.of_text(latest.text)
        documents.append(picture.document)
        now = analyze(picture, rules)
        again, others = _apart(now)
        latest = _rewritten(picture, again or now, level)
        if again and not latest.changed:
            latest = _waiting(picture, latest, again, others)
        later.append((picture, now, latest))
    made += later
    if latest.changed:
        edits.append(latest.edits)
        documents.append(picture.of_text(latest.text).document)
    rounds = Rounds(documents, edits)
    looked_at = [first, *(each for each, _, _ in later)]

    opened: list[Shown] = []
    spoke = {entry.rule for entry in said if not (isinstance(entry, Declined) and entry.solved_by)}
    waits = bool(broken)  # what the other rules say is told of the mended file
    for number, (_, now, latest) in enumerate(later, start=1):
        shown = partial(_shown_place, rounds, number)
        if waits:
            again, _ = _apart(now)
            waits = bool(again)
            line = partial(_shown_line, rounds, number, from_)
            new = again or findings(now)
            opened += [
                Shown(
                    replace(_later(finding, shown), line=line(finding.line), end_line=line(finding.end_line)),
                    finding,
                )
                for finding in new
            ]
            told = tuple(
                replace(declined_with(entry, shown), line=line(entry.line)) for entry in latest.not_applied
            )
            result = _joined(result, replace(latest, not_applied=told), now)
            spoke = {entry.rule for entry in now}
            said = now
            continue
        split = BUILD_TOOLS in result.applied
        if split:
            new = [entry for entry in findings(now) if entry.rule not in spoke]
        else:  # what had to wait until another fix made it possible changes the file, and is told
            before = {entry.rule for entry in (*findings(said), *(each.said for each in opened))}
            new = [
                entry for entry in findings(now) if entry.rule in latest.applied and entry.rule not in before
            ]
        opened += [
            Shown(replace(_later(finding, shown), line=from_.line, end_line=from_.end_line), finding)
            for finding in new
        ]
        if not split:
            result = _joined(result, replace(latest, not_applied=()), now)
            continue
        spoke |= {finding.rule for finding in new}
        told = tuple(replace(declined_with(entry, shown), line=from_.line) for entry in latest.not_applied)
        result = _joined(result, replace(latest, not_applied=told), now)
    if first.ignored is None:
        result = replace(result, rests_on=facts_of(looked_at, rules))
    return result, opened, _course(made, rounds, rules, level)


def _course(
    made: Sequence[tuple[Picture, Sequence[Finding | Declined], RewriteResult]],
    rounds: Rounds,
    rules: Sequence[Rule],
    level: Applicability,
) -> Course:
    """``made``: each round's file, what is said of it and its rewrite. It begins with the first file that makes an image."""
    begin = next((number for number, (_, said, _) in enumerate(made) if not _apart(said)[0]), len(made) - 1)
    steps = [
        step
        for number, (picture, _, result) in enumerate(made)
        if number >= begin
        for step in steps_of(
            picture, result, picture.of_text, partial(_shown_place, rounds, number), later=number > 0
        )
    ]
    last, said, result = made[-1]
    if result.changed:
        last = last.of_text(result.text)
        said = analyze(last, rules)
    held = _held(last, said, rules, level)
    return Course(made[begin][0], steps, findings(said), held, partial(_findings_of, rules))


def _held(
    picture: Picture, said: Sequence[Finding | Declined], rules: Sequence[Rule], level: Applicability
) -> list[Step]:
    """The fixes that wait for ``--unsafe``, as they would go in."""
    steps: list[Step] = []
    while level is not Applicability.UNSAFE and len(steps) < MOST_ROUNDS:
        result = _rewritten(picture, said, Applicability.UNSAFE)
        if not result.changed:
            break
        steps += steps_of(picture, result, picture.of_text)
        picture = picture.of_text(result.text)
        said = analyze(picture, rules)
    return steps


def _findings_of(rules: Sequence[Rule], picture: Picture) -> tuple[Finding, ...]:
    return findings(analyze(picture, rules))


def _apart(said: Iterable[Finding | Declined]) -> tuple[list[Finding], list[Finding | Declined]]:
    """What says that there is no image, or none that starts, and what the other rules say."""
    broken = [entry for entry in said if isinstance(entry, Finding) and entry.rule == BROKEN]
    return broken, [entry for entry in said if entry not in broken]


def _unselected(picture: Picture, rules: Iterable[Rule]) -> list[Finding]:
    """What says that there is no image, where others are asked for. Who silences it says that it is not so; who selects
    other rules says nothing of it."""
    options = picture.options
    if not options.select or BROKEN in options.select or picture.ignored is not None:
        return []
    everything = replace(picture, options=replace(options, select=()))
    asked = [rule for rule in rules if rule.id == BROKEN]
    return list(findings(analyze(everything, asked))) if asked else []


def _instruction_of(picture: Picture, finding: Finding) -> Instruction:
    there = (each for each in picture.document.instructions if each.line <= finding.line <= each.end_line)
    return next(there, picture.final.stage.from_)


def _waiting(
    picture: Picture, result: RewriteResult, broken: Sequence[Finding], others: Sequence[Finding | Declined]
) -> RewriteResult:
    """What the other rules would do waits until the file is mended."""
    why = because(
        "certain", "{} has to be fixed first (broken-layering)", _instruction_of(picture, broken[0])
    )
    rules = [entry for entry in others if isinstance(entry, Declined) or (entry.fix and entry.fix.applies)]
    declined = dict.fromkeys(Declined(entry.rule, entry.line, why) for entry in rules)
    return replace(result, not_applied=tuple(dict.fromkeys((*result.not_applied, *declined))))


def _later(finding: Finding, shown: Callable[[Place], Place]) -> Finding:
    """A finding of a later round as it is told of the original."""
    told = finding_with(finding, shown)
    return replace(told, fix=replace(told.fix, later=True) if told.fix is not None else None)


def _shown_place(rounds: Rounds, number: int, place: Place) -> Place:
    return rounds.shown(place, number)


def _shown_line(rounds: Rounds, number: int, otherwise: Instruction, line: int) -> int:
    """A line of a later text as one of the original."""
    instructions = rounds.documents[number].instructions
    there = next((each for each in instructions if each.line <= line <= each.end_line), None)
    place = rounds.shown(Place(there), number) if there is not None else None
    if place is None or place.text != "original" or there is None:
        return otherwise.line
    return place.instruction.line if line == there.line else place.instruction.end_line


def _as_it_stands(picture: Picture, found: Sequence[Finding], unselected: Sequence[Finding]) -> list[Finding]:
    """The findings, none of them with a fix where the file does not build, or not start: nothing is safe in it. What
    mends it keeps its own."""
    fault = first_fault(picture.document, picture.options.build_args)
    if fault is not None:
        why = say("fix {} first: the file does not build as it is", fault.instruction)
    elif broken := unselected or _apart(found)[0]:
        why = say(
            "fix {} first: there is no image, or none that starts, as it is",
            _instruction_of(picture, broken[0]),
        )
    else:
        return list(found)
    first = Fix(why, Applicability.MANUAL)
    return [
        replace(each, fix=first)
        if each.fix is not None
        and ((fault is None and each.rule != BROKEN) or (fault is not None and each.fix.applies))
        else each
        for each in found
    ]


def _unbuildable(picture: Picture, said: Sequence[Finding | Declined], fault: Fault) -> RewriteResult:
    why = _said_of(fault)
    rules = [entry for entry in said if isinstance(entry, Declined) or (entry.fix and entry.fix.applies)]
    declined = dict.fromkeys(Declined(entry.rule, fault.instruction.line, why) for entry in rules)
    return replace(_unchanged(picture), not_applied=tuple(declined))


def _unchanged(picture: Picture) -> RewriteResult:
    return RewriteResult(False, "safe", picture.document.text, ())


def _said_of(fault: Fault) -> Reason:
    return because("certain", "{} {}", fault.instruction, fault.reason)


def _rewritten(picture: Picture, said: Sequence[Finding | Declined], level: Applicability) -> RewriteResult:
    result = rewrite(picture.document, said, level)
    return _without_losses(picture, said, result) if result.changed else result


def _joined(first: RewriteResult, then: RewriteResult, now: Sequence[Finding | Declined]) -> RewriteResult:
    """Two rounds as one: what was declined, as far as the later round did not do it, and what only the later round
    came to decline. ``now`` is what was said before the later round: what a fix of the first one did not do for itself
    is told no more when its waste went with another fix."""
    waiting = {entry.rule for entry in now} - set(then.applied)
    unsettled = {
        entry.rule
        for entry in now
        if isinstance(entry, Declined) or entry.fix is None or not entry.fix.applies
    }
    applied = tuple(dict.fromkeys((*first.applied, *then.applied)))
    kept = [
        entry
        for entry in first.not_applied
        if (entry.why.kind not in ("contradicts", "needs-unsafe") or entry.rule in waiting)
        and entry.solved_by not in applied
        and (entry.rule not in then.applied or entry.rule in unsettled)
    ]
    settled = {entry.rule for entry in kept} | set(applied)
    new = [entry for entry in then.not_applied if entry.rule not in settled]
    return RewriteResult(
        changed=True,
        applicability=min(first.applicability, then.applicability, key=("unsafe", "safe").index),
        text=then.text if then.changed else first.text,
        not_applied=tuple(dict.fromkeys([*kept, *new])),
        applied=applied,
    )


def _without_losses(
    picture: Picture, said: Sequence[Finding | Declined], result: RewriteResult
) -> RewriteResult:
    """The last check before a rewrite is shown: every file that the final image is known to hold is still there,
    except those that a fix leaves out on purpose."""
    after = picture.of_text(result.text)
    left_out = {
        path
        for finding in findings(said)
        if finding.fix is not None and finding.rule in result.applied
        for path in finding.fix.leaves_out
    }
    lost = sorted(set(picture.final.content.files) - set(after.final.content.files) - left_out)
    if not lost:
        return result
    why = because("certain", "the rewrite would lose {}", lost[0])
    declined = tuple(Declined(rule, picture.final.stage.line, why) for rule in result.applied)
    return RewriteResult(False, "safe", picture.document.text, (*result.not_applied, *declined))


# the build context


def open_context_of(document: Dockerfile, options: Options) -> tuple[Context | None, str | None]:
    """The context, and a note when it is not the Dockerfile's own directory."""
    from imgopt.build_context.tree import find_context, open_context

    if options.context is not None:
        return open_context(options.context, Path(document.path)), None
    if document.path == "-":
        return open_context(Path(), Path("Dockerfile")), None
    dockerfile = Path(document.path)
    root = find_context(dockerfile, _sources(document, options))
    note = None
    if root.resolve() != dockerfile.parent.resolve():
        note = f"the files it copies are in {root}, taken as the build context"
    return open_context(root, dockerfile), note


def _sources(document: Dockerfile, options: Options) -> list[str]:
    """What COPY and ADD take from the context, with known variables filled in."""
    variables = scopes(document, options.build_args, options.platform or "linux/amd64")
    sources: list[str] = []
    for instruction, scope in zip(document.instructions, variables, strict=True):
        if (
            instruction.keyword not in ("COPY", "ADD")
            or instruction.flag("from") is not None
            or instruction.heredocs
        ):
            continue
        for word in instruction.words[:-1]:
            value = expand(word.text, scope, document.escape).value
            if value and "://" not in value and normal("/" + value) != "/":
                sources.append(value)
    return sources


# weights


def _prediction(picture: Picture, after_text: str | None, weigher: Weigher) -> Prediction:
    from imgopt.weigh.push import push_clients, push_times

    before = weigher.weigh(picture)
    after = weigher.weigh(picture.of_text(after_text)) if after_text is not None else before
    options = picture.options
    times = push_times(before, after, tuple(options.bandwidths), options.rtt_s)
    return Prediction(before, after, times, push_clients(before, after))


# what is known of the application


def _java(picture: Picture) -> JavaInfo | None:
    artifact = picture.artifact
    runs, needs = java_running(picture), java_needed(picture)
    info = JavaInfo(None, None, None, None, None, None, runs=runs, needs=needs)
    known = runs or needs
    info = replace(info, major=known.major if known is not None else None)
    if runs is not None:
        info = replace(info, source="base image" if picture.base.java_major else _how(picture))
    if artifact is None:
        layered = layered_jar(picture)
        if runs is None and layered is None:
            return None
        version = layered.spring_boot if layered else None
        source = layered.source if layered else info.source
        return replace(info, kind="spring-boot" if version else None, spring_boot=version, source=source)
    info = replace(info, artifact=" ".join(artifact.sources))
    jar = artifact.jar
    if jar is not None:
        return replace(
            info, kind=jar.kind, spring_boot=jar.spring_boot, start_class=jar.start_class, source="jar"
        )
    version = picture.options.spring_boot
    if version is not None:
        return replace(info, kind="spring-boot", spring_boot=version, source="option")
    facts = None if layering.plan(picture).layered else picture.build_facts
    if facts is not None:
        kind = "spring-boot" if facts.spring_boot else None
        return replace(info, kind=kind, spring_boot=facts.spring_boot, source=Path(facts.path).name)
    return info


def _how(picture: Picture) -> str:
    return installed_java.find(picture)[0].how


def _warnings(picture: Picture) -> Iterable[str]:
    for source in picture.options.built_for.unknown:
        taken = " and ".join(picture.platforms)
        yield f"{source} builds it for platforms that are not known here, so {taken} are taken; --platform says which"
    for each in picture.options.built_for.unlinked:
        yield f"{each}, and nothing here says whether it is this image, so that does not count; a build command or a Compose file that names the image would tell"
    yield from _start_warnings(picture)
    old = too_old(picture)
    if old is not None:
        yield sentence(old)
    artifact = picture.artifact
    if artifact is not None and artifact.file is not None:
        problem = picture.jars.problem(artifact.file)
        if problem is not None:
            yield str(problem)
        if artifact.jar is not None:
            yield from (f"{artifact.file}: {text}" for text in artifact.jar.problems)


def _start_warnings(picture: Picture) -> Iterable[str]:
    """Start commands that do not do what they look like."""
    fault = first_fault(picture.document, picture.options.build_args)
    if fault is not None:
        yield sentence(_said_of(fault))
    for stage in picture.document.stages:
        unseen = unseen_by_from(picture.document, stage, picture.scopes[stage.from_.number])
        if unseen is not None and (fault is None or fault.instruction is not stage.from_):
            yield f"line {stage.from_.line} takes its image from {stage.image.text}, {unseen}"
    for instruction in picture.start_commands:
        words = instruction.json
        if words is None:
            if instruction.text.lstrip().startswith("[") and instruction.text.rstrip().endswith("]"):
                yield (
                    f"line {instruction.line}: {instruction.keyword} looks like a JSON list but is not one, so a shell runs it "
                    "and finds no such command; check commas and double quotes"
                )
            continue
        if words and words[0].rsplit("/", 1)[-1] in ("java", "exec"):
            name = next((word for word in words[1:] if word.startswith("$")), None)
            if name is not None:
                yield (
                    f"line {instruction.line}: nothing expands {name} in the exec form; java gets the word as it stands. "
                    f'["sh", "-c", "exec java {name} ..."] would'
                )


def _is_unseen(layer: LayerWeight) -> bool:
    """A layer whose files rules would look at; what they say of a RUN they tell from its commands, and what a base holds
    is known by its name, or not (`unknowns`)."""
    return layer.compressed_bytes is None and not layer.from_base and not layer.instruction.startswith("RUN")


def _good(
    picture: Picture, found: Sequence[Finding], declined: Sequence[Declined], *, clear: bool
) -> str | None:
    if found or declined or picture.ignored is not None:
        return None
    if picture.base.kind == "jre" and layering.plan(picture).layered:
        return "runs on a JRE and is layered already"
    if picture.base.kind == "jre" and clear:
        return "runs on a JRE; nothing to gain was found"
    return None
