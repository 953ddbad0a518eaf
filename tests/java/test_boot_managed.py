"""What Spring Boot manages, by the table that is shipped: names, lines, groups, and how the table is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imgopt.java import boot_managed, make_boot_managed
from imgopt.java.boot_managed import Patch, table, version_among

#: Bytes of the shipped table: it is read whole, when a Spring Boot application is weighed.
MOST_BYTES = 100_000


def moves(version: str, *files: str, group: str | None = None) -> bool:
    return Patch(version).moves((f"/app/lib/{name}", group) for name in files)


def test_the_table_is_dated_and_small() -> None:
    assert table().made >= "2026-11-30"
    lines = [each.rpartition(".")[0] for each in table().newest]
    assert lines == list(make_boot_managed.LINES) and len(lines) == 9
    assert Path(boot_managed.__file__).with_name("boot_managed.tsv").stat().st_size < MOST_BYTES
    assert 2_000 < len(table().marks) < 10_000


@pytest.mark.parametrize("version", ["2.7.18", "3.0.2", "3.3.5", "3.5.6", "4.0.1", "4.1.2"])
@pytest.mark.parametrize(
    "library",
    ["spring-boot-3.5.6", "spring-core-6.2.1", "tomcat-embed-core-10.1.46", "netty-buffer-4.1.127.Final"],
)
def test_what_moves_in_most_patches_of_every_line(version: str, library: str) -> None:
    assert moves(version, f"{library}.jar")


@pytest.mark.parametrize(
    "library",
    [
        "guava-33.4.8-jre",
        "hutool-all-5.8.39",
        "mybatis-plus-core-3.5.12",
        "spring-cloud-commons-4.1.4",
        "core-1",
        "app",
    ],
)
def test_what_is_not_managed_stays(library: str) -> None:
    assert not moves("3.5.6", f"{library}.jar")


def test_what_is_managed_and_seldom_moves_stays_alone_and_moves_in_a_crowd() -> None:
    seldom = [
        "logback-classic-1.2.12.jar",
        "slf4j-api-1.7.36.jar",
        "HikariCP-4.0.3.jar",
        "snakeyaml-1.30.jar",
    ]
    assert not any(moves("3.2.1", name) for name in seldom)
    many = [
        "jackson-core-2.15.4.jar",
        "logback-core-1.4.14.jar",
        "slf4j-api-2.0.13.jar",
        "postgresql-42.6.2.jar",
        "lettuce-core-6.3.2.jar",
    ]
    assert moves("3.2.1", *many)
    # of one family all move together, however many they are
    jackson = [
        "jackson-core-2.15.4.jar",
        "jackson-databind-2.15.4.jar",
        "jackson-datatype-jsr310-2.15.4.jar",
        "jackson-dataformat-yaml-2.15.4.jar",
    ]
    assert not moves("3.1.1", *jackson)


def test_a_group_that_is_told_has_to_fit() -> None:
    assert moves("3.5.6", "spring-core-6.2.1.jar", group="org.springframework")
    assert not moves("3.5.6", "spring-core-6.2.1.jar", group="com.example")


def test_an_artifact_that_got_another_group_is_managed_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """As hibernate-core, which was org.hibernate's and is org.hibernate.orm's."""
    marks = {"api": {"org.one": "9-", "org.two": "-9"}}
    monkeypatch.setattr(
        boot_managed, "table", lambda: boot_managed.Table("2026-11-30", ("3.4.1", "3.5.1"), marks)
    )
    assert moves("3.4.1", "api-1.0.jar") and moves("3.5.1", "api-1.0.jar")
    assert moves("3.4.1", "api-1.0.jar", group="org.one") and not moves(
        "3.4.1", "api-1.0.jar", group="org.two"
    )


def test_lines_that_are_not_known_take_the_nearest_before_them() -> None:
    column = table().column
    assert column("2.3.12.RELEASE") == column("2.7.0") == 0
    assert column("4.1.0") == column("4.2.0-M1") == column("5.0.0") == column("what") == 8
    assert column("3.5.16") == 6


def test_the_launcher_moves_and_other_classes_do_not() -> None:
    assert Patch("3.5.6").moves(
        [("/application/org/springframework/boot/loader/launch/JarLauncher.class", None)]
    )
    assert not Patch("3.5.6").moves([("/application/BOOT-INF/classes/org/acme/App.class", None)])


def test_the_version_is_told_by_the_library() -> None:
    assert version_among(["/a/spring-boot-autoconfigure-3.5.6.jar", "/a/spring-boot-3.5.6.jar"]) == "3.5.6"
    assert version_among(["/a/spring-boot-2.3.12.RELEASE.jar"]) == "2.3.12.RELEASE"
    assert (
        version_among(["/a/spring-boot-admin-server-3.4.1.jar", "/a/spring-boot.jar", "/spring-boot-3/x"])
        is None
    )


# how it is made


def test_moves_are_counted_over_the_patches_of_a_line() -> None:
    one = {("g", "always"): "1", ("g", "once"): "1", ("g", "never"): "1", ("g", "gone"): "1"}
    two = {("g", "always"): "2", ("g", "once"): "2", ("g", "never"): "1"}
    three = {("g", "always"): "3", ("g", "once"): "2", ("g", "never"): "1", ("g", "new"): "1"}
    found = make_boot_managed.moves([one, two, three])
    assert found == {("g", "always"): 9, ("g", "once"): 4, ("g", "never"): 0, ("g", "new"): 4}
    rows = make_boot_managed.rows([found, {("g", "always"): 9, ("h", "x"): 1}])
    assert rows == ["g\t0-\tnever", "g\t4-\tnew once", "g\t99\talways", "h\t-1\tx"]


def test_an_effective_pom_is_read(tmp_path: Path) -> None:
    entry = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>1</version>{}</dependency>"
    entries = [
        ("org.a", "a", ""),
        ("org.a", "a-test", "<type>test-jar</type>"),
        ("org.b", "b-bom", "<type>pom</type>"),
        ("org.c", "c-maven-plugin", ""),
    ]
    told = tmp_path / "effective.xml"
    told.write_text(
        '<projects><project xmlns="http://maven.apache.org/POM/4.0.0"><artifactId>3.5.6</artifactId><dependencyManagement>'
        f"<dependencies>{''.join(entry.format(*each) for each in entries)}</dependencies></dependencyManagement></project></projects>"
    )
    assert dict(map(make_boot_managed._read, make_boot_managed._projects(told))) == {
        "3.5.6": {("org.a", "a"): "1"}
    }


# what it costs


def test_the_table_is_read_where_a_boot_application_is_weighed_and_nowhere_else(tmp_path: Path) -> None:
    code = (
        "import sys; from imgopt.cli import main; main(['suggest', sys.argv[1], '-q']);"
        "import imgopt; m = sys.modules.get('imgopt.java.boot_managed'); print(m is not None and m.table.cache_info().currsize)"
    )
    from boot_jar import boot_jar

    base, start = "FROM eclipse-temurin:21-jre\n", 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    for name, text in {"plain": f"{base}COPY lib.txt /\n", "boot": f"{base}COPY app.jar /\n{start}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(text)
        (tmp_path / name / "lib.txt").write_text("x")
    boot_jar(tmp_path / "boot/app.jar")
    for name, expected in {"plain": "False", "boot": "1"}.items():
        run = subprocess.run(
            [sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        )  # fmt: skip
        assert run.stdout.splitlines()[-1] == expected, name
