"""The commands by name. Only the one that is asked for is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from imgopt.errors import UsageError
from imgopt.files.opening import forget_opened
from imgopt.text.spelling import choose_from

#: Each command is a module of this package with a function of the same name.
COMMANDS = (
    "suggest",
    "rewrite",
    "compare",
    "fleet",
    "push",
    "bandwidth",
    "inspect",
    "gate",
    "jar",
    "rules",
    "explain",
    "completion",
)

#: What `fleet` does besides: each is a module and a function, too (`fleet_gate`).
OF_FLEET = ("plan", "write", "compare", "gate", "push")


class Command(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        from imgopt.cli.help import write

        write(self, ctx, formatter)


class Commands(TyperGroup):
    """Builds a command when it is asked for; ``--help`` asks for all."""

    format_help = Command.format_help

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in (*COMMANDS, *(f"fleet {each}" for each in OF_FLEET)):
            raise UsageError(f"there is no command {cmd_name!r}", choose_from(cmd_name, COMMANDS))
        command = _typer()
        name = cmd_name.replace(" ", "_")
        command.command(cmd_name, cls=Command)(getattr(import_module(f"imgopt.cli.{name}"), name))
        return typer.main.get_command(command)


def _typer(**settings: Any) -> typer.Typer:
    """rich stays out of help and errors: it would cost 60 ms at every start."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def _show_version(asked: bool) -> None:
    if asked:
        from imgopt import __version__

        typer.echo(f"imgopt {__version__}")
        raise typer.Exit


def imgopt(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Finds what makes the images of Java services slow to push, and rewrites their Dockerfiles.

    With any command, --debug shows the traceback of what went wrong.
    """


#: Options that stand for their first value where they have none.
_VALUES = {"--next-release": ("classes", "boot-patch")}


def _with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments, such an option joined with the value that follows, or with its first: typer knows no optional values."""
    found: list[str] = []
    end = arguments.index("--") if "--" in arguments else len(arguments)
    for at, word in enumerate(arguments):
        before = arguments[at - 1] if at else ""
        if at < end and word in _VALUES.get(before, ()):
            found[-1] = f"{before}={word}"
        elif at < end and word in _VALUES:
            found.append(f"{word}={_VALUES[word][0]}")
        else:
            found.append(word)
    return found


def _of_fleet(arguments: Sequence[str]) -> list[str]:
    """``fleet gate`` as one word. A directory of that name is ``./gate``."""
    if len(arguments) > 1 and arguments[0] == "fleet" and arguments[1] in OF_FLEET:
        return [" ".join(arguments[:2]), *arguments[2:]]
    return [*arguments]


def run(arguments: Sequence[str]) -> int:
    """Parses the arguments and runs the command; its exit code."""
    forget_opened()
    application = _typer(cls=Commands)
    application.callback()(imgopt)
    command = typer.main.get_command(application)
    if "_IMGOPT_COMPLETE" in os.environ:  # a shell asks what may follow
        from imgopt.cli.completion import answer

        return answer(command, OF_FLEET)
    try:
        code = command.main(
            _with_values(_of_fleet(arguments)) or ["--help"], prog_name="imgopt", standalone_mode=False
        )
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader of --help has gone away
        from imgopt.cli.output import forget_stdout

        forget_stdout()
        return 0
    if not arguments:
        return UsageError.exit_code
    return int(code or 0)
