"""From an image name to what is known of it."""

from __future__ import annotations

from collections.abc import Mapping

from imgopt.bases.base import Base
from imgopt.bases.public import WHOLE_LIBRARY, identify_public
from imgopt.bases.reference import parse_reference
from imgopt.light.records import replace


def identify(name: str, declared: Mapping[str, Mapping[str, object]] | None = None) -> Base:
    """Tell what `name`, as written after FROM, is; an unknown or odd name gives kind "unknown", never an error.

    `declared` is the user's ``[bases]`` table (see `imgopt.bases.declared`); what it says wins.

    Raises:
        ConfigError: the entry of `declared` that matches `name` is malformed.
    """
    if declared:
        from imgopt.bases.declared import declared_base

        found = declared_base(name, declared)
        if found is not None:
            return found
    return identify_public(name)


def on_mirror(counterpart: Base, base: Base) -> Base:
    """`counterpart` as it would be named beside `base` on `base`'s mirror, whether or not it is there.

    Pull-through caches keep Docker Hub's path, with ``library/`` for official images; plain copies keep the last
    part. A base that is on no mirror, and a counterpart with a registry of its own, leave the name as it is.
    """
    image = counterpart.image
    if (
        base.mirror is None
        or image is None
        or base.image is None
        or counterpart.reference.registry is not None
    ):
        return counterpart
    prefix = base.mirror
    own, other = "/" in base.image, "/" in image
    if other and not own:
        prefix = prefix.removesuffix("/library")
    elif own and not other:
        prefix += "/library"
    tag = f":{counterpart.reference.tag}" if counterpart.reference.tag else ""
    name = f"{prefix}/{image}{tag}"
    return replace(
        counterpart,
        name=name,
        reference=parse_reference(name),
        mirror=prefix,
        mirror_complete=base.mirror_complete,
    )


def mirror_has(base: Base, counterpart: Base) -> bool:
    """Whether `counterpart` is known to be on `base`'s mirror; True when `base` is on none."""
    if base.mirror is None or base.mirror_complete:
        # The complete mirror of official images holds no others.
        return base.mirror != WHOLE_LIBRARY or "/" not in (counterpart.image or "/")
    same_vendor = base.mirror in ("registry.redhat.io", "public.ecr.aws/amazoncorretto")
    return same_vendor and counterpart.family == base.family
