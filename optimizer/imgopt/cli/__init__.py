"""The command line. `main` is the one place that turns errors into exit codes and sentences.

It must start fast: nothing is imported here that ``imgopt --version`` does not need.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; never raises, whatever happens.

    Without ``argv`` it is the program of this process, which ends with it.
    """
    if argv is not None:
        return _main(list(argv))
    # what imports make is never garbage: looking for it there, and once more at the end, is a fifth of a short run
    gc.set_threshold(100_000, 50, 100)
    code = _main(sys.argv[1:])
    gc.freeze()
    return code


def _main(arguments: list[str]) -> int:
    debug = _take_debug(arguments)
    try:
        if arguments in (["--version"], ["-V"]):
            from imgopt import __version__
            from imgopt.cli.output import emit_exactly

            emit_exactly(f"imgopt {__version__}\n".encode(), None)
            return 0
        from imgopt.cli.app import run
        from imgopt.text.foreign import guarded_stderr

        with guarded_stderr():
            return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            import traceback

            from imgopt.text.foreign import guarded_stderr

            with guarded_stderr():
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
