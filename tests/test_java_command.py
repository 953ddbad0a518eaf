"""What `java` calls say, in exec form, in shell text and behind wrappers."""

from __future__ import annotations

import pytest

from imgopt.java.command import JavaCall, calls_in_argv, calls_in_script


def only(calls: tuple[JavaCall, ...]) -> JavaCall:
    assert len(calls) == 1
    return calls[0]


@pytest.mark.parametrize(
    ("text", "jar", "options", "arguments"),
    [
        ("java -jar app.jar", "app.jar", (), ()),
        ("exec java $JAVA_OPTS -jar /app/app.jar $0 $@", "/app/app.jar", ("$JAVA_OPTS",), ("$0", "$@")),
        ("java -jar $JAVA_OPTS /app.jar $PARAMS", "/app.jar", ("$JAVA_OPTS",), ("$PARAMS",)),
        ("java -Xmx1g -Dx=y -jar app.jar --spring.profiles.active=prod", "app.jar", ("-Xmx1g", "-Dx=y"), ("--spring.profiles.active=prod",)),
        ("sleep 30; nohup java -jar ${APP_HOME}/app.jar > log &", "/srv/app.jar", (), ()),
        ("tini -- /opt/java/bin/java -javaagent:/a.jar -jar app.jar", "app.jar", ("-javaagent:/a.jar",), ()),
        ("JAR=app.jar\njava -jar $JAR", "app.jar", (), ()),
        ("sh -c 'java -jar app.jar'", "app.jar", (), ()),
    ],
)  # fmt: skip
def test_jar_calls(text: str, jar: str, options: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    call = only(calls_in_script(text, {"APP_HOME": "/srv"}))
    assert (call.jar, call.options, call.arguments) == (jar, options, arguments)


def test_empty_and_long_variables_are_split_as_the_shell_does() -> None:
    text = 'java $NONE ${JAVA_OPTS} -jar "$JAR"'
    call = only(calls_in_script(text, {"NONE": "", "JAVA_OPTS": "-Xmx1g -Dx=y", "JAR": "a.jar"}))
    assert (call.jar, call.options) == ("a.jar", ("-Xmx1g", "-Dx=y"))


def test_class_path_calls() -> None:
    call = only(calls_in_argv(["java", "-cp", "/app:/lib/*", "com.example.Main", "x"], {}))
    assert (call.jar, call.class_path, call.main_class, call.arguments) == (
        None,
        "/app:/lib/*",
        "com.example.Main",
        ("x",),
    )


def test_launcher_calls() -> None:
    call = only(calls_in_argv(["java", "-Dx", "org.springframework.boot.loader.JarLauncher"], {}))
    assert (call.main_class, call.options) == ("org.springframework.boot.loader.JarLauncher", ("-Dx",))


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "-c", "java -jar a.jar"],
        ["/bin/bash", "-ec", "java -jar a.jar"],
        ["tini", "--", "sh", "-c", "java -jar a.jar"],
    ],
)
def test_shells_in_exec_form(argv: list[str]) -> None:
    assert only(calls_in_argv(argv, {})).jar == "a.jar"


def test_no_java_no_call() -> None:
    assert calls_in_script("nginx -g 'daemon off;'; javac X.java", {}) == ()
    assert calls_in_argv(["nginx"], {}) == ()


def test_a_variable_that_makes_a_script_run_itself_is_read_once() -> None:
    variables = {"X": 'java -jar a.jar; sh -c "$X"; sh -c "$X x"'}
    assert [call.jar for call in calls_in_script('sh -c "$X"', variables)][:2] == ["a.jar"] * 2
    assert len(calls_in_script('sh -c "$X"', variables)) < 100
