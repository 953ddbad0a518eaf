"""Dockerfiles and contexts that nobody means well with: whatever they say, there is an answer, and soon."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest
from boot_jar import boot_jar, noise

from imgopt.dockerfile import parse
from imgopt.dockerfile.faults import check_stages
from imgopt.errors import DockerfileError
from imgopt.options import Options
from imgopt.picture import Jars, Picture, take_picture
from imgopt.suggest.dockerfile import report_file
from imgopt.suggest.result import FileReport
from imgopt.weigh.layers import Weigher
from imgopt_rules import ALL_RULES


def look(root: Path, text: str) -> FileReport:
    """Processor time, so that a busy machine does not matter."""
    jars = Jars()
    started = time.process_time()
    report = report_file(
        str(root / "Dockerfile"), text.encode(), Options(context=root), ALL_RULES, jars, Weigher(jars)
    )
    assert time.process_time() - started < 6  # the aim is 2; machines differ
    return report


def picture_of(root: Path, text: str) -> Picture:
    from imgopt.build_context.tree import open_context

    return take_picture(parse(text), open_context(root, root / "Dockerfile"), Options(context=root))


@pytest.mark.parametrize(
    "source",
    ["/x/[z-a]", "/x/[", "/x/**.jar", "/x/a[^", "/target/**.jar", "/target/[!a].jar", f"/target/{'a' * 300}.jar",
     "../target/app.jar", "/target/a\\", "/x/" + "*a" * 40, "/x/[a-]"],
)  # fmt: skip
def test_patterns_behind_from(tmp_path: Path, source: str) -> None:
    boot_jar(tmp_path / "target" / "app.jar")
    (tmp_path / ("a" * 200)).write_text("x")
    text = f"FROM openjdk:17 AS build\nCOPY . /x/\nFROM openjdk:17\nCOPY --from=build {source} /app.jar\nCMD java -jar app.jar\n"
    assert look(tmp_path, text).findings


def test_patterns_behind_from_are_those_of_a_copy(tmp_path: Path) -> None:
    for name in ("a1.jar", "b2.jar", "c.txt"):
        (tmp_path / name).write_text("x")
    for pattern, names in {
        "/x/*.jar": {"a1.jar", "b2.jar"},
        "/x/[^a]?.jar": {"b2.jar"},
        "/*/c.txt": {"c.txt"},
        "/x/[c]*": {"c.txt"},
        "/x/[!a]*": {"a1.jar"},  # Go negates with ^ only: "!" or "a"
        "*.jar": set(),
    }.items():
        text = f"FROM scratch AS one\nCOPY . /x/\nFROM scratch\nCOPY --from=one {pattern} /y/\n"
        files = picture_of(tmp_path, text).final.content.files
        assert {file.removeprefix("/y/") for file in files} == names, pattern


def test_what_a_run_unpacks_makes_directories(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    text = "FROM alpine\nCOPY a /\nRUN mkdir -p /b/c/d && cp /a /b/c/d/e && mv /b /f && rm -r /f/c/gone\n"
    content = picture_of(tmp_path, text).final.content
    assert [file.path for file in content.below("/f")] == ["/f/c/d/e"]
    assert content.is_directory("/f/c/d")


HOSTILE = {
    "a shell that runs itself": "ENV X='sh -c \"$X\"'\nRUN sh -c \"$X\"\nCMD sh -c \"$X\"",
    "loops in loops": "RUN " + "for a in 1 2 3 4 5 6 7 8 9; do " * 20 + "touch a" + "; done" * 20,
    "empty loops": "RUN " + "for a in 1 2 3 4 5 6 7 8 9; do " * 20 + "; done" * 20,
    "a directory copied into itself": "COPY . /x\nRUN " + " && ".join(f"cp -r /x /x/{n}" for n in range(40)),
    "run after run": "COPY . /x\n" + "".join(f"RUN cp -r /x /x/{n}\n" for n in range(40)),
    "functions": "RUN " + "a(){" * 15_000,
    "many variables": "".join(f"ENV A{n}=1\n" for n in range(2500)) + "RUN x\n" * 2500,
    "many commands": "COPY . /x\nRUN " + "touch /x/*;" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_grows_without_end(tmp_path: Path, name: str) -> None:
    boot_jar(tmp_path / "target" / "app.jar")
    for number in range(200):
        (tmp_path / f"{number}.txt").write_text("x")
    look(tmp_path, f"FROM openjdk:17\n{HOSTILE[name]}\n")


def test_what_was_not_followed_is_not_taken_for_complete(tmp_path: Path) -> None:
    many = " ".join(map(str, range(100)))
    for script in (
        f"for a in {many}; do touch $a; done",
        "sh -c 'if a'",
        "for a in 1 2 3 4 5 6 7 8; do " * 9 + "true" + "; done" * 9,
    ):
        final = picture_of(tmp_path, f"FROM openjdk:17\nRUN {script}\n").final.content
        assert final.dark and not final.layers[-1].complete, script


def test_a_chain_of_stages(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    chain = "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(990))
    report = look(tmp_path, f"FROM openjdk:17 AS s0\nCOPY a /\n{chain}")
    assert len(report.stages) == 991


def test_stages_that_need_each_other() -> None:
    with pytest.raises(DockerfileError, match=r"circle \(a -> a\)"):
        check_stages(parse("FROM x AS a\nCOPY --from=a b c\n"))
    with pytest.raises(DockerfileError, match=r"circle \(. -> . -> .\)"):
        check_stages(parse("FROM x AS a\nCOPY --from=b b c\nFROM x AS b\nCOPY --from=a b c\n"))
    check_stages(parse("FROM x AS a\nFROM a AS b\nFROM a AS c\nCOPY --from=b x y\nCOPY --from=a x y\n"))
    needs = "".join(f"FROM x AS s{n}\nCOPY --from=s{n + 1} a b\n" for n in range(999))
    check_stages(parse(needs + "FROM x AS s999\n"))


@pytest.mark.parametrize("deflated", [True, False])
def test_a_jar_that_claims_more_than_it_holds(tmp_path: Path, deflated: bool) -> None:
    """Two thousand entries that share the bytes of one."""
    path = tmp_path / "target" / "app.jar"
    data = bytes(5 << 20) if deflated else noise(1 << 20)
    boot_jar(path, libraries={f"big-{number}.jar": b"" for number in range(2_000)} | {"big.jar": data})
    share(path, "BOOT-INF/lib/big-", "BOOT-INF/lib/big.jar", deflated=deflated)
    text = (
        'FROM eclipse-temurin:17-jdk\nCOPY target/app.jar app.jar\nENTRYPOINT ["java", "-jar", "app.jar"]\n'
    )
    report = look(tmp_path, text)
    assert any("share bytes" in warning for warning in report.warnings)


def share(path: Path, prefix: str, name: str, *, deflated: bool) -> None:
    """Makes all entries whose names begin so claim the bytes of another one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if deflated and info.filename == name:
                info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)
        shared = new.getinfo(name)
        for info in new.filelist:
            if info.filename.startswith(prefix):
                info.CRC, info.compress_type = shared.CRC, shared.compress_type
                info.file_size, info.compress_size = shared.file_size, shared.compress_size
                info.header_offset = shared.header_offset
        new._didModify = True  # type: ignore[attr-defined]
    path.write_bytes(buffer.getvalue())
