"""What package managers leave behind in the layers of the final image, and how to take it out where it comes in.

A later RUN cannot: it hides the files, their bytes stay in the layer below. So the cleaning goes into the RUN that
brings them, and only where nothing after it lives on what is removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from imgopt import shell
from imgopt.dockerfile import Edit, Span, apply_edits
from imgopt.finding import Reason, Refused, Sentence, because, number, say
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass, replace
from imgopt.os_packages import commands as packages
from imgopt.picture.runs import Run, appended, behind, in_place, runs_of, script_called
from imgopt.scales import Applicability

if TYPE_CHECKING:
    from imgopt.os_packages.commands import Manager, PackageCommand
    from imgopt.picture import Picture

APT_LISTS = "/var/lib/apt/lists"

#: A path in a command that takes the manager's files with it when it is removed.
_PLACES: Mapping[Manager, re.Pattern[str]] = {
    "apt": regex(r"/var/lib/(?:apt\b|\*|\{[^}]*\bapt\b)"),
    "rpm": regex(r"/var/cache(?:/(?:yum|dnf|microdnf|libdnf5|zypp|\*|\{)|/?[\"']?(?:\s|$))"),
    "apk": regex(r"/var/cache(?:/(?:apk|\*|\{)|/?[\"']?(?:\s|$))"),
}
#: Where the downloads lie. A mount over one of these keeps them out of the layer.
_KEPT: Mapping[Manager, tuple[str, ...]] = {
    "apt": (APT_LISTS,),
    "rpm": packages.CACHES["rpm"],
    "apk": (*packages.CACHES["apk"], "/etc/apk/cache"),
}
#: What looks packages up in apt's lists or apk's index, wherever it stands in a text.
_READ_LISTS = regex(
    r"\b(?:apt-cache|apt-file|apt-rdepends|gdebi|tasksel)\b|\bapt\s+(?:list|show|search|policy)\b"
)
_READ_INDEX = regex(r"\bapk\s{1,20}(?:-\S{1,200}\s{1,20}){0,10}(search|policy|list|fetch)\b")
#: Commands whose words are only text or paths to them.
_MENTION = frozenset(
    {"echo", "printf", "cat", "grep", "sed", "which", "command", "type", "rm", "ls", "tee", "ln"}
)
#: Verbs that read the repositories, beside those that `packages` has an action for.
_RPM_VERBS = frozenset(
    {"groupinstall", "group", "module", "reinstall", "swap", "distro-sync", "in", "ref", "up"}
)
#: What a shell keeps for the commands after it; in a RUN of its own it ends with the RUN.
_LASTING = frozenset(
    "cd pushd popd export set unset umask alias exec eval . source exit ulimit trap shopt readonly local wait".split()
)
#: Scripts that build Java projects: they install no packages.
_BUILD_SCRIPTS = ("mvnw", "gradlew")
_INSTALLS = regex(r"\bapt(?:-get|itude)?\b[^\n;&|]*\s(?:install|upgrade|dist-upgrade|build-dep)\b")
_REFRESHES = regex(r"\bapt(?:-get|itude)?\b[^\n;&|]*\supdate\b")


@dataclass(frozen=True)
class Leftover:
    """What one kind of package manager leaves. ``runs`` bring it, in order; ``too_late`` is a later RUN that removes
    it. Without ``edits`` the description says what the author can do."""

    manager: Manager
    program: str
    runs: tuple[Run, ...]
    too_late: Run | None
    description: str | Sentence = ""
    applicability: Applicability = Applicability.MANUAL
    edits: tuple[Edit, ...] = ()
    risk: Reason | None = None


class _No(Refused):
    """Carries what the author has to do where no edit can be made."""


def leftovers(picture: Picture, rule: str) -> Iterator[Leftover]:
    """What stays of each package manager in the final image. RUNs in which the rule is silenced are left alone."""
    runs = runs_of(picture.final)
    there = picture.base.has & packages.MANAGERS.keys()
    for manager, clean in _CLEAN.items():
        if there and not any(packages.MANAGERS[program] == manager for program in there):
            continue  # a build that fails leaves nothing
        brought = {run.line: _brought(run, manager) for run in runs}
        found = tuple(run for run in runs if brought[run.line] and picture.active(rule, run.line))
        if not found:
            continue
        last = max(index for index, run in enumerate(runs) if run in found)
        late = next((run for run in runs[last + 1 :] if _removes(run.commands, manager)), None)
        leftover = Leftover(manager, _program(brought[found[-1].line][-1]), found, late)
        try:
            cleaned = clean(picture, leftover)
            if not _fit(picture, cleaned.edits):
                raise _No("clean up in the RUN that installs")
            yield cleaned
        except _No as error:
            yield replace(leftover, description=error.reason)


def _fit(picture: Picture, edits: Sequence[Edit]) -> bool:
    try:
        apply_edits(picture.document.text, edits)
    except ValueError:
        return False
    return True


def _brought(run: Run, manager: Manager) -> list[shell.Command]:
    """The commands whose downloads are still there when the RUN ends."""
    if not all(run.keeps(path) for path in _KEPT[manager]):
        return []
    found: list[shell.Command] = []
    for command in run.commands:
        if _removes((command,), manager):
            found = []
        elif _brings(command, manager):
            found.append(command)
    return found


def _brings(command: shell.Command, manager: Manager) -> bool:
    if manager == "apt" and command.program in ("add-apt-repository", "apt-add-repository"):
        # it refreshes the lists itself
        return not {"-n", "--no-update", "-r", "--remove"} & {word.text for word in command.args}
    call = packages.read(command)
    if call is None or call.manager != manager or call.verb is None:
        return False
    text = " ".join(call.options)
    if manager == "apt":
        return call.action == "refresh" and "Dir::State" not in text
    if manager == "rpm":
        reads = call.action in ("install", "upgrade", "refresh") or call.verb.literal in _RPM_VERBS
        return reads and not re.search(r"--installroot|--cacheonly|(?<!\S)-C(?!\S)", text)
    if re.search(r"--no-cache|--no-network|--root|--initdb|(?<!\S)-p(?!\S)", text):
        return False
    return call.action in ("install", "upgrade", "refresh")


def _removes(commands: Sequence[shell.Command], manager: Manager) -> bool:
    for command in commands:
        call = packages.read(command)
        if call is not None and call.manager == manager:
            # `apt-get clean` leaves the lists
            if call.action == "clean" and manager != "apt":
                return True
        elif "clean" in (command.program or ""):
            return True
        text = " ".join(word.text for word in command.words)
        if re.search(r"\brm\b|-delete\b", text) and _PLACES[manager].search(text):
            return True
    return False


def _program(command: shell.Command) -> str:
    call = packages.read(command)
    return call.program if call is not None else command.program or ""


def _calls(run: Run, manager: Manager) -> list[tuple[shell.Command, PackageCommand]]:
    calls = [(command, packages.read(command)) for command in run.commands]
    return [(command, call) for command, call in calls if call is not None and call.manager == manager]


def _anchor(run: Run, manager: Manager, advice: str) -> shell.Command:
    """The manager's last call, behind which the cleaning goes."""
    calls = [command for command, _ in _calls(run, manager)]
    anchor = max((*calls, *_brought(run, manager)), key=lambda command: command.start)
    if not run.editable:
        raise _No("{} is in a form that is not edited here; {}", run.instruction, advice)
    if not in_place(anchor):
        raise _No("{} calls {} under a condition or in a pipe; {}", run.instruction, _program(anchor), advice)
    return anchor


def _sudo(command: shell.Command) -> str:
    return "sudo " if command.program == "sudo" else ""


# apt


def _apt(picture: Picture, leftover: Leftover) -> Leftover:
    edits: list[Edit] = []
    risk: Reason | None = None
    joined: dict[int, Run] = {}
    for run in leftover.runs:
        if run.line in joined:
            continue
        anchor = _anchor(run, "apt", f"end it with `rm -rf {APT_LISTS}/*`")
        users = list(_users_of_lists(picture, run, anchor))
        needing = [user for user, what in users if what is None]
        if needing:
            lines = _joinable(run, needing)
            joined.update((each.line, each) for each in lines)
            edits += _join(picture, lines)
            run, anchor = lines[-1], _calls(lines[-1], "apt")[-1][0]
            users = list(_users_of_lists(picture, run, anchor))
        risk = risk or next((what for _, what in users if what is not None), None)
        after = [command for command in run.commands if command.start > anchor.start]
        if run.line in joined and _removes(after, "apt"):
            continue
        edits.append(_removal_of_lists(picture, run, anchor, multiline=run.line in joined))
    level = Applicability.UNSAFE if risk else Applicability.SAFE
    what: str | Sentence = "remove the lists in the RUN that brings them"
    if joined:
        what = say(
            "make lines {} to {} one RUN that removes the lists",
            number(joined[min(joined)].instruction),
            number(joined[max(joined)].instruction),
        )
    return replace(leftover, description=what, applicability=level, edits=tuple(edits), risk=risk)


def _removal_of_lists(picture: Picture, run: Run, anchor: shell.Command, *, multiline: bool) -> Edit:
    base = picture.base_of(run.stage)
    text = f"rm -rf {APT_LISTS}/*"
    cleaned = any(call.action == "clean" for _, call in _calls(run, "apt"))
    if (
        (base.image is None or base.os not in ("debian", "ubuntu"))
        and not cleaned
        and run.keeps("/var/cache/apt")
    ):
        # Debian's and Ubuntu's images delete the packages after each install; of another image nobody knows
        text = f"apt-get clean && {_sudo(anchor)}{text}"
    text = _sudo(anchor) + text
    if multiline:
        separator = f" {picture.document.escape}{picture.document.newline} && "
        return behind(picture.document, run, anchor.end, separator + text)
    return appended(picture.document, run, anchor, text)


def _users_of_lists(picture: Picture, run: Run, anchor: shell.Command) -> Iterator[tuple[Run, Reason | None]]:
    """What comes after the command and looks into the lists before they are fetched again: the RUN, and None, or
    what is not known of it."""
    seen: set[tuple[int, int]] = set()
    rest = [command for command in run.commands if command.start > anchor.start]
    for stage in picture.stages:
        if run.stage not in stage.lineage:
            continue
        runs = runs_of(stage)
        at = next(index for index, other in enumerate(runs) if other.instruction is run.instruction)
        for other, commands in [(run, rest), *((later, list(later.commands)) for later in runs[at + 1 :])]:
            if other.script.broken and "apt" in other.text.text:
                yield (
                    other,
                    because("not-known", "{} could not be read and may need these lists", other.instruction),
                )
            refreshed = False
            for command in commands:
                if _brings(command, "apt"):
                    refreshed = True
                    break
                found = _uses_lists(other, command)
                if found and (other.line, command.start) not in seen:
                    seen.add((other.line, command.start))
                    yield other, None if found is True else found
            if refreshed:
                break
    if any(_installs_only(text) for _, text in picture.start_texts):
        raise _No("the container installs packages when it starts, from the lists in the image")
    for file, text in picture.start_scripts:
        if _installs_only(text):
            raise _No("{} installs packages from the lists in the image", file.path)
    for instruction in picture.document.instructions:
        if instruction.keyword == "ONBUILD" and _INSTALLS.search(instruction.text):
            raise _No("{} lets later builds install from these lists", instruction)


def _uses_lists(run: Run, command: shell.Command) -> Reason | bool:
    """Whether the command needs the lists; a reason when nobody can tell."""
    text = " ".join(word.literal or word.text for word in command.words)
    call = packages.read(command)
    if call is not None:
        return (
            call.manager == "apt" and call.verb is not None and call.action in ("install", "upgrade", "other")
        )
    if _READ_LISTS.search(text) and not (
        command.program in _MENTION and "$(" not in text and "`" not in text
    ):
        return True
    if command.program in _MENTION:
        return False
    if _installs_only(text):
        return True
    called = script_called(run, command)
    if called is None or called[0].endswith(_BUILD_SCRIPTS):
        return False
    path, script = called
    if script is None:
        return because(
            "unseen",
            "{} runs {}, which was not read and may install packages with these lists",
            run.instruction,
            path,
        )
    return _installs_only(script)


def _installs_only(text: str) -> bool:
    """Whether a text installs with apt without fetching the lists before."""
    return _INSTALLS.search(text) is not None and _REFRESHES.search(text) is None


def _joinable(run: Run, needing: Sequence[Run]) -> list[Run]:
    """The RUNs from the one that brings the lists to the last one that needs them, when they can become one."""
    last = needing[-1]
    advice = say(
        "{} needs the lists of {}: let it run `apt-get update` itself, and remove them in both",
        last.instruction,
        run.instruction,
    )
    if any(user.stage is not run.stage for user in needing) or last is run:
        raise _No("{}", advice)
    runs = {each.instruction.number: each for each in runs_of(run.stage)}
    instructions = run.stage.stage.instructions
    first, end = instructions.index(run.instruction), instructions.index(last.instruction)
    between = [runs.get(instruction.number) for instruction in instructions[first : end + 1]]
    found = [each for each in between if each is not None and _is_plain(each)]
    if len(found) < len(between):
        raise _No("{}", advice)
    return found


def _is_plain(run: Run) -> bool:
    """One `&&` list of commands that leave nothing in their shell, and no comment behind it."""
    return (
        run.editable
        and run.heredoc is None
        and not run.instruction.flags
        and run.script.plain
        and all(command.operator in ("", "&&") and command.follows in ("", "&&") for command in run.commands)
        and all(command.words and command.program not in _LASTING for command in run.commands)
        and not run.script.text[run.commands[-1].end :].strip()
    )


def _join(picture: Picture, runs: Sequence[Run]) -> Iterator[Edit]:
    """The edits that make RUNs one: their lines stay, `RUN` becomes `&&`, comments between them stay, too."""
    document = picture.document
    for one, other in pairwise(runs):
        # with the characters at both ends, so that it cannot go in together with a fix that changes those words
        start = one.span(one.commands[-1].end - 1, one.commands[-1].end).start
        end = other.instruction.text_span.start + 1
        lines = document.text[start : other.instruction.keyword_span.start].splitlines()[1:]
        comments = [line for line in lines if line.strip()]
        if any("imgopt:" in comment for comment in comments):
            raise _No(
                "make lines {} to {} one RUN that removes the lists",
                number(runs[0].instruction),
                number(runs[-1].instruction),
            )
        kept = "".join(comment + document.newline for comment in comments if comment.lstrip().startswith("#"))
        joint = f" {document.escape}{document.newline}{kept} && "
        yield Edit(Span(start, end), document.text[start] + joint + document.text[end - 1])


# yum, dnf, microdnf, zypper


def _rpm(picture: Picture, leftover: Leftover) -> Leftover:
    edits: list[Edit] = []
    for run in leftover.runs:
        brought = _brought(run, "rpm")
        made = [command for command in brought if any(word.literal == "makecache" for word in command.words)]
        gone = _without(picture, run, made) if run.editable and made == brought else None
        if gone is not None:
            edits += gone  # a cache made for nobody
            continue
        calls = [command for command, call in _calls(run, "rpm") if call.action != "clean"]
        program = _program(calls[-1])
        text = f"{program} clean {'--all' if program == 'zypper' else 'all'}"
        anchor = _anchor(run, "rpm", f"end it with `{text}`")
        edits.append(appended(picture.document, run, anchor, _sudo(anchor) + text))
    return replace(
        leftover,
        description="clean up in the RUN that installs",
        applicability=Applicability.SAFE,
        edits=tuple(edits),
    )


# apk


def _apk(picture: Picture, leftover: Leftover) -> Leftover:
    edits: list[Edit] = []
    for run in leftover.runs:
        if not run.editable:
            raise _No(
                "{} is in a form that is not edited here; add --no-cache to its `apk add`", run.instruction
            )
        calls = [(command, call) for command, call in _calls(run, "apk") if _brings(command, "apk")]
        gone = _without(picture, run, [command for command, call in calls if call.action == "refresh"])
        if gone is None:
            raise _No(
                "leave out `apk update` in {}: `apk add --no-cache` fetches the index itself", run.instruction
            )
        edits += gone
        edits += [_without_index(run, call) for _, call in calls if call.action != "refresh"]
    for run in runs_of(picture.final):
        looks = _READ_INDEX.search(run.script.text)
        if looks:
            raise _No("{} looks into the index that apk keeps (apk {})", run.instruction, looks[1])
    return replace(
        leftover, description="call apk with --no-cache", applicability=Applicability.SAFE, edits=tuple(edits)
    )


def _without_index(run: Run, call: PackageCommand) -> Edit:
    """The edit that keeps a call from storing the index: `--no-cache`, in the place of `--update` where that stands."""
    assert call.verb is not None
    for word in call.command.words:
        if word.literal in ("-U", "--update", "--update-cache"):
            return Edit(run.span(word.start, word.end), "--no-cache")
    return Edit(run.span(call.verb.start, call.verb.end), f"{call.verb.text} --no-cache")


def _without(picture: Picture, run: Run, unwanted: Sequence[shell.Command]) -> list[Edit] | None:
    """The edits that take commands out of a RUN, each with the operator behind it, or before it when it is the last."""
    commands = run.commands
    if len(unwanted) == len(commands):
        return [picture.removal(run.instruction)] if run.heredoc is None else None
    edits: list[Edit] = []
    for command in unwanted:
        index = commands.index(command)
        before = commands[index - 1] if index else None
        after = commands[index + 1] if index + 1 < len(commands) else None
        spans: list[Span] = []
        if command.depth or command.redirects or command.operator not in ("", "&&", ";", "\n"):
            return None
        if after is not None and after.depth == 0 and command.follows in ("&&", ";", "\n"):
            # up to the next command, or at least the operator, where a comment stands between
            spans.append(run.span(command.start, after.start))
            end = run.script.text.index(command.follows, command.end) + len(command.follows)
            end += run.script.text.startswith(" ", end)
            spans.append(run.span(command.start, end))
        elif after is None and before is not None and before.depth == 0 and before not in unwanted:
            spans.append(run.span(before.end, command.end))
        free = [span for span in spans if "#" not in picture.document.text[span.start : span.end]]
        if not free:
            return None
        edits.append(Edit(free[0], ""))
    return edits


_CLEAN: Mapping[Manager, Callable[[Picture, Leftover], Leftover]] = {"apt": _apt, "rpm": _rpm, "apk": _apk}
