from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import os
import socket
import stat
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgopt.build_context.tree import (
    Context,
    find_context,
    measure,
    names_directory,
    open_context,
    resolve,
    sent,
    unpacked_by_add,
)
from imgopt.errors import ContextError


def write(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def files(root: Path, *names: str) -> None:
    for name in names:
        write(root, **{name: name})


def opened(root: Path, ignore: str | None = None) -> Context:
    if ignore is not None:
        (root / ".dockerignore").write_text(ignore)
    return open_context(root, root / "Dockerfile")


def context_bytes(context: Context) -> int:
    """What a builder is sent at most, in bytes of files."""
    return sum(each.stat.st_size for each in sent(context) if stat.S_ISREG(each.stat.st_mode))


def targets(context: Context, *sources: str, **options: object) -> list[str]:
    return [item.target for item in resolve(context, sources, **options) if not item.is_directory]  # type: ignore[arg-type]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that another user may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


# --- which ignore file


def test_the_ignore_file_of_the_context(tmp_path: Path) -> None:
    context = opened(tmp_path, "a\n")
    assert context.ignore.file == ".dockerignore"
    assert context.ignore.state("a")[0]


def test_the_ignore_file_beside_the_dockerfile_goes_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{".dockerignore": "a", "docker/prod.Dockerfile": "", "docker/prod.Dockerfile.dockerignore": "b"},
    )
    context = open_context(tmp_path, tmp_path / "docker/prod.Dockerfile")
    assert context.ignore.file == "docker/prod.Dockerfile.dockerignore"
    assert not context.ignore.state("a")[0]
    assert context.ignore.state("b")[0]


def test_an_empty_ignore_file_beside_the_dockerfile_still_goes_first(tmp_path: Path) -> None:
    write(tmp_path, **{".dockerignore": "a", "Dockerfile.dockerignore": ""})
    context = opened(tmp_path)
    assert context.ignore.file == "Dockerfile.dockerignore"
    assert not context.ignore.state("a")[0]


def test_an_ignore_file_of_another_dockerfile_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, **{"other.dockerignore": "a", "docker/.dockerignore": "a"})
    context = open_context(tmp_path, tmp_path / "docker" / "Dockerfile")
    assert context.ignore.file is None
    assert not context.ignore


def test_an_ignore_file_is_not_read_through_a_link_that_leads_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "rules").write_text("a\n")
    (root / ".dockerignore").symlink_to("../rules")
    assert opened(root).ignore.file is None
    (root / "rules").write_text("b\n")  # inside, ../rules is this one
    assert opened(root).ignore.state("b")[0]


def test_an_ignore_file_without_end(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes(b"a\n" * (3 * 1024 * 1024))
    with pytest.raises(ContextError, match="larger than 4 MiB"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "file", "a\0b", "x" * 300])
def test_a_context_that_is_no_directory(tmp_path: Path, name: str) -> None:
    files(tmp_path, "file")
    with pytest.raises(ContextError) as caught:
        open_context(tmp_path / name, tmp_path / "Dockerfile")
    assert "--context" in (caught.value.hint or "")
    assert "\n" not in str(caught.value)


# --- links


def test_nothing_outside_is_reached(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    files(tmp_path, "secret", "folder/secret")
    for name, to in [
        ("a", "../secret"),
        ("b", str(tmp_path / "secret")),
        ("c", "../folder"),
        ("d", str(tmp_path)),
    ]:
        (root / name).symlink_to(to)
    context = opened(root)
    for source in [
        "../secret",
        "../../secret",
        "/../secret",
        "c/secret",
        "d/secret",
        "x/../../secret",
        "*/secret",
        "c/*",
    ]:
        assert resolve(context, [source]) == ()
    for source in ["a", "b", "c", "d", "[ab]"]:
        with pytest.raises(ContextError, match="a link to what is not in the build context"):
            resolve(context, [source])
    assert targets(context, ".") == ["a", "b", "c", "d"]
    assert all(item.is_link and item.bytes == 0 for item in resolve(context, ["."]) if item.target)


def test_links_are_resolved_as_if_the_context_were_the_root(tmp_path: Path) -> None:
    files(tmp_path, "etc/hostname")
    (tmp_path / "name").symlink_to("/etc/hostname")
    (copied,) = resolve(opened(tmp_path), ["name"])
    assert (copied.target, copied.source, copied.path) == ("name", "etc/hostname", tmp_path / "etc/hostname")


def test_an_absolute_link_starts_at_the_root_wherever_it_lies(tmp_path: Path) -> None:
    files(tmp_path, "etc/name", "d/etc/name")
    (tmp_path / "d/absolute").symlink_to("/etc/name")
    (tmp_path / "d/relative").symlink_to("etc/name")
    copied = resolve(opened(tmp_path), ["d/absolute", "d/relative"])
    assert [item.source for item in copied] == ["etc/name", "d/etc/name"]


@pytest.mark.parametrize(("links", "enough"), [(255, True), (256, False)])
def test_a_long_chain_of_links(tmp_path: Path, links: int, enough: bool) -> None:
    files(tmp_path, "l0")
    for number in range(links):
        (tmp_path / f"l{number + 1}").symlink_to(f"l{number}")
    if enough:
        assert targets(opened(tmp_path), f"l{links}") == [f"l{links}"]
    else:
        with pytest.raises(ContextError, match="circle"):
            resolve(opened(tmp_path), [f"l{links}"])


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "d").symlink_to("d/d")
    for source in ["a", "a/x", "d/x", "a*"]:
        with pytest.raises(ContextError, match="circle"):
            resolve(opened(tmp_path), [source])
    assert targets(opened(tmp_path), ".") == ["a", "b", "d"]
    assert context_bytes(opened(tmp_path)) == 0


def test_a_link_to_an_ignored_file_leads_nowhere(tmp_path: Path) -> None:
    files(tmp_path, "app-1.0.jar")
    (tmp_path / "app.jar").symlink_to("app-1.0.jar")
    assert targets(opened(tmp_path), "app.jar") == ["app.jar"]
    with pytest.raises(ContextError, match="not in the build context"):
        resolve(opened(tmp_path, "app-*.jar"), ["app.jar"])
    assert resolve(opened(tmp_path, "*.jar"), ["app.jar"]) == ()


# --- what is copied


def test_what_is_told_of_a_file(tmp_path: Path) -> None:
    files(tmp_path, "target/app.jar")
    (tmp_path / "target/app.jar").chmod(0o750)
    (copied,) = resolve(opened(tmp_path), ["./target/*.jar"], destination="/app.jar")
    assert copied.source == "target/app.jar"
    assert copied.target == ""
    assert copied.path == tmp_path / "target/app.jar"
    assert (copied.bytes, copied.mode) == (len("target/app.jar"), 0o750)
    assert not copied.is_directory
    assert not copied.is_link


def test_a_directory_gives_itself_and_its_contents(tmp_path: Path) -> None:
    files(tmp_path, "d/b", "d/a/x")
    (tmp_path / "d/empty").mkdir()
    copied = resolve(opened(tmp_path), ["d"])
    assert [(item.source, item.target, item.is_directory) for item in copied] == [
        ("d", "", True),
        ("d/a", "a", True),
        ("d/a/x", "a/x", False),
        ("d/b", "b", False),
        ("d/empty", "empty", True),
    ]


def test_the_last_of_two_equal_targets_stays(tmp_path: Path) -> None:
    files(tmp_path, "a/f", "b/f", "f")
    copied = resolve(opened(tmp_path), ["f", "a", "b"])
    assert [item.source for item in copied if not item.is_directory] == ["b/f"]


def test_a_target_that_would_be_a_file_and_a_directory(tmp_path: Path) -> None:
    files(tmp_path, "a/x/y", "x")
    with pytest.raises(ContextError, match="both a file and a directory"):
        resolve(opened(tmp_path), ["a", "x"])


def test_sockets_and_pipes_are_left_out(tmp_path: Path) -> None:
    files(tmp_path, "file")
    os.mkfifo(tmp_path / "pipe")
    here = Path.cwd()
    os.chdir(tmp_path)  # a socket's name must be short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
    finally:
        os.chdir(here)
    context = opened(tmp_path)
    assert targets(context, ".") == ["file"]
    assert context_bytes(context) == len("file")
    assert targets(context, "p*", "s*") == []


def top(path: str) -> str:
    return path.partition("/")[0]


def test_parts_of_the_context_are_measured(tmp_path: Path) -> None:
    files(tmp_path, "a/one", "a/b/three", "c/four", "ignored/x")
    context = opened(tmp_path, "ignored\n")
    sizes, complete = measure(context, top, most_entries=100, most_entries_a_part=100, most_seconds=60)
    assert {part: (size.bytes, size.complete) for part, size in sizes.items()} == {
        "a": (len("a/one") + len("a/b/three"), True),
        "c": (len("c/four"), True),
        ".dockerignore": (len("ignored\n"), True),
    }
    assert complete


def test_a_part_with_many_entries_is_cut_short_and_hides_no_other(tmp_path: Path) -> None:
    files(tmp_path, *(f"many/{number}/deep/file" for number in range(20)), "few/file")
    sizes, complete = measure(
        opened(tmp_path), top, most_entries=1000, most_entries_a_part=5, most_seconds=60
    )
    assert complete
    assert sizes["few"].complete and sizes["few"].bytes == len("few/file")
    assert "many" not in sizes or not sizes["many"].complete
    everything = sum(len(f"many/{number}/deep/file") for number in range(20))
    assert sizes.get("many", sizes["few"]).bytes < everything


def test_the_walk_as_a_whole_is_cut_short(tmp_path: Path) -> None:
    files(tmp_path, *(f"d{number}/file" for number in range(20)))
    sizes, complete = measure(
        opened(tmp_path), top, most_entries=10, most_entries_a_part=1000, most_seconds=60
    )
    assert not complete and not any(size.complete for size in sizes.values())


@pytest.mark.parametrize("source", ["[a", "d/[", "*/[a-]"])
def test_a_malformed_glob(tmp_path: Path, source: str) -> None:
    files(tmp_path, "d/a")
    with pytest.raises(ContextError) as caught:
        resolve(opened(tmp_path), [source])
    assert source in caught.value.message


@pytest.mark.parametrize(
    "options", [{"excludes": ["[a"]}, {"excludes": ["!"]}, {"parents": True, "excludes": ["[a"]}]
)
def test_a_malformed_exclude(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ContextError, match="--exclude"):
        resolve(opened(tmp_path), ["."], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["a\0b", "x" * 300, "x/" * 3000, "", "....//....", "\udcff"])
def test_odd_sources(tmp_path: Path, source: str) -> None:
    files(tmp_path, "file")
    assert targets(opened(tmp_path), source) == (["file"] if source == "" else [])


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jar")).write_text("x")
    context = opened(tmp_path)
    assert len(targets(context, "*.jar")) == 1
    assert len(targets(context, "caf?.jar")) == 1
    assert targets(opened(tmp_path, "**/*.jar\n"), ".") == [".dockerignore"]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("/app/", True),
        (".", True),
        ("./", True),
        ("/app/.", True),
        ("..", True),
        ("", True),
        ("/app", False),
        ("app.jar", False),
        ("..x", False),
    ],
)
def test_names_directory(destination: str, expected: bool) -> None:
    assert names_directory(destination) is expected


def test_a_deep_tree(open_to_all: Path) -> None:
    here = Path.cwd()
    depth = 1100  # Python's own limit of calls is 1000
    os.chdir(open_to_all)
    try:
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        context = opened(open_to_all, "**/nothing\n!**/x")
        assert len(resolve(context, ["d"])) == depth
        assert context_bytes(context) == (open_to_all / ".dockerignore").stat().st_size
    finally:
        # too deep for shutil.rmtree
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()
        os.chdir(here)


# --- what may not be read


def unreadable_file(root: Path) -> None:
    files(root, "d/file")
    (root / "d/file").chmod(0)


def unreadable_folder(root: Path) -> None:
    files(root, "d/locked/file")
    (root / "d/locked").chmod(0)


def closed_folder(root: Path) -> None:
    files(root, "d/locked/file")
    (root / "d/locked").chmod(0o444)  # may be listed, not entered


@pytest.mark.parametrize(
    ("prepare", "source"),
    [
        (unreadable_file, "d"),
        (unreadable_file, "d/file"),
        (unreadable_file, "d/*"),
        (unreadable_folder, "d"),
        (unreadable_folder, "d/locked/file"),
        (unreadable_folder, "d/*/file"),
        (closed_folder, "d"),
        (closed_folder, "d/locked/file"),
    ],
)
def test_what_may_not_be_read(open_to_all: Path, prepare: Callable[[Path], None], source: str) -> None:
    prepare(open_to_all)
    with as_nobody(), pytest.raises(ContextError) as caught:
        resolve(open_context(open_to_all, open_to_all / "Dockerfile"), [source])
    assert "Permission denied" in caught.value.message
    assert caught.value.path is not None and caught.value.path.startswith(f"{open_to_all}/d")
    assert "\n" not in str(caught.value)


def test_what_may_not_be_read_does_no_harm_when_ignored(open_to_all: Path) -> None:
    unreadable_folder(open_to_all)
    (open_to_all / ".dockerignore").write_text("**/locked\n!**/x\n")
    with as_nobody():
        context = open_context(open_to_all, open_to_all / "Dockerfile")
        assert targets(context, "d") == []
        assert context_bytes(context) > 0


def test_an_ignore_file_that_may_not_be_read(open_to_all: Path) -> None:
    (open_to_all / ".dockerignore").write_text("x")
    (open_to_all / ".dockerignore").chmod(0)
    with as_nobody(), pytest.raises(ContextError, match=r"\.dockerignore: cannot be read: Permission denied"):
        open_context(open_to_all, open_to_all / "Dockerfile")


# --- what ADD unpacks: every answer was seen in a build, in both builders


def tar(kind: int = tarfile.USTAR_FORMAT, name: str = "file") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tar(), True),
        (tar(tarfile.PAX_FORMAT, "\xe9" * 120), True),
        (tar(tarfile.GNU_FORMAT, "x" * 150), True),
        (tar()[:600], True),
        (gzip.compress(tar()), True),
        (bz2.compress(tar()), True),
        (lzma.compress(tar()), True),
        (gzip.compress(b"hello"), False),
        (gzip.compress(gzip.compress(tar())), False),
        (gzip.compress(tar())[:30], False),
        (lzma.compress(tar(), format=lzma.FORMAT_ALONE), False),
        (zipped(), False),
        (bytes(1024), False),
        (b"z" + tar()[1:], False),
        (tar()[:400], False),
        (b"", False),
        (b"BZh", False),
        (b"\xfd7zXZ\0broken", False),
        (b"\x28\xb5\x2f\xfd", None),
    ],
    ids=itertools.count(),
)
def test_what_add_unpacks(tmp_path: Path, data: bytes, expected: bool | None) -> None:
    (tmp_path / "app.jar").write_bytes(data)
    assert unpacked_by_add(tmp_path / "app.jar") is expected


def test_what_add_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ContextError):
        unpacked_by_add(tmp_path / "nowhere")


# --- no more work than needed


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the directories that are listed."""
    found: list[str] = []
    scandir = os.scandir

    def spy(path: str) -> object:
        found.append(Path(path).name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", spy)
    return found


def test_a_glob_lists_only_where_it_may_match(tmp_path: Path, listed: list[str]) -> None:
    files(tmp_path, "target/app.jar", "target/classes/A", "src/main/A", "web/node_modules/x/y")
    assert targets(opened(tmp_path), "target/*.jar") == ["app.jar"]
    assert listed == ["target"]
    listed.clear()
    assert targets(opened(tmp_path), "*/app.jar") == ["app.jar"]
    assert sorted(listed) == ["src", "target", tmp_path.name, "web"] or sorted(listed) == sorted(
        [tmp_path.name, "src", "target", "web"]
    )


def test_an_ignored_directory_is_listed_only_for_an_exception(tmp_path: Path, listed: list[str]) -> None:
    files(tmp_path, "target/app.jar", "target/classes/A", "node_modules/x/y")
    context_bytes(opened(tmp_path, "node_modules\ntarget\n!target/app.jar\n"))
    assert sorted(listed) == sorted([tmp_path.name, "target"])


def test_parents_walk_only_along_the_pattern(tmp_path: Path, listed: list[str]) -> None:
    files(tmp_path, "a/pom.xml", "a/src/A", "b/pom.xml", "b/src/B/C")
    context = opened(tmp_path)
    assert targets(context, "*/pom.xml", parents=True) == ["a/pom.xml", "b/pom.xml"]
    assert set(listed) == {tmp_path.name, "a", "b"}
    listed.clear()
    assert targets(context, "b/src/B", parents=True) == ["b/src/B/C"]
    assert "a" not in listed


def test_counting_a_context_takes_no_memory(tmp_path: Path) -> None:
    for folder in range(20):
        path = tmp_path / f"m{folder}" / "src"
        path.mkdir(parents=True)
        for number in range(200):
            (path / f"f{number}.java").touch()
    patterns = "**/*.class\n**/.git*\nnode_modules\n!m1/**/*.class\n"
    context_bytes(
        opened(tmp_path / "m0", patterns)
    )  # what is imported and compiled once is not what it counts
    context = opened(tmp_path, patterns)
    tracemalloc.start()
    context_bytes(context)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400_000  # all 4000 entries together are more than a megabyte


# --- finding the context


def test_the_dockerfiles_own_directory(tmp_path: Path) -> None:
    files(tmp_path, "service/Dockerfile", "service/target/app.jar", "target/app.jar")
    assert find_context(tmp_path / "service/Dockerfile", ["target/app.jar"]) == tmp_path / "service"


@pytest.mark.parametrize(
    "sources",
    [
        ["service/target/app.jar"],
        ["service/target/*.jar", "service/run.sh"],
        ["./service/run.sh", "${EXTRA}/x", "$JAR"],
        ["*/run.sh"],
        ["/service/run.sh", "."],
    ],
)
def test_the_nearest_parent_that_has_the_sources(tmp_path: Path, sources: list[str]) -> None:
    root = tmp_path / "repository"
    files(root, "service/docker/Dockerfile", "service/target/app.jar", "service/run.sh")
    assert find_context(root / "service/docker/Dockerfile", sources) == root


@pytest.mark.parametrize(
    "sources", [[], ["."], ["./", "/"], ["nowhere.txt"], ["$JAR"], ["${JAR:-x}"], ["[a"], ["a\0"]]
)
def test_nothing_tells_the_context(tmp_path: Path, sources: list[str]) -> None:
    files(tmp_path, "service/Dockerfile")
    assert find_context(tmp_path / "service/Dockerfile", sources) == tmp_path / "service"


def test_a_jar_that_is_not_built_yet(tmp_path: Path) -> None:
    files(tmp_path, "service/docker/Dockerfile", "service/pom.xml", "pom.xml", "service/docker/run.sh")
    dockerfile = tmp_path / "service/docker/Dockerfile"
    assert find_context(dockerfile, ["service/target/app.jar"]) == tmp_path
    assert find_context(dockerfile, ["target/*.jar"]) == tmp_path / "service"
    assert find_context(dockerfile, ["*/build/libs/app.jar"]) == tmp_path
    # what is surely there decides between them
    assert find_context(dockerfile, ["target/*.jar", "docker/run.sh"]) == tmp_path / "service"


def test_everything_there_goes_before_something_to_build(tmp_path: Path) -> None:
    files(tmp_path, "a/pom.xml", "a/Dockerfile", "target/app.jar")
    assert find_context(tmp_path / "a/Dockerfile", ["target/app.jar"]) == tmp_path


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    files(tmp_path, "other/x", "repository/.git/HEAD", "repository/service/Dockerfile")
    dockerfile = tmp_path / "repository/service/Dockerfile"
    assert find_context(dockerfile, ["other/x"]) == dockerfile.parent
    (tmp_path / "repository/other").mkdir()
    files(tmp_path, "repository/other/x")
    assert find_context(dockerfile, ["other/x"]) == tmp_path / "repository"


def test_the_file_systems_root_is_no_context(tmp_path: Path) -> None:
    files(tmp_path, "Dockerfile")
    assert find_context(tmp_path / "Dockerfile", ["etc/passwd"]) == tmp_path


def test_a_relative_path_for_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, "a/b/Dockerfile", "a/x", "y")
    monkeypatch.chdir(tmp_path)
    assert find_context(Path("a/b/Dockerfile"), ["x"]) == Path("a")
    assert find_context(Path("a/b/Dockerfile"), ["y"]) == Path()
    monkeypatch.chdir(tmp_path / "a/b")
    assert find_context(Path("Dockerfile"), ["y"]) == Path("../..")
    assert find_context(Path("Dockerfile"), ["nothing"]) == Path()
