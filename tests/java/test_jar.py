from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from jar_samples import (
    LOADER,
    MANIFEST,
    NEW_LAUNCHER,
    OLD_LAUNCHER,
    boot_entries,
    class_file,
    elf,
    library,
    macho,
    manifest,
    pe,
    write,
    zipped,
)

from imgopt.errors import JarError
from imgopt.java.jar import (
    OpenJar,
    companions,
    content_chunks,
    entry_data,
    library_bytes,
    library_name,
    read_jar,
    references_of_library,
)


def test_a_spring_boot_jar(tmp_path: Path) -> None:
    path = write(tmp_path / "app.jar", boot_entries(Build_Jdk_Spec="21", Multi_Release="true"))
    jar = read_jar(path)
    assert (jar.path, jar.bytes, jar.kind) == (str(path), path.stat().st_size, "spring-boot")
    assert (jar.launcher, jar.main_class, jar.start_class) == (NEW_LAUNCHER, NEW_LAUNCHER, "com.example.App")
    assert (jar.spring_boot, jar.jarmode, jar.launch_script) == ("3.5.4", "tools", False)
    assert (jar.classes_prefix, jar.lib_prefixes) == ("BOOT-INF/classes/", ("BOOT-INF/lib/",))
    assert (jar.java_major, jar.java_hint, jar.multi_release) == (17, 21, True)
    assert jar.layers_index is not None
    assert jar.layers_index[0][0] == "dependencies"
    assert jar.classpath_index == tuple(library.path for library in jar.libraries)
    assert jar.problems == jar.unsafe_names == ()
    assert jar.natives_complete
    assert [
        (library.artifact, library.version, library.group, library.snapshot) for library in jar.libraries
    ] == [
        ("spring-boot", "3.5.4", None, False),
        ("guava", "32.1.3-jre", "com.google.guava", False),
        ("shop-model", "1.0-SNAPSHOT", "com.example", True),
        ("spring-boot-jarmode-tools", "3.5.4", None, False),
    ]


def test_entries_are_those_of_the_directory(tmp_path: Path) -> None:
    path = write(tmp_path / "app.jar", boot_entries())
    with zipfile.ZipFile(path) as archive:
        expected = [
            (
                i.filename,
                i.compress_size,
                i.file_size,
                i.compress_type == 0,
                i.CRC,
                i.header_offset,
                i.is_dir(),
                i.date_time,
            )
            for i in archive.infolist()
        ]
    assert [
        (e.name, e.compressed_bytes, e.bytes, e.stored, e.crc32, e.data_offset, e.is_directory, e.modified)
        for e in read_jar(path).entries
    ] == expected


@pytest.mark.parametrize("adjusted", [False, True])
def test_a_launch_script_in_front(tmp_path: Path, adjusted: bool) -> None:
    """Spring Boot leaves the offsets as they were; `zip -A` counts the script in."""
    script = b"#!/bin/bash\nexit 0\n" * 100
    path = tmp_path / "app.jar"
    if adjusted:
        path.write_bytes(script)
        with zipfile.ZipFile(path, "a") as archive:
            for name, data in boot_entries().items():
                archive.writestr(name, data or b"")
    else:
        path.write_bytes(script + zipped(boot_entries()))
    jar = read_jar(path)
    assert jar.launch_script
    assert jar.problems == ()
    assert (jar.kind, jar.java_major, len(jar.libraries)) == ("spring-boot", 17, 4)
    entry = next(entry for entry in jar.entries if entry.name.endswith("application.yml"))
    assert path.read_bytes()[entry.data_offset :].startswith(b"PK\3\4")
    assert entry_data(jar, entry, 1000) == b"server.port: 8080\n" * 20


def test_the_version_comes_from_the_library_where_the_manifest_is_silent(tmp_path: Path) -> None:
    """Gradle wrote no Spring-Boot-Version before 2.2."""
    entries = boot_entries("2.1.18.RELEASE", launcher=OLD_LAUNCHER, layers=None, class_path=False, tools=None)
    entries[MANIFEST] = manifest(Main_Class=OLD_LAUNCHER, Start_Class="com.example.App")
    jar = read_jar(write(tmp_path / "app.jar", entries))
    assert (jar.kind, jar.spring_boot, jar.jarmode) == ("spring-boot", "2.1.18.RELEASE", None)
    assert jar.classes_prefix == "BOOT-INF/classes/"


def test_a_custom_launcher_is_kept_as_written(tmp_path: Path) -> None:
    jar = read_jar(write(tmp_path / "app.jar", boot_entries(launcher="com.example.boot.Launch")))
    assert (jar.kind, jar.launcher) == ("spring-boot", "com.example.boot.Launch")


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("library", {MANIFEST: manifest(), "org/x/A.class": class_file()}),
        ("library", {"org/x/A.class": class_file()}),
        ("library", {MANIFEST: manifest(Class_Path="activation.jar"), "org/x/A.class": class_file()}),
        ("library", {MANIFEST: manifest(Main_Class="org.x.A"), "org/x/A.class": class_file()}),
        ("library", {MANIFEST: manifest(Start_Class="org.x.A"), "org/x/A.class": class_file()}),
        (
            "thin",
            {
                MANIFEST: manifest(Main_Class="org.x.A", Class_Path="lib/a.jar lib/b.jar"),
                "org/x/A.class": class_file(),
            },
        ),
        (
            "shaded",
            {
                MANIFEST: manifest(Main_Class="org.x.A"),
                "org/x/A.class": class_file(),
                "META-INF/maven/g/a/pom.properties": b"version=1\n",
                "META-INF/maven/g/b/pom.properties": b"version=2\n",
            },
        ),
        (
            "shaded",
            {
                MANIFEST: manifest(Main_Class="a.b.C"),
                **{f"{root}/x/A.class": class_file() for root in "abcd"},
            },
        ),
        ("quarkus-fast", {MANIFEST: manifest(Main_Class="io.quarkus.bootstrap.runner.QuarkusEntryPoint")}),
        (
            "quarkus-uber",
            {
                MANIFEST: manifest(Main_Class="io.quarkus.runner.GeneratedMain"),
                "io/quarkus/runner/A.class": class_file(),
            },
        ),
        ("war", {"WEB-INF/web.xml": b"<web-app/>", "index.html": b"<html/>"}),
        ("war", {MANIFEST: manifest(Main_Class="executable.Main"), "WEB-INF/lib/a.jar": library()}),
        ("spring-boot-war", boot_entries(root="WEB-INF", launcher=NEW_LAUNCHER.replace("Jar", "War"))),
        ("spring-boot", boot_entries(launcher=NEW_LAUNCHER.replace("Jar", "Properties"))),
        ("spring-boot", boot_entries(launcher=OLD_LAUNCHER)),  # loaderImplementation CLASSIC
        ("spring-boot", {**boot_entries(), "WEB-INF/web.xml": b"<web-app/>"}),
    ],
)
def test_kinds(tmp_path: Path, kind: str, entries: dict[str, bytes | None]) -> None:
    assert read_jar(write(tmp_path / "x.jar", entries)).kind == kind


def test_the_layout_without_a_launcher_is_named(tmp_path: Path) -> None:
    entries = boot_entries(launcher="com.example.App")
    entries = {name: data for name, data in entries.items() if not name.startswith(LOADER)}
    entries[MANIFEST] = manifest(Main_Class="com.example.App", Spring_Boot_Version="3.5.4")
    jar = read_jar(write(tmp_path / "x.jar", entries))
    assert jar.kind == "library"
    assert "layout NONE" in jar.problems[0]


def test_manifest_lines_are_joined_and_the_first_section_is_read(tmp_path: Path) -> None:
    long = "lib/" + " lib/".join(f"dependency-number-{number}.jar" for number in range(30))
    data = manifest(Main_Class="org.x.A", Class_Path=long) + b"Name: org/x/\r\nMain-Class: other.B\r\n\r\n"
    jar = read_jar(write(tmp_path / "x.jar", {MANIFEST.lower(): data}))
    assert (jar.main_class, jar.class_path) == ("org.x.A", tuple(long.split()))
    bare = read_jar(
        write(tmp_path / "x.jar", {MANIFEST: b"\xef\xbb\xbfManifest-Version: 1.0\rMAIN-CLASS: a.B"})
    )
    assert bare.main_class == "a.B"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("spring-boot-3.5.4.jar", ("spring-boot", "3.5.4", None)),
        ("guava-32.1.3-jre.jar", ("guava", "32.1.3-jre", None)),
        (
            "netty-transport-native-epoll-4.1.96.Final-linux-x86_64.jar",
            ("netty-transport-native-epoll", "4.1.96.Final", "linux-x86_64"),
        ),
        ("foo-1.0-20240101.123456-1.jar", ("foo", "1.0-20240101.123456-1", None)),
        ("app-SNAPSHOT.jar", ("app", "SNAPSHOT", None)),
        ("app-1.0-SNAPSHOT-exec.jar", ("app", "1.0-SNAPSHOT", "exec")),
        ("log4j-1.2-api-2.17.1.jar", ("log4j-1.2-api", "2.17.1", None)),
        ("hibernate-jpa-2.1-api-1.0.0.Final.jar", ("hibernate-jpa-2.1-api", "1.0.0.Final", None)),
        ("kafka_2.13-3.4.0.jar", ("kafka_2.13", "3.4.0", None)),
        ("zstd-jni-1.5.5-4.jar", ("zstd-jni", "1.5.5-4", None)),
        ("postgresql-42.2.5.jre7.jar", ("postgresql", "42.2.5.jre7", None)),
        ("servlet-api-2.5-20081211.jar", ("servlet-api", "2.5-20081211", None)),
        ("opencv-4.7.0-1.5.9-linux-x86_64.jar", ("opencv", "4.7.0-1.5.9", "linux-x86_64")),
        ("native-linux-x86_64-1.22.0.jar", ("native-linux-x86_64", "1.22.0", None)),
        ("opentelemetry-api-1.2.0-alpha.jar", ("opentelemetry-api", "1.2.0-alpha", None)),
        ("bcprov-jdk18on-1.81.jar", ("bcprov-jdk18on", "1.81", None)),
        ("hive-exec-2.3.9-core.jar", ("hive-exec", "2.3.9", "core")),
        ("foo-v2.jar", ("foo", "v2", None)),
        ("ojdbc8.jar", ("ojdbc8", None, None)),
        ("my-lib.jar", ("my-lib", None, None)),
        (".jar", (None, None, None)),
    ],
)
def test_names_of_libraries(file: str, expected: tuple[str | None, str | None, str | None]) -> None:
    assert library_name(file) == expected


def test_duplicates(tmp_path: Path) -> None:
    same = library(extra=b"same bytes")
    libraries = {
        "asm-5.0.4.jar": library(),
        "asm-9.3.jar": library(),
        "core-3.3.3.jar": library("com.google.zxing", "core"),
        "core-1.0.jar": library("org.other", "core"),
        "epoll-4.1-linux-x86_64.jar": library(),
        "epoll-4.1-linux-aarch_64.jar": library(a=b"other"),
        "copied-1.jar": same,
        "renamed-2.jar": same,
    }
    libraries["epoll-4.1-linux-x86_64.jar"] = library(b=b"x")
    libraries["asm-9.3.jar"] = library(c=b"y")
    jar = read_jar(write(tmp_path / "app.jar", boot_entries(libraries=libraries, tools=None)))
    assert [[library.file for library in group] for group in jar.duplicates] == [
        ["asm-5.0.4.jar", "asm-9.3.jar"],
        ["copied-1.jar", "renamed-2.jar"],
    ]


def test_the_java_level_is_that_of_the_application_s_own_classes(tmp_path: Path) -> None:
    classes = {
        "com/example/App.class": class_file(major=52),
        "com/example/New.class": class_file(major=55),
        "module-info.class": class_file(major=65),
        "META-INF/versions/21/com/example/App.class": class_file(major=65),
    }
    libraries = {"spring-boot-2.7.18.jar": library(**{"A.class": class_file(major=61)})}
    entries = boot_entries("2.7.18", classes=classes, libraries=libraries, Build_Jdk="1.8.0_232")
    jar = read_jar(write(tmp_path / "app.jar", entries))
    assert (jar.java_major, jar.java_hint) == (11, 8)
    assert read_jar(tmp_path / "app.jar", classes=False).java_major is None


def test_the_java_level_of_a_shaded_jar_is_that_of_the_classes_near_its_main_class(tmp_path: Path) -> None:
    entries = {
        MANIFEST: manifest(Main_Class="com.example.shop.Main"),
        "com/example/shop/Main.class": class_file(major=52),
        "com/example/util/Tool.class": class_file(major=55, classes=["javax/tools/ToolProvider"]),
        "org/apache/lib/New.class": class_file(major=65, classes=["java/awt/Font"]),
        "META-INF/maven/com.example/shop/pom.properties": b"artifactId=shop\nversion=1.0-SNAPSHOT\n",
        "META-INF/maven/org.apache/lib/pom.properties": b"#made by maven\nversion=3.2.1\ngroupId=org.apache\n",
    }
    jar = read_jar(write(tmp_path / "app.jar", entries))
    assert (jar.kind, jar.java_major, jar.references) == ("shaded", 11, {"javax/tools/ToolProvider"})
    assert [(lib.group, lib.artifact, lib.version, lib.bytes, lib.snapshot) for lib in jar.libraries] == [
        ("com.example", "shop", "1.0-SNAPSHOT", 0, True),
        ("org.apache", "lib", "3.2.1", 0, False),
    ]


def test_references_are_those_of_application_classes(tmp_path: Path) -> None:
    classes = {"com/example/App.class": class_file(classes=["java/awt/Font", "java/util/List"])}
    libraries = {
        "x-1.jar": library(**{"A.class": class_file(classes=["com/sun/tools/attach/VirtualMachine"])})
    }
    jar = read_jar(
        write(tmp_path / "app.jar", boot_entries(classes=classes, libraries=libraries, tools=None))
    )
    assert jar.references == {"java/awt/Font"}
    assert references_of_library(jar, jar.libraries[0]) == {"com/sun/tools/attach/VirtualMachine"}


def test_natives_are_found_by_content_wherever_they_lie(tmp_path: Path) -> None:
    libraries = {
        "lz4-java-1.8.0.jar": library(
            **{
                "win32/amd64/liblz4-java.so": pe(),
                "linux/amd64/liblz4-java.so": elf(),
                "darwin/liblz4-java.dylib": macho(),
                "linux/s390x/liblz4-java.so": elf(machine=22, big=True),
                "libreadme.so": b"not a library, whatever it is called. " * 10,
                "bin/ffmpeg-amd64": elf(kind=2, interpreter="/lib64/ld-linux-x86-64.so.2") + b"\0" * 8192,
            }
        )
    }
    entries = boot_entries(libraries=libraries, tools=None, layers=None)
    entries["BOOT-INF/classes/linux-x86-64/libvendor.so"] = elf(
        needed=["libvendorbase.so", "libc.so.6"], run_path="$ORIGIN"
    )
    entries["BOOT-INF/classes/linux-x86-64/libvendorbase.so.1"] = elf()
    jar = read_jar(write(tmp_path / "app.jar", entries))
    prefix = "BOOT-INF/lib/lz4-java-1.8.0.jar!/"
    found = {native.path.removeprefix(prefix): native for native in jar.natives}
    assert {name: (n.os, n.arch, n.musl_verdict) for name, n in found.items()} == {
        "win32/amd64/liblz4-java.so": ("windows", "amd64", None),
        "linux/amd64/liblz4-java.so": ("linux", "amd64", "loads"),
        "darwin/liblz4-java.dylib": ("macos", "arm64", None),
        "linux/s390x/liblz4-java.so": ("linux", "s390x", "unknown"),
        "bin/ffmpeg-amd64": ("linux", "amd64", "fails"),
        "BOOT-INF/classes/linux-x86-64/libvendor.so": ("linux", "amd64", "unknown"),  # the name differs
        "BOOT-INF/classes/linux-x86-64/libvendorbase.so.1": ("linux", "amd64", "loads"),
    }
    assert found["linux/amd64/liblz4-java.so"].library == "lz4-java-1.8.0.jar"
    assert found["BOOT-INF/classes/linux-x86-64/libvendor.so"].library is None
    deep = read_jar(tmp_path / "app.jar", architectures=None)
    assert {n.musl_verdict for n in deep.natives if n.arch == "s390x"} == {"loads"}


def test_natives_that_need_each_other(tmp_path: Path) -> None:
    user = elf(needed=["libbase.so", "libc.so.6"], run_path="$ORIGIN")
    base = elf(needed=["libc.so.6", "ld-linux-x86-64.so.2"])
    libraries = {
        "x-1.jar": library(**{"linux/libuser.so": user, "linux/libbase.so": base}),
        "y-1.jar": library(**{"linux/libuser.so": user, "other/libbase.so": base}),
        "z-1.jar": library(**{"linux/libuser.so": user}),
    }
    jar = read_jar(write(tmp_path / "app.jar", boot_entries(libraries=libraries, tools=None)))
    users = [native for native in jar.natives if native.path.endswith("libuser.so")]
    # only a file in the same directory of the same jar is the one that is needed
    assert [(native.library, native.musl_verdict) for native in users] == [
        ("x-1.jar", "fails"),
        ("y-1.jar", "unknown"),
        ("z-1.jar", "unknown"),
    ]
    assert users[0].musl_reason.startswith("needs libbase.so of the same archive: needs ld-linux-x86-64.so.2")


def test_the_twin_for_musl_is_named(tmp_path: Path) -> None:
    libraries = {
        "sqlite-jdbc-3.45.1.0.jar": library(
            **{
                "Linux/x86_64/libsqlitejdbc.so": elf(),
                "Linux-Musl/x86_64/libsqlitejdbc.so": elf(needed=["libc.musl-x86_64.so.1"]),
            }
        )
    }
    jar = read_jar(write(tmp_path / "app.jar", boot_entries(libraries=libraries, tools=None)))
    by_libc = {native.libc: native for native in jar.natives}
    assert by_libc["glibc"].musl_twin == by_libc["musl"].path
    assert by_libc["musl"].musl_twin is None


def test_natives_and_names_in_compressed_libraries_of_a_war(tmp_path: Path) -> None:
    path = tmp_path / "app.war"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("WEB-INF/web.xml", "<web-app/>")
        archive.writestr(
            "WEB-INF/lib/jna-5.13.0.jar", library("net.java.dev.jna", "jna", **{"libjnidispatch.so": elf()})
        )
    jar = read_jar(path)
    assert jar.kind == "war"
    assert [(lib.artifact, lib.group) for lib in jar.libraries] == [("jna", "net.java.dev.jna")]
    assert [native.path for native in jar.natives] == ["WEB-INF/lib/jna-5.13.0.jar!/libjnidispatch.so"]
    assert jar.problems == ()


def test_a_compressed_library_in_a_boot_jar_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "app.jar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in boot_entries().items():
            archive.writestr(name, data or b"")
    assert any("loader cannot open it" in problem for problem in read_jar(path).problems)


def test_a_library_to_be_unpacked_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "app.jar"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("BOOT-INF/lib/jruby-9.jar")
        info.comment = b"UNPACK:da39a3ee5e6b4b0d3255bfef95601890afd80709"
        archive.writestr(info, library())
        archive.writestr("BOOT-INF/lib/other-9.jar", library())
    assert [entry.unpack for entry in read_jar(path).entries] == [True, False]


def test_bytes_as_they_lie_and_inflated(tmp_path: Path) -> None:
    big = bytes(range(256)) * 20_000  # more than one chunk
    path = write(tmp_path / "app.jar", boot_entries(extra={"BOOT-INF/classes/big.bin": big}, layers=None))
    jar = read_jar(path)
    entries = {entry.name: entry for entry in jar.entries}
    big_entry = entries["BOOT-INF/classes/big.bin"]
    assert b"".join(content_chunks(jar, big_entry)) == big
    assert entry_data(jar, big_entry, len(big)) == big
    assert len(b"".join(library_bytes(jar, big_entry))) == big_entry.compressed_bytes < len(big)
    with pytest.raises(JarError, match="larger than 1000 bytes"):
        entry_data(jar, big_entry, 1000)
    with zipfile.ZipFile(path) as archive, OpenJar(jar) as opened:
        for entry in jar.entries:
            expected = archive.read(entry.name)
            assert b"".join(opened.chunks(entry)) == opened.data(entry, 1 << 23) == expected
            if entry.stored:
                assert b"".join(opened.raw(entry)) == expected


def test_a_jar_that_changed_since_is_refused(tmp_path: Path) -> None:
    jar = read_jar(write(tmp_path / "app.jar", boot_entries()))
    write(tmp_path / "app.jar", {"a": b"b"})
    with pytest.raises(JarError, match="changed since"):
        entry_data(jar, jar.entries[1], 1000)


def test_files_loaded_together_with_a_jar(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a b.jar").write_bytes(library())
    entries = {
        MANIFEST: manifest(
            Main_Class="a.B",
            Class_Path=f"lib/a%20b.jar lib/gone.jar http://x/y.jar lib/ {'x' * 300}.jar a%00b.jar",
        )
    }
    assert companions(read_jar(write(tmp_path / "app.jar", entries))) == (tmp_path / "lib" / "a b.jar",)
    home = tmp_path / "quarkus-app"
    for place in ("lib/boot", "lib/main", "app", "quarkus"):
        (home / place).mkdir(parents=True)
        (home / place / "x.jar").write_bytes(library())
    runner = write(
        home / "quarkus-run.jar",
        {MANIFEST: manifest(Main_Class="io.quarkus.bootstrap.runner.QuarkusEntryPoint")},
    )
    jar = read_jar(runner)
    assert (jar.kind, jar.classes_prefix, jar.java_major) == ("quarkus-fast", None, None)
    assert [path.relative_to(home).as_posix() for path in companions(jar)] == [
        "lib/boot/x.jar",
        "lib/main/x.jar",
        "app/x.jar",
        "quarkus/x.jar",
    ]
    assert companions(read_jar(write(tmp_path / "b.jar", boot_entries()))) == ()
