"""The verdict on native libraries is what musl's own loader does with them.

Jars of Maven Central that Spring Boot services carry, in versions that differ, and small libraries built here for
each rule. The loader is right: where it and `natives` differ, `natives` is wrong. See `musl_loader` for how it is
run and what it stands for. Only files for linux/amd64 are tried.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import apps
import musl_loader
import pytest
from musl_loader import PACKAGES, Musl, compile_with

from imgopt.java.jar import read_jar
from imgopt.java.natives import NativeLibrary, musl_exports

#: Maven coordinates (a fourth part is the classifier) -> verdicts of the files for linux/amd64, in order of their
#: paths. 119 MB in all. Files whose jar has a twin for musl stand here too: the loader does not know of twins.
JARS: dict[str, tuple[str, ...]] = {
    "org.xerial.snappy:snappy-java:1.1.2.6": ("fails",),
    "org.xerial.snappy:snappy-java:1.1.8.4": ("fails",),
    "org.xerial.snappy:snappy-java:1.1.10.8": ("loads", "fails"),  # x86_64-musl, x86_64
    "net.jpountz.lz4:lz4:1.3.0": ("loads",),
    "org.lz4:lz4-java:1.8.0": ("loads",),
    "com.github.luben:zstd-jni:1.3.3-1": ("loads",),
    "com.github.luben:zstd-jni:1.4.5-6": ("needs",),
    "com.github.luben:zstd-jni:1.5.2-5": ("loads", "loads", "loads"),  # two are left over from 1.4.9
    "org.rocksdb:rocksdbjni:6.20.3:linux64": ("fails",),
    "org.rocksdb:rocksdbjni:6.20.3:linux64-musl": ("needs",),
    "org.xerial:sqlite-jdbc:3.8.11.2": ("loads",),
    "org.xerial:sqlite-jdbc:3.34.0": ("loads", "loads"),  # Linux, Linux-Alpine
    "org.xerial:sqlite-jdbc:3.46.1.3": ("loads", "loads"),
    "io.netty:netty-tcnative-boringssl-static:2.0.36.Final:linux-x86_64": ("needs",),
    "io.netty:netty-tcnative-boringssl-static:2.0.61.Final:linux-x86_64": ("fails",),
    "io.netty:netty-tcnative-boringssl-static:2.0.65.Final:linux-x86_64": ("loads",),
    "io.netty:netty-tcnative-boringssl-static:2.0.74.Final:linux-x86_64": ("fails",),
    "io.netty:netty-tcnative:2.0.65.Final:linux-x86_64": ("unknown",),
    "io.netty:netty-transport-native-epoll:4.1.49.Final:linux-x86_64": ("loads",),
    "io.netty:netty-transport-native-epoll:4.1.119.Final:linux-x86_64": ("loads",),
    "io.netty.incubator:netty-incubator-codec-native-quic:0.0.71.Final:linux-x86_64": ("fails",),
    "io.netty.incubator:netty-incubator-transport-native-io_uring:0.0.25.Final:linux-x86_64": ("loads",),
    "net.java.dev.jna:jna:4.5.2": ("loads",),
    "net.java.dev.jna:jna:5.17.0": ("loads",),
    "com.github.jnr:jffi:1.3.13:native": ("loads",),
    "org.fusesource.jansi:jansi:1.18": ("loads",),
    "org.fusesource.jansi:jansi:2.4.1": ("loads",),
    "jline:jline:2.14.6": ("loads",),
    "org.jline:jline-native:3.29.0": ("loads",),
    "com.aayushatharva.brotli4j:native-linux-x86_64:1.18.0": ("needs",),
    "org.fusesource.leveldbjni:leveldbjni-all:1.8": ("needs",),
    "org.apache.commons:commons-crypto:1.0.0": ("needs",),
    "org.apache.commons:commons-crypto:1.2.0": ("loads",),
    "org.conscrypt:conscrypt-openjdk-uber:2.5.2": ("fails",),
    "software.amazon.cryptools:AmazonCorrettoCryptoProvider:2.4.1:linux-x86_64": ("fails",),
    "com.kohlschutter.junixsocket:junixsocket-native-common:2.10.1": ("loads", "loads"),
    "tools.profiler:async-profiler:3.0": ("needs",),
    "org.apache.arrow:arrow-c-data:18.1.0": ("needs",),
    "org.bytedeco:javacpp:1.5.11:linux-x86_64": ("needs",),
    # libgomp.so.1, libjnileptonica.so, which needs the last one beside it, libleptonica.so.6
    "org.bytedeco:leptonica:1.85.0-1.5.11:linux-x86_64": ("fails", "fails", "fails"),
    # libgcc_s.so.1, libgfortran.so.5, libjniopenblas.so, libjniopenblas_nolapack.so, libopenblas.so.0, libquadmath.so.0
    "org.bytedeco:openblas:0.3.28-1.5.11:linux-x86_64": (*["fails"] * 3, "unknown", "fails", "fails"),
    "com.github.fommil.netlib:netlib-native_system-linux-x86_64:1.1:natives": ("unknown",),
    "it.ozimov:embedded-redis:0.7.3": ("fails",),  # a program
}


@pytest.fixture(scope="module")
def musl(tmp_path_factory: pytest.TempPathFactory) -> Musl:
    reason = musl_loader.missing()
    if reason:
        pytest.skip(reason)
    return musl_loader.musl(tmp_path_factory.mktemp("musl"))


@pytest.fixture(scope="module")
def jars(musl: Musl) -> dict[str, Path]:
    """Every jar of the table in Maven's repository of these tests, downloaded when it is not there yet."""
    if not all(in_repository(coordinates).exists() for coordinates in JARS):
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "pom.xml").write_text(project(list(JARS), f"{directory}/copies"))
            apps.maven(Path(directory), "--strict-checksums", "dependency:copy")
    return {coordinates: in_repository(coordinates) for coordinates in JARS}


def in_repository(coordinates: str) -> Path:
    group, artifact, version, *classifier = coordinates.split(":")
    directory = apps.MAVEN_REPOSITORY / group.replace(".", "/") / artifact / version
    return directory / f"{'-'.join([artifact, version, *classifier])}.jar"


def project(artifacts: list[str], target: str) -> str:
    """A Maven project whose `dependency:copy` fetches the artifacts and nothing that they depend on."""
    names = ("groupId", "artifactId", "version", "classifier")
    items = "".join(
        "<artifactItem>"
        + "".join(f"<{name}>{part}</{name}>" for name, part in zip(names, each.split(":"), strict=False))
        + "</artifactItem>"
        for each in artifacts
    )
    return f"""<project><modelVersion>4.0.0</modelVersion>
<groupId>example</groupId><artifactId>natives</artifactId><version>1</version><packaging>pom</packaging>
<build><plugins><plugin>
<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
<configuration><outputDirectory>{target}</outputDirectory><artifactItems>{items}</artifactItems></configuration>
</plugin></plugins></build></project>"""


@pytest.mark.parametrize("coordinates", JARS)
def test_natives_of_a_published_jar(
    coordinates: str, jars: dict[str, Path], musl: Musl, tmp_path: Path
) -> None:
    natives = for_amd64(jars[coordinates])
    said = {native.path: (native.musl_verdict, native.musl_reason) for native in natives}
    assert tuple(verdict for verdict, _ in said.values()) == JARS[coordinates], said
    files = unpacked(jars[coordinates], natives, tmp_path)
    assert [line for native in natives for line in differences(musl, native, files[native.path])] == []


def test_a_virtual_machine_for_musl_agrees(jars: dict[str, Path], musl: Musl, tmp_path: Path) -> None:
    """`System.load` in a real one, for all files that do not kill it: those that load do so with all symbols."""
    expected: dict[Path, bool] = {}
    for number, jar in enumerate(jars.values()):
        natives = for_amd64(jar)
        files = unpacked(jar, natives, tmp_path / str(number))
        for native in natives:
            loads = native.musl_verdict in ("loads", "needs")
            if loads and not native.undefined:
                expected[files[native.path]] = True
            elif not loads and musl.open(files[native.path], packages=PACKAGES).kind == "refused":
                expected[files[native.path]] = False
    assert len([file for file, loads in expected.items() if loads]) > 20
    found = musl.system_load(expected)
    # other errors than this one come from JNI_OnLoad, which misses the classes of its jar: the library is loaded
    loaded = {file: not text.startswith("java.lang.UnsatisfiedLinkError") for file, text in found.items()}
    assert [(file, found.get(file)) for file, loads in expected.items() if loaded.get(file) != loads] == []


def for_amd64(jar: Path) -> list[NativeLibrary]:
    found = [
        each for each in read_jar(jar, classes=False).natives if (each.os, each.arch) == ("linux", "amd64")
    ]
    return sorted(found, key=lambda native: native.path)


def unpacked(jar: Path, natives: list[NativeLibrary], directory: Path) -> dict[str, Path]:
    """Path in the jar -> the file, all of them in the directories that they have in the jar."""
    files = {}
    with zipfile.ZipFile(jar) as archive:
        for native in natives:
            outer, _, inner = native.path.partition("!/")
            data = archive.read(outer)
            if inner:
                with zipfile.ZipFile(BytesIO(data)) as nested:
                    data = nested.read(inner)
            files[native.path] = directory / native.path.replace("!/", "/")
            files[native.path].parent.mkdir(parents=True, exist_ok=True)
            files[native.path].write_bytes(data)
    return files


def differences(musl: Musl, native: NativeLibrary, file: Path) -> Iterator[str]:
    """What the loader does otherwise than `native` says, one line each."""
    said = f"{native.path} is said: {native.musl_verdict}, {native.musl_reason}"
    if native.musl_reason.startswith("a program for"):
        if (printed := musl.run(file)) is not None:
            yield f"{said}; it runs: {printed}"
        return
    wanted = set(native.musl_packages)
    if native.musl_verdict in ("fails", "unknown"):
        empty: set[str] = set()
        everything = musl.open(file, packages=PACKAGES)
        while (set(everything.names) - named(native.musl_reason) - empty) & set(native.needed):
            # another library is missing too; with that out of the way, the reason given must do
            empty |= set(everything.names)
            everything = musl.open(file, packages=PACKAGES, empty=empty)
        if everything.kind == "loaded":
            yield f"{said}; it loads"
        elif everything.kind == "killed":
            # natives knows a few functions that constructors of GCC's libraries call
            if native.musl_verdict != "fails" or not set(native.undefined) & named(native.musl_reason):
                yield f"{said}; a constructor dies"
        elif not set(everything.names) & named(native.musl_reason):
            yield f"{said}; the loader names another cause: {everything.text}"
        return
    bare = musl.open(file)
    if native.musl_verdict == "loads" and bare.kind != "loaded":
        yield f"{said}; {bare.kind}: {bare.text}"
    if native.musl_verdict == "needs":
        for package in wanted:
            # without one of the packages, and those that bring its files as well, it does not load
            files = set(PACKAGES.get(package, native.needed))
            left = {each for each in wanted & PACKAGES.keys() if not files <= set(PACKAGES[each])}
            absent = files.union(*(PACKAGES[each] for each in PACKAGES.keys() - left))
            without = musl.open(file, packages=left)
            if without.kind != "refused" or not set(without.names) & absent:
                yield f"{said}; without {package} it is {without.kind}: {without.text}"
        if not wanted <= PACKAGES.keys():
            return  # nothing stands for such a package
        with_them = musl.open(file, packages=wanted)
        if with_them.kind != "loaded":
            yield f"{said}; with its packages it is {with_them.kind}: {with_them.text}"
    # bound at once, the loader tells whether `undefined` is complete
    lacking = set(native.undefined) - musl.only_here
    at_once = musl.open(file, packages=wanted, now=True)
    if (at_once.kind == "loaded") == bool(lacking) or not set(at_once.names) <= lacking:
        yield f"{said}; bound at once, without {sorted(lacking)}, it is {at_once.kind}: {at_once.text}"


def named(reason: str) -> set[str]:
    """The words of a reason, among them the causes that it names, as `Outcome.names` has them."""
    return {word.strip(",:;()") for word in reason.split()}


@dataclass(frozen=True, slots=True)
class Built:
    """A library for glibc built here: one rule each."""

    name: str
    source: str
    verdict: str
    options: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()


VERSION = "const char *gnu_get_libc_version(void);\n"  # glibc only
CHOSEN = "static int one(void) { return 1; } static void *choose(void) { return one; }\n"
OLD = '__asm__(".symver of,of@V1"); void of(void) {}\n'
BUILT = (
    Built("plain", "int getpid(void); int f(void) { return getpid(); }", "loads"),
    Built("needs-nothing", "int f(void) { return 1; }", "loads", ("-nostdlib",)),
    Built(
        "function-that-musl-lacks",
        VERSION + "const char *f(void) { return gnu_get_libc_version(); }",
        "loads",
        undefined=("gnu_get_libc_version",),
    ),
    Built(
        "function-that-musl-lacks-without-plt",
        VERSION + "const char *f(void) { return gnu_get_libc_version(); }",
        "loads",
        ("-fno-plt",),
        ("gnu_get_libc_version",),
    ),
    Built(
        "function-that-musl-lacks-bound-at-once",
        VERSION + "const char *f(void) { return gnu_get_libc_version(); }",
        "fails",
        ("-Wl,-z,now",),
        ("gnu_get_libc_version",),
    ),
    Built(
        "function-that-musl-lacks-in-a-table",
        VERSION + "void *table[] = {gnu_get_libc_version};",
        "fails",
        undefined=("gnu_get_libc_version",),
    ),
    Built(
        "weak-function-that-musl-lacks",
        VERSION + "#pragma weak gnu_get_libc_version\nvoid *table[] = {gnu_get_libc_version};",
        "loads",
        ("-Wl,-z,now",),
    ),
    # 1.2.3 exports them, later releases map them
    Built(
        "large-files",
        "void *fopen64(void *, void *); void *table[] = {fopen64}; void *f(void) { return fopen64(0, 0); }",
        "loads",
        ("-Wl,-z,now",),
    ),
    Built(
        "posix_fallocate64",
        "int posix_fallocate64(int, long, long); int f(void) { return posix_fallocate64(0, 0, 1); }",
        "loads",
        undefined=("posix_fallocate64",),
    ),
    # calls a function of glibc's loader, and so names it
    Built("thread-local", "__thread int x; int f(void) { return x++; }", "fails"),
    Built(
        "thread-local-descriptors",
        "__thread int x; int f(void) { return x++; }",
        "loads",
        ("-mtls-dialect=gnu2",),
    ),
    Built(
        "thread-local-initial-exec",
        "__thread int x; int f(void) { return x++; }",
        "fails",
        ("-ftls-model=initial-exec",),
    ),
    Built(
        "chosen-at-load-time",
        CHOSEN + 'static int g(void) __attribute__((ifunc("choose"))); int f(void) { return g(); }',
        "fails",
    ),
    Built(
        "exported-and-chosen-at-load-time",
        CHOSEN + 'int g(void) __attribute__((ifunc("choose"))); int f(void) { return g(); }',
        "loads",
        undefined=("g",),
    ),
    Built("own-old-version", OLD + "void *table[] = {of};", "fails", undefined=("of",)),
    Built("own-old-version-called", OLD + "void f(void) { of(); }", "loads", undefined=("of",)),
    Built(
        "needs-the-jvm",
        "int JNI_GetCreatedJavaVMs(void **, int, int *); int f(void) { return JNI_GetCreatedJavaVMs(0, 0, 0); }",
        "loads",
        ("-Wl,--no-as-needed", "-ljvm", "-Wl,-z,now"),
    ),
    Built(
        "uses-the-jvm-of-the-process",
        "int JNI_GetCreatedJavaVMs(void **, int, int *); int f(void) { return JNI_GetCreatedJavaVMs(0, 0, 0); }",
        "loads",
        ("-Wl,-z,now",),
    ),
    Built(
        "text-relocations",
        "int x; int f(void) { return x; }",
        "loads",
        ("-fno-PIC", "-mcmodel=large", "-Wl,-z,notext"),
    ),
)


@pytest.mark.parametrize("built", BUILT, ids=lambda built: built.name)
def test_a_library_built_for_a_rule(built: Built, musl: Musl, tmp_path: Path) -> None:
    options = list(built.options)
    if ".symver" in built.source:
        script = tmp_path / "versions"
        script.write_text("V1 {};")
        options.append(f"-Wl,--version-script={script}")
    library(tmp_path / "lib" / "libx.so", built.source, f"-L{musl.root / 'jvm'}", *options)
    (native,) = check(musl, tmp_path / "lib")
    assert (native.musl_verdict, native.undefined) == (built.verdict, built.undefined), native.musl_reason


def library(target: Path, source: str, *options: str | Path) -> Path:
    """Build a shared library for glibc. Some compilers bind at once by default: not here."""
    target.parent.mkdir(exist_ok=True)
    compile_with("cc", source, target, "-shared", "-fPIC", "-w", "-Wl,-z,lazy", *options)
    return target


def check(musl: Musl, directory: Path) -> list[NativeLibrary]:
    """What a jar with the files of this directory is said to hold, after the loader agreed."""
    jar = directory.with_suffix(".jar")
    with zipfile.ZipFile(jar, "w") as archive:
        for file in sorted(directory.iterdir()):
            archive.write(file, file.name)
    natives = for_amd64(jar)
    assert [line for each in natives for line in differences(musl, each, directory / each.path)] == []
    return natives


def test_a_constructor_that_calls_what_musl_lacks(musl: Musl, tmp_path: Path) -> None:
    """The load dies, which headers do not tell. What they tell is that `undefined` is not empty."""
    source = VERSION + "__attribute__((constructor)) void f(void) { gnu_get_libc_version(); }"
    file = library(tmp_path / "lib" / "libx.so", source)
    assert musl.open(file).kind == "killed"
    jar = tmp_path / "x.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.write(file, "libx.so")
    (native,) = for_amd64(jar)
    assert (native.musl_verdict, native.undefined) == ("loads", ("gnu_get_libc_version",))


BASE = "int base(void) { return 1; }"
USER = "int base(void); int f(void) { return base(); }"


@pytest.mark.parametrize(
    ("run_path", "file", "verdict"),
    [
        ("$ORIGIN", "libbase.so.1", "loads"),
        ("${ORIGIN}/", "libbase.so.1", "loads"),
        ("/nowhere:$ORIGIN/.", "libbase.so.1", "loads"),
        ("$ORIGIN:$LIB", "libbase.so.1", "fails"),  # musl drops a path with a variable that it does not know
        ("/nowhere", "libbase.so.1", "fails"),
        ("", "libbase.so.1", "fails"),
        ("", "libbase.so", "fails"),
        ("$ORIGIN", "libbase.so", "unknown"),  # the library may be unpacked under the name that is needed
    ],
)
@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_library_that_needs_another_of_the_jar(
    run_path: str, file: str, verdict: str, tags: str, musl: Musl, tmp_path: Path
) -> None:
    base = library(tmp_path / "lib" / file, BASE, "-Wl,-soname,libbase.so.1")
    options = [f"-Wl,-rpath,{run_path}"] if run_path else []
    user = library(tmp_path / "lib" / "libuser.so", USER, base, f"-Wl,{tags}", *options)
    natives = {native.path: native for native in check(musl, tmp_path / "lib")}
    assert (natives[file].musl_verdict, natives["libuser.so"].musl_verdict) == ("loads", verdict)
    # having opened it before does not help, as it does with glibc
    assert (musl.open(base, user).kind == "loaded") == (verdict == "loads")


@pytest.mark.parametrize(
    ("source", "options", "verdict"),
    [
        ("int base(void) { return 1; }", (), "loads"),
        (VERSION + "int base(void) { return !gnu_get_libc_version(); }", ("-Wl,-z,now",), "fails"),
        ("int base(void) { return 1; }", ("-Wl,--no-as-needed", "-lgcc_s"), "needs"),
    ],
)
def test_a_library_is_no_better_than_what_it_needs_beside_it(
    source: str, options: tuple[str, ...], verdict: str, musl: Musl, tmp_path: Path
) -> None:
    """Over two steps: libtop needs libmiddle, which needs libbase."""
    origin = "-Wl,-rpath,$ORIGIN"
    base = library(tmp_path / "lib" / "libbase.so", source, *options, "-Wl,-soname,libbase.so")
    middle = "int base(void); int middle(void) { return base(); }"
    lower = library(tmp_path / "lib" / "libmiddle.so", middle, base, origin, "-Wl,-soname,libmiddle.so")
    library(tmp_path / "lib" / "libtop.so", "int middle(void); int f(void) { return middle(); }", lower, origin,
            f"-Wl,-rpath-link,{tmp_path / 'lib'}")  # fmt: skip
    assert [native.musl_verdict for native in check(musl, tmp_path / "lib")] == [verdict] * 3


def test_initial_exec_variables_of_another_library(musl: Musl, tmp_path: Path) -> None:
    base = library(tmp_path / "lib" / "libbase.so", "__thread int x;", "-Wl,-soname,libbase.so")
    source = "extern __thread int x; int f(void) { return x; }"
    library(tmp_path / "lib" / "libuser.so", source, base, "-Wl,-rpath,$ORIGIN", "-ftls-model=initial-exec")
    assert [native.musl_verdict for native in check(musl, tmp_path / "lib")] == ["loads", "fails"]


def test_packed_relocations_need_musl_1_2_4(musl: Musl, tmp_path: Path) -> None:
    """Older ones leave the pointers as they are, and die in the constructor that follows them."""
    source = "static void f(void) {} void (*table[])(void) = {f};\n"
    source += "__attribute__((constructor)) void g(void) { table[0](); }"
    file = library(tmp_path / "lib" / "libx.so", source, "-nostdlib", "-Wl,-z,pack-relative-relocs")
    assert musl.open(file).kind == ("loaded" if musl.version >= (1, 2, 4) else "killed")


def test_every_symbol_of_the_list_is_found_by_the_loader(musl: Musl, tmp_path: Path) -> None:
    """Also by later releases than the one that the list was made from, which map what they do not export."""
    table = ".data\n" + "".join(f".quad {name}\n" for name in sorted(musl_exports()))
    file = library(tmp_path / "lib" / "libx.so", table, "-nostdlib", "-Wl,-z,now")
    assert musl.open(file) == musl_loader.Outcome("loaded", "")
    one_more = table + ".quad gnu_get_libc_version\n"
    file = library(tmp_path / "lib" / "liby.so", one_more, "-nostdlib", "-Wl,-z,now")
    assert musl.open(file).names == ("gnu_get_libc_version",)


HELLO = 'int puts(const char *); int main(void) { puts("hello"); return 0; }'


@pytest.mark.parametrize(
    ("compiler", "options", "verdict"),
    [
        ("cc", ("-no-pie",), "fails"),
        ("cc", ("-pie", "-fPIE"), "fails"),
        ("cc", ("-static", "-no-pie"), "loads"),
        ("cc", ("-static-pie", "-fPIE"), "loads"),
        ("musl-gcc", (), "loads"),
        ("musl-gcc", ("-static", "-no-pie"), "loads"),
    ],
)
def test_a_program(compiler: str, options: tuple[str, ...], verdict: str, musl: Musl, tmp_path: Path) -> None:
    program = tmp_path / "lib" / "hello.exe"
    program.parent.mkdir()
    compile_with(compiler, HELLO, program, *options)
    jar = tmp_path / "x.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.write(program, "hello.exe")
    (native,) = for_amd64(jar)
    assert native.musl_verdict == verdict, native.musl_reason
    assert musl.run(program) == ("hello\n" if verdict == "loads" else None)
