"""Which Dockerfile makes which module's image: by what it copies, then by where it lies and what it is called.

Where a module has several, the one that CI builds counts; the others are named, so that nothing is counted twice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgopt.dockerfile import Dockerfile, expand, parse, scopes
from imgopt.errors import ContextError, ImgoptError
from imgopt.fleet.modules import Module, Repository
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.pipelines.recipes import unused
from imgopt.pipelines.tools import repository as without_tag

if TYPE_CHECKING:
    from imgopt.pipelines.platforms import Commands

By = Literal["ci", "bake", "compose", "script", "nobody"]
#: Who says that an image is built so, the surest first.
_ORDER: tuple[By, ...] = ("ci", "bake", "compose", "script", "nobody")
_WHO = {
    "ci": "the one that CI builds was taken",
    "bake": "the one of the bake file was taken",
    "compose": "the one of the Compose file was taken",
    "script": "the one that a script builds was taken",
    "nobody": "the one that lies nearest to the module was taken",
}
_OUTPUT = regex(r"(?:^|/)(?:target|build/libs|build/install)(?:/|$)")
_ARCHIVE = regex(r"\.[jw]ar$")
_BUILDS = regex(r"\b(?:mvnw?|gradlew?)\b")
#: How surely a Dockerfile is a module's.
_PATH, _FILE, _NAMED, _CONTEXT, _BESIDE, _CALLED = 6, 5, 4, 3, 2, 1


@dataclass(frozen=True)
class Image:
    """A module's image. ``dockerfile`` as the user would write it; ``context``: None where the Dockerfile has to tell; ``source``:
    the command that builds it, None where nothing does; ``names``: what it calls the image."""

    module: Module
    dockerfile: Path
    context: Path | None = None
    args: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    names: tuple[str, ...] = ()
    source: str | None = None
    by: By = "nobody"

    @property
    def shared_file(self) -> tuple[Path, tuple[tuple[str, str], ...], str | None, Path | None]:
        """What makes it: two commands with the same of it make one image."""
        return (self.dockerfile, self.args, self.target, self.context)


@dataclass(frozen=True)
class LeftOut:
    """A module, or a Dockerfile, that no figure counts, and why not."""

    what: str
    why: str
    module: str | None = None  # its directory


@dataclass(frozen=True)
class Found:
    images: tuple[Image, ...]
    left_out: tuple[LeftOut, ...]
    errors: tuple[ImgoptError, ...] = ()  # of Dockerfiles and build files that cannot be read


@dataclass(frozen=True)
class _Candidate:
    image: Image
    score: int


def find_images(repository: Repository, commands: Commands) -> Found:
    """An image for each module whose archive a Dockerfile ships, in the order of the modules. A Dockerfile that cannot be
    read is left out with its reason."""
    from imgopt.discover import discover

    root = repository.root
    dockerfiles = {path.resolve(): path for path in discover([root])}
    folders = {path.parent for path in dockerfiles} | {
        root.resolve() / m.directory for m in repository.modules
    }
    builds = commands.image_builds(root, sorted(folders))
    left: list[LeftOut] = []
    candidates: list[_Candidate] = []
    claimed: set[Path] = set()
    known = _Names(repository)
    documents = _Documents()
    for build in builds:
        path = dockerfiles.get(build.dockerfile) or _as_written(root, build.dockerfile)
        context = _as_written(root, build.context) if build.context is not None else None
        claimed.add(build.dockerfile)
        shown = _below(root, path)
        for document in documents.of(path, shown, left):
            image = Image(
                known.any, path, context, build.args, build.target, build.names, build.source, build.by
            )
            candidates += _candidates(known, document, image, shown)
    for real, path in dockerfiles.items():
        if real not in claimed:
            shown = _below(root, path)
            for document in documents.of(path, shown, left):
                candidates += _candidates(known, document, Image(known.any, path), shown)
    chosen, others = _chosen(candidates, root)
    left += others
    taken = {image.dockerfile for image in chosen}
    named = {each.image.dockerfile for each in candidates}
    for path in dockerfiles.values():
        if path not in taken and path not in named and not documents.is_broken(path):
            left.append(LeftOut(_below(root, path), "copies no archive of a module"))
    with_image = {image.module.directory for image in chosen}
    for module in repository.modules:
        if module.problem is not None:
            left.append(LeftOut(module.build_file, f"cannot be read: {module.problem}", module.directory))
            hint = "fix the file"
            documents.errors.append(ContextError(module.problem, hint, path=str(root / module.build_file)))
        elif module.repackaged and module.directory not in with_image:
            why = "no Dockerfile here ships its archive"
            left.append(LeftOut(module.directory, why, module.directory))
    order = {module.directory: number for number, module in enumerate(repository.modules)}
    images = sorted(chosen, key=lambda image: order[image.module.directory])
    return Found(tuple(images), tuple(dict.fromkeys(left)), tuple(documents.errors))


def _as_written(root: Path, path: Path) -> Path:
    top = root.resolve()
    return root / path.relative_to(top) if path.is_relative_to(top) else path


def _below(root: Path, path: Path) -> str:
    top, real = root.resolve(), path.parent.resolve() / path.name
    return real.relative_to(top).as_posix() if real.is_relative_to(top) else str(path)


class _Documents:
    """Dockerfiles, each parsed once."""

    def __init__(self) -> None:
        self._read: dict[Path, Dockerfile | None] = {}
        self.errors: list[ImgoptError] = []

    def of(self, path: Path, shown: str, left: list[LeftOut]) -> Iterator[Dockerfile]:
        if path not in self._read:
            from imgopt.suggest.dockerfile import read_dockerfile

            self._read[path] = None
            try:
                self._read[path] = parse(read_dockerfile(path), str(path))
            except ImgoptError as error:
                self.errors.append(error)
                where = f"{shown}:{error.line}" if error.line else shown
                left.append(LeftOut(where, f"cannot be read: {error.message}"))
        document = self._read[path]
        if document is not None and document.stages:
            yield document

    def is_broken(self, path: Path) -> bool:
        return path in self._read and self._read[path] is None


class _Names:
    """The modules by what a Dockerfile may call them."""

    def __init__(self, repository: Repository) -> None:
        self.root = repository.root
        self.modules = [
            each for each in repository.modules if each.facts is None or each.facts.packaging != "pom"
        ] or list(repository.modules)
        self.any = self.modules[0]
        self.directories = {each.directory: each for each in self.modules}
        self.plain: dict[str, dict[str, Module]] = {}
        self.short: dict[str, dict[str, Module]] = {}
        self.archives: dict[str, Module] = {}
        for module in self.modules:
            own = {module.name.lower(), posixpath.basename(module.directory).lower()} - {".", ""}
            for name in own:
                self.plain.setdefault(name, {})[module.directory] = module
                for part in _endings(name):
                    self.short.setdefault(part, {})[module.directory] = module
            artifact = module.facts.artifact if module.facts is not None else None
            if artifact is not None:
                self.archives.setdefault(_stem(artifact), module)

    def at(self, prefix: str) -> Module | None:
        """The module whose directory a path is, or ends with."""
        parts = [part for part in prefix.split("/") if part and part != "."]
        for start in range(len(parts)):
            found = self.directories.get("/".join(parts[start:]))
            if found is not None:
                return found
        return None

    def called(self, name: str) -> Module | None:
        """By its own name, or by the end of it where no other module has that: ``auth`` for ``shop-auth``."""
        name = name.lower().strip(":").replace(":", "/")
        if name in self.directories:
            return self.directories[name]
        for names in (self.plain, self.short):
            found = names.get(name.rpartition("/")[2], {})
            if len(found) == 1:
                return next(iter(found.values()))
        return None

    def of_archive(self, file: str) -> Module | None:
        """By the name of its archive, whatever version it has."""
        stem = _stem(file)
        if stem in self.archives:
            return self.archives[stem]
        return self.called(
            re.split(r"[-_.]?(?:[\d*?\[$]|latest\b|snapshot\b)", stem, maxsplit=1)[0].rstrip("-_.")
        )


def _stem(archive: str) -> str:
    return _ARCHIVE.sub("", posixpath.basename(archive)).lower()


def _endings(name: str) -> Iterator[str]:
    parts = name.split("-")
    for start in range(1, len(parts)):
        yield "-".join(parts[start:])
    if name.endswith("-service") and name != "-service":
        yield name.removesuffix("-service")


def _candidates(known: _Names, document: Dockerfile, image: Image, shown: str) -> Iterator[_Candidate]:
    """The module that a Dockerfile, as it is built here, makes an image of; nothing where that is none."""
    evidence = _evidence(known, document, image, shown)
    if evidence:
        best = max(evidence.values())
        modules = [each for each, score in evidence.items() if score == best]
        if len(modules) == 1:
            yield _Candidate(replace(image, module=known.directories[modules[0]]), best)


def _evidence(known: _Names, document: Dockerfile, image: Image, shown: str) -> dict[str, int]:
    found: dict[str, int] = {}

    def say(module: Module | None, score: int) -> None:
        if module is not None:
            found[module.directory] = max(found.get(module.directory, 0), score)

    context = _context_of(known, image, shown)
    ships = False
    for path, from_stage in _copied(document, image):
        output = _OUTPUT.search(path)
        if not output and not _ARCHIVE.search(path):
            continue
        ships = True
        if output and from_stage:
            say(known.at(path[: output.start()]), _PATH)
        elif output:
            below = path[: output.start()] or "."
            there = (posixpath.normpath(f"{folder}/{below}") for folder in context)
            say(next((known.directories[each] for each in there if each in known.directories), None), _PATH)
        if not found and _ARCHIVE.search(path):
            say(known.of_archive(path), _FILE)
    text = "\n".join(
        each.text for each in document.instructions if each.keyword in ("RUN", "CMD", "ENTRYPOINT")
    )
    ships = ships or _BUILDS.search(text) is not None or ".jar" in text
    if not ships or max(found.values(), default=0) >= _PATH:
        return found
    for _, value in image.args:
        say(known.called(value) or (known.of_archive(value) if _ARCHIVE.search(value) else None), _NAMED)
    if found:
        return found
    for folder in context if image.context is not None else ():
        say(known.directories.get(folder), _CONTEXT)
    say(known.directories.get(posixpath.dirname(shown) or "."), _BESIDE)
    folder, file = posixpath.split(shown)
    name = re.sub(r"(?i)^dockerfile[.-]?|[.-]?dockerfile$", "", file)
    say(known.called(name) if name else None, _CALLED)
    say(known.called(posixpath.basename(folder)) if folder else None, _CALLED)
    for each in image.names:
        say(known.called(posixpath.basename(without_tag(each))), _CALLED)
    return found


def _context_of(known: _Names, image: Image, shown: str) -> tuple[str, ...]:
    """Where its context may lie, below the repository: as it is said, else beside the Dockerfile and above."""
    top = known.root.resolve()
    if image.context is not None:
        real = image.context.resolve()
        return (real.relative_to(top).as_posix(),) if real.is_relative_to(top) else ()
    folder = posixpath.dirname(shown) or "."
    found = [folder]
    while folder not in (".", ""):
        folder = posixpath.dirname(folder) or "."
        found.append(folder)
    return tuple(found)


def _copied(document: Dockerfile, image: Image) -> Iterator[tuple[str, bool]]:
    """Paths that COPY and ADD take, with the arguments filled in, and whether they are those of a stage."""
    without = unused(document, image.target) or ()
    variables = scopes(document, dict(image.args), "linux/amd64")
    final = document.stage(image.target) if image.target else document.stages[-1]
    for stage in document.stages[: final.index + 1] if final is not None else ():
        if (stage.name or f"stage {stage.index}") in without:
            continue
        for instruction in stage.instructions:
            if instruction.keyword not in ("COPY", "ADD") or instruction.heredocs:
                continue
            from_ = instruction.flag("from") is not None
            for word in instruction.words[:-1]:
                text = expand(word.text, variables[instruction.number], document.escape).value or word.text
                if "://" not in text:
                    plain = posixpath.normpath(text.lstrip("/") or ".")
                    yield plain, from_


def _chosen(candidates: Sequence[_Candidate], root: Path) -> tuple[list[Image], list[LeftOut]]:
    """One image for each module, and what was left out for it."""
    by_module: dict[str, list[_Candidate]] = {}
    for each in candidates:
        by_module.setdefault(each.image.module.directory, []).append(each)
    images: list[Image] = []
    left: list[LeftOut] = []
    for directory, found in by_module.items():
        # nearest by its words, then by where it lies
        found.sort(
            key=lambda each: (_ORDER.index(each.image.by), -each.score, len(each.image.dockerfile.parts))
        )
        first = found[0].image
        images.append(first)
        seen = {first.shared_file}
        for each in found[1:]:
            if each.image.shared_file in seen or each.image.dockerfile == first.dockerfile:
                continue
            seen.add(each.image.shared_file)
            taken = f"{_below(root, first.dockerfile)}" + (f" ({first.source})" if first.source else "")
            why = f"the same module: {_WHO[first.by]}, {taken}"
            left.append(LeftOut(_below(root, each.image.dockerfile), why, directory))
    return images, left


def build_arguments(image: Image, given: Mapping[str, str]) -> dict[str, str]:
    """What the command line says goes before what the build's own command does."""
    return {**dict(image.args), **given}
