"""The image that each engine makes of one Dockerfile is the same one to `inspect` and to the gate."""

from __future__ import annotations

from pathlib import Path

from builders import TINY, Builder, project

from imgopt.engines import BuildRequest
from imgopt.gate.budgets import parse_limit
from imgopt.gate.judge import judge
from imgopt.gate.subject import of_image
from imgopt.inspection.scan import inspect_image

DOCKERFILE = f"""\
FROM {TINY}
COPY files/ /app/
RUN cat /app/other > /app/large && rm -r /app/gone && mkdir -p /var/cache/apk && cat /app/other > /var/cache/apk/index
USER 1000
"""


def test_waste_and_budgets_are_the_same_whoever_built_it(release_builder: Builder, tmp_path: Path) -> None:
    release_builder.provide(TINY)
    context = project(tmp_path / "app", DOCKERFILE)
    (context / "files/gone/deep").mkdir(parents=True)
    for name, size in (("large", 300_000), ("other", 70_000), ("gone/deep/a", 200_000), ("gone/b", 50_000)):
        (context / "files" / name).write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    with release_builder.open() as engine:
        opened = engine.open(engine.build(BuildRequest(context, context / "Dockerfile"), "one"))
        try:
            found = inspect_image(opened, "one")
        finally:
            opened.close()
    contents = found.contents
    assert contents is not None
    wasted = {each.path: (each.bytes, each.files, each.removed) for each in contents.wasted}
    assert wasted == {"/app/large": (300_000, 1, False), "/app/gone": (250_000, 2, True)}
    seen = {
        path: node.size for path, node in contents.files.files() if path.startswith(("/app", "/var/cache"))
    }
    assert seen == {"/app/large": 70_000, "/app/other": 70_000, "/var/cache/apk/index": 70_000}
    assert not found.root and found.user == "1000"
    limits = [
        parse_limit("max-waste", "549kB", "a test"),
        parse_limit("max-waste", "550kB", "a test"),
        parse_limit("forbid", "package-cache", "a test"),
        parse_limit("forbid", "root-user,jdk,build-tools", "a test"),
    ]
    verdict = judge(of_image(found, None), limits, None, 1_000_000)
    assert [each.passed for each in verdict.budgets] == [False, True, False, True]
