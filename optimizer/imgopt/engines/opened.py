"""Images that engines write into files of their own, and what becomes of those files."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import BinaryIO

from imgopt.images import Image, OpenImage, open_image


class Opened:
    """An image in a file or directory; with `temporary` it goes when the image is closed."""

    def __init__(self, path: Path, temporary: bool = False) -> None:
        """InputError, MeasureError as of `open_image`."""
        self._stack = contextlib.ExitStack()
        if temporary:
            self._stack.callback(remove, path)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._stack.close)
            self._opened: OpenImage = self._stack.enter_context(open_image(str(path)))
            on_failure.pop_all()

    @property
    def image(self) -> Image:
        return self._opened.image

    def open_blob(self, index: int) -> BinaryIO:
        return self._opened.open_blob(index)

    def open_tar(self, index: int) -> BinaryIO:
        return self._opened.open_tar(index)

    def close(self) -> None:
        self._stack.close()


def remove(path: Path) -> None:
    """A file or a directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
