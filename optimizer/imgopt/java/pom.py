"""pom.xml: the part of Maven's effective model that says what archive a module makes.

Inheritance goes through parents that lie in the repository, by ``relativePath`` or, where that misses, by their
coordinates among the modules. Values are interpolated in the module's own context, as Maven does. Profiles count
when they are active by default, or when a command line asks for them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Literal

from imgopt.errors import ContextError
from imgopt.java.build_facts import (
    BuildFacts,
    as_bool,
    java_level,
    layered_by_default,
    plain_version,
    read_bounded,
)
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_BOOT = "org.springframework.boot"
_PARENTS_LIMIT = 16
_POMS_LIMIT = 500  # files looked at for one among the modules
_BYTES_LIMIT = 16 * 1024 * 1024  # of all poms together
_EXPANSIONS_LIMIT = 200
_VALUE_LIMIT = 4096  # characters
_FILLED_LIMIT = 100_000  # references of a model, those with long values counted more
_TAGS_LIMIT = 100_000  # of a file; large ones have some thousand
_REFERENCE = regex(r"\$\{([^${}]*)\}")
_DECLARED_ENCODING = regex(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)["'][^>]*\?>""")
# java.version of spring-boot-starter-parent, by the first number of its version
_STARTER_PARENT_JAVA = {1: 6, 2: 8, 3: 17, 4: 17}


def read_pom(path: Path, root: Path) -> BuildFacts | None:
    """See `imgopt.java.build_files.read_build_files`."""
    repository = _Repository(root, path.parent)
    project = repository.project(path, strict=True)
    if project is None:
        return None
    model = Model(repository, repository.lineage(project))
    return model.facts()


@dataclass(frozen=True)
class Asked:
    """What a command line says beside goals: ``-D`` properties, ``-P`` profiles, and those that it switches off."""

    properties: Mapping[str, str] = field(default_factory=dict)
    profiles: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def activates(self, profile: Element) -> bool | None:
        """None where the machine decides: its JDK, its system, its environment, its files."""
        name = text_at(profile, "id") or ""
        if name in self.without:
            return False
        if name in self.profiles:
            return True
        told = element_at(profile, "activation/property")
        if told is not None:
            wanted, value = text_at(told, "name") or "", text_at(told, "value")
            if wanted.startswith("env."):
                return None
            given = self.properties.get(wanted.removeprefix("!"))
            if wanted.startswith("!") or value is None:
                return (given is None) == wanted.startswith("!")
            return (given == value.removeprefix("!")) != value.startswith("!")
        others = ("jdk", "os", "file")
        return (
            None if any(element_at(profile, f"activation/{each}") is not None for each in others) else False
        )


_NOTHING_ASKED = Asked()


def model_of(path: Path, root: Path, asked: Asked = _NOTHING_ASKED) -> Model | None:
    """A project of the repository below ``root`` with its parents there; None where there is none. ContextError where it
    cannot be read."""
    repository = _Repository(root, path.parent)
    project = repository.project(path, strict=True)
    return Model(repository, repository.lineage(project), asked) if project is not None else None


def alone(path: Path, root: Path) -> Model | None:
    """A pom without its parents, wherever they are. ContextError where it cannot be read."""
    repository = _Repository(root, path.parent)
    project = repository.project(path, strict=True)
    return Model(repository, [project]) if project is not None else None


def with_parents(model: Model, parents: list[_Project]) -> Model:
    return Model(model.repository, [*model.lineage, *parents])


def sibling(model: Model, group: str, artifact: str) -> Model | None:
    """Another module of the project that a model is of."""
    found = model.repository.named(group, artifact)
    return Model(model.repository, model.repository.lineage(found)) if found is not None else None


def reactor(
    path: Path, root: Path, most: int
) -> Iterator[tuple[Path, Model | ContextError | None, str | None]]:
    """The poms of a build of several modules, ``path`` first: each with its model, or why it cannot be read (None: it is not
    there, or outside of ``root``), and the profile that brings it in, where it is not there without. Each once, ``most`` of them.
    """
    repository = _Repository(root, path.parent)
    top = root.resolve()
    todo: deque[tuple[Path, str | None]] = deque([(path, None)])
    seen: set[Path] = set()
    while todo and len(seen) < most:
        pom, profile = todo.popleft()
        try:
            key = pom.resolve()
        except (OSError, RuntimeError, ValueError):  # a circle of links, a name that no file can have
            continue
        if key in seen:
            continue
        seen.add(key)
        if not key.is_relative_to(top):
            yield pom, None, profile
            continue
        try:
            project = repository.project(pom, strict=True)
        except ContextError as error:
            yield pom, error, profile
            continue
        if project is None:
            yield pom, None, profile
            continue
        yield pom, Model(repository, repository.lineage(project)), profile
        for module, own in project.all_modules():
            below = pom.parent / module
            todo.append((below if below.name.endswith(".xml") else below / "pom.xml", own or profile))


# --- one file ------------------------------------------------------------------------------------------------------


def parse_xml(data: bytes, path: Path, kind: str = "project") -> Element:
    """The root element, which has to be ``kind``. ContextError for what is none."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    hint = "fix the file, or build the jar and name it with --jar"
    if data.count(b"<") + data.count(b"=") > _TAGS_LIMIT:
        raise ContextError(
            f"has more than {_TAGS_LIMIT:,} tags, as no file of Maven's has", hint, path=str(path)
        )
    try:
        try:
            root: Element = fromstring(data, forbid_dtd=True)
        except (ValueError, LookupError) as error:
            # expat reads no multi-byte encoding but UTF-8 and UTF-16
            declared = _DECLARED_ENCODING.match(data)
            if isinstance(error, DefusedXmlException) or declared is None:
                raise
            text = data[declared.end() :].decode(declared[1].decode("ascii"))
            root = fromstring(text, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise ContextError(
            f"not well-formed XML at column {column + 1}", hint, path=str(path), line=line
        ) from error
    except DefusedXmlException as error:
        raise ContextError("has a DOCTYPE, which Maven's files never have", hint, path=str(path)) from error
    except (ValueError, LookupError) as error:
        raise ContextError(f"not readable as XML: {error}", hint, path=str(path)) from error
    if root.tag.rpartition("}")[2] != kind:
        raise ContextError(
            f"is not a Maven project but <{root.tag.rpartition('}')[2]}>", hint, path=str(path)
        )
    return root


def element_at(element: Element | None, path: str) -> Element | None:
    if element is None:
        return None
    return element.find("/".join(f"{{*}}{name}" for name in path.split("/")))


def elements_at(element: Element | None, path: str) -> list[Element]:
    if element is None:
        return []
    return element.findall("/".join(f"{{*}}{name}" for name in path.split("/")))


def text_at(element: Element | None, path: str) -> str | None:
    found = element_at(element, path)
    text = (found.text or "").strip() if found is not None else ""
    return text or None


@dataclass(frozen=True, eq=False)
class _Project:
    path: Path
    xml: Element

    @property
    def artifact_id(self) -> str | None:
        return text_at(self.xml, "artifactId")

    @property
    def group_id(self) -> str | None:
        return text_at(self.xml, "groupId") or text_at(self.xml, "parent/groupId")

    @property
    def version(self) -> str | None:
        return text_at(self.xml, "version") or text_at(self.xml, "parent/version")

    @property
    def modules(self) -> tuple[str, ...]:
        names = [
            element.text
            for kind in ("modules/module", "subprojects/subproject")
            for element in elements_at(self.xml, kind)
        ]
        return tuple(name.strip().replace("\\", "/") for name in names if name and name.strip())

    def all_modules(self) -> Iterator[tuple[str, str | None]]:
        """Those of every profile, too, with its name."""
        yield from ((module, None) for module in self.modules)
        for profile in elements_at(self.xml, "profiles/profile"):
            name = text_at(profile, "id") or "default"
            yield from ((module, name) for module in _Project(self.path, profile).modules)

    def parts(self, asked: Asked = _NOTHING_ASKED) -> Iterator[Element]:
        """The project itself, after the profiles that are active, what they say goes first: those that are asked for, or
        without any of those the ones that are active by default."""
        profiles = elements_at(self.xml, "profiles/profile")
        chosen = [each for each in profiles if asked.activates(each)]
        yield from chosen or (
            each
            for each in profiles
            if as_bool(text_at(each, "activation/activeByDefault"))
            and text_at(each, "id") not in asked.without
        )
        yield self.xml

    def undecided(self, asked: Asked) -> Iterator[Element]:
        """The profiles of which the machine decides whether they are active."""
        yield from (
            each for each in elements_at(self.xml, "profiles/profile") if asked.activates(each) is None
        )


@dataclass
class _Repository:
    """The poms below a root, each read once. ``start``: folder of the project that is asked about."""

    root: Path
    start: Path
    bytes_left: int = _BYTES_LIMIT
    read: dict[Path, _Project | None] = field(default_factory=dict)
    by_name: dict[str, list[_Project]] | None = None

    def project(self, path: Path, strict: bool = False) -> _Project | None:
        """None when there is none, or, unless `strict`, when it cannot be read."""
        key = path.resolve()
        if key not in self.read:
            self.read[key] = None
            try:
                data = read_bounded(path, self.root)
                if data is not None and len(data) <= self.bytes_left:
                    self.bytes_left -= len(data)
                    self.read[key] = _Project(path, parse_xml(data, path))
            except ContextError:
                if strict:
                    raise
        return self.read[key]

    def lineage(self, project: _Project) -> list[_Project]:
        """The project, its parent in the repository, that one's, and so on."""
        found = [project]
        while len(found) < _PARENTS_LIMIT:
            parent = self.parent(found[-1])
            if parent is None or any(parent.path.resolve() == known.path.resolve() for known in found):
                break
            found.append(parent)
        return found

    def parent(self, project: _Project) -> _Project | None:
        declared = element_at(project.xml, "parent")
        if declared is None:
            return None
        group, artifact = text_at(declared, "groupId"), text_at(declared, "artifactId")
        relative = element_at(declared, "relativePath")
        where = "../pom.xml" if relative is None else (relative.text or "").strip()
        if where and "${" not in where:
            path = project.path.parent / where.replace("\\", "/")
            if not path.name.endswith(".xml"):
                path = path / "pom.xml"
            candidate = self.project(path)
            if candidate is not None and _is(candidate, group, artifact):
                return candidate
        return self.named(group, artifact)

    def named(self, group: str | None, artifact: str | None) -> _Project | None:
        """A project among the modules of the poms above the start, by its coordinates."""
        if group == _BOOT:
            return None
        if self.by_name is None:
            self.by_name = {}
            todo = [folder / "pom.xml" for folder in self._upwards()]
            seen: set[Path] = set()
            while todo and len(seen) < _POMS_LIMIT:
                path = todo.pop()
                key = path.resolve()
                if key in seen:
                    continue
                seen.add(key)
                project = self.project(path)
                if project is None:
                    continue
                if project.artifact_id:
                    self.by_name.setdefault(project.artifact_id, []).append(project)
                for module in project.modules:
                    below = path.parent / module
                    todo.append(below if below.name.endswith(".xml") else below / "pom.xml")
        return next(
            (project for project in self.by_name.get(artifact or "", ()) if _is(project, group, artifact)),
            None,
        )

    def _upwards(self) -> Iterator[Path]:
        top = self.root.resolve()
        folder = self.start.resolve()
        while folder.is_relative_to(top):
            yield folder
            if folder == top:
                break
            folder = folder.parent


def _is(project: _Project, group: str | None, artifact: str | None) -> bool:
    own_group = project.group_id
    return project.artifact_id == artifact and (own_group == group or "${" in f"{own_group}{group}")


# --- the effective model, as far as it is needed --------------------------------------------------------------------


class Model:
    """A project with its parents, nearest first."""

    def __init__(
        self, repository: _Repository, lineage: list[_Project], asked: Asked = _NOTHING_ASKED
    ) -> None:
        self.repository = repository
        self.lineage = lineage
        self.asked = asked
        self.own = lineage[0]
        self.parts = [part for project in lineage for part in project.parts(asked)]
        self._expansions = 0
        self._filled = 0
        self._values: dict[str, str | None] = {}

    # values

    def value(self, text: str | None) -> str | None:
        """A text with its ``${…}`` filled in; None when one has no value here."""
        if text is None:
            return None
        if text not in self._values:
            self._values[text] = self._value(text) if "${" in text else text
        return self._values[text]

    def _value(self, text: str) -> str | None:
        for _ in range(_PARENTS_LIMIT):
            missing = False

            def replace(match: re.Match[str]) -> str:
                nonlocal missing
                self._expansions += 1
                some = self._expansions <= _EXPANSIONS_LIMIT and self._filled <= _FILLED_LIMIT
                value = self.property(match[1].strip()) if some else None
                self._filled += 1 + len(value or "") // 100
                if value is None or len(value) > _VALUE_LIMIT:
                    missing = True
                    return ""
                return value

            self._expansions = 0
            before, text = text, _REFERENCE.sub(replace, text)
            if missing or len(text) > _VALUE_LIMIT:
                return None
            if text == before:
                return None if "${" in text else text
        return None

    def property(self, name: str) -> str | None:
        """The raw value of a property or of a part of the model."""
        name = re.sub(r"^pom\.", "project.", name)
        if name.startswith("project.parent."):
            part = name.removeprefix("project.parent.")
            return (
                text_at(self.own.xml, f"parent/{part}")
                if part in ("groupId", "artifactId", "version")
                else None
            )
        if name in self.model:
            return self.model[name]
        return self.asked.properties.get(name, self.properties.get(name))

    @cached_property
    def model(self) -> dict[str, str | None]:
        return {
            "project.artifactId": self.own.artifact_id,
            "project.groupId": next((each.group_id for each in self.lineage if each.group_id), None),
            "project.version": next((each.version for each in self.lineage if each.version), None),
            "project.packaging": text_at(self.own.xml, "packaging") or "jar",
            "project.basedir": ".",
            "basedir": ".",
            "project.build.directory": self.first("build/directory") or "target",
            "project.build.finalName": self.first("build/finalName")
            or "${project.artifactId}-${project.version}",
            "project.name": text_at(self.own.xml, "name") or self.own.artifact_id,
        }

    @cached_property
    def properties(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in self.parts:
            properties = element_at(part, "properties")
            for entry in properties if properties is not None else ():
                if isinstance(entry.tag, str):
                    found.setdefault(entry.tag.rpartition("}")[2], (entry.text or "").strip())
        return found

    def own_modules(self) -> tuple[str, ...]:
        parts = self.own.parts(self.asked)
        return tuple(module for part in parts for module in _Project(self.own.path, part).modules)

    def first(self, path: str) -> str | None:
        """The nearest project's text at a path of elements, not yet interpolated."""
        return next((text for part in self.parts if (text := text_at(part, path))), None)

    # plugins

    def plugin(self, group: str, artifact: str) -> list[Element]:
        """Every mention of a plugin, most specific first; empty when only managed, not used."""
        used, managed = [], []
        for part in self.parts:
            used += [
                plugin
                for plugin in elements_at(part, "build/plugins/plugin")
                if self._names(plugin, group, artifact)
            ]
            managed += [
                plugin
                for plugin in elements_at(part, "build/pluginManagement/plugins/plugin")
                if self._names(plugin, group, artifact)
            ]
        return used + managed if used else []

    def _names(self, plugin: Element, group: str, artifact: str) -> bool:
        return (
            text_at(plugin, "artifactId") == artifact
            and (text_at(plugin, "groupId") or "org.apache.maven.plugins") == group
        )

    def configured(self, plugins: list[Element], name: str, goal: str) -> str | None:
        """A parameter of a plugin; one set for an execution of `goal` goes before one set for all."""
        for plugin in plugins:
            places = [
                execution
                for execution in elements_at(plugin, "executions/execution")
                if any((found.text or "").strip() == goal for found in elements_at(execution, "goals/goal"))
                or text_at(execution, "id") in (goal, f"default-{goal}")
            ]
            for place in [*places, plugin]:
                text = text_at(place, f"configuration/{name}")
                if text is not None:
                    return self.value(text)
        return None

    # what is managed

    def dependency(self, element: Element) -> tuple[str | None, str | None, str | None]:
        group, artifact, version = (
            self.value(text_at(element, name)) for name in ("groupId", "artifactId", "version")
        )
        return group, artifact, version

    def managed(self, imported: set[Path] | None = None) -> dict[str, str]:
        """``group:artifact`` to version from the dependencyManagement sections and the BOMs in the repository.

        Of a BOM elsewhere only the name is known: its own version stands under its own coordinates.
        """
        imported = set() if imported is None else imported
        versions: dict[str, str] = {}
        imports: list[tuple[str | None, str | None, str | None]] = []
        for part in self.parts:
            for element in elements_at(part, "dependencyManagement/dependencies/dependency"):
                group, artifact, version = self.dependency(element)
                if text_at(element, "scope") == "import":
                    imports.append((group, artifact, version))
                elif group and artifact and version:
                    versions.setdefault(f"{group}:{artifact}", version)
        for group, artifact, version in imports:
            local = self.repository.named(group, artifact)
            if local is not None and local.path not in imported and len(imported) < _PARENTS_LIMIT:
                imported.add(local.path)
                bom = Model(self.repository, self.repository.lineage(local))
                for name, known in bom.managed(imported).items():
                    versions.setdefault(name, known)
            if group and artifact and version:
                versions.setdefault(f"{group}:{artifact}", version)
        parent = self.outside_parent()
        if parent is not None:
            versions.setdefault(f"{parent[0]}:{parent[1]}", parent[2])
        return versions

    def outside_parent(self) -> tuple[str, str, str] | None:
        """Coordinates of the parent that the last known project names and that is not in the repository."""
        declared = element_at(self.lineage[-1].xml, "parent")
        if declared is None or self.repository.parent(self.lineage[-1]) is not None:
            return None
        group, artifact, version = self.dependency(declared)
        return (group, artifact, version) if group and artifact and version else None

    def needs(self) -> Iterator[tuple[str | None, str | None]]:
        """Group and artifact of what its archive is made from: dependencies but those of tests, parents, imported BOMs."""
        for project in self.lineage[1:]:
            yield project.group_id, project.artifact_id
        for part in self.parts:
            for element in elements_at(part, "dependencies/dependency"):
                if self.value(text_at(element, "scope")) != "test":
                    yield self.dependency(element)[:2]
            for element in elements_at(part, "dependencyManagement/dependencies/dependency"):
                if text_at(element, "scope") == "import":
                    yield self.dependency(element)[:2]

    # facts

    def facts(self) -> BuildFacts:
        managed = self.managed()
        starter = self.outside_parent()
        has_starter = starter is not None and starter[:2] == (_BOOT, "spring-boot-starter-parent")
        plugins = self.plugin(_BOOT, "spring-boot-maven-plugin")
        version = self._plugin_version(plugins) or self._managed_boot(managed)
        packaging = self._packaging()
        repackages = has_starter or any(
            (goal.text or "").strip() == "repackage"
            for plugin in plugins
            for goal in elements_at(plugin, "executions/execution/goals/goal")
        )
        skipped = as_bool(
            self.configured(plugins, "skip", "repackage")
            or self.value(self.property("spring-boot.repackage.skip"))
        )
        repackaged = bool(plugins) and repackages and not skipped and packaging != "pom"
        loader = (self.configured(plugins, "loaderImplementation", "repackage") or "").upper()
        return BuildFacts(
            path=str(self.own.path),
            tool="maven",
            spring_boot=version,
            java_major=self._java(starter[2] if starter is not None and has_starter else None),
            artifact=self._artifact(packaging, plugins if repackaged else []),
            packaging=packaging,
            layered=self._layered(plugins, version, packaging) if repackaged else None,
            executable=bool(as_bool(self.configured(plugins, "executable", "repackage")))
            if repackaged
            else None,
            libraries=self._libraries(managed),
            loader="classic" if loader == "CLASSIC" else None,
            modules=self.own_modules(),
            layout=(self.configured(plugins, "layout", "repackage") or "").upper() or None,
            main_class=self.configured(plugins, "mainClass", "repackage")
            or (self.value(self.property("start-class")) if has_starter else None),
            repackaged=repackaged,
            name=self.own.artifact_id,
        )

    def _plugin_version(self, plugins: list[Element]) -> str | None:
        # the plugin packs its own loader and writes its own version into the manifest
        for plugin in plugins:
            text = text_at(plugin, "version")
            if text is not None:
                return plain_version(self.value(text))
        return None

    def _managed_boot(self, managed: dict[str, str]) -> str | None:
        for name in (
            "spring-boot-starter-parent",
            "spring-boot-dependencies",
            "spring-boot",
            "spring-boot-starter",
        ):
            version = plain_version(managed.get(f"{_BOOT}:{name}"))
            if version is not None:
                return version
        for part in self.parts:
            for element in elements_at(part, "dependencies/dependency"):
                group, artifact, version = self.dependency(element)
                if group == _BOOT and (artifact or "").startswith("spring-boot") and plain_version(version):
                    return plain_version(version)
        return None

    def _packaging(self) -> Literal["jar", "war", "pom"]:
        text = self.value(text_at(self.own.xml, "packaging") or "jar")
        if text == "war":
            return "war"
        return "pom" if text == "pom" else "jar"

    def _java(self, starter_parent: str | None) -> int | None:
        compiler = self.plugin("org.apache.maven.plugins", "maven-compiler-plugin")

        def said(name: str) -> str | None:
            own = self.value(self.property(f"maven.compiler.{name}"))
            return self.configured(compiler, name, "compile") or own

        text = said("release")
        # from 3.1 on the starter parent gives a release, which the compiler takes before any target
        numbers = re.match(r"(\d+)\.(\d+)", starter_parent or "")
        starter = (int(numbers[1]), int(numbers[2])) if numbers else None
        if text is None and (starter is None or starter < (3, 1)):
            text = said("target")
        if text is not None or starter is None:
            return java_level(text)
        own = self.property("java.version")
        return _STARTER_PARENT_JAVA.get(starter[0]) if own is None else java_level(self.value(own))

    def _layered(self, plugins: list[Element], version: str | None, packaging: str) -> bool | None:
        explicit = as_bool(self.configured(plugins, "layers/enabled", "repackage"))
        by_default = layered_by_default(version, packaging)
        if explicit is None or version is None:
            return explicit if explicit is not None else by_default
        # layers came with 2.3, for wars with 2.5: asking an older plugin changes nothing
        knows_layers = layered_by_default(version, packaging) or (
            packaging == "jar" and version.startswith("2.3.")
        )
        return explicit and bool(knows_layers)

    def _artifact(self, packaging: str, plugins: list[Element]) -> str | None:
        if packaging == "pom":
            return None
        name = self.value("${project.build.finalName}")
        folder = self.configured(plugins, "outputDirectory", "repackage") if plugins else None
        folder = folder or self.value("${project.build.directory}")
        if name is None or folder is None:
            return None
        if plugins:
            if self._is_configured(plugins, "finalName"):
                name = self.configured(plugins, "finalName", "repackage")
            if self._is_configured(plugins, "classifier"):
                classifier = self.configured(plugins, "classifier", "repackage")
                name = f"{name}-{classifier}" if name and classifier else None
        if name is None or folder.startswith("/"):
            return None
        return normpath(f"{folder}/{name}.{packaging}")

    def _is_configured(self, plugins: list[Element], name: str) -> bool:
        return any(
            text_at(place, f"configuration/{name}") is not None
            for plugin in plugins
            for place in (plugin, *elements_at(plugin, "executions/execution"))
        )

    def _libraries(self, managed: dict[str, str]) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for part in self.parts:
            for element in elements_at(part, "dependencies/dependency"):
                group, artifact, version = self.dependency(element)
                scope = self.value(text_at(element, "scope")) or "compile"
                if not group or not artifact or scope in ("test", "system", "import"):
                    continue
                name = f"{group}:{artifact}"
                version = version or managed.get(name)
                found.setdefault(name, f"{name}:{version}" if version else name)
        return tuple(found.values())
