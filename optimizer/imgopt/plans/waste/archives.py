"""Archives that stay in the final image beside what was unpacked from them.

Paths are compared as they are written, variables that nobody knows included: within one file the same words mean the
same place.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.finding import Reason, Refused, Sentence, because
from imgopt.light.records import dataclass, field, replace
from imgopt.os_packages import commands as packages
from imgopt.picture.paths import normal
from imgopt.picture.runs import Run, appended, in_place, runs_of, script_called
from imgopt.scales import Applicability

if TYPE_CHECKING:
    from imgopt.dockerfile import Edit, Instruction
    from imgopt.picture import Picture
    from imgopt.picture.contents import File, Layer

TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst")
PACKAGES = (".deb", ".rpm", ".apk")
ARCHIVES = (*TAR, *PACKAGES, ".zip", ".7z")
#: Letters of curl's and wget's short options that take a value.
_CURL_VALUES = frozenset("oHAebcCdDEFhKmPQrtTuUwxXyYz")
_WGET_VALUES = frozenset("OPoaieBtTwQUDARlIX")
_INSTALLERS = frozenset({"dpkg", "rpm", "gdebi"})
_DECOMPRESSORS: Mapping[str, str] = {
    "gunzip": ".gz",
    "gzip": ".gz",
    "bunzip2": ".bz2",
    "unxz": ".xz",
    "xz": ".xz",
}


@dataclass(frozen=True)
class Archive:
    """An archive at a path of the final image. ``file`` is None where it is not there to be measured; ``unpacked``
    is the RUN that unpacks it, ``word`` its path there. ``edits`` remove it where that can be done."""

    path: str
    brought: Instruction
    kind: str  # "downloaded" by a RUN, "copied" by COPY or ADD, "added" from a URL
    file: File | None
    unpacked: Run | None = None
    command: shell.Command | None = None
    word: shell.Word | None = None
    description: str | Sentence = ""
    applicability: Applicability = Applicability.MANUAL
    edits: tuple[Edit, ...] = ()
    risk: Reason | None = None

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def is_named_in(self, text: str) -> bool:
        written = (
            posixpath.basename(re.sub(r"[\"']", "", self.word.text)) if self.word is not None else self.name
        )
        return self.name in text or written in text


class _No(Refused):
    """Carries what the author has to do where no edit can be made."""


def kept_archives(picture: Picture) -> Iterator[Archive]:
    """Every archive that the final image holds beside its unpacked form."""
    for archive in _Follower(picture).follow():
        if archive.unpacked is None:
            continue
        try:
            yield _removed(picture, archive)
        except _No as error:
            yield replace(archive, description=error.reason)


@dataclass
class _Follower:
    """Goes through the final image's instructions and keeps the archives that are there."""

    picture: Picture
    found: dict[str, Archive] = field(default_factory=dict)
    cwd: str = "/"

    def follow(self) -> list[Archive]:
        runs = {run.instruction.number: run for run in runs_of(self.picture.final)}
        for instruction in self.picture.final.instructions():
            if instruction.keyword == "WORKDIR":
                self.cwd = _join(
                    self.cwd, self.picture.expand(instruction, instruction.text) or instruction.text
                )
            elif instruction.keyword in ("COPY", "ADD"):
                self._copy(instruction, self.picture.layer_of(instruction))
            elif instruction.keyword == "RUN":
                self._run(runs[instruction.number])
        return list(self.found.values())

    def _copy(self, instruction: Instruction, layer: Layer | None) -> None:
        unpack = instruction.flag("unpack")
        if instruction.heredocs or len(instruction.words) < 2 or (unpack and unpack.value != "false"):
            return
        files = [file for file in layer.files if file.path.endswith(ARCHIVES)] if layer is not None else []
        for file in files:
            measured = file if file.origin is not None else None
            self.found[file.path] = Archive(file.path, instruction, "copied", measured)
        if files:
            return
        words = [
            (self.picture.expand(instruction, word.text) if instruction.json is None else word.text)
            or word.text
            for word in instruction.words
        ]
        target = _join(self.cwd, words[-1])
        for source in words[:-1]:
            url = re.match(r"https?://", source) is not None
            name = posixpath.basename(re.sub(r"[?#].*", "", source) if url else source)
            if not name.endswith(ARCHIVES) or (
                instruction.keyword == "ADD"
                and not url
                and name.endswith(TAR)
                and not instruction.flag("from")
            ):
                continue  # ADD unpacks a tar archive of the context itself
            into = words[-1].endswith("/") or not target.endswith(ARCHIVES)
            path = _join(target, name) if into else target
            self.found[path] = Archive(path, instruction, "added" if url else "copied", None)

    def _run(self, run: Run) -> None:
        if run.script.broken:
            self.found.clear()
            return
        scope = self.picture.scope(run.instruction)
        cwd = self.cwd
        for command in run.commands:
            spoken = command.words[1:] if command.program == "sudo" else command.words
            words = [_text(word, scope) for word in spoken]
            program = posixpath.basename(words[0]) if words else ""
            arguments = words[1:]
            plain = [word for word in arguments if not word.startswith("-")]
            if program == "cd" and arguments:
                cwd = _join(cwd, arguments[0])
            elif program in ("curl", "wget"):
                path = _downloaded(program, arguments)
                if path is None and program == "curl":
                    path = next((_text(word, scope) for sign, word in command.redirects if sign == ">"), None)
                where = _join(cwd, path) if path is not None else "/dev/null"
                if not where.startswith("/dev/") and run.keeps(where):
                    self.found[where] = Archive(where, run.instruction, "downloaded", None)
            elif program in ("rm", "unlink") or (program == "find" and {"-delete", "rm"} & set(arguments)):
                self._forget([_join(cwd, word) for word in plain])
            elif program == "mv":
                self._forget([_join(cwd, word) for word in plain[:-1]])
            elif program in _DECOMPRESSORS:
                self._decompressed(_DECOMPRESSORS[program], [_join(cwd, word) for word in arguments])
            elif (index := _unpacked(program, words)) is not None:
                word, path = spoken[index], words[index]
                if path.startswith("--file="):
                    path = path.removeprefix("--file=")
                    word = shell.Word(word.text.partition("=")[2], word.start + len("--file="), word.end)
                self._mark(run, command, word, _join(cwd, path))
            else:
                called = script_called(run, command)
                if called is not None and (called[1] is None or re.search(r"\brm\b", called[1])):
                    # it may remove what this RUN has brought
                    self._forget(
                        [path for path, found in self.found.items() if found.brought is run.instruction]
                    )

    def _forget(self, paths: Sequence[str]) -> None:
        for archive in list(self.found):
            # a file of that name elsewhere counts too: `cd` inside a block is not followed exactly
            same = {posixpath.basename(path) for path in paths}
            if posixpath.basename(archive) in same or any(_is_or_holds(path, archive) for path in paths):
                del self.found[archive]

    def _decompressed(self, ending: str, paths: Sequence[str]) -> None:
        for path in paths:
            archive = self.found.pop(path, None)
            if archive is not None and path.endswith(ending):
                bare = path[: -len(ending)]
                self.found[bare] = replace(archive, path=bare)

    def _mark(self, run: Run, command: shell.Command, word: shell.Word, path: str) -> None:
        for name, archive in self.found.items():
            if name == path or fnmatchcase(name, path):
                self.found[name] = replace(archive, unpacked=run, command=command, word=word)


def _text(word: shell.Word, scope: Mapping[str, str | None]) -> str:
    value = word.value(scope)
    return value if value is not None else re.sub(r"[\"']", "", word.text)


def _join(directory: str, path: str) -> str:
    return normal(path) if path.startswith(("$", "~")) else normal(posixpath.join(directory, path))


def _is_or_holds(path: str, archive: str) -> bool:
    """Whether removing the path removes the archive: its own name, a pattern, a directory above."""
    return fnmatchcase(archive, path) or archive == path or archive.startswith(path.rstrip("/") + "/")


def _downloaded(program: str, arguments: Sequence[str]) -> str | None:
    """Where curl or wget puts what it downloads, or None when that cannot be told or is the standard output."""
    values = _CURL_VALUES if program == "curl" else _WGET_VALUES
    letter, options = ("o", ("--output",)) if program == "curl" else ("O", ("--output-document",))
    output: str | None = None
    directory = ""
    named = program == "wget"
    urls: list[str] = []
    position = 0
    while position < len(arguments):
        word = arguments[position]
        following = arguments[position + 1] if position + 1 < len(arguments) else ""
        position += 1
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name in (*options, "--directory-prefix", "--output-dir"):
                position += 0 if equals else 1
                if name in options:
                    output = value or following
                else:
                    directory = value or following
            elif name in ("--remote-name", "--remote-name-all"):
                named = True
            elif name in (
                "--header",
                "--user-agent",
                "--retry",
                "--connect-timeout",
                "--max-time",
                "--user",
                "--tries",
            ):
                position += 0 if equals else 1
        elif word.startswith("-") and len(word) > 1:
            for at, sign in enumerate(word[1:], 1):
                if program == "curl" and sign == "O":
                    named = True
                if sign in values:
                    value = word[at + 1 :] or following
                    position += 0 if word[at + 1 :] else 1
                    if sign == letter:
                        output = value
                    elif sign == "P" and program == "wget":
                        directory = value
                    break
        else:
            urls.append(word)
    if output is not None:
        return posixpath.join(directory, output) if output != "-" else None
    if named and len(urls) == 1:
        name = posixpath.basename(re.sub(r"[?#].*", "", urls[0]))
        return posixpath.join(directory, name) if name and "://" in urls[0] else None
    return None


def _unpacked(program: str, words: Sequence[str]) -> int | None:
    """The index of the word that names the archive a command unpacks or installs."""
    if program in ("tar", "bsdtar"):
        return _tar_file(words)
    if program in ("unzip", "7z", "7za", "unrar"):
        plain = [
            index
            for index, word in enumerate(words)
            if index
            and not word.startswith("-")
            and words[index - 1] not in ("-d", "-P")
            and word not in ("x", "e")
        ]
        return plain[0] if plain and not {"-l", "-t", "-p", "-v"} & set(words) else None
    if program in _INSTALLERS or packages.MANAGERS.get(program):
        files = [index for index, word in enumerate(words) if index and word.endswith(PACKAGES)]
        installs = {
            "-i",
            "--install",
            "-U",
            "-ivh",
            "-Uvh",
            "install",
            "localinstall",
            "add",
            "--upgrade",
        } & set(words)
        return (
            files[0]
            if len(files) == 1 and "://" not in words[files[0]] and (installs or program == "gdebi")
            else None
        )
    return None


def _tar_file(words: Sequence[str]) -> int | None:
    extracts = False
    file: int | None = None
    for index, word in enumerate(words):
        if not index:
            continue
        if word in ("--extract", "--get"):
            extracts = True
        elif word == "--file":
            file = index + 1
        elif word.startswith("--file="):
            file = index
        elif re.fullmatch(r"-[a-zA-Z]+", word) or (index == 1 and re.fullmatch(r"[a-zA-Z]+", word)):
            extracts = extracts or "x" in word
            if word.endswith("f"):
                file = index + 1
            elif "f" in word and index == 1 and not word.startswith("-"):
                file = index + 1  # `tar xfz FILE`: the old style takes its values in order
            elif "f" in word and word.startswith("-"):
                file = index + 1 if word[-1] in "zvjJ" else None
    if not extracts or file is None or file >= len(words) or words[file] in ("-", "--file=-"):
        return None
    return file


# removing one


def _removed(picture: Picture, archive: Archive) -> Archive:
    run, command, word = archive.unpacked, archive.command, archive.word
    assert run is not None and command is not None and word is not None
    name = archive.name
    if archive.kind == "added":
        raise _No(
            "ADD does not unpack what it downloads: download, unpack and remove {} in one RUN, or do it in its own stage",
            name,
        )
    if archive.kind == "copied":
        if name.endswith(TAR) and not archive.brought.flag("from"):
            raise _No(
                "use ADD, which unpacks a tar archive of the context itself, and keeps nothing of {}", name
            )
        if name.endswith(PACKAGES):
            raise _No(
                "install {} from a mount (RUN --mount=type=bind), which leaves nothing in the image", name
            )
        raise _No("unpack {} in its own stage and copy the result, or mount it (RUN --mount=type=bind)", name)
    if archive.brought is not run.instruction:
        raise _No("download, unpack and remove {} in one RUN: another layer cannot take it out again", name)
    last = _last_use(run, archive)
    if last is None:
        raise _No("remove {} in {} once it is unpacked", name, run.instruction)
    risk = _still_used(picture, archive, run, last)
    sudo = "sudo " if command.program == "sudo" else ""
    return replace(
        archive,
        description=f"remove {name} once it is unpacked",
        applicability=Applicability.UNSAFE if risk else Applicability.SAFE,
        edits=(appended(picture.document, run, last, f"{sudo}rm {word.text}"),),
        risk=risk,
    )


def _last_use(run: Run, archive: Archive) -> shell.Command | None:
    """The last command of the RUN that names the archive, if it can be removed behind it by the same word."""
    command, word = archive.command, archive.word
    assert command is not None and word is not None
    since = [each for each in run.commands if each.start >= command.start]
    naming = [each for each in since if archive.is_named_in(run.script.text[each.start : each.end])]
    if not naming or not re.fullmatch(r"[\w.$+{}~@%=-]+", archive.name):
        return None  # a name that may be written in many ways: whether others use it cannot be told
    last = naming[-1]
    between = [each for each in since if command.start < each.start <= last.start]
    variables = {f"{name}=" for name in re.findall(r"\$\{?(\w+)", word.text)}
    moved = not re.match(r"[\"']?[/$~]", word.text) and any(
        each.program in ("cd", "pushd") for each in between
    )
    changed = any(set_.text.startswith(tuple(variables)) for each in between for set_ in each.assignments)
    sure = all(in_place(each) and each.follows != "||" for each in (command, last))
    if (
        not run.editable
        or not sure
        or moved
        or (variables and changed)
        or re.search(r"[*?\[`]|\$\(", word.text)
    ):
        return None
    return last


def _takes(command: shell.Command, archive: Archive) -> bool:
    """Whether a command takes the archive along without naming it: by a pattern, or with its directory."""
    if command.program not in ("cp", "tar", "zip", "rsync", "ls", "cat", "sha256sum", "install", "ln"):
        return False
    for word in command.args:
        path = word.literal or word.text
        pattern = re.search(r"[*?\[]", path) is not None
        if pattern and fnmatchcase(archive.name, posixpath.basename(path)):
            return True
        if path in (".", "./") or (not pattern and posixpath.dirname(archive.path) == normal(path)):
            return True
    return False


def _still_used(picture: Picture, archive: Archive, run: Run, last: shell.Command) -> Reason | None:
    """What is not known of the commands that come later. Raises `_No` where one of them uses the archive."""
    document = picture.document
    for instruction in document.instructions:
        if instruction.number <= run.instruction.number and instruction.keyword != "ENV":
            continue
        texts = (instruction.text, *(heredoc.body for heredoc in instruction.heredocs))
        if any(archive.is_named_in(text) for text in texts):
            raise _No("{} names {}, too", instruction, archive.name)
        if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is not None:
            paths = [normal("/" + source.text) for source in instruction.words[:-1]]
            if any(path != "/" and _is_or_holds(path, archive.path) for path in paths):
                raise _No("{} copies the directory that {} lies in", instruction, archive.name)
    if any(archive.is_named_in(text) for _, text in picture.start_scripts):
        raise _No("a script in the image names {}, too", archive.name)
    rest = [(run, command) for command in run.commands if command.start > last.start]
    later = [
        (other, command)
        for other in runs_of(picture.final)
        if other.line > run.line
        for command in other.commands
    ]
    for other, command in (*rest, *later):
        if _takes(command, archive):
            raise _No("{} takes {} along with others", other.instruction, archive.name)
        called = script_called(other, command)
        if called is not None and called[1] is None:
            return because(
                "unseen",
                "{} runs {}, which was not read and may use {}",
                other.instruction,
                called[0],
                archive.name,
            )
        if called is not None and archive.is_named_in(called[1] or ""):
            raise _No("{}, which {} runs, names {}, too", called[0], other.instruction, archive.name)
    return None
