"""What the action and the templates install: this repository at a commit, with releases whose hashes stand in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "ci" / "constraints.txt"


def install(checkout: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        ["sh", checkout / "ci" / "install.sh", target], env=environment, capture_output=True, text=True
    )


def pins() -> list[tuple[Requirement, list[str]]]:
    """Each release of the file with its hashes."""
    text = CONSTRAINTS.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = []
    for line in lines:
        words, *hashes = line.split("--hash=")
        found.append((Requirement(words.strip()), [each.strip() for each in hashes]))
    return found


def test_every_release_is_pinned_with_its_hashes() -> None:
    assert len(pins()) > 20
    for pin, hashes in pins():
        assert [each.operator for each in pin.specifier] == ["=="], pin
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), pin


def test_the_file_is_that_of_pyproject() -> None:
    """A dependency that is added or raised there asks for `make constraints`."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*document["project"]["dependencies"], *document["build-system"]["requires"]]
    for text in wanted:
        requirement = Requirement(text)
        versions = [
            next(iter(pin.specifier)).version
            for pin, _ in pins()
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
        ]
        assert versions, f"{requirement}: run make constraints"
        assert all(requirement.specifier.contains(each) for each in versions), (
            f"{requirement}: make constraints"
        )


def test_what_is_installed_is_what_the_file_says_and_nothing_else(tmp_path: Path) -> None:
    done = install(ROOT, tmp_path / "a place" / "imgopt")
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "a place" / "imgopt" / "bin"
    listed = subprocess.run(
        [program / "python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {canonicalize_name(name): version for name, _, version in
             (line.partition("==") for line in listed.split())}  # fmt: skip
    for own in ("pip", "setuptools", "imgopt-docker"):
        found.pop(own, None)
    assert found == {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin, _ in pins()
        if pin.marker is None or pin.marker.evaluate()
    }
    said = subprocess.run([program / "imgopt", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("imgopt ")


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "ci", checkout / "ci")
    text = CONSTRAINTS.read_text()
    at = text.index("idna==")
    changed = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, text[at : at + 400])
    (checkout / "ci" / "constraints.txt").write_text(text[:at] + changed + text[at + 400 :])
    done = install(checkout, tmp_path / "venv")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "venv" / "bin" / "imgopt").exists()


# what the templates name

TEMPLATES = [
    ROOT / "action.yml",
    *(path for path in sorted((ROOT / "ci").rglob("*")) if path.is_file() and path != CONSTRAINTS),
]


def test_no_template_or_document_installs_a_name_that_others_may_have() -> None:
    """`imgopt` on PyPI is another project's, and `imgopt-docker` is nobody's, so anybody's."""
    for path in [*TEMPLATES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for line in path.read_text().splitlines():
            named = re.sub(r"\bgit\+\S+", "", line)  # by its address it is this repository
            assert not re.search(r"\b(pip|pipx|uv|uvx)\b[^\n]*\binstall\b[^\n]*\bimgopt", named), (path, line)
            assert not re.search(r"IMGOPT_PACKAGE", line), (path, line)


def images(path: Path) -> set[str]:
    """The images that a template names: of a pod, a job, a stage."""
    text = path.read_text()
    stages = set(re.findall(r"(?im)^FROM .* AS (\S+)$", text)) if path.name == "Dockerfile" else set()
    found = re.findall(r"(?m)^\s*(?:-\s+)?(?:image|name):\s+([\w.-]+[/:]\S+)\s*$", text)
    found += re.findall(r"(?m)^\s*IMGOPT_(?:PYTHON|KANIKO|BUILDAH):\s+(\S+:\S+)", text)
    found += re.findall(r"(?m)^FROM (\S+)", text) if path.name == "Dockerfile" else []
    return set(found) - stages


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_name_images_by_full_version_or_digest(path: Path) -> None:
    for image in images(path):
        tag = image.rpartition(":")[2]
        assert re.search(r"(^|[^\d.])v?\d+\.\d+\.\d+(?![\d.])", tag) or "@sha256:" in image, image


def test_the_images_of_templates_are_found() -> None:
    found = set().union(*map(images, TEMPLATES))
    assert {image.partition(":")[0].rpartition("/")[2] for image in found} == {
        "imgopt",
        "imgopt-buildah",
        "kaniko",
        "maven",
        "python",
    }


# the schemas of those who read them


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("action.yml", ("vendor.github-actions",)),
        ("ci/gitlab.yml", ("vendor.gitlab-ci", "--data-transform", "gitlab-ci")),
    ],
)
def test_templates_fit_their_schemas(path: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema")

    def checked(file: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *arguments, str(file)]
        return subprocess.run(command, capture_output=True).returncode

    # a schema says nothing of jobs that begin with a dot: here they are jobs
    text = (ROOT / path).read_text().replace(".imgopt", "imgopt")
    (tmp_path / Path(path).name).write_text(text)
    assert checked(ROOT / path) == checked(tmp_path / Path(path).name) == 0
    broken = text.replace("using: composite", "using: compost").replace("retry: 2", "retry: often")
    (tmp_path / Path(path).name).write_text(broken)
    assert checked(tmp_path / Path(path).name) == 1


# what the pages show


def shown(page: str, language: str, holding: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return found


def test_the_workflow_of_the_gate_is_one_and_installs_what_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema")
    job = {"runs-on": "ubuntu-24.04", **yaml.safe_load(shown("gate.md", "yaml", "gate: image.tar"))}
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(yaml.safe_dump({"on": "push", "jobs": {"size": job}}))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, workflow], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    (step,) = job["steps"]
    assert re.fullmatch(r"your-org/imgopt@[0-9a-f]{40}", step["uses"])
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert step["with"].keys() <= action["inputs"].keys()


@pytest.mark.parametrize(
    ("page", "language", "holding", "schema"),
    [
        ("guides/github.md", "yaml", "gate: image.tar", ("vendor.github-workflows",)),
        ("guides/gitlab.md", "yaml", "ci/gitlab.yml", ("vendor.gitlab-ci", "--data-transform", "gitlab-ci")),
        ("first-hour.md", "sh", "workflows/image.yml", ("vendor.github-workflows",)),
    ],
)
def test_the_pipelines_of_the_guides_fit_their_schemas(
    page: str, language: str, holding: str, schema: tuple[str, ...], tmp_path: Path
) -> None:
    text = shown(page, language, holding)
    if language == "sh":  # in a here-document
        text = text.partition("'END'\n")[2].partition("\nEND\n")[0]
    (tmp_path / "pipeline.yml").write_text(text)
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        *schema,
        tmp_path / "pipeline.yml",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    for inputs in re.findall(r"uses: your-org/imgopt@.*\n\s+with:\n((?: {10}.*\n?)+)", text):
        assert yaml.safe_load(inputs).keys() <= action["inputs"].keys()


def test_the_gates_stage_of_jenkins_has_steps() -> None:
    """Declarative pipelines know no command outside of `steps`."""
    assert re.match(r"stage\('size'\) \{\s+steps \{\s+sh '", shown("gate.md", "groovy", "stage('size')"))
