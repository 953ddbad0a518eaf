"""What stands against changes, by reason, over a directory of Dockerfiles: which declines are many.

usage: declines.py DIR [--jar FILE] [--examples N]

Each Dockerfile is looked at alone in a fresh build context. With --jar, that jar stands at every path a COPY or ADD names
whose name ends in jar, so that the rules that read it have something to read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imgopt.cli import main
from imgopt.dockerfile import Instruction, expand, parse, scopes
from imgopt.errors import DockerfileError

#: What one file calls otherwise than the next: images, paths, options, quoted words, numbers.
_OWN = re.compile(
    r"`[^`]*`|\blines? \d+(?:(?:, | and )\d+)*(?: of the rewrite)?|(?<!\w)[\w.${}-]*(?:/[\w.*${}:@-]+)+|\b[\w.-]+:[\w.${}-]+|"
    r"(?<!\w)--?[A-Za-z][\w:+.=-]*|\b\w+(?:[-.]\w+)*\.(?:jar|war|sh)\b|\b\d[\w.-]*"
)


def dockerfiles(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and "dockerfile" in path.name.lower():
            yield path


def look(path: Path, jar: Path | None) -> dict[str, Any] | None:
    """The report of one file; None where it is not read."""
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory, "context")
        context.mkdir()
        shutil.copyfile(path, context / "Dockerfile")
        for name in jars(context / "Dockerfile") if jar is not None else ():
            place = context / name
            if place.resolve().is_relative_to(context) and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(jar or "", place)
        printed, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            main(["suggest", "--format", "json", str(context / "Dockerfile")])
    try:
        files = json.loads(printed.getvalue())["files"]
    except ValueError:
        return None
    return files[0] if files else None


def jars(dockerfile: Path) -> Iterator[str]:
    """Where the context has an archive, as far as the words of COPY and ADD tell."""
    try:
        document = parse(dockerfile.read_bytes().decode("utf-8", "replace"), str(dockerfile))
    except DockerfileError:
        return
    seen = scopes(document, {})
    for stage in document.stages:
        for instruction in stage.instructions:
            yield from _archives(instruction, seen[instruction.number], document.escape)


def _archives(instruction: Instruction, scope: Any, escape: str) -> Iterator[str]:
    if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") is not None:
        return
    for word in instruction.words[:-1]:
        source = expand(word.text, scope, escape).value or re.sub(r"\$\{?\w+\}?", "app", word.text)
        if source.endswith("jar") and "://" not in source:
            yield re.sub(r"[*?\[\]]+", "app", source).lstrip("/")


def shape(text: str) -> str:
    return re.sub(r"…(?:(?:,| and)? ?…)+", "…", _OWN.sub("…", text))


def report(root: Path, jar: Path | None, examples: int) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    files: dict[tuple[str, str], list[str]] = defaultdict(list)
    looked = changed = 0
    for path in dockerfiles(root):
        found = look(path, jar)
        if found is None:
            continue
        looked += 1
        changed += bool(found["rewrite"]["changed"])
        told = {(entry["rule"], shape(entry["why"])) for entry in found["rewrite"]["not_applied"]}
        for each in told:
            counts[each] += 1
            files[each].append(str(path.relative_to(root)))
    print(f"{looked} Dockerfiles, {changed} rewritten; of them have been told, by rule and reason:")
    for (rule, reason), number in counts.most_common():
        print(f"{number:5} {100 * number / looked:5.1f} %  {rule}: {reason}")
        for name in files[rule, reason][:examples]:
            print(f"                 {name}")


def _arguments() -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("directory", type=Path)
    cli.add_argument("--jar", type=Path)
    cli.add_argument("--examples", type=int, default=0, help="names of files shown with each reason")
    return cli.parse_args()


if __name__ == "__main__":
    given = _arguments()
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(report(given.directory, given.jar, given.examples))
