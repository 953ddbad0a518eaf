"""``imgopt compare``: the original and the rewrite, built, measured and run on a real engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.cli import arguments as a
from imgopt.errors import ImgoptError, MeasureError, UsageError

if TYPE_CHECKING:
    from imgopt.comparison.compare import Comparison
    from imgopt.comparison.mended import Mended
    from imgopt.comparison.observing import RunOptions
    from imgopt.registry.client import Access
    from imgopt.report.layout import Line
    from imgopt.suggest.result import FileReport

#: Docker's own.
LEAST_MEMORY = 6 << 20

Format = Annotated[Literal["text", "json", "markdown", "html"], typer.Option("--format")]
DockerfilePath = Annotated[
    str, typer.Argument(metavar="[PATH]", help="A Dockerfile, or a directory that holds one.  [default: .]")
]
EngineName = Annotated[
    Literal["auto", "docker", "buildkit", "podman", "kaniko"],
    typer.Option("--engine", help="What builds."),
]
Builder = Annotated[
    str | None,
    typer.Option("--builder", metavar="NAME", help="A builder of docker buildx, for --engine buildkit."),
]
BuildkitAddress = Annotated[
    str | None,
    typer.Option(
        "--buildkit-addr", metavar="ADDR", help="A BuildKit daemon, e.g. tcp://buildkit:1234, for buildctl."
    ),
]
Kaniko = Annotated[
    str | None,
    typer.Option("--kaniko", metavar="PATH|IMAGE", help="kaniko's executor, or an image that holds it."),
]
KanikoFlags = Annotated[
    list[str] | None,
    typer.Option("--kaniko-flag", metavar="FLAG", help="One more flag for kaniko, e.g. --registry-mirror=…"),
]
NoRun = Annotated[
    bool,
    typer.Option(
        "--no-run",
        help="Build and measure only; start nothing and claim nothing but that the configs are alike.",
    ),
]
Smoke = Annotated[
    list[str] | None,
    typer.Option(
        "--smoke",
        metavar="CMD|URL",
        help="What must answer alike: a URL or path to ask, or a command to run in the container.",
    ),
]
Arguments = Annotated[
    list[str] | None, typer.Option("--arg", metavar="ARG", help="An argument to start both with.")
]
Environment = Annotated[
    list[str] | None,
    typer.Option(
        "--env", "-e", metavar="K=V", help="A variable to start both with; K alone takes the environment's."
    ),
]
Runs = Annotated[
    int, typer.Option("--runs", metavar="N", min=1, max=100, help="Starts of each, for the medians.")
]
Memory = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="What a started container may have; Java's heap is a quarter of it.",
    ),
]
PidsLimit = Annotated[
    int,
    typer.Option(
        "--pids-limit", metavar="N", min=1, help="Processes and threads that a started container may have."
    ),
]
NewPrivileges = Annotated[
    bool,
    typer.Option(
        "--allow-new-privileges",
        help="Let setuid programs and file capabilities count in the containers (sudo, ping, setcap).",
    ),
]
NextReleaseOption = Annotated[
    Literal["classes", "boot-patch"] | None,
    typer.Option(
        "--next-release",
        help="Change one class, or take another patch of Spring Boot, build both again without a cache, count what a registry "
        "still needs. "
        "[without a value: classes]",
    ),
]
PatchedJar = Annotated[
    Path | None,
    typer.Option(
        "--patched-jar",
        metavar="JAR",
        help="The same application, built with another patch of Spring Boot: for boot-patch, where the Dockerfile does not "
        "build it.",
    ),
]
PushTo = Annotated[
    str | None,
    typer.Option(
        "--push-to", metavar="REGISTRY/REPO", help="Push both there, measure it, remove them again."
    ),
]
PlainHttp = Annotated[bool, typer.Option("--plain-http", help="The registry of --push-to has no TLS.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Do not check the certificate of --push-to's registry.")
]
BuildTimeout = Annotated[
    float, typer.Option("--build-timeout", metavar="SECONDS", min=1, help="Limit of one build.")
]
StartTimeout = Annotated[
    float,
    typer.Option(
        "--start-timeout",
        metavar="SECONDS",
        min=1,
        help="Limit until a container answers; what has not by then is not measured.",
    ),
]
StopTimeout = Annotated[
    float,
    typer.Option(
        "--stop-timeout",
        metavar="SECONDS",
        min=1,
        help="Granted after SIGTERM; how one ends that is killed then is not measured.",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Build without the engine's cache.")]


def compare(
    path: DockerfilePath = ".",
    engine: EngineName = "auto",
    builder: Builder = None,
    buildkit_addr: BuildkitAddress = None,
    kaniko: Kaniko = None,
    kaniko_flag: KanikoFlags = None,
    no_run: NoRun = False,
    smoke: Smoke = None,
    arg: Arguments = None,
    env: Environment = None,
    runs: Runs = 1,
    memory: Memory = "4GB",
    pids_limit: PidsLimit = 4096,
    allow_new_privileges: NewPrivileges = False,
    next_release: NextReleaseOption = None,
    patched_jar: PatchedJar = None,
    push_to: PushTo = None,
    plain_http: PlainHttp = False,
    insecure: Insecure = False,
    build_timeout: BuildTimeout = 1800,
    start_timeout: StartTimeout = 180,
    stop_timeout: StopTimeout = 10,
    no_cache: NoCache = False,
    format: Format = "text",
    context: a.Context = None,
    build_arg: a.BuildArgs = None,
    target: a.Target = None,
    platform: a.Platform = None,
    runtime: a.RuntimeOption = None,
    spring_boot: a.SpringBoot = None,
    unsafe: a.Unsafe = None,
    select: a.Select = None,
    ignore: a.Ignore = None,
    bandwidth: a.BandwidthOption = None,
    config: a.ConfigFile = None,
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
    verbose: a.Verbose = False,
) -> int:
    """Build the Dockerfile and its rewrite, measure both, start both, and show that they behave alike.

    Nothing of your files is changed, and nothing that was built stays in the engine. Exit code 1: they were seen to behave
    differently. 3: nothing showed how they behave, as when a time limit ran out; the report says what to raise or give.
    An original that does not build, for the reason that broken-layering gives, is no fault: then the rewrite alone is built
    and started, and 0 means that it answers. Formats: text, json, markdown, html (one file with both images).
    """
    from imgopt.cli.files import check_file
    from imgopt.comparison.compare import NothingToCompare, Settings
    from imgopt.comparison.compare import compare as compared
    from imgopt.comparison.mended import Mended
    from imgopt.engines.opening import open_engine
    from imgopt.report.terminal import working
    from imgopt_rules import ALL_RULES

    if output_file is not None:
        check_file(output_file)
    _tidy_up_on_sigterm()
    given = a.Given(
        context,
        build_arg,
        target,
        platform,
        runtime,
        spring_boot,
        unsafe,
        select,
        ignore,
        bandwidth,
        config,
    )
    options = a.options([path], given)
    dockerfile = _dockerfile(path)
    settings = Settings(
        run=None
        if no_run
        else run_options(
            smoke,
            arg,
            env,
            runs,
            start_timeout,
            stop_timeout,
            (memory, pids_limit, allow_new_privileges),
        ),
        next_release=next_release is not None,
        patch=next_release == "boot-patch",
        patched=_patched(next_release, patched_jar),
        push_to=_repository(push_to),
        access=_access(push_to, plain_http=plain_http, insecure=insecure),
        build_seconds=build_timeout,
        cache=not no_cache,
    )
    with working(quiet, verbose) as tell:
        try:
            with open_engine(
                engine,
                builder=builder,
                buildkit_addr=buildkit_addr,
                kaniko=kaniko,
                kaniko_flags=tuple(kaniko_flag or ()),
            ) as opened:
                found = compared(dockerfile, options, settings, opened, ALL_RULES, tell)
        except NothingToCompare as nothing:
            _say_nothing(nothing.file, format, output_file, no_color=no_color)
            return 0
        except ImgoptError as error:
            _print_build_output(error)
            raise
        finally:
            _say_what_was_left(quiet)
    if isinstance(found, Mended):
        _print_mended(found, format, output_file, no_color=no_color, quiet=quiet)
        return found.exit_code
    _print(found, format, output_file, no_color=no_color, quiet=quiet, verbose=verbose)
    if found.push_error is not None:
        from imgopt.cli.failure import print_errors

        print_errors([found.push_error])
        return found.push_error.exit_code
    if found.alike is None:
        return MeasureError.exit_code
    return 0 if found.alike else 1


def _patched(next_release: str | None, jar: Path | None) -> Path | None:
    if jar is not None and next_release != "boot-patch":
        raise UsageError("--patched-jar is for --next-release boot-patch", "add that, or leave it out")
    return jar


def _tidy_up_on_sigterm() -> None:
    """A cancelled CI job gets SIGTERM: what was built goes then as it does after Ctrl-C."""
    import signal
    import threading

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _dockerfile(path: str) -> str:
    """The one Dockerfile that is meant."""
    from imgopt.discover import discover

    if path == "-":
        raise UsageError("standard input cannot be built", "give the path of a Dockerfile")
    found = discover([Path(path)])
    if not found:
        raise UsageError(f"there is no Dockerfile in {path}", "name the file, or another directory")
    if len(found) > 1:
        names = ", ".join(str(each) for each in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise UsageError(f"{path} holds {len(found)} Dockerfiles: {names}{more}", "name one of them")
    return str(found[0])


def run_options(
    smoke: list[str] | None,
    arguments: list[str] | None,
    environment: list[str] | None,
    runs: int,
    start_seconds: float,
    stop_seconds: float,
    limits: tuple[str, int, bool],
) -> RunOptions:
    from imgopt.comparison.observing import RunOptions, smoke_of
    from imgopt.engines.engine import Limits
    from imgopt.units import parse_size

    memory, pids, new_privileges = limits
    if (size := parse_size(memory)) < LEAST_MEMORY:
        raise UsageError(
            f"--memory {memory} starts nothing", "give at least 6MiB; Java needs some hundred MB"
        )
    return RunOptions(
        arguments=tuple(arguments or ()),
        environment=a.assignments("--env", environment or ()),
        smoke=tuple(smoke_of(each) for each in smoke or ()),
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
        runs=runs,
        limits=Limits(size, pids, new_privileges),
    )


def _repository(push_to: str | None) -> str | None:
    """REGISTRY/REPO without a tag: both get tags of their own, which are removed again."""
    if push_to is None:
        return None
    from imgopt.registry.target import parse_target

    if parse_target(push_to, default_tag=None).tag is not None:
        raise UsageError(f"--push-to {push_to} has a tag", "give REGISTRY/REPO; the tags are imgopt's own")
    return push_to


def _access(push_to: str | None, *, plain_http: bool, insecure: bool) -> Access | None:
    if push_to is None and (plain_http or insecure):
        raise UsageError("--plain-http and --insecure are for --push-to", "leave them out")
    return a.registry_access(plain_http=plain_http, insecure=insecure)


def _say_what_was_left(quiet: bool) -> None:
    from imgopt.engines.opened import removed
    from imgopt.report.terminal import note

    said = removed.said()
    if said is not None and not quiet:
        note(said)


def _print_build_output(error: ImgoptError) -> None:
    """What the build itself printed last, before the sentence that says what failed."""
    from imgopt.engines.engine import BuildError
    from imgopt.report.terminal import note

    if isinstance(error, BuildError):
        for each in error.output:
            note(f"  {each}")


def _say_nothing(file: FileReport, format: str, output_file: str | None, *, no_color: bool) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import comparison, json, terminal

    if format == "json":
        emit(json.rendered(json.envelope((), compared=False, file=json.file_object(file))), output_file)
    elif format == "markdown":
        emit(comparison.nothing_markdown(file).encode("utf-8", "replace"), output_file)
    elif format == "html":
        lines = comparison.nothing(file, terminal.width())
        emit(_plain_page(file, lines), output_file)
    else:
        emit_lines(comparison.nothing(file, terminal.width()), output_file, no_color=no_color)


def _print(
    found: Comparison,
    format: str,
    output_file: str | None,
    *,
    no_color: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import comparison, json, terminal

    if format == "json":
        from imgopt.report.comparison_json import comparison_object

        errors = () if found.push_error is None else (found.push_error,)
        emit(json.rendered(json.envelope(errors, **comparison_object(found))), output_file)
    elif format == "markdown":
        emit(comparison.markdown(found).encode("utf-8", "replace"), output_file)
    elif format == "html":
        from imgopt.report import comparison_html

        emit(comparison_html.page(found).encode("utf-8", "replace"), output_file)
    else:
        lines = comparison.text(found, width=terminal.width(), quiet=quiet, verbose=verbose)
        emit_lines(lines, output_file, no_color=no_color)


def _print_mended(
    found: Mended, format: str, output_file: str | None, *, no_color: bool, quiet: bool
) -> None:
    from imgopt.cli.output import emit, emit_lines
    from imgopt.report import json, mended, terminal

    if format == "json":
        emit(json.rendered(json.envelope((), **mended.json_object(found))), output_file)
    elif format == "markdown":
        emit(mended.markdown(found).encode("utf-8", "replace"), output_file)
    elif format == "html":
        emit(_plain_page(found.file, mended.text(found, width=terminal.width())), output_file)
    else:
        emit_lines(mended.text(found, width=terminal.width(), quiet=quiet), output_file, no_color=no_color)


def _plain_page(file: FileReport, lines: list[Line]) -> bytes:
    """Where there are no two images to show."""
    from imgopt.report import page

    texts = ["".join(piece for piece, _ in each) for each in lines]
    return page.plain(f"imgopt compare: {file.path}", texts).encode("utf-8", "replace")
