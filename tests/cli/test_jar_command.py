"""`imgopt jar`, `imgopt rules`, `imgopt explain`: real archives and the real rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, elf, library

Imgopt = Callable[..., Any]

LIBRARIES = {
    "spring-core-6.2.9.jar": library(size=5_000, seed=1),
    "guava-32.0.0-jre.jar": library(size=3_000, seed=2),
    "guava-33.0.0-jre.jar": library(size=3_100, seed=3),
    "shared-1.0-SNAPSHOT.jar": library(size=900, seed=4),
    "nat-1.0.jar": library({"linux/amd64/libnat.so": elf(["libc.so.6", "libm.so.6"])}, size=100, seed=5),
}


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app.jar"
    boot_jar(path, version="3.5.4", libraries=LIBRARIES)
    return Path("app.jar")


def test_text(imgopt: Imgopt, jar: Path) -> None:
    run = imgopt("jar", str(jar))
    assert (run.code, run.err) == (0, "")
    rows = run.text.splitlines()
    assert rows[0].startswith("app.jar  ") and rows[0].endswith(" MB")
    assert rows[1].startswith("Spring Boot 3.5.4 jar, Java 17, ")
    assert "Layers  as layers.idx says" in rows
    names = [row.split()[0] for row in rows if row.startswith("  ") and row.split()]
    assert names[names.index("dependencies") :][:4] == [
        "dependencies",
        "spring-boot-loader",
        "snapshot-dependencies",
        "application",
    ]
    assert "  guava-32.0.0-jre.jar, guava-33.0.0-jre.jar" in rows
    natives = rows[rows.index("Native libraries  whether they load on musl (Alpine)") :]
    (native,) = [row for row in natives if row.startswith("  nat-1.0.jar  ")]
    assert native.split()[-2:] == ["glibc,", "loads"]
    assert max(map(len, rows)) <= 80


def test_quiet_and_verbose(imgopt: Imgopt, jar: Path) -> None:
    assert len(imgopt("jar", "-q", str(jar)).text.splitlines()) == 2
    assert "more" not in imgopt("jar", "-v", str(jar)).text


def test_json(imgopt: Imgopt, jar: Path) -> None:
    document = json.loads(imgopt("jar", "--format", "json", str(jar)).text)
    assert document["schema_version"] == 1 and document["errors"] == []
    found = document["jar"]
    assert (found["kind"], found["spring_boot"], found["java"]["major"]) == ("spring-boot", "3.5.4", 17)
    assert found["bytes"] == jar.stat().st_size
    layers = {layer["name"]: layer for layer in found["layers"]}
    nested = {each["file"]: each["bytes"] for each in found["libraries"]}
    assert nested["spring-core-6.2.9.jar"] == len(LIBRARIES["spring-core-6.2.9.jar"])
    assert [each["bytes"] for each in found["libraries"]] == sorted(nested.values(), reverse=True)
    assert layers["snapshot-dependencies"]["files"] == 1
    assert layers["snapshot-dependencies"]["bytes"] == nested["shared-1.0-SNAPSHOT.jar"]
    assert [[each["version"] for each in group] for group in found["duplicates"]] == [
        ["32.0.0-jre", "33.0.0-jre"]
    ]
    (native,) = found["natives"]
    assert (native["os"], native["arch"], native["libc"]) == ("linux", "amd64", "glibc")
    assert native["musl"]["verdict"] == "loads"


def test_markdown(imgopt: Imgopt, jar: Path) -> None:
    shown = imgopt("jar", "--format", "markdown", str(jar)).text
    assert shown.startswith("### `app.jar`: ")
    assert "| `nat-1.0.jar` | amd64 | glibc | loads |" in shown
    assert "**Duplicates**\n\n- `guava-32.0.0-jre.jar`, `guava-33.0.0-jre.jar`" in shown


def test_output_file(imgopt: Imgopt, jar: Path) -> None:
    run = imgopt("jar", "--format", "json", "--output-file", "out.json", str(jar))
    assert (run.code, run.out) == (0, b"")
    assert json.loads(Path("out.json").read_text())["jar"]["path"] == "app.jar"


@pytest.mark.parametrize(
    ("name", "data"),
    [("page.jar", b"<!DOCTYPE html><html>not found</html>"), ("empty.jar", b""), ("text.jar", b"PK\x03\x04")],
)
def test_what_is_no_jar(imgopt: Imgopt, tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    run = imgopt("jar", str(path))
    assert (run.code, run.out) == (2, b"")
    assert run.err.startswith(f"error: {path}: ") and run.err.count("\n") == 1
    document = json.loads(imgopt("jar", "--format", "json", str(path)).text)
    assert document["errors"][0]["path"] == str(path)


def test_rules_and_explain_agree(imgopt: Imgopt) -> None:
    listed = json.loads(imgopt("rules", "--format", "json").text)["rules"]
    assert {"jdk-runtime", "fat-jar-layer", "glibc-runtime", "retired-base"} <= {
        rule["id"] for rule in listed
    }
    for rule in listed:
        explained = imgopt("explain", rule["id"])
        assert explained.code == 0
        assert explained.text.startswith(f"{rule['id']}\n\n")
        assert all(len(row) <= 80 for row in explained.text.splitlines() if not row.startswith("    "))
        assert json.loads(imgopt("explain", rule["id"], "--format", "json").text)["rule"] == rule
        assert imgopt("explain", rule["id"], "--format", "markdown").text.startswith(f"## {rule['id']}\n")
        assert f"| `{rule['id']}` |" in imgopt("rules", "--format", "markdown").text
        assert rule["id"] in imgopt("rules").text
