"""Every COPY of cases.json was built for real, ``FROM scratch`` and one COPY: ``made`` is what BuildKit 0.34.2 put
into the layer ("error" where it refused), ``classic`` what the classic builder of Docker 20.10 did where it differs.
A file is ``f path bytes``, a directory ``d path``, a link ``l path -> target``; in ``tree`` a list is a link and
null an empty directory.
"""

from __future__ import annotations

import json
from pathlib import Path
from posixpath import normpath
from typing import Any

import pytest

from imgopt.build_context.tree import open_context, resolve
from imgopt.errors import ContextError

GROUPS = json.loads((Path(__file__).parent / "cases.json").read_text())
MADE_BY_THE_BUILDER = ("out", "out/sub")  # parents of the destination


def make(root: Path, tree: dict[str, Any]) -> None:
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif isinstance(content, list):
            path.symlink_to(content[0])
        else:
            path.write_text(content)
    (root / "Dockerfile").write_text("FROM scratch\n")


def made(root: Path, copy: dict[str, Any]) -> list[str] | str:
    context = open_context(root, root / "Dockerfile")
    destination = copy.get("destination", "/out/")
    parents = copy.get("parents", False)
    found = []
    for item in resolve(context, copy["sources"], copy.get("excludes", ()), parents, destination=destination):
        path = normpath(f"{destination}/{item.target}").lstrip("/")
        if item.is_link:
            found.append(f"l {path} -> {item.path.readlink()}")
        elif not item.is_directory:
            found.append(f"f {path}" if path.endswith("Dockerfile") else f"f {path} {item.bytes}")
        elif path not in (".", *MADE_BY_THE_BUILDER):
            found.append(f"d {path}")
    return sorted(found, key=lambda line: line.split(" ", 1)[1])


@pytest.mark.parametrize("group", GROUPS, ids=[f"tree-{number}" for number, _ in enumerate(GROUPS)])
def test_copies_what_buildkit_copies(group: dict[str, Any], tmp_path: Path) -> None:
    make(tmp_path, group["tree"])
    for copy in group["copies"]:
        if copy["made"] == "error":
            # the builder refuses a source that is missing; here that is no error but an answer
            try:
                made(tmp_path, copy)
                context = open_context(tmp_path, tmp_path / "Dockerfile")
                refused = any(
                    not resolve(context, [source], (), copy.get("parents", False))
                    for source in copy["sources"]
                )
            except ContextError:
                refused = True
            assert refused, copy
        else:
            expected = sorted(copy["made"], key=lambda line: line.split(" ", 1)[1])
            assert made(tmp_path, copy) == expected, copy


def test_the_cases_show_both_answers() -> None:
    copies = [copy for group in GROUPS for copy in group["copies"]]
    assert len(copies) > 1000
    assert sum(copy["made"] == "error" for copy in copies) > 50
    assert sum("classic" in copy for copy in copies) > 50
