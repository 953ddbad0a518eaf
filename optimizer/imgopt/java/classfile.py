"""Java class files: the level they need, and which watched classes they refer to (JVMS chapter 4)."""

from __future__ import annotations

import struct

from imgopt.light.patterns import regex

WATCHED: tuple[str, ...] = (
    # in a JDK, not in a JRE
    "com/sun/jdi/",
    "com/sun/tools/",
    "javax/tools/ToolProvider",
    "jdk/jshell/",
    "sun/jvmstat/",
    "sun/tools/",
    # fonts and AWT's native libraries
    "java/awt/",
    "javax/imageio/",
    "javax/swing/",
    # where the code lies on disk, which exploding the jar changes
    "java/security/CodeSource",
    "java/security/ProtectionDomain",
    "org/springframework/boot/system/ApplicationHome",
    # other programs
    "java/lang/Process",
    # gone or internal in later releases and smaller runtimes
    "com/sun/management/",
    "javafx/",
    "jdk/jfr/",
    "jdk/nashorn/",
    "sun/misc/",
)
"""Class name prefixes in internal form; a reference to anything else is not recorded."""

_MAGIC = b"\xca\xfe\xba\xbe"

# A search for these few strings costs less than reading a constant pool; almost all classes hold none of them.
_HINTS = (
    b"sun/",
    b"sun.",
    b"java/awt",
    b"java.awt",
    b"javax/tools/T",
    b"javax.tools.T",
    b"javax/imageio",
    b"javax.imageio",
    b"javax/swing",
    b"javax.swing",
    b"jdk/",
    b"jdk.",
    b"security/CodeSource",
    b"security.CodeSource",
    b"security/ProtectionDomain",
    b"security.ProtectionDomain",
    b"ApplicationHome",
    b"lang/Process",
    b"lang.Process",
    b"javafx",
)

# Constant pool entries by tag: bytes after the tag (JVMS table 4.4-A; 1, Utf8, has a length of its own).
_WIDTHS = {
    3: 4,
    4: 4,
    5: 8,
    6: 8,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
_IN_DESCRIPTOR = regex(r"L([^;<>()\[]+)[;<]")
# A constant that reads like a class: lower case packages, then a capital ("java.awt.headless" is none).
_NAME_IN_TEXT = regex(r"(?:[a-z][a-z0-9_]*\.)+[A-Z][\w$]*\Z")


def class_level(data: bytes) -> int | None:
    """The Java version a class file needs (8 for major version 52), None when it is no class file."""
    if len(data) < 8 or not data.startswith(_MAGIC):
        return None
    major = int.from_bytes(data[6:8], "big")
    return major - 44 if 45 <= major < 200 else None


def references(data: bytes, watched: tuple[str, ...] = WATCHED) -> frozenset[str]:
    """Watched classes in the constant pool: class references, types in descriptors, and string constants that
    spell a class name as ``Class.forName`` wants it. Internal form (``java/awt/Font``). Empty for a damaged file.
    """
    if watched is WATCHED and not any(hint in data for hint in _HINTS):
        return frozenset()
    try:
        return _references(data, watched)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        return frozenset()


def _references(data: bytes, watched: tuple[str, ...]) -> frozenset[str]:
    if not data.startswith(_MAGIC):
        return frozenset()
    count = int.from_bytes(data[8:10], "big")
    texts: dict[int, bytes] = {}
    classes: list[int] = []
    strings: list[int] = []
    descriptors: list[int] = []
    at, index = 10, 1
    while index < count:
        tag = data[at]
        if tag == 1:
            length = data[at + 1] << 8 | data[at + 2]
            texts[index] = data[at + 3 : at + 3 + length]
            at += 3 + length
        else:
            if tag == 7:
                classes.append(data[at + 1] << 8 | data[at + 2])
            elif tag == 8:
                strings.append(data[at + 1] << 8 | data[at + 2])
            elif tag == 12:
                descriptors.append(data[at + 3] << 8 | data[at + 4])
            elif tag == 16:
                descriptors.append(data[at + 1] << 8 | data[at + 2])
            at += 1 + _WIDTHS[tag]
            if tag in (5, 6):  # long and double take two places
                index += 1
        index += 1
    # Fields and methods that are only declared here have their types in Utf8 constants nothing else points at.
    for place, text in texts.items():
        if text.startswith((b"L", b"(", b"[")) and b";" in text:
            descriptors.append(place)
    found: set[str] = set()
    for place in classes:
        name = texts[place].decode("utf-8", "replace")
        found.update(_IN_DESCRIPTOR.findall(name) if name.startswith("[") else (name,))
    for place in descriptors:
        found.update(_IN_DESCRIPTOR.findall(texts[place].decode("utf-8", "replace")))
    for place in strings:
        value = texts[place].decode("utf-8", "replace")
        if len(value) < 200 and _NAME_IN_TEXT.match(value):
            found.add(value.replace(".", "/"))
    return frozenset(name for name in found if name.startswith(watched))
