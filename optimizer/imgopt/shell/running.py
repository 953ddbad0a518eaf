"""What a shell text runs: its commands, and those that they run in turn.

``exec``, ``gosu app``, ``timeout 30`` and the like run the command behind them; ``sh -c``, ``eval`` and ``trap`` the text
that they are given; `$( … )` what stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.shell.model import Command, Loop, Script, Word, joined
from imgopt.shell.reader import parse

SHELLS = frozenset({"sh", "bash", "ash", "dash"})
#: Programs that run the command behind them: the options that take the next word, and how many words come before it.
_RUNNING: Mapping[str, tuple[str, int]] = {
    "builtin": ("", 0),
    "busybox": ("", 0),
    "chpst": ("-u -U -e -/ -n -l -L -m -d -o -p -f -c -r -t", 0),
    "chroot": ("", 1),
    "command": ("", 0),
    "doas": ("-u -C", 0),
    "dumb-init": ("-r --rewrite", 0),
    "env": ("-u --unset -C --chdir", 0),
    "exec": ("-a", 0),
    "flock": ("-w -E --timeout", 1),
    "gosu": ("", 1),
    "ionice": ("-c -n -p --class --classdata", 0),
    "nice": ("-n", 0),
    "nohup": ("", 0),
    "runuser": ("-u --user -g --group -G --supp-group -s --shell", 0),
    "s6-setuidgid": ("", 1),
    "setpriv": ("--reuid --regid --groups --inh-caps --ambient-caps --bounding-set", 0),
    "setsid": ("", 0),
    "setuidgid": ("", 1),
    "stdbuf": ("-i -o -e", 0),
    "su-exec": ("", 1),
    "sudo": ("-u -g -h -p -C -T -D -R -r -t --user --group", 0),
    "time": ("-f -o", 0),
    "timeout": ("-s -k --signal --kill-after", 1),
    "tini": ("-p -e", 0),
    "tini-static": ("-p -e", 0),
    "xargs": ("-n -P -I -L -d -s -a -E", 0),
}
#: The program of ``exec "$@"``.
ARGUMENTS = "$@"
_ARGUMENTS = regex(r"\"?\$(?:\{[@*\d][^}]*\}|[@*\d])\"?")
_SUBSTITUTION = regex(r"`([^`\\]*)`|\$\(([^()]*)\)")
_ASKING = frozenset({"-v", "-V", "--version", "--help", "-h"})
_MAX_NESTED = 8
_MAX_WRAPPERS = 20  # behind each other
_MAX_TEXT = 32_768  # characters of a text among a command's words
_MAX_COMMANDS = 20_000


@dataclass(frozen=True)
class Started:
    """A command that a shell text runs.

    ``programs`` are what it may be, without directories: one, or each value of the variable that names it; `ARGUMENTS`
    where it runs those that the script was given; empty where that only shows when it runs. ``own``: it calls a
    function of the same script.
    """

    command: Command
    programs: tuple[str, ...]
    own: bool = False


@lru_cache(maxsize=64)
def started(text: str, functions: frozenset[str] = frozenset()) -> tuple[Started, ...]:
    """Every command that a shell text runs, as far as it tells; those in functions that it defines, too.

    ``functions`` are those that it has from elsewhere, of a script that it reads.
    """
    found: list[Started] = []
    for each in _started(text, 0, functions):
        found.append(each)
        if len(found) == _MAX_COMMANDS:
            found.append(Started(each.command, ()))
            break
    return tuple(found)


@lru_cache(maxsize=64)
def all_commands(text: str) -> tuple[Command, ...]:
    """Commands of a shell text, those inside `sh -c` and behind `exec`, `nohup` … included."""
    return tuple(each.command for each in started(text) if not each.command.inner)


@lru_cache(maxsize=64)
def redefined(text: str) -> frozenset[str]:
    """The names that mean something else than a program here: functions, certain or not, and aliases."""
    script = parse(text)
    names = {function.name for function in script.functions}
    for command in script.commands:
        if command.program == "alias":
            names.update(
                word.text.partition("=")[0].strip("\"'") for word in command.args if "=" in word.text
            )
    return frozenset(names)


def _started(text: str, nested: int, given: frozenset[str]) -> Iterator[Started]:
    script = parse(text)
    own = _Own(script, given)
    assigned = _assigned(script)
    for command in (*script.commands, *script.inner):
        yield from _with_inner(command, own, assigned, nested)


def _with_inner(
    command: Command, own: _Own, assigned: Mapping[str, tuple[str, ...] | None], nested: int
) -> Iterator[Started]:
    """A command, and what it runs in turn."""
    outer = command
    for _ in range(_MAX_WRAPPERS):
        calls = own.calls(command) and command is outer  # `exec` and the like know no functions
        yield Started(command, _programs(command.words[0], assigned) if command.words else (), calls)
        if calls or not command.words:
            return
        for text, same in _texts(command):
            if nested == _MAX_NESTED or len(text) > _MAX_TEXT or parse(text).broken:
                yield Started(command, ())
                continue
            for each in _started(text, nested + 1, own.names if same else frozenset()):
                inner = each.command.inner or command.inner
                yield replace(each, command=replace(each.command, inner=inner))
        behind = _behind(command)
        if behind is None:
            return
        command = behind
    yield Started(command, ())


class _Own:
    """The functions that a script has: those that it surely defines, and ``given`` ones."""

    def __init__(self, script: Script, given: frozenset[str]) -> None:
        self._given = given
        self._functions = {function.name: function for function in script.functions if function.certain}
        self._calls = tuple(
            command.start
            for command in (*script.commands, *script.inner)
            if command.function is None and command.name in self._functions
        )
        self.names = given | self._functions.keys()

    def calls(self, command: Command) -> bool:
        """Whether a command surely calls one of them."""
        if command.name in self._given:
            return True
        function = self._functions.get(command.name or "")
        if function is None or function.start < command.start:
            return function is not None
        caller = self._functions.get(command.function or "")
        # a function may call one that is defined below it, as long as nothing was called between the two
        return caller is not None and not any(caller.start < call < function.start for call in self._calls)


def _assigned(script: Script) -> dict[str, tuple[str, ...] | None]:
    """The words that each variable of the script begins with, without their directories; None where one is not known."""
    found: dict[str, tuple[str, ...] | None] = {}
    for command in (*script.commands, *script.inner):
        words = list(command.assignments) if not command.words else []
        if command.program in ("export", "local", "readonly", "declare", "typeset"):
            words += [word for word in command.args if "=" in word.text]
        elif command.program in ("read", "getopts", "mapfile", "readarray", "printf", "eval", "unset"):
            for word in command.args:
                found[word.text.strip("\"'")] = None
        for word in words:
            name, _, value = word.text.partition("=")
            first = first_word(value)
            before = found.get(name.rstrip("+"), ())
            if name.endswith("+") and before:
                continue
            name = name.rstrip("+")
            found[name] = None if first is None or before is None else (*before, first)
    _loops(script.nodes, found)
    return found


def _loops(nodes: Sequence[Command | Loop], found: dict[str, tuple[str, ...] | None]) -> None:
    for node in nodes:
        if isinstance(node, Loop):
            firsts = [first_word(word.text) for word in node.words]
            known = tuple(first for first in firsts if first is not None)
            found[node.variable] = known if len(known) == len(firsts) and node.words else None
            _loops(node.body, found)


def first_word(value: str) -> str | None:
    """The program that a variable's value begins with, where it is one: ``java``, ``"$JAVA_HOME/bin/java -Xmx1g"``."""
    value = value.removeprefix("(").strip()
    bare = value[1:] if value[:1] in ("'", '"') else value
    first = (bare.split() or [""])[0]
    return ARGUMENTS if _ARGUMENTS.fullmatch(first.rstrip("\"')")) else _last_part(first.rstrip(")"))


def _last_part(word: str) -> str | None:
    name = word.strip("\"'").rsplit("/", 1)[-1]
    return name if re.fullmatch(r"[\w.+\-\[:]+", name) else None


def _programs(word: Word, assigned: Mapping[str, tuple[str, ...] | None]) -> tuple[str, ...]:
    literal = word.literal
    if literal is not None:
        return (literal.rsplit("/", 1)[-1],) if literal else ()
    if _ARGUMENTS.fullmatch(word.text):
        return (ARGUMENTS,)
    substituted = _SUBSTITUTION.fullmatch(word.text)
    if substituted is not None:
        commands = parse(substituted[1] or substituted[2] or "").commands
        silent = bool(commands) and all(map(_prints_nothing, commands))
        return (commands[-1].program or "",) if silent else ()
    if "$(" not in word.text and "`" not in word.text:
        last = _last_part(re.sub(r"\$\{[^{}]*\}", "$x", word.text)) if "/" in word.text else None
        if last is not None:
            return (last,)
        variable = re.fullmatch(r"\"?\$(?:\{(\w+)(?:\[[@*0]\])?(?::?[-=]([^{}]*))?\}|(\w+))\"?", word.text)
        if variable is not None:
            values = assigned.get(variable[1] or variable[3])
            fallback = first_word(variable[2]) if variable[2] else None
            if values and all(values):
                return tuple(dict.fromkeys((*values, *((fallback,) if fallback else ()))))
    return ()


def _prints_nothing(command: Command) -> bool:
    """Whether a command is one that only answers with its exit code: ``while ! $(nc -z db 5432)``."""
    words = [word.text for word in command.args]
    if command.program in ("[", "test", "true", "false"):
        return True
    if command.program == "grep":
        return any(re.fullmatch(r"-\w*q\w*", word) for word in words)
    return command.program == "nc" and any(re.fullmatch(r"-\w*z\w*", word) for word in words)


def _behind(command: Command) -> Command | None:
    """The command that another one runs with the words behind it."""
    program = command.program
    settings = _RUNNING.get(program or "")
    words = list(command.words[1:])
    if program == "find":
        at = next((n for n, word in enumerate(words) if word.text in ("-exec", "-execdir", "-ok")), None)
        rest = words[at + 1 :] if at is not None else []
        return _of(command, rest) if rest else None
    if settings is None:
        return None
    valued, before = frozenset(settings[0].split()), settings[1]
    while words and (words[0].text.startswith("-") or (program in ("env", "sudo") and "=" in words[0].text)):
        option = words.pop(0).text
        if program == "command" and option in _ASKING:
            return None
        if option == "--":
            break
        if option in valued and words:
            words.pop(0)
    words = words[before:]
    if words and words[0].text == "--":
        words = words[1:]
    return _of(command, words) if words else None


def _of(command: Command, words: Sequence[Word]) -> Command:
    return replace(command, assignments=(), words=tuple(words), redirects=(), start=words[0].start)


def texts_of(command: Command) -> tuple[str, ...]:
    """The shell texts that a command runs, also behind `exec` and the like: of `sh -c`, `su -c`, `eval`, `trap`."""
    found: list[str] = []
    for _ in range(_MAX_WRAPPERS):
        found += [text for text, _ in _texts(command) if len(text) <= _MAX_TEXT]
        behind = _behind(command)
        if behind is None:
            break
        command = behind
    return tuple(found)


def _texts(command: Command) -> Iterator[tuple[str, bool]]:
    """The shell text among a command's words, and whether the same shell runs it."""
    program, words = command.program, command.words
    if program in SHELLS:
        written = [word.literal if word.literal is not None else word.text for word in words]
        found = shell_script(written)
        if found is not None:
            yield (
                text_of(next(word for word, text in zip(words, written, strict=True) if text == found)),
                False,
            )
    elif program in ("su", "runuser"):
        for word, following in pairwise(words):
            if word.text in ("-c", "--command"):
                yield text_of(following), False
    elif program == "eval":
        yield " ".join(text_of(word) for word in command.args), True
    elif program == "trap" and command.args and command.args[0].text not in ("-", "''", '""', "-p", "-l"):
        first = command.args[1:] if command.args[0].text == "--" else command.args
        if len(first) > 1:
            yield text_of(first[0]), True


def text_of(word: Word) -> str:
    """The shell text that a word holds, variables that are filled in before as they are written."""
    if word.literal is not None:
        return word.literal
    text = joined(word.text)
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\([\"\\$`])", r"\1", text[1:-1])
    return text


def shell_script(argv: Sequence[str]) -> str | None:
    """The script of ``sh -c SCRIPT`` (also ``-ec``, ``-ce``, ``-o pipefail -c``), or None."""
    if not argv or argv[0].rsplit("/", 1)[-1] not in SHELLS:
        return None
    position, commanded = 1, False
    while position < len(argv) and argv[position][:1] in ("-", "+"):
        word = argv[position]
        position += 1
        if word in ("-", "--"):
            break
        if word.startswith("--"):
            continue
        commanded = commanded or (word[0] == "-" and "c" in word)
        position += sum(letter in "oO" for letter in word)  # each takes a word
    return argv[position] if commanded and position < len(argv) else None
