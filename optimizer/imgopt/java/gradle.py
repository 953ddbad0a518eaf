"""Gradle's files, read as text: no build script is run, so only what stands there plainly is known.

Groovy and Kotlin scripts are looked at the same way: comments are taken out, blocks are found by their braces, and
a statement counts where its value is a literal or a variable whose only value is one. What a root project sets for
its modules (``allprojects``, ``subprojects``, ``project(":x")``) holds for them; ``buildSrc`` and convention plugins
tell nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from posixpath import normpath
from typing import Any, Literal

from imgopt.errors import ContextError
from imgopt.files.documents import parsed_toml
from imgopt.java.build_facts import (
    BUILD_FILES,
    LINE_LIMIT,
    BuildFacts,
    as_bool,
    first_long_line,
    java_level,
    layered_by_default,
    plain_version,
    read_bounded,
)
from imgopt.java.gradle_projects import STRING as _STRING
from imgopt.java.gradle_projects import projects_in
from imgopt.java.gradle_projects import text_of as _string
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

_SETTINGS = ("settings.gradle", "settings.gradle.kts")
_BOOT = "org.springframework.boot"
_FOLDERS_LIMIT = 32  # between a module and its root project
_FILE_LIMIT = 256 * 1024  # bytes; scripts are looked through many times, a root project's for each module
_BLOCKS_DEPTH = 12
_PASSES = 8
_VALUE_LIMIT = 4096  # characters
_BRACES_LIMIT = 1_000  # blocks are looked for one by one; large scripts have some hundred

# configurations whose dependencies are packed into the archive
_PACKED = "implementation|api|runtimeOnly|compile|runtime|providedRuntime|providedCompile|kapt(?!\\w)|developmentOnly(?!\\w)"
_NOT_PACKED = ("kapt", "developmentOnly")
_PLUS = regex(r"""\+(?=(?:[^"']*(?:"[^"]*"|'[^']*'))*[^"']*$)""")  # outside of strings
# everything up to the end of a statement
_REST = r"""(?P<value>(?:"[^"\n]*"|'[^'\n]*'|[^\n;}"'])+)"""
_KOTLIN_REFERENCE = regex(r"\$\{([^{}]*)\}|\$([A-Za-z_]\w*)")
_GROOVY_REFERENCE = regex(r"\$\{([^{}]*)\}|\$([A-Za-z_]\w*(?:\.\w+)*)")
_CORE_PLUGINS = regex(
    r"java(?:-library|-platform|-test-fixtures)?|application|war|ear|groovy|scala|kotlin|base|idea|eclipse(?:-wtp)?"
    r"|jacoco|checkstyle|pmd|signing|maven(?:-publish)?|antlr|distribution|project-report|build-dashboard"
)


def read_gradle(path: Path, root: Path) -> BuildFacts | None:
    """See `imgopt.java.build_files.read_build_files`."""
    script = read_script(path, root, strict=True)
    if script is None:
        return None
    return _Module(path, root, script).facts()


def read_projects(settings: Path, root: Path) -> dict[str, str]:
    """What `projects_in` finds in a settings file; ContextError where it cannot be read."""
    return projects_in(read_script(settings, root, strict=True) or "")


def read_needs(path: Path, root: Path) -> tuple[str, ...]:
    """Paths of the projects that a module's archive is made of; () where its script cannot be read."""
    script = read_script(path, root)
    return tuple(dict.fromkeys(_Module(path, root, script).project_dependencies())) if script else ()


def read_script(path: Path, root: Path, strict: bool = False) -> str | None:
    try:
        data = read_bounded(path, root, _FILE_LIMIT)
    except ContextError:
        if strict:
            raise
        return None
    if data is None:
        return None
    if data.count(b"{") > _BRACES_LIMIT:
        if strict:
            raise ContextError(
                f"has more than {_BRACES_LIMIT:,} braces, as no build script has",
                "build the jar and name it with --jar",
                path=str(path),
            )
        return None
    if strict and b"\0" in data:
        raise ContextError(
            "is not text", "fix the file, or build the jar and name it with --jar", path=str(path)
        )
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    long = first_long_line(text)
    if long is not None:
        if strict:
            raise ContextError(
                f"the line is longer than {LINE_LIMIT:,} characters", "break it up", path=str(path), line=long
            )
        return None
    # one blank for a run of them: the patterns below look ahead over blanks more than once
    return re.sub(r"\s+", _one_blank, without_comments(text))


def _one_blank(blanks: re.Match[str]) -> str:
    return "\n" if "\n" in blanks[0] else " "


# --- text -------------------------------------------------------------------------------------------------------------

_START = regex(r"""//[^\n]*|/\*|'''|\"\"\"|['"{};\n]""")
_BODY = {sign: regex(rf"{sign}(?:\\.|[^{sign}\\\n])*", re.DOTALL) for sign in "'\""}
_ENDS = {"/*": "*/", "'''": "'''", '"""': '"""'}


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Comments (``//``), strings (``"``), braces and what ends statements, from where to where, in one pass.

    A quote that is not closed in its line is an ordinary character; so is every further one in that line, which is not
    looked at again for each of them.
    """
    at = 0
    unclosed = dict.fromkeys(_BODY, 0)
    while (match := _START.search(text, at)) is not None:
        sign, start = match[0], match.start()
        at = match.end()
        if sign in _ENDS:
            end = text.find(_ENDS[sign], at)
            at = len(text) if end < 0 else end + len(_ENDS[sign])
            yield ("//" if sign == "/*" else '"'), start, at
        elif sign in _BODY:
            if start < unclosed[sign]:
                continue
            body = _BODY[sign].match(text, start)
            assert body is not None
            if text.startswith(sign, body.end()):
                at = body.end() + 1
                yield '"', start, at
            else:
                unclosed[sign] = body.end()
        else:
            yield sign[:2], start, at


@lru_cache(maxsize=8)  # each module of a build has the settings of all
def without_comments(text: str) -> str:
    """The script with every comment turned into a space, strings left alone."""
    parts: list[str] = []
    at = 0
    for kind, start, end in _tokens(text):
        if kind == "//":
            parts += (text[at:start], " ")
            at = end
    return "".join([*parts, text[at:]])


@dataclass(frozen=True, slots=True)
class Block:
    """``header { body }`` at the top of a script or of another block; offsets into the text it was found in."""

    header: str
    body: str
    start: int
    end: int


_BLANKS = regex(r"\s*")


@lru_cache(maxsize=32)  # the same texts are asked for one fact after the other
def blocks(text: str) -> tuple[Block, ...]:
    """The outermost blocks of a text, in order; one that is not closed is left out."""
    found = []
    depth = 0
    statement = header_start = body_start = 0
    for token, start, end in _tokens(text):
        if token == "{":
            if depth == 0:
                header_start, body_start = statement, end
            depth += 1
        elif token == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and body_start:
                header = text[header_start : body_start - 1].strip()
                found.append(Block(header, text[body_start:start], header_start, end))
                body_start = 0
            if depth == 0:
                statement = end
        elif token in (";", "\n") and depth == 0:
            statement = _after_blanks(text, statement)
            # a brace may stand on the line after its header
            if statement < start and (token == ";" or not text.startswith("{", _after_blanks(text, end))):
                statement = end
    return tuple(found)


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def inside(text: str, header: str) -> list[str]:
    """Bodies of all blocks, one in another too, whose header matches the regular expression from its start."""
    wanted = re.compile(header)
    found = []
    todo = [text]
    for _ in range(_BLOCKS_DEPTH):
        outer = [block for body in todo for block in blocks(body)]
        found += [block.body for block in outer if wanted.match(block.header)]
        todo = [block.body for block in outer]
    return found


# --- a module ----------------------------------------------------------------------------------------------------------


@dataclass
class _Module:
    path: Path
    root: Path
    script: str
    _asked_version: bool = field(default=False, init=False)

    @cached_property
    def home(self) -> Path:
        """The folder of the root project: the nearest one above with a settings file, or the module itself."""
        folder = self.path.parent
        for candidate in self._upwards():
            if any((candidate / name).is_file() for name in _SETTINGS):
                return candidate
        return folder

    def _upwards(self) -> list[Path]:
        top = self.root.resolve()
        found = []
        folder = self.path.parent
        for _ in range(_FOLDERS_LIMIT):
            real = folder.resolve()
            if not real.is_relative_to(top):
                break
            found.append(folder)
            if real == top:
                break
            folder = (
                Path(f"{folder}/..") if str(folder) in (".", "") or folder.name == ".." else folder.parent
            )
        return found

    @cached_property
    def is_root(self) -> bool:
        return self.home.resolve() == self.path.parent.resolve()

    @cached_property
    def settings(self) -> str:
        for name in _SETTINGS:
            text = read_script(self.home / name, self.root)
            if text is not None:
                return text
        return ""

    @cached_property
    def root_script(self) -> str:
        if self.is_root:
            return self.script
        for name in BUILD_FILES:
            text = read_script(self.home / name, self.root)
            if text is not None:
                return text
        return ""

    @cached_property
    def project_path(self) -> str:
        """``:services:orders`` for the folder services/orders."""
        if self.is_root:
            return ":"
        relative = self.path.parent.resolve().relative_to(self.home.resolve())
        return ":" + ":".join(relative.parts)

    @cached_property
    def scopes(self) -> list[str]:
        """What holds for this module, nearest first: its own script, then what the root project says of it."""
        own = without_blocks(
            self.script, r"(?:subprojects|configure\b|project\s*\(|buildscript|pluginManagement)"
        )
        found = [own]
        if self.is_root:
            return found + [
                block.body for block in blocks(self.script) if re.match(r"allprojects\b", block.header)
            ]
        for block in blocks(self.root_script):
            named = re.match(rf"project\s*\(\s*{_STRING}", block.header)
            if named is not None and _string(named) == self.project_path:
                found.append(block.body)
        for block in blocks(self.root_script):
            if re.match(
                r"(?:subprojects|allprojects)\b|configure\s*\(\s*(?:subprojects|allprojects)", block.header
            ):
                found.append(block.body)
        return found

    # values

    @cached_property
    def variables(self) -> dict[str, str]:
        """Names to literal values: gradle.properties, ``ext``, ``extra`` and plain declarations, nearest last."""
        found: dict[str, str] = {}
        for text in (self.root_script, self.settings, "" if self.is_root else self.script):
            found.update(_declared(text))
        # properties of the root project's file; a module's own go before them
        for folder in dict.fromkeys((self.home, self.path.parent)):
            found.update(_properties(_read_raw(folder / "gradle.properties", self.root)))
        return found

    def value(self, expression: str) -> str | None:
        """A string literal with its variables, a variable's name, or such parts joined by ``+``; None otherwise."""
        if len(expression) > _VALUE_LIMIT:
            return None
        parts = _PLUS.split(expression.strip().rstrip(",;"))
        values = [self._plain_value(part.strip()) for part in parts]
        return None if None in values else "".join(value for value in values if value is not None)

    def _plain_value(self, expression: str) -> str | None:
        if re.fullmatch(r"\d+(?:\.\d+)*", expression):
            return expression
        match = re.fullmatch(_STRING, expression)
        if match is not None:
            text = _string(match)
            return self._filled(text) if match[1] is not None else text
        known = self._known(expression)
        return None if known is None else self._filled(known)

    def _filled(self, text: str) -> str | None:
        # "$a.b" is the property b of a in Groovy, the value of a and ".b" in Kotlin
        reference = _KOTLIN_REFERENCE if self.path.suffix == ".kts" else _GROOVY_REFERENCE
        for _ in range(_PASSES):
            missing = False

            def replace(match: re.Match[str]) -> str:
                nonlocal missing
                value = self._known(match[1] or match[2] or "")
                missing = missing or value is None
                return value or ""

            filled = reference.sub(replace, text)
            if missing or len(filled) > _VALUE_LIMIT:
                return None
            if filled == text:
                return text
            text = filled
        return None

    def _known(self, expression: str) -> str | None:
        """The raw value of a variable, or of the project's name and version."""
        expression = expression.strip()
        if expression in ("project.name", "rootProject.name"):
            return self._project_name() if self.is_root or expression == "project.name" else self._root_name()
        name = _variable_name(expression)
        if name == "version" and not self._asked_version:
            self._asked_version = True  # a version that refers to itself has no value
            try:
                found = self._project_version()
            finally:
                self._asked_version = False
            return found[0] if found else None
        return self.variables.get(name) if name is not None else None

    @cached_property
    def catalogue(self) -> dict[str, Any]:
        """gradle/libs.versions.toml, {} when there is none or it cannot be read."""
        text = _read_raw(self.home / "gradle" / "libs.versions.toml", self.root)
        if text is None:
            return {}
        try:
            return parsed_toml(text)
        except ValueError:
            return {}

    def _catalogue_version(self, entry: Any) -> str | None:
        if isinstance(entry, str):
            return entry
        if isinstance(entry, Mapping):
            if "ref" in entry:
                versions = self.catalogue.get("versions")
                return (
                    self._catalogue_version(versions.get(entry["ref"]))
                    if isinstance(versions, Mapping)
                    else None
                )
            for kind in ("strictly", "require", "prefer"):
                if isinstance(entry.get(kind), str):
                    return str(entry[kind])
        return None

    def _catalogue_entry(self, table: str, accessor: str) -> Any:
        """``libs.plugins.spring.boot`` finds ``spring-boot``, ``spring.boot`` and ``spring_boot``."""
        entries = self.catalogue.get(table)
        if not isinstance(entries, Mapping):
            return None
        wanted = re.sub(r"[-_.]", ".", accessor)
        return next((entry for name, entry in entries.items() if re.sub(r"[-_.]", ".", name) == wanted), None)

    # the plugin

    def _plugin(self, text: str) -> tuple[bool, str | None]:
        """(applied, version) of Spring Boot's plugin as a script's statements say."""
        applied, version = False, None
        for match in re.finditer(
            rf"\bid\s*\(?\s*{_STRING}\s*\)?(?:\s*version\s*\(?\s*(?P<version>\"[^\"\n]*\"|'[^'\n]*'|[\w.]+)\)?)?(?P<off>\s*\.?apply\s*\(?\s*false)?",
            text,
        ):
            if _string(match) == _BOOT:
                applied = applied or not match["off"]
                version = version or (self.value(match["version"]) if match["version"] else None)
        for match in re.finditer(
            r"\balias\s*\(?\s*libs\.plugins\.([\w.]+?)\s*\)?(?P<off>\s*\.?apply\s*\(?\s*false)?(?=\s|$|;|\})",
            text,
        ):
            entry = self._catalogue_entry("plugins", match[1])
            identity, _, short = entry.partition(":") if isinstance(entry, str) else ("", "", "")
            if isinstance(entry, Mapping):
                identity = str(entry.get("id"))
                short = self._catalogue_version(entry.get("version")) or ""
            if identity == _BOOT:
                applied = applied or not match["off"]
                version = version or short or None
        if re.search(rf"\bapply\s*\(?\s*(?:plugin\s*[:=]\s*)?[\"']{re.escape(_BOOT)}[\"']", text):
            applied = True
        return applied, plain_version(version)

    @cached_property
    def plugin(self) -> tuple[bool, str | None]:
        applied, version = False, None
        for text in self.scopes:
            scope_applied, scope_version = self._plugin(text)
            applied, version = applied or scope_applied, version or scope_version
        places = [self.root_script, self.settings] if not self.is_root else [self.script, self.settings]
        version = version or next((found for text in places if (found := self._plugin(text)[1])), None)
        coordinates = rf"{re.escape(_BOOT)}:spring-boot-(?:gradle-plugin|dependencies):([^\"'@]+)"
        for text in (self.script, self.root_script, self.settings):
            for match in re.finditer(rf"([\"']){coordinates}\1", text):
                raw = match[2]
                version = version or plain_version(self._filled(raw) if match[1] == '"' else raw)
        if version is None:
            version = self._catalogue_boot()
        return applied, version

    def _catalogue_boot(self) -> str | None:
        """The version of a BOM or plugin artifact in the catalogue, as convention plugins use it."""
        libraries = self.catalogue.get("libraries")
        for entry in libraries.values() if isinstance(libraries, Mapping) else ():
            group, artifact, version = self._library(entry)
            if group == _BOOT and artifact in ("spring-boot-dependencies", "spring-boot-gradle-plugin"):
                return plain_version(version)
        return None

    def _library(self, entry: Any) -> tuple[str | None, str | None, str | None]:
        if isinstance(entry, str):
            group, artifact, version, *_ = [*entry.split(":"), "", ""]
            return group, artifact, version or None
        if not isinstance(entry, Mapping):
            return None, None, None
        known = self._catalogue_version(entry.get("version"))
        if isinstance(entry.get("module"), str):
            group, _, artifact = entry["module"].partition(":")
            return group, artifact, known
        named = entry.get("group"), entry.get("name")
        return (*named, known) if all(isinstance(name, str) for name in named) else (None, None, None)

    # statements

    def _assigned(self, texts: Iterable[str], names: str) -> tuple[bool, str | None]:
        """(set, value) of the first of `texts` that sets a property: ``x = v``, ``x.set(v)``, ``x v``.

        Within one text the last statement counts.
        """
        pattern = re.compile(
            rf"(?<![\w.$])(?:project\.|this\.|archive\.)?(?:{names})(?:\s*=(?!=)\s*|\s*\.\s*set\s*\(\s*|[ \t]+(?=[\"'\d]))"
            + _REST
        )
        for text in texts:
            match = next(reversed(list(pattern.finditer(shallow(text)))), None)
            if match is not None:
                value = match["value"].strip()
                if match[0][: match.start("value") - match.start()].rstrip().endswith("("):
                    value = value.rstrip(")") if value.count(")") > value.count("(") else value
                return True, self.value(value)
        return False, None

    def _flag(self, texts: Iterable[str], names: str) -> bool | None:
        """The first of `texts` that sets a switch to a literal."""
        for text in texts:
            found = re.findall(
                rf"(?<![\w.])(?:{names})(?:\s*=\s*|\s*\.\s*set\s*\(\s*)(true|false)\b", shallow(text)
            )
            if found:
                return as_bool(found[-1])
        return None

    def _task(self, task: str, kind: str) -> list[str]:
        header = (
            rf"(?:tasks\s*\.\s*)?(?:{task}\b(?!\s*\()|(?:named|getByName|withType|register)\s*(?:<[^>]*{kind}>)?\s*"
            rf"\(?\s*(?:[\"']{task}[\"']|(?:[\w.]*\.)?{kind}(?:::class(?:\.java)?|\.class)?|(?=\)|$)))"
        )
        found = []
        for text in self.scopes:
            found += inside(text, header)
            # bootJar.archiveFileName = "app.jar"
            dotted = re.findall(rf"(?<![\w.])(?:tasks\.)?{task}\.(\w+\b(?!\s*\{{)[^\n;}}]*)", text)
            found += ["\n".join(dotted)] if dotted else []
        return found

    # facts

    def facts(self) -> BuildFacts:
        applied, version = self.plugin
        is_war = any(
            re.search(
                r"\bid\s*\(?\s*[\"']war[\"']|\bplugin\s*[:=]\s*[\"']war[\"']|^\s*(?:`war`|war)\s*$",
                text,
                re.MULTILINE,
            )
            for text in self.scopes
        )
        archive = self._task("bootWar" if is_war else "bootJar", "BootWar" if is_war else "BootJar")
        modules = self._modules()
        packaging: Literal["jar", "war", "pom"] = "war" if is_war else "jar"
        if modules and not applied and not (self.path.parent / "src").is_dir():
            packaging = "pom"
        repackaged = self._repackaged(applied, archive, packaging)
        joined = "\n".join(archive)
        main_class = self._assigned(
            [
                *archive,
                *(body for text in self.scopes for body in inside(text, "springBoot\\b")),
                *self.scopes,
            ],
            "mainClass|mainClassName",
        )[1]
        return BuildFacts(
            path=str(self.path),
            tool="gradle",
            spring_boot=version,
            java_major=self._java(),
            artifact=self._artifact(archive if repackaged else [], bool(repackaged), packaging),
            packaging=packaging,
            layered=self._layered(archive, version, packaging) if repackaged else None,
            executable=bool(re.search(r"\blaunchScript\b", joined)) if repackaged else None,
            libraries=self._libraries(),
            loader="classic" if re.search(r"LoaderImplementation\s*\.\s*CLASSIC", joined) else None,
            modules=modules,
            layout="ZIP" if "PropertiesLauncher" in joined else None,
            main_class=main_class,
            repackaged=repackaged,
            plain=self._plain(version, packaging) if repackaged else None,
            name=self._written_name(),
        )

    def _repackaged(self, applied: bool, archive: list[str], packaging: str) -> bool | None:
        if packaging == "pom" or self._flag(archive, "enabled|isEnabled") is False:
            return False
        if applied or archive:  # a script that speaks of bootJar has the plugin from somewhere
            return True
        return None if self._has_convention_plugin() else False

    def _plain(self, version: str | None, packaging: str) -> bool | None:
        """From Spring Boot 2.5 on the archive without libraries is made, too, and has a name of its own."""
        numbers = re.match(r"(\d+)\.(\d+)", version or "")
        if numbers is None:
            return None
        task = self._task("war", "War") if packaging == "war" else self._task("jar", "Jar")
        if self._flag(task, "enabled|isEnabled") is False:
            return False
        if self._part(task, "archiveClassifier|classifier|archiveFileName|archiveName") != ():
            return None
        return (int(numbers[1]), int(numbers[2])) >= (2, 5)

    def _has_convention_plugin(self) -> bool:
        """Whether a plugin is applied that the repository itself defines, or that nothing here tells of."""
        others = f"{self.root_script if not self.is_root else ''}\n{self.settings}"
        for text in self.scopes:
            for body in inside(text, r"plugins\b"):
                for match in re.finditer(rf"\bid\s*\(?\s*{_STRING}\s*\)?(?P<version>\s*version\b)?", body):
                    name = _string(match)
                    if not match["version"] and not _CORE_PLUGINS.fullmatch(name) and name not in others:
                        return True
                for accessor in re.findall(r"\balias\s*\(?\s*libs\.plugins\.([\w.]+)", body):
                    if self._catalogue_entry("plugins", accessor) is None:
                        return True
        return False

    def _modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(projects_in(self.settings).values())) if self.is_root else ()

    def project_dependencies(self) -> Iterator[str]:
        """Paths of the projects that its archive is made of, as ``:services:orders``; those of type-safe accessors with a
        dash where Gradle has camel case."""
        for text in self.scopes:
            for body in inside(without_blocks(text, r"buildscript\b"), r"dependencies\b"):
                for match in re.finditer(r"(?:^|[\n;{])\s*(?P<kind>\w+)\b\s*\(?\s*(?P<rest>[^\n;]+)", body):
                    if match["kind"].startswith("test"):
                        continue
                    named = re.search(rf"\bproject\s*\(\s*(?:path\s*[:=]\s*)?{_STRING}", match["rest"])
                    if named is not None:
                        yield _string(named)
                    accessor = re.search(r"\bprojects\.([\w.]+)", match["rest"])
                    if accessor is not None:
                        dashed = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", accessor[1]).lower()
                        yield ":" + dashed.replace(".", ":")

    def _java(self) -> int | None:
        texts = self.scopes
        compile_blocks = [
            body
            for text in texts
            for body in inside(text, r".*(?:compileJava|JavaCompile|compileKotlin|KotlinCompile|kotlin\b)")
        ]
        setter = r"(?:\s*=\s*|\s*\.\s*set\s*\(\s*)(?P<value>[^\n;})]+)"
        either = r"\s*(?:=|\s)\s*(?P<value>[^\n;}]+)"
        # the class files' level is what counts, so what sets it goes before the toolchain that compiles
        for places, pattern in (
            (compile_blocks, rf"\brelease{setter}"),
            (texts, rf"\boptions\s*\.\s*release{setter}"),
            (compile_blocks, rf"\bjvmTarget{setter}"),
            (texts, rf"\btargetCompatibility{either}"),
            (texts, rf"\bsourceCompatibility{either}"),
            (
                texts,
                r"\blanguageVersion\s*(?:=|\.\s*set\s*\()\s*(?P<value>[^\n;}]*JavaLanguageVersion[^\n;}]+)",
            ),
            (texts, r"\bjvmToolchain\s*\(\s*(?P<value>[^\n;})]+)"),
        ):
            level = self._level(pattern, places)
            if level is not None:
                return level
        return None

    def _level(self, pattern: str, texts: Iterable[str]) -> int | None:
        for text in texts:
            for match in re.finditer(pattern, text):
                raw = match["value"].strip()
                named = re.search(r"(?:VERSION_|JVM_)(\d+(?:_\d+)?)\b", raw)
                if named is not None:
                    return java_level(named[1].replace("_", "."))
                raw = re.sub(r"\.(?:toInt|get|toString|toInteger)\(\)|\s+as\s+\w+", "", raw)
                called = re.search(r"(?:\bof|toVersion|forClassVersion)\s*\(\s*([^()\n]+?)\s*\)", raw)
                raw = (called[1] if called is not None else raw).strip().rstrip(")")
                accessor = re.fullmatch(r"libs\.versions\.([\w.]+)", raw)
                if accessor is not None:
                    return java_level(self._catalogue_version(self._catalogue_entry("versions", accessor[1])))
                level = java_level(self.value(raw))
                if level is not None:
                    return level
        return None

    def _layered(self, archive: list[str], version: str | None, packaging: str) -> bool | None:
        layered = [body for text in archive for body in inside(text, r"layered\b")]
        explicit = self._flag(layered, "enabled|isEnabled")
        if explicit is None and (layered or any(re.search(r"\blayered\s*\(\s*\)", text) for text in archive)):
            explicit = True
        by_default = layered_by_default(version, packaging)
        if explicit is None or version is None:
            return by_default if explicit is None else explicit
        return explicit and (bool(by_default) or (packaging == "jar" and version.startswith("2.3.")))

    def _artifact(self, archive: list[str], repackaged: bool, packaging: str) -> str | None:
        if packaging == "pom" or any(
            re.search(
                r"\b(?:buildDir\s*=|layout\.buildDirectory\s*[.=]|destinationDirectory\b|destinationDir\b)",
                text,
            )
            for text in [*self.scopes, self.root_script]
        ):
            return None
        if not repackaged:
            archive = self._task(
                "war" if packaging == "war" else "jar", "War" if packaging == "war" else "Jar"
            )
        folder = "build/libs/"
        is_set, name = self._assigned(archive, "archiveFileName|archiveName")
        if is_set:
            return normpath(folder + name) if name and "/" not in name else None
        base = self._part(archive, "archiveBaseName|baseName")
        if base == ():
            names = [*(body for text in self.scopes for body in inside(text, r"base\b")), *self.scopes]
            base = self._part(names, "archivesBaseName|archivesName")
        if base == ():
            base = (self._project_name(),)
        revision = self._part(archive, "archiveVersion|version")
        if revision == ():
            revision = self._project_version()
        parts = [
            base,
            self._part(archive, "archiveAppendix|appendix"),
            revision,
            self._part(archive, "archiveClassifier|classifier"),
        ]
        if base == (None,) or any(part == (None,) for part in parts):
            return None
        stem = "-".join(part[0] for part in parts if part and part[0])
        return f"{folder}{stem}.{packaging}" if stem else None

    def _part(self, texts: Iterable[str], names: str) -> tuple[()] | tuple[str | None]:
        """() when nothing sets it, (None,) when something does that cannot be read."""
        is_set, value = self._assigned(texts, names)
        return (value,) if is_set else ()

    def _project_name(self) -> str | None:
        if not self.is_root:
            return self.project_path.rpartition(":")[2]
        return self._root_name()

    def _written_name(self) -> str | None:
        """The project's name as far as the files say it; a checkout's directory has any name."""
        if not self.is_root:
            return self._project_name()
        return self._assigned([self.settings], r"rootProject\.name")[1]

    def _root_name(self) -> str | None:
        is_set, name = self._assigned([self.settings], r"rootProject\.name")
        return name if is_set else self.home.resolve().name or None

    def _project_version(self) -> tuple[()] | tuple[str | None]:
        for text in self.scopes:
            found = self._part(
                [without_blocks(text, r"plugins\b|dependencies\b|dependencyManagement\b")], "version"
            )
            if found != ():
                return found
        if "version" in self.variables:
            return (self._filled(self.variables["version"]),)
        return ()

    def _libraries(self) -> tuple[str, ...]:
        found: dict[str, str] = {}

        def add(group: str | None, artifact: str | None, version: str | None) -> None:
            if group and artifact and "$" not in group + artifact:
                name = f"{group}:{artifact}"
                found.setdefault(name, f"{name}:{version}" if version and "$" not in version else name)

        for text in self.scopes:
            for body in inside(without_blocks(text, r"buildscript\b"), r"dependencies\b"):
                for match in re.finditer(
                    rf"(?:^|[\n;{{])\s*(?P<kind>{_PACKED})\b\s*\(?\s*(?P<rest>[^\n;]+)", body
                ):
                    if match["kind"] in _NOT_PACKED:
                        continue
                    rest = match["rest"]
                    plain = re.match(_STRING, rest)
                    if plain is not None and _string(plain).count(":") in (1, 2, 3):
                        coordinates = self._filled(_string(plain)) or _string(plain)
                        group, artifact, *more = coordinates.partition("@")[0].split(":")
                        add(group, artifact, more[0] if more else None)
                        continue
                    named = dict(
                        re.findall(r"(group|name|version)\s*[:=]\s*([\"'][^\"']*[\"']|[\w.]+)", rest)
                    )
                    if {"group", "name"} <= named.keys():
                        add(
                            self.value(named["group"]),
                            self.value(named["name"]),
                            self.value(named.get("version", "")),
                        )
                        continue
                    accessor = re.match(r"libs\.(bundles\.)?([\w.]+)", rest)
                    if accessor is not None:
                        entry = self._catalogue_entry("bundles" if accessor[1] else "libraries", accessor[2])
                        for name in entry if accessor[1] and isinstance(entry, list) else (None,):
                            add(
                                *self._library(
                                    entry if name is None else self._catalogue_entry("libraries", str(name))
                                )
                            )
        return tuple(found.values())


def shallow(text: str) -> str:
    """A text without its blocks: the statements at its own level."""
    parts, at = [], 0
    for block in blocks(text):
        parts.append(text[at : block.start])
        at = block.end
    return "\n".join([*parts, text[at:]])


def without_blocks(text: str, header: str) -> str:
    """A text without the outermost blocks whose header matches."""
    parts, at = [], 0
    for block in blocks(text):
        if re.match(header, block.header):
            parts.append(text[at : block.start])
            at = block.end
    return "\n".join([*parts, text[at:]])


def _variable_name(expression: str) -> str | None:
    """The variable that ``project.ext.x``, ``ext['x']``, ``property("x")`` or plain ``x`` stands for."""
    called = re.fullmatch(
        r"(?:\w+\.)*(?:property|findProperty|ext|extra|properties|get|getProperty|gradleProperty)\s*[\[(]\s*[\"']([\w.-]+)[\"']\s*[\])](?:\.get\(\)|!!| as String|\.toString\(\))*",
        expression.strip(),
    )
    if called is not None:
        return called[1]
    name = re.fullmatch(
        r"(?:(?:rootProject|project|parent|this|ext|extra)\.)*([A-Za-z_][\w.]*)", expression.strip()
    )
    return name[1] if name else None


def _declared(text: str) -> dict[str, str]:
    """Variables that a script gives a string: the first time each."""
    found: dict[str, str] = {}
    literal = r"(?:\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)')"
    for pattern in (
        rf"(?:\b(?:def|val|var|String)\s+)(?P<name>\w+)(?:\s*:\s*String)?\s*(?:=|by\s+extra\s*\()\s*{literal}",
        rf"\b(?:ext|extra)\s*\.\s*(?P<name>[\w.]+)\s*=\s*{literal}",
        rf"\b(?:ext|extra)\s*\[\s*[\"'](?P<name>[\w.-]+)[\"']\s*\]\s*=\s*{literal}",
        rf"\b(?:ext\.|extra\.)?set\s*\(\s*[\"'](?P<name>[\w.-]+)[\"']\s*,\s*{literal}",
    ):
        for match in re.finditer(pattern, text):
            found.setdefault(match["name"], _literal(match))
    for body in inside(text, r"ext\b"):
        for match in re.finditer(rf"(?:^|[\n;,\[])\s*(?P<name>\w+)\s*[=:]\s*{literal}", body):
            found.setdefault(match["name"], _literal(match))
    return found


def _literal(match: re.Match[str]) -> str:
    # a single-quoted string is not interpolated; a dollar in one is too rare to keep apart
    return match["double"] if match["double"] is not None else match["single"]


def _properties(text: str | None) -> dict[str, str]:
    """gradle.properties; escapes are left as they stand."""
    found = {}
    for line in (text or "").splitlines():
        match = re.match(r"\s*(?![#!])([^\s=:]+)\s*[=:\s]\s*(.*?)\s*$", line)
        if match is not None:
            found[match[1]] = match[2]
    return found


def _read_raw(path: Path, root: Path) -> str | None:
    try:
        data = read_bounded(path, root, _FILE_LIMIT)
    except ContextError:
        return None
    return None if data is None else data.decode("utf-8", "replace")
