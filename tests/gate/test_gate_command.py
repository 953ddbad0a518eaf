"""`imgopt gate` on real images: exit codes, what is over and by how much, the baseline that only shrinks."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt, Run
from image_samples import docker_archive, layer

from imgopt.bases import identify, size_of

JDK = random.Random(1).randbytes(2_000_000)
MODULES = random.Random(2).randbytes(1_500_000)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """small: an application on a JRE, not root. large: more libraries, a JDK, a second copy of the jar, as root."""
    directory = tmp_path_factory.mktemp("releases")

    def jar(**libraries: int) -> bytes:
        path = directory / "app.jar"
        named = {
            f"{name.replace('_', '-')}.jar": library(size=size, seed=size) for name, size in libraries.items()
        }
        boot_jar(path, version="3.5.4", libraries=named)
        return path.read_bytes()

    java = "usr/lib/jvm/java-17"
    small = {"app": None, "app/app.jar": jar(core_1=400_000, **{"guava-1.0": 200_000})}
    large = {"app": None, "app/app.jar": jar(core_1=400_000, **{"guava-2.0": 900_000}, pulsar_4=1_200_000)}
    start = {"Entrypoint": ["java", "-jar", "/app/app.jar"]}
    jre = layer({f"{java}/lib/modules": MODULES})
    jdk = layer({f"{java}/lib/modules": MODULES, f"{java}/bin/javac": JDK})
    commands = ("ADD java", "COPY app.jar /app/", "RUN chown -R app /app")
    return {
        "small": docker_archive(directory / "small.tar", [jre, layer(small)], commands, User="1000", **start),
        "large": docker_archive(
            directory / "large.tar",
            [jdk, layer(large), layer({**large, "app/b": b"b"})],
            commands,
            tag="shop/api:8",
            **start,
        ),
    }


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def budgets(run: Run) -> dict[str, Any]:
    (target,) = run.json["targets"]
    return {each["name"]: each for each in target["budgets"]}


def test_it_holds(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    run = imgopt(
        "gate", releases["small"], "--max-size", "3MB", "--forbid", "jdk,root-user,build-tools,package-cache"
    )
    assert (run.code, run.err) == (0, "")
    assert run.text.splitlines()[-1] == "the gate holds: 1 image within budget"
    assert re.search(r"^  ok  +max-size +3\.00 MB +--max-size$", run.text, re.M)


def test_over_says_which_by_how_much_and_what_to_do(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    arguments = [
        "--max-size",
        "5MB",
        "--max-waste",
        "1MB",
        "--forbid",
        "jdk,root-user",
        "--min-efficiency",
        "0.9",
    ]
    run = imgopt("gate", releases["large"], *arguments, "--format", "json")
    assert run.code == 1 and run.json["passed"] is False
    found = budgets(run)
    size = found["max-size"]
    assert size["actual"] == run.json["targets"][0]["compressed_bytes"] and size["limit"] == 5_000_000
    assert f"{(size['actual'] - 5_000_000) / 1e6:.2f} MB over 5.00 MB" in size["message"]
    assert [each.partition(":")[0] for each in size["remedies"]] == ["jdk-runtime", "recursive-chown"]
    assert found["max-waste"]["details"] == [f"/app/app.jar: {found['max-waste']['actual'] / 1e6:.2f} MB"]
    assert found["forbid"]["actual"] == ["jdk", "root-user"]
    assert any("/usr/lib/jvm/java-17, layer 1" in each for each in found["forbid"]["details"])
    assert found["min-efficiency"]["passed"] is False
    text = imgopt("gate", releases["large"], *arguments)
    assert text.code == 1 and text.text.splitlines()[-1] == "the gate fails: 1 image over budget"
    assert "> recursive-chown: layer 3 stores /app/app.jar once more" in " ".join(text.text.split())


def test_pushes_are_bytes_or_seconds(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    run = imgopt(
        "gate", releases["large"], "--format", "json", "--bandwidth", "0.5-1MB/s",
        "--max-first-push", "1 s", "--max-next-push", "100 s at 2MB/s",
    )  # fmt: skip
    found = budgets(run)
    whole = run.json["targets"][0]["compressed_bytes"]
    assert found["max-first-push"]["bandwidth_bytes_per_s"] == 500_000
    assert found["max-first-push"]["actual"] == pytest.approx(whole / 500_000, rel=0.2)
    # without a baseline the layers with the application count: both copies of the jar
    changing = sum(each["compressed_bytes"] for each in run.json["targets"][0]["layers"][1:])
    following = found["max-next-push"]
    assert following["passed"] and following["basis"] == "predicted"
    assert following["actual"] == pytest.approx(changing / 2_000_000, rel=0.2)
    assert "by what the layers hold" in following["details"][-1]


def test_the_baseline_is_a_ratchet(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    small, large = releases["small"], releases["large"]
    first = imgopt("gate", large, "--baseline", "b.json", "--update-baseline")
    assert first.code == 0 and "b.json: shop/api: recorded" in first.text
    high = json.loads(Path("b.json").read_text())["images"]["shop/api"]["compressed_bytes"]

    down = imgopt("gate", small, "--baseline", "b.json", "--update-baseline")
    assert down.code == 0 and "b.json: shop/api: lowered" in down.text
    low = json.loads(Path("b.json").read_text())["images"]["shop/api"]["compressed_bytes"]
    assert low < high
    kept = Path("b.json").read_bytes()
    assert imgopt("gate", small, "--baseline", "b.json", "--update-baseline").code == 0
    assert Path("b.json").read_bytes() == kept  # deterministic, and nothing to write

    up = imgopt("gate", large, "--baseline", "b.json", "--update-baseline")
    assert up.code == 1 and "shop/api: not raised" in up.text and Path("b.json").read_bytes() == kept

    accepted = imgopt(
        "gate", large, "--baseline", "b.json", "--accept", "shop/api", "--reason", "Pulsar\nclient"
    )
    assert accepted.code == 0 and "growth accepted: Pulsar client" in accepted.text
    entry = json.loads(Path("b.json").read_text())["images"]["shop/api"]
    assert entry["compressed_bytes"] == high
    (written,) = entry["accepted"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", written.pop("date"))
    assert written == {"reason": "Pulsar client", "from_bytes": low, "to_bytes": high}
    # the reason stays when the image shrinks again
    imgopt("gate", small, "--baseline", "b.json", "--update-baseline")
    entry = json.loads(Path("b.json").read_text())["images"]["shop/api"]
    assert entry["compressed_bytes"] == low and entry["accepted"][0]["reason"] == "Pulsar client"


@pytest.mark.parametrize("reason", ["\u200bzlib", "\u5927", "\U0001f600", "."])
def test_a_reason_that_can_be_seen_is_one(imgopt: Imgopt, releases: dict[str, Path], reason: str) -> None:
    imgopt("gate", releases["small"], "--baseline", "b.json", "--update-baseline")
    run = imgopt(
        "gate", releases["large"], "--baseline", "b.json", "--accept", "shop/api", "--reason", reason
    )
    assert run.code == 0
    (written,) = json.loads(Path("b.json").read_text())["images"]["shop/api"]["accepted"]
    assert written["reason"] == reason


def test_growth_names_the_layers_and_libraries_that_grew(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    imgopt("gate", releases["small"], "--baseline", "b.json", "--update-baseline")
    run = imgopt(
        "gate",
        releases["large"],
        "--baseline",
        "b.json",
        "--max-growth",
        "5%, floor 10kB",
        "--format",
        "json",
    )
    found = budgets(run)["max-growth"]
    assert run.code == 1 and found["passed"] is False
    low = json.loads(Path("b.json").read_text())["images"]["shop/api"]["compressed_bytes"]
    assert found["actual"] == run.json["targets"][0]["compressed_bytes"] - low
    assert found["limit"] == int(low * 0.05)
    details = "\n".join(found["details"])
    assert re.search(r"^grew: layer 1 ADD java: \S+ MB, was \S+ MB$", details, re.M)
    assert re.search(
        r"^grew: /app/app\.jar!/BOOT-INF/lib/pulsar-4\.jar: 1\.20 MB unpacked, new$", details, re.M
    )
    assert re.search(
        r"guava-2\.0\.jar \(was guava-1\.0\.jar\): 0\.900 MB unpacked, was 0\.200 MB$", details, re.M
    )
    assert "core-1.jar" not in details


def test_the_next_push_is_what_the_recorded_release_lacks(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    imgopt("gate", releases["small"], "--baseline", "b.json", "--update-baseline")
    same = imgopt(
        "gate", releases["small"], "--baseline", "b.json", "--max-next-push", "1kB", "--format", "json"
    )
    assert same.code == 0 and budgets(same)["max-next-push"]["actual"] == 0
    run = imgopt(
        "gate", releases["large"], "--baseline", "b.json", "--max-next-push", "1kB", "--format", "json"
    )
    found = budgets(run)["max-next-push"]
    assert found["actual"] == run.json["targets"][0]["compressed_bytes"] and found["basis"] == "measured"
    assert found["details"][-1] == "counted: the layers that the baseline's release does not have"


def test_missing_and_stale_entries_are_named(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    imgopt("gate", f"old/app={releases['small']}", "--baseline", "b.json", "--update-baseline")
    run = imgopt("gate", releases["small"], "--baseline", "b.json")
    assert run.code == 3
    assert "b.json has no entry of shop/api; record it with --update-baseline" in " ".join(run.text.split())
    assert "in b.json, but not among these images: old/app" in run.text
    assert imgopt("gate", releases["small"], "--baseline", "b.json", "--format", "json").json["baseline"][
        "stale"
    ] == ["old/app"]


def test_a_baseline_file_that_is_not_there_is_named(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    run = imgopt("gate", releases["small"], "--baseline", "c/b.json")
    assert run.code == 3
    assert "c/b.json has no entry of shop/api; record it with --update-baseline" in " ".join(run.text.split())


def test_the_first_record_is_not_its_own_release_before(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    arguments = [releases["small"], "--max-next-push", "1kB", "--format", "json"]
    alone = imgopt("gate", *arguments)
    first = imgopt("gate", *arguments, "--baseline", "b.json", "--update-baseline")
    assert (alone.code, first.code) == (1, 1)
    assert budgets(first)["max-next-push"]["actual"] == budgets(alone)["max-next-push"]["actual"] > 1000


def test_two_images_of_one_name_are_not_recorded_as_one(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    small, large = releases["small"], releases["large"]
    run = imgopt("gate", small, large, "--baseline", "b.json", "--update-baseline")
    assert run.code == 2 and not Path("b.json").exists()
    assert "two of the images are called shop/api" in run.err
    assert imgopt("gate", small, f"new={large}", "--baseline", "b.json", "--update-baseline").code == 0
    assert sorted(json.loads(Path("b.json").read_text())["images"]) == ["new", "shop/api"]


def test_a_jar_that_two_layers_hold_is_named_with_the_next_push(
    imgopt: Imgopt, releases: dict[str, Path]
) -> None:
    found = budgets(imgopt("gate", releases["large"], "--max-next-push", "1MB", "--format", "json"))
    rules = [each.partition(":")[0] for each in found["max-next-push"]["remedies"]]
    assert rules == ["recursive-chown", "fat-jar-layer"]


def test_long_sources_stay_within_the_width(
    imgopt: Imgopt, releases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Path("budgets-of-all-images.toml").write_text(
        '[budgets]\nforbid = ["jdk", "build-tools", "package-cache", "root-user"]\n'
    )
    Path("large.tar").write_bytes(releases["large"].read_bytes())
    run = imgopt("gate", "large.tar", "--config", "budgets-of-all-images.toml")
    assert "set in budgets-of-all-images.toml:2" in run.text
    assert max(map(len, run.text.splitlines())) <= 80


def test_a_growth_that_is_none_is_not_written_down(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    arguments = [releases["small"], "--baseline", "b.json", "--accept", "shop/api", "--reason", "Pulsar"]
    assert "shop/api: recorded for the first time, nothing to accept" in imgopt("gate", *arguments).text
    again = imgopt("gate", *arguments)
    assert again.code == 0 and "shop/api: it did not grow, nothing to accept" in again.text
    assert json.loads(Path("b.json").read_text())["images"]["shop/api"]["accepted"] == []


def test_an_empty_forbid_judges_nothing(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    Path("imgopt.toml").write_text('[budgets]\nforbid = ["jdk"]\n[budgets."shop/*"]\nforbid = []\n')
    run = imgopt("gate", releases["large"])
    assert run.code == 2 and "no budget applies to" in run.err
    run = imgopt("gate", releases["large"], "--max-size", "1GB", "--format", "json")
    assert run.code == 0 and list(budgets(run)) == ["max-size"]


def test_the_configuration_and_its_baseline(
    imgopt: Imgopt, releases: dict[str, Path], tmp_path: Path
) -> None:
    Path("imgopt.toml").write_text(
        '[gate]\nbaseline = "ci/b.json"\n[budgets]\nmax-size = "1GB"\n[budgets."shop/*"]\nmax-size = "1kB"\nmax-growth = "5%"\n'
    )
    Path("ci").mkdir()
    run = imgopt("gate", releases["small"], "--update-baseline", "--format", "json")
    assert run.code == 1 and (tmp_path / "ci/b.json").exists()
    assert (
        budgets(run)["max-size"]["source"] == "imgopt.toml:6" and budgets(run)["max-size"]["passed"] is False
    )
    assert budgets(run)["max-growth"]["passed"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no image is given"),
        (["IMAGE"], "no budget applies to"),
        (["IMAGE", "--max-size", "20"], "is not a size"),
        (["IMAGE", "--max-size", "1MB", "--update-baseline"], "there is no baseline to write"),
        (["IMAGE", "--baseline", "b", "--accept", "shop/api"], "--accept needs a reason"),
        *(
            (
                ["IMAGE", "--baseline", "b", "--accept", "shop/api", "--reason", blank],
                "--accept needs a reason",
            )
            for blank in (
                "",
                " \t",
                "\u200b",
                "\u2060\u00a0\u3164",
                "\u2800",
                "\u0301",
                "\x1b\x00",
                "\U000e0041",
            )
        ),
        (["IMAGE", "--baseline", "b", "--reason", "x"], "--reason says why --accept"),
        (["IMAGE", "--baseline", "b", "--accept", "shop/apo", "--reason", "x"], "did you mean shop/api?"),
        (["--predict", ".", "--max-waste", "1MB"], "--max-waste judges a built image"),
        (
            ["--predict", ".", "--config", "waste.toml"],
            "nothing can be judged before it is built (max-waste)",
        ),
        (["IMAGE", "--forbid", ""], "forbid names nothing"),
    ],
)
def test_wrong_usage(imgopt: Imgopt, releases: dict[str, Path], arguments: list[str], says: str) -> None:
    Path("Dockerfile").write_text("FROM eclipse-temurin:17-jre\n")
    Path("waste.toml").write_text('[budgets]\nmax-waste = "1MB"\n')
    run = imgopt("gate", *(str(releases["small"]) if each == "IMAGE" else each for each in arguments))
    assert run.code == 2 and says in run.err and run.err.count("\n") == 1
    assert not Path("b").exists()


def test_a_damaged_baseline_is_an_error_and_stays(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    for text in (
        "{",
        "[]",
        '{"imgopt_baseline": 9, "images": {}}',
        '{"imgopt_baseline": 1, "images": {"a": {}}}',
    ):
        Path("b.json").write_text(text)
        run = imgopt("gate", releases["small"], "--baseline", "b.json", "--update-baseline")
        assert run.code == 2 and run.err.startswith("error: b.json: ") and Path("b.json").read_text() == text


def test_what_cannot_be_measured_never_passes(
    imgopt: Imgopt, releases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    run = imgopt("gate", "docker:shop/api:7", releases["small"], "--max-size", "1GB", "--format", "json")
    assert run.code == 3 and run.json["passed"] is False
    assert [each["passed"] for each in run.json["targets"]] == [True]  # the other one is still judged
    assert "no Docker daemon answers" in run.json["errors"][0]["message"] and run.err.count("\n") == 1
    cut = Path("cut.tar")
    cut.write_bytes(releases["small"].read_bytes()[:100_000])
    assert imgopt("gate", cut, "--max-size", "1GB").code == 2


def test_a_directory_without_dockerfiles_does_not_pass(imgopt: Imgopt) -> None:
    Path("empty").mkdir()
    run = imgopt("gate", "--predict", "empty", "--max-size", "1GB")
    assert run.code != 0, run.text + run.err


def test_a_budget_of_nothing_holds_for_nothing_alone(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    for budget in ("--max-size", "--max-unpacked", "--max-layer", "--max-first-push", "--max-next-push"):
        assert imgopt("gate", releases["small"], budget, "0B").code == 1, budget
    assert imgopt("gate", releases["small"], "--max-first-push", "0 s").code == 1
    assert imgopt("gate", releases["small"], "--max-waste", "0B", "--max-waste", "0%").code == 0


def test_markdown_has_its_marker(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    run = imgopt("gate", releases["large"], "--max-size", "1MB", "--format", "markdown")
    assert run.code == 1 and run.text.startswith("<!-- imgopt: gate -->\n\n### imgopt: the gate fails")
    assert "| ❌ `max-size` | 1.00 MB |" in run.text


def test_html_is_one_file_with_both_layer_charts(imgopt: Imgopt, releases: dict[str, Path]) -> None:
    imgopt("gate", releases["small"], "--baseline", "b.json", "--update-baseline")
    run = imgopt("gate", releases["large"], "--baseline", "b.json", "--format", "html")
    assert run.code == 1 and run.text.startswith("<!DOCTYPE html>") and run.text.count('role="img"') == 2
    assert "<script" not in run.text and "src=" not in run.text and "url(" not in run.text
    assert (
        '<code class="k">max-growth</code>' in run.text and "pulsar-4.jar: 1.20 MB unpacked, new" in run.text
    )


def test_the_same_image_in_every_form_gets_the_same_verdict(
    imgopt: Imgopt, releases: dict[str, Path], tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            f"docker-archive:{releases['large']}",
            f"oci:{layout}:8",
        ],
        check=True,
    )
    subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            f"oci:{layout}:8",
            f"oci-archive:{tmp_path / 'oci.tar'}:8",
        ],
        check=True,
    )
    arguments = ["--max-size", "2MB", "--max-waste", "1MB", "--format", "json", "--forbid", "jdk"]
    found = [imgopt("gate", each, *arguments) for each in (layout, tmp_path / "oci.tar", releases["large"])]
    sizes = [
        (run.json["targets"][0]["compressed_bytes"], run.json["targets"][0]["uncompressed_bytes"])
        for run in found
    ]
    assert sizes[0] == sizes[1] and sizes[0][1] == sizes[2][1]
    assert sizes[0][0] == pytest.approx(sizes[2][0], rel=0.05)  # skopeo's gzip is another
    assert [run.code for run in found] == [1, 1, 1]


# before any build


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (tmp_path / "svc/target").mkdir(parents=True)
    boot_jar(
        tmp_path / "svc/target/app.jar",
        version="3.5.4",
        libraries={"core-1.jar": library(size=3_000_000, seed=1)},
    )
    path = tmp_path / "svc/Dockerfile"
    path.write_text(
        'FROM eclipse-temurin:17-jdk-jammy\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    return path


def test_a_prediction_is_judged_before_any_build(imgopt: Imgopt, service: Path) -> None:
    run = imgopt(
        "gate", "--predict", service, "--format", "json",
        "--max-size", "100MB", "--max-next-push", "1MB", "--forbid", "jdk,root-user",
    )  # fmt: skip
    assert (run.code, run.err) == (1, "")
    (target,) = run.json["targets"]
    assert target["predicted"] is True and target["layers"][-1]["line"] == 2
    found = budgets(run)
    assert found["max-size"]["actual"] == target["compressed_bytes"] > 100_000_000
    assert any("jdk-runtime, line 1, saves" in each for each in found["max-size"]["remedies"])
    assert any(
        each.startswith("imgopt rewrite") and "within the budget" in each
        for each in found["max-size"]["remedies"]
    )
    assert any("fat-jar-layer, line 2, saves" in each for each in found["max-next-push"]["remedies"])
    assert found["forbid"]["actual"] == ["jdk", "root-user"] and found["forbid"]["basis"] == "predicted"


def test_budgets_of_built_images_are_named_and_not_judged(imgopt: Imgopt, service: Path) -> None:
    (service.parent / "imgopt.toml").write_text('[budgets]\nmax-size = "1GB"\nmin-efficiency = 0.9\n')
    run = imgopt("gate", "--predict", service.parent)
    assert run.code == 0 and "only a built image can be held against: min-efficiency" in run.text


def test_an_unknown_base_is_not_measured(imgopt: Imgopt, service: Path) -> None:
    service.write_text(
        'FROM harbor.corp/base/java:1\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    run = imgopt("gate", "--predict", service, "--max-size", "100MB", "--format", "json")
    assert run.code == 3 and budgets(run)["max-size"]["measured"] is False
    # but what is known is over already
    assert imgopt("gate", "--predict", service, "--max-size", "1MB").code == 1


@pytest.mark.parametrize(
    ("dockerfile", "wanted"),
    [
        ("FROM harbor.corp/base/java:1", None),
        ("# imgopt: ignore=jdk-runtime: support attaches\nFROM eclipse-temurin:17-jdk", ["jdk"]),
        ("FROM eclipse-temurin:17-jdk\nHEALTHCHECK CMD jcmd 1 VM.version", ["jdk"]),
        ("FROM maven:3-eclipse-temurin-17", ["jdk", "build-tools"]),
        ("FROM eclipse-temurin:17-jre", []),
        ("FROM debian:12\nRUN apt-get update && apt-get install -y openjdk-17-jre && rm -rf /var/lib/apt/lists/*", []),
        ("FROM debian:12", None),  # where its Java comes from is not to be seen
        ("FROM alpine:3.20\n# imgopt: ignore=installed-jdk\nRUN apk add --no-cache openjdk17", ["jdk"]),
    ],
)  # fmt: skip
def test_what_is_forbidden_is_told_from_the_base_and_not_from_silent_rules(
    imgopt: Imgopt, service: Path, dockerfile: str, wanted: list[str] | None
) -> None:
    service.write_text(
        f'{dockerfile}\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    run = imgopt("gate", "--predict", service, "--format", "json", "--forbid", "jdk,build-tools")
    found = budgets(run)["forbid"]
    assert (run.code, found["actual"]) == (3 if wanted is None else int(bool(wanted)), wanted)
    assert found["measured"] is (wanted is not None)


def test_a_user_that_a_variable_names_is_not_taken_for_another_than_root(
    imgopt: Imgopt, service: Path
) -> None:
    service.write_text("FROM eclipse-temurin:17-jre\nARG U=root\nUSER $U\n")
    run = imgopt("gate", "--predict", service, "--forbid", "root-user")
    assert run.code == 3 and "whether it has root-user cannot be determined" in run.text


def test_the_layers_of_a_base_image_are_counted_one_by_one(imgopt: Imgopt, service: Path) -> None:
    def judged(base: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        service.write_text(f"FROM {base}\nCOPY target/app.jar /app.jar\n")
        run = imgopt("gate", "--predict", service, "--format", "json", *arguments)
        return run.code, budgets(run)

    layers = size_of(identify("eclipse-temurin:17-jdk"), "linux/amd64").layers  # type: ignore[union-attr]
    assert layers is not None and len(layers) > 1
    code, found = judged("eclipse-temurin:17-jdk", "--max-layers", str(len(layers)), "--max-layer", "1GB")
    assert code == 1 and found["max-layers"]["actual"] == len(layers) + 1
    assert found["max-layers"]["basis"] == "predicted" and found["max-layers"]["remedies"] == []
    assert found["max-layer"]["actual"] == max(size for _, size in layers)
    # how they are cut is not known: neither their number, nor whether one of them is over
    assert judged("gcr.io/distroless/java17-debian12", "--max-layers", "9")[0] == 3
    assert judged("gcr.io/distroless/java17-debian12", "--max-layers", "1")[0] == 1


def test_seconds_are_those_that_suggest_tells(imgopt: Imgopt, service: Path) -> None:
    told = imgopt("suggest", service, "--format", "json", "--bandwidth", "1MB/s", "--rtt", "40ms").json
    (push,) = told["files"][0]["prediction"]["push"]
    arguments = [
        "--max-first-push",
        "1 h",
        "--max-next-push",
        "1 h",
        "--bandwidth",
        "1MB/s",
        "--format",
        "json",
    ]
    found = budgets(imgopt("gate", "--predict", service, *arguments, "--rtt", "40ms"))
    assert found["max-first-push"]["actual"] == pytest.approx(push["first_push_s"]["before"], abs=0.001)
    assert found["max-next-push"]["actual"] == pytest.approx(push["next_push_s"]["before"], abs=0.001)
    nearer = budgets(imgopt("gate", "--predict", service, *arguments))
    assert nearer["max-next-push"]["actual"] < found["max-next-push"]["actual"]
    assert found["max-next-push"]["basis"] == "predicted"
