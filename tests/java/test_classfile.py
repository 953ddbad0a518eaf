from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jar_samples import class_file

from imgopt.java.classfile import WATCHED, class_level, references


@pytest.mark.parametrize(("major", "java"), [(49, 5), (52, 8), (55, 11), (61, 17), (69, 25)])
def test_the_level_comes_from_the_major_version(major: int, java: int) -> None:
    assert class_level(class_file(major=major)) == java


@pytest.mark.parametrize(
    "data", [b"", b"\xca\xfe\xba\xbe", b"not a class at all", b"\xca\xfe\xba\xbe\0\0\0\2"]
)
def test_what_is_no_class_has_no_level(data: bytes) -> None:
    assert class_level(data) is None


def test_watched_classes_are_found_wherever_the_constant_pool_names_them() -> None:
    data = class_file(
        classes=["javax/tools/ToolProvider", "[Ljava/awt/Font;", "java/util/List"],
        descriptors=["(Lcom/sun/tools/attach/VirtualMachine;I)Ljava/lang/String;", "()[Lsun/misc/Unsafe;"],
        strings=["jdk.jfr.Recording", "java.awt.headless", "see java.awt.Font for more"],
    )
    assert references(data) == {
        "javax/tools/ToolProvider",
        "java/awt/Font",
        "com/sun/tools/attach/VirtualMachine",
        "sun/misc/Unsafe",
        "jdk/jfr/Recording",
    }


def test_a_text_that_only_mentions_a_package_is_no_reference() -> None:
    assert references(class_file(strings=["java.awt.headless", "com/sun/tools/javac", "jdk/"])) == frozenset()


@pytest.mark.parametrize("prefix", WATCHED)
def test_the_quick_search_misses_no_watched_prefix(prefix: str) -> None:
    name = prefix + "Thing" if prefix.endswith("/") else prefix
    assert references(class_file(classes=[name])) == {name}
    assert references(class_file(strings=[name.replace("/", ".")])) == {name}


def test_other_prefixes_can_be_asked_for() -> None:
    assert references(class_file(classes=["java/util/List"]), ("java/util/",)) == {"java/util/List"}


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 255), st.integers(0, 400))
def test_damage_raises_nothing(at: int, value: int, length: int) -> None:
    data = bytearray(class_file(classes=["java/awt/Font"], strings=["java.awt.Font"]))
    data[at % len(data)] = value
    references(bytes(data[:length]))
    class_level(bytes(data[:length]))
