"""Variables as BuildKit 0.34 fills them in. The values were compared with its shell lexer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt.dockerfile import Expansion, expand, parse, scopes, variables_used
from imgopt.dockerfile.lexer import Glob, matches

VARIABLES = {
    "A": "alpha",
    "B": "bab/bab",
    "EMPTY": "",
    "V": "1.2.3",
    "P": "/opt/app/app.jar",
    "S": "  two words ",
    "ODD": "a*b?c\\d",
    "É": "accent",
    "LINES": "one\ntwo",
}

EXPANDED = [
    # plain, quotes, escapes
    ("", ""),
    ("abc", "abc"),
    ("a b  c", "a b  c"),
    ("'a b'\"c d\"e", "a bc de"),
    ("'$A \\ \"'", '$A \\ "'),
    ('"$A \' \\$A \\" \\\\ \\x"', "alpha ' $A \" \\ \\x"),
    ("\\$A", "$A"),
    ("\\\\$A", "\\alpha"),
    ("\\a\\'\\ ", "a' "),
    ("a\\", "a"),
    ("\ufeffa", "a"),
    # names
    ("$A", "alpha"),
    ("${A}", "alpha"),
    ("$A.$V-$A", "alpha.1.2.3-alpha"),
    ("$A_", ""),
    ("${A}_", "alpha_"),
    ("$UNSET|${UNSET}", "|"),
    ("$EMPTY", ""),
    ("$S", "  two words "),
    ("$É", "accent"),
    ("$", "$"),
    ("a$ b$", "a$ b$"),
    ("$.", "$."),
    ("$1a$12", "a"),
    ("$@$?$!", ""),
    ("$$A", "A"),
    # defaults and alternatives
    ("${UNSET:-d}", "d"),
    ("${EMPTY:-d}", "d"),
    ("${A:-d}", "alpha"),
    ("${UNSET-d}", "d"),
    ("${EMPTY-d}", ""),
    ("${A:+x}", "x"),
    ("${EMPTY:+x}", ""),
    ("${EMPTY+x}", "x"),
    ("${UNSET+x}${UNSET:+x}", ""),
    ("${A:?no}${A?no}${EMPTY?no}", "alphaalpha"),
    ("${UNSET:-${EMPTY:-c}}", "c"),
    ("${UNSET:-${A:+${V}}}", "1.2.3"),
    ("${UNSET:-'a }'\"b }\"\\}}", "a }b }}"),
    ("${UNSET:-a b}", "a b"),
    ("${UNSET:-}", ""),
    ("x${UNSET:-<<EOF}", "x<<EOF"),
    # shortest and longest, at the beginning and at the end
    ("${V#*.}", "2.3"),
    ("${V##*.}", "3"),
    ("${V%.*}", "1.2"),
    ("${V%%.*}", "1"),
    ("${P##*/}", "app.jar"),
    ("${P%/*}", "/opt/app"),
    ("${P%.jar}", "/opt/app/app"),
    ("${P#/*/}", "app/app.jar"),
    ("${A#?}", "lpha"),
    ("${A%??}", "alp"),
    ("${A#*}", "alpha"),
    ("${A##*}", ""),
    ("${A%*}", "alpha"),
    ("${A%%*}", ""),
    ("${A#}", "alpha"),
    ("${A#lp}", "alpha"),
    ("${A#a.}", "alpha"),
    ("${A#[a]}", "alpha"),
    ("${ODD#a\\*}", "b?c\\d"),
    ("${ODD%\\?*}", "a*b"),
    ("${ODD#*\\\\}", "d"),
    ("${ODD#'a*'}", "*b?c\\d"),
    ('${ODD#"a\\*"}', "a*b?c\\d"),
    ("${ODD#*'\\'}", "d"),
    ('${A#a}\\$B"\\$"', "lpha$B$"),
    ("${B#$EMPTY}", "bab/bab"),
    ("${V%$UNSET.*}", "1.2"),
    ("${V%${UNSET:-.*}}", "1.2"),
    ("${UNSET#a}", ""),
    ("${LINES#*e}", "\ntwo"),
    ("${LINES##*o}", "ne\ntwo"),
    # replacing
    ("${V/./_}", "1_2.3"),
    ("${V//./_}", "1_2_3"),
    ("${V//./}", "123"),
    ("${B/b*b/x}", "x"),
    ("${B//ba?/x}", "x/x"),
    ("${B/\\//-}", "bab-bab"),
    ("${B//\\//-}", "bab-bab"),
    ("${P//a/$A}", "/opt/alphapp/alphapp.jalphar"),
    ("${V/x/_}", "1.2.3"),
    ("${A/*/x}", "x"),
    ("${A//*/x}", "x"),
    ("${A///-}", "-a-l-p-h-a-"),
    ("${A/a/b/c}", "b/clpha"),
    ("${A/a/'b c'}", "b clpha"),
    ("${UNSET/a/b}", ""),
    ("${LINES//?/x}", "xxx\nxxx"),
]

REFUSED = [
    ("'a", "single quote"),
    ('"a', "double quote"),
    ('"a\\"', "double quote"),
    ("${", "name"),
    ("${}", "name"),
    ("${:-a}", "name"),
    ("${{A}}", "name"),
    ("${A", "not a substitution"),
    ("${A:-", "not closed"),
    ("${A:-'}", "single quote"),
    ("${A#", "not closed"),
    ("${A/b}", "not closed"),
    ("${A/b/c", "not closed"),
    ("${A:0:3}", "not a substitution"),
    ("${A^^}", "not a substitution"),
    ("${A,}", "not a substitution"),
    ("${A[0]}", "not a substitution"),
    ("${A@Q}", "not a substitution"),
    ("${A:#b}", "not a substitution"),
    ("${A:}", "not closed"),
    ("${ODD#\\a}", "means nothing"),
    ("${UNSET?}", "UNSET: must be set"),
    ("${UNSET:?give it}", "UNSET: give it"),
    ("${EMPTY:?}", "EMPTY: must be set"),
]


@pytest.mark.parametrize(("text", "value"), EXPANDED)
def test_expansion(text: str, value: str) -> None:
    assert expand(text, VARIABLES) == Expansion(value, ())


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_buildkit_refuses_has_no_value(text: str, why: str) -> None:
    expansion = expand(text, VARIABLES)
    assert expansion.value is None and expansion.error and why in expansion.error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("C:\\$A", "C:\\alpha"),
        ("`$A``", "$A`"),
        ('"`" `$ ``"', '" $ `'),
        ("'`'", "`"),
        ("a`", "a"),
        ("${UNSET:-a`}}", "a}"),
        ("\\'a\\'", "\\a\\"),
        ("${V%.*}", "1.2"),
    ],
)
def test_backtick_as_escape(text: str, value: str) -> None:
    assert expand(text, VARIABLES, "`").value == value


@pytest.mark.parametrize(
    ("text", "value", "missing"),
    [
        ("$X", None, ("X",)),
        ("a${X}b$Y$X", None, ("X", "Y")),
        ("${X#a}", None, ("X",)),
        ("${X/a/b}", None, ("X",)),
        ("${X:?e}", None, ("X",)),
        ("${A#$X}", None, ("X",)),
        ("${A/$X/$Y}", None, ("X", "Y")),
        # nobody gave it a value: the default is what the build gets
        ("${X:-d}", "d", ()),
        ("${X-d}", "d", ()),
        ("${X:-$Y}", None, ("Y",)),
        ("${X:+a}${X+a}", "", ()),
        # what is not needed need not be known
        ("${A:-$X}", "alpha", ()),
        ("${A:+$X}", None, ("X",)),
        ("${EMPTY:+$X}", "", ()),
        ("'$X'\\$X", "$X$X", ()),
    ],
)
def test_declared_without_a_known_value(text: str, value: str | None, missing: tuple[str, ...]) -> None:
    assert expand(text, {**VARIABLES, "X": None, "Y": None}) == Expansion(value, missing)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("$A ${B} $A", ("A", "B")),
        ("${A:-${B:-$C}}", ("A", "B", "C")),
        ("${A#$B}${C/$D/$E}", ("A", "B", "C", "D", "E")),
        ("'$A' \\$B \"$C '$D'\"", ("C", "D")),
        ("$1 $@ $$ $? $_x", ("_x",)),
        ("java $JAVA_OPTS ${a[0]} $B", ("JAVA_OPTS", "a")),
    ],
)
def test_variables_used(text: str, names: tuple[str, ...]) -> None:
    assert variables_used(text) == names


@given(
    st.text(st.sampled_from("ab*?."), max_size=6),
    st.text(st.sampled_from("ab.\n"), max_size=12),
    st.booleans(),
)
def test_globs_match_what_a_slow_matcher_matches(pattern: str, value: str, backwards: bool) -> None:
    def fits(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return fits(pattern[1:], text) or (text[:1] not in ("", "\n") and fits(pattern, text[1:]))
        return (
            bool(text)
            and (text[0] == pattern[0] or (pattern[0] == "?" and text[0] != "\n"))
            and fits(pattern[1:], text[1:])
        )

    if backwards:
        expected = [end for end in range(len(value) + 1) if fits(pattern, value[len(value) - end :])]
        assert Glob(pattern, backwards=True).ends(value[::-1]) == expected
    else:
        expected = [end for end in range(len(value) + 1) if fits(pattern, value[:end])]
        assert Glob(pattern).ends(value) == expected
        found = list(matches(pattern, value))
        for start, end in found:
            assert fits(pattern, value[start:end])
            assert not any(fits(pattern, value[start:longer]) for longer in range(end + 1, len(value) + 1))
        assert found == sorted(found)


def visible(text: str, build_args: dict[str, str] | None = None, **options: object) -> dict[str, str | None]:
    """What the last instruction sees of the variables with one capital letter, and of those asked for."""
    *_, scope = scopes(parse(text), build_args or {}, **options)  # type: ignore[arg-type]
    return {name: scope[name] for name in scope if len(name) == 1}


SCOPED = [
    ("ARG before FROM is not seen in a stage", "ARG A=1\nFROM x\nRUN y\n", {}, {}),
    ("... but by FROM", "ARG A=1\nARG B=${A}2 C\nFROM x:$B\n", {}, {"A": "1", "B": "12", "C": None}),
    ("... and by every FROM", "ARG A=1\nFROM x\nARG A=2\nENV B=3\nFROM y\n", {}, {"A": "1"}),
    ("declared again it has its value", "ARG A=1\nFROM x\nARG A\nRUN y\n", {}, {"A": "1"}),
    ("... unless it has its own default", "ARG A=1\nFROM x\nARG A=2\nRUN y\n", {}, {"A": "2"}),
    ("... from there on", "ARG A=1\nFROM x\nARG A\n", {}, {}),
    ("... in that stage only", "ARG A=1\nFROM x\nARG A\nFROM y\nRUN z\n", {}, {}),
    ("no default, no value", "FROM x\nARG A\nRUN y\n", {}, {"A": None}),
    ("no default anywhere", "ARG A\nFROM x\nARG A\nRUN y\n", {}, {"A": None}),
    ("a build argument", "FROM x\nARG A\nARG B=2\nRUN y\n", {"A": "a", "B": "b"}, {"A": "a", "B": "b"}),
    ("... is not expanded", "FROM x\nARG A\nRUN y\n", {"A": "$B"}, {"A": "$B"}),
    ("... counts for declared names only", "FROM x\nENV B=$A\nRUN y\n", {"A": "a", "B": "b"}, {"B": None}),
    ("... in the global scope", "ARG A=1\nARG B=$A\nFROM x\n", {"A": "a"}, {"A": "a", "B": "a"}),
    ("... and from there in a stage", "ARG A=1\nFROM x\nARG A=2\nRUN y\n", {"A": "a"}, {"A": "a"}),
    ("ENV after ARG", "FROM x\nARG A=1\nENV A=2\nRUN y\n", {"A": "a"}, {"A": "2"}),
    ("ENV from ARG", "FROM x\nARG A=1\nENV A=${A:-3}4\nRUN y\n", {}, {"A": "14"}),
    ("ARG after ENV", "FROM x\nENV A=2\nARG A=1\nRUN y\n", {}, {"A": "1"}),
    ("ARG without a value after ENV", "FROM x\nENV A=2\nARG A\nRUN y\n", {}, {"A": "2"}),
    (
        "a line of ENV sees what was before it",
        "FROM x\nENV A=1\nENV A=2 B=$A\nRUN y\n",
        {},
        {"A": "2", "B": "1"},
    ),
    ("one ARG sees the one before it", "FROM x\nARG A=1 B=$A\nRUN y\n", {}, {"A": "1", "B": "1"}),
    ("the old form", "FROM x\nENV A 1  2\nRUN y\n", {}, {"A": "1  2"}),
    ("quotes go", "FROM x\nENV A=\"1 2\" B='$A' C=\\$\nRUN y\n", {}, {"A": "1 2", "B": "$A", "C": "$"}),
    ("names are expanded", "FROM x\nARG A=B\nENV $A=1\nRUN y\n", {}, {"A": "B", "B": "1"}),
    ("the base image may set it", "FROM x\nENV A=$B C=${B:-1}\nRUN y\n", {}, {"A": None, "C": None}),
    ("scratch sets nothing", "FROM scratch\nENV A=$B C=${B:-1}\nRUN y\n", {}, {"A": "", "C": "1"}),
    (
        "not known stays not known",
        "FROM x\nARG A\nENV B=$A\nENV C=${B:-1}\nRUN y\n",
        {},
        {"A": None, "B": None, "C": None},
    ),
    ("what BuildKit refuses is not known", "FROM x\nENV A=${B^^}\nRUN y\n", {}, {"A": None}),
    (
        "a stage inherits",
        "FROM x AS s\nENV A=1\nARG B=2\nFROM S\nENV C=3\nRUN y\n",
        {},
        {"A": "1", "B": "2", "C": "3"},
    ),
    ("... what was there at the end", "FROM x AS s\nENV A=1\nENV A=2\nFROM s\nRUN y\n", {}, {"A": "2"}),
    ("... through an ARG", "ARG B=s\nFROM x AS s\nENV A=1\nFROM $B\nRUN y\n", {}, {"A": "1"}),
    (
        "... from the latest of that name",
        "FROM x AS s\nENV A=1\nFROM x AS s\nENV A=2\nFROM s\nRUN y\n",
        {},
        {"A": "2"},
    ),
    ("... from no later one", "FROM s\nRUN y\n", {}, {}),
    ("... ENV where an ARG hid it", "FROM x AS s\nENV A=1\nARG A=2\nFROM s\nRUN y\n", {}, {"A": "1"}),
    (
        "... triggers run",
        "FROM x AS s\nONBUILD ENV A=1\nONBUILD ARG B=$A\nONBUILD ENV C=$B\nFROM s\nRUN y\n",
        {},
        {"A": "1", "B": "1", "C": "1"},
    ),
    ("... once", "FROM x AS s\nONBUILD ENV A=1\nFROM s AS t\nENV A=2\nFROM t\nRUN y\n", {}, {"A": "2"}),
    ("an instruction does not see what it sets", "FROM x\nENV A=1\n", {}, {}),
    ("escape", "# escape=`\nFROM x\nENV A=C:\\ B=`$A\nRUN y\n", {}, {"A": "C:\\", "B": "$A"}),
]


@pytest.mark.parametrize(
    ("text", "build_args", "expected"), [row[1:] for row in SCOPED], ids=[row[0] for row in SCOPED]
)
def test_scopes(text: str, build_args: dict[str, str], expected: dict[str, str | None]) -> None:
    assert visible(text, build_args) == expected


def test_predefined_arguments() -> None:
    document = parse(
        "FROM x AS one\nRUN y\nARG TARGETARCH TARGETVARIANT TARGETSTAGE BUILDPLATFORM=z\nRUN y\n"
    )
    from_, before, _, after = scopes(document, {}, "linux/arm/v6")
    assert from_["TARGETPLATFORM"] == from_["BUILDPLATFORM"] == "linux/arm/v6"
    assert "TARGETARCH" not in before
    assert dict(after) == {
        "TARGETARCH": "arm",
        "TARGETVARIANT": "v6",
        "TARGETSTAGE": "one",
        "BUILDPLATFORM": "z",
    }
    assert scopes(document, {"TARGETOS": "plan9"})[0]["TARGETOS"] == "plan9"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux/amd64", ("linux/amd64", "linux", "amd64", "")),
        ("linux/arm64/v8", ("linux/arm64", "linux", "arm64", "")),
        ("Linux/aarch64", ("linux/arm64", "linux", "arm64", "")),
        ("linux/x86_64", ("linux/amd64", "linux", "amd64", "")),
        ("linux/arm", ("linux/arm/v7", "linux", "arm", "v7")),
        ("linux/amd64/v2", ("linux/amd64/v2", "linux", "amd64", "v2")),
    ],
)
def test_platforms(platform: str, expected: tuple[str, ...]) -> None:
    (scope,) = scopes(parse("FROM x\n"), {}, platform)
    assert tuple(scope[f"TARGET{part}"] for part in ("PLATFORM", "OS", "ARCH", "VARIANT")) == expected


def test_run_sees_the_proxy_build_arguments_undeclared() -> None:
    document = parse("FROM x\nENV A=$HTTP_PROXY\nRUN y\nENV no_proxy=b\nRUN z\n")
    _, env, run, _, later = scopes(document, {"HTTP_PROXY": "p", "no_proxy": "q", "OTHER": "o"})
    assert dict(env) == {}
    assert dict(run) == {"A": None, "HTTP_PROXY": "p", "no_proxy": "q"}
    assert later["no_proxy"] == "b"


def test_base_env() -> None:
    text = "FROM x\nRUN y\nFROM y\nENV B=$A C=$PATH\nRUN y\nFROM scratch\nENV C=$PATH\nRUN z\n"
    found = scopes(parse(text), {}, base_env={0: {"A": "base"}, 1: {"PATH": "/bin"}})
    assert dict(found[1]) == {"A": "base"}
    assert dict(found[4]) == {"B": None, "C": "/bin", "PATH": "/bin"}
    assert found[4].open and not found[7].open
    assert found[7]["C"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_a_scope_is_a_mapping() -> None:
    *_, scope = scopes(parse("FROM x AS s\nENV A=1 B=2\nFROM s\nENV A=3\nARG C\nRUN y\n"), {})
    assert dict(scope) == {"A": "3", "B": "2", "C": None}
    assert (len(scope), scope.get("D", "no"), "C" in scope, "D" in scope) == (3, "no", True, False)
    assert repr(scope) == "Scope({'A': '3', 'C': None, 'B': '2'}, open=True)"
    assert (scope.hides("A"), scope.hides("C"), scope.hides("D")) == (False, False, True)
    with pytest.raises(KeyError):
        scope["D"]


def test_stages_built_on_each_other_in_a_long_row() -> None:
    text = "FROM x AS s0\nENV A=1\n" + "".join(
        f"FROM s{n} AS s{n + 1}\nENV B=$A{n} A=$B\n" for n in range(100)
    )
    *_, scope = scopes(parse(text + "RUN y\n"), {}, base_env={0: {"B": "b"}})
    assert scope["B"] is None and scope["A"] is None
    *_, scope = scopes(parse(text.replace("$A", "${A}").replace("x AS", "scratch AS") + "RUN y\n"), {})
    assert scope["B"] is not None
