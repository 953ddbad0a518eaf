"""What the paths of an image are: the application, its libraries, Java itself, tools, caches, documentation.

By name and place only; nothing is opened here. Where Java lies is found in the image as a whole, since a JDK may
come in a layer above its JRE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

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

#: Where package managers keep what they fetch, in whosever home; and what only they make, wherever it lies.
_CACHES = regex(
    r"/var/lib/(?:apt/lists|dnf)/.|/var/cache/(?:apt|yum|dnf|libdnf5|microdnf|zypp|apk|man|pacman)/.|/etc/apk/cache/.|"
    r".*/\.(?:cache|npm/_cacache|m2/repository|gradle/(?:caches|wrapper/dists)|ivy2/cache)/.|"
    r"/usr/local/share/\.cache/yarn/.|.*/(?:modules-2/files-2\.1|_cacache/content-v2)/.|"
    r".*/(?:APKINDEX\.[\w.]+\.tar\.gz|[^/]+_(?:Packages|Sources|Translation-\w+)(?:\.lz4|\.gz|\.xz)?|[^/]+\.(?:deb|rpm))"
)
_TOOL_NAMES = (
    r"(?:mvn|mvnd|gradle|ant|git|gcc|g\+\+|cc|c\+\+|clang(?:\+\+)?|make|gmake|cmake|ninja|npm|yarn|pnpm|ld|as|"
    r"(?:x86_64|aarch64)-[\w.]+-linux-(?:gnu|musl)-[\w+.-]+|(?:x86_64|aarch64)-linux-(?:gnu|musl)-[\w+.-]+|"
    r"(?:gcc|g\+\+|clang|clang\+\+)-[\d.]+)"
)
_TOOLS = regex(
    r"/(?:opt|usr/share|usr/local|usr/local/share)/(?:[\w.-]+/)*?(?:apache-)?(?:maven|gradle|ant)(?:-[\w.-]+)?/.|"
    r".*/(?:lib|lib64|libexec)/(?:gcc|git-core)(?:-cross)?/.|.*/share/(?:git-core|cmake[^/]*|autoconf|automake[^/]*)/.|"
    r".*/\.(?:m2|gradle|sdkman|nvm|npm)/.|.*/node_modules/(?:npm|yarn|pnpm)/.|"
    rf".*/s?bin/{_TOOL_NAMES}\Z"
)
#: A file by which a tool is known wherever it lies: what is beside it, and above, is the tool's.
_TOOL_HOMES = regex(
    r"(.*)/lib/(?:maven-core|gradle-launcher|gradle-core|gradle-runtime-api-info|ant-launcher)(?:-[\d.][\w.-]*)?\.jar"
)
#: Of a local Maven repository, wherever it lies.
_REPOSITORY_SIGN = "/_remote.repositories"
_DOCUMENTATION = regex(
    r"/usr/(?:local/)?share/(?:doc|man|info|locale|help|gtk-doc|javadoc)/.|.*-(?:sources|javadoc)\.jar"
)
#: Of an unpacked Spring Boot jar or war, as Jib lays an application out, and what Quarkus makes anew in each build.
_CLASSES = regex(
    r".*/(?:BOOT-INF|WEB-INF)/classes/.+|/app/(?:classes|resources)/.+|"
    r".*/quarkus/(?:generated-bytecode|transformed-bytecode)\.jar|.*/quarkus/quarkus-application\.dat"
)
#: Spring Boot's own classes in an unpacked jar.
_LOADER = "/org/springframework/boot/loader/"
_LIBRARY = regex(r".*\.(?:jar|war|ear)")
_LIBRARY_PLACES = (
    "/BOOT-INF/lib/",
    "/WEB-INF/lib/",
    "/lib/",
    "/libs/",
    "/ext/",
    "/lib-provided/",
    "/plugins/",
)
#: What only a Java home has, and whether a JRE has none of it. Of the compiler's module and its ct.sym that cannot be
#: said: Debian's and Red Hat's headless JREs have both, and no javac.
_HOME_SIGNS = (
    (regex(r"(.*)/jre/lib/rt\.jar"), False),
    (regex(r"(.*)/lib/rt\.jar"), False),
    (regex(r"(.*)/lib/modules"), False),
    (regex(r"(.*?)(?:/jmods)?/(?:java|jdk)\.[\w.]+\.jmod"), True),
    (regex(r"(.*)/bin/javac(?:\.exe)?"), True),
    (regex(r"(.*)/lib/ct\.sym"), False),
)
SIGN_ENDS = ("/rt.jar", "/lib/modules", ".jmod", "/javac", "/javac.exe", "/ct.sym")
#: Directories that hold much else: of a Java there only its own files are its.
_SHARED = frozenset(
    (
        "",
        *(
            f"/{name}"
            for name in "usr opt lib lib64 libexec local share srv var home root app data tmp mnt etc".split()
        ),
    )
) | frozenset(
    f"/usr/{name}" for name in ("local", "share", "lib", "lib64", "libexec", "local/share", "local/lib")
)
_JAVAS_OWN = regex(
    r"/bin/(?:ja[a-z]+|j(?:cmd|cons|db|deps|fr|hsdb|image|info|link|map|mod|package|ps|runscript|shell|stack|stat|statd|web"
    r"initdb|webserver)|keytool|rmi\w*|serialver|native-image)(?:\.exe)?|"
    r"/jmods/.+|/jre/.+|/lib/(?:modules|ct\.sym|tools\.jar|rt\.jar|src\.zip|jvm\.cfg|jrt-fs\.jar|server/.+|client/.+)|/release"
)


@dataclass(frozen=True, slots=True)
class JavaHome:
    """Where a Java lies; ``jdk``: with a compiler that can be called or modules to link from, known by ``sign``."""

    path: str
    jdk: bool
    sign: str = ""

    def holds(self, path: str) -> bool:
        if not path.startswith(self.path + "/"):
            return False
        return self.path not in _SHARED or _JAVAS_OWN.fullmatch(path[len(self.path) :]) is not None


@dataclass(frozen=True, slots=True)
class Places:
    """What an image's paths are, once it is known where Java, tools and the application lie in it."""

    homes: tuple[JavaHome, ...]
    applications: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    linked: Mapping[str, What] = field(default_factory=dict)

    def what(self, path: str) -> What:
        if path in self.applications or _CLASSES.match(path):
            return "application"
        for home in self.homes:
            if home.holds(path):
                return "jdk" if home.jdk else "jre"
        if _CACHES.match(path) or path.startswith(self.repositories):
            return "package-cache"
        if _TOOLS.match(path) or path.startswith(self.tools):
            return "build-tools"
        if _DOCUMENTATION.match(path):
            return "documentation"
        for place, what in self.linked.items():
            if path == place or (place.endswith("/") and path.startswith(place)):
                return what
        if _LIBRARY.fullmatch(path):
            return "libraries"
        if path.startswith(self.classes) or (path.endswith(".class") and _LOADER not in path):
            return "application"
        return "other"


def java_homes(
    paths: Iterable[str], compilers: Iterable[str] = (), runtimes: Iterable[str] = ()
) -> tuple[JavaHome, ...]:
    """The homes that the paths of files show, the longest first so that the innermost one counts.

    ``compilers``: files that were seen to be, or to hold, Java's compiler, whatever they are called; ``runtimes``:
    runtime images.
    """
    found: dict[str, tuple[bool, str]] = {}

    def add(home: str, sign: str, *, jdk: bool) -> None:
        home = home.removesuffix("/jre")
        if home not in found or (jdk and not found[home][0]):
            found[home] = (jdk, sign)

    for path in paths:
        if not path.endswith(SIGN_ENDS):
            continue
        for sign, jdk in _HOME_SIGNS:
            match = sign.fullmatch(path)
            if match is not None:
                if jdk or match[1]:  # /lib/modules is the kernel's, unless it is seen to be Java's
                    add(match[1], path, jdk=jdk)
                break
    for path in runtimes:
        if path.endswith("/lib/modules"):
            add(path.removesuffix("/lib/modules"), path, jdk=False)
    for path in compilers:
        directory = path.rpartition("/")[0]
        add(re.sub(r"/(?:lib|bin|jmods)$", "", directory), path, jdk=True)
    return tuple(JavaHome(path, *found[path]) for path in sorted(found, key=len, reverse=True))


def is_shared(path: str) -> bool:
    """Whether a directory holds so much else that not all in it is what one thing in it is."""
    return path.rstrip("/") in _SHARED


def in_library_place(path: str) -> bool:
    return any(place in path for place in _LIBRARY_PLACES)


def tool_homes(paths: Iterable[str]) -> tuple[str, ...]:
    """Directories of build tools, each with a slash at its end, by files that only they have."""
    found = set()
    for path in paths:
        if path.endswith(".jar"):
            match = _TOOL_HOMES.fullmatch(path)
            if match is not None and match[1] not in _SHARED:
                found.add(f"{match[1]}/")
    return tuple(sorted(found))


def maven_repositories(paths: Iterable[str]) -> tuple[str, ...]:
    """Directories of artifacts in local Maven repositories, each with a slash at its end."""
    return tuple(
        sorted({path[: -len(_REPOSITORY_SIGN) + 1] for path in paths if path.endswith(_REPOSITORY_SIGN)})
    )


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
