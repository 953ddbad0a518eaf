"""Fuzzes the reader of Maven's files: a module, and the same bytes as its parent.

    python tests/fuzz/fuzz_pom.py --seconds 3600

How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import texts

_LINES = (
    *(b"<project>", b"</project>", b"<parent><groupId>g</groupId><artifactId>a</artifactId><version>1</version></parent>"),
    *(b"<relativePath>../pom.xml</relativePath>", b"<artifactId>${project.artifactId}</artifactId>", b"<packaging>war</packaging>"),
    *(b"<properties><a>${b}${b}</a><b>${a}</b><java.version>21</java.version></properties>", b"<modules><module>m</module></modules>"),
    *(b"<build><finalName>${a}</finalName><plugins><plugin>", b"<artifactId>spring-boot-maven-plugin</artifactId>", b"<version>3.5.4</version>"),
    *(b"<configuration><layers><enabled>false</enabled></layers></configuration>", b"</plugin></plugins></build>", b"<!-- a -->"),
    *(b"<profiles><profile><id>p</id><activation><activeByDefault>true</activeByDefault></activation></profile></profiles>",),
    *(b"<dependencies><dependency><groupId>g</groupId><artifactId>x</artifactId><scope>test</scope></dependency></dependencies>",),
    *(b"<?xml version='1.0' encoding='UTF-16'?>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<![CDATA[x]]>", b"<classifier>exec</classifier>"),
)  # fmt: skip
_SIGNS = (
    *(b"<", b">", b"</", b"/>", b"&", b"&#0;", b"&#x110000;", b"${", b"}", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?", b"?>"),
    *(b"'", b'"', b"\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b" xmlns='a'", b"a:", b"<!DOCTYPE", b"${a}"),
)  # fmt: skip
_NESTED = (
    (b"<a>", b"</a>"),
    (b"${", b"}"),
    (b"<!--", b"-->"),
    (b"<profile>", b"</profile>"),
    (b"<a b='", b"'/>"),
)


def seeds() -> Iterator[bytes]:
    body = _LINES[3:15]
    yield b"\n".join((_LINES[0], *body, _LINES[1]))
    for line in _LINES[2:]:
        yield b"\n".join((_LINES[0], line, b"<artifactId>a</artifactId><version>1</version>", _LINES[1]))


def load() -> fuzzing.Target:
    from imgopt.errors import ContextError
    from imgopt.java.build_files import read_build_files
    from imgopt.text.foreign import visible

    folder = fuzzing.scratch("pom")
    (folder / "m").mkdir(exist_ok=True)

    def check(data: bytes) -> None:
        for path in (folder / "pom.xml", folder / "m" / "pom.xml"):
            path.write_bytes(data)
        try:
            facts = read_build_files(folder / "m", folder)
        except ContextError as error:
            assert len(visible(str(error)).splitlines()) == 1, str(error)
            return
        assert facts is None or facts.tool == "maven"

    return fuzzing.Target("pom", check, seeds, texts.mutator(_LINES, _SIGNS, _NESTED), 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
