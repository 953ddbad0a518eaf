"""The schemas of schemas/: made from today's code, and what real output is held against.

`compare` with an engine is held against its schema in tests/compare.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt
from image_samples import docker_archive, layer
from json_schemas import SCHEMAS, fits, schema

from imgopt.config import load

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
DOCKERFILE = """\
FROM eclipse-temurin:17-jdk
COPY target/app.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
"""


def test_they_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("make_schemas", SCHEMAS / "make_schemas.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    there = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.schema.json")}
    assert there == maker.documents(), "make schemas"


@pytest.mark.parametrize("name", sorted(path.name for path in SCHEMAS.glob("*.schema.json")))
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name.removesuffix(".schema.json")))


# suggest


@pytest.mark.parametrize(
    "folder", ["cases/all", "cases/unknown", "cases/refusals", "cases/hazards", "cases/unstable-layers", "ci"]
)
def test_suggest_on_the_cases(folder: str, imgopt: Imgopt) -> None:
    found = imgopt("suggest", "--format", "json", ROOT / "fixtures" / folder).json
    fits("suggest", found)
    assert len(found["files"]) > 3


HOSTILE = {
    "binary": b"FROM x\0\n",
    "latin": b"FROM eclipse-temurin:17-jdk\nLABEL a=\xe4\n",
    "escapes": b"FROM a\x1b[2J\nRUN echo ::set-output\n",
    "nothing": b"",
    "unterminated": b"FROM x\nRUN <<EOF\n",
    "unknown": b"FROM nobody.example/base:1\nCOPY target/app.jar /app.jar\nCMD java -jar /app.jar\n",
    "variables": b"ARG BASE\nFROM $BASE\nCOPY $WHAT /\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "command", [("suggest",), ("gate", "--predict", "--max-size", "9MB", "--forbid", "jdk")]
)
def test_what_is_hostile_or_not_known(
    name: str, command: tuple[str, ...], imgopt: Imgopt, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_bytes(HOSTILE[name])
    found = imgopt(*command, "--format", "json", tmp_path / "Dockerfile").json
    fits(command[0], found)
    if name == "unknown" and command[0] == "suggest":
        before = found["files"][0]["prediction"]["before"]
        assert before["complete"] is False and {each["compressed_bytes"] for each in before["layers"]} == {
            None
        }
    if name == "unknown" and command[0] == "gate":
        size = found["targets"][0]["budgets"][0]
        assert (size["name"], size["actual"], size["measured"], size["passed"]) == (
            "max-size",
            None,
            False,
            False,
        )


def test_no_file_at_all(imgopt: Imgopt, tmp_path: Path) -> None:
    for command in (("suggest",), ("gate", "--predict"), ("compare",)):
        run = imgopt(*command, "--format", "json", tmp_path / "nowhere")
        assert run.code == 2 and run.json["errors"]
        fits(command[0], run.json)
    for command in (
        ("suggest", "--xyz"),
        ("gate", "--max-size", "much", "x.tar"),
        ("compare", "--runs", "none"),
    ):
        fits(command[0], imgopt(*command, "--format", "json").json)


# gate


def test_gate_on_images(imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    boot_jar(tmp_path / "app.jar", version="3.5.4")
    content = layer({"app.jar": (tmp_path / "app.jar").read_bytes(), "a\x1b[2J\udcff": b"x"})
    docker_archive(tmp_path / "image.tar", [content], Entrypoint=["java", "-jar", "/app.jar"])
    budgets = {
        "max-size": "1MB",
        "max-unpacked": "1MB",
        "max-layer": "1kB",
        "max-layers": "9",
        "max-first-push": "5 min at 0.5MB/s",
        "max-next-push": "5MB",
        "max-bump": "5MB",
        "max-waste": "5%",
        "min-efficiency": "95%",
        "forbid": "jdk,root-user",
    }
    options = [word for name, value in budgets.items() for word in (f"--{name}", value)]
    run = imgopt("gate", "image.tar", *options, "--format", "json")
    fits("gate", run.json)
    assert {each["name"] for each in run.json["targets"][0]["budgets"]} == budgets.keys()
    baseline = ("--baseline", "sizes.json", "--max-growth", "5%, 20MB")
    for more in (("--update-baseline",), ()):
        run = imgopt("gate", "image.tar", *baseline, *more, "--format", "json")
        fits("gate", run.json)
        assert run.json["baseline"]["path"] == "sizes.json"
    (tmp_path / "broken.tar").write_bytes(b"no tar" * 999)
    fits("gate", imgopt("gate", "image.tar", "broken.tar", *options, "--format", "json").json)


# compare


def test_compare_without_an_engine(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    run = imgopt("compare", "--format", "json", tmp_path)
    assert run.code == 0 and run.json["compared"] is False
    fits("compare", run.json)


@pytest.mark.parametrize("name", ["suggest", "gate", "compare"])
def test_they_are_strict_enough_to_fail(name: str) -> None:
    begin: dict[str, Any] = {
        "schema_version": 1,
        "tool": {"name": "imgopt", "version": "0.1.0"},
        "errors": [],
    }
    for wrong in ({**begin, "more": 1}, {**begin, "schema_version": 2}, {**begin, "errors": ["text"]}):
        with pytest.raises(jsonschema.ValidationError):
            fits(name, wrong)


# imgopt.toml

TOMLS = [
    block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
MORE = """\
runtime = "glibc"
spring-boot = "3.5.4"
fail-on = "high"
unsafe = false
bandwidth = ["0.5MB/s", "aliyun-enterprise"]
build-args = {VERSION = "1", NUMBER = 2}
[rules]
select = ["jdk-runtime"]
[bases."corp/x"]
kind = "jre"
java = 17
libc = "glibc"
platforms = ["linux/amd64"]
[budgets]
max-size = "200MB"
max-layers = 9
min-efficiency = 0.9
"""


@pytest.mark.parametrize("text", [*TOMLS, MORE, ""])
def test_a_configuration_that_is_read_fits(text: str, tmp_path: Path) -> None:
    (tmp_path / "imgopt.toml").write_text(text)
    load(None, [str(tmp_path)])
    fits("imgopt.toml", tomllib.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        'bandwith = "1MB/s"',
        'runtime = "alpin"',
        "unsafe = 1",
        'fail-on = "never"',
        "rules = 3",
        'rules = {selekt = ["jdk-runtime"]}',
        'rules = {select = ["jdk-runtme"]}',
        'bases = {"a/b" = {like = 1}}',
        'bases = {"a/b" = {libc = "bionic"}}',
        "build-args = {A = 1.5}",
        'gate = {base = "x"}',
        'budgets = {"shop/*" = {max-sise = "1MB"}}',
    ],
)
def test_a_configuration_that_is_refused_does_not(text: str, imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "imgopt.toml").write_text(f"{text}\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert imgopt("suggest", tmp_path).code == 2
    with pytest.raises(jsonschema.ValidationError):
        fits("imgopt.toml", tomllib.loads(text))
