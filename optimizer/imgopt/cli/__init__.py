"""The command line. `main` is the one place that turns errors into exit codes and sentences.

It must start fast: nothing is imported here that ``imgopt --version`` does not need.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130
BUG = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; never raises, whatever happens."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = _take_debug(arguments)
    try:
        if arguments == ["--version"]:
            from imgopt import __version__
            from imgopt.cli.output import emit

            emit(f"imgopt {__version__}\n".encode(), None)
            return 0
        from imgopt.cli.app import run

        return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        from imgopt.cli.failure import report_failure

        return report_failure(error, arguments, debug=debug)


def _take_debug(arguments: list[str]) -> bool:
    """``--debug`` counts wherever it stands before ``--``, since it must work when parsing fails too."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" not in arguments[:end]:
        return False
    arguments[:end] = [each for each in arguments[:end] if each != "--debug"]
    return True
