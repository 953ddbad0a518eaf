"""What a rule may say: a finding with its fix, or a change that was considered and not made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

from imgopt.dockerfile import Edit, Instruction
from imgopt.light.records import dataclass, field, replace
from imgopt.scales import Applicability, Basis, Severity

if TYPE_CHECKING:
    from imgopt.picture.contents import File

#: ``certain``: what was seen stands against it. ``unseen``: what is not there to be read might. ``lacks-package``: a
#: package would take the reason away. ``contradicts``: another fix changes the same lines. ``needs-unsafe``: only the
#: user can say that it is wanted. ``not-known``: a fact that decides it is not known (a variable, what a base holds).
Kind = Literal["certain", "unseen", "lacks-package", "contradicts", "needs-unsafe", "not-known"]


@dataclass(frozen=True)
class Place:
    """An instruction that a sentence speaks of, and the text that it stands in.

    ``text``: the ``original``, the final ``rewrite``, or one ``between`` two rounds, which nobody sees: there it is
    called by its words, not by a line. ``bare``: the number alone ("lines 3 to 5").
    """

    instruction: Instruction
    text: Literal["original", "rewrite", "between"] = "original"
    bare: bool = False


@dataclass(frozen=True)
class Sentence:
    """Words with places among them; which line a place has is only said when the sentence is shown.

    No text is made of it here: ``str()`` and f-strings refuse, `imgopt.suggest.sentence` is the one that does it.
    """

    parts: tuple[str | Place, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(dict.fromkeys(part for part in self.parts if isinstance(part, Place)))

    def __str__(self) -> NoReturn:
        raise TypeError("a sentence has lines in it, which only `sentence` can say; join it with `say`")


@dataclass(frozen=True)
class Reason(Sentence):
    """Why something is not done, or what could change. ``package``: the one of the new base that would mend it."""

    kind: Kind = "certain"
    package: str | None = None


Said = TypeVar("Said", bound="str | Sentence")

#: What may stand in a sentence: an instruction is said as "line 3".
Word = str | int | Instruction | Place | Sentence


def say(template: str, *values: Word) -> Sentence:
    """The template with a value for each ``{}``. Values are taken as they are, whatever they hold."""
    return Sentence(_parts(template, values))


def because(kind: Kind, template: str, *values: Word, package: str | None = None) -> Reason:
    """A reason, written as `say` writes a sentence."""
    return Reason(_parts(template, values), kind, package)


def number(instruction: Instruction) -> Place:
    """The instruction as a number alone, for "lines 3 to 5"."""
    return Place(instruction, bare=True)


def listed(instructions: Sequence[Instruction]) -> Sentence:
    """ "line 3", "lines 3 and 5", "lines 3, 5 and 7"; not of none."""
    if len(instructions) == 1:
        return say("{}", instructions[0])
    first = ", ".join("{}" for _ in instructions[1:])
    return say(f"lines {first} and {{}}", *map(number, instructions))


def told(kind: Kind, what: str | Sentence) -> Reason:
    """``what`` as a reason; one that is a reason keeps its own kind."""
    return what if isinstance(what, Reason) else because(kind, "{}", what)


def _parts(template: str, values: tuple[Word, ...]) -> tuple[str | Place, ...]:
    texts = template.split("{}")
    if len(texts) != len(values) + 1:
        raise ValueError(f"{len(values)} values for {template!r}")
    parts: list[str | Place] = []
    for text, value in zip(texts, (*values, ""), strict=True):
        parts.append(text)
        if isinstance(value, Sentence):
            parts += value.parts
        elif isinstance(value, Instruction):
            parts.append(Place(value))
        else:
            parts.append(value if isinstance(value, Place) else str(value))
    return _joined(parts)


def _joined(parts: list[str | Place]) -> tuple[str | Place, ...]:
    """Neighbouring texts as one, so that equal sentences are equal."""
    joined: list[str | Place] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


class Refused(Exception):
    """A plan stays unmade, and why. Written as `say` writes a sentence."""

    def __init__(self, template: str, *values: Word, kind: Kind = "certain") -> None:
        self.reason = because(kind, template, *values)
        super().__init__(self.reason)


def reason_of(error: Refused | ValueError) -> Reason:
    """Why nothing was made: as it was refused, or the message of what could not be written."""
    return error.reason if isinstance(error, Refused) else because("certain", "{}", str(error))


@dataclass(frozen=True)
class Fix:
    """A change that goes in whole or not at all. ``edits`` are spans of the text that it was found in; ``leaves_out`` are the paths
    of the final image that it drops on purpose: a rewrite that loses another file is not shown."""

    description: str | Sentence
    applicability: Applicability
    edits: tuple[Edit, ...] = ()
    risk: Reason | None = None  # what could change; always said when the fix is not SAFE
    leaves_out: frozenset[str] = frozenset()
    later: bool = False  # the edits are spans of a text that other fixes make first

    @property
    def applies(self) -> bool:
        return bool(self.edits) and self.applicability > Applicability.MANUAL


@dataclass(frozen=True)
class Waste:
    """Compressed bytes that a finding knows of itself, where weighing its fix cannot tell them (what a RUN
    downloads, say). None where nothing was measured or published; ``source`` is said in the finding's message.

    ``files`` are of the picture and pushed for nothing, in the layer of ``stored_by``: they are weighed as layers are,
    and the bytes given here count no more. Who stores them has to be said, because only so can it be seen that two
    rules speak of the same bytes (`imgopt.suggest.attribution`). ``each_release``: their layer travels with the next
    push as well.

    Raises ValueError for files without the instruction that stores them.
    """

    first_push_bytes: int | None
    next_push_bytes: int | None
    basis: Basis
    source: str
    files: tuple[File, ...] = ()
    each_release: bool = True
    stored_by: Instruction | None = None

    def __post_init__(self) -> None:
        if self.files and self.stored_by is None:
            raise ValueError("files without the instruction that stores them")


@dataclass(frozen=True)
class Finding:
    """One piece of waste, where it stands (1-based lines) and what mends it.

    ``solved_by`` names a rule whose fix, once applied, makes this waste vanish as well. ``waste`` counts where
    weighing the fix tells nothing. ``applied``: its fix is in the rewrite; no rule says that.
    """

    rule: str
    severity: Severity
    line: int
    end_line: int
    message: str | Sentence
    fix: Fix | None = None
    solved_by: str | None = None
    waste: Waste | None = None
    applied: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Declined:
    """A change that was considered and not made, and the reason. Ends up in ``not_applied``.

    ``solved_by`` names a rule whose fix, once applied, takes the reason away. ``finding``: the one that says the same,
    when its fix was not applied.
    """

    rule: str
    line: int
    why: Reason
    solved_by: str | None = None
    finding: Finding | None = field(default=None, compare=False)


def declined_with(declined: Declined, place: Callable[[Place], Place]) -> Declined:
    """The same with other places in all that it says."""
    finding = finding_with(declined.finding, place) if declined.finding is not None else None
    return replace(declined, why=_with(declined.why, place), finding=finding)


def finding_with(finding: Finding, place: Callable[[Place], Place]) -> Finding:
    """The same with other places in all that it says."""
    fix = finding.fix
    if fix is not None:
        risk = _with(fix.risk, place) if fix.risk is not None else None
        fix = replace(fix, description=_with(fix.description, place), risk=risk)
    return replace(finding, message=_with(finding.message, place), fix=fix)


def _with(said: Said, place: Callable[[Place], Place]) -> Said:
    if not isinstance(said, Sentence):
        return said
    parts = tuple(part if isinstance(part, str) else place(part) for part in said.parts)
    return replace(said, parts=parts)
