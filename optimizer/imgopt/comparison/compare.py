"""Builds the original and the rewrite on a real engine, measures both, runs both, and measures their next release.

Nothing of the user's tree is touched: the rewrite and the next release lie in a temporary directory that goes with the
comparison, and what the engine made goes with the engine.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.comparison.measure import COMPRESSED_HERE, MeasuredImage, measure, weight
from imgopt.comparison.mended import Foretold, Mended, foretold, on_predictions, otherwise
from imgopt.dockerfile import MAX_BYTES, writing
from imgopt.engines.engine import BuildError, BuildRequest, BuiltImage, Engine, Runner
from imgopt.errors import ImgoptError, InputError, MeasureError, UsageError
from imgopt.files.opening import read_file
from imgopt.light.records import dataclass, field, replace
from imgopt.scales import Sum
from imgopt.suggest.result import FileReport
from imgopt.text.quoting import Unwritable
from imgopt.weigh.weights import ImageWeight, PushTime

if TYPE_CHECKING:
    from imgopt.build_context.tree import Context
    from imgopt.comparison.behaviour import Behaviour
    from imgopt.comparison.observing import RunOptions, Subject
    from imgopt.comparison.release_difference import ImageDifference, NewLayer, ReleaseDifference
    from imgopt.dockerfile import Dockerfile
    from imgopt.finding import Finding
    from imgopt.images.model import Image, OpenImage
    from imgopt.options import Options
    from imgopt.picture import Picture
    from imgopt.registry.client import Access
    from imgopt.registry.result import PushResult
    from imgopt.rule import Rule

#: A layer of a directory entry, as WORKDIR makes it, travels again for some hundred bytes: no finding.
WORTH_A_WORD_BYTES = 4096
BEFORE, AFTER = "before", "after"
NEXT_BEFORE, NEXT_AFTER = "next_before", "next_after"
NAMES = {BEFORE: "the original", AFTER: "the rewrite"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What to compare beyond the build. ``build_seconds``: the limit of one build. ``push_to``: REGISTRY/REPO,
    ``access``: how it is reached."""

    run: RunOptions | None
    next_release: bool = False
    patch: bool = False  # the next release has another patch of Spring Boot, else one class changed
    patched: Path | None = None  # the jar of the next release, where that has another patch of Spring Boot
    push_to: str | None = None
    access: Access | None = None
    build_seconds: float = 1800
    cache: bool = True


@dataclass(frozen=True, slots=True)
class NextRelease:
    """What a registry that has the first release still needs of the second. ``changed`` says what was changed for it;
    ``why``, why nothing could be: then there are no figures."""

    changed: str | None = None
    before: ReleaseDifference | None = None
    after: ReleaseDifference | None = None
    why: str | None = None
    unstable: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)  # by "before" and "after"
    patch: bool = False  # it has another patch of Spring Boot, else one class more


@dataclass(frozen=True, slots=True)
class Pushed:
    """Real pushes of both, one after the other; the next release's after them, where it was built. ``removed``: whether
    the registry let the tags be deleted again."""

    repository: str
    before: PushResult
    after: PushResult
    next_before: PushResult | None = None
    next_after: PushResult | None = None
    removed: bool = False

    @property
    def results(self) -> dict[str, PushResult]:
        """Those that there are, by what was pushed."""
        named = (
            (BEFORE, self.before),
            (AFTER, self.after),
            (NEXT_BEFORE, self.next_before),
            (NEXT_AFTER, self.next_after),
        )
        return {name: result for name, result in named if result is not None}


@dataclass(frozen=True, slots=True)
class PredictedPush:
    """``sent``: what `suggest` predicts for it, without what the registry turned out to have; ``seconds``: the model's
    at ``bytes_per_s``, the rate at which the largest of the pushes went. None where that cannot be told."""

    sent: Sum
    seconds: float | None
    bytes_per_s: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    file: FileReport
    engine: str  # name
    engine_description: str
    before: MeasuredImage
    after: MeasuredImage
    difference: ImageDifference
    behaviour: Behaviour
    not_run: str | None  # why nothing was started
    next_release: NextRelease | None
    pushed: Pushed | None
    push: tuple[PushTime, ...]  # modelled from the measured bytes; the next push's only with ``next_release``
    notes: tuple[str, ...] = ()
    push_error: MeasureError | None = None

    @property
    def alike(self) -> bool | None:
        """Whether nothing differs that a user of the application would notice; None where that was not seen."""
        return self.behaviour.alike

    @property
    def predicted_pushes(self) -> dict[str, PredictedPush]:
        """Beside each of the real ones."""
        if self.pushed is None or self.file.prediction is None:
            return {}
        results = self.pushed.results
        rate = max(results.values(), key=lambda each: each.sent_bytes).bytes_per_s
        images = {BEFORE: self.file.prediction.before, AFTER: self.file.prediction.after}
        return {
            name: predicted_push(
                images[AFTER if name.endswith(AFTER) else BEFORE],
                result,
                rate,
                following=name in (NEXT_BEFORE, NEXT_AFTER),
                patch=self.next_release is not None and self.next_release.patch,
            )
            for name, result in results.items()
        }


def predicted_push(
    image: ImageWeight, result: PushResult, rate: int | None, *, following: bool, patch: bool = False
) -> PredictedPush:
    """``following``: of the next release, of which the registry has all but the layers that change; ``patch``: with another
    patch of Spring Boot."""
    from imgopt.weigh.push import Link, seconds

    whole = image.first_push
    if following:
        whole = image.bump_push if patch else image.next_push
    if whole.value is None:
        return PredictedPush(whole, None, rate)
    there = sum(layer.size for layer in result.layers if layer.how != "sent")
    sent = whole.value if following else max(0, whole.value - there)
    layers = max(1, sum(layer.how == "sent" for layer in result.layers))
    took = None
    if rate is not None:
        raw = sum(layer.uncompressed_bytes or 0 for layer in image.layers) if result.packed_bytes else 0
        have = len(result.layers) - layers
        took = seconds("imgopt", Link(rate), [sent // layers] * layers, uncompressed_bytes=raw, have=have)
    return PredictedPush(replace(whole, value=sent), took, rate)


Tell = Callable[[str], None]


@dataclass(slots=True)
class Workshop:
    """One comparison at work: the engine, where files may lie, and who is told what is being done."""

    engine: Engine
    options: Options
    settings: Settings
    directory: Path
    tell: Tell
    sizes: dict[str, tuple[int, int]]
    bases: dict[str, Image | None] = field(default_factory=dict)

    def build(
        self,
        which: str,
        context: Path,
        dockerfile: Path,
        picture: Picture,
        release: int = 1,
        *,
        alone: bool = False,
    ) -> BuiltImage:
        """Builds one variant. A BuildError says which one failed, and that the original was broken before. ``alone``: the
        original does not build."""
        name = NAMES[which] + (" of the next release" if release > 1 else "")

        def line(text: str) -> None:
            self.tell(f"building {name}: {text}")

        self.tell(f"building {name}")
        request = BuildRequest(
            context=context,
            dockerfile=dockerfile,
            build_args=self.options.build_args,
            target=self.options.target,
            platform=self.options.platform,
            cache=self.settings.cache and not self.settings.next_release,
            seconds=self.settings.build_seconds,
            line=line,
        )
        try:
            return self.engine.build(request, f"imgopt-compare-{which}-{release}")
        except BuildError as error:
            if which == BEFORE and release == 1 and (why := foretold(picture, error)) is not None:
                raise FailedAsForetold(why) from error
            patch = self.settings.patch
            raise broken(error, which, release, picture, patch=patch, alone=alone) from error

    def base(self, picture: Picture) -> Image | None:
        """The base image as the engine has it: what a Dockerfile of nothing but its FROM comes to."""
        name = picture.final.root.image
        if name is None or name == "scratch":
            return None
        try:
            from_ = f"FROM {writing.image(name)}\n"
        except Unwritable:
            return None
        if name not in self.bases:
            self.tell(f"looking at {name}")
            with tempfile.TemporaryDirectory(dir=self.directory) as directory:
                dockerfile = Path(directory, "Dockerfile")
                dockerfile.write_text(from_, "utf-8")
                platform = self.options.platform
                request = BuildRequest(Path(directory), dockerfile, platform=platform, seconds=600)
                built = self.engine.build(request, f"imgopt-compare-base-{len(self.bases)}")
            with contextlib.closing(self.engine.open(built)) as opened:
                self.bases[name] = opened.image
        return self.bases[name]


class FailedAsForetold(Exception):
    """The original does not build, for the reason that was foretold."""

    def __init__(self, why: Foretold) -> None:
        super().__init__(why.message)
        self.why = why


def broken(
    error: BuildError, which: str, release: int, picture: Picture, *, patch: bool = False, alone: bool = False
) -> BuildError:
    """The same failure, told of the variant that it happened to. ``patch``: the next release has another patch of Spring Boot;
    ``alone``: the original did not build either."""
    path = picture.document.path
    if which == BEFORE and release == 1:
        said = "the Dockerfile does not build as it is, before any rewrite"
        hint = "fix that first; nothing was changed"
        other = otherwise(picture)
        if other is not None:
            said += f", and not for what was predicted ({other})"
    elif release > 1:
        changed = "with another patch of Spring Boot" if patch else "with one class changed"
        said = f"{NAMES[which]} does not build again {changed}"
        hint = "leave out --next-release to compare without it"
    else:
        said = "the rewrite does not build, though the original does"
        if alone:
            said = "neither the original nor the rewrite builds"
        hint = "keep the original, and please report this with the output below"
    step = f" in {error.step}" if error.step else ""
    told = BuildError(
        f"{said}: {error.message}{step}",
        error.hint or hint,
        step=error.step,
        output=error.output,
        reason=error.reason,
        image=error.image,
    )
    told.path = path if which == BEFORE else None
    return told


def compare(
    path: str, options: Options, settings: Settings, engine: Engine, rules: Sequence[Rule], tell: Tell
) -> Comparison | Mended:
    """The whole comparison. ``tell`` hears what is being done, and the build's output line by line. `Mended` where the
    original does not build, as `broken-layering` says.

    Raises InputError when there is nothing to compare, MeasureError when it cannot be built or measured.
    """
    from imgopt.comparison.release_difference import compare_images
    from imgopt.comparison.working_directory import compare_directories, working_directory
    from imgopt.picture import Jars, take_picture
    from imgopt.pipelines.platforms import at_hand
    from imgopt.suggest.dockerfile import open_context_of, report_file
    from imgopt.weigh.layers import Weigher

    jars = Jars()
    data = read_dockerfile(path)
    options = replace(
        at_hand(Path(path), options), engine=engine.gzip
    )  # its prediction is what is measured here, so of the same gzip
    file = report_file(path, data, options, rules, jars, Weigher(jars, options.engine))
    document = parsed(file.original, path)
    context, _ = open_context_of(document, options)
    picture = take_picture(document, context, options, jars)
    if settings.patch and settings.patched is None:
        require_patch(picture)
    if not file.rewrite.changed:
        raise NothingToCompare(file)
    if context is None:
        raise InputError("there is no build context to build with", "give --context DIR", path=path)
    rewritten = replace(picture, document=parsed(file.rewrite.text, path))
    if settings.push_to:
        from imgopt.registry.push import check_push

        tell("asking the registry whether it may be pushed to")
        check_push(settings.push_to, settings.access)
    with workshop(engine, options, settings, tell) as shop:
        dockerfiles = {BEFORE: Path(path), AFTER: shop.directory / "Dockerfile.imgopt"}
        write_rewrite(file, dockerfiles[AFTER], Path(path))
        pictures = {BEFORE: picture, AFTER: rewritten}
        built, opened, measured = {}, {}, {}
        with contextlib.ExitStack() as stack:
            for which in (BEFORE, AFTER):
                try:
                    built[which] = shop.build(which, context.root, dockerfiles[which], pictures[which])
                except FailedAsForetold as failed:
                    return mended(shop, file, failed.why, context, dockerfiles[AFTER], rewritten)
                opened[which] = stack.enter_context(contextlib.closing(engine.open(built[which])))
                measured[which] = weigh(shop, file, which, built[which], opened[which], pictures[which])
            tell("comparing the files of both images")
            difference = compare_images(opened[BEFORE], opened[AFTER])
            later: dict[str, OpenImage] = {}
            release = None
            if settings.next_release:
                release = next_release(shop, context, dockerfiles, pictures, measured, opened, later, stack)
                measured = {which: with_changes(measured[which], later, which) for which in measured}
            behaviour, not_run = behaving(shop, built, opened)
            tell("looking at the working directories")
            places = [working_directory(opened[which]) for which in (BEFORE, AFTER)]
            behaviour = replace(behaviour, checks=(*behaviour.checks, compare_directories(*places)))
            pushed, push_error = None, None
            if settings.push_to:
                try:
                    pushed = push_both(shop, settings.push_to, opened, later)
                except MeasureError as error:  # what was built and measured before is not lost with it
                    push_error = error
        keep_sizes(shop.sizes)
    return Comparison(
        file,
        engine.name,
        engine.description,
        measured[BEFORE],
        measured[AFTER],
        difference,
        behaviour,
        not_run,
        release,
        pushed,
        _push_times(measured, options, release),
        (*notes(engine, measured), *on_predictions(picture, behaviour)),
        push_error,
    )


def require_patch(picture: Picture) -> None:
    """UsageError where the release with another patch of Spring Boot cannot be built here."""
    from imgopt.comparison.next_patch import plan_built_patch
    from imgopt.java.next_jar import Unchangeable

    change = plan_built_patch(picture)
    if isinstance(change, Unchangeable):
        raise UsageError(
            f"--next-release boot-patch needs the jar of that release: {change.reason}",
            "build the application with another patch of Spring Boot and give --patched-jar JAR",
        )


def mended(
    shop: Workshop, file: FileReport, why: Foretold, context: Context, dockerfile: Path, picture: Picture
) -> Mended:
    """The rewrite alone, built and started."""
    from imgopt.comparison.observing import observe

    settings, run = shop.settings, shop.settings.run
    tell = shop.tell
    tell("the original does not build, as predicted")
    built = shop.build(AFTER, context.root, dockerfile, picture, alone=True)
    left_out = [
        f"{option} takes an original that builds"
        for option, given in (("--next-release", settings.next_release), ("--push-to", settings.push_to))
        if given
    ]
    with contextlib.closing(shop.engine.open(built)) as opened:
        measured = weigh(shop, file, AFTER, built, opened, picture)
        keep_sizes(shop.sizes)
        runner, not_run = running(shop)
        start = None
        if runner is not None and run is not None:
            subject = started(shop, runner, AFTER, built, opened)
            tell("starting the rewrite")
            start = observe(runner, subject, run)
    limits = run.limits if run is not None and start is not None else None
    return Mended(
        file,
        shop.engine.name,
        shop.engine.description,
        why,
        measured,
        start,
        not_run,
        limits,
        tuple(left_out),
        tuple(notes(shop.engine, {AFTER: measured})),
    )


def _push_times(
    measured: Mapping[str, MeasuredImage], options: Options, release: NextRelease | None
) -> tuple[PushTime, ...]:
    from imgopt.weigh.push import push_times

    times = push_times(weight(measured[BEFORE]), weight(measured[AFTER]), options.bandwidths, options.rtt_s)
    if release is None or not release.patch:
        return times
    return tuple(replace(each, next_push_s=(None, None), bump_push_s=each.next_push_s) for each in times)


@contextlib.contextmanager
def workshop(engine: Engine, options: Options, settings: Settings, tell: Tell) -> Iterator[Workshop]:
    from imgopt.engines.opened import work_directory

    with work_directory("imgopt-compare-") as directory:
        yield Workshop(engine, options, settings, directory, tell, known_sizes())


def read_dockerfile(path: str) -> bytes:
    try:
        return read_file(path, MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", "check the path and its permissions", path=path
        ) from error


def parsed(text: str, path: str) -> Dockerfile:
    from imgopt.dockerfile import parse

    return parse(text, path)


def write_rewrite(file: FileReport, target: Path, original: Path) -> None:
    """The rewrite, with the original's own ignore file beside it: builders look for `NAME.dockerignore` first."""
    target.write_bytes(file.rewrite.text.encode("utf-8", "surrogateescape"))
    ignore = original.with_name(f"{original.name}.dockerignore")
    if ignore.is_file():
        shutil.copy(ignore, target.with_name(f"{target.name}.dockerignore"))


def weigh(
    shop: Workshop,
    file: FileReport,
    which: str,
    built: BuiltImage,
    opened: OpenImage,
    picture: Picture,
) -> MeasuredImage:
    predicted = file.prediction
    layers = () if predicted is None else getattr(predicted, which).layers
    from imgopt.bases import catalogue_date

    return measure(
        opened,
        picture.final_instructions(),
        shop.base(picture),
        sizes=shop.sizes,
        catalogue=next((layer for layer in layers if layer.from_base), None),
        catalogue_date=catalogue_date(),
        name=picture.final.root.image or "scratch",
        seconds=built.seconds,
        tell=shop.tell,
    )


def next_release(
    shop: Workshop,
    context: Context,
    dockerfiles: Mapping[str, Path],
    pictures: Mapping[str, Picture],
    measured: Mapping[str, MeasuredImage],
    first: Mapping[str, OpenImage],
    later: dict[str, OpenImage],
    stack: contextlib.ExitStack,
) -> NextRelease:
    """Builds both with one class changed, in a copy of the context, and compares each with its first release.
    The images of the second release are left open in ``later``, to be closed by ``stack``."""
    from imgopt.comparison.next_patch import plan_built_patch
    from imgopt.comparison.next_release import make_context, plan_change, plan_patch
    from imgopt.comparison.release_difference import release_difference, unstable_layers
    from imgopt.java.next_jar import Unchangeable

    patched, patch = shop.settings.patched, shop.settings.patch
    if patched is not None:
        change = plan_patch(pictures[BEFORE], patched)
        what = f"putting {patched} in its place"
    elif patch:
        change = plan_built_patch(pictures[BEFORE])
        what = "taking the next patch of Spring Boot"
    else:
        change, what = plan_change(pictures[BEFORE]), "changing one class"
    if isinstance(change, Unchangeable):
        return NextRelease(why=change.reason, patch=patch)
    shop.tell(f"{what}, in a copy of the build context")
    directory = shop.directory / "next-release"
    directory.mkdir()
    changed = make_context(context, change, directory)
    differences, unstable = {}, {}
    for which in (BEFORE, AFTER):
        built = shop.build(which, changed.root, dockerfiles[which], pictures[which], release=2)
        later[which] = stack.enter_context(contextlib.closing(shop.engine.open(built)))
        shop.tell(f"comparing the releases of {NAMES[which]}")
        found = differences[which] = release_difference(first[which], later[which])
        layers = measured[which].layers
        lines = {
            layer.index: layers[max(0, len(layers) - found.total_layers + layer.index)].line
            for layer in found.layers
        }
        told = replace(
            found, layers=tuple(each for each in found.layers if each.compressed_bytes >= WORTH_A_WORD_BYTES)
        )
        unstable[which] = unstable_layers(told, _line_from(lines))
    return NextRelease(
        change.description,
        differences[BEFORE],
        differences[AFTER],
        unstable=unstable,
        patch=patch,
    )


def _line_from(lines: Mapping[int, int]) -> Callable[[NewLayer], int]:
    return lambda layer: lines[layer.index]


def with_changes(image: MeasuredImage, later: Mapping[str, OpenImage], which: str) -> MeasuredImage:
    """The same image, each layer knowing whether the next release has it too."""
    if which not in later:
        return image
    kept = {layer.diff_id for layer in later[which].image.layers}
    layers = tuple(replace(layer, changes=layer.diff_id not in kept) for layer in image.layers)
    return replace(image, layers=layers)


def push_both(
    shop: Workshop, repository: str, opened: Mapping[str, OpenImage], later: Mapping[str, OpenImage]
) -> Pushed:
    """Pushes the first releases, then the second ones, each under a tag of its own, and removes the tags again."""
    import secrets

    from imgopt.registry.client import Access
    from imgopt.registry.push import PushOptions, delete_tag, push_image

    access = shop.settings.access or Access()
    options = PushOptions(access=access)
    mark = f"imgopt-compare-{secrets.token_hex(4)}"
    results: dict[str, PushResult] = {}
    tags: list[str] = []
    removed = True
    try:
        for name, images in (("", opened), ("next-", later)):
            for which, image in images.items():
                reference = f"{repository}:{mark}-{name}{which}"
                tags.append(reference)
                shop.tell(f"pushing {NAMES[which]}{' of the next release' if name else ''}")
                results[name + which] = push_image(image, reference, options)
    finally:
        shop.tell("removing what was pushed")
        for reference in tags:
            try:
                removed = delete_tag(reference, access) and removed
            except ImgoptError:
                removed = False
    return Pushed(
        repository,
        results[BEFORE],
        results[AFTER],
        results.get(f"next-{BEFORE}"),
        results.get(f"next-{AFTER}"),
        removed,
    )


def notes(engine: Engine, measured: Mapping[str, MeasuredImage]) -> Iterator[str]:
    """What a reader has to know of the figures: stand-ins, what the engine cannot keep, what imgopt set for it."""
    from imgopt.bases import catalogue_date

    replaced = [image.stand_in for image in measured.values() if image.stand_in]
    if replaced:
        stand_ins = "a stand-in took the place of" if len(replaced) == 1 else "stand-ins took the place of"
        yield (
            f"{stand_ins} {' and '.join(replaced)}: sizes of bases are the catalogue's, of {catalogue_date()}; all else was "
            "measured on what was built"
        )
    if any(layer.note == COMPRESSED_HERE for image in measured.values() for layer in image.layers):
        yield f"layers were {COMPRESSED_HERE}"
    if engine.steady:
        yield engine.steady
    for each in engine.sets:
        yield f"imgopt set {each}; set it too when you build by hand"


# sizes of layers that were compressed here, kept between runs: a base image is compressed once


def sizes_file() -> Path:
    from imgopt.user_directories import cache

    return cache() / "layer-sizes.json"


#: More are forgotten, the oldest first.
MOST_SIZES = 2000


def known_sizes() -> dict[str, tuple[int, int]]:
    import json

    try:
        found = json.loads(sizes_file().read_text("utf-8"))
        return {str(key): (int(value[0]), int(value[1])) for key, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return {}  # nothing depends on it but time


def keep_sizes(sizes: Mapping[str, tuple[int, int]]) -> None:
    import json

    from imgopt.user_directories import make_private

    path = sizes_file()
    newest = dict(list(sizes.items())[-MOST_SIZES:])
    with contextlib.suppress(OSError):
        make_private(path.parent)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as new:
            written = Path(new.name)
            try:
                json.dump(newest, new)
                new.flush()
                written.replace(path)
            except OSError:  # a full disk
                written.unlink()


def running(shop: Workshop) -> tuple[Runner | None, str | None]:
    """What starts the images; or why nothing does."""
    if shop.settings.run is None:
        return None, "--no-run"
    runner = shop.engine.runner()
    if runner is None:
        return None, f"neither Docker nor Podman answers to start what {shop.engine.name} built"
    return runner, None


def started(shop: Workshop, runner: Runner, which: str, built: BuiltImage, opened: OpenImage) -> Subject:
    """The image as the runner knows it."""
    from imgopt.comparison.observing import Subject
    from imgopt.engines.owners import this_process

    reference = built.reference
    if runner.name != shop.engine.name:
        shop.tell(f"loading {NAMES[which]} into {runner.name}")
        reference = runner.load(opened, f"{this_process().repository()}:compare-{which}")
    return Subject(reference, opened.image.config)


def behaving(
    shop: Workshop, built: Mapping[str, BuiltImage], opened: Mapping[str, OpenImage]
) -> tuple[Behaviour, str | None]:
    """Both configs, and both started unless that is not wanted or nothing here can; then why not."""
    from imgopt.comparison.behaviour import compare_at_rest, compare_running

    options = shop.settings.run
    configs = {which: opened[which].image.config for which in (BEFORE, AFTER)}
    runner, why = running(shop)
    if options is None:
        return compare_at_rest(configs[BEFORE], configs[AFTER]), why
    if runner is None:
        return compare_at_rest(configs[BEFORE], configs[AFTER], not_started=why), why
    subjects = [started(shop, runner, which, built[which], opened[which]) for which in (BEFORE, AFTER)]
    before, after = subjects
    found = compare_running(runner, before, after, options, shop.tell)
    return replace(found, limits=options.limits, unlimited=runner.unlimited), None


class NothingToCompare(Exception):
    """The rewrite is the original: nothing to do, or nothing that is safe. ``file`` says why."""

    def __init__(self, file: FileReport) -> None:
        super().__init__(file.path)
        self.file = file
