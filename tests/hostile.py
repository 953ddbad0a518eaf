"""Names that do harm where they are taken for code: in a shell, in a Dockerfile, as options, as patterns.

Whatever they make a program do, it is to leave a file called PWNED in the working directory.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

#: One of them is a file's name, or a part of one.
NAMES = (
    "$(touch${IFS}PWNED)", "$(touch PWNED)", "`touch PWNED`", "x;touch PWNED;true", "x&touch PWNED", "x|touch PWNED", "a&&touch PWNED",
    "x>PWNED", "$(>PWNED)", "';touch PWNED;'", '";touch PWNED;"', "'\"'\"';touch PWNED;'", "a'b", 'a"b', "a\\", "\\", "a\\b", "\\$(touch PWNED)",
    "App$1.class", "$HOME", "${HOME}", "$$", "$'\\x41'", "${X:-$(touch PWNED)}", "read me.txt", " lead", "trail ", "a  b", "<<EOF", "3<<EOF",
    "a<<-'EOF'", "<(touch PWNED)", "#x", "x #y", "*", "[a]", "?", "[!a]*", "{a,b}", "~", "~root", "!x", "!!", "-x", "--x", "--from=y", "-C", "@x",
    "--release9", "%s%n", "%(x)s", "=x", "A=b", "été.txt", "日本.txt", "[", "]", "[\"a\"]", "a,b", "a:b", "x\\ny", "&#10;", "(a)", "a b;touch PWNED",
)  # fmt: skip
#: What no line can carry: it is refused.
UNSEEN = (
    "a\nRUN touch PWNED", "\n&&touch PWNED", "a\rb", "a\tb", "\x1b[31m", "a\x7f", "a\u2028b", "a\x85b", "\u202egnp.txt", "\ufeffx", "\udcff", "a\vb",
)  # fmt: skip

_PIECES = st.sampled_from([*NAMES, "a", "B0", ".", "$", "`", "'", '"', "\\", ";", " ", "\\\n"])


def names(*, slash: bool = False, unseen: bool = True) -> st.SearchStrategy[str]:
    """A file's name, of parts of those above and of anything else."""
    pieces = _PIECES | st.sampled_from(UNSEEN) if unseen else _PIECES
    odd = st.text(st.characters(codec="utf-8", exclude_characters="\0/" if not slash else "\0"), max_size=6)
    return (
        st.lists(pieces | odd, min_size=1, max_size=4)
        .map("".join)
        .filter(lambda name: name.strip(" .") not in ("", "-") and (slash or "/" not in name))
        .filter(lambda name: unseen or name.isprintable())
        .filter(lambda name: len(name.encode("utf-8", "surrogatepass")) < 120)
    )


def shells() -> Sequence[str]:
    return ("/bin/dash", "/bin/bash")


def run_in(shell: str, script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs shell text as a RUN runs it."""
    env: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LANG": "C.UTF-8"} | environment
    return subprocess.run([shell, "-c", script], cwd=cwd, env=env, capture_output=True, timeout=60)
