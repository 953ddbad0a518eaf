"""Writes words that were read somewhere into shell text: commands of a script, and commands that people copy.

A file's name, a jar's entry, a label or an argument is data. Wherever one of them becomes part of a command it goes
through here (into an instruction of a Dockerfile: through `imgopt.dockerfile.writing`), so that a shell reads back the
word and nothing else.
"""

from __future__ import annotations

import re
from itertools import groupby

from imgopt.light.patterns import regex

_PLAIN = regex(r"[\w@%+=:,./-]+", re.ASCII)
_SHOWN = 160


class Unwritable(ValueError):
    """The text cannot be written where it is wanted. The message says why, and begins with the text."""

    def __init__(self, text: str, why: str) -> None:
        cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
        shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in cut)
        super().__init__(f"{shown} {why}")


def require_visible(text: str) -> None:
    """Unwritable for what no line of a script or of a Dockerfile carries unharmed: line ends and other control
    characters, bytes that are no UTF-8, signs that nobody sees.
    """
    odd = next((sign for sign in text if not sign.isprintable()), None)
    if odd is not None:
        raise Unwritable(text, f"has a character in it that cannot be written there ({ascii(odd)[1:-1]})")


def in_quotes(text: str) -> str:
    """The text between single quotes, which mean the same to every POSIX shell, and to the lexers of BuildKit, kaniko
    and buildah whatever ``# escape=`` says. A backslash does not: it is not used.
    """
    return "'" + text.replace("'", "'\"'\"'") + "'"


def quoted(word: str) -> str:
    """Shell text of one word that every sh, bash, ash or dash reads back as it is, inside a RUN as well.

    Raises `Unwritable` for what cannot be seen.
    """
    require_visible(word)
    return word if _PLAIN.fullmatch(word) else in_quotes(word)


def quoted_path(path: str) -> str:
    """`quoted` for a file's name: no command takes it for an option, or for a list of arguments (``@file``)."""
    return quoted(f"./{path}" if path.startswith(("-", "@")) else path)


def with_variables(text: str, rest: str = "") -> str:
    """Shell text of one word: ``text``, in which each ``${NAME}`` is the variable's value, whatever stands in that, and
    ``rest``, which is taken as it is.

    Raises `Unwritable` when ``text`` has more than plain names in it.
    """
    if "${" not in text:
        return quoted(text + rest)
    if not re.fullmatch(r"(?:[\w@%+=:,./-]|\$\{[A-Za-z_]\w*\})+", text, re.ASCII):
        raise Unwritable(text, "is more than plain names and variables")
    return f'"{text}{rest}"' if _PLAIN.fullmatch(rest) or not rest else f'"{text}"{quoted(rest)}'


def typed(*words: str) -> str:
    """Words of a command for people to copy into their shell.

    What cannot be seen is written as `ls` writes it, ``$'\\012'``, which bash, zsh, ksh and ash read.
    """
    return " ".join(map(_typed, words))


def typed_path(path: str) -> str:
    """A file's name in a command for people to copy: what begins with a dash gets ``./``."""
    return _typed(f"./{path}" if path.startswith("-") and path != "-" else path)


def _typed(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    runs = ["".join(run) for _, run in groupby(word, key=str.isprintable)] or [""]
    return "".join(in_quotes(run) if run.isprintable() else f"$'{_octal(run)}'" for run in runs)


def _octal(text: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in text.encode("utf-8", "surrogateescape"))
