"""Files of a megabyte that are made to be looked at again and again: each would take minutes to hours if it were.

No clock decides: what is quadratic does not end within `bounds.FOR_EVER`, what is linear takes seconds.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import time
from pathlib import Path

import pytest
from boot_jar import boot_jar
from bounds import bounded

from imgopt.build_context.patterns import MOST_RULES, MOST_WORK, read_ignore_file
from imgopt.comparison.answers import first_error, normal_line, without_stacks
from imgopt.errors import ContextError
from imgopt.registry.auth import parse_challenge

MEGABYTE = 1_000_000
DOCKERFILE = (
    "FROM eclipse-temurin:21-jdk\nCOPY build/libs/*.jar /app.jar\nCOPY . /x/\nCMD java -jar /app.jar\n"
)


def lines_of(piece: str, length: int = 4000, size: int = MEGABYTE) -> str:
    line = piece * (length // len(piece)) + "\n"
    return line * (size // len(line))


@pytest.mark.parametrize(
    "piece", ["'\"\\", "{", "}", "languageVersion = ", "a{\n", "project('a').projectDir = "]
)
def test_a_build_script(piece: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for name in ("build.gradle", "settings.gradle"):
        (tmp_path / name).write_text(lines_of(piece, size=260_000))
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


def test_the_script_of_fifteen_kilobytes(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "build.gradle").write_text("'\"\\" * 5000)
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


def modules(script: str, count: int = 20) -> dict[str, str]:
    names = [f"m{number}" for number in range(count)]
    return {"settings.gradle": "".join(f"include '{name}'\n" for name in names)} | {
        f"{name}/build.gradle": script for name in names
    }


PROPERTIES = "".join(f"<a{n}>${{a{n - 1}}}${{a{n - 1}}}</a{n}>" for n in range(1, 60))
BUILDS: dict[str, dict[str, str]] = {
    "a pom of nothing but tags": {"pom.xml": "<a>" * 1_300_000},
    "properties of properties": {
        "pom.xml": f"<project><artifactId>a</artifactId><properties><a0>{'x' * 500}</a0>{PROPERTIES}</properties><dependencies>"
        + "".join(f"<dependency><artifactId>${{a{n % 9 + 50}}}{n}</artifactId></dependency>" for n in range(15_000))
        + "</dependencies></project>"
    },
    "a catalogue's key": {"build.gradle": "", "gradle/libs.versions.toml": "a" + ".a" * 100_000 + " = 1\n"},
    "a configuration's key": {"imgopt.toml": "a" + ".a" * 400_000 + " = 1\n"},
    "keys of a table": {"imgopt.toml": "[a" + ".a" * 1000 + "]\n" + "".join(f"b{n} = 1\n" for n in range(80_000))},
    "a root project of many modules": {
        "build.gradle": "subprojects {\n version = '1' + x\n}\n" * 900 + "version = x\n" * 15_000, **modules("plugins { id 'java' }\n")
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", BUILDS)
def test_build_files_and_tables(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for name, text in BUILDS[kind].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    run = bounded("suggest", tmp_path / "Dockerfile")
    assert run.returncode == (2 if "imgopt.toml" in BUILDS[kind] else 0), run.stderr[-800:]


def test_stages_on_each_other(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:21-jdk AS s0\n"
        + "".join(f"FROM s{n - 1} AS s{n}\nCOPY --from=s{max(0, n - 2)} / /\n" for n in range(1, 999))
    )
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


SCRIPTS = [
    "docker push ${a%%*",
    "docker push $(",
    "docker push x | ",
    "a=$a$a\n",
    "x=${x}aaaaaaaaaa; docker push $x\n",
    "f() { f; f; docker push x; }; f\n",
    "docker push x; ssh h '" + "docker-compose -a " * 10_000 + "'\n",
    "docker push x; ssh h '" + "docker -a a compose -b b " * 7_000 + "'\n",
    "docker push x; ssh h '" + "make -a " * 22_000 + "'\n",
    "docker push x; ssh h 'docker" + " " * 180_000 + "'\n",
    "docker push x; ssh h 'docker" + " -" * 90_000 + "'\n",
    "docker push x; ssh h 'docker " + "-a" * 90_000 + "'\n",
    "if [ $a ]; then b=$b$a; docker push x; fi\n",
]
MAKEFILES = [
    "a+=$(foreach x,$(a) b,$(a))\nall:\n\tdocker push $(a)\n",
    "a%: b%\n\tdocker push $*\n",
    "p:\n\t$(MAKE) p; docker push x\n",
    "a := $(shell echo ",
]


@pytest.mark.parametrize("piece", [*SCRIPTS, *MAKEFILES])
def test_a_script_or_a_makefile_that_pushes(piece: str, tmp_path: Path) -> None:
    file = tmp_path / ("Makefile" if piece in MAKEFILES else "push.sh")
    file.write_text("z:\n" * (piece in MAKEFILES) + piece * (190_000 // len(piece)))
    assert bounded("suggest", file).returncode == 0


@pytest.mark.parametrize("piece", ["\n", " \n", "[ "])
def test_a_configuration_of_others(piece: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "pyproject.toml").write_text(piece * (MEGABYTE // len(piece)))
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


IGNORED = {
    "paths": "".join(f"some/directory{number}/file.txt\n" for number in range(MOST_RULES)),
    "exceptions": "*\n" + "".join(f"!some/directory{number}/file.txt\n" for number in range(90_000)),
}


@pytest.mark.parametrize("kind", IGNORED)
def test_ignore_rules(kind: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".dockerignore").write_text(IGNORED[kind])
    for number in range(3000):
        directory = tmp_path / f"d{number % 50}"
        directory.mkdir(exist_ok=True)
        (directory / f"file{number}.txt").touch()
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("*.x{}\n", MOST_WORK),
        ("a{}/**\n", MOST_WORK),
        ("a{0}\n!b{0}\n", MOST_WORK + 1),
        ("*a*b*c*d*{}\n", None),
        ("\\a" * 30_000 + "{}\n", None),
    ],
)
def test_ignore_rules_beyond_measure(line: str, at: int | None) -> None:
    text = "".join(line.format(number) for number in range(50_000 if len(line) < 99 else 60))
    with pytest.raises(ContextError, match="more than 2,000 patterns with wildcards") as caught:
        read_ignore_file(text.encode(), ".dockerignore")
    assert caught.value.line is not None and (at is None or caught.value.line == at)
    assert caught.value.hint == "name whole directories instead"


def test_ignore_rules_of_a_large_project() -> None:
    """All templates that there are, one after the other, are fewer."""
    text = "".join(f"*.x{n}\n**/y{n}/\nz{n}\n!keep{n}\n" for n in range(400))
    assert len(read_ignore_file(text.encode(), ".dockerignore").rules) == 1600
    with pytest.raises(ContextError, match="more than 100,000 patterns"):
        read_ignore_file(b"a\n" * (MOST_RULES + 1), ".dockerignore")


def test_a_long_list_of_silences(tmp_path: Path) -> None:
    """Each says what the next instruction may not be told; they are looked up by its line."""
    comment = "# imgopt: ignore=deleted-later\n"
    run = "RUN a\n"
    (tmp_path / "Dockerfile").write_text(
        DOCKERFILE + run * 1000 + comment * 40_000 + run * 100 + comment * 1000
    )
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_archive_of_a_jdk(kind: bytes, tmp_path: Path) -> None:
    """Two megabytes of it claim a header of two gigabytes."""
    (tmp_path / "Dockerfile").write_text(
        "FROM debian:12\nADD jdk-17.tar.gz /opt/\nCMD /opt/jdk/bin/java -jar /a.jar\n"
    )
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, 2_000_000_000
    with gzip.open(tmp_path / "jdk-17.tar.gz", "wb", compresslevel=1) as archive:
        archive.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(500):
            archive.write(bytes(4_000_000))
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


JENKINSFILES = {
    "arms of an if": "def y\nif (x) { y = 'a' } " + "else if (z) { y = 'b' } " * 4000 + "\nsh y\n",
    "else and nothing else": "if (x) y = 1\n" + "else " * 20_000,
    "calls in each other": "x = " + "choice(name: 'x', choices: " * 4000,
    "a list that holds itself": 'def s = []\ns << s\ndef m = [:]\nm.a = m\nx = m == m\nsh "a ${s} ${m}"\n',
    "lists in each other": "def m = []\n" + "m = [m]\n" * 3000 + "x = m == m\n",
    "a method that calls itself": "def f(x) { return f(x) + f(x) }\ndef y = f(1)\nsh y\n",
    "loops in each other": "def l = (0..400)\n" + "l.each { " * 20 + "sh 'docker push x'" + " }" * 20,
    "a text that doubles": "def s = 'aaaaaaaa'\n" + "s = s + s\n" * 5000 + "sh s\n",
    "methods of methods": "x" + ".each { a }" * 20_000,
}


@pytest.mark.parametrize("kind", JENKINSFILES)
def test_a_jenkinsfile(kind: str, tmp_path: Path) -> None:
    (tmp_path / "Jenkinsfile").write_text("node {\n" + JENKINSFILES[kind] + "\n}\n")
    assert bounded("suggest", tmp_path / "Jenkinsfile").returncode == 0


def test_a_pipeline_that_calls_maven_again_and_again(tmp_path: Path) -> None:
    """Calls that are alike read the poms once."""
    pom = "<project><artifactId>a{}</artifactId><version>1</version>{}</project>"
    modules = "<modules>" + "".join(f"<module>m{n}</module>" for n in range(30)) + "</modules>"
    (tmp_path / "pom.xml").write_text(
        pom.format("", modules + "<properties>" + "<b>1</b>" * 20_000 + "</properties>")
    )
    for number in range(30):
        (tmp_path / f"m{number}").mkdir()
        (tmp_path / f"m{number}" / "pom.xml").write_text(
            pom.format(number, "<properties>" + "<b>1</b>" * 20_000 + "</properties>")
        )
    (tmp_path / "Jenkinsfile").write_text("node {\n" + "sh 'mvn deploy'\n" * 2000 + "}\n")
    assert bounded("suggest", tmp_path / "Jenkinsfile").returncode == 0


REACTOR = {
    "pom.xml": "<project><artifactId>a</artifactId><modules>"
    + "".join(f"<module>m{n}</module>" for n in range(150))
    + "</modules></project>",
    **{f"m{n}/pom.xml": f"<project><artifactId>m{n}</artifactId></project>" for n in range(150)},
}
#: What a script calls, and the files that it finds.
CALLS: dict[str, dict[str, str]] = {
    "projects of a reactor": {"push.sh": "mvn deploy -pl " + ",".join(f"x{n}" for n in range(3000)) + "\n", **REACTOR},
    "goals of a reactor": {"push.sh": "mvn " + "x:y " * 500 + "deploy\n", **REACTOR},
    "tasks of a build script": {"push.sh": "gradle build\n", "build.gradle": "task a(" * 30_000},
    "a task's settings": {"push.sh": "gradle bootBuildImage\n", "build.gradle": "tasks.bootBuildImage.x0, 2000\n" * 8000},
    "blanks of a file of properties": {
        "Jenkinsfile": "node { def p = readProperties file: 'a.properties'\n sh \"docker push r/${p.x}\" }\n",
        "a.properties": "x" + " " * 100_000 + "y\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", CALLS)
def test_what_a_pipeline_calls(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name, text in CALLS[kind].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert bounded("suggest", tmp_path / next(iter(CALLS[kind]))).returncode == 0


LONG_LINES = (
    "(",
    "Mon Jan 01 ",
    "(x started by ",
    " ~[",
    "1.",
    "pid:",
    "INFO ",
    "Java/1",
    "2026-01-01 ",
    "@a",
    "\tat a.b(",
)


@pytest.mark.parametrize("piece", LONG_LINES)
def test_a_line_that_an_application_prints(piece: str) -> None:
    """Four times the length takes four times the processor time, not sixteen."""

    def seconds(length: int) -> float:
        line = piece * (length // len(piece))
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            normal_line(line)
            without_stacks(line)
            first_error(line)
            best = min(best, time.process_time() - begin)
        return best

    assert seconds(200_000) < 10 * max(seconds(50_000), 0.002)


_PIPELINE = "pipeline {\n agent any\n stages { stage('b') { steps { sh 'docker push x/y:1' } } }\n}\n"
_JOB = (
    "on: push\njobs:\n b:\n  runs-on: ubuntu-latest\n  steps:\n   - run: |\n      docker push x/y:1\n      "
)
CI_FILES = {
    "comments": ("Jenkinsfile", _PIPELINE + "/*" * 190_000),
    "parameters": ("Jenkinsfile", _PIPELINE + "choice(name" + " " * 380_000),
    "blank lines": ("Jenkinsfile", _PIPELINE + "\n" * 380_000),
    "many parameters": (
        "Jenkinsfile",
        _PIPELINE + "".join(f"string(name: 'image{number}')\n" for number in range(13_000)),
    ),
    "a stage": ("build.groovy", "stage(" + "\t" * 380_000),
    "a library": ("build.groovy", "library" + "\t" * 380_000),
    "an expression": (".github/workflows/b.yml", _JOB + "${{" + "\t" * 380_000 + "\n"),
    "a word": (".gitlab-ci.yml", "b:\n  script:\n    - docker push x/y:1\n    - '" + "4" * 380_000 + "'\n"),
}


@pytest.mark.parametrize("kind", CI_FILES)
def test_a_ci_file(kind: str, tmp_path: Path) -> None:
    name, text = CI_FILES[kind]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert bounded("suggest", path).returncode in (0, 2)


SERVICES = 4000
VARIABLES = "x-e: &e\n" + "".join(f"  A{number}: b\n" for number in range(SERVICES))


def services(each: str) -> str:
    return "services:\n" + "".join(f"  s{number}: {each}\n" for number in range(SERVICES))


#: Files of some hundred kilobytes that repeat what they name, by what is said of them (None: all of it is read).
CONTAINERS: dict[str, tuple[dict[str, str], str | None]] = {
    "variables of an alias": ({"compose.yaml": VARIABLES + services("{build: ., environment: *e}")}, "compose.yaml:1"),
    "words of an alias": (
        {"compose.yaml": "x-c: &c [" + "a," * 100_000 + "b]\n" + services("{build: ., command: *c}")}, "compose.yaml:1"
    ),
    "a file of variables": (
        {"compose.yaml": services("{build: ., env_file: x.env}"), "x.env": "A=b\n" * 90_000}, "compose.yaml:3"
    ),
    "a service of another file": (
        {
            "compose.yaml": services("{build: ., extends: {file: x.yaml, service: s1}}"),
            "x.yaml": services("{build: ., user: app}"),
        },
        None,
    ),
    "names of images": (
        {
            "compose.yaml": services("{build: ., image: x/y}"),
            "k8s/pod.yaml": "kind: Pod\nspec:\n containers:\n" + "  - {name: a, image: x/z}\n" * 10_000,
        },
        "k8s/pod.yaml:",
    ),
    "containers of an alias": (
        {
            "compose.yaml": "services: {s: {build: ., image: x/y}}",
            "k8s/pods.yaml": "kind: List\nx: &p {kind: Pod, spec: {containers: ["
            + "{name: a, image: x/y},"
            + "]}}\nitems: ["
            + "*p," * 90_000
            + "]\n",
        },
        "k8s/pods.yaml:2",
    ),
    "braces of a template": ({"k8s/d.yaml": "kind: Pod\nspec: {{" + "{{" * 100_000}, None),
    "a large manifest": ({"k8s/d.yaml": "kind: Pod\nspec:\n containers: []\n#" + "x" * 400_000 + "\n"}, "k8s/d.yaml"),
    "a large definition": (
        {"k8s/crd.yaml": "kind: CustomResourceDefinition\nspec:\n containers: []\n" + "# kind: Pod\n" * 40_000}, None
    ),
    "deep": ({"k8s/d.yaml": "kind: Pod\nspec: {containers: []}\nx: " + "[" * 101 + "]" * 101 + "\n"}, "k8s/d.yaml"),
    "small files": ({f"k8s/{n:04}.yaml": "" for n in range(1_002)}, "k8s/0999.yaml"),
    "many files": ({f"k8s/{n}.yaml": "a: b\n" * 60_000 for n in range(20)}, "k8s/"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTAINERS)
def test_files_that_run_containers(kind: str, tmp_path: Path) -> None:
    """What was not read may run anything: nothing is shown to be safe then."""
    files, where = CONTAINERS[kind]
    (tmp_path / ".git").mkdir()
    (tmp_path / "Dockerfile").write_text(
        "FROM eclipse-temurin:21-jdk\nCOPY app.jar /\nCMD java -jar /app.jar\n"
    )
    boot_jar(tmp_path / "app.jar", version="3.5.4")
    (tmp_path / "k8s").mkdir()
    (tmp_path / "compose.yaml").write_text("services: {s: {build: ., image: x/y}}\n")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    run = bounded("suggest", tmp_path / "Dockerfile", "--format", "json")
    assert run.returncode == 0, run.stderr[-800:]
    said = f"{where or ''}[^ ]* and what follows it say more about containers than is read"
    assert bool(re.search(said, run.stdout)) == (where is not None), run.stdout


BAKE = {
    "quotes": 'target "default" { platforms = ["linux/amd64"] tags = [' + '"\\' * 150_000,
    "comments": 'target "default" { platforms = ["linux/amd64"] }' + "/* " * 100_000,
}


@pytest.mark.parametrize("kind", BAKE)
def test_a_bake_file(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "docker-bake.hcl").write_text(BAKE[kind])
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


def test_scripts_that_a_file_runs(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM alpine:3.20\nRUN apk update && " + "apk\t-" * 10_000 + "\nCMD java -jar /a.jar\n"
    )
    assert bounded("suggest", tmp_path / "Dockerfile").returncode == 0


def test_a_challenge_of_a_registry() -> None:
    challenge = parse_challenge("Bearer " + "g" * 65_000)
    assert challenge is not None and challenge.realm == ""
