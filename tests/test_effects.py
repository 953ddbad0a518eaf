from __future__ import annotations

import pytest

from imgopt.plans.splitting.effects import Unclear, calls, changes, needs

VARIABLES = {"ZONE": "Europe/Berlin", "APP": "/srv/app"}


def one(text: str, cwd: str = "/app") -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    (call,) = calls(text, cwd, "/root", VARIABLES)
    return changes(call), needs(call)


@pytest.mark.parametrize(
    ("text", "changed", "needed"),
    [
        ("mkdir -p logs /data", ("/app/logs", "/data"), ()),
        ("mkdir -m 755 logs", ("/app/logs",), ()),
        ("chmod +x start.sh", ("/app/start.sh",), ("/app/start.sh",)),
        ("chown -R app:app .", ("/app",), ("/app",)),
        ("mv target/*.jar app.jar", ("/app/target/*.jar", "/app/app.jar"), ("/app/target/*.jar",)),
        ("cp a b /opt/", ("/opt",), ("/app/a", "/app/b")),
        ("ln -sf /usr/share/zoneinfo/$ZONE /etc/localtime", ("/etc/localtime",), ("/usr/share/zoneinfo/Europe/Berlin",)),
        ("echo $ZONE > /etc/timezone", ("/etc/timezone",), ()),
        ("echo hello", (), ()),
        ("rm -rf ~/.m2 $APP/src", ("/root/.m2", "/srv/app/src"), ()),
        ("sed -i 's/a/b/' gradlew", ("/app/gradlew",), ("/app/gradlew",)),
        ("sed -i -e 's/a/b/' -e 's/c/d/' one two", ("/app/one", "/app/two"), ("/app/one", "/app/two")),
        ("sed 's/a/b/' file", (), ("/app/file",)),
        ("tar xzf a.tgz -C /opt", ("/opt",), ("/app/a.tgz",)),
        ("tar -xzf /tmp/a.tgz", ("/app",), ("/tmp/a.tgz",)),
        ("tar -x --file=a.tar", ("/app",), ("/app/a.tar",)),
        ("tar czf a.tgz src", None, ("/app/a.tgz",)),
        ("unzip -q a.zip -d /opt", ("/opt",), ("/app/a.zip",)),
        ("curl -fsSLo agent.jar https://example.com/a.jar", ("/app/agent.jar",), ()),
        ("curl -O https://example.com/a.jar", ("/app",), ()),
        ("curl https://example.com/", (), ()),
        ("wget -qO /opt/a.jar https://example.com/a.jar", ("/opt/a.jar",), ()),
        ("wget https://example.com/a.jar", ("/app",), ()),
        ("wget -qO- https://example.com/", (), ()),
        ("apt-get install -y curl ./local.deb", (), ("/app/local.deb",)),
        ("useradd -d /home/app app", (), ()),
        ("keytool -importcert -file root.crt -alias root -noprompt", (), ("/app/root.crt",)),
        ("java -version", (), ()),
        ("java -jar tool.jar", None, ()),
        ("./prepare.sh", None, ()),
        ("python3 setup.py", None, ()),
        ("find . -delete", None, ()),
        ("mvn package", (), ()),
    ],
)  # fmt: skip
def test_what_a_command_changes_and_needs(
    text: str, changed: tuple[str, ...] | None, needed: tuple[str, ...]
) -> None:
    assert one(text) == (changed, needed)


def test_the_directory_that_commands_run_in() -> None:
    found = calls(
        "cd web && npm ci && (cd dist; ls) && touch here && cd / && touch there", "/app", "/root", {}
    )
    assert [(call.program, call.cwd) for call in found] == [
        ("cd", "/app"),
        ("npm", "/app/web"),
        ("cd", "/app/web"),
        ("ls", "/app/web/dist"),
        ("touch", "/app/web"),
        ("cd", "/app/web"),
        ("touch", "/"),
    ]


def test_what_a_shell_runs_comes_instead_of_the_shell() -> None:
    found = calls("sh -c 'mvn package && rm x'", "/app", "/root", {})
    assert [call.program for call in found] == ["mvn", "rm"]


@pytest.mark.parametrize("text", ["$TOOL package", "sh ./build.sh", 'sh -c "$SCRIPT"', "echo 'never closed"])
def test_text_that_is_not_here_is_unclear(text: str) -> None:
    with pytest.raises(Unclear):
        calls(text, "/app", "/root", {})
