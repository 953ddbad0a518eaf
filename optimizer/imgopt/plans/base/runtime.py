"""Chooses the base image for the final stage: the smallest one that everything found here allows.

One decision for all rules that talk about the base (`jdk-runtime`, `glibc-runtime`, `retired-base`), so that
their fixes never contradict each other. The Java version never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from imgopt.dockerfile import Edit, Instruction, Span, assignments, variables_used, writing
from imgopt.finding import Declined, Reason, because, reason_of
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.picture import Picture, once
from imgopt.plans.base.adapting import Adaptation, adapt
from imgopt.plans.base.hazards import DOUBTS, base_needs, jdk_needs
from imgopt.plans.base.java_version import too_old
from imgopt.plans.base.together import (
    companions,
    jdk_needs_of_companions,
    need_of_companions,
    why_not_together,
)
from imgopt.plans.splitting import splits_first
from imgopt.scales import Applicability
from imgopt.text.quoting import Unwritable, quoted

if TYPE_CHECKING:
    from imgopt.bases import Base

JDK, GLIBC, RETIRED = "jdk-runtime", "glibc-runtime", "retired-base"
#: One variable as it is, without a pattern or a default (`${TAG%%-*}` is another word than TAG's value).
_PLAIN_VARIABLE = regex(r"(?P<before>[^$]*)(?P<written>\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+)))[^$]*")


@dataclass(frozen=True)
class RuntimeChoice:
    """``target`` is None when the base stays; ``declined`` says, by rule, what was not done and why."""

    target: Base | None
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    risk: Reason | None = None
    declined: tuple[Declined, ...] = ()
    obstacle: Reason | None = None  # why the FROM line cannot be changed, whatever runs on it
    note: str = ""  # what else is said of the target, as the end of a sentence

    def why_not(self, rule: str) -> Reason | None:
        return next((declined.why for declined in self.declined if declined.rule == rule), None)

    def solved_by(self, rule: str) -> str | None:
        """The rule whose fix takes away what stands against this one."""
        return next((declined.solved_by for declined in self.declined if declined.rule == rule), None)


@once
def choose(picture: Picture) -> RuntimeChoice:
    """The base for the final stage. Pure: looks only at the picture."""
    base = picture.base
    line = picture.final.root.stage.line
    wanted = [rule for rule in _wanted(picture, base) if picture.active(rule, line)]
    if not wanted:
        return RuntimeChoice(None)
    if splits_first(picture):
        first = because("certain", "the stage builds the application; what runs gets its own stage first")
        return RuntimeChoice(
            None, declined=tuple(Declined(rule, line, first, "build-tools") for rule in wanted)
        )
    obstacle = _obstacle(picture, base)
    if obstacle:
        return RuntimeChoice(
            None, declined=tuple(Declined(rule, line, obstacle) for rule in wanted), obstacle=obstacle
        )

    needs = [*jdk_needs(picture), *jdk_needs_of_companions(picture)] if JDK in wanted else []
    certain = next((need for need in needs if need.kind not in DOUBTS), None)
    doubt = next((need for need in needs if need.kind in DOUBTS), None)
    musl = _may_use_musl(picture, base, line)
    kinds: list[tuple[str, Reason | None]] = (
        [("jdk" if needs else "jre", None)] if JDK in wanted else [(base.kind, None)]
    )
    if needs and certain is None:
        kinds.append(("jre", doubt))  # a JRE, should nothing with the JDK be safe
    against = certain or doubt
    declined = [Declined(JDK, line, against)] if against is not None else []
    reasons: dict[str, Reason] = {}
    for kind, why in kinds:
        pick = _first_safe(picture, base, kind, musl=musl, doubts=False)
        reasons = pick.reasons | reasons
        if why is None and _is_gain(pick.target, base):
            less = _doubted(picture, base, kinds[1:])
            if less is not None and picture.options.unsafe:
                break
            if less is not None:
                waiting = because("needs-unsafe", "needs --unsafe: {}", less[1])
                declined = [Declined(JDK, line, waiting)]
            return _chosen(picture, base, pick, declined, reasons, None)
    found = _doubted(picture, base, kinds)
    if found is not None:
        rest = [entry for entry in declined if entry.rule != JDK]
        return _chosen(picture, base, found[0], rest, reasons, found[1])
    if "base" in reasons:
        declined += [
            Declined(rule, line, reasons["base"])
            for rule in wanted
            if rule in (JDK, RETIRED) and not _has(declined, rule)
        ]
    if GLIBC in reasons:
        declined.append(Declined(GLIBC, line, reasons[GLIBC]))
    return RuntimeChoice(None, declined=tuple(declined))


def _doubted(
    picture: Picture, base: Base, kinds: Sequence[tuple[str, Reason | None]]
) -> tuple[_Pick, Reason] | None:
    """What is less, though what it needs could not all be seen: a base and that doubt."""
    musl = base.libc == "musl" or picture.options.runtime == "alpine"
    for kind, why in reversed(kinds):
        pick = _first_safe(picture, base, kind, musl=musl, doubts=True)
        risk = why or pick.doubt
        if _is_gain(pick.target, base) and risk is not None:
            if risk.kind == "unseen":
                risk = because(risk.kind, "{}, so what it needs is not known", risk)
            return pick, risk
    return None


def _is_gain(target: Base | None, base: Base) -> bool:
    if target is None or target.name == base.name:
        return False
    return not (target.kind == "jdk" and base.kind == "jdk" and base.retired is None)


def _chosen(
    picture: Picture,
    base: Base,
    pick: _Pick,
    declined: list[Declined],
    reasons: dict[str, Reason],
    doubt: Reason | None,
) -> RuntimeChoice:
    line = picture.final.root.stage.line
    target = pick.target
    assert target is not None
    if target.retired is not None and "base" in reasons and picture.active(RETIRED, line):
        declined = [*declined, Declined(RETIRED, line, reasons["base"])]
    if GLIBC in reasons and target.libc == "glibc":
        declined = [*declined, Declined(GLIBC, line, reasons[GLIBC])]
    from_edits = _from_edits(picture, target)
    if not from_edits:
        text = picture.final.root.stage.image.text
        why = "that other lines use too; change its default by hand"
        if re.search(r"\$\{\w+[^\w}]", text):
            why = "in a form that is not rewritten; change it by hand"
        obstacle = because("certain", "the base comes from a build argument ({}) {}", text, why)
        wanted = [rule for rule in _wanted(picture, base) if picture.active(rule, line)]
        return RuntimeChoice(
            None, declined=tuple(Declined(rule, line, obstacle) for rule in wanted), obstacle=obstacle
        )
    left, note = _left(base, target)
    risk = _risk(picture, base, target) or left or doubt
    if risk is left and left is not None:
        note = ""  # it is the reason; beside another one, which would hide it, it is a note
    level = Applicability.UNSAFE if risk else Applicability.SAFE
    try:
        writing.image(target.name)
        edits = (*from_edits, *_edits(picture, base, target, pick), *pick.adaptation.edits)
        edits += tuple(edit for companion in companions(picture) for edit in adapt(companion, target).edits)
    except Unwritable as error:
        against = reason_of(error)
        wanted = [rule for rule in _wanted(picture, base) if picture.active(rule, line)]
        return RuntimeChoice(
            None, declined=tuple(Declined(rule, line, against) for rule in wanted), obstacle=against
        )
    return RuntimeChoice(target, edits, level, risk, tuple(declined), note=note)


def _left(base: Base, target: Base) -> tuple[Reason | None, str]:
    """What may be otherwise because a release is left, and what is said of it where it is not the reason itself."""
    from imgopt.bases import changes_since, is_of_unknown_release, release_of, takes_the_hosts_memory

    if target.pinned or target.name == base.declared_counterpart:
        return None, _alpine_left(base, target)
    release = release_of(base)
    unknown = is_of_unknown_release(base)
    if release is None and not unknown:
        return None, _alpine_left(base, target)
    changes = changes_since(release or str(base.java_major))
    if not base.pinned or base.java_version is None:
        if not changes:
            return None, ""
        text = f"{_frozen(base)}: {', '.join(changes)}"
        reason = takes_the_hosts_memory(release or str(base.java_major))
        return because("certain", "{}", text) if reason else None, f"; {text}"
    gone = f"the pin {release} is gone: no image of that release is known to take its place, and the new tag moves with each build"
    if not changes:
        return None, f"; {gone}"
    text = f"{gone}; {', '.join(changes)}"
    return because("certain", "{}", text), f"; {text}"


def _frozen(base: Base) -> str:
    from imgopt.bases import may_be_older, release_of

    release = release_of(base)
    if release is None:
        return f"which update of Java {base.java_major} it has is not known"
    return f"its Java was {release}{' or older' if may_be_older(base) else ''}"


def _alpine_left(base: Base, target: Base) -> str:
    """A tag may pin Alpine's release alone."""
    pinned = base.os == target.os == "alpine" and base.os_version and not target.os_version
    if not pinned or f"{base.os_version}" not in (base.reference.tag or "") or target.pinned:
        return ""
    return (
        f"; the pin of Alpine {base.os_version} is gone, and the new tag moves from one release to the next"
    )


def _has(declined: list[Declined], rule: str) -> bool:
    return any(entry.rule == rule for entry in declined)


def _wanted(picture: Picture, base: Base) -> Iterator[str]:
    if base.kind == "jdk":
        yield JDK
    if base.retired is not None and base.kind in ("jdk", "jre"):
        yield RETIRED
    if base.kind == "jre" and base.libc == "glibc" and base.os not in ("distroless", "windows", None):
        yield GLIBC


def _obstacle(picture: Picture, base: Base) -> Reason | None:
    """Why the FROM line itself cannot be changed, whatever runs on it."""
    root = picture.final.root
    text = root.stage.image.text
    if picture.options.runtime in ("jlink", "distroless"):
        return because(
            "certain",
            "a {} runtime is not offered yet; ask for auto, alpine or glibc",
            picture.options.runtime,
        )
    if root.image is None:
        return because(
            "not-known",
            "the base comes from a build argument without a default ({}); give it with --build-arg",
            text,
        )
    if base.os == "windows":
        return because("certain", "there is no smaller Windows base to change to")
    if base.reference.digest is not None:
        return because(
            "not-known", "the base is pinned by digest; a new digest has to be looked up in the registry"
        )
    if base.java_major is None:
        return because("not-known", "{} does not say which Java version it holds", base.name)
    others = picture.used_elsewhere(root) if root is not picture.final else ()
    if others:
        return because("certain", "stage {} is also the base of stage {}", root.name, ", ".join(others))
    return too_old(picture) or why_not_together(picture)


def _may_use_musl(picture: Picture, base: Base, line: int) -> bool:
    if picture.options.runtime == "glibc" or base.os == "distroless":
        return False
    return base.libc == "musl" or picture.options.runtime == "alpine" or picture.active(GLIBC, line)


@dataclass(frozen=True)
class _Pick:
    """A base that will do, how the RUN lines change for it, and the packages that it needs besides. ``doubt``: what
    could not be seen. ``reasons``: against the candidates before it."""

    target: Base | None
    adaptation: Adaptation
    packages: tuple[str, ...]
    doubt: Reason | None
    reasons: dict[str, Reason]


def _first_safe(picture: Picture, base: Base, kind: str, *, musl: bool, doubts: bool) -> _Pick:
    """The first counterpart without a hazard, smallest libc first. With ``doubts``, what could not be seen does not
    count as one."""
    from imgopt.bases import counterparts, on_mirror

    reasons: dict[str, Reason] = {}
    none = _Pick(None, Adaptation(None), (), None, reasons)
    order: tuple[Literal["musl", "glibc"], ...] = ("musl", "glibc") if musl else ("glibc",)
    if base.libc == "musl":
        order = ("musl",)
    for libc in order:
        found = counterparts(
            base, kind="jre" if kind == "jre" else "jdk", libc=libc, platforms=picture.platforms
        )
        for candidate in found:
            if base.os == "distroless" and candidate.os != "distroless":
                continue  # having no shell is what such a base was chosen for
            if (
                libc == "musl"
                and candidate.name != base.declared_counterpart
                and candidate.family not in ("eclipse-temurin", base.family)
                and picture.options.runtime != "alpine"
            ):
                # another vendor's build, without its size: only for who asks for Alpine
                reasons.setdefault(GLIBC, _of_another_vendor(picture, base, candidate))
                continue
            if candidate.name == base.name:
                return _Pick(candidate, Adaptation(None), (), None, reasons)
            adaptation = adapt(picture, candidate)
            hazard, packages, doubt = _hazard(picture, candidate, adaptation, doubts=doubts)
            hazard = hazard or need_of_companions(picture, candidate)
            if hazard is None:
                target = on_mirror(candidate, base) if base.mirror is not None else candidate
                return _Pick(target, adaptation, packages, doubt, reasons)
            reasons.setdefault(GLIBC if libc == "musl" and base.libc != "musl" else "base", hazard)
        if not found and libc != "musl":
            reasons.setdefault(
                "base",
                because(
                    "not-known",
                    "no other {} for Java {} on {} is known that is maintained",
                    kind.upper(),
                    str(base.java_major),
                    ", ".join(picture.platforms),
                ),
            )
        if libc == "musl" and base.libc == "musl" and not found:
            reasons.setdefault(
                "base",
                because(
                    "not-known",
                    "no other {} on Alpine for Java {} and {} is known that is maintained",
                    kind.upper(),
                    str(base.java_major),
                    ", ".join(picture.platforms),
                ),
            )
    return none


def _of_another_vendor(picture: Picture, base: Base, candidate: Base) -> Reason:
    vendors = "Temurin" if base.family in (None, "eclipse-temurin") else f"{base.family} or Temurin"
    takes = f"; --runtime alpine takes {candidate.name}" if candidate.kind == "jre" else ""
    return because(
        "certain",
        "no {} of {} on Alpine is known for Java {} and {}{}",
        candidate.kind.upper(),
        vendors,
        str(base.java_major),
        ", ".join(picture.platforms),
        takes,
    )


def _hazard(
    picture: Picture, candidate: Base, adaptation: Adaptation, *, doubts: bool
) -> tuple[Reason | None, tuple[str, ...], Reason | None]:
    """(what stands against the candidate, packages to add, what could not be seen)."""
    packages: list[str] = []
    doubt: Reason | None = None
    for need in base_needs(picture, candidate, adaptation):
        if need.kind in DOUBTS and doubts:
            doubt = doubt or need
        elif need.package is not None:
            packages.append(need.package)
            # a build that reaches no package server today must not begin to need one unasked
            asked = picture.options.runtime == "alpine"
            if adaptation.append_at is not None or (adaptation.manager == "apk" and asked):
                continue
            if adaptation.manager != "apk":
                return need, (), None
            if not doubts:
                return (
                    because(
                        need.kind,
                        "{}; --runtime alpine installs it, in a build that reaches Alpine's servers",
                        need,
                        package=need.package,
                    ),
                    (),
                    None,
                )
            doubt = doubt or because(
                need.kind,
                "the build has to reach Alpine's servers for {} ({})",
                need.package,
                need,
                package=need.package,
            )
        else:
            return need, (), None
    return None, tuple(dict.fromkeys(packages)), doubt


def _risk(picture: Picture, base: Base, target: Base) -> Reason | None:
    from imgopt.bases import mirror_has

    own = base.counterpart
    if own is not None and target.name == own.name and own.kind == "unknown":
        return because(
            "not-known",
            'what {} is like is not known; say it in imgopt.toml: [bases."{}"] with like = "eclipse-temurin:{}-jre", '
            "for example",
            own.name,
            own.name,
            str(base.java_major or 21),
        )
    written = picture.final.root.stage.image.text
    triggers = picture.final.triggers()
    if triggers:
        return because(
            "unseen",
            "{} acts in images built on this one, which are not available",
            triggers[0],
        )
    if base.mirror is not None and target.mirror is not None and not mirror_has(base, target):
        return because(
            "not-known",
            "{} has to exist: {} comes from {}, and whether that registry has it is not known",
            target.name,
            base.name,
            base.mirror,
        )
    if "$" in written and target.family != base.family:
        return because(
            "not-known",
            "a build that gives another value than the default of {} gets an image that {} may not have",
            written,
            str(target.family),
        )
    if base.vendor_features and target.family != base.family:
        return because("certain", "{}; {} has none of it", base.vendor_features, target.name)
    return None


def _from_edits(picture: Picture, target: Base) -> tuple[Edit, ...]:
    """The edits that put the new image behind FROM, here and where a stage moves along; () where one cannot be made."""
    moving = (picture, *companions(picture))
    froms = [each.final.root.stage.from_ for each in moving]
    edits = [_from_edit(each, target, froms) for each in moving]
    found = tuple(dict.fromkeys(edit for edit in edits if edit is not None))
    return found if None not in edits else ()


def _from_edit(picture: Picture, target: Base, froms: Sequence[Instruction]) -> Edit | None:
    """The edit that puts the new image behind FROM. A variable in the tag stays where the new tag begins with its value
    (`eclipse-temurin:${JAVA}-jdk`); a default in the FROM itself changes there (`${TAG:-17-jdk}`); otherwise the default
    of its ARG, when nothing else uses it."""
    image = picture.final.root.stage.image
    given = re.fullmatch(r"([^$]*\$\{(\w+):?-)([^${}]*)(\})([^$]*)", image.text)
    if given is not None and not any(quote in image.text for quote in "\"'"):
        return _default_edit(picture, target, given)
    match = _PLAIN_VARIABLE.fullmatch(image.text)
    if "$" not in image.text:
        return Edit(image.span, target.name)
    if match is None or any(quote in image.text for quote in "\"'"):
        return None
    before, written, name = match["before"], match["written"], match["braced"] or match["bare"]
    value = picture.scope(picture.final.root.stage.from_).get(name)
    tag = target.reference.tag or ""
    if value and before.endswith(":") and re.match(re.escape(value) + r"(?![\w.])", tag):
        return Edit(image.span, f"{target.name.removesuffix(tag)}{written}{tag[len(value) :]}")
    if name in picture.options.build_args or _used_elsewhere(picture, name, froms):
        return None
    default = next(
        (a for argument in picture.document.global_args for a in assignments(argument) if a.name == name),
        None,
    )
    if default is None or default.value_span is None or default.value != value:
        return None
    if image.text == written:
        return Edit(default.value_span, target.name)
    if image.text == before + written and target.name.startswith(before):
        return Edit(default.value_span, target.name.removeprefix(before))
    return None


def _default_edit(picture: Picture, target: Base, given: re.Match[str]) -> Edit | None:
    """In ``head${NAME:-default}tail`` the new default, where it is the default that counts."""
    image = picture.final.root.stage.image
    opening, name, default, _, tail = given.groups()
    head = opening[: opening.index("$")]
    new = target.name
    if picture.final.root.image != head + default + tail or name in picture.options.build_args:
        return None
    if not (new.startswith(head) and new.endswith(tail) and len(new) > len(head) + len(tail)):
        return None
    start = image.span.start + len(opening)
    span = Span(start, start + len(default))
    if picture.document.text[span.start : span.end] != default:
        return None
    return Edit(span, new[len(head) : len(new) - len(tail)])


def _used_elsewhere(picture: Picture, name: str, froms: Sequence[Instruction]) -> bool:
    """Whether a variable of the global scope means something to more than the FROM lines that change."""
    for instruction in picture.document.instructions:
        if instruction in froms:
            continue
        if instruction.keyword == "ARG" and instruction not in picture.document.global_args:
            if any(assignment.name == name for assignment in assignments(instruction)):
                return True
        elif instruction.keyword in ("FROM", "ARG") and name in variables_used(instruction.text):
            return True
    return False


def _edits(picture: Picture, base: Base, target: Base, pick: _Pick) -> Iterator[Edit]:
    stage = picture.final.root.stage
    text, newline = picture.document.text, picture.document.newline
    lower = text[stage.from_.keyword_span.start].islower()
    lines: list[str] = []
    locale = _locale(picture, base, target)
    if locale:
        name = target.name.partition("@")[0]
        changed = next(
            (each for each in ("LC_ALL", "LANG") if base.env.get(each) != target.env.get(each)), None
        )
        why = f"{name} sets {changed}" if changed else "Java takes C.UTF-8 for en_US on Alpine"
        lines += [
            writing.comment(f"{why}; this keeps the locale as it was"),
            f"{'env' if lower else 'ENV'} {locale}",
        ]
    if pick.packages and pick.adaptation.append_at is not None:
        yield Edit(pick.adaptation.append_at, "".join(f" {quoted(package)}" for package in pick.packages))
    elif pick.packages:
        lines += [
            writing.comment(
                f"What the application and its scripts need and {target.name.partition('@')[0]} lacks"
            ),
            f"{'run' if lower else 'RUN'} apk add --no-cache {' '.join(map(quoted, pick.packages))}",
        ]
    if not lines:
        return
    added = "".join(line + newline for line in lines)
    end = text.find("\n", stage.from_.span.end)
    if end < 0:
        yield Edit(Span(len(text), len(text)), newline + added)
    else:
        yield Edit(Span(end + 1, end + 1), added)


def _locale(picture: Picture, base: Base, target: Base) -> str | None:
    """The ENV that keeps the locale, where the new base's LC_ALL or LANG would change it."""
    own: dict[str, str | None] = {}
    for instruction in picture.final.instructions():
        if instruction.keyword == "ENV":
            for assignment in assignments(instruction):
                own[assignment.name] = picture.expand(instruction, assignment.value or "")
    if "LC_ALL" in own:
        return None

    def effective(env: object) -> str | None:
        from collections.abc import Mapping

        assert isinstance(env, Mapping)
        return env.get("LC_ALL") or own.get("LC_CTYPE") or own.get("LANG") or env.get("LANG")

    before, after = effective(base.env), effective(target.env)
    kept = before
    if before is not None and target.libc == "musl" and base.libc != "musl":
        # of C.UTF-8 musl says "C" when it is asked for its language, and Java takes that for en_US; of any other
        # spelling it says the name, in which Java reads what it read on glibc: "en", of no country
        kept = re.sub(r"(?i)^C\.UTF-?8$", "C.utf8", before)
    if before is None or kept is None or kept == after:
        return None
    all_ = f"LC_ALL={writing.word(kept)}"
    return all_ if "LANG" in own else f"LANG={writing.word(before)} {all_}"
