"""What starting the command line may load: sets of module names, never a stopwatch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Each costs ten milliseconds or more, and is needed by few commands or by none.
HEAVY = {
    "asyncio",
    "concurrent.futures",
    "decimal",
    "defusedxml",
    "docker",
    "fractions",
    "http.client",
    "importlib.metadata",
    "pydantic",
    "requests",
    "rich",
    "ssl",
    "tomllib",
    "unittest",
    "xml.etree",
    "yaml",
    "zipfile",
}
RUN = """
import sys
from imgopt.cli import main
code = main(sys.argv[1:])
print(code, *sorted(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str, cwd: Path) -> tuple[int, set[str]]:
    """The exit code of a run whose standard output is no terminal, and the modules that it loaded."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = run.stderr.splitlines()[-1].split()
    return int(code), set(modules)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(
        'FROM eclipse-temurin:21-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
    )
    return tmp_path


def test_version_loads_next_to_nothing(tmp_path: Path) -> None:
    code, modules = loaded("--version", cwd=tmp_path)
    assert code == 0
    ours = {name for name in modules if name.startswith("imgopt")}
    assert ours == {"imgopt", "imgopt.cli", "imgopt.cli.output", "imgopt.errors"}
    assert not modules & (HEAVY | {"typer", "json", "re", "inspect", "dataclasses"} - _by_python(tmp_path))


def _by_python(cwd: Path) -> set[str]:
    """What the interpreter and its site loads by itself, which differs between installations."""
    code = "import sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], cwd=cwd, text=True).split())


def test_help_loads_no_engine(tmp_path: Path) -> None:
    _, modules = loaded("--help", cwd=tmp_path)
    assert not modules & (
        HEAVY | {"imgopt.suggest.dockerfile", "imgopt.picture", "imgopt_rules", "dockerfile_parse"}
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["suggest", "."],
        ["suggest", "--format", "json", "."],
        ["suggest", "--format", "markdown", "."],
        ["rewrite", "Dockerfile"],
        ["rewrite", "--diff", "."],
        ["rules"],
        ["explain", "jdk-runtime"],
    ],
    ids=" ".join,
)
def test_a_command_without_a_jar_loads_nothing_heavy(arguments: list[str], project: Path) -> None:
    code, modules = loaded(*arguments, cwd=project)
    assert code == 0
    assert sorted(modules & HEAVY) == []


def test_a_gate_before_any_build_loads_nothing_heavy(project: Path) -> None:
    code, modules = loaded("gate", "--predict", ".", "--max-size", "1MB", cwd=project)
    assert code == 1
    assert sorted(modules & HEAVY) == []
    assert not {
        name
        for name in modules
        if name.startswith(("imgopt.images", "imgopt.sources", "imgopt.registry", "imgopt.engines"))
    }


def test_a_command_loads_no_other(project: Path) -> None:
    _, modules = loaded("suggest", ".", cwd=project)
    assert {name for name in modules if name.startswith("imgopt.cli.")} == {
        "imgopt.cli.app",
        "imgopt.cli.arguments",
        "imgopt.cli.output",
        "imgopt.cli.suggest",
    }
    assert not modules & {"imgopt.report.json", "imgopt.report.markdown", "imgopt.report.jar"}


COUNTS = """
import gc, re, sys
gc.disable()  # nothing that was made is gone when it is counted
compiled, compile = set(), re._compile
def counted(pattern, flags):
    caller = sys._getframe(2).f_globals["__name__"]
    if caller.startswith("imgopt") and isinstance(pattern, (str, bytes)):  # not those of Python and typer
        compiled.add((pattern, flags))
    return compile(pattern, flags)
re._compile = counted
from imgopt.light import patterns, records
written, write = [], records._written_init
records._written_init = lambda cls: written.append(cls) or write(cls)
from imgopt.cli import main
code = main(sys.argv[1:])
ours = [name for name in sys.modules if name.partition(".")[0] in ("imgopt", "imgopt_rules")]
waiting = [each for each in gc.get_objects() if isinstance(each, patterns._Regex)]
classes = [each for each in gc.get_objects() if isinstance(each, type) and "__record__" in vars(each)]
print(code, *(f"{name}={value}" for name, value in {
    "modules": len(ours), "classes": len(classes), "constructors": len(written), "compiled": len(compiled), "patterns": len(waiting),
    "touched": sum("match" in vars(each) for each in waiting),
}.items()), file=sys.stderr)
"""
#: What a run over one Dockerfile may come to: some more than it does now (171 modules, 176 data classes of which 12 with
#: constructors of their own, 87 patterns, 33 of them of the 180 at the top of modules). They are counted, as they say more of its time than a clock does.
MOST = {"modules": 180, "classes": 190, "constructors": 20, "compiled": 95}


def test_what_a_run_over_one_dockerfile_makes(project: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", COUNTS, "suggest", "."],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *told = run.stderr.splitlines()[-1].split()
    counts = {name: int(value) for name, _, value in (each.partition("=") for each in told)}
    assert code == "0"
    assert {name: counts[name] for name in MOST if counts[name] > MOST[name]} == {}
    # it counts: most of what stands at the top of modules is there, and not touched
    assert 0 < counts["constructors"] < counts["classes"] / 5
    assert 0 < counts["touched"] < counts["compiled"] < counts["patterns"]


def test_a_dockerfile_alone_loads_nothing_of_ci_files_jars_and_builds(project: Path) -> None:
    _, modules = loaded("suggest", ".", cwd=project)
    ours = {name for name in modules if name.startswith(("imgopt.pipelines.", "imgopt.java."))}
    assert not {name for name in modules if name.startswith("imgopt_rules.ci_")}
    assert {name for name in ours if name.startswith("imgopt.pipelines.")} == {
        "imgopt.pipelines.beside",
        "imgopt.pipelines.kinds",
        "imgopt.pipelines.yaml_kinds",
    }
    assert not ours & {f"imgopt.java.{name}" for name in ("gradle", "jar", "natives", "pom")}
    # of the rules about what a RUN leaves, none has anything to say
    assert not modules & {
        f"imgopt.plans.waste.{name}" for name in ("archives", "package_cache", "recommended")
    }


@pytest.mark.parametrize(
    ("file", "text", "brings"),
    [
        (".gitlab-ci.yml", "build:\n  script: docker buildx build --platform linux/arm64 .\n", "imgopt.pipelines.platforms"),
        ("compose.yaml", "services:\n  a:\n    build: .\n", "imgopt.pipelines.platforms"),
        ("pom.xml", "<project><artifactId>a</artifactId></project>", "imgopt.java.pom"),
        ("build.gradle", "plugins { id 'java' }\n", "imgopt.java.gradle"),
    ],
)  # fmt: skip
def test_what_lies_beside_it_brings_what_reads_it(file: str, text: str, brings: str, project: Path) -> None:
    assert brings not in loaded("suggest", "Dockerfile", cwd=project)[1]
    (project / file).write_text(text)
    code, modules = loaded("suggest", "Dockerfile", cwd=project)
    assert code == 0 and brings in modules


def test_rules_and_explain_load_no_engine(tmp_path: Path) -> None:
    _, modules = loaded("rules", cwd=tmp_path)
    assert not modules & {"imgopt.suggest.dockerfile", "imgopt.weigh.layers", "imgopt.compressing"}


def test_a_configuration_loads_a_toml_reader_and_its_absence_does_not(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert "tomllib" not in loaded("suggest", ".", cwd=project)[1]
    (project / "imgopt.toml").write_text('runtime = "glibc"\n')
    assert {"tomllib", "tomli"} & loaded("suggest", ".", cwd=project)[1]


def test_the_test_can_fail(tmp_path: Path) -> None:
    code = "import rich.console, sys; print(0, *sorted(sys.modules), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(run.stderr.split()) & HEAVY
