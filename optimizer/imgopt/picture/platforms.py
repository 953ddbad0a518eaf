"""For which platforms a Dockerfile is built: what the user asked for, the build commands at hand, its own FROM lines."""

from __future__ import annotations

from imgopt.dockerfile import Dockerfile
from imgopt.light.patterns import regex
from imgopt.options import Options, image_platform

#: Where nothing says more: that of the agents and clusters that nearly all such images run on.
DEFAULT = "linux/amd64"
#: What images that care for their platform are built for, where their build commands are not at hand.
USUAL = ("linux/amd64", "linux/arm64")

_CARES = regex(r"\$\{?(TARGET(PLATFORM|ARCH)|BUILDPLATFORM)|ARG +TARGET(PLATFORM|ARCH)")


def built_for(document: Dockerfile, options: Options) -> tuple[str, ...]:
    """Every platform that an image is evidently built for, as its base's index names them.

    A FROM with a platform of its own takes the same base whatever is asked for. What the user asked for comes on top
    of what build commands name: those build the rewritten file as well.
    """
    fixed = _of_final_from(document, options.target)
    if fixed is not None and not options.platform:
        return (image_platform(fixed),)
    named = [*([options.platform] if options.platform else []), *options.pushed, *options.built_for.platforms]
    if options.built_for.unknown:
        named += USUAL
    if not named:
        named += USUAL if _CARES.search(document.text) else [predicted_for(document, options)]
    return tuple(dict.fromkeys(map(image_platform, named)))


def predicted_for(document: Dockerfile, options: Options) -> str:
    """The one platform that figures are told for."""
    if options.platform:
        return options.platform
    fixed = _of_final_from(document, options.target)
    if fixed is None and options.built_for.platforms:
        named = options.pushed or options.built_for.platforms
        return DEFAULT if DEFAULT in named else named[0]
    for stage in reversed(document.stages):
        flag = stage.platform
        if flag is not None and flag.value and _is_plain(flag.value):
            return flag.value
    return DEFAULT


def pushed_together(document: Dockerfile, options: Options) -> tuple[str, ...]:
    """The platforms that one push sends, the predicted one first."""
    first = predicted_for(document, options)
    if _of_final_from(document, options.target) is not None:
        together: tuple[str, ...] = ()  # under each platform's name the same base
    elif options.pushed:
        together = options.pushed
    elif options.platform:
        together = ()
    else:
        together = options.built_for.platforms
    return tuple(dict.fromkeys((first, *together)))


def _of_final_from(document: Dockerfile, target: str | None) -> str | None:
    """The platform that the FROM names on which the final stage stands; None where it names none, or a variable."""
    final = (document.stage(target) if target else None) or document.stages[-1]
    for stage in reversed(document.stages[: final.index]):
        if stage.name is not None and stage.name == final.image.text.lower():
            final = stage
    flag = final.platform
    return flag.value if flag is not None and flag.value and _is_plain(flag.value) else None


def _is_plain(platform: str) -> bool:
    return platform.startswith("linux/") and "$" not in platform
