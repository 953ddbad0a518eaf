"""`imgopt fleet write`: the plan in Maven's and Gradle's builds, and Dockerfiles that fit; never an image without a layer."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import Imgopt, written
from fleet_repositories import MODULES, archive, dockerfile, pom, shop

from imgopt.errors import InputError
from imgopt.fleet.layer_files import MAVEN_PLACE, gradle_script, layers_xml
from imgopt.fleet.plan import Plan
from imgopt.fleet.pom_edits import with_layers

NAMESPACE = "{http://www.springframework.org/schema/boot/layers}"
DOCKERFILES = [f"{name}/Dockerfile" for name in MODULES]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return shop(tmp_path)


def test_diff_check_and_in_place_agree_and_a_second_run_is_idle(here: Path, imgopt: Imgopt) -> None:
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    diff = imgopt("fleet", "write", "--diff").text
    assert imgopt("fleet", "write").text == diff
    check = imgopt("fleet", "write", "--check")
    assert check.code == 1
    named = ["imgopt-fleet.toml", ".mvn/layers.xml", "pom.xml", *DOCKERFILES]
    assert [row.partition(" would change")[0] for row in check.text.splitlines()] == named
    assert [row[6:] for row in diff.splitlines() if row.startswith("+++ b/")] == named
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
    run = imgopt("fleet", "write", "--in-place")
    assert run.code == 0
    assert "build the archives again before the images" in run.err
    assert (here / ".mvn/layers.xml").is_file()
    again = imgopt("fleet", "write", "--check")
    assert (again.code, again.text) == (0, "")


def copied(dockerfile: Path) -> list[list[str]]:
    """The layers of each COPY line."""
    rows = [
        row.split()
        for row in dockerfile.read_text().splitlines()
        if "/out/" in row and row.startswith("COPY")
    ]
    return [[word.rstrip("/").rpartition("/out/")[2] for word in row if "/out/" in word] for row in rows]


def test_the_dockerfiles_copy_the_shared_layers_in_one_order(here: Path, imgopt: Imgopt) -> None:
    assert imgopt("fleet", "write", "--in-place").code == 0
    for name in ("auth", "order"):
        assert copied(here / name / "Dockerfile")[:4] == [
            ["shared-1"],
            ["shared-2"],
            ["shared-3"],
            ["dependencies"],
        ]
    # it has nothing of the third one, and two lines of nothing in a row are more than the classic builder takes
    assert copied(here / "gateway/Dockerfile")[:3] == [
        ["shared-1"],
        ["shared-2"],
        ["shared-3", "dependencies"],
    ]


def test_layers_xml_names_artifacts_without_versions_and_every_layer_once(here: Path, imgopt: Imgopt) -> None:
    assert imgopt("fleet", "write", "--in-place").code == 0
    root = ElementTree.parse(here / ".mvn/layers.xml").getroot()
    order = [each.text for each in root.iter(f"{NAMESPACE}layer")]
    assert order == [
        "shared-1",
        "shared-2",
        "shared-3",
        "dependencies",
        "spring-boot-loader",
        "snapshot-dependencies",
        "application",
    ]
    into = root.find(f"{NAMESPACE}dependencies")
    assert into is not None
    assert {each.get("layer") for each in into} == set(order) - {"spring-boot-loader"}
    includes = [each.text for each in into.iter(f"{NAMESPACE}include")]
    assert "*:spring-core:*" in includes and "*:*:*SNAPSHOT" in includes


def test_without_module_dependencies_where_2_3_reads_it() -> None:
    plan = Plan({"shared-1": ("a",)})
    assert "includeModuleDependencies" in layers_xml(plan)
    assert "includeModuleDependencies" not in layers_xml(plan, modules=False)
    assert "includeProjectDependencies" not in gradle_script(plan, modules=False)


def test_gradle_gets_a_script_and_one_line(
    tmp_path: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    script = "plugins {\n  id 'org.springframework.boot' version '3.5.4'\n}\nversion = '1.0'\n"
    files = {"settings.gradle": "include 'auth', 'order', 'gateway'\n", "build.gradle": "// root"}
    for name in MODULES:
        files |= {f"{name}/build.gradle": script, f"{name}/Dockerfile": dockerfile("build/libs/*.jar")}
    written(tmp_path, **files)
    for name, artifacts in MODULES.items():
        archive(tmp_path / name / "build/libs" / f"{name}-1.0.jar", artifacts)
    run = imgopt("fleet", "write", "--in-place")
    assert run.code == 0, run.err
    assert (tmp_path / "build.gradle").read_text() == "// root\napply from: 'gradle/imgopt-layers.gradle'\n"
    text = (tmp_path / "gradle/imgopt-layers.gradle").read_text()
    assert "intoLayer('shared-1') {\n                    include '*:hutool-all:*'" in text
    assert text.count("{") == text.count("}")
    assert imgopt("fleet", "write", "--check").code == 0


# where an image would lack a layer, nothing is written for the builds


def test_a_module_that_is_not_built_stops_the_layers_and_not_the_other_rewrites(
    here: Path, imgopt: Imgopt
) -> None:
    (here / "order/target/order-1.0.jar").unlink()
    run = imgopt("fleet", "write", "--in-place")
    assert "no shared layers: of order nothing is known, since its archive is not built yet" in run.err
    assert not (here / ".mvn").exists() and not (here / "imgopt-fleet.toml").exists()
    assert "jarmode" in (here / "auth/Dockerfile").read_text()
    assert "shared-1" not in (here / "auth/Dockerfile").read_text()
    assert imgopt("fleet", "write", "--check").code == 3


def test_a_build_inside_the_image_needs_the_file(here: Path, imgopt: Imgopt) -> None:
    text = (
        "FROM maven:3.9-eclipse-temurin-21 AS build\nWORKDIR /src\nCOPY {} ./\nRUN mvn -pl auth -am package\n"
        "FROM eclipse-temurin:21-jre\nCOPY --from=build /src/auth/target/auth-1.0.jar /app.jar\n"
        'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    (here / "auth/Dockerfile").unlink()
    (here / "Dockerfile").write_text(text.format("pom.xml auth order gateway"))
    run = imgopt("fleet", "write", "--in-place")
    assert "Dockerfile builds the archive itself and does not copy .mvn" in run.err
    assert not (here / ".mvn").exists()
    (here / "Dockerfile").write_text(text.format("."))
    assert imgopt("fleet", "write", "--in-place").code == 0
    assert (here / ".mvn/layers.xml").exists()


def test_a_build_with_layers_of_its_own_stays(here: Path, imgopt: Imgopt) -> None:
    own = (
        "<plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>"
        "<configuration><layers><configuration>mine.xml</configuration></layers></configuration></plugin>"
    )
    path = here / "auth/pom.xml"
    path.write_text(path.read_text().replace("<plugins>", f"<plugins>{own}"))
    run = imgopt("fleet", "write", "--in-place")
    assert "Spring Boot's plugin has layers of its own there" in run.err
    assert not (here / ".mvn").exists()


def test_modules_that_do_not_inherit_from_the_root_are_changed_each(here: Path, imgopt: Imgopt) -> None:
    for name in MODULES:
        (here / name / "pom.xml").write_text(pom(name, parent=None, boot=True))
    assert imgopt("fleet", "write", "--in-place").code == 0
    assert MAVEN_PLACE not in (here / "pom.xml").read_text()
    for name in MODULES:
        assert (here / name / "pom.xml").read_text().count(MAVEN_PLACE) == 1


def test_modules_that_share_a_file_agree_on_it(
    tmp_path: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    shop(tmp_path)
    for name in MODULES:
        (tmp_path / name / "Dockerfile").unlink()
    services = "".join(
        f"  {name}:\n    build:\n      context: .\n      args:\n        MODULE: {name}\n" for name in MODULES
    )
    written(
        tmp_path,
        **{
            "Dockerfile": "FROM eclipse-temurin:21-jdk\nARG MODULE\nCOPY ${MODULE}/target/${MODULE}-1.0.jar /app.jar\n"
            'ENTRYPOINT ["java", "-jar", "/app.jar"]\n',
            "compose.yaml": f"services:\n{services}",
        },
    )
    run = imgopt("fleet", "write", "--in-place")
    assert run.code == 0, run.err
    # one of the modules has something in each of them
    assert copied(tmp_path / "Dockerfile")[:4] == [["shared-1"], ["shared-2"], ["shared-3"], ["dependencies"]]
    assert imgopt("fleet", "write", "--check").code == 0


@pytest.mark.parametrize("two", [("--diff", "--check"), ("--check", "--in-place")])
def test_modes_do_not_go_together(here: Path, imgopt: Imgopt, two: tuple[str, str]) -> None:
    run = imgopt("fleet", "write", *two)
    assert run.code == 2 and "do not go together" in run.err


@pytest.mark.parametrize("link", ["imgopt-fleet.toml", ".mvn"])
def test_nothing_is_written_through_a_link_out_of_the_repository(
    here: Path, imgopt: Imgopt, tmp_path_factory: pytest.TempPathFactory, link: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (here / link).symlink_to(outside if link == ".mvn" else outside / "new.toml")
    run = imgopt("fleet", "write", "--in-place")
    assert "is a link that leads out of the repository" in run.err
    assert list(outside.iterdir()) == []
    if link != ".mvn":
        assert imgopt("fleet", "plan").code == 2
        assert list(outside.iterdir()) == []


# poms

_BOOT = "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId>"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  <build/>\n",
        "  <build>\n  </build>\n",
        "  <build><pluginManagement/></build>\n",
        "  <build>\n    <pluginManagement>\n      <plugins>\n      </plugins>\n    </pluginManagement>\n  </build>\n",
        f"  <build><plugins><plugin>{_BOOT}</plugin></plugins></build>\n",
        f"  <build><plugins><plugin>{_BOOT}<configuration/></plugin></plugins></build>\n",
        f"  <build><plugins><plugin>{_BOOT}<configuration><skip>false</skip></configuration></plugin></plugins></build>\n",
        f"  <!-- <build/> -->\n  <build><plugins><plugin a='>'>{_BOOT}</plugin></plugins></build>\n",
        "\t<build>\r\n\t\t<plugins/>\r\n\t</build>\r\n",
    ],
)
def test_one_change_of_a_pom_and_everything_else_as_it_was(body: str) -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- née -->\n<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        f"  <artifactId>x</artifactId>\n{body}</project>\n"
    )
    data = text.encode()
    new = with_layers(data, "pom.xml")
    root = ElementTree.fromstring(new)
    places = [
        each
        for each in root.iter("{http://maven.apache.org/POM/4.0.0}configuration")
        if each.text == MAVEN_PLACE
    ]
    assert len(places) == 1
    assert with_layers(new, "pom.xml") == new
    old_rows = [row.strip() for row in text.replace("/>", ">").split("\n") if row.strip()]
    assert new.startswith(data[: text.encode().index(b"<artifactId>x")])
    assert old_rows[0] in new.decode()


def test_a_pom_in_another_encoding_is_not_touched() -> None:
    data = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<project><name>é</name></project>\n'.encode(
        "latin-1"
    )
    with pytest.raises(InputError, match="is not written in UTF-8"):
        with_layers(data, "pom.xml")
