"""An application that compiles while it runs: on a JRE it fails, and without its jar nobody can know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import Imgopt
from command_line import imgopt as imgopt  # a fixture
from private_docker import Engine, EngineError
from start_forms import provide_bases

#: Asks for the compiler as a program: Debian's JRE, which the stand-in is made of, has the compiler's module.
COMPILES = """\
public class Compiles {
    static final Class<?> NEEDS = javax.tools.ToolProvider.class;
    public static void main(String[] arguments) throws Exception {
        new ProcessBuilder("javac", "-version").start().waitFor();
        System.out.println("compiles");
    }
}
"""
TEXT = 'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jar of the one class."""
    if shutil.which("javac") is None:
        pytest.skip("javac is not installed (apt-get install default-jdk-headless)")
    directory = tmp_path_factory.mktemp("application")
    (directory / "Compiles.java").write_text(COMPILES)
    subprocess.run(["javac", "--release", "17", "Compiles.java"], cwd=directory, check=True)
    command = ["jar", "--create", "--file", "app.jar", "--main-class", "Compiles", "Compiles.class"]
    subprocess.run(command, cwd=directory, check=True)
    return directory / "app.jar"


@pytest.mark.parametrize("buildkit", [False, True], ids=["classic", "buildkit"])
def test_what_needs_the_jdk_keeps_it(
    buildkit: bool, application: Path, engine: Engine, tmp_path: Path, imgopt: Imgopt
) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(TEXT)
    run = imgopt("rewrite", dockerfile)
    assert run.text == TEXT
    assert "1 fix needs --unsafe: jdk-runtime" in run.err
    unsafe = imgopt("rewrite", "--unsafe", dockerfile).text
    assert unsafe == TEXT.replace("-jdk", "-jre")

    (tmp_path / "target").mkdir()
    shutil.copy(application, tmp_path / "target" / "app.jar")
    (tmp_path / "Dockerfile.unsafe").write_text(unsafe)
    for name in ("Dockerfile", "Dockerfile.unsafe"):
        provide_bases(engine, tmp_path / name)
        engine.build(tmp_path, name.lower(), dockerfile=name, buildkit=buildkit)
    assert engine.run("dockerfile", []) == "compiles\n"
    with pytest.raises(EngineError, match='Cannot run program "javac"'):
        engine.run("dockerfile.unsafe", [])
    seen = imgopt("rewrite", "--unsafe", dockerfile).text  # now that the jar is there
    assert seen.startswith("FROM eclipse-temurin:17-jdk\n") and "-jre" not in seen
