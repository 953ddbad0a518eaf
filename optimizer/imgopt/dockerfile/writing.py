"""Writes words into instructions, so that every builder reads back what was meant.

Whatever was read somewhere (a file's name, a build argument, a path with its variables filled in) goes through here
before it stands in an instruction. What the author wrote in a Dockerfile is carried over as it stands instead: it is
their code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from imgopt.dockerfile.lexer import ShellError, heredoc_tags
from imgopt.dockerfile.split import WHITE_SPACE
from imgopt.light.patterns import regex
from imgopt.text.quoting import Unwritable, in_quotes, require_visible

_PLAIN = regex(r"(?!--)[\w@%+=:,./-]+")
_BLANK = regex(f"[{WHITE_SPACE}]")
_IMAGE = regex(r"[\w\[][\w.:/@+\[\]-]*", re.ASCII)
_FLAG_VALUE = regex(r"[\w@%+=:./~-]+", re.ASCII)


def word(text: str) -> str:
    """One word of COPY, ADD and the like, or a value behind ``NAME=`` in ENV, that is ``text`` once variables are
    filled in and quotes removed. In a COPY a word with a blank makes all of them JSON: see `arguments`.
    """
    require_visible(text)
    return text if _PLAIN.fullmatch(text) else in_quotes(text)


def source(text: str) -> str:
    """`word` for a source of COPY or ADD, of which builders take ``*``, ``?`` and ``[`` for patterns."""
    if re.search(r"[*?\[]", text):
        text = re.sub(r"[*?\[]", r"[\g<0>]", text.replace("\\", "\\\\"))
    return word(text)


def pattern(text: str) -> str:
    """`word` for a source of the author's own, whose ``*``, ``?`` and ``[`` go on being patterns."""
    return text if re.fullmatch(r"(?!--)[\w@%+=:,./*?\[\]-]+", text) else word(text)


def flag(name: str, text: str) -> str:
    """``--name=text``. BuildKit reads flags byte by byte: ASCII only, and nothing that would need quotes."""
    if not _FLAG_VALUE.fullmatch(text):
        raise Unwritable(text, f"cannot be the value of --{name}")
    return f"--{name}={text}"


def mount(**settings: str) -> str:
    """``--mount=type=bind,source=…``; ``from_`` for ``from``."""
    for name, text in settings.items():
        if not _FLAG_VALUE.fullmatch(text):
            raise Unwritable(text, f"cannot be the {name} of a --mount")
    return "--mount=" + ",".join(f"{name.rstrip('_')}={text}" for name, text in settings.items())


def image(name: str) -> str:
    """An image's name behind FROM, or in ``--from``."""
    if not _IMAGE.fullmatch(name):
        raise Unwritable(name, "is not an image name")
    return name


def comment(text: str) -> str:
    """``# text``"""
    require_visible(text)
    return f"# {text}"


def arguments(words: Sequence[str]) -> str:
    """The words of a COPY or ADD as `word`, `source` or the author wrote them, in the form that can hold them: with a
    blank in one of them that is the JSON form.
    """
    if any(_BLANK.search(each) for each in words) or words[0].startswith("["):
        return f"[{', '.join(map(json_word, words))}]"
    return " ".join(words)


def json_word(text: str) -> str:
    """A word as `word`, `source` or the author wrote it, for the JSON form."""
    return json.dumps(text, ensure_ascii=False)


def copy(keyword: str, flags: Iterable[str], words: Sequence[str]) -> str:
    """A COPY or ADD of these flags and words, each written by the functions above or taken over from the author."""
    return " ".join([keyword, *(each for each in flags if each), arguments(words)])


def run(keyword: str, steps: Sequence[str], escape: str) -> list[str]:
    """The lines of a RUN whose steps are shell text, joined by ``&&``. A step may go over several lines: where they
    end, it has a blank and a backslash, as shells write it.

    Raises `Unwritable` where a builder would not hand the text on as it is.
    """
    lines = " \\\n && ".join(steps).split("\n")
    for at, line in enumerate(lines):
        continued = at + 1 < len(lines)
        if continued != line.endswith(" \\") or (at and line.lstrip().startswith("#")):
            raise Unwritable(line.strip(), "cannot stand on a line of a RUN")
    text = "".join(line.removesuffix("\\") for line in lines)
    try:
        heredoc = bool(heredoc_tags(text))
    except ShellError:
        heredoc = True
    if heredoc or text.lstrip().startswith(("[", "--")):
        raise Unwritable(text.strip(), "would not be read as the commands of a RUN")
    written = [f"{line[:-1]}{escape}" if line.endswith(" \\") else line for line in lines]
    return [f"{keyword} {written[0]}", *written[1:]]
