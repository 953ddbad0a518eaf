"""`imgopt suggest` on CI files through the command line: which files it takes, what it prints, how it fails."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest
from boot_jar import boot_jar

from imgopt.cli import main

SCHEMA = json.loads((Path(__file__).parents[1] / "report" / "suggest.schema.json").read_text())
DOCKERFILE = 'FROM eclipse-temurin:17-jdk\nCOPY app.jar /app.jar\nENTRYPOINT ["java", "-jar", "/app.jar"]\n'
JENKINSFILE = "node { sh 'timeout 60 /kaniko/executor --context . --destination registry.example/app:1' }\n"
GITLAB = "docker-image:\n  script:\n    - /kaniko/executor --context . --destination registry.example/app:1\n"
WORKFLOW = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker push x\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "Dockerfile": DOCKERFILE,
        "Jenkinsfile": JENKINSFILE,
        ".gitlab-ci.yml": GITLAB,
        ".github/workflows/image.yml": WORKFLOW,
        ".github/workflows/test.yaml": "on: push\njobs: {t: {runs-on: ubuntu-latest, steps: [{run: make test}]}}\n",
        "deploy/values.yml": "a: 1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    boot_jar(tmp_path / "app.jar")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def suggested(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = main(["suggest", "--format", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    return code, document


def paths(document: dict[str, object]) -> list[str]:
    files = document["files"]
    assert isinstance(files, list)
    return [file["path"] for file in files]


def test_a_directory_gives_its_dockerfiles_first_and_then_the_ci_files_that_build_or_push(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = suggested(capsys, ".")
    assert code == 0
    assert paths(document) == ["Dockerfile", ".github/workflows/image.yml", ".gitlab-ci.yml", "Jenkinsfile"]


def test_the_dockerfiles_report_does_not_depend_on_ci_files(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, together = suggested(capsys, ".")
    for name in ("Jenkinsfile", ".gitlab-ci.yml", ".github/workflows/image.yml"):
        (repository / name).unlink()
    _, alone = suggested(capsys, ".")
    assert together["files"][0] == alone["files"][0]  # type: ignore[index]


def test_a_broken_ci_file_in_a_directory_does_not_spoil_the_answer_but_named_it_is_an_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / ".gitlab-ci.yml").write_text("a: [1\nb: 2\n")
    code, document = suggested(capsys, ".")
    assert (code, document["errors"]) == (0, [])
    assert main(["suggest", ".gitlab-ci.yml"]) == 2
    assert capsys.readouterr().err.startswith("error: .gitlab-ci.yml:2: is not YAML: ")


def test_a_directory_with_nothing_but_a_pipeline_is_looked_at(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "Dockerfile").unlink()
    assert suggested(capsys, ".")[0] == 0
    for name in ("Jenkinsfile", ".gitlab-ci.yml", ".github/workflows/image.yml"):
        (repository / name).unlink()
    assert main(["suggest", "."]) == 2
    assert "no Dockerfile in this directory" in capsys.readouterr().err


def test_a_named_file_is_known_by_its_content_where_its_name_says_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "ci.yml").write_text(WORKFLOW)
    (repository / "build.yaml").write_text(GITLAB)
    (repository / "step.groovy").write_text(f"def call() {{ {JENKINSFILE} }}")
    _, document = suggested(capsys, "ci.yml", "build.yaml", "step.groovy")
    files = document["files"]
    assert isinstance(files, list)
    assert {file["path"]: file["pipeline"]["system"] for file in files} == {
        "ci.yml": "GitHub Actions",
        "build.yaml": "GitLab CI",
        "step.groovy": "Jenkins",
    }


def test_the_json_says_what_each_push_sends(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, document = suggested(capsys, "Jenkinsfile")
    (push,) = document["files"][0]["pipeline"]["pushes"]  # type: ignore[index]
    assert (push["tool"], push["dockerfile"], push["timeout_s"], push["at_once"]) == (
        "kaniko",
        "Dockerfile",
        60,
        0,
    )
    size = push["first_push_bytes"]
    assert size["before"] > size["after"] > 0
    assert size["complete"] is True

    (repository / "app.jar").unlink()
    _, document = suggested(capsys, "Jenkinsfile")
    (push,) = document["files"][0]["pipeline"]["pushes"]  # type: ignore[index]
    assert push["first_push_bytes"]["complete"] is False
    assert push["first_push_bytes"]["before"] == push["first_push_bytes"]["after"]


def test_the_text_and_the_markdown_name_the_timeout_that_would_do(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suggest", "Jenkinsfile"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(
        "Jenkinsfile Jenkins 1 push with kaniko, of Dockerfile A release: 1 image, at 0.5 and 1 MB/s first push "
    )
    assert " medium push-timeout Jenkinsfile:1 timeout 60 ends the push" in text
    assert "exit code 143" in text
    _, document = suggested(capsys, "Jenkinsfile")
    size = document["files"][0]["pipeline"]["pushes"][0]["first_push_bytes"]  # type: ignore[index]
    now, after = (60 * math.ceil(size[when] / 500_000 * 1.25 / 60) for when in ("before", "after"))
    assert now > after > 60
    assert f"timeout {now} would do for a first push now, timeout {after} after the rewrite" in text
    assert main(["suggest", "--format", "markdown", "Jenkinsfile"]) == 0
    assert "**push-timeout** (medium), line 1: timeout 60 ends the push of Dockerfile too early" in (
        capsys.readouterr().out
    )


def test_a_faster_link_needs_no_other_timeout(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, document = suggested(capsys, "--bandwidth", "10MB/s", "--select", "push-timeout", "Jenkinsfile")
    assert document["files"][0]["findings"] == []  # type: ignore[index]


def test_rules_are_chosen_ignored_and_fail(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found(*arguments: str) -> set[str]:
        _, document = suggested(capsys, *arguments, "Jenkinsfile")
        return {each["rule"] for each in document["files"][0]["findings"]}  # type: ignore[index]

    assert found() == {"push-timeout", "kaniko-timestamps", "push-without-retry"}
    assert found("--select", "push-timeout,jdk-runtime") == {"push-timeout"}
    assert found("--ignore", "push-timeout") == {"kaniko-timestamps", "push-without-retry"}
    assert main(["suggest", "--fail-on", "medium", "Jenkinsfile"]) == 1
    assert (
        main(["suggest", "--fail-on", "medium", "--ignore", "kaniko-timestamps,push-timeout", "Jenkinsfile"])
        == 0
    )


def test_ignore_file_skips_it(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "Jenkinsfile").write_text(f"// imgopt: ignore-file: being replaced\n{JENKINSFILE}")
    _, document = suggested(capsys, "Jenkinsfile")
    (file,) = document["files"]  # type: ignore[misc]
    assert (file["findings"], file["skipped"]) == ([], "being replaced")


def test_rewrite_leaves_ci_files_alone(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rewrite", "--check", "."]) == 1
    assert capsys.readouterr().out.splitlines() == ["Dockerfile would change: jdk-runtime, fat-jar-layer"]
    assert main(["rewrite", "--diff", "Jenkinsfile"]) == 2
    assert "is a CI file, which imgopt does not rewrite" in capsys.readouterr().err


def test_a_dockerfile_outside_the_repository_is_not_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = repository.parent / "outside.Dockerfile"
    outside.write_text(DOCKERFILE)
    (repository / "link").symlink_to(outside)
    for name in ("../outside.Dockerfile", str(outside), "link", "/dev/zero", "deploy"):
        (repository / "Jenkinsfile").write_text(
            f"node {{ sh 'timeout 9 /kaniko/executor --dockerfile {name} --destination r/a:1' }}\n"
        )
        _, document = suggested(capsys, "Jenkinsfile")
        (push,) = document["files"][0]["pipeline"]["pushes"]  # type: ignore[index]
        assert push["dockerfile"] is None, name
        assert push["unknown"], name


def test_no_credentials_are_printed(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / ".gitlab-ci.yml").write_text(
        "i:\n  image: quay.io/buildah/stable\n  timeout: 1 minute\n  script:\n"
        "    - docker login -u u -p hunter2 registry.example\n"
        "    - buildah bud -t app . && timeout 9 buildah push --creds=u:hunter2 app docker://registry.example/a:1\n"
    )
    for form in ("text", "json", "markdown"):
        main(["suggest", "-v", "--format", form, ".gitlab-ci.yml"])
        shown = capsys.readouterr()
        if form == "json":
            document = json.loads(shown.out)
            document["files"][0]["rewrite"]["text"] = ""  # the file as it stands
            shown = shown._replace(out=json.dumps(document))
        assert "hunter2" not in shown.out + shown.err


@pytest.mark.parametrize("rule", ["push-timeout", "fresh-agent-push"])
def test_explain_knows_the_rules(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", rule]) == 0
    assert "Why it costs" in capsys.readouterr().out
    assert main(["rules"]) == 0
    assert rule in capsys.readouterr().out


def test_yaml_that_is_no_pipeline_is_none(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suggest", "deploy/values.yml"]) == 2
    assert "deploy/values.yml:1: " in capsys.readouterr().err
