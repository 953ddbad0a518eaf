"""Which files of an image are the application itself, and what of that cannot be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from imgopt.inspection.places import in_library_place
from imgopt.inspection.start import ARCHIVES, Start, find_start
from imgopt.light.records import dataclass

if TYPE_CHECKING:
    from imgopt.inspection.filesystem import Filesystem
    from imgopt.inspection.image import InspectedJar
    from imgopt.inspection.places import JavaHome
    from imgopt.java.model import Jar

#: Jars that are an application, whether something is seen to start them or not.
_KINDS = frozenset(
    ("spring-boot", "spring-boot-war", "shaded", "quarkus-uber", "quarkus-fast", "thin", "war")
)
#: Where an application that was recognised has its libraries.
_OF_APPLICATIONS = ("/BOOT-INF/lib/", "/WEB-INF/lib/")
_LEAST_BYTES = 64 * 1024
#: Manifests that name jars whose manifests name jars.
_MOST_MANIFESTS = 5
#: They may be unpacked when the container starts.
_PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2")


class Jars(Protocol):
    """The image's files, and its jars, which are looked into when they are asked for."""

    files: Filesystem
    jars: dict[tuple[int, str], InspectedJar]

    def look_at(self, paths: Sequence[str], *, started: bool = False) -> list[str]: ...
    def jar(self, path: str) -> InspectedJar | None: ...
    def text(self, path: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Application:
    """``jars``: paths; ``classes``: directories, each with a slash at its end. ``doubts``: a layer (0-based) that may
    hold more of it, and why."""

    jars: frozenset[str]
    classes: tuple[str, ...]
    doubts: tuple[tuple[int, str], ...]


def find_application(config: Any, image: Jars, homes: Sequence[JavaHome]) -> Application:
    files = image.files
    start = find_start(config, files, image.text)
    doubts: list[tuple[int, str]] = []
    visible = [
        path
        for path, node in files.files()
        if path.lower().endswith(ARCHIVES)
        and node.content is not None
        and not any(home.holds(path) for home in homes)
    ]
    _look(image, list(start.jars), doubts, started=True)
    classes = _class_directories(start, image)
    named = dict.fromkeys(_stored(files, start.jars))
    _follow_class_paths(start, image, doubts)
    own = any(
        (found := image.jar(path)) is None or found.jar is None or _has_classes(found.jar)
        for path in start.jars
    )
    by_class_path = not own and not classes and not start.boot and bool(start.libraries)
    if start.unseen:
        doubts += [
            (node.layer, f"{start.unseen[0]}, and {path} may hold the application")
            for path, node in files.files()
            if path.lower().endswith(_PACKED) and node.size >= _LEAST_BYTES
        ]
    if by_class_path:
        _look(image, list(start.libraries), doubts)
    worth = [
        path
        for path in visible
        if not in_library_place(path) and (_size(files, path) >= _LEAST_BYTES or start.unseen)
    ]
    others = [path for path in visible if path not in worth] if start.unseen else []
    others = [path for path in others if not any(place in path for place in _OF_APPLICATIONS)]
    _look(image, [*worth, *others], doubts)
    unknown: list[str] = []
    for path in (*worth, *others):
        found = image.jar(path)
        if found is None or path in start.jars:
            continue
        if found.jar is None:
            doubts.append(
                (found.layer, f"{path} cannot be read ({found.problem}), which may be the application")
            )
        elif found.jar.kind in _KINDS:
            named[found.path] = None
        elif start.unseen:
            unknown.append(path)
    # as it is called in layers that only store it; and what lower layers store under the name of a started one
    named |= {
        path: None
        for (_, path), each in image.jars.items()
        if path.rpartition("/")[2] in _names(start.jars) or (each.jar is not None and each.jar.kind in _KINDS)
    }
    libraries: list[str] = []
    for path in dict.fromkeys((*start.jars, *named)):
        found = image.jar(path)
        if found is not None and found.jar is not None and found.jar.kind == "quarkus-fast":
            directory = path.rpartition("/")[0]
            libraries.append(f"{directory}/lib/")
            classes += [f"{directory}/app/", f"{directory}/quarkus/"]
            named |= {each: None for each in visible if each.startswith(tuple(classes[-2:]))}
    doubts += [
        (_layer(files, path), f"{start.unseen[0]}, and {path} may be the application")
        for path in unknown
        if path not in named and not path.startswith(tuple(libraries))
    ]
    if by_class_path:
        doubts += _of_the_class_path(start, image, named)
    beside = [
        path
        for path in start.libraries
        if not in_library_place(path) and _size(files, path) >= _LEAST_BYTES and path not in start.agents
    ]
    named |= dict.fromkeys((*beside, *_stored(files, beside)))
    if own and _only_launchers(start, image, classes):
        known = {*named, *start.jars, *start.agents}
        doubts += [
            (_layer(files, path), f"what is started may be a launcher, and {path} may be the application")
            for path in worth
            if path not in known and _size(files, path) >= _LEAST_BYTES
        ]
    found_one = bool(named or classes)
    if not found_one:  # else a start that is only possible, as of a jar that may be mounted
        doubts += [(-1, why) for why in start.missing]
    doubts += [
        (_layer(files, path), f"{start.unseen[0]}, and {path} may be the application")
        for path in start.strangers
        if not found_one or _size(files, path) >= _LEAST_BYTES  # a small one starts what was found
    ]
    return Application(frozenset(named), tuple(classes), tuple(doubts))


def _has_classes(jar: Jar) -> bool:
    return any(entry.name.endswith(".class") for entry in jar.entries) or bool(jar.libraries)


def _follow_class_paths(start: Start, image: Jars, doubts: list[tuple[int, str]]) -> None:
    """The jars that manifests name are on the class path too, whether the naming one has classes of its own or not."""
    waiting = [*start.jars, *(path for path in start.libraries if not in_library_place(path))]
    seen = set(waiting)
    for _ in range(_MOST_MANIFESTS):
        _look(image, [path for path in waiting if path not in start.jars], doubts)
        following: list[str] = []
        for path in waiting:
            found = image.jar(path)
            if found is None or found.jar is None:
                continue
            if path in start.jars and found.jar.main_class is not None and not _has_classes(found.jar):
                start.mains[found.jar.main_class] = None
                start.boot = start.boot or "org.springframework.boot.loader" in found.jar.main_class
            for each in found.jar.class_path:
                named = each if each.startswith("/") else f"{path.rpartition('/')[0]}/{each}"
                place = image.files.resolve(named)
                if place is None or place[1].content is None:
                    continue
                start.libraries[place[0]] = None
                if place[0] not in seen and not in_library_place(place[0]):
                    seen.add(place[0])
                    following.append(place[0])
        waiting = following
        if not waiting:
            return
    doubts += [
        (_layer(image.files, path), f"{path} may name more of the application, and was not followed")
        for path in waiting
    ]


def _only_launchers(start: Start, image: Jars, classes: Sequence[str]) -> bool:
    """Whether plain jars are started that name no other: what they run may lie anywhere."""
    if classes or start.boot or start.libraries:
        return False
    return not any(each.jar is not None and each.jar.kind in _KINDS for each in image.jars.values())


def _look(image: Jars, paths: Sequence[str], doubts: list[tuple[int, str]], *, started: bool = False) -> None:
    for path in image.look_at(paths, started=started):
        layer = _layer(image.files, path)
        doubts.append((layer, f"{path} was not looked into, there are too many jars or it is too large"))


def _class_directories(start: Start, image: Jars) -> list[str]:
    """Directories of the application's classes: on the class path, or in the manifest of a started jar."""
    directories = list(start.classes)
    for path in start.jars:
        found = image.jar(path)
        if found is None or found.jar is None:
            continue
        for each in found.jar.class_path:
            place = image.files.resolve(each if each.startswith("/") else f"{path.rpartition('/')[0]}/{each}")
            if place is not None and place[1].children is not None:
                directories.append(place[0])
    classes = []
    for directory in dict.fromkeys(directories):
        if image.files.find(f"{directory}/BOOT-INF/classes") is None and directory != "/":
            classes.append(f"{directory}/")  # an unpacked Spring Boot jar's are known by their place
    return classes


def _of_the_class_path(start: Start, image: Jars, named: dict[str, None]) -> Iterator[tuple[int, str]]:
    """Of a class path of jars alone, the one with the main class is the application."""
    mains = {f"{name.replace('.', '/')}.class" for name in start.mains}
    known = False
    for path in start.libraries:
        found = image.jar(path)
        if found is None or found.jar is None:
            continue
        if len(start.libraries) == 1 or any(entry.name in mains for entry in found.jar.entries):
            named[found.path] = None
            known = True
    if not known:
        for path in start.libraries:
            yield (
                _layer(image.files, path),
                "which jar of the class path is the application cannot be determined",
            )


def _stored(files: Filesystem, paths: Iterable[str]) -> Iterator[str]:
    """The names under which layers store the files of these paths."""
    for path in paths:
        found = files.resolve(path)
        if found is not None and found[1].content is not None:
            yield found[1].content.path


def _names(paths: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[2] for path in paths}


def _size(files: Filesystem, path: str) -> int:
    found = files.resolve(path)
    return found[1].content.size if found is not None and found[1].content is not None else 0


def _layer(files: Filesystem, path: str) -> int:
    found = files.resolve(path)
    content = found[1].content if found is not None else None
    return content.layer if content is not None else -1
