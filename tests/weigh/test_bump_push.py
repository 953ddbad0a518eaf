"""What a patch of Spring Boot sends, as `suggest` predicts it and the gate judges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from boot_jar import PADDING, boot_jar, class_file, library
from command_line import Imgopt, Run
from image_samples import docker_archive, layer

MB = 1_000_000
FROM = "FROM eclipse-temurin:17-jre\n"
START = 'ENTRYPOINT ["java", "-jar", "/app.jar"]\n'
#: Two layers of libraries whose digests stay while their files do; Spring Boot manages what is in the upper one.
APART = f"""\
{FROM[:-1]} AS extract
WORKDIR /x
COPY app.jar app.jar
RUN java -Djarmode=tools -jar app.jar extract --layers --launcher --destination layers \\
 && mkdir -p out/rest/app/BOOT-INF/lib out/dependencies && mv layers/dependencies/BOOT-INF/lib/guava-* out/rest/app/BOOT-INF/lib/ \\
 && mv layers/dependencies out/dependencies/app && find out -exec touch -t 198002010000 {{}} +
{FROM}COPY --from=extract /x/out/rest/ /
COPY --from=extract /x/out/dependencies/ /
COPY app.jar /app.jar
{START}"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    libraries = {
        "spring-core-6.2.10.jar": library(size=2 * MB, seed=1),
        "spring-boot-3.5.4.jar": library(size=MB, seed=2),
        "guava-33.4.8-jre.jar": library(size=4 * MB, seed=3),
    }
    boot_jar(tmp_path / "app.jar", version="3.5.4", libraries=libraries)
    (tmp_path / "Dockerfile").write_text(f"{FROM}COPY app.jar /app.jar\n{START}")
    return tmp_path


def predicted(run: Run) -> Any:
    assert run.code == 0, run.err
    return run.json["files"][0]["prediction"]


def test_a_patch_sends_a_fat_jar_and_a_layer_of_libraries_whole(imgopt: Imgopt, service: Path) -> None:
    found = predicted(imgopt("suggest", "--format", "json", "--bandwidth", "1MB/s"))
    following, bumped = found["next_push_bytes"], found["bump_push_bytes"]
    assert bumped["before"] == following["before"] > 7 * MB
    assert following["after"] < 0.2 * MB and bumped["after"] > 7 * MB
    assert bumped["basis"] == "predicted" and bumped["complete"] is True
    (push,) = found["push"]
    assert push["bump_push_s"]["after"] == pytest.approx(bumped["after"] / MB, rel=0.1)
    layers = found["after"]["layers"]
    assert [each["changes_each_bump"] for each in layers if each["from_base"]] == [False]
    assert any(each["changes_each_bump"] and not each["changes_each_release"] for each in layers)


def test_libraries_that_spring_boot_does_not_manage_stay_where_they_lie_apart(
    imgopt: Imgopt, service: Path
) -> None:
    (service / "Dockerfile").write_text(APART)
    found = predicted(imgopt("suggest", "--format", "json"))
    told = {
        each["instruction"].partition("/x/")[2]: (each["changes_each_release"], each["changes_each_bump"])
        for each in found["before"]["layers"]
        if not each["from_base"]
    }
    assert (told["out/rest/ /"], told["out/dependencies/ /"]) == ((False, False), (False, True))
    assert told[""] == (True, True)
    following, bumped = found["next_push_bytes"]["before"], found["bump_push_bytes"]["before"]
    assert following + 3 * MB < bumped < following + 3.1 * MB


@pytest.mark.parametrize(
    "text",
    [
        f"{FROM}COPY other.jar /app.jar\n{START}",
        f"{FROM}COPY text.txt /\n",
        f"{FROM}COPY missing.jar /app.jar\n{START}",
    ],
    ids=["another-kind", "no-jar", "not-built"],
)
def test_nothing_is_said_where_no_spring_boot_is_known(imgopt: Imgopt, service: Path, text: str) -> None:
    (service / "other.jar").write_bytes(library(size=PADDING))
    (service / "text.txt").write_text("x")
    (service / "Dockerfile").write_text(text)
    found = predicted(imgopt("suggest", "--format", "json"))
    assert found["bump_push_bytes"] == {"before": None, "after": None, "complete": False, "basis": "unknown"}
    assert all(each["changes_each_bump"] is None for each in found["before"]["layers"])
    for style in ("text", "markdown", "html"):
        assert "Boot patch" not in imgopt("suggest", "--format", style).text


@pytest.mark.parametrize("style", ["text", "markdown", "html"])
def test_every_report_has_it(imgopt: Imgopt, service: Path, style: str) -> None:
    assert "Boot patch" in imgopt("suggest", "--format", style).text


def test_an_option_names_the_version_of_what_is_not_built_and_is_unpacked(
    imgopt: Imgopt, service: Path
) -> None:
    (service / "Dockerfile").write_text(APART.replace("COPY app.jar /app.jar\n", ""))
    (service / "app.jar").unlink()
    found = predicted(imgopt("suggest", "--format", "json", "--spring-boot", "3.5.4", "--jar-size", "50MB"))
    assert any(each["changes_each_bump"] for each in found["before"]["layers"])


def test_advice_for_the_budget_claims_no_bytes_of_another_release(imgopt: Imgopt, service: Path) -> None:
    run = imgopt("gate", "--predict", ".", "--max-bump", "1MB")
    assert run.code == 1 and "fat-jar-layer, line 2" in run.text
    assert not [line for line in run.text.splitlines() if "fat-jar-layer" in line and "saves" in line]


def budget(run: Run) -> Any:
    (target,) = run.json["targets"]
    return next(each for each in target["budgets"] if each["name"] == "max-bump")


@pytest.mark.parametrize(
    ("limit", "code"), [("20MB", 0), ("1MB", 1), ("1 min at 1MB/s", 0), ("1 s at 1MB/s", 1)]
)
def test_the_gate_holds_a_prediction_against_it(imgopt: Imgopt, service: Path, limit: str, code: int) -> None:
    run = imgopt("gate", "--predict", ".", "--max-bump", limit, "--format", "json")
    assert run.code == code, run.err
    assert budget(run)["passed"] is (code == 0) and budget(run)["basis"] == "predicted"


def test_the_gate_cannot_tell_without_spring_boot(imgopt: Imgopt, service: Path) -> None:
    (service / "app.jar").write_bytes(library(size=PADDING))
    run = imgopt("gate", "--predict", ".", "--max-bump", "1GB", "--format", "json")
    assert run.code == 3 and budget(run)["passed"] is False and budget(run)["measured"] is False
    assert "not known to be made with Spring Boot" in budget(run)["message"]


def test_a_configuration_may_set_it(imgopt: Imgopt, service: Path) -> None:
    (service / "imgopt.toml").write_text('[budgets]\nmax-bump = "1MB"\n')
    run = imgopt("gate", "--predict", ".", "--format", "json")
    assert run.code == 1 and budget(run)["source"] == "imgopt.toml:2"


def test_the_gate_holds_an_image_against_it(imgopt: Imgopt, service: Path) -> None:
    """Libraries of an unpacked application in two layers: only that with Spring Boot's moves."""
    unpacked = {
        "rest": {"app/lib/guava-33.4.8-jre.jar": library(size=4 * MB, seed=3)},
        "managed": {"app/lib/spring-boot-3.5.4.jar": library(size=MB, seed=2), "app/lib/spring-core-6.2.10.jar": library(size=MB, seed=1)},
        "own": {"app/app.jar": library({"com/example/App.class": class_file("com/example/App")}, size=100_000)},
    }  # fmt: skip
    start = {"Entrypoint": ["java", "-cp", "/app/app.jar:/app/lib/*", "com.example.App"]}
    image = docker_archive(
        service / "image.tar", [layer(each) for each in unpacked.values()], tuple(unpacked), **start
    )
    following = imgopt("gate", image, "--max-next-push", "1GB", "--format", "json").json["targets"][0][
        "budgets"
    ][0]["actual"]
    run = imgopt("gate", image, "--max-bump", "3MB", "--format", "json")
    assert run.code == 0, run.err
    assert budget(run)["basis"] == "predicted"
    assert following + 2 * MB < budget(run)["actual"] < following + 2.1 * MB
    assert imgopt("gate", image, "--max-bump", "1MB").code == 1


def test_the_gate_cannot_tell_of_an_image_of_something_else(imgopt: Imgopt, service: Path) -> None:
    own = {"app/app.jar": library({"com/example/App.class": class_file("com/example/App")}, size=100_000)}
    image = docker_archive(
        service / "image.tar",
        [layer(own)],
        ("own",),
        Entrypoint=["java", "-cp", "/app/app.jar", "com.example.App"],
    )
    assert imgopt("gate", image, "--max-next-push", "1MB").code == 0
    assert imgopt("gate", image, "--max-bump", "1GB").code == 3
