"""What engines have in common that write images into files and start nothing themselves: BuildKit and kaniko."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from imgopt.engines.engine import BuiltImage, Runner
from imgopt.engines.opened import BuiltFiles

if TYPE_CHECKING:
    from typing_extensions import Self

    from imgopt.images.model import OpenImage


class FileEngine:
    """See `imgopt.engines.engine.Engine`. Its images are started by whatever is there that can (`any_runner`)."""

    def __init__(self, prefix: str) -> None:
        """``prefix``: of the directory that the images lie in, which goes with the engine."""
        self._files = BuiltFiles(prefix)
        self._closing = contextlib.ExitStack()
        self._runner: Runner | None = None

    def open(self, built: BuiltImage) -> OpenImage:
        return self._files.open(built)

    def runner(self) -> Runner | None:
        if self._runner is None:
            from imgopt.engines.runners import any_runner

            self._runner = self._closing.enter_context(any_runner())
        return self._runner

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._closing.close()
        self._runner = None
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
