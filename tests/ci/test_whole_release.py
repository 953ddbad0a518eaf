"""A CI file's report begins with the whole release: what it sends and how long that takes, now and after what is proposed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from boot_jar import boot_jar
from command_line import Imgopt

SCHEMA = json.loads((Path(__file__).parents[1] / "report" / "suggest.schema.json").read_text())
MODULES = "gateway auth user item order cart pay stock search member coupon comment job".split()
DOCKERFILE = """FROM openjdk:17-jdk-slim
WORKDIR /app
COPY target/app.jar app.jar
ENTRYPOINT ["java", "-jar", "app.jar"]
"""
PIPELINE = """pipeline {
  agent { kubernetes { yaml '''
spec:
  containers:
    - name: kaniko
      image: gcr.io/kaniko-project/executor:v1.9.0-debug
''' } }
  options { timeout(time: 30, unit: 'MINUTES') }
  parameters { choice(name: 'BUILD_MODULE', choices: ['all', 'gateway', 'auth'], description: '模块') }
  stages { stage('push') { steps { container('kaniko') { script {
    [MODULES].each { name ->
      echo "正在构建 ${name}"
      if (params.BUILD_MODULE == 'all' || params.BUILD_MODULE == name) {
        sh "timeout 1800 /kaniko/executor --context ${WORKSPACE}/shop-${name} --dockerfile ${WORKSPACE}/shop-${name}/Dockerfile --destination registry.cn-hangzhou.aliyuncs.com/shop/${name}:1 --push-retry=3 --cache=false --single-snapshot=true"
      }
    }
  } } } } }
}
""".replace("MODULES", ", ".join(f"'{name}'" for name in MODULES))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirteen modules, one Jenkinsfile that pushes them one after the other."""
    jar = tmp_path / "app.jar"
    boot_jar(jar)
    for name in MODULES:
        (tmp_path / f"shop-{name}" / "target").mkdir(parents=True)
        (tmp_path / f"shop-{name}" / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(jar, tmp_path / f"shop-{name}" / "target" / "app.jar")
    jar.unlink()
    (tmp_path / "Jenkinsfile").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pipeline_of(imgopt: Imgopt, *arguments: str) -> dict[str, Any]:
    run = imgopt("suggest", "--format", "json", "Jenkinsfile", *arguments)
    assert run.code == 0, run.err
    jsonschema.validate(run.json, SCHEMA, cls=jsonschema.Draft202012Validator)
    found: dict[str, Any] = run.json["files"][0]["pipeline"]
    return found


def test_it_adds_up_all_pushes_now_and_after_what_is_proposed(imgopt: Imgopt, shop: Path) -> None:
    pipeline = pipeline_of(imgopt)
    release = pipeline["release"]
    assert (release["images"], release["at_once"], release["rewritten"]) == (13, 1, 13)
    for key in ("first_push_bytes", "next_push_bytes"):
        for step in ("before", "after"):
            assert release[key][step]["bytes"] == sum(each[key][step] for each in pipeline["pushes"])
    following = release["next_push_bytes"]
    # the rewrites alone change little as long as kaniko stamps everything anew, and both together nearly all
    assert following["after"]["bytes"] > 0.9 * following["before"]["bytes"]
    assert following["advised"]["bytes"] < 0.1 * following["before"]["bytes"]
    slow = release["push"][0]
    assert slow["bandwidth_bytes_per_s"] == 500_000
    assert slow["next_push_s"]["before"] == pytest.approx(following["before"]["bytes"] / 500_000, abs=0.1)


def test_the_limits_say_what_would_do_for_a_first_push_and_for_each_next_one(
    imgopt: Imgopt, shop: Path
) -> None:
    outer, inner = pipeline_of(imgopt)["release"]["limits"]
    assert (outer["images"], outer["timeout_s"], inner["images"]) == (13, 1800, 1)
    assert outer["first_push_s"]["before"] > 1800 > outer["next_push_s"]["before"]
    assert outer["enough_first_push_s"]["before"] > outer["enough_first_push_s"]["after"]
    assert outer["enough_first_push_s"]["after"] > outer["enough_next_push_s"]["advised"] == 60
    text = " ".join(imgopt("suggest", "--bandwidth", "50kB/s", "Jenkinsfile").text.split())
    assert "each next one timeout(time: " in text
    assert "after the rewrite and what is advised of the commands" in text


def test_each_saving_is_counted_once_and_what_saves_most_comes_first(imgopt: Imgopt, shop: Path) -> None:
    release = pipeline_of(imgopt)["release"]
    savings = release["savings"]
    assert savings[0]["rules"] == ["fat-jar-layer", "kaniko-timestamps", "single-snapshot"]
    assert savings[1]["rules"] == ["jdk-runtime"]
    for key, last in (("first_push_bytes", "after"), ("next_push_bytes", "advised")):
        saved = release[key]["before"]["bytes"] - release[key][last]["bytes"]
        told = sum(each[key] for each in savings)
        assert 0 < told <= saved
        assert told > 0.95 * saved


def test_every_module_is_pushed_whatever_changed_and_the_parameter_that_chooses_is_named(
    imgopt: Imgopt, shop: Path
) -> None:
    release = pipeline_of(imgopt)["release"]
    assert (release["always"], release["chosen_by"]) == (True, ["BUILD_MODULE"])

    # a parameter that nothing reads chooses nothing
    path = shop / "Jenkinsfile"
    path.write_text(PIPELINE.replace("params.BUILD_MODULE == 'all' || params.BUILD_MODULE == name", "true"))
    release = pipeline_of(imgopt)["release"]
    assert (release["always"], release["chosen_by"]) == (True, [])

    path.write_text(PIPELINE.replace("stage('push') {", "stage('push') { when { changeset '**/src/**' }"))
    release = pipeline_of(imgopt)["release"]
    assert (release["always"], release["chosen_by"]) == (False, ["changeset"])

    path.write_text("// changeset\n" + PIPELINE)
    assert pipeline_of(imgopt)["release"]["always"] is True


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_it_stands_before_the_findings_in_what_people_read(imgopt: Imgopt, shop: Path, format: str) -> None:
    said = " ".join(imgopt("suggest", "--format", format, "Jenkinsfile").text.replace("**", "").split())
    release, finding = said.index("A release"), said.index("ends the push of 13 images too early")
    assert release < finding
    opening = said[release:finding].replace("\\", "")
    for words in (
        "13 images, one after the other, at 0.5 and 1 MB/s",
        "after 13 rewrites",
        "with kaniko-timestamps and single-snapshot fixed too",
        "around 13 images: a first push takes",
        "1. fat-jar-layer in 13 Dockerfiles with kaniko-timestamps and single-snapshot",
        "every image, whatever changed, unless the parameter BUILD_MODULE chooses some",
    ):
        assert words in opening


def test_of_the_arms_of_a_choice_the_larger_counts(imgopt: Imgopt, shop: Path) -> None:
    call = 'sh "/kaniko/executor --context shop-{0} --destination r.example/{0}:1"'
    arms = [" ; ".join(call.format(name) for name in some) for some in (("gateway",), ("auth", "user"))]
    (shop / "Jenkinsfile").write_text(f"node {{ if (params.A) {{ {arms[0]} }} else {{ {arms[1]} }} }}\n")
    assert pipeline_of(imgopt)["release"]["images"] == 2


def test_images_at_once_are_told_apart_from_those_in_turn(imgopt: Imgopt, shop: Path) -> None:
    call = 'sh "/kaniko/executor --context shop-{0} --destination r.example/{0}:1"'
    both = ", ".join(f"{name}: {{ {call.format(name)} }}" for name in ("gateway", "auth"))
    (shop / "Jenkinsfile").write_text(f"node {{ parallel({both}) }}\n")
    assert pipeline_of(imgopt)["release"]["at_once"] == 2
    assert "A release: 2 images at once, at" in imgopt("suggest", "Jenkinsfile").text


@pytest.mark.parametrize(
    ("registry", "options", "assumed"),
    [
        ("registry.cn-hangzhou.aliyuncs.com", (), False),  # whose rate was measured
        ("ghcr.io", (), True),
        ("registry.example", (), True),
        ("registry.example", ("--bandwidth", "2MB/s"), False),
    ],
)
def test_a_rate_that_nobody_said_is_told_as_assumed(
    imgopt: Imgopt, shop: Path, registry: str, options: tuple[str, ...], assumed: bool
) -> None:
    command = f"docker buildx build --push -t {registry}/shop/a:1 shop-gateway"
    (shop / "Jenkinsfile").write_text(f"node {{ sh '{command}' }}\n")
    assert pipeline_of(imgopt, *options)["release"]["bandwidth_assumed"] is assumed
    for format in ("text", "markdown", "html"):
        said = " ".join(imgopt("suggest", "--format", format, "Jenkinsfile", *options).text.split())
        assert ("assumed, as none is known of the registry; set yours with --bandwidth" in said) is assumed


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/kaniko/executor --context nowhere --destination r.example/a:1 --push-retry 3 --reproducible", "there is no nowhere/Dockerfile"),
        ("docker push r.example/a:1", "nothing here says which Dockerfile it is"),
        ("docker buildx build --push -t r.example/shop:1 shop-gateway", "target/app.jar, which is not built yet"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_no_all_clear(imgopt: Imgopt, shop: Path, command: str, reason: str) -> None:
    (shop / "shop-gateway" / "target" / "app.jar").unlink()
    (shop / "Jenkinsfile").write_text(f"node {{ sh '{command}' }}\n")
    run = imgopt("suggest", "--format", "json", "--ignore", "kaniko-timestamps", "Jenkinsfile")
    (file,) = run.json["files"]
    assert file["good"] is None
    assert reason in file["pipeline"]["unjudged"][0]["why"]
    for format in ("text", "markdown", "html"):
        said = " ".join(imgopt("suggest", "--format", format, "Jenkinsfile").text.split())
        assert "nothing to save was found" not in said
        if not file["findings"]:
            assert "could not be judged: " in said


def test_where_all_is_known_nothing_to_save_is_nothing_to_save(imgopt: Imgopt, shop: Path) -> None:
    (shop / "shop-gateway" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (shop / "Jenkinsfile").write_text(
        "node { sh 'docker buildx build --push -t r.example/a:1 shop-gateway' }\n"
    )
    run = imgopt("suggest", "Jenkinsfile")
    assert "nothing to save was found" in run.text
    assert "could not be judged" not in run.text
