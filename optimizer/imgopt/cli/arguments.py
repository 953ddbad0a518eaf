"""The options that commands share, and how the command line is laid over the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgopt.bandwidths import DEFAULT_PROFILE, bandwidth
from imgopt.config import Config, load
from imgopt.errors import ConfigError, ImgoptError, UsageError
from imgopt.light.records import dataclass
from imgopt.options import (
    DEFAULT_BANDWIDTH_SOURCE,
    Options,
    Recorded,
    Runtime,
    platform_names,
    spring_boot_version,
)
from imgopt.scales import Severity
from imgopt.text.quoting import typed_path
from imgopt.text.spelling import choose_from
from imgopt.units import parse_size

if TYPE_CHECKING:
    from imgopt.registry.client import Access

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH]...", help="Dockerfiles, directories to search, or - for standard input.  [default: .]"
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="DIR",
        help="Build context.  [default: the Dockerfile's directory, or the nearest parent that has the COPY sources]",
    ),
]
BuildArgs = Annotated[
    list[str] | None,
    typer.Option("--build-arg", metavar="K=V", help="Value of an ARG; K alone takes the environment's."),
]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="STAGE", help="The stage that is built.  [default: the last]"),
]
Platform = Annotated[
    str | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH,...",
        help="[default: those of the build commands at hand, else what FROM --platform says, else linux/amd64]",
    ),
]
RuntimeOption = Annotated[
    Runtime | None, typer.Option("--runtime", help="Which runtime the final stage gets.  [default: auto]")
]
SpringBoot = Annotated[
    str | None, typer.Option("--spring-boot", metavar="VERSION", help="When no jar is built yet.")
]
JarSize = Annotated[
    str | None,
    typer.Option(
        "--jar-size",
        metavar="SIZE",
        help="What a jar that is not built yet weighs (150MB), for figures alone.",
    ),
]
Unsafe = Annotated[
    bool | None,
    typer.Option(
        "--unsafe/--safe",
        help="Also apply fixes that could change behaviour.  [default: --safe]",
        show_default=False,
    ),
]


def completed(what: Literal["rules", "profiles", "forbidden"]) -> Callable[[str], list[str]]:
    """What `imgopt completion` offers as the value of an option."""

    def values(incomplete: str) -> list[str]:
        from imgopt.cli.candidates import candidates

        return candidates(what, incomplete)

    return values


Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="RULE,...", help="Only these rules.", autocompletion=completed("rules")),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="RULE,...", help="Not these rules.", autocompletion=completed("rules")),
]
BandwidthOption = Annotated[
    list[str] | None,
    typer.Option(
        "--bandwidth",
        metavar="RATE",
        help="0.5MB/s, 8Mbit/s, a range 0.5-1MB/s, or a profile.  [default: aliyun-personal, 0.5-1MB/s]",
        autocompletion=completed("profiles"),
    ),
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="[default: imgopt.toml or pyproject.toml, from the first PATH upwards]",
    ),
]
OutputFile = Annotated[
    str | None, typer.Option("--output-file", metavar="FILE", help="Write there instead of standard output.")
]


#: A larger archive is none.
_MOST_JAR_BYTES = 100_000_000_000
_is_forced = False


def forced() -> bool:
    """Whether ``--force`` stands on the command line that is being run."""
    return _is_forced


def _force(given: bool) -> bool:
    global _is_forced
    _is_forced = given
    return given


Force = Annotated[
    bool,
    typer.Option("--force", callback=_force, help="Let --output-file (-o) write over a file that was read."),
]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours. NO_COLOR does the same.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="One line per file.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also show layers and client advice.")]
Format = Annotated[Literal["text", "json", "markdown"], typer.Option("--format")]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="The registry has no TLS. On this machine that is found out.")
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check the registry's certificate.")]


def registry_access(*, plain_http: bool, insecure: bool) -> Access | None:
    """None without an option: what needs no registry does without its client."""
    if not plain_http and not insecure:
        return None
    from imgopt.registry.client import Access

    return Access(plain_http=plain_http, insecure=insecure)


@dataclass(frozen=True, slots=True)
class Given:
    """What stands on the command line; None where nothing does."""

    context: str | None = None
    build_arg: Sequence[str] | None = None
    target: str | None = None
    platform: str | None = None
    runtime: Runtime | None = None
    spring_boot: str | None = None
    unsafe: bool | None = None
    select: Sequence[str] | None = None
    ignore: Sequence[str] | None = None
    bandwidth: Sequence[str] | None = None
    config: str | None = None
    fail_on: str | None = None
    jar_size: str | None = None

    def repeated(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The arguments that make another command look at the same thing in the same way.

        Of many paths only a placeholder is left: a command of forty lines helps nobody.
        """
        arguments: list[str] = []
        for option, value in (
            ("--context", self.context),
            ("--target", self.target),
            ("--platform", self.platform),
            ("--runtime", self.runtime),
            ("--spring-boot", self.spring_boot),
            ("--config", self.config),
        ):
            if value is not None:
                arguments += [option, value]
        for option, values in (
            ("--build-arg", self.build_arg),
            ("--select", self.select),
            ("--ignore", self.ignore),
        ):
            for value in values or ():
                arguments += [option, value]
        if self.unsafe:
            arguments.append("--unsafe")
        if len(paths) > 3:
            return (*arguments, "PATH...")
        if any(path.startswith("-") and path != "-" for path in paths):
            arguments.append("--")
        return (*arguments, *(paths or (".",)))


def configuration(explicit: str | None, paths: Sequence[str]) -> Config:
    """What `config.load` finds; a file that was passed over is said."""
    config = load(explicit, paths)
    for path in config.passed_over:
        from imgopt.report.terminal import note

        note(
            f"warning: {path} is not obeyed: it belongs to neither you, root nor the owner of what is judged; "
            f"--config {typed_path(path)} obeys it"
        )
    return config


def options(paths: Sequence[str], given: Given) -> Options:
    """The command line over the configuration over the defaults. UsageError or ConfigError where they are wrong."""
    config = configuration(given.config, paths)
    rates, source = _bandwidths(given, config)
    unsafe = given.unsafe if given.unsafe is not None else config.unsafe
    fail_on = Severity(given.fail_on) if given.fail_on is not None else config.fail_on
    platforms = platform_names(given.platform) if given.platform is not None else ()
    return Options(
        context=directory(given.context, "the context", "give the directory that docker build gets"),
        build_args={**config.build_args, **_build_args(given.build_arg or ())},
        target=given.target,
        platform=platforms[0] if platforms else config.platform,
        pushed=platforms if len(platforms) > 1 else (),
        runtime=given.runtime or config.runtime or "auto",
        spring_boot=spring_boot_version(given.spring_boot)
        if given.spring_boot is not None
        else config.spring_boot,
        unsafe=bool(unsafe),
        select=_rules("select", given.select, config),
        ignore=_rules("ignore", given.ignore, config),
        bandwidths=rates,
        bandwidth_source=source,
        bases=config.bases,
        jar_size=_jar_size(given.jar_size),
        recorded=_recorded(config),
        fail_on=fail_on,
    )


def _recorded(config: Config) -> tuple[Recorded, ...]:
    """The images of the baseline that the configuration names; none where it cannot be read, which only `gate` needs."""
    if config.baseline is None or config.path is None:
        return ()
    from imgopt.gate.baseline import load as baseline

    try:
        entries = baseline(str(Path(config.path).parent / config.baseline))
    except ImgoptError:
        return ()
    return tuple(
        Recorded(name, {layer.command: layer.compressed_bytes for layer in entry.layers}, config.baseline)
        for name, entry in entries.items()
    )


def _jar_size(text: str | None) -> int | None:
    if text is None:
        return None
    size = parse_size(text)
    if not 0 < size <= _MOST_JAR_BYTES:
        raise UsageError(
            f"--jar-size {text!r} is not a jar's size", "give what target/*.jar weighs, 150MB for example"
        )
    return size


def directory(given: str | None, what: str, hint: str) -> Path | None:
    """A directory that is named on the command line. UsageError where it is none."""
    if given is None:
        return None
    try:
        is_directory = Path(given).is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"{what} {given!r} cannot be used: {error}", "give a directory") from error
    if not is_directory:
        raise UsageError(f"{what} {given!r} is not a directory", hint)
    return Path(given)


def _build_args(given: Sequence[str]) -> dict[str, str]:
    return assignments("--build-arg", given)


def assignments(option: str, given: Sequence[str]) -> dict[str, str]:
    """As Docker's commands read them: a name without a value takes the environment's, if it has one."""
    values = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name:
            raise UsageError(f"{option} {each!r} has no name", "write K=V")
        if equals:
            values[name] = value
        elif name in os.environ:
            values[name] = os.environ[name]
    return values


def _rules(option: str, given: Sequence[str] | None, config: Config) -> tuple[str, ...]:
    """The rule ids; the command line's replace the configuration's. Unknown ones are errors."""
    configured = config.select if option == "select" else config.ignore
    names = [name.strip() for each in given or () for name in each.split(",") if name.strip()]
    if given is not None and not names:
        raise UsageError(f"--{option} names no rule", "imgopt rules lists them")
    wanted = tuple(dict.fromkeys(names)) if given is not None else configured
    if not wanted:
        return ()
    from imgopt_rules import EVERY_RULE

    known = [rule.id for rule in EVERY_RULE]
    for name in wanted:
        if name in known:
            continue
        message, hint = f"there is no rule {name!r}", choose_from(name, known)
        if given is not None:
            raise UsageError(f"--{option}: {message}", hint)
        raise ConfigError(message, hint, path=config.path, line=config.lines.get(f"rules.{option}"))
    return wanted


def _bandwidths(given: Given, config: Config) -> tuple[tuple[int, ...], str]:
    """The rates in bytes a second, and whose word they are."""
    if given.bandwidth:
        texts, source = given.bandwidth, "--bandwidth"
    elif config.bandwidth:
        texts, source = config.bandwidth, config.where("bandwidth")
    else:
        return DEFAULT_PROFILE.rates, DEFAULT_BANDWIDTH_SOURCE
    rates: dict[int, None] = {}
    profiles = []
    for text in texts:
        found, profile = bandwidth(text)
        rates.update(dict.fromkeys(found))
        if profile is not None:
            profiles.append(f"profile {profile.name}")
    return tuple(rates), ", ".join([source, *profiles])


def read_standard_input(limit: int) -> bytes:
    """Standard input up to one byte more than ``limit``: the reader of the bytes says that it is too long."""
    stdin = sys.stdin
    if stdin is None:
        raise UsageError("standard input is closed", "give the path of a Dockerfile")
    try:
        return stdin.buffer.read(limit + 1)
    except OSError as error:
        raise UsageError(
            f"standard input cannot be read: {error.strerror or error}", "give a path"
        ) from error
