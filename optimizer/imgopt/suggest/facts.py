"""The facts that a rewrite rests on, and those that it had to do without: another fact may give another rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from imgopt.dockerfile import Instruction
from imgopt.errors import ContextError
from imgopt.java.build_files import build_call
from imgopt.picture import Picture
from imgopt.picture.contents import Layer
from imgopt.picture.paths import normal
from imgopt.rule import Rule
from imgopt.suggest.result import WITHOUT_JAR, Fact
from imgopt.suggest.unknown import misnamed


def facts_of(pictures: Sequence[Picture], rules: Iterable[Rule]) -> tuple[Fact, ...]:
    """What the pictures of a file, and of its rewrite's rounds, were made from."""
    first = pictures[0]
    facts: dict[Fact, None] = {}
    if any(rule.id not in WITHOUT_JAR and first.active(rule.id, -1) for rule in rules):
        for picture in pictures:
            facts.update(dict.fromkeys(_jars(picture)))
    for picture in pictures:
        for file, _ in picture.start_scripts:
            if file.origin is not None:
                facts[Fact("script", _named(picture, file.origin))] = None
    for source in (*first.options.built_for.sources, *first.options.built_for.unknown):
        facts[Fact("platforms", source)] = None
    for picture in pictures:
        for name in picture.running.sources:
            facts[Fact("containers", name)] = None
    declared = next((each for each in first.options.bases if first.base.declared and each.source), None)
    if declared is not None:
        facts[Fact("base", declared.source)] = None
    return tuple(facts)


def _jars(picture: Picture) -> Iterator[Fact]:
    for jar in picture.application_jars:
        yield Fact("jar", _named(picture, Path(jar.path)))
    missing = dict(_unbuilt(picture))
    for name, instead in missing.items():
        yield Fact("jar", name, False, None if instead else _command(picture, name), instead)
    if (missing or not picture.application_jars) and picture.build_facts is not None:
        yield Fact("build-file", _named(picture, Path(picture.build_facts.path)))


def _command(picture: Picture, name: str) -> str | None:
    module = re.sub(r"(^|/)(?:target|build/libs)/[^/]+$", "", name)
    directory = picture.context.root / module if picture.context is not None else None
    return (build_call(directory) or None) if directory is not None else None


def _unbuilt(picture: Picture) -> Iterator[tuple[str, str | None]]:
    """The jars that the build takes, or makes itself, and that are not there: as they are named in the context; and where
    the build puts them, when it puts none there."""
    if picture.context is None:
        return
    stages = {name for stage in picture.stages for name in (stage.name.lower(), str(stage.index))}
    seen: set[int] = set()  # a stage has the layers of the one below it as well
    for stage in picture.stages:
        for layer in stage.content.layers:
            if id(layer.instruction) in seen:
                continue
            seen.add(id(layer.instruction))
            from_ = layer.instruction.flag("from")
            if from_ is not None:
                if (from_.value or "").lower() in stages:
                    yield from _made_inside(picture, layer)
            elif not layer.complete:
                yield from _not_there(picture, layer.instruction)


def _made_inside(picture: Picture, layer: Layer) -> Iterator[tuple[str, str | None]]:
    """Jars that a stage builds, of which none is there that was built outside before."""
    if any(file.origin is not None or file.entry is not None for file in layer.files):
        return
    for word in layer.instruction.words[:-1]:
        source = picture.expand(layer.instruction, word.text) or ""
        made = re.search(r"([^/]+/)?((?:target|build/libs)/[^/]+\.(?:jar|war))$", normal("/" + source))
        if made is not None and picture.built_before(source) is None:
            module = made[1] or ""
            there = picture.context is not None and (picture.context.root / module).is_dir()
            yield (module if there else "") + made[2], misnamed(picture).get((layer.instruction, source))


def _not_there(picture: Picture, copy: Instruction) -> Iterator[tuple[str, str | None]]:
    from imgopt.build_context.tree import resolve
    from imgopt.java.building import is_output

    if copy.keyword not in ("COPY", "ADD") or copy.heredocs or picture.context is None:
        return
    for word in copy.words[:-1]:
        source = picture.expand(copy, word.text)
        if source is None or "://" in source:
            continue
        is_jar = source.endswith((".jar", ".war")) or is_output(normal("/" + source))
        try:
            there = bool(resolve(picture.context, [source]))
        except ContextError:
            continue  # it is there, and cannot be copied
        if is_jar and not there:
            yield normal("/" + source).lstrip("/"), misnamed(picture).get((copy, source))


def _named(picture: Picture, path: Path) -> str:
    """A file as people find it from the context."""
    root = picture.context.root if picture.context is not None else Path()
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except (OSError, RuntimeError, ValueError):
        return path.name
