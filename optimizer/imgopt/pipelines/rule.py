"""A rule that looks at a CI file: as `imgopt.rule.Rule`, over a `Pipeline`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from imgopt.finding import Finding
from imgopt.light.records import dataclass
from imgopt.pipelines.model import Pipeline
from imgopt.rule import Documented

Check = Callable[[Pipeline], Iterable[Finding]]


@dataclass(frozen=True)
class PipelineRule(Documented):
    """A check with its id; it finds, and what it finds is for people to change."""

    id: str
    check: Check

    def __call__(self, pipeline: Pipeline) -> Iterator[Finding]:
        yield from self.check(pipeline)


def rule(rule_id: str) -> Callable[[Check], PipelineRule]:
    """Names a check function; the id names the waste, in kebab case."""

    def name(check: Check) -> PipelineRule:
        return PipelineRule(rule_id, check)

    return name
