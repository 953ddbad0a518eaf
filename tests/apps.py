"""Builds the demo application (fixtures/apps) with Maven, for any line of Spring Boot, into `.cache/apps`.

`python tests/apps.py 3.5.16 …` builds and prints the paths (no argument: all that the tests use). Maven's
downloads stay in `.cache/m2`, so that a second build needs no network and nothing is left in the home directory.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from alone import one_at_a_time

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "fixtures" / "apps"
CACHE = ROOT / ".cache" / "apps"
MAVEN_REPOSITORY = ROOT / ".cache" / "m2"

# the newest patch of each line that a JDK 17 runs: web, JPA, H2, PostgreSQL, Redis client, Thymeleaf, validation
FULL = ("2.7.18", "3.2.12", "3.5.16", "4.0.9", "4.1.2")
# older lines, web and actuator only: no layers and no index; no layers; an index with bare names; layers by default
OLD = ("1.5.22.RELEASE", "2.1.18.RELEASE", "2.3.12.RELEASE", "2.4.1", "2.4.13")
# what layout the repackaged archive has: a jar, a jar for PropertiesLauncher, a war with a provided server
LAYOUTS = {
    "jar": (),
    "zip": ("-Drepackage.layout=ZIP",),
    "war": ("-Dapp.packaging=war", "-Drepackage.layout=WAR", "-Dwar"),
}


class AppBuildError(Exception):
    """Maven is missing or failed; the text holds the end of its output."""


def missing() -> str | None:
    """Why the application cannot be built here; None when it can."""
    for program, package in (("mvn", "maven"), ("javac", "openjdk-17-jdk-headless")):
        if not shutil.which(program):
            return f"{program} is not installed (apt-get install {package})"
    return None


@one_at_a_time
def build(spring_boot: str, layout: str = "jar", options: tuple[str, ...] = ()) -> Path:
    """The executable jar (or war) for a Spring Boot version, from the cache or built now (10 to 40 s).

    `options` go to Maven, e.g. `-Dlayered=false`. Raises AppBuildError.
    """
    command = [*LAYOUTS[layout], f"-Dee={'javax' if spring_boot < '3' else 'jakarta'}", *options]
    command += ["-Dreduced"] if spring_boot not in FULL else []
    key = hashlib.sha256(f"{_source_key()} {spring_boot} {command}".encode()).hexdigest()[:16]
    target = CACHE / "-".join([spring_boot, *([layout] if layout != "jar" else []), key])
    jar = target / f"app.{'war' if layout == 'war' else 'jar'}"
    if jar.exists():
        return jar
    reason = missing()
    if reason:
        raise AppBuildError(reason)
    print(
        f"building the demo application ({layout}) for Spring Boot {spring_boot}: {jar.relative_to(ROOT)}",
        flush=True,
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        _install_libraries(Path(directory, "libs"))
        web = Path(directory, "web")
        shutil.copytree(SOURCE / "web", web)
        maven(web, f"-Dspring-boot.version={spring_boot}", *command, "package")
        target.mkdir(exist_ok=True)
        (web / "target" / jar.name).replace(jar)
    return jar


def _install_libraries(directory: Path) -> None:
    """The three small libraries. The same jars for every build: a new one would differ by its times."""
    installed = MAVEN_REPOSITORY / f"example/{_source_key()}"
    if not installed.exists():
        shutil.copytree(SOURCE / "libs", directory)
        maven(directory, "install")
        installed.touch()


def _source_key() -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in SOURCE.rglob("*") if p.is_file() and "target" not in p.parts):
        digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@one_at_a_time
def maven(directory: Path, *arguments: str) -> None:
    command = ["mvn", "--quiet", "--batch-mode", f"-Dmaven.repo.local={MAVEN_REPOSITORY}", *arguments]
    for attempt in ("--offline", "--no-transfer-progress"):  # offline first: no look for newer snapshots
        done = subprocess.run(
            [*command, attempt], cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if not done.returncode:
            return
    raise AppBuildError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")


def next_release(jar: Path, target: Path) -> Path:
    """A copy of the application's jar as its next build would be: one class changed, and everything that the
    build writes anew (classes, resources, manifest, index files, directories) with the time of a later build."""
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("/example/web/Release.class"):
                assert data.count(b"release-1") == 1
                data = data.replace(b"release-1", b"release-2")
            library = entry.filename.endswith(".jar") or entry.filename.startswith(
                "org/springframework/boot/loader/"
            )
            if not library or entry.is_dir():
                year, *rest, second = entry.date_time
                entry.date_time = (year + 1, *rest, second)  # type: ignore[assignment]
            new.writestr(entry, data)
    return target


def changed(
    jar: Path,
    target: Path,
    *,
    added: Mapping[str, bytes] | None = None,
    moved: tuple[str, ...] = (),
    spring_boot: str | None = None,
) -> Path:
    """A copy of the jar with libraries more (file name -> bytes), with other bytes in those libraries whose names begin with
    one of ``moved``, and with another version of Spring Boot in its manifest."""
    new = {f"BOOT-INF/lib/{name}": data for name, data in (added or {}).items()}
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(target, "w") as written:
        for entry in old.infolist():
            data = old.read(entry)
            name = entry.filename.rpartition("/")[2]
            if entry.filename == "BOOT-INF/classpath.idx":
                data += "".join(f'- "{path}"\n' for path in new).encode()
            elif entry.filename == "BOOT-INF/layers.idx":
                first = b'- "dependencies":\n'
                assert data.startswith(first)
                data = data.replace(first, first + "".join(f'  - "{path}"\n' for path in new).encode())
            elif entry.filename == "META-INF/MANIFEST.MF" and spring_boot is not None:
                data = re.sub(
                    rb"Spring-Boot-Version: [\d.]+", f"Spring-Boot-Version: {spring_boot}".encode(), data
                )
            elif moved and name.endswith(".jar") and name.startswith(moved):
                data = _with_comment(data)
            written.writestr(entry, data)
        for path, data in new.items():
            written.writestr(zipfile.ZipInfo(path, (2024, 2, 1, 0, 0, 0)), data)
    return target


def _with_comment(data: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"another patch"
    return buffer.getvalue()


if __name__ == "__main__":
    for version in sys.argv[1:] or [*FULL, *OLD]:
        print(os.path.relpath(build(version)))
