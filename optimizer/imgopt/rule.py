"""What a rule is: a check with its id, documented by its module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator

from imgopt.finding import Declined, Finding
from imgopt.light.records import dataclass
from imgopt.picture import Picture

Check = Callable[[Picture], Iterable[Finding | Declined]]


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
    """A check with its id; the documentation is the docstring of the module that defines it. ``of``: instructions without
    which it has nothing to say, so that it is not asked, and its plan not loaded, where a file has none."""

    id: str
    check: Check
    of: str | None = None

    def __call__(self, picture: Picture) -> Iterator[Finding | Declined]:
        if self.of is None or any(
            each.keyword in (self.of, "ONBUILD") for each in picture.document.instructions
        ):
            yield from self.check(picture)


def rule(rule_id: str, *, of: str | None = None) -> Callable[[Check], Rule]:
    """Names a check function; the id names the waste, in kebab case."""

    def name(check: Check) -> Rule:
        return Rule(rule_id, check, of)

    return name
