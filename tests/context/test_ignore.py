from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgopt.build_context.patterns import (
    BadPattern,
    IgnoreRules,
    _any_of,
    _Folders,
    _Many,
    _Matcher,
    _One,
    glob_match,
    has_wildcard,
    read_ignore_file,
    rules_from,
)
from imgopt.errors import ContextError

# --- Go's filepath.Match: the examples of its documentation and what follows from its rules


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("ab[!c]", "abc", True),  # ! is a character like any other
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "-", True),
        ("[x\\-]", "z", False),
        ("[\\-x]", "a", False),
        ("[b-a]", "a", False),
        ("[^b-a]", "a", True),
        ("*x", "xxx", True),
        ("**", "a", True),
        ("*.jar", "app.jar.original", False),
        (".*", ".env", True),
        ("*", ".env", True),
        ("[&&|~-~]", "&", True),
    ],
)
def test_glob_match(pattern: str, name: str, matches: bool) -> None:
    assert glob_match(pattern, name) is matches


@pytest.mark.parametrize(
    "pattern", ["[", "[a", "[a-", "[a-]", "[-a]", "[]a]", "[^]a]", "[^", "a[", "a\\", "[\\", "x[^bc", "*[a"]
)
@pytest.mark.parametrize("name", ["", "a", "zzz"])
def test_a_malformed_glob_is_refused_whatever_the_name(pattern: str, name: str) -> None:
    with pytest.raises(BadPattern, match="syntax error in pattern"):
        glob_match(pattern, name)


def reference_match(pattern: str, name: str) -> bool:
    """Globs by definition, exponential and plain; no classes."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(
            reference_match(pattern[1:], name[cut:]) for cut in range(len(name) + 1) if "/" not in name[:cut]
        )
    return (
        bool(name)
        and (name[0] == pattern[0] or (pattern[0] == "?" and name[0] != "/"))
        and reference_match(pattern[1:], name[1:])
    )


@given(st.text("ab*?/", max_size=8), st.text("ab/", max_size=8))
def test_glob_match_agrees_with_the_definition(pattern: str, name: str) -> None:
    assert glob_match(pattern, name) is reference_match(pattern, name)


@pytest.mark.parametrize(
    ("component", "wild"),
    [("a*", True), ("a?", True), ("[a]", True), ("a\\*", False), ("a]", False), ("\\\\*", True)],
)
def test_has_wildcard(component: str, wild: bool) -> None:
    assert has_wildcard(component) is wild


# --- the matcher's two ways

TOKENS = st.lists(
    st.one_of(
        st.sampled_from(["a", "b", "/", "[^/]", "[ab]"]).map(_One),
        st.sampled_from(["[^/]", ".", "[a]"]).map(_Many),
        st.just(_Folders()),
    ),
    max_size=7,
)


@given(TOKENS, st.text("ab/", max_size=9))
def test_states_and_regular_expression_agree(tokens: list[_One | _Many | _Folders], text: str) -> None:
    matcher = _Matcher(tokens)
    assert matcher.matches_by_states(text) is (re.fullmatch(matcher.regex(), text) is not None)


@pytest.mark.parametrize("pattern", ["*a" * 60 + "b", "**/a" * 30 + "/b", "**/" + "*a" * 40])
def test_a_hostile_pattern_takes_no_time(pattern: str) -> None:
    start = time.process_time()
    IgnoreRules(rules_from([pattern])).state("a" * 250 + "/" + "a" * 250 + "/c")
    assert time.process_time() - start < 2


# --- ignore rules


def ignored(rules: str, path: str) -> bool:
    return read_ignore_file(rules.encode(), ".dockerignore").state(path)[0]


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("**/*.md", "README.md", True),
        ("**/*.md", "docs/a/README.md", True),
        ("docs", "docs/a/README.md", True),
        ("docs/", "docs/a", True),
        ("/docs", "docs", True),
        ("./docs", "docs", True),
        ("docs", "src/docs", False),
        ("**/docs", "src/docs/a", True),
        ("target\n!target/*.jar", "target/classes/A", True),
        ("target\n!target/*.jar", "target/app.jar", False),
        ("target\n!target/*.jar\ntarget/x.jar", "target/x.jar", True),
        ("!a\na", "a", True),
        ("a\n!a", "a", False),
        ("# docs", "# docs", False),
        (" # docs", "# docs", True),
        ("\ufeff# docs\ndocs", "docs", True),
        ("docs\r\nsrc\r\n", "src", True),
        ("! docs", "docs", False),
        ("*\n!\tdocs", "docs", False),
        ("a+b.tx?", "a+b.txt", True),
        ("a+b.tx?", "aab.txt", False),
        ("*.[jw]ar", "a.war", True),
        ("*.{jar,war}", "a.war", False),  # braces are plain characters
        ("*.jar|*.war", "a.war", True),  # Docker forgets to escape the bar
        ("a?|b", "axe", True),  # starts as a? says
        ("a?|b", "xeb", True),  # or ends as b says
        ("a?|b", "xax", False),
        ("[[:digit:]]x", "5x", True),
        ("file\\d", "file7", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("..", "a", False),
        ("../a", "a", False),
        (".", "a", False),
        ("/", "a", False),
    ],
)
def test_rules(rules: str, path: str, expected: bool) -> None:
    assert ignored(rules, path) is expected


@pytest.mark.parametrize(
    ("rules", "line", "says"),
    [
        ("docs\n!\n", 2, "nothing follows the !"),
        ("a\nb\n\n[a-\n", 4, "syntax error in pattern: [a-"),
        ("target\\classes\n", 1, "syntax error in pattern: target\\classes"),
        ("a\\", 1, "syntax error in pattern"),
        ("#\n" + "x" * 70_000, 2, "a line of 70000 bytes"),
    ],
)
def test_what_docker_refuses(rules: str, line: int, says: str) -> None:
    with pytest.raises(ContextError) as caught:
        read_ignore_file(rules.encode(), ".dockerignore", "app/.dockerignore")
    assert (caught.value.path, caught.value.line) == ("app/.dockerignore", line)
    assert says in caught.value.message
    assert caught.value.hint


def test_bytes_that_are_no_utf8_match_themselves() -> None:
    name = b"caf\xe9"
    rules = read_ignore_file(b"caf\xe9\n", ".dockerignore")
    assert rules.state(name.decode("utf-8", "surrogateescape"))[0]


COMPONENT = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "?"])
PATTERN = st.lists(COMPONENT, min_size=1, max_size=3).map("/".join)
RULES = st.lists(st.tuples(st.booleans(), PATTERN), max_size=6)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4).map("/".join)


def slow_match(pattern: str, path: str) -> bool:
    """A pattern whose ``**`` are whole components, by definition: ``**`` is any number of components."""
    first, _, rest = pattern.partition("/")
    if first == "**":
        if not rest:
            return True
        return any(slow_match(rest, path[cut:]) for cut in (0, *(m.end() for m in re.finditer("/", path))))
    name, slash, below = path.partition("/")
    if not reference_match(first, name):
        return False
    if not rest:
        return not slash
    # "a/**" needs something below a
    return bool(slash) and slow_match(rest, below)


def slow_ignored(rules: list[tuple[bool, str]], path: str) -> bool:
    """Rule by rule and directory by directory, as Docker does it."""
    parts = path.split("/")
    held = [False] * len(rules)
    matched = False
    for depth in range(1, len(parts) + 1):
        here = "/".join(parts[:depth])
        matched = False
        holds = []
        for (exception, pattern), held_above in zip(rules, held, strict=True):
            holding = held_above or (exception == matched and slow_match(pattern, here))
            holds.append(holding)
            if holding:
                matched = not exception
        held = holds
    return matched


@given(RULES, PATH)
def test_rules_agree_with_the_slow_definition(rules: list[tuple[bool, str]], path: str) -> None:
    text = "\n".join(("!" if exception else "") + pattern for exception, pattern in rules)
    assert ignored(text, path) is slow_ignored(rules, path)


@given(RULES, PATH)
def test_a_pruned_directory_holds_nothing(rules: list[tuple[bool, str]], path: str) -> None:
    text = "\n".join(("!" if exception else "") + pattern for exception, pattern in rules)
    fast = read_ignore_file(text.encode(), ".dockerignore")
    for cut in (match.start() for match in re.finditer("/", path)):
        directory = path[:cut]
        if fast.state(directory)[0] and not fast.may_take_back_below(directory):
            assert fast.state(path)[0]


def test_no_regex_for_no_rules() -> None:
    assert _any_of([]) is None
    assert not IgnoreRules()
    assert IgnoreRules(rules_from(["a"])) == IgnoreRules(rules_from([" a "]))
