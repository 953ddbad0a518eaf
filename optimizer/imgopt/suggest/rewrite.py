"""Fixes -> new text. Bytes that no edit names never change; what the final stage promises is checked at the end."""

from __future__ import annotations

from collections.abc import Iterable

from imgopt.dockerfile import Dockerfile, Edit, Stage, apply_edits, assignments, parse
from imgopt.errors import DockerfileError
from imgopt.finding import Declined, Finding, Fix, Reason, because, told
from imgopt.light.records import dataclass
from imgopt.scales import Applicability
from imgopt.suggest.result import RewriteResult

#: Why a fix had to wait for another one.
CONTRADICTS = because("contradicts", "contradicts another fix of the same lines")


@dataclass(frozen=True)
class _Chosen:
    finding: Finding
    fix: Fix


def rewrite(
    document: Dockerfile,
    said: Iterable[Finding | Declined],
    at_least: Applicability = Applicability.SAFE,
) -> RewriteResult:
    """Applies every fix of at least this level, each whole or not at all.

    Two fixes may change a place in the same way (two RUNs whose `chown` the same COPY takes over): equal edits are
    made once, and both fixes count as applied. A fix whose edits contradict those of an earlier one, at one place
    or partly, is left out, and `not_applied` says so. So is every fix, if the result would lose something that the
    final stage promises: then nothing changes.
    """
    said = tuple(said)
    not_applied = [entry for entry in said if isinstance(entry, Declined)]
    chosen: list[_Chosen] = []
    edits: list[Edit] = []
    text = document.text
    waiting: list[Finding] = []
    for finding in (entry for entry in said if isinstance(entry, Finding)):
        fix = finding.fix
        if fix is None or not fix.applies:
            waiting.append(finding)
            continue
        if fix.applicability < at_least:
            not_applied.append(
                Declined(
                    finding.rule,
                    finding.line,
                    because("needs-unsafe", "needs --unsafe: {}", fix.risk or fix.description),
                    finding=finding,
                )
            )
            continue
        merged = [*edits, *(edit for edit in fix.edits if edit not in edits)]
        try:
            text = apply_edits(document.text, merged)
        except ValueError:
            not_applied.append(Declined(finding.rule, finding.line, CONTRADICTS))
            continue
        edits = merged
        chosen.append(_Chosen(finding, fix))
    applied = {entry.finding.rule for entry in chosen}
    for finding in waiting:
        if finding.solved_by not in applied:
            why = told("certain", finding.fix.description if finding.fix else "no fix is known")
            not_applied.append(Declined(finding.rule, finding.line, why, finding=finding))

    if text != document.text:
        broken = _broken_promise(document, text)
        if broken:
            rules = [Declined(entry.finding.rule, entry.finding.line, broken) for entry in chosen]
            return RewriteResult(False, "safe", document.text, _unique([*not_applied, *rules]))
    weakest = min((entry.fix.applicability for entry in chosen), default=Applicability.SAFE)
    return RewriteResult(
        changed=text != document.text,
        applicability=weakest.label,
        text=text,
        not_applied=_unique(not_applied),
        applied=tuple(dict.fromkeys(entry.finding.rule for entry in chosen)),
        edits=tuple(edits),
        chosen=tuple(entry.finding for entry in chosen),
    )


def _unique(declined: Iterable[Declined]) -> tuple[Declined, ...]:
    return tuple(dict.fromkeys(declined))


def _broken_promise(document: Dockerfile, text: str) -> Reason | None:
    """What the final stage of the new text lost of what the old one promises, as a sentence."""
    try:
        after = parse(text, document.path)
    except DockerfileError as error:
        return because("certain", "the rewrite would not be a Dockerfile ({})", error.message)
    old, new = _promises(document.stages[-1]), _promises(after.stages[-1])
    # a build argument is taken as long as any stage declares it
    new["ARG"] = frozenset(name for stage in after.stages for name in _promises(stage).get("ARG", ()))
    for keyword, values in old.items():
        missing = values - new.get(keyword, frozenset())
        if missing:
            return because("certain", "the rewrite would lose {} {}", keyword, sorted(missing)[0])
    return None


def _promises(stage: Stage) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for instruction in stage.instructions:
        keyword = instruction.keyword
        if keyword in ("ENV", "LABEL", "ARG"):
            found.setdefault(keyword, set()).update(
                assignment.name for assignment in assignments(instruction)
            )
        elif keyword in ("VOLUME", "EXPOSE"):
            found.setdefault(keyword, set()).update(word.text for word in instruction.words)
        elif keyword in ("USER", "WORKDIR", "STOPSIGNAL", "HEALTHCHECK", "SHELL"):
            found[keyword] = {instruction.text}
        elif keyword in ("ENTRYPOINT", "CMD"):
            found[keyword] = {"in exec form" if instruction.json is not None else "in shell form"}
    return {keyword: frozenset(values) for keyword, values in found.items()}
