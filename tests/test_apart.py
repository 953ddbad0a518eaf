"""Which libraries get a layer that patches of Spring Boot leave alone, and how the Dockerfile names them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from boot_jar import boot_jar, library

from imgopt.java.boot_managed import Patch
from imgopt.java.jar import read_jar
from imgopt.java.spring_boot import layered
from imgopt.plans.layers.apart import LEAST_BYTES, MOST_NAMES, OFTEN, Apart, apart, steps

MANAGED = {"spring-core-6.2.10.jar": 100_000, "jackson-core-2.19.2.jar": 100_000}


def split(tmp_path: Path, *, version: str = "3.5.4", snapshots: int = 0, **libraries: int) -> Apart | None:
    """Of a jar with these libraries beside some of Spring Boot's; ``a_b__1`` is ``a-b-1.jar``."""
    names = {name.replace("__", "-").replace("_", "-") + ".0.jar": size for name, size in libraries.items()}
    jar = tmp_path / "app.jar"
    boot_jar(
        jar,
        version=version,
        libraries={name: library(size=size) for name, size in {**MANAGED, **names}.items()},
    )
    found = read_jar(jar)
    return apart(found, layered(found), ["application"], [])


def test_libraries_are_named_by_the_shortest_beginning_that_is_theirs_alone(tmp_path: Path) -> None:
    found = split(
        tmp_path, poi__5=3_000_000, poi_ooxml__5=1_500_000, spring_cloud_gateway_server__4=800_000,
        jackson_coreutils__2=600_000, netty_nio_client__2=700_000,
    )  # fmt: skip
    assert found is not None
    # jackson-core and spring-core are Spring Boot's, netty's modules are: none of these names may take them along
    assert found.names == ("jackson-coreutils", "netty-nio", "poi", "spring-cloud")
    assert (found.layer, found.directory, found.count, found.often) == (
        "dependencies",
        "BOOT-INF/lib",
        5,
        False,
    )


def test_what_few_patches_move_lies_below_what_most_do(tmp_path: Path) -> None:
    found = split(tmp_path, hutool_all__5=LEAST_BYTES, mongodb_driver_core__5=LEAST_BYTES)
    assert found is not None and found.often and found.names == ("hutool",)


def test_small_ones_stay_where_they_are(tmp_path: Path) -> None:
    assert split(tmp_path, hutool_all__5=LEAST_BYTES - 100_000, caffeine_x__1=300_000) is None
    found = split(tmp_path, hutool_all__5=LEAST_BYTES, tiny__1=100_000)
    assert found is not None and found.names == ("hutool",)


def test_the_list_has_an_end(tmp_path: Path) -> None:
    many = {f"lib{chr(97 + at)}_x__1": 500_000 + 1_000 * at for at in range(16)}
    found = split(tmp_path, **many)
    assert found is not None and len(found.names) == MOST_NAMES
    assert "libp" in found.names and "liba" not in found.names  # the smallest are left out


@pytest.mark.parametrize("name", ["hutool", "a b__1", "evil$(id)__1", "x;y__1"])
def test_names_that_are_no_plain_ones_are_not_written(tmp_path: Path, name: str) -> None:
    assert split(tmp_path, **{name: LEAST_BYTES}) is None


def test_snapshots_are_not_named(tmp_path: Path) -> None:
    assert split(tmp_path, **{"hutool_all__1.0-SNAPSHOT": LEAST_BYTES}) is None


def test_what_moves_often_is_what_the_table_says() -> None:
    members = {
        "spring": "spring-core-6.2.1", "tomcat": "tomcat-embed-core-10.1.1", "netty": "netty-common-4.1.1.Final",
        "reactor": "reactor-core-3.7.1", "micrometer": "micrometer-core-1.15.1", "hibernate": "hibernate-core-6.6.1.Final",
    }  # fmt: skip
    assert set(members) == set(OFTEN)
    for name in members.values():
        assert Patch("3.5.1").moves([(f"{name}.jar", None)])


JARS = ("hutool-all-5.8.jar", "spring-core-6.1.jar", "spring-boot-3.5.jar", "jackson-core-2.jar")


@pytest.mark.parametrize("there", [JARS, JARS[1:], JARS[:1], ("jackson-core-2.jar",)], ids=len)
def test_the_steps_move_what_is_there(tmp_path: Path, there: tuple[str, ...]) -> None:
    """A later jar may lack a library; what no name fits stays."""
    lib = tmp_path / "out/dependencies/application/lib"
    lib.mkdir(parents=True)
    for name in there:
        (lib / name).write_text(name)
    found = Apart("dependencies", "BOOT-INF/lib", ("hutool", "poi"), 1, LEAST_BYTES, often=True)
    subprocess.run(["sh", "-c", " && ".join(steps(found, "application/lib"))], cwd=tmp_path, check=True)
    for tree, names in {"unmanaged": JARS[:1], "often": JARS[1:3], "dependencies": JARS[3:]}.items():
        directory = tmp_path / "out" / tree / "application/lib"
        assert {each.name for each in directory.iterdir()} == set(names) & set(there)
