"""X-ray of a jar or war: what it is, what is in it, what it needs; from the zip directories, unpacking nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType

from imgopt.errors import JarError
from imgopt.java import archive, classfile, natives, spring_boot
from imgopt.java.archive import Entry
from imgopt.java.model import Jar, Kind, LayerIndex, Library, Tell
from imgopt.java.natives import NativeLibrary
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace

__all__ = [
    "OpenJar",
    "companions",
    "content_chunks",
    "entry_data",
    "inflatable",
    "library_bytes",
    "library_name",
    "read_jar",
    "references_of_library",
]


MAX_CLASSES = 20_000
_MAX_CLASS_BYTES = 8 << 20
_MAX_MANIFEST_BYTES = 8 << 20  # signed jars list every file in it
_MAX_INDEX_BYTES = 2 << 20
_MAX_POM_BYTES = 4096
_MAX_NESTED_BYTES = 96 << 20
_MAX_INFLATED_BYTES = 1 << 30
_MAX_NESTED = 5_000
_MAX_NESTED_DIRECTORY_BYTES = 96 << 20
# Within those limits, what may be read and inflated grows with the jar: an honest one's classes inflate to three
# times their size, and archives whose entries share bytes, or are bombs, would take minutes.
_LEAST_INFLATED_BYTES = 64 << 20
_LEAST_DIRECTORY_BYTES = 8 << 20
_MAX_PEEKS = 5_000
_MAX_NATIVES = 5_000
_MAX_SUSPECTS = 50_000
_MAX_NATIVE_PATH = 4096  # characters, as in a file system
_MAX_PROBLEMS = 50
# Above it a nested archive is no jar anybody built (class files deflate to a half or a third).
_BOMB_RATIO = 100
_EXAMINED = ("amd64", "arm64")


def read_jar(
    path: Path | str, *, architectures: Collection[str] | None = _EXAMINED, classes: bool = True
) -> Jar:
    """Reads a jar or war of any size.

    ``architectures``: Linux natives of others are reported from their header only, with verdict "unknown";
    None examines all. ``classes=False`` leaves out ``java_major`` and ``references``, which for a large library
    beside a thin jar cost more than the rest. JarError when the file is no zip archive, or one that Java would refuse (truncated,
    damaged directory, encrypted, unknown compression); everything less is a line in ``problems``.
    """
    path = Path(path)
    file = archive.open_file(path)
    with file:
        try:
            return _Xray(file, path, architectures, classes).run()
        except OSError as error:
            raise JarError(f"cannot be read: {error.strerror or error}", path=str(path)) from error


_TELLING = (b".class", *(suffix.encode() for suffix in spring_boot.SETTINGS))
_SERVED = tuple(path.encode() for path in spring_boot.SERVED)


@dataclass(slots=True)
class _Suspect:
    """An entry that may be a native library, and the nested archive it lies in."""

    entry: Entry
    holder: Entry | None
    certain: bool  # its name says native; others are opened only to make sure


class _Xray:
    """The steps of reading one jar; collects problems and keeps to the limits on work."""

    def __init__(
        self, file: FileIO, path: Path, architectures: Collection[str] | None, classes: bool
    ) -> None:
        self.path = path
        self.name = str(path)
        self.size = file.seek(0, 2)
        self.file = file
        self.source = archive.Window(file, 0, self.size)
        self.architectures = architectures
        self.wants_classes = classes
        self.problems: list[str] = []
        self.unsafe: list[str] = []
        self.tells: set[Tell] = set()
        self.system_services: list[str] = []
        self.serves: set[str] = set()
        self.complete = True
        self.budget = inflatable(self.size)
        self.directory_budget = min(_MAX_NESTED_DIRECTORY_BYTES, _LEAST_DIRECTORY_BYTES + 2 * self.size)

    def problem(self, text: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(text)
        elif len(self.problems) == _MAX_PROBLEMS:
            self.problems.append("more problems are not listed")

    def unseen(self, text: str) -> None:
        """A problem that leaves natives unseen."""
        self.complete = False
        self.problem(text)

    def run(self) -> Jar:
        entries = self.read_entries()
        by_name = {entry.name: entry for entry in entries}
        manifest = self.manifest(entries, by_name)
        attribute = {name.lower(): value for name, value in manifest.items()}
        has_loader = any(entry.name.startswith(spring_boot.LOADER_PATH) for entry in entries)
        main_class = attribute.get("main-class")
        start_class = attribute.get("start-class")
        class_path = tuple(attribute.get("class-path", "").split())
        kind = self.kind(entries, attribute, has_loader)
        boot = kind in ("spring-boot", "spring-boot-war")
        classes_prefix, lib_prefixes = _layout(kind, attribute, entries)
        nested = [
            entry
            for entry in entries
            if entry.name.endswith((".jar", ".war")) and not entry.is_directory and entry.compressed_bytes
        ]
        suspects = [
            _Suspect(entry, None, bool(_NATIVE_NAME.search(entry.name)))
            for entry in entries
            if not entry.is_directory and _may_be_native(entry.name.encode(errors="replace"), entry.bytes)
        ]
        groups: dict[str, str] = {}
        if len(nested) > _MAX_NESTED:
            self.unseen(f"{len(nested)} nested archives; only the first {_MAX_NESTED} were looked at")
        for entry in nested[:_MAX_NESTED]:
            self.scan_nested(entry, boot, suspects, groups)
        libraries = _libraries(nested, lib_prefixes, groups)
        if kind in ("shaded", "quarkus-uber"):
            libraries = self.merged_libraries(entries)
        version = attribute.get("spring-boot-version")
        if boot and not version:
            version = next(
                (library.version for library in libraries if library.artifact == "spring-boot"), None
            )
        layers_index, classpath_index = self.indexes(attribute, by_name) if boot else (None, None)
        own = _own_classes(kind, classes_prefix, main_class, entries) if self.wants_classes else []
        java_major, references = self.classes(own)
        if self.wants_classes and classes_prefix:
            self.settings(entries, classes_prefix)
            served = tuple(classes_prefix + path for path in spring_boot.SERVED)
            if any(entry.name.startswith(served) and not entry.is_directory for entry in entries):
                self.serves.add(classes_prefix)
        launcher = by_name.get(f"{(main_class or '').replace('.', '/')}.class") if boot else None
        launcher_java = self.level_of(launcher) if launcher is not None and self.wants_classes else None
        found = self.natives(suspects)
        return Jar(
            path=self.name,
            bytes=self.size,
            kind=kind,
            manifest=manifest,
            main_class=main_class,
            start_class=start_class,
            launcher=main_class if boot else None,
            spring_boot=version or None if boot else None,
            launch_script=not self.source.read_at(0, 4).startswith((b"PK\3\4", b"PK\5\6")),
            classes_prefix=classes_prefix,
            lib_prefixes=lib_prefixes,
            layers_index=layers_index,
            classpath_index=classpath_index,
            jarmode=spring_boot.jarmode_in(libraries, entries) if boot else None,
            java_major=java_major,
            launcher_java=launcher_java,
            java_hint=_java_hint(attribute),
            multi_release=attribute.get("multi-release", "").lower() == "true",
            entries=tuple(entries),
            libraries=libraries,
            duplicates=_duplicates(libraries),
            natives=found,
            natives_complete=self.complete,
            references=references,
            class_path=class_path,
            tells=frozenset(self.tells),
            serves=frozenset(self.serves),
            system_services=(
                *(
                    entry.name
                    for entry in entries
                    if classes_prefix
                    and entry.name.startswith(classes_prefix)
                    and spring_boot.is_system_service(entry.name.removeprefix(classes_prefix))
                ),
                *self.system_services,
            ),
            problems=tuple(self.problems),
            unsafe_names=tuple(self.unsafe),
        )

    def read_entries(self) -> list[Entry]:
        found = archive.find_directory(self.source, self.name)
        directory = self.source.read_at(found.start, found.size)
        entries: list[Entry] = []
        total = 0
        try:
            for _, at in archive.records(directory):
                entry = archive.entry_at(directory, at, found, self.name)
                total += 1
                if total > archive.MAX_ENTRIES:
                    raise JarError(
                        f"more than {archive.MAX_ENTRIES} entries; that is not a usable jar", path=self.name
                    )
                if archive.is_unsafe(entry.name):
                    self.unsafe.append(archive.shown(entry.name))
                else:
                    entries.append(entry)
        except ValueError as error:
            raise JarError(
                f"damaged: its zip directory breaks off after {total} entries",
                "build or download it again",
                path=self.name,
            ) from error
        if total != found.entries & 0xFFFF and total != found.entries:
            self.problem(f"the zip directory says {found.entries} entries and holds {total}")
        if not total:
            self.problem("no entries")
        if self.unsafe:
            self.problem(f"{_count(self.unsafe, 'entry name')} out of the archive: {self.unsafe[0]}")
        self.check(entries)
        return entries

    def check(self, entries: list[Entry]) -> None:
        seen: set[str] = set()
        twice = [entry.name for entry in entries if entry.name in seen or seen.add(entry.name)]  # type: ignore[func-returns-value]
        if twice:
            more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
            self.problem(f"occurs twice: {archive.shown(twice[0])}{more}")
        end, before = 0, None
        for entry in sorted(entries, key=_by_offset):
            # Jars with one file recorded twice exist (Spring's own layertools is one); they are harmless.
            if before is not None and entry.data_offset < end and entry != before:
                self.problem(
                    f"{archive.shown(before.name)} and {archive.shown(entry.name)} share bytes: damaged, or a zip bomb"
                )
                break
            end, before = entry.data_offset + 30 + len(entry.name) + entry.compressed_bytes, entry
        for entry in entries:
            if entry.stored:
                if entry.compressed_bytes != entry.bytes:
                    self.problem(f"{archive.shown(entry.name)} is stored but declares two different sizes")
                    break
            elif entry.bytes > archive.MAX_DEFLATE_RATIO * entry.compressed_bytes + 64:
                self.problem(f"{archive.shown(entry.name)} declares more bytes than it can inflate to")
                break

    def text(self, entry: Entry, most: int) -> str | None:
        try:
            return archive.content(self.source, entry, most, self.name).decode("utf-8", "replace")
        except JarError as error:
            self.problem(error.message)
            return None

    def manifest(self, entries: list[Entry], by_name: Mapping[str, Entry]) -> dict[str, str]:
        entry = by_name.get("META-INF/MANIFEST.MF")
        if entry is None:  # Java looks for it whatever the case
            entry = next((entry for entry in entries if entry.name.upper() == "META-INF/MANIFEST.MF"), None)
        text = self.text(entry, _MAX_MANIFEST_BYTES) if entry is not None else None
        return _main_attributes(text) if text is not None else {}

    def kind(self, entries: list[Entry], attribute: Mapping[str, str], has_loader: bool) -> Kind:
        names = [entry.name for entry in entries]
        main_class = attribute.get("main-class", "")
        web = any(name.startswith(("WEB-INF/classes/", "WEB-INF/lib/", "WEB-INF/web.xml")) for name in names)
        by_loader = main_class.startswith(spring_boot.LOADER_PACKAGE)
        # Start-Class alone may be left over; a PropertiesLauncher may get its class from elsewhere.
        if ("start-class" in attribute and (by_loader or has_loader)) or (by_loader and has_loader):
            if web and not any(name.startswith("BOOT-INF/") for name in names):
                return "spring-boot-war"
            return "spring-boot"
        if any(name.startswith("BOOT-INF/lib/") for name in names) and not has_loader:
            self.problem("Spring Boot's layout without a launcher (layout NONE): java -jar cannot start it")
            return "library"
        if main_class.startswith("io.quarkus.bootstrap.runner."):
            return "quarkus-fast"
        if web:
            return "war"
        if not main_class:
            return "library"
        poms = sum(name.startswith("META-INF/maven/") and name.endswith("/pom.properties") for name in names)
        if attribute.get("class-path") and poms < 3:
            return "thin"
        if main_class.startswith("io.quarkus.runner."):
            return "quarkus-uber"
        nested = sum(name.endswith(".jar") for name in names)
        roots = {"/".join(name.split("/", 2)[:2]) for name in names if name.endswith(".class")}
        roots -= {root for root in roots if root.startswith(("META-INF/", "module-info"))}
        return "shaded" if poms > 1 or nested > 1 or len(roots) > 3 else "library"

    def indexes(
        self, attribute: Mapping[str, str], by_name: Mapping[str, Entry]
    ) -> tuple[LayerIndex | None, tuple[str, ...] | None]:
        layers: LayerIndex | None = None
        class_path: tuple[str, ...] | None = None
        for name in ("layers", "classpath"):
            place = attribute.get(f"spring-boot-{name}-index")
            if not place:
                continue
            entry = by_name.get(place)
            if entry is None:
                self.problem(f"the manifest names {archive.shown(place)}, which is not there")
                continue
            text = self.text(entry, _MAX_INDEX_BYTES)
            if text is None:
                continue
            try:
                if name == "layers":
                    layers = spring_boot.parse_layers_index(text)
                else:
                    class_path = spring_boot.parse_classpath_index(text)
            except ValueError as error:
                self.problem(f"{place if place.isprintable() else archive.shown(place)}:{error}")
        return layers, class_path

    def open_nested(self, entry: Entry) -> archive.ByteSource | None:
        """The bytes of a nested archive; None, with a problem noted, when they are not to be had."""
        try:
            if entry.stored:
                start = archive.data_start(self.source, entry, self.name)
                return archive.Window(self.file, start, entry.compressed_bytes)
            if entry.bytes > _BOMB_RATIO * entry.compressed_bytes + (1 << 20):
                raise JarError("it inflates more than 100 times: a zip bomb? not opened")
            if entry.bytes > _MAX_NESTED_BYTES or entry.bytes > self.budget:
                raise JarError("compressed, and too large to look into")
            self.budget -= entry.bytes
            return archive.inflated(self.source, entry, _MAX_NESTED_BYTES, self.name)
        except JarError as error:
            self.unseen(f"{archive.shown(entry.name)}: {error.message}")
            return None

    def scan_nested(
        self, holder: Entry, boot: bool, suspects: list[_Suspect], groups: dict[str, str]
    ) -> None:
        if boot and not holder.stored and holder.name.startswith(("BOOT-INF/lib/", "WEB-INF/lib", "lib/")):
            self.problem(f"{archive.shown(holder.name)} is compressed; Spring Boot's loader cannot open it")
        source = self.open_nested(holder)
        if source is None:
            return
        poms: list[tuple[str, str]] = []
        cost = min(source.size, archive.MAX_SEARCH_BYTES)
        try:
            if cost > self.directory_budget:
                raise JarError("too many entries to look through")
            found = archive.find_directory(source, holder.name)
            cost = found.size
            if cost > self.directory_budget:
                raise JarError("too many entries to look through")
            directory = source.read_at(found.start, found.size)
            for name, at in archive.records(directory):
                if name.endswith((b".class", b"/")):
                    continue
                if name.startswith(_SERVED):
                    self.serves.add(holder.name)
                if name.startswith(b"META-INF/services/"):
                    if spring_boot.is_system_service(name.decode("utf-8", "replace")):
                        self.system_services.append(f"{holder.name}!/{name.decode('utf-8', 'replace')}")
                elif name.endswith(b"/pom.properties") and name.startswith(b"META-INF/maven/"):
                    parts = name.decode("utf-8", "replace").split("/")
                    if len(parts) == 5:
                        poms.append((parts[2], parts[3]))
                elif _may_be_native(name, int.from_bytes(directory[at + 24 : at + 28], "little")):
                    if len(suspects) >= _MAX_SUSPECTS:
                        raise JarError("too many files that may be native code")
                    entry = archive.entry_at(directory, at, found, holder.name)
                    suspects.append(_Suspect(entry, holder, bool(_NATIVE_NAME.search(entry.name))))
        except JarError as error:
            self.unseen(f"{archive.shown(holder.name)}: {error.message}")
        except ValueError:
            self.unseen(f"{archive.shown(holder.name)}: damaged: its zip directory breaks off")
        self.directory_budget -= min(cost, self.directory_budget)
        if poms:
            artifact = library_name(holder.name.rpartition("/")[2])[0]
            own = [group for group, name in poms if name == artifact]
            if len(own) == 1:
                groups[holder.name] = own[0]

    def merged_libraries(self, entries: list[Entry]) -> tuple[Library, ...]:
        """What a shaded jar was merged from, as far as the pom.properties kept in it tell."""
        found: list[Library] = []
        for entry in entries:
            parts = entry.name.split("/")
            if len(parts) != 5 or parts[:2] != ["META-INF", "maven"] or parts[4] != "pom.properties":
                continue
            if len(found) == 2000 or entry.bytes > _MAX_POM_BYTES:
                continue
            text = self.text(entry, _MAX_POM_BYTES) or ""
            version = next(
                (line.partition("=")[2].strip() for line in text.splitlines() if line.startswith("version")),
                None,
            )
            found.append(
                Library(
                    f"{parts[3]}-{version}.jar" if version else f"{parts[3]}.jar",
                    entry.name.rpartition("/")[0] + "/",
                    parts[3],
                    version or None,
                    0,
                    0,
                    "SNAPSHOT" in (version or ""),
                    None,
                    parts[2],
                )
            )
        return tuple(found)

    def classes(self, own: list[Entry]) -> tuple[int | None, frozenset[str]]:
        """Highest class level and watched references of the application's own classes."""
        if len(own) > MAX_CLASSES:
            self.problem(f"{len(own)} classes of its own; only the first {MAX_CLASSES} were looked at")
            self.tells.add("unseen")
        highest: int | None = None
        references: set[str] = set()
        damaged = 0
        for entry in own[:MAX_CLASSES]:
            if entry.bytes > self.budget:
                self.problem("its classes inflate to more than was looked at")
                self.tells.add("unseen")
                break
            self.budget -= entry.bytes
            try:
                data = archive.content(self.source, entry, _MAX_CLASS_BYTES, self.name)
            except JarError as error:
                damaged += 1
                self.tells.add("unseen")
                if damaged == 1:
                    self.problem(error.message)
                continue
            level = classfile.class_level(data)
            if level is not None and (highest is None or level > highest):
                highest = level
            references |= classfile.references(data)
            self.tells.update(spring_boot.tells(data))
        if damaged > 1:
            self.problem(f"{damaged} classes of the application are damaged")
        return highest, frozenset(references)

    def settings(self, entries: list[Entry], classes_prefix: str) -> None:
        for entry in entries:
            if entry.name.startswith(classes_prefix) and entry.name.endswith(spring_boot.SETTINGS):
                if entry.bytes > self.budget:
                    self.tells.add("unseen")
                    return
                self.budget -= entry.bytes
                try:
                    data = archive.content(self.source, entry, _MAX_CLASS_BYTES, self.name)
                except JarError:
                    self.tells.add("unseen")
                else:
                    self.tells.update(spring_boot.tells(data))

    def level_of(self, entry: Entry) -> int | None:
        """The Java version that a class needs; None where it is damaged."""
        if entry.bytes > self.budget:
            return None
        self.budget -= entry.bytes
        try:
            return classfile.class_level(archive.content(self.source, entry, _MAX_CLASS_BYTES, self.name))
        except JarError as error:
            self.problem(error.message)
            return None

    def natives(self, suspects: list[_Suspect]) -> tuple[NativeLibrary, ...]:
        beside: dict[tuple[int, str], set[str]] = {}
        for suspect in suspects:
            if suspect.certain:
                directory, _, name = suspect.entry.name.rpartition("/")
                beside.setdefault((id(suspect.holder), directory), set()).add(name)
        names = {place: frozenset(found) for place, found in beside.items()}
        found: list[NativeLibrary] = []
        holder: Entry | None = None
        source: archive.ByteSource | None = self.source
        opened = peeks = 0
        for suspect in suspects:
            if suspect.holder is not holder:
                holder = suspect.holder
                source = self.source if holder is None else self.open_nested(holder)
            if source is None:
                continue
            if self.budget <= 0:
                self.unseen("inflates to many times its size; not all native code was looked at")
                break
            if suspect.certain:
                opened += 1
                if opened > _MAX_NATIVES:
                    self.unseen(f"more than {_MAX_NATIVES} native libraries; not all were looked at")
                    break
            else:
                peeks += 1
                if peeks == _MAX_PEEKS:
                    self.unseen("too many files of unknown kind; not all were looked at for native code")
                if peeks >= _MAX_PEEKS:
                    continue
            directory = suspect.entry.name.rpartition("/")[0]
            native = self.native(suspect, source, names.get((id(suspect.holder), directory), frozenset()))
            if native is not None:
                found.append(native)
        twins = natives.musl_twins(found)
        return tuple(
            replace(native, musl_twin=twins[native.path]) if native.path in twins else native
            for native in natives.with_companions(found)
        )

    def native(
        self, suspect: _Suspect, source: archive.ByteSource, beside: Collection[str]
    ) -> NativeLibrary | None:
        entry, holder = suspect.entry, suspect.holder
        if len(entry.name) + (len(holder.name) if holder is not None else 0) > _MAX_NATIVE_PATH:
            self.unseen(f"{archive.shown(entry.name)} has too long a name")
            return None
        path = entry.name if holder is None else f"{holder.name}!/{entry.name}"
        work = min(self.budget, 256 << 20)
        try:
            content = archive.Content(source, entry, self.name, work=work)
        except JarError:
            self.unseen(f"{archive.shown(path)} is not where the zip directory says")
            return None
        try:
            if not content.read(0, 4):
                self.unseen(f"{archive.shown(path)} cannot be inflated")
                return None
            head = natives.platform(content.read)
            if head is None:
                return None
            deep = self.architectures is None or head.arch in self.architectures
            library = holder.name.rpartition("/")[2] if holder is not None else None
            return natives.examine(content.read, path, library, entry.bytes, beside, deep)
        finally:
            self.budget = max(0, self.budget - (work - content.work))


def inflatable(size: int) -> int:
    """The bytes that may be read and inflated of a jar of this size."""
    return min(_MAX_INFLATED_BYTES, _LEAST_INFLATED_BYTES + 8 * size)


def _by_offset(entry: Entry) -> int:
    return entry.data_offset


def _count(things: Collection[object], what: str) -> str:
    return f"1 {what} leads" if len(things) == 1 else f"{len(things)} {what}s lead"


def _main_attributes(text: str) -> dict[str, str]:
    """The main section of a manifest: lines broken after 72 bytes go on behind a space."""
    attributes: dict[str, list[str]] = {}
    name = ""
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if attributes:
                break
            continue
        if line.startswith(" "):
            if name:
                attributes[name].append(line[1:])
            continue
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not name:
            name = ""
            continue
        attributes[name] = [value.removeprefix(" ")]
    return {name: "".join(parts).strip() for name, parts in attributes.items()}


def _java_hint(attribute: Mapping[str, str]) -> int | None:
    for name in ("build-jdk-spec", "java-version", "build-jdk", "x-compile-target-jdk"):
        match = re.match(r"(?:1\.)?(\d{1,2})(?!\d)", attribute.get(name, ""))
        if match:
            return int(match[1])
    return None


def _layout(
    kind: Kind, attribute: Mapping[str, str], entries: list[Entry]
) -> tuple[str | None, tuple[str, ...]]:
    """Where classes and libraries lie."""
    if kind in ("spring-boot-war", "war"):
        return "WEB-INF/classes/", ("WEB-INF/lib/", "WEB-INF/lib-provided/") if kind != "war" else (
            "WEB-INF/lib/",
        )
    if kind == "spring-boot":
        classes = attribute.get("spring-boot-classes")
        libraries = attribute.get("spring-boot-lib")
        if not classes or not libraries:
            old = not any(entry.name.startswith("BOOT-INF/") for entry in entries)  # Spring Boot 1.0 to 1.3
            classes = classes or ("" if old else "BOOT-INF/classes/")
            libraries = libraries or ("lib/" if old else "BOOT-INF/lib/")
        return classes, (libraries,)
    return (None if kind == "quarkus-fast" else ""), ()


_BROAD = frozenset(
    ("org/apache", "com/github", "io/github", "org/springframework", "com/alibaba", "com/google")
)


def _own_classes(
    kind: Kind, prefix: str | None, main_class: str | None, entries: Iterable[Entry]
) -> list[Entry]:
    """The application's class files; in a merged jar those near its main class, the rest being libraries."""
    if prefix is None:
        return []
    if kind in ("shaded", "quarkus-uber") and main_class and "." in main_class:
        parts = main_class.split(".")[:-1]
        near = "/".join(parts[:2])
        prefix = ("/".join(parts[:3]) if near in _BROAD else near) + "/"
    own = [
        entry
        for entry in entries
        if entry.name.endswith(".class")
        and entry.name.startswith(prefix)
        and not entry.name.endswith(("module-info.class", "package-info.class"))
    ]
    hidden = f"{prefix}META-INF/versions/"
    own = [entry for entry in own if not entry.name.startswith((hidden, "META-INF/versions/"))]
    if prefix == "" and kind == "spring-boot":
        own = [entry for entry in own if not entry.name.startswith(spring_boot.LOADER_PATH)]
    return own


# A version starts at a part that begins with a digit; these may follow and still belong to it.
_QUALIFIER = regex(
    r"v?\d.*|snapshot.*|release|final|ga|jre\d*|android|jdk\d+\w*|(alpha|beta|rc|cr|m|sp|b|p|r|ea|pre|preview|milestone|"
    r"dev|build|patch|redhat|incubating)[.\d]*|[0-9a-f]{7,40}",
    re.IGNORECASE,
)
_TIMESTAMPED = regex(r"\d{8}\.\d{6}-\d+")


def library_name(file: str) -> tuple[str | None, str | None, str | None]:
    """(artifact, version, classifier) as Maven and Gradle put them into a file name; None for what is not there.

    ``log4j-1.2-api-2.17.1.jar``: a digit may begin a part of the artifact too, so the last part that begins with
    one and holds a dot is taken.
    """
    stem = re.sub(r"\.(jar|war|zip)$", "", file, flags=re.IGNORECASE)
    if not stem:
        return None, None, None
    parts = stem.split("-")
    starts = [
        index
        for index in range(1, len(parts))
        if re.match(r"v?\d", parts[index]) and not re.match(r"v?\d", parts[index - 1])
    ]
    dotted = [index for index in starts if "." in parts[index]]
    start = dotted[-1] if dotted else starts[0] if starts else None
    if start is None:
        bare = next((index for index in range(1, len(parts)) if parts[index].upper() == "SNAPSHOT"), None)
        if bare is None:
            return stem, None, None
        start = bare
    end = start + 1
    while end < len(parts) and _QUALIFIER.fullmatch(parts[end]):
        end += 1
    return "-".join(parts[:start]), "-".join(parts[start:end]), "-".join(parts[end:]) or None


def _libraries(
    nested: Iterable[Entry], prefixes: tuple[str, ...], groups: Mapping[str, str]
) -> tuple[Library, ...]:
    found: list[Library] = []
    for entry in nested:
        if prefixes and entry.name.startswith(prefixes):
            file = entry.name.rpartition("/")[2]
            artifact, version, classifier = library_name(file)
            snapshot = "SNAPSHOT" in file or bool(_TIMESTAMPED.search(version or ""))
            found.append(
                Library(
                    file, entry.name, artifact, version, entry.compressed_bytes, entry.crc32, snapshot,
                    classifier, groups.get(entry.name),
                )
            )  # fmt: skip
    return tuple(found)


def _duplicates(libraries: Iterable[Library]) -> tuple[tuple[Library, ...], ...]:
    by_name: dict[tuple[str, str | None], list[Library]] = {}
    by_bytes: dict[tuple[int, int], list[Library]] = {}
    for library in libraries:
        if library.artifact:
            by_name.setdefault((library.artifact, library.classifier), []).append(library)
        if library.bytes:
            by_bytes.setdefault((library.crc32, library.bytes), []).append(library)
    found: dict[tuple[str, ...], tuple[Library, ...]] = {}
    for same in by_name.values():
        # "core" of two projects is no duplicate; a library that does not tell its group is taken for the same.
        by_group: dict[str | None, list[Library]] = {}
        for library in same:
            by_group.setdefault(library.group, []).append(library)
        by_group.pop(None, None)
        for members in by_group.values() if len(by_group) > 1 else [same]:
            if len({library.version for library in members}) > 1:
                found.setdefault(tuple(library.path for library in members), tuple(members))
    for same in by_bytes.values():
        if len(same) > 1:
            found.setdefault(tuple(library.path for library in same), tuple(same))
    return tuple(found.values())


_NATIVE_NAME = regex(r"\.(so(\.[\w.]+)?|dll|dylib|jnilib|exe|node)$", re.IGNORECASE)
_NATIVE_SUFFIX = (b".so", b".dll", b".dylib", b".jnilib", b".exe", b".node")
# Files that are certainly not native code; anything else of some size is opened.
_RESOURCES = frozenset(
    b"class java kt groovy scala clj js mjs cjs ts jsx tsx map vue css scss less html htm xhtml xml xsd xsl xslt dtd "
    b"json yaml yml properties txt md adoc rst csv tsv sql ftl vm jsp jspf jspx tld tag mustache hbs png jpg jpeg gif "
    b"svg ico webp bmp ttf otf woff woff2 eot pfb afm mp3 mp4 wav zip jar war gz tgz bz2 xz tar 7z pdf sf rsa dsa ec mf "
    b"list idx kotlin_module kotlin_builtins tasty proto pem crt cer jks p12 pfx der wsdl g4 graphql graphqls avsc res "
    b"cnv brk nrm icu dict dat ser po mo tmpl template conf cfg ini factories imports handlers schemas thrift "
    b"pom sh bat cmd ps1 xlsx docx pptx odt doc xls ppt rtf cmap icc pf lock license notice index bin2".split()
)


def _may_be_native(name: bytes, size: int) -> bool:
    """Whether an entry is worth opening to see if it is an ELF, Mach-O or PE file. ``size``: inflated bytes."""
    if size < 64:
        return False
    lower = name.lower()
    if lower.endswith(_NATIVE_SUFFIX) or b".so." in lower:
        return True
    if size < 4096:
        return False
    file = lower[lower.rfind(b"/") + 1 :]
    dot = file.rfind(b".")
    if dot < 0:
        return not lower.startswith(b"meta-inf/")  # licences and service files
    return file[dot + 1 :] not in _RESOURCES


class OpenJar:
    """The bytes of a jar that `read_jar` has read; keeps the file open. JarError when it has changed since."""

    def __init__(self, jar: Jar) -> None:
        self._path = jar.path
        file = archive.open_file(Path(jar.path))
        size = file.seek(0, 2)
        if size != jar.bytes:
            file.close()
            raise JarError("changed since it was read", "run again", path=jar.path)
        self._file = file
        self._source = archive.Window(file, 0, size)

    def __enter__(self) -> OpenJar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def raw(self, entry: Entry) -> Iterator[bytes]:
        """The entry's bytes as they lie in the archive, in chunks of at most 1 MiB."""
        return archive.stored_chunks(self._source, entry, self._path)

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The entry's content, inflated, in chunks of at most 1 MiB."""
        return archive.content_chunks(self._source, entry, self._path)

    def data(self, entry: Entry, limit: int) -> bytes:
        """The entry's whole content, checked. JarError when it is larger than ``limit`` bytes or damaged."""
        return archive.content(self._source, entry, limit, self._path)

    def _nested(self, entry: Entry) -> archive.ByteSource:
        if entry.stored:
            start = archive.data_start(self._source, entry, self._path)
            return archive.Window(self._file, start, entry.compressed_bytes)
        return archive.inflated(self._source, entry, _MAX_NESTED_BYTES, self._path)


def library_bytes(jar: Jar, entry: Entry) -> Iterator[bytes]:
    """The entry's bytes as they lie in the archive, in chunks of at most 1 MiB."""
    with OpenJar(jar) as opened:
        yield from opened.raw(entry)


def content_chunks(jar: Jar, entry: Entry) -> Iterator[bytes]:
    """The entry's content, inflated, in chunks of at most 1 MiB. For many entries keep an `OpenJar`."""
    with OpenJar(jar) as opened:
        yield from opened.chunks(entry)


def entry_data(jar: Jar, entry: Entry, limit: int) -> bytes:
    """The entry's whole content. JarError when it is larger than ``limit`` bytes or damaged."""
    with OpenJar(jar) as opened:
        return opened.data(entry, limit)


def references_of_library(jar: Jar, library: Library) -> frozenset[str]:
    """Watched classes that a library's classes refer to. Slow for large libraries (about 10,000 classes a second),
    and often optional code: weigh them below ``Jar.references``. JarError when the library cannot be read.
    """
    classes = _contents_of(
        jar,
        [library],
        lambda name: name.endswith(b".class") and not name.startswith(b"META-INF/versions/"),
    )
    return frozenset().union(*map(classfile.references, classes))


def tells_of_libraries(jar: Jar, libraries: Sequence[Library]) -> frozenset[Tell]:
    """How the classes and settings of libraries can tell the archive that they lie in from a thin jar; "unseen" where one
    cannot be read, or they are too much together."""
    found: set[Tell] = set()
    try:
        for data in _contents_of(jar, libraries, lambda name: name.endswith(_TELLING)):
            found.update(spring_boot.tells(data))
    except JarError:
        found.add("unseen")
    return frozenset(found)


def _contents_of(jar: Jar, libraries: Sequence[Library], wanted: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Files of nested libraries, by their names. JarError when one cannot be read, or when they inflate to too much together."""
    paths = {library.path for library in libraries}
    budget = inflatable(jar.bytes)
    with OpenJar(jar) as opened:
        for entry in jar.entries:
            if entry.name not in paths or entry.is_directory:
                continue
            source = opened._nested(entry)
            where = archive.find_directory(source, entry.name)
            directory = source.read_at(where.start, where.size)
            try:
                for name, at in archive.records(directory):
                    if wanted(name):
                        inner = archive.entry_at(directory, at, where, entry.name)
                        budget -= inner.bytes
                        if budget < 0:
                            raise JarError("its classes inflate to many times its size", path=entry.name)
                        yield archive.content(source, inner, _MAX_CLASS_BYTES, entry.name)
            except ValueError as error:
                raise JarError("damaged: its zip directory breaks off", path=entry.name) from error


def companions(jar: Jar) -> tuple[Path, ...]:
    """Existing files beside a thin jar or a Quarkus fast-jar that are loaded together with it, not followed further.

    The manifest decides where they lie, so they may lie outside of any directory: check before reading.
    """
    from urllib.parse import unquote

    home = Path(jar.path).parent
    if jar.kind == "quarkus-fast":
        places = [
            place
            for name in ("lib/boot", "lib/main", "app", "quarkus")
            for place in sorted(home.glob(f"{name}/*.jar"))
        ]
    elif jar.kind == "thin":
        places = [home / unquote(name) for name in jar.class_path if ":" not in name]
    else:
        places = []
    return tuple(place for place in places if _is_file(place))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for any file
        return False
