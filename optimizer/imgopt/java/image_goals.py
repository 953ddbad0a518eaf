"""What a call of Maven does about images: the goals of image plugins that poms bind to a phase that the call reaches.

Nothing is run: of each module of the reactor its pom, its parents in the repository and the profiles that the call asks for
are read. What decides elsewhere (a parent that is not in the repository, a profile that the machine switches on) is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from posixpath import join, normpath
from typing import TYPE_CHECKING

from imgopt.java.build_facts import as_bool
from imgopt.java.pom import Asked, Model, element_at, elements_at, model_of, text_at
from imgopt.light.records import dataclass, field, replace

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_MODULES = 200
_MOST_GOALS = 300
_PHASES = (
    "validate initialize generate-sources process-sources generate-resources process-resources compile process-classes "
    "generate-test-sources process-test-sources generate-test-resources process-test-resources test-compile "
    "process-test-classes test prepare-package package pre-integration-test integration-test post-integration-test verify "
    "install deploy"
).split()
_CLEANING = ("pre-clean", "clean", "post-clean")
#: Parents that bind nothing about images, by the beginning of their group.
_HARMLESS = (
    "org.springframework.",
    "org.apache",
    "org.sonatype.oss",
    "io.quarkus",
    "io.micronaut",
    "org.jboss",
)


@dataclass(frozen=True)
class MavenCall:
    """``mvn``'s words. ``targets``: phases and goals in their order; ``projects``: of ``-pl``; ``unknown``: a profile that
    is a variable."""

    targets: tuple[str, ...]
    asked: Asked = field(default_factory=Asked)
    projects: tuple[str, ...] = ()
    with_needed: bool = False
    alone: bool = False
    unknown: str | None = None


@dataclass(frozen=True)
class ImageGoal:
    """A goal that builds or pushes, in one module. ``module``: its directory below the repository; ``dockerfile`` and
    ``context``: below the repository, None where the plugin makes the image without one; ``phase``: "" where the
    call names the goal."""

    plugin: str
    goal: str
    module: str
    pushes: bool
    builds: bool
    image: str | None
    dockerfile: str | None
    context: str
    phase: str


@dataclass(frozen=True)
class Bound:
    """``unknown``: why there may be more. ``told``: plugins that a pom says something about and whose goals the call names:
    what these do stands in ``goals``, and is nothing where they are skipped."""

    goals: tuple[ImageGoal, ...]
    unknown: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class _Plugin:
    """``phases``: where its goals are bound without a word; ``skips``: what leaves out a goal, and of "" all, as the name of
    an element and of a property."""

    group: str
    artifact: str
    phases: Mapping[str, str | None]
    skips: Mapping[str, tuple[tuple[str, str], ...]]


_JKUBE_PHASES = {"build": "pre-integration-test", "push": "install"}
_JKUBE_SKIPS = {
    "": (("skip", "jkube.skip"),),
    "build": (("skipBuild", "jkube.skip.build"),),
    "push": (("skipPush", "jkube.skip.push"),),
}
_PLUGINS = (
    _Plugin(
        "com.google.cloud.tools", "jib-maven-plugin",
        {"build": None, "dockerBuild": None, "buildTar": None},
        {"": (("skip", "jib.skip"),)},
    ),
    _Plugin(
        "org.springframework.boot", "spring-boot-maven-plugin",
        {"build-image": "package", "build-image-no-fork": "package"},
        {"": (("skip", "spring-boot.build-image.skip"),)},
    ),
    _Plugin(
        "com.spotify", "dockerfile-maven-plugin",
        {"build": "package", "push": "deploy"},
        {
            "": (("skip", "dockerfile.skip"),),
            "build": (("skipBuild", "dockerfile.build.skip"),),
            "push": (("skipPush", "dockerfile.push.skip"),),
        },
    ),
    _Plugin(
        "com.spotify", "docker-maven-plugin",
        {"build": None, "push": None},
        {
            "": (("skipDocker", "skipDocker"),),
            "build": (("skipDockerBuild", "skipDockerBuild"),),
            "push": (("skipDockerPush", "skipDockerPush"),),
        },
    ),
    _Plugin(
        "io.fabric8", "docker-maven-plugin",
        {"build": "install", "build-nofork": "install", "push": "deploy"},
        {
            "": (("skip", "docker.skip"),),
            "build": (("skipBuild", "docker.skip.build"),),
            "build-nofork": (("skipBuild", "docker.skip.build"),),
            "push": (("skipPush", "docker.skip.push"),),
        },
    ),
    _Plugin("org.eclipse.jkube", "kubernetes-maven-plugin", _JKUBE_PHASES, _JKUBE_SKIPS),
    _Plugin("org.eclipse.jkube", "openshift-maven-plugin", _JKUBE_PHASES, _JKUBE_SKIPS),
)  # fmt: skip


def reaches(targets: Sequence[str]) -> str | None:
    """The last phase of the build that a call runs; None where it names goals only."""
    found = [_PHASES.index(each) for each in targets if each in _PHASES]
    if any(each.endswith(":perform") and "release" in each for each in targets):
        return "deploy"  # the release plugin deploys what it has checked out
    return _PHASES[max(found)] if found else None


def bound_goals(pom: Path, root: Path, call: MavenCall) -> Bound | None:
    """What a call does that begins at a pom: goals that phases reach, and those of image plugins that it names. None where
    there is no such pom. ContextError where it cannot be read."""
    top = model_of(pom, root, call.asked)
    if top is None:
        return None
    modules, whole = _reactor(top, call, root)
    found: list[ImageGoal] = []
    told: set[str] = set()
    unknown = dict.fromkeys(() if whole else ("it has more modules than are looked at",))
    for model in modules:
        module = _Module(model, root, call)
        found += islice(module.goals(), _MOST_GOALS + 1 - len(found))
        told |= module.told
        unknown |= dict.fromkeys(module.unknown())
    if len(found) > _MOST_GOALS:
        unknown["it has more goals than are looked at"] = None
    return Bound(tuple(found[:_MOST_GOALS]), tuple(unknown), frozenset(told))


# the reactor


def _reactor(top: Model, call: MavenCall, root: Path) -> tuple[list[Model], bool]:
    """The projects that a call builds, and whether these are all."""
    found = [top]
    if not call.alone:
        for each in found:  # grows
            for name in dict.fromkeys(each.own_modules()):
                below = each.own.path.parent / name
                pom = below if below.suffix == ".xml" else below / "pom.xml"
                project = top.repository.project(pom)
                if project is None or any(project is known.own for known in found):
                    continue
                if len(found) >= _MOST_MODULES:
                    return found, False
                found.append(Model(top.repository, top.repository.lineage(project), call.asked))
    start = top.own.path.parent
    wanted = _Projects([each for each in call.projects if each[:1] not in "!-"], start)
    out = _Projects([each[1:] for each in call.projects if each[:1] in ("!", "-")], start)
    chosen = [each for each in found if not wanted.names or wanted.names_one(each)]
    if wanted.names and call.with_needed:
        chosen = _with_needed(chosen, found)
    return [each for each in chosen if not out.names_one(each)], True


class _Projects:
    """Those that ``-pl`` names: by artifact, or by a path from the top."""

    def __init__(self, names: Sequence[str], top: Path) -> None:
        self.names = names
        self._artifacts = {name.rpartition(":")[2] for name in names if ":" in name}
        self._paths = {_resolved(top / name) for name in names if ":" not in name} - {None}

    def names_one(self, model: Model) -> bool:
        own = (_resolved(model.own.path.parent), _resolved(model.own.path)) if self._paths else ()
        return model.own.artifact_id in self._artifacts or not self._paths.isdisjoint(own)


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _with_needed(chosen: list[Model], found: list[Model]) -> list[Model]:
    """``-am``: those that the chosen ones depend on, too."""
    by_name = {each.own.artifact_id: each for each in found}
    needed = {id(each) for each in chosen}
    todo = list(chosen)
    while todo:
        model = todo.pop()
        names = [
            model.dependency(each)[1] for part in model.parts for each in elements_at(part, _DEPENDENCIES)
        ]
        names += [project.artifact_id for project in model.lineage[1:]]
        for name in names:
            other = by_name.get(name)
            if other is not None and id(other) not in needed:
                needed.add(id(other))
                todo.append(other)
    return [each for each in found if id(each) in needed]


_DEPENDENCIES = "dependencies/dependency"


# one module


@dataclass(frozen=True)
class _Execution:
    plugin: _Plugin
    name: str
    goal: str
    phase: str
    places: tuple[Element, ...]  # whose configuration counts, the nearest first


@dataclass
class _Module:
    model: Model
    root: Path
    call: MavenCall
    told: set[str] = field(default_factory=set)
    _mentioned: dict[_Plugin, list[tuple[Element, bool]]] = field(default_factory=dict)

    def goals(self) -> Iterator[ImageGoal]:
        last = reaches(self.call.targets)
        reached = set(_PHASES[: _PHASES.index(last) + 1]) if last else set()
        if any(each in _CLEANING for each in self.call.targets):
            reached |= set(_CLEANING)
        executions = [each for each in self._executions() if each.phase in reached]
        order = {phase: number for number, phase in enumerate((*_CLEANING, *_PHASES))}
        for each in sorted(executions, key=lambda each: order.get(each.phase, 0)):
            yield from self._images(each)
        for target in self.call.targets:
            yield from self._named(target)

    def _named(self, target: str) -> Iterator[ImageGoal]:
        """A goal that the call names, of a plugin that the pom says something about."""
        for plugin in _PLUGINS:
            goal = named_goal(plugin.artifact, target)
            if goal not in plugin.phases:
                continue
            mentions = [mention for mention, _ in self._mentions(plugin)]
            if mentions:
                self.told.add(plugin.artifact)
                name = target.partition("@")[2] or "default-cli"
                yield from self._images(_Execution(plugin, name, goal, "", self._places(mentions, name)))

    def unknown(self) -> Iterator[str]:
        parent = self.model.outside_parent()
        if parent is not None and not f"{parent[0]}.".startswith(_HARMLESS):
            yield f"its parent {parent[0]}:{parent[1]} is not in this repository"
        for project in self.model.lineage:
            for profile in project.undecided(self.call.asked):
                if any(text_at(each, "artifactId") in _ARTIFACTS for each in elements_at(profile, _USED)):
                    yield f"whether the profile {text_at(profile, 'id')} is on, the machine decides"
            if self.call.unknown is not None and any(
                text_at(each, "artifactId") in _ARTIFACTS
                for profile in elements_at(project.xml, "profiles/profile")
                for each in elements_at(profile, _USED)
            ):
                yield f"which profile {self.call.unknown} is, is not known here"

    def _mentions(self, plugin: _Plugin) -> list[tuple[Element, bool]]:
        """Every mention of a plugin that counts for this module, the nearest first, and whether it is one that uses it."""
        if plugin not in self._mentioned:
            self._mentioned[plugin] = self._all_mentions(plugin)
        return self._mentioned[plugin]

    def _all_mentions(self, plugin: _Plugin) -> list[tuple[Element, bool]]:
        used: list[tuple[Element, bool]] = []
        managed: list[tuple[Element, bool]] = []
        for depth, project in enumerate(self.model.lineage):
            for part in project.parts(self.call.asked):
                for path, into, uses in ((_USED, used, True), (_MANAGED, managed, False)):
                    for each in elements_at(part, path):
                        if (
                            text_at(each, "artifactId") != plugin.artifact
                            or text_at(each, "groupId") != plugin.group
                            or (depth and as_bool(text_at(each, "inherited")) is False)
                        ):
                            continue
                        into.append((each, uses))
        return [*used, *managed]

    def _executions(self) -> Iterator[_Execution]:
        for plugin in _PLUGINS:
            found = self._mentions(plugin)
            if not any(uses for _, uses in found):
                continue
            mentions = [mention for mention, _ in found]
            goals: dict[str, dict[str, None]] = {}
            phases: dict[str, str] = {}
            for mention in mentions:
                for execution in elements_at(mention, _EXECUTIONS):
                    name = text_at(execution, "id") or "default"
                    for goal in elements_at(execution, "goals/goal"):
                        goals.setdefault(name, {})[(goal.text or "").strip()] = None
                    if (phase := self.model.value(text_at(execution, "phase"))) is not None:
                        phases.setdefault(name, phase)
            for name, said in goals.items():
                for each in said:
                    bound = phases.get(name) or plugin.phases.get(each)
                    if each in plugin.phases and bound is not None:
                        yield _Execution(plugin, name, each, bound, self._places(mentions, name))

    def _places(self, mentions: Sequence[Element], name: str) -> tuple[Element, ...]:
        own = [
            execution
            for mention in mentions
            for execution in elements_at(mention, _EXECUTIONS)
            if (text_at(execution, "id") or "default") == name
        ]
        return (*own, *mentions)

    # what an execution does

    def _said(self, execution: _Execution, path: str, *properties: str) -> str | None:
        """A parameter: what is configured, or else what a property gives."""
        for place in execution.places:
            text = text_at(place, f"configuration/{path}")
            if text is not None:
                return self.model.value(text)
        found = (self.model.value(self.model.property(name)) for name in properties)
        return next((each for each in found if each is not None), None)

    def _skipped(self, execution: _Execution) -> bool:
        skips = execution.plugin.skips
        names = (*skips.get("", ()), *skips.get(execution.goal, ()))
        return any(as_bool(self._said(execution, *each)) for each in names)

    def _images(self, execution: _Execution) -> Iterator[ImageGoal]:
        if self._skipped(execution):
            return
        packaging = text_at(self.model.own.xml, "packaging") or "jar"
        artifact, group, goal = execution.plugin.artifact, execution.plugin.group, execution.goal
        folder = self._folder()
        one = ImageGoal(
            artifact,
            goal,
            folder,
            goal == "push",
            goal.startswith("build"),
            None,
            None,
            folder,
            execution.phase,
        )
        if artifact in ("jib-maven-plugin", "spring-boot-maven-plugin") and packaging == "pom":
            return
        if artifact == "jib-maven-plugin":
            image = self._said(execution, "to/image", "jib.to.image", "image")
            yield replace(one, pushes=goal == "build", builds=True, image=image)
        elif artifact == "spring-boot-maven-plugin":
            published = as_bool(self._said(execution, "image/publish", "spring-boot.build-image.publish"))
            image = self._said(execution, "image/name", "spring-boot.build-image.imageName")
            yield replace(one, pushes=bool(published), builds=True, image=image)
        elif artifact == "dockerfile-maven-plugin":
            where = self._below(
                self._said(execution, "contextDirectory", "dockerfile.contextDirectory") or "."
            )
            file = self._said(execution, "dockerfile") or "Dockerfile"
            image = self._tagged(
                self._said(execution, "repository", "dockerfile.repository"),
                self._said(execution, "tag", "dockerfile.tag"),
            )
            yield replace(one, image=image, dockerfile=join(where, file), context=where)
        elif group == "com.spotify":
            given = self.call.asked.properties
            pushed = self._said(execution, "pushImage", "pushImage")
            pushes = (
                goal == "push"
                or as_bool(pushed)
                or "pushImageTag" in given
                or ("pushImage" in given and not pushed)
            )
            where_ = self._said(execution, "dockerDirectory", "dockerDirectory")
            where = self._below(where_) if where_ else folder
            dockerfile = join(where, "Dockerfile") if where_ else None
            image = self._said(execution, "imageName", "imageName")
            yield replace(one, pushes=bool(pushes), image=image, dockerfile=dockerfile, context=where)
        else:
            yield from self._configured_images(execution, one)

    def _configured_images(self, execution: _Execution, one: ImageGoal) -> Iterator[ImageGoal]:
        """``<images>`` of fabric8's plugin and of JKube: those that have a ``<build>``; without any, the module's own
        Dockerfile."""
        images = next(
            (
                found
                for place in execution.places
                if (found := elements_at(place, "configuration/images/image"))
            ),
            [],
        )
        docker = execution.plugin.artifact == "docker-maven-plugin"
        if not images:
            own = join(one.module, "Dockerfile")
            there = (self.root / own).is_file()
            if there or not docker:
                name = self._said(execution, "name", "docker.name", "jkube.generator.name")
                yield replace(one, image=name, dockerfile=own if there else None)
            return
        registry = self._said(execution, "pushRegistry", "docker.push.registry", "jkube.docker.push.registry")
        registry = registry or self._said(execution, "registry", "docker.registry", "jkube.docker.registry")
        for image in images:
            build = element_at(image, "build")
            if build is None or as_bool(self.model.value(text_at(build, "skip"))):
                continue
            if one.pushes and as_bool(self.model.value(text_at(build, "skipPush"))):
                continue
            name = self.model.value(text_at(image, "name"))
            host = self.model.value(text_at(image, "registry")) or registry
            if name is not None and host and "." not in name.partition("/")[0]:
                name = f"{host}/{name}"
            if name is not None and "%" in name:
                name = None  # filled in from the project and its version, by rules of its own
            file, context = self._dockerfile(build, one.module)
            yield replace(one, image=name, dockerfile=file, context=context)

    def _dockerfile(self, build: Element, folder: str) -> tuple[str | None, str]:
        """Where the Dockerfile of a ``<build>`` lies, None without one; a relative path begins in src/main/docker."""
        said = {
            name: self.model.value(text_at(build, name))
            for name in ("dockerFile", "dockerFileDir", "contextDir")
        }
        if not any(said.values()):
            return None, folder
        below = said["contextDir"] or said["dockerFileDir"]
        context = self._found(below, folder) if below else None
        file = said["dockerFile"] or "Dockerfile"
        if context is not None:
            return normpath(join(context, file)), context
        there = self._found(file, folder)
        return there, str(PurePosixPath(there).parent)

    def _found(self, path: str, folder: str) -> str:
        tried = [normpath(join(folder, path)), normpath(join(folder, "src/main/docker", path))]
        if path.startswith("./"):  # of the project's own directory
            return tried[0]
        return next((each for each in tried if (self.root / each).exists()), tried[0])

    def _folder(self) -> str:
        try:
            return normpath(self.model.own.path.parent.resolve().relative_to(self.root.resolve()).as_posix())
        except ValueError:
            return "."

    def _below(self, path: str) -> str:
        return normpath(join(self._folder(), path))

    def _tagged(self, name: str | None, tag: str | None) -> str | None:
        return f"{name}:{tag or 'latest'}" if name else None


_USED = "build/plugins/plugin"
_MANAGED = "build/pluginManagement/plugins/plugin"
_EXECUTIONS = "executions/execution"
_ARTIFACTS = frozenset(each.artifact for each in _PLUGINS if each.artifact != "spring-boot-maven-plugin")


def named_goal(artifact: str, target: str) -> str:
    """The goal of a plugin that a call names, by its prefix or its coordinates; "" where it is none of it."""
    plugin, _, goal = target.partition("@")[0].rpartition(":")
    prefix = {"kubernetes-maven-plugin": "k8s", "openshift-maven-plugin": "oc"}.get(
        artifact, artifact.removesuffix("-maven-plugin")
    )
    names = plugin.split(":")
    return goal if plugin == prefix or artifact in names else ""
