"""What a container runs when it starts: the shell that reads it, the functions and programs that come with it, and what
cannot be told before."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import assignments
from imgopt.files.opening import open_file
from imgopt.finding import Reason, because
from imgopt.java.building import WRAPPERS
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.class_paths import running_options
from imgopt.picture.picture import once
from imgopt.picture.scripts import reader_of

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.picture import Picture
    from imgopt.picture.contents import File

#: What bash has and POSIX has not; of these BusyBox's `sh` knows some.
BASH_WORDS = frozenset(
    "(( [[ bind builtin caller compgen complete compopt coproc declare dirs disown enable function help history let "
    "logout mapfile popd pushd readarray select shopt source suspend typeset".split()
)
#: Directories in which a program is looked for.
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
#: What is mounted there when a container starts are settings: variables.
_SETTINGS = regex(
    r"(?:/var)?/run/secrets/|/vault/secrets/|(?:^|[/.])env$|\.env$|/etc/(?:profile|environment)\b"
)
_MAX_SOURCED = 20
_ON_ERROR = ("-XX:OnOutOfMemoryError", "-XX:OnError")


@dataclass(frozen=True)
class Text:
    """Shell text of the final image. ``functions`` are those that it has from scripts that it reads (`. lib.sh`)."""

    where: str | Instruction
    text: str
    bash: bool
    functions: frozenset[str] = frozenset()
    file: File | None = None


@once
def script_texts(picture: Picture) -> tuple[Text, ...]:
    """The scripts that the final stage copies and that a shell reads: those of a build that nothing starts
    (mvnw, gradlew) are none of the container's."""
    started = {file.path for file, _ in picture.started_scripts}
    found: list[Text] = []
    for file, text in picture.start_scripts:
        if posixpath.basename(file.path) in WRAPPERS and file.path not in started:
            continue
        reader = reader_of(text)
        if reader is None or reader in shell.SHELLS:
            bash = reader == "bash" or "bash" in _readers(picture, file)
            functions = _functions(picture, text)
            found.append(Text(f"the script {file.path}", text, bash, functions, file))
    return tuple(found)


@once
def other_scripts(picture: Picture) -> tuple[tuple[File, str], ...]:
    """Copied scripts that no shell reads, with the program that does."""
    found = []
    for file, text in picture.start_scripts:
        reader = reader_of(text)
        if reader is not None and reader not in shell.SHELLS:
            found.append((file, reader))
    return tuple(found)


def is_bash(picture: Picture, instruction: Instruction | str) -> bool:
    """Whether bash reads the shell text of an instruction, or of a command that another file says."""
    if isinstance(instruction, str):
        return any(each.bash for each in picture.running.processes if each.where == instruction)
    if instruction.keyword == "RUN":
        words = picture.script_of(instruction).shell
    elif instruction.json is not None:
        words = instruction.json
    else:
        words = picture.settings[instruction.number].shell
    return bool(words) and posixpath.basename(words[0]) == "bash"


def _readers(picture: Picture, file: File) -> frozenset[str]:
    """The shells that the container's commands give a script to."""
    name = posixpath.basename(file.path)
    texts = [process.text for process in picture.running.processes]
    texts += [text for _, text in picture.start_scripts]
    return frozenset(
        each.command.program
        for text in texts
        if name in text
        for each in shell.started(text)
        if each.command.program in shell.SHELLS
        and any(posixpath.basename(word.literal or "") == name for word in each.command.args)
    )


def _sourced(text: str) -> Iterator[shell.Word]:
    """The files that a script reads into itself."""
    for each in shell.started(text):
        if each.command.program in (".", "source") and each.command.args:
            yield each.command.args[0]


def _read(picture: Picture, word: shell.Word) -> str | None:
    """The text of a copied script that a script reads: by its name, where its directory is only known when it runs."""
    name = re.sub(r"[\"'}]+$", "", word.text).rpartition("/")[2].strip("\"'")
    return next((text for file, text in picture.start_scripts if posixpath.basename(file.path) == name), None)


def _functions(picture: Picture, text: str) -> frozenset[str]:
    found: set[str] = set()
    waiting, read = [text], {text}
    while waiting and len(read) < _MAX_SOURCED:
        for word in _sourced(waiting.pop()):
            other = _read(picture, word)
            if other is not None and other not in read:
                read.add(other)
                waiting.append(other)
                found.update(each.name for each in shell.parse(other).functions if each.certain)
    return frozenset(found)


@once
def brought(picture: Picture) -> Mapping[str, File]:
    """The programs that the Dockerfile itself puts to where programs are looked for."""
    directories = {*_PATH}
    for instruction in picture.final.instructions():
        if instruction.keyword == "ENV":
            for assignment in assignments(instruction):
                if assignment.name == "PATH":
                    parts = (assignment.value or "").strip("\"'").split(":")
                    known = (picture.expand(instruction, part) if "$" in part else part for part in parts)
                    directories.update(part.rstrip("/") for part in known if part and part.startswith("/"))
    return {
        posixpath.basename(path): file
        for path, file in picture.known_files.items()
        if posixpath.dirname(path) in directories
    }


def copied_program(picture: Picture, name: str) -> File | None:
    """The copied file that a command's name means, by its path or through PATH."""
    if "/" not in name:
        return brought(picture).get(name)
    return picture.known_files.get(picture.at_start(name))


def is_read(picture: Picture, name: str) -> bool:
    """Whether a command's name means a copied script."""
    file = copied_program(picture, name)
    return any(file is script for script, _ in picture.start_scripts)


def is_understood(picture: Picture, file: File) -> bool:
    """Whether a copied program was read: a script, or a program that brings its own C library."""
    if any(file is script for script, _ in picture.start_scripts):
        return True
    return _is_static(file)


def _is_static(file: File) -> bool:
    if file.origin is None:
        return False
    from imgopt.java.natives import examine

    try:
        with open_file(file.origin) as stream:
            if stream.read(4) != b"\x7fELF":
                return False

            def read(at: int, size: int) -> bytes:
                stream.seek(at)
                return stream.read(size)

            native = examine(read, file.path, None, file.origin.stat().st_size, ())
    except OSError:
        return False
    return native is not None and native.os == "linux" and native.interpreter is None and not native.needed


def programs_of(picture: Picture, each: shell.Started) -> tuple[str, ...]:
    """What a command may be, also where the environment names it; empty where that only shows when it runs."""
    if each.programs or not each.command.words:
        return each.programs
    variable = re.fullmatch(r"\"?\$(?:(\w+)|\{(\w+)\})\"?", each.command.words[0].text)
    if variable is None:
        return ()
    name = variable[1] or variable[2]
    values = dict.fromkeys(process.environment.get(name) for process in picture.running.processes)
    first = [
        shell.first_word(value) if value else None for value in values or [picture.environment.get(name)]
    ]
    known = tuple(word for word in first if word is not None)
    return known if len(known) == len(first) else ()


def called_by_java(picture: Picture) -> Iterator[Text]:
    """The commands that the virtual machine itself runs, in `sh`, when it ends with an error."""
    for option in running_options(picture):
        name, _, value = option.text.partition("=")
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1]:
            value = value[1:-1]
        if name in _ON_ERROR and value and not shell.parse(value).broken:
            yield Text(option.where, value, False)


def unknown_runs(picture: Picture) -> Iterator[Reason]:
    """What runs in the container that nobody can tell before it does."""
    texts = [Text(where, text, is_bash(picture, where)) for where, text in picture.start_texts]
    texts += [Text(check.where, check.text, check.bash) for check in picture.running.checks]
    started = {file.path for file, _ in picture.started_scripts}
    texts += [each for each in script_texts(picture) if each.file is not None and each.file.path in started]
    for each in texts:
        if shell.parse(each.text).broken:
            yield because("not-known", "{} holds shell text that could not be read", each.where)
        yield from _unknown_runs(picture, each)
    for file, reader in other_scripts(picture):
        if file.path in started:
            yield because(
                "not-known",
                "the script {} is written for {}, and what it runs is not followed",
                file.path,
                reader,
            )


def _unknown_runs(picture: Picture, source: Text) -> Iterator[Reason]:
    where = source.where
    if "java" in shell.redefined(source.text):
        yield because("not-known", "{} gives `java` its own meaning", where)
    for each in shell.started(source.text, source.functions):
        command = each.command
        if each.own:
            continue
        if not command.words:
            for word in command.assignments:
                yield from _other_path(where, word)
        elif not programs_of(picture, each):
            yield because(
                "not-known",
                "{} runs `{}`, and which program that is only shows when it runs",
                where,
                _short(command.words[0].text),
            )
        elif command.program == "export":
            for word in command.args:
                yield from _other_path(where, word)
        elif command.program in (".", "source") and command.args:
            word = command.args[0]
            bare = word.text.strip("\"'")
            if _read(picture, word) is None and not _SETTINGS.search(bare):
                yield because(
                    "unseen", "{} reads commands from {}, which is not in the build context", where, bare
                )


def _other_path(where: str | Instruction, word: shell.Word) -> Iterator[Reason]:
    name, equals, value = word.text.partition("=")
    if (
        name == "PATH"
        and equals
        and "PATH" not in value
        and not re.search(r"(?:^|[:\"'])/(?:usr/)?bin(?:$|[:\"'])", value)
    ):
        yield because("not-known", "{} looks for programs in {} alone", where, value.strip("\"'"))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
