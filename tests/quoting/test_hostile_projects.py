"""A name that does harm where it is taken for code, put everywhere that imgopt reads: whatever a rewrite writes says what
the rewrite of the same project with a harmless name says.

The result is split by BuildKit's parser. What was added to RUN is run by dash and bash, with stand-ins for the programs
that note down how they were called: what those do is tried elsewhere (`test_data_is_no_code.py`), here the words count.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dockerfile as buildkit
import pytest
from hostile import NAMES, UNSEEN, names, shells
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projects import (
    EVERY,
    Project,
    carried_directory,
    directory_of_entries,
    entry,
    label,
    libraries_by_an_argument,
    owned,
    working_directory,
)

from imgopt.dockerfile import expand, parse
from imgopt.errors import ImgoptError
from imgopt.options import Options
from imgopt.picture import Jars
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES

TAME = "tame0name"
Make = Callable[[str], Project]
Instruction = tuple[Any, ...]

_PROGRAMS = "mkdir mv cp find touch jar java cat sed rm apk addgroup adduser sleep useradd groupadd curl tar chown chmod mvn unzip".split()
#: Functions: a thousand processes would take minutes.
_STAND_INS = "note() { printf '%s\\0' \"$@\" >&3; printf '\\036\\0' >&3; }\n" + "".join(
    f'{name}() {{ note {name} "$@"; }}\n' for name in _PROGRAMS
)


def look(project: Project, root: Path) -> FileReport:
    project.make(root)
    args = dict(each.partition("=")[::2] for each in project.words[1::2])
    jars = Jars()
    options = Options(context=root, build_args=args, unsafe=True)
    path = root / "Dockerfile"
    return report_file(str(path), path.read_bytes(), options, ALL_RULES, jars, Weigher(jars))


def valid(text: str) -> str:
    """For BuildKit's parser, which takes no bytes that are not UTF-8: what they stand for is of no consequence here."""
    return text.encode("utf-8", "replace").decode()


def scripts(text: str) -> frozenset[str]:
    return frozenset(
        each.value[0] for each in buildkit.parse_string(valid(text)) if each.cmd.upper() == "RUN"
    )


def instructions(text: str, own: frozenset[str], shell: str) -> list[Instruction]:
    """Each instruction as the words that a builder, or the shell in it, acts on; of the RUN lines in ``own`` the text."""
    escape = parse(text.encode("utf-8", "surrogateescape")).escape
    found: list[Instruction] = []
    for command in buildkit.parse_string(valid(text)):
        keyword, flags = command.cmd.upper(), tuple(command.flags)
        if keyword == "RUN" and command.value[0] not in own:
            assert not command.json and not command.heredocs
            found.append((keyword, *flags, *calls(command.value[0], shell)))
            continue
        words = [expand(word, _Any(), escape).value or word for word in command.value]
        if keyword in ("COPY", "ADD"):
            words = [*map(_plain_source, words[:-1]), words[-1]]
        found.append((keyword, *flags, *words))
    return found


class _Any(dict[str, "str | None"]):
    """Every variable is known, and its value is its name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return f"«{name}»"


def _plain_source(word: str) -> str:
    """A pattern that matches one name, as that name."""
    if not re.search(r"\[[*?\[]\]", word):
        return word
    return re.sub(r"\[([*?\[])\]", r"\1", word).replace("\\\\", "\\")


def calls(script: str, shell: str) -> tuple[tuple[str, ...], ...]:
    """The programs that shell text calls, each with its arguments."""
    with tempfile.TemporaryDirectory() as directory:
        cwd, notes = Path(directory, "cwd"), Path(directory, "notes")
        (cwd / "layers/application").mkdir(parents=True)
        environment = {"PATH": directory, "MODULE": "«MODULE»", "DIR": "«DIR»", "PLACE": "«PLACE»"}
        program = Path(directory, "apt-get")  # dash has no functions of such a name
        program.write_text("#!/bin/sh\nprintf '%s\\0' apt-get \"$@\" >&3; printf '\\036\\0' >&3\n")
        program.chmod(0o755)
        done = subprocess.run(
            [shell, "-c", f"exec 3>../notes\n{_STAND_INS}{script}"],
            cwd=cwd,
            env=environment,
            capture_output=True,
            timeout=60,
        )
        said = done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0 and not said, (script, said)
        assert {each.name for each in cwd.iterdir()} <= {"layers", "start.mf"}, script
        noted = valid(os.fsdecode(notes.read_bytes())).split("\x1e\0")
        return tuple(tuple(each.split("\0")) for each in noted)


def renamed(instruction: Instruction, name: str) -> Instruction:
    """With another name for the harmless one. The order of a call's words may depend on their names: sorted."""

    def word(text: str) -> str:
        # an argument that tells modules apart is in the paths of a rewrite where its value is plain
        text = re.sub(r"/(?:«(?:DIR|MODULE|PLACE|NAME)»|\$\{(?:DIR|MODULE|PLACE|NAME)\})", "", text)
        text = text.replace(TAME, name)
        return text.removeprefix("./") if text.startswith(("./-", "./@")) else text

    return tuple(
        tuple(sorted(map(word, part))) if isinstance(part, tuple) else word(part) for part in instruction
    )


@pytest.fixture(scope="module")
def meant() -> Iterator[Callable[[Make, str], list[Instruction]]]:
    """The instructions of the rewrite with a harmless name, by project and shell."""
    with tempfile.TemporaryDirectory() as directory:

        @cache
        def found(make: Make, shell: str) -> list[Instruction]:
            project = make(TAME)
            text = look(project, Path(directory, Path(shell).name, make.__name__)).rewrite.text
            return instructions(text, scripts(project.dockerfile), shell)

        yield found


def check(make: Make, name: str, meant: Callable[[Make, str], list[Instruction]]) -> bool:
    """Nothing is written but what is meant. The answer: whether all that is meant is written."""
    project = make(name)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, make.__name__)  # the rewrite has its name in it
        try:
            own = scripts(project.dockerfile)
            report = look(project, root)
        except (ImgoptError, OSError, UnicodeEncodeError, buildkit.GoParseError):
            return False  # there is no such file, or it is no Dockerfile
        shown = valid(name)
        complete = True
        for shell in shells():
            before = {renamed(each, TAME) for each in instructions(project.dockerfile, own, shell)}
            expected = [renamed(each, shown) for each in meant(make, shell)]
            # what the jar is called on its way is of no consequence where COPY says what it is called in the end
            also = {renamed(each, "app") for each in meant(make, shell)}
            written = [renamed(each, TAME) for each in instructions(report.rewrite.text, own, shell)]
            for each in written:
                known = each in expected or each in before or each in also
                assert known or _is_plain(each) or _names_a_file(each, root), (each, report.rewrite.text)
            complete = complete and written == expected
        assert not [*Path(directory).rglob("PWNED*")]
        return complete


def _is_plain(instruction: Instruction) -> bool:
    """Nothing in it can be more than a name: another image, jar instead of jarmode."""
    words = [word for part in instruction for word in (part if isinstance(part, tuple) else (part,))]
    return all(re.fullmatch(r"[\w@=:./+{}*-]*", word, re.ASCII) for word in words)


def _names_a_file(instruction: Instruction, context: Path) -> bool:
    """A COPY of one file alone, where the other rewrite does still more."""
    return instruction[0] == "COPY" and len(instruction) == 3 and (context / instruction[1]).is_file()


#: Several at once: one of them would be enough to do harm.
GROUPS = ["".join(NAMES[start : start + 6]) for start in range(0, len(NAMES), 6)]


@pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)
def test_names_that_do_harm_in_a_shell_or_a_dockerfile(
    make: Make, meant: Callable[[Make, str], list[Instruction]]
) -> None:
    for name in (*GROUPS, *UNSEEN[:4]):
        check(make, name.replace("/", ""), meant)


_ENTRIES = (entry, directory_of_entries)


@pytest.mark.parametrize(
    "name",
    [
        "read me",
        "it's",
        "a;touch PWNED",
        "#x",
        "<<EOF",
        "été",
        "$(touch PWNED)",
        "x\\",
        "--x",
        "'\"",
        "{a,b}",
        "~",
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        entry,
        directory_of_entries,
        working_directory,
        libraries_by_an_argument,
        carried_directory,
        owned,
        label,
    ],
    ids=lambda make: make.__name__,
)
def test_what_can_be_written_is_written(
    make: Make, name: str, meant: Callable[[Make, str], list[Instruction]]
) -> None:
    done = check(make, name, meant)
    # what a RUN does with such a word is not followed, and then it cannot be shown that nothing is lost; a jar's entry
    # that `jar` would take for an option keeps the jar whole
    assert done or (make is carried_directory and "$(" in name) or (make in _ENTRIES and name.startswith("-"))


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(make=st.sampled_from(EVERY), name=names())
def test_any_name_anywhere(make: Make, name: str, meant: Callable[[Make, str], list[Instruction]]) -> None:
    check(make, name, meant)
