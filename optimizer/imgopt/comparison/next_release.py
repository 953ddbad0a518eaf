"""The build context of the next release: a copy in which one application class differs, as after a small fix.

What is changed is what the Dockerfile takes the classes from: the jar or war of the context, class files that lie
there unpacked, or, where a stage of the Dockerfile builds the jar, a source file. The user's tree is only read.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgopt.build_context.tree import Context, Sent, sent
from imgopt.errors import JarError, MeasureError
from imgopt.files.opening import read_file
from imgopt.java.archive import Entry
from imgopt.java.model import Jar
from imgopt.java.next_class import with_unused_constant
from imgopt.java.next_jar import CONSTANT, Unchangeable, class_to_change, write_next_jar
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture.builds import builds_java

if TYPE_CHECKING:
    from imgopt.dockerfile import Instruction
    from imgopt.picture import Picture

#: The class that is appended to a source file.
ADDED_CLASS = "ImgoptNextRelease"

_SOURCE = regex(r"(?:^|/)src/main/(?:java|kotlin)/.+\.(?:java|kt)$")
_NO_CLASSES = ("package-info.java", "module-info.java")
_MAX_SOURCE_BYTES = 4 << 20
_MOST_LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """``path``: the context's file that differs in the next release, relative to its root. ``entry``: the class in
    it, when it is a jar. ``jar``: where the Dockerfile builds it from sources, the change is in ``path`` itself. ``given``:
    the jar that takes its place, built with another patch of Spring Boot. ``texts``: build files with another patch,
    ``version``."""

    kind: Literal["jar", "class", "source", "patch", "build files"]
    path: str
    jar: Jar | None = None
    entry: Entry | None = None
    given: Path | None = None
    texts: tuple[tuple[str, bytes], ...] = ()
    version: str | None = None

    @property
    def paths(self) -> frozenset[str]:
        return frozenset((self.path, *(name for name, _ in self.texts)))

    @property
    def description(self) -> str:
        """For people, after "the next release: "."""
        if self.kind == "jar" and self.entry is not None:
            return f"{self.entry.name} in {self.path} differs"
        if self.kind == "patch" and self.jar is not None:
            return f"{self.given} with Spring Boot {self.jar.spring_boot} in place of {self.path}"
        if self.kind == "build files":
            return f"Spring Boot {self.version} in {', '.join(name for name, _ in self.texts[:5])}"
        if self.kind == "class":
            return f"{self.path} differs"
        return f"{self.path} has one more class"


def plan_change(picture: Picture) -> Change | Unchangeable:
    """What to change for the next release of what this Dockerfile ships; or why nothing can be, as a sentence.

    Reads the context's names and the jar's directory; writes nothing. ContextError when it cannot be walked.
    """
    context = picture.context
    if context is None:
        return Unchangeable("there is no build context")
    files = {each.name: each for each in sent(context) if stat.S_ISREG(each.stat.st_mode)}
    sources = [name for name in files if _SOURCE.search(name) and not name.endswith(_NO_CLASSES)]
    source = _preferred_source(sources, files, picture)
    if source is not None and is_built_here(picture):
        return Change("source", source)  # a jar that lies there is built anew, too
    copied = _copied(picture, context)
    reason: str | None = None
    for jar in _jars(picture):
        name = _relative(Path(jar.path), context)
        if name not in files or name not in copied:
            continue  # another stage builds it, and one that was built before lies there
        entry = class_to_change(jar)
        if isinstance(entry, Entry):
            return Change("jar", name, jar, entry)
        reason = reason or entry.reason
    classes = sorted(name for name in copied & files.keys() if name.endswith(".class"))
    chosen = _preferred_class(classes)
    if chosen is not None:
        return Change("class", chosen)
    if source is not None and any(True for _ in _builds(picture)):
        return Change("source", source)
    return Unchangeable(
        reason or "neither a jar nor classes nor sources of the application were found in the build context"
    )


def plan_patch(picture: Picture, given: Path) -> Change | Unchangeable:
    """The jar ``given`` in place of that of the context; Unchangeable where the two are not the same application with two
    patches of one line of Spring Boot. JarError when it cannot be read."""
    from imgopt.java.jar import read_jar
    from imgopt.java.spring_boot import version_tuple

    context = picture.context
    if context is None:
        return Unchangeable("there is no build context")
    files = {each.name for each in sent(context) if stat.S_ISREG(each.stat.st_mode)}
    jar = read_jar(given)
    copied = _copied(picture, context)
    for there in _jars(picture):
        name = _relative(Path(there.path), context)
        if name not in files or name not in copied:
            continue
        old, new = version_tuple(there.spring_boot), version_tuple(jar.spring_boot)
        if there.start_class != jar.start_class or there.kind != jar.kind:
            return Unchangeable(
                f"{given} is not the application that {name} is: it starts {jar.start_class or 'nothing'}"
            )
        if old is None or new is None or old == new or old[:2] != new[:2]:
            said = f"Spring Boot {there.spring_boot}, and {given} {jar.spring_boot}"
            return Unchangeable(f"{name} has {said}: that is no other patch of one line")
        return Change("patch", name, jar, given=given)
    return Unchangeable("the jar that the Dockerfile ships is not in the build context")


def make_context(context: Context, change: Change, target: Path) -> Context:
    """Fills ``target``, an empty directory, with what a builder is sent of the context, the change applied.

    Files are hard links where the file system allows it, else copies; they keep mode, owner and times. MeasureError
    when that fails (a full disk), JarError when the jar turns out to be damaged.
    """
    directories: list[tuple[Path, os.stat_result]] = []
    link = _Linker()
    try:
        for each in sent(context):
            place = target / each.name
            if stat.S_ISDIR(each.stat.st_mode):
                place.mkdir(exist_ok=True)
                directories.append((place, each.stat))
            elif stat.S_ISLNK(each.stat.st_mode):
                place.symlink_to(each.path.readlink())
                _keep(place, each.stat, follow=False)
            elif each.name in change.paths:
                _write_changed(each, change, place)
            else:
                link(each, place)
        for place, there in reversed(directories):
            if not any((target / path).is_relative_to(place) for path in change.paths):
                _keep(place, there)
            else:  # a build writes into it: later, but of the same owner and mode
                _keep(place, there, times=False)
        _keep(target, context.root.stat(), times=False)
    except OSError as error:
        raise MeasureError(
            f"the context of the next release could not be made: {error.strerror or error}",
            "free some space, or set TMPDIR to a directory that has it",
        ) from error
    return Context(target, context.dockerfile, context.ignore)


class _Linker:
    """Hard links while they work, copies from the first that does not."""

    def __init__(self) -> None:
        self.links = True

    def __call__(self, each: Sent, place: Path) -> None:
        if self.links:
            try:
                place.hardlink_to(each.path)
                return
            except OSError:
                # another file system, none with links, or a file of another owner where that is forbidden
                self.links = False
        shutil.copyfile(each.path, place)
        _keep(place, each.stat)


def _keep(place: Path, there: os.stat_result, *, follow: bool = True, times: bool = True) -> None:
    with contextlib.suppress(PermissionError):
        os.chown(place, there.st_uid, there.st_gid, follow_symlinks=follow)
    if follow:
        place.chmod(stat.S_IMODE(there.st_mode))
    if times:
        os.utime(place, ns=(there.st_atime_ns, there.st_mtime_ns), follow_symlinks=follow)


def _write_changed(each: Sent, change: Change, place: Path) -> None:
    if change.kind == "jar" and change.jar is not None and change.entry is not None:
        write_next_jar(change.jar, change.entry, place)
    elif change.kind == "patch" and change.given is not None:
        shutil.copyfile(change.given, place)
    elif change.kind == "build files":
        place.write_bytes(dict(change.texts)[each.name])
    elif change.kind == "class":
        try:
            place.write_bytes(with_unused_constant(each.path.read_bytes(), CONSTANT))
        except ValueError as error:
            raise JarError(f"the class cannot be changed: {error}", path=str(each.path)) from error
    else:
        place.write_bytes(with_one_more_class(each.path.read_bytes(), change.path))
    _keep(place, each.stat, times=False)


def with_one_more_class(source: bytes, name: str) -> bytes:
    """A source file of Java or Kotlin with a class behind its others that nobody outside of it sees or uses."""
    declaration = "private class" if name.endswith(".kt") else "final class"
    newline = b"\r\n" if b"\r\n" in source else b"\n"
    body = f"{declaration} {ADDED_CLASS} {{".encode() + newline + b"}" + newline
    return source + (b"" if source.endswith(b"\n") else newline) + newline + body


def _jars(picture: Picture) -> Iterator[Jar]:
    """Archives of the application that the final image gets, the one that is started first; no agents."""
    found: dict[str, Jar] = {}
    if picture.artifact is not None and picture.artifact.jar is not None:
        found[picture.artifact.jar.path] = picture.artifact.jar
    others = [jar for jar in picture.application_jars if jar.kind != "library"]
    for jar in others:
        found.setdefault(jar.path, jar)
    yield from found.values()


def is_built_here(picture: Picture) -> bool:
    """A stage of the Dockerfile builds what is shipped; not so where the jar comes from the context after all."""
    if not any(True for _ in _builds(picture)):
        return False
    artifact = picture.artifact
    return artifact is None or artifact.from_stage is not None


def _builds(picture: Picture) -> Iterator[Instruction]:
    for stage in picture.stages:
        for instruction in stage.stage.instructions:
            if instruction.keyword == "RUN" and builds_java(picture.script_of(instruction).text):
                yield instruction


def _copied(picture: Picture, context: Context) -> set[str]:
    """Files of the context that some stage copies, relative to its root."""
    found: set[Path] = set()
    for content in picture.contents:
        for layer in content.layers:
            for file in layer.files:
                if file.origin is not None:
                    found.add(file.origin)
                elif file.entry is not None:
                    found.add(Path(file.entry[0].path))
    names = {_relative(path, context) for path in found}
    return {name for name in names if name is not None}


def _relative(path: Path, context: Context) -> str | None:
    with contextlib.suppress(ValueError, OSError):
        return path.resolve().relative_to(context.root.resolve()).as_posix()
    return None


def _preferred_class(names: list[str]) -> str | None:
    """Not the start class if there is another, and none that has a class file of its own inside of another."""
    plain = [name for name in names if not name.endswith(("module-info.class", "package-info.class"))]
    if not plain:
        return None
    return min(plain, key=lambda name: (name.endswith("Application.class"), "$" in name))


def _preferred_source(names: list[str], files: dict[str, Sent], picture: Picture) -> str | None:
    """A file of the module that the image ships: the one whose target the final stage copies from, else the one with
    the start class. None when there is nothing to choose by."""
    modules = sorted({_module(name) for name in names})
    if not modules:
        return None
    module = modules[0] if len(modules) == 1 else _module_of_artifact(modules, picture)
    if module is None:
        module = _module_with_start_class(names, files)
    if module is None:
        return None
    own = [
        name for name in names if _module(name) == module and files[name].stat.st_size <= _MAX_SOURCE_BYTES
    ]
    own.sort()
    return min(own, key=_looks_like_start_class, default=None)


def _module(name: str) -> str:
    return re.split(r"(?:^|/)src/main/", name)[0]


def _module_of_artifact(modules: list[str], picture: Picture) -> str | None:
    sources = [source for artifact in picture.artifacts for source in artifact.sources]
    for source in sources:
        match = re.search(r"(?:^|/)([^/]+)/(?:target|build/libs)/[^/]+$", source)
        if match is not None:
            fitting = [module for module in modules if module.rpartition("/")[2] == match[1]]
            if len(fitting) == 1:
                return fitting[0]
    return None


def _module_with_start_class(names: list[str], files: dict[str, Sent]) -> str | None:
    found: set[str] = set()
    for name in sorted(names, key=_looks_like_start_class, reverse=True)[:_MOST_LOOKED_AT]:
        with contextlib.suppress(OSError):
            if files[name].stat.st_size <= _MAX_SOURCE_BYTES and b"@SpringBootApplication" in read_file(
                files[name].path, _MAX_SOURCE_BYTES
            ):
                found.add(_module(name))
    return found.pop() if len(found) == 1 else None


def _looks_like_start_class(name: str) -> bool:
    return name.rpartition(".")[0].endswith(("Application", "Main", "App"))
