"""Two image configs side by side: what is the same, what another base explains, what is a fault."""

from __future__ import annotations

from typing import Any

import pytest

from imgopt.comparison.checks import Check
from imgopt.comparison.image_config import compare_configs, exposed_ports, health_command


def image(**config: Any) -> dict[str, Any]:
    return {"os": "linux", "architecture": "amd64", "config": config}


def compared(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Check]:
    return {each.name: each for each in compare_configs(image(**before), image(**after))}


def test_one_config_is_like_itself() -> None:
    config = {"Entrypoint": ["java"], "Cmd": ["-jar"], "Env": ["A=1"], "Labels": {"a": "b"}, "User": "7"}
    checks = compared(config, config)
    assert {each.verdict for each in checks.values()} == {"same"}
    assert checks["Env"].before == ["A"]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("User", {"User": ""}, {"User": "0:0"}),
        ("WorkingDir", {}, {"WorkingDir": "/"}),
        ("WorkingDir", {"WorkingDir": "/app/"}, {"WorkingDir": "/app"}),
        ("ExposedPorts", {"ExposedPorts": {"8080": {}}}, {"ExposedPorts": {"8080/tcp": {}}}),
        ("StopSignal", {}, {"StopSignal": "SIGTERM"}),
        ("Healthcheck", {}, {"Healthcheck": {"Test": ["NONE"]}}),
        ("Healthcheck", {"Healthcheck": {"Test": ["CMD", "x"], "Retries": 0}}, {"Healthcheck": {"Test": ["CMD", "x"]}}),
        ("Shell", {}, {"Shell": ["/bin/sh", "-c"]}),
        ("Cmd", {"Cmd": None}, {"Cmd": []}),
    ],
)  # fmt: skip
def test_what_builders_write_in_two_ways_is_the_same(
    name: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert compared(before, after)[name].verdict == "same"


@pytest.mark.parametrize(
    ("name", "before", "after", "verdict"),
    [
        ("Entrypoint", {"Entrypoint": ["a"]}, {"Entrypoint": ["b"]}, "different"),
        ("Entrypoint", {}, {"Entrypoint": ["/__cacert_entrypoint.sh"]}, "expected"),
        ("Cmd", {"Cmd": ["--x"]}, {}, "different"),
        ("User", {"User": "1000"}, {}, "different"),
        ("WorkingDir", {"WorkingDir": "/app"}, {"WorkingDir": "/application"}, "different"),
        ("ExposedPorts", {"ExposedPorts": {"8080/tcp": {}}}, {}, "different"),
        ("Volumes", {"Volumes": {"/tmp": {}}}, {}, "different"),
        ("Healthcheck", {"Healthcheck": {"Test": ["CMD-SHELL", "curl x"]}}, {}, "different"),
        ("StopSignal", {"StopSignal": "SIGINT"}, {}, "different"),
        ("Label team", {"Labels": {"team": "a"}}, {}, "different"),
        ("Label maintainer", {"Labels": {"maintainer": "a"}}, {}, "expected"),
        ("Label org.opencontainers.image.version", {}, {"Labels": {"org.opencontainers.image.version": "22.04"}}, "expected"),
        ("Env JAVA_HOME", {"Env": ["JAVA_HOME=/usr/java"]}, {"Env": ["JAVA_HOME=/opt/java/openjdk"]}, "expected"),
        ("Env JAVA_VERSION", {"Env": ["JAVA_VERSION=jdk-17+1"]}, {}, "expected"),
        ("Env JAVA_OPTS", {"Env": ["JAVA_OPTS=-Xmx1g"]}, {}, "different"),
        ("Env TZ", {}, {"Env": ["TZ=Asia/Shanghai"]}, "different"),
        ("Env PATH", {"Env": ["PATH=/usr/java/bin:/usr/bin:/bin"]}, {"Env": ["PATH=/opt/java/openjdk/bin:/usr/bin"]}, "expected"),
        ("Env PATH", {"Env": ["PATH=/app/bin:/usr/bin"]}, {"Env": ["PATH=/usr/bin"]}, "different"),
        ("Env LANG", {"Env": ["LANG=en_US.UTF-8"]}, {"Env": ["LANG=C.UTF-8"]}, "expected"),
        ("Env LANG", {"Env": ["LANG=C.UTF-8"]}, {}, "different"),  # another file.encoding before Java 18
        ("Env LANG", {"Env": ["LANG=zh_CN.UTF-8"]}, {"Env": ["LANG=C.UTF-8"]}, "different"),
        ("Env LC_ALL", {"Env": ["LANG=C.UTF-8"]}, {"Env": ["LANG=C.UTF-8", "LC_ALL=en_US.UTF-8"]}, "expected"),
    ],
)  # fmt: skip
def test_differences(name: str, before: dict[str, Any], after: dict[str, Any], verdict: str) -> None:
    found = compared(before, after)[name]
    assert found.verdict == verdict
    assert found.reason is not None or verdict == "different"


def test_another_architecture_is_different() -> None:
    before, after = image(), {**image(), "architecture": "arm64"}
    checks = {each.name: each for each in compare_configs(before, after)}
    assert checks["platform"].as_json() == {
        "name": "platform",
        "before": "linux/amd64",
        "after": "linux/arm64",
        "same": False,
        "verdict": "different",
        "reason": None,
        "remedy": None,
    }


def test_ports_and_health_check_of_a_config() -> None:
    config = image(
        ExposedPorts={"8080/tcp": {}, "53/udp": {}}, Healthcheck={"Test": ["CMD-SHELL", "curl -f x"]}
    )
    assert exposed_ports(config) == (8080,)
    assert health_command(config) == ["/bin/sh", "-c", "curl -f x"]
    assert health_command(image(Healthcheck={"Test": ["CMD", "check", "it"]})) == ["check", "it"]
    assert health_command(image()) is None
