"""Chooses the base image for the final stage: the smallest one that everything found here allows.

One decision for all rules that talk about the base (`jdk-runtime`, `glibc-runtime`, `retired-base`), so that
their fixes never contradict each other. The Java version never changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imgopt.dockerfile import Edit, Span, assignments
from imgopt.hazards import base_needs, jdk_needs
from imgopt.rule import Applicability, Declined

if TYPE_CHECKING:
    from imgopt.bases import Base
    from imgopt.picture import Picture

JDK, GLIBC, RETIRED = "jdk-runtime", "glibc-runtime", "retired-base"


@dataclass(frozen=True)
class RuntimeChoice:
    """``target`` is None when the base stays; ``declined`` says, by rule, what was not done and why."""

    target: Base | None
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.MANUAL
    risk: str | None = None
    declined: tuple[Declined, ...] = ()
    obstacle: str | None = None  # why the FROM line cannot be changed, whatever runs on it

    def why_not(self, rule: str) -> str | None:
        return next((declined.why for declined in self.declined if declined.rule == rule), None)


def choose(picture: Picture) -> RuntimeChoice:
    """The base for the final stage. Pure: looks only at the picture."""
    base = picture.base
    line = picture.final.root.stage.line
    wanted = [rule for rule in _wanted(picture, base) if picture.active(rule, line)]
    if not wanted:
        return RuntimeChoice(None)
    obstacle = _obstacle(picture, base)
    if obstacle:
        return RuntimeChoice(
            None, declined=tuple(Declined(rule, line, obstacle) for rule in wanted), obstacle=obstacle
        )

    declined: list[Declined] = []
    kind = base.kind
    if JDK in wanted:
        reason = next(jdk_needs(picture), None)
        if reason is None:
            kind = "jre"
        else:
            declined.append(Declined(JDK, line, reason))
    target, reasons = _first_safe(picture, base, kind, musl=_may_use_musl(picture, base, line))
    if GLIBC in reasons and (target is None or target.libc == "glibc"):
        declined.append(Declined(GLIBC, line, reasons[GLIBC]))
    if target is None or target.name == base.name:
        if "base" in reasons:
            declined += [
                Declined(rule, line, reasons["base"])
                for rule in wanted
                if rule in (JDK, RETIRED) and not _has(declined, rule)
            ]
        return RuntimeChoice(None, declined=tuple(declined))
    if target.kind == "jdk" and base.kind == "jdk" and base.retired is None:
        return RuntimeChoice(None, declined=tuple(declined))
    risk = _risk(base, target)
    level = Applicability.UNSAFE if risk else Applicability.SAFE
    return RuntimeChoice(target, tuple(_edits(picture, base, target)), level, risk, tuple(declined))


def _has(declined: list[Declined], rule: str) -> bool:
    return any(entry.rule == rule for entry in declined)


def _wanted(picture: Picture, base: Base) -> Iterator[str]:
    if base.kind == "jdk":
        yield JDK
    if base.retired is not None and base.kind in ("jdk", "jre"):
        yield RETIRED
    if base.kind == "jre" and base.libc == "glibc" and base.os not in ("distroless", "windows", None):
        yield GLIBC


def _obstacle(picture: Picture, base: Base) -> str | None:
    """Why the FROM line itself cannot be changed, whatever runs on it."""
    root = picture.final.root
    text = root.stage.image.text
    if picture.options.runtime in ("jlink", "distroless"):
        return f"a {picture.options.runtime} runtime is not offered yet; ask for auto, alpine or glibc"
    if "{{" in picture.document.text:
        return "the file is a template ({{ }}), which has to be filled in first"
    if "$" in text:
        return f"the base comes from a build argument ({text}); change its default by hand"
    if base.os == "windows":
        return "there is no smaller Windows base to change to"
    if base.reference.digest is not None:
        return "the base is pinned by digest; a new digest has to be looked up in the registry"
    if base.java_major is None:
        return f"{base.name} does not say which Java version it holds"
    others = picture.used_elsewhere(root) if root is not picture.final else ()
    if others:
        return f"stage {root.name} is also the base of stage {', '.join(others)}"
    return None


def _may_use_musl(picture: Picture, base: Base, line: int) -> bool:
    if picture.options.runtime == "glibc" or base.os == "distroless":
        return False
    return base.libc == "musl" or picture.options.runtime == "alpine" or picture.active(GLIBC, line)


def _first_safe(picture: Picture, base: Base, kind: str, *, musl: bool) -> tuple[Base | None, dict[str, str]]:
    """The first counterpart without a hazard, smallest libc first, and the reasons against the others."""
    from imgopt.bases import counterparts, on_mirror

    reasons: dict[str, str] = {}
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
                and candidate.family not in ("eclipse-temurin", base.family)
                and picture.options.runtime != "alpine"
            ):
                # another vendor's build, without its size: only for who asks for Alpine
                reasons.setdefault(
                    GLIBC,
                    f"the only JRE on Alpine for Java {base.java_major} and {', '.join(picture.platforms)} is {candidate.name}",
                )
                continue
            if candidate.name == base.name:
                return candidate, reasons
            hazard = next(base_needs(picture, candidate), None)
            if hazard is None:
                return (on_mirror(candidate, base) if base.mirror is not None else candidate), reasons
            reasons.setdefault(GLIBC if libc == "musl" and base.libc != "musl" else "base", hazard)
        if not found and libc != "musl":
            reasons.setdefault(
                "base",
                f"no {kind.upper()} for Java {base.java_major} on {', '.join(picture.platforms)} is known to exist",
            )
        if libc == "musl" and base.libc == "musl" and not found:
            reasons.setdefault(
                "base",
                f"no {kind.upper()} on Alpine for Java {base.java_major} and {', '.join(picture.platforms)} is known to exist",
            )
    return None, reasons


def _risk(base: Base, target: Base) -> str | None:
    from imgopt.bases import mirror_has

    if base.mirror is not None and target.mirror is not None and not mirror_has(base, target):
        return f"{target.name} has to exist: {base.name} comes from {base.mirror}, and whether that registry has it is not known"
    if base.vendor_features and target.family != base.family:
        return f"{base.vendor_features}; {target.name} has none of it"
    return None


def _edits(picture: Picture, base: Base, target: Base) -> Iterator[Edit]:
    stage = picture.final.root.stage
    yield Edit(stage.image.span, target.name)
    locale = _locale(picture, base, target)
    if locale:
        text, newline = picture.document.text, picture.document.newline
        end = text.find("\n", stage.from_.span.end)
        keyword = "env" if text[stage.from_.keyword_span.start].islower() else "ENV"
        line = f"# {target.name.partition('@')[0]} sets LC_ALL; this keeps the locale as it was{newline}{keyword} {locale}"
        if end < 0:
            yield Edit(Span(len(text), len(text)), newline + line + newline)
        else:
            yield Edit(Span(end + 1, end + 1), line + newline)


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
    if before is None or before == after:
        return None
    return f"LC_ALL={before}" if "LANG" in own else f"LANG={before} LC_ALL={before}"
