"""Package managers in RUN lines: what a command installs, and what the same package is called on another system.

The table (``packages.tsv``) holds only names that were seen in published Dockerfiles and package indexes: one row a
package, with its names on Debian and Ubuntu, on Red Hat's line and on Alpine, the commands it brings, and what apt
installs beside it as a recommendation (in Alpine's names). ``-`` means that the system needs no such package.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from imgopt import shell
from imgopt.light.records import dataclass

Manager = Literal["apt", "rpm", "apk"]
Action = Literal["refresh", "upgrade", "install", "remove", "clean", "other"]

MANAGERS: Mapping[str, Manager] = {
    "apt": "apt",
    "apt-get": "apt",
    "aptitude": "apt",
    "apk": "apk",
    "yum": "rpm",
    "dnf": "rpm",
    "microdnf": "rpm",
    "zypper": "rpm",
}
#: Where a package manager keeps what it downloaded: lists, indexes and packages. Nothing at run time reads them.
CACHES: Mapping[Manager, tuple[str, ...]] = {
    "apt": ("/var/lib/apt/lists", "/var/cache/apt"),
    "rpm": ("/var/cache/yum", "/var/cache/dnf", "/var/lib/dnf", "/var/cache/libdnf5", "/var/cache/microdnf"),
    "apk": ("/var/cache/apk",),
}

_ACTIONS: Mapping[Manager, Mapping[str, Action]] = {
    "apt": {
        "update": "refresh",
        "install": "install",
        "reinstall": "install",
        "upgrade": "upgrade",
        "dist-upgrade": "upgrade",
        "full-upgrade": "upgrade",
        "remove": "remove",
        "purge": "remove",
        "clean": "clean",
        "autoclean": "clean",
        "autoremove": "remove",
    },
    "rpm": {
        "install": "install",
        "localinstall": "install",
        "update": "upgrade",
        "upgrade": "upgrade",
        "makecache": "refresh",
        "check-update": "refresh",
        "clean": "clean",
        "remove": "remove",
        "erase": "remove",
        "autoremove": "remove",
    },
    "apk": {"add": "install", "update": "refresh", "upgrade": "upgrade", "del": "remove", "cache": "clean"},
}
#: Options that say nothing about which packages come: yes to questions, less output, no recommendations.
_QUIET = frozenset(
    "-y --yes --assume-yes --assumeyes -q -qq --quiet -qy -yq -qqy -yqq -V --verbose --no-install-recommends "
    "--no-install-suggests --fix-missing -f --fix-broken -m --show-progress --no-cache -U --update --update-cache "
    "--no-progress --best --nodocs --setopt=tsflags=nodocs --setopt=install_weak_deps=0 "
    "--setopt=install_weak_deps=False --skip-broken --allow-unauthenticated --force-yes --no-show-upgraded "
    "--disableplugin=subscription-manager --allowerasing -qqq".split()
)
#: Options whose value is the next word; the value is no package.
_WITH_VALUE: Mapping[Manager, frozenset[str]] = {
    "apt": frozenset({"-o", "--option", "-t", "--target-release", "-c"}),
    "rpm": frozenset({"--setopt", "--enablerepo", "--disablerepo", "-c", "--releasever", "--installroot"}),
    "apk": frozenset({"-t", "--virtual", "-X", "--repository", "-p", "--root"}),
}
_NO_RECOMMENDS = frozenset(
    {
        "--no-install-recommends",
        "--setopt=install_weak_deps=0",
        "--setopt=install_weak_deps=False",
        "APT::Install-Recommends=false",
        "APT::Install-Recommends=0",
        "APT::Install-Recommends=no",
    }
)


@dataclass(frozen=True)
class PackageCommand:
    """One call of a package manager. ``verb`` is the word that names the action; ``packages`` the words behind it
    that are packages or files; ``special`` the options that change what is installed or from where."""

    command: shell.Command
    program: str
    manager: Manager
    action: Action
    verb: shell.Word | None
    packages: tuple[shell.Word, ...]
    options: tuple[str, ...]
    special: tuple[str, ...]

    @property
    def names(self) -> tuple[str | None, ...]:
        """The packages' names; None where one depends on a variable."""
        return tuple(word.literal for word in self.packages)

    @property
    def recommends(self) -> bool:
        """Whether packages that are only recommended come along (apk knows none)."""
        return self.manager != "apk" and not _NO_RECOMMENDS & set(self.options)


def read(command: shell.Command) -> PackageCommand | None:
    """The package manager's call that this command is, `sudo` taken off, or None."""
    words = list(command.words)
    if words and words[0].literal == "sudo":
        words.pop(0)
    program = (words[0].literal or "").rsplit("/", 1)[-1] if words else ""
    manager = MANAGERS.get(program)
    if manager is None:
        return None
    verb: shell.Word | None = None
    action: Action = "other"
    packages: list[shell.Word] = []
    options: list[str] = []
    special: list[str] = []
    takes_value = False
    for word in words[1:]:
        text = word.literal if word.literal is not None else word.text
        if takes_value:
            takes_value = False
            options.append(text)
            if special and special[-1] in ("-o", "--option", "--setopt") and _harmless_setting(text):
                special.pop()
            continue
        if text.startswith("-"):
            options.append(text)
            if text in _WITH_VALUE[manager]:
                takes_value = True
                special.append(text)
            elif text not in _QUIET and not (text.startswith("-o") and _harmless_setting(text[2:])):
                special.append(text)
        elif verb is None:
            verb = word
            action = _ACTIONS[manager].get(text, "other")
        else:
            packages.append(word)
    return PackageCommand(
        command, program, manager, action, verb, tuple(packages), tuple(options), tuple(special)
    )


def _harmless_setting(text: str) -> bool:
    return text.strip("\"'").startswith(
        (
            "Dpkg::",
            "DPkg::",
            "Acquire::",
            "APT::Install-Recommends",
            "APT::Install-Suggests",
            "tsflags=nodocs",
            "install_weak_deps=",
        )
    )


def clears_cache(command: shell.Command, manager: Manager) -> bool:
    """Whether the command only removes what the package manager keeps: ``rm -rf /var/lib/apt/lists/*`` and the like."""
    if command.program != "rm":
        return False
    paths = [word.literal or word.text for word in command.args if not word.text.startswith("-")]
    return bool(paths) and all(path.startswith(CACHES[manager]) for path in paths)


# the same package elsewhere


@dataclass(frozen=True)
class Package:
    """A row of the table. Names of one system: the first is the one to write, the others mean the same."""

    deb: tuple[str, ...]
    rpm: tuple[str, ...]
    apk: tuple[str, ...]
    commands: frozenset[str]
    recommended: tuple[str, ...]

    def on(self, manager: Manager) -> tuple[str, ...]:
        return {"apt": self.deb, "rpm": self.rpm, "apk": self.apk}[manager]


@lru_cache(maxsize=1)
def _table() -> tuple[Package, ...]:
    rows = Path(__file__).with_name("packages.tsv").read_text(encoding="ascii").splitlines()[1:]
    return tuple(_row(*(row.split("\t") + [""] * 5)[:5]) for row in rows)


def _row(deb: str, rpm: str, apk: str, commands: str, recommended: str) -> Package:
    names = [tuple(name for name in column.split(",") if name) for column in (deb, rpm, apk)]
    return Package(names[0], names[1], names[2], frozenset(commands.split()), tuple(recommended.split()))


@lru_cache(maxsize=4)
def _by_name(manager: Manager) -> Mapping[str, Package]:
    return {name: package for package in _table() for name in package.on(manager)}


def known(name: str, manager: Manager) -> Package | None:
    """The package of that name on that kind of system, if the table has it."""
    return _by_name(manager).get(name)


def name_on(name: str, source: Manager, target: Manager) -> str | None:
    """What a package is called elsewhere: "-" where none is needed there, None where nobody knows."""
    package = known(name, source)
    there = package.on(target) if package is not None else ()
    return there[0] if there else None


def commands_of(name: str, manager: Manager) -> frozenset[str]:
    """The commands a package brings, as far as the table tells."""
    package = known(name, manager)
    return package.commands if package is not None else frozenset()


def package_with(command: str, manager: Manager) -> str | None:
    """The name of a package that brings the command."""
    for package in _table():
        names = package.on(manager)
        if command in package.commands and names and names[0] != "-":
            return names[0]
    return None
