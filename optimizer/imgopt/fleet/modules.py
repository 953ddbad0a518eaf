"""The modules of a repository: those of Maven's reactors and of Gradle's settings, with what each is made from."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgopt.errors import ContextError, InputError
from imgopt.light.records import dataclass, replace

if TYPE_CHECKING:
    from imgopt.java.build_facts import BuildFacts

#: More are no fleet that one screen answers; a hostile tree is not read to its end.
MOST_MODULES = 1_000
_MOST_FOLDERS = 20_000
_MOST_DOWN = 6
_SKIPPED = frozenset({"target", "build", "node_modules", "src", "bin", "out", "dist"})
_SETTINGS = ("settings.gradle", "settings.gradle.kts")
_SCRIPTS = ("build.gradle", "build.gradle.kts")
#: Beside the archive that is started lie others of the same build.
_NOT_STARTED = ("-sources", "-javadoc", "-tests", "-plain", "-original")


@dataclass(frozen=True)
class Module:
    """``directory``: below the repository, "." for its root; ``key``: as others name it (``group:artifact``, ``:services:orders``);
    ``needs``: directories of the modules that its archive is made of; ``profile``: the one of Maven without which it is
    no module. ``archive``: what lies where its build puts it, None where nothing does; ``problem``: why its build file
    tells nothing."""

    name: str
    directory: str
    tool: Literal["maven", "gradle"]
    build_file: str
    key: str
    facts: BuildFacts | None = None
    needs: frozenset[str] = frozenset()
    profile: str | None = None
    archive: Path | None = None
    problem: str | None = None

    @property
    def repackaged(self) -> bool:
        """Whether its build makes an archive that starts, as far as its files say."""
        return self.facts is not None and bool(self.facts.repackaged)


@dataclass(frozen=True)
class Repository:
    """``roots``: the build files that the modules were found from. ``remarks``: what was not followed, a sentence each."""

    root: Path
    modules: tuple[Module, ...]
    roots: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def by_directory(self, directory: str) -> Module | None:
        return self._by_directory.get(directory)

    @cached_property
    def _by_directory(self) -> dict[str, Module]:
        return {each.directory: each for each in self.modules}

    def holding(self, path: str) -> Module | None:
        """The module that a path below the repository belongs to: the innermost one."""
        known = self._by_directory
        while True:
            if path in known:
                return known[path]
            if path in ("", "."):
                return None
            path = posixpath.dirname(path) or "."

    def dependents(self, directories: Iterable[str]) -> frozenset[str]:
        """The directories of modules that are made of these, and these themselves."""
        users: dict[str, list[str]] = {}
        for module in self.modules:
            for need in module.needs:
                users.setdefault(need, []).append(module.directory)
        found: set[str] = set()
        todo = list(directories)
        while todo:
            each = todo.pop()
            if each not in found:
                found.add(each)
                todo += users.get(each, ())
        return frozenset(found)


def find_modules(root: Path) -> Repository:
    """The modules below a directory, in the order of the builds. A build file that cannot be read makes a module with a
    ``problem``, and stops nothing. InputError when the directory cannot be read, or has no build of Maven or Gradle."""
    try:
        top = root.resolve(strict=True)
        os.scandir(top).close()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot be read: {reason}", "name the repository's directory", path=str(root)
        ) from error
    found: dict[str, Module] = {}
    roots: list[str] = []
    remarks: list[str] = []
    beside: list[str] = []
    for directory in _with_builds(top):
        if len(found) >= MOST_MODULES:
            break
        if directory in found:
            continue
        if any(_is_below(directory, posixpath.dirname(each) or ".") for each in roots):
            beside.append(directory)
            continue
        for module in _of_build(top, directory, roots, remarks, MOST_MODULES - len(found)):
            found.setdefault(module.directory, module)
    if not found:
        raise InputError(
            "no build of Maven or Gradle in this directory", "name the repository's directory", path=str(root)
        )
    if len(found) >= MOST_MODULES:
        remarks.append(f"more than {MOST_MODULES:,} modules: the others were not looked at")
    if beside:
        more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
        named = ", ".join(beside[:3])
        remarks.append(f"{named}{more}: its own build, not among the modules of {roots[0]}")
    return Repository(root, _linked(found.values()), tuple(roots), tuple(remarks))


def _is_below(directory: str, top: str) -> bool:
    return top == "." or directory == top or directory.startswith(f"{top}/")


def _with_builds(top: Path) -> Iterator[str]:
    """Directories with a build file, those above first."""
    todo = [(".", 0)]
    for count, (directory, depth) in enumerate(todo):
        if count >= _MOST_FOLDERS:
            return
        try:
            with os.scandir(top / directory) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
                names = {entry.name for entry in listed}
                folders = [entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        if names & {"pom.xml", *_SETTINGS, *_SCRIPTS}:
            yield directory
        if depth < _MOST_DOWN:
            below = (name for name in folders if not name.startswith(".") and name not in _SKIPPED)
            todo += [(posixpath.normpath(f"{directory}/{name}"), depth + 1) for name in below]


def _of_build(top: Path, directory: str, roots: list[str], remarks: list[str], most: int) -> Iterator[Module]:
    """The modules of the builds in a directory; where both tools build it, Maven's count first."""
    there = top / directory
    if (there / "pom.xml").is_file():
        roots.append(posixpath.normpath(f"{directory}/pom.xml"))
        yield from _of_maven(top, there / "pom.xml", remarks, most)
    settings = next((there / name for name in _SETTINGS if (there / name).is_file()), None)
    script = next((there / name for name in _SCRIPTS if (there / name).is_file()), None)
    if settings is not None or script is not None:
        roots.append(_shown(top, settings or script or there))
        yield from _of_gradle(top, there, settings, remarks, most)


def _shown(top: Path, path: Path) -> str:
    return Path(os.path.normpath(path)).relative_to(top).as_posix()


def _of_maven(top: Path, pom: Path, remarks: list[str], most: int) -> Iterator[Module]:
    from imgopt.java.pom import reactor

    for path, model, profile in reactor(pom, top, most):
        file = path.resolve()
        if not file.is_relative_to(top):
            remarks.append(
                f"{os.path.relpath(path, top)} is named as a module and lies outside of this directory"
            )
            continue
        shown = _shown(top, file)
        folder = posixpath.dirname(shown) or "."
        if model is None:
            remarks.append(f"{shown} is named as a module and is not there")
            continue
        if isinstance(model, ContextError):
            name = posixpath.basename(folder) if folder != "." else top.name
            problem = f"{model.message}" + (f" (line {model.line})" if model.line else "")
            yield Module(name, folder, "maven", shown, "", problem=problem)
            continue
        facts = model.facts()
        group, artifact = model.model["project.groupId"], model.own.artifact_id
        needs = (f"{group}:{artifact}" for group, artifact in model.needs() if group and artifact)
        yield Module(
            name=artifact or posixpath.basename(folder) or top.name,
            directory=folder,
            tool="maven",
            build_file=shown,
            key=f"{model.value(group)}:{artifact}",
            facts=facts,
            needs=frozenset(needs),
            profile=profile,
            archive=_archive(file.parent, facts),
        )


def _of_gradle(
    top: Path, home: Path, settings: Path | None, remarks: list[str], most: int
) -> Iterator[Module]:
    from imgopt.java.build_files import read_build_files
    from imgopt.java.gradle import read_needs, read_projects

    home_shown = _shown(top, home)
    projects = {":": "."}
    if settings is not None:
        try:
            projects |= read_projects(settings, top)
        except ContextError as error:
            remarks.append(f"{_shown(top, settings)}: {error.message}")
        if len(projects) == 1 and "include" in _text(settings):
            remarks.append(
                f"{_shown(top, settings)} finds its modules when it runs: not all of them are known"
            )
            for below in _with_builds(home):
                projects.setdefault(":" + below.replace("/", ":"), below)
    for key, folder in list(projects.items())[:most]:
        try:
            there = (home / folder).resolve()
            if not there.is_relative_to(top) or not there.is_dir():
                remarks.append(f"{key} in {_shown(top, settings or home)} is not in this repository")
                continue
        except (OSError, RuntimeError, ValueError):  # a circle of links, a name that no file can have
            continue
        shown = _shown(top, there)
        script = next((there / name for name in _SCRIPTS if (there / name).is_file()), None)
        facts, problem = None, None
        try:
            facts = read_build_files(there, top, "gradle") if script is not None else None
        except ContextError as error:
            problem = error.message
        needs = {f"{home_shown}{need}" for need in (read_needs(script, top) if script is not None else ())}
        own = key.rpartition(":")[2] if key != ":" else (facts.name if facts else None) or there.name
        yield Module(
            name=own,
            directory=shown,
            tool="gradle",
            build_file=_shown(top, script or settings or there),
            key=f"{home_shown}{key}",
            facts=facts,
            needs=frozenset({f"{home_shown}:", *needs}),  # what the root project's script says holds for all
            archive=_archive(there, facts),
            problem=problem,
        )


def _text(path: Path) -> str:
    from imgopt.java.gradle import read_script

    return read_script(path, path.parent) or ""


def _archive(directory: Path, facts: BuildFacts | None) -> Path | None:
    """The archive that a build put there; of several the one that no name speaks against, else none."""
    if facts is not None and facts.artifact is not None and _is_file(directory / facts.artifact):
        return directory / facts.artifact
    found: list[Path] = []
    for pattern in ("target/*.jar", "target/*.war", "build/libs/*.jar", "build/libs/*.war"):
        try:
            found += [each for each in sorted(directory.glob(pattern)) if _is_file(each)]
        except OSError:
            continue
    started = [each for each in found if not each.stem.endswith(_NOT_STARTED)]
    return started[0] if len(started) == 1 else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _linked(modules: Iterable[Module]) -> tuple[Module, ...]:
    """The modules with the directories of those that they need, in place of their names. One that Gradle's settings put
    elsewhere than below their root is found by its last name."""
    listed = list(modules)
    by_key = {each.key: each.directory for each in listed if each.key}
    linked = []
    for module in listed:
        needs = {by_key[need] for need in module.needs if need in by_key} - {module.directory}
        linked.append(replace(module, needs=frozenset(needs)))
    return tuple(linked)
