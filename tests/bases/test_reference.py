from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgopt.bases import Reference, parse_reference
from imgopt.errors import InputError

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected", "familiar"),
    [
        ("alpine", Reference(None, "alpine"), "alpine"),
        ("openjdk:8-jdk", Reference(None, "openjdk", "8-jdk"), "openjdk"),
        ("library/openjdk:8", Reference(None, "library/openjdk", "8"), "openjdk"),
        ("docker.io/library/openjdk:8", Reference("docker.io", "library/openjdk", "8"), "openjdk"),
        (
            "index.docker.io/azul/zulu-openjdk",
            Reference("index.docker.io", "azul/zulu-openjdk"),
            "azul/zulu-openjdk",
        ),
        ("localhost/x", Reference("localhost", "x"), "localhost/x"),
        ("host:5000/a/b:1", Reference("host:5000", "a/b", "1"), "host:5000/a/b"),
        ("host:5000", Reference(None, "host", "5000"), "host"),
        (f"a@{DIGEST}", Reference(None, "a", None, DIGEST), "a"),
        (f"r.io/a:t@{DIGEST}", Reference("r.io", "a", "t", DIGEST), "r.io/a"),
        ("a/b__c/d-e--f.g", Reference(None, "a/b__c/d-e--f.g"), "a/b__c/d-e--f.g"),
        ("[::1]:5000/a", Reference("[::1]:5000", "a"), "[::1]:5000/a"),
    ],
)
def test_parts(text: str, expected: Reference, familiar: str) -> None:
    parsed = parse_reference(text)
    assert parsed == expected
    assert str(parsed) == text
    assert parsed.familiar == familiar


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "OpenJDK:8",
        "openjdk:",
        "openjdk:-8",
        "openjdk:8 jdk",
        "openjdk@sha256:12",
        "openjdk@",
        "${BASE}",
        "openjdk:${TAG}",
        "a//b",
        "/a",
        "a/",
        "a_-b",
        "x" * 300,
        "a:" + "t" * 129,
        "bad_.host.io:99x/a",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InputError):
        parse_reference(text)


def test_a_variable_is_named_as_the_reason() -> None:
    with pytest.raises(InputError, match="expand the variable"):
        parse_reference("${BASE}")


component = st.from_regex(r"\A[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}\Z")
references = st.builds(
    lambda registry, path, tag, digest: (
        (f"{registry}/" if registry else "")
        + "/".join(path)
        + (f":{tag}" if tag else "")
        + (f"@{digest}" if digest else "")
    ),
    st.sampled_from(
        [None, "docker.io", "harbor.corp", "localhost:5000", "registry.cn-hangzhou.aliyuncs.com"]
    ),
    st.lists(component, min_size=1, max_size=4),
    st.none() | st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z"),
    st.none() | st.just(DIGEST),
)


# A first component with a dot is a registry, whatever else is in it.
@settings(deadline=None)
@given(
    references.filter(
        lambda text: not re.match(r"(?!docker\.io|harbor\.corp|registry\.cn)[^/:]*\.[^/:]*/", text)
    )
)
def test_text_survives(text: str) -> None:
    assert str(parse_reference(text)) == text


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert str(parse_reference(text)) == text
