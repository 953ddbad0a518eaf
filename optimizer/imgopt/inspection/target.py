"""What the user names as an image, opened and looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgopt.errors import MeasureError
from imgopt.inspection.image import Inspection

if TYPE_CHECKING:
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
    from imgopt.images import open_image
    from imgopt.inspection.scan import inspect_image

    for scheme in SCHEMES:
        if target.startswith(scheme):
            reference = target.removeprefix(scheme)
            return _remote(target, reference, platform, access, download=download, progress=progress)
    try:
        with open_image(target, platform) as opened:
            return inspect_image(opened, target, progress=progress)
    except MeasureError as error:
        if not names_a_registry(target):
            raise
        why = error.message
    found = _remote(target, target, platform, access, download=download, progress=progress)
    return replace(found, notes=(*found.notes, f"read from the registry: {why}"))


def _remote(
    target: str,
    reference: str,
    platform: str | None,
    access: Access | None,
    *,
    download: bool,
    progress: Callable[[str], None] | None,
) -> Inspection:
    from imgopt.images.remote import open_remote
    from imgopt.inspection.scan import inspect_image

    with open_remote(reference, platform, access) as opened:
        return inspect_image(opened, target, contents=download, progress=progress)


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
