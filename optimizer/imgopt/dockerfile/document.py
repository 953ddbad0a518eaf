"""The document: a Dockerfile's text and what its instructions say, each part with its place in the text.

Nothing here changes text; `imgopt.dockerfile.edits` does. All offsets are character offsets into
``Dockerfile.text``; all lines count from 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Literal

from imgopt.light.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of ``Dockerfile.text``; ``end`` is not part of it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    """An argument as the builder sees it before variables are expanded: quotes kept, line breaks gone."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Flag:
    """``--name=value``, quotes and escapes removed as BuildKit removes them.

    BuildKit reads flags byte by byte, so a value that is not ASCII comes out garbled in a build; ``value``
    is what the build sees. ``value`` and ``value_span`` are None where there is no ``=``.
    """

    name: str
    value: str | None
    span: Span
    value_span: Span | None


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document. ``body`` stands as in the file: tabs not stripped, line ends kept, no closing line.

    ``expand`` is False when the tag was quoted: then nothing in the body is expanded.
    """

    tag: str
    strip_tabs: bool
    expand: bool
    body: str
    body_span: Span


@dataclass(frozen=True, slots=True)
class JoinedLines:
    """A text put together from pieces of the source: piece i begins at ``starts[i]`` in the text
    and at ``offsets[i]`` in the source.
    """

    text: str
    starts: tuple[int, ...]
    offsets: tuple[int, ...]

    def offset(self, at: int) -> int:
        """Where the character ``at`` of the text stands in the source."""
        piece = bisect_right(self.starts, at) - 1 if len(self.starts) > 1 else 0
        return self.offsets[piece] + at - self.starts[piece]

    def span(self, start: int, end: int) -> Span:
        """The source from the first to the last character of ``text[start:end]``."""
        if start < end:
            return Span(self.offset(start), self.offset(end - 1) + 1)
        at = self.offset(start - 1) + 1 if start else self.offset(0)
        return Span(at, at)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, read as BuildKit reads it.

    ``text`` is the logical argument text after the flags. ``words`` holds one Word per element of the JSON
    form, per argument of an instruction whose arguments are split at white space, per ``name=value`` of ENV,
    LABEL and ARG (two, name and value, in the old form ``ENV name value``), and one Word with the whole text
    for the shell form of RUN, CMD and ENTRYPOINT and for USER, WORKDIR, STOPSIGNAL, MAINTAINER and ONBUILD.
    HEALTHCHECK's first Word is its type, CMD or NONE. ``json`` is None in the shell form.
    A here-document of an ONBUILD is listed by the ONBUILD and by its ``trigger``.
    ``number`` is its place in ``Dockerfile.instructions``, from 0; a trigger has that of its ONBUILD.
    ``line`` is the first line BuildKit counts to the instruction: a lone continuation character may stand
    on it above the keyword.
    """

    number: int
    keyword: str
    keyword_span: Span
    span: Span
    line: int
    end_line: int
    flags: tuple[Flag, ...]
    text: str
    text_span: Span
    json: tuple[str, ...] | None
    words: tuple[Word, ...]
    heredocs: tuple[Heredoc, ...]
    trigger: Instruction | None
    _joined: JoinedLines = field(repr=False, compare=False)
    _text_at: int = field(repr=False, compare=False)
    _old_form: bool = field(repr=False, compare=False)  # ENV name value

    def flag(self, name: str) -> Flag | None:
        """The last flag of that name, without its dashes: the builder takes the last one, too."""
        for flag in reversed(self.flags):
            if flag.name == name:
                return flag
        return None

    def source_span(self, start: int, end: int) -> Span:
        """Where ``text[start:end]`` stands in the source.

        The span includes what lies between, were it a line break or a comment. An empty range gives the
        empty span behind the character before it. ValueError when the offsets are not inside ``text``.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(
                f"{start}..{end} is not inside the {len(self.text)} characters of the instruction"
            )
        if start == end == 0:
            return Span(self.text_span.start, self.text_span.start)
        return self._joined.span(self._text_at + start, self._text_at + end)


@dataclass(frozen=True, slots=True)
class Stage:
    """FROM and what follows it. ``name`` is in lower case, because builders compare stage names so;
    ``image`` is the reference as written; ``instructions`` does not hold the FROM itself.
    """

    index: int
    name: str | None
    from_: Instruction
    image: Word
    platform: Flag | None
    instructions: tuple[Instruction, ...]

    @property
    def line(self) -> int:
        return self.from_.line

    @property
    def end_line(self) -> int:
        return (self.instructions[-1] if self.instructions else self.from_).end_line


@dataclass(frozen=True, slots=True)
class Comment:
    """A whole-line comment, from its ``#`` to the last visible character; no parser directive."""

    line: int
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole file. ``text`` is the file decoded (bytes that are no UTF-8 as lone surrogates, a byte order
    mark kept), so that spans, edits and `render` need nothing else.

    ``directives`` has the parser directives by lower-case name (syntax, escape, check), and
    ``directives_end`` is the offset behind the last of them: no line may be put in front of it.
    """

    path: str
    text: str
    newline: Literal["\n", "\r\n"]
    bom: bool
    escape: Literal["\\", "`"]
    directives: Mapping[str, str]
    directives_end: int
    instructions: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    global_args: tuple[Instruction, ...]
    comments: tuple[Comment, ...]

    def render(self) -> bytes:
        """The bytes this document was parsed from."""
        return self.text.encode("utf-8", "surrogateescape")

    def stage(self, reference: str, before: int | None = None) -> Stage | None:
        """The stage that ``COPY --from=reference`` (a name in any case, or an index) means.

        Of two stages with one name the later counts; ``before`` leaves out the stage with that index and
        all after it, as a builder does for what that stage refers to.
        """
        known = self.stages[:before]
        for stage in reversed(known):
            if stage.name == reference.lower():
                return stage
        # int() would take signs, underscores and other scripts' digits
        if (
            reference.isascii()
            and reference.isdigit()
            and len(reference) < 10
            and int(reference) < len(known)
        ):
            return known[int(reference)]
        return None
