"""Fuzzes the readers of CI files, of scripts and Makefiles that push, and of what builds and runs an image besides.

    python tests/fuzz/fuzz_ci.py --seconds 3600

The first line names the file. How it works and where results go: `fuzzing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import fuzzing
import texts

#: Looked at themselves; the others are found beside the Dockerfile.
_CI = (
    *("Jenkinsfile", ".gitlab-ci.yml", ".github/workflows/build.yml"),
    *("push.sh", "Makefile", "vars/release.groovy"),
)
_OTHERS = (
    *("docker-bake.hcl", "docker-bake.json", "docker-compose.yml", "docker-compose.dev.yml"),
    *("k8s/deploy.yaml", "build.sh", "build.mk"),
)
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
    *(b"  b:", b"    image: r/a", b"    extends: {file: docker-compose.yml, service: a}", b"    environment: [A=b, *a]", b"    env_file: [build.sh]"),
    *(b"    command: sh -c 'jcmd 1; exec java -jar /app.jar'", b"    volumes: ['./a:/app.jar']", b"    healthcheck: {test: [CMD, curl, a]}"),
    *(b"kind: Deployment", b"spec: {template: {spec: {containers: [{name: a, image: r/a, command: [java, -jar, $(A)], env: [{name: A, value: b}]}]}}}"),
    *(b"---", b"include: [push.sh, ../a.yml, Makefile]", b"include build.mk", b"a: b", b"\t$(MAKE) -C . push; docker push $(call f,$(a))", b"$(eval $(call a))"),
    *(b"push() { docker push \"r/$1\"; push \"$1$1\"; }", b"for i in {1..99999999}; do push \"$i\"; done", b"a=$(echo $a$a | sed 's/a/b/g')", b"case $a in a*) docker push r/a;; esac"),
    *(b"def call(Map a) { (1..999999).each { sh \"docker push r/${a.b * 99}\" } }", b"a.collectEntries { [(it): it.toString().tokenize('/').last()] }.each { k, v -> sh k }"),
)  # fmt: skip
_SIGNS = (
    *(b"{", b"}", b"(", b")", b"[", b"]", b"'", b'"', b"'''", b'"""', b"$", b"${", b"$(", b"`", b"\\", b"\\\n", b"\n", b"\t", b": ", b"- "),
    *(b"&a ", b"*a", b"|\n", b">-\n", b"#", b"//", b"/*", b"*/", b"<<E\n", b"!!int ", b"!reference ", b"%", b"@", b"? ", b"\0", b"\xff", b",", b"=", b"->"),
)  # fmt: skip
_NESTED = (
    *((b"{", b"}"), (b"(", b")"), (b"[", b"]"), (b"'''", b"'''"), (b"${", b"}"), (b"$(", b")"), (b"if a; then ", b"; fi")),
    *((b"$(foreach a,b c,", b")"), (b"{a,", b"}"), (b"for a in b c; do ", b"; done"), (b"x.each { ", b" }")),
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
        "FROM eclipse-temurin:21-jdk\nCOPY app.jar /app.jar\nCMD java -jar /app.jar\n"
    )
    (folder / "compose.yaml").write_text("services: {a: {build: ., image: r/a}}\n")

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
