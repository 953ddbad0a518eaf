"""Plans the layered form of a Spring Boot application: an extract stage and one COPY per layer.

From Spring Boot 3.3 on it is the thin layout of Spring Boot's own tools, where the application cannot tell it from its
fat jar (`thin.fits`). Otherwise the archive is unpacked into ``/application`` (the launcher's own layout, so wars and
PropertiesLauncher archives keep their launcher) and a jar of a few hundred bytes takes the fat jar's place: its
manifest is the fat jar's own plus a ``Class-Path`` to the unpacked tree. Start command, scripts, health checks
and orders from outside the image (``command:`` of a pod) go on working untouched.

Each layer is arranged as a whole tree that is copied to ``/`` and whose times are fixed where its content is a
release's constant: measured, that is the form whose digests survive a builder without a cache.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from itertools import chain, count
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Edit, Instruction, Span, assignments, expand, variables_used, writing
from imgopt.finding import Reason, Refused, because, reason_of, told
from imgopt.java.spring_boot import (
    DEFAULT_LAYERS,
    LOADER_PATH,
    application_layer,
    extraction,
    is_known_launcher,
    jarmode_for,
    keeps_library_order,
    layered,
    served_snapshots,
    version_tuple,
)
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.picture import Artifact, Picture, StagePicture, once
from imgopt.picture.java_options import options_of
from imgopt.picture.module_path import argument_lines, own_path
from imgopt.picture.placing import names_archive
from imgopt.plans.base import installed_java
from imgopt.plans.base.java_version import too_old
from imgopt.plans.base.starting import is_read
from imgopt.plans.layers import apart, thin
from imgopt.plans.layers import unpacker as unpackers
from imgopt.plans.layers.apart import Apart
from imgopt.plans.layers.thin import STAMP
from imgopt.plans.layers.unpacker import Unpacker
from imgopt.plans.tied import class_path_stays
from imgopt.plans.waste.ownership import stored_again_by
from imgopt.scales import Applicability
from imgopt.text.quoting import Unwritable, quoted, quoted_path, require_visible

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.java.archive import Entry
    from imgopt.java.model import Jar

#: 1980-02-01, the time Spring Boot's own reproducible builds give to entries. Not 0: to Java code a time of 0
#: can mean "no such file".
FIXED_TIME = 318211200

COMMENT = "# Added by imgopt: libraries get layers of their own, which no release sends again (imgopt explain fat-jar-layer)"

#: With fewer bytes of libraries there is nothing to keep out of the next push.
SMALLEST_LIBRARIES = 1_000_000

#: Below this a layer of their own for the project's modules costs more in round trips than it keeps from being sent.
SMALLEST_MODULES = 200_000

LOADER, SNAPSHOTS = "spring-boot-loader", "snapshot-dependencies"

#: Commands that may name the jar's path after it was copied: they do to the small jar what they did to the fat one.
_HARMLESS = frozenset(
    {
        "touch",
        "chmod",
        "chown",
        "chgrp",
        "ls",
        "mv",
        "ln",
        "cp",
        "test",
        "[",
        "echo",
        "java",
        "exec",
        "sh",
        "bash",
        "stat",
        "printf",
        "sleep",
        "nohup",
        "tini",
        "dumb-init",
        "pgrep",
        "pkill",
        "ps",
        "grep",
        "export",
        "cd",
    }
)

_EXTRACTS = regex(r"jarmode|\bjar\s+-?-?x|\bunzip\b|\bjar\s+-?c?v?f?m|\bjar\s+-?cfm")


@dataclass(frozen=True)
class Modules:
    """The jars of the project's own modules, which the archive's layers.idx puts beside the classes of ``layer``.

    They get a tree of their own: a release that changes none of them does not send them. ``directories`` are theirs
    in the archive, as ``BOOT-INF/lib``.
    """

    layer: str
    name: str
    directories: tuple[str, ...]
    count: int
    bytes: int  # compressed


@dataclass(frozen=True)
class LayeringPlan:
    """``edits`` make the layered form; ``why_not`` says why there are none; both empty: nothing to layer."""

    line: int
    end_line: int
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    why_not: Reason | None = None
    risk: Reason | None = None
    layered: bool = False  # the file unpacks its jar already
    modules: Modules | None = None  # the project's own, when they get a layer of their own
    pulled: str | None = None  # the image that a fresh agent pulls only to unpack the jar, with its size
    apart: Apart | None = None  # how the layer of libraries is split


@dataclass(frozen=True)
class _Facts:
    """What has to be known of the archive. ``mode``: "thin", "tools", "layertools" or "path"."""

    mode: str
    layers: tuple[str, ...]
    moving: tuple[str, ...]  # layers that hold the application's own files
    manifest_layer: str
    explicit: bool  # the small jar lists the libraries itself, in the fat jar's order
    top: tuple[str, ...]  # first path components of the archive, for `jar xf`
    library_directories: tuple[str, ...]
    classes: str
    extension: str
    #: layers whose files get the time of the build: browsers are told it for what Spring Boot serves from them
    served: tuple[str, ...] = ()
    modules: Modules | None = None
    ascii: bool = True  # all names in the archive
    apart: Apart | None = None
    empty: frozenset[str] = frozenset()  # layers that nothing is unpacked into


class LayeringRefused(Refused):
    """Carries the reason why the application is not layered."""


@once
def plan(picture: Picture) -> LayeringPlan:
    """The layered form of the final stage, or the reason why it stays as it is. Never raises."""
    if already_layered(picture):
        return LayeringPlan(picture.final.stage.line, picture.final.stage.line, layered=True)
    artifact = picture.artifact
    if artifact is None:
        line = picture.artifacts[0].instruction.line if picture.artifacts else picture.final.stage.line
        if len(picture.artifacts) > 1 and any(found.started for found in picture.artifacts):
            return LayeringPlan(
                line,
                line,
                why_not=because(
                    "not-known", "several jars are started; which of them is the application is not clear"
                ),
            )
        return LayeringPlan(line, line)
    instruction = artifact.instruction
    try:
        if not artifact.started and (artifact.path or "").endswith(".war"):
            raise LayeringRefused(
                "the war is not started by `java -jar`: the server that deploys it needs it whole, or unpacked into its own "
                "directory"
            )
        facts = _facts(picture, artifact)
        if facts is None:
            return LayeringPlan(instruction.line, instruction.end_line)
        old = too_old(picture)
        if old is not None:
            raise LayeringRefused("{}", old, kind=old.kind)
        risk = _risk(picture, artifact, thin=facts.mode == "thin")
        _require_untouched(picture, artifact)
        unpacker = unpackers.java(picture) if facts.mode == "thin" else unpackers.jdk(picture)
        risk = risk or unpacker.risk
        edits = _edits(picture, artifact, facts, unpacker)
    except (Refused, Unwritable) as error:
        return LayeringPlan(instruction.line, instruction.end_line, why_not=reason_of(error))
    level = Applicability.UNSAFE if risk else Applicability.SAFE
    return LayeringPlan(
        instruction.line,
        instruction.end_line,
        edits,
        level,
        risk=risk,
        modules=facts.modules,
        pulled=unpacker.pulled,
        apart=facts.apart,
    )


def layers_the_jar(picture: Picture) -> bool:
    """Whether the rewrite unpacks the jar into layers (`fat-jar-layer`), with the options at hand."""
    made = plan(picture)
    level = Applicability.UNSAFE if picture.options.unsafe else Applicability.SAFE
    return bool(made.edits) and made.applicability >= level and picture.active("fat-jar-layer", made.line)


def already_layered(picture: Picture) -> bool:
    """Whether the final stage holds an unpacked archive, its own or another stage's work."""
    names = {stage.name.lower(): stage for stage in picture.stages} | {
        str(stage.index): stage for stage in picture.stages
    }
    origins: list[StagePicture] = [*picture.final.lineage]
    runtimes = {java.instruction.number for java in installed_java.find(picture)}
    for instruction in picture.final.instructions():
        if instruction.number in runtimes:
            continue  # a Java from a stage that may look into the jar to link it
        flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
        if flag is not None and flag.value:
            stage = names.get(flag.value.lower())
            if stage is not None:
                origins += stage.lineage
            elif picture.artifact is None and re.search(
                r"(dependencies|spring-boot-loader)/?", instruction.text
            ):
                return True  # copies layers from a stage that does not exist
    whole = picture.artifact is not None and picture.artifact.started and picture.artifact.from_stage is None
    return any(
        instruction.keyword == "RUN"
        and _EXTRACTS.search(instruction.text)
        and _about_the_jar(instruction.text)
        for stage in origins
        if not (whole and stage in picture.final.lineage)  # it may look into the jar, but starts it as it is
        for instruction in stage.stage.instructions
    )


def _about_the_jar(text: str) -> bool:
    return "jarmode" in text or re.search(r"\.(jar|war)\b|JAR_FILE|BOOT-INF", text) is not None


# what is known of the archive


def _facts(picture: Picture, artifact: Artifact) -> _Facts | None:
    if artifact.jar is not None:
        return _facts_of_jar(picture, artifact.jar)
    problem = picture.jars.problem(artifact.file) if artifact.file is not None else None
    if problem is not None:
        raise LayeringRefused("{}: {}", str(artifact.file), problem.message)
    return _facts_of_build(picture, artifact)


def _facts_of_jar(picture: Picture, jar: Jar) -> _Facts | None:
    if jar.kind == "shaded":
        raise LayeringRefused(
            "the jar is one flat tree of merged libraries (shaded), which cannot be split again; "
            "let the build keep libraries apart (thin jar with lib/) to gain layers"
        )
    if jar.kind not in ("spring-boot", "spring-boot-war"):
        return None
    if not is_known_launcher(jar.launcher) or jar.launcher is None:
        raise LayeringRefused(
            "the archive starts through {}, not one of Spring Boot's own", jar.launcher or "no launcher"
        )
    if jar.class_path:
        raise LayeringRefused("the jar's manifest has a Class-Path of its own, which would have to be merged")
    if sum(library.bytes for library in jar.libraries) < SMALLEST_LIBRARIES:
        return None
    if jar.unsafe_names:
        raise LayeringRefused("the jar has entries that lead out of it ({})", jar.unsafe_names[0])
    can = extraction(jar)
    mode = can.mode if can.mode is not None and can.layers else "path"
    layers = layered(jar)
    names = tuple(name for name, _ in layers) if mode != "path" else DEFAULT_LAYERS
    if mode == "path":
        layers = (("application", ()),)
    libraries = tuple(jar.lib_prefixes)
    _require_plain_names(jar, names)
    moving = tuple(
        name
        for name, entries in layers
        if any(not entry.name.startswith((*libraries, LOADER_PATH)) for entry in entries)
    )
    manifest = next(
        (name for name, entries in layers if any(e.name == "META-INF/MANIFEST.MF" for e in entries)), None
    )
    if manifest is None and mode != "path":
        raise LayeringRefused("the archive has no META-INF/MANIFEST.MF in any layer")
    if mode == "tools" and thin.fits(picture, jar):
        found = _thin(jar, layers)
        if found is not None:
            return found
    explicit = not keeps_library_order(jar)
    if explicit and (version_tuple(jar.spring_boot) or (0, 0, 0)) < (2, 0):
        raise LayeringRefused(
            "Spring Boot {} would put the unpacked libraries in another order than the archive has them; "
            "it keeps them from 2.3.8 on",
            jar.spring_boot or "",
        )
    if explicit and (jar.kind == "spring-boot-war" or not jar.launcher.endswith(".JarLauncher")):
        raise LayeringRefused(
            "Spring Boot {} would put the unpacked libraries in another order than the archive has them",
            jar.spring_boot or "",
        )
    if explicit:
        # Without a class path index, or with one of bare names (2.3.0-2.3.7, 2.4.0-2.4.1), an unpacked archive
        # has its libraries in alphabetical order: a class that two of them hold may come from the other one.
        _require_plain_root(jar)
        _require_plain_libraries(jar)
        mode, names, moving = "path", ("dependencies", SNAPSHOTS), ("none",)
    by_path = layered(replace(jar, layers_index=None)) if mode == "path" else layers
    served = tuple(name for name in _served(jar, by_path) if name in names)
    moving = moving or ("application",)
    modules = _modules(jar, layers, moving) if mode != "path" else None
    return _Facts(
        mode=mode,
        layers=names,
        moving=(*moving, *(name for name in served if name not in moving)),
        manifest_layer=manifest or "application",
        explicit=explicit,
        top=_top(jar) if mode == "path" else (),
        library_directories=tuple(prefix.rstrip("/") for prefix in libraries),
        classes=jar.classes_prefix or "",
        extension=".war" if jar.kind == "spring-boot-war" else ".jar",
        served=served,
        modules=modules,
        ascii=all(entry.name.isascii() for entry in jar.entries),
        apart=apart.apart(jar, by_path, moving, served) if not explicit else None,
        empty=frozenset(name for name, entries in by_path if not entries),
    )


def _served(
    jar: Jar, layers: tuple[tuple[str, tuple[Entry, ...]], ...], serving: frozenset[str] | None = None
) -> tuple[str, ...]:
    """The layers with files for browsers that another release has under the same name: in classes, in modules of the
    project and in snapshots. With a fixed time a browser would keep the old ones."""
    serving = jar.serves if serving is None else serving
    snapshots = served_snapshots(jar)
    own = [
        name
        for name, entries in layers
        if any(entry.name.startswith(jar.classes_prefix or "META-INF/") for entry in entries)
    ]
    return tuple(
        name
        for name, entries in layers
        if (name in own and jar.classes_prefix in serving)
        or any(entry.name in snapshots or (name in own and entry.name in serving) for entry in entries)
    )


def _thin(jar: Jar, layers: tuple[tuple[str, tuple[Entry, ...]], ...]) -> _Facts | None:
    """None where the application's own files do not lie in the one layer that gets its jar."""
    libraries = tuple(jar.lib_prefixes)
    own = [
        name
        for name, entries in layers
        if any(entry.name.startswith((jar.classes_prefix or "", "META-INF/MANIFEST.MF")) for entry in entries)
    ]
    if own != [application_layer(jar)]:
        return None
    with_libraries = tuple(
        name for name, entries in layers if name in own or (name != LOADER and not _holds_the_loader(entries))
    )
    served = _served(jar, layers, jar.serves - {jar.classes_prefix})
    return _Facts(
        mode="thin",
        layers=with_libraries,
        moving=tuple(own),
        manifest_layer=own[0],
        explicit=False,
        top=(),
        library_directories=tuple(path.rstrip("/") for path in libraries),
        classes=jar.classes_prefix or "",
        extension=".jar",
        served=served,
        modules=_modules(jar, layers, tuple(own)),
        apart=apart.apart(jar, layers, own, served),
        empty=frozenset(name for name, entries in layers if name not in own and not _listed(jar, entries)),
    )


def _listed(jar: Jar, entries: tuple[Entry, ...]) -> bool:
    """Whether the thin layout has one of a layer's files: the libraries that classpath.idx names."""
    named = set(jar.classpath_index or ())
    return any(entry.name in named for entry in entries)


def _holds_the_loader(entries: tuple[Entry, ...]) -> bool:
    return any(entry.name.startswith(LOADER_PATH) for entry in entries)


#: A layer, a directory: what every shell, builder and file system takes for a name and nothing else.
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"


def _require_plain_names(jar: Jar, layers: tuple[str, ...]) -> None:
    """Layers become directories and lines of the Dockerfile, and so do the directories that the manifest names."""
    from imgopt.java.archive import shown

    for name in layers:
        if not re.fullmatch(_NAME, name):
            raise LayeringRefused(
                "layers.idx calls a layer {}, which is not a plain name for a directory", shown(name)
            )
    attributes = [("Spring-Boot-Lib", path) for path in jar.lib_prefixes]
    attributes += [("Spring-Boot-Classes", jar.classes_prefix)] if jar.classes_prefix else []
    for attribute, path in attributes:
        if not re.fullmatch(rf"(?:{_NAME}/)+", path):
            raise LayeringRefused(
                "the manifest's {} is {}, which is not a plain directory of the archive",
                attribute,
                shown(path),
            )


def _require_plain_libraries(jar: Jar) -> None:
    """The small jar lists the libraries in its Class-Path, which is URLs with blanks between them."""
    from imgopt.java.archive import shown

    for library in jar.libraries:
        if not re.fullmatch(r"[\w./+-]+", library.path, re.ASCII):
            raise LayeringRefused("{} cannot stand in the Class-Path of a manifest", shown(library.path))


def _top(jar: Jar) -> tuple[str, ...]:
    """The first path components of the archive, as `jar xf` takes them: what begins with one of them is unpacked."""
    from imgopt.java.archive import shown

    found = sorted({entry.name.split("/", 1)[0] for entry in jar.entries if entry.name.strip("/")})
    for name in found:
        # -C and --release are options of jar itself; its launcher takes -J… for the virtual machine, which runs commands
        if name.startswith("-"):
            raise LayeringRefused(
                "the archive has {} at its root, which `jar` takes for an option", shown(name)
            )
        require_visible(name)
    return tuple(f"@{name}" if name.startswith("@") else name for name in found)  # @FILE holds arguments


def _require_utf8(picture: Picture, image: Base) -> None:
    """Java gives files other names than the archive has, or does not find them, where the locale is another one."""
    base = dict(picture.base.env) | dict(picture.environment)
    for env, where in ((image.env, image.name), (base, "the image")):
        locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
        if not re.search(r"utf-?8", locale, re.IGNORECASE):
            raise LayeringRefused(
                "the archive has names that are not ASCII, and {} is not known to set a UTF-8 locale, without which Java does not find such files; set ENV LANG=C.UTF-8",
                where,
                kind="not-known",
            )


def _modules(
    jar: Jar, layers: tuple[tuple[str, tuple[Entry, ...]], ...], moving: tuple[str, ...]
) -> Modules | None:
    """None when two layers would have to be divided: their libraries may lie in one directory."""
    found: list[Modules] = []
    free = free_tree({name for name, _ in layers})
    for name, entries in layers:
        libraries = [entry for entry in entries if entry.name.startswith(tuple(jar.lib_prefixes))]
        size = sum(entry.compressed_bytes for entry in libraries)
        serves = any(entry.name in jar.serves for entry in libraries)
        if name in moving and size >= SMALLEST_MODULES and not serves:
            directories = tuple(
                prefix.rstrip("/")
                for prefix in jar.lib_prefixes
                if any(entry.name.startswith(prefix) for entry in libraries)
            )
            found.append(Modules(name, free, directories, len(libraries), size))
    return found[0] if len(found) == 1 else None


def free_tree(taken: Collection[str]) -> str:
    """What the tree of the modules is called, beside those that are there."""
    names = chain(("modules", "own-modules", "project-modules"), (f"modules-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _require_plain_root(jar: Jar) -> None:
    """Started without its launcher, the application sees nothing of the archive's root but what is checked here."""
    for entry in jar.entries:
        if (
            not entry.name.startswith(
                (
                    jar.classes_prefix or "",
                    *jar.lib_prefixes,
                    LOADER_PATH,
                    "META-INF/MANIFEST.MF",
                    "META-INF/maven/",
                )
            )
            and not entry.is_directory
            and not entry.name.endswith(".idx")
        ):
            raise LayeringRefused(
                "{} stands beside the classes in the archive, where Spring Boot {} would look for it",
                entry.name,
                str(jar.spring_boot),
            )


def _facts_of_build(picture: Picture, artifact: Artifact) -> _Facts | None:
    """The archive is not there: Spring Boot's version, from the option or the build files, decides."""
    facts = picture.build_facts
    version = picture.options.spring_boot or (facts.spring_boot if facts else None)
    name = " ".join(artifact.sources)
    if len(artifact.matches) > 1:
        raise LayeringRefused(
            "{} matches {} files ({}); name the application's own",
            name,
            len(artifact.matches),
            ", ".join(artifact.matches[:3]),
        )
    if version is None:
        if not artifact.started:
            return None
        scope = picture.scope(artifact.instruction)
        words = artifact.instruction.words[:-1]
        unset = [each for word in words for each in expand(word.text, scope, picture.document.escape).missing]
        if unset:
            raise LayeringRefused(
                "{} cannot be read, because {} has no value here; give it with --build-arg {}=VALUE",
                name,
                unset[0],
                unset[0],
                kind="unseen",
            )
        raise LayeringRefused(
            "{} is not available, and no build file states its Spring Boot version; build it first, or give --spring-boot VERSION",
            name,
            kind="unseen",
        )
    if any(source.endswith(".war") for source in artifact.sources) or (facts and facts.packaging == "war"):
        raise LayeringRefused(
            "{} is not available; a war is only layered from its bytes", name, kind="unseen"
        )
    if facts and (facts.executable or facts.loader):
        raise LayeringRefused(
            "{} asks for {}; build {} first",
            facts.path,
            "a launch script" if facts.executable else "the classic loader",
            name,
        )
    numbers = version_tuple(version) or (0, 0, 0)
    if numbers < (2, 0):
        raise LayeringRefused(
            "Spring Boot {} cannot unpack {} itself; its libraries get their own layer from 2.3 on",
            version,
            name,
        )
    mode = jarmode_for(version) or "path"
    if facts and facts.layered is False:
        mode = "path"
    if numbers < (2, 4) and not (facts and facts.layered):
        mode = "path"
    explicit = numbers < (2, 3, 8) or (2, 4) <= numbers < (2, 4, 2)
    return _Facts(
        mode="path" if explicit else mode,
        layers=("dependencies", "snapshot-dependencies") if explicit else DEFAULT_LAYERS,
        moving=("application",),
        manifest_layer="application",
        explicit=explicit,
        top=("BOOT-INF", "META-INF", "org"),
        library_directories=("BOOT-INF/lib",),
        classes="BOOT-INF/classes/",
        extension=".jar",
    )


# what could go wrong


def _risk(picture: Picture, artifact: Artifact, *, thin: bool) -> Reason | None:
    jar = artifact.jar
    if jar is not None and not thin:
        if "org/springframework/boot/system/ApplicationHome" in jar.references:
            return because(
                "certain",
                "the application asks ApplicationHome where it is installed and would find /application instead of its jar",
            )
        if (jar.launcher or "").endswith(".PropertiesLauncher") and "Implementation-Version" in jar.manifest:
            return because(
                "certain",
                "unpacked, PropertiesLauncher no longer tells the application its Implementation-Version",
            )
        if "java/security/CodeSource" in jar.references:
            return because(
                "certain",
                "the application asks for its own code source, which becomes a directory instead of a jar",
            )
    over = picture.running.mount_over(artifact.path) if artifact.path is not None else None
    if over is not None:
        return because(
            "unseen",
            "{} lays {} over the jar, and what lies there may be the jar of another release",
            over.where,
            over.words[0],
        )
    if not artifact.started:
        return because("not-known", "nothing in the Dockerfile shows that `java -jar` starts this jar")
    triggers = picture.final.triggers()
    if triggers:
        return because(
            "unseen", "{} acts in images built on this one, which may look inside the jar", triggers[0]
        )
    shared = own_path(picture, artifact.instruction).risk
    return told("not-known", shared) if shared is not None else None


def _require_untouched(picture: Picture, artifact: Artifact) -> None:
    """Nobody may look inside the jar at its path: the small jar that stands there holds only a manifest."""
    if artifact.path is None:
        raise LayeringRefused(
            "where the jar stands in the image cannot be determined from its COPY", kind="not-known"
        )
    name = posixpath.basename(artifact.path)
    if any(
        option.text.startswith("-javaagent:")
        and option.text.partition(":")[2].partition("=")[0].endswith(name)
        for option in options_of(picture, picture.final)
    ):
        raise LayeringRefused("{} is loaded as a Java agent, from the jar itself", name)
    stays = class_path_stays(picture)
    if stays is not None:
        raise LayeringRefused("{}", stays, kind=stays.kind)
    after = [
        instruction
        for instruction in picture.final.instructions()
        if instruction.line > artifact.instruction.line
    ]
    for instruction, text in picture.commands():
        if (isinstance(instruction, str) or instruction in after) and name in text:
            _require_harmless(picture, text, name, instruction)
    for file, text in picture.start_scripts:
        if name in text and re.search(
            rf"(unzip|jar\s+-?[xtu]|zipinfo|-javaagent:)\S*\s[^\n;&|]*{re.escape(name)}", text
        ):
            raise LayeringRefused("the script {} looks inside {}", file.path, name)


def _require_harmless(picture: Picture, text: str, name: str, instruction: Instruction | str) -> None:
    script = shell.parse(text)
    if script.broken:
        raise LayeringRefused(
            "{} names {} in a way that could not be read", instruction, name, kind="not-known"
        )
    for command in script.commands:
        if not any(name in word.text for word in command.words) or command.program is None:
            continue
        if command.program in ("sh", "bash", "ash") and len(command.args) > 1:
            _require_harmless(
                picture, command.args[-1].literal or command.args[-1].text.strip("\"'"), name, instruction
            )
        elif (
            command.program not in _HARMLESS
            and not command.program.endswith(("java", ".sh"))
            and not is_read(picture, command.name or "")
        ):
            raise LayeringRefused(
                "{} uses {} with `{}`, which may look inside it", instruction, name, command.program or ""
            )


# the new text


def _edits(picture: Picture, artifact: Artifact, facts: _Facts, unpacker: Unpacker) -> tuple[Edit, ...]:
    document = picture.document
    instruction = artifact.instruction
    unknown = {flag.name for flag in instruction.flags} - {"from", "chown", "chmod", "link"}
    if unknown:
        raise LayeringRefused(
            "its {} has --{}, which the layers would have to follow", instruction.keyword, min(unknown)
        )
    if len(artifact.sources) != 1:
        raise LayeringRefused(
            "its {} copies other files in the same layer; give the jar its own line", instruction.keyword
        )
    layer = picture.layer_of(instruction)
    alone = layer is not None and len(layer.files) == 1 and layer.complete
    named = names_archive(artifact.sources[0])
    if not named or not (alone or (layer is not None and not layer.files)):
        raise LayeringRefused(
            "its {} brings more than the jar; give the jar its own line", instruction.keyword
        )
    if len(document.stages) > 1 and picture.final is not picture.stages[-1]:
        raise LayeringRefused("the stage asked for with --target is not the last one")
    stage = free_name(picture, "extract")
    tree = _free_directory(picture)
    own = own_path(picture, instruction)
    place = f"/extract/{own.path}"
    pointer = _pointer_name(picture, artifact, facts)
    fat = ("fat" if pointer != "fat" + facts.extension else "full") + facts.extension
    if facts.mode == "thin":
        fat = pointer
    lower = document.text[picture.final.stage.from_.keyword_span.start].islower()

    lines = [COMMENT]
    lines.append(
        word_in("FROM", lower)
        + (f" {unpacker.platform}" if unpacker.platform else "")
        + f" {unpacker.image} {word_in('AS', lower)} {stage}"
    )
    if not facts.ascii:
        _require_utf8(picture, unpacker.base)
    unknown_user = unpacker.base.kind == "unknown" and unpacker.pulled is None
    if unknown_user or unpacker.base.user not in (None, "root", "0"):
        lines.append(word_in("USER", lower) + " root")
    arguments = arguments_for(picture, instruction, lower)
    declared = {re.split(r"[= ]", line, maxsplit=2)[1] for line in arguments}
    arguments += [line for name, line in own.declarations(lower) if name not in declared]
    workdir = f"{word_in('WORKDIR', lower)} {place}"
    lines += [*arguments, workdir] if own.arguments else [workdir, *arguments]
    source = document.text[instruction.words[0].span.start : instruction.words[0].span.end]
    if instruction.json is not None or source != instruction.words[0].text:
        source = instruction.words[0].text
    flags = [
        document.text[flag.span.start : flag.span.end] for flag in instruction.flags if flag.name == "from"
    ]
    lines.append(writing.copy(word_in("COPY", lower), flags, (source, fat)))
    lines += writing.run(word_in("RUN", lower), _steps(facts, tree, fat, pointer, unpacker), document.escape)
    lines.append("")

    newline = document.newline
    added = newline.join(lines) + newline
    edits = [Edit(at(stage_start(picture)), added)]

    chown = instruction.flag("chown")
    flags = [f"--from={stage}"]
    if chown is not None:
        flags.append(document.text[chown.span.start : chown.span.end])

    def copy_of(*layers: str) -> str:
        sources = (f"{place}/out/{writing.word(layer)}/" for layer in layers)
        return writing.copy(word_in("COPY", lower), flags, (*sources, "/"))

    groups = _groups(facts, picture.options.needed_layers)
    named_owner = chown is not None and not re.fullmatch(r"[\d:]+", chown.value or "")
    first = _libraries_before(picture, instruction, named_owner=named_owner)
    where = _before_comment(picture, first)
    copies = [*argument_lines(own, picture.final.stage, first, lower)]
    copies += [copy_of(*group) for group in groups if not set(group) & set(_beside(facts))]
    indent = _indent(document.text, where)
    edits.append(Edit(at(where), "".join(indent + copy + newline for copy in copies)))
    beside = _before_comment(picture, instruction)
    indent = _indent(document.text, beside)
    moving = [copy_of(layer) for layer in _beside(facts)]
    edits.append(Edit(at(beside), "".join(indent + copy + newline for copy in moving)))
    edits += _pointer_edits(picture, instruction, stage, f"{place}/{writing.source(pointer)}")
    return tuple(edits)


def _beside(facts: _Facts) -> tuple[str, ...]:
    """The layers that every release changes, which stay beside the jar."""
    changing = facts.served if facts.mode == "thin" else facts.moving
    return tuple(layer for layer in facts.layers if layer in changing)


def _groups(facts: _Facts, needed: frozenset[str]) -> list[tuple[str, ...]]:
    """The layers of libraries, those together that change together: the loader with the libraries of its release,
    snapshots with the project's own modules."""
    names = [layer for layer in facts.layers if layer not in _beside(facts)]
    if facts.modules is not None and facts.mode != "thin":
        names.append(facts.modules.name)
    modules = facts.manifest_layer if facts.mode == "thin" else facts.modules and facts.modules.name
    groups: list[tuple[str, ...]] = []
    for name in names:
        before = groups[-1][-1] if groups else None
        if before is not None and (name == LOADER or (name == modules and before == SNAPSHOTS)):
            groups[-1] += (name,)
        else:
            groups.append((name,))
    groups = _with_empty_ones_together(groups, facts.empty - needed)
    return groups if facts.apart is None else _with_apart(groups, facts.apart)


def _with_empty_ones_together(groups: list[tuple[str, ...]], empty: frozenset[str]) -> list[tuple[str, ...]]:
    """Layers that several modules share and this one has nothing of, in one COPY with its own libraries: after two of nothing
    in a row the classic builder ends with "layer does not exist"."""
    if not any(name.startswith(apart.SHARED) for group in groups for name in group):
        return groups
    nothing = [group for group in groups if empty.issuperset(group)]
    kept = [group for group in groups if group not in nothing]
    names = tuple(name for group in nothing for name in group)
    at = next((index for index, group in enumerate(kept) if not group[0].startswith(apart.SHARED)), None)
    if not names:
        return groups
    if at is None:
        return [*kept, names]
    return [*kept[:at], (*names, *kept[at]), *kept[at + 1 :]]


def _with_apart(groups: list[tuple[str, ...]], split: Apart) -> list[tuple[str, ...]]:
    """The loader comes anew with every patch, as what most of them move."""
    at = next(index for index, group in enumerate(groups) if split.layer in group)
    group, often = groups[at], split.above
    if often and LOADER in group:
        group, often = tuple(name for name in group if name != LOADER), (*often, LOADER)
    return [*groups[:at], split.below, group, *([often] if often else []), *groups[at + 1 :]]


def _steps(facts: _Facts, tree: str, fat: str, pointer: str, unpacker: Unpacker) -> list[str]:
    if facts.mode == "thin":
        has_find = "find" in unpacker.base.has
        return thin.unpacked(
            fat,
            tree,
            facts.manifest_layer,
            served=facts.served,
            has_find=has_find,
            split=apart.steps(facts.apart, f"{tree}/lib") if facts.apart is not None else [],
        )
    return [
        *_unpack(facts, fat),
        *_arrange(facts, tree),
        *_small_jar(facts, tree, fat, pointer),
    ]


def _pointer_name(picture: Picture, artifact: Artifact, facts: _Facts) -> str:
    """What the small jar is called: as the fat jar in the image, which matters where COPY names a directory alone."""
    name = posixpath.basename(artifact.path or "app.jar")
    target = picture.expand(artifact.instruction, artifact.instruction.words[-1].text) or ""
    said = posixpath.basename(target) == name
    if not name.endswith((".jar", ".war")) or (said and not re.fullmatch(_NAME, name)):
        return "app" + facts.extension
    return name


def word_in(keyword: str, lower: bool) -> str:
    return keyword.lower() if lower else keyword


def at(offset: int) -> Span:
    return Span(offset, offset)


def free_name(picture: Picture, wanted: str) -> str:
    taken = {stage.name.lower() for stage in picture.stages}
    names = (wanted, "extract-layers", *(f"extract-{number}" for number in range(2, 100)))
    return next(name for name in names if name not in taken)


def _free_directory(picture: Picture) -> str:
    texts = [picture.document.text, *(text for _, text in picture.start_scripts)]
    texts += [f"{path}/" for _, path in picture.running.mounts]
    changed: Instruction | None = None
    for name in ("application", "application-layers", "imgopt-application"):
        if any(f"/{name}" in text for text in texts) or picture.final.content.is_directory("/" + name):
            continue
        run = stored_again_by(picture, "/" + name)
        if run is None:
            return name
        changed = changed or run
    if changed is not None:
        raise LayeringRefused(
            "{} changes the owner or mode of every directory that the layers could lie in, and would store them a second time",
            changed,
        )
    raise LayeringRefused("/application and the other names for the unpacked tree are all in use")


def arguments_for(picture: Picture, instruction: Instruction, lower: bool) -> list[str]:
    """ARG lines that the extract stage needs to understand the COPY as the final stage did."""
    needed = list(variables_used(instruction.words[0].text))
    from_ = instruction.flag("from")
    if from_ is not None and variables_used(from_.value or ""):
        raise LayeringRefused("its COPY names the stage through a variable")
    defined: dict[str, tuple[str, str | None, str]] = {}  # keyword, value, name and value as written
    for other in picture.final.instructions():
        if other is instruction:
            break
        if other.keyword in ("ARG", "ENV"):
            for assignment in assignments(other):
                if (
                    other.keyword == "ARG"
                    and assignment.name in defined
                    and defined[assignment.name][0] == "ENV"
                ):
                    continue
                defined[assignment.name] = (other.keyword, assignment.value, assignment.word.text)
    global_names = {a.name for argument in picture.document.global_args for a in assignments(argument)}
    lines: list[str] = []
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done:
            return
        done.add(name)
        if name not in defined:
            raise LayeringRefused("its path uses ${}, which the base image would have to define", name)
        keyword, value, written = defined[name]
        for inner in variables_used(value or ""):
            if inner != name:
                add(inner)
        if (
            value is None
            and keyword == "ARG"
            and name not in global_names
            and name not in picture.options.build_args
            and name not in done
        ):
            raise LayeringRefused("its path uses the build argument {}, which has no default", name)
        lines.append(f"{word_in(keyword, lower)} {written}")

    for name in needed:
        add(name)
    return lines


def _unpack(facts: _Facts, fat: str) -> list[str]:
    if facts.mode == "tools":
        return [f"java -Djarmode=tools -jar {fat} extract --layers --launcher --destination layers"]
    if facts.mode == "layertools":
        return [f"mkdir layers && java -Djarmode=layertools -jar {fat} extract --destination layers"]
    # by path; `jar xf` is given names because without them some JDKs read from the start of the file and
    # unpack nothing from an archive with a launch script in front
    top = " ".join(map(quoted, facts.top))
    steps = [f"mkdir -p layers/application && cd layers/application && jar xf ../../{fat} {top} && cd ../.."]
    made = [f"layers/snapshot-dependencies/{path}" for path in facts.library_directories]
    made += [
        f"layers/dependencies/{posixpath.dirname(path)}".rstrip("/") for path in facts.library_directories
    ]
    made.append("layers/spring-boot-loader/org/springframework/boot")
    steps.append("mkdir -p " + " ".join(map(quoted, dict.fromkeys(made))))
    if "org" in facts.top:
        steps.append(
            "mv layers/application/org/springframework/boot/loader layers/spring-boot-loader/org/springframework/boot/"
        )
    for path in facts.library_directories:
        steps.append(f"mv {quoted(f'layers/application/{path}')} {quoted(f'layers/dependencies/{path}')}")
        steps.append(
            snapshots_apart(
                *(quoted(f"layers/{layer}/{path}") for layer in ("dependencies", "snapshot-dependencies"))
            )
        )
    return steps


def snapshots_apart(libraries: str, snapshots: str) -> str:
    """Shell text that moves the snapshots among the libraries to a directory of their own, should there be any. Both
    are directories as a shell reads them.
    """
    return (
        f"for jar in {libraries}/*SNAPSHOT*.jar; do \\\n"
        f'      [ ! -e "$jar" ] || mv "$jar" {snapshots}/ || exit 1; done'
    )


def _arrange(facts: _Facts, tree: str) -> list[str]:
    named = " ".join(map(quoted, facts.layers))
    steps = [
        f"for layer in {named}; do mkdir -p out/$layer && mv layers/$layer out/$layer/{tree} || exit 1; done"
    ]
    modules = facts.modules
    if modules is not None:
        there, here = f"out/{modules.layer}/{tree}", f"out/{modules.name}/{tree}"
        above = dict.fromkeys(posixpath.dirname(directory) for directory in modules.directories)
        steps.append("mkdir -p " + " ".join(quoted(f"{here}/{directory}") for directory in above))
        # a later release may have no modules there
        steps.append(
            f"for path in {' '.join(map(quoted, modules.directories))}; do \\\n"
            f"      [ ! -e {there}/$path ] || mv {there}/$path {here}/$path || exit 1; done"
        )
    fixed = [quoted(f"out/{layer}") for layer in facts.layers if layer not in facts.moving]
    if facts.apart is not None:
        steps += apart.steps(facts.apart, f"{tree}/{facts.apart.directory}")
        fixed += [f"out/{name}" for name in (*facts.apart.below, *facts.apart.above)]
    if modules is not None:
        fixed.append(quoted(f"out/{modules.name}"))
    if fixed:
        steps.append(f"find {' '.join(fixed)} -exec touch {STAMP} {{}} +")
    if facts.served:
        steps.append(f"find {' '.join(quoted(f'out/{layer}') for layer in facts.served)} -exec touch {{}} +")
    return steps


def stamp_command(roots: list[str], *, has_find: bool) -> str:
    """Shell text that sets the times of everything below the roots, without `find` where there is none. The roots are
    directories as a shell reads them.
    """
    named = " ".join(roots)
    if has_find:
        return f"find {named} -exec touch -h -d @{FIXED_TIME} {{}} +"
    return (
        f'stamp() {{ for f; do touch -c -h -d @{FIXED_TIME} "$f"; [ ! -d "$f" ] || stamp "$f"/*; done; }} '
        f"&& stamp {named}"
    )


def _small_jar(facts: _Facts, tree: str, fat: str, pointer: str) -> list[str]:
    if not facts.explicit:
        manifest = quoted(f"out/{facts.manifest_layer}/{tree}/META-INF/MANIFEST.MF")
        return [
            f'(echo "Class-Path: /{tree}/" && cat {manifest}) > start.mf && jar cfm {quoted_path(pointer)} start.mf',
        ]
    # the launcher of this version would sort the libraries: the jar keeps the application's own classes, starts
    # them without the launcher and lists the libraries as the archive has them
    library = re.sub(
        r"\.", r"\\.", facts.library_directories[0]
    )  # plain names: the rest means nothing to sed
    listing = (
        "(echo 'Class-Path: ' \\\n"
        f"      && jar tf {fat} | sed -n 's|^\\({library}/.*\\.jar\\)$|  /{tree}/\\1|p' \\\n"
        "      && sed -e ':a' -e '$!{N;ba' -e '}' -e 's/\\r*\\n //g' layers/application/META-INF/MANIFEST.MF \\\n"
        "       | sed -e '/^Main-Class:/d' -e 's/^Start-Class:/Main-Class:/') > start.mf"
    )
    return [
        listing,
        "rm layers/application/META-INF/MANIFEST.MF",
        f"jar cfm {quoted_path(pointer)} start.mf -C {quoted(f'layers/application/{facts.classes}'.rstrip('/'))} .",
    ]


def stage_start(picture: Picture) -> int:
    """Where the extract stage goes: before the final stage's FROM and the comment that describes it."""
    document = picture.document
    from_ = picture.final.stage.from_
    return _before_comment(
        picture,
        from_,
        header=from_ is document.instructions[0]
        or all(instruction.keyword == "ARG" for instruction in document.instructions[: from_.number]),
    )


def _before_comment(picture: Picture, instruction: Instruction, *, header: bool = False) -> int:
    """The start of the line of ``instruction``, or of the comment block right above it."""
    text = picture.document.text
    comments = {comment.line: comment for comment in picture.document.comments}
    starts = _line_starts(text)
    line = instruction.line
    while line - 1 in comments:
        line -= 1
    if header and line == 1 and line < instruction.line:
        block = "\n".join(comments[number].text for number in range(line, instruction.line))
        if (
            re.search(
                r"(?i)licen[cs]e|copyright|syntax\s*=|escape\s*=|check\s*=|imgopt:\s*ignore-file", block
            )
            or instruction.line - line > 4
        ):
            line = instruction.line
    offset = starts[line - 1]
    return max(offset, 1) if text.startswith("\ufeff") and offset == 0 else offset


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"\n", text))]


def _libraries_before(picture: Picture, copy: Instruction, *, named_owner: bool) -> Instruction:
    """What the libraries go before. Below every RUN, which would run again whenever one of them changes, but before a
    WORKDIR that follows: its directory has the time of the build, and a node fetches all layers above a changed one
    again. An owner given by name has to exist first, so those stay where the jar was copied."""
    start = copy
    if named_owner:
        return start
    for instruction in picture.final.stage.instructions:
        if instruction is copy:
            break
        if instruction.keyword in ("RUN", "COPY", "ADD"):
            start = copy
        elif instruction.keyword == "WORKDIR" and start is copy:
            start = instruction
    return start


def _indent(text: str, offset: int) -> str:
    match = re.compile(r"[ \t]*").match(text, offset)
    return match.group() if match else ""


def _pointer_edits(picture: Picture, instruction: Instruction, stage: str, path: str) -> list[Edit]:
    text = picture.document.text
    edits: list[Edit] = []
    keyword = text[instruction.keyword_span.start : instruction.keyword_span.end]
    if instruction.keyword == "ADD":
        new = "copy" if keyword.islower() else "Copy" if keyword[1:].islower() else "COPY"
        edits.append(Edit(instruction.keyword_span, new))
    from_ = instruction.flag("from")
    if from_ is not None:
        edits.append(Edit(from_.span, f"--from={stage}"))
    else:
        edits.append(Edit(at(instruction.keyword_span.end), f" --from={stage}"))
    word = instruction.words[0]
    if instruction.json is None and writing.arguments((path,)) != path:
        raise Unwritable(path, "has a blank in it, which only the JSON form of COPY can have")
    edits.append(Edit(word.span, path if instruction.json is None else writing.json_word(path)))
    return edits
