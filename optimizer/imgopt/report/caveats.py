"""What a reader has to know beside findings, budgets and checks: collected here once, and told by every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from posixpath import normpath
from typing import TYPE_CHECKING

from imgopt.light.records import dataclass
from imgopt.report.figures import amount, still_sending
from imgopt.suggest.sentence import sentence

if TYPE_CHECKING:
    from imgopt.comparison.compare import Comparison
    from imgopt.gate.judge import Verdict
    from imgopt.gate.subject import Subject
    from imgopt.suggest.result import FileReport
    from imgopt.weigh.weights import PushClient

WARNING, STILL_SENT, NOTE = "warning", "still-sent", "note"
#: The finding in a CI file that says that its own client is one of those, and what pushes there.
FRESH_AGENT = "fresh-agent-push"
_BY_RULE = {
    "docker push, fresh agent": (FRESH_AGENT, "docker"),
    "buildah push, fresh agent": (FRESH_AGENT, "buildah"),
    "kaniko without --reproducible": ("kaniko-timestamps", "kaniko"),
    "buildah bud without --layers": ("unlayered-build", "buildah"),
}


@dataclass(frozen=True, slots=True)
class Caveat:
    """One sentence. ``name``: which sort of caveat. ``about``: whom it is about, each with what to do; ``lead`` is the
    sentence without them, for formats that list them under it. ``line``: of the Dockerfile, 0 for all of it."""

    name: str
    text: str
    about: tuple[tuple[str, str], ...] = ()
    lead: str = ""
    line: int = 0

    @property
    def details(self) -> tuple[str, ...]:
        return tuple(f"{who}: {what}" for who, what in self.about if what)


def of_file(file: FileReport, files: Sequence[FileReport] = ()) -> list[Caveat]:
    """Of one Dockerfile or CI file; ``files``: all that were looked at with it, CI files among them."""
    lines = {sentence(each): place.instruction.line for each in file.unknown for place in each.places[:1]}
    warnings = [Caveat(WARNING, each, line=lines.get(each, 0)) for each in file.warnings]
    return [*warnings, *still_sent([file], files)]


def still_sent(files: Sequence[FileReport], with_them: Sequence[FileReport] = ()) -> list[Caveat]:
    """Over all of ``files``: what clients send at each release though the registry has it. The client that a CI file
    pushes with stands first, with its place."""
    predictions = [file.prediction for file in files if file.prediction is not None and file.skipped is None]
    own = _own_clients(files, with_them)
    caveats = []
    groups = still_sending(predictions)
    groups.sort(key=lambda group: not any(client.client in own for client in group[2]))
    for sent, needed, clients in groups:
        first = sorted(clients, key=lambda client: client.client not in own)
        instead = "" if needed.told is None else f", not {amount(needed)},"
        lead = f"still sent: {amount(sent)} at each release{instead} by"
        names = [_name(client, own) for client in first]
        about = tuple((name, client.note) for name, client in zip(names, first, strict=True))
        caveats.append(Caveat(STILL_SENT, f"{lead} {'; '.join(names)}", about, lead))
    return caveats


def _name(client: PushClient, own: dict[str, str]) -> str:
    place = own.get(client.client)
    return client.client if place is None else f"{client.client} (as {place} pushes)"


def _own_clients(files: Sequence[FileReport], ci_files: Iterable[FileReport]) -> dict[str, str]:
    """The clients that CI files push ``files`` with in a way that sends everything again, with the place of it."""
    paths = {normpath(file.path) for file in files}
    found: dict[str, str] = {}
    for file in ci_files:
        for push in file.pipeline.pushes if file.pipeline is not None else ():
            if push.dockerfile is not None and normpath(push.dockerfile) not in paths:
                continue
            for client, (rule, tool) in _BY_RULE.items():
                lines = [finding.line for finding, _ in file.findings if finding.rule == rule]
                if rule == FRESH_AGENT:
                    lines = [line for line in lines if line == push.line]
                if push.tool == tool and lines:
                    found.setdefault(client, f"{file.path}:{min(lines)}")
    return found


def notes_of(subject: Subject) -> tuple[str, ...]:
    """Of one image of a gate: its own, and where it is predicted the caveats of its Dockerfile."""
    told = of_file(subject.file) if subject.file is not None else []
    return (*subject.notes, *(each.text for each in told))


def of_verdict(verdict: Verdict) -> list[Caveat]:
    """Of one image that was held against budgets."""
    caveats = []
    if verdict.skipped:
        names = ", ".join(limit.name for limit in verdict.skipped)
        caveats.append(Caveat(NOTE, f"only a built image can be held against: {names}"))
    return [*caveats, *(Caveat(NOTE, note) for note in notes_of(verdict.subject))]


def of_comparison(found: Comparison) -> list[Caveat]:
    """Beside its checks: notes on the figures and on how far the behaviour was seen, and the Dockerfile's own."""
    from imgopt.comparison.checks import NOT_STARTED

    notes = [
        *found.notes,
        # `Comparison.not_run` says it better
        *(note for note in found.behaviour.notes if note != NOT_STARTED),
        *([f"nothing was started: {found.not_run}"] if found.not_run else []),
    ]
    return [*(Caveat(NOTE, each) for each in notes), *of_file(found.file)]
