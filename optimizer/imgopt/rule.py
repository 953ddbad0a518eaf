"""What a rule is, what it may say, and how far a fix can be trusted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Literal

from imgopt.dockerfile import Edit as Edit

if TYPE_CHECKING:
    from imgopt.contents import File
    from imgopt.picture import Picture


class Applicability(IntEnum):
    """How far a fix can be trusted; fixes below the asked level are reported, not applied."""

    MANUAL = 0  # advice: the author must finish it
    UNSAFE = 1  # builds, but the application may behave differently; needs --unsafe
    SAFE = 2  # same behaviour, fewer bytes, shown from facts at hand

    @property
    def label(self) -> str:
        return self.name.lower()


class Severity(str, Enum):
    """How much the waste weighs: ``high`` for tens of MB or a broken image, ``low`` for kilobytes."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        return ("low", "medium", "high").index(self.value)


@dataclass(frozen=True)
class Fix:
    """A change that goes in whole or not at all. ``edits`` are spans of the original text; ``leaves_out`` are the paths
    of the final image that it drops on purpose: a rewrite that loses another file is not shown."""

    description: str
    applicability: Applicability
    edits: tuple[Edit, ...] = ()
    risk: str | None = None  # what could change; always said when the fix is not SAFE
    leaves_out: frozenset[str] = frozenset()

    @property
    def applies(self) -> bool:
        return bool(self.edits) and self.applicability > Applicability.MANUAL


@dataclass(frozen=True)
class Waste:
    """Compressed bytes that a finding knows of itself, where weighing its fix cannot tell them (what a RUN
    downloads, say). None where nothing was measured or published; ``source`` is said in the finding's message.

    ``files`` are of the picture and pushed for nothing: they are weighed as layers are, and the bytes given here
    count no more. ``each_release``: their layer travels with the next push as well.
    """

    first_push_bytes: int | None
    next_push_bytes: int | None
    basis: Literal["measured", "catalogue", "predicted", "unknown"]
    source: str
    files: tuple[File, ...] = ()
    each_release: bool = True


@dataclass(frozen=True)
class Finding:
    """One piece of waste, where it stands (1-based lines) and what mends it.

    ``solved_by`` names a rule whose fix, once applied, makes this waste vanish as well. ``waste`` counts where
    weighing the fix tells nothing.
    """

    rule: str
    severity: Severity
    line: int
    end_line: int
    message: str
    fix: Fix | None = None
    solved_by: str | None = None
    waste: Waste | None = None


@dataclass(frozen=True)
class Declined:
    """A change that was considered and not made, and the reason. Ends up in ``not_applied``.

    ``solved_by`` names a rule whose fix, once applied, takes the reason away.
    """

    rule: str
    line: int
    why: str
    solved_by: str | None = None


Check = Callable[["Picture"], Iterable["Finding | Declined"]]


class Documented:
    """What has an id and a check, documented by the docstring of the module that defines the check."""

    id: str
    check: Callable[..., object]

    @property
    def documentation(self) -> str:
        module = inspect.getmodule(self.check)
        return inspect.cleandoc((module.__doc__ if module else None) or "")

    @property
    def summary(self) -> str:
        """The first line of the documentation: the README's table row."""
        return self.documentation.partition("\n")[0]


@dataclass(frozen=True)
class Rule(Documented):
    """A check with its id; the documentation is the docstring of the module that defines it."""

    id: str
    check: Check

    def __call__(self, picture: Picture) -> Iterator[Finding | Declined]:
        yield from self.check(picture)


def rule(rule_id: str) -> Callable[[Check], Rule]:
    """Names a check function; the id names the waste, in kebab case."""

    def name(check: Check) -> Rule:
        return Rule(rule_id, check)

    return name
