"""Whatever is read: nothing that imgopt prints acts on a terminal, on a reader's eye or on the runner of a CI job."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from command_line import Imgopt
from hostile_names import NAMES, acts, run, world

import imgopt as package

CI = ("text", "json", "markdown", "html", "sarif", "junit", "github", "gitlab")
OWN = ("::error file=", "::warning file=", "::notice file=")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("hostile"))


def images() -> list[str]:
    return ["image.tar", *(f"{name.replace('=', '-')}=image.tar" for name in NAMES)]


COMMANDS = [
    *((("suggest", "--format", each, ".", "Jenkinsfile")) for each in CI),
    ("suggest", "-v", ".", "Jenkinsfile"),
    ("suggest", "-q", *NAMES),
    *(("gate", "--format", each, "--max-size", "1B", "--max-waste", "1B", *images()) for each in CI),
    ("gate", "-v", "--max-size", "1GB", "--forbid", "root-user", *images()),
    *(("gate", "--predict", "--format", each, "--max-size", "1B", ".") for each in CI),
    *(("inspect", "--format", each, "image.tar") for each in ("text", "json", "markdown", "html")),
    ("inspect", "--tree", "--depth", "9", "image.tar"),
    ("inspect", "-v", "image.tar"),
    *(("jar", "--format", each, "app.jar") for each in ("text", "json", "markdown")),
    ("jar", "-v", "app.jar"),
    ("rewrite", "--check", "."),
    ("rewrite", "--check", "-v", *NAMES),
    ("rewrite", "--format", "json", "."),
    ("rewrite", "--diff", "--unsafe", "."),
    *(("compare", "--format", each, "::set-output name=x::y", "--engine", "docker") for each in ("text", "json", "markdown")),
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: " ".join(each[:4]).replace("\x1b", ""))
def test_every_command_and_format(root: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=root, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode in (0, 1, 2, 3), done.stderr.decode("utf-8", "replace")[-2000:]
    assert done.stdout or done.stderr
    github = "github" in arguments
    assert acts(done.stdout, OWN if github else ()) == []
    assert acts(done.stderr) == []
    if github:
        for line in done.stdout.decode().splitlines():
            properties = line.removeprefix("::").partition("::")[0]
            assert {part.partition("=")[0] for part in properties.partition(" ")[2].split(",")} <= {
                "file",
                "line",
                "endLine",
                "title",
            }
    shown = arguments[arguments.index("--format") + 1] if "--format" in arguments else "text"
    if shown in ("json", "sarif", "gitlab"):
        json.loads(done.stdout)
    elif shown == "junit":
        xml.etree.ElementTree.fromstring(done.stdout)
    elif shown == "html":
        assert active_in_html(done.stdout.decode()) == []
    elif shown == "markdown":
        assert active_in_markdown(done.stdout.decode()) == []


def test_json_keeps_the_values(root: Path) -> None:
    found = json.loads(
        run("inspect", "--tree", "--depth", "9", "--format", "json", "image.tar", cwd=root).stdout
    )
    said = json.dumps(found, ensure_ascii=False)
    for name in NAMES:
        if "\udc9b" not in name:
            assert json.dumps(name, ensure_ascii=False)[1:-1] in said


# in this process, some hundred runs


@pytest.mark.parametrize(
    "arguments",
    [("suggest",), ("jar",), ("inspect",), ("gate", "--max-size", "1B"), ("push", "image.tar"), ("bandwidth",),
     ("explain",), ("rewrite", "--output"), ("--debug", "jar"), ("--debug", "gate"), ("suggest", "--config"),
     ("gate", "--baseline"), ("suggest", "--select"), ("suggest", "--bandwidth"), ("gate", "image.tar", "--max-size"),
     ("--debug", "rewrite", "--in-place"), ("suggest", "--format", "json"), ("gate", "--forbid"), ()],
    ids=" ".join,
)  # fmt: skip
def test_what_is_wrong_is_said_on_standard_error(here: Imgopt, arguments: tuple[str, ...]) -> None:
    for name in NAMES:
        done = here(*arguments, name)
        assert done.code in (0, 2, 3), done
        assert acts(done.err.encode()) == [] and acts(done.text.encode()) == []


def test_options_and_configuration(here: Imgopt, tmp_path: Path) -> None:
    for name in NAMES:
        key = json.dumps(name.encode("utf-8", "replace").decode())
        (tmp_path / "imgopt.toml").write_text(f"{key} = 1\n")
        for arguments in (
            [f"--{name}"],
            ["gate", f"--{name}"],
            ["suggest", "."],
            ["--debug", "suggest", "."],
        ):
            done = here(*arguments)
            assert done.code == 2
            assert acts(done.err.encode()) == [] and acts(done.text.encode()) == []


@pytest.fixture
def here(imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Imgopt:
    monkeypatch.chdir(tmp_path)
    return imgopt


class Sayer(BaseHTTPRequestHandler):
    """A registry that answers everything with an error of many words."""

    def do_GET(self) -> None:
        body = json.dumps(
            {"errors": [{"code": name, "message": name, "detail": name} for name in NAMES]}
        ).encode()
        self.send_response_only(418, "\x1b[31m ##vso[task.complete]x")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Warning", '299 - "##[error]\x1b[31m"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sayer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("verb", ["push", "inspect", "gate", "bandwidth"])
@pytest.mark.parametrize("debug", [False, True])
def test_what_a_registry_says(root: Path, registry: str, verb: str, debug: bool) -> None:
    target = f"{registry}/shop/api:8"
    arguments = {
        "push": ["push", "image.tar", target],
        "inspect": ["inspect", f"registry:{target}"],
        "gate": ["gate", "--max-size", "1B", f"registry:{target}"],
        "bandwidth": ["bandwidth", target.removesuffix(":8")],
    }[verb]
    done = run(*(["--debug"] if debug else []), *arguments, cwd=root, HOME=str(root))
    assert done.returncode == 3, done.stderr
    assert acts(done.stderr) == [] and acts(done.stdout) == []


def test_the_summary_of_a_github_job(root: Path, tmp_path: Path) -> None:
    for command in (("suggest", "."), ("gate", "--max-size", "1B", *images())):
        summary = tmp_path / command[0]
        run(*command, "--format", "github", cwd=root, GITHUB_STEP_SUMMARY=str(summary))
        assert summary.stat().st_size > 1000
        assert acts(summary.read_bytes()) == []
        assert active_in_markdown(summary.read_text()) == []


@pytest.mark.parametrize("format", CI)
def test_files_are_as_safe_as_streams(root: Path, tmp_path: Path, format: str) -> None:
    target = tmp_path / "out"
    run("gate", "--format", format, "--output-file", str(target), "--max-size", "1B", *images(), cwd=root)
    assert acts(target.read_bytes(), OWN if format == "github" else ()) == []


# -- the Dockerfile itself, which must not be changed

DOCKERFILE = 'FROM openjdk:17-jdk-slim\n{}\nCOPY app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
ACTING = ("# \x1b[31mred", "# \x9bx", "# \u202e", "# z\u200b", "RUN echo '\x07'", "# ##vso[x]y",
          "RUN <<E\n::set-output name=x::y\nE", "RUN <<E\n \u3000::add-mask::y\nE", "# a\rb")  # fmt: skip
PLAIN = ("# 中文 é ❤️ 👨‍💻 std::string", "\tRUN\techo a::b", "RUN echo '## [x]'")


def project(directory: Path, line: str) -> bytes:
    (directory / "Dockerfile").write_bytes(DOCKERFILE.format(line).encode("utf-8", "surrogateescape"))
    with (directory / "new").open("wb") as output:
        done = run("rewrite", "--unsafe", "Dockerfile", cwd=directory, stdout=output)
    assert done.returncode == 0, done.stderr
    return (directory / "new").read_bytes()


@pytest.mark.parametrize("line", ACTING, ids=ascii)
def test_a_dockerfile_that_would_act_goes_to_files_only(tmp_path: Path, line: str) -> None:
    expected = project(tmp_path, line)  # into a file, exactly
    assert line.encode() in expected
    unchanged = expected == (tmp_path / "Dockerfile").read_bytes()
    every = ((), ("--diff",), ("--output", "/dev/stdout"), ("--output-file", "/dev/stdout"))
    for options in every if line == ACTING[0] else every[:2]:
        done = run("rewrite", "--unsafe", *options, "Dockerfile", cwd=tmp_path)
        assert done.stdout == b""
        if options == ("--diff",) and unchanged:
            continue
        assert done.returncode == 2
        assert b"error: Dockerfile:" in done.stderr and acts(done.stderr) == []
    assert run("rewrite", "--unsafe", "--in-place", "Dockerfile", cwd=tmp_path).returncode == 0
    assert (tmp_path / "Dockerfile").read_bytes() == expected


def test_a_log_that_is_a_file_is_a_log(tmp_path: Path) -> None:
    project(tmp_path, ACTING[0])
    with (tmp_path / "log").open("wb") as log:  # as Jenkins keeps the log of a step
        done = subprocess.run(
            ["sh", "-c", '"$0" -m imgopt rewrite --unsafe Dockerfile 2>&1', sys.executable],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=log,
            check=False,
        )
    assert done.returncode == 2
    assert acts((tmp_path / "log").read_bytes()) == []


def test_the_error_names_the_line(tmp_path: Path) -> None:
    project(tmp_path, "ENV A=1\n# \x1b[31m")
    done = run("rewrite", "--unsafe", "Dockerfile", cwd=tmp_path)
    assert b"\nerror: Dockerfile:3: it holds the character \\x1b, on which a terminal" in done.stderr


@pytest.mark.parametrize("line", PLAIN, ids=ascii)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_any_other_dockerfile_is_printed_byte_by_byte(tmp_path: Path, line: str, ending: str) -> None:
    text = "\ufeff" + DOCKERFILE.format(line).replace("\n", ending)
    data = text.encode()
    (tmp_path / "Dockerfile").write_bytes(data)
    assert run("rewrite", "--unsafe", "--output", "new", "Dockerfile", cwd=tmp_path).returncode == 0
    assert run("rewrite", "--unsafe", "Dockerfile", cwd=tmp_path).stdout == (tmp_path / "new").read_bytes()
    difference = run("rewrite", "--unsafe", "--diff", "Dockerfile", cwd=tmp_path).stdout
    subprocess.run(["patch", "--binary", "-s", "Dockerfile"], input=difference, cwd=tmp_path, check=True)
    assert (tmp_path / "Dockerfile").read_bytes() == (tmp_path / "new").read_bytes()


# -- a real terminal


def on_a_terminal(*arguments: str, cwd: Path, **environment: str) -> bytes:
    """What reaches a pseudo-terminal that is both of the program's outputs."""
    import pty

    terminal, theirs = pty.openpty()
    settings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }
    program = subprocess.Popen(
        [sys.executable, "-m", "imgopt", *map(os.fsencode, arguments)],
        cwd=cwd,
        env={**settings, **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux: the other side is closed
            break
        shown += data
    os.close(terminal)
    program.wait(timeout=60)
    return shown


@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [("suggest", "."), ("gate", "--max-size", "1B", *images()), ("inspect", "--tree", "image.tar"), ("jar", "app.jar"),
     ("rewrite", "--unsafe", "--diff", "."), ("rewrite", "--check", "."), ("--debug", "jar", NAMES[8]), ("jar", *NAMES[10:11]),
     ("push", "image.tar", f"127.0.0.1:1/{NAMES[0]}:1"), ("rewrite", "--unsafe", f"{NAMES[9]}/Dockerfile")],
    ids=lambda each: each[0] + each[1],
)  # fmt: skip
def test_a_terminal(root: Path, arguments: tuple[str, ...], colours: bool) -> None:
    shown = on_a_terminal(*arguments, cwd=root, **({} if colours else {"NO_COLOR": "1"}))
    ours = re.sub(rb"\x1b\[([0-9;]*m|[0-9]*[A-K]|\?25[hl])", b"", shown)
    assert len(ours) > 20
    assert acts(re.sub(rb"\r+\n?", b"\n", ours)) == []
    if not colours:
        assert b"\x1b[3" not in shown


# -- the code: who writes

#: Who may touch the standard streams: the writing end, and what only asks whether they are terminals or flushes them.
WRITERS = {"cli/output.py", "cli/app.py", "cli/rewrite.py", "cli/fleet_write.py", "report/terminal.py", "report/progress.py", "registry/outlive.py",
           "text/foreign.py"}  # fmt: skip
PROGRAMS = {"os_packages/make_apt_figures.py", "bases/make_catalogue.py", "java/make_boot_managed.py"}


def test_all_output_passes_the_writing_end() -> None:
    root = Path(package.__file__).parent
    found = set()
    for path in [*root.rglob("*.py"), *(root.parents[1] / "rules").rglob("*.py")]:
        name = path.relative_to(root).as_posix() if root in path.parents else path.name
        for node in ast.walk(ast.parse(path.read_text())):
            printed = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            )
            stream = (
                isinstance(node, ast.Attribute)
                and node.attr in ("stdout", "stderr")
                and isinstance(node.value, ast.Name)
                and node.value.id == "sys"
            )
            if printed or stream:
                found.add(name)
    assert found - PROGRAMS <= WRITERS


# -- readers of formats


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "a", "link", "object", "form", "base") or any(
            name.startswith("on") or name in ("href", "src", "action") for name, _ in attrs
        ):
            self.found.append(f"<{tag} {attrs}>")


def active_in_html(text: str) -> list[str]:
    tags = _Tags()
    tags.feed(text)
    return tags.found


def active_in_markdown(text: str) -> list[str]:
    """What GitHub or GitLab would make of it: links, pictures, tags; mentions and references in the text shown."""
    from markdown_it import MarkdownIt

    found = active_in_html(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
    fenced = False
    for line in text.splitlines():
        fenced = fenced != line.startswith("```")
        if not fenced:
            bare = re.sub(r"(`+).*?\1", "", line)
            found += re.findall(r"(?<!\w)@\w+|(?<!&)#\d+|\w://\S|\bwww\.|^/\w+", bare)
    return found
