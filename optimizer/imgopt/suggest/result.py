"""What the commands report: the data that every output format renders and the contract's JSON prints.

Bytes are bytes, seconds are seconds; formatting belongs to `imgopt.report`. ``None`` means unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from imgopt.dockerfile import Edit
from imgopt.errors import ImgoptError
from imgopt.finding import Declined, Finding, Reason
from imgopt.light.records import dataclass
from imgopt.options import NOBODY, BuiltFor
from imgopt.scales import Basis, Sum
from imgopt.weigh.weights import Prediction, Saving

if TYPE_CHECKING:
    from imgopt.bases.base import Base
    from imgopt.plans.base.java_version import JavaVersion
    from imgopt.suggest.foreseen import Foreseen


@dataclass(frozen=True)
class StageInfo:
    name: str | None
    base: str
    final: bool


@dataclass(frozen=True)
class JavaInfo:
    """``major``: of the Java that runs it, else of the oldest that can. ``source``: where it was read ("jar", "pom.xml", "build.gradle", "option", "base image", or how the stage
    brings its Java: "package", "archive", "copied")."""

    major: int | None
    artifact: str | None
    kind: str | None
    spring_boot: str | None
    start_class: str | None
    source: str | None
    runs: JavaVersion | None = None
    needs: JavaVersion | None = None


#: Rules that look at no jar, whatever they find: what they say is the same before and after it is built.
WITHOUT_JAR = frozenset({"package-cache", "recommended-packages", "developer-files"})


@dataclass(frozen=True)
class Fact:
    """``what``: a path below the context, or the line of a file. ``known`` is False for a jar that is not built yet;
    ``how`` is the command that builds it, where one can be told. ``instead``: where the build puts one, when it puts none
    there."""

    kind: Literal["jar", "build-file", "script", "platforms", "containers", "base"]
    what: str
    known: bool = True
    how: str | None = None
    instead: str | None = None


@dataclass(frozen=True)
class RewriteResult:
    """``applicability`` is that of the weakest fix applied, or of nothing ("safe") when unchanged. ``edits`` and ``chosen``,
    the findings whose fixes went in, are those of one round; of several there is only the text."""

    changed: bool
    applicability: str
    text: str
    not_applied: tuple[Declined, ...]
    applied: tuple[str, ...] = ()  # rule ids, in report order
    edits: tuple[Edit, ...] = ()
    chosen: tuple[Finding, ...] = ()
    rests_on: tuple[Fact, ...] = ()

    @property
    def undecided(self) -> tuple[Fact, ...]:
        """The jars without which nobody can say whether the file would change: another rewrite may come of them."""
        if set(self.applied) & WITHOUT_JAR:
            return ()
        return tuple(fact for fact in self.rests_on if fact.kind == "jar" and not fact.known)


class BeforeAfter(Protocol):
    """Bytes before and after the rewrite of a Dockerfile."""

    @property
    def before(self) -> Sum: ...
    @property
    def after(self) -> Sum: ...


@dataclass(frozen=True)
class PipelinePush:
    """A push that a CI file makes. ``unknown`` says why its bytes are not known; ``timeout_s`` is the shortest limit
    around it; ``at_once``: how many others may run at the same time."""

    line: int
    tool: str
    dockerfile: str | None
    unknown: str | None
    first_push: BeforeAfter
    next_push: BeforeAfter
    timeout_s: float | None
    at_once: int
    platforms: tuple[str, ...] = ()  # whose images it sends; () where that is not known
    image: str | None = None  # as the command calls it, with the variables in it that are not known


@dataclass(frozen=True)
class Steps:
    """Bytes as a pipeline sends them now (``before``), after the rewrites of the Dockerfiles, and where the findings on its
    commands are mended as well (``advised``)."""

    before: Sum
    after: Sum
    advised: Sum


@dataclass(frozen=True)
class ReleaseLimit:
    """A time limit of a CI file: ``images`` pushes run in it. ``first`` and ``following`` are the seconds that they take at
    the slowest rate, now, after the rewrites, and with the commands mended; None where nothing is known. ``at_least``: a part
    of the images is not known; ``complete``: of which of these six all is. ``enough_first`` and ``enough_following``: seconds of limits that would do for these. ``long_enough``: a
    first push leaves room now."""

    line: int
    text: str
    seconds: float
    images: int
    first: tuple[float | None, float | None, float | None]
    following: tuple[float | None, float | None, float | None]
    at_least: bool
    complete: tuple[tuple[bool, bool, bool], tuple[bool, bool, bool]]
    enough_first: tuple[int | None, int | None, int | None]
    enough_following: tuple[int | None, int | None, int | None]
    long_enough: bool


@dataclass(frozen=True)
class ReleaseSaving:
    """``rules`` that are mended together in ``files`` Dockerfiles (0: in the CI file alone) and what a whole release saves
    by it, each byte told once: of a first push, and of each next one."""

    rules: tuple[str, ...]
    files: int
    first_push_bytes: int
    next_push_bytes: int
    basis: Basis


@dataclass(frozen=True)
class Release:
    """Everything that one run of a pipeline pushes. ``at_once``: how many of the ``images`` run at the same time at most;
    ``open``: one of them stands for each entry of a list that is not known. ``rates`` are bytes a second, ``assumed`` where
    they were neither given nor are known of the registry. ``always``: each
    image is pushed whatever changed, as far as the file tells; ``chosen_by``: the parameters that choose images, or what
    the file asks about changes. ``retries``: what attempts after a failure send; the figures are those of one attempt.
    ``sources``: where figures come from that no jar was weighed for."""

    images: int
    at_once: int
    open: bool
    rates: tuple[int, ...]
    assumed: bool
    first: Steps
    following: Steps
    rewritten: int
    mended: tuple[str, ...]
    limits: tuple[ReleaseLimit, ...]
    savings: tuple[ReleaseSaving, ...]
    always: bool
    chosen_by: tuple[str, ...]
    retries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class PipelineSummary:
    """What a CI file pushes; ``system`` is "Jenkins", "GitLab CI" or "GitHub Actions". ``release`` is None where it pushes
    nothing; ``unjudged``: why not all of it could be judged, each reason once, and of how many images it is said."""

    system: str
    pushes: tuple[PipelinePush, ...]
    release: Release | None = None
    unjudged: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class FileReport:
    """All of one Dockerfile's answer, or a CI file's. ``original`` is the text as read (surrogate-escaped UTF-8).
    Image sizes are those of ``platform``; ``platforms`` are all that one push sends, ``built_for`` what the build
    commands at hand said.

    A CI file has a ``pipeline``, no stages and no prediction of its own, and is never rewritten.
    """

    path: str
    context: str
    context_note: str | None
    platform: str
    stages: tuple[StageInfo, ...]
    java: JavaInfo | None
    findings: tuple[tuple[Finding, Saving | None], ...]
    rewrite: RewriteResult
    prediction: Prediction | None
    original: str
    warnings: tuple[str, ...] = ()
    good: str | None = None  # a word that the file is good, when nothing was found
    skipped: str | None = None  # `# imgopt: ignore-file`, with its reason
    pipeline: PipelineSummary | None = None
    base: Base | None = None  # the final image's
    sized: str | None = None  # where figures come from of an archive that is not there
    unknown: tuple[Reason, ...] = ()  # what the answer would need; among the warnings, too
    clear: bool = True  # all that counts was known: where nothing was found, there is nothing
    foreseen: Foreseen | None = None
    platforms: tuple[str, ...] = ()
    built_for: BuiltFor = NOBODY


@dataclass(frozen=True)
class Report:
    files: tuple[FileReport, ...]
    errors: tuple[ImgoptError, ...]
    bandwidth_source: str  # e.g. "default", "--bandwidth", "imgopt.toml:3", "profile aliyun-personal"
    catalogue_date: str
