"""Which paths of the image a RUN may read or write, as far as its text tells.

Used to show that a RUN and a COPY have nothing to do with each other. A command that is not known may do anything,
and so may one whose paths cannot be told. Package managers and the like stay within the system's own directories.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.paths import join, normal

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.picture.picture import Picture

#: Top-level directories of the Filesystem Hierarchy Standard, and those of Java images that bring a program of their own.
_SYSTEM = frozenset(
    {
        "bin",
        "boot",
        "deployments",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "lost+found",
        "media",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "srv",
        "sys",
        "tmp",
        "usr",
        "var",
    }
)
#: System directories in which a directory of the application's own may stand.
_SHARED = ("/opt", "/srv", "/usr/src", "/usr/local/src")
#: What images from outside keep there.
_TAKEN = regex(
    r"java|jdk|jre|open|ibm|oracle|graal|zulu|jboss|maven|gradle|agent|jolokia|prometheus|s2i|ol\b"
)

_SILENT = frozenset(
    {
        ":",
        "command",
        "date",
        "echo",
        "exit",
        "export",
        "false",
        "hash",
        "id",
        "printf",
        "pwd",
        "set",
        "shift",
        "sleep",
        "sync",
        "true",
        "type",
        "umask",
        "uname",
        "unset",
        "wait",
        "which",
        "whoami",
    }
)
_PACKAGES = frozenset(
    {
        "add-apt-repository",
        "apk",
        "apt",
        "apt-get",
        "apt-key",
        "dnf",
        "dpkg",
        "microdnf",
        "rpm",
        "tdnf",
        "yum",
        "zypper",
    }
)
_SYSTEM_TOOLS = frozenset(
    {
        "dpkg-reconfigure",
        "fc-cache",
        "ldconfig",
        "locale-gen",
        "localedef",
        "mkfontdir",
        "mkfontscale",
        "update-alternatives",
        "update-ca-certificates",
        "update-ca-trust",
        "update-locale",
    }
)
_NEW_USERS = frozenset({"addgroup", "adduser", "groupadd", "useradd"})
_CHANGED_USERS = frozenset(
    {"chpasswd", "delgroup", "deluser", "groupdel", "groupmod", "passwd", "userdel", "usermod"}
)
#: Commands that read and write what their arguments name.
_FILES = frozenset(
    {
        "[",
        "awk",
        "cat",
        "chgrp",
        "chmod",
        "chown",
        "cp",
        "diff",
        "du",
        "egrep",
        "file",
        "grep",
        "head",
        "install",
        "keytool",
        "ln",
        "ls",
        "md5sum",
        "mkdir",
        "mv",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "sha1sum",
        "sha256sum",
        "sha512sum",
        "stat",
        "tail",
        "tee",
        "test",
        "touch",
        "wc",
    }
)
#: Those that write into the current directory besides.
_WRITING_HERE = frozenset(
    {"bunzip2", "curl", "gunzip", "gzip", "jar", "tar", "unxz", "unzip", "wget", "xz", "zip"}
)
#: Their first argument is a program or a mode, no path.
_FIRST_IS_NO_PATH = frozenset({"awk", "chgrp", "chmod", "chown", "egrep", "grep", "sed"})


@dataclass(frozen=True)
class Reach:
    """``paths``: each with everything below it. ``anything``: why nothing can be told, as a clause."""

    paths: frozenset[str]
    system: bool  # the system's own directories, as package managers write them
    anything: str | None = None
    new_users: bool = False  # users or groups may appear
    changed_users: bool = False  # users or groups may get other numbers

    def meets(self, path: str) -> bool:
        """Whether something at, above or below this path may be read or written."""
        if self.anything is not None or (self.system and not is_own_place(path)):
            return True
        return any(related(path, other) for other in self.paths)


def related(one: str, other: str) -> bool:
    """Whether one path is the other, or lies below it."""
    return contains(one, other) or contains(other, one)


def contains(directory: str, path: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_own_place(path: str) -> bool:
    """Whether a path belongs to an application: no system has it, and no image with nothing but Java."""
    parts = normal(path).strip("/").split("/")
    if parts == [""]:
        return False
    if parts[0] not in _SYSTEM:
        return True
    for shared in _SHARED:
        if path.startswith(shared + "/"):
            return _TAKEN.match(path[len(shared) + 1 :]) is None
    return False


def reach_of(picture: Picture, instruction: Instruction) -> Reach:
    """The reach of a RUN of the final stage's lineage."""
    if any(other.keyword == "SHELL" for other in _before(picture, instruction)):
        return Reach(frozenset(), False, "another shell reads it")
    walk = _Walk(dict(picture.scope(instruction)), picture.workdir_at(instruction))
    for flag in instruction.flags:
        if flag.name == "mount":
            walk.mount(flag.value or "")
    read = picture.script_of(instruction)
    if read.unread is not None:
        return Reach(frozenset(), False, f"what {read.unread} does is not read")
    walk.script(read.text)
    return walk.reach()


def reach_of_commands(picture: Picture, instruction: Instruction, commands: Sequence[shell.Command]) -> Reach:
    """The reach of some commands of a RUN."""
    walk = _Walk(dict(picture.scope(instruction)), picture.workdir_at(instruction))
    walk.nodes(commands)
    return walk.reach()


def _before(picture: Picture, instruction: Instruction) -> Iterator[Instruction]:
    for other in picture.final.instructions():
        if other is instruction:
            return
        yield other


class _Walk:
    def __init__(self, scope: Mapping[str, str | None], cwd: str | None) -> None:
        self.scope = dict(scope)
        self.cwd = cwd
        self.paths: set[str] = set()
        self.system = self.new_users = self.changed_users = False
        self.anything: str | None = None

    def reach(self) -> Reach:
        return Reach(frozenset(self.paths), self.system, self.anything, self.new_users, self.changed_users)

    def mount(self, text: str) -> None:
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name in ("target", "dst", "destination"):
                self._path(value)

    def script(self, text: str) -> None:
        script = shell.parse(text)
        if script.broken:
            self.anything = "it could not be read"
        self.nodes(script.nodes)

    def nodes(self, nodes: Sequence[shell.Command | shell.Loop]) -> None:
        for node in nodes:
            if isinstance(node, shell.Loop):
                self.scope[node.variable] = None
                self.nodes(node.body)
            else:
                self._command(node)

    def _command(self, command: shell.Command) -> None:
        for word in (*command.words, *command.assignments):
            if "$(" in word.text or "`" in word.text:
                self._any("it uses what another command prints")
        for operator, target in command.redirects:
            sign = operator.lstrip("0123456789")
            if sign in ("<<", "<<-", "<<<") or (sign in (">&", "<&") and re.fullmatch(r"\d|-", target.text)):
                continue
            if not target.text.startswith("/dev/"):
                self._word(target)
        words = list(command.words)
        for assignment in command.assignments:
            name, _, value = assignment.text.partition("=")
            self.scope[name] = None if words else shell.Word(value, 0, 0).value(self.scope) if value else ""
        if words and words[0].literal == "sudo":
            words = words[1:]
        if not words:
            return
        program = posixpath.basename(words[0].literal or "")
        arguments = words[1:]
        plain = [word for word in arguments if not word.text.startswith("-")]
        if program == "export":
            for word in plain:
                name, equals, value = word.text.partition("=")
                if equals:
                    self.scope[name] = shell.Word(value, 0, 0).value(self.scope)
        elif program in _SILENT or (
            program == "java" and arguments and not plain and _tells_version(arguments)
        ):
            pass
        elif program == "cd":
            to = plain[0].value(self.scope) if plain else None
            absolute = to is not None and to.startswith("/")
            self.cwd = None if to is None or not (absolute or self.cwd) else join(self.cwd or "/", to)
        elif program in ("sh", "bash", "ash") and len(arguments) >= 2 and arguments[-2].text.endswith("c"):
            inner = arguments[-1].literal
            if inner is None:
                self._any(f"`{program} -c` gets what is not known")
            else:
                self.script(inner)
        elif program in _PACKAGES or program in _SYSTEM_TOOLS:
            self.system = True
            # a package may bring users of its own
            self.new_users = self.new_users or program in _PACKAGES
            self._words(word for word in arguments if "/" in word.text)
        elif program in _NEW_USERS or program in _CHANGED_USERS:
            self.new_users = self.new_users or program in _NEW_USERS
            self.changed_users = self.changed_users or program in _CHANGED_USERS
            self.paths.update(("/etc", "/home", "/var"))
            self._words(word for word in arguments if "/" in word.text)
        elif program == "find":
            self._find(arguments)
        elif program in _FILES or program in _WRITING_HERE:
            if program in _WRITING_HERE:
                self._path(".")
            if program in _FIRST_IS_NO_PATH and plain and not any(word.text == "-e" for word in arguments):
                arguments = [word for word in arguments if word is not plain[0]]
            self._words(arguments)
        else:
            self._any(f"`{words[0].text}` may read and write anything")

    def _find(self, arguments: Sequence[shell.Word]) -> None:
        first = next(
            (n for n, word in enumerate(arguments) if word.text.startswith(("-", "(", "!", "\\"))), None
        )
        self._words(arguments[:first])
        if first == 0:
            self._path(".")
        for at, word in enumerate(arguments):
            if word.text in ("-exec", "-execdir", "-ok") and at + 1 < len(arguments):
                program = posixpath.basename(arguments[at + 1].literal or "")
                if program not in _FILES:
                    self._any(f"`find` calls `{program}`")

    def _words(self, words: Iterator[shell.Word] | Sequence[shell.Word]) -> None:
        for word in words:
            self._word(word)

    def _word(self, word: shell.Word) -> None:
        text = word.text.strip("\"'")
        if "://" in text:
            return
        if text.startswith("-"):
            # `--prefix=/opt/x` and `-d/opt/x`
            start = text.find("/")
            if start >= 0:
                self._path(text[start:])
            elif "=$" in text:
                self._any(f"{text} is not known")
            return
        value = word.value(self.scope)
        if value is not None:
            self._path(value.partition("=")[2] if re.match(r"\w+=/", value) else value)
            return
        known = re.split(r"\$", text, maxsplit=1)[0]
        if not known.startswith("/"):
            self._any(f"the path {text} is not known")
        else:
            self._path(posixpath.dirname(known) or "/")

    def _path(self, path: str) -> None:
        if path.startswith("~"):
            self.paths.update(("/root", "/home"))
            return
        if not path.startswith("/") and self.cwd is None:
            self._any(f"where {path} is cannot be determined")
            return
        path = re.split(r"[*?\[{]", path, maxsplit=1)[0] if re.search(r"[*?\[{]", path) else path + "/."
        self.paths.add(join(self.cwd or "/", posixpath.dirname(path) or "."))

    def _any(self, why: str) -> None:
        self.anything = self.anything or why


def _tells_version(arguments: Sequence[shell.Word]) -> bool:
    return all(word.text in ("-version", "--version") for word in arguments)
