"""Moves what the RUN lines of the final stage do to another base: package installs and users.

``apt-get install curl`` becomes ``apk add --no-cache curl``, ``useradd -u 1000 app`` becomes ``adduser -D -u 1000 …``.
Only what the table of packages and the users' options tell is moved; everything else is a reason to stay. Numbers of
users and groups never change: files on volumes belong to numbers, not to names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.bases.families.common import APT, RPM
from imgopt.dockerfile import Edit, Span
from imgopt.finding import Reason, Refused
from imgopt.light.records import dataclass, field
from imgopt.os_packages.commands import (
    Manager,
    PackageCommand,
    clears_cache,
    commands_of,
    known,
    name_on,
    read,
)

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.dockerfile import Instruction
    from imgopt.picture import Picture

USER_COMMANDS = frozenset({"useradd", "groupadd"})
#: Numbers that Alpine gives to users and groups of its own; a group cannot have them a second time.
_ALPINE_GIDS = frozenset((*range(36), 42, 82, 85, 89, 100, 112, 123, 209, 300, 406, 999, 65533, 65534))
_ALPINE_UIDS = frozenset((*range(36), 85, 89, 123, 209, 405, 65534))


@dataclass(frozen=True)
class Adaptation:
    """What has to change below FROM so that the final stage stands on another base.

    ``commands``: what the installs bring there; ``installed``: the packages' names there; ``managed``: the
    instructions whose package and user commands are dealt with; ``append_at``: where names of further packages go,
    when an install is there to take them; ``why_not``: what cannot be moved.
    """

    manager: Manager | None
    edits: tuple[Edit, ...] = ()
    commands: frozenset[str] = frozenset()
    installed: frozenset[str] = frozenset()
    managed: tuple[tuple[Instruction, shell.Command], ...] = ()
    append_at: Span | None = None
    why_not: Reason | None = None

    def handles(self, instruction: Instruction, command: shell.Command) -> bool:
        return any(
            instruction is other and command.start == each.start and command.end == each.end
            for other, each in self.managed
        )


class _No(Refused):
    """Carries the reason why an install or a user cannot be moved."""


def manager_of(base: Base) -> Manager | None:
    """The package manager of an image's system; None without one."""
    if base.os == "alpine":
        return "apk"
    if base.os in APT:
        return "apt"
    return "rpm" if base.os in RPM else None


def first_number(base: Base) -> str | None:
    """The number that a base gives to the first ordinary user and group that a RUN makes; None where it is not known
    (Ubuntu has a user of its own with 1000 from 23.04 on)."""
    if base.os == "ubuntu":
        return "1000" if base.os_version is not None and base.os_version < "23" else None
    return "1000" if base.os in APT | RPM else None


def adapt(picture: Picture, target: Base) -> Adaptation:
    """What the final stage's RUN lines become on ``target``. Never raises; reads only the picture."""
    state = _Adapting(picture, target, manager_of(target))
    try:
        for instruction in picture.final.instructions():
            if instruction.keyword == "RUN" and instruction not in picture.touches:
                state.run(instruction)
    except _No as reason:
        return Adaptation(state.manager, why_not=reason.reason)
    return Adaptation(
        state.manager,
        tuple(state.edits),
        frozenset(state.commands),
        frozenset(state.installed),
        tuple(state.managed),
        state.append_at,
    )


@dataclass
class _Adapting:
    picture: Picture
    target: Base
    manager: Manager | None
    edits: list[Edit] = field(default_factory=list)
    commands: set[str] = field(default_factory=set)
    installed: set[str] = field(default_factory=set)
    managed: list[tuple[Instruction, shell.Command]] = field(default_factory=list)
    append_at: Span | None = None

    @property
    def base(self) -> Base:
        return self.picture.base

    @property
    def to_musl(self) -> bool:
        return self.target.libc == "musl" and self.base.libc != "musl"

    def run(self, instruction: Instruction) -> None:
        if not re.search(r"apt|apk|yum|dnf|zypper|useradd|groupadd", instruction.text) and not (
            instruction.heredocs
        ):
            return
        text, movable = _script(self.picture, instruction)
        script = shell.parse(text)
        if script.broken:
            return  # said by the one who looks at every command
        changes: dict[int, str | None] = {}  # index of a command -> what takes its place, None for nothing
        commands = script.commands
        for index, command in enumerate(commands):
            found = read(command)
            if found is not None:
                self._package(found, instruction, index, commands, changes, instruction, movable)
            elif self.to_musl and command.program in USER_COMMANDS:
                self._require_plain(command, script, instruction)
                changes[index] = self._user(command, instruction, commands[:index])
                self.managed.append((instruction, command))
            elif command.program == "rm" and self._other_managers_cache(command):
                changes[index] = None
                self.managed.append((instruction, command))
        if not changes:
            return
        if not movable:
            raise _No(
                "{} installs packages in a form that is not rewritten (a here-document or JSON)", instruction
            )
        if script.plain or all(value is not None for value in changes.values()):
            self._edit(instruction, commands, changes)
        else:
            raise _No("{} installs packages under a condition or in a loop", instruction)

    # packages

    def _package(
        self,
        found: PackageCommand,
        line: Instruction,
        index: int,
        commands: Sequence[shell.Command],
        changes: dict[int, str | None],
        instruction: Instruction,
        movable: bool,
    ) -> None:
        command = found.command
        if self.manager is None:
            raise _No(
                "{} installs packages with {}, and {} has no package manager",
                line,
                found.program,
                self.target.name,
            )
        same = found.manager == self.manager and not (
            self.manager == "rpm" and (found.program not in self.target.has or self.base.os != self.target.os)
        )
        self.managed.append((instruction, command))
        if same:
            self._kept(found, line, instruction, movable)
            return
        if command.depth:
            raise _No("{} installs packages with {} under a condition or in a loop", line, found.program)
        if command.follows in ("|", "||", "&") or command.operator in ("|", "||"):
            raise _No("{} pipes or guards {}, which is not carried over", line, found.program)
        if self.manager == "rpm":
            raise _No(
                "{} installs packages with {}, from other repositories on {}",
                line,
                found.program,
                self.target.name,
            )
        if found.action in ("refresh", "clean"):
            changes[index] = None
        elif found.action == "upgrade" and not found.packages:
            changes[index] = "apk upgrade --no-cache" if self.manager == "apk" else _APT.format("upgrade -y")
        elif found.action == "install":
            changes[index] = self._install(found, line)
        elif found.action == "remove" and self._takes_back(found, commands[:index]):
            names = " ".join(self._names(found, line))
            changes[index] = f"apk del {names}" if self.manager == "apk" else f"apt-get purge -y {names}"
        else:
            verb = found.verb.text if found.verb is not None else "something"
            raise _No(
                "{} calls `{} {}`, which has no counterpart on {}",
                line,
                found.program,
                verb,
                self.target.name,
            )

    def _kept(
        self, found: PackageCommand, line: Instruction, instruction: Instruction, movable: bool
    ) -> None:
        """The same package manager: the command stays, if the other system has the names too."""
        for word, name in zip(found.packages, found.names, strict=True):
            if found.action not in ("install", "remove"):
                break
            if name is None:
                raise _No("{} installs packages named by a variable ({})", line, word.text)
            if name.startswith((".", "/")):
                raise _No(
                    "{} installs the package file {}, made for {}", line, name, self.base.os or self.base.name
                )
            if re.search(r"[=~<>]", name):
                raise _No("{} pins {}, a version that {} will not offer", line, name, self.target.name)
            if name.startswith(("openjdk", "default-j", "java-1", "java-2", "java-8")):
                raise _No("{} installs another Java ({})", line, name)
            if (known(name, found.manager) is None or name in _OLD_NAMES) and (
                name not in _SAME_NAME[found.manager]
            ):
                raise _No(
                    "{} installs {}, which {} is not known to offer under this name",
                    line,
                    name,
                    self.target.name,
                    kind="not-known",
                )
            self.commands |= commands_of(name, found.manager)
            self.installed.add(name)
        if found.special and self.base.os != self.target.os:
            raise _No(
                "{} gives {} the option {}, made for {}",
                line,
                found.program,
                found.special[0],
                str(self.base.os),
            )
        if found.action == "install" and found.packages and movable and not found.command.depth:
            end = instruction.source_span(found.packages[-1].end - 1, found.packages[-1].end).end
            self.append_at = self.append_at or Span(end, end)

    def _install(self, found: PackageCommand, line: Instruction) -> str | None:
        virtual = ("-t", "--virtual") if found.manager == "apk" else ()
        special = [option for option in found.special if option not in virtual]
        if special:
            raise _No("{} gives {} the option {}, which is not carried over", line, found.program, special[0])
        names = self._names(found, line)
        if found.recommends and self.manager == "apk":
            # what apt or dnf bring as a recommendation, apk does not
            for name in found.names:
                package = known(name or "", found.manager)
                names += [extra for extra in (package.recommended if package else ()) if extra not in names]
        names = list(dict.fromkeys(names))
        if not names:
            return None
        assert self.manager is not None
        self.installed.update(names)
        for name in names:
            self.commands |= commands_of(name, self.manager)
        if self.manager == "apk":
            return "apk add --no-cache " + " ".join(names)
        flag = "" if found.recommends else "--no-install-recommends "
        return f"apt-get update && {_APT.format(f'install -y {flag}' + ' '.join(names))} && rm -rf /var/lib/apt/lists/*"

    def _names(self, found: PackageCommand, line: Instruction) -> list[str]:
        """The packages' names on the target, in order; those that it needs no package for are left out."""
        assert self.manager is not None
        names: list[str] = []
        for word, name in zip(found.packages, found.names, strict=True):
            if name is None:
                raise _No("{} installs packages named by a variable ({})", line, word.text)
            if name.startswith((".", "/", "http")) or name.endswith((".deb", ".rpm", ".apk")):
                raise _No(
                    "{} installs the package file {}, made for {}", line, name, self.base.os or self.base.name
                )
            if re.search(r"[=~<>]", name) or (found.manager == "rpm" and re.search(r"-\d+\.\d", name)):
                raise _No("{} pins {}, a version that {} will not offer", line, name, self.target.name)
            if name.startswith(("openjdk", "default-j", "java-")):
                raise _No("{} installs another Java ({})", line, name)
            there = name_on(name, found.manager, self.manager)
            if there is None:
                raise _No(
                    "{} installs {}, whose counterpart on {} is not known",
                    line,
                    name,
                    self.target.os or self.target.name,
                    kind="not-known",
                )
            if there.startswith("font-") and self.target.pinned:
                raise _No("{} installs {}, which older Alpine releases call otherwise", line, name)
            if there != "-":
                names.append(there)
        return names

    def _takes_back(self, found: PackageCommand, before: Sequence[shell.Command]) -> bool:
        """Whether this removes only what commands before it in the same RUN installed."""
        came: set[str | None] = set()
        for command in before:
            other = read(command)
            if other is not None and other.action == "install":
                came.update(other.names)
        return bool(found.packages) and set(found.names) <= came

    def _other_managers_cache(self, command: shell.Command) -> bool:
        return any(
            manager != self.manager and clears_cache(command, manager) for manager in ("apt", "rpm", "apk")
        )

    # users

    def _require_plain(self, command: shell.Command, script: shell.Script, line: Instruction) -> None:
        if not script.plain and (
            command.depth or command.follows in ("|", "||") or command.operator in ("|", "||")
        ):
            raise _No("{} calls `{}` under a condition", line, command.program or "")

    def _user(self, command: shell.Command, line: Instruction, before: Sequence[shell.Command]) -> str:
        first = first_number(self.base)
        if command.program == "groupadd":
            return _groupadd(command, line, first)
        bash = "bash" in self.target.has or "bash" in self.commands
        return _useradd(command, line, before, first, bash=bash)

    # the new text of a RUN

    def _edit(
        self, instruction: Instruction, commands: Sequence[shell.Command], changes: dict[int, str | None]
    ) -> None:
        if all(changes.get(index, "") is None for index in range(len(commands))):
            self.edits.append(self.picture.removal(instruction))
            return
        kept = [index for index in range(len(commands)) if changes.get(index, "") is not None]
        first = kept[0]
        if first:
            self.edits.append(Edit(instruction.source_span(commands[0].start, commands[first].start), ""))
        for index, command in enumerate(commands):
            if index not in changes or index < first:
                continue
            replacement = changes[index]
            if replacement is None:
                before = commands[index - 1].end
                self.edits.append(Edit(instruction.source_span(before, command.end), ""))
                continue
            span = instruction.source_span(command.start, command.end)
            self.edits.append(Edit(span, replacement))
            if self.append_at is None and replacement.startswith("apk add"):
                self.append_at = Span(span.end, span.end)


_APT = "DEBIAN_FRONTEND=noninteractive apt-get {}"


def _script(picture: Picture, instruction: Instruction) -> tuple[str, bool]:
    """The shell text of a RUN, and whether it is the instruction's own text."""
    read = picture.script_of(instruction)
    return read.text, read.place is not None and read.heredoc is None


#: Names that newer releases of Debian and Ubuntu dropped.
_OLD_NAMES = frozenset({"ttf-wqy-zenhei", "ttf-dejavu-core", "ttf-liberation", "libgcc1", "netcat"})
_SAME_NAME: dict[Manager, frozenset[str]] = {
    "apt": frozenset(
        (
            "locales fonts-wqy-microhei python3 redis-tools postgresql-client supervisor cron logrotate "
            "fonts-freefont-ttf libxext6 libxrender1 libxtst6 libxi6 libx11-6 liblcms2-2 libaio1 rsync file xfonts-utils bc "
            "ncurses-bin netbase lsb-release build-essential gcc g++ make python3-pip haveged"
        ).split()
    ),
    # names that stayed from Alpine 3.9 to today
    "apk": frozenset(
        (
            "su-exec gcompat libc6-compat busybox python3 nodejs npm nginx supervisor postgresql-client redis rsync "
            "libxext libxrender libxtst libxi libx11 lcms2 file ncurses musl-locales musl-locales-lang libcurl"
        ).split()
    ),
    "rpm": frozenset(),
}


# users and groups: the options of shadow's useradd and groupadd, said in busybox's words


def _options(
    command: shell.Command, line: Instruction, flags: dict[str, str], values: dict[str, str]
) -> tuple[set[str], dict[str, str], list[str]]:
    """Flags, options with values and plain words, by one-letter name. _No for what is not known."""
    seen: set[str] = set()
    given: dict[str, str] = {}
    plain: list[str] = []
    words = [word.text for word in command.args]
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        name, sign, value = word.partition("=")
        if word.startswith("--"):
            if name in values:
                if not sign:
                    if position == len(words):
                        raise _No("{} gives `{}` {} without a value", line, command.program or "", name)
                    value = words[position]
                    position += 1
                given[values[name]] = value
            elif name in flags and not sign:
                seen.add(flags[name])
            else:
                raise _No(
                    "{} gives `{}` the option {}, which Alpine's `adduser` does not know",
                    line,
                    command.program or "",
                    name,
                )
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                letter, letters = "-" + letters[0], letters[1:]
                if letter in values:
                    if letters:
                        given[values[letter]], letters = letters, ""
                    elif position < len(words):
                        given[values[letter]] = words[position]
                        position += 1
                    else:
                        raise _No("{} gives `{}` {} without a value", line, command.program or "", letter)
                elif letter in flags:
                    seen.add(flags[letter])
                else:
                    raise _No(
                        "{} gives `{}` the option {}, which Alpine's `adduser` does not know",
                        line,
                        command.program or "",
                        letter,
                    )
        else:
            plain.append(word)
    return seen, given, plain


def _groupadd(command: shell.Command, line: Instruction, first: str | None) -> str:
    """``first``: the number that the old base gives to the first ordinary user and group, where it is known."""
    flags, values, names = _options(
        command, line, {"-r": "r", "--system": "r", "-f": "f", "--force": "f"}, {"-g": "g", "--gid": "g"}
    )
    if len(names) != 1 or "f" in flags:
        raise _No("{} calls `groupadd` in a way that Alpine's `addgroup` does not know", line)
    gid = _number(values.get("g"), line, "group", names[0], _ALPINE_GIDS)
    if gid is None:
        if "r" in flags or first is None:
            raise _No(
                "{} makes the group {} without a number: Alpine would give it another one, and files on volumes belong to numbers; add -g to keep it",
                line,
                names[0],
            )
        gid = first
    return f"addgroup {'-S ' if 'r' in flags else ''}-g {gid} {names[0]}"


def _useradd(
    command: shell.Command,
    line: Instruction,
    before: Sequence[shell.Command],
    first: str | None,
    *,
    bash: bool,
) -> str:
    flags, values, names = _options(
        command,
        line,
        {
            "-r": "r", "--system": "r", "-m": "m", "--create-home": "m", "-M": "M", "--no-create-home": "M",
            "-l": "l", "--no-log-init": "l", "-N": "N", "--no-user-group": "N", "-U": "U", "--user-group": "U",
        },
        {
            "-u": "u", "--uid": "u", "-g": "g", "--gid": "g", "-d": "d", "--home-dir": "d", "--home": "d",
            "-s": "s", "--shell": "s", "-c": "c", "--comment": "c",
        },
    )  # fmt: skip
    if len(names) != 1 or "N" in flags:
        raise _No("{} calls `useradd` in a way that Alpine's `adduser` does not know", line)
    name = names[0]
    uid = _number(values.get("u"), line, "user", name, _ALPINE_UIDS)
    if uid is None:
        if "r" in flags or first is None or any(other.program == "useradd" for other in before):
            raise _No(
                "{} makes the user {} without a number: Alpine would give it another one, and files on volumes belong to numbers; add -u to keep it",
                line,
                name,
            )
        uid = first
    group = values.get("g")
    prefix = ""
    if group is None:
        if int(uid) in _ALPINE_GIDS:
            raise _No("{} makes the group {} with the number {}, which Alpine uses itself", line, name, uid)
        prefix = f"addgroup -g {uid} {name} && "
        group = name
    elif re.fullmatch(r"\d+", group):
        named = _group_named(before, group)
        if named is None:
            raise _No("{} names group {} by its number, which Alpine's `adduser` does not take", line, group)
        group = named
    shell_ = values.get("s", "/bin/sh").strip("\"'")
    shell_ = {"/usr/sbin/nologin": "/sbin/nologin", "/bin/nologin": "/sbin/nologin"}.get(shell_, shell_)
    if shell_.endswith("bash") and not bash:
        shell_ = "/bin/sh"
    if shell_ not in ("/bin/sh", "/bin/bash", "/bin/false", "/sbin/nologin", "/usr/bin/bash", "/bin/ash"):
        raise _No("{} gives the user {} the shell {}", line, name, shell_)
    parts = ["adduser", "-D", f"-u {uid}", f"-G {group}", f"-s {shell_}"]
    if "m" not in flags:
        parts.append("-H")
    if "d" in values:
        parts.append(f"-h {values['d']}")
    if "c" in values:
        parts.append(f"-g {values['c']}")
    return prefix + " ".join([*parts, name])


def _number(text: str | None, line: Instruction, what: str, name: str, taken: frozenset[int]) -> str | None:
    if text is None:
        return None
    bare = text.strip("\"'")
    if not re.fullmatch(r"\d{1,5}", bare) or int(bare) > 60_000:
        raise _No(
            "{} gives the {} {} the number {}, which Alpine's `adduser` may not take", line, what, name, text
        )
    if int(bare) in taken:
        raise _No("{} gives the {} {} the number {}, which Alpine uses itself", line, what, name, bare)
    return bare


def _group_named(before: Sequence[shell.Command], number: str) -> str | None:
    """The group that a command before made with this number."""
    for command in before:
        if command.program not in ("groupadd", "addgroup"):
            continue
        words = [word.text for word in command.args]
        if number in words or any(word.endswith("=" + number) for word in words):
            return (
                words[-1]
                if words[-1] != number
                else next((word for word in words if not word.startswith("-") and word != number), None)
            )
    return None
