"""Spring Boot's archives: launchers, jar modes and layers of every line from 1.0 to 4.1.

Version facts are from Spring Boot's own sources at its tags: ``Layouts``, ``Packager``, ``IndexedLayers``,
``ExtractCommand`` and ``ExplodedArchive``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from imgopt.java.model import LayerIndex, Tell
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.java.archive import Entry
    from imgopt.java.model import Jar, Library


LOADER_PACKAGE = "org.springframework.boot.loader."
LOADER_PATH = "org/springframework/boot/loader/"
_TELLING: tuple[tuple[Tell, tuple[bytes, ...]], ...] = (
    (
        "layout",
        (
            *(
                b"BOOT-INF",
                b"nested:",
                b"jar:file:",
                b"springframework/boot/loader/",
                b"springframework.boot.loader.",
            ),
            *(b"Start-Class", b"Spring-Boot-Classes", b"Spring-Boot-Lib"),
        ),
    ),
    ("place", (b"java/security/CodeSource", b"codeSource")),
    ("class loader", (b"java/net/URLClassLoader", b"reflections/util/ClasspathHelper")),
    ("web resources", (b"register-default-servlet", b"registerDefaultServlet")),
)
_ROOT_PATTERN = regex(rb"classpath\*:/?(?:[\w.-]{0,200}[*?{$#]|[\0-\x1f])")
#: Files in which an application is told paths and patterns.
SETTINGS = (".properties", ".yml", ".yaml", ".xml", ".conf", ".json")
#: Where Spring Boot takes files from that it serves to browsers, with the time of the jar that they lie in.
SERVED = ("META-INF/resources/", "static/", "public/", "resources/")
#: Services that the JDK looks for on the system class path alone, where a fat jar's libraries are not.
_SYSTEM_SERVICE = regex(
    r"META-INF/services/(java\.(?!sql\.Driver$|security\.Provider$)|javax\.naming\.ldap\.|com\.sun\.net\.httpserver\.|sun\.|jdk\.)"
)
DEFAULT_LAYERS = ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application")

_LAUNCHERS = frozenset(
    f"{LOADER_PACKAGE}{package}{kind}Launcher"
    for package in ("", "launch.")
    for kind in ("Jar", "War", "Properties")
)
# Oldest and newest Java of a line, from the system requirements in the manual of its last release.
_JAVA_RANGES: dict[tuple[int, int], tuple[int, int]] = {
    (2, 0): (8, 9), (2, 1): (8, 12), (2, 2): (8, 15), (2, 3): (8, 15), (2, 4): (8, 16), (2, 5): (8, 18),
    (2, 6): (8, 19), (2, 7): (8, 21), (3, 0): (17, 21), (3, 1): (17, 21), (3, 2): (17, 23), (3, 3): (17, 23),
    (3, 4): (17, 24), (3, 5): (17, 25), (4, 0): (17, 26), (4, 1): (17, 26),
}  # fmt: skip
_VERSION = regex(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?(?:[.-]?(.*))?")


def version_tuple(version: str | None) -> tuple[int, int, int] | None:
    """``2.3.5.RELEASE`` -> (2, 3, 5); milestones and snapshots count as their release. None when it is none."""
    match = _VERSION.fullmatch((version or "").strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def tells(data: bytes) -> Iterator[Tell]:
    """How the bytes of a class or of a file of settings tell a fat jar from a thin one."""
    for tell, words in _TELLING:
        if any(word in data for word in words):
            yield tell
    if b"servlet/ServletContext" in data and b"getResource" in data:
        yield "web resources"
    if b"classpath*:" in data and _ROOT_PATTERN.search(data):
        yield "root pattern"


def served_snapshots(jar: Jar) -> frozenset[str]:
    """Paths of the snapshots with files for browsers: another release has these under the same name, and with a fixed time a
    browser would keep the old ones."""
    return frozenset(
        library.path for library in jar.libraries if library.snapshot and library.path in jar.serves
    )


def is_system_service(name: str) -> bool:
    """Whether an entry names providers of a service that the JDK looks for on the system class path alone."""
    return _SYSTEM_SERVICE.match(name) is not None


def is_known_launcher(name: str | None) -> bool:
    """Whether the class is one of Spring Boot's own launchers. A custom layout may have any other."""
    return name in _LAUNCHERS


def launcher_for(version: str, war: bool) -> str:
    """The default launcher of a version, for documents without a jar. Where there is one, its manifest decides:
    3.2 to 3.5 can be built with the classic loader.
    """
    parsed = version_tuple(version)
    package = "launch." if parsed is None or parsed >= (3, 2, 0) else ""
    return f"{LOADER_PACKAGE}{package}{'War' if war else 'Jar'}Launcher"


def jarmode_for(version: str) -> Literal["tools", "layertools"] | None:
    """The jar mode that a version's own tools offer when they are in the jar; None before 2.3."""
    parsed = version_tuple(version)
    if parsed is None or parsed < (2, 3, 0):
        return None
    return "tools" if parsed >= (3, 3, 0) else "layertools"


def java_range(version: str) -> tuple[int, int] | None:
    """(oldest, newest) Java version of the line. None for a line not known here."""
    parsed = version_tuple(version)
    if parsed is None:
        return None
    if parsed[0] == 1:
        return (7, 8)
    return _JAVA_RANGES.get(parsed[:2])


def java_needed(jar: Jar) -> tuple[int, str] | None:
    """The oldest Java version that runs the jar, and what says so: the level of its own classes, that of its launcher,
    or what its Spring Boot line asks for. None where nothing tells."""
    oldest = java_range(jar.spring_boot or "")
    asked = [
        (jar.java_major or 0, "its classes"),
        (jar.launcher_java or 0, "its launcher"),
        (oldest[0] if oldest else 0, f"Spring Boot {jar.spring_boot}"),
    ]
    major, source = max(asked, key=lambda each: each[0])
    return (major, source) if major else None


def jarmode_in(
    libraries: Iterable[Library], entries: Iterable[Entry]
) -> Literal["tools", "layertools"] | None:
    """The jar mode an archive answers to: its tools library must be there, and a loader that knows jar modes.

    spring-boot-jarmode-tools (3.3+) also answers to ``layertools`` up to 4.0; ``tools`` works in all of them.
    """
    artifacts = {library.artifact for library in libraries}
    if not any(
        entry.name.startswith(LOADER_PATH)
        and entry.name.endswith(("/JarModeLauncher.class", "/JarModeRunner.class"))
        for entry in entries
    ):
        return None
    if "spring-boot-jarmode-tools" in artifacts:
        return "tools"
    return "layertools" if "spring-boot-jarmode-layertools" in artifacts else None


def _items(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.rstrip("\r")
        if line.strip():
            yield number, line


_LAYER = regex(r'- (?:"([^"]+)"|([^"\s][^"]*)):')
_CONTENT = regex(r'  - (?:"([^"]+)"|([^"\s][^"]*))')
_CLASS_PATH = regex(r'- (?:"([^"]+)"|([^"\s][^"]*))')


def parse_layers_index(text: str) -> LayerIndex:
    """Reads layers.idx. ValueError "LINE: what is wrong" for any line that Spring Boot's own reader refuses."""
    layers: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in _items(text):
        if match := _LAYER.fullmatch(line):
            current = layers.setdefault(match[1] or match[2], [])
        elif (match := _CONTENT.fullmatch(line)) and current is not None:
            current.append(match[1] or match[2])
        else:
            raise ValueError(f"{number}: no layer and no path of one: {line[:60]!r}")
    if not layers:
        raise ValueError("1: no layers in it")
    return tuple((name, tuple(paths)) for name, paths in layers.items())


def parse_classpath_index(text: str) -> tuple[str, ...]:
    """Reads classpath.idx: archive paths, or bare file names as 2.3.0–2.3.7 and 2.4.0–2.4.1 wrote them.

    ValueError "LINE: what is wrong".
    """
    found = []
    for number, line in _items(text):
        match = _CLASS_PATH.fullmatch(line)
        if match is None:
            raise ValueError(f"{number}: no library: {line[:60]!r}")
        found.append(match[1] or match[2])
    return tuple(found)


def layer_of(name: str, index: LayerIndex) -> str | None:
    """The layer an entry goes to: the first that names it, or a directory above it. None when none does."""
    for layer, paths in index:
        for path in paths:
            if path == name or (path.endswith("/") and name.startswith(path)):
                return layer
    return None


def layered(jar: Jar) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """(layer name, file entries in archive order), in layer order, as ``extract --layers --launcher`` writes them.

    By layers.idx where there is one; else by path, as Spring Boot's default layers have it. Entries an index does not
    name go to the last layer (`extraction` tells: Spring Boot's tools refuse such a jar). A name that occurs twice
    counts once, the first time.
    """
    files = list({entry.name: entry for entry in reversed(jar.entries) if not entry.is_directory}.values())[
        ::-1
    ]
    if jar.layers_index is None:
        found = _layered_by_path(jar, files)
    else:
        found = {name: [] for name, _ in jar.layers_index}
        last = jar.layers_index[-1][0]
        place = _Places(jar.layers_index)
        for entry in files:
            found[place.layer(entry.name) or last].append(entry)
    return tuple((name, tuple(entries)) for name, entries in found.items())


def with_classes(jar: Jar) -> frozenset[str]:
    """The entries in the layers that have the application's classes: these, its settings, the project's own modules."""
    prefix = jar.classes_prefix
    return frozenset(
        entry.name
        for _, entries in layered(jar)
        if prefix is not None and any(entry.name.startswith(prefix) for entry in entries)
        for entry in entries
    )


def _layered_by_path(jar: Jar, files: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {name: [] for name in DEFAULT_LAYERS}
    snapshots = {library.path for library in jar.libraries if library.snapshot}
    for entry in files:
        if jar.lib_prefixes and entry.name.startswith(jar.lib_prefixes):
            layer = "snapshot-dependencies" if entry.name in snapshots else "dependencies"
        elif entry.name.startswith(LOADER_PATH):
            layer = "spring-boot-loader"
        else:
            layer = "application"
        found[layer].append(entry)
    return found


class _Places:
    """`layer_of` for many names: an index of hundreds of paths would make it quadratic."""

    def __init__(self, index: LayerIndex) -> None:
        self._exact: dict[str, tuple[int, str]] = {}
        self._below: dict[str, tuple[int, str]] = {}
        number = 0
        for layer, paths in index:
            for path in paths:
                self._exact.setdefault(path, (number, layer))
                if path.endswith("/"):
                    self._below.setdefault(path, (number, layer))
                number += 1
        self._lengths = sorted({len(path) for path in self._below})

    def layer(self, name: str) -> str | None:
        best = self._exact.get(name)
        for length in self._lengths:
            if length > len(name):
                break
            found = self._below.get(name[:length]) if name[length - 1] == "/" else None
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best[1] if best is not None else None


def _takes_layer_of_classes(version: tuple[int, int, int] | None) -> bool:
    """Of versions that put the thin jar beside the classes, in a layer that need not be that of layers.idx."""
    return version is not None and (version < (3, 3, 12) or (3, 4, 0) <= version < (3, 4, 6))


def application_layer(jar: Jar) -> str | None:
    """The layer that ``extract`` without ``--launcher`` puts the application's jar into; None without layers."""
    if jar.layers_index is None:
        return None
    path = jar.manifest.get("Spring-Boot-Layers-Index")
    if _takes_layer_of_classes(version_tuple(jar.spring_boot)) or path is None:
        path = jar.classes_prefix or ""
    return layer_of(path, jar.layers_index) or jar.layers_index[-1][0]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What the jar's own jar mode can do with it."""

    mode: Literal["tools", "layertools"] | None
    """None: nothing; then extract by path."""
    layers: bool
    """``--layers`` (tools) and ``extract`` (layertools) work: layers.idx is there and covers every entry."""
    thin: bool
    """``extract`` without ``--launcher`` keeps everything the application needs (tools mode, plain jars)."""
    blocked: str | None
    """Why the mode does not work although its library is there, or why there is none."""
    exits_zero_on_error: bool
    """It prints ``Error:`` and exits 0: assert that the expected files are there."""
    not_to_root: bool
    """Extracting to ``/`` fails; use a directory below it."""
    keeps_times: bool
    """Files get the time of their entry; others get the time of the extraction."""


def extraction(jar: Jar) -> Extraction:
    """The jar mode, and the faults of the versions that have some."""
    version = version_tuple(jar.spring_boot)
    mode = jar.jarmode
    blocked: str | None = None
    index = jar.layers_index
    covered = False
    if index is not None:
        place = _Places(index)
        covered = all(entry.is_directory or place.layer(entry.name) is not None for entry in jar.entries)
    if mode is None:
        if version is not None and version < (2, 3, 0):
            blocked = f"Spring Boot {jar.spring_boot} has no jar modes"
        else:
            blocked = "the jar holds no spring-boot-jarmode library"
    elif not is_known_launcher(jar.launcher):
        blocked = f"a custom launcher, {jar.launcher}"
    elif jar.launch_script:
        blocked = "a launch script precedes the jar"
    elif jar.unsafe_names:
        blocked = "entry names lead out of the jar"
    elif mode == "layertools" and index is None:
        blocked = "the jar has no layers.idx"
    elif index is not None and not covered:
        blocked = "layers.idx does not name every entry"
    elif version == (3, 3, 0) and len({entry.name for entry in jar.entries}) < len(jar.entries):
        blocked = "3.3.0 fails on names that occur twice"
    elif version is not None and version >= (4, 1, 0) and mode == "layertools":
        blocked = "Spring Boot 4.1 has no layertools mode any more"
    split_classes = index is not None and _splits(jar, index)
    early = _takes_layer_of_classes(version)
    return Extraction(
        mode=mode if blocked is None else None,
        layers=blocked is None and index is not None,
        thin=(
            blocked is None
            and mode == "tools"
            and jar.kind == "spring-boot"
            and jar.launcher is not None
            and not jar.launcher.endswith(".PropertiesLauncher")
            and jar.classpath_index is not None
            and not (early and split_classes)
            and not _outside_thin(jar)
        ),
        blocked=blocked,
        exits_zero_on_error=version is not None
        and ((3, 3, 0) <= version <= (3, 3, 6) or version == (3, 4, 0)),
        not_to_root=version in ((3, 5, 14), (4, 0, 6)),
        keeps_times=version is not None and ((2, 4, 12) <= version < (2, 5, 0) or version >= (2, 5, 6)),
    )


def _splits(jar: Jar, index: LayerIndex) -> bool:
    """Whether a custom layering puts parts of the classes directory into different layers."""
    prefix = jar.classes_prefix or ""
    layers = {layer for layer, paths in index for path in paths if path.startswith(prefix)}
    return len(layers) > 1


def _outside_thin(jar: Jar) -> bool:
    """Whether there are files that the thin layout drops: neither class path, META-INF nor loader."""
    keep = (jar.classes_prefix or "", "META-INF/", LOADER_PATH, *jar.lib_prefixes)
    indexes = ("classpath.idx", "layers.idx")
    return any(
        not entry.is_directory and not entry.name.startswith(keep) and not entry.name.endswith(indexes)
        for entry in jar.entries
    )


def exploded_order(jar: Jar) -> Literal["index", "path", "directory"]:
    """How the launcher orders libraries when the jar is exploded; inside the jar it is the order of the entries.

    ``index``: classpath.idx. ``path``: sorted by path (2.4.1 and earlier, or an index of bare file names).
    ``directory``: as the file system lists them (1.0–1.3).
    """
    version = version_tuple(jar.spring_boot) or (0, 0, 0)
    if version < (1, 4, 0) and jar.classes_prefix == "":
        return "directory"
    index = jar.classpath_index
    if not index or not all("/" in path for path in index):
        return "path"
    properties = (jar.launcher or "").endswith(".PropertiesLauncher")
    if properties and (version < (3, 2, 9) or (3, 3, 0) <= version < (3, 3, 3)):
        return "path"
    return "index"


def keeps_library_order(jar: Jar) -> bool:
    """Whether the exploded jar has its libraries on the class path in the order they have inside it."""
    inside = [library.path for library in jar.libraries]
    order = exploded_order(jar)
    if order == "index":
        listed = set(jar.classpath_index or ())
        return [path for path in inside if path in listed] == list(jar.classpath_index or ())
    return order == "path" and inside == sorted(inside)
