"""Makes layers that a file unpacks already keep their digest on a builder without a cache.

The COPY lines of the Spring Boot manual make new digests on every uncached build: jarmode leaves directories at the
time of the build, and builders stamp the directory that a COPY names. Measured on five builders, arranging each layer
as a whole tree, fixing its times in the extracting stage and copying it to ``/`` keeps them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imgopt.dockerfile import Edit, Instruction, Span, writing
from imgopt.finding import Reason, Refused, because, reason_of, told
from imgopt.light.records import dataclass, replace
from imgopt.picture import Picture, StagePicture, once
from imgopt.picture.module_path import OwnPath, argument_lines, own_path
from imgopt.picture.paths import join
from imgopt.picture.reach import contains
from imgopt.picture.runs import is_sh
from imgopt.plans.base.runtime import choose
from imgopt.plans.layers.directories import ROOT, Owner, chown_for, owner_given_by, unknown_owner
from imgopt.plans.layers.jarmode import JarmodeCall, extractions
from imgopt.plans.layers.layering import (
    FIXED_TIME,
    SMALLEST_LIBRARIES,
    LayeringRefused,
    arguments_for,
    at,
    free_name,
    free_tree,
    snapshots_apart,
    stage_start,
    stamp_command,
    word_in,
)
from imgopt.plans.layers.own_modules import OwnModules, beside_classes, copied, keeps_times, moved
from imgopt.plans.tied import times_stay
from imgopt.scales import Applicability
from imgopt.text.quoting import Unwritable, quoted, with_variables

if TYPE_CHECKING:
    from imgopt.picture.contents import Layer

#: Directories that every image has as root's with mode 0755: a tree may bring them again without changing them.
_ORDINARY = frozenset({"/", "/opt", "/srv", "/usr", "/usr/src", "/usr/local", "/usr/share", "/usr/lib"})


@dataclass(frozen=True)
class SteadyingPlan:
    """``copies`` are the unsteady COPY instructions; empty when there is nothing to say. ``modules`` get a layer of their
    own; ``steady``: that is all there is to gain."""

    copies: tuple[Instruction, ...] = ()
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    risk: Reason | None = None
    why_not: Reason | None = None
    modules: OwnModules | None = None
    steady: bool = False


@dataclass(frozen=True)
class _Copy:
    instruction: Instruction
    source: str  # absolute, in the extracting stage
    layer: str
    target: str  # absolute, in the final stage
    moves: bool  # it holds the application's own files, which keep their times
    modules: OwnModules | None = None


class _No(Refused):
    """Carries the reason why the layers stay as they are."""


@once
def plans(picture: Picture) -> tuple[SteadyingPlan, ...]:
    """The steady form of each group of layers that is not steady. Never raises."""
    layers = _of_jarmode(picture)
    modules = () if layers.copies else _of_modules(picture)
    return tuple(plan for plan in (layers, *modules, *_of_libraries(picture)) if plan.copies)


def _of_jarmode(picture: Picture) -> SteadyingPlan:
    """Layers that the file unpacks with jarmode."""
    for call, index in extractions(picture):
        stage = picture.stages[index]
        copies = _copies(picture, call, stage)
        if not copies or all(_is_steady(picture, copy) for copy in copies):
            continue
        instructions = tuple(copy.instruction for copy in copies)
        try:
            _require_no_archive(picture)
            edits, behind = _edits(picture, call, stage, copies)
            edits += _behind(picture, instructions, edits, behind)
            risk = _risk(picture, copies)
            level = Applicability.UNSAFE if risk else Applicability.SAFE
            modules = next((copy.modules for copy in copies if copy.modules is not None), None)
            return SteadyingPlan(instructions, edits, level, risk, modules=modules)
        except (Refused, Unwritable) as error:
            return SteadyingPlan(instructions, why_not=reason_of(error))
    return SteadyingPlan()


def _require_no_archive(picture: Picture) -> None:
    stays = times_stay(picture)
    if stays is not None:
        raise _No("{}", stays, kind=stays.kind)


#: What may stand between a WORKDIR and the COPY lines behind which it goes: nothing that looks at the directory.
_BLIND = frozenset({"ENV", "LABEL", "EXPOSE", "ARG", "STOPSIGNAL", "CMD", "ENTRYPOINT", "MAINTAINER"})


def _behind(
    picture: Picture, copies: tuple[Instruction, ...], edits: tuple[Edit, ...], lines: tuple[str, ...]
) -> tuple[Edit, ...]:
    """Adds ``lines`` behind the trees, and the WORKDIR that can go there."""
    workdir, removal = _workdir_behind(picture, copies, edits)
    newline = picture.document.newline
    added = "".join(newline + line for line in (*lines, *workdir))
    return (*removal, Edit(at(copies[-1].span.end), added)) if added else ()


def _workdir_behind(
    picture: Picture, copies: tuple[Instruction, ...], edits: tuple[Edit, ...]
) -> tuple[tuple[str, ...], tuple[Edit, ...]]:
    """A WORKDIR from before the trees to stand behind them, where nothing in between needs it, and its removal.

    It makes a layer of one directory entry, with the time of the build: a hundred bytes for a push, but a Docker node
    finds layers by their chain and fetches all above a changed one again.
    """
    last = copies[-1]
    workdir: Instruction | None = None
    for instruction in picture.final.stage.instructions:
        if instruction.keyword == "WORKDIR":
            workdir = instruction
        elif workdir is not None and instruction not in copies and instruction.keyword not in _BLIND:
            workdir = None
        if instruction is last:
            break
    document = picture.document
    edited = {(edit.span.start, edit.span.end) for edit in edits}
    if workdir is None or (last.span.end, last.span.end) in edited:
        return (), ()
    for copy in copies:
        destination = copy.words[-1]
        if (destination.span.start, destination.span.end) not in edited:
            return (), ()  # it goes where the directory says
    above = document.text[: workdir.span.start].splitlines()
    if above and above[-1].lstrip().startswith("#"):
        return (), ()  # the comment may be about it
    text = document.text[workdir.span.start : workdir.span.end].rstrip("\r\n")
    return (text,), (picture.removal(workdir),)


def _risk(picture: Picture, copies: list[_Copy]) -> Reason | None:
    target = copies[0].target
    instructions = [copy.instruction for copy in copies]
    for copy in instructions:
        owner_flag = copy.flag("chown")
        if owner_flag is not None and copy.flag("link") is not None:
            return because(
                "certain",
                "{} itself would belong to {}, not only the files in it",
                target,
                owner_flag.value or "",
            )
    if target != "/":
        owner = owner_given_by(picture, target, instructions)
        unknown = unknown_owner(picture, target, owner)
        if unknown is not None:
            return unknown
    shared = own_path(picture, copies[0].instruction).risk
    return told("not-known", shared) if shared is not None else None


def _is_steady(picture: Picture, copy: _Copy) -> bool:
    """A tree copied to ``/`` from where its times were fixed; the application's own layer need not be."""
    if copy.moves:
        return True
    if copy.target != "/":
        return False
    layer = picture.layer_of(copy.instruction)
    if layer is not None and layer.files:
        return layer.steady
    return _stamps(picture, copy.source)


def _stamps(picture: Picture, path: str) -> bool:
    """Whether a RUN sets times below a path (seen from the text: the archive is not there to be followed)."""
    parts = [part for part in path.split("/") if part]
    return any(
        instruction.keyword == "RUN"
        and re.search(r"\btouch\b.*-d|\btouch\b.*-t|stamp", instruction.text, re.DOTALL)
        and (not parts or any(part in instruction.text for part in parts))
        for stage in picture.stages
        for instruction in stage.stage.instructions
    )


def _copies(picture: Picture, call: JarmodeCall, stage: StagePicture) -> list[_Copy]:
    """COPY lines of the final stage that take a layer as jarmode wrote it."""
    root = call.destination
    if root is None or stage is picture.final:
        return []
    found: list[_Copy] = []
    for instruction in picture.final.instructions():
        flag = instruction.flag("from") if instruction.keyword in ("COPY", "ADD") else None
        if (
            flag is None
            or (flag.value or "").lower() not in (stage.name.lower(), str(stage.index))
            or len(instruction.words) != 2
        ):
            continue
        source = picture.expand(instruction, instruction.words[0].text)
        target = picture.target_of(instruction)
        if source is None or target is None:
            continue
        path = join("/", source)
        if posixpath.dirname(path) == root.rstrip("/") or (root == "/" and posixpath.dirname(path) == "/"):
            name = posixpath.basename(path)
            kept = keeps_times(stage, path)
            moves = name == "application" if kept is None else kept
            found.append(_Copy(instruction, path, name, target, moves, beside_classes(stage, path)))
    if sum(copy.modules is not None for copy in found) > 1:  # one tree of modules is enough
        return [replace(copy, modules=None) for copy in found]
    return found


def _edits(
    picture: Picture, call: JarmodeCall, stage: StagePicture, copies: list[_Copy]
) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """The edits, and the lines that go behind the last COPY."""
    if call.instruction not in stage.stage.instructions:
        raise _No("the stage that unpacks the jar is built on another one that does")
    if any(copy.instruction not in picture.final.stage.instructions for copy in copies):
        raise _No("the layers are copied in a stage below the last one")
    if len({copy.target for copy in copies}) > 1:
        raise _No("the layers are copied into different directories")
    target = copies[0].target
    if target != "/" and posixpath.dirname(target) not in _ORDINARY:
        raise _No(
            "{} may have its own owner or mode, which copying whole trees would change",
            posixpath.dirname(target),
        )
    for copy in copies:
        if re.search(r"[*?\[]", copy.source):
            raise _No("{} names the layer by a pattern", copy.instruction)
    names = [copy.layer for copy in copies]
    if len(set(names)) < len(names):
        raise _No("a layer is copied twice")
    _require_sh(stage)
    if call.conditional:
        raise _No("{} unpacks the jar under a condition", call.instruction)
    _require_unshared(picture, stage, [copy.source for copy in copies], [copy.instruction for copy in copies])
    for instruction in picture.final.stage.instructions:
        if instruction is copies[0].instruction:
            break
        place = picture.target_of(instruction) if instruction.keyword in ("COPY", "ADD") else None
        if target != "/" and place is not None and contains(target, place):
            raise _No(
                "{} prepares {}, whose owner or mode copying whole trees would change", instruction, target
            )

    fixed = [copy.layer for copy in copies if not copy.moves]
    parent = posixpath.dirname(target).strip("/")
    own = _own_place(picture, copies[0].instruction)
    steps: list[str] = []
    trees: list[str] = []
    for copy in copies:
        source, into = quoted(copy.source), f"/{copy.layer}/{parent}".rstrip("/")
        if target == "/":
            tree = with_variables(own.path, f"/{copy.layer}")
            steps.append(f"mkdir -p {with_variables(own.path)} && mv {source} {tree}")
            trees.append(tree)
        else:
            there = with_variables(own.path, f"{into}/{posixpath.basename(target)}")
            steps.append(f"mkdir -p {with_variables(own.path, into)} && mv {source} {there}")
            trees.append(there)
    steps += _given_to_root(picture, stage, trees)
    back = None
    if target != "/":
        back = _given_back(picture, stage.name, [copy.instruction for copy in copies], (target,), own.path)
    if back is not None:
        steps.append(f"mkdir -p {back.directory}")
        fixed.append(back.tree)
    apart = next((copy for copy in copies if copy.modules is not None), None)
    name = free_tree(names)  # beside those of the layers and of `_Back`
    if apart is not None and apart.modules is not None:
        source = f"/{apart.layer}" if target == "/" else f"/{apart.layer}{target}"
        tree = f"/{name}" if target == "/" else f"/{name}{target}"
        steps += moved(apart.modules, (own.path, source), (own.path, tree))
        fixed.append(name)
    stamped = [with_variables(own.path, f"/{each}") for each in fixed]
    steps.append(stamp_command(stamped, has_find=_has_find(picture, stage)))
    edits = [_run_at_the_end(picture, stage, own, steps)]
    if apart is not None:
        edits.append(copied(picture, apart.instruction, own.path, name))
    for copy in copies:
        edits += _tree_copy(copy.instruction, own.path, f"/{copy.layer}/")
    declared = _declared(picture, own, copies[0].instruction)
    return (*declared, *edits), back.lines if back is not None else ()


def _of_modules(picture: Picture) -> Iterator[SteadyingPlan]:
    """The project's own modules in a tree with the classes, where the trees are steady already."""
    for instruction in picture.final.stage.instructions:
        flag = instruction.flag("from") if instruction.keyword == "COPY" else None
        stage = _stage_named(picture, flag.value or "") if flag is not None else None
        if stage is None or len(instruction.words) != 2 or picture.target_of(instruction) != "/":
            continue
        source = picture.expand(instruction, instruction.words[0].text)
        if source is None or re.search(r"[*?\[]", source):
            continue
        source = join("/", source)
        modules = beside_classes(stage, source)
        if modules is None:
            continue
        try:
            _require_no_archive(picture)
            _require_sh(stage)
            taken = [posixpath.join(source, directory) for directory in modules.directories]
            _require_unshared(picture, stage, taken, [instruction])
            own = _own_place(picture, instruction)
            name = free_tree(())
            steps = [*moved(modules, ("", source), (own.path, f"/{name}"))]
            steps.append(
                stamp_command([with_variables(own.path, f"/{name}")], has_find=_has_find(picture, stage))
            )
            edits = (
                *_declared(picture, own, instruction),
                _run_at_the_end(picture, stage, own, steps),
                copied(picture, instruction, own.path, name),
            )
        except (Refused, Unwritable) as error:
            yield SteadyingPlan((instruction,), why_not=reason_of(error), modules=modules, steady=True)
            continue
        shared = own_path(picture, instruction).risk
        risk = told("not-known", shared) if shared is not None else None
        level = Applicability.UNSAFE if risk else Applicability.SAFE
        yield SteadyingPlan((instruction,), edits, level, risk, modules=modules, steady=True)


@dataclass(frozen=True)
class _Back:
    """A tree of empty directories and the lines that copy it: ``tree`` is its name beside the other trees,
    ``directory`` what there is to make, as a shell reads it."""

    tree: str
    directory: str
    lines: tuple[str, ...]


def _given_back(
    picture: Picture,
    stage: str,
    copies: Sequence[Instruction],
    directories: tuple[str, ...],
    place: str,
) -> _Back | None:
    """What gives ``directories``, which the trees of ``copies`` bring, to the owners that they have today; None where
    the trees leave them so. The outermost directory comes first. ``place``: where the stage keeps the trees."""
    flag = copies[-1].flag("chown")
    given = Owner((flag.value or "") if flag is not None else "")
    linked = next((copy for copy in copies if copy.flag("link") is not None), None)
    if linked is not None and not given.is_root:
        return None  # told as a risk
    owners = [owner_given_by(picture, directory, copies) for directory in directories]
    others = [at for at, owner in enumerate(owners) if not owner.is_like(given.chown)]
    if not others:
        outside = posixpath.dirname(directories[0])
        if not given.is_root and outside != "/":
            raise _No("{} itself would belong to {}, not only the files in it", outside, given.chown)
        return None
    if linked is not None:
        raise _No(
            "{} copies with --link, which makes {} anew; whose it is then was not seen",
            linked,
            directories[-1],
        )
    chowns = {chown_for(picture, owners[at], copies[-1]) for at in others}
    chown = min(chowns)
    top = directories[others[0]]
    # the copied tree may hold none but those directories, and ones that are root's as well
    into = "/" if chown == ROOT else posixpath.dirname(top)
    if (
        len(chowns) > 1
        or others != list(range(others[0], others[-1] + 1))
        or (
            not given.is_root
            and (chown != ROOT or others[0] != 0)
            and posixpath.dirname(directories[0]) != "/"
        )
    ):
        raise _No(
            "{} has another owner than the directories around it, which copying whole trees would change",
            directories[-1],
        )
    last = directories[others[-1]]
    inside = last if into == "/" else last[len(into) :]
    lower = picture.document.text[copies[-1].keyword_span.start].islower()
    who = "root" if chown == ROOT else chown
    tree = "directory"
    words = (f"{place}{writing.word(f'/{tree}/')}", into if into == "/" else writing.word(f"{into}/"))
    flags = (f"--from={stage}", f"--chown={chown}")
    return _Back(
        tree,
        with_variables(place, f"/{tree}{inside}"),
        (
            writing.comment(f"{last} itself belongs to {who}, as before; what is in it keeps its own owner"),
            writing.copy(word_in("COPY", lower), flags, words),
        ),
    )


def _own_place(picture: Picture, copy: Instruction) -> OwnPath:
    """Where a stage of the author's own keeps the trees: a path that no other module has."""
    own = own_path(picture, copy)
    return replace(own, path=f"/layers/{own.path}/out")


def _declared(picture: Picture, own: OwnPath, copy: Instruction) -> tuple[Edit, ...]:
    """The arguments of the path, where the final stage does not know them at ``copy``."""
    document = picture.document
    start = document.text.rfind("\n", 0, copy.span.start) + 1
    lower = document.text[copy.keyword_span.start].islower()
    lines = argument_lines(own, picture.final.stage, copy, lower)
    return (Edit(at(start), "".join(line + document.newline for line in lines)),) if lines else ()


def _require_sh(stage: StagePicture) -> None:
    """The RUN that is added at the end of the stage is read by a shell that knows sh's words."""
    shell = stage.last("SHELL")
    language = shell.json[0] if shell is not None and shell.json else "/bin/sh"
    if not is_sh(language):
        raise _No(
            "{} reads the RUN lines of stage {}, and what would be added is written for sh",
            language,
            stage.name,
        )


def _require_unshared(
    picture: Picture, stage: StagePicture, moved: Sequence[str], by: Sequence[Instruction]
) -> None:
    """Nothing but the COPY lines at hand takes what is moved away from its place."""
    for other in picture.stages:
        if other.parent is stage:
            raise _No("stage {} is built on {}", other.name, stage.name)
        for instruction in other.stage.instructions:
            if instruction in by:
                continue
            for flag in instruction.flags:
                named = flag.value or ""
                if flag.name == "mount":
                    named = next((each[5:] for each in named.split(",") if each.startswith("from=")), "")
                    paths = ["/"]
                elif flag.name == "from":
                    words = [word.text for word in instruction.words[:-1]]
                    paths = [join("/", picture.expand(instruction, word) or "/") for word in words]
                else:
                    continue
                name = picture.expand(instruction, named)
                if name is not None and _stage_named(picture, name) is not stage:
                    continue
                # up to a wildcard, as far as names go
                paths = [re.split(r"/[^/]*[*?\[]", path)[0] or "/" for path in paths]
                if any(_overlap(path, each) for path in paths for each in moved):
                    raise _No("{} takes what is unpacked as well", instruction)
    for instruction in stage.instructions():
        if instruction.keyword == "RUN" and re.search(r"\bln\s", instruction.text):
            raise _No("{} makes a link, which may lead to what would be moved", instruction)


def _overlap(one: str, other: str) -> bool:
    one, other = (f"{path.rstrip('/')}/" for path in (one, other))
    return one.startswith(other) or other.startswith(one)


def _is_root(picture: Picture, stage: StagePicture) -> bool:
    """Whether what is added at the end of a stage is done as root, which making /layers takes."""
    user = stage.last("USER")
    name = user.text.strip() if user is not None else picture.base_of(stage).user
    return (name or "root").partition(":")[0] in ("root", "0")


def _given_to_root(picture: Picture, stage: StagePicture, moved: Sequence[str]) -> list[str]:
    """Directories that another user made, whose content a COPY put into one of root's: the trees' own are that now."""
    return [] if _is_root(picture, stage) else [f"chown 0:0 {' '.join(moved)}"]


def _run_at_the_end(picture: Picture, stage: StagePicture, own: OwnPath, steps: list[str]) -> Edit:
    """The edit that adds a RUN with these steps behind everything that a stage does with what it unpacked: lines
    below the unpacking may remove files of it, or add some, at the paths they know."""
    document = picture.document
    last = stage.stage.instructions[-1]
    lower = document.text[last.keyword_span.start].islower()
    lines = [
        *argument_lines(own, stage.stage, None, lower),
        *([] if _is_root(picture, stage) else [f"{word_in('USER', lower)} root"]),
        f"# One tree per layer, at a fixed time (@{FIXED_TIME}): what does not change keeps its digest",
        *writing.run(word_in("RUN", lower), steps, document.escape),
    ]
    end = last.span.end
    return Edit(Span(end, end), document.newline + document.newline.join(lines))


# libraries in a directory of their own: unpacked by `jar xf`, or a lib/ of the build context

#: First directories of a path that images have with an owner, a mode or links of their own.
_TAKEN = frozenset(
    (
        "bin boot deployments dev etc home lib lib32 lib64 media mnt proc root run sbin sys tmp usr var jboss jetty"
    ).split()
)


def _of_libraries(picture: Picture) -> Iterator[SteadyingPlan]:
    for instruction in picture.final.stage.instructions:
        if instruction.keyword not in ("COPY", "ADD") or len(instruction.words) != 2 or instruction.heredocs:
            continue
        layer = picture.layer_of(instruction)
        if layer is None or layer.steady:
            continue
        words = [picture.expand(instruction, word.text) for word in instruction.words]
        if words[0] is None or words[1] is None:
            continue
        from_ = instruction.flag("from")
        try:
            if from_ is not None:
                stage = _stage_named(picture, from_.value or "")
                source = join("/", words[0])
                if stage is None or not re.search(r"/(?:BOOT|WEB)-INF/lib$", source):
                    continue
                if not _unpacks(stage):
                    continue
                _require_no_archive(picture)
                target, above = _library_target(picture, instruction, words[1])
                edits = _from_stage(picture, stage, instruction, source, above)
            elif _is_library_directory(layer):
                _require_no_archive(picture)
                target, above = _library_target(picture, instruction, words[1])
                edits = _from_context(picture, layer, instruction, above)
            else:
                continue
            risk = _risk(picture, [_Copy(instruction, words[0], "lib", target, moves=False)])
        except (Refused, Unwritable) as error:
            yield SteadyingPlan((instruction,), why_not=reason_of(error))
            continue
        level = Applicability.UNSAFE if risk else Applicability.SAFE
        yield SteadyingPlan((instruction,), edits, level, risk)


def _stage_named(picture: Picture, name: str) -> StagePicture | None:
    return next(
        (stage for stage in picture.stages if name.lower() in (stage.name.lower(), str(stage.index))), None
    )


def _unpacks(stage: StagePicture) -> bool:
    """Whether a RUN of the stage unpacks an archive by `jar xf` or `unzip`."""
    return any(
        instruction.keyword == "RUN"
        and not instruction.heredocs
        and re.search(r"\bjar\s+-?-?x|\bunzip\b", instruction.text)
        for instruction in stage.stage.instructions
    )


def _is_library_directory(layer: Layer) -> bool:
    """Only jars of the build context in a directory, a megabyte or more of released ones among them."""
    released = [file for file in layer.files if not file.releases]
    return (
        layer.complete
        and len(released) > 1
        and all(file.origin is not None and file.path.endswith(".jar") for file in layer.files)
        and all("SNAPSHOT" in file.path for file in layer.files if file.releases)
        and sum(file.bytes or 0 for file in released) >= SMALLEST_LIBRARIES
    )


def _library_target(picture: Picture, instruction: Instruction, target: str) -> tuple[str, tuple[str, ...]]:
    """Where the directory's content goes, as an absolute path whose parents a tree may bring again; and of those and
    itself the directories that not every image has, the outermost first."""
    path = picture.target_of(instruction)
    if path is None:
        raise _No(
            "where {} is cannot be determined: a WORKDIR above it has a variable without a value", target
        )
    parents = [path]
    while parents[-1] != "/":
        parents.append(posixpath.dirname(parents[-1]))
    own = [parent for parent in parents if parent not in _ORDINARY]
    if not own or (
        own[-1].strip("/").split("/")[0] in _TAKEN and posixpath.dirname(own[-1]) not in _ORDINARY - {"/"}
    ):
        raise _No(
            "{} may lie below a directory with its own owner or mode, which copying a whole tree would change",
            path,
        )
    if picture.final.root is not picture.final:
        raise _No("the stage is built on another one of the file, which may have prepared the directory")
    return path, tuple(reversed(own))


def _from_stage(
    picture: Picture,
    stage: StagePicture,
    copy: Instruction,
    source: str,
    directories: tuple[str, ...],
) -> tuple[Edit, ...]:
    if re.search(r"[*?\[]", source):
        raise _No("its COPY names the libraries by a pattern")
    _require_sh(stage)
    _require_unshared(picture, stage, [source], [copy])
    target = directories[-1]
    name = posixpath.basename(target) or "lib"
    own = _own_place(picture, copy)
    above = f"/{name}{posixpath.dirname(target)}".rstrip("/")
    there = with_variables(own.path, f"/{name}{target}")
    back = _given_back(picture, stage.name, (copy,), directories, own.path)
    steps = [f"mkdir -p {with_variables(own.path, above)} && mv {quoted(source)} {there}"]
    steps += _given_to_root(picture, stage, [there])
    trees = [with_variables(own.path, f"/{name}")]
    if back is not None:
        steps.append(f"mkdir -p {back.directory}")
        trees.append(with_variables(own.path, f"/{back.tree}"))
    steps.append(stamp_command(trees, has_find=_has_find(picture, stage)))
    return (
        *_declared(picture, own, copy),
        _run_at_the_end(picture, stage, own, steps),
        *_tree_copy(copy, own.path, f"/{name}/"),
        *_behind(picture, (copy,), (), back.lines if back is not None else ()),
    )


def _from_context(
    picture: Picture, layer: Layer, copy: Instruction, directories: tuple[str, ...]
) -> tuple[Edit, ...]:
    """An added stage gives the libraries fixed times and sets snapshots apart, which change with each build; the
    final stage copies the trees from there."""
    if {flag.name for flag in copy.flags} - {"chown", "link"}:
        raise _No("its COPY has --{}, which the tree would have to follow", copy.flags[0].name)
    target = directories[-1]
    document = picture.document
    base = picture.base
    runtime = choose(picture)
    image = picture.final.root.stage.image.text
    if runtime.target is not None and runtime.applicability is Applicability.SAFE and "$" not in image:
        base, image = runtime.target, runtime.target.name
    if "sh" in base.lacks or base.os in (None, "windows", "distroless") or picture.final.root.image is None:
        raise _No("setting times takes a shell, and whether {} has one is not known", image, kind="not-known")
    lower = document.text[picture.final.stage.from_.keyword_span.start].islower()
    name = free_name(picture, "libraries")
    source = document.text[copy.words[0].span.start : copy.words[0].span.end]
    if copy.json is not None or source != copy.words[0].text:
        raise _No("its COPY is written in a form that is not moved")
    lines = [
        "# Added by imgopt: gives the libraries fixed times, so that their layer keeps its digest",
        f"{word_in('FROM', lower)} {image} {word_in('AS', lower)} {name}",
    ]
    if base.user not in (None, "root", "0"):
        lines.append(word_in("USER", lower) + " root")
    try:
        lines += arguments_for(picture, copy, lower)
    except LayeringRefused as reason:
        raise _No("{}", reason.reason, kind=reason.reason.kind) from reason
    own = own_path(picture, copy).path
    released, changing = f"/layers/{own}/out", f"/snapshots/{own}/out"
    lines.append(writing.copy(word_in("COPY", lower), (), (source, released + writing.word(f"{target}/"))))
    back = _given_back(picture, name, (copy,), directories, f"/directories/{own}/out")
    trees = [with_variables(released)]
    made = [f"mkdir -p {back.directory}"] if back is not None else []
    if back is not None:
        trees.append(with_variables(f"/directories/{own}/out", f"/{back.tree}"))
    steps = [*made, stamp_command(trees, has_find="find" in base.has)]
    snapshots = sorted({posixpath.dirname(file.path) for file in layer.files if file.releases})
    if snapshots:
        libraries, apart = (
            [with_variables(each, path) for path in snapshots] for each in (released, changing)
        )
        steps = [f"mkdir -p {' '.join(apart)}", *map(snapshots_apart, libraries, apart), *steps]
    lines += writing.run(word_in("RUN", lower), steps, document.escape)
    lines.append("")
    added = document.newline.join(lines) + document.newline
    edits = [Edit(at(stage_start(picture)), added)]
    keyword = document.text[copy.keyword_span.start : copy.keyword_span.end]
    if copy.keyword == "ADD":
        edits.append(Edit(copy.keyword_span, "copy" if keyword.islower() else "COPY"))
    edits.append(Edit(at(copy.keyword_span.end), f" --from={name}"))
    more: list[str] = []
    if snapshots:
        owner = copy.flag("chown")
        flags = [f"--from={name}", *([document.text[owner.span.start : owner.span.end]] if owner else [])]
        more.append(writing.copy("copy" if keyword.islower() else "COPY", flags, (f"{changing}/", "/")))
    more += back.lines if back is not None else ()
    if more:
        edits.append(Edit(at(copy.span.end), "".join(document.newline + line for line in more)))
    return (*edits, *_tree_copy(copy, released, "/"))


def _tree_copy(copy: Instruction, place: str, tree: str) -> tuple[Edit, Edit]:
    """The COPY takes a whole tree to ``/``. ``place`` may have arguments in it, ``tree`` is a name."""
    source, destination = copy.words
    path = place + writing.word(tree)
    if copy.json is not None:
        return Edit(source.span, writing.json_word(path)), Edit(destination.span, '"/"')
    if writing.arguments((path,)) != path:
        raise Unwritable(tree, "has a blank in it")
    return Edit(source.span, path), Edit(destination.span, "/")


def _has_find(picture: Picture, stage: StagePicture) -> bool:
    return "find" in picture.base_of(stage).has
