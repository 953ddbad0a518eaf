"""Images of every form are opened, whole and broken, through `open_image`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import image_archives as archives
import pytest
from image_archives import Layout, digest, docker_archive, packed, tar_of
from private_docker import Engine

from imgopt.errors import ImgoptError, InputError, MeasureError
from imgopt.sources import open_image

FIRST, SECOND = tar_of({"a": b"first" * 3000}), tar_of({"b": b"second" * 3000})


def contents(spec: object, platform: str | None = None) -> tuple[list[str], list[str]]:
    """The digests of the plain layers and of the blobs, as they are read."""
    with open_image(str(spec), platform) as opened:
        numbers = range(len(opened.image.layers))
        plain = [digest(opened.open_tar(n).read()) for n in numbers]
        blobs = [digest(opened.open_blob(n).read()) for n in numbers]
        assert plain == [layer.diff_id for layer in opened.image.layers]
        assert blobs == [layer.blob.digest if layer.blob else layer.diff_id for layer in opened.image.layers]
    return plain, blobs


WANTED = [digest(FIRST), digest(SECOND)]


@pytest.mark.parametrize("suffix", ["+gzip", "+zstd", ""])
@pytest.mark.parametrize("form", ["directory", "tar", "tar.gz"])
def test_an_oci_layout(form: str, suffix: str, tmp_path: Path) -> None:
    layout = Layout()
    layout.top = [layout.image([FIRST, SECOND], suffix=suffix)]
    if form == "directory":
        spec = layout.write(tmp_path / "layout")
    else:
        spec = layout.tar(tmp_path / "image.tar")
        if form == "tar.gz":
            spec = tmp_path / "image.tar.gz"
            spec.write_bytes(packed((tmp_path / "image.tar").read_bytes()))
    assert contents(spec)[0] == WANTED
    with open_image(str(spec)) as opened:
        assert opened.image.platform == "linux/amd64"
        assert [layer.created_by for layer in opened.image.layers] == ["COPY 0", "COPY 1"]
        assert all((layer.blob is None) == (suffix == "") for layer in opened.image.layers)


@pytest.mark.parametrize(
    "names", [("1/layer.tar", "2/layer.tar"), ("x.tar.gz", "y.tar.gz")], ids=["docker", "kaniko"]
)
def test_a_docker_archive(names: tuple[str, str], tmp_path: Path) -> None:
    pack = packed if names[0].endswith("gz") else bytes
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive({names[0]: pack(FIRST), names[1]: pack(SECOND)}, [FIRST, SECOND]))
    plain, blobs = contents(archive)
    assert plain == WANTED
    assert blobs == [digest(pack(FIRST)), digest(pack(SECOND))]
    with open_image(str(archive)) as opened:
        assert opened.image.reference == "shop/api:7"


def test_a_layer_that_occurs_twice_may_be_a_link(tmp_path: Path) -> None:
    """Docker 20.10 and skopeo write a repeated layer as a symbolic link."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(
        docker_archive({"1/layer.tar": FIRST}, [FIRST, FIRST], links={"2/layer.tar": "../1/layer.tar"})
    )
    assert contents(archive)[0] == [digest(FIRST)] * 2


def test_a_tar_s_names_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(FIRST)
    archive = tmp_path / "image.tar"
    for links in ({"../x": str(secret)}, {"l": "../../../.." + str(secret)}, {"loop": "loop"}):
        archive.write_bytes(docker_archive({}, [FIRST], links=links))
        with pytest.raises(InputError, match="is missing"):
            contents(archive)
    archive.write_bytes(
        docker_archive({"../../x/layer.tar": FIRST, "/abs/layer.tar": SECOND}, [FIRST, SECOND])
    )
    before = sorted(tmp_path.parent.rglob("*"))
    assert contents(archive)[0] == WANTED
    assert sorted(tmp_path.parent.rglob("*")) == before


def platforms(tmp_path: Path, *, nested: bool) -> Path:
    layout = Layout()
    entries = [layout.image([FIRST], "amd64"), layout.image([SECOND], "arm64")]
    attestation = layout.image([tar_of({"in-toto": b"{}"})], "unknown")
    entries.append({**attestation, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    layout.top = [layout.index(entries)] if nested else entries
    return layout.write(tmp_path / "layout")


@pytest.mark.parametrize("nested", [True, False])
def test_the_platform_chooses(nested: bool, tmp_path: Path) -> None:
    layout = platforms(tmp_path, nested=nested)
    assert contents(layout, "linux/amd64")[0] == [digest(FIRST)]
    assert contents(layout, "linux/arm64")[0] == [digest(SECOND)]
    assert contents(layout, "linux/arm64/v8")[0] == [digest(SECOND)]
    with pytest.raises(InputError, match=r"no image for linux/s390x; it has linux/amd64, linux/arm64"):
        contents(layout, "linux/s390x")


def test_without_a_platform_it_is_this_machine_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = platforms(tmp_path, nested=True)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert contents(layout)[0] == [digest(SECOND)]


def test_several_images_are_told_apart_by_name(tmp_path: Path) -> None:
    layout = Layout()
    names = {"one": FIRST, "two": SECOND}
    for name, content in names.items():
        annotations = {"org.opencontainers.image.ref.name": name}
        layout.top.append({**layout.image([content]), "annotations": annotations})
    directory = layout.write(tmp_path / "layout")
    with pytest.raises(InputError, match=r"holds 2 images; name one as oci:.*\(one, two\)"):
        contents(directory)
    assert contents(f"oci:{directory}:two")[0] == [digest(SECOND)]
    with pytest.raises(InputError, match=r"named 'three'; its names: one, two"):
        contents(f"oci:{directory}:three")


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def changed(data: bytes) -> bytes:
    place = data.index(b"secondsecond")
    return data[:place] + b"X" + data[place + 1 :]


WHOLE = docker_archive({"1/layer.tar": FIRST, "2/layer.tar": SECOND}, [FIRST, SECOND])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable tar"),
        (b"garbage" * 500, "not a readable tar"),
        (tar_of({"readme": b"x"}), "holds no image"),
        (truncated(WHOLE), "ends within"),
        (changed(WHOLE), "its bytes are not those of sha256:"),
        (packed(WHOLE)[:-20], "damaged"),
        (b"BZh91AY&SY" + b"x" * 600, "bzip2 are not supported"),
        (tar_of({"manifest.json": b"[" * 100_000}), "no JSON"),
        (tar_of({"manifest.json": b"[]"}), "lists no image"),
        (tar_of({"manifest.json": b'[{"Config": "c.json", "Layers": []}]'}), "c.json is missing"),
        (tar_of({"manifest.json": b'[{"Config": "manifest.json", "Layers": []}]'}), "form of an image"),
        (tar_of({"manifest.json": b'[{"Config": 7}]'}), "does not name its files"),
        (docker_archive({"1/layer.tar": FIRST}, [FIRST, SECOND]), "1 layers, but its config names 2"),
        (docker_archive({"l.tar.xz": b"\xfd7zXZ\x00" + b"x" * 99}, [FIRST]), "xz are not supported"),
        (docker_archive({"l.tar.gz": truncated(packed(FIRST))}, [FIRST]), "compressed bytes are damaged"),
        (docker_archive({"l.tar.gz": packed(SECOND)}, [FIRST]), "its bytes are not those of"),
    ],
)
def test_a_broken_archive_is_an_error_with_its_name(data: bytes, message: str, tmp_path: Path) -> None:
    archive = tmp_path / "broken.tar"
    archive.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        contents(archive)
    assert "broken.tar" in str(error.value)
    assert error.value.exit_code == 2


def damage(layout: Path, name: str, change: Callable[[bytes], bytes] | None) -> None:
    file = layout / "blobs" / "sha256" / name.removeprefix("sha256:")
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize("change", [None, truncated, lambda data: data[::-1]], ids=["gone", "cut", "other"])
@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_a_broken_layout_is_an_error_with_its_name(
    part: str, change: Callable[[bytes], bytes] | None, tmp_path: Path
) -> None:
    layout = Layout()
    layout.top = [layout.image([FIRST])]
    directory = layout.write(tmp_path / "layout")
    manifest = layout.top[0]["digest"]
    document = json.loads((directory / "blobs/sha256" / manifest.removeprefix("sha256:")).read_bytes())
    names = {
        "manifest": manifest,
        "config": document["config"]["digest"],
        "layer": document["layers"][0]["digest"],
    }
    damage(directory, names[part], change)
    with pytest.raises(InputError) as error:
        contents(directory)
    assert str(directory) in str(error.value)


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for spec, message in (
        (tmp_path / "empty", "not an OCI layout"),
        (tmp_path / "missing.tar", "no such file"),
        (f"oci:{tmp_path}/missing", "no such directory"),
    ):
        with pytest.raises(InputError, match=message):
            contents(spec)
    layout = Layout()
    chart = layout.add(b"{}", "application/vnd.cncf.helm.config.v1+json")
    manifest = {"schemaVersion": 2, "config": chart, "layers": []}
    layout.top = [layout.add(json.dumps(manifest).encode(), archives.OCI_MANIFEST)]
    with pytest.raises(InputError, match="not that of an image to run"):
        contents(layout.write(tmp_path / "chart"))


def test_memory_does_not_grow_with_a_layer(tmp_path: Path) -> None:
    """A layer of 300 MB of zeros, 300 kB packed: neither opening nor reading it holds more than blocks."""
    import tracemalloc

    plain = tar_of({"zeros": bytes(300_000_000)})
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive({"l.tar.gz": packed(plain)}, [plain]))
    del plain
    tracemalloc.start()
    try:
        with open_image(str(archive)) as opened, opened.open_tar(0) as stream:
            while stream.read(1 << 20):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


# --- what engines and tools really write ---


@pytest.fixture(scope="module")
def saved(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of three layers, two of them the same, from the private daemon's `docker save`."""
    context = tmp_path_factory.mktemp("context")
    (context / "a").write_bytes(b"a" * 100_000)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY a /a\nENV X=1\nCOPY a /b\nCMD ["/a"]\n')
    engine.build(context, "saved:1")
    archive = context / "saved.tar"
    with archive.open("wb") as output:
        for block in engine.client.images.get("saved:1").save(named=True):
            output.write(block)
    return archive


def test_docker_save(saved: Path, engine: Engine) -> None:
    with open_image(str(saved)) as opened:
        assert opened.image.id == engine.client.images.get("saved:1").id
        assert opened.image.reference == "saved:1"
        assert "COPY" in opened.image.layers[1].created_by
        assert opened.image.config["config"]["Cmd"] == ["/a"]
    assert contents(saved)[0] == list(engine.diff_ids("saved:1"))


@pytest.mark.parametrize("how", ["host", "context"])
def test_a_daemon_s_image(
    how: str, engine: Engine, saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    if how == "host":
        monkeypatch.setenv("DOCKER_HOST", engine.address)
    else:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("DOCKER_CONFIG", raising=False)
        command = [engine.cli, "context", "create", "private", "--docker", f"host={engine.address}"]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run([engine.cli, "context", "use", "private"], check=True, capture_output=True)
    assert contents("docker:saved:1")[0] == contents("saved:1")[0] == list(engine.diff_ids("saved:1"))
    with pytest.raises(MeasureError, match="the daemon has no image nobody/has:this"):
        contents("nobody/has:this")


def test_no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MeasureError, match=r"no Docker daemon answers at unix://.*none.sock") as error:
        contents("shop/api:7")
    assert error.value.exit_code == 3
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    "target", ["oci:{0}:shop", "oci-archive:{0}.tar:shop", "docker-archive:{0}.tar:shop/api:7"]
)
def test_skopeo_s_copies(target: str, saved: Path, tmp_path: Path) -> None:
    place = target.format(tmp_path / "copy")
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet", f"docker-archive:{saved}", place], check=True
    )
    spec = tmp_path / ("copy" if place.startswith("oci:") else "copy.tar")
    assert contents(spec)[0] == contents(saved)[0]
    with open_image(str(spec)) as opened:
        assert all((layer.blob is None) == place.startswith("docker") for layer in opened.image.layers)


def test_the_archive_is_closed(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(WHOLE)
    with open_image(str(archive)) as opened:
        stream = opened.open_blob(0)
    with pytest.raises(ImgoptError), contextlib.closing(stream):
        stream.read()
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == hashlib.sha256(WHOLE).hexdigest()
    with tarfile.open(archive) as tar:
        assert "manifest.json" in tar.getnames()
