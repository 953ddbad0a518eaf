"""What RUN lines write, as it is predicted and as the shells themselves write it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imgopt.picture.written import written_by

#: Each writes `start`; None in the expectation: it cannot be told.
KNOWN = [
    "echo 'exec java -jar /app.jar' > start",
    "echo '#!/bin/sh\\nexec java -jar \"$JAR\"' > start",
    'echo "exec java \\$OPTS -jar $JAR" >start',
    "echo -n a > start; echo b >> start",
    "echo -e 'a\\tb' > start",
    "echo a  'b  c' d > start",
    "printf '#!/bin/sh\\nexec java -jar %s \"$@\"\\n' /app.jar > start",
    "printf '%s\\n' '#!/bin/sh' 'exec java' '100%' > start",
    "printf '100%%\\n' > start && printf '%b' 'a\\nb' >> start",
    "{ echo a; echo b; } > start",
    "(echo a && printf 'b\\n') > start",
    "echo a | tee start > /dev/null && echo b | tee -a start",
    "cat > start <<EOF\nexec java \\$OPTS -jar $JAR 'x'\n\"y\"\nEOF\nchmod +x start",
    "cat <<'EOF' > start\nexec java $OPTS -jar `pwd`\nEOF\n",
    "cat <<-EOF >start\n\ta\n\tb\nEOF\n",
    "mkdir -p a && cd a && echo x > ../start",
    "echo 'a' > start && sed -i 's/\\r$//' start && chmod 755 start",
    "echo caf\u00e9 > start",
]
NOT_KNOWN = [
    "echo $(cat /etc/hostname) > start",
    "echo `pwd` > start",
    "echo $UNKNOWN > start",
    "echo * > start",
    "date > start",
    "if [ -e /nowhere ]; then echo a > start; fi",
    "false || echo a > start",
    "printf '%5d' 7 > start",
    "printf '\\101' > start",
    "cat > start <<EOF\n$(id -u)\nEOF\n",
    "echo a > start; sed -i 's/a/b/' start",
    "echo a > start; mv start other; echo b | rev > start",
    "{ date; echo a; } > start",
    "for x in 1 2; do echo $x >> start; done",
    "write() { echo $1 > start; }; write a",
]


def predicted(text: str, directory: str, sh: str) -> str | None:
    content: str | None = ""
    for each in written_by(text, directory, {"JAR": "/app.jar", "HOME": None}, sh):
        if each.path == f"{directory}/start":
            before = content if each.added else ""
            content = before + each.text if each.text is not None and before is not None else None
    return content


@pytest.mark.parametrize("sh", ["dash", "bash"])
@pytest.mark.parametrize("text", KNOWN)
def test_what_is_literal_is_known(text: str, sh: str, tmp_path: Path) -> None:
    subprocess.run(
        [sh, "-c", text], cwd=tmp_path, env={"JAR": "/app.jar", "PATH": "/usr/bin:/bin"}, check=True
    )
    assert predicted(text, str(tmp_path), sh) == (tmp_path / "start").read_text()


@pytest.mark.parametrize("sh", ["dash", "bash", "ash"])
@pytest.mark.parametrize("text", NOT_KNOWN)
def test_what_only_shows_when_it_runs_is_not(text: str, sh: str) -> None:
    assert not predicted(text, "/work", sh)


def test_what_echo_makes_of_a_backslash_is_not_known_without_its_shell() -> None:
    (said,) = written_by("echo 'a\\nb' > /start", "/", {}, None)
    assert said.text is None
    (said,) = written_by("echo 'a' > /start", "/", {}, None)
    assert said.text == "a\n"
