"""The edits that write a split into the Dockerfile."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imgopt.dockerfile import Edit, Instruction, Span, writing
from imgopt.picture.runs import is_sh
from imgopt.plans.splitting.container import Obstacle
from imgopt.plans.splitting.project import Line, Project
from imgopt.plans.splitting.stage import Stage
from imgopt.text.quoting import quoted
from imgopt.users import ROOT_NAMES

if TYPE_CHECKING:
    from imgopt.picture import Picture

COMMENT = "# Added by imgopt: runs what the stage above builds; its tools, sources and downloads stay there"


def build_stage_name(picture: Picture, project: Project) -> str:
    """What the stage that builds is called: by its name when the final stage stands on it, else by a free one."""
    last = project.lines[project.last]
    if not last.own:
        return last.stage
    taken = {stage.name.lower() for stage in picture.stages} | {
        (stage.image or "").lower() for stage in picture.stages
    }
    for instruction in picture.document.instructions:
        flag = instruction.flag("from")
        taken.add((flag.value or "").lower() if flag is not None else "")
    names = ("build", "build-stage", *(f"build-{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)


def split_edits(picture: Picture, project: Project, stage: Stage, name: str, image: str) -> Iterator[Edit]:
    """``image``: as the author wrote it, or a name that is known."""
    final = picture.final.stage
    text = picture.document.text
    body = [row for line in stage.lines for row in (*_comments(picture, stage, line.instruction), line.text)]
    silences = _silences(picture, picture.final.root.stage.from_)
    platform = picture.final.root.stage.platform
    flag = f"{text[platform.span.start : platform.span.end]} " if platform is not None else ""
    last = project.lines[project.last]
    laid_out = _laid_out(picture, project, stage, last)
    root = picture.final.root.stage
    if root is not final:
        # no other fix changes what the build stands on: their turn is when the stage that runs has its own image
        yield Edit(root.image.span, root.image.text)
    if not last.own:
        # the final stage stands on the one that builds: it gets an image instead, and copies from there
        if final.platform is None and flag:
            yield Edit(Span(final.image.span.start, final.image.span.start), flag)
        yield Edit(final.image.span, image)
        if laid_out:
            yield _insert_behind(picture, last.instruction, laid_out)
        if silences:
            start = text.rfind("\n", 0, final.from_.span.start) + 1
            yield Edit(Span(start, start), "".join(row + picture.document.newline for row in silences))
        yield _insert_behind(picture, final.from_, body)
        return
    lower = text[final.from_.keyword_span.start].islower()
    from_, as_ = ("from", "as") if lower else ("FROM", "AS")
    head = f"{from_} {flag}{image}"
    if final.name is not None:
        # who builds with --target gets what that gave before
        own = final.from_.words[2]
        yield Edit(own.span, name)
        head += f" {as_} {own.text}"
        yield Edit(final.image.span, final.image.text)
    else:
        yield Edit(final.image.span, f"{final.image.text} {as_} {name}")
    yield _insert_behind(picture, last.instruction, [*laid_out, "", COMMENT, *silences, head, *body])
    for instruction in stage.moved:
        yield Edit(_whole_lines(picture, instruction), "")


def _laid_out(picture: Picture, project: Project, stage: Stage, last: Line) -> list[str]:
    """What lays out the directories, at the end of the build, that the stage that runs takes whole."""
    if not stage.handed_on:
        return []
    escape = picture.document.escape
    lower = picture.document.text[picture.final.stage.from_.keyword_span.start].islower()
    user, run = ("user", "run") if lower else ("USER", "RUN")
    shell = next(
        (
            line.instruction.json[0]
            for line in reversed(project.lines[: last.number + 1])
            if line.instruction.keyword == "SHELL" and line.instruction.json
        ),
        "/bin/sh",
    )
    if not is_sh(shell):
        raise Obstacle(
            "{} reads the RUN lines of the build, and what would be added to them is written for sh", shell
        )
    above = {directory: quoted(posixpath.dirname(there)) for directory, there in stage.handed_on.items()}
    steps = [f"mkdir -p {there} && cp -a {quoted(each)} {there}/" for each, there in above.items()]
    rows = writing.run(run, steps, escape)
    if last.user not in ROOT_NAMES:
        rows = [f"{user} root", *rows, *([] if last.own else [f"{user} {writing.word(last.user)}"])]
    return rows


def _insert_behind(picture: Picture, instruction: Instruction, rows: Sequence[str]) -> Edit:
    text, newline = picture.document.text, picture.document.newline
    end = text.find("\n", instruction.span.end)
    if end < 0:
        return Edit(Span(len(text), len(text)), newline + newline.join(rows))
    return Edit(Span(end + 1, end + 1), newline.join(rows) + newline)


def _comments(picture: Picture, stage: Stage, instruction: Instruction | None) -> list[str]:
    """The comments that go with a line: all of one that moves, orders to imgopt of one that is repeated."""
    if instruction is None:
        return []
    return (
        _comment_above(picture, instruction)
        if instruction in stage.moved
        else _silences(picture, instruction)
    )


def _silences(picture: Picture, instruction: Instruction) -> list[str]:
    """The comments that tell imgopt to leave an instruction alone."""
    before = max(
        (other.end_line for other in picture.document.instructions if other.line < instruction.line),
        default=0,
    )
    return [
        comment.text
        for comment in picture.document.comments
        if before < comment.line < instruction.line and re.match(r"#\s*imgopt:\s*ignore=", comment.text)
    ]


def _comment_above(picture: Picture, instruction: Instruction) -> list[str]:
    comments = {comment.line: comment.text for comment in picture.document.comments}
    found: list[str] = []
    line = instruction.line - 1
    while line in comments:
        found.insert(0, comments[line])
        line -= 1
    return found


def _whole_lines(picture: Picture, instruction: Instruction) -> Span:
    """An instruction with the comment above it, its line end, and the blank line that would be one too many."""
    text = picture.document.text
    starts = [0, *(match.end() for match in re.finditer(r"\n", text))]
    first = instruction.line - len(_comment_above(picture, instruction))
    start, end = starts[first - 1], text.find("\n", instruction.span.end) + 1
    blank = re.compile(r"[ \t\r]*\n")
    above = first > 1 and blank.fullmatch(text, starts[first - 2], start)
    below = blank.match(text, end)
    return Span(start, below.end() if above and below else end)
