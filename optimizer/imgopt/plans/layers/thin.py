"""The thin layout of Spring Boot's own tools: the application's jar as it is, its libraries beside it as files.

From Spring Boot 3.3 on `tools extract` writes it with nothing but a JRE, and the start command finds a jar where the fat
one was. The launcher is gone from it, and with it what an application may know of: its place in the archive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.picture import Picture
from imgopt.picture.java_options import options_of
from imgopt.text.quoting import quoted, quoted_path

if TYPE_CHECKING:
    from imgopt.java.model import Jar, Tell

#: What `touch` is told: the time that Spring Boot's own reproducible builds give to entries, in the form of POSIX, since
#: with `-d` a day alone is another time for each `touch`. Not 1970: to Java code a time of 0 can mean "no such file".
STAMP = "-t 198002010000"

#: What a command, a variable or a script says to the launcher, which the thin layout has not; agents, whose classes come
#: before the libraries of a fat jar and behind these; and classes that the JDK looks for on the system class path alone.
_TO_THE_LAUNCHER = regex(
    r"(?:\b|-D)loader\.[a-z]|\bLOADER_[A-Z]|-javaagent:"
    r"|java\.util\.logging\.(?:manager|config\.(?:class|file))|java\.system\.class\.loader|java\.protocol\.handler\.pkgs"
    r"|(?i:register_?default_?servlet)"
)

#: Of a file of settings; a larger one holds data.
_MOST_BYTES = 1 << 20

_SEARCH: frozenset[Tell] = frozenset({"root pattern"})

#: Server engines that look for pages, tags and views in the web resources of libraries.
_PAGES = regex(r"tomcat-embed-jasper|(?:.*-)?apache-jsp|.*(?:jakarta|javax|myfaces|prime|join)\W?faces.*")


def fits(picture: Picture, jar: Jar) -> bool:
    """Whether the application cannot tell the thin layout from its fat jar, as far as its classes, its start and its
    archive show. Its libraries are on the system class path there, and no class loader lists their URLs."""
    from imgopt.java.spring_boot import extraction, keeps_library_order

    can = extraction(jar)
    artifact = picture.artifact
    return (
        artifact is not None
        and artifact.started
        and can.thin
        and can.layers
        and keeps_library_order(jar)
        and _lists_all(jar)
        and not jar.system_services
        and not _knows_the_class_loader(jar)
        and not _bound_to_the_archive(jar)
        and not _told_to_the_launcher(picture)
        and not _tells(picture, jar) - (_SEARCH if _searches_thin(jar) else frozenset())
    )


def _lists_all(jar: Jar) -> bool:
    """Libraries that classpath.idx does not name are left out; the tools themselves may be. The class path is URLs."""
    listed = set(jar.classpath_index or ())
    return all(
        library.path in listed or (library.artifact or "").startswith("spring-boot-jarmode")
        for library in jar.libraries
    ) and all(re.fullmatch(r"[\w./+-]+", path, re.ASCII) for path in listed)


def _tells(picture: Picture, jar: Jar) -> frozenset[Tell]:
    """How the application's own code, that of its modules included, and what its container is told can tell the layouts."""
    from imgopt.java.jar import tells_of_libraries
    from imgopt.java.spring_boot import SETTINGS, tells, with_classes

    found = {*jar.tells, *(tell for text in _texts(picture) for tell in tells(text.encode(errors="replace")))}
    for file in picture.known_files.values():  # settings that the file copies beside the jar
        if file.path.endswith(SETTINGS) and file.origin is not None:
            try:
                found.update(tells(read_file(file.origin, _MOST_BYTES)))
            except OSError:
                found.add("unseen")
    own = with_classes(jar)
    modules = [library for library in jar.libraries if library.path in own or library.snapshot]
    return frozenset(found) | (tells_of_libraries(jar, modules) if "unseen" not in found else frozenset())


def _searches_thin(jar: Jar) -> bool:
    """Whether its Spring Framework looks for `classpath*:**/x.xml` in what a manifest lists, too."""
    from imgopt.java.spring_boot import version_tuple

    versions = [
        version_tuple(library.version) for library in jar.libraries if library.artifact == "spring-core"
    ]
    return bool(versions) and all(version is not None and version >= (6, 2, 0) for version in versions)


def _knows_the_class_loader(jar: Jar) -> bool:
    """spring-boot-devtools takes the thin layout for an application under development, and restarts it."""
    return any(
        library.artifact == "spring-boot-devtools" or _PAGES.fullmatch(library.artifact or "")
        for library in jar.libraries
    )


def _bound_to_the_archive(jar: Jar) -> bool:
    """A signature is one of the whole archive; versions of classes count in a jar alone; and the archive's META-INF and
    that of the classes become one."""
    names = {entry.name for entry in jar.entries if not entry.is_directory}
    if any(re.fullmatch(r"META-INF/[^/]+\.SF", name, re.IGNORECASE) for name in names):
        return True
    versions = ("META-INF/versions/", f"{jar.classes_prefix}META-INF/versions/")
    if jar.multi_release and any(name.startswith(versions) for name in names):
        return True
    return any(
        f"{jar.classes_prefix}{name}" in names
        for name in names
        if name.startswith("META-INF/") and name != "META-INF/MANIFEST.MF"
    )


def _texts(picture: Picture) -> list[str]:
    texts = [instruction.text for instruction in picture.final.instructions()]
    return texts + [
        text for _, text in (*picture.start_scripts, *picture.commands(), *picture.running.said_elsewhere)
    ]


def _told_to_the_launcher(picture: Picture) -> bool:
    return any(_TO_THE_LAUNCHER.search(text) for text in _texts(picture)) or any(
        option.text.startswith("-javaagent:") for option in options_of(picture, picture.final)
    )


def unpacked(
    jar: str, tree: str, layer: str, *, served: tuple[str, ...], has_find: bool, split: Sequence[str] = ()
) -> list[str]:
    """Shell commands that leave the application's jar in place of the fat one, and in ``out`` one tree per layer of
    libraries, at a time that no build changes, but for the layers ``served``. ``layer``: the application's own.
    ``split``: commands that make more trees of one."""
    libraries = f"/{tree}/lib"
    below = f"out/*/{tree}"
    return [
        f"java -Djarmode=tools -jar {quoted_path(jar)} extract --layers --destination out --libraries {libraries}/",
        *split,
        f"mv {quoted(f'out/{layer}/{jar}')} {quoted_path(jar)} && "
        + (
            f"find out -exec touch {STAMP} {{}} +"
            if has_find
            else f"touch {STAMP} out/* {below} {below}/lib {below}/lib/*"
        )
        + "".join(f" && touch -c {quoted(f'out/{name}')}/{tree}/lib/*" for name in served),
    ]
