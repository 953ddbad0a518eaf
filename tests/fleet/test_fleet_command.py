"""`imgopt fleet`: what all modules push together, each byte once, and what is not known never counted as nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Imgopt, written
from fleet_repositories import MODULES, archive, dockerfile, pom, reactor, shop

KANIKO = """pipeline { agent any
 stages { stage('images') { steps { script {
  ['auth', 'order', 'gateway'].each { m ->
    sh "timeout 100 /kaniko/executor --dockerfile=${WORKSPACE}/${m}/Dockerfile --context=dir://${WORKSPACE}/${m} --destination=registry.cn-hangzhou.aliyuncs.com/shop/${m}:1"
  } } } } } }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_screen(here: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", shop(here, Jenkinsfile=KANIKO), "--no-color")
    assert run.code == 0, run.err
    lines = run.text.splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("4 modules, 3 images, Jenkinsfile,")
    assert [row.split()[0] for row in lines if "Dockerfile  " in row and "archive" not in row] == [*MODULES]
    assert "push all images in one call" in run.text
    assert "rewrite 3 Dockerfiles" in run.text
    assert "shared layers of libraries" in run.text
    assert "Jenkinsfile:4: timeout 100 ends after 100 s and ends a first push" in run.text


def test_each_byte_once(here: Path, imgopt: Imgopt) -> None:
    answer = imgopt("fleet", shop(here), "--format", "json").json
    first, bump = answer["first_push_bytes"], answer["bump_push_bytes"]
    images = [module["image"] for module in answer["modules"] if module["image"]]
    assert first["now"]["bytes"] == sum(each["first_push_bytes"]["now"]["bytes"] for each in images)
    # one base and each library once is what the plan comes to here
    assert first["best"]["bytes"] <= first["planned"]["bytes"] <= 1.05 * first["best"]["bytes"]
    assert bump["best"]["bytes"] <= bump["planned"]["bytes"] <= 1.5 * bump["best"]["bytes"]
    saved = sum(action["first_push_bytes"] for action in answer["actions"])
    assert saved == first["now"]["bytes"] - first["planned"]["bytes"]
    saved = sum(action["bump_push_bytes"] for action in answer["actions"])
    assert saved == bump["now"]["bytes"] - bump["planned"]["bytes"]
    assert [action["name"] for action in answer["actions"]] == ["mount", "rewrite", "plan"]


def test_a_library_that_all_have_is_in_one_blob(here: Path, imgopt: Imgopt) -> None:
    plan = imgopt("fleet", shop(here), "--format", "json").json["plan"]["groups"]
    of = {artifact: name for name, artifacts in plan.items() for artifact in artifacts}
    assert of["hutool-all"] == "shared-1"  # in all modules, and no patch of Spring Boot moves it: lowest
    assert of["spring-core"] == of["spring-web"] == "shared-2"
    assert of["tomcat-embed-core"] not in ("shared-1", "shared-2")  # not in the gateway
    assert "poi" not in of and "netty-buffer" not in of  # nothing to share


def test_an_archive_that_is_not_built_is_unknown_and_not_nothing(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    (here / "order/target/order-1.0.jar").unlink()
    answer = imgopt("fleet", here, "--format", "json").json
    (order,) = [module for module in answer["modules"] if module["name"] == "order"]
    assert order["image"]["archive"] is None
    assert order["image"]["shared_bytes"] is None
    assert order["image"]["unplanned"] == "its archive is not built yet"
    for release in ("first", "bump", "next"):
        for column, told in answer[f"{release}_push_bytes"].items():
            assert told["complete"] is False, (release, column)
    assert all(action["complete"] is False for action in answer["actions"])
    text = imgopt("fleet", here).text
    assert "not built" in text and "at least" in text


def test_one_broken_module_stops_nothing(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    (here / "order/Dockerfile").write_text("FROM\n")
    (here / "gateway/pom.xml").write_text("<project><unclosed>\n")
    run = imgopt("fleet", here, "--format", "json")
    answer = run.json
    assert run.code == 2
    assert [module["name"] for module in answer["modules"] if module["image"]] == ["auth", "gateway"]
    left = {each["what"]: each["why"] for each in answer["left_out"]}
    assert left["order/Dockerfile:1"].startswith("cannot be read")
    assert "not well-formed XML" in left["gateway/pom.xml"]


def test_drift_and_mixed_bases_have_a_price(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    archive(here / "auth/target/auth-1.0.jar", MODULES["auth"], versions={"hutool-all": "5.7.1"})
    (here / "gateway/Dockerfile").write_text(dockerfile("target/*.jar", "eclipse-temurin:17-jre-jammy"))
    answer = imgopt("fleet", here, "--format", "json").json
    (drift,) = answer["drift"]
    assert (drift["artifact"], drift["versions"]) == ("hutool-all", {"5.7.1": 1, "5.8.38": 2})
    assert drift["bytes"] > 700_000
    assert len(answer["bases"]["images"]) == 2
    assert answer["bases"]["more_bytes"] > 10_000_000


def test_an_artifact_in_two_versions_is_shared_by_those_that_have_the_same(
    here: Path, imgopt: Imgopt
) -> None:
    shop(here)
    archive(here / "auth/target/auth-1.0.jar", MODULES["auth"], versions={"hutool-all": "5.7.1"})
    answer = imgopt("fleet", here, "--format", "json").json
    first = answer["first_push_bytes"]
    assert first["planned"]["bytes"] <= 1.05 * first["best"]["bytes"]
    groups = answer["plan"]["groups"].values()
    assert ["hutool-all"] in groups  # no group with artifacts that lie in other modules together


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_other_formats(here: Path, imgopt: Imgopt, format: str) -> None:
    run = imgopt("fleet", shop(here), "--format", format)
    assert run.code == 0, run.err
    for name in MODULES:
        assert name in run.text
    assert ("<!-- imgopt: fleet -->" in run.text) == (format == "markdown")
    assert ("Which layers lie in which images" in run.text) == (format == "html")


def test_a_directory_without_a_build(here: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", here)
    assert run.code == 2
    assert run.err == (
        f"error: {here}: no build of Maven or Gradle in this directory; name the repository's directory\n"
    )


def test_budgets_of_the_configuration_stand_in_the_rows(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    (here / "imgopt.toml").write_text(
        '[budgets]\nmax-size = "1GB"\n[budgets."*gateway*"]\nmax-size = "1MB"\n'
    )
    answer = imgopt("fleet", here, "--format", "json").json
    told = {module["name"]: module["budget"] for module in answer["modules"] if module["image"]}
    assert told["auth"] == "ok"
    assert set(told) == set(MODULES)


def test_jars_beside_the_dockerfile_that_a_script_copies_there(here: Path, imgopt: Imgopt) -> None:
    reactor(here, ["shop-auth"], **{"docker/auth/Dockerfile": dockerfile("./jar/shop-auth.jar")})
    archive(here / "shop-auth/target/shop-auth-1.0.jar", MODULES["auth"])
    answer = imgopt("fleet", here, "--format", "json").json
    image = answer["modules"][1]["image"]
    size = image["archive"]["bytes"]
    assert image["next_push_bytes"]["now"] == {"bytes": size, "basis": "predicted", "complete": True}


# what repositories can be like


def test_modules_in_a_circle_outside_and_behind_links(here: Path, imgopt: Imgopt) -> None:
    written(
        here,
        **{
            "inner/pom.xml": pom(
                "inner", parent=None, modules=["auth", ".", "..", "../outer", "link", "/etc", "none"]
            ),
            "inner/auth/pom.xml": pom("auth", parent="inner", modules=[".."], boot=True),
            "outer/pom.xml": pom("outer", parent=None, boot=True),
        },
    )
    (here / "inner/link").symlink_to(".")
    (here / "inner/auth/loop").symlink_to("loop")
    run = imgopt("fleet", here / "inner", "--format", "json")
    assert run.code == 0, run.err
    assert [module["directory"] for module in run.json["modules"]] == [".", "auth"]
    said = "\n".join(run.json["warnings"])
    assert "../outer/pom.xml is named as a module and lies outside of this directory" in said
    assert "none/pom.xml is named as a module and is not there" in said
    assert "no image: no Dockerfile here ships the archive of a module" in said


def test_modules_that_need_each_other_touch_each_other(here: Path, imgopt: Imgopt) -> None:
    from imgopt.fleet.modules import find_modules

    reactor(here, {"a": ("b",), "b": ("a",)})
    assert find_modules(here).dependents(["a"]) == {"a", "b"}


def test_more_modules_than_are_looked_at(here: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgopt.fleet import modules

    monkeypatch.setattr(modules, "MOST_MODULES", 3)
    reactor(here, [f"m{number}" for number in range(10)])
    answer = imgopt("fleet", here, "--format", "json").json
    assert len(answer["modules"]) == 3
    assert "more than 3 modules: the others were not looked at" in answer["warnings"]


@pytest.mark.parametrize(
    "text",
    ["", "<project><a", "no xml", '<!DOCTYPE x [<!ENTITY a "b">]><project>&a;</project>', "<html/>", "\0\0"],
)
def test_a_root_pom_that_is_none(here: Path, imgopt: Imgopt, text: str) -> None:
    (here / "pom.xml").write_text(text)
    run = imgopt("fleet", here)
    assert run.code == 2
    assert len(run.err.splitlines()) == 1 and "pom.xml" in run.err


def test_names_with_control_characters_act_nowhere(here: Path, imgopt: Imgopt) -> None:
    evil = "\x1b[31mred\u202e::error::x"
    written(
        here,
        **{
            "pom.xml": pom("platform", modules=[evil.replace("\x1b", "")], parent=None),
            f"{evil}/Dockerfile": dockerfile("target/*.jar"),
            "auth/Dockerfile": dockerfile("target/*.jar"),
        },
    )
    for format in ("text", "json", "markdown", "html"):
        run = imgopt("fleet", here, "--format", format)
        assert "\x1b" not in run.text and "\u202e" not in run.text.replace("\\u202e", "")
        assert not any(row.startswith("::") for row in run.text.splitlines())


def test_an_archive_that_cannot_be_read_is_an_error_of_its_own(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    (here / "order/target/order-1.0.jar").write_bytes(b"PK\3\4 no archive at all")
    run = imgopt("fleet", here, "--format", "json")
    assert run.code == 2
    (order,) = [module for module in run.json["modules"] if module["name"] == "order"]
    assert (
        order["image"]["unplanned"].startswith("its archive ")
        and "not built" not in order["image"]["unplanned"]
    )
    assert [Path(error["path"]).name for error in run.json["errors"]] == ["order-1.0.jar"]
    write = imgopt("fleet", "write", here, "--in-place")
    assert "no shared layers: of order nothing is known" in write.err
    assert not (here / ".mvn").exists()


def test_libraries_in_other_directories_share_no_layers_and_that_is_said(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    (here / "order/Dockerfile").write_text(
        "FROM eclipse-temurin:21-jre AS unpack\nWORKDIR /x\nCOPY target/order-1.0.jar app.jar\n"
        "RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination out\n"
        "FROM eclipse-temurin:21-jre\nWORKDIR /app\n"
        + "".join(
            f"COPY --from=unpack /x/out/{layer}/ ./\n"
            for layer in ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application")
        )
        + 'ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]\n'
    )
    answer = imgopt("fleet", here, "--format", "json").json
    first = answer["first_push_bytes"]
    assert first["planned"]["bytes"] > first["best"]["bytes"] + 1_000_000
    (said,) = [each for each in answer["warnings"] if "lie in different directories" in each]
    assert "/application/lib (2 images)" in said and "/app/BOOT-INF/lib (1 image)" in said


def test_a_spring_boot_without_layers_is_no_part_of_the_plan(here: Path, imgopt: Imgopt) -> None:
    shop(here)
    archive(here / "auth/target/auth-1.0.jar", MODULES["auth"], boot="2.2.1")
    answer = imgopt("fleet", here, "--format", "json").json
    (auth,) = [module for module in answer["modules"] if module["name"] == "auth"]
    assert auth["image"]["unplanned"] == "Spring Boot 2.2.1 makes no layers of it; 2.3 and later do"
    assert {"order", "gateway"} == {
        module["name"]
        for module in answer["modules"]
        if module["image"] and module["image"]["unplanned"] is None
    }
