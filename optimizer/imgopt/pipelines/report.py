"""A CI file in, its findings out, in the shape that `suggest` gives every file."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.bandwidths import DEFAULT_PROFILE, of_registry
from imgopt.errors import InputError
from imgopt.finding import Finding, Waste, say
from imgopt.light.records import replace
from imgopt.options import DEFAULT_BANDWIDTH_SOURCE, Options
from imgopt.pipelines.around import Around
from imgopt.pipelines.checkout import content
from imgopt.pipelines.model import (
    SYSTEM_NAMES,
    Action,
    Pipeline,
    Place,
    Push,
    Rules,
    Step,
    System,
    Text,
    flags_set,
    images_named,
    silences,
)
from imgopt.pipelines.recipes import Recipes, repository_of
from imgopt.pipelines.registries import registry_of
from imgopt.pipelines.scripts import Found, find
from imgopt.pipelines.tools import ROOT, Arg
from imgopt.pipelines.versions import PRESERVES_BASE
from imgopt.pipelines.wording import reasons
from imgopt.rule import Rule
from imgopt.suggest.result import FileReport, PipelinePush, PipelineSummary, RewriteResult
from imgopt.weigh.weights import Saving

if TYPE_CHECKING:
    from imgopt.picture import Jars
    from imgopt.pipelines.platforms import Commands
    from imgopt.pipelines.rule import PipelineRule
    from imgopt.weigh.layers import Weigher

_CUT = "there is more in it than was looked at"
#: Real ones have some kilobytes, rarely a hundred.
MAX_BYTES = 400_000


def report_pipeline(
    path: Path,
    data: bytes,
    system: System,
    options: Options,
    rules: Sequence[PipelineRule],
    dockerfile_rules: Sequence[Rule],
    jars: Jars,
    weigher: Weigher,
    commands: Commands,
    *,
    named: bool,
) -> FileReport | None:
    """Everything about one CI file; None when it holds nothing that can be judged and is not `named` itself.

    InputError when it is too large or no YAML.
    """
    from imgopt.suggest.dockerfile import read_dockerfile, report_file

    def weigh(name: str, content: bytes, how: Options) -> FileReport:
        return report_file(name, content, how, dockerfile_rules, jars, weigher)

    # which rules may speak of a Dockerfile does not change what its rewrite would push
    weighing = replace(
        options, select=(), ignore=tuple(i for i in options.ignore if i not in {r.id for r in rules})
    )
    recipes = Recipes(
        options.root or repository_of(path), weighing, read_dockerfile, weigh, commands.built_for
    )
    given = (
        options.bandwidth_source != DEFAULT_BANDWIDTH_SOURCE or options.bandwidths != DEFAULT_PROFILE.rates
    )
    pipeline = read_pipeline(path, data, system, recipes, options.bandwidths, given=given)
    if not pipeline.judged and not named:
        return None
    found = [] if pipeline.ignored is not None else judged(pipeline, rules, options)
    text = data.decode("utf-8", "surrogateescape")
    summary = _summary(pipeline, found, text)
    return FileReport(
        path=str(path),
        context=str(recipes.root),
        context_note=None,
        platform=options.platform or "linux/amd64",
        stages=(),
        java=None,
        findings=tuple((finding, _saving(finding)) for finding in found),
        rewrite=RewriteResult(False, "safe", text, ()),
        prediction=None,
        original=text,
        warnings=tuple(_warnings(pipeline)),
        good=None if found else _good(pipeline),
        clear=not summary.unjudged and not lacking(pipeline),
        skipped=pipeline.ignored,
        pipeline=summary,
    )


def read_pipeline(
    path: Path,
    data: bytes,
    system: System,
    recipes: Recipes,
    bandwidths: tuple[int, ...],
    *,
    given: bool = True,
) -> Pipeline:
    """Reads a CI file and what it builds. ``given``: somebody said the rates. InputError when it is too large or no YAML."""
    from imgopt.pipelines import github, gitlab, jenkins

    if len(data) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES:,} bytes", "no CI file is", path=str(path))
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    lacking: tuple[tuple[tuple[int, int], str], ...] = ()
    steps: Sequence[Step | Action | Rules]
    found: Found | None = None
    around = Around(partial(content, recipes.root))
    if system == "jenkins":
        said = jenkins.read(text, around.file)
        steps, images, cut, lacking = said.steps, said.images, said.cut, said.lacking
    elif system == "gitlab":
        steps, images, cut = gitlab.read(text, str(path), around)
    elif system in ("script", "make"):
        steps, found = _alone(path, text, system, recipes)
        images, cut = [], False
    else:
        steps, images, cut = github.read(text, str(path), around)
    lacking = (*lacking, *around.lacking)
    flags = flags_set(text)
    if found is None:
        found = find(steps, recipes, keeps_base=PRESERVES_BASE in flags)
    spoken, ignored = silences(text)
    rates = None if given else _rates(found.pushes)
    return Pipeline(
        system,
        str(path),
        tuple(steps),
        tuple(images),
        found.builds,
        found.pushes,
        rates or bandwidths,
        spoken,
        ignored,
        cut or found.cut,
        found.emptied,
        flags,
        lacking,
        given,
        not given and rates is None,
        found.unfollowed,
        images_named(text),
    )


def _alone(
    path: Path, text: str, system: System, recipes: Recipes
) -> tuple[list[Step | Action | Rules], Found]:
    """A script or a Makefile as the one step that it is. make is run where its file lies; a script from there or from the
    repository's own directory: from where its Dockerfiles are found."""
    try:
        relative = path.absolute().relative_to(recipes.root.absolute()).as_posix()
    except ValueError:
        relative = path.name
    whole, folder = Text.whole(text), posixpath.dirname(relative)
    spans = ((1, text.count("\n") + 1),)
    zero = Arg(f"{ROOT}/{relative}", f"{ROOT}/{relative}")
    keeps_base = PRESERVES_BASE in flags_set(text)
    tried: list[tuple[list[Step | Action | Rules], Found]] = []
    for directory in (folder,) if system == "make" or not folder else ("", folder):
        place = Place(directory=directory)
        step = Rules(whole, spans, place, path.name) if system == "make" else Step(whole, spans, place, zero)
        tried.append(([step], find([step], recipes, keeps_base=keeps_base)))
    return max(tried, key=lambda each: sum(build.recipe.path is not None for build in each[1].builds))


def judged(pipeline: Pipeline, rules: Sequence[PipelineRule], options: Options) -> list[Finding]:
    """What the rules say, in their order, without what a comment or an option silences, each line once."""
    found: dict[tuple[str, int], Finding] = {}
    more: Counter[tuple[str, int]] = Counter()
    for rule in rules:
        if (options.select and rule.id not in options.select) or rule.id in options.ignore:
            continue
        for finding in rule(pipeline):
            if not pipeline.active(rule.id, finding.line):
                continue
            key = (finding.rule, finding.line)
            if key in found:  # a loop or a matrix: one line, several images
                more[key] += 1
                found[key] = replace(found[key], waste=_together(found[key].waste, finding.waste))
            else:
                found[key] = finding
    return [
        replace(each, message=say("{}; the same for {} more", each.message, more[key])) if more[key] else each
        for key, each in found.items()
    ]


def _together(one: Waste | None, other: Waste | None) -> Waste | None:
    if one is None or other is None or one.next_push_bytes is None or other.next_push_bytes is None:
        return None
    return replace(one, next_push_bytes=one.next_push_bytes + other.next_push_bytes)


def _saving(finding: Finding) -> Saving | None:
    waste = finding.waste
    return None if waste is None else Saving(waste.first_push_bytes, waste.next_push_bytes, waste.basis)


def _rates(pushes: Sequence[Push]) -> tuple[int, ...] | None:
    """Of the registry that all of them go to, where its rate is known."""
    profiles = {of_registry(registry_of(push.target)) if push.target else None for push in pushes}
    found = next(iter(profiles), None)
    return found.rates if found is not None and len(profiles) == 1 else None


def _warnings(pipeline: Pipeline) -> list[str]:
    return [*([_CUT] if pipeline.cut else []), *lacking(pipeline)]


def lacking(pipeline: Pipeline) -> list[str]:
    """What is not known of the steps whose pushes are not told, or not all of them, and of the whole file."""
    pushes = [push for push in pipeline.pushes if push.recipe.path is None or push.place.repeated]
    found = {
        sentence: None
        for (start, end), sentence in pipeline.lacking
        if not end or any(start <= push.line <= end for push in pushes)
    }
    return list(found)


def _unfollowed(pipeline: Pipeline) -> tuple[tuple[str, int], ...]:
    """What may build or push and is not looked into, by name."""
    lines: dict[str, list[int]] = {}
    for each in pipeline.unfollowed:
        lines.setdefault(f"{each.what} is not followed: {each.why}", []).append(each.line)
    return tuple((f"{told} (line {found[0]})", len(found)) for told, found in lines.items())


def _without_a_rate(pipeline: Pipeline) -> tuple[tuple[str, int], ...]:
    """Where limits stand around pushes whose rate nobody gave."""
    limited = [push for push in pipeline.pushes if push.place.timeouts and pipeline.rate(push) is None]
    if not limited:
        return ()
    hosts = dict.fromkeys(registry_of(push.target) if push.target else "a registry" for push in limited)
    where = " and ".join(hosts)
    return (
        (
            f"how fast a push to {where} is, which its time limit depends on: give it with --bandwidth RATE",
            len(limited),
        ),
    )


def _summary(pipeline: Pipeline, found: Sequence[Finding], text: str) -> PipelineSummary:
    from imgopt.pipelines.release import release_of
    from imgopt.pipelines.sending import beside, each_release, first_push

    pushes = []
    for push in pipeline.pushes:
        first, following = first_push(push), each_release(push)
        limits = [timeout.seconds for timeout in push.place.timeouts]
        pushes.append(
            PipelinePush(
                line=push.line,
                tool=push.tool,
                dockerfile=push.recipe.path,
                unknown=push.recipe.why or push.recipe.unseen,
                first_push=first,
                next_push=following,
                timeout_s=min(limits) if limits else None,
                at_once=sum(beside(push.place, other.place) for other in pipeline.pushes),
                platforms=push.recipe.platforms,
                image=push.target,
            )
        )
    release = release_of(pipeline, found, text) if pipeline.ignored is None else None
    return PipelineSummary(SYSTEM_NAMES[pipeline.system], tuple(pushes), release, _unjudged(pipeline))


def _unjudged(pipeline: Pipeline) -> tuple[tuple[str, int], ...]:
    """Of what the rules would have had to know: no silence of theirs is an all-clear there."""
    recipes = [push.recipe for push in pipeline.pushes]
    recipes += [
        build.recipe for build in pipeline.builds if not any(p.build is build for p in pipeline.pushes)
    ]
    return (
        *reasons(recipes),
        *_without_a_rate(pipeline),
        *_unfollowed(pipeline),
        *(((_CUT, 1),) if pipeline.cut else ()),
    )


def _good(pipeline: Pipeline) -> str | None:
    """Only where everything that it pushes is known nothing is to be saved."""
    if not pipeline.judged and (pipeline.lacking or pipeline.unfollowed or pipeline.cut):
        return None  # what it builds or pushes is not known: the warnings say why
    if not pipeline.judged:
        return "nothing in it builds or pushes an image"
    return None if _unjudged(pipeline) or lacking(pipeline) else "nothing to save was found"
