"""What a repository's own files say of a Dockerfile's image: the platforms that build commands name (CI files, scripts,
Makefiles, bake and compose files), and how Compose files and manifests run it.

An image that is built for several platforms stands on a base that has all of them; one that is missing ends the build.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgopt.errors import ImgoptError
from imgopt.files.opening import read_file
from imgopt.options import NOBODY, BuiltFor, Container, Options, named_platforms
from imgopt.pipelines import checkout
from imgopt.pipelines.around import Around
from imgopt.pipelines.bake import Target, compose_targets, hcl_targets, json_targets
from imgopt.pipelines.commands import Request
from imgopt.pipelines.containers import (
    Service,
    compose_services,
    extended,
    is_manifest,
    is_same_image,
    manifest_services,
)
from imgopt.pipelines.kinds import kind_of, worth_a_look
from imgopt.pipelines.model import Place, Recipe, Step, Text
from imgopt.pipelines.recipes import paths_of
from imgopt.pipelines.scripts import find

if TYPE_CHECKING:
    from imgopt.pipelines.model import Action, Build

#: Larger files are no build files of people.
_MAX_BYTES = 400_000
_MOST_FILES = 300
#: How far above a Dockerfile its repository is looked for where no checkout says where it begins.
_MOST_UP = 6
#: Without one of these words a file says nothing of platforms.
_SPEAKS = re.compile(r"platform|--arch|\barm|aarch64", re.IGNORECASE)
#: Without one of these nothing of the name of an image.
_BUILDS = re.compile(r"docker|buildx|build-push|kaniko|podman|buildah|executor", re.IGNORECASE)
#: Directories in which manifests lie, and what they are called elsewhere.
_MANIFESTS = re.compile(
    r"\.?(k8s?|kube|kubernetes|openshift|ocp|manifests?|deploy(ments?)?|infra(structure)?|ops|argocd?|gitops)",
    re.IGNORECASE,
)
_MANIFEST = re.compile(
    r"(k8s|kube|kubernetes|deploy(ment)?|pod|statefulset|cron-?job)[\w.-]*\.ya?ml|[\w.-]*(deployment|k8s|pod)\.ya?ml",
    re.IGNORECASE,
)
_NOT_LOOKED_INTO = frozenset({".git", ".gradle", ".idea", ".venv", "build", "node_modules", "src", "target"})
#: How far below the root of a repository manifests are looked for: `services/orders/k8s/overlays/prod`.
_MOST_DOWN = 5
_MOST_FOLDERS = 2_000
#: Where repositories keep the scripts that build them.
_FOLDERS = (
    "",
    "scripts",
    "script",
    "ci",
    ".ci",
    "bin",
    "build",
    "hack",
    "docker",
    "tools",
    ".github/scripts",
)
_SET = re.compile(r"(?<![\w*.-])[\w*-][\w*.-]{0,100}\.platform=[\"']?([^\s\"'\\]{1,500})")

Resolve = Callable[[str], Path | None]


def at_hand(dockerfile: Path, options: Options, given: Sequence[Path] = ()) -> Options:
    """The options with what the build commands around a Dockerfile say of its platforms. ``given``: CI files besides."""
    return replace(options, built_for=Commands(given).built_for(dockerfile, options.context))


@dataclass(frozen=True)
class _Said:
    """One command's word. ``file`` is None where the Dockerfile is a variable: it may be any that no other command
    names."""

    file: Path | None
    platforms: tuple[str, ...]
    unknown: bool
    source: str


@dataclass
class Commands:
    """Build commands by the repository that they stand in, each read once. ``given``: CI files that are named on the
    command line, whatever they are called."""

    given: Sequence[Path] = ()
    _known: dict[tuple[Path, Path], list[_Said]] = field(default_factory=dict)  # by root and file
    _run: dict[tuple[Path, Path], list[Service]] = field(default_factory=dict)  # the same
    _manifests: dict[Path, list[Path]] = field(default_factory=dict)  # by root
    _names: dict[tuple[Path, Path], list[tuple[Path, str]]] = field(default_factory=dict)  # the same

    def built_for(self, dockerfile: Path, context: Path | None = None) -> BuiltFor:
        """What the commands at hand say. Never raises: a file that cannot be read says nothing."""
        try:
            file = dockerfile.resolve()
            root = _root_of(file)
            folders = _between(root, file.parent)
            if context is not None and context.resolve().is_relative_to(root):
                folders += _between(root, context.resolve())
            files = _build_files(root, tuple(dict.fromkeys(folders)), self.given)
            said = [each for path in files for each in self._said(root, path)]
            containers = self._containers(root, file, files)
        except (OSError, RuntimeError, ValueError):  # circles of links, names that no file can have
            return NOBODY
        own = [each for each in said if each.file == file] or [each for each in said if each.file is None]
        platforms = dict.fromkeys(name for each in own for name in each.platforms)
        sources = dict.fromkeys(each.source for each in own if each.platforms)
        unknown = dict.fromkeys(each.source for each in own if each.unknown)
        return BuiltFor(tuple(platforms), tuple(sources), tuple(unknown), containers)

    def _containers(self, root: Path, file: Path, files: Sequence[Path]) -> tuple[Container, ...]:
        """How the image of a Dockerfile is run: by services that build it, by others of the same name beside them, and
        by whatever names the image that is built."""
        composed = [(path, each) for path in _main_first(files) for each in self._services(root, path)]
        built: dict[tuple[Path, str | None], Service] = {}
        for path, each in composed:
            if each.build is not None and file in _built(root, _folder(root, path), each.build):
                built.setdefault((path.parent, each.name), each)
        found: list[Service] = []
        others: list[Service] = []
        for path, each in composed:
            first = built.get((path.parent, each.name))
            own = each.build is not None and file in _built(root, _folder(root, path), each.build)
            if own:
                found.append(each)
            if first is not None and each is not first and (own or each.build is None):
                found.append(extended(first, each))
            elif first is None and each.build is None:
                others.append(each)
        if root not in self._manifests:
            self._manifests[root] = _manifests(root)
        others += [each for path in self._manifests[root] for each in self._services(root, path)]
        if any(each.image for each in others):
            names = [each.image for each in built.values() if each.image]
            names += [name for path in files for to, name in self._named(root, path) if to == file]
            found += [
                each
                for each in others
                if each.image and any(is_same_image(each.image, name) for name in names)
            ]
        return tuple(dict.fromkeys(each.container for each in found))

    def _services(self, root: Path, path: Path) -> list[Service]:
        if (root, path) not in self._run:
            self._run[root, path] = _services_of(root, path)
        return self._run[root, path]

    def _named(self, root: Path, path: Path) -> list[tuple[Path, str]]:
        if (root, path) not in self._names:
            text = _text_of(path)
            named: list[tuple[Path, str]] = []
            if text is not None and _BUILDS.search(text):
                try:
                    named = list(_File(root, path, _shown(root, path), text).named())
                except (ImgoptError, RecursionError):
                    named = []  # a CI file that cannot be read has its own report
            self._names[root, path] = named
        return self._names[root, path]

    def _said(self, root: Path, file: Path) -> list[_Said]:
        if (root, file) not in self._known:
            self._known[root, file] = _read(root, file)
        return self._known[root, file]


def _root_of(file: Path) -> Path:
    """The checkout that a file lies in; without one the nearest directory that has files of a repository."""
    above = file.parents
    checkout = next((each for each in above if (each / ".git").exists()), None)
    if checkout is not None:
        return checkout
    return next((each for each in above[:_MOST_UP] if _is_root(each)), file.parent)


#: What lies at the root of a repository, where no checkout says that it is one.
_AT_ROOT = (
    ".github/workflows",
    ".gitlab-ci.yml",
    "Jenkinsfile",
    "docker-bake.hcl",
    "docker-bake.json",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
)


def _is_root(directory: Path) -> bool:
    return any((directory / name).exists() for name in _AT_ROOT)


def _between(root: Path, directory: Path) -> list[Path]:
    """The directories from one down to another, and where each has its scripts."""
    found = [root]
    for part in directory.relative_to(root).parts:
        found.append(found[-1] / part)
    return found


def _build_files(root: Path, folders: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """The files that may hold build commands, each once."""
    found = dict.fromkeys(path.resolve() for path in (*given, *_candidates(root, folders)) if path.is_file())
    return list(found)[:_MOST_FILES]


def _read(root: Path, file: Path) -> list[_Said]:
    text = _text_of(file)
    if text is None or not _SPEAKS.search(text):
        return []
    try:
        return list(_File(root, file, _shown(root, file), text).said())
    except (ImgoptError, RecursionError):
        return []  # a CI file that cannot be read has its own report


def _text_of(file: Path) -> str | None:
    try:
        data = read_file(file, _MAX_BYTES + 1)
    except OSError:
        return None
    return data.decode("utf-8", "replace") if len(data) <= _MAX_BYTES else None


def _shown(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _folder(root: Path, file: Path) -> str:
    """The directory of a file below the repository."""
    return file.parent.relative_to(root).as_posix() if file.parent.is_relative_to(root) else ""


def _services_of(root: Path, file: Path) -> list[Service]:
    text = _text_of(file)
    if text is None:
        return []
    if is_manifest(text):
        return manifest_services(text, _shown(root, file))
    if not _is_compose(file):
        return []

    def beside(name: str) -> str | None:
        found = inside(root, _plain(f"{_folder(root, file)}/{name}"))
        return _text_of(found) if found is not None else None

    return compose_services(text, _shown(root, file), beside)


def _is_compose(file: Path) -> bool:
    name = file.name.lower()
    return "compose" in name and name.endswith((".yml", ".yaml"))


def _main_first(files: Sequence[Path]) -> list[Path]:
    """The Compose files, before those that add to them."""
    return sorted(filter(_is_compose, files), key=lambda file: file.name.lower() not in _AT_ROOT)


def _manifests(root: Path) -> list[Path]:
    """Plain manifests where repositories keep them, those near the root first."""
    found: list[Path] = []
    waiting = deque([(root, 0, False)])
    for _ in range(_MOST_FOLDERS):
        if not waiting or len(found) >= _MOST_FILES:
            break
        directory, depth, inside_ = waiting.popleft()
        for entry in _listed(directory, lambda name: name not in _NOT_LOOKED_INTO):
            named = inside_ or bool(_MANIFESTS.fullmatch(entry.name))
            if entry.is_symlink():
                continue
            if entry.suffix in (".yml", ".yaml"):
                if inside_ or _MANIFEST.fullmatch(entry.name):
                    found.append(entry)
            elif depth < _MOST_DOWN and (named or not entry.name.startswith(".")) and entry.is_dir():
                waiting.append((entry, depth + 1, named))
    return found[:_MOST_FILES]


def _candidates(root: Path, folders: Sequence[Path]) -> Iterator[Path]:
    workflows = root / ".github" / "workflows"
    yield from _listed(workflows, lambda name: name.endswith((".yml", ".yaml")))
    for folder in folders:
        yield from _listed(folder, _is_build_file)
        for name in _FOLDERS[1:]:
            yield from _listed(folder / name, _is_build_file)


def _listed(directory: Path, wanted: Callable[[str], bool]) -> list[Path]:
    try:
        return sorted(each for each in directory.iterdir() if wanted(each.name))
    except OSError:
        return []


def _is_build_file(name: str) -> bool:
    lower = name.lower()
    if lower.endswith((".sh", ".bash", ".hcl", ".mk")) or lower in ("makefile", "gnumakefile"):
        return True
    if lower.endswith((".yml", ".yaml")):
        return "compose" in lower or lower.startswith(".gitlab-ci")
    return (lower.endswith(".json") and "bake" in lower) or worth_a_look(Path(name))


@dataclass
class _Located:
    """A `Repository` that only finds the Dockerfiles, and keeps each request with what was found."""

    root: Path
    tried: Sequence[str]  # directories below the root that a command without a known one may run in
    requests: list[tuple[Request, Path | None, bool]] = field(default_factory=list)

    def __call__(self, request: Request) -> Recipe:
        anywhere = request.dockerfile is None or (request.context is None and not request.dockerfile)
        found = None
        for directory in dict.fromkeys((request.directory, *self.tried)):
            there = [] if anywhere else paths_of(replace(request, directory=directory))
            found = found or next(filter(None, (inside(self.root, path) for path in there)), None)
        self.requests.append((request, found.resolve() if found is not None else None, anywhere))
        return Recipe(None, None, why="only looked for")

    def script(self, path: str, directory: str | None) -> str | None:
        return None  # scripts of the repository are read by themselves

    def kind(self, path: str, directory: str | None) -> Literal["file", "directory"] | None:
        return checkout.kind(self.root, path, directory)

    def matching(self, pattern: str, directory: str | None) -> list[str] | None:
        return checkout.matching(self.root, pattern, directory)

    def walked(self, top: str, directory: str | None, name: str, wanted: str | None) -> list[str] | None:
        return checkout.walked(self.root, top, directory, name, wanted)


def inside(root: Path, path: str) -> Path | None:
    """A file below the repository; None for what lies elsewhere or is none."""
    if path.startswith("..") or "\0" in path or len(path) > 1000:
        return None
    file = root / path
    try:
        if file.is_file() and file.resolve().is_relative_to(root.resolve()):
            return file
    except (OSError, RuntimeError, ValueError):
        pass
    return None


#: Whose files are steps; scripts and Makefiles are read line by line, whatever is called.
_READ = ("jenkins", "gitlab", "github")


@dataclass
class _File:
    root: Path
    path: Path
    shown: str
    text: str

    def said(self) -> Iterator[_Said]:
        lower = self.path.name.lower()
        if lower.endswith(".hcl"):
            yield from self._targets(hcl_targets(self.text))
        elif lower.endswith(".json"):
            yield from self._targets(json_targets(self.text))
        elif _is_compose(self.path):
            yield from self._targets(compose_targets(self.text, self.shown))
        else:
            yield from self._commands()
        yield from self._set()

    def named(self) -> Iterator[tuple[Path, str]]:
        """The Dockerfiles that its commands build, with the names of the images."""
        for build, _, file, _ in self._builds():
            if file is not None:
                yield from ((file, name) for name in build.names)

    @property
    def _folder(self) -> str:
        return _folder(self.root, self.path)

    def _steps(self) -> Sequence[Step | Action]:
        from imgopt.pipelines import github, gitlab, jenkins

        lower = self.path.name.lower()
        kind = kind_of(self.path, self.text.encode("utf-8", "replace"))
        system = kind.system if kind is not None else None
        if system not in _READ:
            if lower.endswith((".sh", ".bash")):
                return [Step(Text.whole(self.text), (), Place(directory=self._folder))]
            if lower.endswith(".mk") or lower in ("makefile", "gnumakefile"):
                return [Step(_recipe_lines(self.text), (), Place(directory=self._folder))]
            return []
        text = self.text.removeprefix("\ufeff").replace("\r\n", "\n")
        if system == "jenkins":
            return jenkins.read(text, partial(_file_of, self.root)).steps
        read = gitlab.read if system == "gitlab" else github.read
        return read(text, self.shown, Around(partial(_file_of, self.root)))[0]

    def _builds(self) -> Iterator[tuple[Build, Request, Path | None, bool]]:
        repository = _Located(self.root, ("", self._folder))
        builds = find(self._steps(), repository).builds
        for build, (request, file, anywhere) in zip(builds, repository.requests, strict=False):
            yield build, request, file, anywhere

    def _commands(self) -> Iterator[_Said]:
        for build, request, file, anywhere in self._builds():
            platforms, unknown = named_platforms(request.platform)
            if (file is not None or anywhere) and (platforms or unknown):
                yield _Said(file, platforms, unknown, f"{self.shown}:{build.line}")

    def _targets(self, targets: Sequence[Target]) -> Iterator[_Said]:
        for target in targets:
            platforms, unknown = named_platforms(",".join(target.platforms))
            file = _built(self.root, self._folder, target)
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


def _built(root: Path, start: str, target: Target) -> list[Path | None]:
    """The Dockerfile of a target, as bake (from where it is called) and compose (beside the file) find it. ``start``: the
    directory of the file that names it."""
    context, dockerfile = target.context or ".", target.dockerfile or "Dockerfile"
    if "$" in context + dockerfile:
        return [None]
    for each in (start, ""):
        for folder in (f"{each}/{context}", each):
            found = inside(root, _plain(f"{folder}/{dockerfile}"))
            if found is not None:
                return [found.resolve()]
    return []


def _plain(path: str) -> str:
    import posixpath

    return posixpath.normpath(path.lstrip("/") or ".")


def _file_of(root: Path, name: str) -> bytes | None:
    file = inside(root, name)
    try:
        return read_file(file, 100_000) if file is not None else None
    except OSError:
        return None


_ASSIGNED = re.compile(r"^(?:export\s+|override\s+)?([\w.-]+)\s*(?:::?=|\?=|=)\s*(.*)$")
_MADE = re.compile(r"\$[({]([\w.-]+)[)}]")


def _recipe_lines(text: str) -> Text:
    """The recipes of a Makefile as shell text, make's variables by their values in the file."""
    variables: dict[str, str] = {}
    recipes: list[tuple[int, str]] = []
    joined = re.sub(r"\\\n", lambda _: "\x00", text)
    number = 1
    for line in joined.split("\n"):
        plain = line.replace("\x00", " ")
        if line.startswith("\t"):
            recipes.append((number, plain.lstrip("\t@-+ ")))
        elif match := _ASSIGNED.match(plain.split(" #")[0]):
            variables.setdefault(match[1], match[2].strip()[:1_000])
        number += 1 + line.count("\x00")

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1], f"${{{match[1].replace('.', '_').replace('-', '_')}}}")

    lines, breaks, size = [], [], 0
    for number, line in recipes:
        for _ in range(5):
            filled = _MADE.sub(value, line)
            if filled == line:
                break
            line = filled[:10_000]
        line = line.replace("$$", "$")
        breaks.append((size, number))
        lines.append(line)
        size += len(line) + 1
    return Text("\n".join(lines), tuple(breaks) or ((0, 1),))
