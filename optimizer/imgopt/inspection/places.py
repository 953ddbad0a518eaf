"""What the paths of an image are: the application, its libraries, Java itself, tools, caches, documentation.

By name and place only; nothing is opened here. Where Java lies is found in the image as a whole, since a JDK may
come in a layer above its JRE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

What = Literal[
    "application", "libraries", "jdk", "jre", "build-tools", "package-cache", "documentation", "other"
]
WHATS: tuple[What, ...] = get_args(What)

NAMES: dict[What, str] = {
    "application": "application",
    "libraries": "libraries (jars)",
    "jdk": "JDK",
    "jre": "Java runtime",
    "build-tools": "build tools",
    "package-cache": "package caches",
    "documentation": "documentation",
    "other": "system and other files",
}

_CACHES = re.compile(
    r"/var/lib/apt/lists/.|/var/cache/(?:apt|yum|dnf|libdnf5|zypp|apk|man|pacman)/.|/etc/apk/cache/.|"
    r"/(?:root|home/[^/]+)/\.(?:cache|npm/_cacache|m2/repository|gradle/caches)/.|/usr/local/share/\.cache/yarn/."
)
_TOOLS = re.compile(
    r"/(?:opt|usr/share|usr/local|usr/local/share)/(?:[\w.-]+/)*?(?:apache-)?(?:maven|gradle|ant)(?:-[\w.-]+)?/.|"
    r"/usr/(?:lib|libexec)/(?:gcc|git-core)(?:-cross)?/.|/usr/share/(?:git-core|cmake[^/]*|autoconf|automake[^/]*)/.|"
    r"/(?:root|home/[^/]+)/\.(?:m2|gradle|sdkman|nvm|npm)/.|/usr/(?:local/)?lib/node_modules/npm/.|"
    r"/usr/(?:local/)?bin/(?:mvn|mvnd|gradle|ant|git|gcc|g\+\+|cc|c\+\+|make|cmake|npm|yarn|pnpm|ld|as|"
    r"(?:x86_64|aarch64)-linux-(?:gnu|musl)-[\w+.-]+)"
)
_DOCUMENTATION = re.compile(
    r"/usr/(?:local/)?share/(?:doc|man|info|locale|help|gtk-doc|javadoc)/.|.*-(?:sources|javadoc)\.jar"
)
#: Of an unpacked Spring Boot jar or war, and as Jib lays an application out.
_CLASSES = re.compile(r".*/(?:BOOT-INF|WEB-INF)/classes/.+|/app/(?:classes|resources)/.+")
_LIBRARY = re.compile(r".*\.(?:jar|war|ear)")
#: What only a Java home has, and how many names above it that is.
_HOME_SIGNS = (
    (re.compile(r"(.+)/jre/lib/rt\.jar"), False),
    (re.compile(r"(.+)/lib/rt\.jar"), False),
    (re.compile(r"(.+)/lib/modules"), False),
    (re.compile(r"(.+)/jmods/java\.base\.jmod"), True),
    (re.compile(r"(.+)/bin/javac"), True),
    (re.compile(r"(.+)/lib/ct\.sym"), True),
)
_NO_HOMES = frozenset(("", "/usr", "/usr/local", "/usr/share"))


@dataclass(frozen=True, slots=True)
class JavaHome:
    """Where a Java lies; ``jdk``: with a compiler or modules to link from."""

    path: str
    jdk: bool


@dataclass(frozen=True, slots=True)
class Places:
    """What an image's paths are, once it is known where Java and the application's jars lie in it."""

    homes: tuple[JavaHome, ...]
    applications: frozenset[str] = frozenset()

    def what(self, path: str) -> What:
        if path in self.applications:
            return "application"
        for home in self.homes:
            if path.startswith(home.path + "/"):
                return "jdk" if home.jdk else "jre"
        if _CACHES.match(path):
            return "package-cache"
        if _TOOLS.match(path):
            return "build-tools"
        if _DOCUMENTATION.match(path):
            return "documentation"
        if _CLASSES.match(path):
            return "application"
        if _LIBRARY.fullmatch(path):
            return "libraries"
        return "other"


def java_homes(paths: Iterable[str]) -> tuple[JavaHome, ...]:
    """The homes that the paths show, the longest first so that the innermost one counts."""
    found: dict[str, bool] = {}
    for path in paths:
        if not path.endswith(("/rt.jar", "/lib/modules", ".jmod", "/javac", "/ct.sym")):
            continue
        for sign, jdk in _HOME_SIGNS:
            match = sign.fullmatch(path)
            if match is None:
                continue
            home = match[1].removesuffix("/jre")
            if home not in _NO_HOMES and not home.startswith(("/lib", "/usr/lib/modules")):
                found[home] = found.get(home, False) or jdk
            break
    return tuple(JavaHome(path, found[path]) for path in sorted(found, key=len, reverse=True))


def start_words(config: object) -> tuple[str, ...]:
    """Entrypoint and Cmd as one list of words; a shell's script is split at blanks."""
    if not isinstance(config, dict):
        return ()
    words: list[str] = []
    for key in ("Entrypoint", "Cmd"):
        value = config.get(key)
        if isinstance(value, list):
            words += [str(each) for each in value]
    return tuple(part.strip("\"'") for word in words for part in word.replace(";", " ").split())


def runs_as_root(config: object) -> bool:
    """Whether the image's user is root: none is named, or the name or number is root's."""
    user = config.get("User") if isinstance(config, dict) else None
    name = str(user or "").partition(":")[0].strip()
    return name in ("", "root", "0") or (name.isdigit() and int(name) == 0)
