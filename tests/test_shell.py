"""Shell text as people write it in RUN lines and start scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt import shell


def names(text: str) -> list[str | None]:
    return [command.program for command in shell.parse(text).commands]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apt-get update && apt-get install -y curl", ["apt-get", "apt-get"]),
        ("sleep 30;java $JAVA_OPTS -jar app.jar", ["sleep", "java"]),
        ("if [ -f x ]; then cp x y; else touch y; fi", ["[", "cp", "touch"]),
        ("for f in a b; do mv $f out/ || exit 1; done", ["mv", "exit"]),
        ("while read line; do echo $line; done < file", ["read", "echo", None]),
        ("( cd /tmp && rm -rf x )", ["cd", "rm"]),
        ("{ echo a; cat b; } > c", ["echo", "cat", None]),
        ("case $1 in start) java -jar a.jar ;; *) exec \"$@\" ;; esac", ["java", "exec"]),
        ("/usr/bin/java -version | grep 17", ["java", "grep"]),
        ("nohup java -jar a.jar > log 2>&1 &", ["nohup"]),
        ("FOO=bar env", ["env"]),
        ("FOO=bar", [None]),
        ("# only a comment\ntrue", ["true"]),
        ("stamp() { touch x; }; stamp a", ["touch", "stamp"]),
        ("cat <<EOF > f\nnot a command\nEOF\nls", ["cat", "ls"]),
        ("echo \"a;b\" 'c&&d' e\\;f", ["echo"]),
        ("echo $(ls; pwd) `id`", ["echo"]),
        ("a=${x:-$(y)} b", ["b"]),
        ("[[ -n $x && ( $y == a || $z =~ ^(b|c)$ ) ]] && ls", ["[[", "ls"]),
        ("if [[ $a == b ]]; then ls; fi; ( [[ -f x ]])", ["[[", "ls", "[["]),
        ("(( i > 0 && i < 5 )) || exit 1", ["((", "exit"]),
        ("((true); (ls))", ["true", "ls"]),
        ("for (( i = 0; i < 3; i++ )); do ls; done", ["((", "ls"]),
        ("a=(one 'two three' $(ls)) b", ["b"]),
        ("a+=(\n one # a word\n)\nls", [None, "ls"]),
        ("declare -A m=([a]=1 [b]=2); ls", ["declare", "ls"]),
        ("m[\"a b\"]=1; ls", [None, "ls"]),
        ("function f { ls; }\nf", ["ls", "f"]),
        ("f-g ()\n{\n  ls\n}", ["ls"]),
        ("f() ( cd /; ls )", ["cd", "ls"]),
        ("case $x in (a|b) ls ;; *.@(jar|war)) pwd ;& c) id; esac", ["ls", "pwd", "id"]),
        ("x=$(case a in a) echo b;; esac) ls", ["ls"]),
        ("echo $(( (1 + 2) * 3 )) \"$(echo ')')\" ${x%%)*} ${y:-'}'}", ["echo"]),
        ("echo \"${x:-it's}\" \"${x#'}'}\"; ls", ["echo", "ls"]),
        ("echo $'it\\'s' $\"x\"; ls", ["echo", "ls"]),
        ("diff <(ls a) >(cat) < b", ["diff"]),
        ("while read x; do ls; done < <(find .)", ["read", "ls", None]),
        ("cat <<A <<-'B'\n$(\nA\n\t`\n\tB\nls", None),
        ("cat <<'A'\n$( ` \" '\nA\nls", ["cat", "ls"]),
        ("x=$(cat <<E\nit's )\nE\n)\nls", [None, "ls"]),
        ("exec 3>&1 {fd}> log &>> all; ls", ["exec", "ls"]),
        ("select x in a b; do ls; done", ["ls"]),
        ("! ls | grep -q a", ["ls", "grep"]),
    ],
)  # fmt: skip
def test_commands(text: str, expected: list[str | None] | None) -> None:
    if expected is None:
        assert shell.parse(text).broken
        return
    assert not shell.parse(text).broken
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    ["echo 'open", 'echo "open', "echo $(open", "if true", "for x in y", "cat <<EOF\nno end", "a )", "> "],
)
def test_unreadable_text_is_reported(text: str) -> None:
    assert shell.parse(text).broken


@pytest.mark.parametrize(
    ("word", "variables", "value"),
    [
        ("app.jar", {}, "app.jar"),
        ('"$HOME/app.jar"', {"HOME": "/srv"}, "/srv/app.jar"),
        ("${HOME}/app.jar", {}, None),
        ("${HOME:-/opt}/app.jar", {}, "/opt/app.jar"),
        ("'$HOME'", {}, "$HOME"),
        ("$1", {}, None),
        ("$(date)", {}, None),
        ("a\\ b", {}, "a b"),
    ],
)
def test_words(word: str, variables: dict[str, str], value: str | None) -> None:
    command = shell.parse(f"x {word}").commands[0]
    assert command.args[0].text == word
    assert command.args[0].value(variables) == value


def test_offsets_name_the_text() -> None:
    text = "mkdir a && java  -jar 'x y.jar'"
    for command in shell.parse(text).commands:
        for word in command.words:
            assert text[word.start : word.end] == word.text


def test_plain_scripts_have_nothing_conditional() -> None:
    assert shell.parse("touch a && touch b; touch c").plain
    for text in (
        "touch a || touch b",
        "touch a &",
        "touch a | cat",
        "if true; then touch a; fi",
        "(touch a)",
    ):
        assert not shell.parse(text).plain, text


@given(st.text(alphabet="ab $\"'\\;&|(){}<>\n`#=$EOF-", max_size=60))
def test_any_text_is_read_or_reported(text: str) -> None:
    script = shell.parse(text)
    for command in script.commands:
        for word in command.words:
            assert text[word.start : word.end] == word.text
            word.value({})


@pytest.mark.parametrize("opening", ['"$(', '"${x:-', "$(", "(", "{ ", "if a; then ", "case a in b) "])
def test_what_is_inside_each_other_too_deep_is_broken(opening: str) -> None:
    assert shell.parse(opening * 5_000).broken


def test_commands_in_backquotes_belong_to_the_word() -> None:
    for text in (r"a `b \`c; d\` e` f", 'a "`b "c; d"`" f'):
        (command,) = shell.parse(text).commands
        assert [word.text for word in command.words] == ["a", text[2:-2], "f"]


@pytest.mark.parametrize(
    ("text", "around"),
    [
        ("a && b & c & wait\nd", {"a": "&7", "b": "&7", "c": "&11", "wait": "", "d": ""}),
        ("(cd x && p) > log 2>&1 &\nq", {"cd": "&23", "p": "&23", "q": ""}),
        ("for m in a; do b; p & done; q", {"b": "", "p": "&20", "q": ""}),
        ("for m in a; do p; done & q", {"p": "&23", "q": ""}),
        ("while read m; do p & done; q", {"read": "while0", "p": "while0 &19", "q": ""}),
        ("(while read m; do p; done) & q", {"read": "&27 while1", "p": "&27 while1", "q": ""}),
        ("if t; then p & else q & fi; r", {"t": "", "p": "&13", "q": "&22", "r": ""}),
        ("{ b; c & } & d", {"b": "&11", "c": "&11 &7", "d": ""}),
        ("! a && b & c", {"a": "&9", "b": "&9", "c": ""}),
        ("a 2>&1; b &> log; c", {"a": "", "b": "", "c": ""}),
    ],
)
def test_what_runs_in_the_background_and_again(text: str, around: dict[str, str]) -> None:
    script = shell.parse(text)
    assert not script.broken
    found = {
        each.words[0].text: " ".join(f"{what}{at}" for what, at in each.around)
        for each in script.commands
        if each.words
    }
    assert found == around


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("exec gosu app:app java -jar a.jar", ["exec", "gosu", "java"]),
        ("su-exec app tini -g -- dumb-init nice -n 5 ls", ["su-exec", "tini", "dumb-init", "nice", "ls"]),
        ("timeout -s KILL 30 env -i A=b ls", ["timeout", "env", "ls"]),
        ("sudo -u app -E ls; command -v jq", ["sudo", "ls", "command"]),
        ("exec su app -s /bin/sh -c 'ls && pwd'", ["exec", "su", "ls", "pwd"]),
        ("sh -c \"exec $X java\" && bash -ec 'id'", ["sh", "exec", None, "bash", "id"]),
        ("trap 'rm x; stop' EXIT; stop() { ls; }", ["trap", "rm", "ls"]),
        ('eval "exec java $X"; eval $Y', ["eval", "exec", "java", "eval", None]),
        ("find . -name x -exec rm {} +; xargs -n 1 ls", ["find", "rm", "xargs", "ls"]),
        ("J=java; [ x ] || J=$H/bin/java; exec $J", [None, "[", None, "exec", "java"]),
        ("x=$(jq . `ls`); cat <<E\n$(id)\nE", [None, "cat", "ls", "jq", "id"]),
        ("for t in jq yq; do $t .; done", ["jq"]),
        ("while ! $(nc -z db 1); do :; done", ["nc", ":", "nc"]),
        ('c=("$@"); exec "${c[@]}"; "$@"', [None, "exec", "$@", "$@"]),
    ],
)
def test_what_a_text_starts(text: str, programs: list[str | None]) -> None:
    found = [each for each in shell.started(text) if not each.own]
    assert [each.programs[0] if each.programs else None for each in found] == programs


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("f() { ls; }; f a", True),
        ("f a; f() { ls; }", False),
        ("if x; then f() { ls; }; fi; f", False),
        ("x && f() { ls; }; f", False),
        ("g() { f; }; f() { ls; }; g", True),
        ("g() { f; }; g; f() { ls; }", False),
        ("f() { ls; }; exec f", False),
        ("f() { ls; }; sh -c f", False),
        ("x=$(f() { ls; }); f", False),
    ],
)
def test_functions_that_are_surely_there(text: str, own: bool) -> None:
    calls = [each for each in shell.started(text) if each.command.name == "f"]
    assert {each.own for each in calls} == {own}
