"""Names that nobody means well with, in every place that imgopt reads, and a reader that tells what would act."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

from boot_jar import boot_jar, library
from image_samples import docker_archive, layer

#: As file names; none holds a slash or NUL.
NAMES = (
    "::set-output name=x::y",
    "  ::add-mask::m",
    "\u3000::warning::w",
    "::stop-commands::t",
    "##vso[task.setvariable variable=x]y",
    "##[error]e",
    "x###[add-mask]z",
    "##teamcity[buildStatus text='x']",
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "\x7f",
    "\u202egpj.exe",
    "\u2066\u2069",
    "\u2028::set-output name=a::b",
    "\u061c",
    "z\u200b\u200dw\ufeff\u00ad",
    "\ufe0f::set-output name=f::f",
    "\u3164\u115f\u034f",
    "tag\U000e0041\U000e007f",
    "a\n::set-output name=n::v",
    "b\r::debug::r",
    "\x85::debug::n",
    "\udc9b\udcff",
    "<script>alert(1)<script>",
    "<img src=x onerror=alert(1)>",
    "](javascript:alert(1))",
    "![x](http:evil)",
    "`|` ```",
    "@octocat #1",
)

_SHAPELESS = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
#: Format characters that have a shape: Arabic, Syriac and Kaithi number and verse signs.
_SHAPED = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")
_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_PICTURE = re.compile(f"[{_EMOJI}]\ufe0f?(\u200d[{_EMOJI}]\ufe0f?)*")


def world(root: Path) -> Path:
    """A repository of which every name and every text is hostile, and an image of it."""
    jar = root / "app.jar"
    boot_jar(
        jar,
        libraries={f"{name}.jar": library(seed=at) for at, name in enumerate(map(_text, NAMES))},
        manifest={"Implementation-Title": "##[error]t", "Start-Class": "\u202e::set-output name=s::t"},
        layered=False,
    )
    with zipfile.ZipFile(jar, "a") as archive:
        for name in map(_text, NAMES):
            archive.writestr(f"../{name}", b"x")
    for at, name in enumerate(NAMES):
        directory = root / name
        directory.mkdir(parents=True)
        os.link(jar, directory / "app.jar")
        os.link(jar, directory / f"{name}.jar")
        said = json.dumps(_text(name))[1:-1] if "\n" in name or "\r" in name else _text(name)
        (directory / "Dockerfile").write_bytes(
            f"# {said}\nFROM openjdk:17-jdk-slim\nLABEL said='{said}'\nENV A=\"{said}\"\nWORKDIR /app\n"
            f"COPY [\"{said}.jar\", \"b.jar\"]\nCOPY app.jar app.jar\nRUN echo '{said}' && curl '{said}' && chown -R 1 /app\n"
            f'{"RUN [" if at % 2 else ""}\nENTRYPOINT ["java", "-jar", "app.jar", "{said}"]\n'.replace(
                "RUN [\n", ""
            ).encode("utf-8", "surrogateescape")
        )
    (root / "Jenkinsfile").write_text(
        "node { " + " ".join(f"sh '''timeout 5 docker push \"{_text(each)}\"'''\n" for each in NAMES) + "}"
    )
    docker_archive(
        root / "image.tar",
        [
            layer(
                [(f"app/{name}", os.urandom(50_000)) for name in map(_text, NAMES)]
                + [("app/app.jar", jar.read_bytes())]
            ),
            layer([(f"app/{name}", os.urandom(50_000)) for name in map(_text, NAMES)]),
            *(layer({str(at): b"x"}) for at in range(len(NAMES))),
        ],
        ["\x1b[31m", "::x::", *map(_text, NAMES)],
        User="\u202e::set-output name=u::v",
        Cmd=list(map(_text, NAMES)),
        Env=[f"JAVA_HOME={_text(name)}" for name in NAMES],
        Labels={_text(name): _text(name) for name in NAMES},
    )
    (root / "sizes.json").write_text(json.dumps({"version": 1, "images": {}}))
    return root


def _text(name: str) -> str:
    """What can stand in a document of UTF-8."""
    return name.encode("utf-8", "replace").decode() if "\udc9b" in name else name


def run(
    *arguments: str, cwd: Path, stdout: object = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """imgopt as a program of its own, into pipes."""
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100", "PYTHONUTF8": "1"}
    settings.pop("GITHUB_STEP_SUMMARY", None)
    return subprocess.run(
        [sys.executable, "-m", "imgopt", *(os.fsencode(each) for each in arguments)],
        cwd=cwd,
        env={**settings, **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        check=False,
    )


def acts(data: bytes, own: tuple[str, ...] = (), colours: bool = False) -> list[str]:
    """What a terminal, a reader's eye or a CI runner would act on. ``own``: lines that are meant to be commands."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return [f"no UTF-8: {data[error.start - 20 : error.start + 20]!r}"]
    if colours:
        text = re.sub(r"\x1b\[[0-9;]*m", "", text.replace("\r\n", "\n"))
    found = []
    for match in re.finditer(r"[^\n]*\n?", _PICTURE.sub("#", text)):
        line = match[0].removesuffix("\n")
        for sign in line:
            kind = "" if _SHAPED.match(sign) else unicodedata.category(sign)
            if (kind in ("Cc", "Cf", "Zl", "Zp", "Cs") and sign != "\t") or _SHAPELESS.match(sign):
                found.append(f"{sign!a} in {line[:120]!a}")
        mine = bool(own) and line.startswith(own)
        # GitHub: after leading white space; its older form, Azure's and TeamCity's anywhere
        if (line.lstrip().startswith("::") and not mine) or re.search(r"##[A-Za-z]*\[", line):
            found.append(f"a command: {line[:120]!a}")
    return found
