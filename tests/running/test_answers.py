"""Answers and logs are compared without what varies by itself, and with everything else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt.comparison.answers import (
    Answer,
    difference,
    first_error,
    normal_line,
    output_difference,
    varies_wholly,
    without_stacks,
)
from imgopt.comparison.observing import RunOptions, Smoke, java_version, likely_ports, smoke_of
from imgopt.errors import UsageError


def text(*bodies: str, status: int = 200, kind: str = "text/plain") -> list[Answer]:
    return [Answer(status, kind, body.encode()) for body in bodies]


def documents(*values: Any) -> list[Answer]:
    return [Answer(200, "application/json", json.dumps(value).encode()) for value in values]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (text("hello", "hello"), text("hello", "hello")),
        (text("at 2026-11-26T10:00:00Z", "at 2026-11-26T10:00:01Z"), text("at 2026-11-26T10:05:00Z", "at 2026-11-26T10:05:01Z")),
        (text("visit 1", "visit 2"), text("visit 1", "visit 2")),
        (text("token abc", "token abd"), text("token xyz", "token xyy")),
        (documents({"status": 404, "timestamp": 1}, {"status": 404, "timestamp": 2}),
         documents({"status": 404, "timestamp": 8}, {"status": 404, "timestamp": 9})),
        (documents({"free": 10, "status": "UP"}), documents({"free": 11, "status": "UP"})),
        (documents({"a": 1, "b": 2}), documents({"b": 2, "a": 1})),
        ([Answer(200, "text/html;charset=UTF-8", b"")], [Answer(200, "text/html; charset=utf-8", b"")]),
    ],
)  # fmt: skip
def test_the_same_answer(before: Sequence[Answer], after: Sequence[Answer]) -> None:
    assert difference(before, after) is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (text("a"), text("a", status=500), "status 200 became 500"),
        (text("a"), text("a", kind="text/html"), "content type text/plain became text/html"),
        (text("hello world"), text("hello moon"), 'the text after "hello": "world" became "moon"'),
        (text("visit 1, hello", "visit 2, hello"), text("visit 1, bye", "visit 2, bye"), '"hello" became "bye"'),
        (text("short"), text("quite a bit longer"), "a text of 5 characters became one of 18"),
        (documents({"status": "UP"}), documents({"status": "DOWN"}), 'status: "UP" became "DOWN"'),
        (documents({"a": [1, 2]}), documents({"a": [1]}), "a[1] is missing"),
        (documents({"a": None}), documents({}), "a is missing"),
        (documents({"t": 1, "x": 1}, {"t": 2, "x": 1}), documents({"t": 5, "x": 2}), "x: 1 became 2"),
        ([Answer(200, "image/png", b"\0a")], [Answer(200, "image/png", b"\0b")], "the bytes of the body"),
    ],
)  # fmt: skip
def test_another_answer(before: Sequence[Answer], after: Sequence[Answer], said: str) -> None:
    found = difference(before, after)
    assert found is not None and said in found


def test_a_text_that_is_another_each_time_is_said_to_be() -> None:
    answers = text("one two", "one two three four")
    assert varies_wholly(answers)
    assert difference(answers, text("nothing like it")) is None
    assert not varies_wholly(text("one 1", "one 2"))


@given(st.text(), st.text())
def test_any_text_is_like_itself_and_any_other_word_differs(body: str, word: str) -> None:
    assert difference(text(body), text(body)) is None
    tokens = "".join(character for character in word if character.isalpha())
    if tokens:
        assert difference(text(f"start {tokens} end"), text(f"start {tokens}x end")) is not None


SPRING = (
    "2026-11-26T10:00:00.123Z  INFO 1 --- [main] example.App : Starting App v1.0 using Java 17.0.2 with PID 1\n"
    "2026-11-26T10:00:02.123Z  INFO 1 --- [main] example.App : Started App in 2.345 seconds (process running for 2.8)\n"
)


def test_two_logs_of_one_program_are_the_same() -> None:
    later = SPRING.replace("10:00", "11:23").replace("2.345", "3.1").replace("17.0.2", "17.0.9")
    assert output_difference([SPRING], [later]) is None
    assert output_difference([SPRING], [later + "done 7\n"]) == "the output adds: done 7"
    assert output_difference([SPRING + "sum 5\n"], [later + "sum 6\n"]) == "the output lacks: sum 5"
    assert output_difference(["pick 5\n", "pick 7\n"], ["pick 9\n", "pick 2\n"]) is None


def test_where_it_runs_from_and_stacks_make_no_difference() -> None:
    before = (
        "x INFO 1 --- [main] App : Starting App v1 using Java 17.0.2 with PID 1 (/app/app.jar started by root in /app)\n"
        "java.net.UnknownHostException: db: Name or service not known\n"
        "\tat example.App.main(App.java:3) ~[app.jar!/:1.0]\n\t... 12 more\n"
    )
    after = (
        "x INFO 7 --- [main] App : Starting App v1 using Java 17.0.9 with PID 7 (/application/BOOT-INF/classes started by root in /app)\n"
        "java.net.UnknownHostException: db: Name does not resolve\n"
        "\tat example.App.main(App.java:3) ~[classes/:na]\n\t... 14 common frames omitted\n"
    )
    assert output_difference([before], [after]) is None
    assert output_difference([before], [after.replace("db:", "other:")]) is not None
    assert without_stacks(before) == before.splitlines()[:2]


def test_the_first_error_of_a_log() -> None:
    log = "starting\n2026-11-26 10:00:00 ERROR 7 --- [main] Could not connect: java.net.ConnectException: refused\nmore\n"
    assert (
        first_error(log)
        == "<time> ERROR <pid> --- [main] Could not connect: java.net.ConnectException: refused"
    )
    assert first_error("just\nstopped\n\n") == "stopped"
    assert first_error("") is None
    assert normal_line("Foo@1f2e3d4c took 12 ms") == "Foo@<id> took <duration>"


def test_what_smoke_names() -> None:
    assert smoke_of("http://localhost:8081/x?y=1") == Smoke(path="/x?y=1", port=8081)
    assert smoke_of("http://localhost") == Smoke(path="/", port=80)
    assert smoke_of(":9000/ready") == Smoke(path="/ready", port=9000)
    assert smoke_of("/hello") == Smoke(path="/hello")
    assert smoke_of("/größe?b=%20") == Smoke(path="/gr%C3%B6%C3%9Fe?b=%20")
    assert smoke_of("/app/check.sh --all").command == ("/bin/sh", "-c", "/app/check.sh --all")
    assert smoke_of("wget -q -O - localhost").command == ("/bin/sh", "-c", "wget -q -O - localhost")
    for wrong in ("https://localhost/", "http://localhost:99999/", "http://[::1/", "http://localhost/a b"):
        with pytest.raises(UsageError):
            smoke_of(wrong)


def test_ports_that_are_asked() -> None:
    def ports(config: dict[str, Any], **options: Any) -> tuple[int, ...]:
        return likely_ports({"config": config}, RunOptions(**options))

    assert ports({}) == (8080,)
    assert ports({"ExposedPorts": {"9000/tcp": {}}}) == (9000,)
    assert ports({"Env": ["SERVER_PORT=7000"], "ExposedPorts": {"9000/tcp": {}}}) == (7000, 9000)
    assert ports({}, environment={"SERVER_PORT": "7001"}) == (7001,)
    assert ports({"Entrypoint": ["java", "-Dserver.port=7002", "-jar", "a.jar"]}) == (7002,)
    assert ports({}, arguments=("--server.port=7003",), smoke=(Smoke(path="/", port=81),)) == (81, 7003)


def test_java_tells_its_version() -> None:
    shown = "    java.specification.version = 1.8\n    java.vendor = Azul Systems, Inc.\n    java.version = 1.8.0_252\n"
    java = java_version(shown)
    assert java is not None
    assert (java.major, java.version, java.vendor) == (8, "1.8.0_252", "Azul Systems, Inc.")
    assert java_version("sh: java: not found") is None


def test_java_tells_the_language_it_starts_with() -> None:
    shown = "    java.specification.version = 17\n    user.country = US\n    user.language = en\n"
    american, english = java_version(shown), java_version(shown.replace("    user.country = US\n", ""))
    assert american is not None and english is not None
    assert (american.language, english.language) == ("en_US", "en")


def test_a_real_java_tells_it() -> None:
    """`C.UTF-8` is English of no country on glibc."""
    run = subprocess.run(
        ["java", "-XshowSettings:properties", "-version"],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    java = java_version(run.stderr + run.stdout)
    assert java is not None and java.language == "en"


def test_a_question_names_the_containers_own_port() -> None:
    """Answers hold links made of the Host header, and a published port is another one at each start."""
    import http.server
    import threading

    from imgopt.comparison.observing import get

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = get("127.0.0.1", server.server_port, "/about", 8080)
        server.shutdown()
    assert answer.body == b"localhost:8080"
