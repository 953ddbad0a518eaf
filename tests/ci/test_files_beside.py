"""Jenkinsfiles that take lists, names and methods from files of their repository: `load`, `readYaml`, `readJSON`, `readProperties`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import Imgopt, imgopt
from test_shell_forms import DOCKERFILE, THREE, write

__all__ = ["imgopt"]

BUILD = "docker build -t r/${m}:1 ${m}\\ndocker push r/${m}:1"
EACH = f'.each {{ m -> sh "{BUILD}" }}'
LOADED = """def pushAll(list) {
  list.each { m -> pushOne(m) }
}
def pushOne(m) {
  sh "docker build -t r/${m}:1 ${m}"
  sh "docker push r/${m}:1"
}
return this
"""


@dataclass(frozen=True)
class Form:
    name: str
    body: str
    pushed: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    warned: str = ""
    unknown: bool = False  # one push of a list that is not known


TWO = ("api", "web")
FORMS = [
    Form("yaml-list", f"readYaml(file: 'ci/m.yml'){EACH}", TWO, {"ci/m.yml": "- api\n- web\n"}),
    Form("yaml-maps", f"def c = readYaml file: 'm.yaml'\nc.modules.collect {{ it.name }}{EACH}", TWO, {"m.yaml": "modules:\n  - {name: api, path: x}\n  - name: web\n"}),
    Form("yaml-keys", f"def c = readYaml file: \"${{WORKSPACE}}/m.yaml\"\nc.keySet(){EACH}", TWO, {"m.yaml": "api: {port: 1}\nweb: {port: 2}\n"}),
    Form("yaml-in-a-directory", f"dir('ci') {{ readYaml(file: 'm.yml'){EACH.replace('docker build', 'cd .. && docker build')} }}", TWO, {"ci/m.yml": "[api, web]\n"}),
    Form("yaml-of-a-text", f"readYaml(text: readFile('m.yml')){EACH}", TWO, {"m.yml": "[api, web]\n"}),
    Form("json", f"def c = readJSON(file: 'm.json')\nc.services{EACH}", TWO, {"m.json": '{"services": ["api", "web"]}'}),
    Form("properties", f"def p = readProperties(file: 'm.properties')\np['modules'].split(','){EACH}", TWO, {"m.properties": "# them\nmodules = api,web\n"}),
    Form("properties-by-name", f"def p = readProperties file: 'm.env'\np.MODULES.tokenize(' '){EACH}", TWO, {"m.env": "MODULES=api web\n"}),
    Form("lines", f"readFile('m.txt').trim().split('\\n'){EACH}", TWO, {"m.txt": "api\nweb\n"}),
    Form("words-of-a-file", f"readFile(file: 'm.txt').split(){EACH}", TWO, {"m.txt": "api\nweb\n"}),
    Form("yaml-not-there", f"readYaml(file: 'm.yml'){EACH}", ("$m",), warned="from m.yml, which is not in this repository", unknown=True),
    Form("yaml-broken", f"readYaml(file: 'm.yml'){EACH}", ("$m",), {"m.yml": "a: [b\n"}, warned="is no file that readYaml reads", unknown=True),
    Form("yaml-elsewhere", f"readYaml(file: '../m.yml'){EACH}", ("$m",), warned="which is not in this repository", unknown=True),
    Form("yaml-of-a-variable", f"readYaml(file: params.LIST){EACH}", ("$m",), warned="from a file whose name is not known here", unknown=True),
    Form("json-bomb", f"readJSON(file: 'm.json'){EACH}", ("$m",), {"m.json": "[" * 5_000 + "]" * 5_000}, warned="is no file that readJSON reads", unknown=True),
    Form("yaml-bomb", f"readYaml(file: 'm.yml').i{EACH}", ("$m",), {"m.yml": "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))}, warned="holds more than is looked at", unknown=True),
    Form("load", "def s = load 'ci/s.groovy'\ns.pushAll(['api', 'web'])", TWO, {"ci/s.groovy": LOADED}),
    Form("load-in-parentheses", "script = load('ci/s.groovy')\nscript.pushOne('api')", ("api",), {"ci/s.groovy": LOADED}),
    Form("load-with-a-list", f"def s = load 's.groovy'\ns.modules(){EACH}", TWO, {"s.groovy": "def modules() { return ['api', 'web'] }\nreturn this\n"}),
    Form("load-with-names", f"def s = load 's.groovy'\ns.MODULES{EACH}", TWO, {"s.groovy": "MODULES = ['api', 'web']\nreturn this\n"}),
    Form("load-that-runs", "load 's.groovy'", TWO, {"s.groovy": f"['api', 'web']{EACH}\n"}),
    Form("load-of-a-load", "def s = load 'a.groovy'\ns.go()", ("web",), {"a.groovy": "def go() { def t = load 's.groovy'\n t.pushOne('web') }\nreturn this", "s.groovy": LOADED}),
    Form("load-of-itself", "def s = load 's.groovy'\ns.pushOne('web')", ("web",), {"s.groovy": "def again = load 's.groovy'\n" + LOADED}),
    Form("load-that-is-not-used", "def s = load 'ci/s.groovy'\nsh 'true'", (), {"ci/s.groovy": LOADED}),
    Form("load-not-there", "def s = load 'ci/s.groovy'\ns.pushAll(['api'])", (), warned="ci/s.groovy, which is loaded, is not in this repository"),
    Form("load-elsewhere", "def s = load '../../etc/s.groovy'\ns.pushAll(['api'])", (), warned="is not in this repository"),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form, imgopt: Imgopt, tmp_path: Path) -> None:
    root = tmp_path / "inside" / "shop"
    (root / ".git").mkdir(parents=True)
    write(tmp_path / "inside" / "m.yml", "[api]\n")  # of somebody else
    for module in THREE:
        write(root / module / "Dockerfile", DOCKERFILE)
    for name, text in form.files.items():
        write(root / name, text)
    write(root / "Jenkinsfile", f"node {{\n{form.body}\n}}\n")
    run = imgopt("suggest", root / "Jenkinsfile", "--format", "json")
    assert run.code in (0, 1), run.err
    (file,) = run.json["files"]
    pushes = file["pipeline"]["pushes"]
    assert tuple(each["image"] for each in pushes) == tuple(f"r/{name}:1" for name in form.pushed)
    assert form.warned in " | ".join(file["warnings"]) and bool(form.warned) == bool(file["warnings"]), file[
        "warnings"
    ]
    if not form.unknown:
        assert [each["dockerfile"] for each in pushes] == [f"{name}/Dockerfile" for name in form.pushed]
    assert all(1 <= each["line"] <= 4 for each in pushes)
    assert not (form.warned and file["good"])
