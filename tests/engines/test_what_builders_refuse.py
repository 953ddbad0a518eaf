"""What is said of builders that refuse a Dockerfile, or read it in another way than it looks, is what they do."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest
from builders import TINY, Builder

from imgopt.dockerfile import parse
from imgopt.dockerfile.faults import first_fault
from imgopt.engines import BuildError, BuildRequest
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.suggest.dockerfile import report_file
from imgopt.weigh.layers import Weigher

PLAIN, LAST = "demo-1.0-plain.jar", "demo-1.0.jar"
REFUSING = ("docker, classic", "kaniko")


@pytest.fixture(scope="module", params=["docker-classic", "docker-buildkit", "kaniko"])
def each(request: pytest.FixtureRequest) -> Builder:
    if request.param == "kaniko":
        found: Builder = request.getfixturevalue("kaniko")
        return found
    return builders.docker(request.getfixturevalue("engine"), buildkit=request.param == "docker-buildkit")


def builds(builder: Builder, context: Path, text: str) -> bool:
    (context / "Dockerfile").write_text(text)
    builder.provide(TINY)
    with builder.open() as engine:
        try:
            engine.build(BuildRequest(context, context / "Dockerfile"), "one")
        except BuildError:
            return False
    return True


def warnings(context: Path, text: str) -> str:
    jars = Jars()
    options = Options(context=context)
    report = report_file(str(context / "Dockerfile"), text.encode(), options, [], jars, Weigher(jars))
    return "\n".join(report.warnings)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "libs").mkdir()
    for name in (PLAIN, LAST):
        (tmp_path / "libs" / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("from_stage", [False, True], ids=["context", "stage"])
def test_two_archives_to_one_place(each: Builder, context: Path, from_stage: bool) -> None:
    """Refused by two builders; the third leaves the last of them, by name, and says nothing."""
    copy = f"FROM {TINY}\nCOPY libs/*.jar /app.jar\n"
    if from_stage:
        copy = (
            f"FROM {TINY} AS build\nCOPY libs/ /libs/\nFROM {TINY}\nCOPY --from=build /libs/*.jar /app.jar\n"
        )
    else:
        said = warnings(context, copy)
        assert (
            "docker's classic builder and kaniko refuse that, and BuildKit leaves the last of them there"
            in said
        )
        assert f"({PLAIN}, {LAST})" in said
    proof = f'RUN test "$(cat /app.jar)" = {LAST}\n'
    assert builds(each, context, copy + proof) == (each.name not in REFUSING)


@pytest.mark.parametrize("target", ["/app/", "/app", "."])
def test_two_archives_to_a_directory(each: Builder, context: Path, target: str) -> None:
    """A slash at the end is taken by all; a directory that is there already, without one, not by all."""
    text = f"FROM {TINY}\nWORKDIR /app\nCOPY libs/*.jar {target}\n"
    proof = f"RUN test -f /app/{PLAIN} && test -f /app/{LAST}\n"
    done = builds(each, context, text + proof)
    said = warnings(context, text)
    assert ("refuses" in said) == (target == "/app")
    if target == "/app/":
        assert done
    elif target == "/app":
        assert "end it with a slash" in said
        assert done == (each.name != "docker, classic")


def test_a_pattern_that_takes_nothing_beside_another_source(each: Builder, context: Path) -> None:
    text = f"FROM {TINY}\nCOPY libs/{LAST} nothing* /app/\nRUN test -f /app/{LAST}\n"
    assert builds(each, context, text)
    assert "context" not in warnings(context, text)


def test_a_source_that_is_not_there(each: Builder, context: Path) -> None:
    text = f"FROM {TINY}\nCOPY nothing.yml /app/\n"
    assert not builds(each, context, text)
    assert "copies nothing.yml, which the build context does not hold" in warnings(context, text)


@pytest.mark.parametrize(
    ("text", "done", "says"),
    [
        (
            f"FROM {TINY} AS one\nARG BASE={TINY}\nFROM ${{BASE}}\nRUN true\n",
            False,
            "FROM does not see an ARG",
        ),
        (f"FROM ${{REGISTRY}}/{TINY}\nRUN true\n", False, "no ARG above the first FROM declares it"),
        (
            f"FROM {TINY} AS one\nARG TAIL=-none\nFROM {TINY}${{TAIL}}\nRUN true\n",
            True,
            "TAIL is empty there",
        ),
        (f"ARG BASE={TINY}\nFROM ${{BASE}} AS one\nFROM ${{BASE}}\nRUN true\n", True, None),
        ("ARG tag\nFROM busybox:${tag:-1.36}\nRUN true\n", True, None),
        ("FROM busybox:${tag:-1.36}\nRUN true\n", True, None),
    ],
)
def test_variables_in_from(each: Builder, context: Path, text: str, done: bool, says: str | None) -> None:
    assert builds(each, context, text) == done
    assert (first_fault(parse(text)) is None) == done
    said = warnings(context, text)
    assert says in said if says is not None else "empty" not in said
