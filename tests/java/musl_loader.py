"""The real loader of musl, to hold verdicts against: a program linked with musl that opens files as a JVM does.

It runs with a copy of Debian's loader in a directory of its own, whose search path holds what a test asks for:
nothing of the machine is found by chance. What stands for what:

* The program first opens a stand-in for `libjvm.so` with its symbols for everybody, and finds it by name, as with
  Java's launcher, which on musl puts the directories of the runtime into LD_LIBRARY_PATH.
* Debian has no libstdc++ and libgcc for musl. Those of Alpine come from a wheel on PyPI, greenlet for musllinux_1_1,
  built on Alpine 3.12: auditwheel copies them in from there and puts a part of their digest into the names, which
  are taken back here. A newer wheel would not do: its libraries use packed relocations, which need musl 1.2.4.
* Debian 12 has musl 1.2.3, Debian 13 has 1.2.5, Alpine 3.20 and later have 1.2.5. The differences that matter here:
  from 1.2.4 on the names ending in 64 (`fopen64`) are not exported but mapped when a library is relocated, and
  `posix_fallocate64`, which 1.2.3 still exports, was forgotten there (mended after 1.2.5). imgopt's verdicts are those
  for 1.2.4 and 1.2.5; `Musl.only_here` is what the loader at hand has beyond them.

Only files for x86-64 can be loaded here. Those for arm64 in the jars of the test were compared once by hand, under
QEMU with musl 1.2.5: all verdicts agreed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from stand_ins import ALPINE_JAVA, _unpack_java, _without_glibc_checks

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "musl"
LOADER = Path("/lib/ld-musl-x86_64.so.1")

# greenlet 3.0.3, CPython 3.11, musllinux_1_1: 1.2 MB
WHEEL = "greenlet==3.0.3 --hash=sha256:{sha256}\n"
SHA256 = "894393ce10ceac937e56ec00bb71c4c2f8209ad516e96033e4b3b1de270e200d"
PLATFORM = ("--platform=musllinux_1_1_x86_64", "--python-version=3.11", "--implementation=cp")
#: Alpine's packages that the wheel stands for: the files that installing each brings, with what it depends on.
PACKAGES = {
    "libgcc": ("libgcc_s.so.1",),
    "libstdc++": ("libstdc++.so.6", "libgcc_s.so.1"),
}

PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* JVM lazy|now FILE... : opens the files one after the other */
int main(int count, char **words)
{
    int i, mode = strcmp(words[2], "now") ? RTLD_LAZY : RTLD_NOW;
    setvbuf(stdout, 0, _IONBF, 0);
    if (!dlopen(words[1], RTLD_NOW | RTLD_GLOBAL)) {
        puts(dlerror());
        _exit(3);
    }
    for (i = 3; i < count; i++)
        if (!dlopen(words[i], mode)) {
            puts(dlerror());
            _exit(1);
        }
    _exit(0); /* not through destructors: what is opened stays open in a JVM */
}
"""
JVM = """
int JNI_GetCreatedJavaVMs(void **a, int b, int *c) { return -1; }
int JNI_GetDefaultJavaVMInitArgs(void *a) { return -1; }
int JNI_CreateJavaVM(void **a, void **b, void *c) { return -1; }
"""


JAVA_CLASS = """
public class Load {
    public static void main(String[] files) {
        for (String file : files) {
            String outcome = "loaded";
            try {
                System.load(file);
            } catch (Throwable thrown) {
                outcome = thrown.toString().replace("\\n", " ");
            }
            System.out.println(file + "\\t" + outcome);
        }
    }
}
"""


class MuslError(Exception):
    """The loader could not be set up; the text says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: Literal["loaded", "refused", "killed"]
    """`killed`: by a signal, in a constructor."""
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The library, the symbol, `initial-exec` or `ifunc`: the cause that musl's message gives."""
        found = re.search(
            r"shared library (?P<library>\S+?):|: (?P<symbol>\S+): symbol not found|(?P<tls>initial-exec) TLS"
            r"|unsupported (?P<relocation>relocation) type 37",
            self.text,
        )
        if found is None:
            return ()
        return ("ifunc",) if found["relocation"] else tuple(name for name in found.groups() if name)


def missing() -> str | None:
    """Why the loader cannot be tried here; None when it can."""
    if (os.uname().sysname, os.uname().machine) != ("Linux", "x86_64"):
        return "the loader is tried on Linux x86-64 only"
    for program, package in (
        ("musl-gcc", "musl-tools"),
        ("cc", "gcc"),
        ("mvn", "maven"),
        ("javac", "openjdk-17-jdk-headless"),
    ):
        if not shutil.which(program):
            return f"{program} is not installed (apt-get install {package})"
    if not LOADER.exists():
        return f"{LOADER} is not there (apt-get install musl)"
    return None


@dataclass(frozen=True, slots=True)
class Musl:
    """A directory with the loader, the program, `libjvm.so` and the libraries of Alpine packages."""

    root: Path
    version: tuple[int, ...]

    def open(
        self, *files: Path, packages: Collection[str] = (), empty: Collection[str] = (), now: bool = False
    ) -> Outcome:
        """What becomes of opening the files one after the other, with these packages installed.

        `empty` are names of libraries that are there with nothing in them; `now` binds every function at once.
        """
        for name in empty:
            if not (self.root / "empty" / name).exists():
                compile_with("musl-gcc", "", self.root / "empty" / name, "-shared")
        places = [self.root / "packages" / package for package in packages]
        # the loader reads this file of the tree that it lies in itself
        search = self.root / "etc" / "ld-musl-x86_64.path"
        search.write_text(":".join(map(str, [*places, *([self.root / "empty"] if empty else [])])) or "/none")
        done = subprocess.run(
            [
                *(self.root / "lib" / LOADER.name, self.root / "program", self.root / "jvm" / "libjvm.so"),
                *("now" if now else "lazy", *files),
            ],
            env={"LD_LIBRARY_PATH": str(self.root / "jvm")},
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        if done.returncode not in (0, 1) and done.returncode >= 0:
            raise MuslError(f"the program ended with {done.returncode}: {done.stdout}")
        kind: Literal["loaded", "refused", "killed"] = "loaded" if done.returncode == 0 else "refused"
        return Outcome("killed" if done.returncode < 0 else kind, done.stdout.strip())

    @property
    def only_here(self) -> frozenset[str]:
        """Symbols that libraries find with the loader at hand and not with musl 1.2.4 and 1.2.5."""
        return frozenset(() if (1, 2, 4) <= self.version <= (1, 2, 5) else {"posix_fallocate64"})

    def run(self, program: Path) -> str | None:
        """Start a program where nothing but musl is: what it prints, None when the system finds no loader for it."""
        target = self.root / "started"
        shutil.copyfile(program, target)
        target.chmod(0o755)
        as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        done = subprocess.run(
            [*as_root, "chroot", self.root, "/started", "--version"],
            text=True,
            capture_output=True,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin", "LC_ALL": "C"},
            timeout=120,
        )
        if done.stderr.startswith(("unshare:", "chroot: cannot change")):
            pytest.skip(f"a program can be started apart by root only, or in a user namespace: {done.stderr}")
        if done.returncode == 127 and "No such file or directory" in done.stderr:
            return None
        if done.returncode:
            raise MuslError(f"{program.name} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def system_load(self, files: Collection[Path]) -> dict[Path, str]:
        """What `System.load` does with each file in a Java virtual machine for musl that has the packages.

        The machine is the one that stands for Alpine's in other tests; it starts with Debian's loader itself.
        """
        home = self.root / "java"
        if not home.exists():
            _unpack_java(ALPINE_JAVA, home)
            (zlib,) = Path("/usr/lib/x86_64-linux-gnu").glob("libz.so.1")
            (home / "zlib").mkdir()
            (home / "zlib" / zlib.name).write_bytes(_without_glibc_checks(zlib.read_bytes()))
            (home / "Load.java").write_text(JAVA_CLASS)
            subprocess.run(["javac", "--release", "17", "Load.java"], cwd=home, check=True)
        places = [home / "zlib", *(self.root / "packages" / package for package in PACKAGES)]
        done = subprocess.run(
            [home / "bin" / "java", "-Xshare:off", "-cp", home, "Load", *files],
            env={"LD_LIBRARY_PATH": ":".join(map(str, places))},
            text=True,
            capture_output=True,
            timeout=300,
        )
        if done.returncode:
            raise MuslError(f"java ended with {done.returncode}: {done.stdout[-4000:]}{done.stderr[-1000:]}")
        return {
            Path(file): text for file, _, text in (row.partition("\t") for row in done.stdout.splitlines())
        }


def musl(root: Path) -> Musl:
    """Set up the directory `root`, which must be empty."""
    for name in ("lib", "etc", "jvm", "empty"):
        (root / name).mkdir(parents=True)
    loader = root / "lib" / LOADER.name
    shutil.copyfile(LOADER.resolve(), loader)
    loader.chmod(0o755)
    compile_with("musl-gcc", PROGRAM, root / "program")
    compile_with("musl-gcc", JVM, root / "jvm" / "libjvm.so", "-shared", "-fPIC", "-w")
    _alpine_libraries(root / "packages")
    said = subprocess.run([loader], text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL).stderr
    version = re.search(r"Version (\d+(?:\.\d+)+)", said)
    if version is None:
        raise MuslError(f"{LOADER} does not tell its version: {said}")
    return Musl(root, tuple(map(int, version[1].split("."))))


def compile_with(compiler: str, source: str, target: Path, *options: str | Path) -> None:
    language = "assembler" if source.startswith(".") else "c"
    command = [compiler, "-x", language, "-", "-x", "none", "-O1", "-o", target, *options]
    done = subprocess.run(command, input=source, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise MuslError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def _alpine_libraries(target: Path) -> None:
    target.mkdir()
    with zipfile.ZipFile(_wheel()) as wheel:
        for name in wheel.namelist():
            if name.startswith("greenlet.libs/lib"):
                (target / Path(name).name).write_bytes(wheel.read(name))
    for package, files in PACKAGES.items():
        (target / package).mkdir()
        for file in files:
            stem, _, version = file.partition(".so")
            (bundled,) = target.glob(f"{stem}-*.so{version}*")
            # libstdc++ asks for libgcc_s by the name with the digest; both must be one file
            for name in (file, bundled.name):
                (target / package / name).symlink_to(bundled)


def _wheel() -> Path:
    if not any(CACHE.glob("greenlet-*.whl")):
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            Path(directory, "requirements.txt").write_text(WHEEL.format(sha256=SHA256))
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                    *("--only-binary=:all:", *PLATFORM, "--require-hashes", "-r", "requirements.txt"),
                ],
                cwd=directory,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if done.returncode:
                raise MuslError(f"pip download failed:\n{done.stdout[-4000:]}")
            for file in Path(directory).glob("*.whl"):
                file.replace(CACHE / file.name)
    return next(CACHE.glob("greenlet-*.whl"))
