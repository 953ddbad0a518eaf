"""Which files of a repository may say how a Dockerfile's image is built and run: found by their names, and not read."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field
from imgopt.pipelines.kinds import is_makefile, worth_a_look

_MOST_FILES = 1_000
#: How far above a Dockerfile its repository is looked for where no checkout says where it begins.
_MOST_UP = 6
#: Directories in which manifests lie, and what they are called elsewhere.
_MANIFESTS = regex(
    r"\.?(k8s?|kube|kubernetes|openshift|ocp|manifests?|deploy(ments?)?|infra(structure)?|ops|argocd?|gitops|helm|charts?|"
    r"kustomize)",
    re.IGNORECASE,
)
_MANIFEST = regex(
    r"(k8s|kube|kubernetes|deploy(ment)?|pod|statefulset|cron-?job)[\w.-]*\.ya?ml|[\w.-]*(deployment|k8s|pod)\.ya?ml",
    re.IGNORECASE,
)
NOT_LOOKED_INTO = frozenset({".git", ".gradle", ".idea", ".venv", "build", "node_modules", "src", "target"})
#: How far below the root of a repository manifests are looked for: `services/orders/k8s/overlays/prod`.
_MOST_DOWN = 5
MOST_FOLDERS = 2_000
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


@dataclass(frozen=True)
class Beside:
    """What lies around a Dockerfile, ``file``: CI files, scripts and the like (``build``); Compose files and manifests
    (``run``), and the first that was not looked for any more (``cut``)."""

    file: Path
    root: Path
    build: Sequence[Path]
    run: Sequence[Path]
    cut: str | None


@dataclass
class Repositories:
    """Each looked through once. ``given``: CI files that are named on the command line, whatever they are called."""

    given: Sequence[Path] = ()
    _run: dict[Path, tuple[list[Path], str | None]] = field(default_factory=dict)  # by root
    _beside: dict[tuple[Path, Path | None], Beside] = field(default_factory=dict)

    def beside(self, dockerfile: Path, context: Path | None = None) -> Beside:
        """OSError, RuntimeError or ValueError for circles of links and for names that no file can have."""
        key = (dockerfile, context)
        if key not in self._beside:
            self._beside[key] = self._looked_up(dockerfile.resolve(), context)
        return self._beside[key]

    def _looked_up(self, file: Path, context: Path | None) -> Beside:
        root = _root_of(file)
        folders = _between(root, file.parent)
        if context is not None and context.resolve().is_relative_to(root):
            folders += _between(root, context.resolve())
        return Beside(file, root, self.build_files(root, folders), *self.run_by(root))

    def build_files(self, root: Path, folders: Sequence[Path]) -> list[Path]:
        """CI files, scripts and the like, of a repository and of these directories of it; raises as `beside` does."""
        return _build_files(root, tuple(dict.fromkeys(folders)), self.given)

    def run_by(self, root: Path) -> tuple[list[Path], str | None]:
        """Compose files and manifests of a repository, and the first that was not looked for any more."""
        if root not in self._run:
            self._run[root] = _run_by(root)
        return self._run[root]

    def has(self, dockerfile: Path, context: Path | None = None) -> bool:
        """Whether anything lies beside it."""
        try:
            beside = self.beside(dockerfile, context)
        except (OSError, RuntimeError, ValueError):
            return False
        return bool(beside.build or beside.run or beside.cut)


def _root_of(file: Path) -> Path:
    """The checkout that a file lies in; without one the nearest directory that has files of a repository."""
    above = file.parents
    checkout = next((each for each in above if (each / ".git").exists()), None)
    if checkout is not None:
        return checkout
    return next((each for each in above[:_MOST_UP] if _is_root(each)), file.parent)


#: What lies at the root of a repository, where no checkout says that it is one.
AT_ROOT = (
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
    return any((directory / name).exists() for name in AT_ROOT)


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


def shown(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def is_compose(file: Path) -> bool:
    name = file.name.lower()
    return "compose" in name and name.endswith((".yml", ".yaml"))


def _run_by(root: Path) -> tuple[list[Path], str | None]:
    """Compose files wherever they lie, and plain manifests where repositories keep them, those near the root first. Where it
    was not looked any further, None for a repository of which all was seen."""
    found: list[Path] = []
    waiting = deque([(root, 0, False)])
    for _ in range(MOST_FOLDERS):
        if not waiting or len(found) > _MOST_FILES:
            break
        directory, depth, inside_ = waiting.popleft()
        try:
            with os.scandir(directory) as entries:
                kept = sorted((e for e in entries if e.name not in NOT_LOOKED_INTO), key=lambda e: e.name)
        except OSError:
            continue
        for entry in kept:
            if entry.is_symlink():
                continue
            if entry.name.endswith((".yml", ".yaml")):
                path = Path(entry.path)
                if inside_ or _MANIFEST.fullmatch(entry.name) or is_compose(path):
                    found.append(path)
            elif depth < _MOST_DOWN and entry.is_dir():
                named = inside_ or _MANIFESTS.fullmatch(entry.name) is not None
                if named or not entry.name.startswith("."):
                    waiting.append((Path(entry.path), depth + 1, named))
    end = found[_MOST_FILES] if len(found) > _MOST_FILES else waiting[0][0] if waiting else None
    return found[:_MOST_FILES], None if end is None else shown(root, end)


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
    if lower.endswith((".sh", ".bash", ".hcl")) or is_makefile(lower):
        return True
    if lower.endswith((".yml", ".yaml")):
        return "compose" in lower or lower.startswith(".gitlab-ci")
    return (lower.endswith(".json") and "bake" in lower) or worth_a_look(Path(name))
