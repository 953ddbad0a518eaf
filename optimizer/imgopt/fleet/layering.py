"""What the archives look like once their build obeys a plan: the same files, some of the libraries in layers of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.fleet.plan import PREFIX, Plan
from imgopt.java.spring_boot import DEFAULT_LAYERS, layered, version_tuple
from imgopt.light.patterns import regex
from imgopt.light.records import replace
from imgopt.picture import Jars

if TYPE_CHECKING:
    from imgopt.java.model import Jar, LayerIndex, Library

#: Since when the build plugins know layers of one's own, of jars and of wars.
_SINCE = {"spring-boot": (2, 3), "spring-boot-war": (2, 5)}
_PLAIN = regex(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def unplannable(jar: Jar) -> str | None:
    """Why an archive cannot have the plan's layers; None where it can."""
    if jar.kind not in ("spring-boot", "spring-boot-war") or jar.spring_boot is None:
        return "its archive is none of Spring Boot's"
    version = version_tuple(jar.spring_boot)
    since = _SINCE[jar.kind]
    if version is None or version[:2] < since:
        return f"Spring Boot {jar.spring_boot} makes no layers of it; {since[0]}.{since[1]} and later do"
    if jar.jarmode is None:
        return "its archive has no jarmode to unpack its layers with"
    own = [name for name, _ in jar.layers_index or () if not _is_ours(name)]
    if own:
        return f"its build has layers of its own ({', '.join(own[:3])})"
    return None


def _is_ours(name: str) -> bool:
    return name in DEFAULT_LAYERS or name.startswith(PREFIX)


def plannable(jar: Jar) -> Mapping[str, tuple[Library, ...]]:
    """The libraries that a plan may place, by artifact: none of the project's own modules, no snapshots, not the tools."""
    application = _applications(jar)
    found: dict[str, list[Library]] = {}
    for library in jar.libraries:
        artifact = library.artifact
        if (
            artifact is None
            or library.snapshot
            or library.path in application
            or not _PLAIN.fullmatch(artifact)
        ):
            continue
        if not artifact.startswith("spring-boot-jarmode"):
            found.setdefault(artifact, []).append(library)
    return {artifact: tuple(libraries) for artifact, libraries in found.items()}


def _applications(jar: Jar) -> frozenset[str]:
    """Entries of the layer with the application's own files."""
    for _, entries in layered(jar):
        if any(entry.name.startswith(jar.classes_prefix or "META-INF/") for entry in entries):
            return frozenset(entry.name for entry in entries)
    return frozenset()


def with_plan(jar: Jar, plan: Plan) -> Jar:
    """The archive as its build makes it with the plan: the index that Spring Boot's plugins write."""
    of = plan.group_of
    groups: dict[str, list[str]] = {name: [] for name in (*plan.groups, *DEFAULT_LAYERS)}
    placed = {
        library.path: of[artifact]
        for artifact, libraries in plannable(jar).items()
        if artifact in of
        for library in libraries
    }
    libraries = {library.path for library in jar.libraries}
    for name, entries in layered(jar):
        usual = name if name in DEFAULT_LAYERS else "dependencies"
        for entry in entries:
            groups[placed.get(entry.name, usual) if entry.name in libraries else usual].append(entry.name)
    index: LayerIndex = tuple((name, tuple(paths)) for name, paths in groups.items())
    return replace(jar, layers_index=index)


class PlannedJars(Jars):
    """Archives that are taken for those that the plan would make of them."""

    def __init__(self, jars: Jars, plan: Plan, paths: Iterable[Path]) -> None:
        super().__init__()
        self._jars, self._plan = jars, plan
        self._paths = frozenset(paths)

    def __call__(self, path: Path) -> Jar | None:
        if path not in self._read:
            found = self._jars(path)
            if found is not None and path in self._paths:
                self._read[path] = with_plan(found, self._plan)
                return self.known(path)
            return found
        return self.known(path)

    def known(self, path: Path) -> Jar | None:
        return super().known(path) or self._jars.known(path)

    def problem(self, path: Path) -> object:  # type: ignore[override]
        return self._jars.problem(path)
