"""Unpacking and starting: whether what the file unpacks, what it copies of it and what it starts agree.

One model for all of it: the contents of the stages, followed with the jar at hand, or with one as Spring Boot's plugins
make it where none is (`imgopt.java.jarmode.supposed_jar`). A fault is said only where what is missing could have come
from nowhere else. A mend is certain when the same model finds the fault gone in the mended text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from imgopt import shell
from imgopt.dockerfile import Edit, Instruction, Span, apply_edits, writing
from imgopt.errors import DockerfileError
from imgopt.finding import Sentence, Word, say
from imgopt.java.jarmode import archive_at, modes_for, modes_of, refusal, supposed_jar
from imgopt.java.spring_boot import DEFAULT_LAYERS, LOADER_PATH, is_known_launcher, layered
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.picture import Picture, StagePicture, once
from imgopt.picture.class_paths import volumes
from imgopt.picture.contents import File, StageContent, Unpacking, stage_contents
from imgopt.picture.java_options import covers
from imgopt.picture.paths import join, normal
from imgopt.picture.picture import may_bring_jars
from imgopt.picture.scripts import ShellText, body_of
from imgopt.text.quoting import Unwritable

if TYPE_CHECKING:
    from imgopt.java.command import JavaCall
    from imgopt.java.model import Jar

LAUNCHER = regex(
    r"\borg\.springframework\.boot\.loader\.(?:launch\.)?(?:Jar|War|Properties)Launcher\b(?![.\w])"
)
#: Mends that may follow each other: a build that fails keeps what comes after it from being seen.
_MOST_STEPS = 2
#: They build a project where its build files lie, and put jars nowhere but into its output directories.
_BUILD_TOOLS = frozenset("mvn mvnw mvnd gradle gradlew dos2unix npm npx yarn pnpm git".split())
_OUTPUTS = regex(r"/(?:target|build|node_modules|dist)(?:/|$)")

#: What jarmode says of an archive that it does not unpack.
_CANNOT = r"not compatible|Invalid library location|must end with \.jar or \.war|Unknown command|is not a directory|No layer defined|Layers are not enabled|Failed to load layers\.idx|outside the output location"
_PLAIN = regex(r"[\w./+@-]*")


@dataclass(frozen=True)
class Mend:
    """``edits`` of the text that take a fault away; ``what`` says them."""

    what: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Shown:
    """How a builder tells of a failure: the keyword of the instruction that fails, and a pattern of what is said then."""

    keyword: str
    pattern: str


@dataclass(frozen=True)
class Fault:
    """Where the three do not agree. ``fails``: what does. ``mends`` are tried in their order; ``advice`` is for those
    that none takes away. ``shows``: by what a failed build is known to have failed for this; empty where nothing tells."""

    fails: Literal["build", "start"]
    instruction: Instruction
    message: Sentence
    advice: str
    mends: tuple[Mend, ...] = ()
    shows: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Broken:
    """A fault with the mend that takes it away; without one its ``advice`` is all there is. ``source``: what the version
    and the layers were read from, None where they are Spring Boot's defaults."""

    fault: Fault
    mend: Mend | None
    source: str | None
    last: Instruction  # faults of one kind in neighbouring lines are one
    leaves_out: frozenset[str] = frozenset()  # what the final image has no more, as `Fix` says it


@once
def broken(picture: Picture) -> tuple[Broken, ...]:
    """The faults of a file that unpacks its application, each with the first mend that takes it away. Faults of several
    lines that are mended in the same way are one, said of the first of these lines."""
    return _broken(picture, _MOST_STEPS)


def _broken(picture: Picture, steps: int) -> tuple[Broken, ...]:
    model = _Model(picture)
    faults = model.faults
    found: list[Broken] = []
    for fault in faults:
        mend, rest = next(
            (
                (each, after)
                for each in fault.mends
                if (after := _helped(picture, fault, faults, each, steps)) is not None
            ),
            (None, None),
        )
        lost = frozenset[str]()
        if rest is not None:
            lost = frozenset(picture.final.content.files) - frozenset(rest.final.content.files)
        new = Broken(fault, mend, model.source, fault.instruction, lost)
        before = found[-1] if found else None
        if before is not None and (before.fault.fails, before.fault.advice, before.mend is None) == (
            fault.fails,
            fault.advice,
            mend is None,
        ):
            found[-1] = _together(before, new)
        else:
            found.append(new)
    return tuple(found)


def _together(one: Broken, other: Broken) -> Broken:
    mend = one.mend
    if mend is not None and other.mend is not None:
        what = mend.what if mend.what == other.mend.what else one.fault.advice
        mend = Mend(what, tuple(dict.fromkeys((*mend.edits, *other.mend.edits))))
    fault = replace(one.fault, shows=(*one.fault.shows, *other.fault.shows))
    leaves_out = one.leaves_out | other.leaves_out
    return replace(one, fault=fault, mend=mend, last=other.fault.instruction, leaves_out=leaves_out)


def _helped(
    picture: Picture, fault: Fault, faults: Sequence[Fault], mend: Mend, steps: int
) -> Picture | None:
    """The picture of the mended file; None where the fault is still there, or where one comes to light that has no mend
    of its own."""
    try:
        text = apply_edits(picture.document.text, mend.edits)
        after = picture.of_text(text)
    except (ValueError, DockerfileError):
        return None
    rest = _Model(after).faults
    if _same_fault(fault, rest):
        return None
    known = {(each.fails, each.advice) for each in faults}
    new = [each for each in rest if (each.fails, each.advice) not in known]
    if new and (fault.fails == "start" or not steps):
        return None
    if new and any(each.mend is None for each in _broken(after, steps - 1) if each.fault in new):
        return None
    return after


def _same_fault(fault: Fault, rest: Iterable[Fault]) -> bool:
    return any(
        other.instruction.keyword == fault.instruction.keyword
        and other.instruction.number == fault.instruction.number
        and other.fails == fault.fails
        for other in rest
    )


@dataclass(frozen=True)
class _Tree:
    """An unpacked application in a stage: its root, and how it is laid out."""

    root: str
    launcher: bool
    jar: Jar


class _Model:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.read = self._jar_read()
        self.version = self._version()
        self.supposed = self.read or supposed_jar(self.version, war=self._is_war())

    # what is known of the archive

    def _jar_read(self) -> Jar | None:
        """The archive that the file unpacks, as it lies in the context."""
        picture = self.picture
        for content in picture.contents:
            for each in content.unpackings:
                if each.jar is not None and each.jar.kind.startswith("spring-boot"):
                    return each.jar
        for content in picture.contents:
            for unpacked in content.files.values():
                if unpacked.entry is not None and unpacked.entry[0].kind.startswith("spring-boot"):
                    return unpacked.entry[0]
        sources = [each.archive for content in picture.contents for each in content.unpackings]
        for instruction in picture.document.instructions:
            if instruction.keyword == "COPY" and any(sources):
                sources += [
                    value
                    for word in instruction.words[:-1]
                    if (value := picture.expand(instruction, word.text))
                ]
        for source in sources:
            file = picture.built_before(source) if re.search(r"\.[jw]ar$", source) else None
            jar = picture.jars(file) if file is not None else None
            if jar is not None and jar.kind.startswith("spring-boot"):
                return jar
        artifact = picture.artifact
        jar = artifact.jar if artifact is not None else None
        return jar if jar is not None and jar.kind.startswith("spring-boot") else None

    def _version(self) -> str | None:
        if self.read is not None:
            return self.read.spring_boot
        facts = self.picture.build_facts
        return self.picture.options.spring_boot or (facts.spring_boot if facts is not None else None)

    def _is_war(self) -> bool:
        facts = self.picture.build_facts
        return facts is not None and facts.packaging == "war"

    @property
    def source(self) -> str | None:
        if self.read is not None:
            return self.read.path
        facts = self.picture.build_facts
        if self.picture.options.spring_boot is not None:
            return "--spring-boot"
        return facts.path if self.version is not None and facts is not None else None

    @cached_property
    def contents(self) -> tuple[StageContent, ...]:
        picture = self.picture
        return stage_contents(
            picture.document, picture.context, picture.scopes, picture.settings, picture.jars, self.supposed
        )

    @cached_property
    def layers(self) -> frozenset[str]:
        names = {name for name, _ in self.supposed.layers_index or ()}
        return frozenset(names | set(DEFAULT_LAYERS))

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """The stages that the final image is made of."""
        picture, found = self.picture, set[int]()
        waiting = [picture.final.index]
        while waiting:
            index = waiting.pop()
            if index in found:
                continue
            found.add(index)
            for stage in picture.stages[index].lineage:
                found.add(stage.index)
                for instruction in stage.stage.instructions:
                    other = self.stage_of(instruction)
                    if other is not None:
                        waiting.append(other.index)
        return tuple(sorted(found))

    def stage_of(self, copy: Instruction) -> StagePicture | None:
        """The stage that a COPY takes from, which stands above its own."""
        name = self.origin(copy)
        if name is None:
            return None
        found = self.picture.document.stage(name, self.index_of(copy))
        return self.picture.stages[found.index] if found is not None else None

    def origin(self, copy: Instruction) -> str | None:
        flag = copy.flag("from") if copy.keyword in ("COPY", "ADD") else None
        return (self.picture.expand(copy, flag.value or "") or None) if flag is not None else None

    def index_of(self, instruction: Instruction) -> int:
        return next(
            (
                stage.index
                for stage in reversed(self.picture.document.stages)
                if stage.from_.number <= instruction.number
            ),
            0,
        )

    @cached_property
    def customized(self) -> bool:
        """Whether the file takes layers that are not Spring Boot's own, of a jar that is not at hand: then which layer
        holds what is not known."""
        if self.read is not None:
            return False
        for index in self.needed:
            for copy in self.picture.stages[index].stage.instructions:
                origin = self.stage_of(copy)
                for word in copy.words[:-1] if origin is not None else ():
                    path = normal("/" + (self.picture.expand(copy, word.text) or ""))
                    if posixpath.basename(path) in DEFAULT_LAYERS:
                        continue
                    if origin is not None and any(
                        each.directory == posixpath.dirname(path)
                        and each.asked is not None
                        and each.asked.layers is not None
                        for each in self.contents[origin.index].unpackings
                    ):
                        return True
        return False

    # faults

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        found = [*self._unpacking_faults(), *self._launcher_faults()]
        failed = {self.index_of(fault.instruction) for fault in found if fault.fails == "build"}
        if not self.customized:
            found += self._copy_faults(failed)
        if not found and not self.customized:
            found += self._start_faults()
        return tuple(found)

    @cached_property
    def unpackings(self) -> tuple[tuple[Unpacking, int], ...]:
        """Each with the stage that it stands in."""
        return tuple(
            (each, index)
            for index in self.needed
            for each in self.contents[index].unpackings
            if self.index_of(each.instruction) == index
        )

    def _unpacking_faults(self) -> Iterator[Fault]:
        for each, index in self.unpackings:
            words = self._words(each)
            lacking = self._lacking_copies(index)
            if each.outcome == "unsupported":
                yield self._unsupported(each, words)
            elif each.outcome == "started":
                yield Fault(
                    "build",
                    each.instruction,
                    say(
                        "-Djarmode={} stands behind the jar, where it is an argument of the application: the build "
                        "starts the application instead of unpacking it",
                        each.mode,
                    ),
                    "write -Djarmode before -jar",
                    tuple(self._moved(each, words)),
                )
            elif each.outcome == "blocked" and each.jar is not None and each.asked is not None:
                why = refusal(each.jar, each.asked)
                advice = "build the jar with layers and without a launch script, or copy it whole"
                mends: tuple[Mend, ...] = ()
                if why is not None and why.startswith("without --launcher"):
                    advice = "add --launcher, and start the launcher"
                    mends = tuple(self._added(words, "--launcher", what="unpack the launcher, too"))
                yield Fault(
                    "build",
                    each.instruction,
                    say(
                        "the jar cannot be unpacked like this: {}",
                        why or f"Spring Boot {each.jar.spring_boot} unpacks nothing to /",
                    ),
                    advice,
                    mends,
                    (Shown("RUN", _CANNOT), *lacking),
                )
            elif each.outcome == "error" and each.asked is not None:
                ends = ", writes nothing and ends with 0" if each.asked.ends_with_0 else " and writes nothing"
                advice = f"take the options that jarmode {each.mode} knows"
                if not re.search(r"option|value", each.asked.fault or ""):
                    advice = "write `java -Djarmode=MODE -jar ARCHIVE.jar extract [OPTION]...`"
                yield Fault(
                    "build",
                    each.instruction,
                    say("{}; it prints an error{}", each.asked.fault or "", ends),
                    advice,
                    tuple(self._known_options(each, words)),
                    (Shown("RUN", _CANNOT), *lacking),
                )
            elif each.outcome == "not-empty" and each.directory is not None:
                yield Fault(
                    "build",
                    each.instruction,
                    say(
                        "jarmode tools unpacks into no directory that holds something, and {} does",
                        each.directory,
                    ),
                    "add --force",
                    tuple(self._added(words, "--force", what="add --force")),
                    (Shown("RUN", "already exists and is not"), *lacking),
                )
            elif each.asked is not None and each.asked.layers and each.outcome == "written" and lacking:
                wrong = [name for name in each.asked.layers if name not in self._layers_of(each)]
                if wrong and self.read is not None:
                    yield Fault(
                        "build",
                        each.instruction,
                        say("the jar has no layer {}; it has {}", wrong[0], ", ".join(self._layers_of(each))),
                        "name the layers that the jar has, or none to get all",
                        shows=lacking,
                    )

    def _layers_of(self, each: Unpacking) -> tuple[str, ...]:
        return tuple(name for name, _ in layered(each.jar or self.supposed))

    def _unsupported(self, each: Unpacking, words: Sequence[_Written]) -> Fault:
        jar = each.jar or self.supposed
        right = modes_of(jar)
        if not right:
            right = modes_for(jar.spring_boot or "")
            why = (
                f"the jar holds no spring-boot-jarmode library, so jarmode {each.mode} does not unpack it"
                if right
                else f"Spring Boot {jar.spring_boot} has no jar modes; the build starts the application instead"
            )
            return Fault(
                "build", each.instruction, say("{}", why), "unpack it with `jar xf`, or copy it whole"
            )
        mends: list[Mend] = []
        for mode in right:
            flag = next((word for word in words if word.text.startswith("-Djarmode=")), None)
            edits = (
                [Edit(flag.span, f"-Djarmode={mode}")] if flag is not None and flag.span is not None else []
            )
            extract = next((word for word in words if word.text == "extract"), None)
            if not edits or extract is None or extract.span is None:
                continue
            rest = [word.text for word in words[words.index(extract) + 1 :]]
            what = f"use jarmode {mode}"
            if mode == "tools" and "--layers" not in rest:
                more = " --layers --launcher --force"
                more += "" if any(word.startswith("--destination") for word in rest) else " --destination ."
                if any(not word.startswith("-") for word in _without_values(rest)):
                    continue
                mends.append(Mend(what, (*edits, Edit(Span(extract.span.end, extract.span.end), more))))
            elif mode == "layertools" and "--layers" in rest and "--launcher" in rest:
                gone = [word for word in words if word.text in ("--layers", "--launcher", "--force")]
                mends.append(Mend(what, (*edits, *_removed(gone))))
            else:
                mends.append(Mend(what, tuple(edits)))
        return Fault(
            "build",
            each.instruction,
            say(
                "jarmode {} does not exist in Spring Boot {}; it is called {} there",
                each.mode,
                jar.spring_boot or "",
                right[0],
            ),
            f"use jarmode {right[0]}",
            tuple(mends),
            (Shown("RUN", rf"Unsupported jarmode '{re.escape(each.mode)}'"),),
        )

    def _moved(self, each: Unpacking, words: Sequence[_Written]) -> Iterator[Mend]:
        flag = next((word for word in words if word.text.startswith("-Djarmode=")), None)
        jar = next((word for word in words if word.text == "-jar"), None)
        if flag is None or jar is None or flag.span is None or jar.span is None:
            return
        at = Span(jar.span.start, jar.span.start)
        yield Mend("write -Djarmode before -jar", (Edit(at, flag.text + " "), *_removed([flag])))

    def _known_options(self, each: Unpacking, words: Sequence[_Written]) -> Iterator[Mend]:
        """The same options as the mode takes them; or the mode that takes them; or without them."""
        extract = next((word for word in words if word.text == "extract"), None)
        jar = archive_at([word.text for word in words])
        archive = words[jar] if jar is not None else None
        if (
            extract is not None
            and archive is not None
            and archive.span is not None
            and words.index(extract) > words.index(archive) + 1
        ):
            at = Span(archive.span.end, archive.span.end)
            yield Mend("write `extract` behind the jar", (Edit(at, " extract"), *_removed([extract])))
        joined = [
            word
            for word in words
            if re.match(r"--(?:destination|layers|libraries|application-filename)=", word.text)
            and word.span is not None
        ]
        apart = tuple(
            Edit(word.span, word.text.replace("=", " ", 1))
            for word in joined
            if word.span is not None and re.fullmatch(r"[-\w./=,]+", word.text)
        )
        if joined and len(apart) == len(joined):
            yield Mend("write the value as a separate word", apart)
        if words and words[-1].text.startswith("--"):
            yield Mend(f"leave out {words[-1].text}, which has no value", _removed(words[-1:]))
        flag = next((word for word in words if word.text.startswith("-Djarmode=")), None)
        if each.mode.lower() == "layertools" and flag is not None and flag.span is not None:
            texts = [word.text for word in words]
            more = [option for option in ("--layers", "--launcher", "--force") if option not in texts]
            if "--destination" not in texts and not joined:
                more.append("--destination .")
            last = words[-1].span
            if "tools" in modes_of(each.jar or self.supposed) and last is not None:
                end = Span(last.end, last.end)
                added = (Edit(end, " " + " ".join(more)),) if more else ()
                yield Mend("use jarmode tools", (Edit(flag.span, "-Djarmode=tools"), *added, *apart))
            strange = [word for word in words if word.text in ("--layers", "--launcher", "--force")]
            if strange and all(word.span is not None for word in strange):
                yield Mend("leave out the options of jarmode tools", _removed(strange))

    def _lacking_copies(self, index: int) -> tuple[Shown, ...]:
        """What the COPY lines say that take from a stage where nothing was unpacked."""
        return tuple(
            _not_found(source)
            for each in self.needed
            for copy in self.picture.stages[each].stage.instructions
            if (origin := self.stage_of(copy)) is not None and origin.index == index
            for word in copy.words[:-1]
            if (source := self.picture.expand(copy, word.text)) is not None
            and not self.contents[index].matching(normal("/" + source))
        )

    # COPY

    def _copy_faults(self, failed: set[int]) -> Iterator[Fault]:
        picture = self.picture
        for index in self.needed:
            stage = picture.stages[index].stage
            for instruction in stage.instructions:
                if instruction.keyword != "COPY" or instruction.heredocs or len(instruction.words) < 2:
                    continue
                origin = self.stage_of(instruction)
                if origin is not None and origin.index in failed:
                    continue  # the unpacking comes first
                for word in instruction.words[:-1]:
                    source = picture.expand(instruction, word.text)
                    if source is None:
                        continue
                    path = normal("/" + source)
                    if origin is not None:
                        yield from self._not_there(instruction, word.span, path, origin)
                    elif instruction.flag("from") is None:
                        yield from self._from_nowhere(instruction, path)

    def _not_there(self, copy: Instruction, at: Span, path: str, origin: StagePicture) -> Iterator[Fault]:
        content = self.contents[origin.index]
        if content.matching(path) or not self._would_be_seen(origin, path):
            return
        name = posixpath.basename(path)
        mends: list[Mend] = []
        places = sorted(self._places(content, name))
        for each in content.unpackings:
            mends += self._other_unpacking(each, copy, path, origin)
        if len(places) == 1:
            mends.append(Mend(f"copy {places[0]}", (Edit(at, self._written_like(copy, at, places[0])),)))
        others = [
            stage
            for stage in self.picture.stages[: self.index_of(copy)]
            if stage is not origin and self.contents[stage.index].matching(path) and stage.stage.name
        ]
        flag = copy.flag("from")
        if len(others) == 1 and flag is not None and flag.value_span is not None:
            mends.append(Mend(f"copy it from {others[0].name}", (Edit(flag.value_span, others[0].name),)))
        if (
            name in self.layers
            and name not in {layer for layer, _ in self.supposed.layers_index or ()}
            and self.read is not None
            and len(copy.words) == 2
        ):
            layers = ", ".join(layer for layer, _ in self.read.layers_index or ())
            yield Fault(
                "build",
                copy,
                say("the jar has no layer {}; it has {}", name, layers),
                "leave the line out",
                (*mends, Mend("leave the line out", (self.picture.removal(copy),))),
                (_not_found(path),),
            )
            return
        there = [each for each in content.unpackings if each.outcome == "written" and each.directory]
        where = (
            say(": {} unpacks to {}", there[-1].instruction, there[-1].directory or "")
            if there
            else say(": nothing is unpacked there")
        )
        yield Fault(
            "build",
            copy,
            say("stage {} has no {}{}", origin.name, path, where),
            f"copy what stage {origin.name} has",
            tuple(mends),
            (_not_found(path),),
        )

    def _other_unpacking(
        self, each: Unpacking, copy: Instruction, path: str, origin: StagePicture
    ) -> Iterator[Mend]:
        """The unpacking as its COPY lines take it: with layers, with the launcher, to their directory."""
        asked, name = each.asked, posixpath.basename(path)
        if asked is None or each.directory is None or each.outcome != "written" or name not in self.layers:
            return
        words = self._words(each)
        more: list[str] = []
        what: list[str] = []
        if asked.mode == "tools" and asked.layers is None:
            more.append("--layers")
            if not asked.launcher and self._starts_launcher:
                more.append("--launcher")
            what.append("unpack it into layers")
        if asked.layers and name not in asked.layers:
            old = next((word for word in words if word.text == ",".join(asked.layers)), None)
            if asked.mode == "tools" and old is not None and old.span is not None:
                yield Mend("unpack all layers", _removed([old]))
            elif asked.mode == "layertools":
                names = [word for word in words if word.text in asked.layers]
                yield Mend("unpack all layers", _removed(names))
            return
        base = posixpath.dirname(path)
        if asked.destination is None and base not in (each.directory, "/"):
            setting = self.picture.settings[each.instruction.number]
            here = base == setting.workdir
            more += ["--force"] if asked.mode == "tools" and not asked.force and here else []
            more.append(f"--destination {'.' if here else base}")
            what.append(f"unpack to {base}")
        if more:
            yield from self._added(words, " ".join(more), what=" and ".join(what))

    @cached_property
    def _starts_launcher(self) -> bool:
        return any(
            call.main_class is not None and LAUNCHER.fullmatch(call.main_class) for call in self.picture.calls
        )

    def _from_nowhere(self, copy: Instruction, path: str) -> Iterator[Fault]:
        """A COPY from the build context of what a stage above unpacks."""
        layer = next(
            (each for each in self.contents[self.index_of(copy)].layers if each.instruction is copy), None
        )
        if (
            self.picture.context is None
            or layer is None
            or layer.complete
            or posixpath.basename(path) not in self.layers
        ):
            return
        above = [
            stage
            for stage in self.picture.stages[: self.index_of(copy)]
            if path in self.contents[stage.index].directories
            and self._trees(self.contents[stage.index], path)
        ]
        if not above:
            return
        at = Span(copy.keyword_span.end, copy.keyword_span.end)
        mends = [Mend(f"copy it from {above[0].name}", (Edit(at, f" --from={above[0].name}"),))]
        yield Fault(
            "build",
            copy,
            say("{} is not in the build context; stage {} unpacks it", path, above[0].name),
            f"add --from={above[0].name}",
            tuple(mends) if len(above) == 1 else (),
            (_not_found(path),),
        )

    def _places(self, content: StageContent, name: str) -> set[str]:
        """Where an unpacking wrote a directory, or the application's jar, of this name."""
        found: set[str] = set()
        for each in content.unpackings:
            if each.outcome == "written" and each.directory is not None:
                place = join(each.directory, name)
                if place in content.directories and each.asked is not None and each.asked.layers is not None:
                    found.add(place)
        return found

    def _trees(self, content: StageContent, path: str) -> bool:
        return any(
            each.outcome == "written"
            and each.directory is not None
            and (path + "/").startswith(each.directory.rstrip("/") + "/")
            for each in content.unpackings
        )

    def _written_like(self, copy: Instruction, at: Span, path: str) -> str:
        """A source written as the one that stands at ``at``: with its slashes at both ends."""
        old = self.picture.document.text[at.start : at.end].strip('"')
        text = path + ("/" if old.endswith("/") else "")
        if not old.startswith("/"):
            text = text.lstrip("/")
        return writing.json_word(text) if copy.json is not None else writing.source(text)

    def _would_be_seen(self, stage: StagePicture, path: str) -> bool:
        """Whether a path of a stage that is not there is surely not there."""
        if not any(self.contents[stage.index].unpackings) and posixpath.basename(path) not in self.layers:
            return False
        base = self.picture.base_of(stage)
        return base.kind in ("jdk", "jre", "build", "os") and not self._may_be_at(stage, path)

    def _is_laid_over(self, path: str) -> bool:
        """By a mount that another file tells of, or a volume of the image."""
        picture = self.picture
        return picture.running.mount_over(path) is not None or any(
            covers(volume, path) for volume in volumes(picture)
        )

    def _may_be_at(self, stage: StagePicture, path: str) -> bool:
        """Whether an instruction that is not followed may have put something there, or a container has something laid over
        it."""
        if stage.index == self.picture.final.index and self._is_laid_over(path):
            return True
        layers = {layer.instruction.number: layer for layer in self.contents[stage.index].layers}
        for instruction in stage.instructions():
            layer = layers.get(instruction.number)
            if instruction.keyword == "RUN" and layer is not None and not layer.complete:
                if self._is_wild(instruction):
                    return True
                builds = any(
                    command.program in _BUILD_TOOLS
                    for command in shell.all_commands(self.picture.script_of(instruction).text)
                )
                if builds and (_OUTPUTS.search(path) or posixpath.basename(path) not in self.layers):
                    return True
            elif (
                instruction.keyword in ("COPY", "ADD")
                and layer is not None
                and not layer.complete
                and self._brings_unseen(instruction, path)
            ):
                return True
        return False

    def _brings_unseen(self, copy: Instruction, path: str) -> bool:
        target = self.picture.target_of(copy)
        if target is None:
            return True
        origin = self.stage_of(copy)
        if origin is not None and len(copy.words) == 2:
            source = self.picture.expand(copy, copy.words[0].text)
            place = normal("/" + source) if source is not None else None
            if place is not None and self._trees(self.contents[origin.index], place):
                return False  # what was unpacked there is known
            if place is not None and re.search(r"\.[jw]ar$", place):
                return re.search(r"\.[jw]ar$", path) is not None and _below(path, target)
        return _below(path, target) or _below(target, path)

    def _is_wild(self, run: Instruction) -> bool:
        """Whether a RUN may have made anything anywhere."""
        read = self.picture.script_of(run)
        if read.script.broken:
            return True
        if not may_bring_jars(read):
            return False
        for command in shell.all_commands(read.text):
            program = command.program
            if program in _BUILD_TOOLS:
                if any("outputDirectory" in word.text or "extract" in word.text for word in command.words):
                    return True
            elif program in ("java", "jar", "cp", "mv", "unzip"):
                if any(word.literal is None for word in command.words):
                    return True
            elif program is None or not _brings_nothing(program):
                return True
        return False

    # the start

    def _launcher_faults(self) -> Iterator[Fault]:
        """Launchers that this Spring Boot has under another name, wherever the name stands."""
        picture = self.picture
        for instruction in picture.final.instructions():
            if instruction.keyword in ("ENTRYPOINT", "CMD"):
                if instruction not in picture.start_commands:
                    continue
            elif instruction.keyword not in ("RUN", "ENV", "ARG", "COPY"):
                continue
            texts = [(instruction.text, instruction.source_span)]
            texts += [(body.text, body.span) for body in map(body_of, instruction.heredocs)]
            edits: list[Edit] = []
            wrong: dict[str, str] = {}
            for text, place in texts:
                for match in LAUNCHER.finditer(text):
                    right = self._right_launcher(match.group())
                    if right is not None:
                        wrong[match.group()] = right
                        edits.append(Edit(place(match.start(), match.end()), right))
            for name, right in list(wrong.items())[:1]:
                yield Fault(
                    "start",
                    instruction,
                    say("{} is not in Spring Boot {}; its launcher is {}", name, self._boot, right),
                    f"start {right}",
                    (Mend(f"start {right}", tuple(edits)),),
                )
        for file, text in picture.started_scripts:
            names = [match.group() for match in LAUNCHER.finditer(_without_comments(text))]
            wrong = {name: right for name in names if (right := self._right_launcher(name)) is not None}
            if file.text is not None or not wrong or set(names) != set(wrong):
                continue
            name, right = next(iter(wrong.items()))
            script = posixpath.basename(file.path)
            yield Fault(
                "start",
                self._start_line,
                say("{} starts {}, which is not in Spring Boot {}", script, name, self._boot),
                f"in {file.origin.name if file.origin is not None else script}, start {right}",
            )

    @property
    def _boot(self) -> str:
        return self.version or "of the jar"

    def _right_launcher(self, name: str) -> str | None:
        """The launcher of the same kind that the jar has; None where it has this one, or where nothing tells."""
        jar, kind = self.supposed, name.rsplit(".", 1)[-1]
        if self.version is None and self.read is None:
            return None
        if (
            jar.kind == "spring-boot-war"
            and kind == "JarLauncher"
            and (jar.launcher or "").endswith(".WarLauncher")
        ):
            return jar.launcher
        there = [
            path.removesuffix(".class").replace("/", ".")
            for path in (f"{LOADER_PATH}{package}{kind}.class" for package in ("launch/", ""))
            if any(entry.name == path for entry in jar.entries)
        ]
        return there[0] if there and name not in there else None

    def _start_faults(self) -> Iterator[Fault]:
        picture, content = self.picture, self.contents[self.picture.final.index]
        calls = [
            (source, call)
            for source, call in picture.calls_by_source
            if isinstance(source, Instruction)
            or (isinstance(source, File) and any(source is file for file, _ in picture.started_scripts))
        ]
        if not calls or any(call.jar is None and call.main_class is None for _, call in calls):
            return
        trees = _trees_in(content)
        found = [self._start_fault(source, call, content, trees) for source, call in calls]
        if all(fault is not None for fault in found):
            yield from (fault for fault in found[:1] if fault is not None)

    def _start_fault(
        self, source: Instruction | File, call: JavaCall, content: StageContent, trees: Sequence[_Tree]
    ) -> Fault | None:
        if call.directory is None or (any(option.startswith("$") for option in call.options) and not trees):
            return None
        if not all(_PLAIN.fullmatch(place) for place in (content.workdir, *(tree.root for tree in trees))):
            return None  # what a shell or the builder makes of such a name is not worth a guess
        if call.jar is not None:
            return self._jar_start(source, call, content, trees)
        return self._class_start(source, call, content, trees)

    def _jar_start(
        self, source: Instruction | File, call: JavaCall, content: StageContent, trees: Sequence[_Tree]
    ) -> Fault | None:
        jar = call.jar or ""
        if call.pattern or "$" in jar or not trees:
            return None
        path = self.picture.at_start(jar)
        file = content.files.get(path)
        if file is not None:
            if file.made_of is None:
                return None
            archive, libraries = file.made_of
            root = posixpath.dirname(path)
            missing = [
                name
                for entry in archive.entries
                if entry.name.startswith(tuple(archive.lib_prefixes)) and not entry.is_directory
                if (name := join(root, f"{libraries}/{posixpath.basename(entry.name)}")) not in content.files
                and "jarmode" not in name
            ]
            return self._incomplete(
                source,
                missing,
                root,
                f"copy the libraries to {join(root, libraries)}, where {path} looks for them",
            )
        if self._may_be_at(self.picture.final, path):
            return None
        if any(
            each.made_of is None and posixpath.basename(each.path) == posixpath.basename(path)
            for each in content.files.values()
        ):
            return None  # a jar of this name lies elsewhere in the image: no matter of what was unpacked
        mends: list[Mend] = []
        for tree in trees:
            if tree.launcher:
                mends += self._launcher_instead(source, call, tree)
        applications = [each for each in content.files.values() if each.made_of is not None]
        if len(applications) == 1:
            mends += self._replaced(source, jar, _seen_from(content.workdir, applications[0].path))
        return Fault(
            "start",
            self._at(source),
            say("{}java -jar {} finds no such file: {}", self._in(source), jar, _holds(trees)),
            self._start_advice(source, trees),
            tuple(mends),
        )

    def _class_start(
        self, source: Instruction | File, call: JavaCall, content: StageContent, trees: Sequence[_Tree]
    ) -> Fault | None:
        main = call.main_class or ""
        class_path = call.class_path or self.picture.environment.get("CLASSPATH") or "."
        if "$" in main or "$" in class_path or "/" in main or call.has_option("-m") or call.has_option("@"):
            return None
        if any(option in ("-p", "--module-path", "-m", "--module") for option in call.options):
            return None
        launcher = LAUNCHER.fullmatch(main) is not None
        if self.picture.base.kind == "unknown" and not trees:
            return None
        own = main.replace(".", "/") + ".class"
        base = self.picture.at_start(call.directory or ".")
        directories: list[str] = []
        for part in class_path.split(":"):
            if part.endswith("*"):
                if not launcher and any(
                    not self._known_jar(file) for file in content.below(join(base, part[:-1] or "."))
                ):
                    return None  # a library may have the class
                continue
            place = join(base, part or ".")
            if self._is_laid_over(place):
                return None
            file = content.files.get(place)
            if file is not None:
                if file.made_of is None or self._has_class(file.made_of[0], own):
                    return None
                continue
            if place not in content.directories and self._may_be_at(self.picture.final, place):
                return None
            directories.append(place)
        for directory in directories:
            if join(directory, own) in content.files:
                return self._lacks_entries(source, directory, content) if launcher else None
        if launcher and not trees:
            return next(
                (
                    fault
                    for directory in directories
                    if (fault := self._lacks_entries(source, directory, content)) is not None
                ),
                None,
            )
        if not launcher and not any(
            name.endswith(".class") and name.startswith(directory.rstrip("/") + "/")
            for directory in directories
            for name in content.files
        ):
            return None
        if any(self._may_be_at(self.picture.final, join(directory, own)) for directory in directories):
            return None
        mends: list[Mend] = []
        advice = self._start_advice(source, trees)
        if launcher:
            mends += self._with_launcher(content, trees)
            for tree in trees:
                if tree.launcher and call.class_path is None and isinstance(source, Instruction):
                    mends += self._replaced(source, main, ("-cp", tree.root, main))
            thin = [each for each in content.files.values() if each.made_of is not None]
            if len(thin) == 1 and not main.endswith(".PropertiesLauncher"):
                mends += self._replaced(source, main, ("-jar", *_seen_from(content.workdir, thin[0].path)))
            message = say(
                "{}{} is not in {}: {}", self._in(source), main, ":".join(directories), _holds(trees)
            )
        else:
            right = self.read.start_class if self.read is not None else None
            message = say("{}there is no class {} in {}", self._in(source), main, ":".join(directories))
            if right is not None:
                advice = f"start {right}, the Start-Class of the jar"
                if right.rsplit(".", 1)[-1] == main.rsplit(".", 1)[-1]:
                    mends += self._replaced(source, main, (right,))
        return Fault("start", self._at(source), message, advice, tuple(mends))

    def _known_jar(self, file: File) -> bool:
        return file.entry is not None

    def _has_class(self, jar: Jar, own: str) -> bool:
        return jar is self.supposed or any(entry.name.endswith("/" + own) for entry in jar.entries)

    def _lacks_entries(self, source: Instruction | File, root: str, content: StageContent) -> Fault | None:
        """A launcher that finds only a part of its archive."""
        jars = {id(file.entry[0]): file.entry[0] for file in content.below(root) if file.entry is not None}
        if len(jars) != 1:
            return None
        jar = next(iter(jars.values()))
        missing = [
            join(root, entry.name)
            for entry in jar.entries
            if not entry.is_directory
            and join(root, entry.name) not in content.files
            and entry.name.startswith(
                (*jar.lib_prefixes, jar.classes_prefix or "\0", "META-INF/MANIFEST.MF", LOADER_PATH)
            )
            and "jarmode" not in entry.name
        ]
        return self._incomplete(source, missing, root, "copy every layer of the jar to one directory")

    def _incomplete(
        self, source: Instruction | File, missing: Sequence[str], root: str, advice: str
    ) -> Fault | None:
        if not missing or any(self._may_be_at(self.picture.final, path) for path in missing):
            return None
        if any(_removes(self.picture, path) for path in missing[:1]):
            return None  # the author's own choice
        mends = list(self._layers_added(missing, root))
        name = missing[0].rsplit("/", 1)[-1]
        return Fault(
            "start",
            self._at(source),
            say(
                "what is started is not all there: {} {} of the jar {} copied to {} ({})",
                str(len(missing)),
                "file" if len(missing) == 1 else "files",
                "is not" if len(missing) == 1 else "are not",
                root,
                name,
            ),
            advice,
            tuple(mends),
        )

    def _layers_added(self, missing: Sequence[str], root: str) -> Iterator[Mend]:
        """A COPY of each layer that is not copied, like the last of those that are."""
        picture = self.picture
        copies: dict[str, Instruction] = {}
        for instruction in picture.final.stage.instructions:
            origin = self.stage_of(instruction) if instruction.keyword == "COPY" else None
            if origin is None or len(instruction.words) != 2:
                continue
            source = picture.expand(instruction, instruction.words[0].text) or ""
            target = picture.target_of(instruction)
            if target == root and posixpath.basename(normal("/" + source)) in self.layers:
                copies[posixpath.basename(normal("/" + source))] = instruction
        if not copies:
            return
        wanted = [
            layer
            for layer, entries in layered(self.supposed)
            if layer not in copies
            and any(
                entry.name.rsplit("/", 1)[-1] == path.rsplit("/", 1)[-1]
                for entry in entries
                for path in missing
            )
        ]
        name, like = list(copies.items())[-1]
        text = picture.document.text
        start = text.rfind("\n", 0, like.span.start) + 1
        end = text.find("\n", like.span.end)
        whole = text[start : len(text) if end < 0 else end]
        lines: list[str] = []
        for layer in wanted:
            try:
                writing.word(layer)
            except Unwritable:
                return
            line, count = re.subn(rf"(?<![\w-]){re.escape(name)}(?=[/\s\"])", layer, whole, count=1)
            if count != 1:
                return
            lines.append(line)
        if lines:
            what = f"copy the layer {lines and ' and '.join(wanted)}, too"
            at = Span(start, start)
            yield Mend(what, (Edit(at, "".join(line + picture.document.newline for line in lines)),))

    def _with_launcher(self, content: StageContent, trees: Sequence[_Tree]) -> Iterator[Mend]:
        if any(tree.launcher for tree in trees):
            return
        for each, _ in self.unpackings:
            if each.asked is not None and each.asked.mode == "tools" and not each.asked.launcher:
                yield from self._added(self._words(each), "--launcher", what="unpack the launcher, too")

    def _launcher_instead(self, source: Instruction | File, call: JavaCall, tree: _Tree) -> Iterator[Mend]:
        name = tree.jar.launcher
        if name is None or not is_known_launcher(name) or (self.version is None and self.read is None):
            return
        cwd = self.picture.at_start(call.directory or ".")
        words = (name,) if tree.root == cwd else ("-cp", tree.root, name)
        if isinstance(source, Instruction):
            yield from self._replaced_pair(source, "-jar", call.jar or "", words)

    def _in(self, source: Instruction | File) -> str:
        return "" if isinstance(source, Instruction) else f"{posixpath.basename(source.path)}: "

    def _at(self, source: Instruction | File) -> Instruction:
        if isinstance(source, Instruction):
            return source
        return self._start_line

    @property
    def _start_line(self) -> Instruction:
        """The first start command, or the stage's FROM where only other files say what is started."""
        said = (where for where, _ in self.picture.start_texts if isinstance(where, Instruction))
        return next(said, self.picture.final.stage.from_)

    def _start_advice(self, source: Instruction | File, trees: Sequence[_Tree]) -> str:
        where = "" if isinstance(source, Instruction) else f" in {posixpath.basename(source.path)}"
        for tree in trees:
            if tree.launcher:
                return f"start {tree.jar.launcher or 'the launcher'} in {tree.root}{where}"
        return f"start what is copied{where}"

    # words of the text

    def _replaced(self, source: Instruction | File, old: str, new: Sequence[str]) -> Iterator[Mend]:
        """The one word of a start command that is ``old``, written as other words."""
        if not isinstance(source, Instruction):
            return
        spans = self._spans(source, (old,))
        if spans is not None:
            yield Mend(f"start `{' '.join(new)}`", (Edit(spans, self._command_words(source, new)),))

    def _replaced_pair(
        self, source: Instruction, first: str, second: str, new: Sequence[str]
    ) -> Iterator[Mend]:
        span = self._spans(source, (first, second))
        if span is not None:
            yield Mend(f"start `{' '.join(new)}`", (Edit(span, self._command_words(source, new)),))

    def _command_words(self, source: Instruction, words: Sequence[str]) -> str:
        if source.json is not None:
            return ", ".join(writing.json_word(word) for word in words)
        return " ".join(words)

    def _spans(self, source: Instruction, old: Sequence[str]) -> Span | None:
        """Where these words stand one behind the other in the ENTRYPOINT or CMD in force; None unless they do once."""
        found: list[Span] = []
        for instruction in self.picture.start_commands:
            texts = instruction.json
            if texts is not None:
                for at in range(len(texts) - len(old) + 1):
                    if list(texts[at : at + len(old)]) == list(old):
                        words = instruction.words
                        found.append(Span(words[at].span.start, words[at + len(old) - 1].span.end))
                continue
            pattern = r"\s+".join(re.escape(word) for word in old)
            for match in re.finditer(rf"(?<![\w./-]){pattern}(?![\w./-])", instruction.text):
                found.append(instruction.source_span(match.start(), match.end()))
        return found[0] if len(found) == 1 else None

    def _words(self, each: Unpacking) -> tuple[_Written, ...]:
        """The words of an unpacking as they stand in the file; empty where they cannot be found there."""
        read = self.picture.script_of(each.instruction)
        scope = self.picture.scope(each.instruction)
        commands = [
            command
            for command in shell.all_commands(read.text)
            if any("jarmode" in word.text for word in command.words)
        ]
        if len(commands) != 1:
            return ()
        return tuple(
            _Written(
                word.value(scope) or word.text,
                read.place(word.start, word.end) if read.place is not None else None,
            )
            for word in commands[0].words
        )

    def _added(self, words: Sequence[_Written], more: str, *, what: str) -> Iterator[Mend]:
        extract = next((word for word in words if word.text == "extract"), None)
        if extract is not None and extract.span is not None:
            # in front of the options: `--layers` would take a word that follows it for its value
            end = Span(extract.span.end, extract.span.end)
            yield Mend(what, (Edit(end, " " + more),))


@dataclass(frozen=True)
class _Written:
    text: str
    span: Span | None


def _not_found(path: str) -> Shown:
    """A COPY that finds nothing there. Builders name the path from the stage's root, or below a directory of their own; a
    pattern they do not always name."""
    plain = re.split(r"/?[^/]*[*?\[]", path)[0].strip("/")
    names = [rf"(?<![\w.-]){re.escape(plain)}/?(?![\w./-])"] if plain else []
    if re.search(r"[*?\[]", path):
        names.append("no source files")
    return Shown("COPY", "|".join(names) or r"(?!)")


def _removed(words: Iterable[_Written]) -> tuple[Edit, ...]:
    """Words left out, each with the blank in front of it."""
    return tuple(
        Edit(Span(word.span.start - 1, word.span.end), "") for word in words if word.span is not None
    )


def _without_values(words: Sequence[str]) -> list[str]:
    return [word for n, word in enumerate(words) if n == 0 or words[n - 1] != "--destination"]


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text)


def _below(path: str, directory: str) -> bool:
    return (path + "/").startswith(directory.rstrip("/") + "/")


def _brings_nothing(program: str) -> bool:
    return not may_bring_jars(ShellText(program))


def _removes(picture: Picture, path: str) -> bool:
    """Whether a file was taken out on purpose."""
    return any(
        file.path.rsplit("/", 1)[-1] == path.rsplit("/", 1)[-1]
        for content in picture.contents
        for layer in content.layers
        for file in layer.removed
    ) or any(
        instruction.keyword == "RUN" and re.search(r"\brm\b", instruction.text) is not None
        for stage in picture.stages
        for instruction in stage.stage.instructions
        if "jarmode" in instruction.text
    )


def _seen_from(directory: str, path: str) -> tuple[str]:
    prefix = directory.rstrip("/") + "/"
    return (path[len(prefix) :] if path.startswith(prefix) else path,)


def _trees_in(content: StageContent) -> tuple[_Tree, ...]:
    """The unpacked applications: the directories with a launcher's class, or with the application's jar."""
    found: dict[str, _Tree] = {}
    for path, file in content.files.items():
        if file.made_of is not None:
            found[posixpath.dirname(path)] = _Tree(posixpath.dirname(path), False, file.made_of[0])
        elif file.entry is not None and file.entry[1].name.startswith(LOADER_PATH):
            root = path[: -len(file.entry[1].name)].rstrip("/") or "/"
            found[root] = _Tree(root, True, file.entry[0])
    return tuple(found.values())


def _holds(trees: Sequence[_Tree]) -> Sentence:
    parts: list[Word] = [
        f"{tree.root} holds the unpacked jar with its launcher"
        if tree.launcher
        else f"{tree.root} holds the application's jar, and no launcher"
        for tree in trees
    ]
    return say("; ".join("{}" for _ in parts), *parts)
