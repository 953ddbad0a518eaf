"""Build contexts for generated Dockerfiles, each made once: a jar, start scripts and what else is copied."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from boot_jar import PADDING, boot_jar, elf, flat_jar, library

_BIG = {"big-1.0.jar": library(size=PADDING), "spring-core-6.jar": library(seed=2)}
_SCRIPTS = {
    "posix": '#!/bin/sh\nset -e\nexec java $JAVA_OPTS -jar /app.jar "$@"\n',
    "bash": '#!/bin/bash\nopts=(-Xmx1g)\n[[ -n $X ]] && opts+=("$X")\nexec java "${opts[@]}" -jar app.jar\n',
    "crlf": "#!/bin/sh\r\njava -jar app.jar\r\n",
    "variable": "#!/bin/sh\nJAR=/app/app.jar\nJAVA=java\nexec $JAVA -jar $JAR\n",
    "tools": "#!/bin/sh\njava -jar app.jar &\njstack 1 > /logs/stack; jcmd 1 VM.flags; curl localhost\n",
    "wait": "#!/usr/bin/env sh\nwhile ! nc -z db 3306; do sleep 1; done\nsu-exec app java -jar ./app.jar\n",
    "self-check": '#!/bin/sh\nunzip -p app.jar META-INF/MANIFEST.MF | grep -q Version && exec java -cp app.jar "$1"\n',
    "other-jar": "#!/bin/sh\njava -jar /lib/migrate.jar && exec java -jar ${1:-app.jar}\n",
    "binary": "#!\0\1\2",
}
_IGNORE = {"target": "target\n", "negated": "*\n!target/*.jar\n!docker\n", "all": "**\n"}


@functools.lru_cache(maxsize=1)
def root() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="imgopt-rewrites-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _jars(folder: Path, kind: str) -> None:
    jar = folder / "target" / "app.jar"
    make: dict[str, Callable[[], object]] = {
        "boot": lambda: boot_jar(jar),
        "layertools": lambda: boot_jar(jar, version="2.7.18", jarmode="layertools"),
        "boot-2.1": lambda: boot_jar(jar, version="2.1.0.RELEASE", layered=False, jarmode=None, major=52),
        "boot-1.5": lambda: boot_jar(jar, version="1.5.22.RELEASE", layered=False, jarmode=None, major=52),
        "war": lambda: boot_jar(folder / "target" / "app.war", war=True),
        "shaded": lambda: flat_jar(jar),
        "several": lambda: (boot_jar(jar), boot_jar(folder / "target" / "tool.jar")),
        "plain-beside": lambda: (boot_jar(jar), flat_jar(folder / "target" / "app-plain.jar", 1000)),
        "native": lambda: boot_jar(jar, libraries={**_BIG, "n-1.jar": library({"libn.so": elf(("ld-linux-x86-64.so.2",))})}),
        "script-in-front": lambda: boot_jar(jar, prefix=b"#!/bin/bash\nexit 0\n"),
        "fonts": lambda: boot_jar(jar, references=["java/awt/Font"]),
        "custom-launcher": lambda: boot_jar(jar, launcher="com.example.Launcher"),
        "module": lambda: (boot_jar(folder / "service" / "target" / "app.jar"), boot_jar(folder / "build" / "libs" / "app.jar")),
        "no-index": lambda: boot_jar(jar, layered=False),
        "java-8": lambda: boot_jar(jar, version="2.7.18", jarmode="layertools", major=52, references=["sun/misc/Unsafe", "javax/tools/ToolProvider"]),
        "agents": lambda: (boot_jar(jar), flat_jar(folder / "agent" / "agent.jar", 50_000), flat_jar(folder / "lib" / "x.jar", 50_000)),
    }  # fmt: skip
    jar.parent.mkdir(parents=True, exist_ok=True)
    if kind in make:
        make[kind]()
    elif kind == "html":
        jar.write_text("<!DOCTYPE html><html><body>404</body></html>")
    elif kind == "broken":
        boot_jar(jar)
        jar.write_bytes(jar.read_bytes()[:-100])


@functools.lru_cache(maxsize=64)
def _jar_folder(kind: str) -> Path:
    folder = root() / "jars" / kind
    folder.mkdir(parents=True)
    _jars(folder, kind)
    return folder


@functools.lru_cache(maxsize=2000)
def context(jars: str, scripts: str, ignore: str) -> Path:
    folder = root() / f"{jars}-{scripts}-{ignore}"
    for path, text in {
        "conf/application.yml": "a: b\n",
        "docker/Dockerfile": "",
        "src/main/java/A.java": "class A {}\n",
        "pom.xml": "<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>app</artifactId>"
        "<version>1</version><properties><java.version>17</java.version></properties></project>",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    if scripts in _SCRIPTS:
        for name in ("entrypoint.sh", "run.sh"):
            (folder / "docker" / name).write_bytes(_SCRIPTS[scripts].encode())
        (folder / "run.sh").write_bytes(_SCRIPTS[scripts].encode())
    if ignore in _IGNORE:
        (folder / ".dockerignore").write_text(_IGNORE[ignore])
    for file in _jar_folder(jars).rglob("*"):
        if file.is_file():
            link = folder / file.relative_to(_jar_folder(jars))
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, link)
    return folder


@functools.lru_cache(maxsize=2000)
def fitting(text: str) -> Path:
    """A context that has what the Dockerfile copies: executable jars, start scripts, small files."""
    sources = _sources(text)
    folder = root() / f"fitting-{hashlib.sha1(repr(sources).encode()).hexdigest()}"
    if folder.exists():
        return folder
    folder.mkdir()
    for source in sources:
        path = posixpath.normpath("/" + re.sub(r"[*?\[\]]+", "x", source)).lstrip("/")
        if not path or len(path) > 200 or not path.isprintable():
            continue
        file = folder / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith((".jar", ".war")):
                os.link(_jar_folder("boot") / "target" / "app.jar", file)
            elif path.endswith(".sh"):
                file.write_text(_SCRIPTS["posix"])
            elif source.endswith("/") or "." not in file.name:
                file.mkdir(exist_ok=True)
                (file / "some.txt").write_text("x")
            else:
                file.write_text("x")
        except OSError:
            continue  # one source is a folder for another
    return folder


def _sources(text: str) -> tuple[str, ...]:
    from imgopt.dockerfile import expand, parse, scopes
    from imgopt.errors import ImgoptError

    try:
        document = parse(text)
        found = []
        for instruction, scope in zip(document.instructions, scopes(document, {}), strict=True):
            if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None:
                words = [expand(word.text, scope, document.escape).value for word in instruction.words[:-1]]
                found += [word for word in words if word and "://" not in word]
        return tuple(sorted(set(found)))
    except ImgoptError:
        return ()
