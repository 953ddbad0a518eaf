"""What a jar or war is, as data: `imgopt.java.jar` reads it, `imgopt.java.spring_boot` knows what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.java.archive import Entry
    from imgopt.java.natives import NativeLibrary

LayerIndex = tuple[tuple[str, tuple[str, ...]], ...]
"""(layer name, paths) in order; a path that ends in ``/`` stands for everything below it."""

Tell = Literal["layout", "place", "class loader", "web resources", "root pattern", "unseen"]
"""How code and settings can tell a fat jar from a thin one with its libraries beside it: they name the archive's layout or
its loader, ask where they lie or for the URLs of their class loader, use web resources of libraries, which Spring Boot
takes from those URLs, or search with a pattern at the root, for which Spring Framework takes them before 6.2."""


Kind = Literal[
    "spring-boot", "spring-boot-war", "shaded", "quarkus-fast", "quarkus-uber", "thin", "war", "library"
]


@dataclass(frozen=True, slots=True)
class Library:
    """A jar inside the archive. In a shaded jar: an artifact merged into it, with ``bytes`` and ``crc32`` 0."""

    file: str
    path: str
    artifact: str | None
    version: str | None
    bytes: int
    """As it lies in the archive."""
    crc32: int
    snapshot: bool
    classifier: str | None = None
    group: str | None = None
    """Maven group, when the library carries its pom.properties."""


@dataclass(frozen=True, slots=True)
class Jar:
    """All that is known about one jar or war. Natives and libraries beside it (`companions`) are not in here."""

    path: str
    bytes: int
    kind: Kind
    manifest: Mapping[str, str]
    """Main attributes, names as written."""
    main_class: str | None
    start_class: str | None
    launcher: str | None
    """Spring Boot: the manifest's Main-Class, which may be a custom one (`spring_boot.is_known_launcher`)."""
    spring_boot: str | None
    """Version: from the manifest, else from the file name of the spring-boot library."""
    launch_script: bool
    """Bytes in front of the zip: Spring Boot's start script (removed in 4.0), or any other."""
    classes_prefix: str | None
    """Where the application's own classes lie; "" for the root; None when they lie in other files."""
    lib_prefixes: tuple[str, ...]
    layers_index: LayerIndex | None
    """None when there is none, or when it is malformed (then ``problems`` says so)."""
    classpath_index: tuple[str, ...] | None
    jarmode: Literal["tools", "layertools"] | None
    """The jar mode this jar answers to; `spring_boot.extraction` says what it can do."""
    java_major: int | None
    """Highest Java version a class of the application itself needs."""
    launcher_java: int | None
    """Java version that the class of Spring Boot's launcher needs; None for other archives."""
    java_hint: int | None
    """Java version the manifest says it was built with or for: not what it needs, only a hint."""
    multi_release: bool
    entries: tuple[Entry, ...]
    """In directory order; names that lead out of the archive are left out."""
    libraries: tuple[Library, ...]
    duplicates: tuple[tuple[Library, ...], ...]
    """Groups: one artifact in several versions, or the same bytes twice."""
    natives: tuple[NativeLibrary, ...]
    natives_complete: bool
    """False when something that may hold native code could not be looked at; ``problems`` says what."""
    references: frozenset[str]
    """Classes the application's own classes refer to, limited to `classfile.WATCHED`, in internal form."""
    class_path: tuple[str, ...]
    """Manifest Class-Path, relative to the jar's own directory."""
    problems: tuple[str, ...] = ()
    """What is odd but does not stop a JVM: one sentence each."""
    tells: frozenset[Tell] = frozenset()
    """How its own classes and settings can tell a fat jar from a thin one; "unseen" where some were not looked at."""
    serves: frozenset[str] = frozenset()
    """What holds files that Spring Boot serves to browsers: libraries by their path, its own classes by their directory."""
    system_services: tuple[str, ...] = ()
    """Files of the classes below a directory and of libraries that offer the JDK what it looks for on the system class path alone."""
    unsafe_names: tuple[str, ...] = ()
    """Entry names with ``..`` or an absolute path. Whoever extracts such a jar must refuse it."""
