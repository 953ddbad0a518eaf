"""Java command lines: what a start command runs, with which flags, from which jar.

Reads exec form, shell form and `sh -c`, through the usual wrappers (``exec``, ``tini --``, ``nohup`` …) and
start scripts of the build context. What depends on variables that are not known stays as written.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from imgopt import shell
from imgopt.shell import SHELLS, shell_script

#: Options of `java` whose value is the next word.
_WITH_VALUE = frozenset(
    {
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--add-modules",
        "--add-exports",
        "--add-opens",
        "--add-reads",
        "--patch-module",
        "--limit-modules",
        "--upgrade-module-path",
        "--source",
        "-d",
        "--describe-module",
    }
)
#: Scripts read for one start command, those in scripts (``sh -c 'sh -c …'``) included.
_MAX_SCRIPTS = 50


@dataclass(frozen=True)
class JavaCall:
    """One `java …` call. ``jar`` is the path given to ``-jar`` (expanded where known)."""

    jar: str | None
    main_class: str | None
    class_path: str | None
    options: tuple[str, ...]
    arguments: tuple[str, ...]
    background: bool = False

    def has_option(self, prefix: str) -> bool:
        return any(option.startswith(prefix) for option in self.options)


def calls_in_script(text: str, variables: Mapping[str, str | None]) -> tuple[JavaCall, ...]:
    """All `java` calls of a shell script, in the order they stand."""
    return tuple(_in_script(text, variables, set()))


def _in_script(text: str, variables: Mapping[str, str | None], read: set[str]) -> list[JavaCall]:
    """``read``: the scripts read so far. A variable can make a script run itself."""
    if text in read or len(read) == _MAX_SCRIPTS:
        return []
    read.add(text)
    found: list[JavaCall] = []
    known = ChainMap({}, cast("dict[str, str | None]", variables))
    for command in shell.parse(text).commands:
        if not command.words:
            for assignment in command.assignments:
                name, _, value = assignment.text.partition("=")
                known[name] = shell.Word(value, 0, 0).value(known) if value else ""
            continue
        words = [part for word in command.words for part in _expanded(word, known)]
        found += _calls(words, variables, command.follows == "&", read)
    return found


def _expanded(word: shell.Word, variables: Mapping[str, str | None]) -> list[str]:
    """The words that one word becomes: as written when unknown, split at blanks when it is not quoted."""
    value = word.value(variables)
    if value is None:
        return [word.text]
    return [value] if "$" not in word.text or word.text[0] in "\"'" else value.split()


def calls_in_argv(argv: Sequence[str], variables: Mapping[str, str | None]) -> tuple[JavaCall, ...]:
    """The `java` calls of an exec-form command."""
    return tuple(_calls(argv, variables, False, set()))


def _calls(
    argv: Sequence[str], variables: Mapping[str, str | None], background: bool, read: set[str]
) -> list[JavaCall]:
    script = shell_script(argv)
    if script is not None:
        return _in_script(script, variables, read)
    for position, word in enumerate(argv):
        if is_java(word):
            return [_call(argv[position + 1 :], background)]
        if word.rsplit("/", 1)[-1] in SHELLS:
            inner = shell_script(argv[position:])
            if inner is not None:
                return _in_script(inner, variables, read)
    return []


def is_java(word: str) -> bool:
    return word.strip("\"'").rsplit("/", 1)[-1] in ("java", "java.exe")


def _call(words: Sequence[str], background: bool) -> JavaCall:
    options: list[str] = []
    jar_mode = False
    class_path: str | None = None
    position = 0
    while position < len(words):
        word = words[position]
        if word == "-jar":
            jar_mode = True
        elif word in _WITH_VALUE:
            value = words[position + 1] if position + 1 < len(words) else ""
            options += [word, value]
            if word in ("-cp", "-classpath", "--class-path"):
                class_path = value
            position += 1
        elif word.startswith("-") or _all_variable(word):
            options.append(word)
        else:
            break
        position += 1
    rest = list(words[position:])
    target = rest.pop(0) if rest else None
    if target is None and jar_mode and options and _all_variable(options[-1]):
        target = options.pop()  # `-jar $JAR`
    return JavaCall(
        jar=target if jar_mode else None,
        main_class=None if jar_mode else target,
        class_path=class_path,
        options=tuple(options),
        arguments=tuple(rest),
        background=background,
    )


def _all_variable(word: str) -> bool:
    """A word like ``$JAVA_OPTS`` or ``"${X}"`` that may stand for any number of options."""
    bare = word.strip("\"'")
    return bare.startswith("$") and not bare.endswith((".jar", ".war"))
