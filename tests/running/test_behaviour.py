"""Two images started one after the other: alike, or different in the way that was put into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from daemons import Daemon
from private_docker import Engine
from start_forms import ENVIRONMENT, FORMS, context, provide_bases
from test_rewrites_run import rewrite
from tiny_image import TinyImage, shell

from imgopt.comparison import observing
from imgopt.comparison.behaviour import Behaviour, compare_at_rest, compare_running
from imgopt.comparison.checks import Check
from imgopt.comparison.observing import RunOptions, Subject, smoke_of
from imgopt.engines.containers import LABEL, ContainerRunner
from imgopt.engines.engine import EngineError

# a server that answers /index.html and /time; ends on SIGTERM with the given code
SERVER = "mkdir -p /www/actuator; echo '%s' > /www/index.html; httpd -p %d -h /www; trap 'exit %s' TERM; while :; do sleep 0.05; done"
# one that was stopped: the kernel goes on accepting connections for it
HUNG = "mkdir -p /www; httpd -p %d -h /www; killall -STOP httpd;"
DEAF = "echo hi > /www/index.html; httpd -p 8080 -h /www; trap '' TERM; while :; do sleep 0.05; done"
OPTIONS = RunOptions(start_seconds=20, stop_seconds=3)


def server(text: str = "hello", port: int = 8080, code: int = 143) -> dict[str, Any]:
    return shell(SERVER % (text, port, code))


def behaviour(
    runner: ContainerRunner, before: dict[str, Any], after: dict[str, Any], options: RunOptions = OPTIONS
) -> Behaviour:
    subjects = []
    for name, config in (("before", before), ("after", after)):
        image = TinyImage(config)
        subjects.append(Subject(runner.load(image, f"tiny-{name}:1"), image.image.config))
    return compare_running(runner, subjects[0], subjects[1], options)


def by_name(found: Behaviour) -> dict[str, Check]:
    return {each.name: each for each in found.checks}


def test_alike_on_every_daemon(daemon: Daemon) -> None:
    config = {**server(), "Healthcheck": {"Test": ["CMD-SHELL", "wget -q -O - localhost:8080"]}}

    def compared() -> Behaviour:
        with ContainerRunner(daemon.client) as runner:
            return behaviour(runner, config, config)

    found: Behaviour = daemon.inside(compared)
    assert found.alike and found.ran and found.notes == ()
    checks = by_name(found)
    assert checks["start"].before == "the image's health check"
    assert checks["answer: GET /"].before == "200 text/html: hello"
    assert str(checks["end on SIGTERM"].after).startswith("exit code 143 after ")
    assert checks["Java"].verdict == "unknown"  # there is none in busybox
    for figures in (found.before, found.after):
        assert figures.start_seconds[0] > 0
        assert 100_000 < figures.memory_bytes[0] < 100_000_000
    assert found.as_json()["alike"] is True
    assert daemon.client.containers.list(all=True, filters={"label": LABEL}) == []


def test_another_answer(runner: ContainerRunner) -> None:
    found = by_name(behaviour(runner, server("hello world"), server("hello moon")))
    answer = found["answer: GET /"]
    assert (answer.verdict, answer.reason) == (
        "different",
        'the text after "hello": "world" became "moon"',
    )


def test_another_exit_code_on_sigterm(runner: ContainerRunner) -> None:
    found = behaviour(runner, server(code=143), server(code=0))
    assert not found.alike
    assert by_name(found)["end on SIGTERM"].verdict == "different"


@pytest.mark.parametrize("worse", [True, False], ids=["worse", "better"])
def test_sigterm_ignored(runner: ContainerRunner, worse: bool) -> None:
    pair = (server("hi"), shell(DEAF)) if worse else (shell(DEAF), server("hi"))
    # their entry points differ, which is a fault of its own
    stop = by_name(behaviour(runner, *pair))["end on SIGTERM"]
    assert stop.verdict == "unknown"
    assert ("killed" in str(stop.after)) is worse
    assert (
        stop.missing is not None and f"the {'rewrite' if worse else 'original'} had not ended" in stop.missing
    )
    assert "--stop-timeout" in stop.missing


def test_a_rewrite_that_dies_at_start(runner: ContainerRunner) -> None:
    dying = shell("echo booting; echo 'Error: Unable to access jarfile app.jar' >&2; exit 1")
    found = behaviour(runner, server(), dying)
    start = by_name(found)["start"]
    assert (start.verdict, start.after) == ("different", "it ended by itself with exit code 1")
    assert found.before_log is None
    assert found.after_log is not None and "Unable to access jarfile app.jar" in found.after_log


def test_a_start_command_that_is_not_there(runner: ContainerRunner) -> None:
    found = behaviour(runner, server(), {"Entrypoint": ["/no/such/java"]})
    assert by_name(found)["start"].after == "it could not be started with exit code 127"
    assert found.after_log is not None and "/no/such/java" in found.after_log


DATABASE = (
    'echo "$(date -u +%%Y-%%m-%%dT%%H:%%M:%%S) ERROR $$ --- [main] cannot connect to database %s"; exit 1'
)


def test_both_need_a_database_that_is_not_here(runner: ContainerRunner) -> None:
    pair = shell(DATABASE % "db:5432"), shell(f"sleep 0.1; {DATABASE % 'db:5432'}")
    found = behaviour(runner, *pair)
    checks = by_name(found)
    assert (checks["exit code"].verdict, checks["first error"].verdict) == ("same", "same")
    assert "does not start here either" in found.notes[0]
    assert found.ran and not found.worked
    other = behaviour(runner, pair[0], shell(DATABASE % "other:5432"))
    assert by_name(other)["first error"].verdict == "different"


def test_a_batch_job(runner: ContainerRunner) -> None:
    job = shell('echo "$(date) start"; echo "rows: $1"; echo "took $$ ms"; exit 0')
    found = behaviour(runner, job, job, RunOptions(arguments=("x", "5"), start_seconds=20))
    checks = by_name(found)
    assert found.alike and not found.notes
    assert (checks["exit code"].before, checks["output"].verdict) == (0, "same")
    other = shell('echo "$(date) start"; echo "rows: 6"; echo "took $$ ms"; exit 0')
    found = behaviour(runner, job, other, RunOptions(arguments=("x", "5"), start_seconds=20))
    assert by_name(found)["output"].reason == "the output lacks: rows: 5"
    failing = behaviour(runner, job, shell("exit 3"))
    assert by_name(failing)["exit code"].verdict == "different" and not failing.notes


def test_what_never_answers_is_not_taken_for_alike(runner: ContainerRunner) -> None:
    silent = shell("trap 'exit 143' TERM; while :; do sleep 0.05; done")
    found = behaviour(runner, silent, silent, RunOptions(start_seconds=1, stop_seconds=3))
    start = by_name(found)["start"]
    assert (start.verdict, found.alike, found.verdict) == ("unknown", None, "not measured")
    assert start.missing is not None and "neither answered: nothing answered within 1 s" in start.missing
    assert all(each in start.missing for each in ("--start-timeout", "--smoke CMD", "--no-run"))
    assert found.as_json()["measured"] is False and found.as_json()["not_measured"] == [start.missing]


def test_one_that_is_only_slow_is_not_taken_for_another_behaviour(runner: ContainerRunner) -> None:
    """A sleep in front of the server stands for a busy machine. The entry point is the same: the variable decides."""
    config = shell(f'[ "$0" = slow ] && sleep 3600; {SERVER % ("hello", 8080, 143)}')
    script = config["Entrypoint"]
    slow = {**config, "Cmd": ["slow"]}
    quick = {**config, "Cmd": ["quick"]}
    assert script
    for pair in ((quick, slow), (slow, quick)):
        checks = by_name(behaviour(runner, *pair, RunOptions(start_seconds=8, stop_seconds=1)))
        assert checks["start"].verdict == "unknown" and checks["start"].missing is not None
        assert "a time ran out" in checks["start"].missing
        assert checks["Cmd"].verdict == "different"  # which was really seen


def test_a_port_that_is_open_and_says_nothing_is_not_seen_to_work(
    runner: ContainerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hung application's port is open too: the kernel accepts."""
    monkeypatch.setattr(observing, "MUTE_SECONDS", 0.5)
    monkeypatch.setattr(observing, "ANSWER_SECONDS", 1.0)
    config = shell(f"{HUNG % 8080} trap 'exit 143' TERM; while :; do sleep 0.05; done")
    found = behaviour(runner, config, config)
    assert found.alike is None and not found.worked
    assert "port 8080 accepts connections, but nothing there answered" in found.not_measured[-1]


def test_a_smoke_command_that_hangs_is_no_answer(
    runner: ContainerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "COMMAND_SECONDS", 1.0)
    hanging = RunOptions(smoke=(smoke_of("sleep 600"),), start_seconds=2, stop_seconds=3)
    found = behaviour(runner, server(), server(), hanging)
    assert found.alike is None
    assert "the command sleep 600 did not end within 2 s" in found.not_measured[0]


def test_an_answer_without_end_is_given_up(runner: ContainerRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drips: no single read takes long."""
    monkeypatch.setattr(observing, "ANSWER_SECONDS", 1.0)
    drip = "#!/bin/sh\\necho Content-Type: text/plain\\necho\\nwhile :; do echo x; sleep 0.2; done\\n"
    script = (
        f"mkdir -p /www/cgi-bin; printf '{drip}' > /www/cgi-bin/drip; chmod 755 /www/cgi-bin/drip; {SERVER}"
    )
    config = shell(script % ("hello", 8080, 143))
    options = RunOptions(smoke=(smoke_of("/cgi-bin/drip"),), start_seconds=5, stop_seconds=3)
    found = behaviour(runner, config, config, options)
    assert found.alike is None and "neither answered" in found.not_measured[0]


def test_a_smoke_test_that_cannot_succeed_is_a_difference(runner: ContainerRunner) -> None:
    """More time would not bring the file: the rewrite says a plain no."""
    options = RunOptions(smoke=(smoke_of("/only"),), start_seconds=4, stop_seconds=3)
    config = server()
    with_file = "echo x > /www/only; "
    pair = shell(config["Entrypoint"][2].replace("httpd", f"{with_file}httpd", 1)), config
    start = by_name(behaviour(runner, *pair, options))["start"]
    assert start.verdict == "different" and "GET /only answered 404" in str(start.after)


def test_smoke_and_ports(runner: ContainerRunner) -> None:
    options = RunOptions(
        smoke=(smoke_of(":9000/index.html"), smoke_of("cat /www/index.html")), start_seconds=20, stop_seconds=3, runs=2
    )  # fmt: skip
    found = behaviour(runner, server("hello", port=9000), server("hello", port=9000), options)
    checks = by_name(found)
    assert found.alike
    assert checks["answer: GET /index.html on port 9000"].before == "200 text/html: hello"
    assert checks["answer: command cat /www/index.html"].before == "0 output: hello"
    assert len(found.before.start_seconds) == 2
    silent = behaviour(runner, server(), server(), RunOptions(smoke=options.smoke, start_seconds=1))
    assert silent.alike is None and "neither answered" in silent.not_measured[0]


def test_several_ports_are_all_asked(runner: ContainerRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that accepts and says nothing, as a debugger's, does not pass for the application."""
    monkeypatch.setattr(observing, "ANSWER_SECONDS", 2.0)
    script = f"{HUNG % 5005} {SERVER % ('hello', 8080, 143)}"
    config = {**shell(script), "ExposedPorts": {"5005/tcp": {}, "8080/tcp": {}}}
    found = by_name(behaviour(runner, config, config))
    assert found["start"].before == "port 8080 answered"
    assert found["answer: GET / on port 8080"].before == "200 text/html: hello"
    # asked, and said to be unknown; but nobody claimed that HTTP is spoken there
    assert (found["answer: GET / on port 5005"].verdict, found["answer: GET / on port 5005"].missing) == (
        "unknown",
        None,
    )


def test_an_engine_that_went_away_is_an_error_not_a_result(engine: Engine) -> None:
    runner = ContainerRunner(engine.client)
    client = docker.DockerClient(base_url="unix:///no/such/socket", version="1.41")
    runner._client = client  # what a daemon leaves that is stopped meanwhile
    subject = Subject("tiny:1", {"config": {}})
    with pytest.raises(EngineError, match="does not answer"):
        compare_running(runner, subject, subject, OPTIONS)


def test_nothing_is_started_on_request() -> None:
    found = compare_at_rest({"config": {"Cmd": ["a"]}}, {"config": {"Cmd": ["b"]}})
    assert not found.ran and found.alike is False
    same = compare_at_rest({"config": {"Cmd": ["a"]}}, {"config": {"Cmd": ["a"]}})
    assert (same.alike, same.verdict) == (True, "alike as far as the configs say")
    wanted = compare_at_rest({}, {}, not_started="neither Docker nor Podman answers")
    assert wanted.alike is None and "--no-run" in wanted.not_measured[0]
    assert found.as_json()["before"] == {
        "start_seconds": None,
        "memory_bytes": None,
        "starts": 0,
        "basis": "unknown",
    }


def test_the_demo_application_and_its_rewrite(
    app: Callable[..., Path], engine: Engine, runner: ContainerRunner, tmp_path: Path
) -> None:
    project = context(tmp_path / "project", app("3.5.16"), FORMS[0], "eclipse-temurin:17-jdk")
    rewrite(project)
    subjects = []
    for tag, dockerfile in {"demo-before": "Dockerfile", "demo-after": "Dockerfile.imgopt"}.items():
        provide_bases(engine, project / dockerfile)
        engine.build(project, tag, dockerfile=dockerfile)
        attributes = engine.client.images.get(tag).attrs
        config = {
            "os": attributes["Os"],
            "architecture": attributes["Architecture"],
            "config": attributes["Config"],
        }
        subjects.append(Subject(tag, config))
    options = RunOptions(
        environment=ENVIRONMENT, smoke=(smoke_of("/actuator/health"), smoke_of("/hello?name=x"))
    )
    found = compare_running(runner, subjects[0], subjects[1], options)
    checks = by_name(found)
    assert found.alike, [each for each in found.checks if not each.fine]
    assert checks["Java"].before == checks["Java"].after == 17
    assert checks["Java vendor"].verdict == "expected"
    assert checks["answer: GET /hello?name=x"].verdict == "same"
    assert str(checks["end on SIGTERM"].before).startswith("exit code 143")
    broken = RunOptions(
        arguments=("--spring.datasource.url=jdbc:postgresql://db:5432/x",), environment=ENVIRONMENT
    )
    dead = compare_running(runner, subjects[0], subjects[1], broken)
    assert (
        dead.alike
        and dead.verdict == "alike as far as both go"
        and "does not start here either" in dead.notes[0]
    )
    assert by_name(dead)["exit code"].after == 1
    assert "Caused by: java.net.UnknownHostException: db" in (dead.after_log or "")
    assert all(100e6 < memory < 1e9 for memory in (*found.before.memory_bytes, *found.after.memory_bytes))
