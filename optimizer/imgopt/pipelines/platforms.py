"""What a repository's own files say of a Dockerfile's image: the platforms that build commands name (CI files, scripts,
Makefiles, bake and compose files), and how Compose files and manifests run it.

An image that is built for several platforms stands on a base that has all of them; one that is missing ends the build.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from imgopt.errors import ImgoptError
from imgopt.files.opening import read_file
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.options import NOBODY, BuiltFor, Container, Options, named_platforms
from imgopt.pipelines.around import Around
from imgopt.pipelines.bake import Target, compose_targets, hcl_targets, json_targets
from imgopt.pipelines.beside import AT_ROOT, MOST_FOLDERS, NOT_LOOKED_INTO, Repositories, is_compose, shown
from imgopt.pipelines.checkout import Checkout, content, inside, resolved
from imgopt.pipelines.commands import Request
from imgopt.pipelines.container_commands import RunInside, Started, containers_of
from imgopt.pipelines.containers import (
    MOST_VALUES,
    OF_A_SERVICE,
    Names,
    Reading,
    Service,
    chart_values,
    compose_services,
    extended,
    has_a_pod,
    image_aliases,
    is_manifest,
    manifest_services,
    values_of,
    with_images,
)
from imgopt.pipelines.kinds import is_makefile, kind_of
from imgopt.pipelines.model import Place, Recipe, Rules, Step, Text
from imgopt.pipelines.recipes import context_of, paths_of
from imgopt.pipelines.scripts import Found, find
from imgopt.pipelines.tools import image_name, repository
from imgopt.pipelines.yaml_tree import Node

if TYPE_CHECKING:
    from imgopt.java.image_goals import MavenCall
    from imgopt.pipelines.model import Action, Build

#: Larger files are no build files of people.
_MAX_BYTES = 400_000
#: Of all of them together.
MOST_CHARACTERS = 4_000_000
#: That run one image.
MOST_CONTAINERS = 200
#: Without one of these words a file says nothing of platforms.
_SPEAKS = regex(r"platform|--arch|\barm|aarch64", re.IGNORECASE)
#: Of a Makefile: what speaks stands in another file.
_INCLUDES = regex(r"^[-s]?include\s", re.MULTILINE)
#: Without one of these nothing of the name of an image.
_BUILDS = regex(r"docker|buildx|build-push|kaniko|podman|buildah|executor", re.IGNORECASE)
#: Without it nothing is run in a container.
_RUNS = regex(
    r"(?i)\b(?:docker|podman|nerdctl|compose|kubectl|oc)\b(?:\\\n|[^\n]){0,300}\b(?:run|exec|create)\b"
)
_SET = regex(r"(?<![\w*.-])[\w*-][\w*.-]{0,100}\.platform=[\"']?([^\s\"'\\]{1,500})")

#: How far below a chart's `templates` they lie.
_TEMPLATES_UP = 4
#: Environments of a chart.
_MOST_VALUES = 20

T = TypeVar("T")


def at_hand(dockerfile: Path, options: Options, given: Sequence[Path] = ()) -> Options:
    """The options with what the build commands around a Dockerfile say of its platforms. ``given``: CI files besides."""
    return replace(options, built_for=Commands(Repositories(given)).built_for(dockerfile, options.context))


@dataclass(frozen=True)
class _Said:
    """One command's word. ``file`` is None where the Dockerfile is a variable: it may be any that no other command
    names."""

    file: Path | None
    platforms: tuple[str, ...]
    unknown: bool
    source: str


@dataclass(frozen=True)
class ImageBuild:
    """What one command, bake target or Compose service builds. ``context``: None where it is not known; ``names``: what the image is
    called; ``source``: where it stands ("Jenkinsfile:12"); ``by``: "ci" for a CI file, with the scripts that it calls."""

    dockerfile: Path
    context: Path | None
    args: tuple[tuple[str, str], ...]
    target: str | None
    names: tuple[str, ...]
    source: str
    by: Literal["ci", "bake", "compose", "script"]


@dataclass
class Commands:
    """Build commands by the repository that they stand in, each read once."""

    repositories: Repositories = field(default_factory=Repositories)
    _files: dict[tuple[Path, Path], _File | None] = field(default_factory=dict)  # by root and file
    _run: dict[Path, Sequence[Path]] = field(
        default_factory=dict
    )  # files that say how images are run, by root
    _readings: dict[Path, _Reading] = field(default_factory=dict)
    _described: dict[Path, list[Service]] = field(default_factory=dict)  # by root
    _dockerfiles: dict[Path, list[Path] | None] = field(
        default_factory=dict
    )  # by root, see `_two_dockerfiles`

    def built_for(self, dockerfile: Path, context: Path | None = None) -> BuiltFor:
        """What the commands at hand say. Never raises: a file that cannot be read says nothing."""
        try:
            beside = self.repositories.beside(dockerfile, context)
            file, root = beside.file, beside.root
            paths = list(dict.fromkeys([*beside.build, *filter(is_compose, self._run_by(root))]))
            files = [each for path in paths if (each := self._file(root, path)) is not None]
            said = [each for found in files for each in found.said]
            containers, more, unlinked = self._containers(root, file, files)
            reading = self._readings.get(root, _Reading())
        except (OSError, RuntimeError, ValueError):  # circles of links, names that no file can have
            return NOBODY
        own = [each for each in said if each.file == file] or [each for each in said if each.file is None]
        platforms = dict.fromkeys(name for each in own for name in each.platforms)
        sources = dict.fromkeys(each.source for each in own if each.platforms)
        unknown = dict.fromkeys(each.source for each in own if each.unknown)
        if reading.characters < 0:
            unknown[f"{reading.cut}, which is more than is read,"] = None
        return BuiltFor(
            tuple(platforms), tuple(sources), tuple(unknown), containers, reading.cut or more, unlinked
        )

    def image_builds(self, root: Path, folders: Sequence[Path]) -> list[ImageBuild]:
        """The builds that files in a repository and these directories of it name, where their Dockerfile is there. Never
        raises: a file that cannot be read says nothing."""
        top = root.resolve()
        try:
            paths = self.repositories.build_files(top, (top, *(each.resolve() for each in folders)))
        except (OSError, RuntimeError, ValueError):
            return []
        paths = list(dict.fromkeys([*paths, *filter(is_compose, self._run_by(top))]))
        files = [each for path in paths if (each := self._file(top, path)) is not None]
        return [build for file in files for build in file.image_builds]

    def _containers(
        self, root: Path, file: Path, files: Sequence[_File]
    ) -> tuple[tuple[Container, ...], str | None, tuple[str, ...]]:
        """How the image of a Dockerfile is run: by services that build it, by others of the same name beside them, and
        by whatever names the image that is built; where more of them begin than are looked at; and those that may be it,
        see `BuiltFor`."""
        composed = [(each, service) for each in _main_first(files) for service in each.services]
        built: dict[tuple[Path, str | None], Service] = {}
        for by, each in composed:
            if each.build is not None and file in by.built(each.build):
                built.setdefault((by.path.parent, each.name), each)
        found: list[Service] = []
        others: list[Service] = []
        merged = 0
        for by, each in composed:
            first = built.get((by.path.parent, each.name))
            own = each.build is not None and file in by.built(each.build)
            if own:
                found.append(each)
            if first is not None and each is not first and (own or each.build is None):
                merged += len(first.container.environment) + len(first.container.mounts)
                found.append(extended(first, each) if merged < MOST_VALUES else each)
            elif first is None and each.build is None:
                others.append(each)
        names = [each.image for each in built.values() if each.image]
        started = [each for by in files for each in by.started if isinstance(each, Started)]
        others += [
            Service(None, None, each.image, each.container, each.called) for each in started if each.image
        ]
        others += self._of_manifests(root)
        if any(each.image for each in others):
            built_here = [each for by in files for each in by.named]
            called, all_called = (
                Names([*names, *(name for to, name in built_here if to == file)]),
                Names(name for _, name in built_here),
            )
            mine = [each for each in others if each.image and called.has(each.image)]
            others = [each for each in others if each.image and not called.has(each.image)]
            others = [each for each in others if not all_called.has(each.image or "")]
            found += mine
        found += _run_as(started, found)
        kept = tuple(dict.fromkeys([*(each.container for each in found), *_inside(found, files)]))
        more = kept[MOST_CONTAINERS:]
        may_be = tuple(dict.fromkeys(_may_be(others)))
        return (
            kept[:MOST_CONTAINERS],
            next(iter(more[0].places), "a Compose file") if more else None,
            may_be if may_be and self._is_alone(root, file) else (),
        )

    def _of_manifests(self, root: Path) -> list[Service]:
        if root not in self._described:
            manifests = [self._file(root, path) for path in self._run_by(root) if not is_compose(path)]
            self._described[root] = list(_described([each for each in manifests if each is not None]))
        return self._described[root]

    def _is_alone(self, root: Path, file: Path) -> bool:
        """Whether no other Dockerfile is there to make an image."""
        if root not in self._dockerfiles:
            self._dockerfiles[root] = _two_dockerfiles(root)
        found = self._dockerfiles[root]
        return found is not None and all(each == file for each in found)

    def _run_by(self, root: Path) -> Sequence[Path]:
        if root not in self._run:
            self._run[root], end = self.repositories.run_by(root)
            if end is not None:
                self._readings.setdefault(root, _Reading()).end(end)
        return self._run[root]

    def _file(self, root: Path, path: Path) -> _File | None:
        """None for one that cannot be read."""
        if (root, path) not in self._files:
            reading = self._readings.setdefault(root, _Reading())
            text = reading.text(path, shown(root, path))
            self._files[root, path] = (
                _File(root, path, shown(root, path), text, reading) if text is not None else None
            )
        return self._files[root, path]


def _described(files: Sequence[_File]) -> Iterator[Service]:
    """The containers of manifests and charts. A container that names no image is a patch to one of that name, and a
    kustomization may give its image another name."""
    services = [each for file in files for each in file.services]
    images = {each.name: each.image for each in services if each.name and each.image}
    aliases = {name: new for file in files for name, new in file.aliases}
    for each in services:
        image = each.image or images.get(each.name or "")
        if image is not None:
            yield replace(each, image=image)
            new = aliases.get(repository(image_name(image)))
            if new is not None:
                yield replace(each, image=new)


def _run_as(started: Sequence[Started], found: Sequence[Service]) -> list[Service]:
    """Services that Compose runs with another command."""
    parents = {name: each for each in reversed(found) for name in each.called}
    return [
        extended(parents[f"service {each.service}"], Service(None, None, None, each.container, each.called))
        for each in started
        if f"service {each.service}" in parents
    ]


#: What tells of a Java application in what a container runs.
_OF_JAVA = regex(
    r"(?:^|[\s/;&|'\"`(])(java|jcmd|jstack|jmap|jstat|jps|jinfo|jfr)(?:$|[\s;&|'\"`)])|(-javaagent|-agentpath)\b"
)


def _may_be(services: Sequence[Service]) -> Iterator[str]:
    """What is run in images that nothing here builds, where it would count for one that runs Java."""
    for each in services:
        told = (each.container.entrypoint, each.container.command, *each.container.checks)
        said = [(one.where, " ".join(one.words)) for one in told if one is not None]
        said += [(one.where, one.value or "") for one in each.container.environment]
        for where, text in said:
            match = _OF_JAVA.search(text)
            if match is not None and each.image and "${" not in each.image:
                yield f"{where} runs {each.image} with `{match[1] or match[2]}`"
                break


def _two_dockerfiles(root: Path) -> list[Path] | None:
    """The Dockerfiles of a repository, not more than two; None where it is too large to tell."""
    found: list[Path] = []
    for number, (directory, folders, names) in enumerate(os.walk(root)):
        if number > MOST_FOLDERS:
            return None
        folders[:] = [name for name in folders if name not in NOT_LOOKED_INTO]
        for name in names:
            if re.fullmatch(r"(?i)(.*\.)?dockerfile(\..*)?", name) and not name.endswith(".dockerignore"):
                found.append(Path(directory, name))
                if len(found) == 2:
                    return found
    return found


def _inside(found: Sequence[Service], files: Sequence[_File]) -> Iterator[Container]:
    """What commands run in containers that are there."""
    called = {name for each in found for name in each.called}
    for each in (each for file in files for each in file.started):
        if isinstance(each, RunInside) and each.called in called:
            yield Container(checks=(each.check,))


def _text_of(file: Path) -> str | None:
    try:
        return read_file(file, MOST_CHARACTERS).decode("utf-8", "replace")
    except OSError:
        return None


def _is_values(file: Path) -> bool:
    """Whether it holds the values of a chart of Helm: beside the chart, or in a folder of environments in it."""
    name = file.name.lower()
    if not (name.startswith("values") and name.endswith((".yml", ".yaml"))):
        return False
    return any((folder / "Chart.yaml").is_file() for folder in (file.parent, file.parent.parent))


def _main_first(files: Sequence[_File]) -> list[_File]:
    """The Compose files, before those that add to them."""
    composed = [each for each in files if is_compose(each.path)]
    return sorted(composed, key=lambda each: each.path.name.lower() not in AT_ROOT)


@dataclass
class _Located(Checkout):
    """A `Repository` that only finds the Dockerfiles, and keeps each request with what was found."""

    tried: Sequence[str]  # directories below the root that a command without a known one may run in
    requests: list[tuple[Recipe, Request, Path | None, bool]] = field(default_factory=list)

    def __call__(self, request: Request) -> Recipe:
        anywhere = request.dockerfile is None or (request.context is None and not request.dockerfile)
        found = None
        for directory in dict.fromkeys((request.directory, *self.tried)):
            there = [] if anywhere else paths_of(replace(request, directory=directory))
            found = found or next(filter(None, (inside(self.root, path) for path in there)), None)
        recipe = Recipe(None, None, why="only looked for")
        self.requests.append((recipe, request, found.resolve() if found is not None else None, anywhere))
        return recipe

    def maven(self, pom: str, directory: str | None, call: MavenCall) -> str:
        return "only looked for"

    def gradle(self, directory: str | None, names: Sequence[str], without: Sequence[str]) -> str:
        return "only looked for"

    def script(self, path: str, directory: str | None) -> str | None:
        """A Makefile, for targets that others make; scripts of the repository are read by themselves."""
        found = resolved(path, directory) if is_makefile(path.rpartition("/")[2]) else None
        data = content(self.root, found) if found is not None else None
        return None if data is None else data.decode("utf-8", "replace").replace("\r\n", "\n")


#: Whose files are steps; scripts and Makefiles are read by themselves, whatever calls them.
_READ = ("jenkins", "gitlab", "github")


@dataclass(frozen=True)
class _Values:
    """What an environment gives a chart; ``image``: the only one that its file names."""

    roots: tuple[Node, ...]
    image: str | None


@dataclass
class _Reading(Reading):
    """With the texts of the files, each read once."""

    characters: int = MOST_CHARACTERS
    texts: dict[Path, str | None] = field(default_factory=dict)
    charts: dict[Path, list[_Values]] = field(default_factory=dict)  # by chart

    def text(self, path: Path, shown: str) -> str | None:
        """None for a file that cannot be read, or that there is no room for."""
        if path not in self.texts:
            text = _text_of(path)
            if text is not None and len(text) > _MAX_BYTES:
                of_yaml = path.name.lower().endswith((".yml", ".yaml"))
                if is_compose(path) or (has_a_pod(text) if of_yaml else _SPEAKS.search(text)):
                    self.end(shown)
                text = None
            self.characters -= len(text or "")
            if self.characters < 0:
                self.end(shown)
                text = None
            self.texts[path] = text
        return self.texts[path]

    def charts_values(self, chart: Path, root: Path) -> Sequence[_Values]:
        """A chart's own values first, then those of its environments, each with the chart's own behind it."""
        if chart not in self.charts:
            self.charts[chart] = list(self._values(chart, root))
        return self.charts[chart]

    def _values(self, chart: Path, root: Path) -> Iterator[_Values]:
        files = sorted(each for pattern in ("*", "*/*") for each in chart.glob(pattern) if _is_values(each))
        files.sort(key=lambda each: each.parent != chart or each.stem.lower() != "values")
        main: list[Node] = []
        for number, file in enumerate(files):
            name = shown(root, file)
            if number == _MOST_VALUES:
                self.end(name)
                return
            text = self.text(file, name)
            if text is None:
                continue
            named = {each.image for each in chart_values(text, name, self)}
            roots = values_of(text, name, self)
            yield _Values((*roots, *main), named.pop() if len(named) == 1 else None)
            main = main or roots


@dataclass
class _File:
    root: Path
    path: Path
    shown: str
    text: str
    reading: _Reading
    _found: dict[tuple[str, str], list[Path | None]] = field(default_factory=dict)

    @cached_property
    def said(self) -> Sequence[_Said]:
        includes = is_makefile(self.path.name) and _INCLUDES.search(self.text) is not None
        return self._unless_broken(self._said) if includes or _SPEAKS.search(self.text) else ()

    @cached_property
    def may_name(self) -> bool:
        """Whether it may build an image that has a name."""
        return _BUILDS.search(self.text) is not None

    @cached_property
    def named(self) -> Sequence[tuple[Path, str]]:
        """The Dockerfiles that its commands build, with the names of the images."""
        return self._unless_broken(self._named) if self.may_name else ()

    @cached_property
    def services(self) -> Sequence[Service]:
        if is_manifest(self.text):
            return self._of_chart()
        if _is_values(self.path):
            return chart_values(self.text, self.shown, self.reading)
        if not is_compose(self.path):
            return ()
        return compose_services(self.text, self.shown, self._beside, self.reading)

    @cached_property
    def started(self) -> Sequence[Started | RunInside]:
        """What its commands start, and run in containers."""
        return self._unless_broken(self._started) if _RUNS.search(self.text) else ()

    @property
    def aliases(self) -> Sequence[tuple[str, str]]:
        lower = self.path.name.lower()
        return (
            list(image_aliases(self.text, self.shown, self.reading))
            if lower.startswith("kustomization.")
            else ()
        )

    def _of_chart(self) -> Sequence[Service]:
        """The containers of a manifest. An image that a template takes from its chart's values is the one that these give it,
        or the only one that they name, in each environment."""
        folder = next((each for each in self.path.parents[:_TEMPLATES_UP] if each.name == "templates"), None)
        values: Sequence[_Values] = ()
        if folder is not None and "{{" in self.text:
            values = self.reading.charts_values(folder.parent, self.root)
        found = dict.fromkeys(each for one in values for each in self._in_environment(one))
        return [*found] if values else manifest_services(self.text, self.shown, self.reading)

    def _in_environment(self, values: _Values) -> Iterator[Service]:
        for each in manifest_services(with_images(self.text, values.roots), self.shown, self.reading):
            yield replace(each, image=values.image) if "{" in (each.image or "") else each

    def built(self, target: Target) -> list[Path | None]:
        """The Dockerfile of a target, as bake (from where it is called) and compose (beside the file) find it."""
        context, dockerfile = target.context or ".", target.dockerfile or "Dockerfile"
        if "$" in context + dockerfile:
            return [None]
        if (context, dockerfile) not in self._found:
            self._found[context, dockerfile] = self._looked_for(context, dockerfile)
        return self._found[context, dockerfile]

    def _looked_for(self, context: str, dockerfile: str) -> list[Path | None]:
        for start in (self._folder, ""):
            for folder in (f"{start}/{context}", start):
                found = inside(self.root, _plain(f"{folder}/{dockerfile}"))
                if found is not None:
                    return [found.resolve()]
        return []

    def _beside(self, name: str) -> str | None:
        found = inside(self.root, _plain(f"{self._folder}/{name}"))
        return self.reading.text(found, shown(self.root, found)) if found is not None else None

    def _unless_broken(self, read: Callable[[], Iterator[T]]) -> list[T]:
        try:
            return list(read())
        except (ImgoptError, RecursionError):
            return []  # a CI file that cannot be read has its own report

    def _said(self) -> Iterator[_Said]:
        lower = self.path.name.lower()
        if lower.endswith(".hcl"):
            yield from self._targets(hcl_targets(self.text))
        elif lower.endswith(".json"):
            yield from self._targets(json_targets(self.text))
        elif is_compose(self.path):
            yield from self._targets(compose_targets(self.text, self.shown))
        else:
            yield from self._commands()
        yield from self._set()

    def _started(self) -> Iterator[Started | RunInside]:
        return containers_of(self._read[0].ran, self.shown)

    def _named(self) -> Iterator[tuple[Path, str]]:
        for build, _, file, _ in self._builds:
            if file is not None:
                yield from ((file, name) for name in build.names)

    @property
    def _folder(self) -> str:
        """Its directory below the repository."""
        folder = self.path.parent
        return folder.relative_to(self.root).as_posix() if folder.is_relative_to(self.root) else ""

    def _steps(self) -> Sequence[Step | Action | Rules]:
        lower = self.path.name.lower()
        kind = kind_of(self.path, self.text.encode("utf-8", "replace"))
        system = kind.system if kind is not None else None
        if system not in _READ:
            if lower.endswith((".sh", ".bash")):
                return [Step(Text.whole(self.text), (), Place(directory=self._folder))]
            if is_makefile(lower):
                return [Rules(Text.whole(self.text), (), Place(directory=self._folder), self.path.name)]
            return []
        text = self.text.removeprefix("\ufeff").replace("\r\n", "\n")
        around = Around(partial(content, self.root))
        if system == "jenkins":
            from imgopt.pipelines import jenkins

            return jenkins.read(text, around.file).steps
        from imgopt.pipelines import github, gitlab

        read = gitlab.read if system == "gitlab" else github.read
        return read(text, self.shown, around)[0]

    @cached_property
    def _read(self) -> tuple[Found, _Located]:
        repository = _Located(self.root, ("", self._folder))
        return find(self._steps(), repository), repository

    @cached_property
    def _builds(self) -> Sequence[tuple[Build, Request, Path | None, bool]]:
        found, repository = self._read
        asked = {
            id(recipe): (request, file, anywhere) for recipe, request, file, anywhere in repository.requests
        }
        pairs = ((build, asked.get(id(build.recipe))) for build in found.builds)
        return [(build, *of) for build, of in pairs if of is not None]

    @cached_property
    def image_builds(self) -> Sequence[ImageBuild]:
        return self._unless_broken(self._image_builds)

    def _image_builds(self) -> Iterator[ImageBuild]:
        lower = self.path.name.lower()
        composed = is_compose(self.path)
        if composed or lower.endswith((".hcl", ".json")):
            if composed:
                targets = compose_targets(self.text, self.shown)
            else:
                targets = hcl_targets(self.text) if lower.endswith(".hcl") else json_targets(self.text)
            by: Literal["compose", "bake"] = "compose" if composed else "bake"
            for target in targets:
                args = tuple(
                    (name, value) for name, _, value in (each.partition("=") for each in target.args)
                )
                known = tuple((name, value) for name, value in args if "$" not in value)
                source, context = f"{self.shown}:{target.line}", self._context_of(target)
                for file in self.built(target):
                    if file is not None:
                        yield ImageBuild(file, context, known, target.stage, target.tags, source, by)
            return
        kind = kind_of(self.path, self.text.encode("utf-8", "replace"))
        by_ci = kind is not None and kind.system in _READ
        for build, request, file, _ in self._builds:
            if file is not None:
                below = context_of(request)
                folder = self.root / below if below is not None else None
                there_is = folder if folder is not None and folder.is_dir() else None
                source = f"{self.shown}:{build.line}"
                told = request.build_args
                yield ImageBuild(
                    file, there_is, told, request.target, build.names, source, "ci" if by_ci else "script"
                )

    def _context_of(self, target: Target) -> Path | None:
        for start in (self._folder, ""):
            below = _plain(f"{start}/{target.context or '.'}")
            if "$" not in below and not below.startswith("..") and (self.root / below).is_dir():
                return self.root / below
        return None

    def _commands(self) -> Iterator[_Said]:
        for build, request, file, anywhere in self._builds:
            platforms, unknown = named_platforms(request.platform)
            if (file is not None or anywhere) and (platforms or unknown):
                yield _Said(file, platforms, unknown, f"{self.shown}:{build.line}")

    def _targets(self, targets: Sequence[Target]) -> Iterator[_Said]:
        for target in targets:
            if not self.reading.spend(OF_A_SERVICE, f"{self.shown}:{target.line}"):
                return
            platforms, unknown = named_platforms(",".join(target.platforms))
            file = self.built(target)
            if platforms or unknown:
                yield from (_Said(each, platforms, unknown, f"{self.shown}:{target.line}") for each in file)

    def _set(self) -> Iterator[_Said]:
        """``docker buildx bake --set '*.platform=…'``, also as the input of Docker's action: of which target's
        Dockerfile is not followed."""
        if "bake" not in self.text:
            return
        for match in _SET.finditer(self.text):
            platforms, unknown = named_platforms(match[1])
            line = self.text.count("\n", 0, match.start()) + 1
            if platforms or unknown:
                yield _Said(None, platforms, unknown, f"{self.shown}:{line}")


def _plain(path: str) -> str:
    import posixpath

    return posixpath.normpath(path.lstrip("/") or ".")
