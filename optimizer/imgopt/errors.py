"""Every error a user can act on, with the exit code the contract gives it.

An error renders as one line, ``PATH:LINE: what is wrong; what to do``; `imgopt.cli.main` alone prints it.
A verdict (`--check`, a failed gate) is not an error and does not pass through here.
"""

from __future__ import annotations


class ImgoptError(Exception):
    """Base of all expected failures. ``exit_code`` 70 is for bugs, so no subclass keeps it."""

    exit_code = 70

    def __init__(
        self, message: str, hint: str | None = None, *, path: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path
        self.line = line

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class InputError(ImgoptError):
    """The input or the usage is wrong (exit code 2)."""

    exit_code = 2


class UsageError(InputError):
    """An option or a combination of options makes no sense."""


class DockerfileError(InputError):
    """A Dockerfile that cannot be read or that no builder would accept."""


class ContextError(InputError):
    """A build context, or a file in it, cannot be used."""


class JarError(InputError):
    """A file that is no readable jar or war."""


class ConfigError(InputError):
    """``imgopt.toml`` or ``[tool.imgopt]`` is wrong."""


class MeasureError(ImgoptError):
    """It could not be built or measured: an engine, a registry or the network failed (exit code 3)."""

    exit_code = 3


class Bug(ImgoptError):
    """Anything unforeseen. ``trace``: where, for whoever mends it; ``told``: the error was printed, with what else there is
    to say."""

    trace = ""
    told = False


def unforeseen(
    error: BaseException, hint: str = "run again with --debug for the details and report it"
) -> Bug:
    """It in words, with the same exit code wherever it was met."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Bug(f"a bug in imgopt: {what}", hint)
