"""The thin layout of Spring Boot's own tools: the application's jar as it is, its libraries beside it as files.

From Spring Boot 3.3 on `tools extract` writes it with nothing but a JRE, and the start command finds a jar where the fat
one was. The launcher is gone from it, and with it what an application may know of: its place in the archive.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgopt.errors import JarError
from imgopt.picture import Picture
from imgopt.picture.java_options import options_of
from imgopt.text.quoting import quoted

if TYPE_CHECKING:
    from imgopt.java.model import Jar

#: What `touch` is told: the time that Spring Boot's own reproducible builds give to entries, in the form of POSIX, since
#: with `-d` a day alone is another time for each `touch`. Not 1970: to Java code a time of 0 can mean "no such file".
STAMP = "-t 198002010000"

_ITS_OWN_PLACE = {"java/security/CodeSource", "org/springframework/boot/system/ApplicationHome"}

#: What a start command or a script says to the launcher, which the thin layout has not.
_TO_THE_LAUNCHER = re.compile(r"BOOT-INF|boot\.loader\.|(?:\b|-D)loader\.[a-z]|\bLOADER_[A-Z]")


def fits(picture: Picture, jar: Jar) -> bool:
    """Whether the application cannot tell the thin layout from its fat jar, as far as its classes, its start and its
    archive show."""
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
        and not _asks(jar)
        and not _twice_in_meta_inf(jar)
        and not _told_to_the_launcher(picture)
    )


def _lists_all(jar: Jar) -> bool:
    """Libraries that classpath.idx does not name are left out; the tools themselves may be. The class path is URLs."""
    listed = set(jar.classpath_index or ())
    return all(
        library.path in listed or (library.artifact or "").startswith("spring-boot-jarmode")
        for library in jar.libraries
    ) and all(re.fullmatch(r"[\w./+-]+", path, re.ASCII) for path in listed)


def _asks(jar: Jar) -> bool:
    """Whether the application's own code, that of its modules included, speaks of where it lies in the archive."""
    from imgopt.java.jar import library_names_layout
    from imgopt.java.spring_boot import layered

    if jar.names_layout or jar.references & _ITS_OWN_PLACE:
        return True
    own = {
        entry.name
        for _, entries in layered(jar)
        if any(entry.name.startswith(jar.classes_prefix or "") for entry in entries)
        for entry in entries
    }
    try:
        return any(
            library_names_layout(jar, library)
            for library in jar.libraries
            if library.path in own or library.snapshot
        )
    except JarError:
        return True


def _twice_in_meta_inf(jar: Jar) -> bool:
    """The archive's META-INF and that of the classes become one."""
    names = {entry.name for entry in jar.entries if not entry.is_directory}
    return any(
        f"{jar.classes_prefix}{name}" in names
        for name in names
        if name.startswith("META-INF/") and name != "META-INF/MANIFEST.MF"
    )


def _told_to_the_launcher(picture: Picture) -> bool:
    """Options of the launcher; and agents, whose classes come before the libraries of a fat jar, and behind these."""
    texts = [instruction.text for instruction in picture.final.instructions()]
    texts += [text for _, text in picture.start_scripts]
    return any(_TO_THE_LAUNCHER.search(text) for text in texts) or any(
        option.text.startswith("-javaagent:") for option in options_of(picture, picture.final)
    )


def unpacked(jar: str, tree: str, layer: str, *, has_find: bool) -> list[str]:
    """Shell commands that leave the application's jar in place of the fat one, and in ``out`` one tree per layer of
    libraries, at a time that no build changes. ``layer``: the application's own."""
    libraries = f"/{tree}/lib"
    below = f"out/*/{tree}"
    return [
        f"java -Djarmode=tools -jar {jar} extract --layers --destination out --libraries {libraries}/",
        f"mv {quoted(f'out/{layer}')}/{jar} {jar} && "
        + (
            f"find out -exec touch {STAMP} {{}} +"
            if has_find
            else f"touch {STAMP} out/* {below} {below}/lib {below}/lib/*"
        ),
    ]
