"""What the images of a Jenkinsfile are called: where they go depends on it, and whether two pushes are of one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt

__all__ = ["imgopt"]

DOCKERFILE = "FROM eclipse-temurin:17-jre\nCOPY app.jar /app.jar\n"
PIPELINE = """pipeline {{
  agent any
  stages {{ stage('images') {{ steps {{ script {{
{body}
  }} }} }} }}
}}
"""
NAMES = {
    "plugin: a registry around the push": (
        """
        def app = docker.build('team/a', 'a')
        docker.withRegistry('https://registry.cn-hangzhou.aliyuncs.com/v2/', 'login') { app.push('1'); app.push('latest') }
        """,
        ["a -> registry.cn-hangzhou.aliyuncs.com/team/a"],
    ),
    "plugin: a registry around both": (
        "docker.withRegistry('http://10.0.0.5:5000') { docker.build('team/a', 'a').push('1') }",
        ["a -> 10.0.0.5:5000/team/a"],
    ),
    "plugin: a registry, and the image by its name": (
        """
        docker.build('team/a', 'a')
        docker.withRegistry(url: 'https://registry.example', credentialsId: 'login') { docker.image('team/a').push() }
        """,
        ["a -> registry.example/team/a"],
    ),
    "plugin: a registry that the name has": (
        "docker.withRegistry('https://registry.example') { docker.build('registry.example/team/a', 'a').push() }",
        ["a -> registry.example/team/a"],
    ),
    "plugin: a variable for an image by its name": (
        """
        sh 'docker build -t team/a:1 a'
        def app = docker.image('team/a:1')
        docker.withRegistry('https://registry.example', 'login') { app.push() }
        """,
        ["a -> registry.example/team/a:1"],
    ),
    "plugin: a variable for an image that is built elsewhere": (
        "def app = docker.image('team/z:1')\n  app.push('2')",
        ["? -> team/z:1"],
    ),
    "plugin: a variable for what is not known": (
        "def app = docker.image(env.IMAGE)\n  app.push()",
        ["? -> $app"],
    ),
    "plugin: Docker Hub": (
        "docker.withRegistry('https://registry.hub.docker.com', 'hub') { docker.build('team/a', 'a').push() }",
        ["a -> team/a"],
    ),
    "plugin: a registry that is not known": (
        "docker.withRegistry(env.REGISTRY) { docker.build('team/a', 'a').push() }",
        ["a -> team/a"],
    ),
    "a part that is not known": (
        """
        for (m in ['a', 'b']) {
          def base = "${HUB_USR}/shop-${m}"
          sh "docker build -t ${base}:1 ${m}"
          sh "docker push ${base}:1"
        }
        """,
        ["a -> $HUB_USR/shop-a:1", "b -> $HUB_USR/shop-b:1"],
    ),
    "a sum with a part that is not known": (
        """
        ['a', 'b'].each { m ->
          def name = env.HOST + '/shop-' + m + ':1'
          sh "docker build -t ${name} ${m}"
          sh "docker push " + name
        }
        """,
        ["a -> $HOST/shop-a:1", "b -> $HOST/shop-b:1"],
    ),
    "changed after that": (
        """
        def name = "${HUB_USR}/shop".toLowerCase()
        sh "docker build -t ${name} a"
        sh "docker push ${name}"
        """,
        ["a -> $name"],
    ),
    "tags of an image that is built elsewhere": (
        """
        for (m in ['a', 'b']) {
          def base = "${HUB_USR}/shop-${m}"
          sh "docker tag ${base}:latest ${base}:${env.BUILD_NUMBER}"
          sh "docker push ${base}:latest"
          sh "docker push ${base}:${env.BUILD_NUMBER}"
        }
        """,
        ["? -> $HUB_USR/shop-a:latest", "? -> $HUB_USR/shop-b:latest"],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str, imgopt: Imgopt, tmp_path: Path) -> None:
    body, expected = NAMES[name]
    for module in "ab":
        (tmp_path / module).mkdir()
        (tmp_path / module / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "Jenkinsfile").write_text(PIPELINE.format(body=textwrap.dedent(body)))
    run = imgopt("suggest", "--format", "json", tmp_path / "Jenkinsfile")
    pushes = run.json["files"][0]["pipeline"]["pushes"]
    got = [f"{(push['dockerfile'] or '?').removesuffix('/Dockerfile')} -> {push['image']}" for push in pushes]
    assert got == expected, run.text


def test_no_all_clear_beside_a_step_that_is_elsewhere(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "Jenkinsfile").write_text("node { checkout scm\n buildAndPushImage('a') }\n")
    run = imgopt("suggest", tmp_path / "Jenkinsfile")
    assert "buildAndPushImage is a step that is not in this file" in " ".join(run.text.split())
    assert "nothing" not in run.text


def test_a_list_from_outside_is_not_every_image(imgopt: Imgopt, tmp_path: Path) -> None:
    loop = "for (m in MODULES.split(',')) { sh \"docker push registry.example/${m}:1\" }"
    (tmp_path / "Jenkinsfile").write_text(PIPELINE.format(body=loop))
    run = imgopt("suggest", tmp_path / "Jenkinsfile")
    assert "every image" not in run.text
    assert "is pushed   each entry of that list" in run.text


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--no-push", False),
        ("--no-push --tar-path image.tar", True),
        ("--no-push=false -d registry.example/a:1", True),
    ],
)
def test_what_is_built_to_be_thrown_away_sends_nothing(
    flags: str, told: bool, imgopt: Imgopt, tmp_path: Path
) -> None:
    """A job of a merge request tries whether the image can be built."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE + "RUN java -version\n")
    script = f"/kaniko/executor --context . --single-snapshot {flags}"
    (tmp_path / ".gitlab-ci.yml").write_text(f"build:\n  script:\n    - {script}\n")
    run = imgopt("suggest", "--format", "json", tmp_path / ".gitlab-ci.yml")
    rules = {finding["rule"] for finding in run.json["files"][0]["findings"]}
    assert ({"kaniko-timestamps", "single-snapshot"} <= rules) is told
    assert "uncached-build" in rules


@pytest.mark.parametrize(
    "before",
    ["", "docker load -i b.tar", "docker pull nginx:1.27\ndocker tag nginx:1.27 reg.example/team/b"],
    ids=["built elsewhere", "out of a tar", "pulled"],
)
def test_an_image_of_another_name_is_not_that_of_the_only_build(
    imgopt: Imgopt, tmp_path: Path, before: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Dockerfile").write_text(DOCKERFILE)
    script = tmp_path / "push.sh"
    script.write_text(
        f"docker build -t reg.example/team/a a\ndocker push reg.example/team/a\n{before}\ndocker push reg.example/team/b\n"
    )
    shown = imgopt("suggest", str(script), "--jar-size", "60MB").text
    assert "A release: 2 images" in shown
    assert "first push  at least" in shown


def test_an_image_whose_name_is_not_known_is_that_of_the_only_build(imgopt: Imgopt, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Dockerfile").write_text(DOCKERFILE)
    script = tmp_path / "push.sh"
    script.write_text('docker build -t "$1" a\ndocker push reg.example/team/b\n')
    shown = imgopt("suggest", str(script), "--jar-size", "60MB").text
    assert "1 push with docker, of a/Dockerfile" in shown
