"""Files whose unpacking, copying and starting do not agree: the original fails as `broken-layering` says, and the rewrite
builds and answers. Only an engine and a JVM can show that the predicted failure is the real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt
from private_docker import Engine, EngineError
from stand_ins import stand_in

__all__ = ["imgopt"]

CASES = Path(__file__).parent.parent.parent / "fixtures" / "cases" / "broken-layering"
BASE = "eclipse-temurin:17-jre-alpine"
# the case, the line of Spring Boot, what fails, and what its error says
BROKEN = (
    ("stages-missing", "3.5.16", "build", "builder"),
    ("tools-named-after-the-jar", "3.5.16", "build", "work/dependencies"),
    ("tools-into-a-full-directory", "3.5.16", "build", "already exists and is not empty"),
    ("value-behind-an-equals-sign", "3.5.16", "build", "work/out/dependencies"),
    ("tools-before-3.3", "3.2.12", "build", "Unsupported jarmode 'tools'"),
    ("layertools-on-4.1", "4.1.2", "build", "Unsupported jarmode 'layertools'"),
    ("copied-without-a-stage", "2.7.18", "build", "dependencies"),
    ("tools-without-launcher", "3.5.16", "start", "ClassNotFoundException: org.springframework.boot.loader"),
    ("layertools-and-jar", "3.5.16", "start", "Unable to access jarfile app.jar"),
    ("loader-not-copied", "2.7.18", "start", "ClassNotFoundException: org.springframework.boot.loader"),
    ("dependencies-not-copied", "2.7.18", "start", "org/springframework/boot/SpringApplication"),
    ("launcher-in-a-variable", "3.2.12", "start", "ClassNotFoundException: org.springframework.boot.loader"),
)


@pytest.mark.parametrize("case, spring_boot, fails, error", BROKEN, ids=[name for name, *_ in BROKEN])
def test_the_original_fails_as_predicted_and_the_rewrite_answers(
    case: str,
    spring_boot: str,
    fails: str,
    error: str,
    app: Callable[..., Path],
    engine: Engine,
    imgopt: Imgopt,
    tmp_path: Path,
) -> None:
    original, rewritten = tmp_path / "Dockerfile", tmp_path / "Dockerfile.imgopt"
    text = (CASES / case / "before.Dockerfile").read_text()
    original.write_text(text.replace("eclipse-temurin:21-jre-alpine", BASE))
    for path in json.loads((CASES / case / "case.json").read_text())["jars"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(app(spring_boot), tmp_path / path)
    imgopt("rewrite", original, "--output", rewritten)
    stand_in(engine, BASE)

    with pytest.raises(EngineError) as failed:
        engine.build(tmp_path, "before")
        service = engine.start("before")
        try:
            service.wait()
        finally:
            service.container.remove(force=True)
    assert error in str(failed.value)
    assert ("docker build" in str(failed.value)) == (fails == "build")

    engine.build(tmp_path, "after", dockerfile=rewritten.name)
    service = engine.start("after")
    try:
        service.wait()
    finally:
        service.container.remove(force=True)
