"""``imgopt completion``: a script for the shell, and the answers to what it asks at each TAB."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping, Sequence
from typing import Annotated, Any, Literal

import typer

#: What the scripts set when they ask.
VARIABLE = "_IMGOPT_COMPLETE"
#: zsh loads the file at the first TAB, and then calls what it has just defined.
_ZSH_AT_ONCE = """
if [ "$funcstack[1]" = "_imgopt" ]; then
  _imgopt_completion "$@"
fi"""


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(help="Whose script.", show_default=False)
    ],
) -> int:
    """Print a script that completes commands, options, formats, rules and bandwidth profiles.

    Put it where the shell looks for such scripts, or load it: source <(imgopt completion bash).
    """
    from typer._completion_shared import get_completion_script

    from imgopt.cli.output import emit_exactly

    script = get_completion_script(prog_name="imgopt", complete_var=VARIABLE, shell=shell)
    if shell == "zsh":
        script += _ZSH_AT_ONCE
    emit_exactly(f"{script}\n".encode(), None)
    return 0


def _with_fleet(environment: MutableMapping[str, str], of_fleet: Sequence[str]) -> None:
    """`fleet gate` is one word to the parser (`imgopt.cli.app`): where a shell says two, they become one."""
    two = rf"^(\s*\S+\s+)fleet\s+({'|'.join(of_fleet)})(?=\s)"
    for name in ("COMP_WORDS", "_TYPER_COMPLETE_ARGS"):
        if name in environment and re.match(two, environment[name]):
            environment[name] = re.sub(two, r"\1'fleet \2'", environment[name])
            if name == "COMP_WORDS" and environment.get("COMP_CWORD", "").isdigit():
                environment["COMP_CWORD"] = str(int(environment["COMP_CWORD"]) - 1)


def answer(command: Any, of_fleet: Sequence[str]) -> int:
    """Prints what may follow, as the script of the shell asks for it in the environment; its exit code."""
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    from imgopt.errors import ImgoptError

    completion_init()
    _with_fleet(os.environ, of_fleet)
    try:
        return int(shell_complete(command, {}, "imgopt", VARIABLE, os.environ[VARIABLE]))
    except SystemExit as ended:  # fish asks by exit code whether anything may follow
        return int(ended.code or 0)
    except ImgoptError:  # a command that is not there: nothing follows
        return 1
