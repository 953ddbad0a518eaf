"""`imgopt inspect` on real images: what skopeo, buildah and docker make of the same layers."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from boot_jar import boot_jar, library
from command_line import Imgopt
from image_samples import docker_archive, layer, link

GUAVA = library(size=40_000, seed=1)
CORE = library(size=70_000, seed=2)
JAVA = "usr/lib/jvm/java-17"


@pytest.fixture(scope="session")
def jar(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("jar") / "app.jar"
    boot_jar(
        path,
        version="3.5.4",
        libraries={"guava-33.0.0-jre.jar": GUAVA, "spring-core-6.2.9.jar": CORE},
    )
    return path.read_bytes()


@pytest.fixture(scope="session")
def layers(jar: bytes) -> list[bytes]:
    """A JDK with package lists, the application, and a chown of it."""
    return [
        layer(
            {
                "var/lib/apt/lists/deb.debian.org_Packages": b"Package: a\n" * 9000,
                f"{JAVA}/bin/java": b"\x7fELF" + os.urandom(60_000),
                f"{JAVA}/bin/javac": b"\x7fELF" + os.urandom(50_000),
                f"{JAVA}/lib/modules": os.urandom(200_000),
                "usr/bin/java": link(f"/{JAVA}/bin/java", b"2"),
                "usr/share/doc/x/README": b"read me " * 9000,
            }
        ),
        layer({"app": None, "app/app.jar": jar}),
        layer({"app": None, "app/app.jar": jar, "var/lib/apt/lists/.wh..wh..opq": b""}),
    ]


COMMANDS = (
    "/bin/sh -c #(nop) ADD file:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef in / ",
    "COPY target/app.jar /app/app.jar # buildkit",
    "RUN |1 JAR=x /bin/sh -c chown -R app /app # buildkit",
)


@pytest.fixture(scope="session")
def archive(layers: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "image.tar"
    return docker_archive(path, layers, COMMANDS, Entrypoint=["java", "-jar", "/app/app.jar"])


def test_the_layers_and_what_they_hold(
    imgopt: Imgopt, archive: Path, layers: list[bytes], jar: bytes
) -> None:
    run = imgopt("inspect", "--format", "json", archive)
    assert (run.code, run.err) == (0, "")
    image = run.json["image"]
    assert image["reference"] == "shop/api:7" and image["platform"] == "linux/amd64" and image["root"] is True
    assert [each["uncompressed_bytes"] for each in image["layers"]] == [len(each) for each in layers]
    assert image["uncompressed_bytes"] == sum(map(len, layers))
    for found, plain in zip(image["layers"], layers, strict=True):
        assert found["compressed_here"] and found["basis"] == "measured"
        assert abs(found["compressed_bytes"] - len(gzip.compress(plain, 6))) < 200
    holds = [{each["what"]: each["bytes"] for each in found["holds"]} for found in image["layers"]]
    assert holds[0]["jdk"] == 310_008
    assert holds[0]["package-cache"] == 99_000 and holds[0]["documentation"] == 72_000
    assert holds[1] == holds[2] == {"application": len(jar)}
    assert [each["changes_each_release"] for each in image["layers"]] == [False, True, True]
    assert [each["instruction"] for each in image["layers"]] == [
        "ADD file:0123456789ab… in /",
        "COPY target/app.jar /app/app.jar",
        "RUN chown -R app /app",
    ]


def test_waste_and_efficiency(imgopt: Imgopt, archive: Path, jar: bytes) -> None:
    contents = imgopt("inspect", "--format", "json", archive).json["image"]["contents"]
    assert contents["wasted_bytes"] == len(jar) + 99_000
    assert {(each["path"], each["removed"], *each["layers"]) for each in contents["wasted"]} == {
        ("/app/app.jar", False, 2, 3),
        ("/var/lib/apt/lists", True, 1, 3),
    }
    whole = 310_008 + 99_000 + 72_000 + 2 * len(jar)
    assert contents["efficiency"] == pytest.approx((whole - len(jar)) / whole, abs=1e-6)
    assert contents["dive"]["wasted_bytes"] == 2 * len(jar)
    assert contents["java"] == [{"path": f"/{JAVA}", "jdk": True}]
    (found,) = contents["jars"]
    assert (found["path"], found["layer"], found["jar"]["spring_boot"]) == ("/app/app.jar", 3, "3.5.4")
    largest = [each["file"] for each in found["jar"]["libraries"]]
    assert largest[:2] == ["spring-core-6.2.9.jar", "guava-33.0.0-jre.jar"]


def test_text(imgopt: Imgopt, archive: Path) -> None:
    run = imgopt("inspect", archive, "--tree", "--depth", 4)
    assert (run.code, run.err) == (0, "")
    assert "runs as root (no USER), JDK in /usr/lib/jvm/java-17" in run.text
    assert re.search(r"^ +3 RUN chown -R app /app +\S+ MB +\S+ MB$", run.text, re.M)
    assert re.search(r"^  /app/app\.jar +layer 2, again in 3 +\S+ MB$", run.text, re.M)
    assert re.search(r"^  /var/lib/apt/lists +layer 1, removed in 3 +0\.099 MB$", run.text, re.M)
    assert "Spring Boot 3.5.4 jar" in run.text and "compressed here" in run.text
    assert re.search(r"^ +BOOT-INF/lib/spring-core-6.2.9.jar +0\.\d+ MB +layer 3$", run.text, re.M)
    assert max(map(len, run.text.splitlines())) <= 100
    assert len(imgopt("inspect", "-q", archive).text.splitlines()) <= 3


def test_under(imgopt: Imgopt, archive: Path) -> None:
    shown = imgopt("inspect", archive, "--under", f"/{JAVA}/bin").text
    assert re.search(r"^    javac +0\.050 MB +layer 1$", shown, re.M) and "  /app " not in shown
    assert "there is no /nowhere in the image" in imgopt("inspect", archive, "--under", "/nowhere").text


def test_markdown(imgopt: Imgopt, archive: Path) -> None:
    shown = imgopt("inspect", "--format", "markdown", "--tree", archive).text
    assert shown.startswith("### `") and "| 2 `COPY target/app.jar /app/app.jar` |" in shown
    assert "| `/app/app.jar` | layer 2, again in 3 |" in shown


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.rects: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.outside += [str(found[key]) for key in ("src", "href") if key in found]
        assert tag not in ("script", "link", "img", "iframe")
        if tag == "rect":
            self.rects.append(found)


def test_html_is_one_file_with_a_treemap_in_proportion(imgopt: Imgopt, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "image.html"
    assert imgopt("inspect", "--format", "html", "--output-file", target, archive).code == 0
    text = target.read_text()
    page = _Page()
    page.feed(text)
    assert page.outside == [] and "url(" not in text and "@import" not in text

    def area(path: str) -> float:
        found = re.search(rf'<rect x="\S+" y="\S+" width="(\S+)" height="(\S+)"[^>]*><title>{path}: ', text)
        assert found, path
        return float(found[1]) * float(found[2])

    assert area(f"/{JAVA}/lib/modules") / area(f"/{JAVA}/bin/java") == pytest.approx(
        200_000 / 60_004, rel=0.25
    )


FORMS = ("docker-archive", "oci", "oci-archive", "kaniko", "zstd")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_image_says_the_same(
    imgopt: Imgopt, archive: Path, layers: list[bytes], tmp_path: Path, form: str
) -> None:
    """Written by skopeo (docker archive, OCI) and as kaniko writes it; compressed sizes are the blobs'."""
    path: Path = tmp_path / "image"
    if form == "kaniko":
        docker_archive(path, layers, COMMANDS, compressed=True, Entrypoint=["java", "-jar", "/app/app.jar"])
    else:
        more = ["--dest-compress-format", "zstd"] if form == "zstd" else []
        where = (
            f"{'oci' if form == 'zstd' else form}:{path}{':shop/api:7' if form == 'docker-archive' else ':7'}"
        )
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", *more, f"docker-archive:{archive}", where],
            check=True,
        )
    image = imgopt("inspect", "--format", "json", path).json["image"]
    here = imgopt("inspect", "--format", "json", archive).json["image"]
    assert image["uncompressed_bytes"] == here["uncompressed_bytes"]
    assert image["contents"]["wasted"] == here["contents"]["wasted"]
    assert [each["diff_id"] for each in image["layers"]] == [each["diff_id"] for each in here["layers"]]
    if form in ("oci", "zstd"):
        for each in image["layers"]:
            blob = path / "blobs" / each["digest"].replace(":", "/")
            assert each["compressed_bytes"] == blob.stat().st_size and not each["compressed_here"]
    if form == "docker-archive":
        assert image["compressed_bytes"] == here["compressed_bytes"] and image["id"] == here["id"]
    else:  # another gzip, or zstd: within what they differ
        assert image["compressed_bytes"] == pytest.approx(here["compressed_bytes"], rel=0.06)


def test_an_image_that_buildah_built(imgopt: Imgopt, jar: bytes, tmp_path: Path) -> None:
    (tmp_path / "app.jar").write_bytes(jar)
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY app.jar /app.jar\nUSER 1000\nCMD ["x"]\n')
    store = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    subprocess.run(
        [
            "buildah",
            *store,
            "bud",
            "-q",
            "--isolation",
            "chroot",
            "--layers",
            "-t",
            "shop/api:8",
            str(tmp_path),
        ],
        check=True,
    )
    target = tmp_path / "built"
    subprocess.run(["buildah", *store, "push", "-q", "shop/api:8", f"oci:{target}:8"], check=True)
    image = imgopt("inspect", "--format", "json", target).json["image"]
    assert image["root"] is False and image["user"] == "1000"
    assert [each["what"] for each in image["layers"][-1]["holds"]] == ["application"]
    assert image["contents"]["efficiency"] == 1


# what is made to harm


def test_a_zip_bomb_ends_with_an_error_in_little_memory(tmp_path: Path) -> None:
    """A layer of 5 GB of zeros in 5 MB: the process that reads it stays small, and stops at the limit."""
    bomb = tmp_path / "bomb.tar.gz"
    header = layer({"zero": b""})[:512]
    size = 5 << 30
    entry = bytearray(header)
    entry[124:136] = b"%011o\0" % size
    entry[148:156] = b"        "
    entry[148:156] = b"%06o\0 " % sum(entry)
    zeros = gzip.compress(bytes(16 << 20))  # gzip's members follow one another
    bomb.write_bytes(gzip.compress(bytes(entry)) + zeros * (size >> 24))
    archive = docker_archive(tmp_path / "image.tar", [b""], compressed=True)
    _with_layer(archive, bomb.read_bytes())
    # not ru_maxrss: what forked counts in it
    code = (
        "import re, sys; from imgopt.cli import main; code = main(sys.argv[1:]); "
        "print(code, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "inspect", str(archive)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    exit_code, kilobytes = run.stdout.split()
    assert exit_code == "2" and int(kilobytes) < 100_000
    assert re.search(r"error: .*layer 1: it claims to hold more than [\d,]+ bytes; ", run.stderr)


def test_a_bomb_behind_the_end_of_a_tar_is_stopped_too(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgopt.inspection.scan.MOST_OF_A_LAYER", 1 << 20)
    monkeypatch.setattr("imgopt.inspection.scan.RATIO", 1)
    archive = docker_archive(tmp_path / "image.tar", [layer({"a": b"a"}) + bytes(20 << 20)], compressed=True)
    run = imgopt("inspect", archive)
    assert run.code == 2 and "claims to hold more than 1,048,576 bytes" in run.err


def _with_layer(archive: Path, blob: bytes) -> None:
    """Puts another blob in the place of an archive's only layer."""
    import io
    import tarfile

    with tarfile.open(archive) as old:
        files = {each.name: old.extractfile(each).read() for each in old}  # type: ignore[union-attr]
    files["0.tar.gz"] = blob
    with tarfile.open(archive, "w") as new:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))


HOSTILE = [
    layer({"../../../../tmp/imgopt-escaped": b"x", "/tmp/imgopt-absolute": b"y"}),
    layer({"dev/sda": link("", b"4"), "dev/zero": link("", b"3"), "pipe": link("", b"6")}),
    layer({"link": link("/etc", b"2"), "link/imgopt-through": b"z"}),
    layer({"a.jar": b"PK\3\4 no jar at all" * 60_000, "x" * 250: b"1", "self": link("self")}),
]


def test_nothing_is_written_outside_of_a_temporary_directory(
    imgopt: Imgopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    monkeypatch.setattr("tempfile.tempdir", None)
    run = imgopt("inspect", "--tree", docker_archive(tmp_path / "image.tar", HOSTILE))
    assert (run.code, run.err) == (0, "")
    assert "layer 1: /tmp/imgopt-escaped is named so that it leads out of the image" in run.text
    assert "/a.jar is not a readable jar" in run.text
    assert list(spool.iterdir()) == [] and sorted(each.name for each in tmp_path.iterdir()) == [
        "image.tar",
        "spool",
    ]
    assert not any(
        Path(each).exists() for each in ("/tmp/imgopt-escaped", "/tmp/imgopt-absolute", "/etc/imgopt-through")
    )


@pytest.mark.parametrize("what", ["garbage", "cut layer", "wrong digest", "cut archive"])
def test_a_damaged_image_is_a_clear_error(
    imgopt: Imgopt, tmp_path: Path, layers: list[bytes], what: str
) -> None:
    path = docker_archive(tmp_path / "image.tar", layers[:1], compressed=True)
    if what == "garbage":
        _with_layer(path, gzip.compress(b"garbage" * 1000))
    elif what == "cut layer":
        _with_layer(path, gzip.compress(layers[0])[:-500])
    elif what == "wrong digest":
        _with_layer(path, gzip.compress(layers[1]))
    else:
        path.write_bytes(path.read_bytes()[:70_000])
    run = imgopt("inspect", path)
    assert run.code == 2 and run.text == ""
    assert (
        run.err.startswith("error: ") and run.err.count("\n") == 1 and str(path) in run.err
    ) or "shop/api" in run.err
