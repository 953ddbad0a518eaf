"""Java command lines: what a start command runs, with which flags, from which jar.

Reads exec form, shell form and `sh -c`, through the usual wrappers (``exec``, ``tini --``, ``nohup`` …) and
start scripts of the build context. What depends on variables that are not known stays as written.
"""

from __future__ import annotations

import posixpath
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.shell import SHELLS, shell_script

#: Options of `java` whose value is the next word.
WITH_VALUE = frozenset(
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
_MAX_WORDS = 500  # of an array
_MAX_VALUE = 16_384  # characters of a variable


@dataclass(frozen=True)
class JavaCall:
    """One `java …` call. ``jar`` is the path given to ``-jar`` (expanded where known).

    ``pattern``: ``jar`` is a pattern that the shell fills in (``java -jar *.jar``, ``$(ls /app/*.jar)``; `**` stands
    for any directories). ``directory`` is where a script went before the call, None where that is not known.
    """

    jar: str | None
    main_class: str | None
    class_path: str | None
    options: tuple[str, ...]
    arguments: tuple[str, ...]
    background: bool = False
    pattern: bool = False
    directory: str | None = "."

    def has_option(self, prefix: str) -> bool:
        return any(option.startswith(prefix) for option in self.options)


def calls_in_script(
    text: str, variables: Mapping[str, str | None], place: str | None = None
) -> tuple[JavaCall, ...]:
    """All `java` calls of a shell script, in the order they stand. ``place``: the script's own path in the image."""
    return tuple(_in_script(text, variables, set(), place))


#: Marks words that a shell fills in with names of files; no shell text holds it.
_FILLED_IN = "\0"
#: They only speak of the words behind them.
_SPEAKING = frozenset(
    "[ [[ alias command echo egrep fgrep grep hash kill killall logger pgrep pidof pkill printf ps test type unset "
    "which".split()
)
#: They read a word again as shell text.
_HANDING_OVER = frozenset({"eval", "runuser", "su", "trap"})
_DECLARING = frozenset({"declare", "export", "local", "readonly", "typeset"})
_OWN_DIRECTORY = regex(
    r"\$\(\s*dirname\s+(?:--\s+)?(\"?)\$(?:0|\{0\}|\{BASH_SOURCE(?:\[0\])?\}|BASH_SOURCE)\1\s*\)"
    r"|`\s*dirname\s+\"?\$0\"?\s*`|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"
)
_WENT_THERE = regex(
    r"\$\(\s*cd\s+(?:--\s+)?\"?([^\s\"$`;&|()]+)\"?\s*(?:>\s*/dev/null\s*)?(?:&&|;)\s*pwd(?:\s+-P)?\s*\)"
)
#: The words of a value: what stands in a substitution is no end of one.
_SPLIT = regex(r"(?:\$\([^()]*\)|`[^`]*`|\$\{[^{}]*\}|\S)+")
_ARRAY = regex(r"\"?\$\{(\w+)\[[@*]\]\}\"?")


@dataclass
class _Reading:
    """What a script has set so far."""

    known: ChainMap[str, str | None]
    arrays: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # what stands there, of values that are not known
    directory: str | None = "."
    depth: int = 0  # of the block in which it last changed the directory
    place: str | None = None
    passing: list[tuple[int, str]] = field(default_factory=list)  # variables set in blocks of these depths

    def leave(self, depth: int) -> None:
        """Forgets what only blocks that have ended have set: whether they ran is not known."""
        if depth < self.depth:
            self.directory, self.depth = None, depth
        while self.passing and self.passing[-1][0] > depth:
            self.forget(self.passing.pop()[1])

    def forget(self, name: str) -> None:
        self.known[name] = None
        self.written.pop(name, None)


def _in_script(
    text: str, variables: Mapping[str, str | None], read: set[str], place: str | None = None
) -> list[JavaCall]:
    """``read``: the scripts read so far. A variable can make a script run itself."""
    if text in read or len(read) == _MAX_SCRIPTS:
        return []
    read.add(text)
    found: list[JavaCall] = []
    reading = _Reading(ChainMap({}, cast("dict[str, str | None]", variables)), place=place)
    renamed = "java" in shell.redefined(text)
    java = {
        (each.command.words[0].start, each.command.words[0].text)
        for each in shell.started(text)
        if set(each.programs) == {"java"} and not each.own and "$" in each.command.words[0].text
    }
    asked = False  # the command before is a test
    for node in _each(shell.parse(text).nodes):
        if isinstance(node, shell.Loop):
            values = [value for word in node.words for value in _expanded(word, reading)]
            reading.known[node.variable] = values[0] if len(values) == 1 and "$" not in values[0] else None
            continue
        command, program = node, node.program
        reading.leave(_blocks(command))
        perhaps = command.operator == "||" or (command.operator == "&&" and asked)
        asked = program in ("[", "[[", "test", "((")
        if not command.words or program in _DECLARING:
            for word in command.args if command.words else command.assignments:
                _assign(word, reading, _blocks(command), perhaps=perhaps)
            continue
        if program in ("read", "((", "let"):
            for name in re.findall(r"[A-Za-z_]\w*", " ".join(word.text for word in command.args)):
                reading.forget(name)
        if program in _SPEAKING or (renamed and command.words[0].text == "java"):
            continue
        if program == "cd":
            _enter(command, reading)
            continue
        words = [
            part
            for word in command.words
            for part in _with_java(_expanded(word, reading), (word.start, word.text) in java)
        ]
        inner = _calls(words, reading.known, command.follows == "&", read)
        if not inner and any(word.text in _HANDING_OVER for word in command.words):
            for written in shell.texts_of(command):
                inner += _in_script(written, reading.known, read, place)
        found += [_from(each, reading.directory) for each in inner]
    return found


def _with_java(words: list[str], java: bool) -> list[str]:
    """What a word becomes of which only is known that it runs java."""
    return ["java"] if java and not any(map(is_java, words)) else words


def _each(nodes: Sequence[shell.Command | shell.Loop]) -> Iterator[shell.Command | shell.Loop]:
    for node in nodes:
        yield node
        if isinstance(node, shell.Loop):
            yield from _each(node.body)


def _blocks(command: shell.Command) -> int:
    """How many blocks are around a command, the body of its function not counted."""
    return command.depth - (command.function is not None)


def _from(call: JavaCall, directory: str | None) -> JavaCall:
    if directory is None or call.directory is None:
        return replace(call, directory=None)
    return replace(call, directory=posixpath.normpath(posixpath.join(directory, call.directory)))


def _enter(command: shell.Command, reading: _Reading) -> None:
    words = [word for word in command.args if word.text not in ("--", "-P", "-L")]
    values = _expanded(words[0], reading) if len(words) == 1 else []
    to = values[0] if len(values) == 1 and not re.search(r"[$`\0]|^[-~]", values[0]) else None
    reading.directory = (
        None if to is None or reading.directory is None else posixpath.join(reading.directory, to)
    )
    if to is not None and to.startswith("/"):
        reading.directory = to
    reading.depth = _blocks(command)


def _assign(word: shell.Word, reading: _Reading, depth: int, *, perhaps: bool) -> None:
    name, equals, value = word.text.partition("=")
    adds, name = name.endswith("+"), name.rstrip("+")
    if not equals:
        return
    if value.startswith("(") and value.endswith(")"):
        inside = shell.parse("x " + value[1:-1].replace("\n", " "))
        items = [
            part for each in inside.commands[:1] for item in each.args for part in _expanded(item, reading)
        ]
        items = [*(reading.arrays.get(name, []) if adds else []), *items]
        reading.arrays[name] = items if len(items) <= _MAX_WORDS else []
        return
    new = _value(shell.Word(value, 0, 0), reading) if value else ""
    if adds:
        before = reading.known.get(name)
        new = None if before is None or new is None else before + new
    if new is not None and len(new) > _MAX_VALUE:
        new = None  # variables that hold each other double with each line
    if new is not None and reading.known.get(name) == new:
        return
    if perhaps:
        reading.forget(name)
        return
    reading.known[name] = new
    if new is None and not adds:
        reading.written[name] = shell.text_of(shell.Word(value, 0, 0))
    if depth > 0:
        reading.passing.append((depth, name))


def _value(word: shell.Word, reading: _Reading) -> str | None:
    text = word.text
    if (reading.place is not None and "$" in text) or "`" in text:
        text = _OWN_DIRECTORY.sub(posixpath.dirname(reading.place or "") or "$0", text)
        text = _WENT_THERE.sub(lambda match: match[1], text)
    listed = _listed(text, reading)
    return listed if listed is not None else shell.Word(text, 0, 0).value(reading.known)


def _listed(text: str, reading: _Reading) -> str | None:
    """The pattern whose first match `$(ls PATTERN | head -n 1)` and `$(find DIR -name PATTERN)` print."""
    match = re.fullmatch(r"(\"?)(?:\$\((.*)\)|`(.*)`)\1", text, re.DOTALL)
    commands = shell.parse(match[2] or match[3] or "").commands if match is not None else ()
    if not commands or any(command.follows not in ("|", "") for command in commands):
        return None
    if any(command.program not in ("head", "tail", "sort") for command in commands[1:]):
        return None
    first, plain = commands[0], [word for word in commands[0].args if not word.text.startswith("-")]
    if any(">" in sign and target.text != "/dev/null" for sign, target in first.redirects):
        return None
    if first.program in ("ls", "echo") and len(plain) == 1:
        value = plain[0].value(reading.known)
        return _FILLED_IN + value if value is not None else None
    if first.program == "find" and plain:
        rest = [word.text for word in first.args[1:]]
        name = next(
            (first.args[at + 2] for at, text in enumerate(rest) if text == "-name" and at + 1 < len(rest)),
            None,
        )
        others = [
            text
            for at, text in enumerate(rest)
            if text.startswith("-") and text not in ("-name", "-type", "-maxdepth")
        ]
        where, what = plain[0].value(reading.known), name.literal if name is not None else None
        if where and what and not others:
            return f"{_FILLED_IN}{where.rstrip('/')}/**/{what}"
    return None


def _expanded(word: shell.Word, reading: _Reading, nested: int = 0) -> list[str]:
    """The words that one word becomes: as written when unknown, split at blanks when it is not quoted."""
    array = _ARRAY.fullmatch(word.text)
    if array is not None and array[1] in reading.arrays:
        return reading.arrays[array[1]]
    quoted = word.text[:1] in ("'", '"')
    value = _value(word, reading)
    if value is None:
        variable = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", word.text)
        written = reading.written.get(variable[1] or variable[2]) if variable is not None else None
        if written is None or nested > 2:
            return [word.text]
        return [
            part
            for each in _SPLIT.findall(written)
            for part in _expanded(shell.Word(each, 0, 0), reading, nested + 1)
        ]
    if not quoted and re.search(r"[*?]", value):
        value = _FILLED_IN + value
    return [value] if "$" not in word.text or quoted else value.split()


def calls_in_argv(argv: Sequence[str], variables: Mapping[str, str | None]) -> tuple[JavaCall, ...]:
    """The `java` calls of an exec-form command."""
    return tuple(_calls(argv, variables, False, set()))


def _calls(
    argv: Sequence[str], variables: Mapping[str, str | None], background: bool, read: set[str]
) -> list[JavaCall]:
    script = shell_script(argv)
    if script is not None:
        return _in_script(_unquoted(script), variables, read)
    for position, word in enumerate(argv):
        if is_java(word):
            return [_call(argv[position + 1 :], background)]
        if word.rsplit("/", 1)[-1] in SHELLS:
            inner = shell_script(argv[position:])
            if inner is not None:
                return _in_script(_unquoted(inner), variables, read)
    return []


def _unquoted(script: str) -> str:
    """The text of a script whose word is not known as a whole: the variables in it stay as they are written."""
    return shell.text_of(shell.Word(script, 0, 0)) if script[:1] == '"' else script


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
        elif word in WITH_VALUE:
            value = words[position + 1] if position + 1 < len(words) else ""
            options += [word, value]
            if word in ("-cp", "-classpath", "--class-path"):
                class_path = value
            position += 1
        elif word.lstrip("\"'").startswith("-") or _all_variable(word):
            options.append(word)
        else:
            break
        position += 1
    rest = list(words[position:])
    target = rest.pop(0) if rest else None
    if target is None and jar_mode and options and _all_variable(options[-1]):
        target = options.pop()  # `-jar $JAR`
    jar = target if jar_mode else None
    return JavaCall(
        jar=_plain(jar) if jar is not None else None,
        main_class=None if jar_mode or target is None else _plain(target),
        class_path=_plain(class_path) if class_path is not None else None,
        options=tuple(map(_plain, options)),
        arguments=tuple(map(_plain, rest)),
        background=background,
        pattern=jar is not None and _FILLED_IN in jar,
    )


def _plain(word: str) -> str:
    return word.replace(_FILLED_IN, "")


def _all_variable(word: str) -> bool:
    """A word like ``$JAVA_OPTS`` or ``"${X}"`` that may stand for any number of options."""
    bare = word.strip("\"'")
    return bare.startswith("$") and not bare.endswith((".jar", ".war"))
