"""The libraries of an archive that is not built yet, as the local Maven repository or Gradle's cache has them.

What `mvn package` would put into it: the dependencies of scope compile and runtime, the nearest version of each, with what
parents and BOMs manage. Nothing is run and nothing is fetched; a pom or a jar that is not there is named. So the list is a
lower bound: what profiles, plugins or a `-D` add is not in it.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import ContextError
from imgopt.java.build_facts import BuildFacts, as_bool, read_bounded
from imgopt.java.build_files import repository_of
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from imgopt.java.pom import Model

_BOOT = "org.springframework.boot"
_MOST_LIBRARIES = 3_000
_MOST_PARENTS = 32
_MOST_BYTES = 1 << 30  # of one library
_MOST_SETTINGS_BYTES = 1 << 20
#: What Spring Boot's plugins leave out of the archive: starters hold nothing but their pom, the others serve the build.
_LEFT_OUT = regex(
    r"spring-boot-(?:starter(?:-[\w-]+)?|devtools|docker-compose|configuration-processor|autoconfigure-processor)"
)
_NAME = regex(r"[\w.\-+]{1,200}")
#: (group, artifact, type, classifier)
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Libraries:
    """``jars``: files of the local repository that the archive would hold; ``missing``: ``group:artifact:version`` of what is
    not there, and so are the libraries that it would bring along; ``where``: the repository."""

    jars: tuple[Path, ...]
    missing: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class _Maven:
    root: Path

    def file(self, group: str, artifact: str, version: str, name: str) -> Path | None:
        path = self.root.joinpath(*group.split("."), artifact, version, name)
        return path if path.is_file() else None


@dataclass(frozen=True)
class _Gradle:
    """``files-2.1``: each file in a directory that is called by its hash."""

    root: Path

    def file(self, group: str, artifact: str, version: str, name: str) -> Path | None:
        folder = self.root / group / artifact / version
        try:
            found = [path for path in sorted(folder.glob(f"*/{name}")) if path.is_file()]
        except OSError:
            return None
        return found[0] if found else None


#: A directory of poms and jars.
_Store = _Maven | _Gradle


def libraries_of(facts: BuildFacts) -> Libraries | None:
    """None where there is no local repository, or it has none of the libraries."""
    build_file = Path(facts.path)
    store = _store(facts, build_file.parent)
    if store is None:
        return None
    resolving = _opened(store)
    try:
        if facts.tool == "maven":
            found = resolving.of_pom(build_file)
        else:
            found = resolving.of_names(facts.libraries, facts.spring_boot)
    except (ContextError, OSError, RecursionError):
        return None
    return found if found is not None and found.jars else None


def _store(facts: BuildFacts, directory: Path) -> _Store | None:
    if facts.tool == "gradle":
        home = Path(os.environ.get("GRADLE_USER_HOME") or Path.home() / ".gradle")
        cache = home / "caches" / "modules-2" / "files-2.1"
        return _Gradle(cache) if cache.is_dir() else None
    root = maven_repository(directory)
    return _Maven(root) if root.is_dir() else None


def maven_repository(directory: Path) -> Path:
    """Where Maven keeps what it downloads: as `-Dmaven.repo.local` in its environment or the project's ``.mvn`` says, else
    settings.xml, else in the home directory."""
    options = [os.environ.get("MAVEN_ARGS", ""), os.environ.get("MAVEN_OPTS", "")]
    top = repository_of(directory)
    for above in (directory.resolve(), *directory.resolve().parents):
        config = read_bounded(above / ".mvn" / "maven.config", top, _MOST_SETTINGS_BYTES)
        if config is not None:
            options.append(config.decode("utf-8", "replace"))
        if above == top:
            break
    for each in options:
        said = re.findall(r"-Dmaven\.repo\.local=(\"[^\"]+\"|'[^']+'|\S+)", each)
        if said:
            return Path(said[-1].strip("\"'")).expanduser()
    home = Path.home() / ".m2"
    return _of_settings(home) or home / "repository"


def _of_settings(home: Path) -> Path | None:
    from imgopt.java.pom import parse_xml

    try:
        data = read_bounded(home / "settings.xml", home, _MOST_SETTINGS_BYTES)
        if data is None:
            return None
        found = parse_xml(data, home / "settings.xml", "settings").find("{*}localRepository")
    except (ContextError, OSError):
        return None
    text = (found.text or "").strip() if found is not None else ""
    text = text.replace("${user.home}", str(Path.home()))
    text = re.sub(r"\$\{env\.(\w+)\}", lambda match: os.environ.get(match[1], match[0]), text)
    return Path(text) if text and "${" not in text else None


@lru_cache(maxsize=4)
def _opened(store: _Store) -> _Resolving:
    """The poms of one local repository are read once, for however many modules."""
    return _Resolving(store)


@dataclass(frozen=True)
class _Wanted:
    key: Key
    version: str | None
    scope: str
    optional: bool
    exclusions: frozenset[str]


@dataclass
class _Resolving:
    store: _Store
    models: dict[tuple[str, str, str], Model | None] = field(default_factory=dict)
    managed_by: dict[Model, dict[Key, _Wanted]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    # what is asked

    def of_pom(self, path: Path) -> Libraries | None:
        from imgopt.java.pom import model_of

        own = model_of(path, repository_of(path.parent))
        if own is None:
            return None
        model = self._whole(own)
        configured = model.plugin(_BOOT, "spring-boot-maven-plugin")
        left_out = {
            f"{model.value(_text(each, 'groupId'))}:{model.value(_text(each, 'artifactId'))}"
            for plugin in configured
            for each in plugin.findall("{*}configuration/{*}excludes/{*}exclude")
        }
        return self._walk(model, self._declared(model), self._managed(model), left_out)

    def of_names(self, names: tuple[str, ...], boot: str | None) -> Libraries:
        """Gradle's ``group:artifact[:version]``, with the versions that Spring Boot's BOM manages."""
        bom = self._model(_BOOT, "spring-boot-dependencies", boot) if boot else None
        managed = self._managed(bom) if bom is not None else {}
        wanted = []
        for name in names:
            group, artifact, version, *_ = (*name.split(":"), "", "")
            wanted.append(
                _Wanted((group, artifact, "jar", ""), version or None, "compile", False, frozenset())
            )
        return self._walk(None, wanted, managed, set())

    def _walk(
        self,
        root: Model | None,
        wanted: list[_Wanted],
        managed: Mapping[Key, _Wanted],
        left_out: set[str],
    ) -> Libraries:
        todo = deque((each, frozenset[str](), 0) for each in wanted)
        seen: set[Key] = set()
        jars: dict[Path, None] = {}
        missing: dict[str, None] = {}
        while todo and len(seen) < _MOST_LIBRARIES:
            each, excluded, depth = todo.popleft()
            group, artifact, kind, classifier = each.key
            if depth and (each.optional or _is_excluded(excluded, group, artifact)):
                continue
            if each.scope not in ("compile", "runtime") or each.key in seen:
                continue
            seen.add(each.key)
            given = managed.get(each.key)
            # what the root manages goes before what a library asks for, and not before what the root itself says
            version = (
                (each.version or (given.version if given else None))
                if depth == 0
                else (given.version if given is not None and given.version else each.version)
            )
            name = ":".join(part for part in (group, artifact, classifier, version or "") if part)
            if version is None or not all(map(_NAME.fullmatch, (group, artifact, version))):
                missing[name] = None
                continue
            model = self._module(root, group, artifact) or self._model(group, artifact, version)
            model = self._relocated(model)
            if model is None:
                missing[name] = None
            else:
                own = self._managed(model)
                below = excluded | each.exclusions | (given.exclusions if given else frozenset())
                for further in self._declared(model):
                    if further.version is None and further.key in own:
                        further = _with_version(further, own[further.key])
                    todo.append((further, below, depth + 1))
            if kind == "pom" or f"{group}:{artifact}" in left_out:
                continue
            if group == _BOOT and _LEFT_OUT.fullmatch(artifact):
                continue
            jar = self._jar(model, group, artifact, version, classifier)
            if jar is not None:
                jars[jar] = None
            elif model is None or model.value("${project.packaging}") != "pom":
                missing[name] = None
        return Libraries(tuple(jars), tuple(missing), str(self.store.root))

    # poms

    def _model(self, group: str, artifact: str, version: str | None) -> Model | None:
        from imgopt.java.pom import alone

        if version is None or not all(map(_NAME.fullmatch, (group, artifact, version))):
            return None
        key = (group, artifact, version)
        if key not in self.models:
            self.models[key] = None
            path = self.store.file(group, artifact, version, f"{artifact}-{version}.pom")
            if path is not None:
                try:
                    model = alone(path, self.store.root)
                except (ContextError, OSError):
                    model = None
                self.models[key] = self._whole(model) if model is not None else None
        return self.models[key]

    def _whole(self, model: Model) -> Model:
        """The same with the parents that lie in the local repository."""
        from imgopt.java.pom import with_parents

        declared = model.lineage[-1].xml.find("{*}parent")
        if declared is None or len(model.lineage) > _MOST_PARENTS:
            return model
        group, artifact, version = (
            model.value(_text(declared, name)) for name in ("groupId", "artifactId", "version")
        )
        above = self._model(group or "", artifact or "", version)
        return with_parents(model, above.lineage) if above is not None else model

    @staticmethod
    def _module(root: Model | None, group: str, artifact: str) -> Model | None:
        """Another module of the same project, which is not built either."""
        from imgopt.java.pom import sibling

        return sibling(root, group, artifact) if root is not None else None

    def _relocated(self, model: Model | None) -> Model | None:
        for _ in range(_MOST_PARENTS):
            moved = (
                model.own.xml.find("{*}distributionManagement/{*}relocation") if model is not None else None
            )
            if model is None or moved is None:
                break
            group, artifact, version = (
                model.value(_text(moved, name)) or model.value(f"${{project.{name}}}")
                for name in ("groupId", "artifactId", "version")
            )
            model = self._model(group or "", artifact or "", version)
        return model

    def _jar(
        self, model: Model | None, group: str, artifact: str, version: str, classifier: str
    ) -> Path | None:
        if model is not None:  # a relocated one lies under its own name
            group = model.value("${project.groupId}") or group
            artifact = model.value("${project.artifactId}") or artifact
            version = model.value("${project.version}") or version
        if not all(map(_NAME.fullmatch, (group, artifact, version))):
            return None
        end = f"-{classifier}" if classifier else ""
        path = self.store.file(group, artifact, version, f"{artifact}-{version}{end}.jar")
        try:
            return path if path is not None and path.stat().st_size <= _MOST_BYTES else None
        except OSError:
            return None

    def _declared(self, model: Model) -> list[_Wanted]:
        managed = self._managed(model)
        found: dict[Key, _Wanted] = {}
        for part in model.parts:
            for element in part.findall("{*}dependencies/{*}dependency"):
                each = _wanted(model, element)
                if each is None:
                    continue
                given = managed.get(each.key)
                scope = model.value(_text(element, "scope")) or (given.scope if given else "") or "compile"
                exclusions = each.exclusions | (given.exclusions if given else frozenset())
                version = each.version or (given.version if given else None)
                found.setdefault(each.key, _Wanted(each.key, version, scope, each.optional, exclusions))
        return list(found.values())

    def _managed(self, model: Model, depth: int = 0) -> dict[Key, _Wanted]:
        """What the dependencyManagement sections say, those of BOMs after the project's own."""
        known = self.managed_by.get(model)
        if known is not None:
            return known
        found: dict[Key, _Wanted] = {}
        self.managed_by[model] = found
        imports = []
        for part in model.parts:
            for element in part.findall("{*}dependencyManagement/{*}dependencies/{*}dependency"):
                each = _wanted(model, element)
                if each is None:
                    continue
                if each.scope == "import":
                    imports.append(each)
                else:
                    found.setdefault(each.key, each)
        for each in imports if depth < _MOST_PARENTS else ():
            bom = self._module(model, each.key[0], each.key[1]) or self._model(
                each.key[0], each.key[1], each.version
            )
            for key, given in self._managed(bom, depth + 1).items() if bom is not None else ():
                found.setdefault(key, given)
        return found


def _wanted(model: Model, element: Element) -> _Wanted | None:
    group, artifact, version, kind, classifier, scope = (
        model.value(_text(element, name))
        for name in ("groupId", "artifactId", "version", "type", "classifier", "scope")
    )
    if not group or not artifact:
        return None
    kind = {"test-jar": "jar", "ejb": "jar", "bundle": "jar"}.get(kind or "jar", kind or "jar")
    exclusions = frozenset(
        f"{_text(each, 'groupId') or '*'}:{_text(each, 'artifactId') or '*'}"
        for each in element.findall("{*}exclusions/{*}exclusion")
    )
    return _Wanted(
        (group, artifact, kind, classifier or ""),
        version,
        scope or ("" if version is None else "compile"),
        bool(as_bool(model.value(_text(element, "optional")))),
        exclusions,
    )


def _with_version(each: _Wanted, given: _Wanted) -> _Wanted:
    return _Wanted(each.key, given.version, each.scope, each.optional, each.exclusions | given.exclusions)


def _is_excluded(excluded: frozenset[str], group: str, artifact: str) -> bool:
    return not excluded.isdisjoint((f"{group}:{artifact}", f"{group}:*", f"*:{artifact}", "*:*"))


def _text(element: Element, name: str) -> str | None:
    found = element.find(f"{{*}}{name}")
    text = (found.text or "").strip() if found is not None else ""
    return text or None
