"""Several files, read from the top: one table with the totals, then what was found, by rule where there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from os.path import commonpath, relpath
from pathlib import PurePosixPath

from imgopt.errors import ImgoptError
from imgopt.finding import Finding
from imgopt.light.patterns import regex
from imgopt.light.records import dataclass
from imgopt.report.cells import SEVERITY, trust, with_basis, without_basis
from imgopt.report.figures import (
    ONE_FILE,
    SEVERAL_FILES,
    Together,
    figures_told,
    held_back,
    plural,
    saves_or_costs,
    size_row,
    sums_of,
    time_row,
    together,
    told_apart,
)
from imgopt.report.layout import Line, cells, dim, line, table, visible, width_of, wrapped
from imgopt.scales import BASES, Applicability, Sum
from imgopt.suggest.result import FileReport, Report
from imgopt.suggest.sentence import sentence
from imgopt.units import rate
from imgopt.weigh.weights import Saving

#: From so many files on, what was found is told by rule, not file by file.
MANY = 4
#: Files that a finding names.
_NAMED = 4


def headline(report: Report, width: int) -> list[Line]:
    files = len(report.files) + len(report.errors)
    findings = sum(len(file.findings) for file in report.files)
    changed = sum(file.rewrite.changed for file in report.files)
    said = [plural(findings, "finding"), f"{changed} would change"]
    if report.errors:
        said.append(f"{len(report.errors)} could not be read")
    where = _folder(report)
    platforms = dict.fromkeys(
        platform
        for file in report.files
        if file.pipeline is None
        for platform in file.platforms or (file.platform,)
    )
    text = "; ".join(", ".join(each) for each in (said, platforms) if each)
    name = f"{plural(files, 'file')}{f' in {where}' if where else ''}: "
    return wrapped(text, width, first=line((name, "strong")), indent=2)


def summary(report: Report, width: int) -> list[Line]:
    """One row a file, those that could not be read among them, and the totals; "at least" as a sign where the width does
    not allow the words."""
    body = _table(report, width, "at least ")
    fits = max(map(width_of, body), default=0) <= width
    return body if fits else _table(report, width, "≥")


def _table(report: Report, width: int, bound: str) -> list[Line]:
    predictions = [
        file.prediction for file in report.files if file.prediction and figures_told(file.prediction)
    ]
    sums = together(predictions)
    figures = [_figures(*sums_of(prediction), bound) for prediction in predictions]
    head: list[Line | str] = [dim("first push  "), dim("after  "), dim("next push  "), dim("after  ")]
    totals = [_figures(*sums.first, *sums.following, bound), *_times(sums, bound)] if predictions else []
    rows = [head, *figures, *totals]
    names = dict(zip(_paths(report), _names(_paths(report)), strict=True))
    room = width - width_of(table(rows, left=0)[0]) - 2
    if any(cells(name) > room for name in names.values()):
        names = {path: name.removesuffix("/Dockerfile") for path, name in names.items()}
    shown = {path: _short(name, max(20, room)) for path, name in names.items()}
    labels: list[Line | str] = [
        "",
        *(shown[file.path] for file in report.files if file.prediction and figures_told(file.prediction)),
    ]
    if predictions:
        labels += [(("together", "strong"),), *(f"  at {rate(bandwidth)}" for bandwidth in sums.seconds)]
    lines = table([[label, *row] for label, row in zip(labels, rows, strict=True)])
    pad = max((cells(each) for each in shown.values()), default=0)
    weighed = iter(lines[1:])
    found = [lines[0]] if predictions else []
    for each in _in_order(report):
        if isinstance(each, FileReport) and each.prediction and figures_told(each.prediction):
            found.append(next(weighed))
            continue
        path = each.path or ""
        first = line("  ", shown.get(path, ""), " " * (pad - cells(shown.get(path, "")) + 2))
        if isinstance(each, FileReport):
            found += wrapped(_unweighed(each), width, first=first, indent=pad + 4, style="dim")
        else:
            where = f"line {each.line}: " if each.line else ""
            found += wrapped(f"{where}{each.message}", width, first=first, indent=pad + 4, style="bad")
    return [*found, *weighed]


def _unweighed(file: FileReport) -> str:
    if file.skipped is not None:
        return "skipped" + (f": {file.skipped}" if file.skipped else "")
    return file.pipeline.system if file.pipeline is not None else "not known, see below"


def _in_order(report: Report) -> list[FileReport | ImgoptError]:
    """The files as they were given, and what could not be read where its path would stand."""
    found: list[FileReport | ImgoptError] = list(report.files)
    for error in report.errors:
        path = error.path or ""
        place = next((n for n, each in enumerate(found) if (each.path or "") > path), len(found))
        found.insert(place, error)
    return found


def _figures(first: Sum, after: Sum, following: Sum, then: Sum, bound: str) -> list[Line | str]:
    one, other = size_row(first, after, None, bound), size_row(following, then, None, bound)
    texts = (one.before, one.after, other.before, other.after)
    return [with_basis(text, each) for text, each in zip(texts, (first, after, following, then), strict=True)]


def _times(sums: Together, bound: str) -> list[list[Line | str]]:
    rows: list[list[Line | str]] = []
    for first, after, following, then in sums.seconds.values():
        one = time_row((first, after), *sums.first, None, bound)
        other = time_row((following, then), *sums.following, None, bound)
        rows.append([without_basis(each) for each in (one.before, one.after, other.before, other.after)])
    return rows


# names


def _paths(report: Report) -> list[str]:
    return list(dict.fromkeys(each.path or "" for each in _in_order(report)))


def _folder(report: Report) -> str:
    """The directory that all files lie in; "" for none worth naming."""
    return visible(_common(_paths(report)))


def _common(paths: Sequence[str]) -> str:
    if len(paths) < 2 or "-" in paths or len({path.startswith("/") for path in paths}) > 1:
        return ""
    found = commonpath([str(PurePosixPath(path).parent) for path in paths])
    return "" if found == "." else found


def _names(paths: Sequence[str]) -> list[str]:
    """Paths below the directory that they have in common."""
    common = _common(paths)
    return [visible(relpath(path, common) if common else path) for path in paths]


def _short(name: str, room: int) -> str:
    """Both ends of a name that is too long: the module, and what the file is called."""
    if cells(name) <= room:
        return name
    start, end = name, name
    half = (room - 3) // 2
    while cells(start) > room - 3 - half:
        start = start[:-1]
    while cells(end) > half:
        end = end[1:]
    return f"{start}...{end}"


# findings by rule


@dataclass(frozen=True, slots=True)
class _Group:
    rule: str
    found: list[tuple[FileReport, Finding, Saving | None]]


def by_rule(report: Report, width: int) -> list[Line]:
    """Each rule once, with the first of its findings in words and the files; then what was not applied and why not."""
    groups: dict[str, _Group] = {}
    for file in report.files:
        for finding, saving in file.findings if file.pipeline is None else ():
            groups.setdefault(finding.rule, _Group(finding.rule, [])).found.append((file, finding, saving))
    names = dict(zip(_paths(report), _names(_paths(report)), strict=True))
    ordered = sorted(groups.values(), key=_weight)
    lines: list[Line] = []
    for group in ordered:
        lines += [(), *_group(group, names, width)]
    return [*lines, *_warnings(report, names, width), *_not_applied(report, width)]


def _weight(group: _Group) -> tuple[int, int]:
    saved = sum(saving.first_push_bytes or 0 for _, _, saving in group.found if saving is not None)
    return -max(finding.severity.rank for _, finding, _ in group.found), -saved


def _group(group: _Group, names: dict[str, str], width: int) -> list[Line]:
    file, first, _ = group.found[0]
    worst = max((finding.severity for _, finding, _ in group.found), key=lambda severity: severity.rank)
    files = list(dict.fromkeys(each.path for each, _, _ in group.found))
    lines = [
        line(
            (f"{worst.value:<6}", SEVERITY[worst]),
            "  ",
            (group.rule, "strong"),
            "  ",
            (f"in {plural(len(files), 'file')}", "dim"),
        )
    ]
    message = sentence(first.message)
    others = {sentence(finding.message) for _, finding, _ in group.found} - {message}
    if others:
        message += f" ({names[file.path]}; the others differ, see -v)"
    lines += wrapped(message, width, first=line(" " * 8), indent=8)
    for label, said in _savings(group, len(files) > 1):
        lines += wrapped(said, width, first=line(" " * 8, (f"{label:<7}", "dim")), indent=15)
    if first.fix is not None:
        text = sentence(first.fix.description)
        told = {sentence(each.fix.description) for _, each, _ in group.found if each.fix is not None}
        if not others and told != {text}:
            text += f" ({names[file.path]}; the others differ, see -v)"
        name = "advice" if first.fix.applicability is Applicability.MANUAL else "fix"
        lines += wrapped(
            f"{text} ({_trust(group)})", width, first=line(" " * 8, (f"{name:<7}", "dim")), indent=15
        )
    places = [f"{names[each.path]}:{finding.line}" for each, finding, _ in group.found]
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    where = f"{', '.join(places[:_NAMED])}{more}"
    return lines + wrapped(where, width, first=line(" " * 8, ("where  ", "dim")), indent=15, style="dim")


def _trust(group: _Group) -> str:
    """How far the fixes can be trusted: in how many files each, where that is not the same in all."""
    told = Counter(trust(each, file) if each.fix is not None else "no fix" for file, each, _ in group.found)
    if len(told) == 1:
        return next(iter(told))
    return ", ".join(f"{label} in {count}" for label, count in told.items())


def _savings(group: _Group, several: bool) -> Iterator[tuple[str, str]]:
    """What the fixes save, and with which others it is counted; of how many files where it is not all of them."""
    own = [saving for _, each, saving in group.found if each.solved_by is None]
    known = [each for each in own if each is not None and each.first_push_bytes is not None]
    sums = _sum(known) if known else next((each for each in own if each is not None), None)
    label, said = saves_or_costs(sums, SEVERAL_FILES if several else ONE_FILE)
    if said:
        of = (
            f", in {len(known)} of {len(group.found)} places"
            if known and len(known) < len(group.found)
            else ""
        )
        yield label, said + of
    for rule, count in Counter(each.solved_by for _, each, _ in group.found if each.solved_by).items():
        yield "saves", f"counted with {rule}" + (f" in {count}" if count < len(group.found) else "")


def _sum(known: Sequence[Saving]) -> Saving:
    """Over several files. What the next pushes save is told where it is known of all."""
    following = [each.next_push_bytes for each in known]
    return Saving(
        sum(each.first_push_bytes or 0 for each in known),
        None if None in following else sum(each or 0 for each in following),
        max((each.basis for each in known), key=BASES.index),
        tuple(dict.fromkeys(platform for each in known for platform in each.platforms)),
    )


def _warnings(report: Report, names: dict[str, str], width: int) -> list[Line]:
    """One of each sort, whatever the file that it is about."""
    said: dict[str, list[tuple[str, str]]] = {}
    for file in report.files:
        for warning in file.warnings if file.pipeline is None else ():
            sort = _NAMES.sub("", warning)
            said.setdefault(sort, []).append((names[file.path], warning))
    lines: list[Line] = [()] if said else []
    for each in said.values():
        (name, warning), files = each[0], {file for file, _ in each}
        more = ""
        if len({words for _, words in each}) > 1:
            more = f" (and the like in {plural(len(files - {name}) or 1, 'further file')}, see -v)"
        elif len(files) > 1:
            more = f" (so in {plural(len(files), 'file')})"
        text = f"{name}: {warning}{more}"
        lines += wrapped(text, width, first=line(("warning ", "warn")), indent=8)
    return lines


#: Paths and numbers: what differs between warnings of one sort.
_NAMES = regex(r"\d+|\S*[/.$*]\S*")


def _not_applied(report: Report, width: int) -> list[Line]:
    why: dict[str, int] = {}
    for file in report.files:
        for rule in {each.rule for each in told_apart(file)} if file.pipeline is None else ():
            why[rule] = why.get(rule, 0) + 1
    waiting = sum(bool(held_back(file)) for file in report.files)
    said = [f"{rule} in {plural(count, 'file')}" for rule, count in why.items()]
    if waiting:
        said.append(f"what needs --unsafe in {plural(waiting, 'file')}")
    if not said:
        return []
    return [
        (),
        *wrapped(f"{', '.join(said)}; -v says why", width, first=line(("Not applied ", "strong")), indent=2),
    ]
