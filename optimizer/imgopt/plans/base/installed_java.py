"""Java that a stage brings itself, on a base image that has none, and the JRE that could take a JDK's place.

`find` reads it from package installs, from archives (added, copied or downloaded) and from COPY --from. `jre_instead`
is the plan of the rule `installed-jdk`: for packages and copied trees an edit, for archives advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from imgopt import shell
from imgopt.dockerfile import Edit, Instruction, Span, writing
from imgopt.errors import ContextError
from imgopt.finding import Reason, Refused, Waste, because, reason_of
from imgopt.java.distributions import (
    JavaKind,
    JavaPackage,
    java_archive,
    java_archives_in,
    java_distribution,
    java_package,
    jdk_only_bytes,
)
from imgopt.light.records import dataclass, replace
from imgopt.os_packages.commands import PackageCommand, read
from imgopt.picture import Picture, StagePicture, once
from imgopt.picture.paths import normal, seen_from
from imgopt.plans.base.hazards import DOUBTS, installed_jdk_needs
from imgopt.plans.tied import java_stays
from imgopt.scales import Applicability
from imgopt.text.quoting import Unwritable

if TYPE_CHECKING:
    from imgopt.bases import Base

#: Words that may stand before a package manager in its command.
_WRAPPERS = frozenset({"sudo", "env", "command", "exec", "nice", "time", "eatmydata"})


@dataclass(frozen=True)
class InstalledJava:
    """A Java that ``stage`` brings with ``instruction``.

    ``name``: the package, the archive, or the image or stage it is copied from; ``span``: where that name stands,
    None when variables or the form of the instruction hide it. ``gap``: the name with the blanks before it.
    """

    how: Literal["package", "archive", "copied"]
    name: str
    kind: JavaKind
    major: int | None
    stage: StagePicture
    instruction: Instruction
    span: Span | None = None
    gap: Span | None = None
    package: JavaPackage | None = None
    beside: frozenset[str] = frozenset()  # what the same command installs
    bytes: int | None = None  # of an archive in the build context


@once
def find(picture: Picture) -> tuple[InstalledJava, ...]:
    """Every Java that the final stage brings itself, in the file's order; () when its base has one."""
    if _has_java(picture.base) or picture.base.os == "windows":
        return ()
    return brought(picture)


def _has_java(base: Base) -> bool:
    return base.kind not in ("os", "other", "unknown") or base.java_major is not None or base.vm is not None


@once
def java_major(picture: Picture) -> int | None:
    """The Java version of the final stage: the base image's, or that of the only Java it brings itself. None where it
    copies another one than the base has, and the PATH decides; packages lie behind the base's own on it."""
    base = picture.base
    if not _has_java(base):
        majors = {java.major for java in find(picture)}
    else:
        majors = {base.java_major} | {java.major for java in brought(picture) if java.how != "package"}
    return majors.pop() if len(majors) == 1 else None


def java_name(picture: Picture) -> str:
    """What the Java of the final stage is called: the base image, or the package or archive it brings."""
    return find(picture)[0].name if find(picture) else picture.base.name


def brought(picture: Picture) -> tuple[InstalledJava, ...]:
    """Every Java that the final stage brings itself, whatever its base has."""
    return tuple(_brought(picture, picture.final))


def _brought(picture: Picture, top: StagePicture) -> Iterator[InstalledJava]:
    """What ``top`` and the stages below it bring."""
    for stage in top.lineage:
        for instruction in stage.stage.instructions:
            if instruction.keyword == "RUN":
                yield from (
                    java
                    for java in _installed(picture, stage, instruction)
                    if not _removed(picture, top, java.name)
                )
                yield from _downloaded(picture, stage, instruction)
            elif instruction.keyword in ("COPY", "ADD"):
                if instruction.flag("from") is not None:
                    yield from _copied(picture, stage, instruction)
                else:
                    yield from _added(picture, stage, instruction)


# packages


def _installed(picture: Picture, stage: StagePicture, instruction: Instruction) -> Iterator[InstalledJava]:
    base = picture.base_of(stage)
    scope = picture.scope(instruction)
    script = picture.script_of(instruction)
    place = script.place
    for command in _package_commands(script.text):
        around = command.command
        if command.action != "install" or around.depth or around.operator in ("||", "|"):
            continue
        if command.manager == "apk" and any(re.match(r"-t$|--virtual", word) for word in command.options):
            continue  # tools that the same file removes again
        names = {word: _name(word.value(scope)) for word in command.packages}
        for word, name in names.items():
            package = java_package(name, command.manager, base.os, base.os_version) if name else None
            if name is None or package is None:
                continue
            before = around.words[around.words.index(word) - 1]
            span = place(word.start, word.end) if place is not None else None
            yield InstalledJava(
                "package",
                name,
                package.kind,
                package.major,
                stage,
                instruction,
                span,
                Span(place(before.start, before.end).end, span.end) if place and span else None,
                package,
                frozenset(other for other in names.values() if other and other != name),
            )


def _package_commands(text: str) -> Iterator[PackageCommand]:
    for command in shell.parse(text).commands:
        words = command.words
        while words and (
            words[0].literal in _WRAPPERS or words[0].text.startswith("-") or "=" in words[0].text
        ):
            words = words[1:]
        found = read(replace(command, words=words))
        if found is not None and found.program != "zypper":  # SUSE's packages were not read
            yield found


def _name(word: str | None) -> str | None:
    """A package's name without the version, architecture or repository that may be pinned to it."""
    return re.split(r"[=~<>@:/]", word, maxsplit=1)[0] if word else None


def _removed(picture: Picture, top: StagePicture, name: str) -> bool:
    """Whether a command takes the package away again."""
    return any(
        command.action == "remove" and any(_means(word, name) for word in command.packages)
        for instruction in top.instructions()
        if instruction.keyword == "RUN"
        for command in _package_commands(picture.script_of(instruction).text)
    )


def _means(word: shell.Word, name: str) -> bool:
    return name in word.text or fnmatchcase(name, (word.literal or "").rstrip("-"))


# archives


def _downloaded(picture: Picture, stage: StagePicture, instruction: Instruction) -> Iterator[InstalledJava]:
    scope = picture.scope(instruction)
    text = picture.script_of(instruction).text
    known = re.sub(
        r"\$\{?([A-Za-z_]\w*)\}?", lambda variable: scope.get(variable[1]) or variable.group(), text
    )
    if not re.search(r"\b(?:curl|wget|aria2c)\b", known):
        return  # what it unpacks was brought by another instruction
    archives = java_archives_in(known)
    told = {name: archive for name, archive in archives.items() if archive.major is not None}
    names = {archive: name for name, archive in reversed((told or archives).items())}
    for archive, name in names.items():  # one for all architectures, and not what it is saved as
        yield InstalledJava("archive", name, archive.kind, archive.major, stage, instruction)


def _added(picture: Picture, stage: StagePicture, instruction: Instruction) -> Iterator[InstalledJava]:
    for word in instruction.words[:-1]:
        source = word.text if instruction.json is not None else picture.expand(instruction, word.text)
        if source is None:
            continue
        last = source.rstrip("/").rpartition("/")[2]
        archive = java_archive(source) or (None if last in ("jdk", "jre") else java_distribution(last))
        if archive is not None:
            size = None if "://" in source else _bytes(picture, source)
            yield InstalledJava(
                "archive", last, archive.kind, archive.major, stage, instruction, word.span, bytes=size
            )


def _bytes(picture: Picture, source: str) -> int | None:
    if picture.context is None:
        return None
    from imgopt.build_context.tree import resolve

    try:
        copied = resolve(picture.context, [source])
    except ContextError:
        return None
    return sum(item.bytes for item in copied) or None


# trees copied from another stage or image


def _copied(picture: Picture, stage: StagePicture, instruction: Instruction) -> Iterator[InstalledJava]:
    flag = instruction.flag("from")
    if flag is None or not flag.value or "$" in flag.value or len(instruction.words) != 2:
        return
    words = [picture.expand(instruction, word.text) for word in instruction.words]
    if words[0] is None:
        return
    source = normal("/" + words[0])
    origin = _origin(picture, stage, flag.value)
    base = picture.base_of(origin) if origin is not None else picture.identify(flag.value)
    if origin is not None and source in _linked(picture, origin):
        name = f"the runtime linked in stage {origin.name}"
        yield InstalledJava("copied", name, "jre", base.java_major, stage, instruction)
    elif base.kind in ("jdk", "jre") and _holds(base, source):
        name = flag.value if origin is None else origin.root.image or flag.value
        kind: JavaKind = "jre" if base.kind == "jre" else "jdk"
        yield InstalledJava("copied", name, kind, base.java_major, stage, instruction)
    elif origin is not None and base.kind == "os" and re.search(r"jvm|jdk|jre|java", source):
        for java in _brought(picture, origin):
            yield replace(java, stage=stage, instruction=instruction, span=None, gap=None, how="copied")


def _origin(picture: Picture, stage: StagePicture, reference: str) -> StagePicture | None:
    found = picture.document.stage(reference, stage.index)
    return picture.stages[found.index] if found is not None else None


def _holds(base: Base, source: str) -> bool:
    """Whether the path is the image's Java, or a directory around it."""
    if base.java_home is None:
        return re.search(r"/(?:jvm|java|jdk|jre|openjdk)(?:$|[-_./\d])", source) is not None
    return base.java_home == source or base.java_home.startswith(source.rstrip("/") + "/")


def _linked(picture: Picture, stage: StagePicture) -> frozenset[str]:
    """Where `jlink` puts the runtimes that it makes in the stage."""
    found: set[str] = set()
    for instruction in stage.instructions():
        if instruction.keyword != "RUN":
            continue
        for command in picture.script_of(instruction).script.commands:
            values = [word.value(picture.scope(instruction)) or word.text for word in command.words]
            if not any(value.rsplit("/", 1)[-1] == "jlink" for value in values):
                continue
            for value, following in zip(values, [*values[1:], ""], strict=True):
                path = following if value in ("--output", "-o") else value.partition("--output=")[2]
                place = seen_from(picture.workdir_at(instruction), path) if path else None
                if place is not None:
                    found.add(place)
    return frozenset(found)


# a JRE instead


@dataclass(frozen=True)
class JreInstead:
    """What to do about the JDK that the final stage brings.

    ``edits`` put ``instead`` in its place; without them ``advice`` says what the author can do, or ``why_not`` why
    the JDK stays. ``jdk`` is None where there is no such JDK.
    """

    jdk: InstalledJava | None = None
    instead: str | None = None
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    advice: Reason | None = None
    why_not: Reason | None = None
    risk: Reason | None = None  # what could not be seen
    waste: Waste | None = None


class _Manual(Refused):
    """Carries what the author has to do by hand."""


@once
def jre_instead(picture: Picture) -> JreInstead:
    """The JRE for the JDK that the final stage brings itself. Pure: looks only at the picture."""
    jdks = [java for java in find(picture) if java.kind == "jdk"]
    if not jdks:
        return JreInstead()
    packages = [java for java in jdks if java.package is not None and java.how == "package"]
    copied = [java for java in jdks if java.how == "copied"]
    jdk = (packages or jdks)[0]
    gone = [java.package.gone for java in packages if java.package is not None and java.package.gone]
    for java in copied:
        target = picture.expand(java.instruction, java.instruction.words[-1].text) or ""
        gone.append(re.escape(target.rstrip("/")) + r"/(?:jre|include|jmods)(?![\w.-])")
    needs = list(installed_jdk_needs(picture, "|".join(gone) or None, package=bool(packages)))
    certain = next((need for need in needs if need.kind not in DOUBTS), None)
    why = (
        certain
        or java_stays(picture)
        or _used_elsewhere(picture, packages + copied)
        or _named_elsewhere(picture, packages)
    )
    if why is not None:
        return JreInstead(jdk, why_not=why)
    risk = because(needs[0].kind, "{}, so what it needs is not known", needs[0]) if needs else None
    level = Applicability.UNSAFE if risk else Applicability.SAFE
    try:
        if "{{" in picture.document.text:
            raise _Manual("the file is a template ({{ }}), which has to be filled in first")
        if packages or copied:
            changes = [
                *(_package_edit(picture, java) for java in packages),
                *(_copied_edit(picture, java) for java in copied),
            ]
            instead = " and ".join(dict.fromkeys(name for name, _ in changes))
            edits = tuple(edit for _, edit in changes)
            return JreInstead(jdk, instead, edits, level, risk=risk, waste=_package_waste(picture, packages))
        raise _Manual("{}", _archive_advice(picture, jdk))
    except (_Manual, Unwritable) as error:
        return JreInstead(jdk, advice=reason_of(error))


def _used_elsewhere(picture: Picture, jdks: list[InstalledJava]) -> Reason | None:
    """A stage that needs the JDK where it is: built on the stage that brings it, or copying from it."""
    lineage = picture.final.lineage
    for jdk in jdks:
        line = lineage[lineage.index(jdk.stage) :]
        for other in picture.stages:
            if jdk.stage in other.lineage and other not in lineage:
                return because("certain", "stage {} is also the base of stage {}", jdk.stage.name, other.name)
            for instruction in other.stage.instructions:
                for reference in _references(instruction):
                    if _origin(picture, other, reference) in line:
                        return because(
                            "certain", "{} takes files from {}, which has the JDK", instruction, reference
                        )
    return None


def _named_elsewhere(picture: Picture, packages: list[InstalledJava]) -> Reason | None:
    """A command that names a package beside its install: `apt-mark hold`, `dpkg -L`, `rpm -q`."""
    for java in packages:
        name = re.compile(rf"(?<![\w.-]){re.escape(java.name)}(?![\w-])")
        for instruction, text in picture.commands():
            own = sum(other.instruction is instruction and other.name == java.name for other in packages)
            if len(name.findall(text)) > own:
                return because(
                    "certain", "{} names {} for something else than its install", instruction, java.name
                )
        for file, text in picture.start_scripts:
            if name.search(text):
                return because("certain", "the script {} names {}", file.path, java.name)
    return None


def _references(instruction: Instruction) -> Iterator[str]:
    """The stages and images that a COPY --from or a RUN --mount names."""
    for flag in instruction.flags:
        if flag.name == "from" and flag.value:
            yield flag.value
        elif flag.name == "mount" and (found := re.search(r"(?:^|,)from=([^,]+)", flag.value or "")):
            yield found[1]


def _package_edit(picture: Picture, java: InstalledJava) -> tuple[str, Edit]:
    package, span = java.package, java.span
    assert package is not None
    if package.jre is None:
        raise _Manual("no JRE package that goes with {} is known; {}", java.name, _copy_advice(picture, java))
    if span is None or java.gap is None:
        raise _Manual("install {} instead of {}", package.jre, java.name)
    if package.jre in java.beside:
        return package.jre, Edit(java.gap, "")
    written = picture.document.text[span.start : span.end]
    scope = picture.scope(java.instruction)
    value = shell.Word(written, 0, len(written)).value(scope)
    wanted = value.replace(java.name, package.jre, 1) if value else None
    for replacement in (
        written.replace(java.name, package.jre, 1),
        written.replace("-jdk", "-jre", 1),
        written.replace("-devel", "", 1),
        written.replace("-devel", "-headless", 1),
        re.sub(r"(?=[\"']?$)", "-jre", written, count=1),
    ):
        if wanted and shell.Word(replacement, 0, len(replacement)).value(scope) == wanted:
            return package.jre, Edit(span, replacement)
    raise _Manual("install {} instead of {}", package.jre, java.name)


def _package_waste(picture: Picture, packages: list[InstalledJava]) -> Waste | None:
    """The bytes of the largest package that goes: the headless JDK is part of the other one."""
    base = picture.base
    if picture.platform != "linux/amd64":
        return None
    sizes = [jdk_only_bytes(java.name, java.major, base.os, base.os_version) for java in packages]
    known = [size for size in sizes if size is not None]
    if not known:
        return None
    size, source = max(known)
    return Waste(size, size, "catalogue", source)


def _copied_edit(picture: Picture, java: InstalledJava) -> tuple[str, Edit]:
    """The JRE image's name instead of the JDK's: in the COPY itself, or in the FROM of a stage that does no more."""
    from imgopt.bases import counterparts

    flag = java.instruction.flag("from")
    assert flag is not None and flag.value is not None
    origin = _origin(picture, java.stage, flag.value)
    base = picture.base_of(origin) if origin is not None else picture.identify(flag.value)
    source = normal("/" + (picture.expand(java.instruction, java.instruction.words[0].text) or ""))
    advice = _copy_advice(picture, java)
    if (
        base.kind != "jdk"
        or base.java_home != source
        or base.libc is None
        or base.reference.digest is not None
    ):
        raise _Manual("{}", advice)
    found = next(
        (
            jre
            for jre in counterparts(base, kind="jre", libc=base.libc, platforms=picture.platforms)
            if jre.family == base.family
            and (jre.java_home, jre.os, jre.os_version) == (source, base.os, base.os_version)
        ),
        None,
    )
    if found is None or base.mirror is not None:
        raise _Manual("{}", advice)
    if origin is None:
        span = flag.value_span
    else:
        uses = [
            instruction
            for stage in picture.stages
            for instruction in stage.stage.instructions
            if any(_origin(picture, stage, reference) is origin for reference in _references(instruction))
        ]
        alone = origin.parent is None and not any(stage.parent is origin for stage in picture.stages)
        only_this = alone and not origin.stage.instructions and uses == [java.instruction]
        span = origin.stage.image.span if only_this else None
    if span is None or "$" in picture.document.text[span.start : span.end]:
        raise _Manual("{}", advice)
    return found.name, Edit(span, writing.image(found.name))


def _archive_advice(picture: Picture, java: InstalledJava) -> str:
    return f"take the JRE archive of the same release, if there is one, or {_copy_advice(picture, java)}"


def _copy_advice(picture: Picture, java: InstalledJava) -> str:
    """Where a maintained JRE of this version comes from, for the same C library."""
    jre = java_image(picture, java.major, "jre")
    if jre is None:
        return "install a JRE of the same version"
    try:
        home = writing.word(jre.java_home or "")
        line = writing.copy("COPY", (f"--from={writing.image(jre.name)}",), (home, home))
    except Unwritable:
        return "install a JRE of the same version"
    return f"copy a maintained JRE: {line}"


def java_image(picture: Picture, major: int | None, kind: JavaKind) -> Base | None:
    """A current Temurin image with a Java that a stage brings itself, for the C library of its system."""
    from imgopt.bases import counterparts

    if major is None or picture.base.mirror is not None:
        return None
    # of the system only the C library counts: what is taken from the image are files
    base = replace(picture.base, kind="jdk", java_major=major, os=None, os_version=None)
    for libc in dict.fromkeys((base.libc or "glibc", "glibc")):
        for image in counterparts(base, kind=kind, libc=libc, platforms=picture.platforms):
            if image.family == "eclipse-temurin" and image.retired is None:
                return image
    return None


def unpacking_image(picture: Picture, kind: JavaKind) -> Base | None:
    """An image as new as any Java that the final stage brings itself, to unpack its application with."""
    majors = [java.major for java in find(picture)]
    known = [major for major in majors if major is not None]
    return java_image(picture, max(known), kind) if known and len(known) == len(majors) else None
