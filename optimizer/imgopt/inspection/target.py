"""What the user names as an image, opened and looked at."""

from __future__ import annotations

from collections.abc import Callable

from imgopt.inspection.image import Inspection


def look_at(
    target: str,
    platform: str | None = None,
    *,
    download: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Inspection:
    """A daemon's image, a tar, an OCI layout or a registry's image as an `Inspection`.

    Of a registry's image only the manifest is read, unless ``download`` asks for its layers.
    InputError where it is no image, damaged or cut short; MeasureError where it cannot be had.
    """
    from imgopt.images import open_image
    from imgopt.inspection.scan import inspect_image

    with open_image(target, platform) as opened:
        return inspect_image(opened, target, contents=True, progress=progress)
