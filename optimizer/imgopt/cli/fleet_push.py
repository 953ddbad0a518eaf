"""``imgopt fleet push``: all modules' images in one call, so that each layer goes once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgopt.cli import arguments as a
from imgopt.cli.fleet import Directory, Since
from imgopt.cli.push import Tries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgopt.fleet.images import Image


def fleet_push(
    directory: Directory = ".",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REGISTRY/NAMESPACE",
            help="Where the images go, each by its module's name.  [default: as their build commands call them]",
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="With --to: the tag of all.")
    ] = None,
    archives: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Archives MODULE.tar (kaniko's --tar-path, docker save) in place of the daemon's images.",
        ),
    ] = None,
    since: Since = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Print the list for imgopt push --all, and push nothing.")
    ] = False,
    plain_http: a.PlainHttp = False,
    insecure: a.Insecure = False,
    tries: Tries = 7,
    config: a.ConfigFile = None,
    format: a.Format = "text",
    output_file: a.OutputFile = None,
    force: a.Force = False,
    no_color: a.NoColor = False,
    quiet: a.Quiet = False,
) -> int:
    """Push the images of all modules in one call: what they have in common goes once, and the others mount it.

    It is imgopt push --all over the images that the modules' build commands name, or that --to and --tag do; --since takes
    only those that changes make anew.
    """
    import tempfile
    from pathlib import Path

    from imgopt.cli.output import emit
    from imgopt.cli.push import push
    from imgopt.errors import UsageError
    from imgopt.fleet.images import find_images
    from imgopt.fleet.modules import find_modules
    from imgopt.fleet.since import touched_since
    from imgopt.pipelines.platforms import Commands

    if (to is None) != (tag is None):
        raise UsageError("--to and --tag belong together", "give --to REGISTRY/NAMESPACE and --tag TAG")
    repository = find_modules(Path(directory))
    found = find_images(repository, Commands())
    images: Sequence[Image] = found.images
    if since is not None:
        images = [each.image for each in touched_since(repository, found, since).touched]
    lines = [_line(image, to, tag, archives) for image in images]
    data = "".join(f"{line}\n" for line in lines).encode()
    if listed or not lines:
        emit(data, output_file)
        return 0
    with tempfile.TemporaryDirectory(prefix="imgopt-") as scratch:
        path = Path(scratch) / "push.txt"
        path.write_bytes(data)
        return push(
            [str(path)],
            every=True,
            plain_http=plain_http,
            insecure=insecure,
            tries=tries,
            config=config,
            format=format,
            output_file=output_file,
            no_color=no_color,
            quiet=quiet,
        )


def _line(image: Image, to: str | None, tag: str | None, archives: str | None) -> str:
    """What `push --all` reads: the image, and where it goes."""
    import posixpath
    import shlex
    from pathlib import Path

    from imgopt.errors import UsageError
    from imgopt.pipelines.tools import repository

    module = image.module.name
    known = [name for name in image.names if "$" not in name]
    if to is not None:
        last = next((posixpath.basename(repository(name)) for name in image.names), module)
        target = f"{to.rstrip('/')}/{module if '$' in last else last}:{tag}"
    elif known:
        target = known[0]
    else:
        raise UsageError(
            f"how the image of {module} is called is not known here",
            "give --to REGISTRY/NAMESPACE and --tag TAG",
        )
    source = f"docker:{target}" if archives is None else str(Path(archives) / f"{module}.tar")
    return f"{shlex.quote(source)} {shlex.quote(target)}"
