"""The images that a change makes anew: a line each, JSON, and the matrices of GitHub and GitLab."""

from __future__ import annotations

import json
from collections.abc import Sequence

from imgopt.fleet.images import Image
from imgopt.fleet.modules import Repository
from imgopt.fleet.since import Change, matrix_entry
from imgopt.report.json import Object, envelope
from imgopt.report.layout import Line, line, table, visible

#: GitLab makes no more jobs of one matrix.
_MOST_OF_GITLAB = 200


def text(change: Change, repository: Repository) -> list[Line]:
    """A line each; nothing where nothing is touched."""
    rows: list[list[Line | str]] = []
    for each in change.touched:
        entry = matrix_entry(each.image, repository.root)
        rows.append(
            [line((visible(entry["directory"]), "name")), visible(entry["dockerfile"]), visible(each.why)]
        )
    return table(rows, left=3, indent=0)


def change_object(change: Change, repository: Repository) -> Object:
    return envelope(
        (),
        since={"revision": change.revision, "commit": change.commit, "paths": len(change.paths)},
        images=[
            {
                **matrix_entry(each.image, repository.root),
                "build_args": dict(each.image.args),
                "why": each.why,
            }
            for each in change.touched
        ],
        warnings=list(repository.remarks),
    )


def github_matrix(images: Sequence[Image], repository: Repository) -> bytes:
    """One line for ``strategy.matrix``, by ``fromJson`` of an output."""
    entries = [matrix_entry(image, repository.root) for image in images]
    return (json.dumps({"include": entries}) + "\n").encode()


def gitlab_matrix(images: Sequence[Image], repository: Repository) -> bytes:
    """A file to be included: jobs that extend ``.images`` run once for each image. Values in double quotes are the same in
    JSON and YAML; GitLab fills in what stands behind a dollar sign."""
    if not images:
        return b".images:\n  rules:\n    - when: never\n"
    lines = [".images:", "  parallel:", "    matrix:"]
    for image in images[:_MOST_OF_GITLAB]:
        entry = matrix_entry(image, repository.root)
        for number, (name, value) in enumerate(entry.items()):
            key = name.upper().replace("-", "_")
            lines.append(f"      {'-' if number == 0 else ' '} {key}: {json.dumps(value.replace('$', '$$'))}")
    return ("\n".join(lines) + "\n").encode()
