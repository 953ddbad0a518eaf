"""Small forms of Jenkinsfiles, as people write them: which Dockerfiles their pushes are of, or what is said instead.

Each body stands in a declarative pipeline's script, or is a whole file where it has its own. `@X` in it is a kaniko command
of the Dockerfile in the directory X.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from imgopt.cli import main

PIPELINE = """pipeline {{
  agent any
{top}
  stages {{ stage('images') {{ steps {{ script {{
{body}
  }} }} }} }}
}}
"""


class Form(NamedTuple):
    body: str
    pushes: str  # the directories of the Dockerfiles, in the order of the pushes; ? is one that is not known
    says: str = ""  # in a warning
    top: str = ""  # sections of the pipeline
    at_once: int = 0  # how many others run beside the first
    before: str = ""  # in front of the pipeline


FORMS = {
    "list": Form("['a', 'b'].each { m -> sh \"@${m}\" }", "a b"),
    "it": Form("['a', 'b'].each { sh \"@${it}\" }", "a b"),
    "list of maps": Form(
        "[[name: 'x', path: 'a'], [name: 'y', path: 'b']].each { sh \"@${it.path}\" }", "a b"
    ),
    "list of lists": Form("def l = [['x', 'a'], ['y', 'b']]\nl.each { m -> sh \"@${m[1]}\" }", "a b"),
    "list of lists, spread": Form("[['x', 'a'], ['y', 'b']].each { name, path -> sh \"@${path}\" }", "a b"),
    "map": Form("[x: 'a', y: 'b'].each { k, v -> sh \"@${v}\" }", "a b"),
    "entries of a map": Form("def m = [x: 'a', y: 'b']\nfor (e in m) { sh \"@${e.value}\" }", "a b"),
    "key set": Form('def m = [a: 1, b: 2]\nm.keySet().each { sh "@$it" }', "a b"),
    "keys as a list": Form('def m = [a: 1, b: 2]\nfor (k in m.keySet() as List) { sh "@${k}" }', "a b"),
    "map of maps": Form("def m = [x: [dir: 'a'], y: [dir: 'b']]\nm.each { n, c -> sh \"@${c.dir}\" }", "a b"),
    "map by key": Form("def m = [x: 'a', y: 'b']\n['x', 'y'].each { sh \"@${m[it]}\" }", "a b"),
    "get of a map": Form(
        "def m = [x: 'a']\nsh \"@${m.get('x')}\"\nsh \"@${m['x']}\"\nsh \"@${m.x}\"", "a a a"
    ),
    "get of a list": Form(
        'def l = [\'a\', \'b\']\nsh "@${l.get(1)}"\nsh "@${l[0]}"\nsh "@${l.last()}"', "b a b"
    ),
    "counted": Form("def l = ['a', 'b']\nfor (int i = 0; i < l.size(); i++) { sh \"@${l[i]}\" }", "a b"),
    "counted, length": Form(
        "String[] l = 'a,b'.split(',')\nfor (i = 0; i < l.length; i++) { sh \"@${l[i]}\" }", "a b"
    ),
    "counted, the other way round": Form(
        "def l = ['a', 'b']\nfor (int i = 0; l.size() > i; i++) { sh \"@${l[i]}\" }", "a b"
    ),
    "directory with a name": Form("dir(path: './a') { sh '@.' }", "a"),
    "typed loop": Form("for (String m : ['a', 'b']) { sh \"@${m}\" }", "a b"),
    "with an index": Form("['a', 'b'].eachWithIndex { m, i -> sh \"@${m}\" }", "a b"),
    "times": Form("def l = ['a', 'b']\n2.times { sh \"@${l[it]}\" }", "a b"),
    "range": Form("def l = ['a', 'b']\n(0..1).each { sh \"@${l[it]}\" }", "a b"),
    "split": Form("'a,b'.split(',').each { sh \"@${it}\" }", "a b"),
    "split with blanks": Form("def s = 'a , b'\ns.split(/\\s*,\\s*/).each { sh \"@${it}\" }", "a b"),
    "tokenize": Form("'a b'.tokenize().each { sh \"@${it}\" }", "a b"),
    "split and trim": Form("'a, b'.split(',').collect { it.trim() }.each { sh \"@${it}\" }", "a b"),
    "spread": Form("'a, b'.split(',')*.trim().each { sh \"@${it}\" }", "a b"),
    "lines": Form("'''a\nb'''.readLines().each { sh \"@${it}\" }", "a b"),
    "pairs in a text": Form(
        "'x:a,y:b'.split(',').each { p -> def (n, d) = p.split(':')\nsh \"@${d}\" }", "a b"
    ),
    "environment": Form(
        "env.MODULES.split(',').each { sh \"@${it}\" }", "a b", top="environment { MODULES = 'a,b' }"
    ),
    "env set by a script": Form("env.DIR = 'a'\nsh '@${DIR}'\nsh \"@${env.DIR}\"", "a a"),
    "a text of names": Form("def base = 'a'\ndef path = \"${base}\" + ''\nsh \"@\" + path", "a"),
    "command added up": Form("def c = '@'\nc += 'a'\nsh c", "a"),
    "command with an option": Form("def c = '@a'\nsh(script: c, label: 'x')", "a"),
    "three quotes": Form('def m = \'b\'\nsh """\n  echo ${m}\n  @${m}\n""".stripIndent()', "b"),
    "ternary, known": Form("def p = 1 > 0 ? 'a' : 'b'\nsh \"@${p}\"", "a"),
    "default of a map's key": Form("def c = [:]\nsh \"@${c.path ?: 'b'}\"", "b"),
    "default of a variable": Form("def p = env.MODULE_DIR ?: 'a'\nsh \"@${p}\"", "a"),
    "filter, known": Form(
        "[[p: 'a', on: true], [p: 'b', on: false]].findAll { it.on }.each { sh \"@${it.p}\" }", "a"
    ),
    "filter by a parameter": Form(
        "['a', 'b'].findAll { params.M == 'all' || it == params.M }.each { sh \"@${it}\" }", "a b"
    ),
    "find": Form("def m = [[n: 'x', p: 'a'], [n: 'y', p: 'b']].find { it.n == 'y' }\nsh \"@${m.p}\"", "b"),
    "collect": Form("['a', 'b'].collect { [dir: it] }.each { sh \"@${it.dir}\" }", "a b"),
    "filled list": Form("def l = []\nl << 'a'\nl.add('b')\nl += 'c'\nl.each { sh \"@${it}\" }", "a b c"),
    "filled in a loop": Form(
        "def l = []\nfor (x in ['a', 'b']) { l.add([p: x]) }\nl.each { sh \"@${it.p}\" }", "a b"
    ),
    "sum of lists": Form("(['a'] + ['b']).each { sh \"@${it}\" }", "a b"),
    "less of a list": Form("def l = ['a', 'b', 'c'] - ['b']\nl.each { sh \"@${it}\" }", "a c"),
    "sorted once": Form("['b', 'a', 'b'].unique().sort().each { sh \"@${it}\" }", "a b"),
    "parameter's default": Form(
        "params.MODULES.split(',').each { sh \"@${it}\" }",
        "a b",
        top="parameters { string(name: 'MODULES', defaultValue: 'a,b') }",
    ),
    "parameter in a shell": Form(
        "sh '@${DIR}'", "a", top="parameters { string(name: 'DIR', defaultValue: 'a') }"
    ),
    "choice: one of them": Form(
        'sh "@${params.M}"', "a b", top="parameters { choice(name: 'M', choices: ['a', 'b']) }"
    ),
    "choice of a text": Form(
        'sh "@${params.M}"', "a b", top="parameters { choice(name: 'M', choices: 'a\\nb') }"
    ),
    "choice that is only a tag": Form(
        'sh "@a --build-arg E=${params.E}"',
        "a",
        top="parameters { choice(name: 'E', choices: ['dev', 'prod']) }",
    ),
    "directory of a choice": Form(
        "dir(params.M) { sh '@.' }", "a b", top="parameters { choice(name: 'M', choices: ['a', 'b']) }"
    ),
    "all or one": Form(
        "def l = params.M == 'all' ? ['a', 'b'] : [params.M]\nl.each { sh \"@${it}\" }",
        "a b",
        top="parameters { choice(name: 'M', choices: ['all', 'a', 'b']) }",
    ),
    "map of choices": Form(
        "def dirs = [x: ['a'], all: ['a', 'b']]\ndirs[params.M].each { sh \"@${it}\" }",
        "a b",
        top="parameters { choice(name: 'M', choices: ['x', 'all']) }",
    ),
    "the larger arm": Form(
        "def l\nif (params.FULL) { l = ['a', 'b', 'c'] } else { l = ['a'] }\nl.each { sh \"@${it}\" }",
        "a b c",
    ),
    "the arm that runs": Form("def l = ['a']\nif (l.size() > 1) { sh '@b' } else { sh '@a' }", "a"),
    "if without braces": Form("def d = 'a'\nif (d == 'a') d = 'b'\nsh \"@${d}\"", "b"),
    "one of two texts": Form("def d = params.SLIM ? 'a' : 'b'\nsh \"@${d}\"", "a b"),
    "switch": Form(
        "def l = []\nswitch (params.W) {\n case 'one': l = ['a']; break\n default: l = ['a', 'b']\n}\nl.each { sh \"@${it}\" }",
        "a b",
    ),
    "method": Form("push('a')\npush 'b'", "a b", before='def push(String m) { sh "@${m}" }\n'),
    "method with names": Form(
        "push(dir: 'a')\npush dir: 'b'", "a b", before='def push(Map c) { sh "@${c.dir}" }\n'
    ),
    "method with a default": Form("push()", "b", before="def push(m = 'b') { sh \"@${m}\" }\n"),
    "method that gives a list": Form(
        'modules().each { sh "@${it}" }', "a b", before="def modules() { ['a', 'b'] }\n"
    ),
    "method that returns early": Form(
        'modules(false).each { sh "@${it}" }',
        "b",
        before="def modules(all) {\n  if (all) return ['a']\n  return ['b']\n}\n",
    ),
    "method of a method": Form(
        "outer()",
        "a b",
        before="def outer() { inner(['a', 'b']) }\ndef inner(l) { l.each { one(it) } }\ndef one(m) { sh \"@$m\" }\n",
    ),
    "method that gives a command": Form(
        "sh command('a')", "a", before='String command(m) { return "@${m}" }\n'
    ),
    "closure with a name": Form("def push = { m -> sh \"@${m}\" }\npush('a')\npush.call('b')", "a b"),
    "method as a closure": Form("['a', 'b'].each(this.&push)", "a b", before='def push(m) { sh "@${m}" }\n'),
    "field": Form(
        'DIRS.each { sh "@${it}" }', "a b", before="@groovy.transform.Field\ndef DIRS = ['a', 'b']\n"
    ),
    "constant of a type": Form(
        'DIRS.each { sh "@${it.d}" }',
        "a b",
        before="final List<Map<String, String>> DIRS = [[d: 'a'], [d: 'b']]\n",
    ),
    "with env": Form("withEnv([\"D=${'a'}\"]) { sh '@$D' }", "a"),
    "directory": Form("dir(\"${WORKSPACE}/a\") { sh '@.' }", "a"),
    "map for parallel": Form(
        "def t = [:]\n['a', 'b'].each { m -> t[m] = { sh \"@${m}\" } }\nparallel t", "a b", at_once=1
    ),
    "map for parallel, counted": Form(
        "def l = ['a', 'b']\ndef t = [:]\nfor (int i = 0; i < l.size(); i++) { def m = l[i]\nt[\"x ${m}\"] = { sh \"@${m}\" } }\nparallel(t)",
        "a b",
        at_once=1,
    ),
    "parallel with names": Form("parallel a: { sh '@a' }, b: { sh '@b' }", "a b", at_once=1),
    "parallel of entries": Form(
        "parallel(['a', 'b'].collectEntries { m -> [(m): { sh \"@${m}\" }] })", "a b", at_once=1
    ),
    "parallel in portions": Form(
        "['a', 'b', 'c'].collate(2).each { part ->\n def t = [:]\n part.each { m -> t[m] = { sh \"@${m}\" } }\n parallel t\n}",
        "a b c",
        at_once=1,
    ),
    "read from a file": Form(
        "def modules = readYaml(file: 'm.yml')\nmodules.each { m -> sh \"@${m.path}\" }",
        "?",
        "modules is read by readYaml from m.yml, which is not in this repository",
    ),
    "made by a command": Form(
        "def changed = sh(script: 'git diff --name-only', returnStdout: true).trim().split('\\n')\nchanged.each { sh \"@${it}\" }",
        "?",
        "changed is what a command prints",
    ),
    "set elsewhere": Form(
        'sh "@${params.PATH_OF_IT}"', "?", "params.PATH_OF_IT is given when the build is started"
    ),
    "a whole command from elsewhere": Form(
        "def c = readFile('c.txt')\nsh c",
        "",
        "what sh runs in line 6 is not known: c is read by readFile from c.txt, which is not in this repository",
    ),
    "a step of a library": Form(
        "buildAndPushImage('a')", "", "buildAndPushImage is a step that is not in this file"
    ),
    "a directory from elsewhere": Form(
        "dir(env.SUB) { sh '@.' }", "?", "env.SUB is set outside of this file"
    ),
}


def kaniko(text: str) -> str:
    return re.sub(
        r"@(\$\{[^}]*\}|\$\w+|[a-z.]\b|\.|(?=['\"]))",
        lambda match: (
            "/kaniko/executor --destination r/x:1 --context . --dockerfile " + _dockerfile(match[1])
        ),
        text,
    )


def _dockerfile(directory: str) -> str:
    return "./Dockerfile" if directory == "." else f"{directory}/Dockerfile" if directory else ""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("forms")
    for name in "abc":
        (top / name).mkdir()
        (top / name / "Dockerfile").write_text("FROM scratch\nCOPY x /x\n")
    return top


@pytest.mark.parametrize("name", FORMS)
def test_a_form(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    form = FORMS[name]
    text = form.before + PIPELINE.format(top=form.top, body=form.body)
    # a text that is put together has the path at its end
    text = re.sub(r"def c = '@'\nc \+= 'a'", "def c = '@'\nc += 'a/Dockerfile'", text)
    text = re.sub(r"def path = (.*)\+ ''\n", r"def path = \1+ '/Dockerfile'\n", text)
    (root / "Jenkinsfile").write_text(kaniko(text))
    assert main(["suggest", "--format", "json", str(root / "Jenkinsfile")]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    pushes = file["pipeline"]["pushes"]
    assert (
        " ".join((push["dockerfile"] or "?").removesuffix("/Dockerfile") for push in pushes) == form.pushes
    ), kaniko(text)
    assert form.says in " | ".join(file["warnings"])
    assert bool(form.says) == bool(file["warnings"])
    if pushes:
        assert pushes[0]["at_once"] == form.at_once
    if form.says and not pushes:
        assert not file["good"]  # nothing is said of what was not seen
