from __future__ import annotations

from pathlib import Path

import pytest
from boot_jar import boot_jar
from command_line import Imgopt
from command_line import imgopt as imgopt  # a fixture

from imgopt.bases import AMD64, check_declared, counterparts, identify, mirror_has, on_mirror, size_of
from imgopt.errors import ConfigError

DECLARED = {
    "harbor.corp/base/jdk17:*": {
        "like": "eclipse-temurin:17-jdk-jammy",
        "counterpart": "eclipse-temurin:17-jre-jammy",
        "lacks": ["curl"],
    },
    "harbor.corp/base/own:1": {
        "kind": "jre",
        "java": 11,
        "libc": "glibc",
        "os": "ubuntu",
        "platforms": [AMD64],
    },
    "harbor.corp/hub/*": {"like": "*"},
}


def test_like() -> None:
    base = identify("harbor.corp/base/jdk17:2024", DECLARED)
    assert (
        base.name,
        base.declared,
        base.family,
        base.kind,
        base.java_major,
        base.libc,
        base.os_version,
    ) == (
        "harbor.corp/base/jdk17:2024",
        True,
        "eclipse-temurin",
        "jdk",
        17,
        "glibc",
        "22.04",
    )
    assert "curl" in base.lacks and "curl" not in base.has
    assert size_of(base, AMD64) is None  # one's own image has a size of its own
    assert (
        counterparts(base, kind="jre", libc="glibc", platforms=[AMD64])[0].name
        == "eclipse-temurin:17-jre-jammy"
    )


def test_said_key_by_key() -> None:
    base = identify("harbor.corp/base/own:1", DECLARED)
    assert (base.kind, base.java_major, base.libc, base.os, base.platforms) == (
        "jre",
        11,
        "glibc",
        "ubuntu",
        (AMD64,),
    )
    assert identify("harbor.corp/base/own:2", DECLARED).kind == "unknown"


def test_a_declared_mirror_is_complete() -> None:
    base = identify("harbor.corp/hub/library/openjdk:8-jdk", DECLARED)
    assert (base.family, base.image, base.mirror, base.mirror_complete) == (
        "openjdk",
        "openjdk",
        "harbor.corp/hub/library",
        True,
    )
    assert base.retired is not None
    for wanted, there in (
        ("eclipse-temurin:8-jre-alpine", "harbor.corp/hub/library/eclipse-temurin:8-jre-alpine"),
        (
            "bellsoft/liberica-openjre-alpine-musl:8",
            "harbor.corp/hub/bellsoft/liberica-openjre-alpine-musl:8",
        ),
    ):
        assert on_mirror(identify(wanted), base).name == there
        assert mirror_has(base, identify(wanted))
    size = size_of(base, AMD64)
    assert size is not None and "harbor.corp/hub/library was not read" in size.source


def test_what_is_not_declared_is_as_ever() -> None:
    assert identify("openjdk:8", DECLARED) == identify("openjdk:8")


def test_the_users_word_wins() -> None:
    base = identify("openjdk:17-alpine", {"openjdk:*": {"kind": "jdk", "libc": "glibc"}})
    assert (base.libc, base.declared) == ("glibc", True)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"kin": "jdk"}, "did you mean kind"),
        ({"kind": "sdk"}, "kind cannot be 'sdk'"),
        ({"kind": "jdk", "java": "17"}, "java must be a whole number"),
        ({"kind": "jdk", "java": True}, "java must be a whole number"),
        ({"kind": "jdk", "platforms": "linux/amd64"}, "platforms must be a list of strings"),
        ({"kind": "jdk", "has": [1]}, "has must be a list of strings"),
        ({"like": "Not An Image"}, "like"),
        ({"like": 8}, "like must be a string"),
        ({"java": 8}, "says nothing"),
        ({}, "says nothing"),
        ("eclipse-temurin", "is not a table"),
    ],
)
def test_a_wrong_entry_names_itself(entry: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_declared({"a/b:*": entry})
    assert says in str(caught.value)
    assert 'bases."a/b:*"' in str(caught.value)


def test_a_good_table_passes() -> None:
    check_declared(DECLARED)


@pytest.mark.parametrize(
    "more", ["", '[bases."harbor.corp/base/jre17:*"]\nlike = "eclipse-temurin:17-jre-jammy"\n']
)
@pytest.mark.parametrize("platforms", ["linux/amd64", "linux/amd64,linux/arm64"])
def test_what_the_user_names_to_run_on_wins(
    more: str, platforms: str, tmp_path: Path, imgopt: Imgopt
) -> None:
    boot_jar(tmp_path / "app.jar", version="3.2.12")
    (tmp_path / "imgopt.toml").write_text(
        '[bases."harbor.corp/base/jdk17:*"]\nlike = "eclipse-temurin:17-jdk-jammy"\n'
        f'counterpart = "harbor.corp/base/jre17:latest"\n{more}'
    )
    (tmp_path / "Dockerfile").write_text(
        'FROM harbor.corp/base/jdk17:3\nCOPY app.jar /app.jar\nCMD ["java", "-jar", "/app.jar"]\n'
    )
    answer = imgopt("suggest", "--format", "json", "--platform", platforms, tmp_path).json["files"][0]
    (finding,) = [each for each in answer["findings"] if each["rule"] == "jdk-runtime"]
    assert "run on harbor.corp/base/jre17:latest" in finding["fix"]["description"]
    assert finding["fix"]["applicability"] == ("safe" if more else "unsafe")
    assert not any(each["rule"] == "glibc-runtime" for each in answer["findings"])
