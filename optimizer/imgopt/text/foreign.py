"""Text that came from outside, made fit to be printed: file names, Dockerfiles, jars, images, registries, logs.

A terminal acts on control characters, a reader's eye follows those that reorder or hide text, and the runner of a CI job
obeys lines: GitHub's ``::name …::`` after leading blanks and ``##[name]`` anywhere, Azure's ``##vso[…]`` and TeamCity's
``##teamcity[…]`` anywhere. `visible` is for a word or a sentence on its way into a line, `lines` and `in_json` for whole
documents, `GuardedStream` for what others write: tracebacks, warnings, libraries' logs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TextIO, cast

from imgopt.light.patterns import regex

#: Pictures, of which many need a variation selector, and some a joiner, to be what they are.
_PICTURES = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"

#: Control characters, what has no shape or reorders what stands beside it, what is no character.
_ACTING = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000ffffe\U000fffff\U0010fffe\U0010ffff"
)
_EXCEPT = (
    rf"(?!(?<=[{_PICTURES}])\ufe0f)"
    rf"(?!(?:(?<=[{_PICTURES}])|(?<=[{_PICTURES}]\ufe0f))\u200d[{_PICTURES}])"
)
#: To find out whether there is any, besides tabs and ends of lines, takes less than to leave out those of pictures.
_ANY = regex("[" + _ACTING.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f") + "]")
_CHARACTER = regex(rf"{_EXCEPT}[{_ACTING}]")
#: Documents keep their lines and what aligns them.
_IN_LINES = regex(rf"{_EXCEPT}(?![\t\n])[{_ACTING}]")
#: The sign that makes a command of the line, whatever blanks a runner takes off before it looks.
_COMMAND = regex(r"^(?P<blanks>[^\S\n]*):(?=:)|#(?=#[A-Za-z]*\[)", re.MULTILINE)
_HASH = regex(r"#(?=#[A-Za-z]*\[)")


def visible(text: str) -> str:
    """The text on one line: what acts or cannot be seen is written out (``\\x1b``, ``\\u202e``), undecodable bytes too.

    A tab becomes a blank; ordinary text of any script, and pictures, stay. Doing it twice changes nothing more.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\t", " ")
    return _CHARACTER.sub(_written, text) if "\n" in text or _ANY.search(text) else text


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: blanks, what `visible` writes out, marks without a letter, Braille's empty cell."""
    import unicodedata

    return all(
        each.isspace() or each == "\u2800" or _CHARACTER.match(each) or unicodedata.category(each)[0] in "CMZ"
        for each in text
    )


def lines(text: str, own: tuple[str, ...] = ()) -> str:
    """A document of lines in which nothing acts and no line is a command to a runner; tabs stay.

    ``own``: how the lines begin that are meant to be commands. Doing it twice changes nothing more.
    """
    text = _each(text, numbered)
    if "::" not in text and "##" not in text:
        return text

    def broken(match: re.Match[str]) -> str:
        if match["blanks"] is None:
            return "\\x23"
        if match["blanks"] == "" and own and text.startswith(own, match.start()):
            return ":"
        return f"{match['blanks']}\\x3a"

    return _COMMAND.sub(broken, text)


def in_json(text: str) -> str:
    """A JSON document, with the same values: its strings hold as escapes what `lines` would write out."""
    text = _each(text, _json_escape)
    return _HASH.sub(r"\\u0023", text) if "##" in text else text


def _each(text: str, written: Callable[[str], str]) -> str:
    """A document with each character that acts written out."""
    # what may be one is found fast in a large text; what stands around it is looked at there alone
    return _ANY.sub(
        lambda match: written(match[0]) if _IN_LINES.match(text, match.start()) else match[0], text
    )


def commands_in(text: str) -> list[int]:
    """Where the signs stand that make commands of lines, each to be replaced by `numbered` of it."""
    if "::" not in text and "##" not in text:
        return []
    return [match.end() - 1 for match in _COMMAND.finditer(text)]


def numbered(character: str) -> str:
    """A character by its number: ``\\n``, ``\\x1b``, ``\\u202e``, ``\\U000e0041``; the byte that a lone surrogate stands for as ``\\xNN``."""
    code = ord(character)
    if character in "\n\r":
        return "\\n" if character == "\n" else "\\r"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _written(match: re.Match[str]) -> str:
    return numbered(match[0])


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


class Acting(NamedTuple):
    """The first thing in a text that a terminal or a runner would act on: its line from 1 on, and what it is."""

    line: int
    what: str


def acting(text: str) -> Acting | None:
    """What keeps a text file from being printed as it is; None for text that may be.

    Lines may end with ``\\r\\n``, a byte order mark may begin the file, and bytes of another encoding may stand in it.
    """
    if not (text.isascii() and text.isprintable()):
        for match in _IN_LINES.finditer(text):
            character, at = match[0], match.start()
            if (
                (character == "\r" and text.startswith("\n", at + 1))
                or (character == "\ufeff" and at == 0)
                or "\udca0" <= character <= "\udcff"
            ):
                continue
            return Acting(text.count("\n", 0, at) + 1, f"the character {numbered(character)}")
    for at in commands_in(text):
        end = len(text) if text.find("\n", at) < 0 else text.find("\n", at)
        return Acting(
            text.count("\n", 0, at) + 1, f"a command to CI runners ({visible(text[at : min(end, at + 20)])})"
        )
    return None


class GuardedStream:
    """A text stream through which no foreign text can act; anything else of it is the stream's own.

    ``colours``: the stream is a terminal on which our own output sets colours and draws a line anew.
    """

    def __init__(self, stream: TextIO, *, colours: bool = False) -> None:
        self.stream = stream
        self._own = _DRAWING if colours else None
        self._line = ""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"a text stream takes str, not {type(text).__name__}")
        if self._own is None:
            self.stream.write(self._guarded(text))
        else:
            parts = self._own.split(text)
            self.stream.write(
                "".join(part if at % 2 else self._guarded(part) for at, part in enumerate(parts))
            )
        return len(text)

    def writelines(self, parts: Any) -> None:
        for each in parts:
            self.write(each)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _guarded(self, text: str) -> str:
        """A command may be written in pieces: what of the line is already out counts."""
        text = _IN_LINES.sub(_written, text)
        before = self._line
        whole = before + text
        # a sign that is out already cannot be changed, but what completes the command can
        at = {
            max(len(before), each.end() - 2 if each[0].endswith("::") else each.start())
            for each in _BEGINNING.finditer(whole)
            if each.end() > len(before)
        }
        last = whole.rpartition("\n")[2]
        self._line = last if len(last) < 200 else f"…{last[-100:]}"
        if not at:
            return text
        return "".join(
            numbered(sign) if place in at else sign
            for place, sign in enumerate(whole[len(before) :], len(before))
        )


#: What makes a line a command, whole.
_BEGINNING = regex(r"^[^\S\n]*::|##[A-Za-z]*\[", re.MULTILINE)
_DRAWING = regex(r"(\x1b\[[0-9;]*m|\x1b\[[0-9]*[A-K]|\x1b\[\?25[hl]|\r)")


def drawing_on(stream: TextIO) -> TextIO:
    """The terminal for our own colours and progress lines."""
    inner = stream.stream if isinstance(stream, GuardedStream) else stream
    return cast(TextIO, GuardedStream(inner, colours=True))


@contextmanager
def guarded_stderr() -> Iterator[None]:
    """Standard error, whoever writes to it."""
    before = sys.stderr
    if before is None or isinstance(before, GuardedStream):
        yield
        return
    sys.stderr = cast(TextIO, GuardedStream(before))
    try:
        yield
    finally:
        sys.stderr = before
