"""`imgopt.toml`: where it is found, what it may say, and what is said when it says nonsense."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imgopt.cli.arguments import Given, options
from imgopt.config import Config, load
from imgopt.errors import ConfigError, UsageError
from imgopt.options import DEFAULT_BANDWIDTH_SOURCE, Options
from imgopt.scales import Severity

FULL = """\
# the team's settings
platform = "linux/arm64"
runtime = "glibc"
spring-boot = "3.5.4"
bandwidth = "8Mbit/s"
unsafe = true
fail-on = "medium"

[rules]
select = ["jdk-runtime", "fat-jar-layer"]
ignore = ["fat-jar-layer"]

[bases]
"harbor.corp/base/jdk17:*" = { like = "eclipse-temurin:17-jdk", counterpart = "harbor.corp/base/jre17:1" }

[bases."harbor.corp/base/jre8:*"]
kind = "jre"
java = 8
libc = "musl"
os = "alpine"

[build-args]
JAR_FILE = "target/app.jar"
PORT = 8080

[gate]
baseline = "ci/baseline.json"

[budgets]
max-size = "200MB"
"""


def write(directory: Path, text: str, name: str = "imgopt.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def failure(directory: Path, text: str, name: str = "imgopt.toml") -> ConfigError:
    path = write(directory, text, name)
    with pytest.raises(ConfigError) as error:
        load(str(path), [])
    assert error.value.path == str(path)
    assert error.value.hint
    return error.value


def test_everything_it_may_say(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    config = load(str(path), [])
    assert config.platform == "linux/arm64"
    assert config.runtime == "glibc"
    assert config.spring_boot == "3.5.4"
    assert config.bandwidth == ("8Mbit/s",)
    assert config.unsafe is True
    assert config.fail_on is Severity.MEDIUM
    assert config.select == ("jdk-runtime", "fat-jar-layer")
    assert config.build_args == {"JAR_FILE": "target/app.jar", "PORT": "8080"}
    assert config.baseline == "ci/baseline.json"
    assert [limit.name for table in config.budgets for limit in table.limits] == ["max-size"]
    like, alone = config.bases
    assert like.pattern == "harbor.corp/base/jdk17:*" and like.source == f"{path}:14"
    assert like.facts == {"like": "eclipse-temurin:17-jdk", "counterpart": "harbor.corp/base/jre17:1"}
    assert alone.facts == {"kind": "jre", "java": 8, "libc": "musl", "os": "alpine"}
    assert alone.source == f"{path}:16"


def test_it_is_found_from_the_first_path_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'runtime = "glibc"\n')
    write(tmp_path / "a" / "b", "FROM x\n", "Dockerfile")
    write(tmp_path / "c", 'runtime = "alpine"\n')
    assert load(None, [str(tmp_path / "a" / "b" / "Dockerfile"), str(tmp_path / "c")]).runtime == "glibc"
    assert load(None, [str(tmp_path / "c")]).runtime == "alpine"
    assert load(None, [str(tmp_path / "c" / "missing")]).runtime == "alpine"
    monkeypatch.chdir(tmp_path / "c")
    assert load(None, ["-"]).runtime == "alpine"
    assert load(None, []).path == "imgopt.toml"


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    write(tmp_path, 'runtime = "glibc"\n')
    write(tmp_path / "repo" / "module", "FROM x\n", "Dockerfile")
    judged = str(tmp_path / "repo" / "module" / "Dockerfile")
    assert load(None, [judged]).runtime == "glibc"
    (tmp_path / "repo" / ".git").write_text("gitdir: elsewhere\n")  # of a worktree or a submodule
    assert load(None, [judged]) == Config()
    write(tmp_path / "repo", 'runtime = "alpine"\n')
    assert load(None, [judged]).runtime == "alpine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_somebody_else_above_the_path_is_passed_over(
    tmp_path: Path, imgopt: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = write(tmp_path, '[rules]\nignore = ["jdk-runtime"]\n')
    judged = write(tmp_path / "a", "FROM eclipse-temurin:17-jdk\nCMD java -jar /app.jar\n", "Dockerfile")
    assert load(None, [str(judged)]).ignore == ("jdk-runtime",)
    os.chown(outer, 12345, 12345)
    config = load(None, [str(judged)])
    assert config.ignore == () and config.passed_over == (str(outer),)
    monkeypatch.chdir(tmp_path / "a")
    run = imgopt("suggest", "Dockerfile")
    assert "jdk-runtime" in run.text
    assert f"{outer} is not obeyed: it belongs to neither" in " ".join(run.err.split())
    assert "not obeyed" not in imgopt("suggest", "--config", str(outer), "Dockerfile").err
    assert load(str(outer), []).ignore == ("jdk-runtime",)  # what is given is given
    # who owns the work may configure it, wherever that lies
    os.chown(judged, 12345, 12345)
    assert load(None, [str(judged)]).ignore == ("jdk-runtime",)
    os.chown(judged, 0, 0)
    # a link of somebody else's is their word, whosever file it leads to
    outer.rename(tmp_path / "other.toml")
    os.chown(tmp_path / "other.toml", 0, 0)
    outer.symlink_to("other.toml")
    assert load(None, [str(judged)]).ignore == ("jdk-runtime",)
    os.chown(outer, 12345, 12345, follow_symlinks=False)
    assert load(None, [str(judged)]).ignore == ()


def test_reports_name_a_file_above_the_working_directory_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = write(tmp_path, '[bases."x:1"]\nkind = "jre"\n\n[budgets]\nmax-size = "1MB"\n')
    monkeypatch.chdir(write(tmp_path / "a", "FROM x\n", "Dockerfile").parent)
    config = load(None, ["."])
    assert config.where("nothing") == str(outer)
    assert config.bases[0].source == f"{outer}:1"
    assert config.budgets[0].limits[0].source == f"{outer}:5"
    monkeypatch.chdir(tmp_path)
    assert load(None, ["a"]).bases[0].source == "imgopt.toml:1"


def test_pyproject_counts_when_it_has_our_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[tool.imgopt]\nruntime = "glibc"\n[tool.imgopt.rules]\nignore = ["jdk-runtime"]\n',
        "pyproject.toml",
    )
    inner = tmp_path / "inner"
    write(inner, "[tool.other]\nx = 1\n", "pyproject.toml")
    config = load(None, [str(inner)])
    assert config.runtime == "glibc" and config.ignore == ("jdk-runtime",)
    assert config.where("runtime") == f"{tmp_path}/pyproject.toml:2"
    write(inner, "this is not toml, and none of our business", "pyproject.toml")
    assert load(None, [str(inner)]).runtime == "glibc"
    write(inner, 'runtime = "alpine"\n')
    assert load(None, [str(inner)]).runtime == "alpine"  # imgopt.toml before pyproject.toml


def test_no_configuration_is_none(tmp_path: Path) -> None:
    assert load(None, [str(tmp_path)]) == Config()
    with pytest.raises(ConfigError, match=r"no \[tool.imgopt\] table"):
        load(str(write(tmp_path, "[tool.other]\n", "pyproject.toml")), [])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            'runtime = "glibc"\nplatfrom = "linux/amd64"\n',
            2,
            "unknown key 'platfrom'; did you mean platform?",
        ),
        ("\n[rule]\nselect = []\n", 2, "unknown key 'rule'; did you mean rules?"),
        ("[rules]\n\nselct = []\n", 3, "unknown key 'rules.selct'; did you mean select?"),
        ('[bases."x:*"]\nkind = "jre"\nlibs = "musl"\n', 3, "did you mean libc?"),
        ('[bases]\n"x:*" = { kind = "jre", jva = 8 }\n', 2, "did you mean java?"),
        ('[bases."x:*"]\nkind = "sdk"\n', 2, "cannot be 'sdk'"),
        ('[bases."x:*"]\njava = "8"\n', 2, "must be a whole number, not a string"),
        ('[bases]\n"x:*" = {}\n', 2, "says nothing"),
        ('[bases]\n"x:*" = { like = "No Such" }\n', 2, "like"),
        ("runtime = 3\n", 1, "runtime must be a string, not a number"),
        ('runtime = "alpin"\n', 1, "did you mean alpine?"),
        ('unsafe = "yes"\n', 1, "must be true or false, not a string"),
        ("unsafe = 1\n", 1, "must be true or false, not a number"),
        ('fail-on = "severe"\n', 1, "fail-on cannot be 'severe'"),
        ('bandwidth = "8Mb/s"\n', 1, "write MB/s for bytes or Mbit/s for bits"),
        ('bandwidth = ["1MB/s", "fast"]\n', 1, "no bandwidth profile 'fast'"),
        ('platform = "linux/"\n', 1, "is not a platform"),
        ('spring-boot = "new"\n', 1, "is not a Spring Boot version"),
        ("[build-args]\nA = true\n", 2, "build-args.A is true or false"),
        ("[build-args]\nA = 1.10\n", 2, "put it in quotes"),
        ('rules = "all"\n', 1, "rules must be a table"),
        ("[rules]\nselect = [1]\n", 2, "must be a list of strings"),
        ("spring-boot = 2024-01-01\n", 1, "not a date or time"),
        # broken TOML
        ("runtime = \n", 1, "not valid TOML"),
        ('a = 1\n[rules\nselect = ["x"]\n', 2, "not valid TOML"),
        ("a = 1\na = 2\n", None, "not valid TOML"),
        ("x = " + "9" * 5000 + "\n", None, "not valid TOML"),
        ("x = " + "[" * 100_000, None, "it is"),
    ],
)
def test_nonsense_is_an_error_with_its_line(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    error = failure(tmp_path, text)
    assert said in str(error)
    if line is not None:
        assert error.line == line
    assert "\n" not in str(error)


def test_a_key_inside_a_string_is_not_where_the_key_is(tmp_path: Path) -> None:
    text = 'spring-boot = """\nruntime = 3\n"""\nruntime = 3\n'
    assert failure(tmp_path, text).line in (1, 4)
    assert failure(tmp_path, '# runtime = 1\n[build-args]\nruntime = "x"\n[rules]\nruntime = 1\n').line == 5


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(str(tmp_path / "none.toml"), [])
    with pytest.raises(ConfigError, match="it is a directory"):
        load(str(tmp_path), [])
    (tmp_path / "imgopt.toml").write_bytes(b'runtime = "glibc"\n# caf\xe9\n')
    with pytest.raises(ConfigError) as error:
        load(None, [str(tmp_path)])
    assert error.value.line == 2 and "UTF-8" in error.value.message
    (tmp_path / "imgopt.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load(None, [str(tmp_path)])
    (tmp_path / "imgopt.toml").write_bytes(b"\xef\xbb\xbfunsafe = true\r\n")
    assert load(None, [str(tmp_path)]).unsafe is True


# the command line over the configuration


def test_the_command_line_wins(tmp_path: Path) -> None:
    paths = [str(write(tmp_path, FULL).parent)]
    asked = options(
        paths,
        Given(
            platform="amd64",
            runtime="alpine",
            spring_boot="2.7.18",
            bandwidth=["aliyun-enterprise"],
            unsafe=False,
            fail_on="high",
            select=["jdk-runtime,glibc-runtime"],
            ignore=["jdk-runtime"],
            build_arg=["JAR_FILE=other.jar", "NEW=a=b"],
        ),
    )
    assert asked.platform == "linux/amd64"
    assert asked.runtime == "alpine"
    assert asked.spring_boot == "2.7.18"
    assert asked.bandwidths == (10_000_000, 50_000_000)
    assert asked.bandwidth_source == "--bandwidth, profile aliyun-enterprise"
    assert asked.unsafe is False
    assert asked.fail_on is Severity.HIGH
    assert asked.select == ("jdk-runtime", "glibc-runtime")
    assert asked.ignore == ("jdk-runtime",)
    assert asked.build_args == {"JAR_FILE": "other.jar", "PORT": "8080", "NEW": "a=b"}
    assert len(asked.bases) == 2


def test_the_configuration_holds_where_the_command_line_is_silent(tmp_path: Path) -> None:
    asked = options([str(write(tmp_path, FULL).parent)], Given())
    assert asked.platform == "linux/arm64" and asked.unsafe is True and asked.runtime == "glibc"
    assert asked.bandwidths == (1_000_000,)
    assert asked.bandwidth_source == f"{tmp_path}/imgopt.toml:5"


def test_without_either_the_defaults(tmp_path: Path) -> None:
    asked = options([str(tmp_path)], Given())
    assert asked == Options()
    assert asked.bandwidths == (500_000, 1_000_000)
    assert asked.bandwidth_source == DEFAULT_BANDWIDTH_SOURCE


def test_several_bandwidths(tmp_path: Path) -> None:
    asked = options([str(tmp_path)], Given(bandwidth=["0.5-1MB/s", "8Mbit/s", "10MB/s"]))
    assert asked.bandwidths == (500_000, 1_000_000, 10_000_000)


def test_a_build_argument_without_a_value_is_the_environments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "x")
    monkeypatch.delenv("NOT_SET", raising=False)
    asked = options([str(tmp_path)], Given(build_arg=["FROM_OUTSIDE", "NOT_SET", "EMPTY="]))
    assert asked.build_args == {"FROM_OUTSIDE": "x", "EMPTY": ""}


def test_an_unknown_rule_is_named_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, '[rules]\nignore = ["jdk-runtime", "fat-jar"]\n')
    with pytest.raises(ConfigError) as error:
        options([str(tmp_path)], Given())
    assert error.value.line == 2 and error.value.hint == "did you mean fat-jar-layer?"
    with pytest.raises(UsageError, match="--ignore: there is no rule 'nope'"):
        options([str(tmp_path)], Given(ignore=["nope"]))


def test_what_another_command_must_repeat() -> None:
    given = Given(context="a dir", runtime="alpine", build_arg=["A=1"], select=["jdk-runtime"], unsafe=True)
    assert given.repeated(["x"]) == (
        *(
            "--context",
            "a dir",
            "--runtime",
            "alpine",
            "--build-arg",
            "A=1",
            "--select",
            "jdk-runtime",
            "--unsafe",
            "x",
        ),
    )
    assert Given().repeated([]) == (".",)
    assert Given().repeated(["-x"]) == ("--", "-x")
    assert Given().repeated(["-"]) == ("-",)
    assert Given(target="app").repeated(list("abcd")) == ("--target", "app", "PATH...")
