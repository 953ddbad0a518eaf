"""The Dockerfiles that a pipeline's commands name, found in the repository and weighed as `suggest` weighs them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from imgopt.dockerfile import Dockerfile, expand, parse, scopes
from imgopt.errors import ContextError, ImgoptError
from imgopt.java.build_facts import BUILD_FILES
from imgopt.java.image_goals import Bound, MavenCall, bound_goals
from imgopt.java.image_tasks import Reached, reached_tasks
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, field, replace
from imgopt.options import NOBODY, BuiltFor, Options, named_platforms
from imgopt.pipelines.checkout import Checkout, inside, resolved
from imgopt.pipelines.commands import Request
from imgopt.pipelines.model import HandedOn, Recipe
from imgopt.pipelines.tools import HERE, ROOT
from imgopt.suggest.result import FileReport
from imgopt.suggest.sentence import sentence

_MOST_CALLS = 50  # of Maven and Gradle that are not alike
_MAX_RECIPES = 64
_MAX_SCRIPT_BYTES = 100_000
_UNLIKELY = regex(r"^(?:git|https?|s3|gs|tar|[a-z]+)://|^git@", re.IGNORECASE)

T = TypeVar("T")
Weigh = Callable[[str, bytes, Options], FileReport]


def repository_of(path: Path) -> Path:
    """Where commands of this CI file start: the directory of the checkout that it lies in."""
    start = path.parent
    if start.name == "workflows" and start.parent.name == ".github":
        return start.parent.parent
    try:
        absolute = start.absolute()
        found = next((each for each in (absolute, *absolute.parents) if (each / ".git").exists()), None)
    except OSError:
        found = None
    if found is None or found == absolute:
        return start
    ups = len(absolute.relative_to(found).parts)
    return Path(*([".."] * ups)) if start == Path() else _up(start, ups, found)


def _up(start: Path, ups: int, found: Path) -> Path:
    """The checkout as the user would write it."""
    parts = start.parts
    return Path(*parts[:-ups]) if len(parts) >= ups and ".." not in parts else found


def _once(known: dict[str, T | str], call: str, read: Callable[[], T | str]) -> T | str:
    """What a call leads to by the build files, which are read once for calls that are alike."""
    if call not in known:
        if len(known) >= _MOST_CALLS:
            return "there are more calls of Maven and Gradle than are looked at"
        known[call] = read()
    return known[call]


@dataclass
class Recipes(Checkout):
    """Answers `Request`s. A Dockerfile is looked for below the repository and nowhere else."""

    options: Options
    read: Callable[[Path], bytes]
    weigh: Weigh
    built_for: Callable[[Path], BuiltFor] | None = None  # what all build commands at hand say of a Dockerfile
    known: dict[object, Recipe] = field(default_factory=dict)
    _maven_calls: dict[str, Bound | str] = field(default_factory=dict)
    _gradle_calls: dict[str, Reached | str] = field(default_factory=dict)

    def __call__(self, request: Request) -> Recipe:
        if request not in self.known:
            if len(self.known) >= _MAX_RECIPES:
                return Recipe(None, None, why="the file builds more images than are looked at")
            self.known[request] = self._recipe(request)
        return self.known[request]

    def script(self, path: str, directory: str | None) -> str | None:
        """A script, or another text, of the repository."""
        found = resolved(path, directory) if path and "$" not in path else None
        file = inside(self.root, found) if found is not None else None
        if file is None:
            return None
        try:
            return self.read(file)[:_MAX_SCRIPT_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")
        except ImgoptError:
            return None

    def maven(self, pom: str, directory: str | None, call: MavenCall) -> Bound | str:
        found = resolved(pom, directory) if "$" not in pom else None
        if found is None:
            return "the directory that it runs in is not known here"
        return _once(self._maven_calls, repr((found, call)), lambda: self._maven(found, call))

    def _maven(self, found: str, call: MavenCall) -> Bound | str:
        file = inside(self.root, found)
        if file is None:
            return f"there is no {found} in this repository, which says what is bound to its phases"
        try:
            return bound_goals(file, self.root, call) or f"{found} cannot be read"
        except ContextError as error:
            return f"{found} cannot be read: {error.message}"

    def gradle(self, directory: str | None, names: Sequence[str], without: Sequence[str]) -> Reached | str:
        key = repr((directory, names, without))
        return _once(self._gradle_calls, key, lambda: self._gradle(directory, names, without))

    def _gradle(self, directory: str | None, names: Sequence[str], without: Sequence[str]) -> Reached | str:
        for name in BUILD_FILES:
            found = resolved(name, directory)
            if found is None:
                return "the directory that it runs in is not known here"
            file = inside(self.root, found)
            try:
                reached = reached_tasks(file, self.root, names, without) if file is not None else None
            except ContextError as error:
                return f"{found} cannot be read: {error.message}"
            if reached is not None:
                return reached
        return "there is no build.gradle where it runs, which says what its tasks lead to"

    def _recipe(self, request: Request) -> Recipe:
        if request.dockerfile is None:
            return Recipe(None, None, why="the Dockerfile's path is a variable that is not known here")
        if request.context == "tar://stdin":
            return Recipe(None, None, why="its build context is a tar that it reads from a pipe")
        if _UNLIKELY.match(request.context or "") and not (request.context or "").startswith("dir://"):
            return Recipe(None, None, why="the build context is elsewhere")
        tried = paths_of(request)
        for path in tried:
            file = inside(self.root, path)
            if file is not None:
                return self._weighed(file, path, request)
        if not tried:
            return Recipe(None, None, why="the directory of the build is not known here")
        return Recipe(None, None, why=f"there is no {tried[0]} in this repository")

    def _weighed(self, file: Path, shown: str, request: Request) -> Recipe:
        options = self.options
        context = context_of(request)
        folder = self.root / context if context is not None else None
        if options.context is None and folder is not None and folder.is_dir():
            options = replace(options, context=folder)
        args = {**dict(request.build_args), **options.build_args}
        options = replace(options, build_args=args, target=options.target or request.target, progress=None)
        at_hand = self.built_for(file) if self.built_for is not None else NOBODY
        options = _for_platforms(options, request, at_hand)
        try:
            data = self.read(file)
            report = self.weigh(str(file), data, options)
            document = parse(data, str(file))
            then = None
            if report.rewrite.changed:
                rewritten = parse(report.rewrite.text.encode("utf-8", "surrogateescape"), str(file))
                then = handed_on(rewritten, options.build_args)
        except ImgoptError as error:
            where = f"{shown}:{error.line}" if error.line else shown
            return Recipe(shown, None, why=f"{where} cannot be weighed: {error.message}")
        except RecursionError:
            return Recipe(shown, None, why=f"{shown} cannot be weighed")
        runs = sum(instruction.keyword == "RUN" for instruction in document.instructions)
        if report.prediction is None or report.skipped is not None:
            return Recipe(shown, None, why=f"{shown} is skipped", runs=runs)
        return Recipe(
            shown,
            report.prediction,
            report.rewrite.changed,
            None,
            unused(document, options.target),
            runs,
            handed_on(document, options.build_args),
            then,
            report.base.reference if report.base is not None else None,
            tuple(
                (finding.rule, saving)
                for finding, saving in report.findings
                if saving is not None and finding.rule in report.rewrite.applied
            ),
            _unseen(report),
            report.sized,
        )


def _unseen(report: FileReport) -> str | None:
    """Why a part of what an image weighs is not known."""
    if report.prediction is None or report.prediction.before.first_push.complete:
        return None
    if report.unknown:
        return sentence(report.unknown[0])
    layer = next(each for each in report.prediction.before.pushed if each.compressed_bytes is None)
    what = "weighs" if layer.from_base else "brings"
    return f"line {layer.line}: what {layer.instruction} {what} is not known"


def paths_of(request: Request) -> list[str]:
    """Where the tool would look for the Dockerfile, in its order."""
    context = context_of(request)
    file = request.dockerfile or ""
    if not file:
        return [] if context is None else [_join(context, "Dockerfile")]
    found = []
    if (plain := resolved(file, request.directory)) is not None:
        found.append(plain)
    if context is not None and not file.startswith(("/", HERE, ROOT)):
        found.append(_join(context, file))
    return list(dict.fromkeys(found))


def _for_platforms(options: Options, request: Request, at_hand: BuiltFor) -> Options:
    """What this command sends is its own platforms; what the base must have, those of every command."""
    own, unknown = named_platforms(request.platform)
    asked = (options.platform,) if options.platform else ()
    known = dict.fromkeys((*at_hand.platforms, *own, *asked))
    said = at_hand.unknown or (("its own command",) if unknown else ())
    built_for = replace(at_hand, platforms=tuple(known), unknown=said)
    if not own:
        # built for the machine's own platform, which is taken to be the usual one, whatever others build it for
        platform = options.platform or ("linux/amd64" if known else None)
        return replace(options, built_for=built_for, platform=platform)
    return replace(options, built_for=built_for, platform=None, pushed=own)


def context_of(request: Request) -> str | None:
    """The context below the repository, None when it is not known or elsewhere."""
    context = request.context
    if context is None or _UNLIKELY.match(context.removeprefix("dir://")):
        return None
    context = context.removeprefix("dir://")
    if context in ("", "/workspace", "/workspace/"):
        return request.directory
    return resolved(context, request.directory)


def _join(context: str, file: str) -> str:
    return posixpath.normpath(posixpath.join(context, file))


#: The name of a file, as far as a name tells.
_FILE = regex(r"\.[A-Za-z]\w{0,7}$")


def handed_on(document: Dockerfile, build_args: Mapping[str, str]) -> tuple[HandedOn, ...]:
    """What the stages of a file give each other."""
    found: list[HandedOn] = []
    known = scopes(document, build_args, "linux/amd64")
    for number, instruction in enumerate(document.instructions):
        flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
        if flag is None or not flag.value:
            continue
        stage = next((each for each in document.stages if instruction in each.instructions), None)
        origin = document.stage(flag.value, stage.index) if stage is not None else None
        if origin is None:
            continue
        for word in instruction.words[:-1]:
            text = expand(word.text, known[number], document.escape).value or word.text
            path = posixpath.normpath(posixpath.join("/", text))
            whole = text.endswith("/") or re.search(r"[*?\[$]", path) is not None or not _FILE.search(path)
            found.append(HandedOn(origin.index, path, whole, instruction.line))
    return tuple(found)


def unused(document: Dockerfile, target: str | None) -> tuple[str, ...] | None:
    """The stages that the image does not need, by name; None when that cannot be told."""
    stages = document.stages
    if not stages:
        return None
    final = document.stage(target) if target else stages[-1]
    if final is None:
        return None
    needed: set[int] = set()
    todo = [final.index]
    while todo:
        stage = stages[todo.pop()]
        if stage.index in needed:
            continue
        needed.add(stage.index)
        references = [stage.image.text]
        for instruction in stage.instructions:
            flag = instruction.flag("from")
            references += [flag.value] if flag is not None and flag.value else []
            for mount in instruction.flags:
                if mount.name == "mount" and mount.value:
                    references += re.findall(r"(?:^|,)from=([^,]+)", mount.value)
        if any("$" in reference for reference in references[1:]):
            return None
        found = [document.stage(reference, stage.index) for reference in references]
        todo += [each.index for each in found if each is not None]
    names = [
        stage.name or f"stage {stage.index}" for stage in stages[: final.index] if stage.index not in needed
    ]
    return tuple(names)
