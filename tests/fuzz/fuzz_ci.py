"""Fuzzes the readers of CI files, and of the other files that may hold build commands.

    python tests/fuzz/fuzz_ci.py --seconds 3600

The first line names the file. How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import texts

_CI = ("Jenkinsfile", ".gitlab-ci.yml", ".github/workflows/build.yml")
_OTHERS = ("docker-bake.hcl", "docker-bake.json", "docker-compose.yml", "Makefile", "build.sh")
_LINES = (
    *(b"pipeline { agent any", b"stages { stage('a') { steps {", b"sh \"docker build -t r/a:${TAG} .\"", b"}}}}", b"def a = { -> }"),
    *(b"docker.withRegistry('https://r') { docker.build('a').push() }", b"parallel a: { }, b: { }", b"when { branch 'main' }"),
    *(b"build:", b"  script:", b"    - docker buildx build --platform linux/amd64,linux/arm64 --push .", b"  image: a:1", b"  timeout: 1h 30m"),
    *(b"    - &a docker build .", b"    - *a", b"<<: *a", b"on: push", b"jobs:", b"  a:", b"    steps:", b"      - run: |", b"          docker push r/a"),
    *(b"      - uses: docker/build-push-action@v6", b"        with: {context: ., push: true}", b"    strategy: {matrix: {a: [1, 2]}}"),
    *(b"# imgopt: ignore=ci-uncached-build: a", b"// imgopt: ignore-file", b"    - /kaniko/executor --destination r/a --context ."),
    *(b'target "a" { dockerfile = "Dockerfile" platforms = ["linux/${ARCH}"] inherits = ["a"] }', b'variable "ARCH" { default = "amd64" }'),
    *(b'{"target": {"a": {"platforms": ["linux/amd64"]}}}', b"services:", b"  a:", b"    build: {context: ., dockerfile: Dockerfile}"),
    *(b"IMAGE ?= $(shell git rev-parse HEAD)", b"image:", b"\tdocker build -t $(IMAGE) .", b"for a in b c; do docker build $a; done", b"define a", b"endef"),
)  # fmt: skip
_SIGNS = (
    *(b"{", b"}", b"(", b")", b"[", b"]", b"'", b'"', b"'''", b'"""', b"$", b"${", b"$(", b"`", b"\\", b"\\\n", b"\n", b"\t", b": ", b"- "),
    *(b"&a ", b"*a", b"|\n", b">-\n", b"#", b"//", b"/*", b"*/", b"<<E\n", b"!!int ", b"!reference ", b"%", b"@", b"? ", b"\0", b"\xff", b",", b"=", b"->"),
)  # fmt: skip
_NESTED = (
    *((b"{", b"}"), (b"(", b")"), (b"[", b"]"), (b"'''", b"'''"), (b"${", b"}"), (b"$(", b")"), (b"if a; then ", b"; fi")),
    *((b"stage('a') {\n", b"}\n"), (b"- ", b""), (b"a: {", b"}"), (b"&a [*a, ", b"]"), (b"sh '", b"'"), (b"a:\n  ", b"")),
)  # fmt: skip


def seeds() -> Iterator[bytes]:
    for name in (*_CI, *_OTHERS):
        for at in range(0, len(_LINES), 6):
            yield name.encode() + b"\n" + b"\n".join(_LINES[at : at + 12])
    cases = fuzzing.ROOT / "fixtures" / "cases"
    for pattern, name in (("*jenkins*", _CI[0]), ("*gitlab*.yml", _CI[1]), ("*github*.yml", _CI[2])):
        for path in sorted(cases.rglob(pattern))[:10]:
            if path.is_file() and path.stat().st_size < 8000:
                yield name.encode() + b"\n" + path.read_bytes()


def load() -> fuzzing.Target:
    from imgopt.examine import report_on
    from imgopt.options import Options
    from imgopt.report import json
    from imgopt_rules import ALL_RULES, PIPELINE_RULES

    folder = fuzzing.scratch("ci")
    (folder / ".git").mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(
        "FROM eclipse-temurin:21-jre\nCOPY app.jar /app.jar\nCMD java -jar /app.jar\n"
    )

    def check(data: bytes) -> None:
        first, _, content = data.partition(b"\n")
        name = first.decode("utf-8", "replace")
        if name not in (*_CI, *_OTHERS):
            name, content = _CI[len(data) % len(_CI)], data
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            looked_at = str(path) if name in _CI else str(folder / "Dockerfile")
            report = report_on([looked_at], Options(), rules=ALL_RULES, pipeline_rules=PIPELINE_RULES)
        finally:
            path.unlink()
        assert all(error.exit_code == 2 for error in report.errors), report.errors
        json.rendered(json.suggestions(report))

    return fuzzing.Target("ci", check, seeds, texts.mutator(_LINES, _SIGNS, _NESTED), 200_000)


if __name__ == "__main__":
    fuzzing.main(__file__, load)
