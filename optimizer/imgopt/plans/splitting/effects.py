"""What the commands of a RUN line make, change and need, as far as their arguments tell.

Only commands that are known to touch nothing but what they name are understood; for any other the answer is None,
and callers then leave the line alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from imgopt import shell
from imgopt.finding import Refused
from imgopt.java import building
from imgopt.light.records import dataclass
from imgopt.os_packages import commands as packages
from imgopt.picture.paths import join
from imgopt.shell import all_commands

#: Commands that leave nothing behind.
SILENT = frozenset(
    "cd : true false set export unset echo printf ls cat pwd test [ sleep which whoami id du df date uname exit "
    "wait umask type sha256sum sha512sum md5sum grep head tail wc sort read sync".split()
)
#: Commands that only change paths that they name.
FILES = frozenset(
    "mkdir touch rm rmdir chmod chown chgrp mv cp ln install sed dos2unix tar unzip curl wget git".split()
)
#: Commands that set up the system for what runs in it.
SETTING_UP = frozenset(
    "useradd groupadd usermod groupmod adduser addgroup passwd chpasswd update-ca-certificates update-ca-trust "
    "locale-gen localedef update-locale dpkg-reconfigure fc-cache keytool ldconfig timedatectl setcap".split()
)
_WRAPPERS = shell.SHELLS | {"exec", "nohup", "time", "sudo", "env"}


class Unclear(Refused):
    """Carries what of a RUN line is not understood, as a sentence without its subject."""


@dataclass(frozen=True)
class Call:
    """A command with what stands behind it: values where they are known, the words as written where not."""

    program: str
    words: tuple[str, ...]
    command: shell.Command
    cwd: str
    home: str

    @property
    def plain(self) -> tuple[str, ...]:
        return tuple(word for word in self.words if not word.startswith("-"))

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.path(word) for word in self.plain)

    def path(self, word: str) -> str:
        """A word as an absolute path; one that begins with an unknown variable stays as it is."""
        home = re.match(r"(?:~|\$\{?HOME\}?)(?=/|$)", word)
        if home:
            return join(self.home, word[home.end() :].lstrip("/") or ".")
        return word if word.startswith("$") else join(self.cwd, word)

    def option(self, *names: str) -> str | None:
        """The value of an option, ``--name=value`` or the next word."""
        for number, word in enumerate(self.words):
            name, sign, value = word.partition("=")
            if name in names and (sign or number + 1 < len(self.words)):
                return value if sign else self.words[number + 1]
        return None

    @property
    def installs(self) -> packages.PackageCommand | None:
        return packages.read(self.command)


def calls(text: str, cwd: str, home: str, variables: Mapping[str, str | None]) -> tuple[Call, ...]:
    """Every command of a shell text with the directory it runs in. Raises Unclear."""
    if shell.parse(text).broken:
        raise Unclear("holds shell text that could not be read", kind="not-known")
    found: list[Call] = []
    outer = cwd
    for command in all_commands(text):
        if not command.words:
            continue
        program = building.program_of(command)
        if program is None:
            raise Unclear("runs `{}`, a command that only the build knows", shown(command))
        if program in shell.SHELLS and (len(command.words) < 3 or command.words[-1].literal is None):
            raise Unclear("runs `{}`, whose text is not here to be read", shown(command))
        if program in _WRAPPERS:
            continue  # what it runs comes next
        if command.depth == 0:
            cwd = outer
        values = ((word.value(variables), word.text.strip("\"'")) for word in command.args)
        call = Call(
            program, tuple(text if value is None else value for value, text in values), command, cwd, home
        )
        found.append(call)
        if program == "cd" and call.plain:
            cwd = call.paths[0]
            outer = cwd if command.depth == 0 else outer
    return tuple(found)


def shown(command: shell.Command) -> str:
    """The beginning of a command, to name it."""
    return short(" ".join(word.text for word in command.words[:3]))


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def changes(call: Call) -> tuple[str, ...] | None:
    """The paths that a command makes, changes or removes; None when it is not understood. Packages, users and other
    settings of the system are none; what a build makes is not told."""
    written = tuple(
        call.path(target.text.strip("\"'"))
        for operator, target in call.command.redirects
        if ">" in operator and not re.match(r"/dev/|&|-$|\d$", target.text)
    )
    if call.program in building.TOOLS or call.program in SILENT or call.program in SETTING_UP:
        return written
    if call.installs is not None or (
        call.program == "java" and call.words in (("-version",), ("--version",))
    ):
        return written
    made = _made(call) if call.program in FILES else None
    return None if made is None else (*written, *made)


def _made(call: Call) -> tuple[str, ...] | None:
    program, paths = call.program, call.paths
    if program == "mkdir":
        return tuple(
            path
            for word, path in zip(call.plain, paths, strict=True)
            if not re.fullmatch(r"[0-7]{3,4}", word)  # the value of -m
        )
    if program in ("touch", "rm", "rmdir", "dos2unix", "mv"):
        return paths
    if program in ("chmod", "chown", "chgrp"):
        return paths[1:]
    if program in ("cp", "ln", "install"):
        return paths[-1:]
    if program == "sed":
        in_place = any(re.match(r"-\w*i|--in-place", word) for word in call.words)
        return _behind_script(call) if in_place else ()
    if program == "tar":
        into = call.option("-C", "--directory")
        extracts = bool(call.words) and re.match(r"-{0,1}[a-z]*x", call.words[0]) is not None
        return (call.path(into) if into else call.cwd,) if extracts or "--extract" in call.words else None
    if program == "unzip":
        into = call.option("-d")
        return (call.path(into) if into else call.cwd,)
    if program in ("curl", "wget"):
        return _downloaded(call)
    return (call.cwd,)  # git


def _behind_script(call: Call) -> tuple[str, ...]:
    """The files of a `sed`: its script comes first, unless -e or -f gives it."""
    words = list(call.words)
    given = False
    files: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-e", "--expression", "-f", "--file") and words:
            words.pop(0)
            given = True
        elif not word.startswith("-"):
            files.append(word)
    return tuple(call.path(word) for word in (files if given else files[1:]))


def _downloaded(call: Call) -> tuple[str, ...]:
    names = ("-O", "--output-document") if call.program == "wget" else ("-o", "--output")
    into = call.option(*names) or _attached(call.words, names[0])
    folder = (
        call.option("-P", "--directory-prefix") if call.program == "wget" else call.option("--output-dir")
    )
    if into == "-" or any(re.fullmatch(r"-[a-zA-Z]*[oO]-", word) for word in call.words):
        return ()
    if into is not None:
        return (call.path(into),)
    if folder is not None:
        return (call.path(folder),)
    keeps_name = any(re.fullmatch(r"-[a-zA-Z]*O[a-zA-Z]*|--remote-name", word) for word in call.words)
    return (call.cwd,) if call.program == "wget" or keeps_name else ()


def _attached(words: Sequence[str], option: str) -> str | None:
    """The value behind bundled options: ``-fsSLo file``, ``-qO file``."""
    for word, following in pairwise(words):
        if re.fullmatch(rf"-[a-zA-Z]+{option[1]}", word):
            return following
    return None


def needs(call: Call) -> tuple[str, ...]:
    """The paths that have to be there for a command to do what it does."""
    paths = call.paths
    if call.program in ("chmod", "chown", "chgrp", "setcap"):
        return paths[1:]
    if call.program == "sed":
        return _behind_script(call)
    if call.program in ("mv", "cp", "install", "ln"):
        return paths[:-1]
    if call.program in ("mkdir", "touch", "rm", "rmdir", "echo", "printf", "cd", "curl", "wget", "git"):
        return ()
    if call.program == "keytool":
        names = (call.option(option) for option in ("-file", "-keystore", "-srckeystore", "-destkeystore"))
        return tuple(call.path(name) for name in names if name)
    if call.program in SETTING_UP:
        return ()
    if call.program == "tar":
        first = call.words[0] if call.words else ""
        bundled = call.words[1] if re.fullmatch(r"-?[a-zA-Z]*f", first) and len(call.words) > 1 else None
        archive = bundled or call.option("-f", "--file")
        return (call.path(archive),) if archive else ()
    if call.program == "unzip":
        return paths[:1]
    found = call.installs
    if found is not None:
        return tuple(call.path(name) for name in found.names if name and name.startswith(("/", ".")))
    return tuple(
        call.path(word)
        for word in call.words
        if not word.startswith("-") and "/" in word and "://" not in word
    )
