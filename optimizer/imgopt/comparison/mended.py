"""An original that does not build, for the reason that was foretold: then its rewrite is not compared with it, but built and
started by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imgopt.engines.engine import BuildError, Limits
from imgopt.errors import MeasureError
from imgopt.light.records import dataclass
from imgopt.suggest.result import FileReport
from imgopt.suggest.sentence import sentence

if TYPE_CHECKING:
    from imgopt.comparison.behaviour import Behaviour
    from imgopt.comparison.measure import MeasuredImage
    from imgopt.comparison.observing import Observed
    from imgopt.picture import Picture
    from imgopt.plans.layers.failing import BuildFailure


#: Of what a builder gave as its reason.
_MOST_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Foretold:
    """Why the original was said not to build, and ``line``; ``step`` and ``seen``: at what it failed, and what the builder
    gave as its reason."""

    line: int
    message: str
    step: str | None
    seen: str


@dataclass(frozen=True, slots=True)
class Mended:
    """``start``: what was seen of the rewrite; None where nothing was started, and ``not_run`` says why. ``left_out``: what
    was asked for and takes an original that builds: sentences."""

    file: FileReport
    engine: str  # name
    engine_description: str
    foretold: Foretold
    after: MeasuredImage
    start: Observed | None
    not_run: str | None
    limits: Limits | None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def works(self) -> bool | None:
        """Whether the rewrite was seen to do its work; None where that was not seen: there is no original to compare an
        early end with."""
        return True if self.start is not None and self.start.works else None

    @property
    def not_measured(self) -> tuple[str, ...]:
        missing = list(self.left_out)
        if self.start is not None and not self.start.works:
            missing.append(f"the rewrite was not seen to work: {self.said}")
        elif self.start is None and self.not_run != "--no-run":
            missing.append(f"the rewrite was not started: {self.not_run}")
        return tuple(missing)

    @property
    def said(self) -> str:
        """What its start came to."""
        seen = self.start
        if seen is None:
            return f"not started: {self.not_run}"
        return f"{seen.by} with exit code {seen.exit_code}" if seen.outcome == "ended" else seen.by

    @property
    def exit_code(self) -> int:
        """0: what was asked for was seen."""
        return MeasureError.exit_code if self.not_measured else 0


def foretold(picture: Picture, error: BuildError) -> Foretold | None:
    """The failure that was foretold for the original and has come about; None where it failed for another reason."""
    from imgopt.plans.layers.failing import build_failures

    output = "\n".join(error.output)
    for failure in build_failures(picture):
        if failure.explains(step=error.step, image=error.image, said=error.reason, output=output):
            return _as_foretold(failure, error)
    return None


def _as_foretold(failure: BuildFailure, error: BuildError) -> Foretold:
    seen = " ".join((error.reason or error.message).split())[:_MOST_CHARACTERS]
    return Foretold(failure.instruction.line, sentence(failure.message), error.step, seen)


def otherwise(picture: Picture) -> str | None:
    """What was foretold of an original that failed for another reason."""
    from imgopt.plans.layers.failing import build_failures

    failure = next(iter(build_failures(picture)), None)
    return f"line {failure.instruction.line}: {sentence(failure.message)}" if failure is not None else None


def on_predictions(picture: Picture, behaviour: Behaviour) -> Iterator[str]:
    """What came of what was predicted of an original that was built: sentences for the reader."""
    from imgopt.plans.layers.failing import start_failure

    build = otherwise(picture)
    if build is not None:
        yield f"the original builds, though it was predicted not to ({build}); please report this"
    start = start_failure(picture)
    if start is None or not behaviour.ran:
        return
    said = f"line {start[0].line}: {sentence(start[1])}"
    if behaviour.before.start_seconds:
        yield f"the original starts, though it was predicted not to ({said}); please report this"
    elif behaviour.after.start_seconds:
        yield f"the original does not start, as predicted ({said}); the rewrite does"
