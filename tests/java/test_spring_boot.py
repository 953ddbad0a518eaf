from __future__ import annotations

from pathlib import Path

import pytest
from jar_samples import (
    LOADER,
    MANIFEST,
    NEW_LAUNCHER,
    OLD_LAUNCHER,
    boot_entries,
    class_file,
    library,
    manifest,
    write,
    zipped,
)

from imgopt.java import spring_boot
from imgopt.java.jar import read_jar
from imgopt.java.model import Jar
from imgopt.java.spring_boot import (
    exploded_order,
    extraction,
    jarmode_for,
    java_range,
    keeps_library_order,
    launcher_for,
    layer_of,
    layered,
    parse_classpath_index,
    parse_layers_index,
    version_tuple,
)


def boot(tmp_path: Path, *arguments: object, **keywords: object) -> Jar:
    return read_jar(write(tmp_path / "app.jar", boot_entries(*arguments, **keywords)))  # type: ignore[arg-type]


def names(jar: Jar) -> dict[str, list[str]]:
    return {layer: [entry.name for entry in entries] for layer, entries in layered(jar)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.3.5.RELEASE", (2, 3, 5)),
        ("4.1.0-SNAPSHOT", (4, 1, 0)),
        ("3.0.0-M1", (3, 0, 0)),
        ("3.5", (3, 5, 0)),
        ("1.5.22.RELEASE", (1, 5, 22)),
        ("latest", None),
        ("", None),
        (None, None),
    ],
)
def test_versions(text: str | None, expected: tuple[int, int, int] | None) -> None:
    assert version_tuple(text) == expected


def test_what_a_version_brings() -> None:
    assert launcher_for("3.1.9", False) == "org.springframework.boot.loader.JarLauncher"
    assert launcher_for("3.2.0", True) == "org.springframework.boot.loader.launch.WarLauncher"
    assert [jarmode_for(v) for v in ("2.2.13", "2.3.0", "3.2.12", "3.3.0", "4.1.1")] == [
        None,
        "layertools",
        "layertools",
        "tools",
        "tools",
    ]
    assert java_range("2.7.18") == (8, 21)
    assert java_range("3.5.4") == (17, 25)
    assert java_range("9.9.9") is None


INDEX = """- "dependencies":
  - "BOOT-INF/lib/a.jar"
  - "BOOT-INF/lib/b.jar"
- "spring-boot-loader":
  - "org/"
- "snapshot-dependencies":
- "application":
  - "BOOT-INF/classes/"
  - "META-INF/"
"""
PARSED = (
    ("dependencies", ("BOOT-INF/lib/a.jar", "BOOT-INF/lib/b.jar")),
    ("spring-boot-loader", ("org/",)),
    ("snapshot-dependencies", ()),
    ("application", ("BOOT-INF/classes/", "META-INF/")),
)


@pytest.mark.parametrize(
    "text", [INDEX, INDEX.replace("\n", "\r\n"), INDEX.replace('"', ""), INDEX + "\n\n", INDEX[:-1]]
)
def test_layers_index_in_all_its_shapes(text: str) -> None:
    assert parse_layers_index(text) == PARSED


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("\n\n", 1),
        ('  - "BOOT-INF/"\n', 1),
        ('- "a":\n- "b"\n', 2),
        ('- "a":\n   - "b"\n', 2),
        ('- "a":\n\n  - "b\n', 3),
        ("layers: [a]\n", 1),
    ],
)
def test_a_malformed_layers_index_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^{line}: "):
        parse_layers_index(text)


def test_classpath_index_holds_paths_or_bare_names() -> None:
    assert parse_classpath_index('- "BOOT-INF/lib/a.jar"\r\n- "BOOT-INF/lib/b.jar"\r\n') == (
        "BOOT-INF/lib/a.jar",
        "BOOT-INF/lib/b.jar",
    )
    assert parse_classpath_index('- "a.jar"\n') == ("a.jar",)
    with pytest.raises(ValueError, match=r"^2: "):
        parse_classpath_index('- "a.jar"\nb.jar\n')


def test_the_first_layer_that_names_an_entry_has_it() -> None:
    index = (("one", ("a/b/", "x.jar")), ("two", ("a/", "x.jar")), ("three", ("a/b/c",)))
    assert [layer_of(name, index) for name in ("a/b/c", "a/z", "x.jar", "x.jar2", "q")] == [
        "one",
        "two",
        "one",
        None,
        None,
    ]
    places = spring_boot._Places(index)
    for name in ("a/b/c", "a/z", "x.jar", "x.jar2", "q", "a/"):
        assert places.layer(name) == layer_of(name, index)


def test_an_exact_name_in_a_later_layer_does_not_win_over_an_earlier_directory() -> None:
    places = spring_boot._Places(
        (("one", ("BOOT-INF/classes/",)), ("two", ("BOOT-INF/classes/a.yml", "META-INF/")))
    )
    assert places.layer("BOOT-INF/classes/a.yml") == "one"
    places = spring_boot._Places((("one", ("BOOT-INF/classes/a.yml",)), ("two", ("BOOT-INF/classes/",))))
    assert places.layer("BOOT-INF/classes/a.yml") == "one"


def test_layers_come_from_the_index(tmp_path: Path) -> None:
    jar = boot(tmp_path)
    found = names(jar)
    assert list(found) == ["dependencies", "spring-boot-loader", "snapshot-dependencies", "application"]
    assert found["dependencies"] == [
        "BOOT-INF/lib/spring-boot-3.5.4.jar",
        "BOOT-INF/lib/guava-32.1.3-jre.jar",
        "BOOT-INF/lib/spring-boot-jarmode-tools-3.5.4.jar",
    ]
    assert found["snapshot-dependencies"] == ["BOOT-INF/lib/shop-model-1.0-SNAPSHOT.jar"]
    assert set(found["application"]) == {
        MANIFEST,
        "BOOT-INF/classes/com/example/App.class",
        "BOOT-INF/classes/application.yml",
        "BOOT-INF/classpath.idx",
        "BOOT-INF/layers.idx",
    }
    files = [entry.name for entry in jar.entries if not entry.is_directory]
    assert sorted(name for layer in found.values() for name in layer) == sorted(files)


def test_custom_layers_keep_their_names_and_order(tmp_path: Path) -> None:
    text = (
        '- "lib":\n  - "BOOT-INF/lib/"\n- "empty":\n- "rest":\n  - "org/"\n  - "BOOT-INF/"\n  - "META-INF/"\n'
    )
    jar = boot(tmp_path, layers=text)
    assert [(name, len(entries)) for name, entries in layered(jar)] == [("lib", 4), ("empty", 0), ("rest", 7)]
    assert extraction(jar).layers


def test_an_entry_that_the_index_forgets_goes_last_and_blocks_the_jar_mode(tmp_path: Path) -> None:
    jar = boot(tmp_path, extra={"banner.txt": b"hello"})
    assert "banner.txt" in names(jar)["application"]
    assert extraction(jar).blocked == "layers.idx does not name every entry"


def test_without_an_index_the_path_decides(tmp_path: Path) -> None:
    jar = boot(tmp_path, "2.2.13.RELEASE", launcher=OLD_LAUNCHER, layers=None, class_path=False, tools=None)
    assert {layer: len(entries) for layer, entries in names(jar).items()} == {
        "dependencies": 2,
        "spring-boot-loader": 2,
        "snapshot-dependencies": 1,
        "application": 3,
    }
    assert jar.jarmode is None
    assert "no jar modes" in (extraction(jar).blocked or "")


def test_layers_of_a_war_by_path(tmp_path: Path) -> None:
    entries = boot_entries("2.4.0", root="WEB-INF", launcher=OLD_LAUNCHER.replace("Jar", "War"), layers=None)
    entries["WEB-INF/lib-provided/tomcat-embed-core-9.0.40.jar"] = library()
    entries["index.jsp"] = b"<html></html>"
    jar = read_jar(write(tmp_path / "app.war", entries))
    found = names(jar)
    assert jar.kind == "spring-boot-war"
    assert "WEB-INF/lib-provided/tomcat-embed-core-9.0.40.jar" in found["dependencies"]
    assert "index.jsp" in found["application"]


def test_layers_of_the_oldest_layout(tmp_path: Path) -> None:
    entries = {
        MANIFEST: manifest(
            Main_Class=OLD_LAUNCHER, Start_Class="com.example.App", Spring_Boot_Version="1.3.8.RELEASE"
        ),
        f"{LOADER}JarLauncher.class": class_file(major=50),
        "com/example/App.class": class_file(major=51),
        "application.yml": b"a: 1\n",
        "lib/spring-boot-1.3.8.RELEASE.jar": library(),
        "lib/own-1.0-SNAPSHOT.jar": library(),
    }
    jar = read_jar(write(tmp_path / "app.jar", entries))
    assert (jar.kind, jar.classes_prefix, jar.lib_prefixes, jar.java_major) == (
        "spring-boot",
        "",
        ("lib/",),
        7,
    )
    assert names(jar) == {
        "dependencies": ["lib/spring-boot-1.3.8.RELEASE.jar"],
        "spring-boot-loader": [f"{LOADER}JarLauncher.class"],
        "snapshot-dependencies": ["lib/own-1.0-SNAPSHOT.jar"],
        "application": [MANIFEST, "com/example/App.class", "application.yml"],
    }
    assert exploded_order(jar) == "directory"
    assert not keeps_library_order(jar)


def test_a_name_that_occurs_twice_counts_once(tmp_path: Path) -> None:
    pairs = [*boot_entries("3.3.0").items(), ("BOOT-INF/classes/application.yml", b"again")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        jar = read_jar(write(tmp_path / "app.jar", zipped(pairs)))
    assert names(jar)["application"].count("BOOT-INF/classes/application.yml") == 1
    assert any("twice" in problem for problem in jar.problems)
    assert extraction(jar).blocked == "3.3.0 fails on names that occur twice"


@pytest.mark.parametrize(
    ("version", "launcher", "tools", "layers", "mode", "works", "reason"),
    [
        ("3.5.4", NEW_LAUNCHER, "spring-boot-jarmode-tools", "", "tools", True, None),
        ("3.5.4", NEW_LAUNCHER, "spring-boot-jarmode-tools", None, "tools", False, None),
        ("3.5.4", NEW_LAUNCHER, None, "", None, False, "no spring-boot-jarmode"),
        ("2.7.18", OLD_LAUNCHER, "spring-boot-jarmode-layertools", "", "layertools", True, None),
        (
            "2.7.18",
            OLD_LAUNCHER,
            "spring-boot-jarmode-layertools",
            None,
            "layertools",
            False,
            "no layers.idx",
        ),
        ("3.5.4", "com.example.Launch", "spring-boot-jarmode-tools", "", "tools", False, "custom launcher"),
    ],
)
def test_the_jar_mode_that_works(
    tmp_path: Path,
    version: str,
    launcher: str,
    tools: str | None,
    layers: str | None,
    mode: str | None,
    works: bool,
    reason: str | None,
) -> None:
    entries = boot_entries(version, launcher=launcher, tools=tools, layers=layers)
    entries[f"{LOADER}launch/JarModeRunner.class"] = class_file()
    jar = read_jar(write(tmp_path / "app.jar", entries))
    found = extraction(jar)
    assert jar.jarmode == mode
    assert found.layers is works
    assert (found.blocked is None) if reason is None else (reason in (found.blocked or ""))
    assert found.mode == (mode if reason is None else None)


def test_a_loader_without_jar_modes_has_none(tmp_path: Path) -> None:
    entries = boot_entries()
    del entries[f"{LOADER}launch/JarModeRunner.class"]
    assert read_jar(write(tmp_path / "app.jar", entries)).jarmode is None


def test_a_launch_script_blocks_extraction(tmp_path: Path) -> None:
    script = b"#!/bin/bash\nexec java -jar $0\n"
    jar = read_jar(write(tmp_path / "app.jar", script + zipped(boot_entries())))
    assert jar.launch_script
    assert extraction(jar) == spring_boot.Extraction(
        mode=None,
        layers=False,
        thin=False,
        blocked="a launch script precedes the jar",
        exits_zero_on_error=False,
        not_to_root=False,
        keeps_times=True,
    )


@pytest.mark.parametrize(
    ("version", "zero", "root", "times"),
    [
        ("2.4.11", False, False, False),
        ("2.4.12", False, False, True),
        ("2.5.5", False, False, False),
        ("2.5.6", False, False, True),
        ("3.3.0", True, False, True),
        ("3.3.6", True, False, True),
        ("3.3.7", False, False, True),
        ("3.4.0", True, False, True),
        ("3.4.1", False, False, True),
        ("3.5.14", False, True, True),
        ("3.5.15", False, False, True),
        ("4.0.6", False, True, True),
    ],
)
def test_faults_of_single_versions(tmp_path: Path, version: str, zero: bool, root: bool, times: bool) -> None:
    found = extraction(boot(tmp_path, version))
    assert (found.exits_zero_on_error, found.not_to_root, found.keeps_times) == (zero, root, times)


def test_the_thin_layout_is_for_plain_jars_only(tmp_path: Path) -> None:
    everything = '- "a":\n  - "BOOT-INF/"\n  - "org/"\n  - "META-INF/"\n  - "run.sh"\n'
    assert extraction(boot(tmp_path)).thin
    assert not extraction(boot(tmp_path, layers=everything, extra={"run.sh": b"#!/bin/sh\n"})).thin
    assert not extraction(boot(tmp_path, launcher=NEW_LAUNCHER.replace("Jar", "Properties"))).thin
    assert not extraction(boot(tmp_path, class_path=False)).thin
    war = boot_entries(root="WEB-INF", launcher=NEW_LAUNCHER.replace("Jar", "War"))
    assert not extraction(read_jar(write(tmp_path / "app.war", war))).thin


def test_split_classes_need_the_launcher_layout_up_to_3_3_11(tmp_path: Path) -> None:
    split = (
        '- "one":\n  - "BOOT-INF/classes/com/"\n- "two":\n  - "BOOT-INF/"\n  - "org/"\n  - "META-INF/"\n'
        '- "three":\n  - "BOOT-INF/classes/"\n'
    )
    assert not extraction(boot(tmp_path, "3.3.11", layers=split)).thin
    assert extraction(boot(tmp_path, "3.3.12", layers=split)).thin


def test_the_order_of_libraries_in_an_exploded_jar(tmp_path: Path) -> None:
    assert exploded_order(boot(tmp_path)) == "index"
    assert keeps_library_order(boot(tmp_path))
    bare = boot_entries("2.4.1", launcher=OLD_LAUNCHER)
    bare["BOOT-INF/classpath.idx"] = b'- "spring-boot-2.4.1.jar"\n- "guava-32.1.3-jre.jar"\n'
    jar = read_jar(write(tmp_path / "bare.jar", bare))
    assert exploded_order(jar) == "path"
    assert not keeps_library_order(jar)
    ordered = boot(
        tmp_path,
        "2.2.0",
        launcher=OLD_LAUNCHER,
        class_path=False,
        tools=None,
        libraries={"a-1.jar": library()},
    )
    assert keeps_library_order(ordered)
    properties = OLD_LAUNCHER.replace("Jar", "Properties")
    assert exploded_order(boot(tmp_path, "3.1.0", launcher=properties)) == "path"


def test_a_malformed_index_is_a_problem_with_its_line(tmp_path: Path) -> None:
    jar = boot(tmp_path, layers='- "a":\n  - "x"\nfoo\n')
    assert jar.layers_index is None
    assert any(problem.startswith("BOOT-INF/layers.idx:3: ") for problem in jar.problems)
    assert extraction(jar).layers is False


def test_an_index_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    entries = boot_entries()
    del entries["BOOT-INF/layers.idx"]
    jar = read_jar(write(tmp_path / "app.jar", entries))
    assert jar.layers_index is None
    assert any("'BOOT-INF/layers.idx', which is not there" in problem for problem in jar.problems)
