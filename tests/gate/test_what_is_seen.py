"""A gate that cannot tell never passes: images made by hand to hide a JDK, root, tools or the application from it."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt, Run
from image_samples import Content, docker_archive, layer, link

JAVAC = b"\x7fELF" + random.Random(1).randbytes(20_000)
SYMBOLIC = tarfile.SYMTYPE
Files = Mapping[str, Content]
APP = {"app/app.jar": b"PK"}


def runtime(*modules: str) -> bytes:
    """The front of a `lib/modules`: header, tables and the names of its modules."""
    strings = b"\0" + b"\0".join(name.encode() for name in modules) + b"\0"
    return (
        struct.pack("<7I", 0xCAFEDADA, 1 << 16, 0, 1, 1, 1, len(strings)) + bytes(9) + strings + bytes(3000)
    )


def zipped(*names: str, size: int = 100) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, random.Random(number).randbytes(size))
    return output.getvalue()


TOOLS = zipped("com/sun/tools/javac/Main.class")


def forbid(imgopt: Imgopt, tmp_path: Path, what: str, layers: Sequence[Files], **config: Any) -> Run:
    image = docker_archive(tmp_path / "image.tar", [layer(each) for each in layers], **config)
    return imgopt("gate", image, "--forbid", what, "--format", "json")


# a JDK, by what it is and wherever it stands


@pytest.mark.parametrize(
    "layers",
    [
        *([{f"{home}bin/javac": JAVAC}] for home in (
            "usr/local/", "usr/", "", "usr/share/", "lib/jvm/java-17/", "libexec/", "usr/lib/", "usr/libexec/",
            "usr/lib/jvm/ibm-semeru-open-17-jdk/", "opt/graalvm-ce-java17-22.3.0/", "opt/jdk/Contents/Home/",
            "app/", "home/app/.sdkman/candidates/java/17/", "srv/.hidden/",
        )),
        [{"opt/java/bin/java": JAVAC, "opt/java/bin/javac": link("opt/java/bin/java")}],
        [{"data/blob": JAVAC}, {"usr/local/bin/javac": link("data/blob")}],
        [{"usr/local/bin/javac": link("/data/blob", SYMBOLIC)}, {"data/blob": JAVAC}],
        [{"usr/bin/javac": link("/etc/alternatives/javac", SYMBOLIC),
          "etc/alternatives/javac": link("../../data/x", SYMBOLIC), "data/x": JAVAC}],
        [{"opt/j/bin": link("/data/things", SYMBOLIC), "data/things/javac": b"\0compiler"}],
        [{"opt/j": link("/data/j", SYMBOLIC), "data/j/bin/javac": JAVAC}],
        [{"opt/tools/javac": JAVAC}],
        [{"usr/lib/jvm/java-8/lib/tools.jar": TOOLS}],
        [{"usr/lib/tools.jar": TOOLS}],
        [{"opt/data.bin": TOOLS}, {"opt/java8/lib/tools.jar": link("opt/data.bin")}],
        [{"opt/data.bin": TOOLS, "opt/java8/lib/tools.jar": link("../../data.bin", SYMBOLIC)}],
        [{"opt/data/tools.jar": TOOLS, "opt/java8/lib": link("../data", SYMBOLIC)}],
        [{"opt/j/bin/jc": JAVAC + b"-m\0jdk.compiler/com.sun.tools.javac.Main\0"}],
        [{"opt/java/lib/modules": runtime("java.base", "jdk.compiler"), "opt/java/jmods/java.base.jmod": b"JM"}],
        [{"opt/java/lib/modules": runtime("java.base", "jdk.compiler")}, {"usr/bin/javac": JAVAC}],
        [{"opt/java/jmods/jdk.compiler.jmod": b"JM"}],
        [{"usr/jmods/java.base.jmod": b"JM"}],
        [{"d/c": JAVAC, "d/s": link("/d/c", SYMBOLIC), "usr/bin/javac": link("d/s")}],
        [{"bin": link("usr/bin", SYMBOLIC), "usr/bin/x": JAVAC, "usr/local/bin/javac": link("bin/x")}],
        [{"opt/OpenJDK17U-jdk_x64_linux_hotspot_17.0.9_9.tar.gz": JAVAC}],
        [{"opt/compiler.jar": zipped("com/sun/tools/javac/Main.class", size=100_000)}],
        # a later layer's whiteout hides it, and it is stored and pushed all the same
        [{"opt/java/bin/javac": JAVAC}, {"opt/.wh.java": b""}],
        # hidden, and there again
        [{"opt/java/bin/javac": JAVAC}, {"opt/.wh.java": b""}, {"opt/java/bin/javac": JAVAC}],
    ],
)  # fmt: skip
def test_a_jdk_is_found(imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files]) -> None:
    run = forbid(imgopt, tmp_path, "jdk", [*layers, APP])
    (budget,) = run.json["targets"][0]["budgets"]
    assert (run.code, budget["actual"]) == (1, ["jdk"]), budget


@pytest.mark.parametrize(
    "layers",
    [
        [{"usr/lib/jvm/jdk-17/lib/modules": runtime("java.base"), "usr/lib/jvm/jdk-17/bin/java": JAVAC}],
        [{"opt/jdk": None, "opt/jdk/README": b"none"}],
        [{"usr/share/bash-completion/completions/javac": b"complete -F _javac javac\n"}],
        [{"usr/bin/javac": link("/etc/alternatives/javac", SYMBOLIC)}],
        [{"usr/bin/javac": link("/usr/bin/javac", SYMBOLIC)}],
        [{"app/lib/tools.jar": zipped("com/acme/Tools.class")}],
        [{"opt/java/bin/javac": b""}],
    ],
)
def test_what_is_no_jdk_is_none(imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files]) -> None:
    run = forbid(imgopt, tmp_path, "jdk", [*layers, APP])
    assert run.code == 0, run.text


@pytest.mark.parametrize(
    "layers",
    [
        # openjdk-17-jre-headless of Debian, and of distroless and UBI, has them
        [{"usr/lib/jvm/j/lib/modules": runtime("java.base", "jdk.compiler"), "usr/lib/jvm/j/lib/ct.sym": b"PK",
          "usr/lib/jvm/j/bin/java": JAVAC, "usr/lib/jvm/j/bin/jpackage": JAVAC,
          "usr/lib/jvm/j/lib/libjli.so": JAVAC + b"jdk.compiler/com.sun.tools.javac.launcher.Main\0"}],
        [{"lib/modules": runtime("java.base", "jdk.compiler")}],
        [{"data/blob": runtime("java.base", "jdk.compiler"), "opt/java/lib/modules": link("data/blob")}],
        [{"usr/lib/jvm/j/lib/modules": runtime("jdk.compiler"), "opt/lib": link("/usr/lib/jvm/j/lib", SYMBOLIC),
          "usr/lib/jvm/j/lib/ct.sym": b"PK"}],
    ],
)  # fmt: skip
def test_a_jre_with_the_compiler_s_module_is_no_jdk(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files]
) -> None:
    run = forbid(imgopt, tmp_path, "jdk", [*layers, APP])
    (budget,) = run.json["targets"][0]["budgets"]
    assert run.code == 0, run.text
    assert "its runtime holds the compiler's module" in budget["details"][0]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"opt/java/lib/tools.jar": b"PK\3\4 cut short"}, "/opt/java/lib/tools.jar cannot be read"),
        (
            {
                "opt/java/lib/modules": struct.pack("<7I", 0xCAFEDADA, 1 << 16, 0, 1, 1, 1, 1 << 30)
                + bytes(2000)
            },
            "the modules of /opt/java/lib/modules cannot be read",
        ),
    ],
)
def test_what_may_be_a_jdk_is_not_measured(imgopt: Imgopt, tmp_path: Path, files: Files, says: str) -> None:
    run = forbid(imgopt, tmp_path, "jdk", [files])
    (budget,) = run.json["targets"][0]["budgets"]
    assert (run.code, budget["measured"]) == (3, False) and says in budget["message"]


# root, by whatever name

PASSWD = b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/app:\ntoor:x:0:0::/:\nodd:x:none:5\nshort\n"


@pytest.mark.parametrize(
    ("user", "code"),
    [
        *((user, 1) for user in ("", "root", "0", "00", "+0", "-0", "0:0", "root:root", "+0:1000", ":1000", "toor",
                                 "toor:app", "odd", "short")),
        *((user, 0) for user in ("app", "app:root", "1000", "+1000", "1000:0", "2147483647")),
        *((user, 3) for user in ("nobody", "ROOT", " 0", "0x0", "-1", "4294967296", "99999999999999999999", "0 ")),
    ],
)  # fmt: skip
def test_root_is_root_by_every_name(imgopt: Imgopt, tmp_path: Path, user: str, code: int) -> None:
    run = forbid(imgopt, tmp_path, "root-user", [{"etc/passwd": PASSWD}], User=user)
    assert run.code == code, run.text


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ([{"etc/passwd": b"app:x:1000:1000::/:\n"}, {"etc/passwd": b"app:x:0:0::/:\n"}], 1),
        ([{"etc/passwd": b"app:x:0:0::/:\n"}, {"etc/passwd": b"app:x:1000:1000::/:\n"}], 0),
        ([{"etc/passwd": b"app:x:1000:1000::/:\n"}, {"etc/.wh.passwd": b""}], 3),
        ([{"etc/passwd": link("../data/users", SYMBOLIC), "data/users": b"app:x:0:0::/:\n"}], 1),
        ([{"data/users": b"app:x:0:0::/:\n", "etc/passwd": link("data/users")}], 1),
        ([{"etc/passwd": b"app:x:1000:1000::/:\n", "./etc//passwd": b"app:x:0:0::/:\n"}], 1),
        ([{"etc": link("/data/etc", SYMBOLIC), "data/etc/passwd": b"app:x:0:0::/:\n"}], 1),
        ([{"etc/passwd": b"#" * 70_000 + b"\napp:x:0:0::/:\n"}], 1),
        ([{"etc/passwd": b"#" * 2_000_000 + b"\napp:x:1000:0::/:\n"}], 3),
        ([{"app/app.jar": b"PK"}], 3),
    ],
)
def test_a_name_is_looked_up_in_the_image(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files], code: int
) -> None:
    run = forbid(imgopt, tmp_path, "root-user", layers, User="app")
    assert run.code == code, run.text


APPS, ROOTS = b"app:x:1000:1000::/:\n", b"app:x:0:0::/:\n"


def with_pax(name: str, content: bytes, *, kind: bytes = tarfile.XHDTYPE, **records: str) -> bytes:
    """A file with a PAX header (or, of the kind `g`, behind one that is every file's), without an end of the tar."""
    lines = b""
    for key, value in records.items():
        record = f" {key.replace('_', '.')}={value}\n".encode()
        length = next(n for n in range(len(record), 999) if n == len(record) + len(str(n)))
        lines += str(length).encode() + record
    parts = b""
    for each, data, sort in (("pax", lines, kind), (name, content, tarfile.REGTYPE)):
        entry = tarfile.TarInfo(each)
        entry.type, entry.size = sort, len(data)
        parts += entry.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    return parts


def sparse_1(name: str, padding: bytes, content: bytes) -> bytes:
    """Of PAX sparse 1.0: the rest of the map's block is stored, and no file has it."""
    block = (b"1\n0\n%d\n\n" % len(content) + padding).ljust(512, b"\n")
    records = {"GNU_sparse_major": "1", "GNU_sparse_minor": "0", "GNU_sparse_name": name}
    return with_pax("sparse/passwd", block + content, **records, GNU_sparse_realsize=str(len(content)))


TO_ETC = ("lnk", link("etc", SYMBOLIC))


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        # the last of two entries is the file, whatever their sizes
        ([layer([("etc/passwd", APPS), ("etc/passwd", ROOTS + b"#" * 70_000)])], 1),
        ([layer([("etc/passwd", ROOTS + b"#" * 70_000), ("etc/passwd", APPS)])], 0),
        ([layer([("etc/passwd", ROOTS), ("etc/passwd", link("nowhere", SYMBOLIC)), ("etc/passwd", APPS)])], 0),
        # hard links in the order of the tar
        ([layer([("a", APPS), ("etc/passwd", link("a")), ("etc/passwd", ROOTS)])], 1),
        ([layer([("a", APPS), ("a", ROOTS), ("etc/passwd", link("a"))])], 1),
        ([layer([("a", ROOTS), ("etc/passwd", link("a")), ("a", APPS)])], 1),
        ([layer({"a": ROOTS}), layer([("etc/passwd", link("a")), ("a", APPS)])], 1),
        ([layer([("etc/passwd", link("a")), ("a", ROOTS)])], 3),
        # through a link: one engine follows it, another one replaces it
        ([layer([("etc/passwd", APPS), TO_ETC, ("lnk/passwd", ROOTS)])], 3),
        ([layer([("etc/passwd", APPS), TO_ETC]), layer({"lnk/passwd": ROOTS})], 3),
        ([layer([("etc/passwd", APPS), TO_ETC]), layer({"lnk/x": b""}), layer({"lnk/passwd": ROOTS})], 3),
        ([layer([("etc/passwd", APPS), TO_ETC, ("b", link("lnk", SYMBOLIC))]), layer({"b/passwd": ROOTS})], 3),
        ([layer([("etc/passwd", APPS), TO_ETC]), layer([("r", ROOTS), ("lnk/passwd", link("r"))])], 3),
        ([layer([("etc/x/a", APPS), ("etc/passwd", link("x/a", SYMBOLIC)), TO_ETC]),
          layer({"lnk/x": link("/y", SYMBOLIC), "y/a": ROOTS})], 3),
        ([layer([("etc/a", APPS), TO_ETC]), layer([("lnk/a", ROOTS), ("etc/passwd", link("etc/a"))])], 3),
        ([layer([("etc/passwd", APPS), TO_ETC]), layer({"lnk/hosts": b"x"})], 0),
        # what is written by its own name afterwards is not sure either, and that costs nobody anything
        ([layer([("etc", link("r", SYMBOLIC)), ("r/passwd", ROOTS), ("etc/x", b"1")])], 3),
        # sparse: what is stored are not the bytes of the file
        ([sparse_1("etc/passwd", APPS, ROOTS)], 3),
        ([sparse_1("a", APPS, ROOTS) + layer({"etc/passwd": link("a")})], 3),
        ([layer({"etc/passwd": ROOTS}), sparse_1("etc/passwd", APPS, ROOTS) + layer({"etc/passwd": APPS})], 0),
        # names, as Go's archive/tar takes them
        ([layer({"etc/passwd": APPS}), with_pax("etc/passwd", ROOTS, path="")], 1),
        ([layer({"etc/passwd": APPS}), with_pax("etc/passwd", ROOTS, kind=b"g", path="x")], 1),
        ([layer({"etc/passwd": APPS}), with_pax("etc/passwd", ROOTS, GNU_sparse_name="x")], 3),
    ],
)  # fmt: skip
def test_the_users_are_those_that_an_engine_unpacks(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[bytes], code: int
) -> None:
    image = docker_archive(tmp_path / "image.tar", layers, User="app")
    run = imgopt("gate", image, "--forbid", "root-user")
    assert run.code == code, run.text


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_a_file_with_two_names_is_no_layer(imgopt: Imgopt, tmp_path: Path, kind: bytes) -> None:
    first = with_pax("n", b"", path="x")[:1024]
    second = with_pax("etc/passwd", ROOTS, kind=kind, path="y")
    image = docker_archive(tmp_path / "image.tar", [layer({"etc/passwd": APPS}), first + second], User="app")
    run = imgopt("gate", image, "--forbid", "root-user")
    assert run.code == 2 and "a file in it has two" in run.err


@pytest.mark.parametrize("name", ["opt/java/lib/modules", "opt/tools/javac"])
def test_a_sparse_compiler_is_not_measured(imgopt: Imgopt, tmp_path: Path, name: str) -> None:
    image = docker_archive(
        tmp_path / "image.tar", [sparse_1(name, b"", runtime("java.base", "jdk.compiler"))]
    )
    run = imgopt("gate", image, "--forbid", "jdk")
    assert run.code == 3 and "stored as a sparse file" in " ".join(run.text.split()), run.text


def test_a_jdk_that_is_written_through_a_link_is_found(imgopt: Imgopt, tmp_path: Path) -> None:
    layers: list[Files] = [{"opt/j/lib/x": b"", "lnk": link("opt/j/lib", SYMBOLIC)}, {"lnk/tools.jar": TOOLS}]
    assert forbid(imgopt, tmp_path, "jdk", layers).code == 1


# build tools and caches, wherever they lie

BIG = random.Random(2).randbytes(150_000)


@pytest.mark.parametrize(
    ("what", "layers"),
    [
        ("build-tools", [{"data/mvn/lib/maven-core-3.9.6.jar": BIG}]),
        ("build-tools", [{"srv/g/lib/gradle-launcher-8.5.jar": b"x", "srv/g/lib/plugins/p.jar": BIG}]),
        ("build-tools", [{"opt/toolchain/bin/gcc": BIG}]),
        ("build-tools", [{"usr/local/lib/gcc/x86_64-linux-gnu/12/cc1": BIG}]),
        ("build-tools", [{"usr/lib/llvm-15/bin/clang-15": BIG}]),
        ("build-tools", [{"data/blob": BIG, "usr/bin/gcc": link("data/blob")}]),
        ("build-tools", [{"usr/bin/git": link("/data/blob", SYMBOLIC)}, {"data/blob": BIG}]),
        ("build-tools", [{"opt/node/lib/node_modules/npm/index.js": BIG}]),
        ("package-cache", [{"app/.m2/repository/a/a.jar": BIG}]),
        ("package-cache", [{"repo/a/1/_remote.repositories": b"x", "repo/a/1/a-1.jar": BIG}]),
        ("package-cache", [{"var/lib/jenkins/.gradle/caches/x": BIG}]),
        ("package-cache", [{"gradle-home/caches/modules-2/files-2.1/a/b.jar": BIG}]),
        ("package-cache", [{"home/app/.cache/pip/x": BIG}]),
        ("package-cache", [{"var/cache/apk/x": BIG}]),
        ("package-cache", [{"var/cache/libdnf5/x": BIG}]),
        ("package-cache", [{"data/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages": BIG}]),
        ("package-cache", [{"data/apk/APKINDEX.00740ba1.tar.gz": BIG}]),
        ("package-cache", [{"tmp/jdk.deb": BIG}]),
    ],
)  # fmt: skip
def test_tools_and_caches_are_found(
    imgopt: Imgopt, tmp_path: Path, what: str, layers: Sequence[Files]
) -> None:
    run = forbid(imgopt, tmp_path, what, layers)
    assert run.code == 1 and run.json["targets"][0]["budgets"][0]["actual"] == [what], run.text


@pytest.mark.parametrize(
    "name", ["ash", "ascii", "ldd", "ldconfig", "antiword", "makemap", "gitty", "asterisk", "ccache"]
)
def test_a_program_whose_name_begins_like_a_tool_s_is_none(imgopt: Imgopt, tmp_path: Path, name: str) -> None:
    """On Alpine every shell is a link to busybox, /bin/ash among them."""
    layers: list[Files] = [
        {"bin/busybox": BIG, f"bin/{name}": link("/bin/busybox", SYMBOLIC), f"sbin/{name}": BIG}
    ]
    assert forbid(imgopt, tmp_path, "build-tools", layers).code == 0


# the application


def plain_jar(number: int, *names: str, size: int = 70_000, manifest: str = "") -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        if manifest:
            archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\n{manifest}\r\n\r\n")
        for name in names:
            archive.writestr(name, b"\xca\xfe\xba\xbe")
        archive.writestr("data.bin", random.Random(number).randbytes(size))
    return output.getvalue()


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("boot") / "app.jar"
    boot_jar(path, version="3.5.4", libraries={"core-1.jar": library(size=1_200_000, seed=3)})
    return path.read_bytes()


def next_push(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files], limit: str = "1MB", **config: Any
) -> dict[str, Any]:
    image = docker_archive(tmp_path / "image.tar", [layer(each) for each in layers], **config)
    run = imgopt("gate", image, "--max-next-push", limit, "--format", "json")
    (budget,) = run.json["targets"][0]["budgets"]
    assert run.code == {True: 0, False: 1, None: 3}[budget["passed"] if budget["measured"] else None]
    found: dict[str, Any] = budget
    return found


DECOY: Files = {"decoy/BOOT-INF/classes/A.class": b"x"}
OTHERS: Files = {f"opt/other{number}.jar": plain_jar(number) for number in range(8)}


@pytest.mark.parametrize(
    ("extra", "place", "config"),
    [
        (OTHERS, "app/app.jar", {"Entrypoint": ["java", "-jar", "/app/app.jar"]}),
        (OTHERS, "opt/lib/app.jar", {"Entrypoint": ["java", "-jar", "/opt/lib/app.jar"]}),
        (OTHERS, "app/app.jar", {"WorkingDir": "/app", "Cmd": ["sh", "-c", "exec java $OPTS -jar app.jar"]}),
        (OTHERS, "opt/lib/app.jar", {"Entrypoint": ["/bin/sh", "-c", "java -jar /opt/lib/*.jar"]}),
        (OTHERS, "opt/lib/app.jar", {"Entrypoint": ["java", "-jar", "/opt/lib/${NAME}.jar"], "Env": ["NAME=app"]}),
        ({"start.sh": b'#!/bin/sh\nJAR=/opt/lib/app.jar\nexec java -jar "$JAR"\n'}, "opt/lib/app.jar",
         {"Entrypoint": ["/start.sh"]}),
        ({"opt/run": b"#!/bin/sh\n. /opt/two\n", "opt/two": b"java \\\n  -jar /opt/lib/app.jar\n"}, "opt/lib/app.jar",
         {"Entrypoint": ["tini", "--", "/opt/run"]}),
        ({"usr/bin/go": b"#!/bin/sh\nexec java -jar /opt/lib/app.jar"}, "opt/lib/app.jar", {"Cmd": ["go"]}),
        ({"args": b"-Xmx1g -jar /opt/lib/app.jar"}, "opt/lib/app.jar", {"Entrypoint": ["java", "@/args"]}),
        ({"run.jar": link("/opt/lib/x", SYMBOLIC)}, "opt/lib/x", {"Entrypoint": ["java", "-jar", "/run.jar"]}),
        ({}, "opt/lib/app.war", {"Entrypoint": ["java", "-jar", "/opt/lib/app.war"]}),
        ({}, "opt/lib/app.jar", {"Entrypoint": ["java", "-cp", "/opt/lib/app.jar", "com.acme.Main"]}),
        ({}, "opt/lib/app.jar", {"Entrypoint": ["java", "com.acme.Main"], "Env": ["CLASSPATH=/opt/lib/*"]}),
        ({}, "opt/lib/app.jar", {"Entrypoint": ["/opt/lib/app.jar"]}),
    ],
)  # fmt: skip
def test_the_started_jar_is_never_left_out(
    imgopt: Imgopt, tmp_path: Path, boot: bytes, extra: Files, place: str, config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, [DECOY, extra, {place: boot}], **config)
    assert found["passed"] is False and found["actual"] > 1_200_000, found


@pytest.mark.parametrize(
    ("files", "config"),
    [
        ({}, {"Entrypoint": ["sh", "-c", "cd /opt/lib && java -jar app.jar"]}),
        ({"run.sh": b"#!/bin/sh\ncd /opt/lib || exit 1\nexec java -jar app.jar\n"}, {"Entrypoint": ["/run.sh"]}),
        ({"run.sh": b"#!/bin/sh\ncd /opt/lib\n(cd /etc && ls)\nexec java -jar app.jar\n", "etc": None},
         {"Entrypoint": ["/run.sh"]}),
        ({"opt/run.sh": b'#!/bin/sh\ncd "$(dirname "$0")"\nexec java -jar ${APP_JAR:-lib/app.jar}\n'},
         {"Entrypoint": ["/opt/run.sh"]}),
        ({"opt/bin/run.sh": b'#!/bin/bash\nD=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)\n'
                            b'exec java -jar "$D/lib/app.jar"\n'}, {"Entrypoint": ["/opt/bin/run.sh"]}),
        ({"opt/run.sh": b'#!/bin/bash\nexec java -jar "$(dirname "$(readlink -f "$0")")"/lib/app.jar\n'},
         {"Entrypoint": ["/opt/run.sh"]}),
        ({}, {"Entrypoint": ["sh", "-c", 'if [ -f /agents/dd.jar ]; then A="-javaagent:/agents/dd.jar"; fi; '
                                         "exec java $A -jar /opt/lib/app.jar"]}),
        ({"run.sh": b"#!/bin/sh\nif [ -f /ext/o.jar ]; then exec java -jar /ext/o.jar; fi\n"
                    b"exec java -jar /opt/lib/app.jar\n"}, {"Entrypoint": ["/run.sh"]}),
        ({"run.sh": b'#!/bin/sh\necho "usage: run.sh shop-x.jar"\necho shop.jar\nexec java -jar /opt/lib/app.jar\n'},
         {"Entrypoint": ["/run.sh"]}),
        ({"run.sh": b'#!/bin/sh\nAPP=$(find /opt/lib -name "*.jar")\nexec java -jar $APP\n'},
         {"Entrypoint": ["/run.sh"]}),
        ({"start.py": b"#!/usr/bin/env python3\nimport os\n"}, {"Entrypoint": ["/start.py"]}),
        ({"init": b"#!/command/execlineb -S0\n"}, {"Entrypoint": ["/init"]}),
        ({"usr/bin/supervisord": b"#!/usr/bin/python3\n", "etc/s.conf": b"[program:app]\n"},
         {"Cmd": ["/usr/bin/supervisord", "-c", "/etc/s.conf"]}),
    ],
)  # fmt: skip
def test_an_ordinary_start_is_measured(
    imgopt: Imgopt, tmp_path: Path, boot: bytes, files: Files, config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, [DECOY, files, {"opt/lib/app.jar": boot}], **config)
    assert found["passed"] is False and found["actual"] > 1_200_000, found


def test_the_application_of_quarkus_is_known_by_its_runner(imgopt: Imgopt, tmp_path: Path) -> None:
    runner = plain_jar(1, "io/quarkus/bootstrap/runner/QuarkusEntryPoint.class", size=9,
                       manifest="Main-Class: io.quarkus.bootstrap.runner.QuarkusEntryPoint")  # fmt: skip
    fast = {
        "d/quarkus-run.jar": runner,
        "d/quarkus/quarkus-application.dat": b"x",
        "run.sh": b"#!/bin/sh\njava -cp $CP\n",
    }
    fast["d/lib/main/core.jar"] = plain_jar(3)
    app = {"d/app/service.jar": plain_jar(2, size=1_500_000)}
    found = next_push(imgopt, tmp_path, [fast, app], Entrypoint=["/run.sh"])
    assert found["passed"] is False and found["actual"] > 1_500_000, found


@pytest.mark.parametrize(
    ("files", "config"),
    [
        ({"run.sh": b'#!/bin/sh\nJAVA_OPTS="-Xmx512m $JAVA_OPTS"\nexec java $JAVA_OPTS -jar /opt/lib/app.jar\n'},
         {"Entrypoint": ["/run.sh"]}),
        ({}, {"Env": ['A=x "$A" y'], "Entrypoint": ["sh", "-c", 'echo "$A"; java -jar /opt/lib/app.jar']}),
        ({}, {"Env": ["CMD=java -jar /opt/lib/app.jar"], "Entrypoint": ["sh", "-c", "exec $CMD"]}),
        ({"run.sh": b'#!/bin/sh\nexec sh -c "$*"\n'},
         {"Entrypoint": ["/run.sh"], "Cmd": ["java -jar /opt/lib/app.jar"]}),
    ],
)  # fmt: skip
def test_variables_of_a_start_script_are_filled_in_once(
    imgopt: Imgopt, tmp_path: Path, boot: bytes, files: Files, config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, [DECOY, files, {"opt/lib/app.jar": boot}], **config)
    assert found["passed"] is False and found["actual"] > 1_200_000, found


@pytest.mark.parametrize(
    ("layers", "config"),
    [
        # a start that nobody can follow, and a jar that may be the application
        ([{"opt/lib/service.jar": plain_jar(1, size=1_500_000)}], {"Entrypoint": ["/launcher"]}),
        ([{"opt/lib/service.jar": plain_jar(1, size=1_500_000)}], {}),
        # several jars on the class path, and none with the main class
        ([{"opt/lib/a.jar": plain_jar(1)}, {"opt/lib/b.jar": plain_jar(2)}],
         {"Entrypoint": ["java", "-cp", "/opt/lib/*", "com.acme.Main"]}),
        # the jar is not there: it comes from somewhere else
        ([{"opt/x.jar": plain_jar(1)}], {"Entrypoint": ["java", "-jar", "/data/app.jar"]}),
        # a jar that cannot be read
        ([{"opt/x.jar": b"PK\3\4" + BIG}], {"Entrypoint": ["java", "-cp", "/decoy/BOOT-INF/classes", "A"]}),
        # a program that nobody can read, before a start that looks harmless, or with the application in it
        ([{"opt/lib/service.jar": plain_jar(1, size=1_500_000)}],
         {"Entrypoint": ["/launcher"], "Cmd": ["java", "-cp", "/decoy/BOOT-INF/classes", "A"]}),
        ([{"app/server": JAVAC}], {"Entrypoint": ["/app/server"]}),
        ([{"app/server.groovy": b"x"}], {"Entrypoint": ["groovy", "/app/server.groovy"]}),
        ([{"opt/app.zip": plain_jar(1)}], {"Entrypoint": ["/app/server"]}),
        # a jar without classes stands for several others
        ([{"p.jar": plain_jar(1, size=9, manifest="Class-Path: a.jar b.jar")}, {"a.jar": plain_jar(2, size=9_000)},
          {"b.jar": plain_jar(3, size=9_000)}], {"Entrypoint": ["java", "-jar", "/p.jar"]}),
        # written through a link
        ([{"opt/app.jar": plain_jar(1), "lnk": link("opt", SYMBOLIC)}, {"lnk/app.jar": plain_jar(2, size=1_500_000)}],
         {"Entrypoint": ["java", "-jar", "/opt/app.jar"]}),
        # more jars than are looked into
        ([{f"opt/{number:03}.jar": plain_jar(number) for number in range(201)}],
         {"Entrypoint": ["java", "-cp", "/decoy/BOOT-INF/classes", "A"]}),
    ],
)  # fmt: skip
def test_what_may_be_the_application_is_not_measured(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files], config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, [DECOY, *layers], "1B", **config)
    assert found["measured"] is False and "what a release changes is not known" in found["message"], found


@pytest.mark.parametrize(
    ("layers", "config"),
    [
        ([{"srv/com/acme/Main.class": BIG * 8}], {"Entrypoint": ["java", "-cp", "/srv", "com.acme.Main"]}),
        ([{"srv/rules/data.bin": BIG * 8}], {"Entrypoint": ["java", "-cp", "/srv", "com.acme.Main"]}),
        ([{"x/BOOT-INF/classes/data.bin": BIG * 8}],
         {"WorkingDir": "/x", "Entrypoint": ["java", "org.springframework.boot.loader.launch.JarLauncher"]}),
        ([{"app/resources/data.bin": BIG * 8}], {"Entrypoint": ["java", "@/app/jib-classpath-file"]}),
        ([{"small.jar": plain_jar(1, size=9, manifest="Class-Path: tree/"), "tree/data.bin": BIG * 8}],
         {"Entrypoint": ["java", "-jar", "/small.jar"]}),
        ([{"d/quarkus-run.jar": plain_jar(1, "io/quarkus/bootstrap/runner/QuarkusEntryPoint.class", size=9,
                                         manifest="Main-Class: io.quarkus.bootstrap.runner.QuarkusEntryPoint"),
           "d/quarkus/quarkus-application.dat": b"x"}, {"d/app/service.jar": plain_jar(2, size=1_500_000)}],
         {"Entrypoint": ["java", "-jar", "/d/quarkus-run.jar"]}),
        ([{"p.jar": plain_jar(1, size=9, manifest="Class-Path: opt/lib/b.jar")},
          {"opt/lib/b.jar": plain_jar(2, size=1_500_000)}], {"Entrypoint": ["java", "-jar", "/p.jar"]}),
        ([{"m/a.jar": plain_jar(1)}, {"m/b.jar": plain_jar(2, "com/acme/Main.class", size=1_500_000)}],
         {"Entrypoint": ["java", "-p", "/m", "-m", "acme/com.acme.Main"]}),
        ([{"l/a.jar": plain_jar(1)}, {"l/b.jar": plain_jar(2, "com/acme/Main.class", size=1_500_000)}],
         {"Entrypoint": ["java", "-cp", "/l/*", "com.acme.Main"]}),
    ],
)  # fmt: skip
def test_loose_classes_and_what_lies_with_them_count(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files], config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, [DECOY, *layers], **config)
    assert found["passed"] is False and found["measured"] and found["actual"] > 1_000_000, found


def test_a_hundred_libraries_beside_a_started_jar_pass(imgopt: Imgopt, tmp_path: Path) -> None:
    libraries = {f"app/lib/{number}.jar": plain_jar(number, size=10_000) for number in range(100)}
    start = {"app/app.jar": plain_jar(1, "com/acme/Main.class", manifest="Main-Class: com.acme.Main")}
    found = next_push(imgopt, tmp_path, [libraries, start], Entrypoint=["java", "-jar", "/app/app.jar"])
    assert found["passed"] is True and found["actual"] < 200_000


@pytest.mark.parametrize(
    "config", [{}, {"Entrypoint": ["nginx"]}, {"Entrypoint": ["java", "-jar", "/x.jar"]}]
)
@pytest.mark.parametrize("limit", ["1MB", "5s at 1MB/s"])
def test_a_release_sends_no_more_than_all_layers(
    imgopt: Imgopt, tmp_path: Path, config: dict[str, Any], limit: str
) -> None:
    found = next_push(imgopt, tmp_path, [{"usr/sbin/nginx": BIG}, {"srv/index.html": b"x"}], limit, **config)
    assert found["passed"] is True and found["basis"] == "predicted", found
    assert found["message"].startswith("at most ") and "what a release changes is not known" in str(found)


def test_all_layers_over_the_limit_say_nothing_of_a_release(imgopt: Imgopt, tmp_path: Path) -> None:
    found = next_push(imgopt, tmp_path, [{"usr/sbin/nginx": BIG}], "100kB", Entrypoint=["nginx"])
    assert found["measured"] is False and "what a release changes is not known" in found["message"]


SHOP = plain_jar(5, "com/acme/Shop.class", size=1_500_000)
LAUNCHER = ("l/Main.class",)


@pytest.mark.parametrize(
    ("layers", "config"),
    [
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9)}, {"a/shop.jar": SHOP}],
         {"Entrypoint": ["java", "-cp", "/a/l.jar:/a/shop.jar", "l.Main"]}),
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9)}, {"a/shop.jar": SHOP}],
         {"Entrypoint": ["java", "-cp", "/a/*", "l.Main"]}),
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9)}, {"a/shop.jar": SHOP}],
         {"Env": ["CLASSPATH=/a/l.jar:/a/shop.jar"], "Entrypoint": ["java", "l.Main"]}),
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9, manifest="Main-Class: l.Main\r\nClass-Path: shop.jar")},
          {"a/shop.jar": SHOP}], {"Entrypoint": ["java", "-jar", "/a/l.jar"]}),
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9, manifest="Class-Path: shop.jar")},
          {"a/shop.jar": SHOP}], {"Entrypoint": ["java", "-cp", "/a/l.jar", "l.Main"]}),
        ([{"a/l.jar": plain_jar(1, *LAUNCHER, size=9, manifest="Main-Class: l.Main\r\nClass-Path: two.jar"),
           "a/two.jar": plain_jar(2, size=9, manifest="Class-Path: shop.jar")}, {"a/shop.jar": SHOP}],
         {"Entrypoint": ["java", "-jar", "/a/l.jar"]}),
        ([{"classes/l/Main.class": b"x"}, {"a/shop.jar": SHOP}],
         {"Entrypoint": ["java", "-cp", "/classes:/a/shop.jar", "l.Main"]}),
    ],
)  # fmt: skip
def test_jars_that_a_class_path_names_beside_the_started_one_count(
    imgopt: Imgopt, tmp_path: Path, layers: Sequence[Files], config: dict[str, Any]
) -> None:
    found = next_push(imgopt, tmp_path, layers, **config)
    assert found["passed"] is False and found["actual"] > 1_500_000, found


def test_a_jar_beside_a_launcher_may_be_the_application(imgopt: Imgopt, tmp_path: Path) -> None:
    launcher = {"a/l.jar": plain_jar(1, *LAUNCHER, size=9, manifest="Main-Class: l.Main")}
    found = next_push(
        imgopt, tmp_path, [launcher, {"a/modules/shop.jar": SHOP}], Entrypoint=["java", "-jar", "/a/l.jar"]
    )
    assert found["measured"] is False and "/a/modules/shop.jar may be the application" in found["message"]


def test_an_agent_beside_a_started_jar_is_none(imgopt: Imgopt, tmp_path: Path) -> None:
    app = {"a/app.jar": plain_jar(1, *LAUNCHER, size=9, manifest="Main-Class: l.Main")}
    found = next_push(
        imgopt, tmp_path, [{"opt/agent.jar": SHOP}, app],
        Entrypoint=["java", "-javaagent:/opt/agent.jar=a=b", "-jar", "/a/app.jar"],
    )  # fmt: skip
    assert found["passed"] is True and found["actual"] < 10_000
