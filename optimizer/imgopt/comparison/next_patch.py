"""The next patch of Spring Boot for a project that the Dockerfile builds: its build files with one number changed.

A build file is changed where the number stands beside Spring Boot's name; whether that was the right place is read from the
changed files, by what reads all build files.
"""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from imgopt.build_context.tree import Context, sent
from imgopt.comparison.next_release import Change, is_built_here
from imgopt.errors import ContextError
from imgopt.files.opening import read_file
from imgopt.java import boot_managed
from imgopt.java.build_files import read_build_files
from imgopt.java.next_jar import Unchangeable
from imgopt.java.spring_boot import version_tuple
from imgopt.light.patterns import regex
from imgopt.picture import Picture

_MOST_BYTES = 1 << 20
_MOST_FILES = 2_000
_BUILD_FILE = regex(
    r"(?:^|/)(?:pom\.xml|(?:build|settings)\.gradle(?:\.kts)?|gradle\.properties|\.mvn/maven\.config|[\w.-]+\.versions\.toml)$"
)
_SPRING_BOOT = regex(rb"(?i)spring[-_.]?boot|springframework\.boot")


def next_patch(version: str) -> str | None:
    """The patch that follows a release, where it is known to be there."""
    parts = version_tuple(version)
    if parts is None or version != ".".join(map(str, parts)):
        return None
    newest = (version_tuple(each) for each in boot_managed.table().newest)
    known = next((each for each in newest if each is not None and each[:2] == parts[:2]), parts)
    return f"{parts[0]}.{parts[1]}.{parts[2] + 1}" if known > parts else None


def plan_built_patch(picture: Picture) -> Change | Unchangeable:
    """The build files of the context with the next patch; Unchangeable where the Dockerfile does not build the application,
    or where its version does not stand there plainly. Reads the context; ContextError when it cannot be walked."""
    context, facts = picture.context, picture.build_facts
    if context is None or not is_built_here(picture):
        return Unchangeable("the Dockerfile does not build it from build files of the context")
    if facts is None or facts.spring_boot is None:
        return Unchangeable("the build files do not say which version of Spring Boot they take")
    patch = next_patch(facts.spring_boot)
    if patch is None:
        made = boot_managed.table().made
        return Unchangeable(f"no patch of Spring Boot after {facts.spring_boot} was known on {made}")
    files = _build_files(context)
    changed = {
        name: new
        for name, data in files.items()
        if (new := with_version(name, data, facts.spring_boot, patch)) != data
    }
    if not changed or _version_of({**files, **changed}, _module(context, Path(facts.path))) != patch:
        return Unchangeable(f"the build files do not say {facts.spring_boot} in a place that is understood")
    first, *_ = sorted(changed)
    return Change("build files", first, texts=tuple(sorted(changed.items())), version=patch)


def with_version(name: str, data: bytes, old: str, new: str) -> bytes:
    """A build file with another version, wherever the old one stands in a line that names Spring Boot, or in a pom just below
    one. The project's own version may be the same number, and names its jar."""
    lines = data.split(b"\n")
    number = regex(rb"(?<![\w.-])" + old.replace(".", r"\.").encode() + rb"(?![\w-]|\.\w)")
    for at, line in enumerate(lines):
        near = lines[max(0, at - 1) : at + 1] if name.endswith("pom.xml") else [line]
        if old.encode() in line and any(_SPRING_BOOT.search(each) for each in near):
            lines[at] = number.sub(new.encode(), line)
    return b"\n".join(lines)


def _build_files(context: Context) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in sent(context):
        if stat.S_ISREG(each.stat.st_mode) and _BUILD_FILE.search(each.name) and len(found) < _MOST_FILES:
            try:
                found[each.name] = read_file(each.path, _MOST_BYTES)
            except OSError:
                continue
    return found


def _module(context: Context, path: Path) -> str:
    return path.resolve().relative_to(context.root.resolve()).parent.as_posix()


def _version_of(files: dict[str, bytes], module: str) -> str | None:
    """What a project of these files takes."""
    with tempfile.TemporaryDirectory(prefix="imgopt-patch-") as name:
        root = Path(name)
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        try:
            facts = read_build_files(root / module, root)
        except ContextError:
            return None
    return facts.spring_boot if facts is not None else None
