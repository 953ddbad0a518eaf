"""CI files from nowhere in particular: an answer or a clear error, in bounded time and memory, whatever they hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgopt.errors import InputError
from imgopt.options import Options
from imgopt.pipelines.model import Pipeline, System
from imgopt.pipelines.recipes import Recipes
from imgopt.pipelines.report import judged, read_pipeline
from imgopt.suggest.result import FileReport
from imgopt_rules import PIPELINE_RULES

GROOVY = """pipeline node agent any docker kubernetes yaml image args stages stage steps script parallel matrix axes axis
name values environment options timeout time unit 'SECONDS' 'MINUTES' true activity lock dir withEnv container podTemplate
containerTemplate sh bat script: returnStdout: def m modules each collectEntries for in if else -> { } ( ) [ ] , ; : = + . \\n
'' 'a' "b" 'a,b' .split(',') ''' \"\"\" $ ${ ${m} ${env.X} $/ / /$ // /* */ # ` \\\\ \\\\\\n docker.build push call branches
'timeout 30 /kaniko/executor --context . --destination r/a:1' "docker push ${m}" '/kaniko/executor -c a -d b' 5 0 99999999999
'buildah bud . && buildah push a' "for m in a b; do docker push $m; done" FF_KANIKO_REPRODUCIBLE_PRESERVE_BASE_LAYERS""".split(
    " "
)
YAML = """on: jobs: push a: b: image: script: before_script: services: timeout: stage: extends: variables: parallel: matrix:
needs: runs-on: ubuntu-latest steps: - run: uses: with: docker/build-push-action@v6 context: push: true strategy: timeout-minutes:
default: &x *x <<: !reference [ ] { } , | > ' " # : ? ~ 1 3h 30m \\n \\n\\n \\n\\40\\40 \\n\\40\\40-\\40 \\n\\40\\40\\40\\40 -
/kaniko/executor --destination r/a:1 docker push a buildah bud . timeout 5 ${{ matrix.a }} $CI_PROJECT_DIR --- ... %YAML""".split(
    " "
)


def text_of(words: list[str]) -> str:
    return " ".join(words).replace("\\n", "\n").replace("\\40", " ")


def nothing(name: str, data: bytes, options: Options) -> FileReport:
    raise InputError("not weighed here")


def looked_at(text: str, system: System, root: Path = Path("/nonexistent")) -> Pipeline:
    recipes = Recipes(root, Options(), Path.read_bytes, nothing)
    pipeline = read_pipeline(
        root / "Jenkinsfile", text.encode("utf-8", "replace"), system, recipes, (500_000,)
    )
    last = text.count("\n") + 1
    for finding in judged(pipeline, PIPELINE_RULES, Options()):
        assert 1 <= finding.line <= finding.end_line <= last
        assert finding.message
    return pipeline


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(GROOVY), max_size=80))
def test_groovy_of_any_kind_is_read(words: list[str]) -> None:
    looked_at(text_of(words), "jenkins")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(YAML), max_size=60), st.sampled_from(["gitlab", "github"]))
def test_yaml_of_any_kind_is_read_or_refused(words: list[str], system: System) -> None:
    try:
        looked_at(text_of(words), system)
    except InputError as error:
        assert str(error).startswith("/nonexistent/Jenkinsfile:")


CASES = Path(__file__).parents[2] / "fixtures" / "ci"
FILES = [
    (folder.parent / json.loads(folder.read_text())["file"], folder)
    for folder in sorted(CASES.glob("*/*/case.json"))
]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FILES), st.data())
def test_a_real_file_with_a_piece_gone_twice_or_moved_is_read(
    file: tuple[Path, Path], data: st.DataObject
) -> None:
    text = file[0].read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    piece = text[start:end]
    at = data.draw(st.integers(0, len(text)))
    changed = data.draw(
        st.sampled_from([text[:start] + text[end:], text[:at] + piece + text[at:], text[:end]])
    )
    system: System = (
        "jenkins" if "Jenkinsfile" in file[0].name else "github" if "workflows" in str(file[0]) else "gitlab"
    )
    try:
        looked_at(changed, system)
    except InputError:
        assert system != "jenkins"


@given(st.lists(st.sampled_from("ab '\"\\$\n{}#"), max_size=40).map("".join))
@settings(max_examples=100, deadline=None)
def test_a_triple_quoted_script_is_what_groovy_makes_of_it(text: str) -> None:
    """Against the rules of the language, written once more and simply."""
    from imgopt.pipelines.tokens import tokens

    if "'''" in text or text.endswith(("'", "\\")) or text.startswith("'"):
        return
    expected, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            following = text[at + 1]
            expected.append({"n": "\n", "\n": "", "b": "\b"}.get(following, following))
            at += 2
        elif text.startswith("'''", at):
            return
        else:
            expected.append(text[at])
            at += 1
    (token,) = tokens(f"'''{text}'''")
    assert token.text == "".join(expected)
    for offset, line in token.breaks:
        assert 1 <= line <= 1 + text.count("\n")
        assert 0 <= offset <= len(token.text)


MEGABYTE = 399_000
KANIKO = "/kaniko/executor --context . --destination r/a:1"
BOMB = "a: &a0 [x, x]\n" + "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
HOSTILE: dict[str, tuple[System, str]] = {
    "braces": ("jenkins", "{" * MEGABYTE),
    "closing braces": ("jenkins", "}" * MEGABYTE),
    "parentheses": ("jenkins", "sh(" * (MEGABYTE // 3)),
    "blocks in one statement": ("jenkins", "a{}" * (MEGABYTE // 3)),
    "branches in branches": ("jenkins", "parallel a: {" * (MEGABYTE // 13)),
    "interpolations that never close": ("jenkins", '"' + "${" * (MEGABYTE // 2)),
    "strings that never close": ("jenkins", "\\'" * (MEGABYTE // 2)),
    "slashes": ("jenkins", "(/ " * (MEGABYTE // 3)),
    "assignments in one statement": ("jenkins", "a=" * (MEGABYTE // 2)),
    "many variables": ("jenkins", "".join(f"def a{n} = 'x'\n" for n in range(20_000))),
    "values that double": (
        "jenkins",
        "def a0 = 'xxxxxxxxxx'\n" + "".join(f'def a{n + 1} = "${{a{n}}}${{a{n}}}"\n' for n in range(200)),
    ),
    "loops in loops": (
        "jenkins",
        "['a','b','c','d','e','f','g','h'].each { x ->\n" * 30 + f"sh '{KANIKO}'\n" + "}" * 30,
    ),
    "methods that call each other": (
        "jenkins",
        "def a(x) { b(x); b(x) }\ndef b(x) { a(x); a(x) }\nnode { a('1') }\n",
    ),
    "a method that pushes, called often": (
        "jenkins",
        f"def a(x) {{ timeout(1) {{ sh '{KANIKO}' }} }}\nnode {{\n"
        + "parallel x: { a('1') }\n" * 15_000
        + "}",
    ),
    "a script of many commands": ("jenkins", f"sh '''\n{(KANIKO + chr(10)) * 4_000}'''"),
    "many branches": (
        "jenkins",
        "parallel(\n" + ",\n".join(f"b{n}: {{ sh '{KANIKO}' }}" for n in range(5_000)) + ")",
    ),
    "nested timeouts": ("jenkins", "timeout(1) {" * 50 + f"sh '{KANIKO}'\n" * 5_000 + "}" * 50),
    "shell that doubles": ("jenkins", "sh '''\na=xxxxxxxx\n" + "a=$a$a\n" * 20_000 + "'''"),
    "silences": ("jenkins", ("// imgopt: ignore=" + "a " * 140 + "!\n") * 1_000 + f"sh '{KANIKO}'\n" * 1_000),
    "lists in lists": ("gitlab", "a: " + "[" * MEGABYTE),
    "aliases that double": ("gitlab", BOMB + "job: {script: *a29}\n"),
    "an anchor in itself": ("gitlab", "job: &a {script: &b [x, *b], extends: job, <<: *a}\n"),
    "jobs that extend each other": (
        "gitlab",
        "".join(f"j{n}: {{extends: [j{n + 1}, j{n + 2}], script: [{KANIKO}]}}\n" for n in range(4_000)),
    ),
    "one script for many jobs": (
        "gitlab",
        "x: &s\n" + f"  - {KANIKO}\n" * 3_500 + "".join(f"j{n}: {{script: *s}}\n" for n in range(8_000)),
    ),
    "a matrix of matrices": (
        "gitlab",
        "j:\n  script: ["
        + KANIKO
        + "]\n  parallel:\n    matrix:\n"
        + "      - {"
        + ", ".join(f"V{n}: [1, 2, 3, 4, 5, 6, 7, 8, 9]" for n in range(50))
        + "}\n",
    ),
    "many keys": ("gitlab", "".join(f"k{n}: {{a: 1}}\n" for n in range(25_000))),
    "many steps": (
        "github",
        "jobs:\n"
        + "".join(
            f"  j{n}:\n    strategy: {{matrix: {{a: [1,2,3,4,5,6,7,8,9], b: [1,2,3,4,5,6,7,8,9]}}}}\n"
            f"    steps:\n" + f"      - run: {KANIKO}\n" * 20
            for n in range(250)
        ),
    ),
    "needs in a circle": (
        "github",
        "jobs:\n"
        + "".join(
            f"  j{n}: {{needs: [j{(n + 1) % 3000}], steps: [{{run: {KANIKO}}}]}}\n" for n in range(3_000)
        ),
    ),
}
RUN = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
import test_ci_properties as t
from imgopt.errors import InputError
for name, (system, text) in t.HOSTILE.items():
    started = time.process_time()
    try:
        t.looked_at(text[:400_000], system)
    except InputError:
        pass
    print(f"{name}\\t{time.process_time() - started}", flush=True)
"""


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """Seconds of processor time for each hostile file, in a process with little memory; what is missing was not
    reached."""
    path = [str(Path(__file__).parent), *sys.path]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{RUN}"]
    run = subprocess.run(command, capture_output=True)  # it ends: its processor time is limited
    rows = [line.split("\t") for line in run.stdout.decode().splitlines()]
    if len(rows) < len(HOSTILE):
        print(f"exit code {run.returncode}", run.stderr.decode(errors="replace")[-2000:])
    return {name: float(took) for name, took in rows}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_bounded_time_and_memory(name: str, seconds: dict[str, float]) -> None:
    assert seconds[name] < 20


def test_the_hostile_files_are_read_and_not_refused_for_their_size() -> None:
    assert [name for name, (_, text) in HOSTILE.items() if len(text) > 400_000] == []
