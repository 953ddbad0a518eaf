"""What is said when a command cannot go on: one line, the exit code, JSON where JSON was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from imgopt.cli.output import emit
from imgopt.errors import Bug, ImgoptError, InputError, UsageError, unforeseen
from imgopt.report.terminal import note
from imgopt.text.spelling import nearest


def report_failure(error: Exception, arguments: Sequence[str], *, debug: bool) -> int:
    """Prints the error as the contract says and gives its exit code."""
    known = _as_ours(error, debug, arguments)
    if isinstance(known, Bug) and known.told:
        return known.exit_code
    print_errors([known])
    output_file = _value_of("--output-file", arguments)
    if _value_of("--format", arguments) == "json":
        from imgopt.report.json import envelope, rendered

        try:
            emit(rendered(envelope([known])), output_file)
        except InputError as second:
            if second.message != known.message:
                print_errors([second])
    return known.exit_code


def print_errors(errors: Iterable[ImgoptError]) -> None:
    """``error: PATH:LINE: what is wrong; what to do``, one line each, on standard error."""
    for error in errors:
        note(f"error: {error}")


def _as_ours(error: Exception, debug: bool, arguments: Sequence[str]) -> ImgoptError:
    if isinstance(error, ImgoptError):
        return error
    # typer keeps a click of its own and exports none of its base classes; this method is what they share
    format_message = getattr(error, "format_message", None)
    if callable(format_message):
        # an option that is not there has no list of those that are spelt like it: one name is meant
        message = str(
            getattr(error, "message", "") if hasattr(error, "option_name") else format_message()
        ).rstrip(".")
        message = " ".join(message.split())
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "imgopt"
        return UsageError(
            f"{message[:1].lower()}{message[1:]}",
            _meant(error, context, arguments) or f"see {command} --help",
        )
    return unforeseen(error, "please report it with the traceback above") if debug else unforeseen(error)


def _meant(error: Any, context: Any, arguments: Sequence[str]) -> str | None:
    """The option, or the value of one, that a misspelt one was probably meant to be."""
    parameter = getattr(error, "param", None)
    if hasattr(error, "possibilities"):
        given = str(error.option_name)
        known = [name for each in context.command.params for name in (*each.opts, *each.secondary_opts)]
        # without dashes, which all of them have in common
        names = {name.lstrip("-"): name for name in known if name.startswith("--")}
    elif parameter is not None:
        given = next(filter(None, (_value_of(name, arguments) for name in parameter.opts)), "")
        names = {str(name): str(name) for name in getattr(parameter.type, "choices", ())}
    else:
        return None
    match = nearest(given.lstrip("-"), names) if len(given) > 2 else None
    return f"did you mean {names[match]}?" if match else None


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """An option's value without the parser, which may be what failed; the last one counts."""
    value = None
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == option and number + 1 < len(arguments):
            value = arguments[number + 1]
        elif argument.startswith(f"{option}="):
            value = argument.partition("=")[2]
    return value
