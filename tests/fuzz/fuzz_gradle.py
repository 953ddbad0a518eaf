"""Fuzzes the reader of Gradle's files: the script, with the same bytes as settings, properties and catalogue.

    python tests/fuzz/fuzz_gradle.py --seconds 3600

How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import texts

_LINES = (
    *(b"plugins {", b"    id 'org.springframework.boot' version '3.5.4'", b"}", b"group = 'com.example'", b"bootJar {"),
    *(b"version = '1.0' + suffix", b"ext { a = \"${a}-$b\" }", b"ext['springBootVersion'] = \"3.5.4\"", b"layered { enabled = false }"),
    *(b"java { toolchain { languageVersion = JavaLanguageVersion.of(21) } }", b"sourceCompatibility = '17'", b"// a 'b", b"/* c"),
    *(b"implementation('org.springframework.boot:spring-boot-starter-web:3.5.4')", b"runtimeOnly(libs.bundles.a)", b"*/"),
    *(b"archiveFileName = \"${project.name}.jar\"", b"include 'a', ':b:c'", b"rootProject.name = 'shop'", b"def a = \"$a$a\""),
    *(b"project(':a').projectDir = file('b')", b"subprojects { apply plugin: 'war' }", b"val a by extra(\"b\")", b"enabled = false"),
    *(b"[versions]", b"boot = { ref = \"boot\" }", b"[libraries]", b"a = \"b:c:1\"", b"[plugins]", b"x = 99999999999999999999", b"'''"),
)  # fmt: skip
_SIGNS = (
    *(b"'", b'"', b"\\", b"{", b"}", b"(", b")", b"\n", b"$", b"${", b"//", b"/*", b"*/", b"'''", b'"""', b"=", b";", b" ", b"\0"),
    *(b"\xff", b"'\"\\", b"+", b",", b":", b"[", b"]", b"\t", b"\r", b"version ", b"include ", b"languageVersion = "),
)  # fmt: skip
_NESTED = (
    (b"{", b"}"),
    (b"(", b")"),
    (b'"${', b'}"'),
    (b"a {\n", b"}\n"),
    (b"/*", b"*/"),
    (b"'", b"'"),
    (b"[", b"]"),
)


def seeds() -> Iterator[bytes]:
    for at in range(0, len(_LINES), 4):
        yield b"\n".join(_LINES[at : at + 8])
    yield b"\n".join(_LINES)


def load() -> fuzzing.Target:
    from imgopt.errors import ContextError
    from imgopt.java.build_files import read_build_files
    from imgopt.text.foreign import visible

    folder = fuzzing.scratch("gradle")

    def check(data: bytes) -> None:
        for name in ("build.gradle.kts" if data.startswith(b"k") else "build.gradle", "settings.gradle"):
            (folder / name).write_bytes(data)
        (folder / "gradle.properties").write_bytes(data)
        (folder / "gradle").mkdir(exist_ok=True)
        (folder / "gradle" / "libs.versions.toml").write_bytes(data)
        try:
            facts = read_build_files(folder, folder)
        except ContextError as error:
            assert len(visible(str(error)).splitlines()) == 1, str(error)
            return
        finally:
            for each in folder.glob("build.gradle*"):
                each.unlink()
        assert facts is None or facts.tool == "gradle"

    return fuzzing.Target("gradle", check, seeds, texts.mutator(_LINES, _SIGNS, _NESTED), 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
