"""What the user names as an image, opened and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import MeasureError
from imgopt.inspection.image import Inspection
from imgopt.light.records import replace

if TYPE_CHECKING:
    from imgopt.images.model import Image, OpenImage
    from imgopt.registry.client import Access

#: Says that a reference is a registry's, whatever a daemon here has.
SCHEMES = ("registry:", "docker://")


def look_at(
    target: str,
    platform: str | None = None,
    *,
    download: bool = False,
    access: Access | None = None,
    progress: Callable[[str], None] | None = None,
) -> Inspection:
    """A daemon's image, a tar, an OCI layout or a registry's image as an `Inspection`.

    ``registry:HOST/REPO:TAG`` is in a registry; ``HOST/REPO:TAG`` too, unless a daemon here has it. Of a registry's
    image only the manifest is read, unless ``download`` asks for its layers.
    InputError where it is no image, damaged or cut short; MeasureError where it cannot be had.
    """
    with _opened(target, platform, access, every=False) as (opened, why, remote):
        return _looked_at(opened[0], target, why, contents=download or not remote, progress=progress)


def look_at_all(
    target: str,
    platform: str | None = None,
    *,
    download: Callable[[Image], bool],
    access: Access | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Inspection]:
    """The same of every platform that the target has, or of the one that is asked for.

    ``download``: whether the layers of a registry's image are needed.
    """
    with _opened(target, platform, access, every=True) as (opened, why, remote):
        return [
            _looked_at(each, target, why, contents=not remote or download(each.image), progress=progress)
            for each in opened
        ]


def _looked_at(
    opened: OpenImage,
    target: str,
    why: str | None,
    *,
    contents: bool,
    progress: Callable[[str], None] | None,
) -> Inspection:
    from imgopt.inspection.scan import inspect_image

    found = inspect_image(opened, target, contents=contents, progress=progress)
    family = opened.image.family
    notes = [f"read from the registry: {why}"] if why is not None else []
    if family.missing:
        notes.append(
            f"its index names {', '.join(family.missing)} too, which is not there and was not looked at"
        )
    platform = family.platform or found.platform
    return replace(found, notes=(*found.notes, *notes), family=family, platform=platform)


@contextmanager
def _opened(
    target: str, platform: str | None, access: Access | None, *, every: bool
) -> Iterator[tuple[list[OpenImage], str | None, bool]]:
    """The images, why they were read from the registry where nobody said so, and whether they were."""
    from imgopt.sources import open_image, open_images
    from imgopt.sources.remote import open_remote, open_remotes

    with ExitStack() as stack:
        why: str | None = None
        reference = next((target.removeprefix(each) for each in SCHEMES if target.startswith(each)), None)
        opened: list[OpenImage] | None = None
        if reference is None:
            try:
                if every:
                    opened = stack.enter_context(open_images(target, platform))
                else:
                    opened = [stack.enter_context(open_image(target, platform))]
            except MeasureError as error:
                if not names_a_registry(target):
                    raise
                why, reference = error.message, target
        if opened is None:
            assert reference is not None
            if every:
                opened = stack.enter_context(open_remotes(reference, platform, access))
            else:
                opened = [stack.enter_context(open_remote(reference, platform, access))]
            yield opened, why, True
        else:
            yield opened, None, False


def names_a_registry(target: str) -> bool:
    """Whether the name begins with a registry's host, as Docker tells it: a dot, a port, or localhost."""
    host, slash, _ = target.partition("/")
    if not slash or target.startswith("docker:"):
        return False
    try:
        if Path(target).exists():
            return False
    except (OSError, ValueError):
        return False
    return host == "localhost" or "." in host.strip(".") or ":" in host
