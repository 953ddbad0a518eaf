"""`imgopt fleet push`: the modules' images as one list."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Imgopt
from fleet_repositories import dockerfile, reactor


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    reactor(
        tmp_path,
        ["auth", "order"],
        **{
            "auth/Dockerfile": dockerfile("target/*.jar"),
            "order/Dockerfile": dockerfile("target/*.jar"),
            "Jenkinsfile": (
                "pipeline { agent any\n stages { stage('images') { steps {\n"
                "  sh 'docker build -t hub.corp/shop/shop-auth:7 auth'\n"
                "  sh 'docker build -t hub.corp/shop/order:$BUILD_NUMBER order'\n"
                "} } } }\n"
            ),
        },
    )
    return tmp_path


def test_the_list_by_a_namespace_and_a_tag(shop: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", "push", shop, "--to", "hub.corp/team/", "--tag", "8", "--list")
    assert run.code == 0
    assert run.text.splitlines() == [
        "docker:hub.corp/team/shop-auth:8 hub.corp/team/shop-auth:8",
        "docker:hub.corp/team/order:8 hub.corp/team/order:8",
    ]
    run = imgopt("fleet", "push", shop, "--to", "hub.corp/team", "--tag", "8", "--from", "out dir", "--list")
    assert run.text.splitlines()[0] == "'out dir/auth.tar' hub.corp/team/shop-auth:8"


def test_a_name_with_a_variable_is_not_known(shop: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", "push", shop, "--list")
    assert run.code == 2
    assert "how the image of order is called is not known here" in run.err


def test_to_needs_a_tag(shop: Path, imgopt: Imgopt) -> None:
    assert imgopt("fleet", "push", shop, "--to", "hub.corp/team").code == 2


def test_a_missing_archive_is_told_before_anything_is_pushed(shop: Path, imgopt: Imgopt) -> None:
    run = imgopt("fleet", "push", shop, "--to", "127.0.0.1:1/team", "--tag", "8", "--from", shop / "none")
    assert run.code != 0
    assert "auth.tar" in run.err
