"""Reads an image's layers, each once and in order, into an `Inspection`."""

from __future__ import annotations

import struct
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ImgoptError, MeasureError
from imgopt.files.tar import Entry, TarStream
from imgopt.inspection.application import find_application
from imgopt.inspection.filesystem import Filesystem, is_whiteout
from imgopt.inspection.image import Contents, Holding, InspectedJar, InspectedLayer, Inspection
from imgopt.inspection.places import (
    SIGN_ENDS,
    WHATS,
    Places,
    What,
    in_library_place,
    is_shared,
    java_homes,
    maven_repositories,
    start_words,
    tool_homes,
)
from imgopt.inspection.start import ARCHIVES
from imgopt.java.distributions import java_archive
from imgopt.light.records import dataclass, replace
from imgopt.users import uid_of

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from imgopt.images.model import Image, OpenImage
    from imgopt.inspection.weight import Weigher
    from imgopt.java.boot_managed import Patch
    from imgopt.java.model import Jar

#: Layers may unpack to this much together, or to RATIO times what is stored, if that is more: beyond, nobody's image.
MOST_BYTES = 32 << 30
RATIO = 100
#: Of one layer that is small: what it may unpack to.
MOST_OF_A_LAYER = 4 << 30
#: Files of all layers together: what is kept of each is some hundred bytes.
MOST_ENTRIES = 1_000_000
#: Jars that are looked into, and their bytes together; those that are started have as much for themselves.
MOST_JARS = 200
LEAST_JAR_BYTES = 64 * 1024
MOST_JAR_BYTES = 2 << 30
LARGEST = 10
#: Scripts and /etc/passwd, which are kept while the layers are read, and what is read of one later.
MOST_KEPT_BYTES = 64 * 1024
MOST_KEPT_TOGETHER = 8 << 20
MOST_TEXT_BYTES = 1 << 20
#: The index at the front of a Java runtime's ``lib/modules``, which names its modules.
LEAST_RUNTIME_BYTES = 1024
#: A launcher of a JDK has some ten thousand bytes.
MOST_LAUNCHER_BYTES = 256 * 1024
MOST_INDEX_BYTES = 64 << 20

SPARSE = "stored as a sparse file, which is not read"
TOOLS_JAR = "/lib/tools.jar"
_COMPILER = "com/sun/tools/javac/Main.class"
#: What javac's launcher starts; the runtime's own libraries name other classes of that module.
_LAUNCHES = b"jdk.compiler/com.sun.tools.javac.Main"
_PROGRAMS = (b"\x7fELF", b"MZ")
#: Of a Java runtime image, little and big endian.
_RUNTIME_MAGICS = (b"\xda\xda\xfe\xca", b"\xca\xfe\xda\xda")


def inspect_image(
    opened: OpenImage, target: str, *, contents: bool = True, progress: Callable[[str], None] | None = None
) -> Inspection:
    """Everything about an open image. Without ``contents`` no layer is read: sizes are those the manifest names.

    InputError where a layer is no tar, damaged, cut short or made to harm; MeasureError where it cannot be had.
    """
    image = opened.image
    reader = _Reader(opened, progress)
    if contents:
        with reader.spooling(), _threads() as threads:
            for index in range(len(image.layers)):
                reader.read(index, threads)
            return _with_contents(image, target, reader)
    layers = tuple(
        InspectedLayer(
            number,
            layer.created_by,
            layer.diff_id,
            layer.blob.digest if layer.blob is not None else None,
            layer.blob.size if layer.blob is not None else None,
            layer.uncompressed_bytes,
        )
        for number, layer in enumerate(image.layers, 1)
    )
    return _inspection(image, target, layers, None, ())


def _inspection(
    image: Image,
    target: str,
    layers: tuple[InspectedLayer, ...],
    contents: Contents | None,
    notes: Sequence[str],
    passwd: bytes | None = None,
) -> Inspection:
    config = image.config.get("config")
    user = config.get("User") if isinstance(config, dict) else None
    text = user if isinstance(user, str) else "" if user is None else repr(user)
    uid, untold = uid_of(text, passwd)
    return Inspection(
        target,
        image.reference,
        image.id,
        image.platform,
        text,
        None if uid is None else uid == 0,
        start_words(config),
        layers,
        contents,
        tuple(notes),
        untold,
    )


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    from concurrent.futures import ThreadPoolExecutor

    from imgopt.inspection.weight import threads

    with ThreadPoolExecutor(max_workers=threads()) as pool:
        yield pool


@dataclass(frozen=True, slots=True)
class _ReadLayer:
    """A layer as it was read: its files with what they unpack to, and its two sizes."""

    files: list[tuple[str, int]]
    compressed_bytes: int
    uncompressed_bytes: int
    compressed_here: bool


class _Reader:
    def __init__(self, opened: OpenImage, progress: Callable[[str], None] | None) -> None:
        self.opened = opened
        self.image = opened.image
        self.layers: list[_ReadLayer] = []
        self.files = Filesystem()
        self.jars: dict[tuple[int, str], InspectedJar] = {}  # by layer and path, the last of two
        self._jars: dict[tuple[int, int], InspectedJar] = {}
        self.notes: list[str] = []
        self.compilers: dict[str, None] = {}
        self.runtimes: dict[str, None] = {}  # those with the compiler's module
        self.untold: dict[What, str] = {}
        # by layer and by number in its tar: a layer may have one name twice
        self._kept: dict[tuple[int, int], bytes] = {}
        self._kept_bytes = 0
        self._progress = progress
        self._read_bytes = 0
        self._entries = 0
        self._looked_at = {True: 0, False: 0}
        self._jar_bytes = {True: 0, False: 0}
        self._spool: Path | None = None
        start = start_words(self.image.config.get("config"))
        self.started = frozenset(word.rpartition("/")[2] for word in start if word.lower().endswith(ARCHIVES))
        stored = sum(
            layer.blob.size if layer.blob else layer.uncompressed_bytes or 0 for layer in self.image.layers
        )
        self._most_bytes = max(MOST_BYTES, RATIO * stored)

    @contextmanager
    def spooling(self) -> Iterator[None]:
        """A directory of its own for jars that are looked into; gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="imgopt-") as directory:
            self._spool = Path(directory)
            yield

    def read(self, index: int, threads: ThreadPoolExecutor) -> None:
        layer = self.image.layers[index]
        label = self._label(index)
        if self._progress is not None:
            self._progress(label)
        most = self._most_bytes - self._read_bytes
        if layer.blob is not None:
            most = min(most, max(MOST_OF_A_LAYER, RATIO * layer.blob.size))
        weigher: Weigher | None = None
        with self.opened.open_tar(index) as source:
            tee = source
            if layer.blob is None:
                from imgopt.inspection import weight

                weigher = weight.Weigher(threads, 2 * weight.threads() + 2)
                tee = _Tee(source, weigher)  # type: ignore[assignment]
            stream = TarStream(tee, label, most_bytes=most, most_entries=MOST_ENTRIES - self._entries)
            entries: list[Entry] = []
            files: list[tuple[str, int]] = []
            outside = holes = 0
            for entry in stream:
                entries.append(entry)
                outside += entry.outside
                if entry.outside and outside <= 3:
                    self.notes.append(
                        f"layer {index + 1}: {entry.path[:120]} is named so that it leads out of the image"
                    )
                if entry.kind == "file" and not is_whiteout(entry.path):
                    files.append((entry.path, entry.unpacked_bytes))
                    holes += entry.unpacked_bytes - entry.stored_bytes
                    if self._worth_a_look(entry):
                        self._look_into(entry, stream, index, started=_name(entry.path) in self.started)
                    else:
                        self._keep(entry, stream, index)
        self._read_bytes += stream.position
        self._entries += len(entries)
        self.files.apply(index, entries)
        links = [entry.path for entry in entries if entry.kind in ("link", "symlink")]
        self.find_linked_compilers(links)  # a later layer may take the links away
        size = layer.blob.size if layer.blob is not None else 0
        self.layers.append(
            _ReadLayer(
                [(self.files.through.get(path) or path, size) for path, size in files],
                weigher.finish() if weigher else size,
                stream.position + holes,
                weigher is not None,
            )
        )

    def text(self, path: str) -> bytes | None:
        """A small file of the image, links followed; None where there is none, it is not small, or `doubt` has one."""
        found = self.files.resolve(path)
        if self.doubt(path) is not None:
            return None
        content = found[1].content if found is not None else None
        if content is None:
            empty = found is not None and found[1].children is None
            return b"" if empty else None
        if content.size > MOST_TEXT_BYTES:
            return None
        place = (content.layer, content.number)
        if place not in self._kept:
            self._read_again(content.layer, {content.number}, jars=False)
        return self._kept.get(place)

    def doubt(self, path: str) -> str | None:
        """Why it is not sure what a container has under a path; None where it is."""
        if self.files.unsure(path):
            return f"a layer writes {path} through a link, which engines unpack in different ways"
        found = self.files.resolve(path)
        if found is not None and found[1].content is not None and found[1].content.sparse:
            return f"{path} is {SPARSE}"
        return None

    @property
    def looked_into(self) -> list[InspectedJar]:
        """Every jar that was looked into, in the order of the layers and their tars."""
        return [each for _, each in sorted(self._jars.items(), key=lambda item: item[0])]

    def look_at(self, paths: Sequence[str], *, started: bool = False) -> list[str]:
        """Looks into the jars of these real paths that were not looked into yet; those that are left out."""
        wanted: dict[int, set[int]] = defaultdict(set)
        left: list[str] = []
        for path in paths:
            found = self.files.resolve(path)
            content = found[1].content if found is not None else None
            if content is None or (content.layer, content.number) in self._jars:
                continue
            if not self._room_for(content.size, started=started):
                left.append(path)
                continue
            self._looked_at[started] += 1
            self._jar_bytes[started] += content.size
            wanted[content.layer].add(content.number)
        for layer in sorted(wanted):
            self._read_again(layer, wanted[layer], jars=True)
        return left

    def jar(self, path: str) -> InspectedJar | None:
        found = self.files.resolve(path)
        content = found[1].content if found is not None else None
        return self._jars.get((content.layer, content.number)) if content is not None else None

    def _read_again(self, index: int, numbers: set[int], *, jars: bool) -> None:
        if self._progress is not None:
            self._progress(f"{self._label(index)}, again")
        with self.opened.open_tar(index) as source:
            stream = TarStream(
                source, self._label(index), most_bytes=self._most_bytes, most_entries=MOST_ENTRIES
            )
            for entry in stream:
                if entry.number not in numbers:
                    continue
                if jars:
                    self._spooled(entry, stream, index)
                elif entry.stored_bytes <= MOST_TEXT_BYTES:
                    self._kept[index, entry.number] = b"".join(stream.chunks())

    def _label(self, index: int) -> str:
        return f"{self.image.reference}: layer {index + 1}"

    def _keep(self, entry: Entry, stream: TarStream, index: int) -> None:
        """What will be asked for: scripts, users, and what makes a Java runtime a JDK."""
        size, name = entry.stored_bytes, _name(entry.path)
        if entry.sparse:
            if name in ("javac", "javac.exe") or entry.path.endswith("/lib/modules"):
                self.untold.setdefault("jdk", f"{entry.path} is {SPARSE}")
        elif size > LEAST_RUNTIME_BYTES and stream.peek(4) in _RUNTIME_MAGICS:
            self._runtime(entry, stream)
        elif name in ("javac", "javac.exe") and size and not stream.peek(512).isascii():
            self.compilers[entry.path] = None
        elif size <= MOST_LAUNCHER_BYTES and stream.peek(4).startswith(_PROGRAMS):
            if _LAUNCHES in stream.peek(size):  # whatever it is called
                self.compilers[entry.path] = None
        elif 0 < size <= min(MOST_KEPT_BYTES, MOST_KEPT_TOGETHER - self._kept_bytes) and (
            name == "passwd" or stream.peek(2) == b"#!"
        ):
            self._kept_bytes += size
            self._kept[index, entry.number] = b"".join(stream.chunks())

    def _runtime(self, entry: Entry, stream: TarStream) -> None:
        """Whether a runtime image (``lib/modules``) has the module of the compiler, by its index."""
        header = stream.peek(28)
        order = "<" if header[:4] == _RUNTIME_MAGICS[0] else ">"
        if len(header) < 28:
            return
        _, _, _, _, table, locations, strings = struct.unpack(f"{order}7I", header)
        end = 28 + 8 * table + locations + strings
        if end > min(MOST_INDEX_BYTES, entry.stored_bytes):
            self.untold.setdefault("jdk", f"the modules of {entry.path} cannot be read")
        elif b"\0jdk.compiler\0" in stream.peek(end):
            self.runtimes[entry.path] = None

    def find_linked_compilers(self, links: Sequence[str]) -> None:
        """A compiler may have its name by a link only, or lie behind a linked directory."""
        for path in links:
            names = [path] if path.endswith(SIGN_ENDS) else []
            if _name(path) == "bin":
                names = [f"{path}/javac", f"{path}/javac.exe"]
            for name in names:
                found = self.files.resolve(name)
                content = found[1].content if found is not None else None
                if content is not None and content.sparse and name.endswith(("/lib/modules", "/javac")):
                    self.untold.setdefault("jdk", f"{name} is {SPARSE}")
                    continue
                if content is None or name.endswith(("/lib/modules", "/rt.jar", "/ct.sym")):
                    continue
                if not java_homes([content.path]):  # else it is known by its own name
                    self.compilers[name] = None

    def _room_for(self, size: int, *, started: bool) -> bool:
        return self._looked_at[started] < MOST_JARS and self._jar_bytes[started] + size <= MOST_JAR_BYTES

    def _worth_a_look(self, entry: Entry) -> bool:
        path = entry.path
        if not path.lower().endswith(ARCHIVES) or not entry.stored_bytes:
            return False
        named = _name(path) in self.started
        compiler = path.endswith(TOOLS_JAR)
        if not (named or compiler) and (entry.stored_bytes < LEAST_JAR_BYTES or in_library_place(path)):
            return False
        return self._room_for(entry.stored_bytes, started=named or compiler)

    def _look_into(self, entry: Entry, stream: TarStream, index: int, *, started: bool) -> None:
        self._looked_at[started] += 1
        self._jar_bytes[started] += entry.stored_bytes
        self._spooled(entry, stream, index)

    def _spooled(self, entry: Entry, stream: TarStream, index: int) -> None:
        from imgopt.java.jar import read_jar

        assert self._spool is not None
        if entry.sparse:
            self._note_jar(entry, index, None, f"it is {SPARSE}")
            return
        spooled = self._spool / f"{len(self._jars)}.jar"
        try:
            with spooled.open("wb") as file:
                for chunk in stream.chunks():
                    file.write(chunk)
        except OSError as error:
            raise MeasureError(
                f"a jar of the image does not fit into {tempfile.gettempdir()}: {error.strerror or error}",
                "free some space, or set TMPDIR to a larger disk",
            ) from error
        try:
            self._note_jar(entry, index, replace(read_jar(spooled), path=entry.path))
        except ImgoptError as error:
            self._note_jar(entry, index, None, error.message)
        finally:
            spooled.unlink(missing_ok=True)

    def _note_jar(self, entry: Entry, index: int, jar: Jar | None, problem: str | None = None) -> None:
        found = InspectedJar(entry.path, index, entry.stored_bytes, jar, problem)
        self.jars[index, entry.path] = self._jars[index, entry.number] = found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


class _Tee:
    """Reads a stream and hands what was read to the weigher."""

    def __init__(self, source: object, weigher: Weigher) -> None:
        self._source, self._weigher = source, weigher

    def read(self, size: int) -> bytes:
        data: bytes = self._source.read(size)  # type: ignore[attr-defined]
        self._weigher.add(data)
        return data


def _with_contents(image: Image, target: str, reader: _Reader) -> Inspection:
    paths = [path for layer in reader.layers for path, size in layer.files if size]
    paths += reader.files.through  # by their other names too
    links = [
        path
        for path, node in reader.files.files()
        if node.target is not None or (node.content is not None and node.content.path != path)
    ]
    reader.find_linked_compilers(links)
    _find_tools_jars(reader, paths, links)
    reader.compilers |= dict.fromkeys(path for path in paths if _packed_jdk(path))
    config = image.config.get("config")
    application = find_application(config, reader, java_homes(paths, reader.compilers, reader.runtimes))
    reader.compilers |= {  # whatever it is called
        each.path: None for each in reader.looked_into if each.jar is not None and _compiles(each.jar)
    }
    homes = java_homes(paths, reader.compilers, reader.runtimes)
    last = {each.path: each for each in reader.looked_into}  # of several copies only it is seen
    jars = tuple(each for each in last.values() if each.path in application.jars or each.jar is None)
    files = reader.files
    places = Places(
        homes, application.jars, application.classes, tool_homes(paths), maven_repositories(paths)
    )
    places = replace(places, linked=_linked(places, files, links))
    patch = _next_patch(paths, reader.looked_into)
    layers = []
    stored: dict[What, int] = defaultdict(int)
    told: set[int] = set()
    for index, (read, layer) in enumerate(zip(reader.layers, image.layers, strict=True)):
        holds = _holdings(read.files, places)
        for each in holds:
            stored[each.what] += each.bytes
        if any(each.what == "application" for each in holds):
            told.add(index)
        layers.append(
            InspectedLayer(
                index + 1,
                layer.created_by,
                layer.diff_id,
                layer.blob.digest if layer.blob is not None else None,
                read.compressed_bytes,
                read.uncompressed_bytes,
                read.compressed_here,
                len(read.files),
                holds,
                tuple(nlargest(LARGEST, read.files, key=lambda file: (file[1], file[0]))),
                files.wasted_in.get(index, 0),
                index in told,
                index in told or (patch is not None and patch.moves((path, None) for path, _ in read.files)),
            )
        )
    # what is not known matters where it lies in a layer that does not change anyway
    doubt = next((why for layer, why in application.doubts if layer not in told), None)
    if doubt is None:
        doubt = next(
            (
                f"a layer writes {path} through a link"
                for pair in files.through.items()
                for path in pair
                if path in application.jars or (path and path.startswith(application.classes))
            ),
            None,
        )
    if not told and doubt is None:
        doubt = "no layer is known to hold the application"
    if doubt is not None:  # then nobody can say what a release changes
        layers = [replace(layer, changes_each_release=None) for layer in layers]
        reader.untold["application"] = doubt
    wasted = tuple(sorted(files.wasted.values(), key=lambda each: (-each.bytes, each.path)))
    contents = Contents(
        files,
        places,
        wasted,
        files.wasted_bytes,
        files.score.efficiency,
        files.score.dives_wasted_bytes,
        jars,
        {what: stored[what] for what in WHATS if what in stored},
        reader.untold,
        tuple(reader.runtimes),
        patch.version if patch is not None else None,
    )
    found = _inspection(image, target, tuple(layers), contents, reader.notes, reader.text("/etc/passwd"))
    why = reader.doubt("/etc/passwd")
    return replace(found, user_untold=why) if found.root is None and why is not None else found


def _next_patch(paths: Sequence[str], jars: Sequence[InspectedJar]) -> Patch | None:
    """The one after the version of Spring Boot that the image has; None where it has none."""
    from imgopt.java.boot_managed import Patch, version_among

    told = (each.jar.spring_boot for each in jars if each.jar is not None)
    version = next((each for each in told if each is not None), None) or version_among(paths)
    return None if version is None else Patch(version)


def _linked(places: Places, files: Filesystem, links: Sequence[str]) -> dict[str, What]:
    """What lies where links lead to that are named like a tool or a cache: paths of files, directories with a slash."""
    found: dict[str, What] = {}
    for path in links:
        real = files.resolve(path)
        if real is None:
            continue
        directory = real[1].children is not None
        what = places.what(f"{path}/x" if directory else path)
        if what not in ("build-tools", "package-cache"):
            continue
        if directory and not is_shared(real[0]):
            found[f"{real[0]}/"] = what
        elif real[1].content is not None and places.what(real[1].content.path) == "other":
            found[real[1].content.path] = what
    return found


def _compiles(jar: Jar) -> bool:
    return any(entry.name == _COMPILER for entry in jar.entries)


def _packed_jdk(path: str) -> bool:
    """An archive of a JDK, by its name: it is unpacked when the container starts, or nobody needs it."""
    found = java_archive(path)
    return found is not None and found.kind == "jdk"


def _find_tools_jars(reader: _Reader, paths: Sequence[str], links: Sequence[str]) -> None:
    """The compiler of a JDK 8 and older is a jar, wherever a link names it."""
    names = [path for path in (*paths, *links) if path.endswith(TOOLS_JAR)]
    names += [f"{path}/tools.jar" for path in links if _name(path) == "lib"]
    for path in dict.fromkeys(names):
        left = reader.look_at([path], started=True)
        here = reader.jar(path)
        found = [jar for jar in reader.looked_into if jar.path == path]
        for jar in found or ([here] if here is not None else []):
            if jar.jar is None:
                left = [path]
            elif _compiles(jar.jar):
                reader.compilers[path] = None
        if left:
            reader.untold.setdefault("jdk", f"{path} cannot be read, which may be a JDK's compiler")


def _holdings(files: Sequence[tuple[str, int]], places: Places) -> tuple[Holding, ...]:
    sizes: dict[What, list[int]] = {}
    for path, size in files:
        entry = sizes.setdefault(places.what(path), [0, 0])
        entry[0] += size
        entry[1] += 1
    holds = [Holding(what, size, count) for what, (size, count) in sizes.items()]
    return tuple(sorted(holds, key=lambda each: (-each.bytes, WHATS.index(each.what))))
