"""What must hold for a Dockerfile, its context and the options of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import contexts
import dockerfile as buildkit
from fuzz_rewrites import wrong
from grammar import Sample

from imgopt.build_context.tree import open_context
from imgopt.dockerfile import Dockerfile, assignments, parse
from imgopt.errors import ImgoptError
from imgopt.options import Options
from imgopt.picture import Jars, take_picture
from imgopt.report import json, markdown, text
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport, Report
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES

_JARS = Jars()
_WEIGHER = Weigher(_JARS)
_KEPT = (
    "USER",
    "WORKDIR",
    "EXPOSE",
    "VOLUME",
    "LABEL",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ARG",
    "ONBUILD",
    "SHELL",
    "MAINTAINER",
)
_STARTS = ("ENTRYPOINT", "CMD")


def check_sample(sample: Sample) -> None:
    if sample.jars == "fitting":
        folder = contexts.fitting(sample.text)
    else:
        folder = contexts.context(sample.jars, sample.scripts, sample.ignore)
    for unsafe in (False, True):
        options = Options(
            context=folder,
            runtime=sample.runtime,  # type: ignore[arg-type]
            platform=sample.platform,
            spring_boot=sample.spring_boot,
            build_args=dict(sample.build_args),
            select=sample.select,
            unsafe=unsafe,
        )
        try:
            report = _look(folder, sample.text, options)
        except ImgoptError as error:
            assert error.exit_code != 70, error
            return
        _check_rewrite(sample.text, report, folder, options)


def _look(folder: Path, source: str, options: Options) -> FileReport:
    data = source.encode("utf-8", "surrogateescape")
    return report_file(str(folder / "Dockerfile"), data, options, ALL_RULES, _JARS, _WEIGHER)


def _check_rewrite(source: str, report: FileReport, folder: Path, options: Options) -> None:
    whole = Report((report,), (), "test", "2026-01-01")
    json.rendered(json.suggestions(whole))
    markdown.suggestions(whole)
    list(text.suggestions(whole, text.View(100, quiet=False, verbose=True, again=("Dockerfile",))))
    after, rules = report.rewrite.text, "+".join(report.rewrite.applied)
    if not report.rewrite.changed:
        assert after == source
        return

    def fail(kind: str, detail: str) -> None:
        raise wrong(f"{kind}-{rules}")(f"{detail}\n--- before\n{source}\n--- after\n{after}\n")

    if options.unsafe is False and report.rewrite.applicability != "safe":
        fail("not-safe", report.rewrite.applicability)
    if _accepted(source) and not _accepted(after):
        fail("refused-by-buildkit", _refusal(after) or "")
    try:
        again = _look(folder, after, options)
    except ImgoptError as error:
        fail("refused", str(error))
        return
    if again.rewrite.changed:
        fail(
            "not-final", f"rules of the second run: {again.rewrite.applied}\n--- second\n{again.rewrite.text}"
        )
    document, new = parse(source), parse(after)
    if "build-tools" in report.rewrite.applied:
        _check_split(document, new, folder, fail)
        return
    changed_start = "broken-layering" in report.rewrite.applied
    for keyword in (*_KEPT, *(() if changed_start else _STARTS)):
        here, there = _texts(document, keyword), _texts(new, keyword)
        own = keyword == "WORKDIR" and changed_start and len(there) > len(here)
        if own and "/application" in there:
            there.remove("/application")  # so that the root holds no application
        if here != there:
            fail(f"lost-{keyword}", f"{_texts(document, keyword)}\n{_texts(new, keyword)}")
    lost = _names(document) - _names(new)
    if lost:
        fail("lost-ENV", str(lost))
    inside = {line for each in document.instructions for line in range(each.line, each.end_line + 1)}
    comments = [comment.text for comment in document.comments if comment.line not in inside]
    left = [comment.text for comment in new.comments]
    kept = iter(left)
    if "layer-order" in report.rewrite.applied:  # a comment goes with its instruction
        if not Counter(comments) <= Counter(left):
            fail("lost-comment", str(comments))
    elif not all(comment in kept for comment in comments):
        fail("lost-comment", str(comments))
    if (
        (document.newline == "\r\n")
        and "\n" in after.replace("\r\n", "")
        and "\n" not in source.replace("\r\n", "")
    ):
        fail("mixed-line-ends", "")
    names = [stage.name for stage in document.stages if stage.name]
    if names != [stage.name for stage in new.stages if stage.name in names]:
        fail("stages", f"{names}\n{[stage.name for stage in new.stages]}")
    _check_sizes(report, fail)


def _check_split(
    document: Dockerfile, new: Dockerfile, folder: Path, fail: Callable[[str, str], None]
) -> None:
    """A stage that is split takes over what its own lines and those below it promise; lines that only the build
    needs, or that a later one replaces, stay behind."""
    pictures = [
        take_picture(each, open_context(folder, folder / "Dockerfile"), Options(), _JARS)
        for each in (document, new)
    ]
    before, after = (list(picture.final.instructions()) for picture in pictures)
    for keyword in ("USER", "STOPSIGNAL", "HEALTHCHECK", "SHELL", *_STARTS):
        texts = [[each.text for each in found if each.keyword == keyword] for found in (before, after)]
        if texts[0][-1:] != texts[1][-1:]:
            fail(f"lost-{keyword}", f"{texts[0]}\n{texts[1]}")
    if pictures[0].final.content.workdir != pictures[1].final.content.workdir:
        fail("lost-WORKDIR", "")
    for keyword in ("EXPOSE", "VOLUME", "LABEL", "ENV"):
        words = [
            {word.text for each in found if each.keyword == keyword for word in each.words}
            for found in (before, after)
        ]
        if not words[0] <= words[1]:
            fail(f"lost-{keyword}", str(words[0] - words[1]))
    comments = [{comment.text for comment in each.comments} for each in (document, new)]
    if not comments[0] <= comments[1]:
        fail("lost-comment", str(comments[0] - comments[1]))
    names = {stage.name for stage in document.stages} - {stage.name for stage in new.stages}
    if names:
        fail("stages", str(names))


def _check_sizes(report: FileReport, fail: object) -> None:
    prediction = report.prediction
    if prediction is None or not callable(fail):
        return
    for name in ("first_push", "next_push"):
        before, after = getattr(prediction.before, name), getattr(prediction.after, name)
        # a base that is still built may be larger than the one that no longer is
        if "retired-base" in report.rewrite.applied or not (before.complete and after.complete):
            continue
        if after.value > before.value * 1.02 + 100_000:
            fail(f"larger-{name}", f"{before.value} -> {after.value}")
    known = [
        each.value
        for image in (prediction.before, prediction.after)
        for each in (image.first_push, image.next_push)
    ]
    if any(value is not None and value < 0 for value in known):
        fail("negative", str(known))


def _refusal(source: str) -> str | None:
    try:
        buildkit.parse_string(source.replace("\r\n", "\n"))
    except buildkit.GoParseError as error:
        return str(error)
    return None


def _accepted(source: str) -> bool:
    return _refusal(source) is None


def _texts(document: Dockerfile, keyword: str) -> list[str]:
    return [each.text for each in document.stages[-1].instructions if each.keyword == keyword]


def _names(document: Dockerfile) -> set[str]:
    return {
        assignment.name
        for instruction in document.stages[-1].instructions
        if instruction.keyword == "ENV"
        for assignment in assignments(instruction)
    }
