"""What a rule may say: a finding with its fix, or a change that was considered and not made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgopt.dockerfile import Edit
from imgopt.scales import Applicability, Basis, Severity

if TYPE_CHECKING:
    from imgopt.picture.contents import File


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
    basis: Basis
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
