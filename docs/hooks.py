"""Pages that MkDocs makes while it builds: one for each command, of its `--help`, and one for each rule, of its docstring.

They are not kept in the repository, so none can be older than the code.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for source in ("optimizer", "rules"):
    sys.path.insert(0, str(ROOT / source))

from imgopt.cli import app, main  # noqa: E402
from imgopt.cli.help import EXAMPLES, exit_codes  # noqa: E402
from imgopt_rules import ALL_RULES, PIPELINE_RULES  # noqa: E402


def commands() -> list[str]:
    """As they are typed, those of `imgopt fleet` behind it."""
    of_fleet = [f"fleet {each}" for each in app.OF_FLEET if find_spec(f"imgopt.cli.fleet_{each}")]
    return [name for command in app.COMMANDS for name in (command, *(of_fleet if command == "fleet" else ()))]


def help_of(command: str) -> str:
    """What `imgopt COMMAND --help` prints prints."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "82"  # as wide as a page
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            code = main([*command.split(), "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    if code != 0:
        raise RuntimeError(f"imgopt {command} --help ended with {code}")
    return said.getvalue()


def pages() -> Iterator[tuple[str, str]]:
    """Path and text of each page that is made, the lists first."""
    yield "commands/index.md", _commands()
    for command in commands():
        yield f"commands/{command.replace(' ', '-')}.md", _command(command)
    yield "rules/index.md", _rules()
    for rule in (*ALL_RULES, *PIPELINE_RULES):
        yield f"rules/{rule.id}.md", f"# {rule.id}\n\n{rule.documentation}\n"


def _commands() -> str:
    rows = [f"| [`imgopt {name}`]({name.replace(' ', '-')}.md) | {_summary(name)} |" for name in commands()]
    table = "\n".join(["| command | does |", "|---|---|", *rows])
    return f"# Commands\n\n{table}\n\n`imgopt -V` is the version; `--debug` with any command shows the traceback of a bug.\n"


def _summary(command: str) -> str:
    paragraphs = help_of(command).split("\n\n")
    return " ".join(paragraphs[1].split())


def _command(command: str) -> str:
    options = (
        help_of(command).partition("\nExamples:\n")[0].partition("\nExit codes:\n")[0]
    )  # which stand below
    parts = [f"# imgopt {command}", f"```text\n{options.rstrip()}\n```"]
    if command in EXAMPLES:
        examples = "\n".join(f"# {what}\n{line}" for line, what in EXAMPLES[command])
        parts.append(f"## Examples\n\n```sh\n{examples}\n```")
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in exit_codes(command))
    parts.append(f"## Exit codes\n\n| code | means |\n|---|---|\n{codes}")
    return "\n\n".join(parts) + "\n"


def _rules() -> str:
    def table(rules: Any) -> str:
        rows = [f"| [`{rule.id}`]({rule.id}.md) | {rule.summary} |" for rule in rules]
        return "\n".join(["| rule | finds |", "|---|---|", *rows])

    return (
        "# Rules\n\n`imgopt explain RULE` prints what these pages say. In a report the order is that of this table, and fixes of "
        f"earlier rules go in first.\n\n## In a Dockerfile\n\n{table(ALL_RULES)}\n\n"
        f"## In a CI file\n\nJenkinsfile, `.gitlab-ci.yml`, GitHub workflows, scripts and Makefiles.\n\n{table(PIPELINE_RULES)}\n\n"
        "## Silencing one\n\nSee [Configuration](../configuration.md#silencing-a-rule).\n"
    )


def on_config(config: Any) -> Any:
    """The made pages belong into the navigation, which is read before they are made."""
    made = [path for path, _ in pages()]
    # a page that nobody has given a place
    known = str(config.nav)
    works = next(section["How it works"] for section in config.nav if "How it works" in section)
    works += [path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in known]
    config.nav[-1]["Reference"] += [
        {"Commands": [path for path in made if path.startswith("commands/")]},
        {"Rules": [path for path in made if path.startswith("rules/")]},
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files
