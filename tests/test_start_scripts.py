"""Start scripts of the kinds that images have, each in a build context of its own: what is understood of each.

The scripts lie in fixtures/start-scripts; those in not-known/ hold what nobody can tell before the container runs, or
what the smaller image would not have, and their image must not be changed as if it were safe.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from boot_jar import boot_jar
from command_line import Imgopt, imgopt  # noqa: F401

SCRIPTS = Path(__file__).parents[1] / "fixtures/start-scripts"
BASE = "eclipse-temurin:17-jdk"  # Ubuntu: `sh` is dash
ALPINE, GLIBC = "eclipse-temurin:17-jre-alpine", "eclipse-temurin:17-jre"
BASH = "the script /start.sh runs in bash, which eclipse-temurin:17-jre-alpine lacks"

#: The base that each script may run on, and what stands against Alpine.
UNDERSTOOD = {
    "arrays": (GLIBC, BASH),
    "as-user-with-limits": (GLIBC, BASH),
    "command-in-variable": (ALPINE, None),
    "config-curl": (GLIBC, "calls `curl`, which eclipse-temurin:17-jre-alpine is not known to have"),
    "config-server": (ALPINE, None),
    "dispatch": (ALPINE, None),
    "evaluated": (ALPINE, None),
    "exec": (ALPINE, None),
    "file-env": (GLIBC, BASH),
    "found": (ALPINE, None),
    "glob": (ALPINE, None),
    "glob-absolute": (ALPINE, None),
    "graceful": (ALPINE, None),
    "java-home": (ALPINE, None),
    "keystore": (ALPINE, None),
    "legacy-backquotes": (ALPINE, None),
    "library": (ALPINE, None),
    "listed": (ALPINE, None),
    "log-to-file": (GLIBC, BASH),
    "memory-bash": (GLIBC, BASH),
    "memory-expr": (ALPINE, None),
    "one-array": (GLIBC, BASH),
    "options-over-lines": (ALPINE, None),
    "run-java": (ALPINE, None),
    "secrets": (ALPINE, None),
    "step-down": (ALPINE, None),
    "su": (ALPINE, None),
    "unset-in-subshell": (ALPINE, None),
    "wait-nc": (ALPINE, None),
    "wait-tcp": (GLIBC, BASH),
    "writes-settings": (ALPINE, None),
}
#: Why the image of each stays: with its JDK (True), or on glibc at least.
NOT_KNOWN = {
    "diagnostics": (True, "the script /start.sh calls `jcmd`, which only a JDK has"),
    "evaluates-the-environment": (True, "runs `$BEFORE_START`, and which program that is only shows when it runs"),
    "function-after-its-call": (False, "calls `vendor_log`, which"),
    "function-on-condition": (False, "calls `vendor_log`, which"),
    "hidden-behind-sudo": (False, "calls `vendor-wait`, which"),
    "hidden-in-a-document": (False, "calls `vendor-token`, which"),
    "hidden-in-a-substitution": (False, "calls `vendor-memory`, which"),
    "hidden-in-a-trap": (False, "calls `vendor-report`, which"),
    "hidden-in-backquotes": (False, "calls `vendor-memory`, which"),
    "java-is-a-function": (True, "gives `java` its own meaning"),
    "java-is-an-alias": (True, "gives `java` its own meaning"),
    "only-asks-for-java": (True, 'runs `"$RUNNER"`, and which program that is only shows when it runs'),
    "other-path": (True, "looks for programs in /opt/vendor/tools alone"),
    "python": (True, "is written for python3, and what it runs is not followed"),
    "reads-another-file": (True, "reads commands from /opt/vendor/settings.sh, which is not in the build context"),
    "runs-a-variable": (True, "runs `$LAUNCHER`, and which program that is only shows when it runs"),
    "unclosed": (True, "holds shell text that could not be read"),
}  # fmt: skip


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jar") / "app.jar"
    boot_jar(path)
    return path


def context(directory: Path, script: Path, jar: Path, base: str = BASE, before: str = "") -> Path:
    (directory / "target").mkdir(parents=True)
    shutil.copyfile(jar, directory / "target/app.jar")
    shutil.copyfile(script, directory / "start.sh")
    shutil.copyfile(SCRIPTS / "functions.sh", directory / "functions.sh")
    command = 'CMD ["db:5432", "--", "java", "-jar", "/app/app.jar"]\n' if "wait" in script.stem else ""
    (directory / "Dockerfile").write_text(
        f"FROM {base}\n{before}WORKDIR /app\nCOPY functions.sh start.sh /\nCOPY target/app.jar /app/app.jar\n"
        f'ENTRYPOINT ["/start.sh"]\n{command}'
    )
    return directory


def answer(imgopt: Imgopt, directory: Path) -> tuple[str, bool, str]:  # noqa: F811
    """The final base, whether the jar is layered, and what was not applied."""
    report = json.loads(imgopt("suggest", "--format", "json", directory).text)["files"][0]
    text = report["rewrite"].get("text") or (directory / "Dockerfile").read_text()
    bases = [line.split()[1] for line in text.splitlines() if line.startswith("FROM")]
    return bases[-1], len(bases) > 1, "\n".join(each["why"] for each in report["rewrite"]["not_applied"])


def test_every_script_is_told_of() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.sh")} == UNDERSTOOD.keys() | {
        "functions",
        "step-down-alpine",
    }
    assert {path.stem for path in (SCRIPTS / "not-known").glob("*.sh")} == NOT_KNOWN.keys()


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_is_understood(name: str, imgopt: Imgopt, jar: Path, tmp_path: Path) -> None:  # noqa: F811
    base, against = UNDERSTOOD[name]
    before = (
        "RUN apt-get update && apt-get install -y --no-install-recommends gosu && rm -rf /var/lib/apt/lists/*\n"
        if name == "step-down"
        else ""
    )
    found, layered, why = answer(imgopt, context(tmp_path / name, SCRIPTS / f"{name}.sh", jar, before=before))
    assert (found, layered) == (base, True), why
    assert why.count("\n") == 0, "one reason at most"
    assert (against or "") in why
    assert bool(why) is (against is not None)


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known(name: str, imgopt: Imgopt, jar: Path, tmp_path: Path) -> None:  # noqa: F811
    keeps_jdk, reason = NOT_KNOWN[name]
    found, _, why = answer(imgopt, context(tmp_path / name, SCRIPTS / f"not-known/{name}.sh", jar))
    assert found == (BASE if keeps_jdk else GLIBC)
    assert reason in why


def test_a_step_down_on_alpine(imgopt: Imgopt, jar: Path, tmp_path: Path) -> None:  # noqa: F811
    script = SCRIPTS / "step-down-alpine.sh"
    project = context(
        tmp_path / "p", script, jar, "eclipse-temurin:17-jdk-alpine", "RUN apk add --no-cache su-exec\n"
    )
    assert answer(imgopt, project) == (ALPINE, True, "")


@pytest.mark.parametrize("name", [name for name, (base, _) in UNDERSTOOD.items() if base == GLIBC])
def test_bash_stays_bash_from_debian_to_ubuntu(
    name: str,
    imgopt: Imgopt,  # noqa: F811
    jar: Path,
    tmp_path: Path,
) -> None:
    project = context(tmp_path / name, SCRIPTS / f"{name}.sh", jar, "openjdk:17-jdk-slim")
    found, layered, _ = answer(imgopt, project)
    assert (found, layered) == ("eclipse-temurin:17-jre-jammy", True)


HOSTILE = {
    "one-line": "#!/bin/sh\necho " + "a" * 200_000 + "\nexec java -jar /app/app.jar\n",
    "many-words": "#!/bin/sh\necho " + "a " * 100_000 + "\nexec java -jar /app/app.jar\n",
    "substitutions": "#!/bin/sh\n" + "x=$(" * 20_000,
    "parentheses": "#!/bin/sh\n" + "((" * 60_000,
    "quotes": "#!/bin/sh\n" + "\"'" * 100_000,
    "documents": "#!/bin/sh\n" + "cat <<E\n" * 20_000,
    "pipes": "#!/bin/sh\n" + "a|" * 80_000 + "b\n",
    "functions": "#!/bin/sh\n" + "f() { f; }\n" * 10_000,
    "evals": "#!/bin/sh\n" + "eval " * 40_000 + "x\n",
    "wrappers": "#!/bin/sh\n" + "exec env " * 20_000 + "x\n",
    "shells": "#!/bin/sh\n" + "sh -c 'sh -c \"sh -c x\"'\n" * 5_000,
    "assignments": "#!/bin/sh\n" + "X=$X$X\n" * 20_000 + "java -jar $X\n",
    "arrays": "#!/bin/bash\n" + 'A+=("${A[@]}" "${A[@]}")\n' * 200 + 'java "${A[@]}"\n',
    "doubling": "#!/bin/bash\nA=(x y)\n" + 'A=("${A[@]}" "${A[@]}")\n' * 60 + 'java "${A[@]}"\n',
    "patterns": "#!/bin/sh\njava -jar /app/" + "*a" * 20_000 + ".jar\n",
    "sources": "#!/bin/sh\n" + ". /start.sh\n" * 10_000,
    "nul": "#!/bin/sh\n\0\nexec java -jar /app/app.jar\n",
    "two-variables": "#!/bin/sh\nA='$B $B'\nB='$A $A'\n" + "A=\"$A$B\"\nB=\"$B$A\"\n" * 60 + "java -jar $A\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scripts_end(name: str, imgopt: Imgopt, jar: Path, tmp_path: Path) -> None:  # noqa: F811
    """No crash, no endless reading, no memory that doubles with each line: the answer comes, and is one."""
    script = tmp_path / "hostile.sh"
    script.write_text(HOSTILE[name])
    project = context(tmp_path / "p", script, jar)
    found, layered, why = answer(imgopt, project)
    assert found == BASE or layered or "-jar" in why or BASH in why
