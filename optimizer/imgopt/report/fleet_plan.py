"""The plan of a fleet: its groups, what it is worth, and how far it is from the least that there could be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imgopt.errors import ImgoptError
from imgopt.fleet.plan import Cost, Plan, bound, cost
from imgopt.fleet.survey import Fleet
from imgopt.light.records import dataclass
from imgopt.report.figures import plural
from imgopt.report.json import Object, envelope
from imgopt.report.layout import Line, dim, line, table, visible
from imgopt.report.markdown import code, markdown_table
from imgopt.units import megabytes

_MOST_NAMED = 4


@dataclass(frozen=True)
class Group:
    """``bytes``: compressed, each file of it once; ``modules``: how many have one of its libraries."""

    name: str
    artifacts: tuple[str, ...]
    bytes: int
    modules: int
    managed: bool


def groups(fleet: Fleet) -> Iterator[Group]:
    for name, artifacts in fleet.plan.groups.items():
        wanted = set(artifacts)
        files = {}
        modules = 0
        for libraries in fleet.held.values():
            there = wanted & libraries.keys()
            modules += bool(there)
            files.update({each.identity: each for artifact in there for each in libraries[artifact]})
        size = sum(each.bytes or 0 for each in files.values())
        managed = any(each.managed for each in files.values())
        yield Group(name, artifacts, size, modules, managed)


def _costs(fleet: Fleet) -> tuple[Cost, Cost, Cost]:
    return cost(Plan(), fleet.held), cost(fleet.plan, fleet.held), bound(fleet.held)


def text(fleet: Fleet) -> list[Line]:
    found = list(groups(fleet))
    if not found:
        return [line("nothing to share: no library of 100 kB or more is in several modules")]
    rows: list[list[Line | str]] = [["group", "libraries", "modules", "bytes"]]
    for each in found:
        named = ", ".join(each.artifacts[:_MOST_NAMED])
        more = f" +{len(each.artifacts) - _MOST_NAMED}" if len(each.artifacts) > _MOST_NAMED else ""
        boot = " (moved by Spring Boot)" if each.managed else ""
        rows.append(
            [
                line((each.name, "name")),
                visible(f"{named}{more}{boot}"),
                str(each.modules),
                megabytes(each.bytes),
            ]
        )
    return [*table(rows, left=2, indent=0), (), *_worth(fleet)]


def _worth(fleet: Fleet) -> list[Line]:
    without, with_plan, least = _costs(fleet)
    rows: list[list[Line | str]] = [
        ["libraries sent", "without", "with the plan", "each file once", "distance"]
    ]
    for name, of in (("first push", "first"), ("Boot patch", "bump")):
        values = [getattr(each, of) for each in (without, with_plan, least)]
        distance = f"{values[1] / values[2]:.2f}x" if values[2] else "-"
        rows.append([name, *map(megabytes, values), distance])
    kept = (
        "the groups are those of imgopt-fleet.toml" if fleet.plan.kept else "chosen for the sum of both rows"
    )
    return [*table(rows, indent=0), dim(kept)]


def markdown(fleet: Fleet) -> str:
    rows = [
        [code(each.name), str(each.modules), str(len(each.artifacts)), megabytes(each.bytes)]
        for each in groups(fleet)
    ]
    without, with_plan, least = _costs(fleet)
    sent = [
        [name, *(megabytes(getattr(each, of)) for each in (without, with_plan, least))]
        for name, of in (("first push", "first"), ("Boot patch", "bump"))
    ]
    return (
        f"### imgopt fleet plan: {plural(len(rows), 'group')}\n\n"
        f"{markdown_table(['group', 'modules', 'libraries', 'bytes'], rows)}\n\n"
        f"{markdown_table(['libraries sent', 'without', 'with the plan', 'each file once'], sent)}\n"
    )


def plan_object(fleet: Fleet, errors: Sequence[ImgoptError]) -> Object:
    without, with_plan, least = _costs(fleet)
    complete = not fleet.unread and all(
        each.bytes is not None
        for libraries in fleet.held.values()
        for held in libraries.values()
        for each in held
    )
    return envelope(
        errors,
        file=str(fleet.plan_path),
        kept=fleet.plan.kept,
        groups=[
            {
                "name": each.name,
                "artifacts": list(each.artifacts),
                "modules": each.modules,
                "bytes": each.bytes,
                "managed": each.managed,
            }
            for each in groups(fleet)
        ],
        library_bytes={
            name: {
                "first_push": each.first,
                "bump_push": each.bump,
                "complete": complete,
            }
            for name, each in (("without", without), ("planned", with_plan), ("best", least))
        },
    )
