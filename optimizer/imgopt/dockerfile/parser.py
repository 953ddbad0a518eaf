"""Text -> document, as BuildKit 0.34 reads it (frontend/dockerfile/parser)."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Literal, cast

from imgopt.dockerfile.document import (
    Comment,
    Dockerfile,
    Flag,
    Heredoc,
    Instruction,
    JoinedLines,
    Span,
    Stage,
    Word,
)
from imgopt.dockerfile.lexer import ShellError, heredoc_tags, printable
from imgopt.dockerfile.split import WHITE_SPACE, continues, instruction_end, instruction_ends
from imgopt.errors import DockerfileError
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

MAX_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024  # with its line end; BuildKit's scanner takes no longer line
# Bounds time and memory: each line and word is one part, and these weigh more. Bodies of here-documents are free.
MAX_PARTS = 100_000
_INSTRUCTION = 4
_HEREDOC = 20
MAX_STAGES = 1_000

_SPLIT_AT_SPACE = frozenset({"EXPOSE", "FROM"})
_JSON_OR_SPLIT = frozenset({"ADD", "COPY", "VOLUME"})
_JSON_OR_WHOLE = frozenset({"CMD", "ENTRYPOINT", "RUN", "SHELL"})
_WHOLE = frozenset({"MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"})
_NAMES_AND_VALUES = frozenset({"ENV", "LABEL"})
_TAKES_HEREDOC = frozenset({"ADD", "COPY", "RUN"})
_NO_TRIGGER = frozenset({"FROM", "MAINTAINER", "ONBUILD"})
KEYWORDS = (
    _SPLIT_AT_SPACE
    | _JSON_OR_SPLIT
    | _JSON_OR_WHOLE
    | _WHOLE
    | _NAMES_AND_VALUES
    | {"ARG", "HEALTHCHECK", "ONBUILD"}
)
_LOWER = frozenset(keyword.lower() for keyword in KEYWORDS)

_VISIBLE = regex(f"[^{WHITE_SPACE}]")
_NOT_BLANK = regex(r"[^\t\v\f\r ]+")
_BLANKS = regex(r"[\t\v\f\r ]+")
# BuildKit looks for the flags' white space in single bytes
_FLAG_BLANKS = "\t\n\v\f\r \x85\xa0"
_DIRECTIVE = regex(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=(.+)", re.DOTALL)
_STAGE_NAME = regex(r"[a-z][a-z0-9_.-]*")
_JSON_SPACE = regex(r"[\t\n\r ]*")
_SURROGATE = regex("[\ud800-\udfff]")


def parse(data: bytes | str, path: str = "Dockerfile", *, strict_utf8: bool = False) -> Dockerfile:
    """The document that ``data`` holds; ``path`` is only named in errors.

    Bytes that are no UTF-8 are kept as lone surrogates, or refused with ``strict_utf8``. DockerfileError
    for what no builder would accept, naming the line: an empty file, no FROM, binary data, UTF-16, an
    unterminated here-document, an unknown instruction, one before FROM other than ARG, a FROM that is no
    ``image`` or ``image AS name``; and for more than `MAX_BYTES`, `MAX_PARTS` or `MAX_STAGES`. The number
    of arguments of other instructions is not checked.
    """
    return _Parser(_decode(data, path, strict_utf8), path).document()


def _decode(data: bytes | str, path: str, strict_utf8: bool) -> str:
    def refusal(message: str, hint: str, offset: int = 0) -> DockerfileError:
        return DockerfileError(message, hint, path=path, line=raw.count(b"\n", 0, offset) + 1)

    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        raise refusal(
            f"the file has {len(raw):,} bytes, more than {MAX_BYTES // 1024 // 1024} MiB",
            "is this a Dockerfile?",
        )
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refusal("the file is UTF-16", "save it as UTF-8")
    nul = raw.find(b"\0")
    if nul >= 0:
        if set(raw[1:100:2]) == {0} or set(raw[0:100:2]) == {0}:
            raise refusal("the file is UTF-16", "save it as UTF-8")
        raise refusal("the file is binary: it has a NUL byte", "is this a Dockerfile?", nul)
    start = 0
    while len(raw) - start >= MAX_LINE_BYTES:
        end = raw.rfind(b"\n", start, start + MAX_LINE_BYTES)
        if end < 0:
            hint = "break it with a continuation, or move the text into its own file"
            raise refusal(f"the line is longer than {MAX_LINE_BYTES - 1:,} bytes", hint, start)
        start = end + 1
    if isinstance(data, str):
        try:
            data.encode("utf-8", "strict" if strict_utf8 else "surrogateescape")
        except UnicodeEncodeError as error:
            line = data.count("\n", 0, error.start) + 1
            message = f"character U+{ord(data[error.start]):04X} cannot be written as UTF-8"
            raise DockerfileError(message, "remove it", path=path, line=line) from error
        return data
    try:
        return raw.decode("utf-8", "strict" if strict_utf8 else "surrogateescape")
    except UnicodeDecodeError as error:
        column = error.start - raw.rfind(b"\n", 0, error.start)
        message = f"byte 0x{raw[error.start]:02x} in column {column} is not UTF-8"
        raise refusal(message, "save the file as UTF-8", error.start) from error


@dataclass(slots=True)
class _Draft:
    """An instruction whose here-documents are not known yet; ranges are offsets into the joined lines."""

    keyword: str
    keyword_range: tuple[int, int]
    flags: tuple[Flag, ...]
    text_range: tuple[int, int]
    json: tuple[str, ...] | None
    words: tuple[Word, ...]
    trigger: _Draft | None
    old_form: bool = False

    @property
    def takes_heredoc(self) -> bool:
        inner = self.trigger or self
        return inner.keyword in _TAKES_HEREDOC and inner.json is None


class _Parser:
    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.escape: Literal["\\", "`"] = "\\"
        self.directives: dict[str, str] = {}
        self.comments: list[Comment] = []
        self.instructions: list[Instruction] = []
        self.stages: list[Stage] = []
        self.global_args: tuple[Instruction, ...] = ()
        self.parts = 0
        self.line = 1
        self.position = 0

    def refusal(self, message: str, hint: str, line: int | None = None) -> DockerfileError:
        return DockerfileError(printable(message), printable(hint), path=self.path, line=line or self.line)

    def count(self, parts: int = 1) -> None:
        self.parts += parts
        if self.parts > MAX_PARTS:
            raise self.refusal("too many lines and words up to here", "is this a Dockerfile?")

    def document(self) -> Dockerfile:
        text = self.text
        bom = text.startswith("\ufeff")
        self.position = directives_end = self._read_directives(int(bom))
        ends = instruction_ends(text, self.position, self.escape)
        while visible := _VISIBLE.search(text, self.position):
            start = text.rfind("\n", self.position, visible.start()) + 1 or self.position
            self.line += text.count("\n", self.position, start)
            self.position = start
            if visible[0] == "#":
                end = self._line_end(start)
                self._add_comment(visible.start(), end, self.line)
                self._go_behind(end)
            else:
                self._read_instruction(
                    ends.get(start) or instruction_end(text, start, self.escape, MAX_PARTS)
                )
        if not self.instructions:
            message = "the file has only comments" if self.comments else "the file is empty"
            raise self.refusal(message, "a Dockerfile begins with FROM and a base image", 1)
        self._end_stage()
        if not self.stages:
            raise self.refusal(
                "there is no FROM", "begin the image with FROM and a base image", self.instructions[0].line
            )
        windows = text.count("\r\n")
        return Dockerfile(
            path=self.path,
            text=text,
            newline="\r\n" if windows > text.count("\n") - windows else "\n",
            bom=bom,
            escape=self.escape,
            directives=MappingProxyType(self.directives),
            directives_end=directives_end,
            instructions=tuple(self.instructions),
            stages=tuple(self.stages),
            global_args=self.global_args,
            comments=tuple(self.comments),
        )

    def _line_end(self, start: int) -> int:
        end = self.text.find("\n", start)
        return len(self.text) if end < 0 else end

    def _go_behind(self, end: int) -> None:
        """Go on in the line after the one that ends at ``end``."""
        self.line += self.text.count("\n", self.position, end + 1)
        self.position = min(end + 1, len(self.text))

    def _read_directives(self, position: int) -> int:
        """Read the parser directives from the top; the offset of the line behind them."""
        while position < len(self.text):
            end = self._line_end(position)
            line = self.text[position:end].rstrip("\r").lstrip(WHITE_SPACE)
            match = _DIRECTIVE.fullmatch(line[1:].lstrip(WHITE_SPACE)) if line.startswith("#") else None
            name = match[1].lower() if match else ""
            if not match or name not in ("syntax", "escape", "check"):
                break
            if name in self.directives:
                raise self.refusal(f"a second {name} directive", "keep one of them")
            value = match[2].strip("\t\n\f\r ")
            if name == "escape":
                if value not in ("\\", "`"):
                    raise self.refusal(
                        f"only \\ and ` can be the escape character, not {value}",
                        "write # escape=` or remove the line",
                    )
                self.escape = cast('Literal["\\\\", "`"]', value)
            self.directives[name] = value
            position = min(end + 1, len(self.text))
            self.line += end < len(self.text)
        return position

    def _add_comment(self, start: int, end: int, line: int) -> None:
        self.count()
        text = self.text[start:end].rstrip(WHITE_SPACE)
        self.comments.append(Comment(line, text, Span(start, start + len(text))))

    def _join(self, end: int) -> JoinedLines:
        """The lines up to ``end`` as one, without line ends, continuation characters, comments and blank lines."""
        text, start, line = self.text, self.position, self.line
        pieces: list[str] = []
        starts: list[int] = []
        offsets: list[int] = []
        size = 0
        while start <= end:
            self.count()
            line_end = min(self._line_end(start), end)
            piece = text[start:line_end].rstrip("\r")
            visible = piece.lstrip(WHITE_SPACE)
            if start == self.position:
                start += len(piece) - len(visible)
                piece = visible
            elif visible.startswith("#"):
                self._add_comment(start + len(piece) - len(visible), line_end, line)
                piece = ""
            elif not visible:
                piece = ""
            if continues(piece, self.escape):
                piece = piece.rstrip(" \t")[:-1]
            if piece:
                pieces.append(piece)
                starts.append(size)
                offsets.append(start)
                size += len(piece)
            start, line = line_end + 1, line + 1
        return JoinedLines("".join(pieces), tuple(starts), tuple(offsets))

    def _read_instruction(self, end: int) -> None:
        line, begin = self.line, self.position
        self.count(_INSTRUCTION)
        joined = self._join(end)
        start, stop = _stripped(joined.text, 0, len(joined.text))
        if start == stop:
            raise self.refusal(f"a {self.escape} that continues nothing", "remove the line")
        draft = self._draft(joined, start, stop)
        self._go_behind(end)
        end_line = line + self.text.count("\n", begin, end)
        heredocs: list[Heredoc] = []
        if draft.takes_heredoc and "<<" in joined.text:
            try:
                tags = heredoc_tags(joined.text)
            except ShellError as error:
                raise self.refusal(
                    f"the here-document's tag cannot be read: {error}", "use a plain word", line
                ) from error
            for tag, strip_tabs, expand in tags:
                self.count(_HEREDOC)
                body, end = self._heredoc_end(tag, strip_tabs, line)
                heredocs.append(Heredoc(tag, strip_tabs, expand, self.text[body.start : body.end], body))
                end_line = self.line + self.text.count("\n", self.position, end)
                self._go_behind(end)
        while self.text.startswith("\r", end - 1):
            end -= 1
        self._add(self._finished(draft, joined, tuple(heredocs), (line, end_line), end))

    def _finished(
        self,
        draft: _Draft,
        joined: JoinedLines,
        heredocs: tuple[Heredoc, ...],
        lines: tuple[int, int],
        end: int,
    ) -> Instruction:
        keyword_span = joined.span(*draft.keyword_range)
        return Instruction(
            number=len(self.instructions),
            keyword=draft.keyword,
            keyword_span=keyword_span,
            span=Span(keyword_span.start, end),
            line=lines[0],
            end_line=lines[1],
            flags=draft.flags,
            text=joined.text[slice(*draft.text_range)],
            text_span=joined.span(*draft.text_range),
            json=draft.json,
            words=draft.words,
            heredocs=heredocs if draft.takes_heredoc else (),
            trigger=self._finished(draft.trigger, joined, heredocs, lines, end) if draft.trigger else None,
            _joined=joined,
            _text_at=draft.text_range[0],
            _old_form=draft.old_form,
        )

    def _add(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM":
            self._end_stage()
            self.stages.append(self._stage(instruction))
        elif not self.stages and instruction.keyword != "ARG":
            hint = "only ARG may stand there: move the line below a FROM"
            raise self.refusal(f"{instruction.keyword} before the first FROM", hint, instruction.line)
        self.instructions.append(instruction)

    def _end_stage(self) -> None:
        """Give the last stage its instructions: those since its FROM, or the global ones before any."""
        if not self.stages:
            self.global_args = tuple(self.instructions)
            return
        last = self.stages[-1]
        begin = len(self.instructions) - 1
        while self.instructions[begin] is not last.from_:
            begin -= 1
        rest = tuple(self.instructions[begin + 1 :])
        self.stages[-1] = Stage(last.index, last.name, last.from_, last.image, last.platform, rest)

    def _stage(self, from_: Instruction) -> Stage:
        if len(self.stages) == MAX_STAGES:
            raise self.refusal(f"more than {MAX_STAGES:,} stages", "is this a Dockerfile?", from_.line)
        words = from_.words
        name = None
        if len(words) == 3 and words[1].text.lower() == "as":
            name = words[2].text.lower()
            if not _STAGE_NAME.fullmatch(name):
                hint = "begin it with a letter and use letters, digits, _ . and - only"
                raise self.refusal(f"not a stage name: {words[2].text}", hint, from_.line)
        elif len(words) != 1:
            wrong = (
                f"FROM with {len(words)} arguments" if len(words) != 3 else f"FROM without AS: {from_.text}"
            )
            hint = "write FROM image or FROM image AS name"
            if self.text.count("\r") > self.text.count("\n"):
                hint += "; the file's line ends are single carriage returns: save it with LF"
            raise self.refusal(wrong, hint, from_.line)
        return Stage(len(self.stages), name, from_, words[0], from_.flag("platform"), ())

    def _heredoc_end(self, tag: str, strip_tabs: bool, line: int) -> tuple[Span, int]:
        """The body that begins here, and the end of the line that closes it."""
        text, start = self.text, self.position
        # tabs are stripped from the lines, not from the tag: one that begins with a tab is never found
        if not (strip_tabs and tag.startswith("\t")):
            tabs = "\t*" if strip_tabs else ""
            closing = re.compile(rf"^{tabs}{re.escape(tag)}\r*$", re.MULTILINE).search(text, start)
            if closing and start < len(text):
                return Span(start, closing.start()), self._line_end(closing.end())
        hint = f"close it with a line {tag}"
        indented = re.search(rf"^[ \t]+{re.escape(tag)}[ \t]*\r*$", text[start:], re.MULTILINE)
        if indented:
            where = self.line + text.count("\n", start, start + indented.start())
            hint = f"line {where} has blanks in front of it: it must begin the line, or use tabs and <<-"
        raise self.refusal(f"unterminated heredoc <<{tag}", hint, line)

    def _draft(self, joined: JoinedLines, start: int, end: int) -> _Draft:
        text = joined.text
        match = cast("re.Match[str]", _NOT_BLANK.match(text, start, end))
        if match[0].lower() not in _LOWER:
            raise self._unknown(*match.span(), joined)
        keyword = match[0].lower().upper()  # lower first: there are letters whose small form alone is ASCII
        blanks = _BLANKS.match(text, match.end(), end)
        flags, rest = self._flags(joined, blanks.end() if blanks else end, end)
        start, end = _stripped(text, rest, end)
        draft = _Draft(keyword, match.span(), flags, (start, end), None, (), None)
        if start == end:
            return draft

        def word(start: int, end: int) -> Word:
            self.count()
            return Word(text[start:end], joined.span(start, end))

        words: list[Word] = []
        if keyword == "ONBUILD":
            trigger = cast("re.Match[str]", _NOT_BLANK.match(text, start, end))[0].lower().upper()
            if (
                trigger in _NO_TRIGGER
            ):  # looked at before it is read: they may stand behind each other without end
                hint = "put the instruction that the next build shall run behind ONBUILD"
                raise self.refusal(f"ONBUILD {trigger} is not allowed", hint)
            draft.trigger = self._draft(joined, start, end)
        elif keyword in _NAMES_AND_VALUES or keyword == "ARG":
            draft.words, draft.old_form = self._assignments(joined, start, end, keyword)
            return draft
        elif keyword == "HEALTHCHECK":
            kind = cast("re.Match[str]", re.compile(r"[^\t\n\v\f\r ]+").match(text, start, end))
            words.append(word(*kind.span()))
            start = end - len(text[kind.end() : end].lstrip("\t\n\v\f\r "))
            if start == end:
                draft.words = tuple(words)
                return draft
        if keyword in _JSON_OR_SPLIT or keyword in _JSON_OR_WHOLE or keyword == "HEALTHCHECK":
            elements = self._json(text, start, end, keyword)
            if elements is not None:
                draft.json = tuple(value for value, _, _ in elements)
                draft.words = (
                    *words,
                    *(Word(value, joined.span(first, last)) for value, first, last in elements),
                )
                return draft
        if keyword in _SPLIT_AT_SPACE or keyword in _JSON_OR_SPLIT:
            words += [word(*found.span()) for found in _NOT_BLANK.finditer(text, start, end)]
        else:
            words.append(word(start, end))
        draft.words = tuple(words)
        return draft

    def _unknown(self, start: int, end: int, joined: JoinedLines) -> DockerfileError:
        from difflib import get_close_matches

        name = joined.text[start : min(end, start + 40)]
        message = f"unknown instruction {name}"
        above = self.instructions[-1] if self.instructions else None
        before = self.text[above.span.start : above.span.end].rstrip() if above else ""
        close = get_close_matches(name.upper(), sorted(KEYWORDS), 1, 0.7)
        odd = next((sign for sign in name if sign in WHITE_SPACE), None)
        place = joined.offset(start)
        margin = self.text[self.text.rfind("\n", 0, place) + 1 : place]
        continuation = f"the line above may lack a {self.escape} at its end"
        if odd:
            hint = f"there is a U+{ord(odd):04X} in it: write a blank instead"
        elif joined.text[:start].strip(WHITE_SPACE):
            hint = f"did you mean {close[0]}?" if close else "ONBUILD takes an instruction: is RUN missing?"
        elif above and "<<" in above.text and above.keyword in _TAKES_HEREDOC and not above.heredocs:
            hint = f"the << in line {above.line} begins no here-document: it must begin a word, and quotes must match"
        elif above and before.endswith(self.escape * 2):
            hint = f"two {self.escape} at the end of line {above.end_line} do not continue it: write one"
        elif above and (
            before.endswith(("&&", "|", ";", ",", "["))
            or not name[0].isalpha()
            or (margin and margin.isspace())
        ):
            hint = continuation
        elif close:
            hint = f"did you mean {close[0]}?"
        else:
            hint = continuation if above else "is this a Dockerfile?"
        return self.refusal(message, hint)

    def _flags(self, joined: JoinedLines, start: int, end: int) -> tuple[tuple[Flag, ...], int]:
        """The flags from ``start`` on, and where the arguments begin."""
        if not joined.text.startswith("--", start, end):
            return (), start
        line = joined.text[start:end]
        found, rest = _flag_words(line, self.escape, MAX_PARTS)
        offsets: Sequence[int] = range(start, end + 1)
        if not line[: rest + 1].isascii():
            characters = [sign.encode("utf-8", "surrogateescape") for sign in line]
            found, rest = _flag_words(b"".join(characters).decode("latin-1"), self.escape, MAX_PARTS)
            offsets = array("L", (start + i for i, sign in enumerate(characters) for _ in sign))
            offsets.append(end)
            while rest < len(offsets) - 1 and rest and offsets[rest] == offsets[rest - 1]:
                rest += 1  # white space inside a character: the rest of that character belongs to neither
        flags = []
        for value, first, last, equals in found:
            self.count()
            name, sign, content = value[2:].partition("=")
            first, last = offsets[first], offsets[last - 1] + 1
            value_span = joined.span(offsets[equals] + 1, last) if sign else None
            flags.append(Flag(name, content if sign else None, joined.span(first, last), value_span))
        return tuple(flags), offsets[rest]

    def _assignments(
        self, joined: JoinedLines, start: int, end: int, keyword: str
    ) -> tuple[tuple[Word, ...], bool]:
        """The words of ENV, LABEL or ARG, and whether they are name and value of the old form."""
        words: list[Word] = []
        for text, first, last in _quoted_words(joined.text, start, end, self.escape):
            self.count()
            words.append(Word(text, joined.span(first, last)))
        if keyword == "ARG" or not words:
            return tuple(words), False
        if "=" not in words[0].text:
            name = cast("re.Match[str]", _NOT_BLANK.match(joined.text, start, end))
            blanks = _BLANKS.match(joined.text, name.end(), end)
            if not blanks:
                raise self.refusal(f"{keyword} without a value for {name[0]}", f"write {keyword} name=value")
            value = Word(joined.text[blanks.end() : end], joined.span(blanks.end(), end))
            return (Word(name[0], joined.span(*name.span())), value), True
        for word in words:
            if "=" not in word.text:
                hint = "write name=value, and quote a value that has blanks in it"
                raise self.refusal(f"{keyword} without a = in {word.text}", hint)
        return tuple(words), False

    def _json(self, text: str, start: int, end: int, keyword: str) -> list[tuple[str, int, int]] | None:
        """The elements of a JSON array of strings with their ranges; None for anything that is no JSON array."""
        if not text.startswith("[", start, end):
            return None
        elements: list[tuple[str, int, int]] = []
        position = _skip(_JSON_SPACE, text, start + 1, end)
        if text.startswith("]", position, end) and _skip(_JSON_SPACE, text, position + 1, end) == end:
            return elements
        while text.startswith('"', position, end):
            self.count()
            try:
                value, last = json.JSONDecoder().raw_decode(text, position)
            except ValueError:
                return None
            elements.append((_SURROGATE.sub("\ufffd", value), position, last))
            position = _skip(_JSON_SPACE, text, last, end)
            if text.startswith("]", position, end) and _skip(_JSON_SPACE, text, position + 1, end) == end:
                return elements
            if not text.startswith(",", position, end):
                break
            position = _skip(_JSON_SPACE, text, position + 1, end)
        try:
            json.loads(text[start:end], parse_constant=_not_json, parse_float=_number, parse_int=_number)
        except RecursionError:
            pass
        except ValueError:
            return None
        raise self.refusal(
            f"{keyword}: the JSON form takes strings only", "put every element in double quotes"
        )


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without the white space around what it holds; ``(end, end)`` when there is nothing else."""
    start = end - len(text[start:end].lstrip(WHITE_SPACE))
    return start, start + len(text[start:end].rstrip(WHITE_SPACE))


def _skip(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    match = pattern.match(text, start, end)
    return match.end() if match else start


def _not_json(constant: str) -> None:
    raise ValueError(constant)


def _number(digits: str) -> float:
    """Go refuses a number that no float64 holds."""
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return number


def _flag_words(line: str, escape: str, most: int) -> tuple[list[tuple[str, int, int, int]], int]:
    """The words at the beginning that start with ``--``: (text without quotes and escapes, start, end, place of
    the first =); and where the rest begins. ``--`` alone ends them, and so do more than ``most``.
    """
    name = re.compile(rf"[^{_FLAG_BLANKS}'\"={re.escape(escape)}]+")
    content = re.compile(rf"[^{_FLAG_BLANKS}'\"{re.escape(escape)}]+")
    words: list[tuple[str, int, int, int]] = []
    position = 0
    while True:
        while line[position : position + 1] and line[position] in _FLAG_BLANKS:
            position += 1
        if not line.startswith("--", position) or len(words) > most:
            return words, position
        start, equals, quote = position, -1, ""
        parts: list[str] = []
        while position < len(line):
            match = (name if equals < 0 else content).match(line, position)
            if match:
                parts.append(match[0])
                position = match.end()
                continue
            sign = line[position]
            if not quote and sign in _FLAG_BLANKS:
                break
            if not quote and sign in "'\"":
                quote = sign
            elif sign == quote:
                quote = ""
            else:
                if sign == escape:
                    position += 1
                    sign = line[position : position + 1]
                if sign == "=" and equals < 0:
                    equals = position
                parts.append(sign)
            position += 1
        position = min(position, len(line))
        word = "".join(parts)
        if word == "--":
            return words, position
        words.append((word, start, position, equals))


def _quoted_words(text: str, start: int, end: int, escape: str) -> Iterator[tuple[str, int, int]]:
    """ENV's, LABEL's and ARG's words: split at white space outside quotes; quotes and escapes stay."""
    sign = re.escape(escape)
    bare = re.compile(rf"[^{WHITE_SPACE}{sign}'\"]+|{sign}.|'[^']*'?", re.DOTALL)
    double = re.compile(rf'[^"{sign}]+|{sign}.', re.DOTALL)
    position = start
    while visible := _VISIBLE.search(text, position, end):
        first = position = visible.start()
        last = end
        while position < end and text[position] not in WHITE_SPACE:
            if match := bare.match(text, position, end):
                position = match.end()
            elif text[position] == '"':
                position += 1
                while match := double.match(text, position, end):
                    position = match.end()
                position += text.startswith('"', position, end)
            else:  # an escape character that ends the text is dropped
                last, position = position, end
        if first < last:
            yield text[first : min(position, last)], first, position
