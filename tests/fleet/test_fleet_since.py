"""`imgopt fleet --since`: from changed paths to the images that are made anew."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from command_line import Imgopt, written
from fleet_repositories import dockerfile, pom, reactor

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """`order` and `gateway` are made of `common`; `gateway` has its Dockerfile in a folder of its own."""
    root = tmp_path / "shop"
    reactor(
        root,
        {"common": (), "auth": (), "order": ("common",), "gateway": ("common",)},
        **{
            "auth/Dockerfile": dockerfile("target/*.jar"),
            "order/Dockerfile": dockerfile("target/*.jar"),
            "docker/gateway/Dockerfile": dockerfile("gateway/target/*.jar"),
            "docker/mysql/Dockerfile": "FROM mysql:8\n",
            "common/src/main/java/A.java": "class A {}\n",
        },
    )
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def touched(imgopt: Imgopt, root: Path, **files: str) -> list[str]:
    written(root, **files)
    run = imgopt("fleet", root, "--since", "HEAD")
    assert run.code == 0, run.err
    return [row.split()[0] for row in run.text.splitlines()]


@pytest.mark.parametrize(
    ("path", "images"),
    [
        ("auth/src/main/java/B.java", ["auth"]),
        ("common/src/main/java/B.java", ["order", "gateway"]),
        ("common/pom.xml", ["order", "gateway"]),
        ("order/Dockerfile", ["order"]),
        ("docker/gateway/start.sh", ["gateway"]),
        ("docker/gateway/Dockerfile", ["gateway"]),
        ("docker/mysql/init.sql", []),
        ("pom.xml", ["auth", "order", "gateway"]),
        ("scripts/build.sh", ["auth", "order", "gateway"]),
        (".mvn/maven.config", ["auth", "order", "gateway"]),
        ("README.md", []),
        ("auth/README.md", []),
        ("auth/src/main/resources/README.md", ["auth"]),
        ("docs/design.txt", []),
        (".gitignore", []),
    ],
)
def test_a_path_touches(shop: Path, imgopt: Imgopt, path: str, images: list[str]) -> None:
    text = (shop / path).read_text() + "\n" if (shop / path).exists() else "x\n"
    assert touched(imgopt, shop, **{path: text}) == images


def test_committed_and_removed_counts_from_where_the_branches_part(shop: Path, imgopt: Imgopt) -> None:
    git(shop, "checkout", "-qb", "topic")
    (shop / "auth/Dockerfile").write_text(dockerfile("target/auth-1.0.jar"))
    git(shop, "commit", "-qam", "auth")
    git(shop, "checkout", "-q", "main")
    (shop / "common/src/main/java/A.java").unlink()
    git(shop, "commit", "-qam", "common")
    git(shop, "checkout", "-q", "topic")
    run = imgopt("fleet", shop, "--since", "main")
    assert [row.split()[0] for row in run.text.splitlines()] == ["auth"]
    assert imgopt("fleet", shop, "--since", "main~1").text == run.text


def test_json_says_why(shop: Path, imgopt: Imgopt) -> None:
    written(shop, **{"common/new.txt": "x"})
    answer = imgopt("fleet", shop, "--since", "HEAD", "--format", "json").json
    assert answer["schema_version"] == 1
    assert answer["since"]["commit"] == git(shop, "rev-parse", "HEAD")
    assert [(each["module"], each["why"]) for each in answer["images"]] == [
        ("order", "made of common"),
        ("gateway", "made of common"),
    ]


def test_nothing_is_no_line_and_exit_code_0(shop: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", shop, "--since", "HEAD")
    assert (run.code, run.text, run.err) == (0, "", "")
    run = imgopt("fleet", shop, "--since", "HEAD", "--format", "github-matrix")
    assert (run.code, json.loads(run.text)) == (0, {"include": []})
    run = imgopt("fleet", shop, "--since", "HEAD", "--format", "gitlab-matrix")
    assert yaml.safe_load(run.text) == {".images": {"rules": [{"when": "never"}]}}


def test_matrices(shop: Path, imgopt: Imgopt) -> None:
    written(shop, **{"auth/x": "x", "docker/gateway/y": "y"})
    run = imgopt("fleet", shop, "--since", "HEAD", "--format", "github-matrix")
    assert run.text.count("\n") == 1
    entries = json.loads(run.text)["include"]
    assert [(each["module"], each["dockerfile"], each["context"]) for each in entries] == [
        ("auth", "auth/Dockerfile", "auth"),
        ("gateway", "docker/gateway/Dockerfile", "."),
    ]
    jobs = yaml.safe_load(imgopt("fleet", shop, "--since", "HEAD", "--format", "gitlab-matrix").text)
    assert [each["MODULE"] for each in jobs[".images"]["parallel"]["matrix"]] == ["auth", "gateway"]
    every = json.loads(imgopt("fleet", shop, "--format", "github-matrix").text)["include"]
    assert [each["module"] for each in every] == ["auth", "order", "gateway"]


@pytest.mark.parametrize(
    "revision", ["--output=pwned", "-h", "", "no-such-branch", "HEAD~99", "HEAD:pom.xml", "a\nb", "@{u}"]
)
def test_a_revision_that_is_none(shop: Path, imgopt: Imgopt, revision: str) -> None:
    run = imgopt("fleet", shop, f"--since={revision}")
    assert run.code == 2
    assert len(run.err.splitlines()) == 1 and run.err.startswith("error: ")
    assert not (shop / "pwned").exists() and not Path("pwned").exists()


def test_no_checkout(tmp_path: Path, imgopt: Imgopt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    reactor(tmp_path / "plain", ["auth"])
    run = imgopt("fleet", tmp_path / "plain", "--since", "HEAD")
    assert run.code == 2
    assert "is not a checkout that git can read" in run.err and len(run.err.splitlines()) == 1


def test_a_monitor_that_the_repository_configures_is_not_run(shop: Path, imgopt: Imgopt) -> None:
    hook = shop.parent / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {shop.parent}/ran\n")
    hook.chmod(0o755)
    git(shop, "config", "core.fsmonitor", str(hook))
    assert imgopt("fleet", shop, "--since", "HEAD").code == 0
    assert not (shop.parent / "ran").exists()


def test_names_that_would_act_are_written_out(shop: Path, imgopt: Imgopt) -> None:
    name = "auth/\x1b[31m::set-output name=x::y\n"
    written(shop, **{name: "x"})
    run = imgopt("fleet", shop, "--since", "HEAD")
    assert run.code == 0
    assert "\x1b" not in run.text and len(run.text.splitlines()) == 1


def test_a_pom_of_several_modules_touches_those_below(tmp_path: Path, imgopt: Imgopt) -> None:
    written(
        tmp_path,
        **{
            "pom.xml": pom("shop", modules=["auth", "modules"], parent=None),
            "auth/pom.xml": pom("auth", parent="shop", boot=True),
            "auth/Dockerfile": dockerfile("target/*.jar"),
            "modules/pom.xml": pom("modules", parent="shop", modules=["system"]),
            "modules/system/pom.xml": pom("system", parent="modules", boot=True),
            "modules/system/Dockerfile": dockerfile("target/*.jar"),
        },
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    text = (tmp_path / "modules/pom.xml").read_text() + "\n"
    assert touched(imgopt, tmp_path, **{"modules/pom.xml": text}) == ["modules/system"]


def test_of_what_lies_above_the_directory_only_builds_count(tmp_path: Path, imgopt: Imgopt) -> None:
    reactor(tmp_path / "backend", ["auth"], **{"auth/Dockerfile": dockerfile("target/*.jar")})
    written(tmp_path, **{"pom.xml": "<project/>", "web/index.html": "x"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    written(tmp_path, **{"web/index.html": "y"})
    assert imgopt("fleet", tmp_path / "backend", "--since", "HEAD").text == ""
    written(tmp_path, **{"pom.xml": "<project></project>"})
    assert "../pom.xml touches all" in imgopt("fleet", tmp_path / "backend", "--since", "HEAD").text


def test_a_script_of_a_build_below_the_repository_touches_its_modules(tmp_path: Path, imgopt: Imgopt) -> None:
    reactor(
        tmp_path / "backend",
        ["auth", "order"],
        **{f"{name}/Dockerfile": dockerfile("target/*.jar") for name in ("auth", "order")},
    )
    (tmp_path / "backend/auth/pom.xml").write_text(
        pom("auth", parent=None, boot=True)
    )  # it inherits nothing from there
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    assert touched(imgopt, tmp_path, **{"backend/build.sh": "x"}) == ["backend/auth", "backend/order"]


def test_gradle_builds_beside_each_other(tmp_path: Path, imgopt: Imgopt) -> None:
    files = {}
    for build in ("one", "two"):
        files |= {
            f"{build}/settings.gradle": "include 'app', 'common'\n",
            f"{build}/build.gradle": "",
            f"{build}/common/build.gradle": "",
            f"{build}/app/build.gradle": "plugins { id 'org.springframework.boot' version '3.5.4' }\n"
            "dependencies {\n  implementation project(':common')\n}\n",
            f"{build}/app/Dockerfile": dockerfile("build/libs/*.jar"),
        }
    written(tmp_path, **files)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    assert touched(imgopt, tmp_path, **{"two/common/src/A.java": "x"}) == ["two/app"]
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "second")
    assert touched(imgopt, tmp_path, **{"one/gradle/libs.versions.toml": "x"}) == ["one/app"]


def test_a_bake_file_says_the_same_images(shop: Path, imgopt: Imgopt) -> None:
    from imgopt.fleet.images import find_images
    from imgopt.fleet.modules import find_modules
    from imgopt.pipelines.bake import bake_targets
    from imgopt.pipelines.platforms import Commands

    run = imgopt("fleet", shop, "--emit", "bake")
    assert run.code == 0, run.err
    targets = {each.name: each for each in bake_targets(run.text, "docker-bake.hcl", ["default"])}
    assert list(targets) == ["auth", "order", "gateway"]
    assert (targets["gateway"].context, targets["gateway"].dockerfile) == (".", "docker/gateway/Dockerfile")
    assert targets["auth"].tags == ("auth:latest",)
    (shop / "docker-bake.hcl").write_text(run.text)
    images = find_images(find_modules(shop), Commands()).images
    assert [(image.module.directory, image.by) for image in images] == [(name, "bake") for name in targets]
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "bake")
    written(shop, **{"auth/x": "x"})
    run = imgopt("fleet", shop, "--emit", "bake", "--since", "HEAD")
    assert [each.name for each in bake_targets(run.text, "docker-bake.hcl", ["default"])] == ["auth"]


def test_a_jenkinsfile_says_the_same_images(shop: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", shop, "--emit", "jenkins")
    assert run.code == 0, run.err
    assert [f"name: '{name}'" in run.text for name in ("auth", "order", "gateway")] == [True] * 3
    assert "dockerfile: 'docker/gateway/Dockerfile', context: '.'" in run.text
    (shop / "Jenkinsfile").write_text(run.text)
    assert imgopt("suggest", shop / "Jenkinsfile").code == 0
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "jenkins")
    assert "def images = []" in imgopt("fleet", shop, "--emit", "jenkins", "--since", "HEAD").text
