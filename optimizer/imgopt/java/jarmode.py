"""Spring Boot's jar modes: what `java -Djarmode=MODE -jar JAR extract …` is asked for, and whether it does it.

From the sources of spring-boot-jarmode-layertools 2.3 to 3.2 and of spring-boot-jarmode-tools 3.3 to 4.1, tried with
jars of these versions. An option that a mode does not know, one without its value and ``--name=value`` in one word
make it print an error, write nothing and exit 0: the build fails later, where the layers are copied. So does a layer that
the jar has not, without a word. What is wrong with the archive, or with the directory, ends with 1.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from imgopt.java.command import WITH_VALUE
from imgopt.java.model import Jar
from imgopt.java.spring_boot import DEFAULT_LAYERS, LOADER_PACKAGE, LOADER_PATH, version_tuple
from imgopt.light.records import dataclass

_OPTIONS = {
    "layertools": {"--destination"},
    "tools": {
        "--application-filename",
        "--destination",
        "--force",
        "--launcher",
        "--layers",
        "--libraries",
    },
}
_FLAGS = frozenset({"--force", "--launcher"})
#: Commands that only print something.
_PRINTING = {"layertools": {"list", "help"}, "tools": {"list-layers", "help"}}


@dataclass(frozen=True)
class Extract:
    """What an ``extract`` is asked for.

    ``layers`` is None where it makes no directories of layers, empty for all of them. ``launcher``: the entries as they
    stand in the archive, with Spring Boot's launcher; otherwise the libraries and a jar with the application's classes.
    ``fault`` says why it writes nothing, whatever the jar is; ``ends_with_0`` whether the build goes on then. ``ignored``
    are arguments that the mode takes and does nothing with.
    """

    mode: str
    layers: tuple[str, ...] | None
    launcher: bool
    destination: str | None = None
    libraries: str = "lib"
    application: str | None = None
    force: bool = False
    fault: str | None = None
    ends_with_0: bool = True
    ignored: tuple[str, ...] = ()

    def directory(self, jar: str) -> str:
        """Where it writes to, as seen from the directory it runs in."""
        if self.destination is not None:
            return self.destination
        name = posixpath.basename(jar)
        stem = name[:-4] if name.lower().endswith((".jar", ".war")) else name
        return "." if self.mode == "layertools" else stem

    def takes(self, layer: str) -> bool:
        return not self.layers or layer in self.layers


def archive_at(words: Sequence[str | None]) -> int | None:
    """Where the archive of a ``java -jar`` stands among its words: options may stand behind ``-jar``, too, but a class path
    there makes the archive a class. None without one."""
    at = words.index("-jar") + 1 if "-jar" in words else len(words)
    while at < len(words) and (words[at] or "").startswith("-"):
        if words[at] in WITH_VALUE:
            return None
        at += 1
    return at if at < len(words) else None


def mode_of(options: Sequence[str]) -> str | None:
    """The mode that the options of a ``java`` ask for: the last one counts."""
    modes = [word.partition("=")[2] for word in options if word.startswith("-Djarmode=")]
    return modes[-1] if modes else None


def only_prints(mode: str, arguments: Sequence[str]) -> bool:
    """Whether the arguments behind the jar ask for nothing that writes a file."""
    return not arguments or arguments[0] in _PRINTING.get(mode.lower(), ())


def read_extract(mode: str, arguments: Sequence[str]) -> Extract | None:
    """The arguments behind the jar, or None where they ask for something else than ``extract``. Modes are known in any
    case."""
    mode = mode.lower()
    if mode not in _OPTIONS or only_prints(mode, arguments):
        return None
    if arguments[0] != "extract":
        why = f"jarmode {mode} takes {arguments[0]} for a command, and has none of that name"
        goes_on = not any(word.startswith("--") for word in arguments[1:])  # its help knows none
        return Extract(mode, None, launcher=mode == "layertools", fault=why, ends_with_0=goes_on)
    values: dict[str, str | None] = {}
    plain: list[str] = []
    fault: str | None = None
    rest = list(arguments[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            plain.append(word)
        elif word not in _OPTIONS[mode]:
            fault = f"jarmode {mode} knows no option {word}"
            if word.partition("=")[0] in _OPTIONS[mode]:
                fault += ": its value is a separate word"
            break
        elif word in _FLAGS:
            values[word] = None
        elif word == "--layers":
            values[word] = rest.pop(0) if rest and not rest[0].startswith("--") else None
        elif not rest:
            fault = f"{word} has no value"
        else:
            values[word] = rest.pop(0)
    named = values.get("--layers")
    if mode == "layertools":
        layers: tuple[str, ...] | None = tuple(plain)
    elif "--layers" in values:
        layers = tuple(named.split(",")) if named else ()
    else:
        layers = None
    return Extract(
        mode=mode,
        layers=layers,
        launcher=mode == "layertools" or "--launcher" in values,
        destination=values.get("--destination"),
        libraries=(values.get("--libraries") or "lib").rstrip("/"),
        application=values.get("--application-filename"),
        force=mode == "layertools" or "--force" in values,
        fault=fault,
        ignored=tuple(plain) if mode == "tools" else (),
    )


def modes_for(version: str) -> tuple[str, ...]:
    """The jarmodes that can extract, by Spring Boot version, best first: layertools from 2.3 to 4.0, tools from 3.3."""
    parts = (version_tuple(version) or (0, 0, 0))[:2]
    return tuple(
        mode
        for mode, there in (("tools", parts >= (3, 3)), ("layertools", (2, 3) <= parts < (4, 1)))
        if there
    )


def refusal(jar: Jar, asked: Extract) -> str | None:
    """Why the jar's own mode does not unpack it as it is asked to; None where it does."""
    from imgopt.java.spring_boot import extraction

    if asked.layers is not None:
        blocked = extraction(jar).blocked
        if blocked is not None:
            return blocked
    elif jar.launch_script:
        return "a launch script precedes the jar"
    if asked.launcher:
        return None
    if jar.classpath_index is None or jar.start_class is None:
        return "without --launcher it takes a classpath.idx and a Start-Class, which the jar lacks"
    place = f"{jar.manifest.get('Spring-Boot-Lib', '').rstrip('/')}/"
    apart = next((path for path in jar.classpath_index if not path.startswith(place)), None)
    if apart is not None:
        return f"without --launcher all libraries have to lie in {place}, and {apart} does not"
    return None


def modes_of(jar: Jar) -> tuple[str, ...]:
    if jar.jarmode is None:
        return ()
    return modes_for(jar.spring_boot) if jar.spring_boot else (jar.jarmode,)


def supposed_jar(version: str | None, *, war: bool = False) -> Jar:
    """An archive as Spring Boot's plugins make it by default, for files whose jar is not at hand: one library, one
    class, the launchers of the version (of all versions where it is not known), the four layers. Its bytes mean
    nothing."""
    from imgopt.java.archive import Entry

    top = "WEB-INF" if war else "BOOT-INF"
    moved = version_tuple(version)
    packages = ["", "launch/"] if moved is None else ["launch/"] if moved >= (3, 2, 0) else [""]
    launchers = [
        f"{LOADER_PATH}{package}{kind}Launcher.class"
        for package in packages
        for kind in ("Jar", "War", "Properties")
    ]
    library, classes = f"{top}/lib/library-1.0.jar", f"{top}/classes/"
    application = ("META-INF/MANIFEST.MF", f"{classes}application.properties")
    index = (
        (library,),
        ("org/",),
        (),
        (classes, f"{top}/classpath.idx", f"{top}/layers.idx", "META-INF/"),
    )
    package = packages[-1].replace("/", ".")
    launcher = f"{LOADER_PACKAGE}{package}{'War' if war else 'Jar'}Launcher"
    modes = modes_for(version) if version is not None else ("tools",)
    return Jar(
        path="",
        bytes=0,
        kind="spring-boot-war" if war else "spring-boot",
        manifest={},
        main_class=launcher,
        start_class=None,
        launcher=launcher,
        spring_boot=version,
        launch_script=False,
        classes_prefix=classes,
        lib_prefixes=(f"{top}/lib/",),
        layers_index=tuple(zip(DEFAULT_LAYERS, index, strict=True)),
        classpath_index=(library,),
        jarmode="tools" if "tools" in modes else "layertools" if modes else None,
        java_major=None,
        launcher_java=None,
        java_hint=None,
        multi_release=False,
        entries=tuple(
            Entry(name, 0, 0, True, 0, 0, False, ()) for name in (library, *launchers, *application)
        ),
        libraries=(),
        duplicates=(),
        natives=(),
        natives_complete=False,
        references=frozenset(),
        class_path=(),
    )
