"""What the images of kaniko are that are built one after the other in one container."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tools
from boot_jar import boot_jar, library
from builders import Builder
from kaniko_container import EMPTY, LivingContainer, Tree
from start_forms import FORMS
from test_rewrites_run import rewrite

#: Two lines with other libraries.
LINES = {"orders": "3.2.12", "billing": "4.0.9"}


def libraries(tree: Tree) -> set[str]:
    return {path.rpartition("/")[2] for path in tree if path.endswith(".jar")}


@pytest.fixture(scope="module")
def modules(app: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two modules, each rewritten by `imgopt rewrite`."""
    repository = tmp_path_factory.mktemp("shop")
    (repository / ".git").mkdir()
    for name, line in LINES.items():
        (repository / name / "target").mkdir(parents=True)
        shutil.copy(app(line), repository / name / "target" / "app.jar")
        (repository / name / "Dockerfile").write_text("FROM eclipse-temurin:17-jdk\n" + FORMS[0].dockerfile)
        rewrite(repository / name)
    return repository


REWRITE = "--dockerfile=Dockerfile.imgopt"


def test_two_rewritten_modules_are_as_in_containers_of_their_own(
    modules: Path, kaniko: Builder, tmp_path: Path
) -> None:
    for base in ("eclipse-temurin:17-jdk", "eclipse-temurin:17-jre-alpine"):
        kaniko.provide(base)
    _, second = LivingContainer(tmp_path / "one", modules, kaniko).run(
        ("orders", REWRITE), ("billing", REWRITE)
    )
    (alone,) = LivingContainer(tmp_path / "two", modules, kaniko).run(("billing", REWRITE))
    assert libraries(second) == libraries(alone)
    assert second == alone


@pytest.fixture(autouse=True)
def executor() -> None:
    if os.geteuid() or (reason := tools.missing()):
        pytest.skip("kaniko needs root" if os.geteuid() else reason)


def small(projects: Path, name: str, dockerfile: str, *files: str) -> None:
    (projects / name / "files").mkdir(parents=True)
    (projects / name / "Dockerfile").write_text(dockerfile)
    for file in files:
        (projects / name / "files" / file).write_text(f"{name}\n")


def names(tree: Tree) -> set[str]:
    return {path.removeprefix("app/") for path in tree if path.startswith("app/")}


HANDED_ON = {
    "a directory": ("/build/files/", True),
    "a directory without a slash": ("/build/files", True),
    "a pattern": ("/build/files/*.jar", True),
    "files by name": ("/build/files/common.jar", False),
}


@pytest.mark.parametrize("kind", HANDED_ON)
def test_what_a_stage_of_the_authors_own_hands_on(tmp_path: Path, kind: str) -> None:
    source, mixes = HANDED_ON[kind]
    text = f"FROM scratch AS builder\nCOPY files/ /build/files/\nFROM scratch\nCOPY --from=builder {source} /app/\n"
    projects = tmp_path / "projects"
    small(projects, "orders", text, "common.jar", "orders.jar")
    small(projects, "billing", text, "common.jar", "billing.jar")
    _, second = LivingContainer(tmp_path / "one", projects).run("orders", "billing")
    _, emptied = LivingContainer(tmp_path / "two", projects).run("orders", EMPTY, "billing")
    (alone,) = LivingContainer(tmp_path / "three", projects).run("billing")
    assert ("orders.jar" in names(second)) is mixes
    assert emptied == alone
    assert (second == alone) is not mixes


def test_a_dockerfile_of_one_stage_mixes_nothing(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    for name in ("orders", "billing"):
        small(projects, name, "FROM scratch\nCOPY files/ /app/\n", f"{name}.jar")
    _, second = LivingContainer(tmp_path / "one", projects).run("orders", "billing")
    (alone,) = LivingContainer(tmp_path / "two", projects).run("billing")
    assert second == alone


OWN = """\
FROM scratch AS extract
ARG MODULE=orders
WORKDIR /extract/root/${MODULE}
COPY files/ out/
FROM scratch
ARG MODULE=orders
COPY --from=extract /extract/root/${MODULE}/out/ /app/
"""


def test_modules_that_an_argument_tells_apart_mix_nothing(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    small(projects, "orders", OWN, "orders.jar")
    small(projects, "services/billing", OWN, "billing.jar")
    argument = "--build-arg=MODULE=services/billing"
    first, second = LivingContainer(tmp_path / "one", projects).run("orders", ("services/billing", argument))
    assert names(first) == {"orders.jar"}
    assert names(second) == {"billing.jar"}


def test_two_versions_of_one_module_mix_unless_the_container_is_emptied(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    small(projects, "old", OWN, "spring-core-6.1.2.jar")
    small(projects, "new", OWN, "spring-core-6.1.3.jar")
    _, second = LivingContainer(tmp_path / "one", projects).run("old", "new")
    assert names(second) == {"spring-core-6.1.2.jar", "spring-core-6.1.3.jar"}
    _, emptied = LivingContainer(tmp_path / "two", projects).run("old", EMPTY, "new")
    assert names(emptied) == {"spring-core-6.1.3.jar"}


def without_java(text: str) -> str:
    """A rewrite with its very paths, for images of nothing: the trees that its RUN would make come with the context."""
    text = re.sub(r"(?m)^FROM \S+", "FROM scratch", text)
    text = re.sub(r"(?ms)^RUN .*?[^\\]\n", "COPY tree/ ./\n", text)
    return re.sub(r"(?m)^COPY target/app.jar app.jar\n", "", text)


@pytest.mark.parametrize("mixes", [False, True], ids=["as it is", "with one path for all modules"])
def test_the_paths_of_two_rewrites(tmp_path: Path, mixes: bool) -> None:
    """What mixed when all modules had the path /extract, and does not any more."""
    projects = tmp_path / "shop"
    (projects / ".git").mkdir(parents=True)
    for name in ("orders", "billing"):
        home = projects / name
        boot_jar(home / "target" / "app.jar", libraries={"big-1.0.jar": library(size=1_200_000)})
        (home / "Dockerfile").write_text("FROM eclipse-temurin:17-jdk\n" + FORMS[0].dockerfile)
        rewrite(home)
        text = without_java((home / "Dockerfile.imgopt").read_text())
        assert text.count("FROM scratch") == 2
        assert "RUN" not in text
        (home / "Dockerfile").write_text(text.replace(f"/extract/{name}", "/extract") if mixes else text)
        for layer in ("dependencies", "spring-boot-loader", "snapshot-dependencies", "application"):
            file = home / "tree" / "out" / layer / "application" / layer / f"{name}.jar"
            file.parent.mkdir(parents=True)
            file.write_text(name)
        (home / "tree" / "app.jar").write_text(name)
    _, second = LivingContainer(tmp_path / "one", projects).run("orders", "billing")
    (alone,) = LivingContainer(tmp_path / "two", projects).run("billing")
    foreign = {path for path in second if path.endswith("orders.jar")}
    assert len(foreign) == (3 if mixes else 0)
    assert (second == alone) is not mixes
